//! `/api/v1/trace/{id}/spans/{span}`: one span in full, with its resource, its scope, its lines, and its neighbours in the trace.

use arrow_array::RecordBatch;
use serde::Serialize;
use weir_proto::{
    SpanId,
    otlp::messages::{
        common::v1::{AnyValue, KeyValue, any_value::Value},
        logs::v1::LogRecord,
    },
};
use weir_store::{ScanColumn, SpanRecord};

use super::{
    asked::Because,
    columns::nothing,
    laid::{Laid, laid},
};
use crate::{
    critical_path::SpanTime,
    explore::{
        layout::{Layout, flag},
        texts::Texts,
    },
    http::{
        answer::{Answer, Failure},
        call::Call,
        otlp_json::{Detail, TracesData},
        view::View,
    },
    trace::{fold_resends, service},
};

/// Bytes of a text that are shown unless `whole=true`.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// Lines of a span.
const LINES_MAX: usize = 200;

#[derive(Debug, Serialize)]
struct Body<'a> {
    trace_id: String,
    span_id: String,
    row: Option<u32>,
    /// Spans that have this id.
    of_id: usize,
    service: &'a str,
    span: serde_json::Value,
    resource: serde_json::Value,
    scope: serde_json::Value,
    parent: Option<Neighbour<'a>>,
    children: usize,
    linked_from: Vec<Link>,
    cut: Vec<Cut>,
    /// At least.
    logs_left_out: usize,
    partial: bool,
    partial_because: Because,
}

#[derive(Debug, Serialize)]
struct Neighbour<'a> {
    row: u32,
    span_id: String,
    service: &'a str,
    operation: &'a str,
}

#[derive(Debug, Serialize)]
struct Link {
    span_id: String,
    row: u32,
}

/// A value that is not shown whole.
#[derive(Debug, Serialize)]
struct Cut {
    /// With `line.` before it where it is one of a line.
    key: String,
    /// Of the whole.
    bytes: usize,
}

/// The span of that id in that trace; `n` chooses among several, from 0.
pub(in crate::http) fn span(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let trace = call.trace_id()?;
    let text = call.segment("span").trim();
    let id: SpanId = text.parse().map_err(|error| Failure::BadRequest(format!("span id: {error}")))?;
    let number = match call.first("n") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Failure::BadRequest("parameter 'n' is not a number".into()))?,
    };
    let is_whole = call.flag("whole")?;
    let found = view.span(&call.tenant, trace, id, &mut |bytes| call.has_room(bytes))?;
    if found.rows.is_empty() {
        return Err(if found.is_cut { Failure::Busy } else { nothing_of(call, found.is_damaged) });
    }
    let mut rows = fold_resends(found.rows);
    let of_id = rows.len();
    let mut row: SpanRecord = rows.swap_remove(usize::min(number, of_id - 1));
    let needle = format!("\"{id}\"");
    let finds = |batch: &RecordBatch| -> Vec<bool> {
        let links = Texts::of(batch.column(0).as_ref());
        (0..batch.num_rows()).map(|row| links.text(row).is_some_and(|text| text.contains(&needle))).collect()
    };
    let mut laid = laid(call, view)?;
    let links_to_it = match laid.layout.spans.iter().any(|span| span.flags & flag::LINKS != 0) {
        true => laid.rows_where(call, view, &[ScanColumn::Links], &finds)?,
        false => Vec::new(),
    };
    let Laid { layout, mut because, .. } = laid;
    let at = at_row(&layout, id, &row);
    let mut cut = Vec::new();
    if !is_whole {
        shorten(&mut row, &mut cut);
    }
    let room = &mut |bytes| call.has_room(bytes);
    let found_lines = view.lines(&call.tenant, trace, Some(id), LINES_MAX + 1, room)?;
    because.add(found.is_cut || found_lines.is_cut, "query.answer_bytes_max");
    because.damaged(found.is_damaged || found_lines.is_damaged, call);
    let mut lines = found_lines.rows;
    let logs_left_out = lines.len().saturating_sub(LINES_MAX).max(usize::from(found_lines.is_cut));
    lines.truncate(LINES_MAX);
    if !is_whole {
        lines.iter_mut().for_each(|line| shorten_line(&mut line.line, &mut cut));
    }
    let times = [at.map_or_else(SpanTime::default, |at| layout.times[at as usize])];
    let rows = [row];
    let [row] = &rows;
    let data = TracesData::of(&rows, Detail::Times(&times), 0, false).with_lines(&lines, 0);
    let mut data = serde_json::to_value(&data).map_err(|error| Failure::Unwritable(error.to_string()))?;
    let parts = &mut data["resourceSpans"][0];
    let (resource, scope) = (parts["resource"].take(), parts["scopeSpans"][0]["scope"].take());
    let span = parts["scopeSpans"][0]["spans"][0].take();
    let linked_from = (0..).zip(layout.spans.iter().zip(links_to_it)).filter(|(_, (_, is_linked))| *is_linked);
    let body = Body {
        trace_id: trace.to_string(),
        span_id: id.to_string(),
        row: at,
        of_id,
        service: service(&row.resource),
        span,
        resource,
        scope,
        parent: at.and_then(|at| layout.parents[at as usize]).map(|parent| Neighbour::of(&layout, parent)),
        children: at.map_or(0, |at| layout.parents.iter().filter(|parent| **parent == Some(at)).count()),
        linked_from: linked_from
            .filter_map(|(row, (span, _))| Some(Link { span_id: span.node.id?.to_string(), row }))
            .take(100)
            .collect(),
        cut,
        logs_left_out,
        partial: because.is_partial(),
        partial_because: because,
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

fn nothing_of(call: &Call, is_damaged: bool) -> Failure {
    match nothing(call, 0, is_damaged) {
        Failure::NotFound(_) => {
            let (trace, span) = (call.segment("id"), call.segment("span"));
            Failure::NotFound(format!("span {span} of trace {trace} is not here"))
        }
        other => other,
    }
}

/// The row of a span, among those with its id.
fn at_row(layout: &Layout, id: SpanId, row: &SpanRecord) -> Option<u32> {
    let rows = layout.rows_of(id);
    let is_it = |at: &u32| {
        let node = &layout.spans[*at as usize].node;
        (node.start_ns, node.kind) == (row.span.start_time_unix_nano, row.span.kind)
            && layout.services[layout.spans[*at as usize].service as usize] == service(&row.resource)
    };
    rows.iter().copied().find(is_it).or_else(|| rows.first().copied())
}

impl<'a> Neighbour<'a> {
    fn of(layout: &'a Layout, row: u32) -> Self {
        let span = &layout.spans[row as usize];
        Self {
            row,
            span_id: weir_proto::ids::hex(&span.id),
            service: &layout.services[span.service as usize],
            operation: &layout.operations[span.operation as usize],
        }
    }
}

/// Cuts long texts, and says which.
fn shorten(row: &mut SpanRecord, cut: &mut Vec<Cut>) {
    let resource = std::sync::Arc::make_mut(&mut row.resource);
    let scope = std::sync::Arc::make_mut(&mut row.scope);
    let events = row.span.events.iter_mut().flat_map(|event| &mut event.attributes);
    let links = row.span.links.iter_mut().flat_map(|link| &mut link.attributes);
    let attributes = row.span.attributes.iter_mut().chain(events).chain(links);
    for KeyValue { key, value, .. } in attributes.chain(&mut resource.attributes).chain(&mut scope.attributes) {
        if let Some(AnyValue { value: Some(value) }) = value {
            shorten_value(key, value, cut);
        }
    }
    if let Some(status) = &mut row.span.status {
        shorten_text("status.message", &mut status.message, cut);
    }
    for event in &mut row.span.events {
        shorten_text("event.name", &mut event.name, cut);
    }
    shorten_text("name", &mut row.span.name, cut);
}

/// The same of a line beside it.
fn shorten_line(line: &mut LogRecord, cut: &mut Vec<Cut>) {
    if let Some(AnyValue { value: Some(body) }) = &mut line.body {
        shorten_value("line.body", body, cut);
    }
    for KeyValue { key, value, .. } in &mut line.attributes {
        if let Some(AnyValue { value: Some(value) }) = value {
            shorten_value(&format!("line.{key}"), value, cut);
        }
    }
}

fn shorten_value(key: &str, value: &mut Value, cut: &mut Vec<Cut>) {
    match value {
        Value::StringValue(text) => shorten_text(key, text, cut),
        Value::BytesValue(bytes) if bytes.len() > VALUE_BYTES_MAX => {
            cut.push(Cut { key: key.to_owned(), bytes: bytes.len() });
            bytes.truncate(VALUE_BYTES_MAX);
        }
        // As deep as admission lets values go.
        Value::ArrayValue(array) => {
            for value in array.values.iter_mut().filter_map(|value| value.value.as_mut()) {
                shorten_value(key, value, cut);
            }
        }
        Value::KvlistValue(list) => {
            for entry in &mut list.values {
                if let Some(value) = entry.value.as_mut().and_then(|value| value.value.as_mut()) {
                    shorten_value(key, value, cut);
                }
            }
        }
        _ => {}
    }
}

fn shorten_text(key: &str, text: &mut String, cut: &mut Vec<Cut>) {
    if text.len() > VALUE_BYTES_MAX {
        cut.push(Cut { key: key.to_owned(), bytes: text.len() });
        text.truncate(text.floor_char_boundary(VALUE_BYTES_MAX));
    }
}

#[cfg(test)]
mod tests;
