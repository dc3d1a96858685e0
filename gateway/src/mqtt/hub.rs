//! What all connections share: sessions, the index of filters, retained messages, the ways of delivery. Everything here
//! happens after durability: a message comes to [`Hub::publish`] only once the inlet's completion said `Ok`.

use super::codec::Will;
use super::fanout::FanOutQueue;
use super::grants;
use super::index::{Index, Matched};
use super::persist::{self, Persist};
use super::retained::{Kept, Retained};
use super::session::{Kick, Message, Offered, Out, Port, QueueBounds, Session, SessionKey, Subscription, lock};
use super::store::{Loaded, SessionStore};
use super::{MqttConfig, metrics};
use crate::edge::Edge;
use crate::intake;
use ::metrics::{Counter, counter, gauge};
use ahash::AHashMap;
use bytes::Bytes;
use model::envelope::Envelope;
use model::id::PrincipalId;
use model::principal::Principal;
use model::time::IngestTime;
use protocol::mqtt::topic::{Topic, TopicKind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Wills whose append is done and that wait to be delivered.
const LATE_MAX: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) config: MqttConfig,
    pub(crate) edge: Edge,
    pub(crate) index: Index,
    pub(crate) bounds: Arc<QueueBounds>,
    pub(crate) fan_out: FanOutQueue,
    pub(crate) persist: Persist,
    pub(crate) meters: Meters,
    pub(crate) connections: AtomicUsize,
    sessions: Mutex<AHashMap<SessionKey, Arc<Session>>>,
    /// Sessions without a connection, which the sweeper looks at.
    offline: Mutex<AHashMap<u64, Arc<Session>>>,
    retained: Arc<Mutex<Retained>>,
    numbers: AtomicU64,
    routed: AtomicUsize,
    late: mpsc::Sender<Arc<Message>>,
}

/// Handles of the counters that are met per message.
pub(crate) struct Meters {
    pub(crate) publishes: Counter,
    pub(crate) acknowledged: Counter,
    pub(crate) delivered: Counter,
    pub(crate) dropped_full: Counter,
    pub(crate) dropped_expired: Counter,
    pub(crate) dropped_large: Counter,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meters")
    }
}

impl Meters {
    fn new() -> Self {
        Self {
            publishes: counter!(metrics::PUBLISHES_TOTAL),
            acknowledged: counter!(metrics::ACKNOWLEDGED_TOTAL),
            delivered: counter!(metrics::DELIVERED_TOTAL),
            dropped_full: counter!(metrics::DROPPED_TOTAL, "why" => "queue_full"),
            dropped_expired: counter!(metrics::DROPPED_TOTAL, "why" => "expired"),
            dropped_large: counter!(metrics::DROPPED_TOTAL, "why" => "too_large"),
        }
    }
}

/// When a session without a connection ends; `None`: never.
pub(crate) fn end_of(now: IngestTime, expiry_s: u32) -> Option<IngestTime> {
    (expiry_s != u32::MAX).then(|| now.plus_ms(i64::from(expiry_s) * 1000))
}

/// What a connection got when it attached.
pub(crate) struct Attached {
    pub(crate) session: Arc<Session>,
    pub(crate) present: bool,
}

impl Hub {
    pub(crate) fn start(
        config: MqttConfig,
        edge: Edge,
        store: Arc<dyn SessionStore>,
        stop: CancellationToken,
        tasks: &tokio_util::task::TaskTracker,
    ) -> std::io::Result<Arc<Self>> {
        let loaded = store.load()?;
        let retained = Arc::new(Mutex::new(Retained::new(config.retained_max, config.retained_bytes_max)));
        let bounds = Arc::new(QueueBounds::new(config.queue_per_session_max, config.queue_total_max));
        let (late, late_receiver) = mpsc::channel(LATE_MAX);
        let hub = Arc::new(Self {
            index: Index::default(),
            fan_out: FanOutQueue::start(tokio::runtime::Handle::current(), Arc::clone(&bounds))?,
            persist: Persist::start(store, Arc::clone(&retained))?,
            meters: Meters::new(),
            connections: AtomicUsize::new(0),
            sessions: Mutex::default(),
            offline: Mutex::default(),
            numbers: AtomicU64::new(0),
            routed: AtomicUsize::new(0),
            config,
            edge,
            bounds,
            retained,
            late,
        });
        hub.restore(loaded);
        tasks.spawn(sweep(Arc::clone(&hub), late_receiver, stop));
        Ok(hub)
    }

    fn restore(&self, loaded: Loaded) {
        let now = self.edge.clock.now();
        if loaded.unreadable > 0 {
            counter!(metrics::STORE_ERRORS_TOTAL).increment(1);
            tracing::warn!(unreadable = loaded.unreadable, "stored mqtt sessions could not be read and are left out");
        }
        for stored in loaded.sessions {
            let key =
                SessionKey { principal: PrincipalId(stored.principal), client_id: stored.client_id.as_str().into() };
            let session = Arc::new(Session::new(self.next_number(), key.clone()));
            for subscription in persist::restore(&session, stored, now, &self.bounds) {
                self.index.insert(&session, subscription);
            }
            lock(&self.offline).insert(session.number, Arc::clone(&session));
            lock(&self.sessions).insert(key, session);
        }
        let mut retained = lock(&self.retained);
        for message in loaded.retained.into_iter().filter_map(persist::message_of) {
            if retained.put(&message) == Kept::Full {
                counter!(metrics::RETAINED_FULL_TOTAL).increment(1);
            }
        }
    }

    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Gives a connection its session. An older connection of it is told to end.
    pub(crate) fn attach(&self, key: &SessionKey, clean: bool, expiry_s: u32, port: &Arc<Port>) -> Attached {
        let now = self.edge.clock.now();
        let mut sessions = lock(&self.sessions);
        let mut kept = sessions.get(key).cloned();
        if let Some(session) = kept.take_if(|session| {
            let state = lock(&session.state);
            clean || (state.port.is_none() && state.ends.is_some_and(|ends| ends <= now))
        }) {
            self.discard(&session, Kick::Discarded);
        }
        let present = kept.is_some();
        let session = kept.unwrap_or_else(|| {
            let session = Arc::new(Session::new(self.next_number(), key.clone()));
            sessions.insert(key.clone(), Arc::clone(&session));
            session
        });
        // An attached session leaves the offline list before its port is set, or the sweeper could end it in between.
        lock(&self.offline).remove(&session.number);
        session.persistent.store(expiry_s > 0, Ordering::Relaxed);
        let mut state = lock(&session.state);
        let old = state.port.replace(Arc::clone(port));
        state.expiry_s = expiry_s;
        state.ends = None;
        state.will = None;
        drop(state);
        #[expect(clippy::cast_precision_loss, reason = "a gauge of sessions stays far below 2^52")]
        gauge!(metrics::SESSIONS).set(sessions.len() as f64);
        drop(sessions);
        if let Some(old) = old {
            old.kick(Kick::TakenOver);
        }
        if present || expiry_s > 0 {
            self.persist.session_now(&session);
        }
        Attached { session, present }
    }

    /// The connection has ended. `will`: it ended without a DISCONNECT that forbids the will.
    pub(crate) fn detach(&self, principal: &Principal, session: &Arc<Session>, port: &Arc<Port>, will: Option<Will>) {
        let now = self.edge.clock.now();
        let mut state = lock(&session.state);
        let ours = state.port.as_ref().is_some_and(|held| Arc::ptr_eq(held, port));
        let (gone, expiry_s) = (state.gone, state.expiry_s);
        let mut at_once = will;
        if ours && expiry_s > 0 {
            state.port = None;
            state.ends = end_of(now, expiry_s);
            // The will leaves with the session at the latest (MQTT 5, 3.1.3.2.2).
            if let Some(will) = at_once.take_if(|will| will.delay_s > 0) {
                let delay_s = will.delay_s.min(expiry_s);
                state.will = Some((now.plus_ms(i64::from(delay_s) * 1000), will));
            }
        } else if !ours && !gone {
            // Another connection has the session, so a will that waits is void.
            at_once = at_once.filter(|will| will.delay_s == 0);
        }
        drop(state);
        if ours {
            if expiry_s > 0 {
                lock(&self.offline).insert(session.number, Arc::clone(session));
                self.persist.session(session);
                if lock(&session.state).port.is_some() {
                    lock(&self.offline).remove(&session.number);
                }
            } else {
                let mut sessions = lock(&self.sessions);
                if sessions.get(&session.key).is_some_and(|held| Arc::ptr_eq(held, session)) {
                    sessions.remove(&session.key);
                }
                drop(sessions);
                self.discard(session, Kick::Discarded);
            }
        }
        if let Some(will) = at_once {
            self.publish_will(principal.id, &principal.grants, session.number, will);
        }
    }

    /// Ends a session: its filters, messages and file go. A will that waited is published.
    fn discard(&self, session: &Arc<Session>, kick: Kick) {
        let mut state = lock(&session.state);
        state.gone = true;
        state.clear_queue(&self.bounds);
        let subscriptions = std::mem::take(&mut state.subscriptions);
        let port = state.port.take();
        let will = state.will.take();
        drop(state);
        for subscription in &subscriptions {
            self.index.remove(session.number, &subscription.filter);
        }
        if subscriptions.iter().any(|subscription| subscription.via_router) {
            self.fan_out.leave(session.number);
        }
        self.persist.session(session);
        if let Some(port) = port {
            port.kick(kick);
        }
        if let Some((_, will)) = will {
            self.publish_stored_will(session, will);
        }
    }

    /// A will whose connection is long gone: its topic was checked when the client connected.
    fn publish_stored_will(&self, session: &Session, will: Will) {
        let grants = Topic::parse(&will.topic)
            .and_then(|topic| match topic {
                Topic::Device { device, .. } => self.edge.directory.device_by_code(device),
                Topic::Thingsboard => None,
            })
            .or_else(|| intake::device_of_will(&will.topic, &*self.edge.directory))
            .map(|device| model::principal::Grants::One(device.id));
        if let Some(grants) = grants {
            self.publish_will(session.key.principal, &grants, session.number, will);
        }
    }

    fn publish_will(&self, principal: PrincipalId, grants: &model::principal::Grants, publisher: u64, will: Will) {
        let now = self.edge.clock.now();
        let speaker = Principal { id: principal, name: "will".into(), grants: grants.clone(), credential_version: 0 };
        let Some(grant) = grants::publish(&speaker, &will.topic, &*self.edge.directory) else {
            self.publish_foreign_will(&speaker, &will, now);
            return;
        };
        let topic = Topic::Device { device: &grant.device.code, kind: grant.kind }.to_string();
        let envelope = Envelope {
            received: now,
            principal,
            device: grant.device.id,
            channel: grant.channel,
            remarks: 0,
            connection: 0,
            raw: will.payload.clone(),
        };
        let message = Arc::new(Message {
            topic: topic.into(),
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            expires: will.expiry_s.map(|seconds| now.plus_ms(i64::from(seconds) * 1000)),
            properties: will.properties,
            publisher,
        });
        let late = self.late.clone();
        self.edge.inlet.accept(
            vec![envelope],
            Box::new(move |result| {
                let lost = result.is_err() || late.try_send(message).is_err();
                if lost {
                    counter!(metrics::DROPPED_TOTAL, "why" => "will").increment(1);
                }
            }),
        );
    }

    /// A Sparkplug death goes to the journal; nobody subscribes to it.
    fn publish_foreign_will(&self, speaker: &Principal, will: &Will, now: IngestTime) {
        let publish = intake::Publish { topic: &will.topic, payload: &will.payload, received: now };
        let Some(envelope) = intake::of_will(speaker, publish, &*self.edge.directory) else { return };
        let done = Box::new(|result: Result<_, model::seams::AppendError>| {
            if result.is_err() {
                counter!(metrics::DROPPED_TOTAL, "why" => "will").increment(1);
            }
        });
        self.edge.inlet.accept(vec![envelope], done);
    }

    /// Adds or replaces a filter of a session. True: it is new.
    pub(crate) fn subscribe(&self, session: &Arc<Session>, subscription: &Subscription) -> bool {
        let mut state = lock(&session.state);
        if state.gone {
            return false;
        }
        let old = state.subscriptions.iter().position(|held| held.filter == subscription.filter);
        let held = old.and_then(|place| state.subscriptions.get_mut(place));
        let was_routed = held.is_some_and(|held| std::mem::replace(held, subscription.clone()).via_router);
        if old.is_none() {
            state.subscriptions.push(subscription.clone());
        }
        // Under the session's lock, so that a discard cannot leave an orphan in the index.
        self.index.insert(session, subscription.clone());
        drop(state);
        if subscription.via_router {
            self.fan_out.subscribe(session, &subscription.filter);
        } else if was_routed {
            self.fan_out.unsubscribe(session.number, &subscription.filter);
        }
        self.persist.session_now(session);
        old.is_none()
    }

    /// False: the session had no such filter.
    pub(crate) fn unsubscribe(&self, session: &Arc<Session>, filter: &str) -> bool {
        let mut state = lock(&session.state);
        let Some(place) = state.subscriptions.iter().position(|held| &*held.filter == filter) else { return false };
        let held = state.subscriptions.swap_remove(place);
        self.index.remove(session.number, filter);
        drop(state);
        if held.via_router {
            self.fan_out.unsubscribe(session.number, &held.filter);
        }
        self.persist.session_now(session);
        true
    }

    /// Whether one more client may be served by the fan-out.
    pub(crate) fn fan_out_has_room(&self) -> bool {
        self.routed.load(Ordering::Relaxed) < super::fanout::CLIENTS_MAX
    }

    pub(crate) fn routed(&self) -> &AtomicUsize {
        &self.routed
    }

    /// Retained messages for a new subscription, put into the session's queue.
    pub(crate) fn replay_retained(&self, session: &Session, subscription: &Subscription) {
        let messages = lock(&self.retained).matching(&subscription.filter, self.edge.clock.now());
        for message in messages {
            let out = Out {
                qos: message.qos.min(subscription.qos),
                retain: true,
                subscription_ids: subscription.id.into_iter().collect(),
                message,
            };
            self.count(session.offer(out, &self.bounds));
        }
    }

    /// Delivers a durable message of a device: retained store, subscribers, fan-out.
    pub(crate) fn publish(&self, message: &Arc<Message>, matched: &Matched, route: Route) -> usize {
        if message.retain && route != Route::Live {
            let kept = lock(&self.retained).put(message);
            match kept {
                Kept::Changed => self.persist.retained(message.topic_text()),
                Kept::Same => {}
                Kept::Full => counter!(metrics::RETAINED_FULL_TOTAL).increment(1),
            }
        }
        let mut reached = 0;
        for target in &matched.targets {
            let elsewhere = target.via_router && route != Route::Command;
            if elsewhere || (target.no_local && target.session.number == message.publisher) {
                continue;
            }
            let out = Out {
                message: Arc::clone(message),
                qos: message.qos.min(target.qos),
                retain: message.retain && target.retain_as_published,
                subscription_ids: target.subscription_ids.clone(),
            };
            let offered = target.session.offer(out, &self.bounds);
            self.count(offered);
            if offered != Offered::Dropped {
                reached += 1;
                self.persist.session(&target.session);
            }
        }
        if matched.router && route != Route::Command && message.topic.is_ascii() {
            self.fan_out.publish(message.topic.clone(), message.payload.clone());
        }
        reached
    }

    fn count(&self, offered: Offered) {
        if offered != Offered::Queued {
            self.meters.dropped_full.increment(1);
        }
    }

    /// To a device or about it: command or errors. Returns how many sessions it was queued for.
    pub(crate) fn publish_to_device(&self, device: &str, kind: TopicKind, payload: Bytes, qos: u8) -> usize {
        self.say(Topic::Device { device, kind }.to_string(), payload, qos)
    }

    /// To whoever reads a topic that goes to devices; never through the fan-out.
    pub(crate) fn say(&self, topic: String, payload: Bytes, qos: u8) -> usize {
        let matched = self.index.find(&topic);
        if matched.is_empty() {
            return 0;
        }
        let message = Arc::new(Message {
            topic: topic.into(),
            payload,
            qos,
            retain: false,
            expires: None,
            properties: None,
            publisher: 0,
        });
        self.publish(&message, &matched, Route::Command)
    }

    /// A settled stream's message, for [`model::seams::FanOut`].
    pub(crate) fn publish_live(&self, topic: String, payload: Bytes) {
        if !topic.is_ascii() || protocol::mqtt::topic::check_name(&topic).is_err() {
            counter!(metrics::DROPPED_TOTAL, "why" => "bad_topic").increment(1);
            return;
        }
        let matched = self.index.find(&topic);
        if matched.is_empty() {
            return;
        }
        let message = Arc::new(Message {
            topic: topic.into(),
            payload,
            qos: 0,
            retain: false,
            expires: None,
            properties: None,
            publisher: 0,
        });
        self.publish(&message, &matched, Route::Live);
    }

    /// Whether a client may have a session: the one it has already, or a new one within the bounds. A principal's oldest absent session gives
    /// way to its newest; nobody takes another principal's place.
    pub(crate) fn has_room(&self, key: &SessionKey) -> bool {
        let mut sessions = lock(&self.sessions);
        if sessions.contains_key(key) {
            return true;
        }
        let own: Vec<Arc<Session>> =
            sessions.values().filter(|session| session.key.principal == key.principal).cloned().collect();
        if own.len() < self.config.sessions_per_principal_max {
            return sessions.len() < self.config.sessions_max;
        }
        let is_absent = |session: &&Arc<Session>| {
            let state = lock(&session.state);
            state.port.is_none() && !state.gone
        };
        let Some(oldest) = own.iter().filter(is_absent).min_by_key(|session| session.number) else { return false };
        sessions.remove(&oldest.key);
        lock(&self.offline).remove(&oldest.number);
        drop(sessions);
        self.discard(oldest, Kick::Discarded);
        counter!(metrics::SESSIONS_CROWDED_TOTAL).increment(1);
        true
    }

    pub(crate) fn session_count(&self) -> usize {
        lock(&self.sessions).len()
    }

    pub(crate) fn retained_count(&self) -> usize {
        lock(&self.retained).len()
    }

    /// The directory has changed: every connection looks whether it is still admitted, also one that says nothing.
    fn look_at_credentials(&self) {
        let sessions: Vec<Arc<Session>> = lock(&self.sessions).values().cloned().collect();
        for session in sessions {
            let port = lock(&session.state).port.clone();
            if let Some(port) = port {
                port.look();
            }
        }
    }

    /// Ends what has had its time and publishes wills that are due.
    fn sweep_once(&self, now: IngestTime) {
        let offline: Vec<Arc<Session>> = lock(&self.offline).values().cloned().collect();
        for session in offline {
            let mut sessions = lock(&self.sessions);
            let mut state = lock(&session.state);
            if state.port.is_some() || state.gone {
                drop(state);
                lock(&self.offline).remove(&session.number);
                continue;
            }
            let will = state.will.take_if(|(due, _)| *due <= now);
            let ended = state.ends.is_some_and(|ends| ends <= now);
            drop(state);
            if ended {
                sessions.remove(&session.key);
                lock(&self.offline).remove(&session.number);
            }
            drop(sessions);
            if let Some((_, will)) = will {
                self.publish_stored_will(&session, will);
            }
            if ended {
                self.discard(&session, Kick::Discarded);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "gauges of bounded numbers")]
        {
            gauge!(metrics::QUEUED).set(self.bounds.queued() as f64);
            gauge!(metrics::RETAINED).set(self.retained_count() as f64);
        }
        for topic in lock(&self.retained).expire(now) {
            self.persist.retained(&topic);
        }
    }
}

/// Where a message comes from, which decides on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// A device published it.
    Device,
    /// To a device or about it; never through the fan-out.
    Command,
    /// A settled stream.
    Live,
}

async fn sweep(hub: Arc<Hub>, mut late: mpsc::Receiver<Arc<Message>>, stop: CancellationToken) {
    let mut changes = hub.edge.changes.clone();
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        // All four are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return,
            Ok(()) = changes.changed() => hub.look_at_credentials(),
            _ = ticks.tick() => hub.sweep_once(hub.edge.clock.now()),
            message = late.recv() => {
                let Some(message) = message else { return };
                let matched = hub.index.find(message.topic_text());
                hub.publish(&message, &matched, Route::Device);
            }
        }
    }
}
