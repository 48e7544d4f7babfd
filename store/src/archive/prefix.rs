//! Which archive a prefix of a bucket holds: a number of its own, which the catalog remembers beside the segments that went there.
//!
//! Local segments go because the archive has them. An address that leads elsewhere one day must not be taken for it.

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::{Bucket, BucketError},
    layout::{Keys, PREFIX},
};
use crate::catalog::{ArchivedSegment, Catalog, Stage};

/// Segments that are looked for in an archive without a number.
const PROBES: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
struct Prefix {
    /// As text: numbers of JSON have 53 bits.
    id: String,
}

/// Whether the prefix may be the one that is expected: it has that number, or none yet and one of the segments. Where nothing was
/// archived any prefix may be.
pub(super) async fn check(bucket: &Bucket, expected: Option<i64>, probes: &[Keys]) -> Result<(), ArchiveError> {
    if probes.is_empty() {
        return Ok(());
    }
    match (read(bucket).await?, expected) {
        (Some(found), Some(expected)) if found == expected => Ok(()),
        (Some(_), Some(_)) => Err(ArchiveError::Another),
        // Older than the number; or somebody deleted it.
        _ => has_any(bucket, probes).await,
    }
}

async fn has_any(bucket: &Bucket, probes: &[Keys]) -> Result<(), ArchiveError> {
    for keys in probes {
        for key in [&keys.manifest, &keys.rows] {
            match bucket.head(key).await {
                Ok(_) => return Ok(()),
                Err(BucketError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Err(ArchiveError::Another)
}

/// The number that is there. What nobody can read is none.
async fn read(bucket: &Bucket) -> Result<Option<i64>, ArchiveError> {
    match bucket.get(PREFIX).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok().and_then(|prefix: Prefix| prefix.id.parse().ok())),
        Err(BucketError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Archive {
    /// Learns from the catalog which archive its segments went to.
    pub(crate) async fn expect_prefix(&self, catalog: &Catalog) -> Result<(), ArchiveError> {
        let mut archived = catalog.archived().await?;
        archived.retain(|segment| segment.stage != Stage::Removed);
        archived.sort_by_key(|segment| std::cmp::Reverse(segment.since_ns));
        let probes = archived.iter().take(PROBES).map(|ArchivedSegment { id, name, .. }| Keys::of(id, name)).collect();
        *self.expected.lock() = (catalog.prefix().await?, probes);
        Ok(())
    }

    /// The number of the claimed prefix goes to the catalog; one that has none gets `chosen`.
    pub(crate) async fn note_prefix(&self, catalog: &Catalog, chosen: i64) -> Result<(), ArchiveError> {
        let bucket = self.reading();
        let number = async move {
            if let Some(found) = read(&bucket).await? {
                return Ok(found);
            }
            let bytes = serde_json::to_vec(&Prefix { id: chosen.to_string() }).expect("a text becomes JSON");
            // This process is the only one that writes here.
            bucket.put(PREFIX, bytes.into()).await?;
            Ok::<_, ArchiveError>(chosen)
        };
        let number = self.run(number).await?;
        catalog.set_prefix(number).await?;
        self.expected.lock().0 = Some(number);
        Ok(())
    }
}
