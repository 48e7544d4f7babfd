//! What is wrong with a module, found before anything is probed.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Method};
use weir_proto::nearest::unknown;

use super::{Compression, DnsProbe, HttpProbe, IcmpProbe, Module, ProberKind, TcpProbe, TransportProtocol};
use crate::receivers::{prometheus::TlsConfig, synthetic::dns::names};

/// Largest echo: what fits into one packet of IPv4 beside its headers.
const PAYLOAD_BYTES_MAX: usize = 65_507 - 8;

/// Lines that one probe may speak.
const QUERY_RESPONSES_MAX: usize = 1000;

type Flaw = (String, String);

fn flaw<T>(key: &str, problem: impl Into<String>) -> Result<T, Flaw> {
    Err((key.to_owned(), problem.into()))
}

impl Module {
    /// The key below the module's, and what is wrong with it.
    pub(in super::super) fn check(&self) -> Result<(), Flaw> {
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return flaw("timeout", "has to be longer than 0");
        }
        match self.prober {
            ProberKind::Http => self.http.check(),
            ProberKind::Tcp => self.tcp.check(),
            ProberKind::Dns => self.dns.check(),
            ProberKind::Icmp => self.icmp.check(),
            ProberKind::Grpc => self.grpc.check(),
        }
    }
}

impl super::GrpcProbe {
    fn check(&self) -> Result<(), Flaw> {
        for (name, values) in &self.metadata {
            let is_header =
                HeaderName::try_from(name).is_ok() && values.iter().all(|value| HeaderValue::try_from(value).is_ok());
            if !is_header {
                return flaw("grpc.metadata", format!("{name:?} cannot be sent as a header"));
            }
        }
        tls("grpc.tls_config", &self.tls_config)
    }
}

impl HttpProbe {
    fn check(&self) -> Result<(), Flaw> {
        if !self.method.is_empty() && Method::from_bytes(self.method.as_bytes()).is_err() {
            return flaw("http.method", format!("{:?} is no method", self.method));
        }
        if let Some(code) = self.valid_status_codes.iter().find(|code| !(100..=999).contains(*code)) {
            return flaw("http.valid_status_codes", format!("{code} is no status"));
        }
        if !self.body.is_empty() && self.body_file.is_some() {
            return flaw("http.body_file", "setting body and body_file both is not allowed");
        }
        for (name, value) in &self.headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
                return flaw("http.headers", format!("{name:?} cannot be sent as a header"));
            }
        }
        self.check_compression()?;
        let named = self.fail_if_header_matches.iter().chain(&self.fail_if_header_not_matches);
        for condition in named {
            if condition.header.is_empty() {
                return flaw("http.fail_if_header_matches", "header name must be set for HTTP header matchers");
            }
            if condition.regexp.as_str().is_empty() {
                return flaw("http.fail_if_header_matches", "regexp must be set for HTTP header matchers");
            }
        }
        self.keys().check().map_err(|problem| ("http".to_owned(), problem.to_owned()))
    }

    /// A header that refuses what is expected to come.
    fn check_compression(&self) -> Result<(), Flaw> {
        let Some(expected) = self.compression else { return Ok(()) };
        let written = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
        let Some((name, value)) = written else { return Ok(()) };
        if accepts(value, expected) {
            return Ok(());
        }
        let problem = format!("invalid configuration \"{name}: {value}\", \"compression: {}\"", expected.name());
        flaw("http.compression", problem)
    }
}

/// Whether the header's value admits this encoding.
fn accepts(header: &str, expected: Compression) -> bool {
    let mut any = false;
    for part in header.split(',') {
        let (name, weight) = part.split_once(';').unwrap_or((part, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |text| text.trim().parse().unwrap_or(0.0));
        match name.trim() {
            name if name.eq_ignore_ascii_case(expected.name()) => return weight > 0.0,
            "*" => any = weight > 0.0,
            _ => {}
        }
    }
    any || (expected == Compression::Identity && header.trim().is_empty())
}

impl TcpProbe {
    fn check(&self) -> Result<(), Flaw> {
        source("tcp.source_ip_address", &self.source_ip_address)?;
        if self.query_response.len() > QUERY_RESPONSES_MAX {
            return flaw("tcp.query_response", format!("more than {QUERY_RESPONSES_MAX} of them"));
        }
        for step in &self.query_response {
            if step.expect.is_some() && !step.expect_bytes.is_empty() {
                return flaw("tcp.query_response", "expect and expect_bytes cannot be set in one step");
            }
            let names: Vec<&str> = step.labels.iter().map(|label| label.name.as_str()).collect();
            if let Some(bad) = names.iter().find(|name| name.is_empty() || name.starts_with("__")) {
                return flaw("tcp.query_response", format!("{bad:?} is no name of a label"));
            }
        }
        tls("tcp.tls_config", &self.tls_config)
    }
}

impl DnsProbe {
    fn check(&self) -> Result<(), Flaw> {
        if self.query_name.is_empty() {
            // The module's own place: the key is not there.
            return flaw("", "dns.query_name: query name must be set for DNS module");
        }
        if names::encoded(&self.query_name).is_none() {
            return flaw("dns.query_name", format!("{:?} is no name", self.query_name));
        }
        if !self.query_class.is_empty() && names::class(&self.query_class).is_none() {
            return flaw("dns.query_class", format!("query class '{}' is not valid", self.query_class));
        }
        if !self.query_type.is_empty() && names::record_type(&self.query_type).is_none() {
            return flaw("dns.query_type", format!("query type '{}' is not valid", self.query_type));
        }
        for code in &self.valid_rcodes {
            if names::rcode(code).is_none() {
                let known: Vec<&str> = names::RCODES.iter().map(|(name, _)| *name).collect();
                return flaw("dns.valid_rcodes", unknown("rcode", code, &known));
            }
        }
        if self.dns_over_tls && self.transport_protocol != TransportProtocol::Tcp {
            return flaw("dns.dns_over_tls", "DNS over TLS needs transport_protocol: tcp");
        }
        source("dns.source_ip_address", &self.source_ip_address)?;
        tls("dns.tls_config", &self.tls_config)
    }
}

impl IcmpProbe {
    fn check(&self) -> Result<(), Flaw> {
        if self.ttl > 255 {
            return flaw("icmp.ttl", "\"ttl\" cannot exceed 255");
        }
        if self.payload_size > PAYLOAD_BYTES_MAX {
            return flaw("icmp.payload_size", format!("at most {PAYLOAD_BYTES_MAX}"));
        }
        source("icmp.source_ip_address", &self.source_ip_address)
    }
}

fn source(key: &str, address: &str) -> Result<(), Flaw> {
    if address.is_empty() || address.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    flaw(key, format!("error parsing source ip address: {address}"))
}

fn tls(key: &str, config: &TlsConfig) -> Result<(), Flaw> {
    config.check().map_err(|problem| (key.to_owned(), problem.to_owned()))
}
