//! Brings the spans of each trace together and finds the calls between them.
//!
//! A call is seen when both of its sides are. OpenTelemetry's sampling is consistent (<https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>):
//! what decides over one side decides over the other by the same number, so both are there exactly when the less probable one is.
//! A call therefore stands for as many as the side that stands for more.

use std::time::Instant;

use super::{
    call::{CallKind, CallLink, CallSpan, Code},
    graph::{Call, Graph},
};

/// Spans with one id that are looked at: more than a client and a server that share theirs are a sender's mistake.
const HOLDERS_MAX: usize = 16;

/// Links between two looks at the clock.
const LINKS_BETWEEN: usize = 1024;

/// Finds the calls in whole traces; whether it came to their end before the deadline. Sorts: n log n.
pub(super) fn join(spans: &mut Vec<CallSpan>, links: &mut Vec<CallLink>, graph: &mut Graph, deadline: Instant) -> bool {
    spans.sort_unstable_by_key(|span| (span.trace, span.id, span.service, span.kind));
    // What was sent twice is one span. One of the two may still wait for the verdict that gives it its weight.
    spans.dedup_by(|twin, span| {
        let is_twin = (twin.trace, twin.id, twin.service, twin.kind) == (span.trace, span.id, span.service, span.kind);
        if is_twin {
            span.weight = span.weight.max(twin.weight);
        }
        is_twin
    });
    links.sort_unstable_by_key(|link| (link.consumer, link.trace, link.id));
    links.dedup_by(|twin, link| {
        let is_twin = (twin.consumer, twin.trace, twin.id) == (link.consumer, link.trace, link.id);
        if is_twin {
            link.weight = link.weight.max(twin.weight);
        }
        is_twin
    });
    let mut answered = vec![false; spans.len()];
    for (at, link) in links.iter().enumerate() {
        if at % LINKS_BETWEEN == 0 && Instant::now() >= deadline {
            return false;
        }
        let Some(sender) = parent_of_children(spans, link.trace, link.id) else { continue };
        let sends = spans[sender].kind.calls();
        // Without a producer's span, a message carries the context of whatever sent it. But not every link is a message.
        if link.has_parent && !sends {
            continue;
        }
        answered[sender] = true;
        let is_error = link.is_error || sends && spans[sender].is_error;
        let weight = link.weight.max(spans[sender].weight);
        graph.add(spans[sender].service, link.service, Call { duration_ns: link.duration_ns, weight, is_error });
    }
    let mut begin = 0;
    for trace in spans.chunk_by(|a, b| a.trace == b.trace) {
        if Instant::now() >= deadline {
            return false;
        }
        join_trace(trace, &mut answered[begin..begin + trace.len()], graph);
        begin += trace.len();
    }
    true
}

/// The calls within a trace whose spans are sorted by id.
fn join_trace(spans: &[CallSpan], answered: &mut [bool], graph: &mut Graph) {
    for span in spans {
        let Some(parent) = parent(spans, span) else { continue };
        let caller = &spans[parent];
        if caller.service == span.service && !caller.kind.is_answered_by(span.kind) {
            continue;
        }
        answered[parent] = true;
        let is_error = span.is_error || caller.kind.calls() && caller.is_error;
        let weight = span.weight.max(caller.weight);
        graph.add(caller.service, span.service, Call { duration_ns: span.duration_ns, weight, is_error });
    }
    for (span, answered) in spans.iter().zip(answered) {
        if span.peer != Code::NOBODY && !*answered && span.kind.calls() {
            let call = Call { duration_ns: span.duration_ns, weight: span.weight, is_error: span.is_error };
            graph.add(span.service, span.peer, call);
        }
    }
}

/// A span's parent: the client that shares a server's id, else who has the children of the parent's id.
fn parent(spans: &[CallSpan], span: &CallSpan) -> Option<usize> {
    if span.kind == CallKind::Server {
        let shared = with_id(spans, span.trace, span.id);
        let client = shared.clone().find(|&other| spans[other].kind == CallKind::Client);
        if client.is_some() {
            return client;
        }
    }
    parent_of_children(spans, span.trace, span.parent)
}

/// Of the spans with an id, the one whose children name it: the server where a client and a server share it.
fn parent_of_children(spans: &[CallSpan], trace: u64, id: u64) -> Option<usize> {
    let mut shared = with_id(spans, trace, id);
    let is = |kind| move |&other: &usize| spans[other].kind == kind;
    let has_client = shared.clone().any(|other| spans[other].kind == CallKind::Client);
    let server = shared.clone().find(is(CallKind::Server)).filter(|_| has_client);
    server.or_else(|| shared.next())
}

/// Positions of the spans with an id, or of some if there are very many; none for 0.
fn with_id(spans: &[CallSpan], trace: u64, id: u64) -> std::ops::Range<usize> {
    if id == 0 {
        return 0..0;
    }
    let begin = spans.partition_point(|span| (span.trace, span.id) < (trace, id));
    let count = spans[begin..].iter().take(HOLDERS_MAX).take_while(|span| (span.trace, span.id) == (trace, id)).count();
    begin..begin + count
}
