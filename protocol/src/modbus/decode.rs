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
    /// Outside of the raw range that is a reading.
    OutOfRange,
    /// Not a number, or infinite.
    NotFinite,
    /// Text where a number is asked for, or the other way round, or characters that are none.
    NotOfKind,
    /// A bit number above 15, or a wide kind in a bit table.
    MapWrong,
}

/// Every point of the map in its order, with its value or why it has none.
pub fn decode<'a>(reading: &Reading, map: &[Point<'a>]) -> Vec<Outcome<'a>> {
    map.iter().map(|point| Outcome { code: point.code, value: value(reading, point) }).collect()
}

/// The text of a [`Kind::Text`] point, without the NULs and blanks that fill it up.
///
/// # Errors
/// As for numbers; [`ValueProblem::NotOfKind`] when it is no UTF-8.
pub fn decode_text(reading: &Reading, point: &Point<'_>) -> Result<String, ValueProblem> {
    if !matches!(point.kind, Kind::Text(_)) {
        return Err(ValueProblem::NotOfKind);
    }
    let bytes: Vec<u8> =
        words(reading, point)?.iter().flat_map(|word| in_order(*word, point.order).to_be_bytes()).collect();
    let text = String::from_utf8(bytes).map_err(|_| ValueProblem::NotOfKind)?;
    let text = text.split('\0').next().unwrap_or_default().trim();
    if text.chars().any(char::is_control) { Err(ValueProblem::NotOfKind) } else { Ok(text.to_owned()) }
}

/// The registers a point lies in, as read, to be shown beside the decoded value; bits as 0 and 1.
///
/// # Errors
/// Not read, or refused.
pub fn raw_words(reading: &Reading, point: &Point<'_>) -> Result<Vec<u16>, ValueProblem> {
    if point.function.is_bits() {
        let plain = Point { kind: Kind::Bit, sentinel: None, ..point.clone() };
        return value(reading, &plain).map(|bit| vec![u16::from(bit > 0.5)]);
    }
    words(reading, point).map(<[u16]>::to_vec)
}

fn words<'r>(reading: &'r Reading, point: &Point<'_>) -> Result<&'r [u16], ValueProblem> {
    let width = point.kind.width();
    let mut refused = None;
    for block in reading.blocks.iter().filter(|block| block.function == point.function) {
        let Some(offset) = offset_in(block, point.address, width) else { continue };
        match &block.answer {
            Answer::Exception(code) => refused = Some(ValueProblem::Refused(*code)),
            Answer::Bits(_) => return Err(ValueProblem::MapWrong),
            Answer::Registers(words) => {
                if let Some(words) = words.get(offset..offset + usize::from(width)) {
                    return Ok(words);
                }
            }
        }
    }
    Err(refused.unwrap_or(ValueProblem::NotRead))
}

fn value(reading: &Reading, point: &Point<'_>) -> Result<f64, ValueProblem> {
    if !point.function.is_bits() {
        return number(words(reading, point)?, point);
    }
    let width = 1;
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
            Answer::Registers(_) => return Err(ValueProblem::MapWrong),
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

const fn in_order(word: u16, order: Order) -> u16 {
    match order {
        Order::Abcd | Order::Cdab => word,
        Order::Badc | Order::Dcba => word.swap_bytes(),
    }
}

/// The registers' bits as one unsigned number, in the point's order.
fn assemble(words: &[u16], order: Order) -> u64 {
    let join = |number: u64, word: &u16| number << 16 | u64::from(in_order(*word, order));
    match order {
        Order::Abcd | Order::Badc => words.iter().fold(0, join),
        Order::Cdab | Order::Dcba => words.iter().rev().fold(0, join),
    }
}

/// An integer kind as it stands: bits, and whether the highest is a sign.
const fn integer(raw: u64, kind: Kind) -> Option<i128> {
    let (bits, signed) = match kind {
        Kind::U8Low => (raw & 0xFF, None),
        Kind::U8High => (raw >> 8 & 0xFF, None),
        Kind::I8Low => (raw & 0xFF, Some(8)),
        Kind::I8High => (raw >> 8 & 0xFF, Some(8)),
        Kind::U16 | Kind::Bit => (raw & 0xFFFF, None),
        Kind::I16 => (raw & 0xFFFF, Some(16)),
        Kind::U32 => (raw & 0xFFFF_FFFF, None),
        Kind::I32 => (raw & 0xFFFF_FFFF, Some(32)),
        Kind::U64 => (raw, None),
        Kind::I64 => (raw, Some(64)),
        Kind::F16 | Kind::F32 | Kind::F64 | Kind::Text(_) => return None,
    };
    let number = bits as i128;
    Some(match signed {
        Some(width) if bits >> (width - 1) & 1 == 1 => number - (1_i128 << width),
        _ => number,
    })
}

#[expect(clippy::cast_precision_loss, reason = "64-bit counters beyond 2^53 lose their last digits, as in any f64")]
fn number(words: &[u16], point: &Point<'_>) -> Result<f64, ValueProblem> {
    let raw = assemble(words, point.order);
    let low16 = u16::try_from(raw & 0xFFFF).unwrap_or(0);
    let float = match point.kind {
        Kind::F16 => f64::from(half(low16)),
        Kind::F32 => f64::from(f32::from_bits(u32::try_from(raw & 0xFFFF_FFFF).unwrap_or(0))),
        Kind::F64 => f64::from_bits(raw),
        Kind::Text(_) => return Err(ValueProblem::NotOfKind),
        Kind::Bit if point.bit > 15 => return Err(ValueProblem::MapWrong),
        _ => 0.0,
    };
    let Some(whole) = integer(raw, point.kind) else {
        sentinel(point, i128::from(raw))?;
        let outside = point.valid.is_some_and(|(least, most)| float < least as f64 || float > most as f64);
        return match float {
            float if !float.is_finite() => Err(ValueProblem::NotFinite),
            _ if outside => Err(ValueProblem::OutOfRange),
            float => Ok(float),
        };
    };
    // A sentinel of a bit or of masked bits is one of the whole register.
    sentinel(point, whole)?;
    let whole = match (point.kind, point.mask) {
        (Kind::Bit, _) => i128::from(low16 >> point.bit & 1),
        (_, Some(0)) => return Err(ValueProblem::MapWrong),
        (_, Some(mask)) => i128::from((raw & mask) >> mask.trailing_zeros()),
        (_, None) => whole,
    };
    if point.valid.is_some_and(|(least, most)| whole < i128::from(least) || whole > i128::from(most)) {
        return Err(ValueProblem::OutOfRange);
    }
    Ok(whole as f64)
}

/// IEEE 754 half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(bits & 0x3FF);
    match bits >> 10 & 0x1F {
        0 => sign * fraction * 2.0_f32.powi(-24),
        0x1F if fraction == 0.0 => sign * f32::INFINITY,
        0x1F => f32::NAN,
        exponent => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(i32::from(exponent) - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Function;
    use super::*;

    fn point(address: u16, kind: Kind, order: Order) -> Point<'static> {
        Point { order, ..Point::new("v", Function::HoldingRegisters, address, kind) }
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

    #[test]
    fn every_kind_reads_its_registers() {
        let cases: [(Kind, &[u16], f64); 12] = [
            (Kind::U8Low, &[0x12FE], 254.0),
            (Kind::U8High, &[0x12FE], 18.0),
            (Kind::I8Low, &[0x12FE], -2.0),
            (Kind::I8High, &[0xFE12], -2.0),
            (Kind::I32, &[0xFFFF, 0xFFFE], -2.0),
            (Kind::U64, &[0, 0, 1, 0], 65_536.0),
            (Kind::F16, &[0x3C00], 1.0),
            (Kind::F16, &[0xC000], -2.0),
            (Kind::F16, &[0x3555], 0.333_251_953_125),
            (Kind::F16, &[0x0001], 5.960_464_477_539_063e-8),
            (Kind::F32, &[0x4148, 0], 12.5),
            (Kind::U32, &[0, 66], 66.0),
        ];
        for (kind, words, expected) in cases {
            assert_eq!(first(words, &point(10, kind, Order::Abcd)), Ok(expected), "{kind:?}");
        }
        assert_eq!(first(&[0x7C00], &point(10, Kind::F16, Order::Abcd)), Err(ValueProblem::NotFinite));
        assert_eq!(first(&[0xFE12], &point(10, Kind::U8Low, Order::Badc)), Ok(254.0));
    }

    #[test]
    fn masks_ranges_and_sentinels_are_of_the_raw_number() {
        let masked = |mask| Point { mask: Some(mask), ..point(10, Kind::U16, Order::Abcd) };
        assert_eq!(first(&[0xABCD], &masked(0x0F00)), Ok(11.0));
        assert_eq!(first(&[0xABCD], &masked(0)), Err(ValueProblem::MapWrong));
        let loop_current = Point { valid: Some((4_000, 20_000)), ..point(10, Kind::U16, Order::Abcd) };
        assert_eq!(first(&[3_999], &loop_current), Err(ValueProblem::OutOfRange));
        assert_eq!(first(&[4_000], &loop_current), Ok(4_000.0));
        let float = Point { valid: Some((0, 20)), ..point(10, Kind::F32, Order::Abcd) };
        assert_eq!(first(&[0x4148, 0], &float), Ok(12.5));
        assert_eq!(first(&[0xC148, 0], &float), Err(ValueProblem::OutOfRange));
    }

    #[test]
    fn text_is_text_and_never_a_number() {
        let name = point(10, Kind::Text(3), Order::Abcd);
        let words = [0x4C54, 0x3031, 0x2000];
        assert_eq!(decode_text(&reading(words.to_vec()), &name), Ok("LT01".to_owned()));
        assert_eq!(first(&words, &name), Err(ValueProblem::NotOfKind));
        let swapped = point(10, Kind::Text(2), Order::Badc);
        assert_eq!(decode_text(&reading(vec![0x544C, 0x3130]), &swapped), Ok("LT01".to_owned()));
        assert_eq!(decode_text(&reading(vec![0xFFFF; 3]), &name), Err(ValueProblem::NotOfKind));
        assert_eq!(decode_text(&reading(vec![1]), &name), Err(ValueProblem::NotRead));
        assert_eq!(raw_words(&reading(words.to_vec()), &name), Ok(words.to_vec()));
        assert_eq!(decode_text(&reading(vec![1]), &point(10, Kind::U16, Order::Abcd)), Err(ValueProblem::NotOfKind));
    }
}
