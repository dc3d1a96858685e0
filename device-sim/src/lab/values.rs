//! Whether a value can be, and whether its unit is the one it should have. Ranges are wide: what is flagged is physically
//! impossible or off by a power of ten that a wrong unit gives.

use super::book::Finding;

/// What a code should be measured in, and what is possible.
struct Range {
    codes: &'static [&'static str],
    unit: &'static str,
    min: f64,
    max: f64,
    /// A value in here is believable in another unit: which.
    other: Option<(f64, f64, &'static str)>,
}

const fn range(
    codes: &'static [&'static str],
    unit: &'static str,
    min: f64,
    max: f64,
    other: Option<(f64, f64, &'static str)>,
) -> Range {
    Range { codes, unit, min, max, other }
}

/// Factor codes of HJ 212-2017 annex B, names seen in the field, and ours in JSON.
#[rustfmt::skip]
const RANGES: &[Range] = &[
    // Annex B says ng/m³; most instruments write µg/m³. Neither is impossible, so it is only told.
    range(&["a34001", "a34002", "a34004", "a34005"], "ng/m³", 0.0, 1e8, Some((0.0, 2_000.0, "µg/m³ 或 mg/m³"))),
    range(&["pm10", "pm25", "tsp"], "ug/m3", 0.0, 1e5, Some((0.0, 0.9, "mg/m3"))),
    range(&["a34041", "fume"], "mg/m³", 0.0, 100.0, None),
    range(&["a24088", "nmhc"], "mg/m³", 0.0, 1_000.0, None),
    range(&["a01001", "temperature"], "°C", -60.0, 70.0, None),
    range(&["a01002", "humidity"], "%", 0.0, 100.0, None),
    range(&["a01006", "pressure"], "kPa", 40.0, 120.0, Some((400.0, 1_200.0, "hPa"))),
    range(&["a01007", "wind_speed"], "m/s", 0.0, 75.0, None),
    range(&["a01008", "wind_direction"], "°", 0.0, 360.0, None),
    range(&["LA", "Leq", "a50001", "B03", "noise"], "dB(A)", 0.0, 180.0, None),
    range(&["a01012", "flue_temperature"], "°C", -50.0, 500.0, None),
    range(&["fan_current", "purifier_current"], "A", 0.0, 1_000.0, None),
];

/// What is odd about a value; `None`: nothing, or the code is not known here.
pub(super) fn judge(code: &str, value: f64) -> Option<Finding> {
    let range = RANGES.iter().find(|range| range.codes.contains(&code))?;
    let within = |low: f64, high: f64| (low..=high).contains(&value);
    if let Some((low, high, unit)) = range.other
        && within(low, high)
        && value != 0.0
    {
        let detail = format!("{code}={value}: {unit}? ({})", range.unit);
        let text = Finding::new(
            "value",
            "unit_doubtful",
            "数值像是另一种单位，请在设备型号中声明",
            "looks like another unit; declare it in the device's profile",
        );
        // Outside of its own range it is wrong; inside it is only odd.
        return Some(if within(range.min, range.max) { text.should() } else { text }.detail(detail));
    }
    if within(range.min, range.max) {
        return None;
    }
    let detail = format!("{code}={value}, {}–{} {}", range.min, range.max, range.unit);
    Some(Finding::new("value", "value_impossible", "数值超出可能的范围", "a value that cannot be").detail(detail))
}

#[cfg(test)]
mod tests {
    use super::super::book::Weight;
    use super::*;

    #[test]
    fn impossible_values_fail_and_other_units_are_told() {
        assert!(judge("a34041", 1.2).is_none());
        assert!(judge("unknown", 1e9).is_none());
        assert_eq!(judge("a01002", 140.0).unwrap().code, "value_impossible");
        let pressure = judge("a01006", 1_013.0).unwrap();
        assert_eq!((pressure.code, pressure.weight), ("unit_doubtful", Weight::Must));
        assert_eq!(judge("a34002", 75.6).unwrap().weight, Weight::Should);
        assert!(judge("a34002", 75_600.0).is_none());
    }
}
