//! Bodies before and after: what comes out as OTLP, and what is refused.

use prost::Message;

use super::*;
use crate::otlp::messages::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
};

fn pairs(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("{}={text}", attribute.key),
        Some(Value::IntValue(number)) => format!("{}=int {number}", attribute.key),
        Some(Value::DoubleValue(number)) => format!("{}=double {number}", attribute.key),
        Some(Value::BoolValue(truth)) => format!("{}=bool {truth}", attribute.key),
        other => format!("{}={other:?}", attribute.key),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn shown(payload: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(payload).expect("protobuf");
    let mut shown = Vec::new();
    for logs in request.resource_logs {
        shown.push(pairs(&logs.resource.unwrap_or_default().attributes));
        for line in logs.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            let Some(Value::StringValue(body)) = line.body.and_then(|body| body.value) else { panic!("no text") };
            let attributes = pairs(&line.attributes);
            shown.push(format!("  {} {body:?} {attributes}", line.time_unix_nano).trim_end().to_owned());
        }
    }
    shown
}

fn defaults() -> Metadata {
    Metadata { texts: ["h0".into(), String::new(), "st0".into(), String::new()], time_ns: 7 }
}

fn events(body: &str) -> Result<Vec<String>, EventsError> {
    transcode_events(body.as_bytes(), &defaults(), 1 << 20).map(|payload| shown(&payload))
}

#[test]
fn events_stand_one_after_the_other() {
    let body = concat!(
        r#"{"time":1426279439.123456789,"host":"h1","source":"s","sourcetype":"st","index":"main","event":"Hello \"w\"","fields":{"a":"x","n":5,"r":0.5,"ok":true,"service.name":"cart"}}"#,
        r#"{"event":{"a": [1, 2.50]},"time":"1426279440","host":null}"#,
        "\n\n  ",
        r#"{"event":5,"time":1426279440123}"#,
    );
    let expected = [
        "service.name=cart host.name=h1 com.splunk.source=s com.splunk.sourcetype=st com.splunk.index=main",
        r#"  1426279439123456789 "Hello \"w\"" a=x n=int 5 r=double 0.5 ok=bool true"#,
        "host.name=h0 com.splunk.sourcetype=st0",
        r#"  1426279440000000000 "{\"a\": [1, 2.50]}""#,
        r#"  1426279440123000000 "5""#,
    ];
    assert_eq!(events(body).expect("events"), expected);
}

#[test]
fn what_is_wrong_is_told_with_the_events_number() {
    let rows = [
        ("", None, "no data"),
        (" \n", None, "no data"),
        (r#"{"event":"a"}{"host":"x"}"#, Some(1), "event 1 has no field `event`"),
        (r#"{"event":null}"#, Some(0), "event 0 has no field `event`"),
        (r#"{"event":""}"#, Some(0), "event 0: the field `event` is blank"),
        (r#"{"event":"a"}{"event":"#, Some(1), "event 1: not JSON at byte 22: it ends too early"),
        (r#"[{"event":"a"}]"#, Some(0), "event 0: the event at byte 0: must be an object"),
        (r#"{"event":"a","time":"now"}"#, Some(0), "event 0: time at byte 20: must be seconds since 1970"),
        (r#"{"event":"a","fields":[1]}"#, Some(0), "event 0: fields at byte 22: must be an object"),
        ("hello", Some(0), "event 0: not JSON at byte 0: a value is missing"),
    ];
    for (body, event, words) in rows {
        let error = events(body).expect_err(body);
        assert_eq!((error.event(), error.to_string().as_str()), (event, words), "{body}");
    }
}

#[test]
fn raw_text_is_an_event_a_line() {
    let payload = transcode_raw(b"one\r\n\n two \nthree", &defaults(), 1 << 20).expect("lines");
    let expected = ["host.name=h0 com.splunk.sourcetype=st0", r#"  7 "one""#, r#"  7 " two ""#, r#"  7 "three""#];
    assert_eq!(shown(&payload), expected);
    assert_eq!(transcode_raw(b"\n \n", &defaults(), 1 << 20), Err(EventsError::NoData));
}

#[test]
fn seconds_keep_their_fraction() {
    let rows = [
        ("1426279439", Some(1_426_279_439_000_000_000)),
        ("1426279439.5", Some(1_426_279_439_500_000_000)),
        ("1426279439.1234567891", Some(1_426_279_439_123_456_789)),
        ("1426279439123", Some(1_426_279_439_123_000_000)),
        ("1.4e9", Some(1_400_000_000_000_000_000)),
        ("0", Some(0)),
        ("-1", None),
        ("x", None),
        ("99999999999999999999", None),
    ];
    for (text, expected) in rows {
        assert_eq!(epoch_ns(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn small_events_grow_within_their_bound() {
    let body = r#"{"event":5}{"event":5,"host":"x"}"#.repeat(1000);
    let payload = transcode_events(body.as_bytes(), &Metadata::default(), usize::MAX).expect("events");
    assert!(payload.len() <= EXPANSION_MAX * body.len(), "{} of {}", payload.len(), body.len());
    let long = Metadata { texts: ["h".repeat(1000), "s".repeat(1000), String::new(), String::new()], time_ns: 0 };
    assert!(matches!(transcode_events(body.as_bytes(), &long, usize::MAX), Err(EventsError::TooLarge { .. })));
}
