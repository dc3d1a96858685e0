//! Rules on stored records: backtests of a draft, a preview on one device, and why a rule did not fire. Reads the chunk store and the
//! registers as they were; decides nothing and writes nothing. For the API and the command line.

pub mod backtest;
pub mod why;

use database::Database;
use ingest::chunks::{ChunkError, ChunkStore, Columns};
use ledger::{Ledger, LedgerError};
use model::envelope::Position;
use model::facts::Facts;
use model::id::{DeviceId, SubjectId};
use model::record::SettledRecord;
use model::register::Revision;
use model::time::{EventTime, IngestTime};
use rules::backtest::{Pair, Reads, Run};
use std::sync::Arc;

/// What a trial reads.
#[derive(Debug, Clone)]
pub struct Source {
    pub ledger: Ledger,
    pub chunks: ChunkStore,
    /// The main database, for the list of our own outages.
    pub main: Database,
    /// Only what was settled at or before this place.
    pub as_of: Position,
}

#[derive(Debug)]
pub enum TrialError {
    Ledger(LedgerError),
    Chunks(ChunkError),
    Sql(String),
    /// A person or the end of the server stopped it.
    Stopped,
}

impl std::fmt::Display for TrialError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ledger(error) => write!(f, "read the registers: {error}"),
            Self::Chunks(error) => write!(f, "read the records: {error}"),
            Self::Sql(error) => write!(f, "read our outages: {error}"),
            Self::Stopped => f.write_str("stopped before its end"),
        }
    }
}

impl std::error::Error for TrialError {}

impl From<LedgerError> for TrialError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<ChunkError> for TrialError {
    fn from(error: ChunkError) -> Self {
        Self::Chunks(error)
    }
}

/// What happened to the registers and to us during a trial, by time of ours.
#[derive(Debug, Clone)]
enum Edge {
    Revision(Arc<Revision>),
    Outage(IngestTime, IngestTime),
}

impl Edge {
    fn at(&self) -> IngestTime {
        match self {
            Self::Revision(revision) => revision.at,
            Self::Outage(from, _) => *from,
        }
    }

    fn apply(&self, run: &mut Run) {
        match self {
            Self::Revision(revision) => run.revise(revision),
            Self::Outage(from, to) => run.outage(*from, *to),
        }
    }
}

/// The registers at the beginning and what changes until the end.
#[derive(Debug, Clone)]
struct World {
    facts: Facts,
    edges: Vec<Edge>,
}

impl Source {
    async fn world(&self, from: EventTime, to: EventTime) -> Result<World, TrialError> {
        let (from, to) = (IngestTime(from.0), IngestTime(to.0));
        let (facts, revisions) = self.ledger.facts_between(from, to).await?;
        let mut edges: Vec<Edge> = revisions.into_iter().map(|revision| Edge::Revision(Arc::new(revision))).collect();
        let outages = crate::pulse::outages_between(&self.main, from, to).await;
        let outages = outages.map_err(|error| TrialError::Sql(error.to_string()))?;
        edges.extend(outages.into_iter().map(|(from, to)| Edge::Outage(from, to)));
        // Edits keep their order, which is that of their numbers.
        edges.sort_by_key(Edge::at);
        Ok(World { facts, edges })
    }

    /// Records of the devices that were measured at one of the subjects, by event time; and how many came later than the horizon.
    async fn records(
        &self,
        devices: &[DeviceId],
        wanted: &Columns,
        span: (EventTime, EventTime),
        horizon_ms: i64,
        belongs: &(dyn Fn(SubjectId) -> bool + Sync),
    ) -> Result<(Vec<SettledRecord>, u64), ChunkError> {
        let (mut all, mut late) = (Vec::new(), 0);
        for device in devices {
            let mut records = self.chunks.columns(*device, wanted, span, self.as_of).await?;
            records.retain(|record| {
                let is_late = record.received.0.saturating_sub(record.key.at.0) > horizon_ms;
                late += u64::from(is_late);
                !is_late && record.subject.is_some_and(belongs)
            });
            all.append(&mut records);
        }
        if devices.len() > 1 {
            all.sort_by_key(|record| (record.key.at, record.key.device, record.key.kind, record.key.slot));
        }
        Ok((all, late))
    }
}

fn columns(reads: Reads) -> Columns {
    Columns { kinds: reads.kinds, quantities: reads.quantities, fixes: reads.fixes, happenings: reads.happenings }
}

/// Devices with the subjects they were installed at in the span and that the pair looks at.
fn installed(pair: &Pair, facts: &Facts, (from, to): (EventTime, EventTime)) -> Vec<(DeviceId, SubjectId)> {
    let mut found = Vec::new();
    for device in facts.devices.keys() {
        for row in facts.installations_of(*device) {
            let is_then = row.valid_from < to && row.valid_to.is_none_or(|end| end > from);
            if is_then && pair.concerns(*device, row.subject, facts) {
                found.push((*device, row.subject));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}
