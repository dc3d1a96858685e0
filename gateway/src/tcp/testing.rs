//! Fakes of the seams: an inlet whose completions the test releases, a directory, and a doorstep and wire that remember.

use crate::budget::Budget;
use crate::edge::Edge;
use crate::limits::{Limits, LimitsConfig};
use crate::online::Online;
use bytes::Bytes;
use model::downlink::{Command, Downlink, Order, Told, Wake};
use model::envelope::{Envelope, Position, ProtocolKind};
use model::id::{CommandId, DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Grants, Principal, Registration, Strictness};
use model::register::ModbusPoll;
use model::seams::{
    AppendError, Committed, Completion, DeviceDirectory, Doorstep, Inlet, Knock, Refusal, Registered, WireLog,
};
use model::time::{IngestTime, ManualClock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, watch};

/// Holds every batch until the test says how it ended.
#[derive(Default)]
pub(crate) struct FakeInlet {
    held: Mutex<Vec<(Vec<Envelope>, Completion)>>,
    seen: Mutex<Vec<Envelope>>,
    seq: AtomicU64,
    news: Notify,
}

impl FakeInlet {
    /// Waits until so many frames have been handed over in all.
    pub(crate) async fn frames(&self, count: usize) -> Vec<Envelope> {
        loop {
            let news = self.news.notified();
            let seen = self.seen.lock().unwrap().clone();
            if seen.len() >= count {
                return seen;
            }
            news.await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Ends everything held, the newest first, so that order must come from the receiver.
    pub(crate) fn release(&self, result: &Result<(), AppendError>) {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        let mut ended = Vec::new();
        for (batch, done) in held {
            let count = u32::try_from(batch.len()).unwrap();
            let seq = 1 + self.seq.fetch_add(u64::from(count), Ordering::SeqCst);
            let committed = Committed { first: Position { partition: 0, seq }, count, at: IngestTime(0) };
            ended.push((done, result.clone().map(|()| committed)));
        }
        for (done, result) in ended.into_iter().rev() {
            done(result);
        }
    }
}

impl Inlet for FakeInlet {
    fn accept(&self, batch: Vec<Envelope>, done: Completion) {
        self.seen.lock().unwrap().extend(batch.clone());
        self.held.lock().unwrap().push((batch, done));
        self.news.notify_waiters();
    }
}

/// The first terminal that registers holds its phone; a test may make the answer wait for [`FakeDirectory::write_down`].
pub(crate) struct FakeDirectory {
    devices: Mutex<Vec<(Arc<DeviceAtEdge>, String)>>,
    changes: watch::Sender<u64>,
    holders: Mutex<Vec<(DeviceId, String)>>,
    slow: AtomicBool,
    waiting: Mutex<Vec<(Registered, Registration)>>,
    news: Notify,
}

impl FakeDirectory {
    pub(crate) fn set(&self, devices: Vec<(DeviceAtEdge, &str)>) {
        let devices = devices.into_iter().map(|(device, secret)| (Arc::new(device), secret.to_owned()));
        *self.devices.lock().unwrap() = devices.collect();
        self.changes.send_modify(|revision| *revision += 1);
    }

    /// From now on a first registration waits.
    pub(crate) fn slow_disk(&self) {
        self.slow.store(true, Ordering::SeqCst);
    }

    /// Waits until a registration waits.
    pub(crate) async fn registration(&self) {
        loop {
            let news = self.news.notified();
            if !self.waiting.lock().unwrap().is_empty() {
                return;
            }
            news.await;
        }
    }

    pub(crate) fn write_down(&self) {
        for (done, answer) in std::mem::take(&mut *self.waiting.lock().unwrap()) {
            done(answer);
        }
    }

    /// Those who wait are never told.
    pub(crate) fn disk_gone(&self) {
        self.waiting.lock().unwrap().clear();
        self.holders.lock().unwrap().clear();
        self.slow.store(false, Ordering::SeqCst);
    }

    fn find(&self, protocol: ProtocolKind, identity: &str) -> Option<(Arc<DeviceAtEdge>, String)> {
        let devices = self.devices.lock().unwrap();
        devices.iter().find(|(device, _)| device.protocol == protocol && *device.identity == *identity).cloned()
    }
}

impl DeviceDirectory for FakeDirectory {
    fn admit(&self, attempt: Attempt<'_>) -> Admission {
        let (found, secret) = match attempt {
            Attempt::Hj212 { mn, password } => (self.find(ProtocolKind::Hj212, mn), password.as_bytes()),
            Attempt::Jt808 { phone, auth_code } => (self.find(ProtocolKind::Jt808, phone), auth_code),
            Attempt::Mqtt { .. } => (None, &[][..]),
        };
        match found {
            None => Admission::UnknownIdentity,
            Some((device, _)) if !device.enabled => Admission::Disabled,
            Some((_, expected)) if expected.as_bytes() != secret => Admission::WrongSecret,
            Some((device, _)) => Admission::Granted(Arc::new(Principal {
                id: device.principal,
                name: Arc::clone(&device.code),
                grants: Grants::One(device.id),
                credential_version: 1,
            })),
        }
    }

    fn device(&self, id: DeviceId) -> Option<Arc<DeviceAtEdge>> {
        self.devices.lock().unwrap().iter().map(|(device, _)| device).find(|device| device.id == id).cloned()
    }

    fn device_by_code(&self, code: &str) -> Option<Arc<DeviceAtEdge>> {
        self.devices.lock().unwrap().iter().map(|(device, _)| device).find(|device| *device.code == *code).cloned()
    }

    fn device_by_identity(&self, protocol: ProtocolKind, identity: &str) -> Option<Arc<DeviceAtEdge>> {
        self.find(protocol, identity).map(|(device, _)| device)
    }

    fn devices(&self, protocol: ProtocolKind) -> Vec<Arc<DeviceAtEdge>> {
        let devices = self.devices.lock().unwrap();
        devices.iter().map(|(device, _)| Arc::clone(device)).filter(|device| device.protocol == protocol).collect()
    }

    fn register_terminal(&self, phone: &str, terminal: &str, done: Registered) -> Registration {
        let found = self.find(ProtocolKind::Jt808, phone.trim_start_matches('0'));
        let Some((device, code)) = found else { return Registration::Unknown };
        let mut holders = self.holders.lock().unwrap();
        let granted = Registration::Granted(Bytes::from(code));
        match holders.iter().find(|(of, _)| *of == device.id) {
            Some((_, holder)) if holder == terminal => granted,
            Some((_, holder)) => {
                let holder = Some(Arc::from(holder.as_str()));
                Registration::Taken { device, holder }
            }
            None => {
                holders.push((device.id, terminal.to_owned()));
                if !self.slow.load(Ordering::SeqCst) {
                    return granted;
                }
                self.waiting.lock().unwrap().push((done, granted));
                self.news.notify_waiters();
                Registration::Pending
            }
        }
    }

    fn hj212_password(&self, id: DeviceId) -> Option<Arc<str>> {
        let devices = self.devices.lock().unwrap();
        devices.iter().find(|(device, _)| device.id == id).map(|(_, secret)| Arc::from(secret.as_str()))
    }

    /// `city` speaks for every device.
    fn bridge(&self, name: &str) -> Option<Arc<Principal>> {
        let principal = || Principal {
            id: PrincipalId(900),
            name: name.into(),
            grants: Grants::Prefix("d".into()),
            credential_version: 1,
        };
        (name == "city").then(principal).map(Arc::new)
    }

    fn revision(&self) -> u64 {
        *self.changes.borrow()
    }

    fn still_admitted(&self, principal: &Principal) -> bool {
        let Grants::One(id) = principal.grants else { return false };
        self.device(id).is_some_and(|device| device.enabled)
    }
}

#[derive(Default)]
pub(crate) struct FakeDoorstep {
    pub(crate) knocks: Mutex<Vec<Knock>>,
    pub(crate) refusals: Mutex<Vec<Refusal>>,
}

impl Doorstep for FakeDoorstep {
    fn unknown(&self, knock: Knock) {
        self.knocks.lock().unwrap().push(knock);
    }

    fn refused(&self, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }
}

#[derive(Default)]
pub(crate) struct FakeWire {
    pub(crate) acknowledged: Mutex<Vec<(DeviceId, u64)>>,
    pub(crate) events: Mutex<Vec<(DeviceId, &'static str)>>,
}

impl WireLog for FakeWire {
    fn connected(&self, device: DeviceId, _connection: u64, _peer: &str, _at: IngestTime) {
        self.events.lock().unwrap().push((device, "connected"));
    }

    fn disconnected(&self, device: DeviceId, _connection: u64, _at: IngestTime) {
        self.events.lock().unwrap().push((device, "disconnected"));
    }

    fn acknowledged(&self, device: DeviceId, first: Position, _acknowledged: IngestTime) {
        self.acknowledged.lock().unwrap().push((device, first.seq));
    }
}

/// Gives what a test puts in, and remembers what it is told.
#[derive(Default)]
pub(crate) struct FakeDownlink {
    pub(crate) orders: Mutex<Vec<Order>>,
    pub(crate) told: Mutex<Vec<(CommandId, Told)>>,
    pub(crate) attached: Mutex<Vec<(DeviceId, u64)>>,
    pub(crate) times: Mutex<Vec<DeviceId>>,
    pub(crate) new_password: Mutex<Option<String>>,
    pub(crate) cancelled: AtomicBool,
    wakes: Mutex<Vec<Wake>>,
}

impl FakeDownlink {
    /// Puts a command in the line of device 1 and wakes whoever is attached.
    pub(crate) fn order(&self, id: i64, command: &str) {
        let command: Command = serde_json::from_str(command).unwrap();
        let (id, deadline) = (CommandId(id), IngestTime(i64::MAX / 2));
        self.orders.lock().unwrap().push(Order { id, device: DeviceId(1), command, number: None, deadline });
        for wake in self.wakes.lock().unwrap().iter() {
            wake();
        }
    }

    pub(crate) fn last(&self) -> Option<(i64, Told)> {
        self.told.lock().unwrap().last().map(|(id, told)| (id.0, told.clone()))
    }
}

impl Downlink for FakeDownlink {
    fn attach(&self, device: DeviceId, connection: u64, wake: Wake) {
        self.attached.lock().unwrap().push((device, connection));
        self.wakes.lock().unwrap().push(wake);
    }

    fn detach(&self, device: DeviceId, connection: u64) {
        self.attached.lock().unwrap().retain(|one| *one != (device, connection));
    }

    fn take(&self, device: DeviceId, _connection: u64) -> Option<Order> {
        let mut orders = self.orders.lock().unwrap();
        let at = orders.iter().position(|order| order.device == device)?;
        Some(orders.remove(at))
    }

    fn told(&self, _device: DeviceId, id: CommandId, _connection: u64, told: Told) {
        self.told.lock().unwrap().push((id, told));
    }

    fn stands(&self, _id: CommandId, _connection: u64) -> bool {
        !self.cancelled.load(Ordering::SeqCst)
    }

    fn password_taken(&self, _device: DeviceId, password: &str) -> bool {
        self.new_password.lock().unwrap().as_deref() == Some(password)
    }

    fn time_wanted(&self, device: DeviceId) {
        self.times.lock().unwrap().push(device);
    }
}

/// The fakes and the edge made of them.
pub(crate) struct World {
    pub(crate) inlet: Arc<FakeInlet>,
    pub(crate) directory: Arc<FakeDirectory>,
    pub(crate) doorstep: Arc<FakeDoorstep>,
    pub(crate) wire: Arc<FakeWire>,
    pub(crate) downlink: Arc<FakeDownlink>,
    pub(crate) edge: Edge,
}

impl World {
    pub(crate) fn new(devices: Vec<(DeviceAtEdge, &str)>) -> Self {
        let inlet = Arc::new(FakeInlet::default());
        let directory = Arc::new(FakeDirectory {
            devices: Mutex::default(),
            changes: watch::channel(0).0,
            holders: Mutex::default(),
            slow: AtomicBool::new(false),
            waiting: Mutex::default(),
            news: Notify::new(),
        });
        directory.set(devices);
        let (doorstep, wire) = (Arc::new(FakeDoorstep::default()), Arc::new(FakeWire::default()));
        let clock = Arc::new(ManualClock::at(IngestTime(1_767_240_000_000)));
        let downlink = Arc::new(FakeDownlink::default());
        let edge = Edge {
            provisioner: None,
            limits: Limits::new(LimitsConfig::default(), Arc::<ManualClock>::clone(&clock)),
            inlet: Arc::<FakeInlet>::clone(&inlet),
            directory: Arc::<FakeDirectory>::clone(&directory),
            doorstep: Arc::<FakeDoorstep>::clone(&doorstep),
            wire: Arc::<FakeWire>::clone(&wire),
            clock,
            downlink: Arc::<FakeDownlink>::clone(&downlink),
            budget: Arc::new(Budget::default()),
            online: Arc::new(Online::default()),
            changes: directory.changes.subscribe(),
        };
        Self { inlet, directory, doorstep, wire, downlink, edge }
    }
}

pub(crate) fn device(id: i64, protocol: ProtocolKind, identity: &str, strictness: Strictness) -> DeviceAtEdge {
    DeviceAtEdge {
        id: DeviceId(id),
        code: Arc::from(format!("d{id}")),
        protocol,
        identity: Arc::from(identity),
        strictness,
        offset_minutes: 480,
        principal: PrincipalId(100 + id),
        poll: None,
        enabled: true,
    }
}

pub(crate) fn modbus_device(id: i64, poll: ModbusPoll) -> DeviceAtEdge {
    let address = poll.address.clone();
    DeviceAtEdge { poll: Some(Arc::new(poll)), ..device(id, ProtocolKind::Modbus, &address, Strictness::Reject) }
}
