//! Uploads a file of any size: in parts, a bounded number at once, and reads back what arrived.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{Error, MultipartId, PutPayload, multipart::PartId, path::Path};

use super::{Bucket, BucketError, error::Failure, metrics, options::ReadBack, put::Put};

/// Uploads of one file before it is given up: what arrived was damaged, or the upload was lost.
const UPLOADS_MAX: usize = 3;

/// Pieces that [`ReadBack::Pieces`] reads, and their length.
const PIECES: u64 = 8;
const PIECE_BYTES: u64 = 64 << 10;

/// A file that is an object now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its length.
    pub bytes: u64,
    /// The CRC32C of all of it.
    pub crc32c: u32,
    /// Whether it was there already.
    pub put: Put,
}

/// The file that is uploaded.
#[derive(Clone)]
struct UploadedFile {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
}

impl UploadedFile {
    async fn open(path: &FilePath) -> Result<Self, BucketError> {
        let owned = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let file = File::open(&owned)?;
            let bytes = file.metadata()?.len();
            Ok::<_, io::Error>((file, bytes))
        });
        let opened = opened.await.map_err(io::Error::other).and_then(|opened| opened);
        let (file, bytes) = opened.map_err(|source| BucketError::Local { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: Arc::new(file), bytes })
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, BucketError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; (range.end - range.start) as usize];
            file.read_exact_at(&mut part, range.start)?;
            Ok::<_, io::Error>(Bytes::from(part))
        });
        let read = read.await.map_err(io::Error::other).and_then(|read| read);
        read.map_err(|source| BucketError::Local { path: self.path.clone(), source })
    }
}

/// The ranges of `part_bytes` of something of `bytes`, at least one.
fn ranges(bytes: u64, part_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    (0..bytes.div_ceil(part_bytes).max(1)).map(move |at| at * part_bytes..((at + 1) * part_bytes).min(bytes))
}

impl Bucket {
    /// Uploads the file at `file` as an object that is not there yet, and reads it back. With the same content there it is
    /// done as well. `crc32c` is the file's when the caller knows it: another one is [`BucketError::Corrupt`], before the
    /// object can be seen.
    pub async fn put_file(&self, key: &str, file: &FilePath, crc32c: Option<u32>) -> Result<Uploaded, BucketError> {
        let source = UploadedFile::open(file).await?;
        if source.bytes <= self.shared.options.part_bytes {
            return self.put_small_file(key, &source, crc32c).await;
        }
        match self.head(key).await {
            Ok(head) => return self.accept_there(key, &source, head.bytes, crc32c).await,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        let mut damage = None;
        for _ in 0..UPLOADS_MAX {
            let (sent_crc, put) = match self.upload(key, &source, crc32c).await? {
                Sent::Done(crc) => (crc, Put::Written),
                Sent::OtherIsThere(crc) => (crc, Put::AlreadyThere),
                Sent::Lost => continue,
            };
            match self.read_back(key, &source, sent_crc).await {
                Ok(()) => return Ok(Uploaded { bytes: source.bytes, crc32c: sent_crc, put }),
                Err(error @ BucketError::Corrupt { .. }) if put == Put::Written => {
                    tracing::warn!("what was uploaded is not what arrived, again: {error}");
                    self.delete(key).await?;
                    damage = Some(error);
                }
                Err(BucketError::Corrupt { key, reason }) => return Err(BucketError::Conflict { key, reason }),
                Err(error) => return Err(error),
            }
        }
        Err(damage.unwrap_or_else(|| BucketError::Away { reason: format!("{key}: the upload was lost each time") }))
    }

    async fn put_small_file(
        &self,
        key: &str,
        source: &UploadedFile,
        crc32c: Option<u32>,
    ) -> Result<Uploaded, BucketError> {
        let mut damage = None;
        for _ in 0..UPLOADS_MAX {
            let (crc, put) = self.put_at_once(key, source, crc32c).await?;
            match self.read_back(key, source, crc).await {
                Ok(()) => return Ok(Uploaded { bytes: source.bytes, crc32c: crc, put }),
                Err(error @ BucketError::Corrupt { .. }) if put == Put::Written => {
                    self.delete(key).await?;
                    damage = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(damage.expect("each round that goes on found damage"))
    }

    /// Puts the file with one request. Its memory is given back before it is read again, which takes some too.
    async fn put_at_once(
        &self,
        key: &str,
        source: &UploadedFile,
        crc32c: Option<u32>,
    ) -> Result<(u32, Put), BucketError> {
        let _held = self.hold(source.bytes).await;
        let content = source.read(0..source.bytes).await?;
        let crc = crc32c::crc32c(&content);
        check(key, source, crc, crc32c)?;
        Ok((crc, self.put_new(key, content).await?))
    }

    /// An object of this name is there: it is ours, of an upload that was cut off, or it is another.
    async fn accept_there(
        &self,
        key: &str,
        source: &UploadedFile,
        bytes: u64,
        crc32c: Option<u32>,
    ) -> Result<Uploaded, BucketError> {
        let conflict = |reason| BucketError::Conflict { key: key.to_owned(), reason };
        if bytes != source.bytes {
            return Err(conflict(format!("{bytes} bytes, not {}", source.bytes)));
        }
        let mut crc = 0;
        for range in ranges(source.bytes, self.shared.options.part_bytes) {
            crc = crc32c::crc32c_append(crc, &source.read(range).await?);
        }
        check(key, source, crc, crc32c)?;
        match self.read_back(key, source, crc).await {
            Ok(()) => Ok(Uploaded { bytes, crc32c: crc, put: Put::AlreadyThere }),
            Err(BucketError::Corrupt { reason, .. }) => Err(conflict(reason)),
            Err(error) => Err(error),
        }
    }

    /// One multipart upload, from its beginning to its completion.
    async fn upload(&self, key: &str, source: &UploadedFile, crc32c: Option<u32>) -> Result<Sent, BucketError> {
        let path = self.path(key)?;
        let store = &self.shared.store;
        let create = || async { store.create_multipart(&path).await.map_err(|error| Failure::of(key, error)) };
        let id = self.attempt("create_upload", key, create).await?;
        let mut unfinished = Unfinished { bucket: self, path: path.clone(), id: Some(id.clone()) };
        let ranges = ranges(source.bytes, self.shared.options.part_bytes).enumerate();
        let part = |(number, range)| self.upload_part(key, &path, &id, source, number, range);
        let sending = stream::iter(ranges).map(part).buffered(self.shared.options.parts_at_once.max(1));
        let sent: Vec<(PartId, u32, usize)> = match sending.try_collect().await {
            Ok(sent) => sent,
            // The upload itself is gone: aborted by a rule of the bucket, or by an operator.
            Err(error) if error.is_not_found() => return Ok(Sent::Lost),
            Err(error) => return Err(error),
        };
        let crc = sent.iter().fold(0, |whole, (_, crc, bytes)| crc32c::crc32c_combine(whole, *crc, *bytes));
        check(key, source, crc, crc32c)?;
        let parts: Vec<PartId> = sent.into_iter().map(|(id, ..)| id).collect();
        let complete = || async {
            match store.complete_multipart(&path, &id, parts.clone()).await {
                Ok(_) => Ok(Sent::Done(crc)),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {
                    self.there_is_other(key, &path, crc).await
                }
                Err(error) => Err(Failure::of(key, error)),
            }
        };
        match self.attempt("complete_upload", key, complete).await {
            Ok(sent @ Sent::Done(_)) => {
                unfinished.id = None;
                Ok(sent)
            }
            Ok(sent) => Ok(sent),
            // No such upload: the reply to an earlier attempt was lost, or the upload is gone.
            Err(error) if error.is_not_found() => match self.head(key).await {
                Ok(_) => Ok(Sent::OtherIsThere(crc)),
                Err(error) if error.is_not_found() => Ok(Sent::Lost),
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// After a conflict: whether there really is an object. S3 says 409 also while somebody else is at it.
    async fn there_is_other(&self, key: &str, path: &Path, crc: u32) -> Result<Sent, Failure> {
        use object_store::ObjectStoreExt;
        match self.shared.store.head(path).await {
            Ok(_) => Ok(Sent::OtherIsThere(crc)),
            Err(Error::NotFound { .. }) => Err(Failure::Busy("a conflict, and nothing is there".to_owned())),
            Err(error) => Err(Failure::of(key, error)),
        }
    }

    /// One upload in parts without a look at what is there. Whether it was ours that was completed.
    #[cfg(test)]
    pub(super) async fn upload_for_test(&self, key: &str, file: &FilePath) -> Result<bool, BucketError> {
        let source = UploadedFile::open(file).await?;
        Ok(matches!(self.upload(key, &source, None).await?, Sent::Done(_)))
    }

    async fn upload_part(
        &self,
        key: &str,
        path: &Path,
        id: &MultipartId,
        source: &UploadedFile,
        number: usize,
        range: Range<u64>,
    ) -> Result<(PartId, u32, usize), BucketError> {
        let shared = &self.shared;
        let bytes = range.end - range.start;
        let _held = self.hold(bytes).await;
        let content = source.read(range).await?;
        let crc = crc32c::crc32c(&content);
        let send = || async {
            shared.throttle.take(bytes, &shared.surroundings).await;
            let payload = PutPayload::from_bytes(content.clone());
            shared.store.put_part(path, id, number, payload).await.map_err(|error| Failure::of(key, error))
        };
        let part = self.attempt("put_part", key, send).await?;
        metrics::BYTES.with_label_values(&["out"]).inc_by(bytes);
        Ok((part, crc, content.len()))
    }

    /// A share of the memory that uploads may take.
    async fn hold(&self, bytes: u64) -> tokio::sync::SemaphorePermit<'_> {
        let kib = bytes.div_ceil(1024).clamp(1, u64::from(self.shared.options.memory_kib())) as u32;
        self.shared.memory.acquire_many(kib).await.expect("never closed")
    }

    /// Compares the object with the file; a difference is found twice before it counts, since an answer may be damaged on
    /// its way too.
    async fn read_back(&self, key: &str, source: &UploadedFile, crc: u32) -> Result<(), BucketError> {
        let head = self.head(key).await?;
        if head.bytes != source.bytes {
            let reason = format!("{} bytes arrived of {}", head.bytes, source.bytes);
            return Err(BucketError::Corrupt { key: key.to_owned(), reason });
        }
        if source.bytes == 0 {
            return Ok(());
        }
        match self.shared.options.read_back {
            ReadBack::Whole if self.crc_there(key, source.bytes).await? == crc => Ok(()),
            ReadBack::Whole if self.crc_there(key, source.bytes).await? == crc => Ok(()),
            ReadBack::Whole => Err(BucketError::Corrupt {
                key: key.to_owned(),
                reason: format!("its CRC32C is not the file's, {crc:08x}"),
            }),
            ReadBack::Pieces => self.compare_pieces(key, source).await,
        }
    }

    /// Length and CRC32C of an object, all of which is read, a part at a time.
    pub async fn sum(&self, key: &str) -> Result<(u64, u32), BucketError> {
        let head = self.head(key).await?;
        Ok((head.bytes, self.crc_there(key, head.bytes).await?))
    }

    /// The CRC32C of an object of `bytes`.
    async fn crc_there(&self, key: &str, bytes: u64) -> Result<u32, BucketError> {
        let path = self.path(key)?;
        let mut crc = 0;
        for range in ranges(bytes, self.shared.options.part_bytes).filter(|range| !range.is_empty()) {
            let _held = self.hold(range.end - range.start).await;
            let read = || self.read_range(key, &path, range.clone());
            crc = crc32c::crc32c_append(crc, &self.attempt("read_back", key, read).await?);
        }
        Ok(crc)
    }

    /// Compares the beginning, the end and some pieces between.
    async fn compare_pieces(&self, key: &str, source: &UploadedFile) -> Result<(), BucketError> {
        let step = (source.bytes / PIECES).max(PIECE_BYTES);
        let last = source.bytes.saturating_sub(PIECE_BYTES)..source.bytes;
        let starts = (0..PIECES).map(|at| at * step).take_while(|start| *start < source.bytes);
        let ranges: Vec<Range<u64>> =
            starts.map(|start| start..(start + PIECE_BYTES).min(source.bytes)).chain([last]).collect();
        for range in ranges {
            let ours = source.read(range.clone()).await?;
            for second in [false, true] {
                let there = self.get_ranges(key, std::slice::from_ref(&range)).await?;
                if there[0] == ours {
                    break;
                }
                if second {
                    let reason = format!("bytes {range:?} are not the file's");
                    return Err(BucketError::Corrupt { key: key.to_owned(), reason });
                }
            }
        }
        Ok(())
    }
}

/// The file on the disk is what the caller thinks that it is.
fn check(key: &str, source: &UploadedFile, found: u32, expected: Option<u32>) -> Result<(), BucketError> {
    match expected {
        Some(expected) if expected != found => Err(BucketError::Corrupt {
            key: key.to_owned(),
            reason: format!("{} has the CRC32C {found:08x}, and should have {expected:08x}", source.path.display()),
        }),
        _ => Ok(()),
    }
}

/// What a multipart upload came to, with the CRC32C of what was sent.
enum Sent {
    Done(u32),
    OtherIsThere(u32),
    Lost,
}

/// Gives an upload up when it is dropped before its end, so that its parts do not stay (and cost) for ever.
struct Unfinished<'a> {
    bucket: &'a Bucket,
    path: Path,
    id: Option<MultipartId>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let (bucket, path) = (self.bucket.clone(), self.path.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // As well as it goes: what it misses, a lifecycle rule of the bucket finds.
            runtime.spawn(async move { drop(bucket.shared.store.abort_multipart(&path, &id).await) });
        }
    }
}
