//! Mean over a sliding window above the limit.
//!
//! Event time is cut into slots as long as the device's expected interval (or the rule's `interval`). A slot's value is the
//! mean of its valid samples, in fixed point (10⁻⁶), so it does not depend on their order. The window's value at a slot is
//! the plain mean of the slots' values within the window that ends with it: each minute weighs the same, however many
//! samples it holds. It is judged when the slot itself has a valid sample and at least `valid_share_min` of the window's
//! slots have one; otherwise the slot is skipped. A slot's time is that of its earliest sample. The newest slot is judged at
//! once and again with each further sample.
//!
//! A sample is valid when its flag is Normal and the rule's `only_while` quantity, where the record has it, is high enough.

use super::codec::{Reader, Writer};
use super::limits::{self, LimitRow};
use super::machine::{Machine, Reading, Signal, Stretch, Terms};
use super::timeline::{Timeline, Version};
use super::{Fixed, Where};
use crate::definition::{Exceedance as Rule, Kind};
use crate::explain::{JudgedState, NotJudged};
use model::id::LimitId;
use model::record::Flag;
use std::collections::VecDeque;

/// One sample of the quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) at: i64,
    pub(super) record_slot: u32,
    pub(super) seq: u64,
    /// `None`: excluded by its flag or by `only_while`.
    pub(super) value: Option<Fixed>,
    pub(super) flag: Flag,
}

#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "`record_slot` is the record key's word")]
struct Slot {
    index: i64,
    at: i64,
    sum: Fixed,
    valid: u32,
    total: u32,
    seq: u64,
    record_slot: u32,
    flag: Flag,
    /// Every sample, when there is more than one; empty again when there were too many to keep.
    samples: Vec<Sample>,
}

/// What a key needs of the facts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) slot_ms: i64,
    /// By number of the rule's version, the rows that fit its terms.
    pub(super) limits: Vec<(u32, Vec<LimitRow>)>,
    /// The longest window of any version.
    pub(super) window_ms_max: i64,
}

impl Plan {
    fn limit(&self, version: &Version, at: i64) -> Option<&LimitRow> {
        let (_, rows) = self.limits.iter().find(|(number, _)| *number == version.number)?;
        limits::at(rows, at)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    slot_ms: i64,
    slots: VecDeque<Slot>,
    /// First slot index that may still change.
    cut: i64,
    frozen: Machine,
    pub(super) finals: Vec<Stretch>,
    // The rest follows from what is above.
    /// After all slots but the newest.
    before: Machine,
    done: Vec<Stretch>,
    tip: Machine,
    tip_closed: Option<Stretch>,
}

impl State {
    pub(super) fn new(slot_ms: i64) -> Self {
        Self {
            slot_ms,
            slots: VecDeque::new(),
            cut: i64::MIN,
            frozen: Machine::default(),
            finals: Vec::new(),
            before: Machine::default(),
            done: Vec::new(),
            tip: Machine::default(),
            tip_closed: None,
        }
    }

    /// Takes a sample in. `revised`: it replaces the one of the same time and record slot.
    pub(super) fn insert(&mut self, sample: Sample, revised: bool) -> Where {
        let index = sample.at.div_euclid(self.slot_ms);
        if index < self.cut {
            return Where::BeyondHorizon;
        }
        match self.slots.back_mut() {
            Some(last) if last.index == index => {
                if !last.put(sample, revised) {
                    return Where::NotRevisable;
                }
                Where::Newest
            }
            Some(last) if last.index > index => {
                let place = self.slots.partition_point(|slot| slot.index < index);
                if let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.index == index) {
                    return if slot.put(sample, revised) { Where::Late } else { Where::NotRevisable };
                }
                self.slots.insert(place, Slot::new(index, sample));
                Where::Late
            }
            _ => {
                self.slots.push_back(Slot::new(index, sample));
                Where::Next
            }
        }
    }

    /// Removes the sample of a record that was revised and no longer has the quantity.
    pub(super) fn remove(&mut self, at: i64, record_slot: u32) -> Where {
        let index = at.div_euclid(self.slot_ms);
        let place = self.slots.partition_point(|slot| slot.index < index);
        if index < self.cut {
            return Where::BeyondHorizon;
        }
        let Some(slot) = self.slots.get_mut(place).filter(|slot| slot.index == index) else { return Where::Nothing };
        match slot.take(at, record_slot) {
            Taken::Not => Where::Nothing,
            Taken::Unknown => Where::NotRevisable,
            Taken::Empty => {
                self.slots.remove(place);
                Where::Late
            }
            Taken::Left => Where::Late,
        }
    }

    /// The newest slot is a new one: one step.
    pub(super) fn next(&mut self, timeline: &Timeline, plan: &Plan) {
        self.before = std::mem::take(&mut self.tip);
        self.done.extend(self.tip_closed.take());
        self.newest(timeline, plan);
    }

    /// The newest slot changed: judge it again.
    pub(super) fn newest(&mut self, timeline: &Timeline, plan: &Plan) {
        self.tip = self.before.clone();
        self.tip_closed = None;
        if let Some(last) = self.slots.len().checked_sub(1) {
            let (reading, terms) = self.reading(last, timeline, plan);
            self.tip_closed = self.tip.step(&reading, &terms);
        }
    }

    /// From the horizon's edge, for anything that is not in order.
    pub(super) fn replay(&mut self, timeline: &Timeline, plan: &Plan) {
        if plan.slot_ms != self.slot_ms {
            self.regroup(plan.slot_ms);
        }
        let mut machine = self.frozen.clone();
        self.done.clear();
        let first = self.slots.partition_point(|slot| slot.index < self.cut);
        let newest = self.slots.len().saturating_sub(1);
        for place in first..newest {
            let (reading, terms) = self.reading(place, timeline, plan);
            self.done.extend(machine.step(&reading, &terms));
        }
        self.before = machine;
        self.newest(timeline, plan);
    }

    /// Makes final what lies before the horizon or beyond the memory bound; returns how many slots the bound took.
    pub(super) fn freeze(&mut self, timeline: &Timeline, plan: &Plan) -> u64 {
        let version = timeline.newest();
        let Some(newest) = self.slots.back().map(|slot| slot.index) else { return 0 };
        let lookback = plan.window_ms_max / self.slot_ms;
        let mut cut =
            newest.saturating_mul(self.slot_ms).saturating_sub(version.rule.horizon_ms).div_euclid(self.slot_ms);
        let kept_max = version.rule.observations_max.max(usize::try_from(lookback).unwrap_or(0).saturating_mul(2));
        let mut bounded = 0;
        if let Some(excess) = self.slots.len().checked_sub(kept_max).filter(|excess| *excess > 0)
            && let Some(slot) = self.slots.get(excess)
        {
            let forced = slot.index.saturating_add(lookback).min(newest);
            if forced > cut {
                bounded = excess as u64;
                cut = forced;
            }
        }
        if cut <= self.cut {
            return bounded;
        }
        let first = self.slots.partition_point(|slot| slot.index < self.cut);
        let past = self.slots.partition_point(|slot| slot.index < cut);
        for place in first..past {
            let (reading, terms) = self.reading(place, timeline, plan);
            if let Some(closed) = self.frozen.step(&reading, &terms) {
                self.finals.push(closed);
                if !self.done.is_empty() {
                    self.done.remove(0);
                }
            }
        }
        self.cut = cut;
        while self.slots.front().is_some_and(|slot| slot.index < cut - lookback) {
            self.slots.pop_front();
        }
        bounded
    }

    fn reading(&self, place: usize, timeline: &Timeline, plan: &Plan) -> (Reading, Terms) {
        let Some(slot) = self.slots.get(place) else { return (Reading::default(), ALWAYS) };
        let version = timeline.at(slot.at);
        let Kind::Exceedance(rule) = &version.rule.kind else { return (Reading::default(), ALWAYS) };
        let terms = Terms { for_ms: rule.for_ms, count_min: 1, clear_ms: rule.clear_ms, gap_ms: rule.window_ms };
        let mut reading = Reading { at: slot.at, version: version.number, seq: slot.seq, ..Reading::default() };
        let Some(limit) = plan.limit(version, slot.at).filter(|_| version.active) else {
            reading.signal = Signal::Stop;
            return (reading, terms);
        };
        reading.threshold = limit.value;
        reading.limit = limit.id;
        if let Ok(mean) = self.window(place, rule, version.alike_from) {
            reading.value = super::float(mean);
            reading.signal = if mean > limit.fixed {
                Signal::Over
            } else if mean <= clear_level(limit.fixed, rule.clear_factor) {
                Signal::Clear
            } else {
                Signal::Between
            };
        }
        (reading, terms)
    }

    /// The window's mean at a slot, or why there is none. Before `alike_from` something else was observed.
    fn window(&self, place: usize, rule: &Rule, alike_from: i64) -> Result<Fixed, NotJudged> {
        let Some(slot) = self.slots.get(place) else { return Err(NotJudged::NoData) };
        if slot.valid == 0 {
            return Err(NotJudged::Flagged { flag: slot.flag });
        }
        let expected = (rule.window_ms / self.slot_ms).max(1);
        let (mut sum, mut valid) = (0 as Fixed, 0u32);
        for earlier in self.slots.iter().take(place + 1).rev() {
            if earlier.index <= slot.index - expected || earlier.at < alike_from {
                break;
            }
            if earlier.valid > 0 {
                sum += earlier.mean();
                valid += 1;
            }
        }
        let expected = u32::try_from(expected).unwrap_or(u32::MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small count")]
        let needed = ((f64::from(expected) * rule.valid_share_min).ceil() as u32).max(1);
        if valid < needed {
            return Err(NotJudged::TooFewValid { valid, expected, needed });
        }
        Ok(divide(sum, i64::from(valid)))
    }

    pub(super) fn explain(&self, timeline: &Timeline, plan: &Plan) -> (Option<i64>, JudgedState) {
        let not = |reason| JudgedState::NotJudged { reason };
        let Some((place, slot)) =
            self.slots.len().checked_sub(1).and_then(|place| Some((place, self.slots.get(place)?)))
        else {
            return (None, not(NotJudged::NoData));
        };
        let version = timeline.at(slot.at);
        let Kind::Exceedance(rule) = &version.rule.kind else { return (None, not(NotJudged::NoData)) };
        let newest = slot.samples.iter().map(|sample| sample.at).max().unwrap_or(slot.at);
        let Some(limit) = plan.limit(version, slot.at) else { return (Some(newest), not(NotJudged::NoLimit)) };
        let state = match self.window(place, rule, version.alike_from) {
            Err(reason) => not(reason),
            Ok(mean) => JudgedState::Judged {
                value: super::float(mean),
                threshold: limit.value,
                limit: Some(LimitId(limit.id)),
                permit: None,
                over: mean > limit.fixed,
                in_episode: self.tip.is_active(),
            },
        };
        (Some(newest), state)
    }

    pub(super) fn derive(&self, absent: bool, into: &mut Vec<Stretch>) {
        into.extend(self.finals.iter().cloned());
        into.extend(self.done.iter().cloned());
        into.extend(self.tip_closed.clone());
        into.extend(self.tip.open(absent));
    }

    pub(super) const fn is_active(&self) -> bool {
        self.tip.is_active()
    }

    pub(super) const fn frontier(&self) -> i64 {
        self.tip.last()
    }

    /// Number of stretches and whether one lasts: changes exactly when bounds in order may have changed.
    pub(super) fn shape(&self) -> (usize, bool) {
        (self.finals.len() + self.done.len() + usize::from(self.tip_closed.is_some()), self.tip.is_active())
    }

    /// The expected interval changed: the samples go into slots of the new length.
    fn regroup(&mut self, slot_ms: i64) {
        let old = std::mem::take(&mut self.slots);
        self.cut =
            if self.cut == i64::MIN { self.cut } else { self.cut.saturating_mul(self.slot_ms).div_euclid(slot_ms) + 1 };
        let cut = std::mem::replace(&mut self.cut, i64::MIN);
        self.slot_ms = slot_ms;
        for slot in old {
            for sample in slot.all() {
                self.insert(sample, false);
            }
        }
        self.cut = cut;
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.signed(self.slot_ms);
        w.signed(self.cut);
        self.frozen.write(w);
        w.unsigned(self.finals.len() as u64);
        self.finals.iter().for_each(|stretch| stretch.write(w));
        w.unsigned(self.slots.len() as u64);
        let (mut at, mut sum, mut seq) = (0, 0, 0);
        for slot in &self.slots {
            w.signed(slot.at.wrapping_sub(at));
            w.signed(slot.sum.wrapping_sub(sum));
            w.signed(slot.seq.cast_signed().wrapping_sub(seq));
            w.unsigned(u64::from(slot.valid));
            w.unsigned(u64::from(slot.total));
            w.unsigned(u64::from(slot.record_slot));
            w.0.push(slot.flag as u8);
            w.unsigned(slot.samples.len() as u64);
            for sample in &slot.samples {
                w.signed(sample.at - slot.at);
                w.unsigned(u64::from(sample.record_slot));
                w.unsigned(sample.seq);
                w.optional(sample.value);
                w.0.push(sample.flag as u8);
            }
            (at, sum, seq) = (slot.at, slot.sum, slot.seq.cast_signed());
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Option<Self> {
        let mut state = Self::new(r.signed().filter(|ms| *ms > 0)?);
        state.cut = r.signed()?;
        state.frozen = Machine::read(r)?;
        state.finals = (0..r.count()?).map(|_| Stretch::read(r)).collect::<Option<_>>()?;
        let (mut at, mut sum, mut seq) = (0i64, 0i64, 0i64);
        for _ in 0..r.count()? {
            at = at.wrapping_add(r.signed()?);
            sum = sum.wrapping_add(r.signed()?);
            seq = seq.wrapping_add(r.signed()?);
            let (valid, total, record_slot) = (r.small()?, r.small()?, r.small()?);
            let flag = Flag::from_u8(r.byte()?)?;
            let mut samples = Vec::new();
            for _ in 0..r.count()? {
                let at = at.checked_add(r.signed()?)?;
                let (record_slot, seq, value) = (r.small()?, r.unsigned()?, r.optional()?);
                samples.push(Sample { at, record_slot, seq, value, flag: Flag::from_u8(r.byte()?)? });
            }
            let index = at.div_euclid(state.slot_ms);
            let seq = seq.cast_unsigned();
            state.slots.push_back(Slot { index, at, sum, valid, total, seq, record_slot, flag, samples });
        }
        Some(state)
    }
}

enum Taken {
    Not,
    Unknown,
    Empty,
    Left,
}

impl Slot {
    fn new(index: i64, sample: Sample) -> Self {
        Self {
            index,
            at: sample.at,
            sum: sample.value.unwrap_or(0),
            valid: u32::from(sample.value.is_some()),
            total: 1,
            seq: sample.seq,
            record_slot: sample.record_slot,
            flag: sample.flag,
            samples: Vec::new(),
        }
    }

    fn mean(&self) -> Fixed {
        if self.valid == 1 { self.sum } else { divide(self.sum, i64::from(self.valid)) }
    }

    /// The samples that are known one by one; a slot with too many gives their mean as one.
    fn all(&self) -> Vec<Sample> {
        if self.samples.is_empty() {
            let value = (self.valid > 0).then(|| self.mean());
            return vec![Sample { at: self.at, record_slot: self.record_slot, seq: self.seq, value, flag: self.flag }];
        }
        self.samples.clone()
    }

    const fn is_dense(&self) -> bool {
        self.total > 1 && self.samples.is_empty()
    }

    /// False: the sample it revises is no longer known.
    fn put(&mut self, sample: Sample, revised: bool) -> bool {
        if revised {
            if self.is_dense() {
                return false;
            }
            let mut samples = self.all();
            samples.retain(|known| (known.at, known.record_slot) != (sample.at, sample.record_slot));
            samples.push(sample);
            self.rebuild(samples);
            return true;
        }
        if self.is_dense() || self.total as usize >= SAMPLES_MAX {
            self.samples = Vec::new();
            self.sum += sample.value.unwrap_or(0);
            self.valid += u32::from(sample.value.is_some());
            self.total = self.total.saturating_add(1);
            self.at = self.at.min(sample.at);
            self.seq = self.seq.max(sample.seq);
            return true;
        }
        let mut samples = std::mem::take(&mut self.samples);
        if samples.is_empty() {
            samples = self.all();
        }
        samples.push(sample);
        self.rebuild(samples);
        true
    }

    fn take(&mut self, at: i64, record_slot: u32) -> Taken {
        if self.is_dense() {
            return Taken::Unknown;
        }
        let mut samples = self.all();
        let before = samples.len();
        samples.retain(|known| (known.at, known.record_slot) != (at, record_slot));
        if samples.len() == before {
            return Taken::Not;
        }
        if samples.is_empty() {
            return Taken::Empty;
        }
        self.rebuild(samples);
        Taken::Left
    }

    fn rebuild(&mut self, mut samples: Vec<Sample>) {
        samples.sort_by_key(|sample| (sample.at, sample.record_slot));
        let Some((first, newest)) = samples.first().copied().zip(samples.last().copied()) else { return };
        self.at = first.at;
        self.record_slot = first.record_slot;
        self.flag = newest.flag;
        self.sum = samples.iter().filter_map(|sample| sample.value).sum();
        self.valid = u32::try_from(samples.iter().filter(|sample| sample.value.is_some()).count()).unwrap_or(u32::MAX);
        self.total = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        self.seq = samples.iter().map(|sample| sample.seq).max().unwrap_or(self.seq);
        self.samples = if samples.len() > 1 { samples } else { Vec::new() };
    }
}

/// Rounded half away from zero, the same on every machine.
const fn divide(sum: Fixed, by: i64) -> Fixed {
    let half = by / 2;
    if sum >= 0 { (sum + half) / by } else { (sum - half) / by }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "limits are far below 2^53")]
fn clear_level(limit: Fixed, factor: f64) -> Fixed {
    if factor >= 1.0 { limit } else { (limit as f64 * factor).round() as Fixed }
}

const ALWAYS: Terms = Terms { for_ms: 0, count_min: 1, clear_ms: 0, gap_ms: i64::MAX };
/// Samples of a slot kept one by one, so that each can be revised.
const SAMPLES_MAX: usize = 16;
