//! Trip sheets: a lawful trip, what is wrong with others, and what is none.

use super::TripTerms;
use super::machine::Trips;
use crate::definition::reader::{Findings, Reader as Toml};
use crate::engine::codec::{Reader, Writer};
use crate::engine::geo::testing::{Corner, DUMP, GATE, NIGHT, SITE, TRUCK, Told, area, off, seen};
use crate::engine::judge::{Fact, FactKind, GroupKey, Observation, Output, Source};
use model::id::DeviceId;
use model::record::Value;
use model::register::{AreaPurpose, Object};
use model::trip::{TripPart, TripPlace, TripRemark, TripSheet, TripVerdict};
use std::sync::Arc;

fn terms() -> TripTerms {
    let table = toml::Table::new();
    TripTerms::read(&mut Toml::root(&table), &mut Findings::new(""))
}

/// The sheets after everything was said, the state saved and read again at every step.
fn sheets(corner: &Corner) -> Vec<TripSheet> {
    let (mut trips, mut out) = (Trips::default(), Output::default());
    corner.walk(|seen, scene| {
        let mut w = Writer::default();
        trips.write(&mut w);
        let before = trips.sheets();
        trips = Trips::default();
        trips.plan(scene);
        let mut r = Reader::new(&w.0);
        assert!(trips.read(&mut r).is_some() && r.is_done());
        assert_eq!(trips.sheets(), before, "a sheet survives being saved");
        trips.step(&terms(), seen, scene, &mut out);
    });
    trips.sheets().iter().map(|sheet| (**sheet).clone()).collect()
}

fn drive(corner: &mut Corner, from_s: i64, from_m: f64, to_m: f64, north: f64, values: &[Value]) -> i64 {
    let (mut second, mut east) = (from_s, from_m);
    let step = if to_m > from_m { 200.0 } else { -200.0 };
    while (to_m - east) * step > 0.0 {
        corner.say(second, east, north, 36.0, values);
        (second, east) = (second + 20, east + step);
    }
    second
}

fn stand(corner: &mut Corner, from_s: i64, seconds: i64, east: f64, north: f64, values: &[Value]) -> i64 {
    for second in (from_s..from_s + seconds).step_by(20) {
        corner.say(second, east, north, 0.0, values);
    }
    from_s + seconds
}

fn passed(corner: &mut Corner, second: i64, seconds: i64) {
    let at = NIGHT + second * 1_000;
    let mut fact: Observation = seen(at, &[]);
    (fact.device, fact.source) = (DeviceId(4), Source::Fact);
    fact.fact = Some(Arc::new(Fact {
        what: FactKind::PassedGate,
        to: GroupKey::Subject(TRUCK),
        at,
        until: at,
        device: DeviceId(4),
        subject: TRUCK,
        other: GATE.0,
        number: seconds,
        plate: None,
        place: None,
        seq: 1,
    }));
    corner.said.push(fact);
}

/// Loaded, hauled beside the line, unloaded at a place, and back.
fn trip(corner: &mut Corner, begin: i64, north: f64, dump_m: f64) -> i64 {
    let (empty, full) = ([Told::load(0.0), Told::cover(true)], [Told::load(3.0), Told::cover(false)]);
    let at = stand(corner, begin, 300, 0.0, 0.0, &empty);
    let at = stand(corner, at, 60, 0.0, 0.0, &full);
    let at = drive(corner, at, 200.0, dump_m, north, &full);
    let at = stand(corner, at, 60, dump_m, north, &full);
    let at = stand(corner, at, 60, dump_m, north, &[Told::load(3.0), Told::bed(true)]);
    let at = stand(corner, at, 40, dump_m, north, &[Told::load(0.0), Told::bed(false)]);
    let at = drive(corner, at, dump_m, 0.0, north, &empty);
    stand(corner, at, 60, 0.0, 0.0, &empty)
}

#[test]
fn a_lawful_trip_has_every_part_with_its_times_and_places() {
    let mut corner = Corner::of_truck();
    passed(&mut corner, 350, 45);
    trip(&mut corner, 0, 0.0, 5_000.0);
    let all = sheets(&corner);
    assert_eq!(all.len(), 1, "{all:#?}");
    let sheet = &all[0];
    assert_eq!((sheet.verdict, sheet.remarks.as_slice()), (TripVerdict::Lawful, &[][..]));
    assert_eq!((sheet.site, sheet.permit.map(|id| id.0)), (SITE, Some(1)));
    assert_eq!((sheet.loaded.0 - NIGHT, sheet.left.0 - NIGHT), (300_000, 360_000));
    assert_eq!(sheet.wash.map(|wash| (wash.gate, wash.seconds)), Some((GATE, Some(45))));
    let unloading = sheet.unloading.unwrap();
    assert_eq!((unloading.at, unloading.is_permitted), (TripPlace::DisposalSite(DUMP), true));
    assert!(sheet.returned.is_some() && sheet.deviations.is_empty());
    let parts: Vec<TripPart> = sheet.segments.iter().map(|part| part.what).collect();
    assert_eq!(parts, [TripPart::Loading, TripPart::Hauling, TripPart::Unloading, TripPart::Returning]);
    assert!(sheet.segments.windows(2).all(|pair| pair[0].to == pair[1].from), "no time is missing");
    assert!((4_700..5_100).contains(&sheet.metres) && sheet.metres_in_corridor == Some(sheet.metres), "{sheet:?}");
    assert!(sheet.cover.closed_s > 400 && sheet.cover.open_s == 0);
}

#[test]
fn what_is_wrong_with_a_trip_is_remarked() {
    let of = |say: &dyn Fn(&mut Corner)| {
        let mut corner = Corner::of_truck();
        say(&mut corner);
        let all = sheets(&corner);
        assert_eq!(all.len(), 1, "{all:#?}");
        (all[0].verdict, all[0].remarks.clone())
    };
    let washed = |corner: &mut Corner| passed(corner, 350, 45);
    assert_eq!(
        of(&|corner| assert!(trip(corner, 0, 0.0, 5_000.0) > 0)),
        (TripVerdict::Incomplete, vec![TripRemark::ExitNotSeen])
    );
    let unwashed = |corner: &mut Corner| {
        passed(corner, 350, 0);
        trip(corner, 0, 0.0, 5_000.0);
    };
    assert_eq!(of(&unwashed), (TripVerdict::Suspect, vec![TripRemark::NotWashed]));
    let field = |corner: &mut Corner| {
        washed(corner);
        trip(corner, 0, 0.0, 3_000.0);
    };
    assert_eq!(of(&field), (TripVerdict::Suspect, vec![TripRemark::WrongDump]));
    let everyones = |corner: &mut Corner| {
        washed(corner);
        corner.put(Object::Area(area(1, AreaPurpose::TemporaryDump, off(3_000.0, 0.0), 100.0)));
        trip(corner, 0, 0.0, 3_000.0);
    };
    assert_eq!(of(&everyones), (TripVerdict::Lawful, vec![]));
    let aside = |corner: &mut Corner| {
        washed(corner);
        trip(corner, 0, 290.0, 5_000.0);
    };
    assert_eq!(of(&aside), (TripVerdict::Suspect, vec![TripRemark::OffCorridor]));
    let noon = 13 * 3_600;
    let by_day = |corner: &mut Corner| {
        passed(corner, noon + 350, 45);
        trip(corner, noon, 0.0, 5_000.0);
    };
    assert_eq!(of(&by_day), (TripVerdict::Suspect, vec![TripRemark::OutsideHours]));
}

#[test]
fn deviations_are_kept_with_their_farthest_place() {
    let mut corner = Corner::of_truck();
    let full = [Told::load(3.0), Told::cover(false)];
    let at = stand(&mut corner, 0, 100, 0.0, 0.0, &[Told::load(0.0)]);
    let at = stand(&mut corner, at, 60, 0.0, 0.0, &full);
    let at = drive(&mut corner, at, 200.0, 2_000.0, 0.0, &full);
    let at = drive(&mut corner, at, 2_000.0, 2_800.0, 250.0, &full);
    let at = drive(&mut corner, at, 2_800.0, 5_000.0, 0.0, &full);
    let at = stand(&mut corner, at, 100, 5_000.0, 0.0, &[Told::load(0.0)]);
    drive(&mut corner, at, 5_000.0, 0.0, 0.0, &[Told::load(0.0)]);
    let all = sheets(&corner);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].deviations.len(), 1, "{:?}", all[0].deviations);
    assert_eq!(all[0].deviations[0].metres, 250);
}

#[test]
fn what_is_no_trip_has_no_sheet() {
    let none = |say: &dyn Fn(&mut Corner)| {
        let mut corner = Corner::of_truck();
        say(&mut corner);
        let all = sheets(&corner);
        assert!(all.is_empty(), "{all:#?}");
    };
    let (empty, full) = ([Told::load(0.0)], [Told::load(3.0)]);
    none(&|corner| {
        let at = drive(corner, 0, -3_000.0, 3_000.0, 0.0, &full);
        stand(corner, at, 600, 3_000.0, 0.0, &empty);
    });
    none(&|corner| {
        let at = stand(corner, 0, 600, 0.0, 0.0, &full);
        let at = stand(corner, at, 600, 0.0, 0.0, &empty);
        drive(corner, at, 200.0, 4_000.0, 0.0, &empty);
    });
    none(&|corner| {
        // A wrong bit on the way out.
        let at = stand(corner, 0, 100, 0.0, 0.0, &empty);
        let at = stand(corner, at, 20, 0.0, 0.0, &full);
        let at = stand(corner, at, 100, 0.0, 0.0, &empty);
        let at = drive(corner, at, 200.0, 5_000.0, 0.0, &empty);
        stand(corner, at, 600, 5_000.0, 0.0, &empty);
    });
    none(&|corner| {
        // Turned back with its load.
        let at = stand(corner, 0, 100, 0.0, 0.0, &empty);
        let at = stand(corner, at, 60, 0.0, 0.0, &full);
        let at = drive(corner, at, 200.0, 2_000.0, 0.0, &full);
        let at = drive(corner, at, 2_000.0, 0.0, 0.0, &full);
        stand(corner, at, 100, 0.0, 0.0, &full);
    });
}

#[test]
fn without_a_load_sensor_a_rest_at_the_disposal_site_is_an_unloading() {
    let mut corner = Corner::of_truck();
    let never = [Told::load(0.0)];
    let at = stand(&mut corner, 0, 400, 0.0, 0.0, &never);
    let at = drive(&mut corner, at, 200.0, 5_000.0, 0.0, &never);
    let at = stand(&mut corner, at, 200, 5_000.0, 0.0, &never);
    drive(&mut corner, at, 5_000.0, 0.0, 0.0, &never);
    let all = sheets(&corner);
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].unloading.map(|unloading| unloading.at), Some(TripPlace::DisposalSite(DUMP)));
    assert_eq!(all[0].remarks, [TripRemark::ExitNotSeen, TripRemark::CoverUnknown]);
}
