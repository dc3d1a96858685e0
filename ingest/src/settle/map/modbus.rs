//! One Modbus poll → one instant record. The slave tells no time: the record happened when the answer came. A register that the slave refused, that
//! was not read, or that says "no reading" is missing, never zero.

use super::{Named, Unmapped, put};
use crate::settle::draft::{Decoded, Fault};
use crate::settle::foreign::Foreign;
use crate::settle::profile::Profile;
use model::envelope::Envelope;
use model::record::{Flag, RecordKind, Statistic};
use model::register::{Register, RegisterKind, WordOrder};
use model::time::EventTime;
use protocol::modbus::{self, Function, Kind, Order, Point, Reading, ValueProblem};

/// The answers of one poll, by the profile's register map.
pub fn decode<'p>(envelope: &Envelope, profile: &'p Profile, foreign: &mut Foreign) -> Decoded<'p> {
    let reading = match Reading::decode(&envelope.raw) {
        Ok(reading) => reading,
        Err(error) => return Decoded::Unreadable(Fault::not_understood(error.to_string())),
    };
    let mut draft = super::draft(envelope.device, RecordKind::Instant, EventTime(envelope.received.0));
    // Text is no measurement.
    let numbers = profile.source.registers.iter().filter(|register| register.kind != RegisterKind::Text);
    let map: Vec<Point<'_>> = numbers.filter_map(point).collect();
    for outcome in modbus::decode(&reading, &map) {
        match outcome.value {
            Ok(wire) => {
                let (statistic, default) = (None, Statistic::Instant);
                let named = Named { code: outcome.code, statistic, default, flag: Flag::Normal, wire };
                put(&mut draft, profile, foreign, Unmapped::BuiltInOrForeign, named);
            }
            Err(ValueProblem::Sentinel) => {}
            Err(ValueProblem::NotRead) => draft.remark("register_not_read", outcome.code),
            Err(ValueProblem::Refused(code)) => {
                draft.remark("register_refused", &format!("{} exception {code}", outcome.code));
            }
            Err(ValueProblem::OutOfRange) => draft.remark("register_out_of_range", outcome.code),
            Err(ValueProblem::NotFinite) => draft.remark("value_not_finite", outcome.code),
            Err(ValueProblem::MapWrong | ValueProblem::NotOfKind) => draft.remark("register_map_wrong", outcome.code),
        }
    }
    Decoded::Drafts(vec![draft])
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
