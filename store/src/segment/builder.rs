//! Gathers journalled spans into columns, straight from their bytes.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use weir_proto::{
    SpanId, TraceId,
    otlp::{
        traces::{Checks, RawAttribute, ResourceView, ScanError, ScannedSpan, ScopeView, scan, scan_chosen},
        wire::WireError,
    },
};

use super::{
    attributes::AttributeTable,
    column::{Column, Values},
    contexts::Contexts,
    events, json,
    manifest::OPERATIONS_MAX,
    schema::{DEFECT_BEYOND, DEFECT_ENDS_BEFORE_START, DEFECT_NO_END, DEFECT_NO_START, DEFECT_PARENT_ID, fixed},
    trace_rows::TraceRows,
};
use crate::{
    Rejection,
    sampling::{KeptBy, POLICY_ATTRIBUTE},
};

/// Most payload bytes that a builder takes: its arenas count in 32 bits, and JSON text may be six times as long as what it tells.
pub const PAYLOAD_BYTES_MAX: u64 = 512 << 20;

/// The largest time or duration that is not negative as a signed number.
const SIGNED_MAX: u64 = i64::MAX as u64;

/// Operations that are told apart; the manifest lists fewer, of every service some.
const OPERATIONS_SEEN_MAX: usize = 8 * OPERATIONS_MAX;

/// A span of a payload that goes into a segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChosenSpan<'a> {
    /// Position among the payload's spans.
    pub ordinal: u32,
    /// The verdict that kept it; `None` when nothing sampled it.
    pub kept_by: Option<KeptBy<'a>>,
}

/// Builds one segment: takes journalled payloads in journal order, keeps their spans as columns.
#[derive(Debug)]
pub struct SpanBuilder {
    pub(super) rows: u32,
    payload_bytes: u64,
    /// The fixed columns that differ from span to span, by number; the others stay empty.
    pub(super) fixed: Vec<Column>,
    pub(super) attributes: AttributeTable,
    pub(super) resources: Resources,
    pub(super) scopes: Scopes,
    pub(super) traces: TraceRows,
    pub(super) operations: Operations,
    /// Smallest and largest start.
    pub(super) start_ns: Option<(u64, u64)>,
    /// When what is pushed arrived, Unix ns; `u64::MAX` when nobody said.
    arrived_ns: u64,
    /// From when on retention counts: the largest start, but none later than the span's arrival.
    pub(super) age_from_ns: u64,
    text: Vec<u8>,
}

/// Distinct resources: their parts as columns over resources.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) contexts: Contexts,
    pub(super) service: Column,
    pub(super) attributes: AttributeTable,
    pub(super) schema_url: Column,
    pub(super) dropped: Column,
}

/// Distinct scopes: their parts as columns over scopes.
#[derive(Debug)]
pub(super) struct Scopes {
    pub(super) contexts: Contexts,
    pub(super) name: Column,
    pub(super) version: Column,
    pub(super) schema_url: Column,
    pub(super) attributes: Column,
    pub(super) dropped: Column,
}

/// Which operations there are, by codes of the service and name columns.
#[derive(Debug)]
pub(super) struct Operations {
    pub(super) seen: HashMap<(u32, u32, i32), (), RandomState>,
    last: Option<(u32, u32, i32)>,
    pub(super) cut: bool,
}

impl Default for SpanBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl SpanBuilder {
    /// An empty one.
    pub fn new() -> Self {
        let fixed = fixed::SPECS
            .iter()
            .enumerate()
            .map(|(number, &(_, kind, required))| {
                Column::empty(kind, required && !fixed::MOSTLY_ALIKE.contains(&number))
            })
            .collect();
        Self {
            rows: 0,
            payload_bytes: 0,
            fixed,
            attributes: AttributeTable::new(),
            resources: Resources {
                contexts: Contexts::new(),
                service: Column::dense_bytes(),
                attributes: AttributeTable::new(),
                schema_url: Column::sparse_bytes(),
                dropped: Column::sparse_words(),
            },
            scopes: Scopes {
                contexts: Contexts::new(),
                name: Column::sparse_bytes(),
                version: Column::sparse_bytes(),
                schema_url: Column::sparse_bytes(),
                attributes: Column::sparse_bytes(),
                dropped: Column::sparse_words(),
            },
            traces: TraceRows::default(),
            operations: Operations { seen: HashMap::default(), last: None, cut: false },
            start_ns: None,
            arrived_ns: u64::MAX,
            age_from_ns: 0,
            text: Vec::new(),
        }
    }

    /// Empties it for the next segment; memory stays where it is.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.payload_bytes = 0;
        self.fixed.iter_mut().for_each(Column::clear);
        self.attributes.clear();
        let Resources { contexts, service, attributes, schema_url, dropped } = &mut self.resources;
        contexts.clear();
        attributes.clear();
        [service, schema_url, dropped].into_iter().for_each(Column::clear);
        let Scopes { contexts, name, version, schema_url, attributes, dropped } = &mut self.scopes;
        contexts.clear();
        [name, version, schema_url, attributes, dropped].into_iter().for_each(Column::clear);
        self.traces.clear();
        self.operations.seen.clear();
        self.operations.last = None;
        self.operations.cut = false;
        self.start_ns = None;
        self.arrived_ns = u64::MAX;
        self.age_from_ns = 0;
    }

    /// Says when the payloads that follow arrived, Unix ns.
    pub fn arrived_at(&mut self, received_at_ns: u64) {
        self.arrived_ns = received_at_ns;
    }

    /// Spans taken.
    pub fn rows(&self) -> u64 {
        u64::from(self.rows)
    }

    /// Bytes of the payloads taken.
    pub fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Bytes held in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let fixed: u64 = self.fixed.iter().map(Column::memory_bytes).sum();
        let contexts = self.resources.contexts.memory_bytes() + self.scopes.contexts.memory_bytes();
        let attributes = self.attributes.memory_bytes() + self.resources.attributes.memory_bytes();
        fixed + attributes + contexts + self.traces.memory_bytes()
    }

    /// Whether a payload of so many bytes still fits. When not, the segment must be written first.
    pub fn has_room(&self, payload_bytes: usize) -> bool {
        self.payload_bytes + payload_bytes as u64 <= PAYLOAD_BYTES_MAX
    }

    /// Adds the spans of a journalled payload, except the rejected ones (sorted by ordinal).
    ///
    /// After an error the spans before the fault are in, and [`Self::rows`] tells how many; an admitted payload has none.
    pub fn push_payload(&mut self, payload: &[u8], rejected: &[Rejection]) -> Result<(), ScanError> {
        if !self.has_room(payload.len()) {
            return Err(WireError::Malformed { at: 0, what: "payloads beyond a segment's 512 MiB" }.into());
        }
        self.payload_bytes += payload.len() as u64;
        let mut rejected = rejected.iter().map(|rejection| rejection.ordinal).peekable();
        let (mut resource, mut scope) = (None, None);
        let mut service = 0;
        let mut fault = None;
        scan(payload, Checks::Journalled, |span| {
            if rejected.next_if_eq(&span.ordinal).is_some() || fault.is_some() {
                return;
            }
            if resource != Some(span.resource_ordinal) {
                service = self.start_resource(&span.resource);
                resource = Some(span.resource_ordinal);
            }
            if scope != Some(span.scope_ordinal) {
                self.start_scope(&span.scope);
                scope = Some(span.scope_ordinal);
            }
            fault = self.push_span(span, service, None).err();
        })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Adds some spans of a journalled payload, in ordinal order; the others are passed over. Only what is added counts towards
    /// [`PAYLOAD_BYTES_MAX`]. After an error as [`Self::push_payload`].
    pub fn push_chosen(&mut self, payload: &[u8], chosen: &[ChosenSpan<'_>]) -> Result<(), ScanError> {
        let mut next = chosen.iter().peekable();
        let (mut resource, mut scope) = (None, None);
        let mut service = 0;
        let mut fault = None;
        scan_chosen(payload, chosen.iter().map(|span| span.ordinal), |span| {
            let Some(chosen) = next.find(|chosen| chosen.ordinal == span.ordinal).filter(|_| fault.is_none()) else {
                return;
            };
            let mut bytes = span.span.bytes.len();
            if resource != Some(span.resource_ordinal) {
                service = self.start_resource(&span.resource);
                resource = Some(span.resource_ordinal);
                bytes += span.resource.bytes.len() + span.resource.schema_url.len();
            }
            if scope != Some(span.scope_ordinal) {
                self.start_scope(&span.scope);
                scope = Some(span.scope_ordinal);
                bytes += span.scope.bytes.len() + span.scope.schema_url.len();
            }
            if !self.has_room(bytes) {
                fault = Some(WireError::Malformed { at: 0, what: "payloads beyond a segment's 512 MiB" });
                return;
            }
            self.payload_bytes += bytes as u64;
            fault = self.push_span(span, service, chosen.kept_by.as_ref()).err();
        })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn start_resource(&mut self, resource: &ResourceView<'_>) -> u32 {
        let Resources { contexts, service, attributes, schema_url, dropped } = &mut self.resources;
        let (number, is_new) = contexts.number(resource.bytes, resource.schema_url);
        if is_new {
            service.push_bytes(number, resource.service);
            attributes.push(number, 0, resource.attributes.encoded());
            push_some_bytes(schema_url, number, resource.schema_url);
            push_some_word(dropped, number, u64::from(resource.dropped_attributes_count));
        }
        contexts.start(self.rows, number);
        match &service.values {
            Values::Bytes { codes, .. } => codes[number as usize],
            Values::Words(_) => unreachable!("services are text"),
        }
    }

    fn start_scope(&mut self, scope: &ScopeView<'_>) {
        let Scopes { contexts, name, version, schema_url, attributes, dropped } = &mut self.scopes;
        let (number, is_new) = contexts.number(scope.bytes, scope.schema_url);
        if is_new {
            push_some_bytes(name, number, scope.name);
            push_some_bytes(version, number, scope.version);
            push_some_bytes(schema_url, number, scope.schema_url);
            push_some_word(dropped, number, u64::from(scope.dropped_attributes_count));
            if !scope.attributes.is_empty() {
                self.text.clear();
                json::write_object(scope.attributes.iter(), &mut self.text);
                attributes.push_bytes(number, &self.text);
            }
        }
        contexts.start(self.rows, number);
    }

    #[inline]
    fn push_span(
        &mut self,
        scanned: &ScannedSpan<'_>,
        service: u32,
        kept_by: Option<&KeptBy<'_>>,
    ) -> Result<(), WireError> {
        let span = &scanned.span;
        let invalid = |what| WireError::Malformed { at: span.position as usize, what };
        let trace = TraceId::from_wire(span.trace_id).ok_or(invalid("accepted span without a trace id"))?;
        let id = SpanId::from_wire(span.span_id).ok_or(invalid("accepted span without a span id"))?;
        let row = self.rows;
        let Values::Bytes { codes, dictionary } = &mut self.fixed[fixed::TRACE_ID].values else {
            unreachable!("trace ids are bytes")
        };
        let number = self.traces.number(trace);
        if number as usize == dictionary.len() {
            dictionary.push(&trace.0);
        }
        self.traces.add(number, row);
        codes.push(number);
        self.fixed[fixed::SPAN_ID].push_word(row, u64::from_le_bytes(id.0));
        let mut defects = 0;
        match SpanId::from_wire(span.parent_span_id) {
            Some(parent) => self.fixed[fixed::PARENT_SPAN_ID].push_word(row, u64::from_le_bytes(parent.0)),
            None if matches!(span.parent_span_id.len(), 0 | 8) => {}
            None => defects |= DEFECT_PARENT_ID,
        }
        self.fixed[fixed::START_TIME].push_word(row, span.start_ns);
        let duration_ns = span.end_ns.saturating_sub(span.start_ns);
        // Others read it as a signed number.
        self.fixed[fixed::DURATION].push_word(row, duration_ns.min(SIGNED_MAX));
        if span.end_ns < span.start_ns || duration_ns > SIGNED_MAX {
            self.fixed[fixed::END_TIME].push_word(row, span.end_ns);
        }
        defects |= time_defects(span.start_ns, span.end_ns);
        push_some_word(&mut self.fixed[fixed::DEFECTS], row, defects);
        self.fixed[fixed::NAME].push_bytes(row, span.name);
        self.fixed[fixed::KIND].push_word(row, i64::from(span.kind) as u64);
        self.fixed[fixed::STATUS_CODE].push_word(row, i64::from(span.status_code) as u64);
        self.fixed[fixed::FLAGS].push_word(row, u64::from(span.flags));
        push_some_bytes(&mut self.fixed[fixed::STATUS_MESSAGE], row, span.status_message);
        self.push_sampling(row, span.trace_state, kept_by);
        push_some_word(&mut self.fixed[fixed::DROPPED_ATTRIBUTES], row, u64::from(span.dropped_attributes_count));
        push_some_word(&mut self.fixed[fixed::DROPPED_EVENTS], row, u64::from(span.dropped_events_count));
        push_some_word(&mut self.fixed[fixed::DROPPED_LINKS], row, u64::from(span.dropped_links_count));
        if !span.events.is_empty() {
            self.text.clear();
            events::write_events(span.events.iter(), &mut self.text);
            self.fixed[fixed::EVENTS].push_bytes(row, &self.text);
        }
        if !span.links.is_empty() {
            self.text.clear();
            events::write_links(span.links.iter(), &mut self.text);
            self.fixed[fixed::LINKS].push_bytes(row, &self.text);
        }
        let name = match &self.fixed[fixed::NAME].values {
            Values::Bytes { codes, .. } => codes[row as usize],
            Values::Words(_) => unreachable!("names are text"),
        };
        self.operations.push((service, name, span.kind));
        match kept_by {
            None => self.attributes.push(row, name, span.attributes.encoded()),
            Some(kept_by) => {
                let key = POLICY_ATTRIBUTE.as_bytes();
                let is_other =
                    |encoded: &&[u8]| RawAttribute::read(encoded).is_none_or(|attribute| attribute.key != key);
                self.attributes.push(row, name, span.attributes.encoded().filter(is_other));
                self.attributes.push_text(row, key, kept_by.policy.as_bytes());
            }
        }
        let (min, max) = self.start_ns.unwrap_or((u64::MAX, 0));
        self.start_ns = Some((min.min(span.start_ns), max.max(span.start_ns)));
        // A span without a start is as old as its arrival, and none is younger.
        let has_start = span.start_ns > 0 || self.arrived_ns == u64::MAX;
        let aged_ns = if has_start { span.start_ns.min(self.arrived_ns) } else { self.arrived_ns };
        self.age_from_ns = self.age_from_ns.max(aged_ns);
        self.rows += 1;
        Ok(())
    }
}

impl SpanBuilder {
    /// What sampling, ours or an earlier one, left on the span.
    #[inline]
    fn push_sampling(&mut self, row: u32, trace_state: &[u8], kept_by: Option<&KeptBy<'_>>) {
        if kept_by.is_none() && trace_state.is_empty() {
            return;
        }
        let count = KeptBy::adjusted_count_of(kept_by, trace_state);
        if count != 1.0 {
            self.fixed[fixed::ADJUSTED_COUNT].push_word(row, count.to_bits());
        }
        let rewritten = kept_by.is_some_and(|kept_by| kept_by.rewrite_trace_state(trace_state, &mut self.text));
        let trace_state = if rewritten { &self.text } else { trace_state };
        push_some_bytes(&mut self.fixed[fixed::TRACE_STATE], row, trace_state);
    }
}

impl Operations {
    #[inline]
    fn push(&mut self, operation: (u32, u32, i32)) {
        if self.last == Some(operation) || self.cut {
            return;
        }
        self.last = Some(operation);
        if self.seen.len() < OPERATIONS_SEEN_MAX {
            self.seen.insert(operation, ());
        } else {
            self.cut = !self.seen.contains_key(&operation);
        }
    }
}

#[inline]
fn push_some_bytes(column: &mut Column, row: u32, value: &[u8]) {
    if !value.is_empty() {
        column.push_bytes(row, value);
    }
}

/// What is odd about a span's times.
fn time_defects(start_ns: u64, end_ns: u64) -> u64 {
    let bit = |is_odd: bool, bit: u64| if is_odd { bit } else { 0 };
    let is_beyond = start_ns > SIGNED_MAX || end_ns > SIGNED_MAX;
    bit(end_ns < start_ns, DEFECT_ENDS_BEFORE_START)
        | bit(end_ns == 0, DEFECT_NO_END)
        | bit(start_ns == 0, DEFECT_NO_START)
        | bit(is_beyond, DEFECT_BEYOND)
}

#[inline]
fn push_some_word(column: &mut Column, row: u32, value: u64) {
    if value != 0 {
        column.push_word(row, value);
    }
}
