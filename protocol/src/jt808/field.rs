//! How a field of a body is named and shown. A reader names every field it takes, so decoding and explaining are one
//! walk over the bytes and cannot disagree. A field knows nothing of the frame around it.

use super::bcd_time;
use super::flags::{Flag, Issue, load_label, set_flags};
use crate::explain::Label;
use std::borrow::Cow;
use std::fmt::Write;

/// A value of a field and its meaning.
pub(super) type Name = (u32, &'static str, &'static str);

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: Label,
    pub(super) show: Show,
    pub(super) unit: &'static str,
    pub(super) clause: &'static str,
}

/// How the bytes become text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Show {
    /// An unsigned number.
    Number,
    /// A signed number, by [`signed_word`].
    Signed,
    /// Tenths of the unit.
    Tenths,
    /// Millionths of a degree.
    Degree,
    Hex,
    /// GBK, else UTF-8.
    Text,
    /// BCD or hex digits as they stand.
    Digits,
    /// BCD time.
    Time,
    Names(&'static [Name]),
    Flags(&'static [Flag], Issue),
    /// The status word: flags and the two bits of the load.
    Status(Issue),
    Bytes,
}

pub(super) const fn field(name: &'static str, zh: &'static str, en: &'static str) -> Field {
    Field { name, label: Label { zh, en }, show: Show::Number, unit: "", clause: "" }
}

pub(super) const fn text(name: &'static str, zh: &'static str, en: &'static str) -> Field {
    field(name, zh, en).show(Show::Text)
}

pub(super) const fn bytes(name: &'static str, zh: &'static str, en: &'static str) -> Field {
    field(name, zh, en).show(Show::Bytes)
}

pub(super) const fn time(name: &'static str, zh: &'static str, en: &'static str) -> Field {
    field(name, zh, en).show(Show::Time)
}

pub(super) const fn hex(name: &'static str, zh: &'static str, en: &'static str) -> Field {
    field(name, zh, en).show(Show::Hex)
}

pub(super) const fn names(name: &'static str, zh: &'static str, en: &'static str, names: &'static [Name]) -> Field {
    field(name, zh, en).show(Show::Names(names))
}

pub(super) const LENGTH: Field = field("length", "长度", "length");
pub(super) const COUNT: Field = field("count", "数量", "count");
pub(super) const RESERVED: Field = bytes("reserved", "预留", "reserved");

impl Field {
    pub(super) const fn show(mut self, show: Show) -> Self {
        self.show = show;
        self
    }

    pub(super) const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(super) const fn clause(mut self, clause: &'static str) -> Self {
        self.clause = clause;
        self
    }

    pub(super) const fn tenths(self) -> Self {
        self.show(Show::Tenths)
    }

    pub(super) const fn degree(self) -> Self {
        self.show(Show::Degree).unit("°")
    }

    /// The value as a person reads it: at most 32 flags, or the first bytes.
    pub(super) fn value(&self, bytes: &[u8]) -> String {
        let Some(number) = number(bytes) else {
            return match self.show {
                Show::Text => quoted(bytes),
                Show::Time => shown_time(bytes),
                _ => hex_text(bytes),
            };
        };
        match self.show {
            Show::Number => number.to_string(),
            Show::Signed => u16::try_from(number).map_or(number.to_string(), |word| signed_word(word).to_string()),
            Show::Tenths => format!("{}.{}", number / 10, number % 10),
            Show::Degree => format!("{}.{:06}", number / 1_000_000, number % 1_000_000),
            Show::Hex => format!("0x{number:0width$X}", width = bytes.len() * 2),
            Show::Text => quoted(bytes),
            Show::Digits | Show::Bytes => hex_text(bytes),
            Show::Time => shown_time(bytes),
            Show::Names(names) => {
                let known = names.iter().find(|(value, ..)| u64::from(*value) == number);
                known.map_or_else(
                    || number.to_string(),
                    |(value, zh, en)| format!("{value} {zh} {en}").trim_end().to_owned(),
                )
            }
            Show::Flags(table, issue) => flags_text(bytes, number, table, issue, ""),
            Show::Status(issue) => {
                let load = load_label(u32::try_from(number).unwrap_or(0), issue);
                flags_text(bytes, number, super::flags::STATUS, issue, &load)
            }
        }
    }
}

/// Bytes of a value that are printed before it is cut.
const BYTES_SHOWN_MAX: usize = 64;

fn flags_text(bytes: &[u8], number: u64, table: &'static [Flag], issue: Issue, load: &str) -> String {
    let mut text = format!("0x{number:0width$X}", width = bytes.len() * 2);
    let bits = u32::try_from(number).unwrap_or(0);
    for flag in set_flags(table, bits, issue) {
        write!(text, " · {} {}", flag.label.zh, flag.label.en).ok(); // a String takes everything
    }
    if !load.is_empty() {
        write!(text, " · {load}").ok(); // as above
    }
    text
}

/// Up to eight bytes as a big-endian number; nothing for none or more.
fn number(bytes: &[u8]) -> Option<u64> {
    (1..=8).contains(&bytes.len()).then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

pub(super) fn hex_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len().min(BYTES_SHOWN_MAX) + 16);
    for byte in bytes.iter().take(BYTES_SHOWN_MAX) {
        write!(text, "{byte:02x}").ok(); // a String takes everything
    }
    if bytes.len() > BYTES_SHOWN_MAX {
        write!(text, "… ({} B)", bytes.len()).ok(); // as above
    }
    text
}

fn quoted(bytes: &[u8]) -> String {
    let text = gbk(bytes.get(..BYTES_SHOWN_MAX * 2).unwrap_or(bytes));
    let cut = if bytes.len() > BYTES_SHOWN_MAX * 2 { "…" } else { "" };
    let plain: String = text.chars().map(|letter| if letter.is_control() { '·' } else { letter }).collect();
    format!("{plain}{cut}")
}

fn shown_time(bytes: &[u8]) -> String {
    match bcd_time(bytes) {
        // A time of every day.
        Some((2000, 0, 0, hour, minute, second, _)) => format!("00-00-00 {hour:02}:{minute:02}:{second:02}"),
        Some((year, month, day, hour, minute, second, _)) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        None => hex_text(bytes),
    }
}

/// A STRING of the standard: GBK; where that fails, UTF-8 as some terminals send it; padding zeros are cut.
pub fn gbk(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let bytes = bytes.get(..end).unwrap_or_default();
    if let Some(text) = encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes) {
        return text;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::GBK.decode_without_bom_handling(bytes).0,
    }
}

/// Text as GBK; `None` when a character is not in it.
pub fn to_gbk(text: &str) -> Option<Vec<u8>> {
    let (bytes, _, missing) = encoding_rs::GBK.encode(text);
    (!missing).then(|| bytes.into_owned())
}

/// A signed WORD. The 2019 text sets the top bit for negative numbers; terminals send two's complement as well. Above a
/// magnitude of a thousand only the latter makes sense.
pub(super) fn signed_word(word: u16) -> i16 {
    let magnitude = i16::try_from(word & 0x7FFF).unwrap_or(0);
    match word & 0x8000 {
        0 => magnitude,
        _ if magnitude <= 1_000 => -magnitude,
        _ => word.cast_signed(),
    }
}
