//! What plans read, and how they show it.

use std::cell::Cell;

use weir_proto::{Signal, TraceId};
use weir_store::{ScanFilter, ScanRequest};

use super::{traffic::*, *};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_shows_what_is_pruned_and_what_is_read() {
    let filled = filled(SPANS).await;
    let context = session(filled.store.snapshot());
    let cases: &[(&str, &[&str])] = &[
        ("SELECT span_id FROM spans", &["columns=[span_id], segments=3/3, row_groups=3/3, head_frames=0/0"]),
        (
            "SELECT name FROM spans WHERE start_time >= '2025-10-09T09:01:00Z'",
            &["columns=[name], segments=1/3 (pruned by time: 2), row_groups=1/1"],
        ),
        ("SELECT name FROM spans WHERE service = 'nobody'", &["segments=0/3 (pruned by operation: 3)"]),
        ("SELECT name FROM spans WHERE attributes['never'] = 'x'", &["segments=0/3 (pruned by attribute: 3)"]),
        (
            "SELECT name FROM spans WHERE trace_id = '00000000000000000000000000000007'",
            &["segments=1/3 (pruned by trace_index: 2)", "filter=[trace_id in [00000000000000000000000000000007]]"],
        ),
        ("SELECT count(*) FROM spans WHERE duration_ns > 5000000000", &["row_groups=0/3 (pruned by statistics: 3)"]),
        (
            "SELECT attributes['user'] FROM spans WHERE attributes['http.route'] = '/route/3' AND length(attributes['user']) > 2",
            &["columns=[attributes.user]", "filter=[span \"http.route\" textin([\"/route/3\"])]"],
        ),
        (
            "SELECT *, attr_num(attributes['mixed']) FROM spans ORDER BY start_time DESC LIMIT 20",
            &["newest=20", "attributes.mixed"],
        ),
        ("SELECT service FROM spans LIMIT 3", &["limit=3"]),
    ];
    for (sql, expected) in cases {
        let plan = explain(&context, sql).await;
        for part in *expected {
            assert!(plan.contains(part), "{sql}: {part} is not in\n{plan}");
        }
    }
    // A filter that the scan evaluates is not evaluated again.
    let plan =
        explain(&context, "SELECT name FROM spans WHERE service = 'service-1' AND attributes['user'] = 'u1'").await;
    assert!(!plan.contains("FilterExec"), "{plan}");
    let plan = explain(&context, "SELECT name FROM spans WHERE length(attributes['user']) = 2").await;
    assert!(plan.contains("FilterExec") && plan.contains("columns=[attributes.user, name]"), "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_rows_are_found_without_reading_older_segments() {
    let filled = filled(SPANS).await;
    let context = session(filled.store.snapshot());
    for (sql, groups_max) in [
        // Four pieces of the newest one, and one that was begun meanwhile.
        ("SELECT * FROM spans ORDER BY start_time DESC LIMIT 20", 5),
        ("SELECT name FROM spans WHERE service = 'service-1' ORDER BY start_time DESC LIMIT 20", 2),
        ("SELECT name FROM spans WHERE attributes['rare'] IS NOT NULL ORDER BY start_time DESC LIMIT 20", 3),
    ] {
        let shown = explain(&context, &format!("ANALYZE {sql}")).await;
        let (_, rest) = shown.split_once("row_groups_read=").expect("counted");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let groups: usize = digits.parse().expect("a number");
        assert!((1..=groups_max).contains(&groups), "{sql}: {groups} row groups\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_ends_when_the_query_has_to() {
    let filled = filled(SPANS).await;
    let snapshot = filled.store.snapshot();
    let asked = Cell::new(0);
    let trace_ids = Some((1..=100u128).map(|n| TraceId((n << 64).to_be_bytes())).collect());
    let request = || ScanRequest {
        columns: vec![],
        filter: ScanFilter { trace_ids: Option::clone(&trace_ids), ..ScanFilter::default() },
    };
    let scan = |times_max: u32| {
        asked.set(0);
        snapshot.scan_unless(Signal::Traces, &TenantId::default(), request(), &|| {
            asked.set(asked.get() + 1);
            asked.get() > times_max
        })
    };
    assert!(scan(u32::MAX).is_some_and(|scan| scan.pruned().segments_by_trace_index == 3));
    let times = asked.get();
    assert!(times >= 3 * 100 / 4, "asked {times} times for 100 traces in 3 segments");
    for times_max in [0, 1, times / 2, times - 1] {
        assert!(scan(times_max).is_none(), "gave up after {times_max}");
        assert!(asked.get() <= times_max + 3, "{times_max}: went on, and asked {} times", asked.get());
    }
    let late = session_until(snapshot, Instant::now());
    let error = late.sql("SELECT name FROM spans").await.expect("parsed").create_physical_plan().await;
    assert!(matches!(SqlError::from(error.expect_err("late")), SqlError::TimedOut));
}

/// The counter behind `name=` in an analysed plan.
fn counted(shown: &str, name: &str) -> usize {
    let (_, rest) = shown.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("{name} is not in\n{shown}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wide_columns_are_read_in_pieces_and_what_is_read_is_counted() {
    let filled = filled(SPANS).await;
    let snapshot = filled.store.snapshot();
    let context = session(snapshot.clone());
    for (sql, pieces) in [
        ("SELECT service, max(duration_ns) FROM spans GROUP BY service", 3),
        ("SELECT service, max(length(attributes)) FROM spans GROUP BY service", 12),
        ("SELECT attributes['user'], count(*) FROM spans GROUP BY 1", 6),
        ("SELECT attributes FROM spans", 12),
    ] {
        let shown = explain(&context, &format!("ANALYZE {sql}")).await;
        assert_eq!(counted(&shown, "row_groups_read"), pieces, "{sql}\n{shown}");
        assert_eq!(counted(&shown, "parts_damaged"), 0, "{sql}\n{shown}");
    }
    let limits =
        |bytes: usize| SqlConfig { memory_bytes_max: bytes.try_into().expect("not zero"), ..Default::default() };
    let asking = tokio::task::spawn_blocking(move || {
        for sql in
            ["SELECT max(length(attributes)) FROM spans", "SELECT service, max(events) FROM spans GROUP BY service"]
        {
            let refused = ask(&snapshot, sql, limits(256), Box::new(Json::default())).expect_err("no memory");
            assert!(matches!(refused, SqlError::TooLarge(_)), "{sql}: {refused}");
            ask(&snapshot, sql, limits(1 << 20), Box::new(Json::default())).expect("an answer");
        }
    });
    asking.await.expect("no assertion failed");
}
