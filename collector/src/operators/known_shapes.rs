//! JSON objects whose fields become attributes without being written out: lines of one service are written alike, and what is looked at of
//! them lies where it lay in the line before.

use std::{borrow::Cow, ops::Range};

use weir_proto::{
    SpanId, TraceId,
    json::{Shape, unescaped},
    otlp::logs::{IdNames, IdPlaces, LineIds, json_number},
};

use super::{Entry, Fields, Unwritten, Value, json};

/// Shapes that are remembered, those of the latest lines.
const SHAPES_MAX: usize = 8;

/// After so many lines of no known shape the next ones are not looked at so closely.
const STRANGERS_MAX: u32 = 64;
/// So many of them.
const PASSED_OVER: u32 = 4096;

/// What is known of the latest lines.
pub(super) struct KnownShapes {
    /// Attributes whose values are wanted.
    looked_at: Vec<String>,
    ids: IdNames,
    /// The latest first.
    known: Vec<Known>,
    strangers: u32,
    passed_over: u32,
    values: Vec<Range<usize>>,
}

struct Known {
    shape: Shape,
    /// The value of each attribute that is looked at.
    looked_at: Vec<Option<usize>>,
    ids: IdPlaces,
}

impl KnownShapes {
    /// None yet; the values of these attributes are wanted.
    pub(super) fn new(looked_at: Vec<String>, ids: IdNames) -> Self {
        let (known, values) = (Vec::with_capacity(SHAPES_MAX), Vec::new());
        Self { looked_at, ids, known, strangers: 0, passed_over: 0, values }
    }

    /// What a body's fields are as attributes beside these; `None` where they have to be written out: it is no object, or one that has to be
    /// looked at more closely.
    pub(super) fn unwritten<'a>(&mut self, body: &Value<'a>, attributes: &Fields<'_>) -> Option<Unwritten<'a>> {
        let Value::Text(text) = body else { return None };
        let bytes = text.as_bytes();
        match self.known.iter().position(|known| known.shape.matches(bytes, &mut self.values)) {
            Some(at) => {
                self.strangers = 0;
                self.known[..=at].rotate_right(1);
            }
            None => self.learn(text)?,
        }
        let known = self.known.first()?;
        // Of a name that is there twice the field's value counts.
        if attributes.iter().any(|(name, _)| known.shape.members().any(|member| member == name.as_bytes())) {
            return None;
        }
        let mut looked_at = Fields::with_capacity(self.looked_at.len());
        for (name, number) in self.looked_at.iter().zip(&known.looked_at) {
            let Some(number) = *number else { continue };
            let value = value_of(text, &self.values[number], known.shape.values()[number].is_text)?;
            looked_at.push(name.clone(), value);
        }
        Some(Unwritten { looked_at, ids: None })
    }

    /// Says what a line belongs to, whose body was asked about last.
    pub(super) fn find_ids(&self, entry: &mut Entry<'_>) {
        let (Some(unwritten), Value::Text(text), Some(known)) = (&mut entry.unwritten, &entry.body, self.known.first())
        else {
            return;
        };
        let own = LineIds { trace: entry.trace_id.map(TraceId), span: entry.span_id.map(SpanId) };
        let text_of = |number: usize| &text.as_bytes()[self.values[number].clone()];
        unwritten.ids = Some(known.ids.ids(own, text_of));
    }

    /// Remembers the shape of a line that has none of those that are known.
    fn learn(&mut self, text: &str) -> Option<()> {
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return None;
        }
        if !json::seems_object(text) {
            return None;
        }
        self.strangers += 1;
        if self.strangers > STRANGERS_MAX {
            (self.strangers, self.passed_over) = (0, PASSED_OVER);
            return None;
        }
        let shape = Shape::of(text.as_bytes())?;
        let mut looked_at = Vec::with_capacity(self.looked_at.len());
        for name in &self.looked_at {
            let value = shape.values().iter().position(|value| value.is_own && *value.name == *name.as_bytes());
            // An object, or nothing.
            if value.is_none() && shape.members().any(|member| member == name.as_bytes()) {
                return None;
            }
            looked_at.push(value);
        }
        let ids = IdPlaces::new(&self.ids, shape.values().iter().map(|value| (&*value.name, value.is_own)));
        if !shape.matches(text.as_bytes(), &mut self.values) {
            return None;
        }
        self.known.truncate(SHAPES_MAX - 1);
        self.known.insert(0, Known { shape, looked_at, ids });
        Some(())
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
