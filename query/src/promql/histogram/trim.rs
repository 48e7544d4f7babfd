//! A native histogram without what lies above or below a number.

use weir_proto::metrics::Histogram;

use super::{
    Bucket, arithmetic::compact, bounds, fraction::part_of, is_custom, negative, positive, spanned, zero_bucket,
};

/// Which side goes, and at which number.
#[derive(Clone, Copy)]
struct Cut {
    at: f64,
    /// What is above goes.
    is_upper: bool,
    is_custom: bool,
}

/// What stays when what is above (or below) goes.
pub(crate) fn trim(histogram: &Histogram, at: f64, is_upper: bool) -> Histogram {
    let cut = Cut { at, is_upper, is_custom: is_custom(histogram) };
    let mut trimmed = histogram.clone();
    let (mut count, mut removed) = (0.0, 0.0);
    let (mut has_positive, mut has_negative) = (false, false);
    let mut cut_buckets = |buckets: Vec<(i32, f64)>, is_positive: bool| {
        let mut left = Vec::with_capacity(buckets.len());
        for (index, bucket_count) in buckets {
            let (lower, upper) = bounds(histogram, index);
            let (lower, upper) = if is_positive { (lower, upper) } else { (-upper, -lower) };
            let bucket = Bucket { lower, upper, count: bucket_count };
            if bucket_count == 0.0 {
                left.push((index, 0.0));
                continue;
            }
            has_negative |= if cut.is_custom { lower < 0.0 || upper <= 0.0 } else { !is_positive };
            has_positive |= if cut.is_custom { upper > 0.0 } else { is_positive };
            let (kept, middle) = cut.apply(bucket, is_positive);
            removed += (bucket_count - kept) * middle;
            count += kept;
            left.push((index, kept));
        }
        spanned(&left)
    };
    (trimmed.positive_spans, trimmed.positive_counts) = cut_buckets(positive(histogram), true);
    (trimmed.negative_spans, trimmed.negative_counts) = cut_buckets(negative(histogram), false);
    if trimmed.zero_count > 0.0 {
        let zero = zero_bucket(histogram);
        let below = below(zero, at, true);
        trimmed.zero_count = if is_upper { below } else { zero.count - below };
        count += trimmed.zero_count;
    }
    trimmed.sum = if count == 0.0 { 0.0 } else { histogram.sum - removed };
    if (!has_negative && trimmed.sum < 0.0) || (!has_positive && trimmed.sum > 0.0) {
        trimmed.sum = 0.0;
    }
    trimmed.count = count;
    compact(&mut trimmed);
    trimmed
}

impl Cut {
    /// How much of a bucket stays, and what a value that goes is taken to have been.
    fn apply(self, bucket: Bucket, is_positive: bool) -> (f64, f64) {
        let Bucket { lower, upper, count } = bucket;
        let stays = if self.is_upper { upper <= self.at } else { lower >= self.at };
        if stays {
            return (count, 0.0);
        }
        let goes = if self.is_upper { lower >= self.at } else { upper <= self.at };
        if lower.is_infinite() || upper.is_infinite() {
            return self.apply_to_infinite(bucket);
        }
        if goes {
            return (0.0, self.middle(lower, upper, is_positive));
        }
        let below = below(bucket, self.at, self.is_custom);
        if self.is_upper {
            (below, self.middle(self.at, upper, is_positive).max(f64::NEG_INFINITY))
        } else {
            (count - below, self.middle(lower, self.at, is_positive))
        }
    }

    /// Where values between two numbers are taken to be.
    fn middle(self, lower: f64, upper: f64, is_positive: bool) -> f64 {
        if self.is_custom {
            return (lower + upper) / 2.0;
        }
        let middle = (lower * upper).abs().sqrt();
        if is_positive { middle } else { -middle }
    }

    /// Nobody knows where in an infinite bucket values are: all go, but for those of the lowest one, taken to begin at
    /// zero.
    fn apply_to_infinite(self, bucket: Bucket) -> (f64, f64) {
        let Bucket { lower, upper, count } = bucket;
        if lower != f64::NEG_INFINITY {
            return (0.0, lower);
        }
        if self.at >= 0.0 && upper > self.at && upper.is_finite() {
            let below = count * self.at / upper;
            return if self.is_upper { (below, (self.at + upper) / 2.0) } else { (count - below, self.at / 2.0) };
        }
        (0.0, upper)
    }
}

fn below(bucket: Bucket, at: f64, is_linear: bool) -> f64 {
    if at <= bucket.lower {
        0.0
    } else if at >= bucket.upper {
        bucket.count
    } else {
        part_of(at, bucket, is_linear)
    }
}
