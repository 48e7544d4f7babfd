//! Numbers of native histograms; quantiles and fractions of classic ones, which are series of buckets.

use weir_proto::metrics::Histogram;

use crate::promql::{histogram, sum::Sum};

pub(super) fn avg(histogram: &Histogram) -> f64 {
    histogram.sum / histogram.count
}

pub(super) fn count(histogram: &Histogram) -> f64 {
    histogram.count
}

pub(super) fn sum(histogram: &Histogram) -> f64 {
    histogram.sum
}

pub(super) fn stddev(histogram: &Histogram) -> f64 {
    stdvar(histogram).sqrt()
}

pub(super) fn stdvar(histogram: &Histogram) -> f64 {
    let mean = avg(histogram);
    let mut variance = Sum::default();
    for bucket in histogram::all_buckets(histogram).into_iter().filter(|bucket| bucket.count != 0.0) {
        let value = if histogram::is_custom(histogram) {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = value - mean;
        variance.add(bucket.count * delta * delta);
    }
    variance.total() / histogram.count
}

/// The count of a classic histogram up to a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BucketRow {
    pub(crate) upper: f64,
    pub(crate) count: f64,
}

/// A quantile, and what had to be done to counts that fell: from which bound to which, and by how much at most.
pub(crate) type Quantile = (f64, Option<(f64, f64, f64)>);

/// The quantile of buckets in any order, which are sorted and made to rise.
pub(crate) fn bucket_quantile(q: f64, buckets: &mut Vec<BucketRow>) -> Quantile {
    if q.is_nan() {
        return (f64::NAN, None);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if q > 1.0 {
        return (f64::INFINITY, None);
    }
    if !prepare(buckets) {
        return (f64::NAN, None);
    }
    smooth(buckets);
    let forced = raise(buckets);
    let [.., before_last, last] = buckets.as_slice() else { return (f64::NAN, None) };
    if last.count == 0.0 || last.count.is_nan() {
        return (f64::NAN, None);
    }
    let mut rank = q * last.count;
    let at = buckets[..buckets.len() - 1].partition_point(|bucket| bucket.count < rank);
    if at == buckets.len() - 1 {
        return (before_last.upper, forced);
    }
    if at == 0 && buckets[0].upper <= 0.0 {
        return (buckets[0].upper, forced);
    }
    let BucketRow { upper, mut count } = buckets[at];
    let mut lower = 0.0;
    if at > 0 {
        lower = buckets[at - 1].upper;
        count -= buckets[at - 1].count;
        rank -= buckets[at - 1].count;
    }
    (lower + (upper - lower) * (rank / count), forced)
}

/// What part of the values lies between two numbers.
pub(crate) fn bucket_fraction(lower: f64, upper: f64, buckets: &mut Vec<BucketRow>) -> f64 {
    if !prepare(buckets) {
        return f64::NAN;
    }
    let count = buckets.last().map_or(0.0, |last| last.count);
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank_of = |value: f64| {
        let mut below = 0.0;
        let mut begin = if buckets[0].upper > 0.0 { 0.0 } else { f64::NEG_INFINITY };
        for bucket in buckets.iter() {
            if begin >= value {
                return below;
            }
            if bucket.upper > value {
                let inside = bucket.count - below;
                return below
                    + if begin == f64::NEG_INFINITY {
                        inside
                    } else if bucket.upper == f64::INFINITY {
                        0.0
                    } else {
                        inside * (value - begin) / (bucket.upper - begin)
                    };
            }
            below = bucket.count;
            begin = bucket.upper;
        }
        count
    };
    (rank_of(upper).min(count) - rank_of(lower).min(count)) / count
}

/// Sorts them and joins those of one bound. False when the highest is not infinite or there is only one.
fn prepare(buckets: &mut Vec<BucketRow>) -> bool {
    buckets.sort_by(|one, other| one.upper.total_cmp(&other.upper));
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

/// Takes differences that come from arithmetic with floats for none.
fn smooth(buckets: &mut [BucketRow]) {
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let difference = (bucket.count - before).abs();
        if difference == 0.0 {
            continue;
        }
        if difference / bucket.count <= 1e-12 {
            bucket.count = before;
        } else {
            before = bucket.count;
        }
    }
}

/// Makes counts that fall as large as those before them.
fn raise(buckets: &mut [BucketRow]) -> Option<(f64, f64, f64)> {
    let mut forced: Option<(f64, f64, f64)> = None;
    let mut highest = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count > highest {
            highest = bucket.count;
        } else if bucket.count < highest {
            let difference = highest - bucket.count;
            let (first, _, most) = forced.unwrap_or((bucket.upper, bucket.upper, 0.0));
            forced = Some((first, bucket.upper, difference.max(most)));
            bucket.count = highest;
        }
    }
    forced
}
