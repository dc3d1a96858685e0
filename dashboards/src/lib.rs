//! HTTP API, live push and the page.
