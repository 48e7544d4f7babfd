//! How much there is: `index/stats`, `index/volume`, `index/volume_range`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    labels::each_stream,
    params::{self, Span},
    patterns::query_or_all,
    query::{series_of, within},
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

/// Whether volumes are asked for by label instead of by series.
fn is_by_label(call: &Call) -> Result<bool, Failure> {
    match call.first("aggregateBy") {
        None | Some("series") => Ok(false),
        Some("labels") => Ok(true),
        Some(other) => Err(Failure::BadRequest(format!("aggregateBy is series or labels, not {other:?}"))),
    }
}

/// Bytes by labels.
pub(in crate::http) fn volume(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    volumes(call, view, span, span, 0)
}

/// Bytes by labels and step.
pub(in crate::http) fn volume_range(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let step_ns = params::step_ns(call, span)?;
    let window = Span { start_ns: 0, end_ns: (step_ns as u64).saturating_sub(1).max(1) };
    volumes(call, view, span, window, step_ns)
}

fn volumes(call: &Call, view: &dyn View, span: Span, window: Span, step_ns: i64) -> Result<Answer, Failure> {
    let log = selector(call)?;
    let limit = params::limit(call)?;
    if is_by_label(call)? {
        return by_label(call, view, (log, limit), (span, window), step_ns);
    }
    let by = targets(call, &log);
    let inner = Box::new(total(RangeOp::Bytes, log, window, Some(by)));
    let metric = Metric::Vector { op: VectorOp::Topk, parameter: Some(limit as i64), inner, grouping: None };
    series_of(call, view, &metric, span, step_ns)
}

/// Labels that volumes are added up for, where nobody names them.
const LABELS_MAX: usize = 100;

/// Bytes of the streams that have a label, whatever its value: under the label's name, with an empty value.
fn by_label(
    call: &Call,
    view: &dyn View,
    (log, limit): (LogExpr, usize),
    (span, window): (Span, Span),
    step_ns: i64,
) -> Result<Answer, Failure> {
    let mut names = targets(call, &log);
    if call.first("targetLabels").is_none() {
        let mut found = BTreeSet::new();
        each_stream(call, view, &log.matchers, span, &mut |stream| {
            found.extend(stream.iter().map(|(name, _)| name.to_owned()).take(LABELS_MAX.saturating_sub(found.len())));
            Ok(())
        })?;
        names = found.into_iter().collect();
    }
    let metric = total(RangeOp::Bytes, log, window, Some(names));
    let end_ns = ns(span.end_ns);
    let start_ns = if step_ns == 0 { end_ns } else { ns(span.start_ns) };
    let asked = MetricQuery { metric: &metric, start_ns, end_ns, step_ns };
    let lines = view.log_lines(call);
    let mut bytes: BTreeMap<String, BTreeMap<u32, f64>> = BTreeMap::new();
    if let Evaluated::Series(series) = evaluate(&asked, lines.as_ref(), &params::limits(call), &Progress::default())? {
        for one in &series {
            for (name, _) in one.labels.iter().filter(|(_, value)| !value.is_empty()) {
                let points = bytes.entry(name.clone()).or_default();
                one.points.iter().for_each(|(at, value)| *points.entry(*at).or_default() += value);
            }
        }
    }
    let mut bytes: Vec<_> = bytes.into_iter().collect();
    bytes.sort_by(|(_, one), (_, other)| other.values().sum::<f64>().total_cmp(&one.values().sum()));
    let moment = |at: u32| (start_ns + i64::from(at) * step_ns) as f64 / 1e9;
    let result: Vec<_> = bytes
        .into_iter()
        .take(limit)
        .map(|(name, points)| {
            let metric = json!({name: ""});
            let mut values = points.iter().map(|(at, bytes)| json!([moment(*at), bytes.to_string()]));
            match step_ns {
                0 => json!({"metric": metric, "value": values.next()}),
                _ => json!({"metric": metric, "values": values.collect::<Vec<_>>()}),
            }
        })
        .collect();
    let kind = if step_ns == 0 { "vector" } else { "matrix" };
    within(call, &json!({"status": "success", "data": {"resultType": kind, "result": result}}), false)
}
