//! The journal's own metrics, in the default registry.

use std::sync::LazyLock;

use prometheus::{Histogram, HistogramOpts, IntCounter, exponential_buckets, register_histogram, register_int_counter};

/// Payload bytes committed.
pub(super) static BYTES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_journal_payload_bytes_total", "Payload bytes committed to the journal.")
        .expect("registered once, with a valid name")
});

/// Frames committed.
pub(super) static FRAMES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_journal_frames_total", "Frames committed to the journal.")
        .expect("registered once, with a valid name")
});

/// Time of a group commit.
pub(super) static COMMIT_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = exponential_buckets(0.000_1, 2.0, 15).expect("a positive start and factor");
    let help = "Time to write and sync one group commit.";
    register_histogram!(HistogramOpts::new("weir_journal_commit_seconds", help).buckets(buckets))
        .expect("registered once, with a valid name")
});
