//! `http` of a module.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error};
use weir_proto::size;

use super::{Expression, IpProtocol};
use crate::receivers::prometheus::{Authorization, BasicAuth, HeaderValues, Secret, TlsConfig};

/// `http`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpProbe {
    /// Codes of success. Default: 200 to 299.
    pub valid_status_codes: Vec<u16>,
    /// Versions of success, as `HTTP/1.1` or `HTTP/2.0`. Default: any.
    pub valid_http_versions: Vec<String>,
    /// Which addresses are taken first. Default ip6.
    pub preferred_ip_protocol: IpProtocol,
    /// Whether the other ones are taken where there is none. Default true.
    pub ip_protocol_fallback: bool,
    /// Whether redirects are followed. Default true.
    pub follow_redirects: bool,
    /// The same the other way round, as older files write it.
    pub no_follow_redirects: bool,
    /// Whether HTTP/2 is offered over TLS. Default true.
    pub enable_http2: bool,
    /// Fails where the last answer came over TLS.
    pub fail_if_ssl: bool,
    /// Fails where it did not.
    pub fail_if_not_ssl: bool,
    /// Default GET.
    pub method: String,
    /// Headers of the request.
    pub headers: BTreeMap<String, String>,
    /// Further ones, each with its values, some of which are secret or stand in files.
    pub http_headers: BTreeMap<String, HeaderValues>,
    /// Fails where the body matches one of these.
    pub fail_if_body_matches_regexp: Vec<Expression>,
    /// Fails where it does not match one of these.
    pub fail_if_body_not_matches_regexp: Vec<Expression>,
    /// Fails where a header matches.
    pub fail_if_header_matches: Vec<HeaderMatch>,
    /// Fails where a header does not match.
    pub fail_if_header_not_matches: Vec<HeaderMatch>,
    /// What is sent.
    pub body: String,
    /// The file that it stands in.
    pub body_file: Option<String>,
    /// How the answer is compressed: gzip, deflate or identity; it is asked for where no header says otherwise.
    pub compression: Option<Compression>,
    /// Largest body of an answer; 0: `body_bytes_max` of the receiver.
    #[serde(deserialize_with = "bytes")]
    pub body_size_limit: usize,
    /// Who asks.
    pub basic_auth: Option<BasicAuth>,
    /// Who asks, by another scheme.
    pub authorization: Option<Authorization>,
    /// A token, as older files write it.
    pub bearer_token: Option<Secret>,
    /// The file that it stands in.
    pub bearer_token_file: Option<String>,
    /// Who is trusted, and who we are.
    pub tls_config: TlsConfig,
}

impl Default for HttpProbe {
    fn default() -> Self {
        Self {
            valid_status_codes: Vec::new(),
            valid_http_versions: Vec::new(),
            preferred_ip_protocol: IpProtocol::default(),
            ip_protocol_fallback: true,
            follow_redirects: true,
            no_follow_redirects: false,
            enable_http2: true,
            fail_if_ssl: false,
            fail_if_not_ssl: false,
            method: String::new(),
            headers: BTreeMap::new(),
            http_headers: BTreeMap::new(),
            fail_if_body_matches_regexp: Vec::new(),
            fail_if_body_not_matches_regexp: Vec::new(),
            fail_if_header_matches: Vec::new(),
            fail_if_header_not_matches: Vec::new(),
            body: String::new(),
            body_file: None,
            compression: None,
            body_size_limit: 0,
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsConfig::default(),
        }
    }
}

/// A condition on a header.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMatch {
    /// Its name.
    pub header: String,
    /// What its value is compared with.
    pub regexp: Expression,
    /// Whether it may be missing. Default false.
    #[serde(default)]
    pub allow_missing: bool,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As gzip does.
    Gzip,
    /// As zlib does.
    Deflate,
    /// Not at all.
    Identity,
}

impl Compression {
    /// As it stands in a header.
    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Identity => "identity",
        }
    }
}

impl HttpProbe {
    /// Whether a redirect is followed.
    pub(in super::super) fn follows(&self) -> bool {
        self.follow_redirects && !self.no_follow_redirects
    }
}

/// `10MB` as blackbox_exporter reads it: 1 KB is 1024 bytes.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return size::parse(&text).map_err(D::Error::custom).map(|bytes| bytes as usize),
    };
    let number: f64 =
        digits.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a size; write it like 10MB")))?;
    Ok((number * f64::from(1_u32 << shift)) as usize)
}
