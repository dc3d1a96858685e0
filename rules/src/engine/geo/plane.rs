//! Metres around a place: longitude and latitude as a plane, good to 0.1 % within 50 km. Knows shapes, no meaning.

use model::geo::Wgs84;

/// A tangent plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plane {
    origin: Wgs84,
    /// cos(latitude of the origin) × metres a degree.
    east_m: f64,
}

/// East and north, metres.
pub(crate) type Flat = (f64, f64);

impl Plane {
    pub(crate) fn at(origin: Wgs84) -> Self {
        Self { origin, east_m: METRES_A_DEGREE * origin.lat.to_radians().cos() }
    }

    pub(crate) fn flat(&self, place: Wgs84) -> Flat {
        ((place.lon - self.origin.lon) * self.east_m, (place.lat - self.origin.lat) * METRES_A_DEGREE)
    }
}

/// Square of the distance of `p` to the segment `a`–`b`: to the line, not to its ends.
pub(crate) fn to_segment2(p: Flat, a: Flat, b: Flat) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let (px, py) = (p.0 - a.0, p.1 - a.1);
    let length2 = dx * dx + dy * dy;
    let along = if length2 > 0.0 { ((px * dx + py * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
    let (ox, oy) = (px - along * dx, py - along * dy);
    ox * ox + oy * oy
}

/// A box with sides along the axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    pub(crate) low: Flat,
    pub(crate) high: Flat,
}

impl Extent {
    pub(crate) fn of(points: &[Flat]) -> Self {
        let none = (Self::NOTHING.low, Self::NOTHING.high);
        let (low, high) = points
            .iter()
            .fold(none, |(low, high), p| ((low.0.min(p.0), low.1.min(p.1)), (high.0.max(p.0), high.1.max(p.1))));
        Self { low, high }
    }

    /// Square of the distance to the box, 0 inside.
    pub(crate) fn distance2(&self, p: Flat) -> f64 {
        let x = (self.low.0 - p.0).max(p.0 - self.high.0).max(0.0);
        let y = (self.low.1 - p.1).max(p.1 - self.high.1).max(0.0);
        x * x + y * y
    }

    const NOTHING: Self = Self { low: (f64::INFINITY, f64::INFINITY), high: (f64::NEG_INFINITY, f64::NEG_INFINITY) };
}

/// Metres between two near places.
pub(crate) fn apart_m(a: Wgs84, b: Wgs84) -> f64 {
    let (east, north) = Plane::at(a).flat(b);
    (east * east + north * north).sqrt()
}

/// Where two segments cross or touch.
pub(crate) fn crosses(a: (Flat, Flat), b: (Flat, Flat)) -> bool {
    let side = |o: Flat, p: Flat, q: Flat| (p.0 - o.0) * (q.1 - o.1) - (p.1 - o.1) * (q.0 - o.0);
    let (d1, d2) = (side(b.0, b.1, a.0), side(b.0, b.1, a.1));
    let (d3, d4) = (side(a.0, a.1, b.0), side(a.0, a.1, b.1));
    d1 * d2 < 0.0 && d3 * d4 < 0.0
}

/// Mean earth radius (6 371 008.8 m) × π / 180.
pub(crate) const METRES_A_DEGREE: f64 = 111_195.080_233_532_9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_agrees_with_the_sphere() {
        let here = Wgs84 { lon: 113.5, lat: 34.8 };
        for (lon, lat) in [(113.52, 34.80), (113.545, 34.83), (113.49, 34.79)] {
            let there = Wgs84 { lon, lat };
            let (ours, exact) = (apart_m(here, there), here.distance_m(there));
            assert!((ours - exact).abs() < exact * 0.002 + 0.5, "{ours} {exact}");
        }
    }

    #[test]
    fn a_box_is_never_farther_than_what_is_in_it() {
        let points = [(0.0, 0.0), (10.0, 5.0), (4.0, 9.0)];
        let extent = Extent::of(&points);
        for p in [(20.0, 20.0), (-3.0, 4.0), (5.0, 5.0)] {
            let nearest = points.windows(2).map(|ab| to_segment2(p, ab[0], ab[1])).fold(f64::INFINITY, f64::min);
            assert!(extent.distance2(p) <= nearest);
        }
        assert!(crosses(((0.0, 0.0), (2.0, 2.0)), ((0.0, 2.0), (2.0, 0.0))));
        assert!(!crosses(((0.0, 0.0), (2.0, 2.0)), ((3.0, 2.0), (3.0, 0.0))));
    }
}
