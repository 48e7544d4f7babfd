//! Native histograms: the same message in both versions.

use super::{
    reduced::{SCHEMA_READABLE_MAX, reduce},
    symbols::numbers,
};
use crate::{
    metrics::{BucketSpan, Histogram, ResetHint},
    otlp::wire::{Cursor, WireError, bytes_key, fixed64_key, varint_key},
};

/// Why a histogram is none: it is left out, the rest of its series counts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HistogramFault {
    /// A schema that nobody knows.
    #[error(
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema {0}"
    )]
    Schema(i64),
    /// Spans and counts do not fit.
    #[error(
        "{side} side: spans need {needed} buckets, have {have} buckets: histogram spans specify different number of buckets than provided"
    )]
    Buckets {
        /// Of positive or negative values.
        side: &'static str,
        /// By the spans.
        needed: u64,
        /// Counts.
        have: usize,
    },
    /// Only a first span may begin before the one before it.
    #[error("{0} side: span number {1} with offset {2}: histogram has a span whose offset is negative")]
    Offset(&'static str, usize, i32),
    /// A count below zero.
    #[error(
        "{0} side: bucket number {1} has observation count of {2}: histogram has a bucket whose observation count is negative"
    )]
    NegativeCount(&'static str, usize, f64),
    /// Another number in buckets than in all.
    #[error(
        "{buckets} observations found in buckets, but the Count field is {count}: histogram's observation count should {should}"
    )]
    Count {
        /// In buckets.
        buckets: f64,
        /// Said.
        count: f64,
        /// What the latter has to be.
        should: &'static str,
    },
    /// Bounds that do not go up.
    #[error(
        "custom buckets: previous bound is {0} and current is {1}: histogram custom bounds must be in strictly increasing order"
    )]
    Bounds(f64, f64),
    /// What custom bounds exclude.
    #[error("custom buckets: {0}")]
    Custom(&'static str),
}

/// Buckets that a histogram may be said to have.
const BUCKETS_MAX: u64 = 100_000;

/// What a message says, before it is known to fit together.
#[derive(Default)]
struct Written {
    histogram: Histogram,
    schema: i64,
    count: Option<u64>,
    zero_count: Option<u64>,
    positive_deltas: Vec<i64>,
    negative_deltas: Vec<i64>,
    time_ms: i64,
    start_ms: i64,
}

/// Time, start and histogram of a Histogram message.
#[expect(clippy::type_complexity, reason = "the two kinds of faults reach different people")]
pub(super) fn histogram(message: &[u8]) -> Result<(i64, i64, Result<Box<Histogram>, HistogramFault>), WireError> {
    let written = Written::read(message)?;
    let (time_ms, start_ms, schema) = (written.time_ms, written.start_ms, written.schema);
    let histogram = whole(written).and_then(|mut histogram| {
        check(&histogram)?;
        reduce(&mut histogram, schema);
        Ok(histogram)
    });
    Ok((time_ms, start_ms, histogram))
}

/// Time and histogram of a message, whatever its counts are.
pub(super) fn unchecked(message: &[u8]) -> Result<(i64, Box<Histogram>), WireError> {
    let written = Written::read(message)?;
    let (time_ms, schema) = (written.time_ms, written.schema);
    whole(written)
        .map(|mut histogram| {
            reduce(&mut histogram, schema);
            (time_ms, histogram)
        })
        .map_err(|_| WireError::Malformed { at: 0, what: "an invalid schema" })
}

impl Written {
    fn read(message: &[u8]) -> Result<Self, WireError> {
        let mut written = Self::default();
        let mut cursor = Cursor::new(message);
        while !cursor.is_empty() {
            let key = cursor.key()?;
            field(&mut cursor, key, &mut written)?;
        }
        Ok(written)
    }
}

fn field(cursor: &mut Cursor<'_>, key: u32, written: &mut Written) -> Result<(), WireError> {
    const COUNT_INT: u32 = varint_key(1);
    const COUNT_FLOAT: u32 = fixed64_key(2);
    const SUM: u32 = fixed64_key(3);
    const SCHEMA: u32 = varint_key(4);
    const ZERO_THRESHOLD: u32 = fixed64_key(5);
    const ZERO_COUNT_INT: u32 = varint_key(6);
    const ZERO_COUNT_FLOAT: u32 = fixed64_key(7);
    const NEGATIVE_SPAN: u32 = bytes_key(8);
    const POSITIVE_SPAN: u32 = bytes_key(11);
    const RESET_HINT: u32 = varint_key(14);
    const TIME: u32 = varint_key(15);
    const START: u32 = varint_key(17);

    let Written { histogram, schema, count, zero_count, positive_deltas, negative_deltas, time_ms, start_ms } = written;
    match key {
        COUNT_INT => *count = Some(cursor.varint()?),
        COUNT_FLOAT => {
            histogram.count = f64::from_bits(cursor.fixed64()?);
            histogram.is_float = true;
        }
        SUM => histogram.sum = f64::from_bits(cursor.fixed64()?),
        SCHEMA => *schema = zigzag(cursor.varint()?),
        ZERO_THRESHOLD => histogram.zero_threshold = f64::from_bits(cursor.fixed64()?),
        ZERO_COUNT_INT => *zero_count = Some(cursor.varint()?),
        ZERO_COUNT_FLOAT => histogram.zero_count = f64::from_bits(cursor.fixed64()?),
        NEGATIVE_SPAN => histogram.negative_spans.push(span(cursor.bytes()?)?),
        POSITIVE_SPAN => histogram.positive_spans.push(span(cursor.bytes()?)?),
        RESET_HINT => {
            histogram.reset_hint = match cursor.varint()? {
                1 => ResetHint::Reset,
                2 => ResetHint::NotReset,
                3 => ResetHint::Gauge,
                _ => ResetHint::Unknown,
            }
        }
        TIME => *time_ms = cursor.varint()? as i64,
        START => *start_ms = cursor.varint()? as i64,
        _ => match key >> 3 {
            9 => deltas(cursor, key, 9, negative_deltas)?,
            12 => deltas(cursor, key, 12, positive_deltas)?,
            10 => doubles(cursor, key, 10, &mut histogram.negative_counts)?,
            13 => doubles(cursor, key, 13, &mut histogram.positive_counts)?,
            16 => doubles(cursor, key, 16, &mut histogram.custom_values)?,
            _ => cursor.skip_unknown(key, 1..=17)?,
        },
    }
    Ok(())
}

fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn span(message: &[u8]) -> Result<BucketSpan, WireError> {
    const OFFSET: u32 = varint_key(1);
    const LENGTH: u32 = varint_key(2);

    let mut span = BucketSpan { offset: 0, length: 0 };
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            OFFSET => span.offset = zigzag(cursor.varint()?) as i32,
            LENGTH => span.length = cursor.varint()? as u32,
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok(span)
}

fn deltas(cursor: &mut Cursor<'_>, key: u32, field: u32, into: &mut Vec<i64>) -> Result<(), WireError> {
    let mut raw = Vec::new();
    numbers(cursor, key, field, &mut raw)?;
    into.extend(raw.into_iter().map(zigzag));
    Ok(())
}

/// Doubles, packed or not.
fn doubles(cursor: &mut Cursor<'_>, key: u32, field: u32, into: &mut Vec<f64>) -> Result<(), WireError> {
    if key == fixed64_key(field) {
        into.push(f64::from_bits(cursor.fixed64()?));
        return Ok(());
    }
    let mut packed = Cursor::new(cursor.bytes()?);
    while !packed.is_empty() {
        into.push(f64::from_bits(packed.fixed64()?));
    }
    Ok(())
}

/// Counts of whole numbers are written as differences.
fn whole(written: Written) -> Result<Box<Histogram>, HistogramFault> {
    let Written { mut histogram, schema, count, zero_count, positive_deltas, negative_deltas, .. } = written;
    histogram.schema = match schema {
        -4..=SCHEMA_READABLE_MAX | -53 => schema as i8,
        _ => return Err(HistogramFault::Schema(schema)),
    };
    if !histogram.is_float {
        histogram.count = count.unwrap_or_default() as f64;
        histogram.zero_count = zero_count.unwrap_or_default() as f64;
        histogram.positive_counts = summed(&positive_deltas);
        histogram.negative_counts = summed(&negative_deltas);
    }
    Ok(Box::new(histogram))
}

fn summed(deltas: &[i64]) -> Vec<f64> {
    let mut count = 0_i64;
    deltas
        .iter()
        .map(|delta| {
            count = count.wrapping_add(*delta);
            count as f64
        })
        .collect()
}

/// Why a histogram that came another way is none.
pub fn fault_of(histogram: &Histogram) -> Option<HistogramFault> {
    check(histogram).err()
}

/// What Prometheus asks of a histogram before it takes it.
fn check(histogram: &Histogram) -> Result<(), HistogramFault> {
    if histogram.schema == -53 {
        for pair in histogram.custom_values.windows(2) {
            // A NaN among them is in no order either.
            if pair[0].partial_cmp(&pair[1]) != Some(std::cmp::Ordering::Less) {
                return Err(HistogramFault::Bounds(pair[0], pair[1]));
            }
        }
        if histogram.custom_values.iter().any(|bound| !bound.is_finite()) {
            return Err(HistogramFault::Custom("bounds must be finite"));
        }
        if histogram.zero_count != 0.0 {
            return Err(HistogramFault::Custom("must have zero count of 0"));
        }
        if histogram.zero_threshold != 0.0 {
            return Err(HistogramFault::Custom("must have zero threshold of 0"));
        }
        if !histogram.negative_spans.is_empty() || !histogram.negative_counts.is_empty() {
            return Err(HistogramFault::Custom("must not have negative buckets"));
        }
        let reach: i64 =
            histogram.positive_spans.iter().map(|span| i64::from(span.offset) + i64::from(span.length)).sum();
        if reach > histogram.custom_values.len() as i64 + 1 {
            return Err(HistogramFault::Custom("only so many buckets as there are bounds, and one"));
        }
    } else if !histogram.custom_values.is_empty() {
        return Err(HistogramFault::Custom("histogram with exponential schema must not have custom bounds"));
    }
    let mut in_buckets = histogram.zero_count;
    let sides = [
        ("positive", &histogram.positive_spans, &histogram.positive_counts),
        ("negative", &histogram.negative_spans, &histogram.negative_counts),
    ];
    for (side, spans, counts) in sides {
        let mut needed = 0_u64;
        for (index, span) in spans.iter().enumerate() {
            if index > 0 && span.offset < 0 {
                return Err(HistogramFault::Offset(side, index + 1, span.offset));
            }
            needed += u64::from(span.length);
        }
        if needed != counts.len() as u64 || needed > BUCKETS_MAX {
            return Err(HistogramFault::Buckets { side, needed, have: counts.len() });
        }
        for (index, count) in counts.iter().enumerate() {
            if *count < 0.0 {
                return Err(HistogramFault::NegativeCount(side, index + 1, *count));
            }
            in_buckets += count;
        }
    }
    // Values that are NaN are in no bucket, but in the count; fractions are not added up exactly.
    let is_exact = !histogram.is_float && !histogram.sum.is_nan();
    let fits = match (histogram.is_float, is_exact) {
        (true, _) => true,
        (false, true) => in_buckets == histogram.count,
        (false, false) => in_buckets <= histogram.count,
    };
    let should = match is_exact {
        true => "equal the number of observations found in the buckets (in absence of NaN)",
        false => "be at least the number of observations found in the buckets",
    };
    if fits { Ok(()) } else { Err(HistogramFault::Count { buckets: in_buckets, count: histogram.count, should }) }
}
