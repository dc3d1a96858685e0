//! What a frame says, byte by byte, for people: the vocabulary that both explainers ([`crate::jt808`], [`crate::hj212`])
//! write and that the command line, the page and the lab print.

mod paste;
mod table;

pub use paste::{Explained, PASTE_BYTES_MAX, PasteError, explain, pasted};
pub use table::{Language, columns, fit, table};

use std::borrow::Cow;

/// A word in both languages of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub zh: &'static str,
    pub en: &'static str,
}

/// Which way a frame travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From a device to the platform.
    Up,
    Down,
    /// The message goes both ways.
    Either,
}

/// What is wrong at a place, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Stable name, as in the decoder's problems.
    pub code: &'static str,
    /// What was found and what was expected.
    pub text: Label,
    /// The found and the expected value where they help, already formatted: `1C80 expected, 801C found`.
    pub detail: String,
    /// Whether the frame is refused for it at the strictness *reject*.
    pub fatal: bool,
}

/// One field of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Offset and length in the frame as it is on the wire (JT/T 808: un-escaped, the first `7e` at 0).
    pub at: usize,
    pub len: usize,
    /// Nesting: 0 the frame's parts, 1 fields, 2 fields of an item, …
    pub depth: u8,
    /// Stable name of the field: `msg_id`, `a34002-Rtd`.
    pub name: Cow<'static, str>,
    pub label: Label,
    /// The value as a person reads it.
    pub value: String,
    /// Unit as printed; empty when there is none.
    pub unit: &'static str,
    /// Clause of the standard: `JT/T 808-2019 8.18 表23`; empty when there is none.
    pub clause: &'static str,
    pub troubles: Vec<Trouble>,
}

/// A whole frame, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// `HJ 212-2017`, `JT/T 808-2019`.
    pub standard: &'static str,
    /// Name of the message: `实时数据`, `位置信息汇报`.
    pub title: Label,
    pub direction: Direction,
    /// In order of offset.
    pub spans: Vec<Span>,
    /// Troubles of the frame as a whole (something absent).
    pub troubles: Vec<Trouble>,
    /// What a platform answers to it; `None` when nothing.
    pub answer: Option<Label>,
}

impl Explanation {
    /// Every trouble with the offset and length it belongs to.
    pub fn all_troubles(&self) -> impl Iterator<Item = (Option<(usize, usize)>, &Trouble)> {
        let spans =
            self.spans.iter().flat_map(|span| span.troubles.iter().map(|trouble| (Some((span.at, span.len)), trouble)));
        spans.chain(self.troubles.iter().map(|trouble| (None, trouble)))
    }
}
