//! What probes count of themselves.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, register_int_counter_vec};

/// Probes, by what came of them.
pub(super) static PROBES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Probes, by prober and outcome: ok, failed.";
    register_int_counter_vec!("weir_probes_total", text, &["prober", "outcome"]).expect("registered once")
});

/// Traces of probes that are not kept.
pub(super) static TRACES_LOST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Traces of probes that could not be kept, by why: not_stored, no_randomness.";
    register_int_counter_vec!("weir_probe_traces_lost_total", text, &["reason"]).expect("registered once")
});
