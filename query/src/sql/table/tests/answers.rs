//! What queries answer.

use super::{traffic::*, *};

/// Conditions of every kind: those that the scan takes over, those that it does not, and mixtures.
const CONDITIONS: &[&str] = &[
    "service = 'service-1'",
    "service IN ('service-1', 'service-3', 'x', 'y', 'z')",
    "service <> 'service-1'",
    "service LIKE '%-2'",
    "name = 'operation 3' AND kind = 'server'",
    "kind IN ('client', 'unspecified')",
    "kind = '9' OR kind = 'consumer'",
    "status_code = 'error'",
    "status_code = 'unset' AND status_message IS NULL",
    "trace_id = '00000000000000000000000000000007'",
    "trace_id IN ('00000000000000000000000000000007', '00000000000000000000000000000070', 'nonsense')",
    "trace_id = '00000000000000000000000000000007' AND trace_id = '00000000000000000000000000000008'",
    "span_id = '0000000000000101'",
    "parent_span_id IS NULL",
    "start_time >= '2025-10-09T08:55:00Z' AND start_time < '2025-10-09T08:56:00Z'",
    "start_time BETWEEN '2025-10-09T08:54:00Z' AND '2025-10-09T08:55:00Z'",
    "start_time < '1960-01-01T00:00:00Z'",
    "end_time > '2025-10-09T08:55:00Z'",
    "duration_ns > 500000000",
    "duration_ns <= 1",
    "500000000 >= duration_ns AND duration_ns >= -5",
    "attributes['http.route'] = '/route/3'",
    "attributes['http.route'] IN ('/route/3', '/route/4')",
    "attributes['http.route'] <> '/route/3'",
    "attributes['http.route'] LIKE '%/1'",
    "attributes['user'] = 'u31'",
    "attributes['user'] IS NULL",
    "attributes['rare'] = 'r3'",
    "attributes['rare'] IS NOT NULL",
    "attributes['rare'] IS NULL AND service = 'service-0'",
    "attributes['mixed'] = '2'",
    "attributes['mixed'] = '02'",
    "attr_num(attributes['mixed']) >= 4",
    "attr_num(attributes['mixed']) = 3 OR attr_num(attributes['mixed']) = 6",
    "attr_num(attributes['http.response.status_code']) >= 500",
    "attributes['http.response.status_code'] = '500'",
    "attributes['http.response.status_code'] >= 500",
    "500 <= attributes['http.response.status_code']",
    "attributes['http.response.status_code'] <> 500",
    "attributes['mixed'] = 2",
    "attributes['mixed'] > 2.5 AND NOT attributes['mixed'] >= 6",
    "attributes['mixed'] BETWEEN 2 AND 4",
    "attributes['mixed'] NOT BETWEEN 2 AND 4",
    "attributes['mixed'] IN (2, 3.0)",
    "attributes['mixed'] IN (1, 2, 3, 4, 5, 1e99)",
    "attributes['mixed'] IN (2, '3', 'x')",
    "attributes['mixed'] NOT IN (2, '3', 'x')",
    "attributes['mixed'] = 2 OR attributes['mixed'] = 4 OR attributes['mixed'] = 6",
    "attributes['mixed'] + 1 > 3 AND attributes['mixed'] * 2.0 < 10",
    "attributes['mixed'] = duration_ns % 7",
    "attributes['cached'] = true",
    "attributes['cached'] IN (false)",
    "attributes['mixed'] IS DISTINCT FROM 2",
    "CASE attributes['mixed'] WHEN 2 THEN true ELSE false END",
    "resource['zone'] > 1",
    "CAST(attributes['http.response.status_code'] AS BIGINT) = 350",
    "attr_num(attributes['ratio']) > 10.5",
    "attr_num(attributes['ratio']) <= 10.5",
    "attr_bool(attributes['cached'])",
    "NOT attr_bool(attributes['cached'])",
    "attr_bool(attributes['cached']) IS NULL",
    "attributes['nowhere'] = 'x'",
    "resource['zone'] = 'zone-1' AND attributes['http.route'] = '/route/3'",
    "resource['service.name'] = service",
    "attributes['user'] = attributes['rare']",
    "state = 'kept' AND adjusted_count = 1",
    "attributes['http.route'] = '/route/3' OR service = 'service-2'",
    "events IS NULL AND links IS NULL AND scope_name IS NULL",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_mean_the_same_wherever_they_are_evaluated_and_wherever_the_rows_lie() {
    let mut answers: Vec<Vec<Vec<String>>> = Vec::new();
    for sealed in [0, SPANS, 400] {
        let filled = filled(sealed).await;
        let context = session(filled.store.snapshot());
        let mut of_store = Vec::new();
        for condition in CONDITIONS {
            let found = lines(&context, &format!("SELECT span_id FROM spans WHERE {condition}")).await;
            // Beside CASE nothing travels down: DataFusion evaluates it, row by row.
            let plain = format!(
                "SELECT span_id FROM (SELECT span_id, CASE WHEN {condition} THEN random() + 1 END AS fits FROM spans) WHERE fits >= 1"
            );
            assert_eq!(found, lines(&context, &plain).await, "{condition}, {sealed} sealed");
            of_store.push(found);
        }
        answers.push(of_store);
    }
    for (at, condition) in CONDITIONS.iter().enumerate() {
        assert_eq!(answers[0][at], answers[1][at], "{condition}: head and segments");
        assert_eq!(answers[0][at], answers[2][at], "{condition}: head and both");
    }
    let found =
        |condition: &str| answers[0][CONDITIONS.iter().position(|one| *one == condition).expect("listed")].len();
    assert_eq!(found("service = 'service-1'"), 150);
    assert_eq!(found("trace_id = '00000000000000000000000000000007'"), 5);
    assert_eq!(found("attributes['rare'] = 'r3'"), 1);
    assert_eq!(found("attr_num(attributes['http.response.status_code']) >= 500"), 100);
    assert_eq!(found("start_time >= '2025-10-09T08:55:00Z' AND start_time < '2025-10-09T08:56:00Z'"), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_show_what_was_sent() {
    for sealed in [0, SPANS] {
        let filled = filled(sealed).await;
        let context = session(filled.store.snapshot());
        let sql = "SELECT trace_id, span_id, parent_span_id, service, name, kind, start_time, end_time, duration_ns, \
            status_code, status_message, state, adjusted_count, attributes['mixed'], attributes, resource \
            FROM spans WHERE span_id = '0000000000000017'";
        let row = "00000000000000000000000000000005|0000000000000017|0000000000000016|service-2|operation 1|producer|\
            2025-10-09T08:53:42Z|2025-10-09T08:53:42.670000001Z|670000001|error|failed|kept|1.0|1|\
            {\"http.response.status_code\":350,\"http.route\":\"/route/2\",\"mixed\":1,\"user\":\"u3\"}|\
            {\"service.name\":\"service-2\",\"zone\":\"zone-1\"}";
        assert_eq!(lines(&context, sql).await, [row]);
        assert_eq!(lines(&context, "SELECT count(*) FROM spans").await, [SPANS.to_string()]);
        let all = run(&context, "SELECT * FROM spans").await;
        assert_eq!(all.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, SPANS);
        assert_eq!(all[0].num_columns(), 18);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_is_there_alone_wherever_the_rows_lie() {
    let (head, sealed) = (filled(0).await, filled(SPANS).await);
    let (head, sealed) = (session(head.store.snapshot()), session(sealed.store.snapshot()));
    for field in super::super::columns::TABLES[0].schema().fields() {
        let sql = format!("SELECT {} FROM spans", field.name());
        let found = lines(&head, &sql).await;
        assert_eq!(found.len() as u64, SPANS, "{sql}");
        assert_eq!(found, lines(&sealed, &sql).await, "{sql}");
    }
    let estimated = "SELECT service, sum(adjusted_count) FROM spans GROUP BY service";
    assert_eq!(lines(&head, estimated).await[0], "service-0|150.0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_rows() {
    for sealed in [0, SPANS, 400] {
        let filled = filled(sealed).await;
        let context = session(filled.store.snapshot());
        let newest = |fits: &dyn Fn(u64) -> bool, count: usize| -> Vec<String> {
            (0..SPANS).rev().filter(|&n| fits(n)).take(count).map(|n| format!("{:016x}", n + 1)).collect()
        };
        let cases: &[(&str, Vec<String>)] = &[
            ("SELECT span_id FROM spans ORDER BY start_time DESC LIMIT 7", newest(&|_| true, 7)),
            (
                "SELECT span_id FROM spans WHERE service = 'service-1' ORDER BY start_time DESC LIMIT 20",
                newest(&|n| n % 4 == 1, 20),
            ),
            (
                "SELECT span_id FROM spans WHERE attributes['rare'] IS NOT NULL ORDER BY start_time DESC LIMIT 20",
                newest(&|n| n % 150 == 0, 20),
            ),
            (
                "SELECT span_id FROM spans WHERE service LIKE '%1' ORDER BY start_time DESC LIMIT 5",
                newest(&|n| n % 4 == 1, 5),
            ),
            (
                "SELECT span_id FROM spans ORDER BY start_time DESC, name LIMIT 3 OFFSET 4",
                newest(&|_| true, 7)[4..].to_vec(),
            ),
        ];
        for (sql, expected) in cases {
            assert_eq!(lines(&context, sql).await, *expected, "{sql}, {sealed} sealed");
        }
        let oldest = lines(&context, "SELECT span_id FROM spans ORDER BY start_time LIMIT 2").await;
        assert_eq!(oldest, ["0000000000000001", "0000000000000002"]);
        let some = lines(&context, "SELECT span_id FROM spans WHERE service = 'service-1' LIMIT 11").await;
        assert_eq!(some.len(), 11);
        let slowest = lines(&context, "SELECT duration_ns FROM spans ORDER BY duration_ns DESC LIMIT 1").await;
        assert_eq!(slowest, [(0..SPANS).map(duration_ns).max().expect("some").to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_by_code_are_the_groups_by_text() {
    for sealed in [0, SPANS, 400] {
        let filled = filled(sealed).await;
        let context = session(filled.store.snapshot());
        let keys = [
            "service",
            "name",
            "kind",
            "status_code",
            "state",
            "service, name",
            "kind, attributes['rare']",
            "attributes['mixed']",
            "attr_bool(attributes['cached'])",
            "service, attributes['user'], attributes['http.route'], resource['zone'], kind",
        ];
        let functions = "count(*), sum(duration_ns), min(start_time), max(attributes['user']), count(attributes['rare']), \
            p99(duration_ns), count(*) FILTER (WHERE status_code = 'error'), avg(attr_num(attributes['mixed']))";
        for key in keys {
            let by_code = format!("SELECT {key}, {functions} FROM spans WHERE duration_ns > 1000 GROUP BY {key}");
            assert!(explain(&context, &by_code).await.contains("GroupSpansExec"), "{by_code}");
            let by_text = by_code.replace("GROUP BY", "AND random() < 2 GROUP BY");
            assert!(!explain(&context, &by_text).await.contains("GroupSpansExec"), "{by_text}");
            assert_eq!(lines(&context, &by_code).await, lines(&context, &by_text).await, "{by_code}");
        }
        let counts = lines(&context, "SELECT service, count(*) FROM spans GROUP BY service").await;
        assert_eq!(counts, ["service-0|150", "service-1|150", "service-2|150", "service-3|150"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn percentiles_are_close() {
    let filled = filled(400).await;
    let context = session(filled.store.snapshot());
    let mut durations: Vec<u64> = (0..SPANS).filter(|n| n % 4 == 3).map(duration_ns).collect();
    durations.sort_unstable();
    let exact = durations[(durations.len() * 9).div_ceil(10) - 1] as f64;
    for function in [
        "p90(duration_ns)",
        "approx_percentile(duration_ns, 0.9)",
        "approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_ns)",
        "approx_percentile_cont(0.1) WITHIN GROUP (ORDER BY duration_ns DESC)",
        "approx_percentile(CAST(duration_ns AS DOUBLE), 0.9)",
    ] {
        for group in ["", " GROUP BY service", " GROUP BY service || 'x'"] {
            let sql = format!("SELECT {function} FROM spans WHERE service = 'service-3'{group}");
            let found: f64 = lines(&context, &sql).await[0].parse().expect("a number");
            assert!((found - exact).abs() <= exact / 256.0, "{sql}: {found}, not {exact}");
        }
    }
    assert_eq!(lines(&context, "SELECT p99(duration_ns) FROM spans WHERE service = 'none'").await, [""]);
    for wrong in [
        "approx_percentile(duration_ns, 2)",
        "approx_percentile(duration_ns)",
        "p99(service)",
        "p99(1, 2)",
        "approx_percentile(duration_ns, duration_ns)",
    ] {
        let planned = async { context.sql(&format!("SELECT {wrong} FROM spans")).await?.collect().await };
        assert!(planned.await.is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_found_through_whatever_lies_between() {
    let filled = filled(400).await;
    let context = session(filled.store.snapshot());
    let cases = [
        (
            "SELECT count(*) FROM spans a JOIN spans b ON a.span_id = b.parent_span_id AND a.trace_id = b.trace_id WHERE a.attributes['http.route'] = '/route/0' AND b.attributes['http.route'] = '/route/1'",
            "60",
        ),
        (
            "SELECT count(*) FROM (SELECT attributes FROM spans UNION ALL SELECT resource FROM spans) WHERE attributes['zone'] = 'zone-1'",
            "300",
        ),
        ("WITH slow AS (SELECT * FROM spans WHERE duration_ns > 0) SELECT count(attributes['rare']) FROM slow", "4"),
        ("SELECT count(DISTINCT attributes['user']) FROM spans", "97"),
        (
            "SELECT count(*) FROM spans WHERE attributes['user'] IN (SELECT attributes['user'] FROM spans WHERE attributes['rare'] = 'r0')",
            "7",
        ),
        ("SELECT max(x) FROM (SELECT attributes['mixed'] AS x FROM spans ORDER BY start_time LIMIT 4)", "3"),
    ];
    for (sql, expected) in cases {
        assert_eq!(lines(&context, sql).await, [expected], "{sql}");
    }
    assert!(context.sql("SELECT attributes[1] FROM spans").await.is_err());
}
