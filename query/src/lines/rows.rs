//! Lines of a scan's batches.

use std::sync::Arc;

use arrow_array::{
    Array, DictionaryArray, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray,
    cast::AsArray, types::UInt32Type,
};
use parking_lot::Mutex;
use serde_json::Value;
use weir_proto::otlp::logs::{UNKNOWN_LEVEL, level_of_severity, level_of_text, level_of_word};
use weir_store::{Place, ScanColumn};

use super::resources::{Resource, Resources, flatten};
use crate::logql::{
    LogqlError,
    engine::Selection,
    labels::LabelSet,
    pipeline::{Beside, Record},
};

/// Which columns come first, whatever is wanted.
const TIME: usize = 0;
const SCOPE_NAME: usize = 1;
const RESOURCE: usize = 2;

/// What is read of lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    pub(super) needs_text: bool,
    pub(super) needs_beside: bool,
    pub(super) detects_levels: bool,
}

impl Rows {
    /// What a selection needs.
    pub(super) fn wanted(selection: &Selection<'_>, detects_levels: bool) -> Self {
        let needs_level = selection.needs_label("detected_level");
        Self {
            needs_text: selection.needs_text || (detects_levels && needs_level),
            needs_beside: selection.needs_beside(),
            detects_levels: detects_levels && needs_level,
        }
    }
}

/// The scan's columns for that.
pub(super) fn columns(rows: &Rows) -> Vec<ScanColumn> {
    let mut columns = vec![ScanColumn::Time, ScanColumn::ScopeName, ScanColumn::Attributes(Place::Resource)];
    if rows.needs_text {
        columns.push(ScanColumn::Body);
    }
    if rows.needs_beside || rows.detects_levels {
        columns.extend([
            ScanColumn::Attributes(Place::Span),
            ScanColumn::SeverityNumber,
            ScanColumn::SeverityText,
            ScanColumn::TraceId,
            ScanColumn::SpanId,
            ScanColumn::ScopeVersion,
            ScanColumn::EventName,
            ScanColumn::ObservedTime,
        ]);
    }
    columns
}

/// Texts behind codes.
#[derive(Clone, Copy)]
struct Texts<'b> {
    codes: &'b DictionaryArray<UInt32Type>,
    values: &'b StringArray,
}

impl<'b> Texts<'b> {
    fn of(batch: &'b RecordBatch, column: usize) -> Self {
        let codes = batch.column(column).as_dictionary::<UInt32Type>();
        Self { codes, values: codes.values().as_string::<i32>() }
    }

    /// Nothing where there is no text.
    fn get(&self, row: usize) -> &'b str {
        if self.codes.is_null(row) { "" } else { self.values.value(self.codes.keys().value(row) as usize) }
    }

    /// Equal texts have equal codes.
    fn code(&self, row: usize) -> u32 {
        if self.codes.is_null(row) { u32::MAX } else { self.codes.keys().value(row) }
    }
}

/// The columns beside text.
struct BesideColumns<'b> {
    attributes: Texts<'b>,
    severity_number: &'b Int32Array,
    severity_text: Texts<'b>,
    trace_id: &'b FixedSizeBinaryArray,
    span_id: &'b FixedSizeBinaryArray,
    scope_name: Texts<'b>,
    scope_version: Texts<'b>,
    event_name: Texts<'b>,
    observed: &'b TimestampNanosecondArray,
}

impl Rows {
    /// The distinct resources of a batch.
    pub(super) fn resources(
        &self,
        batch: &RecordBatch,
        known: &Mutex<Resources>,
    ) -> Result<Vec<Arc<Resource>>, LogqlError> {
        let mut found: Vec<Arc<Resource>> = Vec::new();
        let mut cache = Cache::default();
        let (scopes, resources) = (Texts::of(batch, SCOPE_NAME), Texts::of(batch, RESOURCE));
        for row in 0..batch.num_rows() {
            if cache.is_new(&scopes, &resources, row) {
                found.push(cache.of(&scopes, &resources, row, known));
            }
        }
        Ok(found)
    }

    /// Gives each line of a batch.
    pub(super) fn each(
        &self,
        batch: &RecordBatch,
        known: &Mutex<Resources>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        let times: &TimestampNanosecondArray = batch.column(TIME).as_primitive();
        let (scopes, resources) = (Texts::of(batch, SCOPE_NAME), Texts::of(batch, RESOURCE));
        let mut next = RESOURCE + 1;
        let mut column = || {
            next += 1;
            next - 1
        };
        let texts = self.needs_text.then(|| Texts::of(batch, column()));
        let beside = (self.needs_beside || self.detects_levels).then(|| BesideColumns {
            attributes: Texts::of(batch, column()),
            severity_number: batch.column(column()).as_primitive(),
            severity_text: Texts::of(batch, column()),
            trace_id: batch.column(column()).as_fixed_size_binary(),
            span_id: batch.column(column()).as_fixed_size_binary(),
            scope_name: scopes,
            scope_version: Texts::of(batch, column()),
            event_name: Texts::of(batch, column()),
            observed: batch.column(column()).as_primitive(),
        });
        let mut cache = Cache::default();
        for row in 0..batch.num_rows() {
            let resource = cache.of(&scopes, &resources, row, known);
            let text = texts.map_or("", |texts| texts.get(row));
            let besides = RowBeside { row, text, resource: &resource, columns: beside.as_ref(), rows: *self };
            // Times beyond the year 2262 are shown as its end: no line is negative.
            let time_ns = times.value(row).max(0) as u64;
            each(&Record { time_ns, text, stream: &resource.stream, beside: &besides })?;
        }
        Ok(())
    }
}

/// The resource of each pair of codes in a batch.
#[derive(Default)]
struct Cache {
    known: std::collections::HashMap<(u32, u32), Arc<Resource>, foldhash::fast::FixedState>,
    last: Option<((u32, u32), Arc<Resource>)>,
}

impl Cache {
    fn is_new(&self, scopes: &Texts<'_>, resources: &Texts<'_>, row: usize) -> bool {
        !self.known.contains_key(&(scopes.code(row), resources.code(row)))
    }

    fn of(&mut self, scopes: &Texts<'_>, resources: &Texts<'_>, row: usize, all: &Mutex<Resources>) -> Arc<Resource> {
        let codes = (scopes.code(row), resources.code(row));
        if let Some((known, resource)) = &self.last
            && *known == codes
        {
            return Arc::clone(resource);
        }
        let resource = self.known.entry(codes).or_insert_with(|| {
            let mut all = all.lock();
            all.of(resources.get(row), scopes.get(row))
        });
        let resource = Arc::clone(resource);
        self.last = Some((codes, Arc::clone(&resource)));
        resource
    }
}

/// What came beside a line, read when somebody asks.
struct RowBeside<'r, 'b> {
    row: usize,
    text: &'r str,
    resource: &'r Resource,
    columns: Option<&'r BesideColumns<'b>>,
    rows: Rows,
}

impl Beside for RowBeside<'_, '_> {
    fn add_to(&self, labels: &mut LabelSet) {
        let Some(columns) = self.columns else { return };
        let row = self.row;
        let json = columns.attributes.get(row);
        if !json.is_empty()
            && self.rows.needs_beside
            && let Ok(Value::Object(attributes)) = serde_json::from_str(json)
        {
            let mut flat = Vec::new();
            for (key, value) in &attributes {
                flatten(key, value, &mut flat);
            }
            flat.iter().for_each(|(name, value)| labels.add_metadata(name, value));
        }
        if self.rows.needs_beside {
            self.resource.rest.iter().for_each(|(name, value)| labels.add_metadata(name, value));
            if !self.resource.is_pushed {
                self.add_otlp(columns, labels);
            }
        }
        if self.rows.detects_levels && labels.get("detected_level").is_none() {
            labels.add_metadata("detected_level", self.level(columns));
        }
    }
}

impl RowBeside<'_, '_> {
    /// What an OTLP record has beside its attributes, under the names that Loki gives it.
    fn add_otlp(&self, columns: &BesideColumns<'_>, labels: &mut LabelSet) {
        let row = self.row;
        let number = columns.severity_number.value(row);
        if number != 0 {
            labels.add_metadata("severity_number", &number.to_string());
        }
        for (name, texts) in [
            ("severity_text", columns.severity_text),
            ("scope_name", columns.scope_name),
            ("scope_version", columns.scope_version),
            ("event_name", columns.event_name),
        ] {
            let text = texts.get(row);
            if !text.is_empty() {
                labels.add_metadata(name, text);
            }
        }
        for (name, ids) in [("trace_id", columns.trace_id), ("span_id", columns.span_id)] {
            if ids.is_valid(row) {
                let hex: String = ids.value(row).iter().map(|byte| format!("{byte:02x}")).collect();
                labels.add_metadata(name, &hex);
            }
        }
        if columns.observed.is_valid(row) {
            labels.add_metadata("observed_timestamp", &columns.observed.value(row).to_string());
        }
    }

    fn level(&self, columns: &BesideColumns<'_>) -> &'static str {
        let row = self.row;
        let by_severity = level_of_severity(columns.severity_number.value(row))
            .or_else(|| level_of_word(columns.severity_text.get(row).as_bytes()));
        if let Some(level) = by_severity {
            return level;
        }
        let texts = [columns.attributes.get(row), self.resource.json.as_str(), self.text];
        let levels = texts.into_iter().filter(|text| !text.is_empty()).map(|text| level_of_text(text.as_bytes()));
        levels.into_iter().find(|level| *level != UNKNOWN_LEVEL).unwrap_or(UNKNOWN_LEVEL)
    }
}
