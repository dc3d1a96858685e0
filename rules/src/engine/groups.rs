//! The groups of the engine: which groups a record goes to, facts between the stages, ticks and register edits.
//!
//! A device on a subject has a *route*: the groups it speaks in, found once and again after an edit of the registers. An
//! event that names a number plate goes to that plate's group besides. Facts of the first stage are handed to the groups of
//! the second within the same item, in the order in which they were found.

use super::geo::Atlas;
use super::group::{Around, Group, Member, Told};
use super::judge::{Fact, GroupKey, Key, Observation, Output, Reads, Source, plate};
use super::machine::Stretch;
use super::outages::Outages;
use super::timeline::Timeline;
use super::track::Moment;
use super::{Counters, in_scope};
use crate::definition::Kind;
use ahash::AHashMap;
use model::envelope::ProtocolKind;
use model::episode::EpisodeChange;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::record::SettledRecord;
use model::register::SubjectDetails;
use model::verdict::Verdict;
use std::collections::VecDeque;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Groups {
    pub(super) list: Vec<Group>,
    by_key: AHashMap<GroupKey, usize>,
    routes: AHashMap<(DeviceId, SubjectId), Route>,
    /// Places of groups by key; sorted when it is walked.
    order: Vec<usize>,
    is_sorted: bool,
    /// By [`Key`]: the rules and what they read.
    rules: [(Vec<usize>, Reads); 6],
    facts: VecDeque<(bool, Arc<Fact>)>,
    found: Output,
    /// Keys of groups that were let go of since the last save.
    pub(super) gone: Vec<GroupKey>,
}

#[derive(Debug, Default)]
struct Route {
    groups: Vec<usize>,
    reads: Reads,
    protocol: Option<ProtocolKind>,
}

/// The engine's parts that the groups use.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) timelines: &'a [Timeline],
    pub(super) outages: &'a Outages,
    pub(super) facts: &'a Facts,
    pub(super) atlas: &'a Atlas,
    pub(super) moment: Moment,
    pub(super) next_id: &'a mut i64,
    pub(super) scratch: &'a mut Vec<Stretch>,
    pub(super) out: &'a mut Vec<EpisodeChange>,
    pub(super) counters: &'a mut Counters,
}

macro_rules! with {
    ($self:ident, $parts:ident, |$around:ident, $told:ident| $body:expr) => {{
        let $around = &Around {
            timelines: $parts.timelines,
            outages: $parts.outages,
            facts: $parts.facts,
            atlas: $parts.atlas,
            now: $parts.moment.at.0,
        };
        let $told = &mut Told {
            moment: $parts.moment,
            next_id: $parts.next_id,
            scratch: $parts.scratch,
            found: &mut $self.found,
            out: $parts.out,
            facts: &mut $self.facts,
            counters: $parts.counters,
        };
        $body
    }};
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            by_key: AHashMap::new(),
            routes: AHashMap::new(),
            order: Vec::new(),
            is_sorted: true,
            rules: Default::default(),
            facts: VecDeque::new(),
            found: Output::default(),
            gone: Vec::new(),
        }
    }
}

impl Groups {
    /// The rules are new or other than before.
    pub(super) fn index(&mut self, timelines: &[Timeline]) {
        self.rules = Default::default();
        for (rule, timeline) in timelines.iter().enumerate() {
            let Kind::Judged(judged) = &timeline.newest().rule.kind else { continue };
            let Some((rules, reads)) = self.rules.get_mut(judged.key() as usize) else { continue };
            rules.push(rule);
            for version in timeline.versions() {
                if let Kind::Judged(judged) = &version.rule.kind {
                    *reads = reads.and(&judged.design.reads());
                }
            }
        }
        self.routes.clear();
    }

    pub(super) fn on_record(&mut self, record: &SettledRecord, subject: SubjectId, parts: &mut Parts<'_>) {
        if self.rules.iter().all(|(rules, _)| rules.is_empty()) {
            return;
        }
        let device = record.key.device;
        if !self.routes.contains_key(&(device, subject)) {
            self.route(device, subject, parts);
        }
        let revised = record.verdict == Verdict::Revised;
        let Some(route) = self.routes.get(&(device, subject)) else { return };
        let Some(protocol) = route.protocol else { return };
        if touches(record, &route.reads, protocol, revised) {
            for place in route.groups.clone() {
                self.take(place, record, subject, protocol, parts);
            }
        }
        if let Some(text) = record.body.happening.as_ref().and_then(|happening| happening.plate.as_deref()) {
            let key = GroupKey::Plate(plate(text));
            if let Some(place) = self.member(Key::Plate, &key, device, subject, parts) {
                self.take(place, record, subject, protocol, parts);
            }
        }
        self.hand_on(parts);
    }

    fn take(
        &mut self,
        place: usize,
        record: &SettledRecord,
        subject: SubjectId,
        protocol: ProtocolKind,
        parts: &mut Parts<'_>,
    ) {
        let Some(group) = self.list.get_mut(place) else { return };
        let revised = record.verdict == Verdict::Revised;
        if !touches(record, &group.reads, protocol, revised) {
            return;
        }
        let mut values = group.values();
        values.extend(record.body.values.iter().filter(|value| {
            group.reads.quantities & Reads::bit(value.quantity) != 0
                && group.reads.statistics & (1 << value.statistic as u8) != 0
        }));
        let seen = Observation {
            at: record.key.at.0,
            device: record.key.device,
            source: Source::Record(record.key.kind),
            slot: record.key.slot,
            seq: record.position.seq,
            received: record.received.0,
            subject,
            protocol,
            values,
            fix: record.body.fix.filter(|_| group.reads.fixes),
            happening: record
                .body
                .happening
                .as_ref()
                .filter(|_| group.reads.happenings)
                .map(|what| Arc::from(what.clone())),
            fact: None,
        };
        with!(self, parts, |around, told| group.take(seen, revised, around, told));
    }

    /// Facts to the groups of the second stage, which may find further ones.
    fn hand_on(&mut self, parts: &mut Parts<'_>) {
        for _ in 0..FACTS_MAX {
            let Some((asserted, fact)) = self.facts.pop_front() else { return };
            let kind = kind_of(&fact.to);
            let bit = 1u32 << fact.what as u8;
            let Some((rules, reads)) = self.rules.get(kind as usize) else { continue };
            if reads.facts & bit == 0 {
                continue;
            }
            let rules = rules.clone();
            let place = self.group(&fact.to);
            let Some(group) = self.list.get_mut(place) else { continue };
            with!(self, parts, |around, told| {
                for rule in rules {
                    if reads_fact(around.timelines, rule, bit) {
                        group.seat(rule, around);
                    }
                }
                let seen = fact.observation(around.now);
                if asserted {
                    group.take(seen, false, around, told);
                } else {
                    group.take_back(seen.place());
                }
            });
        }
        parts.counters.facts_bound += self.facts.len() as u64;
        self.facts.clear();
    }

    /// Finds the groups that a device speaks in at a subject.
    fn route(&mut self, device: DeviceId, subject: SubjectId, parts: &mut Parts<'_>) {
        let mut route =
            Route { protocol: parts.facts.devices.get(&device).map(|device| device.protocol), ..Route::default() };
        for (kind, key) in keys(device, subject, parts.facts) {
            if let Some(place) = self.member(kind, &key, device, subject, parts) {
                route.groups.push(place);
                if let Some(group) = self.list.get(place) {
                    route.reads = route.reads.and(&group.reads);
                }
            }
        }
        // Events that name a plate go to groups that are not of the route.
        self.routes.insert((device, subject), route);
    }

    /// The group of that key with the device among its members; `None` when no rule has it in its scope.
    fn member(
        &mut self,
        kind: Key,
        key: &GroupKey,
        device: DeviceId,
        subject: SubjectId,
        parts: &mut Parts<'_>,
    ) -> Option<usize> {
        if let Some(place) = self.by_key.get(key)
            && let Some(group) = self.list.get(*place)
            && group.place_of(device, subject).is_some()
        {
            return Some(*place);
        }
        let (rules, _) = self.rules.get(kind as usize)?;
        let mut protocol = None;
        let mut wanted = Vec::new();
        for rule in rules {
            let scope = &parts.timelines.get(*rule)?.newest().rule.scope;
            if let Some(found) = in_scope(scope, device, subject, parts.facts) {
                protocol = Some(found);
                wanted.push(*rule);
            }
        }
        let protocol = protocol?;
        let place = self.group(key);
        let group = self.list.get_mut(place)?;
        with!(self, parts, |around, _told| {
            let seats: Vec<usize> = wanted.into_iter().filter_map(|rule| group.seat(rule, around)).collect();
            let scope = seats.into_iter().fold(0u128, |mask, seat| mask | 1 << seat);
            if group.members.len() < MEMBERS_MAX {
                group.join(Member { device, subject, protocol, scope });
            }
        });
        Some(place)
    }

    fn group(&mut self, key: &GroupKey) -> usize {
        if let Some(place) = self.by_key.get(key) {
            return *place;
        }
        self.add(Group::new(key.clone()))
    }

    pub(super) fn add(&mut self, group: Group) -> usize {
        let place = self.list.len();
        self.by_key.insert(group.key.clone(), place);
        self.gone.retain(|gone| *gone != group.key);
        self.order.push(place);
        self.is_sorted = false;
        self.list.push(group);
        place
    }

    /// Places in the order of their keys.
    pub(super) fn sorted(&mut self) -> Vec<usize> {
        if !self.is_sorted {
            let list = &self.list;
            self.order.sort_by_key(|place| list.get(*place).map(|group| &group.key));
            self.is_sorted = true;
        }
        self.order.clone()
    }

    pub(super) fn on_tick(&mut self, parts: &mut Parts<'_>) {
        let now = parts.moment.at.0;
        if self.list.iter().any(|group| group.is_due(now)) {
            for place in self.sorted() {
                let Some(group) = self.list.get_mut(place).filter(|group| group.is_due(now)) else { continue };
                with!(self, parts, |around, told| group.tick(around, told));
                self.hand_on(parts);
            }
        }
        self.let_go(now);
    }

    /// Forgets groups of plates in which nothing happened for long; a camera may read a plate that does not exist.
    fn let_go(&mut self, now: i64) {
        let is_over = |group: &Group| matches!(group.key, GroupKey::Plate(_)) && group.is_idle(now);
        if !self.list.iter().any(is_over) {
            return;
        }
        let (gone, kept): (Vec<Group>, Vec<Group>) = self.list.drain(..).partition(is_over);
        self.gone.extend(gone.into_iter().map(|group| group.key));
        self.list = kept;
        self.by_key = self.list.iter().enumerate().map(|(place, group)| (group.key.clone(), place)).collect();
        self.order = (0..self.list.len()).collect();
        self.is_sorted = false;
        self.routes.clear();
    }

    /// The registers, the rules or our outages changed. `concerns` picks the groups.
    pub(super) fn plan(&mut self, again: bool, parts: &mut Parts<'_>, concerns: impl Fn(&Group) -> bool) {
        self.routes.clear();
        for place in self.sorted() {
            let Some(group) = self.list.get_mut(place).filter(|group| concerns(group)) else { continue };
            with!(self, parts, |around, told| {
                rescope(group, &self.rules, around);
                group.plan(again, around, told);
            });
            self.hand_on(parts);
        }
    }

    /// After the group was read: its members again, as the facts have them.
    pub(super) fn restore(&mut self, mut group: Group, members: &[(DeviceId, SubjectId)], around: &Around<'_>) {
        for (device, subject) in members {
            let protocol = around.facts.devices.get(device).map_or(ProtocolKind::Mqtt, |device| device.protocol);
            group.join(Member { device: *device, subject: *subject, protocol, scope: 0 });
        }
        rescope(&mut group, &self.rules, around);
        group.restored(around);
        self.add(group);
    }
}

/// Which seats have each member in their rule's scope.
fn rescope(group: &mut Group, rules: &[(Vec<usize>, Reads); 6], around: &Around<'_>) {
    let Some((rules, _)) = rules.get(kind_of(&group.key) as usize) else { return };
    for place in 0..group.members.len() {
        let Some(member) = group.members.get(place).copied() else { continue };
        let mut scope = 0u128;
        let mut protocol = member.protocol;
        for rule in rules {
            let Some(timeline) = around.timelines.get(*rule) else { continue };
            let found = in_scope(&timeline.newest().rule.scope, member.device, member.subject, around.facts);
            if let Some(found) = found
                && let Some(seat) = group.seat(*rule, around)
            {
                protocol = found;
                scope |= 1 << seat;
            }
        }
        if let Some(member) = group.members.get_mut(place) {
            (member.scope, member.protocol) = (scope, protocol);
        }
    }
}

/// Whether a record holds anything of what is read. Revised ones may have lost it.
fn touches(record: &SettledRecord, reads: &Reads, protocol: ProtocolKind, revised: bool) -> bool {
    if !reads.wants(protocol, record.key.kind) {
        return false;
    }
    revised
        || (reads.fixes && record.body.fix.is_some())
        || (reads.happenings && record.body.happening.is_some())
        || record.body.values.iter().any(|value| reads.quantities & Reads::bit(value.quantity) != 0)
}

fn reads_fact(timelines: &[Timeline], rule: usize, bit: u32) -> bool {
    let versions = timelines.get(rule).map_or(&[][..], Timeline::versions);
    versions
        .iter()
        .any(|version| matches!(&version.rule.kind, Kind::Judged(judged) if judged.design.reads().facts & bit != 0))
}

/// The groups that a device at a subject may speak in.
fn keys(device: DeviceId, subject: SubjectId, facts: &Facts) -> Vec<(Key, GroupKey)> {
    let mut keys = vec![(Key::Device, GroupKey::Device(device)), (Key::Subject, GroupKey::Subject(subject))];
    match facts.subjects.get(&subject).map(|subject| &subject.details) {
        Some(SubjectDetails::Gate { site }) => {
            keys.push((Key::Gate, GroupKey::Gate(subject)));
            keys.push((Key::Site, GroupKey::Site(*site)));
        }
        Some(SubjectDetails::Site { .. }) => keys.push((Key::Site, GroupKey::Site(subject))),
        Some(SubjectDetails::Truck { plate: text, .. }) => keys.push((Key::Plate, GroupKey::Plate(plate(text)))),
        _ => {}
    }
    keys.push((Key::District, GroupKey::District));
    keys
}

const fn kind_of(key: &GroupKey) -> Key {
    match key {
        GroupKey::Device(_) => Key::Device,
        GroupKey::Subject(_) => Key::Subject,
        GroupKey::Gate(_) => Key::Gate,
        GroupKey::Site(_) => Key::Site,
        GroupKey::Plate(_) => Key::Plate,
        GroupKey::District => Key::District,
    }
}

impl GroupKey {
    /// For a row of saved state: a name that is no rule's code, and a number.
    pub(super) fn name(&self) -> (String, i64) {
        match self {
            Self::Device(device) => ("@device".into(), device.0),
            Self::Subject(subject) => ("@subject".into(), subject.0),
            Self::Gate(subject) => ("@gate".into(), subject.0),
            Self::Site(subject) => ("@site".into(), subject.0),
            Self::Plate(plate) => (format!("@plate:{plate}"), 0),
            Self::District => ("@district".into(), 0),
        }
    }

    pub(super) fn from_name(name: &str, number: i64) -> Option<Self> {
        Some(match name {
            "@device" => Self::Device(DeviceId(number)),
            "@subject" => Self::Subject(SubjectId(number)),
            "@gate" => Self::Gate(SubjectId(number)),
            "@site" => Self::Site(SubjectId(number)),
            "@district" => Self::District,
            _ => Self::Plate(name.strip_prefix("@plate:")?.into()),
        })
    }
}

/// Facts that one item may bring about; more are counted and dropped.
const FACTS_MAX: usize = 100_000;
/// Devices of one group.
const MEMBERS_MAX: usize = 65_536;
