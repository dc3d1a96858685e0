//! Modbus without the wire: which blocks to read ([`plan`]), how the answers of one poll are kept ([`reading`]), and what
//! the registers say ([`decode`]). Callers map their register rows to [`Point`]s.

pub mod decode;
pub mod plan;
pub mod reading;

pub use decode::{Outcome, ValueProblem, decode};
pub use plan::{Block, PlanLimits, plan};
pub use reading::{Answer, BlockAnswer, Reading};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bit,
    U16,
    I16,
    U32,
    I32,
    F32,
    U64,
    I64,
    F64,
}

impl Kind {
    /// Registers it takes.
    pub const fn width(self) -> u16 {
        match self {
            Self::Bit | Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
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
    /// The raw integer that means "no reading".
    pub sentinel: Option<i64>,
    /// Not read in one block with its neighbours.
    pub alone: bool,
}
