//! Payload buffers: reused, framed for gRPC, compressed when asked.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::shop::HEAD_LEN;

/// How payloads are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// Not at all.
    None,
    /// gzip, level 1.
    Gzip,
    /// zstd, level 1.
    Zstd,
}

impl Encoding {
    /// As in `grpc-encoding` and `content-encoding`; `None` for no header.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// Buffers that come back once their request is answered.
#[derive(Debug, Clone, Default)]
pub struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer on loan.
struct Loan {
    bytes: Vec<u8>,
    pool: Pool,
}

/// Buffers kept for reuse; more are freed.
const BUFFERS_MAX: usize = 64;

impl Pool {
    fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    fn give(&self, buffer: Vec<u8>) {
        let mut buffers = self.0.lock();
        if buffers.len() < BUFFERS_MAX {
            buffers.push(buffer);
        }
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

/// Turns filled buffers into messages. One for each task that makes payloads.
pub struct Encoder {
    encoding: Encoding,
    pool: Pool,
    gzip: libdeflater::Compressor,
    zstd: zstd::bulk::Compressor<'static>,
}

impl Encoder {
    /// An encoder that takes its buffers from `pool`.
    pub fn new(encoding: Encoding, pool: Pool) -> Self {
        let level = libdeflater::CompressionLvl::new(1).expect("1 is a level");
        let zstd = zstd::bulk::Compressor::new(1).expect("1 is a level");
        Self { encoding, pool, gzip: libdeflater::Compressor::new(level), zstd }
    }

    /// How it compresses.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Lets `fill` write head room and message, compresses the message and writes gRPC's prefix before it.
    pub fn message(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let mut plain = self.pool.take();
        fill(&mut plain);
        let mut message = match self.encoding {
            Encoding::None => plain,
            Encoding::Gzip | Encoding::Zstd => {
                let packed = self.compress(&plain[HEAD_LEN..]);
                self.pool.give(plain);
                packed
            }
        };
        let len = (message.len() - HEAD_LEN) as u32;
        message[0] = u8::from(self.encoding != Encoding::None);
        message[1..HEAD_LEN].copy_from_slice(&len.to_be_bytes());
        Bytes::from_owner(Loan { bytes: message, pool: self.pool.clone() })
    }

    fn compress(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut packed = self.pool.take();
        packed.clear();
        let bound = match self.encoding {
            Encoding::Gzip => self.gzip.gzip_compress_bound(plain.len()),
            _ => zstd::zstd_safe::compress_bound(plain.len()),
        };
        packed.resize(HEAD_LEN + bound, 0);
        let room = &mut packed[HEAD_LEN..];
        let len = match self.encoding {
            Encoding::Gzip => self.gzip.gzip_compress(plain, room).expect("the bound is enough"),
            _ => self.zstd.compress_to_buffer(plain, room).expect("the bound is enough"),
        };
        packed.truncate(HEAD_LEN + len);
        packed
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}
