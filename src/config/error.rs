//! What is wrong with a configuration, where, and what was probably meant.

use std::path::PathBuf;

use weir_proto::yaml::Problem;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong: a line for each, with its place.
    #[error("{}", .lines.join("\n"))]
    Wrong {
        /// `file:line:column: what, and what to write instead`.
        lines: Vec<String>,
        /// What is without effect beside that, in the same form.
        warnings: Vec<String>,
    },
}

/// Problems as lines about `file`, in the order of their places.
pub(super) fn lines(file: &str, mut problems: Vec<Problem>) -> Vec<String> {
    problems.sort_by_key(|problem| problem.at);
    let mut lines: Vec<String> =
        problems.iter().map(|problem| format!("{file}:{}: {}", problem.at, problem.message)).collect();
    lines.dedup();
    lines
}
