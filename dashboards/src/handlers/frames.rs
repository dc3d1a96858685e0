//! The last frames of a device with verdict and acknowledgement time, raw bytes read back from the journal; and its events.

use crate::dto::common::Time;
use crate::dto::devices::{EventsQuery, FrameRow};
use crate::dto::live::EventLive;
use crate::extract::{Caller, Id, Json, Search, page_size};
use crate::handlers::devices::seen;
use crate::live::event;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::refs;
use axum::extract::State;
use ingest::chunks::RecordQuery;
use ingest::journal::Journal;
use ingest::journal::entry::Entry;
use ingest::quarantine::QuarantineFilter;
use model::envelope::{Channel, Envelope, Position, edge_remark};
use model::record::RecordKind;
use model::time::EventTime;
use model::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) async fn frames(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
) -> ApiResult<Json<Vec<FrameRow>>> {
    let device = seen(&state.facts(), &caller, id)?;
    let traced = state.trace.frames(device.id);
    let raw = read(&state.journal, traced.iter().map(|frame| frame.position).collect()).await?;
    let mut reasons = BTreeMap::new();
    if traced.iter().any(|frame| frame.verdict == Some(Verdict::Quarantined)) {
        let filter = QuarantineFilter { device: Some(device.id), limit: 200, ..QuarantineFilter::default() };
        for entry in state.quarantine.page(&filter).await? {
            reasons.entry(entry.frame).or_insert(entry.reason);
        }
    }
    let rows = traced.into_iter().filter_map(|frame| {
        let envelope = raw.get(&frame.position);
        let received = frame.received.or_else(|| envelope.map(|envelope| envelope.received))?;
        let (raw_hex, text) = envelope.map(|envelope| refs::raw(&envelope.raw)).unwrap_or_default();
        Some(FrameRow {
            position: Some(frame.position.into()),
            received: received.into(),
            channel: frame.channel.or(envelope.map(|one| one.channel)).map(channel_word).unwrap_or_default(),
            verdict: frame.verdict.map(Into::into),
            reason: reasons.get(&frame.position).map(|reason| (*reason).into()),
            acknowledged: frame.acknowledged.map(Time::from),
            remarks: match &frame.remarks {
                Some(remarks) => remarks.to_vec(),
                None => envelope.map(|envelope| remarks(envelope.remarks)).unwrap_or_default(),
            },
            bytes: envelope.map_or(0, |envelope| envelope.raw.len() as u64),
            raw_hex,
            text,
        })
    });
    Ok(Json(rows.collect()))
}

/// Reads frames back, off the runtime's threads. What is gone is left out.
pub(crate) async fn read(journal: &Arc<Journal>, positions: Vec<Position>) -> ApiResult<BTreeMap<Position, Envelope>> {
    let journal = Arc::clone(journal);
    let work = move || {
        let frame = |position: Position| match journal.read_at(position) {
            Ok(Some(Entry::Frame(envelope))) => Some((position, envelope)),
            _ => None,
        };
        positions.into_iter().take(FRAMES_MAX).filter_map(frame).collect()
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| ApiError::internal(&error))
}

/// What happened to a device, newest first.
pub(crate) async fn events(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<EventsQuery>,
) -> ApiResult<Json<Vec<EventLive>>> {
    let device = seen(&state.facts(), &caller, id)?;
    let to = query.to.map_or_else(|| state.event_now().plus_ms(1), EventTime::from);
    let from = query.from.map_or(to.plus_ms(-EVENTS_BACK_MS), EventTime::from);
    if from >= to {
        return Err(ApiError::field("from", "must be before to"));
    }
    let wanted = RecordQuery {
        device: device.id,
        kinds: vec![RecordKind::Event],
        from,
        to,
        limit: page_size(query.limit),
        as_of: None,
    };
    let mut records = state.chunks.records(wanted).await?;
    records.sort_by_key(|record| std::cmp::Reverse(record.key.at));
    Ok(Json(records.iter().filter_map(event).collect()))
}

pub(crate) fn channel_word(channel: Channel) -> String {
    serde_json::to_value(channel).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn remarks(bits: u8) -> Vec<String> {
    [
        (edge_remark::CHECK_BAD, "check_bad_accepted"),
        (edge_remark::LENGTH_BAD, "length_bad_accepted"),
        (edge_remark::AFTER_GARBAGE, "after_garbage"),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & bit != 0)
    .map(|(_, word)| word.to_owned())
    .collect()
}

/// Frames read back for one answer.
const FRAMES_MAX: usize = 256;
/// How far back events are looked for when nothing is asked: seven days.
const EVENTS_BACK_MS: i64 = 7 * 86_400_000;
