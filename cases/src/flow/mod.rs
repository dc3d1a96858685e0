//! Queries and moves of cases and alerts, for the API. Who may do what is `ledger`'s table of roles; which move a state allows
//! is the model's. A move is one transaction: role, state, version, reason and office are checked, then a history line and
//! the new state are written together. `now` is the caller's clock.

mod alerts;
mod silences;

pub use alerts::{AT_ONCE_MAX, AlertHistoryRow};
pub(crate) use silences::lasting;
pub use silences::{NewSilence, SILENCES_MAX, Silence, SilenceMatch};

use crate::dto::{AlertQuery, AlertRow, AlertState, CaseDetail, CaseQuery, CaseRow, HistoryRow, Page};
use crate::rows::{case, evidence, history, parse, tell_case, word};
use database::{Connection, Database, DbError};
use ledger::Role;
use model::case::{CaseMove, CaseState, IllegalMove};
use model::id::{CaseId, OfficeId, UserId};
use model::time::IngestTime;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

/// Most rows of one page.
pub const PAGE_MAX: u32 = 500;

/// Who moves: the account and its roles' names (`acceptor`, `shift_leader`, …), see [`ledger::Role`].
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
    /// The same request by the same person a second time changes nothing and answers as the first; another one is refused.
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
    #[error("this idempotency key was used for another move or by another person; a new move needs a key of its own")]
    KeyReused,
    #[error("the move needs a reason")]
    ReasonMissing,
    #[error("the move needs an office")]
    OfficeMissing,
    #[error("a text is longer than {0} characters")]
    TooLong(usize),
    #[error("at most {0} at once")]
    TooMany(usize),
    /// The field and what to write instead.
    #[error("{1}")]
    Field(&'static str, String),
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<sqlx::Error> for FlowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(DbError::Sql(error))
    }
}

impl database::SqlError for FlowError {
    fn sql(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Database(error) => error.sql(),
            _ => None,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Cases {
    db: Database,
}

impl Cases {
    pub const fn new(db: Database) -> Self {
        Self { db }
    }

    /// Newest first.
    pub async fn list(&self, query: &CaseQuery) -> Result<Page<CaseRow>, FlowError> {
        let mut tx = self.db.snapshot().await?;
        let total: i64 = bind_case(sqlx::query(CASE_COUNT), query).fetch_one(&mut *tx).await?.try_get(0)?;
        let rows = bind_case(sqlx::query(CASE_PAGE), query)
            .bind(i64::from(query.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX)))
            .bind(i64::from(query.offset.unwrap_or(0)))
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(Page { rows: rows.iter().map(case).collect::<Result<_, _>>()?, total })
    }

    /// How many cases are in each state.
    pub async fn counts(&self, query: &CaseQuery) -> Result<Vec<(CaseState, i64)>, FlowError> {
        let rows = bind_case(sqlx::query(CASE_STATES), query).fetch_all(&mut *self.db.read().await?).await?;
        let counts = rows.iter().map(|row| Ok((parse(row.try_get("state")?)?, row.try_get("cases")?)));
        Ok(counts.collect::<Result<_, sqlx::Error>>()?)
    }

    pub async fn get(&self, id: CaseId) -> Result<CaseDetail, FlowError> {
        let mut tx = self.db.snapshot().await?;
        let detail = detail(&mut tx, id).await?;
        tx.rollback().await?;
        Ok(detail)
    }

    /// Makes a move.
    ///
    /// # Errors
    /// Everything of [`FlowError`]; nothing is changed then.
    pub async fn apply(
        &self,
        id: CaseId,
        actor: &Actor,
        request: &MoveRequest,
        now: IngestTime,
    ) -> Result<CaseDetail, FlowError> {
        check_texts(request)?;
        database::transaction!(self.db, |tx| -> Result<CaseDetail, FlowError> {
            let row = sqlx::query("SELECT * FROM case_file WHERE id = $1").bind(id.0).fetch_optional(&mut *tx).await?;
            let current = case(&row.ok_or(FlowError::NotFound)?)?;
            if was_made(tx, id, actor, request).await? {
                return detail(tx, id).await;
            }
            may(actor, request.wanted, &current)?;
            if current.version != request.version {
                return Err(FlowError::Stale { current: current.version });
            }
            let to = current.state.after(request.wanted)?;
            let office = if request.wanted == CaseMove::Dispatch { request.office } else { current.office };
            write_move(tx, actor, request, (&current, to, office), now).await?;
            detail(tx, id).await
        })
    }

    pub async fn comment(
        &self,
        id: CaseId,
        actor: &Actor,
        note: &str,
        now: IngestTime,
    ) -> Result<HistoryRow, FlowError> {
        fits(note)?;
        database::transaction!(self.db, |tx| -> Result<HistoryRow, FlowError> {
            let known = sqlx::query("UPDATE case_file SET changed = $2 WHERE id = $1").bind(id.0).bind(now.0);
            if known.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(FlowError::NotFound);
            }
            let mut line = person_line(actor, now, "comment");
            line.note = note.to_owned();
            line.number = tell_case(tx, id, &line).await?;
            Ok(line)
        })
    }

    /// The pinned raw bytes of a piece of evidence.
    pub async fn evidence_bytes(&self, case: CaseId, partition: u16, seq: i64) -> Result<Vec<u8>, FlowError> {
        sqlx::query_scalar(
            "SELECT raw FROM evidence WHERE case_id = $1 AND partition_number = $2 AND seq = $3 AND sha256 <> ''",
        )
        .bind(case.0)
        .bind(i64::from(partition))
        .bind(seq)
        .fetch_optional(&mut *self.db.read().await?)
        .await?
        .ok_or(FlowError::NotFound)
    }

    /// Cases that were not opened because a rule's daily cap was reached, since local day `from_day`: (rule, day, count).
    pub async fn capped(&self, from_day: i64) -> Result<Vec<(String, i64, i64)>, FlowError> {
        let rows =
            sqlx::query("SELECT rule, day, capped FROM rule_day WHERE capped > 0 AND day >= $1 ORDER BY day, rule")
                .bind(from_day)
                .fetch_all(&mut *self.db.read().await?)
                .await?;
        let rows = rows.iter().map(|row| Ok((row.try_get("rule")?, row.try_get("day")?, row.try_get("capped")?)));
        Ok(rows.collect::<Result<_, sqlx::Error>>()?)
    }
}

fn check_texts(request: &MoveRequest) -> Result<(), FlowError> {
    fits(&request.reason)?;
    fits(&request.note)?;
    fits(request.idempotency_key.as_deref().unwrap_or_default())?;
    if request.wanted.needs_reason() && request.reason.trim().is_empty() {
        return Err(FlowError::ReasonMissing);
    }
    if request.wanted == CaseMove::Dispatch && request.office.is_none() {
        return Err(FlowError::OfficeMissing);
    }
    Ok(())
}

fn fits(text: &str) -> Result<(), FlowError> {
    if text.chars().count() > TEXT_MAX { Err(FlowError::TooLong(TEXT_MAX)) } else { Ok(()) }
}

/// A squadron moves only what was dispatched to its own office.
fn may(actor: &Actor, wanted: CaseMove, case: &CaseRow) -> Result<(), FlowError> {
    let own = actor.office.is_some() && actor.office == case.office;
    let roles = actor.roles.iter().filter_map(|code| Role::from_code(code));
    let mut able = roles.filter(|role| role.may_move(wanted) && (*role != Role::Squadron || own));
    able.next().map(drop).ok_or(FlowError::Forbidden(wanted))
}

/// Whether this very move was made under its key. The key of another move, or of another person's, is no key for this one.
async fn was_made(tx: &mut Connection, id: CaseId, actor: &Actor, request: &MoveRequest) -> Result<bool, FlowError> {
    let Some(key) = &request.idempotency_key else { return Ok(false) };
    let made = sqlx::query(
        "SELECT h.* FROM case_move_key k JOIN case_history h ON h.case_id = k.case_id AND h.number = k.number \
         WHERE k.case_id = $1 AND k.idempotency_key = $2",
    )
    .bind(id.0)
    .bind(key.as_str())
    .fetch_optional(tx)
    .await?;
    let Some(made) = made else { return Ok(false) };
    let made = history(&made)?;
    let same = made.user == Some(actor.user)
        && made.wanted == Some(request.wanted)
        && (made.reason.as_str(), made.note.as_str()) == (request.reason.as_str(), request.note.as_str())
        && (request.wanted != CaseMove::Dispatch || made.office == request.office);
    if same { Ok(true) } else { Err(FlowError::KeyReused) }
}

async fn write_move(
    tx: &mut Connection,
    actor: &Actor,
    request: &MoveRequest,
    (current, to, office): (&CaseRow, CaseState, Option<OfficeId>),
    now: IngestTime,
) -> Result<(), FlowError> {
    let id = current.id;
    sqlx::query(
        "UPDATE case_file SET state = $2, version = version + 1, office = $3, changed = $4, closed = $5 WHERE id = $1",
    )
    .bind(id.0)
    .bind(word(to))
    .bind(office.map(|office| office.0))
    .bind(now.0)
    .bind((!to.is_open()).then_some(now.0))
    .execute(&mut *tx)
    .await?;
    let mut line = person_line(actor, now, "moved");
    (line.wanted, line.from, line.to, line.office) = (Some(request.wanted), Some(current.state), Some(to), office);
    (line.reason, line.note) = (request.reason.clone(), request.note.clone());
    let number = tell_case(tx, id, &line).await?;
    if let Some(key) = &request.idempotency_key {
        sqlx::query("INSERT INTO case_move_key(case_id, idempotency_key, number) VALUES ($1, $2, $3)")
            .bind(id.0)
            .bind(key.as_str())
            .bind(number)
            .execute(tx)
            .await?;
    }
    Ok(())
}

async fn detail(tx: &mut Connection, id: CaseId) -> Result<CaseDetail, FlowError> {
    let row = sqlx::query("SELECT * FROM case_file WHERE id = $1").bind(id.0).fetch_optional(&mut *tx).await?;
    let found = case(&row.ok_or(FlowError::NotFound)?)?;
    let lines = sqlx::query("SELECT * FROM case_history WHERE case_id = $1 ORDER BY number LIMIT 1000");
    let lines = lines.bind(id.0).fetch_all(&mut *tx).await?;
    let pinned = sqlx::query("SELECT * FROM evidence WHERE case_id = $1 ORDER BY partition_number, seq LIMIT 1000");
    let pinned = pinned.bind(id.0).fetch_all(&mut *tx).await?;
    let told = sqlx::query("SELECT * FROM alert WHERE case_id = $1 ORDER BY id LIMIT 500");
    let told = told.bind(id.0).fetch_all(&mut *tx).await?;
    Ok(CaseDetail {
        moves: found.state.moves(),
        case: found,
        history: lines.iter().map(history).collect::<Result<_, _>>()?,
        evidence: pinned.iter().map(evidence).collect::<Result<_, _>>()?,
        alerts: told.iter().map(crate::rows::alert).collect::<Result<_, _>>()?,
    })
}

fn person_line(actor: &Actor, now: IngestTime, what: &str) -> HistoryRow {
    HistoryRow {
        number: 0,
        at: now,
        user: Some(actor.user),
        user_name: actor.name.clone(),
        what: what.to_owned(),
        wanted: None,
        from: None,
        to: None,
        office: None,
        reason: String::new(),
        note: String::new(),
        episode: None,
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// Binds $1 to $7 of the case filters.
fn bind_case<'q>(statement: Query<'q>, query: &CaseQuery) -> Query<'q> {
    let like = query.text.as_deref().unwrap_or_default().replace(['%', '_', '\\'], "");
    statement
        .bind(listed(query.states.iter().map(|state| word(*state))))
        .bind(query.open.map_or(-1, i64::from))
        .bind(query.rule.clone().unwrap_or_default())
        .bind(query.subject.map_or(0, |id| id.0))
        .bind(query.office.map_or(0, |id| id.0))
        .bind(query.grid.map_or(0, |id| id.0))
        .bind(if like.is_empty() { String::new() } else { format!("%{like}%") })
}

/// `,a,b,` for a comparison with LIKE; empty: no filter.
fn listed(words: impl Iterator<Item = String>) -> String {
    let joined = words.collect::<Vec<_>>().join(",");
    if joined.is_empty() { joined } else { format!(",{joined},") }
}

macro_rules! case_where {
    () => {
        " FROM case_file WHERE ($1 = '' OR $1 LIKE '%,' || state || ',%') \
         AND ($2 < 0 OR $2 = CASE WHEN state IN ('closed', 'rejected', 'voided') THEN 0 ELSE 1 END) \
         AND ($3 = '' OR rule = $3) AND ($4 = 0 OR subject = $4) AND ($5 = 0 OR office = $5) AND ($6 = 0 OR grid = $6) \
         AND ($7 = '' OR number LIKE $7 OR subject_name LIKE $7)"
    };
}
const CASE_COUNT: &str = concat!("SELECT COUNT(*)", case_where!());
const CASE_PAGE: &str = concat!("SELECT *", case_where!(), " ORDER BY id DESC LIMIT $8 OFFSET $9");
const CASE_STATES: &str = concat!("SELECT state, COUNT(*) AS cases", case_where!(), " GROUP BY state ORDER BY state");
/// Longest reason, note or key.
const TEXT_MAX: usize = 2_000;

#[cfg(test)]
mod tests;
