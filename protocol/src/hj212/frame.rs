//! From a byte stream to frames.
//!
//! The framer walks the stream byte by byte and decides at positions that do not depend on how the stream was cut. A
//! *start* is `##`, three to six digits and a letter. A frame ends, whichever comes first,
//! - where a start's declared length and the check agree (no line end is waited for);
//! - at a line end or at the next start after `&&` and up to six check characters: the length is wrong, or the check is;
//! - at a line end that is where the declared length says, or a little behind: a forwarder dropped the `&&`.
//!
//! A start inside an unfinished frame becomes a candidate of its own, so a truncated frame never takes the next with it.
//! A frame's raw bytes run from `##` through the check; line ends between frames are not garbage.

use super::check::{self, parse_hex4};
use super::parts::{decimal, tail_check_len};
use bytes::Bytes;
use std::collections::VecDeque;

/// The longest segment that is taken unless told otherwise. The standard says 1024; frames of 1623 were seen.
pub const SEGMENT_BYTES_MAX: usize = 8 * 1024;
/// `##`, six digits.
const HEAD_BYTES_MAX: usize = 8;
/// Candidates that are followed at a time; more starts than this within one frame are noise.
const STARTS_MAX: usize = 64;

/// What the framer found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// One frame, from `##` through the check. `garbage` bytes were skipped before it, line ends not counted.
    Frame { raw: Bytes, garbage: usize },
    /// A start whose declared length, or whose end, is beyond the limit. The stream goes on behind it.
    Oversize { sample: Bytes },
}

#[derive(Debug, Clone, Copy)]
struct Start {
    at: usize,
    body: usize,
    declared: usize,
}

impl Start {
    const fn strong_end(self) -> usize {
        self.body + self.declared + 4
    }
}

/// A bounded, incremental framer.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Up to where the buffer has been looked at.
    seen: usize,
    starts: VecDeque<Start>,
    garbage: usize,
    limit: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(SEGMENT_BYTES_MAX)
    }
}

impl Framer {
    /// `limit`: the longest segment.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), seen: 0, starts: VecDeque::new(), garbage: 0, limit }
    }

    /// Adds received bytes. Call [`Framer::next_event`] until it returns `None` before the next push.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes held.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// True in the middle of a frame.
    pub fn is_partial(&self) -> bool {
        !self.starts.is_empty()
    }

    /// The most bytes it holds after it has been drained.
    pub const fn bound(&self) -> usize {
        // The first candidate with its body and check, and a start behind it that is not whole yet.
        self.limit + 2 * HEAD_BYTES_MAX + 8
    }

    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let strong = self.starts.iter().map(|start| start.strong_end()).filter(|end| *end > self.seen).min();
            let mark = self
                .buffer
                .get(self.seen..)
                .and_then(|rest| memchr::memchr3(b'#', b'\r', b'\n', rest))
                .map(|offset| self.seen + offset);
            // A strong end lies between bytes; a mark at the same position comes after it.
            if let Some(end) = strong
                && end <= self.buffer.len()
                && mark.is_none_or(|mark| end <= mark)
            {
                if let Some(event) = self.at_strong_end(end) {
                    return Some(event);
                }
                // Look at the mark on this very position too.
                self.seen = end;
                if mark != Some(end) {
                    continue;
                }
            }
            let first = self.starts.front().map(|start| start.body);
            let over =
                first.map(|body| body + self.limit + 8).filter(|over| mark.map_or(self.buffer.len(), |m| m) > *over);
            if let Some(over) = over {
                return Some(self.drop_first_start(over));
            }
            let Some(mark) = mark else {
                self.seen = self.buffer.len();
                self.shrink();
                return None;
            };
            if self.buffer.get(mark) == Some(&b'#') {
                match self.start_at(mark) {
                    Look::More => {
                        self.seen = mark;
                        self.shrink();
                        return None;
                    }
                    Look::No => self.seen = mark + 1,
                    Look::TooLong { body } => return Some(self.refuse_start(mark, body)),
                    Look::Yes(start) => {
                        if let Some(event) = self.end_before_start(start.at) {
                            return Some(event);
                        }
                        self.follow_start(start);
                    }
                }
            } else if let Some(event) = self.at_line_end(mark) {
                return Some(event);
            } else {
                self.seen = mark + 1;
            }
        }
    }

    fn follow_start(&mut self, start: Start) {
        if self.starts.len() >= STARTS_MAX {
            self.starts.pop_front();
        }
        self.seen = start.body;
        self.starts.push_back(start);
    }

    fn start_at(&self, at: usize) -> Look {
        let Some(rest) = self.buffer.get(at..) else { return Look::More };
        match rest.get(1) {
            None => return Look::More,
            Some(b'#') => {}
            Some(_) => return Look::No,
        }
        let digits = rest.iter().skip(2).take(7).take_while(|byte| byte.is_ascii_digit()).count();
        let Some(next) = rest.get(2 + digits) else { return if digits <= 6 { Look::More } else { Look::No } };
        if !(3..=6).contains(&digits) || !next.is_ascii_alphabetic() {
            return Look::No;
        }
        let declared = decimal(rest.get(2..2 + digits).unwrap_or_default());
        if declared > self.limit {
            return Look::TooLong { body: at + 2 + digits };
        }
        Look::Yes(Start { at, body: at + 2 + digits, declared })
    }

    fn at_strong_end(&mut self, end: usize) -> Option<Event> {
        let found = self.starts.iter().copied().find(|start| {
            start.strong_end() == end
                && self.slice(end - 4, end).and_then(parse_hex4).is_some_and(|found| {
                    check::possible(found)
                        && self.slice(start.body, end - 4).is_some_and(|segment| check::crc(segment) == found)
                })
        })?;
        Some(self.take_frame(found.at, end))
    }

    /// A line end at `at`: does a frame end here?
    fn at_line_end(&mut self, at: usize) -> Option<Event> {
        let last = *self.starts.back()?;
        if at < last.body {
            return None;
        }
        if tail_check_len(self.slice(last.body, at)?).is_some() {
            let right = self.starts.iter().copied().find(|start| {
                self.slice(start.body, at).is_some_and(|body| {
                    let cut = body.len() - tail_check_len(body).unwrap_or(0);
                    body.split_at_checked(cut)
                        .is_some_and(|(segment, token)| parse_hex4(token) == Some(check::crc(segment)))
                })
            });
            return Some(self.take_frame(right.unwrap_or(last).at, at));
        }
        // A forwarder dropped one or both `&&`, which the length still counts; or the check is wrong and no `&&` is there.
        let close = self.starts.iter().copied().find(|start| at + 4 >= start.strong_end() && at >= start.body + 4)?;
        // The CR may have come before the length was near enough, the LF behind it.
        let body = self.slice(close.body, at)?;
        let blanks = body.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        Some(self.take_frame(close.at, at - blanks))
    }

    /// A new start at `at`: does the frame before it end here, without a line end?
    fn end_before_start(&mut self, at: usize) -> Option<Event> {
        let last = *self.starts.back()?;
        let count = tail_check_len(self.slice(last.body, at)?)?;
        (count > 0).then(|| self.take_frame(last.at, at))
    }

    fn slice(&self, from: usize, to: usize) -> Option<&[u8]> {
        self.buffer.get(from..to)
    }

    fn take_frame(&mut self, from: usize, to: usize) -> Event {
        self.count_garbage(from);
        let raw = Bytes::copy_from_slice(self.slice(from, to).unwrap_or_default());
        let garbage = std::mem::take(&mut self.garbage);
        self.starts.clear();
        self.discard(to);
        Event::Frame { raw, garbage }
    }

    /// The first candidate never ended within the limit.
    fn drop_first_start(&mut self, over: usize) -> Event {
        let from = self.starts.pop_front().map_or(0, |start| start.at);
        let sample = Bytes::copy_from_slice(self.slice(from, over.min(from + 512)).unwrap_or_default());
        let keep = self.starts.front().map_or(self.seen, |start| start.at);
        self.count_garbage(keep);
        self.discard(keep);
        Event::Oversize { sample }
    }

    fn refuse_start(&mut self, at: usize, body: usize) -> Event {
        self.seen = at + 2;
        Event::Oversize { sample: Bytes::copy_from_slice(self.slice(at, body).unwrap_or_default()) }
    }

    fn count_garbage(&mut self, to: usize) {
        let skipped = self.slice(0, to).unwrap_or_default();
        self.garbage += skipped.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
    }

    /// Nothing before the first candidate (or what was seen) is needed any more.
    fn shrink(&mut self) {
        let keep = self.starts.front().map_or(self.seen, |start| start.at);
        self.count_garbage(keep);
        self.discard(keep);
    }

    fn discard(&mut self, count: usize) {
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count);
        self.seen = self.seen.saturating_sub(count);
        for start in &mut self.starts {
            start.at -= count.min(start.at);
            start.body -= count.min(start.body);
        }
    }
}

enum Look {
    /// Not enough bytes to tell.
    More,
    No,
    TooLong {
        body: usize,
    },
    Yes(Start),
}
