//! `kill -9` at random moments under load from all four protocols: what was acknowledged is there, everything balances,
//! nothing is raised twice. The same with the journal's disk full, and with InfluxDB away.

use crate::wire::{Mqtt, hj212_frame};
use anyhow::{Context, Result, ensure};
use database::{Database, Options};
use device_sim::district::Size;
use e2e::district::{Staged, stage};
use e2e::{Server, Setup};
use ingest::chunks::{ChunkConfig, ChunkStore, RecordQuery};
use ingest::loss::LossLedger;
use model::id::DeviceId;
use model::time::{EventTime, LocalStamp};
use protocol::jt808::{
    Authenticate, Decoded, Event, Framer, Message, Parts, Phone, Position, Version, encode, status, time_bcd,
};
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Event times that were acknowledged, by device code.
pub(crate) type Acknowledged = Arc<Mutex<BTreeMap<String, BTreeSet<i64>>>>;

/// Devices that speak, remember what was acknowledged, and begin again when the connection breaks.
pub(crate) struct Load {
    pub(crate) acknowledged: Acknowledged,
    stop: Arc<AtomicBool>,
    tasks: tokio::task::JoinSet<()>,
}

const PAUSE: Duration = Duration::from_millis(15);

impl Load {
    /// Starts every MQTT fume monitor, HJ 212 logger and JT/T 808 terminal of the district; event times begin `first_ms`.
    pub(crate) fn start(server: &Server, staged: &Staged, first_ms: i64) -> Result<Self> {
        let (acknowledged, stop) = (Acknowledged::default(), Arc::new(AtomicBool::new(false)));
        let mut tasks = tokio::task::JoinSet::new();
        let district = staged.district();
        let to = server.addresses();
        for (code, secret) in staged.secrets()? {
            let wire = if code.starts_with("truck") {
                if code == secret.identity {
                    continue;
                }
                Wire::Jt808(to.jt808.clone())
            } else if code == secret.identity {
                Wire::Mqtt(to.mqtt.clone())
            } else {
                Wire::Hj212(to.hj212.clone())
            };
            if code.starts_with("camera") {
                continue;
            }
            let corridor =
                district.trucks.iter().find(|t| t.device == code).map(|t| t.corridor.clone()).unwrap_or_default();
            let device = Speaker { code, identity: secret.identity, secret: secret.secret, wire, corridor };
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut at_ms = first_ms;
                while !stop.load(Ordering::Relaxed) {
                    // A broken connection is what this test is about; the device begins again where it was.
                    device.speak(&mut at_ms, &acknowledged, &stop).await.ok();
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
        Ok(Self { acknowledged, stop, tasks })
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().expect("no test panics while it counts").values().map(BTreeSet::len).sum()
    }

    pub(crate) async fn finish(mut self) -> BTreeMap<String, BTreeSet<i64>> {
        self.stop.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.acknowledged.lock().expect("no test panics while it counts").clone()
    }
}

enum Wire {
    Mqtt(String),
    Hj212(String),
    Jt808(String),
}

struct Speaker {
    code: String,
    identity: String,
    secret: String,
    wire: Wire,
    corridor: Vec<model::geo::Wgs84>,
}

impl Speaker {
    async fn speak(&self, at_ms: &mut i64, acknowledged: &Acknowledged, stop: &AtomicBool) -> Result<()> {
        match &self.wire {
            Wire::Mqtt(address) => {
                let client = format!("crash-{}", self.code);
                let mut mqtt = Mqtt::connect(address, &client, &self.identity, &self.secret).await?;
                let topic = format!("lantian/v1/{}/telemetry", self.code);
                while !stop.load(Ordering::Relaxed) {
                    let text = format!(r#"{{"ts":{at_ms},"values":{{"fume":{:.2}}}}}"#, level(*at_ms));
                    mqtt.say(&topic, &text).await?;
                    self.note(at_ms, 60_000, acknowledged).await;
                }
            }
            Wire::Hj212(address) => {
                let mut stream = TcpStream::connect(address).await?;
                while !stop.load(Ordering::Relaxed) {
                    let (time, qn) = stamps(*at_ms)?;
                    let factor = if self.code.starts_with("dust") { "a34002" } else { "a34041" };
                    let data = format!("DataTime={time};{factor}-Rtd={:.2},{factor}-Flag=N", level(*at_ms));
                    stream.write_all(&hj212_frame(&self.identity, &self.secret, &qn, &data)).await?;
                    wait_for(&mut stream, format!("QN={qn};").as_bytes()).await?;
                    self.note(at_ms, 60_000, acknowledged).await;
                }
            }
            Wire::Jt808(address) => self.drive(address, at_ms, acknowledged, stop).await?,
        }
        Ok(())
    }

    async fn drive(
        &self,
        address: &str,
        at_ms: &mut i64,
        acknowledged: &Acknowledged,
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        let phone = Phone::from_digits(&self.identity, Version::V2013).context("a phone")?;
        let mut serial = 0;
        let code = self.secret.clone();
        let hello = Message::Authenticate(Authenticate { code: code.as_bytes(), imei: b"", software: b"" });
        exchange(&mut stream, &phone, &mut serial, &hello).await?;
        while !stop.load(Ordering::Relaxed) {
            let place = self.corridor.first().context("a corridor")?;
            let stamp = LocalStamp::of(EventTime(*at_ms), 480).fields().context("a date")?;
            #[expect(clippy::cast_possible_truncation, reason = "micro-degrees")]
            let position = Message::Position(Position {
                alarm: 0,
                status: status::IGNITION | status::FIXED,
                lat_e6: (place.lat * 1e6) as i32,
                lon_e6: (place.lon * 1e6) as i32,
                altitude_m: 100,
                speed_dkmh: 300,
                course_degree: 90,
                time_bcd: time_bcd(stamp),
                items: Vec::new(),
            });
            exchange(&mut stream, &phone, &mut serial, &position).await?;
            self.note(at_ms, 15_000, acknowledged).await;
        }
        Ok(())
    }

    async fn note(&self, at_ms: &mut i64, step_ms: i64, acknowledged: &Acknowledged) {
        acknowledged
            .lock()
            .expect("no test panics while it notes")
            .entry(self.code.clone())
            .or_default()
            .insert(*at_ms);
        *at_ms += step_ms;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Two hundred readings high, two hundred low: exceedances come and go.
fn level(at_ms: i64) -> f64 {
    if at_ms.div_euclid(60_000).rem_euclid(400) < 200 { 4.5 } else { 0.5 }
}

fn stamps(at_ms: i64) -> Result<(String, String)> {
    let (y, mo, d, h, mi, s, ms) = LocalStamp::of(EventTime(at_ms), 480).fields().context("a date")?;
    let time = format!("{y:04}{mo:02}{d:02}{h:02}{mi:02}{s:02}");
    let qn = format!("{time}{ms:03}");
    Ok((time, qn))
}

async fn wait_for(stream: &mut TcpStream, wanted: &[u8]) -> Result<()> {
    let mut heard = Vec::new();
    let reading = async {
        let mut part = [0; 1024];
        loop {
            let count = stream.read(&mut part).await?;
            ensure!(count > 0, "closed");
            heard.extend_from_slice(part.get(..count).unwrap_or_default());
            if heard.windows(wanted.len()).any(|w| w == wanted) {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(8), reading).await.context("no answer")?
}

async fn exchange(stream: &mut TcpStream, phone: &Phone, serial: &mut u16, message: &Message<'_>) -> Result<()> {
    let own = *serial;
    *serial = serial.wrapping_add(1);
    stream.write_all(&encode(Version::V2013, phone, own, message)).await?;
    let mut framer = Framer::new();
    let reading = async {
        let mut part = [0; 1024];
        loop {
            let count = stream.read(&mut part).await?;
            ensure!(count > 0, "closed");
            framer.push(part.get(..count).unwrap_or_default());
            while let Some(event) = framer.next_event() {
                let Event::Frame { raw, .. } = event else { continue };
                let parts = Parts::split(&raw).context("a header")?;
                if let Message::PlatformReply { serial, result, .. } = Decoded::read(&parts.header, parts.body).message
                    && serial == own
                {
                    ensure!(result == 0, "result {result}");
                    return Ok(());
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(8), reading).await.context("no answer")?
}

/// Waits until settle has read the journal to its end.
pub(crate) async fn worked_off(api: &e2e::Api) -> Result<()> {
    e2e::eventually("settle has read everything", Duration::from_secs(60), || async {
        let lag = api.get("/api/v1/health").await?["lag"].clone();
        Ok((lag["durable"]["seq"] == lag["settled"]["seq"]).then_some(()))
    })
    .await
}

/// Opens what a stopped server left behind and looks for every acknowledged record.
pub(crate) async fn everything_is_there(
    server: &Server,
    acknowledged: &BTreeMap<String, BTreeSet<i64>>,
) -> Result<usize> {
    let api_devices = devices(server).await?;
    let database = Database::open(Options::sqlite(server.data_dir().join("chunks.db"))).await?;
    let store = ChunkStore::open(database.clone(), ChunkConfig::default()).await?;
    let mut found = 0;
    for (code, times) in acknowledged {
        let device = *api_devices.get(code).with_context(|| format!("find {code}"))?;
        let (Some(first), Some(last)) = (times.first(), times.last()) else { continue };
        let query = RecordQuery {
            device: DeviceId(device),
            kinds: Vec::new(),
            from: EventTime(*first),
            to: EventTime(last + 1),
            limit: 50_000,
            as_of: None,
        };
        let records = store.records(query).await?;
        let stored: BTreeSet<i64> = records.iter().map(|r| r.key.at.as_ms()).collect();
        ensure!(records.len() == stored.len(), "{code}: {} records for {} times", records.len(), stored.len());
        let missing: Vec<&i64> = times.difference(&stored).collect();
        let (count, from) = (missing.len(), missing.first());
        ensure!(
            missing.is_empty(),
            "{code}: {count} of {} acknowledged are not stored, from {from:?} to {:?}",
            times.len(),
            missing.last()
        );
        found += times.len();
    }
    let imbalances = LossLedger::new(store).balance().await?;
    ensure!(imbalances.is_empty(), "the loss ledger does not balance: {imbalances:?}");
    database.close().await;
    Ok(found)
}

/// Ids of devices by code, from the stopped server's registers.
async fn devices(server: &Server) -> Result<BTreeMap<String, i64>> {
    let database = Database::open(Options::sqlite(server.data_dir().join("lantian.db"))).await?;
    let keys = ledger::Keys::open(&server.data_dir())?;
    let ledger = ledger::Ledger::open(database.clone(), keys, Arc::new(model::time::SystemClock)).await?;
    let all = ledger.facts_now().devices.values().map(|d| (d.code.clone(), d.id.0)).collect();
    database.close().await;
    Ok(all)
}

/// No two alerts for one rule, subject and start; no two open cases for one rule and subject.
pub(crate) async fn nothing_twice(api: &e2e::Api) -> Result<(usize, usize)> {
    let alerts = api.get("/api/v1/alerts?limit=500").await?;
    let alerts = alerts["items"].as_array().context("alerts")?.clone();
    let mut seen = BTreeSet::new();
    for alert in &alerts {
        let key = format!("{} {} {}", alert["rule"], alert["subject"], alert["start"]);
        ensure!(seen.insert(key.clone()), "twice: {key}");
    }
    let cases = api.get("/api/v1/cases?limit=500").await?;
    let cases = cases["items"].as_array().context("cases")?.clone();
    let mut open = BTreeSet::new();
    for case in cases.iter().filter(|c| c["closed"].is_null()) {
        let key = format!("{} {}", case["rule"], case["subject"]);
        ensure!(open.insert(key.clone()), "two open cases: {key}");
    }
    Ok((alerts.len(), cases.len()))
}

pub(crate) const SIZE: Size = Size { seed: 5, restaurants: 8, sites: 2, trucks: 4 };

/// Three hundred days ago: far from any horizon, on a whole minute.
pub(crate) fn long_ago() -> i64 {
    use model::time::Clock;
    let now = model::time::SystemClock.now().as_ms();
    (now - 300 * 86_400_000) / 60_000 * 60_000
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_twenty_kills() -> Result<()> {
    const KILLS: usize = 20;
    let folder = tempfile::tempdir()?;
    let mut server = Server::prepare(folder.path(), Setup::default())?;
    let staged = stage(&server, SIZE, "config/library")?;
    server.start().await?;
    let api = server.administrator().await?;
    drop(api);
    let fleet = staged.fleet(&server, &["--length-minutes=1"])?; // its washers answer the pollers
    let load = Load::start(&server, &staged, long_ago())?;
    for _ in 0..KILLS {
        let run_ms = rand::rng().random_range(200..1_500);
        tokio::time::sleep(Duration::from_millis(run_ms)).await;
        server.kill()?;
        server.start().await?;
    }
    let before = load.count();
    e2e::eventually("the load goes on after the last kill", Duration::from_secs(20), || async {
        Ok((load.count() > before + 50).then_some(()))
    })
    .await?;
    let acknowledged = load.finish().await;
    drop(fleet);
    let api = server.log_in().await?;
    worked_off(&api).await?;
    let (alerts, cases) = nothing_twice(&api).await?;
    server.stop()?;
    let found = everything_is_there(&server, &acknowledged).await?;
    println!("{KILLS} kills: {found} acknowledged records found, {alerts} alerts, {cases} cases, none twice");
    ensure!(found > 500, "too little load to say anything: {found}");
    Ok(())
}
