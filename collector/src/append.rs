//! Where receivers hand over what they admitted.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use weir_proto::Signal;
use weir_store::{AppendError, LogsBatch, Rejection, TracesBatch};

/// A batch of any signal.
#[expect(clippy::large_enum_variant, reason = "one a request, moved and never kept in numbers")]
#[derive(Debug)]
pub enum Arrival {
    /// Spans.
    Spans(TracesBatch),
    /// Log records.
    Lines(LogsBatch),
}

impl Arrival {
    /// Which signal's.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Spans(_) => Signal::Traces,
            Self::Lines(_) => Signal::Logs,
        }
    }

    /// Bytes of its payload.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Self::Spans(batch) => batch.payload.len() as u64,
            Self::Lines(batch) => batch.payload.len() as u64,
        }
    }

    /// Items that are acknowledged with it: in the payload and not rejected, or dropped by head sampling.
    pub fn accepted(&self) -> u64 {
        let (items, rejected, head_dropped) = match self {
            Self::Spans(batch) => (batch.items, batch.rejected.len(), batch.head_dropped),
            Self::Lines(batch) => (batch.items, batch.rejected.len(), batch.head_dropped),
        };
        u64::from(items) - rejected as u64 + u64::from(head_dropped)
    }

    /// Items that are not: by their place.
    pub fn rejected(&self) -> &[Rejection] {
        match self {
            Self::Spans(batch) => &batch.rejected,
            Self::Lines(batch) => &batch.rejected,
        }
    }

    /// Whether nothing arrived, not even anything that was rejected or dropped.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Spans(batch) => batch.items == 0 && batch.head_dropped == 0,
            Self::Lines(batch) => batch.items == 0,
        }
    }
}

/// Appends a batch; completes once it is durable and visible. In production `Store::append_traces` and `Store::append_logs`.
pub type Append = Arc<dyn Fn(Arrival) -> BoxFuture<'static, Result<(), AppendError>> + Send + Sync>;
