//! What a file is known again by: a hash of its beginning, and one of the bytes before the next line.

use std::io;

use super::content::Content;

/// Bytes before the next line that are hashed.
pub(super) const TAIL_BYTES: u64 = 512;

/// So many bytes, and their hash: part of the cursor's form (docs/formats.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) bytes: u32,
    pub(super) hash: u64,
}

impl Default for Mark {
    fn default() -> Self {
        Self::of(b"")
    }
}

impl Mark {
    /// Of bytes. FNV-1a: <http://www.isthe.com/chongo/tech/comp/fnv/>.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let empty = Self { bytes: 0, hash: 0xcbf2_9ce4_8422_2325 };
        Self {
            bytes: bytes.len() as u32,
            hash: bytes.iter().fold(empty.hash, |hash, byte| Self { bytes: 0, hash }.and(*byte)),
        }
    }

    /// The hash with one more byte.
    #[inline]
    pub(super) fn and(self, byte: u8) -> u64 {
        (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }

    /// Of a content's bytes from `at` on, at most so many.
    pub(super) fn read(content: &mut Content, at: u64, bytes: u64) -> io::Result<Self> {
        let mut buffer = vec![0; bytes as usize];
        let read = content.read(at, &mut buffer)?;
        Ok(Self::of(&buffer[..read]))
    }

    /// Whether a content's bytes from `at` on are these.
    pub(super) fn is_at(&self, content: &mut Content, at: u64) -> io::Result<bool> {
        Ok(Self::read(content, at, u64::from(self.bytes))? == *self)
    }
}
