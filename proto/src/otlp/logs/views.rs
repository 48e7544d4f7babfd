//! What a scan hands out for each line: the line, its scope and its resource.

use super::{Attributes, Implied, ItemFault, ResourceView, ScanError, ScopeView, ValueView, line::read_line};
use crate::{
    SpanId, TraceId,
    otlp::{
        admission::Check,
        scan::{Place, Scanned},
    },
};

/// A line with what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedLine<'a> {
    /// Position among all lines of the payload, from 0.
    pub ordinal: u32,
    /// Its resource; the same `resource_ordinal` means the same one.
    pub resource: ResourceView<'a>,
    /// Counts ResourceLogs from 0.
    pub resource_ordinal: u32,
    /// Its scope.
    pub scope: ScopeView<'a>,
    /// Counts ScopeLogs over the whole payload from 0.
    pub scope_ordinal: u32,
    /// The line.
    pub line: LineView<'a>,
    /// Set at admission when the line must be rejected.
    pub fault: Option<ItemFault>,
}

impl<'a> Scanned<'a> for ScannedLine<'a> {
    #[inline]
    fn within(Place { resource, resource_ordinal, scope, scope_ordinal }: Place<'a>) -> Self {
        let (line, fault) = (LineView::default(), None);
        Self { ordinal: 0, resource, resource_ordinal, scope, scope_ordinal, line, fault }
    }

    #[inline(always)]
    fn read<C: Check>(
        &mut self,
        message: &'a [u8],
        position: u32,
        ordinal: u32,
        check: &mut C,
    ) -> Result<(), ScanError> {
        read_line(message, position, check, &mut self.line)?;
        self.ordinal = ordinal;
        self.fault = check.fault();
        Ok(())
    }
}

/// A LogRecord.
#[derive(Debug, Clone, Copy)]
pub struct LineView<'a> {
    /// The encoded LogRecord message.
    pub bytes: &'a [u8],
    /// Where `bytes` starts in the payload.
    pub position: u32,
    /// When it happened, Unix ns; 0 when nobody knows.
    pub time_ns: u64,
    /// When it was collected, Unix ns; 0 when nobody said.
    pub observed_ns: u64,
    /// OTLP SeverityNumber, 0 to 24; unknown numbers as they came.
    pub severity_number: i32,
    /// The severity in the source's own words.
    pub severity_text: &'a [u8],
    /// What it says; [`ValueView::Empty`] without a body.
    pub body: ValueView<'a>,
    /// The attributes that are written out.
    pub attributes: Attributes<'a>,
    /// Whether there are more: [`super::Expander`] writes them out.
    pub implied: Implied,
    /// Dropped by the SDK.
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    pub flags: u32,
    /// 16 bytes when valid, empty without a trace.
    pub trace_id: &'a [u8],
    /// 8 bytes when valid, empty without a span.
    pub span_id: &'a [u8],
    /// Names the kind of event, where the line is one.
    pub event_name: &'a [u8],
}

impl Default for LineView<'_> {
    fn default() -> Self {
        Self {
            bytes: &[],
            position: 0,
            time_ns: 0,
            observed_ns: 0,
            severity_number: 0,
            severity_text: &[],
            body: ValueView::Empty,
            attributes: Attributes::default(),
            implied: Implied::None,
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: &[],
            span_id: &[],
            event_name: &[],
        }
    }
}

impl LineView<'_> {
    /// The line's place in time, Unix ns: when it happened, else when it was collected, else when it was received.
    #[inline]
    pub fn time_or(&self, received_at_ns: u64) -> u64 {
        match (self.time_ns, self.observed_ns) {
            (0, 0) => received_at_ns,
            (0, observed_ns) => observed_ns,
            (time_ns, _) => time_ns,
        }
    }

    /// The trace that it belongs to, when the id is one.
    #[inline]
    pub fn trace(&self) -> Option<TraceId> {
        TraceId::from_wire(self.trace_id)
    }

    /// The span that it belongs to, when the id is one.
    #[inline]
    pub fn span(&self) -> Option<SpanId> {
        SpanId::from_wire(self.span_id)
    }

    /// Whether there is a trace id that is none: neither absent nor 16 bytes.
    #[inline]
    pub fn has_odd_trace_id(&self) -> bool {
        !matches!(self.trace_id.len(), 0 | 16)
    }

    /// Whether there is a span id that is none: neither absent nor 8 bytes.
    #[inline]
    pub fn has_odd_span_id(&self) -> bool {
        !matches!(self.span_id.len(), 0 | 8)
    }
}
