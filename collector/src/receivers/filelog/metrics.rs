//! What reading files counts.

use std::sync::LazyLock;

use prometheus::{IntCounterVec, IntGaugeVec, register_int_counter_vec, register_int_gauge_vec};

/// Files, by what is known of them.
pub(super) static FILES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "Files now, by receiver and state: open, known (read, or to be read).";
    register_int_gauge_vec!("weir_filelog_files", text, &["receiver", "state"]).expect("registered once")
});

/// Bytes that are not read yet.
pub(super) static LAG_BYTES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "Bytes of files that are not read yet, by receiver.";
    register_int_gauge_vec!("weir_filelog_lag_bytes", text, &["receiver"]).expect("registered once")
});

/// Bytes that were read.
pub(super) static READ_BYTES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Bytes of files that became lines, by receiver.";
    register_int_counter_vec!("weir_filelog_read_bytes_total", text, &["receiver"]).expect("registered once")
});

/// What happened to files.
pub(super) static EVENTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "What happened to files, by receiver and event: begun, moved, truncated, copied, continued (as another file), lost (open \
                parts of a line with it), failed (cannot be opened or read).";
    register_int_counter_vec!("weir_filelog_file_events_total", text, &["receiver", "event"]).expect("registered once")
});

/// Lines that operators could not work with.
pub(super) static OPERATOR_ERRORS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Lines that an operator could not work with, by receiver and type of operator.";
    register_int_counter_vec!("weir_filelog_operator_errors_total", text, &["receiver", "operator"])
        .expect("registered once")
});

/// Lines that were changed on the way.
pub(super) static FLAGGED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Lines that were kept with a flag, by receiver and reason: invalid_utf8 (replaced), time (outside of \
                storage.accept), cut (longer than lines may be).";
    register_int_counter_vec!("weir_filelog_flagged_lines_total", text, &["receiver", "reason"])
        .expect("registered once")
});
