//! One span: read field by field, its tags and annotations written down as they come, the rest at its end.

use std::borrow::Cow;

use super::{
    endpoint::Endpoint,
    ids,
    tags::{ENDPOINT_KEYS, TagFields, Value, attribute},
};
use crate::{
    json::{JsonError, Reader},
    otlp::wire::Writer,
};

/// Span.attributes.
pub(super) const SPAN_ATTRIBUTES: u32 = 9;
const SPAN_EVENTS: u32 = 11;

/// The Collector's mark on spans that came without a timestamp.
const START_ABSENT: &[u8] = b"otel.zipkin.absentField.startTime";

/// Latest time in µs that nanoseconds can say.
const MICROS_MAX: i128 = u64::MAX as i128 / 1000;

/// A span whose attributes and events are written already.
#[derive(Debug, Default)]
pub(super) struct ZipkinSpan<'a> {
    trace_id: Option<[u8; 16]>,
    id: Option<[u8; 8]>,
    parent_id: Option<[u8; 8]>,
    name: Cow<'a, [u8]>,
    kind: Cow<'a, [u8]>,
    start_ns: Option<u64>,
    duration_ns: u64,
    debug: bool,
    local: Endpoint<'a>,
    remote: Endpoint<'a>,
    tags: TagFields<'a>,
    first_event_ns: Option<u64>,
}

/// When a span was, as far as it says, and where that stands in what was written: the ends of its two times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) start_ns: Option<u64>,
    pub(super) duration_ns: u64,
    pub(super) start_end: usize,
    pub(super) end_end: usize,
}

/// What [`ZipkinSpan::read`] knows, by bit: each may be there once.
const FIELDS: [&str; 13] = [
    "traceId",
    "id",
    "parentId",
    "name",
    "kind",
    "timestamp",
    "duration",
    "debug",
    "shared",
    "localEndpoint",
    "remoteEndpoint",
    "annotations",
    "tags",
];

impl<'a> ZipkinSpan<'a> {
    /// Reads a span; attributes and events go to `out`, as fields of an OTLP span.
    pub(super) fn read(reader: &mut Reader<'a>, out: &mut Writer, parse_tags: bool) -> Result<Self, JsonError> {
        let mut span = Self::default();
        let mut seen = 0_u32;
        let mut members = reader.object()?;
        while let Some(key) = reader.key(&mut members)? {
            let Some(index) = FIELDS.iter().position(|name| name.as_bytes() == &*key) else {
                reader.skip()?;
                continue;
            };
            if seen & 1 << index != 0 {
                return Err(JsonError::value(reader.position(), "is there twice").of_field(FIELDS[index]));
            }
            seen |= 1 << index;
            if let Err(error) = span.field(index, reader, out, parse_tags) {
                return Err(error.of_field(FIELDS[index]));
            }
        }
        Ok(span)
    }

    /// Reads the value of `FIELDS[index]`.
    fn field(
        &mut self,
        index: usize,
        reader: &mut Reader<'a>,
        out: &mut Writer,
        parse_tags: bool,
    ) -> Result<(), JsonError> {
        match FIELDS[index] {
            "traceId" => self.trace_id = Some(ids::read(reader)?),
            "id" => self.id = Some(ids::read(reader)?),
            "parentId" => self.parent_id = Some(ids::read(reader)?),
            "name" => self.name = reader.string()?,
            "kind" => self.kind = reader.string()?,
            // 0 is absent, as for Zipkin itself.
            "timestamp" => self.start_ns = Some(nanos(reader)?).filter(|start_ns| *start_ns > 0),
            "duration" => self.duration_ns = nanos(reader)?,
            "debug" => self.debug = reader.boolean()?,
            "shared" => drop(reader.boolean()?),
            "localEndpoint" => self.local = Endpoint::read(reader)?,
            "remoteEndpoint" => self.remote = Endpoint::read(reader)?,
            "annotations" => self.first_event_ns = annotations(reader, out)?,
            _ => self.tags = TagFields::read(reader, out, parse_tags)?,
        }
        Ok(())
    }

    pub(super) fn service(&self) -> &[u8] {
        &self.local.service
    }

    pub(super) fn scope(&self) -> (&[u8], &[u8]) {
        (&self.tags.scope_name, &self.tags.scope_version)
    }

    /// The trace's id; `None` when it is missing, or the span's own.
    pub(super) fn trace_id(&self) -> Option<[u8; 16]> {
        self.id.and(self.trace_id)
    }

    /// The required field that is missing.
    pub(super) fn missing(&self) -> &'static str {
        if self.trace_id.is_none() { "traceId" } else { "id" }
    }

    /// Writes what was not written while it was read.
    pub(super) fn write(&self, out: &mut Writer) -> Times {
        if let (Some(trace_id), Some(id)) = (self.trace_id, self.id) {
            out.bytes(1, &trace_id);
            out.bytes(2, &id);
        }
        if !self.tags.trace_state.is_empty() {
            out.bytes(3, &self.tags.trace_state);
        }
        // Its own parent: what some tracers write for a root.
        if let Some(parent_id) = self.parent_id.filter(|parent_id| Some(*parent_id) != self.id) {
            out.bytes(4, &parent_id);
        }
        if !self.name.is_empty() {
            out.bytes(5, &self.name);
        }
        self.write_kind(out);
        let start_ns = self.start_ns.or(self.first_event_ns);
        let start = start_ns.unwrap_or(0);
        out.fixed64(7, start);
        let start_end = out.len();
        out.fixed64(8, start.saturating_add(self.duration_ns));
        let end_end = out.len();
        self.write_endpoints(out);
        if self.start_ns.is_none() {
            attribute(out, START_ABSENT, &Value::Bool(true));
        }
        if self.debug {
            attribute(out, b"zipkin.debug", &Value::Bool(true));
        }
        self.write_status(out);
        Times { start_ns, duration_ns: self.duration_ns, start_end, end_end }
    }

    /// Without a kind it is UNSPECIFIED, unless the tag `span.kind` knows it.
    fn write_kind(&self, out: &mut Writer) {
        let named = |name: &[u8]| match name.to_ascii_uppercase().as_slice() {
            b"INTERNAL" => 1,
            b"SERVER" => 2,
            b"CLIENT" => 3,
            b"PRODUCER" => 4,
            b"CONSUMER" => 5,
            _ => 0,
        };
        let own = named(&self.kind);
        let tag = self.tags.span_kind.as_deref();
        let tagged = tag.map_or(0, named);
        let kind = if own == 0 { tagged } else { own };
        if kind != 0 {
            out.varint(6, kind);
        }
        // A tag that says something else, or nothing that we know, is kept.
        if let Some(tag) = tag
            && (tagged == 0 || tagged != kind)
        {
            attribute(out, b"span.kind", &Value::Text(tag));
        }
    }

    fn write_endpoints(&self, out: &mut Writer) {
        let values = [
            Value::Text(&self.local.address),
            Value::Int(self.local.port.into()),
            Value::Text(&self.remote.service),
            Value::Text(&self.remote.address),
            Value::Int(self.remote.port.into()),
        ];
        for ((key, value), given) in ENDPOINT_KEYS.iter().zip(values).zip(self.tags.given) {
            if !given && !matches!(value, Value::Text([]) | Value::Int(0)) {
                attribute(out, key.as_bytes(), &value);
            }
        }
    }

    /// The tag `otel.status_code` decides; without it the tag `error` means ERROR, whatever it says but `false`.
    fn write_status(&self, out: &mut Writer) {
        let TagFields { error, status_code, status_description, .. } = &self.tags;
        let code = match status_code.as_deref() {
            Some(b"OK" | b"STATUS_CODE_OK") => 1,
            Some(b"ERROR" | b"STATUS_CODE_ERROR") => 2,
            Some(b"UNSET" | b"STATUS_CODE_UNSET") => 0,
            other => {
                if let Some(unknown) = other {
                    attribute(out, b"otel.status_code", &Value::Text(unknown));
                }
                if error.as_deref().is_some_and(|text| text != b"false") { 2 } else { 0 }
            }
        };
        if let Some(text) = error.as_deref()
            && (text != b"true" || code != 2)
        {
            attribute(out, b"error", &Value::Text(text));
        }
        let message = match (status_description.as_deref(), error.as_deref()) {
            (Some(description), _) => description,
            (None, Some(text)) if code == 2 && text != b"true" => text,
            _ => &[],
        };
        if code == 0 && message.is_empty() {
            return;
        }
        let status = out.begin(15, 1);
        if !message.is_empty() {
            out.bytes(2, message);
        }
        if code != 0 {
            out.varint(3, code);
        }
        out.end(status);
    }
}

/// A time or duration in µs, as ns.
fn nanos(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    reader.integer(0, MICROS_MAX).map(|micros| micros as u64 * 1000)
}

/// Writes each annotation as an event; the earliest one's time.
fn annotations(reader: &mut Reader<'_>, out: &mut Writer) -> Result<Option<u64>, JsonError> {
    let mut first_ns: Option<u64> = None;
    let mut items = reader.list()?;
    while reader.item(&mut items)? {
        let event = out.begin(SPAN_EVENTS, 1);
        let mut members = reader.object()?;
        let (mut timed, mut named) = (false, false);
        while let Some(key) = reader.key(&mut members)? {
            match &*key {
                b"timestamp" if !timed => {
                    timed = true;
                    let time_ns = nanos(reader)?;
                    out.fixed64(1, time_ns);
                    first_ns = Some(first_ns.map_or(time_ns, |first| first.min(time_ns)));
                }
                b"value" if !named => {
                    named = true;
                    out.bytes(2, &reader.string()?);
                }
                _ => reader.skip()?,
            }
        }
        out.end(event);
    }
    Ok(first_ns.filter(|first| *first > 0))
}
