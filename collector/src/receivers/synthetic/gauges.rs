//! What a probe found, as gauges under blackbox_exporter's names, and how they are exposed to the scraper's reader.

use std::{collections::BTreeMap, fmt::Write};

/// Each family and what it says.
const HELP: [(&str, &str); 33] = [
    ("probe_dns_additional_rrs", "Returns number of entries in the additional resource record list"),
    ("probe_dns_answer_rrs", "Returns number of entries in the answer resource record list"),
    ("probe_dns_authority_rrs", "Returns number of entries in the authority resource record list"),
    ("probe_dns_duration_seconds", "Duration of DNS request by phase"),
    ("probe_dns_lookup_time_seconds", "Returns the time taken for probe dns lookup in seconds"),
    ("probe_dns_query_succeeded", "Displays whether or not the query was executed successfully"),
    ("probe_dns_serial", "Returns the serial number of the zone"),
    ("probe_duration_seconds", "Returns how long the probe took to complete in seconds"),
    ("probe_expect_info", "Explicit content matched"),
    ("probe_failed_due_to_bytes", "Indicates if probe failed due to bytes"),
    ("probe_failed_due_to_regex", "Indicates if probe failed due to regex"),
    ("probe_grpc_duration_seconds", "Duration of gRPC request by phase"),
    ("probe_grpc_healthcheck_response", "Response HealthCheck response"),
    ("probe_grpc_ssl", "Indicates if SSL was used for the connection"),
    ("probe_grpc_status_code", "Response gRPC status code"),
    ("probe_http_content_length", "Length of http content response"),
    ("probe_http_duration_seconds", "Duration of http request by phase, summed over all redirects"),
    ("probe_http_last_modified_timestamp_seconds", "Returns the Last-Modified HTTP response header in unixtime"),
    ("probe_http_redirects", "The number of redirects"),
    ("probe_http_ssl", "Indicates if SSL was used for the final redirect"),
    ("probe_http_status_code", "Response HTTP status code"),
    ("probe_http_uncompressed_body_length", "Length of uncompressed response body"),
    ("probe_http_version", "Returns the version of HTTP of the probe response"),
    ("probe_icmp_duration_seconds", "Duration of icmp request by phase"),
    ("probe_icmp_reply_hop_limit", "Replied packet hop limit (TTL for ipv4)"),
    ("probe_ip_addr_hash", "Specifies the hash of IP address. It's useful to detect if the IP address changes."),
    ("probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6"),
    ("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime"),
    ("probe_ssl_last_chain_expiry_timestamp_seconds", "Returns last SSL chain expiry in timestamp seconds"),
    ("probe_ssl_last_chain_info", "Contains SSL leaf certificate information"),
    ("probe_success", "Displays whether or not the probe was a success"),
    ("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake"),
    ("probe_tls_version_info", "Returns the TLS version used or NaN when unknown"),
];

/// Gauges by family and labels.
#[derive(Debug, Default)]
pub(super) struct Gauges(BTreeMap<&'static str, BTreeMap<String, f64>>);

impl Gauges {
    /// Sets a gauge that has no labels.
    pub(super) fn set(&mut self, family: &'static str, value: f64) {
        self.set_labelled(family, &[], value);
    }

    /// Sets one that has.
    pub(super) fn set_labelled(&mut self, family: &'static str, labels: &[(&str, &str)], value: f64) {
        self.0.entry(family).or_default().insert(written(labels), value);
    }

    /// Adds to one; it begins with 0.
    pub(super) fn add(&mut self, family: &'static str, labels: &[(&str, &str)], value: f64) {
        *self.0.entry(family).or_default().entry(written(labels)).or_default() += value;
    }

    /// Takes a family away.
    pub(super) fn forget(&mut self, family: &str) {
        self.0.remove(family);
    }

    /// All of them in Prometheus' text format, by name.
    pub(super) fn exposed(&self) -> String {
        let mut out = String::with_capacity(4096);
        for (family, gauges) in &self.0 {
            if let Some((_, help)) = HELP.iter().find(|(name, _)| name == family) {
                let _ = writeln!(out, "# HELP {family} {help}");
            }
            let _ = writeln!(out, "# TYPE {family} gauge");
            for (labels, value) in gauges {
                let _ = writeln!(out, "{family}{labels} {}", number(*value));
            }
        }
        out
    }
}

fn number(value: f64) -> String {
    if value.is_nan() { "NaN".into() } else { value.to_string() }
}

/// `{a="1",b="2"}`.
fn written(labels: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (index, (name, value)) in labels.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        let _ = write!(out, "{name}=\"");
        for c in value.chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                c => out.push(c),
            }
        }
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_exposed_by_name() {
        let mut gauges = Gauges::default();
        gauges.set("probe_success", 1.0);
        gauges.add("probe_http_duration_seconds", &[("phase", "tls")], 0.25);
        gauges.add("probe_http_duration_seconds", &[("phase", "tls")], 0.5);
        gauges.set_labelled("probe_ssl_last_chain_info", &[("subject", "CN=\"a\\b\""), ("issuer", "x\ny")], 1.0);
        assert_eq!(
            gauges.exposed(),
            "# HELP probe_http_duration_seconds Duration of http request by phase, summed over all redirects\n\
             # TYPE probe_http_duration_seconds gauge\n\
             probe_http_duration_seconds{phase=\"tls\"} 0.75\n\
             # HELP probe_ssl_last_chain_info Contains SSL leaf certificate information\n\
             # TYPE probe_ssl_last_chain_info gauge\n\
             probe_ssl_last_chain_info{subject=\"CN=\\\"a\\\\b\\\"\",issuer=\"x\\ny\"} 1\n\
             # HELP probe_success Displays whether or not the probe was a success\n\
             # TYPE probe_success gauge\n\
             probe_success 1\n"
        );
        assert!(HELP.is_sorted_by_key(|(name, _)| *name));
    }
}
