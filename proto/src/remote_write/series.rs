//! What a request says of one series.

use super::HistogramFault;
use crate::metrics::{Histogram, MetricType};

/// A series with what was sent of it. One is reused for all of a request.
#[derive(Debug, Clone, Default)]
pub struct WrittenSeries<'a> {
    /// Names and values in the order written.
    pub labels: Vec<(&'a [u8], &'a [u8])>,
    /// What is wrong with its references to symbols, or those of its family; then the labels may not be whole.
    pub fault: Option<String>,
    /// Time in ms, start in ms (0 when not said), value.
    pub floats: Vec<(i64, i64, f64)>,
    /// Time, start, histogram.
    pub histograms: Vec<(i64, i64, Result<Box<Histogram>, HistogramFault>)>,
    /// Examples.
    pub exemplars: Vec<WrittenExemplar<'a>>,
    /// Of its family; only version 2 has it here.
    pub metadata: Option<WrittenMetadata<'a>>,
}

/// An example of what a sample counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenExemplar<'a> {
    /// Names and values.
    pub labels: Vec<(&'a [u8], &'a [u8])>,
    /// What is wrong with its references to symbols.
    pub fault: Option<String>,
    /// What was measured.
    pub value: f64,
    /// Unix ms.
    pub time_ms: i64,
}

/// What is said of a family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WrittenMetadata<'a> {
    /// Its name; empty where it stands with a series.
    pub family: &'a [u8],
    /// Its kind.
    pub metric_type: MetricType,
    /// A sentence.
    pub help: &'a [u8],
    /// Its unit.
    pub unit: &'a [u8],
}

impl WrittenSeries<'_> {
    pub(super) fn clear(&mut self) {
        self.labels.clear();
        self.fault = None;
        self.floats.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.metadata = None;
    }
}
