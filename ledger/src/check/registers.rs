//! What areas, notices, night permits, cleaning records, manifests, maintenance, schedules and background stations must be.

use super::{Told, code, is_a, meet, name, outline, place, span, windows};
use crate::error::Problem;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::register::{
    Area, AreaPurpose, Background, Cleaning, Maintenance, Manifest, NightPermit, Notice, Object, Schedule,
};
use model::time::EventTime;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn area(row: &Area, told: &mut Told<'_>) {
    code(&row.code, told);
    name(&row.name, told);
    match &row.circle {
        Some(circle) => {
            told.must(row.outline.is_empty(), "circle", "an area has an outline or a circle; leave one of them out");
            place(circle.centre, "circle.centre", told);
            let right = (RADIUS_M_MIN..=RADIUS_M_MAX).contains(&circle.radius_m);
            told.must(right, "circle.radius_m", "write metres from 5 to 20000");
        }
        None if row.outline.is_empty() => told.bad("outline", "write at least 3 points, or a circle"),
        None => {
            outline(&row.outline, told);
            if let Some((one, other)) = crossing(&row.outline) {
                let text = format!("the side from point {one} crosses the side from point {other}; mend their order");
                told.bad(&format!("outline[{}]", one - 1), text);
            }
        }
    }
    let speed = row.speed_limit_kmh;
    told.must(speed.is_none_or(|kmh| (1.0..=150.0).contains(&kmh)), "speed_limit_kmh", "write km/h from 1 to 150");
    let named = row.purpose != AreaPurpose::Speed || speed.is_some();
    told.must(named, "speed_limit_kmh", "a speed zone has a limit: write km/h");
    windows(&row.windows, "windows", told);
    span(row.valid_from, row.valid_to, told);
}

/// Two sides that cross, by the 1-based numbers of their first points. Outlines have few points; past [`CROSSING_MAX`] it is not asked.
fn crossing(ring: &[model::geo::Wgs84]) -> Option<(usize, usize)> {
    let count = ring.len();
    if !(4..=CROSSING_MAX).contains(&count) {
        return None;
    }
    let side = |index: usize| Some((ring.get(index)?, ring.get((index + 1) % count)?));
    let turn = |a: &model::geo::Wgs84, b: &model::geo::Wgs84, c: &model::geo::Wgs84| {
        (b.lon - a.lon) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lon - a.lon)
    };
    for first in 0..count {
        let (a, b) = side(first)?;
        for second in first + 2..count {
            if first == 0 && second == count - 1 {
                continue;
            }
            let (c, d) = side(second)?;
            let apart = |one: f64, other: f64| (one > 0.0 && other < 0.0) || (one < 0.0 && other > 0.0);
            if apart(turn(a, b, c), turn(a, b, d)) && apart(turn(c, d, a), turn(c, d, b)) {
                return Some((first + 1, second + 1));
            }
        }
    }
    None
}

pub(super) fn notice(row: &Notice, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    for (index, id) in row.grids.iter().enumerate() {
        told.must(facts.grids.contains_key(id), &format!("grids[{index}]"), "there is no such grid; write a known one");
    }
    region(&row.region, facts, told);
    told.must(!row.stops.is_empty(), "stops", "write what it stops: earthwork, muck_transport");
    told.must(!repeats(&row.stops), "stops", "one kind of work stands twice; keep one");
    span(row.valid_from, row.valid_to, told);
}

/// A region that no grid is in would never hold.
fn region(region: &str, facts: &Facts, told: &mut Told<'_>) {
    let known = region.is_empty() || facts.grids.values().any(|grid| grid.code.starts_with(region));
    told.must(known, "region", "no grid's code begins so; write the first digits of one, or leave it out for all");
}

fn repeats<T: Ord>(items: &[T]) -> bool {
    items.iter().collect::<BTreeSet<_>>().len() < items.len()
}

pub(super) fn night_permit(row: &NightPermit, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    is_a(row.site, "site", "site", facts, told);
    windows(&row.windows, "windows", told);
    span(row.valid_from, row.valid_to, told);
    told.must(row.valid_to.is_some(), "valid_to", "a night permit ends; write its last day");
}

pub(super) fn cleaning(row: &Cleaning, facts: &Facts, told: &mut Told<'_>) {
    is_a(row.subject, "restaurant", "subject", facts, told);
    told.must(!row.parts.is_empty(), "parts", "write what was cleaned: hood, duct, purifier, fan");
    told.must(!repeats(&row.parts), "parts", "one part stands twice; keep one");
    told.must(row.cleaned_at >= YEAR_2000, "cleaned_at", "lies before the year 2000; write the day it was cleaned");
}

pub(super) fn manifest(row: &Manifest, facts: &Facts, told: &mut Told<'_>) {
    code(&row.code, told);
    is_a(row.truck, "truck", "truck", facts, told);
    row.site.into_iter().for_each(|id| is_a(id, "site", "site", facts, told));
    row.disposal_site.into_iter().for_each(|id| is_a(id, "disposal_site", "disposal_site", facts, told));
    if let Some(id) = row.permit {
        match facts.permits.get(&id) {
            None => told.bad("permit", format!("there is no permit {id}; write a known one")),
            Some(permit) if !permit.trucks.contains(&row.truck) => {
                told.bad("permit", format!("{} does not name this truck; write one that does", permit.code));
            }
            Some(_) => {}
        }
    }
    told.must(row.loaded_at >= YEAR_2000, "loaded_at", "lies before the year 2000; write when it was loaded");
    let after = row.unloaded_at.is_none_or(|end| row.loaded_at < end);
    told.must(after, "unloaded_at", "must be after loaded_at; leave it out while under way");
    let volume = row.volume_m3.is_none_or(|m3| m3 > 0.0 && m3 <= 100.0);
    told.must(volume, "volume_m3", "write cubic metres above 0, at most 100");
}

/// One number stands once from each source. One walk over all manifests for the whole batch.
pub(super) fn unique_manifests(objects: &[(usize, &Object)], facts: &Facts, problems: &mut Vec<Problem>) {
    let mut owners = BTreeMap::new();
    for (index, object) in objects {
        if let Object::Manifest(row) = object {
            owners.entry((row.code.as_str(), row.source)).or_insert_with(Vec::new).push((*index, row.id));
        }
    }
    if owners.is_empty() {
        return;
    }
    for other in facts.manifests.values() {
        let Some(rows) = owners.get(&(other.code.as_str(), other.source)) else { continue };
        for (index, _) in rows.iter().filter(|(_, id)| *id != other.id) {
            let mut told = Told { index: *index, problems };
            told.bad("code", format!("{} is taken by another manifest of this source; write another", other.code));
        }
    }
}

pub(super) fn maintenance(row: &Maintenance, facts: &Facts, told: &mut Told<'_>) {
    row.device.into_iter().for_each(|id| known_device(id, facts, told));
    row.subject.into_iter().for_each(|id| known_subject(id, facts, told));
    let one = row.device.is_none() || row.subject.is_none();
    told.must(one, "subject", "write a device or a subject, not both; neither is everything");
    told.must(!row.why.trim().is_empty(), "why", "write why; everybody sees it");
    span(row.valid_from, row.valid_to, told);
    match row.valid_to {
        None => told.bad("valid_to", "maintenance ends; write when"),
        Some(end) => {
            let days = end.since_ms(row.valid_from) / DAY_MS;
            told.must(days <= MAINTENANCE_DAYS_MAX, "valid_to", "lasts more than 366 days; retire the device instead");
        }
    }
}

fn known_device(id: DeviceId, facts: &Facts, told: &mut Told<'_>) {
    told.must(facts.devices.contains_key(&id), "device", "there is no such device; write a known one");
}

fn known_subject(id: SubjectId, facts: &Facts, told: &mut Told<'_>) {
    told.must(facts.subjects.contains_key(&id), "subject", "there is no such subject; write a known one");
}

pub(super) fn schedule(row: &Schedule, facts: &Facts, told: &mut Told<'_>) {
    row.subject.into_iter().for_each(|id| known_subject(id, facts, told));
    let kind = row.subject_kind.as_str();
    match (row.subject, kind) {
        (None, "restaurant" | "site" | "disposal_site") | (Some(_), "") => {}
        (None, _) => told.bad("subject_kind", "write a subject, or the kind: restaurant, site or disposal_site"),
        (Some(_), _) => told.bad("subject_kind", "write a subject or a kind, not both"),
    }
    windows(&row.open, "open", told);
    windows(&row.peaks, "peaks", told);
    let empty = row.open.is_empty() && row.peaks.is_empty();
    told.must(!empty, "open", "write open hours or meal peaks, or leave the row out");
    span(row.valid_from, row.valid_to, told);
    let rival = facts.schedules.values().find(|other| {
        other.id != row.id
            && (other.subject, &other.subject_kind) == (row.subject, &row.subject_kind)
            && meet((row.valid_from, row.valid_to), (other.valid_from, other.valid_to))
    });
    if let Some(rival) = rival {
        told.bad("valid_from", format!("schedule {} holds for the same at that time; end that first", rival.id));
    }
}

pub(super) fn background(row: &Background, facts: &Facts, told: &mut Told<'_>) {
    if Quantity::from_code(&row.quantity).and_then(Quantity::spec).is_none() {
        told.bad("quantity", format!("{:?} is no quantity; write one such as pm10", row.quantity));
    }
    known_device(row.device, facts, told);
    region(&row.region, facts, told);
    span(row.valid_from, row.valid_to, told);
    let rival = facts.backgrounds.values().find(|other| {
        other.id != row.id
            && (&other.quantity, &other.region) == (&row.quantity, &row.region)
            && meet((row.valid_from, row.valid_to), (other.valid_from, other.valid_to))
    });
    if let Some(rival) = rival {
        told.bad("valid_from", format!("station {} is the background at that time; end that first", rival.id));
    }
}

/// 2000-01-01T00:00:00Z.
const YEAR_2000: EventTime = EventTime(946_684_800_000);
const DAY_MS: i64 = 86_400_000;
const RADIUS_M_MIN: f64 = 5.0;
const RADIUS_M_MAX: f64 = 20_000.0;
const MAINTENANCE_DAYS_MAX: i64 = 366;
const CROSSING_MAX: usize = 500;
