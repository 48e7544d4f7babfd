//! A native histogram as text.

use std::fmt::Write as _;

use weir_proto::metrics::Histogram;

use super::{Bucket, is_custom, negative_buckets, positive_buckets, zero_bucket};
use crate::promql::format;

/// As `count_values` names it: `{count:4, sum:5, (0.5,1]:1, (1,2]:2}`.
pub(crate) fn text(histogram: &Histogram) -> String {
    let mut out = format!("{{count:{}, sum:{}", format::shortest(histogram.count), format::shortest(histogram.sum));
    let mut put = |bucket: Bucket, open: char, close: char| {
        if bucket.count != 0.0 {
            let (lower, upper) = (format::shortest(bucket.lower), format::shortest(bucket.upper));
            let _ = write!(out, ", {open}{lower},{upper}{close}:{}", format::shortest(bucket.count));
        }
    };
    negative_buckets(histogram).rev().for_each(|bucket| put(bucket, '[', ')'));
    put(zero_bucket(histogram), '[', ']');
    for bucket in positive_buckets(histogram) {
        let open = if is_custom(histogram) && bucket.lower == f64::NEG_INFINITY { '[' } else { '(' };
        put(bucket, open, ']');
    }
    out.push('}');
    out
}
