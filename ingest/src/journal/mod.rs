//! The journal. (API published first; see the modules.)
pub mod entry;
pub mod layer;

use crate::journal::entry::Entry;
use crate::journal::layer::FileLayer;
use model::envelope::{Envelope, Position};
use model::seams::{AppendError, Committed, Completion, Inlet};
use model::time::{Clock, IngestTime};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bounds and places. [`JournalConfig::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    pub dir: PathBuf,
    pub partition: u16,
    pub segment_bytes: u64,
    pub queue_bytes_max: usize,
    pub queue_entries_max: usize,
    pub group_bytes_max: usize,
    pub archive_retention: Duration,
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
            archive_retention: Duration::from_secs(5 * 366 * 86_400),
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
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error("journal is damaged at {path} byte {offset} (seq {seq}): {what}")]
    Corrupt { path: PathBuf, offset: u64, seq: u64, what: String },
    #[error("entry {wanted} is older than the oldest kept, {first}")]
    Gone { wanted: u64, first: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    Ok,
    DiskFull { since: IngestTime },
    Failing { since: IngestTime, error: Arc<str> },
}

#[derive(Debug)]
pub struct Journal;
impl Journal {
    pub fn open(_config: JournalConfig, _layer: Arc<dyn FileLayer>, _clock: Arc<dyn Clock>) -> Result<(Arc<Self>, Recovery), JournalError> {
        unimplemented!()
    }
    pub fn append(&self, _entries: Vec<Entry>, _done: Completion) {
        unimplemented!()
    }
    pub async fn append_wait(&self, _entries: Vec<Entry>) -> Result<Committed, AppendError> {
        unimplemented!()
    }
    pub fn append_blocking(&self, _entries: Vec<Entry>) -> Result<Committed, AppendError> {
        unimplemented!()
    }
    /// The last durable position (`seq` 0: none).
    pub fn durable(&self) -> Position {
        unimplemented!()
    }
    pub fn durable_watch(&self) -> tokio::sync::watch::Receiver<Position> {
        unimplemented!()
    }
    /// The oldest position that can still be read.
    pub fn first(&self) -> Position {
        unimplemented!()
    }
    /// Follows the durable end; the first entry it returns is the one at `from`.
    pub fn reader(&self, _from: Position) -> JournalReader {
        unimplemented!()
    }
    pub fn read_at(&self, _at: Position) -> Result<Option<Entry>, JournalError> {
        unimplemented!()
    }
    /// Segments wholly below `below` may leave for the archive.
    pub fn release(&self, _below: Position) {
        unimplemented!()
    }
    pub fn health(&self) -> Health {
        unimplemented!()
    }
    /// Writes what is queued, refuses what comes later, ends the threads.
    pub fn stop(&self) {
        unimplemented!()
    }
}
impl Inlet for Journal {
    fn accept(&self, _batch: Vec<Envelope>, _done: Completion) {
        unimplemented!()
    }
}

#[derive(Debug)]
pub struct JournalReader;
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    Data,
    TimedOut,
    Stopped,
}
impl JournalReader {
    /// The place of the next entry to be read.
    pub fn next(&self) -> Position {
        unimplemented!()
    }
    /// The next entries, about `max_bytes` of them and at least one; empty at the durable end. Blocks only on the disk.
    pub fn read_batch(&mut self, _max_bytes: usize) -> Result<Vec<(Position, Entry)>, JournalError> {
        unimplemented!()
    }
    /// Blocks the thread until there is more to read.
    pub fn wait(&self, _timeout: Duration) -> Waited {
        unimplemented!()
    }
    /// The same without a thread; cancel-safe.
    pub async fn wait_async(&mut self) -> Waited {
        unimplemented!()
    }
}
