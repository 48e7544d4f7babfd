//! What a query gives: rows of values over its steps.

use std::{borrow::Cow, sync::Arc};

use weir_proto::metrics::{Histogram, Labels, STALE_NAN, is_stale};

/// What stands where a row has no float. No computation gives it: arithmetic makes every NaN a quiet one.
pub(crate) const ABSENT: f64 = STALE_NAN;

/// Whether a row has no float there.
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// A value at one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Point {
    Float(f64),
    Histogram(Arc<Histogram>),
}

/// One series over the steps of a query.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(crate) labels: Cow<'a, Labels>,
    /// Whether the metric's name goes at the end.
    pub(crate) drops_name: bool,
    /// One for each step.
    pub(crate) floats: Vec<f64>,
    /// One for each step, or none at all.
    pub(crate) histograms: Vec<Option<Arc<Histogram>>>,
}

impl Row<'_> {
    /// A row of nothing.
    pub(crate) fn empty(labels: Labels, steps: usize) -> Row<'static> {
        Row { labels: Cow::Owned(labels), drops_name: false, floats: vec![ABSENT; steps], histograms: Vec::new() }
    }

    pub(crate) fn into_owned(self) -> Row<'static> {
        Row {
            labels: Cow::Owned(self.labels.into_owned()),
            drops_name: self.drops_name,
            floats: self.floats,
            histograms: self.histograms,
        }
    }

    pub(crate) fn histogram(&self, step: usize) -> Option<&Arc<Histogram>> {
        self.histograms.get(step).and_then(Option::as_ref)
    }

    pub(crate) fn has(&self, step: usize) -> bool {
        !is_absent(self.floats[step]) || self.histogram(step).is_some()
    }

    pub(crate) fn point(&self, step: usize) -> Option<Point> {
        if !is_absent(self.floats[step]) {
            return Some(Point::Float(self.floats[step]));
        }
        self.histogram(step).map(|histogram| Point::Histogram(Arc::clone(histogram)))
    }

    pub(crate) fn set(&mut self, step: usize, point: Point) {
        match point {
            Point::Float(value) => {
                // A float that happens to be the marker stays a NaN.
                self.floats[step] = if is_absent(value) { f64::NAN } else { value };
                if let Some(histogram) = self.histograms.get_mut(step) {
                    *histogram = None;
                }
            }
            Point::Histogram(histogram) => {
                if self.histograms.is_empty() {
                    self.histograms = vec![None; self.floats.len()];
                }
                self.floats[step] = ABSENT;
                self.histograms[step] = Some(histogram);
            }
        }
    }

    pub(crate) fn remove(&mut self, step: usize) {
        self.floats[step] = ABSENT;
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.floats.iter().all(|&value| is_absent(value)) && self.histograms.iter().all(Option::is_none)
    }

    /// How many values it has. A histogram counts as the floats that take its memory.
    pub(crate) fn samples(&self) -> u64 {
        let floats = self.floats.iter().filter(|&&value| !is_absent(value)).count() as u64;
        floats + self.histograms.iter().flatten().map(|histogram| histogram_samples(histogram)).sum::<u64>()
    }

    /// Bytes that holding it takes, about.
    pub(crate) fn bytes(&self) -> u64 {
        let fixed = (size_of::<Self>() + self.labels.as_bytes().len() + 32) as u64;
        let histograms = self.histograms.iter().flatten().map(|histogram| histogram_samples(histogram) * 16);
        fixed + 8 * (self.floats.len() + self.histograms.len()) as u64 + histograms.sum::<u64>()
    }
}

/// How many float samples a histogram is worth.
pub(crate) fn histogram_samples(histogram: &Histogram) -> u64 {
    let counts = histogram.positive_counts.len() + histogram.negative_counts.len() + histogram.custom_values.len();
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    ((208 + 8 * counts + 8 * spans) / 16) as u64
}

/// Samples as they were stored: what a range selector alone gives.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) labels: Labels,
    pub(crate) floats: Vec<(i64, f64)>,
    pub(crate) histograms: Vec<(i64, Arc<Histogram>)>,
}

/// A query's answer.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar {
        time_ms: i64,
        value: f64,
    },
    Text {
        time_ms: i64,
        bytes: Vec<u8>,
    },
    /// One value a series.
    Vector(Vec<(Labels, i64, Point)>),
    /// Many values a series, sorted by labels.
    Matrix(Vec<Stretch>),
}
