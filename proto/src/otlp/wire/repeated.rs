//! A field that occurs any number of times: found while its message is walked, iterated later.

use super::{Cursor, bytes_key};

/// The occurrences of one length-delimited field in a message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Repeated<'a> {
    /// From the first occurrence to the end of the last; other fields may lie between.
    bytes: &'a [u8],
    key: u32,
    count: u32,
}

impl<'a> Repeated<'a> {
    /// All occurrences of `field` in a message that was not walked.
    pub(crate) fn unbounded(message: &'a [u8], field: u32) -> Self {
        Self { bytes: message, key: bytes_key(field), count: u32::MAX }
    }

    /// So many occurrences of `field`, one after the other and nothing else.
    pub(crate) fn exactly(bytes: &'a [u8], field: u32, count: u32) -> Self {
        Self { bytes, key: bytes_key(field), count }
    }

    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// The content of each. Ends early where the bytes are malformed.
    #[inline]
    pub(crate) fn iter(&self) -> RepeatedIter<'a> {
        RepeatedIter { cursor: Cursor::new(self.bytes), key: self.key, count_left: self.count }
    }
}

/// Walks a [`Repeated`].
#[derive(Debug, Clone)]
pub(crate) struct RepeatedIter<'a> {
    cursor: Cursor<'a>,
    key: u32,
    count_left: u32,
}

impl<'a> Iterator for RepeatedIter<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.count_left == 0 {
            return None;
        }
        if let Some(content) = self.cursor.next_short(self.key).or_else(|| self.cursor.next_medium(self.key)) {
            self.count_left -= 1;
            return Some(content);
        }
        self.next_any()
    }
}

impl<'a> RepeatedIter<'a> {
    /// The next occurrence, whatever lies before it.
    fn next_any(&mut self) -> Option<&'a [u8]> {
        while !self.cursor.is_empty() {
            let key = self.cursor.key().ok()?;
            if key == self.key {
                self.count_left -= 1;
                return self.cursor.bytes().ok();
            }
            self.cursor.skip(key).ok()?;
        }
        None
    }
}

/// Finds the range of a [`Repeated`] while the message is walked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Occurrences {
    first_left: usize,
    last_left: usize,
    count: u32,
}

impl Occurrences {
    /// Takes note of an occurrence: bytes left of the message before its key and after its content.
    #[inline(always)]
    pub(crate) fn add(&mut self, left_before: usize, left_after: usize) {
        self.add_run(left_before, left_after, 1);
    }

    /// The same with `count` of them that follow one another.
    #[inline(always)]
    pub(crate) fn add_run(&mut self, left_before: usize, left_after: usize, count: u32) {
        if self.count == 0 {
            self.first_left = left_before;
        }
        self.last_left = left_after;
        self.count += count;
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// What was noted of `field`, in `message`.
    #[inline]
    pub(crate) fn of<'a>(&self, message: &'a [u8], field: u32) -> Repeated<'a> {
        if self.count == 0 {
            return Repeated::default();
        }
        let bytes = &message[message.len() - self.first_left..message.len() - self.last_left];
        Repeated { bytes, key: bytes_key(field), count: self.count }
    }
}
