//! Writes protobuf into one buffer, messages in each other included.

use super::{bytes_key, fixed32_key, fixed64_key, varint_key};

/// Encoded fields, one after the other.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

/// A message whose length is not known yet.
#[derive(Debug)]
pub struct OpenMessage {
    length_at: usize,
    content_at: usize,
}

impl Writer {
    /// Room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        &self.out
    }

    /// All of it.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Takes back what was written from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// Forgets what was written, not its memory.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// A number without a key.
    #[inline]
    pub fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    /// A varint field.
    #[inline]
    pub fn varint(&mut self, field: u32, value: u64) {
        self.raw_varint(varint_key(field).into());
        self.raw_varint(value);
    }

    /// A field of eight bytes.
    #[inline]
    pub fn fixed64(&mut self, field: u32, value: u64) {
        self.raw_varint(fixed64_key(field).into());
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A field of four bytes.
    #[inline]
    pub fn fixed32(&mut self, field: u32, value: u32) {
        self.raw_varint(fixed32_key(field).into());
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A string, bytes or a message that was written elsewhere.
    #[inline]
    pub fn bytes(&mut self, field: u32, content: &[u8]) {
        self.begin_bytes(field, content.len()).extend_from_slice(content);
    }

    /// Fields that were written elsewhere.
    pub fn append(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// Begins a field of `len` bytes, which the caller appends.
    #[inline]
    pub fn begin_bytes(&mut self, field: u32, len: usize) -> &mut Vec<u8> {
        self.raw_varint(bytes_key(field).into());
        self.raw_varint(len as u64);
        &mut self.out
    }

    /// A KeyValue whose value is a text.
    #[inline]
    pub fn text_pair(&mut self, field: u32, name: &[u8], text: &[u8]) {
        /// Lengths of both with which these, and that of the pair, take one byte each.
        const SHORT_BYTES: usize = 120;

        if name.len() + text.len() < SHORT_BYTES {
            let out = self.begin_bytes(field, name.len() + text.len() + 6);
            out.extend_from_slice(&[0x0a, name.len() as u8]);
            out.extend_from_slice(name);
            out.extend_from_slice(&[0x12, text.len() as u8 + 2, 0x0a, text.len() as u8]);
            out.extend_from_slice(text);
            return;
        }
        let pair = self.begin(field, 2);
        self.bytes(1, name);
        let any = self.begin(2, 2);
        self.bytes(1, text);
        self.end(any);
        self.end(pair);
    }

    /// Begins a message whose length probably takes `length_bytes` bytes; any other length moves its content.
    #[inline]
    pub fn begin(&mut self, field: u32, length_bytes: usize) -> OpenMessage {
        self.raw_varint(bytes_key(field).into());
        let length_at = self.out.len();
        self.out.resize(length_at + length_bytes, 0);
        OpenMessage { length_at, content_at: length_at + length_bytes }
    }

    /// Ends a message with what was written since.
    #[inline]
    pub fn end(&mut self, message: OpenMessage) {
        let OpenMessage { length_at, content_at } = message;
        let content_end = self.out.len();
        let mut length = content_end - content_at;
        let length_bytes = varint_len(length as u64);
        let content_to = length_at + length_bytes;
        if content_to != content_at {
            self.out.resize(content_end.max(content_to + length), 0);
            self.out.copy_within(content_at..content_end, content_to);
            self.out.truncate(content_to + length);
        }
        for byte in &mut self.out[length_at..content_to - 1] {
            *byte = length as u8 | 0x80;
            length >>= 7;
        }
        self.out[content_to - 1] = length as u8;
    }

    /// Takes out what was written from `from` to `to`.
    pub(crate) fn take_out(&mut self, from: usize, to: usize) {
        self.out.drain(from..to);
    }

    /// Puts what was written from `from` on in front of what was written from `to` on.
    pub fn move_forward(&mut self, from: usize, to: usize) {
        let moved = self.out.len() - from;
        self.out[to..].rotate_right(moved);
    }

    /// Writes other eight bytes over a fixed64 whose content ends at `end`.
    pub fn overwrite_fixed64(&mut self, end: usize, value: u64) {
        self.out[end - 8..end].copy_from_slice(&value.to_le_bytes());
    }
}

/// Bytes of a varint: seven bits in each.
fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_whatever_was_guessed() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            for guess in 1..=5 {
                let mut writer = Writer::default();
                writer.varint(1, 7);
                let outer = writer.begin(2, guess);
                let content = vec![b'x'; len];
                writer.bytes(5, &content);
                writer.end(outer);
                let mut expected = vec![8, 7];
                let mut inner = Vec::new();
                prost::encoding::bytes::encode(5, &content, &mut inner);
                prost::encoding::bytes::encode(2, &inner, &mut expected);
                assert!(writer.into_bytes() == expected, "{len} guessed {guess}");
            }
        }
    }

    #[test]
    fn what_came_last_can_go_first() {
        let mut writer = Writer::default();
        writer.varint(1, 1);
        let (to, from) = (writer.len(), writer.len() + 2);
        writer.varint(2, 2);
        writer.varint(3, 3);
        writer.move_forward(from, to);
        assert_eq!(writer.into_bytes(), [8, 1, 24, 3, 16, 2]);
    }
}
