//! Any bytes split and read as one frame without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::hj212::{Message, Parts, Suffix, answer, answer_to, cn, direction};

fn run(bytes: &[u8]) {
    let parts = Parts::split(bytes);
    parts.problems();
    let text = parts.text();
    let (message, problems) = Message::parse(&text);
    assert!(problems.iter().all(|problem| problem.offset <= text.len()));
    message.data_time();
    message.request_time();
    message.split();
    direction(&message);
    answer_to(&message);
    for item in &message.items {
        for field in &item.fields {
            Suffix::of(field);
            item.flag(field.code);
        }
    }
    answer(cn::DATA_ACK, &message, "123456");
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
