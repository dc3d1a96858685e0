//! People and the audit trail.

use crate::dto::Page;
use crate::dto::devices::SetEnabled;
use crate::dto::users::{AuditQuery, AuditRow, NewUser, OneTimePassword, UserRow};
use crate::extract::{Caller, Id, Json, Search, cursor, page_size};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use axum::extract::State;
use ledger::{AuditFilter, NewPerson, Person};
use model::id::{OfficeId, UserId};

pub(crate) async fn list(State(state): State<AppState>) -> ApiResult<Json<Vec<UserRow>>> {
    Ok(Json(state.ledger.people().list().await?.iter().map(row).collect()))
}

pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<NewUser>,
) -> ApiResult<Json<OneTimePassword>> {
    let new = NewPerson {
        login: new.name,
        name: new.display_name,
        role: new.role.into(),
        office: office(&state, new.office)?,
        vendor: new.vendor.unwrap_or_default(),
    };
    let (person, password) = state.ledger.people().create(&caller.author(), new).await?;
    Ok(Json(OneTimePassword { id: person.id.0, name: person.login, password }))
}

fn office(state: &AppState, id: Option<i64>) -> ApiResult<Option<OfficeId>> {
    match id.map(OfficeId) {
        Some(id) if !state.facts().offices.contains_key(&id) => {
            Err(ApiError::field("office", "there is no such office"))
        }
        known => Ok(known),
    }
}

pub(crate) async fn reset(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
) -> ApiResult<Json<OneTimePassword>> {
    let people = state.ledger.people();
    let person = people.get(UserId(id)).await?.ok_or_else(ApiError::not_found)?;
    let password = people.reset_password(&caller.author(), person.id).await?;
    Ok(Json(OneTimePassword { id: person.id.0, name: person.login, password }))
}

pub(crate) async fn set_enabled(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<SetEnabled>,
) -> ApiResult<Json<UserRow>> {
    let people = state.ledger.people();
    let mut person = people.get(UserId(id)).await?.ok_or_else(ApiError::not_found)?;
    person.active = wanted.enabled;
    Ok(Json(row(&people.update(&caller.author(), &person).await?)))
}

fn row(person: &Person) -> UserRow {
    UserRow {
        id: person.id.0,
        name: person.login.clone(),
        display_name: person.name.clone(),
        role: person.role.into(),
        vendor: (!person.vendor.is_empty()).then(|| person.vendor.clone()),
        office: person.office.map(|id| id.0),
        enabled: person.active,
        must_change_password: person.must_change,
    }
}

pub(crate) async fn audit(
    State(state): State<AppState>,
    Search(query): Search<AuditQuery>,
) -> ApiResult<Json<Page<AuditRow>>> {
    let size = page_size(query.limit);
    let before: i64 = cursor(query.cursor.as_deref())?;
    let filter = AuditFilter {
        before_id: (before > 0).then_some(before),
        who: query.who,
        kind: query.kind,
        key: query.key,
        limit: u32::try_from(size).unwrap_or(50),
    };
    let entries = state.ledger.audit().page(&filter).await?;
    let next = (entries.len() == size).then(|| entries.last().map(|last| last.id.to_string())).flatten();
    let items = entries
        .into_iter()
        .map(|entry| AuditRow {
            id: entry.id,
            at: entry.at.into(),
            who: entry.who,
            origin: entry.origin,
            action: entry.what,
            kind: entry.kind,
            key: entry.key,
            before: entry.before,
            after: entry.after,
        })
        .collect();
    Ok(Json(Page { items, next, total: None }))
}
