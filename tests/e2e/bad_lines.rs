//! Bad log records through the real ports: what traces refuse, lines refuse too, each alone where it can be, and never at the cost of the process.

use hyper::StatusCode;
use prost::Message;
use serde_json::json;
use weir_benches::{query::Query, rng::Rng, server::Server};
use weir_proto::{
    otlp::messages::{
        collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse},
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    },
    time::{Clock, SECOND_NS},
};

use crate::{
    bad_input::{bomb, field, nested, text, with_server},
    raw_http::{post_to, protobuf},
};

fn line(body: &str) -> LogRecord {
    let body = Some(AnyValue { value: Some(Value::StringValue(body.into())) });
    LogRecord { time_unix_nano: Clock::system().now_ns(), body, ..LogRecord::default() }
}

fn request(log_records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

/// What was rejected of a request, or the status that refused it whole.
async fn export(server: &Server, body: Vec<u8>) -> Result<i64, StatusCode> {
    let (status, answer) = post_to("/v1/logs", server.http, &protobuf(), body).await;
    if status != StatusCode::OK {
        return Err(status);
    }
    let answer = ExportLogsServiceResponse::decode(answer).expect("protobuf");
    Ok(answer.partial_success.map_or(0, |partial| partial.rejected_log_records))
}

/// What the ledger says of lines: accepted, kept, damaged.
async fn tally(server: &Server) -> serde_json::Value {
    let (_, ledger) = Query::new(server.query).json("/api/v1/ledger").await.expect("an answer");
    let tally = &ledger["logs"]["default"];
    json!([tally["accepted"], tally["kept"], tally["damaged"]])
}

#[tokio::test]
async fn truncated_and_random_lines() {
    with_server(81, async |_, server| {
        let lines = (0..50).map(|n| LogRecord {
            attributes: vec![text("user", format!("user {n}"))],
            ..line("something happened, and then something else")
        });
        let payload = request(lines.collect());
        let mut rng = Rng::new(81);
        for _ in 0..120 {
            let mut body = payload[..rng.below(payload.len() as u64) as usize].to_vec();
            if rng.percent(50) {
                let from = rng.below(body.len() as u64 + 1) as usize;
                body[from..].iter_mut().for_each(|byte| *byte = rng.bits() as u8);
            }
            let answer = export(server, body).await;
            assert!(matches!(answer, Ok(_) | Err(StatusCode::BAD_REQUEST)), "{answer:?}");
        }
        assert_eq!(export(server, vec![0xff; 1000]).await, Err(StatusCode::BAD_REQUEST));
        let gzip = [("content-type", "application/x-protobuf"), ("content-encoding", "gzip")];
        let (status, _) = post_to("/v1/logs", server.http, &gzip, bomb(64 << 20)).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let (status, _) = post_to("/v1/logs", server.http, &[("content-type", "text/plain")], payload).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    })
    .await;
}

#[tokio::test]
async fn bad_lines_are_rejected_one_by_one() {
    with_server(82, async |_, server| {
        let now_ns = Clock::system().now_ns();
        let month_ns = 30 * 86_400 * SECOND_NS;
        let with_body = |bytes: &[u8]| {
            let time = [&[1 << 3 | 1][..], &now_ns.to_le_bytes()].concat();
            field(1, &field(2, &field(2, &[time, field(5, bytes)].concat())))
        };
        let not_utf8 = field(1, &[0xff, 0xfe]);
        for (bad, what) in [
            (request(vec![LogRecord { time_unix_nano: now_ns - month_ns, ..line("old") }]), "too old"),
            (request(vec![LogRecord { time_unix_nano: now_ns + month_ns, ..line("early") }]), "of the future"),
            (with_body(&not_utf8), "not UTF-8"),
            (with_body(&nested(1_000)), "deep"),
        ] {
            // Two requests, one behind the other, are one request.
            let body = [request(vec![line("good")]), bad].concat();
            assert_eq!(export(server, body).await, Ok(1), "{what}");
        }
        let answer = export(server, with_body(&nested(1_000_000))).await;
        assert!(matches!(answer, Ok(1) | Err(StatusCode::BAD_REQUEST)), "{answer:?}");
        assert_eq!(tally(server).await, json!([4, 4, 0]));
    })
    .await;
}

#[tokio::test]
async fn odd_lines_stay() {
    with_server(83, async |_, server| {
        let now_ns = Clock::system().now_ns();
        let attributes: Vec<KeyValue> = (0..100_000).map(|n| text(&format!("k{n}"), "v".into())).collect();
        let odd = vec![
            LogRecord { trace_id: vec![1; 3], span_id: vec![2; 9], ..line("ids of a wrong length") },
            LogRecord { time_unix_nano: 0, observed_time_unix_nano: now_ns - 5, ..line("observed") },
            LogRecord { time_unix_nano: 0, ..line("received") },
            LogRecord { attributes, ..line("many attributes") },
            LogRecord::default(),
        ];
        assert_eq!(export(server, request(odd)).await, Ok(0));
        let query = Query::new(server.query);
        let sql = "SELECT body, trace_id IS NULL AND span_id IS NULL AS lone, \
            CAST(time AS BIGINT) = CAST(observed_time AS BIGINT) AS observed, \
            attributes['k0'] IS NOT NULL AS some, attributes['k99999'] IS NULL AS cut FROM logs ORDER BY body NULLS LAST";
        let found = query.sql(sql).await.expect("an answer");
        let row = |body: serde_json::Value, observed: bool, some: bool| {
            let observed = if observed { json!(true) } else { serde_json::Value::Null };
            json!({"body": body, "lone": true, "observed": observed, "some": some, "cut": true})
        };
        let expected = json!([
            row(json!("ids of a wrong length"), false, false),
            row(json!("many attributes"), false, true),
            row(json!("observed"), true, false),
            row(json!("received"), false, false),
            row(serde_json::Value::Null, false, false),
        ]);
        assert_eq!(found["rows"], expected);
        assert_eq!(tally(server).await, json!([5, 5, 0]));
    })
    .await;
}
