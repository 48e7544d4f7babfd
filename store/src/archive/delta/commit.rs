//! Makes a table, and changes it: one file of the log for each change, written where nothing is yet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value, json};
use weir_proto::time::Clock;

use super::{
    Table, TableError, TableOptions, TableSchema,
    action::{self, Action, Format, Metadata, Protocol, Txn},
    options::interval,
    schema::Fit,
    state::{DataFile, STEADY, State, Tombstone},
};
use crate::archive::bucket::{Bucket, BucketError};

/// What every reader and writer of Delta knows.
const READER: i32 = 1;
const WRITER: i32 = 2;

/// A name for how far an application is, so that a change is made once whatever happens to its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Whose.
    pub app_id: String,
    /// How far: a change whose version is not above the last one of its application is there already.
    pub version: i64,
}

/// A change of a table.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Its name, when it must be made once only.
    pub transaction: Option<Transaction>,
    /// Files that come in.
    pub added: Vec<DataFile>,
    /// Paths of files that go out.
    pub removed: Vec<String>,
    /// Whether rows come or go; a merge only stores the same rows elsewhere.
    pub data_change: bool,
    /// A word for the history: `WRITE`, `OPTIMIZE`, `DELETE`.
    pub operation: &'static str,
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is this version.
    At(u64),
    /// Its transaction, or a later one of its application, is in the table already.
    AlreadyCommitted,
}

impl Table {
    /// Opens the table in `folder` (a key without a slash at its end), or makes it. One with fewer columns gets the others;
    /// one that does not go together with `schema` is left alone.
    pub async fn open_or_make(
        bucket: Bucket,
        folder: &str,
        schema: TableSchema,
        options: TableOptions,
        clock: Clock,
    ) -> Result<Self, TableError> {
        if let Some(table) = Self::open(bucket.clone(), folder, schema.clone(), options.clone(), clock.clone()).await? {
            return Ok(table);
        }
        let mut table = Self::empty(bucket, folder, schema, options, clock);
        let (now_ms, metadata) = (table.now_ms(), table.metadata());
        let protocol = Protocol { min_reader_version: READER, min_writer_version: WRITER };
        let actions = vec![Action::protocol(protocol), Action::metadata(metadata), table.steady(now_ms)];
        let text = action::write(table.info(now_ms, "CREATE TABLE", Value::Null), &actions);
        match table.bucket.put_new_compared(&table.commit_key(0), Bytes::from(text)).await {
            Ok(_) => {
                table.state.apply(0, actions, true);
                Ok(table)
            }
            // Somebody was quicker, or our own reply was lost in an earlier life.
            Err(BucketError::Conflict { .. }) => {
                let Table { bucket, folder, schema, options, clock, .. } = table;
                let opened = Self::open(bucket, &folder, schema, options, clock).await?;
                opened.ok_or_else(|| TableError::Damaged {
                    object: format!("{folder}/_delta_log"),
                    reason: "its first commit is there, and is not".to_owned(),
                    table: folder,
                })
            }
            Err(source) => Err(table.error(source)),
        }
    }

    /// Opens the table in `folder`; `None` when there is none.
    pub async fn open(
        bucket: Bucket,
        folder: &str,
        schema: TableSchema,
        options: TableOptions,
        clock: Clock,
    ) -> Result<Option<Self>, TableError> {
        let mut table = Self::empty(bucket, folder, schema, options, clock);
        if !table.load().await? {
            return Ok(None);
        }
        let wider = table.check(&table.state, table.state.version, "the table as it is")?;
        if wider {
            table.widen().await?;
        }
        Ok(Some(table))
    }

    pub(super) fn empty(
        bucket: Bucket,
        folder: &str,
        schema: TableSchema,
        options: TableOptions,
        clock: Clock,
    ) -> Self {
        let folder = folder.trim_end_matches('/').to_owned();
        Self { bucket, folder, schema, options, clock, state: State::default(), checkpoint: None }
    }

    /// Makes a change, once: see [`Change::transaction`]. After an error that passes it may be tried again with the same change.
    pub async fn commit(&mut self, change: &Change) -> Result<Committed, TableError> {
        // The state that a foreign commit leads to replaces ours only when the whole goes together.
        for _ in 0..=self.options.foreign_commits_max {
            if self.is_committed(change) {
                return Ok(Committed::AlreadyCommitted);
            }
            let (version, now_ms) = (self.state.version + 1, self.now_ms());
            let actions = self.actions(change, now_ms)?;
            let info = self.info(now_ms, change.operation, parameters(change));
            let content = Bytes::from(action::write(info, &actions));
            match self.bucket.put_new_compared(&self.commit_key(version), content).await {
                Ok(_) => {
                    self.state.apply(version, actions, true);
                    return Ok(Committed::At(version));
                }
                Err(BucketError::Conflict { .. }) => self.take_foreign(version, change).await?,
                Err(source) => return Err(self.error(source)),
            }
        }
        Err(self.foreign(
            self.state.version,
            "many",
            "so did others, one after the other, quicker than this one".to_owned(),
        ))
    }

    /// Whether a change's transaction is in the table.
    fn is_committed(&self, change: &Change) -> bool {
        let Some(transaction) = &change.transaction else { return false };
        self.transaction(&transaction.app_id).is_some_and(|version| version >= transaction.version)
    }

    /// Takes in a commit that somebody else wrote (or we in an earlier life), if it goes together with ours.
    async fn take_foreign(&mut self, version: u64, change: &Change) -> Result<(), TableError> {
        let key = self.commit_key(version);
        let content = self.bucket.get(&key).await.map_err(|source| self.error(source))?;
        let actions = action::read(&content).map_err(|reason| self.damaged(&key, reason))?;
        let by = writer(&actions);
        let ours = is_of_weir(&by);
        let mut next = self.state.clone();
        let removed: BTreeSet<String> = actions
            .iter()
            .filter_map(|action| Some(action::decode_path(&action.remove.as_ref()?.path)))
            .filter(|path| self.state.files.contains_key(path))
            .collect();
        next.apply(version, actions, ours);
        self.check(&next, version, &by)?;
        let committed = change.transaction.as_ref().is_some_and(|wanted| {
            next.transactions.get(&wanted.app_id).is_some_and(|there| there.version >= wanted.version)
        });
        if let Some(path) = removed.iter().next()
            && !ours
            && !committed
        {
            return Err(self.foreign(version, &by, format!("took {path} out of the table")));
        }
        tracing::info!(table = self.folder, version, by, "a commit of somebody else is taken in");
        self.state = next;
        Ok(())
    }

    /// Reads what others (or we, in another life) committed since.
    pub async fn refresh(&mut self) -> Result<(), TableError> {
        while let Some((version, content)) = self.next_commit().await? {
            let key = self.commit_key(version);
            let actions = action::read(&content).map_err(|reason| self.damaged(&key, reason))?;
            let (by, mut next) = (writer(&actions), self.state.clone());
            next.apply(version, actions, is_of_weir(&by));
            self.check(&next, version, &by)?;
            self.state = next;
        }
        Ok(())
    }

    async fn next_commit(&self) -> Result<Option<(u64, Bytes)>, TableError> {
        let version = self.state.version + 1;
        match self.bucket.get(&self.commit_key(version)).await {
            Ok(content) => Ok(Some((version, content))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(source) => Err(self.error(source)),
        }
    }

    /// Whether a state can be worked with; true when it lacks columns that it can get.
    fn check(&self, state: &State, version: u64, by: &str) -> Result<bool, TableError> {
        let (Some(protocol), Some(metadata)) = (&state.protocol, &state.metadata) else {
            return Err(self.damaged(&self.commit_key(version), "no protocol and no metadata up to here".to_owned()));
        };
        let needs = (protocol.min_reader_version, protocol.min_writer_version);
        if needs.0 > READER || needs.1 > WRITER {
            let reason = format!("needs readers of version {} and writers of version {}", needs.0, needs.1);
            return Err(self.foreign(version, by, reason));
        }
        if !metadata.partition_columns.is_empty() {
            return Err(self.foreign(version, by, "divides the table into partitions".to_owned()));
        }
        match self.schema.fits(&metadata.schema_string) {
            Fit::Same => Ok(false),
            // A table that has some of our columns by chance is not changed.
            Fit::Narrower if !is_ours(state) => Err(self.foreign(version, by, "is not made by Weir".to_owned())),
            Fit::Narrower => Ok(true),
            Fit::Not(reason) => Err(self.foreign(version, by, reason)),
        }
    }

    /// Gives the table the columns that it lacks.
    async fn widen(&mut self) -> Result<(), TableError> {
        let metadata = self.state.metadata.clone().expect("checked when it was read");
        let metadata = Metadata { schema_string: self.schema.schema_string(), ..metadata };
        for _ in 0..=self.options.foreign_commits_max {
            let (version, now_ms) = (self.state.version + 1, self.now_ms());
            let actions = vec![Action::metadata(metadata.clone()), self.steady(now_ms)];
            let text = action::write(self.info(now_ms, "ADD COLUMNS", Value::Null), &actions);
            match self.bucket.put_new_compared(&self.commit_key(version), Bytes::from(text)).await {
                Ok(_) => {
                    self.state.apply(version, actions, true);
                    return Ok(());
                }
                Err(BucketError::Conflict { .. }) => self.take_foreign(version, &Change::default()).await?,
                Err(source) => return Err(self.error(source)),
            }
        }
        Err(self.foreign(self.state.version, "many", "the columns could not be added beside it".to_owned()))
    }

    fn actions(&self, change: &Change, now_ms: i64) -> Result<Vec<Action>, TableError> {
        let mut actions = Vec::with_capacity(change.added.len() + change.removed.len() + 2);
        if let Some(Transaction { app_id, version }) = &change.transaction {
            actions.push(Action::txn(Txn { app_id: app_id.clone(), version: *version, last_updated: Some(now_ms) }));
        }
        actions.push(self.steady(now_ms));
        for path in &change.removed {
            // What others put elsewhere is let go of, too: its rows do not come back.
            let before = || self.state.rearranged.iter().find_map(|group| group.before.get(path));
            let Some(file) = self.state.files.get(path).or_else(before) else {
                return Err(TableError::NotInTable { table: self.folder.clone(), path: path.clone() });
            };
            let steady_ms = self.state.steady_at(now_ms);
            let tombstone = Tombstone { deleted_ms: now_ms, bytes: Some(file.bytes), steady_ms };
            actions.push(Action::remove(tombstone.to_action(path, change.data_change)));
        }
        actions.extend(change.added.iter().map(|file| Action::add(file.to_action(change.data_change))));
        Ok(actions)
    }

    /// The table's own time, with this commit.
    fn steady(&self, now_ms: i64) -> Action {
        let version = self.state.steady_at(now_ms);
        Action::txn(Txn { app_id: STEADY.to_owned(), version, last_updated: Some(now_ms) })
    }

    fn info(&self, now_ms: i64, operation: &str, parameters: Value) -> Value {
        let parameters = if parameters.is_null() { json!({}) } else { parameters };
        json!({
            "timestamp": now_ms,
            "operation": operation,
            "operationParameters": parameters,
            "isBlindAppend": false,
            "engineInfo": self.options.engine,
        })
    }

    fn metadata(&self) -> Metadata {
        let properties = [
            ("delta.appendOnly", "false".to_owned()),
            ("delta.checkpointInterval", self.options.checkpoint_every.to_string()),
            ("delta.deletedFileRetentionDuration", interval(self.options.removed_retention)),
            ("delta.logRetentionDuration", interval(self.options.log_retention)),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), Some(value)));
        let description = (!self.options.description.is_empty()).then(|| self.options.description.clone());
        Metadata {
            id: id(self.options.seed, self.clock.now_ns(), &self.folder),
            name: self.folder.rsplit('/').next().map(str::to_owned),
            description,
            format: Format::default(),
            schema_string: self.schema.schema_string(),
            partition_columns: Vec::new(),
            configuration: BTreeMap::from(properties),
            created_time: Some(self.now_ms()),
        }
    }

    pub(super) fn error(&self, source: BucketError) -> TableError {
        TableError::Bucket { table: self.folder.clone(), source }
    }

    pub(super) fn damaged(&self, object: &str, reason: String) -> TableError {
        TableError::Damaged { table: self.folder.clone(), object: object.to_owned(), reason }
    }

    fn foreign(&self, version: u64, by: &str, reason: String) -> TableError {
        TableError::Foreign { table: self.folder.clone(), version, by: by.to_owned(), reason }
    }
}

/// Whether Weir made a table: its first commit says how steady its clock is.
fn is_ours(state: &State) -> bool {
    state.transactions.contains_key(STEADY)
}

/// Whether it was us, by the words of [`writer`].
pub(super) fn is_of_weir(by: &str) -> bool {
    by.starts_with("Weir/")
}

/// Who wrote a commit, by its own words.
pub(super) fn writer(actions: &[Action]) -> String {
    let info = actions.iter().find_map(|action| action.commit_info.as_ref());
    let engine = info.and_then(|info| info.get("engineInfo").or_else(|| info.get("clientVersion")));
    engine.and_then(Value::as_str).unwrap_or("nobody says who").to_owned()
}

/// What a reader of the history sees of a change. Values are texts there.
fn parameters(change: &Change) -> Value {
    let mut parameters = json!({"added": change.added.len().to_string(), "removed": change.removed.len().to_string()});
    if let Some(transaction) = &change.transaction {
        parameters["transaction"] = json!(format!("{} {}", transaction.app_id, transaction.version));
    }
    parameters
}

/// A table's id, in the form of a random UUID.
fn id(seed: u64, now_ns: u64, folder: &str) -> String {
    let mut mixed = [seed ^ 0x5851_f42d_4c95_7f2d, now_ns];
    for byte in folder.bytes() {
        mixed[0] = (mixed[0] ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    for _ in 0..4 {
        mixed[1] = (mixed[1] ^ mixed[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        mixed[0] = mixed[0].wrapping_add(mixed[1]).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(29);
    }
    let hex = format!("{:016x}{:016x}", mixed[0], mixed[1]);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
