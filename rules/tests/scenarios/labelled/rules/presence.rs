//! Offline: no sign of life for half an hour that is not our fault. Gap: no data for an hour although filled up never.

use super::super::district::{self, RESTAURANT as R, SPARE_LOGGER, logger};
use super::super::story::{Aside, MINUTE, Story};
use super::super::{Scenario, innocent, offence};

const OFFLINE: &str = "device-offline";
const GAP: &str = "data-gap";
const L: i64 = logger(R);

/// A day with nothing said from a minute for `length` minutes.
fn pause(story: &mut Story, length: i64) -> (i64, i64) {
    let from = 900 + story.dice.whole(0, 120);
    story.kitchen(R, 600, from + length + 180, |_, _, _| ());
    story.lose(L, from, from + length);
    (from - 1, from + length)
}

fn heartbeats(story: &mut Story, from: i64, to: i64) {
    story.asides.extend((from..to).step_by(5).map(|at| (at * MINUTE, Aside::Heartbeat { device: L })));
}

pub const ALL: &[Scenario] = &[
    offence(OFFLINE, "unplugged for an hour", |s| {
        let length = s.dice.whole(50, 90);
        let (from, to) = pause(s, length);
        s.expect(OFFLINE, &[R], from, to, 2);
    }),
    offence(OFFLINE, "unplugged and never back", |s| {
        let from = 900 + s.dice.whole(0, 100);
        s.kitchen(R, 600, from, |_, _, _| ());
        s.tail = 120;
        s.expect(OFFLINE, &[R], from - 1, i64::MAX, 2);
    }),
    offence(OFFLINE, "two pauses with a quarter of an hour between", |s| {
        let (first, second) = (900, 960 + s.dice.whole(0, 10));
        s.kitchen(R, 600, 1_200, |_, _, _| ());
        s.lose(L, first, first + 45);
        s.lose(L, second, second + 50);
        s.expect(OFFLINE, &[R], first - 1, first + 45, 2);
        s.expect(OFFLINE, &[R], second - 1, second + 50, 2);
    }),
    offence(OFFLINE, "our outage covers the first ten minutes only", |s| {
        let (from, to) = pause(s, 70);
        s.our_outage(from + 2, from + 12);
        s.expect(OFFLINE, &[R], from, to, 3);
    }),
    offence(OFFLINE, "over midnight", |s| {
        let from = 1_410 + s.dice.whole(0, 20);
        s.kitchen(R, 1_200, 1_800, |_, _, _| ());
        s.lose(L, from, from + 75);
        s.expect(OFFLINE, &[R], from - 1, from + 75, 2);
    }),
    innocent(OFFLINE, "a pause of twenty-five minutes", |s| {
        pause(s, 25);
    }),
    innocent(OFFLINE, "our own outage", |s| {
        let (from, to) = (900, 900 + s.dice.whole(40, 200));
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        s.lose(L, from, to);
        s.our_outage(from - 1, to + 1);
    }),
    innocent(OFFLINE, "the line was broken and everything came late", |s| {
        let from = 900 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        s.delay(L, from, from + 100, from + 100);
    }),
    innocent(OFFLINE, "heartbeats without data", |s| {
        let (from, to) = pause(s, 100);
        heartbeats(s, from, to + 1);
    }),
    innocent(OFFLINE, "taken down and replaced by another logger", |s| {
        let at = 900 + s.dice.whole(0, 60);
        let change = s.base + at * MINUTE;
        s.kitchen(R, 600, at, |_, _, _| ());
        s.logger(SPARE_LOGGER, R, at, at + 300, |_, _, _| ());
        s.edit(at - 2, district::installation(L, L, R, 0, Some(change)));
        s.edit(at - 2, district::installation(9_001, SPARE_LOGGER, R, change, None));
    }),
    innocent(OFFLINE, "switched off in the register for the pause", |s| {
        s.kitchen(R, 600, 900, |_, _, _| ());
        s.edit(905, district::device(L, "fume-hj212-generic", "hj212", false));
        s.tail = 200;
    }),
    offence(GAP, "two hours without data, with heartbeats", |s| {
        let length = s.dice.whole(90, 180);
        let (from, to) = pause(s, length);
        heartbeats(s, from, to);
        s.expect(GAP, &[R], from, to, 2);
    }),
    offence(GAP, "gone altogether", |s| {
        let (from, to) = pause(s, 150);
        s.expect(GAP, &[R], from, to, 2);
    }),
    offence(GAP, "filled up in part only", |s| {
        let from = 900 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_500, |_, _, _| ());
        s.lose(L, from, from + 80);
        s.delay(L, from + 80, from + 160, from + 170);
        s.expect(GAP, &[R], from - 1, from + 80, 2);
    }),
    offence(GAP, "over midnight", |s| {
        let from = 1_380 + s.dice.whole(0, 50);
        s.kitchen(R, 1_200, 1_900, |_, _, _| ());
        s.lose(L, from, from + 100);
        s.expect(GAP, &[R], from - 1, from + 100, 2);
    }),
    offence(GAP, "never again", |s| {
        let from = 900 + s.dice.whole(0, 100);
        s.kitchen(R, 600, from, |_, _, _| ());
        s.tail = 200;
        s.expect(GAP, &[R], from - 1, i64::MAX, 2);
    }),
    innocent(GAP, "fifty minutes", |s| {
        pause(s, 50);
    }),
    innocent(GAP, "all of it came after three hours", |s| {
        let from = 900 + s.dice.whole(0, 60);
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        s.delay(L, from, from + 180, from + 185);
    }),
    innocent(GAP, "our own outage", |s| {
        s.kitchen(R, 600, 1_300, |_, _, _| ());
        let to = 1_000 + s.dice.whole(0, 100);
        s.lose(L, 900, to);
        s.our_outage(899, to + 1);
    }),
    innocent(GAP, "every other minute is missing", |s| {
        s.kitchen(R, 600, 1_300, |at, minute, _| minute.sent = at % 2 == 0);
    }),
    innocent(GAP, "one frame an hour's half", |s| {
        let phase = s.dice.whole(0, 25);
        s.kitchen(R, 600, 1_300, |at, minute, _| minute.sent = at < 650 || at % 25 == phase);
    }),
];
