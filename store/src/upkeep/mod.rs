//! What the store does by itself: opens, recovers, seals, merges, repairs, forgets.

mod archive_absent;
mod archive_again;
mod archive_index;
pub(crate) mod archive_merger;
pub(crate) mod archive_pins;
pub(crate) mod archive_retention;
mod archive_tables;
pub(crate) mod archived;
pub(crate) mod archiver;
pub(crate) mod deciding;
pub(crate) mod housekeeping;
pub(crate) mod merger;
pub(crate) mod newer;
pub(crate) mod open;
pub(crate) mod quarantine;
pub(crate) mod repair;
mod replay_blocks;
pub(crate) mod replay_samples;
pub(crate) mod run;
pub(crate) mod seal_samples;
pub(crate) mod sealer;
mod series_places;
