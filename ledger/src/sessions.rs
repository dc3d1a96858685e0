//! Sessions of people: an opaque token of 130 random bits in a cookie, stored as keyed hash, with an end, revocable.

use crate::error::LedgerError;
use crate::keys::random_token;
use crate::metrics::SESSIONS_CUT;
use crate::people::{COLUMNS, People, Person, read_person};
use database::Connection;
use model::id::UserId;
use model::time::IngestTime;
use serde::Serialize;
use sqlx::Row as _;

/// A session ends this long after its last use …
const IDLE_MS: i64 = 12 * 3_600_000;
/// … and this long after log-in in any case.
const AGE_MS_MAX: i64 = 7 * 86_400_000;
/// The last use is written at most this often.
const SEEN_MS: i64 = 60_000;
/// Sessions a person may have; the oldest goes.
const PER_PERSON: i64 = 20;
const PURPOSE: &str = "session";

/// A valid session and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub id: i64,
    pub person: Person,
}

/// A row of the list of a person's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    pub id: i64,
    pub created: IngestTime,
    pub seen: IngestTime,
    pub expires: IngestTime,
    /// Address it began from.
    pub origin: String,
}

impl People {
    /// Whose session the token is of; `None` when it is unknown, over, revoked, or the account was switched off.
    pub async fn session(&self, token: &str) -> Result<Option<Session>, LedgerError> {
        if token.len() > 64 {
            return Ok(None);
        }
        let now = self.now().as_ms();
        let hash = self.keys().hash(PURPOSE, 0, token.as_bytes()).to_vec();
        let query = format!(
            "SELECT {COLUMNS}, session.id, session.seen FROM session JOIN person ON person.id = session.person \
             WHERE session.token = $1 AND session.expires > $2 AND session.seen > $3 AND person.active = 1"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(hash).bind(now).bind(now.saturating_sub(IDLE_MS));
        let row = query.fetch_optional(&mut *self.db().read().await?).await?;
        let Some(row) = row else { return Ok(None) };
        let person = read_person(&row)?;
        let (id, seen): (i64, i64) = (row.try_get(8)?, row.try_get(9)?);
        if now.saturating_sub(seen) > SEEN_MS {
            database::transaction!(self.db(), |tx| -> Result<(), LedgerError> {
                let update = sqlx::query("UPDATE session SET seen = $1 WHERE id = $2").bind(now).bind(id);
                update.execute(tx).await?;
                Ok(())
            })?;
        }
        Ok(Some(Session { id, person }))
    }

    /// Ends the token's session.
    pub async fn logout(&self, token: &str) -> Result<(), LedgerError> {
        let hash = self.keys().hash(PURPOSE, 0, token.as_bytes()).to_vec();
        database::transaction!(self.db(), |tx| -> Result<(), LedgerError> {
            sqlx::query("DELETE FROM session WHERE token = $1").bind(hash.clone()).execute(tx).await?;
            Ok(())
        })
    }

    pub async fn sessions(&self, person: UserId) -> Result<Vec<SessionInfo>, LedgerError> {
        let rows = sqlx::query(
            "SELECT id, created, seen, expires, origin FROM session WHERE person = $1 AND expires > $2 ORDER BY id DESC",
        )
        .bind(person.0)
        .bind(self.now().as_ms())
        .fetch_all(&mut *self.db().read().await?)
        .await?;
        let info = |row: &database::Row| -> Result<SessionInfo, sqlx::Error> {
            Ok(SessionInfo {
                id: row.try_get(0)?,
                created: IngestTime(row.try_get(1)?),
                seen: IngestTime(row.try_get(2)?),
                expires: IngestTime(row.try_get(3)?),
                origin: row.try_get(4)?,
            })
        };
        Ok(rows.iter().map(info).collect::<Result<_, _>>()?)
    }

    /// Ends one session of a person.
    pub async fn revoke_session(&self, person: UserId, session: i64) -> Result<(), LedgerError> {
        database::transaction!(self.db(), |tx| -> Result<(), LedgerError> {
            let delete = sqlx::query("DELETE FROM session WHERE id = $1 AND person = $2").bind(session).bind(person.0);
            delete.execute(tx).await?;
            Ok(())
        })
    }

    /// Begins a session inside a transaction; returns its token.
    pub(crate) async fn begin_session(
        &self,
        tx: &mut Connection,
        person: UserId,
        origin: &str,
    ) -> Result<String, LedgerError> {
        let token = random_token()?;
        let now = self.now().as_ms();
        sqlx::query(
            "INSERT INTO session(token, person, created, seen, expires, origin) VALUES ($1, $2, $3, $3, $4, $5)",
        )
        .bind(self.keys().hash(PURPOSE, 0, token.as_bytes()).to_vec())
        .bind(person.0)
        .bind(now)
        .bind(now.saturating_add(AGE_MS_MAX))
        .bind(origin.to_owned())
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM session WHERE expires <= $1 OR seen <= $2")
            .bind(now)
            .bind(now.saturating_sub(IDLE_MS))
            .execute(&mut *tx)
            .await?;
        let cut = sqlx::query(
            "DELETE FROM session WHERE person = $1 AND id NOT IN \
             (SELECT id FROM session WHERE person = $1 ORDER BY id DESC LIMIT $2)",
        );
        let cut = cut.bind(person.0).bind(PER_PERSON).execute(tx).await?;
        metrics::counter!(SESSIONS_CUT).increment(cut.rows_affected());
        Ok(token)
    }
}

/// Ends all sessions of a person.
pub(crate) async fn end_all(tx: &mut Connection, person: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM session WHERE person = $1").bind(person.0).execute(tx).await.map(drop)
}
