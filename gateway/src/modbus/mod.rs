//! Polls Modbus TCP slaves. One task and one connection a target address; the units behind it take turns. Each successful
//! poll becomes one envelope in the form of `protocol::modbus::reading`.
//!
//! An error never becomes a value: a block that a slave refuses is kept as its exception, and after a timeout or a reply
//! that does not fit the connection is dropped, so that a late reply cannot be taken for the next one. A slave that fails
//! is asked less and less often, up to a bound, and so costs its neighbours one timeout each time.

mod map;
mod target;
#[cfg(test)]
mod tests;

use crate::edge::Edge;
use crate::metrics;
use model::envelope::ProtocolKind;
use model::principal::DeviceAtEdge;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use map::{blocks, points};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModbusConfig {
    /// Connections at a time; devices of further addresses are not polled.
    pub targets_max: usize,
    /// How often the directory's revision is looked at.
    pub directory_poll: Duration,
    pub connect_timeout: Duration,
    /// The longest pause of a slave or address that keeps failing.
    pub backoff_max: Duration,
    /// The byte budget must have room within this.
    pub append_timeout: Duration,
}

impl Default for ModbusConfig {
    fn default() -> Self {
        Self {
            targets_max: 1_024,
            directory_poll: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(5),
            backoff_max: Duration::from_mins(5),
            append_timeout: Duration::from_secs(5),
        }
    }
}

type Devices = Vec<Arc<DeviceAtEdge>>;

/// Polls every enabled Modbus device of the directory, following its revisions, until `cancel`.
pub async fn serve(edge: Edge, config: ModbusConfig, cancel: CancellationToken) {
    let mut targets: BTreeMap<String, watch::Sender<Devices>> = BTreeMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut revision = None;
    while !cancel.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            reap(ended);
        }
        // A target whose task ended (its devices went, or it panicked) is started again when it is wanted.
        let ended = targets.values().any(watch::Sender::is_closed);
        let current = edge.directory.revision();
        if revision != Some(current) || ended {
            revision = Some(current);
            targets.retain(|_, devices| !devices.is_closed());
            follow(&edge, config, &cancel, &mut targets, &mut tasks);
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(config.directory_poll) => {}
        }
    }
    drop(targets);
    while let Some(ended) = tasks.join_next().await {
        reap(ended);
    }
}

fn follow(
    edge: &Edge,
    config: ModbusConfig,
    cancel: &CancellationToken,
    targets: &mut BTreeMap<String, watch::Sender<Devices>>,
    tasks: &mut JoinSet<()>,
) {
    let mut wanted: BTreeMap<String, Devices> = BTreeMap::new();
    for device in edge.directory.devices(ProtocolKind::Modbus) {
        if let Some(poll) = device.poll.as_ref().filter(|_| device.enabled) {
            wanted.entry(poll.address.clone()).or_default().push(device);
        }
    }
    // A dropped sender ends its task.
    targets.retain(|address, _| wanted.contains_key(address));
    for (address, devices) in wanted {
        if let Some(target) = targets.get(&address) {
            target.send_if_modified(|known| {
                let changed = *known != devices;
                *known = devices;
                changed
            });
        } else if targets.len() < config.targets_max {
            let (sender, receiver) = watch::channel(devices);
            targets.insert(address.clone(), sender);
            tasks.spawn(target::run(address, receiver, edge.clone(), config, cancel.clone()));
        } else {
            ::metrics::counter!(metrics::MODBUS_TARGETS_REFUSED_TOTAL).increment(1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "bounded by targets_max")]
    ::metrics::gauge!(metrics::MODBUS_TARGETS).set(targets.len() as f64);
}

fn reap(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        ::metrics::counter!(metrics::SESSION_PANICS_TOTAL, "protocol" => "modbus").increment(1);
        tracing::error!(protocol = "modbus", %error, "a poller ended by a panic");
    }
}
