//! `/loki/api/v1/query` and `/loki/api/v1/query_range`.

use std::{collections::BTreeMap, time::Instant};

use serde::Serialize;
use serde_json::{Number, Value, json};

use super::{
    params::{self, Span},
    stats::stats,
    streams::{Stream, streams},
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::{
        ast::{Expr, LogExpr, Metric},
        engine::{Entries, Evaluated, LogQuery, MetricQuery, Progress, Series, entries, evaluate},
        units,
    },
};

/// What a client says when it wants to know where labels come from.
const CATEGORIZES: &str = "categorize-labels";

#[derive(Serialize)]
struct Reply {
    status: &'static str,
    data: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: &'static str,
    result: Found,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_flags: Option<[&'static str; 1]>,
    stats: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Streams(Vec<Stream>),
    Vector(Vec<Sample>),
    Matrix(Vec<Row>),
    Scalar((Number, String)),
}

#[derive(Serialize)]
struct Sample {
    metric: BTreeMap<String, String>,
    value: (Number, String),
}

#[derive(Serialize)]
struct Row {
    metric: BTreeMap<String, String>,
    values: Vec<(Number, String)>,
}

/// Seconds, with a fraction where there is one.
fn seconds(ns: i64) -> Number {
    if ns % 1_000_000_000 == 0 {
        return Number::from(ns / 1_000_000_000);
    }
    // Milliseconds, as Prometheus' times have them.
    let ms = ns.div_euclid(1_000_000) as f64 / 1000.0;
    Number::from_f64(ms).unwrap_or_else(|| Number::from(0))
}

/// At one moment.
pub(in crate::http) fn query(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let begin = Instant::now();
    let time_ns = i64::try_from(params::instant_ns(call)?).unwrap_or(i64::MAX);
    params::limit(call)?;
    params::direction(call)?;
    match params::expr(call)? {
        Expr::Log(_) => Err(Failure::BadRequest(
            "log queries are not supported as an instant query type, please change your query to a range query type"
                .into(),
        )),
        Expr::Metric(metric) => {
            let asked = MetricQuery { metric: &metric, start_ns: time_ns, end_ns: time_ns, step_ns: 0 };
            numbers(call, view, &asked, begin)
        }
    }
}

/// Over a time span.
pub(in crate::http) fn query_range(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let begin = Instant::now();
    let span = Span::of_query(call)?;
    let step_ns = params::step_ns(call, span)?;
    let limit = params::limit(call)?;
    let direction = params::direction(call)?;
    let interval_ns = params::interval_ns(call)?;
    match params::expr(call)? {
        Expr::Log(log) => {
            // An end that is the start asks for nothing.
            let asked = LogQuery { log: &log, start_ns: span.start_ns, end_ns: span.end_ns, direction, limit };
            lines(call, view, &asked, interval_ns, begin)
        }
        Expr::Metric(metric) => {
            let ns = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
            let asked = MetricQuery { metric: &metric, start_ns: ns(span.start_ns), end_ns: ns(span.end_ns), step_ns };
            numbers(call, view, &asked, begin)
        }
    }
}

fn lines(
    call: &Call,
    view: &dyn View,
    asked: &LogQuery<'_>,
    interval_ns: u64,
    begin: Instant,
) -> Result<Answer, Failure> {
    let progress = Progress::default();
    let lines = view.log_lines(call);
    // What the lines take is counted until they are written.
    let limits = params::limits(call);
    let Entries { entries, is_partial } = entries(asked, lines.as_ref(), &limits, &progress)?;
    let streams = streams(entries, call.categorizes_labels, interval_ns);
    let returned = streams.iter().map(Stream::len).sum();
    let data = Data {
        result_type: "streams",
        result: Found::Streams(streams),
        encoding_flags: call.categorizes_labels.then_some([CATEGORIZES]),
        stats: stats(progress.tally(), begin.elapsed(), returned),
    };
    written(call, data, is_partial)
}

fn numbers(call: &Call, view: &dyn View, asked: &MetricQuery<'_>, begin: Instant) -> Result<Answer, Failure> {
    let progress = Progress::default();
    let lines = view.log_lines(call);
    let evaluated = evaluate(asked, lines.as_ref(), &params::limits(call), &progress)?;
    let moment = |number: u32| seconds(asked.start_ns.saturating_add(i64::from(number).saturating_mul(asked.step_ns)));
    let metric = |series: &Series| series.labels.iter().cloned().collect();
    let is_instant = asked.step_ns == 0;
    let (result_type, result) = match evaluated {
        Evaluated::Number(value) if is_instant => ("scalar", Found::Scalar((moment(0), units::written_number(value)))),
        Evaluated::Number(value) => {
            let count = (asked.end_ns - asked.start_ns) / asked.step_ns + 1;
            let values = (0..count as u32).map(|number| (moment(number), units::written_number(value))).collect();
            ("matrix", Found::Matrix(vec![Row { metric: BTreeMap::new(), values }]))
        }
        Evaluated::Series(series) if is_instant => {
            let samples = series.iter().filter_map(|one| {
                let (number, value) = one.points.first()?;
                Some(Sample { metric: metric(one), value: (moment(*number), units::written_number(*value)) })
            });
            ("vector", Found::Vector(samples.collect()))
        }
        Evaluated::Series(series) => {
            let rows = series.iter().map(|one| Row {
                metric: metric(one),
                values: one.points.iter().map(|(at, value)| (moment(*at), units::written_number(*value))).collect(),
            });
            ("matrix", Found::Matrix(rows.collect()))
        }
    };
    let encoding_flags = call.categorizes_labels.then_some([CATEGORIZES]);
    let data = Data { result_type, result, encoding_flags, stats: stats(progress.tally(), begin.elapsed(), 0) };
    written(call, data, false)
}

fn written(call: &Call, data: Data, is_partial: bool) -> Result<Answer, Failure> {
    within(call, &Reply { status: "success", data }, is_partial)
}

/// An answer that lacks something, and says what.
#[derive(Serialize)]
struct Warned<'a, T> {
    #[serde(flatten)]
    reply: &'a T,
    warnings: Vec<String>,
}

/// The answer, if it is not too large.
pub(super) fn within(call: &Call, reply: &impl Serialize, is_partial: bool) -> Result<Answer, Failure> {
    let warnings = call.missing();
    let written = match warnings.is_empty() {
        true => Answer::json_within(&call.allowance, reply, false)?,
        false => Answer::json_within(&call.allowance, &Warned { reply, warnings }, false)?,
    };
    let Some(mut answer) = written else {
        return Err(Failure::BadRequest(
            "the answer would be larger than query.answer_bytes_max: ask for a lower limit, or a shorter time".into(),
        ));
    };
    answer.partial = is_partial;
    Ok(answer)
}

/// A list, as most of Loki's answers are.
pub(super) fn list(call: &Call, data: impl Serialize) -> Result<Answer, Failure> {
    within(call, &json!({"status": "success", "data": serde_json::to_value(data).unwrap_or(Value::Null)}), false)
}

/// The series of a metric query that another endpoint asks.
pub(super) fn series_of(
    call: &Call,
    view: &dyn View,
    metric: &Metric,
    span: Span,
    step_ns: i64,
) -> Result<Answer, Failure> {
    let ns = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    let start_ns = if step_ns == 0 { ns(span.end_ns) } else { ns(span.start_ns) };
    let asked = MetricQuery { metric, start_ns, end_ns: ns(span.end_ns), step_ns };
    numbers(call, view, &asked, Instant::now())
}

/// The newest lines that a selector finds.
pub(super) fn newest(
    call: &Call,
    view: &dyn View,
    log: &LogExpr,
    span: Span,
    limit: usize,
) -> Result<Entries, Failure> {
    let direction = crate::logql::engine::Direction::Backward;
    let asked = LogQuery { log, start_ns: span.start_ns, end_ns: span.end_ns, direction, limit };
    let lines = view.log_lines(call);
    Ok(entries(&asked, lines.as_ref(), &params::limits(call), &Progress::default())?)
}
