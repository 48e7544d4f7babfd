//! What shippers push: Elasticsearch's bulk requests, Splunk's events, syslog; answered as theirs, found by SQL, there after a kill.

use std::{net::SocketAddr, process::Command, time::Duration};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
};
use weir_benches::{query::Query, server::Server};
use weir_proto::time::{Clock, SECOND_NS};

use crate::{
    fixture::{SMALL, Weir},
    raw_http::{post_to, raw},
    sdk::python_with,
};

const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

const RECEIVERS: &str = "  elasticsearch_bulk: {endpoint: '127.0.0.1:0'}
  splunk_hec: {endpoint: '127.0.0.1:0', tokens: [secret]}
  syslog: {tcp: {listen_address: '127.0.0.1:0', max_log_size: 4KiB, add_attributes: true}, udp: {listen_address: '127.0.0.1:0'}}
";

fn weir(seed: u64) -> Weir {
    let mut weir = Weir::new(seed, SMALL);
    weir.options.receivers = RECEIVERS.into();
    weir
}

async fn rows(query: &Query, sql: &str) -> Value {
    let answer = query.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:#}"));
    answer["rows"].clone()
}

/// Where a protocol is spoken.
async fn port(server: &Server, protocol: &str) -> SocketAddr {
    let (_, status) = Query::new(server.query).json("/api/v1/status").await.expect("an answer");
    let ports = status["receivers"].as_array().expect("a list");
    let port = ports.iter().find(|port| port["protocol"] == protocol).unwrap_or_else(|| panic!("{protocol}: {status}"));
    port["endpoint"].as_str().and_then(|text| text.parse().ok()).expect("an address")
}

async fn until_lines(query: &Query, count: f64) {
    let metric = "weir_receiver_items_accepted_total";
    let there = query.until("every line kept", Duration::from_secs(30), |metrics| {
        metrics.get(metric).is_some_and(|found| *found >= count)
    });
    there.await.expect("kept");
}

async fn posted(path: &str, address: SocketAddr, headers: &[(&str, &str)], body: &str) -> (StatusCode, Value) {
    let (status, answer) = post_to(path, address, headers, body.as_bytes().to_vec()).await;
    (status, serde_json::from_slice(&answer).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer))))
}

/// What shippers are told while nothing is taken: to come again, each in its words.
pub(crate) async fn refused_as_busy(server: &Server) {
    let body = "{\"create\":{\"_index\":\"a\"}}\n{\"message\":\"x\"}\n";
    let (status, answer) = posted("/elasticsearch/_bulk", server.query, NDJSON, body).await;
    assert_eq!((status.as_u16(), &answer["status"]), (429, &json!(429)), "{answer}");
    assert!(answer["error"]["type"].is_string() && answer.get("items").is_none(), "{answer}");
    let token: &[_] = &[("authorization", "Splunk any")];
    let (status, answer) =
        posted("/services/collector", port(server, "Splunk HEC").await, token, "{\"event\":\"x\"}").await;
    assert_eq!((status.as_u16(), answer), (503, json!({"code": 9, "text": "Server is busy"})));
}

fn iso(ns: u64) -> String {
    // A day is enough for a test: the time of today, by the date that the clock of the machine has.
    let output =
        Command::new("date").args(["-u", "-d", &format!("@{}", ns / SECOND_NS), "+%Y-%m-%dT%H:%M:%S"]).output();
    let text = String::from_utf8(output.expect("date runs").stdout).expect("text");
    format!("{}.{:09}Z", text.trim(), ns % SECOND_NS)
}

#[tokio::test]
async fn bulk_requests_are_answered_item_by_item() {
    let weir = weir(81);
    let mut server = weir.start().await;
    let own = port(&server, "ES bulk").await;
    let now_ns = Clock::system().now_ns();
    let body = format!(
        "{{\"create\":{{\"_index\":\"app\"}}}}\n{{\"@timestamp\":\"{}\",\"message\":\"out of stock\",\"log.level\":\"error\",\"trace\":{{\"id\":\"{TRACE}\"}},\"span\":{{\"id\":\"{SPAN}\"}},\"service\":{{\"name\":\"cart\"}},\"n\":1}}\n\
         {{\"index\":{{}}}}\n{{\"message\":\"two types\",\"n\":\"one\"}}\n\
         {{\"index\":{{\"_id\":\"7\"}}}}\nno json\n\
         {{\"create\":{{}}}}\n{{\"@timestamp\":\"2001-01-01T00:00:00Z\",\"message\":\"old\"}}\n\
         {{\"delete\":{{\"_id\":\"1\"}}}}\n",
        iso(now_ns)
    );
    for (path, address) in [("/logs/_bulk", own), ("/elasticsearch/logs/_bulk", server.query)] {
        let (status, answer) = posted(path, address, NDJSON, &body).await;
        assert_eq!((status.as_u16(), &answer["errors"]), (200, &json!(true)), "{answer}");
        let items = answer["items"].as_array().expect("items");
        let told: Vec<_> = items
            .iter()
            .map(|item| {
                let (action, about) = item.as_object().and_then(|item| item.iter().next()).expect("one member");
                format!("{action} {} {}", about["_index"], about["status"])
            })
            .collect();
        let expected = [
            r#"create "app" 201"#,
            r#"index "logs" 201"#,
            r#"index "logs" 400"#,
            r#"create "logs" 400"#,
            r#"delete "logs" 400"#,
        ];
        assert_eq!(told, expected, "{answer}");
        assert_eq!(items[2]["index"]["_id"], "7");
        assert_eq!(items[2]["index"]["error"]["type"], "document_parsing_exception");
    }
    let filtered = "/logs/_bulk?filter_path=errors,items.*.error.type,items.*.status";
    let (_, answer) = posted(filtered, own, NDJSON, "{\"create\":{}}\n{\"message\":\"filtered\"}\n").await;
    assert_eq!(answer, json!({"errors": false, "items": [{"create": {"status": 201}}]}));
    let single: &[_] = &[("content-type", "application/vnd.elasticsearch+json; compatible-with=9")];
    let (status, answer) = posted("/app/_doc", own, single, "{\"message\":\"single\"}").await;
    assert_eq!((status.as_u16(), &answer["result"]), (201, &json!("created")), "{answer}");
    for (path, headers, body, status, kind) in [
        ("/_bulk", NDJSON, "", 400, "parse_exception"),
        ("/_bulk", NDJSON, "{\"index\":{}}\n{}\n", 400, "action_request_validation_exception"),
        ("/a/_bulk", NDJSON, "{\"index\":{}}\n{}", 400, "illegal_argument_exception"),
        ("/a/_bulk", NDJSON, "{\"what\":{}}\n{}\n", 400, "illegal_argument_exception"),
        (
            "/a/_bulk",
            &[("content-type", "application/x-www-form-urlencoded")],
            "a=b",
            406,
            "media_type_header_exception",
        ),
        (
            "/a/_bulk",
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            "x",
            400,
            "parse_exception",
        ),
        ("/a/_search", NDJSON, "{}", 400, "illegal_argument_exception"),
        ("/a/_doc", NDJSON, "[]", 400, "document_parsing_exception"),
    ] {
        let (found, answer) = posted(path, own, headers, body).await;
        let told = (found.as_u16(), answer["error"]["type"].as_str(), answer["status"].as_u64());
        assert_eq!(told, (status, Some(kind), Some(status.into())), "{path} {body}: {answer}");
    }
    check_documents(&Query::new(server.query)).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check_documents(&Query::new(server.query)).await;
}

async fn check_documents(query: &Query) {
    let sql = format!(
        "SELECT body, severity_text, severity_number, service, resource['elasticsearch.index'] AS i, attributes['n'] AS n, span_id
         FROM logs WHERE trace_id = '{TRACE}'"
    );
    let line = json!({"body": "out of stock", "severity_text": "error", "severity_number": 17, "service": "cart", "i": "app",
        "n": "1", "span_id": SPAN});
    assert_eq!(rows(query, &sql).await, json!([line, line]));
    let sql = "SELECT body, attributes['n'] AS n FROM logs WHERE attributes['n'] = 'one'";
    assert_eq!(rows(query, sql).await.as_array().map(Vec::len), Some(2));
    let sql = "SELECT count(*) AS n FROM logs WHERE scope_name = 'elasticsearch'";
    assert_eq!(rows(query, sql).await, json!([{"n": 6}]));
    let (_, labels) = query.json("/loki/api/v1/label/elasticsearch_index/values").await.expect("an answer");
    assert_eq!(labels["data"], json!(["app", "logs"]), "{labels}");
    let (_, ledger) = query.json("/api/v1/ledger").await.expect("an answer");
    let tally = &ledger["logs"]["default"];
    assert_eq!((&tally["accepted"], &tally["rejected"]), (&json!(6), &json!({"too_old": 2})), "{ledger}");
}

#[tokio::test]
async fn what_shippers_ask_first_is_answered() {
    let weir = weir(82);
    let server = weir.start().await;
    let own = port(&server, "ES bulk").await;
    let paths = [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/_license", 200),
        ("GET", "/_xpack", 200),
        ("GET", "/_cluster/health", 200),
        ("GET", "/_nodes/http", 200),
        ("HEAD", "/_ilm/policy/filebeat", 200),
        ("PUT", "/_ilm/policy/filebeat", 200),
        ("HEAD", "/_index_template/filebeat-8.19.0", 200),
        ("PUT", "/_index_template/filebeat-8.19.0", 200),
        ("GET", "/_data_stream/filebeat-8.19.0", 200),
        ("PUT", "/_data_stream/filebeat-8.19.0", 200),
        ("GET", "/_ingest/pipeline/x", 200),
        ("PUT", "/_ingest/pipeline/x", 200),
        ("HEAD", "/an-index", 200),
        ("PUT", "/an-index", 200),
        ("GET", "/_what", 400),
        ("DELETE", "/", 405),
    ];
    for (prefix, address) in [("", own), ("/elasticsearch", server.query)] {
        for (method, path, status) in paths {
            let body = if method == "PUT" { "{\"policy\": {}}" } else { "" };
            let request = format!(
                "{method} {prefix}{path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = raw(address, request.as_bytes(), Duration::from_secs(10)).await;
            let answer = String::from_utf8_lossy(&answer).to_lowercase();
            assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{method} {prefix}{path}: {answer}");
            assert!(answer.contains("x-elastic-product: elasticsearch"), "{method} {prefix}{path}: {answer}");
        }
        let (_, about) = Query::new(address).json(&format!("{prefix}/")).await.expect("an answer");
        let version = about["version"]["number"].as_str().expect("a version");
        assert!(version.split('.').next().and_then(|major| major.parse::<u32>().ok()) >= Some(8), "{about}");
    }
}

#[tokio::test]
async fn the_python_client_of_elasticsearch_pushes() {
    let Some(python) = python_with("elasticsearch") else {
        println!("not run: `make test` installs elasticsearch (tests/requirements.txt)");
        return;
    };
    let weir = weir(83);
    let server = weir.start().await;
    for url in [format!("http://{}", port(&server, "ES bulk").await), format!("http://{}/elasticsearch", server.query)]
    {
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/elasticsearch_bulk.py")).arg(&url).arg(TRACE);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("joins").expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.is_empty(), "{url}: {said}");
    }
    let query = Query::new(server.query);
    let sql = "SELECT body, service, count(*) AS n FROM logs GROUP BY 1, 2 ORDER BY 1";
    let expected = json!([{"body": "indexed — ünïcödé", "service": "py-es", "n": 2}, {"body": "placed", "service": "py-es", "n": 1000}]);
    assert_eq!(rows(&query, sql).await, expected);
}

#[tokio::test]
async fn events_of_splunk_are_answered_with_its_codes() {
    let weir = weir(84);
    let mut server = weir.start().await;
    let own = port(&server, "Splunk HEC").await;
    let seconds = Clock::system().now_ns() / SECOND_NS;
    let token: &[(&str, &str)] =
        &[("authorization", "Splunk secret"), ("x-splunk-request-channel", "fe0ecfad-13d5-401b-847d-77833bd77131")];
    let events = format!(
        "{{\"time\":{seconds}.250,\"host\":\"h\",\"source\":\"s\",\"sourcetype\":\"st\",\"index\":\"main\",\"event\":\"one\",\"fields\":{{\"n\":1,\"service.name\":\"cart\"}}}}{{\"time\":\"{seconds}\",\"event\":{{\"a\":{{\"b\":2}}}}}}"
    );
    let rest = |code: u64, text: &str| json!({"code": code, "text": text});
    for path in ["/services/collector", "/services/collector/event", "/services/collector/event/1.0"] {
        assert_eq!(posted(path, own, token, &events).await, (StatusCode::OK, rest(0, "Success")), "{path}");
    }
    let raw_path = "/services/collector/raw?channel=x&host=rh&sourcetype=raw";
    assert_eq!(posted(raw_path, own, token, "first\nsecond\n").await.0, StatusCode::OK);
    let other: &[(&str, &str)] = &[("authorization", "Splunk other")];
    let bearer: &[(&str, &str)] = &[("authorization", "Bearer secret")];
    type Refusal<'a> = (&'a [(&'a str, &'a str)], &'a str, u16, u64, Option<u64>);
    let rows_of_refusals: [Refusal<'_>; 9] = [
        (&[], "{\"event\":\"x\"}", 401, 2, None),
        (bearer, "{\"event\":\"x\"}", 401, 3, None),
        (other, "{\"event\":\"x\"}", 403, 4, None),
        (token, "", 400, 5, None),
        (token, "{\"event\":\"x\"}{\"event\":\"y", 400, 6, Some(1)),
        (token, "nothing", 400, 6, Some(0)),
        (token, "{\"event\":\"x\"}{\"host\":\"y\"}", 400, 12, Some(1)),
        (token, "{\"event\":\"\"}", 400, 13, Some(0)),
        (token, "{\"event\":\"old\",\"time\":1}", 400, 6, Some(0)),
    ];
    for (headers, body, status, code, event) in rows_of_refusals {
        let (found, answer) = posted("/services/collector/event", own, headers, body).await;
        let told = (found.as_u16(), answer["code"].as_u64(), answer["invalid-event-number"].as_u64());
        assert_eq!(told, (status, Some(code), event), "{body}: {answer}");
    }
    let (status, health) = Query::new(own).json("/services/collector/health").await.expect("an answer");
    assert_eq!((status.as_u16(), health), (200, rest(17, "HEC is healthy")));
    let (status, _) = posted("/services/nothing", own, token, "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    check_events(&Query::new(server.query)).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check_events(&Query::new(server.query)).await;
}

async fn check_events(query: &Query) {
    let sql = "SELECT body, service, resource['host.name'] AS h, resource['com.splunk.sourcetype'] AS st, attributes['n'] AS n, attributes['a.b'] AS ab, count(*) AS c
        FROM logs WHERE scope_name = 'splunk_hec' GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1";
    let line =
        |body: &str,
         service: &str,
         host: Option<&str>,
         kind: Option<&str>,
         n: Option<&str>,
         ab: Option<&str>,
         c: u64| { json!({"body": body, "service": service, "h": host, "st": kind, "n": n, "ab": ab, "c": c}) };
    let none = "unknown_service";
    let expected = vec![
        line("first", none, Some("rh"), Some("raw"), None, None, 1),
        line("one", "cart", Some("h"), Some("st"), Some("1"), None, 3),
        line("second", none, Some("rh"), Some("raw"), None, None, 1),
        line(r#"{"a":{"b":2}}"#, none, None, None, None, Some("2"), 3),
    ];
    assert_eq!(rows(query, sql).await, Value::from(expected));
}

#[tokio::test]
async fn syslog_comes_by_connections_and_datagrams() {
    let weir = weir(85);
    let mut server = weir.start().await;
    let (tcp, udp) = (port(&server, "Syslog/TCP").await, port(&server, "Syslog/UDP").await);
    let query = Query::new(server.query);
    let time = iso(Clock::system().now_ns());
    let newer = |text: &str| {
        format!(
            "<165>1 {time} web nginx 77 ID47 [opentelemetry trace_id=\"{TRACE}\" span_id=\"{SPAN}\"][x@1 k=\"v\"] {text}"
        )
    };
    let counted = newer("two\nlines");
    let stream = format!(
        "{}\n{} {counted}<34>{} mail su[42]: older\r\nGET / HTTP/1.1\n999999999 <13>1 - - - - - - junk\n{}\n<13>1 - h a - - - cut o",
        newer("one"),
        counted.len(),
        "Oct 11 22:14:15",
        "x".repeat(5000),
    );
    let mut connection = TcpStream::connect(tcp).await.expect("connects");
    for piece in stream.as_bytes().chunks(700) {
        connection.write_all(piece).await.expect("taken");
    }
    connection.shutdown().await.expect("said");
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    for n in 0..100 {
        socket.send_to(newer(&format!("datagram {n}")).as_bytes(), udp).await.expect("sent");
    }
    socket.send_to(b"<13>1 - h a - - - caf\xe9\n", udp).await.expect("sent");
    // The older one is of October: outside of what is accepted.
    until_lines(&query, 107.0).await;
    check_messages(&query).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check_messages(&Query::new(server.query)).await;
}

async fn check_messages(query: &Query) {
    let sql = "SELECT count(*) AS n FROM logs WHERE scope_name = 'syslog'";
    assert_eq!(rows(query, sql).await, json!([{"n": 107}]));
    let sql = format!(
        "SELECT attributes['message'] AS m, attributes['hostname'] AS h, attributes['appname'] AS a, attributes['proc_id'] AS p, attributes['msg_id'] AS i,
            attributes['priority'] AS pri, attributes['facility'] AS f, severity_text AS s, severity_number AS n, service, span_id, attributes['net.peer.ip'] AS peer
         FROM logs WHERE trace_id = '{TRACE}' AND attributes['message'] NOT LIKE 'datagram%' ORDER BY m"
    );
    let line = |text: &str| {
        json!({"m": text, "h": "web", "a": "nginx", "p": "77", "i": "ID47", "pri": "165", "f": "20", "s": "notice", "n": 10,
            "service": "nginx", "span_id": SPAN, "peer": "127.0.0.1"})
    };
    assert_eq!(rows(query, &sql).await, json!([line("one"), line("two\nlines")]));
    let sql = "SELECT body, attributes['syslog.defect'] AS d FROM logs WHERE attributes['syslog.defect'] IS NOT NULL ORDER BY 1";
    let flagged = |body: &str, defect: &str| json!({"body": body, "d": defect});
    let expected = json!([
        flagged("999999999 <13>1 - - - - - - junk", "no priority"),
        flagged("<13>1 - h a - - - caf\u{fffd}", "not UTF-8"),
        flagged("GET / HTTP/1.1", "no priority"),
        flagged(&"x".repeat(4096), "no priority"),
    ]);
    assert_eq!(rows(query, sql).await, expected);
}
