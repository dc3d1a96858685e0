//! Who knocked without being known, what was refused, what was stored apart; accept, reject, derive again.

use crate::dto::Page;
use crate::dto::devices::CredentialHandout;
use crate::dto::quarantine::{
    AcceptUnknown, QuarantineQuery, QuarantinedRecord, RawSample, Rederive, RederiveReport, RefusedCount, RefusedFrame,
    RefusedList, RefusedQuery, RejectUnknown, UnknownIdentity,
};
use crate::extract::{Caller, Json, Search, page_size};
use crate::handlers::credentials::handout;
use crate::handlers::frames::{channel_word, read};
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::refs;
use axum::extract::State;
use axum::http::StatusCode;
use ingest::quarantine::QuarantineFilter;
use ledger::Acceptance;
use model::envelope::{Position, ProtocolKind};
use model::id::{DeviceId, SubjectId};
use model::time::{EventTime, local_day};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) async fn unknown(State(state): State<AppState>) -> Json<Vec<UnknownIdentity>> {
    let mut found = state.porch.waiting();
    found.extend(state.porch.rejected());
    let rows = found.into_iter().map(|one| UnknownIdentity {
        protocol: one.protocol.into(),
        identity: one.identity,
        peer: one.peer,
        first: one.first.into(),
        last: one.last.into(),
        knocks: one.knocks,
        rejected: one.rejected,
        samples: one.samples.iter().map(|bytes| sample(bytes)).collect(),
    });
    Json(rows.collect())
}

fn sample(bytes: &[u8]) -> RawSample {
    let (raw_hex, text) = refs::raw(bytes);
    RawSample { bytes: bytes.len() as u64, raw_hex, text }
}

pub(crate) async fn accept(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<AcceptUnknown>,
) -> ApiResult<Json<CredentialHandout>> {
    let protocol: ProtocolKind = wanted.protocol.into();
    if !state.porch.waiting().iter().any(|one| one.protocol == protocol && one.identity == wanted.identity) {
        return Err(ApiError::not_found());
    }
    let install = wanted.install;
    let now = state.event_now();
    let acceptance = Acceptance {
        protocol,
        identity: wanted.identity.clone(),
        code: wanted.code,
        name: wanted.name,
        profile: wanted.profile,
        vendor: wanted.vendor,
        subject: install.as_ref().map(|install| SubjectId(install.subject)),
        point: install.as_ref().map(|install| install.point.clone()).unwrap_or_default(),
        installed_from: install.and_then(|install| install.valid_from).map_or(now, EventTime::from),
        password: wanted.password.filter(|password| !password.is_empty()),
        unit: wanted.unit.unwrap_or(1),
    };
    let accepted = state.ledger.accept_unknown(&caller.author(), acceptance).await?;
    // Off the list only once the register holds it.
    state.porch.accept(protocol, &wanted.identity);
    handout(&state, accepted.device, accepted.issued).map(Json)
}

pub(crate) async fn reject(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<RejectUnknown>,
) -> ApiResult<StatusCode> {
    if !state.porch.reject(wanted.protocol.into(), &wanted.identity) {
        return Err(ApiError::not_found());
    }
    let reason: Option<String> = wanted.reason.map(|text| text.chars().take(500).collect());
    let audit = state.ledger.audit();
    audit
        .record(&caller.author(), "identity_rejected", "identity", &wanted.identity, (None, reason.as_deref()))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn refused(State(state): State<AppState>, Search(query): Search<RefusedQuery>) -> Json<RefusedList> {
    let facts = state.facts();
    let today = local_day(state.event_now());
    let wanted = query.device.map(DeviceId);
    let items = state.porch.refusal_samples(wanted, REFUSED_SHOWN).into_iter().map(|one| {
        let (raw_hex, text) = refs::raw(&one.sample);
        RefusedFrame {
            at: one.at.into(),
            protocol: one.protocol.into(),
            device: one.device.and_then(|id| refs::device(&facts, id)),
            peer: one.peer,
            reason: one.reason.into(),
            detail: one.detail,
            bytes: one.sample.len() as u64,
            raw_hex,
            text,
        }
    });
    let mut sums: BTreeMap<_, u64> = BTreeMap::new();
    for line in state.porch.refusals(today - 6, today) {
        if wanted.is_some() && line.device != wanted {
            continue;
        }
        *sums.entry((line.device, line.reason)).or_default() += line.frames;
    }
    let counts = sums.into_iter().map(|((device, reason), count)| RefusedCount {
        device: device.and_then(|id| refs::device(&facts, id)),
        reason: reason.into(),
        count,
    });
    Json(RefusedList { items: items.collect(), counts: counts.collect() })
}

pub(crate) async fn records(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<QuarantineQuery>,
) -> ApiResult<Json<Page<QuarantinedRecord>>> {
    let facts = state.facts();
    let size = page_size(query.limit);
    let own = caller.own_devices(&facts).map(|ids| ids.into_iter().collect::<BTreeSet<_>>());
    let device = query.device.map(DeviceId);
    let before = query.cursor.as_deref().map(position).transpose()?;
    // A limited account asks per device, so that its pages are full.
    let devices: Vec<Option<DeviceId>> = match (&own, device) {
        (None, device) => vec![device],
        (Some(own), Some(one)) => own.contains(&one).then_some(Some(one)).into_iter().collect(),
        (Some(own), None) => own.iter().map(|id| Some(*id)).take(VENDOR_DEVICES_MAX).collect(),
    };
    let mut entries = Vec::new();
    for device in devices {
        let filter = QuarantineFilter {
            device,
            reason: query.reason.map(Into::into),
            before,
            with_rederived: query.resolved,
            limit: size,
        };
        entries.extend(state.quarantine.page(&filter).await?);
    }
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.position, entry.ordinal)));
    // A page is never cut between the entries of one place.
    if let Some(last) = entries.get(size.saturating_sub(1)).map(|entry| entry.position) {
        entries.retain(|entry| entry.position >= last);
    }
    let next = (entries.len() >= size).then(|| entries.last().map(|entry| entry.position.to_string())).flatten();
    let raw = read(&state.journal, entries.iter().map(|entry| entry.frame).collect()).await?;
    let items = entries.into_iter().map(|entry| {
        let bytes = raw.get(&entry.frame).map_or(&[][..], |envelope| &envelope.raw);
        let (raw_hex, text) = refs::raw(bytes);
        QuarantinedRecord {
            position: entry.position.into(),
            frame: entry.frame.into(),
            ordinal: entry.ordinal,
            channel: channel_word(entry.channel),
            received: entry.received.into(),
            device: refs::device(&facts, entry.device),
            reason: entry.reason.into(),
            detail: entry.place,
            bytes: bytes.len() as u64,
            raw_hex,
            text,
            resolved: entry.rederived.is_some(),
        }
    });
    Ok(Json(Page { items: items.collect(), next, total: None }))
}

/// `partition:seq`
fn position(text: &str) -> ApiResult<Position> {
    text.split_once(':')
        .and_then(|(partition, seq)| Some(Position { partition: partition.parse().ok()?, seq: seq.parse().ok()? }))
        .ok_or_else(|| ApiError::field("cursor", "not a cursor of ours"))
}

/// Asks settle, by an entry of the journal, to try the device's standing frames again with today's profile.
pub(crate) async fn rederive(
    State(state): State<AppState>,
    caller: Caller,
    Json(wanted): Json<Rederive>,
) -> ApiResult<Json<RederiveReport>> {
    let device = DeviceId(wanted.device);
    if !state.facts().devices.contains_key(&device) {
        return Err(ApiError::not_found());
    }
    let filter = QuarantineFilter { device: Some(device), limit: 1_000, ..QuarantineFilter::default() };
    let frames: BTreeSet<_> = state.quarantine.page(&filter).await?.iter().map(|entry| entry.frame).collect();
    let (Some(first), Some(last)) = (frames.first(), frames.last()) else {
        return Err(ApiError::new(StatusCode::CONFLICT, "refused", "nothing of this device is quarantined"));
    };
    let run = ingest::settle::Rederive { device, from: first.seq, to: last.seq, author: caller.login.clone() };
    let committed = state.journal.append_wait(vec![run.entry()]).await?;
    let after = serde_json::to_string(&run).ok();
    let key = device.to_string();
    state.ledger.audit().record(&caller.author(), "rederived", "device", &key, (None, after.as_deref())).await?;
    Ok(Json(RederiveReport { position: committed.first.into(), frames: frames.len() as u64 }))
}

/// Refused frames shown.
const REFUSED_SHOWN: usize = 200;
/// Devices of a vendor looked through for one page.
const VENDOR_DEVICES_MAX: usize = 500;
