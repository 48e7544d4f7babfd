//! Reads objects: whole, in ranges, or only what is known of them.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};

use super::{Bucket, BucketError, error::Failure, metrics};

/// Bytes between two ranges that are read along rather than asked around.
const GAP_BYTES_MAX: u64 = 64 << 10;

/// Bytes of one request for ranges that lie together.
const JOINED_BYTES_MAX: u64 = 8 << 20;

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its key.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, by the store's clock, in Unix ns.
    pub modified_ns: u64,
}

impl Head {
    pub(super) fn of(key: String, meta: &ObjectMeta) -> Self {
        let modified_ns = meta.last_modified.timestamp_nanos_opt().unwrap_or_default().max(0) as u64;
        Self { key, bytes: meta.size, modified_ns }
    }
}

impl Bucket {
    /// Reads an object of [`super::BucketOptions::object_bytes_max`] bytes at most.
    pub async fn get(&self, key: &str) -> Result<Bytes, BucketError> {
        let path = self.path(key)?;
        let bytes_max = self.shared.options.object_bytes_max;
        let read = || async {
            let got = self.shared.store.get_opts(&path, GetOptions::default()).await;
            let got = got.map_err(|error| Failure::of(key, error))?;
            let bytes = got.meta.size;
            if bytes > bytes_max {
                let reason = format!("{bytes} bytes, of {bytes_max} that are read at once");
                return Err(Failure::Never(BucketError::Corrupt { key: key.to_owned(), reason }));
            }
            collect(key, got, bytes).await
        };
        self.attempt("get", key, read).await
    }

    /// Reads ranges of an object, in the order in which they are asked for. Those near each other are read at once. A range
    /// beyond the object's end is [`BucketError::Corrupt`]: who asks knows the length.
    pub async fn get_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, BucketError> {
        let path = self.path(key)?;
        let joined = join(ranges);
        let read = |range: Range<u64>| {
            let path = path.clone();
            async move {
                let range = range.clone();
                let once = || self.read_range(key, &path, range.clone());
                Ok::<_, BucketError>((range.clone(), self.attempt("get_range", key, once).await?))
            }
        };
        let reads = stream::iter(joined).map(read).buffered(self.shared.options.ranges_at_once.max(1));
        let parts: Vec<(Range<u64>, Bytes)> = reads.try_collect().await?;
        let cut = |range: &Range<u64>| {
            if range.is_empty() {
                return Bytes::new();
            }
            let at = parts.partition_point(|(part, _)| part.start <= range.start) - 1;
            let (part, bytes) = &parts[at];
            bytes.slice((range.start - part.start) as usize..(range.end - part.start) as usize)
        };
        Ok(ranges.iter().map(cut).collect())
    }

    /// One range, in one attempt.
    pub(super) async fn read_range(&self, key: &str, path: &Path, range: Range<u64>) -> Result<Bytes, Failure> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let got = self.shared.store.get_opts(path, options).await.map_err(|error| Failure::of(key, error))?;
        if got.meta.size < range.end {
            let reason = format!("{} bytes long, read up to {}", got.meta.size, range.end);
            return Err(Failure::Never(BucketError::Corrupt { key: key.to_owned(), reason }));
        }
        if got.range != range {
            return Err(Failure::Again(format!("{key}: asked for {range:?}, got {:?}", got.range)));
        }
        collect(key, got, range.end - range.start).await
    }

    /// Length and time of an object.
    pub async fn head(&self, key: &str) -> Result<Head, BucketError> {
        let path = self.path(key)?;
        let ask = || async {
            let meta = self.shared.store.head(&path).await.map_err(|error| Failure::of(key, error))?;
            Ok(Head::of(key.to_owned(), &meta))
        };
        self.attempt("head", key, ask).await
    }
}

/// All bytes of an answer, which must be `bytes`; never holds more.
async fn collect(key: &str, got: GetResult, bytes: u64) -> Result<Bytes, Failure> {
    let mut stream = got.into_stream();
    let mut whole = BytesMut::with_capacity(bytes as usize);
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| Failure::of(key, error))?;
        if (whole.len() + part.len()) as u64 > bytes {
            return Err(Failure::Again(format!("{key}: more than {bytes} bytes came")));
        }
        whole.extend_from_slice(&part);
    }
    if whole.len() as u64 != bytes {
        return Err(Failure::Again(format!("{key}: {} of {bytes} bytes came", whole.len())));
    }
    metrics::BYTES.with_label_values(&["in"]).inc_by(bytes);
    Ok(whole.freeze())
}

/// Ranges in order, those that overlap or lie near each other in one.
fn join(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.end <= last.end => {}
            // What overlaps must be in one, so that each range is found in the part that begins last before it.
            Some(last)
                if range.start < last.end
                    || (range.start - last.end <= GAP_BYTES_MAX && range.end - last.start <= JOINED_BYTES_MAX) =>
            {
                last.end = range.end;
            }
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vec_of(range: Range<u64>) -> Vec<Range<u64>> {
        std::iter::once(range).collect()
    }

    #[test]
    fn ranges_near_each_other_are_one_request() {
        let far = 10 << 20;
        assert_eq!(join(&[5..6, 0..3, 2..4, 9..9]), vec_of(0..6));
        assert_eq!(join(&[0..1, GAP_BYTES_MAX + 2..GAP_BYTES_MAX + 3]), [0..1, GAP_BYTES_MAX + 2..GAP_BYTES_MAX + 3]);
        assert_eq!(join(&[0..JOINED_BYTES_MAX, JOINED_BYTES_MAX..far]), [0..JOINED_BYTES_MAX, JOINED_BYTES_MAX..far]);
        assert_eq!(join(&[0..far, 1..far + 1, 3..4]), vec_of(0..far + 1));
        assert!(join(&[]).is_empty());
    }
}
