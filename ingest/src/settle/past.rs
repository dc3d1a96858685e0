//! What settle asks of what was stored before, and what it starts from.

use super::draft::DOUBTS;
use super::foreign::ForeignName;
use super::hash;
use crate::quarantine::QuarantineEntry;
use ahash::AHashMap;
use model::envelope::{Envelope, Position};
use model::id::DeviceId;
use model::record::{RecordKey, RecordKind, SettledRecord};
use model::time::EventTime;
use std::sync::Arc;

/// One hour of one kind of one device: the unit of chunks and of key sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    pub device: DeviceId,
    pub kind: RecordKind,
    /// Hours since 1970 of the event time, UTC.
    pub hour: i64,
}

impl Bucket {
    pub const HOUR_MS: i64 = 3_600_000;

    pub const fn of(key: &RecordKey) -> Self {
        Self { device: key.device, kind: key.kind, hour: key.at.0.div_euclid(Self::HOUR_MS) }
    }
}

/// Key (within its bucket) and content of a stored version of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash {
    pub at: EventTime,
    pub slot: u32,
    /// [`super::hash::content`].
    pub content: u64,
    /// Its frame had a wrong check or length.
    pub doubtful: bool,
}

impl KeyHash {
    /// The key of a stored record.
    pub fn of(record: &SettledRecord) -> Self {
        let doubtful = record.remarks.iter().any(|remark| DOUBTS.contains(&remark.code.as_str()));
        let RecordKey { at, slot, .. } = record.key;
        Self { at, slot, content: hash::content(&record.body), doubtful }
    }
}

/// The past could not be read; the run stops and starts again from its cursor.
#[derive(Debug, Clone, thiserror::Error)]
#[error("read what was stored before: {0}")]
pub struct PastError(pub Arc<str>);

/// What the journal's earlier entries have stored.
pub trait Past {
    /// All versions of all records in a bucket that were handed over.
    fn keys(&mut self, bucket: Bucket, found: &mut dyn FnMut(KeyHash)) -> Result<(), PastError>;
    /// Standing quarantine entries of a device whose frames lie at `from ..= to`, by frame and ordinal.
    fn quarantined(&mut self, device: DeviceId, from: u64, to: u64) -> Result<Vec<QuarantineEntry>, PastError>;
    /// A frame of the journal; `None` when it is no longer kept.
    fn frame(&mut self, at: Position) -> Result<Option<Envelope>, PastError>;
}

/// Settle's state as of a cursor, as the chunk store gives it back.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The newest event time stored of each device and kind.
    pub newest: AHashMap<(DeviceId, RecordKind), EventTime>,
    pub foreign: Vec<ForeignName>,
    /// What [`super::Settle::carry`] gave.
    pub carry: Vec<u8>,
}
