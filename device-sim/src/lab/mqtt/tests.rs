//! Good and faulty publishers at the desk.

use super::super::book::Status;
use super::*;

const NOON: i64 = 1_767_240_000_000;
const PACE: Pace =
    Pace { warm_frames: 1, withhold_ms: 5_000, answer_ms: 3_000, cut_ms: 3_000, back_ms: 60_000, heartbeat_s: 1 };

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    loop {
        let digit = u8::try_from(length % 128).unwrap();
        length /= 128;
        out.push(if length > 0 { digit | 0x80 } else { digit });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
    out
}

/// CONNECT of `fume-1` with these flags and keep-alive.
fn connect(level: u8, flags: u8, keep_alive: u8, properties: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', level, flags, 0, keep_alive];
    body.extend_from_slice(properties);
    text(&mut body, "fume-1");
    if flags & 0x80 != 0 {
        text(&mut body, "fume-1");
        text(&mut body, "secret");
    }
    packet(0x10, &body)
}

fn good_connect() -> Vec<u8> {
    connect(4, 0xc0, 60, &[])
}

fn publish(first: u8, topic: &str, id: u16, payload: &str) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    if first & 6 != 0 {
        body.extend(id.to_be_bytes());
    }
    body.extend_from_slice(payload.as_bytes());
    packet(first, &body)
}

const TOPIC: &str = "lantian/v1/fume-1/telemetry";

fn reading(id: u16, at: i64) -> Vec<u8> {
    publish(0x32, TOPIC, id, &format!(r#"{{"ts":{at},"values":{{"fume":1.2}}}}"#))
}

fn feed(desk: &mut MqttDesk, link: u64, bytes: &[u8], now: i64) -> Vec<Action> {
    let mut out = Vec::new();
    desk.heard(link, bytes, now, &mut out);
    out
}

fn sent(out: &[Action]) -> Vec<Vec<u8>> {
    out.iter().filter_map(|action| if let Action::Send(bytes) = action { Some(bytes.clone()) } else { None }).collect()
}

fn after(connect: &[u8], packets: &[Vec<u8>]) -> Vec<(&'static str, &'static str, Option<usize>)> {
    let mut desk = MqttDesk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, connect, NOON);
    for packet in packets {
        feed(&mut desk, 1, packet, NOON);
    }
    desk.finish(NOON);
    let findings = desk.books()[0].findings().iter();
    findings
        .inspect(|f| assert!(!f.clause.is_empty()))
        .map(|f| (f.check, f.code, f.place.map(|place| place.0)))
        .collect()
}

#[test]
fn a_good_device_passes_every_test() {
    let mut desk = MqttDesk::new(Some(PACE), true);
    desk.opened(1, NOON, &mut Vec::new());
    assert_eq!(sent(&feed(&mut desk, 1, &good_connect(), NOON)), [[0x20, 2, 0, 0]]);
    let mut filter = vec![0, 9];
    text(&mut filter, "lantian/v1/fume-1/command");
    filter.push(1);
    assert_eq!(sent(&feed(&mut desk, 1, &packet(0x82, &filter), NOON)), [[0x90, 3, 0, 9, 1]]);
    assert_eq!(sent(&feed(&mut desk, 1, &reading(1, NOON), NOON)), [[0x40, 2, 0, 1]]);
    let mut out = Vec::new();
    desk.tick(1, NOON + 500, &mut out);
    assert!(String::from_utf8_lossy(&sent(&out)[0]).contains("\"command\""));
    feed(&mut desk, 1, &publish(0x32, "lantian/v1/fume-1/reply", 2, r#"{"id":"lab","ok":true}"#), NOON + 600);
    desk.tick(1, NOON + 700, &mut Vec::new());
    let held = reading(3, NOON + 1_000);
    let out = feed(&mut desk, 1, &held, NOON + 1_000);
    assert!(sent(&out).is_empty() && out.iter().any(|action| matches!(action, Action::Close)));
    desk.closed(1, NOON + 1_000);
    let back = NOON + 6_000;
    desk.opened(2, back, &mut Vec::new());
    assert_eq!(sent(&feed(&mut desk, 2, &good_connect(), back)), [[0x20, 2, 1, 0]], "the session is there");
    let mut again = held.clone();
    again[0] |= 8;
    feed(&mut desk, 2, &again, back);
    for (id, at) in
        [(4, NOON + 2_000), (5, NOON + 3_000), (6, back), (7, back + 1_000), (8, back + 2_000), (9, back + 3_000)]
    {
        feed(&mut desk, 2, &reading(id, at), back.max(at));
    }
    desk.finish(back);
    let book = desk.books()[0];
    let open: Vec<_> = book.checks().filter(|(_, status)| *status != Status::Pass).map(|(c, s)| (c.id, s)).collect();
    assert_eq!(open, [], "{:#?}", book.findings());
    assert!(desk.is_done());
}

#[test]
fn version_5_is_spoken_too() {
    let mut desk = MqttDesk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    let connect = connect(5, 0xc0, 60, &[5, 0x11, 0, 0, 0x0e, 0x10]);
    assert_eq!(sent(&feed(&mut desk, 1, &connect, NOON)), [[0x20, 3, 0, 0, 0]]);
    let mut body = Vec::new();
    text(&mut body, TOPIC);
    body.extend([0, 1, 0]);
    body.extend_from_slice(format!(r#"{{"ts":{NOON},"values":{{"fume":1}}}}"#).as_bytes());
    assert_eq!(sent(&feed(&mut desk, 1, &packet(0x32, &body), NOON)), [[0x40, 2, 0, 1]]);
    let book = desk.books()[0];
    assert_eq!((book.standard, book.findings()), ("MQTT 5.0", &[][..]));
    assert_eq!(book.status("session"), Status::Pass);
}

#[test]
fn faults_of_connect_are_told_at_their_bytes() {
    assert_eq!(after(&good_connect(), &[]), []);
    assert_eq!(
        after(&connect(4, 0x02, 60, &[]), &[]),
        [("login", "no_login", Some(9)), ("session", "session_dropped", Some(9))]
    );
    assert_eq!(after(&connect(4, 0xc0, 0, &[]), &[]), [("keep_alive", "keep_alive_off", Some(10))]);
    let mut desk = MqttDesk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, &reading(1, NOON), NOON);
    assert_eq!(desk.books()[0].status("first"), Status::Fail);
    assert_eq!(after(&good_connect(), &[good_connect()]), [("first", "second_connect", Some(0))]);
}

#[test]
fn faults_of_a_publish_are_told_at_their_bytes() {
    let payload_at = 2 + 2 + TOPIC.len() + 2;
    let with = |payload: &str| after(&good_connect(), &[publish(0x32, TOPIC, 1, payload)]);
    assert_eq!((with("{\"fume\":")[0].0, with("{\"fume\":")[0].1), ("payload", "truncated"));
    assert_eq!(with(r#"{"fume":1.2}"#), [("ts", "ts_missing", Some(payload_at))]);
    assert_eq!(with(r#"{"ts":1767240000,"values":{"fume":1.2}}"#), [("ts", "time_in_seconds", Some(payload_at + 1))]);
    let off = NOON + 8 * 3_600_000;
    assert_eq!(
        with(&format!(r#"{{"ts":{off},"values":{{"fume":1.2}}}}"#)),
        [("zone", "zone_wrong", Some(payload_at + 1))]
    );
    assert_eq!(with(&format!(r#"{{"ts":{NOON},"values":{{"fume":999}}}}"#))[0].1, "value_impossible");
    assert_eq!(
        after(&good_connect(), &[publish(0x30, TOPIC, 0, &format!(r#"{{"ts":{NOON},"values":{{"fume":1}}}}"#))]),
        [("qos", "qos_zero", Some(0))]
    );
    assert_eq!(after(&good_connect(), &[publish(0x32, "test/a", 1, "x")]), [("topic", "topic_unknown", Some(2))]);
    assert_eq!(after(&good_connect(), &[reading(0, NOON)]), [("packet_id", "packet_id_zero", Some(31))]);
}

#[test]
fn the_token_is_neither_shown_nor_recorded() {
    let mut desk = MqttDesk::new(None, true);
    desk.opened(1, NOON, &mut Vec::new());
    for action in feed(&mut desk, 1, &good_connect(), NOON) {
        if let Action::Show(shown) = action {
            for bytes in [&shown.wire, &shown.explained.plain] {
                assert!(!bytes.windows(6).any(|window| window == b"secret"));
            }
        }
    }
}

#[test]
fn a_device_that_misses_its_keep_alive_or_never_returns_fails() {
    let mut desk = MqttDesk::new(Some(PACE), true);
    desk.opened(1, NOON, &mut Vec::new());
    feed(&mut desk, 1, &connect(4, 0xc0, 2, &[]), NOON);
    feed(&mut desk, 1, &reading(1, NOON), NOON);
    desk.tick(1, NOON + 3_500, &mut Vec::new());
    assert_eq!(desk.books()[0].status("keep_alive"), Status::Fail);
    desk.tick(1, NOON + 3_600, &mut Vec::new());
    feed(&mut desk, 1, &reading(2, NOON + 4_000), NOON + 4_000);
    desk.closed(1, NOON + 4_000);
    desk.finish(NOON + 100_000);
    assert_eq!(desk.books()[0].status("reconnect"), Status::Fail);
}
