//! Samples, exemplars and metadata: the same in both versions, references to symbols apart.

use super::{
    series::{WrittenExemplar, WrittenMetadata},
    symbols::{Symbols, numbers},
};
use crate::{
    metrics::MetricType,
    otlp::wire::{Cursor, WireError, bytes_key, fixed64_key, varint_key},
};

/// Time, start and value of a Sample.
#[inline]
pub(super) fn sample(message: &[u8]) -> Result<(i64, i64, f64), WireError> {
    const VALUE: u32 = fixed64_key(1);
    const TIME: u32 = varint_key(2);
    const START: u32 = varint_key(3);

    let (mut time_ms, mut start_ms, mut value) = (0, 0, 0.0);
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            VALUE => value = f64::from_bits(cursor.fixed64()?),
            TIME => time_ms = cursor.varint()? as i64,
            START => start_ms = cursor.varint()? as i64,
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    Ok((time_ms, start_ms, value))
}

/// A Label of version 1.
#[inline]
pub(super) fn label(message: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    const NAME: u32 = bytes_key(1);
    const VALUE: u32 = bytes_key(2);

    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            NAME => name = cursor.bytes()?,
            VALUE => value = cursor.bytes()?,
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok((name, value))
}

/// An Exemplar; with symbols one of version 2.
pub(super) fn exemplar<'a>(message: &'a [u8], symbols: Option<&Symbols<'a>>) -> Result<WrittenExemplar<'a>, WireError> {
    const VALUE: u32 = fixed64_key(2);
    const TIME: u32 = varint_key(3);

    let mut exemplar = WrittenExemplar::default();
    let mut references = Vec::new();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            VALUE => exemplar.value = f64::from_bits(cursor.fixed64()?),
            TIME => exemplar.time_ms = cursor.varint()? as i64,
            key if key >> 3 == 1 && symbols.is_some() => numbers(&mut cursor, key, 1, &mut references)?,
            key if key == bytes_key(1) => exemplar.labels.push(label(cursor.bytes()?)?),
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    if let Some(symbols) = symbols {
        exemplar.fault = symbols.labels(&references, &mut exemplar.labels);
    }
    Ok(exemplar)
}

/// A MetricMetadata of version 1.
pub(super) fn metadata(message: &[u8]) -> Result<WrittenMetadata<'_>, WireError> {
    const TYPE: u32 = varint_key(1);
    const FAMILY: u32 = bytes_key(2);
    const HELP: u32 = bytes_key(4);
    const UNIT: u32 = bytes_key(5);

    let mut metadata = WrittenMetadata::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            TYPE => metadata.metric_type = metric_type(cursor.varint()?),
            FAMILY => metadata.family = cursor.bytes()?,
            HELP => metadata.help = cursor.bytes()?,
            UNIT => metadata.unit = cursor.bytes()?,
            unknown => cursor.skip(unknown)?,
        }
    }
    Ok(metadata)
}

/// A Metadata of version 2, and what is wrong with its references to symbols.
pub(super) fn referred_metadata<'a>(
    message: &[u8],
    symbols: &Symbols<'a>,
) -> Result<(WrittenMetadata<'a>, Option<String>), WireError> {
    const TYPE: u32 = varint_key(1);
    const HELP: u32 = varint_key(3);
    const UNIT: u32 = varint_key(4);

    let mut metadata = WrittenMetadata::default();
    let mut fault = None;
    let mut text = |what, number| {
        symbols.described(what, number).unwrap_or_else(|words| {
            fault.get_or_insert(words);
            b""
        })
    };
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            TYPE => metadata.metric_type = metric_type(cursor.varint()?),
            HELP => metadata.help = text("help_ref", cursor.varint()?),
            UNIT => metadata.unit = text("unit_ref", cursor.varint()?),
            unknown => cursor.skip(unknown)?,
        }
    }
    Ok((metadata, fault))
}

/// The same numbers in both versions.
fn metric_type(number: u64) -> MetricType {
    match number {
        1 => MetricType::Counter,
        2 => MetricType::Gauge,
        3 => MetricType::Histogram,
        4 => MetricType::GaugeHistogram,
        5 => MetricType::Summary,
        6 => MetricType::Info,
        7 => MetricType::StateSet,
        _ => MetricType::Unknown,
    }
}
