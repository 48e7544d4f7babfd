//! The block as a whole: the Collector's keys, what the store is told, marks and reloads.

use std::time::Duration;

use prost::Message;
use serde_json::{Value, from_value, json};
use weir_proto::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        trace::v1::{ResourceSpans, ScopeSpans, Span, Status},
    },
    traces::{Checks, scan},
};
use weir_store::sampling::{SamplingOptions, SpanMark};

use super::*;

fn config(value: Value) -> TailSamplingConfig {
    from_value(value).expect("valid")
}

fn errors() -> Value {
    json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } })
}

fn all() -> Value {
    json!({ "name": "flagged", "type": "trace_flags" })
}

#[test]
fn defaults_are_the_collectors() {
    let defaults = config(json!({ "policies": [errors()] }));
    assert_eq!(
        defaults.options(),
        SamplingOptions {
            decision_wait: Duration::from_secs(30),
            decision_wait_after_root: None,
            pending_traces_max: 50_000,
            pending_bytes_max: 8 << 30,
            trace_bytes_max: u64::MAX,
            kept_cache_traces_max: 50_000,
            dropped_cache_traces_max: 50_000,
        }
    );
    let written = config(json!({
        "decision_wait": "10s", "decision_wait_after_root_received": "2s", "num_traces": 100, "expected_new_traces_per_sec": 10,
        "decision_cache": { "sampled_cache_size": 1000, "non_sampled_cache_size": 2000 }, "sample_on_first_match": true,
        "drop_pending_traces_on_shutdown": true, "maximum_trace_size_bytes": 5000, "block_on_overflow": true,
        "sampling_strategy": "trace-complete", "num_shards": 4, "dry_run": false, "pending_size_max": "1GiB",
        "policies": [errors()],
    }));
    assert_eq!(
        written.options(),
        SamplingOptions {
            decision_wait: Duration::from_secs(10),
            decision_wait_after_root: Some(Duration::from_secs(2)),
            pending_traces_max: 100,
            pending_bytes_max: 1 << 30,
            trace_bytes_max: 5000,
            kept_cache_traces_max: 1000,
            dropped_cache_traces_max: 2000,
        }
    );
    for wrong in [
        json!({ "policies": [errors()], "num_traces": 0 }),
        json!({ "policies": [errors()], "decision_wait": "2h" }),
        json!({ "policies": [errors()], "decision_cache": { "sampled_cache_size": 1_000_000_000_u64 } }),
    ] {
        config(wrong).check().expect_err("out of bounds");
    }
    for wrong in [json!({}), json!({ "policies": [errors()], "sampling_strategy": "span-ingest" })] {
        from_value::<TailSamplingConfig>(wrong).expect_err("cannot be");
    }
}

fn marks(sampling: &TailSampling) -> Vec<SpanMark> {
    let span = |code: i32, flags: u32, parent: &[u8]| Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        parent_span_id: parent.to_vec(),
        flags,
        status: Some(Status { code, ..Status::default() }),
        ..Span::default()
    };
    let spans = vec![span(2, 0, &[]), span(0, 1, &[2; 8]), span(2, 1, &[0; 8])];
    let payload = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    let mut marker = sampling.marker();
    let mut marks = Vec::new();
    scan(&payload, Checks::Journalled, |scanned| marker.mark(scanned, &mut marks)).expect("well formed");
    marks
}

#[test]
fn a_reload_marks_for_both_configurations() {
    let block = |policies: Value| [("tail_sampling".to_owned(), config(json!({ "policies": policies })))];
    let first = TailSampling::new(&block(json!([errors(), all()])), None).expect("valid");
    let second = TailSampling::new(&block(json!([all()])), Some(&first)).expect("valid");
    assert_eq!((first.generation(), second.generation()), (1, 2));
    let before = marks(&first);
    assert_eq!(before.iter().map(|mark| mark.bits).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(before.iter().map(|mark| mark.is_root).collect::<Vec<_>>(), [true, false, true]);
    assert!(before.iter().all(|mark| mark.previous_bits == 0 && mark.bytes > 30 && mark.key == 0));
    let after = marks(&second);
    assert_eq!(after.iter().map(|mark| mark.bits).collect::<Vec<_>>(), [0, 1, 1]);
    assert_eq!(after.iter().map(|mark| mark.previous_bits).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(second.judge().policies(), ["flagged", "no_policy"]);
}
