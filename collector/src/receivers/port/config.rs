//! What the configurations of receivers have in common.

use std::{ops::RangeInclusive, time::Duration};

use serde::Deserialize;
use weir_proto::otlp::traces::Limits;

const MIB: usize = 1 << 20;

/// Headers of one request, in bytes: hyper needs a little room, and nobody needs more.
pub(crate) const HEADER_BYTES: RangeInclusive<usize> = 8192..=16 * MIB;

/// `span_limits` of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpanLimits {
    /// Attributes of a span, and of each of its events and links, and of its resource and scope; those beyond are left out
    /// and counted as dropped. Default 1024.
    pub attributes_max: u32,
    /// Nesting of an attribute's arrays and maps. Default 64.
    pub depth_max: u32,
    /// Encoded bytes of one span. Default 4194304.
    pub span_bytes_max: u32,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self { attributes_max: 1024, depth_max: 64, span_bytes_max: 4 * MIB as u32 }
    }
}

impl From<SpanLimits> for Limits {
    fn from(limits: SpanLimits) -> Self {
        let SpanLimits { attributes_max, depth_max, span_bytes_max } = limits;
        Self { depth_max, attributes_max, span_bytes_max }
    }
}

/// `cors` of a port: which web pages may send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// Origins whose pages may send: exact ones, with one `*` for any run of characters, or `*` for all. Default: none.
    pub allowed_origins: Vec<String>,
    /// Request headers allowed beside Accept, Content-Type, Content-Encoding, Origin and X-Requested-With; `*` for all.
    pub allowed_headers: Vec<String>,
    /// Seconds a browser may remember the answer. Default 0: as the browser likes.
    pub max_age: u32,
}

/// A value that no receiver can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("receivers.{receiver}.{key}: {problem}")]
pub struct InvalidConfig {
    receiver: &'static str,
    key: &'static str,
    problem: String,
}

/// Checks the values of the receiver of this type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check(pub(crate) &'static str);

impl Check {
    pub(crate) fn fails(self, key: &'static str, problem: impl Into<String>) -> Result<(), InvalidConfig> {
        Err(InvalidConfig { receiver: self.0, key, problem: problem.into() })
    }

    pub(crate) fn within(
        self,
        key: &'static str,
        value: usize,
        range: RangeInclusive<usize>,
    ) -> Result<(), InvalidConfig> {
        if *range.start() > value {
            return self.fails(key, format!("{value} is too small; at least {}", range.start()));
        }
        if *range.end() < value {
            return self.fails(key, format!("{value} is too large; at most {}", range.end()));
        }
        Ok(())
    }

    pub(crate) fn positive(self, key: &'static str, value: Duration) -> Result<(), InvalidConfig> {
        if value.is_zero() {
            return self.fails(key, "must be longer than 0: everything is bounded");
        }
        Ok(())
    }
}
