//! Objects of segments whose place another has taken before they were committed: an upload that a stop cut off, and that a merge, or
//! another form of the same segment, has overtaken since.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::StreamExt;
use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    layout::{parse_beside, parse_name, parse_table},
};
use crate::{catalog::Stage, segment::SegmentId};

/// So often it is looked for them.
const EVERY_NS: u64 = 24 * 3600 * weir_proto::time::SECOND_NS;

/// Objects that are looked at more closely at once; the rest has another day.
const CANDIDATES_MAX: usize = 10_000;

/// By table: what their file of rows is called there, and their key.
type Candidates = BTreeMap<(Signal, TenantId), Vec<(String, String)>>;

impl Archive {
    /// Deletes what was left behind, once a day; how many objects. Who calls is the only one that uploads, so none of them is on its way.
    pub(crate) fn sweep(self: &Arc<Self>) -> Result<usize, ArchiveError> {
        let now_ns = self.now_ns();
        let is_due = self.swept_ns.lock().is_none_or(|swept_ns| now_ns.abs_diff(swept_ns) >= EVERY_NS);
        if !is_due {
            return Ok(0);
        }
        let archive = self.clone();
        let deleted = self.wait_or_stop(async move {
            let keys = archive.leftovers().await?;
            let bucket = archive.bucket.clone();
            let count = keys.len();
            archive.run(async move { bucket.delete_many(&keys).await }).await?;
            Ok::<_, ArchiveError>(count)
        })??;
        *self.swept_ns.lock() = Some(now_ns);
        if deleted > 0 {
            tracing::info!(objects = deleted, "deleted from the archive what uploads that were cut off left behind");
        }
        Ok(deleted)
    }

    /// The keys of candidates that are in no table. Manifests come first: a start that finds none knows nothing of the others.
    async fn leftovers(&self) -> Result<Vec<String>, ArchiveError> {
        let mut keys = Vec::new();
        for ((signal, tenant), objects) in self.candidates().await? {
            let table = self.open_table(signal, tenant).await?;
            let is_free = |path: &String| !table.files().contains_key(path) && !table.removed().contains_key(path);
            keys.extend(objects.into_iter().filter(|(path, _)| is_free(path)).map(|(_, key)| key));
        }
        keys.sort_by_key(|key| !key.ends_with(".json"));
        Ok(keys)
    }

    /// Objects of segments that are not known, and whose rows one that is committed has.
    async fn candidates(&self) -> Result<Candidates, ArchiveError> {
        let known = self.all_known();
        let committed: BTreeSet<SegmentId> =
            known.iter().filter(|known| known.stage == Stage::Committed).map(|known| known.id.clone()).collect();
        let named: HashSet<(SegmentId, String)> = known.into_iter().map(|known| (known.id, known.name)).collect();
        let (mut candidates, mut count) = (Candidates::new(), 0);
        let mut listing = self.reading().list("", None);
        while let Some(head) = listing.next().await {
            let key = head?.key;
            let of_rows = parse_table(&key)
                .and_then(|(signal, tenant, path)| parse_name(signal, &tenant, path.strip_suffix(".parquet")?));
            let Some(found) = of_rows.or_else(|| parse_beside(&key)) else { continue };
            if named.contains(&found) || self.is_held(&found.0.tenant) || !has_rows_of(&committed, &found.0) {
                continue;
            }
            let (id, name) = found;
            candidates.entry((id.signal, id.tenant)).or_default().push((format!("{name}.parquet"), key));
            count += 1;
            if count == CANDIDATES_MAX {
                break;
            }
        }
        Ok(candidates)
    }
}

/// Whether one of the segments that are in their tables has the rows of another, of whatever generation: they are of the same journal files.
/// Those of a table do not overlap: of all that begin no later than it, the last is the only one that may.
fn has_rows_of(committed: &BTreeSet<SegmentId>, id: &SegmentId) -> bool {
    let last = SegmentId { last_file: u32::MAX, generation: u32::MAX, ..id.clone() };
    let before = committed.range(..=last).next_back();
    before.is_some_and(|other| {
        (other.signal, &other.tenant) == (id.signal, &id.tenant)
            && other.first_file <= id.first_file
            && id.last_file <= other.last_file
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_replaced_by_what_was_made_of_it() {
        let segment = |first_file, last_file, generation| SegmentId {
            signal: Signal::Logs,
            tenant: TenantId::default(),
            first_file,
            last_file,
            generation,
        };
        let committed = BTreeSet::from([segment(1, 4, 1), segment(5, 5, 0), segment(7, 9, 2)]);
        for replaced in [segment(1, 1, 0), segment(4, 4, 0), segment(5, 5, 0), segment(7, 8, 1), segment(7, 8, 2)] {
            assert!(has_rows_of(&committed, &replaced), "{replaced}");
        }
        let of_others = SegmentId { signal: Signal::Traces, ..segment(1, 1, 0) };
        for kept in [segment(6, 6, 0), segment(4, 5, 0), segment(7, 10, 2), segment(10, 10, 0), of_others] {
            assert!(!has_rows_of(&committed, &kept), "{kept}");
        }
    }
}
