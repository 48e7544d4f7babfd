//! Why JSON is refused.

/// Refused as a whole: what senders are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("not JSON at byte {at}: {what}")]
    Syntax {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// JSON, but no value for its field.
    #[error("{field} at byte {at}: {what}")]
    Value {
        /// Where the value begins.
        at: usize,
        /// The innermost known field; `the body` for the outermost value.
        field: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// More comes out than is allowed.
    #[error("more than {bytes_max} bytes of protobuf")]
    TooLarge {
        /// How much is allowed.
        bytes_max: usize,
    },
}

impl JsonError {
    /// A value error whose field the caller names, see [`JsonError::of_field`].
    #[cold]
    pub(crate) fn value(at: usize, what: &'static str) -> Self {
        Self::Value { at, field: "", what }
    }

    /// Names the field, unless one further inside did.
    #[cold]
    pub(crate) fn of_field(self, name: &'static str) -> Self {
        match self {
            Self::Value { at, field: "", what } => Self::Value { at, field: name, what },
            named => named,
        }
    }
}
