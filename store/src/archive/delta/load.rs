//! Reads a table's log: the newest checkpoint, and the commits after it.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{
    Table, TableError, action,
    checkpoint::{self, CheckpointContent},
    commit::{is_of_weir, writer},
    state::State,
};

/// Commits that are asked for at once; those that are not there cost nothing but the question.
const COMMITS_AT_ONCE: u64 = 8;

/// `_last_checkpoint`: where to begin. A hint only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastCheckpoint {
    pub(super) version: u64,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size_in_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) num_of_add_files: Option<u64>,
}

/// What lies in a log's folder, by version.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) commits: Vec<u64>,
    /// Version and number of parts of checkpoints all of whose parts are there, in order.
    pub(super) checkpoints: Vec<(u64, u32)>,
}

impl Listing {
    /// Whether every commit after a version is there, up to the last that is.
    pub(super) fn leads_on(&self, version: u64) -> bool {
        let after: BTreeSet<u64> = self.commits.iter().copied().filter(|commit| *commit > version).collect();
        after.last().is_none_or(|last| last - version == after.len() as u64)
    }
}

/// A checkpoint that was read.
#[derive(Debug)]
pub(super) struct ReadCheckpoint {
    pub(super) state: State,
    /// Whether it has the sum of what it says.
    pub(super) is_signed: bool,
}

impl Table {
    /// Reads the whole log. False when there is none.
    pub(super) async fn load(&mut self) -> Result<bool, TableError> {
        let hint = self.last_checkpoint().await?;
        // Asked in any case: a commit that is missing in the middle is not the end, and a hint may be lost or old.
        let mut listing = self.list_log().await?;
        if let Some(hint) = hint.map(|hint| (hint.version, hint.parts.unwrap_or(1)))
            && !listing.checkpoints.contains(&hint)
        {
            listing.checkpoints.push(hint);
            listing.checkpoints.sort_unstable();
        }
        let begun = self.begin(&listing).await?;
        let first = if begun { self.state.version + 1 } else { 0 };
        let commits = self.read_commits(first).await?;
        let found = begun || !commits.is_empty();
        for (version, content) in commits {
            let key = self.commit_key(version);
            let actions = action::read(&content).map_err(|reason| self.damaged(&key, reason))?;
            let is_ours = is_of_weir(&writer(&actions));
            self.state.apply(version, actions, is_ours);
        }
        let next = if found { self.state.version + 1 } else { 0 };
        if listing.commits.iter().any(|version| *version > next) {
            return Err(self.damaged(&self.commit_key(next), "it is missing, and later ones are there".to_owned()));
        }
        Ok(found)
    }

    /// Begins at the newest checkpoint with a sum from which commits lead to the end; where there is none, at the first commit, and only
    /// where that is gone at a checkpoint that has no sum: others write such, and they do not say what was rearranged before.
    async fn begin(&mut self, listing: &Listing) -> Result<bool, TableError> {
        let (mut unsigned, mut cut_off) = (None, None);
        for (version, parts) in listing.checkpoints.iter().rev() {
            let read = match self.read_checkpoint(*version, *parts).await {
                Ok(read) => read,
                Err(error) if error.is_away() => return Err(error),
                // An earlier one, or the commits, say the same.
                Err(error) => {
                    tracing::warn!("a checkpoint is passed over: {error}");
                    continue;
                }
            };
            match (listing.leads_on(*version), read.is_signed) {
                (true, true) => return Ok(self.begin_at(read)),
                (true, false) => drop(unsigned.get_or_insert(read)),
                (false, _) => drop(cut_off.get_or_insert(read)),
            }
        }
        if listing.commits.contains(&0) && listing.leads_on(0) {
            return Ok(false);
        }
        Ok(unsigned.or(cut_off).is_some_and(|read| self.begin_at(read)))
    }

    /// Takes the state of a checkpoint.
    fn begin_at(&mut self, read: ReadCheckpoint) -> bool {
        self.checkpoint = Some(read.state.version);
        self.state = read.state;
        true
    }

    pub(super) async fn read_checkpoint(&self, version: u64, parts: u32) -> Result<ReadCheckpoint, TableError> {
        let (mut actions, mut is_signed) = (Vec::new(), true);
        for part in 1..=parts {
            let key = self.log_key(&checkpoint_name(version, part, parts));
            let content = self.bucket.get(&key).await.map_err(|source| self.error(source))?;
            // Parquet is read on a thread of its own kind: a large checkpoint takes a while.
            let read = tokio::task::spawn_blocking(move || checkpoint::read(content)).await;
            let read = read.map_err(|error| error.to_string()).and_then(|read| read);
            let CheckpointContent { actions: of_part, is_signed: is_part_signed } =
                read.map_err(|reason| self.damaged(&key, reason))?;
            actions.extend(of_part);
            is_signed &= is_part_signed;
        }
        let mut state = State::default();
        let (rearranged, changed) = State::untag(&mut actions);
        state.apply(version, actions, true);
        (state.rearranged, state.changed) = (rearranged, changed);
        if state.protocol.is_none() || state.metadata.is_none() {
            let key = self.log_key(&checkpoint_name(version, 1, parts));
            return Err(self.damaged(&key, "no protocol or no metadata in it".to_owned()));
        }
        Ok(ReadCheckpoint { state, is_signed })
    }

    async fn last_checkpoint(&self) -> Result<Option<LastCheckpoint>, TableError> {
        match self.bucket.get(&self.log_key("_last_checkpoint")).await {
            Ok(content) => Ok(serde_json::from_slice(&content).ok()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(source) => Err(self.error(source)),
        }
    }

    /// The commits from `first` on, up to the first that is not there.
    async fn read_commits(&self, first: u64) -> Result<Vec<(u64, Bytes)>, TableError> {
        let mut commits: Vec<(u64, Bytes)> = Vec::new();
        let read = |version: u64| async move {
            match self.bucket.get(&self.commit_key(version)).await {
                Ok(content) => Ok(Some((version, content))),
                Err(error) if error.is_not_found() => Ok(None),
                Err(source) => Err(self.error(source)),
            }
        };
        let mut reads = stream::iter(first..u64::MAX).map(read).buffered(COMMITS_AT_ONCE as usize);
        while let Some(Some(commit)) = reads.try_next().await? {
            commits.push(commit);
        }
        Ok(commits)
    }

    /// What lies in the log's folder, from the listing.
    pub(super) async fn list_log(&self) -> Result<Listing, TableError> {
        let folder = self.log_key("");
        let mut listed = self.bucket.list(folder.trim_end_matches('/'), None);
        let (mut listing, mut partial) = (Listing::default(), Vec::<(u64, u32, u32)>::new());
        while let Some(head) = listed.try_next().await.map_err(|source| self.error(source))? {
            let Some(name) = head.key.strip_prefix(&folder) else { continue };
            match parse_name(name) {
                Some(LogFile::Commit(version)) => listing.commits.push(version),
                Some(LogFile::Checkpoint(version, 1, 1)) => listing.checkpoints.push((version, 1)),
                Some(LogFile::Checkpoint(version, part, parts)) => partial.push((version, part, parts)),
                None => {}
            }
        }
        for (version, _, parts) in partial.iter().filter(|(_, part, _)| *part == 1) {
            let there = partial.iter().filter(|(other, _, of)| other == version && of == parts).count();
            if there == *parts as usize {
                listing.checkpoints.push((*version, *parts));
            }
        }
        listing.checkpoints.sort_unstable();
        Ok(listing)
    }
}

/// A file of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogFile {
    Commit(u64),
    /// Version, number of the part, and how many there are.
    Checkpoint(u64, u32, u32),
}

/// What a name in the log's folder stands for.
pub(super) fn parse_name(name: &str) -> Option<LogFile> {
    let (digits, rest) = name.split_once('.')?;
    let version = digits.parse().ok().filter(|_| digits.len() == 20)?;
    match rest {
        "json" => return Some(LogFile::Commit(version)),
        "checkpoint.parquet" => return Some(LogFile::Checkpoint(version, 1, 1)),
        _ => {}
    }
    let (part, parts) = rest.strip_prefix("checkpoint.")?.strip_suffix(".parquet")?.split_once('.')?;
    Some(LogFile::Checkpoint(version, part.parse().ok()?, parts.parse().ok()?))
}

/// The name of a checkpoint's file, or of a part.
pub(super) fn checkpoint_name(version: u64, part: u32, parts: u32) -> String {
    match parts {
        1 => format!("{version:020}.checkpoint.parquet"),
        _ => format!("{version:020}.checkpoint.{part:010}.{parts:010}.parquet"),
    }
}
