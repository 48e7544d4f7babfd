//! The head: in-memory, queryable rows of the journal files that are not sealed yet.
//!
//! One [`HeadFile`] per journal file, so that sealing a run drops its rows in one piece. The committer is the only
//! writer; readers see what lies at or before their snapshot's offset.

mod cut;
mod file;
mod lines;
mod matching;
mod payload;
mod series;
mod spans;
mod summary;
mod trace;

pub(crate) use cut::Cut;
pub(crate) use file::{HeadFile, HeadFrame, Rows};
pub use lines::LineSummaries;
pub(crate) use lines::{LineFile, LineFrame, LineRows, LineSummary};
pub(crate) use matching::{Hopes, Known, TagConditions};
pub(crate) use payload::{Payload, PayloadBudget};
pub(crate) use series::{
    Arrival, Arrived, Blocks, HeadCut, Offer, Recovered, Registry, Series, SeriesFile, SeriesIndex, SeriesLimits,
    Taken, TenantFile, TenantSeries,
};
pub use series::{SeriesRef, SeriesRefused};
pub(crate) use spans::{Decided, HeadOperation, SpanFile, SpanFrame, SpanRows};
pub use summary::BatchSummaries;
pub(crate) use summary::{SpanSummary, operation_hash};

#[cfg(test)]
mod tests;
