//! Drives the rules over settled items and commits their effects.

use crate::dto::LiveEvent;
use bytes::Bytes;
use database::{Database, DbError};
use model::envelope::Position;
use model::facts::Facts;
use model::id::SubjectId;
use model::quantity::Quantity;
use model::stream::Batch;
use model::time::IngestTime;
use std::sync::Arc;

/// Reads a raw frame back from the journal or its archive. Called for evidence only, from a blocking thread.
pub trait RawFrames: Send + Sync {
    /// `None` when it is gone.
    fn read_at(&self, position: Position) -> Option<RawFrame>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    pub received: IngestTime,
    /// `Channel` of the envelope as text, for the evidence list.
    pub channel: String,
    pub raw: Bytes,
}

/// Review deadlines: (facts, opened, minutes of working time) → due.
pub type Deadline = Arc<dyn Fn(&Facts, IngestTime, u32) -> IngestTime + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeConfig {
    /// State and cursor are committed at least so often (tokio time).
    pub checkpoint_ms: u64,
    /// … and after so many items.
    pub checkpoint_items: u64,
    /// Bound of the live broadcast.
    pub live_events: usize,
    pub partition: u16,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self { checkpoint_ms: 5_000, checkpoint_items: 100_000, live_events: 1_024, partition: 0 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    State(#[from] rules::StateError),
}

pub struct Judge {}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

/// Cheap to clone; for settle, the API and the live push.
#[derive(Debug, Clone)]
pub struct JudgeHandle {}

impl Judge {
    /// `facts`: the registers as of the judge's own cursor, see [`Judge::cursor_of`].
    pub async fn open(
        _db: Database,
        _config: JudgeConfig,
        _facts: Facts,
        _raw: Arc<dyn RawFrames>,
        _deadline: Deadline,
    ) -> Result<Self, JudgeError> {
        unimplemented!()
    }
    /// The committed cursor J of a partition; the wiring folds `facts` up to it. `seq` 0: nothing yet. Migrates first.
    pub async fn cursor_of(_db: &Database, _partition: u16) -> Result<Position, JudgeError> {
        unimplemented!()
    }
    /// Judges the items in order; those at or before J are ignored. When something changed, effects are committed before
    /// this returns. SQL failures are retried with back-off until they pass (back-pressure), so `Err` is a bug or a stop.
    pub async fn on_batch(&mut self, _batch: Batch) -> Result<(), JudgeError> {
        unimplemented!()
    }
    /// Commits state and cursor if the checkpoint interval has passed; call it when idle.
    pub async fn on_idle(&mut self) -> Result<(), JudgeError> {
        unimplemented!()
    }
    /// Commits state and cursor now.
    pub async fn flush(&mut self) -> Result<(), JudgeError> {
        unimplemented!()
    }
    pub fn handle(&self) -> JudgeHandle {
        unimplemented!()
    }
}

impl JudgeHandle {
    /// J: settle may commit its cursor up to here. A replay may start after it.
    pub fn committed(&self) -> Position {
        unimplemented!()
    }
    /// Waits until J is at least `seq`; for settle's S ≤ J.
    pub async fn wait_for(&self, _seq: u64) {
        unimplemented!()
    }
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<LiveEvent> {
        unimplemented!()
    }
    pub fn explain(&self, _subject: SubjectId, _quantity: Option<Quantity>) -> Vec<rules::Explanation> {
        unimplemented!()
    }
    pub fn counters(&self) -> rules::Counters {
        unimplemented!()
    }
    /// Compiled rules that are live.
    pub fn rules(&self) -> Vec<Arc<rules::CompiledRule>> {
        unimplemented!()
    }
}
