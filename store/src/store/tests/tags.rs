//! Tags are found wherever a span shows them, in the head as in segments, and one span has to show all of them.

use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link},
};

use super::{check, spans::batch_of, spans::tenant, *};
use crate::ask::{
    filter::ScanFilter,
    tag::{DroppedItems, Sought, TagFilter},
};

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn event(name: &str, attributes: Vec<KeyValue>) -> Event {
    Event { time_unix_nano: 1, name: name.into(), attributes, ..Default::default() }
}

/// The spans 1, 2 and 3 of a round, each of a trace of its own.
fn request(round: u8) -> ExportTraceServiceRequest {
    let span = |n: u8| Span {
        trace_id: vec![round * 16 + n; 16],
        span_id: vec![n; 8],
        name: format!("span {n}"),
        start_time_unix_nano: 1000 * u64::from(round) + u64::from(n),
        end_time_unix_nano: 1000 * u64::from(round) + 50,
        ..Default::default()
    };
    let list = ArrayValue { values: vec![text("", "stop").value.expect("given"), AnyValue::default()] };
    let spans = vec![
        Span {
            attributes: vec![text("grain", "rye"), attribute("reasons", Value::ArrayValue(list))],
            events: vec![
                event("exception", vec![text("exception.type", "Declined"), attribute("stone", Value::IntValue(2))]),
                event("log", vec![attribute("dust", Value::BoolValue(true))]),
            ],
            status: Some(Status { code: 2, message: "no rye".into() }),
            dropped_events_count: 7,
            ..span(1)
        },
        Span {
            attributes: vec![text("grain", "oat"), text("error", "true")],
            links: vec![Link { trace_id: vec![9; 16], attributes: vec![text("cause", "rain")], ..Default::default() }],
            dropped_events_count: u32::MAX,
            ..span(2)
        },
        Span {
            attributes: vec![text("exception.type", "Declined")],
            events: vec![event("log", vec![attribute("stone", Value::DoubleValue(2.5))])],
            ..span(3)
        },
    ];
    let scope =
        InstrumentationScope { name: "mill".into(), attributes: vec![text("wheel", "big")], ..Default::default() };
    let resource =
        Resource { attributes: vec![text("service.name", "mill"), text("river", "north")], ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }],
    }
}

fn attributes(tags: &[(&str, &str)]) -> Vec<TagFilter> {
    tags.iter().map(|&(key, text)| TagFilter::attribute(key, text)).collect()
}

/// Each search with the spans of a round that it should find.
fn searches() -> Vec<(Vec<TagFilter>, Vec<u8>)> {
    let one = |sought: Sought, is_absent| vec![TagFilter { any_of: vec![sought], is_absent }];
    let is_error = vec![Sought::StatusCode(2), Sought::Attribute { key: "error".into(), text: "true".into() }];
    vec![
        (attributes(&[("exception.type", "Declined")]), vec![1, 3]),
        (attributes(&[("exception.type", "Decline")]), vec![]),
        (attributes(&[("stone", "2")]), vec![1]),
        (attributes(&[("stone", "2.5")]), vec![3]),
        (
            attributes(&[("dust", "true"), ("stone", "2"), ("grain", "rye"), ("river", "north"), ("wheel", "big")]),
            vec![1],
        ),
        (attributes(&[("stone", "2.5"), ("grain", "oat")]), vec![]),
        (attributes(&[("cause", "rain")]), vec![2]),
        (attributes(&[("reasons", r#"[ "stop", null ]"#)]), vec![1]),
        (attributes(&[("reasons", "stop")]), vec![]),
        (one(Sought::EventName("log".into()), false), vec![1, 3]),
        (one(Sought::EventName("log".into()), true), vec![2]),
        (one(Sought::Dropped(DroppedItems::Events, 7), false), vec![1]),
        (one(Sought::Dropped(DroppedItems::Events, u32::MAX), false), vec![2]),
        (vec![TagFilter { any_of: is_error.clone(), is_absent: false }], vec![1, 2]),
        (vec![TagFilter { any_of: is_error, is_absent: true }], vec![3]),
    ]
}

fn shows(store: &StillStore, rounds: &[u8], what: &str) {
    for (tags, spans) in searches() {
        let filter = ScanFilter { services: Some(vec!["mill".into()]), tags, ..Default::default() };
        for traces_max in [1, 100] {
            let (traces, partial) = check::search(&store.snapshot(), &tenant("default"), &filter, traces_max);
            assert!(!partial);
            let found: Vec<u8> = traces.iter().map(|id| id.0[0]).collect();
            let newest_first = rounds.iter().rev().flat_map(|round| spans.iter().rev().map(move |n| round * 16 + n));
            assert_eq!(found, newest_first.take(traces_max).collect::<Vec<_>>(), "{what}: {filter:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_found_wherever_they_are_shown() {
    let folder = temp_folder();
    let store = StillStore::open(folder.path()).await;
    let mut rounds = Vec::new();
    for round in 1..4 {
        store.append_batch(batch_of(&tenant("default"), &request(round), Vec::new(), clock().now_ns())).await;
        rounds.push(round);
        shows(&store, &rounds, "the newest in the head");
        store.roll().await;
        assert!(store.seal().await);
        shows(&store, &rounds, "sealed");
    }
    store.settle().await;
    shows(&store, &rounds, "merged");
    let ids: Vec<_> =
        rounds.iter().flat_map(|round| (1..4).map(move |n| weir_proto::TraceId([round * 16 + n; 16]))).collect();
    let traces = store.snapshot().traces_up_to(&tenant("default"), &ids, 100);
    assert_eq!(traces.len(), ids.len());
    for (trace, id) in traces.iter().zip(&ids) {
        assert_eq!(*trace, store.snapshot().trace_up_to(&tenant("default"), *id, 100).expect("readable"));
        assert_eq!((trace.rows.len(), trace.is_damaged), (1, false));
    }
    // As many as are within the bound, at least one.
    assert_eq!(store.snapshot().traces_up_to(&tenant("default"), &ids, 2).len(), 2);
    assert_eq!(store.snapshot().traces_up_to(&tenant("default"), &ids, 1).len(), 1);
}
