//! Lines of a scan's batches.

use std::sync::Arc;

use arrow_array::{
    Array, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, RecordBatch, StringArray,
    TimestampNanosecondArray, cast::AsArray, types::UInt32Type,
};
use parking_lot::Mutex;
use serde_json::Value;
use weir_proto::otlp::logs::{UNKNOWN_LEVEL, level_of_severity, level_of_text, level_of_word};
use weir_store::{CountedRows, ScanColumn};

use super::{
    classes::Classes,
    resources::{Resource, Resources, flatten},
    wanted::{Text, Wanted},
};
use crate::logql::{
    LogqlError,
    engine::{Alike, Takes},
    labels::LabelSet,
    pipeline::{Beside, Fields, Record},
};

/// Texts behind codes.
#[derive(Clone, Copy)]
pub(super) struct Texts<'b> {
    array: &'b DictionaryArray<UInt32Type>,
    codes: &'b [u32],
    has_nulls: bool,
    values: &'b StringArray,
}

impl<'b> Texts<'b> {
    fn of(batch: &'b RecordBatch, column: usize) -> Self {
        let array = batch.column(column).as_dictionary::<UInt32Type>();
        let (codes, values) = (array.keys().values(), array.values().as_string::<i32>());
        Self { array, codes, has_nulls: array.null_count() > 0, values }
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.has_nulls && self.array.is_null(row)
    }

    fn find(&self, row: usize) -> Option<&'b str> {
        (!self.is_null(row)).then(|| self.values.value(self.codes[row] as usize))
    }

    /// Nothing where there is no text.
    fn get(&self, row: usize) -> &'b str {
        self.find(row).unwrap_or_default()
    }

    /// Equal codes stand for equal texts; the last of all stands for none.
    #[inline]
    pub(super) fn code(&self, row: usize) -> u32 {
        if self.is_null(row) { self.values.len() as u32 } else { self.codes[row] }
    }

    /// Parts rows whose texts differ; `None` when there may be too many to be worth it.
    fn split(&self, classes: &mut Classes) -> Option<()> {
        let (rows, nulls) = (self.codes.len(), self.array.null_count());
        match nulls {
            0 if self.codes.iter().all(|code| *code == self.codes[0]) => Some(()),
            0 => classes.split_codes(self.count(), self.codes),
            _ if nulls == rows => Some(()),
            _ => classes.split(self.count(), |row| self.code(row)),
        }
    }

    /// How many codes there may be.
    pub(super) fn count(&self) -> u32 {
        self.values.len() as u32 + u32::from(self.has_nulls)
    }
}

/// The columns of a batch, as far as they were wanted.
struct Columns<'b> {
    time: &'b TimestampNanosecondArray,
    scope_name: Texts<'b>,
    resource: Texts<'b>,
    body: Option<Texts<'b>>,
    has_fields: Option<&'b BooleanArray>,
    body_level: Option<Texts<'b>>,
    attributes: Option<Texts<'b>>,
    severity_number: Option<&'b Int32Array>,
    severity_text: Option<Texts<'b>>,
    trace_id: Option<&'b FixedSizeBinaryArray>,
    span_id: Option<&'b FixedSizeBinaryArray>,
    scope_version: Option<Texts<'b>>,
    event_name: Option<Texts<'b>>,
    observed: Option<&'b TimestampNanosecondArray>,
    fields: Vec<(&'b str, Texts<'b>)>,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch, wanted: &'b [ScanColumn]) -> Self {
        let at = |column: &ScanColumn| wanted.iter().position(|known| known == column);
        let texts = |column| at(column).map(|at| Texts::of(batch, at));
        let always = |column| texts(column).expect("every scan of lines has it");
        let attributes = |column: &ScanColumn| {
            matches!(column, ScanColumn::AttributesNamed(_))
                || *column == ScanColumn::Attributes(weir_store::Place::Span)
        };
        let fields = wanted.iter().enumerate().filter_map(|(at, column)| match column {
            ScanColumn::Field(label) => Some((label.as_str(), Texts::of(batch, at))),
            _ => None,
        });
        Self {
            time: batch.column(at(&ScanColumn::Time).expect("every scan of lines has it")).as_primitive(),
            scope_name: always(&ScanColumn::ScopeName),
            resource: always(&ScanColumn::Attributes(weir_store::Place::Resource)),
            body: texts(&ScanColumn::Body).or_else(|| texts(&ScanColumn::PlainBody)),
            has_fields: at(&ScanColumn::HasFields).map(|at| batch.column(at).as_boolean()),
            body_level: texts(&ScanColumn::BodyLevel),
            attributes: wanted.iter().position(attributes).map(|at| Texts::of(batch, at)),
            severity_number: at(&ScanColumn::SeverityNumber).map(|at| batch.column(at).as_primitive()),
            severity_text: texts(&ScanColumn::SeverityText),
            trace_id: at(&ScanColumn::TraceId).map(|at| batch.column(at).as_fixed_size_binary()),
            span_id: at(&ScanColumn::SpanId).map(|at| batch.column(at).as_fixed_size_binary()),
            scope_version: texts(&ScanColumn::ScopeVersion),
            event_name: texts(&ScanColumn::EventName),
            observed: at(&ScanColumn::ObservedTime).map(|at| batch.column(at).as_primitive()),
            fields: fields.collect(),
        }
    }

    /// Rows that differ in nothing but their time, where whole texts and ids are not looked at.
    fn classes(&self, resources: &Classes) -> Option<Classes> {
        let has_ids = self.trace_id.is_some() || self.span_id.is_some() || self.observed.is_some();
        if has_ids || (self.body.is_some() && self.has_fields.is_none()) {
            return None;
        }
        let mut classes = resources.clone();
        let texts = [self.body_level, self.attributes, self.severity_text, self.scope_version, self.event_name];
        for texts in texts.iter().flatten().chain(self.fields.iter().map(|(_, texts)| texts)) {
            texts.split(&mut classes)?;
        }
        if let Some(numbers) = self.severity_number {
            // OTLP's go to 24; what is beyond them is not looked at alike.
            let is_usual = numbers.values().iter().all(|number| (0..=24).contains(number));
            is_usual.then_some(())?;
            classes.split(25, |row| numbers.value(row) as u32)?;
        }
        Some(classes)
    }
}

impl Wanted {
    /// The distinct resources of a batch.
    pub(super) fn resources(&self, batch: &RecordBatch, known: &Mutex<Resources>) -> Vec<Arc<Resource>> {
        let wanted = self.columns();
        let columns = Columns::of(batch, &wanted);
        resources_of(&columns, batch.num_rows(), known).0
    }

    /// Gives each line of a batch; the first one has this number.
    pub(super) fn each(
        &self,
        (batch, first): (&RecordBatch, u64),
        known: &Mutex<Resources>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        let wanted = self.columns();
        let rows = BatchRows::of(self, batch, &wanted, first, known);
        (0..batch.num_rows()).try_for_each(|row| rows.give(row, each))
    }

    /// The same for whoever takes many at once.
    pub(super) fn each_alike(
        &self,
        (batch, first): (&RecordBatch, u64),
        known: &Mutex<Resources>,
        takes: &mut dyn Takes,
    ) -> Result<(), LogqlError> {
        let wanted = self.columns();
        let rows = BatchRows::of(self, batch, &wanted, first, known);
        let has_texts = || rows.columns.has_fields.is_none_or(|told| told.true_count() < batch.num_rows());
        match &rows.classes {
            Some(classes) if self.text == Text::None || !has_texts() => {
                for &row in classes.firsts() {
                    rows.give(row as usize, &mut |record| takes.meet(record))?;
                }
                takes.take_alike(&Alike { classes: classes.rows(), times_ns: rows.columns.time.values() })
            }
            _ => (0..batch.num_rows()).try_for_each(|row| rows.give(row, &mut |record| takes.take(record))),
        }
    }
}

impl Wanted {
    /// Gives the lines that were counted.
    pub(super) fn each_counted(
        &self,
        counted: &CountedRows,
        known: &Mutex<Resources>,
        takes: &mut dyn Takes,
    ) -> Result<(), LogqlError> {
        let wanted = self.columns();
        let rows = BatchRows::of(self, &counted.classes, &wanted, 0, known);
        counted
            .rows
            .iter()
            .enumerate()
            .try_for_each(|(row, pieces)| rows.give(row, &mut |record| takes.take_counted(record, pieces)))
    }
}

/// The rows of a batch.
struct BatchRows<'b> {
    wanted: &'b Wanted,
    columns: Columns<'b>,
    first: u64,
    resources: Vec<Arc<Resource>>,
    of_row: Classes,
    classes: Option<Classes>,
}

impl<'b> BatchRows<'b> {
    fn of(
        wanted: &'b Wanted,
        batch: &'b RecordBatch,
        names: &'b [ScanColumn],
        first: u64,
        known: &Mutex<Resources>,
    ) -> Self {
        let columns = Columns::of(batch, names);
        let (resources, of_row) = resources_of(&columns, batch.num_rows(), known);
        let classes = columns.classes(&of_row);
        Self { wanted, columns, first, resources, of_row, classes }
    }

    /// Gives a row's line.
    fn give(&self, row: usize, each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>) -> Result<(), LogqlError> {
        let Self { wanted, columns, first, resources, of_row, classes } = self;
        let resource = &resources[of_row.of(row) as usize];
        let has_fields = columns.has_fields.is_some_and(|told| told.value(row));
        // Rows with fields are given without their text.
        let text = columns.body.filter(|_| !has_fields).map_or("", |texts| texts.get(row));
        // Texts that have to be looked at differ.
        let class = classes.as_ref().filter(|_| has_fields || wanted.text == Text::None).map(|classes| classes.of(row));
        let fields = RowFields { row, fields: &columns.fields };
        let besides = RowBeside { row, text, has_fields, resource, columns, wanted };
        // Times beyond the year 2262 are shown as its end: no line is negative.
        let time_ns = columns.time.value(row).max(0) as u64;
        each(&Record {
            time_ns,
            number: first + row as u64,
            text,
            stream: &resource.stream,
            beside: &besides,
            fields: has_fields.then_some(&fields as &dyn Fields),
            class,
        })
    }
}

/// The resources of a batch's rows, and each row's number among them.
fn resources_of(columns: &Columns<'_>, rows: usize, known: &Mutex<Resources>) -> (Vec<Arc<Resource>>, Classes) {
    let mut of_row = Classes::new(rows);
    let (scopes, resources) = (columns.scope_name, columns.resource);
    for texts in [scopes, resources] {
        if texts.split(&mut of_row).is_none() {
            of_row.split_any(texts.count(), |row| texts.code(row));
        }
    }
    let mut known = known.lock();
    let found = of_row.firsts().iter().map(|&row| known.of(resources.get(row as usize), scopes.get(row as usize)));
    (found.collect(), of_row)
}

/// The fields of a line.
struct RowFields<'b> {
    row: usize,
    fields: &'b [(&'b str, Texts<'b>)],
}

impl Fields for RowFields<'_> {
    fn get(&self, label: &str) -> Option<&str> {
        let (_, texts) = self.fields.iter().find(|(known, _)| *known == label)?;
        texts.find(self.row)
    }
}

/// What came beside a line, read when somebody asks.
struct RowBeside<'r, 'b> {
    row: usize,
    text: &'r str,
    has_fields: bool,
    resource: &'r Resource,
    columns: &'r Columns<'b>,
    wanted: &'r Wanted,
}

impl Beside for RowBeside<'_, '_> {
    fn add_to(&self, labels: &mut LabelSet) {
        let row = self.row;
        if self.wanted.needs_beside {
            let json = self.columns.attributes.map_or("", |texts| texts.get(row));
            if !json.is_empty()
                && let Ok(Value::Object(attributes)) = serde_json::from_str(json)
            {
                let mut flat = Vec::new();
                for (key, value) in &attributes {
                    flatten(key, value, &mut flat);
                }
                flat.iter().for_each(|(name, value)| labels.add_metadata(name, value));
            }
            self.resource.rest.iter().for_each(|(name, value)| labels.add_metadata(name, value));
            if !self.resource.is_pushed {
                self.add_otlp(labels);
            }
        }
        if self.wanted.detects_levels && labels.get("detected_level").is_none() {
            labels.add_metadata("detected_level", self.level());
        }
    }
}

impl RowBeside<'_, '_> {
    /// What an OTLP record has beside its attributes, under the names that Loki gives it.
    fn add_otlp(&self, labels: &mut LabelSet) {
        let (row, columns) = (self.row, self.columns);
        if let Some(number) = columns.severity_number.map(|numbers| numbers.value(row)).filter(|number| *number != 0) {
            labels.add_metadata("severity_number", &number.to_string());
        }
        for (name, texts) in [
            ("severity_text", columns.severity_text),
            ("scope_name", Some(columns.scope_name)),
            ("scope_version", columns.scope_version),
            ("event_name", columns.event_name),
        ] {
            let text = texts.map_or("", |texts| texts.get(row));
            if !text.is_empty() {
                labels.add_metadata(name, text);
            }
        }
        for (name, ids) in [("trace_id", columns.trace_id), ("span_id", columns.span_id)] {
            if let Some(ids) = ids.filter(|ids| ids.is_valid(row)) {
                let hex: String = ids.value(row).iter().map(|byte| format!("{byte:02x}")).collect();
                labels.add_metadata(name, &hex);
            }
        }
        if let Some(observed) = columns.observed.filter(|observed| observed.is_valid(row)) {
            labels.add_metadata("observed_timestamp", &observed.value(row).to_string());
        }
    }

    fn level(&self) -> &str {
        let (row, columns) = (self.row, self.columns);
        let number = columns.severity_number.map_or(0, |numbers| numbers.value(row));
        let word = columns.severity_text.map_or("", |texts| texts.get(row));
        if let Some(level) = level_of_severity(number).or_else(|| level_of_word(word.as_bytes())) {
            return level;
        }
        let attributes = columns.attributes.map_or("", |texts| texts.get(row));
        let texts = [attributes, self.resource.json.as_str(), self.text];
        let levels = texts.into_iter().filter(|text| !text.is_empty()).map(|text| level_of_text(text.as_bytes()));
        let level = levels.into_iter().find(|level| *level != UNKNOWN_LEVEL);
        let of_fields = || columns.body_level.filter(|_| self.has_fields).and_then(|levels| levels.find(row));
        level.or_else(of_fields).unwrap_or(UNKNOWN_LEVEL)
    }
}
