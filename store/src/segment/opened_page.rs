//! Opens the pages of a column chunk: checks and decompresses them. Believes nothing that no checksum or footer vouches for.

use std::cell::RefCell;

use parquet::{
    basic::{Compression, Encoding},
    file::metadata::ColumnChunkMetaData,
};

use crate::columns::{
    BadEncoding,
    page::{self, HEADER_BYTES_MAX, PageHeader},
};

thread_local! {
    // A context costs more to make than most pages cost to decompress.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    // Memory that was used a moment ago costs less than new one, which the kernel fills with zeros.
    static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers { stored: Vec::new(), plain: Vec::new() }) };
}

/// Larger buffers are given back.
const BUFFER_BYTES_MAX: usize = 4 << 20;

/// What pages are read into, as they are stored and as they are decompressed.
#[derive(Default)]
pub(super) struct Buffers {
    /// As they are stored.
    pub(super) stored: Vec<u8>,
    /// The content of the last one.
    pub(super) plain: Vec<u8>,
}

impl Buffers {
    /// The thread's, until they are given back.
    pub(super) fn take() -> Self {
        BUFFERS.take()
    }

    /// Keeps them for the next time.
    pub(super) fn give_back(mut self) {
        for buffer in [&mut self.stored, &mut self.plain] {
            if buffer.capacity() > BUFFER_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
        BUFFERS.set(self);
    }
}

/// The footer says how a chunk's data pages are encoded: the one encoding beside levels and dictionary.
pub(super) fn data_encoding(chunk: &ColumnChunkMetaData) -> i32 {
    if chunk.dictionary_page_offset().is_some() {
        return page::DICTIONARY;
    }
    let encoding = chunk.encodings().find(|&encoding| encoding != Encoding::RLE);
    encoding.map_or(page::PLAIN, |encoding| encoding as i32)
}

/// Checks a page and leaves its content, decompressed, in `body`.
pub(super) fn open_page(
    bytes: &[u8],
    chunk: &ColumnChunkMetaData,
    body: &mut Vec<u8>,
) -> Result<PageHeader, BadEncoding> {
    let mut content = bytes;
    let header = PageHeader::take(&mut content)?;
    if bytes.len() - content.len() > HEADER_BYTES_MAX || content.len() != header.stored_bytes as usize {
        return Err(BadEncoding("page length"));
    }
    if crc32fast::hash(content) != header.crc {
        return Err(BadEncoding("page checksum"));
    }
    // The header has no checksum: the footer bounds what it may make us allocate.
    if i64::from(header.plain_bytes) > chunk.uncompressed_size() {
        return Err(BadEncoding("page length"));
    }
    body.clear();
    match chunk.compression() {
        Compression::UNCOMPRESSED => body.extend_from_slice(content),
        Compression::ZSTD(_) => {
            body.reserve(header.plain_bytes as usize);
            DECOMPRESSOR.with_borrow_mut(|slot| {
                let decompressor = match slot {
                    Some(decompressor) => decompressor,
                    None => slot.insert(zstd::bulk::Decompressor::new().map_err(|_| BadEncoding("zstd context"))?),
                };
                decompressor.decompress_to_buffer(content, body).map_err(|_| BadEncoding("compressed page"))
            })?;
        }
        _ => return Err(BadEncoding("compression")),
    }
    if body.len() != header.plain_bytes as usize {
        return Err(BadEncoding("page length"));
    }
    Ok(header)
}
