//! HTTP API, live push and the page.

pub mod access;
pub mod dto;
mod spec;
mod table;
