//! The stages behind `make demo`, `make browser-test`, `make screenshots` and `make bench`.
#![expect(clippy::print_stdout, reason = "stages talk to the person who started them")]

pub mod bench;
pub mod browser;
pub mod demo;
pub mod edge;

use crate::district::{Staged, stage};
use crate::{Running, Server, Setup};
use anyhow::{Context, Result};
use device_sim::district::Size;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::time::Duration;

/// A server with a simulated district and its fleet, on demonstration rules.
#[derive(Debug)]
pub struct Show {
    pub server: Server,
    pub staged: Staged,
    pub fleet: Running,
    pub user: String,
    pub password: String,
}

/// A step that takes a while, shown while it lasts.
pub(crate) fn step(text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(text.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    if bar.is_hidden() {
        println!("{text}");
    }
    bar
}

/// Starts everything in `folder`. The account's password is random and final: a demonstration asks for no change.
pub async fn start_show(folder: &Path, size: Size, config: &str) -> Result<Show> {
    let mut server = Server::prepare(folder, Setup { config: config.to_owned(), ..Setup::default() })?;
    let bar = step("registers of 合成示范区");
    let staged = stage(&server, size, "config/demo")?;
    let password = random_password()?;
    let text = server.command(&["admin", "create", "demo"])?;
    let once = crate::server::password_in(&text)?;
    bar.finish_and_clear();
    let bar = step("starting the server");
    server.start().await?;
    crate::Api::login_first(&server.url(), "demo", &once, &password).await.context("set the password")?;
    bar.finish_and_clear();
    let bar = step("starting the fleet");
    let fleet = staged.fleet(&server, &["--pacing=demo", "--back-minutes=2", "--length-minutes=20", "--pictures"])?;
    server.metric_reaches("ingest_settle_records_total", 100.0, Duration::from_secs(60)).await?;
    bar.finish_and_clear();
    Ok(Show { server, staged, fleet, user: "demo".into(), password })
}

fn random_password() -> Result<String> {
    use std::io::Read;
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 14];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).context("read random bytes")?;
    Ok(bytes
        .iter()
        .map(|b| char::from(LETTERS.get(usize::from(*b) % LETTERS.len()).copied().unwrap_or(b'x')))
        .collect())
}
