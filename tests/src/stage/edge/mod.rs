//! `stage bench-edge`: what ten thousand quiet connections cost, and what hostile ones do to the good ones. It can be run alone;
//! `make bench` runs it too. With a second argument it is smaller: `stage bench-edge 10` is a tenth of everything.
//!
//! Each hostile client has an address of its own (127.x.y.z), as a botnet would, so that limits per address do not make it easy.
//! They run on the same machine as the server and the good ones, so what they take of its processors counts against the server.

mod crowd;
mod hostile;
mod wire;

use super::bench::{machine, rss_mib, settle_down};
use crate::district::{Staged, stage};
use crate::process::binary;
use crate::{Server, Setup};
use anyhow::{Context, Result, ensure};
use crowd::Crowd;
use device_sim::district::{Size, Wire};
use device_sim::load::Outcome;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::{Command, Stdio};
use std::time::Duration;
use tls::testing::Authority;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale(u32);

impl Scale {
    const fn of(self, full: u32) -> u32 {
        let part = full / self.0;
        if part == 0 { 1 } else { part }
    }
}

/// The quiet ones by protocol; of the MQTT ones so many over TLS.
const MQTT: u32 = 5_500;
const MQTT_TLS: u32 = 1_000;
const HJ212: u32 = 3_500;
const JT808: u32 = 1_000;
const QUIET_SECONDS: u64 = 20;
/// The good ones: a message a second each, open loop.
const GOOD: u32 = 1_000;
const SECONDS: u64 = 20;
const ROUNDS: usize = 3;
const RSS_MIB_AIM: f64 = 250.0;
const RATIO_AIM: f64 = 1.5;

/// # Errors
/// The run cannot be made; not that an aim is missed, which is printed.
pub async fn run(divisor: u32) -> Result<()> {
    let scale = Scale(divisor.max(1));
    enough_files(scale)?;
    machine()?;
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("bench");
    let files = authority.server().write(folder.path());
    let tls_port = crate::free_port()?;
    let config = format!(
        "mqtt.tls_listen = \"127.0.0.1:{tls_port}\"\ntls.certificate = {:?}\ntls.key = {:?}\n",
        files.certificate, files.key
    );
    let mut server = Server::prepare(folder.path(), Setup { config, ..Setup::default() })?;
    // Half the restaurants are on MQTT, half on HJ 212; the publishers are the first of them.
    let restaurants = scale.of(2 * (MQTT + 200));
    // One truck in ten is on MQTT.
    let size = Size { seed: 1, restaurants, sites: 0, trucks: scale.of(JT808 * 5 / 4) };
    let staged = stage(&server, size, "config/library")?;
    server.start().await?;
    let before = rss_mib(server.pid()?)?;
    quiet(&server, &staged, &authority, tls_port, scale, before).await?;
    disturbed(&server, &staged, &authority, tls_port, scale).await?;
    server.check()?;
    server.stop()
}

/// Every connection is a descriptor here and one there.
fn enough_files(scale: Scale) -> Result<()> {
    let wanted = u64::from(scale.of(MQTT + HJ212 + JT808)) + 3_000;
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum.unwrap_or(u64::MAX);
    ensure!(
        most >= wanted,
        "open {wanted} files at a time: the limit is {most}; raise it (ulimit -Hn, /etc/security/limits.conf, or \
         docker run --ulimit nofile={wanted}:{wanted}), or run a smaller one: stage bench-edge 10"
    );
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted.max(now.current.unwrap_or(wanted)).min(most)), ..now })
        .context("raise the limit of open files")
}

async fn quiet(
    server: &Server,
    staged: &Staged,
    authority: &Authority,
    tls_port: u16,
    scale: Scale,
    before: f64,
) -> Result<()> {
    let began = std::time::Instant::now();
    let crowd = Crowd::new(server, staged, authority, tls_port)?;
    let mut held = crowd.mqtt(scale.of(MQTT - MQTT_TLS), 0).await.context("connect over MQTT")?;
    held.extend(crowd.mqtt_tls(scale.of(MQTT_TLS), scale.of(MQTT - MQTT_TLS)).await.context("connect over TLS")?);
    held.extend(crowd.hj212(scale.of(HJ212)).await.context("connect over HJ 212")?);
    held.extend(crowd.jt808(scale.of(JT808)).await.context("connect over JT/T 808")?);
    let took = began.elapsed();
    settle_down(server).await?;
    tokio::time::sleep(Duration::from_secs(QUIET_SECONDS)).await;
    let there = held.iter_mut().filter_map(|one| one.is_open().then_some(())).count();
    ensure!(
        there == held.len(),
        "{} of {} connections were closed while they were quiet",
        held.len() - there,
        held.len()
    );
    let rss = rss_mib(server.pid()?)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
    let each = (rss - before) * 1024.0 / held.len() as f64;
    println!(
        "{} quiet connections ({} MQTT, {} MQTT over TLS, {} HJ 212, {} JT/T 808), all logged in within {:.1} s: RSS {rss:.0} MiB \
         ({before:.0} MiB before, {each:.1} KiB each; aim below {RSS_MIB_AIM:.0} MiB{})",
        held.len(),
        scale.of(MQTT - MQTT_TLS),
        scale.of(MQTT_TLS),
        scale.of(HJ212),
        scale.of(JT808),
        took.as_secs_f64(),
        met(rss < RSS_MIB_AIM),
    );
    Ok(())
}

async fn disturbed(server: &Server, staged: &Staged, authority: &Authority, tls_port: u16, scale: Scale) -> Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        settle_down(server).await?;
        let calm = good(server, staged, scale).await?;
        let hostile = hostile::start(server, staged, authority, tls_port, scale)?;
        // They are all there before the good ones begin.
        tokio::time::sleep(Duration::from_secs(8)).await;
        let noisy = good(server, staged, scale).await?;
        let done = hostile.stop().await;
        println!(
            "round {round}: PUBACK p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms alone; p50 {:.2} ms, p99 {:.2} ms, max {:.1} ms beside \
             {done}",
            calm.latency_p50_ms,
            calm.latency_p99_ms,
            calm.latency_max_ms,
            noisy.latency_p50_ms,
            noisy.latency_p99_ms,
            noisy.latency_max_ms,
        );
        alone.push(calm.latency_p99_ms);
        beside.push(noisy.latency_p99_ms);
    }
    for name in ["gateway_turned_away_total", "gateway_bans_total", "gateway_device_pauses_total"] {
        println!("{name} {:.0}", server.metric(name).await?);
    }
    let (alone, beside) = (super::bench::median(alone), super::bench::median(beside));
    let ratio = beside / alone;
    println!(
        "PUBACK p99 of {} good publishers: {alone:.2} ms alone, {beside:.2} ms beside the hostile; ratio {ratio:.2} (aim at most \
         {RATIO_AIM}{}; medians of {ROUNDS})",
        scale.of(GOOD),
        met(ratio <= RATIO_AIM),
    );
    Ok(())
}

const fn met(is: bool) -> &'static str {
    if is { ": met" } else { ": MISSED" }
}

/// The good ones, in a process of their own.
async fn good(server: &Server, staged: &Staged, scale: Scale) -> Result<Outcome> {
    let mut command = Command::new(binary("device-sim")?);
    let count = scale.of(GOOD).to_string();
    command.args(["load", "--mqtt", &server.addresses().mqtt, "--connections", &count, "--rate", &count]);
    command.args(["--seconds", &SECONDS.to_string(), "--credentials"]).arg(&staged.credentials).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("run the load generator")?;
    ensure!(output.status.success(), "the good publishers: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("read the load generator's outcome")
}

/// The credentials of a district's devices on one wire, in order.
pub(super) fn of_wire(staged: &Staged, wire: Wire) -> Result<Vec<(String, device_sim::fleet::Secret)>> {
    let mut secrets = staged.secrets()?;
    let district = staged.district();
    let restaurants = district.restaurants.into_iter().filter(|one| one.wire == wire).map(|one| one.device);
    let trucks = district.trucks.into_iter().filter(|one| one.wire == wire).map(|one| one.device);
    Ok(restaurants.chain(trucks).filter_map(|device| secrets.remove(&device).map(|secret| (device, secret))).collect())
}
