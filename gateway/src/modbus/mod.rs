//! Polls Modbus slaves: over TCP, over RTU frames on a TCP connection that we dial or that a 4G modem dials to us, and on serial ports.
//! One task and one connection a bus; the slaves behind it take turns, one question at a time. Each successful poll becomes one envelope
//! in the form of `protocol::modbus::reading`.
//!
//! An error never becomes a value: a block that a slave refuses is kept as its exception, one that is not answered is missing. A late
//! answer is never taken for the next one, see [`wire`]. A slave that fails is asked less and less often, see [`bus`].

mod bus;
mod dtu;
mod map;
mod pipe;
mod poll;
mod probe;
mod serial;
#[cfg(test)]
mod tests;
mod wire;

use crate::edge::Edge;
use crate::metrics;
use crate::tcp::TcpConfig;
use bus::Orders;
use dtu::{Caller, Roster};
use model::envelope::ProtocolKind;
use model::modbus::{DtuPacket, Endpoint};
use model::principal::DeviceAtEdge;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tls::Ports;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use map::{blocks, points};
pub use probe::{Caught, Prober, listen as listen_for_modem};
pub use wire::{Failure, exception_name};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModbusConfig {
    /// Buses at a time; devices of further addresses are not polled.
    pub targets_max: usize,
    /// How often the directory's revision is looked at.
    pub directory_poll: Duration,
    pub connect_timeout: Duration,
    /// The longest pause of a slave or address that keeps failing.
    pub backoff_max: Duration,
    /// The byte budget must have room within this.
    pub append_timeout: Duration,
    /// For modems that dial in.
    pub dtu: TcpConfig,
}

impl Default for ModbusConfig {
    fn default() -> Self {
        Self {
            targets_max: 4_096,
            directory_poll: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(5),
            backoff_max: Duration::from_mins(5),
            append_timeout: Duration::from_secs(5),
            dtu: TcpConfig { connections_max: 4_096, frame_timeout: Duration::from_secs(5), ..TcpConfig::default() },
        }
    }
}

type Devices = Vec<Arc<DeviceAtEdge>>;

/// What is kept of a running bus. Dropping it ends the bus.
struct Running {
    devices: watch::Sender<Devices>,
    callers: mpsc::Sender<Caller>,
}

/// Polls every enabled Modbus device of the directory, following its revisions, until `cancel`; modems dial in at `ports`.
pub async fn serve(ports: impl Into<Ports>, edge: Edge, config: ModbusConfig, cancel: CancellationToken) {
    let roster = Arc::new(Roster::default());
    let listening = dtu::serve(ports, Arc::clone(&roster), edge.clone(), config.dtu, cancel.clone());
    let polling = poll_all(edge, config, roster, cancel);
    tokio::join!(listening, polling);
}

async fn poll_all(edge: Edge, config: ModbusConfig, roster: Arc<Roster>, cancel: CancellationToken) {
    let mut buses: BTreeMap<Endpoint, Running> = BTreeMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    let mut revision = None;
    while !cancel.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            reap(ended);
        }
        // A bus whose task ended (its devices went, or it panicked) is started again when it is wanted.
        let ended = buses.values().any(|bus| bus.devices.is_closed());
        let current = edge.directory.revision();
        if revision != Some(current) || ended {
            revision = Some(current);
            buses.retain(|_, bus| !bus.devices.is_closed());
            let wanted = wanted(&edge);
            let mut start = |endpoint: &Endpoint, orders| {
                tasks.spawn(bus::run(endpoint.clone(), orders, edge.clone(), config, cancel.clone()));
            };
            follow(&wanted, config.targets_max, &mut buses, &mut start);
            roster.set(modems(&wanted, &buses));
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(config.directory_poll) => {}
        }
    }
    drop(buses);
    while let Some(ended) = tasks.join_next().await {
        reap(ended);
    }
}

/// Who is to be polled, by bus.
fn wanted(edge: &Edge) -> BTreeMap<Endpoint, Devices> {
    let mut wanted: BTreeMap<Endpoint, Devices> = BTreeMap::new();
    for device in edge.directory.devices(ProtocolKind::Modbus) {
        let Some(poll) = device.poll.as_ref().filter(|_| device.enabled) else { continue };
        if let Ok(endpoint) = poll.address.parse() {
            wanted.entry(endpoint).or_default().push(device);
        } else {
            // The register refuses such a row; one of an older time may have it.
            ::metrics::counter!(metrics::MODBUS_ERRORS_TOTAL, "kind" => "address").increment(1);
        }
    }
    wanted
}

fn follow(
    wanted: &BTreeMap<Endpoint, Devices>,
    targets_max: usize,
    buses: &mut BTreeMap<Endpoint, Running>,
    start: &mut dyn FnMut(&Endpoint, Orders),
) {
    buses.retain(|endpoint, _| wanted.contains_key(endpoint));
    for (endpoint, devices) in wanted {
        if let Some(bus) = buses.get(endpoint) {
            bus.devices.send_if_modified(|known| {
                let changed = known != devices;
                known.clone_from(devices);
                changed
            });
        } else if buses.len() < targets_max {
            let (devices, news) = watch::channel(devices.clone());
            let (callers, calls) = mpsc::channel(1);
            buses.insert(endpoint.clone(), Running { devices, callers });
            start(endpoint, Orders { devices: news, callers: calls });
        } else {
            ::metrics::counter!(metrics::MODBUS_TARGETS_REFUSED_TOTAL).increment(1);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "bounded by targets_max")]
    ::metrics::gauge!(metrics::MODBUS_TARGETS).set(buses.len() as f64);
}

/// The modems that may dial in. The packet is that of the first of the devices behind one.
fn modems<'a>(
    wanted: &'a BTreeMap<Endpoint, Devices>,
    buses: &'a BTreeMap<Endpoint, Running>,
) -> impl Iterator<Item = (String, DtuPacket, mpsc::Sender<Caller>)> + 'a {
    wanted.iter().filter_map(|(endpoint, devices)| {
        let Endpoint::Dtu(identity) = endpoint else { return None };
        let packet = devices.iter().find_map(|device| device.poll.as_ref()?.dtu.clone()).unwrap_or_default();
        Some((identity.clone(), packet, buses.get(endpoint)?.callers.clone()))
    })
}

fn reap(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        ::metrics::counter!(metrics::SESSION_PANICS_TOTAL, "protocol" => "modbus").increment(1);
        tracing::error!(protocol = "modbus", %error, "a poller ended by a panic");
    }
}
