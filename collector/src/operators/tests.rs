//! Operators by what they make of lines, as a configuration has them.

use weir_proto::otlp::wire::Writer;

use super::{config::OperatorConfig, *};

const NOW_NS: u64 = 1_768_478_400_000_000_000;

fn pipeline(operators: &str) -> Pipeline {
    let configs: Vec<OperatorConfig> = serde_json::from_str(operators).unwrap_or_else(|error| panic!("{error}"));
    Pipeline::new(&configs).unwrap_or_else(|(at, problem)| panic!("{at}: {problem}"))
}

/// What comes out for these bodies: body, attributes and resource as JSON, severity, time.
fn out(operators: &str, bodies: &[&str]) -> Vec<String> {
    let mut pipeline = pipeline(operators);
    let mut shown = Vec::new();
    for (at, body) in (0..).zip(bodies) {
        let origin = Origin { file: 1, start: at * 100, end: at * 100 + 100 };
        let entry = Entry { origin, path: "/l/a.log".into(), ..Entry::of_body(Value::text(*body), NOW_NS) };
        pipeline.run(entry, &mut |entry| shown.push(show(&entry)));
    }
    pipeline.overdue(NOW_NS + 10_000_000_000, &mut |entry| shown.push(show(&entry)));
    shown
}

fn show(entry: &Entry<'_>) -> String {
    // It can be written, whatever is in it.
    entry.write(&mut Writer::with_capacity(100), 2);
    let json = |value: &Value<'_>| {
        let mut text = String::new();
        super::json::print(value, &mut text);
        text
    };
    let mut shown = json(&entry.body);
    let mut whole = entry.clone();
    whole.write_out();
    let attributes = whole.attributes;
    for (name, fields) in [("attributes", &attributes), ("resource", &entry.resource)] {
        if !fields.is_empty() {
            shown.push_str(&format!(" {name}={}", json(&Value::Map(fields.clone()))));
        }
    }
    if entry.severity_number > 0 || !entry.severity_text.is_empty() {
        shown.push_str(&format!(" severity={}/{}", entry.severity_number, entry.severity_text));
    }
    if entry.time_ns > 0 {
        shown.push_str(&format!(" time={}", entry.time_ns));
    }
    if let Some(id) = entry.trace_id {
        shown.push_str(&format!(" trace={:02x}..{:02x}", id[0], id[15]));
    }
    if !entry.scope_name.is_empty() {
        shown.push_str(&format!(" scope={}", entry.scope_name));
    }
    shown
}

#[track_caller]
fn one(operators: &str, body: &str, expected: &str) {
    assert_eq!(out(operators, &[body]), [expected]);
}

#[test]
fn json_with_all_that_parsers_look_for() {
    one(
        r#"[{"type": "json_parser",
            "timestamp": {"parse_from": "attributes.t", "layout_type": "epoch", "layout": "s"},
            "severity": {"parse_from": "attributes.l"}, "trace": {"trace_id": {"parse_from": "attributes.id"}},
            "scope_name": {"parse_from": "attributes.logger"}}]"#,
        r#"{"t":1700000000,"l":"WARNING","id":"0af7651916cd43dd8448eb211c80319c","logger":"main","n":{"m":1}}"#,
        concat!(
            r#""{\"t\":1700000000,\"l\":\"WARNING\",\"id\":\"0af7651916cd43dd8448eb211c80319c\",\"logger\":\"main\",\"n\":{\"m\":1}}""#,
            r#" attributes={"t":1700000000,"l":"WARNING","id":"0af7651916cd43dd8448eb211c80319c","logger":"main","n":{"m":1}}"#,
            " severity=13/WARNING time=1700000000000000000 trace=0a..9c scope=main"
        ),
    );
    one(r#"[{"type": "json_parser", "parse_to": "body"}]"#, r#"{"a": true}"#, r#"{"a":true}"#);
    one(r#"[{"type": "json_parser"}]"#, "no JSON", r#""no JSON""#);
    one(r#"[{"type": "json_parser", "on_error": "drop"}, {"type": "noop"}]"#, "{}", r#""{}""#);
    assert!(out(r#"[{"type": "json_parser", "on_error": "drop"}]"#, &["no JSON"]).is_empty());
}

#[test]
fn other_parsers() {
    one(
        r#"[{"type": "regex_parser", "regex": "^(?P<time>\\S+) (?P<sev>[A-Z]*) (?P<msg>.*)$",
            "severity": {"parse_from": "attributes.sev"}}, {"type": "move", "from": "attributes.msg", "to": "body"},
            {"type": "remove", "field": "attributes.sev"}]"#,
        "12:00 ERROR This is a test",
        r#""This is a test" attributes={"time":"12:00"} severity=17/ERROR"#,
    );
    one(
        r#"[{"type": "key_value_parser", "parse_to": "body", "preserve_to": "attributes.original"}]"#,
        "a=1 b='x y'",
        r#"{"a":"1","b":"x y"} attributes={"original":"a=1 b='x y'"}"#,
    );
    one(
        r#"[{"type": "csv_parser", "header": "id,severity,message", "parse_to": "body"}]"#,
        "1,debug,Debug Message",
        r#"{"id":"1","severity":"debug","message":"Debug Message"}"#,
    );
    one(
        r#"[{"type": "uri_parser", "parse_to": "attributes.url"}]"#,
        "http://h/p?q=1",
        r#""http://h/p?q=1" attributes={"url":{"scheme":"http","host":"h","path":"/p","query":{"q":["1"]}}}"#,
    );
    one(
        r#"[{"type": "severity_parser", "parse_from": "body", "overwrite_text": true,
            "mapping": {"error": "oops", "info": [{"min": 300, "max": 399}], "debug": "2xx"}}]"#,
        "301",
        r#""301" severity=9/INFO"#,
    );
    one(
        r#"[{"type": "time_parser", "parse_from": "body", "layout": "%Y-%m-%d %H:%M:%S", "location": "UTC"}]"#,
        "2023-06-19 05:20:50",
        r#""2023-06-19 05:20:50" time=1687152050000000000"#,
    );
}

#[test]
fn syslog_of_both_kinds() {
    one(
        r#"[{"type": "syslog_parser", "protocol": "rfc3164"}]"#,
        "<34>Jan 12 06:30:00 1.2.3.4 apache_server[12]: test message",
        concat!(
            r#""<34>Jan 12 06:30:00 1.2.3.4 apache_server[12]: test message""#,
            r#" attributes={"priority":34,"facility":4,"facility_text":"auth","hostname":"1.2.3.4","appname":"apache_server","#,
            r#""proc_id":"12","message":"test message"} severity=18/crit time=1768199400000000000"#
        ),
    );
    one(
        r#"[{"type": "syslog_parser", "protocol": "rfc5424", "parse_to": "body"}]"#,
        r#"<165>1 2003-10-11T22:14:15.003Z host app - ID47 [sd@1 a="b" c="d\"]"][e] hello"#,
        concat!(
            r#"{"priority":165,"facility":20,"facility_text":"local4","version":1,"hostname":"host","appname":"app","msg_id":"ID47","#,
            r#""structured_data":{"sd@1":{"a":"b","c":"d\"]"},"e":{}},"message":"hello"} severity=10/notice time=1065910455003000000"#
        ),
    );
    for text in ["junk", "<999>1 - - - - - -", "<34>no time"] {
        one(r#"[{"type": "syslog_parser", "protocol": "rfc5424"}]"#, text, &format!("{text:?}"));
    }
}

#[test]
fn edits_of_fields() {
    let json = r#"{"a":{"b":1,"c":"x"},"d":2}"#;
    let parse = r#"{"type": "json_parser", "parse_to": "body", "parse_ints": true}"#;
    for (operators, expected) in [
        (r#"{"type": "flatten", "field": "body.a"}"#, r#"{"d":2,"b":1,"c":"x"}"#),
        (r#"{"type": "retain", "fields": ["body.a.b"]}"#, r#"{"a":{"b":1}}"#),
        (r#"{"type": "remove", "field": "body.a"}"#, r#"{"d":2}"#),
        (
            r#"{"type": "copy", "from": "body.d", "to": "resource[\"x.y\"]"}"#,
            r#"{"a":{"b":1,"c":"x"},"d":2} resource={"x.y":2}"#,
        ),
        (r#"{"type": "move", "from": "body.a.c", "to": "body"}"#, r#""x""#),
        (
            r#"{"type": "add", "field": "attributes.n", "value": "EXPR(body.d + 1)"}"#,
            r#"{"a":{"b":1,"c":"x"},"d":2} attributes={"n":3}"#,
        ),
        (r#"{"type": "add", "field": "body.e", "value": [1, "x"]}"#, r#"{"a":{"b":1,"c":"x"},"d":2,"e":[1,"x"]}"#),
        (r#"{"type": "remove", "field": "body.nothing"}"#, r#"{"a":{"b":1,"c":"x"},"d":2}"#),
        (r#"{"type": "add", "field": "body.e", "value": 1, "if": "body.d == 3"}"#, r#"{"a":{"b":1,"c":"x"},"d":2}"#),
    ] {
        one(&format!("[{parse}, {operators}]"), json, expected);
    }
    one(r#"[{"type": "unquote", "field": "body"}]"#, r#""a\tb""#, r#""a\tb""#);
}

#[test]
fn routes_and_filters() {
    let operators = r#"[
        {"type": "router", "routes": [
            {"output": "json", "expr": "body startsWith '{'", "attributes": {"kind": "json"}},
            {"output": "end", "expr": "body matches '^ok'"}], "default": "text"},
        {"type": "json_parser", "id": "json", "output": "end"},
        {"type": "add", "id": "text", "field": "attributes.kind", "value": "text"},
        {"type": "filter", "id": "end", "expr": "body contains 'secret'"}]"#;
    let shown = out(operators, &[r#"{"a":"b"}"#, "ok", "other", "a secret"]);
    let expected =
        [r#""{\"a\":\"b\"}" attributes={"kind":"json","a":"b"}"#, r#""ok""#, r#""other" attributes={"kind":"text"}"#];
    assert_eq!(shown, expected);
    // Without a default, what fits no route ends there.
    assert!(
        out(
            r#"[{"type": "router", "routes": [{"output": "x", "expr": "false"}]}, {"type": "noop", "id": "x"}]"#,
            &["a"]
        )
        .is_empty()
    );
}

#[test]
fn what_belongs_together_is_joined() {
    let with = |keys: &str| format!(r#"[{{"type": "recombine", "combine_field": "body", {keys}}}]"#);
    let bodies = ["log2", "log3", "log4", "log5", "log1", "log6", "log7", "log1", "log8", "log1"];
    let first = with(r#""is_first_entry": "body == 'log1'", "max_unmatched_batch_size": 3, "combine_with": "+""#);
    let expected = [r#""log2+log3+log4""#, r#""log5""#, r#""log1+log6+log7""#, r#""log1+log8""#, r#""log1""#];
    assert_eq!(out(&first, &bodies), expected);
    let last = with(r#""is_last_entry": "body == 'log1'", "max_unmatched_batch_size": 3, "combine_with": "+""#);
    let expected = [r#""log2+log3+log4""#, r#""log5+log1""#, r#""log6+log7+log1""#, r#""log8+log1""#];
    assert_eq!(out(&last, &bodies), expected);
    let few = with(r#""is_first_entry": "false", "max_batch_size": 2, "combine_with": "", "overwrite_with": "oldest""#);
    assert_eq!(out(&few, &["a", "b", "c"]), [r#""ab""#, r#""c""#]);
}

#[test]
fn what_is_held_is_known_by_its_lines() {
    let mut pipeline = pipeline(r#"[{"type": "recombine", "combine_field": "body", "is_first_entry": "body == 'a'"}]"#);
    for (start, body) in [(0, "a"), (2, "b"), (4, "a")] {
        let origin = Origin { file: 7, start, end: start + 2 };
        pipeline.run(Entry { origin, ..Entry::of_body(Value::text(body), 1) }, &mut |_| ());
        let mut held = Vec::new();
        pipeline.held(&mut |origin| held.push(origin.start));
        let expected: &[u64] = match start {
            0 => &[0],
            2 => &[0, 2],
            _ => &[4],
        };
        assert_eq!(held, expected);
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let wrong = |operators: &str| match serde_json::from_str::<Vec<OperatorConfig>>(operators) {
        Err(error) => error.to_string(),
        Ok(configs) => Pipeline::new(&configs).err().map(|(_, problem)| problem).unwrap_or_default(),
    };
    for (operators, expected) in [
        (r#"[{"type": "jsn_parser"}]"#, "unknown variant `jsn_parser`"),
        (r#"[{"type": "json_parser", "regex": "x"}]"#, "unknown field `regex`"),
        (r#"[{"regex": "x", "type": "json_parser"}]"#, "unknown field `regex`"),
        (r#"[{"id": "x"}]"#, "missing field `type`"),
        (r#"[{"type": "regex_parser"}]"#, "regex_parser: the key `regex` is missing"),
        (r#"[{"type": "regex_parser", "regex": "("}]"#, "no regular expression"),
        (r#"[{"type": "regex_parser", "regex": "x"}]"#, "the pattern has no named group"),
        (r#"[{"type": "move", "from": "atributes.x", "to": "body"}]"#, "`atributes.x` is no field"),
        (r#"[{"type": "filter", "expr": "bdy"}]"#, "`bdy` is not known"),
        (r#"[{"type": "noop", "output": "x"}]"#, "its output `x` is no operator's id"),
        (r#"[{"type": "noop", "id": "x"}, {"type": "noop", "output": "x"}]"#, "entries go forward"),
        (r#"[{"type": "noop", "id": "x"}, {"type": "noop", "id": "x"}]"#, "two operators have the id `x`"),
        (r#"[{"type": "recombine", "combine_field": "body"}]"#, "exactly one of is_first_entry and is_last_entry"),
        (r#"[{"type": "time_parser", "parse_from": "body", "layout": "%Q"}]"#, "%Q is no directive"),
        (r#"[{"type": "severity_parser", "parse_from": "body", "mapping": {"eror": "x"}}]"#, "`eror` is no severity"),
        (r#"[{"type": "add", "field": "body.x"}]"#, "the key `value` is missing"),
    ] {
        let words = wrong(operators);
        assert!(words.contains(expected), "{operators}: {words}");
    }
}

#[test]
fn every_key_of_the_table_is_read() {
    for row in OPERATORS {
        for key in row.keys {
            let text = format!(r#"[{{"type": "{}", "{key}": {{"no": {{"such": "value"}}}}}}]"#, row.name);
            let error = serde_json::from_str::<Vec<OperatorConfig>>(&text).err().map(|error| error.to_string());
            assert!(!error.is_some_and(|error| error.contains("not read")), "{} {key}", row.name);
        }
    }
}

#[test]
fn fields_that_nobody_changes_stay_in_the_body() {
    let looks = r#"{"type": "severity_parser", "parse_from": "attributes.level"},
        {"type": "time_parser", "parse_from": "attributes.t", "layout_type": "epoch", "layout": "s"}"#;
    let line = r#"{"level":"warn","t":"1700000000","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user":{"id":7}}"#;
    let (trace, end) = ("4bf92f3577b34da6a3ce929d0e0e4736", "severity=13/warn time=1700000000000000000");
    let attributes = format!(r#"{{"level":"warn","t":"1700000000","trace_id":"{trace}","user":{{"id":7}}}}"#);
    for (operators, stays) in [
        (format!(r#"[{{"type": "json_parser"}}, {looks}]"#), true),
        (format!(r#"[{{"type": "json_parser"}}, {looks}, {{"type": "noop"}}]"#), false),
        (format!(r#"[{{"type": "json_parser"}}, {looks}, {{"type": "noop", "if": "true"}}]"#), false),
        (
            r#"[{"type": "json_parser", "severity": {"parse_from": "attributes.level"},
                "timestamp": {"parse_from": "attributes.t", "layout_type": "epoch", "layout": "s"}}]"#
                .into(),
            true,
        ),
    ] {
        let mut pipeline = pipeline(&operators);
        // Also of lines whose shape is known.
        for _ in 0..3 {
            let mut found = Vec::new();
            pipeline.run(Entry::of_body(Value::text(line), NOW_NS), &mut |entry| found.push(entry));
            let [entry] = &found[..] else { panic!("one entry") };
            assert_eq!(entry.unwritten.is_some(), stays, "{operators}");
            assert_eq!(show(entry), format!("{line:?} attributes={attributes} {end}"), "{operators}");
            let ids = entry.unwritten.as_ref().and_then(|unwritten| unwritten.ids);
            let id = ids.and_then(|ids| ids.trace).map(|id| id.to_string());
            assert_eq!(id.as_deref(), stays.then_some(trace), "{operators}");
        }
    }
}

#[test]
fn patterns_are_gos() {
    for pattern in
        [r"^(?P<x>\\w+) (?P<y>\\d+)$", r#"^{(?P<x>.*)}$"#, r"^(?P<a>\\d+)|(?P<a>[a-z]+)$", r"(?P<1x>[\\w-.]+)"]
    {
        pipeline(&format!(r#"[{{"type": "regex_parser", "regex": "{pattern}"}}]"#));
    }
    let two = r#"[{"type": "regex_parser", "regex": "^(?P<a>\\d+)$|^(?P<a>[a-z]+)$"}]"#;
    one(two, "ab", r#""ab" attributes={"a":"ab"}"#);
    let words = r#"[{"type": "regex_parser", "regex": "(?P<x>\\w+) (?P<1y>\\d+)"}]"#;
    one(words, "naïve 12", r#""naïve 12" attributes={"x":"ve","1y":"12"}"#);
    for (condition, bodies) in [("^{.*}$", ["{a}"]), (r"[[a]", ["["]), (r"^[^\\\\w ]$", ["é"])] {
        let filter = format!(r#"[{{"type": "filter", "expr": "not (body matches '{condition}')"}}]"#);
        assert_eq!(out(&filter, &bodies).len(), 1, "{condition}");
    }
}

#[test]
fn what_is_joined_is_the_first_entry_with_all_texts() {
    let joined = |keys: &str, bodies: &[&str]| {
        let recombine = format!(
            r#"[{{"type": "regex_parser", "regex": "^(?P<d>[0-9]{{4}}-\\S+) ", "timestamp": {{"parse_from": "attributes.d",
                "layout": "%Y-%m-%d", "location": "UTC"}}}},
                {{"type": "recombine", "is_first_entry": "body matches \"^[0-9]{{4}}-\"", "combine_field": "body"{keys}}}]"#
        );
        out(&recombine, bodies)
    };
    let first = r#""2024-01-01 first\n  at a" attributes={"d":"2024-01-01"} time=1704067200000000000"#;
    assert_eq!(joined("", &["2024-01-01 first", "  at a"]), [first]);
    assert_eq!(joined(r#", "overwrite_with": "oldest""#, &["2024-01-01 first", "  at a"]), [first]);
    let last = joined(r#", "overwrite_with": "newest""#, &["2024-01-01 first", "  at a"]);
    assert_eq!(last, [r#""2024-01-01 first\n  at a""#]);
    // Without a bound of entries, as 0 says.
    let many: Vec<&str> = std::iter::once("2024-01-01 x").chain(std::iter::repeat_n("y", 1500)).collect();
    assert_eq!(joined(r#", "max_batch_size": 0"#, &many).len(), 1);
    assert!(joined("", &many).len() > 1);
}

#[test]
fn texts_that_expressions_are_in() {
    for (value, expected) in [
        ("EXPR(body)", "x"),
        ("pre EXPR(body) post", "pre x post"),
        ("EXPR(body)-EXPR(upper(body))", "x-X"),
        (r#"say \"EXPR(len(body))\" \\d"#, r#"say \"1\" \\d"#),
        ("no expression", "no expression"),
    ] {
        let router = format!(
            r#"[{{"type": "router", "routes": [{{"expr": "true", "output": "n", "attributes": {{"a": "{value}"}}}}]}},
                {{"type": "noop", "id": "n"}}]"#
        );
        one(&router, "x", &format!(r#""x" attributes={{"a":"{expected}"}}"#));
    }
    // The value of `add` is one expression or none.
    let add = r#"[{"type": "add", "field": "attributes.a", "value": "pre EXPR(1)"}]"#;
    one(add, "x", r#""x" attributes={"a":"pre EXPR(1)"}"#);
}

#[test]
fn lists_and_replacements() {
    one(
        r#"[{"type": "json_array_parser", "parse_to": "attributes.o"}]"#,
        r#"[1, "a", {"b": [2]}, null]"#,
        r#""[1, \"a\", {\"b\": [2]}, null]" attributes={"o":[1,"a","{\"b\":[2]}",null]}"#,
    );
    one(
        r#"[{"type": "json_array_parser", "parse_to": "body", "header": "a,b"}, {"type": "move", "from": "body.a", "to": "attributes.a"}]"#,
        "[1,2]",
        r#"{"b":2} attributes={"a":1}"#,
    );
    one(
        r#"[{"type": "json_array_parser", "parse_to": "body"}, {"type": "assign_keys", "field": "body", "keys": ["a", "b"]}]"#,
        "[1,true]",
        r#"{"a":1,"b":true}"#,
    );
    for (keys, before, after) in [
        (r#""regex": " +", "replace_with": " ""#, "a  b   c", "a b c"),
        (r#""regex": "{(.*?)}", "replace_with": "${1}""#, "{a}{bb}{ccc}", "abbccc"),
        (r#""regex": "(?P<n>[0-9]+)", "replace_with": "<$n>""#, "a1b22", "a<1>b<22>"),
        (r#""regex": "x""#, "axb", "ab"),
        (r#""regex_name": "ansi_control_sequences""#, "\u{1b}[31mred\u{1b}[0m", "red"),
    ] {
        let replace = format!(r#"[{{"type": "regex_replace", "field": "body", {keys}}}]"#);
        one(&replace, before, &format!("{after:?}"));
    }
    one(r#"[{"type": "scope_name_parser"}, {"type": "sanitize_utf8"}]"#, "main", r#""main" scope=main"#);
    one(
        r#"[{"type": "json_parser", "body": "attributes.msg"}]"#,
        r#"{"msg":"hello"}"#,
        r#""hello" attributes={"msg":"hello"}"#,
    );
}

#[test]
fn what_is_not_there_has_no_quotes_and_null_is_there() {
    one(
        r#"[{"type": "json_parser"}, {"type": "unquote", "field": "attributes.q", "on_error": "drop"}]"#,
        r#"{"a":1}"#,
        r#""{\"a\":1}" attributes={"a":1}"#,
    );
    one(
        r#"[{"type": "json_parser", "parse_to": "body"}, {"type": "copy", "from": "body.a", "to": "attributes.b", "on_error": "drop"}]"#,
        r#"{"a":null}"#,
        r#"{"a":null} attributes={"b":null}"#,
    );
}

#[test]
fn messages_of_syslog() {
    let read = |keys: &str, text: &str| {
        let parser = format!(
            r#"[{{"type": "syslog_parser", {keys}}}, {{"type": "retain", "fields": ["attributes.hostname", "attributes.message"]}}]"#
        );
        let shown = out(&parser, &[text]).remove(0);
        shown.split_once(" attributes=").map_or(String::new(), |(_, rest)| rest.to_owned())
    };
    let older = r#""protocol": "rfc3164""#;
    let expected = |ns: u64| format!(r#"{{"hostname":"host","message":"ms"}} severity=18/crit time={ns}"#);
    for (text, ns) in [
        ("<34>Jan 12 06:30:00.123 host app[1]: ms", 1_768_199_400_123_000_000),
        ("<34>Jan 12 06:30:00,123 host app[1]: ms", 1_768_199_400_123_000_000),
        ("<34> Jan 12 06:30:00 host app[1]: ms", 1_768_199_400_000_000_000),
        ("<34>Jan 12 06:29:60 host app[1]: ms", 1_768_199_399_000_000_000),
    ] {
        assert_eq!(read(older, text), expected(ns), "{text}");
    }
    let counted = r#""protocol": "rfc5424", "enable_octet_counting": true"#;
    let text = "<34>1 2026-01-12T06:30:00Z host app 1 - - ms";
    assert_eq!(read(counted, &format!("{} {text}", text.len())), expected(1_768_199_400_000_000_000));
    assert_eq!(read(counted, text), "");
    let none = r#""protocol": "none""#;
    assert_eq!(read(none, "<34>host app: ms"), r#"{"message":"<34>host app: ms"} severity=18/crit"#);
    assert_eq!(read(none, "plain"), r#"{"message":"plain"}"#);
}

#[test]
fn what_expressions_are_written_with() {
    for (expression, expected) in [
        ("$ matches '^b'", "true"),
        ("$body == $", "true"),
        ("5 - - 3", "8"),
        ("0x1f + 0b11 + 0o17", "49"),
        (".5 * 4", "2"),
        ("round(2.5) + ceil(0.1) + floor(-0.1) + max(1, 2.5) + min(3, 4)", "8.5"),
        ("join(split('a,b,c', ','), '-') + replace('xx', 'x', 'yz')", "\"a-b-cyzyz\""),
        ("[indexOf('abcb', 'b'), lastIndexOf('abcb', 'b'), indexOf('a', 'b')]", "[1,3,-1]"),
        ("1 /* one */ + 2 // two", "3"),
    ] {
        let add = format!(r#"[{{"type": "add", "field": "attributes.a", "value": "EXPR({expression})"}}]"#);
        one(&add, "b", &format!(r#""b" attributes={{"a":{expected}}}"#));
    }
    for nothing in ["attributes.missing.x", "nil[0]"] {
        one(&format!(r#"[{{"type": "add", "field": "body", "value": "EXPR({nothing})"}}]"#), "b", r#""b""#);
    }
}

#[test]
fn what_is_no_name_of_a_scope_or_severity_is_an_error() {
    for body in [r#"{"a":1}"#, r#"{"v":true}"#, r#"{"v":1.5}"#] {
        let severity = r#"[{"type": "json_parser", "severity": {"parse_from": "attributes.v"}, "on_error": "drop"}]"#;
        assert!(out(severity, &[body]).is_empty(), "{body}");
    }
    for body in [r#"{"a":1}"#, r#"{"v":1}"#] {
        let scope = r#"[{"type": "json_parser", "scope_name": {"parse_from": "attributes.v"}, "on_error": "drop"}]"#;
        assert!(out(scope, &[body]).is_empty(), "{body}");
    }
    one(r#"[{"type": "csv_parser", "header": "a,a,b"}]"#, "1,2,3", r#""1,2,3" attributes={"a":"2","b":"3"}"#);
}

#[test]
fn ids_that_are_attributes_are_looked_for_when_the_bodys_fields_stay_where_they_are() {
    let operators = r#"[
        {"type": "regex_parser", "regex": "^(?P<trace_id>\\w+) (?P<rest>.*)$"},
        {"type": "move", "from": "attributes.rest", "to": "body"},
        {"type": "json_parser"}]"#;
    for (operators, is_found) in [(operators, false), (r#"[{"type": "json_parser"}]"#, true)] {
        let mut pipeline = pipeline(operators);
        let (mut left, mut found) = (0, 0);
        for n in 0..20 {
            let body = format!(r#"{{"n": {n}, "span_id": "4444444444444444"}}"#);
            let body = if is_found { body } else { format!("{} {body}", "4".repeat(32)) };
            pipeline.run(Entry::of_body(Value::text(&*body), NOW_NS), &mut |entry| {
                left += u32::from(entry.unwritten.is_some());
                found += u32::from(entry.unwritten.as_ref().is_some_and(|unwritten| unwritten.ids.is_some()));
            });
        }
        assert!(left > 10 && (found > 10) == is_found, "{left} left, {found} found");
    }
}
