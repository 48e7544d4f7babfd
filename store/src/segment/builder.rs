//! Gathers journalled spans into columns, straight from their bytes.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use weir_proto::{
    SpanId, TraceId,
    otlp::{
        traces::{Checks, RawAttribute, ScanError, ScannedSpan, scan, scan_chosen},
        wire::WireError,
    },
};

use super::{
    events,
    gathering::{Builder, Gathering, push_some_bytes, push_some_word},
    manifest::OPERATIONS_MAX,
    operations::listed,
    schema::{DEFECT_BEYOND, DEFECT_ENDS_BEFORE_START, DEFECT_NO_END, DEFECT_NO_START, DEFECT_PARENT_ID, fixed},
};
use crate::columns::{Column, Values};
use crate::{
    ask::span::Operation,
    reject::Rejection,
    verdict::kept::{KeptBy, POLICY_ATTRIBUTE},
};

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
    gathering: Gathering,
    operations: Operations,
}

/// Which operations there are, by codes of the service and name columns.
#[derive(Debug)]
struct Operations {
    seen: HashMap<(u32, u32, i32), (), RandomState>,
    /// How many of each service: one that names too much leaves room for the others.
    of_service: HashMap<u32, usize, RandomState>,
    last: Option<(u32, u32, i32)>,
    cut: bool,
}

impl Default for SpanBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder for SpanBuilder {
    fn gathering(&self) -> &Gathering {
        &self.gathering
    }

    fn gathering_mut(&mut self) -> &mut Gathering {
        &mut self.gathering
    }

    fn operations(&self) -> (Vec<Operation>, bool) {
        let text = |column: &Column, code: u32| match &column.values {
            Values::Bytes { dictionary, .. } => String::from_utf8_lossy(dictionary.get(code)).into_owned(),
            Values::Words(_) => unreachable!("names are text"),
        };
        let seen = self.operations.seen.keys().map(|&(service, name, kind)| Operation {
            service: text(&self.gathering.resources.service, service),
            name: text(&self.gathering.fixed[fixed::NAME], name),
            kind,
        });
        listed(seen, self.operations.cut)
    }

    fn clear(&mut self) {
        self.gathering.clear();
        self.operations.seen.clear();
        self.operations.of_service.clear();
        self.operations.last = None;
        self.operations.cut = false;
    }
}

impl SpanBuilder {
    /// An empty one.
    pub fn new() -> Self {
        let operations =
            Operations { seen: HashMap::default(), of_service: HashMap::default(), last: None, cut: false };
        Self { gathering: Gathering::new(&fixed::TABLE), operations }
    }

    /// Adds the spans of a journalled payload, except the rejected ones (sorted by ordinal).
    ///
    /// After an error the spans before the fault are in, and [`Self::rows`] tells how many; an admitted payload has none.
    pub fn push_payload(&mut self, payload: &[u8], rejected: &[Rejection]) -> Result<(), ScanError> {
        self.gathering.take_bytes(payload.len())?;
        let mut rejected = rejected.iter().map(|rejection| rejection.ordinal).peekable();
        let (mut resource, mut scope) = (None, None);
        let mut service = 0;
        let mut fault = None;
        scan(payload, Checks::Journalled, |span| {
            if rejected.next_if_eq(&span.ordinal).is_some() || fault.is_some() {
                return;
            }
            if resource != Some(span.resource_ordinal) {
                service = self.gathering.start_resource(&span.resource);
                resource = Some(span.resource_ordinal);
            }
            if scope != Some(span.scope_ordinal) {
                self.gathering.start_scope(&span.scope);
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
                service = self.gathering.start_resource(&span.resource);
                resource = Some(span.resource_ordinal);
                bytes += span.resource.bytes.len() + span.resource.schema_url.len();
            }
            if scope != Some(span.scope_ordinal) {
                self.gathering.start_scope(&span.scope);
                scope = Some(span.scope_ordinal);
                bytes += span.scope.bytes.len() + span.scope.schema_url.len();
            }
            if let Err(full) = self.gathering.take_bytes(bytes) {
                fault = Some(full);
                return;
            }
            fault = self.push_span(span, service, chosen.kept_by.as_ref()).err();
        })?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
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
        let row = self.gathering.rows;
        let Values::Bytes { codes, dictionary } = &mut self.gathering.fixed[fixed::TRACE_ID].values else {
            unreachable!("trace ids are bytes")
        };
        let number = self.gathering.traces.number(trace);
        if number as usize == dictionary.len() {
            dictionary.push(&trace.0);
        }
        self.gathering.traces.add(number, row);
        codes.push(number);
        self.gathering.fixed[fixed::SPAN_ID].push_word(row, u64::from_le_bytes(id.0));
        let mut defects = 0;
        match SpanId::from_wire(span.parent_span_id) {
            Some(parent) => self.gathering.fixed[fixed::PARENT_SPAN_ID].push_word(row, u64::from_le_bytes(parent.0)),
            None if matches!(span.parent_span_id.len(), 0 | 8) => {}
            None => defects |= DEFECT_PARENT_ID,
        }
        self.gathering.fixed[fixed::START_TIME].push_word(row, span.start_ns);
        let duration_ns = span.end_ns.saturating_sub(span.start_ns);
        // Others read it as a signed number.
        self.gathering.fixed[fixed::DURATION].push_word(row, duration_ns.min(SIGNED_MAX));
        if span.end_ns < span.start_ns || duration_ns > SIGNED_MAX {
            self.gathering.fixed[fixed::END_TIME].push_word(row, span.end_ns);
        }
        defects |= time_defects(span.start_ns, span.end_ns);
        push_some_word(&mut self.gathering.fixed[fixed::DEFECTS], row, defects);
        self.gathering.fixed[fixed::NAME].push_bytes(row, span.name);
        self.gathering.fixed[fixed::KIND].push_word(row, i64::from(span.kind) as u64);
        self.gathering.fixed[fixed::STATUS_CODE].push_word(row, i64::from(span.status_code) as u64);
        self.gathering.fixed[fixed::FLAGS].push_word(row, u64::from(span.flags));
        push_some_bytes(&mut self.gathering.fixed[fixed::STATUS_MESSAGE], row, span.status_message);
        self.push_sampling(row, span.trace_state, kept_by);
        push_some_word(
            &mut self.gathering.fixed[fixed::DROPPED_ATTRIBUTES],
            row,
            u64::from(span.dropped_attributes_count),
        );
        push_some_word(&mut self.gathering.fixed[fixed::DROPPED_EVENTS], row, u64::from(span.dropped_events_count));
        push_some_word(&mut self.gathering.fixed[fixed::DROPPED_LINKS], row, u64::from(span.dropped_links_count));
        if !span.events.is_empty() {
            self.gathering.text.clear();
            events::write_events(span.events.iter(), &mut self.gathering.text);
            self.gathering.fixed[fixed::EVENTS].push_bytes(row, &self.gathering.text);
        }
        if !span.links.is_empty() {
            self.gathering.text.clear();
            events::write_links(span.links.iter(), &mut self.gathering.text);
            self.gathering.fixed[fixed::LINKS].push_bytes(row, &self.gathering.text);
        }
        let name = match &self.gathering.fixed[fixed::NAME].values {
            Values::Bytes { codes, .. } => codes[row as usize],
            Values::Words(_) => unreachable!("names are text"),
        };
        self.operations.push((service, name, span.kind));
        match kept_by {
            None => self.gathering.attributes.push(row, name, span.attributes.encoded()),
            Some(kept_by) => {
                let key = POLICY_ATTRIBUTE.as_bytes();
                let is_other =
                    |encoded: &&[u8]| RawAttribute::read(encoded).is_none_or(|attribute| attribute.key != key);
                self.gathering.attributes.push(row, name, span.attributes.encoded().filter(is_other));
                self.gathering.attributes.push_text(row, key, kept_by.policy.as_bytes());
            }
        }
        self.gathering.end_row(span.start_ns);
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
            self.gathering.fixed[fixed::ADJUSTED_COUNT].push_word(row, count.to_bits());
        }
        let rewritten =
            kept_by.is_some_and(|kept_by| kept_by.rewrite_trace_state(trace_state, &mut self.gathering.text));
        let trace_state = if rewritten { &self.gathering.text } else { trace_state };
        push_some_bytes(&mut self.gathering.fixed[fixed::TRACE_STATE], row, trace_state);
    }
}

impl Operations {
    #[inline]
    fn push(&mut self, operation: (u32, u32, i32)) {
        if self.last == Some(operation) || self.seen.len() >= OPERATIONS_SEEN_MAX && self.cut {
            return;
        }
        self.last = Some(operation);
        if self.seen.contains_key(&operation) {
            return;
        }
        let of_service = self.of_service.entry(operation.0).or_default();
        if *of_service >= OPERATIONS_MAX || self.seen.len() >= OPERATIONS_SEEN_MAX {
            self.cut = true;
            return;
        }
        *of_service += 1;
        self.seen.insert(operation, ());
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
