//! HJ 212 over TCP. The identity is in every frame (MN and PW), so one connection may carry several devices; each is
//! admitted by the directory and remembered until its revision changes.
//!
//! | frame | answer | kept |
//! |---|---|---|
//! | admitted, check and length right, or forgiven by the device's strictness | 9014 (1013: 9013) after the append, when Flag asks | journal |
//! | check or length wrong, strictness *reject*, or the MN is unknown | none | refused sample |
//! | unknown MN | none | doorstep |
//! | wrong PW, device switched off | none | refused sample |

mod session;
mod talks;
#[cfg(test)]
mod tests;

pub use session::Hj212Session;

use crate::edge::Edge;
use crate::tcp::{self, TcpConfig};
use model::envelope::ProtocolKind;
use protocol::hj212::SEGMENT_BYTES_MAX;
use tls::Ports;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hj212Config {
    pub tcp: TcpConfig,
    /// Longest data segment that is taken.
    pub segment_bytes_max: usize,
}

impl Default for Hj212Config {
    fn default() -> Self {
        Self { tcp: TcpConfig::default(), segment_bytes_max: SEGMENT_BYTES_MAX }
    }
}

/// Serves until `cancel`.
pub async fn serve(ports: impl Into<Ports>, edge: Edge, config: Hj212Config, cancel: CancellationToken) {
    let segment_bytes_max = config.segment_bytes_max;
    tcp::serve(ports, ProtocolKind::Hj212, edge, config.tcp, cancel, move |opening| {
        Hj212Session::new(opening, segment_bytes_max)
    })
    .await;
}
