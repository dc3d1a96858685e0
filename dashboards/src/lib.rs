//! HTTP API, live push and the page.

pub mod dto;
