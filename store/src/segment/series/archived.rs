//! The archive's copy of a segment of metrics: a table of its samples for others, and beside it the chunks and the index that
//! answer here. A sample takes a byte or two in a chunk and no query of series is answered by rows, so both are kept.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
    schema::types::{Type, TypePtr},
};
use serde::{Deserialize, Serialize};
use weir_proto::metrics::{Labels, METRIC_NAME, is_stale};

use super::{
    CHUNKS, INDEX,
    manifest::SeriesManifest,
    open::SeriesSegment,
    records::{BLOCK_SERIES, SeriesRecord},
};
use crate::{
    columns::{ChunkWriter, Column, ColumnSpec, Kind, Leaf, MapEntries, Nature, Packing, map_type},
    disk::Disk,
    samples::SeriesSamples,
    segment::{
        ReadObject, SegmentError,
        archived::{TABLE_VERSION, embedded, not_known},
        files::{MANIFEST, NewDirectory, NewFile, ReadFile},
        manifest::Checked,
        rows_file::{checked_end, write_error},
    },
};

/// The table's file.
const SAMPLES: &str = "samples.parquet";

/// Samples of a row group. Few in tests, so that series meet its end.
const GROUP_ROWS: u32 = if cfg!(test) { 100 } else { 128 << 10 };

/// Bytes of the chunks that are copied at a time.
const COPIED_BYTES: u64 = 1 << 20;

/// What the manifest of a copy says of the table's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::segment) struct SeriesArchivedAs {
    /// Of [`TABLE_VERSION`].
    pub(in crate::segment) table_version: u32,
    /// The file.
    pub(in crate::segment) rows: Checked,
    /// Rows in it: samples without the markers that a series ended.
    pub(in crate::segment) samples: u64,
    /// The least and the greatest metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::segment) metrics: Option<(String, String)>,
    /// Of all of the chunks.
    pub(in crate::segment) chunks_crc32c: u32,
}

/// Writes a segment's copy as a folder of its name below `parent`. `should_stop` is asked between row groups.
pub(crate) fn write_archived_series(
    disk: &Disk,
    parent: &Path,
    segment: &SeriesSegment,
    level: i32,
    should_stop: &dyn Fn() -> bool,
) -> Result<PathBuf, SegmentError> {
    let directory = NewDirectory::create(disk, parent, &segment.id().to_string())?;
    match write_files(&directory, segment, level, should_stop) {
        Ok(()) => directory.publish(),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}

/// The files of a copy: the table's, the index, the chunks, the manifest.
pub(crate) fn files_of(folder: &Path) -> [PathBuf; 4] {
    [SAMPLES, INDEX, CHUNKS, MANIFEST].map(|name| folder.join(name))
}

/// Writes the folder of a segment whose chunks are in the bucket, below `parent`.
pub(crate) fn write_series_stub(
    disk: &Disk,
    parent: &Path,
    manifest: &[u8],
    index: &[u8],
) -> Result<PathBuf, SegmentError> {
    let id = SeriesManifest::read(manifest)?.id()?;
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    match directory.write(INDEX, index).and_then(|()| directory.write(MANIFEST, manifest)) {
        Ok(()) => directory.publish(),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}

impl SeriesSegment {
    /// Opens one whose chunks are elsewhere.
    pub(crate) fn open_archived(path: &Path, chunks: Arc<dyn ReadObject>) -> Result<Self, SegmentError> {
        Self::open_with(path, Some(ReadFile::elsewhere(chunks)))
    }
}

fn write_files(
    directory: &NewDirectory,
    segment: &SeriesSegment,
    level: i32,
    should_stop: &dyn Fn() -> bool,
) -> Result<(), SegmentError> {
    let zstd = ZstdLevel::try_new(level).map_err(write_error)?;
    let properties = WriterProperties::builder()
        .set_created_by("weir".to_owned())
        .set_compression(Compression::ZSTD(zstd))
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .build();
    let schema = schema().map_err(write_error)?;
    let writer = SerializedFileWriter::new(directory.file(SAMPLES)?, schema, Arc::new(properties));
    let mut table = Table {
        writer: writer.map_err(write_error)?,
        chunks: ChunkWriter::new(level).map_err(|source| write_error(source.into()))?,
        rows: Rows::default(),
        samples: 0,
        metrics: None,
        should_stop,
    };
    for block in 0..segment.series_count().div_ceil(BLOCK_SERIES) {
        for record in segment.record_block(block)? {
            table.add(segment, &record)?;
        }
    }
    table.finish_group()?;
    let chunks_crc32c = copy(directory, CHUNKS, &segment.chunks)?;
    copy(directory, INDEX, &segment.index)?;
    let (samples, metrics) = (table.samples, table.metrics);
    let archived =
        SeriesArchivedAs { table_version: TABLE_VERSION, rows: not_known(), samples, metrics, chunks_crc32c };
    table.writer.append_key_value_metadata(embedded(&segment.manifest().archived_as(archived.clone())));
    let metadata = table.writer.finish().map_err(write_error)?;
    drop(table.writer);
    let archived = SeriesArchivedAs { rows: checked_end(directory, SAMPLES, &metadata)?, ..archived };
    directory.write(MANIFEST, &segment.manifest().archived_as(archived).to_bytes())
}

/// Copies a file; its CRC32C.
fn copy(directory: &NewDirectory, name: &str, from: &ReadFile) -> Result<u32, SegmentError> {
    let mut file = directory.file(name)?;
    let (mut start, mut crc, bytes) = (0, 0, from.len()?);
    while start < bytes {
        let part = from.read(start, COPIED_BYTES.min(bytes - start) as usize)?;
        file.write_all(&part).map_err(|source| write_error(source.into()))?;
        crc = crc32c::crc32c_append(crc, &part);
        start += part.len() as u64;
    }
    file.flush().map_err(|source| write_error(source.into()))?;
    directory.sync(name)?;
    Ok(crc)
}

/// The file's columns: docs/tables.md.
fn schema() -> Result<TypePtr, ParquetError> {
    let leaf = |name, physical, logical, required| {
        let repetition = if required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let leaf = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        leaf.with_logical_type(logical).build().map(Arc::new)
    };
    let micros = LogicalType::timestamp(true, TimeUnit::MICROS);
    let fields = vec![
        leaf("metric", Physical::BYTE_ARRAY, Some(LogicalType::String), true)?,
        map_type("labels")?,
        leaf("time", Physical::INT64, Some(micros), true)?,
        leaf("value", Physical::DOUBLE, None, false)?,
        leaf("histogram_count", Physical::DOUBLE, None, false)?,
        leaf("histogram_sum", Physical::DOUBLE, None, false)?,
    ];
    Ok(Arc::new(Type::group_type_builder("sample").with_fields(fields).build()?))
}

/// The rows of a row group under way.
#[derive(Debug)]
struct Rows {
    count: u32,
    metric: Column,
    labels: MapEntries,
    time: Column,
    numbers: [Column; 3],
}

impl Default for Rows {
    fn default() -> Self {
        let numbers = [Column::sparse_words(), Column::sparse_words(), Column::sparse_words()];
        let (metric, time) = (Column::dense_bytes(), Column::dense_words());
        Self { count: 0, metric, labels: MapEntries::default(), time, numbers }
    }
}

/// What the rows of a series have alike, as codes of the row group under way.
struct Alike {
    metric: u64,
    labels: Vec<(u32, u32)>,
}

struct Table<'a> {
    writer: SerializedFileWriter<NewFile>,
    chunks: ChunkWriter,
    rows: Rows,
    samples: u64,
    metrics: Option<(String, String)>,
    should_stop: &'a dyn Fn() -> bool,
}

impl Table<'_> {
    fn add(&mut self, segment: &SeriesSegment, record: &SeriesRecord) -> Result<(), SegmentError> {
        let metric = record.labels.iter().find(|(name, _)| *name == METRIC_NAME).map_or("", |(_, value)| value);
        self.note_metric(metric);
        let mut alike = None;
        let mut samples = SeriesSamples::default();
        for chunk in &record.chunks {
            samples.clear();
            segment.read_chunk(chunk, (i64::MIN, i64::MAX), &mut samples)?;
            let floats = samples.times_ms.iter().zip(&samples.values);
            // That a series ended is no measurement: whoever computes with the table would get NaN.
            let floats = floats.filter(|(_, value)| !is_stale(**value));
            let floats = floats.map(|(time_ms, value)| (*time_ms, [Some(*value), None, None]));
            let histograms = samples.histograms.iter().map(|timed| {
                let histogram = &timed.histogram;
                (timed.time_ms, [None, Some(histogram.count), Some(histogram.sum)])
            });
            for (time_ms, numbers) in floats.chain(histograms) {
                if self.rows.count == GROUP_ROWS {
                    self.finish_group()?;
                    alike = None;
                }
                let of_series = alike.get_or_insert_with(|| self.rows.alike(metric, &record.labels));
                self.rows.push(of_series, time_ms, numbers);
            }
        }
        Ok(())
    }

    fn note_metric(&mut self, metric: &str) {
        match &mut self.metrics {
            None => self.metrics = Some((metric.to_owned(), metric.to_owned())),
            Some((least, _)) if metric < least.as_str() => metric.clone_into(least),
            Some((_, greatest)) if metric > greatest.as_str() => metric.clone_into(greatest),
            Some(_) => {}
        }
    }

    fn finish_group(&mut self) -> Result<(), SegmentError> {
        if (self.should_stop)() {
            return Err(SegmentError::Stopped);
        }
        let Rows { count, metric, labels, time, numbers } = std::mem::take(&mut self.rows);
        self.samples += u64::from(count);
        if count == 0 {
            return Ok(());
        }
        let descr = self.writer.schema_descr().columns().to_vec();
        let mut group = self.writer.next_row_group().map_err(write_error)?;
        let spec = |name: &str, kind, required| ColumnSpec {
            name: name.to_owned(),
            kind,
            required,
            packing: Packing::None,
            nature: Nature::Plain,
        };
        let chunks = &mut self.chunks;
        let mut columns = Vec::with_capacity(descr.len());
        columns.push(chunks.encode(&spec("metric", Kind::Text, true), descr[0].clone(), metric.slice(0, count)));
        let labels = labels.by_row(count, false);
        columns.push(labels.encode(chunks, Leaf::Key, descr[1].clone()));
        columns.push(labels.encode(chunks, Leaf::Value, descr[2].clone()));
        columns.push(chunks.encode(&spec("time", Kind::Int64, true), descr[3].clone(), time.slice(0, count)));
        for (number, column) in numbers.iter().enumerate() {
            let name = ["value", "histogram_count", "histogram_sum"][number];
            let spec = spec(name, Kind::Double, false);
            columns.push(chunks.encode(&spec, descr[4 + number].clone(), column.slice(0, count)));
        }
        for column in columns {
            let (bytes, close) = column.map_err(write_error)?;
            group.append_column(&bytes, close).map_err(write_error)?;
        }
        group.close().map(drop).map_err(write_error)
    }
}

impl Rows {
    fn alike(&mut self, metric: &str, labels: &Labels) -> Alike {
        let crate::columns::Values::Bytes { dictionary, .. } = &mut self.metric.values else {
            unreachable!("a column of bytes")
        };
        let metric = u64::from(dictionary.intern(metric.as_bytes()));
        let others = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let labels =
            others.map(|(name, value)| (self.labels.key(name.as_bytes()), self.labels.value(value.as_bytes())));
        Alike { metric, labels: labels.collect() }
    }

    fn push(&mut self, alike: &Alike, time_ms: i64, numbers: [Option<f64>; 3]) {
        let row = self.count;
        self.metric.push_again(row, alike.metric);
        for &(key, value) in &alike.labels {
            self.labels.push(row, key, Some(value));
        }
        self.time.push_word(row, time_ms.saturating_mul(1000) as u64);
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            if let Some(number) = number {
                column.push_word(row, number.to_bits());
            }
        }
        self.count += 1;
    }
}
