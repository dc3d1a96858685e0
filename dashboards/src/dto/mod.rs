//! What travels over HTTP and the live socket, and nothing else: plain serde types with their `OpenAPI` schemas. The
//! page's TypeScript types are generated from them (`dashboards/openapi.json`), so a field's name is a promise. Ids are
//! numbers, times RFC 3339 in UTC ([`Time`]), closed words `snake_case` ([`words`]); only long series use columns with
//! milliseconds. No handler logic lives here.

pub mod addresses;
pub mod alerts;
pub mod arrivals;
pub mod auth;
pub mod cases;
pub mod claims;
pub mod commands;
pub mod common;
pub mod devices;
pub mod explain;
pub mod health;
pub mod imports;
pub mod ledger;
pub mod live;
pub mod map;
pub mod notify;
pub mod overview;
pub mod papers;
pub mod pictures;
pub mod quarantine;
pub mod registers;
pub mod rules;
pub mod series;
pub mod silences;
pub mod subjects;
pub mod users;
pub mod words;

pub use common::{Page, Problem, Time};
