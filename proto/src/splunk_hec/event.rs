//! One event of a body: its metadata, its fields, and what it says.

use std::borrow::Cow;

use super::epoch_ns;
use crate::{
    json::{JsonError, Reader},
    otlp::logs::Pairs,
};

type Text<'a> = Cow<'a, [u8]>;

/// An event that was read.
#[derive(Default)]
pub(super) struct Event<'a> {
    /// Host, source, source type, index.
    pub(super) texts: [Text<'a>; 4],
    /// The field `service.name`.
    pub(super) service: Text<'a>,
    pub(super) time_ns: u64,
    /// A text as it is, anything else as its JSON; `None` without one.
    pub(super) body: Option<Text<'a>>,
}

/// A body that is being read.
pub(super) struct Reading<'a> {
    reader: Reader<'a>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        Self { reader: Reader::new(content) }
    }

    /// The next event, its fields in `attributes`; `None` at the end.
    pub(super) fn next(&mut self, attributes: &mut Pairs) -> Option<Result<Event<'a>, JsonError>> {
        self.reader.peek()?;
        attributes.clear();
        Some(self.event(attributes).map_err(|error| error.of_field("the event")))
    }

    fn event(&mut self, attributes: &mut Pairs) -> Result<Event<'a>, JsonError> {
        let reader = &mut self.reader;
        let mut event = Event::default();
        let mut members = reader.object()?;
        while let Some(key) = reader.key(&mut members)? {
            match &*key {
                b"host" => event.texts[0] = text(reader).map_err(|error| error.of_field("host"))?,
                b"source" => event.texts[1] = text(reader).map_err(|error| error.of_field("source"))?,
                b"sourcetype" => event.texts[2] = text(reader).map_err(|error| error.of_field("sourcetype"))?,
                b"index" => event.texts[3] = text(reader).map_err(|error| error.of_field("index"))?,
                b"time" => {
                    let at = reader.position();
                    let written = text(reader).map_err(|error| error.of_field("time"))?;
                    if !written.is_empty() {
                        let wrong = || JsonError::value(at, "must be seconds since 1970").of_field("time");
                        event.time_ns = epoch_ns(&written).ok_or_else(wrong)?;
                    }
                }
                b"event" => event.body = Some(said(reader)?),
                b"fields" => fields(reader, &mut event, attributes).map_err(|error| error.of_field("fields"))?,
                _ => reader.skip()?,
            }
        }
        Ok(event)
    }
}

/// A text, or a number or truth as its text.
fn text<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, JsonError> {
    match reader.peek() {
        Some(b'-' | b'0'..=b'9') => reader.number().map(Cow::Borrowed),
        Some(b't' | b'f') => Ok(Cow::Borrowed(if reader.boolean()? { b"true" } else { b"false" })),
        _ => reader.string(),
    }
}

fn said<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, JsonError> {
    if reader.peek() == Some(b'"') {
        return reader.string();
    }
    let at = reader.position();
    reader.skip()?;
    Ok(Cow::Borrowed(reader.read_since(at)))
}

fn fields<'a>(reader: &mut Reader<'a>, event: &mut Event<'a>, attributes: &mut Pairs) -> Result<(), JsonError> {
    let mut members = reader.object()?;
    while let Some(key) = reader.key(&mut members)? {
        match reader.peek() {
            Some(b'"') => {
                let value = reader.string()?;
                if &*key == b"service.name" {
                    event.service = value;
                } else {
                    attributes.text(&key, &value);
                }
            }
            Some(b't' | b'f') => attributes.boolean(&key, reader.boolean()?),
            Some(b'[' | b'{') => {
                let at = reader.position();
                reader.skip()?;
                attributes.json(&key, reader.read_since(at));
            }
            _ => attributes.number(&key, reader.number()?),
        }
    }
    Ok(())
}
