//! Spans, and what becomes of them in each mode.

use prost::Message;
use serde_json::{Value, from_value, json};
use weir_proto::otlp::{
    messages::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value as Any},
        trace::v1::{ResourceSpans, ScopeSpans, Span},
    },
    traces::{Checks, scan},
};

use super::*;

fn sampler(config: Value) -> HeadSampler {
    HeadSampler::new(&from_value(config).expect("a valid configuration"))
}

/// What becomes of a span with these last 56 bits of trace id, this tracestate and priority.
fn fate(sampler: &HeadSampler, random: u64, trace_state: &str, priority: Option<Any>) -> String {
    let mut trace_id = vec![9; 8];
    trace_id.extend(random.to_be_bytes());
    let priority = priority.map(|value| KeyValue {
        key: "sampling.priority".into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    });
    let span = Span {
        trace_id,
        span_id: vec![1; 8],
        trace_state: trace_state.into(),
        attributes: priority.into_iter().collect(),
        ..Span::default()
    };
    let payload = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    let mut fate = None;
    scan(&payload, Checks::Journalled, |scanned| fate = Some(sampler.fate(&scanned.span))).expect("well formed");
    match fate.expect("one span") {
        Fate::Unchanged => "as it is".into(),
        Fate::Dropped => "dropped".into(),
        Fate::TraceState(trace_state) => String::from_utf8(trace_state).expect("ASCII"),
    }
}

const LOW: u64 = 0x10_0000_0000_0000;
const MIDDLE: u64 = 0x90_0000_0000_0000;
const HIGH: u64 = 0xf0_0000_0000_0000;

#[test]
fn proportional_takes_a_share_of_what_comes() {
    let quarter = sampler(json!({ "sampling_percentage": 25 }));
    let cases = [
        (LOW, "", "dropped"),
        (MIDDLE, "", "dropped"),
        (HIGH, "", "ot=th:c"),
        (HIGH, "a=b", "ot=th:c,a=b"),
        // Half before, an eighth after.
        (HIGH, "ot=th:8", "ot=th:e"),
        (0xd0_0000_0000_0000, "ot=th:8", "dropped"),
        // An explicit random number goes before the trace id's.
        (LOW, "ot=rv:f0000000000000", "ot=th:c;rv:f0000000000000"),
        (HIGH, "ot=rv:10000000000000", "dropped"),
        // A threshold that the span itself contradicts, and a tracestate that is none.
        (LOW, "ot=th:8", "dropped"),
        (HIGH, "no tracestate", "dropped"),
    ];
    for (random, before, after) in cases {
        assert_eq!(fate(&quarter, random, before, None), after, "{random:x} {before}");
    }
    let open = sampler(json!({ "sampling_percentage": 25, "mode": "proportional", "fail_closed": false }));
    assert_eq!(fate(&open, LOW, "ot=th:8", None), "as it is");
    assert_eq!(fate(&open, HIGH, "no tracestate", None), "as it is");
    assert_eq!(fate(&open, LOW, "", None), "dropped");
}

#[test]
fn equalizing_lowers_to_the_percentage() {
    let quarter = sampler(json!({ "sampling_percentage": 25, "mode": "equalizing" }));
    let cases = [
        (HIGH, "", "ot=th:c"),
        (HIGH, "ot=th:8", "ot=th:c"),
        (HIGH, "ot=th:c", "as it is"),
        (HIGH, "ot=th:e", "as it is"),
        (MIDDLE, "ot=th:8", "dropped"),
    ];
    for (random, before, after) in cases {
        assert_eq!(fate(&quarter, random, before, None), after, "{random:x} {before}");
    }
}

#[test]
fn digits_of_the_threshold() {
    let third = |digits: u32| sampler(json!({ "sampling_percentage": 33.333, "sampling_precision": digits }));
    assert_eq!(fate(&third(1), HIGH, "", None), "ot=th:b");
    assert_eq!(fate(&third(4), HIGH, "", None), "ot=th:aaab");
    assert_eq!(fate(&third(6), HIGH, "", None), "ot=th:aaaae3");
}

#[test]
fn hash_seed_is_the_collectors_hash() {
    let half = sampler(json!({ "sampling_percentage": 50, "hash_seed": 22 }));
    let fates: Vec<String> =
        (1..=40).map(|n| fate(&half, 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(n), "", None)).collect();
    let kept: Vec<usize> = (1..=40).filter(|n| fates[n - 1] != "dropped").collect();
    // FNV-1a 32 of the seed and the id, its last 14 bits below 8192: by another implementation.
    assert_eq!(kept, [1, 4, 10, 11, 13, 14, 16, 20, 22, 23, 27, 30, 33, 34, 35, 39, 40]);
    assert_eq!(fates[kept[0] - 1], "ot=th:8;rv:f5bc299e650290");
    assert_eq!(fate(&half, HIGH, "ot=th:8", None), "dropped", "thresholds and hashes do not mix");
    let none = sampler(json!({ "sampling_percentage": 0.001, "mode": "hash_seed" }));
    assert_eq!(none.share, Share::None);
    let all = sampler(json!({ "sampling_percentage": 100, "mode": "hash_seed" }));
    assert!((1..=40).all(|n| fate(&all, n, "", None).starts_with("ot=th:0;rv:")));
}

#[test]
fn priority_goes_before_chance() {
    let none = sampler(json!({ "sampling_percentage": 0 }));
    let all = sampler(json!({ "sampling_percentage": 100 }));
    assert_eq!(fate(&none, HIGH, "", None), "dropped");
    assert_eq!(fate(&all, LOW, "", None), "ot=th:0");
    for (value, of_none, of_all) in [
        (Any::IntValue(1), "ot=th:0", "ot=th:0"),
        (Any::DoubleValue(0.5), "ot=th:0", "ot=th:0"),
        (Any::StringValue("2".into()), "ot=th:0", "ot=th:0"),
        (Any::IntValue(0), "dropped", "dropped"),
        (Any::StringValue("0.0".into()), "dropped", "dropped"),
        (Any::IntValue(-1), "dropped", "ot=th:0"),
        (Any::StringValue("high".into()), "dropped", "ot=th:0"),
        (Any::BoolValue(true), "dropped", "ot=th:0"),
    ] {
        assert_eq!(fate(&none, LOW, "", Some(value.clone())), of_none, "{value:?}");
        assert_eq!(fate(&all, LOW, "", Some(value.clone())), of_all, "{value:?}");
    }
    assert_eq!(fate(&none, LOW, "no tracestate", Some(Any::IntValue(1))), "as it is");
    assert_eq!(fate(&none, HIGH, "ot=th:8", Some(Any::IntValue(1))), "as it is", "what was lost before stays lost");
}

#[test]
fn wrong_settings() {
    for (config, said) in [
        (json!({}), "missing field `sampling_percentage`"),
        (json!({ "sampling_percentage": -1 }), "not a percentage"),
        (json!({ "sampling_percentage": 1e-20 }), "too small"),
        (json!({ "sampling_percentage": 1, "sampling_precision": 0 }), "not 1 to 14"),
        (json!({ "sampling_percentage": 1, "sampling_precision": 15 }), "not 1 to 14"),
        (json!({ "sampling_percentage": 1, "mode": "other" }), "unknown variant"),
        (json!({ "sampling_percentage": 1, "attribute_source": "span" }), "unknown variant"),
        (json!({ "sampling_percentage": 1, "hash_seed": -1 }), "u32"),
        (json!({ "sampling_percentage": 1, "sample": 1 }), "unknown field"),
    ] {
        let error = from_value::<ProbabilisticSamplerConfig>(config.clone()).expect_err("wrong").to_string();
        assert!(error.contains(said), "{config}: {error}");
    }
    let logs = json!({ "sampling_percentage": 1, "attribute_source": "record", "from_attribute": "id", "sampling_priority": "p" });
    from_value::<ProbabilisticSamplerConfig>(logs).expect("keys for logs are read");
}
