//! Writes sessions and retained messages behind the front's back: one thread takes what has changed, writes it, rests a
//! moment and takes the next. A session that changes a thousand times meanwhile is written once.

use super::codec::Properties;
use super::metrics;
use super::retained::Retained;
use super::session::{Inflight, Message, Out, Session, SessionKey, State, Subscription, lock};
use super::store::{
    STORED_VERSION, SessionStore, StoredBytes, StoredInflight, StoredMessage, StoredOut, StoredSession,
    StoredSubscription,
};
use ahash::{AHashMap, AHashSet};
use bytes::Bytes;
use model::time::IngestTime;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Rest between two rounds of writing.
const REST: Duration = Duration::from_millis(100);
/// Rest after a round in which something could not be written.
const REST_AFTER_ERROR: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Persist {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    changed: Mutex<Changed>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Changed {
    sessions: AHashMap<SessionKey, Arc<Session>>,
    retained: AHashSet<Arc<str>>,
    /// Do not rest before the next round.
    urgent: bool,
    stop: bool,
}

impl Persist {
    pub(crate) fn start(store: Arc<dyn SessionStore>, retained: Arc<Mutex<Retained>>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("mqtt-sessions".into())
            .spawn(move || write_changes(&theirs, &*store, &retained))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// The session has changed (or is gone: its file goes too).
    pub(crate) fn session(&self, session: &Arc<Session>) {
        if !session.persistent.load(Ordering::Relaxed) || session.dirty.swap(true, Ordering::AcqRel) {
            return;
        }
        lock(&self.shared.changed).sessions.insert(session.key.clone(), Arc::clone(session));
        self.shared.wake.notify_one();
    }

    /// What the session holds has changed by the client's own wish: it is written without delay.
    pub(crate) fn session_now(&self, session: &Arc<Session>) {
        if session.persistent.load(Ordering::Relaxed) {
            self.session(session);
            lock(&self.shared.changed).urgent = true;
            self.shared.wake.notify_one();
        }
    }

    pub(crate) fn retained(&self, topic: &str) {
        let mut changed = lock(&self.shared.changed);
        if !changed.retained.contains(topic) {
            changed.retained.insert(topic.into());
        }
        drop(changed);
        self.shared.wake.notify_one();
    }

    /// Writes what is left and ends the thread. Waits for it: call it where waiting is allowed.
    pub(crate) fn finish(&self) {
        lock(&self.shared.changed).stop = true;
        self.shared.wake.notify_one();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that stores sessions has panicked");
        }
    }
}

fn write_changes(shared: &Shared, store: &dyn SessionStore, retained: &Mutex<Retained>) {
    loop {
        let mut changed = lock(&shared.changed);
        while changed.sessions.is_empty() && changed.retained.is_empty() && !changed.stop {
            changed = shared.wake.wait(changed).unwrap_or_else(PoisonError::into_inner);
        }
        let (sessions, topics, stop) =
            (std::mem::take(&mut changed.sessions), std::mem::take(&mut changed.retained), changed.stop);
        changed.urgent = false;
        drop(changed);
        let failed = write_round(store, retained, sessions, topics, shared);
        if stop {
            return;
        }
        let rest = if failed { REST_AFTER_ERROR } else { REST };
        let changed = lock(&shared.changed);
        let rested =
            shared.wake.wait_timeout_while(changed, rest, |changed| !changed.stop && (failed || !changed.urgent));
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }
}

/// True when something could not be written; it stays marked.
fn write_round(
    store: &dyn SessionStore,
    retained: &Mutex<Retained>,
    sessions: AHashMap<SessionKey, Arc<Session>>,
    topics: AHashSet<Arc<str>>,
    shared: &Shared,
) -> bool {
    let mut failed = None;
    for (key, session) in sessions {
        session.dirty.store(false, Ordering::Release);
        let stored = stored_session(&session);
        let result = match &stored {
            Some(stored) => store.save(stored),
            None => store.remove(key.principal.0, &key.client_id),
        };
        if let Err(error) = result {
            failed = Some(error);
            session.dirty.store(true, Ordering::Release);
            lock(&shared.changed).sessions.entry(key).or_insert(session);
        }
    }
    for topic in topics {
        let message = lock(retained).get(&topic);
        let result = match message {
            Some(message) => store.save_retained(&stored_message(&message)),
            None => store.remove_retained(&topic),
        };
        if let Err(error) = result {
            failed = Some(error);
            lock(&shared.changed).retained.insert(topic);
        }
    }
    failed.is_some_and(|error| {
        ::metrics::counter!(metrics::STORE_ERRORS_TOTAL).increment(1);
        tracing::warn!(%error, "failed to store mqtt sessions, they are tried again");
        true
    })
}

/// `None`: it is gone.
fn stored_session(session: &Session) -> Option<StoredSession> {
    let state = lock(&session.state);
    if state.gone || state.expiry_s == 0 {
        return None;
    }
    let mut received: Vec<u16> = state.received.iter().copied().collect();
    received.sort_unstable();
    Some(StoredSession {
        version: STORED_VERSION,
        principal: session.key.principal.0,
        client_id: session.key.client_id.to_string(),
        expiry_s: state.expiry_s,
        ends_ms: state.ends.map(IngestTime::as_ms),
        subscriptions: state.subscriptions.iter().map(stored_subscription).collect(),
        received,
        inflight: state
            .inflight
            .iter()
            .map(|inflight| StoredInflight {
                pkid: inflight.pkid,
                released: inflight.released,
                out: stored_out(&inflight.out),
            })
            .collect(),
        queue: state.queue.iter().filter(|out| out.qos > 0).map(stored_out).collect(),
    })
}

fn stored_subscription(subscription: &Subscription) -> StoredSubscription {
    StoredSubscription {
        filter: subscription.filter.to_string(),
        qos: subscription.qos,
        no_local: subscription.no_local,
        retain_as_published: subscription.retain_as_published,
        id: subscription.id,
    }
}

fn stored_out(out: &Out) -> StoredOut {
    StoredOut {
        qos: out.qos,
        retain: out.retain,
        subscription_ids: out.subscription_ids.clone(),
        message: stored_message(&out.message),
    }
}

fn stored_message(message: &Message) -> StoredMessage {
    let properties = message.properties.as_deref().cloned().unwrap_or_default();
    StoredMessage {
        topic: message.topic_text().to_owned(),
        payload: StoredBytes::of(&message.payload),
        qos: message.qos,
        retain: message.retain,
        expires_ms: message.expires.map(IngestTime::as_ms),
        payload_format: properties.payload_format,
        content_type: properties.content_type,
        response_topic: properties.response_topic,
        correlation: properties.correlation.as_deref().map(StoredBytes::of),
        user: properties.user,
    }
}

/// `None`: damaged.
pub(crate) fn message_of(stored: StoredMessage) -> Option<Message> {
    let properties = Properties {
        payload_format: stored.payload_format,
        content_type: stored.content_type,
        response_topic: stored.response_topic,
        correlation: stored.correlation.as_ref().and_then(StoredBytes::bytes).map(Bytes::from),
        user: stored.user,
    };
    Some(Message {
        topic: Bytes::from(stored.topic),
        payload: Bytes::from(stored.payload.bytes()?),
        qos: stored.qos.min(2),
        retain: stored.retain,
        expires: stored.expires_ms.map(IngestTime),
        properties: (properties != Properties::default()).then(|| Box::new(properties)),
        publisher: 0,
    })
}

fn out_of(stored: StoredOut) -> Option<Out> {
    Some(Out {
        qos: stored.qos.min(2),
        retain: stored.retain,
        subscription_ids: stored.subscription_ids,
        message: Arc::new(message_of(stored.message)?),
    })
}

/// Fills a new session with what was stored of it; its subscriptions are returned for the index.
pub(crate) fn restore(
    session: &Session,
    stored: StoredSession,
    now: IngestTime,
    bounds: &super::session::QueueBounds,
) -> Vec<Subscription> {
    let subscriptions: Vec<Subscription> = stored
        .subscriptions
        .into_iter()
        .map(|subscription| Subscription {
            filter: subscription.filter.into(),
            qos: subscription.qos.min(2),
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            id: subscription.id,
            via_router: false,
        })
        .collect();
    let inflight = stored
        .inflight
        .into_iter()
        .filter_map(|inflight| {
            Some(Inflight { pkid: inflight.pkid, released: inflight.released, out: out_of(inflight.out)? })
        })
        .collect();
    session.persistent.store(true, Ordering::Relaxed);
    let mut state: std::sync::MutexGuard<'_, State> = lock(&session.state);
    state.restore(stored.queue.into_iter().filter_map(out_of).collect(), inflight, bounds);
    state.subscriptions.clone_from(&subscriptions);
    state.received = stored.received.into_iter().collect();
    state.expiry_s = stored.expiry_s;
    // A client that was connected when we ended begins its time now.
    state.ends = stored.ends_ms.map(IngestTime).or_else(|| super::hub::end_of(now, stored.expiry_s));
    subscriptions
}
