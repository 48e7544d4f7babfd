//! `/metrics`: every counter of the process as Prometheus text, and the counters of the endpoints themselves.

use std::{sync::LazyLock, time::Instant};

use prometheus::{
    Encoder, HistogramVec, IntCounterVec, IntGauge, TextEncoder, register_histogram_vec, register_int_counter_vec,
    register_int_gauge,
};

use super::{
    answer::{Answer, Failure},
    process,
};

/// Prometheus' text format, version 0.0.4.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "weir_query_requests_total",
        "Requests on the query endpoint, by endpoint and outcome.",
        &["endpoint", "outcome"]
    )
    .expect("registered once")
});

static DURATION: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        "weir_query_duration_seconds",
        "Time to answer a request, waiting for its turn included.",
        &["endpoint"],
        vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]
    )
    .expect("registered once")
});

static RUNNING: LazyLock<IntGauge> =
    LazyLock::new(|| register_int_gauge!("weir_query_running", "Queries that run now.").expect("registered once"));

/// Counts an answered request.
pub(super) fn count(endpoint: &'static str, outcome: &'static str, begin: Instant) {
    REQUESTS.with_label_values(&[endpoint, outcome]).inc();
    DURATION.with_label_values(&[endpoint]).observe(begin.elapsed().as_secs_f64());
}

/// An answer that is sent while it is computed; counted when dropped.
#[derive(Debug)]
pub(super) struct Streaming {
    endpoint: &'static str,
    begin: Instant,
    /// `gone` until the answer's end is out.
    pub(super) outcome: &'static str,
}

impl Streaming {
    pub(super) fn of(endpoint: &'static str, begin: Instant) -> Self {
        Self { endpoint, begin, outcome: "gone" }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        count(self.endpoint, self.outcome, self.begin);
    }
}

/// A query that runs; ends when dropped.
#[derive(Debug)]
pub(super) struct Running(());

impl Running {
    pub(super) fn start() -> Self {
        RUNNING.inc();
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.dec();
    }
}

/// Everything as text.
pub(super) fn render() -> Result<Answer, Failure> {
    let mut body = Vec::new();
    let encoded = TextEncoder::new().encode(&prometheus::gather(), &mut body);
    encoded.map_err(|error| Failure::Unwritable(error.to_string()))?;
    body.extend_from_slice(process::render().as_bytes());
    Ok(Answer::of(EXPOSITION, body))
}
