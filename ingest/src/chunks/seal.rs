//! Seals generations: packs their rows and commits chunks, dictionary, ledgers, split packets and cursor S in one transaction, after the
//! judge's cursor J has passed their end. Afterwards merges chunks of buckets that are in too many parts.

use super::head::Sealing;
use super::pack::Packer;
use super::query::open;
use super::sql::{self, StoredChunk, signed};
use super::{ChunkError, ChunkStore};
use crate::metrics::{
    CHUNK_ROWS_SEALED_TOTAL, CHUNKS_COMPACTED_TOTAL, CHUNKS_SEALED_TOTAL, HEAD_BYTES, SEAL_FAILURES_TOTAL, SEAL_SECONDS,
};
use crate::settle::Bucket;
use database::Connection;
use model::envelope::Position;
use model::id::DeviceId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What became of an attempt to hand the active generation to the sealer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swap {
    Done,
    /// The one before is not sealed yet.
    Busy,
    /// There is nothing after cursor S.
    Empty,
}

impl ChunkStore {
    /// Bytes in the active generation and in the whole head.
    pub(crate) fn head_bytes(&self) -> (usize, usize) {
        let head = self.head();
        let active = head.active.bytes();
        (active, active + head.sealing.as_ref().map_or(0, |sealing| sealing.generation.bytes()))
    }

    /// Hands the active generation to the sealer. `carry` is [`crate::settle::Settle::carry`] as of the last appended entry.
    pub(crate) fn swap(&self, carry: Vec<u8>) -> Swap {
        let mut head = self.head();
        if head.sealing.is_some() {
            return Swap::Busy;
        }
        if head.active.up_to <= head.sealed {
            return Swap::Empty;
        }
        let generation = std::mem::take(&mut head.active);
        head.active.up_to = generation.up_to;
        head.sealing = Some(Arc::new(Sealing { generation, carry }));
        drop(head);
        self.inner.changed.notify_waiters();
        Swap::Done
    }

    /// The end of the generation that waits to be sealed: the judge's cursor must pass it.
    pub fn waits_for_judge(&self) -> Option<Position> {
        self.sealing().map(|sealing| sealing.generation.up_to)
    }

    /// Ends when no generation waits to be sealed.
    pub(crate) async fn sealed(&self) {
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.sealing().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Ends when a generation waits to be sealed.
    async fn given(&self) {
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.sealing().is_some() {
                return;
            }
            changed.await;
        }
    }

    fn sealing(&self) -> Option<Arc<Sealing>> {
        self.head().sealing.clone()
    }
}

/// The task that seals. One per store.
#[derive(Debug)]
pub struct Sealer {
    store: ChunkStore,
    judged: watch::Receiver<Position>,
    /// Parts of the buckets that were sealed since the start.
    parts: BTreeMap<Bucket, u32>,
}

impl Sealer {
    pub fn new(store: ChunkStore, judged: watch::Receiver<Position>) -> Self {
        Self { store, judged, parts: BTreeMap::new() }
    }

    /// Seals until `stop`. Only waits are cut short, never a commit.
    pub async fn run(mut self, stop: CancellationToken) {
        let store = self.store.clone();
        while !stop.is_cancelled() {
            let ready = async {
                store.given().await;
                self.passed_by_judge().await
            };
            let Some(Ok(())) = stop.run_until_cancelled(ready).await else { break };
            let mut pause_ms = 100;
            while let Err(error) = self.commit().await {
                metrics::counter!(SEAL_FAILURES_TOTAL).increment(1);
                tracing::warn!(error = %error, "failed to seal a generation, trying again");
                let pause = tokio::time::sleep(Duration::from_millis(pause_ms));
                if stop.run_until_cancelled(pause).await.is_none() {
                    return;
                }
                pause_ms = (pause_ms * 2).min(10_000);
            }
            if let Err(error) = self.compact().await {
                tracing::warn!(error = %error, "failed to merge chunks, left as they are");
            }
        }
    }

    async fn passed_by_judge(&mut self) -> Result<(), ChunkError> {
        let Some(end) = self.store.sealing().map(|sealing| sealing.generation.up_to) else { return Ok(()) };
        self.judged.wait_for(|judged| *judged >= end).await.map(drop).map_err(|_| ChunkError::Stopping)
    }

    /// Seals the waiting generation, if there is one, once the judge has passed it.
    pub async fn seal(&mut self) -> Result<(), ChunkError> {
        self.passed_by_judge().await?;
        self.commit().await
    }

    async fn commit(&mut self) -> Result<(), ChunkError> {
        let Some(sealing) = self.store.sealing() else { return Ok(()) };
        let end = sealing.generation.up_to;
        let started = tokio::time::Instant::now();
        let rows = sealing.generation.rows.rows();
        let partition = self.store.inner.partition;
        let packed = {
            let sealing = Arc::clone(&sealing);
            tokio::task::spawn_blocking(move || pack_all(&sealing, partition))
                .await
                .map_err(|_| ChunkError::Stopping)??
        };
        let mut tx = self.store.inner.database.begin().await?;
        let connection: &mut Connection = &mut tx;
        // A commit whose answer was lost is not made twice.
        if sql::cursor(&mut *connection, partition).await?.0 < end {
            for chunk in &packed {
                sql::put_chunk(&mut *connection, chunk).await?;
            }
            sql::put_rest(&mut *connection, &sealing).await?;
        }
        tx.commit().await?;
        {
            let mut head = self.store.head();
            head.sealed = end;
            head.sealing = None;
        }
        self.store.inner.changed.notify_waiters();
        metrics::counter!(CHUNKS_SEALED_TOTAL).increment(packed.len() as u64);
        metrics::counter!(CHUNK_ROWS_SEALED_TOTAL).increment(rows);
        metrics::histogram!(SEAL_SECONDS).record(started.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!(HEAD_BYTES).set(self.store.head_bytes().1 as f64);
        for chunk in &packed {
            *self.parts.entry(chunk.bucket).or_default() += 1;
        }
        Ok(())
    }

    /// Merges buckets in too many parts, and those whose hour is over; some at a time. A generation that waits goes first, unless a bucket is
    /// in so many parts that reading it suffers.
    async fn compact(&mut self) -> Result<(), ChunkError> {
        let parts_max = self.store.inner.config.parts_max;
        let open_hour = self.parts.keys().map(|bucket| bucket.hour).max().unwrap_or(0);
        let is_over = |bucket: &Bucket| bucket.hour < open_hour.saturating_sub(1);
        for _ in 0..COMPACT_BATCHES {
            let limit = if self.store.sealing().is_some() { parts_max.saturating_mul(PRESSING) } else { parts_max };
            let is_pressing = limit > parts_max;
            let wanted =
                |(bucket, parts): &(&Bucket, &u32)| **parts > limit || (!is_pressing && is_over(bucket) && **parts > 1);
            let due: Vec<Bucket> =
                self.parts.iter().filter(wanted).map(|(bucket, _)| *bucket).take(COMPACT_BUCKETS).collect();
            if due.is_empty() {
                break;
            }
            compact_buckets(&self.store, &due).await?;
            for bucket in due {
                self.parts.insert(bucket, 1);
            }
        }
        self.parts.retain(|bucket, parts| !is_over(bucket) || *parts > 1);
        Ok(())
    }
}

fn pack_all(sealing: &Sealing, partition: u16) -> Result<Vec<StoredChunk>, ChunkError> {
    let generation = &sealing.generation;
    let mut packer = packer()?;
    let mut packed = Vec::with_capacity(generation.buckets.len());
    for bucket in generation.buckets_where(|_| true) {
        let records = generation.of_bucket(bucket, partition);
        packed.push(pack_bucket(&mut packer, bucket, &records)?);
    }
    Ok(packed)
}

fn packer() -> Result<Packer, ChunkError> {
    Packer::new().map_err(|what| ChunkError::Damaged { device: DeviceId(0), hour: 0, what })
}

fn pack_bucket(
    packer: &mut Packer,
    bucket: Bucket,
    records: &[model::record::SettledRecord],
) -> Result<StoredChunk, ChunkError> {
    let damaged = |what| ChunkError::Damaged { device: bucket.device, hour: bucket.hour, what };
    let seqs = || records.iter().map(|record| record.position.seq);
    Ok(StoredChunk {
        bucket,
        first_seq: signed(seqs().min().unwrap_or(0)),
        last_seq: signed(seqs().max().unwrap_or(0)),
        rows: i64::try_from(records.len()).unwrap_or(i64::MAX),
        body: packer.pack(records).map_err(damaged)?,
    })
}

/// One transaction: a sync for each bucket would cost more than the packing.
async fn compact_buckets(store: &ChunkStore, buckets: &[Bucket]) -> Result<(), ChunkError> {
    let mut tx = store.inner.database.begin().await?;
    let connection: &mut Connection = &mut tx;
    let mut all = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        all.push((*bucket, sql::of_bucket(&mut *connection, *bucket).await?));
    }
    let count: usize = all.iter().map(|(_, parts)| parts.len()).sum();
    let partition = store.inner.partition;
    let merged = tokio::task::spawn_blocking(move || -> Result<Vec<StoredChunk>, ChunkError> {
        let mut packer = packer()?;
        let merge = |(bucket, parts): (Bucket, Vec<StoredChunk>)| {
            let mut records = Vec::new();
            for part in &parts {
                records.extend(open(part, partition)?);
            }
            pack_bucket(&mut packer, bucket, &records)
        };
        all.into_iter().map(merge).collect()
    });
    for chunk in merged.await.map_err(|_| ChunkError::Stopping)?? {
        sql::drop_parts(&mut *connection, chunk.bucket, chunk.last_seq).await?;
        sql::put_chunk(&mut *connection, &chunk).await?;
    }
    tx.commit().await?;
    metrics::counter!(CHUNKS_COMPACTED_TOTAL).increment(count as u64);
    Ok(())
}

/// Buckets merged in one transaction at most.
const COMPACT_BUCKETS: usize = 64;
/// Transactions of merging after one seal at most.
const COMPACT_BATCHES: usize = 16;
/// So many times [`ChunkConfig::parts_max`](super::ChunkConfig::parts_max) parts are merged even while a generation waits.
const PRESSING: u32 = 8;
