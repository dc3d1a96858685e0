//! One group: the log of what its rules read, in event-time order, and its seats.
//!
//! `benches` are copies of the judges at places of the log: one at its front, and one wherever event time passed into
//! another eighth of the horizon. An observation that comes last is one step of the judges. Any other one goes into its
//! place and makes the group *stale*: with the next tick (or after [`STALE_MAX`] of them) the judges walk again from the
//! last bench before it, and what they find is compared with what was told. So a burst of late data costs one walk.
//!
//! The front moves to the next bench when that lies before the horizon; what was found before it is final. An observation
//! from before the horizon is counted and not judged.

use super::Counters;
use super::geo::Atlas;
use super::judge::{Fact, GroupKey, Observation, Output, Place, Reads, Scene};
use super::machine::Stretch;
use super::outages::Outages;
use super::seat::{Bench, Seat};
use super::timeline::Timeline;
use super::track::{Moment, Owner};
use ahash::AHashMap;
use model::envelope::ProtocolKind;
use model::episode::EpisodeChange;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use std::collections::VecDeque;
use std::sync::Arc;

/// A device on a subject that speaks in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) device: DeviceId,
    pub(super) subject: SubjectId,
    pub(super) protocol: ProtocolKind,
    /// Bit n: the rule of seat n has it in its scope.
    pub(super) scope: u128,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seen: Observation,
    /// Bit n: seat n reads it.
    pub(super) read_by: u128,
}

/// The judges of all seats at a place of the log.
#[derive(Debug)]
pub(super) struct Mark {
    /// Before the first entry of this event time or later.
    pub(super) from: i64,
    pub(super) benches: Vec<Bench>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    pub(super) seats: Vec<Seat>,
    pub(super) members: Vec<Member>,
    /// Their places, for groups of many.
    places: AHashMap<(DeviceId, SubjectId), usize>,
    pub(super) log: VecDeque<Entry>,
    /// Never empty once there are seats; the first is at the log's front.
    pub(super) marks: VecDeque<Mark>,
    /// What lies before is not judged.
    pub(super) cut: i64,
    /// Event time of the earliest entry that the judges have not seen in its place.
    pub(super) stale: Option<i64>,
    pub(super) stale_count: u32,
    pub(super) reads: Reads,
    /// Entries since the last mark.
    since_mark: usize,
    horizon_ms: i64,
    observations_max: usize,
    pub(super) dirty: bool,
    pub(super) due: i64,
    /// Of entries that left, to be used again.
    spare: Vec<Vec<model::record::Value>>,
}

/// What a group looks at besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) timelines: &'a [Timeline],
    pub(super) outages: &'a Outages,
    pub(super) facts: &'a Facts,
    pub(super) atlas: &'a Atlas,
    pub(super) now: i64,
}

/// Where what it finds goes.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) moment: Moment,
    pub(super) next_id: &'a mut i64,
    pub(super) scratch: &'a mut Vec<Stretch>,
    pub(super) found: &'a mut Output,
    pub(super) out: &'a mut Vec<EpisodeChange>,
    /// Facts for groups of the second stage; false: taken back.
    pub(super) facts: &'a mut VecDeque<(bool, Arc<Fact>)>,
    pub(super) counters: &'a mut Counters,
}

macro_rules! scene {
    ($self:ident, $around:ident, $timeline:expr) => {
        Scene {
            facts: $around.facts,
            atlas: $around.atlas,
            outages: $around.outages,
            timeline: $timeline,
            group: &$self.key,
            now: $around.now,
            newest: $self.log.back().map_or(i64::MIN, |entry| entry.seen.at),
        }
    };
}

impl Group {
    pub(super) fn new(key: GroupKey) -> Self {
        Self {
            key,
            seats: Vec::new(),
            members: Vec::new(),
            places: AHashMap::new(),
            log: VecDeque::new(),
            marks: VecDeque::from([Mark { from: i64::MIN, benches: Vec::new() }]),
            cut: i64::MIN,
            stale: None,
            stale_count: 0,
            reads: Reads::default(),
            since_mark: 0,
            horizon_ms: 0,
            observations_max: 0,
            dirty: false,
            due: 0,
            spare: Vec::new(),
        }
    }

    /// Takes an observation in. `revised` ones may have nothing left that is read.
    pub(super) fn take(&mut self, seen: Observation, revised: bool, around: &Around<'_>, told: &mut Told<'_>) {
        if seen.at < self.cut {
            told.counters.beyond_horizon += 1;
            self.spare(seen);
            return;
        }
        let read_by = self.read_by(&seen);
        if read_by == 0 && !revised {
            self.spare(seen);
            return;
        }
        self.dirty = true;
        if self.log.len() >= self.observations_max.saturating_mul(2) {
            told.counters.memory_bound += 1;
            return;
        }
        let place = seen.place();
        if self.log.back().is_none_or(|last| last.seen.place() < place) {
            if read_by != 0 {
                self.log.push_back(Entry { seen, read_by });
                if self.stale.is_none() {
                    self.step_last(around, told);
                } else {
                    self.stale_count += 1;
                }
            }
        } else {
            let at = seen.at;
            let index = self.log.partition_point(|entry| entry.seen.place() < place);
            match self.log.get_mut(index).filter(|entry| entry.seen.place() == place) {
                Some(_) if read_by == 0 => drop(self.log.remove(index)),
                Some(entry) => *entry = Entry { seen, read_by },
                None if read_by == 0 => return,
                None => self.log.insert(index, Entry { seen, read_by }),
            }
            self.late(at);
        }
        if self.stale_count >= STALE_MAX {
            self.settle(around, told);
        }
        if self.stale.is_none() {
            self.freeze(around, told);
        }
    }

    /// Takes an observation back, see [`Fact`].
    pub(super) fn take_back(&mut self, place: Place) {
        let index = self.log.partition_point(|entry| entry.seen.place() < place);
        if self.log.get(index).is_some_and(|entry| entry.seen.place() == place) {
            self.log.remove(index);
            self.dirty = true;
            self.late(place.0);
        }
    }

    fn late(&mut self, at: i64) {
        self.stale = Some(self.stale.map_or(at, |earlier| earlier.min(at)));
        self.stale_count += 1;
        self.due = 0;
    }

    /// Which seats read it.
    fn read_by(&self, seen: &Observation) -> u128 {
        let scope = if let Some(fact) = &seen.fact {
            let bit = 1u32 << fact.what as u8;
            return self.mask(|seat| seat.reads.facts & bit != 0);
        } else {
            self.scope_of(seen.device, seen.subject)
        };
        let quantities = seen.values.iter().fold(0, |bits, value| bits | Reads::bit(value.quantity));
        let (fix, happening) = (seen.fix.is_some(), seen.happening.is_some());
        let reads = |seat: &Seat| {
            seat.reads.quantities & quantities != 0 || (seat.reads.fixes && fix) || (seat.reads.happenings && happening)
        };
        scope & self.mask(reads)
    }

    fn scope_of(&self, device: DeviceId, subject: SubjectId) -> u128 {
        self.place_of(device, subject).and_then(|place| self.members.get(place)).map_or(0, |member| member.scope)
    }

    pub(super) fn place_of(&self, device: DeviceId, subject: SubjectId) -> Option<usize> {
        if self.members.len() > FEW_MEMBERS {
            return self.places.get(&(device, subject)).copied();
        }
        self.members.iter().position(|member| (member.device, member.subject) == (device, subject))
    }

    pub(super) fn join(&mut self, member: Member) {
        self.places.insert((member.device, member.subject), self.members.len());
        self.members.push(member);
    }

    fn mask(&self, holds: impl Fn(&Seat) -> bool) -> u128 {
        let bits = self.seats.iter().enumerate().take(SEATS_MAX);
        bits.fold(0, |mask, (place, seat)| if holds(seat) { mask | 1 << place } else { mask })
    }

    /// The judges as they are before an entry, if event time passed into another eighth of the horizon with it, or if they
    /// have seen many since.
    fn mark(&mut self, index: usize) {
        let Some(at) = self.log.get(index).map(|entry| entry.seen.at) else { return };
        let Some(before) = index.checked_sub(1).and_then(|before| self.log.get(before)).map(|entry| entry.seen.at)
        else {
            return;
        };
        self.since_mark += 1;
        let bucket = (self.horizon_ms / 8).max(60_000);
        let parts = at.div_euclid(bucket) != before.div_euclid(bucket) || self.since_mark > self.observations_max / 4;
        if before == at || !parts {
            return;
        }
        self.since_mark = 0;
        let bench = |seat: &Seat| seat.head.marked(seat.done.len(), seat.facts.len());
        self.marks.push_back(Mark { from: at, benches: self.seats.iter().map(bench).collect() });
    }

    /// The last entry is new: one step of the judges that read it.
    fn step_last(&mut self, around: &Around<'_>, told: &mut Told<'_>) {
        let Some(last) = self.log.len().checked_sub(1) else { return };
        self.mark(last);
        let Some(entry) = self.log.back() else { return };
        for place in bits(entry.read_by) {
            let Some(seat) = self.seats.get_mut(place) else { continue };
            let Some(timeline) = around.timelines.get(seat.rule) else { continue };
            let scene = scene!(self, around, timeline);
            let changed = seat.step(&entry.seen, &scene, told.found);
            for fact in told.found.facts.drain(..) {
                told.facts.push_back((true, Arc::clone(&fact)));
                seat.facts.push(fact);
            }
            if changed {
                tell(&self.members, seat, &scene, told);
            }
            seat.due = if seat.soft || changed { 0 } else { seat.due.min(seat.head.due(&scene)) };
            self.due = self.due.min(seat.due);
        }
    }

    /// The judges walk again from before the earliest stale entry; what changed is told.
    pub(super) fn settle(&mut self, around: &Around<'_>, told: &mut Told<'_>) {
        let Some(stale) = self.stale else { return };
        let keep = self.marks.partition_point(|mark| mark.from <= stale).max(1);
        self.marks.truncate(keep);
        let before = self.walk(around, told.found);
        self.stale = None;
        self.stale_count = 0;
        for (seat, before) in self.seats.iter_mut().zip(before) {
            let now = seat.facts.get(seat.facts.len().min(before.kept)..).unwrap_or_default();
            let gone = before.facts.iter().filter(|fact| !now.contains(fact)).map(|fact| (false, Arc::clone(fact)));
            let new = now.iter().filter(|fact| !before.facts.contains(fact)).map(|fact| (true, Arc::clone(fact)));
            told.facts.extend(gone.chain(new));
            let Some(timeline) = around.timelines.get(seat.rule) else { continue };
            let scene = scene!(self, around, timeline);
            seat.walked(&scene);
            tell(&self.members, seat, &scene, told);
        }
        self.dirty = true;
        self.due = 0;
        self.freeze(around, told);
    }

    /// From the last mark to the end of the log. Returns the facts that were found before.
    pub(super) fn walk(&mut self, around: &Around<'_>, found: &mut Output) -> Vec<Before> {
        let Some(mark) = self.marks.back() else { return Vec::new() };
        let first = self.log.partition_point(|entry| entry.seen.at < mark.from);
        let mut before = Vec::with_capacity(self.seats.len());
        for (seat, bench) in self.seats.iter_mut().zip(&mark.benches) {
            seat.head = bench.clone();
            seat.done.truncate(bench.done);
            let kept = bench.facts.min(seat.facts.len());
            before.push(Before { kept, facts: seat.facts.split_off(kept) });
        }
        self.since_mark = 0;
        for index in first..self.log.len() {
            if index > first {
                self.mark(index);
            }
            let Some(entry) = self.log.get(index) else { break };
            for place in bits(entry.read_by) {
                let Some(seat) = self.seats.get_mut(place) else { continue };
                let Some(timeline) = around.timelines.get(seat.rule) else { continue };
                seat.step(&entry.seen, &scene!(self, around, timeline), found);
                seat.facts.append(&mut found.facts);
            }
        }
        before
    }

    /// Makes final what lies before the horizon or beyond the memory bound.
    fn freeze(&mut self, around: &Around<'_>, told: &mut Told<'_>) {
        let Some(newest) = self.log.back().map(|entry| entry.seen.at) else { return };
        self.cut = self.cut.max(newest.saturating_sub(self.horizon_ms));
        while self.marks.get(1).is_some_and(|next| next.from <= self.cut) {
            self.drop_front();
        }
        while self.log.len() > self.observations_max && self.marks.len() > 1 {
            let before = self.log.len();
            self.drop_front();
            self.cut = self.cut.max(self.marks.front().map_or(self.cut, |mark| mark.from));
            told.counters.memory_bound += (before - self.log.len()) as u64;
        }
        let is_many = |seat: &Seat| around.timelines.get(seat.rule).is_some_and(|rule| rule.versions().len() > 1);
        for place in 0..self.seats.len() {
            let Some(seat) = self.seats.get_mut(place).filter(|seat| is_many(seat)) else { continue };
            seat.head.prune(self.cut);
            let benches = self.marks.iter_mut().filter_map(|mark| mark.benches.get_mut(place));
            benches.for_each(|bench| bench.prune(self.cut));
        }
    }

    /// The front moves to the next mark.
    fn drop_front(&mut self) {
        self.marks.pop_front();
        let Some(front) = self.marks.front_mut() else { return };
        let from = front.from;
        let counts: Vec<(usize, usize)> = front.benches.iter().map(|bench| (bench.done, bench.facts)).collect();
        for (seat, (done, facts)) in self.seats.iter_mut().zip(&counts) {
            if *done > 0 {
                (seat.due, self.due) = (0, 0);
            }
            seat.finish(*done, *facts);
        }
        for mark in &mut self.marks {
            for (bench, (done, facts)) in mark.benches.iter_mut().zip(&counts) {
                bench.done -= (*done).min(bench.done);
                bench.facts -= (*facts).min(bench.facts);
            }
        }
        while let Some(entry) = self.log.pop_front_if(|entry| entry.seen.at < from) {
            self.spare(entry.seen);
        }
    }

    fn spare(&mut self, seen: Observation) {
        if self.spare.len() < SPARE_MAX && seen.values.capacity() > 0 {
            self.spare.push(seen.values);
        }
    }

    /// An empty list of values.
    pub(super) fn values(&mut self) -> Vec<model::record::Value> {
        let mut values = self.spare.pop().unwrap_or_default();
        values.clear();
        values
    }

    pub(super) const fn is_due(&self, now: i64) -> bool {
        self.stale.is_some() || now >= self.due
    }

    /// Time passed.
    pub(super) fn tick(&mut self, around: &Around<'_>, told: &mut Told<'_>) {
        self.settle(around, told);
        self.due = i64::MAX;
        for seat in &mut self.seats {
            if !seat.soft && around.now < seat.due {
                self.due = self.due.min(seat.due);
                continue;
            }
            let Some(timeline) = around.timelines.get(seat.rule) else { continue };
            let scene = scene!(self, around, timeline);
            let (changes, finals) = (told.out.len(), seat.finals.len());
            tell(&self.members, seat, &scene, told);
            let owner = owner(&self.members, &scene);
            let frontier = seat.head.frontier(&scene);
            let track = seat.track.tick(told.scratch, frontier, &owner, &told.moment, told.out);
            let again = seat.forget_finals(timeline, around.now);
            seat.soft = false;
            seat.due = track.again.min(again).min(seat.head.due(&scene));
            self.due = self.due.min(seat.due);
            self.dirty |= track.changed || told.out.len() != changes || seat.finals.len() != finals;
        }
    }

    /// The registers or the rules changed: whose scope its members are in, what is read, what judges judge by. `again`: also
    /// when no plan changed.
    pub(super) fn plan(&mut self, again: bool, around: &Around<'_>, told: &mut Told<'_>) {
        self.measure(around);
        let mut changed = again;
        let since = self.log.front().map_or(i64::MIN, |entry| entry.seen.at).max(self.cut);
        if let Some(front) = self.marks.front_mut() {
            for (seat, bench) in self.seats.iter().zip(&mut front.benches) {
                let Some(timeline) = around.timelines.get(seat.rule) else { continue };
                changed |= bench.plan(&scene!(self, around, timeline), since);
            }
        }
        changed |= self.address_again();
        if changed {
            self.stale = Some(i64::MIN);
            self.settle(around, told);
        }
    }

    /// A seat for a rule; the place of the one it has.
    pub(super) fn seat(&mut self, rule: usize, around: &Around<'_>) -> Option<usize> {
        if let Some(place) = self.seats.iter().position(|seat| seat.rule == rule) {
            return Some(place);
        }
        let timeline = around.timelines.get(rule).filter(|_| self.seats.len() < SEATS_MAX)?;
        let bench = Bench::new(&scene!(self, around, timeline), self.cut);
        let mut seat = Seat::new(rule);
        seat.head = bench.clone();
        self.seats.push(seat);
        self.marks.truncate(1);
        if let Some(front) = self.marks.front_mut() {
            front.benches.push(bench);
        }
        self.measure(around);
        if !self.log.is_empty() {
            self.late(i64::MIN);
        }
        Some(self.seats.len() - 1)
    }

    /// After it was read from its row.
    pub(super) fn read_again(&mut self, around: &Around<'_>) {
        self.measure(around);
        self.address_again();
    }

    /// Which seats read the entries. True: others than before.
    fn address_again(&mut self) -> bool {
        let mut changed = false;
        for index in 0..self.log.len() {
            let Some(read_by) = self.log.get(index).map(|entry| self.read_by(&entry.seen)) else { continue };
            if let Some(entry) = self.log.get_mut(index) {
                changed |= entry.read_by != read_by;
                entry.read_by = read_by;
            }
        }
        changed
    }

    /// What its seats need.
    fn measure(&mut self, around: &Around<'_>) {
        (self.reads, self.horizon_ms, self.observations_max) = (Reads::default(), 0, 0);
        for seat in &mut self.seats {
            let Some(timeline) = around.timelines.get(seat.rule) else { continue };
            seat.read_again(timeline);
            let rule = &timeline.newest().rule;
            self.reads = self.reads.and(&seat.reads);
            self.horizon_ms = self.horizon_ms.max(rule.horizon_ms);
            self.observations_max = self.observations_max.max(rule.observations_max);
        }
    }

    /// Nothing in it can still matter.
    pub(super) fn is_idle(&self, now: i64) -> bool {
        let newest = self.log.back().map_or(i64::MIN, |entry| entry.seen.received.max(entry.seen.at));
        self.stale.is_none()
            && now.saturating_sub(newest) > self.horizon_ms.saturating_mul(2)
            && self.seats.iter().all(|seat| seat.track.is_empty() && seat.finals.is_empty())
    }
}

/// Facts that were found before a walk, and how many before them were not walked over.
#[derive(Debug)]
pub(super) struct Before {
    kept: usize,
    facts: Vec<Arc<Fact>>,
}

/// Compares what stands with what was told.
fn tell(members: &[Member], seat: &mut Seat, scene: &Scene<'_>, told: &mut Told<'_>) {
    seat.is_absent = seat.derive(scene, told.scratch);
    if told.scratch.is_empty() && seat.track.is_empty() {
        return;
    }
    seat.track.diff(told.scratch, &owner(members, scene), &told.moment, told.next_id, told.out);
    seat.soft = true;
}

/// Whose its episodes are when a stretch does not say.
pub(super) fn owner<'a>(members: &[Member], scene: &Scene<'a>) -> Owner<'a> {
    let first = members.first().map_or((SubjectId(0), DeviceId(0)), |member| (member.subject, member.device));
    let subject = match scene.group {
        GroupKey::Subject(subject) | GroupKey::Gate(subject) | GroupKey::Site(subject) => *subject,
        GroupKey::Device(_) | GroupKey::Plate(_) | GroupKey::District => first.0,
    };
    let device = if let GroupKey::Device(device) = scene.group { *device } else { first.1 };
    Owner { timeline: scene.timeline, subject, device }
}

/// The places of the ones, lowest first.
fn bits(mut mask: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = mask.trailing_zeros();
        mask &= mask.checked_sub(1)?;
        Some(place as usize)
    })
}

/// Bits of a mask.
pub(super) const SEATS_MAX: usize = 128;
/// After so many late observations a group does not wait for the tick.
const STALE_MAX: u32 = 1_024;
/// So many are searched one by one.
const FEW_MEMBERS: usize = 4;
/// Lists kept to be used again.
const SPARE_MAX: usize = 64;
