//! `receivers.loki`: the Collector's keys, Loki's own for the service's name, and Weir's for what both leave unbounded.

use serde::Deserialize;
use weir_port::{Check, CorsConfig, InvalidConfig};
use weir_proto::{endpoint, loki::SERVICE_LABELS, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits, http_settings::http_settings};

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

http_settings! {
    below "protocols.http.";
    /// `receivers.loki.protocols.http`.
    pub struct LokiHttpConfig {
        /// Where to listen. `:3100` means every IPv4 address. Default 127.0.0.1:3100.
        #[serde(deserialize_with = "endpoint::deserialize")]
        pub endpoint: String = "127.0.0.1:3100".into(),
        /// Largest body in bytes, compressed, decompressed and transcoded alike. Default 33554432.
        pub max_request_body_size: usize = 32 * MIB,
        /// Which web pages may send. Default: none.
        pub cors: CorsConfig = CorsConfig::default(),
        ..port,
    }
}

impl LokiConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("loki");
        self.protocols.http.check_port(check)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)
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
