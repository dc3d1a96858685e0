//! Which limit row fits a subject at a time, for the line in a chart and on the map. The verdicts themselves come from the rules; the
//! row an alert was judged by is pinned in the alert.

use model::facts::Facts;
use model::quantity::Quantity;
use model::register::{Limit, Subject, SubjectDetails};
use model::time::EventTime;
use std::sync::Arc;

/// Rows that fit the subject and quantity at some time, the most specific first.
pub(crate) fn fitting<'a>(facts: &'a Facts, subject: &Subject, quantity: Quantity) -> Vec<&'a Arc<Limit>> {
    let Some(code) = quantity.spec().map(|spec| spec.code) else { return Vec::new() };
    let class = match &subject.details {
        SubjectDetails::Restaurant { size_class, .. } => size_class.as_deref().unwrap_or(""),
        SubjectDetails::Site { stage, .. } => stage.as_deref().unwrap_or(""),
        _ => "",
    };
    let region = subject.grid.and_then(|id| facts.grids.get(&id)).map_or("", |grid| grid.code.as_str());
    let mut rows: Vec<_> = facts
        .limits
        .values()
        .filter(|row| {
            !row.retired
                && row.quantity == code
                && (row.subject_kind.is_empty() || row.subject_kind == subject.details.kind())
                && (row.class.is_empty() || row.class == class)
                && (row.region.is_empty() || region.starts_with(&row.region))
        })
        .collect();
    let specific = |row: &Limit| [&row.region, &row.class, &row.subject_kind].map(String::len);
    rows.sort_by_key(|row| std::cmp::Reverse((specific(row), row.valid_from, row.id)));
    rows
}

/// The row valid at `at`.
pub(crate) fn at<'a>(rows: &[&'a Arc<Limit>], at: EventTime) -> Option<&'a Arc<Limit>> {
    rows.iter().copied().find(|row| row.valid_from <= at && row.valid_to.is_none_or(|end| at < end))
}

/// A row's number in the quantity's canonical unit.
pub(crate) fn canonical(row: &Limit, quantity: Quantity) -> Option<f64> {
    row.unit.convert(row.value, quantity.spec()?.unit)
}
