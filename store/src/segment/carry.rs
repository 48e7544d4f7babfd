//! Takes row groups of lines over into a merged file as they are: bytes, indexes and filters, without decoding a value.

use bytes::Bytes;
use parquet::{
    column::writer::ColumnCloseResult,
    file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, ParquetMetaData},
    schema::types::ColumnDescPtr,
};
use weir_proto::Signal;

use super::{Segment, SegmentError, body_fields::BodyFields, body_tokens::Tokens, chunk_reader::ChunkReader};
use crate::columns::ColumnSpec;

/// A segment whose row groups may be taken over.
#[derive(Debug)]
pub(super) struct Carrier {
    /// Its footer with the pages' bounds, which nobody else asks for.
    indexes: ParquetMetaData,
    /// For each column of the output the input's, if there is one.
    sources: Vec<Option<usize>>,
    /// Those of them that have a value on every row.
    required: Vec<Option<usize>>,
}

impl Carrier {
    /// Of an input whose columns go to the output's as they are; `None` where some would not, or where filters have other tokens.
    pub(super) fn new(
        input: &Segment,
        output: &[ColumnSpec],
        bodies: Option<&BodyFields>,
        sources: &[Option<usize>],
    ) -> Result<Option<Self>, SegmentError> {
        if input.table().signal != Signal::Logs || input.manifest.tokens() != Tokens::WithIds {
            return Ok(None);
        }
        // A field that is a column of ids here and has its own there, or the other way round.
        let is_same_id = |field: &super::body_fields::BodyField| {
            bodies.and_then(|bodies| bodies.named(&field.name)).is_some_and(|there| there.same_as == field.same_as)
        };
        let are_ids_same = input.manifest.bodies.iter().flat_map(|bodies| &bodies.fields).all(is_same_id);
        let are_same =
            output.iter().zip(sources).all(|(spec, source)| source.is_none_or(|source| input.specs()[source] == *spec));
        if !are_ids_same || !are_same {
            return Ok(None);
        }
        let required =
            output.iter().zip(sources).filter(|(spec, _)| spec.required).map(|(_, source)| *source).collect();
        Ok(Some(Self { indexes: input.with_page_bounds()?, sources: sources.to_vec(), required }))
    }

    /// Whether every value of a row group has a place in the output.
    pub(super) fn holds_all(&self, reader: &ChunkReader<'_>, group: usize) -> bool {
        let has_place = |column: usize| self.sources.contains(&Some(column)) || reader.is_shared(column);
        let is_written = |source: &Option<usize>| source.is_some_and(|column| reader.chunk(group, column).is_some());
        self.required.iter().all(is_written)
            && (0..reader.specs.len()).all(|column| reader.is_empty(group, column) || has_place(column))
    }

    /// The chunk of an output column; `None` where the input has no such column.
    pub(super) fn chunk(
        &self,
        input: &Segment,
        reader: &ChunkReader<'_>,
        group: usize,
        output: usize,
    ) -> Result<Option<(Bytes, ColumnCloseResult)>, SegmentError> {
        let Some(column) = self.sources[output] else { return Ok(None) };
        let Some(chunk) = reader.chunk(group, column) else { return Ok(None) };
        carried(input, &self.indexes, reader, (group, column), chunk.column_descr_ptr()).map(Some)
    }
}

/// A chunk's bytes, and what the footer says of it, now of a column of another file. `indexes` are the input's.
pub(super) fn carried(
    input: &Segment,
    indexes: &ParquetMetaData,
    reader: &ChunkReader<'_>,
    (group, column): (usize, usize),
    descr: ColumnDescPtr,
) -> Result<(Bytes, ColumnCloseResult), SegmentError> {
    let chunk = reader.chunk(group, column).ok_or_else(|| SegmentError::damaged("no such chunk"))?;
    let damaged = || {
        let name = &reader.specs[column].name;
        SegmentError::damaged(format!("{}: row group {group}, column {name}: indexes", reader.table.file))
    };
    let bytes = reader.checked_bytes(group, column)?;
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let in_file = reader.number_in_file(column).ok_or_else(damaged)?;
    let column_index = indexes.column_index().and_then(|index| index.get(group)?.get(in_file)).cloned();
    let offsets = indexes.offset_index().and_then(|index| index.get(group)?.get(in_file)).ok_or_else(damaged)?;
    let locations = offsets.page_locations();
    let ends = locations.iter().skip(1).map(|next| next.first_row_index);
    let group_rows = reader.metadata.row_group(group).num_rows();
    let mut offset_index = OffsetIndexBuilder::new();
    for (location, end) in locations.iter().zip(ends.chain([group_rows])) {
        offset_index.append_offset_and_size(location.offset - start, location.compressed_page_size);
        offset_index.append_row_count(end - location.first_row_index);
    }
    let close = ColumnCloseResult {
        bytes_written: bytes.len() as u64,
        rows_written: group_rows as u64,
        metadata: relative(chunk, start, descr).map_err(|_| damaged())?,
        bloom_filter: input.bloom_filter(reader, group, column)?,
        column_index,
        offset_index: Some(offset_index.build()),
    };
    Ok((Bytes::from(bytes), close))
}

/// What the footer says of a chunk, as if the chunk were the file.
fn relative(
    chunk: &ColumnChunkMetaData,
    start: i64,
    descr: ColumnDescPtr,
) -> Result<ColumnChunkMetaData, parquet::errors::ParquetError> {
    let mut builder = ColumnChunkMetaData::builder(descr)
        .set_compression(chunk.compression())
        .set_encodings(chunk.encodings().collect())
        .set_total_compressed_size(chunk.compressed_size())
        .set_total_uncompressed_size(chunk.uncompressed_size())
        .set_num_values(chunk.num_values())
        .set_data_page_offset(chunk.data_page_offset() - start)
        .set_dictionary_page_offset(chunk.dictionary_page_offset().map(|offset| offset - start));
    if let Some(statistics) = chunk.statistics() {
        builder = builder.set_statistics(statistics.clone());
    }
    builder.build()
}
