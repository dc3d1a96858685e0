//! JT/T 808 over real UDP sockets.

use super::*;
use crate::limits::{Allowance, Limits, LimitsConfig};
use crate::tcp::testing::{World, device};
use model::envelope::ProtocolKind;
use model::principal::Strictness;
use model::verdict::RefusalReason;
use protocol::jt808::{
    Authenticate, Decoded, Message, Packet, Phone, Position, Register, RegisterForm, Version, encode, encode_raw, id,
    time_bcd,
};
use tokio::task::JoinHandle;

const V: Version = Version::V2013;
const WAIT: Duration = Duration::from_secs(10);

struct Bench {
    world: World,
    address: SocketAddr,
    cancel: CancellationToken,
    served: JoinHandle<()>,
}

impl Bench {
    async fn new(config: UdpConfig) -> Self {
        Self::with(config, None).await
    }

    async fn with(config: UdpConfig, limits: Option<LimitsConfig>) -> Self {
        let kind = ProtocolKind::Jt808;
        let mut world = World::new(vec![
            (device(1, kind, "13800000001", Strictness::Reject), "code-1"),
            (device(2, kind, "13800000002", Strictness::Reject), "code-2"),
        ]);
        if let Some(limits) = limits {
            world.edge.limits = Limits::new(limits, Arc::clone(&world.edge.clock));
        }
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, cancel) = (socket.local_addr().unwrap(), CancellationToken::new());
        let served = tokio::spawn(serve_udp(socket, world.edge.clone(), config, None, cancel.clone()));
        Self { world, address, cancel, served }
    }

    async fn terminal(&self, number: u8) -> Terminal {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.address).await.unwrap();
        Terminal { socket, phone: Phone::from_digits(&format!("1380000000{number}"), V).unwrap(), heard_bytes: 0 }
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.served.await.unwrap();
    }
}

struct Terminal {
    socket: UdpSocket,
    phone: Phone,
    heard_bytes: usize,
}

impl Terminal {
    fn frame(&self, serial: u16, message: &Message<'_>) -> Vec<u8> {
        encode(V, &self.phone, serial, message)
    }

    async fn say(&self, datagram: &[u8]) {
        self.socket.send(datagram).await.unwrap();
    }

    /// `(message id, serial answered, result)` of each answer in the next datagram.
    async fn hear(&mut self) -> Vec<(u16, u16, u8)> {
        let mut buffer = vec![0; 2_000];
        let count = tokio::time::timeout(WAIT, self.socket.recv(&mut buffer)).await.expect("an answer").unwrap();
        self.heard_bytes += count;
        let mut framer = Framer::new();
        framer.push(&buffer[..count]);
        let mut heard = Vec::new();
        while let Some(event) = framer.next_event() {
            let Event::Frame { raw, .. } = event else { panic!("oversize") };
            let parts = Parts::split(&raw).unwrap();
            assert!(parts.check_ok() && parts.length_ok());
            assert_eq!(parts.header.phone, self.phone);
            heard.push(match Decoded::read(&parts.header, parts.body).message {
                Message::PlatformReply { serial, result, .. } => (id::PLATFORM_REPLY, serial, result),
                Message::RegisterReply { serial, result, .. } => (id::REGISTER_REPLY, serial, result),
                Message::ResendDown(wanted) => {
                    (id::RESEND_DOWN, wanted.first, u8::try_from(wanted.numbers.len()).unwrap())
                }
                other => panic!("{other:?}"),
            });
        }
        heard
    }

    fn authenticate(&self, code: &str) -> Vec<u8> {
        self.frame(2, &Message::Authenticate(Authenticate { code: code.as_bytes(), imei: &[], software: &[] }))
    }

    fn position(&self, serial: u16) -> Vec<u8> {
        let time_bcd = time_bcd((2026, 1, 1, 12, 0, 0, 0));
        let position = Position { status: 3, lat_e6: 34_800_000, lon_e6: 113_500_000, time_bcd, ..Position::default() };
        self.frame(serial, &Message::Position(position))
    }

    async fn log_in(&mut self, code: &str) {
        self.say(&self.authenticate(code)).await;
        assert_eq!(self.hear().await, [(id::PLATFORM_REPLY, 2, 0)]);
    }
}

#[tokio::test]
async fn a_terminal_registers_authenticates_and_is_acknowledged_when_it_is_durable() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut terminal = bench.terminal(1).await;
    let register = Register {
        form: RegisterForm::V2011,
        province: 41,
        city: 101,
        maker: b"MAKER",
        model: b"M",
        terminal_id: b"T1",
        plate_colour: 2,
        plate: b"A12345",
    };
    terminal.say(&terminal.frame(1, &Message::Register(register))).await;
    assert_eq!(terminal.hear().await, [(id::REGISTER_REPLY, 1, 0)]);
    terminal.log_in("code-1").await;
    // Three frames in one datagram, with what a modem puts between them.
    let datagram = [terminal.position(7), b"\r\n".to_vec(), terminal.position(8), terminal.position(9)].concat();
    terminal.say(&datagram).await;
    assert_eq!(bench.world.inlet.frames(3).await.len(), 3);
    let mut nothing = [0; 64];
    assert!(terminal.socket.try_recv(&mut nothing).is_err(), "nothing is answered before it is on disk");
    bench.world.inlet.release(&Ok(()));
    let reply = |serial| (id::PLATFORM_REPLY, serial, 0);
    assert_eq!(terminal.hear().await, [reply(7), reply(8), reply(9)]);
    assert_eq!(bench.world.wire.acknowledged.lock().unwrap().len(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn who_has_not_authenticated_is_sent_no_more_than_it_sent_and_takes_no_room() {
    let bench = Bench::new(UdpConfig { sessions_max: 1, ..UdpConfig::default() }).await;
    let mut stranger = bench.terminal(9).await;
    let mut sent = 0;
    for serial in 0..200 {
        let heartbeat = stranger.frame(serial, &Message::Heartbeat { body: &[] });
        let guess = stranger.authenticate("guess");
        for datagram in [heartbeat.repeat(20), stranger.position(serial), guess, b"\x7e\x7e noise".to_vec()] {
            sent += datagram.len();
            stranger.say(&datagram).await;
        }
    }
    // One that authenticates afterwards finds the only place free.
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    let mut buffer = [0; 2_000];
    while let Ok(count) = stranger.socket.try_recv(&mut buffer) {
        stranger.heard_bytes += count;
    }
    assert!(stranger.heard_bytes <= sent, "{} bytes for {sent}", stranger.heard_bytes);
    assert_eq!(bench.world.inlet.count(), 0);
    let second = bench.terminal(2).await;
    second.say(&second.authenticate("code-2")).await;
    second.say(&second.position(1)).await;
    terminal.say(&terminal.position(2)).await;
    let frames = bench.world.inlet.frames(1).await;
    assert!(frames.iter().all(|frame| frame.device.0 == 1), "beyond the bound nobody is let in");
    bench.stop().await;
}

#[tokio::test]
async fn a_phone_is_heard_from_the_address_that_authenticated_alone() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    let thief = bench.terminal(1).await;
    thief.say(&thief.position(5)).await;
    // The same address cannot speak for another phone, either.
    let other = Terminal { phone: bench.terminal(2).await.phone, socket: terminal.socket, heard_bytes: 0 };
    other.say(&other.position(6)).await;
    let mut terminal = Terminal { phone: thief.phone, socket: other.socket, heard_bytes: 0 };
    terminal.say(&terminal.position(7)).await;
    let frames = bench.world.inlet.frames(1).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(terminal.hear().await, [(id::PLATFORM_REPLY, 7, 0)]);
    assert_eq!(frames.len(), 1);
    let refusals = bench.world.doorstep.refusals.lock().unwrap().len();
    assert_eq!(refusals, 2);
    assert!(
        bench.world.doorstep.refusals.lock().unwrap().iter().all(|one| one.reason == RefusalReason::NotAuthenticated)
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_terminal_whose_address_changes_takes_its_place_again() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut before = bench.terminal(1).await;
    before.log_in("code-1").await;
    let mut after = bench.terminal(1).await;
    after.log_in("code-1").await;
    before.say(&before.position(5)).await;
    after.say(&after.position(6)).await;
    bench.world.inlet.frames(1).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(after.hear().await, [(id::PLATFORM_REPLY, 6, 0)]);
    assert_eq!((bench.world.inlet.count(), bench.world.edge.online.len()), (1, 1));
    bench.stop().await;
}

#[tokio::test]
async fn what_the_journal_refused_is_not_answered_and_the_terminal_begins_anew() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    terminal.say(&terminal.position(5)).await;
    bench.world.inlet.frames(1).await;
    bench.world.inlet.release(&Err(AppendError::DiskFull));
    terminal.log_in("code-1").await;
    terminal.say(&terminal.position(6)).await;
    bench.world.inlet.frames(2).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(terminal.hear().await, [(id::PLATFORM_REPLY, 6, 0)]);
    bench.stop().await;
}

#[tokio::test]
async fn a_terminal_beyond_its_allowance_is_not_answered_and_costs_the_journal_nothing() {
    let device = Allowance { frames_per_second: 0.001, frames_burst: 2.0, ..Allowance::default() };
    let bench = Bench::with(UdpConfig::default(), Some(LimitsConfig { device, ..LimitsConfig::default() })).await;
    let (mut flood, mut other) = (bench.terminal(1).await, bench.terminal(2).await);
    flood.log_in("code-1").await;
    other.log_in("code-2").await;
    for serial in 0..50 {
        flood.say(&flood.position(serial)).await;
    }
    // What comes behind the flood on the one socket shows that all of it was seen.
    other.say(&other.position(7)).await;
    bench.world.inlet.frames(4).await;
    bench.world.inlet.release(&Ok(()));
    assert_eq!(other.hear().await, [(id::PLATFORM_REPLY, 7, 0)]);
    assert_eq!(bench.world.inlet.count(), 4);
    bench.stop().await;
}

#[tokio::test]
async fn a_banned_address_is_not_heard_over_udp() {
    let limits = LimitsConfig { guesses_max: 1, ..LimitsConfig::default() };
    let bench = Bench::with(UdpConfig::default(), Some(limits)).await;
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    let mut elsewhere = bench.terminal(2).await;
    elsewhere.socket = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    elsewhere.socket.connect(bench.address).await.unwrap();
    elsewhere.log_in("code-2").await;
    for guess in 0..3_u8 {
        bench.world.edge.limits.guessed([127, 0, 0, 1].into(), "mn", &[guess]);
    }
    terminal.say(&terminal.position(5)).await;
    elsewhere.say(&elsewhere.position(6)).await;
    let taken = bench.world.inlet.frames(1).await;
    assert_eq!(taken.iter().map(|envelope| envelope.device.0).collect::<Vec<_>>(), [2]);
    bench.stop().await;
}

#[tokio::test]
async fn a_device_that_is_switched_off_is_forgotten_at_once() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    let mut off = device(1, ProtocolKind::Jt808, "13800000001", Strictness::Reject);
    off.enabled = false;
    bench.world.directory.set(vec![(off, "code-1")]);
    terminal.say(&terminal.position(5)).await;
    terminal.say(&terminal.authenticate("code-1")).await;
    assert_eq!(terminal.hear().await, [(id::PLATFORM_REPLY, 2, 1)]);
    assert!(bench.world.edge.online.is_empty() && bench.world.inlet.count() == 0);
    bench.stop().await;
}

#[tokio::test]
async fn a_missing_sub_packet_is_asked_for_over_udp_too() {
    let bench = Bench::new(UdpConfig::default()).await;
    let mut terminal = bench.terminal(1).await;
    terminal.log_in("code-1").await;
    for number in [1, 3] {
        let place = Packet { total: 3, number };
        terminal.say(&encode_raw(V, &terminal.phone, 10 + number, Some(place), id::BATCH, b"part")).await;
    }
    bench.world.inlet.frames(2).await;
    bench.world.inlet.release(&Ok(()));
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.extend(terminal.hear().await);
    }
    assert_eq!(heard.last(), Some(&(id::RESEND_DOWN, 11, 1)));
    bench.stop().await;
}

#[test]
fn answers_are_packed_whole_into_datagrams_that_pass() {
    let phone = Phone::from_digits("13800000001", V).unwrap();
    let frames: Vec<_> = (0..200)
        .map(|serial| encode(V, &phone, serial, &Message::PlatformReply { serial, id: 0x7e7d, result: 0x7e }))
        .collect();
    let packed = pack(&frames.concat());
    assert!(packed.len() > 2 && packed.iter().all(|one| one.len() <= ANSWER_BYTES_MAX));
    assert_eq!(packed.concat(), frames.concat());
    assert!(packed.iter().all(|one| one.first() == Some(&FLAG) && one.last() == Some(&FLAG)));
    assert!(pack(b"").is_empty());
}
