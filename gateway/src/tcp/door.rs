//! Refusing at the door, the same way for every session: counted, and a cut sample handed to the doorstep.

use super::Opening;
use crate::edge::Edge;
use crate::metrics;
use bytes::Bytes;
use model::envelope::ProtocolKind;
use model::id::DeviceId;
use model::seams::{Knock, Refusal};
use model::time::IngestTime;
use model::verdict::RefusalReason;
use std::sync::Arc;

const SAMPLE_BYTES_MAX: usize = 512;
const IDENTITY_CHARS_MAX: usize = 64;
/// Devices of one connection whose presence is reported.
const PRESENT_MAX: usize = 256;

/// A connection's view of the edge.
#[derive(Debug)]
pub struct Door {
    pub opening: Opening,
    pub protocol: ProtocolKind,
    present: Vec<DeviceId>,
}

impl Door {
    pub const fn new(opening: Opening, protocol: ProtocolKind) -> Self {
        Self { opening, protocol, present: Vec::new() }
    }

    /// What a command's talk needs of the connection.
    pub const fn line(&self) -> (&Edge, u64) {
        (&self.opening.edge, self.opening.connection)
    }

    /// An identity nobody knows.
    pub fn unknown(&self, at: IngestTime, identity: &str, sample: &Bytes) {
        ::metrics::counter!(metrics::UNKNOWN_TOTAL, "protocol" => self.protocol.code()).increment(1);
        self.opening.seat.stranger(identity);
        self.opening.seat.rubbish(sample.len());
        self.opening.edge.doorstep.unknown(Knock {
            at,
            protocol: self.protocol,
            identity: identity.chars().take(IDENTITY_CHARS_MAX).collect(),
            peer: self.opening.peer.clone(),
            sample: cut(sample),
        });
    }

    /// A frame that is not taken.
    pub fn refused(
        &self,
        at: IngestTime,
        device: Option<DeviceId>,
        reason: RefusalReason,
        detail: String,
        sample: &Bytes,
    ) {
        let label = reason_code(reason);
        self.opening.seat.rubbish(sample.len());
        ::metrics::counter!(metrics::REFUSED_TOTAL, "protocol" => self.protocol.code(), "reason" => label).increment(1);
        self.opening.edge.doorstep.refused(Refusal {
            at,
            protocol: self.protocol,
            device,
            peer: self.opening.peer.clone(),
            reason,
            detail,
            sample: cut(sample),
        });
    }

    /// A wrong secret for an identity.
    pub fn guessed(&self, identity: &str, secret: &[u8]) {
        self.opening.seat.guessed(identity, secret);
    }

    pub fn garbage(&self, bytes: usize) {
        if bytes > 0 {
            self.opening.seat.rubbish(bytes);
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            ::metrics::counter!(metrics::GARBAGE_BYTES_TOTAL, "protocol" => self.protocol.code()).increment(bytes);
        }
    }

    /// The device speaks on this connection. Returns the link it replaced, the first time.
    pub fn enter(&mut self, device: DeviceId, at: IngestTime) -> Option<crate::online::Link> {
        if self.present.contains(&device) || self.present.len() >= PRESENT_MAX {
            return None;
        }
        self.present.push(device);
        let Opening { edge, connection, peer, cut, wake, seat } = &self.opening;
        // The loop looks itself whether the connection has to give way.
        seat.establish();
        edge.wire.connected(device, *connection, peer, at);
        let wake = Arc::clone(wake);
        edge.downlink.attach(device, *connection, Arc::new(move || wake.notify_one()));
        edge.online.enter(device, self.protocol, *connection, peer, cut.clone())
    }

    /// The device no longer speaks on this connection.
    pub fn leave(&mut self, device: DeviceId, at: IngestTime) {
        let before = self.present.len();
        self.present.retain(|present| *present != device);
        if self.present.len() < before {
            self.opening.edge.downlink.detach(device, self.opening.connection);
            self.opening.edge.online.leave(device, self.opening.connection);
            self.opening.edge.wire.disconnected(device, self.opening.connection, at);
        }
    }

    pub fn leave_all(&mut self, at: IngestTime) {
        for device in std::mem::take(&mut self.present) {
            self.opening.edge.downlink.detach(device, self.opening.connection);
            self.opening.edge.online.leave(device, self.opening.connection);
            self.opening.edge.wire.disconnected(device, self.opening.connection, at);
        }
    }
}

/// A connection that never came to speak the protocol: TLS where none is, none where TLS is, no common ground within TLS.
/// No bytes of it are kept, for a plain one may begin with its secret.
pub(crate) fn misdirected(edge: &Edge, protocol: ProtocolKind, peer: &str, detail: &str) {
    edge.doorstep.refused(Refusal {
        at: edge.clock.now(),
        protocol,
        device: None,
        peer: peer.to_owned(),
        reason: RefusalReason::Malformed,
        detail: detail.to_owned(),
        sample: Bytes::new(),
    });
}

fn cut(sample: &Bytes) -> Bytes {
    // Copied, so that a small sample does not keep a large buffer.
    Bytes::copy_from_slice(sample.get(..SAMPLE_BYTES_MAX).unwrap_or(sample))
}

pub(crate) const fn reason_code(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::CheckBad => "check_bad",
        RefusalReason::LengthBad => "length_bad",
        RefusalReason::Malformed => "malformed",
        RefusalReason::Oversize => "oversize",
        RefusalReason::NotAuthenticated => "not_authenticated",
        RefusalReason::NotGranted => "not_granted",
        RefusalReason::Unanswered => "unanswered",
    }
}
