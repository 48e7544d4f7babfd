//! `/jaeger/api/v3/trace-summaries`: what a list of search results shows of each trace.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use weir_proto::{SpanId, otlp::messages::trace::v1::status::StatusCode};
use weir_store::SpanRecord;

use super::traces::each;
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        jaeger::trace::Shown,
        view::View,
    },
    trace::service,
    tree::Node,
};

#[derive(Debug, Serialize)]
struct Summaries {
    summaries: Vec<Summary>,
    /// Not Jaeger's: what is left out, if anything is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Jaeger's `TraceSummary`; times are text, as protobuf's JSON writes 64-bit numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    trace_id: String,
    root_service_name: String,
    root_operation_name: String,
    min_start_time_unix_nano: String,
    max_end_time_unix_nano: String,
    span_count: usize,
    error_span_count: usize,
    /// Spans whose parent is not here.
    orphan_span_count: usize,
    services: Vec<ServiceSummary>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSummary {
    name: String,
    span_count: usize,
    error_span_count: usize,
}

/// The newest traces that fit, as [`super::search`] finds them, each in brief.
pub(in crate::http) fn summaries(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let (mut summaries, mut cut) = (Vec::new(), Vec::new());
    let mut warnings = each(call, view, false, |shown| {
        let of_trace = shown.warnings();
        cut.extend(of_trace.into_iter().map(|warning| format!("trace {}: {warning}", shown.id)));
        summaries.push(Summary::of(&shown));
        drop(shown);
        call.let_rows_go();
    })?;
    warnings.append(&mut cut);
    let partial = !warnings.is_empty();
    let mut answer = Answer::json(&Summaries { summaries, warnings }, false)?;
    answer.partial = partial;
    Ok(answer)
}

impl Summary {
    fn of(shown: &Shown) -> Self {
        let is_error =
            |row: &SpanRecord| row.span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
        let ids: HashSet<_> = shown.rows.iter().filter_map(|row| SpanId::from_wire(&row.span.span_id)).collect();
        let mut services: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let (mut start_ns, mut end_ns, mut errors, mut orphans) = (u64::MAX, 0, 0, 0);
        // Without a parent, then without its parent, then the first.
        let mut root: Option<(u8, u64, &SpanRecord)> = None;
        for row in &shown.rows {
            let node = Node::of(row);
            let is_orphan = node.parent_id.is_some_and(|parent| !ids.contains(&parent));
            start_ns = start_ns.min(node.start_ns);
            end_ns = end_ns.max(node.end_ns);
            orphans += usize::from(is_orphan);
            let count = services.entry(service(&row.resource)).or_default();
            count.0 += 1;
            if is_error(row) {
                errors += 1;
                count.1 += 1;
            }
            let rank = if node.parent_id.is_none() { 0 } else { 2 - u8::from(is_orphan) };
            if root.is_none_or(|(other, other_ns, _)| (rank, node.start_ns) < (other, other_ns)) {
                root = Some((rank, node.start_ns, row));
            }
        }
        let root = root.map(|(.., row)| row);
        let service_summary = |(name, (span_count, error_span_count)): (&str, _)| ServiceSummary {
            name: name.to_owned(),
            span_count,
            error_span_count,
        };
        Self {
            trace_id: shown.id.to_string(),
            root_service_name: root.map_or_else(String::new, |row| service(&row.resource).to_owned()),
            root_operation_name: root.map_or_else(String::new, |row| row.span.name.clone()),
            min_start_time_unix_nano: start_ns.to_string(),
            max_end_time_unix_nano: end_ns.to_string(),
            span_count: shown.rows.len(),
            error_span_count: errors,
            orphan_span_count: orphans,
            services: services.into_iter().map(service_summary).collect(),
        }
    }
}
