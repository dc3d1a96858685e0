//! Each rule of the library: who offends, and who looks like it and is innocent.

use crate::engine::geo::testing::{Corner, DUMP, NIGHT, TRUCK, Told, area, dump, library, off, permit, value};
use model::id::{GridId, NoticeId, PermitId, SubjectId};
use model::quantity::Quantity;
use model::record::Value;
use model::register::{AreaPurpose, Notice, NoticeLevel, Object, Permit, Stops, Suspension, WeekWindow};
use model::time::EventTime;

/// A truck that drives east from `from_m`, a fix each 20 s, with these states.
fn drive(corner: &mut Corner, seconds: std::ops::Range<i64>, from_m: f64, kmh: f64, north: f64, values: &[Value]) {
    let mut east = from_m;
    for second in seconds.step_by(20) {
        corner.say(second, east, north, kmh, values);
        east += kmh / 3.6 * 20.0;
    }
}

fn stand(corner: &mut Corner, seconds: std::ops::Range<i64>, east: f64, north: f64, values: &[Value]) {
    for second in seconds.step_by(20) {
        // A receiver at rest wanders.
        let wander = if second % 40 == 0 { 12.0 } else { -9.0 };
        corner.say(second, east + wander, north, 0.4, values);
    }
}

fn finds(rule: &str, say: impl Fn(&mut Corner)) -> usize {
    let mut corner = Corner::of_truck();
    say(&mut corner);
    corner.judge(rule).len()
}

#[test]
fn half_a_minute_above_the_limit_is_too_fast_and_a_spike_is_not() {
    let mut corner = Corner::of_truck();
    drive(&mut corner, 0..100, 400.0, 50.0, 0.0, &[]);
    drive(&mut corner, 100..200, 1_800.0, 80.0, 0.0, &[]);
    drive(&mut corner, 200..400, 4_000.0, 50.0, 0.0, &[]);
    let found = corner.judge("truck-overspeed");
    assert_eq!(corner.spans("truck-overspeed"), [(100, Some(200))]);
    assert_eq!((found[0].extreme, found[0].threshold), (80.0, 60.0));

    // One fix, two fixes, a tenth above, and a receiver that tells 90 km/h while it stands.
    let one = |corner: &mut Corner| {
        drive(corner, 0..100, 400.0, 50.0, 0.0, &[]);
        corner.say(100, 1_800.0, 0.0, 130.0, &[]);
        drive(corner, 120..200, 2_100.0, 50.0, 0.0, &[]);
    };
    assert_eq!(finds("truck-overspeed", one), 0);
    assert_eq!(finds("truck-overspeed", |corner| drive(corner, 0..40, 400.0, 90.0, 0.0, &[])), 0);
    assert_eq!(finds("truck-overspeed", |corner| drive(corner, 0..400, 400.0, 65.0, 0.0, &[])), 0);
    let liar = |corner: &mut Corner| (0..30).for_each(|step| corner.say(step * 20, 800.0, 0.0, 90.0, &[]));
    assert_eq!(finds("truck-overspeed", liar), 0);
}

#[test]
fn a_speed_zone_counts_well_inside_of_it() {
    let zone = |corner: &mut Corner, north: f64| {
        let zone = area(1, AreaPurpose::Speed, off(2_000.0, north), 800.0);
        corner.put(Object::Area(model::register::Area { speed_limit_kmh: Some(30.0), ..zone }));
        drive(corner, 0..300, 1_000.0, 45.0, 0.0, &[]);
    };
    assert_eq!(finds("truck-overspeed", |corner| zone(corner, 0.0)), 1);
    // The road passes 10 m inside of the zone's edge: that may be the road beside it.
    assert_eq!(finds("truck-overspeed", |corner| zone(corner, 790.0)), 0);
}

#[test]
fn ten_minutes_at_rest_outside_every_known_place_is_a_long_stop() {
    let loaded = [Told::load(3.0)];
    let mut corner = Corner::of_truck();
    drive(&mut corner, 0..100, 400.0, 50.0, 0.0, &loaded);
    stand(&mut corner, 100..1_000, 1_900.0, 0.0, &loaded);
    drive(&mut corner, 1_000..1_200, 1_900.0, 50.0, 0.0, &loaded);
    assert_eq!(corner.spans("truck-long-stop"), [(100, Some(1_000))]);

    let stop = |corner: &mut Corner, east: f64, seconds: i64, values: &[Value]| {
        drive(corner, 0..100, 400.0, 50.0, 0.0, values);
        stand(corner, 100..100 + seconds, east, 0.0, values);
        drive(corner, 100 + seconds..400 + seconds, 1_900.0, 50.0, 0.0, values);
    };
    assert_eq!(finds("truck-long-stop", |corner| stop(corner, 1_900.0, 560, &loaded)), 0, "nine minutes");
    assert_eq!(finds("truck-long-stop", |corner| stop(corner, 1_900.0, 1_000, &[Told::load(0.0)])), 0, "empty");
    assert_eq!(finds("truck-long-stop", |corner| stop(corner, 1_900.0, 1_000, &[])), 0, "nobody knows its load");
    assert_eq!(finds("truck-long-stop", |corner| stop(corner, 140.0, 1_000, &loaded)), 0, "in the site");
    assert_eq!(finds("truck-long-stop", |corner| stop(corner, 165.0, 1_000, &loaded)), 0, "in its gate");
    let parked = |corner: &mut Corner| {
        corner.put(Object::Area(area(1, AreaPurpose::Parking, off(1_900.0, 0.0), 100.0)));
        stop(corner, 1_900.0, 1_000, &loaded);
    };
    assert_eq!(finds("truck-long-stop", parked), 0, "in a parking ground");
    // A jam: 40 m every minute.
    let jam = |corner: &mut Corner| {
        for step in 0..60i32 {
            corner.say(i64::from(step) * 20, 1_000.0 + 13.0 * f64::from(step), 0.0, 2.4, &loaded);
        }
    };
    assert_eq!(finds("truck-long-stop", jam), 0);
}

#[test]
fn a_bed_lifted_at_rest_outside_any_site_is_suspected_dumping() {
    let (up, down) = ([Told::bed(true), Told::load(3.0)], [Told::bed(false), Told::load(3.0)]);
    let lift = |corner: &mut Corner, east: f64, north: f64, values: &[Value]| {
        drive(corner, 0..100, east - 1_000.0, 36.0, north, &down);
        stand(corner, 100..200, east, north, values);
        drive(corner, 200..400, east, 36.0, north, &down);
    };
    let mut corner = Corner::of_truck();
    lift(&mut corner, 2_500.0, 0.0, &up);
    assert_eq!(corner.spans("bed-lifted-outside"), [(100, Some(200))]);

    assert_eq!(finds("bed-lifted-outside", |corner| lift(corner, 5_000.0, 0.0, &up)), 0, "in the disposal site");
    assert_eq!(finds("bed-lifted-outside", |corner| lift(corner, 5_315.0, 0.0, &up)), 0, "at its edge");
    assert_eq!(
        finds("bed-lifted-outside", |corner| lift(corner, 2_500.0, 0.0, &[Told::broken(Quantity::BED_LIFTED)])),
        0
    );
    let stuck = |corner: &mut Corner| {
        drive(corner, 0..300, 1_000.0, 40.0, 0.0, &up);
        stand(corner, 300..500, 4_300.0, 0.0, &up);
    };
    assert_eq!(finds("bed-lifted-outside", stuck), 0, "the switch sticks");
    let errs = |corner: &mut Corner| {
        drive(corner, 0..100, 4_000.0, 36.0, 0.0, &down);
        for step in 5..15 {
            corner.say(step * 20, if step % 5 < 3 { 5_900.0 } else { 5_000.0 }, 0.0, 0.0, &up);
        }
    };
    assert_eq!(finds("bed-lifted-outside", errs), 0, "the receiver errs by 900 m while it unloads");
    let depot = |corner: &mut Corner| {
        corner.put(Object::Area(area(1, AreaPurpose::Parking, off(2_500.0, 0.0), 100.0)));
        lift(corner, 2_500.0, 0.0, &up);
    };
    assert_eq!(finds("bed-lifted-outside", depot), 0, "a bed is washed in the depot");
    let once = |corner: &mut Corner| {
        drive(corner, 0..100, 1_500.0, 36.0, 0.0, &down);
        corner.say(100, 2_500.0, 0.0, 0.0, &up);
        drive(corner, 120..300, 2_500.0, 36.0, 0.0, &down);
    };
    assert_eq!(finds("bed-lifted-outside", once), 0, "one flicker of the switch");
}

#[test]
fn a_loaded_truck_that_drives_uncovered_offends_and_a_broken_sensor_does_not() {
    let open = [Told::load(3.0), Told::cover(true)];
    let mut corner = Corner::of_truck();
    drive(&mut corner, 0..100, 100.0, 5.0, 0.0, &open);
    drive(&mut corner, 100..400, 400.0, 36.0, 0.0, &open);
    drive(&mut corner, 400..600, 3_400.0, 36.0, 0.0, &[Told::load(3.0), Told::cover(false)]);
    let spans = corner.spans("truck-uncovered");
    assert_eq!(spans, [(60, Some(400))], "from 30 m beyond the site on");

    let along = |values: &[Value]| finds("truck-uncovered", |corner| drive(corner, 0..400, 400.0, 36.0, 0.0, values));
    assert_eq!(along(&[Told::load(0.0), Told::cover(true)]), 0, "empty");
    assert_eq!(along(&[Told::load(3.0), Told::cover(false)]), 0, "covered");
    assert_eq!(along(&[Told::load(3.0), Told::broken(Quantity::COVER_OPEN)]), 0, "broken cover sensor");
    assert_eq!(along(&[Told::broken(Quantity::LOAD_STATE), Told::cover(true)]), 0, "broken load sensor");
    assert_eq!(along(&[Told::load(3.0)]), 0, "no cover sensor");
    assert_eq!(along(&[Told::load(3.0), Value { value: f64::NAN, ..Told::cover(true) }]), 0, "not a number");
    let inside = |corner: &mut Corner| drive(corner, 0..100, -100.0, 7.0, 0.0, &open);
    assert_eq!(finds("truck-uncovered", inside), 0, "in the site");
    let flicker = |corner: &mut Corner| {
        drive(corner, 0..100, 400.0, 36.0, 0.0, &[Told::load(3.0), Told::cover(false)]);
        drive(corner, 100..140, 1_400.0, 36.0, 0.0, &open);
        drive(corner, 140..300, 1_800.0, 36.0, 0.0, &[Told::load(3.0), Told::cover(false)]);
    };
    assert_eq!(finds("truck-uncovered", flicker), 0, "the wind lifts the cover for half a minute");
}

/// Noon of the same day.
const NOON: i64 = 13 * 3_600;

#[test]
fn driving_loaded_outside_every_permits_window_offends() {
    let loaded = [Told::load(3.0)];
    let at =
        |corner: &mut Corner, from: i64, values: &[Value]| drive(corner, from..from + 1_500, 400.0, 10.0, 0.0, values);
    let mut corner = Corner::of_truck();
    at(&mut corner, NOON, &loaded);
    let found = corner.judge("truck-outside-window");
    assert_eq!((found.len(), found[0].permit, found[0].start), (1, 1, NIGHT + NOON * 1_000));

    assert_eq!(finds("truck-outside-window", |corner| at(corner, 0, &loaded)), 0, "in its night");
    assert_eq!(finds("truck-outside-window", |corner| at(corner, NOON, &[Told::load(0.0)])), 0, "empty");
    assert_eq!(finds("truck-outside-window", |corner| at(corner, NOON, &[])), 0, "nobody knows its load");
    // The window closes at 06:00, seven hours after the start: nine minutes late is let pass.
    let late = |corner: &mut Corner| drive(corner, 7 * 3_600 - 300..7 * 3_600 + 540, 400.0, 10.0, 0.0, &loaded);
    assert_eq!(finds("truck-outside-window", late), 0);
    let day = |corner: &mut Corner| {
        let windows = vec![WeekWindow { weekdays: vec![6], from_minute: 660, to_minute: 900 }];
        corner.put(Object::Permit(Permit { id: PermitId(2), windows, ..permit() }));
        at(corner, NOON, &loaded);
    };
    assert_eq!(finds("truck-outside-window", day), 0, "another permit lets it drive on Saturdays");
    let none = |corner: &mut Corner| {
        corner.put(Object::Permit(Permit { valid_to: Some(EventTime(NIGHT - 1)), ..permit() }));
        at(corner, NOON, &loaded);
    };
    assert_eq!(finds("truck-outside-window", none), 0, "no permit in force is not judged here");
    assert_eq!(
        finds("truck-outside-window", |corner| stand(corner, NOON..NOON + 1_500, 0.0, 0.0, &loaded)),
        0,
        "at rest"
    );
}

#[test]
fn a_suspended_permit_and_a_notice_override_the_window() {
    let loaded = [Told::load(3.0)];
    let night = |corner: &mut Corner| drive(corner, 0..1_500, 400.0, 10.0, 0.0, &loaded);
    let suspended = |corner: &mut Corner| {
        let suspensions = vec![Suspension { from: EventTime(NIGHT), to: None, why: String::new() }];
        corner.put(Object::Permit(Permit { suspensions, ..permit() }));
        night(corner);
    };
    assert_eq!(finds("truck-outside-window", suspended), 1);
    let notice = |stops: Vec<Stops>, valid_to: Option<i64>, grids: Vec<GridId>| {
        Object::Notice(Notice {
            id: NoticeId(1),
            code: "n".into(),
            level: NoticeLevel::Orange,
            region: String::new(),
            grids,
            stops,
            source: String::new(),
            valid_from: EventTime(NIGHT - 3_600_000),
            valid_to: valid_to.map(EventTime),
            void: false,
        })
    };
    let under = |row: Object| {
        finds("truck-outside-window", |corner| {
            corner.put(row.clone());
            night(corner);
        })
    };
    assert_eq!(under(notice(vec![Stops::MuckTransport], None, vec![])), 1);
    assert_eq!(under(notice(vec![Stops::Earthwork], None, vec![])), 0, "it stops other work");
    assert_eq!(under(notice(vec![Stops::MuckTransport], Some(NIGHT), vec![])), 0, "it was lifted");
    assert_eq!(under(notice(vec![Stops::MuckTransport], None, vec![GridId(9)])), 0, "it is for another grid");
}

#[test]
fn unloading_at_a_disposal_site_that_no_permit_names_is_the_wrong_one() {
    let (up, down) = ([Told::bed(true)], [Told::bed(false)]);
    let other = SubjectId(41);
    let unload = |corner: &mut Corner, east: f64, values: &[Value]| {
        corner.put(Object::Subject(dump(other.0, off(5_000.0, 3_000.0))));
        drive(corner, 0..100, east - 1_000.0, 36.0, 3_000.0, &down);
        stand(corner, 100..200, east, 3_000.0, values);
        drive(corner, 200..500, east, 36.0, 3_000.0, &down);
    };
    let mut corner = Corner::of_truck();
    unload(&mut corner, 5_000.0, &up);
    assert_eq!(corner.spans("truck-wrong-dump"), [(100, Some(200))]);
    // Without a bed switch: the load goes.
    let goes = |corner: &mut Corner| {
        corner.put(Object::Subject(dump(other.0, off(5_000.0, 3_000.0))));
        drive(corner, 0..100, 4_000.0, 36.0, 3_000.0, &[Told::load(3.0)]);
        stand(corner, 100..200, 5_000.0, 3_000.0, &[Told::load(0.0)]);
    };
    assert_eq!(finds("truck-wrong-dump", goes), 1);

    assert_eq!(finds("truck-wrong-dump", |corner| unload(corner, 5_000.0, &down)), 0, "it only visits");
    assert_eq!(finds("truck-wrong-dump", |corner| unload(corner, 2_000.0, &up)), 1, "in a field");
    let blink = |corner: &mut Corner| {
        drive(corner, 0..100, 4_000.0, 36.0, 3_000.0, &[Told::load(3.0)]);
        corner.say(100, 5_000.0, 3_000.0, 0.0, &[Told::load(0.0)]);
        stand(corner, 120..400, 5_000.0, 3_000.0, &[Told::load(3.0)]);
    };
    assert_eq!(finds("truck-wrong-dump", blink), 0, "a load that is back at once");
    let both = |corner: &mut Corner| {
        corner.put(Object::Permit(Permit { id: PermitId(2), disposal_site: Some(other), ..permit() }));
        unload(corner, 5_000.0, &up);
    };
    assert_eq!(finds("truck-wrong-dump", both), 0, "another permit names it");
    let open = |corner: &mut Corner| {
        corner.put(Object::Area(area(1, AreaPurpose::TemporaryDump, off(5_000.0, 3_000.0), 200.0)));
        unload(corner, 5_000.0, &up);
    };
    assert_eq!(finds("truck-wrong-dump", open), 0, "everyone may unload there");
    let unnamed = |corner: &mut Corner| {
        corner.put(Object::Permit(Permit { disposal_site: None, ..permit() }));
        unload(corner, 5_000.0, &up);
    };
    assert_eq!(finds("truck-wrong-dump", unnamed), 0, "its permit names none");
    let own = |corner: &mut Corner| stand(corner, 0..100, 5_000.0, 0.0, &up);
    assert_eq!((finds("truck-wrong-dump", own), DUMP, TRUCK), (0, SubjectId(40), SubjectId(20)));
}

#[test]
fn a_closed_area_is_closed_well_inside_of_it() {
    let area = |north: f64, windows: Vec<WeekWindow>| {
        let row = area(1, AreaPurpose::NoGo, off(2_500.0, north), 500.0);
        Object::Area(model::register::Area { windows, ..row })
    };
    let through = |row: Object, north: f64| {
        finds("truck-no-go", |corner| {
            corner.put(row.clone());
            drive(corner, 0..500, 1_000.0, 30.0, north, &[]);
        })
    };
    assert_eq!(through(area(1_000.0, vec![]), 1_000.0), 1);
    assert_eq!(through(area(1_000.0, vec![]), 1_480.0), 0, "along its edge");
    assert_eq!(through(area(1_000.0, vec![]), 1_600.0), 0, "beside it");
    let by_day = vec![WeekWindow { weekdays: vec![], from_minute: 420, to_minute: 1_260 }];
    assert_eq!(through(area(1_000.0, by_day), 1_000.0), 0, "closed by day only");
    let once = |corner: &mut Corner| {
        corner.put(area(1_000.0, vec![]));
        drive(corner, 0..100, 1_000.0, 10.0, 0.0, &[]);
        corner.say(100, 1_300.0, 1_000.0, 10.0, &[]);
        drive(corner, 120..300, 1_300.0, 10.0, 0.0, &[]);
    };
    assert_eq!(finds("truck-no-go", once), 0, "one fix that jumped there");
}

#[test]
fn a_jump_is_doubtful_and_its_end_is_the_first_fix_that_can_be() {
    let jumps = |corner: &mut Corner, at: &[i64]| {
        for step in 0..120 {
            let east = 1_000.0 + f64::from(step) * 5.0;
            let north = if at.contains(&i64::from(step)) { 30_000.0 } else { 0.0 };
            corner.say(i64::from(step) * 20, east, north, 1.0, &[]);
        }
    };
    assert_eq!(finds("gps-jump", |corner| jumps(corner, &[10, 15])), 1, "two near each other are one");
    assert_eq!(finds("gps-jump", |corner| jumps(corner, &[10, 90])), 2);
    assert_eq!(finds("gps-jump", |corner| jumps(corner, &[])), 0);
    let mut corner = Corner::of_truck();
    jumps(&mut corner, &[10]);
    let thrice = library("gps-jump").replace("jumps_min = 1", "jumps_min = 3");
    assert!(corner.judge_at(&thrice, 86_400).is_empty());
    assert_eq!(corner.spans("gps-jump"), [(200, Some(280))], "a minute after the jump nothing is left of it");
    // Brought elsewhere on a lorry without power: three fixes that agree are believed.
    let moved = |corner: &mut Corner| {
        drive(corner, 0..100, 400.0, 36.0, 0.0, &[]);
        drive(corner, 7_000..7_400, 100_000.0, 36.0, 0.0, &[]);
    };
    assert_eq!(finds("gps-jump", moved), 0);
}

#[test]
fn ten_minutes_of_reports_without_a_fix_are_doubtful() {
    let unfixed = |corner: &mut Corner, seconds: std::ops::Range<i64>, ignition: f64, every: i64| {
        for second in seconds.step_by(20) {
            corner.say(second, 2_000.0, 0.0, 30.0, &[value(Quantity::IGNITION, ignition)]);
            if let Some(fix) = corner.said.last_mut().and_then(|seen| seen.fix.as_mut()) {
                fix.fixed = every != 0 && second / 20 % every == 0;
            }
        }
    };
    let way = |seconds: i64, ignition: f64, every: i64| {
        finds("gps-jamming", |corner| {
            drive(corner, 0..100, 1_000.0, 36.0, 0.0, &[value(Quantity::IGNITION, 1.0)]);
            unfixed(corner, 100..100 + seconds, ignition, every);
            drive(corner, 100 + seconds..400 + seconds, 2_500.0, 36.0, 0.0, &[value(Quantity::IGNITION, 1.0)]);
        })
    };
    assert_eq!(way(1_200, 1.0, 0), 1);
    assert_eq!(way(1_500, 1.0, 40), 1, "one lucky fix in the middle");
    assert_eq!(way(400, 1.0, 0), 0, "a tunnel");
    assert_eq!(way(1_200, 0.0, 0), 0, "the ignition is off");
    assert_eq!(way(1_200, 1.0, 3), 0, "every third fix is good");
    let hall = |corner: &mut Corner| {
        stand(corner, 0..100, 0.0, 0.0, &[value(Quantity::IGNITION, 1.0)]);
        unfixed(corner, 100..1_500, 1.0, 0);
    };
    assert_eq!(finds("gps-jamming", hall), 0, "under the roof of a known place");
}

#[test]
fn what_lasts_is_told_while_it_lasts_and_ends_with_its_last_fix_when_nothing_follows() {
    let mut corner = Corner::of_truck();
    drive(&mut corner, 0..200, 400.0, 36.0, 0.0, &[Told::load(3.0), Told::cover(true)]);
    let rule = library("truck-uncovered");
    let at = |now| {
        corner.judge_at(&rule, now).iter().map(|found| found.end.map(|end| (end - NIGHT) / 1_000)).collect::<Vec<_>>()
    };
    assert_eq!(at(200), [None]);
    assert_eq!(at(1_000), [Some(180)]);
}

#[test]
fn a_rule_that_cannot_be_is_refused_with_place_and_suggestion() {
    let text = library("truck-overspeed")
        .replace("limit_kmh = 60", "limit_kmh = 180")
        .replace("accuracy_m = 30", "accuracy_m = 300\nspeeed = 1");
    let all: Vec<String> = crate::check(&text).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(all.len(), 3, "{all:#?}");
    let has = |part: &str| assert!(all.iter().any(|line| line.contains(part)), "{part}: {all:#?}");
    has("parameters.limit_kmh: is no less than speed_max_kmh, above which a fix is a jump (write a limit below 150)");
    has("parameters.accuracy_m: 300 is not possible (write a number from 0 to 90)");
    has("parameters.speeed: is not a key of this table");
    let text = library("truck-uncovered").replace("gap = \"3min\"", "gap = \"3h\"");
    let all = crate::check(&text).unwrap_err();
    assert!(all[0].to_string().contains("parameters.gap: is longer than the time it has to last"), "{all:#?}");
}
