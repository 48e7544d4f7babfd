//! Leaves attributes beyond a number out and counts them as dropped, as SDKs do with those beyond their own limit.

use super::{
    logs::IMPLIED_FIELD,
    wire::{Cursor, WireError, Writer, bytes_key, varint_key},
};
use crate::Signal;

/// A message with attributes in it, or in what it holds.
struct Shape {
    /// Fields of its attributes and of the number of those dropped.
    attributes: Option<(u32, u32)>,
    /// Fields that hold such messages.
    children: &'static [(u32, &'static Shape)],
    /// How many bytes its length usually takes.
    length_bytes: usize,
}

static TRACES: Shape = Shape { attributes: None, children: &[(1, &RESOURCE_SPANS)], length_bytes: 4 };
static RESOURCE_SPANS: Shape =
    Shape { attributes: None, children: &[(1, &RESOURCE), (2, &SCOPE_SPANS)], length_bytes: 3 };
static LOGS: Shape = Shape { attributes: None, children: &[(1, &RESOURCE_LOGS)], length_bytes: 4 };
static METRICS: Shape = Shape { attributes: None, children: &[], length_bytes: 4 };
static RESOURCE_LOGS: Shape =
    Shape { attributes: None, children: &[(1, &RESOURCE), (2, &SCOPE_LOGS)], length_bytes: 3 };
static SCOPE_LOGS: Shape = Shape { attributes: None, children: &[(1, &SCOPE), (2, &LINE)], length_bytes: 3 };
static LINE: Shape = Shape { attributes: Some((6, 7)), children: &[], length_bytes: 2 };
static RESOURCE: Shape = Shape { attributes: Some((1, 2)), children: &[], length_bytes: 2 };
static SCOPE_SPANS: Shape = Shape { attributes: None, children: &[(1, &SCOPE), (2, &SPAN)], length_bytes: 3 };
static SCOPE: Shape = Shape { attributes: Some((3, 4)), children: &[], length_bytes: 1 };
static SPAN: Shape = Shape { attributes: Some((9, 10)), children: &[(11, &EVENT), (13, &LINK)], length_bytes: 2 };
static EVENT: Shape = Shape { attributes: Some((3, 4)), children: &[], length_bytes: 1 };
static LINK: Shape = Shape { attributes: Some((4, 5)), children: &[], length_bytes: 1 };

/// The payload with `attributes_max` attributes at the most in each span, event, link, log record, resource and scope: the first ones.
/// The others are counted in `dropped_attributes_count`. Everything else stays as it is, in its order.
pub fn with_attributes_max(signal: Signal, payload: &[u8], attributes_max: u32) -> Result<Vec<u8>, WireError> {
    let mut out = Writer::with_capacity(payload.len());
    let request = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        // Their attributes are labels: a point with too many is refused, none is left out.
        Signal::Metrics => &METRICS,
    };
    copy(payload, request, attributes_max, &mut out).map_err(|error| error.within(payload))?;
    Ok(out.into_bytes())
}

/// Four messages lie in each other at the deepest.
fn copy(message: &[u8], shape: &Shape, attributes_max: u32, out: &mut Writer) -> Result<(), WireError> {
    let (attributes, dropped) = shape.attributes.unwrap_or_default();
    let (mut kept_count, mut dropped_count) = (0, 0_u64);
    let has_surplus = surplus(message, attributes)? > attributes_max;
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let start = message.len() - cursor.left();
        let key = cursor.key()?;
        if let Some((field, child)) = shape.children.iter().find(|(field, _)| key == bytes_key(*field)) {
            let content = cursor.bytes()?;
            let open = out.begin(*field, child.length_bytes);
            copy(content, child, attributes_max, out)?;
            out.end(open);
            continue;
        }
        // Where somebody else's lines have it, it says nothing.
        if key == varint_key(IMPLIED_FIELD) {
            cursor.varint()?;
            continue;
        }
        if has_surplus && key == varint_key(dropped) {
            dropped_count = cursor.varint()?;
            continue;
        }
        cursor.skip(key)?;
        if has_surplus && key == bytes_key(attributes) {
            kept_count += 1;
            if kept_count > attributes_max {
                continue;
            }
        }
        out.append(&message[start..message.len() - cursor.left()]);
    }
    if has_surplus {
        let count = dropped_count.saturating_add(u64::from(kept_count - attributes_max));
        out.varint(dropped, count.min(u32::MAX.into()));
    }
    Ok(())
}

/// How often a field is there; 0 stands for none.
fn surplus(message: &[u8], field: u32) -> Result<u32, WireError> {
    let mut count = 0;
    let mut cursor = Cursor::new(message);
    while field > 0 && !cursor.is_empty() {
        let key = cursor.key()?;
        cursor.skip(key)?;
        count += u32::from(key == bytes_key(field));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::otlp::messages::{
        collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
        common::v1::{InstrumentationScope, KeyValue},
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        resource::v1::Resource,
        trace::v1::{
            ResourceSpans, ScopeSpans, Span, Status,
            span::{Event, Link},
        },
    };

    fn keys(count: usize) -> Vec<KeyValue> {
        (0..count).map(|number| KeyValue { key: format!("k{number}"), ..KeyValue::default() }).collect()
    }

    fn request(count: usize, kept: usize, dropped: u32) -> ExportTraceServiceRequest {
        let (attributes, dropped_attributes_count) = (keys(kept.min(count)), dropped);
        let event =
            Event { name: "e".into(), attributes: attributes.clone(), dropped_attributes_count, ..Event::default() };
        let link =
            Link { trace_id: vec![1; 16], attributes: attributes.clone(), dropped_attributes_count, ..Link::default() };
        let span = Span {
            trace_id: vec![1; 16],
            name: "s".repeat(200),
            attributes: attributes.clone(),
            dropped_attributes_count,
            events: vec![event.clone(), event],
            links: vec![link],
            status: Some(Status { code: 2, message: "no".into() }),
            ..Span::default()
        };
        let scope = InstrumentationScope {
            name: "n".into(),
            attributes: attributes.clone(),
            dropped_attributes_count,
            ..InstrumentationScope::default()
        };
        let scope_spans = ScopeSpans { scope: Some(scope), spans: vec![span.clone(), span], schema_url: "u".into() };
        let resource = Resource { attributes, dropped_attributes_count, ..Resource::default() };
        let resource_spans =
            ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], schema_url: "v".into() };
        ExportTraceServiceRequest { resource_spans: vec![resource_spans.clone(), resource_spans] }
    }

    #[test]
    fn the_first_attributes_stay_and_the_others_are_counted() {
        for (count, before, max, dropped) in
            [(7, 0, 5, 2), (7, 3, 5, 5), (5, 3, 5, 3), (0, 0, 5, 0), (300, 1, 0, 301), (6, u32::MAX, 5, u32::MAX)]
        {
            let payload = request(count, count, before).encode_to_vec();
            let trimmed = with_attributes_max(Signal::Traces, &payload, max).expect("well formed");
            let decoded = ExportTraceServiceRequest::decode(&*trimmed).expect("well formed");
            assert_eq!(decoded, request(count, max as usize, dropped), "{count} {before} {max}");
        }
    }

    #[test]
    fn so_do_those_of_log_records() {
        let request = |kept: usize, dropped_attributes_count| {
            let line = LogRecord {
                trace_id: vec![1; 16],
                severity_number: 9,
                attributes: keys(kept),
                dropped_attributes_count,
                ..LogRecord::default()
            };
            let scope_logs = vec![ScopeLogs { log_records: vec![line.clone(), line], ..ScopeLogs::default() }];
            let resource = Resource { attributes: keys(kept), dropped_attributes_count, ..Resource::default() };
            let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..ResourceLogs::default() }];
            ExportLogsServiceRequest { resource_logs }
        };
        let trimmed = with_attributes_max(Signal::Logs, &request(7, 1).encode_to_vec(), 5).expect("well formed");
        assert_eq!(ExportLogsServiceRequest::decode(&*trimmed).expect("well formed"), request(5, 3));
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let payload = request(7, 7, 0).encode_to_vec();
        for length in 1..payload.len() {
            // Some lengths end a message of the outermost one.
            if let Ok(trimmed) = with_attributes_max(Signal::Traces, &payload[..length], 5) {
                ExportTraceServiceRequest::decode(&*trimmed).expect("whole");
            }
        }
    }
}
