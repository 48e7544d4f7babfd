//! Events of Splunk's HTTP Event Collector to OTLP protobuf, one after the other as they stand in a body.
//!
//! The wire form is that of Splunk's documentation ("Format events for HTTP Event Collector"); the names of attributes are those of the
//! OpenTelemetry Collector's receiver. docs/logs.md has the mapping in full.

mod event;

use self::event::Event;
use crate::{
    json::JsonError,
    otlp::logs::{Pairs, RequestWriter, Written},
};

/// The name of the scope that events are in.
pub const SCOPE: &str = "splunk_hec";

/// At most this many times as many bytes come out: small events of different sources get longer.
pub const EXPANSION_MAX: usize = 8;

/// The resource attributes of an event's metadata: host, source, source type, index.
pub const ATTRIBUTES: [&str; 4] = ["host.name", "com.splunk.source", "com.splunk.sourcetype", "com.splunk.index"];

/// What an event says of itself beside what it says, in the order of [`ATTRIBUTES`]; and what holds for those that say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Empty ones are as good as absent.
    pub texts: [String; 4],
    /// Unix ns; 0 when nobody knows.
    pub time_ns: u64,
}

/// Why a whole request is refused. Events are counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// No bytes but blanks.
    #[error("no data")]
    NoData,
    /// Not JSON, or not such JSON.
    #[error("event {event}: {error}")]
    Malformed {
        /// Which event.
        event: usize,
        /// Why.
        error: JsonError,
    },
    /// There is no `event`.
    #[error("event {event} has no field `event`")]
    EventMissing {
        /// Which event.
        event: usize,
    },
    /// `event` is an empty text.
    #[error("event {event}: the field `event` is blank")]
    EventBlank {
        /// Which event.
        event: usize,
    },
    /// More comes out than is allowed.
    #[error("more than {bytes_max} bytes of protobuf")]
    TooLarge {
        /// How much is allowed.
        bytes_max: usize,
    },
}

impl EventsError {
    /// Which event it is about.
    pub fn event(&self) -> Option<usize> {
        match self {
            Self::Malformed { event, .. } | Self::EventMissing { event } | Self::EventBlank { event } => Some(*event),
            Self::NoData | Self::TooLarge { .. } => None,
        }
    }
}

/// Writes events as records.
struct Events<'m> {
    defaults: &'m Metadata,
    out: RequestWriter,
    resource: Pairs,
    bytes_max: usize,
}

impl<'m> Events<'m> {
    fn new(defaults: &'m Metadata, content: &[u8], bytes_max: usize) -> Self {
        let out = RequestWriter::new(SCOPE, content.len() + content.len() / 4);
        let bytes_max = bytes_max.min(EXPANSION_MAX * content.len() + 4096);
        Self { defaults, out, resource: Pairs::of_resource(), bytes_max }
    }

    fn push(
        &mut self,
        texts: [&[u8]; 4],
        service: &[u8],
        record: Written<'_>,
        attributes: &Pairs,
    ) -> Result<(), EventsError> {
        self.resource.clear();
        if !service.is_empty() {
            self.resource.text(b"service.name", service);
        }
        for ((name, text), default) in ATTRIBUTES.iter().zip(texts).zip(&self.defaults.texts) {
            let text = if text.is_empty() { default.as_bytes() } else { text };
            if !text.is_empty() {
                self.resource.text(name.as_bytes(), text);
            }
        }
        let time_ns = if record.time_ns == 0 { self.defaults.time_ns } else { record.time_ns };
        self.out.record(&self.resource, Written { time_ns, ..record }, attributes);
        if self.out.len() > self.bytes_max {
            return Err(EventsError::TooLarge { bytes_max: self.bytes_max });
        }
        Ok(())
    }
}

/// Events as objects of JSON, one after the other, with or without blanks between them.
pub fn transcode_events(content: &[u8], defaults: &Metadata, bytes_max: usize) -> Result<Vec<u8>, EventsError> {
    let mut events = Events::new(defaults, content, bytes_max);
    let mut attributes = Pairs::of_record();
    let mut reading = event::Reading::new(content);
    let mut number = 0;
    while let Some(read) = reading.next(&mut attributes) {
        let Event { texts, service, time_ns, body } =
            read.map_err(|error| EventsError::Malformed { event: number, error })?;
        let body = body.ok_or(EventsError::EventMissing { event: number })?;
        if body.is_empty() {
            return Err(EventsError::EventBlank { event: number });
        }
        let record = Written { time_ns, body: &body, ..Written::default() };
        events.push(texts.each_ref().map(|text| &**text), &service, record, &attributes)?;
        number += 1;
    }
    if number == 0 {
        return Err(EventsError::NoData);
    }
    Ok(events.out.finish())
}

/// Text, each line of which is an event; blank ones are none.
pub fn transcode_raw(content: &[u8], defaults: &Metadata, bytes_max: usize) -> Result<Vec<u8>, EventsError> {
    let mut events = Events::new(defaults, content, bytes_max);
    let attributes = Pairs::of_record();
    let lines = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        events.push([&[]; 4], &[], Written { body: line, ..Written::default() }, &attributes)?;
    }
    if events.out.is_empty() {
        return Err(EventsError::NoData);
    }
    Ok(events.out.finish())
}

/// Seconds since 1970 with a fraction, or milliseconds when there are so many; `None` for anything else.
pub fn epoch_ns(text: &[u8]) -> Option<u64> {
    const SECONDS_DIGITS_MAX: usize = 11;

    let text = std::str::from_utf8(text).ok()?.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        // As JSON may write a number.
        let seconds: f64 = text.parse().ok()?;
        return (0.0..1.8e10).contains(&seconds).then_some((seconds * 1e6).round() as u64 * 1000);
    }
    let places = if whole.len() > SECONDS_DIGITS_MAX { 6 } else { 9 };
    let fraction = (0..places)
        .fold(0, |ns, place| ns * 10 + fraction.as_bytes().get(place).map_or(0, |digit| u64::from(digit - b'0')));
    whole.parse::<u64>().ok()?.checked_mul(10_u64.pow(places as u32))?.checked_add(fraction)
}

#[cfg(test)]
mod tests;
