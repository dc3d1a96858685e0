//! TCP listeners for the framed protocols: bounded connections, a loop per connection, and the [`Session`] that decides.
//!
//! What an acknowledgement promises: the frame is on disk. The loop hands all frames of one read to the inlet as one
//! batch, and calls [`Session::on_durable`] only when its completion said `Ok`, in the order of the frames. Where the
//! journal fails or stalls nothing is answered and the connection is closed: these devices send again.

mod connection;
pub(crate) mod door;
mod session;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use connection::append_error_code;
pub use connection::{Signals, run};
pub use door::Door;
pub use session::{Actions, CloseReason, Session};

use crate::edge::Edge;
use crate::limits::{Room, Seat};
use crate::metrics;
use futures_util::future::join_all;
use model::envelope::ProtocolKind;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tls::{Acceptor, Ports};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Bounds of a listener and its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpConfig {
    /// No more than these are accepted at a time, over the plain and the TLS port together.
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
    /// Its place among the connections of its address.
    pub seat: Arc<Seat>,
}

/// How often a full listener makes room, and how much.
const ROOM_PAUSE: Duration = Duration::from_millis(20);
const ROOM_AT_ONCE: usize = 16;
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(20);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Accepts at all ports until `cancel`, then waits for the connections, which answer what becomes durable and close.
pub async fn serve<S, F>(
    ports: impl Into<Ports>,
    protocol: ProtocolKind,
    edge: Edge,
    config: TcpConfig,
    cancel: CancellationToken,
    make: F,
) where
    S: Session + 'static,
    F: Fn(Opening) -> S + Send + Sync + 'static,
{
    let ports: Vec<_> = ports.into().each().collect();
    // A loop that waits for a connection holds a permit already, and only one of them is the next.
    let permits = Arc::new(Semaphore::new(config.connections_max.max(1) + ports.len().saturating_sub(1)));
    let host = Host { protocol, edge, config, cancel, permits, room: Arc::default(), make };
    join_all(ports.into_iter().map(|(listener, tls)| host.accept(listener, tls))).await;
}

/// What the ports of a protocol share.
struct Host<F> {
    protocol: ProtocolKind,
    edge: Edge,
    config: TcpConfig,
    cancel: CancellationToken,
    permits: Arc<Semaphore>,
    /// Those on which no device has got in yet.
    room: Arc<Room>,
    make: F,
}

impl<S, F> Host<F>
where
    S: Session + 'static,
    F: Fn(Opening) -> S + Send + Sync + 'static,
{
    async fn accept(&self, listener: TcpListener, tls: Option<Acceptor>) {
        let (label, cancel) = (self.protocol.code(), &self.cancel);
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut pause = ACCEPT_PAUSE_MIN;
        loop {
            while let Some(ended) = tasks.try_join_next() {
                reap(ended, label);
            }
            if self.permits.available_permits() == 0 {
                ::metrics::counter!(metrics::CONNECTIONS_FULL_TOTAL, "protocol" => label).increment(1);
            }
            let permit = tokio::select! {
                () = cancel.cancelled() => break,
                permit = Arc::clone(&self.permits).acquire_owned() => permit,
                () = self.make_room() => continue,
            };
            let Ok(permit) = permit else { break };
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    pause = ACCEPT_PAUSE_MIN;
                    // Who is turned away hears nothing: an answer to each would be work that a flood could ask for.
                    let Ok(seat) = self.edge.limits.enter(address.ip()) else { continue };
                    tasks.spawn(self.connection(stream, address.to_string(), seat, tls.clone(), permit));
                }
                Err(error) => {
                    ::metrics::counter!(metrics::ACCEPT_ERRORS_TOTAL, "protocol" => label).increment(1);
                    tracing::debug!(protocol = label, %error, "accept failed");
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
        while let Some(ended) = tasks.join_next().await {
            reap(ended, label);
        }
    }

    /// While there is no place: sends those away, a few a second, that have not said who they are.
    async fn make_room(&self) {
        tokio::time::sleep(ROOM_PAUSE).await;
        for _ in 0..ROOM_AT_ONCE {
            if !self.room.make_room() {
                return;
            }
            ::metrics::counter!(metrics::CROWDED_OUT_TOTAL, "protocol" => self.protocol.code()).increment(1);
        }
    }

    /// One connection from its first byte to its last.
    fn connection(
        &self,
        stream: TcpStream,
        peer: String,
        seat: Arc<Seat>,
        tls: Option<Acceptor>,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + use<S, F> {
        let (protocol, edge, config) = (self.protocol, self.edge.clone(), self.config);
        let label = protocol.code();
        // An answer is a small write that should leave at once; without it all still works.
        stream.set_nodelay(true).ok();
        ::metrics::counter!(metrics::CONNECTIONS_TOTAL, "protocol" => label).increment(1);
        ::metrics::gauge!(metrics::CONNECTIONS, "protocol" => label).increment(1);
        let (cut, wake) = (CancellationToken::new(), Arc::<Notify>::default());
        let session = (self.make)(Opening {
            edge: edge.clone(),
            connection: edge.online.next_connection(),
            peer: peer.clone(),
            cut: cut.clone(),
            wake: Arc::clone(&wake),
            seat: Arc::clone(&seat),
        });
        let crowded_out = seat.wait(&self.room);
        let signals = Signals { cut, wake, seat, crowded_out, cancel: self.cancel.clone() };
        async move {
            let reason = match tls {
                None => run(stream, session, edge.clone(), config, signals).await,
                // On the heap, so that a plain connection does not carry the room that TLS takes.
                Some(acceptor) => {
                    Box::pin(run_tls(acceptor, stream, session, (protocol, &peer), edge.clone(), config, signals)).await
                }
            };
            if reason == CloseReason::TlsOnPlain {
                door::misdirected(&edge, protocol, &peer, TLS_ON_PLAIN);
            }
            ::metrics::counter!(metrics::CLOSED_TOTAL, "protocol" => label, "reason" => reason.code()).increment(1);
            drop(permit);
        }
    }
}

async fn run_tls<S: Session>(
    acceptor: Acceptor,
    stream: TcpStream,
    session: S,
    (protocol, peer): (ProtocolKind, &str),
    edge: Edge,
    config: TcpConfig,
    signals: Signals,
) -> CloseReason {
    // The one that loses is given up for good.
    let done = tokio::select! {
        () = signals.cancel.cancelled() => return CloseReason::Stopping,
        () = signals.crowded_out.cancelled() => return CloseReason::CrowdedOut,
        done = acceptor.accept(stream) => done,
    };
    match done {
        Ok(stream) => run(stream, session, edge, config, signals).await,
        Err(refused) => {
            if let Some(advice) = refused.why.advice() {
                door::misdirected(&edge, protocol, peer, advice);
            }
            CloseReason::Handshake
        }
    }
}

fn reap(ended: Result<(), tokio::task::JoinError>, label: &'static str) {
    ::metrics::gauge!(metrics::CONNECTIONS, "protocol" => label).decrement(1);
    if let Err(error) = ended {
        ::metrics::counter!(metrics::SESSION_PANICS_TOTAL, "protocol" => label).increment(1);
        tracing::error!(protocol = label, %error, "a session ended by a panic");
    }
}

/// What is told of a TLS client on a plain port.
pub(crate) const TLS_ON_PLAIN: &str = "TLS on the plain port; use the TLS port or switch TLS off at the device";
