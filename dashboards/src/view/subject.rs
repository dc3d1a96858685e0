//! Subjects with what is known of them now.

use crate::dto::common::{DeviceRef, Place};
use crate::dto::map::{MapReading, SubjectState};
use crate::dto::subjects::{Details, SubjectRow};
use crate::dto::words::Presence;
use crate::state::AppState;
use crate::view::{device, refs};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::register::{Subject, SubjectDetails};
use model::time::{EventTime, IngestTime};
use std::collections::BTreeMap;

/// Which devices are installed at each subject now.
#[derive(Debug, Default)]
pub(crate) struct Installed(BTreeMap<SubjectId, Vec<DeviceId>>);

impl Installed {
    pub(crate) fn now(facts: &Facts, now: IngestTime) -> Self {
        let at = EventTime(now.0);
        let mut map: BTreeMap<SubjectId, Vec<DeviceId>> = BTreeMap::new();
        for id in facts.devices.keys() {
            if let Some(row) = facts.installation_at(*id, at) {
                map.entry(row.subject).or_default().push(*id);
            }
        }
        Self(map)
    }

    pub(crate) fn at(&self, subject: SubjectId) -> &[DeviceId] {
        self.0.get(&subject).map_or(&[], Vec::as_slice)
    }
}

/// Presence and reading of a subject from all its devices.
pub(crate) fn current(
    state: &AppState,
    facts: &Facts,
    subject: &Subject,
    devices: &[DeviceId],
    now: IngestTime,
) -> SubjectState {
    let mut presence = Presence::Never;
    let mut reading: Option<MapReading> = None;
    let rank = |presence: Presence| match presence {
        Presence::Online => 4,
        Presence::Silent => 3,
        Presence::Connected => 2,
        Presence::Disabled => 1,
        Presence::Never => 0,
    };
    for row in devices.iter().filter_map(|id| facts.devices.get(id)) {
        let known = state.hub.device(row.id);
        let contact = device::contact_with(state, facts, row, known.as_ref().map(|known| known.received), now);
        if rank(contact.presence) > rank(presence) {
            presence = contact.presence;
        }
        let new = known.and_then(|known| device::reading(facts, subject, &known, now));
        if new.as_ref().map(|new| new.at) > reading.as_ref().map(|old| old.at) {
            reading = new;
        }
    }
    if let Some(reading) = &mut reading {
        reading.valid &= presence == Presence::Online;
    }
    SubjectState { presence, open_alerts: state.book.of_subject(subject.id), reading }
}

pub(crate) fn row(
    state: &AppState,
    facts: &Facts,
    subject: &Subject,
    devices: &[DeviceId],
    now: IngestTime,
) -> SubjectRow {
    let current = current(state, facts, subject, devices, now);
    let grid = subject.grid.and_then(|id| facts.grids.get(&id));
    SubjectRow {
        id: subject.id.0,
        code: subject.code.clone(),
        name: subject.name.clone(),
        active: subject.active,
        grid: subject.grid.and_then(|id| refs::grid(facts, id)),
        office: grid.and_then(|grid| refs::office(facts, grid.office)),
        place: subject.place.map(Place::from),
        details: details(&subject.details),
        presence: current.presence,
        devices: devices.iter().filter_map(|id| refs::device(facts, *id)).collect::<Vec<DeviceRef>>(),
        open_alerts: u64::from(current.open_alerts),
    }
}

pub(crate) fn details(details: &SubjectDetails) -> Details {
    match details.clone() {
        SubjectDetails::Restaurant { size_class, stoves, address, licence, contact, phone } => {
            Details::Restaurant { size_class, stoves, address, licence, contact, phone }
        }
        SubjectDetails::Site { stage, address, builder, outline } => {
            Details::Site { stage, address, builder, outline: refs::places(&outline) }
        }
        SubjectDetails::Gate { site } => Details::Gate { site: site.0 },
        SubjectDetails::DisposalSite { outline, capacity_m3 } => {
            Details::DisposalSite { outline: refs::places(&outline), capacity_m3 }
        }
        SubjectDetails::Truck { plate, plate_colour, company, load_t } => {
            Details::Truck { plate, plate_colour, company, load_t }
        }
    }
}

/// `None`: a point of an outline is no place on earth.
pub(crate) fn details_in(details: Details) -> Option<SubjectDetails> {
    Some(match details {
        Details::Restaurant { size_class, stoves, address, licence, contact, phone } => {
            SubjectDetails::Restaurant { size_class, stoves, address, licence, contact, phone }
        }
        Details::Site { stage, address, builder, outline } => {
            SubjectDetails::Site { stage, address, builder, outline: line_in(&outline)? }
        }
        Details::Gate { site } => SubjectDetails::Gate { site: SubjectId(site) },
        Details::DisposalSite { outline, capacity_m3 } => {
            SubjectDetails::DisposalSite { outline: line_in(&outline)?, capacity_m3 }
        }
        Details::Truck { plate, plate_colour, company, load_t } => {
            SubjectDetails::Truck { plate, plate_colour, company, load_t }
        }
    })
}

/// `None` when one of them is no place on earth.
pub(crate) fn line_in(line: &[Place]) -> Option<Vec<Wgs84>> {
    line.iter().map(|place| place.to_wgs84()).collect()
}

/// The outline of a site or disposal site.
pub(crate) fn outline(subject: &Subject) -> Vec<Place> {
    match &subject.details {
        SubjectDetails::Site { outline, .. } | SubjectDetails::DisposalSite { outline, .. } => refs::places(outline),
        _ => Vec::new(),
    }
}
