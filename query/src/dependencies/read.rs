//! Reads record batches into spans and links of calls.

use arrow_array::{
    Array, DictionaryArray, FixedSizeBinaryArray, Float64Array, RecordBatch, StringArray,
    cast::AsArray,
    types::{Float64Type, Int32Type, Int64Type, UInt32Type},
};
use serde::Deserialize;
use weir_proto::{SpanId, TraceId, otlp::messages::trace::v1::status::StatusCode};
use weir_store::ScanColumn;

use super::call::{CallKind, CallLink, CallSpan, Callee, Code, Names};

/// Attributes of clients and producers that say whom they call, by OpenTelemetry's semantic conventions. The first that is there counts.
const PEERS: [(&str, Peer); 7] = [
    ("service.peer.name", Peer::Named(Callee::External)),
    ("peer.service", Peer::Named(Callee::External)),
    ("db.system.name", Peer::System),
    ("db.system", Peer::System),
    ("messaging.system", Peer::Named(Callee::Queue)),
    ("server.address", Peer::Named(Callee::External)),
    ("net.peer.name", Peer::Named(Callee::External)),
];

/// What an attribute's value names.
#[derive(Debug, Clone, Copy)]
enum Peer {
    Named(Callee),
    /// A database's or cache's system.
    System,
}

/// What a scan reads; [`PEERS`] at the end if asked for.
pub(super) fn columns(with_peers: bool) -> Vec<ScanColumn> {
    let mut columns = vec![
        ScanColumn::TraceId,
        ScanColumn::SpanId,
        ScanColumn::ParentSpanId,
        ScanColumn::Duration,
        ScanColumn::Service,
        ScanColumn::Kind,
        ScanColumn::StatusCode,
        ScanColumn::Links,
        ScanColumn::AdjustedCount,
    ];
    if with_peers {
        columns.extend(PEERS.iter().map(|(key, _)| ScanColumn::attribute(key)));
    }
    columns
}

/// The traces that are looked at together.
#[derive(Debug)]
pub(super) struct Pass {
    /// Traces with this remainder.
    number: u64,
    /// What their hash is divided by.
    passes: u64,
    held_max: usize,
    pub(super) spans: Vec<CallSpan>,
    pub(super) links: Vec<CallLink>,
    /// Spans and links for which there was no room.
    pub(super) left_out: u64,
    /// Whether some span, of any pass, stood for more than itself.
    pub(super) is_weighted: bool,
}

impl Pass {
    /// One of so many.
    pub(super) fn new(passes: u64, held_max: usize) -> Self {
        Self { number: 0, passes, held_max, spans: Vec::new(), links: Vec::new(), left_out: 0, is_weighted: false }
    }

    /// Goes on to the `number`th, from 0, in the same memory.
    pub(super) fn begin(&mut self, number: u64) {
        self.number = number;
        self.spans.clear();
        self.links.clear();
    }

    fn has(&self, trace: u64) -> bool {
        // Not the low bits alone: they are what the store's indexes are divided by.
        self.passes == 1 || (trace >> 32) % self.passes == self.number
    }

    fn has_room(&mut self) -> bool {
        let room = self.spans.len() + self.links.len() < self.held_max;
        self.left_out += u64::from(!room);
        room
    }
}

/// One batch's columns, of what [`columns`] asked for.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    trace_ids: &'a FixedSizeBinaryArray,
    span_ids: &'a FixedSizeBinaryArray,
    parent_ids: &'a FixedSizeBinaryArray,
    durations: &'a [i64],
    services: Texts<'a>,
    kinds: &'a [i32],
    status_codes: &'a [i32],
    links: Texts<'a>,
    /// How many spans each stands for; 1 where null.
    counts: &'a Float64Array,
    peers: Vec<(Texts<'a>, Peer)>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Self {
        let column = |position: usize| batch.column(position).as_ref();
        Self {
            trace_ids: column(0).as_fixed_size_binary(),
            span_ids: column(1).as_fixed_size_binary(),
            parent_ids: column(2).as_fixed_size_binary(),
            durations: column(3).as_primitive::<Int64Type>().values(),
            services: Texts::of(column(4)),
            kinds: column(5).as_primitive::<Int32Type>().values(),
            status_codes: column(6).as_primitive::<Int32Type>().values(),
            links: Texts::of(column(7)),
            counts: column(8).as_primitive::<Float64Type>(),
            peers: (9..batch.num_columns()).zip(PEERS).map(|(at, (_, peer))| (Texts::of(column(at)), peer)).collect(),
        }
    }

    /// Adds the rows that belong to the pass.
    pub(super) fn read(mut self, names: &mut Names, pass: &mut Pass) {
        for row in 0..self.kinds.len() {
            let trace = trace_key(self.trace_ids.value(row));
            let kind = CallKind::of(self.kinds[row]);
            let links = self.links.text(row).filter(|_| kind == CallKind::Consumer);
            if !pass.has(trace) && links.is_none() {
                continue;
            }
            let Some(service) = self.services.code(row, Callee::Service, names) else { continue };
            let mut span = CallSpan {
                trace,
                id: span_key(self.span_ids.value(row)),
                parent: if self.parent_ids.is_null(row) { 0 } else { span_key(self.parent_ids.value(row)) },
                duration_ns: self.durations[row].max(0) as f32,
                weight: if self.counts.is_null(row) { 1.0 } else { self.counts.value(row) as f32 },
                service,
                peer: Code::NOBODY,
                kind,
                is_error: self.status_codes[row] == StatusCode::Error as i32,
            };
            if let Some(links) = links {
                read_links(links, &span, pass);
            }
            if !pass.has(trace) || !pass.has_room() {
                continue;
            }
            if kind.calls() {
                span.peer = self.peer(row, names).unwrap_or(Code::NOBODY);
            }
            pass.is_weighted |= span.weight != 1.0;
            pass.spans.push(span);
        }
    }

    fn peer(&mut self, row: usize, names: &mut Names) -> Option<Code> {
        for (texts, peer) in &mut self.peers {
            let Some(text) = texts.text(row).filter(|text| !text.is_empty()) else { continue };
            let kind = match peer {
                Peer::Named(kind) => *kind,
                Peer::System => Callee::of_system(text),
            };
            return texts.code(row, kind, names);
        }
        None
    }
}

/// A link as the store writes it (docs/formats.md); other fields are passed over.
#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    trace_id: String,
    #[serde(default)]
    span_id: String,
}

/// The messages that a consumer took, as far as their senders belong to the pass.
fn read_links(text: &str, consumer: &CallSpan, pass: &mut Pass) {
    let links: Vec<Link> = serde_json::from_str(text).unwrap_or_default();
    for link in links {
        let (Ok(trace_id), Ok(span_id)) = (link.trace_id.parse::<TraceId>(), link.span_id.parse::<SpanId>()) else {
            continue;
        };
        let (trace, id) = (trace_id.hash64(), u64::from_be_bytes(span_id.0));
        // The parent counts already.
        if (trace, id) == (consumer.trace, consumer.parent) || !pass.has(trace) || !pass.has_room() {
            continue;
        }
        pass.links.push(CallLink {
            trace,
            id,
            consumer: consumer.trace ^ consumer.id.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            duration_ns: consumer.duration_ns,
            weight: consumer.weight,
            service: consumer.service,
            is_error: consumer.is_error,
            has_parent: consumer.parent != 0,
        });
    }
}

fn trace_key(bytes: &[u8]) -> u64 {
    TraceId(bytes.try_into().expect("16 bytes")).hash64()
}

fn span_key(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("8 bytes"))
}

/// A column of text behind codes, whose names are looked up once a batch.
#[derive(Debug)]
struct Texts<'a> {
    rows: &'a DictionaryArray<UInt32Type>,
    values: &'a StringArray,
    /// By the dictionary's codes.
    names: Vec<Option<Code>>,
}

impl<'a> Texts<'a> {
    fn of(column: &'a dyn Array) -> Self {
        let rows = column.as_dictionary::<UInt32Type>();
        Self { rows, values: rows.values().as_string(), names: Vec::new() }
    }

    fn text(&self, row: usize) -> Option<&'a str> {
        if self.rows.is_null(row) {
            return None;
        }
        Some(self.values.value(self.rows.keys().value(row) as usize))
    }

    fn code(&mut self, row: usize, kind: Callee, names: &mut Names) -> Option<Code> {
        let text = self.text(row)?;
        let key = self.rows.keys().value(row) as usize;
        if self.names.is_empty() {
            self.names.resize(self.values.len(), None);
        }
        if self.names[key].is_none() {
            self.names[key] = names.code(kind, text);
        }
        self.names[key]
    }
}
