//! What the store and admission say, as a refusal.

use weir_port::Refusal;
use weir_store::AppendError;

use crate::admission::AdmissionError;

impl From<AdmissionError> for Refusal {
    fn from(error: AdmissionError) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// A batch that the store does not take.
pub(crate) fn refused(error: AppendError) -> Refusal {
    match error {
        AppendError::DiskFull => Refusal::DiskFull,
        AppendError::Busy(what) => Refusal::Busy(what),
        AppendError::TooLarge { bytes_max } => Refusal::TooLarge { what: "the batch", bytes_max },
        AppendError::Stopped => Refusal::Stopped,
    }
}
