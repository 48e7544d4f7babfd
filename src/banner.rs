//! What is printed once everything listens: where, where data is, and what to do next.

use std::{fmt::Write, net::SocketAddr, path::Path};

use weir_port::Listening;

/// The banner. Its last line is blank, so that it stands apart from the log. `ids` are all receivers, also those that nothing is sent to.
pub(crate) fn text(
    config_file: Option<&Path>,
    data: &Path,
    (receivers, ids): (&[Listening], &[&str]),
    query: SocketAddr,
) -> String {
    let mut out = String::new();
    let config = match config_file {
        Some(file) => file.display().to_string(),
        None => "built in: all in one on loopback (the same as configs/all_in_one.yaml)".into(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(out, "weir {} is ready", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(out, "  {:<10} {config}", "config");
    let _ = writeln!(out, "  {:<10} {}", "data", data.display());
    for port in receivers {
        let _ = writeln!(out, "  {:<10} {}", port.protocol, port.address);
    }
    let _ = writeln!(out, "  {:<10} http://{}", "queries", reachable(query));
    let _ = writeln!(out);
    let port_of = |protocol: &str| receivers.iter().find(|port| port.protocol == protocol);
    let send = port_of("OTLP/gRPC")
        .map(|port| (port, ""))
        .or_else(|| port_of("OTLP/HTTP").map(|port| (port, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf ")));
    if let Some((port, protocol)) = send {
        let address = reachable(port.address);
        let _ = writeln!(out, "Send traces:  {protocol}OTEL_EXPORTER_OTLP_ENDPOINT=http://{address} my-app");
    } else if let Some(port) = port_of("Zipkin") {
        let _ = writeln!(out, "Send traces:  http://{}/api/v2/spans, as to Zipkin", reachable(port.address));
    } else if let Some(port) = port_of("Loki") {
        let _ = writeln!(out, "Send logs:    http://{}/loki/api/v1/push, as to Loki", reachable(port.address));
    } else if let Some(port) = port_of("ES bulk") {
        let _ = writeln!(out, "Send logs:    http://{}/_bulk, as to Elasticsearch", reachable(port.address));
    } else if let Some(port) = receivers.first() {
        let _ = writeln!(out, "Send logs:    {}, by {}", reachable(port.address), port.protocol);
    } else if !ids.is_empty() {
        let _ = writeln!(out, "Reads itself: {}", ids.join(", "));
    } else {
        let _ = writeln!(out, "No receiver is configured: what is stored can be read, nothing is taken.");
    }
    let _ = writeln!(out, "Look at them: http://{}/", reachable(query));
    let _ = writeln!(out, "Stop:         Ctrl-C or SIGTERM");
    let _ = writeln!(out);
    out
}

/// An address to type on this machine: "every address" is reached through localhost.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        return format!("localhost:{}", address.port());
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(protocol: &'static str, address: &str) -> Listening {
        Listening { protocol, address: address.parse().expect("an address") }
    }

    #[test]
    fn says_where_and_what_next() {
        let receivers = [listening("OTLP/gRPC", "127.0.0.1:4317"), listening("OTLP/HTTP", "0.0.0.0:4318")];
        let query = "[::]:4320".parse().expect("an address");
        let banner = text(Some(Path::new("weir.yaml")), Path::new("/var/lib/weir"), (&receivers, &["otlp"]), query);
        let expected = "\
weir 0.1.0 is ready
  config     weir.yaml
  data       /var/lib/weir
  OTLP/gRPC  127.0.0.1:4317
  OTLP/HTTP  0.0.0.0:4318
  queries    http://localhost:4320

Send traces:  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 my-app
Look at them: http://localhost:4320/
Stop:         Ctrl-C or SIGTERM

";
        assert_eq!(banner, expected.replace("0.1.0", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn names_the_protocol_when_only_http_is_open() {
        let query = "10.1.2.3:4320".parse().expect("an address");
        let banner = text(None, Path::new("d"), (&[listening("OTLP/HTTP", "10.1.2.3:4318")], &[]), query);
        let line = "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=http://10.1.2.3:4318 my-app";
        assert!(banner.contains(line), "{banner}");
        let zipkin = text(None, Path::new("d"), (&[listening("Zipkin", "127.0.0.1:9411")], &[]), query);
        assert!(zipkin.contains("\n  Zipkin     127.0.0.1:9411\n"), "{zipkin}");
        assert!(zipkin.contains("Send traces:  http://localhost:9411/api/v2/spans"), "{zipkin}");
        assert!(text(None, Path::new("d"), (&[], &[]), query).contains("No receiver is configured"));
        let files = text(None, Path::new("d"), (&[], &["filelog", "prometheus"]), query);
        assert!(files.contains("\nReads itself: filelog, prometheus\n"), "{files}");
    }
}
