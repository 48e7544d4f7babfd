//! Opens the data folder: catalog, segments, journal, in the order in which each relies on the one before.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
    sync::{Arc, Mutex},
};

use weir_proto::{TenantId, time::Clock};

use super::{
    FRAME_BYTES_MAX, OpenError, Shared, StoreOptions, folder,
    publish::{publisher, replay},
    shared::segments_path,
    stored::StoredSegment,
    view::{SegmentsByTenant, View, Views},
};
use crate::{
    Tally,
    catalog::{Catalog, CatalogError, CatalogState},
    disk::Disk,
    head::{HeadFile, PayloadBudget},
    journal::{Journal, JournalOptions, Recovered, Survey},
    ledger::journal_tallies,
    segment::{Segment, SegmentId},
};

/// Threads that read recovered journal files into the head.
const REPLAY_THREADS: usize = 4;

pub(super) async fn open(
    disk: Disk,
    options: StoreOptions,
    clock: Clock,
) -> Result<(Shared, folder::FolderLock), OpenError> {
    let lock = folder::open(&options.path, &disk)?;
    let (catalog, mut state) = open_catalog(&options.path, &disk).await?;
    if state.first_unsealed_file.is_none() {
        state = rebuild(&options.path, &disk)?;
        catalog.rebuild(&state).await?;
    }
    let segments = open_segments(&options.path, &disk, &catalog, &mut state).await?;

    let views = Arc::new(Views::new(View::default()));
    let budget = Arc::new(Mutex::new(PayloadBudget::new(options.head_payload_bytes_max)));
    let first_unsealed = state.first_unsealed_file.unwrap_or(1);
    let journal_options = JournalOptions {
        frame_bytes_max: FRAME_BYTES_MAX as u64,
        first_number: first_unsealed,
        opening: journal_tallies(&state.ledger),
        ..journal_options(&options)
    };
    let publish = publisher(views.clone(), budget.clone());
    let (journal, recovered) = Journal::open(journal_options, disk.clone(), clock.clone(), publish)?;
    let files = replay_files(&recovered);
    let first_unsealed = count_missing(&recovered, &files, &catalog, first_unsealed, &mut state).await?;
    views.change(|view| {
        // The newest file may be empty: it was rolled just before the stop.
        view.projected = files.iter().map(|file| file.end()).max().unwrap_or_default();
        view.files = files.clone();
        view.segments = Arc::new(segments.clone());
        view.sealed_ledger = Arc::new(state.ledger.clone());
    });
    let shared = Shared::new((options, clock, disk), journal, (catalog, first_unsealed), views, budget);
    Ok((shared, lock))
}

fn journal_options(options: &StoreOptions) -> JournalOptions {
    JournalOptions {
        file_bytes_max: options.journal_file_bytes_max,
        file_age_max: options.journal_file_age_max,
        commit_delay_max: options.commit_delay_max,
        commit_bytes_max: options.commit_bytes_max,
        queue_bytes_max: options.append_queue_bytes_max,
        ..JournalOptions::new(options.path.join("journal/traces"), RandomState::new().build_hasher().finish())
    }
}

/// A catalog that cannot be read is set aside, and made anew from the segments.
async fn open_catalog(data: &Path, disk: &Disk) -> Result<(Catalog, CatalogState), OpenError> {
    let path = data.join("catalog.sqlite");
    match try_catalog(&path).await {
        Ok(opened) => return Ok(opened),
        Err(error @ CatalogError::TooNew { .. }) => return Err(error.into()),
        Err(error) => tracing::error!(%error, "the catalog is damaged; making it anew from the segments"),
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = data.join(format!("catalog.sqlite{suffix}"));
        let to = data.join(format!("quarantine/catalog.sqlite{suffix}"));
        if from.exists() {
            disk.rename(&from, &to).map_err(|source| OpenError::Io { path: from, source })?;
        }
    }
    Ok(try_catalog(&path).await?)
}

async fn try_catalog(path: &Path) -> Result<(Catalog, CatalogState), CatalogError> {
    let catalog = Catalog::open(path).await?;
    let state = catalog.state().await?;
    Ok((catalog, state))
}

/// What the folders say when the catalog is lost. A run whose journal files all exist is sealed again; any other keeps its segments.
fn rebuild(data: &Path, disk: &Disk) -> Result<CatalogState, OpenError> {
    let mut state = CatalogState { first_unsealed_file: Some(1), ..Default::default() };
    let folder = data.join("journal/traces");
    let journal = Survey::of(disk, &folder).map_err(|source| OpenError::Io { path: folder, source })?;
    let mut found: Vec<Segment> = Vec::new();
    for (path, id) in segment_folders(data, disk)? {
        let files_exist = (id.first_file..=id.last_file).all(|file| journal.numbers.contains(&file));
        match Segment::open(&path) {
            Ok(segment) if !files_exist => found.push(segment),
            Ok(_) => {}
            Err(error) => {
                tracing::error!(segment = %path.display(), %error, "set aside: damaged");
                set_aside(data, disk, &path)?;
            }
        }
    }
    // A merger makes what it was made of superfluous.
    let covered = |id: &SegmentId| {
        found.iter().any(|other| {
            let other = other.id();
            other.tenant == id.tenant
                && other.generation > id.generation
                && other.first_file <= id.first_file
                && id.last_file <= other.last_file
        })
    };
    for segment in found.iter().filter(|segment| !covered(segment.id())) {
        let id = segment.id();
        state.first_unsealed_file = state.first_unsealed_file.max(Some(id.last_file + 1));
        state.ledger.entry(id.tenant.clone()).or_default().add(segment.tally());
        state.segments.push((id.clone(), segment.rows()));
    }
    // The journal's files know how much was accepted before them, also by tenants whose segments are gone.
    if let Some(opening) = journal.opening(state.first_unsealed_file.unwrap_or(1)) {
        for (tenant, count) in opening.iter() {
            let tally = state.ledger.entry(tenant.clone()).or_default();
            let known = Tally::of_count(count);
            tally.accepted = known.accepted;
            tally.rejected = known.rejected;
            tally.kept = tally.accepted.saturating_sub(tally.damaged + tally.dropped.values().sum::<u64>());
        }
    }
    Ok(state)
}

/// Opens what the catalog lists, sets aside what is damaged, deletes what is not listed.
async fn open_segments(
    data: &Path,
    disk: &Disk,
    catalog: &Catalog,
    state: &mut CatalogState,
) -> Result<SegmentsByTenant, OpenError> {
    let mut listed: HashMap<SegmentId, u64> = state.segments.iter().cloned().collect();
    let mut segments: BTreeMap<TenantId, Vec<Arc<StoredSegment>>> = BTreeMap::new();
    for (path, id) in segment_folders(data, disk)? {
        if !listed.contains_key(&id) {
            remove(disk, &path)?;
            continue;
        }
        match Segment::open(&path) {
            Ok(segment) => {
                listed.remove(&id);
                let stored = StoredSegment::new(segment, path, disk.clone());
                segments.entry(id.tenant.clone()).or_default().push(Arc::new(stored));
            }
            Err(error) => {
                tracing::error!(segment = %path.display(), %error, "set aside: damaged");
                set_aside(data, disk, &path)?;
            }
        }
    }
    // What is listed and not there any more was acknowledged and is lost: the ledger says so.
    let lost: Vec<(SegmentId, u64)> = listed.into_iter().collect();
    if !lost.is_empty() {
        catalog.remove(&lost, true).await?;
        for (id, rows) in &lost {
            let tally: &mut Tally = state.ledger.entry(id.tenant.clone()).or_default();
            tally.kept = tally.kept.saturating_sub(*rows);
            tally.damaged += rows;
        }
    }
    for segments in segments.values_mut() {
        segments.sort_by_key(|segment| segment.id().first_file);
    }
    Ok(segments.into_iter().collect())
}

/// Every folder that is named like a segment. Anything else beside them is the rest of an unfinished one, and removed.
fn segment_folders(data: &Path, disk: &Disk) -> Result<Vec<(std::path::PathBuf, SegmentId)>, OpenError> {
    let mut folders = Vec::new();
    for tenant_folder in list(&segments_path(data))? {
        let name = tenant_folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(tenant) = TenantId::new(&name) else { continue };
        for path in list(&tenant_folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match SegmentId::parse(tenant.clone(), &name) {
                Ok(id) => folders.push((path, id)),
                Err(_) => remove(disk, &path)?,
            }
        }
    }
    Ok(folders)
}

fn list(path: &Path) -> Result<BTreeSet<std::path::PathBuf>, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    std::fs::read_dir(path).map_err(io)?.map(|entry| Ok(entry.map_err(io)?.path())).collect()
}

fn remove(disk: &Disk, path: &Path) -> Result<(), OpenError> {
    let removed = if path.is_dir() { disk.remove_folder(path) } else { disk.unlink(path) };
    removed.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn set_aside(data: &Path, disk: &Disk, path: &Path) -> Result<(), OpenError> {
    let tenant = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let to = data.join("quarantine").join(format!("{tenant}-{name}"));
    if to.exists() {
        remove(disk, &to)?;
    }
    disk.rename(path, &to).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

/// Reads recovered files into the head, several at a time: they are independent of each other.
fn replay_files(recovered: &Recovered) -> Vec<Arc<HeadFile>> {
    let files: Mutex<Vec<Option<Arc<HeadFile>>>> = Mutex::new(vec![None; recovered.files.len()]);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(file) = recovered.files.get(index) else { return };
            let head = Arc::new(replay(file.clone()));
            files.lock().expect("no thread panics while it holds this")[index] = Some(head);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..REPLAY_THREADS.min(recovered.files.len()) {
            scope.spawn(work);
        }
    });
    files.into_inner().expect("no thread panicked").into_iter().flatten().collect()
}

/// Journal files that are gone were acknowledged: the ledger says so, with the next file that is sealed, or at once when
/// there is none. Answers the first file that is not sealed.
async fn count_missing(
    recovered: &Recovered,
    files: &[Arc<HeadFile>],
    catalog: &Catalog,
    first_unsealed: u32,
    state: &mut CatalogState,
) -> Result<u32, OpenError> {
    let mut first_unsealed = first_unsealed;
    for missing in &recovered.missing {
        tracing::error!(first = missing.first, last = missing.last, "journal files are missing; counted as damaged");
        if let Some(file) = files.iter().find(|file| file.number() > missing.last).or(files.last()) {
            file.add_damaged(&missing.tallies);
            continue;
        }
        let mut lost = BTreeMap::new();
        for (tenant, count) in missing.tallies.iter() {
            lost.insert(tenant.clone(), Tally { damaged: count.accepted, ..Tally::of_count(count) });
        }
        catalog.seal(first_unsealed, missing.last + 1, &[], &lost).await?;
        first_unsealed = missing.last + 1;
        for (tenant, tally) in lost {
            state.ledger.entry(tenant).or_default().add(&tally);
        }
    }
    Ok(first_unsealed)
}
