//! From the register rows of a device profile to the codec's points and blocks.

use model::register::{ModbusPoll, Register, RegisterKind, WordOrder};
use protocol::modbus::{Block, Function, Kind, Order, PlanLimits, Point, plan};

/// The points of a register map. A row with an unknown function code, or an address of another table, is left out: there is
/// nothing to read.
pub fn points(registers: &[Register]) -> Vec<Point<'_>> {
    registers.iter().filter_map(point).collect()
}

/// The reads that cover a device's registers.
pub fn blocks(poll: &ModbusPoll) -> Vec<Block> {
    let limits = PlanLimits {
        gap_max: poll.max_gap,
        registers_max: poll.max_registers,
        one_by_one: poll.one_by_one,
        bits_from_zero: poll.coils_from_zero,
        ..PlanLimits::default()
    };
    plan(&points(&poll.registers), limits)
}

fn point(register: &Register) -> Option<Point<'_>> {
    Some(Point {
        code: &register.code,
        function: Function::from_u8(register.function)?,
        address: register.wire_address()?,
        kind: match register.kind {
            RegisterKind::Bit => Kind::Bit,
            RegisterKind::U8Low => Kind::U8Low,
            RegisterKind::U8High => Kind::U8High,
            RegisterKind::I8Low => Kind::I8Low,
            RegisterKind::I8High => Kind::I8High,
            RegisterKind::U16 => Kind::U16,
            RegisterKind::I16 => Kind::I16,
            RegisterKind::U32 => Kind::U32,
            RegisterKind::I32 => Kind::I32,
            RegisterKind::F16 => Kind::F16,
            RegisterKind::F32 => Kind::F32,
            RegisterKind::U64 => Kind::U64,
            RegisterKind::I64 => Kind::I64,
            RegisterKind::F64 => Kind::F64,
            RegisterKind::Text => Kind::Text(register.length.unwrap_or(1)),
        },
        order: match register.order {
            WordOrder::Abcd => Order::Abcd,
            WordOrder::Cdab => Order::Cdab,
            WordOrder::Badc => Order::Badc,
            WordOrder::Dcba => Order::Dcba,
        },
        bit: register.bit.unwrap_or(0),
        mask: register.mask,
        sentinel: register.sentinel,
        valid: register.valid,
        alone: register.alone,
        split: register.split,
    })
}
