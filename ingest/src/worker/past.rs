//! Settle's view of what was stored before: the chunk store and the journal, asked from settle's thread.

use crate::chunks::{ChunkError, ChunkStore};
use crate::journal::Journal;
use crate::journal::entry::Entry;
use crate::quarantine::QuarantineEntry;
use crate::settle::{Bucket, KeyHash, Past, PastError};
use model::envelope::{Envelope, Position};
use model::id::DeviceId;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// See [`Past`]. Must not be used on a thread of the runtime.
#[derive(Debug)]
pub struct StorePast {
    store: ChunkStore,
    journal: Arc<Journal>,
    runtime: Handle,
    stop: CancellationToken,
}

impl StorePast {
    pub fn new(store: ChunkStore, journal: Arc<Journal>, runtime: Handle, stop: CancellationToken) -> Self {
        Self { store, journal, runtime, stop }
    }

    /// Asks until there is an answer: a database that is away for a minute stops settling for a minute, it does not guess.
    fn ask<T, F: Future<Output = Result<T, ChunkError>>>(&self, question: impl Fn() -> F) -> Result<T, PastError> {
        let mut pause_ms = 50;
        loop {
            match self.runtime.block_on(question()) {
                Ok(answer) => return Ok(answer),
                Err(error @ ChunkError::Sql(_)) if !self.stop.is_cancelled() => {
                    tracing::warn!(error = %error, "failed to read stored records, trying again");
                    // Timers are made inside the runtime: this thread is not one of its own.
                    self.runtime.block_on(async {
                        let pause = tokio::time::sleep(Duration::from_millis(pause_ms));
                        tokio::select! { () = pause => {} () = self.stop.cancelled() => {} }
                    });
                    pause_ms = (pause_ms * 2).min(5_000);
                }
                Err(error) => return Err(PastError(Arc::from(error.to_string()))),
            }
        }
    }

    /// Waits until the sealer is done with its generation, or for a second.
    pub(super) fn wait_for_seal(&self, stop: &CancellationToken) {
        self.runtime.block_on(async {
            let sealed = tokio::time::timeout(Duration::from_secs(1), self.store.sealed());
            tokio::select! { _ = sealed => {} () = stop.cancelled() => {} }
        });
    }
}

impl Past for StorePast {
    fn keys(&mut self, bucket: Bucket, found: &mut dyn FnMut(KeyHash)) -> Result<(), PastError> {
        for record in self.ask(|| self.store.bucket(bucket))? {
            found(KeyHash::of(&record));
        }
        Ok(())
    }

    fn quarantined(&mut self, device: DeviceId, from: u64, to: u64) -> Result<Vec<QuarantineEntry>, PastError> {
        self.ask(|| self.store.standing(device, from, to))
    }

    fn frame(&mut self, at: Position) -> Result<Option<Envelope>, PastError> {
        match self.journal.read_at(at) {
            Ok(Some(Entry::Frame(envelope))) => Ok(Some(envelope)),
            Ok(_) | Err(crate::journal::JournalError::Gone { .. }) => Ok(None),
            Err(error) => Err(PastError(Arc::from(error.to_string()))),
        }
    }
}
