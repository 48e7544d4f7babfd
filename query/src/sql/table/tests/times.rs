//! Times that no clock tells: one answer wherever a condition is evaluated and wherever the rows lie, and nothing negative.

use weir_proto::otlp::messages::trace::v1::{ResourceSpans, ScopeSpans, Span};
use weir_proto::time::Clock;
use weir_store::Store;

use super::{traffic::*, *};

/// The first that is negative as a signed number.
const BEYOND: u64 = 1 << 63;

/// Starts and ends.
const TIMES: [(u64, u64); 12] = [
    (0, 0),
    (0, T0),
    (1, T0),
    (T0, 0),
    (T0, T0 + 7),
    (T0 + 5, T0),
    (T0, u64::MAX),
    (BEYOND - 1, BEYOND),
    (BEYOND, BEYOND + 5),
    (u64::MAX, u64::MAX),
    (u64::MAX, 0),
    (1, u64::MAX),
];

async fn odd(sealed: bool) -> Filled {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(options(&folder), None, Clock::fixed(T0)).await.expect("opens");
    let span = |(n, &(start_time_unix_nano, end_time_unix_nano)): (usize, &(u64, u64))| Span {
        trace_id: vec![1; 16],
        span_id: (n as u64 + 1).to_be_bytes().to_vec(),
        start_time_unix_nano,
        end_time_unix_nano,
        ..Default::default()
    };
    let spans = TIMES.iter().enumerate().map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    store.append_traces(batch_of(vec![ResourceSpans { scope_spans, ..Default::default() }])).await.expect("appended");
    if sealed {
        store.roll().await;
        until_sealed(&store).await;
    }
    Filled { store, folder }
}

fn conditions() -> Vec<String> {
    let times = [
        "1960-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000000001Z",
        "2025-10-09T08:53:20Z",
        "2262-04-11T23:47:16.854775806Z",
        "2262-04-11T23:47:16.854775807Z",
    ];
    let durations = ["-1", "0", "7", "9223372036854775806", "9223372036854775807"];
    let mut conditions = Vec::new();
    for op in ["=", "<>", "<", "<=", ">", ">="] {
        for time in times {
            conditions.push(format!("start_time {op} '{time}'"));
            conditions.push(format!("end_time {op} '{time}'"));
        }
        conditions.extend(durations.iter().map(|duration| format!("duration_ns {op} {duration}")));
    }
    conditions.push("start_time BETWEEN '2025-10-09T08:53:20Z' AND '2262-04-11T23:47:16.854775807Z'".to_owned());
    conditions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_times_have_one_answer() {
    let conditions = conditions();
    let mut answers: Vec<Vec<Vec<String>>> = Vec::new();
    for sealed in [false, true] {
        let filled = odd(sealed).await;
        let context = session(filled.store.snapshot());
        let shown = lines(&context, "SELECT span_id, start_time, end_time, duration_ns FROM spans").await;
        assert_eq!(shown.len(), TIMES.len());
        let mut of_store = vec![shown];
        for condition in &conditions {
            let found = lines(&context, &format!("SELECT span_id FROM spans WHERE {condition}")).await;
            // Beside CASE nothing travels down.
            let plain = format!(
                "SELECT span_id FROM (SELECT span_id, CASE WHEN {condition} THEN random() + 1 END AS fits FROM spans) WHERE fits >= 1"
            );
            assert_eq!(found, lines(&context, &plain).await, "{condition}, sealed: {sealed}");
            of_store.push(found);
        }
        let negative = "duration_ns < 0 OR start_time < '1970-01-01T00:00:00Z' OR end_time < '1970-01-01T00:00:00Z'";
        assert_eq!(lines(&context, &format!("SELECT span_id FROM spans WHERE {negative}")).await, Vec::<String>::new());
        for order in ["start_time DESC", "start_time", "duration_ns DESC"] {
            of_store.push(
                lines(
                    &context,
                    &format!("SELECT {0} FROM spans ORDER BY {order} LIMIT 5", order.trim_end_matches(" DESC")),
                )
                .await,
            );
        }
        answers.push(of_store);
    }
    assert_eq!(answers[0], answers[1], "head and segments");
}
