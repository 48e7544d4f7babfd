//! Opens the segments that the catalog lists, and tidies up beside them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use weir_proto::{Signal, TenantId};

use super::Ground;
use crate::{
    catalog::{Catalog, CatalogState},
    disk::Disk,
    lane::{errors::OpenError, shared::segments_path},
    ledger::Tally,
    segment::SegmentId,
    snapshot::{kind::SegmentKind, stored::StoredSegment, view::SegmentsByTenant},
};

/// Opens what the catalog lists, sets aside what is damaged, deletes what is not listed.
pub(super) async fn open<S: SegmentKind>(
    signal: Signal,
    ground: Ground<'_>,
    state: &mut CatalogState,
) -> Result<SegmentsByTenant<S>, OpenError> {
    let Ground { options, disk, catalog, archived, .. } = ground;
    let data = &options.path;
    let mut listed: HashMap<SegmentId, u64> = state.segments.iter().cloned().collect();
    let mut segments: BTreeMap<TenantId, Vec<Arc<StoredSegment<S>>>> = BTreeMap::new();
    for (path, id) in segment_folders(signal, data, disk)? {
        if !listed.contains_key(&id) {
            remove(disk, &path)?;
            continue;
        }
        match S::open_folder(&path) {
            Ok(segment) => {
                listed.remove(&id);
                let stored = StoredSegment::new(segment, path, disk.clone());
                segments.entry(id.tenant.clone()).or_default().push(Arc::new(stored));
            }
            Err(error) => {
                tracing::error!(segment = %path.display(), %error, "set aside: damaged");
                set_aside(signal, data, disk, &path)?;
            }
        }
    }
    // What is listed and not there any more was acknowledged and is lost: the ledger says so.
    let is_elsewhere = |id: &SegmentId| archived.is_some_and(|archived| archived.has(id));
    let (elsewhere, lost): (Vec<(SegmentId, u64)>, Vec<_>) = listed.into_iter().partition(|(id, _)| is_elsewhere(id));
    if !elsewhere.is_empty() {
        catalog.remove(&elsewhere, false).await?;
    }
    if !lost.is_empty() {
        catalog.remove(&lost, true).await?;
        for (id, rows) in &lost {
            let tally: &mut Tally = state.ledger.entry(id.tenant.clone()).or_default();
            tally.lose(*rows);
        }
    }
    for segments in segments.values_mut() {
        segments.sort_by_key(|segment| segment.segment_id().first_file);
    }
    Ok(segments.into_iter().collect())
}

/// Every folder that is named like a segment. Anything else beside them is the rest of an unfinished one, and removed.
pub(super) fn segment_folders(
    signal: Signal,
    data: &Path,
    disk: &Disk,
) -> Result<Vec<(PathBuf, SegmentId)>, OpenError> {
    let mut folders = Vec::new();
    for tenant_folder in list(&segments_path(data, signal))? {
        let name = tenant_folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(tenant) = TenantId::new(&name) else { continue };
        if !tenant_folder.is_dir() {
            continue;
        }
        for path in list(&tenant_folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match SegmentId::parse(signal, tenant.clone(), &name) {
                Ok(id) => folders.push((path, id)),
                Err(_) => remove(disk, &path)?,
            }
        }
    }
    Ok(folders)
}

fn list(path: &Path) -> Result<BTreeSet<PathBuf>, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    std::fs::read_dir(path).map_err(io)?.map(|entry| Ok(entry.map_err(io)?.path())).collect()
}

fn remove(disk: &Disk, path: &Path) -> Result<(), OpenError> {
    let removed = if path.is_dir() { disk.remove_folder(path) } else { disk.unlink(path) };
    removed.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

pub(super) fn set_aside(signal: Signal, data: &Path, disk: &Disk, path: &Path) -> Result<(), OpenError> {
    let tenant = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Those of traces have had no other names yet.
    let of_signal = if signal == Signal::Traces { String::new() } else { format!("{signal}-") };
    let to = data.join("quarantine").join(format!("{of_signal}{tenant}-{name}"));
    if to.exists() {
        remove(disk, &to)?;
    }
    let from_folder = path.parent().unwrap_or(data);
    disk.rename(path, &to)
        // Durable before the catalog forgets it: else the next start would delete it as a leftover.
        .and_then(|()| disk.sync_folder(&data.join("quarantine")))
        .and_then(|()| disk.sync_folder(from_folder))
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

/// Segments that are in an archive are not merged while there is none, either.
pub(super) async fn keep_as_archived<S: SegmentKind>(
    catalog: &Catalog,
    segments: &SegmentsByTenant<S>,
) -> Result<(), OpenError> {
    for archived in catalog.archived().await? {
        let of_tenant = segments.get(&archived.id.tenant).into_iter().flatten();
        of_tenant.filter(|here| *here.segment_id() == archived.id).for_each(|here| here.set_unmergeable());
    }
    Ok(())
}
