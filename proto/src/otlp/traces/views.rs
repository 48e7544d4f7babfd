//! What a scan hands out for each span: the span, its scope and its resource.

use super::{Attributes, Events, KeySet, Links, SpanFault};

/// A span with what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedSpan<'a> {
    /// Position among all spans of the payload, from 0.
    pub ordinal: u32,
    /// Its resource; the same `resource_ordinal` means the same one.
    pub resource: ResourceView<'a>,
    /// Counts ResourceSpans from 0.
    pub resource_ordinal: u32,
    /// Its scope.
    pub scope: ScopeView<'a>,
    /// Counts ScopeSpans over the whole payload from 0.
    pub scope_ordinal: u32,
    /// The span.
    pub span: SpanView<'a>,
    /// Set at admission when the span must be rejected.
    pub fault: Option<SpanFault>,
}

/// A resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceView<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// `service.name` when it is a non-empty string, else `unknown_service` as the specification says.
    pub service: &'a [u8],
    /// Attributes the SDK dropped.
    pub dropped_attributes_count: u32,
    /// ResourceSpans.schema_url.
    pub schema_url: &'a [u8],
    /// The encoded Resource message.
    pub bytes: &'a [u8],
}

/// An instrumentation scope.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopeView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Attributes the SDK dropped.
    pub dropped_attributes_count: u32,
    /// ScopeSpans.schema_url.
    pub schema_url: &'a [u8],
    /// The encoded InstrumentationScope message.
    pub bytes: &'a [u8],
}

/// A span.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpanView<'a> {
    /// The encoded Span message.
    pub bytes: &'a [u8],
    /// Where `bytes` starts in the payload.
    pub position: u32,
    /// 16 bytes when valid.
    pub trace_id: &'a [u8],
    /// 8 bytes when valid.
    pub span_id: &'a [u8],
    /// Empty (or 8 zeros) for a root.
    pub parent_span_id: &'a [u8],
    /// W3C tracestate.
    pub trace_state: &'a [u8],
    /// Operation name.
    pub name: &'a [u8],
    /// OTLP SpanKind, 0 to 5; unknown numbers as they came.
    pub kind: i32,
    /// Unix ns.
    pub start_ns: u64,
    /// Unix ns.
    pub end_ns: u64,
    /// W3C trace flags and OTLP's own bits.
    pub flags: u32,
    /// OTLP StatusCode: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// Status message.
    pub status_message: &'a [u8],
    /// The attributes.
    pub attributes: Attributes<'a>,
    /// Their keys, as admission saw them; otherwise it claims every key.
    pub keys: KeySet,
    /// Dropped by the SDK.
    pub dropped_attributes_count: u32,
    /// The events.
    pub events: Events<'a>,
    /// Dropped by the SDK.
    pub dropped_events_count: u32,
    /// The links.
    pub links: Links<'a>,
    /// Dropped by the SDK.
    pub dropped_links_count: u32,
}
