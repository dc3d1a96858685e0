//! Permitted routes, ready for measuring: polylines in metres with boxes over each few segments, and a grid over all of them
//! for trucks that many permits name. The distance is to the line, not to its corners, and exact however far away.

use super::plane::{Extent, Flat, METRES_A_DEGREE, Plane, to_segment2};
use ahash::AHashMap;
use model::geo::Wgs84;
use model::register::{Permit, WeekWindow};
use std::collections::BTreeMap;

/// One permit's line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) id: i64,
    pub(crate) half_width_m: f64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) windows: Vec<WeekWindow>,
    plane: Plane,
    points: Vec<Flat>,
    /// One over each [`CHUNK`] segments.
    boxes: Vec<Extent>,
    cells: Vec<(i32, i32)>,
}

/// The nearest part of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Nearest {
    pub(crate) m: f64,
    /// Of the segment, 0–360 clockwise from north.
    pub(crate) bearing_deg: f64,
}

impl Line {
    /// `None` when the permit has no line.
    pub(crate) fn new(permit: &Permit) -> Option<Self> {
        if permit.corridor.len() < 2 {
            return None;
        }
        let plane = Plane::at(*permit.corridor.first()?);
        let points: Vec<Flat> = permit.corridor.iter().map(|place| plane.flat(*place)).collect();
        let last = points.len().saturating_sub(1);
        let ends = |from: usize| points.get(from..=(from + CHUNK).min(last)).unwrap_or_default();
        let boxes = (0..last).step_by(CHUNK).map(|from| Extent::of(ends(from))).collect();
        Some(Self {
            id: permit.id.0,
            half_width_m: permit.corridor_half_width_m,
            from: permit.valid_from.0,
            to: permit.valid_to.map_or(i64::MAX, |to| to.0),
            windows: permit.windows.clone(),
            plane,
            points,
            boxes,
            cells: Vec::new(),
        })
    }

    pub(crate) fn distance_m(&self, place: Wgs84) -> f64 {
        self.nearest(place).m
    }

    pub(crate) fn nearest(&self, place: Wgs84) -> Nearest {
        let p = self.plane.flat(place);
        let (mut least, mut segment) = (f64::INFINITY, 0);
        for (chunk, extent) in self.boxes.iter().enumerate() {
            if extent.distance2(p) >= least {
                continue;
            }
            let first = chunk * CHUNK;
            let ends = self.points.get(first..).unwrap_or_default();
            for (step, (a, b)) in ends.iter().zip(ends.iter().skip(1)).take(CHUNK).enumerate() {
                let metres2 = to_segment2(p, *a, *b);
                if metres2 < least {
                    (least, segment) = (metres2, first + step);
                }
            }
        }
        let ends = self.points.get(segment).zip(self.points.get(segment + 1));
        let bearing_deg = ends.map_or(0.0, |(a, b)| (b.0 - a.0).atan2(b.1 - a.1).to_degrees().rem_euclid(360.0));
        Nearest { m: least.sqrt(), bearing_deg }
    }

    fn cover(&self, origin: Wgs84) -> Vec<(i32, i32)> {
        let east_m = METRES_A_DEGREE * origin.lat.to_radians().cos().max(0.01);
        let place = |flat: Flat, by: f64| Wgs84 {
            lon: origin.lon + (flat.0 + by) / east_m,
            lat: origin.lat + (flat.1 + by) / METRES_A_DEGREE,
        };
        let near_m = self.half_width_m + 1.0;
        let mut cells = Vec::new();
        for (a, b) in self.points.iter().zip(self.points.iter().skip(1)) {
            // A long segment is cut, so that it does not take the whole box around it.
            let pieces = ((b.0 - a.0).hypot(b.1 - a.1) / PIECE_M).ceil().clamp(1.0, PIECES_MAX);
            let mut done = 0.0;
            while done < pieces {
                let at = |share: f64| (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share);
                let extent = Extent::of(&[at(done / pieces), at((done + 1.0) / pieces)]);
                let (low, high) = (cell_of(place(extent.low, -near_m)), cell_of(place(extent.high, near_m)));
                for x in low.0..=high.0 {
                    cells.extend((low.1..=high.1).map(|y| (x, y)));
                }
                done += 1.0;
            }
        }
        cells.sort_unstable();
        cells.dedup();
        cells
    }
}

/// All permits with a line that are not suspended.
#[derive(Debug, Clone)]
pub(crate) struct Corridors {
    lines: BTreeMap<i64, Line>,
    /// Permits near a cell, ordered.
    cells: AHashMap<(i32, i32), Vec<i64>>,
}

impl Default for Corridors {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), cells: AHashMap::new() }
    }
}

impl Corridors {
    pub(crate) fn put(&mut self, permit: &Permit) {
        self.remove(permit.id.0);
        let Some(mut line) = Line::new(permit).filter(|_| !permit.suspended) else { return };
        line.cells = permit.corridor.first().map(|origin| line.cover(*origin)).unwrap_or_default();
        for cell in &line.cells {
            let list = self.cells.entry(*cell).or_default();
            let place = list.partition_point(|id| *id < line.id);
            list.insert(place, line.id);
        }
        self.lines.insert(line.id, line);
    }

    pub(crate) fn remove(&mut self, permit: i64) {
        let Some(line) = self.lines.remove(&permit) else { return };
        for cell in line.cells {
            if let Some(list) = self.cells.get_mut(&cell) {
                list.retain(|id| *id != permit);
            }
        }
    }

    /// Of the wanted permits the one that the place strays from least, that is by metres beyond half its width.
    /// `wanted` ordered; `holds` says which count now.
    pub(crate) fn least_astray(
        &self,
        place: Wgs84,
        wanted: &[i64],
        holds: impl Fn(&Line) -> bool,
    ) -> Option<(&Line, Nearest)> {
        if wanted.len() > FEW {
            let near = self.cells.get(&cell_of(place)).map(Vec::as_slice).unwrap_or_default();
            let own = near.iter().filter(|id| wanted.binary_search(id).is_ok());
            let best = self.best(own, place, &holds);
            // The cell's list has every permit whose corridor the place may be inside of, and no others.
            if best.is_some_and(|(line, found)| found.m <= line.half_width_m) {
                return best;
            }
        }
        self.best(wanted.iter(), place, &holds)
    }

    fn best<'a>(
        &self,
        ids: impl Iterator<Item = &'a i64>,
        place: Wgs84,
        holds: &impl Fn(&Line) -> bool,
    ) -> Option<(&Line, Nearest)> {
        let mut best: Option<(&Line, Nearest)> = None;
        for line in ids.filter_map(|id| self.lines.get(id)).filter(|line| holds(line)) {
            let found = line.nearest(place);
            let least = best.map_or(f64::INFINITY, |(line, known)| known.m - line.half_width_m);
            if found.m - line.half_width_m < least {
                best = Some((line, found));
                // Inside one is inside: which of several is the one of the lowest id.
                if found.m <= line.half_width_m {
                    break;
                }
            }
        }
        best
    }
}

#[expect(clippy::cast_possible_truncation, reason = "degrees times 400 fit 32 bits")]
fn cell_of(place: Wgs84) -> (i32, i32) {
    ((place.lon * CELLS_A_DEGREE).floor() as i32, (place.lat * CELLS_A_DEGREE).floor() as i32)
}

/// How far two directions are apart, 0–180.
pub(crate) fn turn_deg(a: f64, b: f64) -> f64 {
    let apart = (a - b).rem_euclid(360.0);
    apart.min(360.0 - apart)
}

const CHUNK: usize = 8;
/// So many permits are measured one by one.
const FEW: usize = 8;
/// About 280 m from south to north.
const CELLS_A_DEGREE: f64 = 400.0;
const PIECE_M: f64 = 250.0;
const PIECES_MAX: f64 = 4_096.0;

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::PermitId;
    use model::time::EventTime;
    use proptest::prelude::*;

    fn permit(id: i64, corridor: Vec<Wgs84>) -> Permit {
        Permit {
            id: PermitId(id),
            code: String::new(),
            trucks: vec![],
            site: None,
            disposal_site: None,
            corridor,
            corridor_half_width_m: 30.0,
            windows: vec![],
            valid_from: EventTime(0),
            valid_to: None,
            suspended: false,
            suspensions: Vec::new(),
        }
    }

    #[test]
    fn the_bearing_is_of_the_nearest_segment() {
        let corner = [(113.50, 34.80), (113.52, 34.80), (113.52, 34.82)].map(|(lon, lat)| Wgs84 { lon, lat });
        let line = Line::new(&permit(1, corner.to_vec())).unwrap();
        let east = line.nearest(Wgs84 { lon: 113.51, lat: 34.8002 });
        let north = line.nearest(Wgs84 { lon: 113.5202, lat: 34.81 });
        assert!((east.bearing_deg - 90.0).abs() < 0.1 && north.bearing_deg < 0.1, "{east:?} {north:?}");
        assert!((turn_deg(350.0, 10.0) - 20.0).abs() < 1e-9 && (turn_deg(90.0, 270.0) - 180.0).abs() < 1e-9);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Boxes and grid give what a walk over all segments of all permits gives.
        #[test]
        fn boxes_and_grid_change_no_distance(
            seeds in proptest::collection::vec(proptest::collection::vec((0.0..0.2f64, 0.0..0.2f64), 2..40), 1..20),
            places in proptest::collection::vec((-0.05..0.25f64, -0.05..0.25f64), 1..20),
        ) {
            let at = |(x, y): &(f64, f64)| Wgs84 { lon: 113.5 + x, lat: 34.7 + y };
            let permits: Vec<Permit> =
                (1..).zip(&seeds).map(|(id, line)| permit(id, line.iter().map(at).collect())).collect();
            let mut corridors = Corridors::default();
            for permit in &permits {
                corridors.put(permit);
            }
            let wanted: Vec<i64> = permits.iter().map(|permit| permit.id.0).collect();
            for place in places.iter().map(at) {
                let (_, found) = corridors.least_astray(place, &wanted, |_| true).unwrap();
                let lines = permits.iter().filter_map(|permit| place.distance_to_line_m(&permit.corridor));
                let least = lines.fold(f64::INFINITY, f64::min);
                if least > 31.0 {
                    prop_assert!((found.m - least).abs() < least * 0.003 + 0.5, "{} {least}", found.m);
                } else {
                    prop_assert!(found.m < 32.0, "{} {least}", found.m);
                }
            }
        }
    }
}
