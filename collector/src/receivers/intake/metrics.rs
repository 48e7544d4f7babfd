//! What receivers count.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, register_int_counter_vec};

fn counter(name: &str, text: &str, labels: &[&str]) -> IntCounterVec {
    register_int_counter_vec!(name, text, labels).expect("each metric is registered once, under a valid name")
}

/// Requests answered, by protocol and outcome (`ok`, `partial`, or why they were refused).
pub(crate) static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_receiver_requests_total", "Requests answered, by protocol and outcome", &["protocol", "outcome"])
});

/// Items acknowledged, rejected ones not included.
pub(crate) static ITEMS_ACCEPTED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Items acknowledged, by signal and protocol";
    counter("weir_receiver_items_accepted_total", text, &["signal", "protocol"])
});

/// Items reported in partial_success.
pub(crate) static ITEMS_REJECTED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Items rejected one by one, by signal and reason";
    counter("weir_receiver_items_rejected_total", text, &["signal", "reason"])
});

/// Bodies as they came.
pub(crate) static WIRE_BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter("weir_receiver_wire_bytes_total", "Bytes of request bodies as they came", &["protocol", "encoding"])
});

/// Bodies after decompression, as protobuf.
pub(crate) static PAYLOAD_BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "weir_receiver_payload_bytes_total",
        "Bytes of request bodies after decompression, as protobuf",
        &["protocol", "encoding"],
    )
});
