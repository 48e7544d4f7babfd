//! Spans by service and scope: OTLP has a resource for each, Zipkin says it in every span.

use std::collections::HashMap;

use super::{
    JsonError,
    span::{Times, ZipkinSpan},
    tags::{Value, key_value},
};
use crate::otlp::wire::Writer;

/// Services, times their scopes, in one list: a sender has one, a proxy in front of a fleet some hundred.
const GROUPS_MAX: usize = 4096;

/// What a list becomes.
pub(super) struct Groups {
    groups: Vec<Group>,
    index_by_key: HashMap<Vec<u8>, usize>,
    /// The trace and start of every span that has one.
    starts: Vec<([u8; 16], u64)>,
    untimed: Vec<Untimed>,
    bytes: usize,
    bytes_max: usize,
}

struct Group {
    service: Vec<u8>,
    scope_name: Vec<u8>,
    scope_version: Vec<u8>,
    /// ScopeSpans.spans.
    spans: Writer,
}

/// A span that nothing in itself says the time of.
struct Untimed {
    trace_id: [u8; 16],
    group: usize,
    /// Within the group's spans.
    times: Times,
}

impl Groups {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            groups: Vec::new(),
            index_by_key: HashMap::new(),
            starts: Vec::new(),
            untimed: Vec::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes a span that began at byte `at`, and whose attributes and events are in `content`.
    pub(super) fn add(&mut self, span: &ZipkinSpan<'_>, content: &mut Writer, at: usize) -> Result<(), JsonError> {
        let Some(trace_id) = span.trace_id() else {
            return Err(JsonError::value(at, "is missing").of_field(span.missing()));
        };
        let mut times = span.write(content);
        let group = self.group_of(span, at)?;
        let spans = &mut self.groups[group].spans;
        let before = spans.len();
        spans.bytes(2, content.written());
        self.bytes += spans.len() - before;
        self.check_size()?;
        match times.start_ns {
            Some(start_ns) => self.starts.push((trace_id, start_ns)),
            None => {
                let content_at = self.groups[group].spans.len() - content.len();
                times.start_end += content_at;
                times.end_end += content_at;
                self.untimed.push(Untimed { trace_id, group, times });
            }
        }
        Ok(())
    }

    fn check_size(&self) -> Result<(), JsonError> {
        let bytes_max = self.bytes_max;
        if self.bytes > bytes_max { Err(JsonError::TooLarge { bytes_max }) } else { Ok(()) }
    }

    fn group_of(&mut self, span: &ZipkinSpan<'_>, at: usize) -> Result<usize, JsonError> {
        let (service, (scope_name, scope_version)) = (span.service(), span.scope());
        let same = |group: &Group| {
            group.service == service && group.scope_name == scope_name && group.scope_version == scope_version
        };
        if let Some(last) = self.groups.last().filter(|last| same(last)) {
            debug_assert!(!last.spans.written().is_empty());
            return Ok(self.groups.len() - 1);
        }
        let mut key = Vec::with_capacity(service.len() + scope_name.len() + scope_version.len() + 16);
        for text in [service, scope_name] {
            key.extend_from_slice(&text.len().to_le_bytes());
            key.extend_from_slice(text);
        }
        key.extend_from_slice(scope_version);
        if let Some(index) = self.index_by_key.get(&key) {
            return Ok(*index);
        }
        if self.groups.len() == GROUPS_MAX {
            return Err(
                JsonError::value(at, "more than 4096 services and scopes in one list").of_field("localEndpoint")
            );
        }
        let index = self.groups.len();
        self.bytes += key.len();
        self.index_by_key.insert(key, index);
        self.groups.push(Group {
            service: service.to_vec(),
            scope_name: scope_name.to_vec(),
            scope_version: scope_version.to_vec(),
            spans: Writer::default(),
        });
        Ok(index)
    }

    /// The whole request. A span without a time begins with the first of its trace that has one, or on arrival.
    pub(super) fn finish(mut self, received_at_ns: u64) -> Result<Vec<u8>, JsonError> {
        if !self.untimed.is_empty() {
            let mut first_start: HashMap<[u8; 16], u64> = HashMap::new();
            for (trace_id, start_ns) in &self.starts {
                let first = first_start.entry(*trace_id).or_insert(*start_ns);
                *first = (*first).min(*start_ns);
            }
            for Untimed { trace_id, group, times } in &self.untimed {
                let start_ns = first_start.get(trace_id).copied().unwrap_or(received_at_ns);
                let spans = &mut self.groups[*group].spans;
                spans.overwrite_fixed64(times.start_end, start_ns);
                spans.overwrite_fixed64(times.end_end, start_ns.saturating_add(times.duration_ns));
            }
        }
        let mut out = Writer::with_capacity(self.bytes + 64 * self.groups.len());
        for group in &self.groups {
            group.write(&mut out);
        }
        self.bytes = out.len();
        self.check_size()?;
        Ok(out.into_bytes())
    }
}

impl Group {
    /// Writes it as ResourceSpans.
    fn write(&self, out: &mut Writer) {
        let resource_spans = out.begin(1, 3);
        if !self.service.is_empty() {
            let resource = out.begin(1, 1);
            key_value(out, 1, b"service.name", &Value::Text(&self.service));
            out.end(resource);
        }
        let scope_spans = out.begin(2, 3);
        if !self.scope_name.is_empty() || !self.scope_version.is_empty() {
            let scope = out.begin(1, 1);
            out.bytes(1, &self.scope_name);
            out.bytes(2, &self.scope_version);
            out.end(scope);
        }
        out.append(self.spans.written());
        out.end(scope_spans);
        out.end(resource_spans);
    }
}
