//! Lines as the generated messages, for showing a few of them.

use super::{LineView, ValueView};
use crate::otlp::{
    message::{any_value, attributes, text},
    messages::logs::v1::LogRecord,
};

impl LineView<'_> {
    /// The line as a message. Unknown fields are left out, and an empty body is none.
    pub fn to_message(&self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time_ns,
            observed_time_unix_nano: self.observed_ns,
            severity_number: self.severity_number,
            severity_text: text(self.severity_text),
            body: (self.body != ValueView::Empty).then(|| any_value(self.body)),
            attributes: attributes(self.attributes),
            dropped_attributes_count: self.dropped_attributes_count,
            flags: self.flags,
            trace_id: self.trace_id.to_vec(),
            span_id: self.span_id.to_vec(),
            event_name: text(self.event_name),
        }
    }
}
