//! Any packets in any order stay inside the bounds. A packet: id, total, number, serial, length, later, then its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::jt808::{Header, Outcome, Packet, Phone, Reassembly, ReassemblyLimits, Version};

fn run(bytes: &[u8]) {
    let limits = ReassemblyLimits { trains_max: 3, packets_max: 9, message_bytes_max: 400, bytes_max: 900, age_ms_max: 90 };
    let mut reassembly = Reassembly::new(limits);
    let mut now_ms = 0;
    let mut rest = bytes;
    while let [id, total, number, serial, len, later, tail @ ..] = rest {
        let body = tail.get(..usize::from(*len)).unwrap_or(tail);
        rest = tail.get(body.len()..).unwrap_or_default();
        now_ms += u64::from(*later);
        let packet = Some(Packet { total: u16::from(*total % 12), number: u16::from(*number % 12) });
        let header = Header {
            id: 0x0800 + u16::from(*id % 3),
            version: Version::V2013,
            phone: Phone::from_bcd(&[1, 0x38, 0, 0, 0, 1]),
            serial: u16::from(*serial),
            packet: packet.filter(|_| *id < 200),
            encryption: 0,
            declared: 0,
        };
        if let Outcome::Whole(whole) = reassembly.push(now_ms, &header, body).outcome {
            assert!(whole.body.len() <= 400);
        }
        reassembly.missing(now_ms, 20, 2);
        let (trains, held) = reassembly.held();
        assert!(trains <= 3 && held <= 900);
    }
    reassembly.close();
    assert_eq!(reassembly.held(), (0, 0));
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
