//! Functions of ranges: each series is read once, and a window slides over it.

use std::{borrow::Cow, sync::Arc};

use weir_proto::metrics::{Histogram, Labels, ResetHint, is_stale};

use super::{Budget, Evaluator, QueryError, Sink, Steps, failed, select};
use crate::promql::{
    functions::{Body, Function, Kind, RangeBody, Rises, Track, Window},
    notes::Notes,
    source::{HistogramSample, Samples},
    syntax::{
        ast::{Call, Edges, Expr, Length, Node, RangeSelector, Shift, Subquery},
        token::Extent,
    },
    value::{ABSENT, Point, Row, is_absent},
};

/// Functions that know what to do with samples outside of the range.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

/// Names of counters end in one of these.
const COUNTERS: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// After so many samples in the windows of one series it is seen whether to go on.
const CHECK_SAMPLES: usize = 1 << 20;

/// How a window slides.
struct Slide<'a> {
    function: &'a Function,
    /// For each scalar argument its values at all steps.
    scalars: Vec<Vec<f64>>,
    shift: &'a Shift,
    edges: Edges,
    range_ms: i64,
    lookback_ms: i64,
    steps: Steps,
    extent: Extent,
}

impl Evaluator<'_> {
    /// A function of a range selector or of a subquery.
    pub(super) fn range_call(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut scalars = Vec::new();
        let mut range = None;
        for argument in &call.arguments {
            match &argument.unwrapped().node {
                Node::Range(_) | Node::Subquery(_) => range = Some(argument.unwrapped()),
                _ => scalars.push(self.scalars(argument, steps)?),
            }
        }
        let range = range.ok_or_else(|| failed("a range vector is missing"))?;
        // As in Prometheus a subquery, once it was evaluated, stands nowhere.
        let extent = match &call.arguments[0].unwrapped().node {
            Node::Subquery(_) => Extent::default(),
            _ => call.arguments[0].unwrapped().extent,
        };
        match &range.node {
            Node::Range(selector) => self.of_selector(call.function, selector, scalars, extent, steps, sink),
            Node::Subquery(subquery) => self.of_subquery(call.function, subquery, scalars, extent, steps, sink),
            _ => Err(failed("a range vector is missing")),
        }
    }

    fn of_selector(
        &self,
        function: &'static Function,
        range: &RangeSelector,
        scalars: Vec<Vec<f64>>,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let selector = &range.selector;
        check_edges(function, selector.edges)?;
        let slide = Slide {
            function,
            scalars,
            shift: &selector.shift,
            edges: selector.edges,
            range_ms: range.range.ms(),
            lookback_ms: self.options.lookback_ms,
            steps,
            extent,
        };
        let (from, to) = (slide.bounds(steps.start_ms).0, slide.bounds(steps.last()).1);
        let series = self.series(&selector.matchers, from.saturating_add(1), to)?;
        let budget = &self.budget;
        self.each_series(
            &series,
            steps.count,
            &|series, track, notes| {
                track.samples.clear();
                series.read(from.saturating_add(1), to, &mut track.samples)?;
                strip(&mut track.samples);
                if selector.finds_resets {
                    select::find_resets(&mut track.samples);
                }
                let Some(row) = slide.row(series.labels(), track, notes, budget)? else { return Ok(None) };
                Ok(Some(Row { labels: Cow::Borrowed(series.labels()), ..row }))
            },
            sink,
        )
    }

    fn of_subquery(
        &self,
        function: &'static Function,
        subquery: &Subquery,
        scalars: Vec<Vec<f64>>,
        extent: Extent,
        steps: Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let slide = Slide {
            function,
            scalars,
            shift: &subquery.shift,
            edges: Edges::Plain,
            range_ms: subquery.range.ms(),
            lookback_ms: self.options.lookback_ms,
            steps,
            extent,
        };
        let Some(inner) = self.subquery_steps(subquery, steps) else { return Ok(()) };
        let held = self.hold_steps(inner)?;
        let mut track = Track::default();
        self.joined_rows(&subquery.operand, inner, &mut |row| {
            fill_track(&row, inner, &mut track.samples);
            let mut notes = Notes::default();
            let made = slide.row(&row.labels, &mut track, &mut notes, &self.budget)?;
            self.notes.borrow_mut().merge(notes);
            match made {
                Some(made) => {
                    let drops_name = made.drops_name || row.drops_name;
                    sink(Row { labels: row.labels, drops_name, ..made })
                }
                None => Ok(()),
            }
        })?;
        self.budget.release(held);
        Ok(())
    }

    /// Counts what rows of so many steps take while one follows the other; how much that is.
    pub(super) fn hold_steps(&self, steps: Steps) -> Result<u64, QueryError> {
        // Two rows, what is calculated for them, and the samples made of one.
        let bytes = 48 * steps.count as u64;
        self.budget.hold(bytes)?;
        Ok(bytes)
    }

    /// The times that a subquery asks for: multiples of its step; none when the range holds none.
    pub(super) fn subquery_steps(&self, subquery: &Subquery, steps: Steps) -> Option<Steps> {
        let step_ms = subquery.step.as_ref().map_or(self.options.subquery_step_ms, Length::ms).max(1);
        let from = subquery.shift.apply(steps.start_ms).saturating_sub(subquery.range.ms());
        let to = subquery.shift.apply(steps.last());
        let start_ms = (from.div_euclid(step_ms) + 1) * step_ms;
        (start_ms <= to).then(|| Steps { start_ms, step_ms, count: ((to - start_ms) / step_ms) as usize + 1 })
    }

    /// `absent_over_time`: 1 where no series has anything in the range.
    pub(super) fn absent_over_time(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let mut found = vec![false; steps.count];
        let present = Call {
            function: crate::promql::functions::named("present_over_time").expect("in the table"),
            arguments: call.arguments.clone(),
            extent: call.extent,
        };
        self.range_call(&present, steps, &mut |row| {
            found.iter_mut().zip(&row.floats).for_each(|(found, value)| *found |= !is_absent(*value));
            Ok(())
        })?;
        let mut row = Row::empty(super::labels::of_absent(&call.arguments[0]), steps.count);
        for (value, _) in row.floats.iter_mut().zip(found).filter(|(_, found)| !found) {
            *value = 1.0;
        }
        if row.is_empty() { Ok(()) } else { sink(row) }
    }
}

fn check_edges(function: &Function, edges: Edges) -> Result<(), QueryError> {
    let (word, allowed) = match edges {
        Edges::Plain => return Ok(()),
        Edges::Anchored => ("anchored", &ANCHORED[..]),
        Edges::Smoothed => ("smoothed", &SMOOTHED[..]),
    };
    if allowed.contains(&function.name) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    Err(failed(format!("{word} modifier can only be used with: {allowed} - not with {}", function.name)))
}

/// Takes out the markers that end series.
pub(super) fn strip(samples: &mut Samples) {
    samples.histograms.retain(|sample| !is_stale(sample.histogram.sum));
    if !samples.values.iter().any(|&value| is_stale(value)) {
        return;
    }
    let keep: Vec<bool> = samples.values.iter().map(|&value| !is_stale(value)).collect();
    let kept = |index: &mut usize| {
        *index += 1;
        keep[*index - 1]
    };
    let mut at = 0;
    samples.times.retain(|_| kept(&mut at));
    at = 0;
    samples.values.retain(|_| kept(&mut at));
    if !samples.starts.is_empty() {
        at = 0;
        samples.starts.retain(|_| kept(&mut at));
    }
}

/// The values of a row as samples.
fn fill_track(row: &Row<'_>, steps: Steps, samples: &mut Samples) {
    samples.clear();
    for step in 0..steps.count {
        let time = steps.time(step);
        if !is_absent(row.floats[step]) {
            samples.times.push(time);
            samples.values.push(row.floats[step]);
        } else if let Some(histogram) = row.histogram(step) {
            // Samples between were not seen, or one was seen twice: what hints say does not hold here.
            let histogram = match histogram.reset_hint {
                ResetHint::Reset | ResetHint::NotReset => {
                    Arc::new(Histogram { reset_hint: ResetHint::Unknown, ..Histogram::clone(histogram) })
                }
                ResetHint::Unknown | ResetHint::Gauge => Arc::clone(histogram),
            };
            samples.histograms.push(HistogramSample { time_ms: time, start_ms: 0, histogram });
        }
    }
}

impl Slide<'_> {
    /// After which time and up to which one samples are wanted for a step.
    fn bounds(&self, time_ms: i64) -> (i64, i64) {
        let to = self.shift.apply(time_ms);
        let from = to.saturating_sub(self.range_ms);
        match self.edges {
            Edges::Plain => (from, to),
            Edges::Anchored => (from.saturating_sub(self.lookback_ms), to),
            Edges::Smoothed => (from.saturating_sub(self.lookback_ms), to.saturating_add(self.lookback_ms)),
        }
    }

    fn row<'r>(
        &self,
        labels: &Labels,
        track: &mut Track,
        notes: &mut Notes,
        budget: &Budget<'_>,
    ) -> Result<Option<Row<'r>>, QueryError> {
        let Body::Range(body) = self.function.body else { return Err(failed("no function of ranges")) };
        if track.samples.len() == 0 {
            return Ok(None);
        }
        if self.function.is_of_counters() && self.edges == Edges::Plain {
            track.find_resets();
        }
        let mut row = Row::empty(Labels::default(), self.steps.count);
        row.drops_name = !self.function.keeps_name();
        if self.edges == Edges::Plain
            && track.samples.histograms.is_empty()
            && let Some(kind) = Kind::named(self.function.name)
        {
            self.fill_rises(kind, track, budget, &mut row.floats)?;
        } else {
            self.fill(body, (labels, &*track), notes, budget, &mut row)?;
        }
        if row.is_empty() {
            return Ok(None);
        }
        let name = labels.metric_name();
        if self.function.is_of_counters()
            && !name.is_empty()
            && !COUNTERS.iter().any(|end| name.ends_with(end))
            && row.floats.iter().any(|&value| !is_absent(value))
        {
            notes.maybe_no_counter(self.extent, name);
        }
        Ok(Some(row))
    }

    /// Looks at each window.
    fn fill(
        &self,
        body: RangeBody,
        (labels, track): (&Labels, &Track),
        notes: &mut Notes,
        budget: &Budget<'_>,
        row: &mut Row<'_>,
    ) -> Result<(), QueryError> {
        let samples = &track.samples;
        let (mut floats, mut histograms) = (0..0, 0..0);
        let mut scalars = vec![0.0; self.scalars.len()];
        let mut looked_at = 0;
        for step in 0..self.steps.count {
            let (from, to) = self.bounds(self.steps.time(step));
            slide(&mut floats, samples.times.len(), |at| samples.times[at], from, to);
            slide(&mut histograms, samples.histograms.len(), |at| samples.histograms[at].time_ms, from, to);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            looked_at += floats.len() + histograms.len();
            if looked_at > CHECK_SAMPLES {
                looked_at = 0;
                budget.check()?;
            }
            scalars.iter_mut().zip(&self.scalars).for_each(|(scalar, values)| *scalar = values[step]);
            let time = self.steps.time(step);
            let to_ms = self.shift.apply(time);
            let window = Window {
                track,
                floats: floats.clone(),
                histograms: histograms.clone(),
                from_ms: to_ms.saturating_sub(self.range_ms),
                to_ms,
                range_ms: self.range_ms,
                step_ms: time,
                edges: self.edges,
                labels,
                extent: self.extent,
            };
            match body(&window, &scalars, notes).map_err(failed)? {
                Some(Point::Float(value)) => row.floats[step] = if is_absent(value) { f64::NAN } else { value },
                Some(point) => row.set(step, point),
                None => row.floats[step] = ABSENT,
            }
        }
        Ok(())
    }

    /// The same of functions that many ask for, where there are floats only.
    fn fill_rises(&self, kind: Kind, track: &Track, budget: &Budget<'_>, row: &mut [f64]) -> Result<(), QueryError> {
        let times = &track.samples.times[..];
        let mut rises = Rises::new(kind, self.range_ms);
        let mut floats = 0..0;
        let mut looked_at = 0;
        for (step, value) in row.iter_mut().enumerate() {
            let (from, to) = self.bounds(self.steps.time(step));
            slide(&mut floats, times.len(), |at| times[at], from, to);
            looked_at += floats.len();
            if looked_at > CHECK_SAMPLES {
                looked_at = 0;
                budget.check()?;
            }
            if let Some(rise) = rises.rise(track, &floats, (from, to)) {
                *value = if is_absent(rise) { f64::NAN } else { rise };
            }
        }
        Ok(())
    }
}

/// Moves a window so that it holds what is after one time, up to another.
fn slide(window: &mut std::ops::Range<usize>, count: usize, time: impl Fn(usize) -> i64, from: i64, to: i64) {
    while window.end < count && time(window.end) <= to {
        window.end += 1;
    }
    while window.start < window.end && time(window.start) <= from {
        window.start += 1;
    }
}

/// Whether an expression may give two rows of the same labels, each at other times.
pub(super) fn may_repeat_labels(expr: &Expr) -> bool {
    match &expr.unwrapped().node {
        Node::Binary(_) => true,
        Node::Call(call) => {
            let is_other = matches!(call.function.name, "label_replace" | "label_join" | "info");
            is_other || call.arguments.iter().any(may_repeat_labels)
        }
        Node::Unary { operand, .. } => may_repeat_labels(operand),
        Node::Aggregate(aggregate) => aggregate.operator.chooses() && may_repeat_labels(&aggregate.operand),
        _ => false,
    }
}
