//! From plan to readings: what each instrument shows at a moment. Depends on nothing but the plan, the seed and the time.

use crate::district::District;
use crate::noise::{mix, signed, uniform};
use crate::plan::Plan;

/// Readings of one device at one moment, in the quantities' canonical units.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Quantity code → value.
    pub values: Vec<(&'static str, f64)>,
    /// `Some(letter)`: an HJ 212 data flag other than N on the first value.
    pub flag: Option<char>,
}

fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A restaurant's monitor; `None`: it is off.
pub fn fume(plan: &Plan, index: usize, at_ms: i64) -> Option<Reading> {
    let own = plan.fume.get(index)?;
    let (level, counts) = own.measured(at_ms)?;
    let wave = |what: u64| signed(&[mix(&[what, index_u64(index)]), at_ms.unsigned_abs()]);
    Some(Reading {
        values: vec![
            ("fume", level),
            ("particulate", round(level * 1.6 + 0.2, 3)),
            ("nmhc", round(level * 2.1 + 0.5, 3)),
            ("fan_current", round(6.0 + 0.3 * wave(1), 2)),
            ("purifier_current", round(2.4 + 0.1 * wave(2), 2)),
            ("flue_temperature", round(48.0 + 3.0 * wave(3), 1)),
        ],
        flag: (!counts).then_some('C'),
    })
}

/// A site's dust monitor.
pub fn dust(district: &District, index: usize, at_ms: i64) -> Reading {
    let key = mix(&[district.size.seed, 31, index_u64(index)]);
    let wave = |what: u64| signed(&[mix(&[key, what]), at_ms.unsigned_abs()]);
    let pm10 = 62.0 + 14.0 * wave(1);
    Reading {
        values: vec![
            ("pm10", round(pm10, 1)),
            ("pm25", round(pm10 * 0.55, 1)),
            ("tsp", round(pm10 * 1.8, 1)),
            ("noise", round(61.0 + 4.0 * wave(2), 1)),
            ("temperature", round(12.0 + 2.0 * wave(3), 1)),
            ("humidity", round(48.0 + 6.0 * wave(4), 1)),
            ("wind_speed", round(2.0 + wave(5), 1)),
            ("wind_direction", round(180.0 + 90.0 * wave(6), 0)),
        ],
        flag: None,
    }
}

/// Registers of a washer, as `docs` of its profile has them: pump on, flow (0.1 L/min), pressure (0.001 MPa), pump
/// current (0.01 A), seconds of the last wash, washes since midnight.
pub fn washer(district: &District, index: usize, at_ms: i64) -> [u16; 6] {
    let key = mix(&[district.size.seed, 32, index_u64(index)]);
    let minute = at_ms.div_euclid(60_000);
    // A truck is washed for 45 s in about every fifth minute.
    let washes = |m: i64| uniform(&[key, m.unsigned_abs()]) < 0.2;
    let on = washes(minute) && at_ms.rem_euclid(60_000) < 45_000;
    let day = minute - (minute + 480).rem_euclid(1440);
    let count = (day..=minute).filter(|m| washes(*m)).count();
    let level = |full: u16| if on { full } else { 0 };
    [u16::from(on), level(1_850), level(420), level(1_260), 45, u16::try_from(count).unwrap_or(u16::MAX)]
}

/// Registers of a dust instrument: TSP, PM10 and PM2.5 in µg/m³, two registers each.
pub fn dust_registers(district: &District, index: usize, at_ms: i64) -> [u16; 6] {
    let reading = dust(district, index, at_ms);
    let word = |code: &str| {
        let value = reading.values.iter().find(|(own, _)| *own == code).map_or(0.0, |(_, value)| *value);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a register")]
        let word = value.round().clamp(0.0, 65_535.0) as u16;
        word
    };
    [0, word("tsp"), 0, word("pm10"), 0, word("pm25")]
}

/// The plate that leaves the gate in the minute of `at_ms`, if one does: about every fifth minute, and at the latest every tenth, or a camera
/// that has nothing to tell would be a silent one, which the truth does not know of.
pub fn vehicle_exit(district: &District, index: usize, at_ms: i64) -> Option<&str> {
    let key = mix(&[district.size.seed, 32, index_u64(index)]);
    let minute = at_ms.div_euclid(60_000);
    let leaves = minute % 10 == 0 || uniform(&[key, minute.unsigned_abs()]) < 0.2;
    if !leaves || district.trucks.is_empty() {
        return None;
    }
    let which = mix(&[key, 7, minute.unsigned_abs()]) % u64::try_from(district.trucks.len()).unwrap_or(1);
    district.trucks.get(usize::try_from(which).unwrap_or(0)).map(|t| t.plate.as_str())
}

fn index_u64(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::district::Size;
    use crate::plan::{Judging, Timeline};

    #[test]
    fn a_camera_is_never_quiet_for_long_at_any_hour() {
        let district = District::generate(Size { seed: 4, restaurants: 1, sites: 1, trucks: 3 });
        let quiet = |from: i64| (0..=10).all(|m| vehicle_exit(&district, 0, from + m * 60_000).is_none());
        assert!((0..10_000).all(|minute| !quiet(1_795_000_000_000 + minute * 60_000)));
    }

    #[test]
    fn a_moment_reads_the_same_whenever_it_is_asked_for() {
        let district = District::generate(Size { seed: 4, restaurants: 10, sites: 2, trucks: 3 });
        let timeline = Timeline { start_ms: 1_790_000_000_000, length_s: 6 * 3600 };
        let plan = Plan::make(&district, timeline, Judging::REAL);
        for index in 0..10 {
            for minute in 0..360 {
                let at = timeline.start_ms + minute * 60_000;
                assert_eq!(fume(&plan, index, at), fume(&plan, index, at));
            }
        }
        assert_eq!(washer(&district, 1, timeline.start_ms), washer(&district, 1, timeline.start_ms));
    }
}
