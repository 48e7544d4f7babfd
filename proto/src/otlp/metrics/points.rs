//! Reads points: numbers, histograms of both kinds, summaries, and their exemplars.

use super::{Attributes, ItemFault, Limits, ScanError};
use crate::otlp::{
    admission::{Admission, Check, Trusted},
    wire::{Cursor, Occurrences, Repeated, WireError, bytes_key, fixed64_key, varint_key},
};

/// DataPointFlags: nothing was recorded, the series ends here.
const NO_RECORDED_VALUE: u64 = 1;

/// What points of all kinds have.
#[derive(Debug, Clone, Copy, Default)]
struct Head<'a> {
    attributes: Attributes<'a>,
    start_ns: u64,
    time_ns: u64,
    flags: u64,
    exemplars: Repeated<'a>,
}

/// A NumberDataPoint.
#[derive(Debug, Clone, Copy, Default)]
pub struct NumberPoint<'a> {
    head: Head<'a>,
    /// Nothing when nobody said.
    pub value: Option<NumberValue>,
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum NumberValue {
    Int(i64),
    Double(f64),
}

impl NumberValue {
    /// As a double: whole numbers beyond 2^53 are rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}

/// A HistogramDataPoint.
#[derive(Debug, Clone, Default)]
pub struct HistogramPoint<'a> {
    head: Head<'a>,
    /// How many values.
    pub count: u64,
    /// Of all values, where it was kept.
    pub sum: Option<f64>,
    /// A count for each bucket; one more than there are bounds, or none.
    pub bucket_counts: Vec<u64>,
    /// Upper bounds.
    pub bounds: Vec<f64>,
}

/// An ExponentialHistogramDataPoint.
#[derive(Debug, Clone, Default)]
pub struct ExponentialPoint<'a> {
    head: Head<'a>,
    /// How many values.
    pub count: u64,
    /// Of all values, where it was kept.
    pub sum: Option<f64>,
    /// Each power of two has 2^scale buckets.
    pub scale: i32,
    /// Values near zero.
    pub zero_count: u64,
    /// How near.
    pub zero_threshold: f64,
    /// The first positive bucket's index, and a count for each.
    pub positive: (i32, Vec<u64>),
    /// The same of negative values.
    pub negative: (i32, Vec<u64>),
}

/// A SummaryDataPoint.
#[derive(Debug, Clone, Default)]
pub struct SummaryPoint<'a> {
    head: Head<'a>,
    /// How many values.
    pub count: u64,
    /// Of all values.
    pub sum: f64,
    /// Quantiles and values.
    pub quantiles: Vec<(f64, f64)>,
}

/// An Exemplar.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExemplarPoint<'a> {
    /// Attributes that the series does not have.
    pub attributes: Attributes<'a>,
    /// When, Unix ns.
    pub time_ns: u64,
    /// What was measured.
    pub value: Option<NumberValue>,
    /// 16 bytes, or none.
    pub trace_id: &'a [u8],
    /// 8 bytes, or none.
    pub span_id: &'a [u8],
}

/// The fields that kinds of points number differently.
struct Fields {
    attribute: u32,
    exemplar: u32,
    flags: u32,
}

macro_rules! head_of {
    // The same five for four types: a trait would have to be imported wherever a point is looked at.
    ($($point:ident),*) => {$(
        impl<'a> $point<'a> {
            /// Its attributes.
            pub fn attributes(&self) -> Attributes<'a> {
                self.head.attributes
            }

            /// Since when it counts, Unix ns; 0 when nobody said.
            pub fn start_ns(&self) -> u64 {
                self.head.start_ns
            }

            /// When it was measured, Unix ns.
            pub fn time_ns(&self) -> u64 {
                self.head.time_ns
            }

            /// Whether nothing was recorded.
            pub fn is_empty(&self) -> bool {
                self.head.flags & NO_RECORDED_VALUE != 0
            }

            /// Its exemplars, as far as they are well formed.
            pub fn exemplars(&self) -> impl Iterator<Item = ExemplarPoint<'a>> + use<'a> {
                self.head.exemplars.iter().map_while(|message| ExemplarPoint::read(message).ok())
            }
        }
    )*};
}

head_of!(NumberPoint, HistogramPoint, ExponentialPoint, SummaryPoint);

/// Walks a point: what all have goes to its head, the rest to `own`.
fn walk<'a>(
    message: &'a [u8],
    limits: Limits,
    fields: Fields,
    mut own: impl FnMut(&mut Cursor<'a>, u32) -> Result<(), ScanError>,
) -> Result<(Head<'a>, Option<ItemFault>), ScanError> {
    const START: u32 = fixed64_key(2);
    const TIME: u32 = fixed64_key(3);

    let mut head = Head::default();
    let mut check = Admission::new(limits);
    check.item_bytes(message.len());
    let (mut attributes, mut exemplars) = (Occurrences::default(), Occurrences::default());
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            START => head.start_ns = cursor.fixed64()?,
            TIME => head.time_ns = cursor.fixed64()?,
            key if key == bytes_key(fields.attribute) => {
                check.attribute(cursor.bytes()?)?;
                attributes.add(left, cursor.left());
            }
            key if key == bytes_key(fields.exemplar) => {
                cursor.bytes()?;
                exemplars.add(left, cursor.left());
            }
            key if key == varint_key(fields.flags) => head.flags = cursor.varint()?,
            key => own(&mut cursor, key)?,
        }
    }
    check.attributes_count(attributes.count());
    head.attributes = Attributes(attributes.of(message, fields.attribute));
    head.exemplars = exemplars.of(message, fields.exemplar);
    Ok((head, check.fault()))
}

impl<'a> NumberPoint<'a> {
    /// Reads one, and why it must be rejected.
    pub fn read(message: &'a [u8], limits: Limits) -> Result<(Self, Option<ItemFault>), ScanError> {
        const DOUBLE: u32 = fixed64_key(4);
        const INT: u32 = fixed64_key(6);

        let mut value = None;
        let (head, fault) = walk(message, limits, Fields { attribute: 7, exemplar: 5, flags: 8 }, |cursor, key| {
            match key {
                DOUBLE => value = Some(NumberValue::Double(f64::from_bits(cursor.fixed64()?))),
                INT => value = Some(NumberValue::Int(cursor.fixed64()? as i64)),
                unknown => cursor.skip_unknown(unknown, 2..=8)?,
            }
            Ok(())
        })?;
        Ok((Self { head, value }, fault))
    }
}

impl<'a> HistogramPoint<'a> {
    /// Reads one, and why it must be rejected.
    pub fn read(message: &'a [u8], limits: Limits) -> Result<(Self, Option<ItemFault>), ScanError> {
        const COUNT: u32 = fixed64_key(4);
        const SUM: u32 = fixed64_key(5);

        let mut point = Self::default();
        let (head, fault) = walk(message, limits, Fields { attribute: 9, exemplar: 8, flags: 10 }, |cursor, key| {
            match key {
                COUNT => point.count = cursor.fixed64()?,
                SUM => point.sum = Some(f64::from_bits(cursor.fixed64()?)),
                key if key >> 3 == 6 => fixed64s(cursor, key, &mut point.bucket_counts)?,
                key if key >> 3 == 7 => {
                    let mut bits = Vec::new();
                    fixed64s(cursor, key, &mut bits)?;
                    point.bounds.extend(bits.into_iter().map(f64::from_bits));
                }
                other => cursor.skip(other)?,
            }
            Ok(())
        })?;
        point.head = head;
        Ok((point, fault))
    }
}

impl<'a> ExponentialPoint<'a> {
    /// Reads one, and why it must be rejected.
    pub fn read(message: &'a [u8], limits: Limits) -> Result<(Self, Option<ItemFault>), ScanError> {
        const COUNT: u32 = fixed64_key(4);
        const SUM: u32 = fixed64_key(5);
        const SCALE: u32 = varint_key(6);
        const ZERO_COUNT: u32 = fixed64_key(7);
        const POSITIVE: u32 = bytes_key(8);
        const NEGATIVE: u32 = bytes_key(9);
        const ZERO_THRESHOLD: u32 = fixed64_key(14);

        let mut point = Self::default();
        let (head, fault) = walk(message, limits, Fields { attribute: 1, exemplar: 11, flags: 10 }, |cursor, key| {
            match key {
                COUNT => point.count = cursor.fixed64()?,
                SUM => point.sum = Some(f64::from_bits(cursor.fixed64()?)),
                SCALE => point.scale = zigzag(cursor.varint()?),
                ZERO_COUNT => point.zero_count = cursor.fixed64()?,
                ZERO_THRESHOLD => point.zero_threshold = f64::from_bits(cursor.fixed64()?),
                POSITIVE => point.positive = buckets(cursor.bytes()?)?,
                NEGATIVE => point.negative = buckets(cursor.bytes()?)?,
                other => cursor.skip(other)?,
            }
            Ok(())
        })?;
        point.head = head;
        Ok((point, fault))
    }
}

impl<'a> SummaryPoint<'a> {
    /// Reads one, and why it must be rejected.
    pub fn read(message: &'a [u8], limits: Limits) -> Result<(Self, Option<ItemFault>), ScanError> {
        const COUNT: u32 = fixed64_key(4);
        const SUM: u32 = fixed64_key(5);
        const QUANTILE: u32 = bytes_key(6);

        let mut point = Self::default();
        // No exemplars: a field number that nothing has.
        let fields = Fields { attribute: 7, exemplar: 100, flags: 8 };
        let (head, fault) = walk(message, limits, fields, |cursor, key| {
            match key {
                COUNT => point.count = cursor.fixed64()?,
                SUM => point.sum = f64::from_bits(cursor.fixed64()?),
                QUANTILE => point.quantiles.push(quantile(cursor.bytes()?)?),
                other => cursor.skip(other)?,
            }
            Ok(())
        })?;
        point.head = head;
        Ok((point, fault))
    }
}

impl<'a> ExemplarPoint<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ScanError> {
        const TIME: u32 = fixed64_key(2);
        const DOUBLE: u32 = fixed64_key(3);
        const SPAN_ID: u32 = bytes_key(4);
        const TRACE_ID: u32 = bytes_key(5);
        const INT: u32 = fixed64_key(6);
        const ATTRIBUTE_FIELD: u32 = 7;
        const ATTRIBUTE: u32 = bytes_key(ATTRIBUTE_FIELD);

        let mut point = Self::default();
        let mut attributes = Occurrences::default();
        let mut cursor = Cursor::new(message);
        while !cursor.is_empty() {
            let left = cursor.left();
            match cursor.key()? {
                TIME => point.time_ns = cursor.fixed64()?,
                DOUBLE => point.value = Some(NumberValue::Double(f64::from_bits(cursor.fixed64()?))),
                INT => point.value = Some(NumberValue::Int(cursor.fixed64()? as i64)),
                SPAN_ID => point.span_id = cursor.bytes()?,
                TRACE_ID => point.trace_id = cursor.bytes()?,
                ATTRIBUTE => {
                    Trusted.attribute(cursor.bytes()?)?;
                    attributes.add(left, cursor.left());
                }
                unknown => cursor.skip_unknown(unknown, 2..=7)?,
            }
        }
        point.attributes = Attributes(attributes.of(message, ATTRIBUTE_FIELD));
        Ok(point)
    }
}

fn zigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Numbers of eight bytes, packed or not: the field whose key was just read.
fn fixed64s(cursor: &mut Cursor<'_>, key: u32, into: &mut Vec<u64>) -> Result<(), WireError> {
    if key == fixed64_key(key >> 3) {
        into.push(cursor.fixed64()?);
        return Ok(());
    }
    if key != bytes_key(key >> 3) {
        return cursor.skip_unknown(key, 0..=u32::MAX);
    }
    let mut packed = Cursor::new(cursor.bytes()?);
    while !packed.is_empty() {
        into.push(packed.fixed64()?);
    }
    Ok(())
}

/// Buckets: the first one's index, and counts.
fn buckets(message: &[u8]) -> Result<(i32, Vec<u64>), ScanError> {
    const OFFSET: u32 = varint_key(1);
    const COUNT: u32 = varint_key(2);
    const COUNTS: u32 = bytes_key(2);

    let (mut offset, mut counts) = (0, Vec::new());
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            OFFSET => offset = zigzag(cursor.varint()?),
            COUNT => counts.push(cursor.varint()?),
            COUNTS => {
                let mut packed = Cursor::new(cursor.bytes()?);
                while !packed.is_empty() {
                    counts.push(packed.varint()?);
                }
            }
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok((offset, counts))
}

fn quantile(message: &[u8]) -> Result<(f64, f64), ScanError> {
    const QUANTILE: u32 = fixed64_key(1);
    const VALUE: u32 = fixed64_key(2);

    let (mut quantile, mut value) = (0.0, 0.0);
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            QUANTILE => quantile = f64::from_bits(cursor.fixed64()?),
            VALUE => value = f64::from_bits(cursor.fixed64()?),
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok((quantile, value))
}
