//! Adjusted counts: what they add up to is what arrived. Seeds are fixed, so that a run is like any other.

use serde_json::{Value, json};

use super::trace::{Bench, SECOND_NS, TestSpan, ids, span};

fn share(name: &str, percentage: f64) -> Value {
    json!({ "name": name, "type": "probabilistic", "probabilistic": { "sampling_percentage": percentage } })
}

fn salted(name: &str, percentage: f64) -> Value {
    json!({ "name": name, "type": "probabilistic", "probabilistic": { "sampling_percentage": percentage, "hash_salt": name } })
}

fn errors() -> Value {
    json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } })
}

fn all_of(name: &str, kind: &str, parts: Value) -> Value {
    let key = format!("{kind}_sub_policy");
    json!({ "name": name, "type": kind, kind: { key: parts } })
}

/// About every tenth trace is an error, about every third has `k`.
fn traffic(id: u128) -> (bool, bool, TestSpan) {
    let (is_error, has_k) = ((id >> 7).is_multiple_of(10), (id >> 40).is_multiple_of(3));
    let span = if is_error { span().status(2) } else { span() };
    (is_error, has_k, if has_k { span.text("k", "v") } else { span })
}

const TRACES: usize = 8_000;

/// Of all traces, of errors, and of those with `k`: how many there were, what was kept stands for, and the variance of that.
fn estimates(policies: &Value) -> [(f64, f64, f64); 3] {
    let mut bench = Bench::new(policies.clone());
    let mut estimates = [(0.0, 0.0, 0.0); 3];
    for id in ids(TRACES) {
        bench.now_ns += SECOND_NS / 400;
        let (is_error, has_k, span) = traffic(id);
        let decision = bench.decide(id, &[span]);
        assert!(decision.adjusted_count >= 1.0);
        for ((truth, estimate, variance), belongs) in estimates.iter_mut().zip([true, is_error, has_k]) {
            if belongs {
                *truth += 1.0;
            }
            if belongs && decision.keep {
                *estimate += decision.adjusted_count;
                *variance += decision.adjusted_count * (decision.adjusted_count - 1.0);
            }
        }
    }
    estimates
}

/// Every estimate lies within four standard deviations of the truth, which are small themselves.
fn check(policies: &Value) {
    for (truth, estimate, variance) in estimates(policies) {
        let deviation = f64::sqrt(variance);
        assert!((estimate - truth).abs() <= 4.0 * deviation + 1e-6, "{policies}: {estimate} for {truth} ± {deviation}");
        assert!(deviation < truth * 0.2, "{policies}: {truth} ± {deviation}");
    }
}

/// The sum over all lies near the truth; those of kinds of traces are as good as few kept ones allow.
fn check_near(policies: &Value) {
    for ((truth, estimate, _), tolerance) in estimates(policies).into_iter().zip([0.05, 0.35, 0.2]) {
        assert!((estimate / truth - 1.0).abs() < tolerance, "{policies}: {estimate} for {truth}");
    }
}

#[test]
fn chance_alone_and_beside_certainty() {
    check(&json!([share("tenth", 10.0)]));
    check(&json!([errors(), share("tenth", 10.0)]));
    check(&json!([share("tenth", 10.0), errors()]));
}

#[test]
fn two_chances_whether_they_draw_together_or_apart() {
    // The same salt: whoever is in the smaller share is in the larger one.
    check(&json!([share("a", 10.0), share("b", 20.0)]));
    check(&json!([salted("a", 10.0), salted("b", 20.0)]));
    let some = json!({ "name": "k", "type": "string_attribute", "string_attribute": { "key": "k", "values": ["v"] } });
    check(&json!([all_of("both", "and", json!([some, share("half", 50.0)])), share("fifth", 20.0)]));
    check(&json!([all_of("both", "and", json!([some, salted("half", 50.0)])), salted("fifth", 20.0)]));
}

#[test]
fn chance_that_drops_or_inverts() {
    let not = json!({ "name": "not", "type": "not", "not": { "not_sub_policy": share("most", 90.0) } });
    check(&json!([not]));
    let drop = all_of("drop", "drop", json!([salted("drop", 60.0)]));
    check(&json!([drop, share("half", 50.0)]));
    check(&json!([drop, { "name": "all", "type": "always_sample" }]));
}

#[test]
fn budget_beside_others() {
    let budget = json!({ "name": "budget", "type": "budget", "budget": { "spans_per_second": 60, "interval": "2s" } });
    check(&json!([budget]));
    check(&json!([errors(), share("tenth", 10.0), budget]));
}

#[test]
fn limits_give_an_estimate() {
    let limit = json!({ "name": "limit", "type": "rate_limiting", "rate_limiting": { "spans_per_second": 40 } });
    check_near(&json!([limit]));
    let composite = json!({
        "name": "composite", "type": "composite",
        "composite": {
            "max_total_spans_per_second": 80,
            "composite_sub_policy": [errors(), { "name": "rest", "type": "always_sample" }],
            "rate_allocation": [{ "policy": "errors", "percent": 50 }, { "policy": "rest", "percent": 50 }],
        },
    });
    // The first traces of each second are kept: the estimate is right over seconds.
    check_near(&json!([composite]));
}

#[test]
fn counts_and_flags_of_single_decisions() {
    let decide = |policies: Value, span: TestSpan| {
        let decision = Bench::new(policies).decide(1, &[span]);
        (decision.keep, decision.adjusted_count, decision.is_probabilistic)
    };
    let all = |name: &str| salted(name, 99.999);
    // Certain: counts 1, whatever chance says beside it.
    assert_eq!(decide(json!([errors()]), span().status(2)), (true, 1.0, false));
    assert_eq!(decide(json!([all("a"), errors()]), span().status(2)), (true, 1.0, false));
    for percentage in 1..100 {
        // Their parts do not come to 1 in floating point.
        let policies = json!([salted("a", f64::from(percentage)), salted("b", 1.0), errors()]);
        assert_eq!(decide(policies, span().status(2)), (true, 1.0, false), "{percentage}");
    }
    let (keep, count, is_probabilistic) = decide(json!([errors(), all("a")]), span());
    assert!(keep && is_probabilistic && (count - 1.0 / 0.99999).abs() < 1e-9, "{count}");
    assert_eq!(decide(json!([share("none", 0.0)]), span()), (false, 1.0, false));
    // An estimate is no threshold.
    let limit = json!({ "name": "limit", "type": "rate_limiting", "rate_limiting": { "spans_per_second": 10 } });
    let mut bench = Bench::new(json!([limit]));
    let decisions: Vec<_> = ids(1000)
        .map(|id| {
            bench.now_ns += SECOND_NS / 100;
            bench.decide(id, &[span()])
        })
        .collect();
    let last = decisions.iter().rfind(|decision| decision.keep).expect("some are kept");
    assert!((5.0..20.0).contains(&last.adjusted_count) && !last.is_probabilistic, "{last:?}");
}
