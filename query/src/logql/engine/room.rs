//! What the lines that a query holds may take.

use std::{fmt, sync::Arc};

use crate::logql::LogqlError;

/// Why there is no room for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The query has as much as one may have.
    Own,
    /// Others have what is left.
    Others,
}

/// Bytes that held lines may take, which several queries share.
pub(crate) trait HoldsLines: Send + Sync {
    /// Takes more, unless there are enough.
    fn take(&self, bytes: u64) -> Result<(), NoRoom>;

    /// Gives some back.
    fn give_back(&self, bytes: u64);
}

/// Without a bound where nothing is named.
#[derive(Clone, Default)]
pub(crate) struct LineRoom(Option<Arc<dyn HoldsLines>>);

impl LineRoom {
    /// Within what this one has.
    pub(crate) fn of(holds: impl HoldsLines + 'static) -> Self {
        Self(Some(Arc::new(holds)))
    }

    /// Takes the bytes of a line.
    pub(super) fn take(&self, bytes: u64) -> Result<(), LogqlError> {
        let words = "the lines take more than query.answer_bytes_max allows: ask for a lower limit, or a shorter time";
        match self.0.as_ref().map_or(Ok(()), |holds| holds.take(bytes)) {
            Ok(()) => Ok(()),
            Err(NoRoom::Own) => Err(LogqlError::TooMuch(words.into())),
            Err(NoRoom::Others) => Err(LogqlError::Busy),
        }
    }

    /// Gives back those of lines that are let go.
    pub(super) fn give_back(&self, bytes: u64) {
        if let Some(holds) = &self.0 {
            holds.give_back(bytes);
        }
    }
}

impl fmt::Debug for LineRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineRoom").field("is_bounded", &self.0.is_some()).finish()
    }
}
