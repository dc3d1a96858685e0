//! Round trips, the numbers of each type, and bytes of every kind.

use super::*;
use crate::error::WireError;
use proptest::prelude::*;

#[test]
fn a_payload_written_by_hand_is_read() {
    // timestamp 1000, one metric {name "a", alias 1, datatype Int16, int_value 65535}, seq 2
    let bytes =
        [0x08, 0xE8, 0x07, 0x12, 0x0B, 0x0A, 0x01, b'a', 0x10, 0x01, 0x20, 0x02, 0x50, 0xFF, 0xFF, 0x03, 0x18, 0x02];
    let payload = Payload::read(&bytes).unwrap();
    assert_eq!((payload.timestamp, payload.seq), (Some(1000), Some(2)));
    let metric = payload.metrics[0];
    assert_eq!((metric.name, metric.alias), (Some("a"), Some(1)));
    assert_eq!(metric.value.number(metric.datatype), Some(-1.0));
    assert_eq!(payload.encode(), bytes);
}

#[test]
fn each_type_gives_its_number_and_what_is_none_gives_none() {
    for (value, datatype, want) in [
        (Value::Int(0xFF), DataType::INT8, Some(-1.0)),
        (Value::Int(u32::MAX), DataType::INT8, Some(-1.0)),
        (Value::Int(u32::MAX), DataType::INT32, Some(-1.0)),
        (Value::Int(u32::MAX), DataType::UINT32, Some(4_294_967_295.0)),
        (Value::Long(u64::MAX), DataType::INT64, Some(-1.0)),
        (Value::Long(5), DataType::UINT64, Some(5.0)),
        (Value::Long(1_763_800_000_000), DataType::DATE_TIME, None),
        (Value::Float(1.5), DataType::FLOAT, Some(1.5)),
        (Value::Double(f64::NAN), DataType::DOUBLE, None),
        (Value::Double(f64::INFINITY), DataType::DOUBLE, None),
        (Value::Bool(true), DataType::BOOLEAN, Some(1.0)),
        (Value::Text("2.5"), DataType::STRING, None),
        (Value::Absent, DataType::FLOAT, None),
    ] {
        assert_eq!(value.number(Some(datatype)), want, "{value:?} as {datatype}");
    }
}

#[test]
fn damaged_payloads_say_where() {
    let whole = Payload {
        timestamp: Some(7),
        seq: Some(1),
        metrics: vec![Metric { name: Some("fume"), value: Value::Double(1.0), ..Metric::default() }],
    }
    .encode();
    assert_eq!(Payload::read(&whole[..whole.len() - 3]), Err(WireError::Truncated { offset: 4, wanted: 1 }));
    // A name that is not UTF-8, inside the metric.
    let bad = [0x12, 0x03, 0x0A, 0x01, 0xFF];
    assert_eq!(Payload::read(&bad), Err(WireError::Invalid { offset: 4, what: "text that is not UTF-8" }));
    assert!(Payload::read(&[0x0B]).is_err(), "groups are not used");
    assert!(Payload::read(&[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F]).is_err());
    let many = vec![[0x12, 0x00]; METRICS_MAX + 1].concat();
    assert_eq!(Payload::read(&many), Err(WireError::Oversize { limit: METRICS_MAX }));
}

#[test]
fn a_rebirth_request_says_what_the_specification_wants() {
    let bytes = rebirth_request(5);
    let payload = Payload::read(&bytes).unwrap();
    assert_eq!(payload.metric(REBIRTH).map(|metric| metric.value), Some(Value::Bool(true)));
    assert_eq!(payload.seq, None);
}

#[test]
fn topics_name_a_device_exactly_when_the_message_is_a_devices() {
    let node = Topic { group: "高新", kind: MessageKind::NodeBirth, edge: "e-1", device: None };
    assert_eq!(Topic::parse("高新/NBIRTH/e-1"), Some(node));
    assert_eq!(node.to_string(), "spBv1.0/高新/NBIRTH/e-1");
    for bad in ["g/NBIRTH", "g/NBIRTH/e/d", "g/DDATA/e", "g/XDATA/e", "g/DDATA/e/d/x", "/NDATA/e", "g/NDATA/", ""] {
        assert_eq!(Topic::parse(bad), None, "{bad}");
    }
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Absent),
        any::<u32>().prop_map(Value::Int),
        any::<u64>().prop_map(Value::Long),
        (-1e9_f32..1e9).prop_map(Value::Float),
        (-1e9_f64..1e9).prop_map(Value::Double),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Text("开启")),
        Just(Value::Bytes(&[0, 1, 255])),
        Just(Value::Other),
    ]
}

prop_compose! {
    fn metric()(
        name in proptest::option::of(Just("purifier/current")), alias in proptest::option::of(any::<u64>()),
        timestamp in proptest::option::of(any::<u64>()), datatype in proptest::option::of(any::<u32>()),
        is_historical: bool, is_transient: bool, is_null: bool, value in value(),
    ) -> Metric<'static> {
        Metric { name, alias, timestamp, datatype, is_historical, is_transient, is_null, value }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        timestamp in proptest::option::of(any::<u64>()), seq in proptest::option::of(0_u64..256),
        metrics in proptest::collection::vec(metric(), 0..8),
    ) {
        let payload = Payload { timestamp, seq, metrics };
        let written = payload.encode();
        prop_assert_eq!(Payload::read(&written).unwrap(), payload);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(payload) = Payload::read(&bytes) {
            for metric in &payload.metrics {
                let _ = metric.value.number(metric.datatype);
            }
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0_usize..60, byte: u8) {
        let metric = Metric { name: Some("fume"), alias: Some(3), value: Value::Double(1.0), ..Metric::default() };
        let mut bytes = Payload { timestamp: Some(9), seq: Some(1), metrics: vec![metric; 3] }.encode();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        Payload::read(&bytes).ok();
    }

    #[test]
    fn topics_are_written_as_they_are_read(kind in 0_usize..8, group in "[a-z]{1,4}", edge in "[a-z]{1,4}") {
        let kind = MessageKind::ALL[kind];
        let device = kind.word().starts_with('D').then_some("d");
        let topic = Topic { group: &group, kind, edge: &edge, device };
        let text = topic.to_string();
        prop_assert_eq!(Topic::parse(text.strip_prefix(ROOT).unwrap()), Some(topic));
    }
}
