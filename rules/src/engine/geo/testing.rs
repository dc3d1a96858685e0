//! A corner of the world for tests: places in metres around an origin, subjects, fixes and observations.

use super::Atlas;
use super::plane::METRES_A_DEGREE;
use crate::definition::Kind;
use crate::engine::codec::{Reader, Writer};
use crate::engine::judge::{GroupKey, Observation, Output, Scene, Source};
use crate::engine::machine::Stretch;
use crate::engine::outages::Outages;
use crate::engine::timeline::Timeline;
use model::envelope::ProtocolKind;
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{AreaId, DeviceId, PermitId, SubjectId};
use model::quantity::Quantity;
use model::record::{Fix, Flag, Happening, RecordKind, Statistic, Value};
use model::register::{Area, AreaPurpose, Circle, Object, Permit, Revision, Subject, SubjectDetails, WeekWindow};
use model::time::{EventTime, IngestTime};
use std::sync::Arc;

pub(crate) const HERE: Wgs84 = Wgs84 { lon: 113.5, lat: 34.8 };
pub(crate) const TRUCK: SubjectId = SubjectId(20);
pub(crate) const TRACKER: DeviceId = DeviceId(2);

/// Metres east and north of [`HERE`].
pub(crate) fn off(east: f64, north: f64) -> Wgs84 {
    let east_m = METRES_A_DEGREE * HERE.lat.to_radians().cos();
    Wgs84 { lon: HERE.lon + east / east_m, lat: HERE.lat + north / METRES_A_DEGREE }
}

pub(crate) fn fix(place: Wgs84, speed_kmh: f64) -> Fix {
    Fix { place, speed_kmh, heading_deg: 90, altitude_m: 0, fixed: true, status: 0, alarm: 0 }
}

pub(crate) fn subject(id: i64, place: Option<Wgs84>, details: SubjectDetails) -> Subject {
    let (id, code, name) = (SubjectId(id), id.to_string(), id.to_string());
    Subject { id, code, name, grid: None, place, details, active: true }
}

pub(crate) fn truck(id: i64, plate: &str) -> Subject {
    let plate = plate.to_owned();
    subject(id, None, SubjectDetails::Truck { plate, plate_colour: "黄".into(), company: String::new(), load_t: None })
}

pub(crate) fn site(id: i64, place: Wgs84) -> Subject {
    let (address, builder, outline) = (String::new(), String::new(), Vec::new());
    subject(id, Some(place), SubjectDetails::Site { stage: None, address, builder, outline })
}

pub(crate) fn dump(id: i64, place: Wgs84) -> Subject {
    subject(id, Some(place), SubjectDetails::DisposalSite { outline: Vec::new(), capacity_m3: None })
}

/// What a sensor of a truck tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told;

impl Told {
    pub(crate) fn load(state: f64) -> Value {
        value(Quantity::LOAD_STATE, state)
    }

    pub(crate) fn cover(is_open: bool) -> Value {
        value(Quantity::COVER_OPEN, f64::from(u8::from(is_open)))
    }

    pub(crate) fn bed(is_up: bool) -> Value {
        value(Quantity::BED_LIFTED, f64::from(u8::from(is_up)))
    }

    pub(crate) fn broken(quantity: Quantity) -> Value {
        Value { flag: Flag::Fault, ..value(quantity, 0.0) }
    }
}

pub(crate) fn value(quantity: Quantity, value: f64) -> Value {
    Value { quantity, statistic: Statistic::Instant, flag: Flag::Normal, value }
}

/// A position of the truck without a fix.
pub(crate) fn seen(at: i64, values: &[Value]) -> Observation {
    Observation {
        at,
        device: TRACKER,
        source: Source::Record(RecordKind::Position),
        slot: 0,
        seq: 1,
        received: at,
        subject: TRUCK,
        protocol: ProtocolKind::Jt808,
        values: values.to_vec(),
        fix: None,
        happening: None,
        fact: None,
    }
}

/// Registers, and one rule of the library that judges what a truck says.
#[derive(Debug)]
pub(crate) struct Corner {
    pub(crate) facts: Facts,
    pub(crate) outages: Outages,
    /// What was said, in any order.
    pub(crate) said: Vec<Observation>,
    group: GroupKey,
}

impl Corner {
    pub(crate) fn new(group: GroupKey) -> Self {
        Self { facts: Facts::default(), outages: Outages::default(), said: Vec::new(), group }
    }

    /// A truck with a permit from a site at the origin to a disposal site 5 km to the east, along a straight road, at night
    /// (22:00 to 06:00).
    pub(crate) fn of_truck() -> Self {
        let mut corner = Self::new(GroupKey::Subject(TRUCK));
        corner.put(Object::Subject(truck(TRUCK.0, "豫A12345")));
        corner.put(Object::Subject(site(SITE.0, off(0.0, 0.0))));
        corner.put(Object::Subject(dump(DUMP.0, off(5_000.0, 0.0))));
        corner.put(Object::Permit(permit()));
        corner
    }

    pub(crate) fn put(&mut self, object: Object) {
        let number = self.facts.revision + 1;
        let revision = Revision { number, at: IngestTime(0), author: "test".into(), object };
        assert!(self.facts.apply(&revision));
    }

    /// `second` counts from [`NIGHT`].
    pub(crate) fn say(&mut self, second: i64, east: f64, north: f64, kmh: f64, values: &[Value]) {
        let at = NIGHT + second * 1_000;
        let seq = 1 + u64::try_from(self.said.len()).unwrap();
        self.said.push(Observation { fix: Some(fix(off(east, north), kmh)), seq, ..seen(at, values) });
    }

    /// Every stretch that stands when the clock says `now` seconds after [`NIGHT`], ended ones first. The judge is saved and
    /// read again before every step.
    pub(crate) fn judge_at(&self, text: &str, now: i64) -> Vec<Stretch> {
        let timeline = Timeline::new("rule", 1, true, text, i64::MIN).expect("the rule compiles");
        let Kind::Judged(judged) = &timeline.newest().rule.kind else { panic!("of a kind with judges") };
        let (design, atlas) = (&judged.design, Atlas::of(&self.facts));
        let mut said: Vec<&Observation> = self.said.iter().collect();
        said.sort_by_key(|seen| seen.place());
        let scene = |newest| Scene {
            facts: &self.facts,
            atlas: &atlas,
            outages: &self.outages,
            timeline: &timeline,
            group: &self.group,
            now: NIGHT + now * 1_000,
            newest,
        };
        let mut judge = Arc::clone(design).judge(1);
        let (mut out, mut newest) = (Output::default(), i64::MIN);
        for seen in said {
            let mut w = Writer::default();
            judge.write(&mut w);
            newest = seen.at;
            let scene = scene(newest);
            judge = Arc::clone(design).judge(1);
            judge.plan(&scene);
            let mut r = Reader::new(&w.0);
            assert!(judge.read(&mut r).is_some() && r.is_done(), "what is written can be read");
            judge.step(seen, &scene, &mut out);
        }
        judge.standing(&scene(newest), &mut out.stretches);
        out.stretches
    }

    /// The same long after everything was said.
    pub(crate) fn judge(&self, rule: &str) -> Vec<Stretch> {
        self.judge_at(&library(rule), 30 * 86_400)
    }

    /// Starts and ends of what stands, in seconds after [`NIGHT`].
    pub(crate) fn spans(&self, rule: &str) -> Vec<(i64, Option<i64>)> {
        let second = |at: i64| (at - NIGHT) / 1_000;
        self.judge(rule).iter().map(|found| (second(found.start), found.end.map(second))).collect()
    }
}

pub(crate) fn permit() -> Permit {
    Permit {
        id: PermitId(1),
        code: "p1".into(),
        trucks: vec![TRUCK],
        site: Some(SITE),
        disposal_site: Some(DUMP),
        corridor: vec![off(0.0, 0.0), off(5_000.0, 0.0)],
        corridor_half_width_m: 30.0,
        windows: vec![WeekWindow { weekdays: vec![], from_minute: 1320, to_minute: 360 }],
        valid_from: EventTime(0),
        valid_to: None,
        suspended: false,
        suspensions: Vec::new(),
    }
}

pub(crate) fn area(id: i64, purpose: AreaPurpose, centre: Wgs84, radius_m: f64) -> Area {
    Area {
        id: AreaId(id),
        code: id.to_string(),
        name: String::new(),
        purpose,
        outline: Vec::new(),
        circle: Some(Circle { centre, radius_m }),
        speed_limit_kmh: None,
        windows: Vec::new(),
        valid_from: EventTime(0),
        valid_to: None,
    }
}

pub(crate) fn library(code: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules");
    std::fs::read_to_string(path.join(format!("{code}.toml"))).unwrap()
}

pub(crate) const SITE: SubjectId = SubjectId(30);
pub(crate) const DUMP: SubjectId = SubjectId(40);
/// 2026-11-20 23:00 in Beijing, a Friday.
pub(crate) const NIGHT: i64 = 1_795_186_800_000;

/// A gate of the site with a camera and a washer, and the truck with its permit.
pub(crate) fn gate_corner() -> Corner {
    let mut corner = Corner { group: GroupKey::Gate(GATE), ..Corner::of_truck() };
    corner.put(Object::Subject(subject(GATE.0, None, SubjectDetails::Gate { site: SITE })));
    let row = r#"{"code": "washer", "name": "washer", "protocol": "modbus",
        "factors": [{"code": "p", "quantity": "washer_pump_on", "unit": "1"}]}"#;
    corner.put(Object::Profile(serde_json::from_str(row).unwrap()));
    let row = r#"{"id": 3, "code": "washer", "protocol": "modbus", "identity": "w", "profile": "washer"}"#;
    corner.put(Object::Device(serde_json::from_str(row).unwrap()));
    let row = r#"{"id": 3, "device": 3, "subject": 50, "valid_from": 0}"#;
    corner.put(Object::Installation(serde_json::from_str(row).unwrap()));
    corner
}

impl Corner {
    pub(crate) fn without_washer(&mut self) {
        let row = r#"{"id": 3, "device": 3, "subject": 50, "valid_from": 0, "valid_to": 1}"#;
        self.put(Object::Installation(serde_json::from_str(row).unwrap()));
    }

    fn happens(&mut self, second: i64, happening: Happening, device: i64) {
        let seq = 1 + u64::try_from(self.said.len()).unwrap();
        let mut seen = seen(NIGHT + second * 1_000, &[]);
        (seen.device, seen.subject, seen.seq) = (DeviceId(device), GATE, seq);
        seen.source = Source::Record(RecordKind::Event);
        seen.slot = u32::try_from(seq).unwrap();
        seen.happening = Some(Arc::new(happening));
        self.said.push(seen);
    }

    pub(crate) fn exit(&mut self, second: i64, plate: &str, attributes: &[(&str, &str)]) {
        self.happens(second, happening("vehicle_exit", None, Some(plate), attributes), 4);
    }

    pub(crate) fn wash(&mut self, second: i64, lasts: Option<i64>, plate: Option<&str>, attributes: &[(&str, &str)]) {
        let end = lasts.map(|seconds| EventTime(NIGHT + (second + seconds) * 1_000));
        self.happens(second, happening("wash", end, plate, attributes), 3);
    }
}

fn happening(what: &str, end: Option<EventTime>, plate: Option<&str>, attributes: &[(&str, &str)]) -> Happening {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Happening { what: what.into(), end, plate: plate.map(str::to_owned), attributes, pictures: Vec::new() }
}

pub(crate) const GATE: SubjectId = SubjectId(50);
