//! One 0x0200 with seven items, from bytes on the wire to its fields, by our codec and by the crate `jt808` 0.1.1, in turns;
//! prints medians and their ratio. Ours checks the frame's check code, every length and the identity's digits; the peer
//! checks none of them. No published library for HJ 212 was found in the registries of Rust, Python and Node.

use bytes::BytesMut;
use jt808::bytes::JtBytes;
use jt808::codec::Jt808Codec;
use jt808::models::jt0x0200::Jt0x0200;
use jt808::models::Jt808BodyTrans;
use lantian_protocol::jt808::{Decoded, Event, Framer, Item, Message, Parts, Phone, Position, Version, encode, time_bcd};
use std::hint::black_box;
use std::time::Instant;
use tokio_util::codec::Decoder;

const FRAMES: u32 = 200_000;
const RUNS: usize = 9;

fn main() {
    let Some(wire) = wire() else { return eprintln!("the phone number is none") };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(timed(|| our_own(&wire)));
        theirs.push(timed(|| peer(&wire)));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("JT/T 808 0x0200 with seven items, {} bytes, decode: lantian {ours:.0} ns, jt808 0.1.1 {theirs:.0} ns, ratio {:.2} (medians of {RUNS} runs of {FRAMES} frames)", wire.len(), theirs / ours);
}

fn wire() -> Option<Vec<u8>> {
    let item = |id, value| Item { id, value };
    let position = Position {
        status: 3 | 3 << 8,
        lat_e6: 34_800_001,
        lon_e6: 113_500_002,
        altitude_m: 110,
        speed_dkmh: 421,
        course_degree: 90,
        time_bcd: time_bcd((2026, 1, 1, 12, 0, 1, 0)),
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
    };
    let phone = Phone::from_digits("13800000001", Version::V2013)?;
    Some(encode(Version::V2013, &phone, 1, &Message::Position(position)))
}

fn our_own(wire: &[u8]) -> usize {
    let mut framer = Framer::new();
    let mut items = 0;
    for _ in 0..FRAMES {
        framer.push(black_box(wire));
        while let Some(event) = framer.next_event() {
            let Event::Frame { raw, .. } = event else { continue };
            let Some(parts) = Parts::split(&raw) else { continue };
            let decoded = Decoded::read(&parts.header, parts.body);
            if let (true, Message::Position(position)) = (parts.check_ok(), &decoded.message) {
                items += position.items.len();
            }
        }
    }
    items
}

fn peer(wire: &[u8]) -> usize {
    let mut codec = Jt808Codec::new_with_max_length(4096);
    let mut input = BytesMut::with_capacity(4096);
    let mut items = 0;
    for _ in 0..FRAMES {
        input.extend_from_slice(black_box(wire));
        while let Ok(Some(frame)) = codec.decode(&mut input) {
            let position = Jt0x0200::fill_new(&mut JtBytes::from(frame.get_body()), &frame);
            items += usize::from(black_box(&position).gps.speed == 421) * 7;
        }
    }
    items
}

/// Nanoseconds a frame.
fn timed(run: impl Fn() -> usize) -> f64 {
    let begin = Instant::now();
    let items = run();
    assert_eq!(items, FRAMES as usize * 7, "every frame is read with its items");
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(FRAMES)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
