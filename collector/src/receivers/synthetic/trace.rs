//! A probe as a trace: one span for all of it, one below for each phase, in OTLP's encoding.

use tokio::time::Instant;
use weir_proto::otlp::wire::Writer;

use super::findings::{Findings, Note};

const KIND_INTERNAL: u64 = 1;
const KIND_CLIENT: u64 = 3;
const STATUS_ERROR: u64 = 2;

/// Sampled, as W3C Trace Context writes flags.
const SAMPLED: u32 = 1;

/// Ids of a probe's trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    trace: [u8; 16],
    root: [u8; 8],
}

impl Ids {
    /// New ones; `None` when the system has no randomness to give.
    pub(super) fn random() -> Option<Self> {
        let (mut trace, mut root) = ([0; 16], [0; 8]);
        getrandom::fill(&mut trace).ok()?;
        getrandom::fill(&mut root).ok()?;
        // All zero is no id.
        trace[15] |= 1;
        root[7] |= 1;
        Some(Self { trace, root })
    }

    /// The header `traceparent` (W3C Trace Context), by which the target's spans hang below the probe's.
    pub(super) fn traceparent(&self) -> String {
        format!("00-{}-{}-01", hex(&self.trace), hex(&self.root))
    }

    /// The trace's id in hex.
    pub(super) fn trace_id(&self) -> String {
        hex(&self.trace)
    }

    /// Ids of the spans below the root: each another one.
    fn below(&self, index: usize) -> [u8; 8] {
        let root = u64::from_be_bytes(self.root);
        root.wrapping_add(1 + index as u64).max(1).to_be_bytes()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is known of a probe beside its findings.
pub(super) struct Told<'a> {
    pub(super) service: &'a str,
    pub(super) location: &'a str,
    pub(super) job: &'a str,
    pub(super) module: &'a str,
    pub(super) target: &'a str,
    pub(super) begin: Instant,
    /// When that was, Unix ns.
    pub(super) begin_ns: u64,
    pub(super) end: Instant,
    pub(super) failure: Option<&'a str>,
}

impl Told<'_> {
    fn unix_ns(&self, time: Instant) -> u64 {
        self.begin_ns + time.saturating_duration_since(self.begin).as_nanos() as u64
    }

    /// The trace as an ExportTraceServiceRequest.
    pub(super) fn encoded(&self, ids: &Ids, findings: &Findings) -> Vec<u8> {
        let mut out = Writer::with_capacity(2048);
        let resource_spans = out.begin(1, 2);
        let resource = out.begin(1, 1);
        out.text_pair(1, b"service.name", self.service.as_bytes());
        out.text_pair(1, b"weir.probe.location", self.location.as_bytes());
        out.end(resource);
        let scope_spans = out.begin(2, 2);
        let scope = out.begin(1, 1);
        out.bytes(1, b"weir.probes");
        out.bytes(2, env!("CARGO_PKG_VERSION").as_bytes());
        out.end(scope);
        self.write_root(&mut out, ids, findings);
        for (index, phase) in findings.phases.iter().enumerate() {
            let span = out.begin(2, 2);
            out.bytes(1, &ids.trace);
            out.bytes(2, &ids.below(index));
            out.bytes(4, &ids.root);
            out.bytes(5, phase.name.as_bytes());
            out.varint(6, KIND_INTERNAL);
            out.fixed64(7, self.unix_ns(phase.begin));
            out.fixed64(8, self.unix_ns(phase.end.unwrap_or(self.end)));
            write_notes(&mut out, &phase.notes);
            if phase.end.is_none() {
                write_error(&mut out, self.failure.unwrap_or("unfinished"));
            }
            out.fixed32(16, SAMPLED);
            out.end(span);
        }
        out.end(scope_spans);
        out.end(resource_spans);
        out.into_bytes()
    }

    fn write_root(&self, out: &mut Writer, ids: &Ids, findings: &Findings) {
        let span = out.begin(2, 2);
        out.bytes(1, &ids.trace);
        out.bytes(2, &ids.root);
        out.bytes(5, format!("probe {}", self.module).as_bytes());
        out.varint(6, KIND_CLIENT);
        out.fixed64(7, self.begin_ns);
        out.fixed64(8, self.unix_ns(self.end));
        for (name, value) in [
            ("weir.probe.job", self.job),
            ("weir.probe.module", self.module),
            ("weir.probe.target", &without_user(self.target)),
            ("weir.probe.location", self.location),
        ] {
            out.text_pair(9, name.as_bytes(), value.as_bytes());
        }
        write_notes(out, &findings.notes);
        if let Some(failure) = self.failure {
            write_error(out, failure);
        }
        out.fixed32(16, SAMPLED);
        out.end(span);
    }
}

fn write_notes(out: &mut Writer, notes: &[(&'static str, Note)]) {
    for (name, note) in notes {
        match note {
            Note::Text(text) => out.text_pair(9, name.as_bytes(), text.as_bytes()),
            Note::Number(number) => {
                let pair = out.begin(9, 1);
                out.bytes(1, name.as_bytes());
                let value = out.begin(2, 1);
                out.varint(3, *number as u64);
                out.end(value);
                out.end(pair);
            }
        }
    }
}

fn write_error(out: &mut Writer, message: &str) {
    let status = out.begin(15, 1);
    out.bytes(2, message.as_bytes());
    out.varint(3, STATUS_ERROR);
    out.end(status);
}

/// A target without the name and password that its URL may have.
fn without_user(target: &str) -> String {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    let before = &target[..target.len() - rest.len()];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((_, host)) => format!("{before}{host}{}", &rest[end..]),
        None => target.to_owned(),
    }
}
