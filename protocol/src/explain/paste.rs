//! What a person pastes to have it explained: a frame as text, or bytes as hex in any of the usual ways of writing them.

use super::Explanation;
use crate::modbus::explain as modbus;
use crate::mqtt::packet as mqtt;
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
    #[error("no HJ 212 frame (##…), JT/T 808 frame (7e…), Modbus frame or MQTT packet is recognised in these bytes")]
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
    let bytes = if is_json(trimmed.as_bytes()) {
        trimmed.trim_end().as_bytes().to_vec()
    } else if trimmed.contains("##") {
        as_text(trimmed)
    } else {
        as_hex(trimmed)?
    };
    if bytes.len() > PASTE_BYTES_MAX { Err(PasteError::TooLong) } else { Ok(bytes) }
}

fn is_json(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{") || bytes.starts_with(b"[{")
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

/// Explains bytes of any protocol: HJ 212 and JT/T 808 by their first start marker, whole Modbus frames and MQTT packets
/// by their lengths and checks. A pasted frame of HJ 212 has seldom kept its line end, so none is missed.
///
/// # Errors
/// [`PasteError::UnknownProtocol`] when it is none of them.
pub fn explain(bytes: &[u8]) -> Result<Explained, PasteError> {
    if is_json(bytes) {
        return Ok(Explained { explanation: mqtt::read_payload(bytes), plain: bytes.to_vec() });
    }
    if !bytes.starts_with(b"##")
        && !bytes.starts_with(b"\x7e")
        && let Some(wrap) = modbus::wrap_of(bytes)
    {
        return Ok(Explained { explanation: modbus::explain(bytes, wrap, None), plain: bytes.to_vec() });
    }
    let marker = |wanted: &[u8]| bytes.windows(wanted.len()).position(|window| window == wanted);
    let text = marker(b"##");
    let binary = if bytes.starts_with(b"01cd") { Some(0) } else { marker(b"\x7e") };
    match (text, binary) {
        (Some(text), binary) if binary.is_none_or(|binary| text < binary) => {
            Ok(Explained { explanation: hj212::explain_kept(bytes), plain: bytes.to_vec() })
        }
        _ if binary != Some(0) && mqtt::looks_like_packet(bytes) => {
            let level = if bytes.first() == Some(&0x10) { None } else { Some(mqtt::Level::V311) };
            Ok(Explained { explanation: mqtt::read(bytes, level).explanation, plain: bytes.to_vec() })
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

    #[test]
    fn a_frame_pasted_without_its_line_end_has_no_problem() {
        let frame = "##0077QN=20210407112025762;ST=21;CN=9021;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&C901";
        let explained = explain(&pasted(frame).unwrap()).unwrap();
        assert!(explained.explanation.all_troubles().next().is_none(), "{explained:?}");
    }

    #[test]
    fn modbus_frames_and_mqtt_packets_are_known_by_their_form() {
        let of = |hex: &str| explain(&pasted(hex).unwrap()).map(|explained| explained.explanation.standard);
        assert_eq!(of("01 03 00 00 00 02 C4 0B"), Ok("Modbus"));
        assert_eq!(of("00 01 00 00 00 06 01 03 00 00 00 02"), Ok("Modbus"));
        assert_eq!(of("10 13 00 04 4d 51 54 54 04 c0 00 3c 00 01 63 00 01 75 00 01 70"), Ok("MQTT 3.1.1"));
        assert_eq!(of("c0 00"), Ok("MQTT 3.1.1"));
        assert_eq!(of(r#"{"ts":1763800000000,"values":{"fume":1.2}}"#), Ok("JSON"));
        assert_eq!(of("01 03 00 00 00 02 C4 0C"), Err(PasteError::UnknownProtocol));
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
