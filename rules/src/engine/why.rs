//! Why a rule judged a subject as it did, or did not: what each operand was at an event time. The judges of the group walk
//! its log again up to that time, so the answer is what they would say then, with the data that is known now.

use super::Engine;
use super::group::{Group, owner};
use super::judge::{GroupKey, Output, Scene};
use crate::explain::{Explanation, JudgedState, NotJudged, Why};
use model::episode::Episode;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::time::EventTime;

impl Engine {
    /// The operands of a rule for a subject as of event time `at`, one answer for each group that the subject is in.
    /// Empty: the rule is not of a kind that is judged in groups, or has seen nothing of the subject.
    pub fn why(&self, rule: &str, subject: SubjectId, at: EventTime, facts: &Facts) -> Vec<Why> {
        let Some(place) = self.timelines.iter().position(|timeline| timeline.code == rule) else { return Vec::new() };
        let groups = self.groups.list.iter().filter(|group| group.concerns(subject));
        let mut all: Vec<Why> = groups.filter_map(|group| self.why_in(group, place, at.0, facts)).collect();
        all.sort_by_key(|why| why.device);
        all
    }

    fn why_in(&self, group: &Group, rule: usize, at: i64, facts: &Facts) -> Option<Why> {
        let seat = group.seats.iter().position(|seat| seat.rule == rule)?;
        let timeline = self.timelines.get(rule)?;
        let scene = Scene {
            facts,
            atlas: &self.atlas,
            outages: &self.outages,
            timeline,
            group: &group.key,
            now: self.last_tick.min(at),
            newest: at,
        };
        let mark = group.marks.partition_point(|mark| mark.from <= at).max(1) - 1;
        let mark = group.marks.get(mark)?;
        let mut bench = mark.benches.get(seat)?.clone();
        let mut unheard = Output::default();
        let mut device = owner(&group.members, &scene).device;
        let mut as_of = None;
        let entries = group.log.iter().filter(|entry| entry.seen.at >= mark.from && entry.read_by & (1 << seat) != 0);
        for entry in entries.take_while(|entry| entry.seen.at <= at) {
            bench.step(&entry.seen, &scene, &mut unheard);
            (device, as_of) = (entry.seen.device, Some(EventTime(entry.seen.at)));
        }
        let (version, judge) = bench.live()?;
        let mut operands = Vec::new();
        judge.why(&scene, &mut operands);
        let (_, state) = judge.state(&scene);
        let beyond_horizon = at < group.cut;
        Some(Why { rule: timeline.code.clone(), rule_version: version, device, as_of, beyond_horizon, state, operands })
    }

    pub(super) fn explain_groups(
        &self,
        subject: SubjectId,
        quantity: Option<Quantity>,
        facts: &Facts,
    ) -> Vec<Explanation> {
        let mut found = Vec::new();
        for group in self.groups.list.iter().filter(|group| group.concerns(subject)) {
            for (place, seat) in group.seats.iter().enumerate() {
                let Some(timeline) = self.timelines.get(seat.rule).filter(|timeline| timeline.newest().active) else {
                    continue;
                };
                if quantity.is_some_and(|wanted| seat.reads.quantities & super::judge::Reads::bit(wanted) == 0) {
                    continue;
                }
                let newest = group.log.back().map_or(i64::MIN, |entry| entry.seen.at);
                let (outages, key) = (&self.outages, &group.key);
                let atlas = &self.atlas;
                let scene = Scene { facts, atlas, outages, timeline, group: key, now: self.last_tick, newest };
                let Some((rule_version, judge)) = seat.head.live() else { continue };
                let (as_of, state) = judge.state(&scene);
                let last = group.log.iter().rev().find(|entry| entry.read_by & (1 << place) != 0);
                let device = last.map_or_else(|| owner(&group.members, &scene).device, |entry| entry.seen.device);
                let state = if is_installed(device, subject, self.last_tick, facts) {
                    state
                } else {
                    JudgedState::NotJudged { reason: NotJudged::NotInstalled }
                };
                let (rule, as_of) = (timeline.code.clone(), as_of.map(EventTime));
                found.push(Explanation { rule, rule_version, device, as_of, state });
            }
        }
        found
    }

    pub(super) fn standing_in_groups(&self, all: &mut Vec<Episode>) {
        let facts = Facts::default();
        for group in &self.groups.list {
            for seat in &group.seats {
                let Some(timeline) = self.timelines.get(seat.rule) else { continue };
                let (outages, key) = (&self.outages, &group.key);
                let atlas = &self.atlas;
                let scene = Scene {
                    facts: &facts,
                    atlas,
                    outages,
                    timeline,
                    group: key,
                    now: self.last_tick,
                    newest: i64::MIN,
                };
                all.extend(seat.track.episodes(&owner(&group.members, &scene), self.partition));
            }
        }
    }
}

impl Group {
    fn concerns(&self, subject: SubjectId) -> bool {
        match self.key {
            GroupKey::Subject(of) | GroupKey::Gate(of) | GroupKey::Site(of) => of == subject,
            GroupKey::Device(_) | GroupKey::Plate(_) | GroupKey::District => {
                self.members.iter().any(|member| member.subject == subject)
            }
        }
    }
}

fn is_installed(device: DeviceId, subject: SubjectId, now: i64, facts: &Facts) -> bool {
    let enabled = facts.devices.get(&device).is_some_and(|device| device.enabled)
        && facts.subjects.get(&subject).is_some_and(|subject| subject.active);
    enabled && (now == i64::MIN || facts.installation_at(device, EventTime(now)).is_some())
}
