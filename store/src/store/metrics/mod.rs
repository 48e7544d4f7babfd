//! The lane of metrics: samples are columns of their series, not rows; nothing is decided about them later.

mod append;
mod batch;
mod definitions;
mod publish;
mod replay;
pub(super) mod seal;
mod select;
mod statistics;
mod stored_series;
mod view;

pub(super) use self::{
    append::append,
    batch::SentFrame,
    definitions::{Definitions, complete_copied},
    publish::publisher,
    replay::replay,
    seal::run as seal_files,
    view::{Horizon, MetricsView},
};
pub use self::{
    batch::{FloatSample, HistogramSample, MetricsAppended, MetricsBatch, SampleIndex},
    statistics::{Ranked, SeriesStatistics},
    stored_series::StoredSeries,
};
