//! Log records: by the same ports and within the same bounds as spans, to a journal of their own.

use prost::Message;
use weir_proto::otlp::messages::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, any_value::Value},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
};
use weir_store::AppendError;

use crate::{
    payload::{NOW_NS, framed, request_of, zstd},
    port::{EXPORT, GrpcClient, Receiver},
};

const EXPORT_LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn line(body: &str) -> LogRecord {
    let body = Some(AnyValue { value: Some(Value::StringValue(body.into())) });
    LogRecord { time_unix_nano: NOW_NS, body, ..LogRecord::default() }
}

fn request(lines: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { log_records: lines, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[tokio::test]
async fn lines_come_by_every_way() {
    let receiver = Receiver::start().await;
    let payload = request(vec![line("one"), line("two")]);
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = GrpcClient::connect(receiver.http).await;
    assert_eq!(grpc.send_raw(EXPORT_LOGS, &[], framed(0, &payload)).await.code(), "0");
    let zipped = grpc.send_raw(EXPORT_LOGS, &[("grpc-encoding", "zstd")], framed(1, &zstd(&payload))).await;
    assert_eq!(zipped.code(), "0");
    assert_eq!(http.send_raw("/v1/logs", &[PROTOBUF], payload.clone()).await.status, 200);
    let json = format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{},{}]}}]}}]}}"#,
        format_args!(r#"{{"timeUnixNano":"{NOW_NS}","body":{{"stringValue":"one"}}}}"#),
        format_args!(r#"{{"timeUnixNano":{NOW_NS},"body":{{"stringValue":"two"}}}}"#),
    );
    let answer = http.send_raw("/v1/logs", &[JSON], json.into_bytes()).await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"{}"[..]));
    let lines = receiver.journal.lines.lock();
    assert_eq!(lines.len(), 4);
    for batch in lines.iter() {
        assert!(*batch.payload == payload, "as OTLP protobuf, whatever it came as");
        assert_eq!((batch.items, batch.received_at_ns, batch.summaries.len()), (2, NOW_NS, 2));
    }
    assert_eq!(receiver.journal.len(), 0, "no spans");
}

#[tokio::test]
async fn rejected_lines_are_reported_and_the_rest_is_kept() {
    let receiver = Receiver::start().await;
    let old = LogRecord { time_unix_nano: 5, ..line("old") };
    let odd = LogRecord { trace_id: vec![1; 3], span_id: vec![2; 9], ..line("odd") };
    let payload = request(vec![line("one"), old, odd, LogRecord::default()]);
    let expected = (1, "rejected log records: too_old 1 (older than storage.accept.past, 1h)".to_owned());
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let answer = grpc.send_raw(EXPORT_LOGS, &[], framed(0, &payload)).await;
    assert_eq!((answer.code(), answer.partial()), ("0", expected));
    let mut http = GrpcClient::connect(receiver.http).await;
    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5"}]}]}]}"#;
    let answer = http.send_raw("/v1/logs", &[JSON], json.to_vec()).await;
    let expected = concat!(
        r#"{"partialSuccess":{"errorMessage":"rejected log records: too_old 1 (older than storage.accept.past, 1h)","#,
        r#""rejectedLogRecords":"1"}}"#
    );
    assert_eq!(String::from_utf8_lossy(&answer.body), expected);
    let lines = receiver.journal.lines.lock();
    let ordinals: Vec<_> = lines[0].rejected.iter().map(|rejection| rejection.ordinal).collect();
    assert_eq!((ordinals, lines[0].summaries.len()), (vec![1], 3));
}

#[tokio::test]
async fn what_is_refused_is_refused_whole() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let answer = grpc.send_raw(EXPORT_LOGS, &[], framed(0, &[0x0a])).await;
    assert_eq!(answer.code(), "3", "INVALID_ARGUMENT");
    let mut http = GrpcClient::connect(receiver.http).await;
    let answer = http.send_raw("/v1/logs", &[JSON], br#"{"resourceLogs":5}"#.to_vec()).await;
    assert_eq!(answer.status, 400);
    receiver.refuse(Some(AppendError::Busy("sealing has fallen behind")));
    let answer = http.send_raw("/v1/logs", &[PROTOBUF], request(vec![line("one")])).await;
    assert_eq!(answer.status, 503);
    // A path of the one signal is none of the other's.
    receiver.refuse(None);
    assert_eq!(grpc.send_raw(EXPORT, &[], framed(0, &request_of(10))).await.code(), "0");
    assert_eq!(http.send_raw("/v1/lines", &[PROTOBUF], request(vec![line("one")])).await.status, 404);
    assert!(receiver.journal.lines.lock().is_empty());
}
