//! What a person pastes to have it explained: a frame as text, or bytes as hex in any of the usual ways of writing them.

use super::Explanation;
use crate::{hj212, jt808};

/// Bytes of a paste that are read.
pub const PASTE_BYTES_MAX: usize = 64 * 1024;

/// Why a paste is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    #[error("there is nothing to explain: paste a frame (##…) or its bytes as hex (7e 02 00 …)")]
    Empty,
    #[error("longer than {PASTE_BYTES_MAX} bytes")]
    TooLong,
    #[error("neither an HJ 212 frame (##…) nor hex: {found:?} at character {at}")]
    NotHex { at: usize, found: char },
    #[error("an odd number of hex digits: {0}")]
    OddHex(usize),
    #[error("neither ## nor 7e nor 30 31 63 64 is in these bytes, so the protocol is unknown")]
    UnknownProtocol,
}

/// The bytes of a paste. HJ 212 as text may show its line end as `\r\n`; hex may have spaces, commas, colons, `0x` and `\x`.
pub fn pasted(text: &str) -> Result<Vec<u8>, PasteError> {
    if text.len() > PASTE_BYTES_MAX * 4 {
        return Err(PasteError::TooLong);
    }
    let trimmed = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if trimmed.trim_end().is_empty() {
        return Err(PasteError::Empty);
    }
    let bytes = if trimmed.contains("##") { as_text(trimmed) } else { as_hex(trimmed)? };
    if bytes.len() > PASTE_BYTES_MAX { Err(PasteError::TooLong) } else { Ok(bytes) }
}

fn as_text(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}

fn as_hex(text: &str) -> Result<Vec<u8>, PasteError> {
    let mut nibbles = Vec::with_capacity(text.len());
    let mut characters = text.chars().enumerate().peekable();
    while let Some((at, found)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        match found {
            ' ' | '\t' | '\r' | '\n' | ',' | ':' | ';' | '-' | '_' | '"' | '\'' | '[' | ']' | '|' => {}
            '0' if matches!(next, Some('x' | 'X')) => drop(characters.next()),
            '\\' if next == Some('x') => drop(characters.next()),
            _ => match found.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
                Some(digit) => nibbles.push(digit),
                None => return Err(PasteError::NotHex { at, found }),
            },
        }
    }
    if nibbles.len() % 2 == 1 {
        return Err(PasteError::OddHex(nibbles.len()));
    }
    Ok(nibbles.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble)).collect())
}

/// A frame's explanation with the bytes that its offsets count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    pub explanation: Explanation,
    /// JT/T 808: with the escapes of the wire undone.
    pub plain: Vec<u8>,
}

/// Explains bytes of either protocol, told apart by their first start marker.
///
/// # Errors
/// [`PasteError::UnknownProtocol`] when neither marker is there.
pub fn explain(bytes: &[u8]) -> Result<Explained, PasteError> {
    let marker = |wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    let text = marker(b"##");
    let binary = if bytes.starts_with(b"01cd") { Some(0) } else { marker(b"\x7e") };
    match (text, binary) {
        (Some(text), binary) if binary.is_none_or(|binary| text < binary) => {
            Ok(Explained { explanation: hj212::explain(bytes), plain: bytes.to_vec() })
        }
        (_, Some(_)) => Ok(Explained { explanation: jt808::explain(bytes), plain: jt808::plain(bytes) }),
        _ => Err(PasteError::UnknownProtocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_usual_way_of_writing_hex_gives_the_same_bytes() {
        let ways = ["7e 02 00", "7E0200", "0x7e,0x02,0x00", "7e:02:00", "7e-02-00\n", r"\x7e\x02\x00", "[7e, 02, 00]"];
        for way in ways {
            assert_eq!(pasted(way), Ok(vec![0x7e, 2, 0]), "{way}");
        }
    }

    #[test]
    fn a_paste_that_is_neither_is_told_where_it_goes_wrong() {
        assert_eq!(pasted("  \n"), Err(PasteError::Empty));
        assert_eq!(pasted("7e 0g"), Err(PasteError::NotHex { at: 4, found: 'g' }));
        assert_eq!(pasted("7e 0"), Err(PasteError::OddHex(3)));
        assert_eq!(explain(b"hello"), Err(PasteError::UnknownProtocol));
    }

    #[test]
    fn a_frame_as_text_is_taken_with_its_shown_line_end() {
        let frame = "##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901\\r\\n";
        let bytes = pasted(frame).unwrap();
        assert!(bytes.ends_with(b"C901\r\n"));
        let explained = explain(&bytes).unwrap();
        assert!(explained.explanation.all_troubles().next().is_none(), "{explained:?}");
    }

    proptest! {
        #[test]
        fn whatever_is_pasted_is_answered(text in ".{0,200}") {
            if let Ok(bytes) = pasted(&text) {
                explain(&bytes).ok();
            }
        }

        #[test]
        fn hex_of_any_bytes_gives_the_bytes(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(pasted(&hex), Ok(bytes));
        }
    }
}
