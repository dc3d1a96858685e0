//! What wakes a connection: changes of the hub, events of the judge, the latest numbers. Each feed is there only while a
//! subscription needs it; one that is not there never wakes.

use crate::dto::health::Health;
use crate::dto::overview::Kpi;
use crate::state::AppState;
use cases::LiveEvent;
use ingest::live::{LiveChange, LiveFilter, LiveSubscription};
use model::id::DeviceId;
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Duration, Instant, sleep_until};

/// What woke the connection.
#[derive(Debug)]
pub(super) enum Wake {
    Devices(LiveChange),
    /// Events in order; `lost`: the channel had run over before them.
    Events {
        events: Vec<LiveEvent>,
        lost: bool,
    },
    /// Changes of commands; `lost`: the channel had run over before them.
    Commands {
        rows: Vec<Arc<ledger::CommandRow>>,
        lost: bool,
    },
    Kpi(Arc<Kpi>),
    Health(Arc<Health>),
    /// A source has ended: we are stopping.
    Ended,
}

#[derive(Debug)]
pub(super) struct Feeds {
    devices: Option<LiveSubscription>,
    map: Option<LiveSubscription>,
    events: Option<broadcast::Receiver<LiveEvent>>,
    commands: Option<broadcast::Receiver<Arc<ledger::CommandRow>>>,
    kpi: Option<watch::Receiver<Arc<Kpi>>>,
    health: Option<watch::Receiver<Option<Arc<Health>>>>,
    /// Device pages are quiet until then.
    quiet: Instant,
}

impl Feeds {
    pub(super) fn new() -> Self {
        Self { devices: None, map: None, events: None, commands: None, kpi: None, health: None, quiet: Instant::now() }
    }

    /// Watches these devices and no others. False: the hub has no place for more.
    pub(super) fn watch_devices(&mut self, state: &AppState, devices: BTreeSet<DeviceId>) -> bool {
        if devices.is_empty() {
            (self.devices, self.commands) = (None, None);
            return true;
        }
        self.commands.get_or_insert_with(|| state.ledger.commands().changes());
        let filter = LiveFilter { devices: Some(Arc::new(devices)), events: true };
        match &mut self.devices {
            Some(subscription) => subscription.refilter(filter),
            None => match state.hub.subscribe(filter) {
                Ok(subscription) => self.devices = Some(subscription),
                Err(_full) => return false,
            },
        }
        true
    }

    /// False: the hub has no place for more.
    pub(super) fn watch_map(&mut self, state: &AppState, wanted: Wanted) -> bool {
        match (wanted, &self.map) {
            (Wanted::No, _) => self.map = None,
            (Wanted::Yes, Some(_)) => {}
            (Wanted::Yes, None) => match state.hub.subscribe(LiveFilter::default()) {
                Ok(subscription) => self.map = Some(subscription),
                Err(_full) => return false,
            },
        }
        true
    }

    pub(super) fn watch_events(&mut self, state: &AppState, wanted: Wanted) {
        match wanted {
            Wanted::No => self.events = None,
            Wanted::Yes => {
                self.events.get_or_insert_with(|| state.judge.subscribe());
            }
        }
    }

    pub(super) fn watch_kpi(&mut self, state: &AppState, wanted: Wanted) {
        match wanted {
            Wanted::No => self.kpi = None,
            Wanted::Yes => {
                self.kpi.get_or_insert_with(|| state.kpi.subscribe());
            }
        }
    }

    pub(super) fn watch_health(&mut self, state: &AppState, wanted: Wanted) {
        match wanted {
            Wanted::No => self.health = None,
            Wanted::Yes => {
                self.health.get_or_insert_with(|| state.health.subscribe());
            }
        }
    }

    /// What has moved on the map since the last look; `None`: nobody looks.
    pub(super) fn map_change(&mut self) -> Option<LiveChange> {
        self.map.as_mut()?.take()
    }

    /// Waits for the next thing. Cancel-safe: each branch takes only what it returns.
    pub(super) async fn next(&mut self) -> Wake {
        let Self { devices, events, commands, kpi, health, quiet, .. } = self;
        let wake = tokio::select! {
            change = next_change(devices, *quiet) => change.map_or(Wake::Ended, Wake::Devices),
            wake = next_events(events) => wake,
            wake = next_commands(commands) => wake,
            kpi = next_kpi(kpi) => kpi.map_or(Wake::Ended, Wake::Kpi),
            health = next_health(health) => health.map_or(Wake::Ended, Wake::Health),
        };
        if matches!(wake, Wake::Devices(_)) {
            self.quiet = Instant::now() + DEVICE_PAUSE;
        }
        wake
    }
}

/// Whether a feed is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Yes,
    No,
}

impl From<bool> for Wanted {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

async fn next_change(subscription: &mut Option<LiveSubscription>, quiet: Instant) -> Option<LiveChange> {
    let Some(subscription) = subscription else { return pending().await };
    sleep_until(quiet).await;
    subscription.next().await
}

async fn next_events(receiver: &mut Option<broadcast::Receiver<LiveEvent>>) -> Wake {
    let Some(receiver) = receiver else { return pending().await };
    let mut lost = false;
    let mut events = Vec::new();
    match receiver.recv().await {
        Ok(event) => events.push(event),
        Err(RecvError::Lagged(_)) => lost = true,
        Err(RecvError::Closed) => return Wake::Ended,
    }
    while events.len() < EVENTS_AT_ONCE {
        match receiver.try_recv() {
            Ok(event) => events.push(event),
            Err(TryRecvError::Lagged(_)) => lost = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Wake::Events { events, lost }
}

async fn next_commands(receiver: &mut Option<broadcast::Receiver<Arc<ledger::CommandRow>>>) -> Wake {
    let Some(receiver) = receiver else { return pending().await };
    let mut lost = false;
    let mut rows = Vec::new();
    match receiver.recv().await {
        Ok(row) => rows.push(row),
        Err(RecvError::Lagged(_)) => lost = true,
        Err(RecvError::Closed) => return Wake::Ended,
    }
    while rows.len() < EVENTS_AT_ONCE {
        match receiver.try_recv() {
            Ok(row) => rows.push(row),
            Err(TryRecvError::Lagged(_)) => lost = true,
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Wake::Commands { rows, lost }
}

async fn next_kpi(receiver: &mut Option<watch::Receiver<Arc<Kpi>>>) -> Option<Arc<Kpi>> {
    let Some(receiver) = receiver else { return pending().await };
    receiver.changed().await.ok()?;
    Some(Arc::clone(&receiver.borrow_and_update()))
}

async fn next_health(receiver: &mut Option<watch::Receiver<Option<Arc<Health>>>>) -> Option<Arc<Health>> {
    let Some(receiver) = receiver else { return pending().await };
    loop {
        receiver.changed().await.ok()?;
        if let Some(health) = receiver.borrow_and_update().clone() {
            return Some(health);
        }
    }
}

/// The least time between two messages of one connection's device pages.
const DEVICE_PAUSE: Duration = Duration::from_millis(50);
/// Alerts and cases in one message.
const EVENTS_AT_ONCE: usize = 200;
