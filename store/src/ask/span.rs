//! Spans as queries see them, and what queries ask for.

use std::{collections::BTreeSet, sync::Arc};

use weir_proto::otlp::messages::{self, common::v1::any_value::Value};

/// A whole span, decoded for display.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanRecord {
    /// The span as OTLP. Attributes come back in no particular order.
    pub span: messages::trace::v1::Span,
    /// Its resource.
    pub resource: Arc<messages::resource::v1::Resource>,
    /// Its scope.
    pub scope: Arc<messages::common::v1::InstrumentationScope>,
    /// Before or after its verdict.
    pub state: SpanState,
    /// How many arrived spans it stands for: 1 unless it was sampled. The attribute
    /// [`POLICY_ATTRIBUTE`](crate::verdict::kept::POLICY_ATTRIBUTE) names the policy that kept it.
    pub adjusted_count: f64,
}

impl SpanRecord {
    /// Whether it arrived with its end before its start (its duration counts as 0).
    pub fn ends_before_start(&self) -> bool {
        self.span.end_time_unix_nano < self.span.start_time_unix_nano
    }

    /// Bytes that it takes in memory, about; of what it shares with others its part.
    pub fn memory_bytes(&self) -> u64 {
        let span = &self.span;
        let texts =
            span.name.len() + span.trace_state.len() + span.status.as_ref().map_or(0, |status| status.message.len());
        let events: u64 = (span.events.iter())
            .map(|event| STRUCT_BYTES + event.name.len() as u64 + attributes_bytes(&event.attributes))
            .sum();
        let links: u64 = (span.links.iter())
            .map(|link| 2 * STRUCT_BYTES + link.trace_state.len() as u64 + attributes_bytes(&link.attributes))
            .sum();
        let shared = attributes_bytes(&self.resource.attributes) / Arc::strong_count(&self.resource) as u64
            + attributes_bytes(&self.scope.attributes) / Arc::strong_count(&self.scope) as u64;
        6 * STRUCT_BYTES + texts as u64 + attributes_bytes(&span.attributes) + events + links + shared
    }

    /// Nanoseconds from start to end, 0 when it ends before it starts.
    pub fn duration_ns(&self) -> u64 {
        self.span.end_time_unix_nano.saturating_sub(self.span.start_time_unix_nano)
    }
}

/// What a message takes beside the text in it, about.
pub(super) const STRUCT_BYTES: u64 = 80;

pub(super) fn attributes_bytes(attributes: &[messages::common::v1::KeyValue]) -> u64 {
    let of_value = |value: &messages::common::v1::AnyValue| value.value.as_ref().map_or(0, value_bytes);
    attributes.iter().map(|one| STRUCT_BYTES + one.key.len() as u64 + one.value.as_ref().map_or(0, of_value)).sum()
}

/// Goes as deep as admission lets values go.
pub(super) fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::StringValue(text) => text.len() as u64,
        Value::BytesValue(bytes) => bytes.len() as u64,
        Value::ArrayValue(array) => {
            let of_one =
                |one: &messages::common::v1::AnyValue| STRUCT_BYTES + one.value.as_ref().map_or(0, value_bytes);
            array.values.iter().map(of_one).sum()
        }
        Value::KvlistValue(list) => attributes_bytes(&list.values),
        _ => 0,
    }
}

/// Where a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanState {
    /// Waits for its trace's verdict.
    Pending,
    /// Kept.
    Kept,
}

/// Whose attributes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The span's, then its resource's.
    Any,
    /// The span's.
    Span,
    /// The resource's.
    Resource,
}

/// What was read of a trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceRows {
    /// Its spans, oldest start first.
    pub rows: Vec<SpanRecord>,
    /// More of it is in a segment that cannot be read.
    pub is_damaged: bool,
    /// There was no room for more of it.
    pub is_cut: bool,
}

/// Asked for the bytes of each row that is read; once it says no, the rest is not read.
pub type Room<'a> = &'a mut dyn FnMut(u64) -> bool;

/// What can be asked for by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operations {
    /// Services, those of which no operation is listed, too.
    pub services: BTreeSet<String>,
    /// Operations.
    pub list: BTreeSet<Operation>,
    /// A bound or the deadline left something out.
    pub is_cut: bool,
    /// A segment cannot be read.
    pub is_damaged: bool,
}

impl Operations {
    /// Most of them. Further ones are left out.
    pub const MAX: usize = 100_000;

    /// Adds an operation and its service.
    pub fn add(&mut self, operation: &Operation) {
        self.add_service(&operation.service);
        if self.list.contains(operation) {
            return;
        }
        if self.list.len() >= Self::MAX {
            self.is_cut = true;
            return;
        }
        self.list.insert(operation.clone());
    }

    /// Adds a service.
    pub fn add_service(&mut self, service: &str) {
        if self.services.contains(service) {
            return;
        }
        if self.services.len() >= Self::MAX {
            self.is_cut = true;
            return;
        }
        self.services.insert(service.to_owned());
    }

    /// Whether there may be more.
    pub fn is_partial(&self) -> bool {
        self.is_cut || self.is_damaged
    }
}

/// An operation of a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Operation {
    /// The service.
    pub service: String,
    /// The span name.
    pub name: String,
    /// OTLP SpanKind.
    pub kind: i32,
}
