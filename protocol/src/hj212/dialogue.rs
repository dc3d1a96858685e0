//! One outstanding request: what has been heard of it, when to send it again, how it ended. Time is an argument, in
//! milliseconds of any clock that does not go back; nothing is sent from here.
//!
//! ```text
//! start ─▶ Sent ──9011 ready──▶ Accepted ──9012──▶ ended
//!           │ no answer: again, with the same QN, up to `sends_max` times
//!           └─ 9011 refused, 9012, 9013 (notices) ─▶ ended
//! ```
//! A device that skips 9011, or answers twice, or late, is understood; one that never sends 9012 ends as
//! [`Ending::NoResult`] with the number of uploads that came.

use super::cn;
use super::command::Uploads;
use super::message::Message;
use super::reply::{ExeRtn, QnRtn, Reply};
use super::request::{Request, digits};
use std::collections::VecDeque;

/// Uploads whose numbers are remembered, to know a repeated one.
const NUMBERS_MAX: usize = 64;

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Until an answer (9011, or 9013 to a notice), for each send.
    pub answer_ms: i64,
    /// The first send and its repeats.
    pub sends_max: u8,
    /// From 9011, or from the last upload, until something more.
    pub result_ms: i64,
    /// From the first send until the end, whatever comes.
    pub total_ms: i64,
}

impl Default for Timing {
    /// The standard's 10 s × 3; a minute for each step of the execution; an hour in all.
    fn default() -> Self {
        Self { answer_ms: 10_000, sends_max: 3, result_ms: 60_000, total_ms: 3_600_000 }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// 9011 with anything but "ready"; `None`: without a number.
    Refused(Option<QnRtn>),
    /// 9012; `None`: without a number.
    Executed(Option<ExeRtn>),
    /// 9013 to a notice.
    NoticeTaken,
    /// No answer to any send.
    NoAnswer,
    /// It was accepted, and no 9012 came in time.
    NoResult,
    /// A stream that was accepted and flows.
    Flowing,
}

/// What a message was to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing to do with it.
    Foreign,
    /// 9011 "ready".
    Accepted,
    /// An upload it asked for.
    Upload,
    /// An answer or upload that was heard before.
    Repeated,
    /// It belongs to the request, which had ended.
    Late,
    Ended(Ending),
}

/// What time makes necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Wait,
    /// Send it again, under the same QN; `send` counts from 2. A time set is written anew.
    Send {
        send: u8,
    },
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sent,
    Accepted,
    Ended(Ending),
}

/// One request to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    mn: Box<str>,
    qn: Box<str>,
    cn: &'static str,
    notice: bool,
    uploads: Uploads,
    /// `BeginTime`, `EndTime`
    period: Option<(Box<str>, Box<str>)>,
    timing: Timing,
    state: State,
    sends: u8,
    started: i64,
    deadline: i64,
    count: u32,
    numbers: VecDeque<(Box<str>, Option<u32>)>,
}

impl Dialogue {
    /// The request has just been sent for the first time.
    pub fn start(request: &Request<'_>, mn: &str, qn: &str, timing: Timing, now_ms: i64) -> Self {
        let period = request
            .period()
            .and_then(|period| Some((digits("", period.begin).ok()?.into(), digits("", period.end).ok()?.into())));
        Self {
            mn: mn.into(),
            qn: qn.into(),
            cn: request.cn(),
            notice: request.is_notice(),
            uploads: request.uploads(),
            period,
            timing,
            state: State::Sent,
            sends: 1,
            started: now_ms,
            deadline: now_ms.saturating_add(timing.answer_ms.max(1)),
            count: 0,
            numbers: VecDeque::new(),
        }
    }

    pub fn qn(&self) -> &str {
        &self.qn
    }

    /// Messages uploaded for it; packets of a split message count each.
    pub const fn uploads(&self) -> u32 {
        self.count
    }

    pub const fn sends(&self) -> u8 {
        self.sends
    }

    pub const fn ending(&self) -> Option<Ending> {
        match self.state {
            State::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// When [`Dialogue::on_time`] has something to do; `None` once it ended.
    pub const fn deadline_ms(&self) -> Option<i64> {
        match self.state {
            State::Ended(_) => None,
            _ => Some(self.deadline),
        }
    }

    /// A message came from this connection.
    pub fn on_message(&mut self, message: &Message<'_>, now_ms: i64) -> Heard {
        if message.mn.is_none_or(|mn| *mn != *self.mn) {
            return Heard::Foreign;
        }
        match Reply::read(message) {
            Some(reply) if message.qn == Some(&*self.qn) => self.on_reply(reply, now_ms),
            None if message.cn == Some(self.cn) && self.is_ours(message) => self.on_upload(message, now_ms),
            _ => Heard::Foreign,
        }
    }

    /// Time passed.
    pub fn on_time(&mut self, now_ms: i64) -> Step {
        if let State::Ended(ending) = self.state {
            return Step::Ended(ending);
        }
        if now_ms < self.deadline {
            return Step::Wait;
        }
        let over = now_ms.saturating_sub(self.started) >= self.timing.total_ms;
        match self.state {
            State::Accepted => Step::Ended(self.end(Ending::NoResult)),
            _ if over || self.sends >= self.timing.sends_max => Step::Ended(self.end(Ending::NoAnswer)),
            _ => {
                self.sends += 1;
                self.wait(self.timing.answer_ms, now_ms);
                Step::Send { send: self.sends }
            }
        }
    }

    fn on_reply(&mut self, reply: Reply, now_ms: i64) -> Heard {
        match (reply, self.state) {
            // An answer to data is never one to a request.
            (Reply::DataTaken, _) => Heard::Foreign,
            (_, State::Ended(ending)) => {
                let again = matches!(
                    (reply, ending),
                    (Reply::Request(_), Ending::Refused(_) | Ending::Executed(_) | Ending::Flowing)
                        | (Reply::Result(_), Ending::Executed(_) | Ending::Flowing)
                        | (Reply::NoticeTaken, Ending::NoticeTaken)
                );
                if again { Heard::Repeated } else { Heard::Late }
            }
            (Reply::NoticeTaken, _) if self.notice => Heard::Ended(self.end(Ending::NoticeTaken)),
            (Reply::NoticeTaken, _) => Heard::Foreign,
            (Reply::Request(Some(QnRtn::Ready)), State::Sent) => {
                self.state = State::Accepted;
                self.wait(self.timing.result_ms, now_ms);
                Heard::Accepted
            }
            (Reply::Request(Some(QnRtn::Ready)), State::Accepted) => Heard::Repeated,
            (Reply::Request(other), _) => Heard::Ended(self.end(Ending::Refused(other))),
            (Reply::Result(result), _) => Heard::Ended(self.end(Ending::Executed(result))),
        }
    }

    fn on_upload(&mut self, message: &Message<'_>, now_ms: i64) -> Heard {
        let number = (message.qn.unwrap_or_default(), message.pno);
        // Uploads of a history have numbers of their own; all others may share the request's, packet by packet.
        let known = self.numbers.iter().any(|(qn, pno)| **qn == *number.0 && *pno == number.1);
        if known && message.qn.is_some() {
            return Heard::Repeated;
        }
        if self.ending().is_some() {
            return Heard::Late;
        }
        if self.numbers.len() >= NUMBERS_MAX {
            self.numbers.pop_front();
        }
        self.numbers.push_back((number.0.into(), number.1));
        self.count = self.count.saturating_add(1);
        if self.uploads == Uploads::Stream {
            return Heard::Ended(self.end(Ending::Flowing));
        }
        self.state = State::Accepted;
        self.wait(self.timing.result_ms, now_ms);
        Heard::Upload
    }

    /// Whether a message of the request's command is its upload, not one the device sends by itself.
    fn is_ours(&self, message: &Message<'_>) -> bool {
        let numbered = message.qn == Some(&*self.qn);
        match self.uploads {
            Uploads::None => false,
            // Real-time data flow anyway: only what follows the acceptance counts.
            Uploads::Stream | Uploads::One => numbered || self.state == State::Accepted,
            Uploads::History => {
                let Some((begin, end)) = &self.period else { return numbered };
                match message.plain("DataTime").and_then(|time| time.get(..14)) {
                    Some(time) => (&**begin..=&**end).contains(&time),
                    None => numbered,
                }
            }
        }
    }

    fn wait(&mut self, limit_ms: i64, now_ms: i64) {
        let last = self.started.saturating_add(self.timing.total_ms.max(1));
        self.deadline = now_ms.saturating_add(limit_ms.max(1)).min(last);
    }

    fn end(&mut self, ending: Ending) -> Ending {
        self.state = State::Ended(ending);
        self.numbers.shrink_to_fit();
        ending
    }
}

/// The answer a device writes to a request; for simulators and tests.
pub fn reply_data(reply: Reply) -> (&'static str, String) {
    match reply {
        Reply::Request(number) => {
            (cn::REQUEST_ANSWER, number.map(|number| format!("QnRtn={}", number.number())).unwrap_or_default())
        }
        Reply::Result(number) => {
            (cn::REQUEST_RESULT, number.map(|number| format!("ExeRtn={}", number.number())).unwrap_or_default())
        }
        Reply::NoticeTaken => (cn::NOTIFY_ACK, String::new()),
        Reply::DataTaken => (cn::DATA_ACK, String::new()),
    }
}

#[cfg(test)]
mod tests;
