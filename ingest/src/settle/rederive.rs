//! Settling quarantined frames anew, with today's profile: a named run that stands in the journal itself, so a replay does the same at the
//! same place.
//!
//! The entry (kind 6) names a device and a range of frames. For each frame in it that has standing quarantine entries: the entries'
//! records are taken back from the ledger, the frame is decoded again, and the records they were for are settled as if they came now (but with the
//! frame's own time of receipt). So the ledger balances throughout. A record that fails again gets a new entry, with today's reason.

use super::draft::{Decoded, How, Origin};
use super::{Output, Past, PastError, Settle, decode};
use crate::journal::entry::Entry;
use crate::quarantine::QuarantineEntry;
use bytes::Bytes;
use model::envelope::Position;
use model::id::DeviceId;
use model::time::{EventTime, local_day};
use model::verdict::QuarantineReason;
use serde::{Deserialize, Serialize};

/// Number of the entry's kind in the journal.
pub const REDERIVE_KIND: u8 = 6;

/// Body of the entry, JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rederive {
    pub device: DeviceId,
    /// First and last frame, by sequence number.
    pub from: u64,
    pub to: u64,
    /// Who asked for it.
    pub author: String,
}

impl Rederive {
    /// The journal entry that makes it happen.
    pub fn entry(&self) -> Entry {
        let body = serde_json::to_vec(self).unwrap_or_default();
        Entry::Unknown { kind: REDERIVE_KIND, body: Bytes::from(body) }
    }
}

impl Settle {
    pub(super) fn rederive(
        &mut self,
        position: Position,
        body: &[u8],
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        let Ok(run) = serde_json::from_slice::<Rederive>(body) else {
            tracing::warn!(%position, "a re-derivation in the journal cannot be read");
            return Ok(());
        };
        let mut standing = past.quarantined(run.device, run.from, run.to)?;
        // What this very batch quarantined is not with the store yet.
        let range = run.from..=run.to;
        let here = |entry: &&QuarantineEntry| entry.device == run.device && range.contains(&entry.frame.seq);
        standing.extend(out.quarantine.iter().filter(here).cloned());
        let gone = |entry: &QuarantineEntry| {
            out.rederived
                .iter()
                .any(|(old, _)| (old.position, old.frame, old.ordinal) == (entry.position, entry.frame, entry.ordinal))
        };
        // No profile makes a damaged frame sound.
        standing.retain(|entry| entry.reason != QuarantineReason::Doubtful && !gone(entry));
        standing.sort_by_key(|entry| (entry.frame, entry.ordinal));
        standing.truncate(ENTRIES_MAX);
        for frame in standing.chunk_by(|a, b| a.frame == b.frame) {
            self.rederive_frame(position, frame, out, past)?;
        }
        Ok(())
    }

    fn rederive_frame(
        &mut self,
        position: Position,
        entries: &[QuarantineEntry],
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        let Some(frame) = entries.first().map(|entry| entry.frame) else { return Ok(()) };
        let Some(envelope) = past.frame(frame)? else { return Ok(()) };
        let profile = self.profiles.of(&self.facts, envelope.device);
        let decoded = decode::decode_packet(&envelope, &self.facts, profile.as_deref(), &mut self.foreign);
        // A frame that still says nothing keeps its entries as they are.
        if matches!(decoded, Decoded::Nothing | Decoded::Packet(_)) {
            return Ok(());
        }
        let whole = entries.iter().any(|entry| entry.ordinal.is_none());
        let only: Vec<u32> = entries.iter().filter_map(|entry| entry.ordinal).collect();
        if let Decoded::Drafts(drafts) = &decoded
            && !whole
            && only.iter().any(|ordinal| usize::try_from(*ordinal).is_ok_and(|at| at >= drafts.len()))
        {
            return Ok(());
        }
        if matches!(decoded, Decoded::Unreadable(_)) && !whole {
            return Ok(());
        }
        for entry in entries {
            let day = local_day(EventTime(entry.received.0));
            out.loss.quarantined(entry.device, day, entry.reason, -1);
            out.rederived.push((entry.clone(), position));
        }
        let origin =
            Origin { position, frame, frames: vec![frame], how: How::Rederived, ..Origin::of(frame, &envelope) };
        self.settle_all(&origin, decoded, (!whole).then_some(only.as_slice()), out, past)
    }
}

/// Entries one run works on; a larger range needs another run.
const ENTRIES_MAX: usize = 10_000;
