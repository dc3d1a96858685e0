//! A small register and frames for this crate's tests.

use crate::journal::entry::Entry;
use crate::quarantine::QuarantineEntry;
use crate::settle::{Bucket, KeyHash, Output, Past, PastError, Restored, Settle, SettleConfig};
use bytes::Bytes;
use model::envelope::{Channel, Envelope, Position, ProtocolKind};
use model::event_rule::{EventAttribute, EventCondition, EventRule};
use model::facts::Facts;
use model::id::{DeviceId, InstallationId, PrincipalId, SubjectId};
use model::record::{SettledRecord, Statistic};
use model::register::{
    AddressBase, Device, DeviceProfile, Factor, Installation, Object, Register, RegisterKind, Revision, WordOrder,
};
use model::stream::{Item, Tick};
use model::time::{EventTime, IngestTime, parse_rfc3339};
use model::unit::Unit;
use std::collections::BTreeMap;

pub(crate) const MQTT: DeviceId = DeviceId(1);
pub(crate) const HJ212: DeviceId = DeviceId(2);
pub(crate) const JT808: DeviceId = DeviceId(3);
pub(crate) const MODBUS: DeviceId = DeviceId(4);

/// 2026-11-22T00:00:00Z, 08:00 in Zhengzhou.
pub(crate) fn now() -> IngestTime {
    IngestTime(parse_rfc3339("2026-11-22T00:00:00Z").unwrap())
}

pub(crate) fn at(seq: u64) -> Position {
    Position { partition: 0, seq }
}

pub(crate) fn factor(code: &str, quantity: &str, unit: Unit) -> Factor {
    Factor {
        code: code.into(),
        quantity: quantity.into(),
        unit,
        scale: 1.0,
        offset: 0.0,
        statistic: None,
        min: None,
        max: None,
    }
}

pub(crate) fn profile(code: &str, protocol: ProtocolKind, factors: Vec<Factor>) -> DeviceProfile {
    DeviceProfile {
        code: code.into(),
        name: code.into(),
        protocol,
        strictness: model::principal::Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 60,
        factors,
        registers: Vec::new(),
        gcj02: false,
        downlink: None,
        truck: None,
        events: Vec::new(),
    }
}

pub(crate) fn revision(number: u64, object: Object) -> Revision {
    Revision { number, at: now(), author: "test".into(), object }
}

pub(crate) fn device(id: DeviceId, protocol: ProtocolKind) -> Device {
    Device {
        id,
        code: format!("device-{id}"),
        name: String::new(),
        protocol,
        identity: format!("identity-{id}"),
        profile: format!("p-{}", protocol.code()),
        vendor: String::new(),
        enabled: true,
        poll: None,
    }
}

/// Four devices, one a protocol, each installed at subject 100 + its id from the start of time.
pub(crate) fn facts() -> Facts {
    let hj = vec![
        factor("a34041", "fume", Unit::MgPerM3),
        factor("a34004", "pm25", Unit::NgPerM3),
        factor("bad", "fume", Unit::Celsius),
    ];
    let mut modbus = profile("p-modbus", ProtocolKind::Modbus, vec![factor("fume", "fume", Unit::MgPerM3)]);
    modbus.registers = vec![Register {
        code: "fume".into(),
        function: 3,
        address: 0,
        base: AddressBase::Zero,
        kind: RegisterKind::U16,
        order: WordOrder::Abcd,
        bit: None,
        mask: None,
        length: None,
        sentinel: Some(0xFFFF),
        valid: None,
        alone: false,
        split: false,
    }];
    let mut mqtt = profile("p-mqtt", ProtocolKind::Mqtt, vec![factor("oil", "fume", Unit::UgPerM3)]);
    mqtt.factors.push(Factor { statistic: Some(Statistic::Mean), ..factor("pm10_avg", "pm10", Unit::UgPerM3) });
    mqtt.events = vec![EventRule {
        topic: "RuleEngine/Recognition/LicensePlate".into(),
        event: "vehicle_exit".into(),
        when: vec![EventCondition { item: "Direction".into(), is: vec!["leave".into()] }],
        plate: "PlateNumber".into(),
        pictures: vec!["PictureUri".into()],
        attributes: vec![EventAttribute {
            item: "CoverState".into(),
            name: "covered".into(),
            yes: vec!["closed".into()],
            no: vec!["open".into()],
        }],
    }];
    let profiles =
        [mqtt, profile("p-hj212", ProtocolKind::Hj212, hj), profile("p-jt808", ProtocolKind::Jt808, vec![]), modbus];
    let mut facts = Facts::default();
    let mut number = 0;
    let mut apply = |object| {
        number += 1;
        facts.apply(&revision(number, object));
    };
    profiles.into_iter().map(Object::Profile).for_each(&mut apply);
    for (id, protocol) in [
        (MQTT, ProtocolKind::Mqtt),
        (HJ212, ProtocolKind::Hj212),
        (JT808, ProtocolKind::Jt808),
        (MODBUS, ProtocolKind::Modbus),
    ] {
        apply(Object::Device(device(id, protocol)));
        apply(Object::Installation(Installation {
            id: InstallationId(id.0),
            device: id,
            subject: SubjectId(100 + id.0),
            point: String::new(),
            valid_from: EventTime(0),
            valid_to: None,
        }));
    }
    facts
}

pub(crate) fn frame(device: DeviceId, channel: Channel, received: IngestTime, raw: &[u8]) -> Entry {
    Entry::Frame(Envelope {
        received,
        principal: PrincipalId(device.0),
        device,
        channel,
        remarks: 0,
        connection: 1,
        raw: Bytes::copy_from_slice(raw),
    })
}

pub(crate) fn json(received: IngestTime, text: &str) -> Entry {
    frame(MQTT, Channel::MqttTelemetry, received, text.as_bytes())
}

pub(crate) fn hj212(received: IngestTime, head: &str, data: &str) -> Entry {
    let segment = format!("QN=20261122080000000;ST=31;PW=123456;MN=A1;{head};CP=&&{data}&&");
    let crc = protocol::hj212::crc(segment.as_bytes());
    let raw = format!("##{:04}{segment}{crc:04X}\r\n", segment.len());
    frame(HJ212, Channel::Hj212Frame, received, raw.as_bytes())
}

pub(crate) fn tick(at: IngestTime) -> Entry {
    Entry::Tick(Tick { at, clock_synchronised: true, listening: Vec::new() })
}

/// Settle with a memory of what it stored; hands over after each entry.
pub(crate) struct World {
    pub(crate) settle: Settle,
    pub(crate) memory: Memory,
    pub(crate) seq: u64,
    /// All that was put out.
    pub(crate) total: Output,
}

/// What was stored, in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) records: Vec<SettledRecord>,
    pub(crate) quarantine: Vec<QuarantineEntry>,
    pub(crate) frames: BTreeMap<u64, Envelope>,
}

impl Past for Memory {
    fn keys(&mut self, bucket: Bucket, found: &mut dyn FnMut(KeyHash)) -> Result<(), PastError> {
        for record in self.records.iter().filter(|record| Bucket::of(&record.key) == bucket) {
            found(KeyHash::of(record));
        }
        Ok(())
    }

    fn quarantined(&mut self, device: DeviceId, from: u64, to: u64) -> Result<Vec<QuarantineEntry>, PastError> {
        let wanted = |entry: &&QuarantineEntry| {
            entry.device == device && (from..=to).contains(&entry.frame.seq) && entry.rederived.is_none()
        };
        Ok(self.quarantine.iter().filter(wanted).cloned().collect())
    }

    fn frame(&mut self, at: Position) -> Result<Option<Envelope>, PastError> {
        Ok(self.frames.get(&at.seq).cloned())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let settle = Settle::new(SettleConfig::default(), facts(), Restored::default());
        Self { settle, memory: Memory::default(), seq: 0, total: Output::default() }
    }

    /// Settles one entry; gives its output.
    pub(crate) fn put(&mut self, entry: &Entry) -> Output {
        self.seq += 1;
        if let Entry::Frame(envelope) = entry {
            self.memory.frames.insert(self.seq, envelope.clone());
        }
        let mut out = Output::default();
        self.settle.on_entry(at(self.seq), entry, &mut out, &mut self.memory).unwrap();
        self.settle.handed_over();
        for item in &out.items {
            if let Item::Record(record) = item {
                self.memory.records.push((**record).clone());
            }
        }
        self.memory.quarantine.extend(out.quarantine.iter().cloned());
        for (old, by) in &out.rederived {
            let same = |entry: &&mut QuarantineEntry| {
                (entry.position, entry.frame, entry.ordinal) == (old.position, old.frame, old.ordinal)
            };
            if let Some(entry) = self.memory.quarantine.iter_mut().find(same) {
                entry.rederived = Some(*by);
            }
        }
        self.total.loss.merge(&out.loss);
        self.total.items.extend(out.items.iter().cloned());
        out
    }
}

/// The records of an output.
pub(crate) fn records(out: &Output) -> Vec<&SettledRecord> {
    out.items
        .iter()
        .filter_map(|item| match item {
            Item::Record(record) => Some(&**record),
            _ => None,
        })
        .collect()
}
