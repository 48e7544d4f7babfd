//! What ports count.

use std::sync::LazyLock;

use prometheus::{
    IntCounterVec, IntGauge, IntGaugeVec, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};

/// Connections beyond what a port takes.
pub static CONNECTIONS_REFUSED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Connections beyond the limit, by protocol";
    register_int_counter_vec!("weir_port_connections_refused_total", text, &["protocol"])
        .expect("each metric is registered once, under a valid name")
});

/// Connections now.
pub static CONNECTIONS_OPEN: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("weir_port_connections_open", "Connections now, by protocol", &["protocol"])
        .expect("each metric is registered once, under a valid name")
});

/// Bytes that requests hold now, of `inflight_mib_max`.
pub(crate) static INFLIGHT_BYTES: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("weir_port_inflight_bytes", "Bytes held by requests being received")
        .expect("each metric is registered once, under a valid name")
});
