//! `receivers.loki`: the Collector's keys, Loki's own for the service's name, and Weir's for what both leave unbounded.

use std::time::Duration;

use serde::Deserialize;
use weir_port::{Check, CorsConfig, HEADER_BYTES, InvalidConfig};
use weir_proto::{duration, endpoint, loki::SERVICE_LABELS, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits};

const MIB: usize = 1 << 20;

/// `receivers.loki`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LokiConfig {
    /// What is served.
    pub protocols: LokiProtocols,
    /// Lines keep the times that they came with; false: they get the time of their receipt. Default true.
    pub use_incoming_timestamp: bool,
    /// Labels in which a stream's service is looked for, first come first. Default Loki's list; an empty one switches it off.
    pub discover_service_name: Vec<String>,
    /// Bounds on single lines. A line beyond one of them is refused alone.
    pub line_limits: SpanLimits,
    /// Memory for requests being received, in MiB, over all connections, in all forms that they take: for JSON of n bytes up
    /// to 6 n. Requests beyond it are refused as busy (503) and come again. Default 256.
    pub inflight_mib_max: usize,
}

impl Default for LokiConfig {
    fn default() -> Self {
        Self {
            protocols: LokiProtocols::default(),
            use_incoming_timestamp: true,
            discover_service_name: SERVICE_LABELS.map(str::to_owned).to_vec(),
            line_limits: SpanLimits::default(),
            inflight_mib_max: 256,
        }
    }
}

/// `receivers.loki.protocols`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LokiProtocols {
    /// Pushes by HTTP.
    #[serde(deserialize_with = "or_default")]
    pub http: LokiHttpConfig,
}

/// A key without a value (`http:`) asks for the defaults, as in the Collector.
fn or_default<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<LokiHttpConfig, D::Error> {
    Ok(Option::<LokiHttpConfig>::deserialize(deserializer)?.unwrap_or_default())
}

/// `receivers.loki.protocols.http`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LokiHttpConfig {
    /// Where to listen. `:3100` means every IPv4 address. Default 127.0.0.1:3100.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub endpoint: String,
    /// Largest body in bytes, compressed, decompressed and transcoded alike. Default 33554432.
    pub max_request_body_size: usize,
    /// Which web pages may send. Default: none.
    pub cors: CorsConfig,
    /// Longest wait for a request's header; an idle HTTP/1 connection is closed after it too. Default 60s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub read_header_timeout: Duration,
    /// Longest wait for a request's whole body. Default 30s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub read_timeout: Duration,
    /// A connection without requests for this long is closed. Default 60s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub idle_timeout: Duration,
    /// Requests in flight on one HTTP/2 connection. Default 256.
    pub max_concurrent_streams: u32,
    /// Connections at once; further ones are closed as soon as they arrive. Default 4096.
    pub connections_max: usize,
    /// Headers of one request, in bytes; larger ones are answered 431. Default 65536.
    pub header_bytes_max: u32,
}

impl Default for LokiHttpConfig {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:3100".into(),
            max_request_body_size: 32 * MIB,
            cors: CorsConfig::default(),
            read_header_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            max_concurrent_streams: 256,
            connections_max: 4096,
            header_bytes_max: 64 << 10,
        }
    }
}

impl LokiConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("loki");
        let count = 1..=u32::MAX as usize;
        let http = &self.protocols.http;
        check.within("protocols.http.max_request_body_size", http.max_request_body_size, 1..=1024 * MIB)?;
        check.within("protocols.http.max_concurrent_streams", http.max_concurrent_streams as usize, count.clone())?;
        check.within("protocols.http.connections_max", http.connections_max, count)?;
        check.within("protocols.http.header_bytes_max", http.header_bytes_max as usize, HEADER_BYTES)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        check.positive("protocols.http.read_header_timeout", http.read_header_timeout)?;
        check.positive("protocols.http.read_timeout", http.read_timeout)?;
        check.positive("protocols.http.idle_timeout", http.idle_timeout)
    }
}

impl ReceiverSettings for LokiConfig {
    const NAMES: &'static [&'static str] = &["loki"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        vec![(&["protocols", "http", "endpoint"], &self.protocols.http.endpoint)]
    }
}
