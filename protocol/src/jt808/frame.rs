//! The delimiters, escapes and check of JT/T 808.
//!
//! The framer always stands at the closing `7e` of what it has just read, since after noise that byte may be the opening
//! one of the next frame. Two delimiters in a row are nothing; content too short for a header is garbage.

use bytes::Bytes;

/// Header of a 2019 sub-packet, the longest body, check.
pub const FRAME_BYTES_MAX: usize = 21 + 1023 + 1;
/// The shortest: a 2013 header and the check.
const FRAME_BYTES_MIN: usize = 13;
/// Each byte may be escaped.
const ESCAPED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
const FLAG: u8 = 0x7e;
const ESCAPE: u8 = 0x7d;

/// What the framer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Un-escaped, header through check; the check is not looked at. `garbage` bytes were skipped before it.
    Frame { raw: Bytes, garbage: usize },
    /// More bytes than any frame has without a closing `7e`. The stream goes on at the next `7e`.
    Oversize { sample: Bytes },
}

/// A bounded, incremental framer.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    seen: usize,
    /// The buffer begins with a `7e`.
    open: bool,
    garbage: usize,
}

impl Framer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes. Call [`Framer::next_event`] until it returns `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// True in the middle of a frame.
    pub fn is_partial(&self) -> bool {
        self.open && self.buffer.len() > 1
    }

    /// The most bytes it holds after it has been drained.
    pub const fn bound(&self) -> usize {
        ESCAPED_BYTES_MAX + 1
    }

    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            if !self.open {
                let start = memchr::memchr(FLAG, &self.buffer);
                self.skip(start.unwrap_or(self.buffer.len()));
                start?;
                self.open = true;
                self.seen = 1;
            }
            let rest = self.buffer.get(self.seen..).unwrap_or_default();
            let end = memchr::memchr(FLAG, rest).map(|offset| self.seen + offset);
            // Refused on length wherever the end is, so that the cut of the stream does not matter.
            if end.unwrap_or(self.buffer.len()) > ESCAPED_BYTES_MAX + 1 {
                let sample = Bytes::copy_from_slice(self.buffer.get(1..513).unwrap_or_default());
                self.skip(ESCAPED_BYTES_MAX + 1);
                self.open = false;
                return Some(Event::Oversize { sample });
            }
            let Some(end) = end else {
                self.seen = self.buffer.len();
                return None;
            };
            let content = self.buffer.get(1..end).unwrap_or_default();
            if content.len() < FRAME_BYTES_MIN {
                self.garbage += content.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
                self.drop_front(end);
                self.seen = 1;
                continue;
            }
            let raw = unescape(content);
            self.drop_front(end);
            self.seen = 1;
            return Some(Event::Frame { raw, garbage: std::mem::take(&mut self.garbage) });
        }
    }

    fn skip(&mut self, count: usize) {
        let skipped = self.buffer.get(..count).unwrap_or_default();
        self.garbage += skipped.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        self.drop_front(count);
        self.seen = 0;
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count.min(self.buffer.len()));
    }
}

/// The bytes between the delimiters as they were before escaping. A stray escape is left as it is: the check tells.
pub(super) fn unescape(content: &[u8]) -> Bytes {
    if memchr::memchr(ESCAPE, content).is_none() {
        return Bytes::copy_from_slice(content);
    }
    let mut plain = Vec::with_capacity(content.len());
    unescape_from(content, &mut plain, &mut Vec::new());
    plain.into()
}

/// Appends the un-escaped bytes, and where in `plain` an escape is none.
pub(super) fn unescape_from(content: &[u8], plain: &mut Vec<u8>, stray: &mut Vec<usize>) {
    let mut bytes = content.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let real = match (byte, bytes.peek()) {
            (ESCAPE, Some(1)) => ESCAPE,
            (ESCAPE, Some(2)) => FLAG,
            _ => {
                if byte == ESCAPE {
                    stray.push(plain.len());
                }
                plain.push(byte);
                continue;
            }
        };
        bytes.next();
        plain.push(real);
    }
}

/// XOR of all bytes.
pub fn check(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// A frame as it goes on the wire: delimiters and escapes around header, body and check.
pub fn escape(raw: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(raw.len() + 8);
    wire.push(FLAG);
    for byte in raw {
        match *byte {
            FLAG => wire.extend([ESCAPE, 2]),
            ESCAPE => wire.extend([ESCAPE, 1]),
            other => wire.push(other),
        }
    }
    wire.push(FLAG);
    wire
}
