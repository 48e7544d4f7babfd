//! Writes small objects: once, or over what is there.

use bytes::Bytes;
use object_store::{Error, ObjectStoreExt, PutMode, PutPayload, path::Path};

use super::{Bucket, BucketError, error::Failure, metrics};

/// Writes of one object before it is given up: what arrived was damaged.
const WRITES_MAX: usize = 5;

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was written now.
    Written,
    /// The same content was there already: somebody's, or our own of an attempt whose answer was lost.
    AlreadyThere,
}

impl Bucket {
    /// Writes an object that is not there yet. With the same content there it is done as well; with any other it is a
    /// [`BucketError::Conflict`], and nothing changes.
    pub async fn put_new(&self, key: &str, content: Bytes) -> Result<Put, BucketError> {
        let path = self.path(key)?;
        self.attempt("put", key, || self.put_once(key, &path, &content)).await
    }

    /// As [`Self::put_new`], and looks at what arrived: not every server compares what it gets with the checksum that comes with it. What
    /// was damaged on its way is written again.
    pub async fn put_new_compared(&self, key: &str, content: Bytes) -> Result<Put, BucketError> {
        if self.put_new(key, content.clone()).await? == Put::AlreadyThere {
            return Ok(Put::AlreadyThere);
        }
        for _ in 0..WRITES_MAX {
            // An answer may be damaged on its way as well.
            if self.get(key).await? == content || self.get(key).await? == content {
                return Ok(Put::Written);
            }
            tracing::warn!(key, "what was written is not what arrived: again");
            self.put(key, content.clone()).await?;
        }
        Err(BucketError::Corrupt { key: key.to_owned(), reason: "what was written is never what arrives".to_owned() })
    }

    async fn put_once(&self, key: &str, path: &Path, content: &Bytes) -> Result<Put, Failure> {
        let (shared, bytes) = (&self.shared, content.len() as u64);
        shared.throttle.take(bytes, &shared.surroundings).await;
        let payload = PutPayload::from_bytes(content.clone());
        match shared.store.put_opts(path, payload, PutMode::Create.into()).await {
            Ok(_) => {
                metrics::BYTES.with_label_values(&["out"]).inc_by(bytes);
                Ok(Put::Written)
            }
            // 412, or 409 for two at once: what is there decides.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => self.compare(key, path, content).await,
            Err(error) => Err(Failure::of(key, error)),
        }
    }

    /// Whether what is there under a name is `content`.
    async fn compare(&self, key: &str, path: &Path, content: &Bytes) -> Result<Put, Failure> {
        let conflict = |reason: String| Err(Failure::Never(BucketError::Conflict { key: key.to_owned(), reason }));
        // Twice, since a reply may be damaged on its way, and a conflict is final.
        for last in [false, true] {
            let there = match self.shared.store.head(path).await {
                Ok(meta) => meta.size,
                Err(Error::NotFound { .. }) => {
                    return Err(Failure::Busy("a conflict, and nothing is there".to_owned()));
                }
                Err(error) => return Err(Failure::of(key, error)),
            };
            if there != content.len() as u64 {
                return conflict(format!("{there} bytes, not {}", content.len()));
            }
            let range = 0..there;
            let equal = there == 0 || self.read_range(key, path, range).await? == *content;
            if equal {
                return Ok(Put::AlreadyThere);
            }
            if last {
                return conflict("as many bytes, but others".to_owned());
            }
        }
        unreachable!("the second round returns")
    }

    /// Writes an object over what may be there.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        let path = self.path(key)?;
        let shared = &self.shared;
        let write = || async {
            shared.throttle.take(content.len() as u64, &shared.surroundings).await;
            let payload = PutPayload::from_bytes(content.clone());
            let put = shared.store.put_opts(&path, payload, PutMode::Overwrite.into()).await;
            put.map(drop).map_err(|error| Failure::of(key, error))
        };
        self.attempt("put", key, write).await?;
        metrics::BYTES.with_label_values(&["out"]).inc_by(content.len() as u64);
        Ok(())
    }
}
