//! One attribute's values, wherever they lie: a column of their own, the JSON residual, or both.

use weir_proto::{Signal, otlp::traces::ValueView};

use super::{
    body::BodyField,
    gather::{self, ChosenRows},
};
use crate::{
    ask::{request::AttributeForm, span::Place},
    columns::{Column, Dictionary, Kind, Values},
    segment::{
        Segment, SegmentError, body_end,
        chunk_reader::ChunkReader,
        json::{self, BadJson},
        json_entry,
        schema::{BODY_PREFIX, ITEM_PREFIX, RESOURCE_PREFIX, lines},
    },
};

/// Where values of a key lie in a segment.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    /// A column of its own.
    Column(usize),
    /// A residual column.
    Residual(usize),
    /// The bodies that are kept as text: a field of those that are JSON objects.
    Body,
    /// The ends of bodies.
    BodyEnd,
}

impl Source {
    /// The column that it is, if it is one.
    pub(super) fn column(self) -> Option<usize> {
        match self {
            Self::Column(column) | Self::Residual(column) => Some(column),
            Self::Body | Self::BodyEnd => None,
        }
    }
}

/// The sources of a key, in the order in which a row's value is looked for.
pub(super) fn sources(segment: &Segment, place: Place, key: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let manifest = &segment.manifest;
    let places = [
        (Place::Resource, ITEM_PREFIX, segment.table().attributes_other, &manifest.attributes_other),
        (Place::Span, RESOURCE_PREFIX, segment.table().resource_other, &manifest.resource_other),
    ];
    for (elsewhere, prefix, residual, keys) in places {
        if place == elsewhere {
            continue;
        }
        if prefix == ITEM_PREFIX && key == body_end::KEY && body_end::is_in(segment) {
            sources.push(Source::BodyEnd);
        }
        if let Some(&column) = segment.columns.get(&format!("{prefix}{key}")) {
            sources.push(Source::Column(column));
        }
        if keys.cut || keys.keys.binary_search_by(|listed| listed.key.as_str().cmp(key)).is_ok() {
            sources.push(Source::Residual(residual));
        }
        if prefix == ITEM_PREFIX {
            sources.extend(body_sources(segment, key));
        }
    }
    sources
}

/// Where the field of bodies of this name lies, if any body may have it: in a column, and in the texts of bodies that are not told by it.
fn body_sources(segment: &Segment, key: &str) -> Vec<Source> {
    if segment.table().signal != Signal::Logs {
        return Vec::new();
    }
    let Some(fields) = &segment.manifest.bodies else { return vec![Source::Body] };
    let field = fields.named(key);
    let column = field.filter(|field| field.column);
    let column = column.and_then(|_| segment.columns.get(&format!("{BODY_PREFIX}{key}")).copied());
    let in_texts = match (field, column) {
        (Some(field), Some(_)) => field.partial,
        (Some(_), None) => true,
        (None, _) => fields.cut,
    };
    column.map(Source::Column).into_iter().chain(in_texts.then_some(Source::Body)).collect()
}

/// A key as it is written in JSON text, with its quotes.
pub(in crate::segment) fn quoted(key: &str) -> Vec<u8> {
    let mut quoted = Vec::new();
    json::write_text(key.as_bytes(), &mut quoted);
    quoted
}

/// The values at these rows, in one form; of several sources, the first that has one.
pub(super) fn read(
    reader: &ChunkReader<'_>,
    group: usize,
    sources: &[Source],
    key: &str,
    form: AttributeForm,
    rows: &ChosenRows,
) -> Result<Column, SegmentError> {
    let mut values: Option<Column> = None;
    for source in sources {
        let found = match *source {
            Source::Column(column) => {
                in_form(reader.specs[column].kind, gather::read(reader, group, column, rows)?, form)
            }
            Source::BodyEnd => in_form(Kind::Text, body_end::read(reader, group, rows)?, form),
            Source::Body => BodyField::named(key).read(&gather::read(reader, group, lines::BODY, rows)?, form),
            Source::Residual(column) => {
                let texts = gather::read(reader, group, column, rows)?;
                from_residual(&texts, &quoted(key), form).map_err(|error| {
                    let name = &reader.specs[column].name;
                    SegmentError::damaged(format!("row group {group}, column {name}: {error}"))
                })?
            }
        };
        values = Some(match values {
            Some(before) if before.len() > 0 => prefer(&before, &found),
            _ => found,
        });
    }
    Ok(values.unwrap_or_else(|| empty(form)))
}

/// A column of this form without values.
pub(super) fn empty(form: AttributeForm) -> Column {
    match form {
        AttributeForm::Text => Column::sparse_bytes(),
        AttributeForm::Number | AttributeForm::Bool => Column::sparse_words(),
    }
}

/// The values of a promoted column in this form.
pub(super) fn in_form(kind: Kind, column: Column, form: AttributeForm) -> Column {
    match (form, kind) {
        (AttributeForm::Text, Kind::Text | Kind::Json)
        | (AttributeForm::Bool, Kind::Bool)
        | (AttributeForm::Number, Kind::Double) => column,
        (AttributeForm::Number, Kind::Int64) => {
            let Values::Words(words) = column.values else { return empty(form) };
            let doubles = words.into_iter().map(|word| (word as i64 as f64).to_bits()).collect();
            Column { rows: column.rows, values: Values::Words(doubles) }
        }
        (AttributeForm::Text, Kind::Int64 | Kind::Double | Kind::Bool) => {
            let Values::Words(words) = column.values else { return empty(form) };
            let mut dictionary = Dictionary::new();
            let mut text = Vec::new();
            let codes = words
                .iter()
                .map(|&word| {
                    text.clear();
                    write_word(kind, word, &mut text);
                    dictionary.intern_repeated(&text)
                })
                .collect();
            Column { rows: column.rows, values: Values::Bytes { codes, dictionary } }
        }
        (AttributeForm::Number | AttributeForm::Bool, Kind::Text) => {
            let Values::Bytes { codes, dictionary } = &column.values else { return empty(form) };
            let words: Vec<Option<u64>> =
                (0..dictionary.len() as u32).map(|code| word_of_text(dictionary.get(code), form)).collect();
            let mut out = Column::sparse_words();
            for (position, &code) in codes.iter().enumerate() {
                if let Some(word) = words[code as usize] {
                    out.push_word(column.row(position), word);
                }
            }
            out
        }
        _ => empty(form),
    }
}

/// The number or boolean that a text writes.
pub(super) fn word_of_text(text: &[u8], form: AttributeForm) -> Option<u64> {
    match form {
        AttributeForm::Text => None,
        AttributeForm::Number => std::str::from_utf8(text).ok()?.parse().ok().map(f64::to_bits),
        AttributeForm::Bool => match text {
            b"true" => Some(1),
            b"false" => Some(0),
            _ => None,
        },
    }
}

pub(in crate::segment) fn write_word(kind: Kind, word: u64, out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => json::write_bool(word != 0, out),
        Kind::Double => write_double(f64::from_bits(word), out),
        _ => json::write_display(&(word as i64), out),
    }
}

/// A double as text: as JSON writes it, but without an object around what JSON has no word for.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    match value {
        f64::INFINITY => out.extend_from_slice(b"Infinity"),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Infinity"),
        _ if value.is_nan() => out.extend_from_slice(b"NaN"),
        _ => json::write_double(value, out),
    }
}

/// The values of a key in a residual column; each distinct text is looked into once.
fn from_residual(texts: &Column, quoted_key: &[u8], form: AttributeForm) -> Result<Column, BadJson> {
    let mut out = empty(form);
    let (Values::Bytes { codes, dictionary }, Some(rows)) = (&texts.values, &texts.rows) else { return Ok(out) };
    let finder = memchr::memmem::Finder::new(quoted_key);
    let (out_rows, out_values) = (out.rows.insert(Vec::new()), &mut out.values);
    let mut cache: Vec<Cached> = vec![Cached::Unknown; dictionary.len()];
    let mut text = Vec::new();
    for (&row, &code) in rows.iter().zip(codes) {
        let cached = &mut cache[code as usize];
        if *cached == Cached::Unknown {
            *cached = look_into(dictionary.get(code), &finder, quoted_key, form, &mut text, out_values)?;
        }
        match (&mut *out_values, *cached) {
            (Values::Bytes { codes, .. }, Cached::Code(code)) => codes.push(code),
            (Values::Words(words), Cached::Word(word)) => words.push(word),
            _ => continue,
        }
        out_rows.push(row);
    }
    Ok(out)
}

/// What a residual text has for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cached {
    Unknown,
    Nothing,
    Code(u32),
    Word(u64),
}

fn look_into(
    object: &[u8],
    finder: &memchr::memmem::Finder<'_>,
    quoted_key: &[u8],
    form: AttributeForm,
    text: &mut Vec<u8>,
    out: &mut Values,
) -> Result<Cached, BadJson> {
    // Most texts do not even hold the key's letters.
    if finder.find(object).is_none() {
        return Ok(Cached::Nothing);
    }
    let Some(value) = json_entry::find(object, quoted_key)? else { return Ok(Cached::Nothing) };
    text.clear();
    Ok(match (out, form) {
        (Values::Bytes { dictionary, .. }, _) => {
            if !write_text(value, text)? {
                return Ok(Cached::Nothing);
            }
            Cached::Code(dictionary.intern_repeated(text))
        }
        (Values::Words(_), _) => {
            let word = match is_scalar(value) && write_text(value, text)? {
                true => word_of_text(text, form),
                false => None,
            };
            word.map_or(Cached::Nothing, Cached::Word)
        }
    })
}

/// Whether a value of the JSON is a text, number or boolean: NaN and the infinities are written as objects.
pub(super) fn is_scalar(value: &[u8]) -> bool {
    !matches!(value.first(), Some(b'[' | b'{')) || value.starts_with(b"{\"$double\"")
}

/// Appends a value's text; false for an empty value.
pub(in crate::segment) fn write_text(value: &[u8], out: &mut Vec<u8>) -> Result<bool, BadJson> {
    match value.first() {
        Some(b'"') => out.extend_from_slice(json::Reader::new(value).string()?.as_bytes()),
        Some(b'n') => return Ok(false),
        Some(b'{') if value.starts_with(b"{\"$double\"") => write_double(number(value)?.unwrap_or(f64::NAN), out),
        _ => out.extend_from_slice(value),
    }
    Ok(true)
}

/// A value that is a number.
fn number(value: &[u8]) -> Result<Option<f64>, BadJson> {
    use weir_proto::otlp::messages::common::v1::any_value::Value;
    let is_number = matches!(value.first(), Some(b'0'..=b'9' | b'-')) || value.starts_with(b"{\"$double\"");
    if !is_number {
        return Ok(None);
    }
    Ok(match json::read_value(value)?.value {
        Some(Value::IntValue(int)) => Some(int as f64),
        Some(Value::DoubleValue(double)) => Some(double),
        _ => None,
    })
}

/// Both columns' values; where a row has two, the first column's.
fn prefer(first: &Column, second: &Column) -> Column {
    let mut out = match first.values {
        Values::Bytes { .. } => Column::sparse_bytes(),
        Values::Words(_) => Column::sparse_words(),
    };
    let (mut a, mut b) = (0, 0);
    loop {
        let row_a = (a < first.len()).then(|| first.row(a));
        let row_b = (b < second.len()).then(|| second.row(b));
        let (column, at, row) = match (row_a, row_b) {
            (None, None) => return out,
            (Some(row_a), Some(row_b)) if row_b < row_a => (second, b, row_b),
            (None, Some(row_b)) => (second, b, row_b),
            (Some(row_a), _) => (first, a, row_a),
        };
        a += usize::from(row_a == Some(row));
        b += usize::from(row_b == Some(row));
        match column.values {
            Values::Bytes { .. } => out.push_bytes(row, column.bytes(at)),
            Values::Words(_) => out.push_word(row, column.word(at)),
        }
    }
}

/// Adds a span's value, as the wire has it, to a column of this form.
pub(super) fn push_view(column: &mut Column, row: u32, value: &ValueView<'_>, form: AttributeForm, text: &mut Vec<u8>) {
    text.clear();
    match (form, value) {
        (_, ValueView::Empty) => {}
        (AttributeForm::Number, ValueView::Int(int)) => column.push_word(row, (*int as f64).to_bits()),
        (AttributeForm::Number, ValueView::Double(double)) => column.push_word(row, double.to_bits()),
        (AttributeForm::Bool, ValueView::Bool(value)) => column.push_word(row, u64::from(*value)),
        (AttributeForm::Number | AttributeForm::Bool, ValueView::Str(value)) => {
            if let Some(word) = word_of_text(value, form) {
                column.push_word(row, word);
            }
        }
        (AttributeForm::Number | AttributeForm::Bool, _) => {}
        (AttributeForm::Text, ValueView::Str(value)) => column.push_bytes(row, value),
        (AttributeForm::Text, ValueView::Double(double)) => {
            write_double(*double, text);
            column.push_bytes(row, text);
        }
        (AttributeForm::Text, value) => {
            json::write_value(value, text);
            column.push_bytes(row, text);
        }
    }
}

/// The text of a key's value in a JSON object as [`crate::ask::request::ScanColumn::Attributes`] gives it.
///
/// # Errors
///
/// When the text is not such an object.
pub fn attribute_in_json(object: &str, key: &str) -> Result<Option<String>, crate::ask::error::ReadError> {
    let damaged = |error: BadJson| crate::ask::error::ReadError::Damaged(error.to_string());
    let Some(value) = json_entry::find(object.as_bytes(), &quoted(key)).map_err(damaged)? else { return Ok(None) };
    let mut text = Vec::new();
    let is_there = write_text(value, &mut text).map_err(damaged)?;
    Ok(is_there.then(|| String::from_utf8_lossy(&text).into_owned()))
}
