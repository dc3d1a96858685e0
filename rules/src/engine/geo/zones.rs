//! Zones: closed shapes that places lie in or beside, found by a grid. A place is asked for once and gets every zone it is
//! in or near, each with a signed distance: metres outside, negative inside. So hysteresis in metres is a comparison, and
//! what a distance means is the rule's.
//!
//! A cell of the grid that lies wholly inside a zone, farther from its edge than [`REACH_M`], holds that and no outline, so
//! that a large no-go area with hundreds of corners costs a look-up.

use super::plane::{Extent, Flat, METRES_A_DEGREE, Plane, to_segment2};
use ahash::AHashMap;
use model::geo::Wgs84;
use std::collections::BTreeMap;

/// Which row of the registers a zone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ZoneId {
    /// A site or disposal site.
    Subject(i64),
    /// An area of the register.
    Area(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ZoneKind {
    Site,
    /// A disposal site.
    Dump,
    /// An area where unloading is permitted to everyone: a temporary dump or a transfer station.
    OpenDump,
    Parking,
    NoGo,
    /// Its speed limit alone counts.
    Speed,
}

impl ZoneKind {
    /// A place where a truck may stand, be open and lift its bed without anyone wondering. A depot is one: beds are washed
    /// and mended there.
    pub(crate) const fn is_known_stop(self) -> bool {
        matches!(self, Self::Site | Self::Dump | Self::OpenDump | Self::Parking)
    }
}

/// What a zone is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outline {
    Circle {
        centre: Wgs84,
        radius_m: f64,
    },
    /// At least three corners, the first not repeated.
    Ring(Vec<Wgs84>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Zone {
    pub(crate) id: ZoneId,
    pub(crate) kind: ZoneKind,
    pub(crate) outline: Outline,
    /// Of a speed zone.
    pub(crate) speed_max_kmh: Option<f64>,
    pub(crate) windows: Vec<model::register::WeekWindow>,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Zone {
    pub(crate) const fn holds_at(&self, at: i64) -> bool {
        self.from <= at && at < self.to
    }
}

/// All zones.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    by_id: BTreeMap<ZoneId, u32>,
    placed: Vec<Option<Placed>>,
    cells: AHashMap<(i32, i32), Vec<Entry>>,
}

#[derive(Debug, Clone)]
struct Placed {
    zone: Zone,
    plane: Plane,
    ring: Vec<Flat>,
    extent: Extent,
    cells: Vec<(i32, i32)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Entry {
    zone: u32,
    /// The whole cell lies deep inside.
    is_deep: bool,
}

impl Default for Zones {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), placed: Vec::new(), cells: AHashMap::new() }
    }
}

impl Zones {
    /// Adds a zone or puts it in the place of the one with its id.
    pub(crate) fn put(&mut self, zone: Zone) {
        self.remove(zone.id);
        let Some(mut placed) = Placed::new(zone) else { return };
        let free = self.placed.iter().position(Option::is_none).unwrap_or(self.placed.len());
        let Ok(number) = u32::try_from(free) else { return };
        for (cell, is_deep) in placed.cover() {
            self.cells.entry(cell).or_default().push(Entry { zone: number, is_deep });
            placed.cells.push(cell);
        }
        self.by_id.insert(placed.zone.id, number);
        if free == self.placed.len() {
            self.placed.push(None);
        }
        if let Some(slot) = self.placed.get_mut(free) {
            *slot = Some(placed);
        }
    }

    pub(crate) fn remove(&mut self, id: ZoneId) {
        let Some(number) = self.by_id.remove(&id) else { return };
        let Some(placed) = self.placed.get_mut(number as usize).and_then(Option::take) else { return };
        for cell in placed.cells {
            if let Some(list) = self.cells.get_mut(&cell) {
                list.retain(|entry| entry.zone != number);
            }
        }
    }

    pub(crate) fn get(&self, id: ZoneId) -> Option<&Zone> {
        let number = self.by_id.get(&id)?;
        self.placed.get(*number as usize)?.as_ref().map(|placed| &placed.zone)
    }

    /// Every zone that the place is in or within [`REACH_M`] of, with its signed distance (−[`REACH_M`]: so deep or deeper).
    pub(crate) fn near(&self, place: Wgs84, mut with: impl FnMut(&Zone, f64)) {
        let Some(list) = self.cells.get(&cell_of(place)) else { return };
        for entry in list {
            let Some(Some(placed)) = self.placed.get(entry.zone as usize) else { continue };
            let metres = if entry.is_deep { -REACH_M } else { placed.signed_m(place) };
            if metres <= REACH_M {
                with(&placed.zone, metres);
            }
        }
    }

    /// The zone of a kind that the place is deepest in or nearest to, with its signed distance; of two alike the lower id.
    pub(crate) fn nearest(&self, place: Wgs84, at: i64, wanted: impl Fn(&Zone) -> bool) -> Option<(ZoneId, f64)> {
        let mut best: Option<(ZoneId, f64)> = None;
        self.near(place, |zone, metres| {
            let is_better = best.is_none_or(|(id, least)| metres < least || (metres <= least && zone.id < id));
            if is_better && zone.holds_at(at) && wanted(zone) {
                best = Some((zone.id, metres));
            }
        });
        best
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Placed {
    fn new(zone: Zone) -> Option<Self> {
        let (plane, ring, extent) = match &zone.outline {
            Outline::Circle { centre, radius_m } => {
                let (low, high) = ((-radius_m, -radius_m), (*radius_m, *radius_m));
                (Plane::at(*centre), Vec::new(), Extent { low, high })
            }
            Outline::Ring(corners) if corners.len() >= 3 => {
                let plane = Plane::at(*corners.first()?);
                let ring: Vec<Flat> = corners.iter().map(|corner| plane.flat(*corner)).collect();
                let extent = Extent::of(&ring);
                (plane, ring, extent)
            }
            Outline::Ring(_) => return None,
        };
        Some(Self { zone, plane, ring, extent, cells: Vec::new() })
    }

    fn signed_m(&self, place: Wgs84) -> f64 {
        let p = self.plane.flat(place);
        if let Outline::Circle { radius_m, .. } = self.zone.outline {
            return ((p.0 * p.0 + p.1 * p.1).sqrt() - radius_m).max(-REACH_M);
        }
        let beside = self.extent.distance2(p);
        if beside > REACH_M * REACH_M {
            return beside.sqrt();
        }
        let (mut least, mut is_inside) = (f64::INFINITY, false);
        let mut a = self.ring.last().copied().unwrap_or_default();
        for b in &self.ring {
            least = least.min(to_segment2(p, a, *b));
            if (a.1 > p.1) != (b.1 > p.1) && p.0 < (b.0 - a.0) * (p.1 - a.1) / (b.1 - a.1) + a.0 {
                is_inside = !is_inside;
            }
            a = *b;
        }
        if is_inside { (-least.sqrt()).max(-REACH_M) } else { least.sqrt() }
    }

    /// The cells it touches or comes within reach of.
    fn cover(&self) -> Vec<((i32, i32), bool)> {
        let centre = match &self.zone.outline {
            Outline::Circle { centre, .. } => *centre,
            Outline::Ring(corners) => corners.first().copied().unwrap_or(Wgs84 { lon: 0.0, lat: 0.0 }),
        };
        let east_m = METRES_A_DEGREE * centre.lat.to_radians().cos().max(0.01);
        let corner = |flat: Flat, by: f64| Wgs84 {
            lon: centre.lon + (flat.0 + by) / east_m,
            lat: centre.lat + (flat.1 + by) / METRES_A_DEGREE,
        };
        let (low, high) =
            (cell_of(corner(self.extent.low, -REACH_M - 1.0)), cell_of(corner(self.extent.high, REACH_M + 1.0)));
        let mut cells = Vec::new();
        for x in low.0..=high.0.min(low.0.saturating_add(CELLS_A_SIDE_MAX)) {
            for y in low.1..=high.1.min(low.1.saturating_add(CELLS_A_SIDE_MAX)) {
                let middle =
                    Wgs84 { lon: (f64::from(x) + 0.5) / CELLS_A_DEGREE, lat: (f64::from(y) + 0.5) / CELLS_A_DEGREE };
                // Half a cell's diagonal at the equator: farther than that from the edge, the whole cell is on one side.
                let (metres, reach) = (self.far_signed_m(middle), HALF_DIAGONAL_M + REACH_M);
                if metres <= reach {
                    cells.push(((x, y), metres < -reach));
                }
            }
        }
        cells
    }

    /// Without the bound that [`Self::signed_m`] puts on depth.
    fn far_signed_m(&self, place: Wgs84) -> f64 {
        let p = self.plane.flat(place);
        if let Outline::Circle { radius_m, .. } = self.zone.outline {
            return (p.0 * p.0 + p.1 * p.1).sqrt() - radius_m;
        }
        let mut a = self.ring.last().copied().unwrap_or_default();
        let mut least = f64::INFINITY;
        for b in &self.ring {
            least = least.min(to_segment2(p, a, *b));
            a = *b;
        }
        if self.signed_m(place) < 0.0 { -least.sqrt() } else { least.sqrt() }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees times 200 fit 32 bits")]
fn cell_of(place: Wgs84) -> (i32, i32) {
    ((place.lon * CELLS_A_DEGREE).floor() as i32, (place.lat * CELLS_A_DEGREE).floor() as i32)
}

/// How far beside a zone a place still hears of it.
pub(crate) const REACH_M: f64 = 100.0;
/// About 550 m from south to north.
const CELLS_A_DEGREE: f64 = 200.0;
const HALF_DIAGONAL_M: f64 = 394.0;
/// A zone wider than two degrees is cut off there: no district's area is.
const CELLS_A_SIDE_MAX: i32 = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Wgs84 = Wgs84 { lon: 113.5, lat: 34.8 };

    fn off(east: f64, north: f64) -> Wgs84 {
        let east_m = METRES_A_DEGREE * HERE.lat.to_radians().cos();
        Wgs84 { lon: HERE.lon + east / east_m, lat: HERE.lat + north / METRES_A_DEGREE }
    }

    fn zone(id: i64, outline: Outline) -> Zone {
        let (from, to) = (i64::MIN, i64::MAX);
        Zone { id: ZoneId::Area(id), kind: ZoneKind::Parking, outline, speed_max_kmh: None, windows: vec![], from, to }
    }

    fn square(id: i64, east: f64, north: f64, side: f64) -> Zone {
        let corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)];
        zone(id, Outline::Ring(corners.map(|(x, y)| off(east + x, north + y)).to_vec()))
    }

    fn distance(zones: &Zones, place: Wgs84) -> Option<f64> {
        zones.nearest(place, 0, |_| true).map(|(_, metres)| metres)
    }

    #[test]
    fn inside_is_negative_outside_positive_and_far_away_nothing() {
        let mut zones = Zones::default();
        zones.put(square(1, 0.0, 0.0, 300.0));
        zones.put(zone(2, Outline::Circle { centre: off(2_000.0, 0.0), radius_m: 150.0 }));
        let near = |place, expected: f64| {
            let metres = distance(&zones, place).unwrap();
            assert!((metres - expected).abs() < 0.5, "{metres} {expected}");
        };
        near(off(150.0, 20.0), -20.0);
        near(off(150.0, -20.0), 20.0);
        near(off(150.0, 150.0), -REACH_M);
        near(off(2_000.0, 140.0), -10.0);
        near(off(2_000.0, 170.0), 20.0);
        assert_eq!(distance(&zones, off(1_000.0, 0.0)), None);
    }

    #[test]
    fn a_zone_that_is_moved_leaves_nothing_behind() {
        let mut zones = Zones::default();
        zones.put(square(1, 0.0, 0.0, 300.0));
        zones.put(square(1, 5_000.0, 0.0, 300.0));
        assert_eq!(distance(&zones, off(150.0, 150.0)), None);
        assert!(distance(&zones, off(5_150.0, 150.0)).is_some());
        zones.remove(ZoneId::Area(1));
        assert_eq!((distance(&zones, off(5_150.0, 150.0)), zones.len()), (None, 0));
    }

    proptest! {
        /// The grid finds what a walk over all zones finds.
        #[test]
        fn the_grid_forgets_no_zone(
            places in proptest::collection::vec((-3_000.0..3_000.0f64, -3_000.0..3_000.0f64), 1..20),
            sides in proptest::collection::vec((-3_000.0..3_000.0f64, -3_000.0..3_000.0f64, 10.0..2_500.0f64), 1..6),
        ) {
            let mut zones = Zones::default();
            for (id, (east, north, side)) in (1..).zip(&sides) {
                zones.put(square(id, *east, *north, *side));
            }
            for (east, north) in places {
                let mut found = Vec::new();
                zones.near(off(east, north), |zone, metres| found.push((zone.id, metres)));
                for (id, (x, y, side)) in (1..).zip(&sides) {
                    let outside = (x - east).max(east - x - side).max(y - north).max(north - y - side);
                    let hit = found.iter().find(|(known, _)| *known == ZoneId::Area(id));
                    if outside < -1.0 {
                        prop_assert!(hit.is_some_and(|(_, metres)| *metres < 0.0), "{outside} {hit:?}");
                    } else if outside > 1.0 {
                        prop_assert!(hit.is_none_or(|(_, metres)| *metres > 0.0), "{outside} {hit:?}");
                    }
                }
            }
        }
    }
}
