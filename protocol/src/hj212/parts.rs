//! One frame's pieces: length, segment, check; and what is odd about them.
//!
//! ```text
//! ##0089QN=…&&1C80      declared 89, segment QN=…&&, check 1C80
//! ```
//! What a wrong length or check looks like is told apart, because each look has one cause that an installer can mend.

use super::check::{self, parse_hex4};
use super::problem::{Problem, ProblemCode};
use std::borrow::Cow;

/// One frame's pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// As written after `##`; `None` when there is no number.
    pub declared: Option<usize>,
    /// How many digits it was written with.
    pub declared_digits: usize,
    pub segment: &'a [u8],
    /// Where the segment begins in the frame.
    pub segment_offset: usize,
    /// The characters behind the segment, at best four hex digits.
    pub check: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Splits one frame, with or without its line end. Never fails: what is not there is empty.
    pub fn split(raw: &'a [u8]) -> Self {
        let end = raw.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
        let raw = raw.get(..end).unwrap_or_default();
        let digits_at = if raw.starts_with(b"##") { 2 } else { 0 };
        let rest = raw.get(digits_at..).unwrap_or_default();
        let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
        let declared = (digits > 0).then(|| decimal(rest.get(..digits).unwrap_or_default()));
        let body = rest.get(digits..).unwrap_or_default();
        let cut = segment_len(body, declared);
        let (segment, check) = body.split_at_checked(cut).unwrap_or((body, &[]));
        Self { declared, declared_digits: digits, segment, segment_offset: digits_at + digits, check }
    }

    pub fn length_ok(&self) -> bool {
        self.declared == Some(self.segment.len())
    }

    pub fn crc_ok(&self) -> bool {
        parse_hex4(self.check).is_some_and(|found| found == check::crc(self.segment))
    }

    /// The check the segment should have.
    pub fn crc_expected(&self) -> u16 {
        check::crc(self.segment)
    }

    /// The segment as text: UTF-8, else GBK with replacement characters.
    pub fn text(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.segment) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => encoding_rs::GBK.decode_without_bom_handling(self.segment).0,
        }
    }

    /// What is odd about length, check and encoding.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut at = |code, offset| found.push(Problem { code, offset });
        match self.declared {
            None => at(ProblemCode::LengthMissing, self.segment_offset),
            Some(_) if self.declared_digits != 4 => at(ProblemCode::LengthDigits, 2),
            Some(_) => {}
        }
        if let Some(code) = self.length_problem() {
            at(code, 2);
        }
        if self.segment.len() > 1024 {
            at(ProblemCode::SegmentLong, self.segment_offset + 1024);
        }
        if !self.segment.ends_with(b"&&") {
            at(ProblemCode::EndMissing, self.segment_offset + self.segment.len());
        }
        if let Err(e) = std::str::from_utf8(self.segment) {
            at(ProblemCode::NotUtf8, self.segment_offset + e.valid_up_to());
        }
        if let Some(code) = self.check_problem() {
            at(code, self.segment_offset + self.segment.len());
        }
        if self.check.iter().any(u8::is_ascii_lowercase) {
            at(ProblemCode::CheckLowerCase, self.segment_offset + self.segment.len());
        }
        found
    }

    /// Which mistake a wrong length looks like.
    fn length_problem(&self) -> Option<ProblemCode> {
        let (declared, found) = (self.declared?, self.segment.len());
        if declared == found {
            return None;
        }
        // Once a forwarder dropped an `&&`, the length says nothing about who wrote it.
        let whole = self.segment.ends_with(b"&&");
        Some(match declared.checked_sub(found) {
            Some(1) if whole => ProblemCode::LengthOffByOne,
            None if whole && found - declared == 1 => ProblemCode::LengthOffByOne,
            None if whole && found - declared == 2 => ProblemCode::LengthWithoutEnd,
            Some(4) if whole => ProblemCode::LengthCountsCheck,
            Some(6) if whole => ProblemCode::LengthCountsLineEnd,
            Some(10 | 12) if whole => ProblemCode::LengthCountsAll,
            _ => ProblemCode::LengthWrong,
        })
    }

    fn check_problem(&self) -> Option<ProblemCode> {
        if self.check.is_empty() {
            return Some(ProblemCode::CheckMissing);
        }
        let Some(found) = parse_hex4(self.check) else {
            let hex = self.check.iter().all(u8::is_ascii_hexdigit);
            return Some(match self.check {
                check if check.contains(&b'?') => ProblemCode::CheckPlaceholder,
                check if hex && check.len() < 4 => ProblemCode::CheckShort,
                _ => ProblemCode::CheckNotHex,
            });
        };
        if found == check::crc(self.segment) {
            return None;
        }
        if found == 0 || found == 0xFFFF {
            return Some(ProblemCode::CheckPlaceholder);
        }
        Some(check::hint(self.segment, found).map_or(ProblemCode::CheckWrong, ProblemCode::from))
    }
}

pub(super) fn decimal(digits: &[u8]) -> usize {
    digits.iter().fold(0, |value, digit| value * 10 + usize::from(digit.saturating_sub(b'0')))
}

const fn is_check_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'?'
}

/// Length of a trailing `&&` + check characters (at most six), or `None`.
pub(super) fn tail_check_len(body: &[u8]) -> Option<usize> {
    let count = body.iter().rev().take(7).take_while(|byte| is_check_char(**byte)).count();
    let before = body.get(..body.len() - count)?;
    // `CP=&&` alone opens the data; it is no end.
    (count <= 6 && before.ends_with(b"&&") && !(before.ends_with(b"CP=&&"))).then_some(count)
}

/// How much of a frame's body (everything behind the length) is its segment.
fn segment_len(body: &[u8], declared: Option<usize>) -> usize {
    if let Some(declared) = declared
        && declared.checked_add(4) == Some(body.len())
        && body.get(declared..).and_then(parse_hex4).is_some()
    {
        return declared;
    }
    if let Some(count) = tail_check_len(body) {
        return body.len() - count;
    }
    match body.len().checked_sub(4) {
        Some(cut) if body.get(cut..).and_then(parse_hex4).is_some() => cut,
        _ => body.len(),
    }
}

/// What is odd about the end of the line behind a frame; `rest` begins behind the check. The framer waits for no line
/// end where length and check agree, so this is for those who hold the bytes as they came.
pub fn line_end_problem(rest: &[u8]) -> Option<ProblemCode> {
    match rest {
        [b'\r', b'\n', ..] => None,
        [b'\n' | b'\r', ..] => Some(ProblemCode::LineEndOdd),
        _ => Some(ProblemCode::LineEndMissing),
    }
}
