//! A trace as rows of a waterfall: depth first, children by their start; read from columns, without attributes.

use std::{cmp::Reverse, collections::HashMap};

use arrow_array::{
    Array, FixedSizeBinaryArray, Float64Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use weir_proto::{SpanId, TraceId};
use weir_store::{ScanColumn, ScanFilter, ScanRequest, sampling::POLICY_ATTRIBUTE};

use super::{plan::attribute_column, texts::Texts};
use crate::{
    critical_path::{self, SpanTime},
    span_ids::SpanIds,
    tree::{Node, Tree},
};

/// What the page is told of a row in one bit each.
pub(crate) mod flag {
    pub(crate) const CRITICAL: u16 = 1;
    pub(crate) const PENDING: u16 = 2;
    pub(crate) const PARENT_MISSING: u16 = 4;
    pub(crate) const SHARED_ID: u16 = 8;
    pub(crate) const OUTSIDE_PARENT: u16 = 16;
    pub(crate) const EVENTS: u16 = 32;
    pub(crate) const LINKS: u16 = 64;
    pub(crate) const LINES: u16 = 128;
    pub(crate) const EXCEPTION: u16 = 256;
    pub(crate) const CUT_CIRCLE: u16 = 512;
    pub(crate) const NO_END: u16 = 1024;
}

/// Bytes that a span takes while its trace is laid out, about.
pub(crate) const SPAN_BYTES: u64 = 224;

/// A span as it was read.
#[derive(Debug, Clone)]
pub(crate) struct LaidSpan {
    pub(crate) node: Node,
    pub(crate) id: [u8; 8],
    /// Into [`Draft::services`] and [`Draft::operations`].
    pub(crate) service: u32,
    pub(crate) operation: u32,
    pub(crate) status: i32,
    pub(crate) flags: u16,
    pub(crate) adjusted_count: f64,
    /// Its number in the order of reading.
    pub(crate) read: u32,
}

/// Names, numbered as they come.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<String, u32>,
    pub(crate) list: Vec<String>,
    /// Of the names.
    bytes: u64,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.bytes += name.len() as u64;
        self.list.push(name.to_owned());
        number
    }
}

/// A trace while it is read.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) spans: Vec<LaidSpan>,
    pub(crate) services: Names,
    pub(crate) operations: Names,
    /// That kept it, if one did.
    pub(crate) policy: Option<String>,
    /// The scan's parts that were read, and rows of each.
    parts: Vec<(usize, usize)>,
    /// Rows that were sent before: their numbers in the order of reading, and those of the rows that they are.
    resent: Vec<(u32, u32)>,
}

/// A trace in the order of its rows.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// By row.
    pub(crate) spans: Vec<LaidSpan>,
    pub(crate) parents: Vec<Option<u32>>,
    pub(crate) depths: Vec<u32>,
    /// Rows below each, which follow it.
    pub(crate) descendants: Vec<u32>,
    pub(crate) times: Vec<SpanTime>,
    pub(crate) services: Vec<String>,
    pub(crate) operations: Vec<String>,
    pub(crate) policy: Option<String>,
    /// The scan's parts that were read, and rows of each.
    pub(crate) parts: Vec<(usize, usize)>,
    /// The row of each span that was read, in the order of reading.
    pub(crate) row_of_read: Vec<u32>,
    /// The first start and the last end, Unix ns.
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

/// What a layout is made of.
pub(crate) fn columns() -> Vec<ScanColumn> {
    vec![
        ScanColumn::SpanId,
        ScanColumn::ParentSpanId,
        ScanColumn::StartTime,
        ScanColumn::Duration,
        ScanColumn::EndTime,
        ScanColumn::Service,
        ScanColumn::Name,
        ScanColumn::Kind,
        ScanColumn::StatusCode,
        ScanColumn::State,
        ScanColumn::AdjustedCount,
        ScanColumn::Events,
        ScanColumn::Links,
        attribute_column(POLICY_ATTRIBUTE),
    ]
}

/// A scan for a trace.
pub(crate) fn request(id: TraceId, columns: Vec<ScanColumn>) -> ScanRequest {
    ScanRequest { columns, filter: ScanFilter { trace_ids: Some(vec![id]), ..ScanFilter::default() } }
}

impl Draft {
    /// Adds the spans of a part: a batch of [`columns`].
    pub(crate) fn add(&mut self, part: usize, batch: &RecordBatch) {
        let first_read = self.spans.len() as u32;
        self.parts.push((part, batch.num_rows()));
        let ids: &FixedSizeBinaryArray = batch.column(0).as_fixed_size_binary();
        let parents: &FixedSizeBinaryArray = batch.column(1).as_fixed_size_binary();
        let starts = batch.column(2).as_primitive::<TimestampNanosecondType>().values();
        let durations = batch.column(3).as_primitive::<Int64Type>().values();
        let ends = batch.column(4).as_primitive::<TimestampNanosecondType>();
        let (services, names) = (Texts::of(batch.column(5)), Texts::of(batch.column(6)));
        let kinds = batch.column(7).as_primitive::<Int32Type>().values();
        let statuses = batch.column(8).as_primitive::<Int32Type>().values();
        let states = Texts::of(batch.column(9));
        let weights: &Float64Array = batch.column(10).as_primitive::<Float64Type>();
        let (events, links, policies) =
            (Texts::of(batch.column(11)), Texts::of(batch.column(12)), Texts::of(batch.column(13)));
        let of_service = Self::numbers(&services, batch.num_rows(), &mut self.services);
        let of_operation = Self::numbers(&names, batch.num_rows(), &mut self.operations);
        let has_exception: Vec<bool> =
            (0..events.codes() as u32).map(|code| events.of_code(code).contains(r#""name":"exception""#)).collect();
        for row in 0..batch.num_rows() {
            let (start_ns, duration_ns) = (starts[row].max(0) as u64, durations[row].max(0) as u64);
            let mut flags = 0;
            let mut set = |is: bool, bit: u16| flags |= if is { bit } else { 0 };
            set(states.text(row) == Some("pending"), flag::PENDING);
            set(events.code(row).is_some(), flag::EVENTS);
            set(links.code(row).is_some(), flag::LINKS);
            set(events.code(row).is_some_and(|code| has_exception[code as usize]), flag::EXCEPTION);
            set(ends.is_null(row) || ends.value(row) < starts[row], flag::NO_END);
            let id: [u8; 8] = ids.value(row).try_into().expect("ids are of 8 bytes");
            let parent = (!parents.is_null(row)).then(|| SpanId::from_wire(parents.value(row))).flatten();
            self.spans.push(LaidSpan {
                node: Node {
                    id: SpanId::from_wire(&id),
                    parent_id: parent,
                    start_ns,
                    end_ns: start_ns.saturating_add(duration_ns),
                    kind: kinds[row],
                },
                id,
                service: services.code(row).map_or(0, |code| of_service[code as usize]),
                operation: names.code(row).map_or(0, |code| of_operation[code as usize]),
                status: statuses[row],
                flags,
                adjusted_count: if weights.is_null(row) { 1.0 } else { weights.value(row) },
                read: first_read + row as u32,
            });
            if self.policy.is_none() {
                self.policy = policies.text(row).map(str::to_owned);
            }
        }
    }

    /// The numbers of the texts that rows have, by code: a dictionary may have more.
    fn numbers(texts: &Texts<'_>, rows: usize, names: &mut Names) -> Vec<u32> {
        let mut numbers = vec![u32::MAX; texts.codes()];
        for code in (0..rows).filter_map(|row| texts.code(row)) {
            let number = &mut numbers[code as usize];
            if *number == u32::MAX {
                *number = names.number(texts.of_code(code));
            }
        }
        numbers
    }

    /// Bytes of names so far, which are kept twice.
    pub(crate) fn name_bytes(&self) -> u64 {
        2 * (self.services.bytes + self.operations.bytes)
    }

    /// Lays out what was read; what was sent twice is one row.
    pub(crate) fn lay_out(mut self) -> Layout {
        let reads = self.spans.len();
        self.sort();
        let mut ids = self.ids();
        if !ids.are_unique() {
            self.fold_resends();
            ids = self.ids();
        }
        let nodes: Vec<Node> = self.spans.iter().map(|span| span.node).collect();
        let tree = Tree::with(&nodes, &ids);
        let times = critical_path::of_trace(&nodes, &tree);
        let order = depth_first(&tree, nodes.len());
        let mut rows = vec![0u32; nodes.len()];
        for (row, &span) in (0..).zip(&order) {
            rows[span as usize] = row;
        }
        let shared = shared_ids(&ids, nodes.len());
        let mut layout = Layout { policy: self.policy, parts: self.parts, ..Layout::default() };
        layout.row_of_read = vec![0; reads];
        for &span in &order {
            let node = &nodes[span as usize];
            let parent = tree.parent(span);
            let mut laid = self.spans[span as usize].clone();
            let mut set = |is: bool, bit: u16| laid.flags |= if is { bit } else { 0 };
            set(times[span as usize].on_critical_path, flag::CRITICAL);
            set(ids.of_span(span as usize).is_some_and(|number| shared[number]), flag::SHARED_ID);
            if let (None, Some(named)) = (parent, node.parent_id) {
                set(true, if ids.number(named).is_none() { flag::PARENT_MISSING } else { flag::CUT_CIRCLE });
            }
            let outside = |parent: &Node| node.start_ns < parent.start_ns || node.end_ns > parent.end_ns;
            set(parent.is_some_and(|parent| outside(&nodes[parent as usize])), flag::OUTSIDE_PARENT);
            let parent_row = parent.map(|parent| rows[parent as usize]);
            layout.depths.push(parent_row.map_or(0, |row| layout.depths[row as usize] + 1));
            layout.parents.push(parent_row);
            layout.times.push(times[span as usize]);
            layout.spans.push(laid);
        }
        (0..).zip(&layout.spans).for_each(|(row, span)| layout.row_of_read[span.read as usize] = row);
        for (again, first) in self.resent {
            layout.row_of_read[again as usize] = layout.row_of_read[first as usize];
        }
        layout.descendants = vec![0; order.len()];
        for row in (0..order.len()).rev() {
            if let Some(parent) = layout.parents[row] {
                layout.descendants[parent as usize] += layout.descendants[row] + 1;
            }
        }
        layout.start_ns = nodes.iter().map(|node| node.start_ns).min().unwrap_or(0);
        layout.end_ns = nodes.iter().map(|node| node.end_ns).max().unwrap_or(0);
        layout.services = self.services.list;
        layout.operations = self.operations.list;
        layout
    }

    /// By start, the longest first: what is compared is sorted by itself, and each span moved once.
    fn sort(&mut self) {
        let key =
            |(position, span): (u32, &LaidSpan)| (span.node.start_ns, Reverse(span.node.end_ns), span.id, position);
        let mut order: Vec<_> = (0..).zip(&self.spans).map(key).collect();
        if order.is_sorted() {
            return;
        }
        order.sort_unstable();
        self.spans = order.iter().map(|(.., position)| self.spans[*position as usize].clone()).collect();
    }

    fn ids(&self) -> SpanIds {
        SpanIds::of(self.spans.iter().map(|span| span.node.id))
    }

    /// Rows with one id and the same times and names are one span, sent twice; a kept one wins over its pending twin.
    fn fold_resends(&mut self) {
        type Twin = ([u8; 8], u64, u64, u32, u32, (i32, i32));
        let mut counts: HashMap<[u8; 8], u32> = HashMap::with_capacity(self.spans.len());
        self.spans.iter().for_each(|span| *counts.entry(span.id).or_default() += 1);
        let mut twins: HashMap<Twin, usize> = HashMap::new();
        let mut folded: Vec<LaidSpan> = Vec::with_capacity(self.spans.len());
        for span in std::mem::take(&mut self.spans) {
            if counts[&span.id] > 1 {
                let LaidSpan { node, id, service, operation, status, .. } = &span;
                let twin = (*id, node.start_ns, node.end_ns, *service, *operation, (node.kind, *status));
                if let Some(&at) = twins.get(&twin) {
                    self.resent.push((span.read, folded[at].read));
                    if span.flags & flag::PENDING == 0 {
                        folded[at].flags &= !flag::PENDING;
                        folded[at].adjusted_count = span.adjusted_count;
                    }
                    continue;
                }
                twins.insert(twin, folded.len());
            }
            folded.push(span);
        }
        self.spans = folded;
    }
}

impl Layout {
    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> u64 {
        let of_row = size_of::<LaidSpan>() + size_of::<SpanTime>() + size_of::<Option<u32>>() + 2 * size_of::<u32>();
        let names: usize =
            self.services.iter().chain(&self.operations).map(|name| size_of::<String>() + name.len()).sum();
        let reads = self.row_of_read.len() * size_of::<u32>() + self.parts.len() * size_of::<(usize, usize)>();
        (self.spans.len() * of_row + names + reads) as u64
    }

    /// The rows of each span id, in order.
    pub(crate) fn rows_of(&self, id: SpanId) -> Vec<u32> {
        (0..).zip(&self.spans).filter(|(_, span)| span.node.id == Some(id)).map(|(row, _)| row).collect()
    }
}

/// By number, which ids several spans have.
fn shared_ids(ids: &SpanIds, spans: usize) -> Vec<bool> {
    let (mut seen, mut shared) = (vec![false; ids.len()], vec![false; ids.len()]);
    for number in (0..spans).filter_map(|span| ids.of_span(span)) {
        shared[number] |= seen[number];
        seen[number] = true;
    }
    shared
}

/// Every span, each followed by all that is below it.
fn depth_first(tree: &Tree, spans: usize) -> Vec<u32> {
    let mut order = Vec::with_capacity(spans);
    let mut next: Vec<u32> = (0..spans as u32).rev().filter(|&span| tree.parent(span).is_none()).collect();
    while let Some(span) = next.pop() {
        order.push(span);
        next.extend(tree.children(span).iter().rev());
    }
    order
}
