//! What scrapers count.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, IntGaugeVec, register_int_counter_vec, register_int_gauge_vec};

/// Scrapes, by what came of them.
pub(super) static SCRAPES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Scrapes, by outcome: ok, failed (the target, or what it exposed), not_stored.";
    register_int_counter_vec!("weir_scrapes_total", text, &["outcome"]).expect("registered once")
});

/// Targets by job: scraped, dropped by relabelling.
pub(super) static TARGETS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "Targets now, by job and state: active, dropped (by relabelling).";
    register_int_gauge_vec!("weir_scrape_targets", text, &["job", "state"]).expect("registered once")
});

/// Second samples of one series in one scrape.
pub(super) static DUPLICATES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Samples left out because their series had one in the same scrape already, by job.";
    register_int_counter_vec!("weir_scrape_duplicate_samples_total", text, &["job"]).expect("registered once")
});
