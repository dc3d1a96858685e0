//! Fume above the limit: the mean of an hour of valid minutes (at least three quarters of them, fan on) above 2.0 mg/m³.

use super::super::district::{self, RESTAURANT as R, SPARE_LOGGER, logger};
use super::super::story::{MINUTE, Story};
use super::super::{Scenario, innocent, offence};
use model::record::Flag;

const RULE: &str = "fume-exceedance";

/// Dinner from about 17:00 far above the limit for `minutes`. The mean of an hour is above it some minutes after that
/// began, at most as long after it ended as an hour takes to forget.
fn greasy(story: &mut Story, level: f64, minutes: i64) -> (i64, i64) {
    let from = 1_050 + story.dice.whole(-20, 20);
    let to = from + minutes;
    story.kitchen(R, 600, 1_380, |at, minute, dice| {
        if (from..to).contains(&at) {
            minute.fume = level + dice.real(-0.4, 0.4);
        }
    });
    story.expect_within(RULE, &[R], (from, from + 60), (to - 30, to + 75));
    (from, to)
}

pub const ALL: &[Scenario] = &[
    offence(RULE, "an hour and a half at three times the limit", |s| {
        greasy(s, 6.0, 90);
    }),
    offence(RULE, "just above the limit for two hours", |s| {
        let level = s.dice.real(2.7, 3.0);
        greasy(s, level, 150);
    }),
    offence(RULE, "delivered three hours late after a broken line", |s| {
        let (from, to) = greasy(s, 7.0, 80);
        s.delay(logger(R), from - 5, to + 60, to + 180);
    }),
    offence(RULE, "every frame twice", |s| {
        greasy(s, 5.0, 90);
        s.repeat(logger(R));
    }),
    offence(RULE, "calibrated for ten minutes in between", |s| {
        let (from, _) = greasy(s, 6.0, 100);
        let said = s.said.iter_mut().filter(|said| (from + 40..from + 50).contains(&(said.at_ms / MINUTE)));
        said.for_each(|said| said.body.values.iter_mut().for_each(|value| value.flag = Flag::Calibration));
    }),
    offence(RULE, "the logger is replaced before dinner", |s| {
        let noon = s.base + 930 * MINUTE;
        s.given.push(district::installation(logger(R), logger(R), R, 0, Some(noon)));
        s.given.push(district::installation(9_001, SPARE_LOGGER, R, noon, None));
        s.kitchen(R, 600, 930, |_, _, _| ());
        let from = 1_050 + s.dice.whole(0, 30);
        s.logger(SPARE_LOGGER, R, 930, 1_380, |at, minute, dice| {
            if (from..from + 90).contains(&at) {
                minute.fume = dice.real(5.0, 6.0);
            }
        });
        s.expect_within(RULE, &[R], (from, from + 60), (from + 60, from + 165));
    }),
    offence(RULE, "a quarter of the minutes are missing", |s| {
        let from = 1_050;
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if (from..from + 120).contains(&at) {
                minute.fume = 6.5;
            }
            minute.sent = at % 6 != 3;
        });
        s.expect_within(RULE, &[R], (from, from + 60), (from + 90, from + 195));
    }),
    offence(RULE, "over midnight", |s| {
        let from = 1_440 - s.dice.whole(20, 50);
        s.kitchen(R, 1_200, 1_800, |at, minute, dice| {
            if (1_200..from + 150).contains(&at) {
                (minute.fan_on, minute.purifier_on, minute.purifier_current) = (1.0, 1.0, 2.4);
                minute.fume = if at >= from { dice.real(4.0, 5.0) } else { 0.9 };
            }
        });
        // The fan goes off two and a half hours later; what is known ends there.
        s.expect_within(RULE, &[R], (from, from + 60), (from + 90, from + 225));
    }),
    innocent(RULE, "one pan in flames: a minute at sixty", |s| {
        let at_peak = 1_080 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if at == at_peak {
                minute.fume = 58.0;
            }
        });
    }),
    innocent(RULE, "calibration gas for twenty minutes, flagged", |s| {
        let from = 1_050 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if (from..from + 20).contains(&at) {
                (minute.fume, minute.flag) = (90.0, Flag::Calibration);
            }
        });
    }),
    innocent(RULE, "a broken sensor at its end of range, flagged", |s| {
        let flag = if s.dice.chance(0.5) { Flag::OverRange } else { Flag::Fault };
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if at > 1_000 {
                (minute.fume, minute.flag) = (100.0, flag);
            }
        });
    }),
    innocent(RULE, "high values while the fan is off and nobody cooks", |s| {
        s.kitchen(R, 840, 990, |_, minute, dice| minute.fume = dice.real(3.0, 9.0));
    }),
    innocent(RULE, "half an hour of high values and no more data", |s| {
        let from = 1_100 + s.dice.whole(0, 60);
        s.kitchen(R, from, from + 30, |_, minute, _| minute.fume = 9.0);
    }),
    innocent(RULE, "exactly at the limit", |s| {
        s.kitchen(R, 600, 1_380, |_, minute, _| minute.fume = if minute.fan_on > 0.0 { 2.0 } else { 0.1 });
    }),
    innocent(RULE, "a quarter of an hour high in a calm hour", |s| {
        let (from, level) = (1_100 + s.dice.whole(0, 60), s.dice.real(3.5, 4.5));
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if (from..from + 15).contains(&at) {
                minute.fume = level;
            }
        });
    }),
    innocent(RULE, "the high values are corrected afterwards", |s| {
        let from = 1_050 + s.dice.whole(0, 30);
        s.kitchen(R, 600, 1_380, |at, minute, _| {
            if (from..from + 80).contains(&at) {
                minute.fume = 6.0;
            }
        });
        s.correct_fume(R, from, from + 80, 1_300, 0.9);
    }),
    innocent(RULE, "a burst of samples within one minute", |s| {
        let burst = 1_050 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_380, |_, _, _| ());
        for second in 1..60 {
            s.kitchen(R, burst, burst + 1, |_, minute, _| (minute.fume, minute.jitter_ms) = (40.0, second * 1_000));
        }
    }),
];
