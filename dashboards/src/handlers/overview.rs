//! The first page, health and outages.

use crate::dto::health::{Health, OutageRow};
use crate::dto::overview::{Overview, SilentDevice};
use crate::dto::words::Presence;
use crate::extract::Json;
use crate::problem::ApiResult;
use crate::state::AppState;
use crate::view::{alert, case, device, health, refs};
use axum::extract::State;
use cases::{AlertQuery, AlertState, CaseQuery};
use model::time::EventTime;

pub(crate) async fn overview(State(state): State<AppState>) -> ApiResult<Json<Overview>> {
    let now = state.now();
    let facts = state.facts();
    let rules = alert::Rules::of(&state);
    let query =
        AlertQuery { states: vec![AlertState::Open], limit: Some(cases::flow::PAGE_MAX), ..AlertQuery::default() };
    let mut worst_alerts: Vec<_> =
        state.cases.alerts(&query).await?.rows.iter().map(|row| alert::row(&facts, &rules, row)).collect();
    worst_alerts.sort_by_key(|row| (std::cmp::Reverse(row.severity), row.raised));
    worst_alerts.truncate(ROWS);

    let query = CaseQuery { open: Some(true), limit: Some(cases::flow::PAGE_MAX), ..CaseQuery::default() };
    let mut due_cases: Vec<_> =
        state.cases.list(&query).await?.rows.iter().map(|row| case::row(&facts, row, now)).collect();
    due_cases.retain(|row| row.due.is_some());
    due_cases.sort_by_key(|row| row.due);
    due_cases.truncate(ROWS);

    let mut silent: Vec<_> = facts
        .devices
        .values()
        .filter_map(|row| {
            let contact = device::contact(&state, &facts, row, now);
            let last = contact.last.filter(|_| contact.presence == Presence::Silent)?;
            let installed = facts.installation_at(row.id, EventTime(now.0));
            Some(SilentDevice {
                device: refs::device_of(row),
                subject: installed.and_then(|row| refs::subject(&facts, row.subject)),
                last_contact: Some(last.into()),
                silent_s: u64::try_from(now.since_ms(last) / 1_000).unwrap_or(0),
            })
        })
        .collect();
    silent.sort_by_key(|row| std::cmp::Reverse(row.silent_s));
    silent.truncate(ROWS);

    let outages = state.pulse.outages();
    Ok(Json(Overview {
        at: now.into(),
        kpi: health::kpi(&state).await?,
        worst_alerts,
        silent,
        due_cases,
        health: health::current(&state),
        outages: outages.iter().filter(|row| now.since_ms(row.to) < DAY_MS).map(health::outage).collect(),
    }))
}

pub(crate) async fn health(State(state): State<AppState>) -> Json<Health> {
    Json(health::current(&state))
}

pub(crate) async fn outages(State(state): State<AppState>) -> Json<Vec<OutageRow>> {
    Json(state.pulse.outages().iter().map(health::outage).collect())
}

/// Rows of each list of the first page.
const ROWS: usize = 20;
const DAY_MS: i64 = 86_400_000;
