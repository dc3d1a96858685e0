//! The few file operations that the journal needs, so that a test can cut the power between any two of them.

/// See the real one, [`Disk`].
pub trait FileLayer: Send + Sync + std::fmt::Debug {}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;
impl FileLayer for Disk {}
