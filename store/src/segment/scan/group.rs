//! Reads one part of a segment: some or all rows of a row group.

use std::{cell::OnceCell, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use weir_proto::{Signal, loki::may_have_label};

use super::{
    arrays, attribute, bodies,
    entries::{write_json, write_sorted},
    fields::TemplatedRows,
    fixed_column,
    gather::{self, ChosenRows},
    narrow::Narrowing,
    prune::SegmentPart,
    resources,
};
use crate::{
    ask::{
        pruned::ReadCounts,
        request::{ReadBounds, ScanColumn, ScanRequest},
        span::Place,
    },
    columns::{Column, Kind, Values},
    segment::{
        Segment, SegmentError, body_end,
        chunk_reader::ChunkReader,
        json_entry,
        schema::{BODY_PREFIX, ITEM_PREFIX, RESOURCE_PREFIX, Table, fixed, lines},
    },
};

/// What the texts of a piece's rows may take when each stands for itself.
const PIECE_BYTES_MAX: u64 = if cfg!(all(test, debug_assertions)) { 64 << 10 } else { 32 << 20 };

/// Texts beyond this are counted as if every row had the longest.
const TEXT_BYTES_LONG: usize = 1 << 10;

/// Rows that are read in one piece whatever they take.
const PIECE_ROWS_MIN: u32 = if cfg!(all(test, debug_assertions)) { 4 } else { 64 };

/// Rows of a part that fulfil a filter.
#[derive(Debug, Clone)]
pub(crate) struct NarrowedRows {
    group: usize,
    rows: ChosenRows,
    /// Their resources, where these are known.
    resources: Option<Arc<Column>>,
    /// Smallest and largest time, Unix ns.
    pub(crate) time_ns: (u64, u64),
}

impl Segment {
    /// The rows of a part that fulfil the request's filter, as far as they are needed.
    pub fn read_part(
        &self,
        part: &SegmentPart,
        request: &ScanRequest,
        bounds: &ReadBounds,
        counts: &ReadCounts,
    ) -> Result<RecordBatch, SegmentError> {
        let (rows, resources) = self.narrow(part, request, bounds, counts)?;
        if rows.len() == 0 {
            return Ok(RecordBatch::new_empty(request.schema(self.table().signal)));
        }
        self.batch_of(part.group, (&rows, resources.as_ref()), request)
    }

    pub(super) fn narrow(
        &self,
        part: &SegmentPart,
        request: &ScanRequest,
        bounds: &ReadBounds,
        counts: &ReadCounts,
    ) -> Result<(ChosenRows, Option<Column>), SegmentError> {
        ReadCounts::add(&counts.row_groups, 1);
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let narrowing = Narrowing::new(self, &reader, part.group, part.rows.clone(), counts);
        let (narrowed, resources) = narrowing.run(&request.filter, bounds)?;
        let before = narrowed.len();
        let rows = enough(&reader, part.group, narrowed, bounds)?;
        let resources = resources.filter(|_| rows.len() == before);
        let counter = if rows.len() == 0 { &counts.row_groups_by_values } else { &counts.rows };
        ReadCounts::add(counter, u64::from(rows.len().max(1)));
        Ok((rows, resources))
    }

    fn batch_of(
        &self,
        group: usize,
        (rows, resources): (&ChosenRows, Option<&Column>),
        request: &ScanRequest,
    ) -> Result<RecordBatch, SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let group = GroupRows::new(self, &reader, group, (rows, resources));
        group.prefetch(&request.columns);
        let columns = request.columns.iter().map(|column| group.array(column)).collect::<Result<Vec<_>, _>>()?;
        batch(request, self.table().signal, columns, rows.len())
    }

    /// As [`Self::read_part`], of a part that is narrowed as a whole and then read in pieces of some rows, in the order of its rows.
    pub(crate) fn narrow_part(
        &self,
        part: &SegmentPart,
        request: &ScanRequest,
        bounds: &ReadBounds,
        (rows_max, counts): (u32, &ReadCounts),
    ) -> Result<Vec<NarrowedRows>, SegmentError> {
        let (rows, resources) = self.narrow(part, request, bounds, counts)?;
        let rows_max = rows_max.min(self.rows_of_piece(part.group, rows.len(), request)?);
        let narrowed = |rows, time_ns| NarrowedRows { group: part.group, rows, resources: None, time_ns };
        match rows {
            _ if rows.len() == 0 => Ok(Vec::new()),
            rows if rows.len() <= rows_max => {
                Ok(vec![NarrowedRows { resources: resources.map(Arc::new), ..narrowed(rows, part.start_ns) }])
            }
            rows => {
                let file = self.open_rows()?;
                let times = gather::read(&self.reader(&file), part.group, self.table().time, &rows)?;
                let Values::Words(times) = times.values else { unreachable!("times are numbers") };
                let pieces = rows.pieces(rows_max).into_iter().zip(times.chunks(rows_max as usize));
                let bounds = |times: &[u64]| {
                    times.iter().fold((u64::MAX, 0), |(min, max), &time| (min.min(time), max.max(time)))
                };
                Ok(pieces.map(|(rows, times)| narrowed(rows, bounds(times))).collect())
            }
        }
    }

    /// Rows that a piece may have: as many as take about [`PIECE_BYTES_MAX`], each with texts of its own. The file has a text that many
    /// rows have only once.
    pub(super) fn rows_of_piece(&self, group: usize, rows: u32, request: &ScanRequest) -> Result<u32, SegmentError> {
        if rows <= PIECE_ROWS_MIN {
            return Ok(rows);
        }
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let of_column = |column: &ScanColumn| match column {
            ScanColumn::Attribute { place, key, .. } => {
                attribute::sources(self, *place, key).into_iter().filter_map(attribute::Source::column).collect()
            }
            fixed => Vec::from_iter(fixed_column(reader.table, fixed)),
        };
        let read: Vec<usize> = request.columns.iter().flat_map(of_column).collect();
        let has_ends = request.columns.iter().any(|column| has_body_ends(self, column));
        let is_written = |number: usize, name: &str| {
            let is_of_column = |column| is_written_with(column, reader.table, number, name);
            request.columns.iter().any(is_of_column) || (has_ends && is_of_body(number, name))
        };
        rows_fitting(&reader, group, &|number| read.contains(&number), &is_written)
    }

    /// Reads rows that were narrowed.
    pub(crate) fn read_narrowed(
        &self,
        narrowed: &NarrowedRows,
        request: &ScanRequest,
    ) -> Result<RecordBatch, SegmentError> {
        self.batch_of(narrowed.group, (&narrowed.rows, narrowed.resources.as_deref()), request)
    }
}

/// Whether a scan's column writes what this column of the file has into a text of each row.
fn is_written_with(column: &ScanColumn, table: &Table, number: usize, name: &str) -> bool {
    match column {
        ScanColumn::Attributes(Place::Span) | ScanColumn::AttributesNamed(_) => {
            name.starts_with(ITEM_PREFIX) || number == table.attributes_other
        }
        ScanColumn::Body if table.signal == Signal::Logs => {
            name.starts_with(BODY_PREFIX) || number == lines::BODY_TEMPLATE
        }
        _ => false,
    }
}

/// Whether a scan's column takes the ends of bodies, for which whole bodies are read.
fn has_body_ends(segment: &Segment, column: &ScanColumn) -> bool {
    let may_take = match column {
        ScanColumn::Attribute { place, key, .. } => *place != Place::Resource && key == body_end::KEY,
        ScanColumn::Attributes(place) => *place != Place::Resource,
        ScanColumn::AttributesNamed(labels) => may_have_label(body_end::KEY, labels),
        _ => false,
    };
    may_take && body_end::is_in(segment)
}

/// Whether this column of a file of log records is of their bodies.
fn is_of_body(number: usize, name: &str) -> bool {
    matches!(number, lines::BODY | lines::BODY_TEMPLATE) || name.starts_with(BODY_PREFIX)
}

/// Rows of a group of log records whose bodies are read at once.
pub(super) fn rows_of_bodies(reader: &ChunkReader<'_>, group: usize) -> Result<u32, SegmentError> {
    rows_fitting(reader, group, &|_| false, &is_of_body)
}

/// Rows that take about [`PIECE_BYTES_MAX`]: of columns that are read, and those that are written into a text of each.
fn rows_fitting(
    reader: &ChunkReader<'_>,
    group: usize,
    is_read: &dyn Fn(usize) -> bool,
    is_written: &dyn Fn(usize, &str) -> bool,
) -> Result<u32, SegmentError> {
    let group_rows = u64::try_from(reader.metadata.row_group(group).num_rows()).unwrap_or(0).max(1);
    let mut row_bytes = 0;
    for (number, spec) in reader.specs.iter().enumerate().filter(|(_, spec)| spec.kind.is_bytes()) {
        let Some(chunk) = reader.chunk(group, number) else { continue };
        let is_written = is_written(number, &spec.name);
        if chunk.dictionary_page_offset().is_none() {
            if is_written || is_read(number) {
                row_bytes += 2 * u64::try_from(chunk.uncompressed_size()).unwrap_or(0) / group_rows;
            }
        } else if is_written && let Some(texts) = reader.texts(group, number)? {
            let mean = texts.all_bytes().len() / texts.len().max(1);
            row_bytes += if texts.longest() > TEXT_BYTES_LONG { texts.longest() } else { mean } as u64;
        }
    }
    let fitting = PIECE_BYTES_MAX / row_bytes.max(1);
    Ok(u32::try_from(fitting).unwrap_or(u32::MAX).max(PIECE_ROWS_MIN))
}

/// Leaves out rows that are not needed.
fn enough(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: ChosenRows,
    bounds: &ReadBounds,
) -> Result<ChosenRows, SegmentError> {
    if let Some(newest) = bounds.newest.filter(|&newest| newest > 0 && newest < rows.len() as usize) {
        let starts = gather::read(reader, group, reader.table.time, &rows)?;
        let Values::Words(starts) = starts.values else { unreachable!("times are numbers") };
        let mut order = starts.clone();
        let (_, &mut oldest_wanted, _) = order.select_nth_unstable_by(newest - 1, |a, b| b.cmp(a));
        return Ok(rows.keep(|position| starts[position] >= oldest_wanted));
    }
    Ok(match bounds.rows_max {
        Some(rows_max) if rows_max < rows.len() as usize => rows.keep(|position| position < rows_max),
        _ => rows,
    })
}

/// Columns as a batch of so many rows.
pub(super) fn batch(
    request: &ScanRequest,
    signal: Signal,
    columns: Vec<ArrayRef>,
    rows: u32,
) -> Result<RecordBatch, SegmentError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
    RecordBatch::try_new_with_options(request.schema(signal), columns, &options)
        .map_err(|error| SegmentError::damaged(format!("columns: {error}")))
}

/// The chosen rows of a row group.
pub(super) struct GroupRows<'a> {
    segment: &'a Segment,
    reader: &'a ChunkReader<'a>,
    group: usize,
    rows: &'a ChosenRows,
    resources: Option<&'a Column>,
    /// Read for the first column that asks for it.
    templated: OnceCell<TemplatedRows<'a>>,
}

impl<'a> GroupRows<'a> {
    /// These rows, with their resources, where these are known.
    pub(super) fn new(
        segment: &'a Segment,
        reader: &'a ChunkReader<'a>,
        group: usize,
        (rows, resources): (&'a ChosenRows, Option<&'a Column>),
    ) -> Self {
        Self { segment, reader, group, rows, resources, templated: OnceCell::new() }
    }

    /// Whether all that a body says is told by its fields, in every row.
    pub(super) fn are_told(&self) -> Result<bool, SegmentError> {
        Ok(self.templated()?.are_told())
    }

    /// Asks for what these columns take, where that is elsewhere.
    pub(super) fn prefetch(&self, columns: &[ScanColumn]) {
        if !self.reader.file.is_elsewhere() {
            return;
        }
        let of_column = |column: &ScanColumn| match column {
            ScanColumn::Attribute { place, key, .. } => attribute::sources(self.segment, *place, key)
                .into_iter()
                .filter_map(attribute::Source::column)
                .collect(),
            ScanColumn::EndTime => Vec::from_iter([self.reader.table.time]),
            fixed => Vec::from_iter(fixed_column(self.reader.table, fixed)),
        };
        let numbers: Vec<usize> = columns.iter().flat_map(of_column).collect();
        let rows: Vec<u32> = match self.rows {
            ChosenRows::All(count) => (0..*count).collect(),
            ChosenRows::Some(rows) => rows.clone(),
        };
        self.reader.prefetch(self.group, numbers.into_iter(), &rows);
    }

    fn templated(&self) -> Result<&TemplatedRows<'a>, SegmentError> {
        if let Some(templated) = self.templated.get() {
            return Ok(templated);
        }
        let templated = TemplatedRows::read(self.reader, self.group, self.rows)?;
        Ok(self.templated.get_or_init(|| templated))
    }

    fn array(&self, column: &ScanColumn) -> Result<ArrayRef, SegmentError> {
        arrays::array(self.column(column)?, self.rows.len(), &column.data_type())
    }

    /// What the rows have in a scan's column.
    pub(super) fn column(&self, column: &ScanColumn) -> Result<Column, SegmentError> {
        Ok(match column {
            ScanColumn::EndTime => self.ends()?,
            ScanColumn::State => state(self.rows.len()),
            ScanColumn::Body => bodies::read(self.reader, self.group, self.rows)?,
            ScanColumn::Attribute { place, key, form } => {
                let sources = attribute::sources(self.segment, *place, key);
                attribute::read(self.reader, self.group, &sources, key, *form, self.rows)?
            }
            ScanColumn::Attributes(Place::Resource) => match self.resources {
                Some(known) => known.clone(),
                None => resources::read(self.reader, self.group, self.rows)?,
            },
            ScanColumn::Attributes(place) => self.attributes(*place, &|_| true)?,
            ScanColumn::AttributesNamed(labels) => self.attributes(Place::Span, &|key| may_have_label(key, labels))?,
            ScanColumn::HasFields => self.templated()?.told(),
            ScanColumn::PlainBody => self.templated()?.plain_bodies()?,
            ScanColumn::Field(label) => self.templated()?.field(label)?,
            ScanColumn::BodyLevel => self.templated()?.levels()?,
            fixed => {
                let number = fixed_column(self.reader.table, fixed);
                self.fixed(number.ok_or_else(|| SegmentError::damaged(format!("no column {}", fixed.name())))?)?
            }
        })
    }

    fn fixed(&self, column: usize) -> Result<Column, SegmentError> {
        gather::read(self.reader, self.group, column, self.rows)
    }

    /// Starts and durations make the ends, except where a span ended before it started.
    fn ends(&self) -> Result<Column, SegmentError> {
        let starts = self.fixed(fixed::START_TIME)?;
        let durations = self.fixed(fixed::DURATION)?;
        let odd = self.fixed(fixed::END_TIME)?;
        let (Values::Words(starts), Values::Words(durations)) = (starts.values, durations.values) else {
            unreachable!("times are numbers")
        };
        let mut ends: Vec<u64> =
            starts.iter().zip(durations).map(|(start, duration)| start.wrapping_add(duration)).collect();
        for at in 0..odd.len() {
            ends[odd.row(at) as usize] = odd.word(at);
        }
        Ok(Column { rows: None, values: Values::Words(ends) })
    }

    /// The attributes of the rows whose keys are `wanted`, as JSON objects sorted by key.
    fn attributes(&self, place: Place, wanted: &dyn Fn(&str) -> bool) -> Result<Column, SegmentError> {
        let (prefix, residual) = match place {
            Place::Resource => (RESOURCE_PREFIX, self.reader.table.resource_other),
            _ => (ITEM_PREFIX, self.reader.table.attributes_other),
        };
        let keys = match place {
            Place::Resource => &self.segment.manifest.resource_other,
            _ => &self.segment.manifest.attributes_other,
        };
        let has_others = keys.cut || keys.keys.iter().any(|listed| wanted(&listed.key));
        let columns = self.reader.specs.iter().enumerate().filter_map(|(number, spec)| {
            let key = spec.name.strip_prefix(prefix)?;
            let is_own = number >= self.reader.table.len() && !self.reader.is_empty(self.group, number);
            (is_own && wanted(key)).then_some((number, spec, key))
        });
        let columns: Vec<_> = columns.collect();
        let has_ends = place != Place::Resource && wanted(body_end::KEY) && body_end::is_in(self.segment);
        if columns.is_empty() && !has_ends && (!has_others || self.reader.is_empty(self.group, residual)) {
            return Ok(Column::sparse_bytes());
        }
        let mut entries: Vec<Vec<(Vec<u8>, Vec<u8>)>> = vec![Vec::new(); self.rows.len() as usize];
        for (number, spec, key) in columns {
            let column = self.fixed(number)?;
            for at in 0..column.len() {
                let mut text = Vec::new();
                write_json(spec.kind, &column, at, &mut text);
                entries[column.row(at) as usize].push((attribute::quoted(key), text));
            }
        }
        if has_ends {
            let ends = body_end::read(self.reader, self.group, self.rows)?;
            for at in 0..ends.len() {
                let mut text = Vec::new();
                write_json(Kind::Text, &ends, at, &mut text);
                entries[ends.row(at) as usize].push((attribute::quoted(body_end::KEY), text));
            }
        }
        let others = if has_others { self.fixed(residual)? } else { Column::sparse_bytes() };
        // Few keys have escapes in them.
        let is_wanted = |quoted: &[u8]| match std::str::from_utf8(&quoted[1..quoted.len() - 1]) {
            Ok(key) if !key.contains('\\') => wanted(key),
            _ => true,
        };
        for at in 0..others.len() {
            let row = &mut entries[others.row(at) as usize];
            let all = |key: &[u8], value: &[u8]| {
                if is_wanted(key) {
                    row.push((key.to_vec(), value.to_vec()));
                }
                true
            };
            json_entry::for_each(others.bytes(at), all).map_err(|error| {
                SegmentError::damaged(format!(
                    "row group {}, column {}: {error}",
                    self.group, self.reader.table.specs[residual].0
                ))
            })?;
        }
        let mut column = Column::sparse_bytes();
        let mut text = Vec::new();
        for (row, mut entries) in entries.into_iter().enumerate() {
            if write_sorted(&mut entries, &mut text) {
                column.push_bytes(row as u32, &text);
            }
        }
        Ok(column)
    }
}

/// The attributes of some rows, as JSON objects, that may have a label.
pub(super) fn attributes_named(
    segment: &Segment,
    reader: &ChunkReader<'_>,
    (group, rows): (usize, &ChosenRows),
    label: &str,
) -> Result<Column, SegmentError> {
    let labels = [label.to_owned()];
    let group = GroupRows::new(segment, reader, group, (rows, None));
    group.attributes(Place::Span, &|key| may_have_label(key, &labels))
}

/// What is sealed was kept.
fn state(rows: u32) -> Column {
    let mut column = Column::dense_bytes();
    if rows > 0 {
        column.push_bytes(0, super::rows::state_text(crate::ask::span::SpanState::Kept));
        if let Values::Bytes { codes, .. } = &mut column.values {
            codes.resize(rows as usize, 0);
        }
    }
    column
}
