//! A register edit: the keys that it concerns are planned and judged again with the new facts, within their horizon.

use super::group::Group;
use super::groups::Parts;
use super::judge::GroupKey;
use super::key::World;
use super::track::Moment;
use super::{Engine, Timeline, parts};
use model::envelope::Position;
use model::episode::EpisodeChange;
use model::facts::Facts;
use model::register::{Object, Revision, RuleVersion, SubjectDetails};

impl Engine {
    pub(super) fn on_revision(
        &mut self,
        revision: &Revision,
        position: Position,
        facts: &Facts,
        out: &mut Vec<EpisodeChange>,
    ) {
        let moment = Moment { position, at: revision.at };
        self.atlas.apply(&revision.object);
        match &revision.object {
            Object::Rule(version) => {
                if let Some(rule) = self.on_rule(version, revision.at.0) {
                    self.unprepare();
                    self.judge_again(&moment, facts, out, |key| key.rule == rule);
                }
            }
            Object::Limit(_) | Object::Grid(_) => {
                self.judge_again(&moment, facts, out, super::key::Key::is_exceedance);
            }
            Object::Permit(permit) => {
                let concerns = |key: &super::key::Key| {
                    key.is_route() && (permit.trucks.contains(&key.subject) || key.measures(permit.id.0))
                };
                self.judge_again(&moment, facts, out, concerns);
            }
            Object::Subject(subject) => {
                self.unprepare();
                self.judge_again(&moment, facts, out, |key| key.subject == subject.id);
            }
            Object::Device(device) => {
                self.devices.entry(device.id).and_modify(|entry| entry.prepared.clear());
                self.judge_again(&moment, facts, out, |key| key.device == device.id);
            }
            Object::Profile(profile) => {
                let uses = |key: &super::key::Key| {
                    facts.devices.get(&key.device).is_some_and(|device| device.profile == profile.code)
                };
                self.judge_again(&moment, facts, out, uses);
            }
            Object::Installation(row) => {
                self.judge_again(&moment, facts, out, |key| key.device == row.device);
            }
            Object::Office(_)
            | Object::Calendar(_)
            | Object::Area(_)
            | Object::Notice(_)
            | Object::NightPermit(_)
            | Object::Cleaning(_)
            | Object::Manifest(_)
            | Object::Maintenance(_)
            | Object::Schedule(_)
            | Object::Background(_) => {}
        }
        self.plan_groups(&revision.object, &moment, facts, out);
    }

    /// Groups look for themselves whether what they judge by is other than before.
    fn plan_groups(&mut self, object: &Object, moment: &Moment, facts: &Facts, out: &mut Vec<EpisodeChange>) {
        let concerns = |group: &Group| match object {
            Object::Office(_) => false,
            Object::Subject(row) => {
                let is_member = group.members.iter().any(|member| member.subject == row.id);
                let is_asked = match row.details {
                    // Every truck asks where sites and disposal sites are, every gate whose plate it saw.
                    SubjectDetails::Site { .. } | SubjectDetails::DisposalSite { .. } => true,
                    SubjectDetails::Truck { .. } => matches!(group.key, GroupKey::Gate(_) | GroupKey::District),
                    SubjectDetails::Restaurant { .. } | SubjectDetails::Gate { .. } => false,
                };
                is_member || is_asked || matches!(group.key, GroupKey::Site(site) if site == row.id)
            }
            Object::Device(row) => group.members.iter().any(|member| member.device == row.id),
            Object::Installation(row) => group.members.iter().any(|member| member.device == row.device),
            _ => true,
        };
        if matches!(object, Object::Rule(_)) {
            self.groups.index(&self.timelines);
        }
        let mut parts = parts!(self, *moment, facts, out);
        self.groups.plan(false, &mut parts, concerns);
    }

    /// The rule's place in the list, when the version was taken.
    fn on_rule(&mut self, version: &RuleVersion, at: i64) -> Option<usize> {
        let RuleVersion { code, version: number, text, active } = version;
        if let Some(rule) = self.timelines.iter().position(|timeline| timeline.code == *code) {
            if self.timelines.get_mut(rule)?.add(*number, *active, text, at) {
                return Some(rule);
            }
        } else if let Some(timeline) = Timeline::new(code, *number, *active, text, at) {
            self.timelines.push(timeline);
            return Some(self.timelines.len() - 1);
        }
        self.counters.rules_refused += 1;
        None
    }

    fn unprepare(&mut self) {
        self.devices.values_mut().for_each(|entry| entry.prepared.clear());
    }

    fn judge_again(
        &mut self,
        moment: &Moment,
        facts: &Facts,
        out: &mut Vec<EpisodeChange>,
        concerns: impl Fn(&super::key::Key) -> bool,
    ) {
        self.sort();
        for index in &self.order {
            let Some(key) = self.keys.get_mut(*index).filter(|key| concerns(key)) else { continue };
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let world = World { timeline, outages: &self.outages, facts };
            if key.plan_again(&world) {
                key.tell(&world, moment, &mut self.next_id, &mut self.scratch, out);
            }
        }
    }
}
