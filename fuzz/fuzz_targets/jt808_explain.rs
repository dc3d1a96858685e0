//! Any bytes are explained, every one of them once, within the bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::jt808::{SPANS_MAX, explain, plain};

fn run(bytes: &[u8]) {
    let spans = explain(bytes).spans;
    assert!(spans.len() <= SPANS_MAX);
    let mut at = 0;
    for (index, span) in spans.iter().enumerate() {
        let is_leaf = spans.get(index + 1).is_none_or(|next| next.depth <= span.depth);
        if is_leaf {
            assert_eq!(span.at, at);
            at += span.len;
        }
    }
    assert_eq!(at, plain(bytes).len());
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
