//! A native histogram without what lies above or below a number.

use weir_proto::metrics::Histogram;

use super::{
    Bucket, arithmetic::compact, bounds, fraction::part_of, is_custom, negative, positive, quantile::zero_bounds,
};
use super::{spanned, zero_bucket};

/// Where what is left of a bucket lies, and how its values are spread.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    Even,
    /// Evenly over the logarithms.
    Logarithmic,
}

/// Which side goes, and at which number.
#[derive(Clone, Copy)]
struct Cut {
    at: f64,
    /// What is above goes.
    is_upper: bool,
}

/// What stays when what is above (or below) goes. The sum is then what the middles of the buckets make of it.
pub(crate) fn trim(histogram: &Histogram, at: f64, is_upper: bool) -> Histogram {
    let cut = Cut { at, is_upper };
    let mut trimmed = histogram.clone();
    let (mut count, mut sum, mut is_whole) = (0.0, 0.0, true);
    let mut take = |bucket: Bucket, spread: Spread| {
        if bucket.count == 0.0 {
            return 0.0;
        }
        let (kept, middle) = cut.apply(bucket, spread);
        is_whole &= kept == bucket.count;
        if kept != 0.0 {
            count += kept;
            sum += kept * middle;
        }
        kept
    };
    let spread = if is_custom(histogram) { Spread::Even } else { Spread::Logarithmic };
    let mut left: Vec<_> = positive(histogram);
    for (index, count) in &mut left {
        let (lower, upper) = bounds(histogram, *index);
        *count = take(Bucket { lower, upper, count: *count }, spread);
    }
    (trimmed.positive_spans, trimmed.positive_counts) = spanned(&left);
    left = negative(histogram);
    for (index, count) in &mut left {
        let (lower, upper) = bounds(histogram, *index);
        *count = take(Bucket { lower: -upper, upper: -lower, count: *count }, spread);
    }
    (trimmed.negative_spans, trimmed.negative_counts) = spanned(&left);
    if histogram.zero_count > 0.0 {
        let zero = zero_bucket(histogram);
        let (lower, upper) = zero_bounds(histogram, zero.lower, zero.upper);
        trimmed.zero_count = take(Bucket { lower, upper, ..zero }, Spread::Even);
    }
    if is_whole {
        return histogram.clone();
    }
    (trimmed.count, trimmed.sum) = (count, sum);
    compact(&mut trimmed);
    trimmed
}

impl Cut {
    /// How much of a bucket stays, and where the middle of it is.
    fn apply(self, bucket: Bucket, spread: Spread) -> (f64, f64) {
        let Bucket { lower, upper, count } = bucket;
        if self.is_upper && self.at == f64::INFINITY || !self.is_upper && self.at == f64::NEG_INFINITY {
            return (count, finite_middle(bucket, spread));
        }
        if lower == f64::NEG_INFINITY {
            return self.apply_to_lowest(bucket);
        }
        if upper == f64::INFINITY {
            // Nobody knows how far its values reach.
            let stays = !self.is_upper && self.at != f64::INFINITY;
            return if stays { (count, lower.max(self.at)) } else { (0.0, 0.0) };
        }
        let (stays, goes) =
            if self.is_upper { (upper <= self.at, lower >= self.at) } else { (lower >= self.at, upper <= self.at) };
        if stays {
            return (count, middle(lower, upper, spread));
        }
        if goes {
            return (0.0, 0.0);
        }
        let below = part_of(self.at, bucket, spread == Spread::Even);
        if self.is_upper {
            (below, middle(lower, self.at, spread))
        } else {
            (count - below, middle(self.at, upper, spread))
        }
    }

    /// The bucket without a lower bound: from zero, where it reaches above it.
    fn apply_to_lowest(self, bucket: Bucket) -> (f64, f64) {
        let Bucket { upper, count, .. } = bucket;
        if upper == f64::INFINITY || self.at.is_infinite() {
            return (0.0, 0.0);
        }
        if upper <= 0.0 {
            return if self.is_upper { (count, upper.min(self.at)) } else { (0.0, 0.0) };
        }
        if self.at < 0.0 {
            return (0.0, 0.0);
        }
        self.apply(Bucket { lower: 0.0, ..bucket }, Spread::Even)
    }
}

fn finite_middle(bucket: Bucket, spread: Spread) -> f64 {
    match (bucket.lower.is_finite(), bucket.upper.is_finite()) {
        (true, true) => middle(bucket.lower, bucket.upper, spread),
        (true, false) => bucket.lower,
        (false, true) => bucket.upper.min(bucket.upper / 2.0),
        (false, false) => 0.0,
    }
}

fn middle(lower: f64, upper: f64, spread: Spread) -> f64 {
    match spread {
        Spread::Even => (lower + upper) / 2.0,
        Spread::Logarithmic => (lower * upper).abs().sqrt().copysign(upper + lower),
    }
}
