//! Promises of the JT/T 808 codec, on synthetic frames.

use super::*;
use proptest::prelude::*;

mod every_message;
mod explained;
mod fixtures;

fn phone(version: Version) -> Phone {
    Phone::from_digits("13800000001", version).unwrap()
}

fn sample<'a>() -> Position<'a> {
    Position {
        status: status::FIXED | status::IGNITION | 3 << status::LOAD_SHIFT,
        lat_e6: 34_800_001,
        lon_e6: 113_500_002,
        altitude_m: 110,
        speed_dkmh: 421,
        course_degree: 359,
        time_bcd: time_bcd((2026, 1, 1, 12, 0, 1, 0)),
        items: vec![Item { id: 1, value: &[0, 0, 0x7e, 0x7d] }, Item { id: 0xF0, value: b"kept" }],
        ..Position::default()
    }
}

fn drain(framer: &mut Framer, stream: &[u8], cut: usize) -> Vec<Event> {
    let mut found = Vec::new();
    for chunk in stream.chunks(cut) {
        framer.push(chunk);
        while let Some(event) = framer.next_event() {
            found.push(event);
        }
        assert!(framer.buffered() <= framer.bound());
    }
    found
}

fn frames(stream: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let keep = |event| match event {
        Event::Frame { raw, .. } => Some(raw.to_vec()),
        Event::Oversize { .. } => None,
    };
    drain(&mut Framer::new(), stream, cut).into_iter().filter_map(keep).collect()
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn escapes_and_check_are_the_standards() {
    let mut framer = Framer::new();
    framer.push(&escape(&[0x30, 0x7e, 0x08, 0x7d, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    let Some(Event::Frame { raw, .. }) = framer.next_event() else { panic!("no frame") };
    assert_eq!(&raw[..5], &[0x30, 0x7e, 0x08, 0x7d, 0x55]);
    assert_eq!(check(&[1, 2, 4]), 7);
}

#[test]
fn every_fixture_reads_as_its_line_says() {
    for line in include_str!("../../testdata/jt808.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (expected, wire) = line.split_once('\t').unwrap();
        let found = frames(&hex(wire), 4096);
        assert_eq!(found.len(), 1, "{line}");
        let parts = Parts::split(&found[0]).unwrap();
        let decoded = Decoded::read(&parts.header, parts.body);
        let version = if parts.header.version.is_2019() { 2019 } else { 2013 };
        let mut said = format!("{:04x} {version} {}", parts.header.id, parts.header.phone.trimmed());
        if !parts.check_ok() {
            said.push_str(" check_bad");
        }
        if !parts.length_ok() {
            said.push_str(" length_bad");
        }
        for problem in decoded.problems {
            said.push(' ');
            said.push_str(problem.code.code());
        }
        assert_eq!(said, expected, "{wire}");
    }
}

#[test]
fn a_2019_header_with_bit_14_clear_is_recognised_by_its_length() {
    let mut wire = encode(Version::V2019 { protocol: 1 }, &phone(Version::V2019 { protocol: 1 }), 1, &Message::Logout);
    let raw = frames(&wire, 99).remove(0);
    let mut raw = raw;
    raw[2] &= 0xBF;
    let last = raw.len() - 1;
    raw[last] = check(&raw[..last]);
    wire = escape(&raw);
    let found = frames(&wire, 99).remove(0);
    let parts = Parts::split(&found).unwrap();
    assert!(parts.version_by_length && parts.check_ok() && parts.length_ok());
    assert_eq!(parts.header.phone.trimmed(), "13800000001");
}

#[test]
fn one_bad_item_does_not_cost_the_position() {
    let mut body = Vec::new();
    encode_position(&mut body, &sample());
    body.extend([0x17, 9, 1]);
    let wire = encode_raw(Version::V2013, &phone(Version::V2013), 1, None, id::POSITION, &body);
    let raw = frames(&wire, 99).remove(0);
    let parts = Parts::split(&raw).unwrap();
    let decoded = Decoded::read(&parts.header, parts.body);
    let Message::Position(position) = decoded.message else { panic!("no position") };
    assert_eq!((position.lat_e6, position.load(), position.mileage_dkm()), (34_800_001, 3, Some(0x7e7d)));
    assert_eq!(position.items.last().unwrap().value, &[1]);
    assert_eq!(decoded.problems, vec![Problem { code: ProblemCode::ItemTruncated, offset: body.len() - 3 }]);
}

#[test]
fn a_sub_packet_is_taken_whole_and_not_read() {
    let packet = Some(Packet { total: 3, number: 2 });
    let wire = encode_raw(Version::V2013, &phone(Version::V2013), 7, packet, 0x0801, b"part");
    let raw = frames(&wire, 99).remove(0);
    let parts = Parts::split(&raw).unwrap();
    assert_eq!((parts.header.packet, parts.body, parts.length_ok()), (packet, &b"part"[..], true));
    let decoded = Decoded::read(&parts.header, parts.body);
    assert_eq!(decoded.problems[0].code, ProblemCode::SubPacket);
}

#[test]
fn a_flood_without_delimiter_is_refused_and_the_next_frame_read() {
    let good = encode(Version::V2013, &phone(Version::V2013), 1, &Message::Logout);
    let stream = [vec![0x7e], vec![0x55; 5_000], good.clone()].concat();
    for cut in [1, 100, 9_000] {
        let found = drain(&mut Framer::new(), &stream, cut);
        assert!(matches!(found.first(), Some(Event::Oversize { .. })));
        assert!(matches!(found.last(), Some(Event::Frame { raw, .. }) if escape(raw) == good), "{cut}");
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V2013), any::<u8>().prop_map(|protocol| Version::V2019 { protocol })]
}

fn any_good() -> impl Strategy<Value = Vec<u8>> {
    (any_version(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..80))
        .prop_map(|(version, serial, body)| encode_raw(version, &phone(version), serial, None, 0x0900, &body))
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        parts in prop::collection::vec(prop_oneof![3 => any_good(), 1 => prop::collection::vec(any::<u8>(), 0..60)], 0..8),
        cut in 1_usize..100,
    ) {
        let stream = parts.concat();
        prop_assert_eq!(frames(&stream, cut), frames(&stream, 100_000));
        prop_assert_eq!(frames(&stream, 1), frames(&stream, 100_000));
    }

    #[test]
    fn noise_before_a_good_frame_never_loses_it(noise in prop::collection::vec(any::<u8>(), 0..5_000), good in any_good()) {
        let stream = [noise, good.clone()].concat();
        prop_assert_eq!(frames(&stream, 1_000).last().map(|raw| escape(raw)), Some(good));
    }

    #[test]
    fn garbage_neither_panics_nor_grows_the_buffer(chunks in prop::collection::vec(prop::collection::vec(
        prop_oneof![3 => any::<u8>(), 1 => Just(0x7e), 1 => Just(0x7d)], 0..2_000), 0..6)) {
        for raw in frames(&chunks.concat(), 700) {
            if let Some(parts) = Parts::split(&raw) {
                Decoded::read(&parts.header, parts.body);
            }
        }
    }

    #[test]
    fn any_body_of_any_message_is_read_without_a_panic(
        message in prop_oneof![any::<u16>(), prop::sample::select(vec![0x0001, 0x0100, 0x0102, 0x0200, 0x0704, 0x8001, 0x8004, 0x8100])],
        version in any_version(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let wire = encode_raw(version, &phone(version), 1, None, message, &body);
        let raw = frames(&wire, 4_096).remove(0);
        let parts = Parts::split(&raw).unwrap();
        prop_assert!(parts.check_ok() && parts.length_ok());
        prop_assert_eq!(parts.body, &body[..]);
        Decoded::read(&parts.header, parts.body);
    }

    #[test]
    fn what_is_written_is_read_back(
        version in any_version(), serial in any::<u16>(), alarm in any::<u32>(), status in any::<u32>(),
        lat in 0_i32..90_000_000, lon in 0_i32..180_000_000, words in any::<(u16, u16, u16)>(), minute in 0_u8..60,
        items in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..10)), 0..6), number in 0_usize..5,
        text in prop::collection::vec(1_u8..=255, 1..20), result in any::<u8>(), count in 1_usize..4,
    ) {
        let position = Position {
            alarm, status,
            lat_e6: if status & status::SOUTH == 0 { lat } else { -lat },
            lon_e6: if status & status::WEST == 0 { lon } else { -lon },
            altitude_m: words.0, speed_dkmh: words.1, course_degree: words.2,
            time_bcd: time_bcd((2026, 11, 22, 8, minute, 59, 0)),
            items: items.iter().map(|(id, value)| Item { id: *id, value }).collect(),
        };
        let register = |form, maker, model, terminal| Message::Register(Register {
            form, province: words.0, city: words.1, maker, model, terminal_id: terminal, plate_colour: result, plate: &text,
        });
        let message = match number {
            0 => Message::Position(position),
            1 => Message::Batch(Batch { kind: BatchKind::BlindZone, positions: vec![position; count] }),
            2 if version.is_2019() => register(RegisterForm::V2019, &[1; 11], &[2; 30], &[3; 30]),
            2 => register(RegisterForm::V2013, &[1; 5], &[2; 20], &[3; 7]),
            3 => Message::PlatformReply { serial, id: words.2, result },
            _ if version.is_2019() => Message::Authenticate(Authenticate { code: &text, imei: &[b'8'; 15], software: b"v" }),
            _ => Message::Authenticate(Authenticate { code: &text, imei: &[], software: &[] }),
        };
        let wire = encode(version, &phone(version), serial, &message);
        let raw = frames(&wire, 4_096).remove(0);
        let parts = Parts::split(&raw).unwrap();
        prop_assert_eq!((parts.header.serial, parts.header.version, parts.header.phone), (serial, version, phone(version)));
        let decoded = Decoded::read(&parts.header, parts.body);
        prop_assert!(decoded.problems.iter().all(|problem| problem.code == ProblemCode::ItemLength));
        prop_assert_eq!(decoded.message, message);
    }
}
