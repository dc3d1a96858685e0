//! Physical units as a closed set, with conversion inside one dimension. A value on the wire has the unit its device
//! profile states; it is converted once, in settle, to its quantity's canonical unit.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    #[serde(rename = "mg/m3")]
    MgPerM3,
    #[serde(rename = "ug/m3")]
    UgPerM3,
    #[serde(rename = "ng/m3")]
    NgPerM3,
    #[serde(rename = "degC")]
    Celsius,
    #[serde(rename = "%")]
    Percent,
    #[serde(rename = "Pa")]
    Pa,
    #[serde(rename = "hPa")]
    HPa,
    #[serde(rename = "kPa")]
    KPa,
    #[serde(rename = "MPa")]
    MPa,
    #[serde(rename = "m/s")]
    MPerS,
    #[serde(rename = "km/h")]
    KmPerH,
    #[serde(rename = "deg")]
    Degree,
    #[serde(rename = "dB(A)")]
    DbA,
    #[serde(rename = "mA")]
    MilliAmpere,
    #[serde(rename = "A")]
    Ampere,
    #[serde(rename = "V")]
    Volt,
    #[serde(rename = "kWh")]
    KWh,
    #[serde(rename = "m3/h")]
    M3PerH,
    #[serde(rename = "L/min")]
    LPerMin,
    #[serde(rename = "m")]
    Metre,
    #[serde(rename = "km")]
    Km,
    #[serde(rename = "s")]
    Second,
    /// Counts, states (0/1), ratios.
    #[serde(rename = "1")]
    One,
}

/// `(dimension, factor to the dimension's base)`.
const fn scale(unit: Unit) -> (u8, f64) {
    match unit {
        Unit::MgPerM3 => (1, 1e6),
        Unit::UgPerM3 => (1, 1e3),
        Unit::NgPerM3 => (1, 1.0),
        Unit::Celsius => (2, 1.0),
        Unit::Percent => (3, 1.0),
        Unit::Pa => (4, 1.0),
        Unit::HPa => (4, 1e2),
        Unit::KPa => (4, 1e3),
        Unit::MPa => (4, 1e6),
        Unit::MPerS => (5, 3.6),
        Unit::KmPerH => (5, 1.0),
        Unit::Degree => (6, 1.0),
        Unit::DbA => (7, 1.0),
        Unit::MilliAmpere => (8, 1.0),
        Unit::Ampere => (8, 1e3),
        Unit::Volt => (9, 1.0),
        Unit::KWh => (10, 1.0),
        Unit::M3PerH => (11, 1000.0 / 60.0),
        Unit::LPerMin => (11, 1.0),
        Unit::Metre => (12, 1.0),
        Unit::Km => (12, 1e3),
        Unit::Second => (13, 1.0),
        Unit::One => (14, 1.0),
    }
}

impl Unit {
    pub const ALL: [Self; 23] = [
        Self::MgPerM3,
        Self::UgPerM3,
        Self::NgPerM3,
        Self::Celsius,
        Self::Percent,
        Self::Pa,
        Self::HPa,
        Self::KPa,
        Self::MPa,
        Self::MPerS,
        Self::KmPerH,
        Self::Degree,
        Self::DbA,
        Self::MilliAmpere,
        Self::Ampere,
        Self::Volt,
        Self::KWh,
        Self::M3PerH,
        Self::LPerMin,
        Self::Metre,
        Self::Km,
        Self::Second,
        Self::One,
    ];

    /// As written in files and the API: `mg/m3`, `degC`, `dB(A)` …
    pub const fn code(self) -> &'static str {
        match self {
            Self::MgPerM3 => "mg/m3",
            Self::UgPerM3 => "ug/m3",
            Self::NgPerM3 => "ng/m3",
            Self::Celsius => "degC",
            Self::Percent => "%",
            Self::Pa => "Pa",
            Self::HPa => "hPa",
            Self::KPa => "kPa",
            Self::MPa => "MPa",
            Self::MPerS => "m/s",
            Self::KmPerH => "km/h",
            Self::Degree => "deg",
            Self::DbA => "dB(A)",
            Self::MilliAmpere => "mA",
            Self::Ampere => "A",
            Self::Volt => "V",
            Self::KWh => "kWh",
            Self::M3PerH => "m3/h",
            Self::LPerMin => "L/min",
            Self::Metre => "m",
            Self::Km => "km",
            Self::Second => "s",
            Self::One => "1",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.code() == code)
    }

    pub fn same_dimension(self, other: Self) -> bool {
        scale(self).0 == scale(other).0
    }

    /// `value` of this unit in `to`; `None` when the dimensions differ.
    pub fn convert(self, value: f64, to: Self) -> Option<f64> {
        if self == to {
            return Some(value);
        }
        let ((from_dimension, from), (to_dimension, factor)) = (scale(self), scale(to));
        // Multiply before dividing where that keeps round numbers round (75 600 ng/m³ is 75.6 µg/m³).
        (from_dimension == to_dimension)
            .then(|| if from >= factor { value * (from / factor) } else { value / (factor / from) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversion_stays_inside_a_dimension() {
        assert_eq!(Unit::NgPerM3.convert(75_600.0, Unit::UgPerM3), Some(75.6));
        assert_eq!(Unit::MgPerM3.convert(0.16, Unit::UgPerM3), Some(160.0));
        assert_eq!(Unit::KPa.convert(101.3, Unit::HPa), Some(1013.0));
        assert_eq!(Unit::KPa.convert(1.0, Unit::MgPerM3), None);
    }

    #[test]
    fn every_code_reads_back() {
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.code()), Some(unit));
            assert_eq!(serde_json::to_string(&unit).unwrap(), format!("\"{}\"", unit.code()));
        }
    }
}
