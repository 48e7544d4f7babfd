//! Lists objects in the order of their keys, a page at a time, so that a failure costs one page.

use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{ObjectMeta, path::Path};

use super::{Bucket, BucketError, error::Failure, read::Head};

/// Objects of a page: what S3 and Google give at once.
const PAGE_ITEMS: usize = 1000;

/// What is left of a listing.
enum Rest {
    From(Option<Path>),
    Nothing,
}

impl Bucket {
    /// The objects below the folder `prefix` (all with an empty one) whose key comes after `after`, in order.
    pub fn list(&self, prefix: &str, after: Option<&str>) -> BoxStream<'static, Result<Head, BucketError>> {
        let (bucket, key) = (self.clone(), prefix.to_owned());
        let start = self.path(prefix).and_then(|path| Ok((path, after.map(|after| self.path(after)).transpose()?)));
        let (prefix, after) = match start {
            Ok(start) => start,
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let pages = stream::try_unfold(Rest::From(after), move |rest| {
            let (bucket, key, prefix) = (bucket.clone(), key.clone(), prefix.clone());
            async move {
                let Rest::From(after) = rest else { return Ok::<_, BucketError>(None) };
                let page = bucket.attempt("list", &key, || bucket.page(&key, &prefix, after.as_ref())).await?;
                let last = page.last().filter(|_| bucket.shared.pages && page.len() >= PAGE_ITEMS);
                let rest = last.map_or(Rest::Nothing, |meta| Rest::From(Some(meta.location.clone())));
                let heads = page.iter().filter_map(|meta| Some(Head::of(bucket.key(&meta.location)?, meta)));
                Ok(Some((stream::iter(heads.map(Ok).collect::<Vec<_>>()), rest)))
            }
        });
        pages.try_flatten().boxed()
    }

    async fn page(&self, key: &str, prefix: &Path, after: Option<&Path>) -> Result<Vec<ObjectMeta>, Failure> {
        let prefix = (!prefix.as_ref().is_empty()).then_some(prefix);
        let listed = match after {
            Some(after) => self.shared.store.list_with_offset(prefix, after),
            None => self.shared.store.list(prefix),
        };
        let items = if self.shared.pages { PAGE_ITEMS } else { usize::MAX };
        let mut page: Vec<ObjectMeta> =
            listed.take(items).try_collect().await.map_err(|error| Failure::of(key, error))?;
        page.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(page)
    }
}
