//! What the engine reads: series of samples, wherever they are kept.

use std::sync::Arc;

use weir_proto::metrics::{Exemplar, Histogram, LabelMatcher, Labels, Metadata};

/// Where series are.
pub(crate) trait Source: Sync {
    /// The series that match all, in the order of their labels, each label set once, that may have samples from one
    /// time to another, both included. Expressions are in the dialect of the `regex` crate.
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError>;
}

/// What is known of series beside their samples. Times and expressions are those of [`Source`].
pub(crate) trait Metrics: Source {
    /// The names of the labels of the series that match all, sorted.
    fn label_names(&self, matchers: &[LabelMatcher], from_ms: i64, to_ms: i64) -> Result<Vec<String>, SourceError>;

    /// The values that a label has in them, sorted.
    fn label_values(
        &self,
        name: &str,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<String>, SourceError>;

    /// What is known of metric families.
    fn metadata(&self) -> Result<Vec<Metadata>, SourceError>;

    /// Examples of the series that match all.
    fn exemplars(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError>;
}

/// A series. Several threads may each read one at once.
pub(crate) trait Series: Send + Sync {
    /// What names it.
    fn labels(&self) -> &Labels;

    /// Adds the samples from one time to another, both included, in the order of their times, one per time.
    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError>;
}

/// Samples of one series, in columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    /// Of the floats, Unix ms.
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
    /// When counting began, for each float, 0 where nobody said; empty when nobody ever said.
    pub(crate) starts: Vec<i64>,
    pub(crate) histograms: Vec<HistogramSample>,
}

/// A native histogram and its time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistogramSample {
    pub(crate) time_ms: i64,
    /// 0 when nobody said.
    pub(crate) start_ms: i64,
    pub(crate) histogram: Arc<Histogram>,
}

impl Samples {
    /// Nothing, the memory kept.
    pub(crate) fn clear(&mut self) {
        self.times.clear();
        self.values.clear();
        self.starts.clear();
        self.histograms.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.times.len() + self.histograms.len()
    }
}

/// Why series could not be read.
#[derive(Debug, thiserror::Error)]
#[error("expanding series: {0}")]
pub(crate) struct SourceError(pub(crate) String);
