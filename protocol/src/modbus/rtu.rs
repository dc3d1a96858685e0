//! RTU frames over a byte stream (a transparent 4G modem, a serial server): the request, and finding its answer.
//!
//! ```text
//! 01 03 00 00 00 02 C4 0B          ask unit 1 for holding registers 0 and 1
//! 01 03 04 00 00 00 42 7A 02       unit 1: 4 bytes, 0x00000042
//! 01 83 02 C0 F1                   unit 1 refuses: illegal address
//! ```
//! An answer names neither what was asked nor where it lies, so an answer that comes late fits the next request of the same
//! shape. [`Line`] therefore drains before it sends, takes only what has the unit, function and length that were asked for,
//! stays quiet for a while after a timeout, and takes the next answer only when no second one follows it. Answers of one
//! shape for other registers, when a late one may be under way, are [`Outcome::Doubtful`]: ask again.

use super::plan::Block;
use super::reading::{Answer, BlockAnswer};

/// Modbus's CRC-16; its low byte goes first on the wire.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF_u16, |register, byte| {
        (0..8).fold(register ^ u16::from(*byte), |register, _| {
            let shifted = register >> 1;
            if register & 1 == 1 { shifted ^ 0xA001 } else { shifted }
        })
    })
}

/// The longest RTU frame.
pub const FRAME_BYTES_MAX: usize = 256;
/// Unit, function | 0x80, code, CRC.
const EXCEPTION_BYTES: usize = 5;

/// A read request to one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    pub unit: u8,
    pub block: Block,
}

impl Read {
    /// `None` when the block is empty, runs past the last address, or is beyond what one answer can hold.
    pub fn new(unit: u8, block: Block) -> Option<Self> {
        let most = if block.function.is_bits() { 2000 } else { 125 };
        let fits = (1..=most).contains(&block.count) && block.address.checked_add(block.count - 1).is_some();
        fits.then_some(Self { unit, block })
    }

    pub fn encode(self) -> [u8; 8] {
        let [a1, a0] = self.block.address.to_be_bytes();
        let [c1, c0] = self.block.count.to_be_bytes();
        let head = [self.unit, self.block.function as u8, a1, a0, c1, c0];
        let [low, high] = crc16(&head).to_le_bytes();
        [self.unit, self.block.function as u8, a1, a0, c1, c0, low, high]
    }

    /// Bytes of data in its answer.
    const fn data_bytes(self) -> usize {
        let count = self.block.count as usize;
        if self.block.function.is_bits() { count.div_ceil(8) } else { count * 2 }
    }

    /// Whether answers to both look alike.
    fn same_shape(self, other: Self) -> bool {
        self.unit == other.unit
            && self.block.function == other.block.function
            && self.data_bytes() == other.data_bytes()
    }

    /// The answer that the bytes end with, if they do.
    pub fn answer_at_end(self, bytes: &[u8]) -> Option<BlockAnswer> {
        let function = self.block.function as u8;
        let whole = bytes.len().checked_sub(self.data_bytes() + EXCEPTION_BYTES).and_then(|from| bytes.get(from..));
        if let Some(frame) = whole
            && let [unit, of, count, data @ .., _, _] = frame
            && (*unit, *of, usize::from(*count)) == (self.unit, function, self.data_bytes())
            && crc_ok(frame)
        {
            return Some(self.answered(self.data(data)));
        }
        let refusal = bytes.len().checked_sub(EXCEPTION_BYTES).and_then(|from| bytes.get(from..))?;
        match refusal {
            [unit, of, code, _, _] if *unit == self.unit && *of == function | 0x80 && crc_ok(refusal) => {
                Some(self.answered(Answer::Exception((*code).max(1))))
            }
            _ => None,
        }
    }

    fn data(self, data: &[u8]) -> Answer {
        if self.block.function.is_bits() {
            let bits = data.iter().flat_map(|byte| (0..8).map(move |at| byte >> at & 1 == 1));
            return Answer::Bits(bits.take(usize::from(self.block.count)).collect());
        }
        let word = |pair: &[u8]| pair.iter().fold(0_u16, |word, byte| word << 8 | u16::from(*byte));
        Answer::Registers(data.chunks_exact(2).map(word).collect())
    }

    const fn answered(self, answer: Answer) -> BlockAnswer {
        let Block { function, address, count } = self.block;
        BlockAnswer { function, address, count, answer }
    }
}

fn crc_ok(frame: &[u8]) -> bool {
    let Some((body, [low, high])) = frame.split_last_chunk::<2>() else { return false };
    crc16(body).to_le_bytes() == [*low, *high]
}

/// An answer's frame; for simulators and tests. `None` when there is more than one frame holds.
pub fn encode_answer(unit: u8, answer: &BlockAnswer) -> Option<Vec<u8>> {
    let function = answer.function as u8;
    let mut out = match &answer.answer {
        Answer::Exception(code) => vec![unit, function | 0x80, *code],
        Answer::Registers(words) => {
            let count = u8::try_from(words.len() * 2).ok().filter(|count| *count <= 250)?;
            let mut out = vec![unit, function, count];
            out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            out
        }
        Answer::Bits(bits) => {
            let count = u8::try_from(bits.len().div_ceil(8)).ok().filter(|count| *count <= 250)?;
            let mut out = vec![unit, function, count];
            out.extend(
                bits.chunks(8)
                    .map(|byte| byte.iter().enumerate().fold(0_u8, |packed, (at, bit)| packed | u8::from(*bit) << at)),
            );
            out
        }
    };
    let crc = crc16(&out);
    out.extend(crc.to_le_bytes());
    Some(out)
}

/// Waits, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the request to its answer.
    pub answer_ms: i64,
    /// After a timeout: silence on the line before the next request.
    pub quiet_ms: i64,
    /// After a timeout: how long the next answer is held back in case a second one shows that it was the late one.
    pub confirm_ms: i64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { answer_ms: 1_000, quiet_ms: 200, confirm_ms: 200 }
    }
}

/// What [`Line::ask`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Write these bytes.
    Send([u8; 8]),
    /// Ask again then, or later.
    NotBefore(i64),
    /// An answer is still awaited.
    Busy,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Values, or the slave's refusal; an error is never a zero.
    Answered(BlockAnswer),
    TimedOut,
    /// One answer came where a late one of the same shape, of other registers, may have been under way.
    Doubtful,
}

/// A line to slaves behind one stream: one request at a time.
#[derive(Debug)]
pub struct Line {
    timing: Timing,
    buffer: Vec<u8>,
    awaited: Option<Awaited>,
    /// The request that timed out, whose answer may still come.
    late: Option<Read>,
    last_byte: Option<i64>,
    not_before: Option<i64>,
    strays: u64,
}

#[derive(Debug)]
struct Awaited {
    read: Read,
    deadline: i64,
    /// Taken only when nothing follows until the time.
    held: Option<(BlockAnswer, i64)>,
}

impl Line {
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            buffer: Vec::with_capacity(FRAME_BYTES_MAX),
            awaited: None,
            late: None,
            last_byte: None,
            not_before: None,
            strays: 0,
        }
    }

    /// Bytes that were no answer: late ones, noise, heartbeats.
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// For the next request: each slave has its own.
    pub const fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
    }

    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// When [`Line::on_time`] has something to do.
    pub fn deadline_ms(&self) -> Option<i64> {
        let awaited = self.awaited.as_ref()?;
        Some(awaited.held.as_ref().map_or(awaited.deadline, |(_, until)| *until))
    }

    /// Begins a request. What was received before and not asked for is thrown away: it can be no answer.
    pub fn ask(&mut self, read: Read, now_ms: i64) -> Ask {
        if self.awaited.is_some() {
            return Ask::Busy;
        }
        if let Some(until) = self.not_before {
            let silent = self.last_byte.map_or(until, |last| until.max(last.saturating_add(self.timing.quiet_ms)));
            if now_ms < silent {
                return Ask::NotBefore(silent);
            }
            self.not_before = None;
        }
        self.drain();
        self.awaited =
            Some(Awaited { read, deadline: now_ms.saturating_add(self.timing.answer_ms.max(1)), held: None });
        Ask::Send(read.encode())
    }

    /// Received bytes. At most one request ends by them.
    pub fn push(&mut self, bytes: &[u8], now_ms: i64) -> Option<Outcome> {
        if !bytes.is_empty() {
            self.last_byte = Some(now_ms);
        }
        let mut outcome = None;
        for byte in bytes {
            if self.buffer.len() >= FRAME_BYTES_MAX {
                self.buffer.remove(0);
                self.strays += 1;
            }
            self.buffer.push(*byte);
            outcome = outcome.or_else(|| self.at_end(now_ms));
        }
        outcome
    }

    /// Time passed.
    pub fn on_time(&mut self, now_ms: i64) -> Option<Outcome> {
        if self.deadline_ms().is_none_or(|deadline| now_ms < deadline) {
            return None;
        }
        let Awaited { read, held, .. } = self.awaited.take()?;
        let late = self.late.take();
        if let Some((answer, _)) = held {
            // Nothing followed: the late one was lost, or this is it. The same registers may be taken either way.
            return Some(match late {
                Some(late) if late.block != read.block => self.doubtful(read, now_ms),
                _ => Outcome::Answered(answer),
            });
        }
        self.late = Some(read);
        self.not_before = Some(now_ms.saturating_add(self.timing.quiet_ms));
        Some(Outcome::TimedOut)
    }

    /// The request cannot be answered, because its connection broke. What the slave was asked may still be answered on the next one: behind
    /// a converter the serial side goes on.
    pub fn reset_request(&mut self) {
        if let Some(awaited) = self.awaited.take() {
            self.late = Some(awaited.read);
        }
        self.drain();
    }

    /// The line itself is another: nothing late can come.
    pub fn reset(&mut self) {
        *self = Self { strays: self.strays, ..Self::new(self.timing) };
    }

    fn doubtful(&mut self, read: Read, now_ms: i64) -> Outcome {
        self.late = Some(read);
        self.not_before = Some(now_ms.saturating_add(self.timing.quiet_ms));
        Outcome::Doubtful
    }

    fn at_end(&mut self, now_ms: i64) -> Option<Outcome> {
        let Some(awaited) = self.awaited.as_mut() else {
            self.late_at_end();
            return None;
        };
        let Some(answer) = awaited.read.answer_at_end(&self.buffer) else {
            self.late_at_end();
            return None;
        };
        let used = match &answer.answer {
            Answer::Exception(_) => EXCEPTION_BYTES,
            _ => awaited.read.data_bytes() + EXCEPTION_BYTES,
        };
        let stray = self.buffer.len().saturating_sub(used);
        self.strays += u64::try_from(stray).unwrap_or(u64::MAX);
        self.buffer.clear();
        let suspect = self.late.is_some_and(|late| late.same_shape(awaited.read));
        if suspect && awaited.held.is_none() {
            awaited.held = Some((answer, now_ms.saturating_add(self.timing.confirm_ms.max(1))));
            return None;
        }
        // Nothing late is to be feared, or this is the second one: the first was late.
        if awaited.held.is_some() {
            self.strays += u64::try_from(used).unwrap_or(u64::MAX);
            self.late = None;
        }
        self.awaited = None;
        Some(Outcome::Answered(answer))
    }

    /// The late answer itself, told by its shape: nothing else is under way then.
    fn late_at_end(&mut self) {
        let came = self.late.is_some_and(|late| {
            let alike = self.awaited.as_ref().is_some_and(|awaited| awaited.read.same_shape(late));
            !alike && late.answer_at_end(&self.buffer).is_some()
        });
        if came {
            self.late = None;
            self.drain();
        }
    }

    fn drain(&mut self) {
        self.strays += u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests;
