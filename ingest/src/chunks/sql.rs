//! The SQL of the chunk store: one text for both engines.

use super::ChunkError;
use super::head::Sealing;
use crate::loss::{LossCounts, LossDay, REASONS, Watch, WatchDay, reason_index};
use crate::quarantine::{QuarantineEntry, QuarantineFilter};
use crate::settle::{Bucket, ForeignName};
use ahash::AHashMap;
use database::{Component, Connection, Row};
use model::envelope::{Channel, Position};
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::RecordKind;
use model::time::{EventTime, IngestTime};
use sqlx::Row as _;
use std::sync::Arc;

/// The store's tables.
pub(super) const TABLES: Component = Component { name: "chunks", migrations: MIGRATIONS };

const MIGRATIONS: &[&str] =
    &[include_str!("migrations/1.sql"), include_str!("migrations/2.sql"), include_str!("migrations/3.sql")];

impl From<sqlx::Error> for ChunkError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(Arc::from(error.to_string()))
    }
}

impl From<database::DbError> for ChunkError {
    fn from(error: database::DbError) -> Self {
        Self::Sql(Arc::from(error.to_string()))
    }
}

/// A packed chunk with its place.
#[derive(Debug, Clone)]
pub(super) struct StoredChunk {
    pub(super) bucket: Bucket,
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    pub(super) rows: i64,
    pub(super) body: Vec<u8>,
}

const CHUNK: &str = "device, kind, hour, first_seq, last_seq, row_count, body";

fn chunk_of(row: &Row) -> Result<StoredChunk, ChunkError> {
    let bucket = bucket_of(row)?;
    Ok(StoredChunk {
        bucket,
        first_seq: row.try_get("first_seq")?,
        last_seq: row.try_get("last_seq")?,
        rows: row.try_get("row_count")?,
        body: row.try_get("body")?,
    })
}

fn bucket_of(row: &Row) -> Result<Bucket, ChunkError> {
    let (device, hour) = (DeviceId(row.try_get("device")?), row.try_get("hour")?);
    Ok(Bucket { device, kind: kind_of(row.try_get("kind")?, device, hour)?, hour })
}

fn kind_of(kind: i64, device: DeviceId, hour: i64) -> Result<RecordKind, ChunkError> {
    let damaged = ChunkError::Damaged { device, hour, what: "unknown kind" };
    u8::try_from(kind).ok().and_then(RecordKind::from_u8).ok_or(damaged)
}

pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn place(partition: u16, seq: i64) -> Position {
    Position { partition, seq: u64::try_from(seq).unwrap_or(0) }
}

/// Cursor S and the saved split messages.
pub(super) async fn cursor(tx: &mut Connection, partition: u16) -> Result<(Position, Vec<u8>), ChunkError> {
    let row = sqlx::query("SELECT seq, carry FROM settle_cursor WHERE journal_partition = $1")
        .bind(i64::from(partition))
        .fetch_optional(tx)
        .await?;
    Ok(match row {
        Some(row) => (place(partition, row.try_get("seq")?), row.try_get("carry")?),
        None => (Position { partition, seq: 0 }, Vec::new()),
    })
}

pub(super) async fn newest(tx: &mut Connection) -> Result<AHashMap<(DeviceId, RecordKind), EventTime>, ChunkError> {
    let rows = sqlx::query("SELECT device, kind, at FROM chunk_newest").fetch_all(tx).await?;
    let line = |row: &Row| {
        let device = DeviceId(row.try_get("device")?);
        Ok(((device, kind_of(row.try_get("kind")?, device, 0)?), EventTime(row.try_get("at")?)))
    };
    rows.iter().map(line).collect()
}

pub(super) async fn newest_of(tx: &mut Connection, device: DeviceId) -> Result<Vec<Bucket>, ChunkError> {
    let rows = sqlx::query("SELECT kind, at FROM chunk_newest WHERE device = $1 ORDER BY kind")
        .bind(device.0)
        .fetch_all(tx)
        .await?;
    let line = |row: &Row| {
        let at: i64 = row.try_get("at")?;
        let hour = at.div_euclid(Bucket::HOUR_MS);
        Ok(Bucket { device, kind: kind_of(row.try_get("kind")?, device, hour)?, hour })
    };
    rows.iter().map(line).collect()
}

pub(super) async fn foreign(tx: &mut Connection) -> Result<Vec<ForeignName>, ChunkError> {
    let rows = sqlx::query("SELECT number, code, device FROM foreign_quantity ORDER BY number").fetch_all(tx).await?;
    let line = |row: &Row| {
        let number: i64 = row.try_get("number")?;
        let quantity = Quantity(u16::try_from(number).unwrap_or(u16::MAX));
        Ok(ForeignName { quantity, code: row.try_get("code")?, device: DeviceId(row.try_get("device")?) })
    };
    rows.iter().map(line).collect()
}

/// Chunks of one bucket, by position.
pub(super) async fn of_bucket(tx: &mut Connection, bucket: Bucket) -> Result<Vec<StoredChunk>, ChunkError> {
    let text = "SELECT device, kind, hour, first_seq, last_seq, row_count, body FROM chunk \
                WHERE device = $1 AND kind = $2 AND hour = $3 ORDER BY first_seq";
    let rows = sqlx::query(text).bind(bucket.device.0).bind(bucket.kind as i64).bind(bucket.hour).fetch_all(tx).await?;
    rows.iter().map(chunk_of).collect()
}

/// Places and row counts of a device's chunks in `from ..= to` hours, newest hour first.
pub(super) async fn places(
    tx: &mut Connection,
    device: DeviceId,
    from: i64,
    to: i64,
) -> Result<Vec<(Bucket, i64)>, ChunkError> {
    let text = "SELECT device, kind, hour, SUM(row_count) AS row_count FROM chunk \
                WHERE device = $1 AND hour >= $2 AND hour <= $3 GROUP BY device, kind, hour ORDER BY hour DESC, kind";
    // The sum of BIGINTs is NUMERIC on PostgreSQL.
    let text = text.replace("SUM(row_count)", "CAST(SUM(row_count) AS BIGINT)");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(device.0).bind(from).bind(to).fetch_all(tx).await?;
    rows.iter().map(|row| Ok((bucket_of(row)?, row.try_get("row_count")?))).collect()
}

/// Chunks of a device and kind in `from ..= to` hours.
pub(super) async fn of_range(
    tx: &mut Connection,
    device: DeviceId,
    kind: RecordKind,
    (from, to): (i64, i64),
) -> Result<Vec<StoredChunk>, ChunkError> {
    let text = "SELECT device, kind, hour, first_seq, last_seq, row_count, body FROM chunk \
                WHERE device = $1 AND kind = $2 AND hour >= $3 AND hour <= $4 ORDER BY hour, first_seq";
    let rows = sqlx::query(text).bind(device.0).bind(kind as i64).bind(from).bind(to).fetch_all(tx).await?;
    rows.iter().map(chunk_of).collect()
}

/// Chunks with rows after `after`, that begin at or before `to`.
pub(super) async fn after(tx: &mut Connection, after: u64, to: u64) -> Result<Vec<StoredChunk>, ChunkError> {
    let text = format!("SELECT {CHUNK} FROM chunk WHERE last_seq > $1 AND first_seq <= $2");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(signed(after)).bind(signed(to)).fetch_all(tx).await?;
    rows.iter().map(chunk_of).collect()
}

pub(super) async fn put_chunk(tx: &mut Connection, chunk: &StoredChunk) -> Result<(), ChunkError> {
    sqlx::query(
        "INSERT INTO chunk(device, kind, hour, first_seq, last_seq, row_count, body) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(chunk.bucket.device.0)
    .bind(chunk.bucket.kind as i64)
    .bind(chunk.bucket.hour)
    .bind(chunk.first_seq)
    .bind(chunk.last_seq)
    .bind(chunk.rows)
    .bind(&chunk.body[..])
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes the parts of a bucket up to `last_seq`.
pub(super) async fn drop_parts(tx: &mut Connection, bucket: Bucket, last_seq: i64) -> Result<u64, ChunkError> {
    let done = sqlx::query("DELETE FROM chunk WHERE device = $1 AND kind = $2 AND hour = $3 AND last_seq <= $4")
        .bind(bucket.device.0)
        .bind(bucket.kind as i64)
        .bind(bucket.hour)
        .bind(last_seq)
        .execute(tx)
        .await?;
    Ok(done.rows_affected())
}

/// Everything of a generation but its chunks, and the cursor.
pub(super) async fn put_rest(tx: &mut Connection, sealing: &Sealing) -> Result<(), ChunkError> {
    let generation = &sealing.generation;
    let mut newest: Vec<_> = generation.newest.iter().collect();
    newest.sort_unstable();
    for ((device, kind), at) in newest {
        sqlx::query(
            "INSERT INTO chunk_newest(device, kind, at) VALUES ($1, $2, $3) \
             ON CONFLICT(device, kind) DO UPDATE SET at = excluded.at WHERE chunk_newest.at < excluded.at",
        )
        .bind(device.0)
        .bind(*kind as i64)
        .bind(at.0)
        .execute(&mut *tx)
        .await?;
    }
    for name in &generation.foreign {
        sqlx::query("INSERT INTO foreign_quantity(number, code, device) VALUES ($1, $2, $3)")
            .bind(i64::from(name.quantity.0))
            .bind(name.code.as_str())
            .bind(name.device.0)
            .execute(&mut *tx)
            .await?;
    }
    for (device, day, counts) in generation.loss.iter() {
        put_loss(&mut *tx, device, day, counts).await?;
    }
    for (device, day, watch) in generation.loss.watches() {
        put_watch(&mut *tx, device, day, watch).await?;
    }
    for entry in &generation.quarantine {
        put_quarantine(&mut *tx, entry).await?;
    }
    for (entry, by) in &generation.rederived {
        sqlx::query("UPDATE quarantine SET rederived = $1 WHERE seq = $2 AND frame = $3 AND ordinal = $4")
            .bind(signed(by.seq))
            .bind(signed(entry.position.seq))
            .bind(signed(entry.frame.seq))
            .bind(entry.ordinal.map_or(-1, i64::from))
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query(
        "INSERT INTO settle_cursor(journal_partition, seq, carry) VALUES ($1, $2, $3) \
         ON CONFLICT(journal_partition) DO UPDATE SET seq = excluded.seq, carry = excluded.carry",
    )
    .bind(i64::from(generation.up_to.partition))
    .bind(signed(generation.up_to.seq))
    .bind(&sealing.carry[..])
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_loss(tx: &mut Connection, device: DeviceId, day: i64, counts: &LossCounts) -> Result<(), ChunkError> {
    let mut query = sqlx::query(
        "INSERT INTO loss(device, day, frames, frames_without_record, records, stored, revised, duplicate, \
         q0, q1, q2, q3, q4, q5, q6, q7, q8, q9) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT(device, day) DO UPDATE SET frames = loss.frames + excluded.frames, \
         frames_without_record = loss.frames_without_record + excluded.frames_without_record, \
         records = loss.records + excluded.records, stored = loss.stored + excluded.stored, \
         revised = loss.revised + excluded.revised, duplicate = loss.duplicate + excluded.duplicate, \
         q0 = loss.q0 + excluded.q0, q1 = loss.q1 + excluded.q1, q2 = loss.q2 + excluded.q2, \
         q3 = loss.q3 + excluded.q3, q4 = loss.q4 + excluded.q4, q5 = loss.q5 + excluded.q5, \
         q6 = loss.q6 + excluded.q6, q7 = loss.q7 + excluded.q7, q8 = loss.q8 + excluded.q8, \
         q9 = loss.q9 + excluded.q9",
    )
    .bind(device.0)
    .bind(day);
    let plain =
        [counts.frames, counts.frames_without_record, counts.records, counts.stored, counts.revised, counts.duplicate];
    for count in plain.into_iter().chain(counts.quarantined) {
        query = query.bind(count);
    }
    query.execute(tx).await?;
    Ok(())
}

/// Sets of bits and first samples cannot be added in SQL: the stored line is read, merged, and written.
async fn put_watch(tx: &mut Connection, device: DeviceId, day: i64, later: &Watch) -> Result<(), ChunkError> {
    let mut stored = watches(&mut *tx, Some(device), day, day).await?;
    let mut watch = stored.pop().map_or_else(Watch::default, |line| line.watch);
    watch.merge(later);
    let (minutes, slots) = watch.to_bytes();
    let (low, high) = watch.bounds();
    sqlx::query(
        "INSERT INTO loss_watch(device, day, minutes, slots, live, low, high, has_data) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT(device, day) DO UPDATE SET minutes = excluded.minutes, \
         slots = excluded.slots, live = excluded.live, low = excluded.low, high = excluded.high, \
         has_data = excluded.has_data",
    )
    .bind(device.0)
    .bind(day)
    .bind(minutes)
    .bind(slots)
    .bind(watch.live)
    .bind(low)
    .bind(high)
    .bind(i64::from(watch.has_data()))
    .execute(tx)
    .await?;
    Ok(())
}

/// Sealed lines of gaps and clocks, by (device, day).
pub(super) async fn watches(
    tx: &mut Connection,
    device: Option<DeviceId>,
    from: i64,
    to: i64,
) -> Result<Vec<WatchDay>, ChunkError> {
    let text = "SELECT device, day, minutes, slots, live, low, high FROM loss_watch \
                WHERE device >= $1 AND device <= $2 AND day >= $3 AND day <= $4 ORDER BY device, day";
    let (low, high) = device.map_or((i64::MIN, i64::MAX), |device| (device.0, device.0));
    let rows = sqlx::query(text).bind(low).bind(high).bind(from).bind(to).fetch_all(tx).await?;
    let line = |row: &Row| {
        let device = DeviceId(row.try_get("device")?);
        let (minutes, slots): (Vec<u8>, Vec<u8>) = (row.try_get("minutes")?, row.try_get("slots")?);
        let watch =
            Watch::from_bytes(&minutes, &slots, row.try_get("live")?, row.try_get("low")?, row.try_get("high")?);
        let damaged = ChunkError::Damaged { device, hour: 0, what: "a line of gaps and clocks" };
        Ok(WatchDay { device, day: row.try_get("day")?, watch: watch.ok_or(damaged)? })
    };
    rows.iter().map(line).collect()
}

/// The first day with data of each device that has any.
pub(super) async fn first_days(
    tx: &mut Connection,
    device: Option<DeviceId>,
) -> Result<Vec<(DeviceId, i64)>, ChunkError> {
    let text = "SELECT device, MIN(day) AS day FROM loss_watch \
                WHERE device >= $1 AND device <= $2 AND has_data = 1 GROUP BY device ORDER BY device";
    let (low, high) = device.map_or((0, i64::MAX), |device| (device.0, device.0));
    let rows = sqlx::query(text).bind(low).bind(high).fetch_all(tx).await?;
    rows.iter().map(|row| Ok((DeviceId(row.try_get("device")?), row.try_get("day")?))).collect()
}

async fn put_quarantine(tx: &mut Connection, entry: &QuarantineEntry) -> Result<(), ChunkError> {
    sqlx::query(
        "INSERT INTO quarantine(seq, frame, ordinal, device, channel, received, reason, place, rederived) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(signed(entry.position.seq))
    .bind(signed(entry.frame.seq))
    .bind(entry.ordinal.map_or(-1, i64::from))
    .bind(entry.device.0)
    .bind(entry.channel as i64)
    .bind(entry.received.0)
    .bind(i64::try_from(reason_index(entry.reason)).unwrap_or(0))
    .bind(entry.place.as_str())
    .bind(0_i64)
    .execute(tx)
    .await?;
    Ok(())
}

/// Sealed lines of the loss ledger, by (device, day).
pub(super) async fn loss(
    tx: &mut Connection,
    device: Option<DeviceId>,
    from: i64,
    to: i64,
) -> Result<Vec<LossDay>, ChunkError> {
    let text = "SELECT device, day, frames, frames_without_record, records, stored, revised, duplicate, \
                q0, q1, q2, q3, q4, q5, q6, q7, q8, q9 FROM loss \
                WHERE device >= $1 AND device <= $2 AND day >= $3 AND day <= $4 ORDER BY device, day";
    let (low, high) = device.map_or((i64::MIN, i64::MAX), |device| (device.0, device.0));
    let rows = sqlx::query(text).bind(low).bind(high).bind(from).bind(to).fetch_all(tx).await?;
    rows.iter().map(loss_of).collect()
}

fn loss_of(row: &Row) -> Result<LossDay, ChunkError> {
    let mut counts = LossCounts {
        frames: row.try_get("frames")?,
        frames_without_record: row.try_get("frames_without_record")?,
        records: row.try_get("records")?,
        stored: row.try_get("stored")?,
        revised: row.try_get("revised")?,
        duplicate: row.try_get("duplicate")?,
        ..LossCounts::default()
    };
    for (name, count) in QUARANTINE_COLUMNS.iter().zip(&mut counts.quarantined) {
        *count = row.try_get(*name)?;
    }
    Ok(LossDay { device: DeviceId(row.try_get("device")?), day: row.try_get("day")?, counts })
}

const QUARANTINE_COLUMNS: [&str; REASONS.len()] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"];

fn entry_of(row: &Row, partition: u16) -> Result<QuarantineEntry, ChunkError> {
    let damaged = |what| ChunkError::Damaged { device: DeviceId(0), hour: 0, what };
    let (ordinal, channel): (i64, i64) = (row.try_get("ordinal")?, row.try_get("channel")?);
    let (reason, rederived): (i64, i64) = (row.try_get("reason")?, row.try_get("rederived")?);
    let reason = usize::try_from(reason).ok().and_then(|index| REASONS.get(index)).ok_or(damaged("unknown reason"))?;
    let channel = u8::try_from(channel).ok().and_then(Channel::from_u8).ok_or(damaged("unknown channel"))?;
    Ok(QuarantineEntry {
        position: place(partition, row.try_get("seq")?),
        frame: place(partition, row.try_get("frame")?),
        ordinal: u32::try_from(ordinal).ok(),
        device: DeviceId(row.try_get("device")?),
        channel,
        received: IngestTime(row.try_get("received")?),
        reason: *reason,
        place: row.try_get("place")?,
        rederived: (rederived != 0).then(|| place(partition, rederived)),
    })
}

/// Sealed quarantine entries of a page, newest first.
pub(super) async fn quarantine_page(
    tx: &mut Connection,
    partition: u16,
    filter: &QuarantineFilter,
    limit: usize,
) -> Result<Vec<QuarantineEntry>, ChunkError> {
    let text = "SELECT seq, frame, ordinal, device, channel, received, reason, place, rederived FROM quarantine \
                WHERE seq < $1 AND device >= $2 AND device <= $3 AND reason >= $4 AND reason <= $5 AND rederived <= $6 \
                ORDER BY seq DESC, frame DESC, ordinal DESC LIMIT $7";
    let (low, high) = filter.device.map_or((i64::MIN, i64::MAX), |device| (device.0, device.0));
    let reason = filter.reason.map(|reason| i64::try_from(reason_index(reason)).unwrap_or(0));
    let rows = sqlx::query(text)
        .bind(filter.before.map_or(i64::MAX, |before| signed(before.seq)))
        .bind(low)
        .bind(high)
        .bind(reason.unwrap_or(0))
        .bind(reason.unwrap_or(i64::MAX))
        .bind(if filter.with_rederived { i64::MAX } else { 0 })
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(tx)
        .await?;
    rows.iter().map(|row| entry_of(row, partition)).collect()
}

/// Standing entries of a device whose frames lie at `from ..= to`.
pub(super) async fn standing(
    tx: &mut Connection,
    partition: u16,
    device: DeviceId,
    (from, to): (u64, u64),
) -> Result<Vec<QuarantineEntry>, ChunkError> {
    let text = "SELECT seq, frame, ordinal, device, channel, received, reason, place, rederived FROM quarantine \
                WHERE device = $1 AND frame >= $2 AND frame <= $3 AND rederived = 0 ORDER BY frame, ordinal, seq \
                LIMIT 20000";
    let rows = sqlx::query(text).bind(device.0).bind(signed(from)).bind(signed(to)).fetch_all(tx).await?;
    rows.iter().map(|row| entry_of(row, partition)).collect()
}
