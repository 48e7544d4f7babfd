//! Watches the disk and the backlog, refuses receivers in time, and deletes what retention lets go of.

use std::{
    sync::{Arc, LazyLock, PoisonError},
    time::Duration,
};

use prometheus::{IntGauge, register_int_gauge};

use super::{AppendError, Shared, merger, stored::StoredSegment, view::View};
use crate::segment::SegmentId;

/// How often.
const TICK: Duration = Duration::from_millis(100);

/// Pause after the catalog refused a change.
const RETRY: Duration = Duration::from_secs(1);

macro_rules! gauge {
    ($name:ident, $metric:literal, $text:literal) => {
        static $name: LazyLock<IntGauge> =
            LazyLock::new(|| register_int_gauge!($metric, $text).expect("registered once"));
    };
}

// A macro, because a gauge is three lines of which one differs.
gauge!(UNSEALED_BYTES, "weir_journal_unsealed_bytes", "Bytes of journal files that are not sealed.");
gauge!(UNSEALED_FILES, "weir_journal_unsealed_files", "Journal files that are not sealed.");
gauge!(SEGMENTS, "weir_segments", "Segments on local disk.");
gauge!(SEGMENT_BYTES, "weir_segment_bytes", "Bytes of segments on local disk.");
gauge!(SEGMENT_SPANS, "weir_segment_spans", "Spans in segments.");
gauge!(MERGE_DEBT_BYTES, "weir_merge_debt_bytes", "Bytes of segments that wait to be merged.");
gauge!(HEAD_SPANS, "weir_head_spans", "Spans in the head.");
gauge!(HEAD_PAYLOAD_BYTES, "weir_head_payload_bytes", "Payload kept in memory.");
gauge!(FREE_BYTES, "weir_disk_free_bytes", "Free bytes on the data folder's file system.");
gauge!(REFUSING, "weir_refusing", "1 while receivers are refused for lack of space or a backlog.");

/// Runs until the store stops.
pub(super) fn run(shared: &Arc<Shared>) {
    while !shared.is_stopping() {
        if shared.disk.has_failed_sync() {
            shared.fail("a sync failed".to_owned());
            return;
        }
        inspect(shared);
        match apply_retention(shared) {
            Ok(()) => shared.wait(TICK),
            Err(error) if error.is_refusal() => {
                tracing::error!(%error, "cannot delete what retention lets go of; trying again later");
                shared.pause(RETRY);
            }
            Err(error) => shared.fail(error.to_string()),
        }
    }
}

/// Measures, and decides whether appends are refused.
pub(super) fn inspect(shared: &Shared) {
    let view = shared.views.current();
    let unsealed_bytes = view.unsealed_bytes();
    let debt_bytes = merger::debt_bytes(shared);
    let free_bytes = shared.disk.free_bytes(&shared.options.path).unwrap_or(u64::MAX);
    UNSEALED_BYTES.set(unsealed_bytes as i64);
    UNSEALED_FILES.set(view.files.len() as i64);
    MERGE_DEBT_BYTES.set(debt_bytes as i64);
    FREE_BYTES.set(free_bytes.min(i64::MAX as u64) as i64);
    let head_spans: u64 = view.files.iter().map(|file| file.rows()).sum();
    HEAD_SPANS.set(head_spans as i64);
    HEAD_PAYLOAD_BYTES.set(shared.budget.lock().unwrap_or_else(PoisonError::into_inner).bytes() as i64);
    SEGMENTS.set(view.all_segments().count() as i64);
    SEGMENT_BYTES.set(view.all_segments().map(|segment| segment.bytes() as i64).sum());
    SEGMENT_SPANS.set(view.all_segments().map(|segment| segment.rows() as i64).sum());

    let refusal = if free_bytes < shared.options.free_bytes_min {
        Some(AppendError::DiskFull)
    } else if shared.sampled.is_stuck() {
        // Verdicts have no space although receivers left them some.
        Some(AppendError::DiskFull)
    } else if shared.sampled.has_fallen_behind() {
        Some(AppendError::Busy("sampling has fallen behind"))
    } else if head_spans >= shared.options.head_spans_max {
        Some(AppendError::Busy("the head is full: sealing has fallen behind"))
    } else if unsealed_bytes >= shared.options.unsealed_bytes_max {
        Some(AppendError::Busy("sealing has fallen behind"))
    } else if debt_bytes >= shared.options.merge_debt_bytes_max {
        Some(AppendError::Busy("merging has fallen behind"))
    } else {
        None
    };
    shared.journal.tidy(matches!(refusal, Some(AppendError::DiskFull)));
    let mut current = shared.refusal.lock().unwrap_or_else(PoisonError::into_inner);
    match (&*current, &refusal) {
        (None, Some(reason)) => tracing::warn!(%reason, "receivers are refused"),
        (Some(_), None) => tracing::info!("receivers are taken again"),
        _ => {}
    }
    REFUSING.set(i64::from(refusal.is_some()));
    *current = refusal;
}

/// Lets go of segments that are too old, and of the oldest while there are too many bytes.
pub(super) fn apply_retention(shared: &Shared) -> Result<(), crate::catalog::CatalogError> {
    if expired(shared, &shared.views.current()).is_empty() {
        return Ok(());
    }
    let _changing = shared.segments_change.lock().unwrap_or_else(PoisonError::into_inner);
    let gone = expired(shared, &shared.views.current());
    let ids: Vec<(SegmentId, u64)> = gone.iter().map(|segment| (segment.id().clone(), segment.rows())).collect();
    shared.runtime.block_on(shared.catalog.remove(&ids, false))?;
    for segment in &gone {
        tracing::info!(segment = %segment.path().display(), "retention deletes a segment");
        shared.views.change_segments(&segment.id().tenant, std::slice::from_ref(segment), &[]);
        segment.retire();
    }
    Ok(())
}

fn expired(shared: &Shared, view: &View) -> Vec<Arc<StoredSegment>> {
    let mut segments: Vec<_> = view.all_segments().cloned().collect();
    segments.sort_by_key(|segment| segment.age_from_ns());
    let oldest_kept_ns = (shared.options.retention_traces)
        .map_or(0, |age| shared.clock.now_ns().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)));
    let mut bytes: u64 = segments.iter().map(|segment| segment.bytes()).sum();
    let bytes_max = shared.options.size_bytes_max.unwrap_or(u64::MAX);
    let mut gone = Vec::new();
    for segment in segments {
        if segment.age_from_ns() >= oldest_kept_ns && bytes <= bytes_max {
            break;
        }
        bytes -= segment.bytes();
        gone.push(segment);
    }
    gone
}
