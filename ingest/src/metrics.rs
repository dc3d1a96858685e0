//! Names of this crate's metrics. Labels come from small closed sets; a device's id is never one.

/// Records by verdict (label `verdict`).
pub const SETTLE_RECORDS_TOTAL: &str = "ingest_settle_records_total";
/// Quarantined records by reason (label `reason`).
pub const SETTLE_QUARANTINED_TOTAL: &str = "ingest_settle_quarantined_total";
/// Rows of the quarantine list let go because a bound was reached (label `reason`: age, device, overall).
pub const QUARANTINE_FORGOTTEN_TOTAL: &str = "ingest_quarantine_forgotten_total";
/// Entries of the journal that settle has read.
pub const SETTLE_ENTRIES_TOTAL: &str = "ingest_settle_entries_total";
/// Seconds settle has worked (not waited).
pub const SETTLE_BUSY_SECONDS_TOTAL: &str = "ingest_settle_busy_seconds_total";
/// Entries between the journal's durable end and settle.
pub const SETTLE_LAG_ENTRIES: &str = "ingest_settle_lag_entries";
/// Times the channel to the judge was full.
pub const SETTLE_JUDGE_FULL_TOTAL: &str = "ingest_settle_judge_full_total";
/// Split messages given up because the buffer was full or their time was over.
pub const SETTLE_SPLIT_INCOMPLETE_TOTAL: &str = "ingest_settle_split_incomplete_total";
/// Split messages given up because their device had others waiting.
pub const SETTLE_SPLIT_CROWDED_TOTAL: &str = "ingest_settle_split_crowded_total";
/// Packets of split messages that found no room.
pub const SETTLE_SPLIT_REFUSED_TOTAL: &str = "ingest_settle_split_refused_total";
/// Compressed blocks that would have become larger than their bound.
pub const SETTLE_INFLATE_REFUSED_TOTAL: &str = "ingest_settle_inflate_refused_total";
/// Codes no profile maps that found the dictionary full.
pub const SETTLE_FOREIGN_FULL_TOTAL: &str = "ingest_settle_foreign_full_total";
/// Key sets loaded to tell duplicates.
pub const DEDUPE_LOADS_TOTAL: &str = "ingest_dedupe_loads_total";
/// Key sets dropped because their memory bound was reached.
pub const DEDUPE_EVICTED_TOTAL: &str = "ingest_dedupe_evicted_total";
/// Bytes of settled records that are not in SQL yet.
pub const HEAD_BYTES: &str = "ingest_head_bytes";
/// Times settle waited because the head was full and the last seal not done.
pub const HEAD_FULL_TOTAL: &str = "ingest_head_full_total";
/// Pictures and files in the blob store, and their bytes.
pub const BLOBS: &str = "ingest_blobs";
pub const BLOB_BYTES: &str = "ingest_blob_bytes";
/// Blobs that came new.
pub const BLOBS_STORED_TOTAL: &str = "ingest_blobs_stored_total";
/// Blobs let go because a bound was reached (label `reason`: device, all).
pub const BLOBS_EVICTED_TOTAL: &str = "ingest_blobs_evicted_total";
/// Blobs that were not kept (label `reason`: size, full, io).
pub const BLOBS_REFUSED_TOTAL: &str = "ingest_blobs_refused_total";
/// Pictures that the disk has refused and that are tried again.
pub const BLOBS_OWED: &str = "ingest_blobs_owed";
/// Pictures let go because too many waited for the disk; their bytes are in the journal.
pub const BLOBS_LOST_TOTAL: &str = "ingest_blobs_lost_total";
/// Chunks written.
pub const CHUNKS_SEALED_TOTAL: &str = "ingest_chunks_sealed_total";
/// Rows written in chunks.
pub const CHUNK_ROWS_SEALED_TOTAL: &str = "ingest_chunk_rows_sealed_total";
/// Seconds of one seal, from the swap to the commit.
pub const SEAL_SECONDS: &str = "ingest_seal_seconds";
/// Seals that failed and will be tried again.
pub const SEAL_FAILURES_TOTAL: &str = "ingest_seal_failures_total";
/// Chunks replaced by a merged one.
pub const CHUNKS_COMPACTED_TOTAL: &str = "ingest_chunks_compacted_total";
/// Queries cut at their row limit.
pub const QUERY_CUT_TOTAL: &str = "ingest_query_cut_total";
/// Unknown identities forgotten because the list was full.
pub const DOORSTEP_DROPPED_TOTAL: &str = "ingest_doorstep_dropped_total";
/// Frames refused at the edge, by reason.
pub const DOORSTEP_REFUSED_TOTAL: &str = "ingest_doorstep_refused_total";
/// Devices whose wire trace was dropped because the bound was reached.
pub const WIRE_TRACES_DROPPED_TOTAL: &str = "ingest_wire_traces_dropped_total";
/// Live subscriptions that could not keep up and must take a snapshot.
pub const LIVE_LAGGED_TOTAL: &str = "ingest_live_lagged_total";
/// Live subscriptions refused because there are too many.
pub const LIVE_REFUSED_TOTAL: &str = "ingest_live_refused_total";

/// Histogram: seconds from taking a group of batches to its `fdatasync` having returned.
pub const JOURNAL_COMMIT_SECONDS: &str = "ingest_journal_commit_seconds";
/// Histogram: entries in a group.
pub const JOURNAL_GROUP_ENTRIES: &str = "ingest_journal_group_entries";
/// Gauge: bytes queued for the journal's writer.
pub const JOURNAL_QUEUE_BYTES: &str = "ingest_journal_queue_bytes";
/// Bytes written to segments.
pub const JOURNAL_WRITTEN_BYTES_TOTAL: &str = "ingest_journal_written_bytes_total";
/// Entries made durable.
pub const JOURNAL_ENTRIES_TOTAL: &str = "ingest_journal_entries_total";
/// Batches refused because the journal's queue was full.
pub const JOURNAL_OVERLOADED_TOTAL: &str = "ingest_journal_overloaded_total";
/// Batches not made durable (label `why`: `disk_full`, `io`).
pub const JOURNAL_FAILED_TOTAL: &str = "ingest_journal_failed_total";
/// Gauge: 0 ok, 1 no space, 2 failing.
pub const JOURNAL_HEALTH_STATE: &str = "ingest_journal_health_state";
/// Segments started.
pub const JOURNAL_SEGMENTS_TOTAL: &str = "ingest_journal_segments_total";
/// Segments moved to the archive.
pub const JOURNAL_ARCHIVED_TOTAL: &str = "ingest_journal_archived_total";
/// Steps of the journal's keeper (reserve, archive, expiry) that failed and will be tried again.
pub const JOURNAL_KEEPER_FAILURES_TOTAL: &str = "ingest_journal_keeper_failures_total";
/// Archived segments deleted because they outlived the retention.
pub const JOURNAL_EXPIRED_TOTAL: &str = "ingest_journal_expired_total";
/// Gauge: bytes of the archive on disk.
pub const JOURNAL_ARCHIVE_BYTES: &str = "ingest_journal_archive_bytes";
/// Histogram: seconds from reading a batch to `InfluxDB`'s last answer for it.
pub const INFLUX_BATCH_SECONDS: &str = "ingest_influx_batch_seconds";
/// Points `InfluxDB` took.
pub const INFLUX_POINTS_TOTAL: &str = "ingest_influx_points_total";
/// Points it did not take, passed over.
pub const INFLUX_REJECTED_TOTAL: &str = "ingest_influx_rejected_total";
/// Attempts that will be repeated (label `why`: `write`, `cursor`).
pub const INFLUX_RETRIES_TOTAL: &str = "ingest_influx_retries_total";
/// Gauge: journal entries between settle and the projection.
pub const INFLUX_LAG_ENTRIES: &str = "ingest_influx_lag_entries";
/// Gaps in a Sparkplug node's sequence.
pub const SETTLE_SEQUENCE_GAPS_TOTAL: &str = "ingest_settle_sequence_gaps_total";
/// Sparkplug nodes whose births were forgotten, since all births together took too much.
pub const SETTLE_BIRTHS_CROWDED_TOTAL: &str = "ingest_settle_births_crowded_total";
