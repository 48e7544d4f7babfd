//! Zipkin spans by hand and the OTLP that they become.

use prost::Message;

use super::*;
use crate::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{KeyValue, any_value::Value},
        trace::v1::{Span, Status},
    },
    traces::{Checks, Limits, scan},
};

const OPTIONS: TranscodeOptions =
    TranscodeOptions { parse_string_tags: false, received_at_ns: 9_000_000, bytes_max: 1 << 20 };

fn request(json: &str, options: TranscodeOptions) -> Result<ExportTraceServiceRequest, String> {
    let payload = transcode_spans(json.as_bytes(), options).map_err(|error| error.to_string())?;
    let limits = Limits { depth_max: 64, attributes_max: 100, span_bytes_max: 1 << 20 };
    scan(&payload, Checks::Admission(limits), |span| assert_eq!(span.fault, None)).expect("canonical");
    Ok(ExportTraceServiceRequest::decode(&*payload).expect("protobuf"))
}

/// Service, scope and span of each, in order.
fn spans(json: &str) -> Vec<(String, String, Span)> {
    let mut rows = Vec::new();
    for resource_spans in request(json, OPTIONS).expect("valid").resource_spans {
        let service =
            resource_spans.resource.map_or(String::new(), |resource| text(&resource.attributes, "service.name"));
        for scope_spans in resource_spans.scope_spans {
            let scope = scope_spans.scope.map_or(String::new(), |scope| format!("{} {}", scope.name, scope.version));
            rows.extend(scope_spans.spans.into_iter().map(|span| (service.clone(), scope.clone(), span)));
        }
    }
    rows
}

/// The span with these members beside ids and a time.
fn span(members: &str) -> Span {
    let json = format!(r#"[{{"traceId":"1","id":"2","timestamp":5,{members}}}]"#);
    spans(&json).remove(0).2
}

fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    attribute.value.clone()?.value
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    match value(attributes, key) {
        Some(Value::StringValue(text)) => text,
        other => panic!("{key}: {other:?}"),
    }
}

fn keys(span: &Span) -> Vec<&str> {
    span.attributes.iter().map(|attribute| attribute.key.as_str()).collect()
}

#[test]
fn a_whole_span() {
    let json = r#"[{
        "traceId": "5af7183fb1d4cf5f00f067aa0ba902b7", "parentId": "6b221d5bc9e6496c", "id": "352bff9a74ca9ad2",
        "kind": "CLIENT", "name": "get /api", "timestamp": 1556604172355737, "duration": 1431,
        "localEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.1", "port": 3306},
        "remoteEndpoint": {"serviceName": "db", "ipv4": "172.19.0.2", "ipv6": "2001:db8::c001", "port": 58648},
        "annotations": [{"timestamp": 1556604172355800, "value": "sent"}, {"value": "b", "timestamp": 1556604172355900}],
        "tags": {"http.method": "GET", "http.path": "/api"}, "debug": true, "shared": false, "later": [{}]
    }]"#;
    let (service, scope, span) = spans(json).remove(0);
    assert_eq!((service.as_str(), scope.as_str()), ("backend", ""));
    assert_eq!(span.trace_id, 0x5af7183fb1d4cf5f00f067aa0ba902b7_u128.to_be_bytes());
    assert_eq!(span.span_id, 0x352bff9a74ca9ad2_u64.to_be_bytes());
    assert_eq!(span.parent_span_id, 0x6b221d5bc9e6496c_u64.to_be_bytes());
    assert_eq!((span.name.as_str(), span.kind, span.status), ("get /api", 3, None));
    assert_eq!(span.start_time_unix_nano, 1_556_604_172_355_737_000);
    assert_eq!(span.end_time_unix_nano, 1_556_604_172_357_168_000);
    let events: Vec<_> = span.events.iter().map(|event| (event.time_unix_nano, event.name.as_str())).collect();
    assert_eq!(events, [(1_556_604_172_355_800_000, "sent"), (1_556_604_172_355_900_000, "b")]);
    let attributes = &span.attributes;
    assert_eq!(text(attributes, "http.method"), "GET");
    assert_eq!(text(attributes, "network.local.address"), "192.168.99.1");
    assert_eq!(value(attributes, "network.local.port"), Some(Value::IntValue(3306)));
    assert_eq!(text(attributes, "peer.service"), "db");
    assert_eq!(text(attributes, "network.peer.address"), "2001:db8::c001");
    assert_eq!(value(attributes, "network.peer.port"), Some(Value::IntValue(58648)));
    assert_eq!(value(attributes, "zipkin.debug"), Some(Value::BoolValue(true)));
    assert_eq!(attributes.len(), 8);
}

#[test]
fn ids_of_either_length() {
    let id = |trace_id: &str| spans(&format!(r#"[{{"traceId":"{trace_id}","id":"A","timestamp":1}}]"#)).remove(0).2;
    assert_eq!(id("463ac35c9f6413ad").trace_id, 0x463ac35c9f6413ad_u128.to_be_bytes());
    assert_eq!(id("463AC35C9F6413AD48485A3953BB6124").trace_id, 0x463ac35c9f6413ad48485a3953bb6124_u128.to_be_bytes());
    assert_eq!(id("0").span_id, 10_u64.to_be_bytes());
    assert_eq!(span(r#""parentId":"2""#).parent_span_id, Vec::<u8>::new(), "its own parent: a root");
    assert_eq!(span(r#""parentId":null"#).parent_span_id, Vec::<u8>::new());
    for (json, expected) in [
        (r#"[{"id":"1"}]"#, "traceId at byte 1: is missing"),
        (r#"[{"traceId":"1"}]"#, "id at byte 1: is missing"),
        (r#"[{"traceId":"","id":"1"}]"#, "traceId at byte 12: must be an id"),
        (r#"[{"traceId":"1","id":"00000000000000001"}]"#, "id at byte 21: must be an id"),
        (r#"[{"traceId":"W47/95gDgQPSabYzgT/GDA==","id":"1"}]"#, "traceId at byte 12: must be an id"),
        (r#"[{"traceId":5,"id":"1"}]"#, "traceId at byte 12: must be a string"),
        (r#"[{"traceId":"1","id":"1","parentId":"x"}]"#, "parentId at byte"),
        (r#"[{"traceId":"1","traceId":"1"}]"#, "traceId at byte 26: is there twice"),
    ] {
        let error = request(json, OPTIONS).expect_err(json);
        assert!(error.starts_with(expected), "{json}: {error}");
    }
}

#[test]
fn kinds() {
    for (members, kind, left) in [
        (r#""kind":"CLIENT""#, 3, vec![]),
        (r#""kind":"SERVER""#, 2, vec![]),
        (r#""kind":"PRODUCER""#, 4, vec![]),
        (r#""kind":"CONSUMER""#, 5, vec![]),
        (r#""kind":"OTHER""#, 0, vec![]),
        (r#""name":"x""#, 0, vec![]),
        (r#""tags":{"span.kind":"internal"}"#, 1, vec![]),
        (r#""kind":"CLIENT","tags":{"span.kind":"client"}"#, 3, vec![]),
        (r#""kind":"CLIENT","tags":{"span.kind":"server"}"#, 3, vec!["span.kind"]),
        (r#""tags":{"span.kind":"other"}"#, 0, vec!["span.kind"]),
    ] {
        let span = span(members);
        assert_eq!((span.kind, keys(&span)), (kind, left), "{members}");
    }
}

#[test]
fn statuses() {
    let status = |code, message: &str| Some(Status { code, message: message.into() });
    for (tags, expected, left) in [
        (r#""a":"b""#, None, vec!["a"]),
        (r#""error":"true""#, status(2, ""), vec![]),
        (r#""error":"""#, status(2, ""), vec!["error"]),
        (r#""error":"timed out""#, status(2, "timed out"), vec!["error"]),
        (r#""error":"false""#, None, vec!["error"]),
        (r#""error":true"#, status(2, ""), vec![]),
        (r#""otel.status_code":"ERROR","error":"no""#, status(2, "no"), vec!["error"]),
        (r#""otel.status_code":"STATUS_CODE_OK""#, status(1, ""), vec![]),
        (r#""otel.status_code":"OK","error":"x""#, status(1, ""), vec!["error"]),
        (r#""otel.status_code":"UNSET""#, None, vec![]),
        (r#""otel.status_code":"?""#, None, vec!["otel.status_code"]),
        (r#""otel.status_description":"d","otel.status_code":"ERROR","error":"true""#, status(2, "d"), vec![]),
    ] {
        let span = span(&format!(r#""tags":{{{tags}}}"#));
        assert_eq!((span.status.clone(), keys(&span)), (expected, left), "{tags}");
    }
}

#[test]
fn services_and_scopes_have_a_resource_each() {
    let json = r#"[
        {"traceId":"1","id":"1","timestamp":1,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"1","id":"2","timestamp":1,"localEndpoint":{"serviceName":"b"}},
        {"traceId":"1","id":"3","timestamp":1,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"1","id":"4","timestamp":1,"localEndpoint":{"serviceName":"a"},
         "tags":{"otel.library.name":"lib","otel.scope.version":"2","w3c.tracestate":"k=v"}},
        {"traceId":"1","id":"5","timestamp":1},
        {"traceId":"1","id":"6","timestamp":1,"localEndpoint":null}]"#;
    let rows = spans(json);
    let found: Vec<_> = rows.iter().map(|(service, scope, span)| (&**service, &**scope, span.span_id[7])).collect();
    assert_eq!(found, [("a", "", 1), ("a", "", 3), ("b", "", 2), ("a", "lib 2", 4), ("", "", 5), ("", "", 6)]);
    assert_eq!(rows[3].2.trace_state, "k=v");
    assert_eq!(rows[3].2.attributes, []);
}

#[test]
fn both_halves_of_a_shared_span_keep_its_id() {
    let json = r#"[
        {"traceId":"1","parentId":"1","id":"2","kind":"CLIENT","timestamp":10,"duration":9,"localEndpoint":{"serviceName":"a"}},
        {"traceId":"1","parentId":"1","id":"2","kind":"SERVER","timestamp":12,"duration":4,"shared":true,"localEndpoint":{"serviceName":"b"}}]"#;
    let rows = spans(json);
    assert_eq!(rows[0].2.span_id, rows[1].2.span_id);
    assert_eq!(rows[0].2.parent_span_id, rows[1].2.parent_span_id);
    assert_eq!([rows[0].2.kind, rows[1].2.kind], [3, 2]);
}

#[test]
fn a_span_without_a_time_gets_the_best_there_is() {
    let json = r#"[
        {"traceId":"1","id":"1","localEndpoint":{"serviceName":"a"},"duration":3,"tags":{"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}},
        {"traceId":"1","id":"2","timestamp":200},
        {"traceId":"1","id":"3","timestamp":100},
        {"traceId":"1","id":"4","timestamp":0,"annotations":[{"timestamp":70},{"timestamp":60,"value":"x"}],"duration":1},
        {"traceId":"2","id":"5"}]"#;
    let mut times: Vec<_> = spans(json)
        .iter()
        .map(|(_, _, span)| {
            let absent = value(&span.attributes, "otel.zipkin.absentField.startTime").is_some();
            (span.span_id[7], span.start_time_unix_nano, span.end_time_unix_nano, absent)
        })
        .collect();
    times.sort_unstable();
    let expected = [
        (1, 60_000, 63_000, true),
        (2, 200_000, 200_000, false),
        (3, 100_000, 100_000, false),
        (4, 60_000, 61_000, true),
        (5, 9_000_000, 9_000_000, true),
    ];
    assert_eq!(times, expected);
}

#[test]
fn tags_are_text_unless_asked_otherwise() {
    let json = r#"[{"traceId":"1","id":"2","timestamp":5,"tags":{"a":"5","b":"-1.50","c":"true","d":"1e5","e":"","f":"-",
        "g":"99999999999999999999","h":"1.","i":7,"j":false,"k":null,"l":"\u00e9"}}]"#;
    let values = |options| {
        let request = request(json, options).expect("valid");
        request.resource_spans[0].scope_spans[0].spans[0].attributes.clone()
    };
    let plain = values(OPTIONS);
    for (key, expected) in
        [("a", "5"), ("b", "-1.50"), ("c", "true"), ("i", "7"), ("j", "false"), ("l", "é"), ("e", "")]
    {
        assert_eq!(text(&plain, key), expected);
    }
    assert_eq!(plain.len(), 11);
    let parsed = values(TranscodeOptions { parse_string_tags: true, ..OPTIONS });
    assert_eq!(value(&parsed, "a"), Some(Value::IntValue(5)));
    assert_eq!(value(&parsed, "b"), Some(Value::DoubleValue(-1.5)));
    assert_eq!(value(&parsed, "c"), Some(Value::BoolValue(true)));
    assert_eq!(value(&parsed, "i"), Some(Value::IntValue(7)));
    for (key, expected) in [("d", "1e5"), ("e", ""), ("f", "-"), ("g", "99999999999999999999"), ("h", "1."), ("l", "é")]
    {
        assert_eq!(text(&parsed, key), expected);
    }
    assert!(request(r#"[{"traceId":"1","id":"2","tags":{"a":{}}}]"#, OPTIONS).is_err_and(|e| e.starts_with("tags at")));
}

#[test]
fn a_tag_goes_before_an_endpoint() {
    let span = span(r#""tags":{"peer.service":"tag"},"remoteEndpoint":{"serviceName":"endpoint","port":1}"#);
    assert_eq!(text(&span.attributes, "peer.service"), "tag");
    assert_eq!(keys(&span), ["peer.service", "network.peer.port"]);
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (members, expected) in [
        (r#""timestamp":-1"#, "timestamp at"),
        (r#""timestamp":1.5"#, "timestamp at"),
        (r#""timestamp":18446744073709552"#, "timestamp at"),
        (r#""duration":"soon""#, "duration at"),
        (r#""localEndpoint":[]"#, "localEndpoint at"),
        (r#""remoteEndpoint":{"port":65536}"#, "port at"),
        (r#""annotations":{}"#, "annotations at"),
        (r#""annotations":[null]"#, "annotations at"),
        (r#""name":5"#, "name at"),
        (r#""debug":"yes""#, "debug at"),
    ] {
        let error = request(&format!(r#"[{{"traceId":"1","id":"2",{members}}}]"#), OPTIONS).expect_err(members);
        assert!(error.starts_with(expected), "{members}: {error}");
    }
    for (json, expected) in [
        ("", "not JSON at byte 0: it ends too early"),
        ("{}", "the body at byte 0: must be a list"),
        ("[5]", "a span at byte 1: must be an object"),
        ("[]x", "not JSON at byte 2: something follows the value"),
    ] {
        assert_eq!(request(json, OPTIONS), Err(expected.into()), "{json}");
    }
    assert_eq!(request("[]", OPTIONS), Ok(ExportTraceServiceRequest::default()));
}

#[test]
fn what_comes_out_is_bounded() {
    let short = r#"{"traceId":"1","id":"1"}"#;
    let other_service = |n: usize| format!(r#"{{"traceId":"1","id":"1","localEndpoint":{{"serviceName":"{n}"}}}}"#);
    let list = |spans: Vec<String>| format!("[{}]", spans.join(","));
    let same = list(vec![short.to_owned(); 2000]);
    let different = list((0..4096).map(other_service).collect());
    for json in [&same, &different] {
        let payload = transcode_spans(json.as_bytes(), OPTIONS).expect("valid");
        assert!(payload.len() < json.len() * EXPANSION_MAX, "{} from {}", payload.len(), json.len());
        let bytes_max = payload.len() - 1;
        let refused = transcode_spans(json.as_bytes(), TranscodeOptions { bytes_max, ..OPTIONS });
        assert_eq!(refused, Err(JsonError::TooLarge { bytes_max }));
    }
    let too_many = list((0..4097).map(other_service).collect());
    let error = transcode_spans(too_many.as_bytes(), OPTIONS).expect_err("too many");
    assert!(error.to_string().contains("more than 4096 services"), "{error}");
}
