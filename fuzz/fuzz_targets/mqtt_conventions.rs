//! Topic and payload of others' conventions over MQTT: any bytes are answered, and what is found lies within them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::mqtt::foreign::Foreign;
use protocol::mqtt::{onvif, payload, thingsboard, titled};

fn run(bytes: &[u8]) {
    let (topic, body) = titled::split(bytes).unwrap_or(("", bytes));
    if let Some(Foreign::OnvifEvent { topic, .. }) = Foreign::parse(topic) {
        assert!(onvif::plain_topic(topic).len() <= topic.len());
    }
    if let Ok(event) = onvif::read(body) {
        assert!(event.data.len() <= onvif::ITEMS_MAX && event.source.len() <= onvif::ITEMS_MAX);
    }
    for part in thingsboard::parts(body).unwrap_or_default() {
        payload::read(&body[part.range]).ok();
    }
    thingsboard::device(body).ok();
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
