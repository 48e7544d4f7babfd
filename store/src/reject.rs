//! Why single items of a request are refused.

use weir_proto::otlp::ItemFault;

/// One refused item of a frame: replay skips it without judging again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Position among the payload's items, from 0.
    pub ordinal: u32,
    /// Why.
    pub reason: RejectReason,
}

/// Reasons, with the code that frames store (docs/formats.md). Names appear in the ledger and in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RejectReason {
    /// A string is not UTF-8.
    InvalidUtf8 = 1,
    /// AnyValues nested too deep.
    TooDeep = 2,
    /// More attributes than the limit.
    TooManyAttributes = 3,
    /// More bytes than the limit.
    TooLarge = 4,
    /// The trace id is not 16 bytes, or zero.
    InvalidTraceId = 5,
    /// The span id is not 8 bytes, or zero.
    InvalidSpanId = 6,
    /// Older than `storage.accept.past`.
    TooOld = 7,
    /// Further ahead than `storage.accept.future`.
    TooNew = 8,
    /// Another value is at its time already.
    Conflict = 9,
    /// A new series, and there are `storage.series_max`.
    SeriesMax = 10,
    /// Its labels are none.
    InvalidLabels = 11,
    /// The value is of a kind that is not kept.
    Unsupported = 12,
}

impl RejectReason {
    /// All of them, in code order.
    pub const ALL: [Self; 12] = [
        Self::InvalidUtf8,
        Self::TooDeep,
        Self::TooManyAttributes,
        Self::TooLarge,
        Self::InvalidTraceId,
        Self::InvalidSpanId,
        Self::TooOld,
        Self::TooNew,
        Self::Conflict,
        Self::SeriesMax,
        Self::InvalidLabels,
        Self::Unsupported,
    ];

    /// The name in the ledger, in metrics and in partial_success messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUtf8 => "invalid_utf8",
            Self::TooDeep => "too_deep",
            Self::TooManyAttributes => "too_many_attributes",
            Self::TooLarge => "too_large",
            Self::InvalidTraceId => "invalid_trace_id",
            Self::InvalidSpanId => "invalid_span_id",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::Conflict => "conflict",
            Self::SeriesMax => "series_max",
            Self::InvalidLabels => "invalid_labels",
            Self::Unsupported => "unsupported",
        }
    }

    /// The reason behind a stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == code)
    }
}

impl From<ItemFault> for RejectReason {
    fn from(fault: ItemFault) -> Self {
        match fault {
            ItemFault::InvalidUtf8 => Self::InvalidUtf8,
            ItemFault::TooDeep => Self::TooDeep,
            ItemFault::TooManyAttributes => Self::TooManyAttributes,
            ItemFault::TooLarge => Self::TooLarge,
        }
    }
}
