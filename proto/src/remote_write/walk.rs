//! Walks a request series by series.

use super::{
    WireError, WriteVersion,
    histogram::histogram,
    samples::{exemplar, label, metadata, referred_metadata, sample},
    series::{WrittenMetadata, WrittenSeries},
    symbols::{Symbols, numbers},
};
use crate::otlp::wire::{Cursor, bytes_key};

/// Calls `on_series` for each series, and `on_metadata` for each family of which version 1 says something. After an error what they got
/// is void.
pub fn walk<'a>(
    version: WriteVersion,
    payload: &'a [u8],
    on_series: impl FnMut(&WrittenSeries<'a>),
    on_metadata: impl FnMut(WrittenMetadata<'a>),
) -> Result<(), WireError> {
    if u32::try_from(payload.len()).is_err() {
        return Err(WireError::Malformed { at: 0, what: "payload beyond 4 GiB" });
    }
    let walked = match version {
        WriteVersion::V1 => first(payload, on_series, on_metadata),
        WriteVersion::V2 => second(payload, on_series),
    };
    walked.map_err(|error| error.within(payload))
}

fn first<'a>(
    payload: &'a [u8],
    mut on_series: impl FnMut(&WrittenSeries<'a>),
    mut on_metadata: impl FnMut(WrittenMetadata<'a>),
) -> Result<(), WireError> {
    const SERIES: u32 = bytes_key(1);
    const METADATA: u32 = bytes_key(3);

    let mut series = WrittenSeries::default();
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        match cursor.key()? {
            SERIES => {
                read_first(cursor.bytes()?, &mut series)?;
                on_series(&series);
            }
            METADATA => on_metadata(metadata(cursor.bytes()?)?),
            unknown => cursor.skip_unknown(unknown, 1..=3)?,
        }
    }
    Ok(())
}

fn read_first<'a>(message: &'a [u8], series: &mut WrittenSeries<'a>) -> Result<(), WireError> {
    const LABEL: u32 = bytes_key(1);
    const SAMPLE: u32 = bytes_key(2);
    const EXEMPLAR: u32 = bytes_key(3);
    const HISTOGRAM: u32 = bytes_key(4);

    series.clear();
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            LABEL => series.labels.push(label(cursor.bytes()?)?),
            SAMPLE => series.floats.push(sample(cursor.bytes()?)?),
            EXEMPLAR => series.exemplars.push(exemplar(cursor.bytes()?, None)?),
            HISTOGRAM => series.histograms.push(histogram(cursor.bytes()?)?),
            unknown => cursor.skip_unknown(unknown, 1..=4)?,
        }
    }
    Ok(())
}

fn second<'a>(payload: &'a [u8], mut on_series: impl FnMut(&WrittenSeries<'a>)) -> Result<(), WireError> {
    const SYMBOL: u32 = bytes_key(4);
    const SERIES: u32 = bytes_key(5);

    let symbols = Symbols::of(payload)?;
    let mut series = WrittenSeries::default();
    let mut references = Vec::new();
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        match cursor.key()? {
            SERIES => {
                read_second(cursor.bytes()?, &symbols, &mut references, &mut series)?;
                on_series(&series);
            }
            SYMBOL => {
                cursor.bytes()?;
            }
            // 1 to 3 are version 1's: a message of it under the wrong name.
            unknown => cursor.skip_unknown(unknown, 1..=5)?,
        }
    }
    Ok(())
}

/// References that words on what is wrong with them repeat.
const REFERENCES_SHOWN: usize = 64;

fn read_second<'a>(
    message: &'a [u8],
    symbols: &Symbols<'a>,
    references: &mut Vec<u64>,
    series: &mut WrittenSeries<'a>,
) -> Result<(), WireError> {
    const SAMPLE: u32 = bytes_key(2);
    const HISTOGRAM: u32 = bytes_key(3);
    const EXEMPLAR: u32 = bytes_key(4);
    const METADATA: u32 = bytes_key(5);

    series.clear();
    references.clear();
    let mut of_metadata = None;
    let mut cursor = Cursor::new(message);
    while !cursor.is_empty() {
        match cursor.key()? {
            SAMPLE => series.floats.push(sample(cursor.bytes()?)?),
            HISTOGRAM => series.histograms.push(histogram(cursor.bytes()?)?),
            EXEMPLAR => series.exemplars.push(exemplar(cursor.bytes()?, Some(symbols))?),
            METADATA => {
                let (metadata, fault) = referred_metadata(cursor.bytes()?, symbols)?;
                (series.metadata, of_metadata) = (Some(metadata), fault);
            }
            key if key >> 3 == 1 => numbers(&mut cursor, key, 1, references)?,
            unknown => cursor.skip_unknown(unknown, 1..=5)?,
        }
    }
    // Not all of them: a hostile request has many.
    let shown = || format!("{:?}", &references[..references.len().min(REFERENCES_SHOWN)]).replace(',', "");
    let of_labels = symbols.labels(references, &mut series.labels);
    let of_labels = of_labels.map(|fault| format!("parsing labels for series {}: {fault}", shown()));
    series.fault =
        of_labels.or_else(|| of_metadata.map(|fault| format!("parsing metadata for series {}: {fault}", shown())));
    Ok(())
}
