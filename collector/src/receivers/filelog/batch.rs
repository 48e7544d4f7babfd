//! Lines on their way to a frame: an export request, written entry by entry.

use weir_proto::otlp::wire::{OpenMessage, Writer};

use crate::operators::Entry;

/// A frame has about so many bytes; a poll's last one less.
pub(super) const BATCH_BYTES: usize = if cfg!(test) { 1 << 10 } else { 2 << 20 };

/// A record with more is none for a frame: the journal takes 64 MiB, other lines and cursors among them.
const RECORD_BYTES_MAX: usize = if cfg!(test) { 4 << 20 } else { 40 << 20 };

/// The same of what is known of who wrote it.
const RESOURCE_BYTES_MAX: usize = RECORD_BYTES_MAX / 5;

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

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Adds a line, unless it is larger than one may be.
    #[must_use]
    pub(super) fn push(&mut self, entry: &Entry<'_>) -> bool {
        if self.out.is_empty() {
            self.out = Writer::with_capacity(BATCH_BYTES + BATCH_BYTES / 8);
        }
        self.scratch.clear();
        entry.resource.write(&mut self.scratch, 1);
        if self.scratch.len() > RESOURCE_BYTES_MAX {
            return false;
        }
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
        let before = self.out.len();
        entry.write(&mut self.out, 2);
        if self.out.len() - before > RECORD_BYTES_MAX {
            self.out.truncate(before);
            return false;
        }
        self.lines += 1;
        true
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
