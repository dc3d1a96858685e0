//! A frame explained byte by byte.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A word in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct BothLabels {
    pub zh: &'static str,
    pub en: &'static str,
}

/// A frame to explain.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainFrame {
    /// An HJ 212 frame as text (`##…`), or bytes as hex with or without spaces.
    #[schema(max_length = 262_144)]
    pub text: String,
}

/// A frame by its place in the journal.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    #[serde(default)]
    pub partition: u16,
    pub seq: u64,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameTrouble {
    /// Stable name: `check_wrong`.
    pub code: &'static str,
    pub text: BothLabels,
    /// What was expected and what was found; may be empty.
    pub detail: String,
    /// Whether the frame is refused for it at the strictness *reject*.
    pub fatal: bool,
}

/// One field of a frame. Fields in order of offset; a deeper one lies within the last shallower one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FrameField {
    /// Offset in `plain_hex`, in bytes.
    pub at: u32,
    /// Bytes.
    pub len: u32,
    pub depth: u8,
    /// Stable name: `msg_id`, `a34002-Rtd`.
    pub name: String,
    pub label: BothLabels,
    pub value: String,
    /// Empty when there is none.
    pub unit: &'static str,
    /// Clause of the standard; empty when there is none.
    pub clause: &'static str,
    pub troubles: Vec<FrameTrouble>,
}

/// Which way a frame travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameDirection {
    Up,
    Down,
    Either,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ExplainedFrame {
    /// `HJ 212-2017`, `JT/T 808-2019`.
    pub standard: &'static str,
    pub title: BothLabels,
    pub direction: FrameDirection,
    /// What a platform answers; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<BothLabels>,
    /// The bytes that offsets count; JT/T 808: with the escapes of the wire undone.
    pub plain_hex: String,
    pub fields: Vec<FrameField>,
    /// Of the frame as a whole.
    pub troubles: Vec<FrameTrouble>,
}
