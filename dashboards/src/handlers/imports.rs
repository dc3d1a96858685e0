//! CSV import: a dry run lists every problem with its line and column; a commit applies all rows or none.

use crate::dto::imports::{ImportQuery, ImportReport};
use crate::extract::{Caller, Json, Search, too_large};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use ledger::{LedgerError, Permission, Plan};

pub(crate) async fn import(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<ImportQuery>,
    body: Result<Bytes, BytesRejection>,
) -> ApiResult<Json<ImportReport>> {
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => ApiError::bad_request(error.body_text()),
    })?;
    let kind = query.kind.into();
    if matches!(kind, ledger::CsvKind::Devices | ledger::CsvKind::Installations)
        && !caller.may(Permission::ManageDevices)
    {
        return Err(ApiError::forbidden());
    }
    let mut credentials = None;
    let planned = if kind == ledger::CsvKind::Devices {
        fleet(&state, &caller, body, query.commit, &mut credentials).await?
    } else if query.commit {
        state.ledger.apply_csv(&caller.author(), kind, &body).await
    } else {
        // Reading a large table takes long; the runtime's threads are not for that.
        let ledger = state.ledger.clone();
        let work = move || ledger.plan_csv(kind, &body);
        tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))?
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(LedgerError::Invalid(problems)) => {
            let mut plan = Plan::default();
            plan.problems = problems;
            plan
        }
        Err(error) => return Err(error.into()),
    };
    let count = |number: usize| number as u64;
    Ok(Json(ImportReport {
        kind: query.kind,
        rows: count(plan.new.len() + plan.changed.len() + plan.unchanged),
        added: count(plan.new.len()),
        changed: count(plan.changed.len()),
        unchanged: count(plan.unchanged),
        committed: query.commit && plan.problems.is_empty(),
        problems: plan.problems.into_iter().map(Into::into).collect(),
        credentials,
    }))
}

/// Devices come with their credentials.
async fn fleet(
    state: &AppState,
    caller: &Caller,
    body: Bytes,
    commit: bool,
    credentials: &mut Option<String>,
) -> ApiResult<Result<Plan, LedgerError>> {
    if !commit {
        let ledger = state.ledger.clone();
        let planned = tokio::task::spawn_blocking(move || ledger.plan_fleet(&body)).await;
        return planned.map_err(|error| ApiError::internal(&error));
    }
    Ok(state.ledger.apply_fleet(&caller.author(), &body).await.map(|fleet| {
        if fleet.issued > 0 {
            *credentials = Some(String::from_utf8_lossy(&fleet.credentials).into_owned());
        }
        fleet.plan
    }))
}
