//! OTLP metrics through both ports, as protobuf and as JSON.

use prost::Message;
use serde_json::json;
use weir_proto::{
    TenantId,
    metrics::{LabelMatcher, MatchOp},
    otlp::messages::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        metrics::v1::{
            Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point::Value,
        },
    },
};
use weir_store::{SeriesSamples, Store};

use crate::{
    payload::{NOW_NS, framed},
    port::{GrpcClient, HttpClient, Receiver},
};

const EXPORT_METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

fn request(data: Data) -> Vec<u8> {
    let metric = Metric { name: "m".into(), data: Some(data), ..Metric::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn point(time_unix_nano: u64, value: f64) -> NumberDataPoint {
    NumberDataPoint { time_unix_nano, value: Some(Value::AsDouble(value)), ..NumberDataPoint::default() }
}

/// The values of the series of that name.
fn values(store: &Store, name: &str) -> Vec<f64> {
    let matcher = LabelMatcher { name: "__name__".into(), op: MatchOp::Equal, value: name.into() };
    let snapshot = store.snapshot();
    let found = snapshot.series(&TenantId::default(), &[matcher], 0, i64::MAX).expect("readable");
    let mut samples = SeriesSamples::default();
    for series in &found {
        series.read(0, i64::MAX, &mut samples).expect("readable");
    }
    samples.values
}

#[tokio::test]
async fn metrics_come_in_by_every_way() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    let gauge = |time_ns, value| request(Data::Gauge(Gauge { data_points: vec![point(time_ns, value)] }));
    let answer = grpc.send_raw(EXPORT_METRICS, &[], framed(0, &gauge(NOW_NS, 1.0))).await;
    assert_eq!((answer.code(), answer.partial()), ("0", (0, String::new())));
    let protobuf = [("content-type", "application/x-protobuf")];
    let answer = http.send("POST", "/v1/metrics", &protobuf, gauge(NOW_NS + 1_000_000, 2.0)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    let written = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [
        {"timeUnixNano": (NOW_NS + 2_000_000).to_string(), "asInt": "3"}
    ]}}]}]}]});
    let as_json = [("content-type", "application/json")];
    let answer = http.send("POST", "/v1/metrics", &as_json, written.to_string().into_bytes()).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"{}"[..]));
    assert_eq!(values(&receiver.store, "m"), [1.0, 2.0, 3.0]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_told() {
    let receiver = Receiver::start().await;
    let mut http = HttpClient::connect(receiver.http).await;
    let protobuf = [("content-type", "application/x-protobuf")];
    let old = request(Data::Gauge(Gauge { data_points: vec![point(1, 1.0), point(NOW_NS, 2.0)] }));
    let answer = http.send("POST", "/v1/metrics", &protobuf, old).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.partial(),
        (1, "1 data points rejected: too_old 1 (older than storage.accept.past, 1h)".to_owned())
    );
    let unspecified = Sum { data_points: vec![point(NOW_NS, 1.0)], is_monotonic: true, ..Sum::default() };
    let answer = http.send("POST", "/v1/metrics", &protobuf, request(Data::Sum(unspecified))).await;
    let (rejected, words) = answer.partial();
    assert_eq!(rejected, 1);
    assert!(words.contains(r#"metric "m" has an unspecified aggregation temporality"#), "{words}");
    for body in [&b"whatever"[..], &[0x0a, 0xff]] {
        let answer = http.send("POST", "/v1/metrics", &protobuf, body.to_vec()).await;
        assert_eq!(answer.status, 400);
    }
    let words = json!({"resourceSpans": []}).to_string().into_bytes();
    let answer = http.send("POST", "/v1/metrics", &[("content-type", "application/json")], words).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("it holds traces, which are not metrics"));
}
