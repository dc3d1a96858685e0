//! The newcomer's path: every command of `docs/rules.md`, run in order as it stands there. A fence with `file=NAME` is a file, one with
//! `sh` is run (`sh fails` must fail), and each line of the `text` fence after it must be in what was said.

use crate::stock::add;
use crate::wire::Mqtt;
use anyhow::{Context, Result, ensure};
use e2e::{Api, Server, Setup, eventually, process, tools};
use model::time::{Clock as _, SystemClock};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

struct Fence {
    info: String,
    body: String,
    line: usize,
}

fn fences(text: &str) -> Vec<Fence> {
    let (mut all, mut open): (Vec<Fence>, Option<Fence>) = (Vec::new(), None);
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(Fence { info: info.to_owned(), body: String::new(), line: number + 1 }),
            (Some(_), Some(_)) => all.extend(open.take()),
            (Some(fence), None) => fence.body += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    all
}

fn run(server: &Server, work: &Path, fence: &Fence) -> Result<String> {
    let lantian = process::binary("lantian")?;
    let folder = lantian.parent().context("the program's folder")?.display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let done = Command::new("bash")
        .args(["-e", "-u", "-o", "pipefail", "-c", &fence.body])
        .current_dir(work)
        .env("PATH", path)
        .env("LANTIAN_CONFIG", server.config_file())
        .output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let fails = fence.info == "sh fails";
    ensure!(done.status.success() != fails, "docs/rules.md line {}: {}\n{said}", fence.line, fence.body);
    Ok(said)
}

async fn account(server: &Server, boss: &Api, work: &Path, login: &str, role: &str) -> Result<()> {
    let made = boss.post("/api/v1/users", json!({ "name": login, "display_name": login, "role": role })).await?;
    let once = made["password"].as_str().context("a one-time password")?;
    let password = format!("{login} walks the whole way 1");
    Api::login_first(&server.url(), login, once, &password).await?;
    std::fs::write(work.join(format!("{login}.password")), password)?;
    Ok(())
}

/// Six hours of a kitchen: quiet, an hour of 4.0, two hours of 1.8 until an hour ago, quiet.
async fn evening(server: &Server, token: &str) -> Result<()> {
    let mut device = Mqtt::connect(&server.addresses().mqtt, "seven", "fume-7", token).await?;
    let now = SystemClock.now().as_ms();
    for ago in (1..=320).rev() {
        let fume = match ago {
            241..=300 => 4.0,
            61..=240 => 1.8,
            _ => 0.5,
        };
        let said = json!({ "ts": now - ago * 60_000, "values": { "fume": fume } }).to_string();
        device.say("lantian/v1/fume-7/telemetry", &said).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_newcomers_path_goes_as_it_is_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::prepare(folder.path(), Setup::default())?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    let registers = folder.path().join("registers");
    std::fs::create_dir_all(&registers)?;
    std::fs::write(
        registers.join("subjects.toml"),
        "[[subject]]\ncode = \"r-7\"\nname = \"七号餐馆\"\ndetails = { kind = \"restaurant\", size_class = \"medium\" }\n",
    )?;
    server.command(&["apply", &registers.to_string_lossy()])?;
    let token = add(&server, &["--code", "fume-7", "--profile", "fume-mqtt", "--subject", "r-7"])?;
    server.start().await?;
    let boss = server.administrator().await?;
    let work = folder.path().join("work");
    std::fs::create_dir_all(&work)?;
    account(&server, &boss, &work, "li", "rule_author").await?;
    account(&server, &boss, &work, "wang", "shift_leader").await?;
    evening(&server, &token).await?;
    // What was received is sealed within a minute; another process reads what is sealed.
    let rule = tools::root().join("config/library/rules/fume-exceedance.toml");
    let now = SystemClock.now();
    let (from, to) = (now.plus_ms(-8 * 3_600_000).to_rfc3339(), now.to_rfc3339());
    eventually("the evening is sealed", Duration::from_secs(150), || async {
        let said =
            server.command(&["rules", "backtest", &rule.to_string_lossy(), "--from", &from, "--to", &to, "--json"])?;
        let told: serde_json::Value = serde_json::from_str(&said)?;
        Ok((told["records"].as_u64() == Some(320)).then_some(()))
    })
    .await?;
    let text = std::fs::read_to_string(tools::root().join("docs/rules.md"))?;
    let mut said = String::new();
    let mut steps = 0;
    for fence in fences(&text) {
        if let Some((_, name)) = fence.info.split_once("file=") {
            std::fs::write(work.join(name), &fence.body)?;
        } else if fence.info == "sh" || fence.info == "sh fails" {
            said = run(&server, &work, &fence)?;
            steps += 1;
        } else if fence.info == "text" {
            for line in fence.body.lines() {
                ensure!(said.contains(line), "docs/rules.md line {}: {line:?} is not in\n{said}", fence.line);
            }
        }
    }
    ensure!(steps >= 10, "only {steps} steps were found");
    // The approved rule went live in the running server, without a restart, and was switched off again.
    let live = boss.get("/api/v1/rules/kitchen-peak").await?;
    ensure!(live["version"] == 2 && live["active"] == false, "{live}");
    server.stop()
}
