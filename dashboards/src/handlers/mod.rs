//! The handlers, one file per page. They read the request, ask the other crates, and turn the answer into `dto` types; no rule of the
//! domain is decided here.

pub(crate) mod addresses;
pub(crate) mod alert_moves;
pub(crate) mod alerts;
pub(crate) mod arrivals;
pub(crate) mod auth;
pub(crate) mod cases;
pub(crate) mod claims;
pub(crate) mod commands;
pub(crate) mod credentials;
pub(crate) mod devices;
pub(crate) mod explain;
pub(crate) mod frames;
pub(crate) mod imports;
pub(crate) mod loss;
pub(crate) mod map;
pub(crate) mod notify;
pub(crate) mod overview;
pub(crate) mod papers;
pub(crate) mod pictures;
pub(crate) mod quarantine;
pub(crate) mod registers;
pub(crate) mod rules;
pub(crate) mod series;
pub(crate) mod silences;
pub(crate) mod subjects;
pub(crate) mod users;
