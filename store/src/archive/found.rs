//! What a bucket holds: the manifests under a prefix, and from them everything that a start needs to know.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::{sync::Semaphore, task::JoinSet};
use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::BucketError,
    layout::{Keys, SEGMENTS, parse_manifest},
};
use crate::{
    catalog::{ArchivedSegment, Stage},
    ledger::Tally,
    segment::{SegmentError, SegmentId, archived::ArchivedManifest},
};

/// How often one is asked for again whose answer was damaged.
const ANSWERS_MAX: usize = 2;
/// Segments that are fetched at once.
const AT_ONCE: usize = 16;

/// A segment in the bucket.
#[derive(Debug, Clone)]
pub(crate) struct FoundSegment {
    /// For the catalog.
    pub(crate) segment: ArchivedSegment,
    /// What it adds to the ledger.
    pub(crate) tally: Tally,
    /// What the tenant's ledger comes to with it, if it says so.
    pub(crate) ledger_after: Option<Tally>,
}

impl Archive {
    /// Lists what the bucket holds, in order; of a segment and those that it was made of, the segment.
    pub(crate) async fn list(&self) -> Result<Vec<(SegmentId, String)>, ArchiveError> {
        let bucket = self.reading();
        let listed: Vec<(SegmentId, String)> = self
            .run(async move {
                let mut listing = bucket.list(SEGMENTS, None);
                let mut found = Vec::new();
                while let Some(head) = listing.next().await {
                    let head = head?;
                    if head.key.ends_with(".json") {
                        match parse_manifest(&head.key) {
                            Some(manifest) => found.push(manifest),
                            None => tracing::warn!(key = head.key, "a file in the archive that is none of ours"),
                        }
                    }
                }
                Ok::<_, ArchiveError>(found)
            })
            .await?;
        let mut kept: Vec<(SegmentId, String)> = Vec::new();
        for (id, name) in &listed {
            let is_covered = listed.iter().any(|(other, _)| covers(other, id));
            if !is_covered && kept.last().is_none_or(|(before, _)| before != id) {
                kept.push((id.clone(), name.clone()));
            }
        }
        Ok(kept)
    }

    /// Brings what belongs on local disk of all of it here, and asks the tables how far each has come.
    pub(crate) async fn restore(self: &Arc<Self>) -> Result<Vec<FoundSegment>, ArchiveError> {
        let listed = self.list().await?;
        let count = listed.len();
        let bound = Arc::new(Semaphore::new(AT_ONCE));
        let now_ns = self.now_ns();
        let mut fetching = JoinSet::new();
        for (id, name) in listed {
            let (archive, bound) = (self.clone(), bound.clone());
            fetching.spawn(async move {
                let _permit = bound.acquire_owned().await.expect("never closed");
                let mut fetched = archive.fetch(id.clone(), name.clone()).await;
                for _ in 0..ANSWERS_MAX {
                    // An answer may be damaged on its way.
                    if !fetched.as_ref().is_err_and(is_damage) {
                        break;
                    }
                    fetched = archive.fetch(id.clone(), name.clone()).await;
                }
                (id, name, fetched)
            });
        }
        let mut found = Vec::with_capacity(count);
        while let Some(fetched) = fetching.join_next().await {
            let (id, name, fetched) = fetched.expect("fetching does not panic");
            match fetched {
                Ok(manifest) => found.push(of_manifest(&manifest, name, now_ns)),
                // One that is damaged, or gone, keeps nobody from reading the others.
                Err(error) if is_damage(&error) || is_gone(&error) => {
                    tracing::error!(%id, tenant = %id.tenant, %error, "a segment in the archive cannot be read");
                }
                // Another start may find it: what was left out now would be so for ever.
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|one, other| one.segment.id.cmp(&other.segment.id));
        self.set_stages(&mut found).await?;
        tracing::info!(segments = found.len(), url = self.options.url, "found in the archive");
        Ok(found)
    }

    /// As the tables' logs say it.
    async fn set_stages(&self, found: &mut [FoundSegment]) -> Result<(), ArchiveError> {
        let mut tables: Vec<(Signal, TenantId)> =
            found.iter().map(|found| (found.segment.id.signal, found.segment.id.tenant.clone())).collect();
        tables.dedup();
        for (signal, tenant) in tables {
            let table = self.open_table(signal, tenant.clone()).await?;
            let sealed = table.transaction(&super::publish::app_id(signal));
            let of_table = found
                .iter_mut()
                .map(|found| &mut found.segment)
                .filter(|segment| segment.id.signal == signal && segment.id.tenant == tenant);
            for segment in of_table {
                let keys = Keys::of(&segment.id, &segment.name);
                segment.stage = match table.files().contains_key(&keys.path) {
                    true => Stage::Committed,
                    // The log has been further: it has let go of it.
                    false if sealed.is_some_and(|sealed| i64::from(segment.id.last_file) <= sealed) => Stage::Removed,
                    false => Stage::Uploaded,
                };
            }
        }
        Ok(())
    }
}

/// Whether it is the object that is wrong, or the answer.
fn is_damage(error: &ArchiveError) -> bool {
    matches!(
        error,
        ArchiveError::Segment(SegmentError::Damaged { .. })
            | ArchiveError::Bucket(BucketError::Corrupt { .. })
            | ArchiveError::Foreign(_)
    )
}

fn is_gone(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Bucket(BucketError::NotFound { .. }))
}

fn of_manifest(manifest: &ArchivedManifest, name: String, now_ns: u64) -> FoundSegment {
    let (tally, ledger_after) = manifest.tallies();
    FoundSegment {
        segment: ArchivedSegment {
            id: manifest.id().clone(),
            name,
            rows: manifest.rows(),
            bytes: manifest.objects_bytes(),
            age_from_ns: manifest.age_from_ns(),
            stage: Stage::Uploaded,
            since_ns: now_ns,
        },
        tally: tally.clone(),
        ledger_after: ledger_after.cloned(),
    }
}

/// Whether a segment was made from `other` and its neighbours.
pub(crate) fn covers(id: &SegmentId, other: &SegmentId) -> bool {
    (id.signal, &id.tenant) == (other.signal, &other.tenant)
        && id.generation > other.generation
        && id.first_file <= other.first_file
        && other.last_file <= id.last_file
}
