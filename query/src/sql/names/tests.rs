//! Queries, and what becomes of their names.

use super::*;
use crate::sql::guard;

/// The query as it is planned, or what is said.
fn resolved(text: &str) -> String {
    let columns = ["trace_id", "service", "name", "kind", "start_time", "duration_ns", "attributes", "resource"];
    let functions = ["count", "lower", "length", "now", "element_at"];
    let known = Known {
        tables: vec![
            ("spans".to_owned(), columns.map(str::to_owned).to_vec()),
            ("logs".to_owned(), ["trace_id", "time", "body", "attributes"].map(str::to_owned).to_vec()),
        ],
        functions: &|| functions.map(str::to_owned).to_vec(),
        is_function: &|name| functions.contains(&name),
    };
    let mut statement = match guard::admit(text) {
        Ok(statement) => statement,
        Err(refused) => return refused.to_string(),
    };
    match resolve(&mut statement, &known) {
        Ok(()) => statement.to_string(),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn what_others_write_is_written_as_it_works_here() {
    for (text, planned) in [
        ("SELECT attributes.num FROM spans", r#"SELECT attributes['num'] AS "attributes.num" FROM spans"#),
        (
            "SELECT s.attributes.http.route FROM spans s",
            r#"SELECT s.attributes['http.route'] AS "s.attributes.http.route" FROM spans s"#,
        ),
        ("SELECT resource.service.name AS x FROM spans", "SELECT resource['service.name'] AS x FROM spans"),
        (
            "SELECT 1 AS n FROM spans WHERE attributes->>'http.route' = 'x'",
            "SELECT 1 AS n FROM spans WHERE attributes['http.route'] = 'x'",
        ),
        (
            "SELECT 1 AS n FROM spans WHERE attributes -> 'Num' > 5",
            "SELECT 1 AS n FROM spans WHERE attributes['Num'] > 5",
        ),
        (r#"SELECT attributes["k.a"] AS x FROM spans"#, "SELECT attributes['k.a'] AS x FROM spans"),
        ("SELECT resource[`k`] AS x FROM spans", "SELECT resource['k'] AS x FROM spans"),
        ("SELECT attributes.isOk AS x FROM spans", "SELECT attributes['isOk'] AS x FROM spans"),
        ("SELECT resource.attributes['zone'] AS x FROM spans", "SELECT resource['zone'] AS x FROM spans"),
        ("SELECT resource.attributes.k8s.pod AS x FROM spans", "SELECT resource['k8s.pod'] AS x FROM spans"),
        ("SELECT TOP 10 name FROM spans", "SELECT name FROM spans LIMIT 10"),
        ("SELECT name FROM spans FETCH FIRST 5 ROWS ONLY", "SELECT name FROM spans LIMIT 5"),
        ("SELECT name FROM spans OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY", "SELECT name FROM spans LIMIT 5 OFFSET 2 ROWS"),
        (
            "SELECT name FROM spans WHERE start_time > now() - INTERVAL 1 HOUR",
            "SELECT name FROM spans WHERE start_time > now() - INTERVAL '1' HOUR",
        ),
        (
            "SELECT name FROM spans WHERE name RLIKE 'a' AND name NOT REGEXP 'b'",
            "SELECT name FROM spans WHERE name ~ 'a' AND name !~ 'b'",
        ),
        ("SELECT -attributes['n'] AS n FROM spans", "SELECT (0 - attributes['n']) AS n FROM spans"),
        ("SELECT name FROM spans WHERE name == 'a'; -- all", "SELECT name FROM spans WHERE name = 'a'"),
        ("SELECT name FROM spans WHERE attributes['vip']", "SELECT name FROM spans WHERE (attributes['vip'] = true)"),
        (
            "SELECT name FROM spans WHERE NOT attributes.vip AND (attributes->>'a' OR name = 'x')",
            "SELECT name FROM spans WHERE NOT (attributes['vip'] = true) AND ((attributes['a'] = true) OR name = 'x')",
        ),
        (
            "SELECT count(*) FILTER (WHERE attributes['vip']) AS n FROM spans HAVING resource['a'] IS NOT TRUE",
            "SELECT count(*) FILTER (WHERE (attributes['vip'] = true)) AS n FROM spans HAVING (resource['a'] = true) IS NOT TRUE",
        ),
        (
            "SELECT CASE WHEN attributes['vip'] THEN 1 END AS n FROM spans",
            "SELECT CASE WHEN (attributes['vip'] = true) THEN 1 END AS n FROM spans",
        ),
        (
            "SELECT CAST(attributes['n'] AS INT64) AS n, TRY_CAST(name AS FLOAT64) AS f FROM spans",
            "SELECT CAST(attributes['n'] AS BIGINT) AS n, TRY_CAST(name AS DOUBLE PRECISION) AS f FROM spans",
        ),
        ("SELECT CAST(start_time AS DATETIME) AS d FROM spans", "SELECT CAST(start_time AS TIMESTAMP) AS d FROM spans"),
        (
            "SELECT name FROM spans s WHERE s.attributes['vip']",
            "SELECT name FROM spans s WHERE (s.attributes['vip'] = true)",
        ),
        (
            "SELECT a.name FROM spans a JOIN spans b ON a.trace_id = b.trace_id AND b.attributes['vip']",
            "SELECT a.name FROM spans a JOIN spans b ON a.trace_id = b.trace_id AND (b.attributes['vip'] = true)",
        ),
        (
            "SELECT a.name FROM spans a LEFT JOIN spans b ON b.attributes['vip']",
            "SELECT a.name FROM spans a LEFT JOIN spans b ON (b.attributes['vip'] = true)",
        ),
        ("SELECT [1, 2] @> [1] AS x", "SELECT [1, 2] @> [1] AS x"),
    ] {
        assert_eq!(resolved(text), planned, "{text}");
    }
}

#[test]
fn what_others_write_is_answered_with_what_works_here() {
    for (text, said) in [
        (
            "SELECT http.route FROM spans",
            "there is no column http.route: an attribute of the span is attributes['http.route'], one of its resource resource['http.route']",
        ),
        (
            r#"SELECT "http.route" FROM spans"#,
            "there is no column \"http.route\": an attribute of the span is attributes['http.route'], one of its resource resource['http.route']; a text stands in single quotes: 'http.route'",
        ),
        ("SELECT service.name FROM spans", "there is no column service.name: write service"),
        ("SELECT span.name FROM spans", "there is no column span.name: write name"),
        ("SELECT span.attributes.num FROM spans", "there is no column span.attributes.num: write attributes['num']"),
        (
            "SELECT SpanAttributes['http.route'] FROM spans",
            "there is no column SpanAttributes: write attributes['http.route']",
        ),
        (
            "SELECT ResourceAttributes['zone'] FROM spans",
            "there is no column ResourceAttributes: write resource['zone']",
        ),
        (
            "SELECT attributes.http['route'] FROM spans",
            "the value of an attribute is a text: nothing lies within it. Was attributes['http.route'] meant?",
        ),
        ("SELECT service['x'] FROM spans", "column service has no keys; an attribute is attributes['x']"),
        ("SELECT tags['x'] FROM spans", "there is no column tags: write attributes['x']"),
        ("SELECT attributes[num] FROM spans", "an attribute's key is a text in quotes: write attributes['num']"),
        (
            "SELECT attributes['a']['b'] FROM spans",
            "the value of an attribute is a text: nothing lies within it. Was attributes['a.b'] meant?",
        ),
        (
            "SELECT JSON_EXTRACT(attributes, '$.http.route') FROM spans",
            "there is no function json_extract: write attributes['http.route']",
        ),
        (
            r#"SELECT json_extract_scalar(resource, '$["k8s.pod"]') FROM spans"#,
            "there is no function json_extract_scalar: write resource['k8s.pod']",
        ),
        (
            "SELECT JSONExtractString(SpanAttributes, 'k') FROM spans",
            "there is no function jsonextractstring: write attributes['k']",
        ),
        (
            "SELECT JSON_VALUE(attributes, '$.num') FROM spans",
            "there is no function json_value: write attributes['num']",
        ),
        (
            "SELECT element_at(attributes, 'num') FROM spans",
            "element_at is not for attributes: write attributes['num']",
        ),
        (
            "SELECT countIf(name = 'x') FROM spans",
            "there is no function countif: write count(*) FILTER (WHERE name = 'x')",
        ),
        (
            "SELECT time_bucket('1 minute', start_time) FROM spans",
            "there is no function time_bucket: write date_bin(INTERVAL '1 minute', start_time)",
        ),
        (
            r#"SELECT name FROM spans WHERE service = "cart""#,
            "there is no column \"cart\": a text stands in single quotes: 'cart'; an attribute is attributes['cart']",
        ),
        ("SELECT duration FROM spans", "there is no column duration: here it is duration_ns"),
        ("SELECT TraceId, SpanName FROM spans", "there is no column TraceId: here it is trace_id"),
        (
            "SELECT num FROM spans",
            "there is no column num; an attribute is attributes['num']; there are trace_id, service, name, kind, start_time, duration_ns, attributes, resource",
        ),
        (
            "SELECT servise FROM spans",
            "there is no column servise; did you mean service? There are trace_id, service, name, kind, start_time, duration_ns, attributes, resource",
        ),
        (
            "SELECT a.num FROM spans a",
            "there is no column a.num; an attribute is a.attributes['num']; there are trace_id, service, name, kind, start_time, duration_ns, attributes, resource",
        ),
    ] {
        assert_eq!(resolved(text), said, "{text}");
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    for (text, said) in [
        ("SELECT 1 FROM traces", "there is no table traces; there are spans and logs"),
        ("SELECT 1 FROM otel.otel_traces", "there is no table otel.otel_traces; there are spans and logs"),
        ("WITH slow AS (SELECT 1) SELECT 1 FROM slo", "there is no table slo; did you mean slow?"),
        (
            "SELECT TOP 10 PERCENT name FROM spans",
            "TOP is not supported in this form: write LIMIT 10 at the end of the query",
        ),
        ("SELECT x FROM (SELECT name FROM spans)", "there is no column x; there are name"),
        (
            "SELECT name FROM spans a, spans b",
            "column name is in more than one of the tables: write of which, as in a.name",
        ),
        (
            "SELECT a FROM (SELECT 1 AS a, 2 AS a) t",
            "column a is there more than once in a subquery: name them apart with AS; without that the second is a_2",
        ),
        (
            "SELECT count(DISTINCT service, name) FROM spans",
            "count(DISTINCT …) counts one value: write count(DISTINCT concat_ws(' ', service, name))",
        ),
        ("SELECT lowr(name) FROM spans", "there is no function lowr; did you mean lower?"),
    ] {
        assert_eq!(resolved(text), said, "{text}");
    }
    for (text, said) in [
        ("SELECT name FROM spans WHERE start_time > now() - 1h", "write INTERVAL '1 hours'"),
        ("SELECT name FROM spans WHERE duration_ns > 5ms", "write INTERVAL '5 milliseconds'"),
    ] {
        assert!(resolved(text).contains(said), "{text}: {}", resolved(text));
    }
}

#[test]
fn columns_of_one_name_are_told_apart() {
    for (text, planned) in [
        ("SELECT 1 AS a, 2 AS a", r#"SELECT 1 AS a, 2 AS "a_2""#),
        ("SELECT name, name FROM spans", r#"SELECT name, name AS "name_2" FROM spans"#),
        (
            "SELECT service AS x, name AS x, kind AS x FROM spans",
            r#"SELECT service AS x, name AS "x_2", kind AS "x_3" FROM spans"#,
        ),
        ("SELECT 1 AS a, 2 AS a, 3 AS a_2", r#"SELECT 1 AS a, 2 AS "a_3", 3 AS a_2"#),
        (
            "SELECT DISTINCT lower(name) FROM spans ORDER BY lower(name) DESC",
            r#"SELECT DISTINCT lower(name) AS "lower(name)" FROM spans ORDER BY "lower(name)" DESC"#,
        ),
        ("SELECT 1, 1", r#"SELECT 1 AS "1", 1 AS "1_2""#),
        ("SELECT count(*), COUNT(*) FROM spans", r#"SELECT count(*) AS "count(*)", COUNT(*) AS "COUNT(*)" FROM spans"#),
        ("SELECT *, k AS k FROM (SELECT 1 AS k, 2 AS l) t", r#"SELECT *, k AS "k_2" FROM (SELECT 1 AS k, 2 AS l) t"#),
        (
            "SELECT k, * FROM (SELECT 1 AS k, 2 AS l) t",
            r#"SELECT k, "t"."k" AS "k_2", "t"."l" FROM (SELECT 1 AS k, 2 AS l) t"#,
        ),
        (
            "SELECT * FROM (SELECT 1 AS k) a JOIN (SELECT 1 AS k) b ON a.k = b.k",
            r#"SELECT "a"."k", "b"."k" AS "k_2" FROM (SELECT 1 AS k) a JOIN (SELECT 1 AS k) b ON a.k = b.k"#,
        ),
        (
            "SELECT a.k, b.k FROM (SELECT 1 AS k) a, (SELECT 1 AS k) b",
            r#"SELECT a.k, b.k AS "k_2" FROM (SELECT 1 AS k) a, (SELECT 1 AS k) b"#,
        ),
        (
            "WITH t AS (SELECT name, name FROM spans) SELECT name_2 FROM t ORDER BY name_2",
            r#"WITH t AS (SELECT name, name AS "name_2" FROM spans) SELECT name_2 FROM t ORDER BY name_2"#,
        ),
        (
            "SELECT * EXCEPT (k), l FROM (SELECT 1 AS k, 2 AS l) t",
            r#"SELECT * EXCEPT (k), l AS "l_2" FROM (SELECT 1 AS k, 2 AS l) t"#,
        ),
        (
            "SELECT lower(name) FROM spans GROUP BY lower(name) ORDER BY lower(name)",
            r#"SELECT lower(name) AS "lower(name)" FROM spans GROUP BY lower(name) ORDER BY lower(name)"#,
        ),
    ] {
        assert_eq!(resolved(text), planned, "{text}");
    }
    let mut doubling = String::from("WITH t0 AS (SELECT 1 AS a)");
    for n in 1..40 {
        doubling.push_str(&format!(", t{n} AS (SELECT *, * FROM t{})", n - 1));
    }
    assert_eq!(
        resolved(&(doubling + " SELECT 1 FROM t39")),
        "the query has too many columns in one SELECT: at most 4096"
    );
}

#[test]
fn what_only_the_planner_can_tell_is_left_to_it() {
    for text in [
        "SELECT x FROM UNNEST([1, 2]) AS t(x)",
        "SELECT name, a.kind FROM spans a JOIN spans b USING (trace_id, name)",
        "SELECT name FROM spans NATURAL JOIN spans b",
        "SELECT s.x FROM (SELECT s AS s FROM (SELECT name AS s FROM spans) t) t",
        "SELECT a.name FROM spans a WHERE EXISTS (SELECT 1 FROM spans b WHERE b.trace_id = a.trace_id AND kind = 'x')",
        "SELECT name AS n FROM spans GROUP BY n HAVING count(*) > 1 ORDER BY n",
        "SELECT public.spans.name FROM spans",
        "SELECT k FROM (SELECT 1 AS k UNION ALL SELECT 2) AS t",
        "SELECT c FROM (VALUES (1, 2)) AS t(b, c)",
        "SELECT column2 FROM (VALUES (1, 2))",
    ] {
        assert!(resolved(text).starts_with("SELECT"), "{text}: {}", resolved(text));
    }
}

/// What a call of another system's function is answered with.
#[test]
fn functions_of_others_name_their_own_arguments() {
    for (call, said) in [
        ("argMax(name, duration_ns)", "first_value(name ORDER BY duration_ns DESC)"),
        ("min_by(name, start_time)", "first_value(name ORDER BY start_time)"),
        ("anyLast(name)", "last_value(name)"),
        ("quantile(0.5)(duration_ns)", "approx_percentile(duration_ns, 0.5), or p50(duration_ns)"),
        ("percentile(duration_ns, 95)", "approx_percentile(duration_ns, 0.95), or p95(duration_ns)"),
        ("quantileTDigest(duration_ns)", "approx_percentile(duration_ns, 0.99), or p99(duration_ns)"),
        ("p999(duration_ns)", "approx_percentile(duration_ns, 0.999)"),
        ("p75(duration_ns)", "approx_percentile(duration_ns, 0.75)"),
        ("p5(duration_ns)", "approx_percentile(duration_ns, 0.05)"),
        ("p100(duration_ns)", "max(duration_ns)"),
        ("percentile(duration_ns, 99.9)", "approx_percentile(duration_ns, 0.999)"),
        ("percentile(duration_ns, 100)", "max(duration_ns)"),
        ("approx_quantiles(duration_ns, 100)", "approx_percentile(duration_ns, 0.99), or p99(duration_ns)"),
        ("charindex('GET', name)", "strpos(name, 'GET')"),
        ("regexp_extract(name, 'G(.)T')", "regexp_match(name, 'G(.)T')[1]"),
        ("splitByChar('/', name)", "split_part(name, '/', 1), or string_to_array(name, '/')"),
        ("toStartOfInterval(start_time, INTERVAL 5 MINUTE)", "date_bin(INTERVAL 5 MINUTE, start_time)"),
        ("time_bucket('5 minutes', start_time)", "date_bin(INTERVAL '5 minutes', start_time)"),
        ("toStartOfHour(start_time)", "date_trunc('hour', start_time)"),
        ("TIMESTAMP_TRUNC(start_time, HOUR)", "date_trunc('hour', start_time)"),
        ("toHour(start_time)", "date_part('hour', start_time)"),
        ("month(start_time)", "date_part('month', start_time)"),
        ("formatDateTime(start_time, '%Y')", "to_char(start_time, '%Y')"),
        ("strftime('%Y', start_time)", "to_char(start_time, '%Y')"),
        ("date_sub(now(), INTERVAL 2 DAY)", "now() - INTERVAL 2 DAY"),
        ("subtractHours(now(), 3)", "now() - INTERVAL '3 hour'"),
        ("DATEADD(minute, -5, now())", "now() - INTERVAL '5 minute'"),
        ("date_add(start_time, INTERVAL '1 hour')", "start_time + INTERVAL '1 hour'"),
        ("DATEADD(day, 7, start_time)", "start_time + INTERVAL '7 day'"),
        ("timestampadd(HOUR, 1, start_time)", "start_time + INTERVAL '1 hour'"),
        ("date_add('day', -1, start_time)", "start_time - INTERVAL '1 day'"),
        ("date_sub(start_time, -7)", "start_time + INTERVAL '7 day'"),
        ("adddate(start_time, 2, 'weeks')", "start_time + INTERVAL '2 week'"),
        ("adddate(start_time, '2 weeks')", "start_time + INTERVAL '2 weeks'"),
        ("date_add(start_time, attributes['n'])", "start_time + CAST(concat(attributes['n'], ' day') AS INTERVAL)"),
        ("getdate()", "now()"),
        ("unix_timestamp()", "to_unixtime(now())"),
        ("unix_timestamp(start_time)", "to_unixtime(start_time)"),
        ("IsNull(attributes['a'], 0)", "coalesce(attributes['a'], 0)"),
        ("toInt32OrZero(name)", "attr_num(name)"),
        ("uniqIf(service, kind = 'server')", "count(DISTINCT service) FILTER (WHERE kind = 'server')"),
        ("topK(name)", "name, count(*) … GROUP BY name ORDER BY count(*) DESC LIMIT 10"),
        ("JSONExtractString(attributes, 'a', 'b')", "attributes['a.b']"),
    ] {
        let answer = resolved(&format!("SELECT {call} FROM spans"));
        let (_, written) = answer.split_once(": write ").unwrap_or(("", &answer));
        assert_eq!(written, said, "{call}");
    }
}

#[test]
fn slips_and_other_languages_are_told() {
    for (text, said) in [
        ("SELEC name FROM spans", "; did you mean SELECT?"),
        ("SELECT name FROM spans WHER name = 'a'", "; did you mean WHERE?"),
        ("fields @timestamp | limit 20", "; a query is SQL: SELECT name"),
        ("SELECT name FROM spans WHERE name CONTAINS 'a'", "; write contains(name, 'text')"),
        ("SELECT name FROM spans PREWHERE name = 'a'", "; write WHERE"),
        ("SELECT name FROM spans LIMIT 1 BY service", "; write QUALIFY row_number()"),
        ("SELECT attributes ? 'a' FROM spans", "; write attributes['a'] IS NOT NULL"),
        ("SELECT name FROM spans WHERE $__timeFilter(start_time)", "$__timeFilter is a macro"),
        ("SELECT name FROM spans WHERE name = {{name}}", "a template was not filled in"),
        ("SELECT name FROM spans WHERE name = $1", "$1 stands for a value that a program fills in: write the value"),
        ("SELECT name FROM spans WHERE name =~ 'GET'", "name ~ 'GET'"),
        ("SELECT name FROM spans WHERE name = 'a' && kind = 'b'", "&& is written AND"),
        ("SELECT attributes #>> '{a,b}' FROM spans", "write attributes['a.b']"),
        ("SELECT name FROM spans WHERE attributes @> '{}'", "@> is not there: write attributes['key'] = 'value'"),
        ("SELECT name FROM spans WHERE name @> '{}'", "@> is not there: write attributes['key'] = 'value'"),
        ("SELECT name FROM spans | limit 20", "; stages behind | are not SQL"),
        ("SELECT name FROM spans WHERE duration_ns > 1 | sort 20", "; stages behind | are not SQL"),
        ("SELECT name FROM spans GROP BY name", "; did you mean GROUP?"),
        ("SELECT attributes->'a'->>'b' FROM spans", "Was attributes['a.b'] meant?"),
        ("SELECT lower(body->>'msg') FROM spans", "a field of a JSON body is attributes['msg']"),
        ("SELECT error FROM spans", "; an attribute is attributes['error']"),
        (
            "SELECT http_route FROM spans",
            "; an attribute is attributes['http_route'], or attributes['http.route']; there",
        ),
        ("SELECT name FROM spans WHERE ROWNUM < 5", "here it is LIMIT at the end of the query"),
        ("SELECT spans.name FROM spans AS s", "table spans has another name here: write s.name"),
        ("SELECT spans.name FROM logs l JOIN spans s ON true", "table spans has another name here: write s.name"),
        ("SELECT logs.body FROM spans s", "there is no column logs.body: an attribute of the span is"),
        ("SELECT FIRST 5 name FROM spans", "; write LIMIT at the end of the query"),
        ("SELECT TIMESTAMP('2026-01-01')", "write to_timestamp('2026-01-01')"),
        ("SHOW TABLES", "the tables are spans and logs"),
        ("DESCRIBE spans", "the tables are spans and logs"),
        ("DROP TABLE spans", "only SELECT, WITH, VALUES and EXPLAIN are answered"),
    ] {
        let answer = resolved(text);
        assert!(answer.contains(said), "{text}: {answer}");
    }
    // What is right elsewhere in the query is not what is wrong.
    for text in [
        "SELECT count(*) FILTER (WHERE contains(name, 'a')) FROM spans WHERE )",
        "SELECT name FROM spans ORDER BY name NULLS FIRST )",
        "SELECT 1 | 2 FROM spans WHERE )",
        "SELECT array_agg(name) AS form FROM spans WHERE )",
    ] {
        let answer = resolved(text);
        assert!(answer.starts_with("cannot read the query: ") && !answer.contains(';'), "{text}: {answer}");
    }
}
