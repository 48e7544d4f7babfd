//! Range aggregations: reads all lines of a selection into pieces of windows, several threads at a time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;

use super::{
    Limits,
    accumulator::Accumulator,
    groups::{Groups, Key, key_of},
    lines::{Bounds, Lines, Parts, Progress, Selection, Tally},
    series::{Labels, Series},
};
use crate::logql::{
    LogqlError,
    ast::{Conversion, Grouping, LogRange, RangeOp, Stage, Unwrap},
    labels::{ERROR, ERROR_DETAILS, LabelSet, write_labels},
    pipeline::{Filter, Pipeline, Record, Working, labels_named, names as filter_names, needles},
    units,
};

/// Lines between looks at the clock.
const LINES_PER_LOOK: u64 = 4096;

/// The moments that a query asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// The first, Unix ns.
    pub(super) start_ns: i64,
    /// Between two, ns; at least 1.
    pub(super) step_ns: i64,
    /// How many.
    pub(super) count: u32,
}

/// A range aggregation and what it needs.
pub(super) struct Windows<'q> {
    pub(super) op: RangeOp,
    pub(super) parameter: f64,
    pub(super) range: &'q LogRange,
    pub(super) grouping: Option<&'q Grouping>,
    /// What an aggregation around it makes a series of: then nothing finer is kept.
    pub(super) key: Option<Key>,
    pub(super) moments: Moments,
}

/// Cuts time into pieces, so that every window is a run of whole ones: at each window's end, and at each one's start.
#[derive(Debug, Clone, Copy)]
struct Pieces {
    first_end_ns: i64,
    step_ns: i64,
    /// Whole steps in a window, and what is left.
    whole: i64,
    rest_ns: i64,
    count: u32,
}

impl Pieces {
    fn of(windows: &Windows<'_>) -> Self {
        let Windows { moments, range, .. } = windows;
        Self {
            first_end_ns: moments.start_ns - range.offset_ns,
            step_ns: moments.step_ns,
            whole: range.range_ns / moments.step_ns,
            rest_ns: range.range_ns % moments.step_ns,
            count: moments.count,
        }
    }

    /// First moment that is in a window, and the last.
    fn bounds_ns(&self, range_ns: i64) -> (i64, i64) {
        let last_end_ns = self.first_end_ns.saturating_add(self.step_ns.saturating_mul(i64::from(self.count) - 1));
        (self.first_end_ns.saturating_sub(range_ns).saturating_add(1), last_end_ns)
    }

    /// The piece of a moment.
    fn piece(&self, time_ns: i64) -> i64 {
        // The window's end is in it, its start is not.
        let step = -(self.first_end_ns - time_ns).div_euclid(self.step_ns);
        let before_end_ns = self.first_end_ns + step * self.step_ns - time_ns;
        2 * step + i64::from(self.rest_ns > 0 && before_end_ns < self.rest_ns)
    }

    /// The pieces of a window: all from the first to the last.
    fn of_window(&self, number: u32) -> (i64, i64) {
        let number = i64::from(number);
        let first = if self.rest_ns > 0 { 2 * (number - self.whole) + 1 } else { 2 * (number - self.whole + 1) };
        (first, 2 * number + 1)
    }

    /// The windows that a piece is in.
    fn windows(&self, piece: i64) -> std::ops::Range<u32> {
        let first = piece.div_euclid(2);
        // The last window whose first piece is not behind this one.
        let last = if self.rest_ns > 0 {
            (piece - 1).div_euclid(2) + self.whole
        } else {
            piece.div_euclid(2) + self.whole - 1
        };
        let bound = |window: i64| window.clamp(0, i64::from(self.count)) as u32;
        bound(first)..bound(last + 1)
    }
}

/// What one thread found.
#[derive(Default)]
struct Found {
    groups: Groups,
    pieces: Vec<BTreeMap<i64, Accumulator>>,
    samples: usize,
}

/// Reads and computes.
pub(super) fn compute(
    windows: &Windows<'_>,
    lines: &dyn Lines,
    limits: &Limits,
    progress: &Progress,
) -> Result<Vec<Series>, LogqlError> {
    let pieces = Pieces::of(windows);
    let (from_ns, to_ns) = pieces.bounds_ns(windows.range.range_ns);
    if to_ns < 0 {
        return finish(windows, pieces, Found::default());
    }
    let labels = labels_needed(windows);
    let matched = windows.range.log.matchers.iter().map(|matcher| matcher.name.clone());
    let selection = Selection {
        matchers: &windows.range.log.matchers,
        needles: needles(&windows.range.log),
        start_ns: from_ns.max(0) as u64,
        end_ns: (to_ns as u64).saturating_add(1),
        needs_text: needs_text(windows),
        labels: labels.clone().map(|labels| labels.into_iter().chain(matched).collect()),
    };
    let parts = lines.parts(&selection)?;
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let all: Mutex<Result<Vec<Found>, LogqlError>> = Mutex::new(Ok(Vec::new()));
    let work = || {
        let result =
            read(windows, (pieces, labels.as_deref()), &selection, (parts.as_ref(), &next, &stop), limits, progress);
        let mut all = all.lock();
        match (result, &mut *all) {
            (Ok(found), Ok(all)) => all.push(found),
            (Err(error), Ok(_)) => {
                stop.store(true, Ordering::Relaxed);
                *all = Err(error);
            }
            (_, Err(_)) => {}
        }
    };
    let threads = limits.threads.min(parts.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let found = all.into_inner()?;
    let merged = merge(found, limits)?;
    finish(windows, pieces, merged)
}

/// Whether texts are looked at.
fn needs_text(windows: &Windows<'_>) -> bool {
    let reads = |stage: &Stage| !matches!(stage, Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_));
    windows.range.log.stages.iter().any(reads) || matches!(windows.op, RangeOp::Bytes | RangeOp::BytesRate)
}

/// The labels that are looked at behind the selector; `None` where all are.
fn labels_needed(windows: &Windows<'_>) -> Option<Vec<String>> {
    let mut names = labels_named(&windows.range.log)?;
    match (windows.grouping, &windows.key) {
        (Some(Grouping { without: false, labels }), _) => names.extend_from_slice(labels),
        (None, Some(Key::By(labels))) => names.extend_from_slice(labels),
        (None, None) if windows.op == RangeOp::Absent => {}
        _ => return None,
    }
    if let Some(unwrap) = &windows.range.unwrap {
        names.push(unwrap.label.clone());
        unwrap.filters.iter().for_each(|filter| filter_names(filter, &mut names));
    }
    Some(names)
}

fn read(
    windows: &Windows<'_>,
    (pieces, labels): (Pieces, Option<&[String]>),
    selection: &Selection<'_>,
    (parts, next, stop): (&dyn Parts, &AtomicUsize, &AtomicBool),
    limits: &Limits,
    progress: &Progress,
) -> Result<Found, LogqlError> {
    let mut reader = Reader::new(windows, pieces, labels, limits)?;
    loop {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= parts.len() || stop.load(Ordering::Relaxed) {
            return Ok(reader.found);
        }
        limits.check_time()?;
        let mut tally = Tally::default();
        let result = parts.read(part, Bounds { time_min_ns: selection.start_ns }, &mut |record| {
            tally.lines += 1;
            tally.bytes += record.text.len() as u64;
            if tally.lines % LINES_PER_LOOK == 0 {
                limits.check_time()?;
            }
            if record.time_ns < selection.start_ns || record.time_ns >= selection.end_ns {
                return Ok(());
            }
            tally.passed += u64::from(reader.take(record)?);
            Ok(())
        });
        progress.add(tally);
        result?;
    }
}

/// One thread's pipeline and what it found.
struct Reader<'q> {
    op: RangeOp,
    pieces: Pieces,
    pipeline: Pipeline,
    working: Working,
    unwrap: Option<(&'q Unwrap, Vec<Filter>)>,
    key: Key,
    limits: &'q Limits,
    found: Found,
}

impl<'q> Reader<'q> {
    fn new(
        windows: &'q Windows<'_>,
        pieces: Pieces,
        labels: Option<&[String]>,
        limits: &'q Limits,
    ) -> Result<Self, LogqlError> {
        let unwrap = match &windows.range.unwrap {
            Some(unwrap) => {
                let filters = unwrap.filters.iter().map(Filter::new).collect::<Result<Vec<_>, _>>()?;
                Some((unwrap, filters))
            }
            None => None,
        };
        let unwrapped = windows.range.unwrap.as_ref().map(|unwrap| unwrap.label.clone());
        let key = match (&windows.grouping, &windows.key) {
            (Some(Grouping { without: false, labels }), _) => Key::By(labels.clone()),
            (Some(Grouping { without: true, labels }), _) => {
                Key::Without(labels.iter().cloned().chain(unwrapped).collect())
            }
            (None, Some(Key::By(labels))) => Key::By(labels.clone()),
            (None, Some(Key::Without(labels))) => Key::Without(labels.iter().cloned().chain(unwrapped).collect()),
            (None, None) => Key::Without(unwrapped.into_iter().collect()),
        };
        Ok(Self {
            op: windows.op,
            pieces,
            pipeline: Pipeline::new(&windows.range.log, labels)?,
            working: Working::new(limits.now_ns),
            unwrap,
            key,
            limits,
            found: Found::default(),
        })
    }

    /// Whether the line counts.
    fn take(&mut self, record: &Record<'_>) -> Result<bool, LogqlError> {
        let Self { pipeline, working, .. } = self;
        if !pipeline.run(record, working) {
            return Ok(false);
        }
        let value = match &self.unwrap {
            None => match self.op {
                RangeOp::Bytes | RangeOp::BytesRate => working.text(record).len() as f64,
                _ => 1.0,
            },
            Some((unwrap, filters)) => {
                let Some(value) = unwrapped(unwrap, &mut working.labels) else {
                    return Ok(false);
                };
                if !filters.iter().all(|filter| filter.passes(&mut working.labels)) {
                    return Ok(false);
                }
                value
            }
        };
        if self.working.labels.has_error() {
            return Err(pipeline_error(&mut self.working.labels));
        }
        let mut labels = Vec::new();
        key_of(&self.key, &self.working.labels, &mut labels);
        let number = self.found.groups.number(&labels) as usize;
        if number >= self.found.pieces.len() {
            if number >= self.limits.series_max {
                return Err(too_many_series(self.limits));
            }
            self.found.pieces.push(BTreeMap::new());
        }
        if Accumulator::holds_samples(self.op) {
            self.found.samples += 1;
            if self.found.samples > self.limits.samples_max {
                return Err(too_many_samples(self.limits));
            }
        }
        let piece = self.pieces.piece(i64::try_from(record.time_ns).unwrap_or(i64::MAX));
        self.found.pieces[number]
            .entry(piece)
            .and_modify(|known| known.add(record.time_ns, value))
            .or_insert_with(|| Accumulator::of(self.op, record.time_ns, value));
        Ok(true)
    }
}

/// The value of the label; `None` where there is none, which leaves the line out.
fn unwrapped(unwrap: &Unwrap, labels: &mut LabelSet) -> Option<f64> {
    let text = labels.get(&unwrap.label)?;
    let value = match unwrap.conversion {
        Conversion::None => text.parse::<f64>().ok(),
        Conversion::Duration | Conversion::DurationSeconds => units::duration_ns(text).map(|ns| ns as f64 / 1e9),
        Conversion::Bytes => units::bytes(text),
    };
    if value.is_none() {
        let details = format!("the value of {} cannot be unwrapped: {text:?}", unwrap.label);
        labels.set_error("SampleExtractionErr", &details);
    }
    Some(value.unwrap_or(0.0))
}

fn pipeline_error(labels: &mut LabelSet) -> LogqlError {
    let error = labels.get(ERROR).unwrap_or_default().to_owned();
    let sorted = labels.sorted();
    let shown = sorted.iter().filter(|(name, ..)| *name != ERROR_DETAILS).map(|(name, value, _)| (*name, *value));
    let mut series = String::new();
    write_labels(&mut series, shown).expect("writing to a String never fails");
    // A line may have thousands of labels.
    let mut end = series.len().min(1000);
    while !series.is_char_boundary(end) {
        end -= 1;
    }
    series.truncate(end);
    LogqlError::Pipeline { error, series }
}

pub(super) fn too_many_series(limits: &Limits) -> LogqlError {
    LogqlError::TooMuch(format!(
        "maximum of series ({}) reached for a single query (query.logql.series_max)",
        limits.series_max
    ))
}

fn too_many_samples(limits: &Limits) -> LogqlError {
    LogqlError::TooMuch(format!(
        "the query holds more than {} samples (query.logql.samples_max): take a shorter range",
        limits.samples_max
    ))
}

fn merge(found: Vec<Found>, limits: &Limits) -> Result<Found, LogqlError> {
    let mut found = found.into_iter();
    let mut all = found.next().unwrap_or_default();
    for more in found {
        all.samples += more.samples;
        if all.samples > limits.samples_max {
            return Err(too_many_samples(limits));
        }
        let labels = more.groups.into_labels();
        for (labels, pieces) in labels.into_iter().zip(more.pieces) {
            let key: Vec<_> = labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str(), crate::logql::labels::Origin::Parsed))
                .collect();
            let number = all.groups.number(&key) as usize;
            if all.groups.len() > limits.series_max {
                return Err(too_many_series(limits));
            }
            if number >= all.pieces.len() {
                all.pieces.push(pieces);
                continue;
            }
            for (piece, more) in pieces {
                all.pieces[number].entry(piece).and_modify(|known| known.merge(&more)).or_insert(more);
            }
        }
    }
    Ok(all)
}

/// Windows out of pieces.
fn finish(windows: &Windows<'_>, pieces: Pieces, found: Found) -> Result<Vec<Series>, LogqlError> {
    if windows.op == RangeOp::Absent {
        return Ok(absent(windows, pieces, &found));
    }
    let labels: Vec<Labels> = found.groups.into_labels();
    let mut series = Vec::with_capacity(labels.len());
    for (labels, found) in labels.into_iter().zip(found.pieces) {
        let points = series_points(windows, pieces, &found);
        if !points.is_empty() {
            series.push(Series { labels, points });
        }
    }
    Ok(series)
}

fn series_points(windows: &Windows<'_>, pieces: Pieces, found: &BTreeMap<i64, Accumulator>) -> Vec<(u32, f64)> {
    let mut points = Vec::new();
    let mut next = 0u32;
    for &piece in found.keys() {
        let range = pieces.windows(piece);
        for number in range.start.max(next)..range.end {
            let (first, last) = pieces.of_window(number);
            let mut within = found.range(first..=last).map(|(_, found)| found);
            let Some(one) = within.next() else { continue };
            let mut sum = one.clone();
            within.for_each(|more| sum.merge(more));
            let end_ns = pieces.first_end_ns + i64::from(number) * pieces.step_ns;
            if let Some(value) = sum.finish(windows.op, windows.parameter, windows.range.range_ns, end_ns) {
                points.push((number, value));
            }
        }
        next = next.max(range.end);
    }
    points
}

/// 1 where no line is, with the labels that the selector requires.
fn absent(windows: &Windows<'_>, pieces: Pieces, found: &Found) -> Vec<Series> {
    use crate::logql::ast::MatchOp;
    let mut present = vec![false; pieces.count as usize];
    for piece in found.pieces.iter().flat_map(BTreeMap::keys) {
        for number in pieces.windows(*piece) {
            present[number as usize] = true;
        }
    }
    let absent = (0..pieces.count).filter(|number| !present[*number as usize]);
    let points: Vec<(u32, f64)> = absent.map(|number| (number, 1.0)).collect();
    if points.is_empty() {
        return Vec::new();
    }
    let matchers = &windows.range.log.matchers;
    let mut labels: Vec<(String, String)> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.op == MatchOp::Equal && !matcher.value.is_empty()) {
        // A label that is named twice has no single value.
        let times = matchers.iter().filter(|other| other.name == matcher.name).count();
        if times == 1 {
            labels.push((matcher.name.clone(), matcher.value.clone()));
        }
    }
    labels.sort();
    vec![Series { labels: labels.into(), points }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_windows() {
        for (range_ns, step_ns) in [(10, 3), (3, 10), (10, 10), (10, 5), (1, 1), (7, 2), (2, 7)] {
            let pieces =
                Pieces { first_end_ns: 100, step_ns, whole: range_ns / step_ns, rest_ns: range_ns % step_ns, count: 8 };
            for time_ns in 60..200 {
                let piece = pieces.piece(time_ns);
                for number in 0..8u32 {
                    let end_ns = 100 + i64::from(number) * step_ns;
                    let expected = time_ns > end_ns - range_ns && time_ns <= end_ns;
                    let (first, last) = pieces.of_window(number);
                    let found = (first..=last).contains(&piece);
                    assert_eq!(found, expected, "range {range_ns} step {step_ns} time {time_ns} window {number}");
                    assert_eq!(
                        pieces.windows(piece).contains(&number),
                        expected,
                        "{range_ns} {step_ns} {time_ns} {number}"
                    );
                }
            }
        }
    }
}
