//! Messages on their way to a request.

use std::borrow::Cow;

use super::{
    DEFECT, SCOPE,
    message::{Message, Options, element, parse},
};
use crate::{
    SpanId, TraceId,
    otlp::logs::{Pairs, RequestWriter, Written, severity_of_syslog},
};

/// Keywords of facilities, by their number.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "security", "console", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The element of structured data that has the ids of a trace (OpenTelemetry, "Trace Context in non-OTLP Log Formats").
const TRACE_CONTEXT: &[u8] = b"opentelemetry";

/// How a message came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    /// When, Unix ns.
    pub now_ns: u64,
    /// From where; empty when that is not wanted.
    pub peer: &'a str,
    /// Whether its end is missing.
    pub is_cut: bool,
}

/// An ExportLogsServiceRequest of messages.
#[derive(Debug)]
pub struct Messages {
    options: Options,
    out: RequestWriter,
    resource: Pairs,
    attributes: Pairs,
    count: u64,
    unread: u64,
}

impl Messages {
    /// None yet; `bytes` are about how many will come.
    pub fn new(options: Options, bytes: usize) -> Self {
        let (resource, attributes) = (Pairs::of_resource(), Pairs::of_record());
        Self { options, out: RequestWriter::new(SCOPE, bytes), resource, attributes, count: 0, unread: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them are kept as texts, since they could not be read.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message as it came. What cannot be read is kept as a text, and says so.
    pub fn push(&mut self, raw: &[u8], origin: Origin<'_>) {
        let lossy = String::from_utf8_lossy(raw);
        let is_replaced = matches!(lossy, Cow::Owned(_));
        let text = lossy.as_bytes();
        self.count += 1;
        self.resource.clear();
        self.attributes.clear();
        let mut record = Written { body: text, ..Written::default() };
        let (mut trace_id, mut span_id) = (None, None);
        let mut defect = None;
        match parse(text, self.options, origin.now_ns) {
            Ok(message) => {
                record.time_ns = message.time_ns;
                if let Some(priority) = message.priority {
                    let (number, text) = severity_of_syslog(priority);
                    (record.severity_number, record.severity_text) = (number, text.as_bytes());
                }
                self.fields(&message, &mut trace_id, &mut span_id);
            }
            Err(what) => {
                self.unread += 1;
                defect = Some(what);
            }
        }
        let defect = defect.or(origin.is_cut.then_some("cut off")).or(is_replaced.then_some("not UTF-8"));
        if let Some(defect) = defect {
            self.attributes.text(DEFECT.as_bytes(), defect.as_bytes());
        }
        if !origin.peer.is_empty() {
            self.attributes.text(b"net.peer.ip", origin.peer.as_bytes());
        }
        record.trace_id = trace_id.as_ref().map_or(&[], |id: &TraceId| &id.0);
        record.span_id = span_id.as_ref().map_or(&[], |id: &SpanId| &id.0);
        self.out.record(&self.resource, record, &self.attributes);
    }

    /// The attributes of a message, in the order of their names, and the resource that it is of.
    fn fields(&mut self, message: &Message<'_>, trace_id: &mut Option<TraceId>, span_id: &mut Option<SpanId>) {
        let Self { resource, attributes, .. } = self;
        let mut text = |key: &str, value: &[u8]| {
            if !value.is_empty() {
                attributes.text(key.as_bytes(), value);
            }
        };
        text("appname", message.appname);
        text("hostname", message.hostname);
        text("message", message.message);
        text("msg_id", message.msg_id);
        text("proc_id", message.proc_id);
        if let Some(priority) = message.priority {
            let facility = priority >> 3;
            attributes.int(b"facility", facility.into());
            attributes.text(b"facility_text", FACILITIES[usize::from(facility).min(23)].as_bytes());
            attributes.int(b"priority", priority.into());
        }
        if message.version > 0 {
            attributes.int(b"version", message.version.into());
        }
        if !message.structured_data.is_empty() {
            attributes.map(b"structured_data", |elements| {
                let mut rest = message.structured_data;
                while !rest.is_empty() {
                    let mut len = rest.len();
                    let id = element(rest, |_, _| {}).map_or(&[][..], |(id, _)| id);
                    elements.map(id, |params| {
                        let read = element(rest, |name, value| {
                            let value = unescaped(value);
                            if id == TRACE_CONTEXT {
                                let text = std::str::from_utf8(&value).unwrap_or_default();
                                match name {
                                    b"trace_id" if text.len() == 32 => *trace_id = text.parse().ok(),
                                    b"span_id" if text.len() == 16 => *span_id = text.parse().ok(),
                                    _ => {}
                                }
                            }
                            params.text(name, &value);
                        });
                        len = read.map_or(len, |(_, len)| len);
                    });
                    rest = &rest[len..];
                }
            });
        }
        if !message.appname.is_empty() {
            resource.text(b"service.name", message.appname);
        }
        if !message.hostname.is_empty() {
            resource.text(b"host.name", message.hostname);
        }
    }

    /// The request.
    pub fn finish(self) -> Vec<u8> {
        self.out.finish()
    }
}

/// A value without the backslashes before quotes, backslashes and brackets.
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = bytes.next_if(|next| byte == b'\\' && matches!(next, b'"' | b'\\' | b']'));
        out.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(out)
}
