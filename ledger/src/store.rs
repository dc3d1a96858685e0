//! The ledger itself: what is in memory, how an edit becomes revisions, the outbox to the journal.
//!
//! In memory stands the fold of all revisions. An edit takes the edit lock, reads in one transaction the revisions that
//! another process may have added, checks the whole batch against the result, writes revisions and audit rows, and puts
//! the new fold in place after the commit.

use crate::audit::{self, Audit, Change};
use crate::check;
use crate::claims::{self, Attempts, Taking};
use crate::credentials::{self, Credentials, Issued};
use crate::directory::Directory;
use crate::downlink::Desk;
use crate::error::{LedgerError, Problem};
use crate::issue::Wanted;
use crate::keys::Keys;
use crate::metrics::{EDITS, EDITS_REFUSED};
use crate::object::{self, ObjectKey};
use crate::people::People;
use database::{Component, Connection, Database};
use model::envelope::Position;
use model::facts::Facts;
use model::register::{Object, Revision};
use model::time::{Clock, IngestTime};
use sqlx::Row as _;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, watch};

const TABLES: Component = Component {
    name: "ledger",
    migrations: &[
        include_str!("schema.sql"),
        include_str!("schema_2.sql"),
        include_str!("schema_3.sql"),
        include_str!("schema_4.sql"),
        include_str!("schema_6.sql"),
    ],
};
/// Objects one edit may have.
pub(crate) const BATCH_MAX: usize = 50_000;

/// Who makes a change, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Log-in name.
    pub name: String,
    /// Peer address, or the command: `apply`.
    pub origin: String,
}

impl Author {
    pub fn new(name: impl Into<String>, origin: impl Into<String>) -> Self {
        Self { name: name.into(), origin: origin.into() }
    }
}

/// The registers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Database,
    keys: Keys,
    clock: Arc<dyn Clock>,
    state: RwLock<Arc<State>>,
    editing: Mutex<()>,
    directory: Arc<Directory>,
    changes: watch::Sender<u64>,
    people: People,
    audit: Audit,
    attempts: Attempts,
    desk: Arc<Desk>,
}

/// The fold of all revisions.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) facts: Arc<Facts>,
    /// The last revision of each object, and its author.
    last: BTreeMap<ObjectKey, (u64, Arc<str>)>,
}

impl State {
    fn apply(&mut self, revision: &Revision) {
        Arc::make_mut(&mut self.facts).apply(revision);
        self.last.insert(ObjectKey::of(&revision.object), (revision.number, revision.author.as_str().into()));
    }
}

/// New secrets with their versions.
type Secrets = Vec<(model::register::Device, String, u32)>;

impl Ledger {
    /// Brings the tables up to date and loads the registers.
    pub async fn open(db: Database, keys: Keys, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        db.migrate(&TABLES).await?;
        let mut state = State::default();
        let mut reader = db.snapshot().await?;
        load_after(&mut reader, &mut state).await?;
        let secrets = credentials::load(&mut reader, &keys).await?;
        drop(reader);
        let directory = Arc::new(Directory::new(keys.clone(), &state.facts, secrets));
        let audit = Audit::new(db.clone(), Arc::clone(&clock));
        let desk = Arc::new(Desk::new(Arc::clone(&clock)));
        let people = People::open(db.clone(), keys.clone(), Arc::clone(&clock)).await?;
        let (changes, _) = watch::channel(state.facts.revision);
        let state = RwLock::new(Arc::new(state));
        Ok(Self(Arc::new(Inner {
            db,
            keys,
            clock,
            state,
            editing: Mutex::new(()),
            directory,
            changes,
            people,
            audit,
            attempts: Attempts::default(),
            desk,
        })))
    }

    pub fn facts_now(&self) -> Arc<Facts> {
        Arc::clone(&self.state().facts)
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.0.directory)
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::new(self.clone())
    }

    pub fn people(&self) -> &People {
        &self.0.people
    }

    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    /// The queue of commands as the sessions see it.
    pub fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.0.desk)
    }

    pub(crate) fn db(&self) -> &Database {
        &self.0.db
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn now(&self) -> IngestTime {
        self.0.clock.now()
    }

    /// The number of the newest revision; changes with every edit. For the outbox and for pages.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Writes all objects or none. An object with id 0 is new; one with a negative id is new and other objects of the
    /// batch may refer to it by that id. Objects that say what the registers say already are left out.
    ///
    /// # Errors
    /// [`LedgerError::Invalid`] with every problem; its `place` begins with the object's index: `[3].corridor[0]`.
    pub async fn edit(&self, author: &Author, objects: Vec<Object>) -> Result<Vec<Revision>, LedgerError> {
        Ok(self.edit_inner(author, None, objects, (&[], None)).await?.0)
    }

    /// Like [`Self::edit`], for an editor who read the registers at revision `seen`.
    ///
    /// # Errors
    /// [`LedgerError::Stale`] when one of the objects was changed later.
    pub async fn edit_seen(
        &self,
        author: &Author,
        seen: u64,
        objects: Vec<Object>,
    ) -> Result<Vec<Revision>, LedgerError> {
        Ok(self.edit_inner(author, Some(seen), objects, (&[], None)).await?.0)
    }

    pub(crate) async fn edit_issuing(
        &self,
        author: &Author,
        seen: Option<u64>,
        objects: Vec<Object>,
        wanted: &[Wanted],
    ) -> Result<(Vec<Revision>, Vec<Issued>), LedgerError> {
        self.edit_inner(author, seen, objects, (wanted, None)).await
    }

    /// An edit that is a use of a claim code.
    pub(crate) async fn edit_taking(
        &self,
        author: &Author,
        objects: Vec<Object>,
        wanted: &[Wanted],
        taking: Option<Taking<'_>>,
    ) -> Result<(Vec<Revision>, Vec<Issued>), LedgerError> {
        self.edit_inner(author, None, objects, (wanted, taking)).await
    }

    async fn edit_inner(
        &self,
        author: &Author,
        seen: Option<u64>,
        objects: Vec<Object>,
        (wanted, taking): (&[Wanted], Option<Taking<'_>>),
    ) -> Result<(Vec<Revision>, Vec<Issued>), LedgerError> {
        if objects.len() > BATCH_MAX {
            return Err(LedgerError::one("", format!("{} objects; at most {BATCH_MAX} at once", objects.len())));
        }
        let editing = self.0.editing.lock().await;
        let at = self.now();
        let before = self.state();
        let written = database::transaction!(self.0.db, |tx| -> Result<(State, Vec<Revision>, Secrets), LedgerError> {
            let mut state = State::clone(&before);
            load_after(tx, &mut state).await?;
            let revisions = next_revisions(&mut state, author, at, seen, objects.clone())?;
            for revision in &revisions {
                write_revision(tx, revision).await?;
                let key = ObjectKey::of(&revision.object);
                let (old, new) = (before_text(&key, &before.facts)?, to_text(&revision.object)?);
                let change =
                    Change { what: "edit", kind: key.kind, key: &key.key, before: old.as_deref(), after: Some(&new) };
                audit::write(tx, at, author, change).await?;
            }
            let secrets = self.issue_within(tx, (at, author), &state.facts, wanted).await?;
            if let (Some(taking), Some((device, ..))) = (taking, secrets.first()) {
                claims::take(tx, at, taking, device.id).await?;
            }
            Ok((state, revisions, secrets))
        });
        let (state, revisions, secrets) = written.inspect_err(|error| {
            if matches!(error, LedgerError::Invalid(_) | LedgerError::Stale { .. }) {
                metrics::counter!(EDITS_REFUSED).increment(1);
            }
        })?;
        metrics::counter!(EDITS).increment(1);
        self.put(state);
        drop(editing);
        if !wanted.is_empty() {
            self.refresh().await?;
        }
        let issued = secrets.iter().map(|(device, secret, version)| self.issued(device, secret, *version));
        Ok((revisions, issued.collect()))
    }

    /// What an edit of these objects would be told; writes nothing.
    pub fn check(&self, objects: Vec<Object>) -> Vec<Problem> {
        let mut state = State::clone(&self.state());
        match next_revisions(&mut state, &Author::new("", ""), self.now(), None, objects) {
            Err(LedgerError::Invalid(problems)) => problems,
            Ok(_) | Err(_) => Vec::new(),
        }
    }

    fn put(&self, state: State) {
        let number = state.facts.revision;
        self.0.directory.set_facts(&state.facts);
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        self.0.changes.send_replace(number);
    }

    /// Takes over the edits of other processes on the same database. Call it now and then when roles are split.
    pub async fn refresh(&self) -> Result<(), LedgerError> {
        let editing = self.0.editing.lock().await;
        let mut state = State::clone(&self.state());
        let mut reader = self.0.db.snapshot().await?;
        load_after(&mut reader, &mut state).await?;
        let secrets = credentials::load(&mut reader, &self.0.keys).await?;
        drop(reader);
        self.0.directory.set_secrets(secrets, &state.facts);
        self.put(state);
        drop(editing);
        Ok(())
    }

    /// Revisions that are not known to stand in the journal, oldest first.
    pub async fn unpublished(&self, limit: u32) -> Result<Vec<Revision>, LedgerError> {
        let rows =
            sqlx::query("SELECT number, at, author, object FROM revision WHERE seq IS NULL ORDER BY number LIMIT $1")
                .bind(i64::from(limit))
                .fetch_all(&mut *self.0.db.read().await?)
                .await?;
        rows.iter().map(read_revision).collect()
    }

    /// The revision stands in the journal at `position`. Told twice, the earlier position holds.
    pub async fn mark_published(&self, number: u64, position: Position) -> Result<(), LedgerError> {
        self.mark_all_published(&[(number, position)]).await
    }

    /// [`Self::mark_published`] of many, in one transaction.
    pub async fn mark_all_published(&self, places: &[(u64, Position)]) -> Result<(), LedgerError> {
        database::transaction!(self.0.db, |tx| -> Result<(), LedgerError> {
            for (number, position) in places {
                sqlx::query(
                    "UPDATE revision SET partition_no = $1, seq = $2 WHERE number = $3 AND (seq IS NULL OR seq > $2)",
                )
                .bind(i64::from(position.partition))
                .bind(to_i64(position.seq)?)
                .bind(to_i64(*number)?)
                .execute(&mut *tx)
                .await?;
            }
            Ok(())
        })
    }

    /// The fold of the revisions that stand in the journal at or before `position`.
    pub async fn facts_as_of(&self, position: Position) -> Result<Facts, LedgerError> {
        let rows = sqlx::query(
            "SELECT number, at, author, object FROM revision WHERE partition_no = $1 AND seq <= $2 ORDER BY number",
        )
        .bind(i64::from(position.partition))
        .bind(i64::try_from(position.seq).unwrap_or(i64::MAX))
        .fetch_all(&mut *self.0.db.read().await?)
        .await?;
        let mut facts = Facts::default();
        for row in &rows {
            facts.apply(&read_revision(row)?);
        }
        Ok(facts)
    }

    /// An object's revisions, newest first.
    pub async fn history(&self, kind: &str, key: &str, limit: u32) -> Result<Vec<Revision>, LedgerError> {
        let rows = sqlx::query(
            "SELECT number, at, author, object FROM revision WHERE kind = $1 AND object_key = $2 \
             ORDER BY number DESC LIMIT $3",
        )
        .bind(kind.to_owned())
        .bind(key.to_owned())
        .bind(i64::from(limit.min(1_000)))
        .fetch_all(&mut *self.0.db.read().await?)
        .await?;
        rows.iter().map(read_revision).collect()
    }
}

/// The newest revision and audit entry: changes with every edit of a register, a credential or a person, by whatever
/// process. For processes that share a database and look now and then whether to [`Ledger::refresh`].
pub async fn newest(connection: &mut Connection) -> Result<(Option<i64>, Option<i64>), sqlx::Error> {
    let revision = sqlx::query_scalar("SELECT max(number) FROM revision").fetch_one(&mut *connection).await?;
    let audit = sqlx::query_scalar("SELECT max(id) FROM audit").fetch_one(connection).await?;
    Ok((revision, audit))
}

/// Turns a batch into the next revisions and applies them to `state`, or tells every problem.
fn next_revisions(
    state: &mut State,
    author: &Author,
    at: IngestTime,
    seen: Option<u64>,
    mut objects: Vec<Object>,
) -> Result<Vec<Revision>, LedgerError> {
    let mut problems = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        check::known_id(object, &state.facts, index, &mut problems);
    }
    if !problems.is_empty() {
        return Err(LedgerError::Invalid(problems));
    }
    object::give_ids(&mut objects, &state.facts);
    if let Some(seen) = seen {
        let changed = objects.iter().find_map(|object| {
            let key = ObjectKey::of(object);
            state.last.get(&key).filter(|(number, _)| *number > seen).cloned().map(|last| (key, last))
        });
        if let Some((key, (number, author))) = changed {
            return Err(LedgerError::Stale { kind: key.kind, key: key.key, number, author: author.to_string() });
        }
    }
    let before = Arc::clone(&state.facts);
    let mut revisions = Vec::new();
    let mut indices = Vec::new();
    for (index, object) in objects.into_iter().enumerate() {
        if ObjectKey::of(&object).find(&before).as_ref() == Some(&object) {
            continue;
        }
        let number = state.facts.revision + 1;
        let revision = Revision { number, at, author: author.name.clone(), object };
        state.apply(&revision);
        revisions.push(revision);
        indices.push(index);
    }
    let batch: Vec<(usize, &Object)> = indices.into_iter().zip(revisions.iter().map(|r| &r.object)).collect();
    let problems: Vec<Problem> = check::batch(&batch, &before, &state.facts);
    if problems.is_empty() { Ok(revisions) } else { Err(LedgerError::Invalid(problems)) }
}

async fn load_after(connection: &mut Connection, state: &mut State) -> Result<(), LedgerError> {
    let rows = sqlx::query("SELECT number, at, author, object FROM revision WHERE number > $1 ORDER BY number")
        .bind(to_i64(state.facts.revision)?)
        .fetch_all(connection)
        .await?;
    for row in &rows {
        state.apply(&read_revision(row)?);
    }
    Ok(())
}

async fn write_revision(tx: &mut Connection, revision: &Revision) -> Result<(), LedgerError> {
    let key = ObjectKey::of(&revision.object);
    sqlx::query("INSERT INTO revision(number, at, author, kind, object_key, object) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(to_i64(revision.number)?)
        .bind(revision.at.as_ms())
        .bind(revision.author.clone())
        .bind(key.kind)
        .bind(key.key)
        .bind(to_text(&revision.object)?)
        .execute(tx)
        .await?;
    Ok(())
}

pub(crate) fn read_revision(row: &database::Row) -> Result<Revision, LedgerError> {
    let number: i64 = row.try_get(0)?;
    let text: String = row.try_get(3)?;
    let corrupt = |error: &dyn std::fmt::Display| LedgerError::Corrupt("revision", format!("{number}: {error}"));
    Ok(Revision {
        number: u64::try_from(number).map_err(|error| corrupt(&error))?,
        at: IngestTime(row.try_get(1)?),
        author: row.try_get(2)?,
        object: serde_json::from_str(&text).map_err(|error| corrupt(&error))?,
    })
}

fn to_text(object: &Object) -> Result<String, LedgerError> {
    serde_json::to_string(object).map_err(|error| LedgerError::Corrupt("object", error.to_string()))
}

fn before_text(key: &ObjectKey, facts: &Facts) -> Result<Option<String>, LedgerError> {
    key.find(facts).as_ref().map(to_text).transpose()
}

fn to_i64(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_too_big| LedgerError::Refused("the number is too big"))
}

#[cfg(test)]
mod tests;
