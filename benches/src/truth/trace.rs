//! What one trace is: its operation, its spans, whether it failed or was slow, and how it arrives.

use weir_proto::{SpanId, TraceId};

use super::operations::{LATE_STEP, OPERATIONS, RARE, STEPS, drawn};
use crate::rng::{mix, nth};

/// How a trace arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// In one batch.
    Whole,
    /// Its spans over several batches.
    Scattered,
    /// The root in a later batch than everything else.
    RootLast,
    /// Everything but the root.
    Rootless,
}

/// One span as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueSpan {
    /// Its id.
    pub id: SpanId,
    /// `None`: the root.
    pub parent: Option<SpanId>,
    /// The operation, but for the service.
    pub name: String,
    /// Whose it is.
    pub service: &'static str,
    /// From the start of the trace to its start.
    pub after_ns: u64,
    /// From its start to its end.
    pub duration_ns: u64,
    /// Status ERROR.
    pub failed: bool,
    /// How many batches after the trace's own it comes.
    pub batches_later: u64,
}

/// One trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrueTrace {
    /// Counts the traces of a seed.
    pub number: u64,
    /// How it arrives.
    pub shape: Shape,
    /// One span has status ERROR.
    pub failed: bool,
    /// The root takes 6 to 12 times as long as usual, when its operation has been seen often enough to know.
    pub slow: bool,
    /// `customer.tier` is `gold`.
    pub gold: bool,
    /// A rare operation's number.
    pub rare: Option<u64>,
    /// Index of its operation; of no meaning for a rare one.
    pub operation: usize,
    key: u64,
}

/// Of 10,000 traces: failed, slow, of a gold customer.
const FAILED_PER_10_000: u64 = 100;
const SLOW_PER_10_000: u64 = 20;
const GOLD_PER_10_000: u64 = 30;

/// Every so many traces one is of a rare operation; each has two.
const RARE_EVERY: u64 = 997;

/// Nothing is slow before so many spans of its operation, on average, have come.
const KNOWN_AFTER: u64 = 1_000;

/// Most batches between the first and the last span.
pub(super) const LATER_MAX: u64 = 4;

impl TrueTrace {
    /// The `number`th trace of a seed.
    pub fn new(seed: u64, number: u64) -> Self {
        let key = nth(mix(seed), number);
        let of_10_000 = |draw: u64| below(nth(key, draw), 10_000);
        let operation = drawn(below(nth(key, 1), 100_000));
        let rare = (number % RARE_EVERY == RARE_EVERY / 2).then_some(number / RARE_EVERY / 2);
        let shape = match of_10_000(2) {
            _ if rare.is_some() => Shape::Whole,
            0..500 => Shape::Scattered,
            500..700 => Shape::RootLast,
            700..800 => Shape::Rootless,
            _ => Shape::Whole,
        };
        let is_known = number * OPERATIONS[operation].per_100_000 > KNOWN_AFTER * 100_000;
        Self {
            number,
            shape,
            failed: of_10_000(3) < FAILED_PER_10_000,
            slow: rare.is_none() && shape != Shape::Rootless && is_known && of_10_000(4) < SLOW_PER_10_000,
            gold: of_10_000(5) < GOLD_PER_10_000,
            rare,
            operation,
            key,
        }
    }

    /// Whether a policy wants it for certain.
    pub fn must_stay(&self) -> bool {
        self.failed || self.slow || self.gold || self.rare.is_some()
    }

    /// Its id.
    pub fn id(&self) -> TraceId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&nth(self.key, 6).to_be_bytes());
        // Never all zero.
        id[8..].copy_from_slice(&(nth(self.key, 7) | 1).to_be_bytes());
        TraceId(id)
    }

    /// The name of its root, whether it is sent or not.
    pub fn root_name(&self) -> String {
        match self.rare {
            Some(rare) => format!("{RARE}{rare}"),
            None => OPERATIONS[self.operation].name.to_owned(),
        }
    }

    /// How many spans are sent, without a late one.
    pub fn span_count(&self) -> u64 {
        self.steps() + u64::from(self.shape != Shape::Rootless)
    }

    /// Its spans but for a late one, the root first where there is one.
    pub fn spans(&self) -> Vec<TrueSpan> {
        let operation = OPERATIONS[self.operation];
        let mut spans = Vec::with_capacity(1 + STEPS.len());
        if self.shape != Shape::Rootless {
            let factor = if self.slow { 6 + below(nth(self.key, 8), 7) } else { 1 };
            spans.push(TrueSpan {
                id: self.span_id(0),
                parent: None,
                name: self.root_name(),
                service: if self.rare.is_some() { "admin" } else { operation.service },
                after_ns: 0,
                duration_ns: about(operation.usual_ns, nth(self.key, 9)) * factor,
                failed: false,
                batches_later: if self.shape == Shape::RootLast { LATER_MAX } else { 0 },
            });
        }
        let first = below(nth(self.key, 10), STEPS.len() as u64);
        for step in 0..self.steps() {
            let (name, service, usual_ns) = STEPS[(first + step) as usize % STEPS.len()];
            spans.push(TrueSpan {
                id: self.span_id(1 + step),
                parent: Some(self.span_id(0)),
                name: name.to_owned(),
                service,
                after_ns: 100_000 * (1 + step),
                duration_ns: about(usual_ns, nth(self.key, 20 + step)),
                failed: false,
                batches_later: if self.shape == Shape::Scattered { step.min(LATER_MAX) } else { 0 },
            });
        }
        if self.failed {
            let which = below(nth(self.key, 11), spans.len() as u64) as usize;
            spans[which].failed = true;
        }
        spans
    }

    /// A span that comes when the trace is decided.
    pub fn late_span(&self, failed: bool) -> TrueSpan {
        let (name, service, usual_ns) = LATE_STEP;
        TrueSpan {
            id: self.span_id(15),
            parent: Some(self.span_id(0)),
            name: name.to_owned(),
            service,
            after_ns: 50_000,
            duration_ns: about(usual_ns, nth(self.key, 40)),
            failed,
            batches_later: 0,
        }
    }

    /// From the earliest start to the latest end, without a late span.
    pub fn duration_ns(&self) -> u64 {
        let spans = self.spans();
        let start = spans.iter().map(|span| span.after_ns).min().unwrap_or_default();
        let end = spans.iter().map(|span| span.after_ns + span.duration_ns).max().unwrap_or_default();
        end - start
    }

    /// Two are there at least, so that a trace can be scattered.
    fn steps(&self) -> u64 {
        2 + below(nth(self.key, 12), STEPS.len() as u64 - 1)
    }

    fn span_id(&self, number: u64) -> SpanId {
        SpanId((nth(self.key, 100 + number) | 1).to_le_bytes())
    }
}

/// 80 to 120 % of `usual`.
fn about(usual: u64, bits: u64) -> u64 {
    usual * 4 / 5 + below(bits, usual * 2 / 5)
}

fn below(bits: u64, end: u64) -> u64 {
    ((u128::from(bits) * u128::from(end)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn shares_are_what_they_say_and_ids_are_unique() {
        let traces: Vec<_> = (0..100_000).map(|number| TrueTrace::new(3, number)).collect();
        let count = |is: fn(&TrueTrace) -> bool| traces.iter().filter(|trace| is(trace)).count();
        assert!((900..1_100).contains(&count(|trace| trace.failed)));
        assert!((240..360).contains(&count(|trace| trace.gold)));
        assert!((120..230).contains(&count(|trace| trace.slow)));
        assert_eq!(count(|trace| trace.rare.is_some()), 100);
        assert!((4_700..5_300).contains(&count(|trace| trace.shape == Shape::Scattered)));
        assert!(count(|trace| trace.shape == Shape::Rootless) > 800);
        let ids: HashSet<_> = traces.iter().map(TrueTrace::id).collect();
        assert_eq!(ids.len(), traces.len());
    }

    #[test]
    fn spans_are_what_the_trace_says() {
        for number in 0..20_000 {
            let trace = TrueTrace::new(5, number);
            let spans = trace.spans();
            assert_eq!(spans, TrueTrace::new(5, number).spans());
            assert_eq!(spans.len() as u64, trace.span_count());
            assert_eq!(spans.iter().filter(|span| span.failed).count(), usize::from(trace.failed));
            assert_eq!(spans.iter().any(|span| span.parent.is_none()), trace.shape != Shape::Rootless);
            let ids: HashSet<_> = spans.iter().map(|span| span.id).chain([trace.late_span(false).id]).collect();
            assert_eq!(ids.len(), spans.len() + 1);
            let scattered = spans.iter().any(|span| span.batches_later > 0);
            assert_eq!(scattered, matches!(trace.shape, Shape::Scattered | Shape::RootLast));
            if trace.rare.is_none() && trace.shape != Shape::Rootless {
                let usual = OPERATIONS[trace.operation].usual_ns as f64;
                assert_eq!(spans[0].duration_ns as f64 > 4.0 * usual, trace.slow);
            }
        }
    }
}
