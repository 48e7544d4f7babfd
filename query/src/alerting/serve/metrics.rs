//! What is counted of evaluations.

use std::sync::LazyLock;

use prometheus::{
    Histogram, IntCounter, IntGauge, histogram_opts, register_histogram, register_int_counter, register_int_gauge,
};

/// Shows all of them from the start, at 0.
pub(super) fn show() {
    for counter in [&EVALUATIONS, &FAILURES, &ITERATIONS, &MISSED, &REFUSED] {
        LazyLock::force(counter);
    }
    for gauge in [&GROUPS, &RULES, &RELOADED] {
        LazyLock::force(gauge);
    }
    for histogram in [&DURATION, &LATENESS] {
        LazyLock::force(histogram);
    }
}

pub(super) static EVALUATIONS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_rule_evaluations_total", "Evaluations of rules.").expect("registered once")
});

pub(super) static FAILURES: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Evaluations of rules that failed: the query, a limit, or storing what it gave.";
    register_int_counter!("weir_rule_evaluation_failures_total", text).expect("registered once")
});

pub(super) static ITERATIONS: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Evaluations of groups of rules, missed ones included.";
    register_int_counter!("weir_rule_group_iterations_total", text).expect("registered once")
});

pub(super) static MISSED: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Evaluations of groups that were left out because the one before took too long.";
    register_int_counter!("weir_rule_group_iterations_missed_total", text).expect("registered once")
});

pub(super) static DURATION: LazyLock<Histogram> = LazyLock::new(|| {
    let buckets = vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];
    let options = histogram_opts!("weir_rule_group_duration_seconds", "How long evaluations of groups take.", buckets);
    register_histogram!(options).expect("registered once")
});

pub(super) static LATENESS: LazyLock<Histogram> = LazyLock::new(|| {
    let text = "How long after its time the evaluation of a group begins.";
    let buckets = vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];
    register_histogram!(histogram_opts!("weir_rule_group_lateness_seconds", text, buckets)).expect("registered once")
});

pub(super) static GROUPS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_rule_groups", "Groups of rules that are evaluated.").expect("registered once")
});

pub(super) static RULES: LazyLock<IntGauge> =
    LazyLock::new(|| register_int_gauge!("weir_rules", "Rules that are evaluated.").expect("registered once"));

pub(super) static REFUSED: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Samples of rules that were not stored: there are too many series, or another value is at their time.";
    register_int_counter!("weir_rule_samples_refused_total", text).expect("registered once")
});

pub(super) static RELOADED: LazyLock<IntGauge> = LazyLock::new(|| {
    let text = "Whether the files of rules could be read when they were read last: 1 or 0.";
    register_int_gauge!("weir_rules_last_reload_successful", text).expect("registered once")
});
