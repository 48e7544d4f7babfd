//! What is counted of notifications.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntGauge, register_int_counter, register_int_gauge};

/// Shows all of them from the start, at 0.
pub(super) fn show() {
    for counter in [&SENT, &ERRORS, &DROPPED] {
        LazyLock::force(counter);
    }
    LazyLock::force(&QUEUED);
}

pub(super) static SENT: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Alerts that an Alertmanager or a webhook took.";
    register_int_counter!("weir_notifications_sent_total", text).expect("registered once")
});

pub(super) static ERRORS: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Requests to Alertmanagers and webhooks that failed; those that may succeed later are tried again.";
    register_int_counter!("weir_notifications_errors_total", text).expect("registered once")
});

pub(super) static DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Alerts that were not told of: the queue was full, or they were refused for good.";
    register_int_counter!("weir_notifications_dropped_total", text).expect("registered once")
});

pub(super) static QUEUED: LazyLock<IntGauge> = LazyLock::new(|| {
    let text = "Alerts that wait to be told of, over all addresses.";
    register_int_gauge!("weir_notifications_queue_length", text).expect("registered once")
});
