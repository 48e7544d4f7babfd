//! Searches find what a plain look at every span finds.

use arrow_array::{RecordBatch, cast::AsArray, types::TimestampNanosecondType};
use base64::{Engine, prelude::BASE64_STANDARD as STANDARD};
use proptest::prelude::*;
use weir_proto::{
    TraceId,
    otlp::messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
    },
};

use super::{odd, records, round_trip::write, shop::Shop};
use crate::{
    ask::{
        filter::ScanFilter,
        pruned::{Pruned, ReadCounts},
        request::{ReadBounds, ScanColumn, ScanRequest},
        search::NewestTraces,
        span::{SpanRecord, SpanState},
        tag::{DroppedItems, Sought, SpanText, TagFilter},
    },
    segment::{Segment, SegmentError},
};

/// What a value is shown as, said once more and differently than the code under test does; lists and maps as JSON.
fn shown(value: Option<&Value>) -> serde_json::Value {
    let of = |value: &AnyValue| shown(value.value.as_ref());
    match value {
        None | Some(Value::StringValueStrindex(_)) => serde_json::Value::Null,
        Some(Value::StringValue(text)) => text.clone().into(),
        Some(Value::BoolValue(value)) => (*value).into(),
        Some(Value::IntValue(value)) => (*value).into(),
        Some(Value::DoubleValue(value)) if value.is_nan() => "NaN".into(),
        Some(Value::DoubleValue(value)) if value.is_infinite() && *value > 0.0 => "Infinity".into(),
        Some(Value::DoubleValue(value)) if value.is_infinite() => "-Infinity".into(),
        Some(Value::DoubleValue(value)) => (*value).into(),
        Some(Value::BytesValue(bytes)) => STANDARD.encode(bytes).into(),
        Some(Value::ArrayValue(list)) => list.values.iter().map(of).collect(),
        Some(Value::KvlistValue(list)) => {
            let entries = list
                .values
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.as_ref().map_or_else(|| shown(None), of)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

/// The text of a value that is shown.
fn text_of(value: Option<&Value>) -> String {
    match shown(value) {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn fits_value(text: &str, value: Option<&Value>) -> bool {
    match value {
        Some(Value::DoubleValue(value)) if value.is_finite() => text.parse::<f64>().is_ok_and(|text| text == *value),
        // Blanks between its parts do not count.
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) => {
            serde_json::from_str::<serde_json::Value>(text).is_ok_and(|text| text == shown(value))
        }
        _ => text == text_of(value),
    }
}

fn shows(sought: &Sought, record: &SpanRecord) -> bool {
    let span = &record.span;
    let status = span.status.as_ref().map_or((0, ""), |status| (status.code, status.message.as_str()));
    match sought {
        Sought::Attribute { key, text } => {
            let mut lists = vec![&span.attributes, &record.resource.attributes, &record.scope.attributes];
            lists.extend(span.events.iter().map(|event| &event.attributes));
            lists.extend(span.links.iter().map(|link| &link.attributes));
            let value = |attribute: &KeyValue| attribute.value.clone().unwrap_or_default().value;
            lists.into_iter().flatten().any(|one| one.key == *key && fits_value(text, value(one).as_ref()))
        }
        Sought::EventName(name) => !name.is_empty() && span.events.iter().any(|event| event.name == *name),
        Sought::Text(part, text) => {
            let own = match part {
                SpanText::StatusMessage => status.1,
                SpanText::TraceState => &span.trace_state,
                SpanText::ScopeName => &record.scope.name,
                SpanText::ScopeVersion => &record.scope.version,
            };
            !text.is_empty() && own == text
        }
        Sought::Dropped(_, 0) => false,
        Sought::Dropped(DroppedItems::Attributes, count) => {
            span.dropped_attributes_count == *count
                || span.events.iter().any(|event| event.dropped_attributes_count == *count)
        }
        Sought::Dropped(DroppedItems::Events, count) => span.dropped_events_count == *count,
        Sought::Dropped(DroppedItems::Links, count) => span.dropped_links_count == *count,
        Sought::Kind(kind) => span.kind == *kind,
        Sought::StatusCode(code) => status.0 == *code,
        Sought::State(state) => record.state == *state,
        Sought::AdjustedCount(count) => record.adjusted_count == *count,
    }
}

fn fits_tag(tag: &TagFilter, record: &SpanRecord) -> bool {
    tag.any_of.iter().any(|sought| shows(sought, record)) != tag.is_absent
}

fn service(record: &SpanRecord) -> String {
    let named = record.resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    match named.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) if !name.is_empty() => name.clone(),
        _ => "unknown_service".to_owned(),
    }
}

fn fits(filter: &ScanFilter, record: &SpanRecord) -> bool {
    let span = &record.span;
    let status = span.status.as_ref().map_or(0, |status| status.code);
    filter.services.as_ref().is_none_or(|wanted| wanted.contains(&service(record)))
        && filter.names.as_ref().is_none_or(|names| names.contains(&span.name))
        && filter.kinds.as_ref().is_none_or(|kinds| kinds.contains(&span.kind))
        && filter.status_codes.as_ref().is_none_or(|codes| codes.contains(&status))
        && filter.duration_ns.contains(&record.duration_ns())
        && filter.start_ns.contains(&span.start_time_unix_nano)
        && filter.tags.iter().all(|tag| fits_tag(tag, record))
}

/// The traces that a look at every span finds.
fn by_hand(requests: &[ExportTraceServiceRequest], filter: &ScanFilter, limit: usize) -> Vec<TraceId> {
    let mut newest = NewestTraces::new(limit);
    for record in requests.iter().flat_map(records).filter(|record| fits(filter, record)) {
        let trace = TraceId::from_wire(&record.span.trace_id).expect("valid");
        // Beyond 2262 all times are one, as scans show them.
        newest.offer(trace, record.span.start_time_unix_nano.min(i64::MAX as u64));
    }
    newest.into_traces()
}

/// The traces that segments find.
fn by_search(segments: &[&Segment], filter: &ScanFilter, limit: usize) -> Vec<TraceId> {
    let mut newest = NewestTraces::new(limit);
    for segment in segments {
        search(segment, filter, &mut newest).expect("intact");
    }
    newest.into_traces()
}

/// Offers every trace with a fitting span, newest parts first. The newest few rows of a part are what they are among all of its rows.
pub(super) fn search(segment: &Segment, filter: &ScanFilter, newest: &mut NewestTraces) -> Result<(), SegmentError> {
    let request = request(filter);
    let mut parts = segment.parts(filter, &mut Pruned::default(), &|| false)?;
    parts.sort_by_key(|part| std::cmp::Reverse(part.start_ns.1));
    for part in parts {
        let bounds = ReadBounds { start_min_ns: newest.floor_ns(), ..ReadBounds::default() };
        let read = |bounds: ReadBounds| segment.read_part(&part, &request, &bounds, &ReadCounts::default());
        let all = read(bounds)?;
        assert_newest(&all, |few| read(ReadBounds { newest: Some(few), ..bounds }))?;
        offer(&all, newest);
    }
    Ok(())
}

/// What a search reads.
pub(crate) fn request(filter: &ScanFilter) -> ScanRequest {
    ScanRequest { columns: vec![ScanColumn::TraceId, ScanColumn::StartTime], filter: filter.clone() }
}

/// Offers the rows of a batch of [`request`].
pub(crate) fn offer(batch: &RecordBatch, newest: &mut NewestTraces) {
    let starts = starts(batch);
    for (row, id) in batch.column(0).as_fixed_size_binary().iter().flatten().enumerate() {
        newest.offer(TraceId(id.try_into().expect("16 bytes")), starts[row]);
    }
}

fn starts(batch: &RecordBatch) -> Vec<u64> {
    batch.column(1).as_primitive::<TimestampNanosecondType>().values().iter().map(|&ns| ns as u64).collect()
}

/// Checks that the few newest rows are the newest of all.
pub(crate) fn assert_newest<E>(all: &RecordBatch, read: impl Fn(usize) -> Result<RecordBatch, E>) -> Result<(), E> {
    let newest_first = |batch: &RecordBatch| {
        let mut starts = starts(batch);
        starts.sort_unstable_by(|a, b| b.cmp(a));
        starts
    };
    let wanted = newest_first(all);
    for few in [1, 4, 150] {
        let found = newest_first(&read(few)?);
        let count = few.min(wanted.len());
        assert!(found.len() >= count && found[..count] == wanted[..count], "the newest {few}");
    }
    Ok(())
}

/// Checks that searching finds what looking by hand finds.
pub(super) fn check(segments: &[&Segment], requests: &[ExportTraceServiceRequest], filter: &ScanFilter, limit: usize) {
    assert_eq!(by_search(segments, filter, limit), by_hand(requests, filter, limit), "{filter:?}");
}

fn text() -> impl Strategy<Value = String> {
    let texts = vec![
        "x",
        "",
        "500",
        "true",
        "1.0",
        "0.5",
        "0",
        "-0",
        "NaN",
        "Infinity",
        "日本",
        "checkout",
        "[]",
        "{}",
        "[ null ]",
        "[\"x\"]",
        "AA==",
        "\"q\\",
        "\u{0}\u{1f}\r\n\t",
        "9223372036854775807",
    ];
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn sought() -> impl Strategy<Value = Sought> {
    let keys = vec!["a", "b", "", "a.b", "http.method", "db.system", "\"", "$bytes", "service.name", "error.type"];
    let names = vec!["", "get", "put", "naïve", "\"\\", "none"];
    let parts = vec![SpanText::StatusMessage, SpanText::TraceState, SpanText::ScopeName, SpanText::ScopeVersion];
    let items = vec![DroppedItems::Attributes, DroppedItems::Events, DroppedItems::Links];
    prop_oneof![
        12 => (prop::sample::select(keys), text()).prop_map(|(key, text)| Sought::Attribute { key: key.into(), text }),
        1 => prop::sample::select(names.clone()).prop_map(|name| Sought::EventName(name.into())),
        1 => (prop::sample::select(parts), prop::sample::select(names))
            .prop_map(|(part, text)| Sought::Text(part, text.into())),
        1 => (prop::sample::select(items), prop_oneof![1u32..4, any::<u32>()])
            .prop_map(|(items, count)| Sought::Dropped(items, count)),
        1 => (0i32..7).prop_map(Sought::Kind),
        1 => (0i32..4).prop_map(Sought::StatusCode),
        1 => prop::sample::select(vec![SpanState::Kept, SpanState::Pending]).prop_map(Sought::State),
        1 => prop::sample::select(vec![1.0, 2.0]).prop_map(Sought::AdjustedCount),
    ]
}

fn tag() -> impl Strategy<Value = TagFilter> {
    (prop::collection::vec(sought(), 1..3), prop::bool::weighted(0.2))
        .prop_map(|(any_of, is_absent)| TagFilter { any_of, is_absent })
}

/// Filters over odd spans; most ask for one thing, so that something is found.
pub(super) fn filter() -> impl Strategy<Value = ScanFilter> {
    let one_of = prop_oneof![
        8 => prop::collection::vec(tag(), 1..3).prop_map(|tags| ScanFilter { tags, ..Default::default() }),
        1 => prop::sample::select(vec!["checkout", "cart", "unknown_service", "none"])
            .prop_map(|service| ScanFilter { services: Some(vec![service.into()]), ..Default::default() }),
        1 => prop::sample::select(vec!["", "get", "naïve"])
            .prop_map(|name| ScanFilter { names: Some(vec![name.into()]), ..Default::default() }),
        1 => (0i32..7).prop_map(|kind| ScanFilter { kinds: Some(vec![kind]), ..Default::default() }),
        1 => (0i32..4).prop_map(|code| ScanFilter { status_codes: Some(vec![code]), ..Default::default() }),
        1 => (0u64..50, 20u64..100).prop_map(|(min, max)| ScanFilter { duration_ns: min..=max, ..Default::default() }),
        1 => (0u64..50, any::<u64>()).prop_map(|(min, max)| ScanFilter { start_ns: min..=max, ..Default::default() }),
    ];
    (one_of, prop::option::weighted(0.2, 0i32..7))
        .prop_map(|(filter, kind)| ScanFilter { kinds: filter.kinds.or(kind.map(|kind| vec![kind])), ..filter })
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
    let attribute =
        |key: &str, text: &str| ScanFilter { tags: vec![TagFilter::attribute(key, text)], ..Default::default() };
    let start = some.span.start_time_unix_nano;
    let mut filters = vec![
        ScanFilter { services: Some(vec!["svc-3".into()]), ..Default::default() },
        ScanFilter {
            services: Some(vec!["svc-3".into()]),
            names: Some(vec![some.span.name.clone()]),
            ..Default::default()
        },
        ScanFilter { status_codes: Some(vec![2]), duration_ns: 100_000_000..=u64::MAX, ..Default::default() },
        ScanFilter {
            services: Some(vec!["svc-3".into()]),
            tags: vec![TagFilter { any_of: vec![Sought::StatusCode(2)], is_absent: true }],
            ..Default::default()
        },
        ScanFilter { start_ns: start - 1_000_000..=start + 1_000_000, ..Default::default() },
        attribute("http.response.status_code", "500"),
        attribute("feature.flag", "flag-3"),
        attribute("host.name", "node-4"),
        attribute("order.express", "true"),
        attribute("no.such.key", "x"),
    ];
    // Every attribute of one span, whatever column it is in: the order's id has a bloom filter, the flag is in the residual.
    for given in records(&requests[7]).iter().step_by(150).flat_map(|record| &record.span.attributes) {
        let value = text_of(given.value.as_ref().and_then(|value| value.value.as_ref()));
        filters.push(attribute(&given.key, &value));
    }
    for filter in filters {
        for limit in [1, 100_000] {
            check(&[&segment], &requests, &filter, limit);
        }
    }
}
