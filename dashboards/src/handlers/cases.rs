//! Cases: list with counts, export, one, moves.

use crate::csv::Csv;
use crate::dto::cases::{CaseCount, CaseDetail, CaseList, CaseQuery, MoveRequest};
use crate::dto::words::CaseState;
use crate::extract::{Caller, Id, Json, Search, cursor, page_size, words};
use crate::handlers::alerts::{EXPORT_ROWS_MAX, actor, csv_time, word};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::alert::{Rules, evidence};
use crate::view::{alert, case, picture, refs};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use model::envelope::Position;
use model::id::{CaseId, OfficeId, SubjectId};

pub(crate) async fn list(State(state): State<AppState>, Search(query): Search<CaseQuery>) -> ApiResult<Json<CaseList>> {
    let size = page_size(query.limit);
    page(&state, &query, size).await.map(Json)
}

async fn page(state: &AppState, query: &CaseQuery, size: usize) -> ApiResult<CaseList> {
    let facts = state.facts();
    let now = state.now();
    let offset: u32 = cursor(query.cursor.as_deref())?;
    let wanted = query_in(query, size, offset)?;
    let found = state.cases.list(&wanted).await?;
    let count = u32::try_from(found.rows.len()).unwrap_or(u32::MAX);
    let more = i64::from(offset.saturating_add(count)) < found.total && count > 0;
    let items = found.rows.iter().map(|row| case::row(&facts, row, now));
    let all = cases::CaseQuery { states: Vec::new(), open: None, limit: None, offset: None, ..wanted };
    Ok(CaseList {
        items: items.filter(|row| query.overdue != Some(true) || row.overdue).collect(),
        next: more.then(|| offset.saturating_add(count).to_string()),
        counts: counts(state, &all).await?,
    })
}

fn query_in(query: &CaseQuery, size: usize, offset: u32) -> ApiResult<cases::CaseQuery> {
    let (states, open) = match query.state.as_deref() {
        None | Some("") => (Vec::new(), Some(true)),
        Some("all") => (Vec::new(), None),
        Some(list) => (words::<CaseState>("state", list)?.into_iter().map(Into::into).collect(), None),
    };
    Ok(cases::CaseQuery {
        states,
        open,
        subject: query.subject.map(SubjectId),
        office: query.office.map(OfficeId),
        text: query
            .q
            .as_ref()
            .map(|text| text.trim().chars().take(64).collect::<String>())
            .filter(|text| !text.is_empty()),
        limit: u32::try_from(size).ok(),
        offset: Some(offset),
        ..cases::CaseQuery::default()
    })
}

/// Of every state, in the order of a case's life; how many of them wait longer than they may.
pub(crate) async fn counts(state: &AppState, query: &cases::CaseQuery) -> ApiResult<Vec<CaseCount>> {
    let found = state.cases.counts(query).await?;
    let waiting = cases::CaseQuery {
        states: vec![model::case::CaseState::Registered, model::case::CaseState::Verifying],
        limit: Some(cases::flow::PAGE_MAX),
        ..query.clone()
    };
    let now = state.now();
    let late: Vec<_> = state.cases.list(&waiting).await?.rows.into_iter().filter(|row| row.review_due < now).collect();
    let mut counts: Vec<_> = found
        .into_iter()
        .map(|(found, count)| CaseCount {
            state: found.into(),
            count: u64::try_from(count).unwrap_or(0),
            overdue: late.iter().filter(|row| row.state == found).count() as u64,
        })
        .collect();
    counts.sort_by_key(|count| count.state);
    Ok(counts)
}

pub(crate) async fn export(State(state): State<AppState>, Search(mut query): Search<CaseQuery>) -> ApiResult<Response> {
    let mut csv = Csv::new(&[
        "案件编号",
        "状态",
        "类别代码",
        "类别",
        "级别",
        "来源",
        "演示参数",
        "对象",
        "车牌",
        "网格",
        "责任单位",
        "登记时间",
        "核实期限",
        "是否超期",
        "结案时间",
        "规则",
        "规则版本",
    ]);
    loop {
        let page = page(&state, &query, 200).await?;
        for row in &page.items {
            let subject = row.subject.as_ref();
            csv.row(&[
                row.number.clone(),
                word(&row.state),
                row.category.clone(),
                row.category_name.clone(),
                word(&row.severity),
                row.source.clone(),
                row.demo.to_string(),
                subject.map(|one| one.name.clone()).unwrap_or_default(),
                subject.and_then(|one| one.plate.clone()).unwrap_or_default(),
                row.grid.as_ref().map(|one| one.name.clone()).unwrap_or_default(),
                row.office.as_ref().map(|one| one.name.clone()).unwrap_or_default(),
                csv_time(row.opened),
                row.due.map(csv_time).unwrap_or_default(),
                row.overdue.to_string(),
                row.closed.map(csv_time).unwrap_or_default(),
                row.rule.clone(),
                row.rule_version.to_string(),
            ]);
        }
        match page.next {
            Some(next) if csv.rows() < EXPORT_ROWS_MAX => query.cursor = Some(next),
            _ => return Ok(csv.answer("cases.csv")),
        }
    }
}

pub(crate) async fn one(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<CaseDetail>> {
    let found = state.cases.get(CaseId(id)).await?;
    detail(&state, &caller, found).await.map(Json)
}

async fn detail(state: &AppState, caller: &Caller, found: cases::CaseDetail) -> ApiResult<CaseDetail> {
    let facts = state.facts();
    let rules = Rules::of(state);
    let mut pinned = Vec::new();
    for row in found.evidence.iter().take(EVIDENCE_MAX) {
        let raw = match state.cases.evidence_bytes(found.case.id, row.partition, row.seq).await {
            Ok(raw) => raw,
            Err(cases::FlowError::NotFound) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let position = Position { partition: row.partition, seq: u64::try_from(row.seq).unwrap_or(0) };
        let channel = (!row.channel.is_empty()).then(|| row.channel.clone());
        let mut one = evidence(position, row.received.map(Into::into), channel, row.sha256.clone(), &raw);
        one.bytes = u64::try_from(row.bytes).unwrap_or(0);
        pinned.push(one);
    }
    let mut pictures = Vec::new();
    for alert in found.alerts.iter().take(ALERTS_MAX) {
        let sees = |device| facts.devices.get(&device).is_some_and(|device| caller.sees(device));
        pictures.extend(picture::of_alert(state, &facts, alert, sees).await?);
    }
    pictures.sort_by(|one, other| (other.at, &other.hash).cmp(&(one.at, &one.hash)));
    pictures.dedup();
    pictures.truncate(EVIDENCE_MAX);
    Ok(CaseDetail {
        pictures,
        allowed_moves: case::allowed(caller, &found.case),
        timeline: found.history.iter().map(|line| case::event(&facts, line)).collect(),
        evidence: pinned,
        alerts: found.alerts.iter().map(|row| alert::row(&facts, &rules, row)).collect(),
        row: case::row(&facts, &found.case, state.now()),
    })
}

pub(crate) async fn make_move(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    headers: HeaderMap,
    Json(wanted): Json<MoveRequest>,
) -> ApiResult<Json<CaseDetail>> {
    let key = match headers.get("idempotency-key").map(|value| value.to_str()) {
        None => None,
        Some(Ok(key)) if (8..=64).contains(&key.len()) => Some(key.to_owned()),
        Some(_) => return Err(ApiError::field("Idempotency-Key", "write 8 to 64 plain characters")),
    };
    let office = wanted.office.map(OfficeId);
    if let Some(office) = office
        && refs::office(&state.facts(), office).is_none()
    {
        return Err(ApiError::field("office", "there is no such office"));
    }
    let request = cases::MoveRequest {
        wanted: wanted.wanted.into(),
        version: wanted.version,
        reason: wanted.reason.unwrap_or_default(),
        note: wanted.note.unwrap_or_default(),
        office,
        idempotency_key: key,
    };
    let found = state.cases.apply(CaseId(id), &actor(&caller), &request, state.now()).await?;
    let after = serde_json::to_string(&request).ok();
    let key = id.to_string();
    state.ledger.audit().record(&caller.author(), "case_moved", "case", &key, (None, after.as_deref())).await?;
    detail(&state, &caller, found).await.map(Json)
}

/// Alerts of a case whose pictures are shown.
const ALERTS_MAX: usize = 16;
/// Pieces of evidence shown with a case.
const EVIDENCE_MAX: usize = 64;
