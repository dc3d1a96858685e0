//! `make bench`: what one machine carries, with the load generator beside the server, and the same stream through Mosquitto.
//! Medians of several runs; every figure is printed with what it was measured on.

use crate::district::{Staged, stage};
use crate::tools::Mosquitto;
use crate::{Server, Setup, eventually};
use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use device_sim::fleet::{Secret, Secrets};
use device_sim::load::Outcome;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod frames;
mod latency;

/// Half the restaurants are on MQTT: a thousand publishers.
const SIZE: Size = Size { seed: 1, restaurants: 2_000, sites: 0, trucks: 0 };
const CONNECTIONS: usize = 1_000;
const RUNS: usize = 3;
/// A flood is acknowledged many times faster than it is settled; a few seconds of it keep settle busy for long enough.
const FLOOD_SECONDS: u64 = 3;
const PACED_SECONDS: u64 = 15;
const RATE: f64 = 10_000.0;

pub async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    machine()?;
    let mut server = Server::prepare(folder.path(), unlimited())?;
    let staged = stage(&server, SIZE, "config/library")?;
    server.start().await?;
    let rss_idle = rss_mib(server.pid()?)?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!(
        "RSS: {rss_idle:.0} MiB at start, {:.0} MiB 60 s after start with {} devices registered",
        rss_mib(server.pid()?)?,
        2_000
    );

    let mosquitto = Mosquitto::start(folder.path()).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=RUNS {
        let through = through_everything(&server, &staged).await?;
        let peer = through_mosquitto(&mosquitto).await?;
        println!(
            "run {round}: lantian {:.0} durable messages/s acknowledged, {:.0}/s settled, judged and stored; mosquitto {peer:.0}/s acknowledged, nothing stored",
            through.acknowledged_per_second, through.settled_per_second
        );
        ours.push(through);
        theirs.push(peer);
    }
    let acknowledged = median(ours.iter().map(|t| t.acknowledged_per_second).collect());
    let settled = median(ours.iter().map(|t| t.settled_per_second).collect());
    let peer = median(theirs);
    println!(
        "durable MQTT QoS 1, {CONNECTIONS} connections, 6 fields: {acknowledged:.0}/s acknowledged, {settled:.0}/s through everything (median of {RUNS})"
    );
    println!(
        "mosquitto with a subscriber that does nothing: {peer:.0}/s; ratio lantian/mosquitto {:.2} acknowledged, {:.2} through everything",
        acknowledged / peer,
        settled / peer
    );
    if let Some(last) = ours.last() {
        println!("CPU of the server per message, by thread (µs): {}", stages(&last.cpu_us));
    }

    let paced = load(&server.addresses().mqtt, Some(&staged), &["--rate", &RATE.to_string()], PACED_SECONDS)?;
    println!(
        "PUBACK at {RATE:.0}/s open loop: p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms ({} acknowledged)",
        paced.latency_p50_ms, paced.latency_p99_ms, paced.latency_max_ms, paced.acknowledged
    );
    settle_down(&server).await?;
    let api = server.administrator().await?;
    latency::run(&server, &api, &staged).await?;
    println!("RSS after the runs: {:.0} MiB", rss_mib(server.pid()?)?);
    server.stop()?;
    frames::run().await
}

/// The wires of trucks and loggers alone.
pub async fn run_frames() -> Result<()> {
    machine()?;
    frames::run().await
}

/// What is measured is what the machine carries, so no device is slowed for sending more than one should.
pub(super) fn unlimited() -> Setup {
    let config = "limits.device_frames_per_second = 1000000\nlimits.device_frames_burst = 1000000\n\
                  limits.device_kib_per_second = 1048576\nlimits.device_burst_kib = 1048576\n";
    Setup { config: config.to_owned(), ..Setup::default() }
}

pub(super) fn machine() -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let model = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = model.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("").trim_matches([' ', '\t', ':']);
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).output()?;
    println!("{cores} cores, {model}; commit {}", String::from_utf8_lossy(&commit.stdout).trim());
    Ok(())
}

struct Through {
    acknowledged_per_second: f64,
    settled_per_second: f64,
    /// Server CPU a message, µs, by thread name.
    cpu_us: BTreeMap<String, f64>,
}

/// A flood for some seconds, and the time until the last of it is settled and judged.
async fn through_everything(server: &Server, staged: &Staged) -> Result<Through> {
    let before = settled(server).await?;
    let cpu_before = thread_cpu(server.pid()?)?;
    let begin = Instant::now();
    let outcome = load(&server.addresses().mqtt, Some(staged), &["--flood", "20"], FLOOD_SECONDS)?;
    let wanted = before + as_f64(outcome.acknowledged);
    eventually("everything is settled", Duration::from_secs(300), || async {
        Ok((settled(server).await? >= wanted).then_some(()))
    })
    .await?;
    let all = begin.elapsed().as_secs_f64();
    let cpu_us = per_message(thread_cpu(server.pid()?)?, &cpu_before, outcome.acknowledged);
    settle_down(server).await?;
    Ok(Through {
        acknowledged_per_second: outcome.acknowledged_per_second,
        settled_per_second: as_f64(outcome.acknowledged) / all,
        cpu_us,
    })
}

/// Server CPU a message between two readings, µs, by thread name.
fn per_message(now: BTreeMap<String, f64>, before: &BTreeMap<String, f64>, messages: u64) -> BTreeMap<String, f64> {
    let spent = |name: &String, seconds: f64| seconds - before.get(name).copied().unwrap_or(0.0);
    let each = |(name, seconds)| {
        let us = spent(&name, seconds) * 1e6 / as_f64(messages.max(1));
        (name, us)
    };
    now.into_iter().map(each).collect()
}

/// Records, however they ended.
async fn settled(server: &Server) -> Result<f64> {
    server.metric("ingest_settle_records_total").await
}

/// Waits until nothing moves for two seconds, so that runs are alike.
pub(super) async fn settle_down(server: &Server) -> Result<()> {
    eventually("the server is calm", Duration::from_secs(120), || async {
        let before = settled(server).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(((settled(server).await? - before).abs() < 1.0).then_some(()))
    })
    .await
}

async fn through_mosquitto(mosquitto: &Mosquitto) -> Result<f64> {
    let (host, port) = mosquitto.address.rsplit_once(':').context("an address")?;
    let mut subscriber = crate::tools::command("mosquitto_sub")?;
    subscriber.args(["-h", host, "-p", port, "-t", "#", "-q", "0"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut subscriber = subscriber.spawn().context("start mosquitto_sub")?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let outcome = load(&mosquitto.address, None, &["--flood", "20"], 10);
    subscriber.kill().ok(); // it may have ended by itself
    subscriber.wait()?;
    Ok(outcome?.acknowledged_per_second)
}

/// Runs the load generator as a process of its own.
fn load(address: &str, staged: Option<&Staged>, pace: &[&str], seconds: u64) -> Result<Outcome> {
    let mut command = Command::new(crate::process::binary("device-sim")?);
    command.args([
        "load",
        "--mqtt",
        address,
        "--connections",
        &CONNECTIONS.to_string(),
        "--seconds",
        &seconds.to_string(),
    ]);
    command.args(pace).stdin(Stdio::null());
    if let Some(staged) = staged {
        command.arg("--credentials").arg(&staged.credentials);
    }
    let output = command.output().context("run the load generator")?;
    ensure!(output.status.success(), "load generator: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("read the load generator's outcome")
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn stages(cpu_us: &BTreeMap<String, f64>) -> String {
    let mut rows: Vec<(&String, &f64)> = cpu_us.iter().filter(|(_, us)| **us > 0.05).collect();
    rows.sort_by(|a, b| b.1.total_cmp(a.1));
    rows.iter().map(|(name, us)| format!("{name} {us:.1}")).collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// CPU seconds of a process by thread name.
fn thread_cpu(pid: u32) -> Result<BTreeMap<String, f64>> {
    /// Clock ticks a second of `/proc`, fixed on Linux.
    const TICKS: f64 = 100.0;
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(stat) = std::fs::read_to_string(entry?.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let name = stat.get(open + 1..close).unwrap_or("").trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        let fields: Vec<&str> = stat.get(close + 2..).unwrap_or("").split(' ').collect();
        let ticks = |n: usize| fields.get(n).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        *all.entry(name.to_owned()).or_insert(0.0) += (ticks(11) + ticks(12)) / TICKS;
    }
    Ok(all)
}

pub(super) fn rss_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// The MQTT devices of a district: their user name is their code.
pub(crate) fn mqtt_devices(secrets: &Secrets) -> impl Iterator<Item = (&String, &Secret)> {
    secrets.iter().filter(|(device, secret)| **device == secret.identity)
}

/// A percentile of sorted values.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(0.0)
}
