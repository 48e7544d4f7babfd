//! A native histogram in bytes: whole counts as numbers, each as what it differs from the bucket before.

use weir_proto::metrics::{BucketSpan, Histogram, ResetHint};

use super::bytes::{count, float, put_float, put_signed, signed};
use crate::journal::{Fields, put_varint};

/// Counts are floats.
const FLOAT_COUNTS: u8 = 1;
/// The histogram arrived with counts as floats.
const IS_FLOAT: u8 = 2;
/// Where the reset hint is.
const HINT_SHIFT: u8 = 2;

const HINTS: [ResetHint; 4] = [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge];

/// Counts above are not whole for certain.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Appends a histogram (docs/formats.md, Histogram).
pub(crate) fn put_histogram(into: &mut Vec<u8>, histogram: &Histogram) {
    let counts = [histogram.count, histogram.zero_count];
    let buckets = histogram.positive_counts.iter().chain(&histogram.negative_counts);
    let whole = counts.iter().chain(buckets).all(|&count| is_whole(count));
    let hint = HINTS.iter().position(|&hint| hint == histogram.reset_hint).unwrap_or_default() as u8;
    let is_float = if histogram.is_float { IS_FLOAT } else { 0 };
    into.push((u8::from(!whole) * FLOAT_COUNTS) | is_float | (hint << HINT_SHIFT));
    into.push(histogram.schema as u8);
    put_float(into, histogram.zero_threshold);
    put_float(into, histogram.sum);
    for count in counts {
        put_count(into, count, whole);
    }
    let sides = [
        (&histogram.positive_spans, &histogram.positive_counts),
        (&histogram.negative_spans, &histogram.negative_counts),
    ];
    for (spans, counts) in sides {
        put_varint(into, spans.len() as u64);
        for span in spans {
            put_signed(into, i64::from(span.offset));
            put_varint(into, u64::from(span.length));
        }
        put_varint(into, counts.len() as u64);
        let mut before = 0;
        for &count in counts {
            if whole {
                put_signed(into, count as i64 - before);
                before = count as i64;
            } else {
                put_float(into, count);
            }
        }
    }
    put_varint(into, histogram.custom_values.len() as u64);
    for &bound in &histogram.custom_values {
        put_float(into, bound);
    }
}

/// Reads what [`put_histogram`] wrote.
pub(crate) fn histogram(fields: &mut Fields<'_>) -> Option<Histogram> {
    let flags = fields.u8()?;
    let whole = flags & FLOAT_COUNTS == 0;
    let mut histogram = Histogram {
        reset_hint: *HINTS.get(usize::from(flags >> HINT_SHIFT))?,
        is_float: flags & IS_FLOAT != 0,
        schema: fields.u8()? as i8,
        zero_threshold: float(fields)?,
        sum: float(fields)?,
        ..Histogram::default()
    };
    histogram.count = read_count(fields, whole)?;
    histogram.zero_count = read_count(fields, whole)?;
    (histogram.positive_spans, histogram.positive_counts) = side(fields, whole)?;
    (histogram.negative_spans, histogram.negative_counts) = side(fields, whole)?;
    let bounds = count(fields, 8)?;
    for _ in 0..bounds {
        histogram.custom_values.push(float(fields)?);
    }
    Some(histogram)
}

fn side(fields: &mut Fields<'_>, whole: bool) -> Option<(Vec<BucketSpan>, Vec<f64>)> {
    let spans = count(fields, 2)?;
    let spans: Option<Vec<_>> = (0..spans)
        .map(|_| Some(BucketSpan { offset: signed(fields)?.try_into().ok()?, length: fields.varint_u32()? }))
        .collect();
    let buckets = count(fields, if whole { 1 } else { 8 })?;
    let mut before = 0_i64;
    let counts: Option<Vec<_>> = (0..buckets)
        .map(|_| {
            if !whole {
                return float(fields);
            }
            before = before.wrapping_add(signed(fields)?);
            Some(before as f64)
        })
        .collect();
    Some((spans?, counts?))
}

fn put_count(into: &mut Vec<u8>, count: f64, whole: bool) {
    if whole { put_varint(into, count as u64) } else { put_float(into, count) }
}

fn read_count(fields: &mut Fields<'_>, whole: bool) -> Option<f64> {
    if whole { fields.varint().map(|count| count as f64) } else { float(fields) }
}

fn is_whole(count: f64) -> bool {
    (0.0..=WHOLE_MAX).contains(&count) && ((count as u64) as f64).to_bits() == count.to_bits()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bit patterns decide: NaN is one value.
    pub(crate) fn same(one: &Histogram, two: &Histogram) -> bool {
        format!("{one:?}") == format!("{two:?}")
    }

    fn round_trip(histogram: &Histogram) -> usize {
        let mut bytes = Vec::new();
        put_histogram(&mut bytes, histogram);
        let mut fields = Fields(&bytes);
        let read = super::histogram(&mut fields).expect("own bytes");
        assert!(fields.0.is_empty());
        assert!(same(&read, histogram), "{read:?} is not {histogram:?}");
        for cut in 0..bytes.len() {
            assert_eq!(super::histogram(&mut Fields(&bytes[..cut])), None);
        }
        bytes.len()
    }

    #[test]
    fn histograms_come_back() {
        round_trip(&Histogram::default());
        let whole = Histogram {
            reset_hint: ResetHint::Gauge,
            schema: -4,
            zero_threshold: 1e-128,
            zero_count: 3.0,
            count: 12.0,
            sum: -7.25,
            positive_spans: vec![BucketSpan { offset: -2, length: 2 }, BucketSpan { offset: 3, length: 1 }],
            positive_counts: vec![4.0, 2.0, 3.0],
            negative_spans: vec![BucketSpan { offset: 1, length: 1 }],
            negative_counts: vec![0.0],
            custom_values: vec![],
            is_float: false,
        };
        assert_eq!(round_trip(&whole), 35);
        let custom = Histogram { schema: -53, custom_values: vec![0.5, 1.0], is_float: true, ..whole.clone() };
        round_trip(&custom);
        round_trip(&Histogram { positive_counts: vec![0.5, -0.0, f64::NAN], reset_hint: ResetHint::Reset, ..whole });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = histogram(&mut Fields(&bytes));
        }
    }
}
