//! How traces come to their verdicts: what is asked of policies, and what became of each trace.
//!
//! Policies live in the collector behind [`Sampling`] and [`Judge`]; the store keeps the traces' accounts, asks for
//! decisions when they are due, and makes them durable before they take effect.

mod accounts;
mod arrivals;
mod changes;
mod checkpoint;
mod decided;
mod inbox;
mod journal_time;
mod judge;
mod judges;
mod operations;
mod paged;
mod recovery;
mod rounds;
mod sampler;
mod slots;
mod state;
mod status;
mod table;
mod traces;
mod verdict_files;
mod verdicts;
mod wheel;

pub(crate) use checkpoint::{Checkpoint, find_newer_verdicts};
pub(crate) use inbox::FedFrame;
pub use judge::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, TraceAccount};
pub(crate) use sampler::{Sampler, Surroundings};
pub use state::ReloadError;
pub(crate) use state::{Marking, SampledState};
pub use status::{DecidedCount, LATENESS_MS, RememberedVerdict, SamplingStatus};

pub use crate::verdict::{
    kept::{KeptBy, POLICY_ATTRIBUTE},
    mark::{SpanMark, SpanMarker},
};
