//! A serial port: one end of a pair of pseudo-terminals is polled, the slaves are at the other.

use super::slave::answer;
use super::*;
use crate::modbus::serial::Port;
use crate::tcp::testing::World;
use model::modbus::Endpoint;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::io;
use std::os::fd::OwnedFd;

/// The master's end and the other's path. The path is held open, or the master would read an error until somebody opens it.
fn pair() -> (Port, OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let held = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    (Port::halves(master).unwrap(), held, path)
}

#[tokio::test]
async fn slaves_on_a_serial_port_are_polled_in_turn() {
    let (master, _held, path) = pair();
    tokio::spawn(answer(tokio::io::join(master.reader, master.writer), std::sync::Arc::default()));
    let map = || vec![register("a", 3, 10, RegisterKind::U16), register("b", 3, 900, RegisterKind::U16)];
    let address = format!("{path},19200,8E1");
    let devices = [1, 2, 9].map(|unit| (modbus_device(i64::from(unit), poll(&address, unit, map())), ""));
    let world = World::new(devices.to_vec());
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(8).await;
    cancel.cancel();
    polling.await.unwrap();
    for unit in [1, 9] {
        let own = seen.iter().filter(|envelope| envelope.device == DeviceId(unit)).count();
        assert!(own >= 2, "unit {unit} was heard {own} times");
    }
    let values: Vec<_> = decode(&Reading::decode(&seen[0].raw).unwrap(), &points(&map()))
        .into_iter()
        .map(|outcome| outcome.value.unwrap())
        .collect();
    assert_eq!(values, [10.0, 900.0]);
}

#[tokio::test]
async fn a_port_is_opened_once_and_only_if_it_is_one() {
    let (_master, _held, path) = pair();
    let port = |text: &str| match text.parse().unwrap() {
        Endpoint::Serial(port) => Port::open(&port),
        other => panic!("{other}"),
    };
    let first = port(&path).unwrap();
    assert_eq!(port(&path).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    assert!(port(&path).is_ok());
    assert_eq!(port("/dev/null").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(port("/dev/no-such-port").unwrap_err().kind(), io::ErrorKind::NotFound);
}
