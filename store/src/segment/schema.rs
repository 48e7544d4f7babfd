//! The columns of segments, a table for each signal: the fixed ones, and how attributes become columns of their own.

use std::{collections::HashMap, sync::Arc};

use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    schema::types::{ColumnDescriptor, SchemaDescriptor, Type, TypePtr},
};
use weir_proto::Signal;

use super::{
    body_fields::{self, BodyFields, IdColumn},
    manifest::ArchivedAs,
};
use crate::columns::{ColumnSpec, Kind, Nature, Packing};

/// What rows have in a file that was written before there was such a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// There is no such file.
    Never,
    /// Nothing: the column is optional.
    Null,
    /// This number; of a double, its bits.
    Word(u64),
    /// An empty text.
    Empty,
}

/// Where a column's values come from when a segment is made of journalled items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The item: the builder has such a column.
    Item,
    /// The item, where it is not what rows of files without the column have, as most are: the builder has the others only.
    UnusualItem,
    /// The item's attributes that have no columns of their own.
    Attributes,
    /// Its resource: the service.
    Service,
    /// Its resource: attributes that have no columns of their own.
    Resource,
    /// Its resource: the schema's URL.
    ResourceSchemaUrl,
    /// Its resource: how many attributes were dropped.
    ResourceDropped,
    /// Its scope: the name.
    ScopeName,
    /// Its scope: the version.
    ScopeVersion,
    /// Its scope: the schema's URL.
    ScopeSchemaUrl,
    /// Its scope: all attributes.
    ScopeAttributes,
    /// Its scope: how many attributes were dropped.
    ScopeDropped,
}

/// A signal's table: its fixed columns, in the order in which files are written, and what everything else asks of them.
#[derive(Debug)]
pub(super) struct Table {
    /// Whose.
    pub(super) signal: Signal,
    /// The name of the file.
    pub(super) file: &'static str,
    /// What one row is called in the file's schema.
    pub(super) row: &'static str,
    /// Name, kind, and whether every row has a value.
    pub(super) specs: &'static [(&'static str, Kind, bool)],
    /// What rows have in files that were written without the column.
    pub(super) unwritten: &'static [Unwritten],
    /// Where a builder has the values from.
    pub(super) origins: &'static [Origin],
    /// The column of trace ids.
    pub(super) trace_id: usize,
    /// The column of a row's place in time.
    pub(super) time: usize,
    /// The column of attributes that have no columns of their own.
    pub(super) attributes_other: usize,
    /// The column of a resource's attributes that have no columns of their own.
    pub(super) resource_other: usize,
    /// Columns of which the manifest lists something.
    pub(super) listed: &'static [(usize, Listed)],
}

/// What the manifest lists of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// Its distinct values: it is that of services.
    Services,
    /// Keys of the attributes in lists of events; entries and names go into a bloom filter, too.
    EventKeys,
    /// Keys of the attributes in lists of links.
    LinkKeys,
    /// Nothing: words of its texts go into a bloom filter.
    Words,
}

impl Table {
    /// A signal's.
    pub(super) fn of(signal: Signal) -> &'static Self {
        match signal {
            Signal::Traces => &fixed::TABLE,
            Signal::Logs => &lines::TABLE,
            Signal::Metrics => unreachable!("samples have no table"),
        }
    }

    /// How many fixed columns there are; those of attributes come behind them.
    pub(super) fn len(&self) -> usize {
        self.specs.len()
    }

    /// The fixed columns' specs.
    pub(super) fn column_specs(&self) -> Vec<ColumnSpec> {
        let specs = self.specs.iter();
        specs
            .map(|&(name, kind, required)| ColumnSpec {
                name: name.into(),
                kind,
                required,
                packing: Packing::None,
                nature: nature_of(name),
            })
            .collect()
    }

    /// The number of the fixed column of this name.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|&(fixed, ..)| fixed == name)
    }

    /// The number that rows have in a fixed column that a file was written without.
    pub(super) fn unwritten_word(&self, column: usize) -> Option<u64> {
        match self.unwritten.get(column)? {
            Unwritten::Word(word) => Some(*word),
            _ => None,
        }
    }
}

/// A macro, so that a column is one row: its number, name, kind, what rows have in files without it, and where it comes from.
macro_rules! fixed_columns {
    ($($constant:ident, $name:literal, $kind:ident, $unwritten:expr, $origin:expr;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code, reason = "not every column is named elsewhere")]
        enum Order { $($constant),* }
        $(
            #[allow(dead_code, reason = "as above")]
            pub(in crate::segment) const $constant: usize = Order::$constant as usize;
        )*
        /// Name, kind, and whether every row has a value.
        pub(in crate::segment) const SPECS: &[(&str, Kind, bool)] =
            &[$(($name, Kind::$kind, !matches!($unwritten, Unwritten::Null))),*];
        pub(in crate::segment) const UNWRITTEN: &[Unwritten] = &[$($unwritten),*];
        const ORIGINS: &[Origin] = &[$($origin),*];
    };
}

/// The columns of `spans.parquet`.
pub(super) mod fixed {
    use weir_proto::Signal;

    use super::{Kind, Listed, Origin, Table, Unwritten};
    use Origin::{
        Attributes, Item, Resource, ResourceDropped, ResourceSchemaUrl, ScopeAttributes, ScopeDropped, ScopeName,
        ScopeSchemaUrl, ScopeVersion, Service, UnusualItem,
    };
    use Unwritten::{Empty, Never, Null, Word};

    fixed_columns! {
        TRACE_ID, "trace_id", Id16, Never, Item;
        SPAN_ID, "span_id", Id8, Never, Item;
        PARENT_SPAN_ID, "parent_span_id", Id8, Null, Item;
        START_TIME, "start_time", Time, Never, Item;
        DURATION, "duration_ns", Int64, Word(0), Item;
        END_TIME, "end_time", Time, Null, Item;
        SERVICE, "service", Text, Empty, Service;
        NAME, "name", Text, Empty, Item;
        KIND, "kind", Int32, Word(0), Item;
        STATUS_CODE, "status_code", Int32, Word(0), Item;
        STATUS_MESSAGE, "status_message", Text, Null, Item;
        TRACE_STATE, "trace_state", Text, Null, Item;
        FLAGS, "flags", Uint32, Word(0), Item;
        DEFECTS, "defects", Int32, Word(0), UnusualItem;
        // What nobody sampled stands for itself.
        ADJUSTED_COUNT, "adjusted_count", Double, Word(1f64.to_bits()), UnusualItem;
        DROPPED_ATTRIBUTES, "dropped_attributes_count", Uint32, Null, Item;
        DROPPED_EVENTS, "dropped_events_count", Uint32, Null, Item;
        DROPPED_LINKS, "dropped_links_count", Uint32, Null, Item;
        EVENTS, "events", Json, Null, Item;
        LINKS, "links", Json, Null, Item;
        ATTRIBUTES_OTHER, "attributes_other", Json, Null, Attributes;
        RESOURCE_OTHER, "resource_other", Json, Null, Resource;
        RESOURCE_SCHEMA_URL, "resource_schema_url", Text, Null, ResourceSchemaUrl;
        RESOURCE_DROPPED, "resource_dropped_attributes_count", Uint32, Null, ResourceDropped;
        SCOPE_NAME, "scope_name", Text, Null, ScopeName;
        SCOPE_VERSION, "scope_version", Text, Null, ScopeVersion;
        SCOPE_SCHEMA_URL, "scope_schema_url", Text, Null, ScopeSchemaUrl;
        SCOPE_ATTRIBUTES, "scope_attributes", Json, Null, ScopeAttributes;
        SCOPE_DROPPED, "scope_dropped_attributes_count", Uint32, Null, ScopeDropped;
    }

    pub(in crate::segment) static TABLE: Table = Table {
        signal: Signal::Traces,
        file: "spans.parquet",
        row: "span",
        specs: SPECS,
        unwritten: UNWRITTEN,
        origins: ORIGINS,
        trace_id: TRACE_ID,
        time: START_TIME,
        attributes_other: ATTRIBUTES_OTHER,
        resource_other: RESOURCE_OTHER,
        listed: &[(SERVICE, Listed::Services), (EVENTS, Listed::EventKeys), (LINKS, Listed::LinkKeys)],
    };
}

/// The columns of `logs.parquet`.
pub(super) mod lines {
    use weir_proto::Signal;

    use super::{Kind, Listed, Origin, Table, Unwritten};
    use Origin::{
        Attributes, Item, Resource, ResourceDropped, ResourceSchemaUrl, ScopeAttributes, ScopeDropped, ScopeName,
        ScopeSchemaUrl, ScopeVersion, Service, UnusualItem,
    };
    use Unwritten::{Empty, Never, Null, Word};

    fixed_columns! {
        TIME, "time", Time, Never, Item;
        OBSERVED_TIME, "observed_time", Time, Null, Item;
        TRACE_ID, "trace_id", Id16, Null, Item;
        SPAN_ID, "span_id", Id8, Null, Item;
        SEVERITY_NUMBER, "severity_number", Int32, Word(0), Item;
        SEVERITY_TEXT, "severity_text", Text, Null, Item;
        BODY, "body", Text, Null, Item;
        // Of a body that comes back from it and the columns of its fields, instead of the body.
        BODY_TEMPLATE, "body_template", Text, Null, Item;
        BODY_IS_JSON, "body_is_json", Bool, Word(0), UnusualItem;
        // Where in the body the text begins that is the attribute `message`, too.
        MESSAGE_AT, "message_at", Uint32, Null, Item;
        EVENT_NAME, "event_name", Text, Null, Item;
        SERVICE, "service", Text, Empty, Service;
        FLAGS, "flags", Uint32, Word(0), UnusualItem;
        DEFECTS, "defects", Int32, Word(0), UnusualItem;
        DROPPED_ATTRIBUTES, "dropped_attributes_count", Uint32, Null, Item;
        ATTRIBUTES_OTHER, "attributes_other", Json, Null, Attributes;
        RESOURCE_OTHER, "resource_other", Json, Null, Resource;
        RESOURCE_SCHEMA_URL, "resource_schema_url", Text, Null, ResourceSchemaUrl;
        RESOURCE_DROPPED, "resource_dropped_attributes_count", Uint32, Null, ResourceDropped;
        SCOPE_NAME, "scope_name", Text, Null, ScopeName;
        SCOPE_VERSION, "scope_version", Text, Null, ScopeVersion;
        SCOPE_SCHEMA_URL, "scope_schema_url", Text, Null, ScopeSchemaUrl;
        SCOPE_ATTRIBUTES, "scope_attributes", Json, Null, ScopeAttributes;
        SCOPE_DROPPED, "scope_dropped_attributes_count", Uint32, Null, ScopeDropped;
    }

    pub(in crate::segment) static TABLE: Table = Table {
        signal: Signal::Logs,
        file: "logs.parquet",
        row: "log",
        specs: SPECS,
        unwritten: UNWRITTEN,
        origins: ORIGINS,
        trace_id: TRACE_ID,
        time: TIME,
        attributes_other: ATTRIBUTES_OTHER,
        resource_other: RESOURCE_OTHER,
        listed: &[(SERVICE, Listed::Services), (BODY, Listed::Words)],
    };
}

/// Bit of a span's `defects`: it ended before it started; its duration is 0 and `end_time` holds the end as it came.
pub(super) const DEFECT_ENDS_BEFORE_START: u64 = 1;
/// Bit of a span's `defects`: the parent's id was not 8 bytes long; it is lost, and the span stands as a root.
pub(super) const DEFECT_PARENT_ID: u64 = 2;
/// Bit of `defects`: there was no end (0).
pub(super) const DEFECT_NO_END: u64 = 4;
/// Bit of `defects`: there was no start (0).
pub(super) const DEFECT_NO_START: u64 = 8;
/// Bit of `defects`: the start, the end or what is between them is beyond 2^63 ns: centuries.
pub(super) const DEFECT_BEYOND: u64 = 16;

/// Bit of a line's `defects`: it came without a time; `time` is when it was observed, or else when it was received.
pub(super) const DEFECT_NO_TIME: u64 = 1;
/// Bit of a line's `defects`: the trace's id was not 16 bytes long; it is lost.
pub(super) const DEFECT_TRACE_ID: u64 = 2;
/// Bit of a line's `defects`: the span's id was not 8 bytes long; it is lost.
pub(super) const DEFECT_SPAN_ID: u64 = 4;
/// Bit of a line's `defects`: the body begins as a JSON object and is none, or has too many fields: it is text.
pub(super) const DEFECT_BODY: u64 = 8;

/// Before the names of columns of the archive's files that are in no table.
pub(super) const OWN_PREFIX: &str = "_weir_";
/// The same of texts that are times of ns, stored as plain numbers.
pub(super) const NANOS_PREFIX: &str = "_weir_nanos_";

/// Before the key of an item's attribute.
pub(super) const ITEM_PREFIX: &str = "attributes.";
/// Before a resource attribute's key.
pub(super) const RESOURCE_PREFIX: &str = "resource.";
/// Before the name of a field of bodies that are JSON objects.
pub(super) const BODY_PREFIX: &str = "body.";

/// Parquet's schema for these columns.
pub(super) fn parquet_schema(row: &str, specs: &[ColumnSpec]) -> Result<TypePtr, parquet::errors::ParquetError> {
    let fields = specs.iter().map(leaf_type).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder(row).with_fields(fields).build()?))
}

/// Parquet's type of a column.
pub(super) fn leaf_type(spec: &ColumnSpec) -> Result<TypePtr, parquet::errors::ParquetError> {
    let logical = match spec.kind {
        _ if spec.packing != Packing::None => packed_type(spec.packing),
        Kind::Text => Some(LogicalType::String),
        Kind::Json => Some(LogicalType::Json),
        Kind::Uint32 => Some(LogicalType::integer(32, false)),
        Kind::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        _ => None,
    };
    let mut builder = Type::primitive_type_builder(&spec.name, spec.physical())
        .with_repetition(if spec.required { Repetition::REQUIRED } else { Repetition::OPTIONAL })
        .with_logical_type(logical);
    if spec.physical() == Physical::FIXED_LEN_BYTE_ARRAY {
        builder = builder.with_length(spec.packing.width().or(spec.kind.width()).expect("ids have one") as i32);
    }
    Ok(Arc::new(builder.build()?))
}

/// What a packed text is to others.
fn packed_type(packing: Packing) -> Option<LogicalType> {
    match packing {
        Packing::Uuid => Some(LogicalType::Uuid),
        Packing::IdAsHex => Some(LogicalType::String),
        Packing::Time(3) => Some(LogicalType::timestamp(true, TimeUnit::MILLIS)),
        Packing::Time(6) => Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        Packing::Time(_) => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        _ => None,
    }
}

/// What is known of a column's values, from its name.
fn nature_of(name: &str) -> Nature {
    if name == fixed::SPECS[fixed::DURATION].0 {
        Nature::Scattered
    } else if name == fixed::SPECS[fixed::SERVICE].0 || name == fixed::SPECS[fixed::NAME].0 {
        Nature::Bounding
    } else if name.starts_with(BODY_PREFIX) {
        Nature::Field
    } else {
        Nature::Plain
    }
}

/// How a column of a field holds its texts, from its type; ids and times of other columns are no texts.
fn packing_of(leaf: &ColumnDescriptor) -> Packing {
    let name = leaf.name();
    if name.starts_with(NANOS_PREFIX) {
        return Packing::Time(9);
    }
    let is_field = name.strip_prefix(OWN_PREFIX).unwrap_or(name).starts_with(BODY_PREFIX);
    match (leaf.physical_type(), leaf.logical_type_ref()) {
        _ if !is_field => Packing::None,
        (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) if leaf.type_length() == 16 => Packing::Uuid,
        (Physical::FIXED_LEN_BYTE_ARRAY, None) if leaf.type_length() == 16 => Packing::Hex16,
        (Physical::FIXED_LEN_BYTE_ARRAY, None) if leaf.type_length() == 8 => Packing::Hex8,
        (Physical::INT64, Some(LogicalType::Timestamp(stamp))) => match stamp.unit {
            TimeUnit::MILLIS => Packing::Time(3),
            TimeUnit::MICROS => Packing::Time(6),
            TimeUnit::NANOS => Packing::Time(9),
        },
        _ => Packing::None,
    }
}

/// The columns of a file: the fixed ones of this program first, in its order, wherever or whether the file has them.
#[derive(Debug)]
pub(super) struct FileColumns {
    /// Whose they are.
    pub(super) table: &'static Table,
    /// All that can be read.
    pub(super) specs: Vec<ColumnSpec>,
    /// The number of each in the file; `None` for one that did not exist yet when the file was written.
    pub(super) in_file: Vec<Option<usize>>,
}

impl FileColumns {
    /// Whether a column is another one before it, read under a second name.
    pub(super) fn is_shared(&self, column: usize) -> bool {
        column >= self.table.len() && self.in_file[..column].contains(&self.in_file[column])
    }

    /// A column of the archive's copy that a segment calls `name`; `None` when it has another type than that.
    fn add_archived(&mut self, number: usize, name: &str, leaf: &ColumnDescriptor) -> Option<()> {
        let spec = ColumnSpec { name: name.to_owned(), nature: nature_of(name), ..spec_of(leaf)? };
        let Some(known) = self.table.number(name) else {
            self.specs.push(spec);
            self.in_file.push(Some(number));
            return Some(());
        };
        let of_table = &mut self.specs[known];
        match (of_table.kind, spec.kind) {
            (Kind::Id8 | Kind::Id16, Kind::Text) => of_table.packing = Packing::IdAsHex,
            (Kind::Time, Kind::Int64) | (Kind::Json, Kind::Text) => {}
            (wanted, found) if wanted == found => {}
            _ => return None,
        }
        (self.in_file[known].replace(number).is_none() && spec.required == of_table.required).then_some(())
    }

    /// Fields of bodies that are a column of ids wherever that has a value: they are read from there, as their hex digits.
    pub(super) fn add_ids_as_fields(&mut self, bodies: &BodyFields) {
        for field in &bodies.fields {
            let Some(same_as) = field.same_as else { continue };
            let (column, packing) = id_column(same_as);
            self.specs.push(body_fields::spec(&field.name, Kind::Text, packing));
            self.in_file.push(self.in_file[column]);
        }
    }
}

impl FileColumns {
    /// Attributes that are fields of the bodies are read from where those lie.
    pub(super) fn add_shared(&mut self, keys: &[String]) {
        for key in keys {
            let name = format!("{ITEM_PREFIX}{key}");
            let field = format!("{BODY_PREFIX}{key}");
            let Some(at) = self.specs.iter().position(|spec| spec.name == field) else { continue };
            // The archive's copy may have it.
            if self.specs.iter().all(|spec| spec.name != name) {
                self.specs.push(ColumnSpec { name, nature: Nature::Plain, ..self.specs[at].clone() });
                self.in_file.push(self.in_file[at]);
            }
        }
    }
}

/// A column of ids, by its number, and how it holds their hex digits.
pub(super) fn id_column(id: IdColumn) -> (usize, Packing) {
    match id {
        IdColumn::TraceId => (lines::TRACE_ID, Packing::Hex16),
        IdColumn::SpanId => (lines::SPAN_ID, Packing::Hex8),
    }
}

/// Finds the columns in a file's schema, by name; columns that this program does not know are passed over. `None` when the file is
/// not ours: one that every file has is missing, or one has another type than its name has always had.
///
/// In the archive's copy of a segment columns have the names that `archived` gives them, ids are hex digits, times plain numbers, JSON is text.
pub(super) fn read_schema(
    table: &'static Table,
    schema: &SchemaDescriptor,
    archived: Option<&ArchivedAs>,
) -> Option<FileColumns> {
    let mut columns = FileColumns { table, specs: table.column_specs(), in_file: vec![None; table.len()] };
    let names: Option<HashMap<&str, &str>> =
        archived.map(|archived| archived.columns.iter().map(|(file, here)| (file.as_str(), here.as_str())).collect());
    for (number, leaf) in schema.columns().iter().enumerate() {
        // A column in a group is none that we know, whatever its own name is.
        let [name] = leaf.path().parts() else { continue };
        if let Some(names) = &names {
            let Some(&name) = names.get(name.as_str()) else { continue };
            columns.add_archived(number, name, leaf)?;
            continue;
        }
        if let Some(known) = table.number(name) {
            let is_first = columns.in_file[known].replace(number).is_none();
            if !is_first || spec_of(leaf).as_ref() != Some(&columns.specs[known]) {
                return None;
            }
        } else if [ITEM_PREFIX, RESOURCE_PREFIX, BODY_PREFIX].iter().any(|prefix| name.starts_with(prefix)) {
            columns.specs.push(spec_of(leaf)?);
            columns.in_file.push(Some(number));
        }
    }
    let is_whole = columns
        .in_file
        .iter()
        .zip(table.unwritten)
        .all(|(in_file, &unwritten)| in_file.is_some() || unwritten != Unwritten::Never);
    is_whole.then_some(columns)
}

fn spec_of(leaf: &ColumnDescriptor) -> Option<ColumnSpec> {
    let packing = packing_of(leaf);
    let kind = match (leaf.physical_type(), leaf.logical_type_ref()) {
        _ if packing != Packing::None => Kind::Text,
        (Physical::BYTE_ARRAY, Some(LogicalType::String)) => Kind::Text,
        (Physical::BYTE_ARRAY, Some(LogicalType::Json)) => Kind::Json,
        (Physical::BOOLEAN, _) => Kind::Bool,
        (Physical::INT32, Some(_)) => Kind::Uint32,
        (Physical::INT32, None) => Kind::Int32,
        (Physical::INT64, Some(_)) => Kind::Time,
        (Physical::INT64, None) => Kind::Int64,
        (Physical::DOUBLE, _) => Kind::Double,
        (Physical::FIXED_LEN_BYTE_ARRAY, _) if leaf.type_length() == 8 => Kind::Id8,
        (Physical::FIXED_LEN_BYTE_ARRAY, _) if leaf.type_length() == 16 => Kind::Id16,
        _ => return None,
    };
    let required = leaf.self_type().get_basic_info().repetition() == Repetition::REQUIRED;
    Some(ColumnSpec { name: leaf.name().to_owned(), kind, required, packing, nature: nature_of(leaf.name()) })
}

/// Longest key that becomes a column's name; longer ones stay in the residual.
pub(super) const KEY_BYTES_MAX: usize = 256;

/// Most columns for span attributes, and most for resource attributes; the most frequent keys get them.
pub(super) const PROMOTED_MAX: usize = 512;

/// Keys of OpenTelemetry's semantic conventions that get a column of their own as soon as they appear: whole names, and
/// prefixes that end in a dot.
const WELL_KNOWN: &[&str] = &[
    "client.address",
    "cloud.",
    "container.",
    "db.",
    "deployment.environment",
    "deployment.environment.name",
    "error.type",
    "exception.",
    "faas.",
    "host.",
    "http.",
    "k8s.",
    "messaging.",
    "network.",
    "peer.service",
    "process.pid",
    "rpc.",
    "server.address",
    "server.port",
    "service.",
    "telemetry.sdk.",
    "url.",
    "user_agent.original",
];

/// Whether a key has a column even when rare. Below a known prefix, free-form names (`http.request.header.x`) do not count.
pub(super) fn is_well_known(key: &[u8]) -> bool {
    let Ok(key) = std::str::from_utf8(key) else { return false };
    if key.len() > 48 || key.contains(".header.") || key.contains(".label") || key.contains(".annotation") {
        return false;
    }
    WELL_KNOWN.iter().any(|known| if known.ends_with('.') { key.starts_with(known) } else { key == *known })
}

/// Whether a key on `count` of `rows` rows gets a column of its own.
pub(super) fn is_promoted(key: &[u8], count: u64, rows: u64) -> bool {
    key.len() <= KEY_BYTES_MAX && count > 0 && (count * 100 > rows || is_well_known(key))
}
