//! Serde shape.
