//! A module: how a target is probed, with blackbox_exporter's keys.

mod checks;
mod expression;
mod http;

use std::time::Duration;

use serde::Deserialize;
use weir_proto::duration;

use crate::receivers::prometheus::TlsConfig;

pub use self::{
    expression::Expression,
    http::{Compression, HeaderMatch, HttpProbe},
};

/// One of `modules`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// By which protocol.
    pub prober: ProberKind,
    /// Longest time that a probe takes; the job's timeout holds beside it.
    #[serde(default, deserialize_with = "duration::deserialize_some")]
    pub timeout: Option<Duration>,
    /// Of `prober: http`.
    #[serde(default)]
    pub http: HttpProbe,
    /// Of `prober: tcp`.
    #[serde(default)]
    pub tcp: TcpProbe,
    /// Of `prober: dns`.
    #[serde(default)]
    pub dns: DnsProbe,
    /// Of `prober: icmp`.
    #[serde(default)]
    pub icmp: IcmpProbe,
    /// Of `prober: grpc`.
    #[serde(default)]
    pub grpc: GrpcProbe,
}

/// A protocol that targets are probed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProberKind {
    /// A request and its answer.
    Http,
    /// A connection, and lines over it.
    Tcp,
    /// A question to a name server.
    Dns,
    /// An echo.
    Icmp,
    /// The health protocol of gRPC.
    Grpc,
}

impl ProberKind {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Dns => "dns",
            Self::Icmp => "icmp",
            Self::Grpc => "grpc",
        }
    }
}

/// A version of the Internet protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpProtocol {
    /// Version 4.
    Ip4,
    /// Version 6.
    #[default]
    Ip6,
}

/// `tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TcpProbe {
    /// Which addresses are taken first. Default ip6.
    pub preferred_ip_protocol: IpProtocol,
    /// Whether the other ones are taken where there is none. Default true.
    pub ip_protocol_fallback: bool,
    /// The address to connect from.
    pub source_ip_address: String,
    /// What is expected, and what is sent, in turn.
    pub query_response: Vec<QueryResponse>,
    /// Whether TLS begins with the connection.
    pub tls: bool,
    /// Who is trusted, and who we are.
    pub tls_config: TlsConfig,
}

impl Default for TcpProbe {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: IpProtocol::default(),
            ip_protocol_fallback: true,
            source_ip_address: String::new(),
            query_response: Vec::new(),
            tls: false,
            tls_config: TlsConfig::default(),
        }
    }
}

/// One of `query_response`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryResponse {
    /// What one of the next lines has to match.
    pub expect: Option<Expression>,
    /// Bytes that have to come next, whatever lines there are.
    pub expect_bytes: String,
    /// Labels of `probe_expect_info`, with what `expect` found: `$1`, `${name}`.
    pub labels: Vec<ExpectLabel>,
    /// What is sent then, with an end of line; it may use what `expect` found.
    pub send: String,
    /// Whether TLS begins here.
    pub starttls: bool,
}

/// A label of `probe_expect_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectLabel {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// `dns`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsProbe {
    /// Which addresses of the server are taken first. Default ip6.
    pub preferred_ip_protocol: IpProtocol,
    /// Whether the other ones are taken where there is none. Default true.
    pub ip_protocol_fallback: bool,
    /// The address to ask from.
    pub source_ip_address: String,
    /// udp or tcp. Default udp.
    pub transport_protocol: TransportProtocol,
    /// Whether it is asked over TLS; only with tcp.
    pub dns_over_tls: bool,
    /// Who is trusted, and who we are.
    pub tls_config: TlsConfig,
    /// What is asked for.
    pub query_name: String,
    /// Which records. Default ANY.
    pub query_type: String,
    /// Of which class. Default IN.
    pub query_class: String,
    /// Whether the server is to ask others. Default true.
    pub recursion_desired: bool,
    /// Codes of success. Default NOERROR.
    pub valid_rcodes: Vec<String>,
    /// What the answers have to look like.
    pub validate_answer_rrs: RrValidator,
    /// What the authorities have to look like.
    pub validate_authority_rrs: RrValidator,
    /// What the additional records have to look like.
    pub validate_additional_rrs: RrValidator,
}

impl Default for DnsProbe {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: IpProtocol::default(),
            ip_protocol_fallback: true,
            source_ip_address: String::new(),
            transport_protocol: TransportProtocol::default(),
            dns_over_tls: false,
            tls_config: TlsConfig::default(),
            query_name: String::new(),
            query_type: String::new(),
            query_class: String::new(),
            recursion_desired: true,
            valid_rcodes: Vec::new(),
            validate_answer_rrs: RrValidator::default(),
            validate_authority_rrs: RrValidator::default(),
            validate_additional_rrs: RrValidator::default(),
        }
    }
}

/// What a question of DNS travels by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// A packet.
    #[default]
    Udp,
    /// A connection.
    Tcp,
}

/// Conditions on records, each as a line: name, time to live, class, type and data, with tabs between.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RrValidator {
    /// Fails where any record matches any of these.
    pub fail_if_matches_regexp: Vec<Expression>,
    /// Fails unless every record matches all of these: the name is the other way round, as in blackbox_exporter.
    pub fail_if_all_match_regexp: Vec<Expression>,
    /// Fails where a record does not match one of these, or there is none.
    pub fail_if_not_matches_regexp: Vec<Expression>,
    /// Fails where no record matches any of these.
    pub fail_if_none_matches_regexp: Vec<Expression>,
}

/// `icmp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IcmpProbe {
    /// Which addresses are taken first. Default ip6.
    pub preferred_ip_protocol: IpProtocol,
    /// Whether the other ones are taken where there is none. Default true.
    pub ip_protocol_fallback: bool,
    /// The address to send from.
    pub source_ip_address: String,
    /// Whether routers are told not to cut the packet: only with IPv4, and where raw sockets are allowed.
    pub dont_fragment: bool,
    /// Bytes after the header. Default: those of a short text.
    pub payload_size: usize,
    /// Hops that the packet may take, 1 to 255; 0 for the system's own.
    pub ttl: u32,
}

impl Default for IcmpProbe {
    fn default() -> Self {
        Self {
            preferred_ip_protocol: IpProtocol::default(),
            ip_protocol_fallback: true,
            source_ip_address: String::new(),
            dont_fragment: false,
            payload_size: 0,
            ttl: 0,
        }
    }
}

/// `grpc`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcProbe {
    /// The service whose health is asked for; left out: the server's.
    pub service: String,
    /// Which addresses are taken first. Default ip6.
    pub preferred_ip_protocol: IpProtocol,
    /// Whether the other ones are taken where there is none. Default true.
    pub ip_protocol_fallback: bool,
    /// Whether it is asked over TLS.
    pub tls: bool,
    /// Who is trusted, and who we are.
    pub tls_config: TlsConfig,
    /// Further headers.
    pub metadata: std::collections::BTreeMap<String, Vec<String>>,
}

impl Default for GrpcProbe {
    fn default() -> Self {
        Self {
            service: String::new(),
            preferred_ip_protocol: IpProtocol::default(),
            ip_protocol_fallback: true,
            tls: false,
            tls_config: TlsConfig::default(),
            metadata: std::collections::BTreeMap::new(),
        }
    }
}

impl Module {
    /// Names of files in it.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { http, tcp, dns, grpc, .. } = self;
        let tls = [&mut http.tls_config, &mut tcp.tls_config, &mut dns.tls_config, &mut grpc.tls_config];
        let of_tls =
            tls.into_iter().flat_map(|tls| tls.ca_file.iter_mut().chain(&mut tls.cert_file).chain(&mut tls.key_file));
        let of_http = http.bearer_token_file.iter_mut().chain(&mut http.body_file);
        let basic = http.basic_auth.iter_mut();
        let of_basic = basic.flat_map(|basic| basic.username_file.iter_mut().chain(&mut basic.password_file));
        let of_scheme = http.authorization.iter_mut().flat_map(|scheme| &mut scheme.credentials_file);
        let of_headers = http.http_headers.values_mut().flat_map(|values| &mut values.files);
        of_tls.chain(of_http).chain(of_basic).chain(of_scheme).chain(of_headers)
    }
}
