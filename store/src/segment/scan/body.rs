//! A field of bodies that are JSON objects, read from the bodies themselves: of the head, and where a segment has no column for it.

use memchr::memmem::Finder;
use weir_proto::{
    json::{FieldLimits, FieldValue, field, may_have_fields},
    otlp::ValueView,
};

use super::attribute::{empty, word_of_text};
use crate::{
    ask::{filter::AttributeTest, request::AttributeForm},
    columns::{Column, Values},
    segment::json,
};

/// A field's name, and what tells bodies without it apart from others.
#[derive(Debug)]
pub(crate) struct BodyField<'k> {
    name: &'k [u8],
    /// What a body with the field has in it, unless something in it is escaped.
    hope: Option<Finder<'k>>,
    escape: Finder<'static>,
}

impl<'k> BodyField<'k> {
    /// The field of this name.
    pub(crate) fn named(name: &'k str) -> Self {
        Self { name: name.as_bytes(), hope: last_part(name).map(Finder::new), escape: Finder::new("\\u") }
    }

    /// The field's value in a text.
    pub(crate) fn of_text<'t>(&self, body: &'t [u8]) -> Option<FieldValue<'t>> {
        if !may_have_fields(body) {
            return None;
        }
        let is_hopeless = |hope: &Finder<'_>| hope.find(body).is_none() && self.escape.find(body).is_none();
        if self.hope.as_ref().is_some_and(is_hopeless) {
            return None;
        }
        field(body, self.name, FieldLimits::default()).filter(|value| *value != FieldValue::Null)
    }

    /// Hands out the field's value in a body as it arrived, if it is there; answers what `take` answers.
    pub(crate) fn of_body<T>(&self, body: &ValueView<'_>, take: impl FnOnce(&FieldValue<'_>) -> T) -> Option<T> {
        match body {
            ValueView::Str(text) => self.of_text(text).map(|value| take(&value)),
            ValueView::KvList(_) => {
                let text = structured_text(body);
                self.of_text(&text).map(|value| take(&value))
            }
            _ => None,
        }
    }

    /// The field's values in bodies, in one form; each distinct body is read once.
    pub(super) fn read(&self, bodies: &Column, form: AttributeForm) -> Column {
        let mut out = empty(form);
        let Values::Bytes { codes, dictionary } = &bodies.values else { return out };
        let mut text = Vec::new();
        // The bodies of one text that follow each other are read once; hardly any others are alike.
        let mut last: Option<(u32, Option<FieldValue<'_>>)> = None;
        for (position, &code) in codes.iter().enumerate() {
            if last.as_ref().is_none_or(|(known, _)| *known != code) {
                last = Some((code, self.of_text(dictionary.get(code))));
            }
            if let Some((_, Some(value))) = &last {
                push(&mut out, bodies.row(position), value, form, &mut text);
            }
        }
        out
    }
}

/// A structured body as the JSON text that stands for it.
pub(crate) fn structured_text(body: &ValueView<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    json::write_value(body, &mut text);
    text
}

/// The last part of a dotted name, when JSON can write it in one way only, `\u` aside.
pub(crate) fn last_part(name: &str) -> Option<&str> {
    let part = name.rsplit('.').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@' | b'$' | b':');
    (!part.is_empty() && part.bytes().all(is_plain)).then_some(part)
}

/// Adds a field's value to a column of this form, if it has such a one.
pub(super) fn push(column: &mut Column, row: u32, value: &FieldValue<'_>, form: AttributeForm, text: &mut Vec<u8>) {
    match form {
        AttributeForm::Text => {
            text.clear();
            if write_text(value, text) {
                column.push_bytes(row, text);
            }
        }
        _ => {
            if let Some(word) = word(value, form) {
                column.push_word(row, word);
            }
        }
    }
}

/// Whether a field's value passes.
pub(crate) fn passes(value: &FieldValue<'_>, test: &AttributeTest) -> bool {
    match test {
        AttributeTest::Present => *value != FieldValue::Null,
        AttributeTest::TextIn(_) => {
            let mut text = Vec::new();
            write_text(value, &mut text) && test.passes_text(&text)
        }
        _ => word(value, test.form()).is_some_and(|word| test.passes_word(word)),
    }
}

fn write_text(value: &FieldValue<'_>, out: &mut Vec<u8>) -> bool {
    match value {
        FieldValue::Text(text) => out.extend_from_slice(text),
        FieldValue::Number(text) | FieldValue::Json(text) => out.extend_from_slice(text),
        FieldValue::Bool(value) => json::write_bool(*value, out),
        FieldValue::Null => return false,
    }
    true
}

fn word(value: &FieldValue<'_>, form: AttributeForm) -> Option<u64> {
    match (value, form) {
        (FieldValue::Text(text), _) => word_of_text(text, form),
        (FieldValue::Number(text), AttributeForm::Number) => word_of_text(text, form),
        (FieldValue::Bool(value), AttributeForm::Bool) => Some(u64::from(*value)),
        _ => None,
    }
}
