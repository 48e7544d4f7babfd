//! Samples in memory, and the evaluation of groups over them.

use std::collections::BTreeMap;

use weir_proto::metrics::{LabelMatcher, METRIC_NAME, STALE_NAN, is_stale};

use super::super::*;
use crate::{
    alerting::rules::{self, Asked, RuleGroup},
    promql::{
        engine::{self, Options, Unstopped},
        source::{Samples, Series, Source, SourceError},
        syntax::{self, ast::Node},
        value::{Value, is_absent},
    },
};

/// Series by their labels.
#[derive(Default)]
pub(super) struct Memory {
    series: BTreeMap<Labels, BTreeMap<i64, f64>>,
    /// Whether questions fail.
    pub(super) fails: bool,
}

/// The labels that a selector names.
pub(super) fn labels(text: &str) -> Labels {
    let expr = syntax::parse_selector(text).expect("a selector");
    let Node::Selector(selector) = &expr.node else { panic!("no selector: {text}") };
    Labels::new(selector.matchers.iter().map(|matcher| (&*matcher.name, &*matcher.value))).expect("a set")
}

/// A group called `g`, of these rules, once a minute.
pub(super) fn group(rules: &str) -> RuleGroup {
    let indented: String = rules.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("groups:\n- name: g\n  rules:\n{indented}");
    let mut file = rules::read("f.yml", &text).unwrap_or_else(|problems| panic!("{problems:?}"));
    file.groups.remove(0)
}

/// Evaluates at each moment and stores what comes of it; what was told, a line for each.
pub(super) fn run(
    state: &mut GroupState,
    group: &RuleGroup,
    memory: &mut Memory,
    slots: impl Iterator<Item = i64>,
) -> Vec<String> {
    let mut told = Vec::new();
    for slot in slots {
        let mut out = Vec::new();
        let evaluation = state.evaluate(group, slot, memory, &mut out);
        memory.store(&out);
        for alert in evaluation.sent {
            let word = if alert.is_resolved { "resolved" } else { "firing" };
            let new = if alert.is_new { " new" } else { "" };
            let (from, until) = (alert.starts_at_ms, alert.ends_at_ms);
            told.push(format!("{slot} {word} {} from {from} until {until}{new}", alert.labels));
        }
    }
    told
}

impl Memory {
    pub(super) fn put(&mut self, series: &str, time_ms: i64, value: f64) {
        self.series.entry(labels(series)).or_default().insert(time_ms, value);
    }

    pub(super) fn put_stale(&mut self, series: &str, time_ms: i64) {
        self.put(series, time_ms, STALE_NAN);
    }

    fn store(&mut self, samples: &[StoredSample]) {
        for StoredSample { labels, time_ms, point } in samples {
            let Point::Float(value) = point else { continue };
            self.series.entry(labels.clone()).or_default().insert(*time_ms, *value);
        }
    }

    /// Each series of a name, with its samples.
    pub(super) fn text(&self, name: &str) -> Vec<String> {
        let named = self.series.iter().filter(|(labels, _)| labels.metric_name() == name);
        named.map(|(labels, samples)| line(labels, samples)).collect()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.series.iter().map(|(labels, samples)| line(labels, samples)).collect()
    }
}

fn line(labels: &Labels, samples: &BTreeMap<i64, f64>) -> String {
    let mut line = labels.to_string();
    for (time, value) in samples {
        let text = if is_stale(*value) { "stale".to_owned() } else { value.to_string() };
        line += &format!(" {time}={text}");
    }
    line
}

const OPTIONS: Options =
    Options { lookback_ms: 300_000, subquery_step_ms: 60_000, samples_max: 1_000_000, bytes_max: 1 << 30, threads: 1 };

impl Asks for Memory {
    fn instant(&mut self, query: &Query, at_ms: i64) -> Result<Vector, String> {
        if self.fails {
            return Err("it fails".to_owned());
        }
        let Asked::PromQl(expr) = &query.0 else { return Err("not here".to_owned()) };
        let outcome = engine::instant_of(&*self, (**expr).clone(), at_ms, &OPTIONS, &Unstopped);
        match outcome.map_err(|error| error.to_string())?.value {
            Value::Vector(vector) => Ok(vector.into_iter().map(|(labels, _, point)| (labels, point)).collect()),
            Value::Scalar { value, .. } => Ok(vec![(Labels::default(), Point::Float(value))]),
            Value::Text { .. } | Value::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }

    fn keep(&mut self, samples: &[StoredSample]) {
        self.store(samples);
    }

    /// Of queries that select `a`.
    fn again(&mut self, _: &Query, _: i64, since_ms: i64, to_ms: i64) -> Result<Option<i64>, String> {
        let matching = self.series.iter().filter(|(labels, _)| labels.metric_name() == "a");
        let times = matching.flat_map(|(_, samples)| samples.range(since_ms..=to_ms).map(|(time, _)| *time));
        Ok(times.min())
    }
}

impl Source for Memory {
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
        // Tests select by equal labels.
        let fits = |labels: &Labels| {
            matchers.iter().all(|matcher| labels.get(&matcher.name).unwrap_or_default() == matcher.value)
        };
        let is_there = |samples: &BTreeMap<i64, f64>| samples.range(from_ms..=to_ms).next().is_some();
        let found = self.series.iter().filter(|(labels, samples)| fits(labels) && is_there(samples));
        Ok(found.map(|(labels, samples)| Box::new(One { labels, samples }) as Box<dyn Series>).collect())
    }
}

struct One<'a> {
    labels: &'a Labels,
    samples: &'a BTreeMap<i64, f64>,
}

impl Series for One<'_> {
    fn labels(&self) -> &Labels {
        self.labels
    }

    fn read(&self, from_ms: i64, to_ms: i64, into: &mut Samples) -> Result<(), SourceError> {
        debug_assert!(self.labels.get(METRIC_NAME).is_some() && is_absent(STALE_NAN));
        for (time, value) in self.samples.range(from_ms..=to_ms) {
            into.times.push(*time);
            into.values.push(*value);
        }
        Ok(())
    }
}
