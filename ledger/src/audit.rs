//! The audit table: who changed what, when, from where, with the state before and after. Append-only, read by pages.

use crate::error::LedgerError;
use crate::store::Author;
use database::{Connection, Database};
use model::time::{Clock, IngestTime};
use serde::Serialize;
use sqlx::Row as _;
use std::sync::Arc;

/// Rows a page has at most.
pub(crate) const PAGE_MAX: u32 = 200;
/// Characters of a `before` or `after` that are kept.
const TEXT_MAX: usize = 65_536;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    pub id: i64,
    pub at: IngestTime,
    pub who: String,
    /// Peer address, `apply`, `start`.
    pub origin: String,
    /// `edit`, `login`, `credential_issued` …
    pub what: String,
    /// `device`, `person` …
    pub kind: String,
    pub key: String,
    /// JSON.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What to show, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Entries older than this id: the last one of the page before.
    pub before_id: Option<i64>,
    pub who: Option<String>,
    pub kind: Option<String>,
    pub key: Option<String>,
    /// 1–200; 0 = 50.
    pub limit: u32,
}

/// A change to be told. Never with a secret in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) what: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) key: &'a str,
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

/// The audit of every change.
#[derive(Debug, Clone)]
pub struct Audit {
    db: Database,
    clock: Arc<dyn Clock>,
}

impl Audit {
    pub(crate) fn new(db: Database, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    /// Records a change that another crate made (a case move, a configuration change).
    pub async fn record(
        &self,
        author: &Author,
        what: &str,
        kind: &str,
        key: &str,
        change: (Option<&str>, Option<&str>),
    ) -> Result<(), LedgerError> {
        let at = self.clock.now();
        let change = Change { what, kind, key, before: change.0, after: change.1 };
        database::transaction!(self.db, |tx| -> Result<(), LedgerError> {
            write(tx, at, author, change).await?;
            Ok(())
        })
    }

    pub async fn page(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, LedgerError> {
        let limit = if filter.limit == 0 { 50 } else { filter.limit.min(PAGE_MAX) };
        let rows = sqlx::query(
            "SELECT id, at, who, origin, what, kind, object_key, old, new FROM audit \
             WHERE id < $1 AND ($2 = '' OR who = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR object_key = $4) \
             ORDER BY id DESC LIMIT $5",
        )
        .bind(filter.before_id.unwrap_or(i64::MAX))
        .bind(filter.who.clone().unwrap_or_default())
        .bind(filter.kind.clone().unwrap_or_default())
        .bind(filter.key.clone().unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&mut *self.db.read().await?)
        .await?;
        let entry = |row: &database::Row| -> Result<AuditEntry, sqlx::Error> {
            Ok(AuditEntry {
                id: row.try_get(0)?,
                at: IngestTime(row.try_get(1)?),
                who: row.try_get(2)?,
                origin: row.try_get(3)?,
                what: row.try_get(4)?,
                kind: row.try_get(5)?,
                key: row.try_get(6)?,
                before: row.try_get(7)?,
                after: row.try_get(8)?,
            })
        };
        Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
    }
}

pub(crate) async fn write(
    tx: &mut Connection,
    at: IngestTime,
    author: &Author,
    change: Change<'_>,
) -> Result<(), sqlx::Error> {
    let cut = |text: Option<&str>| text.map(|text| text.chars().take(TEXT_MAX).collect::<String>());
    sqlx::query(
        "INSERT INTO audit(at, who, origin, what, kind, object_key, old, new) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(at.as_ms())
    .bind(author.name.clone())
    .bind(author.origin.clone())
    .bind(change.what.to_owned())
    .bind(change.kind.to_owned())
    .bind(change.key.to_owned())
    .bind(cut(change.before))
    .bind(cut(change.after))
    .execute(tx)
    .await
    .map(drop)
}
