//! Rows as OTLP JSON: protobuf's JSON mapping with ids in hex and enums as numbers; in Weir's own answers each span with its `state`
//! and where its time went.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>. Written by hand because the generated types
//! write NaN as null and have no place for the state. Fields with their default value are left out.

mod lines;

use std::{collections::HashMap, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use prost::Message;
use serde::{Serialize, Serializer, ser::SerializeMap};
use weir_proto::{
    SpanId, TraceId,
    ids::hex,
    otlp::messages::{
        common::v1::{self as common, any_value},
        trace::v1 as otlp,
    },
};
use weir_store::{LineRecord, SpanRecord, SpanState};

use self::lines::{BySpan, Line};
use crate::{
    critical_path::SpanTime,
    trace::{by_key, non_finite, parent_id},
};

/// What is shown beside what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail<'a> {
    /// Each span's state, count and times, in fields that OTLP does not have.
    Times(&'a [SpanTime]),
    /// State and count as attributes; nothing that Jaeger's UI refuses a whole trace for: values and links that are empty.
    Jaeger,
    /// Nothing.
    Raw,
}

/// The rows by resource and scope, in the order in which these first occur.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TracesData<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
    /// Not OTLP: lines of the trace that belong to none of the spans shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Line<'a>>,
    /// Not OTLP: lines beyond `query.spans_max`, at least.
    #[serde(skip_serializing_if = "is_default")]
    logs_left_out: usize,
    /// Not OTLP: spans beyond `query.spans_max`, at least.
    #[serde(skip_serializing_if = "is_default")]
    spans_left_out: usize,
    /// Not OTLP: more of the trace is in a segment that cannot be read.
    #[serde(skip_serializing_if = "is_default")]
    is_damaged: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
struct ScopeSpans<'a> {
    scope: Scope<'a>,
    spans: Vec<Span<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    #[serde(skip_serializing_if = "is_default")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    version: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "is_default")]
    parent_span_id: String,
    #[serde(skip_serializing_if = "is_default")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    flags: u32,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_links_count: u32,
    status: Status<'a>,
    /// Not OTLP: `kept` or `pending`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Not OTLP: how many arrived spans it stands for, when not for itself alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    adjusted_count: Option<f64>,
    /// Not OTLP, like those that follow: ns in which none of its children ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    self_time_ns: Option<String>,
    /// ns on the trace's critical path, without what is further down.
    #[serde(skip_serializing_if = "Option::is_none")]
    critical_path_ns: Option<String>,
    /// Whether that path leads through it.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_critical_path: Option<bool>,
    /// Not OTLP: the lines that belong to it, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<Line<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "is_default")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    flags: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    #[serde(skip_serializing_if = "is_default")]
    code: i32,
    #[serde(skip_serializing_if = "is_default")]
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Attribute<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

#[derive(Debug)]
enum AnyValue<'a> {
    Empty,
    Of(&'a any_value::Value),
    /// A text that is no attribute's.
    Text(&'a str),
    Double(f64),
}

impl<'a> TracesData<'a> {
    /// Groups rows; `left_out` further spans, at least, are only counted.
    pub(super) fn of(rows: &'a [SpanRecord], detail: Detail<'_>, left_out: usize, is_damaged: bool) -> Self {
        let mut resource_spans: Vec<ResourceSpans<'a>> = Vec::new();
        let (mut resources, mut scopes) = (Places::default(), Places::default());
        let mut scope_positions: HashMap<(usize, usize), usize> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            let resource = resources.of(&row.resource, |resource| {
                resource.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            });
            if resource == resource_spans.len() {
                let resource = Resource {
                    attributes: attributes(&row.resource.attributes),
                    dropped_attributes_count: row.resource.dropped_attributes_count,
                };
                resource_spans.push(ResourceSpans { resource, scope_spans: Vec::new() });
            }
            let group = &mut resource_spans[resource].scope_spans;
            let scope = scopes.of(&row.scope, |scope| scope.attributes.sort_by(|a, b| a.key.cmp(&b.key)));
            let position = *scope_positions.entry((resource, scope)).or_insert_with(|| {
                group.push(ScopeSpans { scope: Scope::of(&row.scope), spans: Vec::new() });
                group.len() - 1
            });
            let mut span = Span::of(row, detail == Detail::Jaeger);
            match detail {
                Detail::Times(times) => span.with_times(row, &times[at]),
                Detail::Jaeger => span.with_tags(row),
                Detail::Raw => {}
            }
            group[position].spans.push(span);
        }
        Self { resource_spans, spans_left_out: left_out, is_damaged, ..Self::default() }
    }

    /// Puts lines beside their spans; `left_out` further ones, at least, are only counted.
    pub(super) fn with_lines(mut self, lines: &'a [LineRecord], left_out: usize) -> Self {
        let mut lines = BySpan::of(lines);
        let groups = self.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        for span in groups.flat_map(|scope| &mut scope.spans) {
            span.logs = lines.take(&span.span_id);
        }
        self.logs = lines.rest();
        self.logs_left_out = left_out;
        self
    }

    /// Adds another trace's, whose resources stay its own.
    pub(super) fn append(&mut self, mut other: Self) {
        self.resource_spans.append(&mut other.resource_spans);
    }
}

/// Numbers equal messages alike, from 0, in the order in which they first occur.
struct Places<M> {
    /// Rows of one batch share theirs: no need to encode it again to know it.
    by_address: HashMap<*const M, usize>,
    by_content: HashMap<Vec<u8>, usize>,
}

impl<M> Default for Places<M> {
    fn default() -> Self {
        Self { by_address: HashMap::new(), by_content: HashMap::new() }
    }
}

impl<M: Message + Clone> Places<M> {
    fn of(&mut self, message: &Arc<M>, sort: impl FnOnce(&mut M)) -> usize {
        if let Some(&place) = self.by_address.get(&Arc::as_ptr(message)) {
            return place;
        }
        let mut sorted = message.as_ref().clone();
        sort(&mut sorted);
        let next = self.by_content.len();
        let place = *self.by_content.entry(sorted.encode_to_vec()).or_insert(next);
        self.by_address.insert(Arc::as_ptr(message), place);
        place
    }
}

impl<'a> Scope<'a> {
    fn of(scope: &'a common::InstrumentationScope) -> Self {
        Self {
            name: &scope.name,
            version: &scope.version,
            attributes: attributes(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes_count,
        }
    }
}

impl<'a> Span<'a> {
    /// As it came; if `strict`, without what is empty in it.
    fn of(row: &'a SpanRecord, strict: bool) -> Self {
        let span = &row.span;
        let links = span.links.iter().filter(|link| !strict || is_whole(link));
        Self {
            trace_id: hex(&span.trace_id),
            span_id: hex(&span.span_id),
            parent_span_id: hex(parent_id(span)),
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: span.kind,
            start_time_unix_nano: span.start_time_unix_nano.to_string(),
            end_time_unix_nano: span.end_time_unix_nano.to_string(),
            attributes: attributes(&span.attributes),
            dropped_attributes_count: span.dropped_attributes_count,
            events: span.events.iter().map(Event::of).collect(),
            dropped_events_count: span.dropped_events_count,
            links: links.map(Link::of).collect(),
            dropped_links_count: span.dropped_links_count,
            status: Status {
                code: span.status.as_ref().map_or(0, |status| status.code),
                message: span.status.as_ref().map_or("", |status| &status.message),
            },
            state: None,
            adjusted_count: None,
            self_time_ns: None,
            critical_path_ns: None,
            on_critical_path: None,
            logs: Vec::new(),
        }
        .without_empty(strict)
    }

    /// Empty values as empty text, as Jaeger's other API shows them.
    fn without_empty(mut self, strict: bool) -> Self {
        if strict {
            let of_events = self.events.iter_mut().flat_map(|event| &mut event.attributes);
            let of_links = self.links.iter_mut().flat_map(|link| &mut link.attributes);
            for attribute in self.attributes.iter_mut().chain(of_events).chain(of_links) {
                if matches!(attribute.value, AnyValue::Empty) {
                    attribute.value = AnyValue::Text("");
                }
            }
        }
        self
    }

    fn with_times(&mut self, row: &SpanRecord, time: &SpanTime) {
        self.state = Some(match row.state {
            SpanState::Pending => "pending",
            SpanState::Kept => "kept",
        });
        self.adjusted_count = (row.adjusted_count != 1.0).then_some(row.adjusted_count);
        self.self_time_ns = Some(time.self_ns.to_string());
        self.critical_path_ns = Some(time.critical_path_ns.to_string());
        self.on_critical_path = Some(time.on_critical_path);
    }

    fn with_tags(&mut self, row: &SpanRecord) {
        if row.state == SpanState::Pending {
            self.attributes.push(Attribute { key: "weir.state", value: AnyValue::Text("pending") });
        }
        if row.adjusted_count != 1.0 {
            self.attributes.push(Attribute { key: "weir.adjusted_count", value: AnyValue::Double(row.adjusted_count) });
        }
    }
}

/// Whether it leads to a span.
fn is_whole(link: &otlp::span::Link) -> bool {
    TraceId::from_wire(&link.trace_id).is_some() && SpanId::from_wire(&link.span_id).is_some()
}

impl<'a> Event<'a> {
    fn of(event: &'a otlp::span::Event) -> Self {
        Self {
            time_unix_nano: event.time_unix_nano.to_string(),
            name: &event.name,
            attributes: attributes(&event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        }
    }
}

impl<'a> Link<'a> {
    fn of(link: &'a otlp::span::Link) -> Self {
        Self {
            trace_id: hex(&link.trace_id),
            span_id: hex(&link.span_id),
            trace_state: &link.trace_state,
            flags: link.flags,
            attributes: attributes(&link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
        }
    }
}

fn attributes(attributes: &[common::KeyValue]) -> Vec<Attribute<'_>> {
    by_key(attributes).into_iter().map(attribute).collect()
}

fn attribute(attribute: &common::KeyValue) -> Attribute<'_> {
    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
    Attribute { key: &attribute.key, value: AnyValue::of(value) }
}

impl<'a> AnyValue<'a> {
    fn of(value: Option<&'a any_value::Value>) -> Self {
        value.map_or(Self::Empty, Self::Of)
    }
}

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let value = match *self {
            Self::Empty => return map.end(),
            Self::Text(text) => {
                map.serialize_entry("stringValue", text)?;
                return map.end();
            }
            Self::Double(value) => {
                map.serialize_entry("doubleValue", &value)?;
                return map.end();
            }
            Self::Of(value) => value,
        };
        match value {
            any_value::Value::StringValueStrindex(_) => {}
            any_value::Value::StringValue(text) => map.serialize_entry("stringValue", text)?,
            any_value::Value::BoolValue(value) => map.serialize_entry("boolValue", value)?,
            any_value::Value::IntValue(value) => map.serialize_entry("intValue", &value.to_string())?,
            any_value::Value::DoubleValue(value) => match non_finite(*value) {
                Some(name) => map.serialize_entry("doubleValue", name)?,
                None => map.serialize_entry("doubleValue", value)?,
            },
            any_value::Value::BytesValue(bytes) => {
                map.serialize_entry("bytesValue", &BASE64_STANDARD.encode(bytes))?;
            }
            any_value::Value::ArrayValue(array) => {
                let values = array.values.iter().map(|value| AnyValue::of(value.value.as_ref())).collect();
                map.serialize_entry("arrayValue", &Values { values })?;
            }
            any_value::Value::KvlistValue(list) => {
                let values: Vec<_> = list.values.iter().map(attribute).collect();
                map.serialize_entry("kvlistValue", &Values { values })?;
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Values<T> {
    values: Vec<T>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
