//! What part of a native histogram's values lies between two numbers.

use weir_proto::metrics::Histogram;

use super::{Bucket, all_buckets, is_custom, quantile::zero_bounds};
use crate::promql::{notes::Notes, syntax::token::Extent};

/// The fraction; says when values that are no numbers lie nowhere.
pub(crate) fn fraction(
    lower: f64,
    upper: f64,
    histogram: &Histogram,
    metric: &str,
    extent: Extent,
    notes: &mut Notes,
) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let buckets = all_buckets(histogram);
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        let in_buckets: f64 = buckets.iter().map(|bucket| bucket.count).sum();
        if in_buckets < count {
            notes.fraction_without_nans(extent, metric);
            count = in_buckets;
        }
    }
    let lower = rank_of(lower, histogram, &buckets).unwrap_or(count).min(count);
    let upper = rank_of(upper, histogram, &buckets).unwrap_or(count).min(count);
    (upper - lower) / histogram.count
}

/// How many values are below; `None` when all buckets are.
fn rank_of(value: f64, histogram: &Histogram, buckets: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    for bucket in buckets {
        let mut bucket = *bucket;
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero && !is_custom(histogram) {
            (bucket.lower, bucket.upper) = zero_bounds(histogram, bucket.lower, bucket.upper);
        }
        if is_custom(histogram) && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 && value.is_finite() {
            // As for quantiles, the lowest bucket begins at zero.
            bucket.lower = 0.0;
        }
        if bucket.lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            return Some(rank + part_of(value, bucket, is_zero || is_custom(histogram)));
        }
        rank += bucket.count;
    }
    None
}

/// How much of a bucket's values lies below a value within it.
pub(super) fn part_of(value: f64, bucket: Bucket, is_linear: bool) -> f64 {
    if is_linear {
        if bucket.lower == f64::NEG_INFINITY {
            return bucket.count;
        }
        if bucket.upper == f64::INFINITY {
            return 0.0;
        }
        return bucket.count * (value - bucket.lower) / (bucket.upper - bucket.lower);
    }
    let (log_lower, log_upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    let log_value = value.abs().log2();
    if value > 0.0 {
        return bucket.count * (log_value - log_lower) / (log_upper - log_lower);
    }
    bucket.count * (1.0 - (log_value - log_upper) / (log_lower - log_upper))
}
