//! Alerts: lists, paging by change, acknowledgement, assignment and comments.

use super::{Actor, AlertQuery, AlertRow, AlertState, Cases, FlowError, PAGE_MAX, Page, Query, fits, listed};
use crate::notify::feed::{self, What};
use crate::rows::{alert, next, tell_alert, word};
use database::Connection;
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
    /// `raised`, `ended`, `withdrawn`, `merged`, `case_capped`, `acknowledged`, `assigned`, `unassigned`, `comment`,
    /// `escalated`
    pub what: String,
    pub note: String,
}

impl Cases {
    /// Newest alert first, with `after_seq` oldest change first, with `first_of` what waits for that person first.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Page<AlertRow>, FlowError> {
        let page = match (query.after_seq, query.first_of) {
            (Some(_), _) => ALERT_CHANGES,
            (None, Some(_)) => ALERT_ATTENTION,
            (None, None) => ALERT_PAGE,
        };
        let mut tx = self.db.snapshot().await?;
        let total: i64 = bind(sqlx::query(ALERT_COUNT), query).fetch_one(&mut *tx).await?.try_get(0)?;
        let paged = bind(sqlx::query(page), query)
            .bind(i64::from(query.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX)))
            .bind(i64::from(query.offset.unwrap_or(0)));
        let paged = match query.first_of.filter(|_| query.after_seq.is_none()) {
            Some(user) => paged.bind(user.0),
            None => paged,
        };
        let rows = paged.fetch_all(&mut *tx).await?;
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
            acknowledge(tx, id, actor, note, now).await
        })
    }

    /// The same for many at once, all or none; those that are not there are left out.
    ///
    /// # Errors
    /// [`FlowError::TooMany`] over [`AT_ONCE_MAX`].
    pub async fn acknowledge_all(
        &self,
        ids: &[AlertId],
        actor: &Actor,
        note: &str,
        now: IngestTime,
    ) -> Result<Vec<AlertRow>, FlowError> {
        fits(note)?;
        if ids.len() > AT_ONCE_MAX {
            return Err(FlowError::TooMany(AT_ONCE_MAX));
        }
        database::transaction!(self.db, |tx| -> Result<Vec<AlertRow>, FlowError> {
            let mut rows = Vec::new();
            for id in ids {
                match acknowledge(tx, *id, actor, note, now).await {
                    Ok(row) => rows.push(row),
                    Err(FlowError::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(rows)
        })
    }

    /// Gives an alert to a person, or takes it from whoever has it. That the person is there and may see it is the caller's to check.
    pub async fn assign(
        &self,
        id: AlertId,
        actor: &Actor,
        to: Option<(UserId, &str)>,
        note: &str,
        now: IngestTime,
    ) -> Result<AlertRow, FlowError> {
        fits(note)?;
        database::transaction!(self.db, |tx| -> Result<AlertRow, FlowError> {
            let before = find(tx, id).await?;
            let assignee = to.map(|(user, _)| user);
            if before.assignee == assignee && note.is_empty() {
                return Ok(before);
            }
            let seq = next(tx, "alert_seq").await?;
            sqlx::query("UPDATE alert SET seq = $2, assignee = $3 WHERE id = $1")
                .bind(id.0)
                .bind(seq)
                .bind(assignee.map(|user| user.0))
                .execute(&mut *tx)
                .await?;
            let what = if to.is_some() { "assigned" } else { "unassigned" };
            let name = to.map_or("", |(_, name)| name);
            let line = if note.is_empty() { name.to_owned() } else { format!("{name}: {note}") };
            tell_alert(tx, id, now, Some((actor.user, &actor.name)), (what, line.trim_start_matches(": "))).await?;
            find(tx, id).await
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
            let row = find(tx, id).await?;
            tell_alert(tx, id, now, Some((actor.user, &actor.name)), ("comment", note)).await?;
            Ok(row)
        })
    }
}

async fn find(tx: &mut Connection, id: AlertId) -> Result<AlertRow, FlowError> {
    let row = sqlx::query("SELECT * FROM alert WHERE id = $1").bind(id.0).fetch_optional(tx).await?;
    Ok(alert(&row.ok_or(FlowError::NotFound)?)?)
}

async fn acknowledge(
    tx: &mut Connection,
    id: AlertId,
    actor: &Actor,
    note: &str,
    now: IngestTime,
) -> Result<AlertRow, FlowError> {
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
    let row = find(tx, id).await?;
    let is_first = first.rows_affected() > 0;
    let what = if is_first { "acknowledged" } else { "comment" };
    if is_first || !note.is_empty() {
        tell_alert(tx, id, now, Some((actor.user, &actor.name)), (what, note)).await?;
    }
    if is_first {
        feed::note(tx, id, What::Acknowledged, now, "").await?;
    }
    Ok(row)
}

/// Binds $1 to $9 of the alert filters.
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
        .bind(query.assignee.map_or(0, |id| id.0))
}

macro_rules! alert_where {
    () => {
        " FROM alert WHERE ($1 = '' OR $1 LIKE '%,' || state || ',%') AND (($2 = '' AND rule NOT LIKE '%.shadow') OR rule = $2) AND ($3 = '' OR class = $3) \
         AND ($4 = 0 OR subject = $4) AND ($5 = 0 OR office = $5) AND ($6 = 0 OR case_id = $6) \
         AND ($7 = '' OR $7 LIKE '%,' || CAST(device AS TEXT) || ',%') AND seq > $8 \
         AND ($9 = 0 OR assignee = $9)"
    };
}
const ALERT_COUNT: &str = concat!("SELECT COUNT(*)", alert_where!());
const ALERT_PAGE: &str = concat!("SELECT *", alert_where!(), " ORDER BY id DESC LIMIT $10 OFFSET $11");
const ALERT_CHANGES: &str = concat!("SELECT *", alert_where!(), " ORDER BY seq LIMIT $10 OFFSET $11");
const ALERT_ATTENTION: &str = concat!(
    "SELECT *",
    alert_where!(),
    " ORDER BY CASE WHEN assignee = $12 AND state IN ('open', 'acknowledged') THEN 0 WHEN state = 'open' THEN 1 \
     WHEN state = 'acknowledged' THEN 2 ELSE 3 END, id DESC LIMIT $10 OFFSET $11"
);
/// Alerts acknowledged at once.
pub const AT_ONCE_MAX: usize = 500;
