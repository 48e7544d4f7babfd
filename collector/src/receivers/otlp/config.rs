//! `receivers.otlp`: the Collector's keys, and Weir's own for what the Collector leaves unbounded.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use weir_port::{Check, CorsConfig, HEADER_BYTES, InvalidConfig};
use weir_proto::{duration, endpoint, yaml::Flaw};

use crate::{
    otlp_metrics::MetricsConfig,
    receivers::{Listener, ReceiverSettings, SpanLimits, http_settings::http_settings},
};

const MIB: usize = 1 << 20;

/// `receivers.otlp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpConfig {
    /// Which protocols are served. Listing only one starts only that one; without the key both start.
    pub protocols: Protocols,
    /// Bounds on single spans. A span beyond one of them is rejected alone and reported in `partial_success`.
    pub span_limits: SpanLimits,
    /// Memory for requests being received, in MiB, over all connections of both protocols, compressed and decompressed
    /// bytes together. Requests beyond it are refused as busy (UNAVAILABLE, 503) and come again. Default 256.
    pub inflight_mib_max: usize,
    /// What metrics become.
    pub metrics: MetricsConfig,
}

impl Default for OtlpConfig {
    fn default() -> Self {
        Self {
            protocols: Protocols::default(),
            span_limits: SpanLimits::default(),
            inflight_mib_max: 256,
            metrics: MetricsConfig::default(),
        }
    }
}

/// `receivers.otlp.protocols`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocols {
    /// OTLP/gRPC.
    #[serde(default, deserialize_with = "present")]
    pub grpc: Option<GrpcConfig>,
    /// OTLP/HTTP with protobuf or JSON bodies.
    #[serde(default, deserialize_with = "present")]
    pub http: Option<HttpConfig>,
}

impl Default for Protocols {
    fn default() -> Self {
        Self { grpc: Some(GrpcConfig::default()), http: Some(HttpConfig::default()) }
    }
}

/// A key without a value (`grpc:`) asks for the defaults, as in the Collector.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Some(Option::<T>::deserialize(deserializer)?.unwrap_or_default()))
}

/// `receivers.otlp.protocols.grpc`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcConfig {
    /// Where to listen. `:4317` means every IPv4 address. Default 127.0.0.1:4317.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub endpoint: String,
    /// Largest message in MiB, compressed and decompressed alike. Default 16.
    pub max_recv_msg_size_mib: usize,
    /// Requests in flight on one connection. Default 256.
    pub max_concurrent_streams: u32,
    /// When connections are probed and closed.
    pub keepalive: Keepalive,
    /// Connections at once; further ones are closed as soon as they arrive. Default 4096.
    pub connections_max: usize,
    /// Headers of one request, in bytes. Default 65536.
    pub header_bytes_max: u32,
    /// Longest wait for a request's whole message, and for a new connection's first bytes. Default 30s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub read_timeout: Duration,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:4317".into(),
            max_recv_msg_size_mib: 16,
            max_concurrent_streams: 256,
            keepalive: Keepalive::default(),
            connections_max: 4096,
            header_bytes_max: 64 << 10,
            read_timeout: Duration::from_secs(30),
        }
    }
}

/// `receivers.otlp.protocols.grpc.keepalive`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keepalive {
    /// What the server does.
    pub server_parameters: KeepaliveServerParameters,
}

/// `receivers.otlp.protocols.grpc.keepalive.server_parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepaliveServerParameters {
    /// A connection without requests for this long is closed. Default: never.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub max_connection_idle: Option<Duration>,
    /// A connection of this age is closed in good order, so that load spreads over new servers. Default: never.
    #[serde(deserialize_with = "duration::deserialize_some")]
    pub max_connection_age: Option<Duration>,
    /// Time for requests in flight once a connection is being closed for its age. Default 10s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub max_connection_age_grace: Duration,
    /// A ping is sent this often. Default 60s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub time: Duration,
    /// A connection whose ping is not answered within this time is closed. Default 20s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

impl Default for KeepaliveServerParameters {
    fn default() -> Self {
        Self {
            max_connection_idle: None,
            max_connection_age: None,
            max_connection_age_grace: Duration::from_secs(10),
            time: Duration::from_secs(60),
            timeout: Duration::from_secs(20),
        }
    }
}

http_settings! {
    below "protocols.http.";
    /// `receivers.otlp.protocols.http`.
    pub struct HttpConfig {
        /// Where to listen. `:4318` means every IPv4 address. Default 127.0.0.1:4318.
        #[serde(deserialize_with = "endpoint::deserialize")]
        pub endpoint: String = "127.0.0.1:4318".into(),
        /// Largest body in bytes, compressed and decompressed alike. Default 33554432.
        pub max_request_body_size: usize = 32 * MIB,
        /// Where traces are posted. Default /v1/traces.
        pub traces_url_path: String = "/v1/traces".into(),
        /// Where log records are posted. Default /v1/logs.
        pub logs_url_path: String = "/v1/logs".into(),
        /// Where metrics are posted. Default /v1/metrics.
        pub metrics_url_path: String = "/v1/metrics".into(),
        /// Which web pages may send. Default: none.
        pub cors: CorsConfig = CorsConfig::default(),
        ..port,
    }
}

impl OtlpConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("otlp");
        let Protocols { grpc, http } = &self.protocols;
        if grpc.is_none() && http.is_none() {
            return check.fails("protocols", "name grpc, http or both");
        }
        let mib = 1..=1024;
        let count = 1..=u32::MAX as usize;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        check.within("metrics.delta_series_max", self.metrics.delta_series_max, 1..=100_000_000)?;
        self.metrics.check().or_else(|problem| check.fails("metrics", problem))?;
        if let Some(grpc) = grpc {
            let keepalive = &grpc.keepalive.server_parameters;
            check.within("protocols.grpc.max_recv_msg_size_mib", grpc.max_recv_msg_size_mib, mib)?;
            check.within(
                "protocols.grpc.max_concurrent_streams",
                grpc.max_concurrent_streams as usize,
                count.clone(),
            )?;
            check.within("protocols.grpc.connections_max", grpc.connections_max, count.clone())?;
            check.within("protocols.grpc.header_bytes_max", grpc.header_bytes_max as usize, HEADER_BYTES)?;
            check.positive("protocols.grpc.read_timeout", grpc.read_timeout)?;
            check.positive("protocols.grpc.keepalive.server_parameters.time", keepalive.time)?;
            check.positive("protocols.grpc.keepalive.server_parameters.timeout", keepalive.timeout)?;
        }
        if let Some(http) = http {
            http.check_port(check)?;
            let paths = [
                ("protocols.http.traces_url_path", &http.traces_url_path),
                ("protocols.http.logs_url_path", &http.logs_url_path),
                ("protocols.http.metrics_url_path", &http.metrics_url_path),
            ];
            for (key, path) in paths {
                if !path.starts_with('/') {
                    return check.fails(key, "must begin with /");
                }
            }
            if http.traces_url_path == http.logs_url_path {
                return check.fails("protocols.http.logs_url_path", "must differ from traces_url_path");
            }
        }
        Ok(())
    }
}

impl ReceiverSettings for OtlpConfig {
    const NAMES: &'static [&'static str] = &["otlp"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        let Protocols { grpc, http } = &self.protocols;
        let grpc = grpc.iter().map(|grpc| (&["protocols", "grpc", "endpoint"] as _, grpc.endpoint.as_str()));
        let http = http.iter().map(|http| (&["protocols", "http", "endpoint"] as _, http.endpoint.as_str()));
        grpc.chain(http).collect()
    }
}
