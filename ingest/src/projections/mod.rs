//! Projections: copies of the settled records for other tools. Each reads the chunk store in journal order from a cursor of
//! its own, so an outage of the tool delays its charts and nothing else; each is idempotent and can be built again from
//! position 0.
//!
//! | module | what it is |
//! |---|---|
//! | [`influx`] | `InfluxDB`'s v2 and 1.x write APIs, and what speaks them (VictoriaMetrics) |
//! | [`store`] | the chunk store as their source |
//! | [`cursor`] | how far a projection has come, in a small file |

pub mod cursor;
pub mod influx;
pub mod store;

use model::envelope::Position;
use model::id::{DeviceId, SubjectId};
use model::quantity::Quantity;
use model::record::SettledRecord;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Settled records in journal order: the chunk store.
pub trait RecordSource: Send + Sync {
    /// Records settled after `after`, about `max` of them, never cut inside one journal entry; empty when there are none.
    fn scan_after(&self, after: Position, max: usize) -> BoxFuture<'_, Result<Vec<SettledRecord>, SourceError>>;
    /// Resolves when a scan after `after` may give more. May resolve too early; must be cancel-safe.
    fn changed(&self, after: Position) -> BoxFuture<'_, ()>;
    /// The last position that was settled; for the lag.
    fn end(&self) -> Position;
}

#[derive(Debug, thiserror::Error)]
#[error("scan settled records")]
pub struct SourceError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Words for ids. From a snapshot in memory; no call waits.
pub trait Names: Send + Sync {
    fn device(&self, device: DeviceId) -> Option<Arc<str>>;
    fn subject(&self, subject: SubjectId) -> Option<SubjectName>;
    /// Asked for foreign quantities only.
    fn quantity(&self, quantity: Quantity) -> Option<Arc<str>>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectName {
    pub code: Arc<str>,
    /// `restaurant`, `site`, `truck` …
    pub kind: &'static str,
}
