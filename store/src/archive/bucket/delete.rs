//! Deletes objects. One that is not there is deleted.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use object_store::{Error, ObjectStore, ObjectStoreExt, path::Path};

use super::{Bucket, BucketError, error::Failure};

/// Objects of one request.
const AT_ONCE: usize = 1000;

impl Bucket {
    /// Deletes an object.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let path = self.path(key)?;
        let ask = || async {
            match self.shared.store.delete(&path).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(Failure::of(key, error)),
            }
        };
        self.attempt("delete", key, ask).await
    }

    /// Deletes objects, many at once where the store can. On an error some of them are gone: to ask again is safe.
    pub async fn delete_many(&self, keys: &[String]) -> Result<(), BucketError> {
        for some in keys.chunks(AT_ONCE) {
            let mut left = BTreeSet::new();
            for key in some {
                left.insert(self.path(key)?);
            }
            let left = parking_lot::Mutex::new(left);
            let attempted = self.attempt("delete", &some[0], || self.delete_some(&some[0], &left)).await;
            match attempted {
                Ok(()) => {}
                // Not every store that speaks S3 knows of many at once.
                Err(error @ BucketError::Away { .. }) => return Err(error),
                Err(_) => {
                    for path in left.into_inner() {
                        let key = self.key(&path).expect("made from a key above");
                        self.delete(&key).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// One request for all that are left; those that are gone are taken out.
    async fn delete_some(&self, key: &str, left: &parking_lot::Mutex<BTreeSet<Path>>) -> Result<(), Failure> {
        let paths: Vec<Path> = left.lock().iter().cloned().collect();
        let asked = stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut answers = self.shared.store.delete_stream(asked);
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(path) => drop(left.lock().remove(&path)),
                Err(Error::NotFound { path, .. }) => left.lock().retain(|there| there.as_ref() != path),
                Err(error) => failed = Some(Failure::of(key, error)),
            }
        }
        match failed {
            Some(failure) => Err(failure),
            None if left.lock().is_empty() => Ok(()),
            // The local store's NotFound names the file, not the key.
            None => Err(Failure::Never(BucketError::Corrupt {
                key: key.to_owned(),
                reason: "the store did not say of each object that it is deleted".to_owned(),
            })),
        }
    }
}
