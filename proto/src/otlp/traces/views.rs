//! What a scan hands out for each span: the span, its scope and its resource.

use super::{Attributes, Events, ItemFault, KeySet, Links, ResourceView, ScanError, ScopeView, span::read_span};
use crate::otlp::{
    admission::Check,
    scan::{Place, Scanned},
};

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
    pub fault: Option<ItemFault>,
}

impl<'a> Scanned<'a> for ScannedSpan<'a> {
    #[inline]
    fn within(Place { resource, resource_ordinal, scope, scope_ordinal }: Place<'a>) -> Self {
        let (span, fault) = (SpanView::default(), None);
        Self { ordinal: 0, resource, resource_ordinal, scope, scope_ordinal, span, fault }
    }

    #[inline(always)]
    fn read<C: Check>(
        &mut self,
        message: &'a [u8],
        position: u32,
        ordinal: u32,
        check: &mut C,
    ) -> Result<(), ScanError> {
        read_span(message, position, check, &mut self.span)?;
        self.ordinal = ordinal;
        self.fault = check.fault();
        Ok(())
    }
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
