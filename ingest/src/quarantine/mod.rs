//! What was not stored and why; who knocked without being known; who is connected and what was answered.
//!
//! - [`QuarantineList`]: acknowledged records that settle could not use. Their raw bytes stay in the journal at
//!   [`QuarantineEntry::frame`]; once a profile is corrected, a `Rederive` entry of the journal settles them again (so a replay
//!   does the same at the same place).
//! - [`Porch`]: the edge's [`model::seams::Doorstep`]: unknown identities and refused frames, bounded.
//! - [`WireTrace`]: the edge's [`model::seams::WireLog`]: presence, and the last frames of each device with verdict and
//!   acknowledgement time.

mod list;
mod porch;
mod trace;

pub(crate) use list::PAGE_MAX;
pub use list::{QuarantineFilter, QuarantineList};
pub use porch::{Porch, PorchConfig, RefusalLine, RefusalSample, UnknownIdentity};
pub use trace::{Presence, TracedFrame, WireTrace, WireTraceConfig};

use model::envelope::{Channel, Position};
use model::id::DeviceId;
use model::time::IngestTime;
use model::verdict::QuarantineReason;
use serde::Serialize;

/// A quarantined record, or a frame of which no record could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineEntry {
    /// The journal entry whose settling quarantined it: the frame itself, or the `Rederive` that tried again.
    pub position: Position,
    /// Where the raw bytes are.
    pub frame: Position,
    /// Which record of the frame, from 0; `None`: the whole frame.
    pub ordinal: Option<u32>,
    pub device: DeviceId,
    pub channel: Channel,
    pub received: IngestTime,
    pub reason: QuarantineReason,
    /// Where and what, for a person: a field, a factor code, a byte offset.
    pub place: String,
    /// The entry that settled it anew; `None` while it stands.
    pub rederived: Option<Position>,
}
