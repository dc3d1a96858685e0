//! Alerts: lists, paging by change, acknowledgement and comments.

use super::{Actor, AlertQuery, AlertRow, AlertState, Cases, FlowError, PAGE_MAX, Page, Query, fits, listed};
use crate::rows::{alert, next, tell_alert, word};
use model::id::{AlertId, UserId};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// One line of an alert's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertHistoryRow {
    pub number: i64,
    pub at: IngestTime,
    /// `None`: the machine.
    pub user: Option<UserId>,
    pub user_name: String,
    /// `raised`, `ended`, `withdrawn`, `merged`, `case_capped`, `acknowledged`, `comment`
    pub what: String,
    pub note: String,
}

impl Cases {
    /// Newest alert first, or with `after_seq` oldest change first.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Page<AlertRow>, FlowError> {
        let page = if query.after_seq.is_some() { ALERT_CHANGES } else { ALERT_PAGE };
        let mut tx = self.db.snapshot().await?;
        let total: i64 = bind(sqlx::query(ALERT_COUNT), query).fetch_one(&mut *tx).await?.try_get(0)?;
        let rows = bind(sqlx::query(page), query)
            .bind(i64::from(query.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX)))
            .bind(i64::from(query.offset.unwrap_or(0)))
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(Page { rows: rows.iter().map(alert).collect::<Result<_, _>>()?, total })
    }

    pub async fn alert(&self, id: AlertId) -> Result<AlertRow, FlowError> {
        let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.0);
        let row = row.fetch_optional(&mut *self.db.read().await?).await?;
        Ok(alert(&row.ok_or(FlowError::NotFound)?)?)
    }

    /// What happened to an alert, oldest first.
    pub async fn alert_history(&self, id: AlertId) -> Result<Vec<AlertHistoryRow>, FlowError> {
        let rows = sqlx::query("SELECT * FROM alert_history WHERE alert = $1 ORDER BY number LIMIT 1000")
            .bind(id.0)
            .fetch_all(&mut *self.db.read().await?)
            .await?;
        let rows = rows.iter().map(|row| {
            Ok(AlertHistoryRow {
                number: row.try_get("number")?,
                at: IngestTime(row.try_get("at")?),
                user: row.try_get::<Option<i64>, _>("user_id")?.map(UserId),
                user_name: row.try_get("user_name")?,
                what: row.try_get("what")?,
                note: row.try_get("note")?,
            })
        });
        Ok(rows.collect::<Result<_, sqlx::Error>>()?)
    }

    /// A second acknowledgement leaves the first; its note is kept as a comment.
    pub async fn acknowledge(
        &self,
        id: AlertId,
        actor: &Actor,
        note: &str,
        now: IngestTime,
    ) -> Result<AlertRow, FlowError> {
        fits(note)?;
        database::transaction!(self.db, |tx| -> Result<AlertRow, FlowError> {
            let seq = next(tx, "alert_seq").await?;
            let first = sqlx::query(
                "UPDATE alert SET seq = $2, acknowledged_by = $3, acknowledged_at = $4, \
                 state = CASE WHEN state = 'open' THEN 'acknowledged' ELSE state END \
                 WHERE id = $1 AND acknowledged_at IS NULL",
            )
            .bind(id.0)
            .bind(seq)
            .bind(actor.user.0)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
            let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.0).fetch_optional(&mut *tx).await?;
            let row = alert(&row.ok_or(FlowError::NotFound)?)?;
            let what = if first.rows_affected() > 0 { "acknowledged" } else { "comment" };
            if first.rows_affected() > 0 || !note.is_empty() {
                tell_alert(tx, id, now, Some((actor.user, &actor.name)), (what, note)).await?;
            }
            Ok(row)
        })
    }

    pub async fn comment_alert(
        &self,
        id: AlertId,
        actor: &Actor,
        note: &str,
        now: IngestTime,
    ) -> Result<AlertRow, FlowError> {
        fits(note)?;
        database::transaction!(self.db, |tx| -> Result<AlertRow, FlowError> {
            let seq = next(tx, "alert_seq").await?;
            sqlx::query("UPDATE alert SET seq = $2 WHERE id = $1").bind(id.0).bind(seq).execute(&mut *tx).await?;
            let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.0).fetch_optional(&mut *tx).await?;
            let row = alert(&row.ok_or(FlowError::NotFound)?)?;
            tell_alert(tx, id, now, Some((actor.user, &actor.name)), ("comment", note)).await?;
            Ok(row)
        })
    }
}

/// Binds $1 to $8 of the alert filters.
fn bind<'q>(statement: Query<'q>, query: &AlertQuery) -> Query<'q> {
    let devices = query.devices.as_ref().map(|devices| {
        // No device at all matches nothing.
        format!(",{},", devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    });
    statement
        .bind(listed(query.states.iter().map(|state: &AlertState| word(*state))))
        .bind(query.rule.clone().unwrap_or_default())
        .bind(query.class.map(word).unwrap_or_default())
        .bind(query.subject.map_or(0, |id| id.0))
        .bind(query.office.map_or(0, |id| id.0))
        .bind(query.case.map_or(0, |id| id.0))
        .bind(devices.unwrap_or_default())
        .bind(query.after_seq.unwrap_or(-1))
}

macro_rules! alert_where {
    () => {
        " FROM alert WHERE ($1 = '' OR $1 LIKE '%,' || state || ',%') AND (($2 = '' AND rule NOT LIKE '%.shadow') OR rule = $2) AND ($3 = '' OR class = $3) \
         AND ($4 = 0 OR subject = $4) AND ($5 = 0 OR office = $5) AND ($6 = 0 OR case_id = $6) \
         AND ($7 = '' OR $7 LIKE '%,' || CAST(device AS TEXT) || ',%') AND seq > $8"
    };
}
const ALERT_COUNT: &str = concat!("SELECT COUNT(*)", alert_where!());
const ALERT_PAGE: &str = concat!("SELECT *", alert_where!(), " ORDER BY id DESC LIMIT $9 OFFSET $10");
const ALERT_CHANGES: &str = concat!("SELECT *", alert_where!(), " ORDER BY seq LIMIT $9 OFFSET $10");
