//! GCJ-02 → WGS-84, once, for devices whose profile says that they report in the shifted datum. The forward shift is the published
//! approximation (Krasovsky ellipsoid); the inverse is its fixed point, good to a centimetre.

use model::geo::{Gcj02, Wgs84};
use std::f64::consts::PI;

const SEMI_MAJOR_M: f64 = 6_378_245.0;
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;

/// The place in WGS-84. Outside of China the two are the same.
pub fn to_wgs84(place: Gcj02) -> Wgs84 {
    let mut guess = Wgs84 { lon: place.lon, lat: place.lat };
    for _ in 0..6 {
        let (dlon, dlat) = shift(guess);
        guess = Wgs84 { lon: place.lon - dlon, lat: place.lat - dlat };
    }
    guess
}

/// How far GCJ-02 lies from WGS-84, degrees.
fn shift(at: Wgs84) -> (f64, f64) {
    if !(72.004..=137.8347).contains(&at.lon) || !(0.8293..=55.8271).contains(&at.lat) {
        return (0.0, 0.0);
    }
    let (x, y) = (at.lon - 105.0, at.lat - 35.0);
    let wave = |factor: f64, a: f64, b: f64| (factor * (a * PI).sin() + factor * b) * 2.0 / 3.0;
    let common = wave(20.0, 6.0 * x, (2.0 * x * PI).sin());
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + common
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + common
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0;
    let lat = at.lat.to_radians();
    let magic = 1.0 - ECCENTRICITY_2 * lat.sin().powi(2);
    let meridian_m = SEMI_MAJOR_M * (1.0 - ECCENTRICITY_2) / (magic * magic.sqrt());
    let parallel_m = SEMI_MAJOR_M / magic.sqrt() * lat.cos();
    ((east / parallel_m).to_degrees(), (north / meridian_m).to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_at_the_district_is_some_hundred_metres_and_its_inverse_is_exact() {
        let shown = Gcj02 { lon: 113.56, lat: 34.80 };
        let real = to_wgs84(shown);
        let (dlon, dlat) = shift(real);
        assert!((real.lon + dlon - shown.lon).abs() < 1e-7 && (real.lat + dlat - shown.lat).abs() < 1e-7);
        let metres = real.distance_m(Wgs84 { lon: shown.lon, lat: shown.lat });
        assert!((300.0..800.0).contains(&metres), "{metres}");
    }
}
