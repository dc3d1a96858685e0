//! What a JT/T 808 connection decides.

use crate::metrics;
use crate::tcp::{Actions, CloseReason, Door, Opening, Session};
use bytes::Bytes;
use model::envelope::{Channel, Envelope, Position, ProtocolKind, edge_remark};
use model::id::DeviceId;
use model::principal::{Admission, Attempt, DeviceAtEdge, Grants, Principal, Strictness};
use model::seams::{Committed, DeviceDirectory};
use model::time::{EventTime, IngestTime, LocalStamp};
use model::verdict::RefusalReason;
use protocol::jt808::{Decoded, Event, Framer, Header, Message, Parts, Phone, Version, encode, id, time_bcd};
use std::collections::VecDeque;
use std::sync::Arc;

const OK: u8 = 0;
const FAILED: u8 = 1;
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
}

impl Jt808Session {
    pub fn new(opening: Opening) -> Self {
        Self {
            door: Door::new(opening, ProtocolKind::Jt808),
            framer: Framer::new(),
            who: None,
            serial: 0,
            pending: VecDeque::new(),
        }
    }

    fn directory(&self) -> &dyn DeviceDirectory {
        self.door.opening.edge.directory.as_ref()
    }

    fn on_frame(&mut self, raw: Bytes, garbage: usize, now: IngestTime, out: &mut Actions) {
        self.door.garbage(garbage);
        let Some(parts) = Parts::split(&raw) else {
            self.door.refused(now, None, RefusalReason::Malformed, "too short for a header".to_owned(), &raw);
            return;
        };
        let header = parts.header;
        let mut remarks = if garbage > 0 { edge_remark::AFTER_GARBAGE } else { 0 };
        let odd = odd(&parts, &mut remarks);
        let known = self.who.as_ref().filter(|who| who.phone.trimmed() == header.phone.trimmed());
        let known = known.map(|who| (Arc::clone(&who.device), who.principal.id));
        if let Some((reason, detail)) = odd {
            let forgiven = known.as_ref().is_some_and(|(device, _)| device.strictness != Strictness::Reject);
            // Identity is never taken from a damaged frame.
            if !forgiven || matches!(header.id, id::REGISTER | id::AUTHENTICATE) {
                self.door.refused(now, known.map(|(device, _)| device.id), reason, detail, &raw);
                return;
            }
            ::metrics::counter!(metrics::REMARKED_TOTAL, "protocol" => "jt808").increment(1);
        }
        match header.id {
            id::REGISTER => return self.on_register(&header, &raw, now, out),
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
        let Header { version, phone, serial, id, .. } = header;
        self.pending.push_back(Pending { device: device.id, version, phone, serial, id });
        let connection = self.door.opening.connection;
        let (device, channel) = (device.id, Channel::Jt808Frame);
        out.append.push(Envelope { received: now, principal, device, channel, remarks, connection, raw });
        if id == id::LOGOUT {
            self.forget(now);
        }
    }

    fn on_register(&mut self, header: &Header, raw: &Bytes, now: IngestTime, out: &mut Actions) {
        let directory = self.directory();
        let code = directory
            .register_terminal(header.phone.as_str())
            .or_else(|| directory.register_terminal(header.phone.trimmed()));
        let (result, code) = match &code {
            Some(code) => (OK, code.as_ref()),
            None => (NO_SUCH_TERMINAL, &[][..]),
        };
        if result != OK {
            self.door.unknown(now, header.phone.trimmed(), raw);
        }
        let serial = header.serial;
        self.send(header.version, &header.phone, &Message::RegisterReply { serial, result, code }, out);
    }

    fn on_authenticate(&mut self, header: &Header, body: &[u8], raw: &Bytes, now: IngestTime, out: &mut Actions) {
        let decoded = Decoded::read(header, body);
        let Message::Authenticate(authenticate) = decoded.message else {
            self.door.refused(now, None, RefusalReason::Malformed, "0x0102 that cannot be read".to_owned(), raw);
            return self.reply(header, FAILED, out);
        };
        let Some((principal, device)) = self.admit(header, authenticate.code, raw, now) else {
            return self.reply(header, FAILED, out);
        };
        if self.who.as_ref().is_some_and(|who| who.device.id != device.id) {
            self.forget(now);
        }
        out.established = true;
        if let Some(older) = self.door.enter(device.id, now) {
            older.cut();
        }
        let revision = self.directory().revision();
        self.who = Some(Identity { phone: header.phone, principal, device, revision });
        self.reply(header, OK, out);
    }

    /// The phone as sent, else without its leading zeros: the 2019 header pads the same phone to another length.
    fn admit(
        &self,
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
        let device_id = device.as_ref().map(|device| device.id);
        let (reason, detail) = match (admission, device) {
            (Admission::Granted(principal), Some(device)) if grants(&principal, &device) => {
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
            self.door.leave(who.device.id, now);
        }
    }

    /// The general reply, at once: only for what is not data.
    fn reply(&mut self, header: &Header, result: u8, out: &mut Actions) {
        let Header { serial, id, .. } = *header;
        self.send(header.version, &header.phone, &Message::PlatformReply { serial, id, result }, out);
    }

    fn send(&mut self, version: Version, phone: &Phone, message: &Message<'_>, out: &mut Actions) {
        out.send.extend(encode(version, phone, self.serial, message));
        self.serial = self.serial.wrapping_add(1);
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

fn grants(principal: &Principal, device: &DeviceAtEdge) -> bool {
    match &principal.grants {
        Grants::One(id) => *id == device.id,
        Grants::Many(ids) => ids.contains(&device.id),
        Grants::Prefix(prefix) => device.code.starts_with(prefix.as_str()),
        Grants::Observer => false,
    }
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
        for offset in 0..u64::from(committed.count) {
            let Some(pending) = self.pending.pop_front() else { return };
            let Pending { device, version, phone, serial, id } = pending;
            match id {
                id::TERMINAL_REPLY => continue,
                id::TIME_WANTED => self.send(version, &phone, &Message::Time { utc_bcd: utc_bcd(now) }, out),
                _ => self.send(version, &phone, &Message::PlatformReply { serial, id, result: OK }, out),
            }
            let seq = committed.first.seq + offset;
            out.acknowledged.push((device, Position { partition: committed.first.partition, seq }));
        }
    }

    fn on_tick(&mut self, _now: IngestTime, out: &mut Actions) {
        self.check_identity(out);
    }

    fn on_close(&mut self, now: IngestTime) {
        self.door.leave_all(now);
    }

    fn is_partial(&self) -> bool {
        self.framer.is_partial()
    }
}
