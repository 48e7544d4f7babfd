//! Fields of bodies that are kept as templates, under the names of labels: read from their columns, without a body.

use std::collections::{HashMap, hash_map::Entry};

use weir_proto::{
    loki::label_of_field,
    otlp::logs::{UNKNOWN_LEVEL, level_of_digits, level_of_word, level_rank},
};

use super::{
    attribute::{empty, in_form},
    bodies,
    gather::{self, ChosenRows},
};
use crate::{
    ask::{field_test::FieldTest, request::AttributeForm},
    columns::{Column, Dictionary, Kind, Values},
    segment::{
        SegmentError,
        chunk_reader::ChunkReader,
        field_column::{int_of, write_word},
        schema::{BODY_PREFIX, lines},
        template::{Slot, Template},
    },
};

/// Of a row whose body its fields do not tell.
const UNTOLD: u32 = u32::MAX;

/// Some rows of a row group, and the templates of their bodies.
pub(super) struct TemplatedRows<'a> {
    reader: &'a ChunkReader<'a>,
    group: usize,
    rows: &'a ChosenRows,
    /// The template of each row.
    codes: Vec<u32>,
    /// By their codes, those that rows have.
    templates: Vec<Option<Template>>,
    /// Whether a row has a template of which the labels are not known.
    has_odd: bool,
}

/// Where a row of some template has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ValueAt {
    column: usize,
    slot: Slot,
}

impl<'a> TemplatedRows<'a> {
    pub(super) fn read(reader: &'a ChunkReader<'a>, group: usize, rows: &'a ChosenRows) -> Result<Self, SegmentError> {
        let mut read = Self {
            reader,
            group,
            rows,
            codes: vec![UNTOLD; rows.len() as usize],
            templates: Vec::new(),
            has_odd: false,
        };
        if reader.is_empty(group, lines::BODY_TEMPLATE) {
            return Ok(read);
        }
        let column = gather::read(reader, group, lines::BODY_TEMPLATE, rows)?;
        let Values::Bytes { codes, dictionary } = column.values else { unreachable!("templates are text") };
        // A row group has no text that none of its rows has.
        let mut is_there = vec![matches!(rows, ChosenRows::All(_)); dictionary.len()];
        if !matches!(rows, ChosenRows::All(_)) {
            codes.iter().for_each(|&code| is_there[code as usize] = true);
        }
        read.templates.resize_with(dictionary.len(), || None);
        for (code, _) in (0..).zip(&is_there).filter(|(_, is_there)| **is_there) {
            let template = Template::parse(dictionary.get(code));
            // What has a head is no object: nothing tells its fields.
            let is_plain = |template: &Template| {
                !template.has_head && template.names.iter().all(|name| label_of_field(name).is_some())
            };
            read.templates[code as usize] = template.filter(is_plain);
            read.has_odd |= read.templates[code as usize].is_none();
        }
        if !read.has_odd && codes.len() == read.codes.len() {
            read.codes = codes;
            return Ok(read);
        }
        for (at, code) in codes.into_iter().enumerate() {
            if read.templates[code as usize].is_some() {
                let row = column.rows.as_ref().map_or(at, |rows| rows[at] as usize);
                read.codes[row] = code;
            }
        }
        Ok(read)
    }

    /// Whether the fields of a row, by position, tell all of its body.
    #[inline]
    pub(super) fn is_told(&self, position: u32) -> bool {
        self.codes[position as usize] != UNTOLD
    }

    /// Whether those of every row do.
    pub(super) fn are_told(&self) -> bool {
        !self.codes.contains(&UNTOLD)
    }

    /// Of each row whether it is so.
    pub(super) fn told(&self) -> Column {
        let told = self.codes.iter().map(|&code| u64::from(code != UNTOLD)).collect();
        Column { rows: None, values: Values::Words(told) }
    }

    /// The bodies of the other rows.
    pub(super) fn plain_bodies(&self) -> Result<Column, SegmentError> {
        if !self.has_odd {
            return gather::read(self.reader, self.group, lines::BODY, self.rows);
        }
        let all = bodies::read(self.reader, self.group, self.rows)?;
        let mut plain = Column::sparse_bytes();
        for at in 0..all.len() {
            if !self.is_told(all.row(at)) {
                plain.push_bytes(all.row(at), all.bytes(at));
            }
        }
        Ok(plain)
    }

    /// Of each template, by code, where the fields lie that `is_wanted`, in the order that it gives them.
    fn places(&self, is_wanted: impl Fn(&[u8]) -> Option<usize>) -> Result<Vec<Vec<ValueAt>>, SegmentError> {
        let mut numbers: HashMap<&[u8], usize> = HashMap::new();
        for (number, spec) in self.reader.specs.iter().enumerate() {
            if let Some(name) = spec.name.strip_prefix(BODY_PREFIX) {
                numbers.insert(name.as_bytes(), number);
            }
        }
        let mut all = vec![Vec::new(); self.templates.len()];
        for (places, template) in all.iter_mut().zip(&self.templates) {
            let Some(template) = template else { continue };
            let mut found: Vec<(usize, ValueAt)> = Vec::new();
            for (name, &slot) in template.names.iter().zip(&template.slots) {
                let Some(rank) = is_wanted(name) else { continue };
                let column = *numbers.get(&**name).ok_or_else(|| self.missing())?;
                found.push((rank, ValueAt { column, slot }));
            }
            // Of equal ranks the first in the body comes first.
            found.sort_by_key(|(rank, _)| *rank);
            places.extend(found.into_iter().map(|(_, place)| place));
        }
        Ok(all)
    }

    fn missing(&self) -> SegmentError {
        SegmentError::damaged(format!("row group {}, column body_template: a field is missing", self.group))
    }

    /// The columns of these places, which then name them by their numbers here.
    fn columns(&self, places: &mut [Vec<ValueAt>]) -> Result<Vec<FieldValues>, SegmentError> {
        let (mut columns, mut numbers) = (Vec::new(), HashMap::new());
        for place in places.iter_mut().flatten() {
            place.column = match numbers.entry(place.column) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let column = gather::read(self.reader, self.group, place.column, self.rows)?;
                    let kind = self.reader.specs[place.column].kind;
                    columns.push(FieldValues { kind, column, at: 0, known: Vec::new() });
                    *new.insert(columns.len() - 1)
                }
            };
        }
        Ok(columns)
    }

    /// The first field of each row that has this label, as text. Rows that are not told may have anything.
    pub(super) fn field(&self, label: &str) -> Result<Column, SegmentError> {
        let mut places = self.places(|name| (label_of_field(name).as_deref() == Some(label)).then_some(0))?;
        if let Some(column) = self.only_column(&places) {
            let kind = self.reader.specs[column].kind;
            let values = gather::read(self.reader, self.group, column, self.rows)?;
            return Ok(in_form(kind, values, AttributeForm::Text));
        }
        let mut columns = self.columns(&mut places)?;
        let mut out = empty(AttributeForm::Text);
        let mut text = Vec::new();
        for (row, &code) in (0..).zip(&self.codes) {
            let Some(places) = places.get(code as usize) else { continue };
            for place in places {
                let column = &mut columns[place.column];
                if let Some(text) = column.text(row, place.slot, &mut text) {
                    out.push_bytes(row, text);
                    break;
                }
            }
        }
        Ok(out)
    }

    /// The column that every template has the field in, and nothing else, where lists are not among its values.
    fn only_column(&self, places: &[Vec<ValueAt>]) -> Option<usize> {
        let mut only = None;
        for (places, template) in places.iter().zip(&self.templates) {
            if template.is_none() {
                continue;
            }
            let [place] = places.as_slice() else { return None };
            let is_plain = place.slot != Slot::Raw
                || matches!(self.reader.specs[place.column].kind, Kind::Int64 | Kind::Double | Kind::Bool);
            if !is_plain || *only.get_or_insert(place.column) != place.column {
                return None;
            }
        }
        only
    }

    /// The positions of the rows whose field with this label is written so, and of those that are not told; `None` unless the field is a
    /// column of whole numbers in every template, of which no text need be made.
    pub(super) fn rows_with_int(&self, label: &str, text: &str) -> Result<Option<Vec<u32>>, SegmentError> {
        let places = self.places(|name| (label_of_field(name).as_deref() == Some(label)).then_some(0))?;
        let is_int = |column: &usize| self.reader.specs[*column].kind == Kind::Int64;
        let Some(column) = self.only_column(&places).filter(is_int) else { return Ok(None) };
        let values = gather::read(self.reader, self.group, column, self.rows)?;
        let Values::Words(words) = &values.values else { return Ok(None) };
        let mut kept: Vec<u32> = Vec::new();
        // Written otherwise, as 007, it is no number's text.
        if let Some(int) = int_of(text.as_bytes()).filter(|int| int.to_string() == text) {
            let wanted = int as u64;
            kept.extend((0..words.len()).filter(|&at| words[at] == wanted).map(|at| values.row(at)));
        }
        let told = kept.len();
        kept.extend((0..).zip(&self.codes).filter(|(_, code)| **code == UNTOLD).map(|(row, _)| row));
        if told < kept.len() {
            kept.sort_unstable();
            kept.dedup();
        }
        Ok(Some(kept))
    }

    /// Of each row, by position, whether its field with this label passes, or it is not told; `None` unless the field is one column in every
    /// template.
    pub(super) fn passing(&self, test: &FieldTest) -> Result<Option<Vec<bool>>, SegmentError> {
        let label = test.label();
        let places = self.places(|name| (label_of_field(name).as_deref() == Some(label)).then_some(0))?;
        let Some(number) = self.only_column(&places) else { return Ok(None) };
        let kind = self.reader.specs[number].kind;
        let is_fast = match kind {
            Kind::Text => true,
            Kind::Int64 | Kind::Double => test.fits_number(0.0).is_some(),
            _ => false,
        };
        if !is_fast {
            return Ok(None);
        }
        let column = gather::read(self.reader, self.group, number, self.rows)?;
        let found: Vec<bool> = match &column.values {
            Values::Words(words) => match test.fit_numbers(words, kind == Kind::Int64) {
                Some(found) => found,
                None => return Ok(None),
            },
            Values::Bytes { codes, dictionary } => {
                let mut known: Vec<Option<bool>> = vec![None; dictionary.len()];
                let fits =
                    |&code: &u32| *known[code as usize].get_or_insert_with(|| test.fits_text(dictionary.get(code)));
                codes.iter().map(fits).collect()
            }
        };
        let mut passes = match &column.rows {
            None => found,
            Some(rows) if rows.len() == self.codes.len() => found,
            Some(rows) => {
                let mut passes = vec![test.fits_none(); self.codes.len()];
                rows.iter().zip(found).for_each(|(&row, found)| passes[row as usize] = found);
                passes
            }
        };
        if !self.are_told() {
            passes.iter_mut().zip(&self.codes).for_each(|(passes, &code)| *passes |= code == UNTOLD);
        }
        Ok(Some(passes))
    }

    /// Calls `keep` with each row that is told, and whether it passes: by the text of the first field that has this label, or by a number.
    pub(super) fn test(
        &self,
        label: &str,
        test: &FieldAsked<'_>,
        mut keep: impl FnMut(u32, bool),
    ) -> Result<(), SegmentError> {
        let mut places = self.places(|name| (label_of_field(name).as_deref() == Some(label)).then_some(0))?;
        let mut columns = self.columns(&mut places)?;
        let passes_none = (test.text)(None);
        let mut text = Vec::new();
        for (row, &code) in (0..).zip(&self.codes) {
            if code == UNTOLD {
                continue;
            }
            let mut passes = passes_none;
            for place in &places[code as usize] {
                let column = &mut columns[place.column];
                let Some(position) = column.position(row) else { continue };
                let FieldValues { kind, column, known, .. } = column;
                let found = match &column.values {
                    Values::Bytes { codes, dictionary } => {
                        let value = dictionary.get(codes[position]);
                        if is_list(*kind, place.slot, value) {
                            continue;
                        }
                        known.resize(dictionary.len(), None);
                        *known[codes[position] as usize].get_or_insert_with(|| (test.text)(Some(value)))
                    }
                    Values::Words(words) => {
                        let word = words[position];
                        let number = match kind {
                            Kind::Int64 => Some(word as i64 as f64),
                            Kind::Double => Some(f64::from_bits(word)),
                            _ => None,
                        };
                        number.and_then(|number| (test.number)(number)).unwrap_or_else(|| {
                            text.clear();
                            write_word(*kind, word, &mut text);
                            (test.text)(Some(&text))
                        })
                    }
                };
                passes = found;
                break;
            }
            keep(row, passes);
        }
        Ok(())
    }

    /// The level that each told row's body tells.
    pub(super) fn levels(&self) -> Result<Column, SegmentError> {
        let mut places = self.places(level_rank)?;
        if let Some(levels) = self.levels_of_column(&places)? {
            return Ok(levels);
        }
        let mut columns = self.columns(&mut places)?;
        let mut out = Column::sparse_bytes();
        let mut text = Vec::new();
        for (row, &code) in (0..).zip(&self.codes) {
            if code == UNTOLD {
                continue;
            }
            let mut level = None;
            for place in &places[code as usize] {
                let Some(text) = columns[place.column].text(row, place.slot, &mut text) else { continue };
                level = match place.slot {
                    Slot::Raw => level_of_digits(text),
                    Slot::Text(_) | Slot::Word => level_of_word(text),
                };
                if level.is_some() {
                    break;
                }
            }
            out.push_bytes(row, level.unwrap_or(UNKNOWN_LEVEL).as_bytes());
        }
        Ok(out)
    }
}

impl TemplatedRows<'_> {
    /// The same where every row is told, and by the texts of one column: each of them is looked at once.
    fn levels_of_column(&self, places: &[Vec<ValueAt>]) -> Result<Option<Column>, SegmentError> {
        let column = self.only_column(places).filter(|&column| self.reader.specs[column].kind == Kind::Text);
        let Some(column) = column.filter(|_| self.are_told()) else { return Ok(None) };
        let values = gather::read(self.reader, self.group, column, self.rows)?;
        let Values::Bytes { codes, dictionary } = values.values else { return Ok(None) };
        if codes.len() != self.codes.len() {
            return Ok(None);
        }
        let mut levels = Dictionary::new();
        let level_of = (0..dictionary.len() as u32).map(|code| {
            let level = level_of_word(dictionary.get(code)).unwrap_or(UNKNOWN_LEVEL);
            levels.intern_repeated(level.as_bytes())
        });
        let level_of: Vec<u32> = level_of.collect();
        let codes = codes.iter().map(|&code| level_of[code as usize]).collect();
        Ok(Some(Column { rows: None, values: Values::Bytes { codes, dictionary: levels } }))
    }
}

/// What is asked of a field.
pub(super) struct FieldAsked<'f> {
    /// Of its text, or of its absence.
    pub(super) text: &'f dyn Fn(Option<&[u8]>) -> bool,
    /// Of a number, where its text need not be asked.
    pub(super) number: &'f dyn Fn(f64) -> Option<bool>,
}

/// Lists and empty objects are no labels.
#[inline]
fn is_list(kind: Kind, slot: Slot, value: &[u8]) -> bool {
    kind == Kind::Json || (slot == Slot::Raw && matches!(value.first(), Some(b'[' | b'{')))
}

/// The values of a field, asked row by row, ascending.
struct FieldValues {
    kind: Kind,
    column: Column,
    at: usize,
    /// What is known of each of its texts.
    known: Vec<Option<bool>>,
}

impl FieldValues {
    #[inline]
    fn position(&mut self, row: u32) -> Option<usize> {
        let Some(rows) = &self.column.rows else { return Some(row as usize) };
        while rows.get(self.at).is_some_and(|&present| present < row) {
            self.at += 1;
        }
        (rows.get(self.at) == Some(&row)).then_some(self.at)
    }

    /// A row's value as the body has it, unless it is a list.
    #[inline]
    fn text<'t>(&'t mut self, row: u32, slot: Slot, buffer: &'t mut Vec<u8>) -> Option<&'t [u8]> {
        let position = self.position(row)?;
        match &self.column.values {
            Values::Bytes { codes, dictionary } => {
                let value = dictionary.get(codes[position]);
                (!is_list(self.kind, slot, value)).then_some(value)
            }
            Values::Words(words) => {
                buffer.clear();
                write_word(self.kind, words[position], buffer);
                Some(buffer)
            }
        }
    }
}
