//! What all register objects have in common: kind, key, id, code.

use model::facts::Facts;
use model::id::{
    AreaId, BackgroundId, CleaningId, DeviceId, GridId, InstallationId, LimitId, MaintenanceId, ManifestId,
    NightPermitId, NoticeId, OfficeId, PermitId, ScheduleId, SubjectId,
};
use model::register::{Object, SubjectDetails};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use serde::Serialize;
use std::sync::Arc;

/// Names one object of the registers: `("device", "12")`; profiles, calendars and rules by code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectKey {
    pub kind: &'static str,
    pub key: String,
}

pub(crate) const KINDS: [&str; 18] = [
    "office",
    "grid",
    "subject",
    "permit",
    "limit",
    "profile",
    "device",
    "installation",
    "calendar",
    "rule",
    "area",
    "notice",
    "night_permit",
    "cleaning",
    "manifest",
    "maintenance",
    "schedule",
    "background",
];

impl ObjectKey {
    pub fn of(object: &Object) -> Self {
        let (kind, key) = match object {
            Object::Office(row) => ("office", row.id.to_string()),
            Object::Grid(row) => ("grid", row.id.to_string()),
            Object::Subject(row) => ("subject", row.id.to_string()),
            Object::Permit(row) => ("permit", row.id.to_string()),
            Object::Limit(row) => ("limit", row.id.to_string()),
            Object::Profile(row) => ("profile", row.code.clone()),
            Object::Device(row) => ("device", row.id.to_string()),
            Object::Installation(row) => ("installation", row.id.to_string()),
            Object::Calendar(row) => ("calendar", row.code.clone()),
            Object::Rule(row) => ("rule", row.code.clone()),
            Object::Area(row) => ("area", row.id.to_string()),
            Object::Notice(row) => ("notice", row.id.to_string()),
            Object::NightPermit(row) => ("night_permit", row.id.to_string()),
            Object::Cleaning(row) => ("cleaning", row.id.to_string()),
            Object::Manifest(row) => ("manifest", row.id.to_string()),
            Object::Maintenance(row) => ("maintenance", row.id.to_string()),
            Object::Schedule(row) => ("schedule", row.id.to_string()),
            Object::Background(row) => ("background", row.id.to_string()),
        };
        Self { kind, key }
    }

    /// The object as the registers have it.
    pub fn find(&self, facts: &Facts) -> Option<Object> {
        let id = || self.key.parse::<i64>().ok();
        Some(match self.kind {
            "office" => Object::Office(own(facts.offices.get(&OfficeId(id()?))?)),
            "grid" => Object::Grid(own(facts.grids.get(&GridId(id()?))?)),
            "subject" => Object::Subject(own(facts.subjects.get(&SubjectId(id()?))?)),
            "permit" => Object::Permit(own(facts.permits.get(&PermitId(id()?))?)),
            "limit" => Object::Limit(own(facts.limits.get(&LimitId(id()?))?)),
            "profile" => Object::Profile(own(facts.profiles.get(&self.key)?)),
            "device" => Object::Device(own(facts.devices.get(&DeviceId(id()?))?)),
            "installation" => Object::Installation(own(facts.installations.get(&InstallationId(id()?))?)),
            "calendar" => Object::Calendar(own(facts.calendars.get(&self.key)?)),
            "rule" => Object::Rule(own(facts.rules.get(&self.key)?)),
            "area" => Object::Area(own(facts.areas.get(&AreaId(id()?))?)),
            "notice" => Object::Notice(own(facts.notices.get(&NoticeId(id()?))?)),
            "night_permit" => Object::NightPermit(own(facts.night_permits.get(&NightPermitId(id()?))?)),
            "cleaning" => Object::Cleaning(own(facts.cleanings.get(&CleaningId(id()?))?)),
            "manifest" => Object::Manifest(own(facts.manifests.get(&ManifestId(id()?))?)),
            "maintenance" => Object::Maintenance(own(facts.maintenances.get(&MaintenanceId(id()?))?)),
            "schedule" => Object::Schedule(own(facts.schedules.get(&ScheduleId(id()?))?)),
            "background" => Object::Background(own(facts.backgrounds.get(&BackgroundId(id()?))?)),
            _ => return None,
        })
    }
}

fn own<T: Clone>(row: &Arc<T>) -> T {
    T::clone(row)
}

/// All objects of one kind, in the order of their keys.
pub(crate) fn all_of(facts: &Facts, kind: &str) -> Vec<Object> {
    fn rows<K, T: Clone>(map: &std::collections::BTreeMap<K, Arc<T>>, wrap: fn(T) -> Object) -> Vec<Object> {
        map.values().map(|row| wrap(own(row))).collect()
    }
    match kind {
        "office" => rows(&facts.offices, Object::Office),
        "grid" => rows(&facts.grids, Object::Grid),
        "subject" => rows(&facts.subjects, Object::Subject),
        "permit" => rows(&facts.permits, Object::Permit),
        "limit" => rows(&facts.limits, Object::Limit),
        "profile" => rows(&facts.profiles, Object::Profile),
        "device" => rows(&facts.devices, Object::Device),
        "installation" => rows(&facts.installations, Object::Installation),
        "calendar" => rows(&facts.calendars, Object::Calendar),
        "rule" => rows(&facts.rules, Object::Rule),
        "area" => rows(&facts.areas, Object::Area),
        "notice" => rows(&facts.notices, Object::Notice),
        "night_permit" => rows(&facts.night_permits, Object::NightPermit),
        "cleaning" => rows(&facts.cleanings, Object::Cleaning),
        "manifest" => rows(&facts.manifests, Object::Manifest),
        "maintenance" => rows(&facts.maintenances, Object::Maintenance),
        "schedule" => rows(&facts.schedules, Object::Schedule),
        "background" => rows(&facts.backgrounds, Object::Background),
        _ => Vec::new(),
    }
}

/// A name for lists and messages: the code, or what stands for it.
pub(crate) fn label(object: &Object, facts: &Facts) -> String {
    match object {
        Object::Office(row) => row.code.clone(),
        Object::Grid(row) => row.code.clone(),
        Object::Subject(row) => row.code.clone(),
        Object::Permit(row) => row.code.clone(),
        Object::Limit(row) => format!(
            "{} {} {} {} {} from {}",
            row.quantity,
            row.region,
            row.standard,
            row.class,
            row.subject_kind,
            local(row.valid_from)
        ),
        Object::Profile(row) => row.code.clone(),
        Object::Device(row) => row.code.clone(),
        Object::Installation(row) => {
            let (device, subject) = (device_name(facts, row.device), subject_name(facts, row.subject));
            format!("{device} at {subject} {} from {}", row.point, local(row.valid_from))
        }
        Object::Calendar(row) => row.code.clone(),
        Object::Rule(row) => row.code.clone(),
        Object::Area(row) => row.code.clone(),
        Object::Notice(row) => row.code.clone(),
        Object::NightPermit(row) => row.code.clone(),
        Object::Cleaning(row) => format!("{} on {}", subject_name(facts, row.subject), local(row.cleaned_at)),
        Object::Manifest(row) => format!("{} {}", row.code, row.source.code()),
        Object::Maintenance(row) => {
            let device = row.device.map(|id| device_name(facts, id));
            let name = device.or_else(|| row.subject.map(|id| subject_name(facts, id))).unwrap_or("everything");
            format!("{name} from {}", local(row.valid_from))
        }
        Object::Schedule(row) => {
            let name = row.subject.map_or(row.subject_kind.as_str(), |id| subject_name(facts, id));
            format!("{name} from {}", local(row.valid_from))
        }
        Object::Background(row) => {
            let (device, from) = (device_name(facts, row.device), local(row.valid_from));
            format!("{} {} by {device} from {from}", row.quantity, row.region)
        }
    }
}

fn device_name(facts: &Facts, id: DeviceId) -> &str {
    facts.devices.get(&id).map_or("?", |device| &device.code)
}

fn subject_name(facts: &Facts, id: SubjectId) -> &str {
    facts.subjects.get(&id).map_or("?", |subject| &subject.code)
}

/// Beijing time, as the files and people write it: midnight is the day alone.
fn local(at: EventTime) -> String {
    match LocalStamp::of(at, BEIJING_OFFSET_MINUTES).fields() {
        Some((year, month, day, 0, 0, 0, 0)) => format!("{year:04}-{month:02}-{day:02}"),
        Some((year, month, day, hour, minute, ..)) => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"),
        None => at.to_rfc3339(),
    }
}

/// The id slot of an object that has one.
fn id_of(object: &mut Object) -> Option<&mut i64> {
    match object {
        Object::Office(row) => Some(&mut row.id.0),
        Object::Grid(row) => Some(&mut row.id.0),
        Object::Subject(row) => Some(&mut row.id.0),
        Object::Permit(row) => Some(&mut row.id.0),
        Object::Limit(row) => Some(&mut row.id.0),
        Object::Device(row) => Some(&mut row.id.0),
        Object::Installation(row) => Some(&mut row.id.0),
        Object::Area(row) => Some(&mut row.id.0),
        Object::Notice(row) => Some(&mut row.id.0),
        Object::NightPermit(row) => Some(&mut row.id.0),
        Object::Cleaning(row) => Some(&mut row.id.0),
        Object::Manifest(row) => Some(&mut row.id.0),
        Object::Maintenance(row) => Some(&mut row.id.0),
        Object::Schedule(row) => Some(&mut row.id.0),
        Object::Background(row) => Some(&mut row.id.0),
        Object::Profile(_) | Object::Calendar(_) | Object::Rule(_) => None,
    }
}

/// Visits each reference to another object: its kind and id.
fn each_reference(object: &mut Object, mut visit: impl FnMut(&'static str, &mut i64)) {
    match object {
        Object::Office(row) => row.parent.iter_mut().for_each(|id| visit("office", &mut id.0)),
        Object::Grid(row) => visit("office", &mut row.office.0),
        Object::Subject(row) => {
            row.grid.iter_mut().for_each(|id| visit("grid", &mut id.0));
            if let SubjectDetails::Gate { site } = &mut row.details {
                visit("subject", &mut site.0);
            }
        }
        Object::Permit(row) => {
            let subjects = row.trucks.iter_mut().chain(&mut row.site).chain(&mut row.disposal_site);
            subjects.for_each(|id| visit("subject", &mut id.0));
        }
        Object::Installation(row) => {
            visit("device", &mut row.device.0);
            visit("subject", &mut row.subject.0);
        }
        Object::Notice(row) => row.grids.iter_mut().for_each(|id| visit("grid", &mut id.0)),
        Object::NightPermit(row) => visit("subject", &mut row.site.0),
        Object::Cleaning(row) => visit("subject", &mut row.subject.0),
        Object::Manifest(row) => {
            visit("subject", &mut row.truck.0);
            row.site.iter_mut().chain(&mut row.disposal_site).for_each(|id| visit("subject", &mut id.0));
            row.permit.iter_mut().for_each(|id| visit("permit", &mut id.0));
        }
        Object::Maintenance(row) => {
            row.device.iter_mut().for_each(|id| visit("device", &mut id.0));
            row.subject.iter_mut().for_each(|id| visit("subject", &mut id.0));
        }
        Object::Schedule(row) => row.subject.iter_mut().for_each(|id| visit("subject", &mut id.0)),
        Object::Background(row) => visit("device", &mut row.device.0),
        Object::Limit(_)
        | Object::Profile(_)
        | Object::Device(_)
        | Object::Calendar(_)
        | Object::Rule(_)
        | Object::Area(_) => {}
    }
}

/// Gives ids to new objects (id ≤ 0) and puts them in the place of the negative ids that other objects of the batch use.
pub(crate) fn give_ids(objects: &mut [Object], facts: &Facts) {
    let mut next = std::collections::BTreeMap::new();
    let last = |kind: &str| match kind {
        "office" => facts.offices.keys().next_back().map_or(0, |id| id.0),
        "grid" => facts.grids.keys().next_back().map_or(0, |id| id.0),
        "subject" => facts.subjects.keys().next_back().map_or(0, |id| id.0),
        "permit" => facts.permits.keys().next_back().map_or(0, |id| id.0),
        "limit" => facts.limits.keys().next_back().map_or(0, |id| id.0),
        "device" => facts.devices.keys().next_back().map_or(0, |id| id.0),
        "area" => facts.areas.keys().next_back().map_or(0, |id| id.0),
        "notice" => facts.notices.keys().next_back().map_or(0, |id| id.0),
        "night_permit" => facts.night_permits.keys().next_back().map_or(0, |id| id.0),
        "cleaning" => facts.cleanings.keys().next_back().map_or(0, |id| id.0),
        "manifest" => facts.manifests.keys().next_back().map_or(0, |id| id.0),
        "maintenance" => facts.maintenances.keys().next_back().map_or(0, |id| id.0),
        "schedule" => facts.schedules.keys().next_back().map_or(0, |id| id.0),
        "background" => facts.backgrounds.keys().next_back().map_or(0, |id| id.0),
        _ => facts.installations.keys().next_back().map_or(0, |id| id.0),
    };
    let mut given = std::collections::BTreeMap::new();
    for object in objects.iter_mut() {
        let kind = ObjectKey::of(object).kind;
        let Some(id) = id_of(object).filter(|id| **id <= 0) else { continue };
        let new: &mut i64 = next.entry(kind).or_insert_with(|| last(kind));
        *new += 1;
        if *id < 0 {
            given.insert((kind, *id), *new);
        }
        *id = *new;
    }
    for object in objects {
        each_reference(object, |kind, id| {
            if let Some(new) = given.get(&(kind, *id)) {
                *id = *new;
            }
        });
    }
}
