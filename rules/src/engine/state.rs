//! Saved state: one row of bytes per key and one for the engine itself (empty rule). The first byte is the format. What is
//! derived is not saved; it is replayed on load. Restoring and saving gives the same bytes.

use super::codec::{FORMAT, Reader, Writer};
use super::group::{Around, Group};
use super::judge::GroupKey;
use super::key::{Key, World};
use super::outages::Outages;
use super::{Counters, Engine, Timeline};
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};

/// A row of saved state: `rule`, `subject` and `device` name the key; the engine's own row has an empty rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    pub rule: String,
    pub subject: i64,
    pub device: i64,
    pub blob: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the state of rule {rule:?} for subject {subject} is of format {found}, this program knows {known}")]
    Format { rule: String, subject: i64, found: u8, known: u8 },
    #[error("the state of rule {rule:?} for subject {subject} is damaged at byte {offset}")]
    Damaged { rule: String, subject: i64, offset: usize },
}

impl Engine {
    /// Rows that changed since the last call, the engine's own always among them.
    pub fn save(&mut self) -> Vec<StateRow> {
        let mut rows = vec![StateRow { rule: String::new(), subject: 0, device: 0, blob: self.own() }];
        self.sort();
        for index in &self.order {
            let Some(key) = self.keys.get_mut(*index).filter(|key| key.dirty) else { continue };
            key.dirty = false;
            let Some(timeline) = self.timelines.get(key.rule) else { continue };
            let mut w = Writer::default();
            w.0.push(FORMAT);
            key.write(&mut w);
            let (rule, subject, device) = (timeline.code.clone(), key.subject.0, key.device.0);
            rows.push(StateRow { rule, subject, device, blob: w.0 });
        }
        self.save_groups(&mut rows);
        rows
    }

    /// Groups that changed; one that was let go of has a row without bytes.
    fn save_groups(&mut self, rows: &mut Vec<StateRow>) {
        let facts = Facts::default();
        let around = Around {
            timelines: &self.timelines,
            outages: &self.outages,
            facts: &facts,
            atlas: &self.atlas,
            now: self.last_tick,
        };
        for key in std::mem::take(&mut self.groups.gone) {
            let (rule, subject) = key.name();
            rows.push(StateRow { rule, subject, device: 0, blob: Vec::new() });
        }
        for place in self.groups.sorted() {
            let Some(group) = self.groups.list.get_mut(place).filter(|group| group.dirty) else { continue };
            group.dirty = false;
            let mut w = Writer::default();
            w.0.push(FORMAT);
            group.write(&around, &mut w);
            let (rule, subject) = group.key.name();
            rows.push(StateRow { rule, subject, device: 0, blob: w.0 });
        }
    }

    /// For a full copy of the state: the next [`Self::save`] gives every row.
    pub fn mark_all_dirty(&mut self) {
        self.keys.iter_mut().for_each(|key| key.dirty = true);
        self.groups.list.iter_mut().for_each(|group| group.dirty = true);
    }

    fn own(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.0.push(FORMAT);
        w.unsigned(u64::from(self.partition));
        w.signed(self.next_id);
        w.signed(self.last_tick);
        self.outages.write(&mut w);
        let c = &self.counters;
        for counter in
            [c.beyond_horizon, c.memory_bound, c.revision_not_judged, c.not_installed, c.rules_refused, c.facts_bound]
        {
            w.unsigned(counter);
        }
        w.unsigned(self.timelines.len() as u64);
        self.timelines.iter().for_each(|timeline| timeline.write(&mut w));
        w.0
    }

    /// The engine as it was when the rows were saved. `facts` must be as of the same place. No rows: a new engine.
    pub fn restore(facts: &Facts, rows: &[StateRow]) -> Result<Self, StateError> {
        let mut engine = Self::new(facts);
        if let Some(own) = rows.iter().find(|row| row.rule.is_empty()) {
            reading(own, |r| engine.read_own(r))?;
        }
        let is_group = |row: &&StateRow| row.rule.starts_with('@');
        for row in rows.iter().filter(|row| !row.rule.is_empty() && !is_group(row)) {
            reading(row, |r| engine.read_key(row, facts, r))?;
        }
        engine.groups.index(&engine.timelines);
        for row in rows.iter().filter(|row| is_group(row) && !row.blob.is_empty()) {
            reading(row, |r| engine.read_group(row, facts, r))?;
        }
        let keys = &engine.keys;
        for entry in engine.devices.values_mut() {
            entry.keys.sort_by_key(|index| keys.get(*index).map(|key| (key.subject, key.rule)));
        }
        Ok(engine)
    }

    fn read_group(&mut self, row: &StateRow, facts: &Facts, r: &mut Reader<'_>) -> Option<()> {
        let key = GroupKey::from_name(&row.rule, row.subject)?;
        let around = Around {
            timelines: &self.timelines,
            outages: &self.outages,
            facts,
            atlas: &self.atlas,
            now: self.last_tick,
        };
        let (group, members) = Group::read(key, &around, r)?;
        self.groups.restore(group, &members, &around);
        Some(())
    }

    fn read_own(&mut self, r: &mut Reader<'_>) -> Option<()> {
        self.partition = u16::try_from(r.unsigned()?).ok()?;
        self.next_id = r.signed()?;
        self.last_tick = r.signed()?;
        self.outages = Outages::read(r)?;
        self.counters = Counters {
            beyond_horizon: r.unsigned()?,
            memory_bound: r.unsigned()?,
            revision_not_judged: r.unsigned()?,
            not_installed: r.unsigned()?,
            rules_refused: r.unsigned()?,
            facts_bound: if r.format() < 2 { 0 } else { r.unsigned()? },
        };
        self.timelines = (0..r.count()?).map(|_| Timeline::read(r)).collect::<Option<_>>()?;
        Some(())
    }

    fn read_key(&mut self, row: &StateRow, facts: &Facts, r: &mut Reader<'_>) -> Option<()> {
        let rule = self.timelines.iter().position(|timeline| timeline.code == row.rule)?;
        let (subject, device) = (SubjectId(row.subject), DeviceId(row.device));
        let protocol = facts.devices.get(&device)?.protocol;
        let world = World { timeline: self.timelines.get(rule)?, outages: &self.outages, facts };
        let mut key = Key::new(rule, subject, device, protocol, &world)?;
        key.read(r, &world)?;
        self.devices.entry(device).or_default().keys.push(self.keys.len());
        self.order.push(self.keys.len());
        self.keys.push(key);
        self.is_sorted = false;
        Some(())
    }
}

fn reading(row: &StateRow, read: impl FnOnce(&mut Reader<'_>) -> Option<()>) -> Result<(), StateError> {
    let (rule, subject) = (row.rule.clone(), row.subject);
    let mut r = Reader::new(&row.blob);
    if r.read_format().is_none() {
        return Err(match row.blob.first() {
            Some(found) => StateError::Format { rule, subject, found: *found, known: FORMAT },
            None => StateError::Damaged { rule, subject, offset: 0 },
        });
    }
    match read(&mut r) {
        Some(()) if r.is_done() => Ok(()),
        _ => Err(StateError::Damaged { rule, subject, offset: r.at }),
    }
}
