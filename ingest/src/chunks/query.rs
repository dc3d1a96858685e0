//! Queries over sealed chunks and the head as one.
//!
//! Consistency: what is wanted of the head is copied first, then SQL is read in one transaction together with cursor S. A generation that is
//! sealed meanwhile is then in both; its rows in the copy are dropped, since they are at or before S.

use super::head::{Generation, Head, Sealing};
use super::pack::{Chunk, Damage};
use super::sql::{self, StoredChunk};
use super::{
    ChunkConfig, ChunkError, ChunkStore, RecordQuery, SERIES_POINTS_MAX, Series, SeriesPoint, SeriesQuery, downsample,
};
use crate::loss::{LossCounts, LossDay, Watch, WatchDay};
use crate::metrics::QUERY_CUT_TOTAL;
use crate::quarantine::{PAGE_MAX, QuarantineEntry, QuarantineFilter};
use crate::settle::{Bucket, ForeignName, Output, Restored};
use database::Database;
use model::envelope::Position;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{Flag, RecordKey, SettledRecord};
use model::time::EventTime;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(super) database: Database,
    pub(super) config: ChunkConfig,
    pub(super) partition: u16,
    pub(super) head: Mutex<Head>,
    /// A generation was given to the sealer, or was sealed.
    pub(super) changed: Notify,
    foreign: RwLock<Vec<ForeignName>>,
}

impl ChunkStore {
    /// Opens the store of a partition and checks its format.
    pub async fn open(database: Database, config: ChunkConfig) -> Result<Self, ChunkError> {
        let partition = 0;
        database.migrate(&sql::TABLES).await?;
        let mut tx = database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, partition).await?;
        let foreign = RwLock::new(sql::foreign(&mut tx).await?);
        drop(tx);
        let head = Mutex::new(Head { sealed, ..Head::default() });
        Ok(Self { inner: Arc::new(Inner { database, config, partition, head, changed: Notify::new(), foreign }) })
    }

    pub fn config(&self) -> ChunkConfig {
        self.inner.config
    }

    pub(super) fn head(&self) -> MutexGuard<'_, Head> {
        self.inner.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cursor S: everything up to here is sealed.
    pub fn cursor(&self) -> Position {
        self.head().sealed
    }

    /// Settle's state as of cursor S.
    pub async fn restored(&self) -> Result<Restored, ChunkError> {
        let mut tx = self.inner.database.snapshot().await?;
        let (_, carry) = sql::cursor(&mut tx, self.inner.partition).await?;
        Ok(Restored { newest: sql::newest(&mut tx).await?, foreign: sql::foreign(&mut tx).await?, carry })
    }

    /// Takes what settle made of the entries up to `up_to`.
    pub fn append(&self, output: &Output, up_to: Position) {
        if !output.foreign.is_empty() {
            let mut foreign = self.inner.foreign.write().unwrap_or_else(PoisonError::into_inner);
            foreign.extend_from_slice(&output.foreign);
        }
        self.head().active.append(output, up_to);
    }

    /// Code of a quantity: built-in, or the device's own word for a foreign one.
    pub fn quantity_code(&self, quantity: Quantity) -> Option<String> {
        if let Some(spec) = quantity.spec() {
            return Some(spec.code.to_owned());
        }
        let foreign = self.inner.foreign.read().unwrap_or_else(PoisonError::into_inner);
        foreign.get(usize::from(quantity.0.checked_sub(Quantity::FIRST_FOREIGN)?)).map(|name| name.code.clone())
    }

    /// Quantity of a code, compared without case.
    pub fn quantity_by_code(&self, code: &str) -> Option<Quantity> {
        Quantity::from_code(code).or_else(|| {
            let lower = code.to_lowercase();
            let foreign = self.inner.foreign.read().unwrap_or_else(PoisonError::into_inner);
            foreign.iter().find(|name| name.code == lower).map(|name| name.quantity)
        })
    }

    /// Records by event time, the newest `limit`, oldest first; of several versions of a key the latest.
    pub async fn records(&self, query: RecordQuery) -> Result<Vec<SettledRecord>, ChunkError> {
        let limit = query.limit.min(self.inner.config.query_rows_max);
        let hours = hours_of(query.from, query.to);
        let wanted = |bucket: &Bucket| {
            bucket.device == query.device
                && (query.kinds.is_empty() || query.kinds.contains(&bucket.kind))
                && (hours.0..=hours.1).contains(&bucket.hour)
        };
        let head = self.copy_of_head(wanted);
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let mut places = sql::places(&mut tx, query.device, hours.0, hours.1).await?;
        places.retain(|(bucket, _)| wanted(bucket));
        let mut by_hour: BTreeMap<i64, Vec<Bucket>> = BTreeMap::new();
        let mut head_by_hour: BTreeMap<i64, Vec<SettledRecord>> = BTreeMap::new();
        for (bucket, _) in places {
            by_hour.entry(bucket.hour).or_default().push(bucket);
        }
        for record in head.into_iter().filter(|record| record.position > sealed) {
            let hour = Bucket::of(&record.key).hour;
            by_hour.entry(hour).or_default();
            head_by_hour.entry(hour).or_default().push(record);
        }
        let (mut shown, mut looked_at): (Vec<SettledRecord>, usize) = (Vec::new(), 0);
        for (hour, buckets) in by_hour.into_iter().rev() {
            let mut records = Vec::new();
            for bucket in buckets {
                for chunk in sql::of_bucket(&mut tx, bucket).await? {
                    records.extend(open(&chunk, self.inner.partition)?);
                }
            }
            records.extend(head_by_hour.remove(&hour).unwrap_or_default());
            looked_at += records.len();
            let in_range = |record: &SettledRecord| {
                (query.from..query.to).contains(&record.key.at)
                    && query.as_of.is_none_or(|as_of| record.position <= as_of)
            };
            records.retain(in_range);
            let mut records = latest_versions(records);
            records.append(&mut shown);
            shown = records;
            if shown.len() >= limit {
                metrics::counter!(QUERY_CUT_TOTAL).increment(u64::from(shown.len() > limit));
                shown.drain(..shown.len() - limit);
                break;
            }
            if looked_at > self.inner.config.query_scan_max {
                return Err(ChunkError::TooMuch(self.inner.config.query_scan_max));
            }
        }
        Ok(shown)
    }

    /// The newest record (by event time) of each kind the device has sent.
    pub async fn latest(&self, device: DeviceId) -> Result<Vec<SettledRecord>, ChunkError> {
        let mut buckets: BTreeMap<_, Bucket> = BTreeMap::new();
        let mut later = |bucket: Bucket| {
            let known = buckets.entry(bucket.kind).or_insert(bucket);
            *known = (*known).max(bucket);
        };
        self.head().generations().flat_map(|g| g.buckets_where(|b| b.device == device)).for_each(&mut later);
        let mut tx = self.inner.database.snapshot().await?;
        sql::newest_of(&mut tx, device).await?.into_iter().for_each(&mut later);
        drop(tx);
        let mut found = Vec::new();
        for bucket in buckets.into_values() {
            let from = EventTime(bucket.hour.saturating_mul(Bucket::HOUR_MS));
            let to = from.plus_ms(Bucket::HOUR_MS);
            let query = RecordQuery { device, kinds: vec![bucket.kind], from, to, limit: 1, as_of: None };
            found.extend(self.records(query).await?);
        }
        Ok(found)
    }

    /// All versions of one record, oldest first.
    pub async fn versions(&self, key: RecordKey) -> Result<Vec<SettledRecord>, ChunkError> {
        let bucket = Bucket::of(&key);
        let head = self.copy_of_head(|other| *other == bucket);
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let mut found = Vec::new();
        for chunk in sql::of_bucket(&mut tx, bucket).await? {
            found.extend(open(&chunk, self.inner.partition)?);
        }
        found.extend(head.into_iter().filter(|record| record.position > sealed));
        found.retain(|record| record.key == key);
        found.sort_by_key(|record| record.position);
        Ok(found)
    }

    /// A chart's line; keeps every extreme.
    pub async fn series(&self, query: SeriesQuery) -> Result<Series, ChunkError> {
        let hours = hours_of(query.from, query.to);
        let in_head = |bucket: &Bucket| {
            bucket.device == query.device && bucket.kind == query.kind && (hours.0..=hours.1).contains(&bucket.hour)
        };
        let head = self.copy_of_head(in_head);
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let chunks = sql::of_range(&mut tx, query.device, query.kind, hours).await?;
        drop(tx);
        let scan_max = self.inner.config.query_scan_max;
        let rows: i64 = chunks.iter().map(|chunk| chunk.rows).sum();
        if usize::try_from(rows).is_ok_and(|rows| rows > scan_max) {
            return Err(ChunkError::TooMuch(scan_max));
        }
        // Unpacking takes a while: not on a thread that others wait for.
        let line = tokio::task::spawn_blocking(move || line(query, &chunks, &head, sealed)).await;
        let points = line.map_err(|_| ChunkError::Stopping)??;
        let of = points.len();
        Ok(Series { points: downsample(&points, query.points_max.min(SERIES_POINTS_MAX)), of })
    }

    /// Records settled after `position`, in journal order, about `max` of them (never cut inside one entry); empty when there are none.
    pub async fn scan_after(&self, position: Position, max: usize) -> Result<Vec<SettledRecord>, ChunkError> {
        let max = max.clamp(1, self.inner.config.query_rows_max);
        let (sealed, head) = {
            let head = self.head();
            let from = position.seq.max(head.sealed.seq);
            let mut found = Vec::new();
            for generation in head.generations() {
                if found.len() < max {
                    found.extend(generation.rows.after(from, max - found.len(), self.inner.partition));
                }
            }
            (head.sealed, found)
        };
        if position.seq >= sealed.seq {
            return Ok(head);
        }
        // Rows up to S come from SQL; a window of entries at a time, wider when nothing is in it.
        let mut window = u64::try_from(max).unwrap_or(u64::MAX);
        loop {
            let to = position.seq.saturating_add(window).min(sealed.seq);
            let mut tx = self.inner.database.snapshot().await?;
            let chunks = sql::after(&mut tx, position.seq, to).await?;
            drop(tx);
            let partition = self.inner.partition;
            let from = position.seq;
            let found = tokio::task::spawn_blocking(move || window_of(&chunks, from, to, partition)).await;
            let found = found.map_err(|_| ChunkError::Stopping)??;
            if !found.is_empty() {
                return Ok(found);
            }
            if to >= sealed.seq {
                return Ok(head);
            }
            window = window.saturating_mul(4);
        }
    }

    /// Copies the records of the head in the wanted buckets.
    fn copy_of_head(&self, wanted: impl Fn(&Bucket) -> bool) -> Vec<SettledRecord> {
        let partition = self.inner.partition;
        let copy = |generation: &Generation| -> Vec<SettledRecord> {
            let buckets = generation.buckets_where(&wanted);
            buckets.into_iter().flat_map(|bucket| generation.of_bucket(bucket, partition)).collect()
        };
        let (sealing, active): (Option<Arc<Sealing>>, _) = {
            let head = self.head();
            (head.sealing.clone(), copy(&head.active))
        };
        let mut found = sealing.map(|sealing| copy(&sealing.generation)).unwrap_or_default();
        found.extend(active);
        found
    }

    /// Lines of the loss ledger for `from_day ..= to_day`, by (device, day).
    pub(crate) async fn loss_days(
        &self,
        device: Option<DeviceId>,
        from_day: i64,
        to_day: i64,
    ) -> Result<Vec<LossDay>, ChunkError> {
        let unsealed: Vec<(Position, DeviceId, i64, LossCounts)> = {
            let head = self.head();
            let lines = head.generations().flat_map(|generation| {
                generation.loss.iter().map(|(device, day, counts)| (generation.up_to, device, day, *counts))
            });
            let wanted = |(_, of, day, _): &(Position, DeviceId, i64, LossCounts)| {
                device.is_none_or(|device| device == *of) && (from_day..=to_day).contains(day)
            };
            lines.filter(wanted).collect()
        };
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let stored = sql::loss(&mut tx, device, from_day, to_day).await?;
        let mut days: BTreeMap<(DeviceId, i64), LossCounts> =
            stored.into_iter().map(|line| ((line.device, line.day), line.counts)).collect();
        for (_, device, day, counts) in unsealed.into_iter().filter(|(up_to, ..)| *up_to > sealed) {
            days.entry((device, day)).or_default().add(&counts);
        }
        Ok(days.into_iter().map(|((device, day), counts)| LossDay { device, day, counts }).collect())
    }

    /// Gaps and clocks for `from_day ..= to_day`, by (device, day).
    pub(crate) async fn loss_watches(
        &self,
        device: Option<DeviceId>,
        from_day: i64,
        to_day: i64,
    ) -> Result<Vec<WatchDay>, ChunkError> {
        let unsealed: Vec<(Position, DeviceId, i64, Watch)> = {
            let head = self.head();
            let all = head.generations().flat_map(|generation| {
                generation.loss.watches().map(|(device, day, watch)| (generation.up_to, device, day, watch))
            });
            let wanted = |(_, of, day, _): &(Position, DeviceId, i64, &Watch)| {
                device.is_none_or(|device| device == *of) && (from_day..=to_day).contains(day)
            };
            all.filter(wanted).map(|(up_to, device, day, watch)| (up_to, device, day, watch.clone())).collect()
        };
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let stored = sql::watches(&mut tx, device, from_day, to_day).await?;
        let mut days: BTreeMap<(DeviceId, i64), Watch> =
            stored.into_iter().map(|line| ((line.device, line.day), line.watch)).collect();
        for (_, device, day, watch) in unsealed.into_iter().filter(|(up_to, ..)| *up_to > sealed) {
            days.entry((device, day)).or_default().merge(&watch);
        }
        Ok(days.into_iter().map(|((device, day), watch)| WatchDay { device, day, watch }).collect())
    }

    pub(crate) async fn loss_first_days(
        &self,
        device: Option<DeviceId>,
    ) -> Result<BTreeMap<DeviceId, i64>, ChunkError> {
        let mut first: BTreeMap<DeviceId, i64> = BTreeMap::new();
        let unsealed: Vec<(DeviceId, i64)> = {
            let head = self.head();
            let all = head.generations().flat_map(|generation| generation.loss.watches());
            all.filter(|(_, _, watch)| watch.has_data()).map(|(device, day, _)| (device, day)).collect()
        };
        let mut tx = self.inner.database.snapshot().await?;
        // What is in the head too is in no conflict: the earlier of both counts.
        for (of, day) in sql::first_days(&mut tx, device).await?.into_iter().chain(unsealed) {
            if device.is_none_or(|device| device == of) {
                first.entry(of).and_modify(|known| *known = day.min(*known)).or_insert(day);
            }
        }
        Ok(first)
    }

    pub(crate) async fn quarantine_page(&self, filter: &QuarantineFilter) -> Result<Vec<QuarantineEntry>, ChunkError> {
        let limit = filter.limit.clamp(1, PAGE_MAX);
        let (unsealed, rederived) = self.unsealed_quarantine();
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        // Some more than asked for, since unsealed re-derivations take entries away.
        let more = limit + rederived.len().min(PAGE_MAX) + 1;
        let mut found = sql::quarantine_page(&mut tx, self.inner.partition, filter, more).await?;
        drop(tx);
        found.extend(unsealed.into_iter().filter(|entry| entry.position > sealed));
        mark(&mut found, &rederived);
        let wanted = |entry: &QuarantineEntry| {
            filter.device.is_none_or(|device| device == entry.device)
                && filter.reason.is_none_or(|reason| reason == entry.reason)
                && filter.before.is_none_or(|before| entry.position < before)
                && (filter.with_rederived || entry.rederived.is_none())
        };
        found.retain(wanted);
        found.sort_by_key(|entry| std::cmp::Reverse((entry.position, entry.frame, entry.ordinal)));
        let cut = found.get(limit.saturating_sub(1)).map(|last| last.position);
        if let Some(cut) = cut {
            let end = found.partition_point(|entry| entry.position >= cut);
            found.truncate(end.min(limit + PAGE_MAX));
        }
        Ok(found)
    }

    /// Standing quarantine entries, for a re-derivation.
    pub(crate) async fn standing(
        &self,
        device: DeviceId,
        from: u64,
        to: u64,
    ) -> Result<Vec<QuarantineEntry>, ChunkError> {
        let (unsealed, rederived) = self.unsealed_quarantine();
        let mut tx = self.inner.database.snapshot().await?;
        let (sealed, _) = sql::cursor(&mut tx, self.inner.partition).await?;
        let mut found = sql::standing(&mut tx, self.inner.partition, device, (from, to)).await?;
        drop(tx);
        let here = |entry: &QuarantineEntry| {
            entry.position > sealed && entry.device == device && (from..=to).contains(&entry.frame.seq)
        };
        found.extend(unsealed.into_iter().filter(here));
        mark(&mut found, &rederived);
        found.retain(|entry| entry.rederived.is_none());
        Ok(found)
    }

    fn unsealed_quarantine(&self) -> (Vec<QuarantineEntry>, Vec<(QuarantineEntry, Position)>) {
        let head = self.head();
        let entries = head.generations().flat_map(|generation| generation.quarantine.iter().cloned()).collect();
        let rederived = head.generations().flat_map(|generation| generation.rederived.iter().cloned()).collect();
        (entries, rederived)
    }

    /// All stored versions in a bucket, in SQL and in the head; some may come twice.
    pub(crate) async fn bucket(&self, bucket: Bucket) -> Result<Vec<SettledRecord>, ChunkError> {
        let mut found = self.copy_of_head(|other| *other == bucket);
        let mut tx = self.inner.database.snapshot().await?;
        for chunk in sql::of_bucket(&mut tx, bucket).await? {
            found.extend(open(&chunk, self.inner.partition)?);
        }
        Ok(found)
    }
}

fn mark(entries: &mut [QuarantineEntry], rederived: &[(QuarantineEntry, Position)]) {
    for (old, by) in rederived {
        let same = |entry: &&mut QuarantineEntry| {
            (entry.position, entry.frame, entry.ordinal) == (old.position, old.frame, old.ordinal)
        };
        if let Some(entry) = entries.iter_mut().find(same) {
            entry.rederived = Some(*by);
        }
    }
}

/// First and last hour of a half-open range of event times.
fn hours_of(from: EventTime, to: EventTime) -> (i64, i64) {
    (from.0.div_euclid(Bucket::HOUR_MS), to.0.saturating_sub(1).div_euclid(Bucket::HOUR_MS))
}

fn damaged(bucket: Bucket) -> impl Fn(Damage) -> ChunkError {
    move |what| ChunkError::Damaged { device: bucket.device, hour: bucket.hour, what }
}

pub(super) fn open(chunk: &StoredChunk, partition: u16) -> Result<Vec<SettledRecord>, ChunkError> {
    let bucket = chunk.bucket;
    let opened = Chunk::open(&chunk.body).map_err(damaged(bucket))?;
    opened.records(bucket.device, bucket.kind, partition).map_err(damaged(bucket))
}

/// One record a key, the one at the latest position (of one position: the last), by (time, slot, kind).
pub(super) fn latest_versions(mut records: Vec<SettledRecord>) -> Vec<SettledRecord> {
    records.sort_by_key(|record| (record.key.at, record.key.kind, record.key.slot, record.position));
    let mut shown: Vec<SettledRecord> = Vec::with_capacity(records.len());
    for record in records {
        match shown.last_mut() {
            Some(last) if last.key == record.key => *last = record,
            _ => shown.push(record),
        }
    }
    shown
}

/// The points of a line, by time; of several versions of a record the latest speaks, also when it has no such value.
fn line(
    query: SeriesQuery,
    chunks: &[StoredChunk],
    head: &[SettledRecord],
    sealed: Position,
) -> Result<Vec<SeriesPoint>, ChunkError> {
    type Shown = (EventTime, u32, u64, Option<(f64, Flag)>);
    let mut rows: Vec<Shown> = Vec::new();
    for chunk in chunks {
        let opened = Chunk::open(&chunk.body).map_err(damaged(chunk.bucket))?;
        let start = rows.len();
        rows.extend(
            opened.keys().map_err(damaged(chunk.bucket))?.into_iter().map(|(at, slot, seq)| (at, slot, seq, None)),
        );
        if let Some(column) = opened.column(query.quantity, query.statistic).map_err(damaged(chunk.bucket))? {
            for ((row, flag), number) in column.rows.into_iter().zip(column.flags).zip(column.numbers) {
                if let Some(place) = rows.get_mut(start + row) {
                    place.3 = Some((number, flag));
                }
            }
        }
    }
    for record in head.iter().filter(|record| record.position > sealed) {
        let value = record.body.value(query.quantity, query.statistic).map(|value| (value.value, value.flag));
        rows.push((record.key.at, record.key.slot, record.position.seq, value));
    }
    rows.retain(|(at, ..)| (query.from..query.to).contains(at));
    rows.sort_by_key(|(at, slot, seq, _)| (*at, *slot, *seq));
    let mut points = Vec::with_capacity(rows.len());
    for versions in rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        if let Some((at, _, _, Some((value, flag)))) = versions.last() {
            points.push(SeriesPoint { at: *at, value: *value, flag: *flag });
        }
    }
    Ok(points)
}

/// Records at `from < seq <= to`, in journal order.
fn window_of(chunks: &[StoredChunk], from: u64, to: u64, partition: u16) -> Result<Vec<SettledRecord>, ChunkError> {
    let mut found = Vec::new();
    for chunk in chunks {
        let opened = Chunk::open(&chunk.body).map_err(damaged(chunk.bucket))?;
        let keys = opened.keys().map_err(damaged(chunk.bucket))?;
        if keys.iter().any(|(_, _, seq)| *seq > from && *seq <= to) {
            let bucket = chunk.bucket;
            let records = opened.records(bucket.device, bucket.kind, partition).map_err(damaged(bucket))?;
            found.extend(records.into_iter().filter(|r| r.position.seq > from && r.position.seq <= to));
        }
    }
    // Within one entry by key: its own order is not kept across chunks.
    found.sort_by_key(|record| (record.position, record.key));
    Ok(found)
}
