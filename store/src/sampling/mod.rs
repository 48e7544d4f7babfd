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
mod kept;
mod names;
mod operations;
mod outcome;
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
pub use judge::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, SpanMark, SpanMarker, TraceAccount};
pub use kept::{KeptBy, POLICY_ATTRIBUTE};
pub(crate) use names::PolicyNames;
pub(crate) use outcome::PolicyNo;
pub(crate) use outcome::{FrameTraces, Outcome, SlotChunk, SpanStanding, VerdictNo};
pub(crate) use sampler::{Sampler, Surroundings};
pub use state::ReloadError;
pub(crate) use state::{Marking, SampledState};
pub use status::{DecidedCount, LATENESS_MS, RememberedVerdict, SamplingStatus};
