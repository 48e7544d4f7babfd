//! Native histograms: of exponential points, of classic ones, and sums of two.

use std::collections::BTreeMap;

use weir_proto::{
    metrics::{BucketSpan, Histogram, STALE_NAN},
    otlp::metrics::{ExponentialPoint, HistogramPoint},
    remote_write::fault_of,
};

/// The finest that native histograms know: finer ones are merged down to it.
const SCHEMA_MAX: i32 = 8;
/// The coarsest.
const SCHEMA_MIN: i32 = -4;

/// Schema of custom bounds.
const CUSTOM: i8 = -53;

/// How near to zero is zero where nobody says.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Empty buckets that are written out instead of beginning another span.
const GAP_MAX: i32 = 2;

/// Most buckets of one histogram.
const BUCKETS_MAX: usize = 65_536;

/// An exponential point; a word where it is none that can be kept.
pub(super) fn of_exponential(point: &ExponentialPoint<'_>) -> Result<Histogram, String> {
    if point.scale < SCHEMA_MIN {
        return Err(format!(
            "cannot convert exponential to native histogram. Scale must be >= {SCHEMA_MIN}, was {}",
            point.scale
        ));
    }
    if point.positive.1.len() > BUCKETS_MAX || point.negative.1.len() > BUCKETS_MAX {
        return Err(format!("more than {BUCKETS_MAX} buckets"));
    }
    let shift = (point.scale - SCHEMA_MAX).max(0);
    let mut histogram = Histogram {
        schema: point.scale.min(SCHEMA_MAX) as i8,
        zero_threshold: if point.zero_threshold > 0.0 { point.zero_threshold } else { ZERO_THRESHOLD },
        ..Histogram::default()
    };
    if point.is_empty() {
        histogram.sum = STALE_NAN;
        return Ok(histogram);
    }
    histogram.count = point.count as f64;
    histogram.sum = point.sum.unwrap_or(0.0);
    histogram.zero_count = point.zero_count as f64;
    (histogram.positive_spans, histogram.positive_counts) = laid_out(&moved(&point.positive, shift));
    (histogram.negative_spans, histogram.negative_counts) = laid_out(&moved(&point.negative, shift));
    fault_of(&histogram).map_or(Ok(histogram), |fault| Err(fault.to_string()))
}

/// A classic point as a histogram with custom bounds.
pub(super) fn of_classic(point: &HistogramPoint<'_>) -> Result<Histogram, String> {
    if !point.bucket_counts.is_empty() && point.bucket_counts.len() != point.bounds.len() + 1 {
        return Err("one bucket more than bounds has to be there".into());
    }
    let mut histogram = Histogram { schema: CUSTOM, custom_values: point.bounds.clone(), ..Histogram::default() };
    if point.is_empty() {
        histogram.sum = STALE_NAN;
        return Ok(histogram);
    }
    // The bound of the last bucket is said by there being no more.
    if histogram.custom_values.last() == Some(&f64::INFINITY) {
        histogram.custom_values.pop();
    }
    histogram.count = point.count as f64;
    histogram.sum = point.sum.unwrap_or(0.0);
    let buckets = (0..).zip(&point.bucket_counts).filter(|(_, count)| **count > 0);
    let buckets: BTreeMap<i32, f64> = buckets.map(|(index, count)| (index, *count as f64)).collect();
    (histogram.positive_spans, histogram.positive_counts) = laid_out(&buckets);
    fault_of(&histogram).map_or(Ok(histogram), |fault| Err(fault.to_string()))
}

/// Counts by Prometheus' index, which is of the upper bound, not of the lower one; merged down by powers of two.
fn moved((offset, counts): &(i32, Vec<u64>), shift: i32) -> BTreeMap<i32, f64> {
    let mut buckets = BTreeMap::new();
    for (index, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
        let at = (i64::from(*offset) + index) >> shift;
        *buckets.entry((at + 1).clamp(i32::MIN.into(), i32::MAX.into()) as i32).or_default() += *count as f64;
    }
    buckets
}

/// Spans and counts of buckets by their index.
fn laid_out(buckets: &BTreeMap<i32, f64>) -> (Vec<BucketSpan>, Vec<f64>) {
    let (mut spans, mut counts): (Vec<BucketSpan>, Vec<f64>) = (Vec::new(), Vec::new());
    // The index behind the last bucket.
    let mut end = 0;
    for (&index, &count) in buckets {
        let gap = index.saturating_sub(end);
        match spans.last_mut() {
            Some(last) if gap <= GAP_MAX => {
                last.length += gap as u32 + 1;
                counts.extend(std::iter::repeat_n(0.0, gap as usize));
            }
            _ => spans.push(BucketSpan { offset: gap, length: 1 }),
        }
        counts.push(count);
        end = index.saturating_add(1);
    }
    (spans, counts)
}

/// Counts by index.
fn gathered(spans: &[BucketSpan], counts: &[f64]) -> BTreeMap<i32, f64> {
    let mut buckets = BTreeMap::new();
    let (mut index, mut counts) = (0_i32, counts.iter());
    for span in spans {
        index = index.wrapping_add(span.offset);
        for _ in 0..span.length {
            let Some(count) = counts.next() else { return buckets };
            if *count != 0.0 {
                buckets.insert(index, *count);
            }
            index = index.wrapping_add(1);
        }
    }
    buckets
}

/// Adds `more` to `total`; false where their bounds do not fit together.
pub(super) fn add(total: &mut Histogram, more: &Histogram) -> bool {
    if (total.schema == CUSTOM) != (more.schema == CUSTOM) || total.custom_values != more.custom_values {
        return false;
    }
    let schema = total.schema.min(more.schema);
    let sides = |histogram: &Histogram, shift: i8| {
        let coarser = |buckets: BTreeMap<i32, f64>| {
            let mut out = BTreeMap::new();
            for (index, count) in buckets {
                let at = if shift > 0 { ((index - 1) >> shift) + 1 } else { index };
                *out.entry(at).or_default() += count;
            }
            out
        };
        (
            coarser(gathered(&histogram.positive_spans, &histogram.positive_counts)),
            coarser(gathered(&histogram.negative_spans, &histogram.negative_counts)),
        )
    };
    let (mut positive, mut negative) = sides(total, total.schema - schema);
    let (more_positive, more_negative) = sides(more, more.schema - schema);
    for (into, from) in [(&mut positive, more_positive), (&mut negative, more_negative)] {
        for (index, count) in from {
            *into.entry(index).or_default() += count;
        }
    }
    total.schema = schema;
    total.zero_threshold = total.zero_threshold.max(more.zero_threshold);
    total.zero_count += more.zero_count;
    total.count += more.count;
    total.sum += more.sum;
    (total.positive_spans, total.positive_counts) = laid_out(&positive);
    (total.negative_spans, total.negative_counts) = laid_out(&negative);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i32, offset: i32, counts: &[u64]) -> Histogram {
        let mut point = ExponentialPoint::default();
        point.scale = scale;
        point.positive = (offset, counts.to_vec());
        point.count = counts.iter().sum();
        of_exponential(&point).expect("a histogram")
    }

    fn buckets(histogram: &Histogram) -> Vec<(i32, f64)> {
        gathered(&histogram.positive_spans, &histogram.positive_counts).into_iter().collect()
    }

    #[test]
    fn an_index_is_of_the_upper_bound() {
        let histogram = exponential(0, -1, &[1, 0, 2, 0, 0, 0, 3]);
        assert_eq!(buckets(&histogram), [(0, 1.0), (2, 2.0), (6, 3.0)]);
        assert_eq!(
            histogram.positive_spans,
            [BucketSpan { offset: 0, length: 3 }, BucketSpan { offset: 3, length: 1 }]
        );
        assert_eq!(histogram.zero_threshold, ZERO_THRESHOLD);
    }

    #[test]
    fn finer_ones_are_merged_down() {
        let histogram = exponential(10, -5, &[1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!((histogram.schema, histogram.count), (8, 9.0));
        // Indexes -5 to 3, four of them in one: -2, -1, 0.
        assert_eq!(buckets(&histogram), [(-1, 1.0), (0, 4.0), (1, 4.0)]);
        let mut bad = ExponentialPoint::default();
        bad.scale = -5;
        assert!(of_exponential(&bad).is_err());
        (bad.scale, bad.count) = (0, 9);
        let said = of_exponential(&bad).expect_err("nine, and none in buckets");
        assert!(said.starts_with("0 observations found in buckets, but the Count field is 9: "), "{said}");
    }

    #[test]
    fn sums_take_the_coarser_schema() {
        let mut total = exponential(1, 0, &[1, 2, 3, 4]);
        assert!(add(&mut total, &exponential(0, 0, &[10, 20])));
        assert_eq!((total.schema, total.count), (0, 40.0));
        assert_eq!(buckets(&total), [(1, 13.0), (2, 27.0)]);
        let mut classic = HistogramPoint::default();
        (classic.bounds, classic.bucket_counts, classic.count) = (vec![1.0], vec![1, 2], 3);
        let classic = of_classic(&classic).expect("a histogram");
        assert_eq!(buckets(&classic), [(0, 1.0), (1, 2.0)]);
        assert!(!add(&mut total, &classic));
    }
}
