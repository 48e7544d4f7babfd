//! The tables' columns: their names and types in SQL, what of a scan they show, and how.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, StringArray, StringViewArray, UInt32Array,
        },
        buffer::{Buffer, OffsetBuffer},
        compute::take,
        datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type},
    },
    error::Result,
};
use weir_proto::Signal;
use weir_store::{AttributeForm, Place, ScanColumn};

/// Rows of JSON that are read at a time: two pages.
const JSON_ROWS_MAX: u32 = if cfg!(test) { 64 } else { 16_384 };
/// Rows of attributes' texts that are read at a time: four pages.
const TEXT_ROWS_MAX: u32 = if cfg!(test) { 100 } else { 32_768 };

/// How values of the scan become values of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Show {
    /// As they are.
    AsIs,
    /// Texts without their dictionary.
    Text,
    /// Lower-case hex digits.
    Hex,
    /// The kind's name.
    Kind,
    /// The status code's name.
    StatusCode,
}

/// A column that a scan of a table gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TableColumn {
    /// What the store reads.
    pub(super) scan: ScanColumn,
    /// How it is shown.
    pub(super) show: Show,
    /// Whether a row may be without it.
    pub(super) is_nullable: bool,
}

/// OTLP's SpanKind, in lower case.
pub(super) const KINDS: &[&str] = &["unspecified", "internal", "server", "client", "producer", "consumer"];
/// OTLP's StatusCode, in lower case.
pub(super) const STATUS_CODES: &[&str] = &["unset", "ok", "error"];

/// A table: one signal's rows.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name in SQL.
    pub(super) name: &'static str,
    /// Whose rows they are.
    pub(super) signal: Signal,
    /// Name, source and how it is shown, in the order of `SELECT *`.
    columns: &'static [(&'static str, ScanColumn, Show)],
}

/// Every table that there is.
pub(super) static TABLES: [Table; 2] = [
    Table { name: "spans", signal: Signal::Traces, columns: SPANS },
    Table { name: "logs", signal: Signal::Logs, columns: LINES },
];

const SPANS: &[(&str, ScanColumn, Show)] = &[
    ("trace_id", ScanColumn::TraceId, Show::Hex),
    ("span_id", ScanColumn::SpanId, Show::Hex),
    ("parent_span_id", ScanColumn::ParentSpanId, Show::Hex),
    ("service", ScanColumn::Service, Show::Text),
    ("name", ScanColumn::Name, Show::Text),
    ("kind", ScanColumn::Kind, Show::Kind),
    ("start_time", ScanColumn::StartTime, Show::AsIs),
    ("end_time", ScanColumn::EndTime, Show::AsIs),
    ("duration_ns", ScanColumn::Duration, Show::AsIs),
    ("status_code", ScanColumn::StatusCode, Show::StatusCode),
    ("status_message", ScanColumn::StatusMessage, Show::Text),
    ("scope_name", ScanColumn::ScopeName, Show::Text),
    ("state", ScanColumn::State, Show::Text),
    ("adjusted_count", ScanColumn::AdjustedCount, Show::AsIs),
    ("events", ScanColumn::Events, Show::Text),
    ("links", ScanColumn::Links, Show::Text),
    ("attributes", ScanColumn::Attributes(Place::Span), Show::Text),
    ("resource", ScanColumn::Attributes(Place::Resource), Show::Text),
];

const LINES: &[(&str, ScanColumn, Show)] = &[
    ("time", ScanColumn::Time, Show::AsIs),
    ("observed_time", ScanColumn::ObservedTime, Show::AsIs),
    ("trace_id", ScanColumn::TraceId, Show::Hex),
    ("span_id", ScanColumn::SpanId, Show::Hex),
    ("service", ScanColumn::Service, Show::Text),
    ("severity_number", ScanColumn::SeverityNumber, Show::AsIs),
    ("severity_text", ScanColumn::SeverityText, Show::Text),
    ("body", ScanColumn::Body, Show::Text),
    ("body_is_json", ScanColumn::BodyIsJson, Show::AsIs),
    ("event_name", ScanColumn::EventName, Show::Text),
    ("scope_name", ScanColumn::ScopeName, Show::Text),
    ("attributes", ScanColumn::Attributes(Place::Span), Show::Text),
    ("resource", ScanColumn::Attributes(Place::Resource), Show::Text),
];

impl Table {
    /// Its schema.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields = (0..self.columns.len()).map(|index| self.column(index).field(self.columns[index].0));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Its column with this number.
    pub(super) fn column(&self, index: usize) -> TableColumn {
        let (_, scan, show) = &self.columns[index];
        TableColumn { scan: scan.clone(), show: *show, is_nullable: scan.is_nullable(self.signal) }
    }

    /// Its column of this name.
    pub(super) fn named(&self, name: &str) -> Option<TableColumn> {
        self.columns.iter().position(|(column, _, _)| *column == name).map(|index| self.column(index))
    }
}

/// Marks fields that are columns of the table, with the column's name: an alias keeps the mark, and not the name.
const OF_TABLE: &str = "weir.column";

/// A schema of which every field is marked.
#[cfg(test)]
pub(crate) fn as_of_table(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| of_table(field.as_ref().clone()));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Marks a field.
fn of_table(field: Field) -> Field {
    let name = field.name().clone();
    field.with_metadata([(OF_TABLE.to_owned(), name)].into())
}

/// Which column of the table a field is, whatever it is called here.
pub(in crate::sql) fn column_of_table(field: &Field) -> Option<&str> {
    field.metadata().get(OF_TABLE).map(String::as_str)
}

/// A value that the column may have, when it is one of text that is not what senders made of it: comparing it with a number is a mistake.
pub(in crate::sql) fn is_fixed_text(name: &str) -> Option<&'static str> {
    Some(match name {
        "trace_id" => "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id" | "parent_span_id" => "00f067aa0ba902b7",
        "service" => "cart",
        "name" => "GET /",
        "kind" => "server",
        "status_code" => "error",
        "state" => "kept",
        "status_message" | "scope_name" | "events" | "links" | "attributes" | "resource" => "…",
        "severity_text" => "ERROR",
        "body" | "event_name" => "…",
        _ => return None,
    })
}

impl TableColumn {
    /// One attribute, in one form.
    pub(super) fn attribute(place: Place, key: &str, form: AttributeForm) -> Self {
        let show = if form == AttributeForm::Text { Show::Text } else { Show::AsIs };
        Self { scan: ScanColumn::Attribute { place, key: key.to_owned(), form }, show, is_nullable: true }
    }

    /// Its type in SQL.
    pub(super) fn data_type(&self) -> DataType {
        match self.show {
            Show::AsIs => self.scan.data_type(),
            _ => DataType::Utf8View,
        }
    }

    /// Its field under this name.
    pub(super) fn field(&self, name: &str) -> Field {
        let field = Field::new(name, self.data_type(), self.is_nullable);
        if matches!(self.scan, ScanColumn::Attribute { .. }) {
            return field;
        }
        of_table(field)
    }

    /// Rows that are read at a time, where a value may take kilobytes: JSON has few equal values, attributes often have.
    pub(super) fn rows_max(&self) -> Option<u32> {
        match &self.scan {
            _ if self.is_json() => Some(JSON_ROWS_MAX),
            ScanColumn::Attribute { form: AttributeForm::Text, .. } => Some(TEXT_ROWS_MAX),
            _ => None,
        }
    }

    /// Whether values are long, and hardly two of them are equal.
    fn is_json(&self) -> bool {
        matches!(self.scan, ScanColumn::Events | ScanColumn::Links | ScanColumn::Body | ScanColumn::Attributes(_))
    }

    /// Whether equal values have equal codes within a batch of the scan, or are small numbers: groups are found without a look at texts.
    pub(super) fn has_codes(&self) -> bool {
        matches!(self.scan.data_type(), DataType::Dictionary(..) | DataType::Int32 | DataType::Boolean)
            && !self.is_json()
    }

    /// The scan's values as SQL shows them.
    pub(super) fn show(&self, array: &ArrayRef) -> Result<ArrayRef> {
        match self.show {
            Show::AsIs => Ok(array.clone()),
            Show::Text => texts(array),
            Show::Hex => hex(array.as_fixed_size_binary()),
            Show::Kind => names(array.as_primitive(), KINDS),
            Show::StatusCode => names(array.as_primitive(), STATUS_CODES),
        }
    }
}

/// The texts behind the codes.
fn texts(array: &ArrayRef) -> Result<ArrayRef> {
    let dictionary = array.as_dictionary::<UInt32Type>();
    let values = StringViewArray::from(dictionary.values().as_string::<i32>());
    Ok(take(&values, dictionary.keys(), None)?)
}

fn hex(ids: &FixedSizeBinaryArray) -> Result<ArrayRef> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let width = ids.value_length() as usize * 2;
    let mut text = Vec::with_capacity(ids.len() * width);
    for byte in ids.value_data() {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    text.truncate(ids.len() * width);
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(width, ids.len()));
    let text = StringArray::try_new(offsets, Buffer::from_vec(text), ids.nulls().cloned())?;
    Ok(Arc::new(StringViewArray::from(&text)))
}

/// The names of small numbers; a number without one is shown as it is.
fn names(numbers: &Int32Array, names: &[&str]) -> Result<ArrayRef> {
    let known = |number: i32| usize::try_from(number).ok().filter(|&number| number < names.len());
    if numbers.values().iter().all(|&number| known(number).is_some()) {
        let values = StringViewArray::from_iter_values(names);
        let keys: UInt32Array = numbers.unary::<_, UInt32Type>(|number| number as u32);
        return Ok(take(&values, &keys, None)?);
    }
    let shown = numbers.iter().map(|number: Option<i32>| {
        number.map(|number| match known(number) {
            Some(known) => names[known].to_owned(),
            None => number.to_string(),
        })
    });
    Ok(Arc::new(shown.collect::<StringViewArray>()))
}

/// The numbers that are shown so: at most one.
pub(super) fn number_named(text: &str, names: &[&str]) -> Option<i32> {
    if let Some(known) = names.iter().position(|name| *name == text) {
        return Some(known as i32);
    }
    let number: i32 = text.parse().ok()?;
    let is_other = usize::try_from(number).map_or(true, |number| number >= names.len());
    (is_other && number.to_string() == text).then_some(number)
}
