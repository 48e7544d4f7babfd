//! Writes log records one after the other as an ExportLogsServiceRequest in canonical form, whatever they came as.

use crate::{
    json::Reader,
    otlp::wire::{OpenMessage, Writer},
};

/// Lists and objects in each other that become such values; what is deeper is JSON text.
const NESTING_MAX: usize = 32;

/// Attributes, encoded one after the other.
#[derive(Debug)]
pub struct Pairs {
    field: u32,
    out: Writer,
}

impl Pairs {
    /// Attributes of a record.
    pub fn of_record() -> Self {
        Self { field: 6, out: Writer::default() }
    }

    /// Attributes of a resource.
    pub fn of_resource() -> Self {
        Self { field: 1, out: Writer::default() }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.out.len() == 0
    }

    /// Takes out those that were written from `from` to `to`, as [`Self::len`] told.
    pub fn take_out(&mut self, from: usize, to: usize) {
        self.out.take_out(from, to);
    }

    fn pair(&mut self, key: &[u8], value: impl FnOnce(&mut Writer)) {
        let pair = self.out.begin(self.field, 1);
        self.out.bytes(1, key);
        let any = self.out.begin(2, 1);
        value(&mut self.out);
        self.out.end(any);
        self.out.end(pair);
    }

    /// A text.
    pub fn text(&mut self, key: &[u8], value: &[u8]) {
        self.pair(key, |out| out.bytes(1, value));
    }

    /// true or false.
    pub fn boolean(&mut self, key: &[u8], value: bool) {
        self.pair(key, |out| out.varint(2, value.into()));
    }

    /// A whole number.
    pub fn int(&mut self, key: &[u8], value: i64) {
        self.pair(key, |out| out.varint(3, value as u64));
    }

    /// A number as JSON writes it: whole, else a double; what neither holds exactly enough stays text.
    pub fn number(&mut self, key: &[u8], text: &[u8]) {
        self.pair(key, |out| number(out, text));
    }

    /// A list or an object as JSON writes it.
    pub fn json(&mut self, key: &[u8], text: &[u8]) {
        self.pair(key, |out| {
            let begun_at = out.len();
            if value(out, &mut Reader::new(text), 0).is_none() {
                out.truncate(begun_at);
                out.bytes(1, text);
            }
        });
    }

    /// A map of maps of texts, written by `members`.
    pub fn map(&mut self, key: &[u8], members: impl FnOnce(&mut Members<'_>)) {
        self.pair(key, |out| {
            let list = out.begin(6, 1);
            members(&mut Members { out: &mut *out });
            out.end(list);
        });
    }
}

/// The members of a map under way.
#[derive(Debug)]
pub struct Members<'w> {
    out: &'w mut Writer,
}

impl Members<'_> {
    /// A text.
    pub fn text(&mut self, key: &[u8], value: &[u8]) {
        let pair = self.out.begin(1, 1);
        self.out.bytes(1, key);
        let any = self.out.begin(2, 1);
        self.out.bytes(1, value);
        self.out.end(any);
        self.out.end(pair);
    }

    /// A map in it.
    pub fn map(&mut self, key: &[u8], members: impl FnOnce(&mut Members<'_>)) {
        let pair = self.out.begin(1, 1);
        self.out.bytes(1, key);
        let any = self.out.begin(2, 1);
        let list = self.out.begin(6, 1);
        members(&mut Members { out: &mut *self.out });
        self.out.end(list);
        self.out.end(any);
        self.out.end(pair);
    }
}

/// Writes a number into an AnyValue.
fn number(out: &mut Writer, text: &[u8]) {
    let Ok(digits) = std::str::from_utf8(text) else { return out.bytes(1, text) };
    if let Ok(whole) = digits.parse::<i64>() {
        return out.varint(3, whole as u64);
    }
    let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    match digits.parse::<f64>() {
        Ok(double) if double.is_finite() && !is_whole => out.fixed64(4, double.to_bits()),
        _ => out.bytes(1, text),
    }
}

/// Writes the next JSON value into an AnyValue; `None` when it is nested too deep, or none.
fn value(out: &mut Writer, reader: &mut Reader<'_>, depth: usize) -> Option<()> {
    if depth >= NESTING_MAX {
        return None;
    }
    match reader.peek()? {
        b'"' => out.bytes(1, &reader.string().ok()?),
        b't' | b'f' => out.varint(2, reader.boolean().ok()?.into()),
        b'[' => {
            let list = out.begin(5, 1);
            let mut items = reader.list().ok()?;
            while reader.item(&mut items).ok()? {
                let any = out.begin(1, 1);
                if !reader.null() {
                    value(out, reader, depth + 1)?;
                }
                out.end(any);
            }
            out.end(list);
        }
        b'{' => {
            let list = out.begin(6, 1);
            let mut members = reader.object().ok()?;
            while let Some(key) = reader.key(&mut members).ok()? {
                let pair = out.begin(1, 1);
                out.bytes(1, &key);
                let any = out.begin(2, 1);
                value(out, reader, depth + 1)?;
                out.end(any);
                out.end(pair);
            }
            out.end(list);
        }
        _ => number(out, reader.number().ok()?),
    }
    Some(())
}

/// A record to write.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    /// When it happened, Unix ns; 0 when nobody knows.
    pub time_ns: u64,
    /// OTLP's SeverityNumber, 0 when unknown.
    pub severity_number: u8,
    /// The severity in its source's words.
    pub severity_text: &'a [u8],
    /// A text.
    pub body: &'a [u8],
    /// 16 bytes, or none.
    pub trace_id: &'a [u8],
    /// 8 bytes, or none.
    pub span_id: &'a [u8],
}

/// An ExportLogsServiceRequest under way. Records of one resource that follow each other share it.
#[derive(Debug)]
pub struct RequestWriter {
    out: Writer,
    scope: &'static str,
    /// The open resource's attributes, to know it by.
    resource: Vec<u8>,
    open: Option<(OpenMessage, OpenMessage)>,
}

impl RequestWriter {
    /// Begins a request in a scope of this name; `bytes` are about how long it gets.
    pub fn new(scope: &'static str, bytes: usize) -> Self {
        Self { out: Writer::with_capacity(bytes), scope, resource: Vec::new(), open: None }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.out.len() == 0
    }

    /// Writes a record of this resource, with these attributes.
    pub fn record(&mut self, resource: &Pairs, record: Written<'_>, attributes: &Pairs) {
        if self.open.is_none() || self.resource != resource.out.written() {
            self.begin(resource);
        }
        let out = &mut self.out;
        let line = out.begin(2, 2);
        if record.time_ns > 0 {
            out.fixed64(1, record.time_ns);
        }
        if record.severity_number > 0 {
            out.varint(2, record.severity_number.into());
        }
        if !record.severity_text.is_empty() {
            out.bytes(3, record.severity_text);
        }
        let body = out.begin(5, 2);
        out.bytes(1, record.body);
        out.end(body);
        out.append(attributes.out.written());
        if !record.trace_id.is_empty() {
            out.bytes(9, record.trace_id);
        }
        if !record.span_id.is_empty() {
            out.bytes(10, record.span_id);
        }
        out.end(line);
    }

    fn begin(&mut self, resource: &Pairs) {
        self.close();
        self.resource.clear();
        self.resource.extend_from_slice(resource.out.written());
        let resource_logs = self.out.begin(1, 3);
        let open = self.out.begin(1, 1);
        self.out.append(resource.out.written());
        self.out.end(open);
        let scope_logs = self.out.begin(2, 3);
        let scope = self.out.begin(1, 1);
        self.out.bytes(1, self.scope.as_bytes());
        self.out.end(scope);
        self.open = Some((resource_logs, scope_logs));
    }

    fn close(&mut self) {
        if let Some((resource_logs, scope_logs)) = self.open.take() {
            self.out.end(scope_logs);
            self.out.end(resource_logs);
        }
    }

    /// The whole request.
    pub fn finish(mut self) -> Vec<u8> {
        self.close();
        self.out.into_bytes()
    }
}
