//! How much there is: `index/stats`, `index/volume`, `index/volume_range`.

use serde_json::json;

use super::{
    labels::each_stream,
    params::{self, Span},
    patterns::query_or_all,
    query::series_of,
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::{
        ast::{Grouping, LogExpr, LogRange, Metric, RangeOp, VectorOp},
        engine::{Evaluated, MetricQuery, Progress, evaluate},
        labels::StreamLabels,
    },
};

fn selector(call: &Call) -> Result<LogExpr, Failure> {
    Ok(LogExpr { stages: Vec::new(), ..query_or_all(call)? })
}

fn ns(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// Streams, lines and bytes of a selector.
pub(in crate::http) fn stats(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let log = selector(call)?;
    let mut streams: std::collections::HashSet<StreamLabels> = std::collections::HashSet::new();
    each_stream(call, view, &log.matchers, span, &mut |stream| {
        if !streams.contains(stream) && streams.len() < call.logql.series_max.get() {
            streams.insert(stream.clone());
        }
        Ok(())
    })?;
    let count = |op: RangeOp| -> Result<u64, Failure> {
        let metric = total(op, log.clone(), span, Some(Vec::new()));
        let end_ns = ns(span.end_ns);
        let asked = MetricQuery { metric: &metric, start_ns: end_ns, end_ns, step_ns: 0 };
        let lines = view.log_lines(call);
        let Evaluated::Series(series) = evaluate(&asked, lines.as_ref(), &params::limits(call), &Progress::default())?
        else {
            return Ok(0);
        };
        Ok(series.iter().flat_map(|one| &one.points).map(|(_, value)| *value as u64).sum())
    };
    let (entries, bytes) = (count(RangeOp::Count)?, count(RangeOp::Bytes)?);
    Answer::json(&json!({"streams": streams.len(), "chunks": streams.len(), "entries": entries, "bytes": bytes}), false)
}

/// Sums over a whole time; `None` keeps every stream's labels apart.
fn total(op: RangeOp, log: LogExpr, span: Span, by: Option<Vec<String>>) -> Metric {
    let range_ns = ns((span.end_ns - span.start_ns).max(1)).saturating_add(1);
    let range = LogRange { log, unwrap: None, range_ns, offset_ns: 0 };
    let range = Metric::Range { op, parameter: None, range, grouping: None };
    match by {
        None => range,
        Some(labels) => Metric::Vector {
            op: VectorOp::Sum,
            parameter: None,
            inner: Box::new(range),
            grouping: Some(Grouping { without: false, labels }),
        },
    }
}

/// The labels that volumes are told apart by: `targetLabels`, else those that the selector names.
fn targets(call: &Call, log: &LogExpr) -> Vec<String> {
    let listed = call.first("targetLabels").unwrap_or_default();
    let listed: Vec<String> =
        listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if listed.is_empty() { log.matchers.iter().map(|matcher| matcher.name.clone()).collect() } else { listed }
}

fn volumes(call: &Call, span: Span, window: Span) -> Result<Metric, Failure> {
    let log = selector(call)?;
    let by = targets(call, &log);
    let limit = params::limit(call)?;
    let inner = Box::new(total(RangeOp::Bytes, log, window, Some(by)));
    let _ = span;
    Ok(Metric::Vector { op: VectorOp::Topk, parameter: Some(limit as i64), inner, grouping: None })
}

/// Bytes by labels.
pub(in crate::http) fn volume(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let metric = volumes(call, span, span)?;
    series_of(call, view, &metric, span, 0)
}

/// Bytes by labels and step.
pub(in crate::http) fn volume_range(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let step_ns = params::step_ns(call, span)?;
    let window = Span { start_ns: 0, end_ns: (step_ns as u64).saturating_sub(1).max(1) };
    let metric = volumes(call, span, window)?;
    series_of(call, view, &metric, span, step_ns)
}
