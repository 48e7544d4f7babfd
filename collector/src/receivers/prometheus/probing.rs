//! Targets that are probed instead of scraped: what a job of them knows, and what it is told.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// What is asked of a prober.
#[derive(Debug, Clone)]
pub(in crate::receivers) struct ProbeAsked {
    pub(in crate::receivers) job: String,
    pub(in crate::receivers) module: String,
    pub(in crate::receivers) target: String,
    pub(in crate::receivers) timeout: Duration,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(in crate::receivers) struct Probed {
    /// In Prometheus' text format.
    pub(in crate::receivers) body: Bytes,
    /// Why the target is down.
    pub(in crate::receivers) failure: Option<String>,
}

pub(super) type Probe = Arc<dyn Fn(ProbeAsked) -> BoxFuture<'static, Probed> + Send + Sync>;

/// How the targets of a job are probed.
#[derive(Clone)]
pub(in crate::receivers) struct Probing {
    /// The module of a target that names none.
    pub(in crate::receivers) module: String,
    /// The names that a target may name.
    pub(in crate::receivers) modules: Vec<String>,
    /// The label of that name.
    pub(in crate::receivers) location: String,
    /// Longest time between two samples.
    pub(in crate::receivers) repeat_interval_max: Duration,
    pub(in crate::receivers) probe: Probe,
}

impl fmt::Debug for Probing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probing").field("module", &self.module).finish_non_exhaustive()
    }
}

impl Probing {
    /// How often what a probe found is said within one interval.
    pub(super) fn samples_per_probe(&self, interval: Duration) -> u32 {
        let times = interval.as_nanos().div_ceil(self.repeat_interval_max.as_nanos().max(1)).max(1);
        u32::try_from(times).unwrap_or(u32::MAX)
    }
}
