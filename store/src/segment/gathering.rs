//! What the builders of all signals gather: a table's own columns, attributes, what surrounds the rows, traces and times.

use weir_proto::otlp::{ResourceView, ScopeView, wire::WireError};

use super::{
    attributes::AttributeTable,
    body_table::BodyTable,
    contexts::Contexts,
    json,
    schema::{Origin, Table},
    trace_rows::TraceRows,
};
use crate::ask::span::Operation;
use crate::columns::{Column, Values};

/// Most payload bytes that a builder takes: its arenas count in 32 bits, and JSON text may be six times as long as what it tells.
pub const PAYLOAD_BYTES_MAX: u64 = 512 << 20;

/// Gathers journalled items of one signal into columns, for one segment.
pub trait Builder: Default + std::fmt::Debug + Send {
    /// What was gathered.
    fn gathering(&self) -> &Gathering;

    /// The same, to be added to.
    fn gathering_mut(&mut self) -> &mut Gathering;

    /// The operations that the manifest lists, and whether there are more: only spans have any.
    fn operations(&self) -> (Vec<Operation>, bool) {
        (Vec::new(), false)
    }

    /// Empties it for the next segment; memory stays where it is.
    fn clear(&mut self) {
        self.gathering_mut().clear();
    }

    /// Says when the payloads that follow arrived, Unix ns.
    fn arrived_at(&mut self, received_at_ns: u64) {
        self.gathering_mut().arrived_ns = received_at_ns;
    }

    /// Rows taken.
    fn rows(&self) -> u64 {
        u64::from(self.gathering().rows)
    }

    /// Bytes of the payloads taken.
    fn payload_bytes(&self) -> u64 {
        self.gathering().payload_bytes
    }

    /// Bytes held in memory, about.
    fn memory_bytes(&self) -> u64 {
        self.gathering().memory_bytes()
    }

    /// Whether a payload of so many bytes still fits. When not, the segment must be written first.
    fn has_room(&self, payload_bytes: usize) -> bool {
        self.gathering().has_room(payload_bytes)
    }
}

/// Columns of one segment on their way.
#[derive(Debug)]
pub struct Gathering {
    pub(super) table: &'static Table,
    pub(super) rows: u32,
    payload_bytes: u64,
    /// The table's columns that differ from item to item, by number; the others stay empty.
    pub(super) fixed: Vec<Column>,
    pub(super) attributes: AttributeTable,
    pub(super) resources: Resources,
    pub(super) scopes: Scopes,
    pub(super) traces: TraceRows,
    /// Fields of bodies: only lines have any.
    pub(super) bodies: BodyTable,
    /// Smallest and largest time.
    pub(super) time_ns: Option<(u64, u64)>,
    /// When what is pushed arrived, Unix ns; `u64::MAX` when nobody said.
    arrived_ns: u64,
    /// From when on retention counts: the largest time, but none later than the item's arrival.
    pub(super) age_from_ns: u64,
    pub(super) text: Vec<u8>,
}

/// Distinct resources: their parts as columns over resources.
#[derive(Debug)]
pub(super) struct Resources {
    pub(super) contexts: Contexts,
    pub(super) service: Column,
    pub(super) attributes: AttributeTable,
    pub(super) schema_url: Column,
    pub(super) dropped: Column,
}

/// Distinct scopes: their parts as columns over scopes.
#[derive(Debug)]
pub(super) struct Scopes {
    pub(super) contexts: Contexts,
    pub(super) name: Column,
    pub(super) version: Column,
    pub(super) schema_url: Column,
    pub(super) attributes: Column,
    pub(super) dropped: Column,
}

impl Gathering {
    /// Nothing yet, for this table.
    pub(super) fn new(table: &'static Table) -> Self {
        let columns = table.specs.iter().zip(table.origins);
        let fixed =
            columns.map(|(&(_, kind, required), origin)| Column::empty(kind, required && *origin == Origin::Item));
        Self {
            table,
            rows: 0,
            payload_bytes: 0,
            fixed: fixed.collect(),
            attributes: AttributeTable::new(),
            resources: Resources {
                contexts: Contexts::new(),
                service: Column::dense_bytes(),
                attributes: AttributeTable::new(),
                schema_url: Column::sparse_bytes(),
                dropped: Column::sparse_words(),
            },
            scopes: Scopes {
                contexts: Contexts::new(),
                name: Column::sparse_bytes(),
                version: Column::sparse_bytes(),
                schema_url: Column::sparse_bytes(),
                attributes: Column::sparse_bytes(),
                dropped: Column::sparse_words(),
            },
            traces: TraceRows::default(),
            bodies: BodyTable::new(),
            time_ns: None,
            arrived_ns: u64::MAX,
            age_from_ns: 0,
            text: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.payload_bytes = 0;
        self.fixed.iter_mut().for_each(Column::clear);
        self.attributes.clear();
        let Resources { contexts, service, attributes, schema_url, dropped } = &mut self.resources;
        contexts.clear();
        attributes.clear();
        [service, schema_url, dropped].into_iter().for_each(Column::clear);
        let Scopes { contexts, name, version, schema_url, attributes, dropped } = &mut self.scopes;
        contexts.clear();
        [name, version, schema_url, attributes, dropped].into_iter().for_each(Column::clear);
        self.traces.clear();
        self.bodies.clear();
        self.time_ns = None;
        self.arrived_ns = u64::MAX;
        self.age_from_ns = 0;
    }

    fn memory_bytes(&self) -> u64 {
        let fixed: u64 = self.fixed.iter().map(Column::memory_bytes).sum();
        let contexts = self.resources.contexts.memory_bytes() + self.scopes.contexts.memory_bytes();
        let attributes = self.attributes.memory_bytes() + self.resources.attributes.memory_bytes();
        fixed + attributes + contexts + self.traces.memory_bytes() + self.bodies.memory_bytes()
    }

    /// Whether a payload of so many bytes still fits.
    pub(super) fn has_room(&self, payload_bytes: usize) -> bool {
        self.payload_bytes + payload_bytes as u64 <= PAYLOAD_BYTES_MAX
    }

    /// Counts bytes of payload, if they fit.
    pub(super) fn take_bytes(&mut self, payload_bytes: usize) -> Result<(), WireError> {
        if !self.has_room(payload_bytes) {
            return Err(WireError::Malformed { at: 0, what: "payloads beyond a segment's 512 MiB" });
        }
        self.payload_bytes += payload_bytes as u64;
        Ok(())
    }

    /// The rows from here on have this resource; answers the code of its service.
    pub(super) fn start_resource(&mut self, resource: &ResourceView<'_>) -> u32 {
        let Resources { contexts, service, attributes, schema_url, dropped } = &mut self.resources;
        let (number, is_new) = contexts.number(resource.bytes, resource.schema_url);
        if is_new {
            service.push_bytes(number, resource.service);
            attributes.push(number, 0, resource.attributes.encoded());
            push_some_bytes(schema_url, number, resource.schema_url);
            push_some_word(dropped, number, u64::from(resource.dropped_attributes_count));
        }
        contexts.start(self.rows, number);
        match &service.values {
            Values::Bytes { codes, .. } => codes[number as usize],
            Values::Words(_) => unreachable!("services are text"),
        }
    }

    /// The rows from here on have this scope.
    pub(super) fn start_scope(&mut self, scope: &ScopeView<'_>) {
        let Scopes { contexts, name, version, schema_url, attributes, dropped } = &mut self.scopes;
        let (number, is_new) = contexts.number(scope.bytes, scope.schema_url);
        if is_new {
            push_some_bytes(name, number, scope.name);
            push_some_bytes(version, number, scope.version);
            push_some_bytes(schema_url, number, scope.schema_url);
            push_some_word(dropped, number, u64::from(scope.dropped_attributes_count));
            if !scope.attributes.is_empty() {
                self.text.clear();
                json::write_object(scope.attributes.iter(), &mut self.text);
                attributes.push_bytes(number, &self.text);
            }
        }
        contexts.start(self.rows, number);
    }

    /// Ends a row, whose place in time is this.
    #[inline]
    pub(super) fn end_row(&mut self, time_ns: u64) {
        let (min, max) = self.time_ns.unwrap_or((u64::MAX, 0));
        self.time_ns = Some((min.min(time_ns), max.max(time_ns)));
        // What has no time is as old as its arrival, and nothing is younger.
        let has_time = time_ns > 0 || self.arrived_ns == u64::MAX;
        let aged_ns = if has_time { time_ns.min(self.arrived_ns) } else { self.arrived_ns };
        self.age_from_ns = self.age_from_ns.max(aged_ns);
        self.rows += 1;
    }
}

/// Adds a text that is not empty.
#[inline]
pub(super) fn push_some_bytes(column: &mut Column, row: u32, value: &[u8]) {
    if !value.is_empty() {
        column.push_bytes(row, value);
    }
}

/// Adds a number that is not zero.
#[inline]
pub(super) fn push_some_word(column: &mut Column, row: u32, value: u64) {
    if value != 0 {
        column.push_word(row, value);
    }
}
