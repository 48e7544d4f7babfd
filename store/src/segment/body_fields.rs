//! What a segment tells of the fields of bodies that are JSON objects, and which of them get columns.
//!
//! A body that has a template has each of its fields in a column (the template's marks stand for them), and no text. A body that is kept as
//! text has its fields in these columns, too, where a column is not *partial*; else they are read from the text. So a field's column and, where it
//! is partial, the texts tell of every row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::{BODY_PREFIX, KEY_BYTES_MAX};
use crate::columns::{ColumnSpec, Kind, Nature, Packing};

/// Most names that are told apart in a segment; with more, any name may be in a body.
pub(super) const NAMES_MAX: usize = 4096;

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
    /// Which tokens the filter over the bodies has: [`super::body_tokens::Tokens`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) tokens: u32,
}

/// A field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BodyField {
    /// Its name.
    pub(super) name: String,
    /// Rows that have it.
    pub(super) rows: u64,
    /// Different texts among them, or more; 0 for numbers and booleans.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) different: u64,
    /// Whether it has a column.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) column: bool,
    /// Whether it has none of its own, but is this other column wherever that has a value, and nowhere else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) same_as: Option<IdColumn>,
    /// Whether bodies that are kept as text may have it, without a value in the column.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) partial: bool,
    /// Whether templates have it: then it has a column.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) templated: bool,
}

/// A column of ids, whose hex digits a field may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdColumn {
    /// The row's trace.
    TraceId,
    /// The row's span.
    SpanId,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl BodyFields {
    /// None yet, in a segment as they are written today.
    pub(super) fn today() -> Self {
        Self { tokens: 1, ..Self::default() }
    }

    /// The field of a name.
    pub(super) fn named(&self, name: &str) -> Option<&BodyField> {
        let at = self.fields.binary_search_by(|field| field.name.as_str().cmp(name)).ok()?;
        Some(&self.fields[at])
    }

    /// Whether only this version and later ones find all fields.
    pub(super) fn needs_templates(&self) -> bool {
        self.tokens > 0 || self.fields.iter().any(|field| field.templated || field.same_as.is_some())
    }
}

impl BodyField {
    /// Whether a column is worth its space: the bodies do not come back without it, or hardly any says something else there than others,
    /// or it is a number, or there are few of them.
    fn is_worth(&self, rows: u64) -> bool {
        let is_usual = self.rows * if self.templated { 1000 } else { 100 } > rows;
        let is_small = self.rows <= FEW_ROWS || self.different * 4 <= self.rows || self.same_as.is_some();
        self.name.len() <= KEY_BYTES_MAX && is_usual && (self.templated || is_small)
    }
}

/// Which fields get columns: those worth it, the most frequent ones first.
pub(super) fn choose(fields: &mut [BodyField], rows: u64) {
    for field in fields.iter_mut() {
        field.column &= field.is_worth(rows);
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
    for field in fields.iter_mut().filter(|field| !field.column) {
        (field.templated, field.same_as) = (false, None);
    }
}

/// The column of a field.
pub(super) fn spec(name: &str, kind: Kind, packing: Packing) -> ColumnSpec {
    ColumnSpec { name: format!("{BODY_PREFIX}{name}"), kind, required: false, packing, nature: Nature::Field }
}

/// The fields of several segments, merged into one of `rows` rows, and the specs of the columns that it gets: fields that templates have, and those
/// of which every input that has them has a column. `held_as` tells how an input's column of a name is held.
pub(super) fn merged(
    inputs: &[Option<&BodyFields>],
    rows: u64,
    held_as: impl Fn(usize, &str) -> Option<(Kind, Packing)>,
    has_ids: impl Fn(usize, IdColumn) -> bool,
) -> (Option<BodyFields>, Vec<ColumnSpec>) {
    // One of before there were fields may have any.
    let unknown = BodyFields { cut: true, ..BodyFields::default() };
    let is_any_templated = inputs.iter().flatten().any(|fields| fields.needs_templates());
    if !is_any_templated && inputs.iter().any(Option::is_none) {
        return (None, Vec::new());
    }
    let known: Vec<&BodyFields> = inputs.iter().map(|fields| fields.unwrap_or(&unknown)).collect();
    let cut = known.iter().any(|fields| fields.cut);
    let mut found: BTreeMap<&str, BodyField> = BTreeMap::new();
    let mut held: BTreeMap<&str, (Kind, Packing)> = BTreeMap::new();
    for (number, fields) in known.iter().enumerate() {
        for field in &fields.fields {
            let name = field.name.as_str();
            let holds = held_as(number, name).filter(|_| field.column);
            let first =
                BodyField { column: true, name: name.to_owned(), same_as: field.same_as, ..BodyField::default() };
            let total = found.entry(name).or_insert(first);
            total.rows += field.rows;
            total.different += field.different;
            total.templated |= field.templated;
            total.partial |= field.partial || holds.is_none();
            total.same_as = total.same_as.filter(|same| field.same_as == Some(*same));
            if let Some(holds) = holds {
                held.entry(name).and_modify(|known| *known = common(*known, holds)).or_insert(holds);
            }
        }
    }
    for (name, total) in &mut found {
        for (number, fields) in known.iter().enumerate().filter(|(_, fields)| fields.named(name).is_none()) {
            // A field that an input does not list may be in its bodies all the same, when its list is cut.
            total.partial |= fields.cut;
            // Its rows have the ids, and not the field.
            total.same_as = total.same_as.filter(|&same| !has_ids(number, same));
        }
        total.column = held.contains_key(name) && (total.templated || !total.partial);
        total.partial &= total.column;
    }
    let mut listed: Vec<BodyField> = found.into_values().collect();
    choose(&mut listed, rows);
    let cut = cut || listed.len() > NAMES_MAX;
    let chosen = listed.iter().filter(|field| field.column && field.same_as.is_none());
    let specs = chosen.map(|field| {
        let (kind, packing) = held[field.name.as_str()];
        spec(&field.name, kind, packing)
    });
    let specs = specs.collect();
    if listed.len() > NAMES_MAX {
        // Those with columns stay listed: only what is listed is looked for in them.
        listed.sort_by_key(|field| (!field.column, std::cmp::Reverse(field.rows)));
        listed.truncate(NAMES_MAX);
        listed.sort_by(|a, b| a.name.cmp(&b.name));
    }
    (Some(BodyFields { fields: listed, cut, ..BodyFields::today() }), specs)
}

/// What holds values of both.
fn common(a: (Kind, Packing), b: (Kind, Packing)) -> (Kind, Packing) {
    if a == b { a } else { (if a.0 == b.0 { a.0 } else { Kind::Text }, Packing::None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_columns_are_whole_or_none() {
        let fields = |rows: &[(&str, u64, bool)], cut| BodyFields {
            fields: rows
                .iter()
                .map(|&(name, rows, column)| BodyField { name: name.into(), rows, column, ..BodyField::default() })
                .collect(),
            cut,
            tokens: 0,
        };
        let a = fields(&[("both", 10, true), ("half", 10, true), ("mixed", 10, true), ("only", 10, true)], false);
        let b = fields(&[("both", 10, true), ("half", 10, false), ("mixed", 10, true)], false);
        let held_as = |number: usize, name: &str| {
            Some((if name == "mixed" && number == 1 { Kind::Double } else { Kind::Int64 }, Packing::None))
        };
        let has_ids = |_: usize, _| false;
        let names = |specs: &[ColumnSpec]| {
            specs.iter().map(|spec| format!("{} {:?}", spec.name, spec.kind)).collect::<Vec<_>>()
        };
        let (listed, specs) = merged(&[Some(&a), Some(&b)], 20, held_as, has_ids);
        assert_eq!(names(&specs), ["body.both Int64", "body.mixed Text", "body.only Int64"]);
        assert_eq!(listed.expect("known").named("half").map(|field| (field.rows, field.column)), Some((20, false)));
        let cut = fields(&[("both", 10, true)], true);
        let (listed, specs) = merged(&[Some(&a), Some(&cut)], 20, held_as, has_ids);
        assert_eq!(names(&specs), ["body.both Int64"]);
        assert!(listed.expect("known").cut);
        assert_eq!(merged(&[Some(&a), None], 20, held_as, has_ids), (None, Vec::new()));
    }

    #[test]
    fn fields_of_templates_keep_their_columns() {
        let field = |name: &str, same_as| BodyField {
            name: name.into(),
            rows: 10,
            different: 10,
            column: true,
            templated: true,
            same_as,
            partial: false,
        };
        let (trace, span) = (Some(IdColumn::TraceId), Some(IdColumn::SpanId));
        let a = BodyFields {
            fields: vec![field("id", None), field("span_id", span), field("trace_id", trace)],
            ..BodyFields::today()
        };
        let earlier = BodyField { column: false, templated: false, ..field("id", None) };
        let b = BodyFields { fields: vec![earlier], ..BodyFields::default() };
        // The second has spans, and no field that would be them.
        let has_ids = |number: usize, id| number == 1 && id == IdColumn::SpanId;
        let held_as = |number: usize, name: &str| {
            let packing = if name == "id" { Packing::Uuid } else { Packing::Hex8 };
            (number == 0).then_some((Kind::Text, packing))
        };
        let (listed, specs) = merged(&[Some(&a), Some(&b)], 20, held_as, has_ids);
        let shown: Vec<_> = specs.iter().map(|spec| (spec.name.as_str(), spec.packing)).collect();
        assert_eq!(shown, [("body.id", Packing::Uuid), ("body.span_id", Packing::Hex8)]);
        let listed = listed.expect("known");
        let told = |name: &str| listed.named(name).map(|field| (field.column, field.partial, field.same_as));
        assert_eq!(told("id"), Some((true, true, None)));
        assert_eq!(told("span_id"), Some((true, false, None)));
        assert_eq!(told("trace_id"), Some((true, false, trace)));
        let (listed, _) = merged(&[Some(&a), None], 20, held_as, has_ids);
        assert!(listed.expect("as if it had any").named("id").is_some_and(|field| field.column && field.partial));
    }
}
