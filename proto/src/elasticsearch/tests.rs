//! Bulk requests before and after: what comes out as OTLP, and what each sender is told.

use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::otlp::{
    Checks,
    logs::scan,
    messages::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
    },
};

const OPTIONS: BulkOptions<'static> =
    BulkOptions { index: Some("logs"), documents_max: 100, bytes_max: 1 << 20, fields_max: 50 };

fn value(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => "null".into(),
        Some(Value::StringValue(text)) => format!("{text:?}"),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => format!("{number:?}"),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::ArrayValue(list)) => {
            let items: Vec<String> = list.values.iter().map(value_of).collect();
            format!("[{}]", items.join(" "))
        }
        Some(Value::KvlistValue(list)) => format!("{{{}}}", pairs(&list.values)),
        Some(other) => format!("{other:?}"),
    }
}

fn value_of(item: &AnyValue) -> String {
    value(Some(item))
}

fn pairs(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| format!("{}={}", attribute.key, value(attribute.value.as_ref()));
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// A request in a line of text for each resource and record.
fn shown(payload: &[u8]) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(payload).expect("protobuf");
    let mut shown = Vec::new();
    for logs in request.resource_logs {
        shown.push(pairs(&logs.resource.unwrap_or_default().attributes));
        for scope in logs.scope_logs {
            assert_eq!(scope.scope.expect("a scope").name, SCOPE);
            for line in scope.log_records {
                let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let (trace, span) = (hex(&line.trace_id), hex(&line.span_id));
                shown.push(
                    format!(
                        "  {} {}/{} {} | {} {trace} {span}",
                        line.time_unix_nano,
                        line.severity_number,
                        line.severity_text,
                        value(line.body.as_ref()),
                        pairs(&line.attributes)
                    )
                    .trim_end()
                    .to_owned(),
                );
            }
        }
    }
    shown
}

fn bulk(body: &str) -> Bulk {
    transcode_bulk(body.as_bytes(), OPTIONS).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(body: &str) -> String {
    let error = transcode_bulk(body.as_bytes(), OPTIONS).expect_err(body);
    format!("{}: {error}", error.kind())
}

fn faults(bulk: &Bulk) -> Vec<String> {
    let one = |item: &BulkItem| match &item.fault {
        None => format!("{} {}", item.action.name(), bulk.indices[item.index as usize]),
        Some(fault) => format!("{} {}: {fault}", item.action.name(), fault.kind()),
    };
    bulk.items.iter().map(one).collect()
}

#[test]
fn ecs_names_become_the_records_fields_and_the_rest_attributes() {
    let body = concat!(
        r#"{"create":{"_index":"app","_id":"x1","routing":"r"}}"#,
        "\n",
        r#"{"@timestamp":"2023-11-14T22:13:20.5Z","message":"hello \"you\"","log":{"level":"WARN","logger":"a.b"},"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"span.id":"00f067aa0ba902b7","service":{"name":"cart","version":"1"},"n":12,"big":18446744073709551616,"ratio":0.50,"ok":true,"none":null,"tags":["a",{"b":[1,null]}],"empty":{}}"#,
        "\r\n",
        r#"{"index":{}}"#,
        "\n",
        r#"{"@timestamp":1700000000000,"level":30,"msg":"pino"}"#,
        "\n\n",
        r#"{"index":{}}"#,
        "\n",
        r#" {"time":1700000000001,"level":"error","trace.id":"no id","user":"ann"} "#,
        "\n",
    );
    let bulk = bulk(body);
    let expected = [
        r#"service.name="cart" elasticsearch.index="app""#,
        r#"  1700000000500000000 13/WARN "hello \"you\"" | log.logger="a.b" service.version="1" n=12 big="18446744073709551616" ratio=0.5 ok=true tags=["a" {b=[1 null]}] empty={} elasticsearch.id="x1" 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7"#,
        r#"elasticsearch.index="logs""#,
        r#"  1700000000000000000 9/ "pino" | level=30"#,
        r#"  1700000000001000000 17/ "{\"time\":1700000000001,\"level\":\"error\",\"trace.id\":\"no id\",\"user\":\"ann\"}" |"#,
    ];
    assert_eq!(shown(&bulk.payload), expected);
    assert_eq!(faults(&bulk), ["create app", "index logs", "index logs"]);
    assert_eq!(bulk.items[0].id.as_deref(), Some("x1"));
}

#[test]
fn the_collectors_documents_are_known() {
    let body = concat!(
        "{\"create\":{}}\n",
        r#"{"@timestamp":"1700000000000.123456","severity_text":"Error","severity_number":17,"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","resource":{"attributes":{"service.name":"cart"}},"body":{"text":"hi"},"attributes":{"n":1}}"#,
        "\n"
    );
    let expected = [
        r#"service.name="cart" elasticsearch.index="logs""#,
        r#"  1700000000000123456 17/Error "hi" | severity_number=17 attributes.n=1 4bf92f3577b34da6a3ce929d0e0e4736"#,
    ];
    assert_eq!(shown(&bulk(body).payload), expected);
}

proptest! {
    #[test]
    fn whatever_comes_is_answered_item_by_item(pieces in prop::collection::vec(piece(), 0..20)) {
        let body = pieces.concat();
        let Ok(bulk) = transcode_bulk(body.as_bytes(), OPTIONS) else { return Ok(()) };
        let mut records = 0;
        scan(&bulk.payload, Checks::Journalled, |_| records += 1).expect("canonical");
        prop_assert_eq!(records, bulk.items.iter().filter(|item| item.fault.is_none()).count());
    }
}

/// Parts of bulk requests, whole and broken.
fn piece() -> impl Strategy<Value = String> {
    let known = [
        "{\"create\":{}}\n",
        "{\"index\":{\"_index\":\"a\"}}\n",
        "{\"delete\":{\"_id\":1}}\n",
        "{\"message\":\"x\",\"a\":[1,{\"b\":null}]}\n",
        "{\"log\":{\"level\":\"warn\"},\"msg\":5,\"service.name\":\"s\"}\n",
        "{}\n",
        "\n",
        "{",
        "\u{0}",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,10}"]
}

#[test]
fn a_bad_document_costs_itself() {
    let body = concat!(
        "{\"create\":{}}\n{\"message\":\"first\"}\n",
        "{\"create\":{}}\n{\"message\":\n",
        "{\"create\":{}}\n[1]\n",
        "{\"create\":{}}\n\n",
        "{\"create\":{\"_index\":\"Upper\"}}\n{}\n",
        "{\"create\":{}}\n{\"@timestamp\":\"yesterday\"}\n",
        "{\"update\":{\"_id\":1}}\n{\"doc\":{}}\n",
        "{\"delete\":{\"_id\":\"1\"}}\n",
        "{\"index\":{}}\n{\"a\":1,\"a\":\"two types\"}\n",
        "{\"create\":{}}\n",
    );
    let bulk = bulk(body);
    let expected = [
        "create logs",
        "create document_parsing_exception: not JSON at byte 11: it ends too early",
        "create document_parsing_exception: the document at byte 0: must be an object",
        "create document_parsing_exception: not JSON at byte 0: it ends too early",
        "create invalid_index_name_exception: the name of index [Upper] must be in lower case",
        "create document_parsing_exception: the field [@timestamp] has a value that is no date: yesterday",
        "update illegal_argument_exception: update is not taken: log records are only ever added, by create or index",
        "delete illegal_argument_exception: delete is not taken: log records are only ever added, by create or index",
        "index logs",
        "create illegal_argument_exception: the document is missing: the request ends behind its action",
    ];
    assert_eq!(faults(&bulk), expected);
    let kept = [r#"elasticsearch.index="logs""#, r#"  0 0/ "first" |"#, r#"  0 0/ "{\"a\":1,\"a\":\"two types\"}" |"#];
    assert_eq!(shown(&bulk.payload), kept);
}

#[test]
fn what_else_stands_beside_an_action_is_passed_over() {
    let body = "{\"index\":{\"_index\":\"w\",\"pipeline\":null},\"attempts\":398,\"more\":{\"create\":[1]}}\n{\"message\":\"x\"}\n";
    let bulk = transcode_bulk(body.as_bytes(), OPTIONS).expect("taken");
    assert_eq!(faults(&bulk), ["index w"]);
}

#[test]
fn what_is_no_bulk_request_is_refused_as_a_whole() {
    let rows = [
        ("", "parse_exception: a request body is needed"),
        ("{\"index\":{}}\n{}", "illegal_argument_exception: a bulk request ends with a newline [\\n]"),
        ("\n\n", "action_request_validation_exception: there is no action in the request"),
        (
            "{\"index\":{}}\n{}\n{\"upsert\":{}}\n{}\n",
            "illegal_argument_exception: line 3 is no action: one of create, index, update and delete is expected",
        ),
        ("\"index\"\n{}\n", "illegal_argument_exception: line 1 is no action: the action at byte 0: must be an object"),
        ("{\"index\":{}", "illegal_argument_exception: a bulk request ends with a newline [\\n]"),
        (
            "{\"index\":{}\n{}\n",
            "illegal_argument_exception: line 1 is no action: not JSON at byte 11: it ends too early",
        ),
        (
            "{\"index\":5}\n{}\n",
            "illegal_argument_exception: line 1 is no action: the action at byte 9: must be an object",
        ),
    ];
    for (body, expected) in rows {
        assert_eq!(refused(body), expected, "{body}");
    }
    let nameless = BulkOptions { index: None, ..OPTIONS };
    let error = transcode_bulk(b"{\"index\":{}}\n{}\n", nameless).expect_err("no index");
    assert_eq!(error.to_string(), "item 1 names no index, and neither does the path");
    let many = "{\"index\":{}}\n{}\n".repeat(101);
    assert!(transcode_bulk(many.as_bytes(), OPTIONS).expect_err("too many").is_size());
}

#[test]
fn documents_of_very_many_fields_are_kept_as_the_text_that_they_are() {
    let fields: Vec<String> = (0..100_000).map(|n| format!("\"f{n}\":{n}")).collect();
    let deep = format!("{{\"{}\":{{{}}}}}", "k".repeat(2000), fields[..40].join(","));
    for document in [format!("{{\"@timestamp\":1700000000000,\"message\":\"m\",{}}}", fields.join(",")), deep] {
        let body = format!("{{\"create\":{{}}}}\n{document}\n{{\"create\":{{}}}}\n{{\"message\":\"next\"}}\n");
        let options = BulkOptions { bytes_max: 1 << 24, ..OPTIONS };
        let bulk = transcode_bulk(body.as_bytes(), options).expect("a request");
        assert_eq!(faults(&bulk), ["create logs", "create logs"]);
        let shown = shown(&bulk.payload);
        assert!(shown[1].ends_with("}\" |") && shown[1].len() > document.len(), "{:.200}", shown[1]);
        assert_eq!(shown[1].starts_with("  1700000000000000000 "), document.contains("@timestamp"));
        assert_eq!(shown[2], "  0 0/ \"next\" |");
        let broken = body.replacen("}\n{\"create\":{}}\n{\"mess", "\n{\"create\":{}}\n{\"mess", 1);
        let bulk = transcode_bulk(broken.as_bytes(), options).expect("a request");
        assert!(faults(&bulk)[0].starts_with("create document_parsing_exception"), "{:?}", faults(&bulk));
    }
}

#[test]
fn small_documents_grow_within_their_bound() {
    for pair in ["{\"index\":{}}\n{}\n", "{\"index\":{\"_index\":\"a\"}}\n{}\n{\"index\":{\"_index\":\"b\"}}\n{}\n"] {
        let body = pair.repeat(1000);
        let options = BulkOptions { documents_max: 10_000, ..OPTIONS };
        let payload = transcode_bulk(body.as_bytes(), options).expect("a request").payload;
        assert!(payload.len() <= EXPANSION_MAX * body.len(), "{pair}: {} of {}", payload.len(), body.len());
    }
}
