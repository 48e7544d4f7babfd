//! Conditions, and whether they hold of one span; texts that are none.

use prost::Message;
use weir_proto::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value},
        resource::v1::Resource,
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
    },
    traces::{Checks, scan},
};

use super::*;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn string(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.into())) }
}

fn payload() -> Vec<u8> {
    let event = |name: &str| Event { name: name.into(), attributes: vec![text("kind", name)], ..Event::default() };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        parent_span_id: vec![2; 8],
        name: "GET /cart".into(),
        kind: 2,
        trace_state: "vendor=x,ot=th:8".into(),
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 3_500_000_000,
        status: Some(Status { code: 2, message: "no".into() }),
        attributes: vec![
            text("http.route", "/cart"),
            attribute("http.response.status_code", Value::IntValue(503)),
            attribute("ratio", Value::DoubleValue(0.5)),
            attribute("beta", Value::BoolValue(true)),
            text("size", "1024"),
            attribute("tags", Value::ArrayValue(ArrayValue { values: vec![string("a"), string("b")] })),
            attribute(
                "user",
                Value::KvlistValue(KeyValueList {
                    values: vec![
                        text("name", "eva"),
                        attribute("roles", Value::ArrayValue(ArrayValue { values: vec![string("admin")] })),
                    ],
                }),
            ),
        ],
        dropped_attributes_count: 3,
        dropped_events_count: 2,
        events: vec![event("cache.miss"), event("exception")],
        ..Span::default()
    };
    let scope =
        InstrumentationScope { name: "io.web".into(), version: "1.2".into(), ..InstrumentationScope::default() };
    let resource = Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

fn holds(of_span: &[&str], of_event: &[&str]) -> Result<bool, String> {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let condition = Condition::parse(&strings(of_span), &strings(of_event))?;
    let mut held = false;
    scan(&payload(), Checks::Journalled, |span| held = condition.holds(span)).expect("well formed");
    Ok(held)
}

/// Each condition holds, or does not.
fn check(cases: &[(&str, bool)]) {
    for (text, expected) in cases {
        assert_eq!(holds(&[text], &[]), Ok(*expected), "{text}");
    }
}

#[test]
fn conditions_over_spans() {
    let cases = [
        (r#"attributes["http.route"] == "/cart""#, true),
        (r#"span.attributes["http.route"] != "/cart""#, false),
        (r#"attributes["missing"] == nil"#, true),
        (r#"attributes["missing"] != "x""#, true),
        (r#"attributes["missing"] < 1 or attributes["missing"] >= 1"#, false),
        (r#"attributes["http.response.status_code"] >= 500"#, true),
        (r#"attributes["http.response.status_code"] == 503.0"#, true),
        (r#"attributes["http.response.status_code"] == "503""#, false),
        (r#"attributes["ratio"] > 0.4 and attributes["ratio"] < 1"#, true),
        (r#"attributes["beta"] == true"#, true),
        (r#"resource.attributes["service.name"] == "shop""#, true),
        (r#"name == "GET /cart" and kind == SPAN_KIND_SERVER"#, true),
        (r#"kind.string == "Server""#, true),
        ("status.code == STATUS_CODE_ERROR", true),
        ("status.code == 1", false),
        (r#"status.message == "no""#, true),
        ("end_time_unix_nano - start_time_unix_nano > 2000000000", true),
        (r#"(end_time - start_time) >= Duration("2.5s")"#, true),
        (r#"duration > Duration("1h")"#, false),
        (r#"IsMatch(name, "^GET")"#, true),
        (r#"IsMatch(attributes["http.response.status_code"], "^5..$")"#, true),
        (r#"IsMatch(attributes["missing"], ".*")"#, false),
        (r#"IsMatch(attributes["http.route"], "\/ca.t\.?")"#, true),
        ("IsRootSpan()", false),
        ("not IsRootSpan()", true),
        (r#"trace_state["vendor"] == "x""#, true),
        (r#"trace_id.string == "abababababababababababababababab""#, true),
        // `and` is stronger than `or`.
        ("true or false and false", true),
        ("(true or false) and false", false),
        ("not true or true", true),
        ("not (true or true)", false),
        ("-1 < 1", true),
        ("1 - 2 - 3 == -4", true),
        ("1 == 1", true),
        // Arithmetic: products before sums, whole numbers divided by whole numbers.
        ("1 + 2 * 3 == 7", true),
        ("(1 + 2) * 3 == 9", true),
        ("7 / 2 == 3 and 7.0 / 2 == 3.5", true),
        ("(end_time_unix_nano - start_time_unix_nano) / 1000000 == 2500", true),
        (r#"attributes["http.response.status_code"] / 100 == 5"#, true),
        // Where the Collector reports an error nothing holds, nor does its contrary.
        ("1 / 0 == 1", false),
        ("not (1 / 0 == 1)", false),
        ("1 / 0 == 1 or true", false),
        ("true or 1 / 0 == 1", true),
        (r#"attributes["missing"] + 1 != 5"#, false),
        (r#"not HasPrefix(attributes["missing"], "x")"#, false),
    ];
    check(&cases);
    assert_eq!(holds(&["false", "true"], &[]), Ok(true), "one of several is enough");
    let all = holds(&["nam == 1", "true", "kin == 2"], &["tim == 1"]).expect_err("three are wrong");
    assert_eq!(all.matches("condition `").count(), 3, "{all}");
}

#[test]
fn functions_and_paths_over_spans() {
    check(&[
        (r#"HasPrefix(name, "GET ")"#, true),
        (r#"HasSuffix(value=name, suffix="/cart")"#, true),
        (r#"HasPrefix(name, "POST") == false"#, true),
        (r#"IsString(name) and IsInt(kind) and IsDouble(attributes["ratio"]) and IsBool(attributes["beta"])"#, true),
        (r#"IsMap(attributes["user"]) and IsList(attributes["tags"]) and IsMap(attributes)"#, true),
        (r#"IsString(attributes["missing"])"#, false),
        (r#"ContainsValue(attributes["tags"], "b")"#, true),
        (r#"ContainsValue(attributes["tags"], "c")"#, false),
        (r#"ContainsValue(["GET /cart", "x"], name)"#, true),
        (r#"Len(name) == 9 and Len(attributes["tags"]) == 2 and Len(attributes) == 7"#, true),
        (r#"Int(attributes["size"]) > 1000 and Int("x") == nil and Int(2.9) == 2 and Int(true) == 1"#, true),
        (r#"Double("0.25") * 2 == attributes["ratio"]"#, true),
        (r#"String(attributes["http.response.status_code"]) == "503""#, true),
        (r#"String(attributes["tags"]) == "[\"a\",\"b\"]""#, true),
        (r#"Substring(name, 0, 3) == "GET""#, true),
        (r#"Substring(name, 0, 300) != "GET""#, false),
        (r#"Split(name, " ")[1] == "/cart""#, true),
        (r#"Split(name, " ")[2] == "/cart""#, false),
        (r#"Concat([name, kind, attributes["missing"]], "|") == "GET /cart|2|<nil>""#, true),
        (r#"ToLowerCase(name) == "get /cart" and ConvertCase(name, "upper") == "GET /CART""#, true),
        (r#"Trim("  x ") == "x" and TrimPrefix(name, "GET ") == "/cart" and Index(name, "/") == 4"#, true),
        (r#"attributes["user"]["name"] == "eva" and attributes["user"]["roles"][0] == "admin""#, true),
        (r#"attributes["user"]["missing"] == nil"#, true),
        (r#"attributes["user"]["name"]["deeper"] == nil"#, false),
        (r#"attributes["tags"][0] == "a""#, true),
        (r#"attributes["tags"] == ["a", "b"]"#, true),
        ("trace_id == TraceID(0xabababababababababababababababab)", true),
        ("span_id == SpanID(0x0101010101010101) and span.span_id != 0x0101", true),
        (r#"parent_span_id == SpanID("0202020202020202")"#, true),
        (r#"parent_span_id.string != """#, true),
        ("dropped_attributes_count + dropped_events_count == 5 and dropped_links_count == 0", true),
        (r#"instrumentation_scope.name == "io.web" and scope.version == "1.2""#, true),
        ("resource.dropped_attributes_count == 0", true),
        (r#"kind.deprecated_string == "SPAN_KIND_SERVER""#, true),
        (r#"Milliseconds(end_time - start_time) == 2500 and Seconds(duration) == 2.5"#, true),
        ("UnixSeconds(start_time) == 1", true),
        (r#"Bool("true") and Bool(attributes["beta"]) and not Bool(attributes["ratio"]) == false"#, true),
        (r#"ContainsValue(Keys(attributes), "http.route") and ContainsValue(Values(attributes["user"]), "eva")"#, true),
        (r#"Keys(name)[0] == "x""#, false),
        (r#"ParseJSON("{\"a\": {\"b\": [1, \"x\"]}}")["a"]["b"][1] == "x" and ParseJSON("[2]")[0] == 2"#, true),
        (r#"ParseJSON("{") == nil"#, false),
        (r#"ExtractPatterns(name, "^(?P<method>[A-Z]+) ")["method"] == "GET""#, true),
        (r#"ExtractPatterns("x", "^(?P<method>[A-Z]+) ")["method"] == nil"#, true),
        (
            r#"ToSnakeCase("HTTPResponseCode") == "http_response_code" and ConvertCase("aB.c", "snake") == "a_b_c""#,
            true,
        ),
        (r#"ToCamelCase("http.response_code") == "HttpResponseCode""#, true),
        ("Log(1) == 0 and Log(attributes[\"size\"]) > 6.9 and Log(attributes[\"size\"]) < 7", true),
        ("Log(0) < 1", false),
        // 2026-02-28T23:59:58.5Z, a Saturday.
        ("Year(Unix(1772323198)) == 2026 and Month(Unix(1772323198)) == 2 and Day(Unix(1772323198)) == 28", true),
        ("Hour(Unix(1772323198)) == 23 and Minute(Unix(1772323198)) == 59 and Second(Unix(1772323198)) == 58", true),
        ("Weekday(Unix(1772323198)) == 6 and Nanosecond(Unix(1, 5)) == 5 and Unix(1, 5) == 1000000005", true),
        (r#"TruncateTime(Unix(1772323198), Duration("1h")) == Unix(1772319600)"#, true),
        ("Year(start_time) == 1970 and Day(name) != 1", false),
    ]);
}

/// As `iancoleman/strcase` does it, which the Collector uses.
#[test]
fn snakes_are_those_of_the_collector() {
    for (text, snake) in [
        ("numbers2and55with000", "numbers_2_and_55_with_000"),
        ("JSONData", "json_data"),
        ("userID", "user_id"),
        (" Many-Many Words ", "many_many_words"),
        ("A1b.C__d", "a_1_b_c__d"),
        ("ÄbC", "Äb_c"),
        ("", ""),
    ] {
        for call in [format!(r#"ToSnakeCase("{text}")"#), format!(r#"ConvertCase("{text}", "snake")"#)] {
            let condition = format!(r#"{call} == "{snake}""#);
            assert_eq!(holds(&[&condition], &[]), Ok(true), "{condition}");
        }
    }
}

#[test]
fn conditions_over_events() {
    let cases = [
        (r#"name == "exception""#, true),
        (r#"name == "GET /cart""#, false),
        (r#"spanevent.attributes["kind"] == "cache.miss""#, true),
        (r#"span.name == "GET /cart""#, true),
        (r#"attributes["http.route"] == "/cart""#, false),
    ];
    for (text, expected) in cases {
        assert_eq!(holds(&[], &[text]), Ok(expected), "{text}");
    }
}

#[test]
fn says_what_is_no_condition() {
    let bomb = format!(r#"IsMatch(name, "{}")"#, "(a{1000}){1000}");
    let cases = [
        ("", "ends where more is expected"),
        ("name", "compare it with something"),
        ("name ==", "ends where more is expected"),
        ("name == \"a", "a string is not closed"),
        ("name = \"a\"", "`=` is not expected here; write `==`, at character 6"),
        ("true and nam == \"a\"", "unknown path nam; did you mean name?, at character 10"),
        ("attributes.x == 1", "unknown path attributes.x"),
        ("name[\"x\"] == 1", "name has no keys"),
        ("spanevent.name == \"x\"", "in conditions over events only"),
        ("0x0 == 1", "two hex digits each"),
        ("attributes[\"x\" == 1", "`]` is expected before `==`"),
        ("attributes[x] == 1", "a string in double quotes is expected"),
        ("(true", "`)` is missing at the end"),
        ("true)", "`)` is not expected here"),
        ("true true", "`true` is not expected here"),
        ("(name == \"a\") == 1", "a condition stands where a value is expected"),
        ("Lenn(name) > 1", "unknown function Lenn; did you mean Len?"),
        ("ParseXML(name) == 1", "unknown function ParseXML. Known here: IsMatch, HasPrefix"),
        ("ExtractPatterns(name, \"a\") == 1", "needs a group with a name"),
        (r#"ExtractPatterns(name, "\\(?<a") == 1"#, "needs a group with a name"),
        (r#"ExtractPatterns(name, "[(?<]a") == 1"#, "needs a group with a name"),
        ("name == \"a\" && true", "`&` means nothing here; write `and`, at character 13"),
        ("!(true)", "write `not`"),
        ("name == 'a'", "a text stands in double quotes"),
        ("true AND true", "`AND` is not expected here; write `and`"),
        ("name in [\"a\"]", "write ContainsValue"),
        ("resource[\"x\"] == 1", "did you mean resource.attributes[\"key\"]?"),
        ("span.attributes.x == 1", "did you mean span.attributes[\"x\"]?"),
        ("Len(events) > 0", "conditions about events stand under spanevent"),
        ("HasPrefix(name)", "HasPrefix: the argument prefix is missing, at character 1"),
        ("Len(name, 1) == 1", "Len takes 1 arguments at the most"),
        ("HasPrefix(prefix=name)", "the argument value is expected here, not prefix"),
        ("ConvertCase(name, \"kebab\") == name", "there is no case kebab"),
        ("IsMatch(name, name)", "the pattern is a string in double quotes"),
        ("Len(name)", "compare it with something"),
        ("attributes[\"a\"][b] == 1", "a position, is expected"),
        ("IsMatch(name, \"(\")", "not a regular expression"),
        (&bomb, "too large"),
        ("99999999999999999999 == 1", "too large a number"),
        ("Duration(\"soon\") == 1", "is not a duration"),
        ("é == 1", "means nothing here"),
    ];
    for (text, said) in cases {
        let error = holds(&[text], &[]).expect_err(text);
        assert!(error.contains(said), "{text}: {error}");
    }
    for text in ["(".repeat(8000), "not ".repeat(2000), "x".repeat(9000), "1+".repeat(4000)] {
        let error = holds(&[&text], &[]).expect_err("refused");
        assert!(error.len() < 400, "{error}");
    }
}

/// Pieces of conditions in any order are read or refused, and never panic.
#[test]
fn any_heap_of_pieces_is_read_or_refused() {
    let pieces = [
        "name",
        "attributes",
        "[",
        "]",
        "\"k\"",
        "(",
        ")",
        "not",
        "and",
        "or",
        "==",
        "<",
        "1",
        "2.5",
        "-",
        "+",
        ".",
        "IsMatch",
        "Len",
        "Split",
        "*",
        "/",
        "=",
        "0x01",
        ",",
        "true",
        "nil",
        "duration",
        "status",
        "code",
        "é",
        "\"",
        "\\",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut read = 0;
    for _ in 0..5_000 {
        let mut text = String::new();
        for _ in 0..state % 9 + 1 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            text.push(' ');
        }
        read += usize::from(holds(&[&text], &[&text]).is_ok());
    }
    assert!(read > 3, "{read} of them mean something");
}
