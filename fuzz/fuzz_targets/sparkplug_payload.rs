//! Any bytes are a Sparkplug B payload within its bounds or refused with a place; what is read is written so that it reads the same. Numbers
//! are finite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::sparkplug::{METRICS_MAX, NAME_BYTES_MAX, Payload, Topic, Value};

fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        Topic::parse(text);
    }
    let Ok(payload) = Payload::read(bytes) else { return };
    assert!(payload.metrics.len() <= METRICS_MAX);
    for metric in &payload.metrics {
        assert!(metric.name.is_none_or(|name| name.len() <= NAME_BYTES_MAX));
        assert!(metric.value.number(metric.datatype).is_none_or(f64::is_finite));
    }
    // Not a number is not itself, and what was passed over is not written.
    let plain = |value: &Value<'_>| match value {
        Value::Float(number) => !number.is_nan(),
        Value::Double(number) => !number.is_nan(),
        value => *value != Value::Other,
    };
    if payload.metrics.iter().all(|metric| plain(&metric.value)) {
        assert_eq!(Payload::read(&payload.encode()), Ok(payload));
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
