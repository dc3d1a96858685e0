//! The head: what is settled and not in SQL yet. Two generations at most: the active one, and the one being sealed.

use super::row::{Address, RowLog};
use crate::loss::LossDelta;
use crate::quarantine::QuarantineEntry;
use crate::settle::{Bucket, ForeignName, Output};
use ahash::AHashMap;
use model::envelope::Position;
use model::id::DeviceId;
use model::record::{RecordKind, SettledRecord};
use model::stream::Item;
use model::time::EventTime;
use std::sync::Arc;

/// Everything a stretch of the journal left behind.
#[derive(Debug, Default)]
pub(super) struct Generation {
    pub(super) rows: RowLog,
    pub(super) buckets: AHashMap<Bucket, Address>,
    pub(super) newest: AHashMap<(DeviceId, RecordKind), EventTime>,
    pub(super) loss: LossDelta,
    pub(super) quarantine: Vec<QuarantineEntry>,
    pub(super) rederived: Vec<(QuarantineEntry, Position)>,
    pub(super) foreign: Vec<ForeignName>,
    /// The last entry in it.
    pub(super) up_to: Position,
}

impl Generation {
    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.rows.bytes()
            + self.buckets.len() * BUCKET_BYTES
            + (self.quarantine.len() + self.rederived.len()) * ENTRY_BYTES
    }

    pub(super) fn append(&mut self, output: &Output, up_to: Position) {
        for item in &output.items {
            if let Item::Record(record) = item {
                let bucket = Bucket::of(&record.key);
                let previous = self.buckets.get(&bucket).copied();
                let address = self.rows.push(record, previous);
                self.buckets.insert(bucket, address);
                let newest = self.newest.entry((bucket.device, bucket.kind)).or_insert(record.key.at);
                *newest = (*newest).max(record.key.at);
            }
        }
        self.loss.merge(&output.loss);
        self.quarantine.extend_from_slice(&output.quarantine);
        self.rederived.extend_from_slice(&output.rederived);
        self.foreign.extend_from_slice(&output.foreign);
        self.up_to = self.up_to.max(up_to);
    }

    /// Records of one bucket, oldest position first.
    pub(super) fn of_bucket(&self, bucket: Bucket, partition: u16) -> Vec<SettledRecord> {
        let mut found = Vec::new();
        let mut next = self.buckets.get(&bucket).copied();
        while let Some(address) = next {
            let Some((record, previous)) = self.rows.get(address, partition) else { break };
            found.push(record);
            next = previous;
        }
        found.reverse();
        found
    }

    /// Buckets that `wanted` takes, in order.
    pub(super) fn buckets_where(&self, wanted: impl Fn(&Bucket) -> bool) -> Vec<Bucket> {
        let mut found: Vec<_> = self.buckets.keys().filter(|bucket| wanted(bucket)).copied().collect();
        found.sort_unstable();
        found
    }
}

/// The head behind its lock.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) active: Generation,
    pub(super) sealing: Option<Arc<Sealing>>,
    /// Cursor S.
    pub(super) sealed: Position,
}

/// A generation on its way to SQL.
#[derive(Debug)]
pub(super) struct Sealing {
    pub(super) generation: Generation,
    pub(super) carry: Vec<u8>,
}

impl Head {
    pub(super) fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.sealing.iter().map(|sealing| &sealing.generation).chain([&self.active])
    }
}

const BUCKET_BYTES: usize = 96;
const ENTRY_BYTES: usize = 200;
