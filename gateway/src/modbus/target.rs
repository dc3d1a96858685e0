//! One target address: a connection, the units behind it, and whose turn it is.

use super::{Devices, ModbusConfig, blocks};
use crate::edge::Edge;
use crate::metrics;
use bytes::Bytes;
use model::envelope::{Channel, Envelope, ProtocolKind};
use model::principal::DeviceAtEdge;
use model::register::ModbusPoll;
use protocol::modbus::{Answer, Block, BlockAnswer, Function, Reading};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_modbus::client::{Client, Context, tcp};
use tokio_modbus::slave::SlaveContext;
use tokio_modbus::{Request, Response, Slave};
use tokio_util::sync::CancellationToken;

/// Exception codes of a gateway that cannot reach the unit.
const UNREACHABLE: [u8; 2] = [0x0A, 0x0B];
/// The shortest interval, whatever the register says.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

struct Unit {
    device: Arc<DeviceAtEdge>,
    poll: Arc<ModbusPoll>,
    blocks: Vec<Block>,
    due: Instant,
    failures: u32,
    up: bool,
}

struct Target {
    address: String,
    edge: Edge,
    config: ModbusConfig,
    units: Vec<Unit>,
    context: Option<Context>,
    connection: u64,
    connect_failures: u32,
    cut: CancellationToken,
}

enum Failure {
    Timeout,
    Transport,
    /// A reply of another kind or count than asked.
    Mismatch,
    Unreachable,
    /// Every block was refused.
    Refused,
}

impl Failure {
    const fn code(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport => "transport",
            Self::Mismatch => "mismatch",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }

    /// Whether a late reply may still be on its way, or the stream is broken.
    const fn spoils_connection(&self) -> bool {
        matches!(self, Self::Timeout | Self::Transport | Self::Mismatch)
    }
}

/// Runs until `cancel`, or until nobody wants the address any more.
pub(super) async fn run(
    address: String,
    mut devices: watch::Receiver<Devices>,
    edge: Edge,
    config: ModbusConfig,
    cancel: CancellationToken,
) {
    let cut = cancel.child_token();
    let mut target =
        Target { address, edge, config, units: Vec::new(), context: None, connection: 0, connect_failures: 0, cut };
    target.take_devices(&devices.borrow_and_update().clone());
    loop {
        let next = target.units.iter().enumerate().min_by_key(|(_, unit)| unit.due).map(|(at, unit)| (at, unit.due));
        let due = next.map_or_else(|| Instant::now() + Duration::from_hours(1), |(_, due)| due);
        let changed = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            changed = devices.changed() => Some(changed.is_ok()),
            () = sleep_until(due) => None,
        };
        match changed {
            Some(true) => target.take_devices(&devices.borrow_and_update().clone()),
            Some(false) => break,
            None => {
                let Some((at, _)) = next else { continue };
                tokio::select! {
                    () = cancel.cancelled() => break,
                    () = target.turn(at) => {}
                }
            }
        }
    }
    target.all_down();
}

impl Target {
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
                    up: other.is_some_and(|unit| unit.up),
                },
            };
            self.units.push(unit);
        }
        for mut gone in old {
            down(&self.edge, &mut gone, self.connection);
        }
    }

    /// Polls one unit and sets when it is due again.
    async fn turn(&mut self, at: usize) {
        if !self.connect().await {
            return;
        }
        let Some(unit) = self.units.get_mut(at) else { return };
        let Some(context) = self.context.as_mut() else { return };
        let outcome = poll_unit(context, unit).await;
        let now = Instant::now();
        let interval = interval(&unit.poll);
        match outcome {
            Ok(reading) => {
                ::metrics::counter!(metrics::MODBUS_POLLS_TOTAL).increment(1);
                unit.failures = 0;
                // Missed turns are not made up for.
                unit.due = if unit.due + interval > now { unit.due + interval } else { now + interval };
                self.hand_over(at, &reading).await;
            }
            Err(failure) => {
                ::metrics::counter!(metrics::MODBUS_ERRORS_TOTAL, "kind" => failure.code()).increment(1);
                unit.failures = unit.failures.saturating_add(1);
                unit.due = now + backoff(interval, unit.failures, self.config.backoff_max);
                down(&self.edge, unit, self.connection);
                if failure.spoils_connection() {
                    self.context = None;
                }
            }
        }
    }

    /// True when there is a connection. After a failure every unit waits.
    async fn connect(&mut self) -> bool {
        if self.context.is_some() {
            return true;
        }
        let connected = timeout(self.config.connect_timeout, TcpStream::connect(&self.address)).await;
        if let Ok(Ok(stream)) = connected {
            stream.set_nodelay(true).ok(); // works without it too
            self.context = Some(tcp::attach(stream));
            self.connect_failures = 0;
            self.connection = self.edge.online.next_connection();
            return true;
        }
        ::metrics::counter!(metrics::MODBUS_ERRORS_TOTAL, "kind" => "connect").increment(1);
        self.connect_failures = self.connect_failures.saturating_add(1);
        self.all_down();
        let shortest = self.units.iter().map(|unit| interval(&unit.poll)).min().unwrap_or(INTERVAL_MIN);
        let again = Instant::now() + backoff(shortest, self.connect_failures, self.config.backoff_max);
        for unit in &mut self.units {
            unit.due = unit.due.max(again);
        }
        false
    }

    async fn hand_over(&mut self, at: usize, reading: &Reading) {
        let Some(unit) = self.units.get_mut(at) else { return };
        let now = self.edge.clock.now();
        if !unit.up {
            unit.up = true;
            let device = unit.device.id;
            self.edge.wire.connected(device, self.connection, &self.address, now);
            self.edge.online.enter(device, ProtocolKind::Modbus, self.connection, &self.address, self.cut.clone());
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
            down(&self.edge, unit, self.connection);
        }
    }
}

fn down(edge: &Edge, unit: &mut Unit, connection: u64) {
    if std::mem::take(&mut unit.up) {
        edge.online.leave(unit.device.id, connection);
        edge.wire.disconnected(unit.device.id, connection, edge.clock.now());
    }
}

fn interval(poll: &ModbusPoll) -> Duration {
    Duration::from_millis(u64::from(poll.interval_ms)).max(INTERVAL_MIN)
}

/// Doubles with every failure, never shorter than the interval, never longer than the bound (or the interval).
fn backoff(interval: Duration, failures: u32, most: Duration) -> Duration {
    if failures > 1 {
        ::metrics::counter!(metrics::MODBUS_BACKOFF_TOTAL).increment(1);
    }
    interval.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(most.max(interval))
}

async fn poll_unit(context: &mut Context, unit: &Unit) -> Result<Reading, Failure> {
    context.set_slave(Slave(unit.poll.unit));
    let limit = Duration::from_millis(u64::from(unit.poll.timeout_ms.max(1)));
    let pause = Duration::from_millis(u64::from(unit.poll.pause_ms));
    let mut reading = Reading { unit: unit.poll.unit, blocks: Vec::with_capacity(unit.blocks.len()) };
    for block in &unit.blocks {
        if !pause.is_zero() {
            sleep(pause).await;
        }
        let answer = match timeout(limit, context.call(request(*block))).await {
            Err(_) => return Err(Failure::Timeout),
            Ok(Err(tokio_modbus::Error::Transport(_))) => return Err(Failure::Transport),
            Ok(Err(tokio_modbus::Error::Protocol(_))) => return Err(Failure::Mismatch),
            Ok(Ok(Err(exception))) => {
                let code = u8::from(exception);
                if UNREACHABLE.contains(&code) {
                    return Err(Failure::Unreachable);
                }
                Answer::Exception(code)
            }
            Ok(Ok(Ok(response))) => read(response, *block).ok_or(Failure::Mismatch)?,
        };
        let Block { function, address, count } = *block;
        reading.blocks.push(BlockAnswer { function, address, count, answer });
    }
    if reading.blocks.iter().all(|block| matches!(block.answer, Answer::Exception(_))) {
        return Err(Failure::Refused);
    }
    Ok(reading)
}

const fn request(block: Block) -> Request<'static> {
    let Block { function, address, count } = block;
    match function {
        Function::Coils => Request::ReadCoils(address, count),
        Function::DiscreteInputs => Request::ReadDiscreteInputs(address, count),
        Function::HoldingRegisters => Request::ReadHoldingRegisters(address, count),
        Function::InputRegisters => Request::ReadInputRegisters(address, count),
    }
}

/// The reply's values, if they are of the asked kind and count. Bits come in whole bytes.
fn read(response: Response, block: Block) -> Option<Answer> {
    let count = usize::from(block.count);
    match (block.function, response) {
        (Function::Coils, Response::ReadCoils(mut bits))
        | (Function::DiscreteInputs, Response::ReadDiscreteInputs(mut bits)) => {
            if bits.len() != count && bits.len() != count.next_multiple_of(8) {
                return None;
            }
            bits.truncate(count);
            Some(Answer::Bits(bits))
        }
        (Function::HoldingRegisters, Response::ReadHoldingRegisters(words))
        | (Function::InputRegisters, Response::ReadInputRegisters(words)) => {
            (words.len() == count).then_some(Answer::Registers(words))
        }
        _ => None,
    }
}
