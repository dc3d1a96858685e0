//! Errors of the ledger. A [`Problem`] is one mistake in what a person wrote, with its place and what to write instead.

use serde::Serialize;

/// One mistake in an edit, a file or a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// File it stands in, relative to the folder; empty for an edit.
    pub file: String,
    /// 1-based; 0 when there is none.
    pub line: u32,
    /// Key, column or field: `corridor[3]`, `经度`.
    pub place: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Problem {
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: String::new(), line: 0, place: place.into(), message: message.into() }
    }

    #[must_use]
    pub fn in_file(mut self, file: &str, line: u32) -> Self {
        file.clone_into(&mut self.file);
        self.line = line;
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.file.is_empty() {
            f.write_str(&self.file)?;
        }
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.file.is_empty() || self.line > 0 {
            f.write_str(": ")?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Database(#[from] database::DbError),
    /// The content is wrong; nothing was written.
    #[error("{} problem(s), the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Invalid(Vec<Problem>),
    /// Someone else changed it since it was read; read it again.
    #[error("{kind} {key} was changed by {author} in revision {number}; read it again")]
    Stale { kind: &'static str, key: String, number: u64, author: String },
    #[error("{0} is not known")]
    NotFound(String),
    #[error("{0}")]
    Refused(&'static str),
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the stored {0} cannot be read: {1}")]
    Corrupt(&'static str, String),
}

impl LedgerError {
    pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn one(place: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::new(place, message)])
    }
}

impl database::SqlError for LedgerError {
    fn sql(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Sql(error) => Some(error),
            Self::Database(error) => database::SqlError::sql(error),
            _ => None,
        }
    }
}
