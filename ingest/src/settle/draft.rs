//! What the decode stage makes and the later stages refine.

use super::profile::FactorRule;
use super::{RAW_AT, REMARKS_MAX, remark};
use bytes::Bytes;
use model::envelope::{Channel, Envelope, Position};
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, Happening, RecordKey, Remark, Statistic};
use model::time::{EventTime, IngestTime, local_day};
use model::verdict::QuarantineReason;

/// Remarks of a record whose frame had a wrong check, or a wrong length.
pub const DOUBTS: [&str; 2] = ["check_bad_accepted", "length_bad_accepted"];

/// Where a record comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The entry that settles it.
    pub position: Position,
    /// Where its (last) raw frame is.
    pub frame: Position,
    /// All raw frames, when they are not just the one at `position`.
    pub frames: Vec<Position>,
    pub device: DeviceId,
    pub channel: Channel,
    pub received: IngestTime,
    /// Bits of [`model::envelope::edge_remark`].
    pub edge_remarks: u8,
    pub how: How,
}

/// By which way a record came to be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Frame,
    /// A split message that was given up: these of so many packets came.
    Incomplete {
        came: u32,
        of: u32,
    },
    Merged,
    Rederived,
}

impl Origin {
    pub fn of(position: Position, envelope: &Envelope) -> Self {
        Self {
            position,
            frame: position,
            frames: Vec::new(),
            device: envelope.device,
            channel: envelope.channel,
            received: envelope.received,
            edge_remarks: envelope.remarks,
            how: How::Frame,
        }
    }

    /// The local day of receipt: where frames and quarantined records count.
    pub fn day(&self) -> i64 {
        local_day(EventTime(self.received.0))
    }

    /// One frame as it came: neither merged of packets nor settled again.
    pub fn is_frame(&self) -> bool {
        self.how == How::Frame
    }

    /// The check or length of a frame was wrong.
    pub fn is_doubtful(&self) -> bool {
        use model::envelope::edge_remark::{CHECK_BAD, LENGTH_BAD};
        self.edge_remarks & (CHECK_BAD | LENGTH_BAD) != 0
    }

    /// A frame whose check or length was wrong is kept and shown, but nothing in it counts toward a verdict: no penalty on
    /// doubt.
    pub fn doubt(&self, body: &mut Body) {
        if !self.is_doubtful() {
            return;
        }
        for value in body.values.iter_mut().filter(|value| value.flag == Flag::Normal) {
            value.flag = Flag::Unknown;
        }
        if let Some(fix) = &mut body.fix {
            fix.fixed = false;
        }
    }

    /// Adds what the way of the record says about it.
    pub fn remark(&self, remarks: &mut Vec<Remark>) {
        use model::envelope::edge_remark::{AFTER_GARBAGE, CHECK_BAD, LENGTH_BAD};
        if self.edge_remarks == 0 && self.how == How::Frame {
            return;
        }
        let [check, length] = DOUBTS;
        for (bit, code) in [(CHECK_BAD, check), (LENGTH_BAD, length), (AFTER_GARBAGE, "after_garbage")] {
            if self.edge_remarks & bit != 0 {
                remarks.push(remark(code, ""));
            }
        }
        match self.how {
            How::Frame => return,
            How::Merged => {}
            How::Incomplete { came, of } => remarks.push(remark("incomplete", &format!("{came} of {of} packets"))),
            How::Rederived => remarks.push(remark("rederived", "")),
        }
        let places: Vec<_> = self.frames.iter().map(|frame| frame.seq.to_string()).collect();
        remarks.push(remark(RAW_AT, &places.join(",")));
    }
}

/// Why a record or frame is quarantined, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub reason: QuarantineReason,
    pub place: String,
}

impl Fault {
    pub fn new(reason: QuarantineReason, place: impl Into<String>) -> Self {
        Self { reason, place: place.into() }
    }
    pub fn not_understood(place: impl Into<String>) -> Self {
        Self::new(QuarantineReason::NotUnderstood, place)
    }
    pub fn no_time(place: impl Into<String>) -> Self {
        Self::new(QuarantineReason::NoTime, place)
    }
    pub fn incomplete(place: impl Into<String>) -> Self {
        Self::new(QuarantineReason::Incomplete, place)
    }
}

/// A number as it was on the wire, with what the profile says about it.
#[derive(Debug, Clone, Copy)]
pub struct DraftValue<'p> {
    pub quantity: Quantity,
    pub statistic: Statistic,
    pub flag: Flag,
    /// Finite.
    pub wire: f64,
    /// `None`: it is in the canonical unit already, or foreign and kept as sent.
    pub rule: Option<&'p FactorRule>,
}

/// A record before its verdict.
#[derive(Debug, Clone)]
pub struct Draft<'p> {
    pub key: RecordKey,
    /// Quarantined for this already. Without an event time the key's time is that of receipt.
    pub fault: Option<Fault>,
    pub values: Vec<DraftValue<'p>>,
    pub fix: Option<Fix>,
    pub happening: Option<Box<Happening>>,
    /// A picture or other file that it refers to by its hash.
    pub blob: Option<Bytes>,
    pub remarks: Vec<Remark>,
}

impl Draft<'_> {
    pub fn new(key: RecordKey) -> Self {
        Self { key, fault: None, values: Vec::new(), fix: None, happening: None, blob: None, remarks: Vec::new() }
    }

    pub fn remark(&mut self, code: &str, place: &str) {
        if self.remarks.len() < REMARKS_MAX {
            self.remarks.push(remark(code, place));
        }
    }
}

/// What the decode stage found in a frame.
#[derive(Debug)]
pub enum Decoded<'p> {
    Drafts(Vec<Draft<'p>>),
    /// A heartbeat or the like.
    Nothing,
    /// A packet of a split message.
    Packet(Packet),
    Unreadable(Fault),
}

/// A packet's place in its split message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// What the packets of one message have in common besides the device: command and data time.
    pub key: String,
    /// Packets in all, ≥ 2.
    pub of: u32,
    /// From 1.
    pub number: u32,
}
