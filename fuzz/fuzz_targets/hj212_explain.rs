//! Any bytes are explained: every byte in exactly one innermost span, every trouble within the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::hj212::{explain, explain_kept};

fn run(bytes: &[u8]) {
    for explained in [explain(bytes), explain_kept(bytes)] {
        let mut at = 0;
        for (index, span) in explained.spans.iter().enumerate() {
            assert!(span.len > 0 && span.at == at);
            if explained.spans.get(index + 1).is_none_or(|next| next.depth <= span.depth) {
                at += span.len;
            }
        }
        assert_eq!(at, bytes.len());
        assert!(explained.all_troubles().all(|(place, _)| place.is_none_or(|(at, len)| at + len <= bytes.len())));
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
