//! Whatever a device says to a history request, line by line, the request ends once and within its time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::hj212::{Dialogue, Heard, History, Message, Period, Request, Step, Timing};

fn run(bytes: &[u8]) {
    let period = Period { begin: (2026, 1, 1, 0, 0, 0, 0), end: (2026, 1, 2, 0, 0, 0, 0) };
    let request = Request::GetHistory { history: History::Hour, period };
    let mut dialogue = Dialogue::start(&request, "A", "20260101120000123", Timing::default(), 0);
    let (mut now, mut ended) = (0, 0);
    for line in bytes.split(|byte| *byte == b'\n') {
        now += line.first().map_or(0, |byte| i64::from(*byte) * 100);
        let text = String::from_utf8_lossy(line);
        ended += u32::from(matches!(dialogue.on_message(&Message::parse(&text).0, now), Heard::Ended(_)));
        let before = dialogue.ending();
        ended += u32::from(matches!(dialogue.on_time(now), Step::Ended(_)) && before.is_none());
    }
    assert!(ended <= 1);
    now += 2 * Timing::default().total_ms;
    while dialogue.deadline_ms().is_some() {
        dialogue.on_time(now);
        now += 10_000;
    }
    assert!(dialogue.ending().is_some());
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
