//! Any body of 0x0200 is read: its items, safety alarms and truck states, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::jt808::{ItemValue, Position, TruckProfile, TruckState};

fn run(bytes: &[u8]) {
    let mut problems = Vec::new();
    let Ok(position) = Position::read(bytes, 0, &mut problems) else { return };
    for item in &position.items {
        if let ItemValue::TyrePressure(alarm) = item.read() {
            assert!(alarm.tyres().count() <= 255);
        }
    }
    for profile in TruckProfile::EXAMPLES {
        TruckState::read(&position, profile);
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
