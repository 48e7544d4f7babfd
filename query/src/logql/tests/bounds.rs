//! What is too large or too deep is refused; what is only large is answered.

use std::sync::atomic::Ordering;

use super::{
    super::engine::{HoldsLines, NoRoom},
    *,
};

fn refused(query: &str) -> String {
    match parse(query) {
        Ok(_) => panic!("{} is taken", &query[..query.len().min(80)]),
        Err(error) => error.to_string(),
    }
}

#[test]
fn deep_queries_are_refused() {
    let deep = 10_000;
    let in_parentheses = format!("{}vector(1){}", "(".repeat(deep), ")".repeat(deep));
    assert!(refused(&in_parentheses).contains("nested deeper"));
    let sums = format!("{}vector(1){}", "sum(".repeat(deep), ")".repeat(deep));
    assert!(refused(&sums).contains("nested deeper"));
    let chain = format!("vector(1){}", " + vector(1)".repeat(deep));
    assert!(refused(&chain).contains("nested deeper"));
    let powers = format!("vector(1){}", " ^ vector(1)".repeat(deep));
    assert!(refused(&powers).contains("nested deeper"));
    let selectors = format!("{}{{a=\"b\"}}{}", "(".repeat(deep), ")".repeat(deep));
    assert!(refused(&selectors).contains("nested deeper"));
    let ranges = format!("rate({}{{a=\"b\"}}[1m]{})", "(".repeat(deep), ")".repeat(deep));
    assert!(refused(&ranges).contains("nested deeper"));
    let filters = format!("{{a=\"b\"}} | {}x=\"y\"{}", "(".repeat(deep), ")".repeat(deep));
    assert!(refused(&filters).contains("nested deeper"));
    let conditions = format!("{{a=\"b\"}} | x=\"y\"{}", " or x=\"y\"".repeat(deep));
    assert!(refused(&conditions).contains("conditions in a row"));
}

#[test]
fn odd_lines_are_answered() {
    let stream = Arc::new(StreamLabels::new(pairs(r#"{app="x"}"#)));
    let keys: Vec<String> = (0..100_000).map(|number| format!("\"k{number}\":{number}")).collect();
    let mut held = Held::default();
    for text in [
        format!("{{{}}}", keys.join(",")),
        format!("{{\"a\":{}", "{\"a\":".repeat(100_000)),
        format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000)),
        "x".repeat(10 << 20),
        "\u{0}\u{0}".into(),
        r#"{"a":1,"a":2,"b":"\ud800","c":-0,"d":1e400}"#.into(),
    ] {
        held.0.push((1_000_000_000, text, Arc::clone(&stream), Pairs::new()));
    }
    let log = parse_log(r#"{app="x"} | json | k99999=99999"#).expect("valid");
    let query = LogQuery { log: &log, start_ns: 0, end_ns: u64::MAX, direction: Direction::Forward, limit: 10 };
    let found = entries(&query, &held, &limits(), &Progress::default()).expect("answered").entries;
    // Lines with an error stay, as no condition on numbers leaves them out.
    assert_eq!(found.len(), 4);
    assert_eq!(found[0].parsed.len(), 100_000);
    let odd = run_log(&held, r#"{app="x"} | json | d="1e400""#).expect("answered");
    assert_eq!(odd.lines().count(), 1);
    assert!(odd.starts_with("1 {a=\"1\", app=\"x\", b=\"\u{fffd}\", c=\"-0\", d=\"1e400\"}"), "{odd}");
}

#[test]
fn many_series_are_refused() {
    let mut held = Held::default();
    let stream = Arc::new(StreamLabels::new(pairs(r#"{app="x"}"#)));
    for number in 0..1001u64 {
        held.0.push((1_000_000_000, format!("n={number}"), Arc::clone(&stream), Pairs::new()));
    }
    let error = run_metric(&held, r#"count_over_time({app="x"} | logfmt [1m])"#, (10.0, 10.0, 0.0));
    assert!(error.expect_err("too many").to_string().contains("maximum of series (1000) reached"));
    let sum = run_metric(&held, r#"sum(count_over_time({app="x"} | logfmt [1m]))"#, (10.0, 10.0, 0.0));
    assert_eq!(sum.as_deref(), Ok("{} 1001\n"));
    let points = run_metric(&held, r#"rate({app="x"}[1m])"#, (0.0, 12_000.0, 1.0));
    assert!(points.expect_err("too many").to_string().contains("maximum resolution of 11000 points"));
}

#[test]
fn the_newest_and_the_oldest_stop_at_the_limit() {
    let mut held = Held::default();
    let stream = Arc::new(StreamLabels::new(pairs(r#"{app="x"}"#)));
    for number in 0..3000u64 {
        // Ten lines of each second.
        held.0.push((number / 10 * 1_000_000_000, format!("{number}"), Arc::clone(&stream), Pairs::new()));
    }
    let log = parse_log(r#"{app="x"}"#).expect("valid");
    let ask = |direction| {
        let progress = Progress::default();
        let query = LogQuery { log: &log, start_ns: 0, end_ns: u64::MAX, direction, limit: 25 };
        let found = entries(&query, &held, &limits(), &progress).expect("answered").entries;
        (found.into_iter().map(|entry| entry.text).collect::<Vec<_>>(), progress.tally().lines)
    };
    // Each of two threads may read what is asked for, and what there is of that second.
    let read_max = 100;
    let (newest, read) = ask(Direction::Backward);
    assert_eq!(newest, (2975..3000).rev().map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(read < read_max, "{read} lines read");
    let (oldest, read) = ask(Direction::Forward);
    assert_eq!(oldest, (0..25).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(read < read_max, "{read} lines read");
}

/// Some bytes, for whoever asks first.
struct Room(std::sync::atomic::AtomicU64);

impl HoldsLines for Arc<Room> {
    fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        let (order, less) = (Ordering::Relaxed, |left: u64| left.checked_sub(bytes));
        self.0.fetch_update(order, order, less).map(drop).map_err(|_| NoRoom::Own)
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[test]
fn lines_that_take_too_much_are_refused() {
    let stream = Arc::new(StreamLabels::new(pairs(r#"{app="x"}"#)));
    let line = |n: u64| (n * 1_000_000_000, "x".repeat(10_000), Arc::clone(&stream), Pairs::new());
    let held = Held((1..200).map(line).collect());
    let log = parse_log(r#"{app="x"}"#).expect("valid");
    let room = Arc::new(Room(300_000.into()));
    let limits = Limits { room: LineRoom::of(Arc::clone(&room)), threads: 1, ..limits() };
    for (limit, fits) in [(20, true), (50, false)] {
        let query = LogQuery { log: &log, start_ns: 0, end_ns: u64::MAX, direction: Direction::Backward, limit };
        match entries(&query, &held, &limits, &Progress::default()) {
            Ok(found) => {
                assert!(fits);
                assert_eq!(found.entries.len(), limit);
                assert_eq!(found.entries[0].time_ns, 199_000_000_000);
                room.0.store(300_000, Ordering::Relaxed);
            }
            Err(error) => {
                assert!(!fits, "what is let go makes room again: {error}");
                assert!(error.to_string().contains("query.answer_bytes_max"), "{error}");
            }
        }
    }
}
