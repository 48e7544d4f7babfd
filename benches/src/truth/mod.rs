//! Traffic whose truth is known: what each trace is derives from its number and the seed, so that what was kept can be checked
//! without remembering what was sent.

mod check;
mod estimate;
mod operations;
mod policies;
mod sampling;
mod send;
mod shown;
mod trace;
mod traffic;
mod trial;

pub use check::{Findings, Recall};
pub use estimate::Estimate;
pub(crate) use policies::collector_policies;
pub use policies::{Judged, judged};
pub use sampling::{SamplingReport, Wanted};
pub use send::{Sent, send};
pub use trace::{Shape, TrueSpan, TrueTrace};
pub use traffic::{LateBatch, TRACES_PER_BATCH, TrueTraffic};
pub use trial::{Share, Trial, Verdict};
