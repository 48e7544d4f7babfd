//! Random requests with every kind of value.

use proptest::{collection::vec, prelude::*};
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
};

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.]{1,12}", "\\PC{0,9}", "[a-zé]{120,140}"]
}

pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

pub(crate) fn any_values() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|bool| Some(Value::BoolValue(bool))),
        any::<i64>().prop_map(|int| Some(Value::IntValue(int))),
        any::<u64>().prop_map(|bits| Some(Value::DoubleValue(f64::from_bits(bits)))),
        bytes().prop_map(|bytes| Some(Value::BytesValue(bytes))),
        any::<i32>().prop_map(|index| Some(Value::StringValueStrindex(index))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3)
                .prop_map(|values| AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) }),
            vec((text(), prop::option::of(inner)), 0..3).prop_map(|entries| {
                let values = entries.into_iter().map(|(key, value)| KeyValue { key, value, key_strindex: 0 }).collect();
                AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![4 => text(), 1 => Just("service.name".to_owned())];
    let attribute = (key, prop::option::of(any_values()), prop_oneof![9 => Just(0), 1 => any::<i32>()]);
    vec(attribute.prop_map(|(key, value, key_strindex)| KeyValue { key, value, key_strindex }), 0..4)
}

fn events() -> impl Strategy<Value = Vec<span::Event>> {
    let event = (any::<u64>(), text(), attributes(), any::<u32>());
    let event = event.prop_map(|(time_unix_nano, name, attributes, dropped_attributes_count)| span::Event {
        time_unix_nano,
        name,
        attributes,
        dropped_attributes_count,
    });
    vec(event, 0..3)
}

fn links() -> impl Strategy<Value = Vec<span::Link>> {
    let link = (bytes(), bytes(), text(), attributes(), any::<(u32, u32)>());
    let link = link.prop_map(|(trace_id, span_id, trace_state, attributes, numbers)| span::Link {
        trace_id,
        span_id,
        trace_state,
        attributes,
        dropped_attributes_count: numbers.0,
        flags: numbers.1,
    });
    vec(link, 0..3)
}

fn spans() -> impl Strategy<Value = Span> {
    let ids = (bytes(), bytes(), bytes());
    let status = prop::option::of((text(), any::<i32>()))
        .prop_map(|status| status.map(|(message, code)| Status { message, code }));
    let numbers = (any::<(i32, u64, u64)>(), any::<(u32, u32, u32, u32)>());
    (ids, (text(), text()), (attributes(), events(), links()), status, numbers).prop_map(
        |(ids, texts, (attributes, events, links), status, (numbers, counts))| Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state: texts.0,
            name: texts.1,
            kind: numbers.0,
            start_time_unix_nano: numbers.1,
            end_time_unix_nano: numbers.2,
            attributes,
            dropped_attributes_count: counts.0,
            events,
            dropped_events_count: counts.1,
            links,
            dropped_links_count: counts.2,
            status,
            flags: counts.3,
        },
    )
}

pub(crate) fn resources() -> impl Strategy<Value = Resource> {
    let entity_ref = (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef { schema_url, r#type, id_keys, description_keys },
    );
    (attributes(), any::<u32>(), vec(entity_ref, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    )
}

pub(crate) fn scopes() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), any::<u32>()).prop_map(|(name, version, attributes, dropped_attributes_count)| {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    })
}

pub(crate) fn requests() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (prop::option::of(scopes()), vec(spans(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (prop::option::of(resources()), vec(scope_spans, 0..4), text())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url });
    vec(resource_spans, 0..4).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
