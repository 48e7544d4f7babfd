//! Payloads by hand: what the scan shows of them and what it refuses.

use prost::Message;

use super::*;
use crate::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, span},
};

const LIMITS: Limits = Limits { depth_max: 8, attributes_max: 16, span_bytes_max: 4096 };

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn request(span: Span) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![attribute("service.name", Value::StringValue("shop".into()))],
        ..Resource::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], schema_url: "scope/1".into(), ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: "resource/1".into() }],
    }
}

#[test]
fn a_span_comes_with_its_surroundings() {
    let span = Span {
        name: "GET /".into(),
        start_time_unix_nano: 7,
        attributes: vec![attribute("n", Value::IntValue(-1)), attribute("s", Value::StringValue("é".into()))],
        ..Span::default()
    };
    let payload = request(span).encode_to_vec();
    for checks in [Checks::Admission(LIMITS), Checks::Journalled] {
        let mut spans = Vec::new();
        scan(&payload, checks, |span| spans.push(*span)).unwrap();
        let [found] = &spans[..] else { panic!("{} spans", spans.len()) };
        assert_eq!(found.resource.service, b"shop");
        assert_eq!(found.resource.schema_url, b"resource/1");
        assert_eq!(found.scope.schema_url, b"scope/1");
        assert_eq!(found.span.name, b"GET /");
        assert_eq!(found.span.start_ns, 7);
        assert_eq!(found.fault, None);
        let start = found.span.position as usize;
        assert_eq!(&payload[start..start + found.span.bytes.len()], found.span.bytes);
        let attributes: Vec<_> = found.span.attributes.iter().collect();
        assert_eq!(attributes[0], AttributeView { key: b"n", value: ValueView::Int(-1) });
        assert_eq!(attributes[1], AttributeView { key: b"s", value: ValueView::Str("é".as_bytes()) });
        assert_eq!(attributes.len(), 2);
    }
}

#[test]
fn the_service_is_the_first_that_has_a_name() {
    let service = |attributes: &[KeyValue]| {
        let mut request = request(Span::default());
        request.resource_spans[0].resource = Some(Resource { attributes: attributes.to_vec(), ..Resource::default() });
        let mut service = Vec::new();
        scan(&request.encode_to_vec(), Checks::Journalled, |span| service = span.resource.service.to_vec()).unwrap();
        String::from_utf8(service).unwrap()
    };
    let named = |name: &str| attribute("service.name", Value::StringValue(name.into()));
    let number = attribute("service.name", Value::IntValue(5));
    assert_eq!(service(&[]), "unknown_service");
    assert_eq!(service(&[named(""), number.clone()]), "unknown_service");
    assert_eq!(service(&[number, named(""), named("a"), named("b")]), "a");
}

/// What the scan says of each span.
fn faults(payload: &[u8], limits: Limits) -> Vec<Option<ItemFault>> {
    let mut faults = Vec::new();
    scan(payload, Checks::Admission(limits), |span| faults.push(span.fault)).unwrap();
    faults
}

fn faults_of(span: Span) -> Option<ItemFault> {
    faults(&request(span).encode_to_vec(), LIMITS)[0]
}

/// A length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut out);
    out
}

/// A request of one span with these fields.
fn span_request(span: &[u8]) -> Vec<u8> {
    field(1, &field(2, &field(2, span)))
}

fn scanned(payload: &[u8]) -> Result<(), ScanError> {
    scan(payload, Checks::Admission(LIMITS), |_| {})
}

#[test]
fn text_that_is_not_utf8_rejects_its_spans_only() {
    let bad = b"\xc3(";
    let good = field(5, b"good");
    let fault = Some(ItemFault::InvalidUtf8);
    let in_attribute = field(9, &[field(1, b"k"), field(2, &field(1, bad))].concat());
    let in_link = field(13, &field(3, bad));
    for broken in
        [field(5, bad), field(3, bad), field(15, &field(2, bad)), field(11, &field(2, bad)), in_link, in_attribute]
    {
        let scopes = field(2, &[field(2, &good), field(2, &broken), field(2, &good)].concat());
        assert_eq!(faults(&field(1, &scopes), LIMITS), [None, fault, None], "{broken:x?}");
    }
    let fine = field(2, &field(2, &good));
    let scope = field(2, &[field(1, &field(1, bad)), field(2, &good), field(2, &good)].concat());
    assert_eq!(faults(&field(1, &[scope, fine.clone()].concat()), LIMITS), [fault, fault, None]);
    let entity = field(1, &[field(1, &field(3, &field(3, bad))), fine.clone()].concat());
    assert_eq!(faults(&entity, LIMITS), [fault]);
    let resource = field(1, &[field(1, &field(1, &field(1, bad))), fine.clone(), fine.clone()].concat());
    assert_eq!(faults(&[resource, field(1, &fine)].concat(), LIMITS), [fault, fault, None]);
    let schema_urls = field(1, &[fine.clone(), field(3, bad)].concat());
    assert_eq!(faults(&[schema_urls, field(1, &fine)].concat(), LIMITS), [fault, None]);
    // bytes are not text
    let bytes = field(9, &[field(1, b"k"), field(2, &field(7, bad))].concat());
    assert_eq!(faults(&span_request(&[field(1, bad), bytes].concat()), LIMITS), [None]);
}

#[test]
fn counts_and_sizes_are_bounded() {
    let many = |count| vec![attribute("k", Value::BoolValue(true)); count];
    let event = |count| span::Event { attributes: many(count), ..span::Event::default() };
    let link = |count| span::Link { attributes: many(count), ..span::Link::default() };
    let fault = Some(ItemFault::TooManyAttributes);
    assert_eq!(faults_of(Span { attributes: many(16), events: vec![event(16)], ..Span::default() }), None);
    assert_eq!(faults_of(Span { attributes: many(17), ..Span::default() }), fault);
    assert_eq!(faults_of(Span { events: vec![event(1), event(17)], ..Span::default() }), fault);
    assert_eq!(faults_of(Span { links: vec![link(17)], ..Span::default() }), fault);
    // the name's key takes one byte, its length two
    assert_eq!(faults_of(Span { name: "n".repeat(4096 - 3), ..Span::default() }), None);
    assert_eq!(faults_of(Span { name: "n".repeat(4096 - 2), ..Span::default() }), Some(ItemFault::TooLarge));
}

/// An AnyValue around `depth - 1` arrays, of which the innermost is empty.
fn nested_arrays(depth: usize) -> Vec<u8> {
    let mut reversed = Vec::new();
    let mut wrap = |field: u8| {
        let mut header = vec![field << 3 | 2];
        prost::encoding::encode_varint(reversed.len() as u64, &mut header);
        reversed.extend(header.iter().rev());
    };
    wrap(5);
    for _ in 2..depth {
        wrap(1);
        wrap(5);
    }
    reversed.reverse();
    reversed
}

#[test]
fn nesting_is_bounded() {
    let at_depth = |depth| {
        let mut value = AnyValue { value: Some(Value::BoolValue(true)) };
        for level in 1..depth {
            let key_values = vec![KeyValue { value: Some(value.clone()), ..KeyValue::default() }];
            value = AnyValue {
                value: Some(match level % 2 {
                    0 => Value::KvlistValue(KeyValueList { values: key_values }),
                    _ => Value::ArrayValue(ArrayValue { values: vec![value] }),
                }),
            };
        }
        let attributes = vec![KeyValue { value: Some(value), ..KeyValue::default() }];
        faults_of(Span { attributes, ..Span::default() })
    };
    assert_eq!(at_depth(8), None);
    assert_eq!(at_depth(9), Some(ItemFault::TooDeep));
    let side_by_side = vec![attribute("k", Value::ArrayValue(ArrayValue::default())); 16];
    assert_eq!(faults_of(Span { attributes: side_by_side, ..Span::default() }), None);
    let span = field(9, &field(2, &nested_arrays(1_000_000)));
    for depth_max in [8, u32::MAX] {
        let limits = Limits { span_bytes_max: u32::MAX, depth_max, ..LIMITS };
        assert_eq!(faults(&span_request(&span), limits), [Some(ItemFault::TooDeep)]);
    }
}

#[test]
fn a_million_groups_are_refused() {
    // the key of field 17 takes two bytes; its group starts with the one pair and ends with the other
    let groups = [[0x8b, 0x01]; 1_000_000].concat();
    assert!(matches!(scanned(&span_request(&groups)), Err(ScanError::Wire(WireError::Malformed { .. }))));
    let closed: Vec<u8> = [vec![[0x8b, 0x01]; 20], vec![[0x8c, 0x01]; 20]].concat().concat();
    assert_eq!(scanned(&span_request(&closed)), Ok(()));
    assert!(scanned(&span_request(&closed[..78])).is_err());
}

#[test]
fn what_needs_merging_is_not_canonical() {
    let value = |content: &[u8]| field(9, &field(2, content));
    let (array, text) = (field(5, &[]), field(1, b"t"));
    for unusual in [
        field(1, &[field(1, &[]), field(1, &[])].concat()),
        field(1, &field(2, &[field(1, &[]), field(1, &[])].concat())),
        span_request(&[field(15, &[]), field(15, &[])].concat()),
        span_request(&field(9, &[field(2, &[]), field(2, &[])].concat())),
        span_request(&value(&[array.clone(), array.clone()].concat())),
        span_request(&value(&field(5, &field(1, &[field(6, &[]), field(6, &[])].concat())))),
    ] {
        assert_eq!(scanned(&unusual), Err(ScanError::NotCanonical), "{unusual:x?}");
        assert_eq!(scanned(&canonical(&unusual).unwrap()), Ok(()));
    }
    // resources and scopes behind what is theirs, as the Collector writes them
    let behind = [field(2, &[field(2, &[]), field(1, &field(1, b"s"))].concat()), field(1, &[])].concat();
    assert_eq!(scanned(&field(1, &behind)), Ok(()));
    // one kind of value replaces another
    assert_eq!(scanned(&span_request(&value(&[array.clone(), text, array].concat()))), Ok(()));
}

#[test]
fn errors_tell_where() {
    let truncated = |at| Err(ScanError::Wire(WireError::Truncated { at }));
    let mut payload = span_request(&field(5, b"name"));
    assert_eq!(scanned(&payload), Ok(()));
    // one level, its length, and so on: the name's length is the eighth byte
    payload[7] = 5;
    assert_eq!(scanned(&payload), truncated(8));
    assert_eq!(scanned(&[0x0a]), truncated(1));
    let wrong_wire_type = span_request(&[5 << 3, 1]);
    let what = "wrong wire type for the field";
    assert_eq!(scanned(&wrong_wire_type), Err(WireError::Malformed { at: 7, what }.into()));
    assert!(matches!(canonical(&wrong_wire_type), Err(WireError::Malformed { .. })));
}
