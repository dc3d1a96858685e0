//! Gaps and clocks of one device and local day, as settle sees them: which minutes have data, and how far event times are from
//! the times of receipt. Sets of bits and first samples, so that late data fill a gap whenever they come, and the sum of two
//! stretches of the journal is the same as the whole.
//!
//! A record at t covers the minutes of [t, t + interval); a gap is a minute that nothing covers. So a single missing record
//! of a device that sends every minute is no gap yet, two are. Events, hours and days cover nothing.

use model::time::{BEIJING_OFFSET_MINUTES, EventTime, IngestTime, local_day};

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 1_440;
const WORDS: usize = 23;
/// Half hours of the day of receipt, each with the clock offset of its first live record.
const SLOTS: usize = 48;
const SLOT_MINUTES: i64 = 30;
/// No sample.
const NONE: i32 = i32::MIN;
/// The longest interval a record covers.
const INTERVAL_S_MAX: u32 = 86_400;

/// One device and local day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    minutes: [u64; WORDS],
    slots: [i32; SLOTS],
    /// Live records whose clock was looked at.
    pub live: i64,
    /// Smallest and largest received − event time of them, milliseconds.
    low_ms: i64,
    high_ms: i64,
}

impl Default for Watch {
    fn default() -> Self {
        Self { minutes: [0; WORDS], slots: [NONE; SLOTS], live: 0, low_ms: i64::MAX, high_ms: i64::MIN }
    }
}

/// How far a device's clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Received − event time, milliseconds; positive: the device is behind, or its data are under way for long.
    pub median_ms: i64,
    pub min_ms: i64,
    pub max_ms: i64,
    pub records: i64,
}

impl ClockOffset {
    /// Whole hours the clock is off by, when it is: another time zone. Positive: the device is behind.
    pub const fn whole_hours(&self) -> Option<i64> {
        const HOUR_MS: i64 = 3_600_000;
        const SLACK_MS: i64 = 5 * MINUTE_MS;
        let half = if self.median_ms < 0 { -HOUR_MS / 2 } else { HOUR_MS / 2 };
        let hours = (self.median_ms + half) / HOUR_MS;
        let off = self.median_ms - hours * HOUR_MS;
        if hours != 0 && hours.abs() <= 14 && off.abs() <= SLACK_MS { Some(hours) } else { None }
    }
}

impl Watch {
    /// A live record was received on this day, so long after its event time.
    pub(crate) fn heard(&mut self, received: IngestTime, at: EventTime) {
        let offset = received.0.saturating_sub(at.0);
        self.live += 1;
        self.low_ms = self.low_ms.min(offset);
        self.high_ms = self.high_ms.max(offset);
        let slot = usize::try_from(minute_of(received.0) / SLOT_MINUTES).unwrap_or(0);
        let wanted = i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN + 1 } else { i32::MAX });
        if let Some(sample) = self.slots.get_mut(slot).filter(|sample| **sample == NONE) {
            *sample = wanted.max(i32::MIN + 1);
        }
    }

    /// Minutes `from ..= to` of the day have data.
    fn cover(&mut self, from: i64, to: i64) {
        for minute in from.max(0)..=to.min(DAY_MINUTES - 1) {
            if let Some(word) = usize::try_from(minute / 64).ok().and_then(|word| self.minutes.get_mut(word)) {
                *word |= 1 << (minute % 64);
            }
        }
    }

    fn is_covered(&self, minute: i64) -> bool {
        let word = usize::try_from(minute / 64).ok().and_then(|word| self.minutes.get(word));
        word.is_some_and(|word| word >> (minute % 64) & 1 == 1)
    }

    /// The later stretch `other` behind this one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.minutes.iter_mut().zip(other.minutes) {
            *mine |= theirs;
        }
        for (mine, theirs) in self.slots.iter_mut().zip(other.slots) {
            if *mine == NONE {
                *mine = theirs;
            }
        }
        self.live += other.live;
        self.low_ms = self.low_ms.min(other.low_ms);
        self.high_ms = self.high_ms.max(other.high_ms);
    }

    /// The first minute of the day with data.
    pub fn first_minute(&self) -> Option<i64> {
        (0..DAY_MINUTES).find(|minute| self.is_covered(*minute))
    }

    pub fn has_data(&self) -> bool {
        self.minutes.iter().any(|word| *word != 0)
    }

    pub fn clock(&self) -> Option<ClockOffset> {
        let mut samples: Vec<i32> = self.slots.iter().copied().filter(|sample| *sample != NONE).collect();
        samples.sort_unstable();
        let median = samples.get(samples.len() / 2).copied()?;
        Some(ClockOffset {
            median_ms: i64::from(median),
            min_ms: self.low_ms,
            max_ms: self.high_ms,
            records: self.live,
        })
    }

    /// On disk: the minutes and the samples, little-endian.
    pub(crate) fn to_bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let minutes = self.minutes.iter().flat_map(|word| word.to_le_bytes()).collect();
        (minutes, self.slots.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }

    /// `None`: other lengths than [`Watch::to_bytes`] gives.
    pub(crate) fn from_bytes(minutes: &[u8], slots: &[u8], live: i64, low_ms: i64, high_ms: i64) -> Option<Self> {
        let (words, []) = minutes.as_chunks::<8>() else { return None };
        let (samples, []) = slots.as_chunks::<4>() else { return None };
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let samples: Vec<i32> = samples.iter().map(|sample| i32::from_le_bytes(*sample)).collect();
        Some(Self { minutes: words.try_into().ok()?, slots: samples.try_into().ok()?, live, low_ms, high_ms })
    }

    pub(crate) const fn bounds(&self) -> (i64, i64) {
        (self.low_ms, self.high_ms)
    }
}

/// Minutes after local midnight.
const fn minute_of(ms: i64) -> i64 {
    (ms + BEIJING_OFFSET_MINUTES as i64 * MINUTE_MS).rem_euclid(DAY_MINUTES * MINUTE_MS) / MINUTE_MS
}

/// The days and minutes that a stretch of time touches, at most `days_max` days.
pub(crate) fn minutes_of(from_ms: i64, to_ms: i64, days_max: i64, mut found: impl FnMut(i64, i64, i64)) {
    if to_ms <= from_ms {
        return;
    }
    let (first, last) = (local_day(EventTime(from_ms)), local_day(EventTime(to_ms - 1)));
    for day in first..=last.min(first + days_max - 1) {
        let low = if day == first { minute_of(from_ms) } else { 0 };
        let high = if day == last { minute_of(to_ms - 1) } else { DAY_MINUTES - 1 };
        found(day, low, high);
    }
}

impl super::LossDelta {
    /// A record of this time has data for its interval.
    pub(crate) fn covered(&mut self, device: model::id::DeviceId, at: EventTime, interval_s: u32) {
        let length = i64::from(interval_s.clamp(1, INTERVAL_S_MAX)) * 1_000;
        minutes_of(at.0, at.0.saturating_add(length), 2, |day, from, to| {
            self.watch_at(device, day).cover(from, to);
        });
    }

    /// A time in which we could receive nothing.
    pub(crate) fn our_outage(&mut self, from: IngestTime, to: IngestTime) {
        minutes_of(from.0, to.0, OUTAGE_DAYS_MAX, |day, low, high| self.watch_at(super::OURS, day).cover(low, high));
    }
}

/// Days that one outage of ours is written for.
const OUTAGE_DAYS_MAX: i64 = 366;

/// Gaps of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Minutes in which data were due.
    pub expected: i64,
    /// Of them without data, while we were there to receive them.
    pub missing: i64,
    /// Of them without data, while we were not.
    pub ours: i64,
    /// The longest run of missing minutes, ours not counted.
    pub longest: i64,
}

/// The gaps of a day between two of its minutes (`from ..< to`).
pub fn gaps(watch: Option<&Watch>, ours: Option<&Watch>, from: i64, to: i64) -> Gaps {
    let mut gaps = Gaps::default();
    let mut run = 0;
    for minute in from.max(0)..to.min(DAY_MINUTES) {
        gaps.expected += 1;
        if watch.is_some_and(|watch| watch.is_covered(minute)) {
            run = 0;
        } else if ours.is_some_and(|ours| ours.is_covered(minute)) {
            gaps.ours += 1;
        } else {
            gaps.missing += 1;
            run += 1;
            gaps.longest = gaps.longest.max(run);
        }
    }
    gaps
}

/// Minutes after local midnight of a time on `day`, at most the day's length; 0 before it.
pub fn minutes_until(day: i64, now: IngestTime) -> i64 {
    let start = day * DAY_MINUTES * MINUTE_MS - i64::from(BEIJING_OFFSET_MINUTES) * MINUTE_MS;
    (now.0.saturating_sub(start)).div_euclid(MINUTE_MS).clamp(0, DAY_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::super::LossDelta;
    use super::*;
    use model::id::DeviceId;
    use proptest::prelude::*;

    /// 2026-01-01 00:00 in Beijing.
    const MIDNIGHT: i64 = 1_767_196_800_000;
    const DAY: i64 = 20_454;
    const DEVICE: DeviceId = DeviceId(3);

    fn of(delta: &LossDelta, day: i64) -> Watch {
        delta
            .watches()
            .find(|(device, of, _)| (*device, *of) == (DEVICE, day))
            .map(|(_, _, watch)| watch.clone())
            .unwrap()
    }

    #[test]
    fn a_gap_is_a_minute_without_data_and_ours_is_apart() {
        assert_eq!(local_day(EventTime(MIDNIGHT)), DAY);
        let mut delta = LossDelta::default();
        for minute in (0..60).filter(|minute| !(20..30).contains(minute)) {
            delta.covered(DEVICE, EventTime(MIDNIGHT + minute * MINUTE_MS + 10_000), 60);
        }
        delta.our_outage(IngestTime(MIDNIGHT + 25 * MINUTE_MS), IngestTime(MIDNIGHT + 28 * MINUTE_MS));
        let ours = delta.watches().find(|(device, ..)| *device == super::super::OURS).unwrap().2.clone();
        let found = gaps(Some(&of(&delta, DAY)), Some(&ours), 0, 60);
        // Minute 20 is covered by the record of 19:10, which holds until 20:10.
        assert_eq!(found, Gaps { expected: 60, missing: 6, ours: 3, longest: 6 });
        delta.covered(DEVICE, EventTime(MIDNIGHT + 21 * MINUTE_MS), 3_600);
        assert_eq!(gaps(Some(&of(&delta, DAY)), Some(&ours), 0, 60).missing, 0, "late data fill it");
    }

    #[test]
    fn an_interval_runs_over_midnight() {
        let mut delta = LossDelta::default();
        delta.covered(DEVICE, EventTime(MIDNIGHT + DAY_MINUTES * MINUTE_MS - 30_000), 600);
        assert!(of(&delta, DAY).is_covered(DAY_MINUTES - 1));
        assert_eq!(gaps(Some(&of(&delta, DAY + 1)), None, 0, 12).missing, 2);
        assert_eq!(minutes_until(DAY, IngestTime(MIDNIGHT + 90_000)), 1);
        assert_eq!((minutes_until(DAY, IngestTime(0)), minutes_until(DAY, IngestTime(i64::MAX))), (0, DAY_MINUTES));
    }

    #[test]
    fn the_clock_is_the_middle_of_the_day_and_whole_hours_are_told() {
        let mut watch = Watch::default();
        for n in 0..96 {
            let received = MIDNIGHT + n * 15 * MINUTE_MS;
            // One wild record does not move the middle.
            let offset = if n == 4 { 90_000_000 } else { 8 * 3_600_000 + 2_000 };
            watch.heard(IngestTime(received), EventTime(received - offset));
        }
        let clock = watch.clock().unwrap();
        assert_eq!((clock.median_ms, clock.max_ms, clock.records), (28_802_000, 90_000_000, 96));
        assert_eq!(clock.whole_hours(), Some(8));
        let off = |median_ms| ClockOffset { median_ms, min_ms: 0, max_ms: 0, records: 1 }.whole_hours();
        assert_eq!((off(-28_700_000), off(400_000), off(1_800_000), off(3_500_000)), (Some(-8), None, None, Some(1)));
    }

    proptest! {
        #[test]
        fn two_stretches_are_the_whole_and_its_bytes(
            times in prop::collection::vec((0_i64..DAY_MINUTES * MINUTE_MS, -100_000_i64..100_000, 1_u32..4_000), 0..60), cut in 0_usize..60,
        ) {
            let fill = |some: &[(i64, i64, u32)]| {
                let mut delta = LossDelta::default();
                for (at, offset, interval) in some {
                    delta.covered(DEVICE, EventTime(MIDNIGHT + at), *interval);
                    delta.watch_at(DEVICE, DAY).heard(IngestTime(MIDNIGHT + at), EventTime(MIDNIGHT + at - offset));
                }
                delta
            };
            let cut = cut.min(times.len());
            let mut parts = fill(&times[..cut]);
            parts.merge(&fill(&times[cut..]));
            prop_assert_eq!(&parts, &fill(&times));
            for (_, _, watch) in parts.watches() {
                let (minutes, slots) = watch.to_bytes();
                let (low, high) = watch.bounds();
                let read = Watch::from_bytes(&minutes, &slots, watch.live, low, high);
                prop_assert_eq!(read.as_ref(), Some(watch));
            }
        }
    }
}
