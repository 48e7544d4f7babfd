//! Spans as the generated messages, for showing a few of them.

use super::{EventView, LinkView, SpanView};
use crate::otlp::{
    message::{attributes, text},
    messages::trace::v1::{
        Span, Status,
        span::{Event, Link},
    },
};

impl SpanView<'_> {
    /// The span as a message. Unknown fields are left out.
    pub fn to_message(&self) -> Span {
        let status = (self.status_code != 0 || !self.status_message.is_empty())
            .then(|| Status { code: self.status_code, message: text(self.status_message) });
        Span {
            trace_id: self.trace_id.to_vec(),
            span_id: self.span_id.to_vec(),
            parent_span_id: self.parent_span_id.to_vec(),
            trace_state: text(self.trace_state),
            flags: self.flags,
            name: text(self.name),
            kind: self.kind,
            start_time_unix_nano: self.start_ns,
            end_time_unix_nano: self.end_ns,
            attributes: attributes(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            events: self.events.iter().map(event).collect(),
            dropped_events_count: self.dropped_events_count,
            links: self.links.iter().map(link).collect(),
            dropped_links_count: self.dropped_links_count,
            status,
        }
    }
}

fn event(view: EventView<'_>) -> Event {
    Event {
        time_unix_nano: view.time_ns,
        name: text(view.name),
        attributes: attributes(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
    }
}

fn link(view: LinkView<'_>) -> Link {
    Link {
        trace_id: view.trace_id.to_vec(),
        span_id: view.span_id.to_vec(),
        trace_state: text(view.trace_state),
        attributes: attributes(view.attributes),
        dropped_attributes_count: view.dropped_attributes_count,
        flags: view.flags,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
            resource::v1::Resource,
            trace::v1::{ResourceSpans, ScopeSpans},
        },
        traces::{Checks, scan},
    };

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn nested(depth: u32) -> AnyValue {
        let mut value = AnyValue { value: Some(Value::IntValue(-7)) };
        for _ in 0..depth {
            value = AnyValue {
                value: Some(Value::KvlistValue(KeyValueList {
                    values: vec![KeyValue { key: "k".into(), value: Some(value), ..KeyValue::default() }],
                })),
            };
        }
        value
    }

    #[test]
    fn everything_comes_out_also_what_prost_finds_too_deep() {
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            parent_span_id: vec![3; 8],
            trace_state: "a=b".into(),
            flags: 0x101,
            name: "GET /é".into(),
            kind: 2,
            start_time_unix_nano: 10,
            end_time_unix_nano: 20,
            attributes: vec![
                attribute("bytes", Value::BytesValue(vec![0, 255])),
                attribute("list", Value::ArrayValue(ArrayValue { values: vec![AnyValue::default(), nested(2)] })),
                KeyValue { key: "deep".into(), value: Some(nested(60)), ..KeyValue::default() },
            ],
            dropped_attributes_count: 1,
            events: vec![Event {
                time_unix_nano: 15,
                name: "exception".into(),
                attributes: vec![attribute("double", Value::DoubleValue(0.5))],
                dropped_attributes_count: 2,
            }],
            dropped_events_count: 3,
            links: vec![Link {
                trace_id: vec![4; 16],
                span_id: vec![5; 8],
                trace_state: "c=d".into(),
                attributes: vec![attribute("bool", Value::BoolValue(true))],
                dropped_attributes_count: 4,
                flags: 1,
            }],
            dropped_links_count: 5,
            status: Some(Status { code: 2, message: "no".into() }),
        };
        let resource = Resource { attributes: vec![attribute("r", Value::IntValue(1))], ..Resource::default() };
        let scope = InstrumentationScope { name: "s".into(), version: "1".into(), ..InstrumentationScope::default() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope.clone()),
                    spans: vec![span.clone()],
                    schema_url: String::new(),
                }],
                schema_url: String::new(),
            }],
        };
        let payload = request.encode_to_vec();
        assert!(ExportTraceServiceRequest::decode(&*payload).is_err(), "prost has a nesting limit");
        let mut shown = Vec::new();
        scan(&payload, Checks::Journalled, |scanned| {
            shown.push((scanned.resource.to_message(), scanned.scope.to_message(), scanned.span.to_message()));
        })
        .expect("well formed");
        assert_eq!(shown, [(resource, scope, span)]);
    }
}
