//! What Weir keeps and how it is found again: journal, head, segments, catalog, snapshot.
//!
//! [`Store`] is the door: receivers append to it, queries take a [`Snapshot`] from it.

pub mod archive;
mod ask;
mod catalog;
mod columns;
pub mod disk;
pub mod head;
pub mod journal;
mod labels;
mod lane;
pub mod ledger;
mod note;
pub mod offset;
mod options;
pub mod reject;
mod samples;
pub mod sampling;
pub mod scan;
pub mod segment;
mod snapshot;
mod store;
mod upkeep;
mod verdict;

pub use archive::{ArchiveCheck, ArchiveFinding};
pub use ask::{
    counted::{CountedRows, CutTime, TimePiece},
    error::ReadError,
    field_test::{FieldFits, FieldTest},
    filter::{AttributeCondition, AttributeTest, ResourceTest, ScanFilter},
    line::{LineRecord, TraceLines},
    pruned::{Pruned, ReadCounts},
    request::{AttributeForm, ReadBounds, ScanColumn, ScanRequest},
    search::NewestTraces,
    span::{Operation, Operations, Place, Room, SpanRecord, SpanState, TraceRows},
    tag::{DroppedItems, Sought, SpanText, TagFilter},
};
pub use head::{SeriesRef, SeriesRefused};
pub use labels::InvalidPattern;
pub use lane::{
    errors::{AppendError, OpenError},
    lane::{Batch, LogsBatch},
    metrics::{FloatSample, HistogramSample, MetricsAppended, MetricsBatch, SampleIndex},
};
pub use ledger::{Ledger, Tally};
pub use note::Note;
pub use offset::Offset;
pub use options::{ArchiveOptions, StoreOptions};
pub use reject::{RejectReason, Rejection};
pub use samples::{SeriesSamples, TimedHistogram};
pub use scan::{Scan, ScanPart, ScanPiece};
pub use segment::attribute_in_json;
#[doc(hidden)]
pub use segment::series::chunk_is_kept;
pub use snapshot::{
    asked::Snapshot,
    statistics::{Ranked, SeriesStatistics},
    stored_series::StoredSeries,
    unread::Unread,
};
pub use store::{
    ArchiveStatus, ArchivedSignal, Arrived, LineFeed, PinStatus, SegmentPlace, Share, SignalStatus, Store, StoreStatus,
    TracesBatch,
};
