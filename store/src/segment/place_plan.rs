//! Decides which attributes get columns of their own when segments are merged.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Segment,
    attributes::ValueKind,
    manifest::{ResidualKey, ResidualKeys},
    moves::Moves,
    promotion::{TypedKey, choose, residual_keys},
    schema::ITEM_PREFIX,
    write::attribute_spec,
};
use crate::columns::ColumnSpec;

/// The attributes of spans, or of resources.
pub(super) struct PlacePlan {
    pub(super) prefix: &'static str,
    pub(super) residual: usize,
    /// How often each key has each type, over all inputs.
    pub(super) counts: BTreeMap<TypedKey, u64>,
    pub(super) chosen: Vec<TypedKey>,
    /// Values of chosen keys that stayed in residuals.
    pub(super) kept: BTreeMap<TypedKey, u64>,
    pub(super) cut: bool,
}

impl PlacePlan {
    /// Of all inputs.
    pub(super) fn new(prefix: &'static str, residual: usize, inputs: &[Arc<Segment>], rows: u64) -> Self {
        let mut counts = BTreeMap::new();
        let mut cut = false;
        for input in inputs {
            for (number, spec) in input.specs().iter().enumerate().skip(input.table().len()) {
                if let Some(key) = typed_key(prefix, spec) {
                    *counts.entry(key).or_default() += input.value_count(number);
                }
            }
            let residual = residual_of(input, prefix);
            cut |= residual.cut;
            for key in &residual.keys {
                if let Some(kind) = ValueKind::ALL.into_iter().find(|kind| kind.name() == key.kind) {
                    *counts.entry((key.key.clone().into_bytes(), kind)).or_default() += key.count;
                }
            }
        }
        let chosen = choose(&counts, rows);
        Self { prefix, residual, counts, chosen, kept: BTreeMap::new(), cut }
    }

    /// What one input must move.
    pub(super) fn moves(&self, input: &Segment) -> Option<Moves> {
        let column_of = |key: &TypedKey| -> Option<usize> {
            let spec = attribute_spec(self.prefix, &key.0, key.1);
            input.columns.get(&spec.name).copied().filter(|&number| input.specs()[number].kind == spec.kind)
        };
        let mut demoted = Vec::new();
        for (number, spec) in input.specs().iter().enumerate().skip(input.table().len()) {
            if let Some(key) = typed_key(self.prefix, spec)
                && self.chosen.binary_search(&key).is_err()
            {
                demoted.push((key, number));
            }
        }
        let residual = residual_of(input, self.prefix);
        let is_listed = |key: &TypedKey| {
            residual.cut || residual.keys.iter().any(|r| r.key.as_bytes() == key.0 && r.kind == key.1.name())
        };
        let promoted: HashMap<_, _> =
            self.chosen.iter().filter(|key| is_listed(key)).map(|key| (key.clone(), column_of(key))).collect();
        if demoted.is_empty() && promoted.is_empty() {
            return None;
        }
        Some(Moves { promoted, demoted, residual: self.residual })
    }

    /// The keys left in the residual of the output.
    pub(super) fn residual_keys(&self) -> ResidualKeys {
        let others = self.counts.iter().filter(|(key, _)| self.chosen.binary_search(key).is_err());
        let keys = others.chain(&self.kept).map(|((key, kind), &count)| ResidualKey {
            key: String::from_utf8_lossy(key).into_owned(),
            kind: kind.name().to_owned(),
            count,
        });
        residual_keys(keys.filter(|key| key.count > 0).collect(), self.cut)
    }
}

fn residual_of<'a>(input: &'a Segment, prefix: &str) -> &'a ResidualKeys {
    if prefix == ITEM_PREFIX { &input.manifest.attributes_other } else { &input.manifest.resource_other }
}

/// The key and type of a promoted column.
fn typed_key(prefix: &str, spec: &ColumnSpec) -> Option<TypedKey> {
    let key = spec.name.strip_prefix(prefix)?;
    let kind = ValueKind::ALL.into_iter().find(|kind| kind.column_kind() == Some(spec.kind))?;
    Some((key.as_bytes().to_vec(), kind))
}
