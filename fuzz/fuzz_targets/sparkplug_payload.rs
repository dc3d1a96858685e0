//! Any bytes are a Sparkplug payload or an error with its place; what was read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::sparkplug::{METRICS_MAX, Payload};

fn run(bytes: &[u8]) {
    let payload = match Payload::read(bytes) {
        Ok(payload) => payload,
        Err(error) => {
            assert!(error.offset() <= bytes.len().max(METRICS_MAX));
            return;
        }
    };
    for metric in &payload.metrics {
        assert!(metric.value.number(metric.datatype).is_none_or(f64::is_finite));
    }
    let written = payload.encode();
    let again = Payload::read(&written).expect("what we write is read");
    // Compared as bytes: not a number is unlike itself.
    assert_eq!(again.encode(), written);
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
