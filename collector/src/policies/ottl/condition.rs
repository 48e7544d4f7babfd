//! Conditions as a policy has them: any of several, over spans or their events.

use weir_proto::otlp::traces::ScannedSpan;

use super::{evaluate::Subject, expression::Expression, parser, path::Context};

/// Holds of a span when one of them does.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    texts: (Vec<String>, Vec<String>),
    of_span: Vec<Expression>,
    of_event: Vec<Expression>,
}

/// The texts say all.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Condition {
    /// Reads conditions over spans and over events; says of each that is none why.
    pub(crate) fn parse(of_span: &[String], of_event: &[String]) -> Result<Self, String> {
        let texts = (of_span.to_vec(), of_event.to_vec());
        let mut wrong = Vec::new();
        let mut parse = |texts: &[String], context| {
            let mut parsed = Vec::with_capacity(texts.len());
            for text in texts {
                match parser::parse(text, context) {
                    Ok(condition) => parsed.push(condition),
                    Err(error) => {
                        let shown: String = text.chars().take(200).collect();
                        wrong.push(format!("condition `{shown}`: {error}"));
                    }
                }
            }
            parsed
        };
        let (of_span, of_event) = (parse(of_span, Context::Span), parse(of_event, Context::Event));
        if wrong.is_empty() { Ok(Self { texts, of_span, of_event }) } else { Err(wrong.join("; ")) }
    }

    /// Whether a span fulfils it.
    pub(crate) fn holds(&self, span: &ScannedSpan<'_>) -> bool {
        let subject = Subject { span, event: None };
        if self.of_span.iter().any(|condition| subject.holds(condition) == Some(true)) {
            return true;
        }
        if self.of_event.is_empty() {
            return false;
        }
        span.span.events.iter().any(|event| {
            let subject = Subject { span, event: Some(event) };
            self.of_event.iter().any(|condition| subject.holds(condition) == Some(true))
        })
    }
}

#[cfg(test)]
mod tests;
