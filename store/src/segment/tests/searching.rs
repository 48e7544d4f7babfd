//! Searches find what a plain look at every span finds.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_proto::{
    TraceId,
    otlp::messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{KeyValue, any_value::Value},
    },
};

use super::{odd, records, round_trip::write, shop::Shop};
use crate::{
    AttributeFilter, AttributeText, Place, SpanFilter, SpanRecord,
    search::NewestTraces,
    segment::{Searched, Segment},
};

/// What a value must be like, said once more and differently than the code under test does.
fn fits_value(wanted: &AttributeText, value: &Value) -> bool {
    match (wanted, value) {
        (AttributeText::Text(text), Value::StringValue(value)) => text == value,
        (AttributeText::Text(text), Value::BoolValue(value)) => *text == value.to_string(),
        (AttributeText::Text(text), Value::IntValue(value)) => *text == value.to_string(),
        (AttributeText::Text(text), Value::DoubleValue(value)) => text.parse::<f64>().is_ok_and(|text| text == *value),
        (AttributeText::Str(text), Value::StringValue(value)) => text == value,
        (AttributeText::Bool(wanted), Value::BoolValue(value)) => wanted == value,
        (AttributeText::Int(wanted), Value::IntValue(value)) => wanted == value,
        (AttributeText::Double(wanted), Value::DoubleValue(value)) => wanted == value,
        _ => false,
    }
}

fn fits_attribute(filter: &AttributeFilter, record: &SpanRecord) -> bool {
    let has = |attributes: &[KeyValue]| {
        attributes.iter().any(|attribute| {
            let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
            attribute.key == filter.key && value.is_some_and(|value| fits_value(&filter.value, value))
        })
    };
    let (span, resource) = (&record.span.attributes, &record.resource.attributes);
    match filter.place {
        Place::Any => has(span) || has(resource),
        Place::Span => has(span),
        Place::Resource => has(resource),
    }
}

fn service(record: &SpanRecord) -> String {
    let named = record.resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match named.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) if !name.is_empty() => name.clone(),
        _ => "unknown_service".to_owned(),
    }
}

fn fits(filter: &SpanFilter, record: &SpanRecord) -> bool {
    let span = &record.span;
    let status = span.status.as_ref().map_or(0, |status| status.code);
    filter.service.as_ref().is_none_or(|wanted| *wanted == service(record))
        && filter.name.as_ref().is_none_or(|name| *name == span.name)
        && filter.kind.is_none_or(|kind| kind == span.kind)
        && filter.status_code.is_none_or(|code| code == status)
        && filter.status_code_not.is_none_or(|code| code != status)
        && filter.duration_ns.contains(&record.duration_ns())
        && filter.start_ns.contains(&span.start_time_unix_nano)
        && filter.attributes.iter().all(|attribute| fits_attribute(attribute, record))
}

/// The traces that a look at every span finds.
fn by_hand(requests: &[ExportTraceServiceRequest], filter: &SpanFilter, limit: usize) -> Vec<TraceId> {
    let mut newest = NewestTraces::new(limit);
    for record in requests.iter().flat_map(records).filter(|record| fits(filter, record)) {
        let trace = TraceId::from_wire(&record.span.trace_id).expect("valid");
        newest.offer(trace, record.span.start_time_unix_nano);
    }
    newest.into_traces()
}

/// The traces that segments find.
fn by_search(segments: &[&Segment], filter: &SpanFilter, limit: usize) -> Vec<TraceId> {
    let mut newest = NewestTraces::new(limit);
    let deadline = Instant::now() + Duration::from_secs(60);
    for segment in segments {
        assert_eq!(segment.search(filter, &mut newest, deadline).expect("intact"), Searched::Whole);
    }
    newest.into_traces()
}

/// Checks that searching finds what looking by hand finds.
pub(super) fn check(segments: &[&Segment], requests: &[ExportTraceServiceRequest], filter: &SpanFilter, limit: usize) {
    assert_eq!(by_search(segments, filter, limit), by_hand(requests, filter, limit), "{filter:?}");
}

fn attribute_text() -> impl Strategy<Value = AttributeText> {
    prop_oneof![
        4 => prop::sample::select(vec!["x", "", "500", "true", "1.0", "0.5", "0", "NaN", "日本", "checkout"])
            .prop_map(|text| AttributeText::Text(text.into())),
        2 => prop::sample::select(vec!["x", "500", "true"]).prop_map(|text| AttributeText::Str(text.into())),
        1 => any::<bool>().prop_map(AttributeText::Bool),
        1 => prop::sample::select(vec![0, 1, 500]).prop_map(AttributeText::Int),
        1 => prop::sample::select(vec![0.0, 0.5, 500.0]).prop_map(AttributeText::Double),
    ]
}

fn attribute_filter() -> impl Strategy<Value = AttributeFilter> {
    let keys = vec!["a", "b", "", "a.b", "http.method", "db.system", "\"", "$bytes", "service.name"];
    let places = vec![Place::Any, Place::Span, Place::Resource];
    (prop::sample::select(keys), attribute_text(), prop::sample::select(places))
        .prop_map(|(key, value, place)| AttributeFilter { key: key.into(), value, place })
}

/// Filters over odd spans; most ask for one thing, so that something is found.
pub(super) fn filter() -> impl Strategy<Value = SpanFilter> {
    let one_of = prop_oneof![
        6 => attribute_filter().prop_map(|attribute| SpanFilter { attributes: vec![attribute], ..Default::default() }),
        1 => prop::sample::select(vec!["checkout", "cart", "unknown_service", "none"])
            .prop_map(|service| SpanFilter { service: Some(service.into()), ..Default::default() }),
        1 => prop::sample::select(vec!["", "get", "naïve"])
            .prop_map(|name| SpanFilter { name: Some(name.into()), ..Default::default() }),
        1 => (0i32..7).prop_map(|kind| SpanFilter { kind: Some(kind), ..Default::default() }),
        1 => (0i32..4).prop_map(|code| SpanFilter { status_code: Some(code), ..Default::default() }),
        1 => (0i32..4).prop_map(|code| SpanFilter { status_code_not: Some(code), ..Default::default() }),
        1 => (0u64..50, 20u64..100).prop_map(|(min, max)| SpanFilter { duration_ns: min..=max, ..Default::default() }),
        1 => (0u64..50, any::<u64>()).prop_map(|(min, max)| SpanFilter { start_ns: min..=max, ..Default::default() }),
    ];
    (one_of, prop::option::weighted(0.2, 0i32..7))
        .prop_map(|(filter, kind)| SpanFilter { kind: filter.kind.or(kind), ..filter })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn odd_spans_are_found(
        requests in prop::collection::vec(odd::request(), 1..4),
        filters in prop::collection::vec((filter(), 1usize..5), 8),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let segment = write(folder.path(), &requests, 1);
        for (filter, limit) in filters {
            check(&[&segment], &requests, &filter, limit);
        }
    }
}

#[test]
fn spans_of_a_shop_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut shop = Shop::new(5);
    let requests: Vec<_> = (0..12).map(|_| shop.batch(900)).collect();
    let segment = write(folder.path(), &requests, 1);
    let some = records(&requests[7]).swap_remove(300);
    let attribute = |key: &str, value: AttributeText| SpanFilter {
        attributes: vec![AttributeFilter { key: key.into(), value, place: Place::Any }],
        ..Default::default()
    };
    let start = some.span.start_time_unix_nano;
    let mut filters = vec![
        SpanFilter { service: Some("svc-3".into()), ..Default::default() },
        SpanFilter { service: Some("svc-3".into()), name: Some(some.span.name.clone()), ..Default::default() },
        SpanFilter { status_code: Some(2), duration_ns: 100_000_000..=u64::MAX, ..Default::default() },
        SpanFilter { service: Some("svc-3".into()), status_code_not: Some(2), ..Default::default() },
        SpanFilter { start_ns: start - 1_000_000..=start + 1_000_000, ..Default::default() },
        attribute("http.response.status_code", AttributeText::Text("500".into())),
        attribute("feature.flag", AttributeText::Text("flag-3".into())),
        attribute("host.name", AttributeText::Str("node-4".into())),
        attribute("order.express", AttributeText::Text("true".into())),
        attribute("no.such.key", AttributeText::Text("x".into())),
    ];
    // Every attribute of one span, whatever column it is in: the order's id has a bloom filter, the flag is in the residual.
    for given in records(&requests[7]).iter().step_by(150).flat_map(|record| &record.span.attributes) {
        let value = match given.value.as_ref().and_then(|value| value.value.clone()) {
            Some(Value::StringValue(text)) => AttributeText::Text(text),
            Some(Value::IntValue(int)) => AttributeText::Int(int),
            Some(Value::DoubleValue(double)) => AttributeText::Double(double),
            _ => continue,
        };
        filters.push(attribute(&given.key, value));
    }
    for filter in filters {
        for limit in [1, 100_000] {
            check(&[&segment], &requests, &filter, limit);
        }
    }
}

#[test]
fn a_deadline_cuts_a_search() {
    let folder = tempfile::tempdir().expect("a folder");
    let segment = write(folder.path(), &[Shop::new(6).batch(50)], 1);
    let mut newest = NewestTraces::new(3);
    let cut = segment.search(&SpanFilter::default(), &mut newest, Instant::now()).expect("intact");
    assert_eq!(cut, Searched::Cut);
    assert!(newest.into_traces().is_empty());
}
