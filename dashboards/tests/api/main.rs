//! The API in process: real ledger, journal, settle, judge and hub behind the router, on temporary SQLite files.

mod auth;
mod bench;
mod cases;
mod devices;
mod live;
mod openapi;
mod page;
mod registers;
mod roles;
