//! One thread's pipeline over lines, and the pieces of windows that it fills.

use std::collections::BTreeMap;

use super::{
    Limits,
    accumulator::Accumulator,
    groups::{Groups, Key, key_of},
    lines::Alike,
    pieces::{Piece, Pieces},
    windows::{Windows, too_many_samples, too_many_series},
};
use crate::logql::{
    LogqlError,
    ast::{Conversion, Grouping, RangeOp, Unwrap},
    labels::{ERROR, ERROR_DETAILS, LabelSet, write_labels},
    pipeline::{Filter, Pipeline, Record, Working},
    units,
};

/// Lines by piece and class are counted in so many places, or as many as there are lines.
const COUNTS_MIN: usize = 4096;

/// What one thread found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) groups: Groups,
    /// Of each series.
    pub(super) pieces: Vec<BTreeMap<i64, Accumulator>>,
    pub(super) samples: usize,
}

/// A thread's work.
pub(super) struct Reader<'q> {
    op: RangeOp,
    pieces: Pieces,
    pipeline: Pipeline,
    working: Working,
    unwrap: Option<(&'q Unwrap, Vec<Filter>)>,
    key: Key,
    limits: &'q Limits,
    found: Found,
    /// Of each series the piece that its latest line was in, and what is of that so far.
    latest: Vec<Option<(i64, Accumulator)>>,
    /// The piece of the latest line.
    piece: Option<Piece>,
    classes: Known,
    /// Lines by piece and class, while they are counted.
    counts: Vec<u32>,
}

/// What became of the first line of each class of a batch: the others do as it did.
#[derive(Default)]
struct Known {
    batch: u64,
    became: Vec<Option<Became>>,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy)]
enum Became {
    Nothing,
    Sample { series: usize, value: f64 },
}

impl Known {
    /// What became of this class's first line; where nobody knows it, the place to note it.
    fn of(&mut self, number: u64, class: u32) -> &mut Option<Became> {
        // The upper half of a line's number is that of its batch.
        if self.batch != number >> 32 {
            self.batch = number >> 32;
            self.became.clear();
        }
        if self.became.len() <= class as usize {
            self.became.resize(class as usize + 1, None);
        }
        &mut self.became[class as usize]
    }
}

impl<'q> Reader<'q> {
    pub(super) fn new(
        windows: &'q Windows<'_>,
        (pieces, labels): (Pieces, Option<&[String]>),
        has_needles: bool,
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
            pipeline: Pipeline::new(&windows.range.log, labels, has_needles)?,
            working: Working::new(limits.now_ns),
            unwrap,
            key,
            limits,
            found: Found::default(),
            latest: Vec::new(),
            piece: None,
            classes: Known::default(),
            counts: Vec::new(),
        })
    }

    /// The lines that follow are of another part.
    pub(super) fn begin_part(&mut self) {
        self.classes = Known::default();
    }

    /// Whether the line counts.
    pub(super) fn take(&mut self, record: &Record<'_>) -> Result<bool, LogqlError> {
        let known = record.class.and_then(|class| *self.classes.of(record.number, class));
        let became = match known {
            Some(became) => became,
            None => {
                let became = self.became(record)?;
                if let Some(class) = record.class {
                    *self.classes.of(record.number, class) = Some(became);
                }
                became
            }
        };
        match became {
            Became::Nothing => Ok(false),
            Became::Sample { series, value } => self.add(series, record.time_ns, value).map(|()| true),
        }
    }

    /// Finds out what becomes of the lines of a class.
    pub(super) fn meet(&mut self, record: &Record<'_>) -> Result<(), LogqlError> {
        if let Some(class) = record.class {
            let became = self.became(record)?;
            *self.classes.of(record.number, class) = Some(became);
        }
        Ok(())
    }

    /// Takes lines between two times (the second one behind the last) whose classes were met; how many of them count.
    pub(super) fn take_alike(&mut self, alike: &Alike<'_>, (start_ns, end_ns): (u64, u64)) -> Result<u64, LogqlError> {
        let became = std::mem::take(&mut self.classes.became);
        let taken = match self.count_alike(alike, (start_ns, end_ns), &became) {
            Some(counted) => counted,
            None => {
                let mut passed = 0;
                let mut result = Ok(());
                for (&class, &time_ns) in alike.classes.iter().zip(alike.times_ns) {
                    let time_ns = time_ns.max(0) as u64;
                    let is_within = (start_ns..end_ns).contains(&time_ns);
                    if let Some(Became::Sample { series, value }) = became[class as usize].filter(|_| is_within) {
                        result = result.and_then(|()| self.add(series, time_ns, value));
                        passed += 1;
                    }
                }
                result.map(|()| passed)
            }
        };
        self.classes.became = became;
        taken
    }

    /// The same where lines are counted, by piece and class at first; `None` where that is not worth it.
    fn count_alike(
        &mut self,
        Alike { classes, times_ns }: &Alike<'_>,
        (start_ns, end_ns): (u64, u64),
        became: &[Option<Became>],
    ) -> Option<Result<u64, LogqlError>> {
        if !self.only_counts() {
            return None;
        }
        let first_ns = times_ns.iter().copied().min().filter(|&first| first >= 0 && first as u64 >= start_ns)?;
        let last_ns = times_ns.iter().copied().max().filter(|&last| (last as u64) < end_ns)?;
        let first = self.pieces.piece(first_ns).number;
        let pieces = usize::try_from(self.pieces.piece(last_ns).number - first).ok()?.checked_add(1)?;
        let cells = pieces.checked_mul(became.len()).filter(|&cells| cells <= times_ns.len().max(COUNTS_MIN))?;
        let mut counts = std::mem::take(&mut self.counts);
        counts.clear();
        counts.resize(cells, 0);
        let mut piece = self.pieces.piece(first_ns);
        let mut row = 0;
        for (&class, &time_ns) in classes.iter().zip(*times_ns) {
            if !piece.holds(time_ns) {
                piece = self.pieces.piece(time_ns);
                row = (piece.number - first) as usize * became.len();
            }
            counts[row + class as usize] += 1;
        }
        let mut passed = 0;
        for (number, counts) in (first..).zip(counts.chunks_exact(became.len())) {
            for (count, became) in counts.iter().zip(became) {
                if let (1.., Some(Became::Sample { series, value })) = (*count, became) {
                    let value = f64::from(*count) * value;
                    self.add_to_piece(*series, number, (0, value));
                    passed += u64::from(*count);
                }
            }
        }
        self.counts = counts;
        Some(Ok(passed))
    }

    /// Whether lines that are like this one can be counted at once.
    pub(super) fn only_counts(&self) -> bool {
        matches!(self.op, RangeOp::Count | RangeOp::Rate) && self.unwrap.is_none()
    }

    /// Takes lines that are like this one: how many of each piece. How many of them count.
    pub(super) fn take_counted(&mut self, record: &Record<'_>, pieces: &[(i64, u64)]) -> Result<u64, LogqlError> {
        let Became::Sample { series, value } = self.became(record)? else { return Ok(0) };
        for &(piece, count) in pieces {
            self.add_to_piece(series, piece, (0, count as f64 * value));
        }
        Ok(pieces.iter().map(|(_, count)| count).sum())
    }

    fn became(&mut self, record: &Record<'_>) -> Result<Became, LogqlError> {
        let Self { pipeline, working, .. } = self;
        if !pipeline.run(record, working) {
            return Ok(Became::Nothing);
        }
        let value = match &self.unwrap {
            None => match self.op {
                RangeOp::Bytes | RangeOp::BytesRate => working.text(record).len() as f64,
                _ => 1.0,
            },
            Some((unwrap, filters)) => {
                let Some(value) = unwrapped(unwrap, &mut working.labels) else {
                    return Ok(Became::Nothing);
                };
                if !filters.iter().all(|filter| filter.passes(&mut working.labels)) {
                    return Ok(Became::Nothing);
                }
                value
            }
        };
        if self.working.labels.has_error() {
            return Err(pipeline_error(&mut self.working.labels));
        }
        let mut labels = Vec::new();
        key_of(&self.key, &self.working.labels, &mut labels);
        let series = self.found.groups.number(&labels) as usize;
        if series >= self.found.pieces.len() {
            if series >= self.limits.series_max {
                return Err(too_many_series(self.limits));
            }
            self.found.pieces.push(BTreeMap::new());
            self.latest.push(None);
        }
        Ok(Became::Sample { series, value })
    }

    fn add(&mut self, series: usize, time_ns: u64, value: f64) -> Result<(), LogqlError> {
        if Accumulator::holds_samples(self.op) {
            self.found.samples += 1;
            if self.found.samples > self.limits.samples_max {
                return Err(too_many_samples(self.limits));
            }
        }
        let at_ns = i64::try_from(time_ns).unwrap_or(i64::MAX);
        // Lines beside each other are mostly of one piece.
        let piece = match self.piece {
            Some(piece) if piece.holds(at_ns) => piece,
            _ => *self.piece.insert(self.pieces.piece(at_ns)),
        };
        self.add_to_piece(series, piece.number, (time_ns, value));
        Ok(())
    }

    fn add_to_piece(&mut self, series: usize, piece: i64, (time_ns, value): (u64, f64)) {
        match &mut self.latest[series] {
            Some((number, latest)) if *number == piece => latest.add(time_ns, value),
            latest => {
                let before = latest.replace((piece, Accumulator::of(self.op, time_ns, value)));
                settle(&mut self.found.pieces[series], before);
            }
        }
    }

    /// All that was found.
    pub(super) fn finish(mut self) -> Found {
        for (pieces, latest) in self.found.pieces.iter_mut().zip(self.latest) {
            settle(pieces, latest);
        }
        self.found
    }
}

fn settle(pieces: &mut BTreeMap<i64, Accumulator>, latest: Option<(i64, Accumulator)>) {
    let Some((number, latest)) = latest else { return };
    match pieces.get_mut(&number) {
        Some(known) => known.merge(&latest),
        None => {
            pieces.insert(number, latest);
        }
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
