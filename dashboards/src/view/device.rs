//! Devices with what is known of them now.

use crate::dto::common::Time;
use crate::dto::devices::{DeviceRow, InstallationRow, LatestValue, LossDay};
use crate::dto::map::{MapReading, TruckFix};
use crate::dto::words::Presence;
use crate::state::AppState;
use crate::view::{limit, refs};
use ingest::live::{DeviceState, LiveValue};
use model::facts::Facts;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::Flag;
use model::register::{Device, Subject, SubjectDetails};
use model::time::{EventTime, IngestTime, local_day_text};

/// When and whether a device was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) presence: Presence,
    pub(crate) connected: bool,
    pub(crate) last: Option<IngestTime>,
}

pub(crate) fn contact(state: &AppState, facts: &Facts, device: &Device, now: IngestTime) -> Contact {
    let heard = state.hub.device(device.id).map(|known| known.received);
    contact_with(state, facts, device, heard, now)
}

/// The same when the hub's state is at hand.
pub(crate) fn contact_with(
    state: &AppState,
    facts: &Facts,
    device: &Device,
    heard: Option<IngestTime>,
    now: IngestTime,
) -> Contact {
    let trace = state.trace.presence(device.id);
    let last = trace.as_ref().and_then(|trace| trace.last_contact).max(heard).filter(|at| at.0 > i64::MIN);
    let presence = match last {
        _ if !device.enabled => Presence::Disabled,
        None if trace.as_ref().is_some_and(|trace| trace.connected) => Presence::Connected,
        None => Presence::Never,
        Some(last) if now.since_ms(last) <= patience_ms(facts, device.id) => Presence::Online,
        Some(_) => Presence::Silent,
    };
    Contact { presence, connected: trace.is_some_and(|trace| trace.connected), last }
}

/// Three times the expected interval, at least a minute.
pub(crate) fn patience_ms(facts: &Facts, device: DeviceId) -> i64 {
    let interval = facts.profile_of(device).map_or(60, |profile| profile.expected_interval_s);
    i64::from(interval).saturating_mul(3_000).max(60_000)
}

pub(crate) fn row(state: &AppState, facts: &Facts, device: &Device, now: IngestTime) -> DeviceRow {
    let contact = contact(state, facts, device, now);
    let installed = facts.installation_at(device.id, EventTime(now.0));
    DeviceRow {
        id: device.id.0,
        code: device.code.clone(),
        name: device.name.clone(),
        protocol: device.protocol.into(),
        identity: device.identity.clone(),
        profile: device.profile.clone(),
        vendor: device.vendor.clone(),
        enabled: device.enabled,
        presence: contact.presence,
        connected: contact.connected,
        last_contact: contact.last.map(Time::from),
        subject: installed.and_then(|row| refs::subject(facts, row.subject)),
        point: installed.map(|row| row.point.clone()).filter(|point| !point.is_empty()),
        open_alerts: u64::from(state.book.of_device(device.id)),
    }
}

pub(crate) fn installations(facts: &Facts, device: DeviceId) -> Vec<InstallationRow> {
    let mut rows: Vec<_> = facts
        .installations_of(device)
        .filter_map(|row| {
            Some(InstallationRow {
                id: row.id.0,
                subject: refs::subject(facts, row.subject)?,
                point: row.point.clone(),
                valid_from: row.valid_from.into(),
                valid_to: row.valid_to.map(Time::from),
            })
        })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.valid_from, row.id)));
    rows
}

/// A value with its code and unit; `None` for a foreign quantity whose code is not known.
pub(crate) fn value(state: &AppState, value: &LiveValue) -> Option<LatestValue> {
    Some(LatestValue {
        quantity: state.chunks.quantity_code(value.quantity)?,
        statistic: value.statistic.into(),
        value: value.value,
        unit: unit(value.quantity),
        flag: value.flag.into(),
        at: value.at.into(),
    })
}

pub(crate) fn unit(quantity: Quantity) -> String {
    quantity.spec().map(|spec| spec.unit.code().to_owned()).unwrap_or_default()
}

pub(crate) fn values(state: &AppState, known: &DeviceState) -> Vec<LatestValue> {
    known.values.iter().filter_map(|one| value(state, one)).collect()
}

pub(crate) fn loss_day(day: &ingest::loss::LossDay) -> LossDay {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    LossDay {
        day: local_day_text(day.day),
        frames: count(day.counts.frames),
        received: count(day.counts.records),
        stored: count(day.counts.stored),
        revised: count(day.counts.revised),
        duplicate: count(day.counts.duplicate),
        quarantined: count(day.counts.quarantined_total()),
        balanced: day.counts.balances(),
    }
}

/// The newest fix, when the device is a truck's now.
pub(crate) fn truck_fix(
    state: &AppState,
    facts: &Facts,
    device: &Device,
    known: &DeviceState,
    now: IngestTime,
) -> Option<TruckFix> {
    let fix = known.fix?;
    let installed = facts.installation_at(device.id, EventTime(now.0))?;
    let subject = facts.subjects.get(&installed.subject)?;
    let SubjectDetails::Truck { plate, .. } = &subject.details else { return None };
    Some(TruckFix {
        subject: subject.id.0,
        device: device.id.0,
        plate: plate.clone(),
        place: fix.fix.place.into(),
        speed_kmh: fix.fix.speed_kmh,
        heading_deg: fix.fix.heading_deg,
        fixed: fix.fix.fixed,
        at: fix.at.into(),
        presence: contact_with(state, facts, device, Some(known.received), now).presence,
        open_alerts: state.book.of_subject(subject.id),
    })
}

/// The reading that matters most for a subject's kind, from one device.
pub(crate) fn reading(facts: &Facts, subject: &Subject, known: &DeviceState, now: IngestTime) -> Option<MapReading> {
    let wanted: &[Quantity] = match &subject.details {
        SubjectDetails::Restaurant { .. } => &[Quantity::FUME, Quantity::FUME_CONVERTED, Quantity::NMHC],
        SubjectDetails::Site { .. } | SubjectDetails::Gate { .. } => {
            &[Quantity::PM10, Quantity::TSP, Quantity::PM25, Quantity::NOISE]
        }
        _ => &[],
    };
    let value = wanted.iter().find_map(|quantity| {
        known.values.iter().filter(|value| value.quantity == *quantity).max_by_key(|value| value.at)
    })?;
    let spec = value.quantity.spec()?;
    let rows = limit::fitting(facts, subject, value.quantity);
    let limit = limit::at(&rows, EventTime(now.0)).and_then(|row| limit::canonical(row, value.quantity));
    Some(MapReading {
        device: known.device.0,
        quantity: spec.code.to_owned(),
        value: value.value,
        unit: spec.unit.code().to_owned(),
        valid: value.flag == Flag::Normal,
        at: value.at.into(),
        limit,
    })
}
