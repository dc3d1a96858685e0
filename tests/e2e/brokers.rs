//! An existing broker between devices and us: what it acknowledged to a device is stored, whoever is killed in between.

use crate::crash::{Acknowledged, everything_is_there, long_ago, worked_off};
use crate::stock::add;
use crate::wire::Mqtt;
use anyhow::{Context, Result, ensure};
use e2e::brokers::{Broker, Kind};
use e2e::{Server, Setup, eventually, tools};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const DEVICES: usize = 6;
const LIMIT: Duration = Duration::from_secs(60);

/// A server that reads from a broker, with its devices in the registers.
async fn prepared(folder: &Path, broker: &Broker, more: &str) -> Result<Server> {
    prepared_at(folder, broker, &format!("url = \"mqtt://{}\"\n{more}", broker.address())).await
}

async fn prepared_at(folder: &Path, broker: &Broker, more: &str) -> Result<Server> {
    let (user, password) = broker.login();
    let login = if user.is_empty() {
        String::new()
    } else {
        let file = folder.join("broker-password");
        std::fs::write(&file, password)?;
        format!("username = {user:?}\npassword_file = {file:?}\n")
    };
    let config = format!("[[broker]]\nname = \"city\"\nbridge = \"city\"\nkeep_alive_s = 5\n{more}\n{login}");
    let mut server = Server::prepare(folder, Setup { config, ..Setup::default() })?;
    server.command(&["apply", &tools::root().join("config/library").to_string_lossy()])?;
    for number in 0..DEVICES {
        add(&server, &["--code", &code(number), "--profile", "fume-mqtt"])?;
    }
    server.command(&["bridge", "add", "city", "--prefix", "fume-"])?;
    server.start().await?;
    server.metric_reaches("gateway_brokers_up", 1.0, LIMIT).await?;
    Ok(server)
}

fn code(number: usize) -> String {
    format!("fume-{number}")
}

/// Devices that publish to the broker at `QoS` 1 and remember what it acknowledged.
struct Load {
    acknowledged: Acknowledged,
    stop: Arc<AtomicBool>,
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    fn start(broker: &Broker) -> Self {
        let (acknowledged, stop) = (Acknowledged::default(), Arc::new(AtomicBool::new(false)));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..DEVICES {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            let (address, login) = (broker.address(), broker.login());
            tasks.spawn(async move {
                let mut at_ms = long_ago();
                while !stop.load(Ordering::Relaxed) {
                    // A broker that is away is what this test is about; the device goes on where it was.
                    speak(&address, login, number, &mut at_ms, &acknowledged, &stop).await.ok();
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
        Self { acknowledged, stop, tasks }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("no test panics while it counts").values().map(BTreeSet::len).sum()
    }

    async fn more(&self, by: usize) -> Result<()> {
        let wanted = self.count() + by;
        eventually("the load goes on", LIMIT, || async { Ok((self.count() >= wanted).then_some(())) }).await
    }

    async fn finish(mut self) -> Acknowledged {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.acknowledged
    }
}

async fn speak(
    address: &str,
    (user, password): (&str, &str),
    number: usize,
    at_ms: &mut i64,
    acknowledged: &Acknowledged,
    stop: &AtomicBool,
) -> Result<()> {
    let code = code(number);
    let mut device = Mqtt::connect(address, &format!("device-{number}"), user, password).await?;
    while !stop.load(Ordering::Relaxed) {
        let payload = format!(r#"{{"ts":{at_ms},"values":{{"fume":1.5}}}}"#);
        device.say(&format!("lantian/v1/{code}/telemetry"), &payload).await?;
        acknowledged.lock().expect("no test panics while it counts").entry(code.clone()).or_default().insert(*at_ms);
        *at_ms += 1_000;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Everything the broker has given us is on disk and settled, and the broker has nothing left for us.
async fn all_arrived(server: &Server, acknowledged: &Acknowledged) -> Result<()> {
    let api = server.log_in().await?;
    let wanted: usize = acknowledged.lock().expect("no test panics while it counts").values().map(BTreeSet::len).sum();
    eventually("what was acknowledged has arrived", LIMIT, || async {
        let devices = api.get("/api/v1/devices?q=fume-&limit=100").await?;
        let ids: Vec<i64> =
            devices["items"].as_array().into_iter().flatten().filter_map(|d| d["id"].as_i64()).collect();
        let mut stored = 0;
        for id in ids {
            let loss = api.get(&format!("/api/v1/devices/{id}/loss")).await?;
            stored += loss.as_array().into_iter().flatten().filter_map(|day| day["stored"].as_u64()).sum::<u64>();
        }
        Ok((usize::try_from(stored)? >= wanted).then_some(()))
    })
    .await
    .ok(); // what is missing is named when the store is read
    worked_off(&api).await
}

/// What happens to the broker itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Never,
    /// In order, under load; then killed, once nothing of ours is left in it.
    StoppedThenKilled,
}

/// How many were acknowledged by the broker; all of them were found, none twice.
async fn survives(kind: Kind, more: &str, kills: usize, ends: Ends) -> Result<usize> {
    let folder = tempfile::tempdir()?;
    let mut broker = Broker::start(kind, folder.path()).await?;
    let mut server = prepared(folder.path(), &broker, more).await?;
    server.administrator().await?;
    let load = Load::start(&broker);
    load.more(100).await.context("at the start")?;
    for _ in 0..kills {
        server.kill()?;
        // The broker goes on acknowledging while we are away.
        load.more(50).await.context("while we are away")?;
        server.start().await?;
        load.more(50).await.context("after we came back")?;
    }
    if ends == Ends::StoppedThenKilled {
        broker.stop()?;
        broker.again().await?;
        load.more(50).await.context("after the broker came back")?;
    }
    let acknowledged = load.finish().await;
    all_arrived(&server, &acknowledged).await?;
    if ends == Ends::StoppedThenKilled {
        broker.kill()?;
        broker.again().await?;
        let before = server.metric("gateway_broker_messages_total").await?;
        let load = Load::start(&broker);
        eventually("the broker is read from again", LIMIT, || async {
            Ok((server.metric("gateway_broker_messages_total").await? > before).then_some(()))
        })
        .await?;
        load.finish().await;
    }
    server.check()?;
    server.stop()?;
    let acknowledged = acknowledged.lock().expect("no test panics while it counts").clone();
    let found = everything_is_there(&server, &acknowledged).await?;
    ensure!(found > 300, "too little load to say anything: {found}");
    Ok(found)
}

const TOPICS: &str = "topics = [\"lantian/v1/+/telemetry\"]";

#[tokio::test(flavor = "multi_thread")]
async fn what_mosquitto_acknowledged_survives_kills() -> Result<()> {
    let more = format!("protocol = \"5\"\n{TOPICS}");
    let found = survives(Kind::Mosquitto, &more, 2, Ends::StoppedThenKilled).await?;
    println!(
        "Mosquitto, 2 kills of ours, one stop and one kill of its own: {found} acknowledged, none lost, none twice"
    );
    Ok(())
}

/// Mosquitto forgets shared subscriptions when it is started again (docs/brokers.md), so it is not ended here.
#[tokio::test(flavor = "multi_thread")]
async fn what_mosquitto_acknowledged_survives_kills_with_a_shared_subscription() -> Result<()> {
    let more = format!("protocol = \"5\"\nshare = \"lantian\"\n{TOPICS}");
    let found = survives(Kind::Mosquitto, &more, 4, Ends::Never).await?;
    println!("Mosquitto with $share, 4 kills of ours: {found} acknowledged, none lost, none twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nats_acknowledged_survives_kills() -> Result<()> {
    let found = survives(Kind::Nats, TOPICS, 2, Ends::StoppedThenKilled).await?;
    println!("NATS, 2 kills of ours, one stop and one kill of its own: {found} acknowledged, none lost, none twice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rabbitmq_acknowledged_survives_kills() -> Result<()> {
    let found = survives(Kind::Rabbit, TOPICS, 2, Ends::StoppedThenKilled).await?;
    println!(
        "RabbitMQ, 2 kills of ours, one stop and one kill of its own: {found} acknowledged, none lost, none twice"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_our_outage_and_is_shown() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut broker = Broker::start(Kind::Mosquitto, folder.path()).await?;
    let mut server = prepared(folder.path(), &broker, "topics = [\"lantian/v1/+/telemetry\"]").await?;
    let api = server.administrator().await?;
    broker.kill()?;
    eventually("the page says so", LIMIT, || async {
        let health = api.get("/api/v1/health").await?;
        let banner = health["banners"].as_array().into_iter().flatten().any(|b| b["code"] == "broker_down");
        Ok((banner && health["brokers"][0]["up"] == false).then_some(()))
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await; // shorter absences are not worth a record
    broker.again().await?;
    let outage = eventually("the outage is a record", LIMIT, || async {
        let outages = api.get("/api/v1/outages").await?;
        Ok(outages.as_array().into_iter().flatten().find(|row| row["what"] == "upstream_broker").cloned())
    })
    .await?;
    ensure!(outage["from"].as_str() < outage["to"].as_str(), "{outage}");
    let health = api.get("/api/v1/health").await?;
    ensure!(health["brokers"][0]["up"] == true, "{health}");
    server.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_over_tls_is_read_from_by_its_authority_and_our_certificate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = tls::testing::Authority::new("city");
    let ca = authority.write(folder.path());
    let theirs = folder.path().join("theirs");
    let ours = folder.path().join("ours");
    std::fs::create_dir_all(&theirs)?;
    std::fs::create_dir_all(&ours)?;
    let (theirs, ours) = (authority.server().write(&theirs), authority.client("lantian").write(&ours));
    let secured = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        ca.display(),
        theirs.certificate.display(),
        theirs.key.display()
    );
    let broker = Broker::start_with(Kind::Mosquitto, folder.path(), secured).await?;
    let (_, port) = broker.address().rsplit_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())).context("a port")?;
    let more = format!(
        "url = \"mqtts://localhost:{port}\"\nca_file = {ca:?}\ncertificate = {:?}\nkey = {:?}\n{TOPICS}",
        ours.certificate, ours.key
    );
    let mut server = prepared_at(folder.path(), &broker, &more).await?;
    let payload = format!(r#"{{"ts":{},"values":{{"fume":1.5}}}}"#, long_ago());
    let done = tools::command("mosquitto_pub")?
        .args(["-h", "localhost", "-p", &port, "-q", "1", "-t", "lantian/v1/fume-0/telemetry", "-m", &payload])
        .arg("--cafile")
        .arg(&ca)
        .arg("--cert")
        .arg(&ours.certificate)
        .arg("--key")
        .arg(&ours.key)
        .output()?;
    ensure!(done.status.success(), "mosquitto_pub: {}", String::from_utf8_lossy(&done.stderr));
    server.metric_reaches("gateway_broker_acknowledged_total", 1.0, LIMIT).await?;
    server.stop()
}
