//! What a bucket is opened with, and what it takes from outside: clock, waiting, disk.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use weir_proto::time::Clock;

use crate::disk::Disk;

/// Where the objects are, who asks for them, and every bound.
#[derive(Clone)]
pub struct BucketOptions {
    /// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`.
    pub url: String,
    /// Another address than the provider's own: `http://127.0.0.1:7070`.
    pub endpoint: Option<String>,
    /// S3's region; `us-east-1` without one.
    pub region: Option<String>,
    /// Whether S3's bucket is the first part of the path and not of the host's name.
    pub path_style: bool,
    /// Who asks: S3's access key, Azure's account. Without one the environment says it, or the machine's role.
    pub access_key_id: Option<String>,
    /// The secret to [`BucketOptions::access_key_id`].
    pub secret_access_key: Option<String>,
    /// S3's session token, of keys that pass.
    pub session_token: Option<String>,
    /// Whether unencrypted HTTP is allowed.
    pub allow_http: bool,
    /// The process's environment, of which `AWS_…`, `GOOGLE_…` and `AZURE_…` are read.
    pub environment: Vec<(String, String)>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// From a request to the end of its answer.
    pub request_timeout: Duration,
    /// Bytes a second that uploads may take; without a bound when it is `None`.
    pub bandwidth_bytes_per_s: Option<u64>,
    /// Bytes that all uploads may hold at once.
    pub memory_bytes_max: u64,
    /// Objects from this size on are uploaded in parts of it (S3: 5 MiB at least).
    pub part_bytes: u64,
    /// Parts of one object under way at once.
    pub parts_at_once: usize,
    /// Largest object that is read whole.
    pub object_bytes_max: u64,
    /// Requests of one [`super::Bucket::get_ranges`] under way at once.
    pub ranges_at_once: usize,
    /// How an upload is checked.
    pub read_back: ReadBack,
    /// How a request is tried again.
    pub retry: RetryBounds,
    /// When no request is tried for a while.
    pub breaker: BreakerBounds,
}

impl BucketOptions {
    /// The defaults, for the bucket at `url`.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            endpoint: None,
            region: None,
            path_style: false,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            allow_http: false,
            environment: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            bandwidth_bytes_per_s: None,
            memory_bytes_max: 64 << 20,
            part_bytes: 8 << 20,
            parts_at_once: 2,
            object_bytes_max: 256 << 20,
            ranges_at_once: 8,
            read_back: ReadBack::Whole,
            retry: RetryBounds::default(),
            breaker: BreakerBounds::default(),
        }
    }

    /// The memory's bound in KiB, at least one part.
    pub(super) fn memory_kib(&self) -> u32 {
        (self.memory_bytes_max.max(self.part_bytes) >> 10).clamp(1, u64::from(u32::MAX) >> 3) as u32
    }
}

/// Without the secrets: options are printed when a bucket is opened.
impl fmt::Debug for BucketOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BucketOptions")
            .field("url", &self.url)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// How what was uploaded is compared with the file that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBack {
    /// All of it is read and its CRC32C compared.
    Whole,
    /// The length, the beginning, the end and a few pieces between.
    Pieces,
}

/// How long and how often a request is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryBounds {
    /// Wait after the first failure; it doubles with each, and varies by a fifth.
    pub wait_min: Duration,
    /// Longest wait.
    pub wait_max: Duration,
    /// Attempts in all.
    pub attempts_max: u32,
}

impl Default for RetryBounds {
    fn default() -> Self {
        Self { wait_min: Duration::from_secs(1), wait_max: Duration::from_secs(30), attempts_max: 6 }
    }
}

/// When the store counts as away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerBounds {
    /// Failures in a row, of all requests, after which nothing is tried for a while.
    pub failures_max: u32,
    /// How long; then one request tries.
    pub pause: Duration,
}

impl Default for BreakerBounds {
    fn default() -> Self {
        Self { failures_max: 10, pause: Duration::from_secs(30) }
    }
}

/// Waits for a duration.
pub type Wait = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What comes from outside: time, waiting, chance and the disk.
#[derive(Clone)]
pub struct Surroundings {
    /// Tells the time.
    pub clock: Clock,
    /// Waits; a test's moves its clock instead.
    pub wait: Wait,
    /// Where the variation of waits begins, so that two processes do not wait alike.
    pub seed: u64,
    /// What `file://` writes through. A handle of its own: a sync that fails here is no reason for the process to end.
    pub disk: Disk,
}

impl Surroundings {
    /// The system's clock and Tokio's timer, which has little patience in tests.
    pub fn system(seed: u64) -> Self {
        const SHORTER: u32 = if cfg!(test) { 1000 } else { 1 };
        let wait: Wait = Arc::new(|duration| Box::pin(tokio::time::sleep(duration / SHORTER)));
        Self { clock: Clock::system(), wait, seed, disk: Disk::system() }
    }

    /// A fixed clock that waiting moves on: nothing waits in a test.
    pub fn simulated(clock: Clock) -> Self {
        let moved = clock.clone();
        let wait: Wait = Arc::new(move |duration| {
            moved.set(moved.now_ns() + duration.as_nanos() as u64);
            Box::pin(tokio::task::yield_now())
        });
        Self { clock, wait, seed: 1, disk: Disk::default() }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Surroundings").field("clock", &self.clock).finish_non_exhaustive()
    }
}
