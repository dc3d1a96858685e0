//! A whole Lantian without the edge: frames are appended to the journal, everything behind it is real. Time is set by the test.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use cases::judge::{RawFrame, RawFrames};
use cases::{Cases, Judge, JudgeConfig};
use dashboards::{AppState, COOKIE, Machine, Parts, ProjectionState, Pulse, WebConfig};
use database::{Database, Options};
use ingest::blobs::{BlobConfig, Blobs};
use ingest::chunks::{ChunkConfig, ChunkStore};
use ingest::journal::entry::Entry;
use ingest::journal::layer::Disk;
use ingest::journal::{Journal, JournalConfig};
use ingest::live::{LiveConfig, LiveHub};
use ingest::quarantine::{Porch, PorchConfig, WireTrace, WireTraceConfig};
use ingest::worker::{Worker, WorkerConfig, WorkerParts};
use ledger::{Author, Keys, Ledger, NewPerson, Role};
use model::envelope::{Channel, Envelope, Position, ProtocolKind};
use model::facts::Facts;
use model::gatekeeper::{Ban, Gatekeeper, Slowed};
use model::geo::Wgs84;
use model::id::{DeviceId, GridId, InstallationId, LimitId, OfficeId, PermitId, PrincipalId, SubjectId};
use model::register::{
    Device, DeviceProfile, Factor, Grid, Installation, Limit, Object, Office, Permit, Subject, SubjectDetails,
};
use model::seams::WireLog;
use model::stream::Tick;
use model::time::{Clock, EventTime, IngestTime, ManualClock, parse_rfc3339};
use model::unit::Unit;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const PASSWORD: &str = "correct horse battery";

#[derive(Debug)]
struct TestMachine;

impl Machine for TestMachine {
    fn disk_free_bytes(&self) -> Option<u64> {
        Some(50 << 30)
    }
    fn journal_bytes(&self) -> Option<u64> {
        Some(4 << 20)
    }
    fn projection(&self) -> Option<ProjectionState> {
        None
    }
}

/// Bans whom the test says, and remembers the guesses.
#[derive(Debug, Default)]
pub(crate) struct TestGate {
    pub(crate) bans: Mutex<Vec<Ban>>,
    pub(crate) guesses: Mutex<Vec<String>>,
    pub(crate) wait_ms: Mutex<Option<u64>>,
}

impl Gatekeeper for TestGate {
    fn is_banned(&self, address: IpAddr) -> bool {
        self.bans.lock().unwrap().iter().any(|ban| ban.address == address)
    }
    fn guessed(&self, address: IpAddr, identity: &str, _: &[u8]) {
        self.guesses.lock().unwrap().push(format!("{address} {identity}"));
    }
    fn take(&self, _: DeviceId, _: usize, _: usize) -> Result<(), u64> {
        self.wait_ms.lock().unwrap().map_or(Ok(()), Err)
    }
    fn bans(&self) -> Vec<Ban> {
        self.bans.lock().unwrap().clone()
    }
    fn lift(&self, address: IpAddr) -> bool {
        let mut bans = self.bans.lock().unwrap();
        let before = bans.len();
        bans.retain(|ban| ban.address != address);
        bans.len() < before
    }
    fn slowed(&self) -> Vec<Slowed> {
        Vec::new()
    }
}

struct FromJournal(Arc<Journal>);

impl RawFrames for FromJournal {
    fn read_at(&self, position: Position) -> Option<RawFrame> {
        match self.0.read_at(position) {
            Ok(Some(Entry::Frame(frame))) => {
                Some(RawFrame { received: frame.received, channel: format!("{:?}", frame.channel), raw: frame.raw })
            }
            _ => None,
        }
    }
}

pub(crate) struct Bench {
    pub(crate) app: Router,
    pub(crate) state: AppState,
    pub(crate) ledger: Ledger,
    pub(crate) journal: Arc<Journal>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) porch: Arc<Porch>,
    pub(crate) trace: Arc<WireTrace>,
    pub(crate) gate: Arc<TestGate>,
    judged: watch::Receiver<Position>,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn at(text: &str) -> i64 {
    parse_rfc3339(text).unwrap()
}

pub(crate) fn author() -> Author {
    Author::new("tester", "test")
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {:?}", self.text()))
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()
    }
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.json()["code"], code);
    }
}

async fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, bytes }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings of its own.
    pub(crate) async fn with(set: impl FnOnce(&mut WebConfig)) -> Self {
        let mut web = WebConfig { district: "合成示范区".into(), ..WebConfig::default() };
        set(&mut web);
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(IngestTime(at("2026-11-22T02:00:00Z"))));
        let dyn_clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let db = Database::open(Options::sqlite(dir.path().join("lantian.db"))).await.unwrap();
        let chunk_db = Database::open(Options::sqlite(dir.path().join("chunks.db"))).await.unwrap();
        let keys = Keys::open(dir.path()).unwrap();
        let ledger = Ledger::open(db.clone(), keys.clone(), Arc::clone(&dyn_clock)).await.unwrap();
        let mut config = JournalConfig::new(dir.path().join("journal"));
        config.segment_bytes = 4 << 20;
        let (journal, _) = Journal::open(config, Arc::new(Disk), Arc::clone(&dyn_clock)).unwrap();
        let chunks = ChunkStore::open(chunk_db, ChunkConfig::default()).await.unwrap();
        let blobs = Blobs::open(&dir.path().join("blobs"), BlobConfig::default(), Arc::clone(&dyn_clock)).unwrap();
        let blobs = Arc::new(blobs);
        let hub = LiveHub::new(LiveConfig::default());
        let trace = Arc::new(WireTrace::new(WireTraceConfig::default()));
        let porch = Arc::new(Porch::new(PorchConfig::default()));
        let pulse = Pulse::open(db.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let raw = Arc::new(FromJournal(Arc::clone(&journal)));
        let deadline =
            Arc::new(|_: &Facts, opened: IngestTime, minutes: u32| opened.plus_ms(i64::from(minutes) * 60_000));
        let mut judge = Judge::open(db.clone(), JudgeConfig::default(), Facts::default(), raw, deadline).await.unwrap();
        let handle = judge.handle();
        let (batches, mut incoming) = mpsc::channel(64);
        let (judged_tx, judged) = watch::channel(Position::default());
        let (watching, registers) = (pulse.clone(), ledger.clone());
        tokio::spawn(async move {
            while let Some(batch) = incoming.recv().await {
                watching.observe(&batch, &registers.facts_now()).await;
                let up_to: Position = batch.up_to;
                judge.on_batch(batch).await.unwrap();
                judged_tx.send_replace(up_to);
            }
        });
        let parts = WorkerParts {
            journal: Arc::clone(&journal),
            store: chunks.clone(),
            facts: Facts::default(),
            hub: hub.clone(),
            trace: Arc::clone(&trace),
            fan_out: None,
            blobs: Some(Arc::<Blobs>::clone(&blobs)),
            judge: batches,
            judged: watch::channel(Position::default()).1,
            clock: Arc::clone(&dyn_clock),
            stop: stop.clone(),
        };
        let worker = Worker::spawn(parts, WorkerConfig::default()).await.unwrap();
        let gate = Arc::<TestGate>::default();
        let state = AppState::new(Parts {
            ledger: ledger.clone(),
            cases: Cases::new(db.clone()),
            notify: cases::notify::Notify::new(db.clone(), keys),
            judge: handle,
            chunks,
            blobs: Arc::<Blobs>::clone(&blobs),
            hub,
            trace: Arc::clone(&trace),
            porch: Arc::clone(&porch),
            journal: Arc::clone(&journal),
            settled: worker.settled(),
            pulse,
            machine: Arc::new(TestMachine),
            gate: Arc::clone(&gate) as Arc<dyn Gatekeeper>,
            clock: dyn_clock,
            config: web,
            stop: stop.clone(),
        });
        let app = dashboards::router(state.clone());
        let bench = Self { app, state, ledger, journal, blobs, clock, porch, trace, gate, judged, stop, _dir: dir };
        bench.edit(registers_rows()).await;
        bench
    }

    /// The background task of the crate, for tests that need its counts.
    pub(crate) fn run(&self) {
        tokio::spawn(dashboards::run(self.state.clone()));
    }

    /// Edits the registers and publishes the edits to the journal, as the wiring does.
    pub(crate) async fn edit(&self, objects: Vec<Object>) {
        self.ledger.edit(&author(), objects).await.unwrap();
        self.publish().await;
    }

    pub(crate) async fn publish(&self) {
        for revision in self.ledger.unpublished(1_000).await.unwrap() {
            let number = revision.number;
            let done = self.journal.append_wait(vec![Entry::Revision(Box::new(revision))]).await.unwrap();
            self.ledger.mark_published(number, done.first).await.unwrap();
        }
        self.settled().await;
    }

    /// Until the judge has passed all that stands in the journal.
    pub(crate) async fn settled(&self) {
        let end = self.journal.durable();
        self.judged.clone().wait_for(|position| position.seq >= end.seq).await.unwrap();
    }

    /// A telemetry payload of a device, received now; settled and judged when this returns.
    pub(crate) async fn telemetry(&self, device: i64, payload: Value) -> Position {
        let done = self.journal.append_wait(vec![self.frame(device, payload.to_string())]).await.unwrap();
        self.trace.acknowledged(DeviceId(device), done.first, self.clock.now());
        self.settled().await;
        done.first
    }

    pub(crate) fn frame(&self, device: i64, payload: String) -> Entry {
        Entry::Frame(Envelope {
            received: self.clock.now(),
            principal: PrincipalId(device),
            device: DeviceId(device),
            channel: Channel::MqttTelemetry,
            remarks: 0,
            connection: 1,
            raw: Bytes::from(payload),
        })
    }

    pub(crate) async fn tick(&self) {
        let tick = Tick { at: self.clock.now(), clock_synchronised: true, listening: ProtocolKind::ALL.to_vec() };
        self.journal.append_wait(vec![Entry::Tick(tick)]).await.unwrap();
        self.settled().await;
    }

    /// An account that has changed its one-time password; returns its cookie.
    pub(crate) async fn person(&self, login: &str, role: Role, vendor: &str) -> String {
        let new = NewPerson {
            login: login.into(),
            name: format!("人员{login}"),
            role,
            office: (role == Role::Squadron).then_some(OfficeId(1)),
            vendor: vendor.into(),
        };
        let (_, password) = self.ledger.people().create(&author(), new).await.unwrap();
        let login = self.ledger.people().change_password(login, &password, PASSWORD, "test").await.unwrap();
        format!("{COOKIE}={}", login.token)
    }

    pub(crate) async fn call(&self, method: Method, path: &str, cookie: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !cookie.is_empty() {
            request = request.header(header::COOKIE, cookie);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        read(self.app.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.call(Method::GET, &format!("/api/v1{path}"), cookie, None).await
    }

    pub(crate) async fn post(&self, path: &str, cookie: &str, body: Value) -> Answer {
        self.call(Method::POST, &format!("/api/v1{path}"), cookie, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, cookie: &str, body: Value) -> Answer {
        self.call(Method::PUT, &format!("/api/v1{path}"), cookie, Some(body)).await
    }

    /// Five minutes of fume far above the limit, one reading each ten seconds, so that the rule raises and settles.
    pub(crate) async fn fume_case(&self) {
        for step in 0..60 {
            self.clock.advance_ms(10_000);
            self.telemetry(1, json!({"fume": 9.0 + f64::from(step) / 100.0, "fan_on": 1})).await;
            self.tick().await;
        }
    }
}

/// Two offices, a grid, a restaurant, a site, a truck with its permit; devices 1 (vendor a), 2 (vendor b), 3 (truck); a limit; a rule.
#[expect(clippy::too_many_lines, reason = "one list of rows")]
fn registers_rows() -> Vec<Object> {
    let from = EventTime(at("2026-01-01T00:00:00Z"));
    let office = |id, code: &str| {
        Object::Office(Office { id: OfficeId(id), code: code.into(), name: format!("中队{id}"), parent: None })
    };
    let subject = |code: &str, name: &str, place: Option<Wgs84>, details| {
        Object::Subject(Subject {
            id: SubjectId(0),
            code: code.into(),
            name: name.into(),
            grid: Some(GridId(-10)),
            place,
            details,
            active: true,
        })
    };
    let device = |id, code: &str, vendor: &str, profile: &str| {
        Object::Device(Device {
            id: DeviceId(id),
            code: code.into(),
            name: String::new(),
            protocol: ProtocolKind::Mqtt,
            identity: code.into(),
            profile: profile.into(),
            vendor: vendor.into(),
            enabled: true,
            poll: None,
        })
    };
    let install = |device, subject| {
        Object::Installation(Installation {
            id: InstallationId(0),
            device: DeviceId(device),
            subject: SubjectId(subject),
            point: "outlet".into(),
            valid_from: from,
            valid_to: None,
        })
    };
    let numbered = |object, id| match object {
        Object::Subject(row) => Object::Subject(Subject { id: SubjectId(id), ..row }),
        other => other,
    };
    let factor = |code: &str, unit| Factor {
        code: code.into(),
        quantity: code.into(),
        unit,
        scale: 1.0,
        offset: 0.0,
        statistic: None,
        min: None,
        max: None,
    };
    let profile = DeviceProfile {
        code: "fume-mqtt".into(),
        name: "油烟 MQTT".into(),
        protocol: ProtocolKind::Mqtt,
        strictness: model::principal::Strictness::Reject,
        offset_minutes: 480,
        expected_interval_s: 10,
        factors: vec![factor("fume", Unit::MgPerM3), factor("fan_on", Unit::One)],
        registers: Vec::new(),
        gcj02: false,
        downlink: None,
        truck: None,
        events: Vec::new(),
    };
    let place = |lon, lat| Some(Wgs84 { lon, lat });
    let restaurant = SubjectDetails::Restaurant {
        size_class: Some("small".into()),
        stoves: Some(2.0),
        address: "示范路1号".into(),
        licence: "L-1".into(),
        contact: String::new(),
        phone: String::new(),
    };
    let site =
        SubjectDetails::Site { stage: None, address: "工地路".into(), builder: String::new(), outline: Vec::new() };
    let truck = SubjectDetails::Truck {
        plate: "豫A12345".into(),
        plate_colour: String::new(),
        company: "示范运输".into(),
        load_t: None,
    };
    vec![
        office(-1, "o1"),
        office(-2, "o2"),
        Object::Grid(Grid {
            id: GridId(-10),
            code: "g1".into(),
            name: "第一网格".into(),
            office: OfficeId(-1),
            outline: Vec::new(),
        }),
        numbered(subject("r1", "老蔡记", place(113.55, 34.81), restaurant), -21),
        numbered(subject("s1", "示范工地", place(113.56, 34.82), site), -22),
        numbered(subject("t1", "渣土车一号", None, truck), -23),
        Object::Permit(Permit {
            id: PermitId(0),
            code: "p1".into(),
            trucks: vec![SubjectId(-23)],
            site: Some(SubjectId(-22)),
            disposal_site: None,
            corridor: vec![Wgs84 { lon: 113.55, lat: 34.81 }, Wgs84 { lon: 113.60, lat: 34.81 }],
            corridor_half_width_m: 50.0,
            windows: Vec::new(),
            valid_from: from,
            valid_to: None,
            suspended: false,
            suspensions: Vec::new(),
        }),
        Object::Limit(Limit {
            id: LimitId(0),
            quantity: "fume".into(),
            value: 2.0,
            unit: Unit::MgPerM3,
            region: String::new(),
            standard: "GB 18483-2001".into(),
            class: String::new(),
            subject_kind: "restaurant".into(),
            valid_from: from,
            valid_to: None,
            source: "table 2".into(),
            verified: true,
            retired: false,
        }),
        Object::Profile(profile),
        device(-31, "fume-1", "甲公司", "fume-mqtt"),
        device(-32, "fume-2", "乙公司", "fume-mqtt"),
        device(-33, "truck-1", "乙公司", "fume-mqtt"),
        install(-31, -21),
        install(-33, -23),
    ]
}

/// The shipped rule with windows short enough for a test.
pub(crate) fn fume_rule() -> String {
    include_str!("../../../config/library/rules/fume-exceedance.toml")
        .replace("settle = \"10min\"", "settle = \"60s\"\ndemo = true")
        .replace("window = \"60min\"", "window = \"60s\"")
        .replace("clear_for = \"10min\"", "clear_for = \"60s\"")
}
