//! Traces: `trace_parser`, and the `trace` block of other parsers.

use serde::Deserialize;
use weir_proto::{SpanId, TraceId};

use super::{Entry, Field, Next, Operator, OperatorConfig, config::ParseFrom};

pub(super) const KEYS: &[&str] = &["trace_id", "span_id", "trace_flags"];

/// Where a line says what it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TraceConfig {
    pub(super) trace_id: Option<ParseFrom>,
    pub(super) span_id: Option<ParseFrom>,
    pub(super) trace_flags: Option<ParseFrom>,
}

/// Finds ids.
pub(super) struct TraceParser {
    trace_id: Option<Field>,
    span_id: Option<Field>,
    trace_flags: Option<Field>,
}

impl TraceParser {
    pub(super) fn new(config: &TraceConfig) -> Result<Self, String> {
        let field = |from: &Option<ParseFrom>| from.as_ref().map(|from| from.parse_from.clone());
        Ok(Self {
            trace_id: field(&config.trace_id),
            span_id: field(&config.span_id),
            trace_flags: field(&config.trace_flags),
        })
    }

    /// Where it reads.
    pub(super) fn from(&self) -> impl Iterator<Item = &Field> {
        [&self.trace_id, &self.span_id, &self.trace_flags].into_iter().flatten()
    }

    /// Sets an entry's ids; what is not there sets nothing. Ids that were understood leave their fields.
    pub(super) fn apply(&self, entry: &mut Entry<'_>) -> Result<(), String> {
        let hex = |field: &Option<Field>, entry: &Entry<'_>| -> Option<(Field, Vec<u8>)> {
            let field = field.as_ref()?;
            let text = field.get(entry)?.to_text()?;
            Some((field.clone(), bytes_of_hex(text.trim())))
        };
        let mut problem = None;
        if let Some((field, bytes)) = hex(&self.trace_id, entry) {
            match TraceId::from_wire(&bytes) {
                Some(id) => entry.trace_id = Some(id.0),
                None => problem = Some(format!("{field} is no trace id: 32 hex digits, not all 0")),
            }
        }
        if let Some((field, bytes)) = hex(&self.span_id, entry) {
            match SpanId::from_wire(&bytes) {
                Some(id) => entry.span_id = Some(id.0),
                None => problem = Some(format!("{field} is no span id: 16 hex digits, not all 0")),
            }
        }
        if let Some((field, bytes)) = hex(&self.trace_flags, entry) {
            match bytes[..] {
                [flags] => entry.trace_flags = Some(flags),
                _ => problem = Some(format!("{field} are no trace flags: 2 hex digits")),
            }
        }
        // Whoever looked for ids before did not know of these.
        if let Some(unwritten) = &mut entry.unwritten {
            unwritten.ids = None;
        }
        problem.map_or(Ok(()), Err)
    }
}

/// The bytes; none where a digit is none.
fn bytes_of_hex(text: &str) -> Vec<u8> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) || text.len() > 64 {
        return Vec::new();
    }
    let pairs = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16));
    pairs.collect::<Result<_, _>>().unwrap_or_default()
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let mut ids = config.settings.ids.clone();
    let usual = |name: &str| Some(ParseFrom { parse_from: Field { keys: vec![name.to_owned()], ..Field::BODY } });
    // As the Collector has it: none is named, then the usual ones are meant.
    if ids == TraceConfig::default() {
        ids = TraceConfig { trace_id: usual("trace_id"), span_id: usual("span_id"), trace_flags: usual("trace_flags") };
    }
    Ok(Box::new(TraceParser::new(&ids)?))
}

impl Operator for TraceParser {
    fn reads(&self) -> Option<Vec<&Field>> {
        Some(self.from().collect())
    }

    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        Self::apply(self, entry).map(|()| Next::On)
    }
}
