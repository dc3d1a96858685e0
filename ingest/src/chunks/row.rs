//! Rows of the head.
