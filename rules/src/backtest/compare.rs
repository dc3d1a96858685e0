//! What two versions found, against each other.

use super::Stands;
use crate::definition::{CaseSpec, CompiledRule};
use model::episode::Episode;
use model::facts::Facts;
use model::id::{GridId, SubjectId};
use model::time::{EventTime, local_day};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An alert that one version has and the other has not, or has otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    New { draft: Episode },
    Gone { live: Episode },
    Changed { live: Box<Episode>, draft: Box<Episode> },
}

impl Change {
    /// The draft's, or the live one that is gone.
    pub fn episode(&self) -> &Episode {
        match self {
            Self::New { draft } => draft,
            Self::Changed { draft, .. } => draft,
            Self::Gone { live } => live,
        }
    }

    pub const fn word(&self) -> &'static str {
        match self {
            Self::New { .. } => "new",
            Self::Gone { .. } => "gone",
            Self::Changed { .. } => "changed",
        }
    }
}

/// Alerts and cases of a grid and local day. A subject has at most one case a day; caps count over the district.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GridDay {
    pub grid: Option<GridId>,
    /// Days since 1970-01-01, Beijing time.
    pub day: i64,
    pub alerts_live: u32,
    pub alerts_draft: u32,
    pub cases_live: u32,
    pub cases_draft: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    pub live: usize,
    pub draft: usize,
    /// In both, alike.
    pub same: usize,
    pub new: usize,
    pub gone: usize,
    pub changed: usize,
    /// By event time, the first 5,000.
    pub changes: Vec<Change>,
    pub grid_days: Vec<GridDay>,
    /// Days on which more cases would be opened than the draft's cap: (day, cases, cap).
    pub over_cap: Vec<(i64, u32, u32)>,
}

/// Changes a report lists.
pub(super) const CHANGES_MAX: usize = 5_000;

/// Compares what stands of both; the order does not matter.
pub fn compare(stands: Stands, draft: &CompiledRule, live: Option<&CompiledRule>, facts: &Facts) -> Report {
    let mut report = Report { live: stands.live.len(), draft: stands.draft.len(), ..Report::default() };
    let case = |rule: Option<&CompiledRule>| rule.and_then(|rule| rule.case.clone());
    report.grid_days = grid_days(&stands, case(live).as_ref(), draft.case.as_ref(), facts);
    if let Some(cap) = draft.case.as_ref().map(|case| case.per_day_max) {
        let mut days: BTreeMap<i64, u32> = BTreeMap::new();
        for line in &report.grid_days {
            *days.entry(line.day).or_default() += line.cases_draft;
        }
        report.over_cap =
            days.into_iter().filter(|(_, cases)| *cases > cap).map(|(day, cases)| (day, cases, cap)).collect();
    }
    let mut live: BTreeMap<_, Vec<Episode>> = BTreeMap::new();
    for episode in stands.live {
        live.entry((episode.subject, episode.device)).or_default().push(episode);
    }
    for episodes in live.values_mut() {
        episodes.sort_by_key(|episode| episode.start);
    }
    let mut drafts = stands.draft;
    drafts.sort_by_key(|episode| (episode.start, episode.subject, episode.device));
    for draft in drafts {
        let known = live.get_mut(&(draft.subject, draft.device));
        let found = known.and_then(|known| {
            let alike = known.iter().position(|live| live.start == draft.start);
            let place = alike.or_else(|| known.iter().position(|live| overlap(live, &draft)))?;
            Some(known.remove(place))
        });
        match found {
            None => {
                report.new += 1;
                report.changes.push(Change::New { draft });
            }
            Some(live) if same(&live, &draft) => report.same += 1,
            Some(live) => {
                report.changed += 1;
                report.changes.push(Change::Changed { live: Box::new(live), draft: Box::new(draft) });
            }
        }
    }
    for live in live.into_values().flatten() {
        report.gone += 1;
        report.changes.push(Change::Gone { live });
    }
    report.changes.sort_by_key(|change| {
        let episode = change.episode();
        (episode.start, episode.subject, episode.device, change.word())
    });
    report.changes.truncate(CHANGES_MAX);
    report
}

fn overlap(a: &Episode, b: &Episode) -> bool {
    let end = |episode: &Episode| episode.end.unwrap_or(EventTime::MAX);
    a.start <= end(b) && b.start <= end(a)
}

fn same(a: &Episode, b: &Episode) -> bool {
    (a.start, a.end, a.class, a.limit, a.permit) == (b.start, b.end, b.class, b.limit, b.permit)
        && a.extreme.to_bits() == b.extreme.to_bits()
        && a.threshold.to_bits() == b.threshold.to_bits()
}

fn grid_days(stands: &Stands, live: Option<&CaseSpec>, draft: Option<&CaseSpec>, facts: &Facts) -> Vec<GridDay> {
    let mut lines: BTreeMap<(i64, Option<GridId>), GridDay> = BTreeMap::new();
    for (episodes, case, is_draft) in [(&stands.live, live, false), (&stands.draft, draft, true)] {
        let mut counted: BTreeSet<(SubjectId, i64)> = BTreeSet::new();
        for episode in episodes {
            let grid = facts.subjects.get(&episode.subject).and_then(|subject| subject.grid);
            let day = local_day(episode.start);
            let line = lines.entry((day, grid)).or_insert(GridDay { grid, day, ..GridDay::default() });
            let lasted = episode.end.map_or(i64::MAX, |end| end.since_ms(episode.start));
            let opens = case.is_some_and(|case| lasted >= case.after_ms) && counted.insert((episode.subject, day));
            let (alerts, cases) = if is_draft {
                (&mut line.alerts_draft, &mut line.cases_draft)
            } else {
                (&mut line.alerts_live, &mut line.cases_live)
            };
            *alerts += 1;
            *cases += u32::from(opens);
        }
    }
    lines.into_values().collect()
}
