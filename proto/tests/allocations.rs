//! Scanning a payload and reading all that its views show allocates nothing.
#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use prost::Message;
use weir_proto::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span},
    },
    traces::{AttributeView, Checks, Limits, ValueView, array_values, key_values, scan},
};

struct Counting;

thread_local! {
    // const and without a destructor, so that reading it does not allocate itself
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; the pointer came from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn attributes() -> Vec<KeyValue> {
    let element = AnyValue { value: Some(Value::StringValue("élan".into())) };
    vec![
        attribute("text", Value::StringValue("ça va".repeat(100))),
        attribute("int", Value::IntValue(-5)),
        attribute("array", Value::ArrayValue(ArrayValue { values: vec![element; 9] })),
        attribute("list", Value::KvlistValue(KeyValueList { values: vec![attribute("x", Value::BoolValue(true)); 9] })),
        attribute("bytes", Value::BytesValue(vec![0xff; 99])),
    ]
}

fn payload(spans: usize) -> Vec<u8> {
    let event = span::Event { name: "event".into(), attributes: attributes(), ..span::Event::default() };
    let link = span::Link { trace_id: vec![1; 16], attributes: attributes(), ..span::Link::default() };
    let span = Span {
        trace_id: vec![1; 16],
        name: "name".into(),
        attributes: attributes(),
        events: vec![event; 3],
        links: vec![link; 3],
        status: Some(Status { code: 2, message: "über".into() }),
        ..Span::default()
    };
    let scope = Some(InstrumentationScope { attributes: attributes(), ..InstrumentationScope::default() });
    let scope_spans = ScopeSpans { scope, spans: vec![span; spans], schema_url: "s".into() };
    let resource = Some(Resource { attributes: attributes(), ..Resource::default() });
    let resource_spans = ResourceSpans { resource, scope_spans: vec![scope_spans; 2], schema_url: "r".into() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans; 2] }.encode_to_vec()
}

/// Counts the values below an attribute, itself included.
fn values(attribute: AttributeView<'_>) -> usize {
    count(attribute.value)
}

fn count(value: ValueView<'_>) -> usize {
    match value {
        ValueView::Array(array) => 1 + array_values(array).map(count).sum::<usize>(),
        ValueView::KvList(list) => 1 + key_values(list).map(values).sum::<usize>(),
        _ => 1,
    }
}

#[test]
fn scanning_and_reading_everything_allocates_nothing() {
    let payload = payload(50);
    let limits = Limits { depth_max: 64, attributes_max: 1024, span_bytes_max: 1 << 20 };
    for checks in [Checks::Admission(limits), Checks::Journalled] {
        let (mut spans, mut read) = (0, 0);
        let before = ALLOCATIONS.get();
        let result = scan(&payload, checks, |scanned| {
            spans += usize::from(scanned.fault.is_none());
            for of in [scanned.resource.attributes, scanned.scope.attributes, scanned.span.attributes] {
                read += of.iter().map(values).sum::<usize>();
            }
            for event in scanned.span.events.iter() {
                read += event.attributes.iter().map(values).sum::<usize>();
            }
            for link in scanned.span.links.iter() {
                read += link.attributes.iter().map(values).sum::<usize>();
            }
        });
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!(result, Ok(()));
        assert_eq!(allocations, 0);
        assert_eq!(spans, 200);
        // 9 messages with attributes (resource, scope, span, 3 events, 3 links) of 5 + 9 + 9 values each
        assert_eq!(read, 200 * 9 * 23);
    }
    let before = ALLOCATIONS.get();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1, "the counter counts");
}
