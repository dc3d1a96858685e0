//! Trackers that lie or are lied to, loads that arrive nowhere, places where trucks meet, and the trip sheet.

use super::super::district::{
    DISPOSAL, DISPOSAL_AT, PARKING_AT, ROUTE, SITE, SITE_AT, TRUCK as T, TRUCK_2 as T2, TRUCK_3 as T3, TRUCK_FREE,
    logger, place,
};
use super::super::haul::{EXIT_S, Leg};
use super::super::story::{MINUTE, Story};
use super::super::{Scenario, innocent, offence};
use serde_json::{Value, json};

const JUMP: &str = "gps-jump";
const JAM: &str = "gps-jamming";
const CLONE: &str = "gps-clone";
const UNMATCHED: &str = "manifest-unmatched";
const MEET: &str = "co-stop";
const TRIP: &str = "trip";
const FIELD: (f64, f64) = (3_000.0, -2_500.0);
const LATE: i64 = i64::MAX / 120_000;

fn evening(story: &mut Story) -> i64 {
    1_270 + story.dice.whole(0, 90)
}

/// A lawful trip whose fixes from a second on, for `count` of them, are `metres` to the east.
fn jumps(story: &mut Story, count: i64, metres: f64) -> i64 {
    let (at, first) = (evening(story), 900 + story.dice.whole(0, 10) * 20);
    story.trip(T, at, |fix, _| {
        if (first..first + count * 20).contains(&fix.since_s) {
            fix.east += metres;
        }
    });
    at + first / 60
}

fn expect_jump(story: &mut Story, minute: i64, lasts: i64) {
    story.expect_within(JUMP, &[T], (minute - 2, minute + 3), (minute - 1, minute + lasts + 5));
}

/// A lawful trip without a fix in the seconds `from..to` of it, although it reports.
fn jammed(story: &mut Story, from: i64, to: i64) -> i64 {
    let at = evening(story);
    story.trip(T, at, |fix, _| {
        if (from..to).contains(&fix.since_s) {
            fix.fixed = false;
        }
    });
    at
}

/// Two trackers at once in the places of one truck: the second plays what the first said.
fn clone(story: &mut Story, other: i64, from: i64, to: i64, aside_m: f64) {
    let copies: Vec<_> = story.said.iter().filter(|said| said.device == logger(T)).cloned().collect();
    for mut said in copies.into_iter().filter(|said| (from..to).contains(&(said.at_ms / MINUTE))) {
        (said.device, said.subject) = (logger(other), other);
        if let Some(fix) = &mut said.body.fix {
            fix.place.lat += aside_m / 111_195.0;
        }
        story.say(said);
    }
}

fn manifest(id: i64, truck: i64, loaded: i64, unloaded: Option<i64>, edit: impl FnOnce(&mut Value)) -> Value {
    let mut row = json!({"id": id, "code": format!("m{id}"), "truck": truck, "site": SITE, "disposal_site": DISPOSAL,
        "source": "driver", "loaded_at": loaded, "unloaded_at": unloaded, "volume_m3": 18.0});
    edit(&mut row);
    json!({"object": "manifest", "row": row})
}

/// A manifest that says loaded at the minute `at`, written in the register some minutes later.
fn signed(story: &mut Story, id: i64, at: i64, edit: impl FnOnce(&mut Value)) {
    let loaded = story.base + at * MINUTE;
    story.edit(at + 5, manifest(id, T, loaded, None, edit));
}

/// Some other life of the truck, so that time passes for its data.
fn next_day(story: &mut Story, truck: i64) {
    story.way(truck, 2_000 * 60, PARKING_AT, &[Leg::Stand(1_200)], |_, _| ());
    story.tail = 1_500;
}

fn expect_unmatched(story: &mut Story, at: i64) {
    story.expect_within(UNMATCHED, &[T, SITE], (at - 15, at + 1_600), (at, LATE));
}

/// Drives there from the parking place, stands a while and drives back.
fn visits(story: &mut Story, truck: i64, at: i64, to: (f64, f64), seconds: i64) {
    let near = (to.0 + story.dice.real(-25.0, 25.0), to.1 + story.dice.real(-25.0, 25.0));
    let legs =
        [Leg::Load(3.0), Leg::Drive(near, 40.0), Leg::Stand(seconds), Leg::Load(0.0), Leg::Drive(PARKING_AT, 45.0)];
    story.way(truck, at * 60, PARKING_AT, &legs, |_, _| ());
}

fn expect_meeting(story: &mut Story, from: i64, to: i64) {
    story.expect_within(MEET, &[T, T2, T3, TRUCK_FREE, 0], (from - 240, to + 60), (from, LATE));
}

/// What the gate saw of a trip.
fn gate(story: &mut Story, at: i64) {
    let exit = at * 60 + EXIT_S;
    story.wash(exit - 90, 60);
    story.exit(exit, T, &[("covered", "true"), ("washed", "true")]);
}

pub const ALL: &[Scenario] = &[
    offence(JUMP, "twenty kilometres and back", |s| {
        let minute = jumps(s, 1, 20_000.0);
        expect_jump(s, minute, 1);
    }),
    offence(JUMP, "five fixes five kilometres away", |s| {
        let minute = jumps(s, 5, 5_000.0);
        expect_jump(s, minute, 2);
    }),
    offence(JUMP, "told three hours late", |s| {
        let minute = jumps(s, 2, 12_000.0);
        s.delay(logger(T), minute - 10, minute + 10, minute + 180);
        expect_jump(s, minute, 1);
    }),
    offence(JUMP, "every message twice", |s| {
        let minute = jumps(s, 1, 9_000.0);
        s.repeat(logger(T));
        expect_jump(s, minute, 1);
    }),
    offence(JUMP, "while it stands", |s| {
        let at = evening(s);
        s.way(T, at * 60, SITE_AT, &[Leg::Stand(1_800)], |fix, _| {
            if (600..680).contains(&fix.since_s) {
                fix.north += 8_000.0;
            }
        });
        expect_jump(s, at + 10, 2);
    }),
    innocent(JUMP, "a lawful trip", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
    }),
    innocent(JUMP, "thirty metres of scatter", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, dice| {
            (fix.east, fix.north) = (fix.east + dice.real(-30.0, 30.0), fix.north + dice.real(-30.0, 30.0));
        });
    }),
    innocent(JUMP, "a tunnel and fifteen minutes later at its other end", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, _| fix.sent = !(800..1_400).contains(&fix.since_s));
    }),
    innocent(JUMP, "no fix: an old place", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, _| {
            if fix.since_s == 1_000 {
                (fix.fixed, fix.east, fix.north) = (false, PARKING_AT.0, PARKING_AT.1);
            }
        });
    }),
    innocent(JUMP, "the tracker is moved to another truck", |s| {
        let change = s.base + 1_300 * MINUTE;
        s.given.push(super::super::district::installation(logger(T), logger(T), T, 0, Some(change)));
        s.given.push(super::super::district::installation(9_002, logger(T), T3, change, None));
        s.way(T, 1_280 * 60, SITE_AT, &[Leg::Stand(1_000)], |_, _| ());
        s.way(T3, 1_320 * 60, DISPOSAL_AT, &[Leg::Stand(1_000)], |_, _| ());
        for said in s.said.iter_mut().filter(|said| said.subject == T3) {
            said.device = logger(T);
        }
    }),
    offence(JAM, "reports without a fix for twenty minutes of driving", |s| {
        let at = jammed(s, 800, 2_000);
        s.expect_within(JAM, &[T], (at + 11, at + 22), (at + 30, at + 40));
    }),
    offence(JAM, "for the whole way there and back", |s| {
        let at = jammed(s, 740, 100_000);
        s.expect_within(JAM, &[T], (at + 10, at + 24), (at + 40, LATE));
    }),
    offence(JAM, "told three hours late", |s| {
        let at = jammed(s, 800, 2_100);
        s.delay(logger(T), at, at + 40, at + 220);
        s.expect_within(JAM, &[T], (at + 11, at + 22), (at + 30, at + 40));
    }),
    offence(JAM, "every message twice", |s| {
        let at = jammed(s, 800, 2_100);
        s.repeat(logger(T));
        s.expect_within(JAM, &[T], (at + 11, at + 22), (at + 30, at + 40));
    }),
    offence(JAM, "one lucky fix in the middle", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, _| fix.fixed = !(800..2_400).contains(&fix.since_s) || fix.since_s == 1_500);
        s.expect_within(JAM, &[T], (at + 11, at + 22), (at + 24, at + 46));
    }),
    innocent(JAM, "a tunnel of four minutes", |s| {
        jammed(s, 900, 1_140);
    }),
    innocent(JAM, "parked under a roof, the ignition off", |s| {
        s.way(T, 600 * 60, PARKING_AT, &[Leg::Stand(7_200)], |fix, _| (fix.fixed, fix.ignition) = (false, 0.0));
    }),
    innocent(JAM, "two fixes in three are lost", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, _| fix.fixed = fix.since_s / 20 % 3 == 0);
    }),
    innocent(JAM, "nothing is reported at all", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, _| fix.sent = !(800..2_400).contains(&fix.since_s));
    }),
    innocent(JAM, "a cold start: four minutes until the first fix", |s| {
        jammed(s, 0, 240);
    }),
    offence(CLONE, "a second tracker plays the first one's way", |s| {
        let at = evening(s);
        let end = s.trip(T, at, |_, _| ()) / 60;
        clone(s, T3, at, end, 0.0);
        s.expect_within(CLONE, &[T, T3], (at - 2, at + 35), (end - 35, LATE));
    }),
    offence(CLONE, "for half an hour", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        clone(s, T3, at + 10, at + 42, 0.0);
        s.expect_within(CLONE, &[T, T3], (at + 8, at + 40), (at + 20, at + 50));
    }),
    offence(CLONE, "the copy is told three hours late", |s| {
        let at = evening(s);
        let end = s.trip(T, at, |_, _| ()) / 60;
        clone(s, T3, at, end, 0.0);
        s.delay(logger(T3), at, end, end + 180);
        s.expect_within(CLONE, &[T, T3], (at - 2, at + 35), (end - 35, LATE));
    }),
    offence(CLONE, "every message twice", |s| {
        let at = evening(s);
        let end = s.trip(T, at, |_, _| ()) / 60;
        clone(s, T3, at, end, 0.0);
        s.repeat(logger(T));
        s.expect_within(CLONE, &[T, T3], (at - 2, at + 35), (end - 35, LATE));
    }),
    offence(CLONE, "over midnight", |s| {
        let end = s.trip(T, 1_415, |_, _| ()) / 60;
        clone(s, T3, 1_415, end, 0.0);
        s.expect_within(CLONE, &[T, T3], (1_413, 1_450), (end - 35, LATE));
    }),
    innocent(CLONE, "two trucks in a column, fifty metres apart", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        s.way(T2, at * 60 + 5, SITE_AT, &super::super::haul::lawful_trip(), |_, _| ());
    }),
    innocent(CLONE, "two trucks parked side by side", |s| {
        for truck in [T, T2] {
            s.way(truck, 600 * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
        }
    }),
    innocent(CLONE, "the same place for two minutes", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        clone(s, T3, at + 20, at + 22, 0.0);
    }),
    innocent(CLONE, "the same way an hour later", |s| {
        for (truck, wait) in [(T, 0), (T2, 60)] {
            s.trip(truck, 1_280 + wait, |_, _| ());
        }
    }),
    innocent(CLONE, "one tracker says everything twice", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        s.repeat(logger(T));
    }),
    offence(UNMATCHED, "signed out, unloaded nowhere", |s| {
        let at = evening(s);
        gate(s, at);
        signed(s, 1, at + 10, |_| ());
        s.way(
            T,
            at * 60,
            SITE_AT,
            &[
                Leg::Stand(600),
                Leg::Load(3.0),
                Leg::Stand(120),
                Leg::Drive(FIELD, 40.0),
                Leg::Stand(300),
                Leg::Load(0.0),
                Leg::Drive(PARKING_AT, 40.0),
            ],
            |_, _| (),
        );
        next_day(s, T);
        expect_unmatched(s, at + 10);
    }),
    offence(UNMATCHED, "signed, and the truck never left its yard", |s| {
        let at = evening(s);
        signed(s, 1, at, |_| ());
        s.way(T, at * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
        next_day(s, T);
        expect_unmatched(s, at);
    }),
    offence(UNMATCHED, "two signed, one driven", |s| {
        let at = 1_280;
        gate(s, at);
        signed(s, 1, at + 10, |_| ());
        s.trip(T, at, |_, _| ());
        signed(s, 2, at + 150, |_| ());
        next_day(s, T);
        expect_unmatched(s, at + 150);
    }),
    offence(UNMATCHED, "the driver says it arrived, the tracker says not", |s| {
        let at = evening(s);
        let unloaded = s.base + (at + 40) * MINUTE;
        signed(s, 1, at + 10, |row| row["unloaded_at"] = json!(unloaded));
        s.way(
            T,
            at * 60,
            SITE_AT,
            &[
                Leg::Stand(600),
                Leg::Load(3.0),
                Leg::Drive(FIELD, 40.0),
                Leg::Stand(300),
                Leg::Load(0.0),
                Leg::Drive(PARKING_AT, 40.0),
            ],
            |_, _| (),
        );
        next_day(s, T);
        expect_unmatched(s, at + 10);
    }),
    offence(UNMATCHED, "the other truck's trip does not count", |s| {
        let at = evening(s);
        signed(s, 1, at + 10, |_| ());
        s.trip(T2, at, |_, _| ());
        s.way(T, at * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
        next_day(s, T);
        expect_unmatched(s, at + 10);
    }),
    innocent(UNMATCHED, "signed and driven", |s| {
        let at = evening(s);
        gate(s, at);
        signed(s, 1, at + 10, |_| ());
        s.trip(T, at, |_, _| ());
        next_day(s, T);
    }),
    innocent(UNMATCHED, "signed an hour after the trip", |s| {
        let at = evening(s);
        gate(s, at);
        let loaded = s.base + (at + 10) * MINUTE;
        s.trip(T, at, |_, _| ());
        s.edit(at + 130, manifest(1, T, loaded, None, |_| ()));
        next_day(s, T);
    }),
    innocent(UNMATCHED, "the trip is told three hours late", |s| {
        let at = evening(s);
        gate(s, at);
        signed(s, 1, at + 10, |_| ());
        s.trip(T, at, |_, _| ());
        s.delay(logger(T), at, at + 60, at + 240);
        next_day(s, T);
    }),
    innocent(UNMATCHED, "void: entered by mistake", |s| {
        let at = evening(s);
        signed(s, 1, at, |row| row["void"] = json!(true));
        s.way(T, at * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
        next_day(s, T);
    }),
    innocent(UNMATCHED, "one load, signed by the driver and made from the positions", |s| {
        let at = evening(s);
        gate(s, at);
        signed(s, 1, at + 10, |_| ());
        signed(s, 2, at + 11, |row| row["source"] = json!("gps"));
        s.trip(T, at, |_, _| ());
        next_day(s, T);
    }),
    offence(MEET, "three trucks stop in a field one after another", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_310), (T3, 1_345)] {
            visits(s, truck, at, FIELD, 600);
        }
        expect_meeting(s, 1_285, 1_365);
    }),
    offence(MEET, "four trucks at once", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_284), (T3, 1_288), (TRUCK_FREE, 1_292)] {
            visits(s, truck, at, FIELD, 900);
        }
        expect_meeting(s, 1_285, 1_320);
    }),
    offence(MEET, "one of them told three hours late", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_310), (T3, 1_345)] {
            visits(s, truck, at, FIELD, 600);
        }
        s.delay(logger(T2), 1_300, 1_345, 1_540);
        expect_meeting(s, 1_285, 1_365);
    }),
    offence(MEET, "over midnight", |s| {
        for (truck, at) in [(T, 1_400), (T2, 1_430), (T3, 1_460)] {
            visits(s, truck, at, FIELD, 700);
        }
        expect_meeting(s, 1_405, 1_485);
    }),
    offence(MEET, "each three times in one night", |s| {
        for round in 0..3 {
            for (truck, at) in [(T, 1_270), (T2, 1_280), (T3, 1_290)] {
                visits(s, truck, at + round * 50, FIELD, 500);
            }
        }
        expect_meeting(s, 1_275, 1_420);
    }),
    innocent(MEET, "at the disposal site", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_300), (T3, 1_320)] {
            visits(s, truck, at, DISPOSAL_AT, 600);
        }
    }),
    innocent(MEET, "at the site, loading", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_300), (T3, 1_320)] {
            visits(s, truck, at, SITE_AT, 600);
        }
    }),
    innocent(MEET, "on a car park of the register", |s| {
        let centre = place(FIELD.0, FIELD.1);
        s.given.push(json!({"object": "area", "row": {"id": 3, "code": "park", "name": "停车场", "purpose": "parking", "valid_from": 0,
            "circle": {"centre": [centre.lon, centre.lat], "radius_m": 300.0}}}));
        for (truck, at) in [(T, 1_280), (T2, 1_310), (T3, 1_345)] {
            visits(s, truck, at, FIELD, 900);
        }
    }),
    innocent(MEET, "at a red light for a minute", |s| {
        for (truck, at) in [(T, 1_280), (T2, 1_300), (T3, 1_320)] {
            visits(s, truck, at, ROUTE[1], 60);
        }
    }),
    innocent(MEET, "a driver alone, three times", |s| {
        for at in [1_270, 1_330, 1_390] {
            visits(s, T, at, FIELD, 600);
        }
    }),
    offence(TRIP, "a lawful trip", |s| {
        let at = evening(s);
        gate(s, at);
        let end = s.trip(T, at, |_, _| ()) / 60;
        s.expect_within(TRIP, &[T], (at - 2, at + 16), (at + 28, end + 20));
    }),
    offence(TRIP, "two trips in one night", |s| {
        for at in [1_270, 1_350] {
            gate(s, at);
            let end = s.trip(T, at, |_, _| ()) / 60;
            s.expect_within(TRIP, &[T], (at - 2, at + 16), (at + 28, end + 20));
        }
    }),
    offence(TRIP, "told three hours late", |s| {
        let at = evening(s);
        gate(s, at);
        let end = s.trip(T, at, |_, _| ()) / 60;
        s.delay(logger(T), at, end, end + 180);
        s.expect_within(TRIP, &[T], (at - 2, at + 16), (at + 28, end + 20));
    }),
    offence(TRIP, "over midnight", |s| {
        gate(s, 1_415);
        let end = s.trip(T, 1_415, |_, _| ()) / 60;
        s.expect_within(TRIP, &[T], (1_413, 1_431), (1_443, end + 20));
    }),
    offence(TRIP, "with a tunnel on the way", |s| {
        let at = evening(s);
        gate(s, at);
        let end = s.trip(T, at, |fix, _| fix.sent = !(900..1_140).contains(&fix.since_s)) / 60;
        s.expect_within(TRIP, &[T], (at - 2, at + 16), (at + 28, end + 20));
    }),
    innocent(TRIP, "parked", |s| {
        s.way(T, 1_280 * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
    }),
    innocent(TRIP, "empty to the site and back", |s| {
        s.way(
            T,
            1_280 * 60,
            PARKING_AT,
            &[Leg::Drive(SITE_AT, 40.0), Leg::Stand(300), Leg::Drive(PARKING_AT, 40.0)],
            |_, _| (),
        );
    }),
    innocent(TRIP, "loaded past a site without stopping", |s| {
        s.way(
            T,
            1_280 * 60,
            PARKING_AT,
            &[Leg::Load(3.0), Leg::Drive((1_000.0, 0.0), 40.0), Leg::Drive(PARKING_AT, 40.0)],
            |_, _| (),
        );
    }),
    innocent(TRIP, "loads that are wrong bits", |s| {
        s.way(T, 1_280 * 60, SITE_AT, &[Leg::Stand(1_200)], |fix, dice| {
            fix.load = if dice.chance(0.1) { 3.0 } else { 0.0 }
        });
    }),
    innocent(TRIP, "no fix at all", |s| {
        s.trip(T, 1_280, |fix, _| fix.fixed = false);
    }),
];
