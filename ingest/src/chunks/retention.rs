//! Bounds of the quarantine list: by age, per device, and overall; the oldest go first. Only the list's rows go. The raw frames
//! stay in the journal and its archive, and the loss ledger keeps counting them. Who waits for acceptance has no rows here: their
//! samples are the porch's, which has bounds of its own.

use super::{ChunkError, ChunkStore};
use crate::metrics::QUARANTINE_FORGOTTEN_TOTAL;
use database::Connection;
use model::time::IngestTime;
use sqlx::Row as _;

/// How much of the quarantine list is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuarantineRetention {
    pub age_ms_max: i64,
    pub rows_max: u64,
    pub rows_per_device_max: u64,
}

impl Default for QuarantineRetention {
    fn default() -> Self {
        Self { age_ms_max: 90 * 86_400_000, rows_max: 100_000, rows_per_device_max: 10_000 }
    }
}

impl ChunkStore {
    /// Removes what is beyond the bounds, a limited number of rows in each transaction and each call; returns how many.
    pub async fn forget_quarantine(&self, keep: QuarantineRetention, now: IngestTime) -> Result<u64, ChunkError> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut all = 0;
        for _ in 0..BATCHES_MAX {
            let mut tx = self.inner.database.begin().await?;
            let connection: &mut Connection = &mut tx;
            let old = sqlx::query(FORGET_OLD).bind(now.0.saturating_sub(keep.age_ms_max)).bind(BATCH);
            let old = old.execute(&mut *connection).await?.rows_affected();
            let mut crowded = 0;
            let devices =
                sqlx::query(CROWDED).bind(signed(keep.rows_per_device_max)).fetch_all(&mut *connection).await?;
            for row in &devices {
                let (device, rows): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                let over = rows.saturating_sub(signed(keep.rows_per_device_max)).min(BATCH);
                let gone = sqlx::query(FORGET_OF).bind(device).bind(over).execute(&mut *connection).await?;
                crowded += gone.rows_affected();
            }
            let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM quarantine").fetch_one(&mut *connection).await?;
            let over = rows.saturating_sub(signed(keep.rows_max)).clamp(0, BATCH);
            let many = sqlx::query(FORGET_FIRST).bind(over).execute(&mut *connection).await?.rows_affected();
            tx.commit().await?;
            for (reason, count) in [("age", old), ("device", crowded), ("overall", many)] {
                metrics::counter!(QUARANTINE_FORGOTTEN_TOTAL, "reason" => reason).increment(count);
            }
            let gone = old + crowded + many;
            all += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(all)
    }
}

const FORGET_OLD: &str = "DELETE FROM quarantine WHERE (seq, frame, ordinal) IN \
    (SELECT seq, frame, ordinal FROM quarantine WHERE received < $1 ORDER BY seq, frame, ordinal LIMIT $2)";
const CROWDED: &str =
    "SELECT device, COUNT(*) FROM quarantine GROUP BY device HAVING COUNT(*) > $1 ORDER BY device LIMIT 50";
const FORGET_OF: &str = "DELETE FROM quarantine WHERE (seq, frame, ordinal) IN \
    (SELECT seq, frame, ordinal FROM quarantine WHERE device = $1 ORDER BY seq, frame, ordinal LIMIT $2)";
const FORGET_FIRST: &str = "DELETE FROM quarantine WHERE (seq, frame, ordinal) IN \
    (SELECT seq, frame, ordinal FROM quarantine ORDER BY seq, frame, ordinal LIMIT $1)";
/// Rows removed by one statement.
const BATCH: i64 = 2_000;
/// Transactions of one call; what is left waits for the next.
const BATCHES_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::ChunkConfig;
    use database::{Database, both};

    const DAY: i64 = 86_400_000;

    async fn store(db: &Database, rows: &[(i64, i64)]) -> ChunkStore {
        let store = ChunkStore::open(db.clone(), ChunkConfig::default()).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        for (seq, (device, received)) in (1_i64..).zip(rows) {
            sqlx::query(
                "INSERT INTO quarantine(seq, frame, ordinal, device, channel, received, reason, place, rederived) \
                 VALUES ($1, $1, -1, $2, 0, $3, 0, '', 0)",
            )
            .bind(seq)
            .bind(*device)
            .bind(*received)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
        store
    }

    async fn left(db: &Database) -> Vec<i64> {
        let rows =
            sqlx::query("SELECT seq FROM quarantine ORDER BY seq").fetch_all(&mut *db.read().await.unwrap()).await;
        rows.unwrap().iter().map(|row| row.try_get(0).unwrap()).collect()
    }

    #[test]
    fn the_quarantine_list_is_bounded_by_age_per_device_and_overall_and_the_oldest_go_first() {
        both(async |db| {
            let now = IngestTime(200 * DAY);
            // Two too old, then five of device 1 and four of device 2.
            let mut rows = vec![(1, 100 * DAY), (2, 109 * DAY)];
            rows.extend((0..5).map(|n| (1, 190 * DAY + n)));
            rows.extend((0..4).map(|n| (2, 195 * DAY + n)));
            let store = store(&db, &rows).await;
            let keep = QuarantineRetention { rows_per_device_max: 4, rows_max: 6, ..QuarantineRetention::default() };
            assert_eq!(store.forget_quarantine(keep, now).await.unwrap(), 5);
            assert_eq!(left(&db).await, [6, 7, 8, 9, 10, 11], "the oldest went first");
            assert_eq!(store.forget_quarantine(keep, now).await.unwrap(), 0);
        });
    }

    #[test]
    fn a_list_within_its_bounds_loses_nothing() {
        both(async |db| {
            let store = store(&db, &[(1, 150 * DAY), (2, 151 * DAY)]).await;
            let gone = store.forget_quarantine(QuarantineRetention::default(), IngestTime(200 * DAY)).await;
            assert_eq!((gone.unwrap(), left(&db).await.len()), (0, 2));
        });
    }
}
