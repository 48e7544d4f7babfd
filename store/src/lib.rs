//! What Weir keeps and how it is found again: journal, head, segments, catalog, snapshot.
//!
//! [`Store`] is the door: receivers append to it, queries take a [`Snapshot`] from it.

mod catalog;
pub mod disk;
pub mod head;
pub mod journal;
pub mod ledger;
pub mod line;
pub mod offset;
pub mod reject;
pub mod sampling;
pub mod scan;
pub mod search;
pub mod segment;
pub mod span;
mod store;

pub use ledger::{Ledger, Tally};
pub use line::{LineRecord, TraceLines};
pub use offset::Offset;
pub use reject::{RejectReason, Rejection};
pub use scan::{
    AttributeCondition, AttributeForm, AttributeTest, Pruned, ReadBounds, ReadCounts, ResourceTest, Scan, ScanColumn,
    ScanFilter, ScanPart, ScanRequest,
};
pub use segment::attribute_in_json;
pub use span::{
    DroppedItems, Operation, Operations, Place, Room, SearchLimits, SearchResult, Sought, SpanFilter, SpanRecord,
    SpanState, SpanText, TagFilter, TraceRows,
};
pub use store::{AppendError, Batch, LogsBatch, OpenError, ReadError, Snapshot, Store, StoreOptions, TracesBatch};
