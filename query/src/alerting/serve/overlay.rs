//! What an evaluation gave so far, laid over what is stored: a rule sees the results of those before it.

use std::collections::{BTreeMap, HashMap};

use weir_proto::metrics::{LabelMatcher, Labels, METRIC_NAME, MatchOp};

use crate::{
    alerting::group::StoredSample,
    promql::{
        source::{HistogramSample, Samples, Series, Source, SourceError},
        value::Point,
    },
};

/// Samples of this evaluation, by the name of their metric.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    by_name: HashMap<String, BTreeMap<Labels, (i64, Point)>>,
}

impl Overlay {
    pub(super) fn add(&mut self, samples: &[StoredSample]) {
        for StoredSample { labels, time_ms, point } in samples {
            let of_name = self.by_name.entry(labels.metric_name().to_owned()).or_default();
            of_name.insert(labels.clone(), (*time_ms, point.clone()));
        }
    }

    /// What matches and lies in a time, by its labels.
    fn select(
        &self,
        matchers: &[LabelMatcher],
        (from_ms, to_ms): (i64, i64),
    ) -> Result<BTreeMap<&Labels, &(i64, Point)>, SourceError> {
        let name = matchers.iter().find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal);
        let candidates: Vec<_> = match name {
            Some(matcher) => self.by_name.get(&matcher.value).into_iter().collect(),
            None => self.by_name.values().collect(),
        };
        if candidates.is_empty() {
            return Ok(BTreeMap::new());
        }
        let tests: Result<Vec<_>, SourceError> = matchers.iter().map(Test::new).collect();
        let tests = tests?;
        let fits = |labels: &Labels| tests.iter().all(|test| test.holds(labels));
        let in_time = |(time_ms, _): &(i64, Point)| (from_ms..=to_ms).contains(time_ms);
        let all = candidates.into_iter().flatten();
        Ok(all.filter(|(labels, sample)| in_time(sample) && fits(labels)).collect())
    }
}

struct Test<'a> {
    matcher: &'a LabelMatcher,
    regex: Option<regex::Regex>,
}

impl<'a> Test<'a> {
    fn new(matcher: &'a LabelMatcher) -> Result<Self, SourceError> {
        let regex = match matcher.op {
            MatchOp::Matches | MatchOp::MatchesNot => {
                let pattern = format!("^(?:{})$", matcher.value);
                Some(regex::Regex::new(&pattern).map_err(|error| SourceError(error.to_string()))?)
            }
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self { matcher, regex })
    }

    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.matcher.name).unwrap_or_default();
        let fits = self.regex.as_ref().map_or(value == self.matcher.value, |regex| regex.is_match(value));
        fits != matches!(self.matcher.op, MatchOp::NotEqual | MatchOp::MatchesNot)
    }
}

/// Both together.
pub(super) struct Layered<'a, S> {
    pub(super) stored: S,
    pub(super) over: &'a Overlay,
}

impl<S: Source> Source for Layered<'_, S> {
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
        let stored = self.stored.select(matchers, from_ms, to_ms)?;
        let mut over = self.over.select(matchers, (from_ms, to_ms))?;
        if over.is_empty() {
            return Ok(stored);
        }
        let mut all: Vec<Box<dyn Series + '_>> = stored
            .into_iter()
            .map(|series| match over.remove(series.labels()) {
                Some(sample) => Box::new(Both { series, sample }) as Box<dyn Series>,
                None => series,
            })
            .collect();
        all.extend(over.into_iter().map(|(labels, sample)| Box::new(Given { labels, sample }) as Box<dyn Series>));
        all.sort_by(|one, other| one.labels().cmp(other.labels()));
        Ok(all)
    }
}

/// A series that this evaluation made.
struct Given<'a> {
    labels: &'a Labels,
    sample: &'a (i64, Point),
}

impl Series for Given<'_> {
    fn labels(&self) -> &Labels {
        self.labels
    }

    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError> {
        let (time_ms, point) = self.sample;
        if !(from_ms..=to_ms).contains(time_ms) {
            return Ok(());
        }
        match point {
            Point::Float(value) => {
                into.times.push(*time_ms);
                into.values.push(*value);
                if !into.starts.is_empty() {
                    into.starts.push(0);
                }
            }
            Point::Histogram(histogram) => {
                into.histograms.push(HistogramSample { time_ms: *time_ms, start_ms: 0, histogram: histogram.clone() })
            }
        }
        Ok(())
    }
}

/// A series that is stored, with one sample more.
struct Both<'a> {
    series: Box<dyn Series + 'a>,
    sample: &'a (i64, Point),
}

impl Series for Both<'_> {
    fn labels(&self) -> &Labels {
        self.series.labels()
    }

    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError> {
        let time_ms = self.sample.0;
        // What is stored behind it comes behind it, and counts where both have the time.
        self.series.read(from_ms, to_ms.min(time_ms), into)?;
        let is_there = into.times.last() == Some(&time_ms)
            || into.histograms.last().is_some_and(|histogram| histogram.time_ms == time_ms);
        if !is_there {
            Given { labels: self.series.labels(), sample: self.sample }.read(from_ms, to_ms, into)?;
        }
        if time_ms < to_ms {
            self.series.read(from_ms.max(time_ms.saturating_add(1)), to_ms, into)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::script;

    #[test]
    fn both_layers_are_one_source() {
        let stored = script::loaded("load 10s\n  a{x=\"1\"} 1 2 3\n  b 5\n");
        let mut over = Overlay::default();
        let sample = |pairs: &[(&str, &str)], time_ms, value| StoredSample {
            labels: Labels::new(pairs.iter().copied()).expect("a set"),
            time_ms,
            point: Point::Float(value),
        };
        over.add(&[
            sample(&[("__name__", "a"), ("x", "0")], 15_000, 7.0),
            sample(&[("__name__", "a"), ("x", "1")], 15_000, 8.0),
        ]);
        let layered = Layered { stored: &stored, over: &over };
        let matcher = |value: &str, op| LabelMatcher { name: "__name__".into(), op, value: value.into() };
        let read = |matchers: &[LabelMatcher]| {
            let mut all = Vec::new();
            for series in layered.select(matchers, 0, 20_000).expect("readable") {
                let mut samples = Samples::default();
                series.read(0, 20_000, &mut samples).expect("readable");
                all.push((series.labels().to_string(), samples.times, samples.values));
            }
            all
        };
        let a = read(&[matcher("a", MatchOp::Equal)]);
        assert_eq!(a[0], ("a{x=\"0\"}".to_owned(), vec![15_000], vec![7.0]));
        assert_eq!(a[1], ("a{x=\"1\"}".to_owned(), vec![0, 10_000, 15_000, 20_000], vec![1.0, 2.0, 8.0, 3.0]));
        assert_eq!(read(&[matcher("a|b", MatchOp::Matches)]).len(), 3);
        assert_eq!(read(&[matcher("a", MatchOp::NotEqual)]).len(), 1);
    }
}
