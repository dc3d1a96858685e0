//! Lookups at event time over registers that were edited in journal order.

use super::*;
use crate::facts::{CLEANINGS_PER_SUBJECT_MAX, MANIFESTS_PER_TRUCK_MAX};
use crate::id::ManifestId;
use crate::register::{NoticeLevel, Object, Revision};
use crate::time::{IngestTime, parse_rfc3339};
use serde_json::{Value, json};

fn at(text: &str) -> EventTime {
    EventTime(parse_rfc3339(text).unwrap())
}

fn put(facts: &mut Facts, object: &str, row: &Value) {
    let object: Object = serde_json::from_value(json!({ "object": object, "row": row })).unwrap();
    let (number, at, author) = (facts.revision + 1, IngestTime(0), String::from("test"));
    assert!(facts.apply(&Revision { number, at, author, object }));
}

/// A restaurant 1 in grid 1, a site 2 in grid 2 with gate 3, a truck 4 in no grid.
fn district() -> Facts {
    let mut facts = Facts::default();
    put(&mut facts, "office", &json!({"id": 1, "code": "o", "name": "o"}));
    for (id, code) in [(1, "410100001"), (2, "410200001")] {
        put(&mut facts, "grid", &json!({"id": id, "code": code, "name": code, "office": 1}));
    }
    let subject =
        |id, grid, details| json!({"id": id, "code": format!("s-{id}"), "name": "s", "grid": grid, "details": details});
    put(&mut facts, "subject", &subject(1, json!(1), json!({"kind": "restaurant"})));
    put(&mut facts, "subject", &subject(2, json!(2), json!({"kind": "site"})));
    put(&mut facts, "subject", &subject(3, json!(null), json!({"kind": "gate", "site": 2})));
    put(&mut facts, "subject", &subject(4, json!(null), json!({"kind": "truck", "plate": "豫A12345"})));
    facts
}

#[test]
fn an_area_holds_in_its_span_and_its_windows_only() {
    let mut facts = district();
    let square = json!([[113.5, 34.8], [113.6, 34.8], [113.6, 34.9], [113.5, 34.9]]);
    let day = json!([{"from_minute": 420, "to_minute": 1200}]);
    let from = at("2026-11-20T00:00:00+08:00").0;
    let row = json!({"id": 1, "code": "a", "name": "a", "purpose": "no_go", "outline": square, "windows": day, "valid_from": from});
    put(&mut facts, "area", &row);
    let inside = Wgs84 { lon: 113.55, lat: 34.85 };
    let count = |purpose, place, text| facts.areas_around(place, purpose, at(text)).count();
    assert_eq!(count(AreaPurpose::NoGo, inside, "2026-11-20T08:00:00+08:00"), 1);
    assert_eq!(count(AreaPurpose::NoGo, inside, "2026-11-19T08:00:00+08:00"), 0);
    assert_eq!(count(AreaPurpose::NoGo, inside, "2026-11-20T06:59:00+08:00"), 0);
    assert_eq!(count(AreaPurpose::Speed, inside, "2026-11-20T08:00:00+08:00"), 0);
    let outside = Wgs84 { lon: 113.65, lat: 34.85 };
    assert_eq!(count(AreaPurpose::NoGo, outside, "2026-11-20T08:00:00+08:00"), 0);
}

#[test]
fn the_strictest_notice_that_stops_the_work_there_is_told() {
    let mut facts = district();
    let notice = |id, level, grids, stops, from: i64, to| json!({"id": id, "code": format!("n-{id}"), "level": level, "grids": grids, "stops": stops, "valid_from": from, "valid_to": to});
    put(&mut facts, "notice", &notice(1, "yellow", json!([]), json!(["earthwork"]), 100, json!(null)));
    put(&mut facts, "notice", &notice(2, "red", json!([2]), json!(["earthwork", "muck_transport"]), 200, json!(300)));
    let level = |work, subject, ms| {
        facts.subject_stopped_at(work, SubjectId(subject), EventTime(ms)).map(|notice| notice.level)
    };
    assert_eq!(level(Stops::Earthwork, 2, 99), None);
    assert_eq!(level(Stops::Earthwork, 2, 100), Some(NoticeLevel::Yellow));
    assert_eq!(level(Stops::Earthwork, 2, 250), Some(NoticeLevel::Red));
    // A gate is where its site is; what has no grid is reached by district-wide notices alone.
    assert_eq!(level(Stops::MuckTransport, 3, 250), Some(NoticeLevel::Red));
    assert_eq!(level(Stops::MuckTransport, 4, 250), None);
    assert_eq!(level(Stops::Earthwork, 4, 250), Some(NoticeLevel::Yellow));
    assert_eq!(level(Stops::Earthwork, 2, 300), Some(NoticeLevel::Yellow));
    put(
        &mut facts,
        "notice",
        &json!({"id": 1, "code": "n-1", "level": "yellow", "stops": ["earthwork"], "valid_from": 100, "void": true}),
    );
    assert!(facts.stopped_at(Stops::Earthwork, None, EventTime(250)).is_none());
}

#[test]
fn a_night_permit_is_for_its_site_and_its_hours() {
    let mut facts = district();
    let (from, to) = (at("2026-11-20T00:00:00+08:00").0, at("2026-11-22T00:00:00+08:00").0);
    let windows = json!([{"from_minute": 1320, "to_minute": 120}]);
    put(
        &mut facts,
        "night_permit",
        &json!({"id": 1, "code": "夜-1", "site": 2, "windows": windows, "valid_from": from, "valid_to": to}),
    );
    let permitted = |site, text| facts.night_permit_at(SubjectId(site), at(text)).is_some();
    assert!(permitted(2, "2026-11-21T01:59:00+08:00"));
    assert!(!permitted(2, "2026-11-21T02:00:00+08:00"));
    assert!(!permitted(1, "2026-11-21T01:00:00+08:00"));
    assert!(!permitted(2, "2026-11-22T01:00:00+08:00"));
}

#[test]
fn the_last_cleaning_is_the_last_before_the_event_not_the_last_entered() {
    let mut facts = district();
    let cleaning = |id, ms| json!({"id": id, "subject": 1, "cleaned_at": ms, "parts": ["purifier"]});
    put(&mut facts, "cleaning", &cleaning(1, 300));
    put(&mut facts, "cleaning", &cleaning(2, 100));
    let last = |facts: &Facts, ms| facts.last_cleaning(SubjectId(1), EventTime(ms)).map(|row| row.cleaned_at.0);
    assert_eq!([99, 100, 299, 300].map(|ms| last(&facts, ms)), [None, Some(100), Some(100), Some(300)]);
    put(
        &mut facts,
        "cleaning",
        &json!({"id": 1, "subject": 1, "cleaned_at": 300, "parts": ["purifier"], "void": true}),
    );
    assert_eq!(last(&facts, 300), Some(100));
    // A record that was of another restaurant moves.
    put(&mut facts, "cleaning", &json!({"id": 2, "subject": 9, "cleaned_at": 100, "parts": ["hood"]}));
    assert_eq!((last(&facts, 300), facts.cleanings_of(SubjectId(9)).count()), (None, 1));
}

#[test]
fn what_is_remembered_of_one_owner_has_a_bound_and_the_lowest_ids_go() {
    let mut facts = district();
    for id in 0..CLEANINGS_PER_SUBJECT_MAX + 5 {
        put(&mut facts, "cleaning", &json!({"id": id, "subject": 1, "cleaned_at": id, "parts": ["hood"]}));
    }
    assert_eq!(facts.cleanings.len(), CLEANINGS_PER_SUBJECT_MAX);
    assert_eq!(facts.cleanings_of(SubjectId(1)).next().map(|row| row.id.0), Some(5));
    for id in 0..MANIFESTS_PER_TRUCK_MAX + 5 {
        put(
            &mut facts,
            "manifest",
            &json!({"id": id, "code": format!("m-{id}"), "truck": 4, "source": "driver", "loaded_at": id}),
        );
    }
    assert_eq!(facts.manifests.len(), MANIFESTS_PER_TRUCK_MAX);
    assert!(!facts.manifests.contains_key(&ManifestId(4)) && facts.manifests.contains_key(&ManifestId(5)));
}

#[test]
fn the_narrowest_maintenance_is_told() {
    let mut facts = district();
    put(&mut facts, "maintenance", &json!({"id": 1, "valid_from": 0, "valid_to": 100, "why": "all"}));
    put(&mut facts, "maintenance", &json!({"id": 2, "subject": 1, "valid_from": 50, "why": "subject"}));
    put(&mut facts, "maintenance", &json!({"id": 3, "device": 7, "valid_from": 60, "valid_to": 70, "why": "device"}));
    let why = |device: Option<i64>, subject: Option<i64>, ms| {
        let row = facts.maintenance_at(device.map(DeviceId), subject.map(SubjectId), EventTime(ms));
        row.map(|row| row.why.as_str())
    };
    assert_eq!(why(Some(7), Some(1), 65), Some("device"));
    assert_eq!(why(Some(7), Some(1), 75), Some("subject"));
    assert_eq!(why(Some(8), Some(2), 75), Some("all"));
    assert_eq!((why(Some(8), Some(2), 100), why(None, None, 10)), (None, Some("all")));
}

#[test]
fn a_subject_s_own_hours_come_before_those_of_its_kind() {
    let mut facts = district();
    let noon = json!([{"from_minute": 660, "to_minute": 840}]);
    let day = json!([{"from_minute": 600, "to_minute": 1320}]);
    put(
        &mut facts,
        "schedule",
        &json!({"id": 1, "subject_kind": "restaurant", "open": day, "peaks": noon, "valid_from": 0}),
    );
    let (noon_at, night_at) = (at("2026-11-20T12:00:00+08:00"), at("2026-11-20T23:30:00+08:00"));
    let asked = |facts: &Facts, ms| (facts.is_open_at(SubjectId(1), ms), facts.is_peak_at(SubjectId(1), ms));
    assert_eq!(asked(&facts, noon_at), (true, Some(true)));
    assert_eq!(asked(&facts, night_at), (false, Some(false)));
    let late = json!([{"from_minute": 1080, "to_minute": 120}]);
    put(&mut facts, "schedule", &json!({"id": 2, "subject": 1, "open": late, "valid_from": 0}));
    assert_eq!(asked(&facts, night_at), (true, None));
    assert_eq!((facts.is_open_at(SubjectId(2), night_at), facts.is_peak_at(SubjectId(2), night_at)), (true, None));
}

#[test]
fn the_background_of_a_grid_is_the_nearest_region_s() {
    let mut facts = district();
    let row = |id, device, region, from| json!({"id": id, "quantity": "pm10", "device": device, "region": region, "valid_from": from});
    put(&mut facts, "background", &row(1, 10, "", 0));
    put(&mut facts, "background", &row(2, 20, "4102", 100));
    let device =
        |grid: Option<i64>, ms| facts.background_at("pm10", grid.map(GridId), EventTime(ms)).map(|row| row.device.0);
    assert_eq!((device(Some(2), 50), device(Some(2), 100), device(Some(1), 100)), (Some(10), Some(20), Some(10)));
    assert_eq!((device(None, 100), facts.background_at("pm25", None, EventTime(100))), (Some(10), None));
}

#[test]
fn a_suspended_permit_does_not_hold() {
    let mut facts = district();
    let row = json!({"id": 1, "code": "p", "trucks": [4], "corridor": [], "corridor_half_width_m": 50.0, "valid_from": 0,
        "valid_to": 100, "suspensions": [{"from": 10, "to": 20, "why": "预警"}]});
    put(&mut facts, "permit", &row);
    let permit = facts.permits_of(SubjectId(4)).next().unwrap();
    let holds = [-1, 5, 15, 20, 100].map(|ms| facts.permit_holds(permit, EventTime(ms)));
    assert_eq!(holds, [false, true, false, true, false]);
}
