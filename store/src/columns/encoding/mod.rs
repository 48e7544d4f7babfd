//! Parquet's encodings, by hand: pages from codes and back (parquet-format's Encodings.md).

pub(crate) mod bits;
pub(crate) mod delta;
pub(crate) mod hybrid;
pub(crate) mod page;

/// Bytes that are not what the encoder wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bad {0}")]
pub(crate) struct BadEncoding(pub(crate) &'static str);
