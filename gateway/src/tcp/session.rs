//! The seam between the connection loop, which waits, and a protocol's session, which decides and never waits.

use model::envelope::{Envelope, Position};
use model::id::DeviceId;
use model::seams::Committed;
use model::time::IngestTime;

/// A pure state machine for one connection.
pub trait Session: Send {
    fn protocol(&self) -> model::envelope::ProtocolKind;

    /// Bytes arrived. They are only kept; [`Session::advance`] reads them.
    fn on_bytes(&mut self, bytes: &[u8]);

    /// Handles whole frames, at most `room` of which may go to the journal; sets [`Actions::starved`] when it stopped for
    /// want of room.
    fn advance(&mut self, now: IngestTime, room: usize, out: &mut Actions);

    /// The next `committed.count` frames of those given to the journal, in order, are on disk.
    fn on_durable(&mut self, committed: &Committed, now: IngestTime, out: &mut Actions);

    /// The directory has changed.
    fn on_change(&mut self, now: IngestTime, out: &mut Actions);

    /// Somebody called [`super::Opening::wake`].
    fn on_wake(&mut self, _now: IngestTime, _out: &mut Actions) {}

    /// When [`Session::on_time`] has something to do.
    fn next_time(&self) -> Option<IngestTime> {
        None
    }

    /// That time has come.
    fn on_time(&mut self, _now: IngestTime, _out: &mut Actions) {}

    /// An answer is still to come that no frame at the journal stands for.
    fn waits(&self) -> bool {
        false
    }

    /// The connection is gone.
    fn on_close(&mut self, now: IngestTime);

    /// A frame has begun and not ended.
    fn is_partial(&self) -> bool;
}

/// What a session wants done, in this order: append, send, then close.
#[derive(Debug, Default)]
pub struct Actions {
    pub append: Vec<Envelope>,
    pub send: Vec<u8>,
    /// Frames that `send` answers.
    pub acknowledged: Vec<(DeviceId, Position)>,
    pub close: Option<CloseReason>,
    /// Whole frames seen, of any kind.
    pub frames: usize,
    /// An identity was accepted.
    pub established: bool,
    pub starved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed.
    Peer,
    /// The socket failed.
    Io,
    Idle,
    /// No identity was accepted in time.
    FirstFrame,
    /// A frame did not end in time.
    SlowFrame,
    /// The journal did not answer in time.
    AppendStalled,
    /// The journal refused a batch.
    AppendFailed,
    /// The peer did not take an answer in time.
    SlowReader,
    /// A newer connection has this one's place.
    TakenOver,
    /// The credential changed or the device was switched off.
    Revoked,
    /// It tried too many wrong secrets.
    Guessing,
    /// The listener was full and it had not said who it is.
    CrowdedOut,
    /// What it sent led to a ban of its address.
    Banned,
    /// The TLS handshake failed.
    Handshake,
    /// It began with a TLS handshake on a plain port.
    TlsOnPlain,
    /// A modem's bus let go of it: its devices went, a newer connection came, or the line was never quiet.
    Released,
    /// We stop.
    Stopping,
}

impl CloseReason {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Io => "io",
            Self::Idle => "idle",
            Self::FirstFrame => "first_frame",
            Self::SlowFrame => "slow_frame",
            Self::AppendStalled => "append_stalled",
            Self::AppendFailed => "append_failed",
            Self::SlowReader => "slow_reader",
            Self::TakenOver => "taken_over",
            Self::Revoked => "revoked",
            Self::Guessing => "guessing",
            Self::CrowdedOut => "crowded_out",
            Self::Banned => "banned",
            Self::Handshake => "handshake",
            Self::TlsOnPlain => "tls_on_plain",
            Self::Released => "released",
            Self::Stopping => "stopping",
        }
    }
}
