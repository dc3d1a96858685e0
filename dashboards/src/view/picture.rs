//! Pictures that belong to an alert or a case: those of its subject's devices while it lasted, and a little around.

use crate::dto::pictures::PictureRow;
use crate::problem::ApiResult;
use crate::state::AppState;
use crate::view::refs;
use ingest::chunks::RecordQuery;
use model::blob::BlobId;
use model::facts::Facts;
use model::id::DeviceId;
use model::record::{RecordKind, SettledRecord};
use model::time::EventTime;
use std::collections::BTreeSet;

/// Pictures of an event that we have; others are addresses of the device's own.
pub(crate) fn of(record: &SettledRecord) -> impl Iterator<Item = BlobId> + '_ {
    let happening = record.body.happening.as_deref();
    happening.into_iter().flat_map(|event| event.pictures.iter()).filter_map(|text| BlobId::of_reference(text))
}

/// Of an alert's device and of all devices at its subject.
pub(crate) fn devices(facts: &Facts, alert: &cases::AlertRow) -> BTreeSet<DeviceId> {
    let at = alert.episode.start;
    let there = facts
        .installations
        .values()
        .filter(|row| row.subject == alert.subject && row.valid_from <= at && row.valid_to.is_none_or(|end| at < end));
    there.map(|row| row.device).take(DEVICES_MAX).chain([alert.device]).collect()
}

/// Newest first, at most [`PICTURES_MAX`] of an alert; only those of devices that `sees` lets through.
pub(crate) async fn of_alert(
    state: &AppState,
    facts: &Facts,
    alert: &cases::AlertRow,
    sees: impl Fn(DeviceId) -> bool,
) -> ApiResult<Vec<PictureRow>> {
    let episode = &alert.episode;
    let end = episode.end.unwrap_or_else(|| state.event_now()).plus_ms(AROUND_MS);
    let mut rows = Vec::new();
    for device in devices(facts, alert).into_iter().filter(|device| sees(*device)) {
        let query = RecordQuery {
            device,
            kinds: vec![RecordKind::Event],
            from: episode.start.plus_ms(-AROUND_MS),
            to: end,
            limit: EVENTS_MAX,
            as_of: None,
        };
        for record in state.chunks.records(query).await? {
            rows.extend(of(&record).map(|id| row(facts, &record, id)));
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    rows.truncate(PICTURES_MAX);
    Ok(rows)
}

fn row(facts: &Facts, record: &SettledRecord, id: BlobId) -> PictureRow {
    let what = record.body.happening.as_deref().map(|event| event.what.clone()).unwrap_or_default();
    PictureRow {
        hash: id.to_string(),
        what,
        at: EventTime(record.key.at.0).into(),
        device: refs::device(facts, record.key.device),
    }
}

/// A picture a little before or after says what happened, too.
const AROUND_MS: i64 = 2 * 60_000;
const DEVICES_MAX: usize = 16;
const EVENTS_MAX: usize = 200;
const PICTURES_MAX: usize = 24;
