//! Encodes one column of one row group: chooses the encoding, cuts pages, compresses, collects statistics.

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, ZstdLevel},
    bloom_filter::Sbbf,
    column::writer::ColumnCloseResult,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder},
        page_index::column_index::ColumnIndexMetaData,
        statistics::Statistics,
    },
    schema::types::ColumnDescPtr,
};

use super::{
    chunk_plan::{Plan, Planner},
    column::{ChunkView, ValuesView},
    encoding::{bits, delta, hybrid, page, page::PageHeader},
    packing::Packing,
    spec::{ColumnSpec, Kind, Nature},
    statistics::{self, Bounds},
};

/// Rows of a page: what a trace's lookup decodes. Small in tests of development builds, so that they meet the edges.
pub(crate) const PAGE_ROWS: u32 = if cfg!(all(test, debug_assertions)) { 128 } else { 8192 };
/// A page of plain byte strings ends at this size, whatever its rows.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// A column chunk with fewer changes of value is one page: it is small, and read by runs.
const SINGLE_PAGE_CHANGES_MAX: usize = 512;
/// Fewer values are looked through as fast as a filter is read. Fewer still in tests of development builds.
pub(crate) const BLOOM_VALUES_MIN: usize = if cfg!(all(test, debug_assertions)) { 64 } else { 1024 };
/// Compression must save this share of a sample (in 1/32) to be used.
const SAVING_MIN_32NDS: usize = 1;

/// Encodes column chunks; keeps its buffers from one to the next.
pub(crate) struct ChunkWriter {
    /// Of zstd.
    pub(crate) level: i32,
    compressor: zstd::bulk::Compressor<'static>,
    planner: Planner,
    /// The content of the page under way.
    pub(crate) body: Vec<u8>,
    compressed: Vec<u8>,
}

/// Where a page's rows and values lie within the chunk.
#[derive(Debug, Clone, Copy)]
struct PageBounds {
    first_row: u32,
    rows: u32,
    from: usize,
    to: usize,
}

impl ChunkWriter {
    /// One that compresses with zstd's `level`.
    pub(crate) fn new(level: i32) -> std::io::Result<Self> {
        Ok(Self {
            level,
            compressor: zstd::bulk::Compressor::new(level)?,
            planner: Planner::default(),
            body: Vec::new(),
            compressed: Vec::new(),
        })
    }

    /// The chunk's bytes, and what the footer says of it (offsets relative to the bytes).
    pub(crate) fn encode(
        &mut self,
        spec: &ColumnSpec,
        descr: ColumnDescPtr,
        view: ChunkView<'_>,
    ) -> Result<(Bytes, ColumnCloseResult), ParquetError> {
        let mut plan = match self.are_ids_best_plain(spec, view)? {
            true => spec.plain_ids(),
            false => self.planner.plan(spec, view),
        };
        let pages = cut_pages(view, &plan);
        let bounds = statistics::of(spec, view, &plan, pages.iter().map(|page| page.from..page.to));
        let compresses = self.is_compressible(spec, view, &mut plan, &pages)?;
        let mut chunk = Chunk { bytes: Vec::new(), plain_bytes: 0, compresses };
        let dictionary_bytes = match &plan {
            Plan::Dictionary { page, count, .. } => {
                self.body.clear();
                self.body.extend_from_slice(page);
                self.write_page(&mut chunk, true, *count, page::PLAIN)?
            }
            _ => 0,
        };
        let mut offsets = OffsetIndexBuilder::new();
        for bounds in &pages {
            self.fill_body(spec, view, &plan, *bounds);
            let start = chunk.bytes.len();
            let stored = self.write_page(&mut chunk, false, bounds.rows, plan.encoding())?;
            offsets.append_offset_and_size(start as i64, stored as i32);
            offsets.append_row_count(i64::from(bounds.rows));
        }
        let column_index = column_index(spec, &pages, &bounds)?;
        let metadata = self.metadata(descr, &chunk, view, &plan, dictionary_bytes, &bounds)?;
        let close = ColumnCloseResult {
            bytes_written: chunk.bytes.len() as u64,
            rows_written: u64::from(view.count),
            metadata,
            bloom_filter: bloom_filter(spec, view, &plan),
            column_index,
            offset_index: Some(offsets.build()),
        };
        self.planner.recycle(plan);
        Ok((Bytes::from(chunk.bytes), close))
    }

    /// Whether zstd makes less of the first page's ids than a dictionary and its codes would take. Ids repeat near to each other or not
    /// at all, so one page tells. How near is up to the senders: batches that hold whole traces suit zstd.
    fn are_ids_best_plain(&mut self, spec: &ColumnSpec, view: ChunkView<'_>) -> std::io::Result<bool> {
        // A span's own id does not repeat: nothing to choose.
        let repeats = spec.kind == Kind::Id16 || (spec.kind == Kind::Id8 && !spec.required);
        if !repeats {
            return Ok(false);
        }
        let pages = cut_pages(view, &Plan::Plain);
        let Some(&first) = pages.first() else { return Ok(false) };
        let (plain_bytes, zstd_bytes) = self.try_page(spec, view, &spec.plain_ids(), first, pages.len())?;
        let mut ids: Vec<u64> = match view.values {
            ValuesView::Bytes { codes, .. } => {
                codes[first.from..first.to].iter().map(|&code| u64::from(code)).collect()
            }
            ValuesView::Words(words) => words[first.from..first.to].to_vec(),
        };
        let values = ids.len();
        ids.sort_unstable();
        ids.dedup();
        let width = bits::width_of((ids.len() * pages.len()) as u64) as usize;
        let width_bytes = spec.kind.width().unwrap_or(0);
        let id_bytes = if spec.packing == Packing::None { width_bytes } else { spec.stored_bytes(width_bytes) };
        Ok(zstd_bytes.min(plain_bytes) <= ids.len() * id_bytes + values * width / 8)
    }

    /// Tries the first page and the dictionary's share of it; may widen codes to whole bytes, which zstd shrinks better.
    fn is_compressible(
        &mut self,
        spec: &ColumnSpec,
        view: ChunkView<'_>,
        plan: &mut Plan,
        pages: &[PageBounds],
    ) -> std::io::Result<bool> {
        if spec.kind == Kind::Id8 && matches!(plan, Plan::Plain) && spec.required && spec.packing == Packing::None {
            return Ok(false);
        }
        let Some(first) = pages.first() else { return Ok(false) };
        let (plain_bytes, bytes) = self.try_page(spec, view, plan, *first, pages.len())?;
        let saves = bytes + plain_bytes * SAVING_MIN_32NDS / 32 < plain_bytes;
        if let Plan::Dictionary { width, .. } = plan
            && pages.len() > 1
            && *width > 1
            && *width < 16
            && *width != 8
            && spec.kind != Kind::Id16
        {
            let narrow = *width;
            *width = width.next_multiple_of(8);
            let (_, wide_bytes) = self.try_page(spec, view, plan, *first, pages.len())?;
            if wide_bytes + wide_bytes / 64 < bytes.min(plain_bytes) {
                return Ok(true);
            }
            if let Plan::Dictionary { width, .. } = plan {
                *width = narrow;
            }
        }
        Ok(saves)
    }

    /// Bytes of a page and its share of the dictionary, before and after compression.
    fn try_page(
        &mut self,
        spec: &ColumnSpec,
        view: ChunkView<'_>,
        plan: &Plan,
        bounds: PageBounds,
        pages: usize,
    ) -> std::io::Result<(usize, usize)> {
        self.fill_body(spec, view, plan, bounds);
        if let Plan::Dictionary { page, .. } = plan {
            self.body.extend_from_slice(&page[..page.len() / pages]);
        }
        self.compressed.clear();
        self.compressed.reserve(zstd::zstd_safe::compress_bound(self.body.len()));
        let len = self.compressor.compress_to_buffer(&self.body, &mut self.compressed)?;
        Ok((self.body.len(), len))
    }

    /// A data page's content: definition levels where values may be missing, then the values.
    fn fill_body(&mut self, spec: &ColumnSpec, view: ChunkView<'_>, plan: &Plan, bounds: PageBounds) {
        let body = &mut self.body;
        body.clear();
        if !spec.required {
            body.extend_from_slice(&[0; 4]);
            match view.rows {
                Some(rows) => write_levels(&rows[bounds.from..bounds.to], bounds.first_row, bounds.rows, body),
                None => hybrid::run(bounds.rows as usize, 1, 1, body),
            }
            let len = body.len() as u32 - 4;
            body[..4].copy_from_slice(&len.to_le_bytes());
        }
        match (plan, view.values) {
            (Plan::Dictionary { codes, width, .. }, _) => {
                body.push(*width as u8);
                hybrid::encode(&codes[bounds.from..bounds.to], *width, body);
            }
            (_, ValuesView::Bytes { codes, dictionary }) => {
                let codes = &codes[bounds.from..bounds.to];
                if matches!(plan, Plan::DeltaLength) {
                    let is_hex = spec.packing == Packing::IdAsHex;
                    let length = |&code: &u32| (dictionary.value_len(code) << u8::from(is_hex)) as u64;
                    delta::encode(&codes.iter().map(length).collect::<Vec<u64>>(), body);
                    codes.iter().for_each(|&code| spec.packing.pack(dictionary.get(code), body));
                } else if matches!(plan, Plan::Delta) {
                    let times: Vec<u64> =
                        codes.iter().map(|&code| spec.packing.pack_time(dictionary.get(code))).collect();
                    delta::encode(&times, body);
                } else {
                    for &code in codes {
                        write_plain_bytes(spec, dictionary.get(code), body);
                    }
                }
            }
            (Plan::DeltaLength, ValuesView::Words(words)) => {
                let words = &words[bounds.from..bounds.to];
                delta::encode(&vec![16; words.len()], body);
                words.iter().for_each(|word| spec.packing.pack(&word.to_le_bytes(), body));
            }
            (Plan::Delta, ValuesView::Words(words)) => delta::encode(&words[bounds.from..bounds.to], body),
            (Plan::Split, ValuesView::Words(words)) => {
                let words = &words[bounds.from..bounds.to];
                for byte in 0..spec.kind.width().expect("only fixed widths are split") {
                    body.extend(words.iter().map(|word| (word >> (8 * byte)) as u8));
                }
            }
            (_, ValuesView::Words(words)) => write_plain_words(spec, &words[bounds.from..bounds.to], body),
        }
    }

    /// Appends `self.body` as a page; returns its length, header included.
    pub(crate) fn write_page(
        &mut self,
        chunk: &mut Chunk,
        dictionary: bool,
        values: u32,
        encoding: i32,
    ) -> std::io::Result<usize> {
        let content = if chunk.compresses {
            self.compressed.clear();
            self.compressed.reserve(zstd::zstd_safe::compress_bound(self.body.len()));
            self.compressor.compress_to_buffer(&self.body, &mut self.compressed)?;
            &self.compressed
        } else {
            &self.body
        };
        let header = PageHeader {
            dictionary,
            plain_bytes: self.body.len() as u32,
            stored_bytes: content.len() as u32,
            crc: crc32fast::hash(content),
            values,
            encoding,
        };
        let start = chunk.bytes.len();
        header.write(&mut chunk.bytes);
        chunk.plain_bytes += chunk.bytes.len() - start + self.body.len();
        chunk.bytes.extend_from_slice(content);
        Ok(chunk.bytes.len() - start)
    }

    fn metadata(
        &self,
        descr: ColumnDescPtr,
        chunk: &Chunk,
        view: ChunkView<'_>,
        plan: &Plan,
        dictionary_bytes: usize,
        bounds: &statistics::ChunkBounds,
    ) -> Result<ColumnChunkMetaData, ParquetError> {
        let compression = match chunk.compresses {
            true => Compression::ZSTD(ZstdLevel::try_new(self.level)?),
            false => Compression::UNCOMPRESSED,
        };
        let mut encodings = vec![Encoding::RLE];
        encodings.extend(match plan {
            Plan::Dictionary { .. } => vec![Encoding::PLAIN, Encoding::RLE_DICTIONARY],
            Plan::Plain => vec![Encoding::PLAIN],
            Plan::Delta => vec![Encoding::DELTA_BINARY_PACKED],
            Plan::DeltaLength => vec![Encoding::DELTA_LENGTH_BYTE_ARRAY],
            Plan::Split => vec![Encoding::BYTE_STREAM_SPLIT],
        });
        let mut builder = ColumnChunkMetaData::builder(descr)
            .set_compression(compression)
            .set_encodings(encodings)
            .set_total_compressed_size(chunk.bytes.len() as i64)
            .set_total_uncompressed_size(chunk.plain_bytes as i64)
            .set_num_values(i64::from(view.count))
            .set_data_page_offset(dictionary_bytes as i64)
            .set_dictionary_page_offset((dictionary_bytes > 0).then_some(0));
        if let Some(statistics) = bounds.statistics() {
            builder = builder.set_statistics(statistics);
        }
        builder.build()
    }
}

/// The bytes of a chunk under way.
pub(crate) struct Chunk {
    /// As they go to the file.
    pub(crate) bytes: Vec<u8>,
    /// How many they were before compression.
    pub(crate) plain_bytes: usize,
    /// Whether pages are compressed.
    pub(crate) compresses: bool,
}

fn cut_pages(view: ChunkView<'_>, plan: &Plan) -> Vec<PageBounds> {
    let values = match view.values {
        ValuesView::Bytes { codes, .. } => codes.len(),
        ValuesView::Words(words) => words.len(),
    };
    let max = SINGLE_PAGE_CHANGES_MAX;
    let changes = match plan {
        Plan::Dictionary { codes, .. } => hybrid::changes(codes, 0, max),
        _ => values.saturating_mul(max + 1),
    };
    if changes <= max && changes + view.rows.map_or(0, |rows| hybrid::changes(rows, 1, max)) <= max {
        return vec![PageBounds { first_row: view.first, rows: view.count, from: 0, to: values }];
    }
    let mut pages = Vec::new();
    let end = view.first + view.count;
    let mut page = PageBounds { first_row: view.first, rows: 0, from: 0, to: 0 };
    while page.first_row < end {
        let mut last = (page.first_row + PAGE_ROWS).min(end);
        page.to = position(view, last, values);
        if let (false, ValuesView::Bytes { codes, dictionary }) = (matches!(plan, Plan::Dictionary { .. }), view.values)
        {
            let mut bytes = 0;
            for at in page.from..page.to {
                bytes += dictionary.value_len(codes[at]) + 4;
                let row = view.rows.map_or(view.first + at as u32, |rows| rows[at]);
                if bytes > PAGE_BYTES_MAX && row > page.first_row {
                    last = row;
                    page.to = at;
                    break;
                }
            }
        }
        page.rows = last - page.first_row;
        pages.push(page);
        page = PageBounds { first_row: last, rows: 0, from: page.to, to: page.to };
    }
    pages
}

/// The position of the first value at or after a row.
fn position(view: ChunkView<'_>, row: u32, values: usize) -> usize {
    view.rows.map_or((row - view.first) as usize, |rows| rows.partition_point(|&other| other < row)).min(values)
}

/// Definition levels: as runs where they are few, else as a bitmap.
fn write_levels(present: &[u32], first_row: u32, rows: u32, out: &mut Vec<u8>) {
    if present.is_empty() || present.len() == rows as usize {
        hybrid::run(rows as usize, u32::from(!present.is_empty()), 1, out);
        return;
    }
    let changes_max = rows as usize / 48;
    if hybrid::changes(present, 1, changes_max) > changes_max {
        let mut bitmap = vec![0u8; (rows as usize).div_ceil(8)];
        for &row in present {
            let bit = (row - first_row) as usize;
            bitmap[bit / 8] |= 1 << (bit % 8);
        }
        hybrid::encode_bitmap(&bitmap, rows as usize, out);
        return;
    }
    let mut at = first_row;
    let mut index = 0;
    while index < present.len() {
        let start = present[index];
        let mut end = start;
        while index < present.len() && present[index] == end {
            end += 1;
            index += 1;
        }
        if start > at {
            hybrid::run((start - at) as usize, 0, 1, out);
        }
        hybrid::run((end - start) as usize, 1, 1, out);
        at = end;
    }
    if at < first_row + rows {
        hybrid::run((first_row + rows - at) as usize, 0, 1, out);
    }
}

/// Appends a byte string in PLAIN encoding.
pub(crate) fn write_plain_bytes(spec: &ColumnSpec, value: &[u8], out: &mut Vec<u8>) {
    match spec.packing {
        Packing::None => {}
        Packing::IdAsHex => {
            out.extend_from_slice(&(value.len() as u32 * 2).to_le_bytes());
            return spec.packing.pack(value, out);
        }
        _ => return spec.packing.pack(value, out),
    }
    if spec.kind != Kind::Id16 {
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    out.extend_from_slice(value);
}

/// Appends numbers in PLAIN encoding.
pub(crate) fn write_plain_words(spec: &ColumnSpec, words: &[u64], out: &mut Vec<u8>) {
    if spec.packing == Packing::IdAsHex {
        return words.iter().for_each(|word| write_plain_bytes(spec, &word.to_le_bytes(), out));
    }
    match spec.kind.width() {
        Some(8) => words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes())),
        Some(_) => words.iter().for_each(|word| out.extend_from_slice(&(*word as u32).to_le_bytes())),
        None => {
            let bools: Vec<u32> = words.iter().map(|&word| word as u32).collect();
            bits::pack32(&bools, 1, out);
        }
    }
}

fn column_index(
    spec: &ColumnSpec,
    pages: &[PageBounds],
    bounds: &statistics::ChunkBounds,
) -> Result<Option<ColumnIndexMetaData>, ParquetError> {
    let Some(page_bounds) = &bounds.pages else { return Ok(None) };
    let mut builder = ColumnIndexBuilder::new(spec.physical());
    for (page, bounds) in pages.iter().zip(page_bounds) {
        let nulls = i64::from(page.rows) - (page.to - page.from) as i64;
        match bounds {
            Some(Bounds { min, max }) => builder.append(false, min.clone(), max.clone(), nulls),
            None => builder.append(true, Vec::new(), Vec::new(), nulls),
        }
    }
    builder.build().map(Some)
}

/// A filter over the values of byte strings that have no dictionary to look into.
fn bloom_filter(spec: &ColumnSpec, view: ChunkView<'_>, plan: &Plan) -> Option<Sbbf> {
    let (Kind::Text, ValuesView::Bytes { codes, dictionary }) = (spec.kind, view.values) else { return None };
    if matches!(plan, Plan::Dictionary { .. }) || codes.len() < BLOOM_VALUES_MIN || spec.nature == Nature::Field {
        return None;
    }
    // A power of two (Arrow insists), between 3.5 and 7 bits a value: passes over fifteen to nineteen of twenty row groups.
    let bytes = (codes.len() * 7 / 16).next_power_of_two();
    let mut filter = Sbbf::new_with_num_of_bytes(bytes);
    for &code in codes {
        filter.insert(dictionary.get(code));
    }
    Some(filter)
}

/// Min and max of byte strings as Parquet's statistics.
pub(crate) fn byte_statistics(min: &[u8], max: &[u8], nulls: u64) -> Statistics {
    let value = |bytes: &[u8]| Some(ByteArray::from(bytes.to_vec()));
    Statistics::byte_array(value(min), value(max), None, Some(nulls), false)
}
