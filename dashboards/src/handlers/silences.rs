//! Silences: list, make, end.

use crate::aside;
use crate::dto::common::Time;
use crate::dto::silences::{NewSilence, SilenceQuery, SilenceRow, SilenceState};
use crate::extract::{Caller, Id, Json, Search};
use crate::handlers::alerts::actor;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::refs;
use axum::extract::State;
use cases::{Silence, SilenceMatch};
use model::facts::Facts;
use model::id::{DeviceId, GridId, SubjectId};
use model::time::IngestTime;

pub(crate) async fn list(
    State(state): State<AppState>,
    Search(query): Search<SilenceQuery>,
) -> ApiResult<Json<Vec<SilenceRow>>> {
    let (facts, now) = (state.facts(), state.now());
    let lasting = (query.all != Some(true)).then_some(now);
    let found = state.cases.silences(lasting, cases::flow::SILENCES_MAX).await?;
    Ok(Json(found.rows.iter().map(|one| row(&facts, one, now)).collect()))
}

fn row(facts: &Facts, silence: &Silence, now: IngestTime) -> SilenceRow {
    let matches = &silence.matches;
    SilenceRow {
        id: silence.id,
        state: match () {
            () if silence.until <= now => SilenceState::Ended,
            () if silence.from > now => SilenceState::Planned,
            () => SilenceState::Active,
        },
        rule: matches.rule.clone(),
        class: matches.class.map(Into::into),
        subject: matches.subject.and_then(|id| refs::subject(facts, id)),
        device: matches.device.and_then(|id| refs::device(facts, id)),
        grid: matches.grid.and_then(|id| refs::grid(facts, id)),
        from: silence.from.into(),
        until: silence.until.into(),
        reason: silence.reason.clone(),
        by: silence.user_name.clone(),
        created: silence.created.into(),
        ended_by: silence.ended_by.clone(),
    }
}

pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<NewSilence>,
) -> ApiResult<Json<SilenceRow>> {
    let facts = state.facts();
    let matches = matches(&facts, &new)?;
    let time = |at: Time| IngestTime(at.0);
    let wanted =
        cases::NewSilence { matches, from: new.from.map(time), until: time(new.until), reason: new.reason.clone() };
    let made = state.cases.silence(&actor(&caller), &wanted, state.now()).await?;
    audit(&state, &caller, "silence_made", &made).await?;
    aside::refresh(&state).await?;
    Ok(Json(row(&facts, &made, state.now())))
}

fn matches(facts: &Facts, new: &NewSilence) -> ApiResult<SilenceMatch> {
    let rule = new.rule.as_deref().map(str::trim).filter(|rule| !rule.is_empty());
    let missing = |field: &str| Err(ApiError::field(field, format!("there is no such {field}")));
    if rule.is_some_and(|rule| !facts.rules.contains_key(rule)) {
        return missing("rule");
    }
    if new.subject.is_some_and(|id| !facts.subjects.contains_key(&SubjectId(id))) {
        return missing("subject");
    }
    if new.device.is_some_and(|id| !facts.devices.contains_key(&DeviceId(id))) {
        return missing("device");
    }
    if new.grid.is_some_and(|id| !facts.grids.contains_key(&GridId(id))) {
        return missing("grid");
    }
    Ok(SilenceMatch {
        rule: rule.map(str::to_owned),
        class: new.class.map(Into::into),
        subject: new.subject.map(SubjectId),
        device: new.device.map(DeviceId),
        grid: new.grid.map(GridId),
    })
}

pub(crate) async fn end(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<SilenceRow>> {
    let ended = state.cases.end_silence(id, &actor(&caller), state.now()).await?;
    audit(&state, &caller, "silence_ended", &ended).await?;
    aside::refresh(&state).await?;
    Ok(Json(row(&state.facts(), &ended, state.now())))
}

async fn audit(state: &AppState, caller: &Caller, what: &str, silence: &Silence) -> ApiResult<()> {
    let after = serde_json::to_string(silence).ok();
    let key = silence.id.to_string();
    Ok(state.ledger.audit().record(&caller.author(), what, "silence", &key, (None, after.as_deref())).await?)
}
