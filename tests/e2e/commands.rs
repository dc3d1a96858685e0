//! Commands from the API to simulated devices over real sockets, and back.

use crate::stock::{add, started};
use anyhow::{Context, Result, ensure};
use device_sim::district::Wire;
use device_sim::fleet::{Secret, Tally};
use device_sim::obey::{Manners, Memory, no_memory};
use device_sim::transport::{Link, Payload, Person, Targets, connect};
use e2e::{Api, Server, eventually};
use model::geo::Wgs84;
use model::time::{Clock as _, SystemClock};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const MINUTE_MS: i64 = 60_000;
const LIMIT: Duration = Duration::from_secs(20);

fn now_ms() -> i64 {
    SystemClock.now().as_ms()
}

fn time(ms: i64) -> String {
    model::time::EventTime(ms).to_rfc3339()
}

/// A device of its own task, until it is dropped.
struct Device(tokio::task::JoinHandle<()>);

impl Drop for Device {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Says one thing and then listens.
fn runs(
    server: &Server,
    wire: Wire,
    (name, secret): (&str, &Secret),
    manners: Manners,
    memory: Memory,
    first: Vec<Payload>,
) -> Result<Device> {
    let addresses = server.addresses();
    let targets = Targets {
        mqtt: addresses.mqtt.clone(),
        hj212: addresses.hj212.clone(),
        jt808: addresses.jt808.clone(),
        modbus_host: String::new(),
        modbus_first_port: 0,
    };
    let mut link: Link = connect(wire, &Person { name, secret, manners, memory }, &targets)?;
    Ok(Device(tokio::spawn(async move {
        let tally = Tally::default();
        for payload in first {
            link.send(payload, &tally).await.ok(); // a link that cannot be used shows in what is missing
        }
        loop {
            link.idle(Duration::from_secs(1), &tally).await;
        }
    })))
}

fn reading(cn: u16, at_ms: i64) -> Payload {
    let field = if cn == 2011 { "Rtd" } else { "Avg" };
    Payload::Hj212 { cn, at_ms, items: format!("a34041-{field}=1.25,a34041-Flag=N") }
}

/// Remembers every minute.
fn all_minutes() -> Memory {
    Arc::new(|cn, at_ms| (cn == 2051).then(|| format!("a34041-Avg={}.5,a34041-Flag=N", at_ms / MINUTE_MS % 10)))
}

fn logger(server: &Server, code: &str, mn: &str) -> Result<Secret> {
    let pw = add(server, &["--code", code, "--profile", "fume-hj212-generic", "--identity", mn])?;
    Ok(Secret { identity: mn.into(), secret: pw })
}

async fn id_of(api: &Api, code: &str) -> Result<i64> {
    eventually("the device is known", LIMIT, || async {
        Ok(api.get(&format!("/api/v1/devices?q={code}")).await?["items"][0]["id"].as_i64())
    })
    .await
}

async fn ordered(api: &Api, device: i64, command: Value) -> Result<i64> {
    let body = json!({"command": command, "wait_s": 600});
    let row = api.post(&format!("/api/v1/devices/{device}/commands"), body).await?;
    ensure!(row["state"] == "queued", "{row}");
    row["id"].as_i64().context("the command's id")
}

async fn row(api: &Api, device: i64, id: i64) -> Result<Value> {
    let rows = api.get(&format!("/api/v1/devices/{device}/commands")).await?;
    let found = rows.as_array().context("a list")?.iter().find(|row| row["id"] == id).cloned();
    found.with_context(|| format!("command {id} in {rows}"))
}

async fn reaches(api: &Api, device: i64, id: i64, state: &str) -> Result<Value> {
    let open = |row: &Value| ["queued", "sent", "confirmed"].contains(&row["state"].as_str().unwrap_or_default());
    eventually(&format!("command {id} is {state}"), Duration::from_secs(45), || async {
        let row = row(api, device, id).await?;
        ensure!(row["state"] == state || open(&row), "it ended otherwise: {row}");
        Ok((row["state"] == state).then_some(row))
    })
    .await
}

async fn counts(api: &Api, device: i64) -> Result<(i64, i64)> {
    let today = model::time::local_day_text(model::time::local_day(model::time::EventTime(now_ms())));
    let days = api.get(&format!("/api/v1/devices/{device}/loss?from_day={today}&to_day={today}")).await?;
    let of = |name: &str| days[0][name].as_i64().unwrap_or(0);
    Ok((of("stored"), of("duplicate")))
}

#[tokio::test]
async fn a_logger_is_told_the_time_and_gives_its_history_into_the_right_hours_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let secret = logger(&server, "log-1", "LT212CMD0001")?;
    let api = server.administrator().await?;
    let device = id_of(&api, "log-1").await?;
    let minute = now_ms() / MINUTE_MS * MINUTE_MS;
    let own = ("log-1", &secret);
    let running = runs(&server, Wire::Hj212, own, Manners::Twice, all_minutes(), vec![reading(2011, minute)])?;
    let set = ordered(&api, device, json!({"kind": "hj212_set_time"})).await?;
    let done = reaches(&api, device, set, "done").await?;
    let story: Vec<_> = done["story"].as_array().context("a story")?.iter().map(|step| step["state"].clone()).collect();
    ensure!(story == ["queued", "sent", "sent", "confirmed", "done"], "{story:?}");

    let (from, to) = (minute - 180 * MINUTE_MS, minute - 120 * MINUTE_MS);
    let history = json!({"kind": "hj212_history", "what": "minute", "from": time(from), "to": time(to)});
    let asked = ordered(&api, device, history.clone()).await?;
    let done = reaches(&api, device, asked, "done").await?;
    ensure!(done["result"]["uploads"] == 61, "{done}");
    let path = format!("/api/v1/devices/{device}/series?quantity=fume&kind=minute&statistic=mean&from={}", time(from));
    let series = eventually("the history is in the records", LIMIT, || async {
        let series = api.get(&path).await?;
        Ok((series["t"].as_array().is_some_and(|times| times.len() == 61)).then_some(series))
    })
    .await?;
    ensure!(series["t"][0] == from && series["t"][60] == to, "{} to {}", series["t"][0], series["t"][60]);

    // Asked a second time: the same records are duplicates, nothing is stored twice.
    let before = counts(&api, device).await?;
    let again = ordered(&api, device, history).await?;
    reaches(&api, device, again, "done").await?;
    eventually("what comes again is known", LIMIT, || async {
        let (stored, duplicate) = counts(&api, device).await?;
        ensure!(stored == before.0, "stored {stored}, {} before", before.0);
        Ok((duplicate >= before.1 + 61).then_some(()))
    })
    .await?;

    drop(running);
    let _refuses = runs(&server, Wire::Hj212, own, Manners::Refuse, no_memory(), vec![reading(2011, minute + 1_000)])?;
    let refused = ordered(&api, device, json!({"kind": "hj212_get_time"})).await?;
    let failed = reaches(&api, device, refused, "failed").await?;
    let last = failed["story"].as_array().and_then(|story| story.last()).cloned().unwrap_or_default();
    ensure!(last["why"] == "refused" && last["text"] == "QnRtn=2 请求被拒绝", "{last}");
    let audit = api.get("/api/v1/audit?kind=device").await?;
    ensure!(audit["items"].to_string().contains("command_ordered"), "{audit}");
    ensure!(server.complaints().is_empty(), "{:?}", server.complaints());
    server.stop()
}

#[tokio::test]
async fn a_terminal_takes_a_long_route_a_text_and_a_photo_and_an_mqtt_device_replies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, token) = started(folder.path()).await?;
    add(&server, &["--code", "truck-c", "--profile", "truck-jt808", "--identity", "13900000077"])?;
    let api = server.administrator().await?;
    let truck = id_of(&api, "truck-c").await?;
    let secret = Secret { identity: "13900000077".into(), secret: String::new() };
    let place = Wgs84 { lon: 113.55, lat: 34.8 };
    let fix = Payload::Position { place, speed_kmh: 30.0, heading_deg: 90, fixed: true, at_ms: now_ms() };
    let own = ("truck-c", &secret);
    let _truck = runs(&server, Wire::Jt808, own, Manners::Obey, no_memory(), vec![fix])?;
    let points: Vec<_> =
        (0..130).map(|n| json!({"place": [113.5 + f64::from(n) / 1e4, 34.8], "width_m": 60})).collect();
    let route =
        ordered(&api, truck, json!({"kind": "jt808_route", "id": 5, "name": "准运路线", "points": points})).await?;
    let text = ordered(&api, truck, json!({"kind": "jt808_text", "text": "请覆盖篷布"})).await?;
    let photo = ordered(&api, truck, json!({"kind": "jt808_photo", "channel": 1, "count": 2})).await?;
    let asked = ordered(&api, truck, json!({"kind": "jt808_get_parameters", "ids": [41]})).await?;
    let unsupported = ordered(&api, truck, json!({"kind": "jt808_get_areas", "shape": "route"})).await?;
    reaches(&api, truck, route, "done").await?;
    reaches(&api, truck, text, "done").await?;
    let done = reaches(&api, truck, photo, "done").await?;
    ensure!(done["result"]["media"] == json!([1, 2]), "{done}");
    let done = reaches(&api, truck, asked, "done").await?;
    ensure!(done["result"]["parameters"][0]["value"] == 10, "{done}");
    let failed = reaches(&api, truck, unsupported, "failed").await?;
    ensure!(failed["story"][3]["why"] == "refused", "{failed}");

    let fume = id_of(&api, "fume-a").await?;
    let command = ordered(&api, fume, json!({"kind": "mqtt", "payload": {"fan": "on"}})).await?;
    let secret = Secret { identity: "fume-a".into(), secret: token };
    let text = format!(r#"{{"ts":{},"values":{{"fume":1.1}}}}"#, now_ms());
    let payload = Payload::Json { topic: "lantian/v1/fume-a/telemetry".into(), text };
    let _fume = runs(&server, Wire::Mqtt, ("fume-a", &secret), Manners::Obey, no_memory(), vec![payload])?;
    let done = reaches(&api, fume, command, "done").await?;
    ensure!(done["result"] == json!({"told": {"fan": "on"}}), "{done}");
    ensure!(server.complaints().is_empty(), "{:?}", server.complaints());
    server.stop()
}

#[tokio::test]
async fn a_killed_server_loses_no_command_and_does_none_twice_that_must_not_be() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let secret = logger(&server, "log-2", "LT212CMD0002")?;
    let api = server.administrator().await?;
    let device = id_of(&api, "log-2").await?;
    let own = ("log-2", &secret);
    let silent = runs(&server, Wire::Hj212, own, Manners::Silent, no_memory(), vec![reading(2011, now_ms())])?;
    let sent = ordered(&api, device, json!({"kind": "hj212_get_time"})).await?;
    let waits = ordered(&api, device, json!({"kind": "hj212_set_minute_interval", "minutes": 5})).await?;
    reaches(&api, device, sent, "sent").await?;
    server.kill()?;
    drop(silent);
    server.start().await?;
    let api = server.log_in().await?;
    let _obeys = runs(&server, Wire::Hj212, own, Manners::Obey, no_memory(), vec![reading(2011, now_ms())])?;
    let done = reaches(&api, device, sent, "done").await?;
    let why: Vec<_> =
        done["story"].as_array().context("a story")?.iter().filter_map(|step| step["why"].as_str()).collect();
    ensure!(why.contains(&"restart"), "{why:?}");
    reaches(&api, device, waits, "done").await?;

    // What must not be done twice and may have been sent is left as unknown.
    let _silent = runs(&server, Wire::Hj212, own, Manners::Silent, no_memory(), vec![reading(2011, now_ms())])?;
    let once =
        ordered(&api, device, json!({"kind": "hj212_instrument", "action": "calibrate", "pol": "a34041"})).await?;
    let is_sent = |row: &Value| row["state"] != "queued";
    eventually("it is sent", LIMIT, || async { Ok(is_sent(&row(&api, device, once).await?).then_some(())) }).await?;
    server.kill()?;
    server.start().await?;
    let api = server.log_in().await?;
    let last = row(&api, device, once).await?;
    ensure!(last["state"] != "queued", "{last}");
    server.stop()
}

/// The shipped profile of a logger, with what the platform tells it by itself.
const POLICY: &str = r#"
[[profile]]
code = "fume-policy"
name = "合成数采仪"
protocol = "hj212"
expected_interval_s = 60
factors = [{ code = "a34041", quantity = "fume", unit = "mg/m3" }]

[profile.downlink.first_contact]
minute_interval = 5

[profile.downlink.gaps]
hour = false
longer_than_s = 300
hours_max = 2
"#;

#[tokio::test]
async fn a_logger_that_comes_back_is_asked_for_the_minutes_it_was_away_and_is_set_up_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut server, _) = started(folder.path()).await?;
    let profiles = folder.path().join("policy");
    std::fs::create_dir(&profiles)?;
    std::fs::write(profiles.join("profiles.toml"), POLICY)?;
    server.command(&["apply", &profiles.to_string_lossy()])?;
    let pw = add(&server, &["--code", "log-3", "--profile", "fume-policy", "--identity", "LT212CMD0003"])?;
    let secret = Secret { identity: "LT212CMD0003".into(), secret: pw };
    let api = server.administrator().await?;
    let device = id_of(&api, "log-3").await?;
    let own = ("log-3", &secret);
    let minute = now_ms() / MINUTE_MS * MINUTE_MS;
    let all = || async { api.get(&format!("/api/v1/devices/{device}/commands")).await };
    let of = |rows: &Value, origin: &str| -> Vec<Value> {
        let rows = rows.as_array().cloned().unwrap_or_default();
        rows.into_iter().filter(|row| row["origin"] == origin).collect()
    };

    // The last minute it tells before it goes was three hours ago.
    let first = vec![reading(2051, minute - 180 * MINUTE_MS)];
    let running = runs(&server, Wire::Hj212, own, Manners::Obey, all_minutes(), first)?;
    eventually("it was set up", LIMIT, || async {
        let done = of(&all().await?, "first_contact");
        Ok((done.len() == 2 && done.iter().all(|row| row["state"] == "done")).then_some(()))
    })
    .await?;
    ensure!(of(&all().await?, "gap").is_empty(), "it sent nothing before");
    drop(running);
    // What came in the last second before an arrival may be of the new connection.
    let gone = now_ms();
    eventually("it is away for a while", LIMIT, || async { Ok((now_ms() > gone + 1_500).then_some(())) }).await?;
    let _back = runs(&server, Wire::Hj212, own, Manners::Obey, all_minutes(), vec![reading(2051, minute)])?;
    let gap = eventually("the gap was asked for", LIMIT, || async {
        Ok(of(&all().await?, "gap").into_iter().find(|row| row["state"] == "done"))
    })
    .await?;
    // Two hours of it, as the profile says.
    let uploads = gap["result"]["uploads"].as_i64().unwrap_or(0);
    ensure!((119..=121).contains(&uploads), "{gap}");
    let from = time(minute - 179 * MINUTE_MS);
    let path = format!("/api/v1/devices/{device}/series?quantity=fume&kind=minute&statistic=mean&from={from}");
    eventually("the gap is filled", LIMIT, || async {
        let times = api.get(&path).await?["t"].as_array().map_or(0, Vec::len);
        Ok((times >= 119).then_some(()))
    })
    .await?;
    ensure!(of(&all().await?, "first_contact").len() == 2, "it is set up once");
    server.stop()
}
