//! JT/T 808 over TCP and UDP: register, authenticate, then everything is stored and answered. The files of alarms come over a connection of
//! their own ([`attachments`]).
//!
//! | frame | answer | kept |
//! |---|---|---|
//! | 0x0100, phone known, of the terminal that holds it or the first that asks | 0x8100 result 0 with the authentication code, once that is on disk | – |
//! | 0x0100, phone known, of another terminal, or the code was set by hand | 0x8100 result 3 | refused sample |
//! | 0x0100, phone unknown | 0x8100 result 4 | doorstep |
//! | 0x0100 without maker and terminal id | 0x8100 result 4 | refused sample |
//! | 0x0100 that cannot be read | 0x8001 result 2 | refused sample |
//! | 0x0102, code right | 0x8001 result 0; an older connection of the phone is cut | – |
//! | 0x0102, code wrong or phone unknown | 0x8001 result 1 | refused sample, doorstep |
//! | anything before authentication, or of another phone | heartbeat: 0x8001 result 1, else none | refused sample |
//! | anything after it | 0x8001 result 0 after the append (0x0004: 0x8004; 0x0A00: result 3; 0x0001, 0x0005, 0x0201, 0x0500: none) | journal |
//! | the packet that completes a medium (0x0801) | 0x8001, then 0x8800 | journal |
//! | the last packet of a message that lacks others | 0x8001, then 0x8003 (a medium of 2011: 0x8800) with their numbers | journal |
//! | an alarm of active safety with attachments, where somebody takes them | 0x8001, then 0x9208 | journal |
//! | check or length wrong | as anything when the device's strictness forgives, else none | journal with remark, or refused sample |
//!
//! Heartbeats are journaled too: they are contact, and silence is judged from the journal.

pub mod attachments;
mod session;
#[cfg(test)]
mod tests;
mod trains;
mod udp;

pub use session::Jt808Session;
pub use udp::{UdpConfig, serve_udp};

use crate::edge::Edge;
use crate::tcp::{self, TcpConfig};
use attachments::Attachments;
use model::envelope::ProtocolKind;
use std::sync::Arc;
use std::time::Duration;
use tls::Ports;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jt808Config {
    pub tcp: TcpConfig,
}

impl Default for Jt808Config {
    /// Terminals send a heartbeat every few minutes at most, so silence ends sooner than with HJ 212.
    fn default() -> Self {
        Self { tcp: TcpConfig { idle_timeout: Duration::from_mins(15), ..TcpConfig::default() } }
    }
}

/// Serves until `cancel`.
pub async fn serve(ports: impl Into<Ports>, edge: Edge, config: Jt808Config, cancel: CancellationToken) {
    serve_asking(ports, edge, config, None, cancel).await;
}

/// The same, and alarms are asked for their attachments.
pub async fn serve_asking(
    ports: impl Into<Ports>,
    edge: Edge,
    config: Jt808Config,
    attachments: Option<Arc<Attachments>>,
    cancel: CancellationToken,
) {
    let make = move |opening| Jt808Session::with(opening, attachments.clone());
    tcp::serve(ports, ProtocolKind::Jt808, edge, config.tcp, cancel, make).await;
}
