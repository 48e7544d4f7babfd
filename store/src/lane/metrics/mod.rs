//! The lane of metrics: samples are columns of their series, not rows; nothing is decided about them later.

mod append;
mod batch;
mod definitions;
mod publish;
mod twins;

pub use self::batch::{FloatSample, HistogramSample, MetricsAppended, MetricsBatch, SampleIndex};
pub(crate) use self::{
    append::append,
    batch::SentFrame,
    definitions::{Definitions, complete_copied},
    publish::publisher,
};
