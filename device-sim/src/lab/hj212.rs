//! The lab's desk for HJ 212 loggers: reads, answers 9013 and 9014 as the platform does, sets the time, asks the interval, and
//! writes down what was wrong.

mod look;

use super::book::{Book, Finding, Protocol};
use super::clock::ClockWatch;
use super::desk::{Action, DEVICES_MAX, Desk, Shown, say};
use super::trial::{Data, Errand, Pace, Reaction, Trial};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::Stamp;
use protocol::explain::Explained;
use protocol::hj212::{
    Address, Dialogue, Ending, Event, ExeRtn, Framer, Heard, Message, Parts, QnSource, Request, SEGMENT_BYTES_MAX,
    Step, Timing, Version, answer, answer_to, cn, explain, explain_kept, line_end_problem,
};
use std::collections::{BTreeMap, VecDeque};

/// Frames remembered to know repetitions.
const RECENT_MAX: usize = 512;
/// Bytes kept to see line ends.
const STREAM_BYTES_MAX: usize = SEGMENT_BYTES_MAX + 64;
/// 1012 and 1061.
const COMMANDS: usize = 2;

#[derive(Debug)]
struct Link {
    framer: Framer,
    device: Option<String>,
    /// Bytes since the last frame, to see its line end; about as many as the framer holds.
    stream: Vec<u8>,
    /// The last frame's line end was not looked at yet.
    line_end_awaited: bool,
}

#[derive(Debug)]
struct Recent {
    qn: String,
    segment: Vec<u8>,
    /// Command, `DataTime`, packet number.
    of: (String, String, Option<u32>),
}

#[derive(Debug)]
struct Logger {
    book: Book,
    trial: Trial,
    clock: ClockWatch,
    recent: VecDeque<Recent>,
    numbers: QnSource,
    dialogue: Option<(usize, Dialogue)>,
    /// As its frames have it.
    st: String,
    pw: String,
    version: Version,
    link: u64,
    /// Shortest time between two periods of one statistic, and the last.
    periods: BTreeMap<String, (i64, Option<i64>)>,
    intervals: Vec<i64>,
    last_real_time: Option<i64>,
}

#[derive(Debug)]
pub struct Hj212Desk {
    pace: Option<Pace>,
    /// Times of recorded frames say nothing of the clock.
    timed: bool,
    links: BTreeMap<u64, Link>,
    devices: BTreeMap<String, Logger>,
}

impl Hj212Desk {
    pub const fn new(pace: Option<Pace>, timed: bool) -> Self {
        Self { pace, timed, links: BTreeMap::new(), devices: BTreeMap::new() }
    }

    fn frame(&mut self, link: u64, raw: &[u8], garbage: usize, now: i64, out: &mut Vec<Action>) {
        let parts = Parts::split(raw);
        let text = parts.text();
        let (message, _) = Message::parse(&text);
        let name = message.mn.filter(|mn| !mn.is_empty()).unwrap_or("-").to_owned();
        if !self.devices.contains_key(&name) && self.devices.len() >= DEVICES_MAX {
            out.push(Action::Close);
            return;
        }
        if let Some(link) = self.links.get_mut(&link) {
            link.device = Some(name.clone());
        }
        let (pace, timed) = (self.pace, self.timed);
        let logger = self.devices.entry(name.clone()).or_insert_with(|| Logger::new(&name, pace));
        if logger.link != link {
            logger.link = link;
            logger.book.connections += 1;
        }
        logger.frame(link, raw, garbage, &message, now, timed, out);
    }
}

impl Desk for Hj212Desk {
    fn opened(&mut self, link: u64, _now: i64, _out: &mut Vec<Action>) {
        self.links.insert(
            link,
            Link { framer: Framer::new(SEGMENT_BYTES_MAX), device: None, stream: Vec::new(), line_end_awaited: false },
        );
    }

    fn heard(&mut self, link: u64, bytes: &[u8], now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.stream.extend_from_slice(bytes);
        let over = state.stream.len().saturating_sub(STREAM_BYTES_MAX.max(bytes.len()));
        state.stream.drain(..over);
        self.look_at_line_end(link, false);
        let Some(state) = self.links.get_mut(&link) else { return };
        state.framer.push(bytes);
        let mut frames = Vec::new();
        while let Some(event) = state.framer.next_event() {
            frames.push(event);
        }
        for event in frames {
            match event {
                Event::Frame { raw, garbage } => {
                    self.frame(link, &raw, garbage, now, out);
                    if let Some(state) = self.links.get_mut(&link) {
                        // What follows the frame is its line end, or the next frame.
                        let end = memfind(&state.stream, &raw).map(|at| at + raw.len());
                        state.stream.drain(..end.unwrap_or(0));
                        state.line_end_awaited = end.is_some();
                    }
                    self.look_at_line_end(link, false);
                }
                Event::Oversize { sample } => {
                    let explained = Explained { explanation: explain(&sample), plain: sample.to_vec() };
                    let device = self.links.get(&link).and_then(|link| link.device.clone());
                    if let Some(logger) = device.and_then(|device| self.devices.get_mut(&device)) {
                        logger.book.found(
                            Finding::new(
                                "length",
                                "oversize",
                                "数据段过长，无法读取",
                                "a segment that is too long to be read",
                            )
                            .at(Some((0, sample.len()))),
                        );
                    }
                    out.push(Action::Show(Box::new(Shown {
                        protocol: Protocol::Hj212,
                        link,
                        device: String::new(),
                        number: 0,
                        at_ms: now,
                        explained,
                        findings: Vec::new(),
                        wire: sample.to_vec(),
                        up: true,
                    })));
                }
            }
        }
    }

    fn tick(&mut self, link: u64, now: i64, out: &mut Vec<Action>) {
        let Some(name) = self.links.get(&link).and_then(|link| link.device.clone()) else { return };
        if let Some(logger) = self.devices.get_mut(&name).filter(|logger| logger.link == link) {
            logger.tick(now, out);
        }
    }

    fn closed(&mut self, link: u64, _now: i64) {
        self.look_at_line_end(link, true);
        self.links.remove(&link);
    }

    fn finish(&mut self, now: i64) {
        for logger in self.devices.values_mut() {
            logger.trial.on_time(now, &mut logger.book);
            logger.judge_interval();
        }
    }

    fn books(&self) -> Vec<&Book> {
        self.devices.values().map(|logger| &logger.book).collect()
    }

    fn is_done(&self) -> bool {
        !self.devices.is_empty() && self.devices.values().all(|logger| logger.trial.is_over())
    }
}

impl Hj212Desk {
    /// Looks at what stands behind the last frame, once two bytes of it are there or, when `over`, whatever is.
    fn look_at_line_end(&mut self, link: u64, over: bool) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if !state.line_end_awaited || (state.stream.len() < 2 && !over) {
            return;
        }
        state.line_end_awaited = false;
        let behind = state.stream.get(..2).unwrap_or(&state.stream).to_vec();
        let Some(logger) = state.device.as_ref().and_then(|device| self.devices.get_mut(device)) else { return };
        if let Some(code) = line_end_problem(&behind) {
            let (text, advice) = (code.text(), code.advice());
            let mut finding = Finding::new("form", code.code(), text.zh, text.en).should();
            finding.advice = Some(advice);
            finding.frame = logger.book.frames_up;
            logger.book.found(finding);
        }
    }
}

impl Logger {
    fn new(mn: &str, pace: Option<Pace>) -> Self {
        Self {
            book: Book::new(Protocol::Hj212, mn),
            trial: Trial::new(pace, COMMANDS, false),
            clock: ClockWatch::default(),
            recent: VecDeque::new(),
            numbers: QnSource::default(),
            dialogue: None,
            st: "22".to_owned(),
            pw: String::new(),
            version: Version::V2017,
            link: u64::MAX,
            periods: BTreeMap::new(),
            intervals: Vec::new(),
            last_real_time: None,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one frame and where it came from")]
    fn frame(
        &mut self,
        link: u64,
        raw: &[u8],
        garbage: usize,
        message: &Message<'_>,
        now: i64,
        timed: bool,
        out: &mut Vec<Action>,
    ) {
        self.book.frames_up += 1;
        self.st = message.st.unwrap_or(&self.st).to_owned();
        self.pw = message.pw.unwrap_or(&self.pw).to_owned();
        self.version = Version::of_flag(message.flag);
        let explained = Explained { explanation: explain_kept(raw), plain: raw.to_vec() };
        self.book.standard = explained.explanation.standard;
        let mut findings = Vec::new();
        self.look_at_troubles(&explained);
        if garbage > 0 {
            let text = Finding::new("form", "garbage", "帧前有杂字节", "bytes between frames");
            self.add(text.should().detail(format!("{garbage} B")), &mut findings);
        }
        let repeated = self.is_repeated(raw, message, &explained, &mut findings);
        let data = is_data(message);
        if data {
            self.look_at_values(message, &explained, &mut findings);
        }
        let at = message.data_time().and_then(utc_ms);
        if timed && !repeated && self.trial.is_live() {
            self.look_at_clock(message, &explained, at, now);
        }
        if data && !repeated {
            self.look_at_period(message, at, now, timed, &explained, &mut findings);
        }
        let number = self.book.frames_up;
        let mn = self.book.identity.clone();
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Hj212,
            link,
            device: mn,
            number,
            at_ms: now,
            explained,
            findings,
            wire: raw.to_vec(),
            up: true,
        })));
        let taken = self.dialogue.as_mut().map(|(_, dialogue)| dialogue.on_message(message, now));
        if taken.is_some() && taken != Some(Heard::Foreign) {
            self.settle_dialogue(now, out);
        }
        let reaction = match message.qn {
            Some(qn) if data || at.is_some() => {
                self.trial.on_data(&Data { key: qn, at, wants_answer: message.answer_wanted() }, now, &mut self.book)
            }
            _ => Reaction::Answer,
        };
        match reaction {
            Reaction::Answer => {
                if let Some(command) = answer_to(message) {
                    self.send(answer(command, message, &self.pw.clone()), now, out);
                }
            }
            Reaction::Withhold => out.push(say(
                format!("试验：不应答 QN={}，等待重发", message.qn.unwrap_or_default()),
                format!("test: QN={} is not answered; it should come again", message.qn.unwrap_or_default()),
            )),
            Reaction::Cut => {
                out.push(say(
                    "试验：断开连接，等待重连与补传",
                    "test: the connection is cut; it should come back and catch up",
                ));
                out.push(Action::Close);
            }
        }
    }

    fn add(&mut self, finding: Finding, new: &mut Vec<Finding>) {
        if self.book.found(finding.clone()) {
            new.push(finding);
        }
    }

    fn tick(&mut self, now: i64, out: &mut Vec<Action>) {
        self.trial.on_time(now, &mut self.book);
        let step = self.dialogue.as_mut().map(|(_, dialogue)| dialogue.on_time(now));
        match step {
            Some(Step::Send { .. }) => {
                if let Some((index, qn)) =
                    self.dialogue.as_ref().map(|(index, dialogue)| (*index, dialogue.qn().to_owned()))
                {
                    self.ask(index, &qn, now, out);
                }
            }
            Some(Step::Ended(_)) => self.settle_dialogue(now, out),
            Some(Step::Wait) => {}
            None => {
                if let Some(Errand::Send(index)) = self.trial.errand(now) {
                    let qn = self.numbers.next(local(now));
                    let Some(request) = request(index, now) else { return self.trial.errand_done() };
                    let answer_ms = self.trial.pace().answer_ms.max(3) / 3;
                    let timing = Timing { answer_ms, sends_max: 3, result_ms: answer_ms * 3, total_ms: answer_ms * 9 };
                    self.dialogue = Some((index, Dialogue::start(&request, &self.book.identity, &qn, timing, now)));
                    self.ask(index, &qn, now, out);
                }
            }
        }
    }

    fn ask(&mut self, index: usize, qn: &str, now: i64, out: &mut Vec<Action>) {
        let Some(request) = request(index, now) else { return };
        let address = Address { qn, st: &self.st, pw: &self.pw, mn: &self.book.identity, version: self.version };
        // A PW or MN that would break a frame stops the question, not the lab.
        if let Ok(bytes) = request.encode(&address) {
            out.push(match index {
                0 => say("试验：下发校时 1012", "test: the time is set (1012)"),
                _ => say("试验：提取实时数据间隔 1061", "test: the interval is asked for (1061)"),
            });
            self.send(bytes, now, out);
        }
    }

    fn settle_dialogue(&mut self, _now: i64, out: &mut Vec<Action>) {
        let Some(ending) = self.dialogue.as_ref().and_then(|(_, dialogue)| dialogue.ending()) else { return };
        let Some((index, dialogue)) = self.dialogue.take() else { return };
        let check = if index == 0 { "time_set" } else { "ask_interval" };
        match ending {
            Ending::Executed(Some(ExeRtn::Done)) if index == 0 || dialogue.uploads() > 0 => self.book.kept(check),
            Ending::Executed(Some(ExeRtn::Done)) => {
                self.book.found(
                    Finding::new(check, "no_upload", "执行成功但没有上传 1061", "done, but no 1061 was uploaded")
                        .should(),
                );
                self.book.kept(check);
            }
            other => {
                let (code, zh, en) = match other {
                    Ending::NoAnswer => ("no_answer", "没有应答 9011", "no 9011 came"),
                    Ending::Refused(_) => ("refused", "请求被拒绝", "the request was refused"),
                    Ending::NoResult => ("no_result", "没有执行结果 9012", "no 9012 came"),
                    _ => ("failed", "执行失败", "it was not executed"),
                };
                let detail = match other {
                    Ending::Refused(number) => {
                        number.map_or_else(String::new, |number| format!("QnRtn={}", number.number()))
                    }
                    Ending::Executed(number) => {
                        number.map_or_else(String::new, |number| format!("ExeRtn={}", number.number()))
                    }
                    _ => format!("CN={}", if index == 0 { "1012" } else { "1061" }),
                };
                let finding = Finding::new(check, code, zh, en).detail(detail).advise(
                    "收到请求先回 9011（QnRtn=1），执行后回 9012（ExeRtn=1），QN 与请求相同",
                    "answer 9011 (QnRtn=1) at once and 9012 (ExeRtn=1) when it is done, both with the request's QN",
                );
                // Asking for the interval is not what a platform needs to live.
                self.book.found(if index == 0 { finding } else { finding.should() });
            }
        }
        out.push(match self.book.status(check) {
            super::book::Status::Pass => say("试验通过", "the test passed"),
            _ => say("试验未通过", "the test did not pass"),
        });
        self.trial.errand_done();
    }

    fn send(&mut self, bytes: Vec<u8>, now: i64, out: &mut Vec<Action>) {
        self.book.frames_down += 1;
        let explained = Explained { explanation: explain(&bytes), plain: bytes.clone() };
        let (link, mn) = (self.link, self.book.identity.clone());
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Hj212,
            link,
            device: mn,
            number: self.book.frames_down,
            at_ms: now,
            explained,
            findings: Vec::new(),
            wire: bytes.clone(),
            up: false,
        })));
        out.push(Action::Send(bytes));
    }
}

/// Uploads of measurements.
const DATA: [&str; 4] = [cn::REAL_TIME, cn::MINUTE, cn::HOUR, cn::DAY];

fn is_data(message: &Message<'_>) -> bool {
    message.cn.is_some_and(|cn| DATA.contains(&cn))
}

fn request(index: usize, now: i64) -> Option<Request<'static>> {
    match index {
        0 => Some(Request::SetTime { pol: None, time: local(now) }),
        1 => Some(Request::GetRealTimeInterval),
        _ => None,
    }
}

/// The clock in Beijing.
fn local(now: i64) -> Stamp {
    LocalStamp::of(EventTime(now), BEIJING_OFFSET_MINUTES).fields().unwrap_or((2000, 1, 1, 0, 0, 0, 0))
}

fn utc_ms((year, month, day, hour, minute, second, ms): Stamp) -> Option<i64> {
    Some(LocalStamp::new(year, month, day, hour, minute, second, ms)?.at_offset(BEIJING_OFFSET_MINUTES).as_ms())
}

fn memfind(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len().max(1)).position(|window| window == wanted)
}

#[cfg(test)]
mod tests;
