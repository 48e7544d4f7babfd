//! Decodes whole spans: every column of a few rows.

use std::sync::Arc;

use weir_proto::otlp::messages::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{Span, Status},
};

use super::{
    SegmentError,
    chunk_reader::{Block, ChunkReader},
    events,
    json::{self, BadJson},
    schema::{ITEM_PREFIX, RESOURCE_PREFIX, fixed},
};
use crate::ask::span::{SpanRecord, SpanState};
use crate::columns::{Column, ColumnSpec, Kind};

/// A span on its way.
#[derive(Debug, Default)]
struct Draft {
    span: Span,
    duration_ns: u64,
    end_ns: Option<u64>,
    status: Status,
    adjusted_count: Option<f64>,
    resource: Resource,
    scope: InstrumentationScope,
}

/// Rows that become messages at a time. In columns a text is there once, in messages once in each.
pub(super) const ROWS_AT_ONCE: usize = 16;

/// Makes the spans at these rows (ascending) of a row group, one after the other, until `take` has enough and says no.
pub(super) fn read(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: &[u32],
    take: &mut dyn FnMut(SpanRecord) -> bool,
) -> Result<(), SegmentError> {
    reader.prefetch(group, 0..reader.specs.len(), rows);
    let mut blocks = Vec::new();
    for (number, spec) in reader.specs.iter().enumerate() {
        if !reader.is_empty(group, number) {
            blocks.push((number, spec, reader.read_rows(group, number, rows)?));
        }
    }
    let mut before = None;
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut drafts: Vec<Draft> = rows.iter().map(|_| Draft::default()).collect();
        for (number, spec, block) in &blocks {
            fill(&mut drafts, rows, *number, spec, block)
                .map_err(|error| SegmentError::damaged(format!("row group {group}, column {}: {error}", spec.name)))?;
        }
        for draft in drafts {
            if !take(draft.finish(&mut before)) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn fill(drafts: &mut [Draft], rows: &[u32], number: usize, spec: &ColumnSpec, block: &Block) -> Result<(), BadJson> {
    for (draft, &row) in drafts.iter_mut().zip(rows) {
        let Some(at) = block.position(row) else { continue };
        let column = &block.column;
        if number < fixed::SPECS.len() {
            draft.set(number, column, at)?;
        } else if let Some(key) = spec.name.strip_prefix(ITEM_PREFIX) {
            draft.span.attributes.push(attribute(key, spec.kind, column, at)?);
        } else if let Some(key) = spec.name.strip_prefix(RESOURCE_PREFIX) {
            draft.resource.attributes.push(attribute(key, spec.kind, column, at)?);
        }
    }
    Ok(())
}

/// A promoted attribute's value as a message.
pub(super) fn attribute(key: &str, kind: Kind, column: &Column, at: usize) -> Result<KeyValue, BadJson> {
    let value = match kind {
        Kind::Text => Value::StringValue(text(column.bytes(at))?),
        Kind::Bool => Value::BoolValue(column.word(at) != 0),
        Kind::Double => Value::DoubleValue(f64::from_bits(column.word(at))),
        Kind::Json => {
            return Ok(KeyValue {
                key: key.to_owned(),
                value: Some(json::read_value(column.bytes(at))?),
                ..Default::default()
            });
        }
        _ => Value::IntValue(column.word(at) as i64),
    };
    Ok(KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() })
}

/// A text of a column.
pub(super) fn text(bytes: &[u8]) -> Result<String, BadJson> {
    json::utf8(bytes).map(str::to_owned)
}

impl Draft {
    fn set(&mut self, number: usize, column: &Column, at: usize) -> Result<(), BadJson> {
        let span = &mut self.span;
        match number {
            fixed::TRACE_ID => span.trace_id = column.bytes(at).to_vec(),
            fixed::SPAN_ID => span.span_id = column.word(at).to_le_bytes().to_vec(),
            fixed::PARENT_SPAN_ID => span.parent_span_id = column.word(at).to_le_bytes().to_vec(),
            fixed::START_TIME => span.start_time_unix_nano = column.word(at),
            fixed::DURATION => self.duration_ns = column.word(at),
            fixed::END_TIME => self.end_ns = Some(column.word(at)),
            fixed::NAME => span.name = text(column.bytes(at))?,
            fixed::KIND => span.kind = column.word(at) as i32,
            fixed::STATUS_CODE => self.status.code = column.word(at) as i32,
            fixed::STATUS_MESSAGE => self.status.message = text(column.bytes(at))?,
            fixed::TRACE_STATE => span.trace_state = text(column.bytes(at))?,
            fixed::FLAGS => span.flags = column.word(at) as u32,
            fixed::ADJUSTED_COUNT => self.adjusted_count = Some(f64::from_bits(column.word(at))),
            fixed::DROPPED_ATTRIBUTES => span.dropped_attributes_count = column.word(at) as u32,
            fixed::DROPPED_EVENTS => span.dropped_events_count = column.word(at) as u32,
            fixed::DROPPED_LINKS => span.dropped_links_count = column.word(at) as u32,
            fixed::EVENTS => span.events = events::read_events(column.bytes(at))?,
            fixed::LINKS => span.links = events::read_links(column.bytes(at))?,
            fixed::ATTRIBUTES_OTHER => span.attributes.extend(json::read_object(column.bytes(at))?),
            fixed::RESOURCE_OTHER => self.resource.attributes.extend(json::read_object(column.bytes(at))?),
            fixed::RESOURCE_DROPPED => self.resource.dropped_attributes_count = column.word(at) as u32,
            fixed::SCOPE_NAME => self.scope.name = text(column.bytes(at))?,
            fixed::SCOPE_VERSION => self.scope.version = text(column.bytes(at))?,
            fixed::SCOPE_ATTRIBUTES => self.scope.attributes = json::read_object(column.bytes(at))?,
            fixed::SCOPE_DROPPED => self.scope.dropped_attributes_count = column.word(at) as u32,
            _ => {}
        }
        Ok(())
    }

    /// The record; shares resource and scope with the one before when they are equal.
    fn finish(mut self, before: &mut Option<(Arc<Resource>, Arc<InstrumentationScope>)>) -> SpanRecord {
        let end_ns = self.span.start_time_unix_nano.wrapping_add(self.duration_ns);
        self.span.end_time_unix_nano = self.end_ns.unwrap_or(end_ns);
        if self.status != Status::default() {
            self.span.status = Some(self.status);
        }
        let resource = shared(before.as_ref().map(|(resource, _)| resource), self.resource);
        let scope = shared(before.as_ref().map(|(_, scope)| scope), self.scope);
        *before = Some((resource.clone(), scope.clone()));
        let adjusted_count = self.adjusted_count.unwrap_or(1.0);
        SpanRecord { span: self.span, resource, scope, state: SpanState::Kept, adjusted_count }
    }
}

/// The message, which is the one before where they are equal.
pub(super) fn shared<M: PartialEq>(before: Option<&Arc<M>>, message: M) -> Arc<M> {
    match before {
        Some(before) if **before == message => Arc::clone(before),
        _ => Arc::new(message),
    }
}
