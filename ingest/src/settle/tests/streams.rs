//! Seeded streams of entries over all protocols: late, twice, revised, split, broken.

use crate::journal::entry::Entry;
use crate::settle::Rederive;
use crate::testing::{HJ212, JT808, MQTT, frame, hj212, json, now, tick};
use model::envelope::Channel;
use model::time::{EventTime, IngestTime, LocalStamp};
use protocol::jt808::{Position as Wire, check, time_bcd};

/// Numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// `length` entries, in journal order of time.
pub(crate) fn entries(seed: u64, length: usize) -> Vec<Entry> {
    let mut numbers = Numbers(seed);
    let mut received = now();
    let mut made = Vec::with_capacity(length);
    for _ in 0..length {
        received = received.plus_ms(i64::try_from(numbers.below(30_000)).unwrap_or(0));
        let behind_ms = i64::try_from(numbers.below(40) * 300_000).unwrap_or(0);
        let event = EventTime(received.0.div_euclid(60_000) * 60_000 - behind_ms);
        let entry = one(&mut numbers, received, event);
        made.push(entry);
    }
    made
}

fn one(numbers: &mut Numbers, received: IngestTime, event: EventTime) -> Entry {
    let value = numbers.below(4);
    let (year, month, day, hour, minute, second, _) = LocalStamp::of(event, 480).fields().unwrap_or_default();
    let stamp = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
    match numbers.below(16) {
        0..4 => json(received, &format!(r#"{{"ts":{},"values":{{"fume":{value},"noise":6{value}.5}}}}"#, event.0)),
        4 => {
            json(received, &format!(r#"[{{"ts":{},"fume":{value}}},{{"ts":{},"x{value}":1}},3]"#, event.0, event.0 + 1))
        }
        5 => json(received, r#"{"ts":"never","fume":1}"#),
        6 => json(received, "{"),
        7 => frame(
            MQTT,
            Channel::MqttEvent,
            received,
            format!(r#"{{"ts":{},"event":"vehicle_exit","plate":"豫A{value}"}}"#, event.0).as_bytes(),
        ),
        8 | 9 => {
            let sent = hj212(received, "CN=2011;Flag=5", &format!("DataTime={stamp};a34041-Rtd={value},a34041-Flag=N"));
            if numbers.below(3) == 0 { damaged(sent) } else { sent }
        }
        10 => {
            let number = numbers.below(3) + 1;
            let head = format!("CN=2051;Flag=7;PNUM=3;PNO={number}");
            hj212(received, &head, &format!("DataTime={stamp};f{number}-Avg={value}"))
        }
        11 => {
            let wire = Wire {
                status: 3,
                lat_e6: 34_800_000,
                lon_e6: 113_600_000 + i32::try_from(value).unwrap_or(0),
                time_bcd: time_bcd((year, month, day, hour, minute, second, 0)),
                ..Wire::default()
            };
            frame(JT808, Channel::Jt808Frame, received, &jt808_batch(&[wire]))
        }
        12 => tick(received),
        13 | 14 => {
            let total = 2 + u8::try_from(value % 2).unwrap_or(0);
            let number = u8::try_from(numbers.below(3)).unwrap_or(0) + 1;
            frame(JT808, Channel::Jt808Frame, received, &jt808_packet(minute % 4 * 8 + number, total, number))
        }
        _ => Rederive { device: if value == 0 { HJ212 } else { MQTT }, from: 0, to: u64::MAX, author: "test".into() }
            .entry(),
    }
}

/// The same frame, but its check was wrong and its device is forgiven.
pub(crate) fn damaged(entry: Entry) -> Entry {
    let Entry::Frame(mut envelope) = entry else { return entry };
    envelope.remarks = model::envelope::edge_remark::CHECK_BAD;
    Entry::Frame(envelope)
}

/// A 2013 frame as the journal keeps it.
pub(crate) fn jt808_frame(id: u16, body: &[u8]) -> Vec<u8> {
    let mut raw = id.to_be_bytes().to_vec();
    raw.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    raw.extend([0x01, 0x38, 0x00, 0x00, 0x00, 0x01, 0, 1]);
    raw.extend_from_slice(body);
    raw.push(check(&raw));
    raw
}

/// A packet of pass-through bytes.
fn jt808_packet(serial: u8, total: u8, number: u8) -> Vec<u8> {
    let mut raw = vec![0x09, 0x00, 0x20, 5, 0x01, 0x38, 0x00, 0x00, 0x00, 0x01, 0, serial, 0, total, 0, number];
    raw.extend([0xF0, 1, 2, 3, number]);
    raw.push(check(&raw));
    raw
}

fn position_body(wire: &Wire<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    for word in [wire.alarm, wire.status, wire.lat_e6.unsigned_abs(), wire.lon_e6.unsigned_abs()] {
        body.extend(word.to_be_bytes());
    }
    for word in [wire.altitude_m, wire.speed_dkmh, wire.course_degree] {
        body.extend(word.to_be_bytes());
    }
    body.extend(wire.time_bcd);
    body
}

pub(crate) fn jt808_position(wire: &Wire<'_>) -> Vec<u8> {
    jt808_frame(0x0200, &position_body(wire))
}

pub(crate) fn jt808_batch(wires: &[Wire<'_>]) -> Vec<u8> {
    let mut body = u16::try_from(wires.len()).unwrap().to_be_bytes().to_vec();
    body.push(0);
    for wire in wires {
        let position = position_body(wire);
        body.extend(u16::try_from(position.len()).unwrap().to_be_bytes());
        body.extend(position);
    }
    jt808_frame(0x0704, &body)
}
