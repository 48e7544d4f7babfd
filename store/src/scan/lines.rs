//! Reads lines of the head: their times and traces decide first, payloads are looked into only where they must be.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_array::RecordBatch;
use memchr::memmem::Finder;
use weir_proto::{
    TenantId,
    otlp::{
        ValueView,
        logs::{Expander, Implied, ScannedLine, scan_chosen},
    },
};

use super::head::{Needles, Newest, attributes_fulfil};
use crate::{
    ask::{
        error::ReadError,
        filter::{AttributeCondition, ResourceTest, ScanFilter},
        folding::fold,
        pruned::{Pruned, ReadCounts},
        request::{ReadBounds, ScanRequest},
        span::Place,
    },
    head::{LineFile, LineFrame, LineSummary},
    offset::Offset,
    segment::{BodyField, LineScanRows, field_passes, structured_text, write_resource},
};

/// Lines of one part, about. Few in tests of development builds, so that they meet the edges.
const PART_LINES: u64 = if cfg!(all(test, debug_assertions)) { 32 } else { 65_536 };
/// And payload, unless one frame has more.
const PART_PAYLOAD_BYTES: u64 = if cfg!(all(test, debug_assertions)) { 64 << 10 } else { 32 << 20 };

/// Some frames of a head file.
#[derive(Debug, Clone)]
pub(crate) struct LinesPart {
    file: Arc<LineFile>,
    /// Indexes of the tenant's frames, ascending.
    frames: Vec<u32>,
    /// Smallest and largest time of the frames.
    pub(crate) time_ns: (u64, u64),
    pub(crate) rows_max: u64,
    /// Of the frames' payloads, together.
    payload_bytes: u64,
}

/// The parts of a head file, up to the frame `projected`, that may hold rows that fulfil the filter.
pub(super) fn parts(
    file: &Arc<LineFile>,
    tenant: &TenantId,
    projected: Offset,
    filter: &ScanFilter,
    pruned: &mut Pruned,
) -> Vec<LinesPart> {
    let of_traces = filter.trace_ids.as_ref().map(|ids| {
        let mut frames: Vec<u32> = ids.iter().flat_map(|&id| file.frames_of_trace(tenant, id)).collect();
        frames.sort_unstable();
        frames
    });
    let mut parts: Vec<LinesPart> = Vec::new();
    for (index, frame) in (0u32..).zip(file.frames(projected)) {
        if frame.tenant != *tenant || frame.lines.is_empty() {
            continue;
        }
        pruned.head_frames += 1;
        let (min, max) = frame.time_ns;
        let outside = max < *filter.start_ns.start() || min > *filter.start_ns.end();
        let other_trace = of_traces.as_ref().is_some_and(|frames| frames.binary_search(&index).is_err());
        if outside || other_trace {
            pruned.head_frames_pruned += 1;
            continue;
        }
        let (lines, bytes) = (frame.lines.len() as u64, frame.payload.len());
        let has_room = |part: &&mut LinesPart| {
            part.rows_max + lines <= PART_LINES && part.payload_bytes + bytes <= PART_PAYLOAD_BYTES
        };
        match parts.last_mut().filter(has_room) {
            Some(part) => part.push(index, frame),
            None => {
                let mut part = LinesPart::empty(file.clone());
                part.push(index, frame);
                parts.push(part);
            }
        }
    }
    parts
}

impl LinesPart {
    /// Adds which rows are read of it.
    pub(super) fn identify(&self, hasher: &mut impl Hasher) {
        (self.file.number(), &self.frames).hash(hasher);
    }

    /// No frames yet.
    pub(crate) fn empty(file: Arc<LineFile>) -> Self {
        Self { file, frames: Vec::new(), time_ns: (u64::MAX, 0), rows_max: 0, payload_bytes: 0 }
    }

    /// Adds the frame of this index, which comes after the others.
    pub(crate) fn push(&mut self, index: u32, frame: &LineFrame) {
        let (min, max) = frame.time_ns;
        self.frames.push(index);
        self.time_ns = (self.time_ns.0.min(min), self.time_ns.1.max(max));
        self.rows_max += frame.lines.len() as u64;
        self.payload_bytes += frame.payload.len();
    }

    /// Itself, if it has frames.
    pub(crate) fn unless_empty(self) -> Option<Self> {
        (!self.frames.is_empty()).then_some(self)
    }

    /// The same frames in several parts.
    pub(super) fn split(&self, rows_max: u32) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        // Newest first, as parts are.
        for &index in self.frames.iter().rev() {
            let rows = self.file.frame(index as usize).map_or(0, |frame| frame.lines.len() as u64);
            match parts.last_mut().filter(|part| part.rows_max + rows <= u64::from(rows_max)) {
                Some(part) => {
                    part.frames.insert(0, index);
                    part.rows_max += rows;
                }
                None => parts.push(Self { frames: vec![index], rows_max: rows, ..self.clone() }),
            }
        }
        parts
    }

    /// The rows that fulfil the filter, as far as they are needed. Counts frames that cannot be read as damaged.
    pub(super) fn read(
        &self,
        request: &ScanRequest,
        bounds: &ReadBounds,
        counts: &ReadCounts,
    ) -> Result<RecordBatch, ReadError> {
        let filter = &request.filter;
        let mut newest = Newest::within(bounds);
        let needles = Needles::of_lines(filter);
        let conditions = Conditions::of(filter);
        let mut rows = LineScanRows::new(request);
        let asks_payload = !filter.attributes.is_empty()
            || !filter.body_contains.is_empty()
            || !filter.body_any.is_empty()
            || !filter.body_any_case.is_empty()
            || !filter.body_lacks.is_empty()
            || filter.services.is_some()
            || filter.resources.is_some();
        let needs_payload = asks_payload || rows.needs_payload();
        let mut candidates: Vec<&LineSummary> = Vec::new();
        // Newest first where that may end it; else in the order of arrival, which equal times keep.
        let newest_first = bounds.rows_max.is_some() || bounds.newest.is_some();
        let mut frames = self.frames.clone();
        if newest_first {
            frames.reverse();
        }
        for index in frames {
            if bounds.rows_max.is_some_and(|rows_max| rows.len() as usize >= rows_max) {
                break;
            }
            let floor_ns = newest.floor_ns();
            let Some(frame) = self.file.frame(index as usize).filter(|frame| frame.time_ns.1 >= floor_ns) else {
                continue;
            };
            candidates.clear();
            candidates.extend(frame.lines.iter().filter(|line| line.time_ns >= floor_ns && fits(line, filter)));
            if candidates.is_empty() {
                continue;
            }
            if !needs_payload {
                for line in &candidates {
                    if newest.takes(line.time_ns) {
                        rows.push(line.time_ns, line.ids(), None);
                    }
                }
                continue;
            }
            let sink = (&mut rows, &mut newest);
            if let Err(error) = self.read_payload(frame, &candidates, &conditions, &needles, sink, counts) {
                ReadCounts::add(&counts.damaged, 1);
                tracing::error!(offset = %frame.offset, %error, "a frame of the journal cannot be read; the rest is");
            }
        }
        ReadCounts::add(&counts.rows, u64::from(rows.len()));
        rows.finish().map_err(|error| ReadError::Damaged(error.to_string()))
    }

    /// Asks a payload about its candidates, which are in ordinal order.
    fn read_payload(
        &self,
        frame: &LineFrame,
        candidates: &[&LineSummary],
        conditions: &Conditions<'_>,
        needles: &Needles<'_>,
        (rows, newest): (&mut LineScanRows<'_>, &mut Newest),
        counts: &ReadCounts,
    ) -> Result<(), ReadError> {
        let payload = frame.payload.read(self.file.journal())?;
        if !needles.may_be_in(&payload) {
            return Ok(());
        }
        ReadCounts::add(&counts.head_payloads, 1);
        let mut next = candidates.iter();
        let mut resources = conditions.resources.map(ResourceCheck::new);
        let asks_attributes = !conditions.attributes.is_empty() || rows.needs_attributes();
        let mut expander = Expander::default();
        scan_chosen(&payload, candidates.iter().map(|line| line.ordinal), |scanned| {
            let Some(line) = next.find(|line| line.ordinal == scanned.ordinal) else { return };
            let whole;
            let scanned = if asks_attributes && scanned.line.implied != Implied::None {
                whole = ScannedLine { line: expander.whole(&scanned.line), ..*scanned };
                &whole
            } else {
                scanned
            };
            let is_of_resource = resources.as_mut().is_none_or(|check| check.passes(scanned));
            if is_of_resource && conditions.hold(scanned) && newest.takes(line.time_ns) {
                rows.push(line.time_ns, line.ids(), Some(scanned));
            }
        })
        .map_err(|error| ReadError::Damaged(format!("frame {}: {error}", frame.offset)))
    }
}

/// What the summary tells of the filter.
fn fits(line: &LineSummary, filter: &ScanFilter) -> bool {
    filter.start_ns.contains(&line.time_ns)
        && filter.trace_ids.as_ref().is_none_or(|ids| line.trace().is_some_and(|trace| ids.contains(&trace)))
}

/// What only the payload tells.
struct Conditions<'f> {
    services: Option<&'f [String]>,
    /// Each with the field that a body may have.
    attributes: Vec<(&'f AttributeCondition, Option<BodyField<'f>>)>,
    body_contains: Vec<Finder<'f>>,
    body_any: Vec<Vec<Finder<'f>>>,
    body_any_case: Vec<Vec<Finder<'f>>>,
    body_lacks: Vec<Finder<'f>>,
    resources: Option<&'f ResourceTest>,
}

/// Asks about the resources of a payload, of those beside each other once.
struct ResourceCheck<'f> {
    test: &'f ResourceTest,
    /// The resource and scope that were asked about last.
    last: Option<((u32, u32), bool)>,
    text: Vec<u8>,
}

impl<'f> ResourceCheck<'f> {
    fn new(test: &'f ResourceTest) -> Self {
        Self { test, last: None, text: Vec::new() }
    }

    fn passes(&mut self, scanned: &ScannedLine<'_>) -> bool {
        let place = (scanned.resource_ordinal, scanned.scope_ordinal);
        match self.last {
            Some((known, passes)) if known == place => passes,
            _ => {
                write_resource(scanned, &mut self.text);
                let passes = self.test.passes(&self.text, scanned.scope.name);
                self.last = Some((place, passes));
                passes
            }
        }
    }
}

impl<'f> Conditions<'f> {
    fn of(filter: &'f ScanFilter) -> Self {
        let with_field = |condition: &'f AttributeCondition| {
            let field = (condition.place != Place::Resource).then(|| BodyField::named(&condition.key));
            (condition, field)
        };
        let attributes = filter.attributes.iter().map(with_field).collect();
        let any_of = |needles: &'f Vec<String>| needles.iter().map(Finder::new).collect();
        Self {
            services: filter.services.as_deref(),
            attributes,
            body_contains: any_of(&filter.body_contains),
            body_any: filter.body_any.iter().map(any_of).collect(),
            body_any_case: filter.body_any_case.iter().map(any_of).collect(),
            body_lacks: any_of(&filter.body_lacks),
            resources: filter.resources.as_ref(),
        }
    }

    fn hold(&self, scanned: &ScannedLine<'_>) -> bool {
        let service = scanned.resource.service;
        self.services.is_none_or(|services| services.iter().any(|wanted| wanted.as_bytes() == service))
            && self.attributes.iter().all(|(condition, field)| holds(condition, field.as_ref(), scanned))
            && self.holds_body(&scanned.line.body)
    }

    /// Whether the body is a text, or written as JSON one, with the needles in it that have to be, and none of the others.
    fn holds_body(&self, body: &ValueView<'_>) -> bool {
        let needs_none = self.body_contains.is_empty() && self.body_any.is_empty() && self.body_any_case.is_empty();
        if needs_none && self.body_lacks.is_empty() {
            return true;
        }
        match body {
            ValueView::Str(text) => self.holds_text(text),
            ValueView::Empty => needs_none,
            structured => self.holds_text(&structured_text(structured)),
        }
    }

    fn holds_text(&self, text: &[u8]) -> bool {
        let is_in = |finder: &Finder<'_>| finder.find(text).is_some();
        self.body_contains.iter().all(is_in)
            && self.body_any.iter().all(|finders| finders.iter().any(is_in))
            && !self.body_lacks.iter().any(is_in)
            && self.holds_in_any_case(text)
    }
}

impl Conditions<'_> {
    fn holds_in_any_case(&self, text: &[u8]) -> bool {
        if self.body_any_case.is_empty() {
            return true;
        }
        let mut folded = Vec::new();
        fold(text, &mut folded);
        self.body_any_case.iter().all(|finders| finders.iter().any(|finder| finder.find(&folded).is_some()))
    }
}

/// The line's own attribute counts, else its body's field, else its resource's attribute.
fn holds(condition: &AttributeCondition, field: Option<&BodyField<'_>>, scanned: &ScannedLine<'_>) -> bool {
    let line = &scanned.line;
    if let Some(field) = field
        && !line.attributes.raw().any(|raw| raw.key == condition.key.as_bytes())
        && let Some(passed) = field.of_body(&line.body, |value| field_passes(value, &condition.test))
    {
        return passed;
    }
    attributes_fulfil(line.attributes, scanned.resource.attributes, condition)
}
