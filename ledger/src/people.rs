//! People with accounts: log-in, passwords, lock-out. A first password works once: it must be changed.
//!
//! Guessing: see [`guesses`]. A wait is of an account and an address together, so that nobody can lock out another.

mod guesses;

use crate::audit::{self, Change};
use crate::error::LedgerError;
use crate::keys::{Keys, random_text};
use crate::metrics::{LOCKOUTS, LOGINS_REFUSED};
use crate::password::{Failed, Hasher, LENGTH_MAX, LENGTH_MIN};
use crate::roles::Role;
use crate::sessions;
use crate::store::Author;
use database::{Connection, Database};
use guesses::{Door, Guesses, Who};
use model::id::{OfficeId, UserId};
use model::time::{Clock, IngestTime};
use serde::Serialize;
use sqlx::Row as _;
use std::sync::Arc;

pub(crate) const COLUMNS: &str = "person.id, person.login, person.name, person.role, person.office, person.vendor, \
    person.active, person.must_change";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    pub id: UserId,
    pub login: String,
    pub name: String,
    pub role: Role,
    pub office: Option<OfficeId>,
    /// For the role vendor: whose devices it sees (`Device::vendor`).
    pub vendor: String,
    pub active: bool,
    /// The password was given by another and must be changed before anything else.
    pub must_change: bool,
}

#[derive(Debug, Clone)]
pub struct NewPerson {
    pub login: String,
    pub name: String,
    pub role: Role,
    pub office: Option<OfficeId>,
    pub vendor: String,
}

/// A log-in that succeeded.
#[derive(Clone)]
pub struct Login {
    /// For the cookie; stored nowhere.
    pub token: String,
    pub person: Person,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("person", &self.person).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown name, wrong password or switched-off account: not told apart.
    #[error("name or password is wrong")]
    Wrong,
    #[error("too many wrong passwords; try again at {until}")]
    Locked { until: IngestTime },
    #[error("too many log-ins at this moment; try again")]
    Busy,
    #[error("{0}")]
    Password(String),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<sqlx::Error> for LoginError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<Failed> for LoginError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Busy => Self::Busy,
            Failed::Broken => Self::Ledger(LedgerError::Refused("the password could not be hashed")),
        }
    }
}

/// The people. Cheap to clone.
#[derive(Debug, Clone)]
pub struct People {
    db: Database,
    keys: Keys,
    clock: Arc<dyn Clock>,
    hasher: Hasher,
    guesses: Arc<Guesses>,
}

impl People {
    pub(crate) async fn open(db: Database, keys: Keys, clock: Arc<dyn Clock>) -> Result<Self, LedgerError> {
        let hasher = Hasher::new().await.map_err(|_told| LedgerError::Refused("argon2 does not work"))?;
        Ok(Self { db, keys, clock, hasher, guesses: Arc::default() })
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn now(&self) -> IngestTime {
        self.clock.now()
    }

    /// Makes an account; returns it and its one-time password.
    pub async fn create(&self, author: &Author, new: NewPerson) -> Result<(Person, String), LedgerError> {
        check_login(&new.login)?;
        check_row(&new.name, new.role, &new.vendor)?;
        let password = random_text(16)?;
        let hash = self.hash(&password).await?;
        let at = self.now();
        let person = database::transaction!(self.db, |tx| -> Result<Person, LedgerError> {
            let taken: Option<i64> = sqlx::query_scalar("SELECT id FROM person WHERE login = $1")
                .bind(new.login.clone())
                .fetch_optional(&mut *tx)
                .await?;
            if taken.is_some() {
                return Err(LedgerError::one("login", "this name is taken; choose another"));
            }
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO person(login, name, role, office, vendor, active, hash, must_change, failures, locked_until, created) \
                 VALUES ($1, $2, $3, $4, $5, 1, $6, 1, 0, 0, $7) RETURNING id",
            )
            .bind(new.login.clone())
            .bind(new.name.clone())
            .bind(new.role.code())
            .bind(new.office.map(|id| id.0))
            .bind(new.vendor.clone())
            .bind(hash.clone())
            .bind(at.as_ms())
            .fetch_one(&mut *tx)
            .await?;
            let person = Person {
                id: UserId(id),
                login: new.login.clone(),
                name: new.name.clone(),
                role: new.role,
                office: new.office,
                vendor: new.vendor.clone(),
                active: true,
                must_change: true,
            };
            tell(tx, at, author, "person_created", None, &person).await?;
            Ok(person)
        })?;
        Ok((person, password))
    }

    /// Checks name and password and begins a session.
    pub async fn login(&self, login: &str, password: &str, origin: &str) -> Result<Login, LoginError> {
        let id = self.verify(login, password, origin).await?;
        Ok(database::transaction!(self.db, |tx| -> Result<Login, LedgerError> {
            let token = self.begin_session(tx, id, origin).await?;
            let person = fetch(tx, id).await?.ok_or_else(|| LedgerError::NotFound("the account".into()))?;
            tell_word(tx, self.now(), &Author::new(login, origin), "login", id).await?;
            Ok(Login { token, person })
        })?)
    }

    /// Changes one's own password, which ends all one's sessions; returns a new one.
    pub async fn change_password(&self, login: &str, old: &str, new: &str, origin: &str) -> Result<Login, LoginError> {
        let id = self.verify(login, old, origin).await?;
        check_password(login, old, new)?;
        let hash = self.hasher.hash(new.to_owned()).await?;
        Ok(database::transaction!(self.db, |tx| -> Result<Login, LedgerError> {
            sqlx::query("UPDATE person SET hash = $1, must_change = 0 WHERE id = $2")
                .bind(hash.clone())
                .bind(id.0)
                .execute(&mut *tx)
                .await?;
            sessions::end_all(tx, id).await?;
            let token = self.begin_session(tx, id, origin).await?;
            let person = fetch(tx, id).await?.ok_or_else(|| LedgerError::NotFound("the account".into()))?;
            tell_word(tx, self.now(), &Author::new(login, origin), "password_changed", id).await?;
            Ok(Login { token, person })
        })?)
    }

    /// Gives a one-time password, ends the person's sessions and a lock-out.
    pub async fn reset_password(&self, author: &Author, person: UserId) -> Result<String, LedgerError> {
        let password = random_text(16)?;
        let hash = self.hash(&password).await?;
        database::transaction!(self.db, |tx| -> Result<(), LedgerError> {
            let done =
                sqlx::query("UPDATE person SET hash = $1, must_change = 1, failures = failures + 1 WHERE id = $2");
            let done = done.bind(hash.clone()).bind(person.0).execute(&mut *tx).await?;
            if done.rows_affected() == 0 {
                return Err(LedgerError::NotFound(format!("person {person}")));
            }
            sessions::end_all(tx, person).await?;
            tell_word(tx, self.now(), author, "password_reset", person).await
        })?;
        Ok(password)
    }

    /// Changes name, role, office, vendor or `active`; login and password stay. Ends the sessions when the role changes
    /// or the account is switched off.
    pub async fn update(&self, author: &Author, new: &Person) -> Result<Person, LedgerError> {
        check_row(&new.name, new.role, &new.vendor)?;
        let at = self.now();
        database::transaction!(self.db, |tx| -> Result<Person, LedgerError> {
            let old = fetch(tx, new.id).await?.ok_or_else(|| LedgerError::NotFound(format!("person {}", new.id)))?;
            let admins: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM person WHERE role = 'administrator' AND active = 1 AND id <> $1",
            )
            .bind(new.id.0)
            .fetch_one(&mut *tx)
            .await?;
            if admins == 0 && old.role == Role::Administrator && (new.role != old.role || !new.active) {
                return Err(LedgerError::Refused("the last administrator cannot be taken away"));
            }
            sqlx::query("UPDATE person SET name = $1, role = $2, office = $3, vendor = $4, active = $5 WHERE id = $6")
                .bind(new.name.clone())
                .bind(new.role.code())
                .bind(new.office.map(|id| id.0))
                .bind(new.vendor.clone())
                .bind(i64::from(new.active))
                .bind(new.id.0)
                .execute(&mut *tx)
                .await?;
            if old.role != new.role || !new.active || old.vendor != new.vendor {
                sessions::end_all(tx, new.id).await?;
            }
            let now = Person { login: old.login.clone(), must_change: old.must_change, ..new.clone() };
            tell(tx, at, author, "person_changed", Some(&old), &now).await?;
            Ok(now)
        })
    }

    pub async fn list(&self) -> Result<Vec<Person>, LedgerError> {
        let query = format!("SELECT {COLUMNS} FROM person ORDER BY login");
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut *self.db.read().await?).await?;
        rows.iter().map(read_person).collect()
    }

    pub async fn get(&self, person: UserId) -> Result<Option<Person>, LedgerError> {
        fetch(&mut *self.db.read().await?, person).await
    }

    async fn hash(&self, password: &str) -> Result<String, LedgerError> {
        let hash = self.hasher.hash(password.to_owned()).await;
        hash.map_err(|_busy_or_broken| LedgerError::Refused("too many passwords are being checked; try again"))
    }

    async fn verify(&self, login: &str, password: &str, origin: &str) -> Result<UserId, LoginError> {
        // `failures` counts how often the account was pardoned: what was counted before is void.
        let query = "SELECT id, hash, active, failures FROM person WHERE login = $1";
        let row = sqlx::query(query).bind(login.to_owned()).fetch_optional(&mut *self.db.read().await?).await?;
        let now = self.now();
        let mut known: Option<(i64, String)> = None;
        let mut pardon = 0;
        if let Some(row) = &row {
            pardon = row.try_get(3)?;
            known = (row.try_get::<i64, _>(2)? == 1).then_some((row.try_get(0)?, row.try_get(1)?));
        }
        let who = Who::new(login, origin, pardon);
        let (id, hash) = known.map_or((None, None), |(id, hash)| (Some(id), Some(hash)));
        let closed = match self.guesses.door(&who, now) {
            Door::Open => None,
            Door::Closed { until } => Some(until),
            Door::Known { until } => (!self.came_from(id, login, origin).await?).then_some(until),
        };
        if let Some(until) = closed {
            metrics::counter!(LOGINS_REFUSED).increment(1);
            return Err(LoginError::Locked { until });
        }
        let password: String = password.chars().take(LENGTH_MAX).collect();
        let right = self.hasher.verify(password, hash).await?;
        if let Some(id) = id.filter(|_| right) {
            self.guesses.passed(&who);
            return Ok(UserId(id));
        }
        metrics::counter!(LOGINS_REFUSED).increment(1);
        if self.guesses.failed(&who, now) {
            metrics::counter!(LOCKOUTS).increment(1);
            if let Some(id) = id {
                database::transaction!(self.db, |tx| -> Result<(), LedgerError> {
                    tell_word(tx, now, &Author::new(login, origin), "locked_out", UserId(id)).await
                })?;
            }
        }
        Err(LoginError::Wrong)
    }

    /// Whether the account has logged in from that address before.
    async fn came_from(&self, id: Option<i64>, login: &str, origin: &str) -> Result<bool, LedgerError> {
        let Some(id) = id else { return Ok(false) };
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT id FROM audit WHERE kind = 'person' AND object_key = $1 AND what = 'login' AND who = $2 AND origin = $3 \
             LIMIT 1",
        )
        .bind(id.to_string())
        .bind(login.to_owned())
        .bind(origin.to_owned())
        .fetch_optional(&mut *self.db.read().await?)
        .await?;
        Ok(found.is_some())
    }

    /// Ends every wait that wrong passwords have brought upon an account, wherever they came from.
    pub async fn unlock(&self, author: &Author, person: UserId) -> Result<(), LedgerError> {
        let at = self.now();
        database::transaction!(self.db, |tx| -> Result<(), LedgerError> {
            let done = sqlx::query("UPDATE person SET failures = failures + 1 WHERE id = $1").bind(person.0);
            if done.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(LedgerError::NotFound(format!("person {person}")));
            }
            tell_word(tx, at, author, "unlocked", person).await
        })
    }
}

fn check_login(login: &str) -> Result<(), LedgerError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if (2..=32).contains(&login.len()) && login.chars().all(plain) {
        return Ok(());
    }
    Err(LedgerError::one("login", "write 2 to 32 small letters, digits, - _ or ."))
}

fn check_row(name: &str, role: Role, vendor: &str) -> Result<(), LedgerError> {
    if name.trim().is_empty() || name.chars().count() > 64 {
        return Err(LedgerError::one("name", "write 1 to 64 characters"));
    }
    if vendor.chars().count() > 200 {
        return Err(LedgerError::one("vendor", "write at most 200 characters"));
    }
    match (role == Role::Vendor, vendor.is_empty()) {
        (true, true) => Err(LedgerError::one("vendor", "a vendor's account names the vendor")),
        (false, false) => Err(LedgerError::one("vendor", "only the role vendor has one; leave it empty")),
        _ => Ok(()),
    }
}

fn check_password(login: &str, old: &str, new: &str) -> Result<(), LoginError> {
    let length = new.chars().count();
    let why = if length < LENGTH_MIN {
        format!("write at least {LENGTH_MIN} characters")
    } else if length > LENGTH_MAX {
        format!("write at most {LENGTH_MAX} characters")
    } else if new == old {
        "write another password than the old one".into()
    } else if new.to_lowercase().contains(&login.to_lowercase()) {
        "the password must not contain the name".into()
    } else {
        return Ok(());
    };
    Err(LoginError::Password(why))
}

pub(crate) fn read_person(row: &database::Row) -> Result<Person, LedgerError> {
    let role: String = row.try_get(3)?;
    Ok(Person {
        id: UserId(row.try_get(0)?),
        login: row.try_get(1)?,
        name: row.try_get(2)?,
        role: Role::from_code(&role).ok_or(LedgerError::Corrupt("role", role))?,
        office: row.try_get::<Option<i64>, _>(4)?.map(OfficeId),
        vendor: row.try_get(5)?,
        active: row.try_get::<i64, _>(6)? == 1,
        must_change: row.try_get::<i64, _>(7)? == 1,
    })
}

async fn fetch(connection: &mut Connection, id: UserId) -> Result<Option<Person>, LedgerError> {
    let query = format!("SELECT {COLUMNS} FROM person WHERE id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id.0).fetch_optional(connection).await?;
    row.as_ref().map(read_person).transpose()
}

async fn tell(
    tx: &mut Connection,
    at: IngestTime,
    author: &Author,
    what: &str,
    old: Option<&Person>,
    new: &Person,
) -> Result<(), LedgerError> {
    let text = |person| serde_json::to_string(person).map_err(|e| LedgerError::Corrupt("person", e.to_string()));
    let (old, new_text) = (old.map(text).transpose()?, text(new)?);
    let key = new.id.to_string();
    let change = Change { what, kind: "person", key: &key, before: old.as_deref(), after: Some(&new_text) };
    Ok(audit::write(tx, at, author, change).await?)
}

async fn tell_word(
    tx: &mut Connection,
    at: IngestTime,
    author: &Author,
    what: &str,
    id: UserId,
) -> Result<(), LedgerError> {
    let key = id.to_string();
    Ok(audit::write(tx, at, author, Change { what, kind: "person", key: &key, before: None, after: None }).await?)
}

#[cfg(test)]
mod tests;
