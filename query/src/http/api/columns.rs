//! `/api/v1/trace/{id}/columns`: one trace as columns in the order of a waterfall, a window of rows at a time.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde::Serialize;
use weir_proto::{
    SpanId,
    ids::hex,
    otlp::messages::common::v1::{AnyValue, any_value::Value},
};
use weir_store::{LineRecord, ReadError, TraceLines};

use super::{
    asked::{Because, number},
    laid::{Laid, laid},
};
use crate::{
    explore::layout::{LaidSpan, Layout, flag},
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// Rows of a window.
const ROWS_MAX: usize = 100_000;
/// Rows with an error that are named.
const ERRORS_MAX: usize = 10_000;
/// Lines shown, and characters of each.
const LINES_MAX: usize = 1000;
const LINE_CHARS: usize = 200;
/// Rows of the small picture of a trace of which a window is shown.
const OVERVIEW_MAX: usize = 2000;

#[derive(Debug, Serialize)]
struct Body<'a> {
    trace_id: String,
    start_ns: String,
    duration_ns: u64,
    spans: usize,
    row: usize,
    rows: usize,
    partial: bool,
    partial_because: Because,
    is_damaged: bool,
    /// At least.
    spans_left_out: u64,
    state: &'static str,
    policy: Option<&'a str>,
    adjusted_count: f64,
    services: Vec<ServiceBody<'a>>,
    operations: &'a [String],
    roots: Vec<u32>,
    errors: Vec<u32>,
    errors_left_out: usize,
    depth_max: u32,
    columns: Columns,
    logs: Lines,
    logs_left_out: usize,
    overview: Option<Overview>,
}

#[derive(Debug, Serialize)]
struct ServiceBody<'a> {
    name: &'a str,
    spans: u64,
    errors: u64,
    self_ns: u64,
    critical_ns: u64,
}

/// A value for each row of the window.
#[derive(Debug, Default, Serialize)]
struct Columns {
    /// All in one text, 16 digits each.
    id: String,
    parent: Vec<i64>,
    depth: Vec<u32>,
    descendants: Vec<u32>,
    service: Vec<u32>,
    operation: Vec<u32>,
    start: Vec<u64>,
    duration: Vec<u64>,
    #[serde(rename = "self")]
    own: Vec<u64>,
    critical: Vec<u64>,
    kind: Vec<i32>,
    status: Vec<i32>,
    flags: Vec<u16>,
}

#[derive(Debug, Default, Serialize)]
struct Lines {
    row: Vec<i64>,
    time: Vec<i64>,
    severity: Vec<i32>,
    text: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Overview {
    row: Vec<u32>,
    start: Vec<u64>,
    duration: Vec<u64>,
    service: Vec<u32>,
    status: Vec<i32>,
}

/// A window of a trace's rows, and what is told of all of them.
pub(in crate::http) fn columns(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let id = call.trace_id()?;
    let first = match call.first("row") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Failure::BadRequest("parameter 'row' is not a number".into()))?,
    };
    let rows_max = number(call, "rows", ROWS_MAX, ROWS_MAX)?;
    let Laid { layout, left_out, mut is_damaged, mut because, .. } = laid(call, view)?;
    let room = &mut |bytes| call.has_room(bytes);
    let TraceLines { rows: mut lines, is_damaged: lines_damaged, is_cut } =
        view.lines(&call.tenant, id, None, LINES_MAX + 1, room)?;
    is_damaged |= lines_damaged;
    because.add(is_cut, "query.answer_bytes_max");
    because.damaged(is_damaged, call);
    if layout.spans.is_empty() && lines.is_empty() {
        return Err(nothing(call, left_out, is_damaged));
    }
    let logs_left_out = lines.len().saturating_sub(LINES_MAX).max(usize::from(is_cut));
    lines.truncate(LINES_MAX);
    let (start_ns, end_ns) = match layout.spans.is_empty() {
        false => (layout.start_ns, layout.end_ns),
        // A trace of lines alone begins with the first of them.
        true => (
            lines.iter().map(|line| line.time_ns).min().unwrap_or(0),
            lines.iter().map(|line| line.time_ns).max().unwrap_or(0),
        ),
    };
    let logs = beside(&lines, &layout, start_ns);
    let (errors, errors_left_out) = errors(&layout);
    let first = usize::min(first, layout.spans.len());
    let rows = rows_max.min(layout.spans.len() - first);
    let is_window = rows < layout.spans.len();
    let first_span = layout.spans.first();
    let body = Body {
        trace_id: id.to_string(),
        start_ns: start_ns.to_string(),
        duration_ns: end_ns - start_ns,
        spans: layout.spans.len(),
        row: first,
        rows,
        partial: because.is_partial(),
        partial_because: because,
        is_damaged,
        spans_left_out: left_out,
        state: if layout.spans.iter().any(|span| span.flags & flag::PENDING != 0) { "pending" } else { "kept" },
        policy: layout.policy.as_deref(),
        adjusted_count: first_span.map_or(1.0, |span| span.adjusted_count),
        services: services(&layout),
        operations: &layout.operations,
        roots: (0..).zip(&layout.parents).filter(|(_, parent)| parent.is_none()).map(|(row, _)| row).collect(),
        errors,
        errors_left_out,
        depth_max: layout.depths.iter().copied().max().unwrap_or(0),
        columns: Columns::of(&layout, first..first + rows, &logs.row),
        logs,
        logs_left_out,
        overview: is_window.then(|| Overview::of(&layout)),
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

/// Why there is nothing of a trace.
pub(super) fn nothing(call: &Call, left_out: u64, is_damaged: bool) -> Failure {
    let id = call.segment("id");
    if is_damaged {
        return Failure::Read(ReadError::Damaged(format!("trace {id} is in a segment that cannot be read")));
    }
    if left_out > 0 || call.is_late() {
        return Failure::Busy;
    }
    Failure::NotFound(format!("trace {id} is not here"))
}

fn errors(layout: &Layout) -> (Vec<u32>, usize) {
    let errors = (0..).zip(&layout.spans).filter(|(_, span)| span.status == 2).map(|(row, _)| row);
    let mut errors: Vec<u32> = errors.collect();
    let left_out = errors.len().saturating_sub(ERRORS_MAX);
    errors.truncate(ERRORS_MAX);
    (errors, left_out)
}

fn services(layout: &Layout) -> Vec<ServiceBody<'_>> {
    let service = |name| ServiceBody { name, spans: 0, errors: 0, self_ns: 0, critical_ns: 0 };
    let mut services: Vec<ServiceBody<'_>> = layout.services.iter().map(|name| service(name.as_str())).collect();
    for (span, time) in layout.spans.iter().zip(&layout.times) {
        let service = &mut services[span.service as usize];
        service.spans += 1;
        service.errors += u64::from(span.status == 2);
        service.self_ns = service.self_ns.saturating_add(time.self_ns);
        service.critical_ns = service.critical_ns.saturating_add(time.critical_path_ns);
    }
    services
}

/// The lines at their spans.
fn beside(lines: &[LineRecord], layout: &Layout, start_ns: u64) -> Lines {
    let mut rows: HashMap<SpanId, u32> = HashMap::new();
    let wanted: HashSet<SpanId> = lines.iter().filter_map(|line| SpanId::from_wire(&line.line.span_id)).collect();
    if !wanted.is_empty() {
        for (row, span) in (0..).zip(&layout.spans) {
            if let Some(id) = span.node.id.filter(|id| wanted.contains(id)) {
                rows.entry(id).or_insert(row);
            }
        }
    }
    let mut shown = Lines::default();
    for record in lines {
        let row = SpanId::from_wire(&record.line.span_id).and_then(|id| rows.get(&id).copied());
        shown.row.push(row.map_or(-1, i64::from));
        shown.time.push(record.time_ns.wrapping_sub(start_ns) as i64);
        shown.severity.push(record.line.severity_number);
        shown.text.push(text_of(record.line.body.as_ref()).chars().take(LINE_CHARS).collect());
    }
    shown
}

/// What a line says, in one text.
pub(super) fn text_of(body: Option<&AnyValue>) -> String {
    match body.and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::KvlistValue(list)) => {
            // Structured lines say it under one of these keys, mostly.
            let said = ["message", "msg", "body", "event"].into_iter().find_map(|key| {
                let entry = list.values.iter().find(|entry| entry.key == key)?;
                Some(text_of(entry.value.as_ref()))
            });
            said.unwrap_or_else(|| {
                let entries =
                    list.values.iter().map(|entry| format!("{}={}", entry.key, text_of(entry.value.as_ref())));
                entries.collect::<Vec<_>>().join(" ")
            })
        }
        Some(Value::ArrayValue(array)) => {
            array.values.iter().map(|value| text_of(Some(value))).collect::<Vec<_>>().join(" ")
        }
        Some(Value::IntValue(int)) => int.to_string(),
        Some(Value::DoubleValue(double)) => double.to_string(),
        Some(Value::BoolValue(is)) => is.to_string(),
        Some(Value::BytesValue(bytes)) => hex(bytes),
        _ => String::new(),
    }
}

impl Columns {
    /// Of these rows; those with lines are marked.
    fn of(layout: &Layout, rows: Range<usize>, with_lines: &[i64]) -> Self {
        let mut columns = Self::default();
        let first = rows.start;
        columns.id.reserve(rows.len() * 16);
        for row in rows {
            let LaidSpan { node, id, service, operation, status, flags, .. } = &layout.spans[row];
            columns.id.push_str(&hex(id));
            columns.parent.push(layout.parents[row].map_or(-1, i64::from));
            columns.depth.push(layout.depths[row]);
            columns.descendants.push(layout.descendants[row]);
            columns.service.push(*service);
            columns.operation.push(*operation);
            columns.start.push(node.start_ns - layout.start_ns);
            columns.duration.push(node.duration_ns());
            columns.own.push(layout.times[row].self_ns);
            columns.critical.push(layout.times[row].critical_path_ns);
            columns.kind.push(node.kind);
            columns.status.push(*status);
            columns.flags.push(*flags);
        }
        for &row in with_lines {
            let at = usize::try_from(row).ok().and_then(|row| row.checked_sub(first));
            if let Some(flags) = at.and_then(|at| columns.flags.get_mut(at)) {
                *flags |= flag::LINES;
            }
        }
        columns
    }
}

impl Overview {
    fn of(layout: &Layout) -> Self {
        let mut overview = Self::default();
        let every = layout.spans.len().div_ceil(OVERVIEW_MAX).max(1);
        for (row, span) in (0..).zip(&layout.spans).step_by(every) {
            overview.row.push(row);
            overview.start.push(span.node.start_ns - layout.start_ns);
            overview.duration.push(span.node.duration_ns());
            overview.service.push(span.service);
            overview.status.push(span.status);
        }
        overview
    }
}

#[cfg(test)]
mod tests;
