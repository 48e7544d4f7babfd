//! What endpoints read: one view over everything acknowledged.

use std::{sync::Arc, time::Instant};

use weir_proto::{Signal, SpanId, TenantId, TraceId};
use weir_store::{
    AppendError, ArchiveCheck, ArchiveStatus, Ledger, LineFeed, Operations, ReadError, Room, ScanRequest, SegmentPlace,
    SeriesStatistics, Snapshot, Store, StoreStatus, TraceLines, TraceRows, Unread,
    sampling::{RememberedVerdict, SamplingStatus},
};

use super::{call::Call, prometheus::Stored};
use crate::{
    batches::Batches,
    lines::SnapshotLines,
    logql::{LogqlError, ast::Matcher, engine::Lines, labels::StreamLabels},
    promql::source::Metrics,
    sql::{
        stop::Stop,
        table::{Tables, tables},
    },
};

/// Opens views. Implemented by the store, and by tests that need a slow or broken one.
pub(super) trait OpensViews: Send + Sync {
    /// A view of everything acknowledged so far.
    fn view(&self) -> Box<dyn View>;

    /// The tenant's rows as tables, of one moment, without what begins after `until_ns`, which are planned until `stop`.
    /// May block on files.
    fn tables(&self, tenant: TenantId, until_ns: Option<u64>, stop: &Arc<Stop>) -> Tables;

    /// A view of everything acknowledged so far, and what follows the lines that arrive from then on; `None` where nothing can arrive.
    fn follow(&self, _tenant: &TenantId) -> Option<(Box<dyn View>, LineFeed)> {
        None
    }

    /// Ok when data of every signal would be taken now; the reason otherwise.
    fn readiness(&self) -> Result<(), AppendError>;

    /// How tail sampling fares.
    fn sampling_status(&self) -> SamplingStatus;

    /// What was decided of a trace, as far as it is remembered.
    fn verdict(&self, tenant: &TenantId, trace: TraceId) -> Option<RememberedVerdict>;

    /// How much there is of what, where there is a store.
    fn store_status(&self, tenant: &TenantId) -> Option<StoreStatus>;

    /// What lies where.
    fn segments(&self, _tenant: &TenantId) -> Vec<SegmentPlace> {
        Vec::new()
    }

    /// How the archive fares, where there is one.
    fn archive_status(&self, _tenant: &TenantId) -> Option<ArchiveStatus> {
        None
    }

    /// Begins to look whether the archive is whole.
    fn check_archive(&self, _deep: bool) -> Option<ArchiveCheck> {
        None
    }

    /// Keeps a range of time on local disk, or no more.
    fn pin(&self, _signal: Signal, _range_ns: (u64, u64), _is_wanted: bool) -> Option<Result<(), String>> {
        None
    }
}

/// One immutable view; all methods may block on files. See [`Snapshot`].
pub(super) trait View: Send {
    /// No more than `rows_max` rows.
    fn trace(&self, tenant: &TenantId, id: TraceId, rows_max: usize, room: Room<'_>) -> Result<TraceRows, ReadError>;

    /// The first of these traces, at least one, with no more than `rows_max` rows together: see [`Snapshot::traces_up_to`].
    fn traces(
        &self,
        tenant: &TenantId,
        ids: &[TraceId],
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<Vec<TraceRows>, ReadError> {
        ids.iter().take(1).map(|&id| self.trace(tenant, id, rows_max, &mut *room)).collect()
    }

    /// The spans of a trace that have this id.
    fn span(&self, tenant: &TenantId, id: TraceId, span: SpanId, room: Room<'_>) -> Result<TraceRows, ReadError>;

    /// The lines of a trace, or only those of one of its spans, no more than `rows_max`.
    fn lines(
        &self,
        tenant: &TenantId,
        id: TraceId,
        span: Option<SpanId>,
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<TraceLines, ReadError>;

    /// Plans a column scan.
    fn scan(&self, tenant: &TenantId, request: ScanRequest) -> Box<dyn Batches>;

    fn operations(&self, tenant: &TenantId, deadline: Instant) -> Result<Operations, ReadError>;

    /// The lines of the call's tenant, for LogQL.
    fn log_lines(&self, call: &Call) -> Box<dyn Lines>;

    /// Calls `found` for each stream that fits the matchers and has a line in a time, Unix ns; streams may come several times.
    fn streams(
        &self,
        call: &Call,
        matchers: &[Matcher],
        time_ns: (u64, u64),
        found: &mut dyn FnMut(&StreamLabels) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError>;

    fn ledger(&self) -> Ledger;

    /// What answers of this view lack because it could not be read.
    fn missing(&self) -> Unread {
        Unread::default()
    }

    /// What is in memory of the tenant's series, with lists of up to `limit` names.
    fn series_statistics(&self, tenant: &TenantId, limit: usize) -> SeriesStatistics;

    /// The tenant's metrics.
    fn metrics<'a>(&'a self, tenant: &'a TenantId) -> Box<dyn Metrics + 'a>;
}

impl OpensViews for Store {
    fn view(&self) -> Box<dyn View> {
        Box::new(self.snapshot())
    }

    fn tables(&self, tenant: TenantId, until_ns: Option<u64>, stop: &Arc<Stop>) -> Tables {
        let snapshot = self.snapshot();
        stop.lacks(snapshot.missing());
        tables(&snapshot, &tenant, until_ns, stop)
    }

    fn follow(&self, tenant: &TenantId) -> Option<(Box<dyn View>, LineFeed)> {
        let (snapshot, feed) = self.follow_lines(tenant.clone());
        Some((Box::new(snapshot), feed))
    }

    fn readiness(&self) -> Result<(), AppendError> {
        Signal::ALL.into_iter().try_for_each(|signal| Store::readiness(self, signal))
    }

    fn sampling_status(&self) -> SamplingStatus {
        Store::sampling_status(self)
    }

    fn verdict(&self, tenant: &TenantId, trace: TraceId) -> Option<RememberedVerdict> {
        Store::verdict(self, tenant, trace)
    }

    fn store_status(&self, tenant: &TenantId) -> Option<StoreStatus> {
        Some(Store::status(self, tenant))
    }

    fn segments(&self, tenant: &TenantId) -> Vec<SegmentPlace> {
        Store::segments(self, tenant)
    }

    fn archive_status(&self, tenant: &TenantId) -> Option<ArchiveStatus> {
        Store::archive_status(self, tenant)
    }

    fn check_archive(&self, deep: bool) -> Option<ArchiveCheck> {
        Store::check_archive(self, deep)
    }

    fn pin(&self, signal: Signal, range_ns: (u64, u64), is_wanted: bool) -> Option<Result<(), String>> {
        Store::pin(self, signal, range_ns, is_wanted)
    }
}

fn lines_of(snapshot: &Snapshot, call: &Call) -> SnapshotLines {
    SnapshotLines::new(snapshot.clone(), call.tenant.clone(), call.deadline, call.logql.discover_log_levels)
}

impl View for Snapshot {
    fn trace(&self, tenant: &TenantId, id: TraceId, rows_max: usize, room: Room<'_>) -> Result<TraceRows, ReadError> {
        Ok(self.traces_within(tenant, &[id], rows_max, room).pop().unwrap_or_default())
    }

    fn traces(
        &self,
        tenant: &TenantId,
        ids: &[TraceId],
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<Vec<TraceRows>, ReadError> {
        Ok(self.traces_within(tenant, ids, rows_max, room))
    }

    fn span(&self, tenant: &TenantId, id: TraceId, span: SpanId, room: Room<'_>) -> Result<TraceRows, ReadError> {
        Ok(self.spans_with_id(tenant, id, span, room))
    }

    fn lines(
        &self,
        tenant: &TenantId,
        id: TraceId,
        span: Option<SpanId>,
        rows_max: usize,
        room: Room<'_>,
    ) -> Result<TraceLines, ReadError> {
        self.lines_of_trace(tenant, id, span, rows_max, room)
    }

    fn scan(&self, tenant: &TenantId, request: ScanRequest) -> Box<dyn Batches> {
        Box::new(Snapshot::scan(self, tenant, request))
    }

    fn operations(&self, tenant: &TenantId, deadline: Instant) -> Result<Operations, ReadError> {
        Ok(Snapshot::operations(self, tenant, deadline))
    }

    fn log_lines(&self, call: &Call) -> Box<dyn Lines> {
        Box::new(lines_of(self, call))
    }

    fn streams(
        &self,
        call: &Call,
        matchers: &[Matcher],
        time_ns: (u64, u64),
        found: &mut dyn FnMut(&StreamLabels) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        lines_of(self, call).streams(matchers, time_ns, found)
    }

    fn ledger(&self) -> Ledger {
        Snapshot::ledger(self)
    }

    fn missing(&self) -> Unread {
        Snapshot::missing(self)
    }

    fn series_statistics(&self, tenant: &TenantId, limit: usize) -> SeriesStatistics {
        Snapshot::series_statistics(self, tenant, limit)
    }

    fn metrics<'a>(&'a self, tenant: &'a TenantId) -> Box<dyn Metrics + 'a> {
        Box::new(Stored { snapshot: self, tenant })
    }
}
