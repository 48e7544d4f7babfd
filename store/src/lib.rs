//! What Weir keeps and how it is found again: journal, head, segments, catalog, snapshot.
//!
//! [`Store`] is the door: receivers append to it, queries take a [`Snapshot`] from it.

mod catalog;
pub mod disk;
pub mod head;
pub mod journal;
mod labels;
pub mod ledger;
pub mod line;
pub mod offset;
pub mod reject;
mod samples;
pub mod sampling;
pub mod scan;
pub mod search;
pub mod segment;
pub mod span;
mod store;

pub use head::{SeriesRef, SeriesRefused};
pub use labels::InvalidPattern;
pub use ledger::{Ledger, Tally};
pub use line::{LineRecord, TraceLines};
pub use offset::Offset;
pub use reject::{RejectReason, Rejection};
pub use samples::{SeriesSamples, TimedHistogram};
pub use scan::{
    AttributeCondition, AttributeForm, AttributeTest, Pruned, ReadBounds, ReadCounts, ResourceTest, Scan, ScanColumn,
    ScanFilter, ScanPart, ScanRequest,
};
pub use segment::attribute_in_json;
#[doc(hidden)]
pub use segment::series::chunk_is_kept;
pub use span::{
    DroppedItems, Operation, Operations, Place, Room, SearchLimits, SearchResult, Sought, SpanFilter, SpanRecord,
    SpanState, SpanText, TagFilter, TraceRows,
};
pub use store::{
    AppendError, Batch, FloatSample, HistogramSample, LogsBatch, MetricsAppended, MetricsBatch, OpenError, Ranked,
    ReadError, SampleIndex, SeriesStatistics, SignalStatus, Snapshot, Store, StoreOptions, StoreStatus, StoredSeries,
    TracesBatch,
};
