//! Where sources stood behind everything sealed, once more: the file CURSORS beside the journal, for a catalog that is lost
//! (docs/formats.md, CURSORS).

use std::{io, path::Path};

use super::{SourceCursors, varint::Fields};
use crate::disk::Disk;

const NAME: &str = "CURSORS";
const UNFINISHED: &str = "CURSORS.tmp";
const MAGIC: &[u8; 8] = b"WEIRCURS";
const VERSION: u32 = 1;

/// The largest file that is read back.
const BYTES_MAX: u64 = 256 << 20;

/// Makes them durable. They may be ahead of the catalog: the journal's frames, which say so too, are gone only when it knows.
pub(crate) fn write_cursors(cursors: &SourceCursors, disk: &Disk, folder: &Path) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&cursors.encode());
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    let unfinished = folder.join(UNFINISHED);
    if unfinished.exists() {
        disk.unlink(&unfinished)?;
    }
    let file = disk.create(&unfinished)?;
    file.write_at(&bytes, 0)?;
    file.sync()?;
    disk.rename(&unfinished, &folder.join(NAME))?;
    disk.sync_folder(folder)
}

/// What was written last; nothing where there is none, or none that is sound.
pub(crate) fn read_cursors(folder: &Path) -> SourceCursors {
    let path = folder.join(NAME);
    let Ok(metadata) = std::fs::metadata(&path) else { return SourceCursors::default() };
    let content = if metadata.len() > BYTES_MAX { None } else { std::fs::read(&path).ok() };
    let cursors = content.and_then(|content| decode(&content));
    if cursors.is_none() {
        tracing::error!(path = %path.display(), "cannot be read: sources of sealed lines may be read again");
    }
    cursors.unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<SourceCursors> {
    let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if crc32c::crc32c(body).to_le_bytes() != crc {
        return None;
    }
    let mut fields = Fields(body);
    if fields.bytes(8)? != MAGIC || fields.u32()? != VERSION {
        return None;
    }
    let mut cursors = SourceCursors::default();
    cursors.add_encoded(fields.0).then_some(cursors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_back_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read_cursors(folder.path()), SourceCursors::default());
        let mut cursors = SourceCursors::default();
        for cursor in ["1", "2"] {
            cursors.set("source", cursor);
            std::fs::write(folder.path().join(UNFINISHED), "left over").expect("written");
            write_cursors(&cursors, &Disk::system(), folder.path()).expect("written");
            assert_eq!(read_cursors(folder.path()), cursors);
        }
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[14] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(read_cursors(folder.path()), SourceCursors::default());
    }
}
