//! What is written or deleted beside the commits: checkpoints, old commits, objects of removed files.

use bytes::Bytes;

use super::{
    Table, TableError, checkpoint,
    load::{LastCheckpoint, LogFile, checkpoint_name, parse_name},
};
use crate::archive::bucket::BucketError;
use futures_util::TryStreamExt;

impl Table {
    /// Writes a checkpoint when enough commits came since the last. True when one was written.
    pub async fn checkpoint_if_due(&mut self) -> Result<bool, TableError> {
        if !self.is_checkpoint_due() {
            return Ok(false);
        }
        self.write_checkpoint().await?;
        Ok(true)
    }

    fn is_checkpoint_due(&self) -> bool {
        let since = self.state.version - self.checkpoint.unwrap_or(0).min(self.state.version);
        since >= self.options.checkpoint_every.max(1)
    }

    /// Once enough commits came since the last checkpoint: lets go of removed files whose grace is over, if they may go, writes a checkpoint
    /// without them, and deletes the log before it as far as its own retention says. True when that was done.
    pub async fn maintain(&mut self, may_go: &(dyn Fn(&str) -> bool + Send + Sync)) -> Result<bool, TableError> {
        if !self.is_checkpoint_due() {
            return Ok(false);
        }
        self.vacuum(may_go).await?;
        self.write_checkpoint().await?;
        self.clean_log().await?;
        Ok(true)
    }

    /// Writes a checkpoint of the state as it is known.
    pub async fn write_checkpoint(&mut self) -> Result<(), TableError> {
        let version = self.state.version;
        let (actions, adds) = (self.state.actions(), self.state.files.len() as u64);
        let size = actions.len() as u64;
        let written = tokio::task::spawn_blocking(move || checkpoint::write(&actions)).await;
        let key = self.log_key(&checkpoint_name(version, 1, 1));
        let written = written.map_err(|error| error.to_string()).and_then(|written| written);
        let content = Bytes::from(written.map_err(|reason| self.damaged(&key, reason))?);
        let bytes = content.len() as u64;
        match self.bucket.put_new(&key, content.clone()).await {
            Ok(_) => {}
            // One of the same version: ours of an earlier life, or somebody's. It is as good, unless it cannot be read or has no sum.
            Err(BucketError::Conflict { .. }) => {
                let there = self.read_checkpoint(version, 1).await;
                if !there.is_ok_and(|there| there.is_signed && there.state.files == self.state.files) {
                    self.bucket.put(&key, content).await.map_err(|source| self.error(source))?;
                }
            }
            Err(source) => return Err(self.error(source)),
        }
        let last =
            LastCheckpoint { version, size, parts: None, size_in_bytes: Some(bytes), num_of_add_files: Some(adds) };
        let last = serde_json::to_vec(&last).expect("numbers only");
        let put = self.bucket.put(&self.log_key("_last_checkpoint"), Bytes::from(last)).await;
        put.map_err(|source| self.error(source))?;
        self.checkpoint = Some(version);
        Ok(())
    }

    /// The removed files whose grace is over: nothing reads them but readers of versions older than the grace. By the
    /// clock and by the table's own time, which a clock that jumps does not move far.
    pub fn vacuumable(&self) -> Vec<String> {
        let (now_ms, steady_ms) = (self.now_ms(), self.state.steady_at(self.now_ms()));
        let grace_ms = self.options.removed_retention.as_millis() as i64;
        let is_over = |then: i64, now: i64| now.saturating_sub(then) >= grace_ms;
        let removed = self.state.removed.iter().filter(|(path, tombstone)| {
            is_over(tombstone.deleted_ms, now_ms)
                && is_over(tombstone.steady_ms, steady_ms)
                && !self.state.files.contains_key(*path)
                && !self.state.is_rearranged(path)
        });
        removed.map(|(path, _)| path.clone()).collect()
    }

    /// Deletes the objects of removed files whose grace is over, and only those: what else lies in the folder may be an
    /// upload under way. None that `may_go` keeps. How many; all of them may have been gone before.
    pub async fn vacuum(&mut self, may_go: &(dyn Fn(&str) -> bool + Send + Sync)) -> Result<u64, TableError> {
        let mut paths = self.vacuumable();
        paths.retain(|path| may_go(path));
        let keys: Vec<String> =
            paths.iter().filter(|path| is_below(path)).map(|path| format!("{}/{path}", self.folder)).collect();
        self.bucket.delete_many(&keys).await.map_err(|source| self.error(source))?;
        for path in &paths {
            self.state.removed.remove(path);
        }
        Ok(keys.len() as u64)
    }

    /// Deletes commits and checkpoints that a newer checkpoint covers and that are older than the retention. How many.
    pub async fn clean_log(&self) -> Result<u64, TableError> {
        let Some(newest) = self.checkpoint else { return Ok(0) };
        let kept_ms = self.options.log_retention.as_millis() as i64;
        let folder = self.log_key("");
        let mut listed = self.bucket.list(folder.trim_end_matches('/'), None);
        let mut files = Vec::new();
        while let Some(head) = listed.try_next().await.map_err(|source| self.error(source))? {
            let Some(file) = head.key.strip_prefix(&folder).and_then(parse_name) else { continue };
            files.push((file, head));
        }
        // The store's own clock: the newest file of the log says how late it is there at least.
        let newest_ms = files.iter().map(|(_, head)| (head.modified_ns / 1_000_000) as i64).max().unwrap_or(0);
        let before_ms = newest_ms.min(self.now_ms()).saturating_sub(kept_ms);
        // The oldest version that a reader may still want must find its checkpoint.
        let wanted = files.iter().filter_map(|(file, head)| match file {
            LogFile::Checkpoint(version, ..) if ((head.modified_ns / 1_000_000) as i64) < before_ms => Some(*version),
            _ => None,
        });
        let Some(oldest) = wanted.max().map(|version| version.min(newest)) else { return Ok(0) };
        let covered = files.iter().filter(|(file, head)| {
            let (LogFile::Commit(version) | LogFile::Checkpoint(version, ..)) = file;
            *version < oldest && ((head.modified_ns / 1_000_000) as i64) < before_ms
        });
        let mut keys: Vec<String> = covered.map(|(_, head)| head.key.clone()).collect();
        // From the oldest on: what is left by a crash is a log without a hole.
        keys.sort_unstable();
        self.bucket.delete_many(&keys).await.map_err(|source| self.error(source))?;
        Ok(keys.len() as u64)
    }
}

/// Whether a path stays below the table's folder: a log that somebody else wrote may name anything.
fn is_below(path: &str) -> bool {
    let absolute = path.starts_with('/') || path.contains("://");
    !absolute && path.split('/').all(|part| !part.is_empty() && part != "..") && !path.starts_with("_delta_log/")
}
