//! Whether a span's bytes fulfil a filter, without decoding it.

use memchr::memmem::Finder;
use weir_proto::otlp::traces::{Attributes, ScannedSpan, ValueView};

use crate::{AttributeFilter, AttributeText, Place, SpanFilter};

/// A filter's attribute conditions, made ready for many payloads.
pub(super) struct AttributeConditions<'f> {
    filters: &'f [AttributeFilter],
    needles: Vec<Finder<'f>>,
}

impl<'f> AttributeConditions<'f> {
    pub(super) fn new(filter: &'f SpanFilter) -> Self {
        let mut needles = Vec::new();
        for attribute in &filter.attributes {
            needles.push(Finder::new(attribute.key.as_bytes()));
            if let AttributeText::Str(text) = &attribute.value {
                needles.push(Finder::new(text.as_bytes()));
            }
        }
        Self { filters: &filter.attributes, needles }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// False when no span of the payload can fit: a key or a string that is asked for occurs nowhere in its bytes.
    pub(super) fn may_match(&self, payload: &[u8]) -> bool {
        self.needles.iter().all(|needle| needle.find(payload).is_some())
    }

    /// Whether the span fulfils all of them.
    pub(super) fn match_span(&self, scanned: &ScannedSpan<'_>) -> bool {
        self.filters.iter().all(|filter| {
            let of_span = || any_equal(scanned.span.attributes, filter);
            let of_resource = || any_equal(scanned.resource.attributes, filter);
            match filter.place {
                Place::Span => of_span(),
                Place::Resource => of_resource(),
                Place::Any => of_span() || of_resource(),
            }
        })
    }
}

fn any_equal(attributes: Attributes<'_>, filter: &AttributeFilter) -> bool {
    attributes.iter().any(|attribute| attribute.key == filter.key.as_bytes() && equals(attribute.value, &filter.value))
}

/// Equality as [`AttributeText`] defines it.
fn equals(value: ValueView<'_>, wanted: &AttributeText) -> bool {
    match (value, wanted) {
        (ValueView::Str(value), AttributeText::Str(text) | AttributeText::Text(text)) => value == text.as_bytes(),
        (ValueView::Bool(value), AttributeText::Bool(wanted)) => value == *wanted,
        (ValueView::Bool(value), AttributeText::Text(text)) => text == if value { "true" } else { "false" },
        (ValueView::Int(value), AttributeText::Int(wanted)) => value == *wanted,
        (ValueView::Int(value), AttributeText::Text(text)) => text.parse() == Ok(value),
        (ValueView::Double(value), AttributeText::Double(wanted)) => value == *wanted,
        (ValueView::Double(value), AttributeText::Text(text)) => text.parse() == Ok(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_any_scalar_and_types_only_themselves() {
        let text = |text: &str| AttributeText::Text(text.into());
        assert!(equals(ValueView::Int(500), &text("500")));
        assert!(equals(ValueView::Str(b"500"), &text("500")));
        assert!(equals(ValueView::Double(1.0), &text("1")));
        assert!(equals(ValueView::Bool(true), &text("true")));
        assert!(!equals(ValueView::Int(500), &text("501")));
        assert!(!equals(ValueView::Bytes(b"500"), &text("500")));
        assert!(!equals(ValueView::Int(500), &AttributeText::Str("500".into())));
        assert!(equals(ValueView::Int(-1), &AttributeText::Int(-1)));
        assert!(!equals(ValueView::Int(1), &AttributeText::Double(1.0)));
    }
}
