//! The settle worker: a thread that drives [`crate::settle`] over the journal. (Signatures first.)

use crate::chunks::ChunkStore;
use crate::journal::Journal;
use crate::live::{FanOutFeed, LiveHub};
use crate::quarantine::WireTrace;
use crate::settle::SettleConfig;
use model::envelope::Position;
use model::facts::Facts;
use model::stream::Batch;
use model::time::Clock;
use std::sync::Arc;
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
    /// To the judge; bounded. When it is full settle waits.
    pub judge: tokio::sync::mpsc::Sender<Batch>,
    /// The judge's cursor J: nothing is sealed beyond it.
    pub judged: tokio::sync::watch::Receiver<Position>,
    pub clock: Arc<dyn Clock>,
    pub stop: CancellationToken,
}

/// Bounds of the worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    pub settle: SettleConfig,
    /// Bytes of entries read at once.
    pub read_bytes_max: usize,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { settle: SettleConfig::default(), read_bytes_max: 256 << 10 }
    }
}

/// The running worker.
#[derive(Debug)]
pub struct Worker {}

impl Worker {
    /// Starts the thread (must be called inside a tokio runtime).
    pub fn spawn(_parts: WorkerParts, _config: WorkerConfig) -> std::io::Result<Self> {
        unimplemented!()
    }
    /// The last entry settle has read.
    pub fn settled(&self) -> tokio::sync::watch::Receiver<Position> {
        unimplemented!()
    }
    /// Ends after `stop`: everything read is handed on, what the judge has is sealed.
    pub async fn stopped(self) -> Result<(), WorkerError> {
        unimplemented!()
    }
}

/// Why the worker ended by itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WorkerError {
    #[error("{0}")]
    Journal(Arc<str>),
    #[error("{0}")]
    Past(#[from] crate::settle::PastError),
    #[error("{0}")]
    Store(#[from] crate::chunks::ChunkError),
    #[error("the judge has gone")]
    JudgeGone,
    #[error("settle panicked")]
    Panicked,
}
