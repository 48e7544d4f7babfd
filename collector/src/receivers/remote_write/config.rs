//! Bounds on remote write: `receivers.prometheusremotewrite`.

use std::time::Duration;

use serde::Deserialize;
use weir_port::{Check, InvalidConfig};
use weir_proto::{duration, yaml::Flaw};

use crate::receivers::ReceiverSettings;

const MIB: usize = 1 << 20;

/// `receivers.prometheusremotewrite`. Remote write is taken on the query endpoint, whether this is there or not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteWriteConfig {
    /// Largest body in bytes, compressed and decompressed alike. Default 33554432.
    pub max_request_body_size: usize,
    /// Longest wait for a request's whole body. Default 30s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub read_timeout: Duration,
    /// Memory for requests being received, in MiB, compressed and decompressed bytes together. Requests beyond it are refused as busy (503)
    /// and come again. Default 256.
    pub inflight_mib_max: usize,
    /// Labels of a series; one with more is refused. Default 1024.
    pub labels_max: usize,
}

impl Default for RemoteWriteConfig {
    fn default() -> Self {
        Self {
            max_request_body_size: 32 * MIB,
            read_timeout: Duration::from_secs(30),
            inflight_mib_max: 256,
            labels_max: 1024,
        }
    }
}

impl RemoteWriteConfig {
    /// Finds values that nobody can work with.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let check = Check("prometheusremotewrite");
        check.within("max_request_body_size", self.max_request_body_size, 1..=1024 * MIB)?;
        check.within("inflight_mib_max", self.inflight_mib_max, 1..=1 << 20)?;
        check.within("labels_max", self.labels_max, 1..=65_536)?;
        check.positive("read_timeout", self.read_timeout)
    }
}

impl ReceiverSettings for RemoteWriteConfig {
    const NAMES: &'static [&'static str] = &["prometheusremotewrite"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check().map_err(InvalidConfig::into_parts)
    }
}
