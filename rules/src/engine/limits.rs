//! Which limit row applies to a subject at an event time. A row fits when its quantity is the rule's, its unit converts, it
//! is not retired, and each of its region, class and subject kind is empty or the subject's (region: the rule's `region`, or
//! a prefix of the grid's code). Of the rows that fit and are valid at the time, the most specific wins: longest region,
//! then class, then subject kind; then the one that began last; then the highest id.

use super::{Fixed, fixed};
use model::facts::Facts;
use model::id::SubjectId;
use model::quantity::Quantity;
use model::register::{Limit, SubjectDetails};

/// What a rule says of the rows it compares with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) quantity: Quantity,
    /// Empty: any.
    pub(crate) standard: &'a str,
    /// Empty: that of the subject's grid.
    pub(crate) region: &'a str,
    /// Rows of this class; `None`: of the subject's own, and rows of none.
    pub(crate) class: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LimitRow {
    from: i64,
    to: i64,
    pub(crate) id: i64,
    pub(crate) value: f64,
    pub(crate) fixed: Fixed,
}

/// Rows that fit, the most specific first.
pub(crate) fn rows(facts: &Facts, rule: &Terms<'_>, subject: SubjectId) -> Vec<LimitRow> {
    let Some((subject, spec)) = facts.subjects.get(&subject).zip(rule.quantity.spec()) else { return Vec::new() };
    let class = match &subject.details {
        SubjectDetails::Restaurant { size_class, .. } => size_class.as_deref(),
        SubjectDetails::Site { stage, .. } => stage.as_deref(),
        _ => None,
    };
    let class = rule.class.or(class);
    let grid = subject.grid.and_then(|grid| facts.grids.get(&grid)).map_or("", |grid| grid.code.as_str());
    let kind = subject.details.kind();
    let region_fits = |region: &str| region.is_empty() || region == rule.region || grid.starts_with(region);
    let fits = |limit: &&Limit| {
        !limit.retired
            && limit.quantity == spec.code
            && (rule.standard.is_empty() || limit.standard == rule.standard)
            && region_fits(&limit.region)
            && (limit.class.is_empty() || Some(limit.class.as_str()) == class)
            && (limit.subject_kind.is_empty() || limit.subject_kind == kind)
    };
    let mut fitting: Vec<(&Limit, LimitRow)> = facts
        .limits
        .values()
        .map(AsRef::as_ref)
        .filter(fits)
        .filter_map(|limit| {
            let value = limit.unit.convert(limit.value, spec.unit)?;
            let (from, to) = (limit.valid_from.0, limit.valid_to.map_or(i64::MAX, |to| to.0));
            Some((limit, LimitRow { from, to, id: limit.id.0, value, fixed: fixed(value)? }))
        })
        .collect();
    let rank = |limit: &Limit| {
        (limit.region.len(), !limit.class.is_empty(), !limit.subject_kind.is_empty(), limit.valid_from, limit.id)
    };
    fitting.sort_by_key(|(limit, _)| std::cmp::Reverse(rank(limit)));
    fitting.into_iter().map(|(_, row)| row).collect()
}

pub(crate) fn at(rows: &[LimitRow], at: i64) -> Option<&LimitRow> {
    rows.iter().find(|row| row.from <= at && at < row.to)
}
