//! Attributes' values as texts, as labels need them.

use std::{borrow::Cow, fmt::Write};

use crate::otlp::{ValueView, array_values, json::base64, key_values};

/// A value in words, as the Collector's `AsString` writes it: texts as they are, lists and maps as JSON, bytes in base64.
pub fn in_words<'a>(value: ValueView<'a>) -> Cow<'a, str> {
    match value {
        ValueView::Empty => Cow::Borrowed(""),
        ValueView::Str(text) => String::from_utf8_lossy(text),
        ValueView::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
        ValueView::Int(value) => Cow::Owned(value.to_string()),
        ValueView::Double(value) => Cow::Owned(double(value)),
        ValueView::Bytes(bytes) => Cow::Owned(base64::encoded(bytes)),
        ValueView::Array(_) | ValueView::KvList(_) => {
            let mut out = String::new();
            json(value, &mut out);
            Cow::Owned(out)
        }
    }
}

/// As Go's encoding/json writes a double.
fn double(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        }
        .into();
    }
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

/// Nesting was bounded at admission.
fn json(value: ValueView<'_>, out: &mut String) {
    match value {
        ValueView::Empty => out.push_str("null"),
        ValueView::Str(text) => quoted(&String::from_utf8_lossy(text), out),
        ValueView::Bytes(bytes) => quoted(&base64::encoded(bytes), out),
        ValueView::Array(array) => {
            out.push('[');
            for (index, element) in array_values(array).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json(element, out);
            }
            out.push(']');
        }
        ValueView::KvList(list) => {
            let mut entries: Vec<_> = key_values(list).collect();
            // As Go writes a map.
            entries.sort_by_key(|entry| entry.key);
            out.push('{');
            for (index, entry) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quoted(&String::from_utf8_lossy(entry.key), out);
                out.push(':');
                json(entry.value, out);
            }
            out.push('}');
        }
        plain => out.push_str(&in_words(plain)),
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
