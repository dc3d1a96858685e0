//! Any kept reading is decoded by a map that uses every kind, order and rule.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::modbus::{Function, Kind, Order, Point, Reading, decode, decode_text, raw_words};

const KINDS: [Kind; 15] = [
    Kind::Bit,
    Kind::U8Low,
    Kind::U8High,
    Kind::I8Low,
    Kind::I8High,
    Kind::U16,
    Kind::I16,
    Kind::U32,
    Kind::I32,
    Kind::F16,
    Kind::F32,
    Kind::U64,
    Kind::I64,
    Kind::F64,
    Kind::Text(3),
];

fn run(bytes: &[u8]) {
    let Some((rule, bytes)) = bytes.split_first() else { return };
    let Ok(reading) = Reading::decode(bytes) else { return };
    let order = [Order::Abcd, Order::Cdab, Order::Badc, Order::Dcba][usize::from(rule % 4)];
    let functions = [Function::Coils, Function::DiscreteInputs, Function::HoldingRegisters, Function::InputRegisters];
    let mut map = Vec::new();
    for block in reading.blocks.iter().take(8) {
        for (kind, function) in KINDS.into_iter().flat_map(|kind| functions.map(|function| (kind, function))) {
            map.push(Point {
                order,
                bit: rule % 20,
                mask: (rule & 0x80 != 0).then_some(u64::from(*rule) << 8),
                valid: (rule & 0x40 != 0).then_some((0, 1000)),
                sentinel: Some(-1),
                ..Point::new("v", function, block.address, kind)
            });
        }
    }
    assert!(
        decode(&reading, &map).iter().all(|outcome| outcome.value.is_ok_and(f64::is_finite) || outcome.value.is_err())
    );
    for point in &map {
        decode_text(&reading, point).ok(); // any text or refusal will do
        raw_words(&reading, point).ok(); // as above
    }
}

fuzz_target!(|bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
