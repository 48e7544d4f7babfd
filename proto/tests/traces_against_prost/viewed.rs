//! One row for each span that a scan shows.

use weir_proto::otlp::{
    messages::{
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
        resource::v1::Resource,
        trace::v1::{Span, Status, span},
    },
    traces::{
        AttributeView, Attributes, Checks, EventView, LinkView, ScanError, SpanView, ValueView, array_values,
        key_values, scan,
    },
};

use crate::expected::Row;

/// Scans and reads everything that the views show.
pub(crate) fn viewed_rows(payload: &[u8], checks: Checks) -> Result<Vec<Row>, ScanError> {
    let mut rows = Vec::new();
    scan(payload, checks, |scanned| {
        let position = scanned.span.position as usize;
        assert_eq!(&payload[position..position + scanned.span.bytes.len()], scanned.span.bytes);
        rows.push(Row {
            ordinal: scanned.ordinal,
            resource_ordinal: scanned.resource_ordinal,
            scope_ordinal: scanned.scope_ordinal,
            resource: Resource {
                attributes: attributes(scanned.resource.attributes),
                dropped_attributes_count: scanned.resource.dropped_attributes_count,
                entity_refs: Vec::new(),
            },
            resource_schema_url: text(scanned.resource.schema_url),
            service: text(scanned.resource.service),
            scope: InstrumentationScope {
                name: text(scanned.scope.name),
                version: text(scanned.scope.version),
                attributes: attributes(scanned.scope.attributes),
                dropped_attributes_count: scanned.scope.dropped_attributes_count,
            },
            scope_schema_url: text(scanned.scope.schema_url),
            span: span(&scanned.span),
        });
    })?;
    Ok(rows)
}

/// Damaged bytes may hold anything.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn span(view: &SpanView<'_>) -> Span {
    Span {
        trace_id: view.trace_id.to_vec(),
        span_id: view.span_id.to_vec(),
        trace_state: text(view.trace_state),
        parent_span_id: view.parent_span_id.to_vec(),
        flags: view.flags,
        name: text(view.name),
        kind: view.kind,
        start_time_unix_nano: view.start_ns,
        end_time_unix_nano: view.end_ns,
        attributes: attributes(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
        events: view.events.iter().map(event).collect(),
        dropped_events_count: view.dropped_events_count,
        links: view.links.iter().map(link).collect(),
        dropped_links_count: view.dropped_links_count,
        status: Some(Status { message: text(view.status_message), code: view.status_code }),
    }
}

fn event(view: EventView<'_>) -> span::Event {
    span::Event {
        time_unix_nano: view.time_ns,
        name: text(view.name),
        attributes: attributes(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
    }
}

fn link(view: LinkView<'_>) -> span::Link {
    span::Link {
        trace_id: view.trace_id.to_vec(),
        span_id: view.span_id.to_vec(),
        trace_state: text(view.trace_state),
        attributes: attributes(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
        flags: view.flags,
    }
}

fn attributes(attributes: Attributes<'_>) -> Vec<KeyValue> {
    let read: Vec<_> = attributes.iter().map(attribute).collect();
    assert!(read.len() <= attributes.len());
    read
}

fn attribute(view: AttributeView<'_>) -> KeyValue {
    KeyValue { key: text(view.key), value: Some(AnyValue { value: value(view.value) }), key_strindex: 0 }
}

fn value(view: ValueView<'_>) -> Option<Value> {
    Some(match view {
        ValueView::Empty => return None,
        ValueView::Str(bytes) => Value::StringValue(text(bytes)),
        ValueView::Bool(bool) => Value::BoolValue(bool),
        ValueView::Int(int) => Value::IntValue(int),
        ValueView::Double(double) => Value::DoubleValue(double),
        ValueView::Array(array) => Value::ArrayValue(ArrayValue {
            values: array_values(array).map(|element| AnyValue { value: value(element) }).collect(),
        }),
        ValueView::KvList(list) => {
            Value::KvlistValue(KeyValueList { values: key_values(list).map(attribute).collect() })
        }
        ValueView::Bytes(bytes) => Value::BytesValue(bytes.to_vec()),
    })
}
