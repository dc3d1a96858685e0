//! TCP listeners for the framed protocols: bounded connections, a loop per connection, and the [`Session`] that decides.
//!
//! What an acknowledgement promises: the frame is on disk. The loop hands all frames of one read to the inlet as one
//! batch, and calls [`Session::on_durable`] only when its completion said `Ok`, in the order of the frames. Where the
//! journal fails or stalls nothing is answered and the connection is closed: these devices send again.

mod connection;
mod door;
mod session;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use connection::{Signals, run};
pub use door::Door;
pub use session::{Actions, CloseReason, Session};

use crate::edge::Edge;
use crate::metrics;
use model::envelope::ProtocolKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bounds of a listener and its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpConfig {
    /// The listener accepts no more than these at a time.
    pub connections_max: usize,
    /// Frames handed to the journal and not yet durable, a connection; then reading stops.
    pub window_frames: usize,
    /// Without a whole frame for so long the connection is closed.
    pub idle_timeout: Duration,
    /// An identity must have been accepted within this.
    pub first_frame_timeout: Duration,
    /// A frame that has begun must end within this.
    pub frame_timeout: Duration,
    /// The journal must answer within this.
    pub append_timeout: Duration,
    /// The peer must take an answer within this.
    pub write_timeout: Duration,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            window_frames: 64,
            idle_timeout: Duration::from_mins(65),
            first_frame_timeout: Duration::from_mins(1),
            frame_timeout: Duration::from_secs(30),
            append_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// What a session is made of.
#[derive(Debug, Clone)]
pub struct Opening {
    pub edge: Edge,
    pub connection: u64,
    pub peer: String,
    /// Cancelled when another connection takes this one's place.
    pub cut: CancellationToken,
    /// Makes the loop call [`Session::on_wake`].
    pub wake: Arc<Notify>,
}

const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(20);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Accepts until `cancel`, then waits for the connections, which answer what becomes durable and close.
pub async fn serve<S, F>(
    listener: TcpListener,
    protocol: ProtocolKind,
    edge: Edge,
    config: TcpConfig,
    cancel: CancellationToken,
    make: F,
) where
    S: Session + 'static,
    F: Fn(Opening) -> S + Send + Sync + 'static,
{
    let label = protocol.code();
    let permits = Arc::new(Semaphore::new(config.connections_max.max(1)));
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        while let Some(ended) = tasks.try_join_next() {
            reap(ended, label);
        }
        if permits.available_permits() == 0 {
            ::metrics::counter!(metrics::CONNECTIONS_FULL_TOTAL, "protocol" => label).increment(1);
        }
        let permit = tokio::select! {
            () = cancel.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { break };
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                ::metrics::counter!(metrics::ACCEPT_ERRORS_TOTAL, "protocol" => label).increment(1);
                tracing::debug!(protocol = label, %error, "accept failed");
                tokio::select! {
                    () = cancel.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                continue;
            }
        };
        pause = ACCEPT_PAUSE_MIN;
        // An answer is a small write that should leave at once; without it all still works.
        stream.set_nodelay(true).ok();
        ::metrics::counter!(metrics::CONNECTIONS_TOTAL, "protocol" => label).increment(1);
        ::metrics::gauge!(metrics::CONNECTIONS, "protocol" => label).increment(1);
        let (cut, wake) = (CancellationToken::new(), Arc::<Notify>::default());
        let opening = Opening {
            edge: edge.clone(),
            connection: edge.online.next_connection(),
            peer: address.to_string(),
            cut: cut.clone(),
            wake: Arc::clone(&wake),
        };
        let session = make(opening);
        let edge = edge.clone();
        let signals = Signals { cut, wake, cancel: cancel.clone() };
        tasks.spawn(async move {
            let reason = run(stream, session, edge, config, signals).await;
            ::metrics::counter!(metrics::CLOSED_TOTAL, "protocol" => label, "reason" => reason.code()).increment(1);
            drop(permit);
        });
    }
    while let Some(ended) = tasks.join_next().await {
        reap(ended, label);
    }
}

fn reap(ended: Result<(), tokio::task::JoinError>, label: &'static str) {
    ::metrics::gauge!(metrics::CONNECTIONS, "protocol" => label).decrement(1);
    if let Err(error) = ended {
        ::metrics::counter!(metrics::SESSION_PANICS_TOTAL, "protocol" => label).increment(1);
        tracing::error!(protocol = label, %error, "a session ended by a panic");
    }
}
