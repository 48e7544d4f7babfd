//! The resources of rows: rows that are equal in their columns make a class, which is written once.

use super::{
    attribute,
    classes::{Classes, position},
    entries::{write_json, write_sorted},
    gather::{self, ChosenRows},
};
use crate::columns::Column;
use crate::segment::{SegmentError, chunk_reader::ChunkReader, json_entry, schema::RESOURCE_PREFIX};

/// The attributes of the rows' resources as JSON objects sorted by key. There are few resources: each is written once.
pub(super) fn read(reader: &ChunkReader<'_>, group: usize, rows: &ChosenRows) -> Result<Column, SegmentError> {
    let mut classes = Classes::new(rows.len());
    let residual = reader.table.resource_other;
    let mut columns = Vec::new();
    for (number, spec) in reader.specs.iter().enumerate() {
        let is_own = number >= reader.table.len() && spec.name.starts_with(RESOURCE_PREFIX);
        if (is_own || number == residual) && !reader.is_empty(group, number) {
            let column = gather::read(reader, group, number, rows)?;
            classes.split(&column);
            columns.push((number, column));
        }
    }
    let mut texts: Vec<Vec<u8>> = Vec::with_capacity(classes.firsts().len());
    for &row in classes.firsts() {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (number, column) in &columns {
            let Some(at) = position(column, row) else { continue };
            let spec = &reader.specs[*number];
            if *number != residual {
                let mut text = Vec::new();
                write_json(spec.kind, column, at, &mut text);
                entries.push((attribute::quoted(spec.name.strip_prefix(RESOURCE_PREFIX).unwrap_or_default()), text));
                continue;
            }
            let all = |key: &[u8], value: &[u8]| {
                entries.push((key.to_vec(), value.to_vec()));
                true
            };
            json_entry::for_each(column.bytes(at), all)
                .map_err(|error| SegmentError::damaged(format!("row group {group}, column {}: {error}", spec.name)))?;
        }
        let mut text = Vec::new();
        texts.push(if write_sorted(&mut entries, &mut text) { text } else { Vec::new() });
    }
    Ok(classes.column(&texts))
}
