//! A checkpoint: the state after a commit as one Parquet file, so that reading begins there.

mod columns;
mod read;
mod write;

pub(super) use read::{CheckpointContent, read};
pub(super) use write::write;
#[cfg(test)]
pub(super) use write::write_unsigned;

use super::action::Action;

/// The name in the file's footer of the sum of its actions: one of ours that was damaged, or written anew by others, is found out.
const SUM: &str = "weir.crc32c";

/// The CRC32C of the actions as a log would have them.
fn sum_of(actions: &[Action]) -> String {
    let line = |action| serde_json::to_vec(action).expect("texts, numbers and maps of texts");
    let sum = actions.iter().fold(0, |sum, action| crc32c::crc32c_append(sum, &line(action)));
    format!("{sum:08x}")
}
