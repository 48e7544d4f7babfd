//! What the lines that a query holds may take.

use std::{fmt, sync::Arc};

use crate::logql::LogqlError;

/// Bytes that held lines may take, which several queries share.
pub(crate) trait HoldsLines: Send + Sync {
    /// Takes more; false when there are enough.
    fn take(&self, bytes: u64) -> bool;

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
        if self.0.as_ref().is_none_or(|holds| holds.take(bytes)) {
            return Ok(());
        }
        let words = "the lines take more than query.answer_bytes_max or query.answers_bytes_max allow: ask for a lower \
                     limit, or a shorter time";
        Err(LogqlError::TooMuch(words.into()))
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
