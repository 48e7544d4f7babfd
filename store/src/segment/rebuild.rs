//! Brings JSON bodies back from their templates and the columns of their fields.

use super::{
    field_column::write_word,
    template::{Slot, Template},
};
use crate::columns::{Column, Kind, Values};

/// Rebuilds bodies, row by row in ascending order.
#[derive(Debug)]
pub(super) struct Rebuilder<'c> {
    /// By their codes; `None` for what is no template, or has a field without a column.
    templates: Vec<Option<Ready>>,
    columns: Vec<FieldValues<'c>>,
}

#[derive(Debug)]
struct Ready {
    template: Template,
    /// The column of each slot.
    columns: Vec<usize>,
}

#[derive(Debug)]
struct FieldValues<'c> {
    name: Box<[u8]>,
    kind: Kind,
    column: &'c Column,
    /// Where the latest row was looked for.
    at: usize,
}

impl<'c> Rebuilder<'c> {
    /// For the templates behind codes 0, 1 …, with the columns that `column_of` knows.
    pub(super) fn new<'t>(
        templates: impl Iterator<Item = &'t [u8]>,
        column_of: impl Fn(&[u8]) -> Option<(Kind, &'c Column)>,
    ) -> Self {
        let mut columns: Vec<FieldValues<'c>> = Vec::new();
        let mut number_of = |name: &[u8]| {
            if let Some(number) = columns.iter().position(|column| *column.name == *name) {
                return Some(number);
            }
            let (kind, column) = column_of(name)?;
            columns.push(FieldValues { name: name.into(), kind, column, at: 0 });
            Some(columns.len() - 1)
        };
        let mut ready = |text: &[u8]| {
            let template = Template::parse(text)?;
            let columns = template.names.iter().map(|name| number_of(name)).collect::<Option<Vec<_>>>()?;
            Some(Ready { template, columns })
        };
        let templates = templates.map(&mut ready).collect();
        Self { templates, columns }
    }

    /// Appends the body of a row; `None` when a value is missing.
    #[inline]
    pub(super) fn write(&mut self, row: u32, code: u32, out: &mut Vec<u8>) -> Option<()> {
        let Self { templates, columns } = self;
        let Ready { template, columns: slots } = templates.get(code as usize)?.as_ref()?;
        for (number, (slot, &column)) in template.slots.iter().zip(slots).enumerate() {
            out.extend_from_slice(template.literal(number));
            let FieldValues { kind, column, at, .. } = &mut columns[column];
            let position = find(column, row, at)?;
            match (&column.values, slot) {
                (Values::Words(words), _) => write_word(*kind, words[position], out),
                (Values::Bytes { codes, dictionary }, Slot::Text(escaping)) => {
                    escaping.write(dictionary.get(codes[position]), out);
                }
                (Values::Bytes { codes, dictionary }, Slot::Raw | Slot::Word) => {
                    out.extend_from_slice(dictionary.get(codes[position]));
                }
            }
        }
        out.extend_from_slice(template.literal(template.slots.len()));
        Some(())
    }

    /// Bodies and templates, with the bodies as texts of which the template is not to be kept, or is none.
    pub(super) fn expand(
        &mut self,
        (bodies, templates): (&Column, &Column),
        is_kept: impl Fn(&Template) -> bool,
    ) -> (Column, Column) {
        let kept: Vec<bool> =
            self.templates.iter().map(|ready| ready.as_ref().is_some_and(|ready| is_kept(&ready.template))).collect();
        let (mut texts, mut rest) = (Column::sparse_bytes(), Column::sparse_bytes());
        let mut text = Vec::new();
        let mut next = 0;
        let Values::Bytes { codes, dictionary } = &templates.values else { unreachable!("templates are text") };
        for (at, &code) in codes.iter().enumerate() {
            let row = templates.row(at);
            while next < bodies.len() && bodies.row(next) < row {
                texts.push_bytes(bodies.row(next), bodies.bytes(next));
                next += 1;
            }
            if kept[code as usize] {
                rest.push_bytes(row, dictionary.get(code));
                continue;
            }
            text.clear();
            if self.write(row, code, &mut text).is_some() {
                texts.push_bytes(row, &text);
            }
        }
        for at in next..bodies.len() {
            texts.push_bytes(bodies.row(at), bodies.bytes(at));
        }
        (texts, rest)
    }
}

/// The position of a row's value; rows are asked for in ascending order.
#[inline]
fn find(column: &Column, row: u32, at: &mut usize) -> Option<usize> {
    let Some(rows) = &column.rows else { return Some(row as usize).filter(|&row| row < column.len()) };
    while *rows.get(*at)? < row {
        *at += 1;
    }
    (rows[*at] == row).then_some(*at)
}
