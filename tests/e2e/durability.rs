//! Acknowledged means on disk: seen from outside by the order of system calls, and with a disk that is full for a while.

use crate::crash::{Load, everything_is_there, long_ago, worked_off};
use crate::stock::started;
use crate::wire::Mqtt;
use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use e2e::district::stage;
use e2e::{Server, Setup, tools};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Under strace: between the read of a PUBLISH and the write of its PUBACK an fdatasync began and returned.
#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledgement_follows_the_sync_that_covers_it() -> Result<()> {
    const COUNT: usize = 40;
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    server.stop()?;
    let trace = folder.path().join("trace");
    let strace = tools::program("strace")?;
    let quiet = [
        "-D",
        "-f",
        "-ttt",
        "-y",
        "-s",
        "64",
        "-e",
        "trace=read,recvfrom,write,sendto,writev,pwrite64,fdatasync,fsync",
        "-o",
    ];
    let mut wrap = vec![strace.display().to_string()];
    wrap.extend(quiet.iter().map(|s| (*s).to_owned()));
    wrap.push(trace.display().to_string());
    let mut server = rewrap(server, folder.path(), wrap)?;
    server.start().await?;
    let mut device = Mqtt::connect(&server.addresses().mqtt, "a", "fume-a", &token).await?;
    for n in 0..COUNT {
        let text =
            format!(r#"{{"ts":{},"values":{{"fume":1.{n}}}}}"#, 1_790_000_000_000_i64 + i64::try_from(n)? * 1000);
        device.say("lantian/v1/fume-a/telemetry", &text).await?;
    }
    drop(device);
    server.stop()?;
    let (reads, acknowledged, early) = audit(&std::fs::read_to_string(&trace)?);
    println!("strace: {acknowledged} acknowledgements, {early} before the sync of their record");
    ensure!(reads >= COUNT, "only {reads} publishes were recognised in the trace, so it shows nothing");
    ensure!(acknowledged >= COUNT, "only {acknowledged} acknowledgements were seen");
    ensure!(early == 0, "{early} acknowledgements left before their record was synced");
    Ok(())
}

/// The same data folder under another command.
fn rewrap(server: Server, folder: &Path, wrap: Vec<String>) -> Result<Server> {
    let data = folder.join("data");
    let moved = folder.join("moved");
    drop(server);
    std::fs::rename(&data, &moved)?;
    let server = Server::prepare(folder, Setup { wrap, ..Setup::default() })?;
    std::fs::rename(&moved, &data)?;
    Ok(server)
}

/// Counts each PUBLISH and PUBACK, and those PUBACKs that left without a journal write and a finished sync after the read of their PUBLISH.
fn audit(trace: &str) -> (usize, usize, usize) {
    let (mut synced_after_read, mut written_after_read, mut reads) = (true, true, 0_usize);
    let (mut acknowledged, mut early) = (0, 0);
    let mut syncing: BTreeMap<&str, bool> = BTreeMap::new();
    for line in trace.lines() {
        let pid = line.split_whitespace().next().unwrap_or("");
        // A call that another thread interrupted is told in two lines; the data is in the second.
        let is_read = ["read(", "recvfrom(", "read resumed", "recvfrom resumed"].iter().any(|call| line.contains(call));
        let is_publish = is_read && line.contains("\"2") && line.contains("telemetry");
        if is_publish {
            reads += 1;
            (synced_after_read, written_after_read) = (false, false);
        } else if (line.contains("pwrite64(") || line.contains("write(")) && line.contains("/journal/") {
            written_after_read = true;
        } else if line.contains("fdatasync(") && line.contains("/journal/") {
            if line.contains("unfinished") {
                syncing.insert(pid, written_after_read);
            } else if line.ends_with("= 0") {
                synced_after_read |= written_after_read;
            }
        } else if line.contains("fdatasync resumed") && line.ends_with("= 0") {
            synced_after_read |= syncing.remove(pid).unwrap_or(false);
        } else if (line.contains("write(") || line.contains("sendto(") || line.contains("writev("))
            && line.contains("\"@\\2\\0")
        {
            acknowledged += 1;
            early += usize::from(reads > 0 && !synced_after_read);
        }
    }
    (reads, acknowledged, early)
}

/// A file system of its own, so that it can be filled. Needs root; the mount ends with the test.
struct SmallDisk {
    at: std::path::PathBuf,
}

impl SmallDisk {
    fn mount(at: &Path, mib: u32) -> Result<Self> {
        std::fs::create_dir_all(at)?;
        let size = format!("size={mib}m");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status().context("run mount")?;
        ensure!(status.success(), "mount a small disk at {}: this test needs root", at.display());
        Ok(Self { at: at.to_owned() })
    }

    fn fill(&self) -> Result<std::path::PathBuf> {
        let ballast = self.at.join("ballast");
        // dd ends when nothing more fits: that is its task here.
        Command::new("dd").arg("if=/dev/zero").arg(format!("of={}", ballast.display())).arg("bs=64k").output()?;
        Ok(ballast)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.at).status().ok(); // a leftover mount is named by the next run
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_for_a_while_loses_nothing_acknowledged() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = SmallDisk::mount(&folder.path().join("data"), 200)?;
    let setup = Setup { config: "[journal]\nsegment_mib = 1\n".into(), ..Setup::default() };
    let mut server = Server::prepare(folder.path(), setup)?;
    let staged = stage(&server, Size { seed: 6, restaurants: 6, sites: 1, trucks: 2 }, "config/library")?;
    server.start().await?;
    let load = Load::start(&server, &staged, long_ago())?;
    e2e::eventually("load flows", Duration::from_secs(20), || async { Ok((load.count() > 200).then_some(())) }).await?;
    let ballast = disk.fill()?;
    // First the space kept ahead is used up, then appends are refused.
    server.metric_reaches("ingest_journal_failed_total", 1.0, Duration::from_secs(120)).await?;
    let full = full_minute(&load).await;
    let refused = server.metric("ingest_journal_failed_total").await?;
    std::fs::remove_file(ballast)?;
    let before = load.count();
    e2e::eventually("load flows again", Duration::from_secs(60), || async {
        Ok((load.count() > before + 200).then_some(()))
    })
    .await?;
    let acknowledged = load.finish().await;
    server.check()?;
    worked_off(&server.administrator().await?).await?;
    server.stop()?;
    let found = everything_is_there(&server, &acknowledged).await?;
    println!(
        "disk full: {refused} appends refused, {full} acknowledged while it was full; {found} acknowledged in all, none lost"
    );
    ensure!(full == 0, "{full} were acknowledged while the disk was full");
    Ok(())
}

/// Lets a while pass with the disk full; how many were acknowledged in it.
async fn full_minute(load: &Load) -> usize {
    let seconds = std::env::var("LANTIAN_OUTAGE_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(20);
    let before = load.count();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    load.count() - before
}
