//! Exemplars of points, as Prometheus keeps them.

use weir_proto::{
    metrics::{Exemplar, Labels},
    otlp::metrics::{ExemplarPoint, NumberValue, in_words},
};

/// Characters that its labels may have together (OpenMetrics).
const CHARS_MAX: usize = 128;

/// An exemplar with its trace; its attributes too, under their own names, as far as there is room for all of them.
pub(super) fn exemplar(point: &ExemplarPoint<'_>) -> Option<Exemplar> {
    let value = point.value.map(NumberValue::as_f64)?;
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, id, length) in [("trace_id", point.trace_id, 16), ("span_id", point.span_id, 8)] {
        if id.len() == length && id.iter().any(|byte| *byte != 0) {
            pairs.push((name.into(), id.iter().map(|byte| format!("{byte:02x}")).collect()));
        }
    }
    let mut chars: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut own: Vec<(String, String)> = Vec::new();
    for attribute in point.attributes.iter() {
        let (key, value) = (String::from_utf8_lossy(attribute.key), in_words(attribute.value));
        chars += key.chars().count() + value.chars().count();
        own.push((key.into_owned(), value.into_owned()));
    }
    if chars <= CHARS_MAX {
        for (name, value) in own {
            if !name.is_empty() && !pairs.iter().any(|(known, _)| *known == name) {
                pairs.push((name, value));
            }
        }
    }
    let labels = Labels::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))).ok()?;
    Some(Exemplar { labels, value, time_ms: (point.time_ns / 1_000_000) as i64 })
}
