//! On the way: outside the permitted hours, unloading in a wrong place, the bed up, too fast, standing too long, in a
//! forbidden zone, moving without reports.

use super::super::district::{
    DISPOSAL_2_AT, DISPOSAL_AT, PARKING_AT, ROUTE, SITE_AT, TRUCK as T, TRUCK_FREE, logger, permit, place,
};
use super::super::haul::{Leg, lawful_trip};
use super::super::story::{MINUTE, Story};
use super::super::{Scenario, innocent, offence};
use serde_json::{Value, json};

const WINDOW: &str = "truck-outside-window";
const DUMP: &str = "truck-wrong-dump";
const BED: &str = "bed-lifted-outside";
const FAST: &str = "truck-overspeed";
const STOP: &str = "truck-long-stop";
const NO_GO: &str = "truck-no-go";
const DARK: &str = "truck-offline-moving";
/// In a field beside the way home.
const FIELD: (f64, f64) = (3_000.0, -1_500.0);

fn evening(story: &mut Story) -> i64 {
    1_270 + story.dice.whole(0, 90)
}

fn late(story: &mut Story, from: i64, to: i64) {
    story.delay(logger(T), from, to, to + 180);
}

/// A lawful trip by day, whose window is the night. Loaded and moving from the begin's twelfth minute on.
fn by_day(story: &mut Story, at: i64) -> (i64, i64) {
    let end = story.trip(T, at, |_, _| ()) / 60;
    (at + 12, end)
}

fn expect_by_day(story: &mut Story, from: i64, to: i64) {
    // Nothing is said whether the empty way back counts.
    story.expect_within(WINDOW, &[T], (from - 13, from + 6), (to - 20, to + 2));
}

fn area(id: i64, purpose: &str, at: (f64, f64), radius_m: f64, edit: impl FnOnce(&mut Value)) -> Value {
    let centre = place(at.0, at.1);
    let mut row = json!({"id": id, "code": format!("a{id}"), "name": "区", "purpose": purpose,
        "circle": {"centre": [centre.lon, centre.lat], "radius_m": radius_m}, "valid_from": 0});
    edit(&mut row);
    json!({"object": "area", "row": row})
}

fn notice(id: i64, from: i64, to: i64, stops: &str) -> Value {
    json!({"object": "notice", "row": {"id": id, "code": format!("n{id}"), "level": "orange", "stops": [stops],
        "valid_from": from, "valid_to": to}})
}

/// Loaded at the site, unloaded somewhere, and away again. Gives the second of the unloading's begin and of the end.
fn unloads_at(story: &mut Story, at: i64, where_to: (f64, f64), lifts: bool) -> (i64, i64) {
    let to_there = [
        Leg::Stand(600),
        Leg::Load(3.0),
        Leg::Stand(120),
        Leg::Drive((where_to.0, SITE_AT.1), 40.0),
        Leg::Drive(where_to, 40.0),
        Leg::Stand(60),
    ];
    let metres = (where_to.0 - SITE_AT.0).abs() + (where_to.1 - SITE_AT.1).abs();
    #[expect(clippy::cast_possible_truncation, reason = "some hundreds of seconds")]
    let there_s = at * 60 + 720 + (metres / (40.0 / 3.6)) as i64;
    let up = if lifts { 1.0 } else { 0.0 };
    let rest = [
        Leg::Bed(up),
        Leg::Stand(160),
        Leg::Load(0.0),
        Leg::Bed(0.0),
        Leg::Stand(40),
        Leg::Drive((where_to.0, SITE_AT.1), 45.0),
        Leg::Drive(SITE_AT, 45.0),
    ];
    let end = story.way(T, at * 60, SITE_AT, &[&to_there[..], &rest[..]].concat(), |_, _| ());
    (there_s, end)
}

fn wrong_dump(story: &mut Story, where_to: (f64, f64)) -> i64 {
    let at = evening(story);
    let (there, _) = unloads_at(story, at, where_to, true);
    let minute = there / 60;
    story.expect_within(DUMP, &[T], (minute - 3, minute + 10), (minute, minute + 25));
    minute
}

/// Lifts the bed where there is no dump. Bounds of minutes around it.
fn lifted(story: &mut Story, rule_place: (f64, f64), seconds: i64) -> i64 {
    let at = evening(story);
    let legs = [
        Leg::Load(3.0),
        Leg::Stand(120),
        Leg::Drive(rule_place, 40.0),
        Leg::Stand(60),
        Leg::Bed(1.0),
        Leg::Stand(seconds),
        Leg::Bed(0.0),
        Leg::Stand(60),
        Leg::Drive(SITE_AT, 40.0),
    ];
    let metres = (rule_place.0 - SITE_AT.0).hypot(rule_place.1 - SITE_AT.1);
    #[expect(clippy::cast_possible_truncation, reason = "some hundreds of seconds")]
    let up = at + (180 + (metres / (40.0 / 3.6)) as i64) / 60;
    story.way(T, at * 60, SITE_AT, &legs, |_, _| ());
    up
}

fn expect_lifted(story: &mut Story, up: i64, seconds: i64) {
    story.expect_within(BED, &[T], (up - 3, up + 4), (up - 2, up + seconds / 60 + 6));
}

/// Along the route at a speed for the first 6 km.
fn at_speed(story: &mut Story, kmh: f64) -> (i64, i64) {
    let at = evening(story);
    let legs = [Leg::Stand(120), Leg::Drive(ROUTE[1], kmh), Leg::Drive(ROUTE[2], 35.0)];
    story.way(T, at * 60, SITE_AT, &legs, |_, _| ());
    #[expect(clippy::cast_possible_truncation, reason = "some minutes")]
    let to = at + 2 + (6_000.0 / (kmh / 3.6) / 60.0) as i64;
    (at + 2, to)
}

/// Drives half of the route, stands, drives on.
fn stands(story: &mut Story, at_place: (f64, f64), seconds: i64, load: f64) -> (i64, i64) {
    let at = evening(story);
    let legs = [
        Leg::Load(load),
        Leg::Drive(at_place, 40.0),
        Leg::Stand(seconds),
        Leg::Drive(ROUTE[1], 40.0),
        Leg::Drive(ROUTE[2], 40.0),
    ];
    let metres = at_place.0.hypot(at_place.1);
    #[expect(clippy::cast_possible_truncation, reason = "some hundreds of seconds")]
    let from = at + (metres / (40.0 / 3.6)) as i64 / 60;
    story.way(T, at * 60, SITE_AT, &legs, |_, _| ());
    (from, from + seconds / 60)
}

/// Moving, silent for `minutes`, heard again far away.
fn dark(story: &mut Story, minutes: i64, moves: bool) -> (i64, i64) {
    let at = evening(story);
    let legs = [
        Leg::Stand(300),
        Leg::Drive((1_500.0, 0.0), 40.0),
        if moves {
            Leg::Drive((6_000.0, 0.0), 4_500.0 / 1_000.0 / (float(minutes) / 60.0))
        } else {
            Leg::Stand(minutes * 60)
        },
        Leg::Drive(ROUTE[1], 40.0),
        Leg::Drive(ROUTE[2], 40.0),
    ];
    let (from, to) = (at * 60 + 300 + 140, at * 60 + 300 + 130 + minutes * 60);
    story.way(T, at * 60, SITE_AT, &legs, |fix, _| fix.sent = !(from..to).contains(&fix.at_s));
    (from / 60, to / 60)
}

fn float(number: i64) -> f64 {
    super::super::haul::float(number)
}

pub const ALL: &[Scenario] = &[
    offence(WINDOW, "a trip at noon", |s| {
        let at = 660 + s.dice.whole(0, 200);
        let (from, to) = by_day(s, at);
        expect_by_day(s, from, to);
    }),
    offence(WINDOW, "half an hour before the night begins", |s| {
        let (from, to) = by_day(s, 1_140);
        expect_by_day(s, from, to);
    }),
    offence(WINDOW, "told three hours late", |s| {
        let (from, to) = by_day(s, 700);
        late(s, from - 15, to + 1);
        expect_by_day(s, from, to);
    }),
    offence(WINDOW, "at night, but a notice stops muck transport", |s| {
        let at = evening(s);
        let (from, to) = (s.base + 1_080 * MINUTE, s.base + 1_800 * MINUTE);
        s.given.push(notice(1, from, to, "muck_transport"));
        let (from, to) = by_day(s, at);
        expect_by_day(s, from, to);
    }),
    offence(WINDOW, "at night, the permit suspended for the day", |s| {
        let at = evening(s);
        let (from, to) = (s.base + 1_000 * MINUTE, s.base + 1_800 * MINUTE);
        s.given.push(permit(1, &[T], |row| row["suspensions"] = json!([{"from": from, "to": to, "why": "重污染"}])));
        let (from, to) = by_day(s, at);
        expect_by_day(s, from, to);
    }),
    offence(WINDOW, "on a Sunday, permitted on workdays alone", |s| {
        s.move_to_weekday(7);
        s.given.push(permit(1, &[T], |row| row["windows"][0]["weekdays"] = json!([1, 2, 3, 4, 5])));
        let at = evening(s);
        let (from, to) = by_day(s, at);
        expect_by_day(s, from, to);
    }),
    innocent(WINDOW, "in its night", |s| {
        let at = evening(s);
        by_day(s, at);
    }),
    innocent(WINDOW, "over midnight, in its night", |s| {
        by_day(s, 1_420);
    }),
    innocent(WINDOW, "told by day what was at night", |s| {
        let (from, to) = by_day(s, 1_650);
        late(s, from - 15, to + 1);
    }),
    innocent(WINDOW, "Monday's small hours belong to Sunday's night", |s| {
        s.move_to_weekday(7);
        s.given.push(permit(1, &[T], |row| row["windows"][0]["weekdays"] = json!([7])));
        by_day(s, 1_440 + 180);
    }),
    innocent(WINDOW, "the notice ended in the afternoon", |s| {
        let at = evening(s);
        let (from, to) = (s.base, s.base + 960 * MINUTE);
        s.given.push(notice(1, from, to, "muck_transport"));
        by_day(s, at);
    }),
    innocent(WINDOW, "parked by day with the ignition on", |s| {
        s.way(T, 700 * 60, PARKING_AT, &[Leg::Stand(3_600)], |_, _| ());
    }),
    offence(DUMP, "in a field", |s| {
        wrong_dump(s, FIELD);
    }),
    offence(DUMP, "at a disposal site of another permit", |s| {
        wrong_dump(s, DISPOSAL_2_AT);
    }),
    offence(DUMP, "told three hours late", |s| {
        let minute = wrong_dump(s, FIELD);
        late(s, minute - 30, minute + 30);
    }),
    offence(DUMP, "four hundred metres short of the right one", |s| {
        wrong_dump(s, (DISPOSAL_AT.0, DISPOSAL_AT.1 - 500.0));
    }),
    offence(DUMP, "every message twice", |s| {
        wrong_dump(s, (2_000.0, -2_000.0));
        s.repeat(logger(T));
    }),
    innocent(DUMP, "where its permit says", |s| {
        let at = evening(s);
        unloads_at(s, at, DISPOSAL_AT, true);
    }),
    innocent(DUMP, "at a temporary dump", |s| {
        s.given.push(area(1, "temporary_dump", FIELD, 300.0, |_| ()));
        let at = evening(s);
        unloads_at(s, at, FIELD, true);
    }),
    innocent(DUMP, "a second permit is for the other one", |s| {
        s.given.push(permit(2, &[T], |row| row["disposal_site"] = json!(super::super::district::DISPOSAL_2)));
        let at = evening(s);
        unloads_at(s, at, DISPOSAL_2_AT, true);
    }),
    innocent(DUMP, "drives past it", |s| {
        s.way(
            T,
            1_300 * 60,
            SITE_AT,
            &[Leg::Load(3.0), Leg::Drive(DISPOSAL_2_AT, 40.0), Leg::Drive(SITE_AT, 40.0)],
            |_, _| (),
        );
    }),
    innocent(DUMP, "one fix empty by mistake", |s| {
        let (at, one) = (evening(s), s.dice.whole(45, 60));
        s.trip(T, at, |fix, _| {
            if fix.since_s / 20 == one {
                fix.load = 0.0;
            }
        });
    }),
    offence(BED, "in a field for two minutes", |s| {
        let up = lifted(s, FIELD, 140);
        expect_lifted(s, up, 140);
    }),
    offence(BED, "in a field for five minutes, told late", |s| {
        let up = lifted(s, FIELD, 300);
        late(s, up - 20, up + 30);
        expect_lifted(s, up, 300);
    }),
    offence(BED, "on a road of its route", |s| {
        let up = lifted(s, (4_000.0, 0.0), 160);
        expect_lifted(s, up, 160);
    }),
    offence(BED, "beside the disposal site, outside its fence", |s| {
        let up = lifted(s, (DISPOSAL_AT.0 + 600.0, DISPOSAL_AT.1), 160);
        expect_lifted(s, up, 160);
    }),
    offence(BED, "every message twice", |s| {
        let up = lifted(s, FIELD, 200);
        s.repeat(logger(T));
        expect_lifted(s, up, 200);
    }),
    innocent(BED, "within the disposal site", |s| {
        lifted(s, DISPOSAL_AT, 160);
    }),
    innocent(BED, "at a temporary dump", |s| {
        s.given.push(area(1, "temporary_dump", FIELD, 250.0, |_| ()));
        lifted(s, FIELD, 200);
    }),
    innocent(BED, "a wrong bit while driving", |s| {
        let (at, one) = (evening(s), s.dice.whole(45, 60));
        s.trip(T, at, |fix, _| {
            if fix.since_s / 20 == one {
                fix.bed_lifted = 1.0;
            }
        });
    }),
    innocent(BED, "the receiver jumps while it unloads", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, dice| {
            if fix.bed_lifted > 0.5 && dice.chance(0.3) {
                fix.east += 900.0;
            }
        });
    }),
    innocent(BED, "on its own yard being washed out", |s| {
        s.given.push(area(2, "parking", PARKING_AT, 300.0, |_| ()));
        lifted(s, SITE_AT, 160);
    }),
    offence(FAST, "at seventy-five", |s| {
        let kmh = s.dice.real(70.0, 85.0);
        let (from, to) = at_speed(s, kmh);
        s.expect_within(FAST, &[T], (from - 1, from + 3), (to - 2, to + 4));
    }),
    offence(FAST, "at sixty-eight, told three hours late", |s| {
        let (from, to) = at_speed(s, 68.0);
        late(s, from - 2, to + 10);
        s.expect_within(FAST, &[T], (from - 1, from + 3), (to - 2, to + 4));
    }),
    offence(FAST, "every message twice", |s| {
        let (from, to) = at_speed(s, 80.0);
        s.repeat(logger(T));
        s.expect_within(FAST, &[T], (from - 1, from + 3), (to - 2, to + 4));
    }),
    offence(FAST, "forty-five in a zone of thirty", |s| {
        s.given.push(area(1, "speed", (3_000.0, 0.0), 1_500.0, |row| row["speed_limit_kmh"] = json!(30.0)));
        let (from, _) = at_speed(s, 45.0);
        s.expect_within(FAST, &[T], (from + 1, from + 4), (from + 4, from + 9));
    }),
    offence(FAST, "over midnight", |s| {
        let legs = [Leg::Drive(ROUTE[1], 75.0), Leg::Drive(ROUTE[2], 35.0)];
        s.way(T, 1_437 * 60, SITE_AT, &legs, |_, _| ());
        s.expect_within(FAST, &[T], (1_436, 1_440), (1_440, 1_446));
    }),
    innocent(FAST, "at fifty-five", |s| {
        at_speed(s, 55.0);
    }),
    innocent(FAST, "one fix says a hundred and twenty", |s| {
        let (at, one) = (evening(s), s.dice.whole(45, 60));
        s.trip(T, at, |fix, _| {
            if fix.since_s / 20 == one {
                fix.speed = 120.0;
            }
        });
    }),
    innocent(FAST, "an old place with an old speed: no fix", |s| {
        let at = evening(s);
        s.way(T, at * 60, SITE_AT, &[Leg::Stand(600)], |fix, _| (fix.speed, fix.fixed) = (75.0, false));
    }),
    innocent(FAST, "the receiver jumps", |s| {
        let at = evening(s);
        s.trip(T, at, |fix, dice| {
            if dice.chance(0.05) {
                fix.north += 3_000.0;
            }
        });
    }),
    innocent(FAST, "forty-five beside the zone of thirty", |s| {
        s.given.push(area(1, "speed", (3_000.0, 3_000.0), 1_500.0, |row| row["speed_limit_kmh"] = json!(30.0)));
        at_speed(s, 45.0);
    }),
    offence(STOP, "twenty-five minutes loaded beside the road", |s| {
        let (from, to) = stands(s, (3_000.0, 0.0), 1_500, 3.0);
        s.expect_within(STOP, &[T], (from - 2, from + 3), (to - 3, to + 4));
    }),
    offence(STOP, "fifteen minutes, told three hours late", |s| {
        let (from, to) = stands(s, (4_000.0, 0.0), 900, 3.0);
        late(s, from - 3, to + 5);
        s.expect_within(STOP, &[T], (from - 2, from + 3), (to - 3, to + 4));
    }),
    offence(STOP, "every message twice", |s| {
        let (from, to) = stands(s, (2_000.0, 0.0), 1_200, 3.0);
        s.repeat(logger(T));
        s.expect_within(STOP, &[T], (from - 2, from + 3), (to - 3, to + 4));
    }),
    offence(STOP, "over midnight", |s| {
        let legs = [
            Leg::Load(3.0),
            Leg::Drive((2_000.0, 0.0), 40.0),
            Leg::Stand(1_500),
            Leg::Drive(ROUTE[1], 40.0),
            Leg::Drive(ROUTE[2], 40.0),
        ];
        s.way(T, 1_425 * 60, SITE_AT, &legs, |_, _| ());
        s.expect_within(STOP, &[T], (1_426, 1_431), (1_450, 1_457));
    }),
    offence(STOP, "twice in one trip", |s| {
        let legs = [
            Leg::Load(3.0),
            Leg::Drive((2_000.0, 0.0), 40.0),
            Leg::Stand(900),
            Leg::Drive((5_000.0, 0.0), 40.0),
            Leg::Stand(1_000),
            Leg::Drive(ROUTE[1], 40.0),
            Leg::Drive(ROUTE[2], 40.0),
        ];
        let at = 1_300;
        s.way(T, at * 60, SITE_AT, &legs, |_, _| ());
        s.expect_within(STOP, &[T], (at + 1, at + 6), (at + 16, at + 22));
        s.expect_within(STOP, &[T], (at + 20, at + 26), (at + 36, at + 44));
    }),
    innocent(STOP, "seven minutes at a crossing", |s| {
        stands(s, (3_000.0, 0.0), 420, 3.0);
    }),
    innocent(STOP, "an hour on the car park", |s| {
        s.given.push(area(1, "parking", (3_000.0, 0.0), 200.0, |_| ()));
        stands(s, (3_000.0, 0.0), 3_600, 0.0);
    }),
    innocent(STOP, "an hour of loading at the site", |s| {
        let at = evening(s);
        s.way(
            T,
            at * 60,
            SITE_AT,
            &[Leg::Stand(3_600), Leg::Load(3.0), Leg::Drive(ROUTE[1], 40.0), Leg::Drive(ROUTE[2], 40.0)],
            |_, _| (),
        );
    }),
    innocent(STOP, "queueing at the disposal site", |s| {
        let at = evening(s);
        s.way(
            T,
            at * 60,
            ROUTE[1],
            &[Leg::Load(3.0), Leg::Drive(DISPOSAL_AT, 40.0), Leg::Stand(1_800), Leg::Drive(ROUTE[1], 40.0)],
            |_, _| (),
        );
    }),
    innocent(STOP, "a jam: ten metres now and then", |s| {
        let at = evening(s);
        let crawl: Vec<Leg> = (0..12)
            .flat_map(|step| [Leg::Stand(120), Leg::Drive((2_000.0 + 150.0 * float(step), 0.0), 15.0)])
            .collect();
        let legs = [
            &[Leg::Load(3.0), Leg::Drive((2_000.0, 0.0), 40.0)][..],
            &crawl[..],
            &[Leg::Drive(ROUTE[1], 40.0), Leg::Drive(ROUTE[2], 40.0)][..],
        ]
        .concat();
        s.way(T, at * 60, SITE_AT, &legs, |_, _| ());
    }),
    offence(NO_GO, "through the forbidden zone", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 800.0, |_| ()));
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        // In at 2200 m and out at 3800 m of the way, there and back.
        s.expect_within(NO_GO, &[T], (at + 14, at + 18), (at + 16, at + 21));
        s.expect_within(NO_GO, &[T], (at + 32, at + 48), (at + 34, at + 52));
    }),
    offence(NO_GO, "stands in it for ten minutes", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 300.0, |_| ()));
        let (from, to) = stands(s, (3_000.0, 0.0), 600, 3.0);
        s.expect_within(NO_GO, &[T], (from - 3, from + 2), (to - 2, to + 4));
    }),
    offence(NO_GO, "told three hours late", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 300.0, |_| ()));
        let (from, to) = stands(s, (3_000.0, 0.0), 600, 0.0);
        late(s, from - 5, to + 8);
        s.expect_within(NO_GO, &[T], (from - 3, from + 2), (to - 2, to + 4));
    }),
    offence(NO_GO, "in the hours in which it is closed", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 300.0, |row| {
            row["windows"] = json!([{"from_minute": 1_200, "to_minute": 360}]);
        }));
        let (from, to) = stands(s, (3_000.0, 0.0), 700, 3.0);
        s.expect_within(NO_GO, &[T], (from - 3, from + 2), (to - 2, to + 4));
    }),
    offence(NO_GO, "every message twice", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 300.0, |_| ()));
        let (from, to) = stands(s, (3_000.0, 0.0), 500, 3.0);
        s.repeat(logger(T));
        s.expect_within(NO_GO, &[T], (from - 3, from + 2), (to - 2, to + 4));
    }),
    innocent(NO_GO, "past its fence at a hundred metres", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 500.0), 400.0, |_| ()));
        let at = evening(s);
        s.trip(T, at, |_, _| ());
    }),
    innocent(NO_GO, "in hours in which it is open", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 800.0, |row| {
            row["windows"] = json!([{"from_minute": 420, "to_minute": 1_140}]);
        }));
        let at = evening(s);
        s.trip(T, at, |_, _| ());
    }),
    innocent(NO_GO, "one jump of the receiver into it", |s| {
        s.given.push(area(1, "no_go", (3_000.0, 3_000.0), 800.0, |_| ()));
        let (at, one) = (evening(s), s.dice.whole(40, 48));
        s.trip(T, at, |fix, _| {
            if fix.since_s / 20 == one {
                (fix.east, fix.north) = (3_000.0, 3_000.0);
            }
        });
    }),
    innocent(NO_GO, "the zone was lifted yesterday", |s| {
        let end = s.base - MINUTE;
        s.given.push(area(1, "no_go", (3_000.0, 0.0), 800.0, |row| row["valid_to"] = json!(end)));
        let at = evening(s);
        s.trip(T, at, |_, _| ());
    }),
    innocent(NO_GO, "a place without a fix in it", |s| {
        s.given.push(area(1, "no_go", PARKING_AT, 500.0, |_| ()));
        s.way(T, 1_300 * 60, PARKING_AT, &[Leg::Stand(1_200)], |fix, _| fix.fixed = false);
    }),
    offence(DARK, "silent for twenty minutes, heard again four kilometres on", |s| {
        let (from, to) = dark(s, 20, true);
        s.expect_within(DARK, &[T], (from - 3, from + 2), (to - 2, to + 5));
    }),
    offence(DARK, "forty minutes", |s| {
        let (from, to) = dark(s, 40, true);
        s.expect_within(DARK, &[T], (from - 3, from + 2), (to - 2, to + 5));
    }),
    offence(DARK, "over midnight", |s| {
        let (from, to) = (1_430 * 60, 1_450 * 60);
        let legs = [Leg::Drive((3_000.0, 0.0), 15.0), Leg::Drive(ROUTE[1], 12.0), Leg::Drive(ROUTE[2], 40.0)];
        s.way(T, 1_420 * 60, SITE_AT, &legs, |fix, _| fix.sent = !(from..to).contains(&fix.at_s));
        s.expect_within(DARK, &[T], (1_427, 1_431), (1_448, 1_454));
    }),
    offence(DARK, "every message twice", |s| {
        let (from, to) = dark(s, 25, true);
        s.repeat(logger(T));
        s.expect_within(DARK, &[T], (from - 3, from + 2), (to - 2, to + 5));
    }),
    offence(DARK, "twice in one night", |s| {
        let at = 1_260;
        let legs = [Leg::Drive(ROUTE[1], 6.0)];
        let silent = [(at * 60 + 600, at * 60 + 1_800), (at * 60 + 2_400, at * 60 + 3_480)];
        s.way(T, at * 60, SITE_AT, &legs, |fix, _| {
            fix.sent = !silent.iter().any(|(from, to)| (*from..*to).contains(&fix.at_s));
        });
        s.expect_within(DARK, &[T], (at + 7, at + 12), (at + 28, at + 34));
        s.expect_within(DARK, &[T], (at + 37, at + 42), (at + 56, at + 63));
    }),
    innocent(DARK, "a blind zone: all of it came after three hours", |s| {
        let at = evening(s);
        s.trip(T, at, |_, _| ());
        s.delay(logger(T), at + 13, at + 30, at + 210);
    }),
    innocent(DARK, "a tunnel of five minutes", |s| {
        dark(s, 5, true);
    }),
    innocent(DARK, "parked: off, and on again in the same place", |s| {
        dark(s, 40, false);
    }),
    innocent(DARK, "our own outage", |s| {
        let (from, to) = dark(s, 25, true);
        s.our_outage(from - 1, to + 1);
    }),
    innocent(DARK, "the ignition is switched off at home", |s| {
        s.way(
            TRUCK_FREE,
            1_300 * 60,
            SITE_AT,
            &[Leg::Drive(PARKING_AT, 40.0), Leg::Ignition(0.0), Leg::Stand(120)],
            |_, _| (),
        );
        s.way(TRUCK_FREE, 1_420 * 60, PARKING_AT, &[Leg::Stand(120), Leg::Drive(SITE_AT, 40.0)], |_, _| ());
    }),
    innocent(DARK, "a lawful trip", |s| {
        let at = evening(s);
        s.way(T, at * 60, SITE_AT, &lawful_trip(), |_, _| ());
    }),
];
