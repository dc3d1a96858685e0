//! What the fields of a data item mean: data flags, suffixes, states of facilities. Which quantity and unit a factor code
//! stands for is the device profile's to say, not the wire's; [`factor_name`] only knows the standard's table (annex B).

use super::message::{Field, Item, Message};
use super::problem::{Problem, ProblemCode};
use crate::explain::Label;
use std::collections::HashSet;

/// `-Flag`: the state of a value. Only [`DataFlag::Normal`] counts toward limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFlag {
    Normal,
    Stopped,
    Maintenance,
    Manual,
    Fault,
    Calibration,
    OverRange,
    LinkBroken,
    /// A letter of no edition, kept.
    Other(char),
}

impl DataFlag {
    /// The first letter of the text, either case; `None` when empty.
    pub fn read(text: &str) -> Option<Self> {
        Some(match text.trim().chars().next()?.to_ascii_uppercase() {
            'N' => Self::Normal,
            'F' => Self::Stopped,
            'M' => Self::Maintenance,
            'S' => Self::Manual,
            'D' => Self::Fault,
            'C' => Self::Calibration,
            'T' => Self::OverRange,
            'B' => Self::LinkBroken,
            other => Self::Other(other),
        })
    }

    pub const fn letter(self) -> char {
        match self {
            Self::Normal => 'N',
            Self::Stopped => 'F',
            Self::Maintenance => 'M',
            Self::Manual => 'S',
            Self::Fault => 'D',
            Self::Calibration => 'C',
            Self::OverRange => 'T',
            Self::LinkBroken => 'B',
            Self::Other(letter) => letter,
        }
    }

    /// Whether the value may be judged against a limit.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Normal)
    }

    pub const fn label(self) -> Label {
        match self {
            Self::Normal => Label { zh: "正常", en: "normal" },
            Self::Stopped => Label { zh: "停运", en: "stopped" },
            Self::Maintenance => Label { zh: "维护", en: "maintenance" },
            Self::Manual => Label { zh: "手工输入", en: "set by hand" },
            Self::Fault => Label { zh: "故障", en: "fault" },
            Self::Calibration => Label { zh: "校准", en: "calibration" },
            Self::OverRange => Label { zh: "超量程", en: "over range" },
            Self::LinkBroken => Label { zh: "与仪表通讯异常", en: "link to instrument broken" },
            Self::Other(_) => Label { zh: "未知标记", en: "unknown flag" },
        }
    }
}

/// `SBnnn-RS`: what a facility does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    Off,
    On,
    Calibration,
    Maintenance,
    Alarm,
    BackFlush,
    Other(u16),
}

impl RunState {
    pub fn read(text: &str) -> Option<Self> {
        Some(match text.trim().parse().ok()? {
            0 => Self::Off,
            1 => Self::On,
            2 => Self::Calibration,
            3 => Self::Maintenance,
            4 => Self::Alarm,
            5 => Self::BackFlush,
            other => Self::Other(other),
        })
    }

    pub const fn label(self) -> Label {
        match self {
            Self::Off => Label { zh: "关闭", en: "off" },
            Self::On => Label { zh: "运行", en: "on" },
            Self::Calibration => Label { zh: "校准", en: "calibration" },
            Self::Maintenance => Label { zh: "维护", en: "maintenance" },
            Self::Alarm => Label { zh: "报警", en: "alarm" },
            Self::BackFlush => Label { zh: "反吹", en: "back-flush" },
            Self::Other(_) => Label { zh: "未知状态", en: "unknown state" },
        }
    }
}

/// What an information code of 3020 and 3021 names, by its number: `i11…` logs, `i12…` states, `i13…` parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InfoKind {
    Log,
    State,
    Parameter,
    Other,
}

impl InfoKind {
    /// Of a code, or of the `code` of a field `code-Info`.
    pub fn of(code: &str) -> Self {
        match code.get(..3) {
            Some("i11") => Self::Log,
            Some("i12") => Self::State,
            Some("i13") => Self::Parameter,
            _ => Self::Other,
        }
    }

    pub const fn label(self) -> Label {
        match self {
            Self::Log => Label { zh: "现场端日志", en: "device log" },
            Self::State => Label { zh: "现场端状态", en: "device state" },
            Self::Parameter => Label { zh: "现场端参数", en: "device parameter" },
            Self::Other => Label { zh: "现场端信息", en: "device information" },
        }
    }
}

/// The text of a log without the `//` around it; `None` when it is no log.
pub fn log_text(info: &str) -> Option<&str> {
    let text = info.strip_prefix("//")?;
    Some(text.strip_suffix("//").unwrap_or(text))
}

/// What stands behind the last `-` of a key. `converted` is the `Zs` of values at the reference state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suffix {
    Instant {
        converted: bool,
    },
    Mean {
        converted: bool,
    },
    Min {
        converted: bool,
    },
    Max {
        converted: bool,
    },
    Total,
    /// `-Flag`
    Flag,
    /// `-EFlag`: the vendor's own, up to four characters.
    ExtendedFlag,
    SampleTime,
    /// `-Info` of 3020 and 3021: a log between `//`, a state, a parameter.
    Info,
    /// `-Data`, `-DayData`, `-NightData` of noise.
    Data,
    DayData,
    NightData,
    RunState,
    /// `-RT`, hours.
    RunTime,
    SerialNumber,
    /// No suffix.
    None,
    Unknown,
}

impl Suffix {
    pub fn of(field: &Field<'_>) -> Self {
        let text = field.suffix;
        let stripped = text.get(..2).filter(|head| head.eq_ignore_ascii_case("Zs")).and_then(|_| text.get(2..));
        let (converted, rest) = stripped.map_or((false, text), |rest| (true, rest));
        let is = |word: &str| rest.eq_ignore_ascii_case(word);
        match rest.len() {
            0 if !converted => Self::None,
            3 if is("Rtd") => Self::Instant { converted },
            3 if is("Avg") => Self::Mean { converted },
            3 if is("Min") => Self::Min { converted },
            3 if is("Max") => Self::Max { converted },
            _ if converted => Self::Unknown,
            3 if is("Cou") => Self::Total,
            4 if is("Flag") => Self::Flag,
            5 if is("EFlag") => Self::ExtendedFlag,
            10 if is("SampleTime") => Self::SampleTime,
            4 if is("Info") => Self::Info,
            4 if is("Data") => Self::Data,
            7 if is("DayData") => Self::DayData,
            9 if is("NightData") => Self::NightData,
            2 if is("RS") => Self::RunState,
            2 if is("RT") => Self::RunTime,
            2 if is("SN") => Self::SerialNumber,
            _ => Self::Unknown,
        }
    }

    pub const fn label(self) -> Label {
        match self {
            Self::Instant { converted: false } => Label { zh: "实时值", en: "instant" },
            Self::Instant { converted: true } => Label { zh: "实时折算值", en: "instant, converted" },
            Self::Mean { converted: false } => Label { zh: "均值", en: "mean" },
            Self::Mean { converted: true } => Label { zh: "折算均值", en: "mean, converted" },
            Self::Min { converted: false } => Label { zh: "最小值", en: "minimum" },
            Self::Min { converted: true } => Label { zh: "折算最小值", en: "minimum, converted" },
            Self::Max { converted: false } => Label { zh: "最大值", en: "maximum" },
            Self::Max { converted: true } => Label { zh: "折算最大值", en: "maximum, converted" },
            Self::Total => Label { zh: "累计值", en: "total" },
            Self::Flag => Label { zh: "数据标记", en: "data flag" },
            Self::ExtendedFlag => Label { zh: "扩充数据标记（厂商自定义）", en: "vendor's own data flag" },
            Self::SampleTime => Label { zh: "采样时间", en: "time of sampling" },
            Self::Info => Label { zh: "现场端信息", en: "device information" },
            Self::Data => Label { zh: "统计值", en: "statistic" },
            Self::DayData => Label { zh: "昼间值", en: "by day" },
            Self::NightData => Label { zh: "夜间值", en: "by night" },
            Self::RunState => Label { zh: "设施运行状态", en: "state of the facility" },
            Self::RunTime => Label { zh: "设施运行时间", en: "run time of the facility" },
            Self::SerialNumber => Label { zh: "设备唯一标识", en: "serial number" },
            Self::None => Label { zh: "字段", en: "field" },
            Self::Unknown => Label { zh: "未知后缀", en: "unknown suffix" },
        }
    }

    /// Whether a number in the factor's unit stands behind it.
    pub const fn is_value(self) -> bool {
        matches!(
            self,
            Self::Instant { .. }
                | Self::Mean { .. }
                | Self::Min { .. }
                | Self::Max { .. }
                | Self::Data
                | Self::DayData
                | Self::NightData
        )
    }
}

impl<'a> Item<'a> {
    /// `-Flag` of a code within this item.
    pub fn flag(&self, code: &str) -> Option<DataFlag> {
        self.of(code, Suffix::Flag).and_then(|field| DataFlag::read(field.text))
    }

    /// `-EFlag` of a code within this item, as sent.
    pub fn extended_flag(&self, code: &str) -> Option<&'a str> {
        self.of(code, Suffix::ExtendedFlag).map(|field| field.text)
    }

    fn of(&self, code: &str, suffix: Suffix) -> Option<&Field<'a>> {
        self.fields.iter().find(|field| field.code.eq_ignore_ascii_case(code) && Suffix::of(field) == suffix)
    }
}

impl Field<'_> {
    /// As it stands in the frame.
    pub fn written(&self) -> String {
        match self.suffix {
            "" => format!("{}={}", self.code, self.text),
            suffix => format!("{}-{suffix}={}", self.code, self.text),
        }
    }
}

impl Message<'_> {
    /// Fields that contradict others or mean nothing: a second `DataTime`, a value or flag given before, a flag of no edition. Not
    /// among the problems of [`Message::parse`], which is on every frame's way.
    pub fn odd_fields(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for field in self.fields() {
            let suffix = Suffix::of(field);
            let is_time = suffix == Suffix::None && field.code.eq_ignore_ascii_case("DataTime");
            let named = is_time || !matches!(suffix, Suffix::None | Suffix::Unknown | Suffix::Info);
            let offset = field.offset;
            if named && !seen.insert((field.code.to_ascii_lowercase(), field.suffix.to_ascii_lowercase())) {
                let code = if is_time { ProblemCode::DataTimeTwice } else { ProblemCode::DuplicateFactor };
                found.push(Problem { code, offset });
            }
            if suffix == Suffix::Flag && matches!(DataFlag::read(field.text), Some(DataFlag::Other(_))) {
                found.push(Problem { code: ProblemCode::FlagUnknown, offset });
            }
        }
        found
    }
}

/// The standard's name and unit of a factor code. Field devices use other units for the same codes, so the unit of a device's
/// profile decides; this is for explanations only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorName {
    pub label: Label,
    pub unit: &'static str,
    pub clause: &'static str,
}

/// By code, either case; the numeric codes of 2005 too.
pub fn factor_name(code: &str) -> Option<FactorName> {
    FACTORS.iter().find(|row| row.0.eq_ignore_ascii_case(code)).map(|(_, zh, en, unit, clause)| FactorName {
        label: Label { zh, en },
        unit,
        clause,
    })
}

const B: &str = "HJ 212-2017 附录B";
const OLD: &str = "HJ/T 212-2005";
const FIELD: &str = "";

#[rustfmt::skip]
const FACTORS: &[(&str, &str, &str, &str, &str)] = &[
    ("a34001", "总悬浮颗粒物 TSP（标准单位；以设备配置的单位为准）", "TSP (the standard's unit; the device profile decides)", "ng/m³", B),
    ("a34002", "可吸入颗粒物 PM10（标准单位；以设备配置的单位为准）", "PM10 (the standard's unit; the device profile decides)", "ng/m³", B),
    ("a34004", "细颗粒物 PM2.5（标准单位；以设备配置的单位为准）", "PM2.5 (the standard's unit; the device profile decides)", "ng/m³", B),
    ("a34005", "PM1（标准单位；以设备配置的单位为准）", "PM1 (the standard's unit; the device profile decides)", "ng/m³", B),
    ("a01001", "温度", "temperature", "°C", B),
    ("a01002", "湿度", "humidity", "%", B),
    ("a01006", "气压（标准单位；以设备配置的单位为准）", "pressure (the standard's unit; the device profile decides)", "kPa", B),
    ("a01007", "风速", "wind speed", "m/s", B),
    ("a01008", "风向", "wind direction", "°", B),
    ("LA", "A 声级", "noise, A-weighted", "dB(A)", B),
    ("L5", "累积百分声级 L5", "noise level L5", "dB(A)", B),
    ("L10", "累积百分声级 L10", "noise level L10", "dB(A)", B),
    ("L50", "累积百分声级 L50", "noise level L50", "dB(A)", B),
    ("L90", "累积百分声级 L90", "noise level L90", "dB(A)", B),
    ("L95", "累积百分声级 L95", "noise level L95", "dB(A)", B),
    ("Leq", "等效声级", "equivalent noise level", "dB(A)", B),
    ("LMx", "最大声级", "maximum noise level", "dB(A)", B),
    ("LMn", "最小声级", "minimum noise level", "dB(A)", B),
    ("Ld", "昼间等效声级", "day noise level", "dB(A)", B),
    ("Ln", "夜间等效声级", "night noise level", "dB(A)", B),
    ("Ldn", "昼夜等效声级", "day-night noise level", "dB(A)", B),
    ("a34011", "降尘", "dustfall", "t/(km²·月)", B),
    ("a34013", "烟尘", "soot", "mg/m³", B),
    ("a24088", "非甲烷总烃", "non-methane hydrocarbons", "mg/m³", B),
    ("a34041", "油烟（非标准编码，见于现场设备）", "restaurant fume (field use, in no table)", "mg/m³", FIELD),
    ("a34000", "颗粒物（非标准编码，见于现场设备）", "particulate matter (field use, in no table)", "mg/m³", FIELD),
    ("LAMPBLACK", "油烟（非标准编码，见于现场设备）", "restaurant fume (field use, in no table)", "mg/m³", FIELD),
    ("NMHC", "非甲烷总烃（非标准编码，见于现场设备）", "NMHC (field use, in no table)", "mg/m³", FIELD),
    ("a50001", "噪声（非标准编码，见于现场设备）", "noise (field use, in no table)", "dB(A)", FIELD),
    ("PM10", "PM10（非标准编码，单位以设备配置为准）", "PM10 (field use; the device profile decides the unit)", "", FIELD),
    ("PM25", "PM2.5（非标准编码，单位以设备配置为准）", "PM2.5 (field use; the device profile decides the unit)", "", FIELD),
    ("TSP", "TSP（非标准编码，单位以设备配置为准）", "TSP (field use; the device profile decides the unit)", "", FIELD),
    ("107", "PM10", "PM10", "", OLD),
    ("925", "PM2.5", "PM2.5", "", OLD),
    ("126", "温度", "temperature", "°C", OLD),
    ("127", "气压", "pressure", "", OLD),
    ("128", "湿度", "humidity", "%", OLD),
    ("129", "风速", "wind speed", "m/s", OLD),
    ("130", "风向", "wind direction", "°", OLD),
    ("B03", "噪声", "noise", "dB(A)", OLD),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_typed_and_only_normal_counts() {
        for letter in "NFMSDCTB".chars() {
            let flag = DataFlag::read(&letter.to_ascii_lowercase().to_string()).unwrap();
            assert_eq!(flag.letter(), letter);
            assert_eq!(flag.counts(), letter == 'N');
        }
        assert_eq!(DataFlag::read("x"), Some(DataFlag::Other('X')));
        assert_eq!(DataFlag::read(" "), None);
    }

    #[test]
    fn an_item_tells_its_flags_by_code() {
        let text = "CN=2011;CP=&&a34002-Rtd=5,a34002-Flag=D,a34002-EFlag=A01;SB001-RS=5;SB001-RT=1.5;LA-ZsRtd=4&&";
        let (message, _) = Message::parse(text);
        assert_eq!(message.items[0].flag("A34002"), Some(DataFlag::Fault));
        assert_eq!(message.items[0].extended_flag("a34002"), Some("A01"));
        assert_eq!(message.items[1].flag("a34002"), None);
        let suffixes: Vec<_> = message.fields().map(Suffix::of).collect();
        assert_eq!(
            suffixes,
            [
                Suffix::Instant { converted: false },
                Suffix::Flag,
                Suffix::ExtendedFlag,
                Suffix::RunState,
                Suffix::RunTime,
                Suffix::Instant { converted: true }
            ]
        );
        assert_eq!(RunState::read("5"), Some(RunState::BackFlush));
        assert_eq!(RunState::read("9"), Some(RunState::Other(9)));
    }

    #[test]
    fn information_codes_tell_logs_states_and_parameters() {
        let kinds = ["i11001", "i12007", "i13004", "i23005", "x"].map(InfoKind::of);
        let expected = [InfoKind::Log, InfoKind::State, InfoKind::Parameter, InfoKind::Other, InfoKind::Other];
        assert_eq!(kinds, expected);
        assert_eq!((log_text("//a;b//"), log_text("//a"), log_text("a")), (Some("a;b"), Some("a"), None));
    }

    #[test]
    fn the_standards_unit_of_dust_is_nanograms() {
        assert_eq!(factor_name("A34002").map(|factor| factor.unit), Some("ng/m³"));
        assert_eq!(factor_name("w01018"), None);
    }
}
