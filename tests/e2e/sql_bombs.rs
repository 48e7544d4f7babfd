//! SQL that would cost more than it may, through the real port: an error each, and the process goes on.

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weir_benches::{load::Plan, query::Query, server::Server};

use crate::{
    fixture::{SMALL, Weir},
    sql::ask,
};

/// For queries that do not end by themselves.
const SHORT: Duration = Duration::from_secs(2);

/// For queries that are to answer or to be ended by something else. Beside other work their threads, which have a low priority, get
/// a tenth of a core: what takes 0.3 s on an idle machine takes 3 s then.
const LONG: Duration = Duration::from_secs(60);

/// What an answer may take beyond its query's time: the second that the server waits for it, and a busy machine.
const LATE_MAX: Duration = Duration::from_secs(11);

/// A server whose queries have so much time, with spans in head and segments; proof at the end that it works and holds nothing.
async fn with_server(seed: u64, time: Duration, test: impl AsyncFnOnce(&Weir, &Server)) {
    let mut weir = Weir::new(seed, SMALL);
    weir.options.query = format!("  timeout: {}s\n  sql: {{memory_bytes_max: 33554432}}\n", time.as_secs());
    let mut server = weir.start().await;
    weir.send(&server, 20_000).await;
    test(&weir, &server).await;
    assert!(server.runs(), "{}", weir.options.log());
    assert!(!weir.options.log().contains("panicked"), "{}", weir.options.log());
    let query = Query::new(server.query);
    let idle = query.until("queries end and let go", Duration::from_secs(10), |metrics| {
        let is_zero = |name: &str| metrics.get(name).is_none_or(|value| *value == 0.0);
        is_zero("weir_sql_memory_bytes") && is_zero("weir_query_running")
    });
    idle.await.expect("nothing is held");
    weir.send(&server, 100).await;
    let (status, answer) = ask(server.query, "SELECT count(*) AS n FROM spans").await;
    assert!(status.is_success() && answer["rows"][0]["n"].as_u64() >= Some(20_100), "{status}: {answer}");
}

/// `before`, then `piece` so often, then `after`.
fn chain(before: &str, piece: &str, times: usize, after: &str) -> String {
    format!("{before}{}{after}", piece.repeat(times))
}

#[tokio::test]
async fn texts_that_are_bombs() {
    with_server(74, SHORT, async |_, server| {
        let list = (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let mut doubling = String::from("WITH t0 AS (SELECT * FROM spans)");
        for n in 1..=30 {
            write!(doubling, ", t{n} AS (SELECT a.* FROM t{0} a CROSS JOIN t{0} b)", n - 1).expect("memory");
        }
        for (text, code) in [
            (chain("SELECT 1", "+1", 5_000, ""), 400),
            (chain("SELECT ", "(", 30_000, "1"), 400),
            (chain("SELECT ", "(", 5_000, "1") + &")".repeat(5_000), 400),
            (chain("SELECT ", "CASE (", 60, ""), 400),
            (chain("SELECT ", "INTERVAL ", 7_000, "'1 day'"), 400),
            (format!("SELECT * FROM spans WHERE duration_ns IN ({list})"), 413),
            (chain("SELECT * FROM spans", ",spans", 10_000, ""), 400),
            (chain("SELECT * FROM spans", ",spans", 100_000, ""), 413),
            (chain("SELECT 1", " UNION SELECT 1", 4_000, ""), 400),
            (chain("SELECT CASE", " WHEN a=1 THEN 2", 4_000, " END"), 400),
            (doubling + " SELECT * FROM t30", 400),
            ("WITH RECURSIVE a AS (SELECT 1 n UNION ALL SELECT n+1 FROM a) SELECT * FROM a".into(), 400),
            ("SELECT * FROM generate_series(1, 1000000000000)".into(), 400),
            ("SELECT repeat(name, 2000000000) FROM spans".into(), 400),
            ("SELECT CAST(NULL AS INT[2000000000])".into(), 400),
            ("SELECT name ~ '((a{100}){100}){100}' FROM spans".into(), 400),
            ("SELECT * FROM '/etc/passwd'".into(), 400),
            ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".into(), 400),
            ("COPY spans TO '/tmp/weir.csv'".into(), 400),
            ("DROP TABLE spans".into(), 400),
            ("x".repeat(2_000_000), 413),
        ] {
            let begin = Instant::now();
            let beginning: String = text.chars().take(60).collect();
            let (status, answer) = ask(server.query, text).await;
            assert_eq!(status.as_u16(), code, "{beginning}…: {answer}");
            assert!(answer["error"]["message"].is_string(), "{beginning}…: {answer}");
            assert!(begin.elapsed() < Duration::from_secs(5), "{beginning}…: {:?}", begin.elapsed());
        }
    })
    .await;
}

#[tokio::test]
async fn queries_that_never_end_are_ended() {
    with_server(75, SHORT, async |_, server| {
        for text in [
            "SELECT count(*) FROM spans a, spans b, spans c WHERE a.duration_ns + b.duration_ns + c.duration_ns < 0",
            "SELECT max(a.duration_ns + b.duration_ns + c.duration_ns) FROM spans a, spans b, spans c",
            "SELECT count(*) FROM spans a JOIN spans b ON a.duration_ns < b.duration_ns AND a.name LIKE '%' || b.name || '%'",
            "SELECT count(DISTINCT a.span_id || b.span_id) FROM spans a, spans b",
            "SELECT array_agg(a.attributes || b.attributes) FROM spans a, spans b",
            "SELECT a.attributes FROM spans a, spans b ORDER BY b.duration_ns * a.duration_ns",
        ] {
            let begin = Instant::now();
            let (status, answer) = ask(server.query, text).await;
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            let stopped = match status {
                StatusCode::GATEWAY_TIMEOUT => message == "the query took longer than query.timeout",
                _ => status == StatusCode::BAD_REQUEST && message.contains("query.sql.memory_bytes_max"),
            };
            assert!(stopped, "{text}: {status}: {answer}");
            assert!(begin.elapsed() < SHORT + LATE_MAX, "{text}: {:?}", begin.elapsed());
        }
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_says_that_it_is_cut() {
    with_server(76, LONG, async |_, server| {
        let (status, answer) = ask(server.query, "SELECT a.span_id, b.name FROM spans a, spans b").await;
        assert_eq!(status, StatusCode::OK);
        assert!(answer["rows"].as_array().is_some_and(|rows| rows.len() > 1_000));
        assert!(matches!(answer["error"]["code"].as_u64(), Some(400 | 504)), "{}", answer["error"]);
    })
    .await;
}

#[tokio::test]
async fn clients_that_go_away() {
    with_server(77, LONG, async |_, server| {
        let streaming = "SELECT a.*, b.name AS other FROM spans a, spans b";
        let silent = "SELECT count(*) FROM spans a, spans b WHERE a.name || b.name = 'x'";
        for (text, bytes_read) in [(streaming, 100_000), (streaming, 15), (streaming, 0), (silent, 0)] {
            let mut stream = TcpStream::connect(server.query).await.expect("connects");
            let request = format!(
                "POST /api/v1/sql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
                text.len()
            );
            stream.write_all(request.as_bytes()).await.expect("sends");
            let mut taken = vec![0; bytes_read];
            let took = stream.read_exact(&mut taken).await;
            let beginning = String::from_utf8_lossy(&taken[..bytes_read.min(300)]);
            assert!(bytes_read == 0 || took.is_ok() && beginning.starts_with("HTTP/1.1 200 "), "{took:?}: {beginning}");
            // With what was sent to it unread, the kernel resets the connection.
            drop(stream);
        }
        // `with_server` sees them end long before their time is over.
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_while_spans_come_in() {
    with_server(78, SHORT * 4, async |weir, server| {
        let questions = [
            "SELECT service, count(*), p99(duration_ns) FROM spans GROUP BY service",
            "SELECT * FROM spans WHERE status_code = 'error' ORDER BY start_time DESC LIMIT 20",
            "SELECT attributes['http.route'] AS route, count(*) FROM spans GROUP BY route",
            "SELECT count(*) FROM spans a JOIN spans b ON a.span_id = b.parent_span_id",
            "SELECT count(*) FROM spans a, spans b WHERE a.name || b.name = 'x'",
        ];
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let address = server.query;
        let clients: Vec<_> = (0..50)
            .map(|n| {
                let done = Arc::clone(&done);
                tokio::spawn(async move {
                    let question = n % questions.len();
                    let mut answered = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let (status, answer) = ask(address, questions[question]).await;
                        let expected = matches!(status.as_u16(), 200 | 503 | 504);
                        assert!(expected && answer != Value::Null, "{status}: {answer}");
                        // Rows that are there are all there: nobody gets a part of an answer for a whole one.
                        answered += usize::from(status == StatusCode::OK && answer["error"].is_null());
                    }
                    (question, answered)
                })
            })
            .collect();
        // While they ask spans come in, and are acknowledged.
        let plan = Plan { spans: Some(16_000), rate: Some(2_000.0), ..Plan::new(server.grpc) };
        let under_load = weir.load(plan).await;
        assert!(under_load.all_acked() && under_load.elapsed < Duration::from_secs(30), "{under_load}");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let mut answered = [0; 5];
        for client in clients {
            let (question, answers) = client.await.expect("no assertion failed");
            answered[question] += answers;
        }
        println!("{answered:?} answers; {under_load}");
        // All but the last can be answered; beside other work few of them are.
        assert!(answered.iter().sum::<usize>() > 1, "{answered:?}");
    })
    .await;
}
