//! HJ 212: requests from commands, and one talk a device, which is the codec's [`Dialogue`] with the command's number and result.

use model::downlink::{Command, Hj212Ask, Hj212History, Instrument, Order, Told, Wrong};
use model::time::{EventTime, IngestTime, LocalStamp};
use protocol::hj212::{
    Address, Dialogue, Ending, ExeRtn, Heard, History, Message, Period, QnSource, Request, RequestError, Step, Timing,
    Uploads, Version,
};
use serde_json::{Map, Value, json};

/// Fields of an upload that are kept as a command's result, and characters of each.
const VALUES_MAX: usize = 64;
const VALUE_CHARS_MAX: usize = 400;
/// The standard's passwords have six characters; a little more is taken.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 6..=24;
/// Longest span of one history request.
const HISTORY_MS_MAX: i64 = 366 * 86_400_000;

/// How a device was addressed in its own frames; what is sent to it says the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Voice {
    pub(crate) mn: Box<str>,
    pub(crate) st: Box<str>,
    pub(crate) version: Version,
    pub(crate) offset_minutes: i32,
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) order: Order,
    dialogue: Dialogue,
    uploads: Uploads,
    values: Map<String, Value>,
}

/// Whether a request can be made of it.
pub(super) fn check(command: &Command) -> Result<(), Wrong> {
    match command {
        Command::Hj212SetPassword { password } if !PASSWORD_CHARS.contains(&password.chars().count()) => {
            return Err(Wrong::new("password", "write 6 to 24 letters and digits"));
        }
        Command::Hj212SetPassword { password } if !password.bytes().all(|byte| byte.is_ascii_graphic()) => {
            return Err(Wrong::new("password", "write letters and digits, none of ; , = & #"));
        }
        Command::Hj212History { from, to, .. } if to < from => {
            return Err(Wrong::new("to", "the end is before the beginning"));
        }
        Command::Hj212History { from, to, .. } if to.since_ms(*from) > HISTORY_MS_MAX => {
            return Err(Wrong::new("to", "at most 366 days at once"));
        }
        _ => {}
    }
    let Some(request) = request(command, 0, IngestTime(0)) else {
        return Err(Wrong::new("from", "write a time of the years 1 to 9999"));
    };
    request.data().map(drop).map_err(|error| wrong(&error))
}

fn wrong(error: &RequestError) -> Wrong {
    let RequestError::OutOfRange { field } = error else {
        let (RequestError::Text { field } | RequestError::Time { field } | RequestError::OutOfRange { field }) = error;
        return Wrong::new(field_of(field), error.to_string());
    };
    let allowed = match *field {
        "OverTime" => "write 1 to 3600 seconds",
        "ReCount" => "write 1 to 99 sends",
        "RtdInterval" => "write 30 to 3600 seconds",
        "MinInterval" => "write 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30 minutes",
        "EndTime" => "the end is before the beginning",
        "CstartTime" => "write hour, minute and second of a day",
        "Ctime" => "write 1 to 24 hours",
        _ => "is out of its range",
    };
    Wrong::new(field_of(field), format!("{field}: {allowed}"))
}

/// Our name of the standard's field.
fn field_of(field: &str) -> &'static str {
    match field {
        "OverTime" => "over_time_s",
        "ReCount" => "re_count",
        "RtdInterval" => "seconds",
        "MinInterval" => "minutes",
        "NewPW" => "password",
        "BeginTime" => "from",
        "EndTime" => "to",
        "CstartTime" => "start",
        "Ctime" => "hours",
        "InfoId" => "info",
        "Info" => "value",
        "PolId" => "pol",
        _ => "",
    }
}

/// `None` when a time of it cannot be written, or it is no command of HJ 212.
fn request(command: &Command, offset_minutes: i32, now: IngestTime) -> Option<Request<'_>> {
    let local = |at: EventTime| LocalStamp::of(at, offset_minutes).fields();
    let period = |from: EventTime, to: EventTime| Some(Period { begin: local(from)?, end: local(to)? });
    Some(match command {
        Command::Hj212SetTime { pol } => Request::SetTime { pol: pol.as_deref(), time: local(EventTime(now.as_ms()))? },
        Command::Hj212GetTime { pol } => Request::GetTime { pol: pol.as_deref() },
        Command::Hj212SetTimeouts { over_time_s, re_count } => {
            Request::SetTimeouts { over_time_s: *over_time_s, re_count: *re_count }
        }
        Command::Hj212GetRealTimeInterval => Request::GetRealTimeInterval,
        Command::Hj212SetRealTimeInterval { seconds } => Request::SetRealTimeInterval { seconds: *seconds },
        Command::Hj212GetMinuteInterval => Request::GetMinuteInterval,
        Command::Hj212SetMinuteInterval { minutes } => Request::SetMinuteInterval { minutes: *minutes },
        Command::Hj212SetPassword { password } => Request::SetPassword { password },
        Command::Hj212StartRealTime => Request::StartRealTime,
        Command::Hj212StopRealTime => Request::StopRealTime,
        Command::Hj212StartStates => Request::StartStates,
        Command::Hj212StopStates => Request::StopStates,
        Command::Hj212History { what, from, to } => {
            let history = match what {
                Hj212History::Minute => History::Minute,
                Hj212History::Hour => History::Hour,
                Hj212History::Day => History::Day,
                Hj212History::RunTime => History::RunTime,
                Hj212History::Raw => History::Raw,
                Hj212History::NoiseEvents => History::NoiseEvents,
                Hj212History::StandardChecks => History::StandardChecks,
            };
            Request::GetHistory { history, period: period(*from, *to)? }
        }
        Command::Hj212Instrument { action, pol } => match action {
            Instrument::Calibrate => Request::Calibrate { pol },
            Instrument::SampleNow => Request::SampleNow { pol },
            Instrument::Clean => Request::Clean { pol },
            Instrument::CompareSample => Request::CompareSample { pol },
            Instrument::KeepSampleNow => Request::KeepSampleNow { pol },
            Instrument::StandardCheck => Request::StartStandardCheck { pol },
        },
        Command::Hj212KeepSample => Request::KeepSample,
        Command::Hj212SetSamplingPeriod { pol, start, hours } => {
            Request::SetSamplingPeriod { pol, start: *start, hours: *hours }
        }
        Command::Hj212Ask { what, pol } => match what {
            Hj212Ask::SamplingPeriod => Request::GetSamplingPeriod { pol },
            Hj212Ask::ResultTime => Request::GetResultTime { pol },
            Hj212Ask::SerialNumber => Request::GetSerialNumber { pol },
        },
        Command::Hj212GetInfo { pol, info, period: span } => Request::GetInfo {
            pol: pol.as_deref(),
            info,
            period: match span {
                Some((from, to)) => Some(period(*from, *to)?),
                None => None,
            },
        },
        Command::Hj212SetInfo { pol, info, value } => Request::SetInfo { pol, info, value },
        _ => return None,
    })
}

/// What a step of a talk asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// To be sent.
    pub(crate) frame: Option<Vec<u8>>,
    pub(crate) told: Option<Told>,
    /// The talk is over.
    pub(crate) ended: bool,
}

impl Outcome {
    const NOTHING: Self = Self { frame: None, told: None, ended: false };

    fn end(told: Told) -> Self {
        Self { frame: None, told: Some(told), ended: true }
    }
}

impl Talk {
    /// The first frame, and the talk about it; else why there is none.
    pub(crate) fn start(
        order: Order,
        voice: &Voice,
        password: &str,
        numbers: &mut QnSource,
        now: IngestTime,
    ) -> Result<(Self, Outcome), Told> {
        let failed = |text: String| Told::Failed { why: "cannot_be_written", text };
        let local = LocalStamp::of(EventTime(now.as_ms()), voice.offset_minutes).fields();
        let local = local.ok_or_else(|| failed("the clock shows no date".into()))?;
        let number = order.number.clone().unwrap_or_else(|| numbers.next(local));
        let request = request(&order.command, voice.offset_minutes, now);
        let request = request.ok_or_else(|| failed("a time of it cannot be written".into()))?;
        let frame = request.encode(&voice.address(&number, password)).map_err(|error| failed(wrong(&error).message))?;
        let timing =
            Timing { total_ms: order.deadline.since_ms(now).clamp(1, Timing::default().total_ms), ..Timing::default() };
        let dialogue = Dialogue::start(&request, &voice.mn, &number, timing, now.as_ms());
        let uploads = request.uploads();
        let outcome = Outcome { frame: Some(frame), told: Some(Told::Sent { number }), ended: false };
        Ok((Self { order, dialogue, uploads, values: Map::new() }, outcome))
    }

    pub(crate) fn next_time(&self) -> Option<IngestTime> {
        self.dialogue.deadline_ms().map(IngestTime)
    }

    /// A message of the device.
    pub(crate) fn hear(&mut self, message: &Message<'_>, now: IngestTime) -> Outcome {
        match self.dialogue.on_message(message, now.as_ms()) {
            Heard::Foreign | Heard::Repeated | Heard::Late => Outcome::NOTHING,
            Heard::Accepted => {
                let text = message.plain("QnRtn").map(|number| format!("QnRtn={number}")).unwrap_or_default();
                Outcome { told: Some(Told::Confirmed { text }), ..Outcome::NOTHING }
            }
            Heard::Upload => {
                self.keep(message);
                let count = self.dialogue.uploads();
                Outcome { told: Some(Told::Upload { count }), ..Outcome::NOTHING }
            }
            Heard::Ended(ending) => self.ended(ending),
        }
    }

    /// Time passed.
    pub(crate) fn on_time(&mut self, voice: &Voice, password: &str, now: IngestTime) -> Outcome {
        match self.dialogue.on_time(now.as_ms()) {
            Step::Wait => Outcome::NOTHING,
            Step::Ended(ending) => self.ended(ending),
            Step::Send { send } => {
                // The time of a 1012 is that of this sending.
                let request = request(&self.order.command, voice.offset_minutes, now);
                let frame =
                    request.and_then(|request| request.encode(&voice.address(self.dialogue.qn(), password)).ok());
                Outcome { frame, told: Some(Told::Again { send }), ended: false }
            }
        }
    }

    /// Values of an answer that is one message; a history goes into the records alone.
    fn keep(&mut self, message: &Message<'_>) {
        if self.uploads != Uploads::One {
            return;
        }
        for field in message.fields() {
            if self.values.len() >= VALUES_MAX {
                return;
            }
            let key = match field.suffix {
                "" => field.code.to_owned(),
                suffix => format!("{}-{suffix}", field.code),
            };
            let text: String = field.text.chars().take(VALUE_CHARS_MAX).collect();
            self.values.insert(key, Value::String(text));
        }
    }

    fn ended(&mut self, ending: Ending) -> Outcome {
        let uploads = self.dialogue.uploads();
        let failed = |why: &'static str, text: String| Outcome::end(Told::Failed { why, text });
        let came = || if uploads > 0 { format!("uploads={uploads}") } else { String::new() };
        match ending {
            Ending::Executed(Some(ExeRtn::Done)) | Ending::NoticeTaken | Ending::Flowing => self.done(),
            // The values are there, whatever became of the 9012.
            Ending::NoResult | Ending::Executed(None) if self.uploads == Uploads::One && uploads > 0 => self.done(),
            Ending::Refused(number) => {
                let text = number.map(|number| format!("QnRtn={} {}", number.number(), number.label().zh));
                failed("refused", text.unwrap_or_default())
            }
            // A 9012 that says nothing is no "done".
            Ending::Executed(None) => failed("no_result", "9012: ExeRtn=?".into()),
            Ending::Executed(Some(ExeRtn::NoData)) => failed("no_data", "ExeRtn=100".into()),
            Ending::Executed(Some(number)) => {
                failed("not_done", format!("ExeRtn={} {}", number.number(), number.label().zh))
            }
            Ending::NoAnswer => failed("no_answer", format!("sends={}", self.dialogue.sends())),
            Ending::NoResult => failed("no_result", came()),
        }
    }

    fn done(&mut self) -> Outcome {
        let uploads = self.dialogue.uploads();
        let values = std::mem::take(&mut self.values);
        let result = match self.uploads {
            Uploads::None => None,
            Uploads::One => Some(json!({ "values": values }).to_string()),
            Uploads::History | Uploads::Stream => Some(json!({ "uploads": uploads }).to_string()),
        };
        Outcome::end(Told::Done { text: String::new(), result })
    }
}

impl Voice {
    fn address<'a>(&'a self, qn: &'a str, pw: &'a str) -> Address<'a> {
        Address { qn, st: &self.st, pw, mn: &self.mn, version: self.version }
    }
}
