//! Configurations that are wrong, and those that are merely strange.

use serde_json::{Value, from_value, json};

use crate::processors::tail_sampling::{TailSampling, TailSamplingConfig};

fn error(policies: Value) -> String {
    let config: Result<TailSamplingConfig, _> = from_value(json!({ "policies": policies }));
    match config {
        Err(error) => error.to_string(),
        Ok(config) => config.check().expect_err("something is wrong").1,
    }
}

fn policy(kind: &str, settings: Value) -> Value {
    json!([{ "name": "p", "type": kind, kind: settings }])
}

#[test]
fn says_what_is_wrong() {
    let cases = [
        (json!([]), "at least one policy"),
        (json!([{ "type": "always_sample" }]), "missing field `name`"),
        (json!([{ "name": "p" }]), "missing field `type`"),
        (json!([{ "name": "", "type": "always_sample" }]), "1 to 128 bytes"),
        (json!([{ "name": "x".repeat(129), "type": "always_sample" }]), "1 to 128 bytes"),
        (json!([{ "name": "unknown", "type": "always_sample" }]), "`unknown` is a row of the ledger"),
        (json!([{ "name": "probabilistic_sampler", "type": "always_sample" }]), "`probabilistic_sampler` is a row of"),
        (json!([{ "name": "p", "type": "always" }]), "unknown variant `always`"),
        (json!([{ "name": "p", "type": "always_sample", "extra": 1 }]), "unknown field `extra`"),
        (json!([{ "name": "p", "type": "latency" }]), "missing field `latency`"),
        (json!([{ "name": "p", "type": "latency", "latency": { "threshold": 1 } }]), "unknown field `threshold`"),
        (json!([{ "name": "p", "type": "latency", "probabilistic": {} }]), "settings of probabilistic"),
        (json!([{ "name": "p", "type": "latency", "latency": {}, "probabilistic": {} }]), "settings of two types"),
        (
            json!([{ "name": "p", "type": "always_sample" }, { "name": "p", "type": "trace_flags" }]),
            "two policies named `p`",
        ),
        (policy("latency", json!({ "threshold_ms": -1 })), "u64"),
        (policy("latency", json!({ "threshold_ms": 10, "upper_threshold_ms": 10 })), "not above"),
        (policy("numeric_attribute", json!({ "key": "k", "min_value": 2, "max_value": 1 })), "above max_value"),
        (policy("numeric_attribute", json!({ "key": "", "min_value": 2 })), "key must not be empty"),
        (policy("numeric_attribute", json!({ "key": "k", "min_value": 1e30 })), "i64"),
        (policy("string_attribute", json!({ "key": "k", "values": [] })), "values needs"),
        (policy("string_attribute", json!({ "values": ["v"] })), "missing field `key`"),
        (
            policy("string_attribute", json!({ "key": "k", "values": ["("], "enabled_regex_matching": true })),
            "missing closing )",
        ),
        (
            policy(
                "string_attribute",
                json!({ "key": "k", "values": ["(a{1000}){1000}"], "enabled_regex_matching": true }),
            ),
            "too large",
        ),
        (policy("status_code", json!({ "status_codes": [] })), "at least one"),
        (policy("status_code", json!({ "status_codes": ["BAD"] })), "unknown variant `BAD`"),
        (policy("probabilistic", json!({ "sampling_percentage": -0.1 })), "not a number of 0 or more"),
        (policy("span_count", json!({ "min_spans": 3, "max_spans": 2 })), "below min_spans"),
        (policy("rate_limiting", json!({})), "missing field `spans_per_second`"),
        (policy("rate_limiting", json!({ "spans_per_second": u64::MAX })), "too large"),
        (policy("ottl_condition", json!({})), "conditions together"),
        (policy("ottl_condition", json!({ "span": ["nam == \"a\""] })), "unknown path nam"),
        (policy("ottl_condition", json!({ "error_mode": "explode", "span": ["true"] })), "unknown variant `explode`"),
        (policy("and", json!({ "and_sub_policy": [] })), "at least one policy"),
        (policy("anomaly", json!({ "quantile": 1.5 })), "quantile 1.5"),
        (policy("anomaly", json!({ "factor": 0.5 })), "factor 0.5"),
        (policy("anomaly", json!({ "half_life": "0s" })), "longer than 0s"),
        (policy("rare", json!({ "traces": 0 })), "1 or more"),
        (policy("budget", json!({ "spans_per_second": 0 })), "between 1 and"),
        (policy("budget", json!({})), "missing field `spans_per_second`"),
    ];
    for (policies, said) in cases {
        let error = error(policies.clone());
        assert!(error.contains(said), "{policies}: {error}");
    }
}

/// JSON has no NaN; YAML does.
#[test]
fn numbers_that_compare_with_nothing_are_refused() {
    use serde::de::{IntoDeserializer, value::Error};
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let read: Result<f64, Error> = super::super::config::amount(number.into_deserializer());
        assert!(read.is_err(), "{number}");
    }
}

#[test]
fn composite_names_must_exist() {
    let part = json!({ "name": "a", "type": "always_sample" });
    let composite = |extra: Value| {
        let mut settings = json!({ "max_total_spans_per_second": 10, "composite_sub_policy": [part] });
        settings.as_object_mut().expect("a map").extend(extra.as_object().expect("a map").clone());
        error(policy("composite", settings))
    };
    assert!(composite(json!({ "policy_order": ["b"] })).contains("`b` is none of composite_sub_policy: a"));
    assert!(composite(json!({ "policy_order": ["a", "a"] })).contains("twice in policy_order"));
    assert!(composite(json!({ "rate_allocation": [{ "policy": "b", "percent": 1 }] })).contains("`b` is none of"));
    assert!(composite(json!({ "rate_allocation": [{ "policy": "a", "percent": 101 }] })).contains("above 100"));
}

#[test]
fn policies_are_nested_so_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut policy = json!({ "name": "leaf", "type": "always_sample" });
        for level in 1..depth {
            policy = json!({ "name": format!("n{level}"), "type": "not", "not": { "not_sub_policy": policy } });
        }
        json!([policy])
    };
    assert!(error(nested(9)).contains("deeper than 8"));
    let config: TailSamplingConfig = from_value(json!({ "policies": nested(8) })).expect("valid");
    config.check().expect("deep enough");
}

#[test]
fn sixty_four_different_predicates_and_no_more() {
    let policies = |count: usize| {
        let all = (0..count).map(|n| {
            json!({ "name": format!("p{n}"), "type": "string_attribute",
                    "string_attribute": { "key": format!("k{n}"), "values": ["v"] } })
        });
        Value::Array(all.collect())
    };
    assert!(error(policies(65)).contains("more than 64"));
    // The same question costs nothing more.
    let mut doubled = policies(64).as_array().expect("a list").clone();
    for (n, policy) in policies(64).as_array().expect("a list").iter().enumerate() {
        let mut copy = policy.clone();
        copy["name"] = json!(format!("copy{n}"));
        doubled.push(copy);
    }
    let config: TailSamplingConfig = from_value(json!({ "policies": doubled })).expect("valid");
    config.check().expect("64 predicates");
    let blocks = [
        ("tail_sampling".to_owned(), config.clone()),
        ("tail_sampling/dry".to_owned(), TailSamplingConfig { dry_run: true, ..config }),
    ];
    TailSampling::new(&blocks, None).expect("both sets ask the same");
}
