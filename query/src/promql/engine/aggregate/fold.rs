//! Aggregations that look at one value after the other.

use std::sync::Arc;

use weir_proto::metrics::Histogram;

use crate::promql::{
    histogram::{self, Hints, HistogramMean, HistogramSum, arithmetic},
    notes::Notes,
    sum::{Mean, Sum as Total},
    syntax::token::Extent,
    value::Point,
};

/// How values are folded; one cell for each group and step.
pub(super) trait Fold {
    type Cell: Default + Clone;

    fn float(&self, cell: &mut Self::Cell, value: f64);

    fn histogram(&self, cell: &mut Self::Cell, histogram: &Histogram, metric: &str, extent: Extent, notes: &mut Notes);

    fn finish(&self, cell: Self::Cell, extent: Extent, notes: &mut Notes) -> Option<Point>;
}

/// Histograms of a group that are folded.
#[derive(Clone)]
pub(super) struct Folded<H> {
    fold: H,
    hints: Hints,
    /// Whether buckets that have nothing in common were among them.
    is_spoilt: bool,
}

impl<H> Folded<H> {
    fn add(
        slot: &mut Option<Box<Self>>,
        new: &Histogram,
        (metric, extent, notes): (&str, Extent, &mut Notes),
        of: impl FnOnce(&Histogram) -> H,
        add: impl FnOnce(&mut H, &Histogram) -> Result<histogram::Outcome, histogram::Incompatible>,
    ) {
        let Some(folded) = slot else {
            *slot = Some(Box::new(Self { fold: of(new), hints: Hints::of(new), is_spoilt: false }));
            return;
        };
        if folded.is_spoilt {
            return;
        }
        folded.hints.add(new);
        match add(&mut folded.fold, new) {
            Ok(outcome) if outcome.reconciled => notes.reconciled_buckets(extent, "aggregation"),
            Ok(_) => {}
            Err(_) => {
                notes.mixed_schemas(extent, metric);
                folded.is_spoilt = true;
            }
        }
    }

    fn finish(self, total: impl FnOnce(H) -> Histogram, extent: Extent, notes: &mut Notes) -> Option<Point> {
        if self.is_spoilt {
            return None;
        }
        if self.hints.conflict() {
            notes.conflicting_resets(extent, "aggregation");
        }
        let mut histogram = total(self.fold);
        arithmetic::compact(&mut histogram);
        Some(Point::Histogram(Arc::new(histogram)))
    }
}

/// `sum`
#[derive(Default)]
pub(super) struct Sum;

#[derive(Clone, Default)]
pub(super) struct SumCell {
    total: Total,
    has_floats: bool,
    histograms: Option<Box<Folded<HistogramSum>>>,
}

impl Fold for Sum {
    type Cell = SumCell;

    fn float(&self, cell: &mut SumCell, value: f64) {
        if cell.has_floats {
            cell.total.add(value);
        } else {
            cell.total = Total::of(value);
            cell.has_floats = true;
        }
    }

    fn histogram(&self, cell: &mut SumCell, new: &Histogram, metric: &str, extent: Extent, notes: &mut Notes) {
        let context = (metric, extent, notes);
        Folded::add(&mut cell.histograms, new, context, HistogramSum::of, HistogramSum::add);
    }

    fn finish(&self, cell: SumCell, extent: Extent, notes: &mut Notes) -> Option<Point> {
        match (cell.has_floats, cell.histograms) {
            (true, Some(_)) => {
                notes.mixed_in_aggregation(extent);
                None
            }
            (true, None) => Some(Point::Float(cell.total.total())),
            (false, Some(histograms)) => histograms.finish(HistogramSum::total, extent, notes),
            (false, None) => None,
        }
    }
}

/// `avg`
#[derive(Default)]
pub(super) struct Avg;

#[derive(Clone, Default)]
pub(super) struct AvgCell {
    mean: Option<Mean>,
    histograms: Option<Box<Folded<HistogramMean>>>,
}

impl Fold for Avg {
    type Cell = AvgCell;

    fn float(&self, cell: &mut AvgCell, value: f64) {
        match &mut cell.mean {
            Some(mean) => mean.add(value),
            None => cell.mean = Some(Mean::of(value)),
        }
    }

    fn histogram(&self, cell: &mut AvgCell, new: &Histogram, metric: &str, extent: Extent, notes: &mut Notes) {
        let context = (metric, extent, notes);
        Folded::add(&mut cell.histograms, new, context, HistogramMean::of, HistogramMean::add);
    }

    fn finish(&self, cell: AvgCell, extent: Extent, notes: &mut Notes) -> Option<Point> {
        match (cell.mean, cell.histograms) {
            (Some(_), Some(_)) => {
                notes.mixed_in_aggregation(extent);
                None
            }
            (Some(mean), None) => Some(Point::Float(mean.total())),
            (None, Some(histograms)) => histograms.finish(HistogramMean::total, extent, notes),
            (None, None) => None,
        }
    }
}

/// `count`
pub(super) struct Count;

impl Fold for Count {
    type Cell = u32;

    fn float(&self, cell: &mut u32, _: f64) {
        *cell += 1;
    }

    fn histogram(&self, cell: &mut u32, _: &Histogram, _: &str, _: Extent, _: &mut Notes) {
        *cell += 1;
    }

    fn finish(&self, cell: u32, _: Extent, _: &mut Notes) -> Option<Point> {
        (cell > 0).then(|| Point::Float(f64::from(cell)))
    }
}

/// `group`
pub(super) struct Group;

impl Fold for Group {
    type Cell = bool;

    fn float(&self, cell: &mut bool, _: f64) {
        *cell = true;
    }

    fn histogram(&self, cell: &mut bool, _: &Histogram, _: &str, _: Extent, _: &mut Notes) {
        *cell = true;
    }

    fn finish(&self, cell: bool, _: Extent, _: &mut Notes) -> Option<Point> {
        cell.then_some(Point::Float(1.0))
    }
}

/// `min` and `max`
pub(super) struct Extremes {
    name: &'static str,
    is_max: bool,
}

impl Extremes {
    pub(super) fn min() -> Self {
        Self { name: "min", is_max: false }
    }

    pub(super) fn max() -> Self {
        Self { name: "max", is_max: true }
    }
}

impl Fold for Extremes {
    type Cell = Option<f64>;

    fn float(&self, cell: &mut Option<f64>, value: f64) {
        let is_better = |best: f64| best.is_nan() || if self.is_max { value > best } else { value < best };
        if cell.is_none_or(is_better) {
            *cell = Some(value);
        }
    }

    fn histogram(&self, _: &mut Option<f64>, _: &Histogram, _: &str, extent: Extent, notes: &mut Notes) {
        notes.ignored_in_aggregation(extent, self.name);
    }

    fn finish(&self, cell: Option<f64>, _: Extent, _: &mut Notes) -> Option<Point> {
        cell.map(Point::Float)
    }
}

/// `stddev` and `stdvar`, by Welford's algorithm.
pub(super) struct Deviation {
    name: &'static str,
    is_root: bool,
}

impl Deviation {
    pub(super) fn stddev() -> Self {
        Self { name: "stddev", is_root: true }
    }

    pub(super) fn stdvar() -> Self {
        Self { name: "stdvar", is_root: false }
    }
}

#[derive(Clone, Default)]
pub(super) struct DeviationCell {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Fold for Deviation {
    type Cell = DeviationCell;

    fn float(&self, cell: &mut DeviationCell, value: f64) {
        cell.count += 1.0;
        if cell.count == 1.0 {
            cell.mean = value;
            cell.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let delta = value - cell.mean;
        cell.mean += delta / cell.count;
        cell.squares += delta * (value - cell.mean);
    }

    fn histogram(&self, _: &mut DeviationCell, _: &Histogram, _: &str, extent: Extent, notes: &mut Notes) {
        notes.ignored_in_aggregation(extent, self.name);
    }

    fn finish(&self, cell: DeviationCell, _: Extent, _: &mut Notes) -> Option<Point> {
        let variance = cell.squares / cell.count;
        (cell.count > 0.0).then(|| Point::Float(if self.is_root { variance.sqrt() } else { variance }))
    }
}
