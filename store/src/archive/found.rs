//! What a bucket holds: the manifests under a prefix, and from them everything that a start needs to know.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::StreamExt;
use tokio::{sync::Semaphore, task::JoinSet};
use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::BucketError,
    delta::Table,
    from_rows::put_manifest,
    layout::{Keys, SEGMENTS, parse_manifest, parse_name, parse_table},
};
use crate::{
    catalog::{ArchivedSegment, Stage},
    ledger::Tally,
    segment::{SegmentError, SegmentId, archived::ArchivedManifest},
};

/// How often one is asked for again whose answer was damaged: what is left out of a start is so for ever.
pub(crate) const ANSWERS_MAX: usize = 8;
/// The age of a segment whose manifest could not be read.
const UNDATED: u64 = u64::MAX;
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

/// What a bucket lists: manifests, and tables that have a log.
#[derive(Debug, Default)]
struct Listed {
    manifests: Vec<(SegmentId, String)>,
    tables: BTreeSet<(Signal, TenantId)>,
}

type Tables = BTreeMap<(Signal, TenantId), Table>;

impl Archive {
    /// Lists what the bucket holds.
    async fn list(&self) -> Result<Listed, ArchiveError> {
        let bucket = self.reading();
        self.run(async move {
            let mut listing = bucket.list("", None);
            let mut listed = Listed::default();
            while let Some(head) = listing.next().await {
                let key = head?.key;
                if let Some((signal, tenant, rest)) = parse_table(&key) {
                    if rest.starts_with("_delta_log/") {
                        listed.tables.insert((signal, tenant));
                    }
                } else if key.starts_with(SEGMENTS) && key.ends_with(".json") {
                    match parse_manifest(&key) {
                        Some((id, name)) => {
                            listed.tables.insert((id.signal, id.tenant.clone()));
                            listed.manifests.push((id, name));
                        }
                        None => tracing::warn!(key, "a file in the archive that is none of ours"),
                    }
                }
            }
            Ok(listed)
        })
        .await
    }

    /// Brings what belongs on local disk of all of it here, and asks the tables how far each has come. A segment whose manifest is gone is
    /// found by its table.
    pub(crate) async fn restore(self: &Arc<Self>) -> Result<Vec<FoundSegment>, ArchiveError> {
        let mut listed = self.list().await?;
        let mut tables = Tables::new();
        for (signal, tenant) in listed.tables {
            let mut opened = self.open_table(signal, tenant.clone()).await;
            for _ in 0..ANSWERS_MAX {
                // An answer may be damaged on its way.
                if opened.as_ref().map_or_else(ArchiveError::is_of_all, |_| true) {
                    break;
                }
                opened = self.open_table(signal, tenant.clone()).await;
            }
            match opened {
                Ok(table) => drop(tables.insert((signal, tenant), table)),
                Err(error) if error.is_of_all() => return Err(error),
                // Its segments count as not committed yet: nothing of them is deleted, and committing again changes nothing. Which of
                // those that overlap count it would say: without it, those that have most together.
                Err(error) => {
                    tracing::error!(%signal, %tenant, %error, "a table in the archive cannot be read");
                    let (of_table, mut all): (Vec<_>, Vec<_>) =
                        listed.manifests.into_iter().partition(|(id, _)| id.signal == signal && id.tenant == tenant);
                    all.extend(widest(of_table));
                    listed.manifests = all;
                }
            }
        }
        let chosen = chosen(listed.manifests, &tables);
        let bound = Arc::new(Semaphore::new(AT_ONCE));
        let mut fetching = JoinSet::new();
        for Chosen { id, name, has_manifest } in chosen {
            let (archive, bound) = (self.clone(), bound.clone());
            fetching.spawn(async move {
                let _permit = bound.acquire_owned().await.expect("never closed");
                let mut fetched = archive.fetch_or_make(&id, &name, has_manifest).await;
                for _ in 0..ANSWERS_MAX {
                    // An answer may be damaged on its way.
                    if !fetched.as_ref().is_err_and(|error| is_damage(error) || is_gone(error)) {
                        break;
                    }
                    fetched = archive.fetch_or_make(&id, &name, has_manifest).await;
                }
                (id, name, fetched)
            });
        }
        let now_ns = self.now_ns();
        let mut found = Vec::with_capacity(fetching.len());
        while let Some(fetched) = fetching.join_next().await {
            let (id, name, fetched) = fetched.expect("fetching does not panic");
            match fetched {
                Ok(manifest) => found.push(of_manifest(&manifest, name, now_ns)),
                // One that is damaged, or gone, keeps nobody from reading the others. It is known all the same: answers say that it is
                // missing, it is tried again, and nothing else takes its place or its number.
                Err(error) if is_damage(&error) || is_gone(&error) => {
                    tracing::error!(%id, tenant = %id.tenant, %error, "a segment in the archive cannot be read");
                    let rows = rows_by_log(&tables, &id, &name);
                    found.push(unread(id, name, rows, now_ns));
                }
                // Another start may find it: what was left out now would be so for ever.
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|one, other| one.segment.id.cmp(&other.segment.id));
        date_unread(&mut found);
        for found in &mut found {
            let segment = &mut found.segment;
            if let Some(table) = tables.get(&(segment.id.signal, segment.id.tenant.clone())) {
                segment.stage = stage(table, &Keys::of(&segment.id, &segment.name).path);
            }
        }
        tracing::info!(segments = found.len(), url = self.options.url, "found in the archive");
        Ok(found)
    }

    async fn fetch_or_make(
        &self,
        id: &SegmentId,
        name: &str,
        has_manifest: bool,
    ) -> Result<ArchivedManifest, ArchiveError> {
        if !has_manifest {
            let (bucket, keys) = (self.reading(), Keys::of(id, name));
            self.run(async move { put_manifest(&bucket, &keys).await }).await?;
        }
        self.fetch(id.clone(), name.to_owned()).await
    }
}

/// How far a file has come, as its table's log says it; what it let go of is told there until the objects are gone.
fn stage(table: &Table, path: &str) -> Stage {
    // What others put into files of theirs is taken back.
    if table.files().contains_key(path) || table.is_rearranged(path) {
        Stage::Committed
    } else if table.is_changed(path) {
        Stage::Changed
    } else if table.removed().contains_key(path) {
        Stage::Removed
    } else {
        Stage::Uploaded
    }
}

/// A segment that is to be restored.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    id: SegmentId,
    name: String,
    has_manifest: bool,
}

/// Of a segment and those that it was made of, the segment; of objects of one segment, those that its table names. In order.
fn chosen(manifests: Vec<(SegmentId, String)>, tables: &Tables) -> Vec<Chosen> {
    let stage_of = |id: &SegmentId, name: &str| {
        let table = tables.get(&(id.signal, id.tenant.clone()));
        table.map_or(Stage::Uploaded, |table| stage(table, &Keys::of(id, name).path))
    };
    let mut by_id: BTreeMap<SegmentId, Chosen> = BTreeMap::new();
    for (id, name) in manifests {
        let is_better = |there: &Chosen| stage_of(&id, &name) == Stage::Committed && there.name != name;
        if by_id.get(&id).is_none_or(is_better) {
            by_id.insert(id.clone(), Chosen { id, name, has_manifest: true });
        }
    }
    // What only a table names.
    for ((signal, tenant), table) in tables {
        let rearranged = table.rearranged().iter().flat_map(|group| group.before.keys());
        for path in table.files().keys().chain(rearranged) {
            let of_path = path.strip_suffix(".parquet").and_then(|name| parse_name(*signal, tenant, name));
            let Some((id, name)) = of_path else { continue };
            if by_id.get(&id).is_none_or(|there| there.name != name) {
                by_id.insert(id.clone(), Chosen { id, name, has_manifest: false });
            }
        }
    }
    // A merge that was cut off before the table had its file: those that it was made of are there, or what they were made into since.
    let committed: Vec<SegmentId> = by_id
        .values()
        .filter(|chosen| stage_of(&chosen.id, &chosen.name) == Stage::Committed)
        .map(|chosen| chosen.id.clone())
        .collect();
    by_id.retain(|id, chosen| {
        stage_of(id, &chosen.name) != Stage::Uploaded || !committed.iter().any(|there| overlaps(id, there))
    });
    let ids: Vec<SegmentId> = by_id.keys().cloned().collect();
    let is_covered = |chosen: &Chosen| ids.iter().any(|other| covers(other, &chosen.id));
    by_id.into_values().filter(|chosen| !is_covered(chosen)).collect()
}

/// Of one table's segments those that have no journal file in common, and of all such choices the one with most files, and among those
/// the one of fewest segments.
fn widest(mut segments: Vec<(SegmentId, String)>) -> Vec<(SegmentId, String)> {
    segments.sort_by(|(one, _), (other, _)| one.last_file.cmp(&other.last_file).then(one.cmp(other)));
    // Of the first so many: files and, less is more, segments of the best choice, and whether it has the last of them.
    let mut best: Vec<((u64, i64), bool)> = vec![((0, 0), false)];
    let before = |id: &SegmentId| segments.partition_point(|(other, _)| other.last_file < id.first_file);
    for (number, (id, _)) in segments.iter().enumerate() {
        let (files, count) = best[before(id)].0;
        let with = (files + u64::from(id.last_file.saturating_sub(id.first_file)) + 1, count - 1);
        let without = best[number].0;
        best.push((with.max(without), with > without));
    }
    let (mut chosen, mut of) = (Vec::new(), segments.len());
    while of > 0 {
        of = match best[of].1 {
            true => {
                chosen.push(segments[of - 1].clone());
                before(&segments[of - 1].0)
            }
            false => of - 1,
        };
    }
    chosen.reverse();
    chosen
}

/// Whether it is the object that is wrong, or the answer.
pub(crate) fn is_damage(error: &ArchiveError) -> bool {
    matches!(
        error,
        ArchiveError::Segment(SegmentError::Damaged { .. })
            | ArchiveError::Bucket(BucketError::Corrupt { .. })
            | ArchiveError::Foreign(_)
    )
}

pub(super) fn is_gone(error: &ArchiveError) -> bool {
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

/// What is known of a segment without its manifest: the rows that its table's log tells of were accepted and kept.
fn unread(id: SegmentId, name: String, rows: u64, now_ns: u64) -> FoundSegment {
    let segment =
        ArchivedSegment { id, name, rows, bytes: 0, age_from_ns: UNDATED, stage: Stage::Uploaded, since_ns: now_ns };
    let tally = Tally { accepted: rows, kept: rows, ..Tally::default() };
    FoundSegment { segment, tally, ledger_after: None }
}

/// Rows of a segment's file as its table's log says; 0 where it does not.
fn rows_by_log(tables: &Tables, id: &SegmentId, name: &str) -> u64 {
    let path = Keys::of(id, name).path;
    let rows = tables.get(&(id.signal, id.tenant.clone())).and_then(|table| {
        let before = table.rearranged().iter().find_map(|group| group.before.get(&path));
        table.files().get(&path).or(before)?.rows()
    });
    rows.unwrap_or(0)
}

/// Segments that could not be read are as old as the newest of their signal that could: they are not too old before all others are.
fn date_unread(found: &mut [FoundSegment]) {
    let mut newest_ns: BTreeMap<Signal, u64> = BTreeMap::new();
    for found in found.iter().filter(|found| found.segment.age_from_ns != UNDATED) {
        let newest_ns = newest_ns.entry(found.segment.id.signal).or_default();
        *newest_ns = found.segment.age_from_ns.max(*newest_ns);
    }
    for ArchivedSegment { id, age_from_ns, since_ns, .. } in found.iter_mut().map(|found| &mut found.segment) {
        if *age_from_ns == UNDATED {
            *age_from_ns = newest_ns.get(&id.signal).copied().unwrap_or(*since_ns);
        }
    }
}

/// Whether two segments may have rows in common: a start that forgot a merge makes another of as many generations.
pub(crate) fn overlaps(id: &SegmentId, other: &SegmentId) -> bool {
    (id.signal, &id.tenant) == (other.signal, &other.tenant)
        && id != other
        && id.first_file <= other.last_file
        && other.first_file <= id.last_file
}

/// Whether a segment was made from `other` and its neighbours.
pub(crate) fn covers(id: &SegmentId, other: &SegmentId) -> bool {
    (id.signal, &id.tenant) == (other.signal, &other.tenant)
        && id.generation > other.generation
        && id.first_file <= other.first_file
        && other.last_file <= id.last_file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_its_log_a_tables_widest_segments_count() {
        let segment = |(first_file, last_file, generation)| {
            let tenant = TenantId::default();
            (SegmentId { signal: Signal::Logs, tenant, first_file, last_file, generation }, "x".to_owned())
        };
        let widest_of = |of: &[(u32, u32, u32)]| -> Vec<(u32, u32)> {
            let chosen = widest(of.iter().copied().map(segment).collect());
            chosen.into_iter().map(|(id, _)| (id.first_file, id.last_file)).collect()
        };
        assert_eq!(widest_of(&[]), []);
        assert_eq!(widest_of(&[(1, 1, 0), (2, 2, 0), (1, 2, 1), (3, 3, 0)]), [(1, 2), (3, 3)]);
        // Two merges that did not know of each other, and what is left of those that they were made of.
        assert_eq!(widest_of(&[(1, 6, 1), (4, 9, 1), (7, 7, 0), (9, 9, 0)]), [(1, 6), (7, 7), (9, 9)]);
        assert_eq!(widest_of(&[(1, 6, 1), (1, 7, 1), (7, 7, 0)]), [(1, 7)]);
    }
}
