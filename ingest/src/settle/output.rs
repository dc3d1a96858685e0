//! What settle made of some entries: items in journal order, and what goes into the ledgers.

use super::draft::{Draft, Fault, Origin};
use super::foreign::ForeignName;
use crate::loss::LossDelta;
use crate::quarantine::QuarantineEntry;
use bytes::Bytes;
use model::envelope::{Channel, Position};
use model::id::DeviceId;
use model::record::{RecordKey, RecordKind};
use model::stream::Item;
use model::time::{IngestTime, local_day};
use model::verdict::Verdict;

/// Collected over a batch of entries, then handed to the store, the judge and the hub.
#[derive(Debug, Default)]
pub struct Output {
    pub items: Vec<Item>,
    pub loss: LossDelta,
    pub quarantine: Vec<QuarantineEntry>,
    /// Quarantine entries that a re-derivation settled: `(position, frame, ordinal)` and by which entry.
    pub rederived: Vec<(QuarantineEntry, Position)>,
    /// Codes met for the first time.
    pub foreign: Vec<ForeignName>,
    pub frames: Vec<FrameOutcome>,
    /// What records of `items` refer to by hash, and who sent it: to be kept before anybody is told of them.
    pub blobs: Vec<(DeviceId, Bytes)>,
    pub counts: Counts,
}

/// How one frame ended; for wire traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameOutcome {
    pub device: DeviceId,
    pub position: Position,
    pub channel: Channel,
    pub received: IngestTime,
    /// The worst of its records' verdicts.
    pub verdict: Option<Verdict>,
}

/// Records by verdict, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub stored: u64,
    pub revised: u64,
    pub duplicate: u64,
    pub quarantined: u64,
}

impl Output {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.items.clear();
        self.loss.clear();
        self.quarantine.clear();
        self.rederived.clear();
        self.foreign.clear();
        self.frames.clear();
        self.blobs.clear();
        self.counts = Counts::default();
    }

    pub(super) fn quarantine(&mut self, origin: &Origin, ordinal: Option<u32>, fault: &Fault) {
        self.loss.quarantined(origin.device, origin.day(), fault.reason, 1);
        self.counts.quarantined += 1;
        self.quarantine.push(QuarantineEntry {
            position: origin.position,
            frame: origin.frame,
            ordinal,
            device: origin.device,
            channel: origin.channel,
            received: origin.received,
            reason: fault.reason,
            place: fault.place.chars().take(PLACE_CHARS_MAX).collect(),
            rederived: None,
        });
    }

    pub(super) fn record(&mut self, origin: &Origin, draft: &Draft<'_>, verdict: Verdict) {
        self.loss.record(origin.device, local_day(draft.key.at), verdict);
        match verdict {
            Verdict::Stored => self.counts.stored += 1,
            Verdict::Revised => self.counts.revised += 1,
            Verdict::Duplicate => self.counts.duplicate += 1,
            Verdict::Quarantined => self.counts.quarantined += 1,
        }
    }

    /// A record that is newer than all before it: how far is the device's clock off?
    pub(super) fn heard(&mut self, origin: &Origin, key: &RecordKey) {
        if origin.is_frame() && matches!(key.kind, RecordKind::Instant | RecordKind::Position) {
            self.loss.watch_at(origin.device, origin.day()).heard(origin.received, key.at);
        }
    }

    /// Its interval has data, whenever it came.
    pub(super) fn covered(&mut self, key: &RecordKey, interval_s: u32) {
        use RecordKind::{Instant, Minute, Position, State};
        if matches!(key.kind, Instant | Minute | Position | State) {
            self.loss.covered(key.device, key.at, interval_s);
        }
    }

    pub(super) fn outcome(&mut self, origin: &Origin, verdict: Option<Verdict>) {
        self.frames.push(FrameOutcome {
            device: origin.device,
            position: origin.frame,
            channel: origin.channel,
            received: origin.received,
            verdict,
        });
    }
}

const PLACE_CHARS_MAX: usize = 200;
