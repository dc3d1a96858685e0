//! The MQTT front alone, to try clients by hand and to measure it: `cargo run --example front -- 1883 STATE_DIRECTORY`.
//! Devices `dev-1` … `dev-2000` and the observer `staff` log in with the password `secret`. Its inlet keeps nothing
//! and answers at once, so it must never be used for anything else.

use lantian_gateway::Edge;
use lantian_gateway::limits::{Limits, LimitsConfig};
use lantian_gateway::mqtt::{Front, MqttConfig};
use model::envelope::{Envelope, Position, ProtocolKind};
use model::id::{DeviceId, PrincipalId};
use model::principal::{Admission, Attempt, DeviceAtEdge, Grants, Principal, Registration, Strictness};
use model::seams::{Committed, Completion, DeviceDirectory, Doorstep, Inlet, Knock, Refusal, Registered, WireLog};
use model::time::{IngestTime, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct World {
    seq: AtomicU64,
}

impl Inlet for World {
    fn accept(&self, batch: Vec<Envelope>, done: Completion) {
        let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        let seq = self.seq.fetch_add(u64::from(count), Ordering::Relaxed) + 1;
        done(Ok(Committed { first: Position { partition: 0, seq }, count, at: IngestTime(0) }));
    }
}

impl DeviceDirectory for World {
    fn admit(&self, attempt: Attempt<'_>) -> Admission {
        let Attempt::Mqtt { username: Some(name), password, .. } = attempt else { return Admission::UnknownIdentity };
        let (id, grants) = match self.device_by_code(name) {
            Some(device) => (device.id.0, Grants::One(device.id)),
            None if name == "staff" => (100_000, Grants::Observer),
            None => return Admission::UnknownIdentity,
        };
        if password != Some(b"secret") {
            return Admission::WrongSecret;
        }
        let name = name.into();
        Admission::Granted(Arc::new(Principal { id: PrincipalId(id), name, grants, credential_version: 1 }))
    }

    fn device(&self, id: DeviceId) -> Option<Arc<DeviceAtEdge>> {
        self.device_by_code(&format!("dev-{id}"))
    }

    fn device_by_code(&self, code: &str) -> Option<Arc<DeviceAtEdge>> {
        let number: i64 = code.strip_prefix("dev-")?.parse().ok()?;
        (1..=2_000).contains(&number).then(|| {
            Arc::new(DeviceAtEdge {
                id: DeviceId(number),
                code: code.into(),
                protocol: ProtocolKind::Mqtt,
                identity: code.into(),
                strictness: Strictness::Reject,
                offset_minutes: 480,
                principal: PrincipalId(number),
                poll: None,
                enabled: true,
            })
        })
    }

    fn device_by_identity(&self, _: ProtocolKind, identity: &str) -> Option<Arc<DeviceAtEdge>> {
        self.device_by_code(identity)
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
        1
    }

    fn still_admitted(&self, _: &Principal) -> bool {
        true
    }
}

impl Doorstep for World {
    fn unknown(&self, _: Knock) {}
    fn refused(&self, _: Refusal) {}
}

impl WireLog for World {
    fn connected(&self, _: DeviceId, _: u64, _: &str, _: IngestTime) {}
    fn disconnected(&self, _: DeviceId, _: u64, _: IngestTime) {}
    fn acknowledged(&self, _: DeviceId, _: Position, _: IngestTime) {}
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1883);
    let directory = arguments.next().unwrap_or_else(|| "front-state".to_owned());
    let world = Arc::new(World::default());
    let edge = Edge {
        inlet: Arc::clone(&world) as _,
        directory: Arc::clone(&world) as _,
        doorstep: Arc::clone(&world) as _,
        wire: world,
        clock: Arc::new(SystemClock),
        downlink: Arc::new(model::downlink::NoDownlink),
        budget: Arc::default(),
        provisioner: None,
        limits: Limits::new(LimitsConfig::default(), Arc::new(SystemClock)),
        online: Arc::default(),
        changes: tokio::sync::watch::channel(1).1,
    };
    let stop = CancellationToken::new();
    let front = Front::start(MqttConfig::new(directory.into()), edge, stop.clone())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let serving = front.clone();
    let served = tokio::spawn(async move { serving.serve(listener).await });
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    served.await.ok();
    front.finish().await;
    Ok(())
}
