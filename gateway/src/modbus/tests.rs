//! Polling against Modbus TCP servers in this process; RTU lines, modems and serial ports are beside it.

mod dtu;
mod line;
mod serial;
mod slave;

use super::{ModbusConfig, points, serve};
use crate::tcp::TcpConfig;
use crate::tcp::testing::{World, modbus_device};
use model::envelope::Channel;
use model::id::DeviceId;
use model::register::{AddressBase, ModbusPoll, Register, RegisterKind, WordOrder};
use protocol::modbus::{Reading, decode};
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest};
use tokio_util::sync::CancellationToken;

/// Unit 1 answers each register with its address; unit 2 never answers; unit 3 refuses input registers; unit 4 sends one
/// register too few.
#[derive(Clone)]
struct Slaves;

type Answer = Pin<Box<dyn Future<Output = Result<Response, ExceptionCode>> + Send>>;

impl Service for Slaves {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Answer;

    fn call(&self, asked: Self::Request) -> Answer {
        let words = |address: u16, count: u16| (address..address + count).collect::<Vec<_>>();
        let answer = match (asked.slave, asked.request) {
            (2, _) => return Box::pin(pending()),
            (3, Request::ReadInputRegisters(..)) => Err(ExceptionCode::IllegalDataAddress),
            (4, Request::ReadHoldingRegisters(address, count)) => {
                Ok(Response::ReadHoldingRegisters(words(address, count - 1)))
            }
            (_, Request::ReadHoldingRegisters(address, count)) => {
                Ok(Response::ReadHoldingRegisters(words(address, count)))
            }
            (_, Request::ReadCoils(_, count)) => Ok(Response::ReadCoils(vec![true; usize::from(count)])),
            _ => Err(ExceptionCode::IllegalFunction),
        };
        Box::pin(ready(answer))
    }
}

async fn slaves() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let accept = |stream, _| async move { Ok(Some((Slaves, stream))) };
        Server::new(listener).serve(&accept, |_error| {}).await.unwrap();
    });
    address
}

fn register(code: &str, function: u8, address: u16, kind: RegisterKind) -> Register {
    Register {
        code: code.to_owned(),
        function,
        address,
        base: AddressBase::Zero,
        kind,
        order: WordOrder::Abcd,
        bit: None,
        mask: None,
        length: None,
        sentinel: None,
        valid: None,
        alone: false,
        split: false,
    }
}

fn poll(address: &str, unit: u8, registers: Vec<Register>) -> ModbusPoll {
    ModbusPoll {
        interval_ms: 100,
        timeout_ms: 150,
        pause_ms: 1,
        max_gap: 4,
        registers,
        ..ModbusPoll::new(address, unit)
    }
}

fn config() -> ModbusConfig {
    let dtu = TcpConfig { frame_timeout: Duration::from_millis(300), ..ModbusConfig::default().dtu };
    ModbusConfig { directory_poll: Duration::from_millis(10), dtu, ..ModbusConfig::default() }
}

fn no_ports() -> tls::Ports {
    tls::Ports { plain: None, tls: None }
}

#[tokio::test]
async fn a_poll_becomes_one_envelope_that_decodes_by_the_map() {
    let map = vec![
        register("pm10", 3, 100, RegisterKind::U16),
        register("total", 3, 102, RegisterKind::U32),
        register("pump", 1, 7, RegisterKind::Bit),
    ];
    let poll = poll(&slaves().await, 1, map.clone());
    let world = World::new(vec![(modbus_device(1, poll), "")]);
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(2).await;
    cancel.cancel();
    polling.await.unwrap();
    assert_eq!((seen[0].device, seen[0].channel), (DeviceId(1), Channel::ModbusReading));
    let reading = Reading::decode(&seen[0].raw).unwrap();
    assert_eq!(reading.blocks.len(), 2);
    let values: Vec<_> = decode(&reading, &points(&map)).into_iter().map(|outcome| outcome.value.unwrap()).collect();
    assert_eq!(values, [100.0, f64::from((102 << 16) + 103), 1.0]);
    assert!(world.edge.online.is_empty());
}

#[tokio::test]
async fn a_dead_slave_and_a_lying_one_do_not_stop_their_neighbour() {
    let address = slaves().await;
    let map = || vec![register("v", 3, 1, RegisterKind::U32)];
    let devices = [2, 4, 1].map(|unit| (modbus_device(i64::from(unit), poll(&address, unit, map())), ""));
    let world = World::new(devices.to_vec());
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(8).await;
    cancel.cancel();
    polling.await.unwrap();
    assert!(seen.iter().all(|envelope| envelope.device == DeviceId(1)), "an error became a reading");
}

#[tokio::test]
async fn a_refused_block_is_kept_as_refused_and_never_as_zero() {
    let map = vec![register("ok", 3, 5, RegisterKind::U16), register("refused", 4, 5, RegisterKind::U16)];
    let world = World::new(vec![(modbus_device(3, poll(&slaves().await, 3, map.clone())), "")]);
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(1).await;
    cancel.cancel();
    polling.await.unwrap();
    let reading = Reading::decode(&seen[0].raw).unwrap();
    let values: Vec<_> = decode(&reading, &points(&map)).into_iter().map(|outcome| outcome.value.ok()).collect();
    assert_eq!(values, [Some(5.0), None]);
}

#[tokio::test]
async fn devices_are_picked_up_and_dropped_as_the_register_changes() {
    let (first, second) = (slaves().await, slaves().await);
    let map = || vec![register("v", 3, 1, RegisterKind::U16)];
    let world = World::new(Vec::new());
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    world.directory.set(vec![(modbus_device(1, poll(&first, 1, map())), "")]);
    world.inlet.frames(1).await;
    world.directory.set(vec![(modbus_device(5, poll(&second, 1, map())), "")]);
    let mut wanted = 2;
    while world.inlet.frames(wanted).await.last().map(|envelope| envelope.device) != Some(DeviceId(5)) {
        wanted += 1;
    }
    cancel.cancel();
    polling.await.unwrap();
    let events = world.wire.events.lock().unwrap().clone();
    assert!(events.contains(&(DeviceId(1), "disconnected")) && events.contains(&(DeviceId(5), "connected")));
}
