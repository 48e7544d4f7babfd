//! Lines answer alike from the head, where their texts are parsed, and from segments, where columns tell, however odd they are.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use prost::Message;
use weir_proto::{
    Signal, TenantId,
    otlp::{
        Checks,
        logs::{IdNames, scan},
        messages::{
            collector::logs::v1::ExportLogsServiceRequest,
            common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
            resource::v1::Resource,
        },
    },
    time::Clock,
};
use weir_store::{LogsBatch, ScanFilter, ScanRequest, Snapshot, Store, StoreOptions, head::LineSummaries};

use super::SnapshotLines;
use crate::logql::{
    ast::Expr,
    engine::{Direction, Evaluated, Limits, LineRoom, LogQuery, MetricQuery, Progress, entries, evaluate},
    parse,
};

/// When line 0 was; each further one a second later.
const T0: u64 = 1_760_000_000_000_000_000;
const LINES: u64 = 900;

const KEYS: [&str; 16] =
    ["level", "ms", "user", "a.b", "a", "b", "n", "x y", " x", "", "9", "app", "zone", "\\u0061b", "severity", "kind"];
const VALUES: [&str; 18] = [
    "1",
    "-0",
    "12.50",
    "700",
    "1e3",
    "1e400",
    "true",
    "false",
    "null",
    "\"error\"",
    "\"warn\"",
    "\"\"",
    "\"700ms\"",
    "\"caf\\u00e9\"",
    "[1,{\"b\":2}]",
    "[]",
    "{}",
    "\"\\ud800\"",
];

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ (n >> 29)
}

fn object(seed: &mut u64, depth: u32, out: &mut String) {
    let mut below = |count: u64| {
        *seed = mix(*seed + 1);
        *seed % count
    };
    let members = below(6);
    let picks: Vec<(u64, u64)> = (0..members).map(|_| (below(16), below(22))).collect();
    out.push('{');
    for (at, (key, value)) in picks.into_iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        write!(out, "{comma}\"{}\":", KEYS[key as usize]).expect("a String");
        match VALUES.get(value as usize) {
            Some(value) => out.push_str(value),
            None if depth > 2 => out.push_str("\"deep\""),
            None => object(seed, depth + 1, out),
        }
    }
    out.push('}');
}

fn body(n: u64) -> String {
    let mut seed = mix(n);
    match n % 8 {
        0 => format!("level=warn text {n} ms=700"),
        1 => format!(r#"{{"level":"error","ms":{n},"broken":"#),
        2..5 => format!(
            r#"{{"level":"{}","trace_id":"{}","ms":{},"user":{{"id":{},"plan":"p{}"}},"msg":"done, after a timeout of {n}"}}"#,
            ["info", "warn", "error"][(n % 3) as usize],
            if n.is_multiple_of(5) { String::new() } else { trace(n / 40) },
            mix(n) % 1000,
            mix(n) % 7,
            n % 3
        ),
        _ => {
            let mut out = String::new();
            object(&mut seed, 0, &mut out);
            out
        }
    }
}

fn trace(number: u64) -> String {
    format!("{:032x}", 0xabcd_0000 + number)
}

fn text(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

fn record(n: u64) -> LogRecord {
    let mut attributes = Vec::new();
    if n % 16 == 3 {
        attributes.extend([text("user.id", "beside"), text("Level", "fatal")]);
    }
    if n % 30 == 7 {
        attributes.push(text("trace_id", &trace(n / 20)));
    }
    let (trace_id, span_id) = match n % 10 {
        4 => ((0xabcd_0000 + u128::from(n / 50)).to_be_bytes().to_vec(), (n + 1).to_be_bytes().to_vec()),
        _ => Default::default(),
    };
    LogRecord {
        trace_id,
        span_id,
        time_unix_nano: T0 + n * 1_000_000_000,
        severity_number: if n % 64 == 5 { 9 } else { 0 },
        body: Some(AnyValue { value: Some(Value::StringValue(body(n))) }),
        attributes,
        ..LogRecord::default()
    }
}

/// Some are as if they had been pushed.
fn scope(service: u64) -> Option<InstrumentationScope> {
    (service == 2).then(|| InstrumentationScope { name: "loki".into(), ..InstrumentationScope::default() })
}

fn batch(from: u64, to: u64) -> LogsBatch {
    let of = |service: u64| {
        let records = (from..to).filter(|n| n % 3 == service).map(record).collect();
        let attributes = vec![text("service.name", &format!("s{service}")), text("zone", "north")];
        ResourceLogs {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_logs: vec![ScopeLogs { log_records: records, scope: scope(service), ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }
    };
    let payload = ExportLogsServiceRequest { resource_logs: (0..3).map(of).collect() }.encode_to_vec();
    let mut summaries = LineSummaries::default();
    scan(&payload, Checks::Journalled, |line| summaries.push(line.ordinal, T0, &line.line, &IdNames::USUAL))
        .expect("canonical");
    LogsBatch {
        tenant: TenantId::default(),
        payload: payload.into(),
        received_at_ns: T0,
        items: (to - from) as u32,
        rejected: Vec::new(),
        summaries,
        generation: 0,
        head_dropped: 0,
        cursors: Default::default(),
    }
}

async fn filled(is_sealed: bool) -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = StoreOptions {
        free_bytes_min: 0,
        commit_delay_max: Duration::ZERO,
        journal_file_age_max: Duration::from_secs(3600),
        seal_bytes_max: 1,
        seal_age_max: Duration::ZERO,
        retention_traces: None,
        ..StoreOptions::new(folder.path())
    };
    let store = Store::open(options, None, Clock::fixed(T0)).await.expect("opens");
    for from in (0..LINES).step_by(300) {
        store.append_logs(batch(from, from + 300)).await.expect("appended");
    }
    if is_sealed {
        store.roll().await;
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        let heads = || {
            let request = ScanRequest { columns: vec![], filter: ScanFilter::default() };
            let scan = store.snapshot().scan_unless(Signal::Logs, &TenantId::default(), request, &|| false);
            scan.expect("nothing gives up").pruned().head_frames
        };
        while heads() > 0 {
            ticks.tick().await;
        }
    }
    (store, folder)
}

fn answer(snapshot: &Snapshot, query: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    let lines = SnapshotLines::new(snapshot.clone(), TenantId::default(), deadline, true);
    let limits = Limits {
        series_max: 100_000,
        steps_max: 11_000,
        samples_max: 100_000,
        threads: 2,
        now_ns: T0 + LINES * 1_000_000_000,
        deadline,
        room: LineRoom::default(),
    };
    let end_ns = T0 + LINES * 1_000_000_000;
    match parse(query).unwrap_or_else(|error| panic!("{query}: {error}")) {
        Expr::Log(log) => {
            let mut out = String::new();
            for (direction, limit) in [(Direction::Backward, 20), (Direction::Forward, 20), (Direction::Backward, 5000)]
            {
                let asked = LogQuery { log: &log, start_ns: T0, end_ns, direction, limit };
                let found = entries(&asked, &lines, &limits, &Progress::default()).expect("answered");
                writeln!(out, "{:?}", found.entries).expect("a String");
            }
            out
        }
        Expr::Metric(metric) => {
            let asked =
                MetricQuery { metric: &metric, start_ns: T0 as i64, end_ns: end_ns as i64, step_ns: 60_000_000_000 };
            match evaluate(&asked, &lines, &limits, &Progress::default()) {
                Ok(Evaluated::Series(series)) => series.iter().map(|one| format!("{one:?}\n")).collect(),
                Ok(Evaluated::Number(number)) => number.to_string(),
                // Which line is told of is by chance.
                Err(error) => error.to_string().chars().take(30).collect(),
            }
        }
    }
}

#[tokio::test]
async fn columns_answer_as_texts_do() {
    let (head, sealed) = (filled(false).await, filled(true).await);
    let (head, sealed) = (head.0.snapshot(), sealed.0.snapshot());
    let all = r#"{service_name=~".+"}"#;
    let mut answers = 0;
    for rest in [
        r#"| json | ms > 500 | __error__="""#,
        r#"| json | ms > 500 | ms < 700"#,
        r#"| json | ms > 500 or level="warn" | __error__="""#,
        r#"| json | level="error""#,
        r#"| json | level!="error", user_id=~"[1-3]""#,
        r#"| json | user_id="beside""#,
        r#"| json | user_id_extracted="3""#,
        r#"| json | user_id="5" | ms >= 10ms"#,
        r#"| json | a_b="""#,
        r#"| json | a_b!="""#,
        r#"| json | _9!="" | x_y="""#,
        r#"| json | ab=~".+""#,
        r#"| json | zone="north""#,
        r#"| json | zone_extracted=~".+""#,
        r#"|= "timeout" | json | ms > 900"#,
        r#"|= "after a timeout of 1" != "13" | json | level="warn""#,
        r#"|~ "time(out|d) of [0-9]+3" | json | user_plan="p1""#,
        r#"| detected_level="warn""#,
        r#"| trace_id="000000000000000000000000abcd0004""#,
        r#"| json | trace_id="000000000000000000000000abcd0004""#,
        r#"| json | trace_id_extracted!="" | trace_id=~".+3""#,
        r#"| trace_id="nowhere""#,
        r#"| trace_id!="""#,
        r#"| span_id=~".+7""#,
        r#"| user_id="beside" | json"#,
        r#"| Level=~"f.*", user_id!="""#,
        r#"!= "13" | json | trace_id="""#,
        r#"|= "13" or "timeout of 7""#,
        r#"!~ "timeout" |~ "error|text 1""#,
        r#"|~ "(?i)TimeOut of 1(3|5)" !~ "(?i)NOTHING""#,
        r#"|~ "(?i)ERROR" | json | level="error""#,
        r#"|~ "timeout of 1[0-4]" != "12" or "13""#,
        r#"| json | detected_level="error" | drop level"#,
        r#"| json | keep level, n"#,
        r#"| json | n > 1"#,
        r#"| logfmt | ms > 500"#,
        r#"| json m="ms" | m > 500 | __error__="""#,
        r#"| json | line_format "{{.ms}}" |= "7""#,
        "",
    ] {
        let log = format!("{all} {rest}");
        let by = "level, detected_level, trace_id, trace_id_extracted, span_id, ms, user_id, user_id_extracted, a_b, _9, x_y, x, ab, zone, app, kind, b, n, severity_number";
        let clean = format!("{log} | __error__=\"\"");
        for query in [
            log.clone(),
            format!("sum(count_over_time({log} [1m]))"),
            format!("sum(count_over_time({clean} [1m]))"),
            format!("sum by (level) (count_over_time({clean} [90s]))"),
            format!("sum by (detected_level) (count_over_time({clean} [1m]))"),
            format!("sum by ({by}) (count_over_time({clean} [1m]))"),
            format!("sum by (service_name) (bytes_over_time({clean} [1m]))"),
            format!("avg_over_time({clean} | unwrap ms | __error__=\"\" [2m]) by (user_plan)"),
            format!("count_over_time({clean} [5m])"),
        ] {
            let (expected, found) = (answer(&head, &query), answer(&sealed, &query));
            assert!(expected == found, "{query}\n{:.2000}\ninstead of\n{:.2000}", found, expected);
            answers += usize::from(!expected.is_empty());
        }
    }
    assert!(answers > 220, "{answers} of the answers say anything");
}

#[tokio::test]
async fn texts_are_found_where_expressions_match() {
    let (head, sealed) = (filled(false).await, filled(true).await);
    for text in [
        "TIMEOUT of 1(3|5)",
        "Error",
        "\\\"LEVEL\\\":\\\"w",
        "caf",
        "USER",
        "u0061B",
        "Z",
        ":1,",
        "}",
        "k",
        "s",
        "T of",
    ] {
        // A group with the flag is an expression, which is asked of every line.
        let asked = format!(r#"{{service_name=~".+"}} |~ "(?i){text}""#);
        let expected = answer(&head.0.snapshot(), &format!(r#"{{service_name=~".+"}} |~ "(?i:{text})""#));
        for snapshot in [head.0.snapshot(), sealed.0.snapshot()] {
            let found = answer(&snapshot, &asked);
            assert!(found == expected, "{asked}\n{found:.2000}\ninstead of\n{expected:.2000}");
        }
    }
}
