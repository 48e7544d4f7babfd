//! Several policies: the Collector's order of votes, and who is named.

use serde_json::{Value, json};

use super::trace::{Bench, TestSpan, span};

fn always(name: &str) -> Value {
    json!({ "name": name, "type": "always_sample" })
}

fn text(name: &str, key: &str, value: &str, invert: bool) -> Value {
    json!({ "name": name, "type": "string_attribute", "string_attribute": { "key": key, "values": [value], "invert_match": invert } })
}

fn errors() -> Value {
    json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } })
}

fn decided(policies: Value, spans: &[TestSpan]) -> (bool, String) {
    Bench::new(policies).decider(1, spans)
}

fn named(keep: bool, name: &str) -> (bool, String) {
    (keep, name.to_owned())
}

#[test]
fn any_policy_may_keep_and_the_first_is_named() {
    let policies = json!([text("a", "k", "a", false), text("b", "k", "b", false), errors()]);
    assert_eq!(decided(policies.clone(), &[span()]), named(false, "no_policy"));
    assert_eq!(decided(policies.clone(), &[span().text("k", "b")]), named(true, "b"));
    assert_eq!(decided(policies, &[span().text("k", "b").status(2), span().text("k", "a")]), named(true, "a"));
}

#[test]
fn who_keeps_for_certain_is_named_before_chance() {
    let chance = json!({ "name": "chance", "type": "probabilistic", "probabilistic": { "sampling_percentage": 100 } });
    let mut bench = Bench::new(json!([chance, errors()]));
    assert_eq!(bench.decider(1, &[span().status(2)]), named(true, "errors"));
    assert_eq!(bench.decider(1, &[span()]), named(true, "chance"));
    let mut first = Bench::of(json!({ "sample_on_first_match": true, "policies": [chance, errors()] }));
    assert_eq!(first.decider(1, &[span().status(2)]), named(true, "chance"));
}

#[test]
fn drop_goes_before_all() {
    let drop = json!({
        "name": "health", "type": "drop",
        "drop": { "drop_sub_policy": [text("path", "url.path", "/health", false), { "name": "fine", "type": "not", "not": { "not_sub_policy": errors() } }] },
    });
    let policies = json!([always("all"), errors(), drop]);
    assert_eq!(decided(policies.clone(), &[span().text("url.path", "/health")]), named(false, "health"));
    assert_eq!(decided(policies.clone(), &[span().text("url.path", "/health").status(2)]), named(true, "all"));
    assert_eq!(decided(policies.clone(), &[span()]), named(true, "all"));
    // Also when the first match ends the asking.
    let mut first = Bench::of(json!({ "sample_on_first_match": true, "policies": policies }));
    assert_eq!(first.decider(1, &[span().text("url.path", "/health")]), named(false, "health"));
}

#[test]
fn inverted_votes_have_the_collectors_precedence() {
    let inverted = text("not a", "k", "a", true);
    // "inverted not sampled" goes before "sampled".
    let policies = json!([always("all"), inverted]);
    assert_eq!(decided(policies.clone(), &[span().text("k", "a")]), named(false, "not a"));
    assert_eq!(decided(policies, &[span().text("k", "b")]), named(true, "all"));
    // "inverted sampled" counts where nobody says "not sampled".
    assert_eq!(decided(json!([inverted]), &[span()]), named(true, "not a"));
    assert_eq!(decided(json!([inverted, errors()]), &[span()]), named(false, "no_policy"));
    assert_eq!(decided(json!([inverted, errors()]), &[span().status(2)]), named(true, "errors"));
    // The first match ends the asking before the inverted policy is asked.
    let mut first = Bench::of(json!({ "sample_on_first_match": true, "policies": [always("all"), inverted] }));
    assert_eq!(first.decider(1, &[span().text("k", "a")]), named(true, "all"));
}

#[test]
fn and_and_not() {
    let both = |parts: Value| json!([{ "name": "both", "type": "and", "and": { "and_sub_policy": parts } }]);
    let policies = both(json!([errors(), text("a", "k", "a", false)]));
    assert_eq!(decided(policies.clone(), &[span().status(2)]), named(false, "no_policy"));
    // The two may hold for different spans of the trace.
    assert_eq!(decided(policies, &[span().status(2), span().text("k", "a")]), named(true, "both"));
    // Inside `and` an inverted match is a plain one.
    let policies = both(json!([errors(), text("a", "k", "a", true)]));
    assert_eq!(decided(policies.clone(), &[span().status(2)]), named(true, "both"));
    assert_eq!(decided(policies, &[span().status(2).text("k", "a")]), named(false, "no_policy"));
    let not = |part: Value| json!([{ "name": "not", "type": "not", "not": { "not_sub_policy": part } }]);
    assert_eq!(decided(not(errors()), &[span()]), named(true, "not"));
    assert_eq!(decided(not(errors()), &[span().status(2)]), named(false, "no_policy"));
    assert_eq!(decided(not(not(errors())[0].clone()), &[span().status(2)]), named(true, "not"));
    assert_eq!(decided(not(text("a", "k", "a", true)), &[span().text("k", "a")]), named(true, "not"));
}

#[test]
fn a_second_set_runs_beside_without_effect() {
    use crate::processors::tail_sampling::{TailSampling, TailSamplingConfig};
    use serde_json::from_value;
    use weir_store::sampling::Sampling;

    let block = |policies: Value, dry_run: bool| -> TailSamplingConfig {
        from_value(json!({ "policies": policies, "dry_run": dry_run })).expect("valid")
    };
    let real = ("tail_sampling".to_owned(), block(json!([errors()]), false));
    let dry = ("tail_sampling/dry".to_owned(), block(json!([always("all"), errors()]), true));
    let mut bench = Bench::new(json!([errors()]));
    bench.sampling = TailSampling::new(&[dry.clone(), real.clone()], None).expect("valid");
    bench.judge = bench.sampling.judge();
    assert_eq!(bench.judge.policies(), ["errors", "no_policy"]);
    assert!(bench.keeps(1, &[span().status(2), span()]));
    assert!(!bench.keeps(2, &[span()]));
    let report = bench.judge.report();
    let kept = |set: usize| (report["sets"][set]["dry_run"].as_bool(), report["sets"][set]["kept"]["spans"].as_u64());
    assert_eq!((kept(0), kept(1)), ((Some(false), Some(2)), (Some(true), Some(3))));
    assert_eq!(report["sets"][1]["policies"][1]["wanted"]["traces"], 1, "{report}");
    assert!(TailSampling::new(&[real.clone(), ("tail_sampling/2".into(), real.1)], None).is_err());
    // Only dry runs: everything is kept.
    bench.sampling =
        TailSampling::new(&[("tail_sampling/dry".into(), block(json!([errors()]), true))], None).expect("valid");
    bench.judge = bench.sampling.judge();
    assert_eq!(bench.decider(1, &[span()]), named(true, "dry_run"));
}

/// Twenty draws of their own: 2^20 combinations, of which 21 paths tell.
#[test]
fn chances_beside_each_other_are_reckoned_exactly() {
    let chance = |number: usize| {
        let name = format!("c{number}");
        json!({ "name": name, "type": "probabilistic", "probabilistic": { "sampling_percentage": 10, "hash_salt": name } })
    };
    let policies: Vec<Value> = (0..20).map(chance).collect();
    let expected = 1.0 / (1.0 - 0.9_f64.powi(20));
    for config in [json!({ "policies": policies }), json!({ "policies": policies, "sample_on_first_match": true })] {
        let mut bench = Bench::of(config);
        let kept: Vec<f64> = (1..50)
            .map(|id| bench.decide(id << 64 | id, &[span()]))
            .filter(|decision| decision.keep)
            .map(|decision| decision.adjusted_count)
            .collect();
        assert!(kept.len() > 20 && kept.iter().all(|count| (count - expected).abs() < 1e-3), "{kept:?} {expected}");
    }
}
