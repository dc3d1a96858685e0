//! Subjects, and the one search over everything.

use crate::dto::Page;
use crate::dto::subjects::{
    HitKind, PutSubject, SearchHit, SearchQuery, SubjectDetail, SubjectInstallation, SubjectQuery, SubjectRow,
};
use crate::dto::words::SubjectKind;
use crate::extract::{Caller, Id, Json, Search, cursor, page_size};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::subject::{Installed, current, details_in, row};
use crate::view::{device, refs, registers};
use axum::extract::State;
use ledger::Permission;
use model::facts::Facts;
use model::id::{GridId, SubjectId};
use model::register::{Object, Subject, SubjectDetails};

pub(crate) async fn list(
    State(state): State<AppState>,
    Search(query): Search<SubjectQuery>,
) -> ApiResult<Json<Page<SubjectRow>>> {
    let now = state.now();
    let facts = state.facts();
    let size = page_size(query.limit);
    let after: i64 = cursor(query.cursor.as_deref())?;
    let needle = refs::needle(query.q.as_deref());
    let installed = Installed::now(&facts, now);
    let fits = |subject: &Subject| {
        query.kind.is_none_or(|kind| kind == SubjectKind::of(&subject.details))
            && query.grid.is_none_or(|grid| subject.grid == Some(GridId(grid)))
            && query.active.unwrap_or(true) == subject.active
            && needle.as_ref().is_none_or(|needle| refs::found(needle, refs::subject_texts(subject)))
            && query.presence.is_none_or(|presence| {
                current(&state, &facts, subject, installed.at(subject.id), now).presence == presence
            })
    };
    let found: Vec<_> = facts.subjects.values().filter(|subject| fits(subject)).collect();
    let items: Vec<_> = found
        .iter()
        .filter(|subject| subject.id.0 > after)
        .take(size)
        .map(|subject| row(&state, &facts, subject, installed.at(subject.id), now))
        .collect();
    let last = found.last().map(|subject| subject.id.0);
    let next = items.last().filter(|item| Some(item.id) != last).map(|item| item.id.to_string());
    Ok(Json(Page { items, next, total: Some(found.len() as u64) }))
}

pub(crate) async fn one(State(state): State<AppState>, Id(id): Id) -> ApiResult<Json<SubjectDetail>> {
    detail(&state, SubjectId(id)).map(Json)
}

fn detail(state: &AppState, id: SubjectId) -> ApiResult<SubjectDetail> {
    let now = state.now();
    let facts = state.facts();
    let subject = facts.subjects.get(&id).ok_or_else(ApiError::not_found)?;
    let installed = Installed::now(&facts, now);
    let devices = installed.at(id);
    let mut installations: Vec<_> = facts
        .installations
        .values()
        .filter(|row| row.subject == id)
        .filter_map(|row| {
            Some(SubjectInstallation {
                id: row.id.0,
                device: refs::device(&facts, row.device)?,
                point: row.point.clone(),
                valid_from: row.valid_from.into(),
                valid_to: row.valid_to.map(Into::into),
            })
        })
        .collect();
    installations.sort_by_key(|row| std::cmp::Reverse((row.valid_from, row.id)));
    let permits = facts
        .permits
        .values()
        .filter(|permit| permit.trucks.contains(&id) || permit.site == Some(id) || permit.disposal_site == Some(id))
        .map(|permit| registers::permit(&facts, permit, state.event_now()))
        .collect();
    let gate_of = |row: &Subject| matches!(row.details, SubjectDetails::Gate { site } if site == id);
    let fix = devices.iter().find_map(|device| {
        let known = state.hub.device(*device)?;
        device::truck_fix(state, &facts, facts.devices.get(device)?, &known, now)
    });
    Ok(SubjectDetail {
        latest: current(state, &facts, subject, devices, now).reading,
        row: row(state, &facts, subject, devices, now),
        installations,
        permits,
        gates: facts.subjects.values().filter(|row| gate_of(row)).map(|row| refs::subject_of(row)).collect(),
        fix,
    })
}

pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(put): Json<PutSubject>,
) -> ApiResult<Json<SubjectDetail>> {
    write(&state, &caller, SubjectId(0), put).await
}

pub(crate) async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(put): Json<PutSubject>,
) -> ApiResult<Json<SubjectDetail>> {
    let id = SubjectId(id);
    if !state.facts().subjects.contains_key(&id) {
        return Err(ApiError::not_found());
    }
    write(&state, &caller, id, put).await
}

async fn write(state: &AppState, caller: &Caller, id: SubjectId, put: PutSubject) -> ApiResult<Json<SubjectDetail>> {
    let place = match put.place {
        Some(place) => Some(place.to_wgs84().ok_or_else(|| ApiError::field("place", "no place on earth"))?),
        None => None,
    };
    let subject = Subject {
        id,
        code: put.code,
        name: put.name,
        grid: put.grid.map(GridId),
        place,
        details: details_in(put.details).ok_or_else(|| ApiError::field("details.outline", "no place on earth"))?,
        active: put.active,
    };
    let revisions = state.ledger.edit(&caller.author(), vec![Object::Subject(subject)]).await?;
    let id = match revisions.first().map(|revision| &revision.object) {
        Some(Object::Subject(subject)) => subject.id,
        _ => id,
    };
    detail(state, id).map(Json)
}

pub(crate) async fn search(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<SearchQuery>,
) -> ApiResult<Json<Vec<SearchHit>>> {
    let limit = usize::try_from(query.limit.unwrap_or(20).clamp(1, 50)).unwrap_or(20);
    let Some(needle) = refs::needle(Some(&query.q)) else { return Ok(Json(Vec::new())) };
    let facts = state.facts();
    let staff = caller.may(Permission::View);
    let mut hits = Vec::new();
    if staff {
        hits.extend(subjects(&facts, &needle).take(limit));
    }
    let devices = facts.devices.values().filter(|row| caller.sees(row)).filter(|row| {
        refs::found(&needle, [row.code.as_str(), row.name.as_str(), row.identity.as_str(), row.vendor.as_str()])
    });
    hits.extend(devices.take(limit).map(|row| SearchHit {
        kind: HitKind::Device,
        id: row.id.0,
        title: if row.name.is_empty() { row.code.clone() } else { row.name.clone() },
        subtitle: format!("{} {}", row.code, row.identity),
        subject_kind: None,
    }));
    if staff {
        let permits = facts.permits.values().filter(|row| refs::found(&needle, [row.code.as_str()]));
        hits.extend(permits.take(limit).map(|row| SearchHit {
            kind: HitKind::Permit,
            id: row.id.0,
            title: row.code.clone(),
            subtitle:
                row.trucks.first().and_then(|id| refs::subject(&facts, *id)).map(|row| row.name).unwrap_or_default(),
            subject_kind: None,
        }));
        let query = cases::CaseQuery {
            text: Some(query.q.trim().chars().take(64).collect()),
            limit: u32::try_from(limit).ok(),
            ..cases::CaseQuery::default()
        };
        hits.extend(state.cases.list(&query).await?.rows.into_iter().map(|row| SearchHit {
            kind: HitKind::Case,
            id: row.id.0,
            title: row.number,
            subtitle: format!("{} {}", row.subject_name, row.category_name),
            subject_kind: None,
        }));
    }
    // What begins with the text first.
    hits.sort_by_key(|hit| !hit.title.to_lowercase().starts_with(&needle));
    hits.truncate(limit);
    Ok(Json(hits))
}

fn subjects<'a>(facts: &'a Facts, needle: &'a str) -> impl Iterator<Item = SearchHit> + 'a {
    facts.subjects.values().filter(|row| row.active && refs::found(needle, refs::subject_texts(row))).map(|row| {
        SearchHit {
            kind: HitKind::Subject,
            id: row.id.0,
            title: refs::plate(row).map_or_else(|| row.name.clone(), str::to_owned),
            subtitle: format!("{} {}", row.code, row.name),
            subject_kind: Some(SubjectKind::of(&row.details)),
        }
    })
}
