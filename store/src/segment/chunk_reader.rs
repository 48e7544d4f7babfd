//! Decodes the pages of a column chunk that hold the wanted rows. Believes nothing that no checksum or footer vouches for.

use std::ops::Range;

use memchr::memmem::Finder;
use parquet::{
    bloom_filter::Sbbf,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        statistics::Statistics,
    },
};

use super::{
    SegmentError,
    bloom_block::{BLOCK_BYTES, BloomBlocks},
    files::ReadFile,
    opened_page::{Buffers, data_encoding, open_page},
    schema::{FileColumns, Table, Unwritten},
};
use crate::columns::{
    BadEncoding, Column, ColumnSpec, DataPage, Dictionary, Entries, Kind, Packing, Values, decode_plain_bytes,
    decode_plain_words,
    page::{self, PageHeader},
};

/// Values of some pages of a column chunk; rows count from the row group's first.
#[derive(Debug)]
pub(super) struct Block {
    /// First row.
    pub(super) first: u32,
    /// The pages: first row, rows, position of the first value where every row has one.
    pages: Vec<(u32, u32, usize)>,
    /// The values.
    pub(super) column: Column,
}

impl Block {
    /// The position of a row's value.
    pub(super) fn position(&self, row: u32) -> Option<usize> {
        if self.column.rows.is_some() {
            return self.column.position(row);
        }
        let page = self.pages.partition_point(|&(first, _, _)| first <= row).checked_sub(1)?;
        let (first, rows, position) = self.pages[page];
        (row - first < rows).then(|| position + (row - first) as usize)
    }

    /// Whether two rows are known to have the same.
    pub(super) fn is_same(&self, one: u32, other: u32) -> bool {
        match (self.position(one), self.position(other)) {
            (Some(one), Some(other)) => self.column.is_same(one, other),
            (one, other) => one == other,
        }
    }

    /// The row of a position, in a block without gaps.
    #[inline]
    pub(super) fn row(&self, position: usize) -> u32 {
        match &self.column.rows {
            None => self.first + position as u32,
            Some(rows) => rows[position],
        }
    }
}

/// The rows of a segment, open for reading.
pub(super) struct ChunkReader<'a> {
    /// The Parquet file.
    pub(super) file: &'a ReadFile,
    /// Its footer.
    pub(super) metadata: &'a ParquetMetaData,
    /// Its columns, by the numbers that everything here is asked with.
    pub(super) specs: &'a [ColumnSpec],
    /// The same, with their numbers in the file.
    columns: &'a FileColumns,
    /// Whose they are.
    pub(super) table: &'static Table,
}

/// A chunk of so many bytes at most is looked through for a needle before anything else is read of its row group.
const NEEDLE_BYTES_MAX: i64 = 4 << 20;

impl<'a> ChunkReader<'a> {
    /// Reads `file`, whose footer says this.
    pub(super) fn new(file: &'a ReadFile, metadata: &'a ParquetMetaData, columns: &'a FileColumns) -> Self {
        Self { file, metadata, specs: &columns.specs, columns, table: columns.table }
    }

    /// A column's chunk in a row group; `None` when the file was written without the column.
    pub(super) fn chunk(&self, group: usize, column: usize) -> Option<&'a ColumnChunkMetaData> {
        self.columns.in_file[column].map(|column| self.metadata.row_group(group).column(column))
    }

    /// A column's number in the file.
    pub(super) fn number_in_file(&self, column: usize) -> Option<usize> {
        self.columns.in_file[column]
    }

    /// Whether a column is another one before it, read under a second name.
    pub(super) fn is_shared(&self, column: usize) -> bool {
        self.columns.is_shared(column)
    }

    /// The bytes of a chunk, of which every page has its checksum.
    pub(super) fn checked_bytes(&self, group: usize, column: usize) -> Result<Vec<u8>, SegmentError> {
        let bad = |bad: BadEncoding| {
            let (file, name) = (self.table.file, &self.specs[column].name);
            SegmentError::damaged(format!("{file}: row group {group}, column {name}: {bad}"))
        };
        let chunk = self.chunk(group, column).ok_or_else(|| bad(BadEncoding("no chunk")))?;
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let place = u64::try_from(start).ok().zip(usize::try_from(chunk.compressed_size()).ok());
        let (start, len) = place.ok_or_else(|| bad(BadEncoding("chunk place")))?;
        let bytes = self.file.read(start, len)?;
        let mut left = &bytes[..];
        while !left.is_empty() {
            let header = PageHeader::take(&mut left).map_err(bad)?;
            let content = left.split_at_checked(header.stored_bytes as usize);
            let (content, rest) = content.ok_or_else(|| bad(BadEncoding("page length")))?;
            if crc32fast::hash(content) != header.crc {
                return Err(bad(BadEncoding("page checksum")));
            }
            left = rest;
        }
        Ok(bytes)
    }

    /// Whether no row of the group has a value in this column.
    pub(super) fn is_empty(&self, group: usize, column: usize) -> bool {
        let Some(chunk) = self.chunk(group, column) else { return !self.specs[column].required };
        let nulls = chunk.statistics().and_then(|statistics| statistics.null_count_opt());
        nulls == Some(chunk.num_values() as u64)
    }

    /// Smallest and largest number of a column of integers, where the statistics tell.
    pub(super) fn int_range(&self, group: usize, column: usize) -> Option<(i64, i64)> {
        let Some(chunk) = self.chunk(group, column) else {
            let is_int = self.specs[column].kind != Kind::Double;
            return self.table.unwritten_word(column).filter(|_| is_int).map(|word| (word as i64, word as i64));
        };
        match chunk.statistics()? {
            Statistics::Int32(bounds) => {
                // Parquet's type has a sign, the values of such a column have none.
                let is_unsigned = self.specs[column].kind == Kind::Uint32;
                let wide = |&bound: &i32| if is_unsigned { i64::from(bound as u32) } else { i64::from(bound) };
                Some((wide(bounds.min_opt()?), wide(bounds.max_opt()?)))
            }
            Statistics::Int64(bounds) => Some((*bounds.min_opt()?, *bounds.max_opt()?)),
            _ => None,
        }
    }

    /// Reads the pages that hold `rows` of a row group.
    pub(super) fn read(&self, group: usize, column: usize, rows: Range<u32>) -> Result<Block, SegmentError> {
        if self.columns.in_file[column].is_none() {
            return Ok(self.unwritten(column, rows));
        }
        self.read_pages(group, column, None, |first, end| first < rows.end && end > rows.start)
    }

    /// Reads the pages that hold these rows (ascending), and no page between them.
    pub(super) fn read_rows(&self, group: usize, column: usize, rows: &[u32]) -> Result<Block, SegmentError> {
        if self.columns.in_file[column].is_none() {
            return Ok(self.unwritten(column, span_of(rows)));
        }
        self.read_pages(group, column, None, |first, end| holds_any(rows, first, end))
    }

    /// As [`Self::read_rows`] for a column of byte strings, without pages in whose values `needle` occurs nowhere.
    pub(super) fn read_rows_with(
        &self,
        group: usize,
        column: usize,
        rows: &[u32],
        needle: &Finder<'_>,
    ) -> Result<Block, SegmentError> {
        if self.columns.in_file[column].is_none() {
            return Ok(self.unwritten(column, span_of(rows)));
        }
        self.read_pages(group, column, Some(needle), |first, end| holds_any(rows, first, end))
    }

    /// Of rows that are elsewhere: asks at once for all that reading these columns at these rows (ascending) will ask for.
    pub(super) fn prefetch(&self, group: usize, columns: impl Iterator<Item = usize>, rows: &[u32]) {
        if !self.file.is_elsewhere() {
            return;
        }
        let group_rows = self.metadata.row_group(group).num_rows() as u32;
        let mut ranges = Vec::new();
        for column in columns.filter(|&column| !self.is_empty(group, column)) {
            let Some(chunk) = self.chunk(group, column) else { continue };
            let dictionary = chunk.dictionary_page_offset().zip(Some(chunk.data_page_offset()));
            if let Some((Ok(start), Ok(end))) =
                dictionary.map(|(start, end)| (u64::try_from(start), u64::try_from(end)))
            {
                ranges.push(start..end);
            }
            let Some(pages) = self.pages(group, column) else { continue };
            let ends = pages.iter().skip(1).map(|next| next.first_row).chain([group_rows]);
            let wanted = pages.iter().zip(ends).filter(|(page, end)| holds_any(rows, page.first_row, *end));
            ranges.extend(wanted.map(|(page, _)| page.start..page.start + page.len as u64));
        }
        self.file.prefetch(&ranges);
    }

    /// Of rows that are elsewhere: asks at once for a column's filters of all row groups. Who needs one mostly needs them all, and one after
    /// the other each costs a request.
    fn prefetch_blooms(&self, column: usize) {
        if !self.file.is_elsewhere() {
            return;
        }
        let chunks = (0..self.metadata.num_row_groups()).filter_map(|group| self.chunk(group, column));
        let ranges = chunks.filter_map(|chunk| {
            let start = u64::try_from(chunk.bloom_filter_offset()?).ok()?;
            Some(start..start.checked_add(u64::try_from(chunk.bloom_filter_length()?).ok()?)?)
        });
        self.file.prefetch(&ranges.collect::<Vec<_>>());
    }

    /// What rows have in a column that the file was written without.
    fn unwritten(&self, column: usize, rows: Range<u32>) -> Block {
        let spec = &self.specs[column];
        let mut values = Column::empty(spec.kind, spec.required);
        let count = rows.len();
        match (&mut values.values, self.table.unwritten[column]) {
            (Values::Words(words), Unwritten::Word(word)) => words.resize(count, word),
            (Values::Bytes { codes, dictionary }, Unwritten::Empty) if count > 0 => {
                let code = dictionary.intern_repeated(b"");
                codes.resize(count, code);
            }
            _ => {}
        }
        Block { first: rows.start, pages: vec![(rows.start, count as u32, 0)], column: values }
    }

    /// Reads the pages whose rows, from the first up to and without the second number, are wanted.
    fn read_pages(
        &self,
        group: usize,
        column: usize,
        needle: Option<&Finder<'_>>,
        is_wanted: impl Fn(u32, u32) -> bool,
    ) -> Result<Block, SegmentError> {
        self.twice((group, column), || self.read_pages_once(group, column, needle, &is_wanted))
    }

    /// Reads something of a chunk. An answer may have been damaged on its way from elsewhere, and be kept so: it is asked for again, once.
    fn twice<T>(
        &self,
        (group, column): (usize, usize),
        read: impl Fn() -> Result<T, SegmentError>,
    ) -> Result<T, SegmentError> {
        match read() {
            Err(SegmentError::Damaged { .. }) if self.file.may_come_again() => {
                if let Some(chunk) = self.chunk(group, column) {
                    self.forget(chunk);
                }
                read()
            }
            done => done,
        }
    }

    /// Nothing of a chunk that is elsewhere is kept any longer.
    fn forget(&self, chunk: &ColumnChunkMetaData) {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let places = [
            (Some(start), Some(chunk.compressed_size())),
            (chunk.bloom_filter_offset(), chunk.bloom_filter_length().map(i64::from)),
        ];
        for (start, len) in places {
            let place = start.zip(len).and_then(|(start, len)| u64::try_from(start).ok().zip(u64::try_from(len).ok()));
            if let Some((start, len)) = place {
                self.file.forget(start..start.saturating_add(len));
            }
        }
    }

    fn read_pages_once(
        &self,
        group: usize,
        column: usize,
        needle: Option<&Finder<'_>>,
        is_wanted: &impl Fn(u32, u32) -> bool,
    ) -> Result<Block, SegmentError> {
        let context = |bad: BadEncoding| {
            SegmentError::damaged(format!(
                "{}: row group {group}, column {}: {bad}",
                self.table.file, self.specs[column].name
            ))
        };
        let spec = &self.specs[column];
        let chunk = self.chunk(group, column).expect("asked for columns of the file only");
        let group_rows = self.metadata.row_group(group).num_rows() as u32;
        let pages = self.pages(group, column).ok_or_else(|| context(BadEncoding("offset index")))?;
        let entries = self.read_dictionary(chunk, spec).map_err(|error| error.or(context))?;
        let mut block = Block { first: 0, pages: Vec::new(), column: Column::empty(spec.kind, spec.required) };
        let is_there = |values: &[u8]| needle.is_none_or(|needle| needle.find(values).is_some());
        if let Entries::Bytes(entries) = &entries
            && !is_there(entries.all_bytes())
        {
            return Ok(block);
        }
        if let (Values::Bytes { dictionary, .. }, Entries::None) = (&mut block.column.values, &entries) {
            *dictionary = Dictionary::plain();
        }
        let end_of = |page: usize| pages.get(page + 1).map_or(group_rows, |next| next.first_row);
        if spec.required && needle.is_none() {
            let rows = |page: usize| end_of(page) - pages[page].first_row;
            let wanted = (0..pages.len()).filter(|&page| is_wanted(pages[page].first_row, end_of(page)));
            block.column.reserve(wanted.map(rows).sum::<u32>() as usize);
        }
        let mut buffers = Buffers::take();
        let mut page = 0;
        while page < pages.len() {
            let from = page;
            while page < pages.len() && is_wanted(pages[page].first_row, end_of(page)) {
                page += 1;
            }
            let Some(last) = pages[from..page].last() else {
                page += 1;
                continue;
            };
            // Neighbours come with one read.
            let start = pages[from].start;
            let len = (last.start - start) as usize + last.len;
            let Buffers { stored, plain: body } = &mut buffers;
            let bytes = self.file.read_with(start, len, stored)?;
            for (number, place) in pages.iter().enumerate().take(page).skip(from) {
                let at = (place.start - start) as usize;
                let header = open_page(&bytes[at..at + place.len], chunk, body).map_err(context)?;
                let rows = end_of(number) - place.first_row;
                if header.dictionary || header.values != rows || header.encoding != data_encoding(chunk) {
                    return Err(context(BadEncoding("page header")));
                }
                if matches!(entries, Entries::None) && !is_there(body) {
                    continue;
                }
                block.pages.push((place.first_row, rows, block.column.len()));
                let values = DataPage { spec, encoding: header.encoding, first_row: place.first_row, rows };
                values.decode(body, &entries, &mut block.column).map_err(context)?;
            }
        }
        buffers.give_back();
        block.first = block.pages.first().map_or(0, |&(first, _, _)| first);
        if let (Values::Bytes { dictionary, .. }, Entries::Bytes(entries)) = (&mut block.column.values, entries) {
            *dictionary = entries;
        }
        Ok(block)
    }

    /// The values at these rows (ascending), which then count from 0. For few rows: no page is decoded whole that need not be.
    pub(super) fn pick_rows(&self, group: usize, column: usize, rows: &[u32]) -> Result<Column, SegmentError> {
        if self.columns.in_file[column].is_none() {
            return Ok(self.unwritten(column, 0..rows.len() as u32).column);
        }
        self.twice((group, column), || self.pick_rows_once(group, column, rows))
    }

    fn pick_rows_once(&self, group: usize, column: usize, rows: &[u32]) -> Result<Column, SegmentError> {
        let context = |bad: BadEncoding| {
            let (file, name) = (self.table.file, &self.specs[column].name);
            SegmentError::damaged(format!("{file}: row group {group}, column {name}: {bad}"))
        };
        let spec = &self.specs[column];
        let chunk = self.chunk(group, column).expect("asked for columns of the file only");
        let pages = self.pages(group, column).ok_or_else(|| context(BadEncoding("offset index")))?;
        let group_rows = self.metadata.row_group(group).num_rows() as u32;
        let entries = self.read_dictionary(chunk, spec).map_err(|error| error.or(context))?;
        let mut out = Column::empty(spec.kind, spec.required);
        if let (Values::Bytes { dictionary, .. }, Entries::None) = (&mut out.values, &entries) {
            *dictionary = Dictionary::plain();
        }
        let mut buffers = Buffers::take();
        let mut at = 0;
        while let Some(&row) = rows.get(at) {
            let number = pages.partition_point(|page| page.first_row <= row) - 1;
            let place = pages[number];
            let end = pages.get(number + 1).map_or(group_rows, |next| next.first_row);
            let here = rows[at..].partition_point(|&row| row < end);
            let wanted: Vec<u32> = rows[at..at + here].iter().map(|row| row - place.first_row).collect();
            let Buffers { stored, plain } = &mut buffers;
            let header =
                open_page(self.file.read_with(place.start, place.len, stored)?, chunk, plain).map_err(context)?;
            let page =
                DataPage { spec, encoding: header.encoding, first_row: place.first_row, rows: end - place.first_row };
            if header.dictionary || header.values != page.rows || header.encoding != data_encoding(chunk) || here == 0 {
                return Err(context(BadEncoding("page header")));
            }
            page.pick(plain, (&wanted, at as u32), &entries, &mut out).map_err(context)?;
            at += here;
        }
        buffers.give_back();
        if let (Values::Bytes { dictionary, .. }, Entries::Bytes(entries)) = (&mut out.values, entries) {
            *dictionary = entries;
        }
        Ok(out)
    }

    /// Whether the value may be in a chunk without a dictionary: false only when its bloom filter says so.
    pub(super) fn may_contain(
        &self,
        group: usize,
        column: usize,
        crc32c: u32,
        value: &[u8],
    ) -> Result<bool, SegmentError> {
        Ok(self.bloom_filter(group, column, crc32c)?.is_none_or(|filter| filter.check(value)))
    }

    /// A chunk's bloom filter, if it has one.
    pub(super) fn bloom_filter(&self, group: usize, column: usize, crc32c: u32) -> Result<Option<Sbbf>, SegmentError> {
        self.twice((group, column), || self.bloom_filter_once(group, column, crc32c))
    }

    fn bloom_filter_once(&self, group: usize, column: usize, crc32c: u32) -> Result<Option<Sbbf>, SegmentError> {
        let Some(chunk) = self.chunk(group, column) else { return Ok(None) };
        let (Some(offset), Some(length)) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length()) else {
            return Ok(None);
        };
        let damaged = || {
            SegmentError::damaged(format!("{}: bloom filter of row group {group}, column {column}", self.table.file))
        };
        self.prefetch_blooms(column);
        let bytes = self.file.read(offset as u64, length as usize)?;
        // Header, then bitset: the checksum covers the bitset, whose length is a power of two.
        let bits = (length as usize + 1).next_power_of_two() / 2;
        let bitset = bytes.get(bytes.len().saturating_sub(bits)..).ok_or_else(damaged)?;
        if crc32c::crc32c(bitset) != crc32c {
            return Err(damaged());
        }
        Ok(Some(Sbbf::new(bitset)))
    }

    /// The blocks of a chunk's bloom filter, if it has one and is not elsewhere: there a request costs more than all of them.
    pub(super) fn bloom_blocks(&self, group: usize, column: usize) -> Option<BloomBlocks<'a>> {
        let chunk = self.chunk(group, column).filter(|_| !self.file.is_elsewhere())?;
        let (offset, length) = (chunk.bloom_filter_offset()?, chunk.bloom_filter_length()?);
        let (offset, length) = (u64::try_from(offset).ok()?, usize::try_from(length).ok()?);
        let bits = (length + 1).next_power_of_two() / 2;
        let start = offset.checked_add((length - bits) as u64)?;
        Some(BloomBlocks { file: self.file, start, blocks: (bits / BLOCK_BYTES) as u64 })
    }

    /// The rows of each page of a column.
    pub(super) fn rows_of_pages(&self, group: usize, column: usize) -> Result<Vec<Range<u32>>, SegmentError> {
        let rows = self.metadata.row_group(group).num_rows() as u32;
        if self.columns.in_file[column].is_none() {
            return Ok(std::iter::once(0..rows).collect());
        }
        let pages = self.pages(group, column).ok_or_else(|| {
            let (file, name) = (self.table.file, &self.specs[column].name);
            SegmentError::damaged(format!("{file}: row group {group}, column {name}: offset index"))
        })?;
        let ends = pages.iter().skip(1).map(|next| next.first_row).chain([rows]);
        Ok(pages.iter().zip(ends).map(|(page, end)| page.first_row..end).collect())
    }

    fn pages(&self, group: usize, column: usize) -> Option<Vec<PagePlace>> {
        let index = self.metadata.offset_index()?.get(group)?.get(self.columns.in_file[column]?)?;
        // Not by `byte_range`, which panics when one is negative.
        let chunk = self.chunk(group, column)?;
        let chunk_start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
        let chunk_end = chunk_start + u64::try_from(chunk.compressed_size()).ok()?;
        let mut pages: Vec<PagePlace> = Vec::with_capacity(index.page_locations().len());
        for location in index.page_locations() {
            let start = u64::try_from(location.offset).ok()?;
            let len = usize::try_from(location.compressed_page_size).ok()?;
            let first_row = u32::try_from(location.first_row_index).ok()?;
            let follows =
                pages.last().is_none_or(|last| last.first_row < first_row && last.start + last.len as u64 == start);
            if !follows || start < chunk_start || start + len as u64 > chunk_end {
                return None;
            }
            pages.push(PagePlace { start, len, first_row });
        }
        (pages.first()?.first_row == 0).then_some(pages)
    }

    /// The rows of a group in stretches of whole pages of the column that takes most, each of which takes about so many bytes in
    /// all columns together, or is one page.
    pub(super) fn stretches(&self, group: usize, bytes_max: u64) -> Vec<Range<u32>> {
        let metadata = self.metadata.row_group(group);
        let rows = metadata.num_rows() as u32;
        let bytes = u64::try_from(metadata.total_byte_size()).unwrap_or(0);
        let bytes_of = |column: usize| self.chunk(group, column).map_or(0, ColumnChunkMetaData::uncompressed_size);
        let heaviest = (0..self.specs.len()).max_by_key(|&column| bytes_of(column));
        let Some(pages) = heaviest.filter(|_| bytes > bytes_max).and_then(|column| self.pages(group, column)) else {
            return std::iter::once(0..rows).collect();
        };
        let stored: u64 = pages.iter().map(|page| page.len as u64).sum();
        let mut stretches: Vec<Range<u32>> = Vec::new();
        let (mut start, mut taken) = (0, 0);
        for page in &pages {
            let page_bytes = (u128::from(bytes) * page.len as u128 / u128::from(stored.max(1))) as u64;
            if taken + page_bytes > bytes_max && page.first_row > start {
                stretches.push(start..page.first_row);
                (start, taken) = (page.first_row, 0);
            }
            taken += page_bytes;
        }
        stretches.push(start..rows);
        stretches
    }

    /// Whether the text may be in a chunk: false only when there is a dictionary and it is not in there.
    pub(super) fn dictionary_may_hold(&self, group: usize, column: usize, text: &[u8]) -> Result<bool, SegmentError> {
        // A packed text is not in there as such.
        let is_packed = self.specs[column].packing != Packing::None;
        let Some(chunk) = self.chunk(group, column).filter(|_| !is_packed) else { return Ok(true) };
        let read = || {
            self.dictionary_page(chunk).map_err(|fault| {
                fault.or(|bad| {
                    let (file, column) = (self.table.file, &self.specs[column].name);
                    SegmentError::damaged(format!("{file}: row group {group}, column {column}: {bad}"))
                })
            })
        };
        let page = self.twice((group, column), read)?;
        let entry = [&(text.len() as u32).to_le_bytes()[..], text].concat();
        Ok(page.is_none_or(|(_, body)| memchr::memmem::find(&body, &entry).is_some()))
    }

    /// Whether the needle may be in a chunk of byte strings: false only when it is in no page. Not asked of large chunks, which take
    /// as long as reading what is left of them; ends with the first page that has it.
    pub(super) fn may_hold_needle(
        &self,
        group: usize,
        column: usize,
        needle: &Finder<'_>,
    ) -> Result<bool, SegmentError> {
        let Some(chunk) = self.chunk(group, column) else { return Ok(true) };
        if chunk.uncompressed_size() > NEEDLE_BYTES_MAX || self.file.is_elsewhere() {
            return Ok(true);
        }
        let context = |bad: BadEncoding| {
            let (file, name) = (self.table.file, &self.specs[column].name);
            SegmentError::damaged(format!("{file}: row group {group}, column {name}: {bad}"))
        };
        if let Some((_, body)) = self.dictionary_page(chunk).map_err(|fault| fault.or(context))? {
            return Ok(needle.find(&body).is_some());
        }
        let pages = self.pages(group, column).ok_or_else(|| context(BadEncoding("offset index")))?;
        let mut body = Vec::new();
        for page in pages {
            let bytes = self.file.read(page.start, page.len)?;
            open_page(&bytes, chunk, &mut body).map_err(context)?;
            if needle.find(&body).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The rows of a group in which a column has this text, ascending; `None` unless such texts are stored as what they stand for, one after the
    /// other: then they are looked for as such.
    pub(super) fn rows_with_packed(
        &self,
        group: usize,
        column: usize,
        text: &[u8],
    ) -> Result<Option<Vec<u32>>, SegmentError> {
        let spec = &self.specs[column];
        let is_packed = matches!(spec.packing, Packing::Hex8 | Packing::Hex16 | Packing::Uuid);
        let is_whole = is_packed && spec.kind.is_bytes() && spec.packing.fits(text);
        let Some(chunk) = self.chunk(group, column).filter(|_| is_whole) else { return Ok(None) };
        if chunk.dictionary_page_offset().is_some() || data_encoding(chunk) != page::PLAIN {
            return Ok(None);
        }
        self.twice((group, column), || self.rows_with_packed_once((group, column), chunk, text)).map(Some)
    }

    fn rows_with_packed_once(
        &self,
        (group, column): (usize, usize),
        chunk: &ColumnChunkMetaData,
        text: &[u8],
    ) -> Result<Vec<u32>, SegmentError> {
        let context = |bad: BadEncoding| {
            let (file, name) = (self.table.file, &self.specs[column].name);
            SegmentError::damaged(format!("{file}: row group {group}, column {name}: {bad}"))
        };
        let spec = &self.specs[column];
        let pages = self.pages(group, column).ok_or_else(|| context(BadEncoding("offset index")))?;
        let mut stored = Vec::new();
        spec.packing.pack(text, &mut stored);
        let finder = Finder::new(&stored);
        let mut rows = Vec::new();
        let mut buffers = Buffers::take();
        let ends = self.rows_of_pages(group, column)?;
        for (place, page_rows) in pages.iter().zip(ends) {
            let Buffers { stored: bytes, plain } = &mut buffers;
            let header =
                open_page(self.file.read_with(place.start, place.len, bytes)?, chunk, plain).map_err(context)?;
            if header.dictionary || header.values != page_rows.len() as u32 || header.encoding != page::PLAIN {
                return Err(context(BadEncoding("page header")));
            }
            let page =
                DataPage { spec, encoding: header.encoding, first_row: page_rows.start, rows: page_rows.len() as u32 };
            page.rows_with_stored(plain, &finder, &mut rows).map_err(context)?;
        }
        buffers.give_back();
        Ok(rows)
    }

    /// The texts of a chunk of byte strings, where each is kept once.
    pub(super) fn texts(&self, group: usize, column: usize) -> Result<Option<Dictionary>, SegmentError> {
        let spec = &self.specs[column];
        let Some(chunk) = self.chunk(group, column).filter(|_| spec.kind.is_bytes()) else { return Ok(None) };
        let read = || {
            self.read_dictionary(chunk, spec).map_err(|fault| {
                let (file, column) = (self.table.file, &spec.name);
                fault.or(|bad| SegmentError::damaged(format!("{file}: row group {group}, column {column}: {bad}")))
            })
        };
        Ok(match self.twice((group, column), read)? {
            Entries::Bytes(dictionary) => Some(dictionary),
            _ => None,
        })
    }

    /// A chunk's dictionary page, if it has one: its header and content.
    fn dictionary_page(&self, chunk: &ColumnChunkMetaData) -> Result<Option<(PageHeader, Vec<u8>)>, ReadFault> {
        let Some(start) = chunk.dictionary_page_offset() else { return Ok(None) };
        let misplaced = || BadEncoding("dictionary place");
        let len = chunk.data_page_offset().checked_sub(start).and_then(|len| usize::try_from(len).ok());
        let start = u64::try_from(start).map_err(|_| misplaced())?;
        let bytes = self.file.read(start, len.ok_or_else(misplaced)?)?;
        let mut body = Vec::new();
        let header = open_page(&bytes, chunk, &mut body)?;
        if !header.dictionary || header.encoding != page::PLAIN {
            return Err(BadEncoding("page header").into());
        }
        Ok(Some((header, body)))
    }

    fn read_dictionary(&self, chunk: &ColumnChunkMetaData, spec: &ColumnSpec) -> Result<Entries, ReadFault> {
        let Some((header, body)) = self.dictionary_page(chunk)? else { return Ok(Entries::None) };
        let count = header.values as usize;
        if !spec.kind.is_bytes() {
            let mut words = Vec::new();
            decode_plain_words(spec, &body, count, &mut words)?;
            return Ok(Entries::Words(words));
        }
        let mut dictionary = Dictionary::new();
        decode_plain_bytes(spec, &body, count, &mut dictionary)?;
        Ok(Entries::Bytes(dictionary))
    }
}

/// From the first of the rows (ascending) to the last.
fn span_of(rows: &[u32]) -> Range<u32> {
    rows.first().zip(rows.last()).map_or(0..0, |(&first, &last)| first..last + 1)
}

/// Whether any of the rows (ascending) is from `first` up to and without `end`.
fn holds_any(rows: &[u32], first: u32, end: u32) -> bool {
    rows.get(rows.partition_point(|&row| row < first)).is_some_and(|&row| row < end)
}

/// Where a page lies.
#[derive(Debug, Clone, Copy)]
struct PagePlace {
    start: u64,
    len: usize,
    first_row: u32,
}

/// Bad bytes, or no bytes.
enum ReadFault {
    Bad(BadEncoding),
    Segment(SegmentError),
}

impl ReadFault {
    fn or(self, context: impl Fn(BadEncoding) -> SegmentError) -> SegmentError {
        match self {
            Self::Bad(bad) => context(bad),
            Self::Segment(error) => error,
        }
    }
}

impl From<BadEncoding> for ReadFault {
    fn from(bad: BadEncoding) -> Self {
        Self::Bad(bad)
    }
}

impl From<SegmentError> for ReadFault {
    fn from(error: SegmentError) -> Self {
        Self::Segment(error)
    }
}
