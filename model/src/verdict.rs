//! How each acknowledged record ends: in exactly one of stored, revised, duplicate, quarantined. Per device and day
//! `received = stored + revised + duplicate + quarantined`; frames are counted apart.

use serde::{Deserialize, Serialize};

/// The numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Verdict {
    Stored = 1,
    /// Same key, other content: both are kept, this one is shown.
    Revised = 2,
    Duplicate = 3,
    Quarantined = 4,
}

/// Why an acknowledged frame or record was not stored. It can be derived again after a profile is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineReason {
    /// The frame is right, its body cannot be read.
    NotUnderstood,
    /// The event time is missing or no real date.
    NoTime,
    /// The event time lies too far ahead of the time of receipt.
    FarFuture,
    /// The event time lies before the horizon of what can be judged or stored.
    FarPast,
    /// No value in it could be used.
    NoUsableValue,
    /// The device has no profile, or the profile is for another protocol.
    NoProfile,
    /// A profile names a unit that cannot be converted to the quantity's.
    UnitMismatch,
    /// The device named in the payload is outside the sender's grants.
    ForeignDevice,
    /// A split message whose other parts did not come in time.
    Incomplete,
    /// A frame with a wrong check or length says otherwise than a sound one of the same moment, which stays shown.
    Doubtful,
}

/// Why a frame was refused at the edge: no acknowledgement, a sample kept, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The check code does not match and the device's strictness is `reject`.
    CheckBad,
    /// The declared length does not match and the device's strictness is `reject`.
    LengthBad,
    /// Not a frame of this protocol.
    Malformed,
    /// Longer than the limit.
    Oversize,
    /// Sent before the device authenticated.
    NotAuthenticated,
    /// A topic or device outside the sender's grants.
    NotGranted,
    /// A polled slave that was not reached, did not answer, or refused every register.
    Unanswered,
}
