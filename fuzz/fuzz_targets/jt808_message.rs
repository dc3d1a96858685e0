//! Any un-escaped bytes are read without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::jt808::{Decoded, Message, Parts, encode};

fn run(bytes: &[u8]) {
    let Some(parts) = Parts::split(bytes) else { return };
    let decoded = Decoded::read(&parts.header, parts.body);
    if let Message::Position(position) = &decoded.message {
        position.time();
        for item in &position.items {
            item.read();
        }
    }
    encode(parts.header.version, &parts.header.phone, parts.header.serial, &decoded.message);
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
