//! Alerts: list, export, one with evidence.

use crate::csv::Csv;
use crate::dto::Page;
use crate::dto::alerts::{AlertDetail, AlertEvent, AlertQuery, AlertRow, Comment, Evidence, PermitRef};
use crate::dto::common::Time;
use crate::extract::{Caller, Id, Json, Search, cursor, page_size, words};
use crate::handlers::frames;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::alert::{Rules, chart, evidence, explain, row};
use crate::view::{picture, refs, registers};
use axum::extract::State;
use axum::response::Response;
use cases::{Actor, AlertState};
use model::episode::Standing;
use model::facts::Facts;
use model::id::{AlertId, DeviceId, SubjectId, UserId};
use model::register::Object;
use sha2::{Digest, Sha256};

pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<AlertQuery>,
) -> ApiResult<Json<Page<AlertRow>>> {
    let size = page_size(query.limit);
    page(&state, &caller, &query, size).await.map(Json)
}

async fn page(state: &AppState, caller: &Caller, query: &AlertQuery, size: usize) -> ApiResult<Page<AlertRow>> {
    let facts = state.facts();
    let offset: u32 = cursor(query.cursor.as_deref())?;
    let wanted = query_in(&facts, caller, query, size, offset)?;
    let found = state.cases.alerts(&wanted).await?;
    let rules = Rules::of(state);
    let count = u32::try_from(found.rows.len()).unwrap_or(u32::MAX);
    let total = u64::try_from(found.total).unwrap_or(0);
    let needle = refs::needle(query.q.as_deref());
    let fits = |row: &AlertRow| {
        query.severity.is_none_or(|severity| row.severity == severity)
            && query.from.is_none_or(|from| row.raised >= from)
            && query.to.is_none_or(|to| row.raised < to)
            && needle.as_ref().is_none_or(|needle| {
                let subject = row.subject.as_ref();
                let texts = subject.map(|one| [Some(one.name.as_str()), Some(one.code.as_str()), one.plate.as_deref()]);
                let device = row.device.as_ref().map(|one| one.code.as_str());
                refs::found(needle, texts.into_iter().flatten().flatten().chain(device))
            })
    };
    let items = found.rows.iter().map(|one| row(&facts, &rules, one)).filter(fits).collect();
    let more = u64::from(offset.saturating_add(count)) < total && count > 0;
    Ok(Page { items, next: more.then(|| offset.saturating_add(count).to_string()), total: Some(total) })
}

fn query_in(
    facts: &Facts,
    caller: &Caller,
    query: &AlertQuery,
    size: usize,
    offset: u32,
) -> ApiResult<cases::AlertQuery> {
    let states: Vec<AlertState> = words("state", query.state.as_deref().unwrap_or(""))?;
    let own = caller.own_devices(facts);
    let devices = match (query.device.map(DeviceId), own) {
        (Some(one), Some(own)) => Some(own.into_iter().filter(|id| *id == one).collect()),
        (Some(one), None) => Some(vec![one]),
        (None, own) => own,
    };
    Ok(cases::AlertQuery {
        states,
        rule: query.rule.clone(),
        class: query.class.map(Into::into),
        subject: query.subject.map(SubjectId),
        devices,
        assignee: if query.mine == Some(true) { Some(caller.user) } else { query.assignee.map(UserId) },
        first_of: (query.attention == Some(true)).then_some(caller.user),
        after_seq: query.after_seq.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX)),
        limit: u32::try_from(size).ok(),
        offset: Some(offset),
        ..cases::AlertQuery::default()
    })
}

pub(crate) async fn export(
    State(state): State<AppState>,
    caller: Caller,
    Search(mut query): Search<AlertQuery>,
) -> ApiResult<Response> {
    let mut csv = Csv::new(&[
        "编号",
        "状态",
        "类别",
        "级别",
        "规则",
        "版本",
        "演示参数",
        "对象",
        "车牌",
        "设备",
        "开始",
        "结束",
        "极值",
        "限值",
        "单位",
        "发现时间",
        "案件",
    ]);
    loop {
        let page = page(&state, &caller, &query, 200).await?;
        for row in &page.items {
            let subject = row.subject.as_ref();
            csv.row(&[
                row.id.to_string(),
                word(&row.state),
                word(&row.class),
                word(&row.severity),
                row.rule_name.clone(),
                row.rule_version.to_string(),
                row.demo.to_string(),
                subject.map(|one| one.name.clone()).unwrap_or_default(),
                subject.and_then(|one| one.plate.clone()).unwrap_or_default(),
                row.device.as_ref().map(|one| one.code.clone()).unwrap_or_default(),
                csv_time(row.start),
                row.end.map(csv_time).unwrap_or_default(),
                row.extreme.to_string(),
                row.threshold.to_string(),
                row.unit.clone(),
                csv_time(row.raised),
                row.case.map(|id| id.to_string()).unwrap_or_default(),
            ]);
        }
        match page.next {
            Some(next) if csv.rows() < EXPORT_ROWS_MAX => query.cursor = Some(next),
            _ => return Ok(csv.answer("alerts.csv")),
        }
    }
}

/// `snake_case` word of a closed word.
pub(crate) fn word<T: serde::Serialize>(word: &T) -> String {
    serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Beijing wall-clock time, as people in the office read tables.
pub(crate) fn csv_time(time: Time) -> String {
    let stamp = model::time::LocalStamp::of(time.into(), model::time::BEIJING_OFFSET_MINUTES);
    stamp.fields().map_or_else(String::new, |(year, month, day, hour, minute, second, _)| {
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    })
}

pub(crate) async fn one(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<AlertDetail>> {
    let alert = seen(&state, &caller, id).await?;
    detail(&state, &caller, alert).await.map(Json)
}

pub(crate) async fn seen(state: &AppState, caller: &Caller, id: i64) -> ApiResult<cases::AlertRow> {
    let alert = state.cases.alert(AlertId(id)).await?;
    let facts = state.facts();
    match caller.own_devices(&facts) {
        Some(own) if !own.contains(&alert.device) => Err(ApiError::not_found()),
        _ => Ok(alert),
    }
}

pub(crate) async fn detail(state: &AppState, caller: &Caller, alert: cases::AlertRow) -> ApiResult<AlertDetail> {
    let facts = state.facts();
    let rules = Rules::of(state);
    // What the alert says of itself is the text of the version that it pins, not of a newer one.
    let text = rule_text(state, &alert.rule, alert.rule_version).await?;
    let compiled = rules::check(&text).ok();
    let rule = compiled.as_ref().or_else(|| rules.pinned(&alert).map(AsRef::as_ref));
    let episode = &alert.episode;
    let limit = episode.limit.and_then(|id| facts.limits.get(&id)).map(|row| registers::limit(row));
    let permit = episode.permit.and_then(|id| facts.permits.get(&id));
    let permit = permit.map(|row| PermitRef { id: row.id.0, code: row.code.clone() });
    let row = row(&facts, &rules, &alert);
    let sees = |device| facts.devices.get(&device).is_some_and(|device| caller.sees(device));
    Ok(AlertDetail {
        pictures: picture::of_alert(state, &facts, &alert, sees).await?,
        place: episode.place.map(Into::into),
        limit,
        permit,
        evidence: pinned(state, &alert).await?,
        explain: explain(&alert, rule, text),
        comments: comments(state, &alert).await?,
        history: history(state, &alert).await?,
        chart: Some(chart(&alert, rule, state.now().into())),
        row,
    })
}

/// The rule's text as it was.
async fn rule_text(state: &AppState, code: &str, version: u32) -> ApiResult<String> {
    let history = state.ledger.history("rule", code, 200).await?;
    Ok(history
        .into_iter()
        .find_map(|revision| match revision.object {
            Object::Rule(rule) if rule.version == version => Some(rule.text),
            _ => None,
        })
        .unwrap_or_default())
}

async fn pinned(state: &AppState, alert: &cases::AlertRow) -> ApiResult<Vec<Evidence>> {
    let positions = alert.episode.evidence.clone();
    let mut found = frames::read(&state.journal, positions.clone()).await?;
    let mut list = Vec::new();
    for position in positions {
        if let Some(envelope) = found.remove(&position) {
            let received = Some(envelope.received.into());
            let channel = Some(frames::channel_word(envelope.channel));
            list.push(evidence(position, received, channel, sha256(&envelope.raw), &envelope.raw));
        } else if let Some(case) = alert.case {
            // The journal has moved on; the case has its own copy.
            let seq = i64::try_from(position.seq).unwrap_or(i64::MAX);
            if let Ok(raw) = state.cases.evidence_bytes(case, position.partition, seq).await {
                list.push(evidence(position, None, None, sha256(&raw), &raw));
            }
        }
    }
    Ok(list)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes all");
        hex
    })
}

/// Comments on alerts are kept in the audit.
async fn comments(state: &AppState, alert: &cases::AlertRow) -> ApiResult<Vec<Comment>> {
    let filter = ledger::AuditFilter {
        kind: Some("alert".to_owned()),
        key: Some(alert.id.to_string()),
        limit: 200,
        ..ledger::AuditFilter::default()
    };
    let mut comments: Vec<_> = state
        .ledger
        .audit()
        .page(&filter)
        .await?
        .into_iter()
        .filter_map(|entry| {
            let text = entry.after.filter(|text| !text.is_empty())?;
            Some(Comment { at: entry.at.into(), author: entry.who, text })
        })
        .collect();
    comments.reverse();
    Ok(comments)
}

async fn history(state: &AppState, alert: &cases::AlertRow) -> ApiResult<Vec<AlertEvent>> {
    let merged = match alert.episode.standing {
        Standing::MergedInto(id) => Some(id.to_string()),
        Standing::Stands | Standing::Withdrawn => None,
    };
    let lines = state.cases.alert_history(alert.id).await?;
    let event = |line: cases::AlertHistoryRow| AlertEvent {
        at: line.at.into(),
        by: line.user.map(|_| line.user_name),
        detail: Some(line.note)
            .filter(|note| !note.is_empty())
            .or_else(|| merged.clone().filter(|_| line.what == "merged")),
        what: line.what,
    };
    Ok(lines.into_iter().map(event).collect())
}

pub(crate) fn actor(caller: &Caller) -> Actor {
    Actor {
        user: caller.user,
        name: caller.name.clone(),
        roles: vec![caller.role.code().to_owned()],
        office: caller.office,
    }
}

/// Rows of an export.
pub(crate) const EXPORT_ROWS_MAX: usize = 50_000;
