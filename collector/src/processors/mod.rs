//! Processors: what happens to spans between their receiver and the journal, and to traces once they are due.

mod pipeline;
pub mod probabilistic_sampler;
pub mod tail_sampling;

pub use pipeline::{Processing, Stages};
