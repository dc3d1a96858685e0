//! Places on the earth. Everything stored and computed is [`Wgs84`]; [`Gcj02`] exists at the edges only (a device that
//! reports it, a map that shows it) and is a different type, so the two cannot be mixed.

use serde::{Deserialize, Serialize};

/// A WGS-84 (for this use the same as CGCS2000) place, degrees. Serialized as `[lon, lat]` like GeoJSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Wgs84 {
    pub lon: f64,
    pub lat: f64,
}

impl From<(f64, f64)> for Wgs84 {
    fn from((lon, lat): (f64, f64)) -> Self {
        Self { lon, lat }
    }
}

impl From<Wgs84> for (f64, f64) {
    fn from(place: Wgs84) -> Self {
        (place.lon, place.lat)
    }
}

/// A place in the shifted Chinese datum GCJ-02, degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gcj02 {
    pub lon: f64,
    pub lat: f64,
}

/// Mean earth radius, metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

impl Wgs84 {
    /// `None` outside of ±180 / ±90 or when not finite.
    pub fn new(lon: f64, lat: f64) -> Option<Self> {
        (lon.is_finite() && lat.is_finite() && lon.abs() <= 180.0 && lat.abs() <= 90.0).then_some(Self { lon, lat })
    }

    /// Great-circle distance, metres.
    pub fn distance_m(self, other: Self) -> f64 {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let (dlat, dlon) = (lat2 - lat1, (other.lon - self.lon).to_radians());
        let h = (dlat / 2.0).sin().powi(2) + lat1.cos() * lat2.cos() * (dlon / 2.0).sin().powi(2);
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }

    /// East and north of `origin`, metres, on the tangent plane. Good to 0.1 % within 50 km.
    pub fn offset_m(self, origin: Self) -> (f64, f64) {
        let north = (self.lat - origin.lat).to_radians() * EARTH_RADIUS_M;
        let east = (self.lon - origin.lon).to_radians() * EARTH_RADIUS_M * origin.lat.to_radians().cos();
        (east, north)
    }

    /// Distance to the segment `a`–`b`, metres: to the line, not to its vertices.
    pub fn distance_to_segment_m(self, a: Self, b: Self) -> f64 {
        let ((ax, ay), (bx, by)) = (a.offset_m(self), b.offset_m(self));
        let (dx, dy) = (bx - ax, by - ay);
        let length2 = dx * dx + dy * dy;
        let along = if length2 == 0.0 { 0.0 } else { (-(ax * dx + ay * dy) / length2).clamp(0.0, 1.0) };
        (ax + along * dx).hypot(ay + along * dy)
    }

    /// Distance to a polyline, metres; `None` for an empty one.
    pub fn distance_to_line_m(self, line: &[Self]) -> Option<f64> {
        match line {
            [] => None,
            [only] => Some(self.distance_m(*only)),
            _ => line.windows(2).map(|pair| self.distance_to_segment_m(pair[0], pair[1])).min_by(f64::total_cmp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_to_the_line_not_to_its_vertices() {
        // A straight road of about 3.7 km with vertices at its ends only.
        let road = [Wgs84 { lon: 113.50, lat: 34.80 }, Wgs84 { lon: 113.54, lat: 34.80 }];
        let beside = Wgs84 { lon: 113.52, lat: 34.8009 };
        let distance = beside.distance_to_line_m(&road).unwrap();
        assert!((distance - 100.0).abs() < 1.0, "{distance}");
        assert!(beside.distance_m(road[0]) > 1_800.0);
        assert_eq!(beside.distance_to_line_m(&[]), None);
    }
}
