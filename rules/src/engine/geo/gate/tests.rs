//! At one gate: who offends, and who looks like it and is innocent.

use crate::engine::geo::testing::{Corner, NIGHT, TRUCK, gate_corner, permit};
use model::id::SubjectId;
use model::register::{Object, Permit};

fn finds(rule: &str, pass: impl Fn(&mut Corner)) -> usize {
    let mut corner = gate_corner();
    pass(&mut corner);
    corner.judge(rule).len()
}

#[test]
fn an_exit_without_a_wash_at_the_same_gate_before_it_is_not_washed() {
    let rule = "truck-not-washed";
    let mut corner = gate_corner();
    corner.exit(600, "豫A12345", &[]);
    let found = corner.judge(rule);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].start, found[0].end, found[0].extreme), (NIGHT + 600_000, Some(NIGHT + 600_000), 0.0));

    let washed = |corner: &mut Corner| {
        corner.wash(500, Some(60), None, &[]);
        corner.exit(600, "豫A·12345", &[]);
    };
    assert_eq!(finds(rule, washed), 0);
    let other = |corner: &mut Corner| {
        corner.wash(500, Some(60), Some("豫A99999"), &[]);
        corner.exit(600, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, other), 1, "another truck's wash");
    let misread = |corner: &mut Corner| {
        corner.wash(500, Some(60), Some("豫A12346"), &[]);
        corner.exit(600, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, misread), 0, "the washer's camera misread a digit");
    let two = |corner: &mut Corner| {
        corner.wash(500, Some(60), None, &[]);
        corner.exit(600, "豫A54321", &[("load", "loaded")]);
        corner.exit(900, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, two), 1, "one wash for two trucks");
    let queue = |corner: &mut Corner| {
        corner.wash(400, Some(60), None, &[]);
        corner.wash(500, Some(60), None, &[]);
        corner.exit(600, "豫A54321", &[("load", "loaded")]);
        corner.exit(640, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, queue), 0, "both were washed before either left");
    let again = |corner: &mut Corner| {
        corner.wash(500, Some(60), None, &[]);
        corner.exit(600, "豫A12345", &[]);
        corner.exit(630, "豫A1234S", &[]);
    };
    assert_eq!(finds(rule, again), 0, "the camera saw it twice");
    let said = |corner: &mut Corner, clean: &str| corner.exit(600, "豫A12345", &[("washed", clean)]);
    assert_eq!((finds(rule, |corner| said(corner, "true")), finds(rule, |corner| said(corner, "false"))), (0, 1));
    assert_eq!(finds(rule, |corner| corner.exit(600, "豫A77777", &[("vehicle", "car")])), 0, "a car");
    assert_eq!(finds(rule, |corner| corner.exit(600, "豫A77777", &[])), 0, "nobody knows what it is");
    assert_eq!(finds(rule, |corner| corner.wash(5_000, Some(60), None, &[])), 0, "no exit");
    let broken = |corner: &mut Corner| {
        corner.without_washer();
        corner.exit(600, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, broken), 0, "a gate without a washer cannot tell");
}

#[test]
fn washes_that_are_together_shorter_than_half_a_minute_are_too_short() {
    let rule = "wash-too-short";
    let one = |seconds: Option<i64>, attributes: &'static [(&str, &str)]| {
        finds(rule, |corner| {
            corner.wash(500, seconds, None, attributes);
            corner.exit(600, "豫A12345", &[]);
        })
    };
    assert_eq!((one(Some(10), &[]), one(Some(29), &[]), one(Some(30), &[])), (1, 1, 0));
    assert_eq!(one(None, &[]), 0, "its end is not known");
    assert_eq!(one(None, &[("wash_seconds", "12")]), 1, "the washer counted");
    assert_eq!(one(Some(25), &[("wash_seconds", "31")]), 0, "polls saw less than the washer counted");
    assert_eq!(one(None, &[("wash_seconds", "NaN")]), 0);
    let twice = |corner: &mut Corner| {
        corner.wash(450, Some(15), None, &[]);
        corner.wash(500, Some(20), None, &[]);
        corner.exit(600, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, twice), 0, "two bursts of one wash");
    let own = |corner: &mut Corner| {
        corner.wash(450, Some(60), None, &[]);
        corner.wash(500, Some(10), Some("豫A12345"), &[]);
        corner.exit(600, "豫A12345", &[]);
    };
    assert_eq!(finds(rule, own), 0, "the first may have been its own too");
    assert_eq!(finds(rule, |corner| corner.exit(600, "豫A12345", &[])), 0, "not washed is another rule's");
}

#[test]
fn a_truck_without_a_permit_for_the_site_is_unlicensed_and_doubt_is_not_judged() {
    let rule = "gate-unlicensed-truck";
    let loaded = [("load", "loaded")];
    let pass = |plate: &str, attributes: &[(&str, &str)]| finds(rule, |corner| corner.exit(600, plate, attributes));
    assert_eq!(pass("豫A88888", &loaded), 1, "in no register");
    assert_eq!(pass("豫A12345", &loaded), 0, "permitted");
    assert_eq!(pass("豫A12346", &loaded), 0, "may be a misreading of a permitted one");
    assert_eq!(pass("豫A88888", &[]), 0, "may be a car");
    assert_eq!(pass("豫A88888", &[("plate_colour", "blue"), ("load", "loaded")]), 0, "a blue plate");
    assert_eq!(pass("豫A88888", &[("vehicle_type", "渣土车")]), 1);
    assert_eq!(pass("豫A88888", &[("load", "loaded"), ("confidence", "0.6")]), 0, "the camera is not sure");
    assert_eq!(pass("豫A88888", &[("load", "loaded"), ("confidence", "97")]), 1, "a camera that counts to a hundred");
    assert_eq!(pass("豫A88888", &[("load", "empty"), ("vehicle", "truck")]), 0, "empty");
    assert_eq!(pass("无牌", &loaded), 0, "no plate at all");
    let with = |row: Permit| {
        finds(rule, |corner| {
            corner.put(Object::Permit(row.clone()));
            corner.exit(600, "豫A12345", &loaded);
        })
    };
    assert_eq!(with(Permit { suspended: true, ..permit() }), 1, "suspended");
    assert_eq!(with(Permit { site: Some(SubjectId(99)), ..permit() }), 1, "for another site");
    assert_eq!(with(Permit { site: None, ..permit() }), 0, "for any site");
    assert_eq!(with(Permit { trucks: vec![], ..permit() }), 1, "taken from it");
    assert_eq!(with(Permit { valid_from: model::time::EventTime(NIGHT + 9_000_000), ..permit() }), 1, "not yet");
    assert_eq!(TRUCK, SubjectId(20));
}
