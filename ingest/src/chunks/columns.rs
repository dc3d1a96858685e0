//! Records of a device with the parts alone that somebody looks at, for reading months of them: what is not wanted is not unpacked.

use super::head::Generation;
use super::pack::Chunk;
use super::query::latest_versions;
use super::{ChunkError, ChunkStore, sql};
use crate::settle::Bucket;
use model::envelope::Position;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{RecordKind, SettledRecord};
use model::time::EventTime;

/// What of records is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    pub kinds: Vec<RecordKind>,
    pub quantities: Vec<Quantity>,
    pub fixes: bool,
    pub happenings: bool,
}

impl ChunkStore {
    /// A device's records of `from ..< to` with the wanted parts, by event time; of several versions of a key the latest that was settled
    /// at or before `as_of`. Unpacks on the caller's thread: call it where waiting is allowed.
    pub async fn columns(
        &self,
        device: DeviceId,
        wanted: &Columns,
        (from, to): (EventTime, EventTime),
        as_of: Position,
    ) -> Result<Vec<SettledRecord>, ChunkError> {
        let hours = (from.0.div_euclid(Bucket::HOUR_MS), to.0.saturating_sub(1).div_euclid(Bucket::HOUR_MS));
        let in_head = |bucket: &Bucket| {
            bucket.device == device && wanted.kinds.contains(&bucket.kind) && (hours.0..=hours.1).contains(&bucket.hour)
        };
        let head = self.head_copy(in_head);
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let mut records = Vec::new();
        for kind in &wanted.kinds {
            for chunk in sql::of_range(&mut tx, device, *kind, hours).await? {
                let damaged = |what| ChunkError::Damaged { device, hour: chunk.bucket.hour, what };
                let opened = Chunk::open(&chunk.body).map_err(damaged)?;
                records.extend(opened.picked(device, *kind, self.inner.partition, Some(wanted)).map_err(damaged)?);
            }
        }
        drop(tx);
        records.extend(head.into_iter().filter(|record| record.position > sealed));
        records.retain(|record| (from..to).contains(&record.key.at) && record.position <= as_of);
        let place = |record: &SettledRecord| (record.key.at, record.key.kind, record.key.slot);
        let is_plain = records.is_sorted_by(|a, b| place(a) < place(b));
        Ok(if is_plain { records } else { latest_versions(records) })
    }

    fn head_copy(&self, wanted: impl Fn(&Bucket) -> bool) -> Vec<SettledRecord> {
        let partition = self.inner.partition;
        let head = self.head();
        let copy = |generation: &Generation| -> Vec<SettledRecord> {
            let buckets = generation.buckets_where(&wanted);
            buckets.into_iter().flat_map(|bucket| generation.of_bucket(bucket, partition)).collect()
        };
        head.generations().flat_map(copy).collect()
    }
}
