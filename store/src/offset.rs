//! A position in a journal: the identity of what lies there.

use std::fmt;

/// File number in the upper 32 bits, byte position in that file in the lower 32. Ordered as the journal is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub u64);

impl Offset {
    /// The position `position` of file `file`.
    pub fn new(file: u32, position: u32) -> Self {
        Self((u64::from(file) << 32) | u64::from(position))
    }

    /// The file's number.
    pub fn file(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The byte position within the file.
    pub fn position(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file(), self.position())
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
