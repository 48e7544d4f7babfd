//! `/api/v1/trace/{id}/find`: the rows of a trace that have a text somewhere: names, attributes, events, ids, lines.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use regex::{Regex, RegexBuilder};
use serde::Serialize;
use weir_proto::{SpanId, ids::hex};
use weir_store::{Place, ScanColumn};

use super::{
    asked::{Because, number},
    columns::text_of,
    laid::{Laid, laid},
};
use crate::{
    explore::texts::Texts,
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

/// Rows that are named.
const MATCHES_MAX: usize = 100_000;
/// Bytes of a text to look for.
const TEXT_BYTES_MAX: usize = 1024;

/// Looked through as they are, then those that are JSON text.
const PLAIN: usize = 4;
const COLUMNS: [ScanColumn; 8] = [
    ScanColumn::Service,
    ScanColumn::Name,
    ScanColumn::StatusMessage,
    ScanColumn::ScopeName,
    ScanColumn::Attributes(Place::Span),
    ScanColumn::Attributes(Place::Resource),
    ScanColumn::Events,
    ScanColumn::Links,
];

#[derive(Debug, Serialize)]
struct Body<'a> {
    q: &'a str,
    matches: Vec<u32>,
    matches_left_out: usize,
    partial: bool,
    partial_because: Because,
}

/// Rows that have `q` in them, case ignored; `key=value` finds an attribute, too.
pub(in crate::http) fn within(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let text = call.first("q").ok_or_else(|| Failure::BadRequest("parameter 'q' is required".into()))?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(Failure::BadRequest(format!("parameter 'q' is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let matches_max = number(call, "limit", MATCHES_MAX, MATCHES_MAX)?;
    let sought = Sought::of(text)?;
    let mut laid = laid(call, view)?;
    let found = laid.rows_where(call, view, &COLUMNS, &|batch| sought.rows(batch))?;
    let Laid { layout, left_out, is_damaged, mut because, .. } = laid;
    let room = &mut |bytes| call.has_room(bytes);
    let of_trace = view.lines(&call.tenant, call.trace_id()?, None, call.rows_max(), room)?;
    because.add(of_trace.is_cut, "query.answer_bytes_max");
    let lines = of_trace.rows;
    if layout.spans.is_empty() && lines.is_empty() {
        return Err(super::columns::nothing(call, left_out, is_damaged));
    }
    let in_lines: HashSet<SpanId> = lines
        .iter()
        .filter(|record| sought.plain.is_match(&text_of(record.line.body.as_ref())))
        .filter_map(|record| SpanId::from_wire(&record.line.span_id))
        .collect();
    let lower = text.to_ascii_lowercase();
    let rows = (0..).zip(&layout.spans).filter(|(row, span)| {
        found[*row as usize]
            || span.node.id.is_some_and(|id| in_lines.contains(&id))
            || lower.len() >= 4 && hex(&span.id).contains(&lower)
    });
    let mut matches: Vec<u32> = rows.map(|(row, _)| row).collect();
    let matches_left_out = matches.len().saturating_sub(matches_max);
    matches.truncate(matches_max);
    let body = Body { q: text, matches, matches_left_out, partial: because.is_partial(), partial_because: because };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

/// A text to look for.
struct Sought {
    plain: Regex,
    /// As it stands in JSON text.
    in_json: Regex,
}

impl Sought {
    fn of(text: &str) -> Result<Self, Failure> {
        let pattern = |pattern: &str| {
            let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(4 << 20).build();
            built.map_err(|_| Failure::BadRequest("parameter 'q' is too long to look for".into()))
        };
        let escaped = |text: &str| {
            let quoted = serde_json::to_string(text).unwrap_or_default();
            regex::escape(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default())
        };
        let mut in_json = escaped(text);
        if let Some((key, value)) = text.split_once('=')
            && !key.trim().is_empty()
        {
            in_json = format!("{in_json}|\"{}\":\"?{}", escaped(key.trim()), escaped(value.trim()));
        }
        Ok(Self { plain: pattern(&regex::escape(text))?, in_json: pattern(&in_json)? })
    }

    fn rows(&self, batch: &RecordBatch) -> Vec<bool> {
        let mut found = vec![false; batch.num_rows()];
        for column in 0..COLUMNS.len() {
            let pattern = if column < PLAIN { &self.plain } else { &self.in_json };
            let texts = Texts::of(batch.column(column).as_ref());
            let of_code: Vec<bool> =
                (0..texts.codes() as u32).map(|code| pattern.is_match(texts.of_code(code))).collect();
            for (row, found) in found.iter_mut().enumerate() {
                *found |= texts.code(row).is_some_and(|code| of_code[code as usize]);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
