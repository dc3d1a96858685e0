//! The lab's desk for JT/T 808 terminals of all issues: registers and authenticates them, answers as the platform does, sets
//! a parameter, asks for parameters, sends text and one command that does not exist, and writes down what was wrong.

mod look;

use super::book::{Book, Finding, Protocol, Status, place_of};
use super::clock::ClockWatch;
use super::desk::{Action, DEVICES_MAX, Desk, Shown, say};
use super::trial::{Data, Errand, Pace, Reaction, Trial};
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp};
use protocol::explain::Explained;
use protocol::jt808::{
    Decoded, FRAME_BYTES_MAX, Message, Packet, Parameter, ParameterValue, ParametersSet, Parts, Phone, Position, Text,
    Version, encode, encode_raw, explain, id, kind, plain, time_bcd,
};
use std::collections::{BTreeMap, VecDeque};

/// Messages remembered to know repetitions.
const RECENT_MAX: usize = 256;
/// How far behind the last a serial may be that was lost with its connection.
const RESENT_MAX: u16 = 256;
/// Parameters, query, text, a command that does not exist.
const COMMANDS: usize = 4;
const HEARTBEAT_PARAMETER: u32 = 0x0001;
/// In no issue and no vendor's list known here.
const UNKNOWN_COMMAND: u16 = 0x8FF1;
const WIRE_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX + 2;
const FLAG: u8 = 0x7e;

#[derive(Debug, Default)]
struct Link {
    /// From the last delimiter on.
    wire: Vec<u8>,
    device: Option<String>,
    greeted: bool,
    authenticated: bool,
}

#[derive(Debug)]
struct Recent {
    id: u16,
    serial: u16,
    body: Vec<u8>,
}

#[derive(Debug)]
struct Terminal {
    book: Book,
    trial: Trial,
    clock: ClockWatch,
    phone: Phone,
    version: Version,
    code: String,
    link: u64,
    /// Of the next message to it.
    serial: u16,
    /// Of its last message on this link.
    last: Option<u16>,
    recent: VecDeque<Recent>,
    packet: Option<(u16, Packet)>,
    /// Serial and id of the command at hand.
    asked: Option<(u16, u16)>,
    heartbeat_set: Option<i64>,
    last_heartbeat: Option<i64>,
    heartbeats: Vec<i64>,
    is_on: bool,
}

#[derive(Debug)]
pub struct Jt808Desk {
    pace: Option<Pace>,
    timed: bool,
    links: BTreeMap<u64, Link>,
    devices: BTreeMap<String, Terminal>,
}

impl Jt808Desk {
    pub const fn new(pace: Option<Pace>, timed: bool) -> Self {
        Self { pace, timed, links: BTreeMap::new(), devices: BTreeMap::new() }
    }

    fn frame(&mut self, link: u64, wire: &[u8], garbage: usize, now: i64, out: &mut Vec<Action>) {
        let unescaped = plain(wire);
        let raw = unescaped.get(1..unescaped.len().saturating_sub(1)).unwrap_or_default();
        let explained = Explained { explanation: explain(wire), plain: unescaped.clone() };
        let Some(parts) = Parts::split(raw) else {
            out.push(Action::Show(Box::new(Shown {
                protocol: Protocol::Jt808,
                link,
                device: String::new(),
                number: 0,
                at_ms: now,
                explained,
                findings: Vec::new(),
                wire: wire.to_vec(),
                up: true,
            })));
            return;
        };
        let name = parts.header.phone.as_str().to_owned();
        if !self.devices.contains_key(&name) && self.devices.len() >= DEVICES_MAX {
            out.push(Action::Close);
            return;
        }
        let (pace, timed) = (self.pace, self.timed);
        let Some(state) = self.links.get_mut(&link) else { return };
        state.device = Some(name.clone());
        let terminal = self.devices.entry(name).or_insert_with(|| Terminal::new(&parts, pace));
        if terminal.link != link {
            terminal.link = link;
            terminal.last = None;
            terminal.is_on = false;
            terminal.book.connections += 1;
        }
        terminal.frame(state, &parts, &Came { bytes: wire, garbage, explained, now, timed }, out);
    }
}

impl Desk for Jt808Desk {
    fn opened(&mut self, link: u64, _now: i64, _out: &mut Vec<Action>) {
        // A recording may begin in the middle of a connection.
        self.links.insert(link, Link { greeted: !self.timed, authenticated: !self.timed, ..Link::default() });
    }

    /// Cut at delimiters with the escapes left in, so that a stray one can be told.
    fn heard(&mut self, link: u64, bytes: &[u8], now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let mut wire = std::mem::take(&mut state.wire);
        wire.extend_from_slice(bytes);
        let mut garbage = wire.iter().position(|byte| *byte == FLAG).unwrap_or(wire.len());
        wire.drain(..garbage);
        let mut frames = Vec::new();
        while let Some(end) = wire.iter().skip(1).position(|byte| *byte == FLAG).map(|at| at + 1) {
            if end > SHORTEST {
                frames.push((wire.get(..=end).unwrap_or_default().to_vec(), std::mem::take(&mut garbage)));
            } else {
                garbage += end - 1;
            }
            wire.drain(..end);
        }
        if wire.len() > WIRE_BYTES_MAX {
            wire.clear();
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.wire = wire;
        }
        for (frame, garbage) in frames {
            self.frame(link, &frame, garbage, now, out);
        }
    }

    fn tick(&mut self, link: u64, now: i64, out: &mut Vec<Action>) {
        let Some(state) = self.links.get(&link) else { return };
        let (Some(name), authenticated) = (state.device.clone(), state.authenticated) else { return };
        if let Some(terminal) = self.devices.get_mut(&name).filter(|terminal| terminal.link == link) {
            terminal.trial.on_time(now, &mut terminal.book);
            if authenticated {
                terminal.errand(now, out);
            }
        }
    }

    fn closed(&mut self, link: u64, _now: i64) {
        self.links.remove(&link);
    }

    fn finish(&mut self, now: i64) {
        for terminal in self.devices.values_mut() {
            terminal.trial.on_time(now, &mut terminal.book);
        }
    }

    fn books(&self) -> Vec<&Book> {
        self.devices.values().map(|terminal| &terminal.book).collect()
    }

    fn is_done(&self) -> bool {
        !self.devices.is_empty() && self.devices.values().all(|terminal| terminal.trial.is_over())
    }
}

/// Between delimiters: a header of 2013 and the check, un-escaped.
const SHORTEST: usize = 13;

struct Came<'a> {
    bytes: &'a [u8],
    garbage: usize,
    explained: Explained,
    now: i64,
    timed: bool,
}

impl Terminal {
    fn new(parts: &Parts<'_>, pace: Option<Pace>) -> Self {
        let phone = parts.header.phone;
        Self {
            book: Book::new(Protocol::Jt808, phone.as_str()),
            trial: Trial::new(pace, COMMANDS, false),
            clock: ClockWatch::default(),
            phone,
            version: parts.header.version,
            code: code_of(phone.as_str()),
            link: u64::MAX,
            serial: 0,
            last: None,
            recent: VecDeque::new(),
            packet: None,
            asked: None,
            heartbeat_set: None,
            last_heartbeat: None,
            heartbeats: Vec::new(),
            is_on: false,
        }
    }

    fn frame(&mut self, link: &mut Link, parts: &Parts<'_>, of: &Came<'_>, out: &mut Vec<Action>) {
        let now = of.now;
        self.book.frames_up += 1;
        self.version = parts.header.version;
        self.book.standard = of.explained.explanation.standard;
        let mut new = Vec::new();
        self.look_at_troubles(parts, &of.explained);
        if of.garbage > 0 {
            let text = Finding::new("form", "garbage", "帧间有杂字节", "bytes between frames");
            self.add(text.should().detail(format!("{} B", of.garbage)), &mut new);
        }
        if !parts.check_ok() {
            // Nothing in it can be trusted: as the platform, say nothing.
            out.push(self.shown(of, new));
            return;
        }
        let decoded = Decoded::read(&parts.header, parts.body);
        let repeated = self.is_repeated(parts, &of.explained, &mut new);
        self.look_at_order(link, parts, repeated, &of.explained, &mut new);
        let mut positions: Vec<&Position<'_>> = Vec::new();
        match &decoded.message {
            Message::Position(position) => positions.push(position),
            Message::Batch(batch) => positions.extend(batch.positions.iter()),
            _ => {}
        }
        for position in &positions {
            self.look_at_position(position, &of.explained, &mut new);
        }
        if of.timed
            && !repeated
            && self.trial.is_live()
            && let Message::Position(position) = &decoded.message
            && let Some(at) = utc_ms(position)
        {
            self.clock.heard(at, now, 0);
            self.clock.judge(&mut self.book, place_of(&of.explained.explanation, "time"), false);
        }
        if matches!(decoded.message, Message::Heartbeat { .. }) {
            self.on_heartbeat(now);
        }
        let shown = self.shown(of, new);
        out.push(shown);
        self.on_command_answer(&decoded.message, out);
        let mut reaction = Reaction::Answer;
        let key = format!("{:04x}", parts.header.serial);
        for position in &positions {
            let data = Data { key: &key, at: utc_ms(position), wants_answer: true };
            match self.trial.on_data(&data, now, &mut self.book) {
                Reaction::Answer => {}
                other => {
                    reaction = other;
                    break;
                }
            }
        }
        match reaction {
            Reaction::Answer => self.answer(link, parts, &decoded.message, now, out),
            Reaction::Withhold => out.push(say(
                format!("试验：不应答流水号 {}，等待重发", parts.header.serial),
                format!("test: serial {} is not answered; it should come again", parts.header.serial),
            )),
            Reaction::Cut => {
                out.push(say(
                    "试验：断开连接，等待重连、鉴权与补传",
                    "test: the connection is cut; it should come back, authenticate and catch up",
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

    fn answer(&mut self, link: &mut Link, parts: &Parts<'_>, message: &Message<'_>, now: i64, out: &mut Vec<Action>) {
        let (serial, message_id) = (parts.header.serial, parts.header.id);
        match message {
            Message::Register(_) => {
                let code = self.code.clone();
                self.send(&Message::RegisterReply { serial, result: 0, code: code.as_bytes() }, now, out);
            }
            Message::Authenticate(given) => {
                let right = given.code == self.code.as_bytes();
                if right {
                    self.book.kept("code");
                    link.authenticated = true;
                    self.is_on = true;
                } else if self.book.times_kept("first") > 1 || self.serial > 0 {
                    // A code from another platform is no fault before this one gave its own.
                    let text = Finding::new(
                        "code",
                        "code_wrong",
                        "鉴权码不是平台下发的",
                        "another code than the one it was given",
                    );
                    let detail = format!("{} B", given.code.len());
                    self.book.found(text.at(Some((parts_body_at(parts), given.code.len()))).detail(detail));
                }
                let result = u8::from(!right);
                self.send(&Message::PlatformReply { serial, id: message_id, result }, now, out);
            }
            Message::TimeWanted => {
                let stamp = LocalStamp::of(EventTime(now), 0).fields().unwrap_or_default();
                self.send(&Message::Time { utc_bcd: time_bcd(stamp) }, now, out);
            }
            _ => {
                let answers = kind(message_id).map_or(&[id::PLATFORM_REPLY][..], |kind| kind.answers);
                if answers.contains(&id::PLATFORM_REPLY) {
                    // A platform takes nothing from whom it does not know.
                    let result = u8::from(!link.authenticated && self.trial_is_active());
                    self.send(&Message::PlatformReply { serial, id: message_id, result }, now, out);
                }
            }
        }
    }

    const fn trial_is_active(&self) -> bool {
        !self.trial.is_passive()
    }

    fn errand(&mut self, now: i64, out: &mut Vec<Action>) {
        match self.trial.errand(now) {
            Some(Errand::Send(index)) => self.command(index, now, out),
            Some(Errand::Unanswered(index)) => {
                let check = check_of_command(index);
                let text =
                    Finding::new(check, "no_answer", "平台命令没有应答", "a command of the platform was not answered");
                let finding = text.detail(format!("0x{:04X}", self.asked.map_or(0, |(_, id)| id))).advise(
                    "以 0x0001 应答，流水号与命令 ID 照抄；不支持时结果填 3",
                    "answer 0x0001 with the command's serial and id; result 3 when it is not supported",
                );
                let needed = matches!(check, "parameters" | "text");
                self.book.found(if needed { finding } else { finding.should() });
                out.push(say("试验未通过：没有应答", "the test did not pass: no answer"));
                self.asked = None;
                self.trial.errand_done();
            }
            None => {}
        }
    }

    fn command(&mut self, index: usize, now: i64, out: &mut Vec<Action>) {
        let serial = self.serial;
        let heartbeat = ParameterValue::Dword(self.trial.pace().heartbeat_s).to_bytes();
        let (message_id, say_so) = match index {
            0 => (
                id::PARAMETERS_SET,
                say(
                    format!("试验：设置心跳间隔 {} 秒（0x8103）", self.trial.pace().heartbeat_s),
                    format!("test: the heartbeat is set to {} s (0x8103)", self.trial.pace().heartbeat_s),
                ),
            ),
            1 => {
                (id::PARAMETERS_WANTED, say("试验：查询参数（0x8104）", "test: the parameters are asked for (0x8104)"))
            }
            2 => (id::TEXT, say("试验：下发文本（0x8300）", "test: a text is sent (0x8300)")),
            _ => (UNKNOWN_COMMAND, say("试验：下发不存在的命令", "test: a command that does not exist")),
        };
        out.push(say_so);
        self.asked = Some((serial, message_id));
        match index {
            0 => {
                let list = vec![Parameter { id: HEARTBEAT_PARAMETER, value: &heartbeat }];
                self.send(&Message::ParametersSet(ParametersSet { list }), now, out);
                self.heartbeat_set = Some(now);
            }
            1 => self.send(&Message::ParametersWanted, now, out),
            2 => self.send(&Message::Text(Text { flags: 4, kind: Some(1), text: b"Lantian lab" }), now, out),
            _ => {
                self.serial = self.serial.wrapping_add(1);
                let bytes = encode_raw(self.version, &self.phone, serial, None, UNKNOWN_COMMAND, &[]);
                self.sent(bytes, now, out);
            }
        }
    }

    fn on_command_answer(&mut self, message: &Message<'_>, out: &mut Vec<Action>) {
        let (Some((serial, asked)), Some(index)) = (self.asked, self.trial.awaited()) else { return };
        let check = check_of_command(index);
        let good = match message {
            Message::TerminalReply { serial: of, id, result } if *of == serial && *id == asked => {
                let wanted: u8 = if asked == UNKNOWN_COMMAND { 3 } else { 0 };
                if *result != wanted {
                    let text =
                        Finding::new(check, "result_unexpected", "应答结果与预期不符", "another result than expected");
                    let finding = text.detail(format!("{wanted} expected, {result} found"));
                    self.book.found(if asked == UNKNOWN_COMMAND { finding.should() } else { finding });
                }
                // A general reply to the query is not its answer.
                asked != id::PARAMETERS_WANTED
            }
            Message::TerminalReply { id, .. } if *id == asked => {
                let text = Finding::new(
                    check,
                    "serial_unmatched",
                    "应答流水号不是命令的流水号",
                    "the answer has not the command's serial",
                );
                self.book.found(text);
                true
            }
            Message::Parameters(parameters) if asked == id::PARAMETERS_WANTED => {
                if parameters.serial != serial {
                    let text = Finding::new(
                        check,
                        "serial_unmatched",
                        "应答流水号不是命令的流水号",
                        "the answer has not the command's serial",
                    );
                    self.book.found(text);
                }
                true
            }
            _ => false,
        };
        if good {
            self.book.kept(check);
            out.push(match self.book.status(check) {
                Status::Pass => say("试验通过", "the test passed"),
                _ => say("试验未通过", "the test did not pass"),
            });
            self.asked = None;
            self.trial.errand_done();
        }
    }

    fn send(&mut self, message: &Message<'_>, now: i64, out: &mut Vec<Action>) {
        let serial = self.serial;
        self.serial = self.serial.wrapping_add(1);
        self.sent(encode(self.version, &self.phone, serial, message), now, out);
    }

    fn sent(&mut self, bytes: Vec<u8>, now: i64, out: &mut Vec<Action>) {
        self.book.frames_down += 1;
        let explained = Explained { explanation: explain(&bytes), plain: plain(&bytes) };
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Jt808,
            link: self.link,
            device: self.book.identity.clone(),
            number: self.book.frames_down,
            at_ms: now,
            explained,
            findings: Vec::new(),
            wire: bytes.clone(),
            up: false,
        })));
        out.push(Action::Send(bytes));
    }

    fn shown(&self, of: &Came<'_>, new: Vec<Finding>) -> Action {
        Action::Show(Box::new(Shown {
            protocol: Protocol::Jt808,
            link: self.link,
            device: self.book.identity.clone(),
            number: self.book.frames_up,
            at_ms: of.now,
            explained: of.explained.clone(),
            findings: new,
            wire: of.bytes.to_vec(),
            up: true,
        }))
    }
}

const fn check_of_command(index: usize) -> &'static str {
    match index {
        0 => "parameters",
        1 => "query",
        2 => "text",
        _ => "unknown",
    }
}

/// Where the body begins in the frame, its opening delimiter counted.
fn parts_body_at(parts: &Parts<'_>) -> usize {
    let header = if parts.header.version.is_2019() { 17 } else { 12 };
    1 + header + if parts.header.packet.is_some() { 4 } else { 0 }
}

/// A code for the phone, the same in every run.
fn code_of(phone: &str) -> String {
    let mixed = phone.bytes().fold(0x811c_9dc5_u32, |mixed, byte| (mixed ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("LAB{mixed:08X}")
}

fn utc_ms(position: &Position<'_>) -> Option<i64> {
    let (year, month, day, hour, minute, second, ms) = position.time()?;
    Some(LocalStamp::new(year, month, day, hour, minute, second, ms)?.at_offset(BEIJING_OFFSET_MINUTES).as_ms())
}

#[cfg(test)]
mod tests;
