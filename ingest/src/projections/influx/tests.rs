//! The projection against a server of a few lines that answers as its script says, and the line writer against another
//! reader of the format.

use super::line::Lines;
use super::*;
use crate::journal::memory::MemoryLayer;
use crate::projections::cursor::FileCursor;
use crate::projections::{BoxFuture, SourceError, SubjectName};
use flate2::read::GzDecoder;
use influxdb_line_protocol::FieldValue;
use model::geo::Wgs84;
use model::id::SubjectId;
use model::quantity::Quantity;
use model::record::{Body, Fix, Flag, Happening, RecordKey, RecordKind, Statistic, Value};
use model::time::ManualClock;
use model::verdict::Verdict;
use proptest::prelude::*;
use std::io::Read;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Words;

impl Names for Words {
    fn device(&self, device: DeviceId) -> Option<Arc<str>> {
        (device.0 != 404).then(|| format!("yl wb,{}", device.0).into())
    }
    fn subject(&self, subject: SubjectId) -> Option<SubjectName> {
        (subject.0 != 404).then(|| SubjectName { code: "r=1".into(), kind: "restaurant" })
    }
    fn quantity(&self, quantity: Quantity) -> Option<Arc<str>> {
        (quantity.0 == 1000).then(|| "a34004 x".into())
    }
}

fn record(seq: u64, value: f64) -> SettledRecord {
    let at = 1_700_000_000_000 + seq.cast_signed() * 1000;
    SettledRecord {
        key: RecordKey { device: DeviceId(1), kind: RecordKind::Instant, slot: 0, at: EventTime::from_ms(at) },
        subject: Some(SubjectId(9)),
        received: IngestTime::from_ms(at),
        position: Position { partition: 0, seq },
        verdict: Verdict::Stored,
        body: Body {
            values: vec![Value { quantity: Quantity::FUME, statistic: Statistic::Instant, flag: Flag::Normal, value }],
            fix: None,
            happening: None,
        },
        remarks: Vec::new(),
    }
}

#[derive(Debug, Default)]
struct Store {
    records: Mutex<Vec<SettledRecord>>,
    changed: Notify,
}

impl Store {
    fn put(&self, records: impl IntoIterator<Item = SettledRecord>) {
        self.records.lock().unwrap().extend(records);
        self.changed.notify_one();
    }
}

impl RecordSource for Store {
    fn scan_after(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<SettledRecord>, SourceError>> {
        let records = self.records.lock().unwrap();
        let found = records.iter().filter(|record| record.position > after).take(max).cloned().collect();
        Box::pin(std::future::ready(Ok(found)))
    }
    fn changed(&self, _after: Position) -> BoxFuture<'_, ()> {
        Box::pin(self.changed.notified())
    }
    fn end(&self) -> Position {
        self.records.lock().unwrap().last().map(|record| record.position).unwrap_or_default()
    }
}

/// What a request held, in order.
#[derive(Debug, Clone)]
struct Seen {
    head: String,
    body: String,
}

/// Answers each request by its number and body; keeps what it saw.
#[derive(Clone)]
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(answer: impl Fn(usize, &str) -> u16 + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move { serve(stream, &kept, &*answer).await });
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Lines of the bodies of requests numbered in `taken`.
    fn lines(&self, taken: impl Fn(usize) -> bool) -> Vec<String> {
        let seen = self.seen();
        let bodies = seen.iter().enumerate().filter(|(index, _)| taken(*index));
        bodies.flat_map(|(_, seen)| seen.body.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

async fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Seen>>, answer: &(dyn Fn(usize, &str) -> u16 + Send + Sync)) {
    let mut bytes = Vec::new();
    loop {
        let (head_end, length) = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&bytes[..at]).to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                break (at + 4, length.unwrap().trim().parse::<usize>().unwrap());
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        while bytes.len() < head_end + length {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
        let mut body = String::new();
        GzDecoder::new(&bytes[head_end..head_end + length]).read_to_string(&mut body).unwrap();
        bytes.drain(..head_end + length);
        let number = kept.lock().unwrap().len();
        let status = answer(number, &body);
        kept.lock().unwrap().push(Seen { head, body });
        let text = if status == 204 { "" } else { "{\"error\":\"scripted\"}" };
        let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        // A client that went away is no failure of the test.
        stream.write_all(reply.as_bytes()).await.ok();
    }
}

fn v2() -> InfluxApi {
    InfluxApi::V2 { org: "bureau".into(), bucket: "lantian".into(), token: "secret".into() }
}

fn projection(url: &str, api: InfluxApi, store: &Arc<Store>, disk: &MemoryLayer) -> Arc<InfluxProjection> {
    let config = InfluxConfig {
        batch_points_max: 10,
        retry_min: Duration::from_millis(1),
        retry_max: Duration::from_millis(4),
        linger: Duration::ZERO,
        ..InfluxConfig::new(url, api)
    };
    let cursor = Arc::new(FileCursor::new(Arc::new(disk.clone()), "/data/influx.cursor"));
    let clock = Arc::new(ManualClock::at(IngestTime::from_ms(5)));
    Arc::new(InfluxProjection::new(config, Arc::clone(store) as _, Arc::new(Words), cursor, clock).unwrap())
}

/// Runs until the cursor stands at `seq` or `until` holds.
async fn run_until(projection: &Arc<InfluxProjection>, until: impl Fn(&InfluxStatus) -> bool) -> InfluxStatus {
    let stop = CancellationToken::new();
    let mut status = projection.status();
    let running = tokio::spawn(Arc::clone(projection).run(stop.clone()));
    let found = tokio::time::timeout(Duration::from_secs(30), status.wait_for(|status| until(status))).await;
    let found = found.expect("the projection comes to its end").unwrap().clone();
    stop.cancel();
    running.await.unwrap();
    found
}

#[tokio::test]
async fn records_arrive_in_order_by_the_v2_api_and_a_restart_goes_on_behind_them() {
    let server = Server::start(|_, _| 204).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put((1..=25_u32).map(|seq| record(seq.into(), seq.into())));
    let done = run_until(&projection(&server.url, v2(), &store, &disk), |status| status.cursor.seq == 25).await;
    assert_eq!((done.written, done.rejected, done.state), (25, 0, InfluxState::Ok));
    let head = &server.seen()[0].head;
    assert!(head.starts_with("POST /api/v2/write?bucket=lantian&org=bureau&precision=ms "), "{head}");
    assert!(head.to_lowercase().contains("authorization: token secret"), "{head}");
    store.put((26..=30_u32).map(|seq| record(seq.into(), seq.into())));
    run_until(&projection(&server.url, v2(), &store, &disk), |status| status.cursor.seq == 30).await;
    let lines = server.lines(|_| true);
    assert_eq!(lines.len(), 30);
    assert!(lines.iter().enumerate().all(|(index, line)| line.contains(&format!("fume_instant={} ", index + 1))));
}

#[tokio::test]
async fn the_1x_api_is_spoken_too() {
    let server = Server::start(|_, _| 204).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put([record(1, 0.5)]);
    let api = InfluxApi::V1 {
        database: "lan tian".into(),
        retention_policy: Some("year".into()),
        user: Some(("u".into(), "p".into())),
    };
    run_until(&projection(&server.url, api, &store, &disk), |status| status.cursor.seq == 1).await;
    let head = &server.seen()[0].head;
    assert!(head.starts_with("POST /write?db=lan+tian&precision=ms&rp=year "), "{head}");
    assert!(head.to_lowercase().contains("authorization: basic dtpw"), "{head}");
}

#[tokio::test]
async fn an_outage_delays_and_loses_nothing() {
    let server = Server::start(|number, _| [503, 500, 429, 401, 404, 204][number.min(5)]).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put((1..=3).map(|seq| record(seq, 1.0)));
    let projection = projection(&server.url, v2(), &store, &disk);
    let mut status = projection.status();
    let watching = tokio::spawn(async move {
        let failing = |status: &InfluxStatus| matches!(status.state, InfluxState::Failing { .. });
        status.wait_for(failing).await.unwrap().clone()
    });
    let done = run_until(&projection, |status| status.cursor.seq == 3).await;
    assert_eq!((done.written, done.rejected), (3, 0));
    let InfluxState::Failing { since, error } = watching.await.unwrap().state else { panic!() };
    assert_eq!(since, IngestTime::from_ms(5));
    assert!(error.contains("scripted"), "{error}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put([record(1, 1.0)]);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let projection = projection(&format!("http://{free}"), v2(), &store, &disk);
    let failing = |status: &InfluxStatus| matches!(status.state, InfluxState::Failing { .. });
    assert_eq!(run_until(&projection, failing).await.cursor.seq, 0);
}

#[tokio::test]
async fn one_bad_point_is_found_kept_and_never_blocks_the_rest() {
    let server = Server::start(|_, body| if body.contains("=666 ") { 400 } else { 204 }).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put((1..=30).map(|seq| record(seq, if seq == 14 { 666.0 } else { 1.0 })));
    let projection = projection(&server.url, v2(), &store, &disk);
    let done = run_until(&projection, |status| status.cursor.seq == 30).await;
    assert_eq!((done.written, done.rejected), (29, 1));
    let rejected = projection.rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].position.seq, 14);
    assert!(rejected[0].line.contains("=666 ") && rejected[0].reason.contains("scripted"), "{rejected:?}");
    let good = server.lines(|_| true);
    assert!((1..=30).all(|seq| good.iter().any(|line| line.ends_with(&record(seq, 0.0).key.at.as_ms().to_string()))));
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_not_the_points_fault() {
    let server = Server::start(|number, _| if number < 12 { 400 } else { 204 }).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    store.put((1..=8).map(|seq| record(seq, 1.0)));
    let done = run_until(&projection(&server.url, v2(), &store, &disk), |status| status.cursor.seq == 8).await;
    assert_eq!((done.written, done.rejected), (8, 0));
}

#[tokio::test]
async fn a_record_that_no_point_can_carry_is_passed_over() {
    let server = Server::start(|_, _| 204).await;
    let (store, disk) = (Arc::new(Store::default()), MemoryLayer::new());
    let mut far = record(2, 1.0);
    far.key.at = EventTime::MAX;
    store.put([record(1, f64::NAN), far, record(3, 1.0)]);
    let projection = projection(&server.url, v2(), &store, &disk);
    let done = run_until(&projection, |status| status.cursor.seq == 3).await;
    assert_eq!((done.written, done.rejected), (1, 2));
    assert_eq!(projection.rejected().iter().map(|point| point.position.seq).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_bad_address_is_told_before_anything_starts() {
    let make = |url: &str, api| {
        let cursor = Arc::new(FileCursor::new(Arc::new(MemoryLayer::new()), "/c"));
        let clock = Arc::new(ManualClock::default());
        let config = InfluxConfig::new(url, api);
        InfluxProjection::new(config, Arc::new(Store::default()), Arc::new(Words), cursor, clock).map(|_| ())
    };
    assert!(matches!(make("not an address", v2()), Err(InfluxConfigError::Url(_))));
    assert!(matches!(make("ftp://host", v2()), Err(InfluxConfigError::Url(_))));
    let v1 = InfluxApi::V1 { database: "d".into(), retention_policy: None, user: None };
    assert!(matches!(make("https://host", v1), Err(InfluxConfigError::TlsV1)));
    assert!(!format!("{:?}", InfluxConfig::new("http://h", v2())).contains("secret"));
}

fn text_of(record: SettledRecord) -> String {
    let (lines, left) = Lines::write(&[record], &Words);
    assert!(left.is_empty());
    String::from_utf8(lines.slice(0, 1).to_vec()).unwrap()
}

#[test]
fn a_line_reads_as_the_schema_says() {
    let mut full = record(1, 0.61);
    full.key.slot = 2;
    full.verdict = Verdict::Revised;
    full.body.values.push(Value {
        quantity: Quantity(1000),
        statistic: Statistic::Max,
        flag: Flag::Maintenance,
        value: -0.5,
    });
    assert_eq!(
        text_of(full),
        "instant,device=yl\\ wb\\,1,slot=2,subject=r\\=1,subject_kind=restaurant fume_instant=0.61,\
         fume_instant_flag=\"normal\",a34004\\ x_max=-0.5,a34004\\ x_max_flag=\"maintenance\" 1700000001000\n"
    );
    let mut unknown = record(1, 1e21);
    (unknown.key.device, unknown.subject) = (DeviceId(404), Some(SubjectId(404)));
    unknown.body.values[0].quantity = Quantity(2000);
    assert_eq!(
        text_of(unknown),
        "instant,device=404,subject=404 quantity2000_instant=1000000000000000000000 1700000001000\n"
    );
}

proptest! {
    #[test]
    fn another_reader_finds_what_was_written(
        value in prop::num::f64::NORMAL | prop::num::f64::ZERO, slot: u32, at in -9_000_000_000_000_i64..9_000_000_000_000,
        what in ".{0,20}", plate in prop::option::of(".{0,10}"), attribute in "[a-z \\\\=,\"\u{4e00}-\u{4eff}]{1,8}", lat in -90.0..90.0_f64,
    ) {
        let mut record = record(1, value);
        (record.key.slot, record.key.at) = (slot, EventTime::from_ms(at));
        record.body.fix = Some(Fix {
            place: Wgs84 { lat, lon: 113.5 }, speed_kmh: 30.5, heading_deg: 90, altitude_m: -4, fixed: true, status: 3, alarm: 0,
        });
        record.body.happening = Some(Box::new(Happening {
            what: what.clone(), end: Some(EventTime::from_ms(7)), plate: plate.clone(),
            attributes: vec![(attribute, what.clone())], pictures: vec!["a".into()],
        }));
        let text = text_of(record);
        prop_assert_eq!(text.lines().count(), 1);
        let parsed: Vec<_> = influxdb_line_protocol::parse_lines(&text).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(parsed.len(), 1);
        let line = &parsed[0];
        prop_assert_eq!(line.timestamp, Some(at));
        prop_assert_eq!(line.series.measurement.as_str(), "instant");
        let tags: Vec<(String, String)> = line.series.tag_set.iter().flatten()
            .map(|(key, value)| (key.to_string(), value.to_string())).collect();
        prop_assert_eq!(&tags[0], &("device".to_owned(), "yl wb,1".to_owned()));
        prop_assert_eq!(tags.iter().any(|(key, value)| key == "slot" && *value == slot.to_string()), slot != 0);
        let field = |wanted: &str| line.field_set.iter().find(|(key, _)| *key == wanted).map(|(_, value)| value.clone());
        prop_assert!(matches!(field("fume_instant"), Some(FieldValue::F64(found)) if found.to_bits() == value.to_bits()));
        prop_assert!(matches!(field("latitude"), Some(FieldValue::F64(found)) if found.to_bits() == lat.to_bits()));
        prop_assert!(matches!(field("altitude_m"), Some(FieldValue::I64(-4))));
        prop_assert!(matches!(field("fixed"), Some(FieldValue::Boolean(true))));
        let clean = |text: &str| text.chars().map(|c| if c.is_ascii_control() { ' ' } else { c }).collect::<String>();
        let string = |wanted: &str| match field(wanted) {
            Some(FieldValue::String(found)) => Some(found.to_string()),
            _ => None,
        };
        prop_assert_eq!(string("what"), Some(clean(&what)));
        prop_assert_eq!(string("plate"), plate.map(|plate| clean(&plate)));
    }
}
