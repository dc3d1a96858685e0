//! Any stream of attachments, cut anywhere: no panic, no growth beyond the bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::jt808::AttachmentFramer;

fn run(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else { return };
    let mut framer = AttachmentFramer::new();
    for chunk in stream.chunks(usize::from(*cut).max(1)) {
        framer.push(chunk);
        while framer.next_event().is_some() {}
        assert!(framer.buffered() <= framer.bound());
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
