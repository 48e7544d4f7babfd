//! The fields of bodies that are JSON objects: gathered as columns, of which those are written that are worth their space.
//!
//! A column of a field is an index on the bodies, and whole: where a segment has one, every row with the field has its value there. What has
//! none is read from the bodies themselves. So nothing depends on which fields have columns, but how long it takes.

use std::{collections::BTreeMap, hash::BuildHasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};
use weir_proto::json::{FieldLimits, FieldValue, NoFields, fields};

use super::{
    column::{Column, Values},
    json,
    schema::{BODY_PREFIX, ColumnSpec, KEY_BYTES_MAX, Kind},
};

/// Most names that are told apart in a segment; with more, any name may be in a body.
const NAMES_MAX: usize = 4096;

/// Names whose columns are kept for the next segment.
const NAMES_KEPT: usize = 256;

/// Most fields that get columns: the most frequent ones.
const COLUMNS_MAX: usize = 256;

/// Texts of fewer rows get a column however different they are: it is small.
const FEW_ROWS: u64 = 64;

/// What a segment tells of the fields in its bodies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BodyFields {
    /// Sorted by name.
    pub(super) fields: Vec<BodyField>,
    /// Whether there are fields that are not listed.
    pub(super) cut: bool,
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BodyField {
    /// Its name.
    pub(super) name: String,
    /// Rows that have it.
    pub(super) rows: u64,
    /// Different texts among them, or more; 0 for numbers and booleans.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) different: u64,
    /// Whether it has a column.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) column: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl BodyFields {
    /// The field of a name.
    pub(super) fn named(&self, name: &str) -> Option<&BodyField> {
        let at = self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
        Some(&self.fields[at])
    }
}

/// Whether a column is worth its space: hardly any line says something else there than others, or it is a number, or there are few of them.
fn is_worth(name: &str, different: u64, of_field: u64, rows: u64) -> bool {
    name.len() <= KEY_BYTES_MAX && of_field * 100 > rows && (of_field <= FEW_ROWS || different * 4 <= of_field)
}

/// Which fields get columns: those worth it, the most frequent ones first.
fn choose(fields: &mut [BodyField], rows: u64) {
    for field in fields.iter_mut() {
        field.column &= is_worth(&field.name, field.different, field.rows, rows);
    }
    let mut chosen: Vec<(std::cmp::Reverse<u64>, usize)> = fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.column)
        .map(|(number, field)| (std::cmp::Reverse(field.rows), number))
        .collect();
    chosen.sort_unstable();
    for &(_, number) in chosen.iter().skip(COLUMNS_MAX) {
        fields[number].column = false;
    }
}

/// Fields of bodies, gathered row by row.
#[derive(Debug)]
pub(super) struct BodyTable {
    columns: Vec<FieldColumn>,
    by_name: HashTable<u32>,
    hasher: RandomState,
    /// The columns of the latest body's fields, in order: the next one mostly has the same.
    latest: Vec<u32>,
    cut: bool,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct FieldColumn {
    name: Box<[u8]>,
    /// What its values are; [`Kind::Text`] when they are of several kinds.
    kind: Kind,
    /// `None` once it is not worth its space.
    column: Option<Column>,
    rows: u64,
    last_row: Option<u32>,
    is_begun: bool,
    /// An empty column of the segment before.
    spare: Option<Column>,
}

impl BodyTable {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            columns: Vec::new(),
            by_name: HashTable::new(),
            hasher: RandomState::default(),
            latest: Vec::new(),
            cut: false,
            scratch: Vec::new(),
        }
    }

    /// Forgets the rows; the memory of a usual number of columns stays.
    pub(super) fn clear(&mut self) {
        if self.columns.len() > NAMES_KEPT {
            self.columns.clear();
            self.by_name.clear();
            self.latest.clear();
        }
        self.columns.iter_mut().for_each(FieldColumn::clear);
        self.cut = false;
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        let bytes = |column: &Option<Column>| column.as_ref().map_or(0, Column::memory_bytes);
        self.columns.iter().map(|column| bytes(&column.column) + bytes(&column.spare) + 128).sum()
    }

    /// Adds a row's body; answers whether it begins as an object and has no fields all the same.
    pub(super) fn push(&mut self, row: u32, body: &[u8]) -> bool {
        // Fields of a text that turns out to be broken must not be seen: they are taken once all was read.
        let mut found: Vec<(u32, FieldValue<'_>)> = Vec::with_capacity(self.latest.len());
        let mut index = 0;
        let read = fields(body, FieldLimits::default(), |name, value| {
            match self.number(index, name) {
                Some(number) => found.push((number, value)),
                None => self.cut = true,
            }
            index += 1;
        });
        match read {
            Ok(()) => {}
            Err(NoFields::NoObject) => return false,
            Err(NoFields::Broken | NoFields::Beyond) => return true,
        }
        for (number, value) in found {
            let column = &mut self.columns[number as usize];
            // The last one counts.
            if column.last_row == Some(row) {
                column.take_back();
            }
            if value != FieldValue::Null {
                column.rows += 1;
                column.last_row = Some(row);
                column.push(row, &value, &mut self.scratch);
            }
        }
        false
    }

    /// The number of a name's column; `None` when there are too many.
    #[inline]
    fn number(&mut self, index: usize, name: &[u8]) -> Option<u32> {
        if let Some(&number) = self.latest.get(index)
            && *self.columns[number as usize].name == *name
        {
            return Some(number);
        }
        let hash = self.hasher.hash_one(name);
        let columns = &self.columns;
        let known = self.by_name.find(hash, |&number| *columns[number as usize].name == *name).copied();
        let number = match known {
            Some(number) => number,
            None if self.columns.len() >= NAMES_MAX => return None,
            None => {
                let number = self.columns.len() as u32;
                self.columns.push(FieldColumn::new(name));
                let (columns, hasher) = (&self.columns, &self.hasher);
                self.by_name.insert_unique(hash, number, |&number| hasher.hash_one(&*columns[number as usize].name));
                number
            }
        };
        if index < self.latest.len() {
            self.latest[index] = number;
        } else if index == self.latest.len() {
            self.latest.push(number);
        }
        Some(number)
    }

    /// What is there in `rows` rows, and the columns to be written, in the order of their names.
    pub(super) fn finish(&self, rows: u64) -> (BodyFields, Vec<(ColumnSpec, &Column)>) {
        let mut sorted: Vec<&FieldColumn> = self.columns.iter().filter(|column| column.rows > 0).collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut listed: Vec<BodyField> = sorted.iter().map(|column| column.listed()).collect();
        choose(&mut listed, rows);
        let chosen = sorted.iter().zip(&listed).filter(|(_, field)| field.column);
        let columns =
            chosen.filter_map(|(column, field)| Some((spec(&field.name, column.kind), column.column.as_ref()?)));
        let columns = columns.collect();
        (BodyFields { fields: listed, cut: self.cut }, columns)
    }
}

/// The column of a field.
fn spec(name: &str, kind: Kind) -> ColumnSpec {
    ColumnSpec { name: format!("{BODY_PREFIX}{name}"), kind, required: false }
}

impl FieldColumn {
    fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            kind: Kind::Text,
            column: None,
            rows: 0,
            last_row: None,
            is_begun: false,
            spare: None,
        }
    }

    fn clear(&mut self) {
        (self.rows, self.last_row, self.is_begun) = (0, None, false);
        if let Some(mut column) = self.column.take() {
            column.clear();
            self.spare = Some(column);
        }
    }

    fn listed(&self) -> BodyField {
        let different = match &self.column {
            Some(Column { values: Values::Bytes { dictionary, .. }, .. }) => dictionary.len() as u64,
            Some(_) => 0,
            None => self.rows,
        };
        let name = String::from_utf8_lossy(&self.name).into_owned();
        BodyField { name, rows: self.rows, different, column: self.column.is_some() }
    }

    fn push(&mut self, row: u32, value: &FieldValue<'_>, scratch: &mut Vec<u8>) {
        let typed = Typed::of(value, scratch);
        if !self.is_begun {
            self.is_begun = true;
            let (before, is_bytes) = (self.kind.is_bytes(), typed.kind().is_bytes());
            self.kind = typed.kind();
            let spare = self.spare.take().filter(|_| before == is_bytes);
            self.column = Some(spare.unwrap_or_else(|| Column::empty(self.kind, false)));
        } else if self.kind != typed.kind() {
            self.become_text();
        }
        let is_text = self.kind.is_bytes();
        let Some(column) = &mut self.column else { return };
        match typed {
            Typed::Bytes(bytes, _) => column.push_bytes(row, bytes),
            Typed::Word(word, kind) if is_text => {
                scratch.clear();
                write_word(kind, word, scratch);
                column.push_bytes(row, scratch);
            }
            Typed::Word(word, _) => column.push_word(row, word),
        }
        // Hardly any value came twice: not worth the copy.
        if let Values::Bytes { dictionary, .. } = &column.values
            && !dictionary.is_distinct()
        {
            self.column = None;
        }
    }

    /// Values of several kinds are kept as their texts.
    fn become_text(&mut self) {
        let kind = std::mem::replace(&mut self.kind, Kind::Text);
        let Some(column) = self.column.take() else { return };
        self.column = Some(match column.values {
            Values::Bytes { .. } => column,
            Values::Words(_) => texts_of(kind, &column),
        });
    }

    /// Forgets the value of the last row.
    fn take_back(&mut self) {
        self.rows -= 1;
        self.last_row = None;
        let Some(column) = &mut self.column else { return };
        if let Some(rows) = &mut column.rows {
            rows.pop();
        }
        match &mut column.values {
            Values::Bytes { codes, .. } => drop(codes.pop()),
            Values::Words(words) => drop(words.pop()),
        }
    }
}

/// A column of numbers or booleans as their texts, which are those of the bodies.
pub(super) fn texts_of(kind: Kind, column: &Column) -> Column {
    let mut out = Column::sparse_bytes();
    let mut text = Vec::new();
    for at in 0..column.len() {
        text.clear();
        write_word(kind, column.word(at), &mut text);
        out.push_bytes(column.row(at), &text);
    }
    out
}

fn write_word(kind: Kind, word: u64, out: &mut Vec<u8>) {
    match kind {
        Kind::Bool => json::write_bool(word != 0, out),
        Kind::Double => json::write_double(f64::from_bits(word), out),
        _ => json::write_display(&(word as i64), out),
    }
}

/// A value as a column holds it: a number only where its text comes back from it.
enum Typed<'v> {
    Bytes(&'v [u8], Kind),
    Word(u64, Kind),
}

impl<'v> Typed<'v> {
    fn of(value: &'v FieldValue<'_>, scratch: &mut Vec<u8>) -> Self {
        match value {
            FieldValue::Text(text) => Self::Bytes(text, Kind::Text),
            FieldValue::Json(text) => Self::Bytes(text, Kind::Json),
            FieldValue::Bool(value) => Self::Word(u64::from(*value), Kind::Bool),
            FieldValue::Null => Self::Bytes(b"", Kind::Text),
            FieldValue::Number(text) => {
                let number = std::str::from_utf8(text).unwrap_or_default();
                if let Ok(int) = number.parse::<i64>()
                    && *text != b"-0"
                {
                    return Self::Word(int as u64, Kind::Int64);
                }
                if let Ok(double) = number.parse::<f64>()
                    && double.is_finite()
                {
                    scratch.clear();
                    json::write_double(double, scratch);
                    if *scratch == *text {
                        return Self::Word(double.to_bits(), Kind::Double);
                    }
                }
                Self::Bytes(text, Kind::Text)
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Bytes(_, kind) | Self::Word(_, kind) => *kind,
        }
    }
}

/// The fields of several segments, merged into one of `rows` rows, and the specs of the columns that it gets: fields of which every input that
/// has them has a column. `kinds_of` tells the kind of an input's column of a name.
pub(super) fn merged(
    inputs: &[Option<&BodyFields>],
    rows: u64,
    kind_of: impl Fn(usize, &str) -> Option<Kind>,
) -> (Option<BodyFields>, Vec<ColumnSpec>) {
    let known: Option<Vec<&BodyFields>> = inputs.iter().copied().collect();
    let Some(known) = known else { return (None, Vec::new()) };
    let cut = known.iter().any(|fields| fields.cut);
    let mut found: BTreeMap<&str, BodyField> = BTreeMap::new();
    let mut kinds: BTreeMap<&str, Kind> = BTreeMap::new();
    for (number, fields) in known.iter().enumerate() {
        for field in &fields.fields {
            let name = field.name.as_str();
            let kind = kind_of(number, name).filter(|_| field.column);
            let first = BodyField { rows: 0, different: 0, column: true, name: name.to_owned() };
            let total = found.entry(name).or_insert(first);
            total.rows += field.rows;
            total.different += field.different;
            total.column &= kind.is_some();
            if let Some(kind) = kind {
                kinds.entry(name).and_modify(|known| *known = common(*known, kind)).or_insert(kind);
            }
        }
    }
    // A field that one of them does not list may be in its bodies all the same, when its list is cut.
    for fields in known.iter().filter(|fields| fields.cut) {
        for (name, total) in &mut found {
            total.column &= fields.named(name).is_some();
        }
    }
    let mut listed: Vec<BodyField> = found.into_values().collect();
    choose(&mut listed, rows);
    let cut = cut || listed.len() > NAMES_MAX;
    let chosen = listed.iter().filter(|field| field.column);
    let specs = chosen.map(|field| spec(&field.name, kinds[field.name.as_str()])).collect();
    if listed.len() > NAMES_MAX {
        // Those with columns stay listed: only what is listed is looked for in them.
        listed.sort_by_key(|field| (!field.column, std::cmp::Reverse(field.rows)));
        listed.truncate(NAMES_MAX);
        listed.sort_by(|a, b| a.name.cmp(&b.name));
    }
    (Some(BodyFields { fields: listed, cut }), specs)
}

/// What holds values of both kinds.
fn common(a: Kind, b: Kind) -> Kind {
    if a == b { a } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(bodies: &[&str]) -> BodyTable {
        let mut table = BodyTable::new();
        for (row, body) in (0..).zip(bodies) {
            table.push(row, body.as_bytes());
        }
        table
    }

    fn shown(bodies: &[&str]) -> Vec<String> {
        let table = table(bodies);
        let (fields, columns) = table.finish(bodies.len() as u64);
        assert_eq!(columns.len(), fields.fields.iter().filter(|field| field.column).count());
        let show = |(spec, column): (ColumnSpec, &Column)| {
            let texts = if spec.kind.is_bytes() { column.clone() } else { texts_of(spec.kind, column) };
            let values: Vec<String> = (0..texts.len())
                .map(|at| format!("{}={}", texts.row(at), String::from_utf8_lossy(texts.bytes(at))))
                .collect();
            format!("{} {:?} {}", spec.name, spec.kind, values.join(" "))
        };
        columns.into_iter().map(show).collect()
    }

    #[test]
    fn values_keep_their_kind_where_their_text_comes_back() {
        let bodies = [
            r#"{"n":1,"d":1.5,"b":true,"t":"x","l":[1, 2],"m":1,"o":{"k":"v"},"z":null}"#,
            r#"{"n":-2,"d":0.25,"b":false,"t":"y","m":1.5,"q":1.50}"#,
            r#"{"n":3,"m":"x","t":"x","n":4}"#,
            r#"{"n":9,"broken":"#,
            "text",
        ];
        let expected = [
            "body.b Bool 0=true 1=false",
            "body.d Double 0=1.5 1=0.25",
            "body.l Json 0=[1, 2]",
            "body.m Text 0=1 1=1.5 2=x",
            "body.n Int64 0=1 1=-2 2=4",
            "body.o.k Text 0=v",
            "body.q Text 1=1.50",
            "body.t Text 0=x 1=y 2=x",
        ];
        assert_eq!(shown(&bodies), expected);
    }

    #[test]
    fn what_is_different_on_every_row_is_only_listed() {
        let bodies: Vec<String> =
            (0..1000).map(|n| format!(r#"{{"id":"id-{n}","n":{n},"few":"{}"}}"#, n % 10)).collect();
        let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
        let gathered = table(&bodies);
        let (fields, columns) = gathered.finish(1000);
        let names: Vec<_> = columns.iter().map(|(spec, _)| spec.name.as_str()).collect();
        assert_eq!(names, ["body.few", "body.n"]);
        let id = fields.named("id").expect("listed");
        assert_eq!((id.rows, id.different, id.column), (1000, 1000, false));
        assert!(fields.named("none").is_none() && !fields.cut);
    }

    #[test]
    fn broken_objects_are_told_from_texts() {
        let mut table = BodyTable::new();
        let rows =
            [("text", false), ("{}", false), ("{\"a\":1}", false), ("{\"a\":1", true), ("{x}", true), ("", false)];
        for (row, (body, is_broken)) in (0..).zip(rows) {
            assert_eq!(table.push(row, body.as_bytes()), is_broken, "{body}");
        }
    }

    #[test]
    fn merged_columns_are_whole_or_none() {
        let fields = |rows: &[(&str, u64, bool)], cut| BodyFields {
            fields: rows
                .iter()
                .map(|&(name, rows, column)| BodyField { name: name.into(), rows, different: 0, column })
                .collect(),
            cut,
        };
        let a = fields(&[("both", 10, true), ("half", 10, true), ("mixed", 10, true), ("only", 10, true)], false);
        let b = fields(&[("both", 10, true), ("half", 10, false), ("mixed", 10, true)], false);
        let kind_of =
            |number: usize, name: &str| Some(if name == "mixed" && number == 1 { Kind::Double } else { Kind::Int64 });
        let names = |specs: &[ColumnSpec]| {
            specs.iter().map(|spec| format!("{} {:?}", spec.name, spec.kind)).collect::<Vec<_>>()
        };
        let (listed, specs) = merged(&[Some(&a), Some(&b)], 20, kind_of);
        assert_eq!(names(&specs), ["body.both Int64", "body.mixed Text", "body.only Int64"]);
        assert_eq!(listed.expect("known").named("half").map(|field| (field.rows, field.column)), Some((20, false)));
        let cut = fields(&[("both", 10, true)], true);
        let (listed, specs) = merged(&[Some(&a), Some(&cut)], 20, kind_of);
        assert_eq!(names(&specs), ["body.both Int64"]);
        assert!(listed.expect("known").cut);
        assert_eq!(merged(&[Some(&a), None], 20, kind_of), (None, Vec::new()));
    }
}
