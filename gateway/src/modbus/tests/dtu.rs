//! Modems that dial in: known ones are polled, unknown ones are listed with a sample and never asked anything.

use super::slave::{HEARTBEAT, answer};
use super::*;
use crate::tcp::testing::World;
use model::modbus::{DtuForm, DtuPacket};
use model::principal::DeviceAtEdge;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const IMEI: &str = "860000000000001";

struct Running {
    world: World,
    at: SocketAddr,
    cancel: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    async fn new(devices: Vec<(DeviceAtEdge, &str)>) -> Self {
        let world = World::new(devices);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, cancel) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(listener, world.edge.clone(), config(), cancel.clone()));
        Self { world, at, cancel, serving }
    }

    /// Dials in, says these pieces, and has slaves behind it.
    async fn dial(&self, pieces: &[&[u8]]) -> (Arc<AtomicUsize>, JoinHandle<()>) {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for piece in pieces {
            stream.write_all(piece).await.unwrap();
        }
        let asked = Arc::<AtomicUsize>::default();
        (Arc::clone(&asked), tokio::spawn(answer(stream, asked)))
    }

    /// Polls until the condition holds; ends with the test's own time-out when it never does.
    async fn until(&self, what: impl Fn(&World) -> bool) {
        while !what(&self.world) {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) -> World {
        self.cancel.cancel();
        self.serving.await.unwrap();
        assert!(self.world.edge.online.is_empty());
        self.world
    }
}

fn behind(modem: &str, unit: u8, packet: Option<DtuPacket>) -> (DeviceAtEdge, &'static str) {
    let map = vec![register("a", 3, 10, RegisterKind::U16), register("b", 3, 900, RegisterKind::U16)];
    let poll = ModbusPoll { dtu: packet, ..poll(&format!("dtu://{modem}"), unit, map) };
    (modbus_device(i64::from(unit), poll), "")
}

fn packet(form: DtuForm, prefix: &str, suffix: &str) -> DtuPacket {
    let heartbeat = String::from_utf8(HEARTBEAT.to_vec()).unwrap();
    DtuPacket { form, prefix: prefix.into(), suffix: suffix.into(), heartbeat }
}

#[tokio::test]
async fn slaves_behind_a_modem_take_turns_and_its_heartbeats_are_no_answers() {
    let line = packet(DtuForm::Line, "", "");
    let units = [1, 2, 8].map(|unit| behind(IMEI, unit, Some(line.clone())));
    let running = Running::new(units.to_vec()).await;
    let (_, modem) = running.dial(&[b"8600000", b"00000001\r", b"\nPING", b"PING"]).await;
    let seen = running.world.inlet.frames(10).await;
    for unit in [1, 8] {
        let own: Vec<_> = seen.iter().filter(|envelope| envelope.device == DeviceId(unit)).collect();
        assert!(own.len() >= 3, "unit {unit} was heard {} times", own.len());
        for envelope in own {
            let blocks = Reading::decode(&envelope.raw).unwrap().blocks;
            let words: Vec<_> = blocks.into_iter().map(|block| (block.address, block.answer)).collect();
            let word = |address: u16| (address, protocol::modbus::Answer::Registers(vec![address]));
            assert_eq!(words, [word(10), word(900)]);
        }
    }
    modem.abort();
    running.until(|world| world.edge.online.is_empty()).await;
    running.end().await;
}

#[tokio::test]
async fn each_form_of_packet_leads_to_its_bus() {
    let forms: [(u8, &str, DtuPacket, &[u8]); 4] = [
        (1, "8600", packet(DtuForm::Text, "", ""), b"8600"),
        (9, "9600", packet(DtuForm::Line, "", ""), b"9600\n"),
        (11, "fe01", packet(DtuForm::Hex, "hex:FEFE", ""), &[0xFE, 0xFE, 0xFE, 0x01]),
        (12, "site-7", packet(DtuForm::Framed, "REG:", "#"), b"REG:site-7#"),
    ];
    let devices = forms.iter().map(|(unit, modem, packet, _)| behind(modem, *unit, Some(packet.clone())));
    let running = Running::new(devices.collect()).await;
    for (_, _, _, said) in &forms {
        running.dial(&[said]).await;
    }
    let heard =
        |world: &World, unit: u8| world.wire.events.lock().unwrap().contains(&(DeviceId(i64::from(unit)), "connected"));
    running.until(|world| forms.iter().all(|(unit, ..)| heard(world, *unit))).await;
    running.end().await;
}

#[tokio::test]
async fn an_unknown_modem_is_listed_never_polled_and_taken_when_it_is_made_known() {
    let running = Running::new(vec![behind("another", 9, None)]).await;
    let (asked, _) = running.dial(&[IMEI.as_bytes()]).await;
    running.until(|world| !world.doorstep.knocks.lock().unwrap().is_empty()).await;
    let knock = running.world.doorstep.knocks.lock().unwrap()[0].clone();
    assert_eq!((knock.identity.as_str(), &knock.sample[..]), (IMEI, IMEI.as_bytes()));
    assert_eq!((asked.load(Ordering::SeqCst), running.world.inlet.count()), (0, 0));
    running.world.directory.set(vec![behind(IMEI, 1, None)]);
    running.world.inlet.frames(1).await;
    assert_eq!(running.world.doorstep.knocks.lock().unwrap().len(), 1);
    running.end().await;
}

#[tokio::test]
async fn a_modem_that_comes_again_replaces_its_older_connection_and_one_whose_device_goes_is_let_go() {
    let running = Running::new(vec![behind(IMEI, 1, None)]).await;
    let (_, old) = running.dial(&[IMEI.as_bytes()]).await;
    running.world.inlet.frames(2).await;
    let (asked, new) = running.dial(&[IMEI.as_bytes()]).await;
    old.await.unwrap();
    let before = running.world.inlet.count();
    running.world.inlet.frames(before + 2).await;
    assert!(asked.load(Ordering::SeqCst) >= 4);
    running.world.directory.set(Vec::new());
    new.await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_registration_that_does_not_end_is_shown_as_what_came() {
    let line = packet(DtuForm::Line, "", "");
    let running = Running::new(vec![behind(IMEI, 1, Some(line))]).await;
    let (asked, modem) = running.dial(&[b"stranger-7"]).await;
    modem.await.unwrap();
    let knock = running.world.doorstep.knocks.lock().unwrap()[0].clone();
    assert_eq!((knock.identity.as_str(), asked.load(Ordering::SeqCst)), ("stranger-7", 0));
    running.end().await;
}

#[tokio::test]
async fn bytes_that_are_no_registration_are_shown_and_end_the_connection() {
    let line = packet(DtuForm::Line, "", "");
    let running = Running::new(vec![behind(IMEI, 1, Some(line))]).await;
    let mut stream = TcpStream::connect(running.at).await.unwrap();
    stream.write_all(&[0x55; 300]).await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok(); // reset or closed: it has ended
    assert!(rest.is_empty(), "nothing is said to a stranger");
    assert_eq!(running.world.doorstep.refusals.lock().unwrap().len(), 1);
    running.end().await;
}
