//! Load of HJ 212 or JT/T 808 frames: every connection keeps a number of them unanswered. The frames are made before the
//! clock starts, so that the sender's cost beside the server under test is a write and the reading of answers.

use super::{Outcome, outcome};
use crate::fleet::Secret;
use crate::obey::{Manners, no_memory};
use crate::transport::{Dialect, Heard, Logger, Payload, Person, Terminal};
use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use model::geo::Wgs84;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Hj212,
    Jt808,
}

#[derive(Debug, Clone)]
pub struct FrameLoad {
    pub kind: Kind,
    pub address: String,
    pub devices: Vec<Secret>,
    /// Frames of each device, a second of event time apart.
    pub frames: u32,
    /// Unanswered frames a connection keeps.
    pub window: usize,
    /// Event time of the first frame, UTC milliseconds.
    pub first_ms: i64,
}

/// For an answer, and for the greeting.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Sends every frame once and waits for every answer.
///
/// # Errors
/// When a connection is refused or breaks, or an answer does not come.
pub async fn run(load: FrameLoad) -> Result<Outcome> {
    let mut connections = Vec::with_capacity(load.devices.len());
    for device in &load.devices {
        let connection =
            Connection::open(&load, device).await.with_context(|| format!("device {}", device.identity))?;
        connections.push(connection);
    }
    let count = connections.len();
    let begin = Instant::now() + Duration::from_millis(200);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in connections {
        tasks.spawn(connection.flood(load.window, begin));
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done.context("join a device")??);
    }
    let answered = u64::try_from(latencies.len()).unwrap_or(u64::MAX);
    Ok(outcome(count, (answered, answered), begin.elapsed(), latencies))
}

struct Connection {
    stream: TcpStream,
    dialect: Box<dyn Dialect>,
    frames: Vec<(u64, Bytes)>,
}

impl Connection {
    async fn open(load: &FrameLoad, device: &Secret) -> Result<Self> {
        let mut dialect: Box<dyn Dialect> = match load.kind {
            Kind::Hj212 => Box::new(Logger::new(&Person {
                name: &device.identity,
                secret: device,
                manners: Manners::Obey,
                memory: no_memory(),
            })),
            Kind::Jt808 => Box::new(Terminal::new(&device.identity, Manners::Obey)?),
        };
        let mut stream = TcpStream::connect(&load.address).await?;
        stream.set_nodelay(true)?;
        let hello = dialect.hello();
        for frame in &hello {
            stream.write_all(frame).await?;
        }
        let (mut input, mut ready) = (BytesMut::new(), hello.is_empty());
        let deadline = Instant::now() + ANSWER_WAIT;
        while !ready {
            let read = timeout_at(deadline, stream.read_buf(&mut input)).await.context("wait for the greeting")??;
            ensure!(read > 0, "the server closed the connection");
            for heard in dialect.read(&mut input) {
                match heard {
                    Heard::Reply(bytes) => stream.write_all(&bytes).await?,
                    Heard::Ready => ready = true,
                    Heard::Refused(why) => bail!(why),
                    Heard::Answer(_) | Heard::Late(_) => {}
                }
            }
        }
        let mut frames = Vec::with_capacity(usize::try_from(load.frames).unwrap_or(0));
        for number in 0..load.frames {
            frames.extend(dialect.frames(&payload(load.kind, number, load.first_ms + i64::from(number) * 1000))?);
        }
        Ok(Self { stream, dialect, frames })
    }

    /// Latencies in microseconds, from the write to the answer.
    async fn flood(mut self, window: usize, begin: Instant) -> Result<Vec<u32>> {
        tokio::time::sleep_until(begin).await;
        let mut latencies = Vec::with_capacity(self.frames.len());
        let mut waiting: VecDeque<(u64, Instant)> = VecDeque::with_capacity(window);
        let (mut out, mut input) = (BytesMut::new(), BytesMut::new());
        let mut frames = self.frames.iter();
        loop {
            out.clear();
            let now = Instant::now();
            for (number, frame) in frames.by_ref().take(window - waiting.len()) {
                out.extend_from_slice(frame);
                waiting.push_back((*number, now));
            }
            if !out.is_empty() {
                self.stream.write_all(&out).await.context("write")?;
            }
            if waiting.is_empty() {
                return Ok(latencies);
            }
            let deadline = now + ANSWER_WAIT;
            let read = timeout_at(deadline, self.stream.read_buf(&mut input))
                .await
                .with_context(|| format!("wait for {} answers", waiting.len()))??;
            ensure!(read > 0, "the server closed the connection");
            let arrived = Instant::now();
            for heard in self.dialect.read(&mut input) {
                let Heard::Answer(number) = heard else { continue };
                let Some((expected, sent)) = waiting.pop_front() else { bail!("answer {number} to no frame") };
                ensure!(number == expected, "answer {number} out of order, {expected} expected");
                latencies.push(u32::try_from((arrived - sent).as_micros()).unwrap_or(u32::MAX));
            }
        }
    }
}

/// Six factors of a fume monitor, or a fix of a truck that crawls eastward.
fn payload(kind: Kind, number: u32, at_ms: i64) -> Payload {
    match kind {
        Kind::Hj212 => {
            let wave = number % 1000;
            Payload::Hj212 {
                cn: 2011,
                at_ms,
                items: format!(
                    "a34041-Rtd=0.{wave:03},a34041-Flag=N;a34000-Rtd=1.{wave:03},a34000-Flag=N;a24088-Rtd=2.{wave:03},a24088-Flag=N;a01001-Rtd=21.{wave:03},a01001-Flag=N;a01002-Rtd=45.{wave:03},a01002-Flag=N;a01007-Rtd=3.{wave:03},a01007-Flag=N"
                ),
            }
        }
        Kind::Jt808 => Payload::Position {
            place: Wgs84 { lon: 113.5 + f64::from(number) * 1e-5, lat: 34.8 },
            speed_kmh: 36.0,
            heading_deg: 90,
            fixed: true,
            at_ms,
        },
    }
}
