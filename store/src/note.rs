//! A note: what whoever writes samples of its own wants to find again, durable together with them.

use bytes::Bytes;

/// Bytes under a name: the last of a name stands, whatever becomes of the samples that came with it. Without bytes it
/// is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Of its tenant's notes.
    pub name: String,
    /// As they came.
    pub bytes: Bytes,
}
