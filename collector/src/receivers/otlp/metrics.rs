//! What the OTLP receivers count.

use std::sync::LazyLock;

use prometheus::{
    IntCounterVec, IntGauge, IntGaugeVec, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

fn counter(name: &str, text: &str, labels: &[&str]) -> IntCounterVec {
    register_int_counter_vec!(name, text, labels).expect("each metric is registered once, under a valid name")
}

/// Requests answered, by protocol and outcome (`ok`, `partial`, or why they were refused).
pub(super) static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_otlp_requests_total", "Requests answered, by protocol and outcome", &["protocol", "outcome"])
});

/// Spans acknowledged, rejected ones not included.
pub(super) static SPANS_ACCEPTED: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("weir_otlp_spans_accepted_total", "Spans acknowledged, by protocol", &["protocol"]));

/// Spans reported in partial_success.
pub(super) static SPANS_REJECTED: LazyLock<IntCounterVec> =
    LazyLock::new(|| counter("weir_otlp_spans_rejected_total", "Spans rejected one by one, by reason", &["reason"]));

/// Bodies as they came.
pub(super) static WIRE_BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_otlp_wire_bytes_total", "Bytes of request bodies as they came", &["protocol", "encoding"])
});

/// Bodies after decompression.
pub(super) static PAYLOAD_BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_otlp_payload_bytes_total", "Bytes of request bodies after decompression", &["protocol", "encoding"])
});

/// Connections beyond `connections_max`.
pub(super) static CONNECTIONS_REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_otlp_connections_refused_total", "Connections beyond the limit, by protocol", &["protocol"])
});

/// Connections now.
pub(super) static CONNECTIONS_OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("weir_otlp_connections_open", "Connections now, by protocol", &["protocol"])
        .expect("each metric is registered once, under a valid name")
});

/// Bytes that requests hold now, of `inflight_mib_max`.
pub(super) static INFLIGHT_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_otlp_inflight_bytes", "Bytes held by requests being received")
        .expect("each metric is registered once, under a valid name")
});
