//! Puts objects that a check found missing or damaged into their place again, from what is here of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    ArchiveError,
    archive::{Archive, Outgoing},
    bucket::{Bucket, BucketError},
    layout::{Keys, name_of},
};
use crate::{
    catalog::ArchivedSegment,
    segment::{
        SegmentError, SegmentId,
        archived::{ArchivedManifest, WrittenFiles, index_path},
    },
};

/// What a check missed, by segment.
pub(crate) type Missed = BTreeMap<SegmentId, BTreeSet<String>>;

/// A file here that is what an object should be, and the object's CRC32C if that is known.
type Copies = BTreeMap<String, (PathBuf, Option<u32>)>;

impl Archive {
    /// An object of a segment is not what it should be: what is here of the segment stays until it is.
    pub(super) fn miss(&self, id: &SegmentId, key: &str) {
        self.missed.lock().entry(id.clone()).or_default().insert(key.to_owned());
    }

    /// What was missed.
    pub(crate) fn all_missed(&self) -> Missed {
        self.missed.lock().clone()
    }

    /// Nothing of a segment is to be put there again.
    pub(crate) fn forget_missed(&self, id: &SegmentId) {
        self.missed.lock().remove(id);
    }

    /// Puts objects of a segment there again, from the segment itself if that is still here, or from copies; those of which there are none
    /// are left out. How many.
    ///
    /// # Errors
    ///
    /// Also when what is here does not come to what was there: nothing is changed then.
    pub(crate) fn put_again(
        &self,
        archived: &ArchivedSegment,
        segment: Option<Outgoing<'_>>,
        missed: &BTreeSet<String>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<usize, ArchiveError> {
        let (copies, written) = match segment {
            Some(segment) => self.written_again(archived, segment, should_stop)?,
            None => (self.copies_here(archived)?, Vec::new()),
        };
        let mut count = 0;
        for key in missed {
            let Some((path, crc32c)) = copies.get(key).cloned() else { continue };
            let (bucket, reading, of_key) = (self.bucket.clone(), self.reading(), key.clone());
            let put = self.wait_or_stop(async move { put(&bucket, &reading, &of_key, &path, crc32c).await })??;
            if put {
                tracing::warn!(id = %archived.id, tenant = %archived.id.tenant, key, "an object that was lost is in the archive again");
                count += 1;
            }
        }
        for path in written {
            let _ = self.disk().unlink(&path);
        }
        self.forget_missed(&archived.id);
        Ok(count)
    }

    /// Writes a segment's objects once more, and what of them is not to stay here.
    fn written_again(
        &self,
        archived: &ArchivedSegment,
        segment: Outgoing<'_>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(Copies, Vec<PathBuf>), ArchiveError> {
        let (id, keys) = (&archived.id, Keys::of(&archived.id, &archived.name));
        let (files, crc32c) = self.write_copy(segment, should_stop)?;
        let WrittenFiles { rows, index, chunks, manifest } = files;
        let written: Vec<PathBuf> = [Some(rows.clone()), chunks.clone()].into_iter().flatten().collect();
        if name_of(id, crc32c) != archived.name {
            written.iter().for_each(|path| drop(self.disk().unlink(path)));
            let what = format!("segment {id} as it is here, which is not {} any more,", archived.name);
            return Err(ArchiveError::Foreign(what));
        }
        let mut copies = Copies::from([(keys.rows, (rows, Some(crc32c))), (keys.manifest, (manifest, None))]);
        copies.extend(index.map(|path| (keys.index, (path, None))));
        copies.extend(chunks.map(|path| (keys.chunks, (path, None))));
        Ok((copies, written))
    }

    /// What is here of a segment whose rows are there only: manifest, index, and the object that queries read if it is pinned.
    fn copies_here(&self, archived: &ArchivedSegment) -> Result<Copies, ArchiveError> {
        let (keys, folder) = (Keys::of(&archived.id, &archived.name), self.path_of(&archived.id));
        let mut copies = Copies::new();
        let path = folder.join("manifest.json");
        let Ok(bytes) = std::fs::read(&path) else { return Ok(copies) };
        let Ok(manifest) = ArchivedManifest::read(&bytes) else { return Ok(copies) };
        copies.insert(keys.manifest, (path, None));
        let path = index_path(&folder, archived.id.signal);
        if std::fs::read(&path).is_ok_and(|index| manifest.check_index(&index).is_ok()) {
            copies.insert(keys.index, (path, None));
        }
        let wanted = self.wanted(archived)?;
        if let Some(path) = self.kept.path(&wanted.key) {
            copies.insert(wanted.key.clone(), (path, Some(wanted.crc32c())));
        }
        Ok(copies)
    }
}

/// Puts a file in the place of an object, unless that is what it is. Whether it did.
async fn put(
    bucket: &Bucket,
    reading: &Bucket,
    key: &str,
    path: &std::path::Path,
    crc32c: Option<u32>,
) -> Result<bool, ArchiveError> {
    let io = |source| ArchiveError::Io { path: path.to_owned(), source };
    let file_crc = super::archive::checksum_of(path).map_err(io)?;
    if crc32c.is_some_and(|crc32c| crc32c != file_crc) {
        return Err(SegmentError::Damaged { what: format!("{} is not what {key} was", path.display()) }.into());
    }
    match reading.sum(key).await {
        Ok((_, found)) if found == file_crc => return Ok(false),
        Ok(_) | Err(BucketError::Corrupt { .. }) => bucket.delete(key).await?,
        Err(BucketError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    bucket.put_file(key, path, Some(file_crc)).await?;
    Ok(true)
}
