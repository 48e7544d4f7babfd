//! Brings the spans of each trace together and finds the calls between them.

use std::time::Instant;

use super::{
    call::{CallKind, CallLink, CallSpan},
    graph::Graph,
};

/// Spans with one id that are looked at: more than a client and a server that share theirs are a sender's mistake.
const HOLDERS_MAX: usize = 16;

/// Links between two looks at the clock.
const LINKS_BETWEEN: usize = 1024;

/// Finds the calls in whole traces; whether it came to their end before the deadline. Sorts: n log n.
pub(super) fn join(spans: &mut Vec<CallSpan>, links: &mut Vec<CallLink>, graph: &mut Graph, deadline: Instant) -> bool {
    spans.sort_unstable_by_key(|span| (span.trace, span.id, span.service, span.kind));
    // What was sent twice is one span.
    spans.dedup_by_key(|span| (span.trace, span.id, span.service, span.kind));
    links.sort_unstable_by_key(|link| (link.consumer, link.trace, link.id));
    links.dedup_by_key(|link| (link.consumer, link.trace, link.id));
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
        graph.add(spans[sender].service, link.service, link.duration_ns, is_error);
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
        graph.add(caller.service, span.service, span.duration_ns, is_error);
    }
    for (span, answered) in spans.iter().zip(answered) {
        if let Some(peer) = span.peer.filter(|_| !*answered && span.kind.calls()) {
            graph.add(span.service, peer, span.duration_ns, span.is_error);
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
