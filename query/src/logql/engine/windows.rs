//! Range aggregations: reads all lines of a selection into pieces of windows, several threads at a time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;

use super::{
    Limits,
    accumulator::Accumulator,
    groups::Key,
    lines::{Alike, Bounds, Lines, Parts, Progress, Selection, Takes, Tally},
    pieces::Pieces,
    reader::{Found, Reader},
    series::{Labels, Series},
};
use crate::logql::{
    LogqlError,
    ast::{Grouping, LogRange, RangeOp, Stage},
    pipeline::{Record, beside, conditions, is_needle, labels_named, names as filter_names, needles},
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
    let (needs_text, fields) = texts_needed(windows, labels.as_deref(), lines.tests_needles());
    let matched = windows.range.log.matchers.iter().map(|matcher| matcher.name.clone());
    let selection = Selection {
        matchers: &windows.range.log.matchers,
        needles: needles(&windows.range.log),
        conditions: conditions(&windows.range.log),
        beside: beside(&windows.range.log),
        start_ns: from_ns.max(0) as u64,
        end_ns: (to_ns as u64).saturating_add(1),
        needs_text,
        labels: labels.clone().map(|labels| labels.into_iter().chain(matched).collect()),
        fields,
    };
    let parts = lines.parts(&selection)?;
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let all: Mutex<Result<Vec<Found>, LogqlError>> = Mutex::new(Ok(Vec::new()));
    let work = || {
        let result = read(
            windows,
            (pieces, labels.as_deref()),
            (&selection, lines.tests_needles()),
            (parts.as_ref(), &next, &stop),
            limits,
            progress,
        );
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

/// Whether texts are looked at; if by nobody but a JSON parser that is asked for some labels, which.
fn texts_needed(windows: &Windows<'_>, labels: Option<&[String]>, has_needles: bool) -> (bool, Option<Vec<String>>) {
    let is_json = |stage: &Stage| matches!(stage, Stage::Json(paths) if paths.is_empty());
    let reads = |stage: &Stage| match stage {
        Stage::Label(_) | Stage::Drop(_) | Stage::Keep(_) => false,
        stage => !(has_needles && is_needle(stage)),
    };
    let stages = &windows.range.log.stages;
    let counts_bytes = matches!(windows.op, RangeOp::Bytes | RangeOp::BytesRate);
    if !counts_bytes && !stages.iter().any(reads) {
        return (false, None);
    }
    // Of labels that are set apart from others the order of fields decides.
    let is_simple = |labels: &&[String]| !labels.iter().any(|label| label.ends_with("_extracted"));
    let only_json = !counts_bytes && stages.iter().all(|stage| is_json(stage) || !reads(stage));
    (true, labels.filter(is_simple).filter(|_| only_json).map(<[String]>::to_vec))
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
    (selection, has_needles): (&Selection<'_>, bool),
    (parts, next, stop): (&dyn Parts, &AtomicUsize, &AtomicBool),
    limits: &Limits,
    progress: &Progress,
) -> Result<Found, LogqlError> {
    let mut reader = Reader::new(windows, (pieces, labels), has_needles, limits)?;
    loop {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= parts.len() || stop.load(Ordering::Relaxed) {
            return Ok(reader.finish());
        }
        limits.check_time()?;
        reader.begin_part();
        let mut taking = Taking { reader: &mut reader, selection, limits, tally: Tally::default() };
        let result = match taking.reader.only_counts() {
            true => parts.count(part, selection.start_ns, &|time_ns| pieces.piece(time_ns), &mut taking),
            false => Ok(false),
        };
        let result = match result {
            Ok(false) => parts.read_alike(part, &Bounds::from(selection.start_ns), &mut taking),
            counted => counted.map(drop),
        };
        let tally = taking.tally;
        progress.add(tally);
        result?;
    }
}

/// Counts what a reader takes.
struct Taking<'t, 'q> {
    reader: &'t mut Reader<'q>,
    selection: &'t Selection<'t>,
    limits: &'t Limits,
    tally: Tally,
}

impl Takes for Taking<'_, '_> {
    fn take(&mut self, record: &Record<'_>) -> Result<(), LogqlError> {
        let Self { reader, selection, limits, tally } = self;
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
    }

    fn meet(&mut self, record: &Record<'_>) -> Result<(), LogqlError> {
        self.reader.meet(record)
    }

    fn take_alike(&mut self, alike: &Alike<'_>) -> Result<(), LogqlError> {
        let Self { reader, selection, limits, tally } = self;
        limits.check_time()?;
        tally.lines += alike.times_ns.len() as u64;
        tally.passed += reader.take_alike(alike, (selection.start_ns, selection.end_ns))?;
        Ok(())
    }

    fn take_counted(&mut self, record: &Record<'_>, pieces: &[(i64, u64)]) -> Result<(), LogqlError> {
        self.tally.lines += pieces.iter().map(|(_, count)| count).sum::<u64>();
        self.tally.passed += self.reader.take_counted(record, pieces)?;
        Ok(())
    }
}

pub(super) fn too_many_series(limits: &Limits) -> LogqlError {
    LogqlError::TooMuch(format!(
        "maximum of series ({}) reached for a single query (query.logql.series_max)",
        limits.series_max
    ))
}

pub(super) fn too_many_samples(limits: &Limits) -> LogqlError {
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
