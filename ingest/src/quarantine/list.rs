//! The list of quarantined records: what stands, page by page.

use super::QuarantineEntry;
use crate::chunks::{ChunkError, ChunkStore};
use model::envelope::Position;
use model::id::DeviceId;
use model::verdict::QuarantineReason;

/// Which entries to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuarantineFilter {
    pub device: Option<DeviceId>,
    pub reason: Option<QuarantineReason>,
    /// Only entries before this place: the last of the page before.
    pub before: Option<Position>,
    /// Also those that a re-derivation settled.
    pub with_rederived: bool,
    /// At most 1,000.
    pub limit: usize,
}

/// Page size at most.
pub(crate) const PAGE_MAX: usize = 1_000;

/// Queries over quarantined records, newest first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QuarantineList {
    store: ChunkStore,
}

impl QuarantineList {
    pub fn new(store: ChunkStore) -> Self {
        Self { store }
    }

    /// A page, newest first; never cut between entries of one position.
    pub async fn page(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineEntry>, ChunkError> {
        self.store.quarantine_page(filter).await
    }
}
