//! The operators that remember: windows, runs, steps, daily counts and baselines. Each takes samples in event-time order and
//! is a function of them alone. Sums are in fixed point.
//!
//! A window is cut into slots as long as the device's expected interval; a slot's value is the mean of its samples, so that
//! each minute weighs the same however many samples it holds. A window is known when the newest sample is valid and enough
//! slots have a valid one.

use super::program::{Value, Why};
use crate::engine::codec::{Reader, Writer};
use model::register::windows::local_minute;
use model::time::{EventTime, local_day};
use std::collections::VecDeque;
use std::sync::Arc;

/// What an operator gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Mean,
    Sum,
    Count,
    /// Share of the slots in which it held.
    Share,
    Least,
    Most,
    /// 0 to 1; 0.5 is the median.
    Percentile(f64),
    /// Greatest minus least.
    Spread,
    /// The newest minus the oldest of the window, per hour.
    Rate,
    /// The sample before; no window.
    Previous,
    /// For how long the samples have been the same, seconds; no window.
    Same,
    /// Seconds since the sample before, less our outages; no window.
    Pause,
    /// How many slots of the window's length in the local day held at their last sample.
    Daily,
    /// On how many days of the window it held at the minute of the day at which it held last; 0 when that is a day ago.
    Repeats,
    /// Median of the days before; the window is how many days.
    Baseline,
}

/// An operator without its state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spec {
    pub(super) shape: Shape,
    pub(super) window_ms: i64,
    pub(super) valid_share_min: f64,
    /// For [`Shape::Same`]: what differs by no more is the same. For [`Shape::Baseline`]: the least number of days.
    /// For [`Shape::Repeats`]: minutes.
    pub(super) within: f64,
}

/// A slot of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slot {
    index: i64,
    sum: i64,
    count: u32,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    slots: VecDeque<Slot>,
    /// Sum of the slots' means.
    total: i64,
    /// For ranks: the slots' means, ordered.
    ranks: Vec<i64>,
    last: Option<(i64, i64)>,
    /// For runs: since when, and the value they began with. For pauses: the pause. For days: day and slots that held.
    since: Option<(i64, i64)>,
    count: u32,
    days: Option<Arc<Days>>,
    today: Vec<(u16, u32)>,
}

/// Histograms of finished days, and the median of them all.
#[derive(Debug, Clone, PartialEq, Default)]
struct Days {
    list: VecDeque<(i64, Vec<(u16, u32)>)>,
    median: Option<f64>,
}

/// What a step needs to know besides the sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) at: i64,
    pub(super) slot_ms: i64,
    /// Our outages since the sample before.
    pub(super) outage_ms: i64,
}

impl Spec {
    fn is_ranked(&self) -> bool {
        matches!(self.shape, Shape::Least | Shape::Most | Shape::Percentile(_) | Shape::Spread)
    }

    /// The next sample.
    pub(super) fn step(&self, state: &mut State, sample: Value, around: Around) -> Value {
        match self.shape {
            Shape::Previous => state.previous(sample),
            Shape::Same => state.same(sample, around.at, self.within),
            Shape::Pause => state.pause(around),
            Shape::Repeats => self.repeats(state, sample, around.at),
            Shape::Daily => self.daily(state, sample, around.at),
            Shape::Baseline => self.baseline(state, sample, around.at),
            _ => self.window(state, sample, around),
        }
    }

    fn window(&self, state: &mut State, sample: Value, around: Around) -> Value {
        let slot_ms = around.slot_ms.clamp((self.window_ms / SLOTS_MAX).max(1), self.window_ms.max(1));
        let expected = (self.window_ms / slot_ms).max(1);
        let index = around.at.div_euclid(slot_ms);
        while let Some(first) = state.slots.front().copied().filter(|slot| slot.index <= index - expected) {
            state.slots.pop_front();
            self.drop(state, first.mean());
        }
        if matches!(self.shape, Shape::Count) {
            self.add(state, index, fixed(if sample.holds() == Some(true) { 1.0 } else { 0.0 }).unwrap_or(0), sample);
            let count: u32 = state.slots.iter().map(|slot| u32::try_from(slot.sum / ONE).unwrap_or(0)).sum();
            return Value::known(f64::from(count));
        }
        let Some(value) = sample.get().and_then(fixed) else {
            return Value::unknown(if sample.is_known() { Why::NotANumber } else { sample.why });
        };
        self.add(state, index, value, sample);
        let valid = i64::try_from(state.slots.len()).unwrap_or(i64::MAX);
        let needed = needed(expected, self.valid_share_min);
        if valid < needed {
            return Value::unknown(Why::TooFew {
                valid: short(valid),
                expected: short(expected),
                needed: short(needed),
            });
        }
        let ranked = |place: usize| state.ranks.get(place).copied().unwrap_or_default();
        let last = state.ranks.len().saturating_sub(1);
        Value::known(match self.shape {
            Shape::Sum => float(state.slots.iter().map(|slot| slot.sum).sum()),
            Shape::Least => float(ranked(0)),
            Shape::Most => float(ranked(last)),
            Shape::Spread => float(ranked(last) - ranked(0)),
            Shape::Percentile(share) => float(ranked(rank(last, share))),
            Shape::Rate => {
                let Some((first, now)) = state.slots.front().zip(state.slots.back()) else {
                    return Value::unknown(Why::NoData);
                };
                let hours = float((now.index - first.index).saturating_mul(slot_ms).saturating_mul(1_000)) / 3_600.0;
                if hours <= 0.0 {
                    return Value::unknown(Why::NoData);
                }
                float(now.mean() - first.mean()) / hours
            }
            _ => float(divide(state.total, valid)),
        })
    }

    fn add(&self, state: &mut State, index: i64, value: i64, sample: Value) {
        if !sample.is_known() {
            return;
        }
        match state.slots.back().copied().filter(|slot| slot.index == index) {
            Some(slot) => {
                self.drop(state, slot.mean());
                if let Some(last) = state.slots.back_mut() {
                    (last.sum, last.count) = (last.sum + value, last.count.saturating_add(1));
                }
            }
            None => state.slots.push_back(Slot { index, sum: value, count: 1 }),
        }
        let mean = state.slots.back().map_or(0, Slot::mean);
        state.total += mean;
        if self.is_ranked() {
            // Behind its equals: most windows are full of them, and little has to move then.
            let place = state.ranks.partition_point(|known| *known <= mean);
            state.ranks.insert(place, mean);
        }
    }

    fn drop(&self, state: &mut State, mean: i64) {
        state.total -= mean;
        if self.is_ranked() {
            let behind = state.ranks.partition_point(|known| *known <= mean);
            if let Some(place) = behind.checked_sub(1) {
                state.ranks.remove(place);
            }
        }
    }

    fn repeats(&self, state: &mut State, sample: Value, at: i64) -> Value {
        let (day, minute) = (local_day(EventTime(at)), i64::from(local_minute(EventTime(at))));
        if sample.holds() == Some(true) {
            while state.slots.front().is_some_and(|slot| slot.index <= day - (self.window_ms / DAY).max(1)) {
                state.slots.pop_front();
            }
            if !state.slots.iter().any(|slot| (slot.index, slot.sum) == (day, minute)) {
                state.slots.push_back(Slot { index: day, sum: minute, count: 1 });
            }
            if state.slots.len() > REPEATS_MAX {
                state.slots.pop_front();
            }
            let near = |slot: &Slot| {
                let apart = (slot.sum - minute).abs();
                float(apart.min(1_440 - apart) * ONE) <= self.within
            };
            let (mut days, mut last) = (0, i64::MIN);
            for slot in state.slots.iter().filter(|slot| near(slot)) {
                days += i64::from(slot.index != last);
                last = slot.index;
            }
            // Another moment of the same day takes nothing away.
            let before =
                state.since.filter(|(since, _)| local_day(EventTime(*since)) == day).map_or(0, |(_, days)| days);
            state.since = Some((at, days.max(before)));
        }
        let days =
            state.since.filter(|(since, _)| at.saturating_sub(*since) <= DAY + DAY / 24).map_or(0, |(_, days)| days);
        Value::known(float(days * ONE))
    }

    fn daily(&self, state: &mut State, sample: Value, at: i64) -> Value {
        let (day, slot) = (local_day(EventTime(at)), at.div_euclid(self.window_ms.max(1)));
        let held = i64::from(sample.holds() == Some(true));
        // `last`: the slot that is not over and whether it holds so far.
        if let Some((before, holds)) = state.last.filter(|(before, _)| *before != slot) {
            let of_today = state.since.is_some_and(|(known, _)| known == day)
                && local_day(EventTime(before.saturating_mul(self.window_ms))) == day;
            state.count += u32::from(of_today && holds == 1);
            state.last = None;
        }
        if state.since.is_none_or(|(known, _)| known != day) {
            (state.since, state.count) = (Some((day, 0)), 0);
        }
        let before = state.last.map_or(0, |(_, holds)| holds);
        state.last = Some((slot, if sample.is_known() { held } else { before }));
        Value::known(f64::from(state.count))
    }

    fn baseline(&self, state: &mut State, sample: Value, at: i64) -> Value {
        let day = local_day(EventTime(at));
        if let Some((before, _)) = state.since.filter(|(before, _)| *before != day) {
            let mut days = state.days.as_deref().cloned().unwrap_or_default();
            days.list.push_back((before, std::mem::take(&mut state.today)));
            let kept_from = day - self.window_ms / DAY;
            while days.list.front().is_some_and(|(first, _)| *first < kept_from) {
                days.list.pop_front();
            }
            days.median = days.median();
            state.days = Some(Arc::new(days));
        }
        state.since = Some((day, 0));
        if let Some(value) = sample.get() {
            let bucket = bucket(value);
            match state.today.binary_search_by_key(&bucket, |(known, _)| *known) {
                Ok(place) => state.today.iter_mut().skip(place).take(1).for_each(|(_, count)| *count += 1),
                Err(place) => state.today.insert(place, (bucket, 1)),
            }
        }
        let days = state.days.as_deref();
        let has = days.map_or(0, |days| days.list.iter().filter(|(_, values)| !values.is_empty()).count());
        let enough = f64::from(u32::try_from(has).unwrap_or(u32::MAX)) >= self.within;
        days.and_then(|days| days.median).filter(|_| enough).map_or(Value::unknown(Why::NoBaseline), Value::known)
    }
}

impl State {
    fn previous(&mut self, sample: Value) -> Value {
        // What is not known parts the samples: the one after it has none before.
        let before = std::mem::replace(&mut self.last, sample.get().and_then(fixed).map(|value| (value, 0)));
        before.map_or(Value::unknown(Why::NoData), |(value, _)| Value::known(float(value)))
    }

    fn same(&mut self, sample: Value, at: i64, within: f64) -> Value {
        let Some(value) = sample.get().and_then(fixed) else {
            // A stopped or flagged instrument breaks the run: nothing is known of it.
            self.since = None;
            return Value::unknown(sample.why);
        };
        match self.since {
            Some((_, first)) if (float(value) - float(first)).abs() <= within + 1e-9 => {}
            _ => self.since = Some((at, value)),
        }
        let since = self.since.map_or(at, |(since, _)| since);
        Value::known(float((at - since).saturating_mul(1_000)))
    }

    fn pause(&mut self, around: Around) -> Value {
        let before = self.last.replace((around.at, 0));
        let Some((before, _)) = before else { return Value::unknown(Why::NoData) };
        let pause = around.at.saturating_sub(before).saturating_sub(around.outage_ms).max(0);
        Value::known(float(pause.saturating_mul(1_000)))
    }

    /// Event time of the sample before, of a pause.
    pub(super) fn last_at(&self) -> Option<i64> {
        self.last.map(|(at, _)| at)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.unsigned(self.slots.len() as u64);
        let mut index = 0i64;
        for slot in &self.slots {
            w.signed(slot.index.wrapping_sub(index));
            w.signed(slot.sum);
            w.unsigned(u64::from(slot.count));
            index = slot.index;
        }
        for pair in [self.last, self.since] {
            w.flag(pair.is_some());
            if let Some((a, b)) = pair {
                w.signed(a);
                w.signed(b);
            }
        }
        w.unsigned(u64::from(self.count));
        write_day(&self.today, w);
        let days = self.days.as_deref();
        w.unsigned(days.map_or(0, |days| days.list.len() as u64));
        for (day, values) in days.into_iter().flat_map(|days| &days.list) {
            w.signed(*day);
            write_day(values, w);
        }
    }

    pub(super) fn read(spec: &Spec, r: &mut Reader<'_>) -> Option<Self> {
        let mut state = Self::default();
        let mut index = 0i64;
        for _ in 0..r.count()? {
            index = index.wrapping_add(r.signed()?);
            let slot = Slot { index, sum: r.signed()?, count: r.small().filter(|count| *count > 0)? };
            state.total = state.total.checked_add(slot.mean())?;
            if spec.is_ranked() {
                state.ranks.push(slot.mean());
            }
            state.slots.push_back(slot);
        }
        state.ranks.sort_unstable();
        let mut pair = || Some(if r.flag()? { Some((r.signed()?, r.signed()?)) } else { None });
        (state.last, state.since) = (pair()?, pair()?);
        state.count = r.small()?;
        state.today = read_day(r)?;
        let count = r.count()?;
        if count > 0 {
            let list = (0..count).map(|_| Some((r.signed()?, read_day(r)?))).collect::<Option<_>>()?;
            let mut days = Days { list, median: None };
            days.median = days.median();
            state.days = Some(Arc::new(days));
        }
        Some(state)
    }
}

impl Slot {
    fn mean(&self) -> i64 {
        divide(self.sum, i64::from(self.count))
    }
}

impl Days {
    fn median(&self) -> Option<f64> {
        let mut all: Vec<(u16, u32)> = self.list.iter().flat_map(|(_, values)| values.iter().copied()).collect();
        all.sort_unstable();
        let total: u64 = all.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut left = total.div_ceil(2);
        for (bucket, count) in all {
            let count = u64::from(count);
            if count >= left && left > 0 {
                return Some(level(bucket));
            }
            left = left.saturating_sub(count);
        }
        None
    }
}

fn write_day(values: &[(u16, u32)], w: &mut Writer) {
    w.unsigned(values.len() as u64);
    for (bucket, count) in values {
        w.unsigned(u64::from(*bucket));
        w.unsigned(u64::from(*count));
    }
}

fn read_day(r: &mut Reader<'_>) -> Option<Vec<(u16, u32)>> {
    (0..r.count()?).map(|_| Some((u16::try_from(r.unsigned()?).ok()?, r.small()?))).collect()
}

/// A step of 2 %; 0 for what is nearly nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn bucket(value: f64) -> u16 {
    if value < BUCKET_LEAST { 0 } else { ((value / BUCKET_LEAST).ln() / BUCKET_STEP).min(65_000.0) as u16 + 1 }
}

/// The middle of a bucket.
fn level(bucket: u16) -> f64 {
    if bucket == 0 { 0.0 } else { BUCKET_LEAST * ((f64::from(bucket) - 0.5) * BUCKET_STEP).exp() }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
fn rank(last: usize, share: f64) -> usize {
    (last as f64 * share).round() as usize
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a small count")]
fn needed(expected: i64, share: f64) -> i64 {
    ((expected as f64 * share).ceil() as i64).max(1)
}

fn short(number: i64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// In millionths; `None` when it is not finite or too large for a sum.
#[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
pub(super) fn fixed(value: f64) -> Option<i64> {
    (value.is_finite() && value.abs() <= 9e8).then(|| (value * 1e6).round() as i64)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53 millionths in practice")]
pub(super) fn float(value: i64) -> f64 {
    value as f64 / 1e6
}

/// Rounded half away from zero.
const fn divide(sum: i64, by: i64) -> i64 {
    let half = by / 2;
    if sum >= 0 { (sum + half) / by } else { (sum - half) / by }
}

const ONE: i64 = 1_000_000;
/// Moments that are kept to find repetitions.
const REPEATS_MAX: usize = 512;
const DAY: i64 = 86_400_000;
/// Slots of a window; shorter ones are put together.
pub(super) const SLOTS_MAX: i64 = 4_096;
const BUCKET_LEAST: f64 = 0.001;
const BUCKET_STEP: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn spec(shape: Shape, window_ms: i64) -> Spec {
        Spec { shape, window_ms, valid_share_min: 0.75, within: 0.0 }
    }

    fn walk(spec: &Spec, samples: &[(i64, Value)]) -> Vec<Value> {
        let mut state = State::default();
        let step = |(at, sample): &(i64, Value)| {
            let value = spec.step(&mut state, *sample, Around { at: *at, slot_ms: MINUTE, outage_ms: 0 });
            let mut w = Writer::default();
            state.write(&mut w);
            let read = State::read(spec, &mut Reader::new(&w.0)).unwrap();
            assert_eq!(read, state, "what is saved is what was there");
            value
        };
        samples.iter().map(step).collect()
    }

    fn minutes(values: &[f64]) -> Vec<(i64, Value)> {
        values.iter().zip(0..).map(|(value, minute)| (minute * MINUTE, Value::known(*value))).collect()
    }

    fn last(shape: Shape, values: &[f64]) -> Option<f64> {
        walk(&spec(shape, 4 * MINUTE), &minutes(values)).last().unwrap().get()
    }

    #[test]
    fn windows_are_exact() {
        let values = [9.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(last(Shape::Mean, &values), Some(2.5));
        assert_eq!(last(Shape::Least, &values), Some(1.0));
        assert_eq!(last(Shape::Most, &values), Some(4.0));
        assert_eq!(last(Shape::Percentile(0.5), &values), Some(3.0));
        assert_eq!(last(Shape::Spread, &values), Some(3.0));
        assert_eq!(last(Shape::Sum, &values), Some(10.0));
        assert_eq!(last(Shape::Rate, &values), Some(40.0));
        assert_eq!(last(Shape::Previous, &values), Some(2.0));
    }

    #[test]
    fn a_window_with_too_few_valid_minutes_is_not_known() {
        let mut samples = minutes(&[1.0, 1.0, 1.0, 1.0]);
        for minute in [1, 2] {
            samples[minute].1 = Value::unknown(Why::Flagged(model::record::Flag::Calibration));
        }
        let told = walk(&spec(Shape::Mean, 4 * MINUTE), &samples);
        assert_eq!(told[3].why, Why::TooFew { valid: 2, expected: 4, needed: 3 });
        assert_eq!(told[1].why, Why::Flagged(model::record::Flag::Calibration));
    }

    #[test]
    fn a_burst_within_a_minute_is_one_minute() {
        let burst: Vec<(i64, Value)> = (0..60).map(|second| (second * 1_000, Value::known(50.0))).collect();
        assert!(walk(&spec(Shape::Mean, 4 * MINUTE), &burst).iter().all(|value| !value.is_known()));
    }

    #[test]
    fn a_run_lasts_as_long_as_the_value_does() {
        let told = walk(&spec(Shape::Same, 0), &minutes(&[1.0, 1.0, 1.0, 1.2, 1.2]));
        let seconds: Vec<Option<f64>> = told.into_iter().map(Value::get).collect();
        assert_eq!(seconds, [Some(0.0), Some(60.0), Some(120.0), Some(0.0), Some(60.0)]);
    }

    #[test]
    fn hours_that_held_are_counted_by_the_day() {
        let hourly = spec(Shape::Daily, 60 * MINUTE);
        // From 22:00 in Beijing, half-hourly: the hours 22 and 23 hold at their end, the first of the next day does.
        let start = 14 * 60 * MINUTE;
        let samples: Vec<(i64, Value)> =
            (0..8).map(|half| (start + half * 30 * MINUTE, Value::truth(half != 2))).collect();
        let counts: Vec<f64> = walk(&hourly, &samples).into_iter().filter_map(Value::get).collect();
        assert_eq!(counts, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_baseline_is_the_median_of_the_days_before() {
        let spec = Spec { shape: Shape::Baseline, window_ms: 30 * DAY, valid_share_min: 0.0, within: 3.0 };
        let samples: Vec<(i64, Value)> =
            (0..5 * 24).map(|hour| (hour * 60 * MINUTE, Value::known(if hour % 3 == 0 { 9.0 } else { 2.0 }))).collect();
        let told = walk(&spec, &samples);
        assert_eq!(told[40].why, Why::NoBaseline);
        let median = told.last().unwrap().get().unwrap();
        assert!((median - 2.0).abs() < 0.05, "{median}");
    }
}
