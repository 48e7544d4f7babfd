//! How far a file was read, as journal and catalog keep it (docs/formats.md, Source cursors of files).

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use super::mark::Mark;

/// The version of the form.
const VERSION: u8 = 1;

/// The file has no inode any more, or another file has it.
const LOST: u8 = 1;
/// It was out of gzip.
const GZIP: u8 = 2;
/// The offset is in a line of which the rest is left out.
const PASSING: u8 = 4;

/// How far a file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileCursor {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Whether another file has that inode now, or none.
    pub(super) is_lost: bool,
    pub(super) is_gzip: bool,
    /// Whether what comes up to the end of a line is passed over.
    pub(super) is_passing: bool,
    /// Of its first bytes.
    pub(super) beginning: Mark,
    /// Where the next line begins.
    pub(super) offset: u64,
    /// Of the bytes before that.
    pub(super) tail: Mark,
    /// When it was written last, as far as it was looked at.
    pub(super) modified_ns: u64,
    /// Lines before that.
    pub(super) records: u64,
    /// Where it was found last.
    pub(super) path: PathBuf,
    /// Where it was found first: what is written there after it goes on where it ended.
    pub(super) stream: PathBuf,
    /// Lines before the offset that wait for what belongs to them: where each begins and ends.
    pub(super) open: Vec<(u64, u64)>,
}

impl FileCursor {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.path.as_os_str().len());
        out.push(VERSION);
        let flags = [(self.is_lost, LOST), (self.is_gzip, GZIP), (self.is_passing, PASSING)];
        out.push(flags.iter().map(|(is_set, flag)| u8::from(*is_set) * flag).sum());
        for number in [self.device, self.inode, self.offset, self.modified_ns, self.records] {
            put(&mut out, number);
        }
        for mark in [self.beginning, self.tail] {
            put(&mut out, u64::from(mark.bytes));
            out.extend_from_slice(&mark.hash.to_le_bytes());
        }
        for path in [&self.path, &self.stream] {
            let path = path.as_os_str().as_bytes();
            put(&mut out, path.len() as u64);
            out.extend_from_slice(path);
        }
        put(&mut out, self.open.len() as u64);
        for (start, end) in &self.open {
            put(&mut out, *start);
            put(&mut out, end - start);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let version = take(&mut rest, 1)?[0];
        if version != VERSION {
            return None;
        }
        let flags = take(&mut rest, 1)?[0];
        let mut number = || varint(&mut rest);
        let (device, inode, offset, modified_ns, records) = (number()?, number()?, number()?, number()?, number()?);
        let mut mark = || {
            let bytes = varint(&mut rest)?.try_into().ok()?;
            let hash = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
            Some(Mark { bytes, hash })
        };
        let (beginning, tail) = (mark()?, mark()?);
        let mut path = || {
            let path_bytes = varint(&mut rest)? as usize;
            Some(PathBuf::from(OsString::from_vec(take(&mut rest, path_bytes)?.to_vec())))
        };
        let (path, stream) = (path()?, path()?);
        let ranges = varint(&mut rest)?;
        let mut open = Vec::new();
        for _ in 0..ranges {
            let start = varint(&mut rest)?;
            open.push((start, start.checked_add(varint(&mut rest)?)?));
        }
        rest.is_empty().then_some(Self {
            device,
            inode,
            is_lost: flags & LOST != 0,
            is_gzip: flags & GZIP != 0,
            is_passing: flags & PASSING != 0,
            beginning,
            offset,
            tail,
            modified_ns,
            records,
            path,
            stream,
            open,
        })
    }
}

/// The name by which journal and catalog know a file of a receiver.
pub(super) fn source_of(receiver: &str, file: u64) -> String {
    format!("{receiver}#{file}")
}

/// The other way; `None` for what is another receiver's.
pub(super) fn file_of(receiver: &str, source: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(source).ok()?;
    text.strip_prefix(receiver)?.strip_prefix('#')?.parse().ok()
}

/// Whether a file's name is what rotation makes of another's: `x.log` becomes `x.log.1`, `x.log-20240101`, `x-20240101.log`, `x.log.gz`.
pub(super) fn is_rotated_name(name: &Path, original: &Path) -> bool {
    let (Some(name), Some(original)) = (name.file_name(), original.file_name()) else { return false };
    let (name, original) = (name.as_bytes(), original.as_bytes());
    let goes_on = |stem: &[u8]| {
        name.strip_prefix(stem).is_some_and(|rest| rest.first().is_some_and(|byte| b".-_".contains(byte)))
    };
    if name == original {
        return false;
    }
    let stem_len = original.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    goes_on(original) || stem_len.is_some_and(|len| goes_on(&original[..len]))
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were() {
        let cursor = FileCursor {
            device: 1 << 40,
            inode: 77,
            is_lost: true,
            is_gzip: false,
            is_passing: true,
            beginning: Mark::of(b"first"),
            offset: 123_456_789,
            tail: Mark::of(b"last"),
            modified_ns: u64::MAX,
            records: 9,
            path: "/var/log/é.log.1".into(),
            stream: "/var/log/é.log".into(),
            open: vec![(100, 120), (140, 200)],
        };
        let encoded = cursor.encode();
        assert_eq!(FileCursor::decode(&encoded).as_ref(), Some(&cursor));
        assert!((0..encoded.len()).all(|cut| FileCursor::decode(&encoded[..cut]).is_none()));
        assert_eq!(file_of("filelog/app", source_of("filelog/app", 12).as_bytes()), Some(12));
        assert_eq!(file_of("filelog", b"filelog/app#12"), None);
    }

    #[test]
    fn names_of_rotation() {
        let is = |name: &str| is_rotated_name(Path::new(name), Path::new("/l/app.log"));
        assert!(
            ["app.log.1", "app.log-20240101.gz", "app-2024.log", "app.1.log", "/old/app.log.2.gz"].into_iter().all(is)
        );
        assert!(!["app.log", "app2.log", "b.log", "myapp.log.1"].into_iter().any(is));
    }
}
