//! What a query may take, and that how it is worked on does not change its answer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{OPTIONS, asked, counters};
use crate::promql::{
    engine::{self, Options, QueryError, Stop, Times, Unstopped},
    printed,
    syntax::parse,
};

const QUERIES: &[&str] = &[
    "counted",
    "rate(counted[5m])",
    "sum by (a) (rate(counted[5m]))",
    "topk(3, counted)",
    "max_over_time(rate(counted[1m])[10m:1m])",
    "counted / on(b) group_left counted{a=\"1\"}",
    "quantile by (a) (0.9, counted)",
    "count_values(\"v\", counted % 7)",
];

#[test]
fn threads_do_not_change_an_answer() {
    let loaded = counters();
    for query in QUERIES {
        let one = asked(&loaded, query, &OPTIONS).map(|outcome| outcome.value);
        let many = asked(&loaded, query, &Options { threads: 7, ..OPTIONS }).map(|outcome| outcome.value);
        assert_eq!(format!("{one:?}"), format!("{many:?}"), "{query}");
        assert!(one.is_ok() || query.contains("group_left"), "{query}: {one:?}");
    }
}

#[test]
fn samples_are_counted() {
    let loaded = counters();
    let count = asked(&loaded, "sum(rate(counted[1m]))", &OPTIONS).expect("an answer").samples;
    // What the windows of 65 series gave: a rate each, but for the first ones.
    assert_eq!(count, 65 * 60);
    let exact = Options { samples_max: count, ..OPTIONS };
    assert!(asked(&loaded, "sum(rate(counted[1m]))", &exact).is_ok());
    for threads in [1, 4] {
        let fewer = Options { samples_max: count - 1, threads, ..OPTIONS };
        let refused = asked(&loaded, "sum(rate(counted[1m]))", &fewer).map(|outcome| outcome.samples);
        assert_eq!(refused, Err(QueryError::TooManySamples));
    }
}

#[test]
fn memory_is_counted() {
    let loaded = counters();
    let little = Options { bytes_max: 20_000, ..OPTIONS };
    // Rows of 61 values each, of which a sum holds one and an answer all.
    assert!(asked(&loaded, "sum(counted)", &little).is_ok());
    for query in ["counted", "sort(counted)", "counted + counted", "topk(60, counted)"] {
        let refused = asked(&loaded, query, &little).map(|outcome| outcome.samples);
        assert_eq!(refused, Err(QueryError::TooMuchMemory(20_000)), "{query}");
    }
}

/// Ends a query after it asked so often.
struct After(AtomicUsize);

impl Stop for After {
    fn reason(&self) -> Option<QueryError> {
        let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        left.is_err().then_some(QueryError::Timeout)
    }
}

#[test]
fn a_query_is_stopped_on_its_way() {
    let loaded = counters();
    let times = Times { start_ms: 0, end_ms: 3_600_000, step_ms: 60_000 };
    for query in QUERIES.iter().filter(|query| !query.contains("group_left")) {
        for (asks, ends) in [(0, true), (2, true), (1_000_000, false)] {
            let stop = After(AtomicUsize::new(asks));
            let outcome = engine::range(&loaded, query, times, &OPTIONS, &stop).map(|outcome| outcome.samples);
            assert_eq!(outcome == Err(QueryError::Timeout), ends, "{query} after {asks}: {outcome:?}");
        }
    }
}

#[test]
fn long_subqueries_are_refused_before_they_are_asked() {
    let loaded = counters();
    for query in ["sum_over_time(vector(1)[100y:1ms])", "max_over_time(sum_over_time(counted[1y:1s])[1y:1s])"] {
        let refused = asked(&loaded, query, &OPTIONS).map(|outcome| outcome.samples);
        assert_eq!(refused, Err(QueryError::TooMuchMemory(OPTIONS.bytes_max)), "{query}");
    }
    let matrix = engine::instant(&loaded, "vector(1)[100y:1ms]", 0, &OPTIONS, &Unstopped);
    assert_eq!(matrix.map(|outcome| outcome.samples), Err(QueryError::TooMuchMemory(OPTIONS.bytes_max)));
}

#[test]
fn far_times_are_no_trouble() {
    let loaded = counters();
    for query in [
        "counted",
        "rate(counted[200y])",
        "counted offset 200y",
        "counted[200y:1y]",
        "counted @ 1e15",
        "timestamp(counted)",
    ] {
        for at in [i64::MIN, -1, i64::MAX] {
            let outcome = engine::instant(&loaded, query, at, &OPTIONS, &Unstopped);
            assert!(outcome.is_ok(), "{query} at {at}: {outcome:?}");
        }
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = |depth: usize| "(".repeat(depth) + "1" + &")".repeat(depth);
    assert_eq!(printed(&deep(50)), Some(deep(50)));
    for text in [
        deep(100_000),
        "-".repeat(100_000) + "1",
        "1^".repeat(100_000) + "1",
        "1+".repeat(100_000) + "1",
        "sum(".repeat(100_000),
        "a[".repeat(100_000),
        "{".repeat(100_000),
        "a".to_owned() + &"[1m:]".repeat(100_000),
        "a[1".to_owned() + &"+1".repeat(100_000) + "]",
        "a offset ".to_owned() + &"-(".repeat(100_000),
    ] {
        let error = parse(&text).map(|expr| expr.text().len());
        assert!(error.is_err(), "{} bytes of {}", text.len(), &text[..4]);
    }
}
