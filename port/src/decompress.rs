//! Decompresses a body within its limit: a bomb of any ratio costs at most that many bytes.

use std::{cell::RefCell, io::Read};

use libdeflater::{DecompressionError, Decompressor};
use memchr::memmem;
use zstd::zstd_safe::{self, DCtx, DParameter, ResetDirective};

use crate::{budget::Reservation, refusal::Refusal};

/// How a body is compressed: `Content-Encoding` or `grpc-encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// RFC 9110: the zlib format.
    Deflate,
}

/// What a client may use.
pub const ACCEPTED: &str = "identity,gzip,zstd,deflate";

impl Encoding {
    /// Reads a header's value; names are case-insensitive, an empty one is identity.
    pub fn parse(name: &[u8]) -> Result<Self, Refusal> {
        let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "deflate" | "zlib" => Ok(Self::Deflate),
            _ => Err(Refusal::UnknownEncoding(name.chars().take(64).collect())),
        }
    }

    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }
}

/// The content of `body`, of at most `bytes_max` bytes, each taken from `reservation` before it is allocated.
pub fn decompress(
    encoding: Encoding,
    body: &[u8],
    bytes_max: usize,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, Refusal> {
    let mut output = Output { bytes: Vec::new(), bytes_max, reservation };
    match encoding {
        Encoding::Identity => {
            output.grow_to(body.len())?;
            output.bytes.copy_from_slice(body);
        }
        Encoding::Gzip => gunzip(body, &mut output)?,
        Encoding::Deflate => output.read_to_end(flate2::read::ZlibDecoder::new(body), "zlib")?,
        Encoding::Zstd => unzstd(body, &mut output)?,
    }
    Ok(output.bytes)
}

struct Output<'a> {
    bytes: Vec<u8>,
    bytes_max: usize,
    reservation: &'a mut Reservation,
}

impl Output<'_> {
    fn too_large(&self) -> Refusal {
        Refusal::TooLarge { what: "the decompressed request", bytes_max: self.bytes_max }
    }

    /// Makes room for exactly `len` bytes.
    fn make_room(&mut self, len: usize) -> Result<(), Refusal> {
        if len > self.bytes_max {
            return Err(self.too_large());
        }
        let capacity = self.bytes.capacity();
        if len > capacity {
            self.reservation.add(len - capacity)?;
            self.bytes.reserve_exact(len - self.bytes.len());
        }
        Ok(())
    }

    /// Makes exactly `len` bytes, zero where nothing was written yet.
    fn grow_to(&mut self, len: usize) -> Result<(), Refusal> {
        self.make_room(len)?;
        self.bytes.resize(len, 0);
        Ok(())
    }

    /// Reads a decoder of unknown length.
    fn read_to_end(&mut self, mut decoder: impl Read, format: &str) -> Result<(), Refusal> {
        const FIRST_BYTES: usize = 64 << 10;

        let corrupt = |error: std::io::Error| Refusal::Malformed(format!("corrupt {format}: {error}"));
        let mut filled = 0;
        self.bytes.clear();
        loop {
            if filled == self.bytes.len() {
                if filled == self.bytes_max {
                    // Full: only the end may follow.
                    let more = decoder.read(&mut [0]).map_err(corrupt)?;
                    return if more == 0 { Ok(()) } else { Err(self.too_large()) };
                }
                self.grow_to((filled * 2).clamp(FIRST_BYTES.min(self.bytes_max), self.bytes_max))?;
            }
            let count = decoder.read(&mut self.bytes[filled..]).map_err(corrupt)?;
            if count == 0 {
                break;
            }
            filled += count;
        }
        self.bytes.truncate(filled);
        // The journal and the head account for what is used, not for what is allocated.
        if self.bytes.capacity() - filled > filled / 4 {
            self.bytes.shrink_to_fit();
        }
        Ok(())
    }
}

fn gunzip(body: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    thread_local! {
        static DECOMPRESSOR: RefCell<Decompressor> = RefCell::new(Decompressor::new());
    }
    let Some(len) = single_member_len(body) else { return read_gzip(body, output) };
    output.grow_to(len)?;
    match DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.gzip_decompress(body, &mut output.bytes)) {
        Ok(written) if written == len => Ok(()),
        // The trailer was not what it seemed; flate2 knows what to make of it.
        Ok(_) | Err(DecompressionError::InsufficientSpace) => read_gzip(body, output),
        Err(DecompressionError::BadData) => Err(Refusal::Malformed("corrupt gzip".into())),
    }
}

fn read_gzip(body: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    output.read_to_end(flate2::read::MultiGzDecoder::new(body), "gzip")
}

/// The content's length as the trailer says it (RFC 1952, ISIZE), if the body may be one member of that length.
fn single_member_len(body: &[u8]) -> Option<usize> {
    const MAGIC: &[u8] = &[0x1f, 0x8b, 8];
    /// Deflate cannot do better: 258 bytes for two bits.
    const RATIO_MAX: usize = 1032;

    let (_, isize_bytes) = body.split_last_chunk::<4>()?;
    let len = u32::from_le_bytes(*isize_bytes) as usize;
    // libdeflate stops after the first member without a word: where another may follow it must not be used.
    let another_member = memmem::find(&body[1..], MAGIC).is_some();
    (len / RATIO_MAX <= body.len() && !another_member).then_some(len)
}

/// Windows up to 32 MiB: what klauspost/compress, which Go's exporters use, writes at its best level.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// A context that decoded a large window keeps it; such a one is thrown away.
const ZSTD_CONTEXT_BYTES_MAX: usize = 1 << 20;

fn unzstd(body: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    thread_local! {
        static CONTEXT: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
    }
    CONTEXT.with_borrow_mut(|slot| {
        let context = slot.get_or_insert_with(new_zstd_context);
        let result = unzstd_with(context, body, output);
        if context.sizeof() > ZSTD_CONTEXT_BYTES_MAX {
            *slot = None;
        }
        result
    })
}

fn new_zstd_context() -> DCtx<'static> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).expect("a window that zstd supports");
    context
}

fn unzstd_with(context: &mut DCtx<'static>, body: &[u8], output: &mut Output<'_>) -> Result<(), Refusal> {
    let one_frame = zstd_safe::find_frame_compressed_size(body) == Ok(body.len());
    let Some(len) = zstd_safe::get_frame_content_size(body).ok().flatten().filter(|_| one_frame) else {
        // What a failed body left behind must not meet the next one.
        context.reset(ResetDirective::SessionOnly).expect("a session can always be reset");
        let decoder = zstd::stream::read::Decoder::with_context(body, context);
        return output.read_to_end(decoder, "zstd");
    };
    let len = usize::try_from(len).map_err(|_| output.too_large())?;
    output.make_room(len)?;
    match context.decompress(&mut output.bytes, body) {
        Ok(written) if written == len => Ok(()),
        Ok(_) => Err(Refusal::Malformed("corrupt zstd: not the declared length".into())),
        Err(code) => Err(Refusal::Malformed(format!("corrupt zstd: {}", zstd_safe::get_error_name(code)))),
    }
}

#[cfg(test)]
mod tests;
