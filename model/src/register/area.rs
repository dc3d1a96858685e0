//! Areas of the map that rules ask about: where a truck may not be, may stand, may unload, how fast it may go, and where
//! people sleep. An area is a polygon or a circle; it holds between two event times, in windows of the week.

use super::WeekWindow;
use crate::geo::Wgs84;
use crate::id::AreaId;
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// What an area is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaPurpose {
    /// 禁行区: no truck in it.
    NoGo,
    /// 停车场: a long stop is nothing to ask about.
    Parking,
    /// 临时堆放点: unloading is permitted.
    TemporaryDump,
    /// 限速区: its own speed limit.
    Speed,
    /// 中转站: unloading and loading are permitted.
    Transfer,
    /// 噪声敏感区: night work needs a permit.
    Sensitive,
}

impl AreaPurpose {
    pub const ALL: [Self; 6] =
        [Self::NoGo, Self::Parking, Self::TemporaryDump, Self::Speed, Self::Transfer, Self::Sensitive];

    pub const fn code(self) -> &'static str {
        match self {
            Self::NoGo => "no_go",
            Self::Parking => "parking",
            Self::TemporaryDump => "temporary_dump",
            Self::Speed => "speed",
            Self::Transfer => "transfer",
            Self::Sensitive => "sensitive",
        }
    }

    /// Whether a truck may unload there.
    pub const fn takes_loads(self) -> bool {
        matches!(self, Self::TemporaryDump | Self::Transfer)
    }
}

/// A circle on the ground.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    pub centre: Wgs84,
    pub radius_m: f64,
}

/// An area of the map. It has an outline or a circle, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    pub id: AreaId,
    pub code: String,
    pub name: String,
    pub purpose: AreaPurpose,
    /// Outer ring, first point not repeated; empty when it is a circle.
    #[serde(default)]
    pub outline: Vec<Wgs84>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Circle>,
    /// For speed zones; other areas may have one too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_limit_kmh: Option<f64>,
    /// When it holds; empty = at all hours.
    #[serde(default)]
    pub windows: Vec<WeekWindow>,
    pub valid_from: EventTime,
    #[serde(default)]
    pub valid_to: Option<EventTime>,
}

impl Area {
    /// Between its two ends. The windows are asked by [`crate::facts::Facts::areas_open`], which knows the holidays.
    pub fn is_valid(&self, at: EventTime) -> bool {
        self.valid_from <= at && self.valid_to.is_none_or(|end| at < end)
    }

    /// Whether the place is inside; a place on the edge may be told either way.
    pub fn contains(&self, place: Wgs84) -> bool {
        match &self.circle {
            Some(circle) => circle.centre.distance_m(place) <= circle.radius_m,
            None => is_inside(place, &self.outline),
        }
    }

    /// A place for a label: the circle's centre or the mean of the corners.
    pub fn centre(&self) -> Option<Wgs84> {
        if let Some(circle) = &self.circle {
            return Some(circle.centre);
        }
        let corners = f64::from(u32::try_from(self.outline.len()).ok().filter(|n| *n > 0)?);
        let (lon, lat) = self.outline.iter().fold((0.0, 0.0), |(lon, lat), one| (lon + one.lon, lat + one.lat));
        Some(Wgs84 { lon: lon / corners, lat: lat / corners })
    }
}

/// Whether a ring has the place inside: a ray to the east crosses an odd number of its sides.
fn is_inside(place: Wgs84, ring: &[Wgs84]) -> bool {
    let Some(mut last) = ring.last() else { return false };
    let mut inside = false;
    for corner in ring {
        if (corner.lat > place.lat) != (last.lat > place.lat) {
            let along = (place.lat - corner.lat) / (last.lat - corner.lat);
            if place.lon < corner.lon + along * (last.lon - corner.lon) {
                inside = !inside;
            }
        }
        last = corner;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(json: &str) -> Area {
        let row = format!(r#"{{"id": 1, "code": "a", "name": "a", "purpose": "no_go", "valid_from": 100, {json}}}"#);
        serde_json::from_str(&row).unwrap()
    }

    fn at(lon: f64, lat: f64) -> Wgs84 {
        Wgs84 { lon, lat }
    }

    #[test]
    fn a_notch_of_an_outline_is_outside() {
        let horseshoe = area(
            r#""outline": [[113.50, 34.80], [113.56, 34.80], [113.56, 34.86], [113.54, 34.86],
                [113.54, 34.82], [113.52, 34.82], [113.52, 34.86], [113.50, 34.86]]"#,
        );
        for (place, inside) in [
            (at(113.53, 34.81), true),
            (at(113.51, 34.85), true),
            (at(113.53, 34.85), false),
            (at(113.49, 34.81), false),
            (at(113.57, 34.85), false),
        ] {
            assert_eq!(horseshoe.contains(place), inside, "{place:?}");
        }
        assert!(!area(r#""outline": []"#).contains(at(113.5, 34.8)));
    }

    #[test]
    fn a_circle_reaches_as_far_as_its_radius() {
        let circle = area(r#""circle": {"centre": [113.50, 34.80], "radius_m": 200.0}"#);
        assert!(circle.contains(at(113.5021, 34.80)));
        assert!(!circle.contains(at(113.5023, 34.80)));
        assert_eq!(circle.centre(), Some(at(113.50, 34.80)));
    }

    #[test]
    fn an_area_is_valid_from_its_start_and_no_more_at_its_end() {
        let area = area(r#""valid_to": 200"#);
        let valid = [99, 100, 199, 200].map(|ms| area.is_valid(EventTime(ms)));
        assert_eq!(valid, [false, true, true, false]);
    }

    #[test]
    fn codes_are_what_files_write() {
        for purpose in AreaPurpose::ALL {
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.code());
        }
    }
}
