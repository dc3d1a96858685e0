//! A client's session: what must outlive its connection. Subscriptions, messages that wait for the client, packet ids in
//! flight in both directions. A connection writes through its [`Port`]; whoever has a message for the client puts it
//! into the session's queue and wakes the port. Locks are held for the moving of a message, never across a wait.

use super::codec::{self, Outgoing, Properties, Version, Will};
use ahash::AHashSet;
use bytes::{Bytes, BytesMut};
use futures_util::task::AtomicWaker;
use model::id::PrincipalId;
use model::seams::Committed;
use model::time::IngestTime;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave these structures half changed in a way that matters more than stopping.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message on its way to subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: Bytes,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) expires: Option<IngestTime>,
    pub(crate) properties: Option<Box<Properties>>,
    /// Number of the session that published it, for "no local"; 0: nobody's.
    pub(crate) publisher: u64,
}

impl Message {
    pub(crate) fn topic_text(&self) -> &str {
        std::str::from_utf8(&self.topic).unwrap_or_default()
    }

    pub(crate) fn is_expired(&self, now: IngestTime) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// A copy that keeps no read buffer alive, for what stays long.
    pub(crate) fn compact(&self) -> Self {
        Self {
            topic: Bytes::copy_from_slice(&self.topic),
            payload: Bytes::copy_from_slice(&self.payload),
            ..self.clone()
        }
    }
}

/// A message as one subscriber gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Out {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    pub(crate) subscription_ids: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Inflight {
    pub(crate) pkid: u16,
    pub(crate) out: Out,
    /// `QoS` 2: PUBREC came, PUBREL was sent.
    pub(crate) released: bool,
}

/// A filter a client holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: Arc<str>,
    pub(crate) qos: u8,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) id: Option<u32>,
    /// Streams come through the fan-out, everything else on the front's own way.
    pub(crate) via_router: bool,
}

/// Why somebody else ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kick {
    TakenOver = 1,
    /// Taken over by a connection that discarded the session.
    Discarded = 2,
}

/// Where others reach a connection's task.
#[derive(Debug, Default)]
pub(crate) struct Port {
    waker: AtomicWaker,
    mail: AtomicBool,
    kick: AtomicU8,
    look: AtomicBool,
    orders: AtomicBool,
    done: Mutex<Vec<Done>>,
}

/// A batch the inlet has answered.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) batch: u64,
    pub(crate) result: Result<Committed, model::seams::AppendError>,
}

impl Port {
    pub(crate) fn register(&self, waker: &std::task::Waker) {
        self.waker.register(waker);
    }

    pub(crate) fn mail(&self) {
        if !self.mail.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Whether mail came since the last call.
    pub(crate) fn take_mail(&self) -> bool {
        self.mail.load(Ordering::Acquire) && self.mail.swap(false, Ordering::AcqRel)
    }

    /// Called on the journal's thread: hands over and wakes.
    pub(crate) fn done(&self, done: Done) {
        lock(&self.done).push(done);
        self.waker.wake();
    }

    pub(crate) fn take_done(&self, into: &mut Vec<Done>) {
        into.append(&mut lock(&self.done));
    }

    pub(crate) fn kick(&self, why: Kick) {
        self.kick.store(why as u8, Ordering::Release);
        self.waker.wake();
    }

    /// The directory has changed: is the client still admitted?
    pub(crate) fn look(&self) {
        self.look.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// A command may wait for a device that speaks here.
    pub(crate) fn orders(&self) {
        self.orders.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(crate) fn take_orders(&self) -> bool {
        self.orders.load(Ordering::Acquire) && self.orders.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn take_look(&self) -> bool {
        self.look.load(Ordering::Acquire) && self.look.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn kicked(&self) -> Option<Kick> {
        match self.kick.load(Ordering::Acquire) {
            1 => Some(Kick::TakenOver),
            2 => Some(Kick::Discarded),
            _ => None,
        }
    }
}

/// A session belongs to a principal: two principals with one client id have two sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SessionKey {
    pub(crate) principal: PrincipalId,
    pub(crate) client_id: Arc<str>,
}

#[derive(Debug)]
pub(crate) struct Session {
    /// Given at start of each process; never stored.
    pub(crate) number: u64,
    pub(crate) key: SessionKey,
    /// It outlives its connection and is stored.
    pub(crate) persistent: AtomicBool,
    /// Waits to be stored.
    pub(crate) dirty: AtomicBool,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) port: Option<Arc<Port>>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) queue: VecDeque<Out>,
    pub(crate) inflight: VecDeque<Inflight>,
    next_pkid: u16,
    /// `QoS` 2 ids from the client that were answered with PUBREC and wait for PUBREL.
    pub(crate) received: AHashSet<u16>,
    pub(crate) expiry_s: u32,
    /// While offline: when it ends.
    pub(crate) ends: Option<IngestTime>,
    /// While offline: a will that waits for its delay.
    pub(crate) will: Option<(IngestTime, Will)>,
    /// It was discarded; nothing of it is kept any more.
    pub(crate) gone: bool,
}

/// Bounds of queues, shared by all sessions.
#[derive(Debug)]
pub(crate) struct QueueBounds {
    pub(crate) per_session: usize,
    pub(crate) total: usize,
    queued: AtomicUsize,
}

impl QueueBounds {
    pub(crate) const fn new(per_session: usize, total: usize) -> Self {
        Self { per_session, total, queued: AtomicUsize::new(0) }
    }

    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    fn add(&self, count: usize) {
        self.queued.fetch_add(count, Ordering::Relaxed);
    }

    fn remove(&self, count: usize) {
        self.queued.fetch_sub(count, Ordering::Relaxed);
    }
}

/// What became of a message given to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offered {
    Queued,
    /// It is queued, the oldest was dropped for it.
    QueuedForOldest,
    /// Dropped: `QoS` 0 and nobody there, or the queue is full of better ones.
    Dropped,
}

impl Session {
    pub(crate) fn new(number: u64, key: SessionKey) -> Self {
        Self {
            number,
            key,
            persistent: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            state: Mutex::new(State::default()),
        }
    }

    /// Puts a message into the queue and wakes the connection.
    pub(crate) fn offer(&self, out: Out, bounds: &QueueBounds) -> Offered {
        let mut state = lock(&self.state);
        let offline = state.port.is_none();
        if state.gone || (offline && (out.qos == 0 || state.expiry_s == 0)) {
            return Offered::Dropped;
        }
        let mut answer = Offered::Queued;
        if state.queue.len() >= bounds.per_session || bounds.queued() >= bounds.total {
            // For a connected client the newest QoS 0 gives way; everything else pushes the oldest out.
            if out.qos == 0 || state.queue.pop_front().is_none() {
                return Offered::Dropped;
            }
            bounds.remove(1);
            answer = Offered::QueuedForOldest;
        }
        let out = if offline { Out { message: Arc::new(out.message.compact()), ..out } } else { out };
        state.queue.push_back(out);
        bounds.add(1);
        let port = state.port.clone();
        drop(state);
        if let Some(port) = port {
            port.mail();
        }
        answer
    }
}

/// How a connection writes deliveries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pull {
    pub(crate) version: Version,
    /// Messages of `QoS` 1 and 2 that may be unanswered.
    pub(crate) window: usize,
    pub(crate) packet_bytes_max: u32,
    pub(crate) now: IngestTime,
    /// Stop once the output holds so many bytes.
    pub(crate) room: usize,
}

/// What [`State::pull`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pulled {
    pub(crate) sent: u64,
    pub(crate) expired: u64,
    pub(crate) too_large: u64,
    /// The queue was not emptied for want of room in the output.
    pub(crate) more: bool,
}

impl State {
    /// Moves messages from the queue to the output, as far as the client's window and the room allow.
    pub(crate) fn pull(&mut self, pull: Pull, bounds: &QueueBounds, out: &mut BytesMut) -> Pulled {
        let mut pulled = Pulled::default();
        while let Some(head) = self.queue.front() {
            if out.len() >= pull.room {
                pulled.more = true;
                break;
            }
            if head.qos > 0 && self.inflight.len() >= pull.window {
                break;
            }
            let Some(next) = self.queue.pop_front() else { break };
            bounds.remove(1);
            if next.message.is_expired(pull.now) {
                pulled.expired += 1;
                continue;
            }
            let pkid = if next.qos > 0 { self.take_pkid() } else { 0 };
            if write(out, pull, &next, pkid, false) {
                pulled.sent += 1;
                if next.qos > 0 {
                    self.inflight.push_back(Inflight { pkid, out: next, released: false });
                }
            } else {
                pulled.too_large += 1;
            }
        }
        pulled
    }

    /// After a session is resumed: what was unanswered is sent again, in the order it was first sent.
    pub(crate) fn resend(&self, pull: Pull, out: &mut BytesMut) {
        for inflight in &self.inflight {
            if inflight.released {
                codec::pubrel(out, inflight.pkid);
            } else {
                write(out, pull, &inflight.out, inflight.pkid, true);
            }
        }
    }

    /// The next free packet id; the window is far smaller than the number of ids.
    fn take_pkid(&mut self) -> u16 {
        loop {
            self.next_pkid = self.next_pkid.checked_add(1).unwrap_or(1);
            if !self.inflight.iter().any(|inflight| inflight.pkid == self.next_pkid) {
                return self.next_pkid;
            }
        }
    }

    /// PUBACK, PUBCOMP, or a PUBREC that refuses. False: the id was not in flight.
    pub(crate) fn complete(&mut self, pkid: u16) -> bool {
        let place = self.inflight.iter().position(|inflight| inflight.pkid == pkid);
        place.and_then(|place| self.inflight.remove(place)).is_some()
    }

    /// PUBREC. False: the id was not in flight at `QoS` 2.
    pub(crate) fn release(&mut self, pkid: u16) -> bool {
        let found = self.inflight.iter_mut().find(|inflight| inflight.pkid == pkid && inflight.out.qos == 2);
        found.is_some_and(|inflight| {
            inflight.released = true;
            true
        })
    }

    pub(crate) fn clear_queue(&mut self, bounds: &QueueBounds) {
        bounds.remove(self.queue.len());
        self.queue.clear();
        self.inflight.clear();
        self.received.clear();
    }

    /// Fills the queue at start from what was stored.
    pub(crate) fn restore(&mut self, queue: VecDeque<Out>, inflight: VecDeque<Inflight>, bounds: &QueueBounds) {
        bounds.add(queue.len());
        self.next_pkid = inflight.iter().map(|inflight| inflight.pkid).max().unwrap_or(0);
        self.queue = queue;
        self.inflight = inflight;
    }
}

fn write(out: &mut BytesMut, pull: Pull, next: &Out, pkid: u16, dup: bool) -> bool {
    let expiry_s =
        next.message.expires.map(|at| u32::try_from((at.since_ms(pull.now) / 1000).max(1)).unwrap_or(u32::MAX));
    let outgoing = Outgoing {
        dup,
        qos: next.qos,
        retain: next.retain,
        pkid,
        topic: &next.message.topic,
        payload: &next.message.payload,
        expiry_s,
        subscription_ids: &next.subscription_ids,
        properties: next.message.properties.as_deref(),
    };
    codec::publish_out(out, pull.version, &outgoing, pull.packet_bytes_max)
}
