//! Policies with rates: what they keep over time, on journal time.

use serde_json::{Value, json};

use super::trace::{Bench, MS_NS, SECOND_NS, TestSpan, ids, span};

/// Offers `per_second` traces of `spans` spans for so many seconds; spans kept in each.
fn spans_kept(bench: &mut Bench, per_second: u64, spans: &[TestSpan], seconds: usize) -> Vec<u64> {
    // Whole seconds: composite counts from one to the next.
    let start_ns = bench.now_ns.next_multiple_of(SECOND_NS);
    let mut ids = ids(usize::MAX);
    (0..seconds as u64)
        .map(|second| {
            let mut kept = 0;
            for number in 0..per_second {
                bench.now_ns = start_ns + second * SECOND_NS + number * SECOND_NS / per_second;
                if bench.keeps(ids.next().expect("endless"), spans) {
                    kept += spans.len() as u64;
                }
            }
            kept
        })
        .collect()
}

fn limited(kind: &str, settings: Value) -> Bench {
    Bench::new(json!([{ "name": "limit", "type": kind, kind: settings }]))
}

#[test]
fn rate_limiting_is_a_bucket_of_two_seconds() {
    let mut bench = limited("rate_limiting", json!({ "spans_per_second": 35 }));
    let kept = spans_kept(&mut bench, 100, &[span()], 5);
    // The bucket is full at first, then what comes in is what goes out.
    assert_eq!(kept[0], 100, "{kept:?}");
    assert!(kept[2..].iter().all(|kept| (34..=36).contains(kept)), "{kept:?}");
    // A trace that is larger than the bucket never fits.
    bench.now_ns += 100 * SECOND_NS;
    assert!(!bench.keeps(1, &vec![span(); 71]));
    assert!(bench.keeps(1, &vec![span(); 70]));
    let mut bench = limited("rate_limiting", json!({ "spans_per_second": 35, "burst_capacity": 10 }));
    assert!(!bench.keeps(1, &vec![span(); 11]));
    assert!(bench.keeps(1, &vec![span(); 10]));
    assert!(!bench.keeps(1, &[span()]));
    assert!(!limited("rate_limiting", json!({ "spans_per_second": 0 })).keeps(1, &[span()]));
}

#[test]
fn bytes_limiting_counts_bytes() {
    let mut bench = limited("bytes_limiting", json!({ "bytes_per_second": 1 << 20, "burst_capacity": 10_000 }));
    let large = || span().text("k", &"x".repeat(6_000));
    assert!(bench.keeps(1, &[large()]));
    assert!(!bench.keeps(2, &[large()]));
    bench.now_ns += 10 * MS_NS;
    assert!(bench.keeps(3, &[large()]));
}

fn composite(bench_of: Value) -> Bench {
    let part = |name: &str, key: &str| json!({ "name": name, "type": "string_attribute", "string_attribute": { "key": key, "values": ["v"] } });
    let mut settings = json!({
        "max_total_spans_per_second": 100,
        "composite_sub_policy": [part("a", "a"), part("b", "b"), { "name": "rest", "type": "always_sample" }],
    });
    settings.as_object_mut().expect("a map").extend(bench_of.as_object().expect("a map").clone());
    limited("composite", settings)
}

#[test]
fn composite_gives_each_its_part() {
    let allocation = json!([{ "policy": "a", "percent": 50 }, { "policy": "b", "percent": 25 }]);
    let mut bench = composite(json!({ "rate_allocation": allocation, "policy_order": ["a", "b", "rest"] }));
    assert_eq!(spans_kept(&mut bench, 200, &[span().text("a", "v")], 2), [50, 50]);
    bench.now_ns += SECOND_NS;
    assert_eq!(spans_kept(&mut bench, 200, &[span().text("b", "v")], 2), [25, 25]);
    bench.now_ns += SECOND_NS;
    // Not listed: an equal part.
    assert_eq!(spans_kept(&mut bench, 200, &[span()], 1), [33]);
    bench.now_ns += SECOND_NS;
    // A trace over its policy's part is not offered to the next; a smaller one may still fit.
    assert!(!bench.keeps(1, &vec![span().text("a", "v"); 51]));
    assert!(bench.keeps(1, &vec![span().text("a", "v"); 50]));
    assert!(!bench.keeps(1, &[span().text("a", "v")]));
    // All together are held to the total.
    bench.now_ns += SECOND_NS;
    assert!(bench.keeps(1, &vec![span().text("a", "v"); 50]));
    assert!(bench.keeps(1, &vec![span().text("b", "v"); 25]));
    assert!(!bench.keeps(1, &vec![span(); 26]));
    assert!(bench.keeps(1, &vec![span(); 25]));
}

#[test]
fn composite_asks_in_the_order_given() {
    let allocation = json!([{ "policy": "a", "percent": 10 }, { "policy": "b", "percent": 50 }]);
    let both = [span().text("a", "v").text("b", "v")];
    let mut bench = composite(json!({ "rate_allocation": allocation, "policy_order": ["b", "a"] }));
    assert_eq!(spans_kept(&mut bench, 200, &both, 1), [50]);
    let mut bench = composite(json!({ "rate_allocation": allocation }));
    assert_eq!(spans_kept(&mut bench, 200, &both, 1), [10]);
}

/// Another process, with what the checkpoint says.
fn restarted(bench: &Bench, mut again: Bench) -> Bench {
    let checkpoint = bench.judge.checkpoint();
    (0..checkpoint.len()).for_each(|cut| again.judge.restore(&checkpoint[..cut]));
    again.judge.restore(&checkpoint);
    again.now_ns = bench.now_ns;
    again
}

#[test]
fn what_is_used_up_stays_used_up_over_a_checkpoint() {
    let spans = || limited("rate_limiting", json!({ "spans_per_second": 10, "burst_capacity": 1000 }));
    let bytes = || limited("bytes_limiting", json!({ "bytes_per_second": 400, "burst_capacity": 40_000 }));
    let rare = || limited("rare", json!({ "traces": 1000, "traces_per_second_max": 50 }));
    let kept = |bench: &mut Bench| ids(2000).filter(|id| bench.keeps(*id, &[span()])).count();
    for new in [&spans as &dyn Fn() -> Bench, &bytes, &rare] {
        let mut bench = new();
        assert!(kept(&mut bench) >= 50);
        let mut again = restarted(&bench, new());
        again.now_ns += SECOND_NS / 5;
        let others: Vec<u128> = ids(4000).skip(2000).filter(|id| again.keeps(*id, &[span()])).collect();
        assert!(others.len() <= 10, "{}", others.len());
    }
    // What was kept after the checkpoint comes off what is left in it.
    let mut bench = spans();
    assert!(bench.keeps(1, &vec![span(); 600]));
    let mut again = restarted(&bench, spans());
    again.judge.recall(390, true, 0, again.now_ns);
    assert!(!again.keeps(2, &vec![span(); 11]));
    assert!(again.keeps(2, &vec![span(); 10]));
    // A smaller bucket holds no more than it holds.
    let smaller = limited("rate_limiting", json!({ "spans_per_second": 10, "burst_capacity": 20 }));
    assert!(!restarted(&bench, smaller).keeps(2, &vec![span(); 21]));
}

#[test]
fn parts_of_a_composite_stay_used_up_over_a_checkpoint() {
    let allocation = json!([{ "policy": "a", "percent": 50 }, { "policy": "b", "percent": 25 }]);
    let new = || composite(json!({ "rate_allocation": allocation }));
    let mut bench = new();
    assert!(bench.keeps(1, &vec![span().text("a", "v"); 50]));
    let mut again = restarted(&bench, new());
    assert!(!again.keeps(2, &[span().text("a", "v")]));
    assert!(again.keeps(2, &vec![span().text("b", "v"); 20]));
    again.judge.recall(25, true, 0, again.now_ns);
    assert!(!again.keeps(3, &vec![span(); 6]), "the total");
    assert!(again.keeps(3, &vec![span(); 5]));
    again.now_ns += SECOND_NS;
    assert!(again.keeps(4, &vec![span().text("a", "v"); 50]));
}

#[test]
fn limits_hold_over_a_restart() {
    let mut bench = limited("rate_limiting", json!({ "spans_per_second": 10 }));
    bench.judge.recall(20, true, 0, bench.now_ns);
    assert!(!bench.keeps(1, &[span()]), "used up before the restart");
    let mut bench = limited("rate_limiting", json!({ "spans_per_second": 10 }));
    bench.judge.recall(20, false, 0, bench.now_ns);
    bench.judge.recall(20, true, 1, bench.now_ns);
    assert!(bench.keeps(1, &[span()]), "dropped, or kept by another");
}
