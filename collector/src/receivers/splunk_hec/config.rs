//! `receivers.splunk_hec`: where to listen, who may send, and bounds.

use weir_port::{Check, InvalidConfig};
use weir_proto::{endpoint, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits, http_settings::http_settings};

const MIB: usize = 1 << 20;

http_settings! {
    below "";
    /// `receivers.splunk_hec`.
    pub struct SplunkHecConfig {
        /// Where to listen. `:8088` means every IPv4 address. Default 127.0.0.1:8088.
        #[serde(deserialize_with = "endpoint::deserialize")]
        pub endpoint: String = "127.0.0.1:8088".into(),
        /// Largest body in bytes, compressed, decompressed and transcoded alike. Default 33554432.
        pub max_request_body_size: usize = 32 * MIB,
        ..port,
        /// The tokens that may send; none listed: every token. One has to be there in any case, as for Splunk.
        pub tokens: Vec<String> = Vec::new(),
        /// Bounds on single events. One beyond them is refused alone.
        pub line_limits: SpanLimits = SpanLimits::default(),
        /// Memory for requests being received, in MiB, over all connections, in all forms that they take: for a body of n bytes up to
        /// 9 n. Requests beyond it are refused as busy (503) and come again. Default 256.
        pub inflight_mib_max: usize = 256,
    }
}

impl SplunkHecConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("splunk_hec");
        self.check_port(check)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)
    }
}

impl ReceiverSettings for SplunkHecConfig {
    const NAMES: &'static [&'static str] = &["splunk_hec"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        vec![(&["endpoint"], &self.endpoint)]
    }
}
