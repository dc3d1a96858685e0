//! Who is told of which alert, when and by what.
//!
//! ```text
//! judge, people ──notice──▶ planner ──delivery──▶ courier ──▶ WeCom, DingTalk, Feishu, e-mail, webhook
//!    (same transaction)     policy, silences,     (crate `notify` speaks,
//!                           groups, escalations    the server runs it)
//! ```
//!
//! | file | what |
//! |---|---|
//! | `feed` | notices: what happened to alerts, written with the change itself |
//! | `policy` | routes, inhibitions, escalations as one versioned document |
//! | `planner` | the fold of notices into deliveries, by journal time alone |
//! | `outbox` | deliveries: claimed, sent, failed, expired, suppressed; the log |
//! | `channel` | where messages go, with sealed secrets |
//! | `render` | the words |

mod channel;
pub(crate) mod feed;
mod outbox;
mod planner;
mod policy;
mod render;

pub use channel::{ChannelRow, PutChannel};
pub use outbox::{Claim, DeliveryQuery, DeliveryRow, DeliveryState, OUTBOX_MAX};
pub use planner::{Planned, Planner, Registers, WorkClock};
pub use policy::{Escalation, GroupBy, Hours, Inhibition, Policy, PolicyRow, Route, Same, Scope, Step};

use database::{Database, DbError};
use ledger::Keys;

/// Channels, policy and outbox. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Notify {
    db: Database,
    keys: Keys,
}

impl Notify {
    /// The tables are the judge's component: open it first.
    pub const fn new(db: Database, keys: Keys) -> Self {
        Self { db, keys }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("there is no such thing")]
    NotFound,
    #[error("another person changed it since")]
    Stale,
    /// The field and what to write instead.
    #[error("{0}: {1}")]
    Field(String, String),
    #[error("a channel's secret cannot be sealed or opened with this key file; enter it again")]
    Secret,
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sqlx::Error> for NotifyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::Sql(error))
    }
}

impl database::SqlError for NotifyError {
    fn sql(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) => error.sql(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
