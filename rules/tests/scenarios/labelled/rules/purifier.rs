//! Suspected exceedance (ten minutes), the purifier off while the fan runs, the purifier with too little current, and
//! cleaning that is due.

use super::super::dice::Dice;
use super::super::district::{self, RESTAURANT as R, logger};
use super::super::kitchen::Minute;
use super::super::story::{MINUTE, Story};
use super::super::{Scenario, innocent, offence};
use model::record::Flag;
use serde_json::{Value, json};

const SUSPECTED: &str = "fume-suspected";
const OFF: &str = "purifier-off";
const WEAK: &str = "purifier-inefficient";
const CLEANING: &str = "cleaning-overdue";

/// A dinner with `level` for `minutes`.
fn smoky(story: &mut Story, level: f64, minutes: i64) -> (i64, i64) {
    let from = 1_060 + story.dice.whole(0, 60);
    story.kitchen(R, 960, 1_320, |at, minute, dice| {
        if (from..from + minutes).contains(&at) {
            minute.fume = level + dice.real(-0.2, 0.2);
        }
    });
    (from, from + minutes)
}

/// The ten-minute mean is over within ten minutes and under again within eleven and its clearing.
fn suspect(story: &mut Story, level: f64, minutes: i64) -> (i64, i64) {
    let (from, to) = smoky(story, level, minutes);
    story.expect_within(SUSPECTED, &[R], (from - 1, from + 10), (to - 3, to + 30));
    (from, to)
}

/// A dinner in which the purifier is off for `minutes` of the fan's time.
fn off(story: &mut Story, minutes: i64) -> (i64, i64) {
    let from = 1_030 + story.dice.whole(0, 60);
    story.kitchen(R, 960, 1_320, |at, minute, dice| {
        if (from..from + minutes).contains(&at) {
            switch_off(minute, dice);
        }
    });
    (from, from + minutes)
}

fn switch_off(minute: &mut Minute, dice: &mut Dice) {
    (minute.purifier_on, minute.purifier_current) = (0.0, dice.real(0.0, 0.04));
}

/// Thirty-one days of cooking; from the minute given by `edit` on something is wrong with the current.
fn month(story: &mut Story, days: i64, mut edit: impl FnMut(i64, i64, &mut Minute, &mut Dice)) {
    for day in 0..days {
        // Every other day tells of lunch alone: the median needs no more.
        let hours = if day < days - 2 && day % 2 == 0 { 630..840 } else { 990..1_290 };
        story.kitchen(R, day * 1_440 + hours.start, day * 1_440 + hours.end, |at, minute, dice| {
            edit(day, at - day * 1_440, minute, dice);
        });
    }
    story.tolerated.push((WEAK, district::RESTAURANT_2));
}

fn cleaned(story: &mut Story, id: i64, subject: i64, days_ago: i64, edit: impl FnOnce(&mut Value)) {
    let at = story.base - days_ago * 1_440 * MINUTE;
    let mut row = json!({"id": id, "subject": subject, "cleaned_at": at, "cleaned_by": "甲", "parts": ["hood", "duct", "purifier"]});
    edit(&mut row);
    story.given.push(json!({"object": "cleaning", "row": row}));
}

/// A medium restaurant's ordinary day: cleaning is due after 60 days.
fn working_day(story: &mut Story) {
    story.kitchen(R, 600, 1_320, |_, _, _| ());
}

pub const ALL: &[Scenario] = &[
    offence(SUSPECTED, "a quarter of an hour at twice the limit", |s| {
        suspect(s, 4.5, 15);
    }),
    offence(SUSPECTED, "forty minutes just above it", |s| {
        suspect(s, 2.6, 40);
    }),
    offence(SUSPECTED, "late by three hours", |s| {
        let (from, to) = suspect(s, 6.0, 20);
        s.delay(logger(R), from - 3, to + 20, to + 180);
    }),
    offence(SUSPECTED, "every frame twice", |s| {
        suspect(s, 5.0, 25);
        s.repeat(logger(R));
    }),
    offence(SUSPECTED, "two bursts with an hour between", |s| {
        let first = 1_020 + s.dice.whole(0, 20);
        let second = first + 100;
        s.kitchen(R, 960, 1_320, |at, minute, _| {
            if (first..first + 20).contains(&at) || (second..second + 20).contains(&at) {
                minute.fume = 5.0;
            }
        });
        s.expect_within(SUSPECTED, &[R], (first - 1, first + 10), (first + 17, first + 50));
        s.expect_within(SUSPECTED, &[R], (second - 1, second + 10), (second + 17, second + 50));
    }),
    innocent(SUSPECTED, "one pan in flames", |s| {
        smoky(s, 8.0, 1);
    }),
    innocent(SUSPECTED, "calibration gas, flagged", |s| {
        let from = 1_060 + s.dice.whole(0, 60);
        s.kitchen(R, 960, 1_320, |at, minute, _| {
            if (from..from + 20).contains(&at) {
                (minute.fume, minute.flag) = (80.0, Flag::Calibration);
            }
        });
    }),
    innocent(SUSPECTED, "high while the fan is off", |s| {
        s.kitchen(R, 850, 980, |_, minute, _| minute.fume = 7.0);
    }),
    innocent(SUSPECTED, "at the limit and not above", |s| {
        s.kitchen(R, 990, 1_290, |_, minute, _| minute.fume = 2.0);
    }),
    innocent(SUSPECTED, "three high minutes, then the line breaks", |s| {
        let from = 1_100 + s.dice.whole(0, 60);
        s.kitchen(R, from, from + 3, |_, minute, _| minute.fume = 9.0);
    }),
    offence(OFF, "off for half an hour of dinner", |s| {
        let length = s.dice.whole(20, 45);
        let (from, to) = off(s, length);
        s.expect(OFF, &[R], from, to, 3);
    }),
    offence(OFF, "never switched on for lunch", |s| {
        s.kitchen(R, 600, 900, |_, minute, dice| switch_off(minute, dice));
        s.expect(OFF, &[R], 630, 840, 3);
    }),
    offence(OFF, "off twice in one dinner", |s| {
        let (first, second) = (1_010 + s.dice.whole(0, 20), 1_120 + s.dice.whole(0, 20));
        s.kitchen(R, 960, 1_320, |at, minute, dice| {
            if (first..first + 30).contains(&at) || (second..second + 30).contains(&at) {
                switch_off(minute, dice);
            }
        });
        s.expect(OFF, &[R], first, first + 30, 3);
        s.expect(OFF, &[R], second, second + 30, 3);
    }),
    offence(OFF, "told three hours late", |s| {
        let (from, to) = off(s, 30);
        s.delay(logger(R), from - 5, to + 5, to + 180);
        s.expect(OFF, &[R], from, to, 3);
    }),
    offence(OFF, "the switch says on, no current flows", |s| {
        let from = 1_030 + s.dice.whole(0, 60);
        s.kitchen(R, 960, 1_320, |at, minute, dice| {
            if (from..from + 40).contains(&at) {
                minute.purifier_current = dice.real(0.0, 0.04);
            }
        });
        s.expect(OFF, &[R], from, from + 40, 3);
    }),
    offence(OFF, "every frame twice and some minutes lost", |s| {
        let (from, to) = off(s, 40);
        s.repeat(logger(R));
        s.lose(logger(R), from + 12, from + 14);
        s.expect(OFF, &[R], from, to, 3);
    }),
    innocent(OFF, "off while the fan is off", |s| {
        s.kitchen(R, 840, 990, |_, minute, dice| switch_off(minute, dice));
    }),
    innocent(OFF, "seven minutes", |s| {
        let length = s.dice.whole(4, 8);
        off(s, length);
    }),
    innocent(OFF, "maintenance, flagged so", |s| {
        let from = 1_030 + s.dice.whole(0, 60);
        s.kitchen(R, 960, 1_320, |at, minute, dice| {
            if (from..from + 40).contains(&at) {
                switch_off(minute, dice);
                minute.state_flag = Flag::Maintenance;
            }
        });
    }),
    innocent(OFF, "one minute off before the line breaks and one after", |s| {
        let from = 1_030 + s.dice.whole(0, 60);
        s.kitchen(R, 960, 1_320, |at, minute, dice| {
            if at == from || at == from + 45 {
                switch_off(minute, dice);
            }
        });
        s.lose(logger(R), from + 1, from + 45);
    }),
    innocent(OFF, "off and on again and again, a few minutes each", |s| {
        s.kitchen(R, 990, 1_290, |at, minute, dice| {
            if at % 8 < 4 {
                switch_off(minute, dice);
            }
        });
    }),
    innocent(OFF, "the purifier runs on after the fan", |s| {
        s.kitchen(R, 800, 1_000, |at, minute, _| {
            if (840..870).contains(&at) {
                (minute.purifier_on, minute.purifier_current) = (1.0, 2.4);
            }
        });
    }),
    offence(WEAK, "a fifth of its usual current for an evening", |s| {
        month(s, 31, |day, _, minute, _| {
            if day == 30 {
                minute.purifier_current *= 0.2;
            }
        });
        s.expect_within(WEAK, &[R], (30 * 1_440 + 985, 30 * 1_440 + 1_060), (30 * 1_440 + 1_200, 30 * 1_440 + 1_320));
    }),
    offence(WEAK, "two evenings", |s| {
        month(s, 31, |day, _, minute, _| {
            if day >= 29 {
                minute.purifier_current *= 0.22;
            }
        });
        for day in [29, 30] {
            s.expect_within(
                WEAK,
                &[R],
                (day * 1_440 + 985, day * 1_440 + 1_060),
                (day * 1_440 + 1_200, day * 1_440 + 1_320),
            );
        }
    }),
    offence(WEAK, "from the middle of an evening on", |s| {
        let from = 1_060 + s.dice.whole(0, 40);
        month(s, 31, |day, of_day, minute, _| {
            if day == 30 && of_day >= from {
                minute.purifier_current *= 0.15;
            }
        });
        s.expect_within(
            WEAK,
            &[R],
            (30 * 1_440 + from - 5, 30 * 1_440 + from + 70),
            (30 * 1_440 + 1_200, 30 * 1_440 + 1_320),
        );
    }),
    offence(WEAK, "told three hours late", |s| {
        month(s, 31, |day, _, minute, _| {
            if day == 30 {
                minute.purifier_current *= 0.2;
            }
        });
        s.delay(logger(R), 30 * 1_440, 31 * 1_440, 31 * 1_440 + 30);
        s.expect_within(WEAK, &[R], (30 * 1_440 + 985, 30 * 1_440 + 1_060), (30 * 1_440 + 1_200, 30 * 1_440 + 1_320));
    }),
    offence(WEAK, "every frame twice", |s| {
        month(s, 31, |day, _, minute, _| {
            if day == 30 {
                minute.purifier_current *= 0.2;
            }
        });
        s.repeat(logger(R));
        s.expect_within(WEAK, &[R], (30 * 1_440 + 985, 30 * 1_440 + 1_060), (30 * 1_440 + 1_200, 30 * 1_440 + 1_320));
    }),
    innocent(WEAK, "half of its usual current", |s| {
        month(s, 31, |day, _, minute, _| {
            if day == 30 {
                minute.purifier_current *= 0.5;
            }
        });
    }),
    innocent(WEAK, "switched off, which is another rule's", |s| {
        month(s, 31, |day, of_day, minute, dice| {
            if day == 30 && of_day < 1_050 {
                switch_off(minute, dice);
            }
        });
    }),
    innocent(WEAK, "a dip of some minutes", |s| {
        let from = 1_060 + s.dice.whole(0, 40);
        month(s, 31, |day, of_day, minute, _| {
            if day == 30 && (from..from + 4).contains(&of_day) {
                minute.purifier_current *= 0.1;
            }
        });
    }),
    innocent(WEAK, "a new restaurant: nothing to compare with", |s| {
        month(s, 2, |day, _, minute, _| {
            if day == 1 {
                minute.purifier_current *= 0.2;
            }
        });
    }),
    innocent(WEAK, "the channel is broken, flagged so", |s| {
        month(s, 31, |day, _, minute, _| {
            if day == 30 {
                (minute.purifier_current, minute.state_flag) = (0.3, Flag::Fault);
            }
        });
    }),
    innocent(WEAK, "the current has always been so low", |s| {
        month(s, 31, |_, _, minute, _| minute.purifier_current *= 0.2);
    }),
    offence(CLEANING, "cleaned a hundred days ago", |s| {
        let days = s.dice.whole(70, 200);
        cleaned(s, 1, R, days, |_| ());
        working_day(s);
        s.expect_within(CLEANING, &[R], (-days * 1_440, 1_320), (600, i64::MAX / 120_000));
    }),
    offence(CLEANING, "due at noon of this day", |s| {
        s.given.push(json!({"object": "cleaning", "row": {"id": 1, "subject": R, "cleaned_at": s.base - (60 * 1_440 - 720) * MINUTE, "parts": ["purifier"]}}));
        working_day(s);
        s.expect_within(CLEANING, &[R], (715, 790), (1_200, i64::MAX / 120_000));
    }),
    offence(CLEANING, "the only record is void", |s| {
        cleaned(s, 1, R, 150, |_| ());
        cleaned(s, 2, R, 10, |row| row["void"] = json!(true));
        working_day(s);
        s.expect_within(CLEANING, &[R], (-100 * 1_440, 1_320), (600, i64::MAX / 120_000));
    }),
    offence(CLEANING, "a large restaurant after forty days", |s| {
        s.given.push(district::restaurant(R, "large", 8.0));
        cleaned(s, 1, R, 40, |_| ());
        working_day(s);
        s.expect_within(CLEANING, &[R], (-12 * 1_440, 1_320), (600, i64::MAX / 120_000));
    }),
    offence(CLEANING, "another restaurant was cleaned", |s| {
        cleaned(s, 1, R, 90, |_| ());
        cleaned(s, 2, district::RESTAURANT_2, 3, |_| ());
        working_day(s);
        s.expect_within(CLEANING, &[R], (-31 * 1_440, 1_320), (600, i64::MAX / 120_000));
    }),
    innocent(CLEANING, "cleaned three weeks ago", |s| {
        let days = s.dice.whole(5, 50);
        cleaned(s, 1, R, days, |_| ());
        working_day(s);
    }),
    innocent(CLEANING, "a small one after eighty days", |s| {
        s.given.push(district::restaurant(R, "small", 2.0));
        cleaned(s, 1, R, 80, |_| ());
        working_day(s);
    }),
    innocent(CLEANING, "long ago and again last week", |s| {
        cleaned(s, 1, R, 200, |_| ());
        cleaned(s, 2, R, 7, |_| ());
        working_day(s);
    }),
    innocent(CLEANING, "the record is entered in the afternoon", |s| {
        cleaned(s, 1, R, 200, |_| ());
        working_day(s);
        let at = s.base - 5 * 1_440 * MINUTE;
        s.edit(900, json!({"object": "cleaning", "row": {"id": 2, "subject": R, "cleaned_at": at, "parts": ["purifier", "hood"]}}));
    }),
    innocent(CLEANING, "exactly within its sixty days", |s| {
        cleaned(s, 1, R, 58, |_| ());
        working_day(s);
    }),
];
