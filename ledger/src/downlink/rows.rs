//! Commands as rows. Nothing here decides.

use crate::error::LedgerError;
use crate::keys::Keys;
use database::{Connection, Row};
use model::downlink::{Command, State, Step};
use model::id::{CommandId, DeviceId};
use model::time::IngestTime;
use serde::Serialize;
use sqlx::Row as _;

/// Lines of a story that are kept: the first ones and the last.
const STORY_MAX: usize = 40;
const STORY_HEAD: usize = 8;

/// A command and its story, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandRow {
    pub id: CommandId,
    pub device: DeviceId,
    pub state: State,
    pub command: Command,
    pub author: String,
    pub origin: String,
    pub created: IngestTime,
    pub deadline: IngestTime,
    pub changed: IngestTime,
    /// QN or serial it was sent under.
    pub number: Option<String>,
    pub interruptions: u32,
    pub story: Vec<Step>,
    /// What the device answered, JSON.
    pub result: Option<String>,
}

impl CommandRow {
    pub(super) fn step(&mut self, at: IngestTime, state: State, why: &str, text: String) {
        if self.story.len() >= STORY_MAX {
            self.story.remove(STORY_HEAD);
        }
        self.story.push(Step { at, state, why: why.to_owned(), text });
        (self.state, self.changed) = (state, at);
    }
}

const COLUMNS: &str = "id, device, state, command, author, origin, created, deadline, changed, number, interruptions, \
                       story, result, sealed";

pub(super) async fn open_counts(tx: &mut Connection, device: DeviceId) -> Result<(i64, i64), LedgerError> {
    let own = sqlx::query_scalar("SELECT count(*) FROM command WHERE open = 1 AND device = $1").bind(device.0);
    let own: i64 = own.fetch_one(&mut *tx).await?;
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM command WHERE open = 1").fetch_one(tx).await?;
    Ok((own, all))
}

pub(super) async fn insert(tx: &mut Connection, row: &CommandRow, sealed: Option<Vec<u8>>) -> Result<i64, LedgerError> {
    let id = sqlx::query_scalar(
        "INSERT INTO command(device, state, open, kind, command, sealed, author, origin, created, deadline, changed, \
         number, interruptions, story, result) \
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $8, NULL, 0, $10, NULL) RETURNING id",
    )
    .bind(row.device.0)
    .bind(row.state.code())
    .bind(row.command.kind())
    .bind(json(&row.command)?)
    .bind(sealed)
    .bind(row.author.clone())
    .bind(row.origin.clone())
    .bind(row.created.as_ms())
    .bind(row.deadline.as_ms())
    .bind(json(&row.story)?)
    .fetch_one(tx)
    .await?;
    Ok(id)
}

/// False: it has ended already and stays as it was.
pub(super) async fn update(tx: &mut Connection, row: &CommandRow) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "UPDATE command SET state = $1, open = $2, changed = $3, number = $4, interruptions = $5, story = $6, \
         result = $7 WHERE id = $8 AND open = 1",
    )
    .bind(row.state.code())
    .bind(i64::from(row.state.is_open()))
    .bind(row.changed.as_ms())
    .bind(row.number.clone())
    .bind(i64::from(row.interruptions))
    .bind(json(&row.story)?)
    .bind(row.result.clone())
    .bind(row.id.0)
    .execute(tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The device took a password whose command had ended as unknown, or not at all: the command is done, and its secret is forgotten.
pub(super) async fn password_kept(tx: &mut Connection, row: &CommandRow) -> Result<(), LedgerError> {
    sqlx::query("UPDATE command SET state = $1, open = 0, changed = $2, story = $3, sealed = NULL WHERE id = $4")
        .bind(row.state.code())
        .bind(row.changed.as_ms())
        .bind(json(&row.story)?)
        .bind(row.id.0)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn list(
    connection: &mut Connection,
    device: DeviceId,
    before: Option<CommandId>,
    limit: u32,
) -> Result<Vec<CommandRow>, LedgerError> {
    let text = format!("SELECT {COLUMNS} FROM command WHERE device = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(device.0)
        .bind(before.map_or(i64::MAX, |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn one(connection: &mut Connection, id: CommandId) -> Result<Option<CommandRow>, LedgerError> {
    let text = format!("SELECT {COLUMNS} FROM command WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Open ones above `after`, oldest first, with their secrets.
pub(super) async fn open_after(
    connection: &mut Connection,
    keys: &Keys,
    after: i64,
) -> Result<Vec<(CommandRow, Option<String>)>, LedgerError> {
    let text =
        format!("SELECT {COLUMNS} FROM command WHERE open = 1 AND id > $1 ORDER BY id LIMIT {}", super::OPEN_MAX);
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(after).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((read(row)?, secret(row, keys)?))).collect()
}

/// The newest password that each device was told and that it may have taken without our knowing.
pub(super) async fn doubtful_passwords(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Vec<(CommandRow, String)>, LedgerError> {
    let text = format!(
        "SELECT {COLUMNS} FROM command WHERE id IN \
         (SELECT max(id) FROM command WHERE kind = 'hj212_set_password' GROUP BY device) AND sealed IS NOT NULL"
    );
    let mut found = Vec::new();
    for row in &sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(connection).await? {
        if let Some(password) = secret(row, keys)? {
            found.push((read(row)?, password));
        }
    }
    Ok(found)
}

pub(super) async fn forget(tx: &mut Connection, before: IngestTime) -> Result<u64, LedgerError> {
    let done = sqlx::query("DELETE FROM command WHERE open = 0 AND created < $1").bind(before.as_ms());
    Ok(done.execute(tx).await?.rows_affected())
}

pub(super) async fn mark(
    connection: &mut Connection,
    device: DeviceId,
    what: &str,
) -> Result<Option<String>, LedgerError> {
    let value = sqlx::query_scalar("SELECT value FROM downlink_mark WHERE device = $1 AND what = $2")
        .bind(device.0)
        .bind(what.to_owned());
    Ok(value.fetch_optional(connection).await?)
}

pub(super) async fn marked(connection: &mut Connection, what: &str) -> Result<Vec<DeviceId>, LedgerError> {
    let ids = sqlx::query_scalar("SELECT device FROM downlink_mark WHERE what = $1 AND value <> '' ORDER BY device");
    let ids: Vec<i64> = ids.bind(what.to_owned()).fetch_all(connection).await?;
    Ok(ids.into_iter().map(DeviceId).collect())
}

pub(super) async fn open_of_origin(connection: &mut Connection, origin: &str) -> Result<i64, LedgerError> {
    let count = sqlx::query_scalar("SELECT count(*) FROM command WHERE open = 1 AND origin = $1");
    Ok(count.bind(origin.to_owned()).fetch_one(connection).await?)
}

pub(super) async fn set_mark(
    tx: &mut Connection,
    device: DeviceId,
    what: &str,
    value: &str,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO downlink_mark(device, what, value) VALUES ($1, $2, $3) \
         ON CONFLICT(device, what) DO UPDATE SET value = excluded.value",
    )
    .bind(device.0)
    .bind(what.to_owned())
    .bind(value.to_owned())
    .execute(tx)
    .await?;
    Ok(())
}

fn secret(row: &Row, keys: &Keys) -> Result<Option<String>, LedgerError> {
    let sealed: Option<Vec<u8>> = row.try_get(13)?;
    let device: i64 = row.try_get(1)?;
    Ok(sealed.and_then(|sealed| keys.open_sealed(device, &sealed)).and_then(|bytes| String::from_utf8(bytes).ok()))
}

fn read(row: &Row) -> Result<CommandRow, LedgerError> {
    let id: i64 = row.try_get(0)?;
    let corrupt = |error: &dyn std::fmt::Display| LedgerError::Corrupt("command", format!("{id}: {error}"));
    let (state, command, story): (String, String, String) = (row.try_get(2)?, row.try_get(3)?, row.try_get(11)?);
    Ok(CommandRow {
        id: CommandId(id),
        device: DeviceId(row.try_get(1)?),
        state: State::from_code(&state).ok_or_else(|| corrupt(&state))?,
        command: serde_json::from_str(&command).map_err(|error| corrupt(&error))?,
        author: row.try_get(4)?,
        origin: row.try_get(5)?,
        created: IngestTime(row.try_get(6)?),
        deadline: IngestTime(row.try_get(7)?),
        changed: IngestTime(row.try_get(8)?),
        number: row.try_get(9)?,
        interruptions: u32::try_from(row.try_get::<i64, _>(10)?).unwrap_or(u32::MAX),
        story: serde_json::from_str(&story).map_err(|error| corrupt(&error))?,
        result: row.try_get(12)?,
    })
}

fn json<T: Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| LedgerError::Corrupt("command", error.to_string()))
}
