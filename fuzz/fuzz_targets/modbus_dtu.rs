//! The registration of a modem: more bytes never change what was read, and the bound ends the waiting.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::modbus::dtu::{Form, Registration};

fn run(bytes: &[u8]) {
    let Some(([length, cut, split], bytes)) = bytes.split_first_chunk::<3>() else { return };
    let (before, rest) = bytes.split_at(usize::from(split % 8).min(bytes.len()));
    let (prefix, suffix) = before.split_at(before.len() / 2);
    let (prefix, suffix, length) = (prefix.to_vec(), suffix.to_vec(), usize::from(*length));
    for form in [
        Form::Line { chars_max: length },
        Form::Ascii { chars: length },
        Form::Prefixed { prefix: prefix.clone(), length },
        Form::Framed { prefix, suffix, chars_max: length },
    ] {
        let whole = form.read(rest);
        let part = form.read(rest.get(..usize::from(*cut)).unwrap_or(rest));
        assert!(part == Registration::More || part == whole);
        assert!(rest.len() <= form.bound() || whole != Registration::More);
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
