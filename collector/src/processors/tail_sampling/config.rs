//! `tail_sampling` in the configuration: the Collector's keys, and a few of ours.

use std::time::Duration;

use serde::Deserialize;
use weir_proto::{duration, size};
use weir_store::sampling::SamplingOptions;

use crate::policies::{PolicyConfig, policies};

/// Longest wait: what waits stays in the journal.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Most pending or remembered traces: each takes memory.
const TRACES_MAX: u64 = 100_000_000;

/// A block, as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailSamplingConfig {
    /// From a trace's first span to its decision.
    #[serde(default = "decision_wait", deserialize_with = "duration::deserialize_positive")]
    pub decision_wait: Duration,
    /// From the arrival of a trace's root, when that is sooner; 0: the root does not matter.
    #[serde(default, deserialize_with = "duration::deserialize")]
    pub decision_wait_after_root_received: Duration,
    /// Pending traces; above it the oldest are decided early.
    #[serde(default = "num_traces")]
    pub num_traces: u64,
    /// Has no effect: nothing is allocated ahead.
    #[serde(default)]
    pub expected_new_traces_per_sec: u64,
    /// Which decided traces are remembered.
    #[serde(default)]
    pub decision_cache: DecisionCache,
    /// The first policy that wants a trace ends the asking.
    #[serde(default)]
    pub sample_on_first_match: bool,
    /// Has no effect: pending traces are in the journal and are decided after the next start.
    #[serde(default)]
    pub drop_pending_traces_on_shutdown: bool,
    /// Bytes of one trace; above it the trace is decided at once. 0: no bound of its own.
    #[serde(default)]
    pub maximum_trace_size_bytes: u64,
    /// Has no effect: nothing is lost on overflow, and nobody has to wait.
    #[serde(default)]
    pub block_on_overflow: bool,
    /// When decisions are made.
    #[serde(default)]
    pub sampling_strategy: SamplingStrategy,
    /// Has no effect.
    #[serde(default)]
    pub num_shards: u64,
    /// Decides nothing: only counts what it would keep.
    #[serde(default)]
    pub dry_run: bool,
    /// Bytes of pending traces; above it the oldest are decided early.
    #[serde(default = "pending_size_max", deserialize_with = "size::deserialize")]
    pub pending_size_max: u64,
    /// In the order of asking.
    #[serde(deserialize_with = "policies")]
    pub policies: Vec<PolicyConfig>,
}

/// How many decided traces are remembered, so that their late spans follow; 0: as many as `num_traces`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionCache {
    /// Of those that were kept.
    pub sampled_cache_size: u64,
    /// Of those that were dropped.
    pub non_sampled_cache_size: u64,
}

/// When decisions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplingStrategy {
    /// When a trace is due.
    #[default]
    TraceComplete,
}

fn decision_wait() -> Duration {
    Duration::from_secs(30)
}

fn num_traces() -> u64 {
    50_000
}

fn pending_size_max() -> u64 {
    8 << 30
}

impl TailSamplingConfig {
    /// Finds values that it cannot work with: the key, and what is wrong with it.
    pub fn check(&self) -> Result<(), (String, String)> {
        let at = |key: &str, message: String| Err((key.to_owned(), message));
        if self.decision_wait > WAIT_MAX {
            return at("decision_wait", format!("at most {WAIT_MAX:?}"));
        }
        if self.num_traces == 0 || self.num_traces > TRACES_MAX {
            return at("num_traces", format!("1 to {TRACES_MAX}"));
        }
        let DecisionCache { sampled_cache_size, non_sampled_cache_size } = self.decision_cache;
        if sampled_cache_size.max(non_sampled_cache_size) > TRACES_MAX {
            return at("decision_cache", format!("a size is at most {TRACES_MAX}"));
        }
        let alone = [("tail_sampling".to_owned(), Self { dry_run: false, ..self.clone() })];
        super::TailSampling::new(&alone, None).map(drop).map_err(|error| (String::new(), error.to_string()))
    }

    /// What the store is told.
    pub(super) fn options(&self) -> SamplingOptions {
        let or = |size: u64, default: u64| if size == 0 { default } else { size };
        let after_root = self.decision_wait_after_root_received;
        SamplingOptions {
            decision_wait: self.decision_wait,
            decision_wait_after_root: (!after_root.is_zero()).then_some(after_root),
            pending_traces_max: self.num_traces,
            pending_bytes_max: self.pending_size_max,
            trace_bytes_max: or(self.maximum_trace_size_bytes, u64::MAX),
            kept_cache_traces_max: or(self.decision_cache.sampled_cache_size, self.num_traces),
            dropped_cache_traces_max: or(self.decision_cache.non_sampled_cache_size, self.num_traces),
        }
    }
}
