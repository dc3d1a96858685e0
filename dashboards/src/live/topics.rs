//! What each topic shows: its snapshot, and what is new since the last message.

use crate::dto::common::Place;
use crate::dto::live::{AlertsLive, CasesLive, DeviceLive, EventLive, LiveData, LiveFilter, MapLive, SubjectStateOf};
use crate::dto::map::{SubjectState, TruckFix};
use crate::extract::Caller;
use crate::handlers::map::trucks;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::subject::{Installed, current};
use crate::view::{alert, case, device, health, picture};
use cases::{AlertQuery, AlertState, CaseQuery, LiveEvent};
use ingest::live::{DeviceState, LiveValue};
use ledger::Permission;
use model::facts::Facts;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{RecordKind, SettledRecord, Statistic};
use model::register::SubjectDetails;
use model::time::{EventTime, IngestTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A subscription's topic with what was sent of it.
#[derive(Debug)]
pub(super) enum Topic {
    Map { bbox: Option<[f64; 4]>, sent: BTreeMap<i64, SubjectState> },
    Device { id: DeviceId, sent: BTreeMap<(Quantity, Statistic), (EventTime, u64)>, seen: Option<device::Contact> },
    Alerts,
    Cases,
    Kpi,
    Health,
}

impl Topic {
    /// The refusal's code, when the caller may not know of it or it does not exist.
    pub(super) fn parse(
        state: &AppState,
        caller: &Caller,
        text: &str,
        filter: Option<LiveFilter>,
    ) -> Result<Self, &'static str> {
        let bbox = filter.and_then(|filter| filter.bbox);
        if bbox.is_some_and(|bbox| bbox.iter().any(|edge| !edge.is_finite())) {
            return Err("bad_filter");
        }
        let staff = || if caller.may(Permission::View) { Ok(()) } else { Err("not_found") };
        match text {
            "map" => staff().map(|()| Self::Map { bbox, sent: BTreeMap::new() }),
            "alerts" => Ok(Self::Alerts),
            "cases" => staff().map(|()| Self::Cases),
            "kpi" => staff().map(|()| Self::Kpi),
            "health" => Ok(Self::Health),
            _ => {
                let id = text.strip_prefix("device/").ok_or("unknown_topic")?.parse().map_err(|_| "not_found")?;
                let facts = state.facts();
                let known = facts.devices.get(&DeviceId(id)).is_some_and(|device| caller.sees(device));
                if known {
                    Ok(Self::Device { id: DeviceId(id), sent: BTreeMap::new(), seen: None })
                } else {
                    Err("not_found")
                }
            }
        }
    }

    /// Everything, as now.
    pub(super) async fn snapshot(&mut self, state: &AppState, caller: &Caller) -> ApiResult<LiveData> {
        let now = state.now();
        let facts = state.facts();
        Ok(match self {
            Self::Map { bbox, sent } => {
                sent.clear();
                let subjects = states(state, &facts, now, *bbox, sent, None);
                let inside = |truck: &TruckFix| in_box(*bbox, truck.place);
                let trucks = trucks(state, &facts, now).into_iter().filter(inside).collect();
                LiveData::Map(MapLive { trucks, subjects })
            }
            Self::Device { id, sent, seen } => {
                sent.clear();
                let row = facts.devices.get(id).ok_or_else(ApiError::not_found)?;
                let contact = device::contact(state, &facts, row, now);
                *seen = Some(contact);
                let known = state.hub.device(*id);
                LiveData::Device(device_live(state, &facts, *id, known.as_ref(), contact, sent, now))
            }
            Self::Alerts => LiveData::Alerts(open_alerts(state, caller, &facts).await?),
            Self::Cases => {
                let query = CaseQuery { open: Some(true), limit: Some(200), ..CaseQuery::default() };
                let rows = state.cases.list(&query).await?.rows;
                LiveData::Cases(CasesLive { cases: rows.iter().map(|row| case::row(&facts, row, now)).collect() })
            }
            Self::Kpi => LiveData::Kpi(health::kpi(state).await?),
            Self::Health => LiveData::Health(health::current(state)),
        })
    }

    /// Once a second: what moved on the map; whether a device fell silent.
    pub(super) fn tick(&mut self, state: &AppState, moved: Option<&[DeviceState]>, full: bool) -> Option<LiveData> {
        let now = state.now();
        let facts = state.facts();
        match self {
            Self::Map { bbox, sent } => {
                let moved = moved?;
                let fix = |known: &DeviceState| {
                    let fix = device::truck_fix(state, &facts, facts.devices.get(&known.device)?, known, now)?;
                    in_box(*bbox, fix.place).then_some(fix)
                };
                let trucks: Vec<_> = moved.iter().filter_map(fix).collect();
                let only = (!full).then(|| subjects_of(&facts, moved, now));
                let subjects = states(state, &facts, now, *bbox, sent, only.as_ref());
                let empty = trucks.is_empty() && subjects.is_empty();
                (!empty).then_some(LiveData::Map(MapLive { trucks, subjects }))
            }
            Self::Device { id, sent, seen } => {
                let contact = device::contact(state, &facts, facts.devices.get(id)?, now);
                let same =
                    |old: &device::Contact| (old.presence, old.connected) == (contact.presence, contact.connected);
                if seen.as_ref().is_some_and(same) {
                    return None;
                }
                *seen = Some(contact);
                let known = state.hub.device(*id);
                Some(LiveData::Device(device_live(state, &facts, *id, known.as_ref(), contact, sent, now)))
            }
            _ => None,
        }
    }

    /// A device said something.
    pub(super) fn device_change(
        &mut self,
        state: &AppState,
        changed: &[DeviceState],
        events: &[Arc<SettledRecord>],
    ) -> Option<LiveData> {
        let Self::Device { id, sent, seen } = self else { return None };
        let known = changed.iter().find(|known| known.device == *id);
        let mine: Vec<_> = events.iter().filter(|record| record.key.device == *id).collect();
        if known.is_none() && mine.is_empty() {
            return None;
        }
        let now = state.now();
        let facts = state.facts();
        let contact = device::contact(state, &facts, facts.devices.get(id)?, now);
        *seen = Some(contact);
        let mut live = device_live(state, &facts, *id, known, contact, sent, now);
        live.events = mine.into_iter().filter_map(|record| event(record)).collect();
        Some(LiveData::Device(live))
    }

    /// Commands changed.
    pub(super) fn commands(&mut self, state: &AppState, rows: &[Arc<ledger::CommandRow>]) -> Option<LiveData> {
        let Self::Device { id, sent, seen } = self else { return None };
        let mine: Vec<_> = rows.iter().filter(|row| row.device == *id).map(|row| (&**row).into()).collect();
        if mine.is_empty() {
            return None;
        }
        let now = state.now();
        let facts = state.facts();
        let contact = device::contact(state, &facts, facts.devices.get(id)?, now);
        *seen = Some(contact);
        let mut live = device_live(state, &facts, *id, None, contact, sent, now);
        live.commands = mine;
        Some(LiveData::Device(live))
    }

    /// Alerts or cases changed.
    pub(super) fn events(&self, state: &AppState, caller: &Caller, events: &[LiveEvent]) -> Option<LiveData> {
        let facts = state.facts();
        match self {
            Self::Alerts => {
                let own = caller.own_devices(&facts);
                let rules = alert::Rules::of(state);
                let mine = |event: &LiveEvent| match event {
                    LiveEvent::Alert(event) if own.as_ref().is_none_or(|own| own.contains(&event.alert.device)) => {
                        Some(alert::row(&facts, &rules, &event.alert))
                    }
                    _ => None,
                };
                let alerts: Vec<_> = events.iter().filter_map(mine).collect();
                let head = alerts.iter().map(|row| row.seq).max()?.max(state.book.head());
                Some(LiveData::Alerts(AlertsLive { alerts, head, open: state.book.open(own.as_deref()) }))
            }
            Self::Cases => {
                let now = state.now();
                let cases: Vec<_> = events
                    .iter()
                    .filter_map(|event| match event {
                        LiveEvent::Case(event) => Some(case::row(&facts, &event.case, now)),
                        LiveEvent::Alert(_) => None,
                    })
                    .collect();
                (!cases.is_empty()).then_some(LiveData::Cases(CasesLive { cases }))
            }
            _ => None,
        }
    }
}

async fn open_alerts(state: &AppState, caller: &Caller, facts: &Facts) -> ApiResult<AlertsLive> {
    let own = caller.own_devices(facts);
    let query = AlertQuery {
        states: vec![AlertState::Open, AlertState::Acknowledged],
        devices: own.clone(),
        limit: Some(200),
        ..AlertQuery::default()
    };
    let rules = alert::Rules::of(state);
    let rows = state.cases.alerts(&query).await?.rows;
    let alerts: Vec<_> = rows.iter().map(|row| alert::row(facts, &rules, row)).collect();
    let head = alerts.iter().map(|row| row.seq).max().unwrap_or(0).max(state.book.head());
    Ok(AlertsLive { alerts, head, open: state.book.open(own.as_deref()) })
}

/// What is new of a device: values not sent before, its fix, its contact.
fn device_live(
    state: &AppState,
    facts: &Facts,
    id: DeviceId,
    known: Option<&DeviceState>,
    contact: device::Contact,
    sent: &mut BTreeMap<(Quantity, Statistic), (EventTime, u64)>,
    now: IngestTime,
) -> DeviceLive {
    let mut fresh = |value: &&LiveValue| {
        let mark = (value.at, value.value.to_bits());
        sent.insert((value.quantity, value.statistic), mark) != Some(mark)
    };
    let values = known.into_iter().flat_map(|known| &known.values).filter(&mut fresh);
    let values = values.filter_map(|value| device::value(state, value)).collect();
    let fix = known.and_then(|known| device::truck_fix(state, facts, facts.devices.get(&id)?, known, now));
    let newest = state.trace.frames(id);
    DeviceLive {
        device: id.0,
        presence: contact.presence,
        connected: contact.connected,
        last_contact: contact.last.map(Into::into),
        values,
        fix,
        events: Vec::new(),
        commands: Vec::new(),
        verdict: newest.iter().find_map(|frame| frame.verdict).map(Into::into),
    }
}

pub(crate) fn event(record: &SettledRecord) -> Option<EventLive> {
    let happening = record.body.happening.as_ref()?;
    Some(EventLive {
        kind: RecordKind::Event.into(),
        what: happening.what.clone(),
        at: record.key.at.into(),
        end: happening.end.map(Into::into),
        plate: happening.plate.clone(),
        pictures: picture::of(record).map(|id| id.to_string()).collect(),
    })
}

fn subjects_of(facts: &Facts, moved: &[DeviceState], now: IngestTime) -> BTreeSet<i64> {
    moved
        .iter()
        .filter_map(|known| facts.installation_at(known.device, EventTime(now.0)))
        .map(|row| row.subject.0)
        .collect()
}

/// States of subjects other than trucks that differ from those sent; `only`: look at these alone.
fn states(
    state: &AppState,
    facts: &Facts,
    now: IngestTime,
    bbox: Option<[f64; 4]>,
    sent: &mut BTreeMap<i64, SubjectState>,
    only: Option<&BTreeSet<i64>>,
) -> Vec<SubjectStateOf> {
    if only.is_some_and(BTreeSet::is_empty) {
        return Vec::new();
    }
    let installed = Installed::now(facts, now);
    facts
        .subjects
        .values()
        .filter(|subject| {
            subject.active
                && !matches!(subject.details, SubjectDetails::Truck { .. })
                && only.is_none_or(|only| only.contains(&subject.id.0))
                && subject.place.is_none_or(|place| in_box(bbox, place.into()))
        })
        .filter_map(|subject| {
            let new = current(state, facts, subject, installed.at(subject.id), now);
            if sent.get(&subject.id.0) == Some(&new) {
                return None;
            }
            sent.insert(subject.id.0, new.clone());
            Some(SubjectStateOf { id: subject.id.0, state: new })
        })
        .collect()
}

fn in_box(bbox: Option<[f64; 4]>, Place([lon, lat]): Place) -> bool {
    bbox.is_none_or(|[west, south, east, north]| lon >= west && lon <= east && lat >= south && lat <= north)
}
