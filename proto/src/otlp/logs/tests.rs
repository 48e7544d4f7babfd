//! Payloads by hand: what the scan shows of lines, and what it refuses.

use prost::Message;

use super::*;
use crate::otlp::{
    json::{TranscodeLimits, transcode_logs},
    messages::{
        common::v1::{AnyValue, KeyValue, KeyValueList, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
    },
};

const LIMITS: Limits = Limits { depth_max: 8, attributes_max: 16, span_bytes_max: 4096 };

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn request(lines: Vec<LogRecord>) -> Vec<u8> {
    let resource = Resource {
        attributes: vec![attribute("service.name", Value::StringValue("shop".into()))],
        ..Resource::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: lines, schema_url: "scope/1".into(), ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, schema_url: "resource/1".into() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn faults(payload: &[u8]) -> Vec<Option<ItemFault>> {
    let mut faults = Vec::new();
    scan(payload, Checks::Admission(LIMITS), |line| faults.push(line.fault)).expect("well formed");
    faults
}

fn fault_of(line: LogRecord) -> Option<ItemFault> {
    faults(&request(vec![line]))[0]
}

fn text(value: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::StringValue(value.into())) })
}

#[test]
fn a_line_comes_with_its_surroundings() {
    let payload = request(vec![
        LogRecord { time_unix_nano: 7, severity_number: 9, body: text("out of stock"), ..Default::default() },
        LogRecord { trace_id: vec![1; 16], span_id: vec![2; 8], event_name: "ordered".into(), ..Default::default() },
    ]);
    for checks in [Checks::Admission(LIMITS), Checks::Journalled] {
        let mut lines = Vec::new();
        scan(&payload, checks, |line| lines.push(*line)).expect("well formed");
        let [first, second] = &lines[..] else { panic!("{} lines", lines.len()) };
        assert_eq!((first.resource.service, first.resource.schema_url), (&b"shop"[..], &b"resource/1"[..]));
        assert_eq!(first.scope.schema_url, b"scope/1");
        assert_eq!((first.line.time_ns, first.line.severity_number), (7, 9));
        assert_eq!(first.line.body, ValueView::Str(b"out of stock"));
        assert_eq!((first.line.trace(), first.line.has_odd_trace_id()), (None, false));
        assert_eq!(second.line.trace().map(|id| id.0), Some([1; 16]));
        assert_eq!(second.line.span().map(|id| id.0), Some([2; 8]));
        assert_eq!((second.line.event_name, second.line.body), (&b"ordered"[..], ValueView::Empty));
    }
}

#[test]
fn a_line_without_a_time_is_placed_by_what_there_is() {
    let placed = |time_ns, observed_ns| LineView { time_ns, observed_ns, ..LineView::default() }.time_or(9);
    assert_eq!([placed(1, 2), placed(0, 2), placed(0, 0), placed(1, 0)], [1, 2, 9, 1]);
}

#[test]
fn ids_of_a_wrong_length_are_told_from_absent_ones() {
    let odd = |trace_id: &'static [u8], span_id: &'static [u8]| {
        let line = LineView { trace_id, span_id, ..LineView::default() };
        (line.trace().is_some(), line.has_odd_trace_id(), line.span().is_some(), line.has_odd_span_id())
    };
    assert_eq!(odd(b"", b""), (false, false, false, false));
    assert_eq!(odd(&[1; 16], &[1; 8]), (true, false, true, false));
    assert_eq!(odd(&[1; 8], &[1; 7]), (false, true, false, true));
    assert_eq!(odd(&[0; 16], &[0; 8]), (false, false, false, false));
}

#[test]
fn what_is_bounded_rejects_its_line_alone() {
    assert_eq!(fault_of(LogRecord::default()), None);
    let many = |count| vec![attribute("k", Value::BoolValue(true)); count];
    assert_eq!(fault_of(LogRecord { attributes: many(16), ..Default::default() }), None);
    let line = LogRecord { attributes: many(17), ..Default::default() };
    assert_eq!(fault_of(line), Some(ItemFault::TooManyAttributes));
    assert_eq!(fault_of(LogRecord { body: text(&"x".repeat(5000)), ..Default::default() }), Some(ItemFault::TooLarge));
    let nested = |depth| {
        (1..depth).fold(AnyValue { value: Some(Value::BoolValue(true)) }, |inner, _| {
            let values = vec![KeyValue { value: Some(inner), ..KeyValue::default() }];
            AnyValue { value: Some(Value::KvlistValue(KeyValueList { values })) }
        })
    };
    assert_eq!(fault_of(LogRecord { body: Some(nested(8)), ..Default::default() }), None);
    assert_eq!(fault_of(LogRecord { body: Some(nested(9)), ..Default::default() }), Some(ItemFault::TooDeep));
    let lines = vec![LogRecord::default(), LogRecord { attributes: many(17), ..Default::default() }];
    assert_eq!(faults(&request(lines)), [None, Some(ItemFault::TooManyAttributes)]);
}

/// A length-delimited field.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut out);
    out
}

/// A request of lines with these fields.
fn lines(lines: &[&[u8]]) -> Vec<u8> {
    let lines: Vec<Vec<u8>> = lines.iter().map(|line| field(2, line)).collect();
    field(1, &field(2, &lines.concat()))
}

#[test]
fn text_that_is_not_utf8_rejects_its_line_only() {
    let bad = b"\xc3(";
    let in_attribute = field(6, &[field(1, b"k"), field(2, &field(1, bad))].concat());
    for broken in [field(3, bad), field(12, bad), field(5, &field(1, bad)), in_attribute] {
        let payload = lines(&[b"", &broken, b""]);
        assert_eq!(faults(&payload), [None, Some(ItemFault::InvalidUtf8), None], "{broken:x?}");
    }
    // Bytes are not text, and field 4 is no field of a line any more.
    assert_eq!(faults(&lines(&[&field(5, &field(7, bad)), &field(4, bad)])), [None, None]);
}

#[test]
fn two_bodies_are_put_together_before_they_are_shown() {
    let array = field(5, &[]);
    let twice = lines(&[&[field(5, &array), field(5, &array)].concat()]);
    assert_eq!(scan(&twice, Checks::Admission(LIMITS), |_| {}), Err(ScanError::NotCanonical));
    assert_eq!(scan(&canonical(&twice).expect("protobuf"), Checks::Admission(LIMITS), |_| {}), Ok(()));
    // a wrong wire type is no unknown field
    assert!(matches!(scan(&lines(&[&[5 << 3, 1]]), Checks::Journalled, |_| {}), Err(ScanError::Wire(_))));
}

#[test]
fn a_body_nested_a_million_deep_is_refused_alone() {
    let mut reversed = Vec::new();
    let mut wrap = |field: u8| {
        let mut header = vec![field << 3 | 2];
        prost::encoding::encode_varint(reversed.len() as u64, &mut header);
        reversed.extend(header.iter().rev());
    };
    for _ in 0..1_000_000 {
        wrap(5);
        wrap(1);
    }
    wrap(5);
    reversed.reverse();
    let limits = Limits { span_bytes_max: u32::MAX, depth_max: u32::MAX, ..LIMITS };
    let mut faults = Vec::new();
    let payload = lines(&[b"", &field(5, &reversed)]);
    scan(&payload, Checks::Admission(limits), |line| faults.push(line.fault)).expect("well formed");
    assert_eq!(faults, [None, Some(ItemFault::TooDeep)]);
}

#[test]
fn json_is_read_by_the_names_of_the_specification() {
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000",
        "observedTimeUnixNano":1544712660300000001,"severityNumber":"SEVERITY_NUMBER_INFO2","severityText":"Information",
        "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","flags":1,"eventName":"e",
        "body":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":"5"}}]}},"attributes":[],"name":"gone"}]}]}]}"#;
    let limits = TranscodeLimits { depth_max: 64, bytes_max: 1 << 20 };
    let payload = transcode_logs(json.as_bytes(), limits).expect("JSON");
    let request = ExportLogsServiceRequest::decode(&*payload).expect("protobuf");
    let line = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!((line.severity_number, line.severity_text.as_str(), line.flags), (10, "Information", 1));
    assert_eq!(
        (line.time_unix_nano, line.observed_time_unix_nano),
        (1_544_712_660_300_000_000, 1_544_712_660_300_000_001)
    );
    assert_eq!((line.trace_id.len(), line.span_id.len(), line.event_name.as_str()), (16, 8, "e"));
    let error = transcode_logs(br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":7}]}]}]}"#, limits);
    assert!(error.expect_err("no text").to_string().starts_with("traceId at byte "));
}
