//! Log records: in by JSON, found by SQL and beside their spans; there after kills and after sealing, as exactly as spans.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use weir_benches::{query::Query, rng::Rng, server::Server};
use weir_proto::time::{Clock, SECOND_NS};

use crate::{
    disk_image::DiskImage,
    fixture::{NEVER_SEAL, SMALL, Weir},
    raw_http::{post_to, try_post_to},
    rounds::{cut_beside, killed_under_load, killed_while_it_starts},
};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Kills under both signals.
const ROUNDS: u64 = 20;

/// Lines of one request.
const BATCH: u64 = 10;

fn export(lines: Vec<Value>) -> Vec<u8> {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]});
    let scope_logs = json!([{"scope": {"name": "e2e"}, "logRecords": lines}]);
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": scope_logs}]}).to_string().into()
}

async fn rows(query: &Query, sql: &str) -> Vec<Value> {
    let answer = query.sql(sql).await.unwrap_or_else(|error| panic!("{error:#}"));
    answer["rows"].as_array().expect("rows").clone()
}

async fn until_sealed(query: &Query) {
    let sealed = query.until("every line sealed", Duration::from_secs(30), |metrics| {
        metrics.get("weir_head_lines") == Some(&0.0) && metrics.get("weir_segment_items").is_some_and(|n| *n > 0.0)
    });
    sealed.await.expect("sealed by age");
}

#[tokio::test]
async fn lines_are_found_wherever_they_lie() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";
    let weir = Weir::new(71, SMALL);
    let mut server = weir.start().await;
    let now_ns = Clock::system().now_ns();
    let at = |ns: u64| ns.to_string();
    let lines = vec![
        json!({"timeUnixNano": at(now_ns - 3), "severityNumber": 17, "severityText": "ERROR", "traceId": TRACE,
            "spanId": SPAN, "body": {"stringValue": "no such order — ünïcödé"},
            "attributes": [{"key": "order", "value": {"intValue": "42"}}]}),
        json!({"timeUnixNano": at(now_ns - 2), "traceId": TRACE, "eventName": "order.placed",
            "body": {"kvlistValue": {"values": [{"key": "n", "value": {"intValue": "5"}}]}}}),
        // Neither a time nor ids that are any; and a line that says nothing.
        json!({"observedTimeUnixNano": at(now_ns - 1), "traceId": "abcd", "spanId": "01", "body": {"stringValue": "odd"}}),
        json!({}),
        json!({"timeUnixNano": at(now_ns - 30 * 24 * 3600 * SECOND_NS), "body": {"stringValue": "too old"}}),
    ];
    let (status, answer) = post_to("/v1/logs", server.http, JSON, export(lines)).await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(status, 200);
    assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "1", "{answer}");
    let words = "rejected log records: too_old 1 (older than storage.accept.past, 7d)";
    assert_eq!(answer["partialSuccess"]["errorMessage"], words);
    let span = json!({"traceId": TRACE, "spanId": SPAN, "name": "GET /", "kind": 2,
        "startTimeUnixNano": at(now_ns - 10), "endTimeUnixNano": at(now_ns)});
    let spans = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let (status, _) = post_to("/v1/traces", server.http, JSON, spans.to_string().into()).await;
    assert_eq!(status, 200);

    check(&Query::new(server.query), now_ns).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check(&Query::new(server.query), now_ns).await;
    until_sealed(&Query::new(server.query)).await;
    check(&Query::new(server.query), now_ns).await;
    server.kill().await.expect("killed");
    server = weir.start().await;
    check(&Query::new(server.query), now_ns).await;
}

async fn check(query: &Query, now_ns: u64) {
    let found = rows(
        query,
        "SELECT trace_id, span_id, service, severity_number, severity_text, body, body_is_json, \
        event_name, scope_name, attributes['order'] AS o FROM logs WHERE severity_number = 17",
    )
    .await;
    let expected = json!([{"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "service": "cart",
        "severity_number": 17, "severity_text": "ERROR", "body": "no such order — ünïcödé", "body_is_json": false,
        "event_name": null, "scope_name": "e2e", "o": "42"}]);
    assert_eq!(Value::from(found), expected);
    let found = rows(query, "SELECT body, body_is_json, event_name FROM logs WHERE body_is_json").await;
    let expected = json!([{"body": "{\"n\":5}", "body_is_json": true, "event_name": "order.placed"}]);
    assert_eq!(Value::from(found), expected);
    let found =
        rows(query, "SELECT trace_id, span_id, time = observed_time AS same FROM logs WHERE body = 'odd'").await;
    assert_eq!(Value::from(found), json!([{"trace_id": null, "span_id": null, "same": true}]));
    let found = rows(query, "SELECT count(*) AS n, count(body) AS said, count(trace_id) AS traced FROM logs").await;
    assert_eq!(Value::from(found), json!([{"n": 4, "said": 3, "traced": 2}]));
    let by_trace = "SELECT body FROM logs WHERE trace_id = '4bf92f3577b34da6a3ce929d0e0e4736' ORDER BY time LIMIT 1";
    assert_eq!(rows(query, by_trace).await[0]["body"], "no such order — ünïcödé");
    let joined = "SELECT spans.name, count(*) AS n FROM logs JOIN spans USING (trace_id) GROUP BY spans.name";
    assert_eq!(Value::from(rows(query, joined).await), json!([{"name": "GET /", "n": 2}]));
    let (status, trace) = query.json("/api/v1/trace/4bf92f3577b34da6a3ce929d0e0e4736").await.expect("an answer");
    assert_eq!(status, 200);
    let beside = &trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["logs"];
    assert_eq!(beside[0]["body"]["stringValue"], "no such order — ünïcödé", "{trace}");
    assert_eq!(beside[0]["timeUnixNano"], (now_ns - 3).to_string());
    assert_eq!(trace["logs"][0]["eventName"], "order.placed", "{trace}");
    let (_, ledger) = query.json("/api/v1/ledger").await.expect("an answer");
    let tally = &ledger["logs"]["default"];
    assert_eq!((&tally["accepted"], &tally["kept"]), (&json!(4), &json!(4)), "{ledger}");
    assert_eq!(tally["rejected"], json!({"too_old": 1}));
    assert_eq!(ledger["traces"]["default"]["accepted"], 1);
}

/// The text of a pushed line.
fn pushed_line(n: u64, round: usize) -> String {
    format!(r#"{{ "n":{n}, "round":"{round}","trace_id":"{:032x}","odd":[1.50,"ü\u0001"] }}"#, n / 3 + 1)
}

fn pushed(numbers: std::ops::Range<u64>, round: usize) -> Vec<u8> {
    let value = |n| json!([Clock::system().now_ns().to_string(), pushed_line(n, round)]);
    let values: Vec<Value> = numbers.map(value).collect();
    json!({"streams": [{"stream": {"app": "pushed"}, "values": values}]}).to_string().into()
}

fn documents(numbers: std::ops::Range<u64>, round: usize) -> Vec<u8> {
    let document = |n| format!("{{\"create\":{{\"_index\":\"rounds\"}}}}\n{}\n", pushed_line(n, round));
    numbers.map(document).collect::<String>().into()
}

/// Lines that were acknowledged, by round; each has a number of its own.
#[derive(Debug, Default)]
struct Sent {
    acked: Vec<BTreeSet<u64>>,
    next: u64,
}

impl Sent {
    /// Sends lines of a round until the server is gone, or acks are not heard any more.
    async fn until_lost(&mut self, weir: &Weir, (http, query): (SocketAddr, SocketAddr), is_over: &AtomicBool) {
        let round = self.acked.len();
        let mut acked = BTreeSet::new();
        while !is_over.load(Ordering::Relaxed) && !weir.record.is_deaf() {
            let numbers = self.next..self.next + BATCH;
            self.next = numbers.end;
            let line = |n: u64| {
                json!({"timeUnixNano": Clock::system().now_ns().to_string(), "body": {"stringValue": format!("line {n}")},
                    "traceId": format!("{:032x}", n / 3 + 1), "attributes": [
                        {"key": "n", "value": {"intValue": n.to_string()}},
                        {"key": "round", "value": {"intValue": round.to_string()}}]})
            };
            // Two of three batches as to Loki and Elasticsearch: what the attributes say are fields of JSON then.
            let (answer, expected) = match numbers.start / BATCH % 3 {
                0 => (try_post_to("/v1/logs", http, JSON, export(numbers.clone().map(line).collect())).await, 200),
                1 => (try_post_to("/loki/api/v1/push", query, JSON, pushed(numbers.clone(), round)).await, 204),
                _ => (try_post_to("/elasticsearch/_bulk", query, JSON, documents(numbers.clone(), round)).await, 200),
            };
            match answer {
                Ok((status, _)) if status == expected && !weir.record.is_deaf() => acked.extend(numbers),
                _ => break,
            }
        }
        self.acked.push(acked);
    }

    /// Every acknowledged line of a round exactly once, and nothing that was not sent.
    async fn check_round(&self, query: &Query, round: usize) {
        let sql = format!(
            "SELECT attr_num(attributes['n']) AS n, count(*) AS times FROM logs WHERE attributes['round'] = '{round}' GROUP BY 1"
        );
        let found = rows(query, &sql).await;
        let numbers: BTreeSet<u64> = found.iter().map(|row| row["n"].as_f64().expect("a number") as u64).collect();
        assert!(found.iter().all(|row| row["times"] == 1), "round {round}: a line is there twice");
        let lost: Vec<_> = self.acked[round].difference(&numbers).collect();
        assert!(lost.is_empty(), "round {round}: {} of {} acknowledged lines are lost", lost.len(), numbers.len());
        let unacked = numbers.difference(&self.acked[round]).count() as u64;
        assert!(unacked <= BATCH, "round {round}: {unacked} lines that nobody was told of");
        let sql = format!(
            "SELECT body FROM logs WHERE scope_name = 'loki' AND attributes['round'] = '{round}' ORDER BY time DESC LIMIT 500"
        );
        for row in rows(query, &sql).await {
            let body = row["body"].as_str().expect("a text");
            let line: Value = serde_json::from_str(body).expect("JSON");
            let n = line["n"].as_u64().expect("a number");
            assert_eq!(body, pushed_line(n, round), "byte for byte");
        }
    }

    /// The ledger says of lines what SQL finds.
    async fn check_ledger(&self, query: &Query) {
        let (_, ledger) = query.json("/api/v1/ledger").await.expect("an answer");
        let tally = &ledger["logs"]["default"];
        let found = rows(query, "SELECT count(*) AS n, count(DISTINCT attributes['n']) AS different FROM logs").await;
        let n = &found[0]["n"];
        assert_eq!(&found[0]["different"], n, "no line twice");
        assert_eq!((&tally["accepted"], &tally["kept"], &tally["damaged"]), (n, n, &json!(0)), "{ledger}");
    }
}

async fn killed_under_both_signals(seed: u64, storage: &str, rounds: u64) {
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let weir = Weir::new(seed, storage);
    let mut sent = Sent::default();
    for _ in 0..rounds {
        let server = weir.start().await;
        let query = Query::new(server.query);
        weir.verify(&server, Some(50)).await;
        if let Some(last) = sent.acked.len().checked_sub(1) {
            sent.check_round(&query, last).await;
        }
        sent.check_ledger(&query).await;
        let is_over = AtomicBool::new(false);
        let ports = (server.http, server.query);
        let killed = async {
            killed_under_load(&weir, server, &mut rng, 60).await;
            is_over.store(true, Ordering::Relaxed);
        };
        tokio::join!(killed, sent.until_lost(&weir, ports, &is_over));
        if rng.percent(30) {
            killed_while_it_starts(&weir, &mut rng).await;
        }
    }
    let server = weir.start().await;
    check_all(&weir, &server, &sent).await;
}

/// Every acknowledged span and line of all rounds is there once.
async fn check_all(weir: &Weir, server: &Server, sent: &Sent) {
    weir.verify(server, None).await;
    let query = Query::new(server.query);
    let (rounds, acked) = (sent.acked.len(), sent.acked.iter().map(BTreeSet::len).sum::<usize>());
    // A round may end before its first ack.
    assert!(acked > 0, "no lines were acknowledged");
    for round in 0..rounds {
        sent.check_round(&query, round).await;
    }
    sent.check_ledger(&query).await;
}

#[tokio::test]
async fn killed_under_both_signals_while_it_seals() {
    killed_under_both_signals(Clock::system().now_ns(), SMALL, ROUNDS).await;
}

#[tokio::test]
async fn killed_under_both_signals_while_all_is_in_the_journal() {
    killed_under_both_signals(Clock::system().now_ns(), NEVER_SEAL, ROUNDS / 2).await;
}

#[tokio::test]
async fn power_cuts_under_both_signals() {
    let seed = Clock::system().now_ns();
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let mut weir = Weir::new(seed, SMALL);
    let Some(disk) = DiskImage::new(weir.folder(), 512) else { return };
    weir.options.data = disk.path().join("data");
    let mut sent = Sent::default();
    let is_over = AtomicBool::new(false);
    for _ in 0..ROUNDS {
        let server = weir.start().await;
        let query = Query::new(server.query);
        weir.verify(&server, Some(50)).await;
        if let Some(last) = sent.acked.len().checked_sub(1) {
            sent.check_round(&query, last).await;
        }
        sent.check_ledger(&query).await;
        let lines = sent.until_lost(&weir, (server.http, server.query), &is_over);
        cut_beside(&weir, server, &disk, &mut rng, 60, lines).await;
    }
    let server = weir.start().await;
    check_all(&weir, &server, &sent).await;
    server.kill().await.expect("killed");
}
