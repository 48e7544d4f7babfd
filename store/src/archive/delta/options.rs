//! The bounds and periods of a table.

use std::time::Duration;

/// How a table is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// What wrote a commit, in its `commitInfo`: `Weir/1.2`.
    pub engine: String,
    /// Description of the table in its metadata.
    pub description: String,
    /// Commits between checkpoints.
    pub checkpoint_every: u64,
    /// How long commits that a checkpoint covers are kept, for readers of old versions.
    pub log_retention: Duration,
    /// How long objects of removed files are kept, for readers that still have them open.
    pub removed_retention: Duration,
    /// Foreign commits in a row that one commit of ours steps over.
    pub foreign_commits_max: u32,
    /// From where the table's id is drawn, once, when it is made.
    pub seed: u64,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            engine: concat!("Weir/", env!("CARGO_PKG_VERSION")).to_owned(),
            description: String::new(),
            checkpoint_every: 50,
            log_retention: Duration::from_secs(7 * 24 * 3600),
            removed_retention: Duration::from_secs(7 * 24 * 3600),
            foreign_commits_max: 1000,
            seed: 0,
        }
    }
}

/// An interval as Delta's properties are written.
pub(super) fn interval(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(24 * 3600) => (seconds / (24 * 3600), "days"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hours"),
        _ => (seconds, "seconds"),
    };
    format!("interval {count} {unit}")
}
