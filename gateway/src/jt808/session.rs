//! What a JT/T 808 connection decides.

mod asks;
mod commands;

use super::attachments::{Ask, Asking, Attachments};
use super::trains::{Part, Trains};
use crate::downlink::jt808::Exchange;
use crate::intake::Carried;
use crate::metrics;
use crate::tcp::{Actions, CloseReason, Door, Opening, Session};
use bytes::Bytes;
use commands::Voice;
use model::envelope::{Channel, Envelope, Position, ProtocolKind, edge_remark};
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Principal, Registration, Strictness};
use model::seams::{Committed, DeviceDirectory};
use model::time::{EventTime, IngestTime, LocalStamp};
use model::verdict::RefusalReason;
use protocol::jt808::{
    Decoded, Event, Framer, Header, Message, Parts, Phone, Register, Version, encode, id, kind, time_bcd,
};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Wrong codes after which a connection is closed.
const WRONG_MAX: u8 = 8;
const OK: u8 = 0;
const FAILED: u8 = 1;
const MESSAGE_WRONG: u8 = 2;
const UNSUPPORTED: u8 = 3;
/// What a terminal behind a modem is given as its code; it opens nothing.
const CARRIED_CODE: &[u8] = b"modem";
/// Results of 0x8100.
const TERMINAL_TAKEN: u8 = 3;
const NO_SUCH_TERMINAL: u8 = 4;

#[derive(Debug)]
pub struct Jt808Session {
    door: Door,
    framer: Framer,
    /// Who authenticated on this connection.
    who: Option<Identity>,
    /// Serial of the next message we send.
    serial: u16,
    /// Frames at the journal, in order, with what their answer needs.
    pending: VecDeque<Pending>,
    trains: Trains,
    /// A command under way.
    exchange: Option<Exchange>,
    /// How the device that may be sent to here is addressed.
    voice: Option<Voice>,
    /// A terminal whose hold on the phone is being written down.
    registering: Option<Registering>,
    /// Behind a modem: whose frames alone are taken, whatever the terminal's code.
    carried: Option<Carried>,
    /// Alarms whose attachments are asked for; `None`: nobody takes them.
    asking: Option<Asking>,
    /// Wrong codes on this connection.
    wrong: u8,
    /// Bytes that came and have not been answered: what may be asked for beside the answers.
    credit: usize,
}

#[derive(Debug)]
struct Registering {
    header: Header,
    terminal: String,
    raw: Bytes,
    told: oneshot::Receiver<Registration>,
}

#[derive(Debug)]
struct Identity {
    phone: Phone,
    principal: Arc<Principal>,
    device: Arc<DeviceAtEdge>,
    /// Of the directory, when this was last found true.
    revision: u64,
}

#[derive(Debug)]
struct Pending {
    device: DeviceId,
    version: Version,
    phone: Phone,
    serial: u16,
    id: u16,
    part: Option<Part>,
    /// Alarms in it whose attachments are to be asked for.
    asks: Vec<Ask>,
}

impl Jt808Session {
    pub fn new(opening: Opening) -> Self {
        Self::with(opening, None)
    }

    /// Asks for the attachments of alarms, too.
    pub fn with(opening: Opening, attachments: Option<Arc<Attachments>>) -> Self {
        Self {
            door: Door::new(opening, ProtocolKind::Jt808),
            framer: Framer::new(),
            who: None,
            serial: 0,
            pending: VecDeque::new(),
            trains: Trains::default(),
            exchange: None,
            voice: None,
            registering: None,
            asking: attachments.map(Asking::new),
            carried: None,
            wrong: 0,
            credit: asks::CREDIT_BYTES_FIRST,
        }
    }

    /// Somebody has authenticated.
    pub(super) const fn is_known(&self) -> bool {
        self.who.is_some()
    }

    /// Who authenticated.
    pub(super) fn device(&self) -> Option<DeviceId> {
        self.who.as_ref().map(|who| who.device.id)
    }

    /// For frames that come inside another protocol, whose credential is the identity: each must be of that device, and its
    /// own registration and authentication are answered and decide nothing.
    pub(crate) fn carried(opening: Opening, carried: Carried) -> Self {
        Self { carried: Some(carried), ..Self::new(opening) }
    }

    /// What a registration or authentication behind a modem is answered; false: it is a frame as any other.
    fn on_carried_login(&mut self, header: &Header, out: &mut Actions) -> bool {
        match header.id {
            id::REGISTER => self.registered(header, OK, CARRIED_CODE, out),
            id::AUTHENTICATE => self.reply(header, OK, out),
            _ => return false,
        }
        true
    }

    /// The device whose modem this is, when the phone is its own.
    fn own_of_modem(
        &mut self,
        header: &Header,
        raw: &Bytes,
        now: IngestTime,
    ) -> Option<(Arc<DeviceAtEdge>, PrincipalId)> {
        let carried = self.carried.as_ref()?;
        let (device, principal) = (Arc::clone(&carried.device), carried.principal.id);
        if header.phone.trimmed() != device.identity.trim_start_matches('0') {
            let detail = carried.foreign(&format!("phone {}", header.phone.trimmed()));
            self.door.refused(now, Some(device.id), RefusalReason::NotGranted, detail, raw);
            return None;
        }
        if let Some(older) = self.door.enter(device.id, now) {
            older.cut();
        }
        self.voice = Some(Voice::of(header, &device));
        Some((device, principal))
    }

    fn directory(&self) -> &dyn DeviceDirectory {
        self.door.opening.edge.directory.as_ref()
    }

    pub(super) fn on_frame(&mut self, raw: Bytes, garbage: usize, now: IngestTime, out: &mut Actions) {
        self.door.garbage(garbage);
        let Some(parts) = Parts::split(&raw) else {
            self.door.refused(now, None, RefusalReason::Malformed, "too short for a header".to_owned(), &raw);
            return;
        };
        let header = parts.header;
        let mut remarks = if garbage > 0 { edge_remark::AFTER_GARBAGE } else { 0 };
        let odd = odd(&parts, &mut remarks);
        let known = self.who.as_ref().filter(|who| who.phone.trimmed() == header.phone.trimmed());
        let mut known = known.map(|who| (Arc::clone(&who.device), who.principal.id));
        if self.carried.is_some() {
            known = self.own_of_modem(&header, &raw, now);
            if known.is_none() {
                return;
            }
        }
        if let Some((reason, detail)) = odd {
            let forgiven = known.as_ref().is_some_and(|(device, _)| device.strictness != Strictness::Reject);
            // Identity is never taken from a damaged frame.
            if !forgiven || matches!(header.id, id::REGISTER | id::AUTHENTICATE) {
                self.door.refused(now, known.map(|(device, _)| device.id), reason, detail, &raw);
                return;
            }
            ::metrics::counter!(metrics::REMARKED_TOTAL, "protocol" => "jt808").increment(1);
        }
        if self.carried.is_some() && self.on_carried_login(&header, out) {
            return;
        }
        match header.id {
            id::REGISTER => return self.on_register(&header, parts.body, &raw, now, out),
            id::AUTHENTICATE => return self.on_authenticate(&header, parts.body, &raw, now, out),
            _ => {}
        }
        let Some((device, principal)) = known else {
            let detail = format!("0x{:04X} of phone {} before it authenticated", header.id, header.phone);
            self.door.refused(now, None, RefusalReason::NotAuthenticated, detail, &raw);
            if header.id == id::HEARTBEAT {
                self.reply(&header, FAILED, out);
            }
            return;
        };
        self.heard_answer(&header, parts.body, now, out);
        self.credit = (self.credit + raw.len()).min(asks::CREDIT_BYTES_MAX);
        let Header { version, phone, serial, id, .. } = header;
        let part = Part::of(&parts);
        let asks = self.asking.as_mut().map(|asking| asking.alarms(&parts)).unwrap_or_default();
        self.pending.push_back(Pending { device: device.id, version, phone, serial, id, part, asks });
        let connection = self.door.opening.connection;
        let (device, channel) = (device.id, Channel::Jt808Frame);
        out.append.push(Envelope { received: now, principal, device, channel, remarks, connection, raw });
        if id == id::LOGOUT && self.carried.is_none() {
            self.forget(now);
        }
    }

    /// The code goes to the terminal that holds the phone and to no other; nothing of a connection changes before it has
    /// authenticated.
    fn on_register(&mut self, header: &Header, body: &[u8], raw: &Bytes, now: IngestTime, out: &mut Actions) {
        self.hear(now, out);
        if self.registering.is_some() {
            // Said again while the first is being written down: one answer is to come.
            return;
        }
        let decoded = Decoded::read(header, body);
        let Message::Register(register) = decoded.message else {
            self.door.refused(now, None, RefusalReason::Malformed, "0x0100 that cannot be read".to_owned(), raw);
            // Result 4 of 0x8100 would say that its terminal is not known, which nobody has looked at.
            return self.reply(header, MESSAGE_WRONG, out);
        };
        let terminal = terminal_name(&register);
        if terminal == "/" {
            // A name that every terminal has would bind the phone to none.
            let detail = format!("0x0100 of phone {} without maker and terminal id", header.phone.trimmed());
            self.door.refused(now, None, RefusalReason::Malformed, detail, raw);
            return self.registered(header, NO_SUCH_TERMINAL, &[], out);
        }
        let (tell, told) = oneshot::channel();
        let wake = Arc::clone(&self.door.opening.wake);
        let done = Box::new(move |answer| {
            // Nobody waits any more when the connection is gone.
            tell.send(answer).ok();
            wake.notify_one();
        });
        let answer = self.directory().register_terminal(header.phone.as_str(), &terminal, done);
        if matches!(answer, Registration::Pending) {
            // Copied, so that a small frame does not keep a large buffer.
            let raw = Bytes::copy_from_slice(raw);
            self.registering = Some(Registering { header: *header, terminal, raw, told });
            return;
        }
        self.answer_registration(header, &terminal, raw, answer, now, out);
    }

    /// Takes the answer to a registration that was pending, if it is there.
    fn hear(&mut self, now: IngestTime, out: &mut Actions) {
        let Some(registering) = &mut self.registering else { return };
        let answer = match registering.told.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Closed) => Registration::Unavailable,
        };
        let Some(Registering { header, terminal, raw, .. }) = self.registering.take() else { return };
        self.answer_registration(&header, &terminal, &raw, answer, now, out);
    }

    fn answer_registration(
        &mut self,
        header: &Header,
        terminal: &str,
        raw: &Bytes,
        answer: Registration,
        now: IngestTime,
        out: &mut Actions,
    ) {
        match answer {
            Registration::Granted(code) => self.registered(header, OK, &code, out),
            Registration::Taken { device, holder } => {
                ::metrics::counter!(metrics::TERMINALS_REFUSED_TOTAL).increment(1);
                let held = holder.map_or_else(
                    || "the code was set by hand, so no terminal may ask for it".to_owned(),
                    |holder| format!("terminal {holder} holds the phone"),
                );
                let detail = format!(
                    "terminal {terminal} asks for the code of phone {}, but {held}; if it is the right one, rotate the \
                     credential: lantian device rotate {}",
                    header.phone.trimmed(),
                    device.code
                );
                self.door.refused(now, Some(device.id), RefusalReason::NotAuthenticated, detail, raw);
                self.registered(header, TERMINAL_TAKEN, &[], out);
            }
            Registration::Unknown => {
                self.door.unknown(now, header.phone.trimmed(), raw);
                self.registered(header, NO_SUCH_TERMINAL, &[], out);
            }
            // No answer: the terminal asks again.
            Registration::Pending | Registration::Unavailable => {
                ::metrics::counter!(metrics::REGISTRATIONS_UNANSWERED_TOTAL).increment(1);
            }
        }
    }

    fn registered(&mut self, header: &Header, result: u8, code: &[u8], out: &mut Actions) {
        let serial = header.serial;
        self.send(header.version, &header.phone, &Message::RegisterReply { serial, result, code }, out);
    }

    fn on_authenticate(&mut self, header: &Header, body: &[u8], raw: &Bytes, now: IngestTime, out: &mut Actions) {
        let decoded = Decoded::read(header, body);
        let Message::Authenticate(authenticate) = decoded.message else {
            self.door.refused(now, None, RefusalReason::Malformed, "0x0102 that cannot be read".to_owned(), raw);
            return self.reply(header, FAILED, out);
        };
        // Read first: what changes meanwhile is then looked at again.
        let revision = self.directory().revision();
        let Some((principal, device)) = self.admit(header, authenticate.code, raw, now) else {
            if self.wrong >= WRONG_MAX {
                out.close = Some(CloseReason::Guessing);
            }
            return self.reply(header, FAILED, out);
        };
        if self.who.as_ref().is_some_and(|who| who.device.id != device.id) {
            self.forget(now);
        }
        if !authenticate.imei.is_empty() {
            let imei = authenticate.imei.escape_ascii().to_string();
            let software = authenticate.software.escape_ascii().to_string();
            tracing::debug!(device = %device.code, imei, software, "terminal authenticated");
        }
        out.established = true;
        if let Some(older) = self.door.enter(device.id, now) {
            older.cut();
        }
        self.voice = Some(Voice::of(header, &device));
        self.who = Some(Identity { phone: header.phone, principal, device, revision });
        self.reply(header, OK, out);
    }

    /// The phone as sent, else without its leading zeros: the 2019 header pads the same phone to another length.
    fn admit(
        &mut self,
        header: &Header,
        auth_code: &[u8],
        raw: &Bytes,
        now: IngestTime,
    ) -> Option<(Arc<Principal>, Arc<DeviceAtEdge>)> {
        let directory = self.directory();
        let mut phone = header.phone.as_str();
        let mut admission = directory.admit(Attempt::Jt808 { phone, auth_code });
        if matches!(admission, Admission::UnknownIdentity) {
            phone = header.phone.trimmed();
            admission = directory.admit(Attempt::Jt808 { phone, auth_code });
        }
        let device = directory.device_by_identity(ProtocolKind::Jt808, phone);
        if matches!(admission, Admission::WrongSecret) {
            self.wrong = self.wrong.saturating_add(1);
            self.door.guessed(header.phone.trimmed(), auth_code);
        }
        let device_id = device.as_ref().map(|device| device.id);
        let (reason, detail) = match (admission, device) {
            (Admission::Granted(principal), Some(device)) if principal.speaks_for(&device) => {
                return Some((principal, device));
            }
            (Admission::Granted(_), _) => (RefusalReason::NotGranted, "is not granted"),
            (Admission::WrongSecret, _) => (RefusalReason::NotAuthenticated, "sent a wrong authentication code"),
            (Admission::Disabled, _) => (RefusalReason::NotAuthenticated, "is switched off"),
            (Admission::UnknownIdentity, _) => {
                self.door.unknown(now, header.phone.trimmed(), raw);
                return None;
            }
        };
        self.door.refused(now, device_id, reason, format!("phone {phone} {detail}"), raw);
        None
    }

    fn forget(&mut self, now: IngestTime) {
        if let Some(who) = self.who.take() {
            (self.exchange, self.voice) = (None, None);
            self.door.leave(who.device.id, now);
        }
    }

    /// The general reply, at once: only for what is not data.
    fn reply(&mut self, header: &Header, result: u8, out: &mut Actions) {
        let Header { serial, id, .. } = *header;
        self.send(header.version, &header.phone, &Message::PlatformReply { serial, id, result }, out);
    }

    fn send(&mut self, version: Version, phone: &Phone, message: &Message<'_>, out: &mut Actions) {
        let frame = encode(version, phone, self.serial, message);
        self.credit = self.credit.saturating_sub(frame.len());
        out.send.extend(frame);
        self.serial = self.serial.wrapping_add(1);
    }

    /// Answers a frame that is on disk, as its kind is answered; false when it is not.
    fn answer(&mut self, pending: &Pending, now: IngestTime, out: &mut Actions) -> bool {
        let Pending { version, phone, serial, id, part, .. } = *pending;
        let whole = part.and_then(|part| self.trains.came(part, now));
        let is_answered = kind(id).is_none_or(|kind| !kind.answers.is_empty());
        match id {
            id::TIME_WANTED => self.send(version, &phone, &Message::Time { utc_bcd: utc_bcd(now) }, out),
            // We have no key, and say so.
            id::RSA_KEY_UP => {
                self.send(version, &phone, &Message::PlatformReply { serial, id, result: UNSUPPORTED }, out);
            }
            _ if is_answered => self.send(version, &phone, &Message::PlatformReply { serial, id, result: OK }, out),
            _ => {}
        }
        if let Some(say) = whole {
            self.say(&phone, say, out);
        }
        let orders = self.asking.as_ref().map(|asking| asking.orders(&phone, &pending.asks, now)).unwrap_or_default();
        for order in &orders {
            self.send(version, &phone, &order.message(), out);
        }
        is_answered
    }

    /// Closes when the credential no longer holds; asked only when the directory has changed.
    fn check_identity(&mut self, out: &mut Actions) {
        let revision = self.directory().revision();
        let Some(who) = self.who.as_ref().filter(|who| who.revision != revision) else { return };
        let fresh = self.directory().device(who.device.id).filter(|device| device.enabled);
        match fresh.filter(|_| self.directory().still_admitted(&who.principal)) {
            Some(device) => {
                if let Some(who) = self.who.as_mut() {
                    who.device = device;
                    who.revision = revision;
                }
            }
            None => out.close = Some(CloseReason::Revoked),
        }
    }
}

/// `maker/terminal id` without the padding, whichever form of 0x0100 it came in; bytes that are no plain ASCII as %XX.
fn terminal_name(register: &Register<'_>) -> String {
    fn put(name: &mut String, field: &[u8]) {
        let padding = |byte: &u8| matches!(byte, 0 | b' ');
        let start = field.iter().position(|byte| !padding(byte)).unwrap_or(field.len());
        let end = field.iter().rposition(|byte| !padding(byte)).map_or(start, |at| at + 1);
        for byte in field.get(start..end).unwrap_or_default() {
            if byte.is_ascii_graphic() && !matches!(byte, b'/' | b'%') {
                name.push(char::from(*byte));
            } else {
                // Writing into a String cannot fail.
                write!(name, "%{byte:02X}").ok();
            }
        }
    }
    let mut name = String::new();
    put(&mut name, register.maker);
    name.push('/');
    put(&mut name, register.terminal_id);
    name
}

fn odd(parts: &Parts<'_>, remarks: &mut u8) -> Option<(RefusalReason, String)> {
    let mut odd = None;
    if !parts.length_ok() {
        *remarks |= edge_remark::LENGTH_BAD;
        let (found, declared) = (parts.body.len(), parts.header.declared);
        odd = Some((RefusalReason::LengthBad, format!("body of {declared} bytes declared, {found} found")));
    }
    if !parts.check_ok() {
        *remarks |= edge_remark::CHECK_BAD;
        let (expected, found) = (parts.check_expected, parts.check_found);
        odd = Some((RefusalReason::CheckBad, format!("check {expected:02X} expected, {found:02X} found")));
    }
    odd
}

/// UTC as the 0x8004 wants it.
fn utc_bcd(now: IngestTime) -> [u8; 6] {
    LocalStamp::of(EventTime(now.as_ms()), 0).fields().map_or([0; 6], time_bcd)
}

impl Session for Jt808Session {
    fn protocol(&self) -> ProtocolKind {
        ProtocolKind::Jt808
    }

    fn on_bytes(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
    }

    fn advance(&mut self, now: IngestTime, room: usize, out: &mut Actions) {
        self.check_identity(out);
        while out.close.is_none() {
            if out.append.len() >= room {
                out.starved = true;
                return;
            }
            match self.framer.next_event() {
                None => return,
                Some(Event::Frame { raw, garbage }) => {
                    out.frames += 1;
                    self.on_frame(raw, garbage, now, out);
                }
                Some(Event::Oversize { sample }) => {
                    let device = self.who.as_ref().map(|who| who.device.id);
                    let detail = "no frame is that long".to_owned();
                    self.door.refused(now, device, RefusalReason::Oversize, detail, &sample);
                }
            }
        }
    }

    fn on_durable(&mut self, committed: &Committed, now: IngestTime, out: &mut Actions) {
        let mut carried_phone = None;
        for offset in 0..u64::from(committed.count) {
            let Some(pending) = self.pending.pop_front() else { return };
            carried_phone = self.carried.as_ref().map(|_| pending.phone);
            if self.answer(&pending, now, out) {
                let seq = committed.first.seq + offset;
                out.acknowledged.push((pending.device, Position { partition: committed.first.partition, seq }));
            }
        }
        let phone = self.who.as_ref().map(|who| who.phone).or(carried_phone);
        self.ask_again(phone, now, out);
    }

    fn on_change(&mut self, _now: IngestTime, out: &mut Actions) {
        self.check_identity(out);
    }

    fn on_wake(&mut self, now: IngestTime, out: &mut Actions) {
        self.hear(now, out);
        self.command_turn(now, out);
    }

    fn next_time(&self) -> Option<IngestTime> {
        let asks = self.phone().and_then(|_| self.trains.next_time());
        let answer = self.exchange.as_ref().map(Exchange::next_time);
        asks.into_iter().chain(answer).min()
    }

    fn on_time(&mut self, now: IngestTime, out: &mut Actions) {
        self.ask_again(self.phone(), now, out);
        self.command_time(now, out);
    }

    fn waits(&self) -> bool {
        self.registering.is_some()
    }

    fn on_close(&mut self, now: IngestTime) {
        self.trains.close();
        self.door.leave_all(now);
    }

    fn is_partial(&self) -> bool {
        self.framer.is_partial()
    }
}
