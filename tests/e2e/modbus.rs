//! Modbus from end to end: slaves behind a serial server and behind modems that dial in, on lines with faults; a washer's washes as events;
//! the probe.

use crate::stock::started;
use anyhow::{Context, Result, ensure};
use e2e::process::{binary, output};
use e2e::{Api, Running, Server, eventually};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Slaves as `device-sim slaves` plays them.
fn slaves(folder: &Path, name: &str, arguments: &[&str]) -> Result<Running> {
    let mut command = Command::new(binary("device-sim")?);
    command.arg("slaves").args(arguments);
    Running::start(name, command, &folder.join(format!("{name}.log")))
}

/// Applies devices of the dust instrument's map.
fn devices(server: &Server, rows: &[(&str, Value)]) -> Result<()> {
    let folder = server.folder.join("modbus");
    std::fs::create_dir_all(&folder)?;
    let toml: Vec<String> = rows.iter().map(|(code, poll)| row(code, poll)).collect();
    std::fs::write(folder.join("devices.toml"), toml.join("\n"))?;
    server.command(&["apply", &folder.to_string_lossy()]).map(drop)
}

fn row(code: &str, poll: &Value) -> String {
    let poll = inline(poll);
    format!(
        "[[device]]\ncode = {code:?}\nprofile = \"dust-modbus\"\nprotocol = \"modbus\"\nidentity = {code:?}\npoll = {poll}\n"
    )
}

/// As TOML writes it in one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(table) => {
            let fields: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {}", inline(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

async fn device(api: &Api, code: &str) -> Result<Value> {
    let list = api.get(&format!("/api/v1/devices?q={code}")).await?;
    let id = list["items"][0]["id"].as_i64().with_context(|| format!("the device {code}: {list}"))?;
    api.get(&format!("/api/v1/devices/{id}")).await
}

/// Waits for the instrument's PM10 of 66.
async fn heard(api: &Api, code: &str) -> Result<()> {
    eventually(&format!("{code} is read"), Duration::from_secs(30), || async {
        let device = device(api, code).await?;
        let latest = device["latest"].as_array().cloned().unwrap_or_default();
        let pm10 = latest.iter().find(|value| value["quantity"] == "pm10").and_then(|value| value["value"].as_f64());
        Ok(pm10.filter(|value| (value - 66.0).abs() < 1e-9).map(drop))
    })
    .await
}

#[tokio::test]
async fn slaves_on_bad_lines_are_stored_and_an_unknown_modem_waits_until_it_is_accepted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let dtu = server.addresses().dtu.clone();
    let port = e2e::free_port()?;
    let (serial, at) = (format!("127.0.0.1:{port}"), format!("rtu+tcp://127.0.0.1:{port}"));
    let poll = |address: &str, unit: u8| json!({"address": address, "unit": unit, "interval_ms": 200, "timeout_ms": 300, "retries": 1, "busy_retries": 2});
    let mut behind = poll("dtu://860000000000001", 1);
    behind["dtu"] = json!({"form": "line", "heartbeat": "PING"});
    let mut second = behind.clone();
    second["unit"] = json!(2);
    devices(&server, &[("rtu-a", poll(&at, 1)), ("rtu-dead", poll(&at, 9)), ("dtu-a", behind), ("dtu-b", second)])?;
    let bad = ["--late", "0.1", "--late-ms", "400", "--damaged", "0.1", "--busy", "0.1"];
    let mut line = vec!["--listen", &serial, "--units", "1,2"];
    line.extend(bad);
    let _serial = slaves(folder.path(), "serial", &line)?;
    let mut modem = vec!["--dial", &dtu, "--registration", "hex:3836303030303030303030303030310D0A", "--units", "1,2"];
    modem.extend(["--heartbeat", "PING", "--heartbeat-s", "1"]);
    modem.extend(bad);
    let _modem = slaves(folder.path(), "modem", &modem)?;
    let api = server.administrator().await?;
    for code in ["rtu-a", "dtu-a", "dtu-b"] {
        heard(&api, code).await?;
    }
    eventually("the dead slave is told", Duration::from_secs(20), || async {
        let refused = api.get("/api/v1/quarantine/refused").await?.to_string();
        Ok((refused.contains("unanswered") && refused.contains("unit 9: no answer in time")).then_some(()))
    })
    .await?;
    let _stranger = slaves(folder.path(), "stranger", &["--dial", &dtu, "--registration", "unknown-7"])?;
    eventually("the unknown modem is listed", Duration::from_secs(20), || async {
        let list = api.get("/api/v1/quarantine/unknown").await?;
        let rows = list.as_array().context("a list")?.clone();
        Ok(rows.iter().any(|row| row["identity"] == "unknown-7" && row["protocol"] == "modbus").then_some(()))
    })
    .await?;
    let accept =
        json!({"protocol": "modbus", "identity": "unknown-7", "code": "dtu-c", "profile": "dust-modbus", "unit": 1});
    api.post("/api/v1/quarantine/unknown/accept", accept).await?;
    heard(&api, "dtu-c").await?;
    server.stop()
}

#[tokio::test]
async fn a_probe_shows_registers_orders_and_why_nothing_answers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let port = e2e::free_port()?;
    let (listen, at) = (format!("127.0.0.1:{port}"), format!("rtu+tcp://127.0.0.1:{port}"));
    let _slaves = slaves(folder.path(), "slaves", &["--listen", &listen, "--units", "1,5"])?;
    let probe = |arguments: &[&str]| {
        let mut command = Command::new(binary("lantian")?);
        command.args(["modbus", "probe", &at, "--english", "--timeout-ms", "300"]).args(arguments);
        let done = command.output()?;
        Ok::<_, anyhow::Error>((done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned()))
    };
    let (_, shown) = eventually("the slaves listen", Duration::from_secs(10), || async {
        Ok(Some(probe(&["--read", "3:0:6"])?).filter(|(done, _)| *done))
    })
    .await?;
    ensure!(shown.contains("u32 66 ★") && shown.contains("0x0042"), "{shown}");
    let (done, shown) = probe(&["--scan", "1-6"])?;
    ensure!(done && shown.contains("unit 5: answers") && shown.contains("2 / 6"), "{shown}");
    let (done, shown) = probe(&["--read", "40100:4"])?;
    ensure!(!done && shown.contains("exception 2 illegal data address"), "{shown}");
    let (done, shown) = probe(&["--unit", "3"])?;
    ensure!(!done && shown.contains("no answer") && shown.contains("--scan"), "{shown}");
    let map = e2e::tools::root().join("config/library/profiles-site.toml");
    let (done, shown) = probe(&["--map", &map.to_string_lossy(), "--profile", "dust-modbus"])?;
    ensure!(done && shown.contains("PM10") && shown.contains("66 ug/m3"), "{shown}");
    let help = output(&binary("lantian")?, ["modbus", "probe", "--help"])?;
    ensure!(help.contains("Examples") && help.contains("listen:0.0.0.0:9502"), "{help}");
    Ok(())
}
