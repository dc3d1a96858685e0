//! The notices: one row for each change of an alert that people may be told of, written in the transaction of the change
//! itself, taken by the planner in the order of commits. So no crash loses one and none is looked at twice.

use database::Connection;
use model::id::AlertId;
use model::time::IngestTime;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Raised,
    /// Changed and goes on; after an end: it was none.
    Lasting,
    Ended,
    /// Taken back by late data, or merged into an older one.
    Withdrawn,
    /// A person has seen it.
    Acknowledged,
}

/// `severity`: of the rule's case; empty for a person's move.
pub(crate) async fn note(
    tx: &mut Connection,
    alert: AlertId,
    what: What,
    at: IngestTime,
    severity: &str,
) -> Result<(), sqlx::Error> {
    let seq = crate::rows::next(tx, "notice").await?;
    sqlx::query("INSERT INTO notice(seq, alert, what, at, severity) VALUES ($1, $2, $3, $4, $5)")
        .bind(seq)
        .bind(alert.0)
        .bind(crate::rows::word(what))
        .bind(at.0)
        .bind(severity)
        .execute(tx)
        .await?;
    Ok(())
}
