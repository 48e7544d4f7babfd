//! Writes OTLP protobuf and notes where the values lie that change from copy to copy.

/// What is written over in each copy. Every kind has a fixed width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The trace's user: six digits of 100,000 users.
    User,
    /// The trace's order: 16 hex digits, unique.
    Order,
    /// A product: six digits of 50,000.
    Product,
    /// 16 hex digits of the span's own, unique.
    Message,
    /// A three byte varint between 2^14 and 2^21.
    Count,
    /// A double between 1 and 1,000 with two decimals.
    Money,
    /// A time this many ns after the start of the trace, stretched as the trace is.
    Time(u32),
    /// A linked trace's id.
    LinkedTrace,
    /// A linked span's id.
    LinkedSpan,
}

/// A place that is written over.
#[derive(Debug, Clone, Copy)]
pub struct Patch {
    /// In bytes.
    pub position: u32,
    /// What is written there.
    pub kind: Kind,
}

/// Bytes being written, with their patches.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Ascending by position.
    pub patches: Vec<Patch>,
}

/// An attribute's value.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Plain text.
    Text(&'a str),
    /// Text around a part that changes.
    Patched(&'a str, Kind, &'a str),
    /// An integer.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Changes as a whole.
    Changing(Kind),
}

impl Writer {
    /// A base 128 varint.
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A field of bytes or text.
    pub fn bytes_field(&mut self, field: u32, value: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// A field of a number.
    pub fn varint_field(&mut self, field: u32, value: u64) {
        self.varint(u64::from(field) << 3);
        self.varint(value);
    }

    /// A fixed field of 8 bytes, zeros; returns where they lie.
    pub fn fixed64_field(&mut self, field: u32) -> u32 {
        self.varint(u64::from(field) << 3 | 1);
        self.blank(8)
    }

    /// A fixed field of 4 bytes.
    pub fn fixed32_field(&mut self, field: u32, value: u32) {
        self.varint(u64::from(field) << 3 | 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A bytes field of zeros; returns where they lie.
    pub fn blank_field(&mut self, field: u32, len: usize) -> u32 {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(len as u64);
        self.blank(len)
    }

    fn blank(&mut self, len: usize) -> u32 {
        let position = self.bytes.len() as u32;
        self.bytes.resize(self.bytes.len() + len, 0);
        position
    }

    /// A message field, its patches moved along.
    pub fn message_field(&mut self, field: u32, message: &Writer) -> u32 {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(message.bytes.len() as u64);
        let base = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&message.bytes);
        for patch in &message.patches {
            self.patches.push(Patch { position: base + patch.position, kind: patch.kind });
        }
        base
    }

    /// A time so long after the trace's start.
    pub fn time_field(&mut self, field: u32, after_ns: u32) {
        let position = self.fixed64_field(field);
        self.patches.push(Patch { position, kind: Kind::Time(after_ns) });
    }

    /// A field that changes as a whole.
    pub fn patched_field(&mut self, field: u32, kind: Kind) {
        let position = self.blank_field(field, kind.width());
        self.patches.push(Patch { position, kind });
    }

    /// A KeyValue in `field`.
    pub fn attribute(&mut self, field: u32, key: &str, value: Value<'_>) {
        let mut any = Writer::default();
        match value {
            Value::Text(text) => any.bytes_field(1, text.as_bytes()),
            Value::Patched(before, kind, after) => {
                any.varint(1 << 3 | 2);
                any.varint((before.len() + kind.width() + after.len()) as u64);
                any.bytes.extend_from_slice(before.as_bytes());
                let position = any.blank(kind.width());
                any.patches.push(Patch { position, kind });
                any.bytes.extend_from_slice(after.as_bytes());
            }
            Value::Bool(value) => any.varint_field(2, u64::from(value)),
            Value::Int(value) => any.varint_field(3, value as u64),
            Value::Changing(Kind::Money) => {
                let position = any.fixed64_field(4);
                any.patches.push(Patch { position, kind: Kind::Money });
            }
            Value::Changing(kind) => {
                any.varint(3 << 3);
                let position = any.blank(kind.width());
                any.patches.push(Patch { position, kind });
            }
        }
        let mut pair = Writer::default();
        pair.bytes_field(1, key.as_bytes());
        pair.message_field(2, &any);
        self.message_field(field, &pair);
    }
}

impl Kind {
    /// Bytes that it takes.
    pub fn width(self) -> usize {
        match self {
            Self::User | Self::Product => 6,
            Self::Order | Self::Message | Self::LinkedTrace => 16,
            Self::Count => 3,
            Self::Money | Self::Time(_) | Self::LinkedSpan => 8,
        }
    }
}
