//! Queries and moves of cases and alerts.

use crate::dto::{AlertQuery, AlertRow, CaseDetail, CaseQuery, CaseRow, HistoryRow, Page};
use database::{Database, DbError};
use model::case::{CaseMove, CaseState, IllegalMove};
use model::id::{AlertId, CaseId, OfficeId, UserId};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};

/// Most rows of one page.
pub const PAGE_MAX: u32 = 500;

/// Who moves: the account and its roles' names (`acceptor`, `shift_leader`, …), see `flow/roles.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub user: UserId,
    pub name: String,
    pub roles: Vec<String>,
    pub office: Option<OfficeId>,
}

/// A wanted move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveRequest {
    #[serde(rename = "move")]
    pub wanted: CaseMove,
    /// The version the person saw.
    pub version: i64,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub office: Option<OfficeId>,
    /// A second request with the same key changes nothing and answers as the first.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error("there is no such case or alert")]
    NotFound,
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    #[error("the roles of this account do not allow the move {0:?}")]
    Forbidden(CaseMove),
    #[error("another person changed the case; it is at version {current}")]
    Stale { current: i64 },
    #[error("the move needs a reason")]
    ReasonMissing,
    #[error("the move needs an office")]
    OfficeMissing,
    #[error("a text is longer than {0} characters")]
    TooLong(usize),
    #[error(transparent)]
    Database(#[from] DbError),
}

#[derive(Debug, Clone)]
pub struct Cases {
    #[expect(dead_code, reason = "skeleton")]
    db: Database,
}

impl Cases {
    pub const fn new(db: Database) -> Self {
        Self { db }
    }
    pub async fn list(&self, _query: &CaseQuery) -> Result<Page<CaseRow>, FlowError> {
        unimplemented!()
    }
    /// How many cases are in each state.
    pub async fn counts(&self, _query: &CaseQuery) -> Result<Vec<(CaseState, i64)>, FlowError> {
        unimplemented!()
    }
    pub async fn get(&self, _id: CaseId) -> Result<CaseDetail, FlowError> {
        unimplemented!()
    }
    pub async fn apply(&self, _id: CaseId, _actor: &Actor, _request: &MoveRequest, _now: IngestTime) -> Result<CaseDetail, FlowError> {
        unimplemented!()
    }
    pub async fn comment(&self, _id: CaseId, _actor: &Actor, _note: &str, _now: IngestTime) -> Result<HistoryRow, FlowError> {
        unimplemented!()
    }
    pub async fn alerts(&self, _query: &AlertQuery) -> Result<Page<AlertRow>, FlowError> {
        unimplemented!()
    }
    pub async fn alert(&self, _id: AlertId) -> Result<AlertRow, FlowError> {
        unimplemented!()
    }
    pub async fn acknowledge(&self, _id: AlertId, _actor: &Actor, _note: &str, _now: IngestTime) -> Result<AlertRow, FlowError> {
        unimplemented!()
    }
    pub async fn comment_alert(&self, _id: AlertId, _actor: &Actor, _note: &str, _now: IngestTime) -> Result<AlertRow, FlowError> {
        unimplemented!()
    }
    /// The pinned raw bytes of a piece of evidence.
    pub async fn evidence_bytes(&self, _case: CaseId, _partition: u16, _seq: i64) -> Result<Vec<u8>, FlowError> {
        unimplemented!()
    }
}
