//! The page in a real browser: the tests of `tests/web`, and the pictures of `docs/images`.

use super::{Show, start_show, step};
use anyhow::{Context, Result, bail, ensure};
use device_sim::district::Size;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const SIZE: Size = Size { seed: 11, restaurants: 40, sites: 4, trucks: 12 };

fn web_tests() -> PathBuf {
    crate::tools::root().join("tests/web")
}

fn install() -> Result<()> {
    let folder = web_tests();
    if folder.join("node_modules/.installed").is_file() {
        return Ok(());
    }
    let bar = step("installing the browser tests' packages");
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .status()
        .context("run npm")?;
    ensure!(status.success(), "npm ci in tests/web: {status}");
    std::fs::write(folder.join("node_modules/.installed"), "")?;
    bar.finish_and_clear();
    Ok(())
}

/// Runs Playwright on a live show.
fn playwright(show: &Show, specs: &[&str]) -> Result<()> {
    let credentials = show.staged.secrets()?;
    let device = credentials.get("fume-0001").context("find the credential of fume-0001")?;
    let addresses = show.server.addresses();
    let status = Command::new("npx")
        .args(["playwright", "test"])
        .args(specs)
        .current_dir(web_tests())
        .env("LANTIAN_URL", show.server.url())
        .env("LANTIAN_USER", &show.user)
        .env("LANTIAN_PASSWORD", &show.password)
        .env("LANTIAN_MQTT", format!("mqtt://{}", addresses.mqtt))
        .env("LANTIAN_HJ212", &addresses.hj212)
        .env("LANTIAN_DEVICE", "fume-0001")
        .env("LANTIAN_DEVICE_USER", &device.identity)
        .env("LANTIAN_DEVICE_PASSWORD", &device.secret)
        .env("LANTIAN_CONFIG", show.server.config_file())
        .env("LANTIAN_BIN", crate::process::binary("lantian")?)
        .stdin(Stdio::null())
        .status()
        .context("run Playwright")?;
    ensure!(status.success(), "Playwright: {status}; the server's log: {}", show.server.log_file().display());
    Ok(())
}

async fn show(folder: &std::path::Path) -> Result<Show> {
    install()?;
    start_show(folder, SIZE, "[district]\nname = \"合成示范区\"\n").await
}

/// The browser tests, at both sizes.
pub async fn test() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut show = show(folder.path()).await?;
    wait_for_cases(&show).await?;
    let run = playwright(&show, &["commands", "journey", "pages", "papers", "pictures", "quarantine"]);
    if run.is_err() {
        println!("{}", show.server.complaints().join("\n"));
    }
    show.fleet.kill()?;
    show.server.stop()?;
    run
}

/// Draws `docs/images`.
pub async fn screenshots() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut show = show(folder.path()).await?;
    wait_for_cases(&show).await?;
    let run = playwright(&show, &["screenshots"]);
    show.fleet.kill()?;
    show.server.stop()?;
    run
}

/// Waits until a case of each of the three rules is open.
pub async fn wait_for_cases(show: &Show) -> Result<()> {
    let api = crate::Api::login(&show.server.url(), &show.user, &show.password).await?;
    let bar = step("waiting for a case of each rule");
    let begin = std::time::Instant::now();
    loop {
        let rules = open_case_rules(&api).await?;
        if rules.len() >= 3 {
            bar.finish_and_clear();
            println!("cases of {} rules are open after {:.0} s", rules.len(), begin.elapsed().as_secs_f64());
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs(180) {
            bail!("open a case of each rule within three minutes; open are only {rules:?}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The rules that have a case.
pub async fn open_case_rules(api: &crate::Api) -> Result<std::collections::BTreeSet<String>> {
    let answer = api.get("/api/v1/cases?limit=500").await?;
    let rows = answer["items"].as_array().context("read the cases")?;
    Ok(rows.iter().filter_map(|row| row["rule"].as_str().or(row["rule"]["code"].as_str())).map(str::to_owned).collect())
}
