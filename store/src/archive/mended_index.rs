//! An index that is lost or damaged hides no rows: it is made anew from them, there and here.

use bytes::Bytes;

use super::{
    ArchiveError,
    archive::Archive,
    bucket::Bucket,
    found::{ANSWERS_MAX, is_damage, is_gone},
    layout::Keys,
};
use crate::{
    catalog::ArchivedSegment,
    segment::{
        Segment,
        archived::{ArchivedManifest, footer_of, write_stub},
    },
};

impl Archive {
    /// Brings the index of a segment of rows back here, and there when it is lost or damaged there as well.
    ///
    /// # Errors
    ///
    /// Also when what its rows make is another than it had: then they go on being looked through.
    pub(crate) fn mend_index(&self, archived: &ArchivedSegment, segment: &Segment) -> Result<(), ArchiveError> {
        let id = &archived.id;
        let keys = Keys::of(id, &archived.name);
        let manifest = self.manifest_of(archived)?;
        let (bucket, key, of) = (self.reading(), keys.index.clone(), manifest.clone());
        let index = match self.wait_or_stop(async move { read_index(&bucket, &key, &of).await })? {
            Ok(index) => index,
            Err(error) if is_damage(&error) || is_gone(&error) => {
                let index = Bytes::from(segment.index_from_rows()?);
                manifest.check_index(&index)?;
                let (bucket, key, bytes) = (self.bucket.clone(), keys.index.clone(), index.clone());
                self.wait_or_stop(async move { bucket.put(&key, bytes).await })??;
                tracing::warn!(%id, tenant = %id.tenant, key = keys.index, %error, "an index in the archive is made anew from its rows");
                index
            }
            Err(error) => return Err(error),
        };
        let path = self.path_of(id);
        let io = |source| ArchiveError::Io { path: path.clone(), source };
        let bytes = std::fs::read(path.join("manifest.json")).map_err(io)?;
        let footer = footer_of(&path).map_err(io)?;
        write_stub(self.disk(), &self.folder_of(id), &bytes, Some(&index), &footer)?;
        Ok(())
    }
}

/// Reads an index, again when an answer was damaged on its way.
pub(super) async fn read_index(bucket: &Bucket, key: &str, manifest: &ArchivedManifest) -> Result<Bytes, ArchiveError> {
    let mut damage = None;
    for _ in 0..ANSWERS_MAX {
        match bucket.get(key).await {
            Ok(bytes) => match manifest.check_index(&bytes) {
                Ok(()) => return Ok(bytes),
                Err(error) => damage = Some(error.into()),
            },
            Err(error) => return Err(error.into()),
        }
    }
    Err(damage.expect("each round that goes on found damage"))
}
