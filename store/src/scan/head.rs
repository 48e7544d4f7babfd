//! Reads spans of the head: summaries decide first, payloads are looked into only where they must be.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow_array::RecordBatch;
use memchr::memmem::Finder;
use weir_proto::{
    TenantId,
    otlp::traces::{Attributes, ScannedSpan, ValueView, scan_chosen},
};

use crate::{
    ask::{
        error::ReadError,
        filter::{AttributeCondition, AttributeTest, ScanFilter},
        pruned::{Pruned, ReadCounts},
        request::{ReadBounds, ScanRequest},
        span::{Place, SpanState},
    },
    head::{HeadOperation, Hopes, Known, SpanFile, SpanFrame, SpanSummary, TagConditions},
    segment::{HeadRow, ScanRows, is_string_only, last_part, passes},
    snapshot::asked::Snapshot,
    verdict::kept::{KeptBy, POLICY_ATTRIBUTE},
};

/// Spans of one part, about. Few in tests of development builds, so that they meet the edges.
const PART_SPANS: usize = if cfg!(all(test, debug_assertions)) { 32 } else { 65_536 };
/// And payload, unless one frame has more.
const PART_PAYLOAD_BYTES: u64 = if cfg!(all(test, debug_assertions)) { 64 << 10 } else { 32 << 20 };

/// Some frames of a head file.
#[derive(Debug, Clone)]
pub(crate) struct HeadPart {
    file: Arc<SpanFile>,
    /// Says where spans stand.
    snapshot: Snapshot,
    /// Indexes of the tenant's frames, ascending.
    frames: Vec<u32>,
    operations: Arc<[Arc<HeadOperation>]>,
    /// Whether each operation fits the filter.
    fitting: Arc<[bool]>,
    /// Smallest and largest start of the frames.
    pub(crate) start_ns: (u64, u64),
    pub(crate) rows_max: u64,
    /// Of the frames' payloads, together.
    payload_bytes: u64,
}

/// The parts of a head file, as of a snapshot, that may hold rows that fulfil the filter.
pub(super) fn parts(
    file: &Arc<SpanFile>,
    tenant: &TenantId,
    snapshot: &Snapshot,
    filter: &ScanFilter,
    pruned: &mut Pruned,
) -> Vec<HeadPart> {
    let operations: Arc<[Arc<HeadOperation>]> = file.operations_from(0).into();
    let fitting: Arc<[bool]> = operations
        .iter()
        .map(|one| one.tenant == *tenant && filter.fits_operation(&one.service, &one.name, one.kind))
        .collect();
    let of_traces = filter.trace_ids.as_ref().map(|ids| {
        let mut frames: Vec<u32> = ids.iter().flat_map(|&id| file.frames_of_trace(tenant, id)).collect();
        frames.sort_unstable();
        frames
    });
    let none_fits = !fitting.contains(&true);
    let mut parts: Vec<HeadPart> = Vec::new();
    for (index, frame) in (0u32..).zip(file.frames(snapshot.view().traces.projected)) {
        if frame.tenant != *tenant || frame.spans.is_empty() {
            continue;
        }
        pruned.head_frames += 1;
        let (min, max) = frame.start_ns;
        let outside = max < *filter.start_ns.start() || min > *filter.start_ns.end();
        let other_trace = of_traces.as_ref().is_some_and(|frames| frames.binary_search(&index).is_err());
        if none_fits || outside || other_trace {
            pruned.head_frames_pruned += 1;
            continue;
        }
        let (spans, bytes) = (frame.spans.len() as u64, frame.payload.len());
        let has_room = |part: &&mut HeadPart| {
            part.rows_max + spans <= PART_SPANS as u64 && part.payload_bytes + bytes <= PART_PAYLOAD_BYTES
        };
        match parts.last_mut().filter(has_room) {
            Some(part) => {
                part.payload_bytes += bytes;
                part.frames.push(index);
                part.start_ns = (part.start_ns.0.min(min), part.start_ns.1.max(max));
                part.rows_max += spans;
            }
            None => parts.push(HeadPart {
                file: file.clone(),
                snapshot: snapshot.clone(),
                frames: vec![index],
                operations: operations.clone(),
                fitting: fitting.clone(),
                start_ns: (min, max),
                rows_max: spans,
                payload_bytes: bytes,
            }),
        }
    }
    parts
}

impl HeadPart {
    /// Adds which rows are read of it, and what is known of them.
    pub(super) fn identify(&self, hasher: &mut impl Hasher) {
        // Frames stay as they are; a verdict that comes changes what spans before it are.
        (self.file.number(), &self.frames, self.snapshot.view().cut().verdicts).hash(hasher);
    }

    /// The same frames in several parts.
    pub(super) fn split(&self, rows_max: u32) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        // Newest first, as parts are.
        for &index in self.frames.iter().rev() {
            let rows = self.file.frame(index as usize).map_or(0, |frame| frame.spans.len() as u64);
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
        let mut newest = Newest::within(bounds);
        let mut rows = ScanRows::new(request);
        let asked = Asked::of(&request.filter, rows.needs_payload());
        let cut = self.snapshot.view().cut();
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        for &index in self.frames.iter().rev() {
            if bounds.rows_max.is_some_and(|rows_max| rows.len() as usize >= rows_max) {
                break;
            }
            let floor_ns = newest.floor_ns;
            let Some(frame) = self.file.frame(index as usize).filter(|frame| frame.start_ns.1 >= floor_ns) else {
                continue;
            };
            candidates.clear();
            for (row, span) in frame.spans.iter().enumerate() {
                if !self.fits_summary(span, &request.filter, floor_ns) {
                    continue;
                }
                let standing = frame.standing(row, cut.verdicts);
                let Some(state) = standing.state() else { continue };
                let candidate = Candidate { span, state, kept_by: standing.kept_by(&cut) };
                match asked.tags.answer(&self.known(&candidate), None) {
                    Some(false) => {}
                    Some(true) if !asked.needs_payload => self.take(&candidate, None, (&mut rows, &mut newest)),
                    _ => candidates.push(candidate),
                }
            }
            if candidates.is_empty() {
                continue;
            }
            let sink = (&mut rows, &mut newest);
            if let Err(error) = self.read_payload(frame, &candidates, &asked, sink, counts) {
                ReadCounts::add(&counts.damaged, 1);
                tracing::error!(offset = %frame.offset, %error, "a frame of the journal cannot be read; the rest is");
            }
        }
        ReadCounts::add(&counts.rows, u64::from(rows.len()));
        rows.finish().map_err(|error| ReadError::Damaged(error.to_string()))
    }

    fn fits_summary(&self, span: &SpanSummary, filter: &ScanFilter, start_min_ns: u64) -> bool {
        span.start_ns >= start_min_ns
            && self.fitting.get(span.operation as usize) == Some(&true)
            && filter.start_ns.contains(&span.start_ns)
            && filter.duration_ns.contains(&span.duration_ns)
            && filter.status_codes.as_ref().is_none_or(|codes| codes.contains(&i32::from(span.status_code)))
            && filter.trace_ids.as_ref().is_none_or(|ids| ids.contains(&span.trace_id))
    }

    fn row<'a>(&'a self, Candidate { span, state, kept_by }: &Candidate<'a>) -> HeadRow<'a> {
        let operation = &self.operations[span.operation as usize];
        HeadRow {
            trace_id: span.trace_id,
            start_ns: span.start_ns,
            duration_ns: span.duration_ns,
            service: &operation.service,
            name: &operation.name,
            kind: operation.kind,
            status_code: i32::from(span.status_code),
            state: *state,
            kept_by: *kept_by,
        }
    }

    /// What is known of a span without its payload.
    fn known<'a>(&self, Candidate { span, state, kept_by }: &Candidate<'a>) -> Known<'a> {
        let kind = self.operations[span.operation as usize].kind;
        Known { kind, status_code: i32::from(span.status_code), state: *state, kept_by: *kept_by }
    }

    /// Takes a row that fulfils the filter, if it is needed still.
    fn take<'a>(
        &'a self,
        candidate: &Candidate<'a>,
        scanned: Option<&ScannedSpan<'_>>,
        (rows, newest): (&mut ScanRows<'_>, &mut Newest),
    ) {
        if newest.takes(candidate.span.start_ns) {
            rows.push(&self.row(candidate), scanned);
        }
    }

    /// Asks a payload about its candidates, which are in ordinal order.
    fn read_payload(
        &self,
        frame: &SpanFrame,
        candidates: &[Candidate<'_>],
        asked: &Asked<'_>,
        (rows, newest): (&mut ScanRows<'_>, &mut Newest),
        counts: &ReadCounts,
    ) -> Result<(), ReadError> {
        let payload = frame.payload.read(self.file.journal())?;
        let hopes = asked.tags.hopes(&payload);
        if !asked.needles.may_be_in(&payload) {
            return Ok(());
        }
        // Most frames do not even hold the letters.
        let mut left: Vec<&Candidate<'_>> = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match asked.tags.answer(&self.known(candidate), Some(&hopes)) {
                Some(false) => {}
                Some(true) if !asked.needs_payload => self.take(candidate, None, (rows, newest)),
                _ => left.push(candidate),
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        ReadCounts::add(&counts.head_payloads, 1);
        let mut next = left.iter();
        scan_chosen(&payload, left.iter().map(|candidate| candidate.span.ordinal), |scanned| {
            let Some(candidate) = next.find(|candidate| candidate.span.ordinal == scanned.ordinal) else {
                return;
            };
            if asked.fits(scanned, (&self.known(candidate), &hopes)) {
                self.take(candidate, Some(scanned), (rows, newest));
            }
        })
        .map_err(|error| ReadError::Damaged(format!("frame {}: {error}", frame.offset)))
    }
}

/// What is asked of payloads.
struct Asked<'f> {
    attributes: &'f [AttributeCondition],
    tags: TagConditions<'f>,
    needles: Needles<'f>,
    /// Even of rows that are known to fulfil the tags.
    needs_payload: bool,
}

impl<'f> Asked<'f> {
    fn of(filter: &'f ScanFilter, columns_need_payload: bool) -> Self {
        Self {
            attributes: &filter.attributes,
            tags: TagConditions::new(&filter.tags),
            needles: Needles::of(filter),
            needs_payload: columns_need_payload || !filter.attributes.is_empty(),
        }
    }

    fn fits(&self, scanned: &ScannedSpan<'_>, (known, hopes): (&Known<'_>, &Hopes)) -> bool {
        let policy = known.kept_by.map(|kept_by| kept_by.policy);
        self.attributes.iter().all(|condition| fulfils(scanned, policy, condition))
            && self.tags.fit(scanned, known, hopes)
    }
}

/// A visible row that may be wanted.
struct Candidate<'a> {
    span: &'a SpanSummary,
    state: SpanState,
    kept_by: Option<KeptBy<'a>>,
}

/// The newest starts so far.
pub(super) struct Newest {
    wanted: Option<usize>,
    floor_ns: u64,
    starts: BinaryHeap<Reverse<u64>>,
}

impl Newest {
    /// What `bounds` ask for.
    pub(super) fn within(bounds: &ReadBounds) -> Self {
        Self { wanted: bounds.newest, floor_ns: bounds.start_min_ns, starts: BinaryHeap::new() }
    }

    /// Rows that start before this are not needed.
    pub(super) fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    /// Whether a row that starts then is needed still.
    pub(super) fn takes(&mut self, start_ns: u64) -> bool {
        let Some(wanted) = self.wanted.filter(|&wanted| wanted > 0) else { return true };
        if start_ns < self.floor_ns {
            return false;
        }
        self.starts.push(Reverse(start_ns));
        if self.starts.len() > wanted {
            self.starts.pop();
        }
        if let Some(&Reverse(oldest)) = self.starts.peek().filter(|_| self.starts.len() == wanted) {
            self.floor_ns = self.floor_ns.max(oldest);
        }
        true
    }
}

/// Whether a span's attribute passes: the first with the key counts. The policy that kept it is one too.
fn fulfils(scanned: &ScannedSpan<'_>, policy: Option<&str>, condition: &AttributeCondition) -> bool {
    if let Some(policy) = policy.filter(|_| condition.key == POLICY_ATTRIBUTE && condition.place != Place::Resource) {
        return passes(&ValueView::Str(policy.as_bytes()), &condition.test);
    }
    attributes_fulfil(scanned.span.attributes, scanned.resource.attributes, condition)
}

/// Whether the first attribute with the key passes, of an item's own or of its resource's.
pub(super) fn attributes_fulfil(
    own: Attributes<'_>,
    of_resource: Attributes<'_>,
    condition: &AttributeCondition,
) -> bool {
    let own = (condition.place != Place::Resource).then_some(own);
    let of_resource = (condition.place != Place::Span).then_some(of_resource);
    for attributes in [own, of_resource].into_iter().flatten() {
        if let Some(passed) = first_passes(attributes, condition) {
            return passed;
        }
    }
    false
}

fn first_passes(attributes: Attributes<'_>, condition: &AttributeCondition) -> Option<bool> {
    let first = attributes.raw().find(|raw| raw.key == condition.key.as_bytes())?;
    Some(first.view().is_some_and(|view| passes(&view.value, &condition.test)))
}

/// Byte strings of which each set has to occur in a payload that holds a row that fulfils a filter.
pub(super) struct Needles<'f> {
    /// Of each inner list, one at least.
    all: Vec<Vec<Finder<'f>>>,
}

impl<'f> Needles<'f> {
    pub(super) fn of(filter: &'f ScanFilter) -> Self {
        let mut all = Vec::new();
        // The policy is not in the payload.
        for condition in filter.attributes.iter().filter(|condition| condition.key != POLICY_ATTRIBUTE) {
            all.push(vec![Finder::new(condition.key.as_bytes())]);
            // What could be a number, a boolean or JSON does not lie in the payload as it is written.
            if let AttributeTest::TextIn(texts) = &condition.test
                && texts.iter().all(|text| is_string_only(text))
            {
                all.push(texts.iter().map(|text| Finder::new(text.as_bytes())).collect());
            }
        }
        Self { all }
    }

    /// As [`Self::of`], for lines, whose bodies may have the attributes as fields of JSON: nested, and escaped.
    pub(super) fn of_lines(filter: &'f ScanFilter) -> Self {
        let escape = || Finder::new("\\u");
        let mut all = Vec::new();
        for condition in &filter.attributes {
            let Some(part) = last_part(&condition.key) else { continue };
            all.push(vec![Finder::new(part.as_bytes()), escape()]);
            let is_plain = |text: &String| is_string_only(text) && last_part(text) == Some(text.as_str());
            if let AttributeTest::TextIn(texts) = &condition.test
                && texts.iter().all(is_plain)
            {
                all.push(texts.iter().map(|text| Finder::new(text.as_bytes())).chain([escape()]).collect());
            }
        }
        Self { all }
    }

    pub(super) fn may_be_in(&self, payload: &[u8]) -> bool {
        self.all.iter().all(|any| any.iter().any(|needle| needle.find(payload).is_some()))
    }
}
