//! Which archive a prefix of a bucket holds: a number of its own, which the catalog remembers beside the segments that went there.
//!
//! Local segments go because the archive has them. An address that leads elsewhere one day must not be taken for it.

use std::hash::{BuildHasher, Hasher, RandomState};

use serde::{Deserialize, Serialize};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::{Bucket, BucketError},
    layout::{Keys, PREFIX},
    owner,
};
use crate::catalog::{ArchivedSegment, Catalog, Stage};

/// Segments that are looked for in an archive without a number.
const PROBES: usize = 8;

#[derive(Debug, Serialize, Deserialize)]
struct Prefix {
    /// As text: numbers of JSON have 53 bits.
    id: String,
}

/// What a prefix is to have.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// The number of the archive that the catalog's segments went to, if it is known.
    number: Option<i64>,
    /// The newest of those segments.
    probes: Vec<Keys>,
    /// Whether this process found that number there, or gave it.
    pub(super) is_noted: bool,
}

/// Whether the prefix may be the one that is expected: it has that number, or none yet and one of the segments. Where nothing was
/// archived any prefix may be, until this process has noted one.
pub(super) async fn check(bucket: &Bucket, expected: &Expected) -> Result<(), ArchiveError> {
    if expected.probes.is_empty() && !expected.is_noted {
        return Ok(());
    }
    match (owner::read_twice(|| read(bucket)).await?, expected.number) {
        (Some(found), Some(number)) if found == number => Ok(()),
        (Some(_), Some(_)) => Err(ArchiveError::Another),
        // Older than the number; or somebody deleted it.
        _ => has_any(bucket, &expected.probes).await,
    }
}

/// The newest segments of an archive: what it is known by without its number.
fn newest(mut archived: Vec<ArchivedSegment>) -> Vec<Keys> {
    archived.retain(|segment| segment.stage != Stage::Removed);
    archived.sort_by_key(|segment| std::cmp::Reverse(segment.since_ns));
    archived.iter().take(PROBES).map(|ArchivedSegment { id, name, .. }| Keys::of(id, name)).collect()
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
        let probes = newest(catalog.archived().await?);
        let number = catalog.prefix().await?;
        *self.expected.lock() = Expected { number, probes, is_noted: false };
        Ok(())
    }

    /// What the prefix is to have by now.
    pub(super) fn expected(&self) -> Expected {
        let mut expected = self.expected.lock().clone();
        let probes = newest(self.all_known());
        if !probes.is_empty() {
            expected.probes = probes;
        }
        expected
    }

    /// The number of the claimed prefix goes to the catalog; one that has none gets one.
    pub(super) async fn note_prefix(&self, catalog: &Catalog) -> Result<(), ArchiveError> {
        let chosen = RandomState::new().build_hasher().finish() as i64;
        let bucket = self.reading();
        let number = async move {
            if let Some(found) = owner::read_twice(|| read(&bucket)).await? {
                return Ok(found);
            }
            let bytes = serde_json::to_vec(&Prefix { id: chosen.to_string() }).expect("a text becomes JSON");
            // This process is the only one that writes here.
            bucket.put(PREFIX, bytes.into()).await?;
            Ok::<_, ArchiveError>(chosen)
        };
        let number = self.run(number).await?;
        catalog.set_prefix(number).await?;
        let mut expected = self.expected.lock();
        (expected.number, expected.is_noted) = (Some(number), true);
        Ok(())
    }
}
