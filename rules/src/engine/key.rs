//! One (rule, subject, device): its observations and machine, its episodes, and when a tick must look at it.

use super::codec::{Reader, Writer};
use super::corridor::{self, Corridor};
use super::exceedance::{self, Plan, Sample};
use super::limits;
use super::machine::Stretch;
use super::outages::Outages;
use super::presence::{self, Around};
use super::route::{self, Point};
use super::timeline::Timeline;
use super::track::{Moment, Owner, Track};
use super::{Counters, Where, fixed};
use crate::definition::{Absence, Exceedance, Kind};
use crate::explain::{Explanation, JudgedState, NotJudged};
use model::envelope::ProtocolKind;
use model::episode::EpisodeChange;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Flag, RecordKind, SettledRecord, Statistic};
use model::time::EventTime;
use model::verdict::Verdict;

/// What a key looks at besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) outages: &'a Outages,
    pub(super) facts: &'a Facts,
}

#[derive(Debug)]
enum Body {
    Exceedance { state: exceedance::State, plan: Plan },
    Presence(presence::State),
    Route { state: route::State, corridors: Vec<Corridor> },
}

#[derive(Debug)]
pub(super) struct Key {
    /// Place of its rule in the engine's list.
    pub(super) rule: usize,
    pub(super) subject: SubjectId,
    pub(super) device: DeviceId,
    pub(super) protocol: ProtocolKind,
    pub(super) track: Track,
    body: Body,
    /// Journal time of the last observation.
    received: i64,
    /// Nothing came for so long that what lasts is taken to have ended.
    absent: bool,
    /// Changed since it was saved.
    pub(super) dirty: bool,
    /// An extreme may have grown.
    soft: bool,
    /// No tick before this needs to look.
    due: i64,
}

impl Key {
    pub(super) fn new(
        rule: usize,
        subject: SubjectId,
        device: DeviceId,
        protocol: ProtocolKind,
        world: &World<'_>,
    ) -> Option<Self> {
        let body = match &world.timeline.newest().rule.kind {
            Kind::Exceedance(p) => {
                let plan = plan(p, world.timeline, subject, device, world.facts);
                let state = exceedance::State::new(plan.slot_ms);
                Body::Exceedance { state, plan }
            }
            Kind::Offline(_) => Body::Presence(presence::State::new()),
            Kind::OffRoute(_) => {
                let corridors = corridor::corridors(world.facts, subject);
                Body::Route { state: route::State::new(), corridors }
            }
            // Judged in a group.
            Kind::Judged(_) => return None,
        };
        Some(Self {
            rule,
            subject,
            device,
            protocol,
            track: Track::default(),
            body,
            received: i64::MIN,
            absent: false,
            dirty: false,
            soft: false,
            due: 0,
        })
    }

    /// Takes a record in; true when bounds of episodes may have changed.
    pub(super) fn on_record(&mut self, record: &SettledRecord, world: &World<'_>, counters: &mut Counters) -> bool {
        let timeline = world.timeline;
        let around = Around { timeline, outages: world.outages, protocol: self.protocol };
        let revised = record.verdict == Verdict::Revised;
        let (went, before, after, active);
        match &mut self.body {
            Body::Exceedance { state, plan } => {
                // The version that judges the record's time says what is read of it.
                let Kind::Exceedance(rule) = &timeline.at(record.key.at.0).rule.kind else { return false };
                let statistic = statistic(rule, self.protocol);
                let wanted = if statistic == Statistic::Mean { RecordKind::Minute } else { RecordKind::Instant };
                if record.key.kind != wanted {
                    return false;
                }
                before = state.shape();
                went = match sample(rule, statistic, record) {
                    Some(sample) => state.insert(sample, revised),
                    None if revised => state.remove(record.key.at.0, record.key.slot),
                    None => return false,
                };
                match went {
                    Where::Next => state.next(timeline, plan),
                    Where::Newest => state.newest(timeline, plan),
                    Where::Late => state.replay(timeline, plan),
                    Where::Nothing | Where::BeyondHorizon | Where::NotRevisable => {}
                }
                (after, active) = (state.shape(), state.is_active());
                counters.memory_bound += state.freeze(timeline, plan);
                self.due = if state.finals.is_empty() { self.due } else { 0 };
            }
            Body::Presence(state) => {
                self.dirty = true;
                let was_open = state.heard(record.received.0);
                // The time of an hour's or day's statistics is where their period begins: nobody was heard then.
                if matches!(record.key.kind, RecordKind::Hour | RecordKind::Day) {
                    return was_open;
                }
                let went = state.insert(record.key.at.0, record.position.seq, timeline);
                count(went, counters);
                counters.memory_bound += state.freeze(&around);
                // By the version of the newest moment, which may be more impatient than the one before it.
                self.due = if state.finals.is_empty() { self.due.min(state.due(timeline)) } else { 0 };
                return was_open || went == Where::Late;
            }
            Body::Route { state, corridors } => {
                let Some(fix) = &record.body.fix else { return false };
                let point = Point::new(record.key.at.0, record.key.slot, record.position.seq, fix.fixed, fix.place);
                before = state.shape();
                went = state.insert(point, corridors);
                match went {
                    Where::Next => state.next(timeline),
                    Where::Late => state.replay(timeline),
                    _ => {}
                }
                (after, active) = (state.shape(), state.is_active());
                counters.memory_bound += state.freeze(timeline);
                self.due = if state.finals.is_empty() { self.due } else { 0 };
            }
        }
        self.dirty = true;
        self.received = self.received.max(record.received.0);
        self.soft |= active;
        count(went, counters);
        let returned = std::mem::take(&mut self.absent);
        returned || before != after || (went == Where::Late) || (went == Where::Newest && active)
    }

    /// A frame without a new record.
    pub(super) fn on_contact(&mut self, moment: &Moment, verdict: Option<Verdict>, world: &World<'_>) -> bool {
        let Body::Presence(state) = &mut self.body else { return false };
        let Kind::Offline(rule) = &world.timeline.newest().rule.kind else { return false };
        if rule.judge == Absence::Gap {
            return false;
        }
        self.dirty = true;
        let was_open = state.heard(moment.at.0);
        if verdict == Some(Verdict::Duplicate)
            || installed_until(self.device, self.subject, moment.at.0, world.facts).is_some()
        {
            return was_open;
        }
        let went = state.insert(moment.at.0, moment.position.seq, world.timeline);
        self.due = self.due.min(state.due(world.timeline));
        was_open || went == Where::Late
    }

    pub(super) const fn is_due(&self, now: i64) -> bool {
        self.soft || now >= self.due
    }

    /// Time passed.
    pub(super) fn on_tick(
        &mut self,
        world: &World<'_>,
        moment: &Moment,
        next_id: &mut i64,
        scratch: &mut Vec<Stretch>,
        out: &mut Vec<EpisodeChange>,
    ) {
        let now = moment.at.0;
        let timeline = world.timeline;
        let rule = &timeline.newest().rule;
        let around = Around { timeline, outages: world.outages, protocol: self.protocol };
        let absence = match &rule.kind {
            Kind::Exceedance(p) => p.window_ms,
            Kind::Offline(_) | Kind::Judged(_) => i64::MAX,
            Kind::OffRoute(p) => p.gap_ms,
        };
        let (hard, frontier, mut again) = match &mut self.body {
            Body::Presence(state) => {
                let until = installed_until(self.device, self.subject, now, world.facts);
                let hard = state.tick(now, until, &around);
                (hard, now, if state.is_open() { now } else { state.due(timeline) })
            }
            Body::Exceedance { .. } | Body::Route { .. } => {
                let (active, frontier) = match &self.body {
                    Body::Exceedance { state, .. } => (state.is_active(), state.frontier()),
                    Body::Route { state, .. } => (state.is_active(), state.frontier()),
                    Body::Presence(_) => (false, now),
                };
                let alone = self.received.saturating_add(absence);
                let hard = active && !self.absent && now > alone;
                self.absent |= hard;
                (hard, frontier, if active && !self.absent { alone.saturating_add(1) } else { i64::MAX })
            }
        };
        if hard {
            self.tell(world, moment, next_id, scratch, out);
        } else {
            self.derive(&around, scratch);
        }
        let owner = self.owner(timeline);
        let due = self.track.tick(scratch, frontier, &owner, moment, out);
        self.dirty |= hard || due.changed;
        again = again.min(due.again);
        again = again.min(self.forget_finals(timeline, now));
        self.soft = false;
        self.due = again;
    }

    /// Lets go of stretches that are final and told; returns when to try the others again.
    fn forget_finals(&mut self, timeline: &Timeline, now: i64) -> i64 {
        let finals = match &mut self.body {
            Body::Exceedance { state, .. } => &mut state.finals,
            Body::Presence(state) => &mut state.finals,
            Body::Route { state, .. } => &mut state.finals,
        };
        let before = finals.len();
        finals.retain(|stretch| !self.track.forget(stretch, timeline, now));
        self.dirty |= finals.len() != before;
        if finals.is_empty() { i64::MAX } else { now }
    }

    /// Compares what is derived with what was told.
    pub(super) fn tell(
        &mut self,
        world: &World<'_>,
        moment: &Moment,
        next_id: &mut i64,
        scratch: &mut Vec<Stretch>,
        out: &mut Vec<EpisodeChange>,
    ) {
        let around = Around { timeline: world.timeline, outages: world.outages, protocol: self.protocol };
        self.derive(&around, scratch);
        if scratch.is_empty() && self.track.is_empty() {
            return;
        }
        let owner = self.owner(world.timeline);
        self.track.diff(scratch, &owner, moment, next_id, out);
        self.dirty = true;
        self.soft = true;
        self.due = 0;
    }

    fn derive(&self, around: &Around<'_>, into: &mut Vec<Stretch>) {
        into.clear();
        match &self.body {
            Body::Exceedance { state, .. } => state.derive(self.absent, into),
            Body::Presence(state) => state.derive(around, into),
            Body::Route { state, .. } => state.derive(self.absent, into),
        }
    }

    /// The registers or the rule changed. True when what stands may have changed.
    pub(super) fn plan_again(&mut self, world: &World<'_>) -> bool {
        if let Some(device) = world.facts.devices.get(&self.device) {
            self.protocol = device.protocol;
        }
        match (&mut self.body, &world.timeline.newest().rule.kind) {
            (Body::Exceedance { state, plan: known }, Kind::Exceedance(p)) => {
                *known = plan(p, world.timeline, self.subject, self.device, world.facts);
                state.replay(world.timeline, known);
            }
            (Body::Route { state, corridors }, Kind::OffRoute(_)) => {
                *corridors = corridor::corridors(world.facts, self.subject);
                state.measure_again(corridors);
                state.replay(world.timeline);
            }
            _ => {}
        }
        self.due = 0;
        true
    }

    pub(super) const fn is_presence(&self) -> bool {
        matches!(self.body, Body::Presence(_))
    }

    pub(super) const fn is_exceedance(&self) -> bool {
        matches!(self.body, Body::Exceedance { .. })
    }

    /// Whether a permit is among those it measures against.
    pub(super) fn measures(&self, permit: i64) -> bool {
        matches!(&self.body, Body::Route { corridors, .. } if corridors.iter().any(|corridor| corridor.id == permit))
    }

    pub(super) const fn is_route(&self) -> bool {
        matches!(self.body, Body::Route { .. })
    }

    pub(super) const fn owner<'a>(&self, timeline: &'a Timeline) -> Owner<'a> {
        Owner { timeline, subject: self.subject, device: self.device }
    }

    pub(super) fn explain(&self, quantity: Option<Quantity>, world: &World<'_>, now: i64) -> Option<Explanation> {
        let version = world.timeline.newest();
        if let (Kind::Exceedance(p), Some(wanted)) = (&version.rule.kind, quantity)
            && p.quantity != wanted
        {
            return None;
        }
        let around = Around { timeline: world.timeline, outages: world.outages, protocol: self.protocol };
        let (as_of, mut state) = match &self.body {
            Body::Exceedance { state, plan } => state.explain(world.timeline, plan),
            Body::Presence(state) => state.explain(now, &around),
            Body::Route { state, .. } => state.explain(world.timeline),
        };
        if now != i64::MIN && installed_until(self.device, self.subject, now, world.facts).is_some() {
            state = JudgedState::NotJudged { reason: NotJudged::NotInstalled };
        }
        Some(Explanation {
            rule: version.rule.code.clone(),
            rule_version: as_of.map_or(version, |at| world.timeline.at(at)).number,
            device: self.device,
            as_of: as_of.map(EventTime),
            state,
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.signed(self.received);
        w.flag(self.absent);
        self.track.write(w);
        match &self.body {
            Body::Exceedance { state, .. } => state.write(w),
            Body::Presence(state) => state.write(w),
            Body::Route { state, .. } => state.write(w),
        }
    }

    /// Reads what [`Self::write`] wrote into a new key.
    pub(super) fn read(&mut self, r: &mut Reader<'_>, world: &World<'_>) -> Option<()> {
        self.received = r.signed()?;
        self.absent = r.flag()?;
        self.track = Track::read(r)?;
        match &mut self.body {
            Body::Exceedance { state, plan } => {
                *state = exceedance::State::read(r)?;
                state.replay(world.timeline, plan);
            }
            Body::Presence(state) => *state = presence::State::read(r)?,
            Body::Route { state, corridors } => {
                *state = route::State::read(r)?;
                state.measure_again(corridors);
                state.replay(world.timeline);
            }
        }
        self.soft = true;
        Some(())
    }
}

const fn count(went: Where, counters: &mut Counters) {
    match went {
        Where::BeyondHorizon => counters.beyond_horizon += 1,
        Where::NotRevisable => counters.revision_not_judged += 1,
        _ => {}
    }
}

fn statistic(rule: &Exceedance, protocol: ProtocolKind) -> Statistic {
    rule.statistic_of.iter().find(|(kind, _)| *kind == protocol).map_or(rule.statistic, |(_, statistic)| *statistic)
}

/// `rule`: the newest version, whose slots all are cut into; limits are looked up for each version by its own terms.
fn plan(rule: &Exceedance, timeline: &Timeline, subject: SubjectId, device: DeviceId, facts: &Facts) -> Plan {
    let expected = facts.profile_of(device).map_or(60_000, |profile| i64::from(profile.expected_interval_s) * 1_000);
    let shortest = (rule.window_ms / 10_000).max(1_000);
    let slot_ms = rule.interval_ms.unwrap_or(expected).clamp(shortest, rule.window_ms);
    let mut plan = Plan { slot_ms, limits: Vec::new(), window_ms_max: rule.window_ms };
    for version in timeline.versions() {
        let Kind::Exceedance(rule) = &version.rule.kind else { continue };
        plan.limits.push((version.number, limits::rows(facts, rule, subject)));
        plan.window_ms_max = plan.window_ms_max.max(rule.window_ms);
    }
    plan
}

fn sample(rule: &Exceedance, statistic: Statistic, record: &SettledRecord) -> Option<Sample> {
    let value = record.body.value(rule.quantity, statistic)?;
    let runs = rule.only_while.is_none_or(|(quantity, least)| {
        let mut states =
            record.body.values.iter().filter(|value| value.quantity == quantity && value.flag == Flag::Normal);
        states.next().is_none_or(|state| state.value >= least)
    });
    let flag = if value.flag == Flag::Normal && !runs { Flag::Stopped } else { value.flag };
    Some(Sample {
        at: record.key.at.0,
        record_slot: record.key.slot,
        seq: record.position.seq,
        value: if flag == Flag::Normal { fixed(value.value) } else { None },
        flag,
    })
}

/// `None`: installed at the subject and enabled at `now`. Otherwise since when it is not (`now` when it was switched off).
fn installed_until(device: DeviceId, subject: SubjectId, now: i64, facts: &Facts) -> Option<i64> {
    let enabled = facts.devices.get(&device).is_some_and(|device| device.enabled)
        && facts.subjects.get(&subject).is_some_and(|subject| subject.active);
    if enabled && facts.installation_at(device, EventTime(now)).is_some_and(|row| row.subject == subject) {
        return None;
    }
    let ended = facts.installations_of(device).filter(|row| row.subject == subject);
    let until = ended.filter_map(|row| row.valid_to.map(|to| to.0)).filter(|to| *to <= now).max();
    Some(until.filter(|_| enabled).unwrap_or(now))
}
