//! Promises of settle: the verdict table, bad input, duplicates and revisions, split messages, re-derivation, balance.

#![expect(clippy::float_cmp, reason = "what is stored is what was sent, exactly")]

use super::*;
use crate::loss::LossCounts;
use crate::testing::*;
use model::envelope::{Channel, ProtocolKind};
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::{Flag, RecordKind, Statistic};
use model::register::Object;
use model::time::EventTime;
use model::verdict::QuarantineReason as Reason;
use proptest::prelude::*;

mod alarms;
mod conventions;
mod pictures;
pub(crate) mod streams;
mod trains;
mod twice;
mod washes;

fn verdicts(out: &Output) -> Vec<Verdict> {
    let stored = records(out).into_iter().map(|record| record.verdict);
    stored.chain(out.quarantine.iter().map(|_| Verdict::Quarantined)).collect()
}

fn reason(out: &Output) -> Option<Reason> {
    out.quarantine.first().map(|entry| entry.reason)
}

fn total(world: &World) -> LossCounts {
    world.total.loss.iter().fold(LossCounts::default(), |mut sum, (_, _, counts)| {
        sum.add(counts);
        sum
    })
}

#[test]
fn a_reading_is_stored_at_its_subject_in_canonical_units() {
    let mut world = World::new();
    let ts = now().0 - 5_000;
    let out = world.put(&json(now(), &format!(r#"{{"ts":{ts},"values":{{"OIL":1200,"pm10_avg":55,"fan_on":true}}}}"#)));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.verdict, record.subject, record.key.at), (Verdict::Stored, Some(SubjectId(101)), EventTime(ts)));
    assert_eq!(record.key.kind, RecordKind::Instant);
    let value = |quantity, statistic| record.body.value(quantity, statistic).map(|value| value.value);
    assert_eq!(value(Quantity::FUME, Statistic::Instant), Some(1.2));
    assert_eq!(value(Quantity::PM10, Statistic::Mean), Some(55.0));
    assert_eq!(value(Quantity::FAN_ON, Statistic::Instant), Some(1.0));
    assert!(record.remarks.is_empty());
}

#[test]
fn a_reading_without_a_time_happened_when_it_was_received() {
    let out = World::new().put(&json(now(), r#"{"fume":1.2}"#));
    assert_eq!(records(&out)[0].key.at.0, now().0);
}

#[test]
fn gaps_are_filled_by_late_data_and_a_clock_is_measured_before_it_is_refused() {
    use crate::loss::{OURS, watch::gaps};
    use model::time::local_day;
    let mut world = World::new();
    let day = local_day(EventTime(now().0));
    let watch = |world: &World, device| {
        let mut found = world.total.loss.watches().filter(|(of, on, _)| (*of, *on) == (device, day));
        found.next().map(|(_, _, watch)| watch.clone())
    };
    let send = |world: &mut World, received: IngestTime, ts: i64| {
        world.put(&json(received, &format!(r#"{{"ts":{ts},"fume":1.2}}"#)));
    };
    for minute in [0, 1, 2, 8, 9] {
        let at = now().plus_ms(minute * 60_000);
        send(&mut world, at, at.0);
    }
    let start = crate::loss::watch::minutes_until(day, now());
    let missing = |world: &World| gaps(watch(world, MQTT).as_ref(), watch(world, OURS).as_ref(), start, start + 10);
    assert!(missing(&world).missing >= 4, "{:?}", missing(&world));
    world.put(&Entry::Outage(model::stream::Outage {
        from: now().plus_ms(4 * 60_000),
        to: now().plus_ms(6 * 60_000),
        what: model::stream::OutageKind::Process,
    }));
    let apart = missing(&world);
    assert_eq!((apart.ours, apart.missing + 2), (2, apart.missing + apart.ours));
    for minute in 3..8 {
        send(&mut world, now().plus_ms(600_000), now().0 + minute * 60_000);
    }
    assert_eq!((missing(&world).missing, missing(&world).ours), (0, 0), "late data fill what we missed ourselves too");
    // Beijing time sent as UTC: eight hours ahead, quarantined, and told all the same.
    let mut ahead = World::new();
    for minute in 0..3 {
        let at = now().plus_ms(minute * 60_000);
        send(&mut ahead, at, at.0 + 8 * 3_600_000);
    }
    let clock = watch(&ahead, MQTT).and_then(|watch| watch.clock()).unwrap();
    assert_eq!((clock.whole_hours(), clock.records), (Some(-8), 3));
    // Times that are no times tell nothing of the clock.
    for ts in [i64::MAX, i64::MIN, 1] {
        send(&mut ahead, now(), ts);
    }
    assert_eq!(watch(&ahead, MQTT).and_then(|watch| watch.clock()), Some(clock));
    assert_eq!(
        watch(&world, MQTT).and_then(|watch| watch.clock()).unwrap().median_ms,
        0,
        "late data tell nothing of the clock"
    );
}

#[test]
fn same_key_same_content_is_a_duplicate_and_other_content_a_revision() {
    let mut world = World::new();
    let send = |world: &mut World, fume: f64| {
        let out = world.put(&json(now(), &format!(r#"{{"ts":{},"fume":{fume}}}"#, now().0)));
        records(&out).first().map_or(Verdict::Duplicate, |one| one.verdict)
    };
    let verdicts: Vec<_> = [1.0, 1.0, 2.0, 1.0, 2.0]
        .into_iter()
        .map(|fume| format!("{:?}", send(&mut world, fume)).to_lowercase())
        .collect();
    assert_eq!(verdicts, ["stored", "duplicate", "revised", "duplicate", "duplicate"]);
    let sum = total(&world);
    assert_eq!((sum.frames, sum.records, sum.stored, sum.revised, sum.duplicate), (5, 5, 1, 1, 3));
}

#[test]
fn a_duplicate_is_a_sign_of_life_and_nothing_else() {
    let mut world = World::new();
    world.put(&json(now(), r#"{"ts":1795305600000,"fume":1}"#));
    let out = world.put(&json(now(), r#"{"ts":1795305600000,"fume":1}"#));
    let [Item::Contact { device, verdict, .. }] = out.items[..] else { panic!("{out:?}") };
    assert_eq!((device, verdict), (MQTT, Some(Verdict::Duplicate)));
}

#[test]
fn every_bad_input_ends_where_the_table_says() {
    let mut world = World::new();
    let far = now().0 + 6 * 60_000;
    let old = now().0 - 401 * 86_400_000;
    let cases: Vec<(Entry, Option<Reason>)> = vec![
        (json(now(), "{not json"), Some(Reason::NotUnderstood)),
        (json(now(), "[]"), Some(Reason::NotUnderstood)),
        (json(now(), r#"{"fume":1e999}"#), Some(Reason::NoUsableValue)),
        (json(now(), r#"{"fume":"abc"}"#), Some(Reason::NoUsableValue)),
        (json(now(), r#"{"ts":"yesterday","fume":1}"#), Some(Reason::NoTime)),
        (json(now(), &format!(r#"{{"ts":{far},"fume":1}}"#)), Some(Reason::FarFuture)),
        (json(now(), &format!(r#"{{"ts":{old},"fume":1}}"#)), Some(Reason::FarPast)),
        (json(now(), r#"{"device":"somebody-else","fume":1}"#), Some(Reason::ForeignDevice)),
        (frame(MQTT, Channel::Hj212Frame, now(), b"##"), Some(Reason::NoProfile)),
        (frame(DeviceId(99), Channel::MqttTelemetry, now(), b"{}"), Some(Reason::NoProfile)),
        (hj212(now(), "CN=2011;Flag=5", "DataTime=20260230000000;a34041-Rtd=1"), Some(Reason::NoTime)),
        (hj212(now(), "CN=2011;Flag=5", "a34041-Rtd=1"), Some(Reason::NoTime)),
        (hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080000"), Some(Reason::NoUsableValue)),
        (hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080001;a34041-Rtd=inf"), Some(Reason::NoUsableValue)),
        (hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080001;bad-Rtd=1"), Some(Reason::UnitMismatch)),
        (hj212(now(), "Flag=5", "DataTime=20261122080000;a34041-Rtd=1"), Some(Reason::NotUnderstood)),
        (frame(JT808, Channel::Jt808Frame, now(), &[2, 0, 0]), Some(Reason::NotUnderstood)),
        (frame(MODBUS, Channel::ModbusReading, now(), b"xx"), Some(Reason::NotUnderstood)),
        (hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080000;a34041-Rtd=1,a34041-Flag=N"), None),
        (hj212(now(), "CN=9021;Flag=5", ""), None),
    ];
    let count = i64::try_from(cases.len()).unwrap();
    for (entry, expected) in cases {
        let out = world.put(&entry);
        assert_eq!(reason(&out), expected, "{entry:?}\n{out:?}");
    }
    let sum = total(&world);
    assert_eq!((sum.frames, sum.stored, sum.frames_without_record), (count, 1, 1));
    assert!(sum.balances());
}

#[test]
fn one_bad_factor_is_a_remark_on_a_stored_record() {
    let mut world = World::new();
    let out = world.put(&hj212(
        now(),
        "CN=2011;Flag=5",
        "DataTime=20261122080000;A34041-Rtd=1.5,A34041-Flag=D;a34004-Rtd=abc;bad-Rtd=3;x99-Rtd=7",
    ));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    let fume = record.body.value(Quantity::FUME, Statistic::Instant).unwrap();
    assert_eq!((fume.value, fume.flag, record.key.at.0), (1.5, Flag::Fault, now().0));
    let codes: Vec<_> = record.remarks.iter().map(|remark| remark.code.as_str()).collect();
    assert_eq!(codes, ["value_not_a_number", "unknown_factor", "unit_mismatch"]);
    let foreign = record.body.values.iter().find(|value| value.quantity.is_foreign()).unwrap();
    assert_eq!((foreign.quantity.0, foreign.value), (1000, 7.0));
    assert_eq!(world.settle.quantity_code(foreign.quantity).as_deref(), Some("x99"));
}

#[test]
fn an_impossible_value_is_kept_flagged_and_remarked() {
    let out = World::new().put(&json(now(), r#"{"fume":-3,"humidity":140,"noise":60}"#));
    let record = records(&out)[0];
    let flags: Vec<_> = record.body.values.iter().map(|value| value.flag).collect();
    assert_eq!(flags, [Flag::Impossible, Flag::Normal, Flag::Impossible]);
    assert_eq!(record.remarks.iter().filter(|remark| remark.code == "out_of_range").count(), 2);
}

#[test]
fn a_clock_that_runs_ahead_is_remarked_and_its_time_left_alone() {
    let ts = now().0 + 90_000;
    let out = World::new().put(&json(now(), &format!(r#"{{"ts":{ts},"fume":1}}"#)));
    let record = records(&out)[0];
    assert_eq!((record.key.at.0, record.remarks[0].code.as_str()), (ts, "clock_skew"));
}

#[test]
fn statistics_of_a_period_are_their_own_kind_with_the_devices_offset() {
    let data = "DataTime=20261122070000;a34041-Avg=1,a34041-Min=0.5,a34041-Max=2,a34041-Cou=9,a34041-Flag=N";
    let out = World::new().put(&hj212(now(), "CN=2061;Flag=5", data));
    let record = records(&out)[0];
    assert_eq!((record.key.kind, record.key.at.0), (RecordKind::Hour, now().0 - 3_600_000));
    let statistics: Vec<_> = record.body.values.iter().map(|value| (value.statistic, value.value)).collect();
    assert_eq!(
        statistics,
        [(Statistic::Mean, 1.0), (Statistic::Min, 0.5), (Statistic::Max, 2.0), (Statistic::Total, 9.0)]
    );
}

#[test]
fn a_batch_counts_each_of_its_records_also_the_bad_ones() {
    let mut world = World::new();
    let (a, b) = (now().0 - 1_000, now().0 - 2_000);
    let text = format!(r#"[{{"ts":{a},"fume":1}},7,{{"ts":{b},"fume":2}},{{"ts":{a},"fume":1}}]"#);
    let out = world.put(&json(now(), &text));
    assert_eq!(verdicts(&out), [Verdict::Stored, Verdict::Stored, Verdict::Quarantined]);
    let sum = total(&world);
    assert_eq!((sum.frames, sum.records, sum.duplicate, sum.quarantined_total()), (1, 4, 1, 1));
}

#[test]
fn positions_and_events_are_kinds_of_their_own() {
    let mut world = World::new();
    let text = r#"{"position":{"lon":113.6,"lat":34.8,"speed_kmh":41,"heading_deg":90},"load_state":3}"#;
    let out = world.put(&json(now(), text));
    let record = records(&out)[0];
    assert_eq!((record.key.kind, record.body.fix.unwrap().speed_kmh), (RecordKind::Position, 41.0));
    let event = |plate: &str| format!(r#"{{"event":"vehicle_exit","plate":"{plate}","gate":2,"pictures":["a.jpg"]}}"#);
    let first = world.put(&frame(MQTT, Channel::MqttEvent, now(), event("豫A1").as_bytes()));
    let second = world.put(&frame(MQTT, Channel::MqttEvent, now(), event("豫A2").as_bytes()));
    let (first, second) = (records(&first)[0], records(&second)[0]);
    assert_eq!((first.verdict, second.verdict), (Verdict::Stored, Verdict::Stored));
    assert_ne!(first.key.slot, second.key.slot);
    assert_eq!(first.body.happening.as_ref().unwrap().attributes, [("gate".to_owned(), "2".to_owned())]);
}

#[test]
fn a_terminals_position_and_its_batch_become_records() {
    use protocol::jt808::{Position as Wire, time_bcd};
    let mut world = World::new();
    let wire = |minute| Wire {
        status: 0b11 | 3 << 8,
        lat_e6: 34_800_000,
        lon_e6: 113_600_000,
        speed_dkmh: 415,
        course_degree: 90,
        time_bcd: time_bcd((2026, 11, 22, 7, minute, 0, 0)),
        ..Wire::default()
    };
    let out = world.put(&frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_position(&wire(59))));
    let record = records(&out)[0];
    assert_eq!((record.key.kind, record.key.at.0), (RecordKind::Position, now().0 - 60_000));
    assert!((record.body.fix.unwrap().speed_kmh - 41.5).abs() < 1e-9);
    let value = |quantity| record.body.value(quantity, Statistic::Instant).unwrap().value;
    assert_eq!((value(Quantity::LOAD_STATE), value(Quantity::IGNITION)), (3.0, 1.0));
    let out =
        world.put(&frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_batch(&[wire(57), wire(58), wire(59)])));
    assert_eq!(records(&out).len(), 2);
    let sum = total(&world);
    assert_eq!((sum.frames, sum.records, sum.stored, sum.duplicate), (2, 4, 3, 1));
    let heartbeat = world.put(&frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_frame(2, &[])));
    assert!(matches!(heartbeat.items[..], [Item::Contact { verdict: None, .. }]));
}

#[test]
fn a_modbus_sentinel_is_missing_and_never_zero() {
    use protocol::modbus::{Answer, Function, Reading, reading::BlockAnswer};
    let mut world = World::new();
    let mut poll = |word: u16, received: i64| {
        let block = BlockAnswer {
            function: Function::HoldingRegisters,
            address: 0,
            count: 1,
            answer: Answer::Registers(vec![word]),
        };
        let raw = Reading { unit: 1, blocks: vec![block] }.encode();
        world.put(&frame(MODBUS, Channel::ModbusReading, IngestTime(now().0 + received), &raw))
    };
    let out = poll(12, 0);
    assert_eq!(records(&out)[0].body.values[0].value, 12.0);
    assert_eq!(reason(&poll(0xFFFF, 1_000)), Some(Reason::NoUsableValue));
}

#[test]
fn a_split_message_is_one_record_once_all_packets_came() {
    let mut world = World::new();
    let packet = |number: u32, data: &str| {
        hj212(now(), &format!("CN=2011;Flag=7;PNUM=2;PNO={number}"), &format!("DataTime=20261122080000;{data}"))
    };
    let first = world.put(&packet(2, "a34004-Rtd=1000"));
    assert!(records(&first).is_empty());
    let again = world.put(&packet(2, "a34004-Rtd=1000"));
    assert!(records(&again).is_empty());
    let out = world.put(&packet(1, "a34041-Rtd=2"));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.body.values.len(), record.verdict), (2, Verdict::Stored));
    assert_eq!((record.remarks[0].code.as_str(), record.remarks[0].place.as_str()), (RAW_AT, "3,1"));
    let sum = total(&world);
    assert_eq!((sum.frames, sum.frames_without_record, sum.records, sum.stored), (3, 2, 1, 1));
}

#[test]
fn a_packet_without_a_data_time_joins_the_message_that_lacks_it_whichever_comes_first() {
    let packet = |number: u32, data: &str| hj212(now(), &format!("CN=2011;Flag=7;PNUM=2;PNO={number}"), data);
    let timed = packet(1, "DataTime=20261122080000;a34041-Rtd=2");
    let untimed = packet(2, "a34004-Rtd=1000");
    for (first, second) in [(&timed, &untimed), (&untimed, &timed)] {
        let mut world = World::new();
        // A message of another moment that lacks nothing of this.
        world.put(&packet(2, "DataTime=20261122075900;a34004-Rtd=1"));
        assert!(records(&world.put(first)).is_empty());
        let out = world.put(second);
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        assert_eq!((record.body.values.len(), record.verdict), (2, Verdict::Stored));
        assert_eq!(record.key.at.to_rfc3339(), "2026-11-22T00:00:00.000Z");
    }
}

#[test]
fn a_packet_number_that_its_message_cannot_have_is_named() {
    for (of, number) in [(2, 3), (100_000, 1)] {
        let mut world = World::new();
        let head = format!("CN=2011;Flag=7;PNUM={of};PNO={number}");
        let out = world.put(&hj212(now(), &head, "DataTime=20261122080000;a34041-Rtd=1"));
        assert_eq!(reason(&out), Some(Reason::NotUnderstood));
        assert!(format!("{out:?}").contains(&format!("packet {number} of {of}")), "{out:?}");
    }
}

#[test]
fn a_packet_that_comes_again_otherwise_is_never_lost_in_silence() {
    let packet = |number: u32, data: &str, is_sound: bool| {
        let head = format!("CN=2011;Flag=7;PNUM=2;PNO={number}");
        let entry = hj212(now(), &head, &format!("DataTime=20261122080000;{data}"));
        let Entry::Frame(mut envelope) = entry else { panic!("a frame") };
        envelope.remarks = if is_sound { 0 } else { model::envelope::edge_remark::CHECK_BAD };
        Entry::Frame(envelope)
    };
    // (first copy sound?, second copy sound?) → what is stored of packet 1.
    for (first, second, stored) in [(false, true, 2.0), (true, false, 1.0), (true, true, 2.0), (false, false, 1.0)] {
        let mut world = World::new();
        world.put(&packet(1, "a34041-Rtd=1", first));
        let again = world.put(&packet(1, "a34041-Rtd=2", second));
        assert_eq!(reason(&again), Some(Reason::Doubtful), "{first} {second}");
        let out = world.put(&packet(2, "a34004-Rtd=1000", true));
        let [record] = records(&out)[..] else { panic!("{out:?}") };
        assert!(record.body.values.iter().any(|value| value.value == stored), "{first} {second}: {record:?}");
        let sum = total(&world);
        assert_eq!((sum.frames, sum.records, sum.stored), (3, 2, 1), "{first} {second}");
    }
}

#[test]
fn a_split_message_that_stays_incomplete_is_stored_with_a_remark_when_its_time_is_over() {
    let mut world = World::new();
    world.put(&hj212(now(), "CN=2011;Flag=7;PNUM=3;PNO=1", "DataTime=20261122080000;a34041-Rtd=2"));
    assert!(records(&world.put(&tick(IngestTime(now().0 + 600_000)))).is_empty());
    let out = world.put(&tick(IngestTime(now().0 + 600_001)));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.remarks[0].code.as_str(), record.remarks[0].place.as_str()), ("incomplete", "1 of 3 packets"));
    assert_eq!((record.remarks[1].place.as_str(), record.received, record.position), ("1", now(), at(3)));
    assert!(total(&world).balances());
}

/// The first packet of a split message of its own, `minute` minutes past.
fn begun(device: DeviceId, minute: i64, filler: usize) -> Entry {
    let stamp = format!("202611220700{minute:02}");
    let data = format!("DataTime={stamp};a34041-Rtd={minute};SN={}", "x".repeat(filler));
    let Entry::Frame(envelope) = hj212(now(), "CN=2011;Flag=7;PNUM=3;PNO=1", &data) else { panic!("a frame") };
    Entry::Frame(Envelope { device, ..envelope })
}

#[test]
fn a_device_with_too_many_split_messages_crowds_out_its_own_oldest() {
    let mut world = World::new();
    let most = i64::try_from(SettleConfig::default().split_per_device_max).unwrap();
    let other = DeviceId(99);
    world.put(&Entry::Revision(Box::new(revision(99, Object::Device(device(other, ProtocolKind::Hj212))))));
    world.put(&begun(other, 0, 0));
    for minute in 0..most {
        assert!(records(&world.put(&begun(HJ212, minute, 0))).is_empty());
    }
    // A packet that waits already takes no room.
    assert!(records(&world.put(&begun(HJ212, 3, 0))).is_empty());
    let out = world.put(&begun(HJ212, most, 0));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    let (what, raw) = (&record.remarks[0], &record.remarks[1]);
    assert_eq!((what.code.as_str(), raw.place.as_str(), record.position), ("incomplete", "3", at(world.seq)));
    assert_eq!(record.body.values[0].value, 0.0);
    // Nobody else's went.
    let rest = world.put(&tick(IngestTime(now().0 + 600_001)));
    assert_eq!(records(&rest).iter().filter(|record| record.key.device == other).count(), 1);
    assert_eq!(records(&rest).len(), usize::try_from(most).unwrap() + 1);
    assert!(total(&world).balances());
}

#[test]
fn a_device_with_large_split_messages_crowds_out_its_own_oldest() {
    let mut world = World::new();
    let large = SettleConfig::default().split_per_device_bytes_max / 2;
    world.put(&begun(HJ212, 1, large - 400));
    world.put(&begun(HJ212, 2, 10));
    let out = world.put(&begun(HJ212, 3, large));
    assert_eq!(records(&out)[0].body.values[0].value, 1.0);
    assert_eq!(records(&out).len(), 1);
    let out = world.put(&begun(HJ212, 4, 3 * large));
    assert_eq!((records(&out).len(), reason(&out)), (2, Some(Reason::Incomplete)));
    assert!(total(&world).balances());
}

#[test]
fn what_is_crowded_out_is_the_same_wherever_the_process_restarts() {
    let entries: Vec<Entry> = (0..30).map(|n| begun(HJ212, (n * 7) % 24, usize::try_from(n).unwrap())).collect();
    let run = |restart: Option<usize>| {
        let mut world = World::new();
        for (index, entry) in entries.iter().enumerate() {
            if restart == Some(index) {
                let mut newest = ahash::AHashMap::new();
                for record in &world.memory.records {
                    let entry = newest.entry((record.key.device, record.key.kind)).or_insert(record.key.at);
                    *entry = record.key.at.max(*entry);
                }
                let restored = Restored { newest, foreign: Vec::new(), carry: world.settle.carry() };
                world.settle = Settle::new(SettleConfig::default(), facts(), restored);
            }
            world.put(entry);
        }
        (world.total.items, world.total.loss)
    };
    let whole = run(None);
    assert!(whole.0.iter().any(|item| matches!(item, Item::Record(_))));
    for restart in 0..entries.len() {
        assert_eq!(run(Some(restart)), whole);
    }
}

#[test]
fn a_corrected_profile_brings_quarantined_frames_back_and_the_ledger_balances() {
    let mut world = World::new();
    let bad = hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080000;bad-Rtd=1");
    assert_eq!(reason(&world.put(&bad)), Some(Reason::UnitMismatch));
    let mut profile = profile("p-hj212", ProtocolKind::Hj212, Vec::new());
    profile.factors = facts().profiles["p-hj212"].factors.clone();
    profile.factors[2].unit = model::unit::Unit::MgPerM3;
    world.put(&Entry::Revision(Box::new(revision(99, Object::Profile(profile)))));
    let run = Rederive { device: HJ212, from: 0, to: u64::MAX, author: "test".into() };
    let out = world.put(&run.entry());
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.received, record.position, record.key.at.0), (now(), at(3), now().0));
    assert!(record.remarks.iter().any(|remark| remark.code == RAW_AT && remark.place == "1"));
    let sum = total(&world);
    assert_eq!((sum.records, sum.stored, sum.quarantined_total(), sum.frames), (1, 1, 0, 1));
    // A second run finds nothing that stands.
    assert!(world.put(&run.entry()).items.is_empty());
    assert_eq!(total(&world), sum);
}

#[test]
fn a_damaged_frame_never_takes_the_place_of_a_sound_one() {
    let mut world = World::new();
    let reading = |fume: &str| hj212(now(), "CN=2011;Flag=5", &format!("DataTime=20261122080000;a34041-Rtd={fume}"));
    world.put(&reading("2"));
    // A damaged copy says nothing new.
    assert!(records(&world.put(&streams::damaged(reading("2")))).is_empty());
    // Other content is kept where a person sees it, and nothing behind settle gets it.
    let out = world.put(&streams::damaged(reading("9")));
    assert_eq!((records(&out).len(), reason(&out)), (0, Some(Reason::Doubtful)));
    let run = Rederive { device: HJ212, from: 0, to: u64::MAX, author: "test".into() };
    assert!(world.put(&run.entry()).items.is_empty());
    let sum = total(&world);
    assert_eq!((sum.records, sum.stored, sum.duplicate, sum.quarantined_total()), (3, 1, 1, 1));
    assert!(sum.balances());
    // The other way round the sound one is shown.
    let later = |fume: &str| hj212(now(), "CN=2011;Flag=5", &format!("DataTime=20261122075900;a34041-Rtd={fume}"));
    assert_eq!(verdicts(&world.put(&streams::damaged(later("9")))), [Verdict::Stored]);
    assert_eq!(verdicts(&world.put(&later("2"))), [Verdict::Revised]);
    assert_eq!(verdicts(&world.put(&streams::damaged(later("7")))), [Verdict::Quarantined]);
}

#[test]
fn a_terminals_message_that_is_not_understood_is_quarantined_by_its_id() {
    let mut world = World::new();
    let mut put =
        |id, body: &[u8]| world.put(&frame(JT808, Channel::Jt808Frame, now(), &streams::jt808_frame(id, body)));
    for id in [0x0001_u16, 0x0002, 0x0003, 0x0608, 0x0805] {
        let out = put(id, &[0; 5]);
        assert!(matches!(out.items[..], [Item::Contact { verdict: None, .. }]), "{id:04x}: {out:?}");
    }
    for id in [0x0F3A_u16, 0x0705, 0xE001] {
        let out = put(id, b"vendor");
        assert_eq!(reason(&out), Some(Reason::NotUnderstood));
        assert!(out.quarantine[0].place.starts_with(&format!("0x{id:04X}")), "{}", out.quarantine[0].place);
    }
}

#[test]
fn nothing_in_a_frame_with_a_wrong_check_is_judged() {
    let mut world = World::new();
    let entry = hj212(now(), "CN=2011;Flag=5", "DataTime=20261122080000;a34041-Rtd=9.9,a34041-Flag=N");
    let Entry::Frame(mut envelope) = entry else { panic!("a frame") };
    envelope.remarks = model::envelope::edge_remark::CHECK_BAD;
    let out = world.put(&Entry::Frame(envelope));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert!(record.body.values.iter().all(|value| value.flag != Flag::Normal), "{record:?}");
}

#[test]
fn items_come_in_journal_order() {
    let mut world = World::new();
    for entry in streams::entries(3, 200) {
        world.put(&entry);
    }
    assert!(world.total.items.windows(2).all(|pair| pair[0].position() <= pair[1].position()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes: each record ends in one verdict, each frame is counted.
    #[test]
    fn the_ledger_balances_for_any_stream(seed in any::<u64>(), length in 1usize..200) {
        let mut world = World::new();
        let entries = streams::entries(seed, length);
        let frames = entries.iter().filter(|entry| matches!(entry, Entry::Frame(_))).count();
        for entry in &entries {
            world.put(entry);
        }
        let sum = total(&world);
        prop_assert!(sum.balances());
        prop_assert_eq!(sum.frames, i64::try_from(frames).unwrap());
        let standing = world.memory.quarantine.iter().filter(|entry| entry.rederived.is_none()).count();
        prop_assert_eq!(sum.quarantined_total(), i64::try_from(standing).unwrap());
        prop_assert_eq!(sum.stored + sum.revised, i64::try_from(world.memory.records.len()).unwrap());
    }

    /// The same journal gives the same items.
    #[test]
    fn replay_gives_the_same_items(seed in any::<u64>()) {
        let (mut one, mut two) = (World::new(), World::new());
        for entry in streams::entries(seed, 120) {
            one.put(&entry);
            two.put(&entry);
        }
        prop_assert_eq!(one.total.items, two.total.items);
        prop_assert_eq!(one.total.loss, two.total.loss);
    }

    /// Noise never panics and always ends somewhere.
    #[test]
    fn noise_is_quarantined_or_read_and_never_fatal(raw in prop::collection::vec(any::<u8>(), 0..300), channel in 0usize..Channel::ALL.len()) {
        let mut world = World::new();
        let channel = Channel::ALL[channel];
        let device = match channel.protocol() {
            ProtocolKind::Mqtt => MQTT,
            ProtocolKind::Hj212 => HJ212,
            ProtocolKind::Jt808 => JT808,
            ProtocolKind::Modbus => MODBUS,
        };
        world.put(&frame(device, channel, now(), &raw));
        let sum = total(&world);
        prop_assert!(sum.balances() && sum.frames == 1 && sum.records + sum.frames_without_record >= 1);
    }
}
