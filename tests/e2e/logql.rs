//! Loki's query API over pushed and OTLP lines: the same answers from the head, after a kill and from segments; and those that
//! `grep` and `jq` would give.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use serde_json::{Value, json};
use weir_benches::{query::Query, rng::Rng};
use weir_proto::time::{Clock, SECOND_NS};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::{post_to, raw},
};

const PUSH: &str = "/loki/api/v1/push";
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
const CATEGORIZED: &[(&str, &str)] =
    &[("content-type", "application/x-www-form-urlencoded"), ("x-loki-response-encoding-flags", "categorize-labels")];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&").into_bytes()
}

/// Asks by POST; status and text.
async fn asked(address: SocketAddr, path: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> (u16, String) {
    let (status, body) = post_to(&format!("/loki/api/v1/{path}"), address, headers, form(pairs)).await;
    (status.as_u16(), String::from_utf8(body.to_vec()).expect("UTF-8"))
}

/// The data of a good answer.
async fn data(address: SocketAddr, path: &str, pairs: &[(&str, &str)]) -> Value {
    let (status, body) = asked(address, path, FORM, pairs).await;
    assert_eq!(status, 200, "{pairs:?}: {body}");
    let mut answer: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(answer["status"], "success");
    answer["data"].take()
}

/// The lines of a log query, as they come.
async fn lines(address: SocketAddr, query: &str, more: &[(&str, &str)]) -> Vec<String> {
    let mut pairs = vec![("query", query), ("limit", "5000")];
    pairs.extend(more);
    let data = data(address, "query_range", &pairs).await;
    let streams = data["result"].as_array().expect("streams").clone();
    let values = streams.iter().flat_map(|stream| stream["values"].as_array().expect("values").clone());
    values.map(|value| value[1].as_str().expect("a line").to_owned()).collect()
}

/// The only number of a metric query; 0 without one.
async fn number(address: SocketAddr, query: &str) -> u64 {
    let data = data(address, "query", &[("query", query)]).await;
    let value = data["result"][0]["value"][1].as_str().unwrap_or("0").to_owned();
    value.parse().unwrap_or_else(|_| panic!("{query}: {value}"))
}

async fn until_sealed(query: &Query) {
    let sealed = query.until("every line sealed", Duration::from_secs(30), |metrics| {
        metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_segment_items").is_some_and(|n| *n > 0.0)
    });
    sealed.await.expect("sealed by age");
}

async fn push(address: SocketAddr, stream: Value, values: Vec<Value>) {
    let body = json!({"streams": [{"stream": stream, "values": values}]}).to_string();
    let (status, answer) = post_to(PUSH, address, JSON, body.into()).await;
    assert_eq!(status.as_u16(), 204, "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn lines_are_asked_for_wherever_they_lie() {
    let weir = Weir::new(73, SMALL);
    let mut server = weir.start().await;
    let now_ns = Clock::system().now_ns() / SECOND_NS * SECOND_NS;
    let at = |ns: u64| (now_ns + ns).to_string();
    let error = format!(r#"{{"level":"error","trace_id":"{TRACE}","ms":12}}"#);
    push(
        server.query,
        json!({"app": "cart"}),
        vec![
            json!([at(1), error]),
            json!([at(2), r#"{"level":"info","ms":5}"#, {"pod": "p-1"}]),
            json!([at(3), "same time, first"]),
            json!([at(3), "same time, second"]),
            json!([at(3), "same time, first"]),
            json!([at(0), "out of order"]),
        ],
    )
    .await;
    let record = json!({"timeUnixNano": at(4), "severityNumber": 17, "traceId": TRACE, "spanId": "00f067aa0ba902b7",
        "body": {"stringValue": "from otlp"}, "attributes": [{"key": "http.route", "value": {"stringValue": "/a"}}]});
    let resource = json!({"attributes": [
        {"key": "service.name", "value": {"stringValue": "shop"}},
        {"key": "k8s.namespace.name", "value": {"stringValue": "prod"}},
        {"key": "host.name", "value": {"stringValue": "h1"}}]});
    let logs = json!({"resourceLogs": [{"resource": resource,
        "scopeLogs": [{"scope": {"name": "lib", "version": "1"}, "logRecords": [record]}]}]});
    let (status, _) = post_to("/v1/logs", server.http, JSON, logs.to_string().into()).await;
    assert_eq!(status, 200);

    check(server.query, now_ns).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check(server.query, now_ns).await;
    until_sealed(&Query::new(server.query)).await;
    check(server.query, now_ns).await;
    bad_questions(server.query).await;
}

async fn check(address: SocketAddr, now_ns: u64) {
    let span = [("start", (now_ns - 60 * SECOND_NS).to_string()), ("end", (now_ns + 60 * SECOND_NS).to_string())];
    let span: Vec<(&str, &str)> = span.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let with = |query: &'static str| [&span[..], &[("query", query)]].concat();
    // The question that everybody asks first.
    let found = data(address, "query_range", &with(r#"{app="cart"} |= "error" | json | ms > 10"#)).await;
    let labels = json!({"app": "cart", "service_name": "cart", "detected_level": "error", "level": "error", "ms": "12",
        "trace_id": TRACE});
    let line = format!(r#"{{"level":"error","trace_id":"{TRACE}","ms":12}}"#);
    let expected = json!([{"stream": labels, "values": [[(now_ns + 1).to_string(), line]]}]);
    assert_eq!((&found["resultType"], &found["result"]), (&json!("streams"), &expected), "{found}");
    assert!(found["encodingFlags"].is_null() && found["stats"]["summary"]["totalLinesProcessed"].is_u64(), "{found}");

    // Ties keep their order, both ways.
    let oldest = [&span[..], &[("direction", "FORWARD")]].concat();
    let forward = lines(address, r#"{app="cart"} |= "e" != "{" | drop detected_level"#, &oldest).await;
    assert_eq!(forward, ["out of order", "same time, first", "same time, second", "same time, first"]);
    let backward = lines(address, r#"{app="cart"} |= "e" != "{" | drop detected_level"#, &span).await;
    assert_eq!(backward, forward.iter().rev().cloned().collect::<Vec<_>>());
    let limited = [&oldest[..], &[("limit", "2")]].concat();
    let pairs = [&limited[..], &[("query", r#"{app="cart"} |= "time" | drop detected_level"#)]].concat();
    let found = data(address, "query_range", &pairs).await;
    assert_eq!(found["result"][0]["values"].as_array().map(Vec::len), Some(2));

    // What came as OTLP: the labels of Loki's list, the rest beside the line.
    let (status, body) =
        asked(address, "query_range", CATEGORIZED, &with(r#"{service_name="shop"} | http_route="/a""#)).await;
    assert_eq!(status, 200, "{body}");
    let found: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(found["data"]["encodingFlags"], json!(["categorize-labels"]));
    let stream = &found["data"]["result"][0];
    assert_eq!(stream["stream"], json!({"service_name": "shop", "k8s_namespace_name": "prod"}));
    let beside = json!({"structuredMetadata": {"http_route": "/a", "host_name": "h1", "scope_name": "lib", "scope_version": "1",
        "severity_number": "17", "trace_id": TRACE, "span_id": "00f067aa0ba902b7", "detected_level": "error"}});
    assert_eq!(stream["values"], json!([[(now_ns + 4).to_string(), "from otlp", beside]]));
    let (_, body) = asked(address, "query_range", CATEGORIZED, &with(r#"{app="cart", pod="p-1"} | json"#)).await;
    let found: Value = serde_json::from_str(&body).expect("JSON");
    let beside = json!({"structuredMetadata": {"pod": "p-1", "detected_level": "info"},
        "parsed": {"level": "info", "ms": "5"}});
    assert_eq!(found["data"]["result"][0]["values"][0][2], beside, "{found}");
    let by_trace = format!(r#"{{trace_id="{TRACE}"}}"#);
    assert_eq!(lines(address, &by_trace, &span).await, ["from otlp"]);

    // Numbers.
    let instant = |query: &'static str| {
        [("query", query.to_owned()), ("time", ((now_ns + 10 * SECOND_NS) / SECOND_NS).to_string())]
    };
    let asked = instant("sum by (app, detected_level) (count_over_time({app=~\".+\"}[5m]))");
    let pairs: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let found = data(address, "query", &pairs).await;
    let seconds = (now_ns + 10 * SECOND_NS) / SECOND_NS;
    let sample = |level: &str, count: &str| json!({"metric": {"app": "cart", "detected_level": level}, "value": [seconds, count]});
    assert_eq!(found["resultType"], "vector");
    assert_eq!(found["result"], json!([sample("error", "1"), sample("info", "1"), sample("unknown", "4")]));
    let start = (now_ns - 60 * SECOND_NS).to_string();
    let end = (now_ns + 60 * SECOND_NS).to_string();
    let pairs =
        [("query", "sum(count_over_time({app=\"cart\"}[1m]))"), ("start", &*start), ("end", &*end), ("step", "60")];
    let found = data(address, "query_range", &pairs).await;
    let moment = now_ns / SECOND_NS;
    // The line at `now` is in the window that ends there, the others in the next.
    assert_eq!(found["result"], json!([{"metric": {}, "values": [[moment, "1"], [moment + 60, "5"]]}]), "{found}");

    // Labels, streams, sizes.
    let listed = data(address, "labels", &span).await;
    assert_eq!(listed, json!(["app", "k8s_namespace_name", "service_name"]));
    assert_eq!(data(address, "label/service_name/values", &span).await, json!(["cart", "shop"]));
    let narrowed = [&span[..], &[("query", "{app=\"cart\"}")]].concat();
    assert_eq!(data(address, "label/service_name/values", &narrowed).await, json!(["cart"]));
    let series = [&span[..], &[("match[]", "{app=\"cart\"}"), ("match[]", "{service_name=\"none\"}")]].concat();
    assert_eq!(data(address, "series", &series).await, json!([{"app": "cart", "service_name": "cart"}]));
    let (status, body) = self::asked(address, "index/stats", FORM, &with(r#"{app="cart"}"#)).await;
    let stats: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &stats["streams"], &stats["entries"]), (200, &json!(1), &json!(6)), "{body}");
}

/// What Grafana asks to see whether the server is one, and what is refused.
async fn bad_questions(address: SocketAddr) {
    let health = data(address, "query", &[("query", "vector(1)+vector(1)"), ("time", "4000000000")]).await;
    assert_eq!(health["result"], json!([{"metric": {}, "value": [4_000_000_000u64, "2"]}]));
    let health = data(address, "query", &[("query", "vector(1)+vector(1)"), ("time", "4000000000000000000")]).await;
    assert_eq!(health["result"], json!([{"metric": {}, "value": [4_000_000_000u64, "2"]}]));
    let health = data(address, "query", &[("query", "vector(1)+vector(1)"), ("time", "4")]).await;
    assert_eq!(health["result"], json!([{"metric": {}, "value": [4, "2"]}]));
    let deep = format!("{}vector(1){}", "(".repeat(10_000), ")".repeat(10_000));
    for (path, pairs, words) in [
        ("query_range", vec![("query", "{app=")], "parse error at line 1, col 6: syntax error: unexpected $end"),
        ("query_range", vec![("query", "{app=~\".*\"}")], "at least one matcher"),
        ("query_range", vec![("query", &*deep)], "nested deeper"),
        ("query_range", vec![("query", "{app=\"x\"}"), ("limit", "5001")], "max entries limit per query exceeded"),
        ("query_range", vec![("query", "{app=\"x\"}"), ("direction", "up")], "invalid direction"),
        ("query_range", vec![("query", "{app=\"x\"}"), ("start", "20"), ("end", "10")], "end timestamp"),
        ("query_range", vec![("query", "{app=\"x\"}"), ("step", "0")], "zero or negative query resolution"),
        ("query_range", vec![("query", "{app=\"x\"}"), ("start", "soon")], "could not parse 'start'"),
        ("query", vec![("query", "{app=\"x\"}")], "log queries are not supported as an instant query type"),
        ("query", vec![("query", "count_over_time({app=\"cart\"} | json [1h])")], "pipeline error: 'JSONParserErr'"),
        ("format_query", vec![("query", "{")], "parse error"),
    ] {
        let (status, body) = asked(address, path, FORM, &pairs).await;
        assert_eq!(status, 400, "{pairs:?}: {body}");
        assert!(body.contains(words), "{pairs:?}: {body}");
    }
    let request = "GET /loki/api/v1/query_range?query=%7B HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = raw(address, request.as_bytes(), Duration::from_secs(5)).await;
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.contains("content-type: text/plain"), "{answer}");
}

/// Lines as a service writes them.
fn generated(rng: &mut Rng, number: u64) -> String {
    let level = ["info", "info", "info", "warn", "error"][rng.below(5) as usize];
    let path = ["/cart", "/order", "/login"][rng.below(3) as usize];
    json!({"level": level, "n": number, "ms": rng.below(1000), "req": {"path": path, "id": format!("{:016x}", rng.bits())}})
        .to_string()
}

#[tokio::test]
async fn answers_are_those_of_grep_and_jq() {
    let weir = Weir::new(74, SMALL);
    let server = weir.start().await;
    let mut rng = Rng::new(74);
    let now_ns = Clock::system().now_ns();
    let json_lines: Vec<String> = (0..20_000).map(|number| generated(&mut rng, number)).collect();
    let mut files = vec![("json".to_owned(), json_lines)];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/logs");
    for name in ["HDFS_2k.log", "OpenSSH_2k.log", "OpenStack_2k.log"] {
        match fs::read_to_string(folder.join(name)) {
            Ok(text) => files.push((name.to_owned(), text.lines().map(str::to_owned).collect())),
            Err(_) => println!("{name} is not here; the generated lines are"),
        }
    }
    for (name, lines) in &files {
        let values =
            lines.iter().zip(0u64..).map(|(line, number)| json!([(now_ns - 1_000_000 + number).to_string(), line]));
        for values in values.collect::<Vec<_>>().chunks(5000) {
            push(server.query, json!({"file": name}), values.to_vec()).await;
        }
    }
    for sealed in [false, true] {
        if sealed {
            until_sealed(&Query::new(server.query)).await;
        }
        for (name, lines) in &files {
            grep(server.query, name, lines).await;
        }
        jq(server.query, &files[0].1).await;
    }
}

async fn grep(address: SocketAddr, name: &str, lines: &[String]) {
    for needle in ["error", "INFO", "Failed password", "10.251", "blk_-", "\"path\":\"/cart\"", "e", "nothing like it"]
    {
        let expected = lines.iter().filter(|line| line.contains(needle)).count() as u64;
        let query = format!("sum(count_over_time({{file=\"{name}\"}} |= `{needle}` [1h]))");
        assert_eq!(number(address, &query).await, expected, "{query}");
        let bytes: usize = lines.iter().filter(|line| !line.contains(needle)).map(String::len).sum();
        let query = format!("sum(bytes_over_time({{file=\"{name}\"}} != `{needle}` [1h]))");
        assert_eq!(number(address, &query).await, bytes as u64, "{query}");
    }
    let newest: Vec<String> = lines.iter().rev().filter(|line| line.contains('7')).take(100).cloned().collect();
    let query = format!("{{file=\"{name}\"}} |= `7` | drop detected_level, level");
    assert_eq!(self::lines(address, &query, &[("limit", "100")]).await[..newest.len()], newest, "{query}");
}

async fn jq(address: SocketAddr, lines: &[String]) {
    let values: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let count = |fits: &dyn Fn(&Value) -> bool| values.iter().filter(|value| fits(value)).count() as u64;
    let ms = |value: &Value| value["ms"].as_u64().expect("a number");
    for (query, expected) in [
        ("| json | ms > 500", count(&|value| ms(value) > 500)),
        ("| json | level=\"error\" and ms < 100", count(&|value| value["level"] == "error" && ms(value) < 100)),
        ("| json | req_path=~\"/c.*|/login\"", count(&|value| value["req"]["path"] != "/order")),
        ("| json p=\"req.path\" | p=\"/order\"", count(&|value| value["req"]["path"] == "/order")),
    ] {
        let query = format!("sum(count_over_time({{file=\"json\"}} {query} [1h]))");
        assert_eq!(number(address, &query).await, expected, "{query}");
    }
    let sum: u64 = values.iter().map(ms).sum();
    assert_eq!(number(address, "sum(sum_over_time({file=\"json\"} | json | unwrap ms [1h]))").await, sum);
    let most = values.iter().map(ms).max().expect("lines");
    assert_eq!(number(address, "max(max_over_time({file=\"json\"} | json ms | unwrap ms [1h]) by ())").await, most);
}
