//! Zipkin's way of sharing a span id between client and server, undone: readers expect one span per id.

use std::collections::{HashMap, HashSet};

use weir_proto::otlp::messages::trace::v1::span::SpanKind;
use weir_store::SpanRecord;

/// Gives server spans that share their id with a client span an id of their own, as Jaeger does: the client span
/// becomes their parent, and the shared id's children become theirs.
pub(super) fn separate_shared_ids(rows: &mut [SpanRecord]) {
    let mut client_ids = HashSet::new();
    let mut used_ids = HashSet::with_capacity(rows.len());
    for row in rows.iter() {
        if row.span.kind == SpanKind::Client as i32 {
            client_ids.insert(row.span.span_id.clone());
        }
        used_ids.insert(row.span.span_id.clone());
    }
    let mut next: u64 = 0;
    let mut new_ids: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut server_halves = HashSet::new();
    for row in rows.iter_mut() {
        if row.span.kind != SpanKind::Server as i32 || !client_ids.contains(&row.span.span_id) {
            continue;
        }
        let new_id = loop {
            next += 1;
            let id = next.to_be_bytes().to_vec();
            if !used_ids.contains(&id) {
                break id;
            }
        };
        let shared_id = std::mem::replace(&mut row.span.span_id, new_id.clone());
        row.span.parent_span_id.clone_from(&shared_id);
        server_halves.insert(new_id.clone());
        new_ids.insert(shared_id, new_id);
    }
    if new_ids.is_empty() {
        return;
    }
    for row in rows {
        let Some(new_parent) = new_ids.get(&row.span.parent_span_id) else {
            continue;
        };
        // The server spans themselves stay children of the client.
        if !server_halves.contains(&row.span.span_id) {
            row.span.parent_span_id.clone_from(new_parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::{record, span_id};

    fn of_kind(service: &str, id: u8, parent: u8, kind: SpanKind) -> SpanRecord {
        let mut row = record(service, id, 100);
        row.span.kind = kind as i32;
        row.span.parent_span_id = if parent == 0 { Vec::new() } else { span_id(parent) };
        row
    }

    fn shape(rows: &[SpanRecord]) -> Vec<(u8, u8)> {
        rows.iter().map(|row| (row.span.span_id[7], row.span.parent_span_id.last().copied().unwrap_or(0))).collect()
    }

    #[test]
    fn the_server_half_becomes_a_child_and_takes_the_children() {
        let mut rows = vec![
            of_kind("web", 1, 0, SpanKind::Server),
            of_kind("web", 9, 1, SpanKind::Client),
            of_kind("cart", 9, 1, SpanKind::Server),
            of_kind("cart", 4, 9, SpanKind::Internal),
        ];
        separate_shared_ids(&mut rows);
        // 1 is taken, so the server half of 9 becomes 2.
        assert_eq!(shape(&rows), [(1, 0), (9, 1), (2, 9), (4, 2)]);
    }

    #[test]
    fn a_retried_call_has_two_server_halves() {
        let mut rows = vec![
            of_kind("web", 9, 0, SpanKind::Client),
            of_kind("cart", 9, 0, SpanKind::Server),
            of_kind("cart", 9, 0, SpanKind::Server),
            of_kind("cart", 4, 9, SpanKind::Internal),
        ];
        separate_shared_ids(&mut rows);
        assert_eq!(shape(&rows), [(9, 0), (1, 9), (2, 9), (4, 2)]);
    }

    #[test]
    fn spans_of_their_own_stay_as_they_are() {
        let mut rows = vec![of_kind("web", 1, 0, SpanKind::Client), of_kind("cart", 2, 1, SpanKind::Server)];
        let before = rows.clone();
        separate_shared_ids(&mut rows);
        assert_eq!(rows, before);
    }
}
