//! Fills a scan's columns from lines as they arrived: what the head's summaries tell, and what lies in payloads.

use arrow_array::RecordBatch;
use weir_proto::{
    Signal,
    otlp::{
        ValueView,
        logs::{LineIds, ScannedLine},
    },
};

use super::{
    arrays, attribute,
    body::{self, BodyField},
    fixed_column, group,
    rows::{push_attribute, write_attributes, write_attributes_named},
};
use crate::{
    ask::{
        request::{ScanColumn, ScanRequest},
        span::Place,
    },
    columns::Column,
    segment::{SegmentError, json, schema::lines},
};

/// Writes the attributes of a line's resource as the column has them.
pub(crate) fn write_resource(scanned: &ScannedLine<'_>, out: &mut Vec<u8>) {
    out.clear();
    write_attributes(scanned.resource.attributes, None, out);
}

/// Rows of a batch on their way.
#[derive(Debug)]
pub(crate) struct LineScanRows<'r> {
    request: &'r ScanRequest,
    columns: Vec<Column>,
    /// For each column that is an attribute which a body may have.
    fields: Vec<Option<BodyField<'r>>>,
    rows: u32,
    text: Vec<u8>,
}

impl<'r> LineScanRows<'r> {
    /// None yet.
    pub(crate) fn new(request: &'r ScanRequest) -> Self {
        let field = |column: &'r ScanColumn| match column {
            ScanColumn::Attribute { place, key, .. } if *place != Place::Resource => Some(BodyField::named(key)),
            _ => None,
        };
        let (columns, fields) =
            (request.columns.iter().map(empty).collect(), request.columns.iter().map(field).collect());
        Self { request, columns, fields, rows: 0, text: Vec::new() }
    }

    /// How many.
    pub(crate) fn len(&self) -> u32 {
        self.rows
    }

    /// Whether a column needs the payload.
    pub(crate) fn needs_payload(&self) -> bool {
        self.request
            .columns
            .iter()
            .any(|column| !matches!(column, ScanColumn::Time | ScanColumn::TraceId | ScanColumn::SpanId))
    }

    /// Whether a column is made of the lines' own attributes.
    pub(crate) fn needs_attributes(&self) -> bool {
        self.request.columns.iter().any(|column| match column {
            ScanColumn::Attribute { place, .. } | ScanColumn::Attributes(place) => *place != Place::Resource,
            ScanColumn::AttributesNamed(_) => true,
            _ => false,
        })
    }

    /// Adds a line at this place in time, of this trace and span; `scanned` is there when a column needs the payload.
    pub(crate) fn push(&mut self, time_ns: u64, ids: LineIds, scanned: Option<&ScannedLine<'_>>) {
        let row = self.rows;
        let columns = self.request.columns.iter().zip(&self.fields).zip(&mut self.columns);
        for ((wanted, field), column) in columns {
            match wanted {
                ScanColumn::Time => column.push_word(row, time_ns),
                ScanColumn::TraceId => {
                    if let Some(trace) = ids.trace {
                        column.push_bytes(row, &trace.0);
                    }
                }
                ScanColumn::SpanId => {
                    if let Some(span) = ids.span {
                        column.push_word(row, u64::from_le_bytes(span.0));
                    }
                }
                wanted => {
                    let scanned = scanned.expect("given when a column needs the payload");
                    push_payload((wanted, field.as_ref()), column, row, scanned, &mut self.text);
                }
            }
        }
        self.rows += 1;
    }

    /// The batch.
    pub(crate) fn finish(self) -> Result<RecordBatch, SegmentError> {
        let Self { request, columns, rows, .. } = self;
        let wanted = request.columns.iter().map(ScanColumn::data_type);
        let arrays = columns.into_iter().zip(wanted).map(|(column, wanted)| arrays::array(column, rows, &wanted));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        group::batch(request, Signal::Logs, arrays, rows)
    }
}

fn empty(wanted: &ScanColumn) -> Column {
    match wanted {
        ScanColumn::Attribute { form, .. } => attribute::empty(*form),
        ScanColumn::Attributes(_) | ScanColumn::AttributesNamed(_) => Column::sparse_bytes(),
        ScanColumn::PlainBody | ScanColumn::Field(_) | ScanColumn::BodyLevel => Column::sparse_bytes(),
        ScanColumn::HasFields => Column::dense_words(),
        column => {
            let number = fixed_column(&lines::TABLE, column).expect("the others are columns of the file");
            let (_, kind, required) = lines::SPECS[number];
            Column::empty(kind, required)
        }
    }
}

fn push_payload(
    (wanted, field): (&ScanColumn, Option<&BodyField<'_>>),
    column: &mut Column,
    row: u32,
    scanned: &ScannedLine<'_>,
    text: &mut Vec<u8>,
) {
    let line = &scanned.line;
    text.clear();
    let bytes: &[u8] = match wanted {
        ScanColumn::ObservedTime => {
            if line.observed_ns != 0 {
                column.push_word(row, line.observed_ns);
            }
            return;
        }
        ScanColumn::SeverityNumber => return column.push_word(row, i64::from(line.severity_number) as u64),
        ScanColumn::BodyIsJson => return column.push_word(row, u64::from(is_structured(&line.body))),
        ScanColumn::Flags => return column.push_word(row, u64::from(line.flags)),
        ScanColumn::Service => return column.push_bytes(row, scanned.resource.service),
        ScanColumn::Attribute { place, key, form } => {
            let own = (*place != Place::Resource).then_some(line.attributes);
            let is_own = own.is_some_and(|own| own.raw().any(|raw| raw.key == key.as_bytes()));
            let of_body = |field: &BodyField<'_>| {
                field.of_body(&line.body, |value| body::push(column, row, value, *form, text)).is_some()
            };
            if !is_own && field.is_some_and(of_body) {
                return;
            }
            let of_resource = (*place != Place::Span).then_some(scanned.resource.attributes);
            let lists = [own, of_resource].into_iter().flatten();
            return push_attribute(lists, key, |value| attribute::push_view(column, row, value, *form, text));
        }
        // Here every body has to be read.
        ScanColumn::HasFields => return column.push_word(row, 0),
        ScanColumn::Field(_) | ScanColumn::BodyLevel => return,
        ScanColumn::Body | ScanColumn::PlainBody => match &line.body {
            ValueView::Empty => return,
            // An empty text is a body, too.
            ValueView::Str(body) => return column.push_bytes(row, body),
            structured => {
                json::write_value(structured, text);
                text
            }
        },
        ScanColumn::Attributes(place) => {
            match place {
                Place::Resource => write_attributes(scanned.resource.attributes, None, text),
                _ => write_attributes(line.attributes, None, text),
            }
            text
        }
        ScanColumn::AttributesNamed(labels) => {
            write_attributes_named(line.attributes, labels, text);
            text
        }
        ScanColumn::SeverityText => line.severity_text,
        ScanColumn::EventName => line.event_name,
        ScanColumn::ScopeName => scanned.scope.name,
        ScanColumn::ScopeVersion => scanned.scope.version,
        _ => unreachable!("told by the summary, or no column of lines"),
    };
    if !bytes.is_empty() {
        column.push_bytes(row, bytes);
    }
}

fn is_structured(body: &ValueView<'_>) -> bool {
    !matches!(body, ValueView::Empty | ValueView::Str(_))
}
