//! Any bytes are a reading or an error; what is read is written back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::modbus::Reading;

fn run(bytes: &[u8]) {
    if let Ok(reading) = Reading::decode(bytes) {
        assert_eq!(Reading::decode(&reading.encode()), Ok(reading));
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
