//! What a platform sends to a device: every request and notice, as a type, and its bytes.
//!
//! ```
//! use lantian_protocol::hj212::{Address, Request, Version};
//! let to = Address { qn: "20160801085857223", st: "32", pw: "100000", mn: "010000A8900016F000169DC0", version: Version::V2017 };
//! let bytes = Request::SetRealTimeInterval { seconds: 30 }.encode(&to)?;
//! assert!(bytes.ends_with(b"CP=&&RtdInterval=30&&1C80\r\n")); // the standard's own example
//! # Ok::<(), lantian_protocol::hj212::RequestError>(())
//! ```

use super::command::{Command, Uploads};
use super::encode::{Head, encode};
use super::version::Version;
use crate::Stamp;

/// Minutes that `MinInterval` may have.
pub const MINUTE_INTERVALS: [u8; 11] = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30];
/// The longest text a request carries in one field.
const TEXT_BYTES_MAX: usize = 400;

/// To whom, as whom, and under which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// 17 digits, unused so far; see [`super::QnSource`].
    pub qn: &'a str,
    /// The device's system, as in its uplinks.
    pub st: &'a str,
    pub pw: &'a str,
    pub mn: &'a str,
    pub version: Version,
}

/// From one `DataTime` to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub begin: Stamp,
    pub end: Stamp,
}

/// Which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    Minute,
    Hour,
    Day,
    RunTime,
    /// 2025
    Raw,
    /// 2025
    NoiseEvents,
    /// 2025
    StandardChecks,
}

impl History {
    pub const fn cn(self) -> &'static str {
        match self {
            Self::Minute => "2051",
            Self::Hour => "2061",
            Self::Day => "2031",
            Self::RunTime => "2041",
            Self::Raw => "2013",
            Self::NoiseEvents => "2052",
            Self::StandardChecks => "2062",
        }
    }
}

/// A request or notice. `pol` names the instrument by the code of what it measures; `None` means the logger itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// 1000
    SetTimeouts { over_time_s: u16, re_count: u8 },
    /// 1002, 2025: by which MN it shall call itself.
    SetMn { mn: &'a str },
    /// 1011
    GetTime { pol: Option<&'a str> },
    /// 1012. Build it anew for each send: the time is now.
    SetTime { pol: Option<&'a str>, time: Stamp },
    /// 1061
    GetRealTimeInterval,
    /// 1062, 30 to 3600 s
    SetRealTimeInterval { seconds: u16 },
    /// 1063
    GetMinuteInterval,
    /// 1064, one of [`MINUTE_INTERVALS`]
    SetMinuteInterval { minutes: u8 },
    /// 1072
    SetPassword { password: &'a str },
    /// 2011
    StartRealTime,
    /// 2012, a notice
    StopRealTime,
    /// 2021
    StartStates,
    /// 2022, a notice
    StopStates,
    /// 2031, 2041, 2051, 2061; 2013, 2052, 2062
    GetHistory { history: History, period: Period },
    /// 3011
    Calibrate { pol: &'a str },
    /// 3012
    SampleNow { pol: &'a str },
    /// 3013
    Clean { pol: &'a str },
    /// 3014
    CompareSample { pol: &'a str },
    /// 3015
    KeepSample,
    /// 3016. `start`: hour, minute, second of the first sample of a day; `hours` between two.
    SetSamplingPeriod { pol: &'a str, start: (u8, u8, u8), hours: u8 },
    /// 3017
    GetSamplingPeriod { pol: &'a str },
    /// 3018
    GetResultTime { pol: &'a str },
    /// 3019
    GetSerialNumber { pol: &'a str },
    /// 3020. `info`: i11001 is the log, i12xxx are states, i13xxx parameters; logs want a period.
    GetInfo { pol: Option<&'a str>, info: &'a str, period: Option<Period> },
    /// 3021
    SetInfo { pol: &'a str, info: &'a str, value: &'a str },
    /// 3022, 2025
    KeepSampleNow { pol: &'a str },
    /// 3024, 2025
    StartStandardCheck { pol: &'a str },
}

/// Why a request cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error("{field} is out of its range")]
    OutOfRange { field: &'static str },
    #[error("{field} is empty, too long, or holds one of ; , = & or a control character")]
    Text { field: &'static str },
    #[error("{field} is no time")]
    Time { field: &'static str },
}

impl Request<'_> {
    pub const fn cn(&self) -> &'static str {
        match self {
            Self::SetTimeouts { .. } => "1000",
            Self::SetMn { .. } => "1002",
            Self::GetTime { .. } => "1011",
            Self::SetTime { .. } => "1012",
            Self::GetRealTimeInterval => "1061",
            Self::SetRealTimeInterval { .. } => "1062",
            Self::GetMinuteInterval => "1063",
            Self::SetMinuteInterval { .. } => "1064",
            Self::SetPassword { .. } => "1072",
            Self::StartRealTime => "2011",
            Self::StopRealTime => "2012",
            Self::StartStates => "2021",
            Self::StopStates => "2022",
            Self::GetHistory { history, .. } => history.cn(),
            Self::Calibrate { .. } => "3011",
            Self::SampleNow { .. } => "3012",
            Self::Clean { .. } => "3013",
            Self::CompareSample { .. } => "3014",
            Self::KeepSample => "3015",
            Self::SetSamplingPeriod { .. } => "3016",
            Self::GetSamplingPeriod { .. } => "3017",
            Self::GetResultTime { .. } => "3018",
            Self::GetSerialNumber { .. } => "3019",
            Self::GetInfo { .. } => "3020",
            Self::SetInfo { .. } => "3021",
            Self::KeepSampleNow { .. } => "3022",
            Self::StartStandardCheck { .. } => "3024",
        }
    }

    /// Notices want 9013; requests want 9011 and 9012.
    pub const fn is_notice(&self) -> bool {
        matches!(self, Self::StopRealTime | Self::StopStates)
    }

    /// What the device sends in between.
    pub fn uploads(&self) -> Uploads {
        Command::find(self.cn()).map_or(Uploads::None, |command| command.uploads)
    }

    /// `BeginTime` and `EndTime` as on the wire, of a history request.
    pub fn period(&self) -> Option<Period> {
        match self {
            Self::GetHistory { period, .. } => Some(*period),
            Self::GetInfo { period, .. } => *period,
            _ => None,
        }
    }

    /// What stands between the `&&`.
    ///
    /// # Errors
    /// A value the standard does not allow, or text that would break the frame.
    pub fn data(&self) -> Result<String, RequestError> {
        let by_pol = |pol: &str| Ok(format!("PolId={}", text("PolId", pol)?));
        match *self {
            Self::SetTimeouts { over_time_s, re_count } => {
                range("OverTime", (1..=3600).contains(&over_time_s))?;
                range("ReCount", (1..=99).contains(&re_count))?;
                Ok(format!("OverTime={over_time_s};ReCount={re_count}"))
            }
            Self::SetMn { mn } => {
                range("MN", mn.len() <= 24)?;
                Ok(format!("i23005-Info={}", text("MN", mn)?))
            }
            Self::GetTime { pol } => pol.map_or_else(|| Ok(String::new()), by_pol),
            Self::SetTime { pol, time } => {
                let time = digits("SystemTime", time)?;
                Ok(match pol {
                    Some(pol) => format!("{};SystemTime={time}", by_pol(pol)?),
                    None => format!("SystemTime={time}"),
                })
            }
            Self::SetRealTimeInterval { seconds } => {
                range("RtdInterval", (30..=3600).contains(&seconds))?;
                Ok(format!("RtdInterval={seconds}"))
            }
            Self::SetMinuteInterval { minutes } => {
                range("MinInterval", MINUTE_INTERVALS.contains(&minutes))?;
                Ok(format!("MinInterval={minutes}"))
            }
            Self::SetPassword { password } => {
                range("NewPW", password.len() <= 24)?;
                Ok(format!("NewPW={}", text("NewPW", password)?))
            }
            Self::GetRealTimeInterval
            | Self::GetMinuteInterval
            | Self::StartRealTime
            | Self::StopRealTime
            | Self::StartStates
            | Self::StopStates
            | Self::KeepSample => Ok(String::new()),
            Self::GetHistory { period, .. } => span(period),
            Self::Calibrate { pol }
            | Self::SampleNow { pol }
            | Self::Clean { pol }
            | Self::CompareSample { pol }
            | Self::GetSamplingPeriod { pol }
            | Self::GetResultTime { pol }
            | Self::GetSerialNumber { pol }
            | Self::KeepSampleNow { pol }
            | Self::StartStandardCheck { pol } => by_pol(pol),
            Self::SetSamplingPeriod { pol, start: (hour, minute, second), hours } => {
                range("CstartTime", hour < 24 && minute < 60 && second < 60)?;
                range("Ctime", (1..=24).contains(&hours))?;
                Ok(format!("{};CstartTime={hour:02}{minute:02}{second:02};Ctime={hours}", by_pol(pol)?))
            }
            Self::GetInfo { pol, info, period } => {
                let mut parts: Vec<String> = pol.map(by_pol).transpose()?.into_iter().collect();
                parts.push(format!("InfoId={}", text("InfoId", info)?));
                parts.extend(period.map(span).transpose()?);
                Ok(parts.join(";"))
            }
            Self::SetInfo { pol, info, value } => {
                let info = text("InfoId", info)?;
                Ok(format!("{},InfoId={info},{info}-Info={}", by_pol(pol)?, text("Info", value)?))
            }
        }
    }

    /// The whole frame.
    ///
    /// # Errors
    /// As [`Request::data`], or a head field that would break the frame.
    pub fn encode(&self, to: &Address<'_>) -> Result<Vec<u8>, RequestError> {
        range("QN", to.qn.len() == 17 && to.qn.bytes().all(|byte| byte.is_ascii_digit()))?;
        text("MN", to.mn)?;
        text("ST", to.st)?;
        if !to.pw.is_empty() {
            text("PW", to.pw)?;
        }
        let head = Head {
            qn: Some(to.qn),
            st: Some(to.st),
            cn: Some(self.cn()),
            pw: Some(to.pw),
            mn: Some(to.mn),
            flag: Some(to.version.flag() | Version::ANSWER_WANTED),
            packet: None,
        };
        Ok(encode(&head, &self.data()?))
    }
}

fn range(field: &'static str, ok: bool) -> Result<(), RequestError> {
    if ok { Ok(()) } else { Err(RequestError::OutOfRange { field }) }
}

fn text<'t>(field: &'static str, text: &'t str) -> Result<&'t str, RequestError> {
    let breaks = |c: char| matches!(c, ';' | ',' | '=' | '&' | '#') || c.is_control();
    if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.contains(breaks) {
        return Err(RequestError::Text { field });
    }
    Ok(text)
}

fn span(period: Period) -> Result<String, RequestError> {
    let (begin, end) = (digits("BeginTime", period.begin)?, digits("EndTime", period.end)?);
    range("EndTime", begin <= end)?;
    Ok(format!("BeginTime={begin},EndTime={end}"))
}

/// `YYYYMMDDhhmmss`.
pub(super) fn digits(field: &'static str, stamp: Stamp) -> Result<String, RequestError> {
    let (year, month, day, hour, minute, second, _) = stamp;
    let real =
        year <= 9999 && (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !real {
        return Err(RequestError::Time { field });
    }
    Ok(format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Message, Parts};
    use super::*;
    use crate::explain::Direction;

    const NOON: Stamp = (2026, 1, 1, 12, 0, 0, 0);
    const DAY: Period = Period { begin: (2026, 1, 1, 0, 0, 0, 0), end: NOON };

    fn every() -> Vec<(Request<'static>, &'static str)> {
        let pol = "w01018";
        let history = |history| Request::GetHistory { history, period: DAY };
        let span = "BeginTime=20260101000000,EndTime=20260101120000";
        vec![
            (Request::SetTimeouts { over_time_s: 5, re_count: 3 }, "OverTime=5;ReCount=3"),
            (Request::SetMn { mn: "LT000001" }, "i23005-Info=LT000001"),
            (Request::GetTime { pol: None }, ""),
            (Request::GetTime { pol: Some(pol) }, "PolId=w01018"),
            (Request::SetTime { pol: None, time: NOON }, "SystemTime=20260101120000"),
            (Request::SetTime { pol: Some(pol), time: NOON }, "PolId=w01018;SystemTime=20260101120000"),
            (Request::GetRealTimeInterval, ""),
            (Request::SetRealTimeInterval { seconds: 30 }, "RtdInterval=30"),
            (Request::GetMinuteInterval, ""),
            (Request::SetMinuteInterval { minutes: 10 }, "MinInterval=10"),
            (Request::SetPassword { password: "654321" }, "NewPW=654321"),
            (Request::StartRealTime, ""),
            (Request::StopRealTime, ""),
            (Request::StartStates, ""),
            (Request::StopStates, ""),
            (history(History::Minute), span),
            (history(History::Hour), span),
            (history(History::Day), span),
            (history(History::RunTime), span),
            (history(History::Raw), span),
            (history(History::NoiseEvents), span),
            (history(History::StandardChecks), span),
            (Request::Calibrate { pol }, "PolId=w01018"),
            (Request::SampleNow { pol }, "PolId=w01018"),
            (Request::Clean { pol }, "PolId=w01018"),
            (Request::CompareSample { pol }, "PolId=w01018"),
            (Request::KeepSample, ""),
            (Request::SetSamplingPeriod { pol, start: (0, 0, 0), hours: 2 }, "PolId=w01018;CstartTime=000000;Ctime=2"),
            (Request::GetSamplingPeriod { pol }, "PolId=w01018"),
            (Request::GetResultTime { pol }, "PolId=w01018"),
            (Request::GetSerialNumber { pol }, "PolId=w01018"),
            (Request::GetInfo { pol: Some(pol), info: "i12001", period: None }, "PolId=w01018;InfoId=i12001"),
            (
                Request::GetInfo { pol: None, info: "i11001", period: Some(DAY) },
                "InfoId=i11001;BeginTime=20260101000000,EndTime=20260101120000",
            ),
            (Request::SetInfo { pol, info: "i13004", value: "168.0" }, "PolId=w01018,InfoId=i13004,i13004-Info=168.0"),
            (Request::KeepSampleNow { pol }, "PolId=w01018"),
            (Request::StartStandardCheck { pol }, "PolId=w01018"),
        ]
    }

    #[test]
    fn every_downlink_is_written_read_and_known_as_one() {
        for version in [Version::V2005, Version::V2017, Version::V2025] {
            let to = Address { qn: "20260101120000123", st: "39", pw: "123456", mn: "LT000001", version };
            for (request, data) in every() {
                let raw = request.encode(&to).unwrap();
                let parts = Parts::split(&raw);
                assert!(parts.problems().is_empty(), "{request:?}");
                let text = parts.text();
                let (message, problems) = Message::parse(&text);
                assert!(problems.is_empty(), "{request:?} {problems:?}");
                assert_eq!((message.cn, message.qn), (Some(request.cn()), Some(to.qn)));
                assert_eq!(message.flag, Some(version.flag() | 1));
                assert!(text.ends_with(&format!("CP=&&{data}&&")), "{text}");
                assert_eq!(super::super::direction(&message), Direction::Down, "{text}");
            }
        }
    }

    #[test]
    fn every_row_the_platform_can_send_has_a_builder() {
        let built: Vec<_> = every().into_iter().map(|(request, _)| request.cn()).collect();
        for row in super::super::commands().iter().filter(|row| row.down.is_some()) {
            // Answers are written by `answer`; the rules of 2025's session keys are unknown.
            let exempt = row.cn.starts_with("90") || row.cn == "1014";
            assert!(exempt || built.contains(&row.cn), "{}", row.cn);
        }
    }

    #[test]
    fn what_would_break_the_frame_or_the_standard_is_refused() {
        let bad = [
            Request::SetRealTimeInterval { seconds: 29 },
            Request::SetMinuteInterval { minutes: 7 },
            Request::SetPassword { password: "1;CN=2" },
            Request::SetPassword { password: "" },
            Request::Calibrate { pol: "a&&b" },
            Request::SetTime { pol: None, time: (2026, 13, 1, 0, 0, 0, 0) },
            Request::GetHistory { history: History::Day, period: Period { begin: NOON, end: DAY.begin } },
            Request::SetSamplingPeriod { pol: "w", start: (24, 0, 0), hours: 1 },
        ];
        for request in bad {
            assert!(request.data().is_err(), "{request:?}");
        }
        let to = Address { qn: "1", st: "39", pw: "", mn: "LT", version: Version::V2017 };
        assert_eq!(Request::StartRealTime.encode(&to), Err(RequestError::OutOfRange { field: "QN" }));
    }
}
