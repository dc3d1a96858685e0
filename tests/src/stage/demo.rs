//! `make demo`: everything on embedded stores with a simulated district, until Ctrl-C.

use super::{start_show, step};
use anyhow::{Context, Result};
use device_sim::district::Size;
use std::time::Duration;

const SIZE: Size = Size { seed: 7, restaurants: 120, sites: 6, trucks: 30 };

/// Starts the demonstration, prints where it is, and waits for Ctrl-C.
pub async fn run() -> Result<()> {
    let folder = crate::tools::root().join("target/demo");
    std::fs::remove_dir_all(&folder).ok(); // a demonstration starts afresh
    let mut show =
        start_show(&folder, SIZE, "[district]\nname = \"合成示范区\"\n").await.context("start the demonstration")?;
    println!(
        "合成示范区: {} restaurants, {} sites, {} trucks; windows are shortened (演示参数).",
        SIZE.restaurants, SIZE.sites, SIZE.trucks
    );
    println!("Within three minutes a case of each rule is open. Logs: {}. Ctrl-C stops everything.", folder.display());
    println!("{}   user: {}   password: {}", show.server.url(), show.user, show.password);
    loop {
        // Both branches are cancel-safe.
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => {
                stopped.context("wait for Ctrl-C")?;
                break;
            }
            () = tokio::time::sleep(Duration::from_secs(2)) => {
                show.server.check()?;
                show.fleet.check()?;
            }
        }
    }
    let bar = step("stopping");
    show.fleet.kill()?;
    // Ctrl-C reaches the whole group, so the server may be on its way already.
    show.server.stop().or_else(|_| show.server.kill())?;
    bar.finish_and_clear();
    println!("stopped");
    Ok(())
}
