//! A trace's rows as Jaeger shows them.
//!
//! The mapping is the one of the OpenTelemetry Collector's `traces_to_jaegerproto.go`; counts of what an SDK dropped
//! follow the OpenTelemetry specification's "mapping to non-OTLP formats".

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use weir_proto::{
    SpanId, TraceId,
    otlp::messages::{
        common::v1::{KeyValue, any_value::Value},
        resource::v1::Resource,
        trace::v1::{Span as OtlpSpan, span::Event, span::Link, status::StatusCode},
    },
};
use weir_store::{SpanRecord, SpanState};

use super::{
    kinds,
    model::{Log, Process, RefType, Reference, Span, Tag, TagValue, Trace},
    tags::{double, int, tags, text},
};
use crate::trace::service;

/// The lowest bit of W3C's trace flags: the SDK recorded the trace on purpose.
const SAMPLED: u32 = 1;

/// Jaeger's view of the rows of trace `id`, and what to warn of.
pub(super) fn trace(id: TraceId, rows: &[SpanRecord], warnings: Vec<String>) -> Trace<'_> {
    let mut processes = Processes::default();
    let mut uses: HashMap<&[u8], usize> = HashMap::with_capacity(rows.len());
    for row in rows {
        *uses.entry(&row.span.span_id).or_default() += 1;
    }
    let ids: HashSet<&[u8]> = uses.keys().copied().collect();
    let mut spans = Vec::with_capacity(rows.len());
    for row in rows {
        let span = &row.span;
        let warnings = warnings_of(row, uses[span.span_id.as_slice()], &ids);
        spans.push(Span {
            trace_id: id.to_string(),
            span_id: span_id(&span.span_id),
            flags: span.flags & SAMPLED,
            operation_name: &span.name,
            references: references(id, span),
            start_time: span.start_time_unix_nano / 1000,
            duration: row.duration_ns() / 1000,
            tags: span_tags(row),
            logs: span.events.iter().map(log).collect(),
            process_id: processes.id(&row.resource),
            warnings: (!warnings.is_empty()).then_some(warnings),
        });
    }
    let warnings = (!warnings.is_empty()).then_some(warnings);
    Trace { trace_id: id.to_string(), spans, processes: processes.by_id, warnings }
}

/// Numbers the resources of a trace: equal ones are one process.
#[derive(Default)]
struct Processes<'a> {
    by_id: BTreeMap<String, Process<'a>>,
    /// Rows of one batch share their resource: no need to write it out again to know it.
    by_address: HashMap<*const Resource, String>,
    by_content: HashMap<String, String>,
}

impl<'a> Processes<'a> {
    fn id(&mut self, resource: &'a Arc<Resource>) -> String {
        if let Some(id) = self.by_address.get(&Arc::as_ptr(resource)) {
            return id.clone();
        }
        let mut process = Process { service_name: service(resource), tags: tags(&resource.attributes) };
        process.tags.retain(|tag| tag.key != "service.name");
        let content = serde_json::to_string(&process).expect("keys are strings and numbers are finite");
        let next = format!("p{}", self.by_content.len() + 1);
        let id = self.by_content.entry(content).or_insert(next).clone();
        self.by_id.entry(id.clone()).or_insert(process);
        self.by_address.insert(Arc::as_ptr(resource), id.clone());
        id
    }
}

/// The parent first, as readers take the first CHILD_OF for it; then the links.
fn references(trace: TraceId, span: &OtlpSpan) -> Vec<Reference> {
    let mut references = Vec::new();
    let parent = SpanId::from_wire(&span.parent_span_id);
    if let Some(parent) = parent {
        references.push(Reference { kind: RefType::ChildOf, trace_id: trace.to_string(), span_id: parent.to_string() });
    }
    for link in &span.links {
        let (Some(linked_trace), Some(linked_span)) =
            (TraceId::from_wire(&link.trace_id), SpanId::from_wire(&link.span_id))
        else {
            continue;
        };
        let kind = ref_type(link);
        if linked_trace == trace && Some(linked_span) == parent {
            references[0].kind = kind;
            continue;
        }
        references.push(Reference { kind, trace_id: linked_trace.to_string(), span_id: linked_span.to_string() });
    }
    references
}

/// A link follows from another span unless OpenTracing's attribute says that it is a child of it.
fn ref_type(link: &Link) -> RefType {
    let stated = link.attributes.iter().find(|attribute| attribute.key == "opentracing.ref_type");
    match stated.and_then(|attribute| attribute.value.as_ref()).and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(kind)) if kind == "child_of" => RefType::ChildOf,
        _ => RefType::FollowsFrom,
    }
}

fn span_tags(row: &SpanRecord) -> Vec<Tag<'_>> {
    let span = &row.span;
    let mut all = Vec::with_capacity(span.attributes.len() + 4);
    push_text(&mut all, "otel.scope.name", &row.scope.name);
    push_text(&mut all, "otel.scope.version", &row.scope.version);
    all.extend(tags(&span.attributes));
    push_text(&mut all, "span.kind", kinds::name(span.kind));
    if let Some(status) = &span.status {
        match status.code() {
            StatusCode::Unset => {}
            StatusCode::Ok => all.push(text("otel.status_code", "OK")),
            StatusCode::Error => {
                all.push(text("otel.status_code", "ERROR"));
                all.push(Tag { key: "error", kind: "bool", value: TagValue::Bool(true) });
            }
        }
        push_text(&mut all, "otel.status_description", &status.message);
    }
    push_text(&mut all, "w3c.tracestate", &span.trace_state);
    push_count(&mut all, "otel.dropped_attributes_count", span.dropped_attributes_count);
    push_count(&mut all, "otel.dropped_events_count", span.dropped_events_count);
    push_count(&mut all, "otel.dropped_links_count", span.dropped_links_count);
    if row.state == SpanState::Pending {
        all.push(text("weir.state", "pending"));
    }
    if row.adjusted_count != 1.0 {
        all.push(double("weir.adjusted_count", row.adjusted_count));
    }
    all
}

/// The event's name goes under `event`, unless an attribute of that name is there.
fn log(event: &Event) -> Log<'_> {
    let mut fields = Vec::with_capacity(event.attributes.len() + 1);
    let named = |attribute: &KeyValue| attribute.key == "event";
    if !event.attributes.iter().any(named) {
        push_text(&mut fields, "event", &event.name);
    }
    fields.extend(tags(&event.attributes));
    push_count(&mut fields, "otel.dropped_attributes_count", event.dropped_attributes_count);
    Log { timestamp: event.time_unix_nano / 1000, fields }
}

fn push_text<'a>(tags: &mut Vec<Tag<'a>>, key: &'a str, value: &'a str) {
    if !value.is_empty() {
        tags.push(text(key, value));
    }
}

fn push_count(tags: &mut Vec<Tag<'_>>, key: &'static str, count: u32) {
    if count > 0 {
        tags.push(int(key, i64::from(count)));
    }
}

fn warnings_of(row: &SpanRecord, uses: usize, ids: &HashSet<&[u8]>) -> Vec<String> {
    let mut warnings = Vec::new();
    if row.span.end_time_unix_nano == 0 {
        warnings.push("the span has no end; its duration is shown as 0".to_owned());
    } else if row.ends_before_start() {
        let by_ns = row.span.start_time_unix_nano - row.span.end_time_unix_nano;
        warnings.push(format!("the span ends {by_ns} ns before it starts; its duration is shown as 0"));
    }
    if uses > 1 {
        warnings.push(format!("{uses} different spans of this trace have this span id"));
    }
    if let Some(parent) = SpanId::from_wire(&row.span.parent_span_id)
        && !ids.contains(parent.0.as_slice())
    {
        warnings.push(format!("parent span {parent} is not in the trace"));
    }
    warnings
}

fn span_id(wire: &[u8]) -> String {
    SpanId::from_wire(wire).map_or_else(String::new, |id| id.to_string())
}

#[cfg(test)]
mod tests;
