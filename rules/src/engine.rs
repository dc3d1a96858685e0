//! The engine: items in journal order in, episode changes out. It owns the keys (rule, subject, device), routes each record
//! to those it concerns and lets time pass by ticks. What a rule means is in the modules below; what is told, and under
//! which id, in `track.rs`. Time and facts are arguments; maps that are walked are ordered, so every run is the same.

pub(crate) mod codec;
mod corridor;
mod exceedance;
#[expect(dead_code, reason = "the judges of trucks and gates, which call it, are the next step")]
pub(crate) mod geo;
mod group;
mod group_state;
mod groups;
pub(crate) mod judge;
mod key;
mod limits;
pub(crate) mod machine;
pub(crate) mod outages;
mod presence;
mod revise;
mod route;
mod seat;
mod state;
pub(crate) mod timeline;
mod track;
mod why;

use crate::definition::{CompiledRule, Scope};
use crate::explain::Explanation;
use ahash::AHashMap;
use groups::{Groups, Parts};
use key::{Key, World};
use machine::Stretch;
use model::envelope::{Position, ProtocolKind};
use model::episode::{Episode, EpisodeChange};
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::SettledRecord;
use model::stream::{Item, Outage, Tick};
use model::time::IngestTime;
use model::verdict::Verdict;
use outages::Outages;
use std::sync::Arc;
use timeline::Timeline;
use track::Moment;

pub use judge::Key as GroupBy;
pub use state::{StateError, StateRow};

/// What was not judged, since the state began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Observations later than the horizon.
    pub beyond_horizon: u64,
    /// Observations that are no longer revisable because the memory bound was reached.
    pub memory_bound: u64,
    /// Revisions of values that were kept only as part of a sum.
    pub revision_not_judged: u64,
    /// Records of devices that were installed nowhere at their event time.
    pub not_installed: u64,
    /// Rule versions that did not compile or changed the kind, and were left out.
    pub rules_refused: u64,
    /// Facts between the stages that were dropped because one item brought about too many.
    pub facts_bound: u64,
}

#[derive(Debug)]
pub struct Engine {
    partition: u16,
    next_id: i64,
    last_tick: i64,
    outages: Outages,
    /// Follows from the facts.
    atlas: geo::Atlas,
    timelines: Vec<Timeline>,
    counters: Counters,
    keys: Vec<Key>,
    devices: AHashMap<DeviceId, DeviceKeys>,
    /// Keys by (subject, device, rule); sorted when it is walked.
    order: Vec<usize>,
    is_sorted: bool,
    scratch: Vec<Stretch>,
    groups: Groups,
}

/// The parts that the groups use, of an engine whose groups are used at the same time.
macro_rules! parts {
    ($engine:ident, $moment:expr, $facts:ident, $out:ident) => {
        Parts {
            timelines: &$engine.timelines,
            outages: &$engine.outages,
            facts: $facts,
            atlas: &$engine.atlas,
            moment: $moment,
            next_id: &mut $engine.next_id,
            scratch: &mut $engine.scratch,
            out: $out,
            counters: &mut $engine.counters,
        }
    };
}
pub(crate) use parts;

#[derive(Debug, Default)]
struct DeviceKeys {
    /// Subjects whose keys are complete.
    prepared: Vec<SubjectId>,
    keys: Vec<usize>,
}

impl Engine {
    /// The rules of `facts`, no history.
    pub fn new(facts: &Facts) -> Self {
        let mut engine = Self {
            partition: 0,
            next_id: 1,
            last_tick: i64::MIN,
            outages: Outages::default(),
            atlas: geo::Atlas::of(facts),
            timelines: Vec::new(),
            counters: Counters::default(),
            keys: Vec::new(),
            devices: AHashMap::new(),
            order: Vec::new(),
            is_sorted: true,
            scratch: Vec::new(),
            groups: Groups::default(),
        };
        for rule in facts.rules.values() {
            match Timeline::new(&rule.code, rule.version, rule.active, &rule.text, i64::MIN) {
                Some(timeline) => engine.timelines.push(timeline),
                None => engine.counters.rules_refused += 1,
            }
        }
        engine.groups.index(&engine.timelines);
        engine
    }

    /// Judges one item. `facts` already holds the item's revision. Changes are appended in order.
    pub fn on_item(&mut self, item: &Item, facts: &Facts, out: &mut Vec<EpisodeChange>) {
        self.partition = item.position().partition;
        match item {
            Item::Record(record) => self.on_record(record, facts, out),
            Item::Contact { device, received, position, verdict } => {
                self.on_contact(*device, &Moment { position: *position, at: *received }, *verdict, facts, out);
            }
            Item::Tick { tick, position } => self.on_tick(tick, *position, facts, out),
            Item::Revision { revision, position } => self.on_revision(revision, *position, facts, out),
            Item::Outage { outage, position } => self.on_outage(outage, *position, facts, out),
        }
    }

    fn on_record(&mut self, record: &SettledRecord, facts: &Facts, out: &mut Vec<EpisodeChange>) {
        let Some(subject) = record.subject else {
            self.counters.not_installed += 1;
            return;
        };
        let device = record.key.device;
        self.prepare(device, subject, facts);
        let Some(keys) = self.devices.get(&device).map(|device| device.keys.as_slice()) else { return };
        let moment = Moment { position: record.position, at: record.received };
        for index in keys {
            let Some(key) = self.keys.get_mut(*index).filter(|key| key.subject == subject) else { continue };
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            if key.on_record(record, &world, &mut self.counters) {
                key.tell(&world, &moment, &mut self.next_id, &mut self.scratch, out);
            }
        }
        let mut parts = parts!(self, moment, facts, out);
        self.groups.on_record(record, subject, &mut parts);
    }

    fn on_contact(
        &mut self,
        device: DeviceId,
        moment: &Moment,
        verdict: Option<Verdict>,
        facts: &Facts,
        out: &mut Vec<EpisodeChange>,
    ) {
        let Some(keys) = self.devices.get(&device).map(|device| device.keys.as_slice()) else { return };
        for index in keys {
            let Some(key) = self.keys.get_mut(*index) else { continue };
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            if key.on_contact(moment, verdict, &world) {
                key.tell(&world, moment, &mut self.next_id, &mut self.scratch, out);
            }
        }
    }

    fn on_tick(&mut self, tick: &Tick, position: Position, facts: &Facts, out: &mut Vec<EpisodeChange>) {
        let (now, before) = (tick.at.0, std::mem::replace(&mut self.last_tick, tick.at.0));
        if before != i64::MIN {
            if now.saturating_sub(before) > TICK_GAP_MS {
                self.outages.add(None, before, now);
                self.judge_presence_again(None, position, tick.at, facts, out);
            }
            for protocol in ProtocolKind::ALL {
                if !tick.listening.is_empty() && !tick.listening.contains(&protocol) {
                    self.outages.add(Some(protocol), before, now);
                    self.judge_presence_again(Some(protocol), position, tick.at, facts, out);
                }
            }
        }
        self.sort();
        let moment = Moment { position, at: tick.at };
        for index in &self.order {
            let Some(key) = self.keys.get_mut(*index).filter(|key| key.is_due(now)) else { continue };
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            key.on_tick(&world, &moment, &mut self.next_id, &mut self.scratch, out);
        }
        let mut parts = parts!(self, moment, facts, out);
        self.groups.on_tick(&mut parts);
    }

    fn on_outage(&mut self, outage: &Outage, position: Position, facts: &Facts, out: &mut Vec<EpisodeChange>) {
        self.outages.add(None, outage.from.0, outage.to.0);
        self.judge_presence_again(None, position, outage.to, facts, out);
    }

    /// An outage of ours became known: pauses are measured again.
    fn judge_presence_again(
        &mut self,
        protocol: Option<ProtocolKind>,
        position: Position,
        at: IngestTime,
        facts: &Facts,
        out: &mut Vec<EpisodeChange>,
    ) {
        self.sort();
        let moment = Moment { position, at };
        for index in &self.order {
            let Some(key) = self.keys.get_mut(*index) else { continue };
            if !key.is_presence() || protocol.is_some_and(|only| only != key.protocol) {
                continue;
            }
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            key.tell(&world, &moment, &mut self.next_id, &mut self.scratch, out);
        }
        let mut parts = parts!(self, moment, facts, out);
        self.groups.plan(true, &mut parts, |group| group.reads.outages);
    }

    /// Makes the keys of a device on a subject, one for each rule whose scope they are in.
    fn prepare(&mut self, device: DeviceId, subject: SubjectId, facts: &Facts) {
        let entry = self.devices.entry(device).or_default();
        if entry.prepared.contains(&subject) {
            return;
        }
        entry.prepared.push(subject);
        for (rule, timeline) in self.timelines.iter().enumerate() {
            let known = entry.keys.iter().filter_map(|index| self.keys.get(*index));
            if known.into_iter().any(|key| key.rule == rule && key.subject == subject) {
                continue;
            }
            if let Some(protocol) = in_scope(&timeline.newest().rule.scope, device, subject, facts) {
                let world = World { timeline, outages: &self.outages, facts };
                let Some(key) = Key::new(rule, subject, device, protocol, &world) else { continue };
                entry.keys.push(self.keys.len());
                self.order.push(self.keys.len());
                self.is_sorted = false;
                self.keys.push(key);
            }
        }
        // By rule, so that ids do not depend on when a key was made.
        let keys = &self.keys;
        entry.keys.sort_by_key(|index| keys.get(*index).map(|key| (key.subject, key.rule)));
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            let keys = &self.keys;
            self.order.sort_by_key(|index| keys.get(*index).map(|key| (key.subject, key.device, key.rule)));
            self.is_sorted = true;
        }
    }

    /// The newest version of a rule.
    pub fn rule(&self, code: &str) -> Option<Arc<CompiledRule>> {
        let timeline = self.timelines.iter().find(|timeline| timeline.code == code)?;
        Some(Arc::clone(&timeline.newest().rule))
    }

    /// The version of a rule that an episode pins; the oldest kept one stands for those before it.
    pub fn rule_version(&self, code: &str, number: u32) -> Option<Arc<CompiledRule>> {
        let timeline = self.timelines.iter().find(|timeline| timeline.code == code)?;
        Some(Arc::clone(&timeline.numbered(number).rule))
    }

    /// Every version that is kept, with its number.
    pub fn rule_versions(&self) -> Vec<(u32, Arc<CompiledRule>)> {
        let versions = self.timelines.iter().flat_map(Timeline::versions);
        versions.map(|version| (version.number, Arc::clone(&version.rule))).collect()
    }

    /// Newest versions of all rules that are active.
    pub fn rules(&self) -> Vec<Arc<CompiledRule>> {
        let active = self.timelines.iter().map(Timeline::newest).filter(|version| version.active);
        active.map(|version| Arc::clone(&version.rule)).collect()
    }

    /// Why the subject is judged or not, by each rule and device; `quantity` leaves out exceedance rules of other ones.
    pub fn explain(&self, subject: SubjectId, quantity: Option<Quantity>, facts: &Facts) -> Vec<Explanation> {
        let mut found = Vec::new();
        for key in self.keys.iter().filter(|key| key.subject == subject) {
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            found.extend(key.explain(quantity, &world, self.last_tick));
        }
        found.extend(self.explain_groups(subject, quantity, facts));
        found.sort_by(|a, b| (&a.rule, a.device).cmp(&(&b.rule, b.device)));
        found
    }

    /// The episodes that stand and may still change, by id.
    pub fn standing(&self) -> Vec<Episode> {
        let mut all = Vec::new();
        for key in &self.keys {
            if let Some(timeline) = self.timelines.get(key.rule) {
                all.extend(key.track.episodes(&key.owner(timeline), self.partition));
            }
        }
        self.standing_in_groups(&mut all);
        all.sort_by_key(|episode| episode.id);
        all
    }

    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// How many (rule, subject, device) and groups are kept.
    pub fn keys(&self) -> usize {
        self.keys.len() + self.groups.list.len()
    }
}

/// The device's protocol when rule scope, subject and device fit together.
pub(crate) fn in_scope(scope: &Scope, device: DeviceId, subject: SubjectId, facts: &Facts) -> Option<ProtocolKind> {
    let subject = facts.subjects.get(&subject)?;
    let device = facts.devices.get(&device)?;
    let has = |list: &[String], word: &str| list.is_empty() || list.iter().any(|known| known == word);
    let fits = has(&scope.subject_kinds, subject.details.kind())
        && has(&scope.profiles, &device.profile)
        && (scope.protocols.is_empty() || scope.protocols.contains(&device.protocol));
    fits.then_some(device.protocol)
}

/// Values in 10⁻⁶ of their unit: sums of them do not depend on the order.
type Fixed = i64;

/// `None` when it is not finite or too large for a sum.
#[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
fn fixed(value: f64) -> Option<Fixed> {
    (value.is_finite() && value.abs() <= 9e8).then(|| (value * 1e6).round() as Fixed)
}

#[expect(clippy::cast_precision_loss, reason = "values are below 2^53 units of 10^-6 in practice")]
fn float(value: Fixed) -> f64 {
    value as f64 / 1e6
}

/// Where an observation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// Behind all others: one step.
    Next,
    /// Into the newest slot.
    Newest,
    /// Somewhere before: replay.
    Late,
    /// It changes nothing.
    Nothing,
    BeyondHorizon,
    NotRevisable,
}

/// Ticks are written every 10 s; a longer pause means that we were down.
const TICK_GAP_MS: i64 = 60_000;

#[cfg(test)]
mod tests;
