//! Dust in its judging forms, noise by day and night, earthwork in wind and under notices.

use super::super::dice::Dice;
use super::super::district::{GATE, SITE, SITE_2, device, installation, logger, site};
use super::super::story::{MINUTE, Story};
use super::super::yard::Air;
use super::super::{Scenario, innocent, offence};
use model::record::Flag;
use serde_json::{Value, json};

const MEAN: &str = "dust-mean";
const BACKGROUND: &str = "dust-background";
const DAILY: &str = "dust-daily-count";
const NOISE: &str = "noise";
const WIND: &str = "earthwork-wind";
const LATE: i64 = i64::MAX / 120_000;
/// The county's station.
const STATION: i64 = 1_950;

/// A working day with another air from a minute for `minutes`.
fn air(story: &mut Story, minutes: i64, mut edit: impl FnMut(&mut Air, &mut Dice)) -> (i64, i64) {
    let from = 600 + story.dice.whole(0, 120);
    story.air(SITE, 480, from + minutes + 180, |at, air, dice| {
        if (from..from + minutes).contains(&at) {
            edit(air, dice);
        }
    });
    (from, from + minutes)
}

/// TSP in µg/m³ for `minutes`. The limit of the earthwork stage is 800 as a mean of an hour.
fn dusty(story: &mut Story, tsp: f64, minutes: i64) -> (i64, i64) {
    air(story, minutes, |air, dice| air.tsp = tsp + dice.real(-40.0, 40.0))
}

fn expect_mean(story: &mut Story, from: i64, to: i64) {
    story.expect_within(MEAN, &[SITE], (from - 1, from + 61), (to - 30, to + 80));
}

/// The county's station, and what it says for the minutes `0..1_440`.
fn county(story: &mut Story, pm10: f64) {
    story.given.push(
        json!({"object": "subject", "row": {"id": 901, "code": "s901", "name": "县站", "details": {"kind": "site"}}}),
    );
    story.given.push(device(STATION, "dust-hj212-ug", "hj212", true));
    story.given.push(installation(STATION, STATION, 901, 0, None));
    story.given.push(json!({"object": "background", "row": {"id": 1, "quantity": "pm10", "device": STATION, "source": "县站", "valid_from": 0}}));
    let before = story.said.len();
    story.air(901, 420, 1_140, |_, air, dice| air.pm10 = pm10 + dice.real(-3.0, 3.0));
    story.said.iter_mut().skip(before).for_each(|said| said.device = STATION);
}

/// PM10 of the site for two hours on the hour; the county is at `background`.
fn above(story: &mut Story, pm10: f64, background: f64) -> (i64, i64) {
    county(story, background);
    let from = 600 + 60 * story.dice.whole(0, 2);
    story.air(SITE, 480, from + 330, |at, air, dice| {
        if (from..from + 150).contains(&at) {
            air.pm10 = pm10 + dice.real(-4.0, 4.0);
        }
    });
    (from, from + 150)
}

fn expect_above(story: &mut Story, from: i64, to: i64) {
    story.expect_within(BACKGROUND, &[SITE], (from - 1, from + 65), (to - 95, to + 95));
}

/// Bursts of dust over the limit, `minutes` long, beginning at these minutes.
fn bursts(story: &mut Story, at: &[i64], minutes: i64, tsp: f64) {
    story.air(SITE, 360, 1_320, |now, air, _| {
        if at.iter().any(|from| (*from..from + minutes).contains(&now)) {
            air.tsp = tsp;
        }
    });
}

fn loud(story: &mut Story, from: i64, minutes: i64, db: f64) -> (i64, i64) {
    story.air(SITE, from - 120, from + minutes + 120, |at, air, dice| {
        if (from..from + minutes).contains(&at) {
            air.noise = db + dice.real(-1.0, 1.0);
        }
    });
    (from, from + minutes)
}

fn expect_loud(story: &mut Story, from: i64, to: i64) {
    story.expect_within(NOISE, &[SITE], (from - 1, from + 25), (to - 10, to + 35));
}

fn night_permit(from: i64, to: i64, edit: impl FnOnce(&mut Value)) -> Value {
    let mut row =
        json!({"id": 1, "code": "y1", "site": SITE, "reason": "连续浇筑", "valid_from": from, "valid_to": to});
    edit(&mut row);
    json!({"object": "night_permit", "row": row})
}

fn notice(from: i64, to: i64, stops: &str) -> Value {
    json!({"object": "notice", "row": {"id": 1, "code": "n1", "level": "red", "stops": [stops], "valid_from": from, "valid_to": to}})
}

/// Wind for `minutes`; earthwork goes on: dust and noise of work, trucks leave.
fn blows(story: &mut Story, wind: f64, minutes: i64, works: bool) -> (i64, i64) {
    let (from, to) = air(story, minutes, |air, dice| {
        air.wind = wind + dice.real(-0.3, 0.3);
        if works {
            (air.tsp, air.pm10, air.noise) = (dice.real(450.0, 600.0), dice.real(110.0, 140.0), dice.real(64.0, 68.0));
        } else {
            (air.noise, air.tsp, air.pm10) = (dice.real(44.0, 50.0), 90.0, 40.0);
        }
    });
    if works {
        for minute in (from + 5..to).step_by(12) {
            story.exit(
                minute * 60,
                super::super::district::TRUCK,
                &[("covered", "true"), ("washed", "true"), ("load", "loaded")],
            );
        }
    }
    (from, to)
}

fn expect_wind(story: &mut Story, from: i64, to: i64) {
    story.expect_within(WIND, &[SITE, GATE], (from - 1, from + 65), (to - 40, to + 40));
}

pub const ALL: &[Scenario] = &[
    offence(MEAN, "two hours at twice the limit", |s| {
        let (from, to) = dusty(s, 1_700.0, 120);
        expect_mean(s, from, to);
    }),
    offence(MEAN, "just above it for three hours", |s| {
        let (from, to) = dusty(s, 990.0, 180);
        expect_mean(s, from, to);
    }),
    offence(MEAN, "told three hours late", |s| {
        let (from, to) = dusty(s, 1_900.0, 100);
        s.delay(logger(SITE), from - 5, to + 60, to + 180);
        expect_mean(s, from, to);
    }),
    offence(MEAN, "every frame twice", |s| {
        let (from, to) = dusty(s, 1_600.0, 110);
        s.repeat(logger(SITE));
        expect_mean(s, from, to);
    }),
    offence(MEAN, "at 760, which is too much for the structure's stage", |s| {
        s.given.push(site(SITE, "structure"));
        let (from, to) = dusty(s, 790.0, 180);
        expect_mean(s, from, to);
    }),
    offence(MEAN, "calibrated for ten minutes in between", |s| {
        let from = 600;
        s.air(SITE, 480, 960, |at, air, _| {
            if (from..from + 140).contains(&at) {
                air.tsp = 1_800.0;
            }
            if (from + 60..from + 70).contains(&at) {
                air.flag = Flag::Calibration;
            }
        });
        expect_mean(s, from, from + 140);
    }),
    innocent(MEAN, "a gust of ten minutes", |s| {
        dusty(s, 2_200.0, 10);
    }),
    innocent(MEAN, "calibration, flagged", |s| {
        air(s, 40, |air, _| (air.tsp, air.flag) = (5_000.0, Flag::Calibration));
    }),
    innocent(MEAN, "at 740: fine for earthwork", |s| {
        dusty(s, 740.0, 180);
    }),
    innocent(MEAN, "twenty minutes of data and no more", |s| {
        let from = 600 + s.dice.whole(0, 120);
        s.air(SITE, from, from + 20, |_, air, _| air.tsp = 3_000.0);
    }),
    innocent(MEAN, "a broken sensor at its end of range, flagged", |s| {
        air(s, 150, |air, _| (air.tsp, air.flag) = (20_000.0, Flag::OverRange));
    }),
    offence(BACKGROUND, "a hundred and twenty above the county", |s| {
        let (from, to) = above(s, 200.0, 80.0);
        expect_above(s, from, to);
    }),
    offence(BACKGROUND, "the county is above its cap of 150", |s| {
        let (from, to) = above(s, 260.0, 200.0);
        expect_above(s, from, to);
    }),
    offence(BACKGROUND, "told three hours late", |s| {
        let (from, to) = above(s, 210.0, 80.0);
        s.delay(logger(SITE), from, to + 30, to + 180);
        expect_above(s, from, to);
    }),
    offence(BACKGROUND, "the county's data came late", |s| {
        let (from, to) = above(s, 210.0, 80.0);
        s.delay(STATION, from - 60, to + 60, to + 120);
        expect_above(s, from, to);
    }),
    offence(BACKGROUND, "every frame twice", |s| {
        let (from, to) = above(s, 205.0, 90.0);
        s.repeat(logger(SITE));
        expect_above(s, from, to);
    }),
    innocent(BACKGROUND, "a dusty day for the whole county", |s| {
        above(s, 200.0, 145.0);
    }),
    innocent(BACKGROUND, "seventy above", |s| {
        above(s, 150.0, 85.0);
    }),
    innocent(BACKGROUND, "ten minutes", |s| {
        county(s, 80.0);
        let from = 600 + s.dice.whole(0, 100);
        s.air(SITE, 480, 900, |at, air, _| {
            if (from..from + 10).contains(&at) {
                air.pm10 = 250.0;
            }
        });
    }),
    innocent(BACKGROUND, "no background is known", |s| {
        s.air(SITE, 480, 900, |_, air, _| air.pm10 = 170.0);
    }),
    innocent(BACKGROUND, "calibration, flagged", |s| {
        county(s, 80.0);
        s.air(SITE, 480, 900, |at, air, _| {
            if (600..700).contains(&at) {
                (air.pm10, air.flag) = (400.0, Flag::Calibration);
            }
        });
    }),
    offence(DAILY, "every hour of the morning", |s| {
        let at = [430, 500, 570, 640, 710, 780, 850, 920, 990];
        bursts(s, &at, 40, 2_600.0);
        s.expect_within(DAILY, &[SITE], (420, 990), (500, LATE));
    }),
    offence(DAILY, "ten bursts", |s| {
        let at: Vec<i64> = (0..10).map(|burst| 430 + burst * 70).collect();
        bursts(s, &at, 35, 2_900.0);
        s.expect_within(DAILY, &[SITE], (420, 1_100), (500, LATE));
    }),
    offence(DAILY, "told three hours late", |s| {
        let at: Vec<i64> = (0..9).map(|burst| 430 + burst * 70).collect();
        bursts(s, &at, 40, 2_700.0);
        s.delay(logger(SITE), 600, 900, 1_085);
        s.expect_within(DAILY, &[SITE], (420, 1_050), (500, LATE));
    }),
    offence(DAILY, "every frame twice", |s| {
        let at: Vec<i64> = (0..9).map(|burst| 430 + burst * 70).collect();
        bursts(s, &at, 40, 2_700.0);
        s.repeat(logger(SITE));
        s.expect_within(DAILY, &[SITE], (420, 1_050), (500, LATE));
    }),
    offence(DAILY, "the whole day", |s| {
        s.air(SITE, 0, 1_439, |at, air, dice| {
            if at > 420 {
                air.tsp = dice.real(2_400.0, 2_900.0);
            }
        });
        s.expect_within(DAILY, &[SITE], (420, 1_050), (500, LATE));
    }),
    innocent(DAILY, "once", |s| {
        bursts(s, &[700], 20, 2_600.0);
    }),
    innocent(DAILY, "some on one day and some on the next", |s| {
        for day in 0..2 {
            s.air(SITE, day * 1_440 + 360, day * 1_440 + 1_320, |at, air, _| {
                if (700..720).contains(&(at % 1_440)) {
                    air.tsp = 2_400.0;
                }
            });
        }
    }),
    innocent(DAILY, "single minutes", |s| {
        bursts(s, &[500, 600, 700, 800, 900, 1_000, 1_100], 1, 3_500.0);
    }),
    innocent(DAILY, "all of it calibration, flagged", |s| {
        s.air(SITE, 360, 1_320, |at, air, _| {
            if at % 70 < 40 {
                (air.tsp, air.flag) = (2_600.0, Flag::Calibration);
            }
        });
    }),
    innocent(DAILY, "a calm day", |s| {
        bursts(s, &[], 0, 0.0);
    }),
    offence(NOISE, "a hammer at night", |s| {
        let (from, to) = loud(s, 1_400, 60, 68.0);
        expect_loud(s, from, to);
    }),
    offence(NOISE, "eighty by day", |s| {
        let from = 600 + s.dice.whole(0, 120);
        let (from, to) = loud(s, from, 60, 79.0);
        expect_loud(s, from, to);
    }),
    offence(NOISE, "a permit for another site", |s| {
        let (from, to) = (s.base, s.base + 3_000 * MINUTE);
        s.given.push(night_permit(from, to, |row| row["site"] = json!(SITE_2)));
        let (from, to) = loud(s, 1_430, 60, 66.0);
        expect_loud(s, from, to);
    }),
    offence(NOISE, "the permit ended at midnight", |s| {
        let (from, to) = (s.base, s.base + 1_440 * MINUTE);
        s.given.push(night_permit(from, to, |_| ()));
        let (from, to) = loud(s, 1_480, 60, 67.0);
        expect_loud(s, from, to);
    }),
    offence(NOISE, "told three hours late", |s| {
        let (from, to) = loud(s, 1_400, 70, 69.0);
        s.delay(logger(SITE), from - 3, to + 10, to + 180);
        expect_loud(s, from, to);
    }),
    innocent(NOISE, "sixty-five by day", |s| {
        loud(s, 700, 120, 65.0);
    }),
    innocent(NOISE, "concreting with a permit", |s| {
        let (from, to) = (s.base, s.base + 3_000 * MINUTE);
        s.given.push(night_permit(from, to, |_| ()));
        loud(s, 1_400, 120, 67.0);
    }),
    innocent(NOISE, "one lorry's horn", |s| {
        loud(s, 1_450, 1, 66.0);
    }),
    innocent(NOISE, "at night below fifty-five", |s| {
        loud(s, 1_400, 120, 52.0);
    }),
    innocent(NOISE, "the microphone is calibrated, flagged", |s| {
        s.air(SITE, 1_350, 1_600, |at, air, _| {
            if (1_400..1_430).contains(&at) {
                (air.noise, air.flag) = (94.0, Flag::Calibration);
            }
        });
    }),
    offence(WIND, "earthwork at force five", |s| {
        let (from, to) = blows(s, 9.0, 150, true);
        expect_wind(s, from, to);
    }),
    offence(WIND, "at just force four", |s| {
        let (from, to) = blows(s, 6.5, 180, true);
        expect_wind(s, from, to);
    }),
    offence(WIND, "no wind, but a red notice", |s| {
        let (from, to) = (s.base, s.base + 1_440 * MINUTE);
        s.given.push(notice(from, to, "earthwork"));
        let (from, to) = blows(s, 1.5, 150, true);
        s.expect_within(WIND, &[SITE, GATE], (400, from + 65), (to - 40, to + 240));
    }),
    offence(WIND, "told three hours late", |s| {
        let (from, to) = blows(s, 9.0, 150, true);
        s.delay(logger(SITE), from - 5, to + 30, to + 180);
        expect_wind(s, from, to);
    }),
    offence(WIND, "every frame twice", |s| {
        let (from, to) = blows(s, 8.0, 150, true);
        s.repeat(logger(SITE));
        expect_wind(s, from, to);
    }),
    innocent(WIND, "nobody works in the wind", |s| {
        blows(s, 9.0, 150, false);
    }),
    innocent(WIND, "a gust of two minutes", |s| {
        blows(s, 11.0, 2, true);
    }),
    innocent(WIND, "work at a breeze", |s| {
        blows(s, 4.2, 150, true);
    }),
    innocent(WIND, "wind, but the stage is the structure", |s| {
        s.given.push(site(SITE, "structure"));
        blows(s, 9.0, 150, true);
    }),
    innocent(WIND, "a notice that stops muck transport alone", |s| {
        let (from, to) = (s.base, s.base + 1_440 * MINUTE);
        s.given.push(notice(from, to, "muck_transport"));
        blows(s, 1.5, 150, true);
    }),
    innocent(WIND, "the wind gauge is broken, flagged", |s| {
        let from = 600;
        s.air(SITE, 480, 900, |at, air, dice| {
            (air.tsp, air.noise) = (dice.real(450.0, 600.0), 66.0);
            if (from..from + 120).contains(&at) {
                (air.wind, air.flag) = (30.0, Flag::Fault);
            }
        });
    }),
];
