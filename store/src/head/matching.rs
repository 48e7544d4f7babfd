//! Whether a span's bytes fulfil a filter, without decoding it.

use memchr::memmem::Finder;
use weir_proto::otlp::traces::{Attributes, ScannedSpan, ValueView};

use crate::{AttributeFilter, AttributeText, Place, SpanFilter, sampling::POLICY_ATTRIBUTE};

/// A filter's attribute conditions, made ready for many payloads.
pub(super) struct AttributeConditions<'f> {
    /// What only payloads tell.
    filters: Vec<&'f AttributeFilter>,
    needles: Vec<Finder<'f>>,
    /// About the policy, which a span's verdict tells; without a verdict the payload does.
    policy: Vec<&'f AttributeFilter>,
}

/// What is known of a span before its payload is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It fulfils all conditions.
    Fits,
    /// It cannot.
    Fails,
    /// The payload tells.
    Ask,
}

impl<'f> AttributeConditions<'f> {
    pub(super) fn new(filter: &'f SpanFilter) -> Self {
        let (mut filters, mut needles, mut policy) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in &filter.attributes {
            if attribute.key == POLICY_ATTRIBUTE && attribute.place != Place::Resource {
                policy.push(attribute);
                continue;
            }
            filters.push(attribute);
            needles.push(Finder::new(attribute.key.as_bytes()));
            if let AttributeText::Str(text) = &attribute.value {
                needles.push(Finder::new(text.as_bytes()));
            }
        }
        Self { filters, needles, policy }
    }

    /// What a span's policy, if it has one, tells by itself.
    pub(super) fn of_policy(&self, policy: Option<&str>) -> Answer {
        let Some(policy) = policy else {
            return if self.filters.is_empty() && self.policy.is_empty() { Answer::Fits } else { Answer::Ask };
        };
        let name = ValueView::Str(policy.as_bytes());
        if !self.policy.iter().all(|filter| equals(name, &filter.value)) {
            return Answer::Fails;
        }
        if self.filters.is_empty() { Answer::Fits } else { Answer::Ask }
    }

    /// False when no span of the payload can fit: a key or a string that is asked for occurs nowhere in its bytes.
    pub(super) fn may_match(&self, payload: &[u8]) -> bool {
        self.needles.iter().all(|needle| needle.find(payload).is_some())
    }

    /// Whether a span of which [`Self::of_policy`] could not tell fulfils all of them.
    pub(super) fn match_span(&self, scanned: &ScannedSpan<'_>, has_policy: bool) -> bool {
        let asked = if has_policy { &[][..] } else { &self.policy[..] };
        self.filters.iter().chain(asked).all(|filter| {
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
