//! One connection: reads requests, waits for feeds, writes messages. One task; one message on its way at a time.

use super::Seat;
use super::feeds::{Feeds, Wake};
use super::topics::Topic;
use crate::dto::live::{LiveData, LiveMessage, LiveRequest};
use crate::extract::Caller;
use crate::state::AppState;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::http::StatusCode;
use ingest::live::LiveChange;
use std::collections::BTreeMap;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, timeout};

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The page went away or does not read; there is nobody to tell.
    Gone,
    /// Tell the page this word and close.
    Bye(&'static str),
}

#[derive(Debug)]
struct Subscription {
    topic: Topic,
    /// Of the next message.
    seq: u64,
}

struct Connection {
    state: AppState,
    caller: Caller,
    socket: WebSocket,
    subscriptions: BTreeMap<u32, Subscription>,
    feeds: Feeds,
}

pub(super) async fn serve(state: AppState, caller: Caller, socket: WebSocket, seat: Seat) {
    let mut connection = Connection { state, caller, socket, subscriptions: BTreeMap::new(), feeds: Feeds::new() };
    let end = connection.run().await;
    if let End::Bye(code) = end {
        // The page may be gone already; there is nobody else to tell.
        connection.send(&LiveMessage::Bye { code: code.to_owned() }).await.ok();
        let frame = CloseFrame { code: 1000, reason: code.into() };
        timeout(SEND, connection.socket.send(Message::Close(Some(frame)))).await.ok();
    }
    drop(seat);
}

impl Connection {
    async fn run(&mut self) -> End {
        let mut seconds = interval(Duration::from_secs(1));
        let mut beats = interval(BEAT);
        let mut sessions = interval(SESSION);
        for timer in [&mut seconds, &mut beats, &mut sessions] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer.reset();
        }
        let mut heard = Instant::now();
        let mut count: u64 = 0;
        let stop = self.state.stop.clone();
        loop {
            // Every branch is cancel-safe: a message, a tick or a change is taken only when its branch wins.
            let done = tokio::select! {
                () = stop.cancelled() => Err(End::Bye("stopping")),
                message = self.socket.recv() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(message)) => self.request(message).await,
                        Some(Err(_)) | None => Err(End::Gone),
                    }
                }
                wake = self.feeds.next() => self.wake(wake).await,
                _ = seconds.tick() => {
                    count += 1;
                    self.second(count.is_multiple_of(FULL_EVERY_S)).await
                }
                _ = beats.tick() => {
                    if heard.elapsed() > SILENCE {
                        metrics::counter!(crate::metrics::LIVE_STALLED).increment(1);
                        Err(End::Gone)
                    } else {
                        self.beat().await
                    }
                }
                _ = sessions.tick() => self.check_session().await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn send(&mut self, message: &LiveMessage) -> Result<(), End> {
        let text = serde_json::to_string(message).map_err(|_| End::Bye("internal"))?;
        self.write(Message::Text(text.into())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_closed)) => Err(End::Gone),
            Err(_elapsed) => {
                metrics::counter!(crate::metrics::LIVE_STALLED).increment(1);
                Err(End::Gone)
            }
        }
    }

    async fn request(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) => text,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
            Message::Binary(_) => return Err(End::Bye("bad_message")),
        };
        match serde_json::from_str(&text) {
            Ok(LiveRequest::Sub { id, topic, filter }) => self.subscribe(id, &topic, filter).await,
            Ok(LiveRequest::Unsub { id }) => {
                self.subscriptions.remove(&id);
                self.set_feeds();
                Ok(())
            }
            Ok(LiveRequest::Ping) => self.beat().await,
            Err(_) => Err(End::Bye("bad_message")),
        }
    }

    async fn subscribe(
        &mut self,
        id: u32,
        topic: &str,
        filter: Option<crate::dto::live::LiveFilter>,
    ) -> Result<(), End> {
        if !self.subscriptions.contains_key(&id) && self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return self.refuse(id, "too_many").await;
        }
        match Topic::parse(&self.state, &self.caller, topic, filter) {
            Err(code) => self.refuse(id, code).await,
            Ok(topic) => {
                self.subscriptions.insert(id, Subscription { topic, seq: 0 });
                // The feed first, then the snapshot: nothing falls between.
                if !self.set_feeds() {
                    self.subscriptions.remove(&id);
                    return self.refuse(id, "too_many").await;
                }
                self.snapshot(id).await
            }
        }
    }

    async fn refuse(&mut self, id: u32, code: &str) -> Result<(), End> {
        self.send(&LiveMessage::Refused { id, code: code.to_owned() }).await
    }

    /// Keeps just the feeds that the subscriptions need. False: the hub is full.
    fn set_feeds(&mut self) -> bool {
        let any = |wanted: fn(&Topic) -> bool| self.subscriptions.values().any(|one| wanted(&one.topic)).into();
        let map = any(|topic| matches!(topic, Topic::Map { .. }));
        let events = any(|topic| matches!(topic, Topic::Alerts | Topic::Cases));
        let kpi = any(|topic| matches!(topic, Topic::Kpi));
        let health = any(|topic| matches!(topic, Topic::Health));
        let devices = self.subscriptions.values().filter_map(|one| match one.topic {
            Topic::Device { id, .. } => Some(id),
            _ => None,
        });
        let devices = devices.collect();
        self.feeds.watch_events(&self.state, events);
        self.feeds.watch_kpi(&self.state, kpi);
        self.feeds.watch_health(&self.state, health);
        self.feeds.watch_map(&self.state, map) && self.feeds.watch_devices(&self.state, devices)
    }

    async fn snapshot(&mut self, id: u32) -> Result<(), End> {
        let Some(one) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        match one.topic.snapshot(&self.state, &self.caller).await {
            Ok(data) => {
                let seq = one.seq;
                one.seq += 1;
                let t = self.state.now().0;
                self.send(&LiveMessage::Snapshot { id, seq, t, data }).await
            }
            Err(error) => {
                self.subscriptions.remove(&id);
                let code = if error.status == StatusCode::NOT_FOUND { "not_found" } else { "unavailable" };
                self.refuse(id, code).await
            }
        }
    }

    async fn delta(&mut self, id: u32, data: LiveData) -> Result<(), End> {
        let Some(one) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        let seq = one.seq;
        one.seq += 1;
        let t = self.state.now().0;
        self.send(&LiveMessage::Delta { id, seq, t, data }).await
    }

    fn ids(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<u32> {
        self.subscriptions.iter().filter(|(_, one)| wanted(&one.topic)).map(|(id, _)| *id).collect()
    }

    async fn wake(&mut self, wake: Wake) -> Result<(), End> {
        match wake {
            Wake::Ended => Err(End::Bye("stopping")),
            Wake::Devices(change) => self.devices(change).await,
            Wake::Events { events, lost } => {
                for id in self.ids(|topic| matches!(topic, Topic::Alerts | Topic::Cases)) {
                    if lost {
                        self.refetch(id).await?;
                    }
                    let data = self
                        .subscriptions
                        .get(&id)
                        .and_then(|one| one.topic.events(&self.state, &self.caller, &events));
                    if let Some(data) = data {
                        self.delta(id, data).await?;
                    }
                }
                Ok(())
            }
            Wake::Commands { rows, lost } => {
                for id in self.ids(|topic| matches!(topic, Topic::Device { .. })) {
                    if lost {
                        self.refetch(id).await?;
                    }
                    let one = self.subscriptions.get_mut(&id);
                    if let Some(data) = one.and_then(|one| one.topic.commands(&self.state, &rows)) {
                        self.delta(id, data).await?;
                    }
                }
                Ok(())
            }
            Wake::Kpi(kpi) => {
                for id in self.ids(|topic| matches!(topic, Topic::Kpi)) {
                    self.delta(id, LiveData::Kpi((*kpi).clone())).await?;
                }
                Ok(())
            }
            Wake::Health(health) => {
                for id in self.ids(|topic| matches!(topic, Topic::Health)) {
                    self.delta(id, LiveData::Health((*health).clone())).await?;
                }
                Ok(())
            }
        }
    }

    async fn refetch(&mut self, id: u32) -> Result<(), End> {
        let Some(one) = self.subscriptions.get_mut(&id) else { return Ok(()) };
        let seq = one.seq;
        one.seq += 1;
        metrics::counter!(crate::metrics::LIVE_REFETCHES).increment(1);
        self.send(&LiveMessage::Refetch { id, seq }).await
    }

    async fn devices(&mut self, change: LiveChange) -> Result<(), End> {
        for id in self.ids(|topic| matches!(topic, Topic::Device { .. })) {
            if change.lagged {
                metrics::counter!(crate::metrics::LIVE_RESNAPSHOTS).increment(1);
                self.snapshot(id).await?;
                continue;
            }
            let one = self.subscriptions.get_mut(&id);
            let data = one.and_then(|one| one.topic.device_change(&self.state, &change.devices, &change.events));
            if let Some(data) = data {
                self.delta(id, data).await?;
            }
        }
        Ok(())
    }

    async fn second(&mut self, full: bool) -> Result<(), End> {
        let change = self.feeds.map_change();
        let lagged = change.as_ref().is_some_and(|change| change.lagged);
        for id in self.ids(|topic| matches!(topic, Topic::Map { .. } | Topic::Device { .. })) {
            let Some(one) = self.subscriptions.get_mut(&id) else { continue };
            if lagged && matches!(one.topic, Topic::Map { .. }) {
                metrics::counter!(crate::metrics::LIVE_RESNAPSHOTS).increment(1);
                self.snapshot(id).await?;
                continue;
            }
            let moved = change.as_ref().map(|change| change.devices.as_slice());
            if let Some(data) = one.topic.tick(&self.state, moved, full) {
                self.delta(id, data).await?;
            }
        }
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), End> {
        let t = self.state.now().0;
        self.send(&LiveMessage::Pong { t }).await?;
        self.write(Message::Ping(axum::body::Bytes::new())).await
    }

    /// A session that was ended, or an account that was changed, ends its sockets.
    async fn check_session(&mut self) -> Result<(), End> {
        match self.state.ledger.people().session(&self.caller.token).await {
            Ok(Some(session)) if session.person.role == self.caller.role => Ok(()),
            Ok(_) => Err(End::Bye("session_ended")),
            // The database is away for a moment; the next look tells.
            Err(error) => {
                tracing::debug!(%error, "a live session could not be checked");
                Ok(())
            }
        }
    }
}

/// Subscriptions of one connection.
const SUBSCRIPTIONS_MAX: usize = 32;
/// How long one message may take to be taken by the page.
const SEND: Duration = Duration::from_secs(SEND_SECONDS);
pub(super) const SEND_SECONDS: u64 = 15;
/// Time between two heartbeats.
const BEAT: Duration = Duration::from_secs(20);
/// A page that answers no heartbeat for so long is gone.
const SILENCE: Duration = Duration::from_secs(65);
/// Time between two looks at the session.
const SESSION: Duration = Duration::from_secs(3);
/// All states of the map are compared every so many seconds, for what fell silent.
const FULL_EVERY_S: u64 = 5;
