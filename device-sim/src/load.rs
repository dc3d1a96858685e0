//! Load over MQTT 3.1.1, QoS 1: as fast as acknowledgements allow (`flood`), or open loop at a fixed rate (`paced`), where
//! a latency is counted from the moment a message was *meant* to leave, so that a stalled server cannot hide behind a
//! stalled sender. The client is a few dozen lines of its own, so that it costs little beside the server under test.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub mod frames;

/// One simulated publisher.
#[derive(Debug, Clone)]
pub struct Publisher {
    pub client_id: String,
    pub credential: Option<(String, String)>,
    pub topic: String,
}

#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection keeps this many messages unacknowledged.
    Flood { window: u16 },
    /// Messages a second over all connections.
    Rate { per_second: f64 },
}

#[derive(Debug, Clone)]
pub struct Load {
    pub address: String,
    pub publishers: Vec<Publisher>,
    pub pace: Pace,
    pub seconds: u64,
    /// Event time of the first message of every publisher, UTC milliseconds; each further one is a millisecond later.
    pub first_ms: i64,
}

/// What came of it. Latencies are in milliseconds from the intended send time to the PUBACK.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub connections: usize,
    pub sent: u64,
    pub acknowledged: u64,
    pub seconds: f64,
    pub acknowledged_per_second: f64,
    pub latency_p50_ms: f64,
    pub latency_p99_ms: f64,
    pub latency_max_ms: f64,
}

#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

/// Unacknowledged messages after which a publisher waits even in open loop; the waiting counts into the latency.
const OUTSTANDING_MAX: usize = 60;

/// Runs the load and returns the outcome.
///
/// # Errors
/// When a connection is refused or breaks.
pub async fn run(load: Load) -> Result<Outcome> {
    let tally = Arc::new(Tally::default());
    let count = load.publishers.len();
    let mut connected = Vec::with_capacity(count);
    for publisher in &load.publishers {
        connected
            .push(connect(&load.address, publisher).await.with_context(|| format!("connect {}", publisher.client_id))?);
    }
    let begin = Instant::now() + Duration::from_millis(200);
    let end = begin + Duration::from_secs(load.seconds);
    let mut tasks = tokio::task::JoinSet::new();
    for (index, (stream, publisher)) in connected.into_iter().zip(load.publishers).enumerate() {
        let (tally, pace, first_ms) = (Arc::clone(&tally), load.pace, load.first_ms);
        tasks.spawn(publish(stream, publisher, Share { index, count }, pace, (begin, end), first_ms, tally));
    }
    let mut latencies: Vec<u32> = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.context("join publisher")??);
    }
    let (sent, acknowledged) = (tally.sent.load(Ordering::Relaxed), tally.acknowledged.load(Ordering::Relaxed));
    Ok(outcome(count, (sent, acknowledged), begin.elapsed(), latencies))
}

/// Of `(sent, acknowledged)` messages and their latencies in microseconds.
fn outcome(connections: usize, (sent, acknowledged): (u64, u64), took: Duration, mut latencies: Vec<u32>) -> Outcome {
    latencies.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(0.0, |us| f64::from(*us) / 1000.0)
    };
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let acknowledged_per_second = acknowledged as f64 / seconds;
    Outcome {
        connections,
        sent,
        acknowledged,
        seconds,
        acknowledged_per_second,
        latency_p50_ms: at(0.50),
        latency_p99_ms: at(0.99),
        latency_max_ms: at(1.0),
    }
}

#[derive(Debug, Clone, Copy)]
struct Share {
    index: usize,
    count: usize,
}

async fn connect(address: &str, publisher: &Publisher) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut body = BytesMut::new();
    put_text(&mut body, "MQTT")?;
    body.put_u8(4);
    body.put_u8(if publisher.credential.is_some() { 0b1100_0010 } else { 0b0000_0010 });
    body.put_u16(120);
    put_text(&mut body, &publisher.client_id)?;
    if let Some((user, password)) = &publisher.credential {
        put_text(&mut body, user)?;
        put_text(&mut body, password)?;
    }
    stream.write_all(&packet(0x10, &body)?).await?;
    let mut answer = [0_u8; 4];
    stream.read_exact(&mut answer).await.context("read CONNACK")?;
    ensure!(answer[0] == 0x20 && answer[3] == 0, "CONNACK {answer:02x?}");
    Ok(stream)
}

fn put_text(out: &mut BytesMut, text: &str) -> Result<()> {
    out.put_u16(u16::try_from(text.len()).context("text too long")?);
    out.put_slice(text.as_bytes());
    Ok(())
}

fn packet(head: u8, body: &[u8]) -> Result<BytesMut> {
    let mut out = BytesMut::with_capacity(body.len() + 5);
    out.put_u8(head);
    let mut left = u32::try_from(body.len()).context("packet too long")?;
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or(0);
        left >>= 7;
        out.put_u8(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.put_slice(body);
    Ok(out)
}

/// One publisher until the end of the run; returns its latencies in microseconds.
async fn publish(
    mut stream: TcpStream,
    publisher: Publisher,
    share: Share,
    pace: Pace,
    (begin, end): (Instant, Instant),
    first_ms: i64,
    tally: Arc<Tally>,
) -> Result<Vec<u32>> {
    let mut out = BytesMut::with_capacity(16 * 1024);
    let mut input = BytesMut::with_capacity(1024);
    let mut latencies = Vec::new();
    let mut outstanding: std::collections::VecDeque<(u16, Instant)> = std::collections::VecDeque::new();
    let mut next_id = 0_u16;
    let mut number = 0_i64;
    let gap = match pace {
        Pace::Flood { .. } => Duration::ZERO,
        #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
        Pace::Rate { per_second } => Duration::from_secs_f64(share.count as f64 / per_second),
    };
    // Publishers are spread over one gap, so that they do not all speak at once.
    let stagger = gap.mul_f64(fraction(share));
    let mut due = begin + stagger;
    tokio::time::sleep_until(due).await;
    loop {
        let now = Instant::now();
        let room = match pace {
            Pace::Flood { window } => usize::from(window),
            Pace::Rate { .. } => OUTSTANDING_MAX,
        };
        out.clear();
        while outstanding.len() < room && now < end && (gap.is_zero() || due <= now) {
            next_id = if next_id == u16::MAX { 1 } else { next_id + 1 };
            write_publish(&mut out, &publisher.topic, next_id, first_ms + number)?;
            outstanding.push_back((next_id, if gap.is_zero() { now } else { due }));
            number += 1;
            due += gap;
            tally.sent.fetch_add(1, Ordering::Relaxed);
        }
        if !out.is_empty() {
            stream.write_all(&out).await.context("write")?;
        }
        if now >= end && outstanding.is_empty() {
            return Ok(latencies);
        }
        ensure!(now < end + Duration::from_secs(20), "{} messages were never acknowledged", outstanding.len());
        let wake = if gap.is_zero() || outstanding.len() >= room { now + Duration::from_secs(5) } else { due.max(now) };
        tokio::select! {
            // read_buf and sleep_until are both cancel-safe.
            read = stream.read_buf(&mut input) => if read.context("read")? == 0 { bail!("the server closed the connection") },
            () = tokio::time::sleep_until(wake), if now < end => {}
        }
        let arrived = Instant::now();
        while input.len() >= 4 {
            ensure!(input[0] == 0x40 && input[1] == 2, "PUBACK expected, got {:02x?}", &input[..4]);
            let id = u16::from_be_bytes([input[2], input[3]]);
            input.advance(4);
            let Some((expected, meant)) = outstanding.pop_front() else { bail!("PUBACK {id} without a PUBLISH") };
            ensure!(id == expected, "PUBACK {id} out of order, {expected} expected");
            latencies.push(u32::try_from((arrived - meant).as_micros()).unwrap_or(u32::MAX));
            tally.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of connections")]
fn fraction(share: Share) -> f64 {
    share.index as f64 / share.count.max(1) as f64
}

/// A PUBLISH, QoS 1, of six fields in about 200 bytes.
fn write_publish(out: &mut BytesMut, topic: &str, id: u16, at_ms: i64) -> Result<()> {
    use std::fmt::Write;
    let wave = at_ms.rem_euclid(1000);
    let mut json = String::with_capacity(220);
    write!(
        json,
        r#"{{"ts":{at_ms},"values":{{"fume":0.{wave:03},"particulate":1.{wave:03},"nmhc":2.{wave:03},"purifier_current":3.{wave:03},"fan_current":4.{wave:03},"flue_temperature":45.{wave:03}}}}}"#
    )?;
    let length = 2 + topic.len() + 2 + json.len();
    out.put_u8(0x32);
    let mut left = length;
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or(0);
        left >>= 7;
        out.put_u8(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    put_text(out, topic)?;
    out.put_u16(id);
    out.put_slice(json.as_bytes());
    Ok(())
}
