//! The handle: pools, transactions and their repetition.

use crate::error::{DbError, SqlError, is_conflict};
use crate::metrics::{CONFLICTS, CONFLICTS_GIVEN_UP, POOL_TIMEOUTS};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Executor as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A connection of either engine.
pub type Connection = sqlx::AnyConnection;
/// A row of either engine; read it with `sqlx::Row`.
pub type Row = sqlx::any::AnyRow;
/// A transaction; dropping it rolls back.
pub type Transaction = sqlx::Transaction<'static, sqlx::Any>;
/// A connection for reading.
pub type Reader = sqlx::pool::PoolConnection<sqlx::Any>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    url: String,
    schema: Option<String>,
    readers: u32,
    acquire_timeout: Duration,
}

impl Options {
    /// An SQLite file, made when missing.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::with_url(format!("sqlite://{}?mode=rwc", path.as_ref().display()))
    }

    /// `postgres://user:password@host/database`, or `sqlite:///path`.
    pub fn url(url: &str) -> Result<Self, DbError> {
        let known = ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.starts_with(scheme));
        if !known {
            let scheme = url.split("://").next().unwrap_or_default();
            return Err(DbError::Url {
                url: format!("{scheme}://…"), why: "use postgres://… or sqlite://…".into()
            });
        }
        Ok(Self::with_url(url.to_owned()))
    }

    fn with_url(url: String) -> Self {
        Self { url, schema: None, readers: 4, acquire_timeout: Duration::from_secs(10) }
    }

    /// PostgreSQL: work in this schema, made when missing. SQLite has a file instead and ignores it.
    /// The name is of `[a-z0-9_]`.
    #[must_use]
    pub fn schema(mut self, name: &str) -> Self {
        self.schema = Some(name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
        self
    }

    /// Connections for reading (SQLite), for everything (PostgreSQL). Default 4.
    #[must_use]
    pub fn readers(mut self, count: u32) -> Self {
        self.readers = count.max(1);
        self
    }

    fn engine(&self) -> Engine {
        if self.url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }
}

/// A handle to the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    writer: AnyPool,
    reader: AnyPool,
}

impl Database {
    /// Opens the database and checks its on-disk format.
    pub async fn open(options: Options) -> Result<Self, DbError> {
        sqlx::any::install_default_drivers();
        let engine = options.engine();
        let inner = match engine {
            Engine::Sqlite => Inner {
                engine,
                writer: pool(&options, 1, SQLITE_WRITER.into()).await?,
                reader: pool(&options, options.readers, SQLITE_READER.into()).await?,
            },
            Engine::Postgres => {
                let mut start = "SET TIME ZONE 'UTC';".to_owned();
                if let Some(schema) = &options.schema {
                    let admin = pool(&options, 1, start.clone()).await?;
                    let create = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
                    admin.execute(AssertSqlSafe(create)).await?;
                    admin.close().await;
                    start = format!("{start} SET search_path TO \"{schema}\";");
                }
                // One more than the readers, so that a page's reads cannot starve the writers of the last connection.
                let both = pool(&options, options.readers + 1, start).await?;
                Inner { engine, writer: both.clone(), reader: both }
            }
        };
        let database = Self(Arc::new(inner));
        database.check_format().await?;
        Ok(database)
    }

    pub fn engine(&self) -> Engine {
        self.0.engine
    }

    /// Begins a writing transaction by hand. Commit it with [`Transaction::commit`].
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let statement = match self.0.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        };
        self.0.writer.begin_with(statement).await.inspect_err(count_timeout)
    }

    /// A connection for single reading statements.
    pub async fn read(&self) -> Result<Reader, sqlx::Error> {
        self.0.reader.acquire().await.inspect_err(count_timeout)
    }

    /// A read-only transaction: all its statements see one state.
    pub async fn snapshot(&self) -> Result<Transaction, sqlx::Error> {
        let statement = match self.0.engine {
            Engine::Sqlite => "BEGIN DEFERRED",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.0.reader.begin_with(statement).await.inspect_err(count_timeout)
    }

    /// Closes all connections after those in use came back. SQLite: checkpoints the write-ahead log.
    pub async fn close(&self) {
        self.0.reader.close().await;
        self.0.writer.close().await;
    }
}

/// Runs a block in one transaction and commits it when it ends in `Ok`. On a conflict with another transaction it rolls
/// back and runs the block again, at most [`ATTEMPTS`] times: the block must do nothing that a roll-back cannot undo.
///
/// A macro, because a closure that borrows both its transaction and its surroundings cannot be `Send` today.
/// In the block `$tx` is a `&mut Connection`; pass `&mut *tx` to queries. `return` and `?` leave the block only.
/// The error type implements [`SqlError`].
#[macro_export]
macro_rules! transaction {
    ($db:expr, |$tx:ident| -> $result:ty $body:block) => {{
        let database: &$crate::Database = &$db;
        let mut attempts = $crate::Attempts::default();
        loop {
            let mut transaction = match database.begin().await {
                Ok(transaction) => transaction,
                Err(error) => break Err(::core::convert::From::from(error)),
            };
            let result: $result = {
                let $tx: &mut $crate::Connection = &mut transaction;
                async { $body }.await
            };
            if let Some(result) = attempts.finish(transaction, result).await {
                break result;
            }
        }
    }};
}

/// How often [`transaction!`] runs a block that meets conflicts.
pub const ATTEMPTS: u32 = 8;

/// Counts the runs of one [`transaction!`].
#[derive(Debug, Default)]
pub struct Attempts(u32);

impl Attempts {
    /// Ends one run. `None`: it met a conflict, was rolled back, and is to run again after the pause that this call made.
    pub async fn finish<T, E: SqlError>(
        &mut self,
        transaction: Transaction,
        result: Result<T, E>,
    ) -> Option<Result<T, E>> {
        let error = match result {
            Ok(value) => match transaction.commit().await {
                Ok(()) => return Some(Ok(value)),
                Err(error) => E::from(error),
            },
            Err(error) => {
                // The error of the block says more than one of the roll-back, which happens on drop in any case.
                transaction.rollback().await.ok();
                error
            }
        };
        if !error.sql().is_some_and(is_conflict) {
            return Some(Err(error));
        }
        self.0 += 1;
        if self.0 >= ATTEMPTS {
            metrics::counter!(CONFLICTS_GIVEN_UP).increment(1);
            return Some(Err(error));
        }
        metrics::counter!(CONFLICTS).increment(1);
        tokio::time::sleep(pause(self.0)).await;
        None
    }
}

/// Doubles from 2 ms, with a jitter so that two rivals part.
fn pause(attempt: u32) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    let base = 2_000_u64 << attempt.min(6);
    Duration::from_micros(base / 2 + RandomState::new().hash_one(attempt) % base)
}

fn count_timeout(error: &sqlx::Error) {
    if matches!(error, sqlx::Error::PoolTimedOut) {
        metrics::counter!(POOL_TIMEOUTS).increment(1);
    }
}

async fn pool(options: &Options, connections: u32, start: String) -> Result<AnyPool, DbError> {
    let start: Arc<str> = start.into();
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .after_connect(move |connection, _| {
            let start = Arc::clone(&start);
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(start.to_string())).execute(connection).await?;
                Ok(())
            })
        })
        // A commit that failed for want of space leaves the driver believing that the transaction still runs; such a
        // connection would refuse every later one. It goes, a fresh one comes.
        .after_release(|connection, _| Box::pin(async move { Ok(!sqlx::Connection::is_in_transaction(connection)) }))
        .connect(&options.url)
        .await
        .map_err(|error| match error {
            sqlx::Error::Configuration(why) => {
                DbError::Url { url: options.url.split("://").next().unwrap_or_default().into(), why: why.to_string() }
            }
            error => DbError::Sql(error),
        })
}

/// FULL: a commit is on disk when it returns (in WAL, NORMAL would lose the last ones at a power cut).
const SQLITE_WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
    PRAGMA busy_timeout = 5000; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -8192;";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
    PRAGMA query_only = ON; PRAGMA cache_size = -4096;";
