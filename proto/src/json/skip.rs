//! Passes over a value of any shape, without recursion.

use super::{JsonError, Reader};

/// Lists and objects in each other within a value that is passed over.
const NESTING_MAX: usize = 1024;

/// What is open: a bit for each level, set for objects.
struct Open {
    objects: [u64; NESTING_MAX / 64],
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool, at: usize) -> Result<(), JsonError> {
        if self.depth == NESTING_MAX {
            return Err(JsonError::Syntax { at, what: "nested deeper than 1024" });
        }
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        self.objects[word] = if is_object { self.objects[word] | bit } else { self.objects[word] & !bit };
        self.depth += 1;
        Ok(())
    }

    /// Whether the innermost is an object; `None` when nothing is open.
    fn innermost(&self) -> Option<bool> {
        let level = self.depth.checked_sub(1)?;
        Some(self.objects[level / 64] & 1 << (level % 64) != 0)
    }
}

/// Bytes of the JSON value that `text` begins with; `None` when it begins with none.
pub fn value_len(text: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(text);
    reader.skip().ok()?;
    Some(reader.at())
}

impl Reader<'_> {
    /// Passes over the next value, which must be JSON all the same.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        let mut open = Open { objects: [0; NESTING_MAX / 64], depth: 0 };
        loop {
            let at = self.position();
            if self.take(b'{') {
                if !self.take(b'}') {
                    open.push(true, at)?;
                    self.skip_key()?;
                    continue;
                }
            } else if self.take(b'[') {
                if !self.take(b']') {
                    open.push(false, at)?;
                    continue;
                }
            } else {
                self.skip_scalar()?;
            }
            // A value has ended, and perhaps what it is in.
            while let Some(is_object) = open.innermost() {
                if self.take(b',') {
                    if is_object {
                        self.skip_key()?;
                    }
                    break;
                }
                if !self.take(if is_object { b'}' } else { b']' }) {
                    return Err(self.syntax("a comma or the end of a list or object is missing"));
                }
                open.depth -= 1;
            }
            if open.depth == 0 {
                return Ok(());
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), JsonError> {
        self.any_key().map(drop)
    }

    fn skip_scalar(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            _ if self.literal(b"true") || self.literal(b"false") || self.literal(b"null") => Ok(()),
            _ => Err(self.syntax("a value is missing")),
        }
    }
}
