//! An HJ 212-2017 logger that is told things: 9011, what is asked for, 9012; 9013 to notices. What it does not know it refuses with
//! `QnRtn=8`, another password with 3.

use super::{Manners, Memory};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::hj212::{ExeRtn, Head, MINUTE_INTERVALS, Message, QnRtn, QnSource, Reply, encode, reply_data};

/// Uploads of one history request.
const UPLOADS_MAX: i64 = 3_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A logger's settings and what it remembers.
pub struct Obedient {
    pub mn: String,
    pub password: String,
    pub manners: Manners,
    memory: Memory,
    /// Its clock, ahead of ours.
    ahead_ms: i64,
    real_time_s: u16,
    minute: u8,
    numbers: QnSource,
}

impl std::fmt::Debug for Obedient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Obedient").field("mn", &self.mn).field("manners", &self.manners).finish_non_exhaustive()
    }
}

/// What follows from a request.
enum Answer {
    Refused(QnRtn),
    Notice,
    Done { uploads: Vec<(String, String)>, result: ExeRtn },
}

impl Answer {
    fn done() -> Self {
        Self::Done { uploads: Vec::new(), result: ExeRtn::Done }
    }

    fn says(cn: &str, data: String) -> Self {
        Self::Done { uploads: vec![(cn.to_owned(), data)], result: ExeRtn::Done }
    }

    fn not(result: ExeRtn) -> Self {
        Self::Done { uploads: Vec::new(), result }
    }
}

impl Obedient {
    pub fn new(mn: &str, password: &str, manners: Manners, memory: Memory) -> Self {
        Self {
            mn: mn.to_owned(),
            password: password.to_owned(),
            manners,
            memory,
            ahead_ms: 0,
            real_time_s: 30,
            minute: 1,
            numbers: QnSource::default(),
        }
    }

    /// Milliseconds its clock is ahead of ours.
    pub const fn ahead_ms(&self) -> i64 {
        self.ahead_ms
    }

    /// The frames it answers a platform's message with; none to what is no command, or is another's.
    pub fn obey(&mut self, message: &Message<'_>, now_ms: i64) -> Vec<Vec<u8>> {
        let (Some(cn), Some(qn)) = (message.cn, message.qn) else { return Vec::new() };
        let is_answer = matches!(cn, "9013" | "9014");
        if is_answer || message.mn != Some(&*self.mn) || self.manners == Manners::Silent {
            return Vec::new();
        }
        let password = self.password.clone();
        let answer = if message.pw != Some(&*password) {
            Answer::Refused(QnRtn::PasswordWrong)
        } else if self.manners == Manners::Refuse {
            Answer::Refused(QnRtn::Refused)
        } else {
            self.answer(cn, message, now_ms)
        };
        let mut frames = Vec::new();
        match answer {
            Answer::Notice => frames.push(self.reply(qn, &password, Reply::NoticeTaken)),
            Answer::Refused(why) => frames.push(self.reply(qn, &password, Reply::Request(Some(why)))),
            Answer::Done { uploads, result } => {
                frames.push(self.reply(qn, &password, Reply::Request(Some(QnRtn::Ready))));
                for (cn, data) in uploads {
                    let own = self.number(now_ms);
                    frames.push(self.frame((&own, "22", &cn), 5, &data));
                }
                // A new password holds from here on.
                frames.push(self.reply(qn, &self.password.clone(), Reply::Result(Some(result))));
            }
        }
        if self.manners == Manners::Twice {
            frames = frames.into_iter().flat_map(|frame| [frame.clone(), frame]).collect();
        }
        frames
    }

    fn answer(&mut self, cn: &str, message: &Message<'_>, now_ms: i64) -> Answer {
        let number = |key| message.plain(key).and_then(|text| text.parse::<u32>().ok());
        match cn {
            "1011" => Answer::says(cn, format!("SystemTime={}", stamp(now_ms + self.ahead_ms))),
            "1012" => match message.plain("SystemTime").and_then(read_stamp) {
                Some(told) => {
                    self.ahead_ms = told - now_ms;
                    Answer::done()
                }
                None => Answer::not(ExeRtn::BadCondition),
            },
            "1061" => Answer::says(cn, format!("RtdInterval={}", self.real_time_s)),
            "1062" => match number("RtdInterval").and_then(|seconds| u16::try_from(seconds).ok()) {
                Some(seconds @ 30..=3600) => {
                    self.real_time_s = seconds;
                    Answer::done()
                }
                _ => Answer::not(ExeRtn::BadCondition),
            },
            "1063" => Answer::says(cn, format!("MinInterval={}", self.minute)),
            "1064" => match number("MinInterval").and_then(|minutes| u8::try_from(minutes).ok()) {
                Some(minutes) if MINUTE_INTERVALS.contains(&minutes) => {
                    self.minute = minutes;
                    Answer::done()
                }
                _ => Answer::not(ExeRtn::BadCondition),
            },
            "1072" => match message.plain("NewPW") {
                Some(password) => {
                    password.clone_into(&mut self.password);
                    Answer::done()
                }
                None => Answer::not(ExeRtn::BadCondition),
            },
            "1000" | "2011" | "2021" | "3011" | "3012" | "3013" => Answer::done(),
            "2012" | "2022" => Answer::Notice,
            "2051" => self.history(cn, message, MINUTE_MS),
            "2061" => self.history(cn, message, HOUR_MS),
            _ => Answer::Refused(QnRtn::CnWrong),
        }
    }

    fn history(&self, cn: &str, message: &Message<'_>, step_ms: i64) -> Answer {
        let time = |key| message.plain(key).and_then(read_stamp);
        let (Some(begin), Some(end), Ok(number)) = (time("BeginTime"), time("EndTime"), cn.parse::<u16>()) else {
            return Answer::not(ExeRtn::BadCondition);
        };
        let first = begin + (step_ms - begin.rem_euclid(step_ms)) % step_ms;
        let uploads: Vec<_> = (0..UPLOADS_MAX)
            .map(|at| first + at * step_ms)
            .take_while(|at| *at <= end)
            .filter_map(|at| {
                let items = (self.memory)(number, at)?;
                Some((cn.to_owned(), format!("DataTime={};{items}", stamp(at))))
            })
            .collect();
        if uploads.is_empty() {
            return Answer::not(ExeRtn::NoData);
        }
        Answer::Done { uploads, result: ExeRtn::Done }
    }

    fn number(&mut self, now_ms: i64) -> String {
        let local = LocalStamp::of(EventTime(now_ms), BEIJING_OFFSET_MINUTES).fields();
        self.numbers.next(local.unwrap_or((2000, 1, 1, 0, 0, 0, 0)))
    }

    fn reply(&self, qn: &str, password: &str, reply: Reply) -> Vec<u8> {
        let (cn, data) = reply_data(reply);
        let head = Head { pw: Some(password), ..self.head((qn, "91", cn), 4) };
        encode(&head, &data)
    }

    fn frame(&self, head: (&str, &str, &str), flag: u8, data: &str) -> Vec<u8> {
        encode(&self.head(head, flag), data)
    }

    fn head<'a>(&'a self, (qn, st, cn): (&'a str, &'a str, &'a str), flag: u8) -> Head<'a> {
        Head {
            qn: Some(qn),
            st: Some(st),
            cn: Some(cn),
            pw: Some(&self.password),
            mn: Some(&self.mn),
            flag: Some(flag),
            packet: None,
        }
    }
}

/// `YYYYMMDDhhmmss` on a clock in Beijing.
pub fn stamp(at_ms: i64) -> String {
    let (y, mo, d, h, mi, s, _) =
        LocalStamp::of(EventTime(at_ms), BEIJING_OFFSET_MINUTES).fields().unwrap_or((2000, 1, 1, 0, 0, 0, 0));
    format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}")
}

fn read_stamp(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u16>().ok();
    let small = |from: usize, to: usize| u8::try_from(part(from, to)?).ok();
    let stamp =
        LocalStamp::new(part(0, 4)?, small(4, 6)?, small(6, 8)?, small(8, 10)?, small(10, 12)?, small(12, 14)?, 0)?;
    Some(stamp.at_offset(BEIJING_OFFSET_MINUTES).as_ms())
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::hj212::{Address, History, Parts, Period, Request, Version};
    use std::sync::Arc;

    /// 12:00:00 in Beijing.
    const NOON: i64 = 1_767_240_000_000;

    fn logger(manners: Manners) -> Obedient {
        let memory: Memory = Arc::new(|cn, at| (cn == 2051 && at < NOON).then(|| "a34041-Avg=1".to_owned()));
        Obedient::new("A1", "123456", manners, memory)
    }

    /// Commands of the answers, and their data.
    fn told(logger: &mut Obedient, request: &Request<'_>, pw: &str) -> Vec<String> {
        let to = Address { qn: "20260101120000001", st: "22", pw, mn: "A1", version: Version::V2017 };
        let raw = request.encode(&to).unwrap();
        let parts = Parts::split(&raw);
        let text = parts.text();
        let frames = logger.obey(&Message::parse(&text).0, NOON);
        let short = |frame: &Vec<u8>| {
            let parts = Parts::split(frame);
            assert!(parts.problems().is_empty());
            let text = parts.text().into_owned();
            let (_, data) = text.split_once("CP=").unwrap();
            format!("{} {data}", Message::parse(&text).0.cn.unwrap())
        };
        frames.iter().map(short).collect()
    }

    #[test]
    fn it_obeys_refuses_and_remembers() {
        let mut own = logger(Manners::Obey);
        let time = Request::SetTime { pol: None, time: (2026, 1, 1, 12, 0, 5, 0) };
        assert_eq!(told(&mut own, &time, "123456"), ["9011 &&QnRtn=1&&", "9012 &&ExeRtn=1&&"]);
        assert_eq!(own.ahead_ms(), 5_000);
        let asked = told(&mut own, &Request::GetTime { pol: None }, "123456");
        assert_eq!(asked, ["9011 &&QnRtn=1&&", "1011 &&SystemTime=20260101120005&&", "9012 &&ExeRtn=1&&"]);
        let period = Period { begin: (2026, 1, 1, 11, 57, 30, 0), end: (2026, 1, 1, 12, 30, 0, 0) };
        let history = Request::GetHistory { history: History::Minute, period };
        let got = told(&mut own, &history, "123456");
        assert_eq!(got[1], "2051 &&DataTime=20260101115800;a34041-Avg=1&&");
        assert_eq!((got.len(), got[3].as_str()), (4, "9012 &&ExeRtn=1&&"));
        let nothing = Request::GetHistory { history: History::Hour, period };
        assert_eq!(told(&mut own, &nothing, "123456")[1], "9012 &&ExeRtn=100&&");
        assert_eq!(told(&mut own, &time, "000000"), ["9011 &&QnRtn=3&&"]);
        assert_eq!(told(&mut own, &Request::GetSerialNumber { pol: "a" }, "123456"), ["9011 &&QnRtn=8&&"]);
        assert_eq!(told(&mut own, &Request::StopRealTime, "123456"), ["9013 &&&&"]);
        told(&mut own, &Request::SetPassword { password: "654321" }, "123456");
        assert_eq!(told(&mut own, &time, "654321").len(), 2);
    }

    #[test]
    fn it_has_bad_manners_when_told_to() {
        let ask = Request::GetRealTimeInterval;
        assert!(told(&mut logger(Manners::Silent), &ask, "123456").is_empty());
        assert_eq!(told(&mut logger(Manners::Twice), &ask, "123456").len(), 6);
        assert_eq!(told(&mut logger(Manners::Refuse), &ask, "123456"), ["9011 &&QnRtn=2&&"]);
    }
}
