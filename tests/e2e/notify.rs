//! People are told of alerts: at least once and without losses over kill -9 and a receiver that is away, and with nothing said twice
//! under another key.

use anyhow::{Context, Result, ensure};
use device_sim::district::Size;
use e2e::district::stage;
use e2e::{Api, Server, Setup, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A receiver of webhooks on a fixed port; it takes its time, so that a kill finds deliveries under way.
struct Receiver {
    port: u16,
    /// Idempotency key → (times it came, what it said).
    got: Arc<Mutex<BTreeMap<String, (usize, Value)>>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Receiver {
    async fn start() -> Result<Self> {
        let mut own = Self { port: e2e::free_port()?, got: Arc::default(), task: None };
        own.up().await?;
        Ok(own)
    }

    async fn up(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let got = Arc::clone(&self.got);
        self.task = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let got = Arc::clone(&got);
                // A connection that breaks off is the other side's to try again.
                tokio::spawn(async move { take(stream, &got).await.ok() });
            }
        }));
        Ok(())
    }

    fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    fn keys(&self) -> BTreeSet<String> {
        self.got.lock().expect("no test panics here").keys().cloned().collect()
    }
}

async fn take(mut stream: TcpStream, got: &Mutex<BTreeMap<String, (usize, Value)>>) -> Result<()> {
    loop {
        let mut bytes = Vec::new();
        let mut part = [0; 4_096];
        let (end, length, key) = loop {
            let count = stream.read(&mut part).await?;
            ensure!(count > 0, "closed");
            bytes.extend_from_slice(&part[..count]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let header =
                |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
            break (end + 4, header("content-length").context("length")?.parse::<usize>()?, header("idempotency-key"));
        };
        let mut body = bytes.split_off(end);
        while body.len() < length {
            let count = stream.read(&mut part).await?;
            ensure!(count > 0, "closed");
            body.extend_from_slice(&part[..count]);
        }
        let body: Value = serde_json::from_slice(&body)?;
        {
            let mut got = got.lock().expect("no test panics here");
            let one = got.entry(key.context("key")?).or_insert((0, body));
            one.0 += 1;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        stream.write_all(b"HTTP/1.1 204 x\r\ncontent-length: 0\r\n\r\n").await?;
    }
}

async fn all(api: &Api, path: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(&format!("{path}?limit=200{cursor}")).await?;
        found.extend(page["items"].as_array().context("items")?.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(found),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alert_is_told_over_kills_and_an_outage_of_the_receiver() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut receiver = Receiver::start().await?;
    let config = "[notify]\nprivate_addresses = true\ntimeout_s = 5\n".to_owned();
    let mut server = Server::prepare(dir.path(), Setup { config, ..Setup::default() })?;
    let size = Size { seed: 5, restaurants: 12, sites: 1, trucks: 4 };
    let staged = stage(&server, size, "config/library")?;
    server.start().await?;
    let api = server.administrator().await?;
    let url = format!("http://127.0.0.1:{}/hook", receiver.port);
    let channel = json!({"name": "hook", "kind": "webhook", "enabled": true, "language": "zh", "url": url, "secret": "geheim", "per_minute_max": 600});
    let channel = api.send(Method::PUT, "/api/v1/notify/channels", Some(channel)).await?;
    let route = json!({"code": "all", "enabled": true, "channels": [channel["id"]]});
    let policy = json!({"version": 0, "policy": {"routes": [route]}});
    api.send(Method::PUT, "/api/v1/notify/policy", Some(policy)).await?;
    let mut fleet =
        staged.fleet(&server, &["--back-minutes=360", "--length-minutes=345", "--faults", "--stop-at-end"])?;
    // Killed while the first messages go out, again later, and with the receiver away in between.
    eventually("messages go out", Duration::from_secs(60), || async { Ok((receiver.keys().len() >= 3).then_some(())) })
        .await?;
    server.kill()?;
    receiver.down();
    server.start().await?;
    let api = server.log_in().await?;
    eventually("a message waits for the receiver", Duration::from_secs(60), || async {
        let log = all(&api, "/api/v1/notify/deliveries").await?;
        Ok(log.iter().any(|one| one["state"] == "queued" && one["attempts"].as_i64() > Some(0)).then_some(()))
    })
    .await?;
    server.kill()?;
    receiver.up().await?;
    server.start().await?;
    fleet.wait(Duration::from_secs(240))?;
    let api = server.log_in().await?;
    let log = eventually("everything is sent", Duration::from_secs(120), || async {
        let log = all(&api, "/api/v1/notify/deliveries").await?;
        let (waiting, told) = (server.metric("cases_notify_outbox_rows").await?, log.len());
        let alerts = all(&api, "/api/v1/alerts").await?.len();
        Ok((waiting == 0.0
            && told >= alerts
            && log.iter().all(|one| one["state"] != "queued" && one["state"] != "sending"))
        .then_some(log))
    })
    .await?;
    // Each alert was decided on once: told, or not told with the reason.
    let mut decided: BTreeMap<i64, usize> = BTreeMap::new();
    for one in log.iter().filter(|one| one["kind"] == "raised") {
        for alert in one["alerts"].as_array().context("alerts")? {
            *decided.entry(alert.as_i64().context("id")?).or_default() += 1;
        }
    }
    for alert in all(&api, "/api/v1/alerts").await? {
        let id = alert["id"].as_i64().context("id")?;
        ensure!(decided.get(&id).copied().unwrap_or(0) >= 1, "alert {id} was lost: {alert}");
    }
    let sent: BTreeSet<String> = log
        .iter()
        .filter(|one| one["state"] == "sent")
        .map(|one| one["key"].as_str().unwrap_or_default().to_owned())
        .collect();
    let got = receiver.got.lock().expect("no test panics here").clone();
    ensure!(sent == got.keys().cloned().collect(), "what was sent is what came: {} {}", sent.len(), got.len());
    let again = got.values().filter(|(times, _)| *times > 1).count();
    ensure!(again <= 2, "only what was under way at a kill comes twice, under its key: {again}");
    ensure!(got.values().all(|(_, event)| event["specversion"] == "1.0"), "CloudEvents");
    let told: Vec<i64> = log
        .iter()
        .filter(|one| one["state"] == "sent" && one["kind"] == "raised")
        .flat_map(|one| one["alerts"].as_array().cloned().unwrap_or_default())
        .filter_map(|id| id.as_i64())
        .collect();
    ensure!(told.iter().collect::<BTreeSet<_>>().len() == told.len(), "an alert is told once");
    println!("{} deliveries, {} sent, {again} came twice", log.len(), sent.len());
    server.stop()
}
