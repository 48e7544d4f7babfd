//! `receivers.elasticsearch_bulk`: where to listen, and bounds.

use weir_port::{Check, InvalidConfig};
use weir_proto::{endpoint, yaml::Flaw};

use crate::receivers::{Listener, ReceiverSettings, SpanLimits, http_settings::http_settings};

const MIB: usize = 1 << 20;

http_settings! {
    below "";
    /// `receivers.elasticsearch_bulk`.
    pub struct ElasticsearchConfig {
        /// Where to listen. `:9200` means every IPv4 address. Default 127.0.0.1:9200.
        #[serde(deserialize_with = "endpoint::deserialize")]
        pub endpoint: String = "127.0.0.1:9200".into(),
        /// Largest body in bytes, compressed, decompressed and transcoded alike. Default 33554432.
        pub max_request_body_size: usize = 32 * MIB,
        ..port,
        /// Documents of one request; more are refused (413). Default 100000.
        pub documents_max: usize = 100_000,
        /// Bounds on single documents. One beyond them is refused alone.
        pub line_limits: SpanLimits = SpanLimits::default(),
        /// Memory for requests being received, in MiB, over all connections, in all forms that they take: for a body of n bytes up to
        /// 7 n. Requests beyond it are refused as busy (429) and come again. Default 256.
        pub inflight_mib_max: usize = 256,
    }
}

impl ElasticsearchConfig {
    /// Finds values that no receiver can work with. [`super::start`] does this first.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("elasticsearch_bulk");
        self.check_port(check)?;
        check.within("documents_max", self.documents_max, 1..=1 << 20)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)
    }
}

impl ReceiverSettings for ElasticsearchConfig {
    const NAMES: &'static [&'static str] = &["elasticsearch_bulk"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }

    fn listeners(&self) -> Vec<Listener<'_>> {
        vec![(&["endpoint"], &self.endpoint)]
    }
}
