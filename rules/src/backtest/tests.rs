//! What a backtest promises.

use super::*;
use model::envelope::ProtocolKind;
use model::id::{InstallationId, LimitId};
use model::principal::Strictness;
use model::record::{Body, Flag, RecordKey, Statistic, Value};
use model::register::{Device, DeviceProfile, Installation, Limit, Subject};
use model::unit::Unit;
use model::verdict::Verdict;

const MINUTE: i64 = 60_000;
const START: i64 = 1_795_176_000_000;

fn library() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules/fume-exceedance.toml");
    std::fs::read_to_string(path).unwrap()
}

fn put(facts: &mut Facts, object: Object) {
    let number = facts.revision + 1;
    assert!(facts.apply(&Revision { number, at: IngestTime(START), author: "test".into(), object }));
}

/// Restaurant 10 with logger 1, and restaurant 20 with logger 2.
fn district() -> Facts {
    let mut facts = Facts::default();
    let profile = DeviceProfile {
        code: "p".into(),
        name: "p".into(),
        protocol: ProtocolKind::Hj212,
        strictness: Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 60,
        factors: vec![],
        registers: vec![],
        gcj02: false,
        downlink: None,
        truck: None,
        events: vec![],
    };
    put(&mut facts, Object::Profile(profile));
    for id in [1, 2] {
        let subject = SubjectId(id * 10);
        let details = toml::from_str("kind = \"restaurant\"").unwrap();
        let (code, name) = (subject.to_string(), subject.to_string());
        put(
            &mut facts,
            Object::Subject(Subject { id: subject, code, name, grid: None, place: None, details, active: true }),
        );
        let text = format!("id = {id}\ncode = \"d{id}\"\nprotocol = \"hj212\"\nidentity = \"d{id}\"\nprofile = \"p\"");
        put(&mut facts, Object::Device(toml::from_str::<Device>(&text).unwrap()));
        let (device, valid_from) = (DeviceId(id), EventTime(0));
        let row =
            Installation { id: InstallationId(id), device, subject, point: String::new(), valid_from, valid_to: None };
        put(&mut facts, Object::Installation(row));
    }
    put(&mut facts, Object::Limit(limit(1, 2.0, 0)));
    facts
}

fn limit(id: i64, value: f64, from: i64) -> Limit {
    let text = format!(
        "id = {id}\nquantity = \"fume\"\nvalue = {value:?}\nunit = \"mg/m3\"\nstandard = \"s\"\nvalid_from = {from}\nsubject_kind = \"restaurant\""
    );
    let limit: Limit = toml::from_str(&text).unwrap();
    assert_eq!((limit.id, limit.unit), (LimitId(id), Unit::MgPerM3));
    limit
}

fn fume(device: i64, minute: i64, value: f64) -> Box<SettledRecord> {
    let at = START + minute * MINUTE;
    let value = Value { quantity: Quantity::FUME, statistic: Statistic::Mean, flag: Flag::Normal, value };
    Box::new(SettledRecord {
        key: RecordKey { device: DeviceId(device), kind: RecordKind::Minute, slot: 0, at: EventTime(at) },
        subject: Some(SubjectId(device * 10)),
        received: IngestTime(at),
        position: Position { partition: 0, seq: minute.unsigned_abs() * 2 + device.unsigned_abs() },
        verdict: Verdict::Stored,
        body: Body { values: vec![value], ..Body::default() },
        remarks: vec![],
    })
}

fn report(draft: &str, live: Option<&str>, revisions: &[(i64, Revision)]) -> Report {
    let pair = Pair::new(draft, live).unwrap();
    let facts = district();
    let mut run = Run::new(&pair, facts.clone());
    for minute in 0..300 {
        for (_, revision) in revisions.iter().filter(|(at, _)| *at == minute) {
            run.revise(revision);
        }
        // The first is high for two hours, the second for forty minutes.
        run.record(fume(1, minute, if (60..180).contains(&minute) { 4.0 } else { 1.0 }));
        run.record(fume(2, minute, if (60..100).contains(&minute) { 3.0 } else { 1.0 }));
    }
    let stands = run.finish(EventTime(START), IngestTime(START + 301 * MINUTE));
    compare(stands, &pair.draft, pair.live.as_deref(), &facts)
}

#[test]
fn the_same_rule_finds_the_same() {
    let text = library();
    let report = report(&text, Some(&text), &[]);
    assert_eq!((report.live, report.draft, report.same), (2, 2, 2));
    assert!(report.changes.is_empty());
    let day = report.grid_days[0];
    assert_eq!((day.alerts_live, day.cases_live, day.cases_draft), (2, 2, 2));
}

#[test]
fn a_stricter_clause_shows_what_is_gone_and_what_is_changed() {
    let text = library();
    let draft = text.replace("for = \"0s\"", "for = \"1h\"").replace("clear_factor = 0.9", "clear_factor = 0.6");
    let report = report(&draft, Some(&text), &[]);
    assert_eq!((report.live, report.draft, report.gone, report.changed), (2, 1, 1, 1));
    let words: Vec<&str> = report.changes.iter().map(Change::word).collect();
    assert_eq!(words.len(), 2);
    assert!(
        report.changes.iter().any(|change| matches!(change, Change::Gone { live } if live.subject == SubjectId(20)))
    );
}

#[test]
fn a_new_rule_has_new_alerts_alone_and_its_cap_is_told() {
    let draft = library().replace("per_day_max = 200", "per_day_max = 1");
    let report = report(&draft, None, &[]);
    assert_eq!((report.live, report.new), (0, 2));
    assert_eq!(report.over_cap.iter().map(|(_, cases, cap)| (*cases, *cap)).collect::<Vec<_>>(), [(2, 1)]);
}

#[test]
fn registers_are_as_they_were_at_each_moment() {
    let text = library();
    let at = START + 120 * MINUTE;
    // From the second hour on the limit is so high that nothing passes it.
    let object = Object::Limit(limit(2, 50.0, at));
    let revision = Revision { number: 1_000, at: IngestTime(at), author: "test".into(), object };
    let mut report = report(&text, Some(&text), &[(120, revision)]);
    assert_eq!(report.same, 2);
    report.grid_days.clear();
    let pair = Pair::new(&text, None).unwrap();
    assert_eq!(pair.reads().quantities, [Quantity::FUME, Quantity::FAN_ON]);
}
