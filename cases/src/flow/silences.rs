//! Silences: for a stretch of time nobody is told of the alerts that match. The alerts themselves are raised and shown.
//!
//! What a silence covers depends on its row and the alert's journal time alone. It cannot begin before it was made, and ending
//! it early only shortens it, so whoever asks again gets the answer that was given at the time.

use super::{Actor, Cases, FlowError, Page, fits};
use crate::rows::{next, parse, word};
use database::Connection;
use model::episode::EpisodeClass;
use model::id::{DeviceId, GridId, SubjectId, UserId};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// What a silence is about: everything that is set must be so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceMatch {
    pub rule: Option<String>,
    pub class: Option<EpisodeClass>,
    pub subject: Option<SubjectId>,
    pub device: Option<DeviceId>,
    pub grid: Option<GridId>,
}

impl SilenceMatch {
    pub const fn is_empty(&self) -> bool {
        self.rule.is_none()
            && self.class.is_none()
            && self.subject.is_none()
            && self.device.is_none()
            && self.grid.is_none()
    }

    pub fn holds(&self, alert: &crate::AlertRow) -> bool {
        self.rule.as_ref().is_none_or(|rule| *rule == alert.rule)
            && self.class.is_none_or(|class| class == alert.class)
            && self.subject.is_none_or(|subject| subject == alert.subject)
            && self.device.is_none_or(|device| device == alert.device)
            && self.grid.is_none_or(|grid| Some(grid) == alert.grid)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: i64,
    #[serde(flatten)]
    pub matches: SilenceMatch,
    pub from: IngestTime,
    pub until: IngestTime,
    pub reason: String,
    pub user: UserId,
    pub user_name: String,
    pub created: IngestTime,
    /// Who ended it early.
    pub ended_by: Option<String>,
}

impl Silence {
    pub fn covers(&self, alert: &crate::AlertRow, at: IngestTime) -> bool {
        self.from <= at && at < self.until && self.matches.holds(alert)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    pub matches: SilenceMatch,
    /// `None`: now.
    pub from: Option<IngestTime>,
    pub until: IngestTime,
    pub reason: String,
}

impl Cases {
    /// Those that have not ended at `now` if `lasting`, else all; newest first.
    pub async fn silences(&self, lasting: Option<IngestTime>, limit: u32) -> Result<Page<Silence>, FlowError> {
        let mut tx = self.db.snapshot().await?;
        let after = lasting.map_or(i64::MIN, |now| now.0);
        let total: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM silence WHERE until_at > $1")
            .bind(after)
            .fetch_one(&mut *tx)
            .await?;
        let rows = sqlx::query("SELECT * FROM silence WHERE until_at > $1 ORDER BY id DESC LIMIT $2")
            .bind(after)
            .bind(i64::from(limit.min(super::PAGE_MAX)))
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(Page { rows: rows.iter().map(silence).collect::<Result<_, _>>()?, total })
    }

    /// # Errors
    /// [`FlowError::Field`] names what is wrong; [`FlowError::TooMany`] when [`SILENCES_MAX`] last already.
    pub async fn silence(&self, actor: &Actor, wanted: &NewSilence, now: IngestTime) -> Result<Silence, FlowError> {
        check(wanted, now)?;
        database::transaction!(self.db, |tx| -> Result<Silence, FlowError> {
            let lasting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM silence WHERE until_at > $1")
                .bind(now.0)
                .fetch_one(&mut *tx)
                .await?;
            if lasting >= i64::from(SILENCES_MAX) {
                return Err(FlowError::TooMany(SILENCES_MAX as usize));
            }
            let silence = Silence {
                id: next(tx, "silence").await?,
                matches: wanted.matches.clone(),
                from: wanted.from.unwrap_or(now),
                until: wanted.until,
                reason: wanted.reason.trim().to_owned(),
                user: actor.user,
                user_name: actor.name.clone(),
                created: now,
                ended_by: None,
            };
            insert(tx, &silence).await?;
            Ok(silence)
        })
    }

    /// Ends a silence now; one that has ended stays as it is.
    pub async fn end_silence(&self, id: i64, actor: &Actor, now: IngestTime) -> Result<Silence, FlowError> {
        database::transaction!(self.db, |tx| -> Result<Silence, FlowError> {
            sqlx::query(
                "UPDATE silence SET until_at = $2, from_at = CASE WHEN from_at > $2 THEN $2 ELSE from_at END, ended_by = $3 \
                 WHERE id = $1 AND until_at > $2",
            )
            .bind(id)
            .bind(now.0)
            .bind(actor.name.as_str())
            .execute(&mut *tx)
            .await?;
            sqlx::query("UPDATE notify_alert SET held_until = $2 WHERE held_by = $1 AND held_until > $2")
                .bind(format!("silence:{id}"))
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
            let row = sqlx::query("SELECT * FROM silence WHERE id = $1").bind(id).fetch_optional(&mut *tx).await?;
            Ok(silence(&row.ok_or(FlowError::NotFound)?)?)
        })
    }
}

fn check(wanted: &NewSilence, now: IngestTime) -> Result<(), FlowError> {
    let wrong = |field, message: &str| Err(FlowError::Field(field, message.to_owned()));
    fits(&wanted.reason)?;
    let from = wanted.from.unwrap_or(now);
    if wanted.matches.is_empty() {
        return wrong(
            "rule",
            "name a rule, class, subject, device or grid: a silence over everything would hide everything",
        );
    }
    if wanted.reason.trim().is_empty() {
        return wrong("reason", "say why");
    }
    if from < now {
        return wrong("from", "a silence cannot begin in the past");
    }
    if wanted.until <= from {
        return wrong("until", "must be after it begins");
    }
    if wanted.until.since_ms(from) > LONGEST_MS {
        return wrong("until", "at most 180 days; make it again when it ends");
    }
    Ok(())
}

/// The silences that may cover something at or after `at`, oldest first.
pub(crate) async fn lasting(tx: &mut Connection, at: IngestTime) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM silence WHERE until_at > $1 ORDER BY id LIMIT $2")
        .bind(at.0)
        .bind(i64::from(SILENCES_MAX) * 10)
        .fetch_all(tx)
        .await?;
    rows.iter().map(silence).collect()
}

async fn insert(tx: &mut Connection, silence: &Silence) -> Result<(), sqlx::Error> {
    let matches = &silence.matches;
    sqlx::query(
        "INSERT INTO silence(id, rule, class, subject, device, grid, from_at, until_at, reason, user_id, user_name, created, ended_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL)",
    )
    .bind(silence.id)
    .bind(matches.rule.as_deref().unwrap_or_default())
    .bind(matches.class.map(word).unwrap_or_default())
    .bind(matches.subject.map(|id| id.0))
    .bind(matches.device.map(|id| id.0))
    .bind(matches.grid.map(|id| id.0))
    .bind(silence.from.0)
    .bind(silence.until.0)
    .bind(silence.reason.as_str())
    .bind(silence.user.0)
    .bind(silence.user_name.as_str())
    .bind(silence.created.0)
    .execute(tx)
    .await?;
    Ok(())
}

fn silence(row: &database::Row) -> Result<Silence, sqlx::Error> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let class: String = row.try_get("class")?;
    Ok(Silence {
        id: row.try_get("id")?,
        matches: SilenceMatch {
            rule: some(row.try_get("rule")?),
            class: some(class).map(parse).transpose()?,
            subject: row.try_get::<Option<i64>, _>("subject")?.map(SubjectId),
            device: row.try_get::<Option<i64>, _>("device")?.map(DeviceId),
            grid: row.try_get::<Option<i64>, _>("grid")?.map(GridId),
        },
        from: IngestTime(row.try_get("from_at")?),
        until: IngestTime(row.try_get("until_at")?),
        reason: row.try_get("reason")?,
        user: UserId(row.try_get("user_id")?),
        user_name: row.try_get("user_name")?,
        created: IngestTime(row.try_get("created")?),
        ended_by: row.try_get("ended_by")?,
    })
}

/// Silences that last at a time.
pub const SILENCES_MAX: u32 = 500;
/// 180 days.
const LONGEST_MS: i64 = 180 * 86_400_000;
