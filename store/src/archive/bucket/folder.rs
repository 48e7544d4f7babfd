//! A folder as an object store whose objects last: written aside, synced, and given their name only then.
//!
//! `object_store`'s own folder syncs nothing, and its uploads in parts replace what is there. Reading and listing are its.

use std::{
    fmt, io,
    io::IoSlice,
    path::{Path as FilePath, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    local::LocalFileSystem,
    multipart::{MultipartStore, PartId},
    path::Path,
};

use super::options::Surroundings;
use crate::disk::Disk;

/// Where objects lie until they have their name. No object is called so.
const STAGING: &str = ".staging";

/// What lies in the staging folder for longer was left by a process that is gone.
const STAGED_MAX_NS: u64 = 24 * 3600 * 1_000_000_000;

/// The store's name in errors.
const STORE: &str = "folder";

#[derive(Debug)]
pub(super) struct Folder {
    inner: LocalFileSystem,
    root: PathBuf,
    disk: Disk,
    part_bytes: u64,
    staged: AtomicU64,
}

impl Folder {
    /// Opens the folder at `root`, which is made when it is missing.
    pub(super) fn open(root: &FilePath, part_bytes: u64, surroundings: &Surroundings) -> io::Result<Self> {
        let disk = surroundings.disk.clone();
        let staging = root.join(STAGING);
        disk.make_folders(&staging)?;
        let root = root.canonicalize()?;
        sweep(&disk, &staging, surroundings.clock.now_ns())?;
        let inner = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::from)?;
        Ok(Self { inner, root, disk, part_bytes, staged: AtomicU64::new(0) })
    }

    fn file(&self, location: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(location)
    }

    fn staging(&self, id: &str) -> PathBuf {
        self.root.join(STAGING).join(id)
    }

    /// A name in the staging folder that nobody has.
    fn next_staged(&self) -> String {
        format!("{}-{}", std::process::id(), self.staged.fetch_add(1, Ordering::Relaxed))
    }

    /// Runs what waits for the disk where waiting is allowed.
    async fn on_disk<T: Send + 'static>(
        &self,
        location: &Path,
        work: impl FnOnce(&Disk) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (disk, path) = (self.disk.clone(), location.to_string());
        match tokio::task::spawn_blocking(move || work(&disk)).await? {
            Ok(value) => Ok(value),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::AlreadyExists { path, source: Box::new(source) })
            }
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::NotFound { path, source: Box::new(source) })
            }
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                Err(Error::PermissionDenied { path, source: Box::new(source) })
            }
            Err(source) => Err(Error::Generic { store: STORE, source: Box::new(source) }),
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Folder({})", self.root.display())
    }
}

/// Removes what a process that is gone left in the staging folder.
fn sweep(disk: &Disk, staging: &FilePath, now_ns: u64) -> io::Result<()> {
    for entry in std::fs::read_dir(staging)? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?;
        let modified_ns = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        if now_ns.saturating_sub(modified_ns) > STAGED_MAX_NS {
            disk.unlink(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes the whole content aside and syncs it.
fn write_staged(disk: &Disk, staged: &FilePath, payload: &PutPayload) -> io::Result<()> {
    let file = disk.create(staged)?;
    let mut slices: Vec<IoSlice<'_>> = payload.iter().map(|bytes| IoSlice::new(bytes)).collect();
    file.write_gathered_at(&mut slices, 0)?;
    file.sync()
}

/// Gives what lies aside, synced, its name for good.
fn name(disk: &Disk, staged: &FilePath, path: &FilePath, create: bool) -> io::Result<()> {
    let parent = path.parent().expect("a key has the root above it");
    disk.make_folders(parent)?;
    let named = if create { disk.rename_new(staged, path) } else { disk.rename(staged, path) };
    // Also when somebody else's is there already: it is taken for done, and must last as well.
    if named.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::AlreadyExists) {
        disk.sync_folder(parent)?;
    }
    named
}

/// Runs `work`; what lies aside is removed when it fails.
fn or_remove(disk: &Disk, staged: &FilePath, work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    work().inspect_err(|_| drop(disk.unlink(staged)))
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(not_here("replacing a certain version")),
        };
        let (path, staged) = (self.file(location)?, self.staging(&self.next_staged()));
        let work = move |disk: &Disk| {
            or_remove(disk, &staged, || {
                write_staged(disk, &staged, &payload)?;
                name(disk, &staged, &path, create)
            })
        };
        self.on_disk(location, work).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(not_here("parts without numbers"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix).try_filter(|meta| {
            let staged = meta.location.as_ref().starts_with(STAGING);
            std::future::ready(!staged)
        });
        // In order, as a store lists.
        let sorted = async move {
            let mut all: Vec<ObjectMeta> = listed.try_collect().await?;
            all.sort_by(|a, b| a.location.cmp(&b.location));
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(sorted).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.common_prefixes.retain(|folder| folder.as_ref() != STAGING);
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let mode = match options.mode {
            CopyMode::Create => PutMode::Create,
            CopyMode::Overwrite => PutMode::Overwrite,
        };
        let bytes = self.inner.get_opts(from, GetOptions::default()).await?.bytes().await?;
        self.put_opts(to, bytes.into(), mode.into()).await.map(drop)
    }
}

fn not_here(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: STORE.to_owned() }
}

/// Parts have one length, but for the last: each is written where it belongs.
#[async_trait]
impl MultipartStore for Folder {
    async fn create_multipart(&self, location: &Path) -> Result<MultipartId> {
        let id = self.next_staged();
        let staged = self.staging(&id);
        self.on_disk(location, move |disk| disk.create(&staged).map(drop)).await?;
        Ok(id)
    }

    async fn put_part(&self, location: &Path, id: &MultipartId, number: usize, data: PutPayload) -> Result<PartId> {
        let (staged, position) = (self.staging(id), number as u64 * self.part_bytes);
        let work = move |disk: &Disk| {
            let mut slices: Vec<IoSlice<'_>> = data.iter().map(|bytes| IoSlice::new(bytes)).collect();
            disk.open(&staged)?.write_gathered_at(&mut slices, position)
        };
        self.on_disk(location, work).await?;
        Ok(PartId { content_id: number.to_string() })
    }

    async fn complete_multipart(&self, location: &Path, id: &MultipartId, _: Vec<PartId>) -> Result<PutResult> {
        let (path, staged) = (self.file(location)?, self.staging(id));
        let work = move |disk: &Disk| {
            or_remove(disk, &staged, || {
                disk.open(&staged)?.sync()?;
                name(disk, &staged, &path, true)
            })
        };
        self.on_disk(location, work).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort_multipart(&self, location: &Path, id: &MultipartId) -> Result<()> {
        let staged = self.staging(id);
        self.on_disk(location, move |disk| disk.unlink(&staged)).await
    }
}
