//! What settle costs a message: decode, verdict, head and hub, on one thread and without journal or SQL. Prints µs a message.
//!
//! `cargo bench -p lantian-ingest --bench settle`

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "figures for a person")]

use bytes::Bytes;
use lantian_ingest::journal::entry::Entry;
use lantian_ingest::live::{LiveConfig, LiveHub};
use lantian_ingest::quarantine::QuarantineEntry;
use lantian_ingest::settle::{Bucket, KeyHash, Output, Past, PastError, Restored, Settle, SettleConfig};
use model::envelope::{Channel, Envelope, Position, ProtocolKind};
use model::facts::Facts;
use model::id::{DeviceId, InstallationId, PrincipalId, SubjectId};
use model::principal::Strictness;
use model::register::{Device, DeviceProfile, Factor, Installation, Object, Revision};
use model::stream::Batch;
use model::time::{EventTime, IngestTime, LocalStamp};
use model::unit::Unit;
use protocol::jt808::time_bcd;
use std::time::Instant;

const MESSAGES: u64 = 200_000;
const DEVICES: i64 = 1_000;
const BATCH: usize = 500;
const START_MS: i64 = 1_795_305_600_000;

struct Nothing;

impl Past for Nothing {
    fn keys(&mut self, _: Bucket, _: &mut dyn FnMut(KeyHash)) -> Result<(), PastError> {
        Ok(())
    }
    fn quarantined(&mut self, _: DeviceId, _: u64, _: u64) -> Result<Vec<QuarantineEntry>, PastError> {
        Ok(Vec::new())
    }
    fn frame(&mut self, _: Position) -> Result<Option<Envelope>, PastError> {
        Ok(None)
    }
}

fn facts(protocol: ProtocolKind) -> Facts {
    let codes = ["fume", "purifier_current", "fan_current", "flue_velocity", "flue_temperature", "flue_humidity"];
    let units = [Unit::MgPerM3, Unit::Ampere, Unit::Ampere, Unit::MPerS, Unit::Celsius, Unit::Percent];
    let factors = codes.iter().zip(units).map(|(code, unit)| Factor {
        code: (*code).into(),
        quantity: (*code).into(),
        unit,
        scale: 1.0,
        offset: 0.0,
        statistic: None,
        min: None,
        max: None,
    });
    let profile = DeviceProfile {
        code: "p".into(),
        name: "p".into(),
        protocol,
        strictness: Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 60,
        factors: factors.collect(),
        registers: Vec::new(),
        gcj02: false,
        downlink: None,
        truck: None,
        events: Vec::new(),
    };
    let mut objects = vec![Object::Profile(profile)];
    for id in 1..=DEVICES {
        objects.push(Object::Device(Device {
            id: DeviceId(id),
            code: format!("d-{id}"),
            name: String::new(),
            protocol,
            identity: format!("d-{id}"),
            profile: "p".into(),
            vendor: String::new(),
            enabled: true,
            poll: None,
        }));
        objects.push(Object::Installation(Installation {
            id: InstallationId(id),
            device: DeviceId(id),
            subject: SubjectId(id),
            point: String::new(),
            valid_from: EventTime(0),
            valid_to: None,
        }));
    }
    let mut facts = Facts::default();
    for (number, object) in (1..).zip(objects) {
        facts.apply(&Revision { number, at: IngestTime(0), author: "bench".into(), object });
    }
    facts
}

fn run(name: &str, channel: Channel, message: impl Fn(i64) -> Vec<u8>) {
    let mut settle = Settle::new(SettleConfig::default(), facts(channel.protocol()), Restored::default());
    let hub = LiveHub::new(LiveConfig::default());
    let entries: Vec<Entry> = (0..i64::try_from(MESSAGES).unwrap_or(0))
        .map(|n| {
            let at = START_MS + n;
            Entry::Frame(Envelope {
                received: IngestTime(at),
                principal: PrincipalId(1),
                device: DeviceId(n % DEVICES + 1),
                channel,
                remarks: 0,
                connection: 0,
                raw: Bytes::from(message(at)),
            })
        })
        .collect();
    let mut out = Output::default();
    let (mut seq, mut stored) = (0, 0);
    let started = Instant::now();
    for batch in entries.chunks(BATCH) {
        for entry in batch {
            seq += 1;
            let position = Position { partition: 0, seq };
            if let Err(error) = settle.on_entry(position, entry, &mut out, &mut Nothing) {
                println!("{name}: {error}");
                return;
            }
        }
        settle.handed_over();
        stored += out.counts.stored;
        let batch = Batch { items: std::mem::take(&mut out.items), up_to: Position { partition: 0, seq } };
        hub.apply(&batch);
        out.clear();
    }
    let micros = started.elapsed().as_secs_f64() * 1e6 / MESSAGES as f64;
    println!("{name:28} {micros:6.2} µs a message, {stored} stored of {MESSAGES}");
}

fn stamp(at: i64) -> (u16, u8, u8, u8, u8, u8, u16) {
    LocalStamp::of(EventTime(at), 480).fields().unwrap_or_default()
}

fn main() {
    run("MQTT JSON, 6 fields", Channel::MqttTelemetry, |at| {
        format!(
            r#"{{"ts":{at},"values":{{"fume":1.2,"purifier_current":3.4,"fan_current":5.6,"flue_velocity":7.8,"flue_temperature":45.6,"flue_humidity":67.8}}}}"#
        )
        .into_bytes()
    });
    run("HJ 212, 6 factors", Channel::Hj212Frame, |at| {
        let (year, month, day, hour, minute, second, ms) = stamp(at);
        let time = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}{ms:03}");
        let codes = ["fume", "purifier_current", "fan_current", "flue_velocity", "flue_temperature", "flue_humidity"];
        let data = codes.map(|code| format!(";{code}-Rtd=1.25,{code}-Flag=N")).concat();
        let segment = format!("QN={time};ST=31;CN=2011;PW=123456;MN=A1;Flag=5;CP=&&DataTime={time}{data}&&");
        let crc = protocol::hj212::crc(segment.as_bytes());
        format!("##{:04}{segment}{crc:04X}\r\n", segment.len()).into_bytes()
    });
    run("JT/T 808, 0x0200", Channel::Jt808Frame, |at| {
        let mut raw = vec![2, 0, 0, 28, 1, 0x38, 0, 0, 0, 1, 0, 1];
        for word in [0_u32, 3, 34_800_000, 113_600_000] {
            raw.extend(word.to_be_bytes());
        }
        raw.extend([0, 100, 1, 0x9F, 0, 90]);
        raw.extend(time_bcd(stamp(at)));
        raw.push(protocol::jt808::check(&raw));
        raw
    });
}
