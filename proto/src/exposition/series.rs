//! A series as a line writes it: its name and labels, still escaped.

use std::borrow::Cow;

use super::{escape, go_float::go_float, number};
use crate::metrics::{METRIC_NAME, MetricType};

/// The parts of the series that was read last. Texts are as they stand, quotes apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) labels: Vec<(&'a str, &'a str)>,
}

impl Parts<'_> {
    pub(super) fn clear(&mut self) {
        self.name = None;
        self.labels.clear();
    }
}

/// A series' pairs: the metric's name first, labels in the order written. Nothing is sorted, and names may repeat.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'p, 'a> {
    pub(super) parts: &'p Parts<'a>,
    pub(super) metric_type: MetricType,
}

impl<'a> Pairs<'_, 'a> {
    /// The metric's name.
    pub fn name(&self) -> Cow<'a, str> {
        escape::label(self.parts.name.unwrap_or_default())
    }

    /// Each pair. Bounds of histograms and quantiles of summaries are written in one way.
    pub fn iter(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let normalised = match self.metric_type {
            // Not gauge histograms: Prometheus leaves theirs as they are.
            MetricType::Histogram => "le",
            MetricType::Summary => "quantile",
            _ => "",
        };
        let name = std::iter::once((Cow::Borrowed(METRIC_NAME), self.name()));
        name.chain(self.parts.labels.iter().map(move |(name, value)| {
            let value = escape::label(value);
            let value = match number(value.as_bytes()) {
                Some(bound) if *name == normalised => Cow::Owned(go_float(bound)),
                _ => value,
            };
            (escape::label(name), value)
        }))
    }
}
