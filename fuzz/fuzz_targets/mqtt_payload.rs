//! What a device says in JSON, over MQTT or by HTTP: any bytes are a document within its bounds, or refused with a place; any bytes are a
//! topic of ours or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::mqtt::payload::{FIELDS_MAX, PROBLEMS_MAX, RECORDS_MAX, read};
use protocol::mqtt::topic::{check_filter, check_name, matches};

fn run(bytes: &[u8]) {
    if let Ok(document) = read(bytes) {
        assert!(document.readings.len() <= RECORDS_MAX && document.problems.len() <= PROBLEMS_MAX);
        assert!(document.readings.iter().all(|reading| reading.values.len() <= FIELDS_MAX));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some((filter, name)) = text.split_once('\n')
        && check_filter(filter).is_ok()
        && check_name(name).is_ok()
    {
        matches(filter, name);
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
