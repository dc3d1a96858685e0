//! From registers to numbers, by the register map. What was not read is no value, never zero.

use super::reading::{Answer, BlockAnswer, Reading};
use super::{Kind, Order, Point};

/// What one point of the map says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome<'a> {
    pub code: &'a str,
    pub value: Result<f64, ValueProblem>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueProblem {
    /// No block of the reading holds it.
    NotRead,
    /// The slave refused the block, with its exception code.
    Refused(u8),
    /// The device says "no reading".
    Sentinel,
    /// Not a number, or infinite.
    NotFinite,
    /// A bit number above 15, or a wide kind in a bit table.
    MapWrong,
}

/// Every point of the map in its order, with its value or why it has none.
pub fn decode<'a>(reading: &Reading, map: &[Point<'a>]) -> Vec<Outcome<'a>> {
    map.iter().map(|point| Outcome { code: point.code, value: value(reading, point) }).collect()
}

fn value(reading: &Reading, point: &Point<'_>) -> Result<f64, ValueProblem> {
    let width = if point.function.is_bits() { 1 } else { point.kind.width() };
    let mut refused = None;
    for block in reading.blocks.iter().filter(|block| block.function == point.function) {
        let Some(offset) = offset_in(block, point.address, width) else { continue };
        match &block.answer {
            Answer::Exception(code) => refused = Some(ValueProblem::Refused(*code)),
            Answer::Bits(bits) => match bits.get(offset) {
                Some(_) if point.kind.width() != 1 => return Err(ValueProblem::MapWrong),
                Some(bit) => return sentinel(point, i128::from(*bit)).map(|()| f64::from(u8::from(*bit))),
                None => {}
            },
            Answer::Registers(words) => {
                if let Some(words) = words.get(offset..offset + usize::from(width)) {
                    return number(words, point);
                }
            }
        }
    }
    Err(refused.unwrap_or(ValueProblem::NotRead))
}

/// Where the point lies in the block, if whole.
fn offset_in(block: &BlockAnswer, address: u16, width: u16) -> Option<usize> {
    let offset = address.checked_sub(block.address)?;
    (u32::from(offset) + u32::from(width) <= u32::from(block.count)).then_some(usize::from(offset))
}

fn sentinel(point: &Point<'_>, raw: i128) -> Result<(), ValueProblem> {
    if point.sentinel.is_some_and(|sentinel| i128::from(sentinel) == raw) {
        return Err(ValueProblem::Sentinel);
    }
    Ok(())
}

/// The registers' bits as one unsigned number, in the point's order.
fn assemble(words: &[u16], order: Order) -> u64 {
    let word = |word: &u16| match order {
        Order::Abcd | Order::Cdab => *word,
        Order::Badc | Order::Dcba => word.swap_bytes(),
    };
    let join = |number: u64, word: u16| number << 16 | u64::from(word);
    match order {
        Order::Abcd | Order::Badc => words.iter().map(word).fold(0, join),
        Order::Cdab | Order::Dcba => words.iter().rev().map(word).fold(0, join),
    }
}

#[expect(clippy::cast_precision_loss, reason = "64-bit counters beyond 2^53 lose their last digits, as in any f64")]
fn number(words: &[u16], point: &Point<'_>) -> Result<f64, ValueProblem> {
    let raw = assemble(words, point.order);
    let low32 = u32::try_from(raw & 0xFFFF_FFFF).unwrap_or(0);
    let low16 = u16::try_from(raw & 0xFFFF).unwrap_or(0);
    let (integer, float): (i128, f64) = match point.kind {
        Kind::Bit => {
            if point.bit > 15 {
                return Err(ValueProblem::MapWrong);
            }
            let bit = low16 >> point.bit & 1;
            // A sentinel of a bit is one of its whole register.
            (i128::from(low16), f64::from(bit))
        }
        Kind::U16 => (i128::from(low16), f64::from(low16)),
        Kind::I16 => {
            let signed = i16::from_be_bytes(low16.to_be_bytes());
            (i128::from(signed), f64::from(signed))
        }
        Kind::U32 => (i128::from(low32), f64::from(low32)),
        Kind::I32 => {
            let signed = i32::from_be_bytes(low32.to_be_bytes());
            (i128::from(signed), f64::from(signed))
        }
        Kind::F32 => (i128::from(low32), f64::from(f32::from_bits(low32))),
        Kind::U64 => (i128::from(raw), raw as f64),
        Kind::I64 => {
            let signed = i64::from_be_bytes(raw.to_be_bytes());
            (i128::from(signed), signed as f64)
        }
        Kind::F64 => (i128::from(raw), f64::from_bits(raw)),
    };
    sentinel(point, integer)?;
    if float.is_finite() { Ok(float) } else { Err(ValueProblem::NotFinite) }
}

#[cfg(test)]
mod tests {
    use super::super::Function;
    use super::*;

    fn point(address: u16, kind: Kind, order: Order) -> Point<'static> {
        Point {
            code: "v",
            function: Function::HoldingRegisters,
            address,
            kind,
            order,
            bit: 0,
            sentinel: None,
            alone: false,
        }
    }

    fn reading(words: Vec<u16>) -> Reading {
        let count = u16::try_from(words.len()).unwrap();
        let answer = Answer::Registers(words);
        Reading {
            unit: 1,
            blocks: vec![BlockAnswer { function: Function::HoldingRegisters, address: 10, count, answer }],
        }
    }

    fn first(words: &[u16], point: &Point<'_>) -> Result<f64, ValueProblem> {
        decode(&reading(words.to_vec()), std::slice::from_ref(point))[0].value
    }

    #[test]
    fn word_orders_give_the_same_number() {
        // 12.5 = 0x41480000
        for (order, words) in [
            (Order::Abcd, [0x4148, 0x0000]),
            (Order::Cdab, [0x0000, 0x4148]),
            (Order::Badc, [0x4841, 0x0000]),
            (Order::Dcba, [0x0000, 0x4841]),
        ] {
            assert_eq!(first(&words, &point(10, Kind::F32, order)), Ok(12.5), "{order:?}");
        }
        assert_eq!(first(&[0, 0x42], &point(10, Kind::U32, Order::Abcd)), Ok(66.0));
        assert_eq!(first(&[0xFFFF], &point(10, Kind::I16, Order::Abcd)), Ok(-1.0));
        assert_eq!(first(&[0x4029, 0, 0, 0], &point(10, Kind::F64, Order::Abcd)), Ok(12.5));
        assert_eq!(first(&[0xFFFF; 4], &point(10, Kind::I64, Order::Dcba)), Ok(-1.0));
        assert_eq!(first(&[0x8000], &Point { bit: 15, ..point(10, Kind::Bit, Order::Abcd) }), Ok(1.0));
    }

    #[test]
    fn what_was_not_read_is_no_value() {
        assert_eq!(first(&[1], &point(11, Kind::U16, Order::Abcd)), Err(ValueProblem::NotRead));
        assert_eq!(first(&[1], &point(10, Kind::U32, Order::Abcd)), Err(ValueProblem::NotRead));
        assert_eq!(first(&[0x7FC0, 0], &point(10, Kind::F32, Order::Abcd)), Err(ValueProblem::NotFinite));
        let off = Point { sentinel: Some(-1), ..point(10, Kind::I16, Order::Abcd) };
        assert_eq!(first(&[0xFFFF], &off), Err(ValueProblem::Sentinel));
        let mut refused = reading(vec![1]);
        refused.blocks[0].answer = Answer::Exception(2);
        let map = [point(10, Kind::U16, Order::Abcd)];
        assert_eq!(decode(&refused, &map)[0].value, Err(ValueProblem::Refused(2)));
    }
}
