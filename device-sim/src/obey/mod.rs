//! How devices obey: what a logger and a terminal answer to commands, without I/O. [`Manners`] are the faults a platform must live with.

pub mod hj212;
pub mod jt808;

use std::sync::Arc;

/// What a device does with what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manners {
    #[default]
    Obey,
    /// Takes everything and says nothing.
    Silent,
    /// Answers after the platform has asked again.
    Late,
    /// Says everything twice.
    Twice,
    /// Refuses everything.
    Refuse,
}

/// What a logger remembers: the items of a command's data (2051, 2061) that begin at a time in UTC milliseconds.
pub type Memory = Arc<dyn Fn(u16, i64) -> Option<String> + Send + Sync>;

/// A device that remembers nothing.
pub fn no_memory() -> Memory {
    Arc::new(|_, _| None)
}
