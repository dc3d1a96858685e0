//! Limits, permits, profiles, calendars, offices, grids, quantities.

use crate::dto::Page;
use crate::dto::registers::{
    CalendarRow, GridRow, LimitRevision, LimitRow, OfficeRow, PermitQuery, PermitRow, ProfileRow, PutLimit, PutPermit,
    QuantityRow,
};
use crate::extract::{Caller, Id, Json, Search, cursor, page_size};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::subject::line_in;
use crate::view::{refs, registers};
use axum::extract::State;
use ledger::Permission;
use model::id::{LimitId, PermitId, SubjectId};
use model::quantity::QUANTITIES;
use model::register::{Limit, Object, Permit};
use model::unit::Unit;

pub(crate) async fn limits(State(state): State<AppState>) -> Json<Vec<LimitRow>> {
    Json(state.facts().limits.values().map(|row| registers::limit(row)).collect())
}

pub(crate) async fn put_limit(
    State(state): State<AppState>,
    caller: Caller,
    Json(put): Json<PutLimit>,
) -> ApiResult<Json<LimitRow>> {
    let id = LimitId(put.id.unwrap_or(0));
    if id.0 != 0 && !state.facts().limits.contains_key(&id) {
        return Err(ApiError::not_found());
    }
    if put.source.trim().is_empty() {
        return Err(ApiError::field("source", "say where the number was read"));
    }
    let limit = Limit {
        id,
        quantity: put.quantity,
        value: put.value,
        unit: Unit::parse(&put.unit).ok_or_else(|| ApiError::field("unit", "there is no such unit"))?,
        region: put.region,
        standard: put.standard,
        class: put.class,
        subject_kind: put.subject_kind,
        valid_from: put.valid_from.into(),
        valid_to: put.valid_to.map(Into::into),
        source: put.source,
        verified: put.verified,
        retired: put.retired,
    };
    let revisions = state.ledger.edit(&caller.author(), vec![Object::Limit(limit)]).await?;
    let id = match revisions.first().map(|revision| &revision.object) {
        Some(Object::Limit(row)) => row.id,
        _ => id,
    };
    let facts = state.facts();
    facts.limits.get(&id).map(|row| Json(registers::limit(row))).ok_or_else(ApiError::not_found)
}

pub(crate) async fn limit_history(State(state): State<AppState>, Id(id): Id) -> ApiResult<Json<Vec<LimitRevision>>> {
    if !state.facts().limits.contains_key(&LimitId(id)) {
        return Err(ApiError::not_found());
    }
    let history = state.ledger.history("limit", &id.to_string(), HISTORY_MAX).await?;
    let rows = history.into_iter().filter_map(|revision| match &revision.object {
        Object::Limit(row) => Some(LimitRevision {
            number: revision.number,
            at: revision.at.into(),
            author: revision.author.clone(),
            row: registers::limit(row),
        }),
        _ => None,
    });
    Ok(Json(rows.collect()))
}

pub(crate) async fn permits(
    State(state): State<AppState>,
    Search(query): Search<PermitQuery>,
) -> ApiResult<Json<Page<PermitRow>>> {
    let facts = state.facts();
    let size = page_size(query.limit);
    let after: i64 = cursor(query.cursor.as_deref())?;
    let needle = refs::needle(query.q.as_deref());
    let fits = |row: &Permit| {
        query.truck.is_none_or(|truck| row.trucks.contains(&SubjectId(truck)))
            && needle.as_ref().is_none_or(|needle| {
                let named = row.trucks.iter().chain(&row.site).chain(&row.disposal_site);
                let texts = named.filter_map(|id| facts.subjects.get(id)).flat_map(|row| refs::subject_texts(row));
                refs::found(needle, texts.chain([row.code.as_str()]))
            })
    };
    let found: Vec<_> = facts.permits.values().filter(|row| fits(row)).collect();
    let items: Vec<_> = found
        .iter()
        .filter(|row| row.id.0 > after)
        .take(size)
        .map(|row| registers::permit(&facts, row, state.event_now()))
        .collect();
    let last = found.last().map(|row| row.id.0);
    let next = items.last().filter(|item| Some(item.id) != last).map(|item| item.id.to_string());
    Ok(Json(Page { items, next, total: Some(found.len() as u64) }))
}

pub(crate) async fn permit(State(state): State<AppState>, Id(id): Id) -> ApiResult<Json<PermitRow>> {
    let facts = state.facts();
    let row = facts.permits.get(&PermitId(id)).ok_or_else(ApiError::not_found)?;
    Ok(Json(registers::permit(&facts, row, state.event_now())))
}

pub(crate) async fn put_permit(
    State(state): State<AppState>,
    caller: Caller,
    Json(put): Json<PutPermit>,
) -> ApiResult<Json<PermitRow>> {
    let id = PermitId(put.id.unwrap_or(0));
    let old = state.facts().permits.get(&id).cloned();
    if id.0 != 0 && old.is_none() {
        return Err(ApiError::not_found());
    }
    let permit = Permit {
        id,
        code: put.code,
        trucks: put.trucks.into_iter().map(SubjectId).collect(),
        site: put.site.map(SubjectId),
        disposal_site: put.disposal_site.map(SubjectId),
        corridor: line_in(&put.corridor).ok_or_else(|| ApiError::field("corridor", "no place on earth"))?,
        corridor_half_width_m: put.corridor_half_width_m,
        windows: put.windows.into_iter().map(registers::window_in).collect(),
        valid_from: put.valid_from.into(),
        valid_to: put.valid_to.map(Into::into),
        suspended: put.suspended,
        suspensions: match put.suspensions {
            Some(rows) => rows.into_iter().map(registers::suspension_in).collect(),
            None => old.map(|old| old.suspensions.clone()).unwrap_or_default(),
        },
    };
    let revisions = state.ledger.edit(&caller.author(), vec![Object::Permit(permit)]).await?;
    let id = match revisions.first().map(|revision| &revision.object) {
        Some(Object::Permit(row)) => row.id,
        _ => id,
    };
    let facts = state.facts();
    facts
        .permits
        .get(&id)
        .map(|row| Json(registers::permit(&facts, row, state.event_now())))
        .ok_or_else(ApiError::not_found)
}

/// A vendor is shown the profiles its own devices use.
pub(crate) async fn profiles(State(state): State<AppState>, caller: Caller) -> Json<Vec<ProfileRow>> {
    let facts = state.facts();
    let mine = |code: &str| {
        caller.may(Permission::View) || facts.devices.values().any(|row| row.profile == code && caller.sees(row))
    };
    let rows = facts.profiles.values().filter(|row| mine(&row.code)).map(|row| {
        let mut shown = registers::profile(&facts, row);
        if !caller.may(Permission::View) {
            shown.devices =
                facts.devices.values().filter(|one| one.profile == row.code && caller.sees(one)).count() as u64;
        }
        shown
    });
    Json(rows.collect())
}

pub(crate) async fn calendars(State(state): State<AppState>) -> Json<Vec<CalendarRow>> {
    let facts = state.facts();
    let rows = facts.calendars.values().map(|row| CalendarRow {
        code: row.code.clone(),
        hours: row.hours.iter().map(registers::window).collect(),
        holidays: row.holidays.clone(),
        workdays: row.workdays.clone(),
    });
    Json(rows.collect())
}

pub(crate) async fn offices(State(state): State<AppState>) -> Json<Vec<OfficeRow>> {
    let facts = state.facts();
    let rows = facts.offices.values().map(|row| OfficeRow {
        id: row.id.0,
        code: row.code.clone(),
        name: row.name.clone(),
        parent: row.parent.map(|id| id.0),
    });
    Json(rows.collect())
}

pub(crate) async fn grids(State(state): State<AppState>) -> Json<Vec<GridRow>> {
    let facts = state.facts();
    let rows = facts.grids.values().map(|row| GridRow {
        id: row.id.0,
        code: row.code.clone(),
        name: row.name.clone(),
        office: refs::office(&facts, row.office),
        outline: refs::places(&row.outline),
    });
    Json(rows.collect())
}

pub(crate) async fn quantities() -> Json<Vec<QuantityRow>> {
    let rows = QUANTITIES.iter().map(|spec| QuantityRow {
        code: spec.code.to_owned(),
        name_zh: spec.name_zh.to_owned(),
        name_en: spec.name_en.to_owned(),
        unit: spec.unit.code().to_owned(),
        min: spec.min,
        max: spec.max,
    });
    Json(rows.collect())
}

/// Revisions shown of one row.
pub(crate) const HISTORY_MAX: u32 = 200;
