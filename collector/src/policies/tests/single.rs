//! One policy, some traces, the verdict for each.

use serde_json::{Value, json};
use weir_proto::otlp::messages::common::v1::any_value::Value as Any;

use super::trace::{Bench, TestSpan, span};

/// Whether each trace is kept by a policy of this type and settings.
fn check(kind: &str, settings: Value, traces: &[(&[TestSpan], bool)]) {
    let mut bench = Bench::new(json!([{ "name": "p", "type": kind, kind: settings }]));
    for (number, (spans, kept)) in traces.iter().enumerate() {
        assert_eq!(bench.keeps(number as u128 + 1, spans), *kept, "{kind} {settings}: trace {number}");
    }
}

#[test]
fn always_sample() {
    check("always_sample", json!({}), &[(&[span()], true)]);
    assert!(Bench::new(json!([{ "name": "p", "type": "always_sample" }])).keeps(1, &[span()]));
}

#[test]
fn latency() {
    let five = json!({ "threshold_ms": 5000 });
    check(
        "latency",
        five,
        &[
            (&[span().at(1000, 6000)], false),
            // Whole milliseconds are compared.
            (&[span().at(1000, 6000).longer_by_ns(999_999)], false),
            (&[span().at(1000, 6001)], true),
            // From the earliest start to the latest end, whatever lies between.
            (&[span().at(9000, 9100), span().at(1000, 1100)], true),
            (&[span().at(6000, 1000)], false),
        ],
    );
    check(
        "latency",
        json!({ "threshold_ms": 5000, "upper_threshold_ms": 10_000 }),
        &[
            (&[span().at(1000, 6000)], false),
            (&[span().at(1000, 6001)], true),
            (&[span().at(1000, 11_000)], true),
            (&[span().at(1000, 11_000).longer_by_ns(999_999)], true),
            (&[span().at(1000, 11_001)], false),
        ],
    );
}

#[test]
fn numeric_attribute() {
    let traces = |from: bool, inside: bool, above: bool| {
        [
            (vec![span().int("key1", 49)], from),
            (vec![span().int("key1", 50)], inside),
            (vec![span().int("other", 50), span().int("key1", 100)], inside),
            (vec![span().int("key1", 101)], above),
            (vec![span().text("key1", "75")], false),
            (vec![span().with("key1", Any::DoubleValue(75.5))], inside),
            (vec![span().with("key1", Any::DoubleValue(f64::NAN))], false),
            (vec![span().with("key1", Any::DoubleValue(1e19))], above),
            (vec![span().with("key1", Any::DoubleValue(-1e19))], from),
            (vec![span().of("key1", Any::IntValue(75))], inside),
            (vec![span()], false),
        ]
    };
    for (settings, from, inside, above) in [
        (json!({ "key": "key1", "min_value": 50, "max_value": 100 }), false, true, false),
        (json!({ "key": "key1", "min_value": 50 }), false, true, true),
        (json!({ "key": "key1", "max_value": 100 }), true, true, false),
        (json!({ "key": "key1" }), true, true, true),
    ] {
        for (spans, kept) in &traces(from, inside, above) {
            check("numeric_attribute", settings.clone(), &[(spans, *kept)]);
        }
    }
    let inverted = json!({ "key": "key1", "min_value": 50, "max_value": 100, "invert_match": true });
    check(
        "numeric_attribute",
        inverted,
        &[(&[span().int("key1", 49)], true), (&[span().int("key1", 50)], false), (&[span()], true)],
    );
}

#[test]
fn string_attribute() {
    check(
        "string_attribute",
        json!({ "key": "key2", "values": ["value1", "value2", ""] }),
        &[
            (&[span().text("key2", "value1")], true),
            (&[span(), span().text("key2", "value2")], true),
            (&[span().text("key2", "value")], false),
            (&[span().text("key2", "")], false),
            (&[span().text("key3", "value1")], false),
            (&[span().int("key2", 1)], false),
            (&[span().of("key2", Any::StringValue("value1".into()))], true),
            (&[span().text("key2", "no").text("key2", "value1")], false),
            (&[span()], false),
        ],
    );
    check(
        "string_attribute",
        json!({ "key": "k", "values": ["v[0-9]+.HEALTHY", "^a$"], "enabled_regex_matching": true, "cache_max_size": 10 }),
        &[
            (&[span().text("k", "xv12.HEALTHYx")], true),
            (&[span().text("k", "a")], true),
            (&[span().text("k", "ab")], false),
            (&[span().text("k", "v.HEALTHY")], false),
        ],
    );
    check(
        "string_attribute",
        json!({ "key": "k", "values": ["v"], "invert_match": true }),
        &[
            (&[span().text("k", "v")], false),
            (&[span().text("k", "other"), span().text("k", "v")], false),
            (&[span().text("k", "other")], true),
            (&[span()], true),
        ],
    );
}

#[test]
fn boolean_attribute() {
    let yes = || span().with("k", Any::BoolValue(true));
    let no = || span().with("k", Any::BoolValue(false));
    check(
        "boolean_attribute",
        json!({ "key": "k", "value": true }),
        &[
            (&[yes()], true),
            (&[no()], false),
            (&[no(), yes()], true),
            (&[span().text("k", "true")], false),
            (&[span().of("k", Any::BoolValue(true))], true),
            (&[span()], false),
        ],
    );
    check("boolean_attribute", json!({ "key": "k" }), &[(&[no()], true), (&[yes()], false)]);
    let inverted = json!({ "key": "k", "value": true, "invert_match": true });
    check("boolean_attribute", inverted, &[(&[yes()], false), (&[no()], true), (&[span()], true)]);
}

#[test]
fn status_code() {
    check(
        "status_code",
        json!({ "status_codes": ["ERROR", "UNSET"] }),
        &[(&[span()], true), (&[span().status(1)], false), (&[span().status(1), span().status(2)], true)],
    );
    check(
        "status_code",
        json!({ "status_codes": ["OK"] }),
        &[(&[span()], false), (&[span().status(1)], true), (&[span().status(7)], false), (&[span().status(-1)], false)],
    );
}

#[test]
fn trace_state() {
    let with = |trace_state: &str| {
        let mut with = span();
        with.span.trace_state = trace_state.into();
        [with]
    };
    check(
        "trace_state",
        json!({ "key": "key3", "values": ["value1", "value2"] }),
        &[
            (&with("key3=value1"), true),
            (&with("a=b , key3=value2"), true),
            (&with("key3=value3,key3=value1"), false),
            (&with("akey3=value1"), false),
            (&with("key3"), false),
            (&with(""), false),
        ],
    );
    let long = "x".repeat(252);
    check("trace_state", json!({ "key": "key3", "values": [long] }), &[(&with(&format!("key3={long}")), false)]);
}

#[test]
fn trace_flags() {
    let with = |flags: u32| {
        let mut with = span();
        with.span.flags = flags;
        with
    };
    let mut bench = Bench::new(json!([{ "name": "p", "type": "trace_flags" }]));
    assert!(bench.keeps(1, &[with(0), with(0x101)]));
    assert!(!bench.keeps(2, &[with(0), with(0x100)]));
}

#[test]
fn span_count() {
    let spans = vec![span(); 21];
    let cases = [(1, false), (2, true), (20, true), (21, false)];
    for (count, kept) in cases {
        check("span_count", json!({ "min_spans": 2, "max_spans": 20 }), &[(&spans[..count], kept)]);
    }
    check("span_count", json!({ "min_spans": 2 }), &[(&spans[..1], false), (&spans[..21], true)]);
}

#[test]
fn ottl_condition() {
    check(
        "ottl_condition",
        json!({
            "error_mode": "ignore",
            "span": ["attributes[\"test_attr_key_1\"] == \"test_attr_val_1\"", "duration > 1000000000"],
        }),
        &[
            (&[span().text("test_attr_key_1", "test_attr_val_1")], true),
            (&[span().text("test_attr_key_1", "other")], false),
            (&[span(), span().at(0, 1001)], true),
            (&[span()], false),
        ],
    );
}

/// FNV-1a of the salt and the id, compared with the threshold. Expected: by another implementation, with exact fractions.
#[test]
fn probabilistic_keeps_what_the_collector_keeps() {
    let kept = |settings: Value| {
        let mut bench = Bench::new(json!([{ "name": "p", "type": "probabilistic", "probabilistic": settings }]));
        let id = |n: u128| n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        (1..=40).filter(|n| bench.keeps(id(*n), &[span()])).collect::<Vec<u128>>()
    };
    let half = [3, 5, 7, 8, 11, 12, 13, 19, 21, 23, 25, 28, 29, 33, 34, 35, 36, 37];
    assert_eq!(kept(json!({ "sampling_percentage": 50 })), half);
    assert_eq!(kept(json!({ "sampling_percentage": 50, "hash_salt": "" })), half);
    assert_eq!(kept(json!({ "sampling_percentage": 10, "hash_salt": "pepper" })), [1, 3, 7, 32]);
    assert_eq!(kept(json!({ "sampling_percentage": 100 })).len(), 40);
    assert_eq!(kept(json!({ "sampling_percentage": 250.5 })).len(), 40);
    assert_eq!(kept(json!({})).len(), 0);
}
