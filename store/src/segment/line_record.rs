//! Decodes whole lines: every column of a few rows.

use std::sync::Arc;

use weir_proto::otlp::messages::{
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    resource::v1::Resource,
};

use super::{
    SegmentError, body_end,
    chunk_reader::{Block, ChunkReader},
    json::{self, BadJson},
    record::{ROWS_AT_ONCE, attribute, shared, text},
    scan::{bodies, gather::ChosenRows},
    schema::{BODY_PREFIX, DEFECT_NO_TIME, ITEM_PREFIX, RESOURCE_PREFIX, lines},
};
use crate::ask::line::LineRecord;
use crate::columns::{Column, ColumnSpec};

/// A line on its way.
#[derive(Debug, Default)]
struct Draft {
    line: LogRecord,
    time_ns: u64,
    body: Option<String>,
    body_is_json: bool,
    message_at: Option<usize>,
    defects: u64,
    resource: Resource,
    scope: InstrumentationScope,
}

/// Makes the lines at these rows (ascending) of a row group, one after the other, until `take` has enough and says no.
pub(super) fn read(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: &[u32],
    take: &mut dyn FnMut(LineRecord) -> bool,
) -> Result<(), SegmentError> {
    let damaged =
        |name: &str, error: BadJson| SegmentError::damaged(format!("row group {group}, column {name}: {error}"));
    reader.prefetch(group, 0..reader.specs.len(), rows);
    let mut blocks = Vec::new();
    for (number, spec) in reader.specs.iter().enumerate() {
        // What bodies are made of is read with them.
        let is_body = matches!(number, lines::BODY | lines::BODY_TEMPLATE) || spec.name.starts_with(BODY_PREFIX);
        if !is_body && !reader.is_empty(group, number) {
            blocks.push((number, spec, reader.read_rows(group, number, rows)?));
        }
    }
    let bodies = bodies::read(reader, group, &ChosenRows::Some(rows.to_vec()))?;
    let (mut next_body, mut before) = (0, None);
    for (first, rows) in (0u32..).step_by(ROWS_AT_ONCE).zip(rows.chunks(ROWS_AT_ONCE)) {
        let mut drafts: Vec<Draft> = rows.iter().map(|_| Draft::default()).collect();
        for (number, spec, block) in &blocks {
            fill(&mut drafts, rows, *number, spec, block).map_err(|error| damaged(&spec.name, error))?;
        }
        while next_body < bodies.len()
            && let Some(draft) = drafts.get_mut((bodies.row(next_body) - first) as usize)
        {
            let body = text(bodies.bytes(next_body)).map_err(|error| damaged("body", error))?;
            if let Some(place) = draft.message_at {
                let text = body.get(place..).ok_or_else(|| {
                    SegmentError::damaged(format!("row group {group}, column message_at: beyond the body"))
                })?;
                let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
                draft.line.attributes.push(KeyValue { key: body_end::KEY.to_owned(), value, ..KeyValue::default() });
            }
            draft.body = Some(body);
            next_body += 1;
        }
        for draft in drafts {
            if !take(draft.finish(&mut before).map_err(|error| damaged("body", error))?) {
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
        if number < lines::SPECS.len() {
            draft.set(number, column, at)?;
        } else if let Some(key) = spec.name.strip_prefix(ITEM_PREFIX) {
            draft.line.attributes.push(attribute(key, spec.kind, column, at)?);
        } else if let Some(key) = spec.name.strip_prefix(RESOURCE_PREFIX) {
            draft.resource.attributes.push(attribute(key, spec.kind, column, at)?);
        }
    }
    Ok(())
}

impl Draft {
    fn set(&mut self, number: usize, column: &Column, at: usize) -> Result<(), BadJson> {
        let line = &mut self.line;
        match number {
            lines::TIME => self.time_ns = column.word(at),
            lines::OBSERVED_TIME => line.observed_time_unix_nano = column.word(at),
            lines::TRACE_ID => line.trace_id = column.bytes(at).to_vec(),
            lines::SPAN_ID => line.span_id = column.word(at).to_le_bytes().to_vec(),
            lines::SEVERITY_NUMBER => line.severity_number = column.word(at) as i32,
            lines::SEVERITY_TEXT => line.severity_text = text(column.bytes(at))?,
            lines::MESSAGE_AT => self.message_at = Some(column.word(at) as usize),
            lines::BODY_IS_JSON => self.body_is_json = column.word(at) != 0,
            lines::EVENT_NAME => line.event_name = text(column.bytes(at))?,
            lines::FLAGS => line.flags = column.word(at) as u32,
            lines::DEFECTS => self.defects = column.word(at),
            lines::DROPPED_ATTRIBUTES => line.dropped_attributes_count = column.word(at) as u32,
            lines::ATTRIBUTES_OTHER => line.attributes.extend(json::read_object(column.bytes(at))?),
            lines::RESOURCE_OTHER => self.resource.attributes.extend(json::read_object(column.bytes(at))?),
            lines::RESOURCE_DROPPED => self.resource.dropped_attributes_count = column.word(at) as u32,
            lines::SCOPE_NAME => self.scope.name = text(column.bytes(at))?,
            lines::SCOPE_VERSION => self.scope.version = text(column.bytes(at))?,
            lines::SCOPE_ATTRIBUTES => self.scope.attributes = json::read_object(column.bytes(at))?,
            lines::SCOPE_DROPPED => self.scope.dropped_attributes_count = column.word(at) as u32,
            _ => {}
        }
        Ok(())
    }

    /// The record; shares resource and scope with the one before when they are equal.
    fn finish(
        mut self,
        before: &mut Option<(Arc<Resource>, Arc<InstrumentationScope>)>,
    ) -> Result<LineRecord, BadJson> {
        self.line.time_unix_nano = if self.defects & DEFECT_NO_TIME == 0 { self.time_ns } else { 0 };
        self.line.body = match self.body {
            Some(body) if self.body_is_json => Some(json::read_value(body.as_bytes())?),
            Some(body) => Some(AnyValue { value: Some(Value::StringValue(body)) }),
            None => None,
        };
        let resource = shared(before.as_ref().map(|(resource, _)| resource), self.resource);
        let scope = shared(before.as_ref().map(|(_, scope)| scope), self.scope);
        *before = Some((resource.clone(), scope.clone()));
        Ok(LineRecord { line: self.line, time_ns: self.time_ns, resource, scope })
    }
}
