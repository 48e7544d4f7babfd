//! Compares a table's checkpoints with the commits that they stand for.

use super::{
    Table, TableError, action,
    commit::{is_of_weir, writer},
    load::checkpoint_name,
    state::State,
};

/// Differences that are told of a checkpoint.
const TOLD_MAX: usize = 5;

impl Table {
    /// Checkpoints that say something else than the commits up to them, or that cannot be read: their key, and what is wrong. Those before
    /// which no commits are left are believed.
    pub async fn check_checkpoints(&self) -> Result<Vec<(String, String)>, TableError> {
        let listing = self.list_log().await?;
        let (mut findings, mut state) = (Vec::new(), None);
        let mut next = 0;
        if listing.commits.contains(&0) {
            state = Some(State::default());
        }
        for (version, parts) in &listing.checkpoints {
            let key = self.log_key(&checkpoint_name(*version, 1, *parts));
            let read = match self.read_checkpoint(*version, *parts).await {
                Ok(read) => Some(read.state),
                Err(error) if error.is_away() => return Err(error),
                // Cleaned away meanwhile.
                Err(TableError::Bucket { source, .. }) if source.is_not_found() => continue,
                Err(TableError::Damaged { reason, .. }) => {
                    findings.push((key.clone(), reason));
                    None
                }
                Err(error) => {
                    findings.push((key.clone(), error.to_string()));
                    None
                }
            };
            state = match state {
                Some(state) => self.replayed(state, next, *version).await?,
                None => None,
            };
            match (&state, read) {
                (Some(state), Some(read)) => {
                    let wrong = differences(state, &read);
                    if !wrong.is_empty() {
                        findings.push((key, wrong));
                    }
                }
                (None, Some(read)) => state = Some(read),
                (_, None) => {}
            }
            next = version + 1;
        }
        Ok(findings)
    }

    /// A state with the commits from `next` to `last`; `None` when one of them is not there.
    async fn replayed(&self, mut state: State, next: u64, last: u64) -> Result<Option<State>, TableError> {
        for version in next..=last {
            let key = self.commit_key(version);
            let content = match self.bucket.get(&key).await {
                Ok(content) => content,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(source) => return Err(self.error(source)),
            };
            let actions = action::read(&content).map_err(|reason| self.damaged(&key, reason))?;
            let is_ours = is_of_weir(&writer(&actions));
            state.apply(version, actions, is_ours);
        }
        Ok(Some(state))
    }
}

/// What a checkpoint says otherwise than the log, in words; nothing when they are alike.
fn differences(log: &State, checkpoint: &State) -> String {
    let is_there =
        |state: &State, path: &String, bytes: u64| state.files.get(path).is_some_and(|file| file.bytes == bytes);
    let lacks = log.files.values().filter(|file| !is_there(checkpoint, &file.path, file.bytes));
    let names = checkpoint.files.values().filter(|file| !is_there(log, &file.path, file.bytes));
    let lacks: Vec<String> = lacks.map(|file| format!("does not name {}, which its commits do", file.path)).collect();
    let names = names.map(|file| format!("names {}, which its commits do not", file.path));
    let mut all: Vec<String> = lacks.into_iter().chain(names).collect();
    let schema = |state: &State| state.metadata.as_ref().map(|metadata| metadata.schema_string.clone());
    if schema(log) != schema(checkpoint) {
        all.push("has another schema than its commits".to_owned());
    }
    let more = all.len().saturating_sub(TOLD_MAX);
    all.truncate(TOLD_MAX);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all.join("; ")
}
