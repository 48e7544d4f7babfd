//! Traces written as text, for tests: one span a line, children indented below their parent.
//!
//! `shop/checkout 0..100 client error db.system=redis` is a span `checkout` of the service `shop` from 0 to 100 ns. `id=`, `parent=`, `trace=`
//! and `link=` (a span id, or trace:span) are numbers, `count=` is how many spans it stands for; `r.key=` is an attribute of the resource. Everything else with `=` is an attribute.

use std::sync::Arc;

use weir_proto::otlp::messages::{
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{
        Span, Status,
        span::{Link, SpanKind},
        status::StatusCode,
    },
};
use weir_store::{SpanRecord, SpanState};

use crate::http::fixtures::string;

/// Bytes of an id.
pub(crate) fn span_id(id: u64) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

/// Bytes of a trace's id.
pub(crate) fn trace_id(id: u64) -> Vec<u8> {
    u128::from(id).to_be_bytes().to_vec()
}

/// The spans, in the order of the lines. Ids count from 1001, the trace is 1.
pub(crate) fn rows(drawn: &str) -> Vec<SpanRecord> {
    let mut rows: Vec<SpanRecord> = Vec::new();
    // Indentation, and the ids of the line's span and trace.
    let mut above: Vec<(usize, Vec<u8>, Vec<u8>)> = Vec::new();
    for line in drawn.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        above.retain(|(other, ..)| *other < indent);
        let mut row = span(line.trim(), rows.len());
        if let Some((_, parent, trace)) = above.last() {
            if row.span.parent_span_id.is_empty() {
                row.span.parent_span_id.clone_from(parent);
            }
            row.span.trace_id.clone_from(trace);
        }
        above.push((indent, row.span.span_id.clone(), row.span.trace_id.clone()));
        rows.push(row);
    }
    rows
}

fn span(line: &str, position: usize) -> SpanRecord {
    let mut words = line.split_whitespace();
    let path = words.next().expect("a name");
    let (service, name) = path.split_once('/').unwrap_or(("svc", path));
    let (start, end) = words.next().and_then(|range| range.split_once("..")).expect("start..end");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let mut span = Span {
        trace_id: trace_id(1),
        span_id: span_id(1001 + position as u64),
        name: name.into(),
        kind: SpanKind::Internal as i32,
        start_time_unix_nano: number(start),
        end_time_unix_nano: number(end),
        ..Span::default()
    };
    let mut adjusted_count = 1.0;
    let mut resource = Resource { attributes: vec![string("service.name", service)], ..Resource::default() };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("id", id) => span.span_id = span_id(number(id)),
            ("parent", id) => span.parent_span_id = span_id(number(id)),
            ("trace", id) => span.trace_id = trace_id(number(id)),
            ("link", to) => {
                let (trace, id) = to.split_once(':').unwrap_or(("1", to));
                let (trace_id, span_id) = (trace_id(number(trace)), span_id(number(id)));
                span.links.push(Link { trace_id, span_id, ..Link::default() });
            }
            ("count", count) => adjusted_count = count.parse().expect("a number"),
            ("error", _) => span.status = Some(Status { code: StatusCode::Error as i32, ..Status::default() }),
            (kind, "") => {
                let known = SpanKind::from_str_name(&format!("SPAN_KIND_{}", kind.to_uppercase()));
                span.kind = known.expect("a kind") as i32;
            }
            (key, value) => match key.strip_prefix("r.") {
                Some(key) => resource.attributes.push(string(key, value)),
                None => span.attributes.push(string(key, value)),
            },
        }
    }
    let scope = Arc::new(InstrumentationScope::default());
    SpanRecord { span, resource: Arc::new(resource), scope, state: SpanState::Kept, adjusted_count }
}
