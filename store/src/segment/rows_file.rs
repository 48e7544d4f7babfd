//! Writes the Parquet file of a segment, a row group at a time.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::Compression,
    bloom_filter::Sbbf,
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        properties::{BloomFilterPosition, WriterProperties, WriterVersion},
        writer::SerializedFileWriter,
    },
};

use super::{
    SegmentError,
    body_fields::BodyFields,
    body_tokens::BodyFilter,
    event_tokens::ListKeys,
    files::{NewDirectory, NewFile},
    json::BadJson,
    manifest::{BloomCheck, Checked, ResidualKeys},
    operations::{ServiceList, ServiceNames},
    schema::{BODY_PREFIX, Listed, Table, id_column, lines, parquet_schema},
};
use crate::columns::{ChunkView, ChunkWriter, Column, ColumnSpec, Packing};

/// Rows of a row group. Few in tests of development builds, so that they meet the edges.
pub(super) const ROW_GROUP_ROWS: u32 = if cfg!(all(test, debug_assertions)) { 1000 } else { 128 << 10 };

/// Shows a column's values.
type Show<'s> = &'s mut dyn FnMut(ChunkView<'_>) -> Result<(), ParquetError>;

/// The file under way.
pub(super) struct RowsFile {
    table: &'static Table,
    specs: Vec<ColumnSpec>,
    writer: SerializedFileWriter<NewFile>,
    chunks: ChunkWriter,
    blooms: Vec<BloomCheck>,
    row_groups: u32,
    event_keys: ListKeys,
    link_keys: ListKeys,
    services: ServiceNames,
    /// Columns of ids that are fields of bodies, too, with how those hold them.
    ids_in_bodies: Vec<(usize, Packing)>,
}

/// What the manifest says of the file.
pub(super) struct RowsWritten {
    /// The file itself.
    pub(super) checked: Checked,
    /// Its bloom filters.
    pub(super) blooms: Vec<BloomCheck>,
    /// Keys of events' attributes.
    pub(super) event_keys: ResidualKeys,
    /// Keys of links' attributes.
    pub(super) link_keys: ResidualKeys,
    /// Its services.
    pub(super) services: ServiceList,
}

impl RowsFile {
    /// A new file of a table with these columns, compressed with zstd's `level`.
    pub(super) fn create(
        directory: &NewDirectory,
        table: &'static Table,
        specs: Vec<ColumnSpec>,
        level: i32,
    ) -> Result<Self, SegmentError> {
        let properties = WriterProperties::builder()
            .set_created_by("weir".to_owned())
            .set_compression(Compression::UNCOMPRESSED)
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_bloom_filter_position(BloomFilterPosition::End)
            .build();
        let schema = parquet_schema(table.row, &specs).map_err(write_error)?;
        let file = directory.file(table.file)?;
        let writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(write_error)?;
        let chunks = ChunkWriter::new(level).map_err(|source| write_error(source.into()))?;
        Ok(Self {
            table,
            specs,
            writer,
            chunks,
            blooms: Vec::new(),
            row_groups: 0,
            event_keys: ListKeys::default(),
            link_keys: ListKeys::default(),
            services: ServiceNames::default(),
            ids_in_bodies: Vec::new(),
        })
    }

    /// The columns.
    pub(super) fn specs(&self) -> &[ColumnSpec] {
        &self.specs
    }

    /// Says which fields of bodies are columns of ids: filters over bodies have these, too.
    pub(super) fn show_ids_in_bodies(&mut self, bodies: Option<&BodyFields>) {
        let ids = bodies.into_iter().flat_map(|bodies| &bodies.fields).filter_map(|field| field.same_as);
        self.ids_in_bodies = ids.map(id_column).collect();
    }

    /// What the templates and fields of a row group have for the filter over bodies.
    fn body_filter(
        &self,
        mut view: impl FnMut(usize, Show<'_>) -> Result<(), ParquetError>,
    ) -> Result<BodyFilter, ParquetError> {
        let mut filter = BodyFilter::new(None);
        view(lines::BODY_TEMPLATE, &mut |view| {
            filter = BodyFilter::new(Some(view));
            Ok(())
        })?;
        for (number, spec) in self.specs.iter().enumerate() {
            let id = self.ids_in_bodies.iter().find(|(column, _)| *column == number);
            if id.is_some() || spec.name.starts_with(BODY_PREFIX) {
                view(number, &mut |view| {
                    filter.add_field(spec, spec.packing, view);
                    Ok(())
                })?;
            }
        }
        Ok(filter)
    }

    /// Adds a row group; `view` shows each column's values for its rows.
    pub(super) fn write_row_group(
        &mut self,
        mut view: impl FnMut(usize, Show<'_>) -> Result<(), ParquetError>,
    ) -> Result<(), SegmentError> {
        let descr = self.writer.schema_descr().columns().to_vec();
        let listed = self.table.listed;
        let mut words = match listed.iter().any(|&(_, listed)| listed == Listed::Words) {
            true => Some(self.body_filter(&mut view).map_err(write_error)?),
            false => None,
        };
        let mut group = self.writer.next_row_group().map_err(write_error)?;
        for (number, spec) in self.specs.iter().enumerate() {
            let (chunks, blooms, row_group) = (&mut self.chunks, &mut self.blooms, self.row_groups);
            let (event_keys, link_keys, services) = (&mut self.event_keys, &mut self.link_keys, &mut self.services);
            view(number, &mut |view| {
                let (bytes, mut close) = chunks.encode(spec, descr[number].clone(), view)?;
                let bad = |error: BadJson| ParquetError::General(format!("column {}: {error}", spec.name));
                match listed.iter().find(|&&(column, _)| column == number) {
                    Some((_, Listed::Services)) => services.add(view),
                    Some((_, Listed::EventKeys)) => close.bloom_filter = event_keys.add_filtered(view).map_err(bad)?,
                    Some((_, Listed::LinkKeys)) => link_keys.add(view).map_err(bad)?,
                    Some((_, Listed::Words)) => {
                        close.bloom_filter = words.take().and_then(|words| words.finish(view));
                    }
                    None => {}
                }
                if let Some(filter) = &close.bloom_filter {
                    blooms.push(bloom_check(filter, row_group, number as u32)?);
                }
                group.append_column(&bytes, close)
            })
            .map_err(write_error)?;
        }
        group.close().map_err(write_error)?;
        self.row_groups += 1;
        Ok(())
    }

    /// Adds a row group of `rows` rows whose chunks were written before: those that `chunk_of` has, by column; others have no value. `services`
    /// are the row group's.
    pub(super) fn carry_row_group(
        &mut self,
        rows: u32,
        services: ChunkView<'_>,
        mut chunk_of: impl FnMut(usize) -> Result<Option<(Bytes, ColumnCloseResult)>, SegmentError>,
    ) -> Result<(), SegmentError> {
        let descr = self.writer.schema_descr().columns().to_vec();
        let mut group = self.writer.next_row_group().map_err(write_error)?;
        for (number, spec) in self.specs.iter().enumerate() {
            let (bytes, close) = match chunk_of(number)? {
                Some(chunk) => chunk,
                None => {
                    let empty = Column::empty(spec.kind, false);
                    self.chunks.encode(spec, descr[number].clone(), empty.slice(0, rows)).map_err(write_error)?
                }
            };
            if let Some(filter) = &close.bloom_filter {
                self.blooms.push(bloom_check(filter, self.row_groups, number as u32).map_err(write_error)?);
            }
            group.append_column(&bytes, close).map_err(write_error)?;
        }
        group.close().map_err(write_error)?;
        self.services.add(services);
        self.row_groups += 1;
        Ok(())
    }

    /// Writes the footer and makes the file durable.
    pub(super) fn finish(mut self, directory: &NewDirectory) -> Result<RowsWritten, SegmentError> {
        let metadata = self.writer.finish().map_err(write_error)?;
        drop(self.writer);
        let checked = checked_end(directory, self.table.file, &metadata)?;
        Ok(RowsWritten {
            checked,
            blooms: self.blooms,
            event_keys: self.event_keys.finish(),
            link_keys: self.link_keys.finish(),
            services: self.services.finish(),
        })
    }
}

/// Makes a written file durable, and answers what is under its checksum: the page indexes, which come after the bloom filters,
/// and the footer.
pub(super) fn checked_end(
    directory: &NewDirectory,
    name: &str,
    metadata: &ParquetMetaData,
) -> Result<Checked, SegmentError> {
    directory.sync(name)?;
    let file = directory.read(name)?;
    let bytes = file.len()?;
    let end = file.read(bytes.saturating_sub(8), 8)?;
    let footer_bytes = end.first_chunk::<4>().map_or(0, |len| u64::from(u32::from_le_bytes(*len)));
    let mut checked_from = bytes.saturating_sub(8 + footer_bytes);
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        for offset in [chunk.column_index_offset(), chunk.offset_index_offset()].into_iter().flatten() {
            checked_from = checked_from.min(offset as u64);
        }
    }
    let checked_bytes = bytes - checked_from;
    let tail = file.read(checked_from, checked_bytes as usize)?;
    Ok(Checked { bytes, checked_bytes, crc32c: crc32c::crc32c(&tail) })
}

/// The checksum of a filter.
pub(super) fn bloom_check(filter: &Sbbf, row_group: u32, column: u32) -> Result<BloomCheck, ParquetError> {
    let mut bits = Vec::new();
    filter.write_bitset(&mut bits)?;
    Ok(BloomCheck { row_group, column, crc32c: crc32c::crc32c(&bits) })
}

/// An error while writing: the disk's, or a limit of the format.
pub(super) fn write_error(error: ParquetError) -> SegmentError {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => SegmentError::io("the Parquet file".as_ref(), *source),
            Err(other) => SegmentError::Encode(other.to_string()),
        },
        other => SegmentError::Encode(other.to_string()),
    }
}
