//! Speed of the engine on one core: records through exceedance and offline rules, positions against corridors.
//! `cargo bench -p lantian-rules`. Inputs are made before the clock starts.

use lantian_rules::Engine;
use model::envelope::{Position, ProtocolKind};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, InstallationId, LimitId, PermitId, SubjectId};
use model::principal::Strictness;
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::{
    Device, DeviceProfile, Installation, Limit, Object, Permit, Revision, RuleVersion, Subject, SubjectDetails,
};
use model::stream::Item;
use model::time::{EventTime, IngestTime};
use model::unit::Unit;
use model::verdict::Verdict;

fn main() {
    divan::main();
}

const START: i64 = 1_795_176_000_000;
const ROUNDS: i64 = 80;

/// A minute of 6 values from each of `subjects` loggers, again and again.
#[divan::bench(args = [1_000, 5_000])]
fn records(bencher: divan::Bencher<'_, '_>, subjects: i64) {
    let (facts, items) = (facts(subjects), rounds(subjects, record));
    bencher
        .counter(divan::counter::ItemsCount::new(items.len()))
        .with_inputs(|| Engine::new(&facts))
        .bench_local_values(|engine| judge(engine, &facts, &items));
}

/// The same with a tenth of the records five rounds late.
#[divan::bench(args = [1_000])]
fn records_a_tenth_late(bencher: divan::Bencher<'_, '_>, subjects: i64) {
    let (facts, mut items) = (facts(subjects), rounds(subjects, record));
    let step = usize::try_from(subjects).unwrap_or(1) * 5;
    for index in (0..items.len().saturating_sub(step)).step_by(10) {
        items.swap(index, index + step);
    }
    bencher
        .counter(divan::counter::ItemsCount::new(items.len()))
        .with_inputs(|| Engine::new(&facts))
        .bench_local_values(|engine| judge(engine, &facts, &items));
}

/// A fix of each of `trucks`, each with a corridor of 40 segments of its own.
#[divan::bench(args = [1_000, 5_000])]
fn positions(bencher: divan::Bencher<'_, '_>, trucks: i64) {
    let (facts, items) = (facts(trucks), rounds(trucks, fix));
    bencher
        .counter(divan::counter::ItemsCount::new(items.len()))
        .with_inputs(|| Engine::new(&facts))
        .bench_local_values(|engine| judge(engine, &facts, &items));
}

fn judge(mut engine: Engine, facts: &Facts, items: &[Item]) -> usize {
    let mut changes = Vec::new();
    for item in items {
        engine.on_item(item, facts, &mut changes);
    }
    changes.len()
}

fn rounds(count: i64, make: fn(i64, i64, Position) -> Item) -> Vec<Item> {
    let places = (0..ROUNDS).flat_map(|round| (1..=count).map(move |id| (round, id)));
    (1u64..).zip(places).map(|(seq, (round, id))| make(round, id, Position { partition: 0, seq })).collect()
}

fn settled(device: i64, kind: RecordKind, at: i64, position: Position, body: Body) -> Item {
    Item::Record(Box::new(SettledRecord {
        key: RecordKey { device: DeviceId(device), kind, slot: 0, at: EventTime(at) },
        subject: Some(SubjectId(device)),
        received: IngestTime(at),
        position,
        verdict: Verdict::Stored,
        body,
        remarks: vec![],
    }))
}

fn record(round: i64, id: i64, position: Position) -> Item {
    let value = |quantity| Value { quantity, statistic: Statistic::Mean, flag: Flag::Normal, value: 1.0 };
    let six = [1, 2, 3, 4, 6, 8].map(|number| value(Quantity(number)));
    let body = Body { values: six.to_vec(), ..Body::default() };
    settled(id, RecordKind::Minute, START + round * 60_000, position, body)
}

fn fix(round: i64, id: i64, position: Position) -> Item {
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let place = Wgs84 { lon: 113.5 + round as f64 * 0.001, lat: 34.8 };
    let fix = Fix { place, speed_kmh: 30.0, heading_deg: 90, altitude_m: 0, fixed: true, status: 0, alarm: 0 };
    let body = Body { fix: Some(fix), ..Body::default() };
    settled(100_000 + id, RecordKind::Position, START + round * 20_000, position, body)
}

fn facts(count: i64) -> Facts {
    let mut facts = Facts::default();
    let mut put = |object| {
        let number = facts.revision + 1;
        facts.apply(&Revision { number, at: IngestTime(START), author: "bench".into(), object });
    };
    put(Object::Profile(DeviceProfile {
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
        events: Vec::new(),
    }));
    for id in 1..=count {
        let restaurant = SubjectDetails::Restaurant {
            size_class: None,
            stoves: None,
            address: String::new(),
            licence: String::new(),
            contact: String::new(),
            phone: String::new(),
        };
        install(&mut put, id, ProtocolKind::Hj212, restaurant);
        let truck = SubjectDetails::Truck {
            plate: id.to_string(),
            plate_colour: String::new(),
            company: String::new(),
            load_t: None,
        };
        install(&mut put, 100_000 + id, ProtocolKind::Jt808, truck);
        put(Object::Permit(Permit {
            id: PermitId(id),
            code: id.to_string(),
            trucks: vec![SubjectId(100_000 + id)],
            site: None,
            disposal_site: None,
            corridor: (0..=40).map(|step| Wgs84 { lon: 113.5 + f64::from(step) * 0.003, lat: 34.8 }).collect(),
            corridor_half_width_m: 30.0,
            windows: vec![],
            valid_from: EventTime(0),
            valid_to: None,
            suspended: false,
            suspensions: Vec::new(),
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
        source: String::new(),
        verified: false,
        retired: false,
    }));
    for code in ["fume-exceedance", "device-offline", "data-gap", "truck-off-route"] {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../config/library/rules/{code}.toml"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        put(Object::Rule(RuleVersion { code: code.into(), version: 1, text, active: true }));
    }
    facts
}

fn install(put: &mut impl FnMut(Object), id: i64, protocol: ProtocolKind, details: SubjectDetails) {
    let (code, name) = (id.to_string(), id.to_string());
    put(Object::Subject(Subject { id: SubjectId(id), code, name, grid: None, place: None, details, active: true }));
    put(Object::Device(Device {
        id: DeviceId(id),
        code: format!("d{id}"),
        name: String::new(),
        protocol,
        identity: id.to_string(),
        profile: "p".into(),
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
