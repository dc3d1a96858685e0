//! What a connection of attachments decides. It is let in by an alarm's number, and speaks for the device of that alarm alone.

use super::Attachments;
use super::upload::{Desk, Step, Upload};
use crate::metrics;
use crate::tcp::{Actions, CloseReason, Door, Opening, Session};
use bytes::Bytes;
use model::blob::{Attachment, BlobId};
use model::envelope::{Channel, Envelope, Position, ProtocolKind};
use model::principal::DeviceAtEdge;
use model::seams::Committed;
use model::time::IngestTime;
use model::verdict::RefusalReason;
use protocol::jt808::{
    AlarmId, AttachmentEvent, AttachmentFramer, Decoded, FileAnswer, FileInfo, FilePart, Header, Message, Parts, Phone,
    Version, encode, gbk,
};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

const OK: u8 = 0;
const FAILED: u8 = 1;
/// Bytes of one connection that may wait for the disk; then it is not read.
const QUEUED_BYTES_MAX: usize = 256 << 10;
/// Rounds in which a file's parts are asked for again.
const ROUNDS_MAX: u8 = 16;
/// Parts of one 0x9212.
const PARTS_MAX: usize = 200;
/// A chunk has room for so much of a name.
const CHUNK_NAME_BYTES: usize = 50;
const NAME_CHARS_MAX: usize = 128;

#[derive(Debug)]
pub struct AttachmentSession {
    door: Door,
    framer: AttachmentFramer,
    shared: Arc<Attachments>,
    who: Option<Who>,
    files: Vec<Upload>,
    /// Files at the journal, in order.
    pending: VecDeque<Pending>,
    serial: u16,
}

/// Whose alarm it is.
#[derive(Debug, Clone)]
struct Who {
    device: Arc<DeviceAtEdge>,
    phone: Phone,
    version: Version,
    alarm: Vec<u8>,
}

#[derive(Debug)]
struct Pending {
    who: Who,
    name: Vec<u8>,
    kind: u8,
}

impl AttachmentSession {
    pub fn new(opening: Opening, shared: Arc<Attachments>) -> Self {
        Self {
            door: Door::new(opening, ProtocolKind::Jt808),
            framer: AttachmentFramer::new(),
            shared,
            who: None,
            files: Vec::new(),
            pending: VecDeque::new(),
            serial: 0,
        }
    }

    fn desk(&self, who: &Who) -> Desk {
        Desk { blobs: Arc::clone(&self.shared.blobs), wake: Arc::clone(&self.door.opening.wake), device: who.device.id }
    }

    fn refuse(&self, now: IngestTime, reason: &'static str, refusal: RefusalReason, detail: &str, raw: &Bytes) {
        ::metrics::counter!(metrics::ATTACHMENTS_REFUSED_TOTAL, "reason" => reason).increment(1);
        let device = self.who.as_ref().map(|who| who.device.id);
        self.door.refused(now, device, refusal, format!("attachments: {detail}"), raw);
    }

    fn on_frame(&mut self, raw: &Bytes, now: IngestTime, out: &mut Actions) {
        let Some(parts) = Parts::split(raw) else {
            return self.refuse(now, "malformed", RefusalReason::Malformed, "too short for a header", raw);
        };
        let header = parts.header;
        if !parts.check_ok() || !parts.length_ok() {
            let detail = format!("0x{:04X} with a wrong check or length", header.id);
            return self.refuse(now, "damaged", RefusalReason::CheckBad, &detail, raw);
        }
        let decoded = Decoded::read(&header, parts.body);
        match decoded.message {
            Message::Attachments(list) => {
                let files: Vec<_> = list.files.iter().map(|file| (file.name, file.size_bytes)).collect();
                let done = self.admit(&header, &list.alarm, list.alarm_number, &files, now);
                match done {
                    Ok(()) => out.established = true,
                    Err((reason, detail)) => {
                        self.refuse(now, reason, RefusalReason::NotAuthenticated, &detail, raw);
                    }
                }
                self.reply(&header, if is_of(self.who.as_ref(), &header) { OK } else { FAILED }, out);
            }
            Message::FileInfo(info) => {
                let known = self.begins(&header, &info);
                if !known {
                    let detail = format!("0x1211 of {}, which is not announced", shown(info.name));
                    self.refuse(now, "unannounced", RefusalReason::NotAuthenticated, &detail, raw);
                }
                self.reply(&header, if known { OK } else { FAILED }, out);
            }
            Message::FileDone(info) => self.ends(&header, &info, raw, now, out),
            Message::Heartbeat { .. } => {
                let result = if is_of(self.who.as_ref(), &header) { OK } else { FAILED };
                self.reply(&header, result, out);
            }
            _ => {
                let detail = format!("0x{:04X} does not belong here", header.id);
                self.refuse(now, "foreign", RefusalReason::NotAuthenticated, &detail, raw);
            }
        }
    }

    /// 0x1210: the number must be one that we gave for this phone's alarm, and the files within their bounds.
    fn admit(
        &mut self,
        header: &Header,
        alarm: &AlarmId<'_>,
        number: &[u8],
        files: &[(&[u8], u32)],
        now: IngestTime,
    ) -> Result<(), (&'static str, String)> {
        self.who = None;
        self.files.clear();
        let phone = header.phone.trimmed();
        let bytes = alarm.to_bytes();
        if !self.shared.numbers.is_ours(phone, &bytes, number, now) {
            return Err(("number", format!("phone {phone} has no number of ours for its alarm")));
        }
        let directory = self.door.opening.edge.directory.as_ref();
        let device = directory
            .device_by_identity(ProtocolKind::Jt808, header.phone.as_str())
            .or_else(|| directory.device_by_identity(ProtocolKind::Jt808, phone));
        let Some(device) = device.filter(|device| device.enabled) else {
            return Err(("device", format!("phone {phone} is unknown or switched off")));
        };
        let shared = &self.shared;
        let all: u64 = files.iter().map(|(_, size)| u64::from(*size)).sum();
        if files.len() > shared.files_max || all > shared.alarm_bytes_max {
            let most = shared.alarm_bytes_max;
            let detail = format!("{} files of {all} bytes, at most {} of {most}", files.len(), shared.files_max);
            return Err(("bounds", detail));
        }
        if let Some((name, size)) = files.iter().find(|(_, size)| *size > shared.file_bytes_max) {
            let detail = format!("{} has {size} bytes, at most {}", shown(name), shared.file_bytes_max);
            return Err(("bounds", detail));
        }
        self.files = files.iter().map(|(name, size)| Upload::new(name, *size)).collect();
        self.who = Some(Who { device, phone: header.phone, version: header.version, alarm: bytes });
        Ok(())
    }

    /// 0x1211; false when the file was not announced, or with another size. One that could not be written begins anew.
    fn begins(&mut self, header: &Header, info: &FileInfo<'_>) -> bool {
        if !is_of(self.who.as_ref(), header) {
            return false;
        }
        let found = self.files.iter_mut().find(|file| file.name == info.name && file.size == info.size_bytes);
        let Some(file) = found else { return false };
        if file.is_failed() {
            file.begin_anew();
        }
        file.kind = info.kind;
        true
    }

    /// 0x1212
    fn ends(&mut self, header: &Header, info: &FileInfo<'_>, raw: &Bytes, now: IngestTime, out: &mut Actions) {
        let who = self.who.clone().filter(|_| is_of(self.who.as_ref(), header));
        let found = self.files.iter_mut().find(|file| file.name == info.name);
        let (Some(who), Some(file)) = (who, found) else {
            let detail = format!("0x1212 of {}, which is not announced", shown(info.name));
            self.refuse(now, "unannounced", RefusalReason::NotAuthenticated, &detail, raw);
            return self.reply(header, FAILED, out);
        };
        file.kind = info.kind;
        if file.is_failed() {
            return self.reply(header, FAILED, out);
        }
        if file.is_done() {
            // Our answer was lost.
            let (name, kind) = (file.name.clone(), file.kind);
            return self.answer(&who, &name, kind, &[], out);
        }
        if file.is_closing() {
            return;
        }
        let desk = Desk {
            blobs: Arc::clone(&self.shared.blobs),
            wake: Arc::clone(&self.door.opening.wake),
            device: who.device.id,
        };
        let missing = file.end(PARTS_MAX, &desk);
        if missing.is_empty() {
            return;
        }
        file.rounds = file.rounds.saturating_add(1);
        let (name, kind, rounds) = (file.name.clone(), file.kind, file.rounds);
        if rounds > ROUNDS_MAX {
            let detail = format!("{} is not whole after {ROUNDS_MAX} rounds", shown(&name));
            self.refuse(now, "rounds", RefusalReason::Malformed, &detail, raw);
            out.close = Some(CloseReason::Peer);
            return;
        }
        ::metrics::counter!(metrics::ATTACHMENTS_ASKED_AGAIN_TOTAL).increment(1);
        self.answer(&who, &name, kind, &missing, out);
    }

    fn on_chunk(&mut self, name: &[u8], offset: u32, data: &Bytes, now: IngestTime) {
        let Some(who) = self.who.clone() else {
            let sample = data.slice(..data.len().min(64));
            let detail = format!("a piece of {} before an alarm was named", shown(name));
            return self.refuse(now, "unannounced", RefusalReason::NotAuthenticated, &detail, &sample);
        };
        let desk = self.desk(&who);
        let cut = |own: &[u8]| own.get(..CHUNK_NAME_BYTES).unwrap_or(own) == name;
        let taken = match self.files.iter_mut().find(|file| cut(&file.name)) {
            Some(file) => file.take(offset, data.clone(), &desk),
            None => Err("unannounced"),
        };
        if let Err(reason) = taken {
            let detail = format!("a piece of {} at {offset}: {reason}", shown(name));
            self.refuse(now, reason, RefusalReason::Malformed, &detail, &data.slice(..data.len().min(64)));
        }
    }

    /// Work that is done becomes an event in the journal.
    fn look(&mut self, now: IngestTime, out: &mut Actions) {
        let Some(who) = self.who.clone() else { return };
        let desk = self.desk(&who);
        let mut failed = Vec::new();
        for file in &mut self.files {
            match file.look(&desk) {
                Step::Nothing => {}
                Step::Failed(why) => failed.push(format!("{}: {why}", shown(&file.name))),
                Step::Stored(blob) => {
                    let (name, kind) = (file.name.clone(), file.kind);
                    let note = note(&who, file, blob);
                    let connection = self.door.opening.connection;
                    out.append.push(Envelope {
                        received: now,
                        principal: who.device.principal,
                        device: who.device.id,
                        channel: Channel::Jt808Attachment,
                        remarks: 0,
                        connection,
                        raw: note,
                    });
                    self.pending.push_back(Pending { who: who.clone(), name, kind });
                }
            }
        }
        for detail in failed {
            self.refuse(now, "store", RefusalReason::Oversize, &detail, &Bytes::new());
        }
    }

    fn queued_bytes(&self) -> usize {
        self.files.iter().map(Upload::queued_bytes).sum()
    }

    fn reply(&mut self, header: &Header, result: u8, out: &mut Actions) {
        let message = Message::PlatformReply { serial: header.serial, id: header.id, result };
        self.send(header.version, &header.phone, &message, out);
    }

    /// 0x9212: complete, or these parts again.
    fn answer(&mut self, who: &Who, name: &[u8], kind: u8, missing: &[(u64, u64)], out: &mut Actions) {
        let number = |long: u64| u32::try_from(long).unwrap_or(u32::MAX);
        let parts =
            missing.iter().map(|(offset, length)| FilePart { offset: number(*offset), length: number(*length) });
        let missing: Vec<_> = parts.collect();
        let result = u8::from(!missing.is_empty());
        self.send(who.version, &who.phone, &Message::FileAnswer(FileAnswer { name, kind, result, missing }), out);
    }

    fn send(&mut self, version: Version, phone: &Phone, message: &Message<'_>, out: &mut Actions) {
        out.send.extend(encode(version, phone, self.serial, message));
        self.serial = self.serial.wrapping_add(1);
    }

    fn check_device(&mut self, out: &mut Actions) {
        let Some(who) = &self.who else { return };
        if !self.door.opening.edge.directory.device(who.device.id).is_some_and(|device| device.enabled) {
            out.close = Some(CloseReason::Revoked);
        }
    }
}

/// Somebody was admitted, with the phone of this header.
fn is_of(who: Option<&Who>, header: &Header) -> bool {
    who.is_some_and(|who| who.phone.trimmed() == header.phone.trimmed())
}

/// What goes into the journal.
fn note(who: &Who, file: &Upload, blob: BlobId) -> Bytes {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing into a String cannot fail.
            write!(text, "{byte:02x}").ok();
            text
        })
    };
    let time = AlarmId::of_bytes(&who.alarm).map(|alarm| hex(&alarm.time_bcd)).unwrap_or_default();
    let note = Attachment {
        alarm: hex(&who.alarm),
        time,
        name: shown(&file.name),
        kind: file.kind,
        bytes: file.size.into(),
        blob,
        is_picture: file.is_picture,
    };
    serde_json::to_vec(&note).unwrap_or_default().into()
}

fn shown(name: &[u8]) -> String {
    gbk(name).chars().filter(|sign| !sign.is_control()).take(NAME_CHARS_MAX).collect()
}

impl Session for AttachmentSession {
    fn protocol(&self) -> ProtocolKind {
        ProtocolKind::Jt808
    }

    fn on_bytes(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
    }

    fn advance(&mut self, now: IngestTime, room: usize, out: &mut Actions) {
        self.look(now, out);
        while out.close.is_none() {
            if self.queued_bytes() >= QUEUED_BYTES_MAX || out.append.len() >= room {
                out.starved = true;
                return;
            }
            let Some(event) = self.framer.next_event() else { return };
            out.frames += 1;
            match event {
                AttachmentEvent::Frame { raw, garbage } => {
                    self.door.garbage(garbage);
                    self.on_frame(&raw, now, out);
                }
                AttachmentEvent::Chunk { name, offset, data, garbage } => {
                    self.door.garbage(garbage);
                    self.on_chunk(&name, offset, &data, now);
                }
                AttachmentEvent::Oversize => {
                    let detail = "a frame or piece longer than any";
                    self.refuse(now, "oversize", RefusalReason::Oversize, detail, &Bytes::new());
                }
            }
        }
    }

    fn on_durable(&mut self, committed: &Committed, _now: IngestTime, out: &mut Actions) {
        for offset in 0..u64::from(committed.count) {
            let Some(Pending { who, name, kind }) = self.pending.pop_front() else { return };
            if let Some(file) = self.files.iter_mut().find(|file| file.name == name) {
                file.done();
            }
            ::metrics::counter!(metrics::ATTACHMENTS_TOTAL).increment(1);
            let seq = committed.first.seq + offset;
            out.acknowledged.push((who.device.id, Position { partition: committed.first.partition, seq }));
            self.answer(&who, &name, kind, &[], out);
        }
    }

    fn on_change(&mut self, _now: IngestTime, out: &mut Actions) {
        self.check_device(out);
    }

    fn on_wake(&mut self, now: IngestTime, out: &mut Actions) {
        self.look(now, out);
    }

    fn waits(&self) -> bool {
        self.files.iter().any(Upload::is_busy)
    }

    fn on_close(&mut self, now: IngestTime) {
        self.door.leave_all(now);
    }

    fn is_partial(&self) -> bool {
        self.framer.buffered() > 0
    }
}
