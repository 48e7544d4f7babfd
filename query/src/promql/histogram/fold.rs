//! Many histograms summed or averaged, without losing small counts beside large ones.

use weir_proto::metrics::Histogram;

use super::{
    Incompatible, Outcome,
    arithmetic::{aligned, divide, join_hints, merge, scale},
    indexed, negative, positive, spanned,
};
use crate::promql::sum::Sum;

/// A sum of histograms, and what it lost.
#[derive(Debug, Clone)]
pub(crate) struct HistogramSum {
    sum: Histogram,
    lost: Histogram,
}

impl HistogramSum {
    pub(crate) fn of(first: &Histogram) -> Self {
        let mut lost = first.clone();
        scale(&mut lost, 0.0);
        // Infinite and missing values lost nothing yet.
        (lost.sum, lost.count, lost.zero_count) = (0.0, 0.0, 0.0);
        lost.positive_counts.iter_mut().chain(&mut lost.negative_counts).for_each(|count| *count = 0.0);
        Self { sum: first.clone(), lost }
    }

    pub(crate) fn add(&mut self, other: &Histogram) -> Result<Outcome, Incompatible> {
        let (other, reconciled) = aligned(&mut self.sum, Some(&mut self.lost), other)?;
        let (sum, lost) = (&mut self.sum, &mut self.lost);
        let conflicting = join_hints(sum, &other);
        add_one(&mut sum.count, &mut lost.count, other.count);
        add_one(&mut sum.sum, &mut lost.sum, other.sum);
        add_one(&mut sum.zero_count, &mut lost.zero_count, other.zero_count);
        for (spans, counts, lost_spans, lost_counts, others) in [
            (
                &mut sum.positive_spans,
                &mut sum.positive_counts,
                &mut lost.positive_spans,
                &mut lost.positive_counts,
                positive(&other),
            ),
            (
                &mut sum.negative_spans,
                &mut sum.negative_counts,
                &mut lost.negative_spans,
                &mut lost.negative_counts,
                negative(&other),
            ),
        ] {
            let mut sums = indexed(spans, counts);
            let mut losses = indexed(lost_spans, lost_counts);
            // Both have the same buckets, before and after.
            merge(&mut sums, &others, |_, _| {});
            merge(&mut losses, &others, |_, _| {});
            for (index, count) in others {
                let at = sums.partition_point(|&(known, _)| known < index);
                let lost = losses.partition_point(|&(known, _)| known < index);
                add_one(&mut sums[at].1, &mut losses[lost].1, count);
            }
            (*spans, *counts) = spanned(&sums);
            (*lost_spans, *lost_counts) = spanned(&losses);
        }
        Ok(Outcome { conflicting, reconciled })
    }

    fn overflows(&self) -> bool {
        let sum = &self.sum;
        [sum.count, sum.sum, sum.zero_count].iter().any(|value| value.is_infinite())
            || sum.positive_counts.iter().chain(&sum.negative_counts).any(|count| count.is_infinite())
    }

    pub(crate) fn total(mut self) -> Histogram {
        // The hint is the sum's.
        self.lost.reset_hint = self.sum.reset_hint;
        let _ = super::arithmetic::add(&mut self.sum, &self.lost);
        self.sum
    }
}

fn add_one(sum: &mut f64, lost: &mut f64, value: f64) {
    let mut both = Sum { sum: *sum, lost: *lost };
    both.add(value);
    (*sum, *lost) = (both.sum, both.lost);
}

/// An average of histograms: of the sum while that does not overflow, then of averages.
#[derive(Debug, Clone)]
pub(crate) struct HistogramMean {
    sum: HistogramSum,
    count: f64,
    is_incremental: bool,
}

impl HistogramMean {
    pub(crate) fn of(first: &Histogram) -> Self {
        Self { sum: HistogramSum::of(first), count: 1.0, is_incremental: false }
    }

    pub(crate) fn add(&mut self, other: &Histogram) -> Result<Outcome, Incompatible> {
        self.count += 1.0;
        if !self.is_incremental {
            let mut sum = self.sum.clone();
            let outcome = sum.add(other)?;
            if !sum.overflows() {
                self.sum = sum;
                return Ok(outcome);
            }
            self.is_incremental = true;
            divide(&mut self.sum.sum, self.count - 1.0);
            divide(&mut self.sum.lost, self.count - 1.0);
        }
        let weight = (self.count - 1.0) / self.count;
        scale(&mut self.sum.sum, weight);
        scale(&mut self.sum.lost, weight);
        let mut part = other.clone();
        divide(&mut part, self.count);
        self.sum.add(&part)
    }

    pub(crate) fn total(mut self) -> Histogram {
        if !self.is_incremental {
            divide(&mut self.sum.sum, self.count);
            divide(&mut self.sum.lost, self.count);
        }
        self.sum.total()
    }
}
