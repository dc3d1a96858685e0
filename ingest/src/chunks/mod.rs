//! The chunk store: all settled records, always. Open hours are compact rows in memory (`head`, rebuilt from the journal after
//! a stop), sealed ones packed columns in SQL.
//!
//! ```text
//! settle ──append──▶ head (active) ──swap──▶ generation ──J ≥ its end──▶ ONE transaction: chunks, new foreign quantities,
//!                                                                        loss counters, quarantine rows, split packets, cursor S
//! ```
//!
//! Table `chunk`: one row per (device, kind, hour, `first_seq`) with the packed columns as `body` (`pack.rs` has the format). Queries see
//! sealed and unsealed rows as one: they copy what they need of the head first and then read SQL in one transaction together with
//! cursor S; a row of the head counts only when its journal position is after S. Of several versions of a record's key the one at the
//! latest position is shown; [`ChunkStore::versions`] gives all.
//!
//! A (device, kind, hour) that was sealed in more than [`ChunkConfig::parts_max`] parts, or whose hour is over, is merged in the background;
//! until then a query reads each part. Known cost: parts from before a restart are merged only when their bucket is sealed again.

mod columns;
mod head;
mod pack;
mod query;
mod retention;
mod row;
mod seal;
mod series;
mod sql;

pub use columns::Columns;
pub use retention::QuarantineRetention;
pub use seal::Sealer;
pub(crate) use seal::Swap;
pub use series::{Series, SeriesPoint, downsample};

use model::envelope::Position;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{RecordKind, Statistic};
use model::time::EventTime;
use std::sync::Arc;

/// Bounds of the store.
#[derive(Debug, Clone, Copy)]
pub struct ChunkConfig {
    /// Bytes of settled records kept in memory, over the open and the sealing generation.
    pub head_bytes_max: usize,
    /// Seconds after which the head is sealed even when it is small.
    pub seal_after_s: u64,
    /// Parts of one (device, kind, hour) before they are merged.
    pub parts_max: u32,
    /// Rows one query may return.
    pub query_rows_max: usize,
    /// Rows one query may look at.
    pub query_scan_max: usize,
}

impl Default for ChunkConfig {
    fn default() -> Self {
        Self {
            head_bytes_max: 24 << 20,
            seal_after_s: 60,
            parts_max: 8,
            query_rows_max: 50_000,
            query_scan_max: 5_000_000,
        }
    }
}

/// Why a query or a seal did not work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChunkError {
    #[error("the chunk store's database: {0}")]
    Sql(Arc<str>),
    /// A chunk on disk that cannot be read.
    #[error("chunk of device {device}, hour {hour} is damaged: {what}")]
    Damaged { device: DeviceId, hour: i64, what: &'static str },
    #[error("the query looks at more than {0} rows")]
    TooMuch(usize),
    #[error("the chunk store is stopping")]
    Stopping,
    #[error("the chunk store has format {found}, this program reads {expected}")]
    Format { found: i64, expected: i64 },
}

/// Which records to show.
#[derive(Debug, Clone)]
pub struct RecordQuery {
    pub device: DeviceId,
    /// Empty = all.
    pub kinds: Vec<RecordKind>,
    /// First event time, inclusive.
    pub from: EventTime,
    /// Last event time, exclusive.
    pub to: EventTime,
    /// At most so many; the newest win.
    pub limit: usize,
    /// Only what was settled at or before this place, so that evidence reads the same for ever.
    pub as_of: Option<Position>,
}

/// One line of a chart.
#[derive(Debug, Clone, Copy)]
pub struct SeriesQuery {
    pub device: DeviceId,
    pub kind: RecordKind,
    pub quantity: Quantity,
    pub statistic: Statistic,
    /// First event time, inclusive.
    pub from: EventTime,
    /// Last event time, exclusive.
    pub to: EventTime,
    /// At most 2,000.
    pub points_max: usize,
}

/// Points of a chart at most.
pub const SERIES_POINTS_MAX: usize = 2_000;

/// The store. Cheap to clone; all clones are one store.
#[derive(Debug, Clone)]
pub struct ChunkStore {
    pub(crate) inner: Arc<query::Inner>,
}
