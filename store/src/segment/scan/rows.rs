//! Fills a scan's columns from spans as they arrived: what the head's summaries tell, and what lies in payloads.

use arrow_array::RecordBatch;
use weir_proto::{
    Signal, TraceId,
    loki::may_have_label,
    otlp::traces::{Attributes, ScannedSpan, ValueView},
};

use super::{arrays, attribute, entries::write_sorted, fixed_column, group};
use crate::{
    ask::{
        request::{ScanColumn, ScanRequest},
        span::{Place, SpanState},
    },
    columns::{Column, Kind},
    segment::{SegmentError, events, json, schema::fixed},
    verdict::kept::{KeptBy, POLICY_ATTRIBUTE},
};

/// What the head's summary tells of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadRow<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) service: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) kind: i32,
    pub(crate) status_code: i32,
    pub(crate) state: SpanState,
    pub(crate) kept_by: Option<KeptBy<'a>>,
}

/// How a summary tells a column's value.
#[derive(Debug, Clone, Copy)]
enum Told {
    Bytes(for<'r> fn(&'r HeadRow<'_>) -> &'r [u8]),
    Word(fn(&HeadRow<'_>) -> u64),
}

/// Rows of a batch on their way.
#[derive(Debug)]
pub(crate) struct ScanRows<'r> {
    request: &'r ScanRequest,
    /// Each with how the summary tells it; what it does not tell lies in the payload.
    columns: Vec<(Option<Told>, Column)>,
    rows: u32,
    text: Vec<u8>,
}

/// A state's name in batches.
pub(super) fn state_text(state: SpanState) -> &'static [u8] {
    match state {
        SpanState::Pending => b"pending",
        SpanState::Kept => b"kept",
    }
}

impl<'r> ScanRows<'r> {
    /// None yet.
    pub(crate) fn new(request: &'r ScanRequest) -> Self {
        let columns = request.columns.iter().map(|column| (told(column), empty(column))).collect();
        Self { request, columns, rows: 0, text: Vec::new() }
    }

    /// How many.
    pub(crate) fn len(&self) -> u32 {
        self.rows
    }

    /// Whether a column needs the payload.
    pub(crate) fn needs_payload(&self) -> bool {
        self.columns.iter().any(|(told, _)| told.is_none())
    }

    /// Adds a span; `scanned` is there when a column needs the payload.
    pub(crate) fn push(&mut self, summary: &HeadRow<'_>, scanned: Option<&ScannedSpan<'_>>) {
        let row = self.rows;
        for (wanted, (told, column)) in self.request.columns.iter().zip(&mut self.columns) {
            match told {
                Some(Told::Bytes(bytes)) => column.push_bytes(row, bytes(summary)),
                Some(Told::Word(word)) => column.push_word(row, word(summary)),
                None => {
                    let scanned = scanned.expect("given when a column needs the payload");
                    push_payload(wanted, column, row, (scanned, summary.kept_by), &mut self.text);
                }
            }
        }
        self.rows += 1;
    }

    /// The batch.
    pub(crate) fn finish(self) -> Result<RecordBatch, SegmentError> {
        let Self { request, columns, rows, .. } = self;
        let wanted = request.columns.iter().map(ScanColumn::data_type);
        let arrays = columns.into_iter().zip(wanted).map(|((_, column), wanted)| arrays::array(column, rows, &wanted));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        group::batch(request, Signal::Traces, arrays, rows)
    }
}

fn empty(wanted: &ScanColumn) -> Column {
    match wanted {
        ScanColumn::EndTime => Column::dense_words(),
        ScanColumn::State => Column::dense_bytes(),
        ScanColumn::Attribute { form, .. } => attribute::empty(*form),
        ScanColumn::Attributes(_) => Column::sparse_bytes(),
        ScanColumn::TraceId => Column::empty(Kind::Id16, true),
        column => {
            let (_, kind, required) =
                fixed::SPECS[fixed_column(&fixed::TABLE, column).expect("the others are columns of the file")];
            Column::empty(kind, required)
        }
    }
}

/// How the summary tells a column, if it does: all others need the payload.
fn told(wanted: &ScanColumn) -> Option<Told> {
    Some(match wanted {
        ScanColumn::TraceId => Told::Bytes(|row| &row.trace_id.0),
        ScanColumn::StartTime => Told::Word(|row| row.start_ns),
        ScanColumn::Duration => Told::Word(|row| row.duration_ns),
        ScanColumn::Service => Told::Bytes(|row| row.service),
        ScanColumn::Name => Told::Bytes(|row| row.name),
        ScanColumn::Kind => Told::Word(|row| i64::from(row.kind) as u64),
        ScanColumn::StatusCode => Told::Word(|row| i64::from(row.status_code) as u64),
        ScanColumn::State => Told::Bytes(|row| state_text(row.state)),
        _ => return None,
    })
}

fn push_payload(
    wanted: &ScanColumn,
    column: &mut Column,
    row: u32,
    (scanned, kept_by): (&ScannedSpan<'_>, Option<KeptBy<'_>>),
    text: &mut Vec<u8>,
) {
    let span = &scanned.span;
    let id = |bytes: &[u8]| bytes.first_chunk::<8>().filter(|id| **id != [0; 8]).map(|id| u64::from_le_bytes(*id));
    text.clear();
    let bytes: &[u8] = match wanted {
        ScanColumn::SpanId => return column.push_word(row, id(span.span_id).unwrap_or_default()),
        ScanColumn::ParentSpanId => {
            if let Some(parent) = id(span.parent_span_id).filter(|_| span.parent_span_id.len() == 8) {
                column.push_word(row, parent);
            }
            return;
        }
        ScanColumn::EndTime => return column.push_word(row, span.end_ns),
        ScanColumn::AdjustedCount => {
            let count = KeptBy::adjusted_count_of(kept_by.as_ref(), span.trace_state);
            return column.push_word(row, count.to_bits());
        }
        ScanColumn::Flags => return column.push_word(row, u64::from(span.flags)),
        ScanColumn::Attribute { place, key, form } => {
            if let Some(kept_by) = kept_by.filter(|_| key == POLICY_ATTRIBUTE && *place != Place::Resource) {
                let policy = ValueView::Str(kept_by.policy.as_bytes());
                return attribute::push_view(column, row, &policy, *form, text);
            }
            let own = (*place != Place::Resource).then_some(span.attributes);
            let of_resource = (*place != Place::Span).then_some(scanned.resource.attributes);
            let lists = [own, of_resource].into_iter().flatten();
            return push_attribute(lists, key, |value| attribute::push_view(column, row, value, *form, text));
        }
        ScanColumn::Attributes(place) => {
            match place {
                Place::Resource => write_attributes(scanned.resource.attributes, None, text),
                _ => write_attributes(span.attributes, kept_by.map(|kept_by| kept_by.policy), text),
            }
            text
        }
        ScanColumn::Events => {
            if !span.events.is_empty() {
                events::write_events(span.events.iter(), text);
            }
            text
        }
        ScanColumn::Links => {
            if !span.links.is_empty() {
                events::write_links(span.links.iter(), text);
            }
            text
        }
        ScanColumn::StatusMessage => span.status_message,
        ScanColumn::TraceState => {
            let rewritten = kept_by.is_some_and(|kept_by| kept_by.rewrite_trace_state(span.trace_state, text));
            if rewritten { text } else { span.trace_state }
        }
        ScanColumn::ScopeName => scanned.scope.name,
        ScanColumn::ScopeVersion => scanned.scope.version,
        ScanColumn::TraceId
        | ScanColumn::StartTime
        | ScanColumn::Duration
        | ScanColumn::Service
        | ScanColumn::Name
        | ScanColumn::Kind
        | ScanColumn::StatusCode
        | ScanColumn::State => unreachable!("told by the summary"),
        ScanColumn::Time
        | ScanColumn::ObservedTime
        | ScanColumn::SeverityNumber
        | ScanColumn::SeverityText
        | ScanColumn::Body
        | ScanColumn::BodyIsJson
        | ScanColumn::AttributesNamed(_)
        | ScanColumn::HasFields
        | ScanColumn::PlainBody
        | ScanColumn::Field(_)
        | ScanColumn::BodyLevel
        | ScanColumn::EventName => unreachable!("spans have no such column"),
    };
    if !bytes.is_empty() {
        column.push_bytes(row, bytes);
    }
}

/// Calls `push` with the first value of the key.
pub(super) fn push_attribute<'a>(
    lists: impl Iterator<Item = Attributes<'a>>,
    key: &str,
    mut push: impl FnMut(&ValueView<'a>),
) {
    for list in lists {
        if let Some(raw) = list.raw().find(|raw| raw.key == key.as_bytes()) {
            if let Some(view) = raw.view() {
                push(&view.value);
            }
            return;
        }
    }
}

/// Writes those attributes as an object sorted by key that may have one of these labels; nothing when there are none.
pub(super) fn write_attributes_named(attributes: Attributes<'_>, labels: &[String], out: &mut Vec<u8>) {
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for entry in attributes.iter() {
        if std::str::from_utf8(entry.key).is_ok_and(|key| may_have_label(key, labels)) {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            json::write_text(entry.key, &mut key);
            json::write_value(&entry.value, &mut value);
            entries.push((key, value));
        }
    }
    if !write_sorted(&mut entries, out) {
        out.clear();
    }
}

/// Writes attributes, and the policy that kept the span, as an object sorted by key; nothing when there are none.
pub(super) fn write_attributes(attributes: Attributes<'_>, policy: Option<&str>, out: &mut Vec<u8>) {
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let policy = policy.map(|policy| (POLICY_ATTRIBUTE.as_bytes(), ValueView::Str(policy.as_bytes())));
    let own = attributes.iter().map(|entry| (entry.key, entry.value));
    for (name, content) in own.filter(|(key, _)| policy.is_none() || *key != POLICY_ATTRIBUTE.as_bytes()).chain(policy)
    {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        json::write_text(name, &mut key);
        json::write_value(&content, &mut value);
        entries.push((key, value));
    }
    if !write_sorted(&mut entries, out) {
        out.clear();
    }
}
