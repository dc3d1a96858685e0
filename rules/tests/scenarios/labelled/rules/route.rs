//! Off the permitted route: more than 50 m from the line (30 m of corridor and 20 m of margin) for ten minutes.

use super::super::district::{PARKING_AT, ROUTE, TRUCK as T, TRUCK_FREE, logger, permit};
use super::super::haul::{Leg, lawful_trip};
use super::super::story::Story;
use super::super::{Scenario, innocent, offence};
use serde_json::json;

const RULE: &str = "truck-off-route";

/// Drives the permitted way from 21:00, `aside` metres from its first stretch, at 20 km/h: it lasts 18 minutes.
fn beside(story: &mut Story, aside: f64) -> (i64, i64) {
    let start = 1_260 + story.dice.whole(0, 120);
    let legs = [
        Leg::Stand(300),
        Leg::Drive((300.0, aside), 20.0),
        Leg::Drive((5_700.0, aside), 20.0),
        Leg::Drive(ROUTE[1], 20.0),
        Leg::Drive(ROUTE[2], 40.0),
    ];
    let end = story.way(T, start * 60, ROUTE[0], &legs, |_, _| ());
    (start + 5, end / 60)
}

pub const ALL: &[Scenario] = &[
    offence(RULE, "another road 300 m away", |s| {
        let aside = s.dice.real(200.0, 500.0);
        let (from, to) = beside(s, aside);
        s.expect_within(RULE, &[T], (from - 1, from + 5), (to - 14, to));
    }),
    offence(RULE, "just outside the margin for twenty minutes", |s| {
        let (from, to) = beside(s, 75.0);
        s.expect_within(RULE, &[T], (from - 1, from + 4), (to - 14, to));
    }),
    offence(RULE, "delivered three hours late, from a blind zone", |s| {
        let (from, to) = beside(s, 400.0);
        s.delay(logger(T), from - 2, to, to + 180);
        s.expect_within(RULE, &[T], (from - 1, from + 5), (to - 14, to));
    }),
    offence(RULE, "a detour over midnight", |s| {
        let start = 1_425;
        let legs = [
            Leg::Drive((0.0, -3_000.0), 30.0),
            Leg::Stand(900),
            Leg::Drive((6_000.0, -3_000.0), 40.0),
            Leg::Drive(ROUTE[1], 40.0),
        ];
        let end = s.way(T, start * 60, ROUTE[0], &legs, |_, _| ()) / 60;
        s.expect_within(RULE, &[T], (start - 1, start + 2), (end - 2, end + 1));
    }),
    offence(RULE, "single fixes on the line by chance", |s| {
        let start = 1_300;
        let legs = [Leg::Drive((0.0, 2_000.0), 30.0), Leg::Drive((5_000.0, 2_000.0), 30.0)];
        let lucky = s.dice.whole(20, 40);
        let end = s.way(T, start * 60, ROUTE[0], &legs, |fix, _| {
            if fix.since_s / 20 == lucky {
                fix.sent = false;
            }
        });
        s.expect_within(RULE, &[T], (start - 1, start + 2), (end / 60 - 2, i64::MAX / 120_000));
    }),
    innocent(RULE, "a parallel road 45 m away", |s| {
        let aside = s.dice.real(38.0, 44.0);
        beside(s, aside);
    }),
    innocent(RULE, "jitter over the edge", |s| {
        s.trip(T, 1_280, |fix, dice| {
            fix.north += if dice.chance(0.3) { dice.real(40.0, 70.0) } else { dice.real(-20.0, 20.0) }
        });
    }),
    innocent(RULE, "a detour of eight minutes", |s| {
        let legs = [
            Leg::Drive((2_000.0, 0.0), 40.0),
            Leg::Drive((2_000.0, -600.0), 30.0),
            Leg::Stand(240),
            Leg::Drive((2_000.0, 0.0), 30.0),
            Leg::Drive(ROUTE[1], 40.0),
        ];
        let start = 1_260 + s.dice.whole(0, 60);
        s.way(T, start * 60, ROUTE[0], &legs, |_, _| ());
    }),
    innocent(RULE, "the receiver jumps 20 km now and then", |s| {
        s.trip(T, 1_280, |fix, dice| {
            if dice.chance(0.08) {
                fix.east += 20_000.0;
            }
        });
    }),
    innocent(RULE, "a tunnel: a last fix aside and nothing for twenty minutes", |s| {
        let legs = [Leg::Drive((3_000.0, 0.0), 40.0), Leg::Stand(1_200), Leg::Drive(ROUTE[1], 40.0)];
        s.way(T, 1_300 * 60, ROUTE[0], &legs, |fix, _| {
            fix.sent = fix.speed > 0.0 || fix.since_s < 270;
            if fix.since_s >= 250 && fix.since_s < 275 {
                fix.north += 80.0;
            }
        });
    }),
    innocent(RULE, "parked without a fix far away", |s| {
        let legs = [Leg::Stand(3_600)];
        s.way(T, 1_300 * 60, PARKING_AT, &legs, |fix, _| fix.fixed = false);
    }),
    innocent(RULE, "by day, when the permit's window is closed", |s| {
        let legs = [Leg::Drive((0.0, -3_000.0), 30.0), Leg::Stand(1_800)];
        let start = 700 + s.dice.whole(0, 200);
        s.way(T, start * 60, ROUTE[0], &legs, |_, _| ());
    }),
    innocent(RULE, "a truck that nobody gave a route", |s| {
        s.way(
            TRUCK_FREE,
            1_300 * 60,
            PARKING_AT,
            &[Leg::Drive((-8_000.0, 2_000.0), 40.0), Leg::Stand(1_200)],
            |_, _| (),
        );
    }),
    innocent(RULE, "a second permit allows the other road", |s| {
        s.given.push(permit(2, &[T], |row| row["corridor"] = json!([[113.50, 34.8027], [113.60, 34.8027]])));
        beside(s, 300.0);
    }),
    innocent(RULE, "a lawful trip, everything late and in disorder", |s| {
        let start = 1_270 + s.dice.whole(0, 100);
        s.way(T, start * 60, ROUTE[0], &lawful_trip(), |fix, dice| fix.delay_ms += dice.whole(0, 7_200_000));
    }),
];
