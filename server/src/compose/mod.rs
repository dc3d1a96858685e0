//! The only wiring: opens the stores, joins the parts, opens the ports, and takes everything down again in order.
//!
//! ```text
//! start  stores → journal (and our own outage) → outbox → judge → settle → projections → gateway → page
//! stop   gateway → ticks and outbox → page → settle → judge → projections → journal
//! ```

mod brokers;
mod claims;
mod files;
mod judge;
mod listeners;
mod machine;
mod notify;
mod outbox;
mod policies;
mod projection;
pub(crate) mod replay;
mod ticks;

use crate::config::Config;
use crate::shutdown::{self, Tasks};
use crate::telemetry;
use anyhow::{Context, Result, anyhow, ensure};
use cases::notify::{Notify, Planner};
use cases::{Cases, Judge, JudgeConfig};
use dashboards::{AppState, Parts, Pulse, WebConfig};
use database::{Database, Options};
use gateway::budget::Budget;
use gateway::edge::Edge;
use gateway::jt808::attachments::Attachments;
use gateway::limits::Limits;
use ingest::chunks::{ChunkConfig, ChunkStore};
use ingest::journal::layer::Disk;
use ingest::journal::{Journal, JournalConfig};
use ingest::live::{FanOutFeed, LiveConfig, LiveHub};
use ingest::quarantine::{Porch, PorchConfig, WireTrace, WireTraceConfig};
use ingest::worker::{Worker, WorkerConfig, WorkerParts};
use ledger::{Keys, Ledger};
use listeners::{Listeners, Tls};
use model::time::{Clock, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Batches that may wait for the judge; then settle waits.
const JUDGE_QUEUE: usize = 64;

/// The databases of a configuration.
pub(crate) struct Stores {
    pub(crate) main: Database,
    pub(crate) chunks: Database,
    pub(crate) ledger: Ledger,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Opens the databases and the registers.
pub(crate) async fn open_stores(config: &Config) -> Result<Stores> {
    std::fs::create_dir_all(&config.data_dir).with_context(|| format!("create {}", config.data_dir.display()))?;
    // Registers, cases and credentials are nobody else's to read.
    std::fs::set_permissions(&config.data_dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .with_context(|| format!("make {} private", config.data_dir.display()))?;
    crate::commands::check_format(&config.data_dir)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (main, chunks) = match &config.database_url {
        None => {
            (Options::sqlite(config.data_dir.join("lantian.db")), Options::sqlite(config.data_dir.join("chunks.db")))
        }
        Some(url) => (Options::url(url)?, Options::url(url)?.schema("chunks")),
    };
    let place = |name: &str| match &config.database_url {
        None => config.data_dir.join(name).display().to_string(),
        Some(_) => "at data.database_url".to_owned(),
    };
    let main = Database::open(main).await.with_context(|| format!("open the database {}", place("lantian.db")))?;
    let chunks = Database::open(chunks)
        .await
        .with_context(|| format!("open the chunk store's database {}", place("chunks.db")))?;
    let keys = Keys::open(&config.data_dir).context("open the key file")?;
    let ledger = Ledger::open(main.clone(), keys.clone(), Arc::clone(&clock)).await;
    let ledger = ledger.with_context(|| format!("open the registers in {}", place("lantian.db")))?;
    ledger.desk().set_check(gateway::downlink::check);
    Ok(Stores { main, chunks, ledger, keys, clock })
}

/// Runs until a signal or a failed task, then stops in order. `Err` before everything is up, or when a task failed.
pub(crate) async fn serve(config: Config) -> Result<()> {
    let metrics = telemetry::start_metrics()?;
    machine::raise_files_limit();
    let failed = CancellationToken::new();
    let phases = Phases::new(&failed);
    let _lock = crate::commands::lock(&config.data_dir)?;
    let tls = Tls::open(&config)?;
    let listeners = Listeners::bind(&config, tls.as_ref()).await?;
    let stores = open_stores(&config).await?;
    let journal = open_journal(&config, &stores.clock)?;
    outbox::publish(&stores.ledger, &journal).await.context("publish the registers' revisions")?;
    let system = System::start(&config, stores, journal, &phases).await?;
    system.open_ports(&config, listeners, &phases);
    if let Some(tls) = tls {
        phases.gateway.spawn("certificate", tls.keep(Arc::clone(&system.edge.clock), phases.gateway.token()));
    }
    if let Some(address) = config.metrics_listen {
        phases.page.spawn("metrics", telemetry::serve_metrics(address, metrics, phases.page.token()));
    }
    info!(version = env!("CARGO_PKG_VERSION"), data = %config.data_dir.display(), "lantian is up");
    // Both branches are cancel-safe.
    let why = tokio::select! {
        why = shutdown::signal() => why,
        () = failed.cancelled() => "a failed task",
    };
    info!(why, "stopping");
    let clean = system.stop(&config, &phases).await;
    match (failed.is_cancelled(), clean) {
        (true, _) => Err(anyhow!("go on: a task failed, see the log")),
        (false, false) => {
            Err(anyhow!("stop within {} s; see the log for who was pending", config.stop_deadline.as_secs()))
        }
        (false, true) => Ok(()),
    }
}

/// Tasks by the order they are stopped in.
struct Phases {
    gateway: Tasks,
    feeds: Tasks,
    page: Tasks,
    judge: Tasks,
    projections: Tasks,
}

impl Phases {
    fn new(failed: &CancellationToken) -> Self {
        let phase = |name| Tasks::new(name, failed.clone());
        Self {
            gateway: phase("gateway"),
            feeds: phase("feeds"),
            page: phase("page"),
            judge: phase("judge"),
            projections: phase("projections"),
        }
    }
}

/// A journal that ends before what was read of it has lost its end: new records would get places that count as done.
fn ensure_whole(journal: &Journal, cursor: model::envelope::Position, who: &str) -> Result<()> {
    let end = journal.durable();
    ensure!(
        cursor.seq <= end.seq,
        "go on with this data folder: the journal ends at {end}, but {who} has worked up to {cursor}, so its last segments are missing; \
         bring them back, or restore a backup"
    );
    Ok(())
}

/// Without noting anything in it.
fn open_journal_for_reading(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<Journal>> {
    let mut own = JournalConfig::new(config.data_dir.join("journal"));
    own.segment_bytes = config.journal.segment_mib << 20;
    Ok(Journal::open(own, Arc::new(Disk), clock).context("open the journal")?.0)
}

fn open_journal(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<Journal>> {
    let mut own = JournalConfig::new(config.data_dir.join("journal"));
    own.segment_bytes = config.journal.segment_mib << 20;
    own.queue_bytes_max = usize::try_from(config.journal.queue_mib << 20).context("read journal.queue_mib")?;
    own.archive_retention = Duration::from_secs(config.journal.archive_days * 86_400);
    let (journal, recovery) = Journal::open(own, Arc::new(Disk), Arc::clone(clock)).context("open the journal")?;
    info!(last = recovery.last.seq, torn_bytes = recovery.torn_bytes, "journal opened");
    ticks::note_own_outage(&journal, &recovery, clock.now()).context("note our own outage in the journal")?;
    Ok(journal)
}

/// Everything behind the ports.
struct System {
    edge: Edge,
    front: gateway::mqtt::Front,
    attachments: Option<Arc<Attachments>>,
    journal: Arc<Journal>,
    porch: Arc<Porch>,
    worker: Worker,
    settle_stop: CancellationToken,
    app: AppState,
    chunks_db: Database,
}

impl System {
    async fn start(config: &Config, stores: Stores, journal: Arc<Journal>, phases: &Phases) -> Result<Self> {
        let Stores { main, chunks: chunks_db, ledger, keys, clock } = stores;
        let chunks =
            ChunkStore::open(chunks_db.clone(), ChunkConfig::default()).await.context("open the chunk store")?;
        ensure_whole(&journal, chunks.cursor(), "settle")?;
        let blobs = files::open(config, &clock)?;
        let porch = Arc::new(Porch::new(PorchConfig::default()));
        machine::restore_porch(&config.data_dir, &porch);
        let trace = Arc::new(WireTrace::new(WireTraceConfig::default()));
        let hub = LiveHub::new(LiveConfig::default());
        let edge = make_edge(config, (&ledger, &journal), (&porch, &trace), &clock, phases);
        let front = start_front(config, &edge, phases)?;
        let brokers = brokers::start(config, &edge, &journal, phases)?;
        phases.feeds.spawn("terminals", outbox::keep_terminals(ledger.clone(), phases.feeds.token()));
        phases.feeds.spawn("commands", outbox::keep_commands(ledger.clone(), phases.feeds.token()));
        let listened = Arc::new(AtomicBool::new(false));
        phases
            .feeds
            .spawn("fan-out watch", ticks::watch_fan_out(front.clone(), Arc::clone(&listened), phases.feeds.token()));
        let (batches, received) = mpsc::channel(JUDGE_QUEUE);
        let (judged, judged_seen) = watch::channel(model::envelope::Position::default());
        let judge = open_judge(&main, &ledger, &journal, &config.calendar).await?;
        ensure_whole(&journal, judge.handle().committed(), "the judge")?;
        judged.send_replace(judge.handle().committed());
        let handle = judge.handle();
        let pulse = Pulse::open(main.clone()).await.context("open the outage list")?;
        phases
            .feeds
            .spawn("policies", policies::run(ledger.clone(), chunks.clone(), Arc::clone(&clock), phases.feeds.token()));
        let settle_stop = CancellationToken::new();
        let known: Vec<_> = ledger.facts_now().devices.keys().copied().collect();
        hub.warm(&chunks, known).await.context("read the latest of each device")?;
        let facts = ledger.facts_as_of(chunks.cursor()).await.context("fold the registers")?;
        let worker = Worker::spawn(
            WorkerParts {
                journal: Arc::clone(&journal),
                store: chunks.clone(),
                facts,
                hub: hub.clone(),
                trace: Arc::clone(&trace),
                fan_out: Some(FanOutFeed::new(front.fan_out(), Arc::clone(&listened))),
                blobs: Some(Arc::clone(&blobs)),
                judge: batches,
                judged: judged_seen,
                clock: Arc::clone(&clock),
                stop: settle_stop.clone(),
            },
            WorkerConfig::default(),
        )
        .await
        .context("start settle")?;
        let notifying = start_notify(config, (&main, &keys, &ledger), &handle, &clock, phases)?;
        phases.judge.spawn(
            "judge",
            judge::run(judge, received, judged, ledger.clone(), pulse.clone(), chunks.clone(), settle_stop.clone()),
        );
        phases.feeds.spawn(
            "ticks",
            ticks::run(Arc::clone(&journal), Arc::clone(&clock), config.gateway.clone(), phases.feeds.token()),
        );
        phases
            .feeds
            .spawn("outbox", outbox::run(ledger.clone(), Arc::clone(&journal), main.clone(), phases.feeds.token()));
        let journal_bytes = start_house(config, (&journal, &chunks, &porch, &clock), phases);
        let projection = projection::start(config, &chunks, worker.settled(), &ledger, phases)?;
        let app = AppState::new(Parts {
            ledger,
            cases: Cases::new(main),
            notify: notifying,
            judge: handle,
            chunks,
            blobs: Arc::clone(&blobs),
            hub,
            trace,
            porch: Arc::clone(&porch),
            journal: Arc::clone(&journal),
            settled: worker.settled(),
            pulse,
            machine: Arc::new(machine::ThisMachine::new(config.data_dir.clone(), projection, journal_bytes, brokers)),
            gate: Arc::clone(&edge.limits) as Arc<dyn model::gatekeeper::Gatekeeper>,
            clock,
            config: web_config(config),
            stop: phases.page.token(),
        });
        let attachments = files::attachments(config, keys, blobs);
        Ok(Self { edge, front, attachments, journal, porch, worker, settle_stop, app, chunks_db })
    }

    fn open_ports(&self, config: &Config, listeners: Listeners, phases: &Phases) {
        let stop = phases.gateway.token();
        let (edge, gateway) = (self.edge.clone(), &config.gateway);
        // A protocol without a port ends at once.
        let front = self.front.clone();
        phases.gateway.spawn("mqtt", async move {
            front.serve(listeners.mqtt).await;
            Ok(())
        });
        let mut own = gateway::hj212::Hj212Config::default();
        own.tcp.connections_max = count(gateway.hj212_connections_max);
        let serving = gateway::hj212::serve(listeners.hj212, edge.clone(), own, stop.clone());
        phases.gateway.spawn("hj212", async move {
            serving.await;
            Ok(())
        });
        let mut own = gateway::jt808::Jt808Config::default();
        own.tcp.connections_max = count(gateway.jt808_connections_max);
        let files = self.attachments.clone();
        let serving = gateway::jt808::serve_asking(listeners.jt808, edge.clone(), own, files, stop.clone());
        phases.gateway.spawn("jt808", async move {
            serving.await;
            Ok(())
        });
        files::open_ports(self, config, (listeners.jt808_udp, listeners.attachments), phases);
        if gateway.modbus {
            let mut own = gateway::modbus::ModbusConfig::default();
            own.dtu.connections_max = count(gateway.dtu_connections_max);
            let polling = gateway::modbus::serve(listeners.dtu, edge, own, stop);
            phases.gateway.spawn("modbus", async move {
                polling.await;
                Ok(())
            });
        }
        let (app, stop) = (self.app.clone(), phases.page.token());
        let bounds = dashboards::ListenerConfig {
            connections_max: count(config.web.connections_max),
            connections_per_address_max: count(config.web.connections_per_address_max),
            header_timeout: config.web.header_timeout,
            idle_timeout: config.web.idle_timeout,
            trusted_proxies: config.web.trusted_proxies.clone(),
        };
        phases.page.spawn("page", async move {
            dashboards::serve(listeners.web, dashboards::router(app), bounds, stop).await;
            Ok(())
        });
        let app = self.app.clone();
        phases.page.spawn("push", async move {
            dashboards::run(app).await;
            Ok(())
        });
    }

    /// First nobody may bring anything new, then what was brought is worked off, then the stores close.
    async fn stop(self, config: &Config, phases: &Phases) -> bool {
        let deadline = tokio::time::Instant::now() + config.stop_deadline;
        let mut clean = phases.gateway.finish(deadline).await;
        clean &= tokio::time::timeout_at(deadline, self.front.finish()).await.is_ok();
        clean &= phases.feeds.finish(deadline).await;
        clean &= phases.page.finish(deadline).await;
        self.settle_stop.cancel();
        match tokio::time::timeout_at(deadline, self.worker.stopped()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(%error, "settle ended badly");
                clean = false;
            }
            Err(_) => {
                tracing::warn!("settle was still working at the deadline; the journal has everything");
                clean = false;
            }
        }
        clean &= phases.judge.finish(deadline).await;
        clean &= phases.projections.finish(deadline).await;
        machine::keep_porch(&config.data_dir, &self.porch);
        let journal = self.journal;
        tokio::task::spawn_blocking(move || journal.stop()).await.ok(); // a panic there is logged by its own thread
        self.chunks_db.close().await;
        clean
    }
}

/// The housekeeping, and what it measures of the journal.
fn start_house(
    config: &Config,
    of: (&Arc<Journal>, &ChunkStore, &Arc<Porch>, &Arc<dyn Clock>),
    phases: &Phases,
) -> Arc<AtomicU64> {
    let journal_bytes = Arc::new(AtomicU64::new(0));
    let measured = (config.data_dir.clone(), Arc::clone(&journal_bytes));
    let house = ticks::House::new(of, measured, config.quarantine);
    phases.feeds.spawn("house", ticks::keep_house(house, phases.feeds.token()));
    journal_bytes
}

/// What every listener is given, and the work behind it.
fn make_edge(
    config: &Config,
    (ledger, journal): (&Ledger, &Arc<Journal>),
    (porch, trace): (&Arc<Porch>, &Arc<WireTrace>),
    clock: &Arc<dyn Clock>,
    phases: &Phases,
) -> Edge {
    let (provisioner, claimed) = claims::Claims::new();
    phases.feeds.spawn("claims", claims::run(ledger.clone(), claimed, phases.feeds.token()));
    Edge {
        provisioner: Some(Arc::new(provisioner)),
        inlet: Arc::clone(journal) as Arc<dyn model::seams::Inlet>,
        directory: ledger.directory(),
        doorstep: Arc::clone(porch) as Arc<dyn model::seams::Doorstep>,
        wire: Arc::clone(trace) as Arc<dyn model::seams::WireLog>,
        downlink: ledger.desk(),
        clock: Arc::clone(clock),
        budget: Arc::new(Budget::new(u32::try_from(config.gateway.in_flight_mib << 20).unwrap_or(u32::MAX))),
        online: Arc::default(),
        limits: Limits::new(config.limits.clone(), Arc::clone(clock)),
        changes: ledger.directory().changes(),
    }
}

/// Who is told of alerts.
fn start_notify(
    config: &Config,
    (main, keys, ledger): (&Database, &Keys, &Ledger),
    judge: &cases::JudgeHandle,
    clock: &Arc<dyn Clock>,
    phases: &Phases,
) -> Result<Notify> {
    let own = Notify::new(main.clone(), keys.clone());
    let registers = ledger.clone();
    let registers = Arc::new(move || registers.facts_now());
    let planner = Planner::new(main.clone(), notify::work_clock(ledger, &config.calendar), registers);
    phases.feeds.spawn("notification planner", notify::plan(planner, judge.clone(), phases.feeds.token()));
    let courier = notify::Courier {
        notify: own.clone(),
        sender: ::notify::Sender::new(config.notify.limits.clone()).context("prepare to send notifications")?,
        ledger: ledger.clone(),
        clock: Arc::clone(clock),
        page_url: config.notify.page_url.clone(),
    };
    phases.feeds.spawn("notification courier", notify::send(courier, phases.feeds.token()));
    Ok(own)
}

fn start_front(config: &Config, edge: &Edge, phases: &Phases) -> Result<gateway::mqtt::Front> {
    let mut own = gateway::mqtt::MqttConfig::new(config.data_dir.join("mqtt"));
    own.connections_max = count(config.gateway.mqtt_connections_max);
    own.packet_bytes_max = count(config.gateway.mqtt_packet_kib_max << 10);
    gateway::mqtt::Front::start(own, edge.clone(), phases.gateway.token()).context("start the MQTT front")
}

/// Bounds of the configuration are far below what an index can hold.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

async fn open_judge(main: &Database, ledger: &Ledger, journal: &Arc<Journal>, calendar: &str) -> Result<Judge> {
    let config = JudgeConfig::default();
    let cursor = Judge::cursor_of(main, config.partition).await.context("read the judge's cursor")?;
    let facts = ledger.facts_as_of(cursor).await.context("fold the registers")?;
    let raw = Arc::new(judge::Frames(Arc::clone(journal)));
    Judge::open(main.clone(), config, facts, raw, judge::deadline(calendar)).await.context("open the judge")
}

fn web_config(config: &Config) -> WebConfig {
    let gateway = &config.gateway;
    let listeners = dashboards::Listeners {
        mqtt: gateway.mqtt.or(gateway.mqtt_tls),
        hj212: gateway.hj212.or(gateway.hj212_tls),
        jt808: gateway.jt808.or(gateway.jt808_tls),
    };
    WebConfig {
        web_dir: config.web.dir.clone(),
        secure_cookie: config.web.https,
        trusted_proxies: config.web.trusted_proxies.clone(),
        district: config.district.clone(),
        picture_bytes_max: config.pictures.picture_bytes_max,
        listeners,
        ..WebConfig::default()
    }
}
