//! The hub itself: states of all devices and the list of subscribers, behind one lock that is held for one batch or one look.

use super::state::DeviceState;
use super::subscription::{LiveFilter, LiveSubscription, Subscriber};
use crate::chunks::{ChunkError, ChunkStore};
use crate::metrics::{LIVE_LAGGED_TOTAL, LIVE_REFUSED_TOTAL};
use ahash::AHashMap;
use model::envelope::Position;
use model::id::DeviceId;
use model::record::{RecordKind, SettledRecord};
use model::stream::{Batch, Item};
use model::time::IngestTime;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bounds of the hub.
#[derive(Debug, Clone, Copy)]
pub struct LiveConfig {
    pub subscriptions_max: usize,
    /// Devices that may wait for one subscriber.
    pub dirty_max: usize,
    /// Events that may wait for one subscriber.
    pub events_max: usize,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self { subscriptions_max: 500, dirty_max: 100_000, events_max: 1_000 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {0} live subscriptions already")]
pub struct TooManySubscriptions(pub usize);

#[derive(Debug, Default)]
pub(super) struct HubState {
    pub(super) devices: AHashMap<DeviceId, DeviceState>,
    pub(super) subscribers: Vec<Arc<Subscriber>>,
    up_to: Position,
    as_of: Option<IngestTime>,
}

/// The hub. Cheap to clone; all clones are one hub.
#[derive(Debug, Clone)]
pub struct LiveHub {
    config: LiveConfig,
    state: Arc<Mutex<HubState>>,
}

impl LiveHub {
    pub fn new(config: LiveConfig) -> Self {
        Self { config, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what settle has done with, and tells the subscribers.
    pub fn apply(&self, batch: &Batch) {
        let mut state = self.lock();
        let HubState { devices, subscribers, up_to, as_of } = &mut *state;
        *up_to = (*up_to).max(batch.up_to);
        let listened = !subscribers.is_empty();
        let mut changed = Vec::new();
        for item in &batch.items {
            match item {
                Item::Record(record) => {
                    let device = record.key.device;
                    devices.entry(device).or_insert_with(|| DeviceState::new(device)).take(record);
                    *as_of = (*as_of).max(Some(record.received));
                    if listened {
                        changed.push(device);
                        if record.key.kind == RecordKind::Event {
                            self.queue_event(subscribers, record);
                        }
                    }
                }
                Item::Contact { device, received, .. } => {
                    if let Some(known) = devices.get_mut(device) {
                        known.received = known.received.max(*received);
                    }
                    *as_of = (*as_of).max(Some(*received));
                }
                Item::Tick { tick, .. } => *as_of = (*as_of).max(Some(tick.at)),
                Item::Revision { .. } | Item::Outage { .. } => {}
            }
        }
        if !changed.is_empty() {
            changed.sort_unstable();
            changed.dedup();
            for subscriber in subscribers.iter() {
                self.mark(subscriber, &changed);
            }
        }
    }

    fn mark(&self, subscriber: &Subscriber, changed: &[DeviceId]) {
        let mut waiting = subscriber.waiting();
        waiting.dirty.extend(changed.iter().filter(|device| subscriber.filter.wants(**device)));
        if waiting.dirty.len() > self.config.dirty_max {
            waiting.dirty.clear();
            if !std::mem::replace(&mut waiting.lagged, true) {
                metrics::counter!(LIVE_LAGGED_TOTAL).increment(1);
            }
        }
        if !waiting.dirty.is_empty() || !waiting.events.is_empty() || waiting.lagged {
            subscriber.wake.notify_one();
        }
    }

    fn queue_event(&self, subscribers: &[Arc<Subscriber>], record: &SettledRecord) {
        let mut shared = None;
        for subscriber in subscribers {
            if !subscriber.filter.events || !subscriber.filter.wants(record.key.device) {
                continue;
            }
            let record = shared.get_or_insert_with(|| Arc::new(record.clone()));
            let mut waiting = subscriber.waiting();
            if waiting.events.len() >= self.config.events_max {
                waiting.events.pop_front();
                if !std::mem::replace(&mut waiting.lagged, true) {
                    metrics::counter!(LIVE_LAGGED_TOTAL).increment(1);
                }
            }
            waiting.events.push_back(Arc::clone(record));
        }
    }

    /// Puts a stored record into the hub at start, before anything was settled.
    pub fn seed(&self, record: &SettledRecord) {
        let device = record.key.device;
        self.lock().devices.entry(device).or_insert_with(|| DeviceState::new(device)).take(record);
    }

    /// Puts the newest stored records of the devices into the hub, so that the silent ones are on the page after a restart. To be called
    /// before the worker starts.
    pub async fn warm(
        &self,
        store: &ChunkStore,
        devices: impl IntoIterator<Item = DeviceId>,
    ) -> Result<(), ChunkError> {
        for device in devices {
            for record in store.latest(device).await? {
                self.seed(&record);
            }
        }
        Ok(())
    }

    pub fn device(&self, device: DeviceId) -> Option<DeviceState> {
        self.lock().devices.get(&device).cloned()
    }

    /// The states a filter wants, by device.
    pub fn snapshot(&self, filter: &LiveFilter) -> Vec<DeviceState> {
        let state = self.lock();
        let mut found: Vec<_> = match &filter.devices {
            Some(wanted) => wanted.iter().filter_map(|id| state.devices.get(id)).cloned().collect(),
            None => state.devices.values().cloned().collect(),
        };
        drop(state);
        found.sort_unstable_by_key(|one| one.device);
        found
    }

    /// The place and journal time up to which the hub has seen everything: "data as of".
    pub fn as_of(&self) -> (Position, Option<IngestTime>) {
        let state = self.lock();
        (state.up_to, state.as_of)
    }

    /// Subscribe first, then take a [`Self::snapshot`]: nothing falls between.
    pub fn subscribe(&self, filter: LiveFilter) -> Result<LiveSubscription, TooManySubscriptions> {
        let mut state = self.lock();
        if state.subscribers.len() >= self.config.subscriptions_max {
            metrics::counter!(LIVE_REFUSED_TOTAL).increment(1);
            return Err(TooManySubscriptions(state.subscribers.len()));
        }
        let subscriber = Arc::new(Subscriber { filter, waiting: Mutex::default(), wake: Notify::new() });
        state.subscribers.push(Arc::clone(&subscriber));
        drop(state);
        Ok(LiveSubscription { subscriber, hub: Arc::clone(&self.state) })
    }

    /// Ends all subscriptions, at stop.
    pub fn close(&self) {
        for subscriber in std::mem::take(&mut self.lock().subscribers) {
            subscriber.waiting().closed = true;
            subscriber.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
