//! Queries through the engine: what is answered, refused, stopped.

use std::time::Duration;

use super::*;
use crate::{http::fixtures::table, sql::encoding::Json};

struct Asked {
    text: String,
    error: Option<SqlError>,
}

fn engine(change: impl FnOnce(&mut SqlConfig)) -> (Engine, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut limits = SqlConfig::default();
    change(&mut limits);
    (Engine::start(limits, &folder.path().join("tmp/sql")).expect("threads"), folder)
}

fn query(text: &str, rows: usize, time: Duration) -> Query {
    let services: Vec<_> = ["cart", "stock"].into_iter().cycle().take(rows).collect();
    Query {
        text: text.into(),
        tables: Box::new(move |_| vec![("spans", table(services))]),
        now_ns: None,
        deadline: Instant::now() + time,
        encoding: Box::new(Json::default()),
    }
}

fn all(mut answer: RunningQuery) -> Asked {
    let mut text = Vec::new();
    let mut error = None;
    while let Some(chunk) = answer.chunks.blocking_recv() {
        match chunk {
            Ok(chunk) => text.extend(chunk.bytes),
            Err(found) => error = Some(found),
        }
    }
    Asked { text: String::from_utf8(text).expect("UTF-8"), error }
}

fn ask(text: &str) -> Asked {
    let (engine, _folder) = engine(|_| {});
    // Whatever the machine is busy with: what is tested of deadlines asks for its own.
    all(engine.ask(query(text, 3, Duration::from_secs(3600)), ()))
}

#[test]
fn rows_are_json() {
    let asked = ask("SELECT service, count(*) AS n FROM spans GROUP BY service ORDER BY n DESC");
    let expected = concat!(
        r#"{"columns":[{"name":"service","type":"text"},{"name":"n","type":"int64"}],"rows":["#,
        "\n{\"service\":\"cart\",\"n\":2},\n{\"service\":\"stock\",\"n\":1}]}\n"
    );
    assert_eq!((asked.text.as_str(), asked.error.is_none()), (expected, true));
}

#[test]
fn a_name_of_with_may_stand_for_the_table_that_it_reads() {
    for text in [
        "WITH spans AS (SELECT service FROM spans WHERE duration_ns >= 0) SELECT count(*) AS n FROM spans",
        "WITH spans AS (SELECT *, duration_ns / 1e6 AS ms FROM spans) SELECT count(ms) AS n FROM spans",
    ] {
        let asked = ask(text);
        assert!(
            asked.error.is_none() && asked.text.ends_with("{\"n\":3}]}\n"),
            "{text}: {} {:?}",
            asked.text,
            asked.error
        );
    }
}

/// Held while a query runs; tells when it is let go.
fn held() -> (impl Send + 'static, std::sync::mpsc::Receiver<()>) {
    let (held, let_go) = std::sync::mpsc::channel();
    (held, let_go)
}

fn ended(let_go: &std::sync::mpsc::Receiver<()>) -> bool {
    let_go.recv_timeout(Duration::from_secs(10)) == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
}

fn refused(text: &str) -> String {
    let asked = ask(text);
    match asked.error {
        Some(error) => error.to_string(),
        None => panic!("answered: {text}: {}", asked.text),
    }
}

#[test]
fn what_the_guard_lets_through_can_be_planned() {
    let services: Vec<_> = (0..4_000).map(|n| format!("'s{n}'")).collect();
    let mut deep = String::from("duration_ns");
    let mut cases = String::from("duration_ns");
    for n in 0..60 {
        deep = format!("abs({deep} + {n})");
        cases = format!("CASE WHEN service = 's{n}' THEN {n} ELSE {cases} END");
    }
    let mut nested = String::from("spans");
    for n in 0..14 {
        nested = format!("(SELECT * FROM {nested} WHERE duration_ns + {n} > 0) AS t");
    }
    let mut ctes = String::from("WITH t0 AS (SELECT * FROM spans)");
    for n in 1..60 {
        ctes.push_str(&format!(", t{n} AS (SELECT *, duration_ns + {n} AS d{n} FROM t{})", n - 1));
    }
    for text in [
        format!("SELECT duration_ns FROM spans WHERE duration_ns = 1{}", " OR duration_ns = 2".repeat(250)),
        format!("SELECT duration_ns FROM spans WHERE duration_ns = 1{}", " AND duration_ns > 0".repeat(250)),
        format!("SELECT duration_ns{} FROM spans", " + 1".repeat(250)),
        format!("SELECT service{} FROM spans", " || 'a'".repeat(250)),
        format!("SELECT service FROM spans WHERE service IN ({})", services.join(",")),
        format!("SELECT {} FROM spans", (0..2_000).map(|n| format!("{n} AS c{n}")).collect::<Vec<_>>().join(",")),
        format!("SELECT CASE{} END FROM spans", " WHEN service = 'x' THEN 1".repeat(1_000)),
        format!("SELECT {deep} FROM spans"),
        format!("SELECT {cases} FROM spans"),
        format!("SELECT * FROM {nested}"),
        format!("{ctes} SELECT * FROM t59 WHERE d59 > 1"),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(60)),
        format!("SELECT 1{}", " EXCEPT SELECT 1".repeat(60)),
        format!(
            "SELECT count(*) FROM spans t0{}",
            (1..40).map(|n| format!(" JOIN spans t{n} ON t{n}.duration_ns = t0.duration_ns")).collect::<String>()
        ),
        format!(
            "SELECT 1 FROM spans WHERE true{}",
            " AND EXISTS (SELECT 1 FROM spans b WHERE b.duration_ns = spans.duration_ns)".repeat(30)
        ),
        "SELECT service, count(*) FROM spans GROUP BY CUBE (service, duration_ns, 1, 2, 3, 4, 5, 6)".into(),
        format!("VALUES (1){}", ", (1)".repeat(2_000)),
        format!(
            "EXPLAIN VERBOSE SELECT duration_ns FROM spans WHERE duration_ns = 1{}",
            " OR duration_ns = 2".repeat(250)
        ),
    ] {
        let asked = ask(&text);
        assert!(asked.error.is_none(), "{}…: {:?}", &text[..60], asked.error);
    }
}

#[test]
fn every_kind_of_value_has_a_form() {
    let text = concat!(
        "SELECT NULL AS a, true AS b, -1 AS c, 9223372036854775807 AS d, 1.5 AS e, 'NaN'::DOUBLE AS f, '-inf'::DOUBLE AS g, ",
        "'a\"\n' AS h, TIMESTAMP '2024-02-29T01:02:03.000000004' AS i, to_timestamp_seconds(0) AS j, DATE '1969-12-31' AS k, ",
        "[1, 2] AS l, named_struct('x', 1, 'y', [NULL]) AS m, x'00ff' AS n, CAST(1.25 AS DECIMAL(5, 2)) AS o, INTERVAL '1 day' AS p, ",
        "map(['k'], [2]) AS q, arrow_typeof(1) AS r, CAST(7 AS BIGINT UNSIGNED) AS s, TIME '01:02:03' AS t"
    );
    let asked = ask(text);
    assert!(asked.error.is_none(), "{:?}", asked.error);
    let value: serde_json::Value = serde_json::from_str(&asked.text).expect("JSON");
    let expected = serde_json::json!({
        "a": null, "b": true, "c": -1, "d": 9_223_372_036_854_775_807_i64, "e": 1.5, "f": "NaN", "g": "-Infinity",
        "h": "a\"\n", "i": "2024-02-29T01:02:03.000000004Z", "j": "1970-01-01T00:00:00.000000000Z", "k": "1969-12-31",
        "l": [1, 2], "m": {"x": 1, "y": [null]}, "n": "00ff", "o": 1.25, "p": "1 days", "q": {"k": 2}, "r": "Int64",
        "s": 7, "t": "01:02:03",
    });
    assert_eq!(value["rows"][0], expected);
    let types: Vec<_> =
        value["columns"].as_array().expect("a list").iter().map(|column| column["type"].as_str()).collect();
    let expected = [
        "null",
        "boolean",
        "int64",
        "int64",
        "float64",
        "float64",
        "float64",
        "text",
        "timestamp",
        "timestamp",
        "date",
        "list",
        "struct",
        "binary",
        "decimal",
        "interval",
        "map",
        "text",
        "uint64",
        "time",
    ];
    assert_eq!(types, expected.map(Some));
}

/// A column made of itself three times over.
fn doubled(grown: &str) -> String {
    let start = format!("(SELECT '{}' || service AS a FROM spans) t", "x".repeat(50_000));
    let once = format!("(SELECT {grown} AS a FROM {start}) t");
    let twice = format!("(SELECT {grown} AS a FROM {once}) t");
    format!("SELECT length(a) FROM (SELECT {grown} AS a FROM {twice}) t")
}

#[test]
fn texts_are_joined() {
    let asked = ask(
        "SELECT 'a' || service || NULL AS a, 'a' || service AS b, 'x' || 1 AS c, [1] || [2] AS d, 1 || 'y' || 'z' AS e, concat('a', NULL) AS f, replace('aba', 'a', 'cc') AS g FROM spans LIMIT 1",
    );
    let value: serde_json::Value = serde_json::from_str(&asked.text).expect("JSON");
    let expected =
        serde_json::json!({"a": null, "b": "acart", "c": "x1", "d": [1, 2], "e": "1yz", "f": "a", "g": "ccbcc"});
    assert_eq!(value["rows"][0], expected, "{:?}", asked.error);
}

#[test]
fn what_only_has_the_name_of_a_column_is_judged_by_its_values() {
    for text in [
        "SELECT count(*) AS n FROM (SELECT '500' || duration_ns AS service FROM spans) WHERE service > 400",
        "WITH t AS (SELECT '1' || duration_ns AS name FROM spans) SELECT count(name + 1) AS n FROM t",
    ] {
        let asked = ask(text);
        assert!(asked.text.contains(r#"{"n":3}"#), "{text}: {} {:?}", asked.text, asked.error);
    }
    assert!(refused("SELECT * FROM (SELECT service AS name FROM spans) WHERE name > 1").contains("is text"));
}

#[test]
fn what_using_made_one_is_one() {
    for (text, count) in [
        ("SELECT count(*) AS n FROM spans a JOIN spans b USING (service) WHERE service = 'cart'", 4),
        ("SELECT count(service) AS n FROM spans JOIN spans b USING (duration_ns, service) WHERE duration_ns < 2", 2),
        (
            "SELECT count(*) AS n FROM spans a LEFT JOIN spans b USING (service) JOIN spans c USING (service) WHERE service <> 'x'",
            9,
        ),
        (
            "SELECT count(*) AS n FROM (SELECT 'x' AS service) a RIGHT JOIN spans b USING (service) WHERE service = 'cart'",
            2,
        ),
        (
            "SELECT max(n) AS n FROM (SELECT service, count(*) AS n FROM spans a JOIN spans b USING (service) GROUP BY service ORDER BY service)",
            4,
        ),
        (
            "SELECT count(*) AS n FROM spans a WHERE EXISTS (SELECT 1 FROM spans b JOIN spans c USING (service) WHERE service = a.service)",
            3,
        ),
    ] {
        let asked = ask(text);
        assert!(asked.text.contains(&format!(r#"{{"n":{count}}}"#)), "{text}: {} {:?}", asked.text, asked.error);
    }
}

#[test]
fn mistakes_are_explained() {
    for (text, said) in [
        ("SELECT * FROM '/etc/passwd'", "there is no table"),
        ("SELECT arrow_cast(NULL, 'FixedSizeBinary(2147483647)')", "there is no function arrow_cast: it could make"),
        ("SELECT 1 / 0", "Divide by zero"),
        (&format!("SELECT replace('{0}', 'a', '{0}') FROM spans", "a".repeat(30_000)), "replace could make"),
        (
            &format!("SELECT regexp_replace('{0}', 'a', '{0}', 'g') FROM spans", "a".repeat(30_000)),
            "regexp_replace could make",
        ),
        (
            &format!("SELECT array_to_string([{}], '{}') FROM spans", "1,".repeat(4_000) + "1", "a".repeat(40_000)),
            "array_to_string could make",
        ),
        (&doubled("concat(a, a, a, a, a, a, a, a, a, a)"), "concat could make"),
        (&doubled("a||a||a||a||a||a||a||a||a||a"), "|| could make"),
        ("SELECT service ~ '(a{1000}){1000}' FROM spans", "regex"),
        ("SELECT service FROM spans WHERE service ~ '('", "unclosed group"),
    ] {
        let error = refused(text);
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn mistakes_are_told_in_plain_words() {
    const FIXED: &str = "column service is text and no number: write service = 'cart', say, or attr_num(service)";
    for (text, expected) in [
        ("SELECT nothing FROM spans", "there is no column nothing; there are service, start_time, duration_ns"),
        (
            "SELECT servise FROM spans",
            "there is no column servise; did you mean service? There are service, start_time, duration_ns",
        ),
        (
            "SELECT a.servise FROM spans a, spans b",
            "there is no column a.servise; did you mean a.service? There are a.service, a.start_time, a.duration_ns, b.service, b.start_time, b.duration_ns",
        ),
        (
            "SELECT service FROM spans a, spans b",
            "column service is in more than one of the tables: write of which, as in a.service",
        ),
        (
            "SELECT service AS svc FROM spans WHERE svc = 'cart'",
            "there is no column svc here: what AS names is known in GROUP BY, HAVING and ORDER BY, not in WHERE",
        ),
        ("SELECT * FROM span", "there is no table span; there are spans and logs"),
        ("SELECT * FROM a.b", "there is no table a.b; there are spans and logs"),
        ("SELECT * FROM a.b.c", "there is no table a.b.c; there are spans and logs"),
        (
            "SELECT * FROM information_schema.tables",
            "there is no table information_schema.tables; there are spans and logs",
        ),
        ("SELECT no_such_function(1)", "there is no function no_such_function"),
        ("SELECT uper(service) FROM spans", "there is no function uper; did you mean upper?"),
        ("SELECT foo(1) OVER () FROM spans", "there is no function foo"),
        ("SELECT repeat('x', 2)", "there is no function repeat: it could make values of any size or type"),
        ("SELECT sum(service) FROM spans", FIXED),
        ("SELECT sum(DISTINCT service) FROM spans", FIXED),
        ("SELECT sum() FROM spans", "sum takes (number), (duration) or (interval), not ()"),
        ("SELECT avg(service) OVER () FROM spans", FIXED),
        ("SELECT avg(now())", "avg takes (number) or (duration), not (timestamp)"),
        ("SELECT stddev(service) FROM spans", "stddev takes (number), not (text); attr_num(…) is the number of a text"),
        (
            "SELECT corr(service, 1) FROM spans",
            "corr takes (y: number, x: number), not (text, int64); attr_num(…) is the number of a text",
        ),
        ("SELECT bool_and(service) FROM spans", "bool_and takes (boolean), not (text)"),
        ("SELECT median(now()) FROM spans", "median takes (number), not (timestamp)"),
        ("SELECT now(1)", "now takes (nothing), not (int64)"),
        ("SELECT substr(service) FROM spans", "Substring without for/from is not valid"),
        ("SELECT lower(1, 2)", "lower takes (text), not (int64, int64)"),
        ("SELECT attr_num(1) FROM spans", "attr_num takes (text), not (int64)"),
        ("SELECT p99(service) FROM spans", FIXED),
        ("SELECT p99(now())", "p99 is of numbers, not timestamp"),
        ("SELECT p99() FROM spans", "p99 takes 1 arguments"),
        ("SELECT service + 1 FROM spans", FIXED),
        ("SELECT service FROM spans WHERE service >= 500", FIXED),
        ("SELECT 1 FROM spans WHERE 5 IN (service)", FIXED),
        (
            "SELECT 1 FROM spans WHERE duration_ns = true",
            "int64 = boolean cannot be compared: these types do not go together",
        ),
        ("SELECT 1 FROM spans WHERE service", "the condition 'spans.service' is text, not boolean"),
        ("SELECT service, count(*) FROM spans", "column spans.service must be in GROUP BY or in an aggregate function"),
        (
            "SELECT CAST('x' AS int)",
            "Cannot cast string 'x' to value of int32 type; TRY_CAST(… AS …), or attr_num(…), gives null for what is none",
        ),
        (
            "SELECT 9223372036854775807 * duration_ns * 2 FROM spans",
            "the result of * is beyond int64: write one side as CAST(… AS DOUBLE), or as CAST(… AS DECIMAL(38, 0))",
        ),
    ] {
        let asked = ask(text);
        assert_eq!(asked.error.as_ref().map(SqlError::code), Some(400), "{text}: {}", asked.text);
        assert_eq!(asked.error.map(|error| error.to_string()).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn an_answer_with_too_many_rows_says_so() {
    let (engine, _folder) = engine(|limits| limits.rows_max = 10.try_into().expect("not zero"));
    let asked = all(engine.ask(query("SELECT duration_ns FROM spans", 11, Duration::from_secs(30)), ()));
    let value: serde_json::Value = serde_json::from_str(&asked.text).expect("JSON");
    assert_eq!(value["rows"].as_array().map(Vec::len), Some(10));
    let message = "the answer has more than 10 rows (query.sql.rows_max); these are the first";
    assert_eq!(value["error"], serde_json::json!({"code": 400, "message": message}));
    let whole = all(engine.ask(query("SELECT duration_ns FROM spans", 10, Duration::from_secs(30)), ()));
    assert!(!whole.text.contains("error"), "{}", whole.text);
}

#[test]
fn a_cross_join_ends_at_its_deadline() {
    for text in [
        "SELECT count(*) FROM spans a, spans b, spans c WHERE a.duration_ns + b.duration_ns + c.duration_ns < 0",
        "SELECT max(a.duration_ns + b.duration_ns + c.duration_ns) FROM spans a CROSS JOIN spans b CROSS JOIN spans c",
        "SELECT a.service FROM spans a, spans b, spans c ORDER BY b.duration_ns * c.duration_ns",
        "SELECT count(*) FROM spans a JOIN spans b ON a.duration_ns < b.duration_ns JOIN spans c ON c.duration_ns < b.duration_ns",
        "SELECT count(DISTINCT a.duration_ns * b.duration_ns) FROM spans a JOIN spans b ON a.service = b.service",
    ] {
        let (engine, _folder) = engine(|limits| limits.spill_bytes_max = (1 << 30).try_into().expect("not zero"));
        let (held, let_go) = held();
        let begin = Instant::now();
        let asked = all(engine.ask(query(text, 20_000, Duration::from_millis(500)), held));
        let error = asked.error.map(|error| error.to_string()).unwrap_or(asked.text);
        // Some are stopped by their memory before their time is over.
        let stopped = error == "the query took longer than query.timeout" || error.contains("memory_bytes_max");
        assert!(stopped, "{text}: {error}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{text}: {:?}", begin.elapsed());
        assert!(ended(&let_go), "{text}: runs on");
    }
}

#[test]
fn a_slow_reader_is_told_that_the_answer_is_cut() {
    let (engine, _folder) = engine(|_| {});
    let text = "SELECT a.service, b.service AS other FROM spans a, spans b";
    let (held, let_go) = held();
    let mut answer = engine.ask(query(text, 10_000, Duration::from_millis(500)), held);
    let first = answer.chunks.blocking_recv().expect("a chunk").expect("rows");
    // Pauses until the query is out of time.
    assert!(ended(&let_go));
    let rest = all(answer);
    let whole = String::from_utf8(first.bytes).expect("UTF-8") + &rest.text;
    let value: serde_json::Value = serde_json::from_str(&whole).expect("JSON to its end");
    assert!(rest.error.is_none() && value["error"]["code"] == 504, "{}", value["error"]);
    assert!(value["rows"].as_array().is_some_and(|rows| rows.len() > 1_000));
}

#[test]
fn a_query_ends_when_nobody_waits_for_it() {
    let (engine, _folder) = engine(|_| {});
    let text = "SELECT a.service, b.service AS other FROM spans a, spans b, spans c";
    let (held, let_go) = held();
    let mut answer = engine.ask(query(text, 10_000, Duration::from_secs(600)), held);
    assert!(answer.chunks.blocking_recv().is_some_and(|chunk| chunk.is_ok()));
    drop(answer);
    assert!(ended(&let_go));
}

/// For a thousand rows: a million sorted.
const SORTED: &str = "SELECT max(r) AS n FROM (SELECT row_number() OVER (ORDER BY a.duration_ns * b.duration_ns) AS r FROM spans a, spans b)";

#[test]
fn what_does_not_fit_into_memory_goes_to_disk_or_fails() {
    let (engine, folder) = engine(|limits| limits.memory_bytes_max = (16 << 20).try_into().expect("not zero"));
    let asked = all(engine.ask(query(SORTED, 1_000, Duration::from_secs(60)), ()));
    assert!(asked.text.contains("\"n\":1000000"), "{:?} {}", asked.error, asked.text);
    // A million on both sides: neither fits, sorted ones go to disk.
    for key in ["(a.duration_ns * 1000 + b.duration_ns) * 7919", "'k' || (a.duration_ns * 1000 + b.duration_ns)"] {
        let side = format!("(SELECT {key} AS k, a.service FROM spans a, spans b)");
        let joined = format!("SELECT count(*) AS n, min(x.service || y.service) FROM {side} x JOIN {side} y USING (k)");
        let asked = all(engine.ask(query(&joined, 1_000, Duration::from_secs(60)), ()));
        assert!(asked.text.contains("\"n\":1000000"), "{key}: {:?} {}", asked.error, asked.text);
    }
    let held_at_once = "SELECT array_agg(a.service || b.service) FROM spans a, spans b";
    let asked = all(engine.ask(query(held_at_once, 2_000, Duration::from_secs(60)), ()));
    assert!(matches!(asked.error, Some(SqlError::TooLarge(_))), "{:?}", asked.error);
    let window = |over: &str| {
        let text =
            format!("SELECT max(w) AS w FROM (SELECT {over} AS w, a.service || b.service FROM spans a, spans b)");
        let asked = all(engine.ask(query(&text, 1_000, Duration::from_secs(60)), ()));
        let is_too_large = matches!(asked.error, Some(SqlError::TooLarge(_)));
        (is_too_large, format!("{over}: {:?} {}", asked.error, asked.text))
    };
    let (is_too_large, told) = window("avg(a.duration_ns) OVER (ORDER BY b.duration_ns ROWS 1000000000 PRECEDING)");
    assert!(is_too_large, "{told}");
    // Whether one sort's part of the memory is enough depends on which others are done already.
    let (is_too_large, told) = window("sum(a.duration_ns) OVER (PARTITION BY a.service)");
    assert!(is_too_large || told.contains("\"w\":250000000"), "{told}");
    drop(engine);
    assert!(folder.path().join("tmp/sql").is_dir());
}

#[test]
fn more_on_disk_than_it_may_have_ends_a_query() {
    let (engine, folder) = engine(|limits| {
        limits.memory_bytes_max = (16 << 20).try_into().expect("not zero");
        limits.spill_bytes_max = (1 << 20).try_into().expect("not zero");
    });
    let asked = all(engine.ask(query(SORTED, 1_000, Duration::from_secs(60)), ()));
    let error = asked.error.map(|error| (error.code(), error.to_string()));
    let words =
        "the query needs more than query.sql.memory_bytes_max or query.sql.spill_bytes_max: 1024.0 KB on disk are full";
    assert_eq!(error, Some((400, words.to_owned())), "{}", asked.text);
    // A part of the plan that is busy lets go of its files when it next looks up.
    let begin = Instant::now();
    while std::fs::read_dir(folder.path().join("tmp/sql")).expect("a folder").count() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the disk stays full");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_killed_process_left_is_deleted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let left = folder.path().join("tmp/sql/datafusion-abc/1.arrow");
    std::fs::create_dir_all(left.parent().expect("a folder")).expect("made");
    std::fs::write(&left, "x").expect("written");
    let _engine = Engine::start(SqlConfig::default(), &folder.path().join("tmp/sql")).expect("threads");
    assert!(!left.exists() && folder.path().join("tmp/sql").is_dir());
}

#[test]
fn many_at_once_all_end() {
    let (engine, _folder) = engine(|_| {});
    let answers: Vec<_> = (0..50)
        .map(|n| engine.ask(query(&format!("SELECT count(*) + {n} AS n FROM spans"), 3, Duration::from_secs(60)), ()))
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        let asked = all(answer);
        assert!(asked.text.contains(&format!("\"n\":{}}}", n + 3)), "{n}: {:?} {}", asked.error, asked.text);
    }
}
