//! A small district for tests: a restaurant with a logger, a truck with a tracker and a night permit, the shipped rules.

use crate::engine::{Engine, StateRow};
use model::envelope::{Position, ProtocolKind};
use model::episode::{Episode, EpisodeChange, Standing};
use model::facts::Facts;
use model::geo::Wgs84;
use model::id::{DeviceId, EpisodeId, InstallationId, LimitId, PermitId, SubjectId};
use model::principal::Strictness;
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, RecordKey, RecordKind, SettledRecord, Statistic, Value};
use model::register::{
    Device, DeviceProfile, Installation, Limit, Object, Permit, Revision, RuleVersion, Subject, SubjectDetails,
    WeekWindow,
};
use model::stream::{Item, Outage, OutageKind, Tick};
use model::time::{EventTime, IngestTime};
use model::unit::Unit;
use model::verdict::Verdict;
use std::collections::BTreeMap;

pub(super) const MINUTE: i64 = 60_000;
pub(super) const FUME: Quantity = Quantity::FUME;
pub(super) const LOGGER: DeviceId = DeviceId(1);
pub(super) const TRACKER: DeviceId = DeviceId(2);
pub(super) const RESTAURANT: SubjectId = SubjectId(10);
pub(super) const TRUCK: SubjectId = SubjectId(20);
/// Start of every test: 2026-11-20 20:00 in Beijing, when the permit's night (20:00 to 06:00) begins.
pub(super) const START: i64 = 1_795_176_000_000;

const ORIGIN: Wgs84 = Wgs84 { lon: 113.50, lat: 34.80 };

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) facts: Facts,
}

pub(super) fn library(code: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/library/rules");
    std::fs::read_to_string(path.join(format!("{code}.toml"))).unwrap()
}

impl World {
    pub(super) fn library() -> Self {
        let codes = ["fume-exceedance", "device-offline", "data-gap", "truck-off-route"];
        Self::with(codes.iter().map(|code| (*code, library(code))).collect())
    }

    pub(super) fn with(rules: Vec<(&str, String)>) -> Self {
        let mut world = Self { facts: Facts::default() };
        let restaurant = SubjectDetails::Restaurant {
            size_class: Some("medium".into()),
            stoves: Some(4.0),
            address: String::new(),
            licence: String::new(),
            contact: String::new(),
            phone: String::new(),
        };
        let truck = SubjectDetails::Truck {
            plate: "豫A12345".into(),
            plate_colour: String::new(),
            company: String::new(),
            load_t: None,
        };
        for (id, details) in [(RESTAURANT, restaurant), (TRUCK, truck)] {
            let (code, name) = (id.to_string(), id.to_string());
            world.put(Object::Subject(Subject { id, code, name, grid: None, place: None, details, active: true }));
        }
        for (device, subject, protocol, code) in
            [(LOGGER, RESTAURANT, ProtocolKind::Hj212, "logger"), (TRACKER, TRUCK, ProtocolKind::Jt808, "tracker")]
        {
            world.put(Object::Profile(DeviceProfile {
                code: code.into(),
                name: code.into(),
                protocol,
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
            world.put(Object::Device(Device {
                id: device,
                code: code.into(),
                name: String::new(),
                protocol,
                identity: code.into(),
                profile: code.into(),
                vendor: String::new(),
                enabled: true,
                poll: None,
            }));
            let (id, valid_from) = (InstallationId(device.0), EventTime(0));
            world.put(Object::Installation(Installation {
                id,
                device,
                subject,
                point: String::new(),
                valid_from,
                valid_to: None,
            }));
        }
        world.put(Object::Limit(limit(1, 2.0, "")));
        world.put(Object::Permit(Permit {
            id: PermitId(1),
            code: "p1".into(),
            trucks: vec![TRUCK],
            site: None,
            disposal_site: None,
            corridor: vec![ORIGIN, Wgs84 { lon: 114.50, lat: 34.80 }],
            corridor_half_width_m: 30.0,
            windows: vec![WeekWindow { weekdays: vec![], from_minute: 1200, to_minute: 360 }],
            valid_from: EventTime(0),
            valid_to: None,
            suspended: false,
            suspensions: Vec::new(),
        }));
        for (code, text) in rules {
            world.put(Object::Rule(RuleVersion { code: code.into(), version: 1, text, active: true }));
        }
        world
    }

    fn put(&mut self, object: Object) {
        let revision =
            Revision { number: self.facts.revision + 1, at: IngestTime(START), author: "test".into(), object };
        assert!(self.facts.apply(&revision));
    }

    pub(super) fn without_limits(mut self) -> Self {
        self.facts.limits.clear();
        self
    }
}

fn limit(id: i64, value: f64, class: &str) -> Limit {
    Limit {
        id: LimitId(id),
        quantity: "fume".into(),
        value,
        unit: Unit::MgPerM3,
        region: String::new(),
        standard: "GB 18483-2001".into(),
        class: class.into(),
        subject_kind: "restaurant".into(),
        valid_from: EventTime(0),
        valid_to: None,
        source: String::new(),
        verified: false,
        retired: false,
    }
}

/// What a device says, before it has a place in a journal. Times count from [`START`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said {
    Fume {
        at: i64,
        value: f64,
        flag: Flag,
    },
    /// `along`: steps of 200 m; `aside`: metres from the line.
    Fix {
        at: i64,
        along: i64,
        aside: f64,
        fixed: bool,
    },
}

impl Said {
    pub(super) const fn at(&self) -> i64 {
        match self {
            Self::Fume { at, .. } | Self::Fix { at, .. } => *at,
        }
    }

    pub(super) fn record(&self, received: i64, seq: u64, verdict: Verdict) -> Item {
        let (device, subject, kind, body) = match *self {
            Self::Fume { value, flag, .. } => {
                let values = vec![Value { quantity: FUME, statistic: Statistic::Mean, flag, value }];
                (LOGGER, RESTAURANT, RecordKind::Minute, Body { values, ..Body::default() })
            }
            Self::Fix { along, aside, fixed, .. } => {
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let lon = ORIGIN.lon + along as f64 * 200.0 / 91_300.0;
                let place = Wgs84 { lon, lat: ORIGIN.lat + aside / 111_195.0 };
                let fix = Fix { place, speed_kmh: 36.0, heading_deg: 90, altitude_m: 0, fixed, status: 0, alarm: 0 };
                (TRACKER, TRUCK, RecordKind::Position, Body { fix: Some(fix), ..Body::default() })
            }
        };
        Item::Record(Box::new(SettledRecord {
            key: RecordKey { device, kind, slot: 0, at: EventTime(START + self.at()) },
            subject: Some(subject),
            received: IngestTime(START + received),
            position: Position { partition: 0, seq },
            verdict,
            body,
            remarks: vec![],
        }))
    }
}

pub(super) fn tick(at: i64, seq: u64) -> Item {
    let tick = Tick { at: IngestTime(START + at), clock_synchronised: true, listening: vec![] };
    Item::Tick { tick, position: Position { partition: 0, seq } }
}

/// An engine with its journal; by default every record arrives at its event time, with ticks in between.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) world: World,
    pub(super) engine: Engine,
    pub(super) changes: Vec<EpisodeChange>,
    pub(super) rows: BTreeMap<(String, i64, i64), StateRow>,
    seq: u64,
    now: i64,
}

impl Run {
    pub(super) fn new(world: World) -> Self {
        let engine = Engine::new(&world.facts);
        Self { world, engine, changes: vec![], rows: BTreeMap::new(), seq: 0, now: 0 }
    }

    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    pub(super) fn item(&mut self, item: &Item) {
        self.engine.on_item(item, &self.world.facts, &mut self.changes);
    }

    /// Ticks up to a time counted from [`START`] (or an absolute one).
    pub(super) fn tick_to(&mut self, at: i64) {
        let at = if at >= START { at - START } else { at };
        while self.now + 30_000 <= at {
            self.now += 30_000;
            let item = tick(self.now, self.next_seq());
            self.item(&item);
        }
    }

    fn say(&mut self, said: Said, verdict: Verdict) {
        self.tick_to(said.at());
        let (received, seq) = (self.now.max(said.at()), self.next_seq());
        self.item(&said.record(received, seq, verdict));
    }

    pub(super) fn fume(&mut self, at: i64, value: f64, flag: Flag) {
        self.say(Said::Fume { at, value, flag }, Verdict::Stored);
    }

    pub(super) fn revise_fume(&mut self, at: i64, value: f64) {
        self.say(Said::Fume { at, value, flag: Flag::Normal }, Verdict::Revised);
    }

    pub(super) fn fix(&mut self, at: i64, along: i64, aside: f64) {
        self.say(Said::Fix { at, along, aside, fixed: true }, Verdict::Stored);
    }

    pub(super) fn revise_fix(&mut self, at: i64, along: i64, aside: f64) {
        self.say(Said::Fix { at, along, aside, fixed: true }, Verdict::Revised);
    }

    pub(super) fn stale_fix(&mut self, at: i64, aside: f64) {
        self.say(Said::Fix { at, along: 0, aside, fixed: false }, Verdict::Stored);
    }

    pub(super) fn contact(&mut self, at: i64, verdict: Option<Verdict>) {
        self.tick_to(at);
        let position = Position { partition: 0, seq: self.next_seq() };
        self.item(&Item::Contact { device: LOGGER, received: IngestTime(START + at), position, verdict });
    }

    pub(super) fn outage(&mut self, from: i64, to: i64) {
        let position = Position { partition: 0, seq: self.next_seq() };
        let outage = Outage { from: IngestTime(START + from), to: IngestTime(START + to), what: OutageKind::Listener };
        self.item(&Item::Outage { outage, position });
    }

    fn revise(&mut self, object: Object) {
        let number = self.world.facts.revision + 1;
        let revision = Box::new(Revision { number, at: IngestTime(START + self.now), author: "test".into(), object });
        self.world.facts.apply(&revision);
        let position = Position { partition: 0, seq: self.next_seq() };
        self.item(&Item::Revision { revision, position });
    }

    pub(super) fn limit(&mut self, id: i64, value: f64, class: &str) {
        self.revise(Object::Limit(limit(id, value, class)));
    }

    pub(super) fn rule_version(&mut self, version: u32, edit: impl Fn(String) -> String) {
        self.version_of("fume-exceedance", version, edit);
    }

    pub(super) fn version_of(&mut self, code: &str, version: u32, edit: impl Fn(String) -> String) {
        let text = edit(library(code));
        self.revise(Object::Rule(RuleVersion { code: code.into(), version, text, active: true }));
    }

    /// Saves and starts again from what was saved.
    pub(super) fn restart(&mut self) {
        for row in self.engine.save() {
            self.rows.insert((row.rule.clone(), row.subject, row.device), row);
        }
        let rows: Vec<StateRow> = self.rows.values().cloned().collect();
        self.engine = Engine::restore(&self.world.facts, &rows).unwrap();
    }

    /// What stands at the end, from what was told.
    pub(super) fn standing(&self) -> Vec<Episode> {
        let mut last: BTreeMap<EpisodeId, &Episode> = BTreeMap::new();
        for change in &self.changes {
            last.insert(change.episode().id, change.episode());
        }
        last.into_values().filter(|episode| episode.standing == Standing::Stands).cloned().collect()
    }

    pub(super) fn standing_of(&self, rule: &str) -> Vec<Episode> {
        let mut all = self.standing();
        all.retain(|episode| episode.rule == rule);
        all.sort_by_key(|episode| episode.start);
        all
    }
}
