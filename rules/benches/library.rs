//! The whole shipped library at work on one core: records of six values from restaurants, fixes of trucks, what each rule
//! costs, and whether that grows with the number of subjects. `cargo bench -p lantian-rules --bench library`.
//!
//! Items are made outside of the measured time, ticks come every ten seconds of the journal and are measured.

#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]

use lantian_rules::Engine;
use model::envelope::{Position, ProtocolKind};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::Revision;
use model::stream::{Item, Tick};
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// 2026-11-20 17:00 in Beijing: dinner.
const START: i64 = 1_795_165_200_000;
const SUBJECTS: i64 = 5_000;

fn main() {
    // `--profile`: nothing but the one long run, for a sampling profiler.
    if std::env::args().any(|argument| argument == "--profile") {
        println!("{:.0} records/s", 1e6 / cost(&library(), SUBJECTS, 400, restaurant));
        return;
    }
    let all = library();
    println!("{} shipped rules, one core", all.len());
    let whole = cost(&all, SUBJECTS, 60, restaurant);
    println!("restaurants: {:.0} records/s of 6 values, {SUBJECTS} subjects, whole library", 1e6 / whole);
    let fixes = cost(&all, SUBJECTS, 60, truck);
    println!("trucks: {:.0} positions/s, {SUBJECTS} trucks with a corridor each, whole library", 1e6 / fixes);
    println!("\n| rule alone | µs a record | µs a position |\n|---|---|---|");
    let nothing = BTreeMap::new();
    let floor = [restaurant, truck].map(|make| cost(&nothing, 1_000, 40, make));
    for (code, text) in &all {
        let only = BTreeMap::from([(code.clone(), text.clone())]);
        let [record, fix] = [restaurant, truck].map(|make| cost(&only, 1_000, 40, make));
        println!("| {code} | {:.2} | {:.2} |", (record - floor[0]).max(0.0), (fix - floor[1]).max(0.0));
    }
    println!("\n| subjects | µs a record, whole library |\n|---|---|");
    for (subjects, rounds) in [(10, 4_000), (100, 1_000), (1_000, 200), (10_000, 40), (100_000, 20)] {
        println!("| {subjects} | {:.2} |", cost(&all, subjects, rounds, restaurant));
    }
}

type Make = fn(i64, i64, u64) -> Item;

/// Microseconds an item. The first half of the rounds is not measured: windows fill.
fn cost(rules: &BTreeMap<String, String>, subjects: i64, rounds: i64, make: Make) -> f64 {
    let facts = facts(subjects, rules);
    let mut engine = Engine::new(&facts);
    let (mut seq, mut seconds, mut count) = (0, 0.0, 0u64);
    let mut changes = Vec::new();
    for round in 0..rounds {
        let mut items = Vec::new();
        let each = (subjects / 6).max(1);
        for id in 1..=subjects {
            seq += 1;
            items.push(make(round, id, seq));
            if id % each == 0 {
                seq += 1;
                items.push(tick(round * 60_000 + (id / each) * 10_000, seq));
            }
        }
        let began = Instant::now();
        for item in &items {
            engine.on_item(item, &facts, &mut changes);
        }
        if round >= rounds / 2 {
            seconds += began.elapsed().as_secs_f64();
            count += subjects.unsigned_abs();
        }
        changes.clear();
    }
    seconds * 1e6 / count as f64
}

fn library() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules");
    let paths =
        std::fs::read_dir(folder).expect("the library is there").map(|entry| entry.expect("it is readable").path());
    let rules = paths.filter_map(|path| {
        let code = path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned();
        Some((code, std::fs::read_to_string(&path).ok()?)).filter(|(code, _)| !code.contains('.'))
    });
    rules.collect()
}

fn settled(device: i64, kind: RecordKind, at: i64, seq: u64, body: Body) -> Item {
    Item::Record(Box::new(SettledRecord {
        key: RecordKey { device: DeviceId(device), kind, slot: 0, at: EventTime(START + at) },
        subject: Some(SubjectId(device)),
        received: IngestTime(START + at),
        position: Position { partition: 0, seq },
        verdict: Verdict::Stored,
        body,
        remarks: vec![],
    }))
}

fn restaurant(round: i64, id: i64, seq: u64) -> Item {
    let noise = ((id * 31 + round * 17) % 100) as f64 / 100.0;
    let mean = |quantity, value| Value { quantity, statistic: Statistic::Mean, flag: Flag::Normal, value };
    let values = vec![
        mean(Quantity::FUME, 0.6 + 0.5 * noise),
        mean(Quantity::PURIFIER_CURRENT, 2.3 + 0.3 * noise),
        mean(Quantity::PURIFIER_ON, 1.0),
        mean(Quantity::FAN_CURRENT, 8.0 + noise),
        mean(Quantity::FAN_ON, 1.0),
        mean(Quantity::FLUE_TEMPERATURE, 40.0 + 10.0 * noise),
    ];
    settled(id, RecordKind::Minute, round * 60_000, seq, Body { values, ..Body::default() })
}

fn truck(round: i64, id: i64, seq: u64) -> Item {
    let noise = ((id * 31 + round * 17) % 100) as f64 / 100.0;
    let place = Wgs84 { lon: 113.5 + (round % 100) as f64 * 0.001, lat: 34.8 + 0.000_1 * noise };
    let fix = Fix { place, speed_kmh: 16.0 + noise, heading_deg: 90, altitude_m: 0, fixed: true, status: 0, alarm: 0 };
    let instant = |quantity, value| Value { quantity, statistic: Statistic::Instant, flag: Flag::Normal, value };
    let values = vec![
        instant(Quantity::LOAD_STATE, 3.0),
        instant(Quantity::COVER_OPEN, 0.0),
        instant(Quantity::BED_LIFTED, 0.0),
        instant(Quantity::IGNITION, 1.0),
    ];
    settled(TRUCKS + id, RecordKind::Position, round * 20_000, seq, Body { values, fix: Some(fix), ..Body::default() })
}

fn tick(at: i64, seq: u64) -> Item {
    let tick = Tick { at: IngestTime(START + at), clock_synchronised: true, listening: ProtocolKind::ALL.to_vec() };
    Item::Tick { tick, position: Position { partition: 0, seq } }
}

fn facts(count: i64, rules: &BTreeMap<String, String>) -> Facts {
    let mut facts = Facts::default();
    let mut put = |object: &str, row: serde_json::Value| {
        let object = serde_json::from_value(json!({"object": object, "row": row})).expect("a register row");
        let (number, at) = (facts.revision + 1, IngestTime(START));
        facts.apply(&Revision { number, at, author: "bench".into(), object });
    };
    for (code, protocol) in [("fume", "hj212"), ("truck", "jt808")] {
        put("profile", json!({"code": code, "name": code, "protocol": protocol, "expected_interval_s": 60}));
    }
    put(
        "limit",
        json!({"id": 1, "quantity": "fume", "value": 2.0, "unit": "mg/m3", "standard": "GB 18483-2001", "valid_from": 0}),
    );
    let corridor: Vec<[f64; 2]> = (0..=40).map(|step| [113.5 + f64::from(step) * 0.003, 34.8]).collect();
    for id in 1..=count {
        let truck = TRUCKS + id;
        let rows = [
            (id, json!({"kind": "restaurant", "size_class": "medium", "stoves": 4.0}), "fume", "hj212"),
            (truck, json!({"kind": "truck", "plate": format!("豫A{id:05}")}), "truck", "jt808"),
        ];
        for (id, details, profile, protocol) in rows {
            put("subject", json!({"id": id, "code": id.to_string(), "name": "s", "details": details}));
            put(
                "device",
                json!({"id": id, "code": format!("d{id}"), "protocol": protocol, "identity": id.to_string(), "profile": profile}),
            );
            put("installation", json!({"id": id, "device": id, "subject": id, "valid_from": 0}));
        }
        put(
            "permit",
            json!({"id": id, "code": id.to_string(), "trucks": [truck], "corridor": corridor,
            "corridor_half_width_m": 30.0, "valid_from": 0}),
        );
    }
    for (code, text) in rules {
        put("rule", json!({"code": code, "version": 1, "text": text, "active": true}));
    }
    facts
}

/// Trucks are numbered from here on.
const TRUCKS: i64 = 1_000_000;
