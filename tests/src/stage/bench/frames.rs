//! HJ 212 and JT/T 808 through everything: a thousand devices of each keep twenty frames unanswered, over real sockets; how
//! many are answered a second (each after its sync), and how many are settled, judged and stored.

use super::{RUNS, as_f64, median, settle_down, settled, thread_cpu, unlimited};
use crate::district::{Staged, stage};
use crate::{Server, eventually};
use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use device_sim::load::Outcome;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Half the restaurants are on HJ 212, nine trucks in ten on JT/T 808.
const SIZE: Size = Size { seed: 2, restaurants: 2_000, sites: 0, trucks: 1_120 };
const DEVICES: usize = 1_000;
/// Of each device and run, a second of event time apart.
const FRAMES: u32 = 300;

pub(super) async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::prepare(folder.path(), unlimited())?;
    let staged = stage(&server, SIZE, "config/library")?;
    server.start().await?;
    let to = server.addresses();
    flood(&server, &staged, "HJ 212, 2011 of 6 factors", ["--hj212", &to.hj212]).await?;
    flood(&server, &staged, "JT/T 808, 0x0200", ["--jt808", &to.jt808]).await?;
    server.stop()
}

async fn flood(server: &Server, staged: &Staged, what: &str, listener: [&str; 2]) -> Result<()> {
    let (mut answered, mut through, mut latency) = (Vec::new(), Vec::new(), Vec::new());
    let mut cpu = String::new();
    for run in 1..=RUNS {
        let (before, cpu_before) = (settled(server).await?, thread_cpu(server.pid()?)?);
        // Each run's events lie beside the others', the last one's nearest to now.
        let back = u64::from(FRAMES) * u64::try_from(RUNS - run + 1)?;
        let begin = Instant::now();
        let outcome = load(staged, listener, back)?;
        let sent_for = outcome.seconds;
        let before_load = begin.elapsed().as_secs_f64() - sent_for;
        eventually("everything is settled", Duration::from_secs(300), || async {
            Ok((settled(server).await? >= before + as_f64(outcome.acknowledged)).then_some(()))
        })
        .await?;
        let all = begin.elapsed().as_secs_f64() - before_load.max(0.0);
        cpu = super::stages(&super::per_message(thread_cpu(server.pid()?)?, &cpu_before, outcome.acknowledged));
        answered.push(outcome.acknowledged_per_second);
        through.push(as_f64(outcome.acknowledged) / all);
        latency.push(outcome.latency_p99_ms);
        settle_down(server).await?;
    }
    println!(
        "{what}, {DEVICES} connections: {:.0}/s answered after the sync, {:.0}/s through everything; answer p99 {:.0} ms with 20 waiting (medians of {RUNS})",
        median(answered),
        median(through),
        median(latency)
    );
    println!("CPU of the server per frame, by thread (µs): {cpu}");
    Ok(())
}

fn load(staged: &Staged, listener: [&str; 2], back_seconds: u64) -> Result<Outcome> {
    let mut command = Command::new(crate::process::binary("device-sim")?);
    command.arg("load-frames").args(listener).args(["--connections", &DEVICES.to_string()]);
    command.args(["--frames", &FRAMES.to_string(), "--back-seconds", &back_seconds.to_string()]);
    command.arg("--credentials").arg(&staged.credentials).stdin(Stdio::null());
    let output = command.output().context("run the load generator")?;
    ensure!(output.status.success(), "load generator: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("read the load generator's outcome")
}
