//! Devices: list, one, create, edit, switch, install, loss ledger.

use crate::dto::devices::{
    CredentialHandout, DeviceDetail, DeviceList, DeviceQuery, EditDevice, InstallationRow, LossDay, LossQuery,
    NewDevice, NewInstallation, PollTarget, PresenceCount, SetEnabled,
};
use crate::dto::words::Presence;
use crate::extract::{Caller, Id, Json, Search, cursor, page_size};
use crate::handlers::credentials::handout;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::{device, refs, registers};
use axum::extract::State;
use ingest::loss::LossCounts;
use ledger::Issued;
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::id::{DeviceId, InstallationId, SubjectId};
use model::register::{Device, Installation, ModbusPoll, Object};
use model::time::{EventTime, local_day, parse_rfc3339};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Search(query): Search<DeviceQuery>,
) -> ApiResult<Json<DeviceList>> {
    let now = state.now();
    let facts = state.facts();
    let size = page_size(query.limit);
    let after: i64 = cursor(query.cursor.as_deref())?;
    let needle = refs::needle(query.q.as_deref());
    let seen: Vec<_> = facts.devices.values().filter(|row| caller.sees(row)).collect();
    let fits = |row: &Device| {
        query.protocol.is_none_or(|protocol| row.protocol == protocol.into())
            && query.vendor.as_ref().is_none_or(|vendor| row.vendor == *vendor)
            && query.profile.as_ref().is_none_or(|profile| row.profile == *profile)
            && query.subject.is_none_or(|subject| {
                facts.installation_at(row.id, EventTime(now.0)).is_some_and(|at| at.subject.0 == subject)
            })
            && needle.as_ref().is_none_or(|needle| refs::found(needle, texts(&facts, row, EventTime(now.0))))
    };
    let mut counts: BTreeMap<Presence, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for row in seen.iter().filter(|row| fits(row)) {
        let presence = device::contact(&state, &facts, row, now).presence;
        *counts.entry(presence).or_default() += 1;
        if query.presence.is_none_or(|wanted| wanted == presence) {
            found.push(*row);
        }
    }
    let items: Vec<_> = found
        .iter()
        .filter(|row| row.id.0 > after)
        .take(size)
        .map(|row| device::row(&state, &facts, row, now))
        .collect();
    let last = found.last().map(|row| row.id.0);
    let names = |of: fn(&Device) -> &String| {
        let set: BTreeSet<_> = seen.iter().map(|row| of(row)).filter(|name| !name.is_empty()).collect();
        set.into_iter().cloned().collect()
    };
    Ok(Json(DeviceList {
        next: items.last().filter(|item| Some(item.id) != last).map(|item| item.id.to_string()),
        items,
        total: found.len() as u64,
        counts: counts.into_iter().map(|(presence, count)| PresenceCount { presence, count }).collect(),
        vendors: names(|row| &row.vendor),
        profiles: names(|row| &row.profile),
    }))
}

fn texts<'a>(facts: &'a Facts, row: &'a Device, at: EventTime) -> Vec<&'a str> {
    let mut texts = vec![row.code.as_str(), row.name.as_str(), row.identity.as_str(), row.vendor.as_str()];
    if let Some(subject) = facts.installation_at(row.id, at).and_then(|at| facts.subjects.get(&at.subject)) {
        texts.extend(refs::subject_texts(subject));
    }
    texts
}

/// The device, when the caller may know of it.
pub(crate) fn seen(facts: &Facts, caller: &Caller, id: i64) -> ApiResult<Arc<Device>> {
    let device = facts.devices.get(&DeviceId(id)).filter(|device| caller.sees(device));
    device.cloned().ok_or_else(ApiError::not_found)
}

pub(crate) async fn one(State(state): State<AppState>, caller: Caller, Id(id): Id) -> ApiResult<Json<DeviceDetail>> {
    let device = seen(&state.facts(), &caller, id)?;
    detail(&state, &device).await.map(Json)
}

async fn detail(state: &AppState, row: &Device) -> ApiResult<DeviceDetail> {
    let now = state.now();
    let facts = state.facts();
    let today = local_day(EventTime(now.0));
    let days = state.loss.days(Some(row.id), today, today, 1).await?;
    let empty = ingest::loss::LossDay { device: row.id, day: today, counts: LossCounts::default() };
    let latest = state.hub.device(row.id).map(|known| device::values(state, &known)).unwrap_or_default();
    Ok(DeviceDetail {
        row: device::row(state, &facts, row, now),
        profile_row: facts.profile_of(row.id).map(|profile| registers::profile(&facts, profile)),
        poll: row.poll.as_ref().map(|poll| PollTarget {
            address: poll.address.clone(),
            unit: poll.unit,
            interval_ms: poll.interval_ms,
            timeout_ms: poll.timeout_ms,
            dtu: poll.dtu.clone().map(Into::into),
        }),
        installations: device::installations(&facts, row.id),
        latest,
        loss: device::loss_day(days.first().unwrap_or(&empty)),
        data_as_of: state.hub.as_of().1.map(Into::into),
    })
}

pub(crate) async fn loss(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<LossQuery>,
) -> ApiResult<Json<Vec<LossDay>>> {
    let device = seen(&state.facts(), &caller, id)?;
    let today = local_day(state.event_now());
    let from = day(query.from_day.as_deref(), "from_day")?.unwrap_or(today);
    let to = day(query.to_day.as_deref(), "to_day")?.unwrap_or(today);
    if to < from || to - from > LOSS_DAYS_MAX {
        return Err(wrong_day("to_day", format!("at most {LOSS_DAYS_MAX} days after from_day, and not before it")));
    }
    let days = state.loss.days(Some(device.id), from, to, usize::MAX).await?;
    Ok(Json(days.iter().map(device::loss_day).collect()))
}

pub(crate) fn day(text: Option<&str>, field: &str) -> ApiResult<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let year = text.get(..4).and_then(|year| year.parse().ok()).filter(|_| text.len() == 10);
    let noon =
        parse_rfc3339(&format!("{text:.10}T12:00:00+08:00")).filter(|_| year.is_some_and(|y| YEARS.contains(&y)));
    noon.map(|ms| Some(local_day(EventTime(ms)))).ok_or_else(|| {
        wrong_day(field, format!("write a day as YYYY-MM-DD, of the years {} to {}", YEARS.start(), YEARS.end()))
    })
}

pub(crate) fn wrong_day(field: &str, message: String) -> ApiError {
    let mut error = ApiError::bad_request(message);
    error.problem.field = Some(field.to_owned());
    error
}

pub(crate) async fn create(
    State(state): State<AppState>,
    caller: Caller,
    Json(new): Json<NewDevice>,
) -> ApiResult<Json<CredentialHandout>> {
    let protocol: ProtocolKind = new.protocol.into();
    let identity = match new.identity.filter(|text| !text.trim().is_empty()) {
        Some(identity) => identity,
        None if protocol == ProtocolKind::Mqtt => new.code.clone(),
        None if protocol == ProtocolKind::Modbus => {
            let poll = new.poll.as_ref().ok_or_else(|| ApiError::field("poll", "a Modbus device needs an address"))?;
            format!("{}/{}", poll.address, poll.unit)
        }
        None => return Err(ApiError::field("identity", "write the MN or the phone number")),
    };
    let device = Device {
        id: DeviceId(-1),
        code: new.code,
        name: new.name,
        protocol,
        identity,
        profile: new.profile,
        vendor: new.vendor,
        enabled: true,
        poll: new.poll.map(poll),
    };
    let mut objects = vec![Object::Device(device)];
    if let Some(install) = new.install {
        objects.push(Object::Installation(installation(DeviceId(-1), install, state.event_now())));
    }
    let revisions = state.ledger.edit(&caller.author(), objects).await?;
    let id = revisions.iter().find_map(|revision| match &revision.object {
        Object::Device(device) => Some(device.id),
        _ => None,
    });
    let id = id.ok_or_else(|| ApiError::conflict("there is such a device already"))?;
    let issued = if protocol == ProtocolKind::Modbus {
        Issued { device: Some(id), settings: Vec::new() }
    } else {
        state.ledger.credentials().issue(&caller.author(), id).await?
    };
    handout(&state, id, issued).map(Json)
}

fn poll(target: PollTarget) -> ModbusPoll {
    ModbusPoll {
        interval_ms: target.interval_ms,
        timeout_ms: target.timeout_ms,
        dtu: target.dtu.map(Into::into),
        ..ModbusPoll::new(target.address, target.unit)
    }
}

fn installation(device: DeviceId, new: NewInstallation, now: EventTime) -> Installation {
    Installation {
        id: InstallationId(0),
        device,
        subject: SubjectId(new.subject),
        point: new.point,
        valid_from: new.valid_from.map_or(now, Into::into),
        valid_to: None,
    }
}

pub(crate) async fn edit(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<EditDevice>,
) -> ApiResult<Json<DeviceDetail>> {
    let old = seen(&state.facts(), &caller, id)?;
    let poll = match (wanted.poll, &old.poll) {
        // What the page does not show stays as it was.
        (Some(target), Some(old)) => Some(ModbusPoll {
            address: target.address,
            unit: target.unit,
            interval_ms: target.interval_ms,
            timeout_ms: target.timeout_ms,
            dtu: target.dtu.map(Into::into),
            ..old.clone()
        }),
        (Some(target), None) => Some(poll(target)),
        (None, old) => old.clone(),
    };
    let device =
        Device { name: wanted.name, profile: wanted.profile, vendor: wanted.vendor, poll, ..Device::clone(&old) };
    write(&state, &caller, device).await
}

pub(crate) async fn set_enabled(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<SetEnabled>,
) -> ApiResult<Json<DeviceDetail>> {
    let old = seen(&state.facts(), &caller, id)?;
    write(&state, &caller, Device { enabled: wanted.enabled, ..Device::clone(&old) }).await
}

async fn write(state: &AppState, caller: &Caller, device: Device) -> ApiResult<Json<DeviceDetail>> {
    state.ledger.edit(&caller.author(), vec![Object::Device(device.clone())]).await?;
    detail(state, &device).await.map(Json)
}

/// Ends what is installed at that time and begins the new installation, in one edit.
pub(crate) async fn install(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Json(wanted): Json<NewInstallation>,
) -> ApiResult<Json<Vec<InstallationRow>>> {
    let facts = state.facts();
    let device = seen(&facts, &caller, id)?;
    let new = installation(device.id, wanted, state.event_now());
    let mut objects = Vec::new();
    if let Some(old) = facts.installation_at(device.id, new.valid_from) {
        if old.valid_from == new.valid_from {
            return Err(ApiError::field("valid_from", "an installation begins at that very time"));
        }
        objects.push(Object::Installation(Installation { valid_to: Some(new.valid_from), ..Installation::clone(old) }));
    }
    objects.push(Object::Installation(new));
    state.ledger.edit(&caller.author(), objects).await?;
    Ok(Json(device::installations(&state.facts(), device.id)))
}

/// Years that a day may be of.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2099;
/// Days of the loss ledger in one answer.
const LOSS_DAYS_MAX: i64 = 92;
