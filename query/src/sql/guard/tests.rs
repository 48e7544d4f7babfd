//! Bombs, and what looks like one and is none.

use std::{
    fmt::Write,
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::sql::engine::STACK_BYTES;

fn admitted(text: String) -> Result<(), Refused> {
    let thread =
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || admit(&text).map(drop)).expect("a thread");
    thread.join().expect("no panic")
}

fn refused(text: impl Into<String>) -> String {
    let text = text.into();
    let beginning: String = text.chars().take(60).collect();
    match admitted(text) {
        Ok(()) => panic!("let through: {beginning}…"),
        Err(error) => error.to_string(),
    }
}

/// `before`, then `piece` so often, then `after`.
fn chain(before: &str, piece: &str, times: usize, after: &str) -> String {
    format!("{before}{}{after}", piece.repeat(times))
}

#[test]
fn ordinary_queries_pass() {
    let in_list = (0..1000).map(|n| format!("'{n:032x}'")).collect::<Vec<_>>().join(",");
    for text in [
        "SELECT 1",
        "SELECT service, count(*) FROM spans GROUP BY service;",
        "WITH slow AS (SELECT * FROM spans WHERE duration_ns > 1e9) SELECT * FROM slow a JOIN slow b USING (trace_id)",
        "VALUES (1), (2)",
        "EXPLAIN ANALYZE SELECT * FROM spans",
        "EXPLAIN VERBOSE SELECT * FROM spans",
        "SELECT attributes['http.route'] FROM spans WHERE name ~ '^GET' -- with a comment",
        "SELECT CAST('[1]' AS INT[]), duration_ns::DOUBLE FROM spans",
        "SELECT 1 UNION ALL SELECT 2 UNION SELECT 3",
        "SELECT service, kind, count(*) FROM spans GROUP BY CUBE (service, kind)",
        &format!("SELECT * FROM spans WHERE trace_id IN ({in_list})"),
        &chain("SELECT * FROM spans WHERE name = 'a'", " OR name = 'b'", 200, ""),
        &(chain("", "SELECT span_id FROM spans WHERE span_id IN (", 8, "SELECT span_id FROM spans") + &")".repeat(8)),
    ] {
        assert_eq!(admitted(text.into()), Ok(()), "{text}");
    }
}

#[test]
fn only_questions_are_answered() {
    let only = "only SELECT, WITH, VALUES and EXPLAIN are answered";
    for text in [
        "CREATE TABLE t (a INT)",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE spans",
        "INSERT INTO spans VALUES (1)",
        "WITH a AS (SELECT 1) INSERT INTO spans SELECT * FROM a",
        "UPDATE spans SET name = 'x'",
        "DELETE FROM spans",
        "COPY spans TO '/tmp/x'",
        "SET datafusion.execution.batch_size = 1",
        "SHOW TABLES",
        "SHOW ALL",
        "DESCRIBE spans",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN",
        "EXPLAIN DELETE FROM spans",
        "EXPLAIN EXPLAIN SELECT 1",
        "ANALYZE TABLE spans",
        "KILL 1",
        "CALL f()",
    ] {
        let error = refused(text);
        assert!(error.starts_with(only) || error.starts_with("cannot read the query"), "{text}: {error}");
    }
    assert_eq!(refused("SELECT 1; DROP TABLE spans"), "2 statements; exactly one is answered");
    assert_eq!(refused("SELECT 1; SELECT 2"), "2 statements; exactly one is answered");
    assert_eq!(refused(" ; -- nothing"), "0 statements; exactly one is answered");
    assert!(refused("SELEKT 1").starts_with("cannot read the query: "), "{}", refused("SELEKT 1"));
    assert!(refused("SELECT 'open").starts_with("cannot read the query: "), "{}", refused("SELECT 'open"));
}

#[test]
fn parts_that_are_not_offered() {
    for text in [
        "SELECT * FROM generate_series(1, 1000000000000)",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM TABLE(range(1, 10))",
        "SELECT * FROM spans, LATERAL range(1, 10)",
        "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT * FROM a",
        "SELECT * INTO t FROM spans",
        "SELECT * FROM spans FOR UPDATE",
        "SELECT * FROM spans TABLESAMPLE (1 PERCENT)",
        "SELECT CAST(NULL AS INT[2000000000])",
        "SELECT NULL::INT[2000000000]",
        "SELECT CAST(NULL AS INT[][2000000000])",
        "SELECT TRY_CAST(NULL AS STRUCT<a INT>)",
        "SELECT * FROM spans PIVOT (count(*) FOR service IN ('a'))",
    ] {
        let error = refused(text);
        assert!(error.ends_with("is not supported") || error.starts_with("cannot read"), "{text}: {error}");
    }
}

#[test]
fn deep_trees_are_refused() {
    for text in [
        chain("SELECT 1", "+1", 5_000, ""),
        chain("SELECT 1", "+1", 300, ""),
        chain("SELECT 'a'", "||'a'", 1_000, ""),
        chain("SELECT ", "(", 100_000, "1"),
        chain("SELECT ", "(", 5_000, "1") + &")".repeat(5_000),
        chain("SELECT ", "(", 100, "1") + &")".repeat(100),
        chain("SELECT ", "NOT ", 5_000, "true"),
        chain("SELECT ", "- ", 9_000, "1"),
        chain("SELECT ", "CASE WHEN true THEN 1 ELSE ", 500, "1") + &" END".repeat(500),
        chain("SELECT * FROM ", "(SELECT * FROM ", 40, "spans") + &") a".repeat(40),
        chain("SELECT 1", "::INT", 4_000, ""),
        chain("SELECT a", "['b']", 3_000, ""),
        chain("SELECT a", "[1]", 3_000, ""),
        chain("SELECT a", ".b", 4_000, ""),
        chain("SELECT 1", " IS NULL", 4_000, ""),
        chain("SELECT 1", " COLLATE x", 4_000, ""),
        chain("SELECT CAST(1 AS ", "ARRAY<", 4_900, "INT") + &">".repeat(4_900) + ")",
        chain("SELECT CAST(1 AS ", "STRUCT<a ", 3_000, "INT") + &">".repeat(3_000) + ")",
        chain("SELECT CAST(1 AS INT", "[]", 3_000, ")"),
        chain("SELECT f(", "f(", 4_000, "1") + &")".repeat(4_001),
        chain("SELECT INTERVAL ", "INTERVAL ", 4_000, "'1 day'"),
        chain("SELECT EXISTS ", "(SELECT EXISTS ", 60, "(SELECT 1)") + &")".repeat(60),
        chain("SELECT 1", " BETWEEN 0 AND 1", 2_000, ""),
        chain("EXPLAIN ", "EXPLAIN ", 4_000, "SELECT 1"),
        chain("SELECT ", "/*", 30_000, ""),
    ] {
        refused(text);
    }
}

#[test]
fn long_texts_are_refused() {
    let list = (0..50_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for text in [
        format!("SELECT * FROM spans WHERE duration_ns IN ({list})"),
        chain("SELECT 1", " UNION ALL SELECT 1", 100_000, ""),
        chain("SELECT 1", " UNION ALL SELECT 1", 2_400, ""),
        chain("SELECT 1", " UNION SELECT 1", 65, ""),
        chain("SELECT * FROM spans", ", spans", 100_000, ""),
        chain("SELECT * FROM spans", ", spans", 64, ""),
        chain("SELECT * FROM spans", " NATURAL JOIN spans", 3_000, ""),
        chain("SELECT CASE", " WHEN a = 1 THEN 2", 50_000, " END"),
        chain("SELECT 1", ", 1", 100_000, ""),
        chain("SELECT 1 FROM spans WHERE name ~ 'a'", " AND name ~ 'a{1000}'", 20, ""),
        chain("SELECT regexp_like(name, 'a')", " AND regexp_like(name, 'a')", 20, " FROM spans"),
        "SELECT 1 FROM spans GROUP BY CUBE (a, b, c, d, e, f, g, h, i)".into(),
        "SELECT 1 FROM spans GROUP BY CUBE (a, b), CUBE (c, d)".into(),
        chain("SELECT 1", ";SELECT 1", 4_000, ""),
    ] {
        refused(text);
    }
}

#[test]
fn what_names_stand_for_is_counted() {
    let mut doubling = String::from("WITH t0 AS (SELECT * FROM spans)");
    let mut growing = String::from("WITH t0 AS (SELECT duration_ns AS a FROM spans)");
    let mut chained = String::from("WITH t0 AS (SELECT * FROM spans)");
    for n in 1..=100 {
        let before = n - 1;
        if n <= 20 {
            write!(doubling, ", t{n} AS (SELECT * FROM t{before} CROSS JOIN T{before})").expect("memory");
            write!(growing, ", t{n} AS (SELECT a + a AS a FROM t{before})").expect("memory");
        }
        write!(chained, ", t{n} AS (SELECT * FROM t{before})").expect("memory");
    }
    assert!(refused(doubling + " SELECT * FROM t20").contains("tables"));
    assert!(refused(growing + " SELECT * FROM t20 WHERE a > 1").contains("columns behind one column"));
    assert!(refused(chained + " SELECT * FROM t100").contains("read from one another"));
    let nested = chain("SELECT a||a AS a FROM ", "(SELECT a||a||a||a AS a FROM ", 12, "spans") + &") t".repeat(12);
    assert!(refused(nested).contains("columns behind one column"));
    let in_where = chain("SELECT 1 FROM spans WHERE 1 = 0", " OR EXISTS (SELECT 1 FROM spans)", 100, "");
    assert!(refused(in_where).contains("tables"));
}

/// The parser tries some words as the beginning of one thing and then of another, at every level.
#[test]
fn no_word_makes_parsing_slow() {
    use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
    let signs = ["", "-", "+", "~", "a", "'a'", "a,", "*,", "x ->", "a.", "f"];
    for word in ALL_KEYWORDS.iter().copied().chain(signs) {
        let (open, close) = (format!("{word} (").repeat(60), ")".repeat(60));
        for text in
            [format!("SELECT {open}1{close}"), format!("SELECT {open}"), format!("SELECT * FROM {open}spans{close}")]
        {
            let begin = Instant::now();
            let _ = admitted(text.clone());
            assert!(begin.elapsed() < Duration::from_secs(10), "{text}");
        }
    }
}
