//! A table's state: what the actions of its log come to.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    action::{Action, Add, Metadata, Protocol, Remove, Tags, Txn, decode_path, encode_path},
    rearranged::Rearranged,
};

/// A file of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFile {
    /// Its path below the table's folder.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// When it was written, in Unix ms.
    pub modified_ms: i64,
    /// [`super::FileStatistics::to_json`].
    pub stats: Option<String>,
    /// What else is said of it, by name.
    pub tags: BTreeMap<String, String>,
}

impl DataFile {
    /// Its rows, as its statistics say.
    pub fn rows(&self) -> Option<u64> {
        self.stats.as_deref().and_then(super::statistics::rows)
    }
}

/// A file that was taken out of the table, and whose object may still be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// When, in Unix ms.
    pub deleted_ms: i64,
    /// Its length, when that was said.
    pub bytes: Option<u64>,
    /// How far the table's own time (see [`STEADY`]) was, in ms.
    pub steady_ms: i64,
}

/// The transaction whose version is the table's own time, in ms: what passed between its commits, a day at most for each.
/// A clock that jumps by years moves it by a day, so that nothing is deleted for that.
pub(super) const STEADY: &str = "weir.steady-ms";

/// What one commit can add to the table's own time.
pub(super) const STEADY_STEP_MAX_MS: i64 = 24 * 3600 * 1000;

/// The tag of a remove with the table's own time.
const STEADY_TAG: &str = "weir.steady_ms";

/// What is in a table after the commit `version`.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) protocol: Option<Protocol>,
    pub(super) metadata: Option<Metadata>,
    pub(super) files: BTreeMap<String, DataFile>,
    pub(super) removed: BTreeMap<String, Tombstone>,
    pub(super) transactions: BTreeMap<String, Txn>,
    /// What others rearranged since.
    pub(super) rearranged: Vec<Rearranged>,
    /// Files that others took out and of whose rows some may be in files that they put in.
    pub(super) changed: BTreeSet<String>,
}

impl State {
    /// Takes the actions of the commit `version` in, of ours or of somebody else.
    pub(super) fn apply(&mut self, version: u64, actions: Vec<Action>, is_ours: bool) {
        self.version = version;
        match is_ours {
            true => self.settle(&actions),
            false => self.rearrange(&actions),
        }
        let steady = actions.iter().filter_map(|action| action.txn.as_ref()).find(|txn| txn.app_id == STEADY);
        let steady_ms = steady.map_or(self.steady_ms(), |txn| txn.version);
        for action in actions {
            self.apply_one(action, steady_ms);
        }
    }

    fn apply_one(&mut self, action: Action, steady_ms: i64) {
        if let Some(protocol) = action.protocol {
            self.protocol = Some(protocol);
        }
        if let Some(metadata) = action.meta_data {
            self.metadata = Some(metadata);
        }
        if let Some(txn) = action.txn {
            self.transactions.insert(txn.app_id.clone(), txn);
        }
        if let Some(add) = action.add {
            let file = DataFile::from_action(add);
            self.removed.remove(&file.path);
            self.files.insert(file.path.clone(), file);
        }
        if let Some(remove) = action.remove {
            let path = decode_path(&remove.path);
            self.files.remove(&path);
            self.removed.insert(path, Tombstone::from_action(&remove, steady_ms));
        }
    }

    /// The table's own time, in ms.
    pub(super) fn steady_ms(&self) -> i64 {
        self.transactions.get(STEADY).map_or(0, |txn| txn.version)
    }

    /// The table's own time when the clock says `now_ms`.
    pub(super) fn steady_at(&self, now_ms: i64) -> i64 {
        let last = self.transactions.get(STEADY);
        let passed = last.and_then(|txn| txn.last_updated).map_or(0, |then| now_ms.saturating_sub(then));
        self.steady_ms() + passed.clamp(0, STEADY_STEP_MAX_MS)
    }

    /// All that a checkpoint holds: protocol and metadata first.
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::with_capacity(self.files.len() + self.removed.len() + 8);
        actions.extend(self.protocol.clone().map(Action::protocol));
        actions.extend(self.metadata.clone().map(Action::metadata));
        actions.extend(self.transactions.values().cloned().map(Action::txn));
        // No change of data: a checkpoint only says what is.
        actions.extend(self.files.values().map(|file| Action::add(file.to_action(false))));
        actions.extend(self.removed.iter().map(|(path, tombstone)| Action::remove(tombstone.to_action(path, false))));
        self.tag(&mut actions);
        actions
    }
}

impl DataFile {
    pub(super) fn to_action(&self, data_change: bool) -> Add {
        let tags = self.tags.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
        Add {
            path: encode_path(&self.path),
            partition_values: Tags::new(),
            size: self.bytes as i64,
            modification_time: self.modified_ms,
            data_change,
            stats: self.stats.clone(),
            tags: (!self.tags.is_empty()).then(|| tags.collect()),
        }
    }

    fn from_action(add: Add) -> Self {
        let tags = add.tags.unwrap_or_default().into_iter();
        Self {
            path: decode_path(&add.path),
            bytes: add.size.max(0) as u64,
            modified_ms: add.modification_time,
            stats: add.stats,
            tags: tags.filter_map(|(name, value)| Some((name, value?))).collect(),
        }
    }
}

impl Tombstone {
    pub(super) fn to_action(&self, path: &str, data_change: bool) -> Remove {
        Remove {
            path: encode_path(path),
            deletion_timestamp: Some(self.deleted_ms),
            data_change,
            extended_file_metadata: Some(true),
            partition_values: Some(Tags::new()),
            size: self.bytes.map(|bytes| bytes as i64),
            tags: Some(Tags::from([(STEADY_TAG.to_owned(), Some(self.steady_ms.to_string()))])),
        }
    }

    fn from_action(remove: &Remove, steady_ms: i64) -> Self {
        let tagged = remove.tags.as_ref().and_then(|tags| tags.get(STEADY_TAG)?.as_ref()?.parse().ok());
        Self {
            deleted_ms: remove.deletion_timestamp.unwrap_or(0),
            bytes: remove.size.map(|size| size.max(0) as u64),
            steady_ms: tagged.unwrap_or(steady_ms),
        }
    }
}
