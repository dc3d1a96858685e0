//! One rule both can do, side by side in one run: a mean of ten minutes per subject above a limit for five minutes, here
//! and in Bytewax (a Python library, its engine is Rust). `cargo bench -p lantian-rules --bench peer`.
//!
//! Both get the same records in memory and must raise the same number of alerts. Ours stands ready for late data and keeps
//! evidence; the peer's two programs are in `peer/stream.py`. It is fetched into `target/tools/peer` when it is missing.

#![expect(clippy::print_stdout, reason = "the ratio is what it is for")]

use lantian_rules::Engine;
use model::envelope::Position;
use model::episode::EpisodeChange;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Body, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::Revision;
use model::stream::Item;
use model::time::{EventTime, IngestTime};
use model::verdict::Verdict;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const PEER: &str = "bytewax==0.21.1";
const START: i64 = 1_795_176_000_000;
const MINUTES: i64 = 60;
const RULE: &str = r#"
code = "mean-of-ten"
name_zh = "十分钟均值"
name_en = "Mean of ten minutes"
kind = "exceedance"
class = "violation"
settle = "10min"
horizon = "6h"
[scope]
subject_kind = "restaurant"
[parameters]
quantity = "fume"
statistic = "mean"
unit = "mg/m3"
window = "10min"
valid_share_min = 1.0
for = "5min"
clear_factor = 1.0
clear_for = "0s"
[[basis]]
law = "bench"
"#;

fn main() {
    let ours = best(3, || ours(5_000));
    println!("lantian: {}", told(&ours));
    let Some(peer) = fetch() else {
        println!("peer: {PEER} could not be fetched with pip; no ratio");
        return;
    };
    for (way, name, subjects) in
        [("hand", "a hand-written state per key", 2_000), ("windows", "its sliding windows", 300)]
    {
        let Some(theirs) = theirs(&peer, way, subjects) else {
            println!("bytewax, {name}: it did not run");
            continue;
        };
        let (subjects, minutes) = (u64::try_from(subjects).unwrap_or(0), u64::try_from(MINUTES).unwrap_or(0));
        assert_eq!((theirs.records, theirs.alerts), (subjects * minutes, subjects / 3), "the same alerts");
        println!("bytewax, {name}: {}; lantian is {:.0} times as fast", told(&theirs), ours.rate() / theirs.rate());
    }
}

/// One run on one core.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
struct Measured {
    records: u64,
    seconds: f64,
    alerts: u64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "some hundred thousand")]
    fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }
}

fn told(run: &Measured) -> String {
    format!("{:.0} records/s on one core ({} records, {} alerts)", run.rate(), run.records, run.alerts)
}

fn best(times: usize, run: impl Fn() -> Measured) -> Measured {
    let runs = (0..times).map(|_| run());
    runs.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("it ran")
}

/// As in `stream.py`.
#[expect(clippy::cast_precision_loss, reason = "below a hundred")]
fn value(subject: i64, minute: i64) -> f64 {
    let high = subject % 3 == 0 && (subject % 20 + 15..subject % 20 + 45).contains(&minute);
    (if high { 3.0 } else { 1.0 }) + ((subject * 31 + minute * 17) % 100) as f64 / 1_000.0
}

fn ours(subjects: i64) -> Measured {
    let facts = facts(subjects);
    let places = (0..MINUTES).flat_map(|minute| (1..=subjects).map(move |subject| (minute, subject)));
    let items: Vec<Item> = (1..).zip(places).map(|(seq, (minute, subject))| record(seq, minute, subject)).collect();
    let mut engine = Engine::new(&facts);
    let mut changes = Vec::new();
    let began = Instant::now();
    for item in &items {
        engine.on_item(item, &facts, &mut changes);
    }
    let seconds = began.elapsed().as_secs_f64();
    let raised = changes.iter().filter(|change| matches!(change, EpisodeChange::Raised { .. })).count();
    Measured { records: items.len() as u64, seconds, alerts: raised as u64 }
}

fn record(seq: u64, minute: i64, subject: i64) -> Item {
    let at = START + minute * 60_000;
    let value = Value {
        quantity: Quantity::FUME,
        statistic: Statistic::Mean,
        flag: Flag::Normal,
        value: value(subject, minute),
    };
    Item::Record(Box::new(SettledRecord {
        key: RecordKey { device: DeviceId(subject), kind: RecordKind::Minute, slot: 0, at: EventTime(at) },
        subject: Some(SubjectId(subject)),
        received: IngestTime(at),
        position: Position { partition: 0, seq },
        verdict: Verdict::Stored,
        body: Body { values: vec![value], ..Body::default() },
        remarks: vec![],
    }))
}

fn facts(subjects: i64) -> Facts {
    let mut facts = Facts::default();
    let mut put = |object: &str, row: serde_json::Value| {
        let object = serde_json::from_value(json!({"object": object, "row": row})).expect("a register row");
        let (number, at) = (facts.revision + 1, IngestTime(START));
        facts.apply(&Revision { number, at, author: "bench".into(), object });
    };
    put("profile", json!({"code": "p", "name": "p", "protocol": "hj212", "expected_interval_s": 60}));
    for id in 1..=subjects {
        put("subject", json!({"id": id, "code": id.to_string(), "name": "r", "details": {"kind": "restaurant"}}));
        put(
            "device",
            json!({"id": id, "code": format!("d{id}"), "protocol": "hj212", "identity": id.to_string(), "profile": "p"}),
        );
        put("installation", json!({"id": id, "device": id, "subject": id, "valid_from": 0}));
    }
    put(
        "limit",
        json!({"id": 1, "quantity": "fume", "value": 2.0, "unit": "mg/m3", "standard": "bench", "valid_from": 0}),
    );
    put("rule", json!({"code": "mean-of-ten", "version": 1, "text": RULE, "active": true}));
    facts
}

fn fetch() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/peer");
    let stamp = folder.join(format!("{PEER}.done"));
    if !stamp.exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"]);
        if !pip.arg(&folder).arg(PEER).status().is_ok_and(|status| status.success()) {
            return None;
        }
        std::fs::write(stamp, "").ok(); // without it, it is fetched once more
    }
    Some(folder)
}

fn theirs(peer: &Path, way: &str, subjects: i64) -> Option<Measured> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer/stream.py");
    let mut python = Command::new("python3");
    python.arg(script).args([way, &subjects.to_string(), &MINUTES.to_string()]).env("PYTHONPATH", peer);
    let output = python.output().ok().filter(|output| output.status.success())?;
    serde_json::from_slice(&output.stdout).ok()
}
