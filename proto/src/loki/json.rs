//! Pushes in JSON, read value by value.

use std::borrow::Cow;

use super::{
    PushOptions,
    stream::{Labels, Request, Stream},
};
use crate::json::{JsonError, Reader};

/// Whatever a signed time can say: what is outside is as far away as can be written, and admission refuses it for that.
const TIME_BOUND: i128 = i128::MAX;

pub(super) fn transcode(json: &[u8], options: PushOptions<'_>) -> Result<Vec<u8>, JsonError> {
    let mut reader = Reader::new(json);
    let mut request = Request::new(options, json.len());
    let mut members = reader.object().map_err(|error| error.of_field("the body"))?;
    while let Some(key) = reader.key(&mut members)? {
        // In any case, as Go's decoders read it.
        if key.eq_ignore_ascii_case(b"streams") {
            streams(&mut reader, &mut request).map_err(|error| error.of_field("streams"))?;
        } else {
            reader.skip()?;
        }
    }
    reader.end()?;
    Ok(request.finish())
}

fn streams(reader: &mut Reader<'_>, request: &mut Request<'_>) -> Result<(), JsonError> {
    let mut items = reader.list()?;
    while reader.item(&mut items)? {
        stream(reader, request)?;
    }
    Ok(())
}

fn stream<'a>(reader: &mut Reader<'a>, request: &mut Request<'_>) -> Result<(), JsonError> {
    let mut labels: Option<Labels<'a>> = None;
    let mut open = request.begin_stream();
    let mut members = reader.object()?;
    while let Some(key) = reader.key(&mut members)? {
        match &*key {
            b"stream" if labels.is_some() => {
                return Err(JsonError::value(reader.position(), "is there twice").of_field("stream"));
            }
            b"stream" => {
                let mut found = Labels::new();
                pairs(reader, |name, value| found.push((name, value))).map_err(|error| error.of_field("stream"))?;
                request.labels_first(&mut open, &found);
                labels = Some(found);
            }
            // Lines that would be passed over without a word.
            b"entries" => {
                let words = "is of the API before 1.0: lines are in `values`, labels in `stream`";
                return Err(JsonError::value(reader.position(), words).of_field("entries"));
            }
            b"values" => values(reader, request, &mut open).map_err(|error| error.of_field("values"))?,
            _ => reader.skip()?,
        }
    }
    request.end_stream(open, &labels.unwrap_or_default())
}

fn values(reader: &mut Reader<'_>, request: &mut Request<'_>, stream: &mut Stream) -> Result<(), JsonError> {
    let mut items = reader.list()?;
    while reader.item(&mut items)? {
        let at = reader.position();
        let missing = |what| Err(JsonError::value(at, what));
        let mut parts = reader.list()?;
        if !reader.item(&mut parts)? {
            return missing("must be a time and a line");
        }
        let time_ns = reader.integer(-TIME_BOUND, TIME_BOUND)?;
        if !reader.item(&mut parts)? {
            return missing("must be a time and a line");
        }
        let text = reader.string()?;
        let line = request.begin_line(stream, super::stream_time(time_ns), &text);
        if reader.item(&mut parts)? {
            if !reader.null() {
                pairs(reader, |key, value| request.metadata(&key, &value))?;
            }
            if reader.item(&mut parts)? {
                return missing("has more than a time, a line and structured metadata");
            }
        }
        request.end_line(line)?;
    }
    Ok(())
}

/// The members of an object of texts.
fn pairs<'a>(reader: &mut Reader<'a>, mut visit: impl FnMut(Cow<'a, [u8]>, Cow<'a, [u8]>)) -> Result<(), JsonError> {
    let mut members = reader.object()?;
    while let Some(key) = reader.key(&mut members)? {
        let value = match reader.peek() {
            Some(b'-' | b'0'..=b'9') => Cow::Borrowed(reader.number()?),
            Some(b't' | b'f') => Cow::Borrowed(if reader.boolean()? { &b"true"[..] } else { b"false" }),
            _ => reader.string()?,
        };
        visit(key, value);
    }
    Ok(())
}
