//! Paths that belong to another port, or lie elsewhere on this one: what is said to whoever asks for them here.

use super::ListensAt;

/// What is said of a path: the first row counts whose beginning it has, a whole step of the path or several.
const ROWS: &[(&str, Place)] = &[
    ("/v1/traces", Place::Port("OTLP", "receivers.otlp")),
    ("/v1/logs", Place::Port("OTLP", "receivers.otlp")),
    ("/v1/metrics", Place::Port("OTLP", "receivers.otlp")),
    ("/v1development/profiles", Place::Nowhere("profiles are not taken; traces, logs and metrics are")),
    ("/opentelemetry.proto.collector", Place::Port("OTLP", "receivers.otlp")),
    ("/jaeger.api_v2", Place::Here("/jaeger/api/v3", "Jaeger's questions by HTTP")),
    ("/jaeger.storage", Place::Here("/jaeger/api/v3", "Jaeger's questions by HTTP")),
    ("/api/v2/spans", Place::Port("Zipkin", "receivers.zipkin")),
    ("/api/v1/spans", Place::Port("Zipkin", "receivers.zipkin")),
    ("/api/v3", Place::Here("/jaeger/api/v3", "Jaeger's API")),
    ("/api/services", Place::Here("/jaeger/api/services", "Jaeger's API")),
    ("/api/operations", Place::Here("/jaeger/api/operations", "Jaeger's API")),
    ("/api/dependencies", Place::Here("/jaeger/api/dependencies", "Jaeger's API")),
    ("/api/traces", Place::Here("/jaeger/api/traces", "Jaeger's API; its own span format is not taken, OTLP is")),
    ("/api/v1/query", Place::Here("/prometheus/api/v1/query", "Prometheus' API; SQL is at /api/v1/sql")),
    ("/api/v1/query_range", Place::Here("/prometheus/api/v1/query_range", "Prometheus' API")),
    ("/api/v1/query_exemplars", Place::Here("/prometheus/api/v1/query_exemplars", "Prometheus' API")),
    ("/api/v1/series", Place::Here("/prometheus/api/v1/series", "Prometheus' API")),
    ("/api/v1/labels", Place::Here("/prometheus/api/v1/labels", "Prometheus' API")),
    ("/api/v1/label", Place::Here("/prometheus/api/v1/label", "Prometheus' API")),
    ("/api/v1/metadata", Place::Here("/prometheus/api/v1/metadata", "Prometheus' API")),
    ("/api/v1/rules", Place::Here("/prometheus/api/v1/rules", "Prometheus' API")),
    ("/api/v1/alerts", Place::Here("/prometheus/api/v1/alerts", "Prometheus' API")),
    ("/api/v1/targets", Place::Here("/prometheus/api/v1/targets", "Prometheus' API")),
    ("/api/v1/write", Place::Here("/prometheus/api/v1/write", "remote write")),
    ("/api/v1/push", Place::Here("/prometheus/api/v1/write", "remote write")),
    ("/api/v1/otlp", Place::Port("OTLP", "receivers.otlp")),
    ("/prometheus/api/v1/otlp", Place::Port("OTLP", "receivers.otlp")),
    ("/otlp", Place::Port("OTLP", "receivers.otlp")),
    ("/api/prom/push", Place::Here("/loki/api/v1/push", "Loki's API; for metrics /prometheus/api/v1/write")),
    ("/metrics/job", Place::Here("/prometheus/api/v1/write", "there is no push gateway: remote write")),
    ("/_bulk", Place::Here("/elasticsearch/_bulk", "or to receivers.elasticsearch_bulk's own port")),
    ("/services/collector", Place::Port("Splunk HEC", "receivers.splunk_hec")),
    ("/api/search", Place::Here("/api/v1/search", "the search of traces")),
    ("/tempo", Place::Here("/jaeger/api/v3", "Tempo's API is not there, Jaeger's is")),
];

/// Where a path belongs.
enum Place {
    /// A receiver's own port: what is spoken there, and what opens it in the configuration.
    Port(&'static str, &'static str),
    /// Another path here, and what is there.
    Here(&'static str, &'static str),
    /// Nowhere: why.
    Nowhere(&'static str),
}

/// What is said instead of "nothing is served at this path"; `None` where nothing better is known.
pub(super) fn advice(path: &str, ports: &[ListensAt]) -> Option<String> {
    let is_at = |at: &str| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']));
    let (_, place) = ROWS.iter().find(|(at, _)| is_at(at))?;
    Some(match place {
        Place::Here(elsewhere, what) => format!("nothing is served at this path; at {elsewhere}: {what}"),
        Place::Nowhere(why) => format!("nothing is served at this path: {why}"),
        Place::Port(protocol, receiver) => {
            let open = ports.iter().filter(|port| port.protocol.starts_with(protocol));
            let open: Vec<String> = open.map(|port| format!("{} ({})", port.endpoint, port.protocol)).collect();
            match open.is_empty() {
                true => format!("questions are answered here; {protocol} is taken where {receiver} is configured"),
                false => format!("questions are answered here; {protocol} is taken at {}", open.join(" and ")),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_knocks_at_the_wrong_door_is_told_the_right_one() {
        let ports = [("OTLP/gRPC", "127.0.0.1:4317"), ("OTLP/HTTP", "127.0.0.1:4318")]
            .map(|(protocol, endpoint)| ListensAt { protocol, endpoint: endpoint.into() });
        let told = |path| advice(path, &ports).unwrap_or_default();
        let otlp = "questions are answered here; OTLP is taken at 127.0.0.1:4317 (OTLP/gRPC) and \
                    127.0.0.1:4318 (OTLP/HTTP)";
        assert_eq!(told("/v1/traces"), otlp);
        assert_eq!(told("/opentelemetry.proto.collector.trace.v1.TraceService/Export"), otlp);
        assert!(told("/api/v2/spans").ends_with("Zipkin is taken where receivers.zipkin is configured"));
        assert!(told("/api/v1/query_range").contains("at /prometheus/api/v1/query_range: "));
        assert!(told("/api/traces/00ff").contains("at /jaeger/api/traces: "));
        assert_eq!((told("/v1/tracesque"), told("/nothing")), (String::new(), String::new()));
    }
}
