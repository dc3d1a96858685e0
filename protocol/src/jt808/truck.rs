//! Muck trucks: cover, bed lift and load. The standard knows the load (status bits 8–9) and the doors; everything else is a
//! vendor's own, with both polarities in use. So a [`TruckProfile`] says where each state lies and which value means what;
//! profiles are data, one for each model of terminal, supplied by whoever knows the vehicle. A value that neither means yes
//! nor no, or a sensor's own fault bit, is a third state and never taken for one of the two.
//!
//! The layouts in [`TruckProfile::EXAMPLES`] were read from firmware and platforms, not from a standard: they are
//! assumptions to start from.

use super::position::Position;
use std::borrow::Cow;

/// A state that a sensor may fail to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tristate {
    Yes,
    No,
    /// The sensor says that it is broken, or something that means neither.
    Fault,
}

/// How much is on the bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Load {
    Empty,
    Half,
    Full,
    Fault,
}

/// A word of bits in a position, most significant byte first; bit 0 is the last byte's lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Status,
    Alarm,
    /// The value of an item.
    Item(u8),
    /// A value inside an item of tag, length, value and a sum byte at the end.
    Nested {
        item: u8,
        tag: u8,
    },
}

/// Some bits of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bits {
    pub place: Place,
    pub lowest: u16,
    /// 1 to 32.
    pub width: u8,
}

/// Where a state comes from. A bit that is 1 for yes has `yes: 1, no: 0`; the other polarity `yes: 0, no: 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateSource {
    pub bits: Bits,
    pub yes: u32,
    pub no: u32,
    /// 1: the sensor is broken.
    pub fault: Option<Bits>,
}

/// Where the load comes from; a value that is none of the three is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadSource {
    pub bits: Bits,
    pub empty: u32,
    pub half: Option<u32>,
    pub full: u32,
    pub fault: Option<Bits>,
}

/// How a model of terminal tells the states of a truck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruckProfile {
    pub name: Cow<'static, str>,
    pub cover_open: Option<StateSource>,
    pub bed_lifted: Option<StateSource>,
    pub load: Option<LoadSource>,
    pub overloaded: Option<StateSource>,
    /// The load's weight in the unit of the vendor.
    pub weight: Option<Bits>,
    /// Item of 13 bytes: status (0 normal), begin and end of a dump.
    pub dump_item: Option<u8>,
    /// Item of 4 bytes: bit 0 cover open, bit 1 bed lifted, outside the permitted area.
    pub violation_item: Option<u8>,
}

/// What a position says of a truck; `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TruckState {
    pub cover_open: Option<Tristate>,
    pub bed_lifted: Option<Tristate>,
    pub load: Option<Load>,
    pub overloaded: Option<Tristate>,
    pub weight: Option<u32>,
    pub dump: Option<Dump>,
    pub violations: Option<Violations>,
}

/// A dump that the terminal has seen from lift to lowering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dump {
    /// Begun and ended inside a permitted area.
    pub normal: bool,
    pub start_bcd: [u8; 6],
    pub end_bcd: [u8; 6],
}

/// What the terminal found outside the permitted area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violations {
    pub cover_open: bool,
    pub bed_lifted: bool,
}

impl Load {
    pub const fn is_loaded(self) -> Tristate {
        match self {
            Self::Empty => Tristate::No,
            Self::Half | Self::Full => Tristate::Yes,
            Self::Fault => Tristate::Fault,
        }
    }
}

impl TruckState {
    pub fn read(position: &Position<'_>, profile: &TruckProfile) -> Self {
        let state = |source: &Option<StateSource>| source.and_then(|source| source.read(position));
        Self {
            cover_open: state(&profile.cover_open),
            bed_lifted: state(&profile.bed_lifted),
            load: profile.load.and_then(|source| source.read(position)),
            overloaded: state(&profile.overloaded),
            weight: profile.weight.and_then(|bits| bits.read(position)).and_then(Word::value),
            dump: profile.dump_item.and_then(|item| Dump::read(position.item(item)?.value)),
            violations: profile.violation_item.and_then(|item| Violations::read(position.item(item)?.value)),
        }
    }
}

/// Bits that are there.
enum Word {
    Value(u32),
    /// The sum over them is wrong.
    Damaged,
}

impl Word {
    fn value(self) -> Option<u32> {
        match self {
            Self::Value(value) => Some(value),
            Self::Damaged => None,
        }
    }
}

impl Bits {
    pub const fn one(place: Place, bit: u16) -> Self {
        Self { place, lowest: bit, width: 1 }
    }

    /// `None` when the position does not have them.
    fn read(self, position: &Position<'_>) -> Option<Word> {
        let (status, alarm) = (position.status.to_be_bytes(), position.alarm.to_be_bytes());
        let value = match self.place {
            Place::Status => &status[..],
            Place::Alarm => &alarm[..],
            Place::Item(item) => position.item(item)?.value,
            Place::Nested { item, tag } => match nested(position.item(item)?.value) {
                None => return Some(Word::Damaged),
                Some(mut entries) => entries.find(|(found, _)| *found == tag)?.1,
            },
        };
        let bit = |bit: u16| {
            let byte = value.len().checked_sub(1 + usize::from(bit / 8)).and_then(|at| value.get(at))?;
            Some(u32::from(byte >> (bit % 8) & 1))
        };
        let highest = u16::from(self.width.clamp(1, 32)) - 1;
        (0..=highest)
            .rev()
            .try_fold(0, |number, offset| Some(number << 1 | bit(self.lowest.checked_add(offset)?)?))
            .map(Word::Value)
    }

    fn is_set(self, position: &Position<'_>) -> bool {
        self.read(position).and_then(Word::value).is_some_and(|value| value != 0)
    }
}

impl StateSource {
    /// A bit that is 1 for yes.
    pub const fn set(place: Place, bit: u16) -> Self {
        Self { bits: Bits::one(place, bit), yes: 1, no: 0, fault: None }
    }

    /// A bit that is 0 for yes.
    pub const fn clear(place: Place, bit: u16) -> Self {
        Self { bits: Bits::one(place, bit), yes: 0, no: 1, fault: None }
    }

    #[must_use]
    pub const fn or_fault(mut self, bit: Bits) -> Self {
        self.fault = Some(bit);
        self
    }

    fn read(self, position: &Position<'_>) -> Option<Tristate> {
        let word = self.bits.read(position)?;
        if self.fault.is_some_and(|fault| fault.is_set(position)) {
            return Some(Tristate::Fault);
        }
        Some(match word {
            Word::Value(value) if value == self.yes => Tristate::Yes,
            Word::Value(value) if value == self.no => Tristate::No,
            Word::Value(_) | Word::Damaged => Tristate::Fault,
        })
    }
}

impl LoadSource {
    /// Status bits 8–9 as the standard has them since 2013.
    pub const STANDARD: Self = Self {
        bits: Bits { place: Place::Status, lowest: 8, width: 2 },
        empty: 0,
        half: Some(1),
        full: 3,
        fault: None,
    };

    fn read(self, position: &Position<'_>) -> Option<Load> {
        let word = self.bits.read(position)?;
        if self.fault.is_some_and(|fault| fault.is_set(position)) {
            return Some(Load::Fault);
        }
        Some(match word {
            Word::Value(value) if value == self.empty => Load::Empty,
            Word::Value(value) if value == self.full => Load::Full,
            Word::Value(value) if Some(value) == self.half => Load::Half,
            Word::Value(_) | Word::Damaged => Load::Fault,
        })
    }
}

/// The entries of tag, length and value before a sum byte; `None` when the lengths do not end there or the sum is wrong.
pub fn nested(value: &[u8]) -> Option<impl Iterator<Item = (u8, &[u8])>> {
    let (sum, entries) = value.split_last()?;
    let mut rest = entries;
    while !rest.is_empty() {
        next_entry(&mut rest)?;
    }
    let found = entries.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let mut rest = entries;
    (found == *sum).then_some(std::iter::from_fn(move || next_entry(&mut rest)))
}

fn next_entry<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, len) = (*rest.first()?, usize::from(*rest.get(1)?));
    let entry = rest.get(2..2 + len)?;
    *rest = rest.get(2 + len..)?;
    Some((tag, entry))
}

impl Dump {
    fn read(value: &[u8]) -> Option<Self> {
        let (status, times) = value.split_first()?;
        let (start, end) = times.split_at_checked(6)?;
        Some(Self { normal: *status == 0, start_bcd: start.try_into().ok()?, end_bcd: end.try_into().ok()? })
    }
}

impl Violations {
    fn read(value: &[u8]) -> Option<Self> {
        let [_, _, _, low]: [u8; 4] = value.try_into().ok()?;
        Some(Self { cover_open: low & 1 != 0, bed_lifted: low & 2 != 0 })
    }
}

const E1: Place = Place::Nested { item: 0xF0, tag: 0xE1 };
const E2: Place = Place::Nested { item: 0xF0, tag: 0xE2 };

impl TruckProfile {
    /// Only what the standard has.
    pub const STANDARD: Self = Self {
        name: Cow::Borrowed("standard"),
        cover_open: None,
        bed_lifted: None,
        load: Some(LoadSource::STANDARD),
        overloaded: None,
        weight: None,
        dump_item: None,
        violation_item: None,
    };

    /// Assumed: item 0xF0 with nested entries, E1 a DWORD of states, E2 the weight.
    pub const NESTED_F0: Self = Self {
        name: Cow::Borrowed("nested-f0"),
        cover_open: Some(StateSource::set(E1, 9).or_fault(Bits::one(E1, 29))),
        bed_lifted: Some(StateSource::set(E1, 10).or_fault(Bits::one(E1, 30))),
        load: Some(LoadSource { fault: Some(Bits::one(E1, 25)), ..LoadSource::STANDARD }),
        overloaded: Some(StateSource::set(E1, 19)),
        weight: Some(Bits { place: E2, lowest: 0, width: 32 }),
        dump_item: None,
        violation_item: None,
    };

    /// Assumed: events instead of states, item E3 a dump, item E4 what happened outside the area.
    pub const EVENTS_E3_E4: Self = Self {
        name: Cow::Borrowed("events-e3-e4"),
        dump_item: Some(0xE3),
        violation_item: Some(0xE4),
        ..Self::STANDARD
    };

    /// Assumed: a cover bit of 0 for open, a lift bit, and two bits of load, in a vendor's word. Which item carries the word
    /// is not known: 0xE5 and the bits stand for it here.
    pub const COVER_CLOSED_IS_1: Self = Self {
        name: Cow::Borrowed("cover-closed-is-1"),
        cover_open: Some(StateSource::clear(Place::Item(0xE5), 0)),
        bed_lifted: Some(StateSource::set(Place::Item(0xE5), 1)),
        load: Some(LoadSource { bits: Bits { place: Place::Item(0xE5), lowest: 2, width: 2 }, ..LoadSource::STANDARD }),
        ..Self::STANDARD
    };

    /// Assumed: a byte each, 1 and 2, for lift (1 flat), load (1 empty) and cover (1 closed). The item is not known: 0xE6
    /// stands for it here.
    pub const CODES_1_AND_2: Self = Self {
        name: Cow::Borrowed("codes-1-and-2"),
        cover_open: Some(StateSource {
            bits: Bits { place: Place::Item(0xE6), lowest: 0, width: 8 },
            yes: 2,
            no: 1,
            fault: None,
        }),
        bed_lifted: Some(StateSource {
            bits: Bits { place: Place::Item(0xE6), lowest: 16, width: 8 },
            yes: 2,
            no: 1,
            fault: None,
        }),
        load: Some(LoadSource {
            bits: Bits { place: Place::Item(0xE6), lowest: 8, width: 8 },
            empty: 1,
            half: None,
            full: 2,
            fault: None,
        }),
        ..Self::STANDARD
    };

    /// Assumed: status bit 9 alone is the load.
    pub const STATUS_BIT_9: Self = Self {
        name: Cow::Borrowed("status-bit-9"),
        load: Some(LoadSource { bits: Bits::one(Place::Status, 9), empty: 0, half: None, full: 1, fault: None }),
        ..Self::STANDARD
    };

    /// Layouts to start from; all but the first are assumptions.
    pub const EXAMPLES: &[Self] = &[
        Self::STANDARD,
        Self::NESTED_F0,
        Self::EVENTS_E3_E4,
        Self::COVER_CLOSED_IS_1,
        Self::CODES_1_AND_2,
        Self::STATUS_BIT_9,
    ];
}

#[cfg(test)]
mod tests;
