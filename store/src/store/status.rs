//! How much there is of what: the figures of a page that shows how the store fares.

use std::time::Duration;

use weir_proto::{Signal, TenantId, TraceId};

use super::Store;
use crate::{
    head::Rows,
    sampling::RememberedVerdict,
    snapshot::{series_view::MetricsView, view::LaneView},
};

/// The store's figures of one moment.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// The data folder.
    pub path: std::path::PathBuf,
    /// Of each signal.
    pub signals: Vec<SignalStatus>,
    /// Bytes of journal files and segments, of all tenants.
    pub used_bytes: u64,
    /// `storage.size_max`.
    pub size_bytes_max: Option<u64>,
    /// Free on the file system, and in all; `None` when it does not say.
    pub free_bytes: Option<u64>,
    /// See there.
    pub total_bytes: Option<u64>,
}

/// What there is of a signal.
#[derive(Debug, Clone)]
pub struct SignalStatus {
    /// Which.
    pub signal: Signal,
    /// Journal files that are not sealed, of all tenants.
    pub journal_files: u64,
    /// Their bytes.
    pub journal_bytes: u64,
    /// Items in the head, of all tenants.
    pub head_items: u64,
    /// The tenant's segments.
    pub segments: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Their rows.
    pub segment_rows: u64,
    /// Their first and last moment, Unix ns.
    pub span_ns: Option<(u64, u64)>,
    /// How long the signal is kept; `None` for ever.
    pub retention: Option<Duration>,
}

impl Store {
    /// How the store fares. Asks the file system.
    pub fn status(&self, tenant: &TenantId) -> StoreStatus {
        let shared = &self.0.shared;
        let view = shared.views.current();
        let signals = Signal::ALL.into_iter().map(|signal| match signal {
            Signal::Traces => of_lane(signal, &view.traces, tenant),
            Signal::Logs => of_lane(signal, &view.logs, tenant),
            Signal::Metrics => of_metrics(&view.metrics, tenant),
        });
        let mut signals: Vec<SignalStatus> = signals.collect();
        for status in &mut signals {
            status.retention = shared.options.retention(status.signal);
        }
        let segments = view.retained();
        let segment_bytes = segments.iter().map(|segment| segment.size_bytes()).sum::<u64>();
        let used_bytes = segment_bytes + signals.iter().map(|status| status.journal_bytes).sum::<u64>();
        let file_system = shared.disk.space(&shared.options.path).ok();
        StoreStatus {
            path: shared.options.path.clone(),
            signals,
            used_bytes,
            size_bytes_max: shared.options.size_bytes_max,
            free_bytes: file_system.map(|(free, _)| free),
            total_bytes: file_system.map(|(_, total)| total),
        }
    }

    /// What was decided of a trace; `None` when that is not known any more, or not yet. May wait some milliseconds for the sampler.
    pub fn verdict(&self, tenant: &TenantId, trace: TraceId) -> Option<RememberedVerdict> {
        let sampler = self.0.shared.sampler.lock();
        sampler.remembered(tenant, trace)
    }
}

/// In samples.
fn of_metrics(view: &MetricsView, tenant: &TenantId) -> SignalStatus {
    let segments = view.segments_of(tenant);
    let ns = |time_ms: i64| u64::try_from(time_ms).unwrap_or(0).saturating_mul(1_000_000);
    let spans_ns = segments.iter().map(|segment| segment.time_ms()).map(|(min, max)| (ns(min), ns(max)));
    SignalStatus {
        signal: Signal::Metrics,
        journal_files: view.files.len() as u64,
        journal_bytes: view.unsealed_bytes(),
        head_items: view.head_samples(),
        segments: segments.len() as u64,
        segment_bytes: segments.iter().map(|segment| segment.bytes()).sum(),
        segment_rows: segments.iter().map(|segment| segment.samples()).sum(),
        span_ns: spans_ns.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        retention: None,
    }
}

fn of_lane<R: Rows>(signal: Signal, lane: &LaneView<R>, tenant: &TenantId) -> SignalStatus {
    let segments = lane.segments.get(tenant).map(Vec::as_slice).unwrap_or_default();
    let spans_ns = segments.iter().filter_map(|segment| segment.start_ns());
    SignalStatus {
        signal,
        journal_files: lane.files.len() as u64,
        journal_bytes: lane.unsealed_bytes(),
        head_items: lane.head_rows(),
        segments: segments.len() as u64,
        segment_bytes: segments.iter().map(|segment| segment.bytes()).sum(),
        segment_rows: segments.iter().map(|segment| segment.rows()).sum(),
        span_ns: spans_ns.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))),
        retention: None,
    }
}
