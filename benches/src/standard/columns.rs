//! Spans into arrow columns with the builders that arrow brings: the columns that Weir's segments have.

use std::collections::HashMap;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        ArrayBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Float64Builder, Int32Builder, Int64Builder,
        StringBuilder, StringDictionaryBuilder,
    },
    types::Int32Type,
};
use arrow_schema::ArrowError;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};

type Dictionary = StringDictionaryBuilder<Int32Type>;

/// Attributes with a column of strings.
const TEXTS: [&str; 22] = [
    "http.request.method",
    "http.route",
    "url.path",
    "url.full",
    "url.scheme",
    "server.address",
    "client.address",
    "user_agent.original",
    "network.protocol.version",
    "network.peer.address",
    "enduser.id",
    "error.type",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "db.system.name",
    "db.namespace",
    "db.operation.name",
    "db.collection.name",
    "db.query.text",
    "messaging.system",
    "messaging.destination.name",
];

/// Attributes with a column of integers.
const INTEGERS: [&str; 6] = [
    "http.response.status_code",
    "http.response.body.size",
    "server.port",
    "network.peer.port",
    "rpc.grpc.status_code",
    "thread.id",
];

/// Attributes of the resource with a column of strings.
const RESOURCE: [&str; 6] = [
    "service.version",
    "service.namespace",
    "deployment.environment.name",
    "k8s.pod.name",
    "k8s.node.name",
    "telemetry.sdk.language",
];

/// Columns being filled.
pub struct Columns {
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    parent_span_id: FixedSizeBinaryBuilder,
    service: Dictionary,
    name: Dictionary,
    scope: Dictionary,
    kind: Int32Builder,
    start_ns: Int64Builder,
    duration_ns: Int64Builder,
    status_code: Int32Builder,
    status_message: Dictionary,
    flags: Int32Builder,
    texts: Vec<Dictionary>,
    integers: Vec<Int64Builder>,
    cache_hit: BooleanBuilder,
    total: Float64Builder,
    resource: Vec<Dictionary>,
    residual: StringBuilder,
    events: StringBuilder,
    links: StringBuilder,
    places: HashMap<&'static str, Place>,
    json: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Place {
    Text(usize),
    Integer(usize),
}

impl Default for Columns {
    fn default() -> Self {
        let texts = TEXTS.iter().enumerate().map(|(at, key)| (*key, Place::Text(at)));
        let integers = INTEGERS.iter().enumerate().map(|(at, key)| (*key, Place::Integer(at)));
        Self {
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            parent_span_id: FixedSizeBinaryBuilder::new(8),
            service: Dictionary::new(),
            name: Dictionary::new(),
            scope: Dictionary::new(),
            kind: Int32Builder::new(),
            start_ns: Int64Builder::new(),
            duration_ns: Int64Builder::new(),
            status_code: Int32Builder::new(),
            status_message: Dictionary::new(),
            flags: Int32Builder::new(),
            texts: TEXTS.iter().map(|_| Dictionary::new()).collect(),
            integers: INTEGERS.iter().map(|_| Int64Builder::new()).collect(),
            cache_hit: BooleanBuilder::new(),
            total: Float64Builder::new(),
            resource: RESOURCE.iter().map(|_| Dictionary::new()).collect(),
            residual: StringBuilder::new(),
            events: StringBuilder::new(),
            links: StringBuilder::new(),
            places: texts.chain(integers).collect(),
            json: Vec::new(),
        }
    }
}

impl Columns {
    /// Rows so far.
    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds every span of a request.
    pub fn add(&mut self, request: &ExportTraceServiceRequest) -> Result<(), ArrowError> {
        for of in &request.resource_spans {
            let attributes = of.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            let about: Vec<_> = RESOURCE.iter().map(|key| text_of(attributes, key)).collect();
            let service = text_of(attributes, "service.name").unwrap_or("unknown_service");
            for of in &of.scope_spans {
                let scope = of.scope.as_ref().map_or("", |scope| &scope.name);
                for span in &of.spans {
                    self.service.append_value(service);
                    self.scope.append_value(scope);
                    for (column, value) in self.resource.iter_mut().zip(&about) {
                        column.append_option(*value);
                    }
                    self.add_span(span)?;
                }
            }
        }
        Ok(())
    }

    fn add_span(&mut self, span: &Span) -> Result<(), ArrowError> {
        self.trace_id.append_value(&span.trace_id)?;
        self.span_id.append_value(&span.span_id)?;
        match span.parent_span_id.len() {
            8 => self.parent_span_id.append_value(&span.parent_span_id)?,
            _ => self.parent_span_id.append_null(),
        }
        self.name.append_value(&span.name);
        self.kind.append_value(span.kind);
        self.start_ns.append_value(span.start_time_unix_nano as i64);
        self.duration_ns.append_value(span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano) as i64);
        let status = span.status.as_ref();
        self.status_code.append_value(status.map_or(0, |status| status.code));
        self.status_message.append_option(status.map(|status| &status.message));
        self.flags.append_value(span.flags as i32);
        self.add_attributes(&span.attributes);
        append_json(&mut self.events, &span.events);
        append_json(&mut self.links, &span.links);
        Ok(())
    }

    fn add_attributes(&mut self, attributes: &[KeyValue]) {
        let row = self.kind.len();
        self.json.clear();
        for pair in attributes {
            let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
            match (self.places.get(pair.key.as_str()), value) {
                (Some(Place::Text(at)), Some(Value::StringValue(text))) => self.texts[*at].append_value(text),
                (Some(Place::Integer(at)), Some(Value::IntValue(value))) => self.integers[*at].append_value(*value),
                (_, Some(Value::BoolValue(value))) if pair.key == "app.cache.hit" => {
                    self.cache_hit.append_value(*value)
                }
                (_, Some(Value::DoubleValue(value))) if pair.key == "app.order.total" => {
                    self.total.append_value(*value)
                }
                (_, Some(value)) => append_member(&mut self.json, &pair.key, value),
                (_, None) => {}
            }
        }
        for column in self.texts.iter_mut().filter(|column| column.len() < row) {
            column.append_null();
        }
        for column in self.integers.iter_mut().filter(|column| column.len() < row) {
            column.append_null();
        }
        if self.cache_hit.len() < row {
            self.cache_hit.append_null();
        }
        if self.total.len() < row {
            self.total.append_null();
        }
        if self.json.is_empty() {
            self.residual.append_null();
        } else {
            self.json.push(b'}');
            self.residual.append_value(String::from_utf8_lossy(&self.json));
        }
    }

    /// The rows so far as a batch; the builders start over.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        let mut put = |name: &str, column: &mut dyn ArrayBuilder| columns.push((name.into(), column.finish()));
        put("trace_id", &mut self.trace_id);
        put("span_id", &mut self.span_id);
        put("parent_span_id", &mut self.parent_span_id);
        put("service", &mut self.service);
        put("name", &mut self.name);
        put("scope", &mut self.scope);
        put("kind", &mut self.kind);
        put("start_ns", &mut self.start_ns);
        put("duration_ns", &mut self.duration_ns);
        put("status_code", &mut self.status_code);
        put("status_message", &mut self.status_message);
        put("flags", &mut self.flags);
        for (key, column) in TEXTS.iter().zip(&mut self.texts) {
            put(key, column);
        }
        for (key, column) in INTEGERS.iter().zip(&mut self.integers) {
            put(key, column);
        }
        put("app.cache.hit", &mut self.cache_hit);
        put("app.order.total", &mut self.total);
        for (key, column) in RESOURCE.iter().zip(&mut self.resource) {
            put(key, column);
        }
        put("residual", &mut self.residual);
        put("events", &mut self.events);
        put("links", &mut self.links);
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
    }
}

fn text_of<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let pair = attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// `{"key":value` or `,"key":value`.
fn append_member(json: &mut Vec<u8>, key: &str, value: &Value) {
    json.push(if json.is_empty() { b'{' } else { b',' });
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut *json, key);
    json.push(b':');
    let _ = match value {
        Value::StringValue(text) => serde_json::to_writer(&mut *json, text),
        Value::IntValue(value) => serde_json::to_writer(&mut *json, value),
        Value::DoubleValue(value) => serde_json::to_writer(&mut *json, value),
        Value::BoolValue(value) => serde_json::to_writer(&mut *json, value),
        other => serde_json::to_writer(&mut *json, other),
    };
}

fn append_json<T: serde::Serialize>(column: &mut StringBuilder, values: &[T]) {
    match values.is_empty() {
        true => column.append_null(),
        false => column.append_value(serde_json::to_string(values).unwrap_or_default()),
    }
}

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("rows", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::shop::{BatchKey, HEAD_LEN, Traffic};

    #[test]
    fn every_span_is_a_row_of_every_column() {
        let mut bytes = Vec::new();
        Traffic::new(1, 300, 1).fill(BatchKey { number: 0, base_ns: 1_790_000_000_000_000_000 }, &mut bytes);
        let request = ExportTraceServiceRequest::decode(&bytes[HEAD_LEN..]).expect("valid");
        let mut columns = Columns::default();
        columns.add(&request).expect("fits");
        columns.add(&request).expect("fits");
        let batch = columns.finish().expect("equal lengths");
        assert_eq!((batch.num_rows(), columns.len()), (600, 0));
        let empty: Vec<_> = batch
            .schema()
            .fields()
            .iter()
            .zip(batch.columns())
            .filter(|(_, column)| column.null_count() == 600)
            .map(|(field, _)| field.name().clone())
            .collect();
        assert!(empty.is_empty(), "columns that the traffic does not fill: {empty:?}");
    }
}
