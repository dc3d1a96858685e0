//! Acknowledged means on disk, also when the disk is full for a while.

use crate::crash::{Load, everything_is_there, long_ago, worked_off};
use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use e2e::district::stage;
use e2e::{Server, Setup};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
