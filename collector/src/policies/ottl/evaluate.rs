//! Whether a condition holds of a span or an event.

use weir_proto::{
    SpanId,
    otlp::traces::{Attributes, EventView, ScannedSpan},
};

use super::{
    expression::{Expression, Operand},
    functions::ARGUMENTS_MAX,
    path::{Counted, Owner, Path},
    value::{List, Map, Value, hex},
};
use crate::policies::trace_state;

/// Names of span kinds, as OTTL's `kind.string` has them.
const KINDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];

/// As `kind.deprecated_string` has them.
const DEPRECATED_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// What a condition is asked of.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s, 'a> {
    pub(super) span: &'s ScannedSpan<'a>,
    pub(super) event: Option<EventView<'a>>,
}

impl<'a> Subject<'_, 'a> {
    /// Whether it fulfils the condition; `None` when that cannot be said (the Collector would report an error).
    pub(super) fn holds(&self, condition: &Expression) -> Option<bool> {
        match condition {
            Expression::Constant(value) => Some(*value),
            Expression::Not(inner) => self.holds(inner).map(|holds| !holds),
            Expression::And(left, right) => {
                if self.holds(left)? {
                    self.holds(right)
                } else {
                    Some(false)
                }
            }
            Expression::Or(left, right) => {
                if self.holds(left)? {
                    Some(true)
                } else {
                    self.holds(right)
                }
            }
            Expression::Compare(left, comparison, right) => self.value(left).compare(*comparison, &self.value(right)),
            Expression::Test(operand) => match self.value(operand) {
                Value::Bool(value) => Some(value),
                _ => None,
            },
        }
    }

    fn value<'v>(&self, operand: &'v Operand) -> Value<'v>
    where
        'a: 'v,
    {
        match operand {
            Operand::Path(path) => self.field(path),
            Operand::At(inner, index) => self.value(inner).at(index),
            Operand::Reckon(operator, left, right) => self.value(left).reckon(*operator, self.value(right)),
            Operand::List(items) => Value::List(List::Made(items.iter().map(|item| self.value(item)).collect())),
            Operand::Call(call) => {
                if call.function.name == "IsRootSpan" {
                    return Value::Bool(SpanId::from_wire(self.span.span.parent_span_id).is_none());
                }
                let mut arguments = [const { Value::Nil }; ARGUMENTS_MAX];
                for (argument, operand) in arguments.iter_mut().zip(&call.arguments) {
                    *argument = self.value(operand);
                    if matches!(argument, Value::Fault) {
                        return Value::Fault;
                    }
                }
                (call.function.call)(arguments, call)
            }
            literal => literal_value(literal),
        }
    }

    fn field<'v>(&self, path: &'v Path) -> Value<'v>
    where
        'a: 'v,
    {
        let span = &self.span.span;
        let time = |ns: u64| Value::Int(i64::try_from(ns).unwrap_or(i64::MAX));
        let string = |text: &'a [u8]| Value::Text(text.into());
        match path {
            Path::Attribute(owner, key) => match self.attributes(*owner) {
                Some(attributes) => Map::Attributes(attributes).get(key.as_bytes()),
                None => Value::Nil,
            },
            Path::Attributes(owner) => {
                self.attributes(*owner).map_or(Value::Nil, |attributes| Value::Map(Map::Attributes(attributes)))
            }
            Path::SpanName => string(span.name),
            Path::EventName => self.event.map_or(Value::Nil, |event| string(event.name)),
            Path::EventTime => self.event.map_or(Value::Nil, |event| time(event.time_ns)),
            Path::ScopeName => string(self.span.scope.name),
            Path::ScopeVersion => string(self.span.scope.version),
            Path::ScopeSchemaUrl => string(self.span.scope.schema_url),
            Path::ResourceSchemaUrl => string(self.span.resource.schema_url),
            Path::Kind => Value::Int(i64::from(span.kind)),
            Path::KindText => kind(span.kind, &KINDS),
            Path::KindDeprecatedText => kind(span.kind, &DEPRECATED_KINDS),
            Path::StatusCode => Value::Int(i64::from(span.status_code)),
            Path::StatusMessage => string(span.status_message),
            Path::StartTime => time(span.start_ns),
            Path::EndTime => time(span.end_ns),
            Path::Duration => time(span.end_ns.saturating_sub(span.start_ns)),
            Path::Flags => Value::Int(i64::from(span.flags)),
            Path::TraceState => string(span.trace_state),
            Path::TraceStateEntry(key) => trace_state::value(span.trace_state, key.as_bytes())
                .map_or(Value::Nil, |value| Value::Text(value.into())),
            Path::TraceId => id(span.trace_id, &[0; 16]),
            Path::SpanId => id(span.span_id, &[0; 8]),
            Path::ParentSpanId => id(span.parent_span_id, &[0; 8]),
            Path::TraceIdText => id_text(span.trace_id),
            Path::SpanIdText => id_text(span.span_id),
            Path::ParentSpanIdText => id_text(span.parent_span_id),
            Path::Dropped(counted) => self.dropped(*counted),
        }
    }

    fn attributes(&self, owner: Owner) -> Option<Attributes<'a>> {
        match owner {
            Owner::Span => Some(self.span.span.attributes),
            Owner::Resource => Some(self.span.resource.attributes),
            Owner::Scope => Some(self.span.scope.attributes),
            Owner::Event => self.event.map(|event| event.attributes),
        }
    }

    fn dropped<'v>(&self, counted: Counted) -> Value<'v> {
        let span = &self.span.span;
        let count = match counted {
            Counted::Attributes(Owner::Span) => span.dropped_attributes_count,
            Counted::Attributes(Owner::Resource) => self.span.resource.dropped_attributes_count,
            Counted::Attributes(Owner::Scope) => self.span.scope.dropped_attributes_count,
            Counted::Attributes(Owner::Event) => self.event.map_or(0, |event| event.dropped_attributes_count),
            Counted::Events => span.dropped_events_count,
            Counted::Links => span.dropped_links_count,
        };
        Value::Int(i64::from(count))
    }
}

/// The value of what needs no span; a fault for anything else.
pub(super) fn literal_value(operand: &Operand) -> Value<'_> {
    match operand {
        Operand::Nil => Value::Nil,
        Operand::Bool(value) => Value::Bool(*value),
        Operand::Int(value) => Value::Int(*value),
        Operand::Float(value) => Value::Float(*value),
        Operand::Text(text) => Value::Text(text.as_bytes().into()),
        Operand::Bytes(bytes) => Value::Bytes((&**bytes).into()),
        Operand::List(_) | Operand::Path(_) | Operand::At(..) | Operand::Reckon(..) | Operand::Call(_) => Value::Fault,
    }
}

fn kind(kind: i32, names: &'static [&'static str]) -> Value<'static> {
    let known = usize::try_from(kind).ok().and_then(|kind| names.get(kind));
    Value::Text(known.copied().unwrap_or_default().as_bytes().into())
}

/// An id that is not there is all zeros.
fn id<'v>(bytes: &'v [u8], zeros: &'static [u8]) -> Value<'v> {
    Value::Bytes(if bytes.is_empty() { zeros } else { bytes }.into())
}

/// As text it is empty then.
fn id_text(bytes: &[u8]) -> Value<'static> {
    let is_zero = bytes.iter().all(|byte| *byte == 0);
    Value::Text(if is_zero { Vec::new() } else { hex(bytes).into_bytes() }.into())
}
