//! A trace's lines as OTLP JSON, each beside the span that it belongs to.

use std::collections::HashMap;

use serde::Serialize;
use weir_proto::{
    ids::hex,
    otlp::{UNKNOWN_SERVICE, messages::common::v1::any_value},
};
use weir_store::LineRecord;

use super::{AnyValue, Attribute, attributes, is_default};

/// A LogRecord. Fields with their default value are left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    #[serde(skip)]
    time_ns: u64,
    /// When it happened, else when it was observed, else when it was received.
    time_unix_nano: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_time_unix_nano: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    severity_number: i32,
    #[serde(skip_serializing_if = "is_default")]
    severity_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<AnyValue<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    event_name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "is_default")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_default")]
    flags: u32,
    trace_id: String,
    #[serde(skip_serializing_if = "is_default")]
    span_id: String,
    /// Not OTLP, where resource and scope stand above their lines: the resource's service.
    service: &'a str,
    /// Not OTLP: the scope's name.
    #[serde(skip_serializing_if = "is_default")]
    scope: &'a str,
}

impl<'a> Line<'a> {
    fn of(row: &'a LineRecord) -> Self {
        let line = &row.line;
        let observed_ns = line.observed_time_unix_nano;
        Self {
            time_ns: row.time_ns,
            time_unix_nano: row.time_ns.to_string(),
            observed_time_unix_nano: (observed_ns != 0).then(|| observed_ns.to_string()),
            severity_number: line.severity_number,
            severity_text: &line.severity_text,
            body: line.body.as_ref().map(|body| AnyValue::of(body.value.as_ref())),
            event_name: &line.event_name,
            attributes: attributes(&line.attributes),
            dropped_attributes_count: line.dropped_attributes_count,
            flags: line.flags,
            trace_id: hex(&line.trace_id),
            span_id: hex(&line.span_id),
            service: service(row),
            scope: &row.scope.name,
        }
    }
}

fn service(row: &LineRecord) -> &str {
    let named = row.resource.attributes.iter().filter(|attribute| attribute.key == "service.name");
    let texts = named.filter_map(|attribute| match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(name) if !name.is_empty() => Some(name.as_str()),
        _ => None,
    });
    texts.into_iter().next().unwrap_or(UNKNOWN_SERVICE)
}

/// Lines by the id of their span in hex, in the order in which they are given.
#[derive(Debug, Default)]
pub(super) struct BySpan<'a>(HashMap<String, Vec<Line<'a>>>);

impl<'a> BySpan<'a> {
    pub(super) fn of(rows: &'a [LineRecord]) -> Self {
        let mut lines: HashMap<String, Vec<Line<'a>>> = HashMap::new();
        for line in rows.iter().map(Line::of) {
            lines.entry(line.span_id.clone()).or_default().push(line);
        }
        Self(lines)
    }

    /// The lines of a span, which are then taken.
    pub(super) fn take(&mut self, span_id: &str) -> Vec<Line<'a>> {
        self.0.remove(span_id).unwrap_or_default()
    }

    /// Those that no span took, oldest first.
    pub(super) fn rest(self) -> Vec<Line<'a>> {
        let mut rest: Vec<Line<'a>> = self.0.into_values().flatten().collect();
        rest.sort_by_key(|line| line.time_ns);
        rest
    }
}
