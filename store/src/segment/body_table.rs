//! Gathers JSON bodies: their fields as columns, and of each body the template from which it comes back.

use std::{borrow::Cow, hash::BuildHasher, ops::Range};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use weir_proto::{
    json::{FieldLimits, FieldValue, NoFields, fields_at, may_have_fields, members},
    otlp::{ValueView, logs::json_number},
};

use super::{
    attributes::{AttributeTable, MemberValue},
    body_fields::{BodyFields, NAMES_MAX, choose, spec},
    field_column::{FieldColumn, FieldText, RowIds, int_of},
    json,
    rebuild::Rebuilder,
    template::{
        Escaping, Found, Slot, TEMPLATE_BYTES_MAX, Template, behind_head, head_words, headed, template_of, word_name,
    },
    told::ToldAttributes,
};
use crate::columns::{Column, ColumnSpec, Kind, Packing, Values};

/// Names whose columns are kept for the next segment.
const NAMES_KEPT: usize = 256;

/// Most templates of a segment; bodies that have none of them are kept as text.
const TEMPLATES_MAX: usize = 1024;

/// Templates that the next body is tried with: those of the latest ones.
const RECENT_MAX: usize = 8;

/// Fields and templates of bodies, gathered row by row.
#[derive(Debug, Default)]
pub(super) struct BodyTable {
    columns: Vec<FieldColumn>,
    by_name: HashTable<u32>,
    hasher: RandomState,
    /// The columns of the latest body's fields, in order: the next one mostly has the same.
    latest: Vec<u32>,
    templates: Vec<KnownTemplate>,
    by_template: HashTable<u32>,
    /// Numbers of the latest bodies' templates, the latest first.
    recent: Vec<u32>,
    cut: bool,
    scratch: Vec<u8>,
    values: Vec<Range<usize>>,
    /// Slots of the latest body from whose columns its attributes cannot be told.
    untold: Vec<usize>,
    /// The template that the latest body matched, without being parsed.
    matched: Option<u32>,
    /// Where attributes' columns were found last, by their place in a body.
    hints: Vec<u32>,
}

#[derive(Debug)]
struct KnownTemplate {
    text: Box<[u8]>,
    parsed: Template,
    /// The column of each slot.
    columns: Box<[u32]>,
    /// Its code in the column of templates, once a row has it.
    code: Option<u32>,
}

/// How a body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// As text.
    Text,
    /// As text: it begins as an object, and has no fields all the same.
    Broken,
    /// As the template of this number.
    Template(u32),
}

/// What a segment is written with.
#[derive(Debug)]
pub(super) struct FinishedBodies<'t> {
    /// For the manifest.
    pub(super) fields: BodyFields,
    /// The columns of fields, in the order of their names.
    pub(super) columns: Vec<(ColumnSpec, Cow<'t, Column>)>,
    /// Bodies and templates, where they are not those that were gathered: with bodies as texts whose fields are not all in columns.
    pub(super) rewritten: Option<(Column, Column)>,
}

impl BodyTable {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Forgets the rows; the memory of a usual number of columns and templates stays.
    pub(super) fn clear(&mut self) {
        if self.columns.len() > NAMES_KEPT || self.templates.len() == TEMPLATES_MAX {
            self.columns.clear();
            self.by_name.clear();
            self.latest.clear();
            self.templates.clear();
            self.by_template.clear();
            self.recent.clear();
        }
        self.columns.iter_mut().for_each(FieldColumn::clear);
        self.templates.iter_mut().for_each(|template| template.code = None);
        self.cut = false;
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> u64 {
        let columns: u64 = self.columns.iter().map(FieldColumn::memory_bytes).sum();
        let templates: u64 = self.templates.iter().map(|template| 3 * template.text.len() as u64 + 256).sum();
        columns + templates
    }

    /// Adds a row's body; behind `head_len` bytes, where these are no part of it, it may be an object. With `implies` its fields are
    /// attributes, too: where it gets a template, [`Self::push_untold`] comes next.
    #[inline]
    pub(super) fn push(&mut self, row: u32, body: &[u8], head_len: usize, ids: &RowIds<'_>, implies: bool) -> Pushed {
        let mut values = std::mem::take(&mut self.values);
        let has_head = head_len > 0;
        let matching = |number: &u32| {
            let template = &self.templates[*number as usize].parsed;
            template.has_head == has_head && template.matches(body, &mut values)
        };
        let pushed = match self.recent.iter().position(matching) {
            Some(at) => {
                let number = self.recent[at];
                self.recent[..=at].rotate_right(1);
                self.matched = Some(number);
                if implies {
                    self.push_matching_told(row, body, ids, number, &values);
                } else {
                    self.push_matching(row, body, ids, number, &values);
                }
                Pushed::Template(number)
            }
            None if has_head && !may_have_fields(body) => {
                self.push_headed(row, body.split_at(head_len), ids).map_or(Pushed::Text, Pushed::Template)
            }
            None => {
                self.matched = None;
                self.push_parsed(row, body, ids, implies)
            }
        };
        self.values = values;
        pushed
    }

    /// Adds the values of a body that has this template.
    #[inline]
    fn push_matching(&mut self, row: u32, body: &[u8], ids: &RowIds<'_>, number: u32, values: &[Range<usize>]) {
        let Self { templates, columns, scratch, .. } = self;
        let template = &templates[number as usize];
        for ((slot, &column), at) in template.parsed.slots.iter().zip(template.columns.iter()).zip(values) {
            columns[column as usize].push(row, field_text(*slot, &body[at.clone()]), ids, scratch);
        }
    }

    /// The same of one whose own fields are attributes.
    #[inline]
    fn push_matching_told(&mut self, row: u32, body: &[u8], ids: &RowIds<'_>, number: u32, values: &[Range<usize>]) {
        let Self { templates, columns, scratch, untold, .. } = self;
        let KnownTemplate { parsed, columns: of_slots, .. } = &templates[number as usize];
        untold.clear();
        for (slot, at) in values.iter().enumerate() {
            let value = field_text(parsed.slots[slot], &body[at.clone()]);
            let column = &mut columns[of_slots[slot] as usize];
            if !parsed.is_own[slot] {
                column.push(row, value, ids, scratch);
            } else if !column.push_told(row, value, ids, scratch) {
                untold.push(slot);
            }
        }
    }

    /// Adds the attributes of the body that was pushed last, and got a template, which its fields' columns do not tell.
    pub(super) fn push_untold(&mut self, row: u32, body: &[u8], attributes: &mut AttributeTable) {
        let Self { templates, untold, values, hints, scratch, matched, .. } = self;
        let Some(number) = *matched else {
            return push_untold_members(row, body, attributes, (hints, scratch));
        };
        let template = &templates[number as usize].parsed;
        hints.resize(hints.len().max(template.slots.len() + template.inner.len()), 0);
        for &slot in untold.iter() {
            let text = &body[values[slot].clone()];
            push_text(row, &template.names[slot], text, attributes, (&mut hints[slot], scratch));
        }
        for (inner, hint) in template.inner.iter().zip(&mut hints[template.slots.len()..]) {
            let (at, slots) = inner.place(values);
            let is_usual = |slot: usize| {
                matches!(template.slots[slot], Slot::Text(Escaping::Least))
                    || matches!(body[values[slot].start], b't' | b'f')
                    || int_of(&body[values[slot].clone()]).is_some()
            };
            let text = &body[at];
            if inner.is_compact && text.first() == Some(&b'{') && slots.into_iter().all(is_usual) {
                attributes.push_value(row, &inner.key, MemberValue::Json(text), hint);
            } else {
                push_text(row, &inner.key, text, attributes, (hint, scratch));
            }
        }
    }

    /// What becomes of attributes that only the bodies' fields tell, of which `listed` says which have columns.
    pub(super) fn told(&self, listed: &BodyFields, ids: &RowIds<'_>, written: &AttributeTable) -> ToldAttributes {
        ToldAttributes::of(&self.columns, listed, ids, written)
    }

    fn push_parsed(&mut self, row: u32, body: &[u8], ids: &RowIds<'_>, implies: bool) -> Pushed {
        // Fields of a text that turns out to be broken must not be seen: they are taken once all was read.
        let mut found: Vec<Found<'_>> = Vec::with_capacity(self.latest.len());
        let (mut index, mut are_all_known) = (0, true);
        let read = fields_at(body, FieldLimits::default(), |name, value, at| {
            match self.number(index, name) {
                Some(column) => found.push(Found { column, value, at }),
                None => are_all_known = false,
            }
            index += 1;
        });
        match read {
            Ok(()) => {}
            Err(NoFields::NoObject) => return Pushed::Text,
            Err(NoFields::Broken | NoFields::Beyond) => return Pushed::Broken,
        }
        self.cut |= !are_all_known;
        let mut are_different = true;
        for Found { column, .. } in &found {
            are_different &= self.columns[*column as usize].mark(row);
        }
        let template = if are_all_known && are_different { self.template(body, &found) } else { None };
        if !are_different {
            // Of a field that is there twice the last one counts.
            for at in (0..found.len()).rev() {
                let column = found[at].column;
                if found[at + 1..].iter().any(|later| later.column == column) {
                    found.remove(at);
                }
            }
        }
        self.push_found(row, &found, ids, (template, implies));
        template.map_or(Pushed::Text, Pushed::Template)
    }

    fn push_found(
        &mut self,
        row: u32,
        found: &[Found<'_>],
        ids: &RowIds<'_>,
        (template, implies): (Option<u32>, bool),
    ) {
        let is_own = template.filter(|_| implies).map(|number| &self.templates[number as usize].parsed.is_own);
        let with_value = found.iter().filter(|found| found.value != FieldValue::Null);
        for (slot, Found { column, value, .. }) in with_value.enumerate() {
            let value = match value {
                FieldValue::Text(text) => FieldText::Text(text),
                FieldValue::Number(text) => FieldText::Number(text),
                FieldValue::Json(text) => FieldText::Json(text),
                FieldValue::Bool(value) => FieldText::Bool(*value),
                FieldValue::Null => continue,
            };
            let column = &mut self.columns[*column as usize];
            match is_own {
                Some(is_own) if is_own[slot] => drop(column.push_told(row, value, ids, &mut self.scratch)),
                _ => column.push(row, value, ids, &mut self.scratch),
            }
            column.is_templated |= template.is_some();
        }
    }

    /// Adds the words of a head and the fields of the object behind it; `None` where the body does not come back from them.
    fn push_headed(&mut self, row: u32, (head, object): (&[u8], &[u8]), ids: &RowIds<'_>) -> Option<u32> {
        if !may_have_fields(object) {
            return None;
        }
        let words = head_words(head)?;
        let mut columns = Vec::with_capacity(words.len());
        for number in 0..words.len() {
            columns.push(self.number(number, &word_name(number))?);
        }
        let mut found: Vec<Found<'_>> = Vec::with_capacity(self.latest.len());
        let (mut index, mut are_all_known) = (words.len(), true);
        let read = fields_at(object, FieldLimits::default(), |name, value, at| {
            match self.number(index, &behind_head(name)) {
                Some(column) => found.push(Found { column, value, at }),
                None => are_all_known = false,
            }
            index += 1;
        });
        let mut are_different = read.is_ok() && are_all_known;
        for Found { column, .. } in &found {
            are_different &= self.columns[*column as usize].mark(row);
        }
        if !are_different {
            return None;
        }
        let text = headed(head, &words, &template_of(object, &found)?);
        let with_column = found.iter().filter(|found| found.value != FieldValue::Null);
        let slots = columns.iter().copied().chain(with_column.map(|found| found.column)).collect();
        let template = self.numbered(text, slots)?;
        for (column, word) in columns.into_iter().zip(words) {
            let column = &mut self.columns[column as usize];
            column.push(row, FieldText::Text(&head[word]), ids, &mut self.scratch);
            column.is_templated = true;
        }
        self.push_found(row, &found, ids, (Some(template), false));
        Some(template)
    }

    /// The number of the template of a body with these fields.
    fn template(&mut self, body: &[u8], found: &[Found<'_>]) -> Option<u32> {
        let text = template_of(body, found)?;
        let with_column = found.iter().filter(|found| found.value != FieldValue::Null);
        self.numbered(text, with_column.map(|found| found.column).collect())
    }

    /// The number of a template whose slots have these columns.
    fn numbered(&mut self, text: Vec<u8>, columns: Box<[u32]>) -> Option<u32> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return None;
        }
        let hash = self.hasher.hash_one(&text[..]);
        let templates = &self.templates;
        let known = self.by_template.find(hash, |&number| *templates[number as usize].text == *text).copied();
        let number = match known {
            Some(number) => number,
            None if templates.len() >= TEMPLATES_MAX => return None,
            None => {
                let number = templates.len() as u32;
                let parsed = Template::parse(&text)?;
                if columns.len() != parsed.slots.len() {
                    return None;
                }
                self.templates.push(KnownTemplate { text: text.into(), parsed, columns, code: None });
                let (templates, hasher) = (&self.templates, &self.hasher);
                let rehash = |&number: &u32| hasher.hash_one(&*templates[number as usize].text);
                self.by_template.insert_unique(hash, number, rehash);
                number
            }
        };
        self.recent.retain(|&recent| recent != number);
        self.recent.insert(0, number);
        self.recent.truncate(RECENT_MAX);
        Some(number)
    }

    /// Adds the template of a row to the column of templates.
    #[inline]
    pub(super) fn push_template(&mut self, row: u32, number: u32, column: &mut Column) {
        let template = &mut self.templates[number as usize];
        match template.code {
            Some(code) => column.push_again(row, u64::from(code)),
            None => {
                column.push_bytes(row, &template.text);
                template.code = column.latest().map(|code| code as u32);
                // The columns may have been emptied since they were marked.
                for &column in template.columns.iter() {
                    self.columns[column as usize].is_templated = true;
                }
            }
        }
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

    /// What is there in `rows` rows, whose bodies and templates are in these columns.
    pub(super) fn finish(
        &self,
        rows: u64,
        ids: &RowIds<'_>,
        (bodies, templates): (&Column, &Column),
    ) -> FinishedBodies<'_> {
        let mut sorted: Vec<&FieldColumn> = self.columns.iter().filter(|column| column.rows > 0).collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        let mut fields = BodyFields {
            fields: sorted.iter().map(|column| column.listed(ids)).collect(),
            cut: self.cut,
            ..BodyFields::today()
        };
        choose(&mut fields.fields, rows);
        let mut columns = Vec::new();
        let mut are_all_chosen = true;
        for (column, field) in sorted.iter().zip(&fields.fields) {
            are_all_chosen &= field.column || !column.is_templated;
            if let Some(values) = column.finish(ids).filter(|_| field.column) {
                columns.push((spec(&field.name, column.kind, packing_of(column.kind, &values)), values));
            }
        }
        let rewritten = match are_all_chosen {
            true => None,
            false => Some(self.as_texts(&sorted, &fields, ids, (bodies, templates))),
        };
        FinishedBodies { fields, columns, rewritten }
    }

    /// Bodies and templates, with those as texts whose fields are not all in columns.
    fn as_texts(
        &self,
        sorted: &[&FieldColumn],
        fields: &BodyFields,
        ids: &RowIds<'_>,
        (bodies, templates): (&Column, &Column),
    ) -> (Column, Column) {
        let held: Vec<(&FieldColumn, Column)> = sorted
            .iter()
            .map(|column| (*column, column.finish(ids).map_or_else(|| column.id_texts(ids), Cow::into_owned)))
            .collect();
        let Values::Bytes { dictionary, .. } = &templates.values else { unreachable!("templates are text") };
        let texts = (0..dictionary.len() as u32).map(|code| dictionary.get(code));
        let mut rebuilder = Rebuilder::new(texts, |name| {
            let (column, values) = held.iter().find(|(column, _)| *column.name == *name)?;
            Some((column.kind, values))
        });
        let is_kept = |name: &[u8]| {
            std::str::from_utf8(name).is_ok_and(|name| fields.named(name).is_some_and(|field| field.column))
        };
        rebuilder.expand((bodies, templates), |template| template.names.iter().all(|name| is_kept(name)))
    }
}

/// The value in a slot.
#[inline]
fn field_text(slot: Slot, text: &[u8]) -> FieldText<'_> {
    match (slot, text.first()) {
        (Slot::Text(_) | Slot::Word, _) => FieldText::Text(text),
        (_, Some(b'[')) => FieldText::Json(text),
        (_, Some(b't')) => FieldText::Bool(true),
        (_, Some(b'f')) => FieldText::Bool(false),
        _ => FieldText::Number(text),
    }
}

/// Adds the attributes of a body that its fields' columns do not tell, member by member.
#[cold]
fn push_untold_members(
    row: u32,
    body: &[u8],
    attributes: &mut AttributeTable,
    (hints, scratch): (&mut Vec<u32>, &mut Vec<u8>),
) {
    let mut number = 0;
    let read = members(body, |key, at| {
        let text = &body[at];
        let is_told = match text[0] {
            b'"' | b't' | b'f' => true,
            b'-' | b'0'..=b'9' => int_of(text).is_some(),
            _ => false,
        };
        number += 1;
        hints.resize(hints.len().max(number), 0);
        if !is_told {
            push_text(row, &key, text, attributes, (&mut hints[number - 1], scratch));
        }
    });
    debug_assert!(read.is_ok(), "it has a template");
}

/// Adds an attribute that stands in a body as a number, null, an object or a list.
fn push_text(
    row: u32,
    key: &[u8],
    text: &[u8],
    attributes: &mut AttributeTable,
    (hint, scratch): (&mut u32, &mut Vec<u8>),
) {
    let value = match text[0] {
        b'n' => MemberValue::Empty,
        b'{' | b'[' => {
            scratch.clear();
            json::write_json(text, scratch);
            MemberValue::Json(scratch)
        }
        _ => match json_number(text) {
            ValueView::Int(int) => MemberValue::Int(int),
            ValueView::Double(double) => MemberValue::Double(double),
            _ => MemberValue::Text(text),
        },
    };
    attributes.push_value(row, key, value, hint);
}

/// How all texts of a column are stored.
fn packing_of(kind: Kind, column: &Column) -> Packing {
    match &column.values {
        Values::Bytes { dictionary, .. } if kind == Kind::Text => {
            Packing::of_all((0..dictionary.len() as u32).map(|code| dictionary.get(code)))
        }
        _ => Packing::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::field_column::texts_of;

    /// Rows without ids.
    fn none() -> RowIds<'static> {
        static NONE: std::sync::LazyLock<Column> = std::sync::LazyLock::new(Column::sparse_bytes);
        RowIds { trace: None, span: None, traces: &NONE, spans: &NONE }
    }

    fn table(bodies: &[&str]) -> BodyTable {
        let mut table = BodyTable::new();
        for (row, body) in (0..).zip(bodies) {
            table.push(row, body.as_bytes(), 0, &none(), false);
        }
        table
    }

    fn finished<'t>(table: &'t BodyTable, rows: usize) -> FinishedBodies<'t> {
        table.finish(rows as u64, &none(), (&Column::sparse_bytes(), &Column::sparse_bytes()))
    }

    fn shown(bodies: &[&str]) -> Vec<String> {
        let table = table(bodies);
        let FinishedBodies { fields, columns, .. } = finished(&table, bodies.len());
        assert_eq!(columns.len(), fields.fields.iter().filter(|field| field.column).count());
        let show = |(spec, column): (ColumnSpec, Cow<'_, Column>)| {
            let texts = if spec.kind.is_bytes() { column.into_owned() } else { texts_of(spec.kind, &column) };
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
    fn what_is_different_on_every_row_has_a_column_only_where_bodies_need_it() {
        // An escape that nobody has to write: the body stays text.
        let bodies = |slash: &str| -> Vec<String> {
            (0..1000).map(|n| format!(r#"{{"id":"id-{n}{slash}","n":{n},"few":"{}"}}"#, n % 10)).collect()
        };
        for (slash, has_id) in [("\\/", false), ("/", true)] {
            let bodies = bodies(slash);
            let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
            let (mut table, mut templates) = (BodyTable::new(), Column::sparse_bytes());
            for (row, body) in (0..).zip(&bodies) {
                match table.push(row, body.as_bytes(), 0, &none(), false) {
                    Pushed::Template(number) => table.push_template(row, number, &mut templates),
                    kept => assert_eq!((kept, has_id), (Pushed::Text, false)),
                }
            }
            let FinishedBodies { fields, columns, rewritten } =
                table.finish(1000, &none(), (&Column::sparse_bytes(), &templates));
            let names: Vec<_> = columns.iter().map(|(spec, _)| spec.name.as_str()).collect();
            assert_eq!(names, if has_id { &["body.few", "body.id", "body.n"][..] } else { &["body.few", "body.n"] });
            let id = fields.named("id").expect("listed");
            assert_eq!((id.rows, id.different, id.column, rewritten.is_some()), (1000, 1000, has_id, false));
            assert!(fields.named("none").is_none() && !fields.cut);
        }
    }

    #[test]
    fn broken_objects_are_told_from_texts() {
        let mut table = BodyTable::new();
        let rows =
            [("text", false), ("{}", false), ("{\"a\":1}", false), ("{\"a\":1", true), ("{x}", true), ("", false)];
        for (row, (body, is_broken)) in (0..).zip(rows) {
            assert_eq!(table.push(row, body.as_bytes(), 0, &none(), false) == Pushed::Broken, is_broken, "{body}");
        }
    }

    #[test]
    fn a_field_that_is_the_rows_id_has_no_column() {
        let (mut traces, spans) = (Column::sparse_bytes(), Column::sparse_words());
        let id = weir_proto::TraceId([0xab; 16]);
        let body = format!(r#"{{"trace":"{}","n":1}}"#, "ab".repeat(16));
        let mut table = BodyTable::new();
        for row in [0, 2, 3] {
            traces.push_bytes(row, &id.0);
            let ids = RowIds { trace: Some(id), span: None, traces: &traces, spans: &spans };
            assert_ne!(table.push(row, body.as_bytes(), 0, &ids, false), Pushed::Text);
        }
        let ids = RowIds { trace: None, span: None, traces: &traces, spans: &spans };
        let nothing = Column::sparse_bytes();
        let finished = table.finish(4, &ids, (&nothing, &nothing));
        assert_eq!(
            finished.fields.named("trace").and_then(|field| field.same_as),
            Some(crate::segment::body_fields::IdColumn::TraceId)
        );
        assert_eq!(finished.columns.len(), 1);
        // A row has the id, and not the field.
        traces.push_bytes(5, &id.0);
        let ids = RowIds { trace: None, span: None, traces: &traces, spans: &spans };
        let finished = table.finish(6, &ids, (&nothing, &nothing));
        let (spec, column) = &finished.columns[1];
        assert_eq!((spec.name.as_str(), column.rows.as_deref()), ("body.trace", Some(&[0, 2, 3][..])));
    }
}
