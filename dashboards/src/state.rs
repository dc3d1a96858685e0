//! What the handlers work with: the other crates' handles, and three small things of our own ([`Book`], [`Pulse`], the latest
//! numbers for the live push). Cheap to clone. It starts nothing by itself: the wiring spawns [`crate::run`].

use crate::aside::AsideCell;
use crate::book::Book;
use crate::dto::health::Health;
use crate::dto::overview::Kpi;
use crate::handlers::{arrivals, pictures};
use crate::live::Sockets;
use crate::net::Network;
use crate::pulse::Pulse;
use crate::throttle::Throttle;
use cases::notify::Notify;
use cases::{Cases, JudgeHandle};
use ingest::chunks::ChunkStore;
use ingest::journal::Journal;
use ingest::live::LiveHub;
use ingest::loss::LossLedger;
use ingest::quarantine::{Porch, QuarantineList, WireTrace};
use ledger::Ledger;
use model::envelope::{Position, ProtocolKind};
use model::facts::Facts;
use model::gatekeeper::Gatekeeper;
use model::seams::BlobStore;
use model::time::{Clock, EventTime, IngestTime};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// What the wiring hands over.
#[derive(Debug)]
pub struct Parts {
    pub ledger: Ledger,
    pub cases: Cases,
    pub notify: Notify,
    pub judge: JudgeHandle,
    pub chunks: ChunkStore,
    /// Pictures and files of devices.
    pub blobs: Arc<dyn BlobStore>,
    pub hub: LiveHub,
    pub trace: Arc<WireTrace>,
    pub porch: Arc<Porch>,
    pub journal: Arc<Journal>,
    /// The last entry settle has read.
    pub settled: watch::Receiver<Position>,
    /// Fed with each batch by the wiring.
    pub pulse: Pulse,
    pub machine: Arc<dyn Machine>,
    /// What the edge knows of addresses.
    pub gate: Arc<dyn Gatekeeper>,
    pub clock: Arc<dyn Clock>,
    pub config: WebConfig,
    /// Closes the live sockets.
    pub stop: CancellationToken,
}

/// What only the process knows of itself.
pub trait Machine: Send + Sync + std::fmt::Debug {
    /// Free bytes where the journal is; `None`: cannot be told.
    fn disk_free_bytes(&self) -> Option<u64>;
    /// Bytes that the journal and its archive take on the disk; `None`: not measured yet.
    fn journal_bytes(&self) -> Option<u64>;
    /// State of the InfluxDB projection; `None`: switched off.
    fn projection(&self) -> Option<ProjectionState>;
    /// Brokers that are read from.
    fn brokers(&self) -> Vec<BrokerState> {
        Vec::new()
    }
}

/// How it stands with a broker that is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerState {
    pub name: String,
    /// Connected and subscribed.
    pub up: bool,
    pub since: IngestTime,
    /// Why it is not up.
    pub detail: String,
}

/// How the projection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProjectionState {
    /// The last write failed.
    pub down: bool,
    /// Journal entries it is behind the sealed end.
    pub behind: u64,
    pub refused_points: u64,
}

/// Settings of the HTTP side.
#[derive(Debug, Clone)]
pub struct WebConfig {
    pub version: String,
    /// Name of the district, for the map and titles.
    pub district: String,
    /// Text that must stand on the map.
    pub attribution: String,
    /// Where devices reach us, for the settings that go with a credential.
    pub listeners: Listeners,
    /// A folder to serve the page from instead of the embedded one.
    pub web_dir: Option<PathBuf>,
    /// The cookie is marked `Secure` always: behind a proxy with TLS. Over our own TLS it is anyway.
    pub secure_cookie: bool,
    /// Origins besides the request's own host that may change things: a development server.
    pub origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Free bytes below which the page warns.
    pub disk_low_bytes: u64,
    pub body_bytes_max: usize,
    /// Bytes of a picture that comes over HTTP.
    pub picture_bytes_max: u64,
    pub request_seconds_max: u64,
    pub sockets_max: usize,
    pub sockets_per_user_max: usize,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            district: String::new(),
            attribution: String::new(),
            listeners: Listeners::default(),
            web_dir: None,
            secure_cookie: false,
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            disk_low_bytes: 2 << 30,
            body_bytes_max: 1 << 20,
            picture_bytes_max: 8 << 20,
            request_seconds_max: 30,
            sockets_max: 300,
            sockets_per_user_max: 10,
        }
    }
}

/// Addresses that listen for devices; `None`: switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Listeners {
    pub mqtt: Option<SocketAddr>,
    pub hj212: Option<SocketAddr>,
    pub jt808: Option<SocketAddr>,
}

impl Listeners {
    /// Where a device of that protocol connects to; Modbus devices are dialled by us.
    pub const fn of(self, protocol: ProtocolKind) -> Option<SocketAddr> {
        match protocol {
            ProtocolKind::Mqtt => self.mqtt,
            ProtocolKind::Hj212 => self.hj212,
            ProtocolKind::Jt808 => self.jt808,
            ProtocolKind::Modbus => None,
        }
    }
}

#[derive(Debug)]
pub struct Inner {
    pub ledger: Ledger,
    pub cases: Cases,
    pub notify: Notify,
    pub judge: JudgeHandle,
    pub chunks: ChunkStore,
    pub blobs: Arc<dyn BlobStore>,
    pub loss: LossLedger,
    pub quarantine: QuarantineList,
    pub hub: LiveHub,
    pub trace: Arc<WireTrace>,
    pub porch: Arc<Porch>,
    pub journal: Arc<Journal>,
    pub settled: watch::Receiver<Position>,
    pub pulse: Pulse,
    pub machine: Arc<dyn Machine>,
    pub gate: Arc<dyn Gatekeeper>,
    pub clock: Arc<dyn Clock>,
    pub config: WebConfig,
    pub stop: CancellationToken,
    pub started: IngestTime,
    /// Open alerts, kept by [`crate::run`].
    pub(crate) book: Book,
    pub(crate) aside: AsideCell,
    pub(crate) throttle: Throttle,
    /// The same for claim codes.
    pub(crate) claiming: Throttle,
    /// Places for payloads over HTTP on their way to the disk.
    pub(crate) arrivals: Semaphore,
    /// Places for requests with pictures that are being read.
    pub(crate) uploads: Semaphore,
    pub(crate) sockets: Sockets,
    pub(crate) kpi: watch::Sender<Arc<Kpi>>,
    pub(crate) health: watch::Sender<Option<Arc<Health>>>,
}

/// See [`Inner`].
#[derive(Debug, Clone)]
pub struct AppState(Arc<Inner>);

impl Deref for AppState {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl AppState {
    pub fn new(parts: Parts) -> Self {
        let Parts {
            ledger,
            cases,
            notify,
            judge,
            chunks,
            blobs,
            hub,
            trace,
            porch,
            journal,
            settled,
            pulse,
            machine,
            gate,
            clock,
            config,
            stop,
        } = parts;
        let started = clock.now();
        let sockets = Sockets::new(config.sockets_max, config.sockets_per_user_max);
        Self(Arc::new(Inner {
            ledger,
            cases,
            notify,
            judge,
            loss: LossLedger::new(chunks.clone()),
            quarantine: QuarantineList::new(chunks.clone()),
            chunks,
            blobs,
            hub,
            trace,
            porch,
            journal,
            settled,
            pulse,
            machine,
            gate,
            clock,
            config,
            stop,
            started,
            book: Book::default(),
            aside: AsideCell::default(),
            throttle: Throttle::default(),
            claiming: Throttle::default(),
            arrivals: Semaphore::new(arrivals::IN_FLIGHT_MAX),
            uploads: Semaphore::new(pictures::UPLOADS_MAX),
            sockets,
            kpi: watch::channel(Arc::default()).0,
            health: watch::channel(None).0,
        }))
    }

    pub(crate) fn now(&self) -> IngestTime {
        self.clock.now()
    }

    /// Now, as the time at which installations and limits are looked up for a page.
    pub(crate) fn event_now(&self) -> EventTime {
        EventTime(self.clock.now().0)
    }

    pub(crate) fn facts(&self) -> Arc<Facts> {
        self.ledger.facts_now()
    }
}
