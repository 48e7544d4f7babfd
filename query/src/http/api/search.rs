//! `/api/v1/search`: the newest traces with a span that fulfils conditions, each in brief, a page at a time.

use serde::Serialize;
use weir_proto::TraceId;

use super::{
    asked::{Asked, Because},
    range::Understood,
};
use crate::{
    explore::{
        newest::{PagePlace, page},
        plan::STATUSES,
        summary::{SpanInBrief, Summary, summaries},
    },
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
};

const LIMIT_DEFAULT: usize = 50;
/// Services of a trace that are named.
const SERVICES_MAX: usize = 30;

#[derive(Debug, Serialize)]
struct Body {
    range: Understood,
    partial: bool,
    partial_because: Because,
    /// Leads to the next page; null on the last.
    cursor: Option<String>,
    traces: Vec<TraceBody>,
}

#[derive(Debug, Serialize)]
struct TraceBody {
    trace_id: String,
    start_ns: String,
    duration_ns: u64,
    spans: u64,
    errors: u64,
    root: Option<RootBody>,
    /// That is not the root, but the first span that is here.
    root_is_missing: bool,
    services: Vec<ServiceBody>,
    services_left_out: usize,
    state: &'static str,
    policy: Option<String>,
    adjusted_count: f64,
    matched: Option<MatchedBody>,
    /// All of it was counted.
    is_whole: bool,
}

#[derive(Debug, Serialize)]
struct RootBody {
    service: String,
    operation: String,
    span_id: String,
}

#[derive(Debug, Serialize)]
struct ServiceBody {
    name: String,
    spans: u64,
    errors: u64,
}

#[derive(Debug, Serialize)]
struct MatchedBody {
    span_id: String,
    service: String,
    operation: String,
    start_ns: String,
    duration_ns: u64,
    status: &'static str,
}

/// Traces of which one span fulfils everything; newest first, by the newest such span.
pub(in crate::http) fn search(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let asked = Asked::of(call, u64::MAX)?;
    let limit = call.limit(LIMIT_DEFAULT)?;
    let after = call.first("cursor").map(read_cursor).transpose()?;
    let scan = |request| view.scan(&call.tenant, request);
    let found = page(&asked.plan, after, limit, &scan, call.deadline);
    let ids: Vec<TraceId> = found.traces.iter().map(|(_, id)| *id).collect();
    let mut summaries = summaries(&asked.plan, &ids, &scan, call.deadline);
    let mut because = Because::default();
    because.late(found.is_late || summaries.is_late);
    because.damaged(found.is_damaged || summaries.is_damaged, call);
    because.add(summaries.is_full, "the traces have too many spans to count");
    let is_whole = !summaries.is_late && !summaries.is_full && !summaries.is_damaged;
    let last = found.traces.last().copied().filter(|_| found.has_more || found.is_late);
    let traces = found.traces.iter();
    let body = Body {
        range: Understood::of(&asked.start_ns),
        partial: because.is_partial(),
        partial_because: because,
        cursor: last.map(|(start_ns, id)| format!("{start_ns}-{id}")),
        traces: traces
            .filter_map(|(_, id)| Some(TraceBody::of(*id, summaries.by_trace.remove(id)?, is_whole)))
            .collect(),
    };
    let answer = Answer::json_within(&call.allowance, &body, false)?.ok_or(Failure::Busy)?;
    Ok(answer.that_is_partial(body.partial))
}

/// What an answer's `cursor` says.
fn read_cursor(text: &str) -> Result<PagePlace, Failure> {
    let place = text.split_once('-').and_then(|(start_ns, id)| Some((start_ns.parse().ok()?, id.parse().ok()?)));
    place.ok_or_else(|| Failure::BadRequest("parameter 'cursor' is not one that an answer gave".into()))
}

impl TraceBody {
    fn of(id: TraceId, summary: Summary, is_whole: bool) -> Self {
        let services_left_out = summary.services.len().saturating_sub(SERVICES_MAX);
        let mut services: Vec<ServiceBody> =
            summary.services.into_iter().map(|(name, (spans, errors))| ServiceBody { name, spans, errors }).collect();
        services.sort_by(|a, b| b.spans.cmp(&a.spans).then_with(|| a.name.cmp(&b.name)));
        services.truncate(SERVICES_MAX);
        let root = |span: SpanInBrief| RootBody {
            service: span.service,
            operation: span.operation,
            span_id: span.id.to_string(),
        };
        Self {
            trace_id: id.to_string(),
            start_ns: summary.start_ns.to_string(),
            duration_ns: summary.end_ns.saturating_sub(summary.start_ns),
            spans: summary.spans,
            errors: summary.errors,
            root: summary.root.map(root),
            root_is_missing: summary.root_is_missing,
            services,
            services_left_out,
            state: if summary.is_pending { "pending" } else { "kept" },
            policy: summary.policy,
            adjusted_count: summary.adjusted_count,
            matched: summary.matched.map(MatchedBody::of),
            is_whole,
        }
    }
}

impl MatchedBody {
    fn of(span: SpanInBrief) -> Self {
        let status = usize::try_from(span.status).ok().and_then(|status| STATUSES.get(status));
        Self {
            span_id: span.id.to_string(),
            service: span.service,
            operation: span.operation,
            start_ns: span.start_ns.to_string(),
            duration_ns: span.duration_ns,
            status: status.copied().unwrap_or(STATUSES[0]),
        }
    }
}

#[cfg(test)]
mod tests;
