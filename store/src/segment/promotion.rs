//! Decides which attributes get columns of their own, and writes the others as JSON, one object a row.

use std::collections::BTreeMap;

use super::{
    attributes::{AttributeColumns, ValueKind},
    json,
    manifest::{RESIDUAL_KEYS_MAX, ResidualKey, ResidualKeys},
    schema::{PROMOTED_MAX, is_promoted},
};
use crate::columns::Column;

/// A key with one of its types.
pub(super) type TypedKey = (Vec<u8>, ValueKind);

/// What became of a table's attributes.
#[derive(Debug)]
pub(super) struct Promotion {
    /// Columns of the table that become columns of the file: their number, and the values where a row had several (the first stays).
    pub(super) promoted: Vec<(usize, Option<Column>)>,
    /// The others, as JSON text.
    pub(super) residual: Column,
    /// Their keys.
    pub(super) keys: ResidualKeys,
}

/// From how often each key has each type, the ones that get columns: of a key the most frequent type, of all the most frequent
/// keys.
pub(super) fn choose(counts: &BTreeMap<TypedKey, u64>, rows: u64) -> Vec<TypedKey> {
    let mut best: BTreeMap<&[u8], (u64, ValueKind)> = BTreeMap::new();
    for ((key, kind), &count) in counts {
        if kind.column_kind().is_none() {
            continue;
        }
        let entry = best.entry(key).or_insert((count, *kind));
        if count > entry.0 {
            *entry = (count, *kind);
        }
    }
    let mut chosen: Vec<_> = best.into_iter().filter(|(key, (count, _))| is_promoted(key, *count, rows)).collect();
    chosen.sort_by_key(|&(key, (count, _))| (std::cmp::Reverse(count), key));
    chosen.truncate(PROMOTED_MAX);
    chosen.sort();
    chosen.into_iter().map(|(key, (_, kind))| (key.to_vec(), kind)).collect()
}

impl Promotion {
    /// Decides for a table. `weights` are the rows that each of its rows stands for (one, when there are none given).
    pub(super) fn of(table: &AttributeColumns<'_>, rows: u64, weights: Option<&[u64]>) -> Self {
        let weight = |row: u32| weights.map_or(1, |weights| weights[row as usize]);
        let mut counts = BTreeMap::new();
        let mut number_of = BTreeMap::new();
        for (number, column) in table.columns.iter().enumerate() {
            let count = match weights {
                None => column.column.len() as u64,
                Some(_) => (0..column.column.len()).map(|position| weight(column.column.row(position))).sum(),
            };
            counts.insert((column.key.to_vec(), column.kind), count);
            number_of.insert((column.key.to_vec(), column.kind), number);
        }
        let mut residual = Residual::default();
        let mut is_chosen = vec![false; table.columns.len()];
        let mut promoted = Vec::new();
        for key in choose(&counts, rows) {
            let number = number_of[&key];
            is_chosen[number] = true;
            promoted.push((number, residual.take_repeats(table, number)));
        }
        for (number, column) in table.columns.iter().enumerate() {
            if !is_chosen[number] {
                let column = &column.column;
                residual.entries.extend((0..column.len()).map(|at| (column.row(at), number as u32, at as u32)));
            }
        }
        let keys = residual.keys(table, &weight);
        Self { promoted, residual: residual.write(table), keys }
    }
}

/// Values that have no column: row, column of the table, position in it.
#[derive(Debug, Default)]
struct Residual {
    entries: Vec<(u32, u32, u32)>,
}

impl Residual {
    /// Moves all but the first value of each row here; returns the column without them, if there were any.
    fn take_repeats(&mut self, table: &AttributeColumns<'_>, number: usize) -> Option<Column> {
        let column = &table.columns[number].column;
        let rows = column.rows.as_ref().expect("attributes are on some rows");
        if rows.windows(2).all(|pair| pair[0] != pair[1]) {
            return None;
        }
        let mut firsts = match table.columns[number].kind {
            ValueKind::Text | ValueKind::Json => Column::sparse_bytes(),
            _ => Column::sparse_words(),
        };
        for at in 0..rows.len() {
            if at > 0 && rows[at] == rows[at - 1] {
                self.entries.push((rows[at], number as u32, at as u32));
            } else if matches!(table.columns[number].kind, ValueKind::Text | ValueKind::Json) {
                firsts.push_bytes(rows[at], column.bytes(at));
            } else {
                firsts.push_word(rows[at], column.word(at));
            }
        }
        Some(firsts)
    }

    fn keys(&self, table: &AttributeColumns<'_>, weight: &impl Fn(u32) -> u64) -> ResidualKeys {
        let mut counts = vec![0u64; table.columns.len()];
        for &(row, number, _) in &self.entries {
            counts[number as usize] += weight(row);
        }
        let counted = table.columns.iter().zip(counts).filter(|&(_, count)| count > 0);
        let keys = counted.map(|(column, count)| ResidualKey {
            key: String::from_utf8_lossy(&column.key).into_owned(),
            kind: column.kind.name().to_owned(),
            count,
        });
        residual_keys(keys.collect(), table.overflow.len() > 0)
    }

    fn write(mut self, table: &AttributeColumns<'_>) -> Column {
        const OVERFLOW: u32 = u32::MAX;
        let overflow = &table.overflow;
        self.entries.extend((0..overflow.len()).map(|at| (overflow.row(at), OVERFLOW, at as u32)));
        self.entries.sort_unstable();
        let mut column = Column::sparse_bytes();
        let mut text = Vec::new();
        for (index, &(row, number, at)) in self.entries.iter().enumerate() {
            text.push(if text.is_empty() { b'{' } else { b',' });
            if number == OVERFLOW {
                text.extend_from_slice(overflow.bytes(at as usize));
            } else {
                let from = &table.columns[number as usize];
                write_entry(&from.key, from.kind, &from.column, at as usize, &mut text);
            }
            if self.entries.get(index + 1).is_none_or(|next| next.0 != row) {
                text.push(b'}');
                column.push_bytes(row, &text);
                text.clear();
            }
        }
        column
    }
}

/// Sorts and bounds a residual's keys.
pub(super) fn residual_keys(mut keys: Vec<ResidualKey>, cut: bool) -> ResidualKeys {
    keys.sort();
    let cut = cut || keys.len() > RESIDUAL_KEYS_MAX;
    keys.truncate(RESIDUAL_KEYS_MAX);
    ResidualKeys { keys, cut }
}

/// Appends `"key":value`.
pub(super) fn write_entry(key: &[u8], kind: ValueKind, column: &Column, at: usize, out: &mut Vec<u8>) {
    json::write_text(key, out);
    out.push(b':');
    match kind {
        ValueKind::Text => json::write_text(column.bytes(at), out),
        ValueKind::Json => out.extend_from_slice(column.bytes(at)),
        ValueKind::Bool => json::write_bool(column.word(at) != 0, out),
        ValueKind::Int => json::write_display(&(column.word(at) as i64), out),
        ValueKind::Double => json::write_double(f64::from_bits(column.word(at)), out),
        ValueKind::Empty => out.extend_from_slice(b"null"),
    }
}
