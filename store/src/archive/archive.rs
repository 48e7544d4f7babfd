//! The archive as the store has it: its bucket, what of it is on local disk, and the threads that wait for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{runtime::Runtime, sync::watch};
use weir_proto::{Signal, TenantId, time::Clock};

use super::{
    ArchiveError,
    bucket::{Bucket, BucketError, BucketOptions, RetryBounds, Surroundings},
    cache::Cache,
    check::ArchiveCheck,
    claim::Lost,
    found::{covers, is_damage, is_gone},
    kept::Kept,
    layout::{Keys, OWNER, name_of, table_name},
    mended_index::read_index,
    object::Object,
    owner::Owner,
    prefix::Expected,
    put_again::Missed,
    resting::{Resting, Work},
    taken_back::Looked,
};
use crate::{
    catalog::{ArchivedSegment, Stage},
    disk::Disk,
    options::ArchiveOptions,
    segment::{
        Segment, SegmentError, SegmentId,
        archived::{ArchivedManifest, WrittenFiles, write_archived, write_stub},
        series::{SeriesSegment, write_archived_series, write_series_stub},
    },
};

/// Threads that wait for the bucket's answers.
const THREADS: usize = 2;

/// As when sealing: more saves next to nothing.
const ZSTD_LEVEL: i32 = 1;

/// Somebody who asks waits less than an upload.
const READING: RetryBounds =
    RetryBounds { wait_min: Duration::from_millis(200), wait_max: Duration::from_secs(2), attempts_max: 4 };

/// The archive.
pub(crate) struct Archive {
    /// How it is configured.
    pub(crate) options: ArchiveOptions,
    /// For uploads: it tries for long.
    pub(crate) bucket: Bucket,
    reading: Bucket,
    cache: Arc<Cache>,
    /// Whole copies, of what is pinned.
    pub(crate) kept: Arc<Kept>,
    /// `archive/` in the data folder.
    folder: PathBuf,
    disk: Disk,
    /// Of its own: what waits here must not be what answers.
    runtime: Option<Runtime>,
    pub(super) owner: Owner,
    clock: Clock,
    /// What the catalog says.
    known: Mutex<BTreeMap<SegmentId, ArchivedSegment>>,
    /// What of it this start could not open.
    absent: Mutex<Vec<ArchivedSegment>>,
    /// Ranges whose segments stay on local disk.
    pins: Mutex<Vec<(Signal, u64, u64)>>,
    checking: Mutex<ArchiveCheck>,
    pub(super) taken: Mutex<Option<Lost>>,
    /// When this process said last that it writes there.
    pub(super) claimed: Mutex<Option<Instant>>,
    /// Segments that others took out of their table: they are merged with none.
    pub(crate) taken_out: Mutex<BTreeSet<SegmentId>>,
    /// What a check missed.
    pub(super) missed: Mutex<Missed>,
    /// Which tables were looked at.
    pub(super) looked: Mutex<Looked>,
    /// What failed lately.
    pub(crate) resting: Resting,
    /// When it was looked last for what was left behind, Unix ns.
    pub(super) swept_ns: Mutex<Option<u64>>,
    /// What the prefix is to have.
    pub(super) expected: Mutex<Expected>,
    stopped: watch::Sender<bool>,
    /// Tests: stops at a step, as if the process had died there.
    #[cfg(test)]
    pub(crate) stop_at: Mutex<Option<&'static str>>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("url", &self.options.url).finish_non_exhaustive()
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // A runtime must not be waited for where others run.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Archive {
    /// Opens it for the data folder `data`, whose number is `instance`. Nothing is asked of the bucket yet.
    pub(crate) fn open(
        options: ArchiveOptions,
        data: &Path,
        instance: &str,
        disk: &Disk,
        clock: &Clock,
    ) -> Result<Self, ArchiveError> {
        let surroundings = Surroundings { clock: clock.clone(), ..Surroundings::system(std::process::id().into()) };
        let bucket = Bucket::open(bucket_options(&options), surroundings)?;
        let folder = data.join("archive");
        let cache = Cache::create(&folder.join("cache"), options.cache_bytes_max, Disk::system())
            .map_err(|source| ArchiveError::Io { path: folder.join("cache"), source })?;
        // Last: on an error it would be dropped where it cannot be waited for.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("weir-archive")
            .enable_all()
            .build()
            .map_err(ArchiveError::Threads)?;
        Ok(Self {
            reading: bucket.with_retry(READING),
            bucket,
            options,
            cache: Arc::new(cache),
            kept: Arc::new(Kept::open(folder.join("kept"), disk.clone())),
            folder,
            disk: disk.clone(),
            runtime: Some(runtime),
            owner: Owner::this(instance),
            clock: clock.clone(),
            known: Mutex::default(),
            absent: Mutex::default(),
            pins: Mutex::default(),
            checking: Mutex::default(),
            taken: Mutex::default(),
            claimed: Mutex::default(),
            taken_out: Mutex::default(),
            missed: Mutex::default(),
            looked: Mutex::default(),
            resting: Resting::default(),
            swept_ns: Mutex::default(),
            expected: Mutex::default(),
            stopped: watch::Sender::new(false),
            #[cfg(test)]
            stop_at: Mutex::default(),
        })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until the end")
    }

    /// Does something on the archive's threads, while the calling thread waits: not one that answers others.
    pub(crate) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime().block_on(work)
    }

    /// As [`Self::wait`], but no longer than until the store stops: what was done of it by then is done again by the next start.
    pub(crate) fn wait_or_stop<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let mut stopped = self.stopped.subscribe();
        self.wait(async move {
            tokio::select! {
                done = work => Ok(done),
                _ = stopped.wait_for(|stopped| *stopped) => Err(ArchiveError::Stopped),
            }
        })
    }

    /// Whether the store stops.
    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// The store stops: no upload goes on.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Begins something that nobody waits for.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime().spawn(work));
    }

    /// The check under way.
    pub(super) fn checking(&self) -> parking_lot::MutexGuard<'_, ArchiveCheck> {
        self.checking.lock()
    }

    /// The same for somebody who need not keep a thread.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.runtime().spawn(work).await.expect("the archive's work does not panic")
    }

    /// Whether no Weir ever wrote to the prefix, as far as the bucket answers.
    pub(crate) async fn is_blank(&self) -> bool {
        let bucket = self.reading.clone();
        matches!(self.run(async move { bucket.head(OWNER).await }).await, Err(BucketError::NotFound { .. }))
    }

    /// From when on the age of the newest segment of a signal counts, Unix ns.
    pub(crate) fn newest_ns(&self, signal: Signal) -> Option<u64> {
        let known = self.known.lock();
        known.values().filter(|known| known.id.signal == signal).map(|known| known.age_from_ns).max()
    }

    /// What the catalog says, once.
    pub(crate) fn learn(&self, segments: Vec<ArchivedSegment>, pins: Vec<(Signal, u64, u64)>) {
        let segments = segments.into_iter().map(|segment| (segment.id.clone(), segment));
        *self.known.lock() = segments.collect();
        self.set_pins(pins);
    }

    /// A segment that the catalog says something new of; `None`: nothing any more.
    pub(crate) fn note(&self, id: &SegmentId, segment: Option<ArchivedSegment>) {
        match segment {
            Some(segment) => drop(self.known.lock().insert(id.clone(), segment)),
            None => {
                self.known.lock().remove(id);
                // Nothing of it is tried again.
                self.resting.succeeded(&Work::Segment(id.clone()));
                self.resting.succeeded(&Work::Copy(id.clone()));
                self.taken_out.lock().remove(id);
            }
        }
    }

    /// A segment whose rows are in the archive only could not be opened.
    pub(crate) fn add_absent(&self, segment: ArchivedSegment) {
        self.absent.lock().push(segment);
    }

    /// It is there now, or nowhere.
    pub(crate) fn remove_absent(&self, id: &SegmentId) {
        self.absent.lock().retain(|absent| absent.id != *id);
    }

    /// All that could not be opened.
    pub(crate) fn all_absent(&self) -> Vec<ArchivedSegment> {
        self.absent.lock().clone()
    }

    /// What is known of a segment.
    pub(crate) fn known(&self, id: &SegmentId) -> Option<ArchivedSegment> {
        self.known.lock().get(id).cloned()
    }

    /// Everything that is known, oldest first within a signal and tenant.
    pub(crate) fn all_known(&self) -> Vec<ArchivedSegment> {
        self.known.lock().values().cloned().collect()
    }

    /// The segments in their table that one was merged from.
    pub(crate) fn merged_from(&self, id: &SegmentId) -> Vec<ArchivedSegment> {
        let known = self.known.lock();
        known.values().filter(|known| known.stage == Stage::Committed && covers(id, &known.id)).cloned().collect()
    }

    /// What a segment was merged into and is not in the table yet.
    pub(crate) fn merged_into(&self, id: &SegmentId) -> Option<ArchivedSegment> {
        let known = self.known.lock();
        known.values().find(|known| known.stage == Stage::Uploaded && covers(&known.id, id)).cloned()
    }

    /// Whether a segment may leave the local disk: its objects are there, compared, and its table says so.
    pub(crate) fn is_safe(&self, id: &SegmentId) -> bool {
        // Until a check that missed something of it has been answered it is not.
        self.known(id).is_some_and(|segment| segment.stage == Stage::Committed) && !self.missed.lock().contains_key(id)
    }

    /// Whether somebody wants what a signal has in a range of time to stay on local disk.
    pub(crate) fn is_pinned(&self, signal: Signal, (from_ns, to_ns): (u64, u64)) -> bool {
        let pins = self.pins.lock();
        pins.iter().any(|&(of, from, to)| of == signal && from <= to_ns && from_ns <= to)
    }

    /// Those ranges.
    pub(crate) fn all_pins(&self) -> Vec<(Signal, u64, u64)> {
        self.pins.lock().clone()
    }

    /// They have changed.
    pub(crate) fn set_pins(&self, pins: Vec<(Signal, u64, u64)>) {
        *self.pins.lock() = pins;
    }

    /// Whether nothing of a tenant's is deleted.
    pub(crate) fn is_held(&self, tenant: &TenantId) -> bool {
        self.options.hold.iter().any(|held| held == tenant.as_str())
    }

    /// The folder of segments whose rows are in the bucket.
    pub(crate) fn folder_of(&self, id: &SegmentId) -> PathBuf {
        self.folder.join(table_name(id.signal)).join(id.tenant.as_str())
    }

    /// The rows of a segment in the bucket.
    pub(crate) fn object(&self, key: String, bytes: u64) -> Arc<Object> {
        let handle = self.runtime().handle().clone();
        let here = (self.cache.clone(), self.kept.clone());
        Arc::new(Object::new(key, bytes, self.reading.clone(), here, handle))
    }

    /// Opens a segment whose rows are in the bucket, from what is here of it.
    pub(crate) fn open_segment(&self, archived: &ArchivedSegment) -> Result<Segment, SegmentError> {
        let path = self.path_of(&archived.id);
        let io = |source| SegmentError::Io { path: path.join("manifest.json"), source };
        let bytes = std::fs::read(path.join("manifest.json")).map_err(io)?;
        let (rows_bytes, _) = ArchivedManifest::read(&bytes)?.bytes();
        let keys = Keys::of(&archived.id, &archived.name);
        Segment::open_archived(&path, self.object(keys.rows, rows_bytes))
    }

    /// Opens a segment of metrics whose chunks are in the bucket, from what is here of it.
    pub(crate) fn open_series(&self, archived: &ArchivedSegment) -> Result<SeriesSegment, SegmentError> {
        let bytes = self.manifest_of(archived)?.chunks_bytes();
        let bytes = bytes.ok_or_else(|| SegmentError::Encode(format!("{}: no manifest of series", archived.id)))?;
        let keys = Keys::of(&archived.id, &archived.name);
        SeriesSegment::open_archived(&self.path_of(&archived.id), self.object(keys.chunks, bytes))
    }

    /// Does something with what is here of a segment in the bucket. What is lost or damaged of that comes from the bucket first.
    pub(crate) fn mended<T>(
        &self,
        archived: &ArchivedSegment,
        read: impl Fn() -> Result<T, SegmentError>,
    ) -> Result<T, ArchiveError> {
        match read() {
            Err(error @ (SegmentError::Damaged { .. } | SegmentError::Io { .. })) => {
                let id = &archived.id;
                tracing::warn!(%id, tenant = %id.tenant, %error, "what is here of a segment in the archive is fetched again");
                let (bucket, disk, parent) = (self.reading.clone(), self.disk.clone(), self.folder_of(id));
                let fetching = fetch(bucket, disk, parent, id.clone(), archived.name.clone());
                // The last commit has a bound of its own.
                if self.is_stopped() {
                    self.wait(fetching)?
                } else {
                    self.wait_or_stop(fetching)??
                };
                Ok(read()?)
            }
            done => Ok(done?),
        }
    }

    /// Whether something failed lately and is not to be tried yet.
    pub(crate) fn is_resting(&self, work: &Work) -> bool {
        self.resting.is_resting(work, self.now_ns())
    }

    /// The manifest that is here of a segment in the bucket.
    pub(crate) fn manifest_of(&self, archived: &ArchivedSegment) -> Result<ArchivedManifest, SegmentError> {
        let path = self.path_of(&archived.id).join("manifest.json");
        let bytes = std::fs::read(&path).map_err(|source| SegmentError::Io { path, source })?;
        ArchivedManifest::read(&bytes)
    }

    /// The local disk.
    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Where it is opened from.
    pub(crate) fn path_of(&self, id: &SegmentId) -> PathBuf {
        self.folder_of(id).join(id.to_string())
    }

    /// Tests: whether the process is to have died here.
    #[cfg(test)]
    pub(crate) fn step(&self, name: &'static str) -> Result<(), ArchiveError> {
        let stop_at = *self.stop_at.lock();
        if stop_at == Some(name) { Err(ArchiveError::Stopped) } else { Ok(()) }
    }

    /// Nothing, unless the environment asks for a death here.
    #[cfg(not(test))]
    #[inline]
    pub(crate) fn step(&self, name: &'static str) -> Result<(), ArchiveError> {
        self.disk.faults().reached(name);
        Ok(())
    }

    /// Writes a segment's copy, puts it into the bucket and compares it there. Done again, after whatever kept it from being done, it
    /// comes to the same.
    pub(crate) fn upload(
        &self,
        segment: Outgoing<'_>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<ArchivedSegment, ArchiveError> {
        let id = segment.id();
        let (files, crc32c) = self.write_copy(segment, should_stop)?;
        self.step("written")?;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ArchiveError::Io { path, source }
        };
        let name = name_of(id, crc32c);
        let keys = Keys::of(id, &name);
        let manifest = std::fs::read(&files.manifest).map_err(io(&files.manifest))?;
        let written = ArchivedManifest::read(&manifest)?;
        let bytes = written.objects_bytes() + manifest.len() as u64;
        let (bucket, rows_key, rows) = (self.bucket.clone(), keys.rows, files.rows.clone());
        self.wait_or_stop(async move { bucket.put_file(&rows_key, &rows, Some(crc32c)).await })??;
        self.step("rows uploaded")?;
        if let Some(index) = files.index {
            let (bucket, key) = (self.bucket.clone(), keys.index);
            self.wait_or_stop(async move { bucket.put_file(&key, &index, None).await })??;
        }
        if let Some(chunks) = files.chunks.clone() {
            let (bucket, key) = (self.bucket.clone(), keys.chunks);
            let crc32c = written.chunks_crc32c();
            self.wait_or_stop(async move { bucket.put_file(&key, &chunks, crc32c).await })??;
        }
        self.step("index uploaded")?;
        // The last: who finds it finds all of it.
        let (bucket, key) = (self.bucket.clone(), keys.manifest);
        self.wait_or_stop(async move { bucket.put_new_compared(&key, manifest.into()).await })??;
        self.step("uploaded")?;
        for path in [Some(&files.rows), files.chunks.as_ref()].into_iter().flatten() {
            self.disk.unlink(path).map_err(io(path))?;
        }
        let (age_from_ns, since_ns) = (segment.age_from_ns(), self.clock.now_ns());
        let rows = segment.rows();
        Ok(ArchivedSegment { id: id.clone(), name, rows, bytes, age_from_ns, stage: Stage::Uploaded, since_ns })
    }

    /// Writes a segment's copy, and the CRC32C of its rows.
    pub(super) fn write_copy(
        &self,
        segment: Outgoing<'_>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(WrittenFiles, u32), ArchiveError> {
        let parent = self.folder_of(segment.id());
        self.disk.make_folders(&parent).map_err(|source| ArchiveError::Io { path: parent.clone(), source })?;
        let files = segment.write(&self.disk, &parent, should_stop)?;
        let io = |source| ArchiveError::Io { path: files.rows.clone(), source };
        let crc32c = checksum_of(&files.rows).map_err(io)?;
        Ok((files, crc32c))
    }

    /// Brings what belongs on local disk of a segment back from the bucket.
    pub(crate) async fn fetch(&self, id: SegmentId, name: String) -> Result<ArchivedManifest, ArchiveError> {
        let (bucket, disk, parent) = (self.reading.clone(), self.disk.clone(), self.folder_of(&id));
        self.run(fetch(bucket, disk, parent, id, name)).await
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same, Unix ns.
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// For who only reads.
    pub(crate) fn reading(&self) -> Bucket {
        self.reading.clone()
    }
}

async fn fetch(
    bucket: Bucket,
    disk: Disk,
    parent: PathBuf,
    id: SegmentId,
    name: String,
) -> Result<ArchivedManifest, ArchiveError> {
    let keys = Keys::of(&id, &name);
    let bytes = bucket.get(&keys.manifest).await?;
    let manifest = ArchivedManifest::read(&bytes)?;
    if *manifest.id() != id {
        return Err(ArchiveError::Foreign(keys.manifest));
    }
    if manifest.chunks_bytes().is_some() {
        let index = read_index(&bucket, &keys.index, &manifest).await?;
        disk.make_folders(&parent).map_err(|source| ArchiveError::Io { path: parent.clone(), source })?;
        write_series_stub(&disk, &parent, &bytes, &index)?;
        return Ok(manifest);
    }
    let footer = bucket.get_ranges(&keys.rows, &[manifest.footer()]).await?.concat();
    let index = match manifest.has_index() {
        true => match read_index(&bucket, &keys.index, &manifest).await {
            // The rows have all that it says.
            Err(error) if is_damage(&error) || is_gone(&error) => {
                tracing::warn!(%id, tenant = %id.tenant, key = keys.index, %error, "a segment in the archive has no index");
                None
            }
            read => Some(read?),
        },
        false => None,
    };
    disk.make_folders(&parent).map_err(|source| ArchiveError::Io { path: parent.clone(), source })?;
    write_stub(&disk, &parent, &bytes, index.as_deref(), &footer)?;
    Ok(manifest)
}

/// A segment that goes out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    /// Spans or lines.
    Rows(&'a Arc<Segment>),
    /// Metrics.
    Series(&'a SeriesSegment),
}

impl Outgoing<'_> {
    fn id(&self) -> &SegmentId {
        match self {
            Self::Rows(segment) => segment.id(),
            Self::Series(segment) => segment.id(),
        }
    }

    fn rows(&self) -> u64 {
        match self {
            Self::Rows(segment) => segment.rows(),
            Self::Series(segment) => segment.samples(),
        }
    }

    fn age_from_ns(&self) -> u64 {
        match self {
            Self::Rows(segment) => segment.age_from_ns(),
            Self::Series(segment) => segment.age_from_ns(),
        }
    }

    /// Writes its copy below `parent`.
    fn write(&self, disk: &Disk, parent: &Path, stop: &dyn Fn() -> bool) -> Result<WrittenFiles, SegmentError> {
        match self {
            Self::Rows(segment) => {
                let folder = write_archived(disk, parent, segment, ZSTD_LEVEL, stop)?;
                Ok(WrittenFiles::of(&folder, segment))
            }
            Self::Series(segment) => {
                let folder = write_archived_series(disk, parent, segment, ZSTD_LEVEL, stop)?;
                Ok(WrittenFiles::of_series(&folder))
            }
        }
    }
}

fn bucket_options(options: &ArchiveOptions) -> BucketOptions {
    BucketOptions {
        endpoint: options.endpoint.clone(),
        region: options.region.clone(),
        path_style: options.path_style,
        allow_http: options.allow_http,
        access_key_id: options.access_key_id.clone(),
        secret_access_key: options.secret_access_key.clone(),
        session_token: options.session_token.clone(),
        environment: options.environment.clone(),
        bandwidth_bytes_per_s: options.upload_bytes_per_s,
        memory_bytes_max: options.upload_memory_bytes_max,
        ..BucketOptions::new(&options.url)
    }
}

/// CRC32C of a file.
pub(super) fn checksum_of(path: &Path) -> std::io::Result<u32> {
    use std::io::Read;
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut crc = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(crc),
            read => crc = crc32c::crc32c_append(crc, &buffer[..read]),
        }
    }
}
