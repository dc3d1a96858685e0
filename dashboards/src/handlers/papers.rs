//! Lists and edits of the papers: the same two handlers for every kind, see [`Paper`].

use crate::dto::Page;
use crate::dto::papers::PaperQuery;
use crate::extract::{Caller, Json, Search, cursor, page_size};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::papers::{Paper, matches};
use crate::view::refs;
use axum::extract::State;
use model::id::SubjectId;
use model::time::EventTime;

/// Newest first; a cursor is the last id shown.
pub(crate) async fn list<T: Paper>(
    State(state): State<AppState>,
    Search(query): Search<PaperQuery>,
) -> ApiResult<Json<Page<T::Row>>> {
    let (facts, now) = (state.facts(), EventTime(state.now().0));
    let size = page_size(query.limit);
    let before: i64 = cursor(query.cursor.as_deref())?;
    let needle = refs::needle(query.q.as_deref());
    let fits = |row: &T| {
        query.subject.is_none_or(|subject| row.subjects().contains(&SubjectId(subject)))
            && query.standing.is_none_or(|wanted| row.standing(now) == Some(wanted))
            && needle.as_ref().is_none_or(|needle| matches(row, &facts, needle))
    };
    let (mut items, mut total, mut last) = (Vec::new(), 0_u64, None);
    let mut more = false;
    for row in T::all(&facts).filter(|row| fits(row)) {
        total += 1;
        if before != 0 && row.id() >= before {
            continue;
        }
        if items.len() < size {
            last = Some(row.id());
            items.push(row.row(&facts, now));
        } else {
            more = true;
        }
    }
    let next = last.filter(|_| more).map(|id| id.to_string());
    Ok(Json(Page { items, next, total: Some(total) }))
}

pub(crate) async fn put<T: Paper>(
    State(state): State<AppState>,
    caller: Caller,
    Json(put): Json<T::Put>,
) -> ApiResult<Json<T::Row>> {
    let mut id = T::edited(&put);
    if id != 0 && T::find(&state.facts(), id).is_none() {
        return Err(ApiError::not_found());
    }
    let revisions = state.ledger.edit(&caller.author(), vec![T::read(put)?]).await?;
    if let Some(row) = revisions.first().and_then(|revision| T::of(&revision.object)) {
        id = row.id();
    }
    let (facts, now) = (state.facts(), EventTime(state.now().0));
    T::find(&facts, id).map(|row| Json(row.row(&facts, now))).ok_or_else(ApiError::not_found)
}
