//! Native histograms: what is computed of them and with them.

pub(crate) mod arithmetic;
mod bounds;
mod fold;
mod fraction;
mod quantile;
mod text;
mod trim;

pub(crate) use arithmetic::{Incompatible, Outcome};
pub(crate) use fold::{HistogramMean, HistogramSum};
pub(crate) use fraction::fraction;
pub(crate) use quantile::quantile;
pub(crate) use text::text;
pub(crate) use trim::trim;

use weir_proto::metrics::{BucketSpan, Histogram, ResetHint};

/// The schema of buckets whose bounds are listed.
pub(crate) const CUSTOM_SCHEMA: i8 = -53;

/// A bucket between two values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// Whether the bounds of the buckets are listed.
pub(crate) fn is_custom(histogram: &Histogram) -> bool {
    histogram.schema == CUSTOM_SCHEMA
}

/// Indices and counts, in the order of the indices.
pub(crate) fn indexed(spans: &[BucketSpan], counts: &[f64]) -> Vec<(i32, f64)> {
    let mut buckets = Vec::with_capacity(counts.len());
    let mut counts = counts.iter();
    let mut index = 0_i32;
    for span in spans {
        index = index.saturating_add(span.offset);
        for _ in 0..span.length {
            let Some(&count) = counts.next() else { return buckets };
            buckets.push((index, count));
            index = index.saturating_add(1);
        }
    }
    buckets
}

/// Spans and counts of indices and counts that are in order.
pub(crate) fn spanned(buckets: &[(i32, f64)]) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0;
    for &(index, _) in buckets {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: index - next, length: 1 }),
        }
        next = index + 1;
    }
    (spans, buckets.iter().map(|&(_, count)| count).collect())
}

pub(crate) fn positive(histogram: &Histogram) -> Vec<(i32, f64)> {
    indexed(&histogram.positive_spans, &histogram.positive_counts)
}

pub(crate) fn negative(histogram: &Histogram) -> Vec<(i32, f64)> {
    indexed(&histogram.negative_spans, &histogram.negative_counts)
}

/// The upper bound of a bucket of exponential bounds.
pub(crate) fn exponential_bound(schema: i8, index: i32) -> f64 {
    if schema < 0 {
        let exponent = i64::from(index) << -i32::from(schema);
        return if exponent == 1024 { f64::MAX } else { 2_f64.powi(exponent.clamp(-1100, 1100) as i32) };
    }
    let per_power = 1_i32 << schema;
    let (power, part) = (index.div_euclid(per_power), index.rem_euclid(per_power));
    if part == 0 && power == 1024 {
        return f64::MAX;
    }
    bounds::fraction(schema, part) * 2_f64.powi(power.clamp(-1100, 1100))
}

/// Lower and upper bound of a bucket of positive values.
pub(crate) fn bounds(histogram: &Histogram, index: i32) -> (f64, f64) {
    if is_custom(histogram) {
        let bound = |index: i32| usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        let lower = bound(index - 1).copied().unwrap_or(f64::NEG_INFINITY);
        return (lower, bound(index).copied().unwrap_or(f64::INFINITY));
    }
    (exponential_bound(histogram.schema, index - 1), exponential_bound(histogram.schema, index))
}

/// Buckets of positive values, from the lowest.
pub(crate) fn positive_buckets(histogram: &Histogram) -> impl DoubleEndedIterator<Item = Bucket> {
    positive(histogram).into_iter().map(|(index, count)| {
        let (lower, upper) = bounds(histogram, index);
        Bucket { lower, upper, count }
    })
}

/// Buckets of negative values, from the one next to zero.
pub(crate) fn negative_buckets(histogram: &Histogram) -> impl DoubleEndedIterator<Item = Bucket> {
    negative(histogram).into_iter().map(|(index, count)| {
        let (lower, upper) = bounds(histogram, index);
        Bucket { lower: -upper, upper: -lower, count }
    })
}

pub(crate) fn zero_bucket(histogram: &Histogram) -> Bucket {
    Bucket { lower: -histogram.zero_threshold, upper: histogram.zero_threshold, count: histogram.zero_count }
}

/// All buckets from the lowest; that of zero only when something is in it.
pub(crate) fn all_buckets(histogram: &Histogram) -> Vec<Bucket> {
    let zero = (histogram.zero_count > 0.0).then(|| zero_bucket(histogram));
    negative_buckets(histogram).rev().chain(zero).chain(positive_buckets(histogram)).collect()
}

/// Whether both have the same buckets, counts and sums.
pub(crate) fn equal(one: &Histogram, other: &Histogram) -> bool {
    one.schema == other.schema
        && one.count == other.count
        && one.sum.to_bits() == other.sum.to_bits()
        && one.zero_threshold == other.zero_threshold
        && one.zero_count == other.zero_count
        && (!is_custom(one) || one.custom_values == other.custom_values)
        && positive(one) == positive(other)
        && negative(one) == negative(other)
}

/// Whether counting began anew between the two.
pub(crate) fn is_reset(before: &Histogram, now: &Histogram) -> bool {
    match now.reset_hint {
        ResetHint::Reset => return true,
        ResetHint::NotReset => return false,
        ResetHint::Unknown | ResetHint::Gauge => {}
    }
    if now.count < before.count || is_custom(now) != is_custom(before) {
        return true;
    }
    let falls = |before: &[(i32, f64)], now: &[(i32, f64)]| {
        before.iter().any(|&(index, count)| {
            let after = now.binary_search_by_key(&index, |&(index, _)| index).map_or(0.0, |at| now[at].1);
            after < count
        })
    };
    if is_custom(now) {
        let shared = arithmetic::shared_bounds(&now.custom_values, &before.custom_values);
        let (before, now) = (arithmetic::at_bounds(before, &shared), arithmetic::at_bounds(now, &shared));
        return falls(&positive(&before), &positive(&now));
    }
    if now.schema > before.schema || now.zero_threshold < before.zero_threshold {
        return true;
    }
    let (zero_count, threshold) = arithmetic::zero_count_at(before, now.zero_threshold);
    if threshold != now.zero_threshold || now.zero_count < zero_count {
        return true;
    }
    let mut before = before.clone();
    arithmetic::raise_threshold(&mut before, threshold);
    let before = arithmetic::at_schema(&before, now.schema);
    falls(&positive(&before), &positive(now)) || falls(&negative(&before), &negative(now))
}

/// Which hints were seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hints {
    reset: bool,
    not_reset: bool,
}

impl Hints {
    pub(crate) fn of(histogram: &Histogram) -> Self {
        let mut hints = Self::default();
        hints.add(histogram);
        hints
    }

    pub(crate) fn add(&mut self, histogram: &Histogram) {
        self.reset |= histogram.reset_hint == ResetHint::Reset;
        self.not_reset |= histogram.reset_hint == ResetHint::NotReset;
    }

    /// Whether they cannot both be right.
    pub(crate) fn conflict(self) -> bool {
        self.reset && self.not_reset
    }
}
