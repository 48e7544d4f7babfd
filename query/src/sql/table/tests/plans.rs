//! What plans read, and how they show it.

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
        ("SELECT * FROM spans ORDER BY start_time DESC LIMIT 20", 2),
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
