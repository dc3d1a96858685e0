//! Settle: the one place that decodes. Journal entries in, settled records out, each with exactly one verdict.
//!
//! Pure and deterministic: nothing but the entries, the [`Facts`] they fold to, and the [`Past`] (what the same entries stored before)
//! decides. So a replay of a journal gives the same items, the same ledger, the same quarantine.
//!
//! The stages, in order (each is a file):
//!
//! | # | stage | what it does | ends a record as |
//! |---|---|---|---|
//! | 1 | [`decode`] | raw bytes → drafts, by the device's profile ([`map`] has one file per protocol) | `not_understood`, `no_profile`, `no_time` |
//! | 2 | [`merge`] | packets of one split message become one draft | `incomplete` |
//! | 3 | [`installation`] | where the device was mounted at event time | – |
//! | 4 | [`clock`] | event time against time of receipt | `far_future`, `far_past` |
//! | 5 | [`units`] | wire number → canonical unit | `unit_mismatch`, `no_usable_value` |
//! | 6 | [`range`] | impossible values get a flag and a remark | – |
//! | 7 | [`duplicate`] | same key: same content or a revision? | duplicate, `doubtful` |
//! | 8 | verdict | item, ledger, quarantine list | stored, revised |
//! | 9 | [`alarms`], [`washes`] | alarm bits that a stored position raises, and washes that a polled pump tells, become events of their own | – |
//!
//! **Raw bytes.** A record carries the position of the entry that settled it. Where that is not the frame's own (a split message, a re-derivation) a
//! remark [`RAW_AT`] names the frames' positions.

pub mod alarms;
pub mod births;
pub mod clock;
pub mod config;
pub mod decode;
pub mod draft;
pub mod duplicate;
mod finished;
pub mod foreign;
pub mod hash;
pub mod installation;
pub mod map;
pub mod merge;
pub mod output;
pub mod past;
pub mod profile;
pub mod range;
mod rederive;
pub mod train;
pub mod units;
pub mod washes;

pub use config::SettleConfig;
pub use foreign::ForeignName;
pub use output::{FrameOutcome, Output};
pub use past::{Bucket, KeyHash, Past, PastError, Restored};
pub use rederive::{REDERIVE_KIND, Rederive};

use crate::journal::entry::Entry;
use alarms::Alarms;
use births::Births;
use draft::{Decoded, Draft, Fault, Origin, Packet};
use duplicate::{Contents, Dedupe};
use foreign::Foreign;
use merge::{Merge, Merged};
use model::envelope::{Channel, Envelope, Position};
use model::facts::Facts;
use model::record::{Remark, SettledRecord};
use model::stream::Item;
use model::time::IngestTime;
use model::verdict::{QuarantineReason, Verdict};
use profile::Profiles;
use washes::Washes;

/// Remark of a record whose raw frames are at other positions than its own.
pub const RAW_AT: &str = "raw_at";

/// The core. One per partition.
#[derive(Debug)]
pub struct Settle {
    config: SettleConfig,
    facts: Facts,
    profiles: Profiles,
    foreign: Foreign,
    merge: Merge,
    dedupe: Dedupe,
    alarms: Alarms,
    births: Births,
    washes: Washes,
}

impl Settle {
    /// `facts` and `restored` are those as of the cursor that reading starts after.
    pub fn new(config: SettleConfig, facts: Facts, restored: Restored) -> Self {
        let (births, carry) = Births::restore(&restored.carry);
        let (alarms, carry) = Alarms::restore(carry);
        let (washes, carry) = Washes::restore(carry);
        Self {
            config,
            profiles: Profiles::default(),
            foreign: Foreign::new(config.foreign_max, config.foreign_per_device_max, restored.foreign),
            merge: Merge::restore(config, carry),
            alarms,
            births,
            washes,
            dedupe: Dedupe::new(config.dedupe_bytes_max, restored.newest),
            facts,
        }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Code of a quantity: built-in, or a device's own word.
    pub fn quantity_code(&self, quantity: model::quantity::Quantity) -> Option<String> {
        self.foreign.code(quantity)
    }

    /// Foreign names given since the last call; they belong to the output of the entries since.
    pub fn take_new_foreign(&mut self) -> &[ForeignName] {
        self.foreign.take_new()
    }

    /// What must be saved with the cursor besides the records: packets of split messages that wait for the others, the alarms and washes that
    /// last, and what Sparkplug births said.
    pub fn carry(&self) -> Vec<u8> {
        let mut carry = self.births.save();
        carry.extend(self.alarms.save());
        carry.extend(self.washes.save());
        carry.extend(self.merge.save());
        carry
    }

    /// To be called after [`Output`]'s records were handed to the store, so that [`Past::keys`] knows them.
    pub fn handed_over(&mut self) {
        self.dedupe.handed_over();
    }

    /// Takes the next entry. On an error nothing may be kept: the past could not be read, so the run must stop.
    pub fn on_entry(
        &mut self,
        position: Position,
        entry: &Entry,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        match entry {
            Entry::Frame(envelope) => {
                self.expire(position, envelope.received, out, past)?;
                self.frame(position, envelope, out, past)?;
            }
            Entry::Tick(tick) => {
                self.expire(position, tick.at, out, past)?;
                out.items.push(Item::Tick { tick: tick.clone(), position });
            }
            Entry::Revision(revision) => {
                if self.facts.apply(revision) {
                    self.profiles.revised(&revision.object);
                }
                out.items.push(Item::Revision { revision: revision.clone(), position });
            }
            Entry::Outage(outage) => {
                out.loss.our_outage(outage.from, outage.to);
                out.items.push(Item::Outage { outage: outage.clone(), position });
            }
            Entry::Unknown { kind: REDERIVE_KIND, body } => self.rederive(position, body, out, past)?,
            Entry::Fact(_) | Entry::Unknown { .. } => {}
        }
        Ok(())
    }

    /// Stages 1 and 2.
    fn frame(
        &mut self,
        position: Position,
        envelope: &Envelope,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        let origin = Origin::of(position, envelope);
        out.loss.frame(origin.device, origin.day());
        let profile = self.profiles.of(&self.facts, envelope.device);
        let decoded = if envelope.channel == Channel::MqttSparkplug {
            let frame = (position, envelope);
            decode::decode_sparkplug(frame, profile.as_deref(), &mut self.foreign, &mut self.births)
        } else {
            decode::decode(envelope, &self.facts, profile.as_deref(), &mut self.foreign)
        };
        let decoded = match decoded {
            Decoded::Packet(packet) => match self.packet(position, envelope, &packet, out, past)? {
                Merged::Waiting => Decoded::Nothing,
                Merged::Complete(split) => return self.split(&origin, &split, out, past),
                Merged::Impossible => {
                    let place = format!("packet {} of {}", packet.number, packet.of);
                    Decoded::Unreadable(Fault::not_understood(place))
                }
                Merged::Refused => Decoded::Unreadable(Fault::incomplete("too many split messages wait")),
                Merged::Instead(frame, other) => {
                    let displaced = Origin { frame, ..Origin::of(position, &other) };
                    let place = format!("packet {} came again, otherwise", packet.number);
                    let fault = Fault::new(QuarantineReason::Doubtful, place);
                    self.settle_all(&displaced, Decoded::Unreadable(fault), None, out, past)?;
                    Decoded::Nothing
                }
                Merged::Beside => {
                    let place = format!("packet {} came before, otherwise", packet.number);
                    Decoded::Unreadable(Fault::new(QuarantineReason::Doubtful, place))
                }
            },
            other => other,
        };
        self.settle_all(&origin, decoded, None, out, past)
    }

    /// Stage 2; what must go to make room is settled first.
    fn packet(
        &mut self,
        position: Position,
        envelope: &Envelope,
        packet: &Packet,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<Merged, PastError> {
        while let Some(split) = self.merge.crowded(envelope, packet) {
            let origin = split.expired_origin(position);
            self.split(&origin, &split, out, past)?;
        }
        Ok(self.merge.put(position, envelope, packet))
    }

    /// Stages 3 to 8 for each draft of a frame; `only` restricts a re-derivation to the records it is for.
    fn settle_all(
        &mut self,
        origin: &Origin,
        decoded: Decoded<'_>,
        only: Option<&[u32]>,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        let mut worst = None;
        let mut stored = false;
        let profile = self.profiles.of(&self.facts, origin.device);
        let interval_s = profile.map_or(UNKNOWN_INTERVAL_S, |profile| profile.source.expected_interval_s);
        match decoded {
            Decoded::Drafts(drafts) => {
                for (ordinal, draft) in (0u32..).zip(drafts) {
                    if only.is_some_and(|only| !only.contains(&ordinal)) {
                        continue;
                    }
                    let verdict = self.settle_one(origin, ordinal, draft, interval_s, out, past)?;
                    stored |= matches!(verdict, Verdict::Stored | Verdict::Revised);
                    worst = worst.max(Some(verdict));
                }
            }
            Decoded::Unreadable(fault) => {
                out.quarantine(origin, None, &fault);
                worst = Some(Verdict::Quarantined);
            }
            Decoded::Nothing | Decoded::Packet(_) => out.loss.frame_without_record(origin.device, origin.day()),
        }
        out.outcome(origin, worst);
        if !stored {
            out.items.push(Item::Contact {
                device: origin.device,
                received: origin.received,
                position: origin.position,
                verdict: worst,
            });
        }
        Ok(())
    }

    fn settle_one(
        &mut self,
        origin: &Origin,
        ordinal: u32,
        mut draft: Draft<'_>,
        interval_s: u32,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<Verdict, PastError> {
        // A clock that is far off is looked at before its records are quarantined for it.
        // Years off tell of no clock but of a wrong field.
        let off_ms = draft.key.at.0.saturating_sub(origin.received.0).saturating_abs();
        if draft.fault.is_none() && off_ms <= self.config.past_ms_max && self.dedupe.is_newest(&draft.key) {
            out.heard(origin, &draft.key);
        }
        let subject = installation::resolve(&self.facts, &draft);
        let judged = clock::check(&self.config, origin, &mut draft)
            .and_then(|()| units::convert(&mut draft))
            .map(|body| range::check(&draft.values, body, &mut draft.remarks));
        let mut body = match judged {
            Ok(body) => body,
            Err(fault) => {
                out.quarantine(origin, Some(ordinal), &fault);
                return Ok(Verdict::Quarantined);
            }
        };
        let sound = hash::content(&body);
        origin.doubt(&mut body);
        let contents = Contents { content: hash::content(&body), sound, doubtful: origin.is_doubtful() };
        let verdict = self.dedupe.judge(draft.key, contents, past)?;
        if verdict == Verdict::Quarantined {
            let fault = Fault::new(QuarantineReason::Doubtful, "a sound frame said otherwise");
            out.quarantine(origin, Some(ordinal), &fault);
            return Ok(verdict);
        }
        out.record(origin, &draft, verdict);
        out.covered(&draft.key, interval_s);
        let begun = match verdict {
            Verdict::Stored => {
                let mut begun = self.alarms.rising(origin, &draft.key, &body);
                begun.extend(self.washes.told(origin, &draft.key, &body));
                begun
            }
            _ => Vec::new(),
        };
        if verdict != Verdict::Duplicate {
            out.blobs.extend(draft.blob.take().map(|blob| (origin.device, blob)));
            origin.remark(&mut draft.remarks);
            let (key, remarks) = (draft.key, draft.remarks);
            let (received, position) = (origin.received, origin.position);
            let record = SettledRecord { key, subject, received, position, verdict, body, remarks };
            out.items.push(Item::Record(Box::new(record)));
        }
        // Of a sound record's time, so none of them is quarantined.
        for event in begun {
            self.settle_one(origin, ordinal, event, interval_s, out, past)?;
        }
        Ok(verdict)
    }

    /// A split message whose packets are all there, or whose time is over.
    fn split(
        &mut self,
        origin: &Origin,
        split: &merge::Split,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        let profile = self.profiles.of(&self.facts, split.device());
        let origin = split.origin(origin);
        let decoded = split.decode(&self.facts, profile.as_deref(), &mut self.foreign);
        self.settle_all(&origin, decoded, None, out, past)
    }

    fn expire(
        &mut self,
        position: Position,
        now: IngestTime,
        out: &mut Output,
        past: &mut dyn Past,
    ) -> Result<(), PastError> {
        while let Some(split) = self.merge.expired(now) {
            let origin = split.expired_origin(position);
            self.split(&origin, &split, out, past)?;
        }
        Ok(())
    }
}

/// Expected of a device without a profile, as of a profile that does not say.
const UNKNOWN_INTERVAL_S: u32 = 60;

/// A remark, cut to sizes that a page can show.
pub(crate) fn remark(code: &str, place: &str) -> Remark {
    Remark { code: code.to_owned(), place: place.chars().take(PLACE_CHARS_MAX).collect() }
}

/// Remarks of one record at most.
pub(crate) const REMARKS_MAX: usize = 16;
const PLACE_CHARS_MAX: usize = 120;

#[cfg(test)]
pub(crate) mod tests;
