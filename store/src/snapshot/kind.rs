//! The two kinds of segments, rows and series: what storing, merging, repairing and retention ask of either.

use std::{fmt::Debug, path::Path, sync::Arc};

use weir_proto::Signal;

use super::view::{SegmentsByTenant, View};
use crate::{
    archive::{Archive, Outgoing},
    catalog::ArchivedSegment,
    disk::Disk,
    ledger::Tally,
    options::StoreOptions,
    segment::{
        Segment, SegmentError, SegmentId, merge_within, salvage,
        series::{SeriesSegment, merge_series, salvage_series},
    },
};

/// The newest spans of what is merged are at most this far apart: retention, which goes by them, lets go at most so much later.
/// Their oldest spans say nothing: one late span in each segment must not keep them all small.
pub(crate) const NEWEST_NS_APART_MAX: u64 = 24 * 3600 * weir_proto::time::SECOND_NS;

/// As when sealing: 3 takes a fifth longer and saves nothing (docs/performance.md).
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// How large merged segments become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MergeLimits {
    pub(crate) items_max: u64,
    /// Newest items are at most so far apart.
    pub(crate) newest_ns_apart_max: u64,
}

impl Default for MergeLimits {
    fn default() -> Self {
        Self { items_max: u64::MAX, newest_ns_apart_max: NEWEST_NS_APART_MAX }
    }
}

impl MergeLimits {
    /// Of metrics: up to a day, with the files' own length.
    pub(crate) fn of_series(options: &StoreOptions) -> Self {
        let file_ns = options.metrics_file_age_max.as_nanos().try_into().unwrap_or(u64::MAX);
        Self { newest_ns_apart_max: NEWEST_NS_APART_MAX.saturating_sub(file_ns), ..Self::default() }
    }
}

/// Where a new segment goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSegment<'a> {
    pub(crate) disk: &'a Disk,
    /// The tenant's folder.
    pub(crate) parent: &'a Path,
    pub(crate) id: &'a SegmentId,
    /// A row group under way is written when it holds so many bytes.
    pub(crate) group_bytes_max: u64,
}

/// How much of a segment can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Soundness {
    /// All of it.
    Whole,
    /// Something.
    Part,
    /// Nothing.
    Nothing,
}

/// An open segment of either kind.
pub(crate) trait SegmentKind: Debug + Send + Sync + Sized + 'static {
    /// Opens a folder.
    fn open_folder(path: &Path) -> Result<Self, SegmentError>;

    /// Opens one whose rows are in the archive.
    fn open_archived(archive: &Archive, archived: &ArchivedSegment) -> Result<Self, SegmentError>;

    /// As what goes out to the archive.
    fn outgoing(this: &Arc<Self>) -> Outgoing<'_>;

    /// Whether its items are in the archive only.
    fn is_elsewhere(&self) -> bool;

    /// Its first and last moment, Unix ns.
    fn moments_ns(&self) -> (u64, u64);

    /// Its id.
    fn segment_id(&self) -> &SegmentId;

    /// Items in it.
    fn items(&self) -> u64;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;

    /// From when on retention counts, Unix ns.
    fn aged_from_ns(&self) -> u64;

    /// What it adds to the ledger.
    fn own_tally(&self) -> &Tally;

    /// The tenant's ledger of everything sealed up to and with it, if it says so.
    fn tally_after(&self) -> Option<&Tally>;

    /// Makes one segment of neighbours, oldest first.
    fn merged(new: NewSegment<'_>, inputs: &[Arc<Self>], is_stopping: &dyn Fn() -> bool) -> Result<Self, SegmentError>;

    /// Makes a segment of what can be read of a damaged one.
    fn salvaged(new: NewSegment<'_>, damaged: &Arc<Self>, is_stopping: &dyn Fn() -> bool)
    -> Result<Self, SegmentError>;

    /// Reads all of it.
    fn soundness(&self, is_stopping: &dyn Fn() -> bool) -> Result<Soundness, SegmentError>;

    /// How large merged ones become.
    fn merge_limits(options: &StoreOptions) -> MergeLimits;

    /// Those of a signal in a view.
    fn of_view(view: &View, signal: Signal) -> &SegmentsByTenant<Self>;

    /// The same, to be changed.
    fn of_view_mut(view: &mut View, signal: Signal) -> &mut SegmentsByTenant<Self>;
}

impl SegmentKind for Segment {
    fn open_folder(path: &Path) -> Result<Self, SegmentError> {
        Self::open(path)
    }

    fn open_archived(archive: &Archive, archived: &ArchivedSegment) -> Result<Self, SegmentError> {
        archive.open_segment(archived)
    }

    fn outgoing(this: &Arc<Self>) -> Outgoing<'_> {
        Outgoing::Rows(this)
    }

    fn is_elsewhere(&self) -> bool {
        self.is_archived()
    }

    fn moments_ns(&self) -> (u64, u64) {
        self.start_ns().unwrap_or((0, 0))
    }

    fn segment_id(&self) -> &SegmentId {
        self.id()
    }

    fn items(&self) -> u64 {
        self.rows()
    }

    fn disk_bytes(&self) -> u64 {
        self.bytes()
    }

    fn aged_from_ns(&self) -> u64 {
        self.age_from_ns()
    }

    fn own_tally(&self) -> &Tally {
        self.tally()
    }

    fn tally_after(&self) -> Option<&Tally> {
        self.ledger_after()
    }

    fn merged(new: NewSegment<'_>, inputs: &[Arc<Self>], is_stopping: &dyn Fn() -> bool) -> Result<Self, SegmentError> {
        merge_within(new.disk, new.parent, new.id, inputs, (ZSTD_LEVEL, new.group_bytes_max), is_stopping)
    }

    fn salvaged(
        new: NewSegment<'_>,
        damaged: &Arc<Self>,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<Self, SegmentError> {
        salvage(new.disk, new.parent, new.id, damaged, ZSTD_LEVEL, is_stopping)
    }

    fn soundness(&self, is_stopping: &dyn Fn() -> bool) -> Result<Soundness, SegmentError> {
        Ok(match self.sound_groups(is_stopping)?.len() {
            all if all == self.groups() => Soundness::Whole,
            0 => Soundness::Nothing,
            _ => Soundness::Part,
        })
    }

    fn merge_limits(options: &StoreOptions) -> MergeLimits {
        MergeLimits { items_max: options.segment_rows_max, ..MergeLimits::default() }
    }

    fn of_view(view: &View, signal: Signal) -> &SegmentsByTenant<Self> {
        view.segments(signal)
    }

    fn of_view_mut(view: &mut View, signal: Signal) -> &mut SegmentsByTenant<Self> {
        view.segments_mut(signal)
    }
}

impl SegmentKind for SeriesSegment {
    fn open_folder(path: &Path) -> Result<Self, SegmentError> {
        Self::open(path)
    }

    fn open_archived(archive: &Archive, archived: &ArchivedSegment) -> Result<Self, SegmentError> {
        archive.open_series(archived)
    }

    fn outgoing(this: &Arc<Self>) -> Outgoing<'_> {
        Outgoing::Series(this)
    }

    fn is_elsewhere(&self) -> bool {
        self.is_archived()
    }

    fn moments_ns(&self) -> (u64, u64) {
        let (min_ms, max_ms) = self.time_ms();
        let ns = |time_ms: i64| u64::try_from(time_ms).unwrap_or(0).saturating_mul(1_000_000);
        (ns(min_ms), ns(max_ms))
    }

    fn segment_id(&self) -> &SegmentId {
        self.id()
    }

    fn items(&self) -> u64 {
        self.samples()
    }

    fn disk_bytes(&self) -> u64 {
        self.bytes()
    }

    fn aged_from_ns(&self) -> u64 {
        self.age_from_ns()
    }

    fn own_tally(&self) -> &Tally {
        self.tally()
    }

    fn tally_after(&self) -> Option<&Tally> {
        self.ledger_after()
    }

    fn merged(new: NewSegment<'_>, inputs: &[Arc<Self>], is_stopping: &dyn Fn() -> bool) -> Result<Self, SegmentError> {
        merge_series(new.disk, new.parent, new.id, inputs, is_stopping)
    }

    fn salvaged(
        new: NewSegment<'_>,
        damaged: &Arc<Self>,
        is_stopping: &dyn Fn() -> bool,
    ) -> Result<Self, SegmentError> {
        salvage_series(new.disk, new.parent, new.id, damaged, is_stopping)
    }

    fn soundness(&self, is_stopping: &dyn Fn() -> bool) -> Result<Soundness, SegmentError> {
        let (sound, all) = self.sound_samples(is_stopping)?;
        Ok(match sound {
            _ if all => Soundness::Whole,
            0 => Soundness::Nothing,
            _ => Soundness::Part,
        })
    }

    fn merge_limits(options: &StoreOptions) -> MergeLimits {
        MergeLimits::of_series(options)
    }

    fn of_view(view: &View, _: Signal) -> &SegmentsByTenant<Self> {
        &view.metrics.segments
    }

    fn of_view_mut(view: &mut View, _: Signal) -> &mut SegmentsByTenant<Self> {
        Arc::make_mut(&mut view.metrics.segments)
    }
}
