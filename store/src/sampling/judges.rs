//! The judge in office, and the one before as long as traces that began under it are pending.

use std::{sync::Arc, time::Duration};

use weir_proto::otlp::traces::ScannedSpan;

use super::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, TraceAccount};
use crate::verdict::{
    mark::{SpanMark, SpanMarker},
    names::PolicyNames,
    outcome::{Outcome, PolicyNo},
};

/// The policy of spans that were to be sampled when nothing samples any more.
const SAMPLING_OFF: &str = "sampling_off";

/// The generation of nothing.
const OFF: u32 = 0;

/// A judge and what it works with.
#[derive(Debug)]
pub(super) struct Seat {
    sampling: Arc<dyn Sampling>,
    pub(super) judge: Box<dyn Judge>,
    /// Whether it wants to see spans.
    pub(super) observes: bool,
    pub(super) options: SamplingOptions,
    pub(super) generation: u32,
    /// The judge's policies by their numbers in this process.
    policies: Vec<PolicyNo>,
    /// Traces that it will have to decide.
    pub(super) pending: u64,
}

/// One or two of them.
#[derive(Debug)]
pub(super) struct Judges {
    pub(super) current: Seat,
    pub(super) previous: Option<Seat>,
}

impl Judges {
    pub(super) fn new(sampling: Option<&Arc<dyn Sampling>>, names: &PolicyNames) -> Self {
        Self { current: Seat::new(sampling, names), previous: None }
    }

    /// Traces that begin from now on are another's, who goes on from what was learned.
    pub(super) fn replace(&mut self, sampling: Option<&Arc<dyn Sampling>>, names: &PolicyNames) {
        let before = std::mem::replace(&mut self.current, Seat::new(sampling, names));
        self.current.judge.restore(&before.judge.checkpoint());
        self.previous = Some(before);
        self.retire();
    }

    /// Lets the previous judge go when it has nothing to decide any more.
    pub(super) fn retire(&mut self) {
        if let Some(previous) = self.previous.take_if(|previous| previous.pending == 0)
            && self.current.generation == OFF
        {
            previous.sampling.retire();
        }
    }

    /// Whose a trace is that began under this generation.
    #[inline]
    pub(super) fn of(&mut self, generation: u32) -> &mut Seat {
        match &mut self.previous {
            Some(previous) if generation == previous.generation => previous,
            _ => &mut self.current,
        }
    }
}

impl Seat {
    fn new(sampling: Option<&Arc<dyn Sampling>>, names: &PolicyNames) -> Self {
        let off: Arc<dyn Sampling> = Arc::new(Off);
        let sampling = sampling.unwrap_or(&off).clone();
        let judge = sampling.judge();
        let policies = judge.policies().iter().map(|name| names.number(name)).collect();
        let observes = judge.observes();
        let (options, generation) = (sampling.options(), sampling.generation());
        Self { sampling, judge, observes, options, generation, policies, pending: 0 }
    }

    /// The decision, fit to be kept for good.
    pub(super) fn decide(&mut self, account: &TraceAccount, cause: Cause, now_ns: u64) -> Outcome {
        let Decision { keep, policy, adjusted_count, is_probabilistic } = self.judge.decide(account, cause, now_ns);
        let policy = *self.policies.get(policy).expect("a judge decides by one of its policies");
        // Less than one, infinite or no number at all: it stands for itself.
        let is_sound = adjusted_count.is_finite() && adjusted_count >= 1.0;
        let adjusted_count = if is_sound && keep { adjusted_count } else { 1.0 };
        Outcome { keep, policy, adjusted_count, is_probabilistic }
    }

    /// The judge's own number of a policy.
    pub(super) fn policy(&self, policy: PolicyNo) -> Option<usize> {
        self.policies.iter().position(|known| *known == policy)
    }
}

/// Keeps everything that is still waiting for a verdict.
#[derive(Debug)]
struct Off;

impl Sampling for Off {
    fn generation(&self) -> u32 {
        OFF
    }

    fn options(&self) -> SamplingOptions {
        SamplingOptions {
            decision_wait: Duration::ZERO,
            decision_wait_after_root: None,
            pending_traces_max: u64::MAX,
            pending_bytes_max: u64::MAX,
            trace_bytes_max: u64::MAX,
            kept_cache_traces_max: 0,
            dropped_cache_traces_max: 0,
        }
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(NoMarker)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(KeepAll)
    }
}

struct NoMarker;

impl SpanMarker for NoMarker {
    fn mark(&mut self, _span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        marks.push(SpanMark::default());
    }
}

#[derive(Debug)]
struct KeepAll;

impl Judge for KeepAll {
    fn policies(&self) -> Vec<String> {
        vec![SAMPLING_OFF.to_owned()]
    }

    fn observes(&self) -> bool {
        false
    }

    fn observe(&mut self, _span: &ArrivedSpan<'_>, _account: &mut TraceAccount) {}

    fn decide(&mut self, _account: &TraceAccount, _cause: Cause, _now_ns: u64) -> Decision {
        Decision { keep: true, policy: 0, adjusted_count: 1.0, is_probabilistic: false }
    }

    fn recall(&mut self, _account_spans: u32, _kept: bool, _policy: usize, _journal_time_ns: u64) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _checkpoint: &[u8]) {}

    fn report(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
