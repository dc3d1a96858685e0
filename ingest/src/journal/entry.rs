//! What the journal holds, and how one entry is written as bytes.

use bytes::Bytes;
use model::envelope::Envelope;
use model::register::Revision;
use model::stream::{Outage, Tick};

/// An entry of the journal: everything that can change a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Frame(Envelope),
    Tick(Tick),
    Revision(Box<Revision>),
    Outage(Outage),
    /// A fact of the first stage, journaled again under another key. Reserved: kept as it is.
    Fact(Bytes),
    /// Of a kind that this version does not know. Kept as it is.
    Unknown { kind: u8, body: Bytes },
}
