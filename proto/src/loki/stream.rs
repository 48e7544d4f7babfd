//! Writes streams as ResourceLogs: what both forms of a push have in common.

use std::borrow::Cow;

use super::{PushOptions, SCOPE, service};
use crate::{
    json::JsonError,
    otlp::wire::{OpenMessage, Writer},
};

/// A stream's labels as they came.
pub(super) type Labels<'a> = Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>;

/// The request under way.
pub(super) struct Request<'o> {
    out: Writer,
    options: PushOptions<'o>,
}

/// A stream under way: its ResourceLogs, and in it the ScopeLogs once there is a line.
pub(super) struct Stream {
    resource_logs: OpenMessage,
    begun_at: usize,
    content_at: usize,
    has_resource: bool,
    scope_logs: Option<OpenMessage>,
}

/// A line under way: structured metadata may follow.
pub(super) struct Line(OpenMessage);

impl<'o> Request<'o> {
    pub(super) fn new(options: PushOptions<'o>, bytes: usize) -> Self {
        Self { out: Writer::with_capacity(bytes), options }
    }

    /// Begins a stream, whose labels may come before its lines or after them.
    pub(super) fn begin_stream(&mut self) -> Stream {
        let begun_at = self.out.len();
        let resource_logs = self.out.begin(1, 3);
        let content_at = self.out.len();
        Stream { resource_logs, begun_at, content_at, has_resource: false, scope_logs: None }
    }

    /// Writes a stream's labels, if there is no line of it yet: they are written at its end otherwise.
    pub(super) fn labels_first(&mut self, stream: &mut Stream, labels: &Labels<'_>) {
        if stream.scope_logs.is_none() && !stream.has_resource {
            stream.has_resource = true;
            self.resource(labels);
        }
    }

    fn resource(&mut self, labels: &Labels<'_>) {
        let resource = self.out.begin(1, 2);
        for (name, value) in labels {
            attribute(&mut self.out, 1, name, value);
        }
        let pairs = labels.iter().map(|(name, value)| (&**name, &**value));
        if let Some(service) = service::discovered(pairs, self.options.service_labels) {
            attribute(&mut self.out, 1, b"service.name", service);
        }
        self.out.end(resource);
    }

    /// Begins a line; a time of 0 is one that nobody knows.
    pub(super) fn begin_line(&mut self, stream: &mut Stream, time_ns: u64, text: &[u8]) -> Line {
        if stream.scope_logs.is_none() {
            stream.scope_logs = Some(self.out.begin(2, 3));
            let scope = self.out.begin(1, 1);
            self.out.bytes(1, SCOPE.as_bytes());
            self.out.end(scope);
        }
        let line = self.out.begin(2, 2);
        if time_ns > 0 && self.options.keeps_times {
            self.out.fixed64(1, time_ns);
        }
        let body = self.out.begin(5, 2);
        self.out.bytes(1, text);
        self.out.end(body);
        Line(line)
    }

    /// Structured metadata of a line.
    pub(super) fn metadata(&mut self, key: &[u8], value: &[u8]) {
        attribute(&mut self.out, 6, key, value);
    }

    /// Ends a line.
    pub(super) fn end_line(&mut self, line: Line) -> Result<(), JsonError> {
        self.out.end(line.0);
        self.check_size()
    }

    /// Ends a stream with its labels. One without lines leaves nothing behind.
    pub(super) fn end_stream(&mut self, stream: Stream, labels: &Labels<'_>) -> Result<(), JsonError> {
        let Stream { resource_logs, begun_at, content_at, has_resource, scope_logs } = stream;
        let Some(scope_logs) = scope_logs else {
            self.out.truncate(begun_at);
            return Ok(());
        };
        self.out.end(scope_logs);
        if !has_resource {
            // The scan wants the resource first.
            let resource_at = self.out.len();
            self.resource(labels);
            self.out.move_forward(resource_at, content_at);
        }
        self.out.end(resource_logs);
        self.check_size()
    }

    fn check_size(&self) -> Result<(), JsonError> {
        let bytes_max = self.options.bytes_max;
        if self.out.len() > bytes_max { Err(JsonError::TooLarge { bytes_max }) } else { Ok(()) }
    }

    /// The whole request.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

/// A KeyValue whose value is a text.
fn attribute(out: &mut Writer, field: u32, key: &[u8], value: &[u8]) {
    let pair = out.begin(field, 1);
    out.bytes(1, key);
    let any = out.begin(2, 1);
    out.bytes(1, value);
    out.end(any);
    out.end(pair);
}
