//! Bodies as they arrived: kept as texts, or rebuilt from their templates and the columns of their fields.

use super::gather::{self, ChosenRows};
use crate::columns::{Column, Dictionary, Kind, Values};
use crate::segment::{
    SegmentError,
    chunk_reader::ChunkReader,
    rebuild::Rebuilder,
    schema::{BODY_PREFIX, lines},
    template::Template,
};

/// The bodies of these rows.
pub(in crate::segment) fn read(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: &ChosenRows,
) -> Result<Column, SegmentError> {
    let texts = gather::read(reader, group, lines::BODY, rows)?;
    if reader.is_empty(group, lines::BODY_TEMPLATE) {
        return Ok(texts);
    }
    with_rebuilt(reader, group, rows, &texts)
}

/// Those of them that are not kept as texts.
pub(super) fn read_rebuilt(reader: &ChunkReader<'_>, group: usize, rows: &ChosenRows) -> Result<Column, SegmentError> {
    with_rebuilt(reader, group, rows, &Column::sparse_bytes())
}

fn with_rebuilt(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: &ChosenRows,
    texts: &Column,
) -> Result<Column, SegmentError> {
    let templates = gather::read(reader, group, lines::BODY_TEMPLATE, rows)?;
    let fields = Fields::read(reader, group, &templates, rows)?;
    let mut rebuilder = fields.rebuilder(&templates);
    let mut out = Bodies { rows: Vec::with_capacity(rows.len() as usize), dictionary: Dictionary::plain() };
    let mut text = Vec::new();
    let mut next = 0;
    let Values::Bytes { codes, .. } = &templates.values else { unreachable!("templates are text") };
    for (at, &code) in codes.iter().enumerate() {
        let row = templates.row(at);
        while next < texts.len() && texts.row(next) < row {
            out.push(texts.row(next), texts.bytes(next));
            next += 1;
        }
        text.clear();
        let damaged = || SegmentError::damaged(format!("row group {group}, column body_template: a field is missing"));
        rebuilder.write(row, code, &mut text).ok_or_else(damaged)?;
        out.push(row, &text);
    }
    for at in next..texts.len() {
        out.push(texts.row(at), texts.bytes(at));
    }
    let codes = (0..out.dictionary.len() as u32).collect();
    Ok(Column { rows: Some(out.rows), values: Values::Bytes { codes, dictionary: out.dictionary } })
}

/// Bodies on their way: hardly any two are alike.
struct Bodies {
    rows: Vec<u32>,
    dictionary: Dictionary,
}

impl Bodies {
    fn push(&mut self, row: u32, text: &[u8]) {
        self.rows.push(row);
        self.dictionary.push(text);
    }
}

/// The fields that templates have.
pub(in crate::segment) struct Fields(Vec<(Box<[u8]>, Kind, Column)>);

impl Fields {
    /// Of these rows' templates; rows count from 0 afterwards.
    pub(in crate::segment) fn read(
        reader: &ChunkReader<'_>,
        group: usize,
        templates: &Column,
        rows: &ChosenRows,
    ) -> Result<Self, SegmentError> {
        let Values::Bytes { codes, dictionary } = &templates.values else { unreachable!("templates are text") };
        let mut is_used = vec![false; dictionary.len()];
        codes.iter().for_each(|&code| is_used[code as usize] = true);
        let mut fields: Vec<(Box<[u8]>, Kind, Column)> = Vec::new();
        for code in (0..dictionary.len() as u32).filter(|&code| is_used[code as usize]) {
            let Some(template) = Template::parse(dictionary.get(code)) else { continue };
            for name in template.names {
                if fields.iter().any(|(known, ..)| *known == name) {
                    continue;
                }
                let is_it = |spec: &str| spec.strip_prefix(BODY_PREFIX).is_some_and(|key| key.as_bytes() == &*name);
                let Some(number) = reader.specs.iter().position(|spec| is_it(&spec.name)) else { continue };
                fields.push((name, reader.specs[number].kind, gather::read(reader, group, number, rows)?));
            }
        }
        Ok(Self(fields))
    }

    /// What brings back the bodies of these templates.
    pub(in crate::segment) fn rebuilder(&self, templates: &Column) -> Rebuilder<'_> {
        let Values::Bytes { dictionary, .. } = &templates.values else { unreachable!("templates are text") };
        let texts = (0..dictionary.len() as u32).map(|code| dictionary.get(code));
        Rebuilder::new(texts, |name| {
            let (_, kind, column) = self.0.iter().find(|(known, ..)| **known == *name)?;
            Some((*kind, column))
        })
    }
}
