//! The MQTT front: 3.1.1 and 5 on one listener, every semantic of the protocol ours, rumqttd's Router only as the
//! fan-out of streams.
//!
//! **What an answer promises.** PUBACK and PUBREC leave only after the inlet said `Ok`, in the order of the PUBLISH
//! packets. On a failed append or one that stalls for five seconds there is no answer and the connection is closed
//! (version 5: reason 0x97 when the disk is full, else 0x89; 0x88 is no DISCONNECT reason of the standard). A `QoS` 2 id is
//! remembered until PUBREL, so that a repeated PUBLISH is not appended twice; after a crash of ours one may be, which
//! settle finds as a duplicate.
//!
//! **Ways of a message.** Device → inlet → (durable) → retained store, subscribers' queues, and, for clean `QoS` 0
//! observers, the Router. Commands and errors go to subscribers' queues only. `v1/devices/me/telemetry` is delivered
//! under the device's own `lantian/v1/{device}/telemetry`.
//!
//! **Sessions** belong to a principal and a client id together, so that nobody takes over another's. Wills are held in
//! memory: one that waits for its delay is lost with the process, and our own stop publishes none, since it would say of
//! the device what is true of us.
//!
//! | file | what |
//! |---|---|
//! | `codec` | packets, the only user of rumqttc |
//! | `accept` | listener, CONNECT, admission |
//! | `connection` | one connection's task: read, append, answer, deliver |
//! | `provision` | a device that shows a claim code |
//! | `closing` | why a connection ends |
//! | `inbound` | what each packet of a client does |
//! | `foreign` | topics of others' conventions, see [`crate::intake`] |
//! | `grants` | who may publish and subscribe to what |
//! | `hub` | sessions, index, retained, delivery |
//! | `session`, `index`, `retained` | their parts |
//! | `persist`, `store` | over a restart |
//! | `fanout` | the Router, the only user of rumqttd |

mod accept;
mod closing;
mod codec;
mod connection;
mod fanout;
mod foreign;
pub(crate) mod grants;
mod hub;
mod inbound;
mod index;
pub mod metrics;
mod persist;
mod provision;
mod retained;
mod session;
pub mod store;

use crate::edge::Edge;
use crate::limits::{Room, Seat};
use bytes::Bytes;
use futures_util::future::join_all;
use hub::Hub;
use model::seams::FanOut;
use protocol::mqtt::topic::TopicKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{FileSessionStore, SessionStore};
use tls::Ports;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bounds of the front. The defaults are those of `config/example.toml`.
#[derive(Debug, Clone)]
pub struct MqttConfig {
    /// Where sessions and retained messages are kept.
    pub state_directory: PathBuf,
    /// Longest packet taken.
    pub packet_bytes_max: usize,
    pub connections_max: usize,
    /// From the first byte to a whole CONNECT.
    pub connect_timeout: Duration,
    /// A packet that has begun must end within this.
    pub packet_timeout: Duration,
    /// Longest keep-alive; version 5 clients are told when theirs is cut.
    pub keep_alive_s_max: u16,
    /// Longest life of a session without a connection; also that of 3.1.1 sessions that are not clean.
    pub session_expiry_s_max: u32,
    /// Sessions that are kept, connected or not.
    pub sessions_max: usize,
    /// Of those, one principal's; its oldest absent one gives way to its newest.
    pub sessions_per_principal_max: usize,
    pub subscriptions_per_session_max: usize,
    pub queue_per_session_max: usize,
    pub queue_total_max: usize,
    pub retained_max: usize,
    pub retained_bytes_max: usize,
    /// An append that takes longer closes the connection.
    pub append_timeout: Duration,
}

impl MqttConfig {
    pub fn new(state_directory: PathBuf) -> Self {
        Self {
            state_directory,
            packet_bytes_max: 256 * 1024,
            connections_max: 20_000,
            connect_timeout: Duration::from_secs(10),
            packet_timeout: Duration::from_mins(1),
            keep_alive_s_max: 3_600,
            session_expiry_s_max: 7 * 86_400,
            sessions_max: 50_000,
            sessions_per_principal_max: 64,
            subscriptions_per_session_max: 128,
            queue_per_session_max: 1_000,
            queue_total_max: 100_000,
            retained_max: 10_000,
            retained_bytes_max: 64 * 1024 * 1024,
            append_timeout: Duration::from_secs(5),
        }
    }
}

/// `QoS` of a message to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

/// For the health page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub connections: usize,
    pub sessions: usize,
    pub retained: usize,
    /// Messages that wait for subscribers.
    pub queued: usize,
    /// Connections that read streams through the fan-out.
    pub routed: usize,
}

/// The running front. Cheap to clone; [`Front::finish`] ends it.
#[derive(Debug, Clone)]
pub struct Front {
    hub: Arc<Hub>,
    stop: CancellationToken,
    tasks: TaskTracker,
    places: Arc<Semaphore>,
    /// Those that have not been admitted yet.
    room: Arc<Room>,
}

impl Front {
    /// Loads what was stored and starts what runs beside the connections. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The state directory cannot be made or read, or a thread cannot be started.
    pub fn start(config: MqttConfig, edge: Edge, stop: CancellationToken) -> std::io::Result<Self> {
        let store = FileSessionStore::open(&config.state_directory)?;
        Self::start_with(config, edge, Arc::new(store), stop)
    }

    /// [`Self::start`] with a store of the caller's.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(
        config: MqttConfig,
        edge: Edge,
        store: Arc<dyn SessionStore>,
        stop: CancellationToken,
    ) -> std::io::Result<Self> {
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(config.connections_max));
        let hub = Hub::start(config, edge, store, stop.clone(), &tasks)?;
        Ok(Self { hub, stop, tasks, places, room: Arc::default() })
    }

    /// Takes connections at all ports until the token given at start is cancelled.
    pub async fn serve(&self, ports: impl Into<Ports>) {
        join_all(ports.into().each().map(|(listener, tls)| accept::serve(self, listener, tls))).await;
    }

    /// Serves one client on a stream that is already there. Returns when it has ended.
    pub async fn serve_stream<S>(&self, stream: S, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let seat = Seat::nowhere(&self.hub.edge.limits);
        accept::client(&self.hub, stream, (peer, seat), &self.stop).await;
    }

    /// To a device's `command` or `errors` topic. Returns how many sessions took it; a persistent session takes it also
    /// while its client is away.
    pub fn publish_to_device(&self, device: &str, kind: TopicKind, payload: Bytes, qos: Delivery) -> usize {
        self.hub.publish_to_device(device, kind, payload, qos as u8)
    }

    /// For the live hub: settled streams to observers.
    pub fn fan_out(&self) -> Arc<dyn FanOut> {
        Arc::new(Live(Arc::clone(&self.hub)))
    }

    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.hub.connections.load(Ordering::Relaxed),
            sessions: self.hub.session_count(),
            retained: self.hub.retained_count(),
            queued: self.hub.bounds.queued(),
            routed: self.hub.routed().load(Ordering::Relaxed),
        }
    }

    /// After the token was cancelled: waits until every connection has ended, then stores what is left. Call it before
    /// the inlet is stopped.
    pub async fn finish(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        let hub = Arc::clone(&self.hub);
        let stored = tokio::task::spawn_blocking(move || {
            hub.fan_out.finish();
            hub.persist.finish();
        });
        if stored.await.is_err() {
            tracing::error!("storing mqtt sessions at the end has panicked");
        }
    }
}

struct Live(Arc<Hub>);

impl FanOut for Live {
    fn publish(&self, topic: String, payload: Bytes) {
        self.0.publish_live(topic, payload);
    }
}

#[cfg(test)]
mod tests;
