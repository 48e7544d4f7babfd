//! Quantiles of native histograms, interpolated within a bucket.

use weir_proto::metrics::Histogram;

use super::{all_buckets, is_custom};
use crate::promql::{notes::Notes, syntax::token::Extent};

/// The quantile; says what values that are no numbers did to it.
pub(crate) fn quantile(q: f64, histogram: &Histogram, metric: &str, extent: Extent, notes: &mut Notes) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    let has_nans = histogram.sum.is_nan();
    // What is no number is counted, but in no bucket: then ranks are known from below only.
    let is_forward = has_nans || q < 0.5;
    let mut buckets = all_buckets(histogram);
    if !is_forward {
        buckets.reverse();
    }
    let mut rank = if is_forward { q * histogram.count } else { (1.0 - q) * histogram.count };
    let mut count = 0.0;
    let mut found = None;
    let mut buckets = buckets.into_iter();
    for bucket in buckets.by_ref() {
        if bucket.count == 0.0 {
            continue;
        }
        count += bucket.count;
        found = Some(bucket);
        if count >= rank {
            break;
        }
    }
    let Some(mut bucket) = found else {
        return if has_nans { nan(metric, extent, notes) } else { 0.0 };
    };
    if is_custom(histogram) {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        (bucket.lower, bucket.upper) = zero_bounds(histogram, bucket.lower, bucket.upper);
    }
    // Sums of fractions may be above the count.
    count = count.min(histogram.count);
    if count < rank {
        return if has_nans { nan(metric, extent, notes) } else { bucket.upper };
    }
    rank = if is_forward { rank - (count - bucket.count) } else { count - rank };
    if has_nans {
        // As in Prometheus 3.14 the last bucket is the one that is interpolated in.
        for last in buckets {
            count += last.count;
            bucket = last;
        }
        if count < histogram.count {
            notes.quantile_is_skewed(extent, metric);
        }
    }
    let fraction = rank / bucket.count;
    let (lower, upper) = (bucket.lower, bucket.upper);
    if is_custom(histogram) || (lower <= 0.0 && upper >= 0.0) {
        return lower + (upper - lower) * fraction;
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    if lower > 0.0 {
        return (log_lower + (log_upper - log_lower) * fraction).exp2();
    }
    -(log_upper + (log_lower - log_upper) * (1.0 - fraction)).exp2()
}

fn nan(metric: &str, extent: Extent, notes: &mut Notes) -> f64 {
    notes.quantile_is_nan(extent, metric);
    f64::NAN
}

/// What is in the bucket of zero is on the side on which other values are.
pub(super) fn zero_bounds(histogram: &Histogram, lower: f64, upper: f64) -> (f64, f64) {
    match (histogram.negative_counts.is_empty(), histogram.positive_counts.is_empty()) {
        (true, false) => (0.0, upper),
        (false, true) => (lower, 0.0),
        _ => (lower, upper),
    }
}
