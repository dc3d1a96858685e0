//! Any bytes are an ONVIF event within its bounds or no JSON, and any text is a topic of another convention or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::mqtt::foreign::Foreign;
use protocol::mqtt::onvif::{ITEMS_MAX, plain_topic, read};

fn run(bytes: &[u8]) {
    if let Ok(event) = read(bytes) {
        assert!(event.source.len() + event.data.len() <= 2 * ITEMS_MAX);
        event.item("PlateNumber");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        Foreign::parse(text);
        plain_topic(text);
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
