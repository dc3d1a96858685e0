//! Whatever is pasted, text or hex or a dump, is explained within the bytes it has, and printed in both languages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::explain::{Language, explain, pasted, table};

fn run(bytes: &[u8]) {
    let mut found = None;
    lantian_fuzz::within(|| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(bytes) = pasted(&text) else { return };
        let Ok(explained) = explain(&bytes) else { return };
        let long = explained.plain.len();
        assert!(explained.explanation.all_troubles().all(|(place, _)| place.is_none_or(|(at, len)| at + len <= long)));
        found = Some(explained);
    });
    // Printing is for people: it has no deadline.
    let Some(explained) = found else { return };
    for language in [Language::Chinese, Language::English] {
        assert!(!table(&explained, language).is_empty());
    }
}

fuzz_target!(|bytes: &[u8]| run(bytes));
