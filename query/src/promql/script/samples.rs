//! Samples of a script, in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weir_proto::metrics::{Histogram, LabelMatcher, Labels, MatchOp, ResetHint};

use super::{command::Load, nhcb, series::Sequence};
use crate::promql::{
    histogram,
    source::{HistogramSample, Samples, Series, Source, SourceError},
    value::Point,
};

/// All that was loaded.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    series: BTreeMap<Labels, Kept>,
}

/// One series.
#[derive(Debug)]
struct Kept {
    labels: Labels,
    samples: BTreeMap<i64, (i64, Stored)>,
}

#[derive(Debug, Clone)]
enum Stored {
    Float(f64),
    Histogram(Arc<Histogram>),
}

impl Loaded {
    pub(super) fn load(&mut self, load: Load) {
        if load.with_nhcb {
            for (labels, time, histogram) in nhcb::converted(&load) {
                self.add(&labels, time, 0, Stored::Histogram(Arc::new(histogram)));
            }
        }
        // Of two descriptions of one series the last counts.
        let last: HashMap<_, _> =
            load.series.iter().enumerate().map(|(at, series)| (series.described.labels.clone(), at)).collect();
        for (at, series) in load.series.into_iter().enumerate() {
            if last.get(&series.described.labels) != Some(&at) {
                continue;
            }
            for (index, value) in series.described.values.into_iter().enumerate() {
                let time = load.step_ms * index as i64;
                let start = series.starts.get(index).copied().flatten().map_or(0, |start| time + start);
                match value {
                    Sequence::Omitted => {}
                    Sequence::Float(value) => self.add(&series.described.labels, time, start, Stored::Float(value)),
                    Sequence::Histogram { histogram, .. } => {
                        self.add(&series.described.labels, time, start, Stored::Histogram(histogram));
                    }
                }
            }
        }
    }

    /// Adds a sample; of two at one time the first counts, and false says that they differ.
    pub(crate) fn insert(&mut self, labels: &Labels, time_ms: i64, point: Point) -> bool {
        let known = self.series.get(labels).and_then(|kept| kept.samples.get(&time_ms)).map(|(_, known)| known);
        let is_same = match (known, &point) {
            (None, _) => true,
            (Some(Stored::Float(known)), Point::Float(value)) => known.to_bits() == value.to_bits(),
            (Some(Stored::Histogram(known)), Point::Histogram(value)) => known == value,
            (Some(_), _) => false,
        };
        let stored = match point {
            Point::Float(value) => Stored::Float(value),
            Point::Histogram(histogram) => Stored::Histogram(histogram),
        };
        self.add(labels, time_ms, 0, stored);
        is_same
    }

    /// Of two samples at one time the first counts.
    fn add(&mut self, labels: &Labels, time: i64, start: i64, value: Stored) {
        let kept = self
            .series
            .entry(labels.clone())
            .or_insert_with(|| Kept { labels: labels.clone(), samples: BTreeMap::new() });
        kept.samples.entry(time).or_insert((start, value));
    }
}

impl Source for Loaded {
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
        let mut tests = Vec::new();
        for matcher in matchers {
            let regex = match matcher.op {
                MatchOp::Matches | MatchOp::MatchesNot => {
                    let pattern = format!("^(?:{})$", matcher.value);
                    Some(regex::Regex::new(&pattern).map_err(|error| SourceError(error.to_string()))?)
                }
                MatchOp::Equal | MatchOp::NotEqual => None,
            };
            tests.push((matcher, regex));
        }
        let fits = |labels: &Labels| {
            tests.iter().all(|(matcher, regex)| {
                let value = labels.get(&matcher.name).unwrap_or_default();
                let holds = regex.as_ref().map_or(value == matcher.value, |regex| regex.is_match(value));
                holds != matches!(matcher.op, MatchOp::NotEqual | MatchOp::MatchesNot)
            })
        };
        if from_ms > to_ms {
            return Ok(Vec::new());
        }
        let found = self
            .series
            .values()
            .filter(|kept| fits(&kept.labels) && kept.samples.range(from_ms..=to_ms).next().is_some());
        Ok(found.map(|kept| Box::new(kept) as Box<dyn Series>).collect())
    }
}

impl Series for &Kept {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError> {
        if from_ms > to_ms {
            return Ok(());
        }
        let has_starts = self.samples.values().any(|(start, _)| *start != 0);
        let mut before: Option<&Stored> = None;
        for (&time_ms, (start_ms, value)) in &self.samples {
            if time_ms > to_ms {
                break;
            }
            if time_ms >= from_ms {
                match value {
                    Stored::Float(value) => {
                        into.times.push(time_ms);
                        into.values.push(*value);
                        if has_starts {
                            into.starts.push(*start_ms);
                        }
                    }
                    Stored::Histogram(histogram) => {
                        let histogram = hinted(before, histogram);
                        into.histograms.push(HistogramSample { time_ms, start_ms: *start_ms, histogram });
                    }
                }
            }
            before = Some(value);
        }
        Ok(())
    }
}

/// The hint that storage gives: it is sure only of what goes on from the sample before.
fn hinted(before: Option<&Stored>, now: &Arc<Histogram>) -> Arc<Histogram> {
    let hint = match (before, now.reset_hint) {
        (_, ResetHint::Gauge) => ResetHint::Gauge,
        (Some(Stored::Histogram(before)), _) if before.reset_hint != ResetHint::Gauge => {
            let plain = Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(now) };
            let is_same_layout = before.schema == now.schema
                && before.zero_threshold == now.zero_threshold
                && before.custom_values == now.custom_values;
            let begins = now.reset_hint == ResetHint::Reset || histogram::is_reset(before, &plain);
            if is_same_layout && !begins { ResetHint::NotReset } else { ResetHint::Unknown }
        }
        _ => ResetHint::Unknown,
    };
    if hint == now.reset_hint {
        return Arc::clone(now);
    }
    Arc::new(Histogram { reset_hint: hint, ..Histogram::clone(now) })
}

/// What tests of the API need beside samples.
#[cfg(test)]
mod metrics {
    use std::collections::BTreeSet;

    use weir_proto::metrics::{Exemplar, Metadata, MetricType};

    use super::*;
    use crate::promql::source::Metrics;

    impl Source for &Loaded {
        fn select(
            &self,
            matchers: &[LabelMatcher],
            from_ms: i64,
            to_ms: i64,
        ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
            Loaded::select(self, matchers, from_ms, to_ms)
        }
    }

    impl Metrics for &Loaded {
        fn label_names(&self, matchers: &[LabelMatcher], from: i64, to: i64) -> Result<Vec<String>, SourceError> {
            let series = self.select(matchers, from, to)?;
            let names: BTreeSet<_> =
                series.iter().flat_map(|series| series.labels().iter().map(|(name, _)| name.to_owned())).collect();
            Ok(names.into_iter().collect())
        }

        fn label_values(
            &self,
            name: &str,
            matchers: &[LabelMatcher],
            from: i64,
            to: i64,
        ) -> Result<Vec<String>, SourceError> {
            let series = self.select(matchers, from, to)?;
            let values: BTreeSet<_> = series.iter().filter_map(|series| series.labels().get(name)).collect();
            Ok(values.into_iter().map(str::to_owned).collect())
        }

        fn metadata(&self) -> Result<Vec<Metadata>, SourceError> {
            Ok(vec![Metadata {
                family: "up".to_owned(),
                metric_type: MetricType::Gauge,
                unit: String::new(),
                help: "Whether it is there.".to_owned(),
            }])
        }

        fn exemplars(
            &self,
            matchers: &[LabelMatcher],
            from: i64,
            to: i64,
        ) -> Result<Vec<(Labels, Vec<Exemplar>)>, SourceError> {
            let labels = Labels::new([("trace_id", "ab")]).expect("a set");
            let exemplar = Exemplar { labels, value: 1.5, time_ms: 500 };
            let found = self.select(matchers, from, to)?;
            Ok(found.iter().map(|series| (series.labels().clone(), vec![exemplar.clone()])).collect())
        }
    }
}
