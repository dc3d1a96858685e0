//! Files of alarms of active safety (Su-biao T/JSATL 12, Yue-biao T/GDRTA 002): pictures, sound, video.
//!
//! ```text
//! terminal ── 0x0200 with an alarm that has attachments ──▶ 9808
//!          ◀─ 0x8001, 0x9208 (where to, the alarm's number) ─
//! terminal ── 0x1210 list, 0x1211 a file begins, 30 31 63 64 …, 0x1212 it ends ──▶ this server
//!          ◀─ 0x9212: complete, or these parts again ─
//! ```
//!
//! The alarm's number is made by a key of ours from phone, alarm id and day ([`Numbers`]): who does not bring the number of an alarm we asked
//! for is not let in, and a restart forgets none. Files go into the blob store; "complete" is said after bytes, name and the event that
//! names them are on disk. Nothing that comes is inflated or looked into, but for its first bytes.

mod ask;
mod numbers;
mod ranges;
mod session;
#[cfg(test)]
mod tests;
mod upload;

pub use ask::{Ask, Asking};
pub use numbers::Numbers;
pub use session::AttachmentSession;

use crate::edge::Edge;
use crate::tcp::{self, TcpConfig};
use model::envelope::ProtocolKind;
use model::seams::BlobStore;
use std::sync::Arc;
use tls::Ports;
use tokio_util::sync::CancellationToken;

/// What sessions of terminals and of files share.
#[derive(Debug)]
pub struct Attachments {
    /// Where terminals are told to connect to.
    pub host: String,
    pub port: u16,
    pub numbers: Numbers,
    pub blobs: Arc<dyn BlobStore>,
    /// Files of one alarm.
    pub files_max: usize,
    /// Bytes of one file.
    pub file_bytes_max: u32,
    /// Bytes of one alarm's files.
    pub alarm_bytes_max: u64,
}

/// Takes files until `cancel`.
pub async fn serve(
    ports: impl Into<Ports>,
    edge: Edge,
    config: TcpConfig,
    attachments: Arc<Attachments>,
    cancel: CancellationToken,
) {
    let make = move |opening| AttachmentSession::new(opening, Arc::clone(&attachments));
    tcp::serve(ports, ProtocolKind::Jt808, edge, config, cancel, make).await;
}
