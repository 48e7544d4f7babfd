//! JSON objects whose fields become attributes without being written out: lines of one service are written alike, and what is looked at of
//! them lies where it lay in the line before.

use std::{borrow::Cow, ops::Range};

use weir_proto::{
    SpanId, TraceId,
    json::{Shape, Shapes, unescaped},
    otlp::logs::{IdNames, IdPlaces, LineIds, json_number},
};

use super::{Entry, Fields, Unwritten, Value};

/// What is known of the latest lines.
pub(super) struct KnownShapes {
    /// Attributes whose values are wanted.
    looked_at: Vec<String>,
    ids: IdNames,
    shapes: Shapes<Known>,
}

struct Known {
    /// The value of each attribute that is looked at.
    looked_at: Vec<Option<usize>>,
    ids: IdPlaces,
}

impl KnownShapes {
    /// None yet; the values of these attributes are wanted.
    pub(super) fn new(looked_at: Vec<String>, ids: IdNames) -> Self {
        Self { looked_at, ids, shapes: Shapes::default() }
    }

    /// Leaves the fields of an entry's body where they are, and lets `look` see those that are looked at; `None` where they have to be written
    /// out: the body is no object, or one that has to be looked at more closely.
    pub(super) fn leave(
        &mut self,
        entry: &mut Entry<'_>,
        look: impl FnOnce(&mut Entry<'_>) -> Result<(), String>,
    ) -> Option<Result<(), String>> {
        let Value::Text(text) = &entry.body else { return None };
        let learn = |shape: &Shape| Known::of(shape, &self.looked_at, &self.ids);
        let (shape, known, values) = self.shapes.find(text.as_bytes(), learn)?;
        // Of a name that is there twice the field's value counts.
        let is_member = |name: &str| shape.members().any(|member| member == name.as_bytes());
        if entry.unwritten.is_some() || entry.attributes.iter().any(|(name, _)| is_member(name)) {
            return None;
        }
        let mut looked_at = Fields::with_capacity(self.looked_at.len());
        for (name, number) in self.looked_at.iter().zip(&known.looked_at) {
            let Some(number) = *number else { continue };
            looked_at.push(name.clone(), value_of(text, &values[number], shape.values()[number].is_text)?);
        }
        entry.unwritten = Some(Unwritten { looked_at, ids: None });
        let looked = look(entry);
        if let (Some(unwritten), Value::Text(text)) = (&mut entry.unwritten, &entry.body) {
            // Ids among the attributes that are written out come before those of the body: then all are looked for when it is admitted.
            if entry.attributes.iter().any(|(name, _)| self.ids.has(name)) {
                return Some(looked);
            }
            let own = LineIds { trace: entry.trace_id.map(TraceId), span: entry.span_id.map(SpanId) };
            unwritten.ids = Some(known.ids.ids(own, text.as_bytes(), values));
        }
        Some(looked)
    }
}

impl Known {
    fn of(shape: &Shape, names: &[String], ids: &IdNames) -> Option<Self> {
        let mut looked_at = Vec::with_capacity(names.len());
        for name in names {
            let value = shape.values().iter().position(|value| value.is_own && *value.name == *name.as_bytes());
            // An object, or nothing.
            if value.is_none() && shape.members().any(|member| member == name.as_bytes()) {
                return None;
            }
            looked_at.push(value);
        }
        Some(Self { looked_at, ids: ids.places(shape) })
    }
}

/// A value as it stands in a text; `None` for a list.
fn value_of<'a>(text: &Cow<'a, str>, at: &Range<usize>, is_text: bool) -> Option<Value<'a>> {
    let written = &text.as_bytes()[at.clone()];
    Some(match written.first() {
        _ if is_text && memchr::memchr(b'\\', written).is_some() => {
            Value::text(String::from_utf8_lossy(&unescaped(written)).into_owned())
        }
        Some(b'[') if !is_text => return None,
        Some(b't') if !is_text => Value::Bool(true),
        Some(b'f') if !is_text => Value::Bool(false),
        _ if is_text => match text {
            Cow::Borrowed(text) => Value::text(&text[at.clone()]),
            Cow::Owned(text) => Value::text(text[at.clone()].to_owned()),
        },
        _ => match json_number(written) {
            weir_proto::otlp::ValueView::Int(number) => Value::Int(number),
            weir_proto::otlp::ValueView::Double(number) => Value::Float(number),
            _ => Value::text(text[at.clone()].to_owned()),
        },
    })
}
