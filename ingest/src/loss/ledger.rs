//! The ledger's read side: sealed counters in SQL plus what the head holds, as one consistent sum.

use super::{LossCounts, Watch};
use crate::chunks::{ChunkError, ChunkStore};
use model::id::DeviceId;
use std::collections::BTreeMap;

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossDay {
    pub device: DeviceId,
    /// Local day, see [`model::time::local_day`].
    pub day: i64,
    pub counts: LossCounts,
}

/// What was seen of a device's gaps and clock on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchDay {
    /// [`super::OURS`]: the minutes in which we could receive nothing.
    pub device: DeviceId,
    pub day: i64,
    pub watch: Watch,
}

/// A line whose records do not add up: a bug, to be shown to a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the loss ledger does not balance for device {device} on day {day}: {counts:?}")]
pub struct Imbalance {
    pub device: DeviceId,
    pub day: i64,
    pub counts: LossCounts,
}

/// Queries over the ledger. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LossLedger {
    store: ChunkStore,
}

impl LossLedger {
    pub fn new(store: ChunkStore) -> Self {
        Self { store }
    }

    /// Lines of one device (`None`: all) for `from_day ..= to_day`, by (device, day), at most `limit`.
    pub async fn days(
        &self,
        device: Option<DeviceId>,
        from_day: i64,
        to_day: i64,
        limit: usize,
    ) -> Result<Vec<LossDay>, ChunkError> {
        let mut days = self.store.loss_days(device, from_day, to_day).await?;
        days.truncate(limit);
        Ok(days)
    }

    /// Gaps and clocks of one device (`None`: all) for `from_day ..= to_day`, by (device, day).
    pub async fn watches(
        &self,
        device: Option<DeviceId>,
        from_day: i64,
        to_day: i64,
    ) -> Result<Vec<WatchDay>, ChunkError> {
        self.store.loss_watches(device, from_day, to_day).await
    }

    /// The first day on which a device (`None`: each) had data.
    pub async fn first_days(&self, device: Option<DeviceId>) -> Result<BTreeMap<DeviceId, i64>, ChunkError> {
        self.store.loss_first_days(device).await
    }

    /// The sum over all devices for `from_day ..= to_day`.
    pub async fn totals(&self, from_day: i64, to_day: i64) -> Result<LossCounts, ChunkError> {
        let mut sum = LossCounts::default();
        for line in self.store.loss_days(None, from_day, to_day).await? {
            sum.add(&line.counts);
        }
        Ok(sum)
    }

    /// Every line that does not balance, over all devices and days; empty when all is well.
    pub async fn balance(&self) -> Result<Vec<Imbalance>, ChunkError> {
        let lines = self.store.loss_days(None, i64::MIN, i64::MAX).await?;
        Ok(lines
            .into_iter()
            .filter(|line| !line.counts.balances())
            .map(|LossDay { device, day, counts }| Imbalance { device, day, counts })
            .collect())
    }
}
