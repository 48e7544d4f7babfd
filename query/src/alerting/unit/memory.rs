//! Answers the questions of rules from samples in memory, as far as time has come.

use std::collections::HashMap;

use weir_proto::metrics::{LabelMatcher, Labels, is_stale};

use crate::{
    alerting::{
        group::{Asks, StoredSample, Vector},
        rules::{Asked, Query},
    },
    logql,
    promql::{
        engine::{self, Options, Unstopped},
        script::Loaded,
        source::{Series, Source, SourceError},
        value::{Point, Value},
    },
};

/// The samples of one test.
pub(super) struct Memory {
    pub(super) samples: Loaded,
    /// What queries in other languages give, by their text.
    pub(super) results: HashMap<String, Vec<(Labels, i64, Point)>>,
    /// What lies behind it has not come yet, Unix ms.
    pub(super) until_ms: i64,
    pub(super) interval_ms: i64,
    /// How many rules of the group gave their samples.
    pub(super) kept: usize,
    /// Those of them whose samples were there already, and others.
    pub(super) conflicts: Vec<usize>,
}

/// Samples up to a time.
struct Until<'m>(&'m Memory);

impl Source for Until<'_> {
    fn select(
        &self,
        matchers: &[LabelMatcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Box<dyn Series + '_>>, SourceError> {
        self.0.samples.select(matchers, from_ms, to_ms.min(self.0.until_ms))
    }
}

impl Memory {
    /// The answer of the engine.
    fn asked(&self, query: &Query, at_ms: i64) -> Result<Vector, String> {
        if let Asked::PromQl(expr) = &query.0 {
            return self.promql((**expr).clone(), at_ms);
        }
        let Some(results) = key(query).and_then(|key| self.results.get(&key)) else { return Ok(Vec::new()) };
        let is_then = |time: i64| time <= at_ms && time > at_ms - self.interval_ms;
        let found = results.iter().filter(|(_, time, _)| is_then(*time));
        // Of several the newest.
        let mut newest: Vec<(Labels, i64, Point)> = Vec::new();
        for (labels, time, point) in found {
            match newest.iter_mut().find(|(known, ..)| known == labels) {
                Some(known) if known.1 > *time => {}
                Some(known) => *known = (labels.clone(), *time, point.clone()),
                None => newest.push((labels.clone(), *time, point.clone())),
            }
        }
        Ok(newest.into_iter().map(|(labels, _, point)| (labels, point)).collect())
    }

    fn promql(&self, expr: crate::promql::syntax::ast::Expr, at_ms: i64) -> Result<Vector, String> {
        let options = Options {
            lookback_ms: 5 * 60_000,
            subquery_step_ms: self.interval_ms,
            samples_max: 50_000_000,
            bytes_max: 1 << 30,
            threads: 1,
        };
        let outcome = engine::instant_of(&Until(self), expr, at_ms, &options, &Unstopped);
        match outcome.map_err(|error| error.to_string())?.value {
            Value::Vector(vector) => Ok(vector.into_iter().map(|(labels, _, point)| (labels, point)).collect()),
            Value::Scalar { value, .. } => Ok(vec![(Labels::default(), Point::Float(value))]),
            Value::Text { .. } | Value::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
        }
    }
}

/// By which results of a query in another language than PromQL are found.
pub(super) fn key(query: &Query) -> Option<String> {
    match &query.0 {
        Asked::PromQl(_) => None,
        Asked::Sql(text) => Some(text.clone()),
        Asked::LogQl(expr) => Some(logql::pretty(expr)),
    }
}

impl Asks for Memory {
    fn instant(&mut self, query: &Query, at_ms: i64) -> Result<Vector, String> {
        self.asked(query, at_ms)
    }

    fn keep(&mut self, samples: &[StoredSample]) {
        let mut is_fine = true;
        for sample in samples {
            // What ends a series is left out when another rule goes on with it.
            let is_end = matches!(sample.point, Point::Float(value) if is_stale(value));
            is_fine &= self.samples.insert(&sample.labels, sample.time_ms, sample.point.clone()) || is_end;
        }
        if !is_fine {
            self.conflicts.push(self.kept);
        }
        self.kept += 1;
    }
}
