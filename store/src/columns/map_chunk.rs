//! Encodes a column that maps texts to texts, for one row group: Parquet's MAP, as two columns with levels.

use std::ops::Range;

use bytes::Bytes;
use parquet::{
    basic::{Compression, ConvertedType, Encoding, LogicalType, Repetition, Type as Physical, ZstdLevel},
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder},
    schema::types::{ColumnDescPtr, Type, TypePtr},
};

use super::{
    chunk_writer::{Chunk, ChunkWriter, PAGE_ROWS},
    dictionary::Dictionary,
    encoding::{bits, delta, hybrid, page},
};

/// An entry without a value.
const NO_VALUE: u32 = u32::MAX;

/// Entries of the rows of a row group, in any order of rows at first.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Row, key, value: codes of the dictionaries.
    pushed: Vec<(u32, u32, u32)>,
    keys: Dictionary,
    values: Dictionary,
}

/// The same by rows.
#[derive(Debug)]
pub(crate) struct MapRows {
    /// Where each row's entries begin; one more at the end.
    starts: Vec<u32>,
    /// Key and value of each entry.
    entries: Vec<(u32, u32)>,
    keys: Dictionary,
    values: Dictionary,
}

/// Which of the two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// The keys.
    Key,
    /// The values.
    Value,
}

/// The type of such a column.
pub(crate) fn map_type(name: &str) -> Result<TypePtr, ParquetError> {
    let leaf = |name: &str, repetition| {
        Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::String))
            .build()
    };
    let fields = vec![leaf("key", Repetition::REQUIRED)?.into(), leaf("value", Repetition::OPTIONAL)?.into()];
    let entries = Type::group_type_builder("key_value").with_repetition(Repetition::REPEATED).with_fields(fields);
    let map = Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::Map))
        .with_converted_type(ConvertedType::MAP)
        .with_fields(vec![entries.build()?.into()]);
    Ok(map.build()?.into())
}

impl Entries {
    /// The code of a key.
    pub(crate) fn key(&mut self, key: &[u8]) -> u32 {
        self.keys.intern_repeated(key)
    }

    /// The code of a value.
    pub(crate) fn value(&mut self, value: &[u8]) -> u32 {
        self.values.intern_repeated(value)
    }

    /// Adds an entry; of a row's entries with one key the first stays.
    pub(crate) fn push(&mut self, row: u32, key: u32, value: Option<u32>) {
        self.pushed.push((row, key, value.unwrap_or(NO_VALUE)));
    }

    /// Sorts them by row. `may_repeat` says whether a row may have a key twice.
    pub(crate) fn by_row(self, rows: u32, may_repeat: bool) -> MapRows {
        let mut starts = vec![0u32; rows as usize + 1];
        for &(row, ..) in &self.pushed {
            starts[row as usize + 1] += 1;
        }
        for row in 0..rows as usize {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); self.pushed.len()];
        for &(row, key, value) in &self.pushed {
            let place = &mut next[row as usize];
            entries[*place as usize] = (key, value);
            *place += 1;
        }
        let mut map = MapRows { starts, entries, keys: self.keys, values: self.values };
        if may_repeat {
            map.keep_first();
        }
        map
    }
}

impl MapRows {
    fn keep_first(&mut self) {
        let mut kept: Vec<(u32, u32)> = Vec::with_capacity(self.entries.len());
        // The row in which a key was seen last.
        let mut seen = vec![u32::MAX; self.keys.len()];
        for row in 0..self.starts.len() - 1 {
            let range = self.starts[row] as usize..self.starts[row + 1] as usize;
            self.starts[row] = kept.len() as u32;
            for &(key, value) in &self.entries[range] {
                if std::mem::replace(&mut seen[key as usize], row as u32) != row as u32 {
                    kept.push((key, value));
                }
            }
        }
        if let Some(end) = self.starts.last_mut() {
            *end = kept.len() as u32;
        }
        self.entries = kept;
    }

    fn rows(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// The chunk of one of the two columns.
    pub(crate) fn encode(
        &self,
        writer: &mut ChunkWriter,
        leaf: Leaf,
        descr: ColumnDescPtr,
    ) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let dictionary = if leaf == Leaf::Key { &self.keys } else { &self.values };
        // Most values different: codes would only come on top of them.
        let is_coded = dictionary.len() > 0 && dictionary.len() * 2 <= self.entries.len();
        let width = bits::width_of(dictionary.len().saturating_sub(1) as u64);
        let mut chunk = Chunk { bytes: Vec::new(), plain_bytes: 0, compresses: true };
        let mut dictionary_bytes = 0;
        if is_coded {
            writer.body.clear();
            for code in 0..dictionary.len() as u32 {
                writer.body.extend_from_slice(&(dictionary.value_len(code) as u32).to_le_bytes());
                writer.body.extend_from_slice(dictionary.get(code));
            }
            dictionary_bytes = writer.write_page(&mut chunk, true, dictionary.len() as u32, page::PLAIN)?;
        }
        let encoding = if is_coded { page::DICTIONARY } else { page::DELTA_LENGTH };
        let mut offsets = OffsetIndexBuilder::new();
        let (mut first, mut levels) = (0, 0);
        while first < self.rows() {
            let end = (first + PAGE_ROWS).min(self.rows());
            let count = self.fill(&mut writer.body, leaf, first..end, is_coded.then_some(width));
            let start = chunk.bytes.len();
            let stored = writer.write_page(&mut chunk, false, count, encoding)?;
            offsets.append_offset_and_size(start as i64, stored as i32);
            offsets.append_row_count(i64::from(end - first));
            levels += u64::from(count);
            first = end;
        }
        let encodings = match is_coded {
            true => vec![Encoding::RLE, Encoding::PLAIN, Encoding::RLE_DICTIONARY],
            false => vec![Encoding::RLE, Encoding::DELTA_LENGTH_BYTE_ARRAY],
        };
        let metadata = ColumnChunkMetaData::builder(descr)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(writer.level)?))
            .set_encodings(encodings)
            .set_total_compressed_size(chunk.bytes.len() as i64)
            .set_total_uncompressed_size(chunk.plain_bytes as i64)
            .set_num_values(levels as i64)
            .set_data_page_offset(dictionary_bytes as i64)
            .set_dictionary_page_offset((dictionary_bytes > 0).then_some(0))
            .build()?;
        let close = ColumnCloseResult {
            bytes_written: chunk.bytes.len() as u64,
            rows_written: u64::from(self.rows()),
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        };
        Ok((Bytes::from(chunk.bytes), close))
    }

    /// A page's content; answers how many levels it has.
    fn fill(&self, body: &mut Vec<u8>, leaf: Leaf, rows: Range<u32>, width: Option<u32>) -> u32 {
        let (mut repetition, mut definition, mut codes) = (Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            let entries = &self.entries[self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize];
            if entries.is_empty() {
                repetition.push(0);
                definition.push(0);
            }
            for (number, &(key, value)) in entries.iter().enumerate() {
                repetition.push(u32::from(number > 0));
                match leaf {
                    Leaf::Key => codes.push(key),
                    Leaf::Value if value == NO_VALUE => {}
                    Leaf::Value => codes.push(value),
                }
                definition.push(1 + u32::from(leaf == Leaf::Value && value != NO_VALUE));
            }
        }
        body.clear();
        for (levels, width) in [(&repetition, 1), (&definition, if leaf == Leaf::Key { 1 } else { 2 })] {
            let at = body.len();
            body.extend_from_slice(&[0; 4]);
            hybrid::encode(levels, width, body);
            let len = (body.len() - at - 4) as u32;
            body[at..at + 4].copy_from_slice(&len.to_le_bytes());
        }
        let dictionary = if leaf == Leaf::Key { &self.keys } else { &self.values };
        match width {
            Some(width) => {
                body.push(width as u8);
                hybrid::encode(&codes, width, body);
            }
            None => {
                let lengths: Vec<u64> = codes.iter().map(|&code| dictionary.value_len(code) as u64).collect();
                delta::encode(&lengths, body);
                codes.iter().for_each(|&code| body.extend_from_slice(dictionary.get(code)));
            }
        }
        repetition.len() as u32
    }
}
