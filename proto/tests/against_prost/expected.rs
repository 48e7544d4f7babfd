//! One row for each span of a decoded request.

use prost::Message;
use weir_proto::otlp::messages::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{Span, Status},
};

/// A span and what surrounds it, as prost's types.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) ordinal: u32,
    pub(crate) resource_ordinal: u32,
    pub(crate) scope_ordinal: u32,
    pub(crate) resource: Resource,
    pub(crate) resource_schema_url: String,
    pub(crate) service: String,
    pub(crate) scope: InstrumentationScope,
    pub(crate) scope_schema_url: String,
    pub(crate) span: Span,
}

impl Row {
    /// Every part of it, to be compared bit by bit.
    pub(crate) fn encoded(&self) -> Vec<Vec<u8>> {
        let ordinals = [self.ordinal, self.resource_ordinal, self.scope_ordinal];
        vec![
            ordinals.iter().flat_map(|ordinal| ordinal.to_le_bytes()).collect(),
            self.resource.encode_to_vec(),
            self.resource_schema_url.clone().into_bytes(),
            self.service.clone().into_bytes(),
            self.scope.encode_to_vec(),
            self.scope_schema_url.clone().into_bytes(),
            self.span.encode_to_vec(),
        ]
    }
}

/// The rows that a scan should show of what prost decoded.
pub(crate) fn expected_rows(request: ExportTraceServiceRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut scope_ordinal = 0;
    for (resource_ordinal, resource_spans) in request.resource_spans.into_iter().enumerate() {
        let mut resource = resource_spans.resource.unwrap_or_default();
        resource.entity_refs.clear();
        let service = service(&resource);
        simplify(&mut resource.attributes);
        for scope_spans in resource_spans.scope_spans {
            let mut scope = scope_spans.scope.unwrap_or_default();
            simplify(&mut scope.attributes);
            for mut span in scope_spans.spans {
                simplify(&mut span.attributes);
                span.events.iter_mut().for_each(|event| simplify(&mut event.attributes));
                span.links.iter_mut().for_each(|link| simplify(&mut link.attributes));
                span.status.get_or_insert(Status::default());
                rows.push(Row {
                    ordinal: rows.len() as u32,
                    resource_ordinal: resource_ordinal as u32,
                    scope_ordinal,
                    resource: resource.clone(),
                    resource_schema_url: resource_spans.schema_url.clone(),
                    service: service.clone(),
                    scope: scope.clone(),
                    scope_schema_url: scope_spans.schema_url.clone(),
                    span,
                });
            }
            scope_ordinal += 1;
        }
    }
    rows
}

/// The first `service.name` that is one.
pub(crate) fn service(resource: &Resource) -> String {
    let named = resource.attributes.iter().find_map(|attribute| match &attribute.value {
        Some(AnyValue { value: Some(Value::StringValue(name)) }) => {
            (attribute.key == "service.name" && !name.is_empty()).then(|| name.clone())
        }
        _ => None,
    });
    named.unwrap_or_else(|| "unknown_service".into())
}

/// Takes away what views do not show: the indexes that belong to profiles, and the difference between no AnyValue and an empty one.
pub(crate) fn simplify(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        attribute.key_strindex = 0;
        simplify_value(attribute.value.get_or_insert_default());
    }
}

pub(crate) fn simplify_value(any: &mut AnyValue) {
    match &mut any.value {
        Some(Value::StringValueStrindex(_)) => any.value = None,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(simplify_value),
        Some(Value::KvlistValue(list)) => simplify(&mut list.values),
        _ => {}
    }
}
