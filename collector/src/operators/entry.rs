//! A line on its way through operators, and how it is written as a LogRecord.

use std::borrow::Cow;

use weir_proto::otlp::{
    logs::{IMPLIED_FIELD, Implied, LineIds},
    wire::Writer,
};

use super::{Fields, Value, json};

/// Where a line came from: the file as its reader numbers it, and the bytes that it took there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Whose number.
    pub file: u64,
    /// Its first byte.
    pub start: u64,
    /// Where the next line begins.
    pub end: u64,
}

/// Attributes that are the fields of the body, and not among the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unwritten<'a> {
    /// Those that operators look at.
    pub looked_at: Fields<'a>,
    /// What the line belongs to by them, where somebody has looked.
    pub ids: Option<LineIds>,
}

/// A line on its way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry<'a> {
    /// When it happened, Unix ns; 0 when nobody has said.
    pub time_ns: u64,
    /// When it was read, Unix ns.
    pub observed_ns: u64,
    /// OTLP's number, 0 for none.
    pub severity_number: u8,
    /// What it was called.
    pub severity_text: Cow<'a, str>,
    /// What it says.
    pub body: Value<'a>,
    /// What is known of it.
    pub attributes: Fields<'a>,
    /// Set where the body is a JSON object whose fields are attributes, too.
    pub unwritten: Option<Unwritten<'a>>,
    /// What is known of who wrote it.
    pub resource: Fields<'a>,
    /// The scope's name.
    pub scope_name: Cow<'a, str>,
    /// 16 bytes, or nothing.
    pub trace_id: Option<[u8; 16]>,
    /// 8 bytes, or nothing.
    pub span_id: Option<[u8; 8]>,
    /// W3C's.
    pub trace_flags: Option<u8>,
    /// The path of its file, whether or not an attribute says so.
    pub path: Cow<'a, str>,
    /// Where it came from.
    pub origin: Origin,
    /// Where further parts of it came from.
    pub parts: Vec<Origin>,
}

impl<'a> Entry<'a> {
    /// A line as it was read.
    pub fn of_body(body: Value<'a>, observed_ns: u64) -> Self {
        Self { body, observed_ns, ..Self::default() }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Entry<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Entry {
            time_ns: self.time_ns,
            observed_ns: self.observed_ns,
            severity_number: self.severity_number,
            severity_text: owned(self.severity_text),
            body: self.body.into_owned(),
            attributes: self.attributes.into_owned(),
            unwritten: self
                .unwritten
                .map(|Unwritten { looked_at, ids }| Unwritten { looked_at: looked_at.into_owned(), ids }),
            resource: self.resource.into_owned(),
            scope_name: owned(self.scope_name),
            trace_id: self.trace_id,
            span_id: self.span_id,
            trace_flags: self.trace_flags,
            path: owned(self.path),
            origin: self.origin,
            parts: self.parts,
        }
    }

    /// Makes attributes of the body's fields that are none yet.
    pub fn write_out(&mut self) {
        if self.unwritten.take().is_none() {
            return;
        }
        let fields = match &self.body {
            Value::Text(Cow::Borrowed(text)) => json::parse_object(text),
            Value::Text(Cow::Owned(text)) => json::parse_object(text).map(Fields::into_owned),
            _ => return,
        };
        self.attributes.merge(fields.unwrap_or_default());
    }

    /// Its bytes, without the few that say how it is parted.
    pub fn bytes(&self) -> usize {
        self.body.bytes() + self.attributes.bytes() + self.resource.bytes()
    }

    /// Everything that it is made of.
    pub fn origins(&self) -> impl Iterator<Item = Origin> {
        std::iter::once(self.origin).chain(self.parts.iter().copied())
    }

    /// Writes a LogRecord, without the resource, in the order in which scans expect fields.
    pub fn write(&self, out: &mut Writer, field: u32) {
        let record = out.begin(field, 2);
        if self.time_ns > 0 {
            out.fixed64(1, self.time_ns);
        }
        if self.severity_number > 0 {
            out.varint(2, u64::from(self.severity_number));
        }
        if !self.severity_text.is_empty() {
            out.bytes(3, self.severity_text.as_bytes());
        }
        if self.body != Value::Null {
            let body = out.begin(5, 2);
            self.body.write(out);
            out.end(body);
        }
        self.attributes.write(out, 6);
        if let Some(flags) = self.trace_flags {
            out.fixed32(8, u32::from(flags));
        }
        let ids = self.unwritten.as_ref().and_then(|unwritten| unwritten.ids).unwrap_or_default();
        if let Some(id) = ids.trace.map(|id| id.0).or(self.trace_id) {
            out.bytes(9, &id);
        }
        if let Some(id) = ids.span.map(|id| id.0).or(self.span_id) {
            out.bytes(10, &id);
        }
        out.fixed64(11, self.observed_ns);
        if let Some(unwritten) = &self.unwritten {
            let implied = if unwritten.ids.is_some() { Implied::WithIds } else { Implied::WithoutIds };
            out.varint(IMPLIED_FIELD, implied.number().unwrap_or_default());
        }
        out.end(record);
    }
}
