//! Any bytes, cut by the first byte, give the same frames as uncut, within the bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::hj212::{Event, Framer};

fn frames(bytes: &[u8], cut: usize) -> Vec<Event> {
    let mut framer = Framer::new(512);
    let mut events = Vec::new();
    for chunk in bytes.chunks(cut) {
        framer.push(chunk);
        while let Some(event) = framer.next_event() {
            if matches!(event, Event::Frame { .. }) {
                events.push(event);
            }
        }
        assert!(framer.buffered() <= framer.bound());
    }
    events
}

fn run(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    assert_eq!(frames(bytes, usize::from(*cut).max(1)), frames(bytes, 1 << 20));
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
