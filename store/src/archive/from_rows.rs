//! Finds a segment again whose manifest is gone: the table's log names its rows' file, and that has the manifest in its footer.

use super::{
    ArchiveError,
    bucket::{Bucket, BucketError},
    layout::Keys,
};
use crate::segment::archived::{END_BYTES, EmbeddedManifest, footer_range};

/// Makes the manifest of objects again, and puts it where it was.
pub(super) async fn put_manifest(bucket: &Bucket, keys: &Keys) -> Result<(), ArchiveError> {
    let bytes = bucket.head(&keys.rows).await?.bytes;
    let end = read(bucket, keys, bytes.saturating_sub(END_BYTES)..bytes).await?;
    let footer = footer_range(bytes, &end)?;
    let embedded = EmbeddedManifest::find(&read(bucket, keys, footer.clone()).await?, footer.start, bytes)?;
    let has_index = match bucket.head(&keys.index).await {
        Ok(_) => true,
        Err(BucketError::NotFound { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let checked = read(bucket, keys, embedded.checked()).await?;
    let manifest = embedded.manifest(&checked, has_index)?;
    tracing::warn!(key = keys.manifest, has_index, "a manifest in the archive is gone; it is made again from its rows");
    // Another start may have put it there meanwhile.
    Ok(bucket.put(&keys.manifest, manifest.into()).await?)
}

async fn read(bucket: &Bucket, keys: &Keys, range: std::ops::Range<u64>) -> Result<Vec<u8>, ArchiveError> {
    Ok(bucket.get_ranges(&keys.rows, std::slice::from_ref(&range)).await?.concat())
}
