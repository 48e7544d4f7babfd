//! Lines on their way to a frame: an export request, written entry by entry.

use weir_proto::otlp::wire::{OpenMessage, Writer};

use crate::operators::Entry;

/// A frame has about so many bytes; a poll's last one less.
pub(super) const BATCH_BYTES: usize = if cfg!(test) { 1 << 10 } else { 2 << 20 };

/// The scope of lines that were read from files.
const SCOPE: &str = "filelog";

/// An export request under way.
pub(super) struct BatchBuilder {
    out: Writer,
    lines: u32,
    group: Option<Group>,
    /// The resource of the group, as it is written.
    resource: Vec<u8>,
    scope: String,
    scratch: Writer,
}

/// The resource and the scope that lines are added to.
struct Group {
    resource_logs: OpenMessage,
    scope_logs: OpenMessage,
}

impl BatchBuilder {
    pub(super) fn new() -> Self {
        Self {
            out: Writer::with_capacity(0),
            lines: 0,
            group: None,
            resource: Vec::new(),
            scope: String::new(),
            scratch: Writer::with_capacity(256),
        }
    }

    /// Lines so far.
    pub(super) fn lines(&self) -> u32 {
        self.lines
    }

    /// Whether it has become large enough.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= BATCH_BYTES
    }

    /// Adds a line.
    pub(super) fn push(&mut self, entry: &Entry<'_>) {
        if self.out.is_empty() {
            self.out = Writer::with_capacity(BATCH_BYTES + BATCH_BYTES / 8);
        }
        self.scratch.clear();
        entry.resource.write(&mut self.scratch, 1);
        let scope = if entry.scope_name.is_empty() { SCOPE } else { &entry.scope_name };
        let fits = self.group.is_some() && self.scratch.written() == self.resource && scope == self.scope;
        if !fits {
            self.end_group();
            self.resource.clear();
            self.resource.extend_from_slice(self.scratch.written());
            scope.clone_into(&mut self.scope);
            let resource_logs = self.out.begin(1, 4);
            self.out.bytes(1, &self.resource);
            let scope_logs = self.out.begin(2, 4);
            let of_scope = self.out.begin(1, 1);
            self.out.bytes(1, self.scope.as_bytes());
            self.out.end(of_scope);
            self.group = Some(Group { resource_logs, scope_logs });
        }
        entry.write(&mut self.out, 2);
        self.lines += 1;
    }

    fn end_group(&mut self) {
        if let Some(Group { resource_logs, scope_logs }) = self.group.take() {
            self.out.end(scope_logs);
            self.out.end(resource_logs);
        }
    }

    /// The request, and how many lines are in it; then it is empty again.
    pub(super) fn take(&mut self) -> (Vec<u8>, u32) {
        self.end_group();
        let out = std::mem::take(&mut self.out);
        (out.into_bytes(), std::mem::take(&mut self.lines))
    }
}
