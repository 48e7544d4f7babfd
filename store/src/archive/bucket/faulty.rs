//! A store for tests that fails as stores and networks do, by a plan that is drawn from a seed.

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartId, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    memory::InMemory,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use parking_lot::Mutex;
use weir_proto::time::Clock;

/// How often what goes wrong, in thousandths of all requests.
#[derive(Clone, Debug, Default)]
pub(in crate::archive) struct Plan {
    /// 503, nothing done.
    pub(in crate::archive) unavailable: u64,
    /// 409 at a write, nothing done.
    pub(in crate::archive) conflict: u64,
    /// A write is done, and its reply lost.
    pub(in crate::archive) lost_reply: u64,
    /// An answer ends early.
    pub(in crate::archive) truncated: u64,
    /// A byte of an answer is another.
    pub(in crate::archive) flipped_down: u64,
    /// A byte of what is written is another.
    pub(in crate::archive) flipped_up: u64,
    /// 403, always.
    pub(in crate::archive) denied: bool,
    /// No answer before this time.
    pub(in crate::archive) away_until_ns: u64,
    /// A listing leaves out the last so many names.
    pub(in crate::archive) listing_behind: usize,
    /// From so many requests on, counted from now, none is answered, and none is done.
    pub(in crate::archive) dead_after: Option<u64>,
}

#[derive(Debug)]
pub(in crate::archive) struct Faulty {
    inner: InMemory,
    clock: Clock,
    plan: Mutex<Plan>,
    draws: AtomicU64,
    seed: u64,
    requests: AtomicU64,
    uploads: Mutex<BTreeMap<String, BTreeMap<usize, Bytes>>>,
}

impl Faulty {
    pub(in crate::archive) fn new(clock: Clock, seed: u64) -> Self {
        Self {
            inner: InMemory::new(),
            clock,
            plan: Mutex::default(),
            draws: AtomicU64::new(0),
            seed,
            requests: AtomicU64::new(0),
            uploads: Mutex::default(),
        }
    }

    pub(in crate::archive) fn plan(&self, plan: Plan) {
        *self.plan.lock() = plan;
    }

    /// Requests so far.
    pub(in crate::archive) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Uploads in parts that are neither completed nor given up.
    pub(in crate::archive) fn uploads(&self) -> usize {
        self.uploads.lock().len()
    }

    /// The objects as they are.
    pub(in crate::archive) fn inner(&self) -> &InMemory {
        &self.inner
    }

    fn draw(&self, below: u64) -> u64 {
        let number = self.draws.fetch_add(1, Ordering::Relaxed);
        let mut mixed =
            (self.seed << 32 | number).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 32)) % below
    }

    fn happens(&self, thousandths: u64) -> bool {
        thousandths > 0 && self.draw(1000) < thousandths
    }

    /// What goes wrong before anything is done.
    fn before(&self, path: &Path, write: bool) -> Result<()> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut plan = self.plan.lock();
        if let Some(left) = &mut plan.dead_after {
            if *left == 0 {
                return Err(failure("connection refused"));
            }
            *left -= 1;
        }
        let plan = plan.clone();
        if plan.denied {
            let source = "Server returned non-2xx status code: 403 Forbidden: AccessDenied".into();
            return Err(Error::PermissionDenied { path: path.to_string(), source });
        }
        if self.clock.now_ns() < plan.away_until_ns {
            return Err(failure("connection refused"));
        }
        if self.happens(plan.unavailable) {
            return Err(failure("Server returned non-2xx status code: 503 Service Unavailable: SlowDown"));
        }
        if write && self.happens(plan.conflict) {
            let source = "Server returned non-2xx status code: 409 Conflict: ConditionalRequestConflict".into();
            return Err(Error::AlreadyExists { path: path.to_string(), source });
        }
        Ok(())
    }

    fn after<T>(&self, done: Result<T>) -> Result<T> {
        let lost = self.plan.lock().lost_reply;
        match done {
            Ok(_) if self.happens(lost) => Err(failure("connection closed before the answer came")),
            done => done,
        }
    }

    fn flip(&self, content: Bytes, thousandths: u64) -> Bytes {
        if content.is_empty() || !self.happens(thousandths) {
            return content;
        }
        let mut content = content.to_vec();
        let at = self.draw(content.len() as u64) as usize;
        content[at] ^= 1 << self.draw(8);
        content.into()
    }
}

fn failure(words: &str) -> Error {
    Error::Generic { store: "Faulty", source: words.to_owned().into() }
}

fn bytes_of(payload: &PutPayload) -> Bytes {
    payload.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>().into()
}

impl fmt::Display for Faulty {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.before(location, true)?;
        let flipped = self.plan.lock().flipped_up;
        let content = self.flip(bytes_of(&payload), flipped);
        let done = self.inner.put_opts(location, content.into(), options).await;
        self.after(done)
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(failure("not asked for"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.before(location, false)?;
        let head = options.head;
        let got = self.inner.get_opts(location, options).await?;
        if head {
            return Ok(got);
        }
        let plan = self.plan.lock().clone();
        let (meta, range, attributes) = (got.meta.clone(), got.range.clone(), got.attributes.clone());
        let mut content = self.flip(got.bytes().await?, plan.flipped_down);
        if !content.is_empty() && self.happens(plan.truncated) {
            content.truncate(self.draw(content.len() as u64) as usize);
        }
        let payload = GetResultPayload::Stream(stream::iter([Ok(content)]).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.before(&Path::default(), false) {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if let Err(error) = self.before(&Path::default(), false) {
            return stream::iter([Err(error)]).boxed();
        }
        let (listed, behind) = (self.inner.list(prefix), self.plan.lock().listing_behind);
        let cut = async move {
            let mut all: Vec<ObjectMeta> = listed.try_collect().await?;
            all.truncate(all.len().saturating_sub(behind));
            Ok::<_, Error>(stream::iter(all.into_iter().map(Ok)))
        };
        stream::once(cut).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.before(path, false)?;
        let id = format!("upload-{}", self.draws.fetch_add(1, Ordering::Relaxed));
        self.uploads.lock().insert(id.clone(), BTreeMap::new());
        self.after(Ok(id))
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, number: usize, data: PutPayload) -> Result<PartId> {
        self.before(path, false)?;
        let flipped = self.plan.lock().flipped_up;
        let content = self.flip(bytes_of(&data), flipped);
        let path = path.to_string();
        let gone = || Error::NotFound { path, source: "NoSuchUpload".into() };
        self.uploads.lock().get_mut(id).ok_or_else(gone)?.insert(number, content);
        self.after(Ok(PartId { content_id: number.to_string() }))
    }

    async fn complete_multipart(&self, path: &Path, id: &MultipartId, parts: Vec<PartId>) -> Result<PutResult> {
        self.before(path, true)?;
        let gone = || Error::NotFound { path: path.to_string(), source: "NoSuchUpload".into() };
        let uploaded = self.uploads.lock().get(id).cloned().ok_or_else(gone)?;
        assert_eq!(uploaded.len(), parts.len(), "all parts are there");
        let whole: Vec<u8> = uploaded.values().flat_map(|part| part.iter().copied()).collect();
        let done = self.inner.put_opts(path, whole.into(), PutMode::Create.into()).await?;
        self.uploads.lock().remove(id);
        self.after(Ok(done))
    }

    async fn abort_multipart(&self, _: &Path, id: &MultipartId) -> Result<()> {
        self.uploads.lock().remove(id);
        Ok(())
    }
}
