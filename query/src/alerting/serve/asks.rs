//! Answers the questions of rules from the store: one snapshot for a whole evaluation, its own results laid over it.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use weir_proto::{TenantId, metrics::Labels};
use weir_store::{Snapshot, Store};

use super::overlay::{Layered, Overlay};
use crate::{
    alerting::{
        group::{Asks, StoredSample, Vector},
        rows,
        rules::{Asked, Query},
    },
    http::{PromqlConfig, QueryConfig, Stored},
    lines::SnapshotLines,
    logql::{
        ast::Expr as LogExpr,
        engine::{Evaluated, Limits, LineRoom, MetricQuery, Progress, evaluate},
    },
    promql::{
        engine::{self, Options, QueryError, Stop},
        source::{Samples, Source},
        syntax::{
            ast::{Expr, Node, Selector},
            regex,
        },
        value::{Point, Value, is_absent},
    },
    sql::{
        encoding::Json as JsonRows,
        engine::{Ended, Engine, Query as SqlQuery},
        stop::Stop as SqlStop,
        table::tables,
    },
};

/// What all evaluations ask.
pub(super) struct Engines {
    pub(super) store: Store,
    pub(super) tenant: TenantId,
    config: QueryConfig,
    spill_folder: PathBuf,
    /// Started by the first question in SQL.
    sql: OnceLock<Result<Engine, String>>,
}

impl Engines {
    pub(super) fn new(store: Store, tenant: TenantId, config: QueryConfig, spill_folder: PathBuf) -> Self {
        Self { store, tenant, config, spill_folder, sql: OnceLock::new() }
    }

    fn sql(&self) -> Result<&Engine, String> {
        let start = || Engine::start(self.config.sql.clone(), &self.spill_folder).map_err(|error| error.to_string());
        self.sql.get_or_init(start).as_ref().map_err(Clone::clone)
    }
}

/// For one evaluation.
pub(super) struct StoreAsks<'a> {
    engines: &'a Engines,
    snapshot: Snapshot,
    given: Overlay,
}

impl<'a> StoreAsks<'a> {
    pub(super) fn new(engines: &'a Engines) -> Self {
        Self { engines, snapshot: engines.store.snapshot(), given: Overlay::default() }
    }

    fn source(&self) -> Layered<'_, Stored<'_>> {
        Layered { stored: Stored { snapshot: &self.snapshot, tenant: &self.engines.tenant }, over: &self.given }
    }

    fn promql(&self, expr: &Expr, at_ms: i64) -> Result<Vector, String> {
        let config = &self.engines.config;
        let stop = Deadline(Instant::now() + config.timeout);
        let outcome = engine::instant_of(&self.source(), expr.clone(), at_ms, &options(&config.promql), &stop);
        vector_of(outcome.map_err(|error| error.to_string())?.value)
    }

    fn logql(&self, expr: &LogExpr, at_ms: i64) -> Result<Vector, String> {
        let LogExpr::Metric(metric) = expr else { return Err("it gives lines, and a rule needs numbers".into()) };
        let config = &self.engines.config;
        let deadline = Instant::now() + config.timeout;
        let lines = SnapshotLines::new(
            self.snapshot.clone(),
            self.engines.tenant.clone(),
            deadline,
            config.logql.discover_log_levels,
        );
        let at_ns = at_ms.saturating_mul(1_000_000);
        let limits = Limits {
            series_max: config.logql.series_max.get(),
            steps_max: config.logql.points_max.get(),
            samples_max: config.logql.samples_max.get(),
            threads: config.logql.threads_max.get(),
            now_ns: u64::try_from(at_ns).unwrap_or(0),
            deadline,
            room: LineRoom::default(),
        };
        let asked = MetricQuery { metric, start_ns: at_ns, end_ns: at_ns, step_ns: 0 };
        let evaluated = evaluate(&asked, &lines, &limits, &Progress::default()).map_err(|error| error.to_string())?;
        let series = match evaluated {
            Evaluated::Number(value) => return Ok(vec![(Labels::default(), Point::Float(value))]),
            Evaluated::Series(series) => series,
        };
        let mut vector = Vec::with_capacity(series.len());
        for one in &series {
            let Some((_, value)) = one.points.first() else { continue };
            let labels = Labels::new(one.labels.iter().map(|(name, value)| (&**name, &**value)));
            vector.push((labels.map_err(|error| error.to_string())?, Point::Float(*value)));
        }
        Ok(vector)
    }

    fn sql(&self, text: &str, at_ms: i64) -> Result<Vector, String> {
        let now_ns = Some(u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000_000));
        let (snapshot, tenant) = (self.snapshot.clone(), self.engines.tenant.clone());
        let query = SqlQuery {
            text: text.to_owned(),
            tables: Box::new(move |stop: &Arc<SqlStop>| {
                stop.lacks(snapshot.missing());
                tables(&snapshot, &tenant, now_ns, stop)
            }),
            now_ns,
            deadline: Instant::now() + self.engines.config.timeout,
            encoding: Box::new(JsonRows::default()),
        };
        let mut answer = self.engines.sql()?.ask(query, ());
        let bytes_max = self.engines.config.answer_bytes_max.get();
        let mut bytes = Vec::new();
        loop {
            let chunk = answer.chunks.blocking_recv().ok_or("the query ended without an answer")?;
            let chunk = chunk.map_err(|error| error.to_string())?;
            bytes.extend_from_slice(&chunk.bytes);
            if bytes.len() > bytes_max {
                return Err("the answer is larger than query.answer_bytes_max".into());
            }
            if chunk.ended.is_some() {
                return rows::vector(&bytes, chunk.ended == Some(Ended::Whole));
            }
        }
    }
}

impl Asks for StoreAsks<'_> {
    fn instant(&mut self, query: &Query, at_ms: i64) -> Result<Vector, String> {
        match &query.0 {
            Asked::PromQl(expr) => self.promql(expr, at_ms),
            Asked::LogQl(expr) => self.logql(expr, at_ms),
            Asked::Sql(text) => self.sql(text, at_ms),
        }
    }

    fn keep(&mut self, samples: &[StoredSample]) {
        self.given.add(samples);
    }

    fn again(&mut self, query: &Query, before_ms: i64, since_ms: i64, to_ms: i64) -> Result<Option<i64>, String> {
        let Asked::PromQl(expr) = &query.0 else { return Ok(Some(since_ms)) };
        let lookback_ms = options(&self.engines.config.promql).lookback_ms;
        let mut selectors = Vec::new();
        collect(expr, lookback_ms, &mut selectors);
        let source = self.source();
        let mut again_ms = since_ms;
        for (selector, back_ms) in selectors {
            let matchers = regex::translated(&selector.matchers)?;
            let had = first_sample(&source, &matchers, (before_ms.saturating_sub(back_ms), before_ms))?;
            let has = first_sample(&source, &matchers, (since_ms, to_ms))?;
            match (had, has) {
                (_, Some(first)) => again_ms = again_ms.max(first),
                (Some(_), None) => return Ok(None),
                // What was not there before need not be now.
                (None, None) => {}
            }
        }
        Ok(Some(again_ms))
    }
}

/// The first sample in a time that ends no series, Unix ms.
fn first_sample(
    source: &dyn Source,
    matchers: &[weir_proto::metrics::LabelMatcher],
    (from_ms, to_ms): (i64, i64),
) -> Result<Option<i64>, String> {
    let mut first: Option<i64> = None;
    let mut samples = Samples::default();
    for series in source.select(matchers, from_ms, to_ms).map_err(|error| error.to_string())? {
        samples.clear();
        series.read(from_ms, to_ms, &mut samples).map_err(|error| error.to_string())?;
        let float = samples.times.iter().zip(&samples.values).find(|(_, value)| !is_absent(**value));
        let histogram = samples.histograms.first().map(|histogram| histogram.time_ms);
        first = first.into_iter().chain(float.map(|(time, _)| *time)).chain(histogram).min();
    }
    Ok(first)
}

/// The selectors of a query with how far back they look.
fn collect<'e>(expr: &'e Expr, back_ms: i64, into: &mut Vec<(&'e Selector, i64)>) {
    match &expr.node {
        Node::Number(_) | Node::Text(_) => {}
        // What looks at another time is not missing now.
        Node::Selector(selector) if is_shifted(selector) => {}
        Node::Selector(selector) => into.push((selector, back_ms)),
        Node::Range(range) if is_shifted(&range.selector) => {}
        Node::Range(range) => into.push((&range.selector, range.range.ms().max(back_ms))),
        Node::Subquery(subquery) => {
            collect(&subquery.operand, back_ms.saturating_add(subquery.range.ms()), into);
        }
        Node::Paren(inner) | Node::Unary { operand: inner, .. } => collect(inner, back_ms, into),
        Node::Binary(binary) => {
            collect(&binary.left, back_ms, into);
            collect(&binary.right, back_ms, into);
        }
        Node::Call(call) => call.arguments.iter().for_each(|argument| collect(argument, back_ms, into)),
        Node::Aggregate(aggregate) => {
            aggregate.parameter.iter().for_each(|parameter| collect(parameter, back_ms, into));
            collect(&aggregate.operand, back_ms, into);
        }
    }
}

fn is_shifted(selector: &Selector) -> bool {
    selector.shift.at.is_some() || selector.shift.offset.is_some()
}

fn options(config: &PromqlConfig) -> Options {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
    Options {
        lookback_ms: ms(config.lookback_delta),
        subquery_step_ms: ms(config.subquery_step),
        samples_max: config.samples_max.get() as u64,
        bytes_max: config.memory_bytes_max.get() as u64,
        threads: config.threads_max.get(),
    }
}

/// What a rule may be made of.
fn vector_of(value: Value) -> Result<Vector, String> {
    match value {
        Value::Vector(vector) => Ok(vector.into_iter().map(|(labels, _, point)| (labels, point)).collect()),
        Value::Scalar { value, .. } => Ok(vec![(Labels::default(), Point::Float(value))]),
        Value::Text { .. } | Value::Matrix(_) => Err("rule result is not a vector or scalar".to_owned()),
    }
}

struct Deadline(Instant);

impl Stop for Deadline {
    fn reason(&self) -> Option<QueryError> {
        (Instant::now() >= self.0).then_some(QueryError::Timeout)
    }
}
