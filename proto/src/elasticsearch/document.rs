//! A document as a log record: what the Elastic Common Schema has names for in the record's fields, the rest as its attributes.

use std::borrow::Cow;

use super::{Action, ID, INDEX, SCOPE, name_problem};
use crate::{
    SpanId, TraceId,
    decimal::scaled,
    json::{FieldLimits, FieldValue, JsonError, NoFields, Reader, fields},
    otlp::logs::{Pairs, RequestWriter, Written, severity_of_level, severity_of_word},
    timestamp::parse_iso,
};

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The request ends behind its action.
    #[error("the document is missing: the request ends behind its action")]
    SourceMissing,
    /// Not JSON, or no object.
    #[error("{0}")]
    NoObject(String),
    /// Its time is none.
    #[error("the field [@timestamp] has a value that is no date: {0}")]
    Time(String),
    /// Its index cannot have this name.
    #[error("the name of index [{name}] {problem}")]
    IndexName {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing is changed here.
    #[error("{} is not taken: log records are only ever added, by create or index", .0.name())]
    OnlyAppends(Action),
}

impl DocumentError {
    /// Elasticsearch's word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SourceMissing | Self::OnlyAppends(_) => "illegal_argument_exception",
            Self::NoObject(_) | Self::Time(_) => "document_parsing_exception",
            Self::IndexName { .. } => "invalid_index_name_exception",
        }
    }
}

/// Objects in each other within a document whose fields become attributes.
const DEPTH_MAX: u32 = 32;

/// Documents on their way to a request.
#[derive(Debug)]
pub struct Documents {
    out: RequestWriter,
    attributes: Pairs,
    resource: Pairs,
    limits: FieldLimits,
    /// The index whose name was looked at last.
    good_name: String,
}

/// What a document says that has a place of its own.
#[derive(Default)]
struct Found<'a> {
    time_ns: u64,
    has_time: bool,
    bad_time: Option<String>,
    severity_number: u8,
    severity_text: Cow<'a, [u8]>,
    /// By how good the name is: `message` (as the Collector's exporter has it, `body.text`), `msg`, `log`; and where it stands among the attributes.
    message: Option<(u8, Cow<'a, [u8]>, usize, usize)>,
    trace_id: Option<[u8; 16]>,
    span_id: Option<[u8; 8]>,
    service: Option<Cow<'a, [u8]>>,
}

impl Documents {
    /// Documents of about so many bytes, with at most so many fields.
    pub fn new(bytes: usize, fields_max: u32) -> Self {
        Self {
            out: RequestWriter::new(SCOPE, bytes),
            attributes: Pairs::of_record(),
            resource: Pairs::of_resource(),
            limits: FieldLimits { fields_max, depth_max: DEPTH_MAX },
            good_name: String::new(),
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Adds a document of this index.
    pub fn push(&mut self, source: &[u8], index: &str, id: Option<&str>) -> Result<(), DocumentError> {
        if index != self.good_name {
            if let Some(problem) = name_problem(index) {
                return Err(DocumentError::IndexName { name: index.chars().take(300).collect(), problem });
            }
            index.clone_into(&mut self.good_name);
        }
        let attributes = &mut self.attributes;
        attributes.clear();
        // Long names of nested objects stand before each of their members: then it is better off as the text that it is.
        let (bytes_max, mut is_beyond) = (3 * source.len() + 512, false);
        let mut found = Found::default();
        let read = fields(source, self.limits, |name, value| {
            is_beyond |= attributes.len() > bytes_max;
            if !is_beyond {
                found.field(name, value, attributes);
            }
        });
        match read {
            Ok(()) => {}
            Err(NoFields::Beyond) => is_beyond = true,
            Err(NoFields::NoObject | NoFields::Broken) => return Err(no_object(source)),
        }
        if is_beyond {
            // The fields were read until they were too many.
            whole(source)?;
            found.message = None;
        }
        if let Some(text) = found.bad_time {
            return Err(DocumentError::Time(text));
        }
        let body = match found.message {
            Some((_, text, from, to)) => {
                self.attributes.take_out(from, to);
                text
            }
            // A text whose fields are found in it.
            None => {
                self.attributes.clear();
                Cow::Borrowed(source.trim_ascii())
            }
        };
        if let Some(id) = id {
            self.attributes.text(ID.as_bytes(), id.as_bytes());
        }
        self.resource.clear();
        if let Some(service) = &found.service {
            self.resource.text(b"service.name", service);
        }
        self.resource.text(INDEX.as_bytes(), index.as_bytes());
        let record = Written {
            time_ns: found.time_ns,
            severity_number: found.severity_number,
            severity_text: &found.severity_text,
            body: &body,
            trace_id: found.trace_id.as_ref().map_or(&[], |id| id),
            span_id: found.span_id.as_ref().map_or(&[], |id| id),
        };
        self.out.record(&self.resource, record, &self.attributes);
        Ok(())
    }

    /// The request.
    pub fn finish(self) -> Vec<u8> {
        self.out.finish()
    }
}

impl<'a> Found<'a> {
    fn field(&mut self, name: &[u8], value: FieldValue<'a>, attributes: &mut Pairs) {
        match (name, &value) {
            (b"@timestamp", FieldValue::Null) => return,
            (b"@timestamp", value) => {
                match timestamp(value) {
                    Some(time_ns) => (self.time_ns, self.has_time) = (time_ns, true),
                    None => self.bad_time = Some(shown(value)),
                }
                return;
            }
            // Where others say when it was: nobody is refused for these.
            (b"timestamp" | b"time", value) if !self.has_time => {
                self.time_ns = other_time(value).unwrap_or(self.time_ns)
            }
            (b"log.level" | b"severity_text", FieldValue::Text(text)) => {
                self.severity_number = severity_of_word(text);
                self.severity_text = text.clone();
                return;
            }
            (b"level" | b"severity", value) if self.severity_text.is_empty() => self.other_severity(value),
            (b"trace.id" | b"trace_id", FieldValue::Text(text)) => {
                if let Some(id) = trace_id(text) {
                    self.trace_id = Some(id);
                    return;
                }
            }
            (b"span.id" | b"span_id", FieldValue::Text(text)) => {
                if let Some(id) = span_id(text) {
                    self.span_id = Some(id);
                    return;
                }
            }
            (b"service.name" | b"resource.attributes.service.name", FieldValue::Text(text)) if !text.is_empty() => {
                self.service = Some(text.clone());
                return;
            }
            _ => {}
        }
        let from = attributes.len();
        match &value {
            FieldValue::Text(text) => attributes.text(name, text),
            FieldValue::Number(text) => attributes.number(name, text),
            FieldValue::Bool(value) => attributes.boolean(name, *value),
            FieldValue::Json(text) => attributes.json(name, text),
            FieldValue::Null => {}
        }
        let rank = match name {
            b"message" | b"body.text" => 0,
            b"msg" => 1,
            b"log" => 2,
            _ => return,
        };
        let text = match value {
            FieldValue::Text(text) => text,
            FieldValue::Number(text) => Cow::Borrowed(text),
            _ => return,
        };
        if self.message.as_ref().is_none_or(|(best, ..)| rank < *best) {
            self.message = Some((rank, text, from, attributes.len()));
        }
    }

    fn other_severity(&mut self, value: &FieldValue<'_>) {
        let number = match value {
            FieldValue::Text(word) => severity_of_word(word),
            FieldValue::Number(digits) => number(digits).map_or(0, |level| severity_of_level(level as i64)),
            _ => 0,
        };
        if number > 0 {
            self.severity_number = number;
        }
    }
}

fn trace_id(text: &[u8]) -> Option<[u8; 16]> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 32)?;
    text.parse::<TraceId>().ok().map(|id| id.0).filter(|id| *id != [0; 16])
}

fn span_id(text: &[u8]) -> Option<[u8; 8]> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 16)?;
    text.parse::<SpanId>().ok().map(|id| id.0).filter(|id| *id != [0; 8])
}

fn number(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Milliseconds since 1970, or an ISO time; Unix ns.
fn timestamp(value: &FieldValue<'_>) -> Option<u64> {
    match value {
        FieldValue::Text(text) => parse_iso(text).or_else(|| of_ms(text)),
        FieldValue::Number(digits) => of_ms(digits),
        _ => None,
    }
}

/// The same where it is only likely: a small number is not one of milliseconds.
fn other_time(value: &FieldValue<'_>) -> Option<u64> {
    const MS_MIN: u64 = 100_000_000_000;

    timestamp(value).filter(|time_ns| *time_ns >= MS_MIN * 1_000_000)
}

/// Milliseconds with a fraction, exactly; or as JSON may write a number.
fn of_ms(digits: &[u8]) -> Option<u64> {
    const MS_MAX: f64 = 1.8e13;

    let text = std::str::from_utf8(digits).ok()?;
    if let Some(ns) = scaled(text, 1_000_000) {
        return u64::try_from(ns).ok();
    }
    let ms: f64 = text.parse().ok()?;
    (0.0..MS_MAX).contains(&ms).then_some((ms * 1e3).round() as u64 * 1000)
}

fn shown(value: &FieldValue<'_>) -> String {
    let text = match value {
        FieldValue::Text(text) => text,
        FieldValue::Number(text) | FieldValue::Json(text) => *text,
        FieldValue::Bool(true) => b"true",
        FieldValue::Bool(false) => b"false",
        FieldValue::Null => b"null",
    };
    String::from_utf8_lossy(text).chars().take(100).collect()
}

/// Whether it is JSON all the same.
fn whole(source: &[u8]) -> Result<(), DocumentError> {
    let mut reader = Reader::new(source);
    let read = reader.skip().and_then(|()| reader.end());
    read.map_err(|error| DocumentError::NoObject(error.to_string()))
}

#[cold]
fn no_object(source: &[u8]) -> DocumentError {
    let mut reader = Reader::new(source);
    let read = reader.object().map(drop).map_err(|error: JsonError| error.of_field("the document"));
    match read {
        Err(error) => DocumentError::NoObject(error.to_string()),
        Ok(()) => whole(source).err().unwrap_or_else(|| DocumentError::NoObject("not JSON".into())),
    }
}
