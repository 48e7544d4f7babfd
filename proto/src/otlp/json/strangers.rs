//! Says what unknown keys around the items may have been meant to be.

use std::fmt::Write;

use super::Stranger;
use crate::Signal;

/// What there is to say about keys around the items of one signal.
struct Words {
    /// The keys that are known there.
    known: &'static [&'static str],
    /// What other bodies are known by, letters only.
    others: &'static [(&'static str, &'static str)],
}

static TRACES: Words = Words {
    known: &["resourceSpans", "resource", "scopeSpans", "scope", "spans", "schemaUrl", "instrumentationLibrarySpans"],
    others: &[
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
    ],
};

static LOGS: Words = Words {
    known: &["resourceLogs", "resource", "scopeLogs", "scope", "logRecords", "schemaUrl"],
    others: &[
        ("resourcespans", "it holds traces, which are not logs"),
        ("scopespans", "it holds traces, which are not logs"),
        ("resourcemetrics", "it holds metrics, which are not logs"),
        ("scopemetrics", "it holds metrics, which are not logs"),
        ("resourceprofiles", "it holds profiles, which are not logs"),
        ("streams", "Loki's JSON has it; OTLP/JSON begins with `resourceLogs`"),
        ("logs", "log records stand in `resourceLogs`, `scopeLogs`, `logRecords`"),
        ("body", "log records stand in `resourceLogs`, `scopeLogs`, `logRecords`"),
    ],
};

static METRICS: Words = Words {
    known: &["resourceMetrics", "resource", "scopeMetrics", "scope", "metrics", "schemaUrl"],
    others: &[
        ("resourcespans", "it holds traces, which are not metrics"),
        ("scopespans", "it holds traces, which are not metrics"),
        ("resourcelogs", "it holds logs, which are not metrics"),
        ("scopelogs", "it holds logs, which are not metrics"),
        ("resourceprofiles", "it holds profiles, which are not metrics"),
        ("metrics", "metrics stand in `resourceMetrics`, `scopeMetrics`, `metrics`"),
    ],
};

/// One sentence about keys that were passed over; `None` without any. `is_empty` says that no item was found beside them.
pub fn in_words(signal: Signal, strangers: &[Stranger], is_empty: bool) -> Option<String> {
    if strangers.is_empty() {
        return None;
    }
    let Words { known, others } = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    let mut words = if is_empty { format!("no {} found: ", signal.items()) } else { String::new() };
    for (index, Stranger { key: stranger, meant }) in strangers.iter().enumerate() {
        let separator = if index > 0 { "; " } else { "" };
        let letters: String =
            stranger.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let near = known.iter().find(|known| known.eq_ignore_ascii_case(&letters) && **known != stranger.as_str());
        let near = near.copied().or(*meant);
        let other = others.iter().find(|(other, _)| *other == letters);
        let _ = write!(words, "{separator}the key `{stranger}` was passed over");
        let _ = match (near, other) {
            (Some(near), _) => write!(words, ", `{near}` is meant"),
            (None, Some((_, meaning))) => write!(words, ": {meaning}"),
            (None, None) => write!(words, ", nothing is called so in OTLP/JSON's {}", signal.name()),
        };
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_meant() {
        let in_words_of = |signal, keys: &[&str]| {
            let stranger = |key: &&str| Stranger { key: (*key).to_owned(), meant: None };
            in_words(signal, &keys.iter().map(stranger).collect::<Vec<_>>(), true)
        };
        let words = |keys: &[&str]| in_words_of(Signal::Traces, keys);
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
        let of_logs =
            "no log records found: the key `resourceSpans` was passed over: it holds traces, which are not logs";
        assert_eq!(in_words_of(Signal::Logs, &["resourceSpans"]).as_deref(), Some(of_logs));
        let within = [Stranger { key: "TraceId".to_owned(), meant: Some("traceId") }];
        let told = "the key `TraceId` was passed over, `traceId` is meant";
        assert_eq!(in_words(Signal::Traces, &within, false).as_deref(), Some(told));
    }
}
