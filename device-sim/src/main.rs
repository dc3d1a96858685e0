//! `device-sim`: a simulated district for demonstrations, tests and vendors.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its standard streams")]

mod commands;

mod slaves;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use commands::LabArgs;
use device_sim::district::{self, District, Size};
use device_sim::fault::Faults;
use device_sim::fleet::{self, Options, Secret, Secrets, Tally};
use device_sim::load::frames::{self, FrameLoad};
use device_sim::load::{self, Load, Pace, Publisher};
use device_sim::obey::Manners;
use device_sim::plan::{Judging, Plan, Timeline};
use device_sim::transport::Targets;
use device_sim::{registers, truth};
use indicatif::{ProgressBar, ProgressStyle};
use model::time::{Clock, EventTime, SystemClock};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
#[command(version, about = "Simulated fleets with ground truth, over the real wires")]
#[command(after_help = "Examples:
  device-sim district --seed 7 --restaurants 60 --sites 4 --trucks 20 --out district/
  lantian apply district/ --credentials credentials.json
  device-sim fleet --seed 7 --restaurants 60 --sites 4 --trucks 20 --credentials credentials.json
  device-sim lab --listen 0.0.0.0 --for 10m --report acceptance
  device-sim load --mqtt 127.0.0.1:1883 --connections 1000 --credentials credentials.json --flood 20 --seconds 30
  device-sim load-frames --hj212 127.0.0.1:9212 --connections 1000 --credentials credentials.json")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the registers of a made-up district as files for `lantian apply`.
    District {
        #[command(flatten)]
        size: SizeArgs,
        #[arg(long, default_value_t = 15_020)]
        modbus_first_port: u16,
        /// A third of the sites have their slaves behind a modem that dials in; run the fleet with --dtu then.
        #[arg(long)]
        modems: bool,
        /// Areas, notices, night permits, cleaning records, manifests too, dated back from today.
        #[arg(long)]
        papers: bool,
        #[arg(long)]
        out: PathBuf,
    },
    /// Play Modbus RTU slaves over TCP, on a line as bad as you like.
    #[command(after_help = "Examples:
  device-sim slaves --listen 127.0.0.1:8899 --units 1,2,3 --late 0.1 --damaged 0.05
  device-sim slaves --dial 127.0.0.1:9502 --registration 860000000000001 --heartbeat PING --units 1,2
  lantian modbus probe rtu+tcp://127.0.0.1:8899 --read 3:0:6")]
    Slaves(slaves::SlavesArgs),
    /// Run the district's devices; the truth is written before the first of them speaks.
    Fleet(FleetArgs),
    /// Put load on an MQTT listener and print the outcome as JSON.
    Load(LoadArgs),
    /// Put load of HJ 212 or JT/T 808 frames on a listener and print the outcome as JSON.
    LoadFrames(FrameLoadArgs),
    /// Take a real device, explain its frames live, and list what it does wrong.
    Lab(LabArgs),
}

#[derive(Debug, Args)]
struct SizeArgs {
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 60)]
    restaurants: u32,
    #[arg(long, default_value_t = 4)]
    sites: u32,
    #[arg(long, default_value_t = 20)]
    trucks: u32,
}

impl SizeArgs {
    const fn size(&self) -> Size {
        Size { seed: self.seed, restaurants: self.restaurants, sites: self.sites, trucks: self.trucks }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Pacing {
    /// The shipped rules' windows.
    Real,
    /// The demonstration's shortened windows.
    Demo,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Answering {
    Obey,
    /// Never answers.
    Silent,
    /// Answers after the platform has asked again.
    Late,
    /// Answers everything twice.
    Twice,
    /// Refuses everything.
    Refuse,
}

impl From<Answering> for Manners {
    fn from(answering: Answering) -> Self {
        match answering {
            Answering::Obey => Self::Obey,
            Answering::Silent => Self::Silent,
            Answering::Late => Self::Late,
            Answering::Twice => Self::Twice,
            Answering::Refuse => Self::Refuse,
        }
    }
}

#[derive(Debug, Args)]
struct FleetArgs {
    #[command(flatten)]
    size: SizeArgs,
    /// Secrets by device, as `lantian apply --credentials` wrote them.
    #[arg(long)]
    credentials: PathBuf,
    #[arg(long, default_value = "127.0.0.1:1883")]
    mqtt: String,
    #[arg(long, default_value = "127.0.0.1:9212")]
    hj212: String,
    #[arg(long, default_value = "127.0.0.1:9808")]
    jt808: String,
    #[arg(long, default_value = "127.0.0.1")]
    modbus_host: String,
    #[arg(long, default_value_t = 15_020)]
    modbus_first_port: u16,
    /// Where the modems of the sites dial in, when the district was written with --modems.
    #[arg(long)]
    dtu: Option<String>,
    #[arg(long, value_enum, default_value = "real")]
    pacing: Pacing,
    /// Start so many minutes in the past and catch up.
    #[arg(long, default_value_t = 0)]
    back_minutes: i64,
    /// Length of the planned timeline in minutes.
    #[arg(long, default_value_t = 360)]
    length_minutes: i64,
    /// Begin at this moment, UTC milliseconds, instead of now less --back-minutes.
    #[arg(long)]
    start_ms: Option<i64>,
    /// A tenth of the messages late, repeated or shuffled.
    #[arg(long)]
    faults: bool,
    /// Trucks take pictures now and then, and some tell alarms of active safety (Su-biao) with a picture.
    #[arg(long)]
    pictures: bool,
    /// How devices answer commands of the platform.
    #[arg(long, value_enum, default_value = "obey")]
    commands: Answering,
    /// End when the timeline is over and everything was acknowledged.
    #[arg(long)]
    stop_at_end: bool,
    /// Write what is true, before any device speaks.
    #[arg(long)]
    truth: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct LoadArgs {
    #[arg(long)]
    mqtt: String,
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Publish as the fume monitors of this file; without it anonymously.
    #[arg(long)]
    credentials: Option<PathBuf>,
    /// As fast as acknowledgements allow, this many unacknowledged a connection.
    #[arg(long)]
    flood: Option<u16>,
    /// Open loop: messages a second over all connections.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("listener").required(true).args(["hj212", "jt808"]))]
struct FrameLoadArgs {
    /// Fume monitors' real-time data to this HJ 212 listener.
    #[arg(long)]
    hj212: Option<String>,
    /// Trucks' positions to this JT/T 808 listener.
    #[arg(long)]
    jt808: Option<String>,
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    #[arg(long)]
    credentials: PathBuf,
    /// Unanswered frames a connection keeps.
    #[arg(long, default_value_t = 20)]
    window: usize,
    /// Frames of each connection; their event times are a second apart.
    #[arg(long, default_value_t = 200)]
    frames: u32,
    /// How long ago the first frame's event was.
    #[arg(long, default_value_t = 3600)]
    back_seconds: i64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::debug!("{error:?}");
            eprintln!("device-sim: failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().command {
        Command::Slaves(arguments) => slaves::run(arguments).await.map(|()| 0),
        Command::District { size, modbus_first_port, modems, papers, out } => {
            let district = District::generate(size.size());
            let modems = if modems { registers::Modems::DialIn } else { registers::Modems::None };
            registers::write(&district, modbus_first_port, modems, &out)?;
            if papers {
                device_sim::papers::write(&district, EventTime(SystemClock.now().0), &out)?;
            }
            println!(
                "{}: {} restaurants, {} sites, {} trucks in {}",
                district::DISTRICT_NAME,
                district.restaurants.len(),
                district.sites.len(),
                district.trucks.len(),
                out.display()
            );
            Ok(0)
        }
        Command::Fleet(arguments) => run_fleet(arguments).await.map(|()| 0),
        Command::Load(arguments) => run_load(arguments).await.map(|()| 0),
        Command::LoadFrames(arguments) => run_load_frames(arguments).await.map(|()| 0),
        Command::Lab(arguments) => commands::lab(arguments).await,
    }
}

async fn run_fleet(arguments: FleetArgs) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let district = Arc::new(District::generate(arguments.size.size()));
    let judging = match arguments.pacing {
        Pacing::Real => Judging::REAL,
        Pacing::Demo => Judging::DEMO,
    };
    let minute = judging.reading_interval_s * 1000;
    let start_ms = arguments.start_ms.unwrap_or_else(|| clock.now().as_ms() - arguments.back_minutes * 60_000);
    let timeline =
        Timeline { start_ms: start_ms - start_ms.rem_euclid(minute), length_s: arguments.length_minutes * 60 };
    let plan = Arc::new(Plan::make(&district, timeline, judging));
    if let Some(path) = &arguments.truth {
        let text = serde_json::to_string_pretty(&truth::expected(&district, &plan)).context("write the truth")?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let secrets = read_secrets(&arguments.credentials)?;
    let options = Options {
        targets: Targets {
            mqtt: arguments.mqtt,
            hj212: arguments.hj212,
            jt808: arguments.jt808,
            modbus_host: arguments.modbus_host,
            modbus_first_port: arguments.modbus_first_port,
            dtu: arguments.dtu,
        },
        faults: if arguments.faults { Faults::TENTH } else { Faults::NONE },
        manners: arguments.commands.into(),
        stop_at_end: arguments.stop_at_end,
        pictures: arguments.pictures,
        from_ms: timeline.start_ms,
    };
    let (tally, stop) = (Arc::new(Tally::default()), CancellationToken::new());
    let fleet = fleet::run(district, plan, &secrets, options, clock, Arc::clone(&tally), stop.clone());
    let progress = progress(Arc::clone(&tally));
    // Dropping the progress task loses nothing; the fleet is driven to its end after Ctrl-C.
    let watch = async {
        tokio::signal::ctrl_c().await.ok(); // without signals the fleet runs to its end
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = fleet => outcome,
        () = watch => Ok(()),
        () = progress => Ok(()),
    };
    println!(
        "{{\"sent\":{},\"acknowledged\":{}}}",
        tally.sent.load(Ordering::Relaxed),
        tally.acknowledged.load(Ordering::Relaxed)
    );
    outcome
}

fn read_secrets(path: &std::path::Path) -> Result<Secrets> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))
}

/// Shows how far the fleet is, for ever.
async fn progress(tally: Arc<Tally>) {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    loop {
        bar.set_message(format!(
            "sent {} · acknowledged {} · up to date {} of {} devices",
            tally.sent.load(Ordering::Relaxed),
            tally.acknowledged.load(Ordering::Relaxed),
            tally.caught_up.load(Ordering::Relaxed),
            tally.members.load(Ordering::Relaxed),
        ));
        bar.tick();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn run_load(arguments: LoadArgs) -> Result<()> {
    let pace = match (arguments.flood, arguments.rate) {
        (Some(window), None) => Pace::Flood { window },
        (None, Some(per_second)) => Pace::Rate { per_second },
        _ => bail!("give either --flood WINDOW or --rate PER_SECOND"),
    };
    let publishers = match &arguments.credentials {
        None => (0..arguments.connections)
            .map(|n| Publisher {
                client_id: format!("load-{n}"),
                credential: None,
                topic: format!("lantian/v1/load-{n}/telemetry"),
            })
            .collect(),
        Some(path) => {
            let secrets = read_secrets(path)?;
            let own: Vec<Publisher> = secrets
                .into_iter()
                .filter(|(device, secret)| *device == secret.identity)
                .take(arguments.connections)
                .map(|(device, secret)| Publisher {
                    client_id: device.clone(),
                    topic: format!("lantian/v1/{device}/telemetry"),
                    credential: Some((secret.identity, secret.secret)),
                })
                .collect();
            if own.len() < arguments.connections {
                bail!("the file has credentials of {} MQTT devices, {} are wanted", own.len(), arguments.connections);
            }
            own
        }
    };
    let load = Load {
        address: arguments.mqtt,
        publishers,
        pace,
        seconds: arguments.seconds,
        first_ms: SystemClock.now().as_ms() - 3_600_000,
    };
    println!("{}", serde_json::to_string(&load::run(load).await?).context("write the outcome")?);
    Ok(())
}

async fn run_load_frames(arguments: FrameLoadArgs) -> Result<()> {
    let (kind, address, like) = match (arguments.hj212, arguments.jt808) {
        (Some(address), None) => (frames::Kind::Hj212, address, district::FUME_MN),
        (None, Some(address)) => (frames::Kind::Jt808, address, district::TRUCK_PHONE),
        _ => bail!("give either --hj212 ADDRESS or --jt808 ADDRESS"),
    };
    let secrets = read_secrets(&arguments.credentials)?;
    let own = secrets.into_iter().filter(|(device, secret)| *device != secret.identity);
    let devices: Vec<Secret> =
        own.map(|(_, secret)| secret).filter(|s| s.identity.starts_with(like)).take(arguments.connections).collect();
    if devices.len() < arguments.connections {
        bail!("the file has credentials of {} such devices, {} are wanted", devices.len(), arguments.connections);
    }
    let load = FrameLoad {
        kind,
        address,
        devices,
        frames: arguments.frames,
        window: arguments.window,
        first_ms: SystemClock.now().as_ms() - arguments.back_seconds * 1000,
    };
    println!("{}", serde_json::to_string(&frames::run(load).await?).context("write the outcome")?);
    Ok(())
}
