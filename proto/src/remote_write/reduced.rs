//! Histograms finer than Weir keeps them: their buckets are merged by powers of two.

use std::collections::BTreeMap;

use crate::metrics::{BucketSpan, Histogram};

/// The finest schema that is kept.
const SCHEMA_MAX: i64 = 8;

/// The finest that can be merged down to it: the format has no finer one.
pub(super) const SCHEMA_READABLE_MAX: i64 = 52;

/// Merges buckets until the schema is one that is kept. Spans and counts fit each other.
pub(super) fn reduce(histogram: &mut Histogram, schema: i64) {
    let Some(shift) = u32::try_from(schema - SCHEMA_MAX).ok().filter(|shift| *shift > 0) else { return };
    histogram.schema = SCHEMA_MAX as i8;
    let sides = [
        (&mut histogram.positive_spans, &mut histogram.positive_counts),
        (&mut histogram.negative_spans, &mut histogram.negative_counts),
    ];
    for (spans, counts) in sides {
        let mut merged: BTreeMap<i32, f64> = BTreeMap::new();
        let (mut index, mut left) = (0_i32, counts.iter());
        for span in &*spans {
            index = index.wrapping_add(span.offset);
            for count in left.by_ref().take(span.length as usize) {
                // A bucket's index is of its upper bound.
                *merged.entry((index.wrapping_sub(1) >> shift.min(31)).wrapping_add(1)).or_default() += count;
                index = index.wrapping_add(1);
            }
        }
        spans.clear();
        counts.clear();
        let mut end = 0;
        for (index, count) in merged {
            match spans.last_mut() {
                Some(last) if index == end => last.length += 1,
                _ => spans.push(BucketSpan { offset: index.wrapping_sub(end), length: 1 }),
            }
            counts.push(count);
            end = index.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_merged_by_upper_bound() {
        let span = |offset, length| BucketSpan { offset, length };
        let mut histogram = Histogram {
            positive_spans: vec![span(-3, 5), span(10, 1)],
            positive_counts: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            negative_spans: vec![span(0, 1)],
            negative_counts: vec![7.0],
            ..Histogram::default()
        };
        reduce(&mut histogram, 10);
        // -3 to 0 become 0, 1 becomes 1, 12 becomes 3.
        assert_eq!(histogram.positive_spans, [span(0, 2), span(1, 1)]);
        assert_eq!((histogram.schema, &histogram.positive_counts[..]), (8, &[10.0, 5.0, 6.0][..]));
        assert_eq!((&histogram.negative_spans[..], &histogram.negative_counts[..]), (&[span(0, 1)][..], &[7.0][..]));
        let mut same = Histogram { schema: 8, ..histogram.clone() };
        reduce(&mut same, 8);
        assert_eq!(same, histogram);
    }
}
