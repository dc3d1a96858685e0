//! The front in process: a controllable inlet behind it, clients on in-memory streams before it. Time stands still unless
//! a test waits, except where threads of others are part of the promise.

mod flow;
mod foreign;
mod grants;
mod limited;
mod provisioned;
mod secured;
mod sessions;
mod stock;

use super::*;
use crate::limits::{Limits, LimitsConfig};
use bytes::BytesMut;
use model::envelope::{Envelope, Position, ProtocolKind};
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Grants, Principal, Registration, Strictness};
use model::seams::{
    AppendError, Committed, Completion, DeviceDirectory, Doorstep, Inlet, Knock, Refusal, Registered, WireLog,
};
use model::time::{IngestTime, ManualClock};
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the inlet does with a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    AtOnce,
    Hold,
    Fail(AppendError),
}

struct World {
    mode: Mutex<Mode>,
    held: Mutex<Vec<Completion>>,
    appended: Mutex<Vec<Envelope>>,
    batches: Mutex<Vec<usize>>,
    seq: AtomicU64,
    knocks: Mutex<Vec<Knock>>,
    refusals: Mutex<Vec<Refusal>>,
    revoked: AtomicBool,
    changes: watch::Sender<u64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            mode: Mutex::new(Mode::AtOnce),
            held: Mutex::default(),
            appended: Mutex::default(),
            batches: Mutex::default(),
            seq: AtomicU64::new(1),
            knocks: Mutex::default(),
            refusals: Mutex::default(),
            revoked: AtomicBool::new(false),
            changes: watch::channel(1).0,
        }
    }
}

impl World {
    fn mode(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// Completes the oldest batch that is held.
    fn release(&self) {
        let done = self.held.lock().unwrap().remove(0);
        done(Ok(self.committed(1)));
    }

    fn committed(&self, count: u32) -> Committed {
        let seq = self.seq.fetch_add(u64::from(count), Ordering::SeqCst);
        Committed { first: Position { partition: 0, seq }, count, at: IngestTime(0) }
    }

    fn payloads(&self) -> Vec<String> {
        self.appended.lock().unwrap().iter().map(|e| String::from_utf8_lossy(&e.raw).into_owned()).collect()
    }

    fn refused(&self) -> Vec<model::verdict::RefusalReason> {
        self.refusals.lock().unwrap().iter().map(|refusal| refusal.reason).collect()
    }
}

impl Inlet for World {
    fn accept(&self, batch: Vec<Envelope>, done: Completion) {
        let count = u32::try_from(batch.len()).unwrap();
        self.batches.lock().unwrap().push(batch.len());
        self.appended.lock().unwrap().extend(batch);
        let mode = self.mode.lock().unwrap().clone();
        match mode {
            Mode::AtOnce => done(Ok(self.committed(count))),
            Mode::Hold => self.held.lock().unwrap().push(done),
            Mode::Fail(error) => done(Err(error)),
        }
    }
}

/// Devices `dev-1` … `dev-2000` (`dev-3001` … of HJ 212, `dev-4001` … of JT/T 808), user name = code, password = `secret`; `bridge` speaks for `dev-`, `staff` observes.
impl DeviceDirectory for World {
    fn admit(&self, attempt: Attempt<'_>) -> Admission {
        let Attempt::Mqtt { username, password, .. } = attempt else { return Admission::UnknownIdentity };
        let (id, grants) = match username {
            Some("bridge") => (100, Grants::Prefix("dev-".into())),
            Some("modem") => (102, Grants::Many(vec![DeviceId(3001), DeviceId(4001)])),
            Some("logger") => (101, Grants::Many(vec![DeviceId(1), DeviceId(2)])),
            Some("staff") => (200, Grants::Observer),
            Some("staff-2") => (201, Grants::Observer),
            Some("off") => return Admission::Disabled,
            Some(name) => match self.device_by_code(name) {
                Some(device) => (device.id.0, Grants::One(device.id)),
                None => return Admission::UnknownIdentity,
            },
            None => return Admission::UnknownIdentity,
        };
        if password != Some(b"secret") {
            return Admission::WrongSecret;
        }
        Admission::Granted(Arc::new(Principal {
            id: PrincipalId(id),
            name: username.unwrap().into(),
            grants,
            credential_version: 1,
        }))
    }

    fn device(&self, id: DeviceId) -> Option<Arc<DeviceAtEdge>> {
        self.device_by_code(&format!("dev-{id}"))
    }

    fn device_by_code(&self, code: &str) -> Option<Arc<DeviceAtEdge>> {
        let number: i64 = code.strip_prefix("dev-")?.parse().ok()?;
        let (protocol, identity) = match number {
            1..=2_000 => (ProtocolKind::Mqtt, code.to_owned()),
            3_001..=3_999 => (ProtocolKind::Hj212, format!("MN{number}")),
            4_001..=4_999 => (ProtocolKind::Jt808, format!("13900{number}")),
            _ => return None,
        };
        Some({
            Arc::new(DeviceAtEdge {
                id: DeviceId(number),
                code: code.into(),
                protocol,
                identity: identity.as_str().into(),
                strictness: Strictness::Reject,
                offset_minutes: 480,
                principal: PrincipalId(number),
                poll: None,
                enabled: true,
            })
        })
    }

    fn device_by_identity(&self, protocol: ProtocolKind, identity: &str) -> Option<Arc<DeviceAtEdge>> {
        let number = match protocol {
            ProtocolKind::Hj212 => identity.strip_prefix("MN")?,
            ProtocolKind::Jt808 => identity.strip_prefix("13900")?,
            _ => return self.device_by_code(identity),
        };
        self.device_by_code(&format!("dev-{number}")).filter(|device| device.protocol == protocol)
    }

    fn devices(&self, _: ProtocolKind) -> Vec<Arc<DeviceAtEdge>> {
        Vec::new()
    }

    fn register_terminal(&self, _: &str, _: &str, _: Registered) -> Registration {
        Registration::Unknown
    }

    fn hj212_password(&self, _: DeviceId) -> Option<Arc<str>> {
        None
    }

    fn revision(&self) -> u64 {
        *self.changes.borrow()
    }

    fn still_admitted(&self, _: &Principal) -> bool {
        !self.revoked.load(Ordering::SeqCst)
    }
}

impl Doorstep for World {
    fn unknown(&self, knock: Knock) {
        self.knocks.lock().unwrap().push(knock);
    }

    fn refused(&self, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }
}

impl WireLog for World {
    fn connected(&self, _: DeviceId, _: u64, _: &str, _: IngestTime) {}
    fn disconnected(&self, _: DeviceId, _: u64, _: IngestTime) {}
    fn acknowledged(&self, _: DeviceId, _: Position, _: IngestTime) {}
}

struct Bench {
    front: Front,
    world: Arc<World>,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
    directory: Arc<tempfile::TempDir>,
}

impl Bench {
    fn new() -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A front that finds what one before it has stored.
    fn on(directory: Arc<tempfile::TempDir>) -> Self {
        Self::limited(directory, LimitsConfig::default())
    }

    fn limited(directory: Arc<tempfile::TempDir>, limits: LimitsConfig) -> Self {
        let world = Arc::new(World::default());
        let clock = Arc::new(ManualClock::at(IngestTime(1_800_000_000_000)));
        let edge = Edge {
            inlet: Arc::clone(&world) as _,
            directory: Arc::clone(&world) as _,
            doorstep: Arc::clone(&world) as _,
            wire: Arc::clone(&world) as _,
            clock: Arc::clone(&clock) as _,
            downlink: Arc::new(model::downlink::NoDownlink),
            budget: Arc::default(),
            provisioner: Some(Arc::clone(&world) as _),
            limits: Limits::new(limits, Arc::clone(&clock) as _),
            online: Arc::default(),
            changes: world.changes.subscribe(),
        };
        let stop = CancellationToken::new();
        let mut config = MqttConfig::new(directory.path().to_owned());
        config.packet_bytes_max = 64 * 1024;
        let front = Front::start(config, edge, stop.clone()).unwrap();
        Self { front, world, clock, stop, directory }
    }

    /// Ends the front and starts another on what it stored.
    async fn restart(self) -> Self {
        self.stop.cancel();
        self.front.finish().await;
        Self::on(self.directory)
    }

    fn stream(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let front = self.front.clone();
        self.front.tasks.spawn(async move { front.serve_stream(theirs, "test:1".into()).await });
        ours
    }

    async fn v4(&self, user: &str, client_id: &str) -> V4 {
        let (client, present) = self.v4_with(user, v4::Connect::new(client_id)).await;
        assert!(!present);
        client
    }

    async fn v4_with(&self, user: &str, mut connect: v4::Connect) -> (V4, bool) {
        connect.set_login(user, "secret");
        let mut client = V4 { stream: self.stream(), buffer: BytesMut::new() };
        client.send(v4::Packet::Connect(connect)).await;
        match client.next().await {
            Some(v4::Packet::ConnAck(ack)) if ack.code == v4::ConnectReturnCode::Success => {
                (client, ack.session_present)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn v5(&self, user: &str, client_id: &str) -> V5 {
        self.v5_with(user, connect_v5(client_id), None).await.0
    }

    async fn v5_with(&self, user: &str, connect: v5::Connect, will: Option<v5::LastWill>) -> (V5, v5::ConnAck) {
        let login = v5::Login { username: user.into(), password: "secret".into() };
        let mut client = V5 { stream: self.stream(), buffer: BytesMut::new() };
        client.send(v5::Packet::Connect(connect, will, Some(login))).await;
        match client.next().await {
            Some(v5::Packet::ConnAck(ack)) => (client, ack),
            other => panic!("{other:?}"),
        }
    }
}

fn connect_v5(client_id: &str) -> v5::Connect {
    v5::Connect { keep_alive: 60, client_id: client_id.into(), clean_start: true, properties: None }
}

macro_rules! client {
    ($name:ident, $codec:ident, $($limit:tt)*) => {
        struct $name {
            stream: DuplexStream,
            buffer: BytesMut,
        }

        impl $name {
            async fn send(&mut self, packet: $codec::Packet) {
                let mut bytes = BytesMut::new();
                packet.write(&mut bytes, $($limit)*).unwrap();
                self.raw(&bytes).await;
            }

            async fn raw(&mut self, bytes: &[u8]) {
                self.stream.write_all(bytes).await.unwrap();
            }

            /// The next packet; `None`: the front has closed.
            async fn next(&mut self) -> Option<$codec::Packet> {
                loop {
                    if let Ok(packet) = $codec::Packet::read(&mut self.buffer, $($limit)*) {
                        return Some(packet);
                    }
                    match tokio::time::timeout(Duration::from_mins(10), self.stream.read_buf(&mut self.buffer)).await {
                        Ok(Ok(0) | Err(_)) => return None,
                        Ok(Ok(_)) => {}
                        Err(_) => panic!("nothing came, {} bytes are left", self.buffer.len()),
                    }
                }
            }

            /// Nothing lies ready for the client, also not after everybody had a turn.
            async fn quiet(&mut self) {
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let mut peek = [0_u8; 1];
                let read = futures_util::FutureExt::now_or_never(self.stream.read(&mut peek));
                assert!(read.is_none() && self.buffer.is_empty(), "{peek:?} {:?}", self.buffer);
            }
        }
    };
}
client!(V4, v4, 1_000_000);
client!(V5, v5, Some(1_000_000));

fn telemetry(device: &str) -> String {
    format!("lantian/v1/{device}/telemetry")
}

fn publish_v4(topic: &str, qos: v4_qos::QoS, pkid: u16, payload: &str) -> v4::Packet {
    let mut publish = v4::Publish::new(topic, qos, payload);
    publish.pkid = pkid;
    v4::Packet::Publish(publish)
}

fn publish_v5(topic: &str, qos: v5_qos::QoS, pkid: u16, payload: &str) -> v5::Packet {
    let mut publish = v5::Publish::new(topic, qos, payload.to_owned(), None);
    publish.pkid = pkid;
    v5::Packet::Publish(publish)
}

mod v4_qos {
    pub(super) use rumqttc::mqttbytes::QoS;
}

mod v5_qos {
    pub(super) use rumqttc::v5::mqttbytes::QoS;
}

async fn subscribe_v4(client: &mut V4, filter: &str, qos: v4_qos::QoS) -> v4::SubscribeReasonCode {
    let mut subscribe = v4::Subscribe::new(filter, qos);
    subscribe.pkid = 9;
    client.send(v4::Packet::Subscribe(subscribe)).await;
    match client.next().await {
        Some(v4::Packet::SubAck(ack)) => ack.return_codes[0],
        other => panic!("{other:?}"),
    }
}

async fn subscribe_v5(client: &mut V5, filter: v5::Filter) -> v5::SubscribeReasonCode {
    let mut subscribe = v5::Subscribe::new(filter, None);
    subscribe.pkid = 9;
    client.send(v5::Packet::Subscribe(subscribe)).await;
    match client.next().await {
        Some(v5::Packet::SubAck(ack)) => ack.return_codes[0],
        other => panic!("{other:?}"),
    }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
