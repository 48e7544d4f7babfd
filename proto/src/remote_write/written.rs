//! A native histogram as a message of remote write 1.0, and back: the one form that has all of it.

use super::histogram;
use crate::{
    metrics::{BucketSpan, Histogram, ResetHint},
    otlp::wire::WireError,
};

const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

/// Counts above are not whole for certain.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// The message `prometheus.Histogram`, with its time in Unix ms.
pub fn histogram_message(histogram: &Histogram, time_ms: i64) -> Vec<u8> {
    // What a query computed (a rate, a mean) may have fractions, whatever it was computed from.
    let is_float = histogram.is_float || !has_whole_counts(histogram);
    let mut out = Vec::with_capacity(64 + 9 * (histogram.positive_counts.len() + histogram.negative_counts.len()));
    if is_float {
        double(2, histogram.count, &mut out);
    } else {
        number(1, histogram.count as u64, &mut out);
    }
    double(3, histogram.sum, &mut out);
    number(4, zigzag(i64::from(histogram.schema)), &mut out);
    double(5, histogram.zero_threshold, &mut out);
    if is_float {
        double(7, histogram.zero_count, &mut out);
    } else {
        number(6, histogram.zero_count as u64, &mut out);
    }
    spans(8, &histogram.negative_spans, &mut out);
    counts((9, 10), &histogram.negative_counts, is_float, &mut out);
    spans(11, &histogram.positive_spans, &mut out);
    counts((12, 13), &histogram.positive_counts, is_float, &mut out);
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    number(14, hint, &mut out);
    number(15, time_ms as u64, &mut out);
    if !histogram.custom_values.is_empty() {
        bytes(16, &doubles(&histogram.custom_values), &mut out);
    }
    out
}

/// Time in Unix ms and histogram of such a message. Nothing is asked of its counts: what a query gave may have them below zero.
///
/// # Errors
///
/// The message is none.
pub fn read_histogram(message: &[u8]) -> Result<(i64, Box<Histogram>), WireError> {
    histogram::unchecked(message)
}

/// Appends a field with a length.
pub fn bytes(field: u8, value: &[u8], out: &mut Vec<u8>) {
    key(field, BYTES, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends a number.
pub fn number(field: u8, value: u64, out: &mut Vec<u8>) {
    key(field, VARINT, out);
    varint(value, out);
}

/// Appends a double.
pub fn double(field: u8, value: f64, out: &mut Vec<u8>) {
    key(field, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn has_whole_counts(histogram: &Histogram) -> bool {
    let buckets = histogram.positive_counts.iter().chain(&histogram.negative_counts);
    [histogram.count, histogram.zero_count].iter().chain(buckets).all(|&count| is_whole(count))
}

fn is_whole(count: f64) -> bool {
    (0.0..=WHOLE_MAX).contains(&count) && ((count as u64) as f64).to_bits() == count.to_bits()
}

fn key(field: u8, kind: u8, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | u64::from(kind), out);
}

fn spans(field: u8, spans: &[BucketSpan], out: &mut Vec<u8>) {
    for span in spans {
        let mut message = Vec::new();
        number(1, zigzag(i64::from(span.offset)), &mut message);
        number(2, u64::from(span.length), &mut message);
        bytes(field, &message, out);
    }
}

/// Whole numbers as differences in the first field, others as they are in the second.
fn counts((deltas, floats): (u8, u8), counts: &[f64], is_float: bool, out: &mut Vec<u8>) {
    if counts.is_empty() {
        return;
    }
    if is_float {
        return bytes(floats, &doubles(counts), out);
    }
    let (mut packed, mut before) = (Vec::new(), 0);
    for count in counts {
        let count = *count as i64;
        varint(zigzag(count - before), &mut packed);
        before = count;
    }
    bytes(deltas, &packed, out);
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_come_back_as_they_were() {
        let span = |offset, length| BucketSpan { offset, length };
        let exponential = Histogram {
            reset_hint: ResetHint::Gauge,
            schema: -2,
            zero_threshold: 0.001,
            zero_count: 3.0,
            count: 21.0,
            sum: -7.25,
            positive_spans: vec![span(-3, 2), span(4, 1)],
            positive_counts: vec![5.0, 2.0, 7.0],
            negative_spans: vec![span(0, 1)],
            negative_counts: vec![4.0],
            custom_values: Vec::new(),
            is_float: false,
        };
        let fractions = Histogram {
            is_float: true,
            positive_counts: vec![0.5, -2.25, 1e-9],
            sum: f64::INFINITY,
            reset_hint: ResetHint::NotReset,
            ..exponential.clone()
        };
        let custom = Histogram {
            schema: -53,
            custom_values: vec![0.1, 1.0, 10.0],
            positive_spans: vec![span(1, 3)],
            positive_counts: vec![1.0, 2.0, 3.0],
            count: 6.0,
            ..Histogram::default()
        };
        for histogram in [exponential, fractions, custom, Histogram::default()] {
            let message = histogram_message(&histogram, 1_700_000_000_123);
            let (time_ms, back) = read_histogram(&message).expect("a message");
            assert_eq!((time_ms, &*back), (1_700_000_000_123, &histogram));
        }
        assert!(read_histogram(&[0xff]).is_err());
    }

    #[test]
    fn counts_that_are_not_whole_are_not_cut() {
        let whole = Histogram {
            zero_count: 1.0,
            count: 3.0,
            positive_spans: vec![BucketSpan { offset: 0, length: 2 }],
            positive_counts: vec![1.0, 1.0],
            ..Histogram::default()
        };
        for histogram in [
            Histogram { count: 0.75, ..whole.clone() },
            Histogram { zero_count: 0.25, ..whole.clone() },
            Histogram { positive_counts: vec![1.0, 0.5], ..whole.clone() },
            Histogram { positive_counts: vec![1.0, -1.0], ..whole.clone() },
            Histogram { count: 1e300, ..whole.clone() },
            Histogram {
                negative_spans: vec![BucketSpan { offset: 0, length: 1 }],
                negative_counts: vec![1.5],
                ..whole.clone()
            },
        ] {
            let (_, back) = read_histogram(&histogram_message(&histogram, 0)).expect("a message");
            assert_eq!(*back, Histogram { is_float: true, ..histogram });
        }
    }
}
