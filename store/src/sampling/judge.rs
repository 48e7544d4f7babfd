//! What the store asks of sampling policies, in two steps: a mark for each span as it arrives, a decision for each trace when it is due.

use std::time::Duration;

use weir_proto::{TenantId, TraceId};

use crate::verdict::mark::{SpanMark, SpanMarker};

/// A set of policies with its bounds. The collector implements it; receivers and recovery mark spans with it.
pub trait Sampling: Send + Sync + std::fmt::Debug {
    /// Which configuration this is: 1 or more; 0 in a frame says that nothing samples its spans.
    fn generation(&self) -> u32;

    /// Waits and bounds.
    fn options(&self) -> SamplingOptions;

    /// Makes what marks the spans of one payload. Plain and pure: recovery makes another and must get the same marks.
    fn marker(&self) -> Box<dyn SpanMarker + '_>;

    /// Makes the one that decides. The store calls it from one thread only.
    fn judge(&self) -> Box<dyn Judge>;

    /// Nothing samples any more, and every trace that began under this has its verdict: spans need no marks from now on.
    fn retire(&self) {}
}

/// Decides; owns the policies' state (rates, budgets, learned distributions).
pub trait Judge: Send + std::fmt::Debug {
    /// Names of policies, as [`Decision::policy`] numbers them. Fixed for the judge's life.
    fn policies(&self) -> Vec<String>;

    /// Whether it wants to see spans. Fixed for the judge's life.
    fn observes(&self) -> bool {
        true
    }

    /// Takes note of a span in journal order. The account has the span already, and its neighbours of the same trace;
    /// `account.bits` and `account.notes` may be changed.
    fn observe(&mut self, span: &ArrivedSpan<'_>, account: &mut TraceAccount);

    /// The decision. `now_ns` is journal time and never goes back.
    fn decide(&mut self, account: &TraceAccount, cause: Cause, now_ns: u64) -> Decision;

    /// A verdict of an earlier process, read in recovery in journal order: rates and budgets that it used up stay used up.
    fn recall(&mut self, account_spans: u32, kept: bool, policy: usize, journal_time_ns: u64);

    /// The learned state, bounded, to be kept over restarts.
    fn checkpoint(&self) -> Vec<u8>;

    /// Takes back what [`Judge::checkpoint`] gave, perhaps of another configuration; what does not fit is ignored.
    fn restore(&mut self, checkpoint: &[u8]);

    /// The policies' own figures for `/api/v1/sampling`, as JSON.
    fn report(&self) -> serde_json::Value;
}

/// Waits and bounds of tail sampling; the Collector's names are in the comments.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingOptions {
    /// From a trace's first span to its decision (`decision_wait`).
    pub decision_wait: Duration,
    /// From the root's arrival, when that is sooner (`decision_wait_after_root_received`).
    pub decision_wait_after_root: Option<Duration>,
    /// Pending traces; above it the oldest are decided early (`num_traces`).
    pub pending_traces_max: u64,
    /// Payload bytes of pending traces; above it the oldest are decided early.
    pub pending_bytes_max: u64,
    /// Payload bytes of one trace; above it the trace is decided at once (`maximum_trace_size_bytes`).
    pub trace_bytes_max: u64,
    /// Kept traces whose late spans are still recognised (`decision_cache.sampled_cache_size`).
    pub kept_cache_traces_max: u64,
    /// Dropped traces whose late spans are still recognised (`decision_cache.non_sampled_cache_size`).
    pub dropped_cache_traces_max: u64,
}

/// A span on its way into its trace's account.
#[derive(Debug, Clone, Copy)]
pub struct ArrivedSpan<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// As marked at arrival.
    pub mark: SpanMark,
    /// Its service.
    pub service: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
    /// Its operation (service, name, kind) as a hash, the same in every process.
    pub operation: u64,
    /// Start, Unix ns.
    pub start_ns: u64,
    /// Duration, ns.
    pub duration_ns: u64,
    /// OTLP StatusCode.
    pub status_code: i8,
    /// Journal time of its arrival.
    pub arrived_ns: u64,
}

/// What the store remembers of a pending trace.
#[derive(Debug, Clone)]
pub struct TraceAccount {
    /// Which.
    pub trace_id: TraceId,
    /// The predicates that hold for any of its spans, or that the judge added.
    pub bits: u64,
    /// Spans so far.
    pub spans: u32,
    /// The configuration under which it began.
    pub generation: u32,
    /// Encoded bytes of its spans.
    pub bytes: u64,
    /// Earliest start, Unix ns.
    pub start_min_ns: u64,
    /// Latest end, Unix ns.
    pub end_max_ns: u64,
    /// Journal time of the first span's arrival.
    pub arrived_ns: u64,
    /// The operation of the root, or of the first span before the root has come.
    pub operation: u64,
    /// Whether the root has come.
    pub has_root: bool,
    /// The judge's own.
    pub notes: [u64; 2],
}

impl TraceAccount {
    /// A trace without spans yet.
    pub fn new(trace_id: TraceId, generation: u32, arrived_ns: u64) -> Self {
        Self {
            trace_id,
            bits: 0,
            spans: 0,
            generation,
            bytes: 0,
            start_min_ns: u64::MAX,
            end_max_ns: 0,
            arrived_ns,
            operation: 0,
            has_root: false,
            notes: [0; 2],
        }
    }
}

/// Why a decision is asked for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its wait is over.
    Due,
    /// Too many traces, or too many bytes, are pending.
    Early,
    /// The trace alone is too large.
    TooLarge,
}

/// A verdict before it is durable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Keep or drop.
    pub keep: bool,
    /// The policy that said so, an index into [`Judge::policies`].
    pub policy: usize,
    /// How many arrived spans each kept one stands for (1 or more).
    pub adjusted_count: f64,
    /// Whether chance decided: then kept spans carry `ot=th` in their tracestate.
    pub is_probabilistic: bool,
}
