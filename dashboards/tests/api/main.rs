//! The API in process: real ledger, journal, settle, judge and hub behind the router, on temporary SQLite files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

extern crate lantian_dashboards as dashboards;

mod addresses;
mod alerts;
mod arrivals;
mod auth;
mod bench;
mod cases;
mod claims;
mod commands;
mod devices;
mod live;
mod openapi;
mod page;
mod papers;
mod pictures;
mod registers;
mod roles;
