//! What an HJ 212 connection decides.

use super::talks::Talks;
use crate::downlink;
use crate::edge::Edge;
use crate::intake::Carried;
use crate::metrics;
use crate::tcp::{Actions, CloseReason, Door, Opening, Session};
use bytes::Bytes;
use model::envelope::{Channel, Envelope, Position, ProtocolKind, edge_remark};
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Strictness};
use model::seams::{Committed, DeviceDirectory};
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::hj212::{self, Event, Framer, Message, Parts, answer, cn};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Identities remembered a connection; beyond it the oldest is asked for again.
const KNOWN_MAX: usize = 64;
/// Wrong passwords after which a connection is closed. A password has six characters (HJ 212-2017), so it must not be tried at the speed of
/// a stream.
const WRONG_MAX: u8 = 8;

#[derive(Debug)]
pub struct Hj212Session {
    door: Door,
    framer: Framer,
    known: VecDeque<Known>,
    /// Of the directory, when `known` was learned.
    revision: u64,
    /// Frames at the journal, in order, with the answer that waits for them.
    pending: VecDeque<Pending>,
    talks: Talks,
    /// Wrong passwords on this connection.
    wrong: u8,
    /// Behind a modem: whose frames alone are taken, without their password.
    carried: Option<Carried>,
}

/// A frame at the journal, with what leaves once it is on disk.
#[derive(Debug)]
struct Pending {
    device: DeviceId,
    answer: Option<Vec<u8>>,
    /// A 1013: it is told the time by a command of its own.
    wants_time: bool,
}

#[derive(Debug)]
struct Known {
    mn: Box<str>,
    password: Box<str>,
    device: Arc<DeviceAtEdge>,
    principal: PrincipalId,
}

impl Hj212Session {
    pub fn new(opening: Opening, segment_bytes_max: usize) -> Self {
        Self {
            door: Door::new(opening, ProtocolKind::Hj212),
            framer: Framer::new(segment_bytes_max),
            known: VecDeque::new(),
            revision: 0,
            pending: VecDeque::new(),
            talks: Talks::default(),
            wrong: 0,
            carried: None,
        }
    }

    /// For frames that come inside another protocol, whose credential is the identity: each must be of that device.
    pub(crate) fn carried(opening: Opening, segment_bytes_max: usize, carried: Carried) -> Self {
        Self { carried: Some(carried), ..Self::new(opening, segment_bytes_max) }
    }

    fn directory(&self) -> &dyn DeviceDirectory {
        self.door.opening.edge.directory.as_ref()
    }

    fn edge(&self) -> &Edge {
        &self.door.opening.edge
    }

    fn on_frame(&mut self, raw: Bytes, garbage: usize, now: IngestTime, out: &mut Actions) {
        self.door.garbage(garbage);
        let parts = Parts::split(&raw);
        let text = parts.text();
        let (message, _) = Message::parse(&text);
        let Some(mn) = message.mn.filter(|mn| !mn.is_empty()) else {
            self.door.refused(now, None, RefusalReason::Malformed, "no MN".to_owned(), &raw);
            return;
        };
        if let Some(carried) = self.carried.as_ref().filter(|carried| *carried.device.identity != *mn) {
            let detail = carried.foreign(&format!("MN {mn}"));
            self.door.refused(now, Some(carried.device.id), RefusalReason::NotGranted, detail, &raw);
            return;
        }
        let mut remarks = 0;
        if let Some((reason, detail)) = odd(&parts, &mut remarks) {
            // A wrong frame's MN is trusted only as far as to find how forgiving its device is.
            let device = self.directory().device_by_identity(ProtocolKind::Hj212, mn);
            if device.as_ref().is_none_or(|device| device.strictness == Strictness::Reject) {
                self.door.refused(now, device.map(|device| device.id), reason, detail, &raw);
                return;
            }
            ::metrics::counter!(metrics::REMARKED_TOTAL, "protocol" => "hj212").increment(1);
        }
        if garbage > 0 {
            remarks |= edge_remark::AFTER_GARBAGE;
        }
        let Some((device, principal)) = self.identify(mn, message.pw.unwrap_or_default(), now, &raw) else {
            if self.wrong >= WRONG_MAX {
                out.close = Some(CloseReason::Guessing);
            }
            return;
        };
        out.established = true;
        self.door.enter(device.id, now);
        self.talks.note(&device, &message);
        let (edge, connection) = self.door.line();
        self.talks.hear((edge, connection), device.id, &message, now);
        let answer = self.answer_to(&message, &device);
        let wants_time = message.cn == Some(cn::TIME_WANTED);
        self.pending.push_back(Pending { device: device.id, answer, wants_time });
        let connection = self.door.opening.connection;
        let (device, channel) = (device.id, Channel::Hj212Frame);
        out.append.push(Envelope { received: now, principal, device, channel, remarks, connection, raw });
    }

    fn identify(
        &mut self,
        mn: &str,
        password: &str,
        now: IngestTime,
        raw: &Bytes,
    ) -> Option<(Arc<DeviceAtEdge>, PrincipalId)> {
        if let Some(carried) = &self.carried {
            return Some((Arc::clone(&carried.device), carried.principal.id));
        }
        let revision = self.directory().revision();
        if revision != self.revision {
            self.known.clear();
            self.revision = revision;
        }
        if let Some(known) = self.known.iter().find(|known| *known.mn == *mn && *known.password == *password) {
            return Some((Arc::clone(&known.device), known.principal));
        }
        let device = self.directory().device_by_identity(ProtocolKind::Hj212, mn);
        let device_id = device.as_ref().map(|device| device.id);
        let principal = match self.directory().admit(Attempt::Hj212 { mn, password }) {
            Admission::Granted(principal) => principal,
            Admission::UnknownIdentity => {
                self.door.unknown(now, mn, raw);
                return None;
            }
            Admission::WrongSecret
                if device.as_ref().is_some_and(|device| self.edge().downlink.password_taken(device.id, password)) =>
            {
                // It was told to use this one, and does: the credential follows.
                let kept = device_id.and_then(|id| self.directory().hj212_password(id)).unwrap_or_default();
                match self.directory().admit(Attempt::Hj212 { mn, password: &kept }) {
                    Admission::Granted(principal) => principal,
                    _ => return None,
                }
            }
            Admission::WrongSecret => {
                self.wrong = self.wrong.saturating_add(1);
                self.door.guessed(mn, password.as_bytes());
                let detail = format!("wrong PW for MN {mn}");
                self.door.refused(now, device_id, RefusalReason::NotAuthenticated, detail, raw);
                return None;
            }
            Admission::Disabled => {
                let detail = format!("MN {mn} is switched off");
                self.door.refused(now, device_id, RefusalReason::NotAuthenticated, detail, raw);
                return None;
            }
        };
        let Some(device) = device.filter(|device| principal.speaks_for(device)) else {
            self.door.refused(now, device_id, RefusalReason::NotGranted, format!("MN {mn} is not granted"), raw);
            return None;
        };
        if self.directory().hj212_password(device.id).is_some_and(|kept| *kept != *password) {
            return Some((device, principal.id));
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(Known {
            mn: mn.into(),
            password: password.into(),
            device: Arc::clone(&device),
            principal: principal.id,
        });
        Some((device, principal.id))
    }

    /// By the table of commands; see [`hj212::answer_to`].
    fn answer_to(&self, message: &Message<'_>, device: &DeviceAtEdge) -> Option<Vec<u8>> {
        let password = || {
            let kept = self.directory().hj212_password(device.id);
            kept.as_deref().or(message.pw).unwrap_or_default().to_owned()
        };
        hj212::answer_to(message).map(|command| answer(command, message, &password()))
    }
}

fn odd(parts: &Parts<'_>, remarks: &mut u8) -> Option<(RefusalReason, String)> {
    let mut odd = None;
    if !parts.length_ok() {
        *remarks |= edge_remark::LENGTH_BAD;
        let declared = parts.declared.unwrap_or(0);
        odd = Some((RefusalReason::LengthBad, format!("length {} expected, {declared} found", parts.segment.len())));
    }
    if !parts.crc_ok() {
        *remarks |= edge_remark::CHECK_BAD;
        let found = String::from_utf8_lossy(parts.check);
        let hint = parts
            .problems()
            .into_iter()
            .map(|problem| problem.code.code())
            .find(|code| code.starts_with("check_") && !matches!(*code, "check_wrong" | "check_lower_case"));
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        odd =
            Some((RefusalReason::CheckBad, format!("crc {:04X} expected, {found} found{hint}", parts.crc_expected())));
    }
    odd
}

impl Session for Hj212Session {
    fn protocol(&self) -> ProtocolKind {
        ProtocolKind::Hj212
    }

    fn on_bytes(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
    }

    fn advance(&mut self, now: IngestTime, room: usize, out: &mut Actions) {
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
                    let detail = "the segment is longer than the limit".to_owned();
                    self.door.refused(now, None, RefusalReason::Oversize, detail, &sample);
                }
            }
        }
    }

    fn on_durable(&mut self, committed: &Committed, _now: IngestTime, out: &mut Actions) {
        for offset in 0..u64::from(committed.count) {
            let Some(Pending { device, answer, wants_time }) = self.pending.pop_front() else { return };
            if let Some(answer) = answer {
                out.send.extend(answer);
                let seq = committed.first.seq + offset;
                out.acknowledged.push((device, Position { partition: committed.first.partition, seq }));
            }
            if wants_time {
                self.edge().downlink.time_wanted(device);
            }
        }
    }

    /// Every frame shows its identity again; this is for the connection that says nothing.
    fn on_change(&mut self, _now: IngestTime, out: &mut Actions) {
        let revision = self.directory().revision();
        if revision == self.revision {
            return;
        }
        let mut known = std::mem::take(&mut self.known);
        for known in &mut known {
            let attempt = Attempt::Hj212 { mn: &known.mn, password: &known.password };
            let device = self.directory().device_by_identity(ProtocolKind::Hj212, &known.mn);
            match (self.directory().admit(attempt), device) {
                (Admission::Granted(principal), Some(device)) if principal.id == known.principal => {
                    known.device = device;
                }
                _ => out.close = Some(CloseReason::Revoked),
            }
        }
        self.known = known;
        self.revision = revision;
    }

    fn on_wake(&mut self, now: IngestTime, out: &mut Actions) {
        self.talks.turn(self.door.line(), now, out);
    }

    fn due_in(&self, now: IngestTime) -> Option<Duration> {
        self.talks.next_time().map(|at| downlink::until(at, now))
    }

    fn on_tick(&mut self, now: IngestTime, out: &mut Actions) {
        self.talks.on_time(self.door.line(), now, out);
    }

    fn on_close(&mut self, now: IngestTime) {
        self.door.leave_all(now);
    }

    fn is_partial(&self) -> bool {
        self.framer.is_partial()
    }
}
