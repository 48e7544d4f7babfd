//! Writes some of a payload's spans as a payload of their own, each with the tracestate that it should have.

use super::{ResourceView, ScannedSpan, ScopeView};
use crate::otlp::wire::{Cursor, WireError, bytes_key};

const TRACE_STATE_FIELD: u32 = 3;
const TRACE_STATE: u32 = bytes_key(TRACE_STATE_FIELD);

/// Takes spans in the order of the scan; keeps resources and scopes of those it gets. Unknown fields of ResourceSpans and
/// ScopeSpans are lost, those of resources, scopes and spans stay.
#[derive(Debug, Default)]
pub struct Rewriter<'a> {
    out: Vec<u8>,
    resource: Option<(u32, ResourceView<'a>)>,
    /// Of the resource that is open: its ScopeSpans so far.
    scopes: Vec<u8>,
    scope: Option<(u32, ScopeView<'a>)>,
    /// Of the scope that is open: its spans so far.
    spans: Vec<u8>,
}

impl<'a> Rewriter<'a> {
    /// Room for a payload of so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a span; with `trace_state` instead of its own when there is one.
    pub fn push(&mut self, scanned: &ScannedSpan<'a>, trace_state: Option<&[u8]>) -> Result<(), WireError> {
        if self.resource.is_none_or(|(ordinal, _)| ordinal != scanned.resource_ordinal) {
            self.close_resource();
            self.resource = Some((scanned.resource_ordinal, scanned.resource));
        }
        if self.scope.is_none_or(|(ordinal, _)| ordinal != scanned.scope_ordinal) {
            self.close_scope();
            self.scope = Some((scanned.scope_ordinal, scanned.scope));
        }
        match trace_state {
            None => bytes_field(2, scanned.span.bytes, &mut self.spans),
            Some(trace_state) => bytes_field(2, &with_trace_state(scanned.span.bytes, trace_state)?, &mut self.spans),
        }
        Ok(())
    }

    /// The payload.
    pub fn finish(mut self) -> Vec<u8> {
        self.close_resource();
        self.out
    }

    fn close_scope(&mut self) {
        let Some((_, scope)) = self.scope.take() else { return };
        let mut message = Vec::with_capacity(scope.bytes.len() + self.spans.len() + 16);
        if !scope.bytes.is_empty() {
            bytes_field(1, scope.bytes, &mut message);
        }
        message.append(&mut self.spans);
        if !scope.schema_url.is_empty() {
            bytes_field(3, scope.schema_url, &mut message);
        }
        bytes_field(2, &message, &mut self.scopes);
    }

    fn close_resource(&mut self) {
        self.close_scope();
        let Some((_, resource)) = self.resource.take() else { return };
        let mut message = Vec::with_capacity(resource.bytes.len() + self.scopes.len() + 16);
        if !resource.bytes.is_empty() {
            bytes_field(1, resource.bytes, &mut message);
        }
        message.append(&mut self.scopes);
        if !resource.schema_url.is_empty() {
            bytes_field(3, resource.schema_url, &mut message);
        }
        bytes_field(1, &message, &mut self.out);
    }
}

/// The span with another tracestate, in the place of the old one or at the end.
fn with_trace_state(span: &[u8], trace_state: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(span.len() + trace_state.len() + 3);
    let mut written = false;
    let mut cursor = Cursor::new(span);
    while !cursor.is_empty() {
        let start = span.len() - cursor.left();
        let key = cursor.key()?;
        if key != TRACE_STATE {
            cursor.skip(key)?;
            out.extend_from_slice(&span[start..span.len() - cursor.left()]);
            continue;
        }
        cursor.bytes()?;
        if !std::mem::replace(&mut written, true) {
            bytes_field(TRACE_STATE_FIELD, trace_state, &mut out);
        }
    }
    if !written {
        bytes_field(TRACE_STATE_FIELD, trace_state, &mut out);
    }
    Ok(out)
}

fn bytes_field(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    out.push((field << 3 | 2) as u8);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::otlp::{
        messages::{
            collector::trace::v1::ExportTraceServiceRequest,
            common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
            resource::v1::Resource,
            trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
        },
        traces::{Checks, scan},
    };

    fn request(resources: &[&[&[u8]]]) -> ExportTraceServiceRequest {
        let span = |number: &u8| Span {
            trace_id: vec![*number; 16],
            span_id: vec![*number; 8],
            trace_state: if number.is_multiple_of(2) { format!("n={number}") } else { String::new() },
            name: "x".repeat(usize::from(*number)),
            status: Some(Status { code: 2, message: "m".repeat(200) }),
            flags: 1,
            ..Span::default()
        };
        let resource_spans = resources.iter().enumerate().map(|(index, scopes)| ResourceSpans {
            resource: (index > 0).then(|| Resource {
                attributes: vec![KeyValue {
                    key: "n".into(),
                    value: Some(AnyValue { value: Some(Value::IntValue(index as i64)) }),
                    ..KeyValue::default()
                }],
                ..Resource::default()
            }),
            scope_spans: scopes
                .iter()
                .map(|numbers| ScopeSpans {
                    scope: (index > 0).then(|| InstrumentationScope { name: "s".into(), ..Default::default() }),
                    spans: numbers.iter().map(span).collect(),
                    schema_url: "scope".into(),
                })
                .collect(),
            schema_url: "resource".into(),
        });
        ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
    }

    fn rewritten(
        before: &ExportTraceServiceRequest,
        trace_state: impl Fn(u8) -> Option<Option<&'static str>>,
    ) -> ExportTraceServiceRequest {
        let payload = before.encode_to_vec();
        let mut rewriter = Rewriter::with_capacity(10);
        scan(&payload, Checks::Journalled, |scanned| {
            if let Some(trace_state) = trace_state(scanned.span.trace_id[0]) {
                rewriter.push(scanned, trace_state.map(str::as_bytes)).expect("well formed");
            }
        })
        .expect("well formed");
        ExportTraceServiceRequest::decode(&*rewriter.finish()).expect("well formed")
    }

    #[test]
    fn all_spans_as_they_are() {
        let before = request(&[&[&[1, 2], &[3]], &[&[4]]]);
        assert_eq!(rewritten(&before, |_| Some(None)), before);
    }

    #[test]
    fn some_spans_and_their_surroundings() {
        let before = request(&[&[&[1, 2], &[3]], &[&[4], &[5, 6]], &[&[7]]]);
        let after = rewritten(&before, |number| [1, 5, 6].contains(&number).then_some(None));
        let mut expected = request(&[&[&[1]], &[&[5, 6]]]);
        assert_eq!(after, expected);
        assert_eq!(rewritten(&before, |_| None), ExportTraceServiceRequest::default());

        let after = rewritten(&before, |number| [1, 5, 6].contains(&number).then_some(Some("ot=th:8")));
        for resource in &mut expected.resource_spans {
            for span in resource.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
                span.trace_state = "ot=th:8".into();
            }
        }
        assert_eq!(after, expected);
    }
}
