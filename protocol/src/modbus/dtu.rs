//! The first words of a 4G modem (DTU) that dials in: a registration that names it, before the Modbus line begins.
//!
//! ```text
//! 38 36 30 … 0D 0A          its IMEI as a line
//! FE FE 12 34 56 78         a prefix and a number of fixed length
//! ```
//! Nothing in a TCP stream ends a registration but its form, so the form is configured; its length is bounded, and what does
//! not fit refuses the connection. Heartbeats later on the line are no answers to anything and are passed over by
//! [`super::rtu::Line`]; [`is_heartbeat`] only tells them for the books.

use std::fmt::Write as _;

/// The longest registration.
pub const REGISTRATION_BYTES_MAX: usize = 256;

/// What a registration looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A line of visible ASCII, ended by CR or LF.
    Line { chars_max: usize },
    /// Exactly so many characters of visible ASCII.
    Ascii { chars: usize },
    /// These bytes, then so many that are the identity, in hex.
    Prefixed { prefix: Vec<u8>, length: usize },
    /// These bytes, then an identity of visible ASCII, then these.
    Framed { prefix: Vec<u8>, suffix: Vec<u8>, chars_max: usize },
}

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Not whole yet.
    More,
    /// The modem's identity, and how many bytes it took; what follows belongs to the line.
    Named { identity: String, used: usize },
    /// No registration of this form, at this offset.
    Refused { offset: usize },
}

impl Form {
    /// Reads the beginning of a connection. Any cut of the stream gives the same end: look again with more bytes.
    pub fn read(&self, bytes: &[u8]) -> Registration {
        match self {
            Self::Line { chars_max } => line(bytes, bounded(*chars_max)),
            Self::Ascii { chars } => ascii(bytes, bounded(*chars)),
            Self::Prefixed { prefix, length } => match after(bytes, prefix) {
                Err(found) => found,
                Ok(rest) => match rest.get(..bounded(*length)) {
                    None => Registration::More,
                    Some(identity) => {
                        Registration::Named { identity: hex(identity), used: prefix.len() + identity.len() }
                    }
                },
            },
            Self::Framed { prefix, suffix, chars_max } => match after(bytes, prefix) {
                Err(found) => found,
                Ok(rest) => framed(rest, prefix.len(), suffix, bounded(*chars_max)),
            },
        }
    }

    /// The most bytes it looks at.
    pub fn bound(&self) -> usize {
        match self {
            Self::Line { chars_max } => bounded(*chars_max) + 2,
            Self::Ascii { chars } => bounded(*chars),
            Self::Prefixed { prefix, length } => prefix.len() + bounded(*length),
            Self::Framed { prefix, suffix, chars_max } => prefix.len() + suffix.len() + bounded(*chars_max),
        }
    }
}

/// Whether bytes received while nothing was asked are one or more of a modem's heartbeats, whole.
pub fn is_heartbeat(bytes: &[u8], heartbeat: &[u8]) -> bool {
    !heartbeat.is_empty()
        && !bytes.is_empty()
        && bytes.len().is_multiple_of(heartbeat.len())
        && bytes.chunks(heartbeat.len()).all(|chunk| chunk == heartbeat)
}

fn bounded(length: usize) -> usize {
    length.clamp(1, REGISTRATION_BYTES_MAX)
}

fn line(bytes: &[u8], most: usize) -> Registration {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
    let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    if let Some(offset) = text.iter().zip(0..).position(|(byte, at)| !visible(*byte) || at >= most) {
        return Registration::Refused { offset };
    }
    match end {
        None => Registration::More,
        Some(0) => Registration::Refused { offset: 0 },
        Some(end) => match bytes.get(end..) {
            // A CR may have its LF on the way; without it the next byte is the line's.
            Some([b'\r']) => Registration::More,
            Some([b'\r', b'\n', ..]) => Registration::Named { identity: text_of(text), used: end + 2 },
            _ => Registration::Named { identity: text_of(text), used: end + 1 },
        },
    }
}

fn ascii(bytes: &[u8], chars: usize) -> Registration {
    let text = bytes.get(..chars.min(bytes.len())).unwrap_or_default();
    if let Some(offset) = text.iter().position(|byte| !visible(*byte)) {
        return Registration::Refused { offset };
    }
    if text.len() < chars { Registration::More } else { Registration::Named { identity: text_of(text), used: chars } }
}

fn framed(rest: &[u8], before: usize, suffix: &[u8], most: usize) -> Registration {
    let named = |len: usize| Registration::Named {
        identity: text_of(rest.get(..len).unwrap_or_default()),
        used: before + len + suffix.len(),
    };
    for len in 0..=most {
        let Some(tail) = rest.get(len..) else { return Registration::More };
        if len > 0 && tail.starts_with(suffix) {
            return named(len);
        }
        if tail.len() < suffix.len() && suffix.starts_with(tail) {
            return Registration::More;
        }
        match tail.first() {
            None => return Registration::More,
            Some(byte) if !visible(*byte) => return Registration::Refused { offset: before + len },
            Some(_) => {}
        }
    }
    Registration::Refused { offset: before + most }
}

/// What stands behind the prefix, or what the bytes are if it is not there.
fn after<'a>(bytes: &'a [u8], prefix: &[u8]) -> Result<&'a [u8], Registration> {
    let same = bytes.iter().zip(prefix).take_while(|(found, wanted)| found == wanted).count();
    if same == prefix.len() {
        Ok(bytes.get(same..).unwrap_or_default())
    } else if same == bytes.len() {
        Err(Registration::More)
    } else {
        Err(Registration::Refused { offset: same })
    }
}

const fn visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

fn text_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02X}").ok(); // a String takes everything
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(identity: &str, used: usize) -> Registration {
        Registration::Named { identity: identity.to_owned(), used }
    }

    #[test]
    fn each_form_is_read() {
        let line = Form::Line { chars_max: 20 };
        assert_eq!(line.read(b"860000000000001\r\n\x01"), named("860000000000001", 17));
        assert_eq!(line.read(b"8600\n"), named("8600", 5));
        assert_eq!(line.read(b"8600\r\x01"), named("8600", 5));
        assert_eq!(line.read(b"8600\r"), Registration::More);
        assert_eq!(line.read(b"\x01\x03"), Registration::Refused { offset: 0 });
        assert_eq!(line.read(&[b'1'; 21]), Registration::Refused { offset: 20 });
        assert_eq!(line.read(&[[b'1'; 21].as_slice(), &[0xE2]].concat()), Registration::Refused { offset: 20 });
        assert_eq!(line.read(b"\r\n"), Registration::Refused { offset: 0 });
        let ascii = Form::Ascii { chars: 4 };
        assert_eq!(ascii.read(b"86001"), named("8600", 4));
        assert_eq!(ascii.read(b"86"), Registration::More);
        let prefixed = Form::Prefixed { prefix: vec![0xFE, 0xFE], length: 4 };
        assert_eq!(prefixed.read(&[0xFE, 0xFE, 0x12, 0x34, 0x56, 0x78, 9]), named("12345678", 6));
        assert_eq!(prefixed.read(&[0xFE]), Registration::More);
        assert_eq!(prefixed.read(&[0xFE, 0x12]), Registration::Refused { offset: 1 });
        let framed = Form::Framed { prefix: b"REG:".to_vec(), suffix: b"#".to_vec(), chars_max: 8 };
        assert_eq!(framed.read(b"REG:A1#x"), named("A1", 7));
        assert_eq!(framed.read(b"REG:A1"), Registration::More);
        assert_eq!(framed.read(b"REG:123456789"), Registration::Refused { offset: 12 });
    }

    #[test]
    fn heartbeats_are_told_from_other_bytes() {
        assert!(is_heartbeat(b"PINGPING", b"PING"));
        assert!(!is_heartbeat(b"PINGPIN", b"PING") && !is_heartbeat(b"", b"PING") && !is_heartbeat(b"x", b""));
    }

    fn forms() -> impl Strategy<Value = Form> {
        let bytes = || prop::collection::vec(prop_oneof![Just(b'#'), any::<u8>()], 0..4);
        prop_oneof![
            prop_oneof![0_usize..12, 0_usize..300].prop_map(|chars_max| Form::Line { chars_max }),
            prop_oneof![0_usize..12, 0_usize..300].prop_map(|chars| Form::Ascii { chars }),
            (bytes(), 0_usize..9).prop_map(|(prefix, length)| Form::Prefixed { prefix, length }),
            (bytes(), bytes(), 0_usize..9).prop_map(|(prefix, suffix, chars_max)| Form::Framed {
                prefix,
                suffix,
                chars_max
            }),
        ]
    }

    proptest! {
        #[test]
        fn more_bytes_never_change_what_was_read(form in forms(), bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40), "[#0-9A-Z\r\n]{0,40}".prop_map(String::into_bytes)]) {
            let whole = form.read(&bytes);
            for cut in 0..bytes.len() {
                let part = form.read(&bytes[..cut]);
                prop_assert!(part == Registration::More || part == whole, "{:?} at {} then {:?}", part, cut, whole);
            }
            if bytes.len() > form.bound() {
                prop_assert_ne!(whole, Registration::More);
            }
        }
    }
}
