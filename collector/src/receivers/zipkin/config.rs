//! `receivers.zipkin`: the Collector's keys, and Weir's own for what the Collector leaves unbounded.

use std::time::Duration;

use serde::Deserialize;
use weir_port::{Check, CorsConfig, HEADER_BYTES, InvalidConfig};
use weir_proto::{duration, endpoint, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits};

const MIB: usize = 1 << 20;

/// `receivers.zipkin`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZipkinConfig {
    /// Where to listen. `:9411` means every IPv4 address. Default 127.0.0.1:9411.
    #[serde(deserialize_with = "endpoint::deserialize")]
    pub endpoint: String,
    /// Tags that look like whole numbers, decimal numbers or booleans become such attributes. Default: all are strings.
    pub parse_string_tags: bool,
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
    /// Bounds on single spans. A span beyond one of them is rejected alone.
    pub span_limits: SpanLimits,
    /// Memory for requests being received, in MiB, over all connections, in all forms that they take: for JSON of n bytes up
    /// to 7 n. Requests beyond it are refused as busy (503) and come again. Default 256.
    pub inflight_mib_max: usize,
}

impl Default for ZipkinConfig {
    fn default() -> Self {
        Self {
            endpoint: "127.0.0.1:9411".into(),
            parse_string_tags: false,
            max_request_body_size: 32 * MIB,
            cors: CorsConfig::default(),
            read_header_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            max_concurrent_streams: 256,
            connections_max: 4096,
            header_bytes_max: 64 << 10,
            span_limits: SpanLimits::default(),
            inflight_mib_max: 256,
        }
    }
}

impl ZipkinConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("zipkin");
        let count = 1..=u32::MAX as usize;
        check.within("max_request_body_size", self.max_request_body_size, 1..=1024 * MIB)?;
        check.within("max_concurrent_streams", self.max_concurrent_streams as usize, count.clone())?;
        check.within("connections_max", self.connections_max, count)?;
        check.within("header_bytes_max", self.header_bytes_max as usize, HEADER_BYTES)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        check.positive("read_header_timeout", self.read_header_timeout)?;
        check.positive("read_timeout", self.read_timeout)?;
        check.positive("idle_timeout", self.idle_timeout)
    }
}

impl ReceiverSettings for ZipkinConfig {
    const NAMES: &'static [&'static str] = &["zipkin"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        vec![(&["endpoint"], &self.endpoint)]
    }
}
