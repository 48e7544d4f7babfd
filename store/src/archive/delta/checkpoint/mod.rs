//! A checkpoint: the state after a commit as one Parquet file, so that reading begins there.

mod columns;
mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;
