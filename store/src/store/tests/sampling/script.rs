//! A configuration and a judge for tests: which traces are kept follows from their numbers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use weir_proto::otlp::traces::{Checks, ScannedSpan, scan};

use crate::{
    sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, TraceAccount},
    store::TracesBatch,
    verdict::mark::{SpanMark, SpanMarker},
};

/// Marks the spans that make their trace worth keeping.
#[derive(Debug, Clone)]
pub(in crate::store::tests) struct Script {
    pub(super) generation: u32,
    pub(in crate::store::tests) options: SamplingOptions,
    /// Whether a span, by its number, makes its trace worth keeping.
    pub(super) wants: fn(u64) -> bool,
    /// The same under the configuration before.
    pub(super) wanted: fn(u64) -> bool,
    /// The judge has nothing to learn, or panics, …
    pub(super) mood: Mood,
    pub(super) is_retired: Arc<AtomicBool>,
}

/// What is special about a judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Plain,
    /// Counts what it has seen and decided, and keeps the counts.
    Learns,
    /// Panics when it decides.
    Panics,
}

/// Of the five spans of a trace, the third one of every third trace.
pub(super) fn every_third(n: u64) -> bool {
    n % 5 == 2 && (n / 5).is_multiple_of(3)
}

impl Script {
    /// Waits a second; the cache is large.
    pub(in crate::store::tests) fn new() -> Self {
        let options = SamplingOptions {
            decision_wait: Duration::from_secs(1),
            decision_wait_after_root: None,
            pending_traces_max: 1_000_000,
            pending_bytes_max: 1 << 40,
            trace_bytes_max: 1 << 30,
            kept_cache_traces_max: 1000,
            dropped_cache_traces_max: 1000,
        };
        Self {
            generation: 1,
            options,
            wants: every_third,
            wanted: |_| false,
            mood: Mood::Plain,
            is_retired: Arc::default(),
        }
    }

    /// A cache of this many traces of each kind.
    pub(super) fn caching(traces: u64) -> Self {
        let mut script = Self::new();
        script.options.kept_cache_traces_max = traces;
        script.options.dropped_cache_traces_max = traces;
        script
    }

    pub(super) fn shared(self) -> Option<Arc<dyn Sampling>> {
        Some(Arc::new(self))
    }
}

/// What admission does when something samples.
pub(in crate::store::tests) fn mark(batch: &mut TracesBatch, sampling: &dyn Sampling) {
    batch.generation = sampling.generation();
    let rejected = &batch.rejected;
    let summaries = &mut batch.summaries;
    let mut marker = sampling.marker();
    scan(&batch.payload, Checks::Journalled, |scanned| {
        if !rejected.iter().any(|rejection| rejection.ordinal == scanned.ordinal) {
            summaries.mark(&mut *marker, scanned);
        }
    })
    .expect("canonical");
}

impl Sampling for Script {
    fn generation(&self) -> u32 {
        self.generation
    }

    fn options(&self) -> SamplingOptions {
        self.options.clone()
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(self)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(ScriptedJudge { mood: self.mood, ..ScriptedJudge::default() })
    }

    fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }
}

impl SpanMarker for &Script {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        let id: [u8; 8] = span.span.span_id.try_into().expect("a span of these tests");
        let n = u64::from_be_bytes(id) - 1;
        marks.push(SpanMark {
            bits: u64::from((self.wants)(n)),
            previous_bits: u64::from((self.wanted)(n)),
            key: n,
            bytes: span.span.bytes.len() as u32,
            is_root: n.is_multiple_of(5),
        });
    }
}

/// Keeps what has bit 0.
#[derive(Debug)]
struct ScriptedJudge {
    mood: Mood,
    observed: u64,
    /// Decided, by it or by one before it.
    used: u64,
    last_ns: u64,
}

impl Default for ScriptedJudge {
    fn default() -> Self {
        Self { mood: Mood::Plain, observed: 0, used: 0, last_ns: 0 }
    }
}

impl Judge for ScriptedJudge {
    fn policies(&self) -> Vec<String> {
        ["wanted", "rest", "crowd"].map(str::to_owned).to_vec()
    }

    fn observe(&mut self, span: &ArrivedSpan<'_>, account: &mut TraceAccount) {
        assert_eq!(span.service, spans_service(span.mark.key).as_bytes());
        assert!(account.notes[0] < u64::from(account.spans), "each span once, after the account");
        assert!(span.arrived_ns >= self.last_ns, "journal time never goes back");
        self.last_ns = span.arrived_ns;
        if account.notes[0] == 0 || span.mark.is_root {
            account.notes[1] = span.operation;
        }
        account.notes[0] += 1;
        self.observed += 1;
    }

    fn decide(&mut self, account: &TraceAccount, cause: Cause, now_ns: u64) -> Decision {
        assert!(self.mood != Mood::Panics, "as the test wants");
        assert_eq!(account.notes[0], u64::from(account.spans), "each span was seen");
        assert_eq!(account.operation, account.notes[1], "the root's, or the first span's");
        assert!(now_ns >= self.last_ns, "journal time never goes back");
        self.last_ns = now_ns;
        self.used += 1;
        let keep = account.bits & 1 == 1;
        let policy = match (keep, cause) {
            (true, _) => 0,
            (false, Cause::Due) => 1,
            (false, _) => 2,
        };
        let adjusted_count = if keep { 2.5 } else { f64::NAN };
        Decision { keep, policy, adjusted_count, is_probabilistic: keep }
    }

    fn recall(&mut self, _account_spans: u32, _kept: bool, _policy: usize, _journal_time_ns: u64) {
        self.used += 1;
    }

    fn checkpoint(&self) -> Vec<u8> {
        if self.mood == Mood::Learns { [self.observed, self.used].map(u64::to_le_bytes).concat() } else { Vec::new() }
    }

    fn restore(&mut self, checkpoint: &[u8]) {
        let (counts, _) = checkpoint.as_chunks::<8>();
        if let [observed, used] = *counts {
            (self.observed, self.used) = (u64::from_le_bytes(observed), u64::from_le_bytes(used));
        }
    }

    fn report(&self) -> serde_json::Value {
        serde_json::json!({"observed": self.observed, "used": self.used})
    }
}

fn spans_service(n: u64) -> String {
    super::spans::operation(n).service
}
