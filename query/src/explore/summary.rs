//! What a list of traces shows of each: counted from columns, without reading whole spans.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Instant,
};

use arrow_array::{
    Array, FixedSizeBinaryArray, Float64Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use weir_proto::{SpanId, TraceId};
use weir_store::{ScanColumn, ScanFilter, ScanRequest, sampling::POLICY_ATTRIBUTE};

use super::{
    newest::trace_id,
    plan::{Plan, attribute_column},
    red::Scans,
    texts::Texts,
};

/// Spans of all summaries that are looked at.
const SPANS_MAX: usize = 2_000_000;

/// A trace in brief.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// The first start and the last end, Unix ns.
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) spans: u64,
    pub(crate) errors: u64,
    /// The first span without a parent, or else the first.
    pub(crate) root: Option<SpanInBrief>,
    /// That span has a parent, which is not here.
    pub(crate) root_is_missing: bool,
    /// Spans and errors by service.
    pub(crate) services: BTreeMap<String, (u64, u64)>,
    pub(crate) is_pending: bool,
    pub(crate) policy: Option<String>,
    pub(crate) adjusted_count: f64,
    /// The newest span that fulfils the conditions.
    pub(crate) matched: Option<SpanInBrief>,
    /// Spans that were counted: what was sent twice counts once.
    seen: HashSet<(u64, u64)>,
}

/// A span, as a list shows it.
#[derive(Debug, Clone)]
pub(crate) struct SpanInBrief {
    pub(crate) id: SpanId,
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) status: i32,
}

/// Summaries by trace, and whether they are whole.
#[derive(Debug, Default)]
pub(crate) struct Summaries {
    pub(crate) by_trace: HashMap<TraceId, Summary>,
    pub(crate) is_late: bool,
    pub(crate) is_full: bool,
    pub(crate) is_damaged: bool,
}

const BRIEF: [ScanColumn; 7] = [
    ScanColumn::TraceId,
    ScanColumn::SpanId,
    ScanColumn::StartTime,
    ScanColumn::Duration,
    ScanColumn::Service,
    ScanColumn::Name,
    ScanColumn::StatusCode,
];

/// Of these traces; `plan` says which spans match.
pub(crate) fn summaries(plan: &Plan, ids: &[TraceId], scan: Scans<'_>, deadline: Instant) -> Summaries {
    let mut found = Summaries::default();
    if ids.is_empty() {
        return found;
    }
    let mut columns = BRIEF.to_vec();
    columns.extend([ScanColumn::ParentSpanId, ScanColumn::State, ScanColumn::AdjustedCount]);
    columns.push(attribute_column(POLICY_ATTRIBUTE));
    let filter = ScanFilter { trace_ids: Some(ids.to_vec()), ..ScanFilter::default() };
    let batches = scan(ScanRequest { columns, filter });
    let mut spans = 0;
    for part in 0..batches.parts_rows_max().len() {
        if Instant::now() >= deadline {
            found.is_late = true;
            break;
        }
        let batch = batches.read(part);
        spans += batch.num_rows();
        if spans > SPANS_MAX {
            found.is_full = true;
            break;
        }
        found.add(&batch);
    }
    found.is_damaged |= batches.is_partial();
    let mut plan = plan.clone();
    plan.filter.trace_ids = Some(ids.to_vec());
    let batches = scan(plan.request(&BRIEF));
    for part in 0..batches.parts_rows_max().len() {
        if Instant::now() >= deadline {
            break;
        }
        found.match_with(&plan, &batches.read(part));
    }
    found
}

/// The columns of [`BRIEF`].
struct Brief<'a> {
    ids: &'a FixedSizeBinaryArray,
    span_ids: &'a FixedSizeBinaryArray,
    starts: &'a [i64],
    durations: &'a [i64],
    services: Texts<'a>,
    names: Texts<'a>,
    statuses: &'a [i32],
}

impl<'a> Brief<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        Self {
            ids: batch.column(0).as_fixed_size_binary(),
            span_ids: batch.column(1).as_fixed_size_binary(),
            starts: batch.column(2).as_primitive::<TimestampNanosecondType>().values(),
            durations: batch.column(3).as_primitive::<Int64Type>().values(),
            services: Texts::of(batch.column(4).as_ref()),
            names: Texts::of(batch.column(5).as_ref()),
            statuses: batch.column(6).as_primitive::<Int32Type>().values(),
        }
    }

    fn span_id(&self, row: usize) -> SpanId {
        SpanId(self.span_ids.value(row).try_into().expect("ids are of 8 bytes"))
    }

    fn start_ns(&self, row: usize) -> u64 {
        self.starts[row].max(0) as u64
    }

    fn span(&self, row: usize) -> SpanInBrief {
        SpanInBrief {
            id: self.span_id(row),
            service: self.services.text(row).unwrap_or_default().to_owned(),
            operation: self.names.text(row).unwrap_or_default().to_owned(),
            start_ns: self.start_ns(row),
            duration_ns: self.durations[row].max(0) as u64,
            status: self.statuses[row],
        }
    }
}

impl Summaries {
    fn add(&mut self, batch: &RecordBatch) {
        let brief = Brief::of(batch);
        let parents = batch.column(7);
        let states = Texts::of(batch.column(8).as_ref());
        let weights: &Float64Array = batch.column(9).as_primitive::<Float64Type>();
        let policies = Texts::of(batch.column(10).as_ref());
        for row in 0..batch.num_rows() {
            let summary = self.by_trace.entry(trace_id(brief.ids, row)).or_insert_with(|| Summary {
                start_ns: u64::MAX,
                adjusted_count: 1.0,
                ..Summary::default()
            });
            let (start_ns, id) = (brief.start_ns(row), brief.span_id(row));
            let duration_ns = brief.durations[row].max(0) as u64;
            // A client and its server that share an id differ in one of these, mostly.
            let key = start_ns ^ duration_ns.rotate_left(32) ^ u64::from(brief.statuses[row] as u32);
            if !summary.seen.insert((u64::from_be_bytes(id.0), key)) {
                continue;
            }
            summary.start_ns = summary.start_ns.min(start_ns);
            summary.end_ns = summary.end_ns.max(start_ns.saturating_add(duration_ns));
            summary.spans += 1;
            let is_error = u64::from(brief.statuses[row] == 2);
            summary.errors += is_error;
            let service = brief.services.text(row).unwrap_or_default();
            if !summary.services.contains_key(service) {
                summary.services.insert(service.to_owned(), (0, 0));
            }
            if let Some(counts) = summary.services.get_mut(service) {
                *counts = (counts.0 + 1, counts.1 + is_error);
            }
            let is_root = parents.is_null(row);
            let is_better = summary
                .root
                .as_ref()
                .is_none_or(|held| (!is_root, start_ns) < (summary.root_is_missing, held.start_ns));
            if is_better {
                summary.root = Some(brief.span(row));
                summary.root_is_missing = !is_root;
            }
            summary.is_pending |= states.text(row) == Some("pending");
            if !weights.is_null(row) && weights.value(row) > summary.adjusted_count {
                summary.adjusted_count = weights.value(row);
            }
            if summary.policy.is_none() {
                summary.policy = policies.text(row).map(str::to_owned);
            }
        }
    }

    fn match_with(&mut self, plan: &Plan, batch: &RecordBatch) {
        let brief = Brief::of(batch);
        let passing = plan.passing(batch, BRIEF.len());
        for row in 0..batch.num_rows() {
            if passing.as_ref().is_some_and(|passing| !passing[row]) {
                continue;
            }
            let Some(summary) = self.by_trace.get_mut(&trace_id(brief.ids, row)) else { continue };
            let start_ns = brief.start_ns(row);
            if summary.matched.as_ref().is_none_or(|held| held.start_ns < start_ns) {
                summary.matched = Some(brief.span(row));
            }
        }
    }
}
