//! Watches the disk and the backlog, refuses receivers in time, and deletes what retention lets go of.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use prometheus::{IntGauge, IntGaugeVec, register_int_gauge, register_int_gauge_vec};
use weir_proto::Signal;

use super::{archive_retention::believed_now_ns, merger};
use crate::{
    archive::{Archive, Work},
    head::Rows,
    lane::{errors::AppendError, lane::Lane, shared::Shared},
    options::StoreOptions,
    segment::SegmentId,
    snapshot::{
        stored::{Retained, StandIn},
        view::{LaneView, View},
    },
};

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
gauge!(MERGE_DEBT_BYTES, "weir_merge_debt_bytes", "Bytes of segments that wait to be merged.");
gauge!(HEAD_SPANS, "weir_head_spans", "Spans in the head.");
gauge!(HEAD_LINES, "weir_head_lines", "Log records in the head.");
gauge!(HEAD_SAMPLES, "weir_head_samples", "Samples of metrics in the head.");
gauge!(HEAD_SERIES, "weir_head_series", "Series in the head.");
gauge!(HEAD_PAYLOAD_BYTES, "weir_head_payload_bytes", "Payload kept in memory.");
gauge!(FREE_BYTES, "weir_disk_free_bytes", "Free bytes on the data folder's file system.");

static SEGMENT_ITEMS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!("weir_segment_items", "Items in segments, by signal.", &["signal"])
        .expect("registered once")
});
static REFUSING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "1 while a signal's receivers are refused for lack of space or a backlog.";
    register_int_gauge_vec!("weir_refusing", text, &["signal"]).expect("registered once")
});

/// Runs until the store stops.
pub(crate) fn run(shared: &Arc<Shared>) {
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

/// Measures, and decides for each signal whether its appends are refused.
pub(crate) fn inspect(shared: &Shared) {
    let view = shared.views.current();
    let free_bytes = shared.disk.free_bytes(&shared.options.path).unwrap_or(u64::MAX);
    FREE_BYTES.set(free_bytes.min(i64::MAX as u64) as i64);
    let unsealed_bytes = [view.traces.unsealed_bytes(), view.logs.unsealed_bytes(), view.metrics.unsealed_bytes()];
    UNSEALED_BYTES.set(unsealed_bytes.iter().sum::<u64>() as i64);
    UNSEALED_FILES.set((view.traces.files.len() + view.logs.files.len() + view.metrics.files.len()) as i64);
    HEAD_SPANS.set(view.traces.head_rows() as i64);
    HEAD_LINES.set(view.logs.head_rows() as i64);
    HEAD_SAMPLES.set(view.metrics.head_samples() as i64);
    HEAD_SERIES.set(shared.registry.series_count() as i64);
    HEAD_PAYLOAD_BYTES.set(shared.budget.lock().bytes() as i64);
    let segments = view.retained();
    SEGMENTS.set(segments.len() as i64);
    SEGMENT_BYTES.set(segments.iter().map(|segment| segment.size_bytes() as i64).sum());
    for signal in Signal::WITH_ROWS {
        let rows: u64 = view.segments(signal).values().flatten().map(|segment| segment.rows()).sum();
        SEGMENT_ITEMS.with_label_values(&[signal.name()]).set(rows as i64);
    }
    SEGMENT_ITEMS.with_label_values(&[Signal::Metrics.name()]).set(view.metrics.sealed_samples() as i64);
    let debts = Signal::ALL.map(|signal| merger::debt_bytes(shared, signal));
    MERGE_DEBT_BYTES.set(debts.iter().sum::<u64>() as i64);
    let [traces_debt_bytes, logs_debt_bytes, debt_bytes] = debts;
    let is_full = free_bytes < shared.options.free_bytes_min || is_over_size(shared, &view);
    // Verdicts have no space although receivers left them some.
    let is_stuck = shared.sampled.is_stuck();
    let falls_behind = shared.sampled.has_fallen_behind().then_some(AppendError::Busy("sampling has fallen behind"));
    let backlog =
        Backlog { is_full: is_full || is_stuck, falls_behind, ..Backlog::of(&view.traces, traces_debt_bytes) };
    decide(&shared.options, &shared.traces, backlog);
    decide(&shared.options, &shared.logs, Backlog { is_full, ..Backlog::of(&view.logs, logs_debt_bytes) });
    let unsealed_bytes = view.metrics.unsealed_bytes();
    decide(&shared.options, &shared.metrics, Backlog { is_full, unsealed_bytes, debt_bytes, ..Backlog::default() });
}

/// What waits in a lane.
#[derive(Debug, Default)]
struct Backlog {
    is_full: bool,
    falls_behind: Option<AppendError>,
    /// Each takes memory until it is sealed.
    head_rows: u64,
    unsealed_bytes: u64,
    debt_bytes: u64,
}

impl Backlog {
    fn of<R: Rows>(view: &LaneView<R>, debt_bytes: u64) -> Self {
        let (head_rows, unsealed_bytes) = (view.head_rows(), view.unsealed_bytes());
        Self { head_rows, unsealed_bytes, debt_bytes, ..Self::default() }
    }
}

/// A lane's backlog refuses its own appends, and no other's.
fn decide<A: Send + 'static>(options: &StoreOptions, lane: &Lane<A>, backlog: Backlog) {
    let refusal = if backlog.is_full {
        Some(AppendError::DiskFull)
    } else if backlog.falls_behind.is_some() {
        backlog.falls_behind
    } else if backlog.head_rows >= options.head_spans_max {
        Some(AppendError::Busy("the head is full: sealing has fallen behind"))
    } else if backlog.unsealed_bytes >= options.unsealed_bytes_max {
        Some(AppendError::Busy("sealing has fallen behind"))
    } else if backlog.debt_bytes >= options.merge_debt_bytes_max {
        Some(AppendError::Busy("merging has fallen behind"))
    } else {
        None
    };
    lane.journal.tidy(matches!(refusal, Some(AppendError::DiskFull)));
    REFUSING.with_label_values(&[lane.signal.name()]).set(i64::from(refusal.is_some()));
    lane.set_refusal(refusal);
}

/// Lets go of segments that are too old, and of the oldest while there are too many bytes.
pub(crate) fn apply_retention(shared: &Shared) -> Result<(), crate::catalog::CatalogError> {
    let gone = expired(shared, &shared.views.current());
    // Before anything goes: what the archive's copy lacks here may have to come from the bucket.
    let mut gone: Vec<(Arc<dyn Retained>, Option<StandIn>)> =
        gone.into_iter().filter_map(|segment| with_stand_in(shared, segment)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let _changing = shared.segments_change.lock();
    let still: BTreeSet<SegmentId> =
        expired(shared, &shared.views.current()).iter().map(|segment| segment.listed().0).collect();
    gone.retain(|(segment, _)| still.contains(&segment.listed().0));
    let ids: Vec<(SegmentId, u64)> = gone.iter().map(|(segment, _)| segment.listed()).collect();
    shared.runtime.block_on(shared.catalog.remove(&ids, false))?;
    for (segment, stand_in) in gone {
        match stand_in {
            Some(stand_in) => stand_in(&shared.views),
            None => segment.let_go(&shared.views),
        }
    }
    Ok(())
}

/// A segment that goes, with what takes its place if the archive has it. `None` when the archive's copy cannot be opened: then it stays.
fn with_stand_in(shared: &Shared, segment: Arc<dyn Retained>) -> Option<(Arc<dyn Retained>, Option<StandIn>)> {
    let Some(archive) = &shared.archive else { return Some((segment, None)) };
    let id = segment.listed().0;
    let Some(archived) = archive.known(&id) else { return Some((segment, None)) };
    let work = Work::Segment(id);
    match segment.clone().stand_in(archive, &archived) {
        Ok(stand_in) => {
            archive.resting.succeeded(&work);
            Some((segment, Some(stand_in)))
        }
        Err(error) => {
            let rest_s = archive.resting.failed(&work, &error, archive.now_ns());
            tracing::error!(%work, %error, rest_s, "it stays on local disk: the archive's copy cannot be opened; trying again later");
            None
        }
    }
}

/// Whether a segment may leave the local disk although there is an archive: it is there, or does not go there, and nobody wants it here.
fn may_leave(archive: &Archive, segment: &dyn Retained) -> bool {
    let (id, rows) = segment.listed();
    let is_safe = rows == 0 || archive.is_safe(&id) && !archive.is_resting(&Work::Segment(id.clone()));
    is_safe && !archive.is_pinned(id.signal, segment.time_ns())
}

/// Whether segments take more of the disk than they may, and none may go: the archive does not have them yet.
fn is_over_size(shared: &Shared, view: &View) -> bool {
    let (Some(bytes_max), true) = (shared.options.size_bytes_max, shared.archive.is_some()) else { return false };
    let bytes: u64 = view.retained().iter().map(|segment| segment.size_bytes()).sum();
    bytes > bytes_max && expired(shared, view).is_empty()
}

fn expired(shared: &Shared, view: &View) -> Vec<Arc<dyn Retained>> {
    let mut segments = view.retained();
    segments.sort_by_key(|segment| segment.counts_from_ns());
    let now_ns = Signal::ALL.map(|signal| match &shared.archive {
        Some(archive) => believed_now_ns(view, archive, signal),
        None => shared.clock.now_ns(),
    });
    let is_too_old = |segment: &dyn Retained| {
        let now_ns = now_ns[segment.listed().0.signal as usize];
        let age = shared.options.retention(segment.listed().0.signal);
        let age_ns = age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        age_ns.is_some_and(|age_ns| segment.counts_from_ns() < now_ns.saturating_sub(age_ns))
    };
    // Those that are too old, of whatever signal, then the oldest of the others.
    let may_go = |segment: &dyn Retained| shared.archive.as_ref().is_none_or(|archive| may_leave(archive, segment));
    let (mut gone, kept): (Vec<_>, Vec<_>) =
        segments.into_iter().partition(|segment| is_too_old(&**segment) && may_go(&**segment));
    let mut bytes: u64 = kept.iter().map(|segment| segment.size_bytes()).sum();
    for segment in kept.into_iter().filter(|segment| may_go(&**segment)) {
        if bytes <= shared.options.size_bytes_max.unwrap_or(u64::MAX) {
            break;
        }
        bytes -= segment.size_bytes();
        gone.push(segment);
    }
    gone
}
