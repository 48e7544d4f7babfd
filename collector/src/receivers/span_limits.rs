//! What a span, or a line, may have: a block that several receivers share.

use serde::Deserialize;
use weir_proto::otlp::traces::Limits;

const MIB: u32 = 1 << 20;

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
        Self { attributes_max: 1024, depth_max: 64, span_bytes_max: 4 * MIB }
    }
}

impl From<SpanLimits> for Limits {
    fn from(limits: SpanLimits) -> Self {
        let SpanLimits { attributes_max, depth_max, span_bytes_max } = limits;
        Self { depth_max, attributes_max, span_bytes_max }
    }
}
