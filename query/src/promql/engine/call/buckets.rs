//! Quantiles and fractions of histograms: classic ones, which are series of buckets, and native ones.

use std::{collections::HashMap, sync::Arc};

use weir_proto::metrics::{Histogram, Labels};

use super::super::{Evaluator, QueryError, Sink, Steps, labels};
use crate::promql::{
    format,
    functions::{BucketRow, bucket_fraction, bucket_quantile},
    histogram,
    notes::Corrections,
    syntax::{
        ast::{Call, Expr},
        number::parse_float,
        token::Extent,
    },
    value::{ABSENT, Row, is_absent},
};

/// The label of a bucket's upper bound.
const BOUND: &str = "le";

/// Buckets, or native histograms, of the same labels.
struct Group {
    labels: Labels,
    drops_name: bool,
    /// Upper bounds, and counts at all steps.
    buckets: Vec<(f64, Vec<f64>)>,
    histograms: Vec<Option<Arc<Histogram>>>,
    /// Whether it was said that counts had to be corrected.
    is_told: bool,
}

impl Group {
    fn histogram(&self, step: usize) -> Option<&Histogram> {
        self.histograms.get(step).and_then(Option::as_deref)
    }

    fn buckets_at(&self, step: usize, into: &mut Vec<BucketRow>) {
        into.clear();
        let counts = self.buckets.iter().filter(|(_, counts)| !is_absent(counts[step]));
        into.extend(counts.map(|(upper, counts)| BucketRow { upper: *upper, count: counts[step] }));
    }
}

impl Evaluator<'_> {
    pub(super) fn histogram_quantile(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let quantiles = self.scalars(&call.arguments[0], steps)?;
        self.check_quantiles(&quantiles, call.arguments[0].extent);
        let (groups, bytes) = self.groups(&call.arguments[1], steps)?;
        for group in &groups {
            let row = self.quantile_row(group, &quantiles, call.arguments[1].extent, steps);
            if !row.is_empty() {
                sink(row)?;
            }
        }
        self.budget.release(bytes);
        Ok(())
    }

    pub(super) fn histogram_quantiles(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let name = String::from_utf8_lossy(self.text(&call.arguments[1])?).into_owned();
        let (mut groups, bytes) = self.groups(&call.arguments[0], steps)?;
        for argument in &call.arguments[2..] {
            let quantiles = self.scalars(argument, steps)?;
            self.check_quantiles(&quantiles, argument.extent);
            for group in &mut groups {
                let extent = call.arguments[0].extent;
                let row = self.quantile_row(group, &quantiles, extent, steps);
                // What was corrected for one quantile is corrected for the others.
                group.is_told = true;
                // A quantile that differs from step to step makes a row of each.
                let mut left = row;
                while let Some(first) = (0..steps.count).find(|&step| left.has(step)) {
                    let quantile = quantiles[first];
                    let mut part = Row::empty(labels::with(&group.labels, &name, &bound_text(quantile)), steps.count);
                    part.drops_name = left.drops_name;
                    for (step, other) in quantiles.iter().enumerate().skip(first) {
                        if other.to_bits() == quantile.to_bits() {
                            part.floats[step] = left.floats[step];
                            left.floats[step] = ABSENT;
                        }
                    }
                    sink(part)?;
                }
            }
        }
        self.budget.release(bytes);
        Ok(())
    }

    pub(super) fn histogram_fraction(&self, call: &Call, steps: Steps, sink: Sink<'_>) -> Result<(), QueryError> {
        let lower = self.scalars(&call.arguments[0], steps)?;
        let upper = self.scalars(&call.arguments[1], steps)?;
        let (groups, bytes) = self.groups(&call.arguments[2], steps)?;
        let extent = call.arguments[2].extent;
        let mut buckets = Vec::new();
        for group in &groups {
            let mut row = Row::empty(group.labels.clone(), steps.count);
            row.drops_name = true;
            for step in 0..steps.count {
                if let Some(histogram) = group.histogram(step) {
                    let metric = group.labels.metric_name();
                    let notes = &mut self.notes.borrow_mut();
                    row.floats[step] = histogram::fraction(lower[step], upper[step], histogram, metric, extent, notes);
                    continue;
                }
                group.buckets_at(step, &mut buckets);
                if !buckets.is_empty() {
                    row.floats[step] = bucket_fraction(lower[step], upper[step], &mut buckets);
                }
            }
            if !row.is_empty() {
                sink(row)?;
            }
        }
        self.budget.release(bytes);
        Ok(())
    }

    fn check_quantiles(&self, quantiles: &[f64], extent: Extent) {
        for &quantile in quantiles.iter().filter(|quantile| !(0.0..=1.0).contains(*quantile)) {
            self.notes.borrow_mut().bad_quantile(extent, quantile);
        }
    }

    fn quantile_row(&self, group: &Group, quantiles: &[f64], extent: Extent, steps: Steps) -> Row<'static> {
        let mut row = Row::empty(group.labels.clone(), steps.count);
        row.drops_name = true;
        let metric = group.labels.metric_name();
        let mut buckets = Vec::new();
        for (step, &quantile) in quantiles.iter().enumerate() {
            if let Some(histogram) = group.histogram(step) {
                let notes = &mut self.notes.borrow_mut();
                row.floats[step] = histogram::quantile(quantile, histogram, metric, extent, notes);
                continue;
            }
            group.buckets_at(step, &mut buckets);
            if buckets.is_empty() {
                continue;
            }
            let (value, forced) = bucket_quantile(quantile, &mut buckets);
            row.floats[step] = value;
            if let Some((from, to, difference_max)) = forced.filter(|_| !group.is_told) {
                let time = steps.time(step);
                let corrections = Corrections { times_ms: (time, time), buckets: (from, to), difference_max, count: 1 };
                self.notes.borrow_mut().forced_monotonicity(extent, metric, corrections);
            }
        }
        row
    }

    /// Series by their labels without the bound, and the bytes that are held for them.
    fn groups(&self, argument: &Expr, steps: Steps) -> Result<(Vec<Group>, u64), QueryError> {
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        let mut bytes = 0;
        let mut group_of = |labels: Labels, groups: &mut Vec<Group>, drops_name: bool| {
            let at = *known.entry(labels.clone()).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Group { labels, drops_name, buckets: Vec::new(), histograms: Vec::new(), is_told: false });
            }
            groups[at].drops_name |= drops_name;
            at
        };
        self.rows(argument, steps, &mut |row| {
            bytes += row.bytes();
            self.budget.hold(row.bytes())?;
            if !row.histograms.is_empty() {
                let at = group_of(row.labels.clone().into_owned(), &mut groups, row.drops_name);
                groups[at].histograms.resize(steps.count, None);
                for (known, histogram) in groups[at].histograms.iter_mut().zip(row.histograms.clone()) {
                    *known = known.take().or(histogram);
                }
            }
            if row.floats.iter().all(|&value| is_absent(value)) {
                return Ok(());
            }
            let bound = row.labels.get(BOUND).unwrap_or_default();
            match parse_float(bound) {
                Some(upper) => {
                    let at = group_of(labels::except(&row.labels, &[BOUND.to_owned()]), &mut groups, row.drops_name);
                    groups[at].buckets.push((upper, row.floats));
                }
                None => {
                    let metric = row.labels.metric_name();
                    self.notes.borrow_mut().bad_bucket_label(argument.extent, metric, bound);
                }
            }
            Ok(())
        })?;
        for group in &mut groups {
            self.take_out_conflicts(group, argument.extent, steps);
        }
        Ok((groups, bytes))
    }

    /// Where a classic and a native histogram have the same labels, neither counts.
    fn take_out_conflicts(&self, group: &mut Group, extent: Extent, steps: Steps) {
        if group.histograms.is_empty() {
            return;
        }
        for step in 0..steps.count {
            let has_buckets = group.buckets.iter().any(|(_, counts)| !is_absent(counts[step]));
            if has_buckets && group.histograms[step].is_some() {
                self.notes.borrow_mut().mixed_classic_and_native(extent, group.labels.metric_name());
                group.histograms[step] = None;
                group.buckets.iter_mut().for_each(|(_, counts)| counts[step] = ABSENT);
            }
        }
    }
}

/// As OpenMetrics writes numbers in labels: `1.0`, `0.5`, `1e+06`.
fn bound_text(value: f64) -> String {
    let text = format::shortest(value);
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_whole { text + ".0" } else { text }
}
