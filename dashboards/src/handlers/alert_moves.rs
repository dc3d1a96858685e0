//! What people do with alerts: acknowledge one or many, give to somebody, comment.

use crate::aside;
use crate::dto::alerts::{Acknowledge, AcknowledgeMany, AlertBatch, AlertDetail, Assign, Assignee, NewComment};
use crate::extract::{Caller, Id, Json};
use crate::handlers::alerts::{actor, detail, seen};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::alert::{Rules, row};
use axum::extract::State;
use ledger::{Permission, Person};
use model::id::{AlertId, UserId};

pub(crate) async fn acknowledge(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<Acknowledge>,
) -> ApiResult<Json<AlertDetail>> {
    seen(&state, &caller, id).await?;
    let note = note(wanted.comment.as_deref().unwrap_or(""))?;
    let alert = state.cases.acknowledge(AlertId(id), &actor(&caller), note, state.now()).await?;
    audit(&state, &caller, "alert_acknowledged", id, note).await?;
    done(&state, &caller, alert).await
}

pub(crate) async fn acknowledge_many(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<AcknowledgeMany>,
) -> ApiResult<Json<AlertBatch>> {
    let note = note(wanted.comment.as_deref().unwrap_or(""))?;
    if wanted.ids.is_empty() {
        return Err(ApiError::field("ids", "name at least one alert"));
    }
    let ids: Vec<AlertId> = wanted.ids.iter().copied().map(AlertId).collect();
    let alerts = state.cases.acknowledge_all(&ids, &actor(&caller), note, state.now()).await?;
    for alert in &alerts {
        audit(&state, &caller, "alert_acknowledged", alert.id.0, note).await?;
    }
    aside::refresh(&state).await?;
    state.judge.publish(alerts.clone());
    let (facts, rules) = (state.facts(), Rules::of(&state));
    Ok(Json(AlertBatch { items: alerts.iter().map(|alert| row(&facts, &rules, alert)).collect() }))
}

pub(crate) async fn assign(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<Assign>,
) -> ApiResult<Json<AlertDetail>> {
    let before = seen(&state, &caller, id).await?;
    let note = note(wanted.comment.as_deref().unwrap_or(""))?;
    let person = match wanted.user {
        None => None,
        Some(user) => {
            let found = state.ledger.people().get(UserId(user)).await?.filter(may_have);
            Some(found.ok_or_else(|| ApiError::field("user", "no active account that may look after alerts"))?)
        }
    };
    let to = person.as_ref().map(|person| (person.id, person.name.as_str()));
    let alert = state.cases.assign(AlertId(id), &actor(&caller), to, note, state.now()).await?;
    let login = |person: &Person| person.login.clone();
    let names = state.aside.get();
    let was = before.assignee.and_then(|user| names.people.get(&user).cloned());
    let after = person.as_ref().map(login);
    let change = (was.as_deref(), after.as_deref());
    state.ledger.audit().record(&caller.author(), "alert_assigned", "alert", &id.to_string(), change).await?;
    done(&state, &caller, alert).await
}

pub(crate) async fn assignees(State(state): State<AppState>) -> ApiResult<Json<Vec<Assignee>>> {
    let people = state.ledger.people().list().await?;
    let able = people.into_iter().filter(may_have).map(|person| Assignee {
        id: person.id.0,
        name: person.name,
        role: person.role.into(),
        office: person.office.map(|id| id.0),
    });
    Ok(Json(able.collect()))
}

/// Whoever sees alerts and is no device maker.
fn may_have(person: &Person) -> bool {
    person.active && person.role.may(Permission::View)
}

pub(crate) async fn comment(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<NewComment>,
) -> ApiResult<Json<AlertDetail>> {
    let note = note(&wanted.text)?;
    if note.is_empty() {
        return Err(ApiError::field("text", "write something"));
    }
    seen(&state, &caller, id).await?;
    let alert = state.cases.comment_alert(AlertId(id), &actor(&caller), note, state.now()).await?;
    audit(&state, &caller, "alert_commented", id, note).await?;
    done(&state, &caller, alert).await
}

async fn done(state: &AppState, caller: &Caller, alert: cases::AlertRow) -> ApiResult<Json<AlertDetail>> {
    aside::refresh(state).await?;
    state.judge.publish(vec![alert.clone()]);
    detail(state, caller, alert).await.map(Json)
}

async fn audit(state: &AppState, caller: &Caller, what: &str, id: i64, note: &str) -> ApiResult<()> {
    let after = (!note.is_empty()).then_some(note);
    Ok(state.ledger.audit().record(&caller.author(), what, "alert", &id.to_string(), (None, after)).await?)
}

fn note(text: &str) -> ApiResult<&str> {
    let text = text.trim();
    if text.chars().count() > NOTE_MAX {
        return Err(ApiError::field("text", format!("at most {NOTE_MAX} characters")));
    }
    Ok(text)
}

/// Characters of a note.
const NOTE_MAX: usize = 1_000;
