//! `receivers.zipkin`: the Collector's keys, and Weir's own for what the Collector leaves unbounded.

use weir_port::{Check, CorsConfig, InvalidConfig};
use weir_proto::{endpoint, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits, http_settings::http_settings};

const MIB: usize = 1 << 20;

http_settings! {
    below "";
    /// `receivers.zipkin`.
    pub struct ZipkinConfig {
        /// Where to listen. `:9411` means every IPv4 address. Default 127.0.0.1:9411.
        #[serde(deserialize_with = "endpoint::deserialize")]
        pub endpoint: String = "127.0.0.1:9411".into(),
        /// Tags that look like whole numbers, decimal numbers or booleans become such attributes. Default: all are strings.
        pub parse_string_tags: bool = false,
        /// Largest body in bytes, compressed, decompressed and transcoded alike. Default 33554432.
        pub max_request_body_size: usize = 32 * MIB,
        /// Which web pages may send. Default: none.
        pub cors: CorsConfig = CorsConfig::default(),
        ..port,
        /// Bounds on single spans. A span beyond one of them is rejected alone.
        pub span_limits: SpanLimits = SpanLimits::default(),
        /// Memory for requests being received, in MiB, over all connections, in all forms that they take: for JSON of n bytes up
        /// to 7 n. Requests beyond it are refused as busy (503) and come again. Default 256.
        pub inflight_mib_max: usize = 256,
    }
}

impl ZipkinConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("zipkin");
        self.check_port(check)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)
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
