//! Cases.

use crate::dto::cases::{AllowedMove, CaseEvent, CaseRow};
use crate::dto::common::Time;
use crate::extract::Caller;
use crate::view::alert::severity_word;
use crate::view::refs;
use model::case::{CaseMove, CaseState};
use model::facts::Facts;
use model::time::IngestTime;

pub(crate) fn row(facts: &Facts, case: &cases::CaseRow, now: IngestTime) -> CaseRow {
    // The review deadline counts until the review is done.
    let due = matches!(case.state, CaseState::Registered | CaseState::Verifying).then_some(case.review_due);
    CaseRow {
        id: case.id.0,
        number: case.number.clone(),
        state: case.state.into(),
        version: case.version,
        category: case.category.clone(),
        category_name: case.category_name.clone(),
        is_local_extension: case.is_local_extension,
        severity: severity_word(&case.severity),
        source: case.source.clone(),
        demo: case.demo,
        subject: refs::subject(facts, case.subject),
        office: case.office.and_then(|id| refs::office(facts, id)),
        grid: case.grid.and_then(|id| refs::grid(facts, id)),
        opened: case.opened.into(),
        due: due.map(Time::from),
        overdue: due.is_some_and(|due| due < now),
        closed: case.closed.map(Time::from),
        rule: case.rule.clone(),
        rule_version: case.rule_version,
        episodes: u64::try_from(case.episodes).unwrap_or(0),
    }
}

pub(crate) fn event(facts: &Facts, line: &cases::HistoryRow) -> CaseEvent {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    CaseEvent {
        at: line.at.into(),
        what: line.what.clone(),
        by: line.user_name.clone(),
        wanted: line.wanted.map(Into::into),
        from: line.from.map(Into::into),
        to: line.to.map(Into::into),
        reason: some(&line.reason),
        note: some(&line.note),
        office: line.office.and_then(|id| refs::office(facts, id)),
        alert: line.episode.map(|id| id.0),
    }
}

/// Of the moves that the state allows those that the person may make.
pub(crate) fn allowed(caller: &Caller, case: &cases::CaseRow) -> Vec<AllowedMove> {
    let mine = |wanted: &CaseMove| {
        let own_office =
            caller.role != ledger::Role::Squadron || (caller.office.is_some() && caller.office == case.office);
        caller.role.may_move(*wanted) && own_office
    };
    case.state
        .moves()
        .into_iter()
        .filter(mine)
        .filter_map(|wanted| {
            Some(AllowedMove {
                wanted: wanted.into(),
                to: case.state.after(wanted).ok()?.into(),
                needs_reason: wanted.needs_reason(),
                needs_office: wanted == CaseMove::Dispatch,
            })
        })
        .collect()
}
