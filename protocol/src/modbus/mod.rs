//! Modbus without the wire: which blocks to read ([`plan`]), how the answers of one poll are kept ([`reading`]), and what
//! the registers say ([`decode`]). Callers map their register rows to [`Point`]s. For streams that carry RTU frames,
//! [`rtu`] asks and recognises answers, and [`dtu`] reads how a modem names itself when it dials in; [`explain`] says a frame
//! byte by byte.

pub mod decode;
pub mod dtu;
pub mod explain;
pub mod plan;
pub mod reading;
pub mod rtu;

pub use decode::{Outcome, ValueProblem, decode, decode_text, raw_words};
pub use plan::{Block, PlanLimits, plan};
pub use reading::{Answer, BlockAnswer, Reading};
pub use rtu::crc16;

/// The four tables; the numbers are the reading function codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Function {
    Coils = 1,
    DiscreteInputs = 2,
    HoldingRegisters = 3,
    InputRegisters = 4,
}

impl Function {
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Coils),
            2 => Some(Self::DiscreteInputs),
            3 => Some(Self::HoldingRegisters),
            4 => Some(Self::InputRegisters),
            _ => None,
        }
    }

    /// Coils and discrete inputs hold bits, the others 16-bit registers.
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coils | Self::DiscreteInputs)
    }
}

/// How a value lies in its registers. A fixed-point number is an integer kind whose factor has a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bit,
    /// The low byte of a register.
    U8Low,
    /// The high byte of a register.
    U8High,
    I8Low,
    I8High,
    U16,
    I16,
    U32,
    I32,
    /// Half precision.
    F16,
    F32,
    U64,
    I64,
    F64,
    /// Two characters a register; so many registers. No number: see [`decode_text`].
    Text(u8),
}

impl Kind {
    /// Registers it takes.
    pub const fn width(self) -> u16 {
        match self {
            Self::Bit
            | Self::U8Low
            | Self::U8High
            | Self::I8Low
            | Self::I8High
            | Self::U16
            | Self::I16
            | Self::F16
            | Self::Text(0) => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
            Self::Text(registers) => registers as u16,
        }
    }
}

/// Byte order of a value in the usual letters; `Abcd` is big-endian throughout, `Cdab` has its words the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    Abcd,
    Cdab,
    Badc,
    Dcba,
}

/// One value of a register map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point<'a> {
    pub code: &'a str,
    pub function: Function,
    /// 0-based, as on the wire.
    pub address: u16,
    pub kind: Kind,
    pub order: Order,
    /// For [`Kind::Bit`] in a register: which bit, 0 = least.
    pub bit: u8,
    /// These bits of an integer, moved down to bit 0; unsigned.
    pub mask: Option<u64>,
    /// The raw integer that means "no reading".
    pub sentinel: Option<i64>,
    /// Raw numbers outside of these (both included) are no reading.
    pub valid: Option<(i64, i64)>,
    /// Not read in one block with its neighbours.
    pub alone: bool,
    /// Begins a block: what lies before it is not read along.
    pub split: bool,
}

impl<'a> Point<'a> {
    /// A big-endian value with nothing special about it.
    pub const fn new(code: &'a str, function: Function, address: u16, kind: Kind) -> Self {
        Self {
            code,
            function,
            address,
            kind,
            order: Order::Abcd,
            bit: 0,
            mask: None,
            sentinel: None,
            valid: None,
            alone: false,
            split: false,
        }
    }
}
