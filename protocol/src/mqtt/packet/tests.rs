//! Promises of the packet walker.

use super::*;
use proptest::prelude::*;

/// CONNECT 3.1.1 of client `c` with a name and a password, kept session.
const CONNECT: &[u8] = &[0x10, 0x13, 0, 4, b'M', b'Q', b'T', b'T', 4, 0xc0, 0, 60, 0, 1, b'c', 0, 1, b'u', 0, 1, b'p'];

fn publish(payload: &str) -> Vec<u8> {
    let topic = b"lantian/v1/d/telemetry";
    let len = 2 + topic.len() + 2 + payload.len();
    let mut bytes = vec![0x32, u8::try_from(len).unwrap(), 0, u8::try_from(topic.len()).unwrap()];
    bytes.extend_from_slice(topic);
    bytes.extend([0, 7]);
    bytes.extend_from_slice(payload.as_bytes());
    bytes
}

fn codes(explanation: &Explanation) -> Vec<(&'static str, Option<usize>)> {
    explanation.all_troubles().map(|(at, trouble)| (trouble.code, at.map(|(at, _)| at))).collect()
}

#[test]
fn a_connect_is_read_and_its_password_is_not_shown() {
    let read = read(CONNECT, None);
    let Some(Packet::Connect(connect)) = read.packet else { panic!("{read:?}") };
    assert_eq!((connect.level, connect.clean, connect.keep_alive_s), (Some(Level::V311), false, 60));
    assert_eq!((connect.client_id, connect.username, connect.password), ("c", Some("u"), Some(&b"p"[..])));
    assert_eq!(codes(&read.explanation), []);
    assert!(read.explanation.spans.iter().any(|span| span.name == "password" && span.value == "******"));
    assert_eq!(read.explanation.standard, "MQTT 3.1.1");
}

#[test]
fn a_reading_is_named_member_by_member() {
    let bytes = publish(r#"{"ts":1763800000000,"values":{"fume":1.2,"fan_on":true}}"#);
    let read = read(&bytes, Some(Level::V311));
    assert_eq!(codes(&read.explanation), []);
    let fume = read.explanation.spans.iter().find(|span| span.name == "values.fume").unwrap();
    assert_eq!(&bytes[fume.at..fume.at + fume.len], br#""fume":1.2"#);
    assert_eq!(fume.value, "1.2");
}

#[test]
fn a_fault_is_told_at_its_byte() {
    let bytes = publish(r#"{"ts":"soon","values":{"fume":1e999,"nmhc":1}}"#);
    let found = codes(&read(&bytes, Some(Level::V311)).explanation);
    let place = |text: &str| bytes.windows(text.len()).position(|window| window == text.as_bytes());
    assert_eq!(found, [("time_unreadable", place("\"ts\"")), ("number_out_of_range", place("\"fume\""))]);
    assert_eq!(codes(&read(&publish("{\"a\":"), None).explanation).first().map(|found| found.0), Some("truncated"));
    let zero: Vec<u8> = publish("{\"a\":1}").into_iter().map(|byte| if byte == 7 { 0 } else { byte }).collect();
    assert_eq!(codes(&read(&zero, None).explanation), [("packet_id_zero", Some(26))]);
    assert_eq!(codes(&read(&[0x30, 2, 0, 9], None).explanation), [("truncated", None)]);
    assert_eq!(codes(&read(&[0x82, 2, 0, 1], None).explanation), [("no_filter", None)]);
}

#[test]
fn a_packet_is_cut_at_its_length_whatever_follows() {
    let mut stream = CONNECT.to_vec();
    stream.extend(publish("{}"));
    assert_eq!(cut(&stream, 1_000), Cut::Packet(CONNECT.len()));
    assert_eq!(cut(&CONNECT[..5], 1_000), Cut::More);
    assert_eq!(cut(CONNECT, 10), Cut::Oversize(21));
    assert_eq!(cut(&[0x30, 0xff, 0xff, 0xff, 0xff, 1], 1_000), Cut::Malformed);
    assert!(looks_like_packet(CONNECT) && !looks_like_packet(b"hello"));
}

proptest! {
    #[test]
    fn any_bytes_are_walked_inside_their_bounds(bytes in prop::collection::vec(any::<u8>(), 0..200), five in any::<bool>()) {
        let level = if five { Level::V5 } else { Level::V311 };
        let explanation = read(&bytes, Some(level)).explanation;
        for span in &explanation.spans {
            prop_assert!(span.at + span.len <= bytes.len());
        }
    }

    #[test]
    fn any_text_as_payload_is_named_without_a_panic(payload in r#"[\[\]{}",:0-9eE. \-a-d]{0,60}"#) {
        read(&publish(&payload), Some(Level::V311));
    }
}
