//! From the other crates' rows to what the page sees. Pure, but for reading the in-memory handles of [`crate::state::AppState`].

pub(crate) mod alert;
pub(crate) mod case;
pub(crate) mod cover;
pub(crate) mod device;
pub(crate) mod health;
pub(crate) mod limit;
pub(crate) mod papers;
pub(crate) mod picture;
pub(crate) mod refs;
pub(crate) mod registers;
pub(crate) mod subject;
