//! The chunk store as the source of projections.

use super::{BoxFuture, RecordSource, SourceError};
use crate::chunks::ChunkStore;
use model::envelope::Position;
use model::record::SettledRecord;
use tokio::sync::watch;

/// Sealed and open hours of the chunk store, in journal order.
#[derive(Debug)]
pub struct StoreSource {
    store: ChunkStore,
    settled: watch::Receiver<Position>,
}

impl StoreSource {
    /// `settled`: the last entry settle has read.
    pub const fn new(store: ChunkStore, settled: watch::Receiver<Position>) -> Self {
        Self { store, settled }
    }
}

impl RecordSource for StoreSource {
    fn scan_after(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<SettledRecord>, SourceError>> {
        Box::pin(async move { self.store.scan_after(after, max).await.map_err(|error| SourceError(Box::new(error))) })
    }

    fn changed(&self, after: Position) -> BoxFuture<'_, ()> {
        let mut settled = self.settled.clone();
        Box::pin(async move {
            // Settle is gone: nothing will change any more.
            if settled.wait_for(|now| *now > after).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn end(&self) -> Position {
        *self.settled.borrow()
    }
}
