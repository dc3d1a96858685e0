//! The seam between the engine and the kinds of rules that are judged over a group's log.
//!
//! A **group** is everything that rules with one [`Key`] look at together: a device, a subject, a gate, a number plate, a
//! site, the district. It keeps one log of [`Observation`]s in the order ([`Observation::place`]) of their event time. A
//! [`Judge`] is one version of one rule in one group; it sees the observations of the log that its rule [reads](Reads), in
//! that order and no other. Data that comes late or is revised goes into its place and the judges walk again from a
//! snapshot, so a judge never has to think of order, duplicates or restarts: **what it tells must be a function of the
//! observations it has seen, the [`Scene`], and nothing else**.
//!
//! To add a kind of rule: a struct with the rule's parameters that is a [`Design`](crate::definition::design::Design), a struct with
//! the state that is a [`Judge`], and a line in [`KINDS`](crate::definition::design::KINDS).
//!
//! | the group calls | when |
//! |---|---|
//! | `plan` | after it was made or read, and when the registers changed; then it walks again |
//! | `step` | for each observation in event-time order, once for each walk |
//! | `standing` | after steps, and on ticks from `due` on: what lasts, told eagerly |
//! | `halt` | the rule was switched off: what lasts ends where its readings end |
//! | `carry`, `adopt` | a later version takes over what lasts |
//! | `write`, `read` | state to bytes and back; what `plan` makes is not written |
//! | `why` | each operand with its value at the last step |
//!
//! Stretches that have ended go to [`Output::stretches`] in `step`; those that last are given by `standing` alone. Of one
//! rule and group, stretches of one `lane` must not overlap. A stretch may name another subject or device than the group's.

use super::codec::{Reader, Writer};
use super::geo::Atlas;
use super::machine::{Machine, Stretch};
use super::outages::Outages;
use super::timeline::Timeline;
use crate::explain::{JudgedState, NotJudged, Operand};
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Fix, Happening, RecordKind, Statistic, Value};
use std::sync::Arc;

/// By what the observations of a rule are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    Device,
    Subject,
    /// Devices installed at a gate.
    Gate,
    /// The site's own devices and those of its gates.
    Site,
    /// Events that name the plate, and everything of the truck that has it.
    Plate,
    /// Everything. For rules that read little: it is one log.
    District,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GroupKey {
    Device(DeviceId),
    Subject(SubjectId),
    Gate(SubjectId),
    Site(SubjectId),
    /// As [`plate`] writes it.
    Plate(Arc<str>),
    District,
}

/// What a kind of rule looks at. What no rule of a group reads is not kept in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    /// Bit n: the built-in quantity n.
    pub(crate) quantities: u128,
    /// Bit n: the statistic of number n.
    pub(crate) statistics: u8,
    /// By protocol number − 1. Bit n: records of the kind of number n.
    pub(crate) kinds: [u8; 4],
    pub(crate) fixes: bool,
    pub(crate) happenings: bool,
    /// Bit n: facts of the kind of number n.
    pub(crate) facts: u32,
    /// It looks at our outages in `step`: a new one makes it walk again.
    pub(crate) outages: bool,
}

/// One record, or one fact of the first stage, as far as the rules of the group read it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    /// Event time.
    pub(crate) at: i64,
    pub(crate) device: DeviceId,
    pub(crate) source: Source,
    /// The record's slot.
    pub(crate) slot: u32,
    /// Its place in the journal.
    pub(crate) seq: u64,
    /// Journal time.
    pub(crate) received: i64,
    /// Whom the device was installed at.
    pub(crate) subject: SubjectId,
    pub(crate) protocol: ProtocolKind,
    /// By (quantity, statistic).
    pub(crate) values: Vec<Value>,
    pub(crate) fix: Option<Fix>,
    pub(crate) happening: Option<Arc<Happening>>,
    /// Of an observation whose source is [`Source::Fact`].
    pub(crate) fact: Option<Arc<Fact>>,
}

/// Event time, device, [`Source::number`] and slot.
pub(crate) type Place = (i64, i64, u8, u32);

/// What an observation comes from. The order is that of observations of one device and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Record(RecordKind),
    /// From the first stage.
    Fact,
}

/// Something that a judge of the first stage found and that is evidence for the second: asserted by
/// [`Output::facts`] in `step`, taken back by the engine when a later walk does not find it again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) what: FactKind,
    /// The group of the second stage that learns of it.
    pub(crate) to: GroupKey,
    /// Its event time; it takes its place in the other group's log by it.
    pub(crate) at: i64,
    /// When it ended; `at` for a moment.
    pub(crate) until: i64,
    pub(crate) device: DeviceId,
    pub(crate) subject: SubjectId,
    /// Zone, gate, site or permit; 0: none.
    pub(crate) other: i64,
    /// What the kind says: seconds, a hash, metres.
    pub(crate) number: i64,
    pub(crate) plate: Option<Arc<str>>,
    pub(crate) place: Option<Wgs84>,
    /// The journal entry that shows it best.
    pub(crate) seq: u64,
}

impl Fact {
    /// As it stands in the log of the group that learns of it.
    pub(crate) fn observation(self: &Arc<Self>, received: i64) -> Observation {
        Observation {
            at: self.at,
            device: self.device,
            source: Source::Fact,
            slot: self.slot(),
            seq: self.seq,
            received,
            subject: self.subject,
            protocol: ProtocolKind::Mqtt,
            values: Vec::new(),
            fix: None,
            happening: None,
            fact: Some(Arc::clone(self)),
        }
    }

    /// Tells facts of one device and moment apart (FNV-1a).
    fn slot(&self) -> u32 {
        let mut hash = 0x811c_9dc5u32;
        let mut add = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        add(self.what as u8);
        for number in [self.until, self.subject.0, self.other, self.number] {
            number.to_le_bytes().into_iter().for_each(&mut add);
        }
        self.plate.iter().flat_map(|plate| plate.bytes()).for_each(add);
        hash
    }
}

/// The numbers are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(crate) enum FactKind {
    PassedGate = 1,
    Washed = 2,
    EnteredZone = 3,
    LeftZone = 4,
    Stopped = 5,
    Loaded = 6,
    Unloaded = 7,
    /// A part of a trip.
    Segment = 8,
    /// `number` is a hash of what a device sent in a span.
    Digest = 9,
}

/// What a judge may look at besides what it has seen.
#[allow(dead_code, reason = "for kinds that come next")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The registers as of the item.
    pub(crate) facts: &'a Facts,
    /// Zones, routes and plates, made of `facts` once for all.
    pub(crate) atlas: &'a Atlas,
    /// Our own outages.
    pub(crate) outages: &'a Outages,
    /// All versions of the rule.
    pub(crate) timeline: &'a Timeline,
    pub(crate) group: &'a GroupKey,
    /// Journal time of the last item.
    pub(crate) now: i64,
    /// Event time of the newest observation of the group; `i64::MIN`: none.
    pub(crate) newest: i64,
}

/// What a step found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Output {
    /// Stretches that have ended, in the order of their start.
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) facts: Vec<Arc<Fact>>,
}

/// One version of a rule in one group; see the module.
pub(crate) trait Judge: std::fmt::Debug + Send + Sync {
    /// Takes what it needs from the registers: limits, permits, zones. Keep it behind an `Arc`; judges are cloned often.
    /// False: nothing that it judges by is other than before, so the group need not walk again.
    fn plan(&mut self, scene: &Scene<'_>) -> bool;

    /// The next observation in event-time order. Must not look at `scene.now`.
    fn step(&mut self, seen: &Observation, scene: &Scene<'_>, out: &mut Output);

    /// Stretches that last. May look at `scene.now` for how long nothing came; changes nothing.
    fn standing(&self, scene: &Scene<'_>, into: &mut Vec<Stretch>);

    /// How many stretches last, whatever the time. Asked after each step, so it should be cheap.
    fn lasts(&self, scene: &Scene<'_>) -> usize {
        let mut all = Vec::new();
        self.standing(scene, &mut all);
        all.len()
    }

    /// The journal time from which on `standing` may give something else though nothing came.
    fn due(&self, _scene: &Scene<'_>) -> i64 {
        i64::MAX
    }

    /// The event time up to which what lasts is known to have lasted.
    fn frontier(&self, scene: &Scene<'_>) -> i64 {
        scene.newest
    }

    /// The rule was switched off.
    fn halt(&mut self, out: &mut Output);

    /// What lasts, by lane, for the next version.
    fn carry(&mut self) -> Vec<(u64, Machine)> {
        Vec::new()
    }

    /// What lasted under the version before; replaces what it has of its own.
    fn adopt(&mut self, _carried: Vec<(u64, Machine)>) {}

    /// The operands as of the last step.
    fn why(&self, scene: &Scene<'_>, into: &mut Vec<Operand>);

    /// The same in short, with the event time it is of.
    fn state(&self, _scene: &Scene<'_>) -> (Option<i64>, JudgedState) {
        (None, JudgedState::NotJudged { reason: NotJudged::NoData })
    }

    fn clone_box(&self) -> Box<dyn Judge>;

    fn write(&self, w: &mut Writer);

    /// Into a judge that was just made. `None`: damaged.
    fn read(&mut self, r: &mut Reader<'_>) -> Option<()>;
}

impl Clone for Box<dyn Judge> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}

impl Observation {
    /// Its place in a log. No two of one log are alike: a record that comes again with other content is a revision.
    pub(crate) const fn place(&self) -> Place {
        (self.at, self.device.0, self.source.number(), self.slot)
    }

    #[allow(dead_code, reason = "for kinds that come next")]
    /// The value of a quantity: that statistic, or else a reading of an instant.
    pub(crate) fn value(&self, quantity: Quantity, statistic: Statistic) -> Option<&Value> {
        let mut other = None;
        for value in self.values.iter().filter(|value| value.quantity == quantity) {
            if value.statistic == statistic {
                return Some(value);
            }
            if value.statistic == Statistic::Instant {
                other = Some(value);
            }
        }
        other
    }
}

impl Source {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Record(kind) => kind as u8,
            Self::Fact => 64,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        if number == 64 { Some(Self::Fact) } else { RecordKind::from_u8(number).map(Self::Record) }
    }
}

impl FactKind {
    pub(crate) const ALL: [Self; 9] = [
        Self::PassedGate,
        Self::Washed,
        Self::EnteredZone,
        Self::LeftZone,
        Self::Stopped,
        Self::Loaded,
        Self::Unloaded,
        Self::Segment,
        Self::Digest,
    ];

    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

#[allow(dead_code, reason = "for kinds that come next")]
impl Reads {
    pub(crate) fn quantity(mut self, quantity: Quantity) -> Self {
        self.quantities |= Self::bit(quantity);
        self
    }

    pub(crate) const fn statistic(mut self, statistic: Statistic) -> Self {
        self.statistics |= 1 << statistic as u8;
        self
    }

    /// Records of that kind from every device.
    pub(crate) fn kind(mut self, kind: RecordKind) -> Self {
        self.kinds.iter_mut().for_each(|kinds| *kinds |= 1 << kind as u8);
        self
    }

    /// Records of that kind from devices of one protocol.
    pub(crate) fn kind_of(mut self, protocol: ProtocolKind, kind: RecordKind) -> Self {
        if let Some(kinds) = self.kinds.get_mut(protocol as usize - 1) {
            *kinds |= 1 << kind as u8;
        }
        self
    }

    pub(crate) fn wants(&self, protocol: ProtocolKind, kind: RecordKind) -> bool {
        self.kinds.get(protocol as usize - 1).is_some_and(|kinds| kinds & (1 << kind as u8) != 0)
    }

    pub(crate) const fn fact(mut self, kind: FactKind) -> Self {
        self.facts |= 1 << kind as u8;
        self
    }

    /// No bit for quantities that only a device knows.
    pub(crate) fn bit(quantity: Quantity) -> u128 {
        1u128.checked_shl(u32::from(quantity.0)).unwrap_or(0)
    }

    pub(crate) fn and(self, other: &Self) -> Self {
        let mut kinds = self.kinds;
        for (mine, others) in kinds.iter_mut().zip(other.kinds) {
            *mine |= others;
        }
        Self {
            quantities: self.quantities | other.quantities,
            statistics: self.statistics | other.statistics,
            kinds,
            fixes: self.fixes | other.fixes,
            happenings: self.happenings | other.happenings,
            facts: self.facts | other.facts,
            outages: self.outages | other.outages,
        }
    }
}

/// A number plate as groups know it: no spaces, points or hyphens, Latin letters large.
pub(crate) fn plate(text: &str) -> Arc<str> {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '·' | '.' | '-' | '•'));
    kept.map(|c| c.to_ascii_uppercase()).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plate_is_the_same_however_it_is_written() {
        assert_eq!(plate("豫a·12345"), plate(" 豫A 12345 "));
        assert_ne!(plate("豫A12345"), plate("豫A12346"));
    }

    #[test]
    fn facts_come_after_the_records_of_their_moment() {
        for kind in RecordKind::ALL {
            assert!(Source::Record(kind).number() < Source::Fact.number());
            assert_eq!(Source::from_number(kind as u8), Some(Source::Record(kind)));
        }
        assert_eq!(Source::from_number(Source::Fact.number()), Some(Source::Fact));
        assert!(FactKind::ALL.iter().all(|kind| FactKind::from_u8(*kind as u8) == Some(*kind)));
    }
}
