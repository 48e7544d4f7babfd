//! Policies that learn: anomaly, rare, budget; what they remember over a restart, and that it is bounded.

use serde_json::{Value, json};

use weir_store::sampling::Cause;

use super::trace::{Bench, SECOND_NS, ids, span};

fn bench(kind: &str, settings: Value) -> Bench {
    Bench::new(json!([{ "name": "p", "type": kind, kind: settings }]))
}

/// A span of an operation, taking so many ms.
fn taking(name: &str, ms: u64) -> super::trace::TestSpan {
    span().named(name).at(1000, 1000 + ms)
}

fn figure(bench: &Bench, name: &str) -> u64 {
    let report = bench.judge.report();
    report["sets"][0]["policies"][0]["state"][name].as_u64().unwrap_or_else(|| panic!("{report}"))
}

#[test]
fn anomaly_learns_each_operation() {
    let settings = json!({ "warm_up_spans": 100, "factor": 2.0, "quantile": 0.95 });
    let mut bench = bench("anomaly", settings.clone());
    for (number, id) in ids(99).enumerate() {
        assert!(!bench.keeps(id, &[taking("cart", 10 + number as u64 % 5)]));
    }
    assert!(!bench.keeps(1, &[taking("cart", 1000)]), "still warming up");
    assert!(!bench.keeps(2, &[taking("cart", 20)]));
    assert!(bench.keeps(3, &[taking("cart", 60)]));
    // One slow span in a trace is enough; another operation has its own measure.
    assert!(bench.keeps(4, &[taking("cart", 10), taking("cart", 60), taking("cart", 10)]));
    assert!(!bench.keeps(5, &[taking("search", 60)]));
    assert_eq!((figure(&bench, "operations"), figure(&bench, "warm"), figure(&bench, "slow_spans")), (2, 1, 2));

    // Over a restart.
    let checkpoint = bench.judge.checkpoint();
    let mut again = self::bench("anomaly", settings);
    again.judge.restore(&checkpoint);
    assert!(again.keeps(6, &[taking("cart", 60)]));
    for cut in 0..checkpoint.len() {
        self::bench("anomaly", json!({})).judge.restore(&checkpoint[..cut]);
    }
}

#[test]
fn anomaly_forgets_by_halves() {
    let mut bench = bench("anomaly", json!({ "warm_up_spans": 100, "half_life": "10s" }));
    for id in ids(2000) {
        bench.keeps(id, &[taking("cart", 10)]);
    }
    assert!(bench.keeps(1, &[taking("cart", 40)]));
    // It is four times slower now: after some half lives that is what is usual.
    let mut kept = 0;
    for id in ids(4000) {
        bench.now_ns += SECOND_NS / 40;
        kept += u64::from(bench.keeps(id, &[taking("cart", 40)]));
    }
    assert!(kept > 10 && kept < 2000, "{kept}");
    assert!(!bench.keeps(2, &[taking("cart", 60)]));
    assert!(bench.keeps(3, &[taking("cart", 200)]));
}

#[test]
fn anomaly_is_bounded() {
    let mut bench = bench("anomaly", json!({ "operations_max": 50, "half_life": "10s", "warm_up_spans": 10 }));
    for id in ids(20) {
        bench.keeps(id, &[taking("cart", 10)]);
    }
    for (number, id) in ids(1000).enumerate() {
        assert!(!bench.keeps(id, &[taking(&format!("op{number}"), 10)]));
    }
    assert_eq!(figure(&bench, "operations"), 50);
    assert_eq!(figure(&bench, "spans_without_room"), 951);
    assert!(bench.keeps(1, &[taking("cart", 100)]), "what was learned stays");
    bench.now_ns += 30 * SECOND_NS;
    bench.keeps(2, &[taking("new", 10)]);
    assert_eq!(figure(&bench, "operations"), 1, "after a while there is room again");
}

#[test]
fn rare_keeps_the_first_of_each_combination() {
    let mut bench = bench("rare", json!({ "traces": 2, "window": "60s" }));
    let mut ids = ids(usize::MAX);
    let mut kept = |bench: &mut Bench, spans: &dyn Fn() -> Vec<super::trace::TestSpan>| {
        ids.by_ref().take(10).filter(|id| bench.keeps(*id, &spans())).count()
    };
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1)]), 2);
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1)]), 0);
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1).status(2)]), 2);
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1).status(2).text("error.type", "timeout")]), 2);
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1).text("error.kind", "timeout")]), 0);
    // Several spans of one trace are one trace.
    assert_eq!(kept(&mut bench, &|| vec![taking("search", 1), taking("cart", 1), taking("search", 1)]), 2);
    bench.now_ns += 61 * SECOND_NS;
    assert_eq!(kept(&mut bench, &|| vec![taking("cart", 1)]), 2, "a new window");

    let mut again = self::bench("rare", json!({ "traces": 2, "window": "60s" }));
    again.now_ns = bench.now_ns;
    again.judge.restore(&bench.judge.checkpoint());
    assert_eq!(kept(&mut again, &|| vec![taking("cart", 1)]), 0, "remembered over a restart");
}

#[test]
fn rare_is_bounded() {
    let mut bench = bench("rare", json!({ "combinations_max": 100, "traces_per_second_max": 20, "window": "60s" }));
    let mut ids = ids(usize::MAX);
    let mut flood = |bench: &mut Bench| {
        (0..1000)
            .zip(ids.by_ref())
            .filter(|(number, id)| bench.keeps(*id, &[taking(&format!("op{number}"), 1)]))
            .count()
    };
    assert_eq!(flood(&mut bench), 20);
    assert_eq!((figure(&bench, "combinations"), figure(&bench, "spans_without_room")), (100, 900));
    bench.now_ns += 100 * SECOND_NS;
    assert_eq!(flood(&mut bench), 20);
}

#[test]
fn rare_marks_a_pending_trace_again_after_a_restart() {
    let settings = json!({ "traces": 1, "window": "60s", "traces_per_second_max": 2 });
    let mut bench = bench("rare", settings.clone());
    let pending = [(1, "cart"), (2, "search"), (3, "no token is left"), (4, "cart")];
    let observe = |bench: &mut Bench| pending.map(|(id, name)| bench.account(id, &[taking(name, 1)]));
    let wanted = observe(&mut bench).map(|account| account.bits);
    assert_eq!(wanted.map(|bits| bits != 0), [true, true, false, false]);
    bench.now_ns += 60 * SECOND_NS;
    bench.account(5, &[taking("cart", 1)]);
    // As recovery does it: what the checkpoint had observed is observed again, and then the checkpoint holds.
    let checkpoint = bench.judge.checkpoint();
    let mut again = self::bench("rare", settings);
    again.now_ns = bench.now_ns;
    again.judge.restore(&checkpoint);
    let accounts = observe(&mut again);
    assert_eq!(accounts.each_ref().map(|account| account.bits), wanted);
    again.judge.restore(&checkpoint);
    let kept = accounts.map(|account| again.judge.decide(&account, Cause::Due, again.now_ns).keep);
    assert_eq!(kept, [true, true, false, false]);
    assert!(!again.keeps(6, &[taking("cart", 1)]), "the window has its trace");
}

#[test]
fn a_checkpoint_takes_the_place_of_what_was_learned_meanwhile() {
    let cases = [
        ("anomaly", json!({ "operations_max": 1, "warm_up_spans": 10 })),
        ("rare", json!({ "combinations_max": 1 })),
        ("budget", json!({ "spans_per_second": 10, "interval": "1s", "operations_max": 1 })),
    ];
    for (kind, settings) in cases {
        let learn = |bench: &mut Bench, ms: u64| {
            for (number, id) in ids(100).enumerate() {
                bench.now_ns += SECOND_NS / 40;
                bench.keeps(id, &[taking(["cart", "search"][number % 2], ms)]);
            }
        };
        let mut bench = self::bench(kind, settings.clone());
        learn(&mut bench, 10);
        let checkpoint = bench.judge.checkpoint();
        let mut again = self::bench(kind, settings.clone());
        again.judge.restore(&checkpoint);
        // In another window.
        again.now_ns = bench.now_ns + 7200 * SECOND_NS;
        learn(&mut again, 100);
        assert!(again.judge.checkpoint() != checkpoint, "{kind}");
        again.judge.restore(&checkpoint);
        assert!(again.judge.checkpoint() == checkpoint, "{kind}");
        for cut in 0..checkpoint.len() {
            again.judge.restore(&checkpoint[..cut]);
        }
    }
}

/// Offers traces of operations at these rates per second; the spans kept of each over the last half of the time.
fn kept_of_budget(bench: &mut Bench, rates: &[(&str, u64)], seconds: u64) -> Vec<u64> {
    let mut kept = vec![0; rates.len()];
    let mut ids = ids(usize::MAX);
    let start_ns = bench.now_ns;
    for second in 0..seconds {
        for (index, (name, rate)) in rates.iter().enumerate() {
            for number in 0..*rate {
                bench.now_ns = bench.now_ns.max(start_ns + second * SECOND_NS + number * SECOND_NS / rate);
                let keeps = bench.keeps(ids.next().expect("endless"), &[taking(name, 1)]);
                kept[index] += u64::from(keeps && second >= seconds / 2);
            }
        }
    }
    kept
}

#[test]
fn budget_is_shared_fairly() {
    let mut bench = bench("budget", json!({ "spans_per_second": 100, "interval": "2s" }));
    let kept = kept_of_budget(&mut bench, &[("frequent", 400), ("usual", 100), ("rare", 5)], 40);
    // 5 stay whole, the others get 47.5 a second each.
    let expected = [950.0, 950.0, 100.0];
    for (kept, expected) in kept.iter().zip(expected) {
        assert!((*kept as f64 / expected - 1.0).abs() < 0.12, "{kept} for {expected}");
    }
    assert_eq!(kept[2], 100, "a rare operation is kept whole");
    assert_eq!(figure(&bench, "operations_thinned"), 2);
}

#[test]
fn budget_takes_account_of_what_others_keep() {
    let errors = json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } });
    let budget = json!({ "name": "budget", "type": "budget", "budget": { "spans_per_second": 40, "interval": "2s" } });
    let mut bench = Bench::new(json!([budget, errors]));
    let (mut kept_errors, mut kept_others) = (0, 0);
    let mut ids = ids(usize::MAX);
    for step in 0..16_000_u64 {
        bench.now_ns += SECOND_NS / 400;
        let is_error = step % 20 == 0;
        let keeps =
            bench.keeps(ids.next().expect("endless"), &[taking("cart", 1).status(if is_error { 2 } else { 0 })]);
        if step >= 8_000 && keeps {
            *(if is_error { &mut kept_errors } else { &mut kept_others }) += 1;
        }
    }
    assert_eq!(kept_errors, 400, "every error");
    // 40 a second, less 20 errors.
    assert!((340..460).contains(&kept_others), "{kept_others}");
}

#[test]
fn what_is_dropped_by_chance_is_not_offered_to_a_budget() {
    let half = json!({ "name": "half", "type": "probabilistic", "probabilistic": { "sampling_percentage": 50, "hash_salt": "h" } });
    let drop = json!({ "name": "drop", "type": "drop", "drop": { "drop_sub_policy": [half] } });
    let errors = json!({ "name": "errors", "type": "status_code", "status_code": { "status_codes": ["ERROR"] } });
    let budget = json!({ "name": "budget", "type": "budget", "budget": { "spans_per_second": 40, "interval": "2s" } });
    let mut bench = Bench::new(json!([budget, errors, drop]));
    let (mut kept, mut counted) = ([0; 2], [0.0; 2]);
    for (step, id) in ids(16_000).enumerate() {
        bench.now_ns += SECOND_NS / 400;
        let is_error = step % 20 == 0;
        let decision = bench.decide(id, &[taking("cart", 1).status(if is_error { 2 } else { 0 })]);
        if step >= 8_000 && decision.keep {
            kept[usize::from(is_error)] += 1;
            counted[usize::from(is_error)] += decision.adjusted_count;
        }
    }
    // Of 20 errors a second half; that comes out of the 40 a second first.
    assert!((160..240).contains(&kept[1]) && (510..690).contains(&kept[0]), "{kept:?}");
    assert!((counted[1] - 2.0 * f64::from(kept[1])).abs() < 1e-6, "{counted:?}");
    assert!((6_500.0..8_700.0).contains(&counted[0]), "{counted:?}");
}

#[test]
fn budget_takes_no_large_trace_for_certain() {
    let (mut kept, mut counted) = (0, 0.0);
    for id in ids(600) {
        // Twice the budget of an interval is a tenth of the trace.
        let mut bench = bench("budget", json!({ "spans_per_second": 5, "interval": "1s" }));
        let decision = bench.decide(id, &vec![taking("cart", 1); 100]);
        if decision.keep {
            kept += 1;
            counted += decision.adjusted_count;
            assert!(!bench.keeps(id ^ 1, &[taking("search", 1)]), "nothing is left");
        }
    }
    assert!((40..80).contains(&kept), "{kept}");
    assert!((counted - 10.0 * f64::from(kept)).abs() < 1e-6, "{counted}");
}

#[test]
fn budget_holds_in_a_flood_of_new_operations() {
    let mut bench = bench("budget", json!({ "spans_per_second": 100, "interval": "2s", "operations_max": 200 }));
    let mut kept = 0;
    for (number, id) in ids(8_000).enumerate() {
        bench.now_ns += SECOND_NS / 800;
        kept += u64::from(bench.keeps(id, &[taking(&format!("op{number}"), 1)]));
    }
    // Ten seconds: 1000, and at most as much again in the first interval, before anything is known.
    assert!((700..2400).contains(&kept), "{kept}");
    assert!(figure(&bench, "operations") <= 200);
}

#[test]
fn budget_leaves_everything_a_chance_before_rates_are_known() {
    let mut bench = bench("budget", json!({ "spans_per_second": 100, "interval": "2s" }));
    let (mut kept, mut counted, mut count_max) = ([0; 2], [0.0; 2], 0.0_f64);
    // The first interval: 5000 spans a second of one operation, 20 of another.
    for (number, id) in ids(10_040).enumerate() {
        bench.now_ns += 2 * SECOND_NS / 10_050;
        let rare = usize::from(number % 251 == 250);
        let decision = bench.decide(id, &[taking(["frequent", "rare"][rare], 1)]);
        if decision.keep {
            kept[rare] += 1;
            counted[rare] += decision.adjusted_count;
            count_max = count_max.max(decision.adjusted_count);
        }
    }
    assert!(kept[0] + kept[1] <= 400, "{kept:?}: twice the budget at most");
    assert!(kept[1] >= 15, "{kept:?}");
    assert!(count_max < 1000.0, "{count_max}");
    assert!((7_000.0..13_000.0).contains(&counted[0]) && (25.0..60.0).contains(&counted[1]), "{counted:?}");
}

#[test]
fn budget_remembers_over_a_restart() {
    let settings = json!({ "spans_per_second": 10, "interval": "1s" });
    let mut bench = bench("budget", settings.clone());
    kept_of_budget(&mut bench, &[("cart", 1000)], 6);
    let mut again = self::bench("budget", settings);
    again.now_ns = bench.now_ns;
    again.judge.restore(&bench.judge.checkpoint());
    let kept = ids(1000).filter(|id| again.keeps(*id, &[taking("cart", 1)])).count();
    assert!(kept < 40, "{kept}");
}

#[test]
fn a_budget_that_is_used_up_is_used_up_after_a_restart() {
    let settings = json!({ "spans_per_second": 100, "interval": "10s" });
    let mut bench = bench("budget", settings.clone());
    let mut ids = ids(usize::MAX);
    let mut kept = |bench: &mut Bench| {
        // New operations, each of which would be kept whole.
        (0..2000).zip(ids.by_ref()).filter(|(n, id)| bench.keeps(*id, &[taking(&format!("op{n}"), 1)])).count()
    };
    assert!(kept(&mut bench) > 1000);
    let mut again = self::bench("budget", settings);
    again.now_ns = bench.now_ns;
    again.judge.restore(&bench.judge.checkpoint());
    // Another hundred seconds' worth was kept after the checkpoint.
    again.judge.recall(1000, true, 0, again.now_ns);
    let kept_again = kept(&mut again);
    assert!(kept_again < 10, "{kept_again}");
    again.judge.recall(0, true, 0, again.now_ns + 11 * SECOND_NS);
    assert!(kept(&mut again) > 1000, "another interval");
}
