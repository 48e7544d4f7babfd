//! The archive's requests in numbers, in the default registry.

use std::sync::LazyLock;

use prometheus::{
    Counter, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, exponential_buckets, register_counter,
    register_histogram_vec, register_int_counter_vec, register_int_gauge,
};

/// Attempts, by what was asked and what came of it.
pub(super) static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Attempts at requests to the archive's object store, by operation and outcome.";
    register_int_counter_vec!("weir_archive_requests_total", help, &["operation", "outcome"])
        .expect("registered once, with a valid name")
});

/// How long attempts take.
pub(super) static REQUEST_SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.001, 2.0, 17).expect("a positive start and factor");
    let help = "Time of an attempt at a request to the archive's object store, by operation.";
    register_histogram_vec!(HistogramOpts::new("weir_archive_request_seconds", help).buckets(buckets), &["operation"])
        .expect("registered once, with a valid name")
});

/// Bytes of objects that went out or came in.
pub(super) static BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let help = "Bytes of objects written to and read from the archive's object store, by direction.";
    register_int_counter_vec!("weir_archive_bytes_total", help, &["direction"])
        .expect("registered once, with a valid name")
});

/// 0 asking, 1 one request tries, 2 nobody asks.
pub(super) static BREAKER_STATE: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Whether the archive's object store is asked: 0 yes, 1 one request tries whether it is back, 2 no.";
    register_int_gauge!("weir_archive_breaker_state", help).expect("registered once, with a valid name")
});

/// What uploads waited for the bandwidth.
pub(super) static THROTTLED_SECONDS: LazyLock<Counter> = LazyLock::new(|| {
    let help = "Seconds that uploads waited to stay within the archive's bandwidth.";
    register_counter!("weir_archive_throttled_seconds_total", help).expect("registered once, with a valid name")
});
