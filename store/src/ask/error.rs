//! Why a question has no answer.

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk said no.
    #[error("cannot read {what}: {source}")]
    Io {
        /// What.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// Bytes are not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// A matcher's expression cannot be used.
    #[error(transparent)]
    InvalidPattern(#[from] crate::labels::InvalidPattern),
}
