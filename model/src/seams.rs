//! The traits the crates meet at. In-memory ones are synchronous; those that wait return a boxed future and need no
//! particular runtime.

use crate::blob::BlobId;
use crate::envelope::{Envelope, Position, ProtocolKind};
use crate::id::DeviceId;
use crate::principal::{Admission, Attempt, DeviceAtEdge, Principal, Registration};
use crate::time::IngestTime;
use crate::verdict::RefusalReason;
use bytes::Bytes;
use std::sync::Arc;

/// Where the edge puts what it received. The one promise: `done` is called with `Ok` only after every envelope of the
/// batch is on disk (fdatasync returned; in the cluster: a quorum holds it), in the order of the batch.
///
/// `accept` never blocks. It is bounded: a full queue answers `Err(AppendError::Overloaded)` at once. `done` runs on the
/// journal's thread and must only hand over (send to a channel), never work.
pub trait Inlet: Send + Sync {
    fn accept(&self, batch: Vec<Envelope>, done: Completion);
}

pub type Completion = Box<dyn FnOnce(Result<Committed, AppendError>) + Send>;

/// Told how a registration that was pending ended; never [`Registration::Pending`].
pub type Registered = Box<dyn FnOnce(Registration) + Send>;

/// A batch on disk: positions `first.seq ..= first.seq + count - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub first: Position,
    pub count: u32,
    /// When the sync returned.
    pub at: IngestTime,
}

/// Why a batch was not made durable. None of it may be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("the journal's queue is full")]
    Overloaded,
    #[error("no space is left for the journal")]
    DiskFull,
    #[error("the journal could not write: {0}")]
    Io(Arc<str>),
    #[error("the journal is stopping")]
    Stopping,
}

/// Identity and grants, from a snapshot in memory. No call waits.
pub trait DeviceDirectory: Send + Sync {
    fn admit(&self, attempt: Attempt<'_>) -> Admission;
    fn device(&self, id: DeviceId) -> Option<Arc<DeviceAtEdge>>;
    fn device_by_code(&self, code: &str) -> Option<Arc<DeviceAtEdge>>;
    /// By MN or phone.
    fn device_by_identity(&self, protocol: ProtocolKind, identity: &str) -> Option<Arc<DeviceAtEdge>>;
    /// All devices of a protocol, by id; for pollers.
    fn devices(&self, protocol: ProtocolKind) -> Vec<Arc<DeviceAtEdge>>;
    /// A JT/T 808 terminal asks for its authentication code (0x0100). `terminal` is `maker/terminal id`. The first that asks
    /// under a credential holds the phone until the credential is rotated. `done` is told the answer after
    /// [`Registration::Pending`] alone; it may run on any thread and must only hand over.
    fn register_terminal(&self, phone: &str, terminal: &str, done: Registered) -> Registration;
    /// The HJ 212 password of a device, for answers that must carry it.
    fn hj212_password(&self, id: DeviceId) -> Option<Arc<str>>;
    /// The principal of a bridge that is switched on, for messages that came by a broker's credential of ours and not by its own.
    fn bridge(&self, _name: &str) -> Option<Arc<Principal>> {
        None
    }
    /// Grows with every change. A connection compares it when it is told of a change, and now and then, and asks
    /// [`Self::still_admitted`].
    fn revision(&self) -> u64;
    /// False when the principal's credential changed or its device was switched off.
    fn still_admitted(&self, principal: &Principal) -> bool;
}

/// Who knocked without being known, and what was refused. Bounded inside; never blocks.
pub trait Doorstep: Send + Sync {
    fn unknown(&self, knock: Knock);
    fn refused(&self, refusal: Refusal);
}

/// An unknown identity and a sample of what it sent (the list keeps at most 16 an identity).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    pub at: IngestTime,
    pub protocol: ProtocolKind,
    /// As sent, cut at 64 characters.
    pub identity: String,
    pub peer: String,
    /// Cut at 512 bytes.
    pub sample: Bytes,
}

/// A frame that was not taken: counted, and its raw bytes sampled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub at: IngestTime,
    pub protocol: ProtocolKind,
    pub device: Option<DeviceId>,
    pub peer: String,
    pub reason: RefusalReason,
    /// What and where, for a person: `crc 1C80 expected, 1C08 found`.
    pub detail: String,
    /// Cut at 512 bytes.
    pub sample: Bytes,
}

/// What the edge tells of connections, for presence and vendor traces. Bounded inside; never blocks.
pub trait WireLog: Send + Sync {
    fn connected(&self, device: DeviceId, connection: u64, peer: &str, at: IngestTime);
    fn disconnected(&self, device: DeviceId, connection: u64, at: IngestTime);
    /// A frame was acknowledged at `acknowledged`, `None`: it asked for no answer.
    fn acknowledged(&self, device: DeviceId, first: Position, acknowledged: IngestTime);
}

/// Streams of settled data to MQTT subscribers (staff tools, bridges), after durability. Bounded: drops and counts.
pub trait FanOut: Send + Sync {
    /// `topic` is of our ASCII grammar.
    fn publish(&self, topic: String, payload: Bytes);
}

/// Pictures and files of devices, named by the SHA-256 of their bytes. Bounded in the size of each, in all, and for each
/// device. Every call may wait for the disk: never on a thread that must not.
pub trait BlobStore: Send + Sync + std::fmt::Debug {
    /// Keeps a device's bytes. On `Ok` they are on disk (synced, under their name), so that something may refer to them.
    fn put(&self, device: DeviceId, bytes: &[u8]) -> Result<BlobId, BlobError> {
        let mut file = self.begin()?;
        file.write_at(0, bytes)?;
        file.finish(device)
    }

    /// A blob that comes in pieces.
    fn begin(&self) -> Result<Box<dyn BlobFile>, BlobError>;

    /// `None`: there is none of that name (any more).
    fn read(&self, id: BlobId) -> Result<Option<Vec<u8>>, BlobError>;

    /// The devices that sent it; empty when there is none of that name.
    fn devices(&self, id: BlobId) -> Vec<DeviceId>;

    /// Evidence needs it: from now on it is never let go.
    fn pin(&self, id: BlobId) -> Result<(), BlobError>;
}

/// A blob being written; dropped unfinished it leaves nothing.
pub trait BlobFile: Send + std::fmt::Debug {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), BlobError>;
    /// As [`BlobStore::put`] ends.
    fn finish(self: Box<Self>, device: DeviceId) -> Result<BlobId, BlobError>;
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("it is larger than {0} bytes")]
    TooLarge(u64),
    /// What is there is young, or pinned by evidence.
    #[error("no room is left for pictures")]
    Full,
    #[error("blob {0} is damaged")]
    Damaged(BlobId),
    #[error("{what}: {why}")]
    Io { what: &'static str, why: Arc<str> },
}
