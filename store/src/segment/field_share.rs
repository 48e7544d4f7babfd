//! Attributes that say on every row what a field of the bodies says: they have no column, but are the field's.
//!
//! So it is with lines of JSON that `json_parser` took apart: what it found is in the attributes, and the line is the body.

use super::{
    body_fields::{BodyFields, IdColumn},
    field_column::RowIds,
    schema::{BODY_PREFIX, ITEM_PREFIX},
};
use crate::columns::{Column, ColumnSpec, Kind, Packing, Values};

/// The keys of the attributes that are so, sorted; `column_of` knows the values of a column of the file, where they are at hand.
pub(super) fn shared<'c>(
    specs: &[ColumnSpec],
    column_of: impl Fn(usize) -> Option<&'c Column>,
    bodies: &BodyFields,
    ids: &RowIds<'_>,
) -> Vec<String> {
    let mut keys = Vec::new();
    for (number, spec) in specs.iter().enumerate() {
        let Some(key) = spec.name.strip_prefix(ITEM_PREFIX) else { continue };
        let Some(field) = bodies.named(key) else { continue };
        let Some(values) = column_of(number) else { continue };
        let is_it = |of_field: &ColumnSpec| of_field.name.strip_prefix(BODY_PREFIX) == Some(key);
        let is_shared = match (field.same_as, specs.iter().position(is_it)) {
            (Some(id), _) => spec.kind == Kind::Text && are_ids(values, id, ids),
            (None, Some(at)) => {
                specs[at].kind == spec.kind && column_of(at).is_some_and(|fields| are_same(values, fields))
            }
            (None, None) => false,
        };
        if is_shared {
            keys.push(key.to_owned());
        }
    }
    keys.sort_unstable();
    keys
}

fn are_same(a: &Column, b: &Column) -> bool {
    if a.rows != b.rows || a.len() != b.len() {
        return false;
    }
    match (&a.values, &b.values) {
        (Values::Words(a), Values::Words(b)) => a == b,
        (Values::Bytes { .. }, Values::Bytes { .. }) => (0..a.len()).all(|at| a.bytes(at) == b.bytes(at)),
        _ => false,
    }
}

/// Whether texts are the hex digits of a column of ids.
fn are_ids(texts: &Column, id: IdColumn, ids: &RowIds<'_>) -> bool {
    let (column, packing) = match id {
        IdColumn::TraceId => (ids.traces, Packing::Hex16),
        IdColumn::SpanId => (ids.spans, Packing::Hex8),
    };
    if texts.rows != column.rows || texts.len() != column.len() {
        return false;
    }
    let mut hex = Vec::new();
    (0..texts.len()).all(|at| {
        hex.clear();
        match &column.values {
            Values::Bytes { .. } => packing.unpack(column.bytes(at), &mut hex),
            Values::Words(words) => packing.unpack(&words[at].to_le_bytes(), &mut hex),
        }
        texts.bytes(at) == hex
    })
}
