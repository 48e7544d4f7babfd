//! What the head remembers of each span: 48 bytes, made while the span's bytes are in cache.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use weir_proto::{
    TraceId,
    otlp::traces::{ResourceView, ScannedSpan, SpanView},
};

use super::file::NO_ROW;
use crate::verdict::mark::{SpanMark, SpanMarker};

/// Slots of the batch's operation cache; a batch has some dozens of operations.
const CACHE_SLOTS: usize = 128;

/// One span in the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanSummary {
    pub(crate) trace_id: TraceId,
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    /// Index into the batch's operations until published, then into the file's.
    pub(crate) operation: u32,
    /// The row of the same trace before this one in the file, or [`NO_ROW`]; set when published.
    pub(crate) previous_in_trace: u32,
    /// Position among the payload's spans.
    pub(crate) ordinal: u32,
    pub(crate) status_code: i8,
}

/// A service, span name and kind; the texts lie in the batch's `texts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchOperation {
    /// The same in every process.
    pub(crate) hash: u64,
    service: TextRange,
    name: TextRange,
    pub(crate) kind: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TextRange {
    start: u32,
    end: u32,
}

/// The summaries of one batch's accepted spans, made while the bytes are in cache.
#[derive(Debug)]
pub struct BatchSummaries {
    pub(crate) spans: Vec<SpanSummary>,
    pub(crate) operations: Vec<BatchOperation>,
    /// One for each span when something samples them, else none; the sampler takes them, the head does not keep them.
    pub(crate) marks: Vec<SpanMark>,
    texts: Vec<u8>,
    cache: [u16; CACHE_SLOTS],
    service: Option<(u32, TextRange, u64)>,
}

impl Default for BatchSummaries {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl BatchSummaries {
    /// Room for `spans` summaries.
    pub fn with_capacity(spans: usize) -> Self {
        Self {
            spans: Vec::with_capacity(spans),
            operations: Vec::new(),
            marks: Vec::new(),
            texts: Vec::new(),
            cache: [u16::MAX; CACHE_SLOTS],
            service: None,
        }
    }

    /// How many spans were added.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Adds an accepted span, in ordinal order. Its ids are valid (16 and 8 bytes, not zero).
    #[inline]
    pub fn push(&mut self, ordinal: u32, resource_ordinal: u32, resource: &ResourceView<'_>, span: &SpanView<'_>) {
        let Some(trace_id) = TraceId::from_wire(span.trace_id) else {
            return;
        };
        let (service, service_hash) = self.service(resource_ordinal, resource);
        let operation = self.operation(service, service_hash, span);
        self.spans.push(SpanSummary {
            trace_id,
            start_ns: span.start_ns,
            duration_ns: span.end_ns.saturating_sub(span.start_ns),
            operation,
            previous_in_trace: NO_ROW,
            ordinal,
            status_code: i8::try_from(span.status_code).unwrap_or(i8::MAX),
        });
    }

    /// Marks the span that was just pushed. Either every span of a batch has one or none.
    #[inline]
    pub fn mark(&mut self, marker: &mut dyn SpanMarker, span: &ScannedSpan<'_>) {
        if self.marks.is_empty() {
            self.marks.reserve_exact(self.spans.capacity());
        }
        marker.mark(span, &mut self.marks);
    }

    /// The texts of an operation: service, name.
    pub(crate) fn operation_texts(&self, operation: &BatchOperation) -> (&[u8], &[u8]) {
        (self.text(operation.service), self.text(operation.name))
    }

    fn service(&mut self, ordinal: u32, resource: &ResourceView<'_>) -> (TextRange, u64) {
        match self.service {
            Some((known, text, hash)) if known == ordinal => (text, hash),
            _ => {
                let text = self.add_text(resource.service);
                let hash = service_hash(resource.service);
                self.service = Some((ordinal, text, hash));
                (text, hash)
            }
        }
    }

    /// Finds or adds the span's operation. Two entries for one operation do no harm: publishing resolves them.
    fn operation(&mut self, service: TextRange, service_hash: u64, span: &SpanView<'_>) -> u32 {
        let hash = hash_in_service(service_hash, span.name, span.kind);
        let slot = (hash % CACHE_SLOTS as u64) as usize;
        let cached = self.cache[slot];
        if let Some(known) = self.operations.get(usize::from(cached))
            && known.hash == hash
            && known.kind == span.kind
            && self.text(known.name) == span.name
            && (known.service == service || self.text(known.service) == self.text(service))
        {
            return u32::from(cached);
        }
        let name = self.add_text(span.name);
        self.operations.push(BatchOperation { hash, service, name, kind: span.kind });
        let index = self.operations.len() - 1;
        self.cache[slot] = u16::try_from(index).unwrap_or(u16::MAX);
        index as u32
    }

    fn text(&self, range: TextRange) -> &[u8] {
        self.texts.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn add_text(&mut self, text: &[u8]) -> TextRange {
        let start = self.texts.len() as u32;
        self.texts.extend_from_slice(text);
        TextRange { start, end: self.texts.len() as u32 }
    }
}

/// An operation as a hash, the same in every process.
pub(crate) fn operation_hash(service: &[u8], name: &[u8], kind: i32) -> u64 {
    hash_in_service(service_hash(service), name, kind)
}

fn service_hash(service: &[u8]) -> u64 {
    FixedState::default().hash_one(service)
}

fn hash_in_service(service_hash: u64, name: &[u8], kind: i32) -> u64 {
    FixedState::with_seed(service_hash ^ kind as u64).hash_one(name)
}
