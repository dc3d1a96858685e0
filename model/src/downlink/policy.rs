//! What the platform tells an HJ 212 logger by itself, as its profile says. Everything is off until a profile switches it on.
//!
//! ```toml
//! [profile.downlink.first_contact]
//! timeouts = { over_time_s = 10, re_count = 3 }
//! minute_interval = 1
//! [profile.downlink.gaps]
//! longer_than_s = 300
//! hours_max = 24
//! ```

use super::{Command, Hj212History};
use crate::time::EventTime;
use serde::{Deserialize, Serialize};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Told once when a device is first reached, and again when this changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_contact: Option<FirstContact>,
    /// History that is asked for when a device comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<GapHistory>,
}

/// HJ 212-2017, 6.7, in its order: time, time-outs, real-time interval, minute interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstContact {
    #[serde(default = "yes")]
    pub set_time: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_time_interval_s: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute_interval: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    pub over_time_s: u16,
    pub re_count: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapHistory {
    /// 2051
    #[serde(default = "yes")]
    pub minute: bool,
    /// 2061
    #[serde(default = "yes")]
    pub hour: bool,
    /// Shorter gaps are left alone.
    #[serde(default = "five_minutes")]
    pub longer_than_s: u32,
    /// Of a longer gap the last hours are asked for.
    #[serde(default = "a_day")]
    pub hours_max: u16,
}

const fn yes() -> bool {
    true
}
const fn five_minutes() -> u32 {
    300
}
const fn a_day() -> u16 {
    24
}

impl FirstContact {
    pub fn commands(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.set_time {
            commands.push(Command::Hj212SetTime { pol: None });
        }
        if let Some(Timeouts { over_time_s, re_count }) = self.timeouts {
            commands.push(Command::Hj212SetTimeouts { over_time_s, re_count });
        }
        if let Some(seconds) = self.real_time_interval_s {
            commands.push(Command::Hj212SetRealTimeInterval { seconds });
        }
        if let Some(minutes) = self.minute_interval {
            commands.push(Command::Hj212SetMinuteInterval { minutes });
        }
        commands
    }
}

impl GapHistory {
    /// Length of one period of that history.
    pub const fn step_ms(what: Hj212History) -> i64 {
        match what {
            Hj212History::Hour => HOUR_MS,
            _ => MINUTE_MS,
        }
    }

    /// Where the history of a kind is missing: from the period after the last one that is there (`newest`, its start) to the last that was
    /// whole at `now`, at most [`Self::hours_max`]. `None`: nothing is, or it is too short to ask for.
    pub fn missing(&self, what: Hj212History, newest: EventTime, now: EventTime) -> Option<(EventTime, EventTime)> {
        let step = Self::step_ms(what);
        let floor = |ms: i64| ms - ms.rem_euclid(step);
        let from = EventTime(floor(newest.0).saturating_add(step));
        let to = EventTime(floor(now.0).saturating_sub(step));
        let long = now.since_ms(newest).saturating_sub(step) > i64::from(self.longer_than_s) * 1_000;
        let first = EventTime(floor(now.0.saturating_sub(i64::from(self.hours_max) * HOUR_MS)));
        let from = from.max(first);
        (long && from <= to).then_some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12:00:30 of some day, in milliseconds.
    const NOW: i64 = 1_767_240_030_000;

    fn gaps() -> GapHistory {
        GapHistory { minute: true, hour: true, longer_than_s: 300, hours_max: 24 }
    }

    #[test]
    fn a_gap_is_asked_for_from_the_next_period_to_the_last_whole_one() {
        let at = |minutes: i64| EventTime(NOW - 30_000 - minutes * MINUTE_MS);
        let missing = |minutes| gaps().missing(Hj212History::Minute, at(minutes), EventTime(NOW));
        assert_eq!(missing(10), Some((at(9), at(1))));
        assert_eq!((missing(6).is_some(), missing(5)), (true, None));
        // Of three days the last one.
        assert_eq!(missing(3 * 1_440), Some((at(1_440), at(1))));
        // An hour is whole when the next one begins.
        let hours = |minutes| gaps().missing(Hj212History::Hour, at(minutes), EventTime(NOW));
        assert_eq!(hours(180), Some((at(120), at(60))));
        assert_eq!(hours(60), None);
    }

    #[test]
    fn first_contact_is_told_in_the_standards_order() {
        let policy: Policy = serde_json::from_str(
            r#"{"first_contact":{"minute_interval":1,"timeouts":{"over_time_s":5,"re_count":3}}}"#,
        )
        .unwrap();
        let kinds: Vec<_> = policy.first_contact.unwrap().commands().iter().map(Command::kind).collect();
        assert_eq!(kinds, ["hj212_set_time", "hj212_set_timeouts", "hj212_set_minute_interval"]);
    }
}
