//! Whether a condition holds of a span or an event.

use std::{borrow::Cow, cmp::Ordering};

use weir_proto::{
    SpanId,
    otlp::traces::{Attributes, EventView, ScannedSpan, ValueView},
};

use super::{
    expression::{Comparison, Expression, Operand},
    path::Path,
};
use crate::policies::trace_state;

/// Names of span kinds, as OTTL's `kind.string` has them.
const KINDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];

/// What a condition is asked of.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s, 'a> {
    pub(super) span: &'s ScannedSpan<'a>,
    pub(super) event: Option<EventView<'a>>,
}

/// A value while it is compared.
#[derive(Debug, Clone, PartialEq)]
enum Value<'v> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, [u8]>),
    /// Bytes, lists and maps: equal to nothing.
    Other,
}

impl<'a> Subject<'_, 'a> {
    /// Whether it fulfils the condition.
    pub(super) fn holds(&self, condition: &Expression) -> bool {
        match condition {
            Expression::Constant(value) => *value,
            Expression::Not(inner) => !self.holds(inner),
            Expression::And(left, right) => self.holds(left) && self.holds(right),
            Expression::Or(left, right) => self.holds(left) || self.holds(right),
            Expression::Compare(left, comparison, right) => compare(&self.value(left), *comparison, &self.value(right)),
            Expression::IsMatch(target, regex) => text(self.value(target)).is_some_and(|text| regex.is_match(&text)),
            Expression::IsRootSpan => SpanId::from_wire(self.span.span.parent_span_id).is_none(),
        }
    }

    fn value<'v>(&self, operand: &'v Operand) -> Value<'v>
    where
        'a: 'v,
    {
        match operand {
            Operand::Nil => Value::Nil,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Text(text) => Value::Text(text.as_bytes().into()),
            Operand::Path(path) => self.field(path),
            Operand::Sum(left, right) => {
                reckon(self.value(left), self.value(right), i64::saturating_add, |left, right| left + right)
            }
            Operand::Difference(left, right) => {
                reckon(self.value(left), self.value(right), i64::saturating_sub, |left, right| left - right)
            }
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
            Path::SpanAttribute(key) => attribute(span.attributes, key),
            Path::ResourceAttribute(key) => attribute(self.span.resource.attributes, key),
            Path::ScopeAttribute(key) => attribute(self.span.scope.attributes, key),
            Path::EventAttribute(key) => self.event.map_or(Value::Nil, |event| attribute(event.attributes, key)),
            Path::SpanName => string(span.name),
            Path::EventName => self.event.map_or(Value::Nil, |event| string(event.name)),
            Path::EventTime => self.event.map_or(Value::Nil, |event| time(event.time_ns)),
            Path::ScopeName => string(self.span.scope.name),
            Path::ScopeVersion => string(self.span.scope.version),
            Path::Kind => Value::Int(i64::from(span.kind)),
            Path::KindText => {
                let known = usize::try_from(span.kind).ok().and_then(|kind| KINDS.get(kind));
                Value::Text(known.copied().unwrap_or_default().as_bytes().into())
            }
            Path::StatusCode => Value::Int(i64::from(span.status_code)),
            Path::StatusMessage => string(span.status_message),
            Path::StartTime => time(span.start_ns),
            Path::EndTime => time(span.end_ns),
            Path::Duration => time(span.end_ns.saturating_sub(span.start_ns)),
            Path::TraceState => string(span.trace_state),
            Path::TraceStateEntry(key) => trace_state::value(span.trace_state, key.as_bytes())
                .map_or(Value::Nil, |value| Value::Text(value.into())),
            Path::TraceId => hex(span.trace_id),
            Path::SpanId => hex(span.span_id),
            Path::ParentSpanId => hex(span.parent_span_id),
        }
    }
}

fn attribute<'a>(attributes: Attributes<'a>, key: &str) -> Value<'a> {
    let found = attributes.raw().find(|attribute| attribute.key == key.as_bytes());
    match found.and_then(|attribute| attribute.view()).map(|attribute| attribute.value) {
        None | Some(ValueView::Empty) => Value::Nil,
        Some(ValueView::Str(text)) => Value::Text(text.into()),
        Some(ValueView::Bool(value)) => Value::Bool(value),
        Some(ValueView::Int(value)) => Value::Int(value),
        Some(ValueView::Double(value)) => Value::Float(value),
        Some(ValueView::Array(_) | ValueView::KvList(_) | ValueView::Bytes(_)) => Value::Other,
    }
}

fn hex(bytes: &[u8]) -> Value<'static> {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    Value::Text(digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]).collect::<Vec<u8>>().into())
}

/// A value as `IsMatch` reads it; of what is not there, or has no short form, nothing matches.
fn text(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Nil | Value::Other => None,
        Value::Text(text) => Some(text),
        Value::Bool(value) => Some(value.to_string().into_bytes().into()),
        Value::Int(value) => Some(value.to_string().into_bytes().into()),
        Value::Float(value) => Some(value.to_string().into_bytes().into()),
    }
}

fn reckon<'v>(
    left: Value<'_>,
    right: Value<'_>,
    of_ints: fn(i64, i64) -> i64,
    of_floats: fn(f64, f64) -> f64,
) -> Value<'v> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Value::Int(of_ints(left, right)),
        (Value::Int(left), Value::Float(right)) => Value::Float(of_floats(left as f64, right)),
        (Value::Float(left), Value::Int(right)) => Value::Float(of_floats(left, right as f64)),
        (Value::Float(left), Value::Float(right)) => Value::Float(of_floats(left, right)),
        _ => Value::Nil,
    }
}

/// Values of different kinds are unequal, and neither is less.
fn compare(left: &Value<'_>, comparison: Comparison, right: &Value<'_>) -> bool {
    let order = match (left, right) {
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Float(right)) => (*left as f64).partial_cmp(right),
        (Value::Float(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => None,
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::Unequal => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}
