//! Permits of one truck, ready for measuring: corridors as plane polylines in metres.

use model::facts::Facts;
use model::geo::Wgs84;
use model::id::SubjectId;
use model::register::{Permit, WeekWindow};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, local_day};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Corridor {
    pub(super) id: i64,
    pub(super) half_width_m: f64,
    from: i64,
    to: i64,
    windows: Vec<WeekWindow>,
    /// From, to: as if there were no permit.
    suspended: Vec<(i64, i64)>,
    origin: Wgs84,
    /// cos(latitude of the origin) × metres a degree.
    east_m: f64,
    line: Vec<(f64, f64)>,
}

/// What the register says of a fix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Measured {
    NoPermit,
    OutsideHours,
    /// Metres to the line of the permit that fits best.
    Distance {
        m: f64,
        permit: i64,
        half_width_m: f64,
    },
}

/// The corridors of a truck's permits that are not suspended and have a line, by permit id.
pub(super) fn corridors(facts: &Facts, truck: SubjectId) -> Vec<Corridor> {
    let usable = facts.permits_of(truck).filter(|permit| !permit.suspended && permit.corridor.len() >= 2);
    usable.filter_map(|permit| Corridor::new(permit)).collect()
}

/// Of several permits in force the one that the fix strays from least; so a truck is off its route only when it is off all.
pub(super) fn measure(corridors: &[Corridor], at: i64, place: Wgs84) -> Measured {
    let mut best = Measured::NoPermit;
    let mut least = f64::INFINITY;
    for corridor in corridors.iter().filter(|corridor| corridor.is_in_force(at)) {
        if !in_windows(&corridor.windows, at) {
            if best == Measured::NoPermit {
                best = Measured::OutsideHours;
            }
            continue;
        }
        let m = corridor.distance_m(place);
        if m - corridor.half_width_m < least {
            least = m - corridor.half_width_m;
            best = Measured::Distance { m, permit: corridor.id, half_width_m: corridor.half_width_m };
        }
    }
    best
}

impl Corridor {
    fn new(permit: &Permit) -> Option<Self> {
        let origin = *permit.corridor.first()?;
        let east_m = METRES_A_DEGREE * origin.lat.to_radians().cos();
        let plane = |place: &Wgs84| ((place.lon - origin.lon) * east_m, (place.lat - origin.lat) * METRES_A_DEGREE);
        Some(Self {
            id: permit.id.0,
            half_width_m: permit.corridor_half_width_m,
            from: permit.valid_from.0,
            to: permit.valid_to.map_or(i64::MAX, |to| to.0),
            windows: permit.windows.clone(),
            suspended: permit.suspensions.iter().map(|one| (one.from.0, one.to.map_or(i64::MAX, |to| to.0))).collect(),
            origin,
            east_m,
            line: permit.corridor.iter().map(plane).collect(),
        })
    }

    fn is_in_force(&self, at: i64) -> bool {
        let is_suspended = self.suspended.iter().any(|(from, to)| *from <= at && at < *to);
        self.from <= at && at < self.to && !is_suspended
    }

    fn distance_m(&self, place: Wgs84) -> f64 {
        let (x, y) = ((place.lon - self.origin.lon) * self.east_m, (place.lat - self.origin.lat) * METRES_A_DEGREE);
        let mut least = f64::INFINITY;
        for (a, b) in self.line.iter().zip(self.line.iter().skip(1)) {
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let (px, py) = (x - a.0, y - a.1);
            let length2 = dx * dx + dy * dy;
            let along = if length2 > 0.0 { ((px * dx + py * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
            let (ox, oy) = (px - along * dx, py - along * dy);
            least = least.min(ox * ox + oy * oy);
        }
        least.sqrt()
    }
}

/// Metres between two near places; good to 0.1 % within 50 km.
pub(super) fn apart_m(a: Wgs84, b: Wgs84) -> f64 {
    let east = (b.lon - a.lon) * METRES_A_DEGREE * a.lat.to_radians().cos();
    let north = (b.lat - a.lat) * METRES_A_DEGREE;
    (east * east + north * north).sqrt()
}

/// Whether an instant lies in one of the windows (Beijing time); none at all: always.
pub(super) fn in_windows(windows: &[WeekWindow], at: i64) -> bool {
    if windows.is_empty() {
        return true;
    }
    let day = local_day(EventTime(at));
    let minute = (at + i64::from(BEIJING_OFFSET_MINUTES) * 60_000).rem_euclid(86_400_000) / 60_000;
    let on = |window: &WeekWindow, day: i64| {
        window.weekdays.is_empty() || window.weekdays.iter().any(|w| i64::from(*w) == weekday(day))
    };
    windows.iter().any(|window| {
        let (from, to) = (i64::from(window.from_minute), i64::from(window.to_minute));
        if from < to {
            return on(window, day) && from <= minute && minute < to;
        }
        // Over midnight: it belongs to the day it starts on.
        (on(window, day) && minute >= from) || (on(window, day - 1) && minute < to)
    })
}

/// 1 = Monday … 7 = Sunday; day 0 was a Thursday.
const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7) + 1
}

/// Mean earth radius (6 371 008.8 m) × π / 180.
const METRES_A_DEGREE: f64 = 111_195.080_233_532_9;

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::parse_rfc3339;

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_starts_on() {
        // Friday 22:00 to 06:00.
        let night = [WeekWindow { weekdays: vec![5], from_minute: 1320, to_minute: 360 }];
        let at = |text: &str| in_windows(&night, parse_rfc3339(text).unwrap());
        assert!(at("2026-11-20T14:00:00Z"), "Friday 22:00 in Beijing");
        assert!(at("2026-11-20T21:59:00Z"), "Saturday 05:59");
        assert!(!at("2026-11-20T22:00:00Z"), "Saturday 06:00");
        assert!(!at("2026-11-19T21:00:00Z"), "Friday 05:00 belongs to Thursday");
        assert!(!at("2026-11-21T15:00:00Z"), "Saturday 23:00");
        assert!(in_windows(&[], 0));
    }

    fn permit(corridor: Vec<Wgs84>) -> Permit {
        Permit {
            id: model::id::PermitId(1),
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
    fn while_a_permit_is_suspended_there_is_none() {
        let line = vec![Wgs84 { lon: 113.50, lat: 34.80 }, Wgs84 { lon: 113.54, lat: 34.81 }];
        let suspension =
            model::register::Suspension { from: EventTime(1_000), to: Some(EventTime(2_000)), why: String::new() };
        let row = Permit { suspensions: vec![suspension], ..permit(line.clone()) };
        let corridors = [Corridor::new(&row).unwrap()];
        let at = |at| measure(&corridors, at, line[0]) == Measured::NoPermit;
        assert_eq!([at(999), at(1_000), at(1_999), at(2_000)], [false, true, true, false]);
    }

    #[test]
    fn the_plane_agrees_with_the_sphere() {
        let line = vec![
            Wgs84 { lon: 113.50, lat: 34.80 },
            Wgs84 { lon: 113.54, lat: 34.81 },
            Wgs84 { lon: 113.55, lat: 34.83 },
        ];
        let permit = permit(line.clone());
        let corridor = Corridor::new(&permit).unwrap();
        for (lon, lat) in [(113.52, 34.80), (113.545, 34.83), (113.49, 34.79), (113.53, 34.8075)] {
            let place = Wgs84 { lon, lat };
            let (ours, exact) = (corridor.distance_m(place), place.distance_to_line_m(&line).unwrap());
            assert!((ours - exact).abs() < exact * 0.002 + 0.5, "{ours} {exact}");
        }
    }
}
