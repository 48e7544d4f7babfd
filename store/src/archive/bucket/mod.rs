//! Objects under one prefix of a store (S3, Google, Azure or a folder), with every fault that these have bounded here.
//!
//! A [`Bucket`] tries again, waits, and gives up within [`BucketOptions`]; what it says then is one of few kinds
//! ([`BucketError`]). Objects are written once ([`Bucket::put_new`], [`Bucket::put_file`]) and never changed.

mod attempt;
pub(in crate::archive) mod backing;
mod breaker;
mod conditional;
mod delete;
mod error;
#[cfg(test)]
pub(in crate::archive) mod faulty;
mod folder;
mod list;
mod metrics;
mod options;
mod put;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod upload;

use std::sync::{Arc, atomic::AtomicBool};

use object_store::path::Path;
use tokio::sync::Semaphore;

pub use error::BucketError;
pub use options::{BreakerBounds, BucketOptions, ReadBack, RetryBounds, Surroundings, Wait};
pub use put::Put;
pub use read::Head;
pub use upload::Uploaded;

use backing::Backing;
use breaker::Breaker;
use throttle::Throttle;

/// A handle on the objects under a prefix; clones share breaker, bandwidth and memory.
#[derive(Clone, Debug)]
pub struct Bucket {
    shared: Arc<Shared>,
    retry: RetryBounds,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn Backing>,
    /// Whether listings come in order and can go on after a key, a page at a time.
    pages: bool,
    prefix: Path,
    options: BucketOptions,
    surroundings: Surroundings,
    breaker: Breaker,
    throttle: Throttle,
    /// KiB that uploads may still take.
    memory: Semaphore,
    /// Whether a refusal for want of rights was said already: once, not at each attempt.
    denied: AtomicBool,
}

impl Bucket {
    /// Opens the bucket that the options name. Nothing is asked of it yet, so that it may be away; a folder is made.
    /// Fails when the options make no sense.
    pub fn open(options: BucketOptions, surroundings: Surroundings) -> Result<Self, BucketError> {
        let (store, prefix, pages) = backing::open(&options, &surroundings)?;
        Ok(Self::over(store, prefix, pages, options, surroundings))
    }

    pub(in crate::archive) fn over(
        store: Arc<dyn Backing>,
        prefix: Path,
        pages: bool,
        options: BucketOptions,
        surroundings: Surroundings,
    ) -> Self {
        let retry = options.retry.clone();
        let now_ns = surroundings.clock.now_ns();
        let shared = Shared {
            store,
            pages,
            prefix,
            breaker: Breaker::new(options.breaker.clone()),
            throttle: Throttle::new(options.bandwidth_bytes_per_s, now_ns),
            memory: Semaphore::new(options.memory_kib() as usize),
            denied: AtomicBool::new(false),
            options,
            surroundings,
        };
        Self { shared: Arc::new(shared), retry }
    }

    /// The same bucket with other bounds for trying again: somebody who waits for an answer waits less than an upload.
    pub fn with_retry(&self, retry: RetryBounds) -> Self {
        Self { shared: self.shared.clone(), retry }
    }

    /// The address that it was opened by.
    pub fn url(&self) -> &str {
        &self.shared.options.url
    }

    /// Whether requests are answered at once that the store is away, because it was away for the last ones.
    pub fn is_away(&self) -> bool {
        self.shared.breaker.is_open(self.shared.surroundings.clock.now_ns())
    }

    /// The path of a key in the store.
    fn path(&self, key: &str) -> Result<Path, BucketError> {
        let whole = match (self.shared.prefix.as_ref(), key) {
            ("", key) => key.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, key) => format!("{prefix}/{key}"),
        };
        Path::parse(&whole).map_err(|error| BucketError::Options(format!("`{key}` cannot be a key: {error}")))
    }

    /// The key of a path in the store, if it is under our prefix.
    fn key(&self, path: &Path) -> Option<String> {
        let rest = path.as_ref().strip_prefix(self.shared.prefix.as_ref())?;
        let inside = self.shared.prefix.as_ref().is_empty() || rest.starts_with('/');
        inside.then(|| rest.trim_start_matches('/').to_owned())
    }
}
