//! Why a query has no answer, or not a whole one, in words for whoever asked.

use datafusion::{arrow::error::ArrowError, error::DataFusionError};

use super::{guard::Refused, words::in_words};

/// Longest message that is passed on: some of DataFusion's repeat the whole plan.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// How DataFusion says, as an I/O error like any other, that a query has written as much to disk as it may.
const SPILLED_TOO_MUCH: &str = "The used disk space during the spilling process has exceeded the allowable limit of ";

/// What went wrong with a query.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    /// The text is not a query, or one that is not let through.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The text is a query, but cannot be answered.
    #[error("{0}")]
    Unanswerable(String),
    /// More memory or disk than one query may have.
    #[error("the query needs more than query.sql.memory_bytes_max or query.sql.spill_bytes_max: {0}")]
    TooLarge(String),
    /// There are more rows than an answer may have.
    #[error("the answer has more than {0} rows (query.sql.rows_max); these are the first")]
    TooManyRows(usize),
    /// So many parts of the data are damaged or cannot be read: these.
    #[error("{0} parts of the data could not be read and are left out; the log says why{1}")]
    Damaged(usize, String),
    /// Its time is over.
    #[error("the query took longer than query.timeout")]
    TimedOut,
    /// Whoever asked has gone.
    #[error("the client is gone")]
    Gone,
    /// Not the query's fault.
    #[error("the query failed; the log says why")]
    Failed,
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        let error = match ended(error) {
            Ok(ended) => return ended,
            Err(error) => error,
        };
        let message = within_bounds(&error.strip_backtrace());
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::TooLarge(first_sentence(&message)),
            root if is_io(root) => {
                if let Some((_, limit)) = message.split_once(SPILLED_TOO_MUCH) {
                    return Self::TooLarge(format!("{} on disk are full", first_sentence(limit)));
                }
                tracing::error!(error = %message, "a SQL query failed");
                Self::Failed
            }
            DataFusionError::ExecutionJoin(_) => {
                tracing::error!(error = %message, "a SQL query panicked");
                Self::Failed
            }
            DataFusionError::Internal(_) => {
                tracing::warn!(error = %message, "a SQL query met a limit of DataFusion");
                Self::Unanswerable(format!(
                    "the query meets a limit of the engine: {}",
                    within_bounds(&in_words(&error))
                ))
            }
            // The query's text, or what regular expressions, casts and the like say of what they were given.
            _ => Self::Unanswerable(within_bounds(&in_words(&error))),
        }
    }
}

/// Files of its own: those of spans are read by the store.
fn is_io(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(error, _) => matches!(**error, ArrowError::IoError(..)),
        _ => false,
    }
}

impl From<ArrowError> for SqlError {
    fn from(error: ArrowError) -> Self {
        DataFusionError::from(error).into()
    }
}

/// Whether it was stopped: what [`super::stop`] and [`super::memory`] say from within a plan.
fn ended(error: DataFusionError) -> Result<SqlError, DataFusionError> {
    if let DataFusionError::External(cause) = error.find_root() {
        match cause.downcast_ref::<SqlError>() {
            Some(SqlError::TimedOut) => return Ok(SqlError::TimedOut),
            Some(SqlError::Gone) => return Ok(SqlError::Gone),
            Some(SqlError::TooLarge(why)) => return Ok(SqlError::TooLarge(first_sentence(why))),
            _ => {}
        }
    }
    Err(error)
}

/// What helps; DataFusion's own advice comes after it, and lines that list every operator's memory.
fn first_sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(first, _)| first).to_owned()
}

fn within_bounds(message: &str) -> String {
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    if end == message.len() { message.to_owned() } else { format!("{}…", &message[..end]) }
}

impl SqlError {
    /// Whether rows before it are an answer all the same, only not a whole one.
    pub(crate) fn is_remark(&self) -> bool {
        matches!(self, Self::TooManyRows(_) | Self::Damaged(..))
    }

    /// The HTTP status that it is, or that it would be had no row been sent before.
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Refused(_) | Self::Unanswerable(_) | Self::TooLarge(_) | Self::TooManyRows(_) => 400,
            Self::TimedOut | Self::Gone => 504,
            Self::Damaged(..) | Self::Failed => 500,
        }
    }
}
