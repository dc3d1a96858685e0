//! The answers of one poll as bytes, to be kept in the journal. Version 1:
//!
//! ```text
//! 4D 01 | unit u8 | blocks u16 | block…        block: function u8 | address u16 | count u16 | status u8 | data
//! ```
//! Big-endian. Status 0: `count` registers of two bytes, or `count` bits packed with the first in the lowest bit of the
//! first byte. Any other status is the slave's exception code, and no data follows: an error is never a zero.

use super::Function;
use crate::error::WireError;
use crate::reader::Reader;

const MAGIC: u8 = 0x4D;
const VERSION: u8 = 1;
const BLOCKS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    pub unit: u8,
    pub blocks: Vec<BlockAnswer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockAnswer {
    pub function: Function,
    pub address: u16,
    pub count: u16,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Registers(Vec<u16>),
    Bits(Vec<bool>),
    /// The slave refused this block.
    Exception(u8),
}

impl Reading {
    pub fn encode(&self) -> Vec<u8> {
        let blocks = self.blocks.get(..BLOCKS_MAX).unwrap_or(&self.blocks);
        let mut out = vec![MAGIC, VERSION, self.unit];
        out.extend(u16::try_from(blocks.len()).unwrap_or(0).to_be_bytes());
        for block in blocks {
            out.push(block.function as u8);
            out.extend(block.address.to_be_bytes());
            let count = match &block.answer {
                Answer::Registers(words) => u16::try_from(words.len()).unwrap_or(u16::MAX),
                Answer::Bits(bits) => u16::try_from(bits.len()).unwrap_or(u16::MAX),
                Answer::Exception(_) => block.count,
            };
            out.extend(count.to_be_bytes());
            let data_len = usize::from(count);
            match &block.answer {
                Answer::Registers(words) => {
                    out.push(0);
                    out.extend(words.iter().take(data_len).flat_map(|word| word.to_be_bytes()));
                }
                Answer::Bits(bits) => {
                    out.push(0);
                    let bits = bits.get(..data_len).unwrap_or(bits);
                    out.extend(bits.chunks(8).map(|byte| {
                        byte.iter().enumerate().fold(0_u8, |packed, (at, bit)| packed | u8::from(*bit) << at)
                    }));
                }
                Answer::Exception(code) => out.push((*code).max(1)),
            }
        }
        out
    }

    /// # Errors
    /// Not a reading of a known version, or cut.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != MAGIC {
            return Err(WireError::Invalid { offset: 0, what: "not a Modbus reading" });
        }
        if reader.u8()? != VERSION {
            return Err(WireError::Invalid { offset: 1, what: "unknown version of a Modbus reading" });
        }
        let unit = reader.u8()?;
        let count = usize::from(reader.u16()?);
        if count > BLOCKS_MAX {
            return Err(WireError::Oversize { limit: BLOCKS_MAX });
        }
        let mut blocks = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            blocks.push(block(&mut reader)?);
        }
        if reader.remaining() > 0 {
            return Err(WireError::Invalid { offset: reader.offset(), what: "bytes behind the last block" });
        }
        Ok(Self { unit, blocks })
    }
}

fn block(reader: &mut Reader<'_>) -> Result<BlockAnswer, WireError> {
    let offset = reader.offset();
    let function = Function::from_u8(reader.u8()?).ok_or(WireError::Invalid { offset, what: "unknown function" })?;
    let (address, count, status) = (reader.u16()?, reader.u16()?, reader.u8()?);
    let answer = if status != 0 {
        Answer::Exception(status)
    } else if function.is_bits() {
        let packed = reader.take(usize::from(count).div_ceil(8))?;
        let bits = packed.iter().flat_map(|byte| (0..8).map(move |at| byte >> at & 1 == 1));
        Answer::Bits(bits.take(usize::from(count)).collect())
    } else {
        let bytes = reader.take(usize::from(count) * 2)?;
        let words =
            bytes.chunks_exact(2).map(|pair| pair.iter().fold(0_u16, |word, byte| word << 8 | u16::from(*byte)));
        Answer::Registers(words.collect())
    };
    Ok(BlockAnswer { function, address, count, answer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_form_on_disk_does_not_change() {
        let reading = Reading {
            unit: 3,
            blocks: vec![
                BlockAnswer {
                    function: Function::HoldingRegisters,
                    address: 16,
                    count: 2,
                    answer: Answer::Registers(vec![0x1234, 0xFFFF]),
                },
                BlockAnswer {
                    function: Function::Coils,
                    address: 1,
                    count: 9,
                    answer: Answer::Bits(vec![true, false, false, false, false, false, false, true, true]),
                },
                BlockAnswer { function: Function::InputRegisters, address: 7, count: 4, answer: Answer::Exception(2) },
            ],
        };
        let bytes =
            [0x4D, 1, 3, 0, 3, 3, 0, 16, 0, 2, 0, 0x12, 0x34, 0xFF, 0xFF, 1, 0, 1, 0, 9, 0, 0x81, 1, 4, 0, 7, 0, 4, 2];
        assert_eq!(reading.encode(), bytes);
        assert_eq!(Reading::decode(&bytes), Ok(reading));
    }

    fn any_block() -> impl Strategy<Value = BlockAnswer> {
        (1_u8..5, any::<u16>(), prop::collection::vec(any::<u16>(), 1..126), 0_u8..5).prop_map(
            |(function, address, words, code)| {
                let function = Function::from_u8(function).unwrap();
                let count = u16::try_from(words.len()).unwrap();
                let answer = match code {
                    1.. => Answer::Exception(code),
                    0 if function.is_bits() => Answer::Bits(words.iter().map(|word| word & 1 == 1).collect()),
                    0 => Answer::Registers(words),
                };
                BlockAnswer { function, address, count, answer }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(unit in any::<u8>(), blocks in prop::collection::vec(any_block(), 0..8)) {
            let reading = Reading { unit, blocks };
            prop_assert_eq!(Reading::decode(&reading.encode()), Ok(reading));
        }

        #[test]
        fn garbage_is_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
            let bytes = if magic { [vec![MAGIC, VERSION, 1, 0], bytes].concat() } else { bytes };
            if let Ok(reading) = Reading::decode(&bytes) {
                prop_assert_eq!(Reading::decode(&reading.encode()), Ok(reading));
            }
        }
    }
}
