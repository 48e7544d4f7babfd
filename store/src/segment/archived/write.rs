//! Writes the archive's copy of a segment: its rows as a file of an open table that is the segment's, too.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, ZstdLevel},
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::ParquetMetaData,
        properties::{BloomFilterPosition, WriterProperties, WriterVersion},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::ColumnDescPtr,
};

use super::{
    columns::TABLE_VERSION,
    embedded::{embedded, not_known},
    gathered::Group,
    plan::{Making, Output, Plan},
};
use crate::{
    columns::{ChunkWriter, Column, Leaf},
    disk::Disk,
    segment::{
        Segment, SegmentError,
        carry::carried,
        files::{FOOTER, INDEX, MANIFEST, NewDirectory, NewFile},
        manifest::{ArchivedAs, BloomCheck, Manifest},
        rows_file::{bloom_check, checked_end, write_error},
        scan::{bodies, gather::ChosenRows},
    },
};

/// Writes a segment's copy as a folder of its name below `parent`: the table's file, the trace-id index, the manifest. Row groups stay
/// what they are, and so does every answer. `should_stop` is asked between row groups.
pub(crate) fn write_archived(
    disk: &Disk,
    parent: &std::path::Path,
    segment: &Arc<Segment>,
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

fn write_files(
    directory: &NewDirectory,
    segment: &Segment,
    level: i32,
    should_stop: &dyn Fn() -> bool,
) -> Result<(), SegmentError> {
    let table = segment.table();
    let plan = Plan::of(segment);
    let zstd = ZstdLevel::try_new(level).map_err(write_error)?;
    let properties = WriterProperties::builder()
        .set_created_by("weir".to_owned())
        .set_compression(Compression::ZSTD(zstd))
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_bloom_filter_position(BloomFilterPosition::End)
        .build();
    let schema = plan.schema(table.row).map_err(write_error)?;
    let file = directory.file(table.file)?;
    let writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).map_err(write_error)?;
    let mut copy = Copy {
        plan: &plan,
        segment,
        indexes: segment.with_page_bounds()?,
        chunks: ChunkWriter::new(level).map_err(|source| write_error(source.into()))?,
        writer,
        blooms: Vec::new(),
    };
    let file = segment.open_rows()?;
    let reader = segment.reader(&file);
    for number in 0..segment.groups() {
        if should_stop() {
            return Err(SegmentError::Stopped);
        }
        copy.write_group(Group { reader: &reader, number, rows: segment.group_rows(number) })?;
    }
    let Copy { mut writer, blooms, .. } = copy;
    let archived = Some(ArchivedAs { table_version: TABLE_VERSION, columns: plan.names });
    let mut manifest = Manifest { spans: not_known(), blooms, archived, ..segment.manifest.clone() };
    writer.append_key_value_metadata(embedded(&manifest));
    let metadata = writer.finish().map_err(write_error)?;
    drop(writer);
    manifest.spans = checked_end(directory, table.file, &metadata)?;
    let written = directory.read(table.file)?;
    directory.write(FOOTER, &written.checked_end(table.file, &manifest.spans)?)?;
    if let Some(index) = segment.index_file()? {
        directory.write(INDEX, &index.read(0, index.len()? as usize)?)?;
    }
    directory.write(MANIFEST, &manifest.to_bytes())
}

/// A chunk, and what the footer says of it.
type Chunk = (Bytes, ColumnCloseResult);

struct Copy<'a> {
    plan: &'a Plan,
    segment: &'a Segment,
    /// The segment's footer with the bounds of pages.
    indexes: ParquetMetaData,
    chunks: ChunkWriter,
    writer: SerializedFileWriter<NewFile>,
    blooms: Vec<BloomCheck>,
}

impl Copy<'_> {
    fn write_group(&mut self, group: Group<'_>) -> Result<(), SegmentError> {
        let descr = self.writer.schema_descr().columns().to_vec();
        let mut row_group = self.writer.next_row_group().map_err(write_error)?;
        let mut next = 0;
        for output in &self.plan.outputs {
            let (plan, segment) = (self.plan, self.segment);
            let mut maker = Maker { plan, segment, indexes: &self.indexes, chunks: &mut self.chunks };
            let leaves = maker.chunks_of(output, group, &descr[next..])?;
            for chunk in leaves {
                if let Some(filter) = &chunk.1.bloom_filter {
                    let check = bloom_check(filter, group.number as u32, next as u32).map_err(write_error)?;
                    self.blooms.push(check);
                }
                append(&mut row_group, chunk).map_err(write_error)?;
                next += 1;
            }
        }
        row_group.close().map_err(write_error)?;
        Ok(())
    }
}

fn append(row_group: &mut SerializedRowGroupWriter<'_, NewFile>, (bytes, close): Chunk) -> Result<(), ParquetError> {
    row_group.append_column(&bytes, close)
}

/// Makes the chunks of one row group.
struct Maker<'a> {
    plan: &'a Plan,
    segment: &'a Segment,
    indexes: &'a ParquetMetaData,
    chunks: &'a mut ChunkWriter,
}

impl Maker<'_> {
    /// The chunks of an output: one, or two of a map.
    fn chunks_of(
        &mut self,
        output: &Output,
        group: Group<'_>,
        descr: &[ColumnDescPtr],
    ) -> Result<Vec<Chunk>, SegmentError> {
        let spec = &output.spec;
        let column = match &output.making {
            Making::Carried(number) => {
                let place = (group.number, *number);
                return Ok(vec![carried(self.segment, self.indexes, group.reader, place, descr[0].clone())?]);
            }
            Making::Encoded(number) => match group.column(*number)? {
                Some(block) => block.column,
                None => Column::empty(spec.kind, spec.required),
            },
            Making::Micros(number) => group.micros(*number, spec.required)?,
            Making::Words(number, words) => group.words(*number, words)?,
            Making::Bodies => bodies::read(group.reader, group.number, &ChosenRows::All(group.rows))?,
            Making::Residual(residual, key, kind) => group.residual(*residual, key, *kind)?,
            Making::Others(place) => {
                let others = self.plan.others(*place);
                let map = group.others(&others.columns, others.residual, &others.taken)?;
                let mut leaf = |leaf, descr: &ColumnDescPtr| map.encode(self.chunks, leaf, descr.clone());
                let keys = leaf(Leaf::Key, &descr[0]).map_err(write_error)?;
                let values = leaf(Leaf::Value, &descr[1]).map_err(write_error)?;
                return Ok(vec![keys, values]);
            }
        };
        let chunk = self.chunks.encode(spec, descr[0].clone(), column.slice(0, group.rows)).map_err(write_error)?;
        Ok(vec![chunk])
    }
}

impl Segment {
    /// Whether some bodies are kept in parts.
    pub(super) fn has_templates(&self) -> bool {
        self.manifest.bodies.iter().flat_map(|bodies| &bodies.fields).any(|field| field.templated)
    }

    /// A column's number in the file.
    pub(super) fn number_in_file(&self, column: usize) -> Option<usize> {
        self.file_columns.in_file[column]
    }

    /// Whether a column is another one, read under a second name.
    pub(super) fn is_shared(&self, column: usize) -> bool {
        self.file_columns.is_shared(column)
    }

    /// Whether a column is one of ids, read as a field.
    pub(super) fn is_id_as_field(&self, column: usize) -> bool {
        let fixed = self.table().len();
        let in_file = &self.file_columns.in_file;
        column >= fixed && in_file[..fixed].contains(&in_file[column])
    }
}
