//! What is wrong with a query, or went wrong with its answer.

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LogqlError {
    /// The text is no query; with line and column, from 1.
    #[error("parse error at line {line}, col {column}: {words}")]
    Parse {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong.
        words: String,
    },
    /// The text is a query that cannot be asked.
    #[error("parse error : {0}")]
    Invalid(String),
    /// A line of a metric query had an error.
    #[error(
        "pipeline error: '{error}' for series: '{series}'. To leave such lines out, filter them, as in \
         | __error__!=\"{error}\"; | __error__=\"\" leaves out all errors, and may stand behind unwrap"
    )]
    Pipeline {
        /// The value of `__error__`.
        error: String,
        /// The labels of the line.
        series: String,
    },
    /// It cannot be computed as it is meant.
    #[error("{0}")]
    Execution(String),
    /// A bound was met.
    #[error("{0}")]
    TooMuch(String),
    /// Others hold what answers may hold together: it may go well later.
    #[error("other answers hold all that query.answers_bytes_max allows; try again")]
    Busy,
    /// No time is left.
    #[error("the query took longer than query.timeout")]
    TimedOut,
}

impl LogqlError {
    /// A mistake without a place.
    pub(crate) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }
}
