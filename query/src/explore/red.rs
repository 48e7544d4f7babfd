//! Rate, errors and durations of spans, in groups and in steps of time.
//!
//! Each span counts as many times as it stands for. Percentiles are of the spans themselves: what threads and steps have is merged as
//! counts, never as percentiles.

use std::{cmp::Ordering, collections::HashSet, time::Instant};

use arrow_array::{
    Array, Float64Array, RecordBatch,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType},
};
use weir_store::{ScanColumn, ScanRequest};

use super::{
    durations::{Durations, percentiles},
    groups::{BatchGroups, GroupBy, GroupKey, Groups},
    parallel::fold,
    plan::{Plan, is_entry_kind},
    texts::Texts,
};
use crate::batches::Batches;

/// Groups times steps of a thread.
const CELLS_MAX: usize = 2_000_000;

/// Groups of a thread.
const GROUPS_MAX: usize = 20_000;

/// Bytes of all durations that a thread counts.
const DURATION_BYTES_MAX: usize = 64 << 20;

/// Equal steps of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// Where the first begins, Unix ns.
    pub(crate) start_ns: u64,
    /// Of one.
    pub(crate) length_ns: u64,
    pub(crate) count: u32,
}

impl Steps {
    /// So many from the first to the last moment, both of which are within.
    pub(crate) fn between(first_ns: u64, last_ns: u64, count: u32) -> Self {
        let length_ns = (last_ns.saturating_sub(first_ns) / u64::from(count)).saturating_add(1);
        Self { start_ns: first_ns, length_ns, count }
    }

    /// The step of a moment; what lies outside is in the first or the last.
    #[inline]
    pub(crate) fn of(&self, at_ns: u64) -> u32 {
        let step = at_ns.saturating_sub(self.start_ns) / self.length_ns;
        step.min(u64::from(self.count - 1)) as u32
    }

    /// From the first moment to the end of the last step.
    pub(crate) fn all_ns(&self) -> u64 {
        self.length_ns.saturating_mul(u64::from(self.count))
    }
}

/// Which spans are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    All,
    /// Those by which something enters a service: servers, consumers, roots.
    Entries,
}

/// What is asked.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) by: &'a [GroupBy],
    pub(crate) steps: Steps,
    pub(crate) counted: Counted,
    pub(crate) deadline: Instant,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    /// Seen.
    pub(crate) spans: u64,
    pub(crate) total: Figures,
    pub(crate) max_ns: u64,
    pub(crate) steps: Vec<Figures>,
}

/// Of some spans.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) calls: f64,
    pub(crate) errors: f64,
    /// P50, P95, P99; `None` without calls.
    pub(crate) percentiles_ns: Option<[u64; 3]>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Most calls first.
    pub(crate) groups: Vec<Group>,
    pub(crate) spans: u64,
    /// Some span stood for more than itself.
    pub(crate) weighted: bool,
    pub(crate) is_late: bool,
    /// There was no room for some groups or durations.
    pub(crate) is_full: bool,
    /// Some data could not be read.
    pub(crate) is_damaged: bool,
}

const WANTED: usize = 7;

/// What a scan reads.
fn columns(by: &[GroupBy]) -> Vec<ScanColumn> {
    let mut columns = vec![
        ScanColumn::StartTime,
        ScanColumn::Duration,
        ScanColumn::StatusCode,
        ScanColumn::AdjustedCount,
        ScanColumn::Kind,
        ScanColumn::ParentSpanId,
        ScanColumn::Service,
    ];
    columns.extend(by.iter().map(GroupBy::column));
    columns
}

/// Plans a scan.
pub(crate) type Scans<'a> = &'a dyn Fn(ScanRequest) -> Box<dyn Batches>;

/// Asks, and of services that nothing seems to enter (whose SDK tells no kinds), asks again for all their spans.
pub(crate) fn red(question: &Question<'_>, scan: Scans<'_>) -> Found {
    let mut found = Found::default();
    let mut counts = ask(question, scan, &mut found);
    let unentered: Vec<String> = counts.seen.difference(&counts.entered).cloned().collect();
    if !unentered.is_empty() && !found.is_late {
        let mut plan = question.plan.clone();
        plan.of_services(&unentered);
        let rest = Question { plan: &plan, counted: Counted::All, ..*question };
        let others = ask(&rest, scan, &mut found);
        counts.merge(others, question);
    }
    found.spans = counts.spans;
    found.weighted = counts.weighted;
    found.is_full = counts.is_full;
    let groups = counts.groups.keys.into_iter().zip(counts.cells);
    found.groups = groups.map(|(key, cell)| cell.group(key, question.steps.count)).collect();
    found.groups.sort_by(|a, b| {
        b.total.calls.partial_cmp(&a.total.calls).unwrap_or(Ordering::Equal).then_with(|| a.key.cmp(&b.key))
    });
    found
}

fn ask(question: &Question<'_>, scan: Scans<'_>, found: &mut Found) -> Counts {
    let batches = scan(question.plan.request(&columns(question.by)));
    let folded = fold(batches.as_ref(), question.deadline, Counts::default, |counts, batch| {
        counts.add(question, batch);
        true
    });
    found.is_late |= folded.is_late;
    found.is_damaged |= batches.is_partial();
    let mut states = folded.states.into_iter();
    let mut all = states.next().unwrap_or_default();
    states.for_each(|other| all.merge(other, question));
    all
}

impl Question<'_> {
    fn groups_max(&self) -> usize {
        GROUPS_MAX.min(CELLS_MAX / self.steps.count.max(1) as usize).max(1)
    }
}

/// What a thread has counted.
#[derive(Debug, Default)]
struct Counts {
    groups: Groups,
    cells: Vec<GroupCounts>,
    seen: HashSet<String>,
    entered: HashSet<String>,
    spans: u64,
    duration_bytes: usize,
    weighted: bool,
    is_full: bool,
}

#[derive(Debug, Default)]
struct GroupCounts {
    spans: u64,
    max_ns: u64,
    /// Calls and errors of each step.
    steps: Vec<(f64, f64)>,
    durations: Durations,
}

impl Counts {
    fn add(&mut self, question: &Question<'_>, batch: &RecordBatch) {
        let groups_max = question.groups_max();
        let starts = batch.column(0).as_primitive::<TimestampNanosecondType>().values();
        let durations = batch.column(1).as_primitive::<Int64Type>().values();
        let statuses = batch.column(2).as_primitive::<Int32Type>().values();
        let weights: &Float64Array = batch.column(3).as_primitive::<Float64Type>();
        let kinds = batch.column(4).as_primitive::<Int32Type>().values();
        let parents = batch.column(5);
        let services = Texts::of(batch.column(6).as_ref());
        let passing = question.plan.passing(batch, WANTED + question.by.len());
        let mut groups = BatchGroups::of(batch, question.by, WANTED);
        let only_entries = question.counted == Counted::Entries;
        let (mut seen, mut entered) = (vec![false; services.codes()], vec![false; services.codes()]);
        let steps = question.steps.count as usize;
        for row in 0..batch.num_rows() {
            if passing.as_ref().is_some_and(|passing| !passing[row]) {
                continue;
            }
            if only_entries && let Some(code) = services.code(row) {
                let is_entry = is_entry_kind(kinds[row]) || parents.is_null(row);
                let known = if is_entry { &mut entered } else { &mut seen };
                known[code as usize] = true;
                if !is_entry {
                    continue;
                }
            }
            let Some(group) = groups.number(row, &mut self.groups, groups_max) else {
                self.is_full = true;
                continue;
            };
            let group = group as usize;
            if group >= self.cells.len() {
                self.cells.resize_with(group + 1, GroupCounts::default);
            }
            let cell = &mut self.cells[group];
            if cell.steps.is_empty() {
                cell.steps.resize(steps, (0.0, 0.0));
            }
            let weight = if weights.is_null(row) { 1.0 } else { weights.value(row) };
            self.weighted |= weight != 1.0;
            let step = question.steps.of(starts[row].max(0) as u64);
            let duration_ns = durations[row].max(0) as u64;
            let figures = &mut cell.steps[step as usize];
            figures.0 += weight;
            figures.1 += if statuses[row] == 2 { weight } else { 0.0 };
            cell.spans += 1;
            cell.max_ns = cell.max_ns.max(duration_ns);
            self.spans += 1;
            if self.duration_bytes <= DURATION_BYTES_MAX {
                cell.durations.add(step, duration_ns, weight);
            }
        }
        self.duration_bytes = self.cells.iter().map(|cell| cell.durations.memory_bytes()).sum();
        self.is_full |= self.duration_bytes > DURATION_BYTES_MAX;
        let names = |known: Vec<bool>| (0..).zip(known).filter(|(_, is)| *is).map(|(code, _)| services.of_code(code));
        for (of_batch, all) in [(seen, &mut self.seen), (entered, &mut self.entered)] {
            for name in names(of_batch) {
                if !all.contains(name) {
                    all.insert(name.to_owned());
                }
            }
        }
    }

    fn merge(&mut self, other: Self, question: &Question<'_>) {
        let (steps, groups_max) = (question.steps.count as usize, question.groups_max());
        self.spans += other.spans;
        self.weighted |= other.weighted;
        self.is_full |= other.is_full;
        self.seen.extend(other.seen);
        self.entered.extend(other.entered);
        for (key, cell) in other.groups.keys.into_iter().zip(other.cells) {
            let Some(number) = self.groups.number(key, groups_max) else {
                self.is_full = true;
                continue;
            };
            let number = number as usize;
            if number >= self.cells.len() {
                self.cells.resize_with(number + 1, GroupCounts::default);
            }
            let held = &mut self.cells[number];
            held.steps.resize(steps, (0.0, 0.0));
            for (held, more) in held.steps.iter_mut().zip(&cell.steps) {
                held.0 += more.0;
                held.1 += more.1;
            }
            held.spans += cell.spans;
            held.max_ns = held.max_ns.max(cell.max_ns);
            held.durations.merge(cell.durations);
        }
    }
}

impl GroupCounts {
    fn group(mut self, key: GroupKey, steps: u32) -> Group {
        const SHARES: [f64; 3] = [0.5, 0.95, 0.99];
        let mut figures: Vec<Figures> =
            self.steps.iter().map(|&(calls, errors)| Figures { calls, errors, percentiles_ns: None }).collect();
        figures.resize(steps as usize, Figures::default());
        let buckets: Vec<(u32, u32, f64)> = self.durations.buckets().collect();
        for of_step in buckets.chunk_by(|a, b| a.0 == b.0) {
            let weights: Vec<(u32, f64)> = of_step.iter().map(|&(_, bucket, weight)| (bucket, weight)).collect();
            if let Some(figures) = figures.get_mut(of_step[0].0 as usize) {
                figures.percentiles_ns = percentiles(&weights, SHARES);
            }
        }
        let mut all: Vec<(u32, f64)> = buckets.iter().map(|&(_, bucket, weight)| (bucket, weight)).collect();
        all.sort_unstable_by_key(|&(bucket, _)| bucket);
        let total = Figures {
            calls: figures.iter().map(|figures| figures.calls).sum(),
            errors: figures.iter().map(|figures| figures.errors).sum(),
            percentiles_ns: percentiles(&all, SHARES),
        };
        // A bucket's middle may lie beyond the longest.
        let capped = |figures: Figures| Figures {
            percentiles_ns: figures.percentiles_ns.map(|all| all.map(|ns| ns.min(self.max_ns))),
            ..figures
        };
        let total = capped(total);
        let steps = figures.into_iter().map(capped).collect();
        Group { key, spans: self.spans, total, max_ns: self.max_ns, steps }
    }
}
