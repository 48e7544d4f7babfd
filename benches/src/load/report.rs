//! What a load came to, for people and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use serde_json::json;

/// The outcome of a load. Nothing is ever sent twice: retries are 0.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Spans sent.
    pub sent: u64,
    /// Spans acknowledged and not rejected.
    pub acked: u64,
    /// Spans rejected by partial_success.
    pub rejected: u64,
    /// Spans refused or lost, by status.
    pub failed: BTreeMap<String, u64>,
    /// Requests sent.
    pub requests: u64,
    /// Bytes of messages sent, compressed as sent.
    pub bytes: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Of answered requests.
    pub latency: Quantiles,
    /// CPU time of this process meanwhile, in seconds.
    pub cpu_s: f64,
}

/// Quantiles of a duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// Median, ms.
    pub p50_ms: f64,
    /// ms
    pub p90_ms: f64,
    /// ms
    pub p99_ms: f64,
    /// ms
    pub p999_ms: f64,
    /// ms
    pub max_ms: f64,
    /// How many were measured.
    pub count: u64,
}

impl Quantiles {
    /// A histogram for durations in µs, up to ten minutes.
    pub fn histogram() -> Histogram<u64> {
        Histogram::new_with_bounds(1, 600_000_000, 3).expect("3 digits between 1 and more")
    }

    /// Of a histogram in µs.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |us: u64| us as f64 / 1000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Self {
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(histogram.max()),
            count: histogram.len(),
        }
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "p50_ms": self.p50_ms, "p90_ms": self.p90_ms, "p99_ms": self.p99_ms,
            "p999_ms": self.p999_ms, "max_ms": self.max_ms, "count": self.count,
        })
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. } = self;
        write!(f, "p50 {p50_ms:.2} p90 {p90_ms:.2} p99 {p99_ms:.2} p99.9 {p999_ms:.2} max {max_ms:.2} ms")
    }
}

impl LoadReport {
    /// Acknowledged spans a second.
    pub fn spans_per_s(&self) -> f64 {
        self.acked as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Sent megabytes a second.
    pub fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Whether every span was acknowledged.
    pub fn all_acked(&self) -> bool {
        self.acked == self.sent
    }

    /// As JSON.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "sent": self.sent, "acked": self.acked, "rejected": self.rejected, "failed": self.failed, "retries": 0,
            "requests": self.requests, "bytes": self.bytes, "elapsed_s": self.elapsed.as_secs_f64(),
            "spans_per_s": self.spans_per_s(), "mb_per_s": self.mb_per_s(), "latency": self.latency.json(), "cpu_s": self.cpu_s,
        })
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sent {} acked {} rejected {} in {:.2} s: {:.0} spans/s, {:.1} MB/s; ack {}; own CPU {:.2} s",
            self.sent,
            self.acked,
            self.rejected,
            self.elapsed.as_secs_f64(),
            self.spans_per_s(),
            self.mb_per_s(),
            self.latency,
            self.cpu_s
        )?;
        for (status, spans) in &self.failed {
            write!(f, "; {spans} {status}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_long_and_short_waits() {
        let mut histogram = Quantiles::histogram();
        for us in 1..=1000 {
            histogram.saturating_record(us * 1000);
        }
        let quantiles = Quantiles::of(&histogram);
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.002;
        assert!(
            near(quantiles.p50_ms, 500.0) && near(quantiles.p99_ms, 990.0) && near(quantiles.max_ms, 1000.0),
            "{quantiles}"
        );
    }
}
