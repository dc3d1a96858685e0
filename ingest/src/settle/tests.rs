//! Promises of settle.
