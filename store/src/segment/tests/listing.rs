//! A segment's lists of names stay short, whoever names how much.

use std::sync::Arc;

use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};

use super::{id, round_trip::write, shop::text};
use crate::{
    ask::span::{Operation, Operations},
    disk::Disk,
    segment::{Segment, manifest::OPERATIONS_MAX, merge},
};

/// Spans of a service, each of another name.
fn spans_of(service: &str, names: usize) -> ResourceSpans {
    let span = |n: usize| Span {
        trace_id: vec![1; 16],
        span_id: (n as u64 + 1).to_be_bytes().to_vec(),
        name: format!("GET /order/{n}"),
        kind: 2,
        ..Default::default()
    };
    ResourceSpans {
        resource: Some(Resource { attributes: vec![text("service.name", service)], ..Default::default() }),
        scope_spans: vec![ScopeSpans { spans: (0..names).map(span).collect(), ..Default::default() }],
        ..Default::default()
    }
}

pub(super) fn listed(segment: &Segment) -> Operations {
    let mut found = Operations::default();
    segment.add_operations(&mut found, None).expect("intact");
    found
}

#[test]
fn a_service_with_too_many_names_hides_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    // The last service comes after more names than are told apart.
    let services = [("order", OPERATIONS_MAX * 9), ("cart", 3), ("web", 1)];
    let resource_spans = services.iter().map(|&(service, names)| spans_of(service, names)).collect();
    let sealed = write(folder.path(), &[ExportTraceServiceRequest { resource_spans }], 1);
    let other = write(folder.path(), &[ExportTraceServiceRequest { resource_spans: vec![spans_of("aside", 2)] }], 2);
    let inputs = [Arc::new(sealed), Arc::new(other)];
    let merged = merge(&Disk::default(), folder.path(), &id(1, 2, 1), &inputs, 3, &|| false).expect("merged");
    for (segment, names) in
        [(&*inputs[0], vec!["cart", "order", "web"]), (&merged, vec!["aside", "cart", "order", "web"])]
    {
        let found = listed(segment);
        assert!(found.is_cut && !found.is_damaged);
        assert_eq!(Vec::from_iter(&found.services), names);
        assert!(found.list.len() <= OPERATIONS_MAX, "{}", found.list.len());
        for (service, names) in [("cart", 3), ("web", 1)] {
            let of_service = found.list.iter().filter(|operation| operation.service == service).count();
            assert_eq!(of_service, names, "whoever comes later has its names, too");
        }
    }
    let aside = Operation { service: "aside".into(), name: "GET /order/1".into(), kind: 2 };
    assert!(listed(&merged).list.contains(&aside), "small services have all of theirs");
}
