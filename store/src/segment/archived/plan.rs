//! Decides which columns the archive's copy of a segment has: those of its table, and what else only the segment has.

use std::sync::Arc;

use parquet::{
    basic::{LogicalType, Repetition, TimeUnit},
    errors::ParquetError,
    schema::types::{Type, TypePtr},
};

use super::columns::{Origin, TableColumn, table_columns};
use crate::{
    ask::span::Place,
    columns::{ColumnSpec, Kind, Nature, Packing, map_type},
    segment::{
        Segment,
        attributes::ValueKind,
        manifest::ResidualKeys,
        schema::{ITEM_PREFIX, NANOS_PREFIX, OWN_PREFIX, RESOURCE_PREFIX, leaf_type, lines},
    },
};

/// How a column of the file is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Making {
    /// The segment's column, byte for byte.
    Carried(usize),
    /// The segment's column, encoded anew in this form.
    Encoded(usize),
    /// Unix ns as µs.
    Micros(usize),
    /// Numbers as words.
    Words(usize, &'static [&'static str]),
    /// Bodies put together.
    Bodies,
    /// Values of a key and type in the residual of a place.
    Residual(usize, &'static str, ValueKind),
    /// What else there is at a place: two columns.
    Others(Place),
}

/// A column of the file.
#[derive(Debug, Clone)]
pub(super) struct Output {
    /// What its values are, and how they are stored.
    pub(super) spec: ColumnSpec,
    /// Where they come from.
    pub(super) making: Making,
}

/// What of a place's attributes goes to its map.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// Columns with their keys.
    pub(super) columns: Vec<(usize, String)>,
    /// The residual.
    pub(super) residual: usize,
    /// Keys of the residual whose first value of a type has a column in the table.
    pub(super) taken: Vec<(String, ValueKind)>,
}

/// The columns of the file.
#[derive(Debug)]
pub(super) struct Plan {
    /// In the file's order.
    pub(super) outputs: Vec<Output>,
    /// Names in the file, and what those columns are called in a segment.
    pub(super) names: Vec<(String, String)>,
    /// Of spans or lines.
    pub(super) of_items: Others,
    /// Of resources.
    pub(super) of_resources: Others,
}

impl Plan {
    /// Of a segment's copy.
    pub(super) fn of(segment: &Segment) -> Self {
        let table = segment.table();
        let of_items = Others { residual: table.attributes_other, ..Others::default() };
        let of_resources = Others { residual: table.resource_other, ..Others::default() };
        let mut plan = Self { outputs: Vec::new(), names: Vec::new(), of_items, of_resources };
        for column in table_columns(table.signal) {
            plan.add(segment, &column);
        }
        for (number, spec) in segment.specs().iter().enumerate() {
            plan.add_own(segment, number, spec);
        }
        plan
    }

    /// Of a place.
    pub(super) fn others(&self, place: Place) -> &Others {
        if place == Place::Resource { &self.of_resources } else { &self.of_items }
    }

    fn add(&mut self, segment: &Segment, column: &TableColumn) {
        let name = column.name;
        match column.origin {
            Origin::Nowhere => {}
            Origin::Fixed(number) => self.share(segment, number, name),
            Origin::Body if segment.has_templates() => self.make(name, Kind::Text, false, Making::Bodies),
            Origin::Body => self.share(segment, lines::BODY, name),
            Origin::Micros(number) => {
                let required = segment.specs()[number].required;
                self.make(name, Kind::Time, required, Making::Micros(number));
            }
            Origin::Word(number, words) => self.make(name, Kind::Text, true, Making::Words(number, words)),
            Origin::Others(place) => self.make(name, Kind::Json, true, Making::Others(place)),
            Origin::Attribute(place, key) => self.add_attribute(segment, column, place, key),
        }
    }

    fn make(&mut self, name: &str, kind: Kind, required: bool, making: Making) {
        let spec = ColumnSpec { name: name.to_owned(), kind, required, packing: Packing::None, nature: Nature::Plain };
        self.outputs.push(Output { spec, making });
    }

    /// A column that is the table's and the segment's.
    fn share(&mut self, segment: &Segment, number: usize, name: &str) {
        let of_segment = &segment.specs()[number];
        let is_id = matches!(of_segment.kind, Kind::Id8 | Kind::Id16);
        let packing = if is_id { Packing::IdAsHex } else { of_segment.packing };
        let is_there = segment.number_in_file(number).is_some();
        // DuckDB reads split bytes of floats only.
        let is_split = of_segment.nature == Nature::Scattered;
        // Others know texts only as texts.
        let is_packed = segment.is_shared(number) && packing != Packing::None;
        let packing = if is_packed { Packing::None } else { packing };
        let is_anew = is_id || is_split || is_packed || !is_there;
        let making = if is_anew { Making::Encoded(number) } else { Making::Carried(number) };
        let nature = if is_split { Nature::Plain } else { of_segment.nature };
        self.names.push((name.to_owned(), of_segment.name.clone()));
        let spec = ColumnSpec { name: name.to_owned(), packing, nature, ..of_segment.clone() };
        self.outputs.push(Output { spec, making });
    }

    fn add_attribute(&mut self, segment: &Segment, column: &TableColumn, place: Place, key: &'static str) {
        let Some(kind) = column.kind.value_kind() else { return };
        let (prefix, keys) = match place {
            Place::Resource => (RESOURCE_PREFIX, &segment.manifest.resource_other),
            _ => (ITEM_PREFIX, &segment.manifest.attributes_other),
        };
        let own = segment.columns.get(&format!("{prefix}{key}")).copied();
        if let Some(number) = own.filter(|&number| kind.column_kind() == Some(segment.specs()[number].kind)) {
            self.share(segment, number, column.name);
            return;
        }
        if !may_have(keys, key, kind) {
            return;
        }
        let others = if place == Place::Resource { &mut self.of_resources } else { &mut self.of_items };
        others.taken.push((key.to_owned(), kind));
        let residual = others.residual;
        let of_column = kind.column_kind().expect("types of columns have a kind");
        self.make(column.name, of_column, false, Making::Residual(residual, key, kind));
    }

    /// What is in the segment and was not shared.
    fn add_own(&mut self, segment: &Segment, number: usize, spec: &ColumnSpec) {
        let is_shared = self
            .outputs
            .iter()
            .any(|output| matches!(output.making, Making::Carried(other) | Making::Encoded(other) if other == number));
        if let Some(key) = spec.name.strip_prefix(ITEM_PREFIX).filter(|_| !is_shared && segment.is_shared(number)) {
            self.of_items.columns.push((number, key.to_owned()));
            return;
        }
        // Fields that are columns of ids are found by the manifest.
        if is_shared || segment.number_in_file(number).is_none() || segment.is_id_as_field(number) {
            return;
        }
        if let Some(key) = spec.name.strip_prefix(ITEM_PREFIX) {
            self.of_items.columns.push((number, key.to_owned()));
        } else if let Some(key) = spec.name.strip_prefix(RESOURCE_PREFIX) {
            self.of_resources.columns.push((number, key.to_owned()));
        }
        let prefix = if spec.packing == Packing::Time(9) { NANOS_PREFIX } else { OWN_PREFIX };
        let name = format!("{prefix}{}", spec.name);
        self.names.push((name.clone(), spec.name.clone()));
        let spec = ColumnSpec { name, ..spec.clone() };
        self.outputs.push(Output { spec, making: Making::Carried(number) });
    }

    /// Parquet's schema.
    pub(super) fn schema(&self, row: &str) -> Result<TypePtr, ParquetError> {
        let fields = self.outputs.iter().map(Output::parquet_type).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Type::group_type_builder(row).with_fields(fields).build()?))
    }
}

impl Output {
    fn parquet_type(&self) -> Result<TypePtr, ParquetError> {
        match self.making {
            Making::Others(_) => map_type(&self.spec.name),
            Making::Micros(_) => {
                let repetition = if self.spec.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
                let leaf = Type::primitive_type_builder(&self.spec.name, self.spec.physical());
                let micros = LogicalType::timestamp(true, TimeUnit::MICROS);
                Ok(Arc::new(leaf.with_repetition(repetition).with_logical_type(Some(micros)).build()?))
            }
            // Nanoseconds are plain numbers: Spark refuses a file with a TIMESTAMP(NANOS).
            _ if self.spec.kind == Kind::Time || self.spec.packing == Packing::Time(9) => {
                leaf_type(&ColumnSpec { kind: Kind::Int64, packing: Packing::None, ..self.spec.clone() })
            }
            // JSON is text in the table: Polars takes a column that says JSON for bytes, and refuses the file.
            _ if self.spec.kind == Kind::Json && !self.spec.name.starts_with(OWN_PREFIX) => {
                leaf_type(&ColumnSpec { kind: Kind::Text, ..self.spec.clone() })
            }
            _ => leaf_type(&self.spec),
        }
    }
}

fn may_have(keys: &ResidualKeys, key: &str, kind: ValueKind) -> bool {
    keys.cut || keys.keys.iter().any(|listed| listed.key == key && listed.kind == kind.name())
}
