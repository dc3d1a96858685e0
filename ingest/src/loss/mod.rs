//! The loss ledger: per device and local day (Beijing) what came in and how it ended.
//!
//! **Records** count on the day of their event time; a quarantined record counts on the day it was received, since its own
//! time may be what is wrong with it. **Frames** count apart, on the day they were received. A frame that cannot be read counts as one
//! quarantined record. A split message counts as one record when it is settled, and each of its packets as a frame when it comes.
//!
//! Always: `records = stored + revised + duplicate + quarantined`, checked by [`LossCounts::balances`]. Counters are committed in one
//! transaction with the chunks and settle's cursor, so they say the same after any restart.
//!
//! Beside them stand, per device and day, the minutes that have data and the offsets of the device's clock: see [`watch`].

mod ledger;
pub mod watch;

pub use ledger::{Imbalance, LossDay, LossLedger, WatchDay};
pub use watch::{ClockOffset, Gaps, Watch};

/// In the place of a device: we ourselves, whose watch has the minutes in which we could receive nothing.
pub const OURS: DeviceId = DeviceId(-1);

use model::id::DeviceId;
use model::verdict::{QuarantineReason, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;

/// Number of quarantine reasons, see [`reason_index`].
pub const REASONS: [QuarantineReason; 10] = [
    QuarantineReason::NotUnderstood,
    QuarantineReason::NoTime,
    QuarantineReason::FarFuture,
    QuarantineReason::FarPast,
    QuarantineReason::NoUsableValue,
    QuarantineReason::NoProfile,
    QuarantineReason::UnitMismatch,
    QuarantineReason::ForeignDevice,
    QuarantineReason::Incomplete,
    QuarantineReason::Doubtful,
];

/// Place of a reason in [`REASONS`] and in [`LossCounts::quarantined`]; the numbers are on disk.
pub const fn reason_index(reason: QuarantineReason) -> usize {
    match reason {
        QuarantineReason::NotUnderstood => 0,
        QuarantineReason::NoTime => 1,
        QuarantineReason::FarFuture => 2,
        QuarantineReason::FarPast => 3,
        QuarantineReason::NoUsableValue => 4,
        QuarantineReason::NoProfile => 5,
        QuarantineReason::UnitMismatch => 6,
        QuarantineReason::ForeignDevice => 7,
        QuarantineReason::Incomplete => 8,
        QuarantineReason::Doubtful => 9,
    }
}

/// Counters of one device and day, or a sum of such. Signed, since a re-derivation takes back what it counts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct LossCounts {
    pub frames: i64,
    /// Frames that carry no record: heartbeats, packets of a message whose other parts are awaited.
    pub frames_without_record: i64,
    pub records: i64,
    pub stored: i64,
    pub revised: i64,
    pub duplicate: i64,
    /// By [`reason_index`].
    pub quarantined: [i64; REASONS.len()],
}

impl LossCounts {
    pub fn quarantined_total(&self) -> i64 {
        self.quarantined.iter().sum()
    }

    /// Each received record ended in exactly one verdict.
    pub fn balances(&self) -> bool {
        self.records == self.stored + self.revised + self.duplicate + self.quarantined_total()
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.frames_without_record += other.frames_without_record;
        self.records += other.records;
        self.stored += other.stored;
        self.revised += other.revised;
        self.duplicate += other.duplicate;
        for (mine, theirs) in self.quarantined.iter_mut().zip(other.quarantined) {
            *mine += theirs;
        }
    }
}

/// What a stretch of the journal adds to the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LossDelta {
    days: BTreeMap<(DeviceId, i64), LossCounts>,
    watches: BTreeMap<(DeviceId, i64), Watch>,
}

impl LossDelta {
    pub fn frame(&mut self, device: DeviceId, day: i64) {
        self.at(device, day).frames += 1;
    }

    pub fn frame_without_record(&mut self, device: DeviceId, day: i64) {
        self.at(device, day).frames_without_record += 1;
    }

    /// A record that was not quarantined. `verdict` must not be [`Verdict::Quarantined`].
    pub fn record(&mut self, device: DeviceId, day: i64, verdict: Verdict) {
        let counts = self.at(device, day);
        match verdict {
            Verdict::Stored => counts.stored += 1,
            Verdict::Revised => counts.revised += 1,
            Verdict::Duplicate => counts.duplicate += 1,
            Verdict::Quarantined => return,
        }
        counts.records += 1;
    }

    /// `count` is −1 when a re-derivation takes a quarantined record back.
    pub fn quarantined(&mut self, device: DeviceId, day: i64, reason: QuarantineReason, count: i64) {
        let counts = self.at(device, day);
        counts.records += count;
        if let Some(slot) = counts.quarantined.get_mut(reason_index(reason)) {
            *slot += count;
        }
    }

    fn at(&mut self, device: DeviceId, day: i64) -> &mut LossCounts {
        self.days.entry((device, day)).or_default()
    }

    pub(crate) fn watch_at(&mut self, device: DeviceId, day: i64) -> &mut Watch {
        self.watches.entry((device, day)).or_default()
    }

    /// What was seen of gaps and clocks.
    pub fn watches(&self) -> impl Iterator<Item = (DeviceId, i64, &Watch)> {
        self.watches.iter().map(|((device, day), watch)| (*device, *day, watch))
    }

    /// The later stretch `other` behind this one.
    pub fn merge(&mut self, other: &Self) {
        for (key, counts) in &other.days {
            self.days.entry(*key).or_default().add(counts);
        }
        for (key, watch) in &other.watches {
            self.watches.entry(*key).or_default().merge(watch);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, i64, &LossCounts)> {
        self.days.iter().map(|((device, day), counts)| (*device, *day, counts))
    }

    pub fn is_empty(&self) -> bool {
        self.days.is_empty() && self.watches.is_empty()
    }

    pub fn clear(&mut self) {
        self.days.clear();
        self.watches.clear();
    }
}
