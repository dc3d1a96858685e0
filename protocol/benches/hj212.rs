//! What one HJ 212 frame costs: framing, reading, answering, explaining. `cargo bench -p lantian-protocol --bench hj212`.

use divan::{Bencher, black_box};
use lantian_protocol::hj212::{Event, Framer, Head, Message, Parts, answer, cn, crc, encode, explain};

fn main() {
    divan::main();
}

/// A 2011 of six factors, as a dust logger sends it.
fn real_time() -> Vec<u8> {
    let head = Head {
        qn: Some("20260101120000123"),
        st: Some("39"),
        cn: Some("2011"),
        pw: Some("123456"),
        mn: Some("4101000000000000000000A1"),
        flag: Some(5),
        packet: None,
    };
    let factors =
        ["a34001-Rtd=217", "a34002-Rtd=95", "a34004-Rtd=27", "a01001-Rtd=12.6", "a01002-Rtd=32", "LA-Rtd=50.1"];
    let items: Vec<String> =
        factors.iter().map(|value| format!("{value},{}-Flag=N", value.split('-').next().unwrap_or_default())).collect();
    encode(&head, &format!("DataTime=20260101120000;{}", items.join(";")))
}

/// Bytes to frame, split, check, parse: what the gateway does with each frame.
#[divan::bench]
fn frame_and_decode(bencher: Bencher<'_, '_>) {
    let raw = real_time();
    let mut framer = Framer::default();
    bencher.bench_local(|| {
        framer.push(black_box(&raw));
        let mut fields = 0;
        while let Some(event) = framer.next_event() {
            if let Event::Frame { raw, .. } = event {
                let parts = Parts::split(&raw);
                let text = parts.text();
                let (message, problems) = Message::parse(&text);
                fields += usize::from(parts.crc_ok()) + message.items.len() + problems.len();
            }
        }
        fields
    });
}

/// One frame's bytes to a message, check included: what settle does.
#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let raw = real_time();
    bencher.bench_local(|| {
        let parts = Parts::split(black_box(&raw));
        let right = parts.crc_ok();
        let text = parts.text();
        (right, Message::parse(&text).0.items.len())
    });
}

#[divan::bench]
fn check_alone(bencher: Bencher<'_, '_>) {
    let raw = real_time();
    bencher.bench_local(|| crc(black_box(Parts::split(&raw).segment)));
}

#[divan::bench]
fn write_an_answer(bencher: Bencher<'_, '_>) {
    let raw = real_time();
    let text = Parts::split(&raw).text().into_owned();
    let (message, _) = Message::parse(&text);
    bencher.bench_local(|| answer(cn::DATA_ACK, black_box(&message), "123456"));
}

#[divan::bench]
fn explain_it(bencher: Bencher<'_, '_>) {
    let raw = real_time();
    bencher.bench_local(|| explain(black_box(&raw)));
}

/// Logs upon logs, none of which ends.
#[divan::bench]
fn explain_open_logs_64k(bencher: Bencher<'_, '_>) {
    let raw = ["CP=&&", &"a=//b;".repeat(10_900)].concat();
    bencher.bench_local(|| explain(black_box(raw.as_bytes())));
}

/// The worst a peer can send in one frame's bytes: starts upon starts, none of which ends.
#[divan::bench]
fn frame_noise_8k(bencher: Bencher<'_, '_>) {
    let raw = b"##8000A&&0000\n".repeat(600);
    bencher.bench_local(|| {
        let mut framer = Framer::default();
        framer.push(black_box(&raw));
        let mut events = 0;
        while framer.next_event().is_some() {
            events += 1;
        }
        events
    });
}
