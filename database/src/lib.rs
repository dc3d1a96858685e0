//! SQL pool, dialect, migrations and the both-engines test harness. Knows no table but its own `schema_version`.
//!
//! One SQL text serves SQLite and PostgreSQL: `$1` placeholders, the types `i64`, `f64`, `&str`/`String`, `&[u8]`/`Vec<u8>` (truth values as 0/1),
//! `ON CONFLICT`, `RETURNING`, no engine's own functions. Do not bind `Arc<str>`: the driver cannot take it on SQLite.
//!
//! ```text
//! let db = Database::open(Options::sqlite(dir.join("lantian.db"))).await?;
//! db.migrate(&Component { name: "shop", migrations: &[include_str!("1.sql")] }).await?;
//! let id = database::transaction!(db, |tx| -> Result<i64, DbError> {
//!     Ok(sqlx::query_scalar("INSERT INTO shop(name) VALUES ($1) RETURNING id").bind(&name).fetch_one(&mut *tx).await?)
//! })?;
//! let names: Vec<String> = sqlx::query_scalar("SELECT name FROM shop ORDER BY name").fetch_all(&mut *db.read().await?).await?;
//! ```
//!
//! | call | promise |
//! |---|---|
//! | [`transaction!`] | one transaction; SQLite `BEGIN IMMEDIATE` on the one writer, PostgreSQL SERIALIZABLE; the block runs again (≤ 8 times) on a conflict, so it must have no effect outside the transaction |
//! | [`Database::begin`] | the same transaction by hand, without the repetition |
//! | [`Database::read`] | a connection for single statements |
//! | [`Database::snapshot`] | a read-only transaction: several statements see one state |
//! | [`Database::migrate`] | brings a component's tables up to date, refuses a newer program's |
//! | `harness::both` | (feature `harness`) a test body on both engines |

mod error;
#[cfg(feature = "harness")]
pub mod harness;
pub mod metrics;
mod migrate;
mod pool;

pub use error::{DbError, SqlError};
#[cfg(feature = "harness")]
pub use harness::both;
pub use migrate::Component;
pub use pool::{ATTEMPTS, Attempts, Connection, Database, Engine, Options, Reader, Row, Transaction};

#[cfg(test)]
mod tests;
