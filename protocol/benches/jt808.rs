//! Cost of reading JT/T 808 on one core: from bytes on the wire to the message. `cargo bench -p lantian-protocol --bench jt808`.

use lantian_protocol::jt808::{
    Batch, BatchKind, Decoded, Event, Framer, Item, Message, Parts, Phone, Position, Version, encode, explain, time_bcd,
};

fn main() {
    divan::main();
}

const VERSION: Version = Version::V2013;

fn position(second: u8) -> Position<'static> {
    let item = |id, value| Item { id, value };
    Position {
        status: 3 | 3 << 8,
        lat_e6: 34_800_001,
        lon_e6: 113_500_002,
        altitude_m: 110,
        speed_dkmh: 421,
        course_degree: 90,
        time_bcd: time_bcd((2026, 1, 1, 12, 0, second, 0)),
        items: vec![
            item(0x01, &[0, 0, 1, 2]),
            item(0x03, &[1, 0xA4]),
            item(0x25, &[0, 0, 0, 0x11]),
            item(0x2A, &[0, 0]),
            item(0x30, &[25]),
            item(0x31, &[12]),
            item(0xF0, &[0xE1, 4, 0, 0, 2, 0, 0xE7]),
        ],
        ..Position::default()
    }
}

fn wire(message: &Message<'_>) -> Vec<u8> {
    Phone::from_digits("13800000001", VERSION).map(|phone| encode(VERSION, &phone, 1, message)).unwrap_or_default()
}

fn batch() -> Vec<u8> {
    let positions = (0..10).map(position).collect();
    wire(&Message::Batch(Batch { kind: BatchKind::BlindZone, positions }))
}

/// Framing, check, header and body.
fn read(framer: &mut Framer, wire: &[u8]) -> usize {
    framer.push(wire);
    let mut problems = 0;
    while let Some(event) = framer.next_event() {
        let Event::Frame { raw, .. } = event else { continue };
        let Some(parts) = Parts::split(&raw) else { continue };
        let decoded = Decoded::read(&parts.header, parts.body);
        problems += decoded.problems.len() + usize::from(!parts.check_ok());
        divan::black_box(&decoded.message);
    }
    problems
}

#[divan::bench]
fn position_with_seven_items(bencher: divan::Bencher<'_, '_>) {
    let wire = wire(&Message::Position(position(1)));
    let mut framer = Framer::new();
    bencher.counter(divan::counter::BytesCount::new(wire.len())).bench_local(|| read(&mut framer, &wire));
}

#[divan::bench]
fn batch_of_ten(bencher: divan::Bencher<'_, '_>) {
    let wire = batch();
    let mut framer = Framer::new();
    bencher.counter(divan::counter::BytesCount::new(wire.len())).bench_local(|| read(&mut framer, &wire));
}

#[divan::bench]
fn explain_a_position(bencher: divan::Bencher<'_, '_>) {
    let wire = wire(&Message::Position(position(1)));
    bencher.bench_local(|| explain(&wire));
}
