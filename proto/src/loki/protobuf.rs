//! Pushes in protobuf: PushRequest, StreamAdapter, EntryAdapter and LabelPairAdapter of Loki's published proto file.

use super::{
    PushError, PushOptions, labels,
    stream::{Labels, Request, Stream},
    stream_time,
};
use crate::otlp::wire::{Cursor, WireError, bytes_key, varint_key};

/// PushRequest.streams.
const STREAMS: u32 = bytes_key(1);
/// StreamAdapter.labels, a text as in a query.
const LABELS: u32 = bytes_key(1);
/// StreamAdapter.entries.
const ENTRIES: u32 = bytes_key(2);
/// EntryAdapter.timestamp.
const TIMESTAMP: u32 = bytes_key(1);
/// EntryAdapter.line.
const LINE: u32 = bytes_key(2);
/// EntryAdapter.structuredMetadata.
const METADATA: u32 = bytes_key(3);
/// LabelPairAdapter.name.
const NAME: u32 = bytes_key(1);
/// LabelPairAdapter.value.
const VALUE: u32 = bytes_key(2);
/// Timestamp.seconds.
const SECONDS: u32 = varint_key(1);
/// Timestamp.nanos.
const NANOS: u32 = varint_key(2);

const SECOND_NS: i128 = 1_000_000_000;

pub(super) fn transcode(message: &[u8], options: PushOptions<'_>) -> Result<Vec<u8>, PushError> {
    let mut request = Request::new(options, message.len() + message.len() / 8);
    let mut cursor = Cursor::new(message);
    let wire = |error: WireError| PushError::Protobuf(error.within(message));
    while !cursor.is_empty() {
        match cursor.key().map_err(wire)? {
            STREAMS => {
                let encoded = cursor.bytes().map_err(wire)?;
                stream(encoded, &mut request, &wire)?;
            }
            unknown => cursor.skip_unknown(unknown, 1..=1).map_err(wire)?,
        }
    }
    Ok(request.finish())
}

fn stream(encoded: &[u8], request: &mut Request<'_>, wire: &impl Fn(WireError) -> PushError) -> Result<(), PushError> {
    let mut found = Labels::new();
    let mut open = request.begin_stream();
    let mut cursor = Cursor::new(encoded);
    while !cursor.is_empty() {
        match cursor.key().map_err(wire)? {
            LABELS => {
                found = labels::parse(cursor.bytes().map_err(wire)?)?;
                request.labels_first(&mut open, &found);
            }
            ENTRIES => {
                let encoded = cursor.bytes().map_err(wire)?;
                entry(encoded, request, &mut open, wire)?;
            }
            unknown => cursor.skip_unknown(unknown, 1..=2).map_err(wire)?,
        }
    }
    request.end_stream(open, &found).map_err(PushError::Json)
}

fn entry(
    encoded: &[u8],
    request: &mut Request<'_>,
    stream: &mut Stream,
    wire: &impl Fn(WireError) -> PushError,
) -> Result<(), PushError> {
    let (mut time_ns, mut text, mut metadata) = (0, &b""[..], 0_usize);
    let mut cursor = Cursor::new(encoded);
    while !cursor.is_empty() {
        match cursor.key().map_err(wire)? {
            TIMESTAMP => time_ns = timestamp(cursor.bytes().map_err(wire)?).map_err(wire)?,
            LINE => text = cursor.bytes().map_err(wire)?,
            METADATA => {
                cursor.bytes().map_err(wire)?;
                metadata += 1;
            }
            unknown => cursor.skip_unknown(unknown, 1..=3).map_err(wire)?,
        }
    }
    let line = request.begin_line(stream, stream_time(time_ns), text);
    if metadata > 0 {
        let mut cursor = Cursor::new(encoded);
        while !cursor.is_empty() {
            match cursor.key().map_err(wire)? {
                METADATA => {
                    let (key, value) = pair(cursor.bytes().map_err(wire)?).map_err(wire)?;
                    request.metadata(key, value);
                }
                TIMESTAMP | LINE => drop(cursor.bytes().map_err(wire)?),
                unknown => cursor.skip_unknown(unknown, 1..=3).map_err(wire)?,
            }
        }
    }
    request.end_line(line).map_err(PushError::Json)
}

fn timestamp(encoded: &[u8]) -> Result<i128, WireError> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    let mut cursor = Cursor::new(encoded);
    while !cursor.is_empty() {
        match cursor.key()? {
            SECONDS => seconds = cursor.varint()? as i64,
            NANOS => nanos = cursor.varint()? as i32,
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok(i128::from(seconds) * SECOND_NS + i128::from(nanos))
}

fn pair(encoded: &[u8]) -> Result<(&[u8], &[u8]), WireError> {
    let (mut name, mut value) = (&b""[..], &b""[..]);
    let mut cursor = Cursor::new(encoded);
    while !cursor.is_empty() {
        match cursor.key()? {
            NAME => name = cursor.bytes()?,
            VALUE => value = cursor.bytes()?,
            unknown => cursor.skip_unknown(unknown, 1..=2)?,
        }
    }
    Ok((name, value))
}
