//! One subscriber: what it wants, what waits for it.

use super::hub::HubState;
use super::state::DeviceState;
use ahash::AHashSet;
use model::id::DeviceId;
use model::record::SettledRecord;
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What a subscriber wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveFilter {
    /// `None`: all devices.
    pub devices: Option<Arc<BTreeSet<DeviceId>>>,
    /// Also the single events (gate passes, washes).
    pub events: bool,
}

impl LiveFilter {
    pub fn wants(&self, device: DeviceId) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(&device))
    }
}

/// What changed since the last look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LiveChange {
    /// Devices that changed, in their newest state, by id.
    pub devices: Vec<DeviceState>,
    /// Events in journal order.
    pub events: Vec<Arc<SettledRecord>>,
    /// Something was left out: take a snapshot.
    pub lagged: bool,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) dirty: AHashSet<DeviceId>,
    pub(super) events: VecDeque<Arc<SettledRecord>>,
    pub(super) lagged: bool,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) filter: LiveFilter,
    pub(super) waiting: Mutex<Waiting>,
    pub(super) wake: Notify,
}

impl Subscriber {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscriber's end. Dropping it unsubscribes.
#[derive(Debug)]
pub struct LiveSubscription {
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) hub: Arc<Mutex<HubState>>,
}

impl LiveSubscription {
    /// Waits until something changed; `None` when the hub has closed. Cancel-safe: nothing is taken before it returns.
    pub async fn next(&mut self) -> Option<LiveChange> {
        loop {
            let subscriber = Arc::clone(&self.subscriber);
            let woken = subscriber.wake.notified();
            match self.take() {
                Some(change) if change == LiveChange::default() => {}
                other => return other,
            }
            woken.await;
        }
    }

    /// What waits now, without waiting: empty when nothing does, `None` when the hub has closed.
    pub fn take(&mut self) -> Option<LiveChange> {
        let (dirty, events, lagged) = {
            let mut waiting = self.subscriber.waiting();
            if waiting.closed {
                return None;
            }
            (
                std::mem::take(&mut waiting.dirty),
                std::mem::take(&mut waiting.events),
                std::mem::take(&mut waiting.lagged),
            )
        };
        let mut ids: Vec<_> = dirty.into_iter().collect();
        ids.sort_unstable();
        let devices = {
            let hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
            ids.iter().filter_map(|id| hub.devices.get(id)).cloned().collect()
        };
        Some(LiveChange { devices, events: events.into(), lagged })
    }

    /// Changes what is wanted; what waits is forgotten, so take a snapshot.
    pub fn refilter(&mut self, filter: LiveFilter) {
        let mut hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Arc::new(Subscriber { filter, waiting: Mutex::default(), wake: Notify::new() });
        if let Some(place) = hub.subscribers.iter_mut().find(|one| Arc::ptr_eq(one, &self.subscriber)) {
            *place = Arc::clone(&fresh);
        }
        drop(hub);
        self.subscriber = fresh;
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        let mut hub = self.hub.lock().unwrap_or_else(PoisonError::into_inner);
        hub.subscribers.retain(|one| !Arc::ptr_eq(one, &self.subscriber));
    }
}
