//! Packed columns.
