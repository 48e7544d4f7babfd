//! Segments, written and read back.

mod archived;
mod bodies_back;
mod body_ends;
pub(crate) mod colliding;
mod damage;
mod figures;
mod implied;
mod labels_of_fields;
mod large;
mod listing;
mod merging;
mod odd;
pub(crate) mod older;
mod picked;
mod round_trip;
mod sampled;
mod scanned;
pub(crate) mod searching;
pub(crate) mod shop;

use std::sync::Arc;

use weir_proto::{
    Signal, TenantId,
    otlp::messages::{collector::trace::v1::ExportTraceServiceRequest, common::v1::KeyValue},
};

use crate::{
    ask::span::{SpanRecord, SpanState},
    segment::SegmentId,
};

/// A segment's id.
fn id(first_file: u32, last_file: u32, generation: u32) -> SegmentId {
    SegmentId { signal: Signal::Traces, tenant: TenantId::default(), first_file, last_file, generation }
}

/// The spans of a request as a segment should return them.
fn records(request: &ExportTraceServiceRequest) -> Vec<SpanRecord> {
    let mut records = Vec::new();
    for resource_spans in &request.resource_spans {
        let resource = Arc::new(resource_spans.resource.clone().unwrap_or_default());
        for scope_spans in &resource_spans.scope_spans {
            let scope = Arc::new(scope_spans.scope.clone().unwrap_or_default());
            for span in &scope_spans.spans {
                records.push(SpanRecord {
                    span: span.clone(),
                    resource: resource.clone(),
                    scope: scope.clone(),
                    state: SpanState::Kept,
                    adjusted_count: 1.0,
                });
            }
        }
    }
    records
}

/// What may differ between a span and its record (the order of attributes, a status without content) made equal.
fn normal(mut record: SpanRecord) -> SpanRecord {
    sort(&mut record.span.attributes);
    sort(&mut Arc::make_mut(&mut record.resource).attributes);
    if record.span.status == Some(Default::default()) {
        record.span.status = None;
    }
    record
}

fn sort(attributes: &mut [KeyValue]) {
    attributes.sort_by_key(|attribute| format!("{attribute:?}"));
}

/// Compares as text: NaN equals itself there.
fn assert_same(got: Vec<SpanRecord>, wanted: Vec<SpanRecord>) {
    assert_eq!(got.len(), wanted.len());
    for (got, wanted) in got.into_iter().zip(wanted) {
        assert_eq!(format!("{:#?}", normal(got)), format!("{:#?}", normal(wanted)));
    }
}
