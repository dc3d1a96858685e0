//! One bound on the bytes that are in flight to the journal, for all connections together. A connection that cannot get
//! its share stops reading until it can.

use crate::metrics;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The default bound.
pub const IN_FLIGHT_BYTES_DEFAULT: u32 = 32 * 1024 * 1024;

#[derive(Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    total: u32,
}

/// Bytes taken from the budget; dropping it gives them back.
#[derive(Debug)]
pub struct Share(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Budget {
    pub fn new(bytes: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(usize::try_from(bytes).unwrap_or(usize::MAX))), total: bytes.max(1) }
    }

    /// At once or not at all. More than the whole budget counts as the whole budget.
    pub fn try_take(&self, bytes: usize) -> Option<Share> {
        let wanted = self.clamp(bytes);
        let taken = Arc::clone(&self.free).try_acquire_many_owned(wanted).ok().map(Share);
        if taken.is_none() {
            ::metrics::counter!(metrics::BUDGET_FULL_TOTAL).increment(1);
        }
        taken
    }

    /// Waits for its turn. Cancel-safe.
    pub async fn take(&self, bytes: usize) -> Share {
        if let Some(share) = self.try_take(bytes) {
            return share;
        }
        let permit = Arc::clone(&self.free).acquire_many_owned(self.clamp(bytes)).await;
        Share(permit.expect("the semaphore is never closed"))
    }

    pub fn free_bytes(&self) -> usize {
        self.free.available_permits()
    }

    fn clamp(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.total)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(IN_FLIGHT_BYTES_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_back_when_the_share_is_dropped() {
        let budget = Budget::new(100);
        let first = budget.try_take(80).unwrap();
        assert!(budget.try_take(30).is_none());
        drop(first);
        let _all = budget.take(1_000).await;
        assert_eq!(budget.free_bytes(), 0);
    }
}
