//! What can go wrong with the database, and how a caller's own error shows a conflict to [`crate::transaction!`].

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("run SQL: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("the database URL {url:?} is not usable: {why}")]
    Url { url: String, why: String },
    #[error(
        "the database's part {component:?} has format {found}, this program knows up to {known}: it was written by a newer version"
    )]
    Newer { component: String, found: i64, known: i64 },
    #[error("migrate {component} to version {version}: {source}")]
    Migration {
        component: &'static str,
        version: i64,
        #[source]
        source: sqlx::Error,
    },
}

/// An error that can hold an SQL error, so that [`crate::transaction!`] sees a conflict in it and runs the body again.
pub trait SqlError: From<sqlx::Error> {
    /// The SQL error inside, if it is one.
    fn sql(&self) -> Option<&sqlx::Error>;
}

impl SqlError for DbError {
    fn sql(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Sql(error) | Self::Migration { source: error, .. } => Some(error),
            Self::Url { .. } | Self::Newer { .. } => None,
        }
    }
}

impl SqlError for sqlx::Error {
    fn sql(&self) -> Option<&sqlx::Error> {
        Some(self)
    }
}

/// Serialization failure, deadlock (PostgreSQL), busy (SQLite): another transaction was in the way.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return matches!(&*code, "40001" | "40P01");
    }
    // SQLITE_BUSY and its extended codes.
    code.parse::<i32>().is_ok_and(|code| code & 0xff == 5)
}
