//! The commands, by protocol, in the standards' terms. Whether the values are allowed is the codecs' to say; what is here is only shape.
//!
//! ```
//! use lantian_model::downlink::Command;
//! let text = r#"{"kind":"hj212_history","what":"minute","from":"2026-01-01T00:00:00Z","to":"2026-01-01T01:00:00Z"}"#;
//! let command: Command = serde_json::from_str(text).unwrap();
//! assert_eq!((command.kind(), command.is_repeatable()), ("hj212_history", true));
//! ```

use crate::envelope::ProtocolKind;
use crate::geo::Wgs84;
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

/// Something to tell a device. `pol` names an instrument behind an HJ 212 logger by the code of what it measures; without it the logger
/// itself is meant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// 1012; the time is that of sending.
    Hj212SetTime {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pol: Option<String>,
    },
    /// 1011
    Hj212GetTime {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pol: Option<String>,
    },
    /// 1000
    Hj212SetTimeouts { over_time_s: u16, re_count: u8 },
    /// 1061
    Hj212GetRealTimeInterval,
    /// 1062
    Hj212SetRealTimeInterval { seconds: u16 },
    /// 1063
    Hj212GetMinuteInterval,
    /// 1064
    Hj212SetMinuteInterval { minutes: u8 },
    /// 1072. Stored encrypted and shown to nobody.
    Hj212SetPassword { password: String },
    /// 2011
    Hj212StartRealTime,
    /// 2012
    Hj212StopRealTime,
    /// 2021
    Hj212StartStates,
    /// 2022
    Hj212StopStates,
    /// 2051, 2061, 2031, 2041; 2013, 2052, 2062 of 2025. Both ends included, by `DataTime`.
    Hj212History {
        what: Hj212History,
        #[serde(with = "rfc3339")]
        from: EventTime,
        #[serde(with = "rfc3339")]
        to: EventTime,
    },
    /// 3011 – 3014, 3022, 3024
    Hj212Instrument { action: Instrument, pol: String },
    /// 3015
    Hj212KeepSample,
    /// 3016; `start` is `[hour, minute, second]` of the first sample of a day.
    Hj212SetSamplingPeriod { pol: String, start: (u8, u8, u8), hours: u8 },
    /// 3017 – 3019
    Hj212Ask { what: Hj212Ask, pol: String },
    /// 3020; `i11001` is the log and wants a period.
    Hj212GetInfo {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pol: Option<String>,
        info: String,
        #[serde(default, with = "rfc3339::pair", skip_serializing_if = "Option::is_none")]
        period: Option<(EventTime, EventTime)>,
    },
    /// 3021
    Hj212SetInfo { pol: String, info: String, value: String },
    /// 0x8103
    Jt808SetParameters { parameters: Vec<Parameter> },
    /// 0x8104, or 0x8106 when ids are given.
    Jt808GetParameters {
        #[serde(default)]
        ids: Vec<u32>,
    },
    /// 0x8105
    Jt808Control {
        action: Control,
        /// Parted by `;`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        parameters: String,
    },
    /// 0x8107
    Jt808GetAttributes,
    /// 0x8201
    Jt808GetPosition,
    /// 0x8202; interval 0 stops it.
    Jt808Track {
        interval_s: u16,
        #[serde(default)]
        validity_s: u32,
    },
    /// 0x8203; `serial` 0 = all of the kinds.
    Jt808ConfirmAlarm {
        #[serde(default)]
        serial: u16,
        kinds: u32,
    },
    /// 0x8204, 2019
    Jt808LinkTest,
    /// 0x8300
    Jt808Text {
        text: String,
        #[serde(default)]
        urgent: bool,
        #[serde(default = "yes")]
        display: bool,
        #[serde(default)]
        speak: bool,
        #[serde(default)]
        sign: bool,
    },
    /// 0x8600
    Jt808Circles {
        #[serde(default)]
        setting: Setting,
        circles: Vec<Circle>,
    },
    /// 0x8602
    Jt808Rectangles {
        #[serde(default)]
        setting: Setting,
        rectangles: Vec<Rectangle>,
    },
    /// 0x8604
    Jt808Polygon(Polygon),
    /// 0x8606
    Jt808Route {
        id: u32,
        #[serde(default)]
        name: String,
        points: Vec<RoutePoint>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<Window>,
    },
    /// 0x8601, 0x8603, 0x8605, 0x8607; no ids = all.
    Jt808DeleteAreas {
        shape: AreaShape,
        #[serde(default)]
        ids: Vec<u32>,
    },
    /// 0x8608, 2019; no ids = all.
    Jt808GetAreas {
        shape: AreaShape,
        #[serde(default)]
        ids: Vec<u32>,
    },
    /// 0x8801
    Jt808Photo {
        channel: u8,
        #[serde(default = "one")]
        count: u16,
        #[serde(default)]
        interval_s: u16,
        /// Keep it in the terminal instead of uploading at once.
        #[serde(default)]
        keep: bool,
        /// 1 = 320×240, 2 = 640×480 …, as the standard's table.
        #[serde(default = "resolution")]
        resolution: u8,
        /// 1 best – 10 smallest.
        #[serde(default = "quality")]
        quality: u8,
    },
    /// Free JSON to `lantian/v1/{device}/command`.
    Mqtt { payload: serde_json::Value },
}

const fn yes() -> bool {
    true
}
const fn one() -> u16 {
    1
}
const fn resolution() -> u8 {
    2
}
const fn quality() -> u8 {
    5
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hj212History {
    Minute,
    Hour,
    Day,
    RunTime,
    Raw,
    NoiseEvents,
    StandardChecks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instrument {
    /// 3011
    Calibrate,
    /// 3012
    SampleNow,
    /// 3013
    Clean,
    /// 3014
    CompareSample,
    /// 3022
    KeepSampleNow,
    /// 3024
    StandardCheck,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hj212Ask {
    /// 3017
    SamplingPeriod,
    /// 3018
    ResultTime,
    /// 3019
    SerialNumber,
}

/// A terminal parameter. The id's type decides what `value` must be; of an id the standard does not know, `value` is hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub id: u32,
    pub value: ParameterValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    Number(u32),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    Upgrade,
    Connect,
    Off,
    Reset,
    FactorySettings,
    DataOff,
    RadioOff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    #[default]
    Update,
    Append,
    Modify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaShape {
    Circle,
    Rectangle,
    Polygon,
    Route,
}

/// When an area holds, on the terminal's clock; the dates are left out for a daily window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[serde(with = "rfc3339")]
    pub from: EventTime,
    #[serde(with = "rfc3339")]
    pub to: EventTime,
    /// Each day between these times of day.
    #[serde(default)]
    pub daily: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    pub max_kmh: u16,
    pub for_s: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub night_max_kmh: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    pub id: u32,
    #[serde(default)]
    pub name: String,
    pub centre: Wgs84,
    pub radius_m: u32,
    /// Bits 2–5 and 8–15 of the standard's table; the others follow from the fields.
    #[serde(default)]
    pub attributes: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rectangle {
    pub id: u32,
    #[serde(default)]
    pub name: String,
    pub north_west: Wgs84,
    pub south_east: Wgs84,
    #[serde(default)]
    pub attributes: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polygon {
    pub id: u32,
    #[serde(default)]
    pub name: String,
    pub vertices: Vec<Wgs84>,
    #[serde(default)]
    pub attributes: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

/// A bend of a route and the segment that ends there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutePoint {
    pub place: Wgs84,
    pub width_m: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
}

impl Command {
    pub const fn protocol(&self) -> ProtocolKind {
        match self {
            Self::Mqtt { .. } => ProtocolKind::Mqtt,
            Self::Jt808SetParameters { .. }
            | Self::Jt808GetParameters { .. }
            | Self::Jt808Control { .. }
            | Self::Jt808GetAttributes
            | Self::Jt808GetPosition
            | Self::Jt808Track { .. }
            | Self::Jt808ConfirmAlarm { .. }
            | Self::Jt808LinkTest
            | Self::Jt808Text { .. }
            | Self::Jt808Circles { .. }
            | Self::Jt808Rectangles { .. }
            | Self::Jt808Polygon(_)
            | Self::Jt808Route { .. }
            | Self::Jt808DeleteAreas { .. }
            | Self::Jt808GetAreas { .. }
            | Self::Jt808Photo { .. } => ProtocolKind::Jt808,
            _ => ProtocolKind::Hj212,
        }
    }

    /// The word in `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hj212SetTime { .. } => "hj212_set_time",
            Self::Hj212GetTime { .. } => "hj212_get_time",
            Self::Hj212SetTimeouts { .. } => "hj212_set_timeouts",
            Self::Hj212GetRealTimeInterval => "hj212_get_real_time_interval",
            Self::Hj212SetRealTimeInterval { .. } => "hj212_set_real_time_interval",
            Self::Hj212GetMinuteInterval => "hj212_get_minute_interval",
            Self::Hj212SetMinuteInterval { .. } => "hj212_set_minute_interval",
            Self::Hj212SetPassword { .. } => "hj212_set_password",
            Self::Hj212StartRealTime => "hj212_start_real_time",
            Self::Hj212StopRealTime => "hj212_stop_real_time",
            Self::Hj212StartStates => "hj212_start_states",
            Self::Hj212StopStates => "hj212_stop_states",
            Self::Hj212History { .. } => "hj212_history",
            Self::Hj212Instrument { .. } => "hj212_instrument",
            Self::Hj212KeepSample => "hj212_keep_sample",
            Self::Hj212SetSamplingPeriod { .. } => "hj212_set_sampling_period",
            Self::Hj212Ask { .. } => "hj212_ask",
            Self::Hj212GetInfo { .. } => "hj212_get_info",
            Self::Hj212SetInfo { .. } => "hj212_set_info",
            Self::Jt808SetParameters { .. } => "jt808_set_parameters",
            Self::Jt808GetParameters { .. } => "jt808_get_parameters",
            Self::Jt808Control { .. } => "jt808_control",
            Self::Jt808GetAttributes => "jt808_get_attributes",
            Self::Jt808GetPosition => "jt808_get_position",
            Self::Jt808Track { .. } => "jt808_track",
            Self::Jt808ConfirmAlarm { .. } => "jt808_confirm_alarm",
            Self::Jt808LinkTest => "jt808_link_test",
            Self::Jt808Text { .. } => "jt808_text",
            Self::Jt808Circles { .. } => "jt808_circles",
            Self::Jt808Rectangles { .. } => "jt808_rectangles",
            Self::Jt808Polygon(_) => "jt808_polygon",
            Self::Jt808Route { .. } => "jt808_route",
            Self::Jt808DeleteAreas { .. } => "jt808_delete_areas",
            Self::Jt808GetAreas { .. } => "jt808_get_areas",
            Self::Jt808Photo { .. } => "jt808_photo",
            Self::Mqtt { .. } => "mqtt",
        }
    }

    /// Doing it twice is doing it once: it may be sent again when the answer was lost with the connection. What makes a device act on
    /// the world (sample, calibrate, photograph, speak, reset) is not, nor what appends, nor JSON whose meaning is its device's.
    pub const fn is_repeatable(&self) -> bool {
        match self {
            Self::Hj212SetPassword { .. }
            | Self::Hj212Instrument { .. }
            | Self::Hj212KeepSample
            | Self::Jt808Control { .. }
            | Self::Jt808Text { .. }
            | Self::Jt808Photo { .. }
            | Self::Mqtt { .. } => false,
            Self::Jt808Circles { setting, .. } | Self::Jt808Rectangles { setting, .. } => {
                !matches!(setting, Setting::Append)
            }
            _ => true,
        }
    }

    /// The secret in it, and the command as it may be shown and stored in clear.
    #[must_use]
    pub fn without_secret(&self) -> (Self, Option<&str>) {
        match self {
            Self::Hj212SetPassword { password } => (Self::Hj212SetPassword { password: String::new() }, Some(password)),
            other => (other.clone(), None),
        }
    }

    /// Puts the secret back.
    #[must_use]
    pub fn with_secret(self, secret: String) -> Self {
        match self {
            Self::Hj212SetPassword { .. } => Self::Hj212SetPassword { password: secret },
            other => other,
        }
    }
}

/// Times as people read them.
mod rfc3339 {
    use crate::time::{EventTime, parse_rfc3339};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field")]
    pub(super) fn serialize<S: Serializer>(at: &EventTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&at.to_rfc3339())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventTime, D::Error> {
        read(&String::deserialize(from)?)
    }

    fn read<E: Error>(text: &str) -> Result<EventTime, E> {
        parse_rfc3339(text)
            .map(EventTime)
            .ok_or_else(|| E::custom(format!("write a time as 2026-01-01T08:00:00+08:00, not {text:?}")))
    }

    pub(super) mod pair {
        use super::{EventTime, read};
        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        #[expect(clippy::ref_option, reason = "serde passes the field")]
        pub(in super::super) fn serialize<S: Serializer>(
            at: &Option<(EventTime, EventTime)>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            at.map(|(from, until)| (from.to_rfc3339(), until.to_rfc3339())).serialize(to)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<(EventTime, EventTime)>, D::Error> {
            let texts: Option<(String, String)> = Option::deserialize(from)?;
            texts.map(|(from, until)| Ok((read(&from)?, read(&until)?))).transpose()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_its_kind_and_reads_back() {
        let place = Wgs84 { lon: 113.5, lat: 34.8 };
        let all = [
            Command::Hj212SetTime { pol: None },
            Command::Hj212GetInfo { pol: None, info: "i11001".into(), period: Some((EventTime(0), EventTime(60_000))) },
            Command::Jt808Polygon(Polygon {
                id: 7,
                name: "工地".into(),
                vertices: vec![place; 3],
                attributes: 0,
                window: None,
                speed: Some(Speed { max_kmh: 40, for_s: 10, night_max_kmh: None }),
            }),
            Command::Jt808Route {
                id: 1,
                name: String::new(),
                points: vec![RoutePoint { place, width_m: 50, speed: None }],
                window: None,
            },
            Command::Mqtt { payload: serde_json::json!({"fan": "on"}) },
        ];
        for command in all {
            let text = serde_json::to_string(&command).unwrap();
            let back: Command = serde_json::from_str(&text).unwrap();
            assert_eq!(back, command);
            assert!(text.starts_with(&format!(r#"{{"kind":"{}""#, command.kind())), "{text}");
            assert!(command.kind().starts_with(command.protocol().code()), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let wrong = |text: &str| serde_json::from_str::<Command>(text).unwrap_err().to_string();
        assert!(wrong(r#"{"kind":"hj212_dance"}"#).contains("unknown variant `hj212_dance`"));
        assert!(wrong(r#"{"kind":"hj212_set_timeouts","over_time_s":5}"#).contains("missing field `re_count`"));
        let history = r#"{"kind":"hj212_history","what":"minute","from":"yesterday","to":"2026-01-01T00:00:00Z"}"#;
        assert!(wrong(history).contains("not \"yesterday\""));
    }

    #[test]
    fn a_secret_is_taken_out_and_put_back() {
        let command = Command::Hj212SetPassword { password: "654321".into() };
        let (shown, secret) = command.without_secret();
        assert!(!serde_json::to_string(&shown).unwrap().contains("654321"));
        assert_eq!(shown.with_secret(secret.unwrap().to_owned()), command);
    }
}
