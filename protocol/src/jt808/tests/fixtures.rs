//! Every message and every known deviation as a frame on the wire, with what it says.
//!
//! `testdata/jt808_messages.tsv`: name, troubles, reading (the fields of the body with their values), hex.

use super::*;
use std::fmt::Write;

const FIXTURES: &str = include_str!("../../../testdata/jt808_messages.tsv");

fn fixtures() -> impl Iterator<Item = [&'static str; 4]> {
    FIXTURES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        [(); 4].map(|()| columns.next().unwrap())
    })
}

fn reading(wire: &[u8]) -> (String, String) {
    let explanation = explain(wire);
    let troubles: Vec<_> = explanation.all_troubles().map(|(_, trouble)| trouble.code).collect();
    let troubles = if troubles.is_empty() { "-".to_owned() } else { troubles.join(" ") };
    let mut text = explanation.title.en.to_owned();
    let is_leaf = |index: usize, depth: u8| explanation.spans.get(index + 1).is_none_or(|next| next.depth <= depth);
    let chunk = wire.starts_with(b"\x30\x31\x63\x64");
    for (index, span) in explanation.spans.iter().enumerate() {
        let of_body = chunk || span.depth > 0 && !HEADER.contains(&&*span.name);
        if of_body && is_leaf(index, span.depth) {
            write!(text, "; {}={}{}", span.name, span.value, span.unit).unwrap();
        }
    }
    (troubles, text)
}

const HEADER: &[&str] =
    &["msg_id", "attributes", "protocol_version", "phone", "serial", "packet_total", "packet_number"];

#[test]
fn every_frame_reads_as_its_line_says() {
    let mut others = Vec::new();
    for [name, troubles, expected, wire] in fixtures() {
        let (found, text) = reading(&hex(wire));
        if (found.as_str(), text.as_str()) != (troubles, expected) {
            others.push(format!("{name}\t{found}\t{text}\t{wire}"));
        }
    }
    assert!(others.is_empty(), "these read otherwise:\n{}", others.join("\n"));
}

#[test]
fn what_reads_without_trouble_is_written_as_it_was() {
    let mut written = 0;
    for [name, troubles, _, wire] in fixtures().filter(|[_, troubles, ..]| *troubles == "-") {
        let bytes = hex(wire);
        let found = frames(&bytes, 4_096);
        // A chunk of a file is no frame.
        let Some(raw) = found.first().filter(|_| bytes.first() == Some(&0x7e)) else { continue };
        let parts = Parts::split(raw).unwrap();
        let header = parts.header;
        let message = Decoded::read(&header, parts.body).message;
        let body = encode_body(header.version, &message);
        let again = encode_raw(header.version, &header.phone, header.serial, header.packet, message.id(), &body);
        assert_eq!((again, troubles), (bytes, "-"), "{name}");
        written += 1;
    }
    assert!(written > 150, "{written}");
}

#[test]
fn every_message_with_a_body_of_its_own_has_a_frame() {
    let read: Vec<u16> = fixtures()
        .filter_map(|[.., wire]| {
            let raw = frames(&hex(wire), 4_096).into_iter().next()?;
            let parts = Parts::split(&raw)?;
            let decoded = Decoded::read(&parts.header, parts.body);
            let other = matches!(decoded.message, Message::Other { .. });
            (!other && decoded.problems.is_empty()).then_some(parts.header.id)
        })
        .collect();
    let typed = KINDS.iter().map(|kind| kind.id).filter(|id| {
        let long = [0_u8; 400];
        !matches!(Decoded::read_whole(*id, Version::V2019 { protocol: 1 }, &long).message, Message::Other { .. })
    });
    let missing: Vec<_> = typed.filter(|id| !read.contains(id)).map(|id| format!("{id:04x}")).collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn items_keep_their_meaning_at_other_lengths() {
    fn read(id: u8, value: &[u8]) -> ItemValue<'_> {
        Item { id, value }.read()
    }
    assert_eq!(read(0x17, &[1]), ItemValue::StorageFault(1));
    assert_eq!(read(0x18, &[0, 1]), ItemValue::AbnormalDriving { kinds: 1, fatigue: None });
    assert_eq!(read(0x18, &[0, 1, 60]), ItemValue::AbnormalDriving { kinds: 1, fatigue: Some(60) });
    assert_eq!(read(0x18, &[0, 1, 60, 9]), ItemValue::AbnormalDriving { kinds: 1, fatigue: Some(60) });
    assert_eq!(read(0x11, &[0]), ItemValue::Overspeed { kind: 0, area: None });
    assert_eq!(read(0x06, &[0x80, 5]), ItemValue::CabinTemperature(-5));
    assert_eq!(read(0x06, &[0xFF, 0xFB]), ItemValue::CabinTemperature(-5));
    assert_eq!(read(0x12, &[1, 0]), ItemValue::Other(&[1, 0]));
    assert_eq!(read(0x30, &[1, 0]), ItemValue::Other(&[1, 0]));
    assert_eq!(read(0x01, &[]), ItemValue::Other(&[]));
    assert_eq!(read(0xF1, &[1, 0]), ItemValue::Other(&[1, 0]));
    for (len, form) in [(47, Some(AlarmForm::SuBiao)), (71, Some(AlarmForm::YueBiao)), (46, None)] {
        let value = vec![1; len];
        let alarm = match read(0x64, &value) {
            ItemValue::Adas(alarm) => Some(alarm.alarm.form),
            _ => None,
        };
        assert_eq!(alarm, form);
    }
}

#[test]
fn the_tyres_of_an_alarm_are_told_one_by_one() {
    let [.., wire] = fixtures().find(|[name, ..]| *name == "tyre alarm of Su-biao").unwrap();
    let raw = frames(&hex(wire), 4_096).remove(0);
    let parts = Parts::split(&raw).unwrap();
    let Message::Position(position) = Decoded::read(&parts.header, parts.body).message else { panic!("no position") };
    let ItemValue::TyrePressure(alarm) = position.item(0x66).unwrap().read() else { panic!("no tyres") };
    let tyre = Tyre { position: 1, alarm: 1, pressure_kpa: 800, temperature_c: 40, battery_percent: 90 };
    assert_eq!((alarm.tyres().collect::<Vec<_>>(), alarm.alarm.form), (vec![tyre], AlarmForm::SuBiao));
}

#[test]
fn the_standards_printed_escape_is_undone() {
    assert_eq!(plain(&hex("24247e307d02087d01557e")), hex("24247e307e087d557e"));
}
