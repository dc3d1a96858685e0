//! Streams to many subscribers through rumqttd's Router, on threads of its own. The rules that keep it alive:
//!
//! - its links are built and written on this file's thread only, since both block;
//! - one link publishes, one clean `QoS` 0 link serves each subscribing client, topics are ASCII, no `$share`;
//! - `Unschedule` is answered; a client's Disconnect is the last thing ever sent for its link, after the reader of the
//!   link has ended;
//! - its segments are small, since they are memory;
//! - it never ends by itself (it holds a sender of its own queue), so at our end its thread is left to the process's;
//! - when it has died (a link answers with an error) a new one is built and every client is linked again.
//!
//! The queue toward it is bounded: what does not fit is dropped and counted.

use super::metrics;
use super::session::{Message, Offered, Out, QueueBounds, Session, lock};
use ahash::AHashMap;
use bytes::Bytes;
use futures_util::FutureExt;
use rumqttd::local::{LinkBuilder, LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet, Publish};
use rumqttd::{Notification, Router, RouterConfig};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Most messages that wait for the Router.
pub(crate) const WAITING_MAX: usize = 8_192;
/// Most clients on the Router; further ones are served on the front's own way.
pub(crate) const CLIENTS_MAX: usize = 256;
/// Bytes of one segment of a filter's log, and how many are kept.
const SEGMENT_BYTES: usize = 256 * 1024;
const SEGMENTS: usize = 2;
/// How long a link's reader may take to end.
const READER_END_MAX: Duration = Duration::from_secs(1);
const REBUILD_REST: Duration = Duration::from_millis(200);

pub(crate) struct FanOutQueue {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// At most one entry a change of a connection's subscriptions; those are bounded.
    changes: VecDeque<Change>,
    messages: VecDeque<(Bytes, Bytes)>,
    stop: bool,
}

enum Change {
    Subscribe { session: Arc<Session>, filter: Arc<str> },
    Unsubscribe { session: u64, filter: Arc<str> },
    Leave { session: u64 },
}

impl std::fmt::Debug for FanOutQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FanOutQueue").finish_non_exhaustive()
    }
}

impl FanOutQueue {
    pub(crate) fn start(runtime: Handle, bounds: Arc<QueueBounds>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("mqtt-fan-out".into()).spawn(move || {
            Rig { runtime, bounds, parts: None, clients: AHashMap::new() }.run(&theirs);
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// `topic` is ASCII.
    pub(crate) fn publish(&self, topic: Bytes, payload: Bytes) {
        let mut waiting = lock(&self.shared.waiting);
        if waiting.messages.len() >= WAITING_MAX {
            drop(waiting);
            ::metrics::counter!(metrics::DROPPED_TOTAL, "why" => "fan_out_full").increment(1);
            return;
        }
        waiting.messages.push_back((topic, payload));
        let first = waiting.messages.len() == 1;
        drop(waiting);
        if first {
            self.shared.wake.notify_one();
        }
    }

    pub(crate) fn subscribe(&self, session: &Arc<Session>, filter: &Arc<str>) {
        self.change(Change::Subscribe { session: Arc::clone(session), filter: Arc::clone(filter) });
    }

    pub(crate) fn unsubscribe(&self, session: u64, filter: &Arc<str>) {
        self.change(Change::Unsubscribe { session, filter: Arc::clone(filter) });
    }

    pub(crate) fn leave(&self, session: u64) {
        self.change(Change::Leave { session });
    }

    fn change(&self, change: Change) {
        lock(&self.shared.waiting).changes.push_back(change);
        self.shared.wake.notify_one();
    }

    /// Ends the thread and the Router behind it. Waits.
    pub(crate) fn finish(&self) {
        lock(&self.shared.waiting).stop = true;
        self.shared.wake.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of the mqtt fan-out has panicked");
        }
    }
}

/// The Router does not answer any more.
struct Dead;

impl From<LinkError> for Dead {
    fn from(error: LinkError) -> Self {
        tracing::debug!(%error, "a link of the mqtt fan-out failed");
        Self
    }
}

type Link = Box<dyn Fn(&str) -> Result<(LinkTx, LinkRx), Dead>>;

/// A Router that runs, and the link that publishes to it.
struct Parts {
    link: Link,
    publisher: LinkTx,
    /// The Router ends a link whose reader is gone.
    _reader: LinkRx,
}

struct Client {
    session: Arc<Session>,
    filters: Vec<Arc<str>>,
    tx: LinkTx,
    stop: CancellationToken,
    ended: Receiver<()>,
}

struct Rig {
    runtime: Handle,
    bounds: Arc<QueueBounds>,
    parts: Option<Parts>,
    clients: AHashMap<u64, Client>,
}

impl Rig {
    fn run(mut self, shared: &Shared) {
        loop {
            let mut waiting = lock(&shared.waiting);
            while waiting.changes.is_empty() && waiting.messages.is_empty() && !waiting.stop {
                waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let (changes, messages, stop) =
                (std::mem::take(&mut waiting.changes), std::mem::take(&mut waiting.messages), waiting.stop);
            drop(waiting);
            if stop {
                break;
            }
            for change in changes {
                if self.apply(change).is_err() {
                    self.rebuild(shared);
                }
            }
            if !messages.is_empty() && self.publish(messages).is_err() {
                ::metrics::counter!(metrics::DROPPED_TOTAL, "why" => "fan_out_down").increment(1);
                self.rebuild(shared);
            }
        }
        for (_, client) in std::mem::take(&mut self.clients) {
            leave(client);
        }
    }

    /// The Router and its first link. It is built when the first client comes: without observers it costs nothing.
    fn parts(&mut self) -> Result<&mut Parts, Dead> {
        if self.parts.is_none() {
            let config = RouterConfig {
                max_connections: CLIENTS_MAX + 8,
                max_outgoing_packet_count: 200,
                max_segment_size: SEGMENT_BYTES,
                max_segment_count: SEGMENTS,
                ..RouterConfig::default()
            };
            // The sender's type has no name outside its crate, hence a closure made here.
            let sender = Router::new(0, config).spawn();
            let link: Link = Box::new(move |client| {
                let (tx, rx, _) = LinkBuilder::new(client, sender.clone()).clean_session(true).build()?;
                Ok((tx, rx))
            });
            let (publisher, reader) = link("front")?;
            self.parts = Some(Parts { link, publisher, _reader: reader });
        }
        Ok(self.parts.as_mut().expect("built above"))
    }

    fn publish(&mut self, messages: VecDeque<(Bytes, Bytes)>) -> Result<(), Dead> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let parts = self.parts()?;
        let mut messages = messages.into_iter().peekable();
        while let Some((topic, payload)) = messages.next() {
            if messages.peek().is_none() {
                // The last one tells the Router of all that were put into the buffer before it.
                parts.publisher.publish(topic, payload)?;
            } else {
                let publish = Publish::new(topic, payload, false);
                parts.publisher.buffer().push_back(Packet::Publish(publish, None));
            }
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) -> Result<(), Dead> {
        match change {
            Change::Subscribe { session, filter } => {
                let number = session.number;
                if !self.clients.contains_key(&number) {
                    let client = self.client(session)?;
                    self.clients.insert(number, client);
                }
                if let Some(client) = self.clients.get_mut(&number)
                    && !client.filters.contains(&filter)
                {
                    client.filters.push(Arc::clone(&filter));
                    client.tx.subscribe(&*filter)?;
                }
            }
            Change::Unsubscribe { session, filter } => {
                if let Some(client) = self.clients.get_mut(&session) {
                    client.filters.retain(|held| *held != filter);
                    client.tx.unsubscribe(&*filter)?;
                }
            }
            Change::Leave { session } => {
                if let Some(client) = self.clients.remove(&session) {
                    leave(client);
                }
            }
        }
        Ok(())
    }

    fn client(&mut self, session: Arc<Session>) -> Result<Client, Dead> {
        let name = format!("client-{}", session.number);
        let (tx, rx) = (self.parts()?.link)(&name)?;
        let stop = CancellationToken::new();
        let (end, ended) = sync_channel(1);
        let reader = read_link(rx, Arc::clone(&session), Arc::clone(&self.bounds), stop.clone(), end);
        self.runtime.spawn(reader);
        Ok(Client { session, filters: Vec::new(), tx, stop, ended })
    }

    /// The Router is dead: builds another and links every client again.
    fn rebuild(&mut self, shared: &Shared) {
        ::metrics::counter!(metrics::FAN_OUT_REBUILT_TOTAL).increment(1);
        tracing::warn!("the mqtt fan-out has ended, it is built again");
        self.parts = None;
        let old: Vec<Client> = std::mem::take(&mut self.clients).into_values().collect();
        for client in &old {
            client.stop.cancel();
        }
        for client in old {
            for filter in client.filters {
                let change = Change::Subscribe { session: Arc::clone(&client.session), filter };
                if self.apply(change).is_err() {
                    // Rest, so that a Router that dies at once does not take the machine with it; the message that
                    // comes next tries again.
                    self.parts = None;
                    let waiting = lock(&shared.waiting);
                    let rested = shared.wake.wait_timeout_while(waiting, REBUILD_REST, |waiting| !waiting.stop);
                    drop(rested.unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
    }
}

/// Disconnect comes last: the reader of the link, which may write to the Router too, has ended before.
fn leave(mut client: Client) {
    client.stop.cancel();
    if client.ended.recv_timeout(READER_END_MAX) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        tracing::warn!("a reader of the mqtt fan-out did not end in time");
    }
    let disconnect = Packet::Disconnect(Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection }, None);
    // It is written as an async function and waits for nothing but the Router's queue, which this thread may.
    let told = client.tx.send(disconnect).now_or_never();
    if !matches!(told, Some(Ok(_))) {
        tracing::debug!("the mqtt fan-out was gone before its client");
    }
}

/// Takes what the Router has for a client and puts it into the client's queue.
async fn read_link(
    mut rx: LinkRx,
    session: Arc<Session>,
    bounds: Arc<QueueBounds>,
    stop: CancellationToken,
    end: SyncSender<()>,
) {
    let dropped = ::metrics::counter!(metrics::DROPPED_TOTAL, "why" => "queue_full");
    loop {
        // `next` is cancel-safe: it takes nothing before it is ready.
        let next = tokio::select! { biased; () = stop.cancelled() => break, next = rx.next() => next };
        match next {
            Ok(Some(Notification::Forward(forward))) => {
                let message = Message {
                    topic: forward.publish.topic,
                    payload: forward.publish.payload,
                    qos: 0,
                    retain: false,
                    expires: None,
                    properties: None,
                    publisher: 0,
                };
                let out = Out { message: Arc::new(message), qos: 0, retain: false, subscription_ids: Vec::new() };
                if session.offer(out, &bounds) == Offered::Dropped {
                    dropped.increment(1);
                }
            }
            Ok(Some(Notification::Unschedule)) => {
                let woken = tokio::select! { biased; () = stop.cancelled() => break, woken = rx.wake() => woken };
                if woken.is_err() {
                    break;
                }
            }
            Ok(Some(Notification::Disconnect(..))) | Err(_) => break,
            Ok(_) => {}
        }
    }
    drop(rx);
    // The other side may have stopped to wait.
    end.try_send(()).ok();
}
