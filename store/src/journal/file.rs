//! A journal file as readers see it: its number, how far it is durable, what it should hold.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;

use super::{group::Link, reader::Frames, tallies::Tallies, varint::Fields};

/// The file header (docs/formats.md, Journal, File). Records follow.
pub(super) const HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"WEIRJRNL";
/// The highest version of a file: 2 may hold group headers that say only what changed, 1 does not.
pub(super) const VERSION: u32 = 2;
pub(super) const VERSION_OF_FEW: u32 = 1;
const CRC_AT: usize = HEADER_BYTES - 4;
const SUFFIX: &str = ".journal";

/// One numbered file. Its bytes up to [`JournalFile::bytes`] never change; open readers keep it alive after it is retired.
#[derive(Debug)]
pub struct JournalFile {
    number: u32,
    salt: u64,
    path: PathBuf,
    file: File,
    link: Link,
    opening: Tallies,
    end: AtomicU32,
    closing: OnceLock<Tallies>,
}

impl JournalFile {
    pub(crate) fn new(number: u32, salt: u64, path: PathBuf, file: File, opening: Tallies, end: u32) -> Self {
        let link = Link::default();
        Self { number, salt, path, file, link, opening, end: AtomicU32::new(end), closing: OnceLock::new() }
    }

    /// The same, behind another file.
    pub(super) fn linked(self, link: Link) -> Self {
        Self { link, ..self }
    }

    /// The number: the upper half of the offsets in it.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing will be added any more.
    pub fn is_closed(&self) -> bool {
        self.closing.get().is_some()
    }

    /// The durable bytes, headers included.
    pub fn bytes(&self) -> u32 {
        self.end.load(Ordering::Acquire)
    }

    /// The file before this one, and where it ends: frames beyond were copied to this one, as its first, in their order.
    pub(crate) fn before(&self) -> (u32, u32) {
        (self.link.file, self.link.end)
    }

    /// Items accepted and rejected before this file, since the journal began.
    pub fn opening(&self) -> &Tallies {
        &self.opening
    }

    /// Items accepted and rejected up to the end of this file, since the journal began; `None` while it is open.
    pub fn closing(&self) -> Option<&Tallies> {
        self.closing.get()
    }

    /// What was acknowledged into this file; `None` while it is open. What a reader does not find of it is damaged.
    pub fn expected(&self) -> Option<Tallies> {
        self.closing().map(|closing| closing.since(&self.opening))
    }

    /// Reads the durable frames, in order, in large chunks; blocks. Damaged stretches are reported and skipped.
    pub fn frames(self: &Arc<Self>) -> Frames {
        self.frames_from(0)
    }

    /// The same from a byte position on, at which a frame must begin (or 0).
    pub fn frames_from(self: &Arc<Self>, position: u32) -> Frames {
        let start = position.max(HEADER_BYTES as u32);
        Frames::new(self.clone(), start, self.bytes())
    }

    /// Reads a stretch inside a payload, with one pread; blocks. The checksum is not looked at.
    pub fn read_payload(&self, position: u32, bytes: u32) -> io::Result<Bytes> {
        let mut buffer = vec![0; bytes as usize];
        self.file.read_exact_at(&mut buffer, u64::from(position))?;
        Ok(buffer.into())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    pub(super) fn set_end(&self, end: u32) {
        self.end.store(end, Ordering::Release);
    }

    pub(super) fn close(&self, closing: Tallies) {
        // A file is closed once; a second time would bring the same tallies.
        let _ = self.closing.set(closing);
    }
}

/// The name of a file in the journal's folder.
pub(super) fn file_name(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a file's name.
pub(super) fn file_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(SUFFIX)?;
    let all_digits = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// Appends a file header.
pub(super) fn encode_header(version: u32, number: u32, salt: u64, created_at_ns: u64, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    buffer.extend_from_slice(MAGIC);
    buffer.extend_from_slice(&version.to_le_bytes());
    buffer.extend_from_slice(&number.to_le_bytes());
    buffer.extend_from_slice(&salt.to_le_bytes());
    buffer.extend_from_slice(&created_at_ns.to_le_bytes());
    buffer.resize(start + CRC_AT, 0);
    let crc = crc32c::crc32c(&buffer[start..]);
    buffer.extend_from_slice(&crc.to_le_bytes());
}

/// Version and salt in a file header; `None` when the header is damaged or another file's. Magic, version and checksum stand where
/// they do in every version.
pub(super) fn decode_header(bytes: &[u8], number: u32) -> Option<(u32, u64)> {
    let header = bytes.get(..HEADER_BYTES)?;
    let crc = crc32c::crc32c(&header[..CRC_AT]);
    let mut fields = Fields(header);
    let is_ours = fields.bytes(8)? == MAGIC;
    let version = fields.u32()?;
    let is_ours = is_ours && fields.u32()? == number;
    let salt = fields.u64()?;
    (is_ours && header[CRC_AT..] == crc.to_le_bytes()).then_some((version, salt))
}
