//! The settle worker: a thread that drives [`crate::settle`] over the journal and hands on what it did, in this order: blob store, chunk
//! store's head, live hub, wire trace, judge. The judge's channel is bounded; when it is full, settle waits (and acknowledgements do not).
//!
//! It starts after the store's cursor S. A batch is what one read of the journal gave. When the head is old or half full, it is handed to the
//! sealer together with the split messages that wait, at a batch's end. So S is always the end of a batch, and a restart replays whole
//! entries.

mod owed;
mod past;

use crate::chunks::{ChunkError, ChunkStore, Sealer, Swap};
use crate::journal::{Journal, JournalReader, Waited};
use crate::live::{FanOutFeed, LiveHub};
use crate::metrics::{
    HEAD_FULL_TOTAL, SETTLE_BUSY_SECONDS_TOTAL, SETTLE_ENTRIES_TOTAL, SETTLE_JUDGE_FULL_TOTAL, SETTLE_LAG_ENTRIES,
    SETTLE_QUARANTINED_TOTAL, SETTLE_RECORDS_TOTAL,
};
use crate::quarantine::WireTrace;
use crate::settle::{Output, PastError, Settle, SettleConfig};
use model::envelope::Position;
use model::facts::Facts;
use model::seams::BlobStore;
use model::stream::{Batch, Item};
use model::time::{Clock, IngestTime};
use owed::Owed;
pub use past::StorePast;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What the worker works with.
#[derive(Debug)]
pub struct WorkerParts {
    pub journal: Arc<Journal>,
    pub store: ChunkStore,
    /// The registers as of the store's cursor, [`ChunkStore::cursor`].
    pub facts: Facts,
    pub hub: LiveHub,
    pub trace: Arc<WireTrace>,
    pub fan_out: Option<FanOutFeed>,
    /// Where pictures go that came in frames; `None`: nowhere, they stay in the journal.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// To the judge; bounded. When it is full settle waits.
    pub judge: mpsc::Sender<Batch>,
    /// The judge's cursor J: nothing is sealed beyond it.
    pub judged: watch::Receiver<Position>,
    pub clock: Arc<dyn Clock>,
    pub stop: CancellationToken,
}

/// Bounds of the worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    pub settle: SettleConfig,
    /// Bytes of entries read at once.
    pub read_bytes_max: usize,
    /// How long entries that were durable at stop may still be settled; the others are after the next start.
    pub last_entries_wait: Duration,
    /// How long the last seal at stop may wait for the judge.
    pub last_seal_wait: Duration,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            settle: SettleConfig::default(),
            read_bytes_max: 256 << 10,
            last_entries_wait: Duration::from_secs(5),
            last_seal_wait: Duration::from_secs(10),
        }
    }
}

/// Why the worker ended by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkerError {
    #[error("settle cannot read the journal: {0}")]
    Journal(Arc<str>),
    #[error("settle cannot {0}")]
    Past(#[from] PastError),
    #[error("{0}")]
    Store(#[from] ChunkError),
    #[error("the judge has gone")]
    JudgeGone,
    #[error("settle panicked")]
    Panicked,
}

/// The running worker.
#[derive(Debug)]
pub struct Worker {
    settled: watch::Receiver<Position>,
    ended: oneshot::Receiver<Result<Option<Vec<u8>>, WorkerError>>,
    sealing: tokio::task::JoinHandle<()>,
    sealer_stop: CancellationToken,
    store: ChunkStore,
    judged: watch::Receiver<Position>,
    last_seal_wait: Duration,
}

impl Worker {
    /// Starts the thread and the sealer (inside a tokio runtime). Settling begins after the store's cursor.
    pub async fn spawn(parts: WorkerParts, config: WorkerConfig) -> Result<Self, WorkerError> {
        let restored = parts.store.restored().await?;
        let settle = Settle::new(config.settle, parts.facts, restored);
        let from = parts.store.cursor();
        let (store, judged) = (parts.store.clone(), parts.judged.clone());
        let sealer_stop = CancellationToken::new();
        let sealer = Sealer::new(store.clone(), judged.clone());
        let sealing = tokio::task::spawn(sealer.run(sealer_stop.clone()));
        let (settled_tx, settled) = watch::channel(from);
        let (ended_tx, ended) = oneshot::channel();
        let handle = Handle::current();
        let past = StorePast::new(parts.store.clone(), Arc::clone(&parts.journal), handle, parts.stop.clone());
        let reader = parts.journal.reader(Position { seq: from.seq + 1, ..from });
        let line = Line {
            settle,
            past,
            reader,
            journal: parts.journal,
            store: parts.store,
            hub: parts.hub,
            trace: parts.trace,
            fan_out: parts.fan_out,
            owed: Owed::new(parts.blobs),
            judge: parts.judge,
            settled: settled_tx,
            clock: parts.clock,
            stop: parts.stop,
            config,
            out: Output::default(),
            last_swap: IngestTime::MIN,
            up_to: from,
        };
        let thread = std::thread::Builder::new().name("settle".into()).spawn(move || {
            let ended = line.run();
            ended_tx.send(ended).ok(); // nobody waits any more: the process is going down
        });
        thread.map_err(|error| WorkerError::Journal(Arc::from(error.to_string())))?;
        Ok(Self { settled, ended, sealing, sealer_stop, store, judged, last_seal_wait: config.last_seal_wait })
    }

    /// The last entry settle has read.
    pub fn settled(&self) -> watch::Receiver<Position> {
        self.settled.clone()
    }

    /// Waits for the thread to end (after `stop`, or by an error), then seals what the judge has already committed. The judge's channel is closed
    /// when the thread ends, so stop the judge *while* this waits; what it has not passed is settled again after the next start.
    pub async fn stopped(self) -> Result<(), WorkerError> {
        let Self { ended, sealing, sealer_stop, store, judged, last_seal_wait, .. } = self;
        let ended = ended.await.unwrap_or(Err(WorkerError::Panicked));
        sealer_stop.cancel();
        // A panic in it was logged; the last seal below tells whether all is well.
        if tokio::time::timeout(last_seal_wait, sealing).await.is_err() {
            tracing::warn!("the last seal is still being written at stop, the open hours will be settled again");
            return ended.map(drop);
        }
        let carry = ended?;
        let mut sealer = Sealer::new(store.clone(), judged);
        let last = async {
            sealer.seal().await?;
            if let Some(carry) = carry
                && store.swap(carry) == Swap::Done
            {
                sealer.seal().await?;
            }
            Ok::<(), ChunkError>(())
        };
        match tokio::time::timeout(last_seal_wait, last).await {
            Ok(Ok(()) | Err(ChunkError::Stopping)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => {
                tracing::warn!("the judge is behind at stop, the open hours will be settled again");
                Ok(())
            }
        }
    }
}

/// The thread's state.
struct Line {
    settle: Settle,
    past: StorePast,
    reader: JournalReader,
    journal: Arc<Journal>,
    store: ChunkStore,
    hub: LiveHub,
    trace: Arc<WireTrace>,
    fan_out: Option<FanOutFeed>,
    owed: Owed,
    judge: mpsc::Sender<Batch>,
    settled: watch::Sender<Position>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    config: WorkerConfig,
    out: Output,
    last_swap: IngestTime,
    up_to: Position,
}

impl Line {
    /// Until `stop`, and then as far as the journal had got by then, if that does not take too long; gives what is to be saved with the cursor.
    /// `None`: the cursor must stay, for the sake of what is owed.
    fn run(mut self) -> Result<Option<Vec<u8>>, WorkerError> {
        self.last_swap = self.clock.now();
        let mut last: Option<(Position, tokio::time::Instant)> = None;
        loop {
            if self.stop.is_cancelled() {
                let limit = self.config.last_entries_wait;
                let (end, until) =
                    *last.get_or_insert_with(|| (self.journal.durable(), tokio::time::Instant::now() + limit));
                if self.up_to >= end || tokio::time::Instant::now() >= until {
                    break;
                }
            }
            let entries = self.reader.read_batch(self.config.read_bytes_max);
            let entries = entries.map_err(|error| WorkerError::Journal(Arc::from(error.to_string())))?;
            if entries.is_empty() {
                if self.reader.wait(WAIT) == Waited::Stopped || last.is_some() {
                    break;
                }
            } else {
                let started = tokio::time::Instant::now();
                for (position, entry) in &entries {
                    self.settle.on_entry(*position, entry, &mut self.out, &mut self.past)?;
                    self.up_to = *position;
                }
                let waited = self.hand_on()?;
                metrics::counter!(SETTLE_ENTRIES_TOTAL).increment(entries.len() as u64);
                metrics::gauge!(SETTLE_BUSY_SECONDS_TOTAL)
                    .increment((started.elapsed().saturating_sub(waited)).as_secs_f64());
            }
            self.owed.try_again(self.clock.now());
            self.seal_when_due();
        }
        self.owed.try_again(IngestTime::MAX);
        Ok(self.owed.is_empty().then(|| self.settle.carry()))
    }

    /// Gives the batch to everybody behind; returns how long the judge let us wait.
    fn hand_on(&mut self) -> Result<Duration, WorkerError> {
        self.keep_blobs();
        self.out.foreign.extend_from_slice(self.settle.take_new_foreign());
        self.store.append(&self.out, self.up_to);
        self.settle.handed_over();
        for frame in &self.out.frames {
            self.trace.settled(frame.device, frame.position, frame.channel, frame.received, frame.verdict);
        }
        for item in &self.out.items {
            if let Item::Record(record) = item
                && !record.remarks.is_empty()
            {
                self.trace.remarked(record.key.device, record.position, &record.remarks);
            }
        }
        let counts = self.out.counts;
        for (word, count) in [
            ("stored", counts.stored),
            ("revised", counts.revised),
            ("duplicate", counts.duplicate),
            ("quarantined", counts.quarantined),
        ] {
            if count > 0 {
                metrics::counter!(SETTLE_RECORDS_TOTAL, "verdict" => word).increment(count);
            }
        }
        for entry in &self.out.quarantine {
            metrics::counter!(SETTLE_QUARANTINED_TOTAL, "reason" => reason_word(entry.reason)).increment(1);
        }
        let batch = Batch { items: std::mem::take(&mut self.out.items), up_to: self.up_to };
        self.out.clear();
        self.hub.apply(&batch);
        if let Some(fan_out) = &self.fan_out {
            fan_out.publish(&batch, self.settle.facts(), &|quantity| self.store.quantity_code(quantity));
        }
        let waited = self.send(batch)?;
        self.settled.send_replace(self.up_to);
        let lag = self.journal.durable().seq.saturating_sub(self.up_to.seq);
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(SETTLE_LAG_ENTRIES).set(lag as f64);
        Ok(waited)
    }

    /// Before anybody is told of the records that refer to them.
    fn keep_blobs(&mut self) {
        let now = self.clock.now();
        for (device, bytes) in self.out.blobs.drain(..) {
            self.owed.keep(device, bytes, now);
        }
    }

    fn send(&self, batch: Batch) -> Result<Duration, WorkerError> {
        match self.judge.try_send(batch) {
            Ok(()) => Ok(Duration::ZERO),
            Err(TrySendError::Closed(_)) => Err(WorkerError::JudgeGone),
            Err(TrySendError::Full(batch)) => {
                metrics::counter!(SETTLE_JUDGE_FULL_TOTAL).increment(1);
                let started = tokio::time::Instant::now();
                self.judge.blocking_send(batch).map_err(|_| WorkerError::JudgeGone)?;
                Ok(started.elapsed())
            }
        }
    }

    /// Hands the head to the sealer when it is old or half full, and waits when it is full.
    fn seal_when_due(&mut self) {
        let config = self.store.config();
        let now = self.clock.now();
        let age_ms = now.since_ms(self.last_swap);
        let old = age_ms >= i64::try_from(config.seal_after_s).unwrap_or(i64::MAX).saturating_mul(1_000);
        let half = config.head_bytes_max / 2;
        let roomy = self.store.head_bytes().0 < half;
        if roomy && (!old || !self.owed.is_empty()) {
            return;
        }
        match self.store.swap(self.settle.carry()) {
            Swap::Done | Swap::Empty => self.last_swap = now,
            // The sealer is still at the last one: go on while there is room.
            Swap::Busy if self.store.head_bytes().0 < half => {}
            Swap::Busy => {
                metrics::counter!(HEAD_FULL_TOTAL).increment(1);
                self.past.wait_for_seal(&self.stop);
            }
        }
    }
}

const fn reason_word(reason: model::verdict::QuarantineReason) -> &'static str {
    use model::verdict::QuarantineReason as R;
    match reason {
        R::NotUnderstood => "not_understood",
        R::NoTime => "no_time",
        R::FarFuture => "far_future",
        R::FarPast => "far_past",
        R::NoUsableValue => "no_usable_value",
        R::NoProfile => "no_profile",
        R::UnitMismatch => "unit_mismatch",
        R::ForeignDevice => "foreign_device",
        R::Incomplete => "incomplete",
        R::Doubtful => "doubtful",
    }
}

const WAIT: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
