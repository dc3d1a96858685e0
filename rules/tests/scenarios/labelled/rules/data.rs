//! Data that cannot be: doubtful data and device faults. None of it is a violation.

use super::super::dice::Dice;
use super::super::district::{RESTAURANT as R, RESTAURANT_2 as R2, SITE, logger};
use super::super::kitchen::{Minute, is_open};
use super::super::story::{MINUTE, Story};
use super::super::{Scenario, innocent, offence};
use model::quantity::Quantity;
use model::record::Flag;

const FLAT: &str = "data-flatline";
const LOW: &str = "data-too-low";
const STEP: &str = "data-step";
const NEAR: &str = "near-limit";
const SKEW: &str = "clock-skew";
const TWIN: &str = "duplicate-payload";
const FAULT: &str = "sensor-fault";

/// A long working day: the fan runs from 09:00 to 22:00.
fn long_day(story: &mut Story, mut edit: impl FnMut(i64, &mut Minute, &mut Dice)) {
    story.kitchen(R, 480, 1_400, |at, minute, dice| {
        if (540..1_320).contains(&at) {
            (minute.fan_on, minute.purifier_on) = (1.0, 1.0);
            minute.purifier_current = dice.real(2.3, 2.7);
            minute.fan_current = dice.real(7.5, 8.5);
            minute.fume = dice.real(0.5, 1.1);
        }
        edit(at, minute, dice);
    });
}

/// The fume stands still from a minute for `minutes`, with the fan on.
fn flat(story: &mut Story, minutes: i64) -> (i64, i64) {
    let (from, level) = (560 + story.dice.whole(0, 60), story.dice.real(0.4, 1.2));
    long_day(story, |at, minute, _| {
        if (from..from + minutes).contains(&at) {
            minute.fume = level;
        }
    });
    (from, from + minutes)
}

/// Next to nothing for the whole of dinner (17:00 to 20:30).
fn low_dinner(story: &mut Story) {
    story.kitchen(R, 600, 1_400, |at, minute, dice| {
        if (990..1_290).contains(&at) {
            minute.fume = dice.real(0.0, 0.018);
        }
    });
}

/// Five days with a jump of `factor` at one and the same minute of each.
fn steps(story: &mut Story, days: i64, factor: f64, mut minute_of: impl FnMut(i64, &mut Dice) -> i64) {
    for day in 0..days {
        let at_step = day * 1_440 + minute_of(day, &mut story.dice);
        story.kitchen(R, day * 1_440 + 960, day * 1_440 + 1_320, |at, minute, _| {
            if at >= at_step && is_open(at.rem_euclid(1_440)) {
                minute.fume *= factor;
            }
        });
    }
}

/// Hours of values within `band` of the limit of 2.0.
fn crowd(story: &mut Story, minutes: i64, band: (f64, f64)) -> (i64, i64) {
    let from = 1_000 + story.dice.whole(0, 20);
    story.kitchen(R, 600, 1_400, |at, minute, dice| {
        if (from..from + minutes).contains(&at) {
            minute.fume = dice.real(band.0, band.1);
        }
    });
    (from, from + minutes)
}

/// The second restaurant's logger sends what the first one's does.
fn twin(story: &mut Story, from: i64, to: i64, edit: impl Fn(i64, &mut f64)) {
    let copies: Vec<_> = story.said.iter().filter(|said| said.device == logger(R)).cloned().collect();
    story.kitchen(R2, 600, 1_400, |at, minute, _| minute.sent = !(from..to).contains(&at));
    for mut said in copies.into_iter().filter(|said| (from..to).contains(&(said.at_ms / MINUTE))) {
        (said.device, said.subject) = (logger(R2), R2);
        for value in said.body.values.iter_mut().filter(|value| value.quantity == Quantity::FUME) {
            edit(said.at_ms / MINUTE, &mut value.value);
        }
        story.say(said);
    }
}

fn faulty(story: &mut Story, flag: Flag, minutes: i64) -> (i64, i64) {
    let from = 700 + story.dice.whole(0, 200);
    story.kitchen(R, 600, 1_400, |at, minute, _| {
        if (from..from + minutes).contains(&at) {
            (minute.fume, minute.flag) = (100.0, flag);
        }
    });
    (from, from + minutes)
}

/// The clock of the first restaurant's logger is `ms` ahead.
fn skewed(story: &mut Story, ms: i64) {
    story.kitchen(R, 600, 1_300, |_, _, _| ());
    story.skew(logger(R), ms);
}

pub const ALL: &[Scenario] = &[
    offence(FLAT, "eight hours at one value with the fan on", |s| {
        let (from, to) = flat(s, 480);
        s.expect(FLAT, &[R], from, to, 10);
    }),
    offence(FLAT, "seven hours, told three hours late in parts", |s| {
        let (from, to) = flat(s, 430);
        s.delay(logger(R), from + 100, from + 300, from + 480);
        s.expect(FLAT, &[R], from, to, 10);
    }),
    offence(FLAT, "every frame twice", |s| {
        let (from, to) = flat(s, 450);
        s.repeat(logger(R));
        s.expect(FLAT, &[R], from, to, 10);
    }),
    offence(FLAT, "with some minutes lost", |s| {
        let (from, to) = flat(s, 500);
        s.lose(logger(R), from + 200, from + 204);
        s.expect(FLAT, &[R], from, to, 10);
    }),
    offence(FLAT, "all day and never another value", |s| {
        let level = s.dice.real(0.4, 1.5);
        long_day(s, |at, minute, _| {
            if at >= 500 {
                minute.fume = level;
            }
        });
        s.expect_within(FLAT, &[R], (495, 560), (1_300, i64::MAX / 120_000));
    }),
    innocent(FLAT, "five hours", |s| {
        flat(s, 290);
    }),
    innocent(FLAT, "a whole night at one value with the fan off", |s| {
        s.kitchen(R, 1_290, 2_000, |_, minute, _| minute.fume = 0.1);
    }),
    innocent(FLAT, "almost flat: the last digit moves", |s| {
        long_day(s, |_, minute, dice| minute.fume = if dice.chance(0.5) { 0.71 } else { 0.72 });
    }),
    innocent(FLAT, "flat, flagged as maintenance", |s| {
        long_day(s, |at, minute, _| {
            if (560..1_100).contains(&at) {
                (minute.fume, minute.flag) = (0.7, Flag::Maintenance);
            }
        });
    }),
    innocent(FLAT, "two values hours apart, the same by chance, with nothing between", |s| {
        long_day(s, |at, minute, _| {
            minute.sent = at <= 600 || at >= 1_000;
            if at == 600 || at == 1_000 {
                minute.fume = 0.66;
            }
        });
    }),
    offence(LOW, "a whole dinner at nothing with the fan on", |s| {
        low_dinner(s);
        s.expect_within(LOW, &[R], (985, 1_035), (1_215, 1_300));
    }),
    offence(LOW, "a whole lunch", |s| {
        s.kitchen(R, 600, 960, |at, minute, dice| {
            if (630..840).contains(&at) {
                minute.fume = dice.real(0.0, 0.015);
            }
        });
        s.expect_within(LOW, &[R], (625, 675), (800, 850));
    }),
    offence(LOW, "exactly zero, told late", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, _| {
            if (990..1_290).contains(&at) {
                minute.fume = 0.0;
            }
        });
        s.delay(logger(R), 1_040, 1_200, 1_380);
        s.expect_within(LOW, &[R], (985, 1_035), (1_215, 1_300));
    }),
    offence(LOW, "every frame twice", |s| {
        low_dinner(s);
        s.repeat(logger(R));
        s.expect_within(LOW, &[R], (985, 1_035), (1_215, 1_300));
    }),
    offence(LOW, "with some minutes lost", |s| {
        low_dinner(s);
        let at = 1_060 + s.dice.whole(0, 60);
        s.lose(logger(R), at, at + 4);
        s.expect_within(LOW, &[R], (985, 1_035), (1_215, 1_300));
    }),
    innocent(LOW, "closed: the fan is off", |s| {
        s.kitchen(R, 600, 1_400, |_, minute, dice| {
            (minute.fan_on, minute.purifier_on, minute.purifier_current, minute.fan_current) = (0.0, 0.0, 0.0, 0.0);
            minute.fume = dice.real(0.0, 0.02);
        });
    }),
    innocent(LOW, "a clean kitchen at 0.1", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, dice| {
            if is_open(at) {
                minute.fume = dice.real(0.06, 0.16);
            }
        });
    }),
    innocent(LOW, "an hour of a dinner only", |s| {
        let from = 1_030 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_400, |at, minute, _| {
            if (from..from + 60).contains(&at) {
                minute.fume = 0.01;
            }
        });
    }),
    innocent(LOW, "the sensor is in maintenance, flagged so", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, _| {
            if (990..1_290).contains(&at) {
                (minute.fume, minute.flag) = (0.0, Flag::Maintenance);
            }
        });
    }),
    innocent(LOW, "between the meals", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, _| {
            if (840..990).contains(&at) {
                (minute.fume, minute.fan_on) = (0.0, 1.0);
            }
        });
    }),
    offence(STEP, "ten times less at 18:00 of every day", |s| {
        steps(s, 5, 0.08, |_, _| 1_080);
        s.expect_within(STEP, &[R], (1_000, 4 * 1_440 + 1_100), (1_000, i64::MAX / 120_000));
    }),
    offence(STEP, "at another minute, the same on six days", |s| {
        let at = 1_050 + s.dice.whole(0, 100);
        steps(s, 6, 0.05, |_, _| at);
        s.expect_within(STEP, &[R], (1_000, 5 * 1_440 + 1_200), (1_000, i64::MAX / 120_000));
    }),
    offence(STEP, "an order of magnitude more", |s| {
        steps(s, 5, 12.0, |_, _| 1_100);
        s.expect_within(STEP, &[R], (1_000, 4 * 1_440 + 1_200), (1_000, i64::MAX / 120_000));
    }),
    offence(STEP, "told late", |s| {
        steps(s, 5, 0.06, |_, _| 1_080);
        s.delay(logger(R), 4 * 1_440 + 1_000, 4 * 1_440 + 1_300, 4 * 1_440 + 1_480);
        s.expect_within(STEP, &[R], (1_000, 4 * 1_440 + 1_100), (1_000, i64::MAX / 120_000));
    }),
    offence(STEP, "every frame twice", |s| {
        steps(s, 5, 0.06, |_, _| 1_080);
        s.repeat(logger(R));
        s.expect_within(STEP, &[R], (1_000, 4 * 1_440 + 1_100), (1_000, i64::MAX / 120_000));
    }),
    innocent(STEP, "one evening", |s| {
        steps(s, 5, 0.06, |day, _| if day == 3 { 1_080 } else { 1_439 });
    }),
    innocent(STEP, "each day at another minute", |s| {
        steps(s, 5, 0.1, |day, dice| 1_010 + day * 45 + dice.whole(0, 30));
    }),
    innocent(STEP, "a small step each day", |s| {
        steps(s, 5, 0.7, |_, _| 1_080);
    }),
    innocent(STEP, "opening every day: the fan goes on and the fume rises", |s| {
        steps(s, 6, 1.0, |_, _| 1_080);
    }),
    innocent(STEP, "daily calibration at noon, flagged", |s| {
        for day in 0..5 {
            s.kitchen(R, day * 1_440 + 600, day * 1_440 + 900, |at, minute, _| {
                if (720..735).contains(&(at % 1_440)) {
                    (minute.fume, minute.flag) = (20.0, Flag::Calibration);
                }
            });
        }
    }),
    offence(NEAR, "four hours at 96 to 99 per cent of the limit", |s| {
        let (from, to) = crowd(s, 240, (1.92, 1.99));
        s.expect_within(NEAR, &[R], (from - 5, from + 130), (to - 40, to + 140));
    }),
    offence(NEAR, "the whole dinner hugging the limit", |s| {
        let (from, to) = crowd(s, 265, (1.94, 2.0));
        s.expect_within(NEAR, &[R], (from - 5, from + 130), (to - 40, to + 140));
    }),
    offence(NEAR, "told three hours late", |s| {
        let (from, to) = crowd(s, 240, (1.93, 1.99));
        s.delay(logger(R), from, to, to + 150);
        s.expect_within(NEAR, &[R], (from - 5, from + 130), (to - 40, to + 140));
    }),
    offence(NEAR, "every frame twice", |s| {
        let (from, to) = crowd(s, 240, (1.93, 1.99));
        s.repeat(logger(R));
        s.expect_within(NEAR, &[R], (from - 5, from + 130), (to - 40, to + 140));
    }),
    offence(NEAR, "one minute in twenty somewhere else", |s| {
        let from = 1_000;
        s.kitchen(R, 600, 1_400, |at, minute, dice| {
            if (from..from + 260).contains(&at) && !dice.chance(0.05) {
                minute.fume = dice.real(1.93, 1.99);
            }
        });
        s.expect_within(NEAR, &[R], (from - 5, from + 130), (from + 220, from + 400));
    }),
    innocent(NEAR, "an honest kitchen that varies from 0.5 to 2", |s| {
        crowd(s, 280, (0.5, 2.0));
    }),
    innocent(NEAR, "half an hour near the limit", |s| {
        crowd(s, 30, (1.92, 1.99));
    }),
    innocent(NEAR, "at sixty per cent of it", |s| {
        crowd(s, 280, (1.1, 1.3));
    }),
    innocent(NEAR, "near the limit in a calibration, flagged", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, dice| {
            if (1_000..1_250).contains(&at) {
                (minute.fume, minute.flag) = (dice.real(1.93, 1.99), Flag::Calibration);
            }
        });
    }),
    innocent(NEAR, "high while the fan is off", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, dice| {
            if !is_open(at) {
                minute.fume = dice.real(1.93, 1.99);
            }
        });
    }),
    offence(SKEW, "two minutes ahead", |s| {
        let ahead = s.dice.whole(110, 240) * 1_000;
        skewed(s, ahead + MINUTE);
        s.expect_within(SKEW, &[R], (590, 720), (600, i64::MAX / 120_000));
    }),
    offence(SKEW, "four minutes ahead", |s| {
        skewed(s, 4 * MINUTE + MINUTE);
        s.expect_within(SKEW, &[R], (590, 720), (600, i64::MAX / 120_000));
    }),
    offence(SKEW, "ten minutes behind", |s| {
        skewed(s, -10 * MINUTE);
        s.expect_within(SKEW, &[R], (570, 720), (590, i64::MAX / 120_000));
    }),
    offence(SKEW, "an hour behind: the wrong zone", |s| {
        skewed(s, -60 * MINUTE);
        s.expect_within(SKEW, &[R], (500, 720), (520, i64::MAX / 120_000));
    }),
    offence(SKEW, "set wrong in the afternoon", |s| {
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        let noon = 840 * MINUTE;
        s.said.iter_mut().filter(|said| said.at_ms >= noon).for_each(|said| said.at_ms -= 9 * MINUTE);
        s.expect_within(SKEW, &[R], (820, 920), (840, i64::MAX / 120_000));
    }),
    innocent(SKEW, "twenty seconds off", |s| {
        let off = s.dice.whole(-20, 20) * 1_000;
        skewed(s, off);
    }),
    innocent(SKEW, "told three hours late after a broken line", |s| {
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        s.delay(logger(R), 800, 980, 985);
    }),
    innocent(SKEW, "half a minute more on the way now and then", |s| {
        s.kitchen(R, 600, 1_300, |_, minute, dice| minute.delay_ms += dice.whole(0, 30_000));
    }),
    innocent(SKEW, "our own outage: all came afterwards", |s| {
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        s.our_outage(800, 900);
    }),
    innocent(SKEW, "one frame an hour late", |s| {
        let one = 700 + s.dice.whole(0, 300);
        s.kitchen(R, 600, 1_300, |at, minute, _| minute.delay_ms += if at == one { 60 * MINUTE } else { 0 });
    }),
    offence(TWIN, "two restaurants with one series for a day", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 600, 1_400, |_, _| ());
        s.expect_within(TWIN, &[R, R2], (590, 800), (1_200, i64::MAX / 120_000));
    }),
    offence(TWIN, "for the dinner alone", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 960, 1_320, |_, _| ());
        s.expect_within(TWIN, &[R, R2], (950, 1_160), (1_160, 1_400));
    }),
    offence(TWIN, "the copy comes hours later", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 600, 1_400, |_, _| ());
        s.delay(logger(R2), 600, 1_000, 1_150);
        s.expect_within(TWIN, &[R, R2], (590, 800), (1_200, i64::MAX / 120_000));
    }),
    offence(TWIN, "every frame twice besides", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 700, 1_300, |_, _| ());
        s.repeat(logger(R));
        s.expect_within(TWIN, &[R, R2], (690, 900), (1_100, 1_400));
    }),
    offence(TWIN, "some minutes of the copy are lost", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 600, 1_400, |_, _| ());
        let at = 900 + s.dice.whole(0, 200);
        s.lose(logger(R2), at, at + 3);
        s.expect_within(TWIN, &[R, R2], (590, 800), (1_200, i64::MAX / 120_000));
    }),
    innocent(TWIN, "two honest restaurants", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        s.kitchen(R2, 600, 1_400, |_, _, _| ());
    }),
    innocent(TWIN, "both closed: zeros on both sides", |s| {
        for one in [R, R2] {
            s.kitchen(one, 0, 600, |_, minute, _| minute.fume = 0.0);
        }
    }),
    innocent(TWIN, "one device sends its frames twice", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        s.kitchen(R2, 600, 1_400, |_, _, _| ());
        s.repeat(logger(R));
    }),
    innocent(TWIN, "the same for some minutes by chance", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        let at = 1_000 + s.dice.whole(0, 100);
        twin(s, at, at + 4, |_, _| ());
    }),
    innocent(TWIN, "alike, never equal", |s| {
        s.kitchen(R, 600, 1_400, |_, _, _| ());
        twin(s, 600, 1_400, |at, fume| *fume += if at % 2 == 0 { 0.01 } else { 0.02 });
        for said in s.said.iter_mut().filter(|said| said.device == logger(R2)) {
            for value in &mut said.body.values {
                if value.quantity != Quantity::FUME && value.value > 1.0 {
                    value.value += 0.03;
                }
            }
        }
    }),
    offence(FAULT, "over the range for an hour", |s| {
        let (from, to) = faulty(s, Flag::OverRange, 70);
        s.expect_within(FAULT, &[R], (from - 2, from + 35), (to - 10, to + 40));
    }),
    offence(FAULT, "the instrument reports a fault for hours", |s| {
        let (from, to) = faulty(s, Flag::Fault, 240);
        s.expect_within(FAULT, &[R], (from - 2, from + 35), (to - 10, to + 40));
    }),
    offence(FAULT, "told three hours late", |s| {
        let (from, to) = faulty(s, Flag::Fault, 90);
        s.delay(logger(R), from, to, to + 180);
        s.expect_within(FAULT, &[R], (from - 2, from + 35), (to - 10, to + 40));
    }),
    offence(FAULT, "every frame twice", |s| {
        let (from, to) = faulty(s, Flag::OverRange, 90);
        s.repeat(logger(R));
        s.expect_within(FAULT, &[R], (from - 2, from + 35), (to - 10, to + 40));
    }),
    offence(FAULT, "a site's dust monitor", |s| {
        let from = 700 + s.dice.whole(0, 200);
        s.air(SITE, 600, 1_200, |at, air, _| {
            if (from..from + 90).contains(&at) {
                air.flag = Flag::Fault;
            }
        });
        s.expect_within(FAULT, &[SITE], (from - 2, from + 35), (from + 80, from + 130));
    }),
    innocent(FAULT, "two minutes of a fault", |s| {
        faulty(s, Flag::Fault, 2);
    }),
    innocent(FAULT, "calibration", |s| {
        faulty(s, Flag::Calibration, 30);
    }),
    innocent(FAULT, "maintenance", |s| {
        faulty(s, Flag::Maintenance, 120);
    }),
    innocent(FAULT, "high, but nothing is flagged", |s| {
        faulty(s, Flag::Normal, 5);
    }),
    innocent(FAULT, "no data at all", |s| {
        s.kitchen(R, 600, 1_400, |at, minute, _| minute.sent = !(800..1_000).contains(&at));
    }),
];
