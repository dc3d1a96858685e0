//! The journal: everything that can change a verdict, in the order it came, on disk before anybody is told so. It knows
//! nothing of what its entries mean, of registers or of SQL.
//!
//! # Constraints
//! 1. A [`Completion`] says `Ok` only after `fdatasync` covered all of its batch. Numbers run from 1 without gaps.
//! 2. No reader ever gets an entry that is not durable.
//! 3. A page that a failed write or sync touched is never trusted again.
//! 4. Damage is reported with its place, never skipped.
//! 5. Memory, queue, group, segment and record are bounded; a full queue refuses at once.
//!
//! # Layout (format version 1, integers little-endian)
//! ```text
//! DIR/00000000000000000001.seg       a segment, named by its first entry's number
//! DIR/reserve-1.tmp                  the next segment: zeros written and synced, nameless until it is needed
//! DIR/archive/00000000000000000001.zst
//!
//! segment := header, group*, zeros
//! header  := "LTJRNL\x1a\n", version u16, partition u16, 0 u32, first u64, salt u64, crc32 u32            36 bytes
//! group   := f6 'G' 'R' b5, bytes u32, first u64, count u32, crc32 u32 (seed: salt), record*count          24 bytes + bytes
//! record  := crc32 u32 (seed: number), length u32, entry                                  8 bytes + length; `entry` in entry.rs
//!
//! archive := "LTARCH\x1a\n", version u16, partition u16, blocks u32, first u64, last u64, last_at i64, crc32 u32, block*
//! block   := raw u32, packed u32, first u64, crc32 u32 of packed, zstd of record*
//! ```
//! A checksum covers what stands before it in its header; a record's covers length and entry. Seeds fold 64 bits to 32.
//! The last entry of a segment is the one before the next segment's first; bytes behind it mean nothing.
//!
//! # Write
//! Zeros are written before they are needed because `fdatasync` of a page that was only allocated also commits the file
//! system's own journal: 4 ms against 0.15 ms a commit (ext4, measured). //! One thread takes what is queued as one group: one write, one `fdatasync`, then the completions, then the readers are
//! told. If either fails, the group is refused, the segment is left at its last good byte, and a new one is started as soon
//! as that works (100 ms, doubling to `retry_max`); until then every batch is refused at once. A new segment is the reserve
//! with a header, synced, renamed, its folder synced, before the first record goes in.
//!
//! # Read
//! Chunks of up to 256 KiB, entries are slices of them. Marks every 64 KiB lead to the middle of a segment; they are kept
//! for segments written in this run and scanned on the first need for older ones.
//!
//! # Recovery
//! Headers of all segments are checked. The last segment is read through: whole groups count, the first that is not whole
//! is cut off, since its sync never returned, unless a later group stands behind it: then it is damage and the journal
//! refuses to open. What counts is written over itself, the file truncated and synced; writing goes on in a new segment.
//! Older segments are checked when they are read.
//!
//! # Delete
//! [`Journal::release`] lets segments go to the archive, by a thread of low priority: compressed, synced, named, read back,
//! then the original is removed. Archived segments read like hot ones and are deleted after `archive_retention`.

mod archive;
mod catalog;
pub mod entry;
mod keeper;
pub mod layer;
mod log;
pub mod memory;
mod outage;
mod reader;
mod recover;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

pub use outage::{ClockWatch, process_outage};
pub use reader::JournalReader;

use catalog::{Catalog, Shared};
use entry::{Entry, EntryError};
use keeper::Bell;
use layer::FileLayer;
use model::envelope::{Envelope, Position};
use model::seams::{AppendError, Committed, Completion, Inlet};
use model::time::{Clock, IngestTime};
use segment::{RECORD_BYTES, begin_record, end_record};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use writer::{Batch, Queue};

/// Bounds and places. [`JournalConfig::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    pub dir: PathBuf,
    pub partition: u16,
    pub segment_bytes: u64,
    /// Waiting for the writer; beyond either bound a batch is refused.
    pub queue_bytes_max: usize,
    pub queue_entries_max: usize,
    /// Of one write, unless a single batch is larger.
    pub group_bytes_max: usize,
    pub archive_retention: Duration,
    /// The longest pause between two attempts to write again after a failure.
    pub retry_max: Duration,
}

impl JournalConfig {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            partition: 0,
            segment_bytes: 64 << 20,
            queue_bytes_max: 32 << 20,
            queue_entries_max: 200_000,
            group_bytes_max: 1 << 20,
            archive_retention: Duration::from_hours(5 * 366 * 24),
            retry_max: Duration::from_secs(2),
        }
    }
}

/// What opening found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The last durable entry; `seq` 0 when the journal is new.
    pub last: Position,
    /// Bytes of a group cut short by a crash; nobody had an acknowledgement for them.
    pub torn_bytes: u64,
    /// Journal time of the last entry.
    pub last_at: Option<IngestTime>,
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("journal is damaged at {path} byte {offset}, entry {seq}: {what}")]
    Corrupt { path: PathBuf, offset: u64, seq: u64, what: String },
    #[error("entry {wanted} is older than the oldest kept, {first}")]
    Gone { wanted: u64, first: u64 },
    #[error("entry {at} cannot be read by this version")]
    Entry {
        at: Position,
        #[source]
        source: EntryError,
    },
}

/// Whether the journal takes entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Ok,
    DiskFull { since: IngestTime },
    Failing { since: IngestTime, error: Arc<str> },
}

/// How a wait for more entries ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    Data,
    TimedOut,
    Stopped,
}

/// An open journal of one partition.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Journal {
    /// Opens or creates the journal in `config.dir`, which no other process may have open, and starts its threads.
    pub fn open(
        config: JournalConfig,
        layer: Arc<dyn FileLayer>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Arc<Self>, Recovery), JournalError> {
        let (shared, recovery) = open_shared(config, layer, clock)?;
        // The keeper tries again and reports it when this fails.
        log::prepare_reserve(&shared).ok();
        let (queue, bell) = (Arc::new(Queue::default()), Arc::new(Bell::default()));
        let writer = {
            let (shared, queue, bell) = (Arc::clone(&shared), Arc::clone(&queue), Arc::clone(&bell));
            spawn("journal-writer", move || writer::run(&shared, &queue, || bell.ring()))
        }?;
        let keeper = {
            let (shared, bell) = (Arc::clone(&shared), Arc::clone(&bell));
            spawn("journal-keeper", move || keeper::run(&shared, &bell))
        }?;
        Ok((Arc::new(Self { shared, queue, bell, threads: Mutex::new(vec![writer, keeper]) }), recovery))
    }

    /// Appends entries as one batch; see [`Inlet::accept`] for what `done` promises.
    pub fn append(&self, entries: Vec<Entry>, done: Completion) {
        self.push(entries.len(), done, |records| {
            for entry in entries {
                let start = begin_record(records);
                entry.encode(records).map_err(|error| error.to_string())?;
                close_record(records, start)?;
            }
            Ok(())
        });
    }

    /// [`Self::append`] for async callers.
    pub async fn append_wait(&self, entries: Vec<Entry>) -> Result<Committed, AppendError> {
        let (send, receive) = tokio::sync::oneshot::channel();
        // The receiver is gone when the caller no longer wants to know.
        self.append(entries, Box::new(|done| drop(send.send(done))));
        receive.await.unwrap_or(Err(AppendError::Stopping))
    }

    /// [`Self::append`] for threads.
    pub fn append_blocking(&self, entries: Vec<Entry>) -> Result<Committed, AppendError> {
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        // The receiver lives until the answer is there.
        self.append(entries, Box::new(move |done| drop(send.send(done))));
        receive.recv().unwrap_or(Err(AppendError::Stopping))
    }

    /// The last durable position (`seq` 0: none).
    pub fn durable(&self) -> Position {
        self.shared.position(self.shared.catalog().durable)
    }

    /// Follows [`Self::durable`].
    pub fn durable_watch(&self) -> tokio::sync::watch::Receiver<Position> {
        self.shared.end.subscribe()
    }

    /// The oldest position that can still be read.
    pub fn first(&self) -> Position {
        self.shared.position(self.shared.catalog().first())
    }

    /// Follows the durable end; the first entry it returns is the one at `from` (0 and 1: the first there ever was).
    pub fn reader(&self, from: Position) -> JournalReader {
        JournalReader::new(Arc::clone(&self.shared), from.seq)
    }

    /// One entry; `None` when it is not durable yet.
    pub fn read_at(&self, at: Position) -> Result<Option<Entry>, JournalError> {
        Ok(self.reader(at).read_batch(1)?.into_iter().next().map(|(_, entry)| entry))
    }

    /// Entries before `below` are settled: segments wholly below may leave for the archive.
    pub fn release(&self, below: Position) {
        let before = self.shared.released.fetch_max(below.seq, Ordering::AcqRel);
        let archivable = |released| self.shared.catalog().archivable(released).is_some();
        if before < below.seq && archivable(below.seq) {
            self.bell.ring();
        }
    }

    pub fn health(&self) -> Health {
        self.shared.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what is queued, refuses what comes later, ends the threads. Blocks until they have ended.
    pub fn stop(&self) {
        self.queue.stop();
        self.bell.stop();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A panic was printed where it happened.
            thread.join().ok();
        }
    }

    fn push(&self, count: usize, done: Completion, encode: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) {
        let mut records = Vec::with_capacity(count.min(1 << 16) * 256);
        match encode(&mut records) {
            Ok(()) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                self.queue.push(Batch { records, count, done }, &self.shared.config);
            }
            Err(what) => done(Err(AppendError::Io(what.into()))),
        }
    }
}

impl Inlet for Journal {
    fn accept(&self, batch: Vec<Envelope>, done: Completion) {
        self.push(batch.len(), done, |records| {
            for envelope in &batch {
                let start = begin_record(records);
                entry::encode_frame(envelope, records);
                close_record(records, start)?;
            }
            Ok(())
        });
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.stop();
    }
}

impl JournalError {
    fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    fn corrupt(path: &Path, offset: u64, seq: u64, what: &str) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, seq, what: what.to_owned() }
    }
}

/// Recovers the journal, without its threads.
fn open_shared(
    config: JournalConfig,
    layer: Arc<dyn FileLayer>,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Shared>, Recovery), JournalError> {
    let archive = config.dir.join(catalog::ARCHIVE_DIR);
    for dir in [&config.dir, &archive] {
        layer.create_dir(dir).map_err(|source| JournalError::io("create", dir, source))?;
    }
    let lock_path = config.dir.join("lock");
    let lock = layer.lock(&lock_path).map_err(|source| JournalError::io("lock", &lock_path, source))?;
    let start = Position { partition: config.partition, seq: 0 };
    let shared = Arc::new(Shared {
        config,
        layer,
        clock,
        catalog: Mutex::new(Catalog::default()),
        grown: Condvar::new(),
        end: tokio::sync::watch::channel(start).0,
        health: Mutex::new(Health::Ok),
        released: AtomicU64::new(0),
        reserve: Mutex::new(None),
        reserves: AtomicU64::new(0),
        blocks: Mutex::default(),
        _lock: lock,
    });
    let torn_bytes = recover::recover(&shared)?;
    let last = shared.position(shared.catalog().durable);
    shared.end.send_replace(last);
    let last_at = last_time(&shared, last.seq)?;
    Ok((shared, Recovery { last, torn_bytes, last_at }))
}

/// Journal time of the last entry that has one; of the last few, since nearly all have.
fn last_time(shared: &Arc<Shared>, last: u64) -> Result<Option<IngestTime>, JournalError> {
    let oldest = shared.catalog().first();
    for seq in (oldest.max(last.saturating_sub(LAST_TIME_ENTRIES_MAX))..=last).rev().take_while(|seq| *seq > 0) {
        let raw = JournalReader::new(Arc::clone(shared), seq).read_raw(1)?;
        let entry = raw.into_iter().next().and_then(|(_, bytes)| Entry::decode(bytes).ok());
        if let Some(at) = entry.and_then(|entry| entry.at()) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

fn close_record(records: &mut [u8], start: usize) -> Result<(), String> {
    if end_record(records, start) { Ok(()) } else { Err("the entry is longer than a record may be".into()) }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    let spawned = std::thread::Builder::new().name(name.into()).spawn(work);
    spawned.map_err(|source| JournalError::io("start", Path::new(name), source))
}

const LAST_TIME_ENTRIES_MAX: u64 = 64;
