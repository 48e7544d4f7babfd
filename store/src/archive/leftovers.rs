//! Objects of segments whose place another has taken before they were committed: an upload that a stop cut off, and that a merge, or
//! another form of the same segment, has overtaken since.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures_util::StreamExt;
use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    found::covers,
    layout::{parse_beside, parse_name, parse_table},
};
use crate::{
    catalog::{ArchivedSegment, Stage},
    segment::SegmentId,
};

/// So often it is looked for them.
const EVERY_NS: u64 = 24 * 3600 * weir_proto::time::SECOND_NS;

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

    /// The keys of objects of segments that are not known, whose rows one that is committed has, and that are in no table. Manifests come
    /// first: a start that finds none knows nothing of the others.
    async fn leftovers(self: &Arc<Self>) -> Result<Vec<String>, ArchiveError> {
        let known = self.all_known();
        let names: HashSet<(&SegmentId, &str)> = known.iter().map(|known| (&known.id, known.name.as_str())).collect();
        let mut candidates: Vec<(SegmentId, String, String)> = Vec::new();
        let bucket = self.reading();
        let listed = self.run(async move { bucket.list("", None).collect::<Vec<_>>().await }).await;
        for head in listed {
            let key = head?.key;
            let of_rows = parse_table(&key)
                .and_then(|(signal, tenant, path)| parse_name(signal, &tenant, path.strip_suffix(".parquet")?));
            let Some((id, name)) = of_rows.or_else(|| parse_beside(&key)) else { continue };
            if !names.contains(&(&id, name.as_str())) && is_replaced(&known, &id) {
                candidates.push((id, name, key));
            }
        }
        let mut by_table: BTreeMap<(Signal, TenantId), Vec<(String, String)>> = BTreeMap::new();
        for (id, name, key) in candidates {
            by_table.entry((id.signal, id.tenant)).or_default().push((format!("{name}.parquet"), key));
        }
        let mut keys = Vec::new();
        for ((signal, tenant), objects) in by_table {
            if self.is_held(&tenant) {
                continue;
            }
            let table = self.open_table(signal, tenant).await?;
            let is_free = |path: &String| !table.files().contains_key(path) && !table.removed().contains_key(path);
            keys.extend(objects.into_iter().filter(|(path, _)| is_free(path)).map(|(_, key)| key));
        }
        keys.sort_by_key(|key| !key.ends_with(".json"));
        Ok(keys)
    }
}

/// Whether a segment that is in its table has the rows of one.
fn is_replaced(known: &[ArchivedSegment], id: &SegmentId) -> bool {
    let has_rows =
        |known: &&ArchivedSegment| known.stage == Stage::Committed && (known.id == *id || covers(&known.id, id));
    known.iter().any(|known| has_rows(&known))
}
