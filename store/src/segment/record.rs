//! Decodes whole spans: every column of a few rows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

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

/// Up to so many rows are read by one thread: another one would be started for little.
const ROWS_OF_ONE_THREAD: usize = if cfg!(test) { 8 } else { 64 };

/// A span on its way.
#[derive(Debug, Default)]
struct Draft {
    /// What surrounds it is what surrounds the span before.
    shares: bool,
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
    let blocks = blocks(reader, group, rows)?;
    let around = blocks.iter().filter(|(number, spec, _)| is_around(*number, spec));
    let around: Vec<&Block> = around.map(|(_, _, block)| block).collect();
    let (mut before, mut row_before) = (None, None);
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut drafts: Vec<Draft> = Vec::with_capacity(rows.len());
        for &row in rows {
            let is_same = |row_before| around.iter().all(|block| block.is_same(row_before, row));
            let shares = row_before.replace(row).is_some_and(is_same);
            drafts.push(Draft { shares, ..Draft::default() });
        }
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

/// A column's number, what it is, and its values.
type Read<'a> = (usize, &'a ColumnSpec, Block);

/// The values of every column. Of many rows they come from many pages, which more than one thread takes apart.
fn blocks<'a>(reader: &ChunkReader<'a>, group: usize, rows: &[u32]) -> Result<Vec<Read<'a>>, SegmentError> {
    let numbers: Vec<usize> = (0..reader.specs.len()).filter(|&number| !reader.is_empty(group, number)).collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<Read<'a>>, SegmentError> {
        let mut blocks = Vec::new();
        while let Some(&number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
            blocks.push((number, &reader.specs[number], reader.read_rows(group, number, rows)?));
        }
        Ok(blocks)
    };
    if rows.len() < ROWS_OF_ONE_THREAD || thread::available_parallelism().map_or(1, usize::from) < 2 {
        return work();
    }
    let mut blocks = thread::scope(|scope| {
        // Where the system gives no thread, this one does all.
        let other = thread::Builder::new().spawn_scoped(scope, work).ok();
        let mut blocks = work()?;
        // A panic in one is a panic of the query, as it would be on its own thread.
        if let Some(other) = other {
            blocks.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, SegmentError>(blocks)
    })?;
    blocks.sort_unstable_by_key(|(number, ..)| *number);
    Ok(blocks)
}

/// Whether a column is of what surrounds a span: its resource and its scope.
fn is_around(number: usize, spec: &ColumnSpec) -> bool {
    spec.name.starts_with(RESOURCE_PREFIX)
        || matches!(
            number,
            fixed::RESOURCE_OTHER
                | fixed::RESOURCE_DROPPED
                | fixed::SCOPE_NAME
                | fixed::SCOPE_VERSION
                | fixed::SCOPE_ATTRIBUTES
                | fixed::SCOPE_DROPPED
        )
}

fn fill(drafts: &mut [Draft], rows: &[u32], number: usize, spec: &ColumnSpec, block: &Block) -> Result<(), BadJson> {
    let is_around = is_around(number, spec);
    for (draft, &row) in drafts.iter_mut().zip(rows) {
        if is_around && draft.shares {
            continue;
        }
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
        let (resource, scope) = match before {
            Some((resource, scope)) if self.shares => (resource.clone(), scope.clone()),
            before => {
                let resource = shared(before.as_ref().map(|(resource, _)| resource), self.resource);
                let scope = shared(before.as_ref().map(|(_, scope)| scope), self.scope);
                *before = Some((resource.clone(), scope.clone()));
                (resource, scope)
            }
        };
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
