//! Numbers: attributes that are texts in other rows, sums beyond 64 bits, integers that would wrap around.

use super::{traffic::*, *};

async fn error(context: &SessionContext, sql: &str) -> String {
    let answered = async { context.sql(sql).await?.collect().await };
    answered.await.map_or_else(|error| error.to_string(), |rows| panic!("answered: {sql}: {rows:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_beside_numbers_are_numbers_or_null() {
    for sealed in [0, SPANS, 400] {
        let filled = filled(sealed).await;
        let context = session(filled.store.snapshot());
        let odd =
            "(VALUES ('OK', 1), ('', 2), ('500', 3), ('503.5', 4), ('true', 5), ('[1]', 6), (NULL, 7)) AS t(code, n)";
        for (what, expected) in [
            (format!("SELECT n FROM {odd} WHERE code >= 500 ORDER BY n"), vec!["3", "4"]),
            (format!("SELECT n FROM {odd} WHERE code <> 500 ORDER BY n"), vec!["4"]),
            (format!("SELECT n FROM {odd} WHERE 503 < code"), vec!["4"]),
            (format!("SELECT sum(code), avg(code), count(code + 1) FROM {odd}"), vec!["1003.5|501.75|2"]),
            (format!("SELECT coalesce(code, 0) FROM {odd} ORDER BY n LIMIT 4"), vec!["0.0", "0.0", "500.0", "503.5"]),
            (format!("SELECT sum(code) OVER () FROM {odd} LIMIT 1"), vec!["1003.5"]),
            (format!("SELECT n FROM {odd} WHERE code = true"), vec!["5"]),
            (format!("SELECT n FROM {odd} GROUP BY n HAVING max(code) > 500 ORDER BY n"), vec!["4"]),
            (format!("SELECT a.n FROM {odd} JOIN (VALUES (3)) AS a(n) ON t.code = a.n + 497"), vec!["3"]),
            (format!("SELECT n FROM {odd} WHERE code IN (SELECT 500)"), vec!["3"]),
            (
                format!("SELECT CASE WHEN code > 1 THEN 'y' ELSE 'n' END FROM {odd} ORDER BY n LIMIT 3"),
                vec!["n", "n", "y"],
            ),
            (format!("SELECT TRY_CAST(code AS BIGINT) FROM {odd} WHERE n < 4 ORDER BY n"), vec!["", "", "500"]),
            ("SELECT count(*) FROM (SELECT attributes['mixed'] AS x FROM spans) WHERE x >= 0".into(), vec!["NUMBERS"]),
            (
                "SELECT count(attr_num(attributes['mixed'])) FROM spans WHERE attributes['mixed'] >= 0".into(),
                vec!["NUMBERS"],
            ),
        ] {
            let numbers = lines(&context, "SELECT count(attr_num(attributes['mixed'])) FROM spans").await;
            let expected: Vec<_> =
                expected.into_iter().map(|one| if one == "NUMBERS" { &*numbers[0] } else { one }).collect();
            assert_eq!(lines(&context, &what).await, expected, "{what}");
        }
        let fixed = error(&context, "SELECT name FROM spans WHERE status_code = 2").await;
        assert!(fixed.contains("write status_code = 'error', say"), "{fixed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_in_another_spelling_are_told() {
    let filled = filled(400).await;
    let context = session(filled.store.snapshot());
    for (condition, said) in [
        ("kind = 'SERVER'", "no kind is written 'SERVER' here: write 'server'"),
        ("s.kind <> 'SPAN_KIND_CLIENT'", "no kind is written 'SPAN_KIND_CLIENT' here: write 'client'"),
        ("'ERROR' = status_code", "no status_code is written 'ERROR' here: write 'error'"),
        ("status_code IN ('ok', 'Error')", "no status_code is written 'Error' here: write 'error'"),
        ("trace_id = '4BF92F3577B34DA6A3CE929D0E0E4736'", "write '4bf92f3577b34da6a3ce929d0e0e4736'"),
        ("parent_span_id = ''", "no parent_span_id is written '' here: write parent_span_id IS NULL, or IS NOT NULL"),
        ("CASE kind WHEN 'Server' THEN true END", "no kind is written 'Server' here: write 'server'"),
    ] {
        let error = error(&context, &format!("SELECT name FROM spans s WHERE {condition}")).await;
        assert!(error.contains(said), "{condition}: {error}");
    }
    // Only where nothing else can be meant.
    for condition in ["kind = 'any'", "k = 'SERVER'", "service = 'SERVER'", "upper(kind) = 'SERVER'"] {
        lines(&context, &format!("SELECT 1 FROM (SELECT *, upper(kind) AS k FROM spans) WHERE {condition}")).await;
    }
    for (sql, expected) in [
        ("SELECT count(*) FROM (SELECT service AS kind FROM spans) WHERE kind = 'SERVER'", "0"),
        ("SELECT count(*) FROM (SELECT name AS status_code FROM spans) WHERE status_code IN ('ERROR', 'OK')", "0"),
        ("SELECT count(*) >= 0 FROM spans WHERE trace_id < '8000000000000000'", "true"),
        ("SELECT count(*) >= 0 FROM spans WHERE parent_span_id > ''", "true"),
        ("SELECT count(*) >= 0 FROM spans WHERE trace_id BETWEEN '8000000000000000' AND 'A'", "true"),
    ] {
        assert_eq!(lines(&context, sql).await, [expected], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_with_numbers_reach_the_scan() {
    let filled = filled(SPANS).await;
    let context = session(filled.store.snapshot());
    for condition in [
        "attributes['http.response.status_code'] >= 500",
        "500 > attributes['http.response.status_code']",
        "attributes['http.response.status_code'] BETWEEN 400 AND 499",
        "attributes['http.response.status_code'] = 350",
        "attributes['http.response.status_code'] IN (350, 400)",
        "attributes['http.response.status_code'] IN (350, 400, 401, 402, 403, 404)",
    ] {
        let plan = explain(&context, &format!("SELECT span_id FROM spans WHERE {condition}")).await;
        assert!(plan.contains("filter="), "{condition}: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_do_not_wrap_around() {
    let filled = filled(400).await;
    let context = session(filled.store.snapshot());
    let large = "(SELECT service, 9223372036854775807 AS n, duration_ns FROM spans LIMIT 4)";
    for (sql, expected) in [
        (format!("SELECT sum(n) FROM {large}"), "36893488147419103228"),
        (format!("SELECT sum(-n) FROM {large}"), "-36893488147419103228"),
        (format!("SELECT sum(n) OVER () FROM {large} LIMIT 1"), "36893488147419103228"),
        (format!("SELECT max(s) FROM (SELECT sum(n) OVER (ORDER BY duration_ns ROWS 2 PRECEDING) AS s FROM {large})"), "27670116110564327421"),
        (format!("SELECT sum(DISTINCT n) FROM {large}"), "9223372036854775807"),
        (format!("SELECT sum(sum(n)) OVER () FROM {large}"), "36893488147419103228"),
        (format!("SELECT sum(CAST(n AS BIGINT UNSIGNED)) FROM {large}"), "36893488147419103228"),
        (format!("SELECT avg(n) FROM {large}"), "9.223372036854776e18"),
        (format!("SELECT sum(n) FILTER (WHERE false) FROM {large}"), ""),
        ("SELECT sum(9223372036854775807) FROM spans WHERE service = 'service-1' GROUP BY service".into(), "1383505805528216371050"),
        ("SELECT sum(9223372036854775807) FILTER (WHERE kind = 'none') FROM spans WHERE service = 'service-1' GROUP BY service".into(), ""),
        ("SELECT sum(1) + 1 FROM spans".into(), "601"),
        ("SELECT sum(CAST('90000000000000000000000000000000000000' AS DECIMAL(38, 0))) FROM spans".into(), "54000000000000000000000000000000000000000"),
        ("SELECT sum(1.5) FROM spans".into(), "900.0"),
    ] {
        assert_eq!(lines(&context, &sql).await, [expected], "{sql}");
    }
    let long = "arrow_cast(9223372036854775807, 'Duration(ns)')";
    for sql in [format!("SELECT sum({long}) FROM spans"), format!("SELECT sum({long}) FROM spans GROUP BY service")] {
        assert!(error(&context, &sql).await.contains("beyond 292 years"), "{sql}");
    }
    let mean = format!(
        "SELECT count(*) FROM (SELECT avg({long}) AS a FROM spans GROUP BY service) WHERE a > arrow_cast(9000000000000000000, 'Duration(ns)')"
    );
    assert_eq!(lines(&context, &mean).await, ["4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn integers_do_not_wrap_around() {
    let filled = filled(400).await;
    let context = session(filled.store.snapshot());
    for wrong in [
        "SELECT 9223372036854775807 + 1",
        "SELECT (duration_ns + 1) * 9223372036854775807 FROM spans",
        "SELECT count(*) FROM spans WHERE duration_ns + 9223372036854775807 > 0",
        "SELECT -9223372036854775807 - duration_ns - 9 FROM spans",
        "SELECT -(duration_ns - duration_ns - 9223372036854775807 - 1) FROM spans",
    ] {
        assert!(error(&context, wrong).await.contains("is beyond int64"), "{wrong}");
    }
    for (sql, expected) in [
        ("SELECT 2 + 3 * 4 - 1", "13"),
        ("SELECT -(1 + 1)", "-2"),
        ("SELECT max(-n) FROM (VALUES (1), (2)) AS t(n)", "-1"),
        ("SELECT NULL + 1", ""),
        ("SELECT CAST(9223372036854775807 AS DOUBLE) * 10", "9.223372036854776e19"),
        ("SELECT date_part('hour', TIMESTAMP '2024-02-29T01:02:03') * 60", "60"),
    ] {
        assert_eq!(lines(&context, sql).await, [expected], "{sql}");
    }
}
