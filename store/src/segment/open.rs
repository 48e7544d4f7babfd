//! Opens a segment's directory, and says what it holds.

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use parquet::{
    bloom_filter::Sbbf,
    file::{
        metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader},
        page_index::column_index::ColumnIndexMetaData,
    },
};
use weir_proto::{Signal, TraceId};

use super::{
    SegmentError, SegmentId,
    chunk_reader::ChunkReader,
    files::{FOOTER, INDEX, MANIFEST, ReadFile, ReadObject},
    manifest::{BloomCheck, Checked, Manifest},
    schema::{FileColumns, Table, fixed, read_schema},
    trace_index::{Extent, TraceIndex},
};
use crate::columns::ColumnSpec;
use crate::ledger::Tally;

/// An open segment: footer and index directory in memory, files opened for each read.
#[derive(Debug)]
pub struct Segment {
    id: SegmentId,
    directory: PathBuf,
    /// The rows of an archived segment.
    elsewhere: Option<Arc<dyn ReadObject>>,
    pub(super) manifest: Manifest,
    pub(super) metadata: ParquetMetaData,
    pub(super) file_columns: FileColumns,
    /// Column numbers by name.
    pub(super) columns: HashMap<String, usize>,
    /// First row of each row group.
    pub(super) group_starts: Vec<u64>,
    /// `None` in a segment without one: then the rows are looked through.
    index: Option<TraceIndex>,
    /// What was read of it was damaged, in a segment whose rows are elsewhere.
    is_index_damaged: AtomicBool,
    /// Smallest and largest time of each page of each row group, where these are told; read when they are first asked for.
    page_times: OnceLock<Vec<PageTimes>>,
    /// Of each bloom filter of the manifest, whether its checksum was found right: blocks of it are believed then, as the footer is.
    sound_blooms: Vec<AtomicBool>,
}

/// Asks a bloom filter, which says whether it may have a number.
pub(super) type AsksFilter<'a> = &'a dyn Fn(&dyn Fn(u64) -> bool) -> bool;

/// Of each page of a row group, Unix ns.
type PageTimes = Vec<(i64, i64)>;

impl Segment {
    /// Opens a directory, checking manifest, footer and index header.
    pub fn open(directory: &Path) -> Result<Self, SegmentError> {
        Self::open_at(directory, None)
    }

    /// Opens an archived segment, of which `directory` has everything but the rows: those are `rows`.
    pub(crate) fn open_archived(directory: &Path, rows: Arc<dyn ReadObject>) -> Result<Self, SegmentError> {
        Self::open_at(directory, Some(rows))
    }

    fn open_at(directory: &Path, elsewhere: Option<Arc<dyn ReadObject>>) -> Result<Self, SegmentError> {
        let manifest_file = ReadFile::open(directory, MANIFEST)?;
        let mut manifest = Manifest::read(&manifest_file.read(0, manifest_file.len()? as usize)?)?;
        let id = manifest.id()?;
        if directory.file_name().is_none_or(|name| name != id.to_string().as_str()) {
            return Err(SegmentError::damaged(format!("{} holds segment {id}", directory.display())));
        }
        let table = Table::of(id.signal);
        let name = table.file;
        let tail_start = manifest.spans.bytes.saturating_sub(manifest.spans.checked_bytes);
        let tail = match &elsewhere {
            None => read_checked(&ReadFile::open(directory, name)?, name, tail_start, &manifest.spans)?,
            // The footer, whole, is a file of its own here.
            Some(_) => {
                let checked = Checked { bytes: manifest.spans.checked_bytes, ..manifest.spans.clone() };
                read_checked(&ReadFile::open(directory, FOOTER)?, FOOTER, 0, &checked)?
            }
        };
        let tail = Tail { start: tail_start, bytes: Bytes::from(tail) };
        let metadata = read_footer(name, tail, PageIndexPolicy::Skip)?;
        let mut file_columns = read_schema(table, metadata.file_metadata().schema_descr(), manifest.archived.as_ref())
            .ok_or_else(|| SegmentError::damaged(format!("{name}: schema")))?;
        if let Some(bodies) = &manifest.bodies {
            file_columns.add_ids_as_fields(bodies);
            file_columns.add_shared(&manifest.attributes_as_fields);
        }
        let index = match &manifest.index {
            Some(checked) => match read_index(directory, checked) {
                // Its rows are whole, and an index can be had again.
                Err(error @ SegmentError::Damaged { .. }) if elsewhere.is_some() => {
                    tracing::warn!(%id, tenant = %id.tenant, %error, "a segment in the archive answers without its index");
                    None
                }
                read => Some(read?),
            },
            None => None,
        };
        let mut group_starts = Vec::new();
        let mut rows = 0;
        for group in metadata.row_groups() {
            group_starts.push(rows);
            rows += group.num_rows() as u64;
        }
        if rows != manifest.rows {
            return Err(SegmentError::damaged(format!("{name}: {rows} rows, manifest.json says {}", manifest.rows)));
        }
        manifest.blooms = known_blooms(&manifest.blooms, &file_columns);
        if table.signal == Signal::Traces {
            // Every row has an operation, and the columns decide which.
            let is_told = [fixed::SERVICE, fixed::NAME, fixed::KIND].iter().all(|&n| file_columns.in_file[n].is_some());
            if !is_told {
                manifest.operations.clear();
            }
            manifest.operations_cut |= manifest.operations.is_empty();
        }
        let names = file_columns.specs.iter().enumerate();
        let columns = names.map(|(number, spec)| (spec.name.clone(), number)).collect();
        let directory = directory.to_owned();
        let is_index_damaged = AtomicBool::new(false);
        let page_times = OnceLock::new();
        let sound_blooms = manifest.blooms.iter().map(|_| AtomicBool::new(false)).collect();
        let mut segment = Self {
            id,
            directory,
            elsewhere,
            manifest,
            metadata,
            file_columns,
            columns,
            group_starts,
            index,
            is_index_damaged,
            page_times,
            sound_blooms,
        };
        if segment.manifest.start_max_ns.is_none() {
            segment.manifest.start_max_ns = Some(segment.start_max_of_groups()?);
        }
        Ok(segment)
    }

    /// What the statistics say where the manifest does not.
    fn start_max_of_groups(&self) -> Result<u64, SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let latest_of = |group| match reader.int_range(group, self.table().time) {
            Some((min, max)) if min >= 0 => max as u64,
            _ => u64::MAX,
        };
        Ok((0..self.group_starts.len()).map(latest_of).max().unwrap_or(0))
    }

    /// Its id.
    pub fn id(&self) -> &SegmentId {
        &self.id
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether its rows are in the archive only.
    pub(crate) fn is_archived(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// The object that its rows are, where they are in the archive only.
    pub(crate) fn object(&self) -> Option<&str> {
        self.elsewhere.as_ref().map(|object| object.name())
    }

    /// Row groups.
    pub(crate) fn groups(&self) -> usize {
        self.group_starts.len()
    }

    /// Rows.
    pub fn rows(&self) -> u64 {
        self.manifest.rows
    }

    /// Traces.
    pub fn traces(&self) -> u64 {
        self.manifest.traces
    }

    /// Bytes on disk, the manifest's aside.
    pub fn bytes(&self) -> u64 {
        self.manifest.spans.bytes + self.manifest.index.as_ref().map_or(0, |index| index.bytes)
    }

    /// Bytes of the file with the rows.
    pub(crate) fn rows_bytes(&self) -> u64 {
        self.manifest.spans.bytes
    }

    /// Smallest and largest start in Unix ns; `None` without rows.
    pub fn start_ns(&self) -> Option<(u64, u64)> {
        let max = self.manifest.start_max_ns.unwrap_or(u64::MAX);
        (self.manifest.rows > 0).then_some((self.manifest.start_min_ns, max))
    }

    /// From when on retention counts, Unix ns: the largest start, but no span counts as younger than it had arrived.
    pub fn age_from_ns(&self) -> u64 {
        self.manifest.age_from_ns.or(self.manifest.start_max_ns).unwrap_or(u64::MAX)
    }

    /// What it adds to the ledger.
    pub fn tally(&self) -> &Tally {
        &self.manifest.tally
    }

    /// The tenant's ledger of everything sealed up to and with it, if it says so.
    pub fn ledger_after(&self) -> Option<&Tally> {
        self.manifest.ledger_after.as_ref()
    }

    /// Bytes held in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let services = self.manifest.services.as_ref().map_or(0, |list| list.names.len() as u64 * 48);
        let operations = self.manifest.operations.len() as u64 * 96 + services;
        let index = self.index.as_ref().map_or(0, TraceIndex::memory_bytes);
        self.metadata.memory_size() as u64 + index + self.specs().len() as u64 * 160 + operations
    }

    /// Opens the trace-id index, if there is one.
    pub(super) fn index_file(&self) -> Result<Option<ReadFile>, SegmentError> {
        if self.has_no_sound_index() {
            return Ok(None);
        }
        match ReadFile::open(&self.directory, INDEX) {
            Err(SegmentError::Damaged { .. }) if self.is_archived() => {
                self.is_index_damaged.store(true, Ordering::Relaxed);
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// Whether there is no index, or one that was found damaged.
    pub(super) fn has_no_sound_index(&self) -> bool {
        self.index.is_none() || self.is_index_damaged.load(Ordering::Relaxed)
    }

    /// The rows among which those of a trace lie, in row order: all of them in a segment without an index.
    pub(super) fn extents(&self, trace: TraceId, file: Option<&ReadFile>) -> Result<Vec<Extent>, SegmentError> {
        let (Some(index), Some(file)) = (&self.index, file) else {
            let groups = self.group_starts.iter().enumerate();
            return Ok(groups.map(|(group, &first)| Extent { first, rows: self.group_rows(group) }).collect());
        };
        let (start, len) = index.bucket(trace);
        match file.read(start, len).and_then(|bytes| index.find(trace, &bytes)) {
            // The rows, which are elsewhere, are whole: they are looked through until there is another.
            Err(SegmentError::Damaged { .. }) if self.is_archived() => {
                self.is_index_damaged.store(true, Ordering::Relaxed);
                self.extents(trace, None)
            }
            found => found,
        }
    }

    /// The table that its columns are of.
    pub(super) fn table(&self) -> &'static Table {
        self.file_columns.table
    }

    /// The columns that can be read: the fixed ones, then attributes.
    pub(super) fn specs(&self) -> &[ColumnSpec] {
        &self.file_columns.specs
    }

    /// Opens the rows.
    pub(super) fn open_rows(&self) -> Result<ReadFile, SegmentError> {
        match &self.elsewhere {
            Some(object) => Ok(ReadFile::elsewhere(object.clone())),
            None => ReadFile::open(&self.directory, self.table().file),
        }
    }

    /// Reads columns from the opened rows.
    pub(super) fn reader<'a>(&'a self, file: &'a ReadFile) -> ChunkReader<'a> {
        ChunkReader::new(file, &self.metadata, &self.file_columns)
    }

    /// The footer, with the bounds of each page.
    pub(super) fn with_page_bounds(&self) -> Result<ParquetMetaData, SegmentError> {
        let (name, checked) = (self.table().file, &self.manifest.spans);
        let start = checked.bytes.saturating_sub(checked.checked_bytes);
        let bytes = Bytes::from(read_checked(&self.open_rows()?, name, start, checked)?);
        read_footer(name, Tail { start, bytes }, PageIndexPolicy::Optional)
    }

    /// Smallest and largest time of each page of a row group, Unix ns, where they are told.
    pub(super) fn times_of_pages(&self, group: usize) -> Option<&[(i64, i64)]> {
        // Of what is elsewhere the bounds come with a request of their own: times are read instead.
        if self.is_archived() {
            return None;
        }
        let all = self.page_times.get_or_init(|| self.read_times_of_pages().unwrap_or_default());
        all.get(group).map(Vec::as_slice).filter(|pages| !pages.is_empty())
    }

    fn read_times_of_pages(&self) -> Option<Vec<PageTimes>> {
        let column = self.file_columns.in_file[self.table().time]?;
        // What is damaged there was not when the segment was opened: times themselves will tell.
        let metadata = self.with_page_bounds().ok()?;
        let of_group = |columns: &Vec<ColumnIndexMetaData>| match columns.get(column) {
            Some(ColumnIndexMetaData::INT64(index)) => {
                index.min_values().iter().copied().zip(index.max_values().iter().copied()).collect()
            }
            _ => Vec::new(),
        };
        metadata.column_index().map(|groups| groups.iter().map(of_group).collect())
    }

    /// A chunk's bloom filter, if the manifest vouches for one.
    pub(super) fn bloom_filter(
        &self,
        reader: &ChunkReader<'_>,
        group: usize,
        column: usize,
    ) -> Result<Option<Sbbf>, SegmentError> {
        let (blooms, place) = (&self.manifest.blooms, (group as u32, column as u32));
        let known = blooms.binary_search_by_key(&place, |bloom| (bloom.row_group, bloom.column));
        let Ok(at) = known else { return Ok(None) };
        reader.bloom_filter(group, column, blooms[at].crc32c)
    }

    /// Asks the bloom filter of a column, if the manifest vouches for one, whether it has some numbers, as their eight bytes; `None` without one.
    /// The filter is read whole until its checksum was found right, then by blocks.
    pub(super) fn ask_bloom(
        &self,
        reader: &ChunkReader<'_>,
        (group, column): (usize, usize),
        asks: AsksFilter<'_>,
    ) -> Result<Option<bool>, SegmentError> {
        let (blooms, place) = (&self.manifest.blooms, (group as u32, column as u32));
        let known = blooms.binary_search_by_key(&place, |bloom| (bloom.row_group, bloom.column));
        let Ok(at) = known else { return Ok(None) };
        if self.sound_blooms[at].load(Ordering::Relaxed)
            && let Some(blocks) = reader.bloom_blocks(group, column)
        {
            let failed = RefCell::new(None);
            let has = |number| {
                blocks.has(number).unwrap_or_else(|error| {
                    failed.replace(Some(error));
                    true
                })
            };
            let answer = asks(&has);
            return failed.into_inner().map_or(Ok(Some(answer)), Err);
        }
        let filter = reader.bloom_filter(group, column, blooms[at].crc32c)?;
        self.sound_blooms[at].store(true, Ordering::Relaxed);
        Ok(filter.map(|filter| asks(&|number| filter.check(&number.to_le_bytes()[..]))))
    }

    /// Values of a column of the file.
    pub(super) fn value_count(&self, column: usize) -> u64 {
        let Some(in_file) = self.file_columns.in_file[column] else { return 0 };
        let chunks = self.metadata.row_groups().iter().map(|group| group.column(in_file));
        chunks
            .map(|chunk| {
                let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt()).unwrap_or(0);
                (chunk.num_values() as u64).saturating_sub(nulls)
            })
            .sum()
    }

    /// Rows of a row group.
    pub(super) fn group_rows(&self, group: usize) -> u32 {
        self.metadata.row_group(group).num_rows() as u32
    }
}

/// The bloom filters of columns that are known here, by their numbers here.
fn known_blooms(blooms: &[BloomCheck], columns: &FileColumns) -> Vec<BloomCheck> {
    let mut numbers: HashMap<usize, u32> = HashMap::new();
    for (number, in_file) in columns.in_file.iter().enumerate() {
        if let Some(in_file) = in_file {
            numbers.entry(*in_file).or_insert(number as u32);
        }
    }
    let known = blooms.iter().filter_map(|bloom| {
        numbers.get(&(bloom.column as usize)).map(|&column| BloomCheck { column, ..bloom.clone() })
    });
    let mut known: Vec<BloomCheck> = known.collect();
    known.sort_unstable_by_key(|bloom| (bloom.row_group, bloom.column));
    known
}

fn read_index(directory: &Path, checked: &Checked) -> Result<TraceIndex, SegmentError> {
    let header = read_checked(&ReadFile::open(directory, INDEX)?, INDEX, 0, checked)?;
    TraceIndex::read(&header, checked.bytes)
}

fn read_checked(file: &ReadFile, name: &str, start: u64, checked: &Checked) -> Result<Vec<u8>, SegmentError> {
    if file.len()? != checked.bytes {
        return Err(SegmentError::damaged(format!("{name} has {} bytes, not {}", file.len()?, checked.bytes)));
    }
    let bytes = file.read(start, checked.checked_bytes as usize)?;
    if crc32c::crc32c(&bytes) != checked.crc32c {
        return Err(SegmentError::damaged(format!(
            "{name}: checksum of the {} part",
            if start == 0 { "first" } else { "last" }
        )));
    }
    Ok(bytes)
}

fn read_footer(name: &str, tail: Tail, bounds: PageIndexPolicy) -> Result<ParquetMetaData, SegmentError> {
    ParquetMetaDataReader::new()
        .with_column_index_policy(bounds)
        .with_offset_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&tail)
        .map_err(|error| SegmentError::damaged(format!("{name}: {error}")))
}

/// The end of the Parquet file, checked and in memory: page indexes and footer.
struct Tail {
    start: u64,
    bytes: Bytes,
}

impl parquet::file::reader::Length for Tail {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl parquet::file::reader::ChunkReader for Tail {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let len = (self.start + self.bytes.len() as u64).saturating_sub(start) as usize;
        Ok(bytes::Buf::reader(self.get_bytes(start, len)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let from = start.checked_sub(self.start).map(|from| from as usize);
        match from.filter(|from| from.checked_add(length).is_some_and(|end| end <= self.bytes.len())) {
            Some(from) => Ok(self.bytes.slice(from..from + length)),
            None => Err(parquet::errors::ParquetError::EOF(format!("{length} bytes at {start}"))),
        }
    }
}
