//! The engine: items in journal order in, episode changes out.

use crate::definition::CompiledRule;
use crate::explain::Explanation;
use model::episode::{Episode, EpisodeChange};
use model::facts::Facts;
use model::id::SubjectId;
use model::quantity::Quantity;
use model::stream::Item;
use std::sync::Arc;

#[derive(Debug, Default)]
pub struct Engine {}

/// A row of saved state: `rule` and `subject`, `device` name the key; the engine's own row has an empty rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    pub rule: String,
    pub subject: i64,
    pub device: i64,
    /// `None`: the row is gone.
    pub blob: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the state of rule {rule:?} for subject {subject} is of format {found}, this program knows {known}")]
    Format { rule: String, subject: i64, found: u8, known: u8 },
    #[error("the state of rule {rule:?} for subject {subject} is damaged at byte {offset}")]
    Damaged { rule: String, subject: i64, offset: usize },
}

/// What was not judged, since the state began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Observations later than the horizon.
    pub beyond_horizon: u64,
    /// Observations that are no longer revisable because the memory bound was reached.
    pub memory_bound: u64,
    /// Revisions of values that were kept only as part of a sum.
    pub revision_not_judged: u64,
}

impl Engine {
    pub fn new(_facts: &Facts) -> Self {
        unimplemented!()
    }
    pub fn on_item(&mut self, _item: &Item, _facts: &Facts, _out: &mut Vec<EpisodeChange>) {
        unimplemented!()
    }
    pub fn save(&mut self) -> Vec<StateRow> {
        unimplemented!()
    }
    pub fn restore(_facts: &Facts, _rows: &[StateRow]) -> Result<Self, StateError> {
        unimplemented!()
    }
    pub fn rule(&self, _code: &str) -> Option<Arc<CompiledRule>> {
        unimplemented!()
    }
    pub fn explain(&self, _subject: SubjectId, _quantity: Option<Quantity>, _facts: &Facts) -> Vec<Explanation> {
        unimplemented!()
    }
    pub fn standing(&self) -> Vec<Episode> {
        unimplemented!()
    }
    pub fn counters(&self) -> Counters {
        unimplemented!()
    }
}
