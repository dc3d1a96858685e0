//! The `InfluxDB` projection: settled records, in journal order, as line protocol in batches, by the v2 API (`influxdb2`) or
//! the 1.x one. What a promise rests on never waits for it: while `InfluxDB` is away the chunk store is the queue, and the
//! cursor says where to go on. The cursor moves only after a batch was answered; what was sent twice writes over itself.
//!
//! A batch that is rejected is split by halves until the points at fault stand alone; those are counted, logged, kept in a
//! bounded list and passed over. Before a point is blamed, a harmless one is sent: if that is refused too, nothing is
//! wrong with the points (a wrong database or policy), and the batch waits like in any other outage.

mod api;
mod line;
#[cfg(test)]
mod tests;

use super::cursor::CursorStore;
use super::{Names, RecordSource};
use crate::metrics::{
    INFLUX_BATCH_SECONDS, INFLUX_LAG_ENTRIES, INFLUX_POINTS_TOTAL, INFLUX_REJECTED_TOTAL, INFLUX_RETRIES_TOTAL,
};
use api::{Answer, Api, compress, pause};
use line::Lines;
use model::envelope::Position;
use model::id::DeviceId;
use model::record::SettledRecord;
use model::time::{Clock, EventTime, IngestTime};
use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Where to, and with which bounds. [`InfluxConfig::new`] gives the defaults.
#[derive(Clone)]
pub struct InfluxConfig {
    /// `http://127.0.0.1:8086`
    pub url: String,
    pub api: InfluxApi,
    /// Points of one request.
    pub batch_points_max: usize,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub retry_min: Duration,
    pub retry_max: Duration,
    /// How long to gather when there is less than a batch.
    pub linger: Duration,
}

#[derive(Clone)]
pub enum InfluxApi {
    V2 { org: String, bucket: String, token: String },
    V1 { database: String, retention_policy: Option<String>, user: Option<(String, String)> },
}

impl InfluxConfig {
    pub fn new(url: impl Into<String>, api: InfluxApi) -> Self {
        Self {
            url: url.into(),
            api,
            batch_points_max: 5_000,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(15),
            linger: Duration::from_millis(500),
        }
    }
}

impl std::fmt::Debug for InfluxConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the token or the password.
        f.debug_struct("InfluxConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for InfluxApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V2 { .. } => "V2",
            Self::V1 { .. } => "V1",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InfluxConfigError {
    #[error("{0:?} is not an http or https address")]
    Url(String),
    #[error("the 1.x API is spoken without TLS only; put a proxy on this machine or use the v2 API")]
    TlsV1,
    #[error("build HTTP client: {0}")]
    Client(String),
}

/// What the page and the metrics show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfluxStatus {
    pub state: InfluxState,
    /// Everything up to here was answered.
    pub cursor: Position,
    /// Journal entries between the cursor and settle, when the batch under way was read.
    pub lag_entries: u64,
    pub written: u64,
    pub rejected: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InfluxState {
    Starting,
    Ok,
    /// It has not answered, or refused everything, since `since`.
    Failing {
        since: IngestTime,
        error: Arc<str>,
    },
}

/// A point that `InfluxDB` did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedPoint {
    pub position: Position,
    pub device: DeviceId,
    pub at: EventTime,
    /// The server's words, or ours.
    pub reason: Arc<str>,
    /// Cut at 512 bytes; empty when the record could not be written as a line.
    pub line: String,
}

/// The projection; drive it with [`Self::run`].
pub struct InfluxProjection {
    config: InfluxConfig,
    api: Api,
    source: Arc<dyn RecordSource>,
    names: Arc<dyn Names>,
    cursor: Arc<dyn CursorStore>,
    clock: Arc<dyn Clock>,
    status: watch::Sender<InfluxStatus>,
    rejected: Mutex<VecDeque<RejectedPoint>>,
}

impl std::fmt::Debug for InfluxProjection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InfluxProjection").field("config", &self.config).finish_non_exhaustive()
    }
}

impl InfluxProjection {
    pub fn new(
        config: InfluxConfig,
        source: Arc<dyn RecordSource>,
        names: Arc<dyn Names>,
        cursor: Arc<dyn CursorStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InfluxConfigError> {
        let api = Api::new(&config)?;
        let start = InfluxStatus {
            state: InfluxState::Starting,
            cursor: Position::default(),
            lag_entries: 0,
            written: 0,
            rejected: 0,
        };
        let status = watch::channel(start).0;
        Ok(Self { config, api, source, names, cursor, clock, status, rejected: Mutex::default() })
    }

    pub fn status(&self) -> watch::Receiver<InfluxStatus> {
        self.status.subscribe()
    }

    /// The last points that were passed over, oldest first; at most 256.
    pub fn rejected(&self) -> Vec<RejectedPoint> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Runs until `stop`. Never gives up: what fails is tried again, with pauses up to `retry_max`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        // Nothing is lost when it stops half way: the cursor stands before what was not answered.
        if stop.run_until_cancelled(Self::follow(&self)).await.is_none() {
            tracing::debug!("influx projection stopped");
        }
    }

    async fn follow(this: &Arc<Self>) {
        let mut cursor = this.load_cursor().await;
        this.status.send_modify(|status| status.cursor = cursor);
        loop {
            let end = this.source.end().max(cursor);
            let records = this.scan(cursor).await;
            // Entries without records (ticks) are no lag.
            this.show_lag(if records.is_empty() { 0 } else { end.seq.saturating_sub(cursor.seq) });
            let Some(last) = records.last().map(|record| record.position) else {
                this.source.changed(end).await;
                tokio::time::sleep(this.config.linger).await;
                continue;
            };
            let started = tokio::time::Instant::now();
            Self::write_batch(this, records).await;
            metrics::histogram!(INFLUX_BATCH_SECONDS).record(started.elapsed());
            cursor = last;
            this.save_cursor(cursor).await;
            this.status.send_modify(|status| {
                status.state = InfluxState::Ok;
                status.cursor = cursor;
            });
        }
    }

    async fn load_cursor(&self) -> Position {
        let mut attempt = 0;
        loop {
            let store = Arc::clone(&self.cursor);
            match blocking(move || store.load()).await {
                Ok(found) => return found.unwrap_or_default(),
                Err(error) => self.again_later(&mut attempt, &format!("load cursor: {error}")).await,
            }
        }
    }

    async fn save_cursor(&self, cursor: Position) {
        let store = Arc::clone(&self.cursor);
        if let Err(error) = blocking(move || store.save(cursor)).await {
            // The next batch saves a later one; until then a restart sends again what InfluxDB has.
            metrics::counter!(INFLUX_RETRIES_TOTAL, "why" => "cursor").increment(1);
            tracing::debug!(%error, "cursor of the influx projection was not saved");
        }
    }

    async fn scan(&self, cursor: Position) -> Vec<SettledRecord> {
        let mut attempt = 0;
        loop {
            match self.source.scan_after(cursor, self.config.batch_points_max).await {
                Ok(records) => return records,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    self.again_later(&mut attempt, &format!("{error}: {cause}")).await;
                }
            }
        }
    }

    /// Returns when every record was written or passed over.
    async fn write_batch(this: &Arc<Self>, records: Vec<SettledRecord>) {
        let records = Arc::new(records);
        let work = (Arc::clone(&records), Arc::clone(&this.names));
        let (lines, left) = offload(move || Lines::write(&work.0, &*work.1)).await;
        for index in left {
            this.pass_over(records.get(index), "the record has no field or no time that a point can carry", &[]);
        }
        let lines = Arc::new(lines);
        // Ranges of lines still to be written, the first on top: halves of what was rejected.
        let step = this.config.batch_points_max.max(1);
        let mut ranges: Vec<(usize, usize)> =
            (0..lines.len()).step_by(step).map(|from| (from, (from + step).min(lines.len()))).rev().collect();
        let mut blameless = None;
        while let Some((from, to)) = ranges.pop() {
            let shared = Arc::clone(&lines);
            let body = offload(move || compress(shared.slice(from, to))).await;
            let Err(words) = this.send(body).await else {
                this.count_written(to - from);
                continue;
            };
            if to - from > 1 {
                let middle = from + (to - from) / 2;
                ranges.extend([(middle, to), (from, middle)]);
                continue;
            }
            if blameless.is_none() {
                this.prove_server(&words).await;
                blameless = Some(());
                // The proof may have waited for the server to come to its senses: ask again before blaming the point.
                ranges.push((from, to));
                continue;
            }
            let record = lines.record_of(from).and_then(|index| records.get(index));
            this.pass_over(record, &words, lines.slice(from, to));
        }
    }

    /// Sends one body until it was written or rejected.
    async fn send(&self, body: bytes::Bytes) -> Result<(), String> {
        let mut attempt = 0;
        loop {
            match self.api.write(body.clone()).await {
                Answer::Written => return Ok(()),
                Answer::Rejected(words) => return Err(words),
                Answer::Later(error) => self.again_later(&mut attempt, &error).await,
            }
        }
    }

    /// Returns when the server takes a point that nothing can be wrong with.
    async fn prove_server(&self, words: &str) {
        let mut attempt = 0;
        // Without a time it is the server's now, which no retention refuses.
        while self.send(compress(PROOF_LINE)).await.is_err() {
            self.again_later(&mut attempt, &format!("refuses every point: {words}")).await;
        }
    }

    async fn again_later(&self, attempt: &mut u32, error: &str) {
        *attempt = attempt.saturating_add(1);
        metrics::counter!(INFLUX_RETRIES_TOTAL, "why" => "write").increment(1);
        if *attempt == 1 {
            tracing::warn!(error, "influx projection waits; charts are delayed, nothing else is");
        }
        let now = self.clock.now();
        self.status.send_modify(|status| {
            let since = match status.state {
                InfluxState::Failing { since, .. } => since,
                InfluxState::Starting | InfluxState::Ok => now,
            };
            status.state = InfluxState::Failing { since, error: error.into() };
        });
        let jitter = std::hash::RandomState::new().build_hasher().finish();
        tokio::time::sleep(pause(*attempt, self.config.retry_min, self.config.retry_max, jitter)).await;
    }

    fn count_written(&self, points: usize) {
        let points = points as u64;
        metrics::counter!(INFLUX_POINTS_TOTAL).increment(points);
        self.status.send_modify(|status| status.written += points);
    }

    fn pass_over(&self, record: Option<&SettledRecord>, reason: &str, line: &[u8]) {
        metrics::counter!(INFLUX_REJECTED_TOTAL).increment(1);
        self.status.send_modify(|status| status.rejected += 1);
        let Some(record) = record else { return };
        tracing::debug!(device = %record.key.device, position = %record.position, reason, "point was not taken");
        let cut = line.get(..line.len().min(LINE_BYTES_MAX)).unwrap_or_default();
        let point = RejectedPoint {
            position: record.position,
            device: record.key.device,
            at: record.key.at,
            reason: reason.into(),
            line: String::from_utf8_lossy(cut).trim_end().to_owned(),
        };
        let mut list = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= REJECTED_MAX {
            list.pop_front();
        }
        list.push_back(point);
    }

    fn show_lag(&self, lag: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(INFLUX_LAG_ENTRIES).set(lag as f64);
        self.status.send_if_modified(|status| std::mem::replace(&mut status.lag_entries, lag) != lag);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// Some milliseconds of work, off the async threads.
async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime is going down, and this task with it.
        Err(Err(_)) => std::future::pending().await,
    }
}

const PROOF_LINE: &[u8] = b"lantian_projection alive=true\n";
const REJECTED_MAX: usize = 256;
const LINE_BYTES_MAX: usize = 512;
