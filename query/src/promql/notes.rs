//! What a query's answer comes with: warnings and remarks, in the words of Prometheus.

use std::collections::HashMap;

use super::{
    format,
    syntax::{quote::quoted, token::Extent},
};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    Warning,
    Info,
}

/// A warning or a remark.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Note {
    pub(crate) severity: Severity,
    message: String,
    extent: Extent,
    corrections: Option<Corrections>,
}

/// What was done to buckets whose counts fell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corrections {
    pub(crate) times_ms: (i64, i64),
    pub(crate) buckets: (f64, f64),
    pub(crate) difference_max: f64,
    pub(crate) count: u64,
}

impl Note {
    /// The whole sentence, with its place in the query.
    pub(crate) fn text(&self, query: &str) -> String {
        let kind = match self.severity {
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let corrections = self.corrections.map_or(String::new(), Corrections::text);
        format!("PromQL {kind}: {}{corrections} ({})", self.message, self.extent.at(query))
    }
}

impl Corrections {
    fn text(self) -> String {
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            format::shortest(self.buckets.0),
            format::shortest(self.buckets.1),
            two_digits(self.difference_max),
            self.count,
            super::functions::date::rfc3339(whole_seconds(self.times_ms.0)),
            super::functions::date::rfc3339(whole_seconds(self.times_ms.1)),
        )
    }
}

/// Without the fraction of a second, in ms.
fn whole_seconds(time_ms: i64) -> i64 {
    time_ms.div_euclid(1000) * 1000
}

/// `%.2g`
fn two_digits(value: f64) -> String {
    format::shortest(format!("{value:.1e}").parse().unwrap_or(value))
}

/// All of a query, each once, in the order in which they came up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes {
    notes: Vec<Note>,
    /// Where each message is in `notes`: said of several places of a query it is said of one.
    known: HashMap<String, usize>,
}

impl Notes {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    pub(crate) fn warn(&mut self, extent: Extent, message: String) {
        self.add(Note { severity: Severity::Warning, message, extent, corrections: None });
    }

    pub(crate) fn inform(&mut self, extent: Extent, message: String) {
        self.add(Note { severity: Severity::Info, message, extent, corrections: None });
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for note in other.notes {
            self.add(note);
        }
    }

    fn add(&mut self, note: Note) {
        let Some(&at) = self.known.get(&note.message) else {
            self.known.insert(note.message.clone(), self.notes.len());
            self.notes.push(note);
            return;
        };
        let known = &mut self.notes[at];
        let Some(new) = note.corrections else {
            if note.extent.is_said_after(known.extent) {
                known.extent = note.extent;
            }
            return;
        };
        if let Some(Corrections { times_ms, buckets, difference_max, count }) = &mut known.corrections {
            *times_ms = (times_ms.0.min(new.times_ms.0), times_ms.1.max(new.times_ms.1));
            *buckets = (buckets.0.min(new.buckets.0), buckets.1.max(new.buckets.1));
            *difference_max = difference_max.max(new.difference_max);
            *count += new.count;
        }
    }
}

impl Extent {
    /// Whether Prometheus comes to this place later: to what is around another, and to what is right of it. The last one counts.
    fn is_said_after(self, other: Self) -> bool {
        let is_around = self.start <= other.start && self.end >= other.end;
        let is_within = other.start <= self.start && other.end >= self.end;
        is_around || (!is_within && self.start > other.start)
    }
}

/// The sentences.
impl Notes {
    pub(crate) fn bad_quantile(&mut self, extent: Extent, quantile: f64) {
        let got = format::shortest(quantile);
        self.warn(extent, format!("quantile value should be between 0 and 1, got {got}"));
    }

    pub(crate) fn bad_ratio(&mut self, extent: Extent, ratio: f64, capped: f64) {
        let (got, capped) = (format::shortest(ratio), format::shortest(capped));
        self.warn(extent, format!("ratio value should be between -1 and 1, got {got}, capping to {capped}"));
    }

    pub(crate) fn bad_bucket_label(&mut self, extent: Extent, metric: &str, label: &str) {
        let message = format!("bucket label \"le\" is missing or has a malformed value of {}", quoted(label));
        self.warn(extent, with_metric(message, metric));
    }

    pub(crate) fn mixed_floats_and_histograms(&mut self, extent: Extent, metric: &str) {
        let metric = quoted(metric);
        self.warn(extent, format!("encountered a mix of histograms and floats for metric name {metric}"));
    }

    pub(crate) fn mixed_in_aggregation(&mut self, extent: Extent) {
        self.warn(extent, "encountered a mix of histograms and floats for aggregation".to_owned());
    }

    pub(crate) fn mixed_classic_and_native(&mut self, extent: Extent, metric: &str) {
        let message = "vector contains a mix of classic and native histograms".to_owned();
        self.warn(extent, with_metric(message, metric));
    }

    pub(crate) fn not_a_counter(&mut self, extent: Extent, metric: &str) {
        self.warn(extent, format!("this native histogram metric is not a counter: {}", quoted(metric)));
    }

    pub(crate) fn not_a_gauge(&mut self, extent: Extent, metric: &str) {
        self.warn(extent, format!("this native histogram metric is not a gauge: {}", quoted(metric)));
    }

    pub(crate) fn mixed_schemas(&mut self, extent: Extent, metric: &str) {
        let message = format!(
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
            quoted(metric)
        );
        self.warn(extent, message);
    }

    pub(crate) fn incompatible_buckets(&mut self, extent: Extent, operator: &str) {
        self.warn(extent, format!("incompatible bucket layout encountered for binary operator {operator}"));
    }

    /// `what` is `addition`, `subtraction` or `aggregation`.
    pub(crate) fn conflicting_resets(&mut self, extent: Extent, what: &str) {
        self.warn(extent, format!("conflicting counter resets during histogram {what}"));
    }

    pub(crate) fn reconciled_buckets(&mut self, extent: Extent, what: &str) {
        self.inform(extent, format!("mismatched custom buckets were reconciled during {what}"));
    }

    pub(crate) fn sort_without_effect(&mut self, extent: Extent) {
        let message = "sort is ineffective for range queries since results are always ordered by labels";
        self.warn(extent, message.to_owned());
    }

    pub(crate) fn maybe_no_counter(&mut self, extent: Extent, metric: &str) {
        let message = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            quoted(metric)
        );
        self.inform(extent, message);
    }

    pub(crate) fn incompatible_types(&mut self, extent: Extent, operator: &str, left: &str, right: &str) {
        let message = format!(
            "incompatible sample types encountered for binary operator {}: {left} {operator} {right}",
            quoted(operator)
        );
        self.inform(extent, message);
    }

    pub(crate) fn ignored_in_aggregation(&mut self, extent: Extent, aggregation: &str) {
        self.inform(extent, format!("ignored histogram in {aggregation} aggregation"));
    }

    pub(crate) fn ignored_in_mixed_range(&mut self, extent: Extent, metric: &str) {
        let message = format!(
            "ignored histograms in a range containing both floats and histograms for metric name {}",
            quoted(metric)
        );
        self.inform(extent, message);
    }

    pub(crate) fn forced_monotonicity(&mut self, extent: Extent, metric: &str, corrections: Corrections) {
        let message = "input to histogram_quantile needed to be fixed for monotonicity (see \
                       https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        let message = with_metric(message.to_owned(), metric);
        self.add(Note { severity: Severity::Info, message, extent, corrections: Some(corrections) });
    }

    pub(crate) fn quantile_is_nan(&mut self, extent: Extent, metric: &str) {
        let message = "input to histogram_quantile has NaN observations, result is NaN".to_owned();
        self.inform(extent, with_metric(message, metric));
    }

    pub(crate) fn quantile_is_skewed(&mut self, extent: Extent, metric: &str) {
        let message = "input to histogram_quantile has NaN observations, result is skewed higher".to_owned();
        self.inform(extent, with_metric(message, metric));
    }

    pub(crate) fn fraction_without_nans(&mut self, extent: Extent, metric: &str) {
        let message =
            "input to histogram_fraction has NaN observations, which are excluded from all fractions".to_owned();
        self.inform(extent, with_metric(message, metric));
    }
}

fn with_metric(message: String, metric: &str) -> String {
    if metric.is_empty() { message } else { format!("{message} for metric name {}", quoted(metric)) }
}
