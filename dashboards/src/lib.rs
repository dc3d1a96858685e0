//! HTTP API, live push and the page.
//!
//! | call | promise |
//! |---|---|
//! | [`AppState::new`] | takes the other crates' handles ([`Parts`]); starts nothing |
//! | [`router`] | everything served over HTTP: `/api/v1/…`, the live socket, `/healthz`, `/readyz`, the page |
//! | [`serve`] | serves a router on a listener with bounds on connections and on the time they may take |
//! | [`run`] | the one background task; the wiring spawns it, it ends with `Parts::stop` |
//! | [`Pulse::observe`] | the wiring shows it each batch on its way to the judge |
//! | [`openapi_json`] | the document of `dashboards/openapi.json`; a test compares, `UPDATE_OPENAPI=1` rewrites it |
//!
//! # How it hangs together
//! - One table (`table.rs`) has every route with its access, types and handler; router, `OpenAPI` document and the test of roles
//!   are made from it.
//! - `guard.rs` stands before each route: session, role, one-time password, origin. A vendor gets 404 for all it may not know of.
//! - Handlers decide no rule of the domain; `view/` turns rows into `dto/`.
//! - Live push: [`dto::live`] has the messages, `live/` the sockets. Device pages are pushed at once (at most every 50 ms), the map
//!   at 1 Hz, alerts and cases as they are committed.
//! - Table of our own (component `dashboards`): `outage`, for the list of our own outages.

pub mod access;
mod aside;
mod book;
mod csv;
pub mod dto;
mod extract;
mod guard;
mod handlers;
pub mod listener;
mod live;
pub mod metrics;
mod net;
mod page;
mod pins;
mod problem;
mod pulse;
mod router;
mod run;
mod spec;
mod state;
mod table;
mod throttle;
pub mod trial;
mod view;

pub use extract::Caller;
pub use guard::COOKIE;
pub use listener::{ListenerConfig, OverTls, serve};
pub use net::Network;
pub use problem::{ApiError, ApiResult};
pub use pulse::Pulse;
pub use router::router;
pub use run::run;
pub use spec::Spec;
pub use state::{AppState, BrokerState, Inner, Listeners, Machine, Parts, ProjectionState, WebConfig};
pub use table::{openapi_json, specs};
