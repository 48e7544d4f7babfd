//! Where traces are sampled: what was dropped is in no answer, before it is sealed as after.

use std::sync::Arc;

use weir_proto::{
    otlp::traces::{Checks, ScannedSpan, scan},
    time::Clock,
};
use weir_store::{
    Store, TracesBatch,
    sampling::{ArrivedSpan, Cause, Decision, Judge, Sampling, SamplingOptions, SpanMark, SpanMarker, TraceAccount},
};

use super::{traffic::*, *};

/// Keeps one trace in three, each for four; decides at once.
#[derive(Debug)]
struct OneInThree;

/// Spans that are kept, and pending ones.
const KEPT: u64 = 200;

impl Sampling for OneInThree {
    fn generation(&self) -> u32 {
        1
    }

    fn options(&self) -> SamplingOptions {
        SamplingOptions {
            decision_wait: std::time::Duration::from_secs(3600),
            decision_wait_after_root: None,
            pending_traces_max: 1_000,
            pending_bytes_max: 1 << 30,
            trace_bytes_max: 1,
            kept_cache_traces_max: 1_000,
            dropped_cache_traces_max: 1_000,
        }
    }

    fn marker(&self) -> Box<dyn SpanMarker + '_> {
        Box::new(Self)
    }

    fn judge(&self) -> Box<dyn Judge> {
        Box::new(Self)
    }
}

impl SpanMarker for OneInThree {
    fn mark(&mut self, span: &ScannedSpan<'_>, marks: &mut Vec<SpanMark>) {
        let is_root = span.span.parent_span_id.is_empty();
        marks.push(SpanMark { bytes: span.span.bytes.len() as u32, is_root, ..SpanMark::default() });
    }
}

impl Judge for OneInThree {
    fn policies(&self) -> Vec<String> {
        vec!["one in three".into()]
    }

    fn observe(&mut self, _: &ArrivedSpan<'_>, _: &mut TraceAccount) {}

    fn decide(&mut self, account: &TraceAccount, _: Cause, _: u64) -> Decision {
        let keep = (u128::from_be_bytes(account.trace_id.0) - 1).is_multiple_of(3);
        Decision { keep, policy: 0, adjusted_count: 4.0, is_probabilistic: true }
    }

    fn recall(&mut self, _: u32, _: bool, _: usize, _: u64) {}

    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _: &[u8]) {}

    fn report(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

fn marked(mut batch: TracesBatch) -> TracesBatch {
    batch.generation = 1;
    let summaries = &mut batch.summaries;
    scan(&batch.payload, Checks::Journalled, |scanned| summaries.mark(&mut OneInThree, scanned)).expect("canonical");
    batch
}

async fn until_decided(store: &Store) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
    while store.snapshot().ledger().traces.values().any(|tally| tally.pending > 0) {
        ticks.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_spans_are_not_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(options(&folder), Some(Arc::new(OneInThree)), Clock::fixed(T0)).await.expect("opens");
    for from in (0..SPANS).step_by(50) {
        store.append_traces(marked(batch(from..from + 50))).await.expect("appended");
    }
    until_decided(&store).await;
    for is_sealed in [false, true] {
        if is_sealed {
            store.roll().await;
            until_sealed(&store).await;
        }
        let context = session(store.snapshot());
        for (sql, expected) in [
            ("SELECT count(*) FROM spans", KEPT.to_string()),
            (
                "SELECT count(*), count(span_id) FROM spans WHERE start_time > '1970-01-01T00:00:00Z'",
                format!("{KEPT}|{KEPT}"),
            ),
            ("SELECT count(*) FROM spans a JOIN spans b USING (span_id)", KEPT.to_string()),
            ("SELECT sum(adjusted_count) FROM spans", format!("{}.0", KEPT * 4)),
            ("SELECT state, sum(adjusted_count) FROM spans GROUP BY state", format!("kept|{}.0", KEPT * 4)),
        ] {
            assert_eq!(lines(&context, sql).await, [expected], "{sql}, sealed: {is_sealed}");
        }
    }
}
