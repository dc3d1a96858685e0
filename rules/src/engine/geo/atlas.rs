//! What the rules know of places: zones, permitted routes and plates, made of the registers once and kept up to date by
//! revisions. It follows from the facts alone.

use super::corridors::Corridors;
use super::plate;
use super::zones::{Outline, Zone, ZoneId, ZoneKind, Zones};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::SubjectId;
use model::register::{Area, AreaPurpose, Object, Subject, SubjectDetails};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default)]
pub(crate) struct Atlas {
    pub(crate) zones: Zones,
    pub(crate) corridors: Corridors,
    /// Grows with every edit that moves a place; for judges to see that they have to judge again.
    pub(crate) places: u64,
    /// The same for notices and calendars, which override permits and shift their windows.
    pub(crate) others: u64,
    /// The same for trucks and for permits.
    pub(crate) trucks_known: u64,
    pub(crate) permits_known: u64,
    trucks: BTreeMap<String, SubjectId>,
    plates: BTreeMap<SubjectId, String>,
}

impl Atlas {
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut atlas = Self::default();
        facts.subjects.values().for_each(|row| atlas.put_subject(row));
        facts.permits.values().for_each(|row| atlas.corridors.put(row));
        facts.areas.values().for_each(|row| atlas.put_area(row));
        atlas
    }

    pub(crate) fn apply(&mut self, object: &Object) {
        match object {
            Object::Subject(row) => {
                self.put_subject(row);
                let is_place = matches!(row.details, SubjectDetails::Site { .. } | SubjectDetails::DisposalSite { .. });
                self.places += u64::from(is_place);
                self.trucks_known += u64::from(matches!(row.details, SubjectDetails::Truck { .. }));
            }
            Object::Area(row) => {
                self.put_area(row);
                self.places += 1;
            }
            Object::Permit(row) => {
                self.corridors.put(row);
                self.permits_known += 1;
            }
            Object::Notice(_) | Object::Calendar(_) => self.others += 1,
            _ => {}
        }
    }

    /// The truck of a normal plate.
    pub(crate) fn truck(&self, normal: &str) -> Option<SubjectId> {
        self.trucks.get(normal).copied()
    }

    /// Whether a truck of the register has a plate that a camera may have misread as this one.
    pub(crate) fn is_misreading(&self, normal: &str) -> bool {
        self.trucks.keys().any(|known| plate::is_misread(known, normal))
    }

    fn put_subject(&mut self, row: &Subject) {
        if let SubjectDetails::Truck { plate, .. } = &row.details {
            if let Some(old) = self.plates.remove(&row.id)
                && self.trucks.get(&old) == Some(&row.id)
            {
                self.trucks.remove(&old);
            }
            let normal = plate::normal(plate);
            if row.active && !normal.is_empty() {
                self.trucks.insert(normal.clone(), row.id);
                self.plates.insert(row.id, normal);
            }
            return;
        }
        let id = ZoneId::Subject(row.id.0);
        self.zones.remove(id);
        let (kind, outline, radius_m) = match &row.details {
            SubjectDetails::Site { outline, .. } => (ZoneKind::Site, outline, SITE_RADIUS_M),
            SubjectDetails::DisposalSite { outline, .. } => (ZoneKind::Dump, outline, DUMP_RADIUS_M),
            _ => return,
        };
        if let Some(outline) = outline_of(outline, row.place.map(|place| (place, radius_m))).filter(|_| row.active) {
            let (from, to) = (i64::MIN, i64::MAX);
            self.zones.put(Zone { id, kind, outline, speed_max_kmh: None, windows: Vec::new(), from, to });
        }
    }

    fn put_area(&mut self, row: &Area) {
        let id = ZoneId::Area(row.id.0);
        self.zones.remove(id);
        let kind = match row.purpose {
            AreaPurpose::NoGo => ZoneKind::NoGo,
            AreaPurpose::Parking => ZoneKind::Parking,
            AreaPurpose::TemporaryDump | AreaPurpose::Transfer => ZoneKind::OpenDump,
            AreaPurpose::Speed | AreaPurpose::Sensitive => ZoneKind::Speed,
        };
        if let Some(outline) = outline_of(&row.outline, row.circle.map(|circle| (circle.centre, circle.radius_m))) {
            self.zones.put(Zone {
                id,
                kind,
                outline,
                speed_max_kmh: row.speed_limit_kmh,
                windows: row.windows.clone(),
                from: row.valid_from.0,
                to: row.valid_to.map_or(i64::MAX, |to| to.0),
            });
        }
    }
}

fn outline_of(ring: &[Wgs84], circle: Option<(Wgs84, f64)>) -> Option<Outline> {
    if ring.len() >= 3 {
        return Some(Outline::Ring(ring.to_vec()));
    }
    circle.map(|(centre, radius_m)| Outline::Circle { centre, radius_m })
}

/// Around a site without an outline.
const SITE_RADIUS_M: f64 = 150.0;
/// Around a disposal site without an outline.
const DUMP_RADIUS_M: f64 = 300.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::geo::testing;

    #[test]
    fn a_truck_that_changes_its_plate_is_found_by_the_new_one_alone() {
        let mut atlas = Atlas::default();
        let row = |plate: &str, active| Object::Subject(Subject { active, ..testing::truck(7, plate) });
        atlas.apply(&row("豫A·12345", true));
        assert_eq!(atlas.truck("豫A12345"), Some(SubjectId(7)));
        atlas.apply(&row("豫A99999", true));
        assert_eq!((atlas.truck("豫A12345"), atlas.truck("豫A99999")), (None, Some(SubjectId(7))));
        assert!(atlas.is_misreading("豫A99998") && !atlas.is_misreading("豫A88888"));
        atlas.apply(&row("豫A99999", false));
        assert_eq!(atlas.truck("豫A99999"), None);
    }

    #[test]
    fn a_site_without_an_outline_is_a_circle_and_one_that_was_retired_is_none() {
        let mut atlas = Atlas::default();
        let site = |active| Object::Subject(Subject { active, ..testing::site(3, testing::off(0.0, 0.0)) });
        atlas.apply(&site(true));
        assert_eq!(atlas.places, 1);
        let nearest = |atlas: &Atlas| atlas.zones.nearest(testing::off(140.0, 0.0), 0, |_| true);
        assert!(nearest(&atlas).is_some_and(|(id, metres)| id == ZoneId::Subject(3) && metres < 0.0));
        atlas.apply(&site(false));
        assert_eq!(nearest(&atlas), None);
    }
}
