//! Sparkplug B and ONVIF: what their messages become, over restarts and replays.

use super::*;
use model::envelope::Channel;
use model::stream::Batch;
use protocol::mqtt::titled;
use protocol::sparkplug::{DataType, Metric, Payload, Value};

const TS: u64 = 1_795_305_590_000;

fn sparkplug(topic: &str, seq: u64, metrics: Vec<Metric<'_>>) -> Entry {
    let payload = Payload { timestamp: Some(TS), seq: Some(seq), metrics }.encode();
    frame(MQTT, Channel::MqttSparkplug, now(), &titled::join(&format!("spBv1.0/{topic}"), &payload))
}

fn named(name: &'static str, alias: u64, value: Value<'static>) -> Metric<'static> {
    let datatype = match value {
        Value::Int(_) => DataType::INT16,
        Value::Text(_) => DataType::STRING,
        _ => DataType::DOUBLE,
    };
    Metric { name: Some(name), alias: Some(alias), datatype: Some(datatype), value, ..Metric::default() }
}

fn by_alias(alias: u64, value: Value<'static>, ms_later: u64) -> Metric<'static> {
    Metric { alias: Some(alias), timestamp: Some(TS + ms_later), value, ..Metric::default() }
}

fn birth(fume: u64) -> Entry {
    let metrics = vec![
        named("bdSeq", 0, Value::Long(1)),
        named("oil", fume, Value::Double(1200.0)),
        named("temperature", fume + 1, Value::Int(0xFFFF)),
        named("Properties/Maker", fume + 2, Value::Text("x")),
    ];
    sparkplug("g/NBIRTH/device-1", 0, metrics)
}

fn value(record: &SettledRecord, quantity: Quantity) -> Option<(f64, Flag)> {
    record.body.value(quantity, Statistic::Instant).map(|value| (value.value, value.flag))
}

#[test]
fn data_by_alias_is_what_the_birth_named() {
    let mut world = World::new();
    let out = world.put(&birth(7));
    let [record] = records(&out)[..] else { panic!("{out:?}") };
    assert_eq!((record.key.at.0.unsigned_abs(), record.verdict), (TS, Verdict::Stored));
    // Through the profile's factor, µg to mg; a signed number by the birth's type; texts are no values and no remarks.
    assert_eq!(value(record, Quantity::FUME), Some((1.2, Flag::Normal)));
    assert_eq!(value(record, Quantity::from_code("temperature").unwrap()), Some((-1.0, Flag::Normal)));
    assert_eq!((record.body.values.len(), record.remarks.len()), (2, 0));

    let data = vec![by_alias(7, Value::Double(900.0), 1000), by_alias(8, Value::Int(0xFFFE), 2000)];
    let out = world.put(&sparkplug("g/NDATA/device-1", 1, data));
    let [first, second] = records(&out)[..] else { panic!("two moments are two records: {out:?}") };
    assert_eq!(value(first, Quantity::FUME), Some((0.9, Flag::Normal)));
    assert_eq!(value(second, Quantity::from_code("temperature").unwrap()), Some((-2.0, Flag::Normal)));
}

#[test]
fn an_alias_that_nobody_gave_is_quarantined_and_named() {
    let mut world = World::new();
    let out = world.put(&sparkplug("g/NDATA/device-1", 5, vec![by_alias(7, Value::Double(1.0), 0)]));
    assert_eq!((records(&out).len(), reason(&out)), (0, Some(Reason::NoUsableValue)));
    assert!(total(&world).balances());
}

#[test]
fn after_a_gap_aliases_count_toward_nothing_until_the_next_birth() {
    let mut world = World::new();
    world.put(&birth(7));
    let out = world.put(&sparkplug("g/NDATA/device-1", 3, vec![by_alias(7, Value::Double(900.0), 1000)]));
    let record = records(&out)[0];
    assert_eq!(value(record, Quantity::FUME), Some((0.9, Flag::Unknown)));
    assert_eq!(record.remarks[0].code, "sequence_gap");
    // A metric that is named stays sound.
    let out = world.put(&sparkplug("g/NDATA/device-1", 4, vec![named("pm10", 99, Value::Double(5.0))]));
    assert_eq!(records(&out)[0].body.values[0].flag, Flag::Normal);
    world.put(&birth(17));
    let out = world.put(&sparkplug("g/NDATA/device-1", 1, vec![by_alias(17, Value::Double(800.0), 2000)]));
    assert_eq!(value(records(&out)[0], Quantity::FUME), Some((0.8, Flag::Normal)));
}

#[test]
fn births_outlive_a_restart_and_a_replay_gives_the_same() {
    let entries = [
        birth(7),
        sparkplug("g/NDATA/device-1", 1, vec![by_alias(7, Value::Double(900.0), 1000)]),
        sparkplug("g/NDATA/device-1", 2, vec![by_alias(7, Value::Double(950.0), 2000)]),
        sparkplug("g/NDATA/device-1", 5, vec![by_alias(7, Value::Double(960.0), 3000)]),
    ];
    let mut straight = World::new();
    for entry in &entries {
        straight.put(entry);
    }
    for cut in 0..entries.len() {
        let mut world = World::new();
        for entry in &entries[..cut] {
            world.put(entry);
        }
        let restored = Restored { carry: world.settle.carry(), ..Restored::default() };
        world.settle = Settle::new(SettleConfig::default(), facts(), restored);
        for entry in &entries[cut..] {
            world.put(entry);
        }
        assert_eq!(world.total.items, straight.total.items, "cut at {cut}");
    }
}

#[test]
fn what_was_kept_while_away_is_stored_and_is_no_current_value() {
    let mut world = World::new();
    let old = Metric { is_historical: true, ..named("oil", 1, Value::Double(3000.0)) };
    let out = world.put(&sparkplug("g/NDATA/device-1", 1, vec![old]));
    let record = records(&out)[0];
    assert_eq!(record.remarks[0].code, map::sparkplug::HISTORICAL);
    let hub = crate::live::LiveHub::new(crate::live::LiveConfig::default());
    hub.apply(&Batch { items: world.total.items.clone(), up_to: record.position });
    assert!(hub.device(MQTT).is_none_or(|state| state.values.is_empty()));
}

#[test]
fn a_death_is_an_event_unless_the_node_is_there_again() {
    let mut world = World::new();
    world.put(&birth(7));
    let death = |number| {
        let payload = Payload { timestamp: Some(1), seq: None, metrics: vec![named("bdSeq", 0, Value::Long(number))] };
        let raw = titled::join("spBv1.0/g/NDEATH/device-1", &payload.encode());
        frame(MQTT, Channel::MqttSparkplug, now(), &raw)
    };
    assert_eq!(records(&world.put(&death(0))).len(), 0, "of an earlier session");
    let out = world.put(&death(1));
    let record = records(&out)[0];
    assert_eq!((record.key.kind, record.key.at.0), (RecordKind::Event, now().0));
    assert_eq!(record.body.happening.as_ref().unwrap().what, "offline");
}

fn onvif(topic: &str, text: &str) -> Entry {
    let topic = format!("lantian/v1/device-1/onvif-ej/{topic}");
    frame(MQTT, Channel::MqttOnvif, now(), &titled::join(&topic, text.as_bytes()))
}

#[test]
fn a_cameras_event_becomes_what_its_profile_says() {
    let mut world = World::new();
    let text = r#"{"UtcTime":"2026-11-21T23:59:50Z","Source":{"VideoSource":"1"},"Data":{"Plate":{"PlateNumber":"豫A12345"},
        "Direction":"Leave","CoverState":"OPEN","PictureUri":"http://cam/1.jpg","oil":"1500","Likelihood":"0.93"}}"#;
    let out = world.put(&onvif("tns1:RuleEngine/Recognition/LicensePlate/&VideoSource_1", text));
    let record = records(&out)[0];
    let happening = record.body.happening.as_ref().unwrap();
    assert_eq!((happening.what.as_str(), happening.plate.as_deref()), ("vehicle_exit", Some("豫A12345")));
    assert_eq!(happening.pictures, ["http://cam/1.jpg"]);
    let attribute = |name: &str| happening.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
    assert_eq!(attribute("covered"), Some("false"));
    assert_eq!((attribute("Likelihood"), attribute("source.VideoSource")), (Some("0.93"), Some("1")));
    assert_eq!(record.key.at.0, now().0 - 10_000);
    // A number that comes as quoted text is a value all the same.
    assert_eq!(value(record, Quantity::FUME), Some((1.5, Flag::Normal)));
    // The same once more, as retained events come at each connect.
    let out = world.put(&onvif("tns1:RuleEngine/Recognition/LicensePlate/&VideoSource_1", text));
    assert_eq!(verdicts(&out), []);
}

#[test]
fn a_cameras_unknown_event_keeps_its_topic_and_a_property_that_is_no_more_is_contact() {
    let mut world = World::new();
    let text = r#"{"UtcTime":"2026-11-21T23:59:50Z","Data":{"State":true}}"#;
    let out = world.put(&onvif("tns1:VideoSource/MotionAlarm", text));
    let happening = records(&out)[0].body.happening.clone().unwrap();
    assert_eq!(happening.what, "VideoSource/MotionAlarm");
    assert_eq!(happening.attributes, [("State".to_owned(), "true".to_owned())]);
    let out = world.put(&onvif("tns1:VideoSource/MotionAlarm", ""));
    assert!(records(&out).is_empty() && out.quarantine.is_empty());
    assert!(out.items.iter().any(|item| matches!(item, Item::Contact { .. })));
    let out = world.put(&onvif("x", "{"));
    assert_eq!(reason(&out), Some(Reason::NotUnderstood));
    let out = world.put(&onvif("x", r#"{"UtcTime":"soon"}"#));
    assert_eq!(reason(&out), Some(Reason::NoTime));
}

#[test]
fn seconds_are_told_apart_from_milliseconds() {
    let mut world = World::new();
    let out = world.put(&json(now(), r#"{"ts":1795305590,"values":{"fume":1}}"#));
    assert_eq!(reason(&out), Some(Reason::NoTime));
    assert!(out.quarantine[0].place.contains("seconds"), "{:?}", out.quarantine);
}

#[test]
fn what_comes_over_http_is_read_as_what_comes_over_mqtt() {
    let mut world = World::new();
    let out = world.put(&frame(MQTT, Channel::HttpTelemetry, now(), br#"{"fume":1.5}"#));
    assert_eq!(value(records(&out)[0], Quantity::FUME), Some((1.5, Flag::Normal)));
    let out = world.put(&frame(MQTT, Channel::HttpEvent, now(), br#"{"event":"wash"}"#));
    assert_eq!(records(&out)[0].key.kind, RecordKind::Event);
}
