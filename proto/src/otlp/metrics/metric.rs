//! Reads a Metric message.

use super::{DataKind, MetricView, ScanError, Temporality};
use crate::otlp::{
    admission::Check,
    wire::{Cursor, Occurrences, bytes_key, varint_key},
};

const NAME: u32 = bytes_key(1);
const DESCRIPTION: u32 = bytes_key(2);
const UNIT: u32 = bytes_key(3);
const GAUGE: u32 = bytes_key(5);
const SUM: u32 = bytes_key(7);
const HISTOGRAM: u32 = bytes_key(9);
const EXPONENTIAL: u32 = bytes_key(10);
const SUMMARY: u32 = bytes_key(11);
const METADATA: u32 = bytes_key(12);

const POINT_FIELD: u32 = 1;
const POINT: u32 = bytes_key(POINT_FIELD);
const TEMPORALITY: u32 = varint_key(2);
const IS_MONOTONIC: u32 = varint_key(3);

/// Reads a Metric; its points stay encoded.
pub(super) fn read_metric<'a, C: Check>(message: &'a [u8], check: &mut C) -> Result<MetricView<'a>, ScanError> {
    let mut view = MetricView::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let kind = match cursor.key()? {
            NAME => {
                view.name = cursor.bytes()?;
                check.string(view.name);
                continue;
            }
            DESCRIPTION => {
                view.description = cursor.bytes()?;
                check.string(view.description);
                continue;
            }
            UNIT => {
                view.unit = cursor.bytes()?;
                check.string(view.unit);
                continue;
            }
            METADATA => {
                check.attribute(cursor.bytes()?)?;
                continue;
            }
            GAUGE => DataKind::Gauge,
            SUM => DataKind::Sum,
            HISTOGRAM => DataKind::Histogram,
            EXPONENTIAL => DataKind::Exponential,
            SUMMARY => DataKind::Summary,
            unknown => {
                cursor.skip(unknown)?;
                continue;
            }
        };
        // protobuf would merge two of a kind, and of two kinds take the last one
        if view.kind != DataKind::Nothing {
            return Err(ScanError::NotCanonical);
        }
        view.kind = kind;
        data(cursor.bytes()?, &mut view)?;
    }
    Ok(view)
}

/// Reads a Gauge, Sum, Histogram, ExponentialHistogram or Summary: they are alike.
fn data<'a>(message: &'a [u8], view: &mut MetricView<'a>) -> Result<(), ScanError> {
    let mut points = Occurrences::default();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        let left = cursor.left();
        match cursor.key()? {
            POINT => {
                cursor.bytes()?;
                points.add(left, cursor.left());
            }
            TEMPORALITY => {
                view.temporality = match cursor.varint()? {
                    1 => Temporality::Delta,
                    2 => Temporality::Cumulative,
                    _ => Temporality::Unspecified,
                }
            }
            IS_MONOTONIC => view.is_monotonic = cursor.varint()? != 0,
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    view.points = points.of(message, POINT_FIELD);
    Ok(())
}
