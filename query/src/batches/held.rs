//! Batches made of rows, for tests: the columns that scans for calls ask for, as the store types them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampNanosecondArray, UInt32Array, types::UInt32Type,
};
use weir_proto::{Signal, ids::hex, otlp::messages::common::v1::any_value::Value};
use weir_store::{Place, ReadBounds, ScanColumn, ScanRequest, SpanRecord};

use super::Batches;
use crate::trace::{parent_id, service};

/// Rows of a part.
const PART_ROWS: usize = 4;

/// Parts in the order of the rows.
#[derive(Debug)]
pub(crate) struct HeldBatches {
    batches: Vec<RecordBatch>,
    pub(crate) is_partial: bool,
}

impl HeldBatches {
    pub(crate) fn of(rows: &[SpanRecord], request: &ScanRequest) -> Self {
        let starts = &request.filter.start_ns;
        let rows: Vec<_> = rows.iter().filter(|row| starts.contains(&row.span.start_time_unix_nano)).collect();
        let batch = |rows: &[&SpanRecord]| {
            let columns = request.columns.iter().map(|one| column(one, rows)).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            RecordBatch::try_new_with_options(request.schema(Signal::Traces), columns, &options)
                .expect("the columns are of the schema")
        };
        Self { batches: rows.chunks(PART_ROWS).map(batch).collect(), is_partial: false }
    }
}

impl Batches for HeldBatches {
    fn parts_rows_max(&self) -> Vec<u64> {
        self.batches.iter().map(|batch| batch.num_rows() as u64).collect()
    }

    fn split(&self, _: u32) -> Box<dyn Batches> {
        Box::new(Self { batches: self.batches.clone(), is_partial: self.is_partial })
    }

    fn is_head(&self, _: usize) -> bool {
        false
    }

    fn part_start_ns(&self, _: usize) -> (u64, u64) {
        (0, u64::MAX)
    }

    fn read_within(&self, part: usize, _: &ReadBounds) -> RecordBatch {
        self.read(part)
    }

    fn read(&self, part: usize) -> RecordBatch {
        self.batches[part].clone()
    }

    fn identity(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.batches).hash(&mut hasher);
        hasher.finish()
    }

    fn is_partial(&self) -> bool {
        self.is_partial
    }
}

fn column(column: &ScanColumn, rows: &[&SpanRecord]) -> ArrayRef {
    let ids = |width, id: fn(&SpanRecord) -> &[u8]| -> ArrayRef {
        let values = rows.iter().map(|row| Some(id(row)).filter(|id| !id.is_empty()));
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, width).expect("ids are of one length"))
    };
    match column {
        ScanColumn::TraceId => ids(16, |row| &row.span.trace_id),
        ScanColumn::SpanId => ids(8, |row| &row.span.span_id),
        ScanColumn::ParentSpanId => ids(8, |row| parent_id(&row.span)),
        ScanColumn::Duration => Arc::new(rows.iter().map(|row| Some(row.duration_ns() as i64)).collect::<Int64Array>()),
        ScanColumn::Kind => Arc::new(rows.iter().map(|row| Some(row.span.kind)).collect::<Int32Array>()),
        ScanColumn::StatusCode => {
            let code = |row: &&SpanRecord| Some(row.span.status.as_ref().map_or(0, |status| status.code));
            Arc::new(rows.iter().map(code).collect::<Int32Array>())
        }
        ScanColumn::AdjustedCount => {
            let count = |row: &&SpanRecord| Some(row.adjusted_count).filter(|count| *count != 1.0);
            Arc::new(rows.iter().map(count).collect::<Float64Array>())
        }
        ScanColumn::Service => texts(rows.iter().map(|row| Some(service(&row.resource).to_owned()))),
        ScanColumn::Links => texts(rows.iter().map(|row| links(row))),
        ScanColumn::Attribute { place: Place::Span | Place::Any, key, .. } => {
            texts(rows.iter().map(|row| text(row, key)))
        }
        ScanColumn::StartTime => times(rows, |row| row.span.start_time_unix_nano),
        ScanColumn::EndTime => times(rows, |row| row.span.end_time_unix_nano),
        ScanColumn::Name => texts(rows.iter().map(|row| Some(row.span.name.clone()))),
        ScanColumn::State => texts(rows.iter().map(|_| Some("kept".to_owned()))),
        // Rows in tests have none of them, or nobody looks.
        ScanColumn::Events | ScanColumn::StatusMessage | ScanColumn::ScopeName | ScanColumn::Attributes(_) => {
            texts(rows.iter().map(|_| None))
        }
        other => unimplemented!("no test asks for {other:?}"),
    }
}

fn times(rows: &[&SpanRecord], time_ns: fn(&SpanRecord) -> u64) -> ArrayRef {
    let times: TimestampNanosecondArray = rows.iter().map(|row| Some(time_ns(row) as i64)).collect();
    Arc::new(times.with_timezone("UTC"))
}

fn text(row: &SpanRecord, key: &str) -> Option<String> {
    let attribute = row.span.attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn links(row: &SpanRecord) -> Option<String> {
    let links: Vec<_> = row.span.links.iter().collect();
    let json = links
        .iter()
        .map(|link| format!(r#"{{"trace_id":"{}","span_id":"{}"}}"#, hex(&link.trace_id), hex(&link.span_id)))
        .collect::<Vec<_>>();
    (!json.is_empty()).then(|| format!("[{}]", json.join(",")))
}

/// With one dictionary entry too many, and equal texts behind one code.
fn texts(texts: impl Iterator<Item = Option<String>>) -> ArrayRef {
    let texts: Vec<_> = texts.collect();
    let mut values = vec!["nobody's".to_owned()];
    for text in texts.iter().flatten() {
        if !values.contains(text) {
            values.push(text.clone());
        }
    }
    let code = |text: &String| values.iter().position(|value| value == text).map(|at| at as u32);
    let keys: UInt32Array = texts.iter().map(|text| text.as_ref().and_then(code)).collect();
    Arc::new(DictionaryArray::<UInt32Type>::new(keys, Arc::new(StringArray::from(values))))
}
