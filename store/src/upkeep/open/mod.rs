//! Opens the data folder: catalog, segments, journal, in the order in which each relies on the one before.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, Hasher, RandomState},
    path::Path,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use weir_proto::{Signal, TenantId, time::Clock};

use super::{
    archived::{self, Archived},
    newer, replay_samples,
    run::RUN_BYTES_MAX,
};
use crate::{
    catalog::{Catalog, CatalogError, CatalogState},
    disk::Disk,
    head::{HeadFile, LineRows, PayloadBudget, Registry, SeriesFile, SeriesLimits, SpanRows},
    journal::{
        Committed, Journal, JournalFile, JournalOptions, Newer, Recovered, SourceCursors, SpareLimits, Survey, Tallies,
        read_cursors,
    },
    lane::{
        errors::OpenError,
        folder,
        lane::{FRAME_BYTES_MAX, Lane, Laned, RowsLane},
        metrics::{Definitions, SentFrame, complete_copied, publisher},
        publish::{logs_publisher, replay_logs, replay_traces, traces_publisher},
        shared::{Shared, journal_path, segments_path, verdicts_path},
    },
    ledger::{Tally, journal_tallies},
    options::StoreOptions,
    sampling::{Checkpoint, SampledState, Sampler, Sampling, Surroundings},
    segment::{Segment, SegmentId, series::SeriesSegment},
    snapshot::{
        kind::SegmentKind,
        series_view::{Horizon, MetricsView},
        stored::StoredSegment,
        view::{SegmentsByTenant, View, Views},
    },
};

/// So much of a file of metrics is allocated in advance: it may become much larger, and mostly does not.
const METRICS_ALLOCATED_BYTES_MAX: u64 = 64 << 20;

/// So many bits of a series' number are for those that are made in the same millisecond.
const SERIES_PER_MS_BITS: u32 = 12;

/// Threads that read recovered journal files into the head.
const REPLAY_THREADS: usize = 4;

/// A file of the verdict journal is closed at this size.
const VERDICT_FILE_BYTES: u64 = if cfg!(test) { 2 << 10 } else { 16 << 20 };

/// A file of the verdict journal is closed at this age.
const VERDICT_FILE_AGE_MAX: Duration = Duration::from_secs(3600);

pub(crate) async fn open(
    disk: Disk,
    options: StoreOptions,
    sampling: Option<Arc<dyn Sampling>>,
    clock: Clock,
) -> Result<Shared, OpenError> {
    let lock = folder::open(&options.path, &disk)?;
    newer::refuse(&options.path)?;
    let catalog = open_catalog(&options.path, &disk).await?;
    let archived = archived::open(&options, &disk, &clock, &catalog).await?;
    let mut traces = Opening::of(Signal::Traces, &options, &disk, &catalog, archived.as_ref()).await?;
    let mut logs = Opening::of(Signal::Logs, &options, &disk, &catalog, archived.as_ref()).await?;
    let mut metrics = Opening::of(Signal::Metrics, &options, &disk, &catalog, archived.as_ref()).await?;

    let sampled = Arc::new(SampledState::new(sampling.clone()));
    // Higher than the numbers of any run before: what recovery copies may go on in a file of this one.
    let first_number = (clock.now_ns() / 1_000_000) << SERIES_PER_MS_BITS;
    let registry = Arc::new(Registry::new(first_number, SeriesLimits::of(&options)));
    let of_metrics = MetricsView { registry, ..MetricsView::default() };
    let view = View { policies: sampled.names.clone(), metrics: of_metrics, ..View::default() };
    let views = Arc::new(Views::new(view));
    let budget = Arc::new(Mutex::new(PayloadBudget::new(options.head_payload_bytes_max)));
    let (mut sampler, verdicts_recovered) = open_sampler(&options, &disk, &clock, (&views, &sampled), &traces.state)?;

    let publish = traces_publisher(views.clone(), sampled.clone(), budget.clone());
    let (traces_journal, recovered) =
        Journal::open(traces.journal_options(&options), disk.clone(), clock.clone(), publish)?;
    let checkpoint = Checkpoint::read(&verdicts_path(&options.path));
    let mut replaying = sampler.begin_replay(&verdicts_recovered.files, checkpoint)?;
    let sampling_now = sampling.as_deref();
    let files = replay_files(
        &recovered,
        |file| replay_traces(file, sampling_now),
        |(file, frames)| {
            sampler.replay(&mut replaying, &file, frames);
            file
        },
    )?;
    budget.lock().add_all_replayed(&files);
    traces.show::<SpanRows>(&catalog, &views, (&recovered, files)).await?;
    sampler.finish_replay(replaying);
    if sampling.is_some() || !verdicts_recovered.files.is_empty() {
        let (first_file, shift_ns) = sampler.begin_run(next_file(&recovered, traces.first_unsealed));
        match catalog.begin_run(first_file, shift_ns, traces.first_unsealed).await {
            // A full disk is no reason not to start: queries and retention go on. To the next start this run's time is the clock's.
            Err(error) if error.is_refusal() => tracing::error!(%error, "the catalog cannot note that a run begins"),
            begun => begun?,
        }
    }

    let publish = logs_publisher(views.clone(), budget.clone());
    let (logs_journal, recovered) =
        Journal::open(logs.journal_options(&options), disk.clone(), clock.clone(), publish)?;
    let files = replay_files(&recovered, |file| replay_logs(file, &options.line_ids), |file| file)?;
    logs.show::<LineRows>(&catalog, &views, (&recovered, files)).await?;

    let metrics_journal = open_metrics(&mut metrics, &options, (&disk, &clock), &catalog, &views).await?;

    let lanes = (
        RowsLane::new(traces_journal, traces.first_unsealed),
        RowsLane::new(logs_journal, logs.first_unsealed),
        Lane::new(Signal::Metrics, metrics_journal, metrics.first_unsealed),
    );
    let mut shared = Shared::new((options, clock, disk, lock), lanes, catalog, (views, sampled), sampler, budget);
    shared.archive = archived.map(|archived| archived.archive);
    Ok(shared)
}

/// Opens the journal of metrics, and reads it into the head.
async fn open_metrics(
    opening: &mut Opening<SeriesSegment>,
    options: &StoreOptions,
    (disk, clock): (&Disk, &Clock),
    catalog: &Catalog,
    views: &Arc<Views>,
) -> Result<Journal<SentFrame>, OpenError> {
    let registry = views.current().metrics.registry.clone();
    let definitions = Definitions::new(registry.clone());
    let publish = publisher(views.clone());
    let (journal, recovered) =
        Journal::open_with(opening.journal_options(options), disk.clone(), clock.clone(), definitions, publish)?;
    let files = recovered.files.iter().map(|file| replay_samples::replay(file, &registry));
    let files: Vec<Arc<SeriesFile>> = files.collect::<Result<_, _>>()?;
    let add_damaged = |number: u32, lost: &Tallies| {
        let file = files.iter().find(|file| file.number() > number).or(files.last());
        file.inspect(|file| file.add_damaged(lost)).is_some()
    };
    count_missing(opening, &recovered, add_damaged, catalog).await?;
    let horizon = Arc::new(Horizon(files.iter().map(|file| file.end()).max().unwrap_or_default()));
    let ledger = Arc::new(opening.state.ledger.clone());
    for (tenant, segments) in &opening.segments {
        // The newest one tells of the families that were known when it was sealed.
        match segments.last().map_or(Ok(Vec::new()), |segment| segment.families()) {
            Ok(families) => registry.tenant(tenant).learn_older(&families, registry.limits()),
            Err(error) => tracing::error!(%tenant, %error, "what is known of metric families cannot be read"),
        }
        match segments.last().map_or(Ok(Vec::new()), |segment| segment.notes()) {
            Ok(notes) => registry.tenant(tenant).note_older(notes),
            Err(error) => tracing::error!(%tenant, %error, "notes cannot be read"),
        }
    }
    let segments = Arc::new(opening.segments.clone());
    views.change(|view| {
        view.metrics.files = files.clone();
        view.metrics.segments = segments.clone();
        view.metrics.horizon = horizon.clone();
        view.metrics.sealed_ledger = ledger.clone();
    });
    Ok(journal)
}

/// A signal's lane on its way.
struct Opening<S> {
    signal: Signal,
    state: CatalogState,
    segments: SegmentsByTenant<S>,
    first_unsealed: u32,
}

impl<S: SegmentKind> Opening<S> {
    /// What catalog and folders say of a signal. A folder from before there was such a signal says nothing, and goes on with it.
    async fn of(
        signal: Signal,
        options: &StoreOptions,
        disk: &Disk,
        catalog: &Catalog,
        archived: Option<&Archived>,
    ) -> Result<Self, OpenError> {
        let mut state = catalog.state(signal).await?;
        if state.first_unsealed_file.is_none() || is_behind(signal, &options.path, disk, &state)? {
            state = rebuild::<S>(signal, &options.path, disk)?;
            state.cursors = read_cursors(&journal_path(&options.path, signal));
            if let Some(archived) = archived {
                archived.add_to(signal, &mut state);
            }
            catalog.rebuild(signal, &state).await?;
        }
        let mut segments = open_segments(signal, &options.path, disk, catalog, (&mut state, archived)).await?;
        match archived {
            Some(archived) => archived.open_segments(signal, disk, &mut segments).await,
            // Its files there would not be what a merge made of it here.
            None => keep_as_archived(catalog, &segments).await?,
        }
        let first_unsealed = state.first_unsealed_file.unwrap_or(1);
        Ok(Self { signal, state, segments, first_unsealed })
    }

    fn journal_options(&self, options: &StoreOptions) -> JournalOptions {
        let (file_bytes_max, file_age_max) = match self.signal {
            // A run is at least one file, and must fit a segment's builder.
            Signal::Traces | Signal::Logs => {
                (options.journal_file_bytes_max.min(RUN_BYTES_MAX), options.journal_file_age_max)
            }
            Signal::Metrics => (options.metrics_file_bytes_max, options.metrics_file_age_max),
        };
        JournalOptions {
            frame_bytes_max: FRAME_BYTES_MAX as u64,
            first_number: self.first_unsealed,
            opening: journal_tallies(&self.state.ledger),
            file_bytes_max,
            file_age_max,
            allocate_bytes_max: match self.signal {
                Signal::Metrics => METRICS_ALLOCATED_BYTES_MAX,
                _ => u64::MAX,
            },
            completing: (self.signal == Signal::Metrics).then_some(complete_copied),
            commit_delay_max: options.commit_delay_max,
            commit_bytes_max: options.commit_bytes_max,
            queue_bytes_max: options.append_queue_bytes_max,
            thread_name: match self.signal {
                Signal::Traces => "weir-journal",
                Signal::Logs => "weir-logs",
                Signal::Metrics => "weir-metrics",
            },
            // Tests count syncs: none may come by itself.
            #[cfg(test)]
            mark_delay: std::time::Duration::from_secs(3600),
            ..JournalOptions::new(journal_path(&options.path, self.signal), RandomState::new().build_hasher().finish())
        }
    }
}

/// Segments that are in an archive are not merged while there is none, either.
async fn keep_as_archived<S: SegmentKind>(catalog: &Catalog, segments: &SegmentsByTenant<S>) -> Result<(), OpenError> {
    for archived in catalog.archived().await? {
        let of_tenant = segments.get(&archived.id.tenant).into_iter().flatten();
        of_tenant.filter(|here| *here.segment_id() == archived.id).for_each(|here| here.set_unmergeable());
    }
    Ok(())
}

impl Opening<Segment> {
    /// Counts what is missing, and puts what was found into the view.
    async fn show<L: Laned>(
        &mut self,
        catalog: &Catalog,
        views: &Views,
        (recovered, files): (&Recovered, Vec<Arc<HeadFile<L>>>),
    ) -> Result<(), OpenError> {
        let add_damaged = |number: u32, lost: &Tallies| {
            let file = files.iter().find(|file| file.number() > number).or(files.last());
            file.inspect(|file| file.add_damaged(lost)).is_some()
        };
        count_missing(self, recovered, add_damaged, catalog).await?;
        let (segments, ledger) = (Arc::new(self.segments.clone()), Arc::new(self.state.ledger.clone()));
        let cursors = Arc::new(self.state.cursors.clone());
        views.change(|view| {
            let view = L::of_view_mut(view);
            // The newest file may be empty: it was rolled just before the stop.
            view.projected = files.iter().map(|file| file.end()).max().unwrap_or_default();
            view.files = files.clone();
            view.segments = segments.clone();
            view.sealed_ledger = ledger.clone();
            view.sealed_cursors = cursors.clone();
        });
        Ok(())
    }
}

/// Opens the verdict journal, with a sampler that knows nothing yet.
fn open_sampler(
    options: &StoreOptions,
    disk: &Disk,
    clock: &Clock,
    (views, sampled): (&Arc<Views>, &Arc<SampledState>),
    state: &CatalogState,
) -> Result<(Sampler, Recovered), OpenError> {
    let journal_options = JournalOptions {
        file_bytes_max: VERDICT_FILE_BYTES,
        file_age_max: VERDICT_FILE_AGE_MAX,
        commit_delay_max: Duration::ZERO,
        // Small files, written with pauses: nothing to gain.
        spares: SpareLimits { files_max: 0, window: Duration::ZERO },
        thread_name: "weir-verdicts",
        is_measured: false,
        #[cfg(test)]
        mark_delay: Duration::from_secs(3600),
        ..JournalOptions::new(verdicts_path(&options.path), RandomState::new().build_hasher().finish())
    };
    let state_of_sampling = sampled.clone();
    let publish = move |committed: Vec<Committed<u32>>| {
        state_of_sampling.settle(committed.iter().map(|frame| (frame.entry.attachment, frame.offset.file())));
    };
    let (verdicts, recovered) = Journal::open(journal_options, disk.clone(), clock.clone(), publish)?;
    let around = Surroundings {
        views: views.clone(),
        state: sampled.clone(),
        verdicts: Arc::new(verdicts),
        verdict_file_bytes_max: VERDICT_FILE_BYTES,
        clock: clock.clone(),
    };
    Ok((Sampler::new(around, state.journal_runs.clone()), recovered))
}

/// The first journal file that frames of this run can be in.
fn next_file(recovered: &Recovered, first_unsealed: u32) -> u32 {
    let next = recovered.files.last().map_or(1, |last| last.number() + u32::from(last.is_closed()));
    next.max(first_unsealed)
}

/// A catalog that cannot be read is set aside, and made anew from the segments.
async fn open_catalog(data: &Path, disk: &Disk) -> Result<Catalog, OpenError> {
    let path = data.join("catalog.sqlite");
    match try_catalog(&path).await {
        Ok(opened) => return Ok(opened),
        Err(CatalogError::TooNew { found, supported }) => {
            return Err(OpenError::TooNew { path, found: found as u32, supported: supported as u32 });
        }
        Err(error) if !error.is_damage() => return Err(error.into()),
        Err(error) => tracing::error!(%error, "the catalog is damaged; making it anew from the segments"),
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = data.join(format!("catalog.sqlite{suffix}"));
        let to = data.join(format!("quarantine/catalog.sqlite{suffix}"));
        match disk.rename(&from, &to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            result => result.map_err(|source| OpenError::Io { path: from, source })?,
        }
    }
    Ok(try_catalog(&path).await?)
}

async fn try_catalog(path: &Path) -> Result<Catalog, CatalogError> {
    let catalog = Catalog::open(path).await?;
    for signal in Signal::ALL {
        if let Err(error) = catalog.state(signal).await {
            catalog.close().await;
            return Err(error);
        }
    }
    Ok(catalog)
}

/// Whether the catalog is older than the segments (its write-ahead log was lost, or an old copy was put back): then it knows
/// nothing of segments whose journal files or inputs are gone already, and they must not be deleted.
fn is_behind(signal: Signal, data: &Path, disk: &Disk, state: &CatalogState) -> Result<bool, OpenError> {
    let first_unsealed = state.first_unsealed_file.unwrap_or(1);
    let folders: BTreeSet<SegmentId> = segment_folders(signal, data, disk)?.into_iter().map(|(_, id)| id).collect();
    let listed: BTreeSet<SegmentId> = state.segments.iter().map(|(id, _)| id.clone()).collect();
    if folders.is_subset(&listed) {
        return Ok(false);
    }
    let journal = survey(signal, data, disk)?;
    let behind = folders.difference(&listed).find(|id| {
        let replaces_lost = listed.difference(&folders).any(|lost| covers(id, lost));
        replaces_lost || (id.first_file.max(first_unsealed)..=id.last_file).any(|file| !journal.numbers.contains(&file))
    });
    if let Some(id) = behind {
        tracing::error!(%id, tenant = %id.tenant, "the catalog is older than this segment; making it anew from the segments");
    }
    Ok(behind.is_some())
}

/// What the folders say when the catalog is lost. A run whose journal files all exist is sealed again; any other keeps its segments.
fn rebuild<S: SegmentKind>(signal: Signal, data: &Path, disk: &Disk) -> Result<CatalogState, OpenError> {
    let mut state = CatalogState::default();
    let journal = survey(signal, data, disk)?;
    let mut found: Vec<S> = Vec::new();
    for (path, _) in segment_folders(signal, data, disk)? {
        match S::open_folder(&path) {
            Ok(segment) => found.push(segment),
            Err(error) => {
                tracing::error!(segment = %path.display(), %error, "set aside: damaged");
                set_aside(signal, data, disk, &path)?;
            }
        }
    }
    let mut first_unsealed = 1;
    let sealed_again = |id: &SegmentId, first_unsealed: u32| {
        id.first_file >= first_unsealed && (id.first_file..=id.last_file).all(|file| journal.numbers.contains(&file))
    };
    // What one tenant keeps may reach to files that another tenant's segment is made of: then that one is kept too.
    while let Some(kept) =
        (found.iter().map(S::segment_id)).find(|id| id.last_file >= first_unsealed && !sealed_again(id, first_unsealed))
    {
        first_unsealed = kept.last_file + 1;
    }
    state.first_unsealed_file = Some(first_unsealed);
    found.retain(|segment| segment.segment_id().last_file < first_unsealed);
    // A merger makes what it was made of superfluous.
    let covered = |id: &SegmentId| found.iter().any(|other| covers(other.segment_id(), id));
    let mut newest: BTreeMap<&TenantId, &S> = BTreeMap::new();
    for segment in found.iter().filter(|segment| !covered(segment.segment_id())) {
        let id = segment.segment_id();
        state.ledger.entry(id.tenant.clone()).or_default().add(segment.own_tally());
        state.segments.push((id.clone(), segment.items()));
        let newest = newest.entry(&id.tenant).or_insert(segment);
        if newest.segment_id().last_file < id.last_file {
            *newest = segment;
        }
    }
    // The newest segment knows the runs before it that left no segment, too.
    for (tenant, segment) in newest {
        if let Some(ledger) = segment.tally_after() {
            state.ledger.insert(tenant.clone(), ledger.clone());
        }
    }
    // The journal's files know how much was accepted before them, also by tenants whose segments are gone.
    if let Some(opening) = journal.opening(first_unsealed) {
        for (tenant, count) in opening.iter() {
            let tally = state.ledger.entry(tenant.clone()).or_default();
            tally.complete(Tally::of_count(count));
        }
    }
    Ok(state)
}

fn survey(signal: Signal, data: &Path, disk: &Disk) -> Result<Survey, OpenError> {
    let folder = journal_path(data, signal);
    Survey::of(disk, &folder).map_err(|source| OpenError::Io { path: folder, source })
}

/// Whether a segment was merged from `other` and its neighbours.
fn covers(id: &SegmentId, other: &SegmentId) -> bool {
    id.tenant == other.tenant
        && id.generation > other.generation
        && id.first_file <= other.first_file
        && other.last_file <= id.last_file
}

/// Opens what the catalog lists, sets aside what is damaged, deletes what is not listed.
async fn open_segments<S: SegmentKind>(
    signal: Signal,
    data: &Path,
    disk: &Disk,
    catalog: &Catalog,
    (state, archived): (&mut CatalogState, Option<&Archived>),
) -> Result<SegmentsByTenant<S>, OpenError> {
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
fn segment_folders(
    signal: Signal,
    data: &Path,
    disk: &Disk,
) -> Result<Vec<(std::path::PathBuf, SegmentId)>, OpenError> {
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

fn list(path: &Path) -> Result<BTreeSet<std::path::PathBuf>, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    std::fs::read_dir(path).map_err(io)?.map(|entry| Ok(entry.map_err(io)?.path())).collect()
}

fn remove(disk: &Disk, path: &Path) -> Result<(), OpenError> {
    let removed = if path.is_dir() { disk.remove_folder(path) } else { disk.unlink(path) };
    removed.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn set_aside(signal: Signal, data: &Path, disk: &Disk, path: &Path) -> Result<(), OpenError> {
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

/// Reads recovered files into the head, several at a time: they are independent of each other. `take` gets what was read, in the
/// journal's order.
fn replay_files<T: Send, L: Laned>(
    recovered: &Recovered,
    replay: impl Fn(&Arc<JournalFile>) -> Result<T, Newer> + Sync,
    mut take: impl FnMut(T) -> Arc<HeadFile<L>>,
) -> Result<Vec<Arc<HeadFile<L>>>, Newer> {
    let mut files = Vec::with_capacity(recovered.files.len());
    // No more at a time: the marks of their spans take memory.
    for journal_files in recovered.files.chunks(REPLAY_THREADS) {
        let replayed: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = journal_files.iter().map(|file| scope.spawn(|| replay(file))).collect();
            threads.into_iter().map(|thread| thread.join().expect("replay does not panic")).collect()
        });
        for replayed in replayed {
            files.push(take(replayed?));
        }
    }
    Ok(files)
}

/// Journal files that are gone were acknowledged: the ledger says so, with the next file that is sealed, or at once when
/// there is none.
async fn count_missing<S>(
    opening: &mut Opening<S>,
    recovered: &Recovered,
    // Adds what was lost to the first file behind a number; false when there is no file.
    add_damaged: impl Fn(u32, &Tallies) -> bool,
    catalog: &Catalog,
) -> Result<(), OpenError> {
    for missing in &recovered.missing {
        let signal = opening.signal;
        tracing::error!(%signal, first = missing.first, last = missing.last, "journal files are missing; counted as damaged");
        if add_damaged(missing.last, &missing.tallies) {
            continue;
        }
        let mut lost = BTreeMap::new();
        for (tenant, count) in missing.tallies.iter() {
            lost.insert(tenant.clone(), Tally::lost(count));
        }
        catalog
            .seal(signal, (opening.first_unsealed, missing.last + 1), &[], (&lost, &SourceCursors::default()))
            .await?;
        opening.first_unsealed = missing.last + 1;
        for (tenant, tally) in lost {
            opening.state.ledger.entry(tenant).or_default().add(&tally);
        }
    }
    Ok(())
}
