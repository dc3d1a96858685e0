//! Queries over sealed chunks and the head as one. (Signatures first.)

use super::{ChunkConfig, ChunkError, ChunkStore, RecordQuery, Series, SeriesQuery};
use crate::loss::LossDay;
use crate::quarantine::{QuarantineEntry, QuarantineFilter};
use database::Database;
use model::envelope::Position;
use model::id::DeviceId;
use model::quantity::Quantity;
use model::record::{RecordKey, SettledRecord};

#[derive(Debug)]
pub(crate) struct Inner {}

impl ChunkStore {
    pub async fn open(_database: Database, _config: ChunkConfig) -> Result<Self, ChunkError> {
        unimplemented!()
    }
    /// Cursor S: everything up to here is sealed.
    pub fn cursor(&self) -> Position {
        unimplemented!()
    }
    /// Records by event time, the newest `limit`, oldest first; of several versions of a key the latest.
    pub async fn records(&self, _query: RecordQuery) -> Result<Vec<SettledRecord>, ChunkError> {
        unimplemented!()
    }
    /// The newest record (by event time) of each kind the device has sent.
    pub async fn latest(&self, _device: DeviceId) -> Result<Vec<SettledRecord>, ChunkError> {
        unimplemented!()
    }
    /// A chart's line; keeps every extreme.
    pub async fn series(&self, _query: SeriesQuery) -> Result<Series, ChunkError> {
        unimplemented!()
    }
    /// All versions of one record, oldest first.
    pub async fn versions(&self, _key: RecordKey) -> Result<Vec<SettledRecord>, ChunkError> {
        unimplemented!()
    }
    /// Records settled after `position`, in journal order, at most about `max` (never cut inside one entry).
    pub async fn scan_after(&self, _position: Position, _max: usize) -> Result<Vec<SettledRecord>, ChunkError> {
        unimplemented!()
    }
    /// Code of a quantity: built-in, or the device's own word for a foreign one.
    pub fn quantity_code(&self, _quantity: Quantity) -> Option<String> {
        unimplemented!()
    }
    pub(crate) async fn loss_days(
        &self,
        _device: Option<DeviceId>,
        _from_day: i64,
        _to_day: i64,
    ) -> Result<Vec<LossDay>, ChunkError> {
        unimplemented!()
    }
    pub(crate) async fn quarantine_page(
        &self,
        _filter: &QuarantineFilter,
    ) -> Result<Vec<QuarantineEntry>, ChunkError> {
        unimplemented!()
    }
}
