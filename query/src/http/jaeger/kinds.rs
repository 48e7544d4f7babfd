//! Span kinds by the names Jaeger gives them.

/// Jaeger's names in the order of OTLP's SpanKind; the unspecified kind has none.
const NAMES: [&str; 6] = ["", "internal", "server", "client", "producer", "consumer"];

/// The name of an OTLP SpanKind; empty for the unspecified and for unknown ones.
pub(in crate::http) fn name(kind: i32) -> &'static str {
    usize::try_from(kind).ok().and_then(|kind| NAMES.get(kind)).copied().unwrap_or_default()
}

/// The OTLP SpanKind of a name.
pub(in crate::http) fn number(name: &str) -> Option<i32> {
    if name == "unspecified" {
        return Some(0);
    }
    let position = NAMES.iter().position(|known| *known == name && !known.is_empty())?;
    i32::try_from(position).ok()
}
