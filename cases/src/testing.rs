//! A restaurant, its logger, the demonstration rules and a journal of half an hour, for this crate's tests.

use crate::judge::{Deadline, Judge, JudgeConfig, RawFrame, RawFrames};
use database::Database;
use model::envelope::{Position, ProtocolKind};
use model::facts::Facts;
use model::id::{DeviceId, GridId, InstallationId, LimitId, OfficeId, SubjectId};
use model::principal::Strictness;
use model::quantity::Quantity;
use model::record::{Body, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::{
    Device, DeviceProfile, Grid, Installation, Limit, Object, Office, Revision, RuleVersion, Subject, SubjectDetails,
};
use model::stream::{Batch, Item, Tick};
use model::time::{EventTime, IngestTime};
use model::unit::Unit;
use model::verdict::Verdict;
use std::sync::Arc;

pub(crate) const START: i64 = 1_795_176_000_000;

/// Restaurants 1 to `count`, each with a logger of the same number.
pub(crate) fn facts(count: i64, per_day_max: u32) -> Facts {
    let mut facts = Facts::default();
    let mut put = |object| {
        let number = facts.revision + 1;
        assert!(facts.apply(&Revision { number, at: IngestTime(START), author: "test".into(), object }));
    };
    put(Object::Office(Office { id: OfficeId(7), code: "o7".into(), name: "中队".into(), parent: None }));
    put(Object::Grid(Grid {
        id: GridId(3),
        code: "410104001".into(),
        name: "网格".into(),
        office: OfficeId(7),
        outline: vec![],
    }));
    put(Object::Profile(DeviceProfile {
        code: "fume".into(),
        name: "fume".into(),
        protocol: ProtocolKind::Mqtt,
        strictness: Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 10,
        factors: vec![],
        registers: vec![],
        gcj02: false,
        downlink: None,
        truck: None,
        events: Vec::new(),
    }));
    for id in 1..=count {
        let details = SubjectDetails::Restaurant {
            size_class: None,
            stoves: None,
            address: String::new(),
            licence: String::new(),
            contact: String::new(),
            phone: String::new(),
        };
        let (code, name, grid) = (format!("r{id}"), format!("餐馆{id}"), Some(GridId(3)));
        put(Object::Subject(Subject { id: SubjectId(id), code, name, grid, place: None, details, active: true }));
        put(Object::Device(Device {
            id: DeviceId(id),
            code: format!("d{id}"),
            name: String::new(),
            protocol: ProtocolKind::Mqtt,
            identity: format!("d{id}"),
            profile: "fume".into(),
            vendor: String::new(),
            enabled: true,
            poll: None,
        }));
        put(Object::Installation(Installation {
            id: InstallationId(id),
            device: DeviceId(id),
            subject: SubjectId(id),
            point: String::new(),
            valid_from: EventTime(0),
            valid_to: None,
        }));
    }
    put(Object::Limit(Limit {
        id: LimitId(1),
        quantity: "fume".into(),
        value: 2.0,
        unit: Unit::MgPerM3,
        region: String::new(),
        standard: "GB 18483-2001".into(),
        class: String::new(),
        subject_kind: String::new(),
        valid_from: EventTime(0),
        valid_to: None,
        source: "p. 3".into(),
        verified: true,
        retired: false,
    }));
    for code in ["fume-exceedance", "device-offline"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../config/demo/rules/{code}.toml"));
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace("per_day_max = 200", &format!("per_day_max = {per_day_max}"));
        put(Object::Rule(RuleVersion { code: code.into(), version: 1, text, active: true }));
    }
    facts
}

/// (device, event time, value)
type Reading = (i64, i64, f64);

/// Half an hour of readings every 10 s: bad from minute 5 to 10 and from 15 to 18, silent from 22 to 25. Every seventh is 90 s
/// late. `faults`: seconds by which loggers differ.
pub(crate) fn journal(count: i64) -> Vec<Item> {
    let mut arrivals: Vec<(i64, Option<Reading>)> = (0..=180).map(|step| (step * 10_000, None)).collect();
    for device in 1..=count {
        for step in 0..180i64 {
            let at = step * 10_000 + device * 7;
            let minute = step / 6;
            if (22..25).contains(&minute) {
                continue;
            }
            let bad = (5..10).contains(&minute) || (15..18).contains(&minute);
            let late = if step % 7 == 3 { 90_000 } else { 0 };
            arrivals.push((at + late, Some((device, at, if bad { 6.0 } else { 0.4 }))));
        }
    }
    arrivals.sort_by_key(|(at, said)| (*at, said.map(|(device, ..)| device)));
    let items = (1u64..).zip(arrivals).map(|(seq, (at, said))| {
        let position = Position { partition: 0, seq };
        let Some((device, said_at, value)) = said else {
            let tick = Tick { at: IngestTime(START + at), clock_synchronised: true, listening: vec![] };
            return Item::Tick { tick, position };
        };
        let value = Value { quantity: Quantity::FUME, statistic: Statistic::Instant, flag: Flag::Normal, value };
        Item::Record(Box::new(SettledRecord {
            key: RecordKey {
                device: DeviceId(device),
                kind: RecordKind::Instant,
                slot: 0,
                at: EventTime(START + said_at),
            },
            subject: Some(SubjectId(device)),
            received: IngestTime(START + at),
            position,
            verdict: Verdict::Stored,
            body: Body { values: vec![value], ..Body::default() },
            remarks: vec![],
        }))
    });
    items.collect()
}

/// Frames whose bytes tell their place.
pub(crate) struct Frames;

impl RawFrames for Frames {
    fn read_at(&self, position: Position) -> Option<RawFrame> {
        let raw = format!("frame {position}").into_bytes().into();
        Some(RawFrame { received: IngestTime(START), channel: "mqtt_telemetry".into(), raw })
    }
}

pub(crate) async fn judge(db: &Database, facts: &Facts) -> Judge {
    let deadline: Deadline = Arc::new(|_, at, minutes| at.plus_ms(i64::from(minutes) * 60_000));
    // No checkpoint by time: tests say when.
    let config = JudgeConfig { checkpoint_ms: u64::from(u32::MAX), ..JudgeConfig::default() };
    Judge::open(db.clone(), config, facts.clone(), Arc::new(Frames), deadline).await.unwrap()
}

pub(crate) fn batch(items: &[Item]) -> Batch {
    Batch { items: items.to_vec(), up_to: items.last().map(Item::position).unwrap_or_default() }
}

/// Judges the journal in batches that end before the given items. At `flushes` the state is committed, at `crashes` the
/// judge is lost and opened again, as the wiring does.
pub(crate) async fn run(
    db: &Database,
    facts: &Facts,
    items: &[Item],
    cuts: &[usize],
    flushes: &[usize],
    crashes: &[usize],
) {
    let mut judge = judge(db, facts).await;
    let mut from = 0;
    for cut in cuts.iter().copied().chain([items.len()]) {
        let cut = cut.clamp(from, items.len());
        judge.on_batch(batch(&items[from..cut])).await.unwrap();
        from = cut;
        if flushes.contains(&cut) {
            judge.flush().await.unwrap();
        }
        if crashes.contains(&cut) {
            drop(judge);
            judge = self::judge(db, facts).await;
            let cursor = Judge::cursor_of(db, 0).await.unwrap().seq;
            from = items.partition_point(|item| item.position().seq <= cursor);
            // What was read again is handed on in one batch.
            judge.on_batch(batch(&items[from..cut])).await.unwrap();
            from = cut;
        }
    }
    judge.flush().await.unwrap();
}
