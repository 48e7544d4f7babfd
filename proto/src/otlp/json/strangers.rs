//! Says what unknown keys around the spans may have been meant to be.

use std::fmt::Write;

/// The keys that are known there.
const KNOWN: [&str; 7] =
    ["resourceSpans", "resource", "scopeSpans", "scope", "spans", "schemaUrl", "instrumentationLibrarySpans"];

/// What other bodies are known by, letters only.
const OTHERS: [(&str, &str); 12] = [
    ("resourcelogs", "it holds logs, which are not traces"),
    ("scopelogs", "it holds logs, which are not traces"),
    ("resourcemetrics", "it holds metrics, which are not traces"),
    ("scopemetrics", "it holds metrics, which are not traces"),
    ("resourceprofiles", "it holds profiles, which are not traces"),
    ("data", "Jaeger's JSON has it; OTLP/JSON begins with `resourceSpans`"),
    ("process", "Jaeger's JSON has it; OTLP/JSON begins with `resourceSpans`"),
    ("processes", "Jaeger's JSON has it; OTLP/JSON begins with `resourceSpans`"),
    ("batches", "Tempo's API calls so what OTLP/JSON calls `resourceSpans`"),
    ("spans", "spans stand in `resourceSpans`, `scopeSpans`"),
    ("traceid", "spans stand in `resourceSpans`, `scopeSpans`; Zipkin's go to a zipkin receiver, usually on 9411"),
    ("localendpoint", "it is Zipkin's JSON, which goes to a zipkin receiver, usually on 9411"),
];

/// One sentence about keys that were passed over; `None` without any. `is_empty` says that no span was found beside them.
pub fn in_words(strangers: &[String], is_empty: bool) -> Option<String> {
    if strangers.is_empty() {
        return None;
    }
    let mut words = String::from(if is_empty { "no spans found: " } else { "" });
    for (index, stranger) in strangers.iter().enumerate() {
        let separator = if index > 0 { "; " } else { "" };
        let letters: String =
            stranger.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let near = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(&letters) && **known != stranger.as_str());
        let other = OTHERS.iter().find(|(other, _)| *other == letters);
        let _ = write!(words, "{separator}the key `{stranger}` was passed over");
        let _ = match (near, other) {
            (Some(near), _) => write!(words, ", `{near}` is meant"),
            (None, Some((_, meaning))) => write!(words, ": {meaning}"),
            (None, None) => write!(words, ", nothing is called so in OTLP/JSON's traces"),
        };
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_meant() {
        let words = |keys: &[&str]| in_words(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>(), true);
        assert_eq!(words(&[]), None);
        let rows = [
            ("ResourceSpans", "no spans found: the key `ResourceSpans` was passed over, `resourceSpans` is meant"),
            ("Resource-Spans", "no spans found: the key `Resource-Spans` was passed over, `resourceSpans` is meant"),
            (
                "resource_logs",
                "no spans found: the key `resource_logs` was passed over: it holds logs, which are not traces",
            ),
            ("colour", "no spans found: the key `colour` was passed over, nothing is called so in OTLP/JSON's traces"),
        ];
        for (key, expected) in rows {
            assert_eq!(words(&[key]).as_deref(), Some(expected));
        }
        assert_eq!(words(&["data", "x"]).map(|words| words.matches("passed over").count()), Some(2));
    }
}
