//! One bus: a connection, the slaves behind it, and whose turn it is. One question is under way at a time.
//!
//! A slave that fails is asked less and less often, up to a bound, so it costs its neighbours one timeout each time and no more. The first
//! failure after a success is shown among what was refused, with its reason; the rest is counted.

use super::dtu::Caller;
use super::pipe::Pipe;
use super::poll::{self, Polled, millis};
use super::serial;
use super::wire::{Failure, Rtu, Wire};
use super::{Devices, ModbusConfig, blocks};
use crate::edge::Edge;
use crate::metrics;
use crate::tcp::door;
use bytes::Bytes;
use model::envelope::{Channel, Envelope, ProtocolKind};
use model::modbus::{DtuPacket, Endpoint};
use model::principal::DeviceAtEdge;
use model::register::ModbusPoll;
use model::seams::Refusal;
use model::verdict::RefusalReason;
use protocol::modbus::{Block, Reading};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The shortest interval, whatever the register says.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

struct Unit {
    device: Arc<DeviceAtEdge>,
    poll: Arc<ModbusPoll>,
    blocks: Vec<Block>,
    due: Instant,
    failures: u32,
    /// The connection it was first heard on since it was last away; it may have been made anew since.
    up: Option<u64>,
}

struct Bus {
    endpoint: Endpoint,
    edge: Edge,
    config: ModbusConfig,
    units: Vec<Unit>,
    wire: Wire,
    /// Whom we talk to, for people.
    peer: String,
    connection: u64,
    connect_failures: u32,
    cut: CancellationToken,
}

/// What a bus is told from outside.
pub(super) struct Orders {
    pub(super) devices: watch::Receiver<Devices>,
    /// Modems that dialled in as this one.
    pub(super) callers: mpsc::Receiver<Caller>,
}

/// Runs until `cancel`, or until nobody wants the address any more.
pub(super) async fn run(
    endpoint: Endpoint,
    mut orders: Orders,
    edge: Edge,
    config: ModbusConfig,
    cancel: CancellationToken,
) {
    let wire = if endpoint.is_rtu() { Wire::Rtu(Box::new(Rtu::new(Vec::new()))) } else { Wire::Tcp(None) };
    let (peer, cut) = (endpoint.to_string(), cancel.child_token());
    let mut bus =
        Bus { endpoint, edge, config, units: Vec::new(), wire, peer, connection: 0, connect_failures: 0, cut };
    bus.take_devices(&orders.devices.borrow_and_update().clone());
    loop {
        let next = bus.next();
        let due = next.map_or_else(|| Instant::now() + Duration::from_hours(1), |(_, due)| due);
        // Each branch is cancel-safe: a token, a watch, a channel, a timer.
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            changed = orders.devices.changed() => match changed {
                Ok(()) => bus.take_devices(&orders.devices.borrow_and_update().clone()),
                Err(_) => break,
            },
            Some(caller) = orders.callers.recv() => bus.called(caller),
            () = sleep_until(due) => {
                let Some((at, _)) = next else { continue };
                tokio::select! {
                    () = cancel.cancelled() => break,
                    () = bus.turn(at) => {}
                }
            }
        }
    }
    bus.all_down();
}

impl Bus {
    /// Whose turn is next; nobody's while a modem has not dialled in.
    fn next(&self) -> Option<(usize, Instant)> {
        if matches!(self.endpoint, Endpoint::Dtu(_)) && !self.wire.is_connected() {
            return None;
        }
        self.units.iter().enumerate().min_by_key(|(_, unit)| unit.due).map(|(at, unit)| (at, unit.due))
    }

    fn take_devices(&mut self, devices: &Devices) {
        let mut old = std::mem::take(&mut self.units);
        for device in devices {
            let Some(poll) = device.poll.clone() else { continue };
            let kept = old.iter().position(|unit| unit.device.id == device.id).map(|at| old.swap_remove(at));
            let unit = match kept {
                Some(unit) if unit.poll == poll => Unit { device: Arc::clone(device), ..unit },
                other => Unit {
                    blocks: blocks(&poll),
                    device: Arc::clone(device),
                    poll,
                    due: Instant::now(),
                    failures: 0,
                    up: other.and_then(|unit| unit.up),
                },
            };
            self.units.push(unit);
        }
        for mut gone in old {
            down(&self.edge, &mut gone);
        }
        if let Wire::Rtu(rtu) = &mut self.wire {
            rtu.set_heartbeat(heartbeat(self.units.iter().find_map(|unit| unit.poll.dtu.as_ref())));
        }
    }

    /// A modem dialled in. The newest connection is the one that works.
    fn called(&mut self, caller: Caller) {
        if self.wire.is_connected() {
            ::metrics::counter!(metrics::TAKEOVERS_TOTAL, "protocol" => "modbus").increment(1);
        }
        self.all_down();
        rtu_connected(&mut self.wire, Pipe::Dtu(caller.pipe));
        self.connection = caller.connection;
        self.peer = caller.peer;
        self.cut = caller.cut;
        let now = Instant::now();
        for unit in &mut self.units {
            unit.due = now;
            unit.failures = 0;
        }
    }

    /// Polls one slave and sets when it is due again.
    async fn turn(&mut self, at: usize) {
        let kept = self.wire.is_connected();
        if !self.connect(at).await {
            return;
        }
        let mut polled = self.poll(at).await;
        // A server may have closed a connection that nothing passed on: that is no failure of the slave's.
        let stale = kept && polled.failure == Some(Failure::Transport) && polled.reading.blocks.is_empty();
        if stale && !matches!(self.endpoint, Endpoint::Dtu(_)) {
            self.wire.disconnect();
            if !self.connect(at).await {
                return;
            }
            polled = self.poll(at).await;
        }
        if let Some(failure) = &polled.failure
            && self.wire.spoils(failure)
        {
            self.wire.disconnect();
        }
        self.told(at, polled).await;
        if !self.wire.is_connected() && !self.dials() {
            self.all_down();
        }
        if self.units.get(at).is_some_and(|unit| unit.poll.close_after_poll) && self.dials() {
            self.wire.disconnect();
        }
    }

    const fn dials(&self) -> bool {
        matches!(self.endpoint, Endpoint::Tcp(_) | Endpoint::RtuOverTcp(_))
    }

    async fn poll(&mut self, at: usize) -> Polled {
        let Some(unit) = self.units.get(at) else {
            return Polled { reading: Reading::default(), failure: Some(Failure::Transport) };
        };
        poll::poll(&mut self.wire, &unit.poll, &unit.blocks).await
    }

    async fn told(&mut self, at: usize, polled: Polled) {
        let Some(unit) = self.units.get_mut(at) else { return };
        let (now, interval) = (Instant::now(), interval(&unit.poll));
        let useful = polled.is_useful();
        if let Some(failure) = &polled.failure {
            ::metrics::counter!(metrics::MODBUS_ERRORS_TOTAL, "kind" => failure.code()).increment(1);
            let was_well = unit.failures == 0;
            unit.failures = unit.failures.saturating_add(1);
            if was_well {
                refused(&self.edge, unit, &self.peer, failure);
            }
        } else {
            ::metrics::counter!(metrics::MODBUS_POLLS_TOTAL).increment(1);
            unit.failures = 0;
        }
        if useful {
            // A slave that answers a part is as alive as one that answers all. Missed turns are not made up for.
            unit.due = if unit.due + interval > now { unit.due + interval } else { now + interval };
            self.hand_over(at, &polled.reading).await;
        } else {
            unit.due = now + backoff(interval, unit.failures, self.config.backoff_max);
            down(&self.edge, unit);
        }
    }

    /// True when there is a connection. After a failure every slave waits.
    async fn connect(&mut self, at: usize) -> bool {
        if self.wire.is_connected() {
            return true;
        }
        match self.dial().await {
            Ok(()) => {
                self.connect_failures = 0;
                self.connection = self.edge.online.next_connection();
                let ms = self.units.get(at).map_or(0, |unit| unit.poll.connect_pause_ms);
                poll::pause(ms).await;
                true
            }
            Err(failure) => {
                self.not_reached(&failure);
                false
            }
        }
    }

    async fn dial(&mut self) -> Result<(), Failure> {
        let why = |error: std::io::Error| Failure::Connect(error.to_string());
        match &self.endpoint {
            Endpoint::Tcp(address) | Endpoint::RtuOverTcp(address) => {
                let connected = timeout(self.config.connect_timeout, TcpStream::connect(address)).await;
                let stream = connected.map_err(|_| Failure::Connect("no connection in time".into()))?.map_err(why)?;
                stream.set_nodelay(true).ok(); // works without it too
                if self.endpoint.is_rtu() {
                    rtu_connected(&mut self.wire, Pipe::Tcp(stream));
                } else {
                    self.wire.connected_tcp(stream);
                }
            }
            Endpoint::Serial(port) => {
                let port = serial::Port::open(port).map_err(why)?;
                rtu_connected(&mut self.wire, Pipe::Serial(port));
            }
            Endpoint::Dtu(_) => return Err(Failure::Connect("the modem has not dialled in".into())),
        }
        Ok(())
    }

    fn not_reached(&mut self, failure: &Failure) {
        ::metrics::counter!(metrics::MODBUS_ERRORS_TOTAL, "kind" => failure.code()).increment(1);
        self.connect_failures = self.connect_failures.saturating_add(1);
        let shortest = self.units.iter().map(|unit| interval(&unit.poll)).min().unwrap_or(INTERVAL_MIN);
        let again = Instant::now() + backoff(shortest, self.connect_failures, self.config.backoff_max);
        for unit in &mut self.units {
            if self.connect_failures == 1 && unit.failures == 0 {
                refused(&self.edge, unit, &self.peer, failure);
            }
            unit.due = unit.due.max(again);
        }
        self.all_down();
    }

    async fn hand_over(&mut self, at: usize, reading: &Reading) {
        let Some(unit) = self.units.get_mut(at) else { return };
        let now = self.edge.clock.now();
        if unit.up.is_none() {
            unit.up = Some(self.connection);
            let device = unit.device.id;
            self.edge.wire.connected(device, self.connection, &self.peer, now);
            self.edge.online.enter(device, ProtocolKind::Modbus, self.connection, &self.peer, self.cut.clone());
        }
        let raw = Bytes::from(reading.encode());
        let Ok(share) = timeout(self.config.append_timeout, self.edge.budget.take(raw.len())).await else {
            ::metrics::counter!(metrics::MODBUS_READINGS_LOST_TOTAL).increment(1);
            return;
        };
        let envelope = Envelope {
            received: now,
            principal: unit.device.principal,
            device: unit.device.id,
            channel: Channel::ModbusReading,
            remarks: 0,
            connection: self.connection,
            raw,
        };
        self.edge.inlet.accept(
            vec![envelope],
            Box::new(move |result| {
                drop(share);
                if result.is_err() {
                    // A slave has nothing to send again: the next poll reads the present.
                    ::metrics::counter!(metrics::MODBUS_READINGS_LOST_TOTAL).increment(1);
                }
            }),
        );
    }

    fn all_down(&mut self) {
        for unit in &mut self.units {
            down(&self.edge, unit);
        }
        self.wire.disconnect();
    }
}

fn rtu_connected(wire: &mut Wire, pipe: Pipe) {
    if let Wire::Rtu(rtu) = wire {
        rtu.connected(pipe);
    }
}

fn heartbeat(packet: Option<&DtuPacket>) -> Vec<u8> {
    packet.and_then(|packet| DtuPacket::bytes(&packet.heartbeat).ok()).unwrap_or_default()
}

/// Shown once for each run of failures, so that a person sees what to mend.
fn refused(edge: &Edge, unit: &Unit, peer: &str, failure: &Failure) {
    let (reason, sample) = match failure {
        Failure::Damaged(bytes) => (RefusalReason::CheckBad, bytes.clone()),
        Failure::Mismatch => (RefusalReason::LengthBad, Bytes::new()),
        _ => (RefusalReason::Unanswered, Bytes::new()),
    };
    let label = door::reason_code(reason);
    ::metrics::counter!(metrics::REFUSED_TOTAL, "protocol" => "modbus", "reason" => label).increment(1);
    edge.doorstep.refused(Refusal {
        at: edge.clock.now(),
        protocol: ProtocolKind::Modbus,
        device: Some(unit.device.id),
        peer: peer.to_owned(),
        reason,
        detail: format!("unit {}: {failure}", unit.poll.unit),
        sample,
    });
}

fn down(edge: &Edge, unit: &mut Unit) {
    if let Some(connection) = unit.up.take() {
        edge.online.leave(unit.device.id, connection);
        edge.wire.disconnected(unit.device.id, connection, edge.clock.now());
    }
}

fn interval(poll: &ModbusPoll) -> Duration {
    millis(poll.interval_ms).max(INTERVAL_MIN)
}

/// Doubles with every failure, never shorter than the interval, never longer than the bound (or the interval).
fn backoff(interval: Duration, failures: u32, most: Duration) -> Duration {
    if failures > 1 {
        ::metrics::counter!(metrics::MODBUS_BACKOFF_TOTAL).increment(1);
    }
    interval.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most.max(interval))
}
