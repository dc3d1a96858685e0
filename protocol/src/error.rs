//! What a codec says of bytes it cannot read: where, and what to do with the stream.

/// What the reader of a stream does after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The frame is lost, the stream goes on at the next possible start.
    SkipFrame,
    /// Nothing after it can be trusted.
    CloseStream,
}

/// Bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("{wanted} more bytes are needed at offset {offset}")]
    Truncated { offset: usize, wanted: usize },
    #[error("{what} at offset {offset}")]
    Invalid { offset: usize, what: &'static str },
    #[error("longer than {limit} bytes")]
    Oversize { limit: usize },
}

impl WireError {
    pub const fn disposition(self) -> Disposition {
        Disposition::SkipFrame
    }

    /// Where in the bytes given.
    pub const fn offset(self) -> usize {
        match self {
            Self::Truncated { offset, .. } | Self::Invalid { offset, .. } => offset,
            Self::Oversize { limit } => limit,
        }
    }
}
